/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/resolve/sts_store.h"

static struct sts_store *open_at(const char *path)
{
	struct sts_store *s;
	char err[256];

	assert_int_equal(sts_store_open(path, &s, err, sizeof(err)), 0);
	return s;
}

static struct sts_entry policy(const char *id, time_t fetched, time_t expiry)
{
	struct sts_entry e = {.fetched = fetched, .expiry = expiry};

	strcpy(e.id, id);
	e.policy.mode = STS_ENFORCE;
	e.policy.mx_count = 2;
	strcpy(e.policy.mx[0], "mx.example.org");
	strcpy(e.policy.mx[1], "*.backup.example.org");
	return e;
}

static void test_survives_restart(void **state)
{
	char path[] = "/tmp/postgate-sts-XXXXXX";
	struct sts_entry in = policy("one", 1000, 2000), out;
	struct sts_store *s;
	char side[64];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	s = open_at(path);
	assert_int_equal(sts_store_get(s, "example.org", 1000, &out), -ENOENT);
	assert_int_equal(sts_store_put(s, "example.org", &in), 0);
	/* There at once, before it is on disk. */
	assert_int_equal(sts_store_get(s, "example.org", 1000, &out), 0);
	assert_int_equal(sts_store_commit(s, 1000), 0);
	in = policy("two", 1001, 2001);
	assert_int_equal(sts_store_put(s, "example.org", &in), 0);
	sts_store_close(s); /* commits what is open */
	s = open_at(path);
	assert_int_equal(sts_store_get(s, "example.org", 1999, &out), 0);
	assert_string_equal(out.id, "two");
	assert_int_equal(out.policy.mode, STS_ENFORCE);
	assert_int_equal(out.policy.mx_count, 2);
	assert_string_equal(out.policy.mx[1], "*.backup.example.org");
	assert_int_equal(out.expiry, 2001);
	assert_int_equal(sts_store_get(s, "example.org", 2001, &out), -ENOENT);
	assert_int_equal(sts_store_get(s, "example.com", 1999, &out), -ENOENT);
	sts_store_close(s);
	unlink(path);
	snprintf(side, sizeof(side), "%s-wal", path);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", path);
	unlink(side);
}

/* A fetch that fails leaves the policy alone. */
static void test_failure_keeps_policy(void **state)
{
	struct sts_entry in = policy("one", 1000, 100000), out;
	struct sts_store *s = open_at(NULL);

	assert_int_equal(sts_store_put(s, "example.org", &in), 0);
	assert_int_equal(sts_store_put_failure(s, "example.org", "two", 5000), 0);
	assert_true(sts_store_has_failed(s, "example.org", "two", 4700, 5001));
	assert_false(sts_store_has_failed(s, "example.org", "two", 5000, 5300));
	assert_false(sts_store_has_failed(s, "example.org", "three", 4700, 5001));
	/* A clock that was set back does not stop us from trying. */
	assert_false(sts_store_has_failed(s, "example.org", "two", 3700, 4000));
	assert_int_equal(sts_store_get(s, "example.org", 5001, &out), 0);
	assert_string_equal(out.id, "one");
	/* Success clears it. */
	in = policy("two", 5002, 100000);
	assert_int_equal(sts_store_put(s, "example.org", &in), 0);
	assert_false(sts_store_has_failed(s, "example.org", "two", 4700, 5001));
	sts_store_close(s);
}

static void test_bad_path(void **state)
{
	struct sts_store *s;
	char err[256] = "";

	assert_true(sts_store_open("/nonexistent/dir/sts.db", &s, err, sizeof(err)) < 0);
	assert_non_null(strstr(err, "/nonexistent/dir/sts.db"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_survives_restart),
		cmocka_unit_test(test_failure_keeps_policy),
		cmocka_unit_test(test_bad_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
