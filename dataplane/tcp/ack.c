/* SPDX-License-Identifier: BSD-3-Clause */
/* Acknowledgement and window of a segment, RFC 9293 3.10.7.4 fifth. */
#include "dataplane/tcp/output.h"
#include "dataplane/tcp/recovery.h"
#include "dataplane/tcp/segment.h"
#include "dataplane/tcp/sendq.h"
#include "dataplane/tcp/timers.h"

static void rtt_take(struct tcp_stack *s, struct tcp_conn *c, const struct tcp_ack_sample *a)
{
	uint32_t rtt_us = a->rtt_us, samples;

	/* RFC 7323 4.1: an echo on an ACK that moved snd_una is a sample even of what was sent
	 * again; coarser than ours, so only where there is no other. */
	if (rtt_us == 0 && a->acked > 0 && a->has_tsecr && a->tsecr != 0) {
		uint32_t ms = tcp_conn_ts(c, a->now) - a->tsecr;

		if (ms < 120000)
			rtt_us = RTE_MAX(ms, 1u) * 1000;
	}
	if (rtt_us == 0)
		return;
	samples = tcp_conn_flight(c) / (2u * c->mss);
	tcp_rtt_sample(&c->rtt, rtt_us, RTE_MAX(samples, 1u), s->config.min_rto_ms * 1000, a->now);
	c->backoff = 0; /* RFC 6298 5.7: a new measurement ends the back-off */
}

/* RFC 9293 3.10.7.4: SND.WL1/WL2 keep old segments from moving the window. */
static bool window_take(struct tcp_conn *c, const struct tcp_segment *g)
{
	uint32_t wnd = (uint32_t)g->wnd << c->snd_wscale;
	bool changed = wnd != c->snd_wnd;

	if (!seq_lt(c->snd_wl1, g->seq) && !(c->snd_wl1 == g->seq && seq_leq(c->snd_wl2, g->ack)))
		return false;
	c->snd_wnd = wnd;
	c->snd_wl1 = g->seq;
	c->snd_wl2 = g->ack;
	c->max_snd_wnd = RTE_MAX(c->max_snd_wnd, wnd);
	return changed;
}

/* The peer opened its window while our probe was out: what of it was thrown away goes again now. */
static void persist_end(struct tcp_conn *c)
{
	if (!(c->flags & TCP_F_PROBE_OUT) || c->snd_wnd == 0)
		return;
	c->flags &= ~(uint32_t)TCP_F_PROBE_OUT;
	c->backoff = 0;
	if (c->rec_head != NULL)
		tcp_record_mark_lost(c, c->rec_head);
}

static void state_after_fin_acked(struct tcp_conn *c, uint64_t now)
{
	switch ((enum tcp_state)c->state) {
	case TCP_FIN_WAIT_1:
		tcp_conn_set_state(c, TCP_FIN_WAIT_2);
		tcp_timer_slow_arm(c->stack, c, now);
		break;
	case TCP_CLOSING:
		tcp_conn_enter_time_wait(c, now);
		break;
	case TCP_LAST_ACK:
		tcp_conn_end(c, TCP_REASON_NONE, now);
		break;
	default:
		break;
	}
}

static void ecn_take(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_segment *g, uint64_t now)
{
	if (!(c->flags & TCP_F_ECN))
		return;
	if (g->flags & TCP_CWR)
		c->flags &= ~(uint32_t)TCP_F_ECN_ECHO;
	if (g->ecn == 3) {
		tcp_count(s, TCP_C_ecn_ce_in);
		c->flags |= TCP_F_ECN_ECHO | TCP_F_ACK_NOW;
		tcp_conn_want_output(c);
	}
	if (g->flags & TCP_ECE)
		tcp_recovery_ecn(s, c, now);
}

/* By the second, or nearly: node.aux[0] is the one of the last time, modulo 256. */
#define CONFIRM_SHIFT 30

static void confirm_neighbour(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint8_t second = (uint8_t)(now >> CONFIRM_SHIFT);

	if (c->node.aux[0] == second || s->lower.confirm == NULL)
		return;
	c->node.aux[0] = second;
	s->lower.confirm(s->lower.arg, &c->node.key.local, &c->node.key.remote, now);
}

bool tcp_ack_segment(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_segment *g, uint64_t now)
{
	struct tcp_ack_sample a = {
		.now = now,
		.prior_una = c->snd_una,
		.prior_pipe = tcp_conn_pipe(c),
		.tsecr = g->opt.tsecr,
		.has_tsecr = (c->flags & TCP_F_TIMESTAMPS) && g->opt.has_timestamps,
		.pure = g->len == 0 && !(g->flags & (TCP_FIN | TCP_SYN)),
	};

	/* RFC 5961 5: an ACK older than the largest window we were offered, or of what was never
	 * sent, is not the peer's. */
	if (seq_gt(g->ack, c->snd_nxt) || seq_lt(g->ack, c->snd_una - c->max_snd_wnd)) {
		tcp_count(s, TCP_C_drop_bad_ack);
		tcp_output_challenge_ack(s, c, now);
		return false;
	}
	if (seq_lt(g->ack, c->snd_una)) {
		/* Old, but its data may be new. It moves nothing. */
		return true;
	}
	a.window_changed = window_take(c, g);
	ecn_take(s, c, g, now);
	if (seq_gt(g->ack, c->snd_una)) {
		tcp_scoreboard_ack(s, c, g->ack, &a);
		c->bytes_acked += a.acked;
		confirm_neighbour(s, c, now);
		c->progress_ns = now;
		c->rto_base_ns =
			now; /* RFC 6298 5.3: only what acknowledges new data restarts it */
		if (c->flags & TCP_F_PROBE_OUT) {
			c->flags &= ~(uint32_t)TCP_F_PROBE_OUT;
			c->backoff = 0;
			if (c->rtx_mode == TCP_RTX_PERSIST)
				c->rtx_mode = TCP_RTX_NONE;
		}
	}
	if (c->flags & TCP_F_SACK)
		tcp_scoreboard_sack(s, c, g->opt.sack, g->opt.sack_count, &a);
	rtt_take(s, c, &a);
	persist_end(c);
	if (!(c->flags & TCP_F_PROBE_OUT) && (c->rec_head != NULL || a.acked > 0))
		tcp_recovery_ack(s, c, &a);
	if (a.window_changed && c->rtx_mode == TCP_RTX_PERSIST && c->snd_wnd > 0 &&
		!(c->flags & TCP_F_PROBE_OUT)) {
		c->rtx_mode = TCP_RTX_NONE; /* chosen anew by tcp_timer_rtx_update() */
		c->backoff = 0;
	}
	tcp_conn_want_output(c); /* what the ACK set free, and the timer */
	if (a.acked > 0) {
		if ((c->flags & TCP_F_FIN_SENT) && c->snd_una == c->snd_nxt)
			state_after_fin_acked(c, now);
		else
			tcp_sendq_check_writable(c);
	}
	return true;
}
