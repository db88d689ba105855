/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "control/resolve/mx.h"

/* A generator that repeats itself: the order is known. */
static uint32_t lcg(void *arg)
{
	uint32_t *state = arg;

	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static const char *const self[] = {"gw.example.net", "gw2.example.net"};

static size_t order(struct mx *mx, size_t count, bool *found)
{
	uint32_t state = 1;

	return mx_order(mx, count, self, 2, lcg, &state, found);
}

static void test_sorted(void **state)
{
	struct mx mx[] = {
		{20, "b.example"}, {10, "a.example"}, {65535, "d.example"}, {30, "c.example"}};
	bool found;

	assert_int_equal(order(mx, 4, &found), 4);
	assert_false(found);
	assert_string_equal(mx[0].name, "a.example");
	assert_string_equal(mx[1].name, "b.example");
	assert_string_equal(mx[2].name, "c.example");
	assert_string_equal(mx[3].name, "d.example");
}

/* RFC 5321 5.1: "If there are multiple destinations with the same preference ... MUST randomize".
 */
static void test_ties_are_shuffled(void **state)
{
	unsigned int first[4] = {0}, after_ten = 0;
	uint32_t seed = 7;
	bool found;

	for (int i = 0; i < 4000; i++) {
		struct mx mx[] = {{5, "top.example"}, {10, "a.example"}, {10, "b.example"},
			{10, "c.example"}, {10, "d.example"}, {20, "z.example"}};

		assert_int_equal(mx_order(mx, 6, NULL, 0, lcg, &seed, &found), 6);
		assert_string_equal(mx[0].name, "top.example");
		first[mx[1].name[0] - 'a']++;
		after_ten += strcmp(mx[5].name, "z.example") == 0;
	}
	assert_int_equal(after_ten, 4000);
	for (int i = 0; i < 4; i++)
		assert_in_range(first[i], 850, 1150);
}

static void test_self_cuts_less_preferred(void **state)
{
	struct mx mx[] = {{30, "c.example"}, {20, "gw.example.net"}, {10, "a.example"},
		{20, "peer.example"}, {20, "another.example"}};
	bool found;

	/* Its equals go too: they would hand the mail back. */
	assert_int_equal(order(mx, 5, &found), 1);
	assert_true(found);
	assert_string_equal(mx[0].name, "a.example");
}

static void test_self_first_leaves_none(void **state)
{
	struct mx mx[] = {{10, "gw2.example.net"}, {20, "b.example"}, {30, "gw.example.net"}};
	bool found;

	assert_int_equal(order(mx, 3, &found), 0);
	assert_true(found);
}

static void test_self_twice(void **state)
{
	struct mx mx[] = {{10, "a.example"}, {20, "gw2.example.net"}, {30, "b.example"},
		{30, "gw.example.net"}};
	bool found;

	assert_int_equal(order(mx, 4, &found), 1);
	assert_true(found);
}

static void test_doubles_keep_the_best(void **state)
{
	struct mx mx[] = {
		{20, "a.example"}, {10, "a.example"}, {15, "b.example"}, {10, "a.example"}};
	bool found;

	assert_int_equal(order(mx, 4, &found), 2);
	assert_string_equal(mx[0].name, "a.example");
	assert_int_equal(mx[0].preference, 10);
	assert_string_equal(mx[1].name, "b.example");
}

static void test_null_mx(void **state)
{
	struct mx null = {0, ""}, with_preference = {10, ""};
	struct mx among[] = {{0, ""}, {10, "a.example"}};
	bool found;

	assert_true(mx_is_null(&null, 1));
	assert_true(mx_is_null(&with_preference, 1));
	/* RFC 7505 3: it must be alone; among others it is only a target that does not work. */
	assert_false(mx_is_null(among, 2));
	assert_int_equal(order(among, 2, &found), 1);
	assert_string_equal(among[0].name, "a.example");
	assert_false(mx_is_null(among, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sorted),
		cmocka_unit_test(test_ties_are_shuffled),
		cmocka_unit_test(test_self_cuts_less_preferred),
		cmocka_unit_test(test_self_first_leaves_none),
		cmocka_unit_test(test_self_twice),
		cmocka_unit_test(test_doubles_keep_the_best),
		cmocka_unit_test(test_null_mx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
