/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/recovery.h"

#include "dataplane/tcp/rack.h"

/*
 * What an earlier reduction sent again beyond its own recovery point may be on its way still. Its
 * ACK echoes a clock from before this one's first retransmission without saying anything of it, so
 * then only DSACKs can undo (RFC 3522 3.2 compares with the retransmission of that very segment).
 */
static void undo_arm(struct tcp_conn *c)
{
	const struct tcp_record *r;

	c->undo_una = c->snd_una;
	c->undo_retrans = 0;
	c->undo_ts = 0;
	for (r = c->rec_head; r != NULL && c->undo_retrans < INT16_MAX; r = r->next) {
		if ((r->flags & (TCP_R_RETRANS | TCP_R_SACKED)) == TCP_R_RETRANS)
			c->undo_retrans++;
	}
}

static void undo_disarm(struct tcp_conn *c)
{
	c->undo_retrans = -1;
	c->undo_ts = 0;
}

void tcp_recovery_sent_again(struct tcp_conn *c, uint32_t len, uint64_t now)
{
	if (c->undo_retrans >= 0) {
		c->undo_retrans++;
		if (c->undo_retrans == 1) {
			c->undo_ts = tcp_conn_ts(c, now);
			if (c->undo_ts == 0)
				c->undo_ts = 1;
		}
	}
	c->prr_out += len;
}

static void reduction_begin(struct tcp_conn *c, uint8_t ca_state, bool ecn, uint64_t now)
{
	c->ca_state = ca_state;
	c->high_seq = c->snd_nxt;
	c->prr_flight = RTE_MAX(tcp_conn_flight(c), 1u);
	c->prr_delivered = 0;
	c->prr_out = 0;
	tcp_cc_on_congestion(&c->cc, tcp_conn_flight(c), c->mss, ecn);
}

/* RFC 6937 3.1, with the slow-start reduction bound. `delivered` by this ACK. */
static void prr_update(struct tcp_conn *c, uint32_t delivered, bool first)
{
	uint32_t pipe = tcp_conn_pipe(c), ssthresh = c->cc.ssthresh;
	int64_t count;

	c->prr_delivered += delivered;
	if (pipe > ssthresh) {
		count = (int64_t)(((uint64_t)c->prr_delivered * ssthresh + c->prr_flight - 1) /
				  c->prr_flight) -
			c->prr_out;
	} else {
		int64_t limit =
			RTE_MAX((int64_t)c->prr_delivered - c->prr_out, (int64_t)delivered) +
			c->mss;

		count = RTE_MIN((int64_t)ssthresh - pipe, limit);
	}
	/* The first retransmission always goes out. */
	if (count < (first ? c->mss : 0))
		count = first ? c->mss : 0;
	c->cc.cwnd = pipe + (uint32_t)count;
}

static void recovery_enter(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	tcp_count(s, c->flags & TCP_F_SACK ? TCP_C_sack_recoveries : TCP_C_fast_recoveries);
	undo_arm(c);
	reduction_begin(c, TCP_CA_RECOVERY, false, now);
}

static void recovery_leave(struct tcp_conn *c)
{
	/* RFC 6937: at the end of recovery cwnd is ssthresh. */
	if (c->ca_state == TCP_CA_RECOVERY || c->ca_state == TCP_CA_CWR)
		c->cc.cwnd = RTE_MAX(c->cc.ssthresh, (uint32_t)c->mss);
	c->ca_state = TCP_CA_OPEN;
	c->dup_acks = 0;
	c->flags &= ~(uint32_t)(TCP_F_FRTO | TCP_F_FRTO_NEW);
	if (!(c->flags & TCP_F_SACK))
		c->sacked_out = 0;
	if (c->rack_reo_persist > 0 && --c->rack_reo_persist == 0)
		c->rack_reo_mult = 1;
}

static void undo(struct tcp_stack *s, struct tcp_conn *c, enum tcp_counter why)
{
	tcp_count(s, why);
	tcp_scoreboard_unmark(c);
	tcp_cc_undo(&c->cc);
	c->ca_state = TCP_CA_OPEN;
	c->dup_acks = 0;
	c->backoff = 0;
	c->flags &= ~(uint32_t)(TCP_F_FRTO | TCP_F_FRTO_NEW);
	if (!(c->flags & TCP_F_SACK))
		c->sacked_out = 0;
	undo_disarm(c);
}

/* Whether what began the reduction has turned out not to have been a loss. */
static bool undo_check(struct tcp_stack *s, struct tcp_conn *c, const struct tcp_ack_sample *a)
{
	if (c->undo_retrans < 0)
		return false;
	/* Eifel, RFC 3522 3.2: the first ACK that covers what was sent again echoes a clock from
	 * before that was done, so it is the original's. */
	if (a->acked > 0 && a->has_tsecr && c->undo_ts != 0 && a->retrans_acked) {
		if (seq_lt(a->tsecr, c->undo_ts)) {
			if (c->ca_state == TCP_CA_RECOVERY)
				tcp_rack_reordering(s, c);
			undo(s, c, TCP_C_undo_timestamps);
			return true;
		}
		c->undo_ts = 0; /* only the first such ACK tells, RFC 3522 3.2 step 5 */
	}
	/* RFC 3708: what was sent again was reported as received twice: it was late, not lost. */
	if (a->dsack && seq_gt(a->dsack_end, c->undo_una) && c->undo_retrans > 0) {
		tcp_rack_reordering(s, c);
		if (--c->undo_retrans == 0) {
			undo(s, c, TCP_C_undo_dsack);
			return true;
		}
	}
	return false;
}

/* F-RTO, RFC 5682 3.1 (the SACK-enhanced version, which without SACK is the basic one of 2.1).
 * True: undone. */
static bool frto_check(struct tcp_stack *s, struct tcp_conn *c, const struct tcp_ack_sample *a)
{
	if (!(c->flags & TCP_F_FRTO))
		return false;
	if (c->flags & TCP_F_FRTO_NEW) {
		/* Step 3b: what was never sent again has arrived, the time-out was spurious. */
		if (a->orig_acked && (a->acked > 0 || a->sacked > 0)) {
			undo(s, c, TCP_C_undo_frto);
			return true;
		}
		if (a->acked == 0 && a->pure)
			c->flags &= ~(uint32_t)(TCP_F_FRTO | TCP_F_FRTO_NEW); /* 3a: a real loss */
		return false;
	}
	/* With SACK we would know by now of everything that arrived before: what was sent once and
	 * is news came from the flight that we took for lost. One ACK may cover it all. */
	if (a->orig_acked && (c->flags & TCP_F_SACK)) {
		undo(s, c, TCP_C_undo_frto);
		return true;
	}
	if (a->acked == 0 || seq_geq(c->snd_una, c->high_seq)) {
		if (a->acked > 0 || a->pure)
			c->flags &= ~(uint32_t)TCP_F_FRTO; /* step 2a */
		return false;
	}
	/* Step 2b: two new segments, nothing sent again yet; cwnd allows them. */
	if (tcp_conn_unsent(c) == 0 || tcp_conn_flight(c) >= c->snd_wnd) {
		c->flags &= ~(uint32_t)TCP_F_FRTO;
		return false;
	}
	c->flags |= TCP_F_FRTO_NEW;
	c->high_seq = c->snd_nxt;
	return false;
}

/* NewReno, RFC 6582: dup ACKs stand for segments that arrived. */
static void reno_ack(struct tcp_conn *c, const struct tcp_ack_sample *a)
{
	uint32_t most;

	if (a->acked > 0) {
		/* The hole at the head was one of those; the rest had been counted by dup ACKs. */
		uint32_t arrived = a->acked > c->mss ? a->acked - c->mss : 0;

		c->sacked_out -= RTE_MIN(c->sacked_out, arrived);
		c->dup_acks = 0;
		if (c->ca_state == TCP_CA_OPEN)
			c->sacked_out = 0;
	} else if (a->pure && !a->window_changed && c->rec_head != NULL) {
		if (c->dup_acks < UINT8_MAX)
			c->dup_acks++;
		c->sacked_out += c->mss;
	}
	most = tcp_conn_flight(c) - c->lost_out;
	if (c->rec_head != NULL && !(c->rec_head->flags & TCP_R_LOST))
		most -= tcp_record_size(c->rec_head);
	if (c->sacked_out > most)
		c->sacked_out = most;
}

static uint32_t reno_detect(struct tcp_conn *c, const struct tcp_ack_sample *a)
{
	struct tcp_record *r = c->rec_head;

	if (r == NULL || (r->flags & TCP_R_LOST))
		return 0;
	/* The third dup ACK, or in recovery a partial ACK: the head is missing, RFC 6582 3.2. */
	if ((c->ca_state < TCP_CA_RECOVERY && c->dup_acks >= TCP_DUP_THRESH) ||
		(c->ca_state == TCP_CA_RECOVERY && a->acked > 0 &&
			seq_lt(c->snd_una, c->high_seq))) {
		tcp_record_mark_lost(c, r);
		if (c->sacked_out + c->lost_out > tcp_conn_flight(c))
			c->sacked_out = tcp_conn_flight(c) - c->lost_out;
		return tcp_record_size(r);
	}
	return 0;
}

static void grow(struct tcp_conn *c, const struct tcp_ack_sample *a)
{
	struct tcp_cc_ack ack = {
		.now = a->now,
		.acked = a->delivered,
		.in_flight = a->prior_pipe,
		.rtt_us = a->rtt_us,
		.min_rtt_us = c->rtt.min_rtt_us,
		.srtt_us = c->rtt.srtt_us,
		.snd_una = c->snd_una,
		.snd_nxt = c->snd_nxt,
		.mss = c->mss,
		.cwnd_limited = c->flags & TCP_F_CWND_LIMITED,
	};

	tcp_cc_on_ack(&c->cc, &ack);
	c->flags &= ~(uint32_t)TCP_F_CWND_LIMITED;
}

void tcp_recovery_ack(struct tcp_stack *s, struct tcp_conn *c, struct tcp_ack_sample *a)
{
	bool sack = c->flags & TCP_F_SACK, undone, first = false;
	uint32_t lost;

	if (!sack)
		reno_ack(c, a);
	undone = undo_check(s, c, a) || (c->ca_state == TCP_CA_LOSS && frto_check(s, c, a));
	if (c->ca_state != TCP_CA_OPEN && a->acked > 0 && seq_geq(c->snd_una, c->high_seq))
		recovery_leave(c);
	if (tcp_tlp_ack(c, c->snd_una, a) && c->ca_state == TCP_CA_OPEN) {
		/* RFC 8985 7.4.2: the probe filled a hole that nobody else has seen. */
		tcp_count(s, TCP_C_tlp_repaired);
		reduction_begin(c, TCP_CA_CWR, false, a->now);
		undo_disarm(c);
	}
	if (sack) {
		tcp_rack_update_window(c, a);
		lost = tcp_rack_detect(s, c, a->now);
	} else {
		lost = reno_detect(c, a);
	}
	if (lost > 0 && c->ca_state < TCP_CA_RECOVERY && !undone) {
		recovery_enter(s, c, a->now);
		first = true;
	}
	if (c->ca_state == TCP_CA_RECOVERY || c->ca_state == TCP_CA_CWR)
		prr_update(c, sack ? a->delivered : RTE_MAX(a->delivered, a->pure ? c->mss : 0u),
			first);
	else if (a->delivered > 0 && !undone)
		grow(c, a);
}

void tcp_recovery_ecn(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	if (c->ca_state != TCP_CA_OPEN || c->rec_head == NULL)
		return;
	tcp_count(s, TCP_C_ecn_reductions);
	undo_disarm(c);
	reduction_begin(c, TCP_CA_CWR, true, now);
	c->flags |= TCP_F_ECN_CWR;
}

void tcp_recovery_reorder_timer(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	tcp_count(s, TCP_C_rack_timer);
	if (tcp_rack_detect(s, c, now) > 0 && c->ca_state < TCP_CA_RECOVERY) {
		recovery_enter(s, c, now);
		prr_update(c, 0, true);
	} else if (c->ca_state == TCP_CA_RECOVERY) {
		prr_update(c, 0, true);
	}
}

void tcp_recovery_rto(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	bool again = c->ca_state == TCP_CA_LOSS && c->backoff > 0;
	bool reneged = c->rec_head->flags & TCP_R_SACKED;

	tcp_count(s, TCP_C_rto_fired);
	if (!again) {
		/* RFC 5682 3.1 step 1: not when recovery was already under way. */
		c->flags &= ~(uint32_t)TCP_F_FRTO_NEW;
		if (c->ca_state < TCP_CA_RECOVERY)
			c->flags |= TCP_F_FRTO;
		undo_arm(c);
	} else {
		c->flags &= ~(uint32_t)(TCP_F_FRTO | TCP_F_FRTO_NEW);
	}
	tcp_cc_on_rto(&c->cc, tcp_conn_flight(c), c->mss, !again && c->ca_state != TCP_CA_LOSS);
	c->ca_state = TCP_CA_LOSS;
	c->high_seq = c->snd_nxt;
	c->dup_acks = 0;
	c->flags &= ~(uint32_t)(TCP_F_TLP_OPEN | TCP_F_TLP_RETRANS);
	if (!(c->flags & TCP_F_SACK))
		c->sacked_out = 0;
	if (reneged) {
		tcp_count(s, TCP_C_sack_reneged);
		tcp_scoreboard_forget_sacks(c);
	}
	tcp_rack_mark_on_rto(s, c, again || reneged || !(c->flags & TCP_F_SACK), now);
	/* One segment may go, beside what is not taken for lost: RFC 5681 3.1, RFC 8985 6.3. */
	c->cc.cwnd = tcp_conn_pipe(c) + c->mss;
	c->reorder_ns = 0;
	if (c->backoff < 16)
		c->backoff++;
}
