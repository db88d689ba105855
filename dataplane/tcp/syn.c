/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/syn.h"

#include "dataplane/tcp/emit.h"
#include "dataplane/tcp/isn.h"
#include "dataplane/tcp/output.h"
#include "dataplane/tcp/rtt.h"
#include "dataplane/tcp/timers.h"
#include "dataplane/tcp/transmit.h"

/* RFC 9293 3.7.1: without the option. */
#define MSS_DEFAULT_V4 536
#define MSS_DEFAULT_V6 1220

/* The backlog that must have drained before cookies end: not at each single place that gets free.
 */
#define BACKLOG_LOW(max) ((max) - (max) / 4)

static void answer(struct tcp_stack *s, const struct tcp_syn *y, uint64_t now)
{
	struct tcp_options o = {
		.mss = tcp_mss_own(s, &y->node.key.remote),
		.has_timestamps = y->timestamps,
		.tsval = (uint32_t)(now / TCP_NS_PER_MS) + y->ts_offset,
		.tsecr = y->ts_recent,
		.sack_permitted = y->sack,
		.has_wscale = y->peer_wscale != 0xff,
		.wscale = s->own_wscale,
	};
	struct tcp_emit e = {
		.key = &y->node.key,
		.seq = y->iss,
		.ack = y->irs + 1,
		.flags = TCP_SYN | TCP_ACK | (y->ecn && y->retries == 0 ? TCP_ECE : 0),
		.wnd = (uint16_t)RTE_MIN(tcp_recv_buffer_start(s), 65535u),
		.opt = &o,
	};

	tcp_count(s, TCP_C_syn_ack_out);
	tcp_emit(s, &e, now);
}

static void arm(struct tcp_stack *s, struct tcp_syn *y, uint64_t now)
{
	uint64_t rto = (uint64_t)TCP_RTO_INITIAL_US * TCP_NS_PER_US << y->retries;

	wheel_arm(s->wheel, &y->timer, s->kind_syn, now + RTE_MIN(rto, 60000 * TCP_NS_PER_MS));
}

void tcp_syn_free(struct tcp_stack *s, struct tcp_syn *y)
{
	if (wheel_armed(&y->timer))
		wheel_cancel(s->wheel, &y->timer);
	tcp_table_remove(s->table, &y->node);
	y->listener->half_open--;
	s->usage.half_open--;
	tcp_listener_release(y->listener);
	tcp_pool_give(&s->syns, y);
}

static void syn_fill(
	struct tcp_stack *s, struct tcp_syn *y, struct tcp_listener *l, const struct tcp_segment *g)
{
	bool v4 = ip_addr_is_v4(&g->key.remote);

	*y = (struct tcp_syn){
		.node = {.key = g->key, .kind = TCP_NODE_SYN},
		.listener = l,
		.irs = g->seq,
		.ts_recent = g->opt.tsval,
		.ts_offset = tcp_ts_offset(s, &g->key),
		.peer_mss = g->opt.mss != 0 ? g->opt.mss
			    : v4            ? MSS_DEFAULT_V4
					    : MSS_DEFAULT_V6,
		.window = g->wnd,
		.peer_wscale = s->config.window_scale && g->opt.has_wscale ? g->opt.wscale : 0xff,
		.timestamps = s->config.timestamps && g->opt.has_timestamps,
		.sack = s->config.sack && g->opt.sack_permitted,
		/* RFC 3168 6.1.1: asked for by both bits. */
		.ecn = s->config.ecn && (g->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR),
	};
}

static void cookie_answer(
	struct tcp_stack *s, struct tcp_listener *l, const struct tcp_segment *g, uint64_t now)
{
	struct tcp_syn y;
	struct tcp_cookie cookie;

	syn_fill(s, &y, l, g);
	y.cookie = true;
	y.ecn = false; /* not kept */
	cookie = (struct tcp_cookie){.mss = y.peer_mss, .wscale = y.peer_wscale, .sack = y.sack};
	y.iss = tcp_cookie_make(s, &g->key, y.irs, &cookie, now);
	if (!l->cookies) {
		l->cookies = true;
		tcp_count(s, TCP_C_syn_cookies_entered);
	}
	l->cookie_ns = now;
	tcp_count(s, TCP_C_syn_cookies_sent);
	answer(s, &y, now);
}

void tcp_syn_open(struct tcp_stack *s, struct tcp_listener *l, const struct tcp_segment *g,
	uint32_t min_iss, uint64_t now)
{
	struct tcp_syn *y;

	if (l->cookies && s->usage.half_open <= BACKLOG_LOW(s->config.max_syn_backlog)) {
		l->cookies = false;
		tcp_count(s, TCP_C_syn_cookies_left);
	}
	y = l->cookies ? NULL : tcp_pool_take(&s->syns);
	if (y == NULL) {
		cookie_answer(s, l, g, now);
		return;
	}
	syn_fill(s, y, l, g);
	y->iss = tcp_isn(s, &g->key, now);
	/* RFC 9293 3.6.1: beyond everything of the incarnation before. */
	if (min_iss != 0 && seq_leq(y->iss, min_iss))
		y->iss = min_iss + 65536;
	y->sent_ns = now;
	if (tcp_table_insert(s->table, &y->node, g->hash) < 0) {
		tcp_pool_give(&s->syns, y);
		tcp_count(s, TCP_C_drop_listener_full);
		return;
	}
	l->half_open++;
	s->usage.half_open++;
	answer(s, y, now);
	arm(s, y, now);
}

/* SYN-RECEIVED to ESTABLISHED. The connection, or NULL: there is none left. */
static struct tcp_conn *promote(
	struct tcp_stack *s, struct tcp_syn *y, const struct tcp_segment *g, uint64_t now)
{
	struct tcp_listener *l = y->listener;
	struct tcp_conn *c = tcp_conn_alloc(s, &y->node.key, now);
	bool syn_lost;

	if (c == NULL) {
		tcp_count(s, TCP_C_refused_conn_pool);
		return NULL;
	}
	if (y->cookie) {
		if (tcp_table_insert(s->table, &c->node, g->hash) < 0) {
			tcp_conn_free(c, now);
			tcp_count(s, TCP_C_drop_listener_full);
			return NULL;
		}
	} else {
		tcp_table_replace(s->table, &y->node, &c->node);
	}
	c->flags |= TCP_F_IN_TABLE | TCP_F_LISTENER_LIMIT;
	c->listener = (uint8_t)(l - s->listeners);
	l->conns++;
	c->ops = l->ops;
	if (l->keepalive_idle_ms != 0)
		c->keepalive_idle_ms = l->keepalive_idle_ms;
	if (l->user_timeout_ms != 0)
		c->user_timeout_ms = l->user_timeout_ms;
	c->ts_offset = y->ts_offset;
	c->ts_recent = g->opt.has_timestamps ? g->opt.tsval : y->ts_recent;
	c->peer_mss = y->peer_mss;
	if (y->timestamps)
		c->flags |= TCP_F_TIMESTAMPS;
	if (y->sack)
		c->flags |= TCP_F_SACK;
	if (y->ecn) {
		c->flags |= TCP_F_ECN;
		tcp_count(s, TCP_C_ecn_sessions);
	}
	if (y->peer_wscale != 0xff) {
		c->flags |= TCP_F_PEER_WSCALE;
		c->snd_wscale = y->peer_wscale;
		c->rcv_wscale = s->own_wscale;
	}
	c->snd_una = c->snd_nxt = c->snd_end = y->iss + 1;
	c->rcv_nxt = y->irs + 1;
	c->rcv_adv = c->rcv_nxt + RTE_MIN(c->rcv_buf, 65535u);
	c->last_ack_sent = c->rcv_nxt;
	c->snd_wnd = (uint32_t)g->wnd << c->snd_wscale;
	c->snd_wl1 = g->seq;
	c->snd_wl2 = g->ack;
	/* RFC 6298: the handshake is a measurement if nothing of it was sent twice. */
	if (y->retries == 0 && !y->cookie)
		tcp_rtt_sample(&c->rtt, (uint32_t)((now - y->sent_ns) / TCP_NS_PER_US), 1,
			s->config.min_rto_ms * 1000, now);
	syn_lost = y->retries > 1;
	if (!y->cookie)
		tcp_syn_free(s, y);
	tcp_conn_set_state(c, TCP_ESTABLISHED);
	tcp_conn_start(c, syn_lost, now);
	tcp_count(s, TCP_C_passive_opens);
	tcp_conn_event(c, TCP_EV_ACCEPTED);
	return c;
}

bool tcp_syn_cookie_ack(
	struct tcp_stack *s, struct tcp_listener *l, struct tcp_segment *g, uint64_t now)
{
	struct tcp_cookie cookie;
	struct tcp_syn y;
	struct tcp_conn *c;

	if (!tcp_cookie_check(s, &g->key, g->seq - 1, g->ack - 1, &cookie, now)) {
		tcp_count(s, TCP_C_syn_cookies_invalid);
		return false;
	}
	tcp_count(s, TCP_C_syn_cookies_valid);
	syn_fill(s, &y, l, g);
	y.cookie = true;
	y.irs = g->seq - 1;
	y.iss = g->ack - 1;
	y.peer_mss = cookie.mss;
	y.peer_wscale = cookie.wscale;
	y.sack = cookie.sack;
	y.ecn = false;
	/* Timestamps were agreed if the ACK brings them: it may only if the SYN did, RFC 7323 3.2.
	 */
	c = promote(s, &y, g, now);
	if (c != NULL)
		tcp_conn_segment(s, c, g, now);
	return true;
}

static void rst_take(
	struct tcp_stack *s, struct tcp_syn *y, const struct tcp_segment *g, uint64_t now)
{
	tcp_count(s, TCP_C_rst_in);
	/* RFC 5961 3.2 for SYN-RECEIVED as well. */
	if (g->seq == y->irs + 1) {
		tcp_syn_free(s, y);
		return;
	}
	tcp_count(s, TCP_C_drop_rst_bad_seq);
}

/* A SYN that got a cookie, and got here again when there was room: the peer may answer either. */
static bool cookie_overtaken(
	struct tcp_stack *s, struct tcp_syn *y, struct tcp_segment *g, uint64_t now)
{
	struct tcp_listener *l = y->listener;
	struct tcp_cookie cookie;

	if (!l->open || l->cookie_ns == 0 || now - l->cookie_ns >= TCP_COOKIE_GRACE_NS)
		return false;
	if (!tcp_cookie_check(s, &g->key, g->seq - 1, g->ack - 1, &cookie, now)) {
		tcp_count(s, TCP_C_drop_bad_ack);
		return true;
	}
	tcp_syn_free(s, y);
	tcp_syn_cookie_ack(s, l, g, now);
	return true;
}

void tcp_syn_segment(struct tcp_stack *s, struct tcp_syn *y, struct tcp_segment *g, uint64_t now)
{
	uint32_t rcv_nxt = y->irs + 1, wnd = RTE_MIN(tcp_recv_buffer_start(s), 65535u);
	struct tcp_conn *c;

	if (g->flags & TCP_RST) {
		rst_take(s, y, g, now);
		return;
	}
	if (g->flags & TCP_SYN) {
		/* The same SYN again: our answer was lost (at most one a second, the timer sends it
		 * too). Another one: the answer makes the peer reset what is stale, RFC 5961 4. */
		if (now - y->sent_ns >= 500 * TCP_NS_PER_MS || g->seq != y->irs)
			answer(s, y, now);
		tcp_count(s, TCP_C_drop_syn_received);
		return;
	}
	if (!(g->flags & TCP_ACK)) {
		tcp_count(s, TCP_C_drop_no_ack);
		return;
	}
	if (y->timestamps && g->opt.has_timestamps && seq_lt(g->opt.tsval, y->ts_recent)) {
		tcp_count(s, TCP_C_drop_paws);
		return;
	}
	if (seq_lt(g->seq, rcv_nxt) || seq_gt(g->seq, rcv_nxt + wnd)) {
		tcp_count(s, TCP_C_drop_bad_seq);
		answer(s, y, now);
		return;
	}
	if (g->ack != y->iss + 1) {
		if (cookie_overtaken(s, y, g, now))
			return;
		tcp_count(s, TCP_C_drop_bad_ack);
		tcp_emit_rst_for(s, g, now);
		return;
	}
	if (!y->listener->open) {
		tcp_emit_rst_for(s, g, now);
		tcp_syn_free(s, y);
		return;
	}
	c = promote(s, y, g, now);
	if (c != NULL)
		tcp_conn_segment(s, c, g, now);
}

void tcp_syn_fire(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct tcp_stack *s = arg;
	struct tcp_syn *y = container_of(t, struct tcp_syn, timer);

	s->now = now;
	if (y->retries >= s->config.synack_retries || !y->listener->open) {
		tcp_count(s, TCP_C_syn_expired);
		tcp_syn_free(s, y);
		return;
	}
	y->retries++;
	tcp_count(s, TCP_C_syn_ack_retransmits);
	answer(s, y, now);
	arm(s, y, now);
}
