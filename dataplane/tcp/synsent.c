/* SPDX-License-Identifier: BSD-3-Clause */
/* Active opens: SYN-SENT and, by simultaneous open, SYN-RECEIVED. RFC 9293 3.10.7.3, 3.5. */
#include <errno.h>

#include "dataplane/tcp/emit.h"
#include "dataplane/tcp/isn.h"
#include "dataplane/tcp/output.h"
#include "dataplane/tcp/pmtu.h"
#include "dataplane/tcp/timers.h"

int tcp_connect(struct tcp_stack *s, const struct tcp_connect_params *params, uint64_t now,
	struct tcp_conn **out)
{
	struct tcp_key key = {
		.local = params->local,
		.remote = params->remote,
		.remote_port = params->remote_port,
	};
	struct tcp_node *reuse = NULL;
	struct tcp_conn *c;
	uint32_t iss;
	int ret;

	s->now = now;
	if (s->lower.mtu(s->lower.arg, &params->remote) == 0) {
		tcp_count(s, TCP_C_no_route);
		return -EHOSTUNREACH;
	}
	if (!tcp_admit(s, now))
		return -ENOBUFS;
	c = tcp_conn_alloc(s, &key, now);
	if (c == NULL) {
		tcp_count(s, TCP_C_refused_conn_pool);
		return -ENOBUFS;
	}
	ret = tcp_port_get(s->ports, s->table, &key.local, &key.remote, key.remote_port, now,
		&key.local_port, &reuse);
	if (ret < 0) {
		tcp_count(s, TCP_C_port_exhausted);
		tcp_conn_free(c, now);
		return ret;
	}
	iss = tcp_isn(s, &key, now);
	if (reuse != NULL) {
		struct tcp_time_wait *w = (struct tcp_time_wait *)reuse;

		if (seq_leq(iss, w->snd_nxt))
			iss = w->snd_nxt + 65536;
		tcp_count(s, TCP_C_time_wait_reused);
		tcp_time_wait_free(s, w, true, now);
	}
	c->node.key = key;
	ret = tcp_table_insert(s->table, &c->node, tcp_table_hash(s->table, &key));
	if (ret < 0) {
		tcp_port_put(s->ports, &key, now);
		tcp_conn_free(c, now);
		return -ENOBUFS;
	}
	c->flags |= TCP_F_ACTIVE | TCP_F_ACCEPTED | TCP_F_IN_TABLE;
	c->ops = params->ops;
	c->user = params->user;
	c->connect_timeout_ms = params->timeout_ms;
	c->ts_offset = tcp_ts_offset(s, &key);
	c->snd_una = iss;
	c->snd_nxt = c->snd_end = iss + 1;
	c->rto_base_ns = now;
	c->progress_ns = now;
	tcp_conn_set_state(c, TCP_SYN_SENT);
	tcp_count(s, TCP_C_active_opens);
	ret = tcp_output_syn(s, c, now);
	if (ret == -EHOSTUNREACH) {
		tcp_count(s, TCP_C_no_route);
		tcp_conn_free(c, now);
		return ret;
	}
	tcp_timer_rtx_update(s, c, now);
	tcp_timer_slow_arm(s, c, now);
	*out = c;
	return 0;
}

/* What the peer's SYN says. */
static void syn_take(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_segment *g, uint64_t now)
{
	const struct tcp_options *o = &g->opt;

	c->rcv_nxt = g->seq + 1;
	c->rcv_adv = c->rcv_nxt + RTE_MIN(c->rcv_buf, 65535u);
	c->last_ack_sent = c->rcv_nxt;
	if (o->mss != 0)
		c->peer_mss = o->mss;
	else
		c->peer_mss = ip_addr_is_v4(&c->node.key.remote) ? 536 : 1220;
	if (s->config.timestamps && o->has_timestamps) {
		c->flags |= TCP_F_TIMESTAMPS;
		c->ts_recent = o->tsval;
		c->ts_recent_s = tcp_seconds(now);
	}
	if (s->config.sack && o->sack_permitted)
		c->flags |= TCP_F_SACK;
	if (s->config.window_scale && o->has_wscale) {
		c->flags |= TCP_F_PEER_WSCALE;
		c->snd_wscale = o->wscale;
		c->rcv_wscale = s->own_wscale;
	}
	/* RFC 3168 6.1.1: an answer has ECE alone; a SYN that asks has both. */
	if (s->config.ecn && (g->flags & (TCP_ECE | TCP_CWR)) ==
				     (g->flags & TCP_ACK ? TCP_ECE : TCP_ECE | TCP_CWR)) {
		c->flags |= TCP_F_ECN;
		tcp_count(s, TCP_C_ecn_sessions);
	}
	c->snd_wnd = g->wnd; /* not scaled in a SYN */
	c->snd_wl1 = g->seq;
	c->snd_wl2 = g->ack;
	c->max_snd_wnd = g->wnd;
}

static void establish(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_segment *g, uint64_t now)
{
	bool syn_lost = c->backoff > 0;

	/* Karn: only if the SYN went out once. */
	if (!syn_lost)
		tcp_rtt_sample(&c->rtt, (uint32_t)((now - c->progress_ns) / TCP_NS_PER_US), 1,
			s->config.min_rto_ms * 1000, now);
	c->backoff = 0;
	c->snd_una = g->ack;
	c->connect_timeout_ms = 0;
	tcp_conn_set_state(c, TCP_ESTABLISHED);
	tcp_conn_start(c, syn_lost, now);
	tcp_conn_event(c, TCP_EV_CONNECTED);
	tcp_conn_want_output(c);
}

static void syn_sent(struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g, uint64_t now)
{
	if ((g->flags & TCP_ACK) && g->ack != c->snd_nxt) {
		tcp_count(s, TCP_C_drop_bad_ack);
		tcp_emit_rst_for(s, g, now);
		return;
	}
	if (g->flags & TCP_RST) {
		tcp_count(s, TCP_C_rst_in);
		if (g->flags & TCP_ACK)
			tcp_conn_end(c, TCP_REASON_REFUSED, now);
		else
			tcp_count(s, TCP_C_drop_rst_bad_seq);
		return;
	}
	if (!(g->flags & TCP_SYN)) {
		tcp_count(s, g->flags & TCP_ACK ? TCP_C_drop_bad_flags : TCP_C_drop_no_ack);
		return;
	}
	syn_take(s, c, g, now);
	if (g->flags & TCP_ACK) {
		establish(s, c, g, now);
		c->flags |= TCP_F_ACK_NOW;
		/* Data on a SYN-ACK is not acknowledged with it: it comes again. */
		return;
	}
	tcp_count(s, TCP_C_simultaneous_opens);
	tcp_conn_set_state(c, TCP_SYN_RECEIVED);
	c->rto_base_ns = now;
	tcp_output_syn(s, c, now);
	tcp_timer_rtx_update(s, c, now);
}

static void syn_received(
	struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g, uint64_t now)
{
	if (g->flags & TCP_RST) {
		tcp_count(s, TCP_C_rst_in);
		if (g->seq == c->rcv_nxt)
			tcp_conn_end(c, TCP_REASON_REFUSED, now);
		else
			tcp_count(s, TCP_C_drop_rst_bad_seq);
		return;
	}
	if (g->flags & TCP_SYN) {
		if (g->seq + 1 != c->rcv_nxt) {
			tcp_count(s, TCP_C_drop_syn_in_window);
			tcp_output_challenge_ack(s, c, now);
			return;
		}
		/* The peer's SYN-ACK to our SYN, RFC 9293 figure 8, or its SYN once more. */
		if ((g->flags & TCP_ACK) && g->ack == c->snd_nxt) {
			establish(s, c, g, now);
			c->flags |= TCP_F_ACK_NOW;
		} else {
			tcp_output_syn(s, c, now);
		}
		return;
	}
	if (!(g->flags & TCP_ACK)) {
		tcp_count(s, TCP_C_drop_no_ack);
		return;
	}
	if (seq_lt(g->seq, c->rcv_nxt) || seq_gt(g->seq, c->rcv_adv)) {
		tcp_count(s, TCP_C_drop_bad_seq);
		tcp_output_challenge_ack(s, c, now);
		return;
	}
	if (g->ack != c->snd_nxt) {
		tcp_count(s, TCP_C_drop_bad_ack);
		tcp_emit_rst_for(s, g, now);
		return;
	}
	c->snd_wnd = (uint32_t)g->wnd << c->snd_wscale;
	establish(s, c, g, now);
}

void tcp_syn_sent_segment(
	struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g, uint64_t now)
{
	if (c->state == TCP_SYN_SENT) {
		syn_sent(s, c, g, now);
		/* Whatever came with a SYN is done with. */
		g->len = 0;
	} else {
		syn_received(s, c, g, now);
		if (g->flags & TCP_SYN)
			g->len = 0;
	}
}
