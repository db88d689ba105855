/* SPDX-License-Identifier: BSD-3-Clause */
/* A segment of a synchronized connection, RFC 9293 3.10.7.4 with 5961, 7323, 1337. */
#include "dataplane/tcp/output.h"
#include "dataplane/tcp/recv.h"
#include "dataplane/tcp/segment.h"
#include "dataplane/tcp/timers.h"

/* ACKs sent at once at the start and after a loss, so that the peer's slow start gets its clock. */
#define QUICK_ACKS 16
/* RFC 7323 5.5: after 24 days a timestamp says nothing any more. */
#define PAWS_IDLE_S (24u * 86400)

/* RFC 7323 5.3 R1, R2. False: an old duplicate. */
static bool paws_check(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_segment *g, uint64_t now)
{
	if (!(c->flags & TCP_F_TIMESTAMPS))
		return true;
	if (!g->opt.has_timestamps) {
		/* RFC 7323 3.2 says drop. Middleboxes that strip the option in the middle of a
		 * connection exist and an attacker gains nothing that the window would not give
		 * him. */
		if (!(g->flags & TCP_RST))
			tcp_count(s, TCP_C_paws_no_timestamp);
		return true;
	}
	if (!seq_lt(g->opt.tsval, c->ts_recent) || (g->flags & TCP_RST) ||
		tcp_seconds(now) - c->ts_recent_s > PAWS_IDLE_S)
		return true;
	return false;
}

static void ts_recent_take(struct tcp_conn *c, const struct tcp_segment *g, uint64_t now)
{
	/* RFC 7323 4.3 (2): of the segment that covers what our last ACK asked for. */
	if (!(c->flags & TCP_F_TIMESTAMPS) || !g->opt.has_timestamps)
		return;
	if (seq_geq(g->opt.tsval, c->ts_recent) && seq_leq(g->seq, c->last_ack_sent)) {
		c->ts_recent = g->opt.tsval;
		c->ts_recent_s = tcp_seconds(now);
	}
}

/* RFC 9293 3.10.7.4 first, table 6. */
static bool acceptable(const struct tcp_conn *c, const struct tcp_segment *g)
{
	uint32_t wnd = tcp_conn_rcv_wnd(c), end = tcp_segment_end(g), right = c->rcv_nxt + wnd;

	if (end == g->seq)
		return wnd == 0 ? g->seq == c->rcv_nxt
				: seq_geq(g->seq, c->rcv_nxt) && seq_leq(g->seq, right);
	if (wnd == 0)
		return false;
	return seq_lt(g->seq, right) && seq_gt(end, c->rcv_nxt);
}

/* RFC 5961 3: a RST counts only if it hits rcv_nxt exactly; elsewhere in the window it is asked
 * for. */
static void rst_take(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_segment *g, uint64_t now)
{
	uint32_t wnd = RTE_MAX(tcp_conn_rcv_wnd(c), 1u);

	tcp_count(s, TCP_C_rst_in);
	if (g->seq == c->rcv_nxt) {
		/* After both FINs there is nothing left that it could destroy, RFC 9293 3.10.7.4.
		 */
		bool over = c->state == TCP_LAST_ACK || c->state == TCP_CLOSING;

		tcp_conn_end(c,
			over && (c->flags & TCP_F_ORPHAN) ? TCP_REASON_NONE : TCP_REASON_RESET,
			now);
		return;
	}
	tcp_count(s, TCP_C_drop_rst_bad_seq);
	if (seq_geq(g->seq, c->rcv_nxt) && seq_lt(g->seq, c->rcv_nxt + wnd))
		tcp_output_challenge_ack(s, c, now);
}

static void dsack_note(struct tcp_conn *c, uint32_t start, uint32_t end)
{
	if (!(c->flags & TCP_F_SACK) || start == end)
		return;
	c->dsack_start = start;
	c->dsack_end = end;
	c->flags |= TCP_F_DSACK_PENDING;
}

/* Answers what lies outside of the window, so that a peer who is behind comes up to date. */
static void unacceptable(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_segment *g, uint64_t now)
{
	if (g->flags & TCP_RST) {
		tcp_count(s, TCP_C_rst_in);
		tcp_count(s, TCP_C_drop_rst_bad_seq);
		return;
	}
	if (seq_leq(tcp_segment_end(g), c->rcv_nxt)) {
		tcp_count(s, TCP_C_drop_old_duplicate);
		if (g->len > 0)
			dsack_note(c, g->seq, g->seq + g->len);
	} else {
		tcp_count(s, TCP_C_drop_beyond_window);
	}
	/* Data or FIN that came again needs its ACK (ours was lost); everything else could be a
	 * forger's and is answered a few times a second. */
	if ((g->len > 0 || (g->flags & TCP_FIN)) &&
		seq_gt(tcp_segment_end(g) + c->rcv_buf, c->rcv_nxt))
		tcp_output_dup_ack(s, c, now);
	else
		tcp_output_challenge_ack(s, c, now);
}

/* Cuts off what we have and what we did not ask for. */
static void trim_to_window(struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g)
{
	if (seq_lt(g->seq, c->rcv_nxt)) {
		uint32_t have = c->rcv_nxt - g->seq;

		if (g->flags & TCP_SYN) {
			g->flags &= (uint8_t)~TCP_SYN;
			g->seq++;
			have--;
		}
		have = RTE_MIN(have, g->len);
		dsack_note(c, g->seq, g->seq + have);
		tcp_segment_trim_front(g, have);
	}
	if (seq_gt(g->seq + g->len, c->rcv_adv)) {
		uint32_t over = g->seq + g->len - c->rcv_adv;

		tcp_count(s, TCP_C_drop_beyond_window);
		tcp_segment_trim_tail(g, RTE_MIN(over, g->len));
		g->flags &= (uint8_t)~TCP_FIN;
	}
}

static void ack_in_order(
	struct tcp_stack *s, struct tcp_conn *c, uint32_t len, bool filled, uint64_t now)
{
	c->unacked_in += len;
	if (c->quick_acks > 0)
		c->quick_acks--;
	/* RFC 5681 4.2: at least every second segment; at once when a hole was filled. */
	if (filled || c->quick_acks > 0 || c->unacked_in >= 2u * c->rcv_mss) {
		c->flags |= TCP_F_ACK_NOW;
	} else {
		tcp_timer_delack_arm(s, c, now);
	}
}

static void data_take(struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g, uint64_t now)
{
	uint32_t before = c->rcv_nxt, len = g->len;
	bool holes = c->ooo != NULL;

	/* RFC 2525 2.17: nobody will read it; the peer must learn that it was not delivered. */
	if ((c->flags & TCP_F_ORPHAN) && c->state != TCP_CLOSE_WAIT) {
		tcp_count(s, TCP_C_drop_after_close);
		tcp_output_rst(s, c, now);
		tcp_conn_end(c, TCP_REASON_ABORTED, now);
		return;
	}
	if (c->flags & TCP_F_FIN_SEEN) {
		/* Beyond the FIN there is nothing. */
		if (seq_gt(g->seq + g->len, c->fin_seq)) {
			tcp_count(s, TCP_C_drop_after_fin);
			if (seq_geq(g->seq, c->fin_seq))
				return;
			tcp_segment_trim_tail(g, g->seq + g->len - c->fin_seq);
		}
	}
	if (len > c->rcv_mss)
		c->rcv_mss = (uint16_t)RTE_MIN(len, 65535u);
	if (tcp_recv_data(s, c, g)) {
		c->bytes_received += c->rcv_nxt - before;
		tcp_count_by(s, TCP_C_bytes_in, c->rcv_nxt - before);
		tcp_conn_event(c, TCP_EV_READABLE);
		ack_in_order(s, c, c->rcv_nxt - before, holes, now);
		tcp_recv_autotune(s, c, now);
		tcp_conn_want_output(c);
	} else {
		/* RFC 5681 4.2: one at once for each, that is what the sender counts. */
		c->quick_acks = QUICK_ACKS;
		tcp_output_dup_ack(s, c, now);
	}
}

/* RFC 9293 3.10.7.4 eighth. */
static void fin_take(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	if (c->ooo != NULL) {
		/* It was queued before the FIN told that there is no such data. */
		tcp_count(s, TCP_C_drop_after_fin);
		tcp_recv_drop_runs(s, c);
	}
	c->rcv_nxt++;
	c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt);
	c->flags |= TCP_F_FIN_RECEIVED | TCP_F_ACK_NOW;
	tcp_conn_event(c, TCP_EV_READABLE);
	tcp_conn_want_output(c);
	switch ((enum tcp_state)c->state) {
	case TCP_ESTABLISHED:
		tcp_conn_set_state(c, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT_1: /* our FIN is not acknowledged: simultaneous close */
		tcp_conn_set_state(c, TCP_CLOSING);
		tcp_timer_slow_arm(s, c, now);
		break;
	case TCP_FIN_WAIT_2:
		tcp_output_ack(s, c, now); /* TIME-WAIT takes over from here */
		tcp_conn_enter_time_wait(c, now);
		break;
	default:
		break;
	}
}

static void fin_note(struct tcp_stack *s, struct tcp_conn *c, uint32_t seq)
{
	if (c->flags & TCP_F_FIN_SEEN) {
		if (c->fin_seq != seq)
			tcp_count(s, TCP_C_drop_fin_mismatch);
		return;
	}
	c->flags |= TCP_F_FIN_SEEN;
	c->fin_seq = seq;
}

void tcp_conn_segment(struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g, uint64_t now)
{
	bool fin;

	c->last_rx_ns = now;
	c->keepalive_count = 0;
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED) {
		tcp_syn_sent_segment(s, c, g, now);
		if (c->state != TCP_ESTABLISHED || g->len == 0)
			return;
	}
	if (!paws_check(s, c, g, now)) {
		tcp_count(s, TCP_C_drop_paws);
		if (g->len > 0)
			dsack_note(c, g->seq, g->seq + g->len);
		tcp_output_dup_ack(s, c, now);
		return;
	}
	if (!acceptable(c, g)) {
		/* A closed window still takes ACKs and RSTs, RFC 9293 MUST-66. */
		if (tcp_conn_rcv_wnd(c) == 0 && g->seq == c->rcv_nxt) {
			if (g->flags & TCP_RST)
				rst_take(s, c, g, now);
			else if (!(g->flags & TCP_SYN) && (g->flags & TCP_ACK) &&
				 tcp_ack_segment(s, c, g, now) && tcp_conn_synchronized(c)) {
				tcp_count(s, TCP_C_drop_beyond_window);
				tcp_output_dup_ack(s, c, now);
			}
			return;
		}
		unacceptable(s, c, g, now);
		return;
	}
	if (g->flags & TCP_RST) {
		rst_take(s, c, g, now);
		return;
	}
	if (g->flags & TCP_SYN) {
		/* RFC 5961 4: whatever its number; the peer, if it was him, answers with a RST. */
		tcp_count(s, TCP_C_drop_syn_in_window);
		tcp_output_challenge_ack(s, c, now);
		return;
	}
	if (!(g->flags & TCP_ACK)) {
		tcp_count(s, TCP_C_drop_no_ack);
		return;
	}
	trim_to_window(s, c, g);
	if (!tcp_ack_segment(s, c, g, now) || !tcp_conn_synchronized(c))
		return;
	/* After the ACK was found good, so that a blind forger cannot poison it. */
	ts_recent_take(c, g, now);
	fin = g->flags & TCP_FIN;
	if (fin)
		fin_note(s, c, g->seq + g->len);
	if (g->len > 0) {
		data_take(s, c, g, now);
		if (!tcp_conn_synchronized(c))
			return;
	} else if (fin && c->fin_seq != c->rcv_nxt) {
		tcp_output_dup_ack(s, c, now); /* there is a hole before it */
	}
	if ((c->flags & TCP_F_FIN_SEEN) && !(c->flags & TCP_F_FIN_RECEIVED) &&
		c->fin_seq == c->rcv_nxt)
		fin_take(s, c, now);
}
