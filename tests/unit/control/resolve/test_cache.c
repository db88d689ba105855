/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/resolve/cache.h"

static void put(struct cache *c, const char *domain, time_t resolved, time_t expiry)
{
	struct destination *d = destination_create(domain);

	assert_non_null(d);
	d->resolved = resolved;
	d->expiry = expiry;
	assert_int_equal(cache_put(c, d), 0);
	destination_unref(d);
}

static void test_expiry(void **state)
{
	struct cache *c;

	assert_int_equal(cache_create(10, SIZE_MAX, &c), 0);
	put(c, "a.example", 100, 200);
	assert_non_null(cache_find(c, "a.example", 199));
	assert_null(cache_find(c, "a.example", 200));
	assert_int_equal(cache_count(c), 0);
	/* Nor after the clock has been set back behind the moment of the answer. */
	put(c, "a.example", 100, 200);
	assert_null(cache_find(c, "a.example", 50));
	cache_destroy(c);
}

static void test_lru(void **state)
{
	struct cache *c;

	assert_int_equal(cache_create(3, SIZE_MAX, &c), 0);
	put(c, "a.example", 1, 100);
	put(c, "b.example", 1, 100);
	put(c, "c.example", 1, 100);
	assert_non_null(cache_find(c, "a.example", 2));
	put(c, "d.example", 1, 100);
	assert_null(cache_find(c, "b.example", 2));
	assert_non_null(cache_find(c, "a.example", 2));
	assert_non_null(cache_find(c, "d.example", 2));
	assert_int_equal(cache_evicted(c), 1);
	cache_destroy(c);
}

static void test_replace_and_reference(void **state)
{
	const struct destination *old;
	struct cache *c;

	assert_int_equal(cache_create(3, SIZE_MAX, &c), 0);
	put(c, "a.example", 1, 100);
	old = destination_ref(cache_find(c, "a.example", 2));
	put(c, "a.example", 5, 500);
	assert_int_equal(cache_count(c), 1);
	assert_int_equal(cache_find(c, "a.example", 6)->expiry, 500);
	assert_int_equal(old->expiry, 100);
	cache_forget(c, NULL);
	assert_int_equal(old->expiry, 100);
	destination_unref(old);
	cache_destroy(c);
}

/* The bound of the issue: 100,000 in the cache, by number and by memory. */
static void test_bounds(void **state)
{
	char domain[32];
	struct cache *c;

	assert_int_equal(cache_create(100000, (size_t)20 << 20, &c), 0);
	for (int i = 0; i < 150000; i++) {
		snprintf(domain, sizeof(domain), "d%d.example", i);
		put(c, domain, 1, 100);
		assert_true(cache_bytes(c) <= (size_t)20 << 20);
	}
	assert_true(cache_count(c) > 10000 && cache_count(c) <= 100000);
	assert_non_null(cache_find(c, "d149999.example", 2));
	assert_null(cache_find(c, "d0.example", 2));
	cache_forget(c, NULL);
	assert_int_equal(cache_bytes(c), 0);
	cache_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_lru),
		cmocka_unit_test(test_replace_and_reference),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
