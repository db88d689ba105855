/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/rack.h"

#include "dataplane/tcp/output.h"

/* RFC 8985 7.2: what a peer may wait before it acknowledges a lone segment. */
#define TLP_MAX_ACK_DELAY_US 200000ull
/* RFC 8985 6.2 step 4: recoveries for which a widened window is kept. */
#define REO_PERSIST 16

/* RFC 8985 6.1: RACK_sent_after(). */
static bool sent_after(uint64_t t1, uint32_t end1, uint64_t t2, uint32_t end2)
{
	return t1 > t2 || (t1 == t2 && seq_gt(end1, end2));
}

void tcp_rack_reordering(struct tcp_stack *s, struct tcp_conn *c)
{
	if (!(c->flags & TCP_F_REORDERING))
		tcp_count(s, TCP_C_rack_reordering);
	c->flags |= TCP_F_REORDERING;
}

void tcp_rack_delivered(struct tcp_stack *s, struct tcp_conn *c, const struct tcp_record *r,
	struct tcp_ack_sample *a)
{
	uint32_t end = tcp_record_end(r);
	uint32_t rtt_us = (uint32_t)((a->now - r->sent_ns) / TCP_NS_PER_US);

	if (r->flags & TCP_R_RETRANS) {
		/* Which transmission was acknowledged? Step 2: not the last one if the echo is
		 * older, or if it took less than a round trip can. */
		if (a->has_tsecr && seq_lt(a->tsecr, tcp_conn_ts(c, r->sent_ns)))
			return;
		if (rtt_us < c->rtt.min_rtt_us)
			return;
	} else {
		a->rtt_us = RTE_MAX(rtt_us, 1u);
	}
	c->rack_rtt_us = rtt_us;
	if (c->rack_sent_ns == 0 || sent_after(r->sent_ns, end, c->rack_sent_ns, c->rack_end_seq)) {
		c->rack_sent_ns = r->sent_ns;
		c->rack_end_seq = end;
	}
	/* Step 3. */
	if (c->rack_fack == 0 || seq_gt(end, c->rack_fack)) {
		c->rack_fack = end;
	} else if (seq_lt(end, c->rack_fack) && !(r->flags & TCP_R_RETRANS)) {
		tcp_rack_reordering(s, c);
	}
}

void tcp_rack_update_window(struct tcp_conn *c, const struct tcp_ack_sample *a)
{
	if (c->rack_reo_mult == 0)
		c->rack_reo_mult = 1;
	/* A DSACK in a round means that the window was too small, once a round. */
	if (c->rack_dsack_round != 0 && seq_geq(c->snd_una, c->rack_dsack_round))
		c->rack_dsack_round = 0;
	if (a->dsack && c->rack_dsack_round == 0) {
		c->rack_dsack_round = c->snd_nxt != 0 ? c->snd_nxt : 1;
		if (c->rack_reo_mult < UINT8_MAX)
			c->rack_reo_mult++;
		c->rack_reo_persist = REO_PERSIST;
	}
}

static uint32_t reorder_window_us(const struct tcp_conn *c)
{
	uint32_t wnd;

	if (!(c->flags & TCP_F_REORDERING) &&
		(c->ca_state >= TCP_CA_RECOVERY ||
			c->sacked_out >= TCP_DUP_THRESH * (uint32_t)c->mss))
		return 0;
	wnd = (c->rack_reo_mult != 0 ? c->rack_reo_mult : 1u) * (c->rtt.min_rtt_us / 4);
	return RTE_MIN(wnd, c->rtt.srtt_us);
}

uint32_t tcp_rack_detect(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint64_t wait = ((uint64_t)c->rack_rtt_us + reorder_window_us(c)) * TCP_NS_PER_US;
	struct tcp_record *r = TAILQ_FIRST(&c->sent), *next;
	uint32_t lost = 0;

	c->reorder_ns = 0;
	if (c->rack_sent_ns == 0)
		return 0;
	for (; r != NULL; r = next) {
		next = TAILQ_NEXT(r, sent_link);
		/* The list is by time: all that follow were sent later. */
		if (!sent_after(c->rack_sent_ns, c->rack_end_seq, r->sent_ns, tcp_record_end(r)))
			break;
		if (now >= r->sent_ns + wait) {
			lost += tcp_record_size(r);
			tcp_record_mark_lost(c, r);
			tcp_count(s, TCP_C_rack_lost);
		} else {
			/* The last one that can be judged decides, so that one timer does. */
			c->reorder_ns = r->sent_ns + wait;
		}
	}
	return lost;
}

void tcp_rack_mark_on_rto(struct tcp_stack *s, struct tcp_conn *c, bool all, uint64_t now)
{
	uint64_t wait = ((uint64_t)c->rack_rtt_us + reorder_window_us(c)) * TCP_NS_PER_US;

	for (struct tcp_record *r = c->rec_head; r != NULL; r = r->next) {
		if (all || r == c->rec_head || now >= r->sent_ns + wait)
			tcp_record_mark_lost(c, r);
	}
}

uint64_t tcp_tlp_deadline(const struct tcp_conn *c, uint64_t now)
{
	uint64_t pto_us, last;

	/* 7.2: only with SACK, out of recovery, with nothing SACKed, one at a time. */
	if (!(c->flags & TCP_F_SACK) || c->ca_state != TCP_CA_OPEN || c->sacked_out != 0 ||
		c->lost_out != 0 || (c->flags & TCP_F_TLP_OPEN) || c->rec_head == NULL ||
		c->rtt.srtt_us == 0 || c->backoff != 0)
		return 0;
	pto_us = 2ull * c->rtt.srtt_us;
	if (c->rec_head == c->rec_tail)
		pto_us += TLP_MAX_ACK_DELAY_US;
	last = RTE_MAX(c->last_tx_ns, c->rto_base_ns);
	return last + RTE_MAX(pto_us, 1000ull) * TCP_NS_PER_US;
}

void tcp_tlp_probe(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	if (c->rec_tail == NULL)
		return;
	tcp_count(s, TCP_C_tlp_probes);
	c->flags |= TCP_F_TLP_OPEN;
	c->flags &= ~(uint32_t)TCP_F_TLP_RETRANS;
	/* New data first: it tells as much and is not wasted. The congestion window does not bound
	 * it. */
	if (!tcp_output_probe_new(s, c, now)) {
		c->flags |= TCP_F_TLP_RETRANS;
		tcp_output_again(s, c, c->rec_tail, now);
	}
	c->tlp_end_seq = c->snd_nxt;
}

bool tcp_tlp_ack(struct tcp_conn *c, uint32_t ack, const struct tcp_ack_sample *a)
{
	bool repaired = false;

	if (!(c->flags & TCP_F_TLP_OPEN) || seq_lt(ack, c->tlp_end_seq))
		return false;
	if (c->flags & TCP_F_TLP_RETRANS) {
		if (a->dsack && a->dsack_end == c->tlp_end_seq) {
			/* both arrived: nothing was lost */
		} else if (seq_gt(ack, c->tlp_end_seq)) {
			repaired = true;
		} else if (!(a->acked == 0 && a->pure && a->sacked == 0)) {
			/* RFC 8985 7.4.2: ACK == end without a DSACK: wait for the duplicate ACK.
			 */
			return false;
		}
	}
	c->flags &= ~(uint32_t)(TCP_F_TLP_OPEN | TCP_F_TLP_RETRANS);
	return repaired;
}
