/* SPDX-License-Identifier: BSD-3-Clause */
/* The segments of a connection, each kind one function. */
#include <errno.h>

#include "dataplane/tcp/emit.h"
#include "dataplane/tcp/output.h"
#include "dataplane/tcp/recovery.h"
#include "dataplane/tcp/recv.h"
#include "dataplane/tcp/timers.h"
#include "dataplane/tcp/transmit.h"

/* RFC 5961 7: ACK throttling; per connection, so that nobody can read it from another one
 * (CVE-2016-5696). */
#define CHALLENGE_PER_SECOND 10

/* Options of a segment after the handshake. `room`: bytes they may take. */
static void options_fill(const struct tcp_conn *c, struct tcp_options *o, size_t room, uint64_t now)
{
	unsigned int most;

	memset(o, 0, offsetof(struct tcp_options, sack));
	if (c->flags & TCP_F_TIMESTAMPS) {
		o->has_timestamps = true;
		o->tsval = tcp_conn_ts(c, now);
		o->tsecr = c->ts_recent;
		room = room > TCP_OPT_TIMESTAMPS_ROOM ? room - TCP_OPT_TIMESTAMPS_ROOM : 0;
	}
	if (!(c->flags & TCP_F_SACK) || (c->ooo == NULL && !(c->flags & TCP_F_DSACK_PENDING)))
		return;
	most = room >= 12 ? (unsigned int)((room - 4) / 8) : 0;
	o->sack_count = (uint8_t)tcp_recv_sack_blocks(
		c, o->sack, RTE_MIN(most, (unsigned int)TCP_SACK_MAX));
}

uint32_t tcp_transmit_sack_room(const struct tcp_conn *c)
{
	unsigned int n = c->ooo_runs;

	if (!(c->flags & TCP_F_SACK))
		return 0;
	if (c->flags & TCP_F_DSACK_PENDING)
		n++;
	if (n == 0)
		return 0;
	return 4 + 8 * RTE_MIN(n, c->flags & TCP_F_TIMESTAMPS ? 3u : 4u);
}

/* What every segment does that carries our current ACK and window. */
static void ack_sent(struct tcp_conn *c)
{
	if (c->flags & TCP_F_DSACK_PENDING)
		tcp_count(c->stack, TCP_C_dsack_out);
	c->flags &= ~(uint32_t)(TCP_F_ACK_NOW | TCP_F_ACK_DELAY | TCP_F_DSACK_PENDING);
	c->last_ack_sent = c->rcv_nxt;
	c->unacked_in = 0;
}

static uint8_t base_flags(const struct tcp_conn *c)
{
	return TCP_ACK | (c->flags & TCP_F_ECN_ECHO ? TCP_ECE : 0);
}

void tcp_output_ack(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	struct tcp_options o;
	struct tcp_emit e = {
		.key = &c->node.key,
		.seq = c->snd_nxt,
		.ack = c->rcv_nxt,
		.flags = base_flags(c),
		.wnd = tcp_recv_window(c),
		.opt = &o,
	};

	options_fill(c, &o, TCP_OPTIONS_MAX, now);
	tcp_count(s, TCP_C_pure_acks_out);
	if (e.wnd == 0)
		tcp_count(s, TCP_C_zero_window_out);
	if (tcp_emit(s, &e, now) == -ENOBUFS) {
		/* An ACK that a pool could not give is owed still. */
		c->flags |= TCP_F_ACK_NOW;
		tcp_timer_retry(c);
		return;
	}
	ack_sent(c);
}

void tcp_output_dup_ack(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	tcp_count(s, TCP_C_dup_acks_out);
	tcp_output_ack(s, c, now);
}

void tcp_output_challenge_ack(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint32_t ms = (uint32_t)(now / TCP_NS_PER_MS);

	if (ms - c->challenge_ms >= 1000) {
		c->challenge_ms = ms;
		c->challenge_count = 0;
	}
	if (c->challenge_count >= CHALLENGE_PER_SECOND) {
		tcp_count(s, TCP_C_challenge_acks_limited);
		return;
	}
	c->challenge_count++;
	tcp_count(s, TCP_C_challenge_acks);
	tcp_output_ack(s, c, now);
}

void tcp_output_keepalive(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	struct tcp_options o;
	struct tcp_emit e = {
		.key = &c->node.key,
		.seq = c->snd_una - 1, /* outside the window: RFC 9293 3.10.7.4 makes it answered */
		.ack = c->rcv_nxt,
		.flags = base_flags(c),
		.wnd = tcp_recv_window(c),
		.opt = &o,
	};

	options_fill(c, &o, TCP_OPTIONS_MAX, now);
	tcp_count(s, TCP_C_keepalive_probes);
	tcp_emit(s, &e, now);
}

int tcp_output_syn(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	const struct tcp_config *cfg = &s->config;
	bool answer = c->state == TCP_SYN_RECEIVED;
	struct tcp_options o;
	struct tcp_emit e = {
		.key = &c->node.key,
		.seq = c->snd_una,
		.ack = c->rcv_nxt,
		.flags = TCP_SYN | (answer ? TCP_ACK : 0),
		.opt = &o,
	};

	memset(&o, 0, offsetof(struct tcp_options, sack));
	o.mss = tcp_mss_own(s, &c->node.key.remote);
	o.has_timestamps = answer ? (c->flags & TCP_F_TIMESTAMPS) != 0 : cfg->timestamps;
	o.sack_permitted = answer ? (c->flags & TCP_F_SACK) != 0 : cfg->sack;
	o.has_wscale = answer ? (c->flags & TCP_F_PEER_WSCALE) != 0 : cfg->window_scale;
	o.wscale = s->own_wscale;
	o.tsval = tcp_conn_ts(c, now);
	o.tsecr = answer ? c->ts_recent : 0;
	/* RFC 3168 6.1.1; not on retransmissions: something may drop SYNs that ask for it
	 * (6.1.1.1). */
	if (answer ? (c->flags & TCP_F_ECN) != 0 : cfg->ecn && c->backoff == 0)
		e.flags |= answer ? TCP_ECE : TCP_ECE | TCP_CWR;
	/* The window of a SYN is not scaled, RFC 7323 2.2. */
	e.wnd = (uint16_t)RTE_MIN(c->rcv_buf, 65535u);
	if (answer)
		c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt + e.wnd);
	return tcp_emit(s, &e, now);
}

void tcp_output_rst(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	struct tcp_emit e = {
		.key = &c->node.key,
		.seq = c->snd_nxt,
		.ack = c->rcv_nxt,
		.flags = TCP_RST | TCP_ACK,
	};

	if (c->state == TCP_SYN_SENT)
		return; /* the peer has nothing that could be reset */
	/* In front of a window that the peer has closed a RST must still be acceptable. */
	if (tcp_conn_flight(c) > c->snd_wnd && (c->state >= TCP_ESTABLISHED))
		e.seq = c->snd_una + c->snd_wnd;
	tcp_emit(s, &e, now);
}

int tcp_transmit(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_transmit *t, uint64_t now)
{
	uint32_t full = c->mss + (c->flags & TCP_F_TIMESTAMPS ? TCP_OPT_TIMESTAMPS_ROOM : 0u);
	struct tcp_options o;
	struct tcp_emit e = {
		.key = &c->node.key,
		.seq = t->seq,
		.ack = c->rcv_nxt,
		.flags = base_flags(c),
		.wnd = tcp_recv_window(c),
		.tso_mss = t->tso_mss,
		.opt = &o,
		.m = t->m,
		.off = t->off,
		.len = t->len,
	};
	uint32_t room = TCP_OPTIONS_MAX;
	int ret;

	/* SACK blocks only as far as the segment stays within the MTU. */
	if (t->tso_mss != 0)
		room = full - c->mss;
	else if (full < t->len + room)
		room = full - t->len;
	options_fill(c, &o, room, now);
	if (t->fin)
		e.flags |= TCP_FIN;
	if (t->len > 0 && t->seq + t->len == c->snd_end)
		e.flags |= TCP_PSH; /* RFC 9293 3.9.1.2: the last of what was queued */
	if (t->new && t->len > 0 && (c->flags & TCP_F_ECN)) {
		e.tos = 2; /* ECT(0); never on retransmissions, RFC 3168 6.1.5 */
		if (c->flags & TCP_F_ECN_CWR) {
			e.flags |= TCP_CWR;
			c->flags &= ~(uint32_t)TCP_F_ECN_CWR;
		}
	}
	ret = tcp_emit(s, &e, now);
	if (ret == -ENOBUFS)
		return ret;
	ack_sent(c);
	c->last_tx_ns = now;
	c->bytes_sent += t->len;
	return 0;
}

int tcp_transmit_again(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_record *r, uint64_t now)
{
	struct tcp_transmit t = {
		.m = r->m,
		.off = r->off,
		.seq = r->seq,
		.len = r->len,
		.fin = r->flags & TCP_R_FIN,
	};

	return tcp_transmit(s, c, &t, now);
}
