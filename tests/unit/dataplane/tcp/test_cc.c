/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "dataplane/tcp/cc.h"

#define MSS    1448u
#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

/* A sender that fills its window: one round is cwnd bytes acknowledged two segments at a time. */
struct flow {
	struct tcp_ccs cc;
	uint64_t now;
	uint32_t rtt_us;
	uint32_t una;
	bool limited;
};

static void flow_start(struct flow *f, enum tcp_cc which, uint32_t rtt_us)
{
	*f = (struct flow){.now = 3 * SECOND, .rtt_us = rtt_us, .una = 0xfffff000, .limited = true};
	tcp_cc_init(&f->cc, which, MSS);
}

static void flow_ack(struct flow *f, uint32_t acked, uint32_t flight, uint32_t rtt_us)
{
	struct tcp_cc_ack a = {
		.now = f->now,
		.acked = acked,
		.in_flight = flight,
		.rtt_us = rtt_us,
		.min_rtt_us = f->rtt_us,
		.srtt_us = f->rtt_us,
		.mss = MSS,
		.cwnd_limited = f->limited,
	};

	f->una += acked;
	a.snd_una = f->una;
	a.snd_nxt = f->una + f->cc.cwnd;
	tcp_cc_on_ack(&f->cc, &a);
}

static void flow_round(struct flow *f, uint32_t rtt_us)
{
	uint32_t window = f->cc.cwnd, acks = window / (2 * MSS);

	for (uint32_t i = 0; i < acks; i++) {
		f->now += f->rtt_us * UINT64_C(1000) / acks;
		flow_ack(f, 2 * MSS, f->limited ? window : window / 3, rtt_us);
	}
}

static void initial_window(void **state)
{
	assert_int_equal(tcp_cc_initial_window(1460), 14600);
	assert_int_equal(tcp_cc_initial_window(536), 5360);
	assert_int_equal(tcp_cc_initial_window(1448), 14480);
	assert_int_equal(tcp_cc_initial_window(8960), 17920);
	assert_int_equal(tcp_cc_initial_window(4000), 14600);
}

static void slow_start_doubles(void **state)
{
	struct flow f;

	flow_start(&f, TCP_CC_CUBIC, 50000);
	for (int i = 0; i < 6; i++) {
		uint32_t before = f.cc.cwnd;

		flow_round(&f, 50000);
		assert_in_range(f.cc.cwnd, before * 2 - 2 * MSS, before * 2);
	}
	assert_int_equal(f.cc.phase, TCP_CC_SLOW_START);
}

/* RFC 9406: a queue that builds ends slow start before there is loss, jitter does not. */
static void hystart_sees_a_queue(void **state)
{
	struct flow f;
	uint32_t rounds = 0, rtt = 50000;

	flow_start(&f, TCP_CC_CUBIC, 50000);
	flow_round(&f, rtt);
	flow_round(&f, rtt);
	flow_round(&f, rtt);
	while (f.cc.phase != TCP_CC_AVOIDANCE && rounds < 20) {
		uint32_t before = f.cc.cwnd;

		rtt += 8000; /* more than 50 ms / 8 */
		flow_round(&f, rtt);
		/* Conservative: a quarter as fast, RFC 9406 4.2. */
		if (rounds > 1)
			assert_in_range(f.cc.cwnd, before, before + before / 4 + MSS);
		/* The phase follows at the next ACK. */
		flow_ack(&f, MSS, f.cc.cwnd, rtt);
		rounds++;
	}
	assert_in_range(rounds, 5, 8);
	assert_true(f.cc.ssthresh != TCP_SSTHRESH_NONE);

	flow_start(&f, TCP_CC_CUBIC, 50000);
	for (int i = 0; i < 4; i++)
		flow_round(&f, 50000);
	flow_round(&f, 60000);
	assert_int_equal(f.cc.phase, TCP_CC_CSS);
	flow_round(&f, 50000);
	assert_int_equal(f.cc.phase, TCP_CC_SLOW_START);
	assert_int_equal(f.cc.ssthresh, TCP_SSTHRESH_NONE);
}

/* Few samples in a round say nothing: eight are needed. */
static void hystart_wants_eight_samples(void **state)
{
	struct flow f;

	flow_start(&f, TCP_CC_CUBIC, 50000);
	flow_round(&f, 50000); /* five ACKs */
	for (int i = 0; i < 7; i++) {
		flow_ack(&f, 2 * MSS, f.cc.cwnd, 90000);
		assert_int_equal(f.cc.phase, TCP_CC_SLOW_START);
	}
	flow_ack(&f, 2 * MSS, f.cc.cwnd, 90000);
	flow_ack(&f, 2 * MSS, f.cc.cwnd, 90000);
	assert_int_equal(f.cc.phase, TCP_CC_CSS);
}

static void newreno_halves_and_adds_one(void **state)
{
	struct flow f;

	flow_start(&f, TCP_CC_NEWRENO, 50000);
	for (int i = 0; i < 4; i++)
		flow_round(&f, 50000);
	tcp_cc_on_congestion(&f.cc, f.cc.cwnd, MSS, false);
	assert_int_equal(f.cc.ssthresh, f.cc.cwnd / 2);
	f.cc.cwnd = f.cc.ssthresh;
	for (int i = 0; i < 10; i++) {
		uint32_t before = f.cc.cwnd;

		flow_round(&f, 50000);
		assert_in_range(f.cc.cwnd - before, 0, 2 * MSS);
	}
	assert_in_range(f.cc.cwnd - f.cc.ssthresh, 8 * MSS, 11 * MSS);
	assert_int_equal(f.cc.cwnd % MSS, f.cc.ssthresh % MSS);
}

/* RFC 9438 figure 1, in floating point, against the integers: at every round for thirty seconds. */
static void cubic_follows_the_curve(void **state)
{
	static const uint32_t rtts[] = {20000, 100000, 400000};

	for (unsigned int n = 0; n < 3; n++) {
		struct flow f;
		double w_max, k, start;

		flow_start(&f, TCP_CC_CUBIC, rtts[n]);
		f.cc.cwnd = 2000 * MSS;
		f.cc.ssthresh = f.cc.cwnd;
		tcp_cc_on_congestion(&f.cc, f.cc.cwnd, MSS, false);
		w_max = f.cc.cwnd;
		assert_int_equal(f.cc.ssthresh, (uint64_t)f.cc.cwnd * 7 / 10);
		f.cc.cwnd = f.cc.ssthresh;
		k = cbrt((w_max - f.cc.cwnd) / MSS / 0.4);
		start = (double)f.now / 1e9;
		for (double t = 0; t < 30; t = (double)f.now / 1e9 - start) {
			double want = 0.4 * pow(t - k, 3) * MSS + w_max;

			/* Where Reno is faster (short RTTs, far from the plateau) Reno it is. */
			if (f.cc.cubic.w_est < f.cc.cwnd && t > 3 * f.rtt_us / 1e6 &&
				(f.cc.cwnd < want * 0.97 || f.cc.cwnd > want * 1.08))
				fail_msg("rtt %u t %.2f: %u, curve %.0f", f.rtt_us, t, f.cc.cwnd,
					want);
			flow_round(&f, f.rtt_us);
		}
		assert_true(f.cc.cwnd > w_max);
	}
}

/* A short RTT: CUBIC must not be slower than Reno, RFC 9438 4.3. */
static void cubic_is_reno_friendly(void **state)
{
	struct flow f;
	uint32_t start;

	flow_start(&f, TCP_CC_CUBIC, 1000);
	f.cc.cwnd = 40 * MSS;
	f.cc.ssthresh = f.cc.cwnd;
	tcp_cc_on_congestion(&f.cc, f.cc.cwnd, MSS, false);
	f.cc.cwnd = start = f.cc.ssthresh;
	for (int i = 0; i < 100; i++)
		flow_round(&f, 1000);
	/* alpha 0.53 up to 40 segments, then 1: 23 rounds and 77 rounds. */
	assert_in_range(f.cc.cwnd, start + 70 * MSS, start + 100 * MSS);
}

static void cubic_fast_convergence(void **state)
{
	struct flow f;
	uint32_t w_max;

	flow_start(&f, TCP_CC_CUBIC, 50000);
	f.cc.cwnd = 1000 * MSS;
	tcp_cc_on_congestion(&f.cc, f.cc.cwnd, MSS, false);
	w_max = f.cc.w_max;
	assert_int_equal(w_max, 1000 * MSS);
	f.cc.cwnd = 900 * MSS; /* did not get up to it again */
	tcp_cc_on_congestion(&f.cc, f.cc.cwnd, MSS, false);
	assert_int_equal(f.cc.w_max, 900 * MSS * 17 / 20);
}

static void window_not_used_does_not_grow(void **state)
{
	for (int which = TCP_CC_CUBIC; which <= TCP_CC_NEWRENO; which++) {
		struct flow f;
		uint32_t before;

		flow_start(&f, which, 50000);
		f.limited = false;
		before = f.cc.cwnd;
		flow_round(&f, 50000);
		assert_int_equal(f.cc.cwnd, before);
		f.cc.ssthresh = f.cc.cwnd;
		flow_round(&f, 50000);
		assert_int_equal(f.cc.cwnd, before);
	}
}

/* A paced sender is not at the edge of its window when an ACK comes, and still fills it. */
static void window_nearly_used_grows(void **state)
{
	struct flow f;
	uint32_t before;

	flow_start(&f, TCP_CC_CUBIC, 50000);
	f.limited = false;
	before = f.cc.cwnd;
	flow_ack(&f, 2 * MSS, before / 2 + 1, 50000);
	assert_int_equal(f.cc.cwnd, before + 2 * MSS);
	/* After a time-out: one segment in flight is a whole window. */
	tcp_cc_on_rto(&f.cc, f.cc.cwnd, MSS, true);
	flow_ack(&f, MSS, MSS, 0);
	assert_int_equal(f.cc.cwnd, 2 * MSS);
	f.cc.cwnd = f.cc.ssthresh = 100 * MSS;
	for (int i = 0; i < 60; i++)
		flow_ack(&f, 2 * MSS, 60 * MSS, 50000);
	assert_int_equal(f.cc.cwnd, 100 * MSS);
	for (int i = 0; i < 60; i++)
		flow_ack(&f, 2 * MSS, 100 * MSS - 1, 50000);
	assert_true(f.cc.cwnd > 100 * MSS);
}

/* RFC 9438 5.8: after ten seconds in which the application was slow there is no jump. */
static void cubic_time_stands_still_when_not_used(void **state)
{
	struct flow f, g;

	flow_start(&f, TCP_CC_CUBIC, 50000);
	f.cc.cwnd = 1000 * MSS;
	tcp_cc_on_congestion(&f.cc, f.cc.cwnd, MSS, false);
	f.cc.cwnd = f.cc.ssthresh;
	for (int i = 0; i < 40; i++)
		flow_round(&f, 50000);
	g = f;
	flow_round(&g, 50000);
	f.limited = false;
	flow_ack(&f, MSS, 2 * MSS, 50000);
	f.now += 10 * SECOND;
	flow_ack(&f, MSS, 2 * MSS, 50000);
	f.limited = true;
	flow_round(&f, 50000);
	assert_in_range(f.cc.cwnd, g.cc.cwnd - 3 * MSS, g.cc.cwnd + 3 * MSS);
}

static void time_out_and_back_to_ssthresh(void **state)
{
	struct flow f;
	uint32_t ssthresh;

	flow_start(&f, TCP_CC_CUBIC, 50000);
	for (int i = 0; i < 5; i++)
		flow_round(&f, 50000);
	tcp_cc_on_rto(&f.cc, f.cc.cwnd, MSS, true);
	ssthresh = f.cc.ssthresh;
	assert_int_equal(f.cc.cwnd, MSS);
	/* A second one for the same data does not reduce again, RFC 5681 3.1. */
	tcp_cc_on_rto(&f.cc, MSS, MSS, false);
	assert_int_equal(f.cc.ssthresh, ssthresh);
	/* One ACK for a whole window that was there all along adds one segment only. */
	flow_ack(&f, 100 * MSS, MSS, 0);
	assert_int_equal(f.cc.cwnd, 2 * MSS);
	while (f.cc.cwnd < ssthresh)
		flow_ack(&f, 2 * MSS, f.cc.cwnd, 50000);
	assert_int_equal(f.cc.cwnd, ssthresh);
	flow_round(&f, 50000);
	assert_int_equal(f.cc.phase, TCP_CC_AVOIDANCE);
	assert_in_range(f.cc.cwnd, ssthresh, ssthresh + 3 * MSS);
}

static void undo_brings_it_back_once(void **state)
{
	struct flow f;
	struct tcp_ccs before;

	flow_start(&f, TCP_CC_CUBIC, 50000);
	for (int i = 0; i < 5; i++)
		flow_round(&f, 50000);
	before = f.cc;
	tcp_cc_on_rto(&f.cc, f.cc.cwnd, MSS, true);
	tcp_cc_on_rto(&f.cc, MSS, MSS, false);
	tcp_cc_undo(&f.cc);
	assert_int_equal(f.cc.cwnd, before.cwnd);
	assert_int_equal(f.cc.ssthresh, before.ssthresh);
	assert_int_equal(f.cc.phase, TCP_CC_SLOW_START);
	tcp_cc_on_congestion(&f.cc, f.cc.cwnd, MSS, false);
	f.cc.cwnd = f.cc.ssthresh;
	tcp_cc_undo(&f.cc);
	assert_int_equal(f.cc.cwnd, before.cwnd);
	f.cc.cwnd = 10 * MSS;
	tcp_cc_undo(&f.cc);
	assert_int_equal(f.cc.cwnd, 10 * MSS);
	/* ECN was no mistake. */
	tcp_cc_on_congestion(&f.cc, f.cc.cwnd, MSS, true);
	f.cc.cwnd = f.cc.ssthresh;
	tcp_cc_undo(&f.cc);
	assert_int_equal(f.cc.cwnd, f.cc.ssthresh);
}

static void floors(void **state)
{
	struct flow f;

	for (int which = TCP_CC_CUBIC; which <= TCP_CC_NEWRENO; which++) {
		flow_start(&f, which, 50000);
		for (int i = 0; i < 10; i++) {
			tcp_cc_on_congestion(&f.cc, MSS, MSS, false);
			assert_int_equal(f.cc.ssthresh, 2 * MSS);
			f.cc.cwnd = f.cc.ssthresh;
		}
	}
}

static void idle(void **state)
{
	struct flow f;

	flow_start(&f, TCP_CC_CUBIC, 50000);
	f.cc.cwnd = 400 * MSS;
	tcp_cc_on_idle(&f.cc, MSS, 299000000);
	assert_int_equal(f.cc.cwnd, 400 * MSS);
	tcp_cc_on_idle(&f.cc, MSS, 301000000);
	assert_int_equal(f.cc.cwnd, 200 * MSS);
	assert_int_equal(f.cc.ssthresh, 300 * MSS);
	tcp_cc_on_idle(&f.cc, MSS, UINT64_C(86400000000));
	assert_int_equal(f.cc.cwnd, tcp_cc_initial_window(MSS));
	assert_int_equal(f.cc.ssthresh, 300 * MSS);
}

static void smaller_segments(void **state)
{
	struct flow f;

	flow_start(&f, TCP_CC_CUBIC, 50000);
	f.cc.cwnd = 40 * 1448;
	tcp_cc_set_mss(&f.cc, 1448, 1000);
	assert_int_equal(f.cc.cwnd, 40 * 1000);
	assert_int_equal(f.cc.ssthresh, TCP_SSTHRESH_NONE);
	tcp_cc_set_mss(&f.cc, 1000, 1448);
	assert_int_equal(f.cc.cwnd, 40 * 1000);
	f.cc.cwnd = 1448;
	f.cc.ssthresh = 2 * 1448;
	tcp_cc_set_mss(&f.cc, 1448, 88);
	assert_int_equal(f.cc.cwnd, 88);
	assert_int_equal(f.cc.ssthresh, 176);
}

static void window_is_bounded(void **state)
{
	for (int which = TCP_CC_CUBIC; which <= TCP_CC_NEWRENO; which++) {
		struct flow f;

		flow_start(&f, which, 200000);
		f.cc.cwnd = TCP_CWND_MAX - 3 * MSS;
		f.cc.ssthresh = 10 * MSS;
		for (int i = 0; i < 200; i++) {
			f.now += SECOND;
			flow_ack(&f, f.cc.cwnd, f.cc.cwnd, 200000);
			assert_true(f.cc.cwnd <= TCP_CWND_MAX);
		}
		assert_int_equal(f.cc.cwnd, TCP_CWND_MAX);
	}
}

static void pacing(void **state)
{
	struct flow f;

	flow_start(&f, TCP_CC_CUBIC, 100000);
	assert_int_equal(tcp_cc_pacing_rate(&f.cc, 0), 0);
	f.cc.cwnd = 100000;
	assert_int_equal(tcp_cc_pacing_rate(&f.cc, 100000), 2000000);
	f.cc.ssthresh = 100000;
	assert_int_equal(tcp_cc_pacing_rate(&f.cc, 100000), 1250000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initial_window),
		cmocka_unit_test(slow_start_doubles),
		cmocka_unit_test(hystart_sees_a_queue),
		cmocka_unit_test(hystart_wants_eight_samples),
		cmocka_unit_test(newreno_halves_and_adds_one),
		cmocka_unit_test(cubic_follows_the_curve),
		cmocka_unit_test(cubic_is_reno_friendly),
		cmocka_unit_test(cubic_fast_convergence),
		cmocka_unit_test(window_not_used_does_not_grow),
		cmocka_unit_test(window_nearly_used_grows),
		cmocka_unit_test(cubic_time_stands_still_when_not_used),
		cmocka_unit_test(time_out_and_back_to_ssthresh),
		cmocka_unit_test(undo_brings_it_back_once),
		cmocka_unit_test(floors),
		cmocka_unit_test(idle),
		cmocka_unit_test(smaller_segments),
		cmocka_unit_test(window_is_bounded),
		cmocka_unit_test(pacing),
	};

	return cmocka_run_group_tests_name("cc", tests, NULL, NULL);
}
