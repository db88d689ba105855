/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/output.h"

#include <errno.h>

#include "dataplane/tcp/pace.h"
#include "dataplane/tcp/recovery.h"
#include "dataplane/tcp/timers.h"
#include "dataplane/tcp/transmit.h"

/* Segments that one connection sends before the others get their turn. */
#define OUTPUT_BURST 64

/* RFC 6675: one more segment if the window has room for it; with nothing in flight always. */
static bool cwnd_allows(const struct tcp_conn *c, uint32_t len)
{
	uint32_t pipe = tcp_conn_pipe(c), cwnd = c->cc.cwnd;

	return pipe == 0 || pipe + len <= cwnd;
}

bool tcp_output_again(struct tcp_stack *s, struct tcp_conn *c, struct tcp_record *r, uint64_t now)
{
	/* The path MTU may have shrunk since. If the pool is empty it goes as it is, and waits. */
	if (r->len > c->mss && !tcp_record_split(s, c, r, c->mss))
		return false;
	if (tcp_transmit_again(s, c, r, now) < 0)
		return false;
	tcp_record_resent(c, r, now);
	tcp_recovery_sent_again(c, tcp_record_size(r), now);
	c->retransmits++;
	tcp_count(s, TCP_C_retransmits);
	return true;
}

/* What is lost goes first. False: no mbuf, stop. */
static bool send_lost(struct tcp_stack *s, struct tcp_conn *c, unsigned int *burst, uint64_t now)
{
	struct tcp_record *r = NULL;

	/* F-RTO step 2b: new data first, its ACK decides about the rest. */
	if (c->flags & TCP_F_FRTO_NEW)
		return true;
	while (c->lost_out > 0 && *burst > 0) {
		r = tcp_record_next_lost(c, r);
		if (r == NULL)
			break;
		if (!cwnd_allows(c, RTE_MIN(tcp_record_size(r), c->mss))) {
			c->flags |= TCP_F_CWND_LIMITED;
			break;
		}
		if (!tcp_pace_allows(s, c, now))
			break;
		if (!tcp_output_again(s, c, r, now)) {
			tcp_timer_retry(c);
			return false;
		}
		tcp_pace_sent(c, r->len, now);
		(*burst)--;
	}
	return true;
}

/* `count` new segments of `len` bytes, the last perhaps with the FIN. */
static bool send_some(struct tcp_stack *s, struct tcp_conn *c, uint32_t len, uint32_t count,
	bool fin, uint64_t now)
{
	struct tcp_transmit t = {
		.m = c->sendq_next,
		.off = c->sendq_next_off,
		.seq = c->snd_nxt,
		.len = len * count,
		.tso_mss = count > 1 ? c->mss : 0,
		.fin = fin,
		.new = true,
	};

	/* The records must be there before the segments are, or those could never be repaired. */
	if (s->records.count - s->records.used < count) {
		tcp_count(s, TCP_C_no_send_record);
		return false;
	}
	if (tcp_transmit(s, c, &t, now) < 0)
		return false;
	/* RFC 3042: new data that only the dup ACKs, or what was SACKed, have made room for. */
	if (c->ca_state == TCP_CA_OPEN && c->sacked_out > 0 && tcp_conn_flight(c) >= c->cc.cwnd)
		tcp_count(s, TCP_C_limited_transmit);
	while (count-- > 0) {
		struct tcp_record *r = tcp_record_new(s, c, len, fin, now);

		if (c->ca_state != TCP_CA_OPEN)
			c->prr_out += tcp_record_size(r);
	}
	if (fin) {
		c->flags |= TCP_F_FIN_SENT;
		tcp_conn_set_state(c, c->state == TCP_CLOSE_WAIT ? TCP_LAST_ACK : TCP_FIN_WAIT_1);
		tcp_timer_slow_arm(s, c, now);
	}
	return true;
}

/*
 * How much of the next segment may go, RFC 9293 3.8.6.2.1: a full one; all that there is; half of
 * the largest window ever seen; or what fits, when the override timer fired. 0: wait.
 */
static uint32_t sendable(const struct tcp_conn *c, uint32_t unsent)
{
	uint32_t len = RTE_MIN(unsent, c->mss - tcp_transmit_sack_room(c));
	int32_t room = (int32_t)(c->snd_una + c->snd_wnd - c->snd_nxt);

	if (room < 0)
		room = 0;
	if (len <= (uint32_t)room)
		return len;
	if ((uint32_t)room >= c->max_snd_wnd / 2 || (c->flags & TCP_F_SEND_SHORT))
		return (uint32_t)room;
	return 0;
}

static bool fin_due(const struct tcp_conn *c)
{
	return (c->flags & TCP_F_FIN_QUEUED) && !(c->flags & TCP_F_FIN_SENT);
}

/* RFC 7661 4.4, before the first segment after a pause. */
static void idle_check(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint64_t idle = now - c->last_tx_ns;
	uint32_t cwnd = c->cc.cwnd;

	if (c->rec_head != NULL || idle < tcp_timer_rto_ns(c))
		return;
	tcp_cc_on_idle(&c->cc, c->mss, idle / TCP_NS_PER_US);
	if (c->cc.cwnd < cwnd)
		tcp_count(s, TCP_C_idle_restarts);
}

/*
 * How many full segments may go as one, for the device to cut: as many as windows, burst and device
 * allow. 1: the ordinary way.
 */
static uint32_t tso_count(
	const struct tcp_stack *s, const struct tcp_conn *c, uint32_t unsent, unsigned int burst)
{
	uint32_t most = unsent / c->mss, room, pipe = tcp_conn_pipe(c);

	/* SACK blocks and CWR belong on one segment, not on each that is cut from it. */
	if (most < 2 || tcp_transmit_sack_room(c) != 0 || (c->flags & TCP_F_ECN_CWR))
		return 1;
	room = c->snd_una + c->snd_wnd - c->snd_nxt;
	most = RTE_MIN(most, room / c->mss);
	if (c->cc.cwnd < pipe)
		return 1;
	most = RTE_MIN(most, (c->cc.cwnd - pipe) / c->mss);
	most = RTE_MIN(most, (uint32_t)burst);
	if (most < 2)
		return 1;
	most = RTE_MIN(most, s->lower.tso_max(s->lower.arg, &c->node.key.remote) / c->mss);
	return RTE_MAX(most, 1u);
}

static void send_new(struct tcp_stack *s, struct tcp_conn *c, unsigned int *burst, uint64_t now)
{
	idle_check(s, c, now);
	while (*burst > 0) {
		uint32_t unsent = tcp_conn_unsent(c), len, count;
		bool fin = fin_due(c);

		if (unsent == 0 && !fin)
			return;
		len = sendable(c, unsent);
		if (unsent > 0 && len == 0)
			return; /* window: the persist timer is armed if nothing is in flight */
		fin = fin && len == unsent;
		if (!cwnd_allows(c, len + fin)) {
			c->flags |= TCP_F_CWND_LIMITED;
			return;
		}
		if (len < c->mss && len == unsent && !fin && (c->flags & TCP_F_MORE)) {
			/* The application is about to say more: one loop's grace, no timer. */
			if (!(c->flags & TCP_F_MORE_WAITED)) {
				c->flags |= TCP_F_MORE_WAITED;
				tcp_conn_want_output(c);
				return;
			}
			c->flags &= ~(uint32_t)(TCP_F_MORE | TCP_F_MORE_WAITED);
		}
		if (!tcp_pace_allows(s, c, now))
			return;
		count = len == c->mss ? tso_count(s, c, unsent, *burst) : 1;
		if (count > 1)
			fin = false; /* by itself, or with what remains */
		if (!send_some(s, c, len, count, fin, now)) {
			tcp_timer_retry(c);
			return;
		}
		c->flags &= ~(uint32_t)TCP_F_SEND_SHORT;
		tcp_pace_sent(c, len * count, now);
		*burst -= count;
	}
}

bool tcp_output_probe_new(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint32_t unsent = tcp_conn_unsent(c), len;

	if (unsent == 0 && !fin_due(c))
		return false;
	len = sendable(c, unsent);
	if (len == 0 && unsent > 0)
		return false;
	return send_some(s, c, len, 1, fin_due(c) && len == unsent, now);
}

void tcp_output_persist(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	tcp_count(s, TCP_C_persist_probes);
	if (c->rec_head != NULL) {
		if (tcp_transmit_again(s, c, c->rec_head, now) == 0)
			c->rec_head->flags |= TCP_R_RETRANS;
		return;
	}
	if (tcp_conn_unsent(c) > 0 && send_some(s, c, 1, 1, false, now))
		c->flags |= TCP_F_PROBE_OUT;
}

void tcp_output_conn(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	unsigned int burst = OUTPUT_BURST;

	if (c->state == TCP_SYN_RECEIVED && (c->flags & TCP_F_ACK_NOW)) {
		c->flags &= ~(uint32_t)TCP_F_ACK_NOW;
		tcp_output_syn(s, c, now);
	}
	if (!tcp_conn_synchronized(c))
		return;
	if (!(c->flags & TCP_F_PROBE_OUT) && send_lost(s, c, &burst, now))
		send_new(s, c, &burst, now);
	if (burst == 0)
		tcp_conn_want_output(c);
	if (c->flags & TCP_F_ACK_NOW)
		tcp_output_ack(s, c, now);
	tcp_timer_rtx_update(s, c, now);
}

void tcp_output(struct tcp_stack *s, uint64_t now)
{
	/* What asks for another turn gets it in the next loop. */
	uint32_t n = s->output.count;

	s->now = now;
	while (n-- > 0) {
		struct tcp_conn *c = tcp_list_first(s, &s->output);

		if (c == NULL)
			break;
		tcp_list_remove(s, &s->output, c, TCP_LINK_OUTPUT);
		c->flags &= ~(uint32_t)TCP_F_ON_OUTPUT;
		tcp_output_conn(s, c, now);
	}
}
