/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Congestion control: how large the window is, never what is sent. Pure functions over a small
 * state, in bytes; times go in. CUBIC (RFC 9438) with HyStart++ (RFC 9406), or NewReno (RFC 5681).
 *
 * The sender's part (RFC 6675 pipe, RFC 6937 PRR, RACK) decides that there was loss and drives cwnd
 * while it recovers; at the end of a recovery it sets cwnd = ssthresh. Internal.
 */
#ifndef POSTGATE_DATAPLANE_TCP_CC_H
#define POSTGATE_DATAPLANE_TCP_CC_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/tcp/tcp.h"

#define TCP_SSTHRESH_NONE UINT32_MAX
/* What RFC 7323 2.3 lets a window be at most; cwnd beyond it is of no use. */
#define TCP_CWND_MAX (1u << 30)

enum tcp_cc_phase {
	TCP_CC_SLOW_START,
	TCP_CC_CSS, /* conservative slow start, RFC 9406 4.2 */
	TCP_CC_AVOIDANCE,
};

struct tcp_ccs {
	uint32_t cwnd;
	uint32_t ssthresh;

	/* Private. */
	uint32_t w_max;      /* RFC 9438 4.1.2; 0: none (start, or after a time-out) */
	uint32_t cwnd_prior; /* cwnd at the last reduction */
	union {
		struct {
			uint32_t epoch_ms;  /* start of this stage of avoidance */
			uint32_t paused_ms; /* when the sender stopped using the window */
			uint32_t k_ms;
			uint32_t w_est; /* RFC 9438 4.3 */
			uint32_t w_est_acked;
			uint32_t fraction; /* growth below one byte, in 1/cwnd */
		} cubic;                   /* in TCP_CC_AVOIDANCE */
		struct {
			uint32_t acked; /* since cwnd grew last */
		} newreno;
		struct {
			uint32_t round_end; /* windowEnd */
			uint32_t last_min_us;
			uint32_t now_min_us;
			uint32_t css_baseline_us;
			uint32_t fraction;
		} hystart; /* in TCP_CC_SLOW_START and TCP_CC_CSS */
	};
	uint32_t undo_cwnd, undo_ssthresh, undo_w_max, undo_cwnd_prior;
	uint8_t which;   /* enum tcp_cc */
	uint8_t phase;   /* enum tcp_cc_phase */
	uint8_t samples; /* RTT samples in this round, saturates */
	uint8_t css_rounds;
	bool epoch : 1;   /* cubic.* are filled in */
	bool paused : 1;  /* cubic.paused_ms is */
	bool round : 1;   /* hystart.* are filled in */
	bool undo : 1;    /* undo_* are */
	bool restart : 1; /* slow start after a time-out: RFC 3465 2.3 limits it to one segment */
};
static_assert(sizeof(struct tcp_ccs) <= 72, "part of every connection");

struct tcp_cc_ack {
	uint64_t now;
	uint32_t acked;     /* bytes newly delivered, cumulatively or by SACK */
	uint32_t in_flight; /* before this ACK */
	uint32_t rtt_us;    /* 0: no sample */
	uint32_t min_rtt_us;
	uint32_t srtt_us;
	uint32_t snd_una, snd_nxt; /* after this ACK */
	uint16_t mss;
	bool cwnd_limited; /* the window was used up since the last ACK, RFC 7661 4.3 */
};

/* RFC 6928. */
static inline uint32_t tcp_cc_initial_window(uint16_t mss)
{
	uint32_t floor = 2u * mss > 14600u ? 2u * mss : 14600u;

	return 10u * mss < floor ? 10u * mss : floor;
}

void tcp_cc_init(struct tcp_ccs *cc, enum tcp_cc which, uint16_t mss);
/* An ACK for new data outside of recovery. */
void tcp_cc_on_ack(struct tcp_ccs *cc, const struct tcp_cc_ack *a);
/* Loss (RFC 5681 3.2, RFC 9438 4.6) or, once a round trip, ECN echo (RFC 3168 6.1.2): saves the
 * state for tcp_cc_undo() and sets ssthresh. cwnd is left to the caller. */
void tcp_cc_on_congestion(struct tcp_ccs *cc, uint32_t in_flight, uint16_t mss, bool ecn);
/* RFC 5681 3.1 (4), (5). `first`: not the second time-out for the same data. */
void tcp_cc_on_rto(struct tcp_ccs *cc, uint32_t in_flight, uint16_t mss, bool first);
/* The last reduction was for nothing, RFC 4015 3.2, RFC 9438 4.9: what it saved comes back. Nothing
 * happens if it was undone already. */
void tcp_cc_undo(struct tcp_ccs *cc);
/* Before the first segment after `idle_us` with nothing in flight. Up to five minutes the window is
 * kept (pacing sees to it that it is no burst), then it is halved for each five, RFC 7661 4.4. */
void tcp_cc_on_idle(struct tcp_ccs *cc, uint16_t mss, uint64_t idle_us);
/* After the path MTU changed: the window keeps its count of segments if it gets smaller. */
void tcp_cc_set_mss(struct tcp_ccs *cc, uint16_t old_mss, uint16_t new_mss);
/* Bytes a second: twice the window a round trip in slow start, 1.25 times in avoidance, so that
 * pacing never holds growth back. 0 without an RTT: do not pace. */
uint64_t tcp_cc_pacing_rate(const struct tcp_ccs *cc, uint32_t srtt_us);

/* Between cc.c and the algorithms. */
void tcp_hystart_on_ack(struct tcp_ccs *cc, const struct tcp_cc_ack *a);
void tcp_cubic_on_ack(struct tcp_ccs *cc, const struct tcp_cc_ack *a);
void tcp_cubic_on_congestion(struct tcp_ccs *cc);
void tcp_newreno_on_ack(struct tcp_ccs *cc, const struct tcp_cc_ack *a);

static inline void tcp_cc_grow(struct tcp_ccs *cc, uint64_t by)
{
	cc->cwnd = cc->cwnd + by < TCP_CWND_MAX ? (uint32_t)(cc->cwnd + by) : TCP_CWND_MAX;
}

#endif
