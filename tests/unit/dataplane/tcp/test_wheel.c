/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/tcp/wheel.h"
#include "tests/unit/dataplane/tcp/eal.h"

#define TICK   (UINT64_C(1) << WHEEL_TICK_SHIFT)
#define SECOND UINT64_C(1000000000)
#define ANY    UINT32_MAX

struct item {
	struct wheel_timer timer;
	uint64_t when;
	uint64_t fired_at; /* 0: not yet */
	uint32_t fires;
};

struct fixture {
	struct wheel *w;
	uint8_t kind, again;
	uint64_t late_max;
	bool early;
};

static void on_fire(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct fixture *f = arg;
	struct item *i = (struct item *)t;

	assert_false(wheel_armed(t));
	if (now < i->when)
		f->early = true;
	i->fired_at = now;
	i->fires++;
}

static void on_fire_again(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct fixture *f = arg;

	on_fire(arg, t, now);
	wheel_arm(f->w, t, f->again, now - 5 * SECOND);
}

static void make(struct fixture *f, uint64_t now)
{
	int kind;

	*f = (struct fixture){0};
	assert_int_equal(wheel_create(now, -1, &f->w), 0);
	kind = wheel_register(f->w, on_fire, f);
	assert_true(kind >= 0);
	f->kind = (uint8_t)kind;
	kind = wheel_register(f->w, on_fire_again, f);
	assert_true(kind >= 0);
	f->again = (uint8_t)kind;
}

static void arm(struct fixture *f, struct item *i, uint64_t when)
{
	i->when = when;
	i->fires = 0;
	wheel_arm(f->w, &i->timer, f->kind, when);
}

/* Every timer of a random set fires once, never early, at most a tick late, whatever the steps. */
static void random_set(uint64_t seed, uint64_t start, uint64_t span, uint64_t step)
{
	enum { COUNT = 3000 };
	static struct item items[COUNT];
	struct fixture f;
	uint64_t now = start, last = start;

	memset(items, 0, sizeof(items));
	make(&f, start);
	for (int n = 0; n < COUNT; n++)
		arm(&f, &items[n], start + test_random(&seed) % span);
	/* A third is moved, a third of those cancelled. */
	for (int n = 0; n < COUNT; n += 3) {
		arm(&f, &items[n], start + test_random(&seed) % span);
		if (n % 9 == 0)
			wheel_cancel(f.w, &items[n].timer);
	}
	while (wheel_count(f.w) > 0) {
		assert_true(now - start < span + 2 * step + 2 * TICK);
		wheel_advance(f.w, now, ANY);
		for (int n = 0; n < COUNT; n++) {
			struct item *i = &items[n];

			if (n % 9 == 0) {
				assert_int_equal(i->fires, 0);
				continue;
			}
			if (i->fired_at == now && i->fires == 1 && i->when + TICK <= last &&
				last != start)
				fail_msg("seed %ju: late by more than a tick", (uintmax_t)seed);
			if (i->fires == 0 && i->when + TICK <= now)
				fail_msg("seed %ju: due and not fired", (uintmax_t)seed);
		}
		last = now;
		now += 1 + test_random(&seed) % step;
	}
	for (int n = 0; n < COUNT; n++)
		assert_int_equal(items[n].fires, n % 9 == 0 ? 0 : 1);
	assert_false(f.early);
	assert_true(wheel_next(f.w) == UINT64_MAX);
	wheel_destroy(f.w);
}

static void fires_once_on_time(void **state)
{
	random_set(1, 0, 50 * TICK, TICK);
	random_set(2, 12345678, 3 * SECOND, 20 * TICK);
	random_set(3, 999 * SECOND, 3600 * SECOND, 10 * SECOND);
	random_set(4, 77 * SECOND, 86400 * SECOND, 1800 * SECOND);
	random_set(5, 77 * SECOND, 1000000 * SECOND, 9000 * SECOND);
}

/* 2^32 ticks are 13 days: a gateway lives longer. */
static void tick_wraps(void **state)
{
	for (uint64_t turn = 1; turn < 4; turn++) {
		uint64_t wrap = (turn << 32) * TICK;

		random_set(10 + turn, wrap - 2 * SECOND, 5 * SECOND, 30 * TICK);
		random_set(20 + turn, wrap - 1000 * SECOND, 7200 * SECOND, 60 * SECOND);
		random_set(30 + turn, wrap - 1, 300000 * SECOND, 9000 * SECOND);
	}
}

static void idle_jump_is_fast(void **state)
{
	struct item i = {0};
	struct fixture f;
	struct timespec from, to;
	double seconds;
	uint64_t now = 0;

	make(&f, 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int n = 0; n < 10000; n++) {
		arm(&f, &i, now + 2 * 3600 * SECOND);
		now += 3600 * SECOND;
		assert_int_equal(wheel_advance(f.w, now, ANY), 0);
		now += 3600 * SECOND + TICK;
		assert_int_equal(wheel_advance(f.w, now, ANY), 1);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
	assert_true(seconds < 1); /* 20,000 hours */
	wheel_destroy(f.w);
}

/* wheel_next() is never after a timer, and following it reaches each in few steps. */
static void next_leads_to_each(void **state)
{
	uint64_t seed = 7;

	for (int round = 0; round < 200; round++) {
		uint64_t now = test_random(&seed) % (UINT64_C(1) << 60), steps = 0;
		struct item i = {0};
		struct fixture f;

		make(&f, now);
		arm(&f, &i, now + test_random(&seed) % (UINT64_C(1) << (20 + round % 30)));
		while (wheel_count(f.w) > 0) {
			uint64_t next = wheel_next(f.w);

			assert_true(next <= i.when + TICK);
			if (next > now)
				now = next;
			wheel_advance(f.w, now, ANY);
			assert_true(++steps <= 6);
		}
		assert_int_equal(i.fires, 1);
		assert_false(f.early);
		wheel_destroy(f.w);
	}
}

static void budget_bounds_an_advance(void **state)
{
	enum { COUNT = 1000 };
	static struct item items[COUNT];
	struct fixture f;
	uint32_t fired = 0, calls = 0;

	memset(items, 0, sizeof(items));
	make(&f, 0);
	/* All in one slot of level 2: moving them down counts against the budget too. */
	for (int n = 0; n < COUNT; n++)
		arm(&f, &items[n], 60 * SECOND + (uint64_t)n);
	while (fired < COUNT) {
		uint32_t n = wheel_advance(f.w, 61 * SECOND, 16);

		assert_true(n <= 16);
		fired += n;
		assert_true(++calls < 4 * COUNT / 16 + 8);
	}
	assert_int_equal(wheel_count(f.w), 0);
	assert_int_equal(wheel_advance(f.w, 61 * SECOND, 16), 0);
	assert_false(f.early);
	wheel_destroy(f.w);
}

/* Armed or cancelled while an advance that ran out of budget is half way through a slot. */
static void changes_between_budgeted_advances(void **state)
{
	enum { COUNT = 500 };
	static struct item items[COUNT];
	uint64_t seed = 11, now = 0;
	struct fixture f;
	uint32_t cancelled = 0, fires = 0;

	memset(items, 0, sizeof(items));
	make(&f, 0);
	for (int n = 0; n < COUNT; n++)
		arm(&f, &items[n], 70 * SECOND + test_random(&seed) % (80 * SECOND));
	for (now = 69 * SECOND; now < 400 * SECOND; now += SECOND / 4) {
		uint32_t n = (uint32_t)(test_random(&seed) % COUNT);

		wheel_advance(f.w, now, 3);
		if (items[n].fires == 0 && items[n].timer.prev != NULL && n % 2 == 0) {
			wheel_cancel(f.w, &items[n].timer);
			cancelled++;
		} else if (items[n].fires == 0 && wheel_armed(&items[n].timer)) {
			arm(&f, &items[n], now + test_random(&seed) % (90 * SECOND));
		}
	}
	while (wheel_count(f.w) > 0)
		wheel_advance(f.w, now += SECOND, 3);
	for (int n = 0; n < COUNT; n++) {
		assert_true(items[n].fires <= 1);
		fires += items[n].fires;
	}
	assert_int_equal(fires + cancelled, COUNT);
	assert_false(f.early);
	wheel_destroy(f.w);
}

/* A timer that arms itself for the past again and again must not keep the advance in a loop. */
static void armed_in_the_past(void **state)
{
	struct item i = {0};
	struct fixture f;

	make(&f, 100 * SECOND);
	wheel_arm(f.w, &i.timer, f.again, 3);
	for (uint32_t n = 1; n <= 5; n++) {
		assert_int_equal(wheel_advance(f.w, 100 * SECOND + n * 2 * TICK, ANY), 1);
		assert_int_equal(i.fires, n);
	}
	wheel_cancel(f.w, &i.timer);
	arm(&f, &i, 1);
	assert_int_equal(wheel_advance(f.w, 100 * SECOND + 10 * TICK, ANY), 1);
	assert_int_equal(wheel_count(f.w), 0);
	wheel_destroy(f.w);
}

static void kinds_run_out(void **state)
{
	struct fixture f;
	int kind = 0;

	make(&f, 0);
	for (int n = 0; n < 14; n++) {
		kind = wheel_register(f.w, on_fire, &f);
		assert_int_equal(kind, n + 2);
	}
	assert_int_equal(wheel_register(f.w, on_fire, &f), -ENOSPC);
	wheel_destroy(f.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_once_on_time),
		cmocka_unit_test(tick_wraps),
		cmocka_unit_test(idle_jump_is_fast),
		cmocka_unit_test(next_leads_to_each),
		cmocka_unit_test(budget_bounds_an_advance),
		cmocka_unit_test(changes_between_budgeted_advances),
		cmocka_unit_test(armed_in_the_past),
		cmocka_unit_test(kinds_run_out),
	};

	if (test_eal_init() != 0)
		return 1;
	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
