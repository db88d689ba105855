/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/cc.h"

#include <stddef.h>

/* beta_cubic, RFC 9438 4.6; NewReno's is one half, RFC 5681 (4). With ECN CUBIC's is the same, and
 * RFC 8511 allows as much as 0.8 to NewReno: not taken, the classic answer is the safe one. */
#define CUBIC_BETA_NUM 7u
#define CUBIC_BETA_DEN 10u
/* Non-validated period, RFC 7661 4.4. */
#define NVP_US UINT64_C(300000000)

void tcp_cc_init(struct tcp_ccs *cc, enum tcp_cc which, uint16_t mss)
{
	*cc = (struct tcp_ccs){
		.cwnd = tcp_cc_initial_window(mss),
		.ssthresh = TCP_SSTHRESH_NONE,
		.which = (uint8_t)which,
		.phase = TCP_CC_SLOW_START,
	};
}

static void enter_slow_start(struct tcp_ccs *cc)
{
	cc->phase = TCP_CC_SLOW_START;
	cc->round = false;
	cc->samples = 0;
	cc->css_rounds = 0;
}

static void enter_avoidance(struct tcp_ccs *cc)
{
	cc->phase = TCP_CC_AVOIDANCE;
	cc->epoch = false;
	cc->paused = false;
	cc->restart = false;
	cc->newreno.acked = 0;
}

/* Whatever moved cwnd or ssthresh (the caller's PRR, an undo): the phase follows from them. */
static void phase_check(struct tcp_ccs *cc)
{
	bool below = cc->cwnd < cc->ssthresh;

	if (below && cc->phase == TCP_CC_AVOIDANCE)
		enter_slow_start(cc);
	else if (!below && cc->phase != TCP_CC_AVOIDANCE)
		enter_avoidance(cc);
}

/* Whether the window was what held the sender back. With pacing it need not have stood at the edge
 * when the ACK came: near it counts, and in slow start half of it, as pacing spreads a window over
 * half a round trip there. */
static bool window_used(const struct tcp_ccs *cc, const struct tcp_cc_ack *a)
{
	uint64_t in_flight = a->in_flight;

	if (a->cwnd_limited || in_flight + a->mss > cc->cwnd)
		return true;
	return cc->phase != TCP_CC_AVOIDANCE && 2 * in_flight >= cc->cwnd;
}

void tcp_cc_on_ack(struct tcp_ccs *cc, const struct tcp_cc_ack *a)
{
	phase_check(cc);
	/* A window that is not used says nothing about the path: it does not grow, RFC 7661 4.3,
	 * RFC 9438 5.8. */
	if (!window_used(cc, a)) {
		if (cc->phase == TCP_CC_AVOIDANCE && cc->epoch && !cc->paused) {
			cc->paused = true;
			cc->cubic.paused_ms = (uint32_t)(a->now / 1000000);
		}
		return;
	}
	if (cc->phase != TCP_CC_AVOIDANCE)
		tcp_hystart_on_ack(cc, a);
	else if (cc->which == TCP_CC_CUBIC)
		tcp_cubic_on_ack(cc, a);
	else
		tcp_newreno_on_ack(cc, a);
}

static void undo_save(struct tcp_ccs *cc)
{
	cc->undo_cwnd = cc->cwnd;
	cc->undo_ssthresh = cc->ssthresh;
	cc->undo_w_max = cc->w_max;
	cc->undo_cwnd_prior = cc->cwnd_prior;
	cc->undo = true;
}

static void reduce(struct tcp_ccs *cc, uint32_t in_flight, uint16_t mss)
{
	uint64_t flight = in_flight < cc->cwnd ? in_flight : cc->cwnd, ssthresh;

	cc->cwnd_prior = cc->cwnd;
	if (cc->which == TCP_CC_CUBIC) {
		tcp_cubic_on_congestion(cc);
		ssthresh = flight * CUBIC_BETA_NUM / CUBIC_BETA_DEN;
	} else {
		ssthresh = flight / 2;
	}
	if (ssthresh < 2u * mss)
		ssthresh = 2u * mss;
	cc->ssthresh = (uint32_t)ssthresh;
}

void tcp_cc_on_congestion(struct tcp_ccs *cc, uint32_t in_flight, uint16_t mss, bool ecn)
{
	undo_save(cc);
	/* The peer saw the mark: there is nothing spurious about it. */
	if (ecn)
		cc->undo = false;
	reduce(cc, in_flight, mss);
	enter_avoidance(cc);
}

void tcp_cc_on_rto(struct tcp_ccs *cc, uint32_t in_flight, uint16_t mss, bool first)
{
	if (first) {
		undo_save(cc);
		reduce(cc, in_flight, mss);
	}
	/* The next stage of avoidance starts from where it is, RFC 9438 4.8. */
	cc->w_max = 0;
	cc->cwnd = mss;
	enter_slow_start(cc);
	cc->restart = true;
}

void tcp_cc_undo(struct tcp_ccs *cc)
{
	if (!cc->undo)
		return;
	cc->undo = false;
	if (cc->cwnd < cc->undo_cwnd)
		cc->cwnd = cc->undo_cwnd;
	cc->ssthresh = cc->undo_ssthresh;
	cc->w_max = cc->undo_w_max;
	cc->cwnd_prior = cc->undo_cwnd_prior;
	cc->restart = false;
	/* A stage of avoidance goes on as a new one from the same point of the curve. */
	cc->epoch = false;
	cc->paused = false;
	phase_check(cc);
}

void tcp_cc_on_idle(struct tcp_ccs *cc, uint16_t mss, uint64_t idle_us)
{
	uint32_t initial = tcp_cc_initial_window(mss);

	for (; idle_us >= NVP_US && cc->cwnd > initial; idle_us -= NVP_US) {
		uint32_t keep = cc->cwnd / 4 * 3;

		if (cc->ssthresh == TCP_SSTHRESH_NONE || cc->ssthresh < keep)
			cc->ssthresh = keep;
		cc->cwnd = cc->cwnd / 2 > initial ? cc->cwnd / 2 : initial;
	}
	phase_check(cc);
	if (cc->phase != TCP_CC_AVOIDANCE)
		cc->round = false;
	else
		cc->epoch = false;
}

void tcp_cc_set_mss(struct tcp_ccs *cc, uint16_t old_mss, uint16_t new_mss)
{
	uint64_t cwnd;

	if (old_mss == 0 || new_mss >= old_mss)
		return;
	cwnd = (uint64_t)cc->cwnd * new_mss / old_mss;
	cc->cwnd = cwnd > new_mss ? (uint32_t)cwnd : new_mss;
	if (cc->ssthresh != TCP_SSTHRESH_NONE) {
		cc->ssthresh = (uint32_t)((uint64_t)cc->ssthresh * new_mss / old_mss);
		if (cc->ssthresh < 2u * new_mss)
			cc->ssthresh = 2u * new_mss;
	}
	cc->w_max = (uint32_t)((uint64_t)cc->w_max * new_mss / old_mss);
	cc->cwnd_prior = (uint32_t)((uint64_t)cc->cwnd_prior * new_mss / old_mss);
	cc->undo = false;
	if (cc->phase == TCP_CC_AVOIDANCE)
		cc->epoch = false;
	phase_check(cc);
}

uint64_t tcp_cc_pacing_rate(const struct tcp_ccs *cc, uint32_t srtt_us)
{
	uint64_t rate;

	if (srtt_us == 0)
		return 0;
	rate = (uint64_t)cc->cwnd * 1000000 / srtt_us;
	return cc->cwnd < cc->ssthresh ? 2 * rate : rate + rate / 4;
}
