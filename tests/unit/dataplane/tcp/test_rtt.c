/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/tcp/rtt.h"

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)

static void first_sample(void **state)
{
	struct tcp_rtt r;

	tcp_rtt_init(&r);
	assert_int_equal(r.rto_us, 1000000); /* RFC 6298 2.1 */
	tcp_rtt_sample(&r, 100000, 1, 200000, 0);
	assert_int_equal(r.srtt_us, 100000); /* 2.2 */
	assert_int_equal(r.rttvar_us, 50000);
	assert_int_equal(r.rto_us, 300000);
	assert_int_equal(r.min_rtt_us, 100000);
}

static void follows_a_change(void **state)
{
	struct tcp_rtt r;

	tcp_rtt_init(&r);
	for (int i = 0; i < 100; i++)
		tcp_rtt_sample(&r, 50000, 1, 200000, 0);
	assert_in_range(r.srtt_us, 49900, 50100);
	assert_in_range(r.rto_us, 250000, 251000); /* the floor is on the variance */
	tcp_rtt_sample(&r, 450000, 1, 200000, 0);
	assert_int_equal(r.srtt_us, 50000 + 400000 / 8); /* 2.3 */
	assert_in_range(r.rttvar_us, 100000, 100200);
	assert_in_range(r.rto_us, 500000, 501000);
	for (int i = 0; i < 200; i++)
		tcp_rtt_sample(&r, 450000, 1, 200000, 0);
	assert_in_range(r.srtt_us, 449900, 450000);
	assert_in_range(r.rto_us, 649900, 651000);
}

/* RFC 7323 appendix G: ten samples a round trip move it no further than one does. */
static void many_samples_a_round(void **state)
{
	struct tcp_rtt one, ten;

	tcp_rtt_init(&one);
	tcp_rtt_init(&ten);
	tcp_rtt_sample(&one, 100000, 1, 200000, 0);
	tcp_rtt_sample(&ten, 100000, 1, 200000, 0);
	tcp_rtt_sample(&one, 200000, 1, 200000, 0);
	for (int i = 0; i < 10; i++)
		tcp_rtt_sample(&ten, 200000, 10, 200000, 0);
	assert_in_range(ten.srtt_us, one.srtt_us - 1000, one.srtt_us + 1000);
}

static void extremes(void **state)
{
	struct tcp_rtt r;

	tcp_rtt_init(&r);
	tcp_rtt_sample(&r, 0, 1, 200000, 0);
	assert_int_equal(r.srtt_us, 1);
	for (int i = 0; i < 50; i++)
		tcp_rtt_sample(&r, 0, 0, 0, 0);
	assert_true(r.srtt_us >= 1 && r.rto_us >= 1000);
	for (int i = 0; i < 50; i++)
		tcp_rtt_sample(&r, UINT32_MAX, 1, 200000, 0);
	assert_int_equal(r.rto_us, TCP_RTO_MAX_US);
}

static void minimum_is_windowed(void **state)
{
	struct tcp_rtt r;
	uint64_t now = 10 * MINUTE;

	tcp_rtt_init(&r);
	tcp_rtt_sample(&r, 20000, 1, 200000, now);
	for (int i = 0; i < 120; i++) {
		now += SECOND;
		tcp_rtt_sample(&r, 80000, 1, 200000, now);
		assert_int_equal(r.min_rtt_us, 20000);
	}
	for (int i = 0; i < 300; i++)
		tcp_rtt_sample(&r, 80000, 1, 200000, now += SECOND);
	assert_int_equal(r.min_rtt_us, 80000); /* the route is longer now */
	tcp_rtt_sample(&r, 30000, 1, 200000, now += SECOND);
	assert_int_equal(r.min_rtt_us, 30000); /* lower at once */
	/* A long silence, and the 32 bits of milliseconds wrapping. */
	now += (UINT64_C(1) << 32) * 1000000;
	tcp_rtt_sample(&r, 40000, 1, 200000, now += 10 * MINUTE);
	tcp_rtt_sample(&r, 40000, 1, 200000, now += 10 * MINUTE);
	assert_int_equal(r.min_rtt_us, 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_sample),
		cmocka_unit_test(follows_a_change),
		cmocka_unit_test(many_samples_a_round),
		cmocka_unit_test(extremes),
		cmocka_unit_test(minimum_is_windowed),
	};

	return cmocka_run_group_tests_name("rtt", tests, NULL, NULL);
}
