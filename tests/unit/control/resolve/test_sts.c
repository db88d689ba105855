/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/resolve/sts.h"

static bool txt(const char *const *records, size_t count, char id[STS_ID_MAX])
{
	struct sts_txt t = {0};

	for (size_t i = 0; i < count; i++)
		sts_txt_add(&t, records[i], strlen(records[i]));
	memcpy(id, t.id, STS_ID_MAX);
	return sts_txt_is_valid(&t);
}

static bool one(const char *record, char id[STS_ID_MAX])
{
	return txt(&record, 1, id);
}

static void test_txt(void **state)
{
	char id[STS_ID_MAX];

	assert_true(one("v=STSv1; id=20160831085700Z;", id));
	assert_string_equal(id, "20160831085700Z");
	assert_true(one("v=STSv1;id=a", id));
	assert_true(one("v=STSv1; id=a ; more=x_y-z; ", id));
	assert_true(one("v=STSv1; future=1; id=12345678901234567890123456789012", id));
	assert_int_equal(strlen(id), 32);
	assert_false(one("v=STSv1; id=123456789012345678901234567890123", id));
	assert_false(one("v=STSv1; id=", id));
	assert_false(one("v=STSv1; id=a b;", id));
	assert_false(one("v=STSv1; id=a-b;", id));
	assert_false(one("v=STSv1; id=a; id=b;", id));
	assert_false(one("v=STSv1;", id));
	assert_false(one("v=STSv1", id));
	assert_false(one("v=STSv2; id=a;", id));
	assert_false(one(" v=STSv1; id=a;", id));
	assert_false(one("v=STSv1; ID=a;", id));
	assert_false(one("", id));
}

static void test_txt_among_others(void **state)
{
	const char *other[] = {"v=spf1 -all", "v=STSv1; id=1;", "v=STSv2; id=9"};
	const char *two[] = {"v=STSv1; id=1;", "v=STSv1; id=2;"};
	const char *one_broken[] = {"v=STSv1; id=1;", "v=STSv1; nonsense"};
	char id[STS_ID_MAX];

	assert_true(txt(other, 3, id));
	assert_string_equal(id, "1");
	/* RFC 8461 3.1: more than one: none is there. */
	assert_false(txt(two, 2, id));
	assert_false(txt(one_broken, 2, id));
}

static int parse(const char *text, struct sts_policy *p)
{
	const char *why;
	int rc = sts_policy_parse(text, strlen(text), p, &why);

	assert_int_equal(rc < 0, why[0] != '\0');
	return rc;
}

static void test_policy(void **state)
{
	struct sts_policy p;

	assert_int_equal(parse("version: STSv1\r\nmode: enforce\r\nmx: Mail.Example.com\r\nmx: "
			       "*.example.net\r\nmx: backup.example.com\r\nmax_age: 604800\r\n",
				 &p),
		0);
	assert_int_equal(p.mode, STS_ENFORCE);
	assert_int_equal(p.max_age, 604800);
	assert_int_equal(p.mx_count, 3);
	assert_string_equal(p.mx[0], "mail.example.com");
	assert_string_equal(p.mx[1], "*.example.net");
	/* LF, no end of line at the end, blanks, unknown fields, empty lines, doubles. */
	assert_int_equal(parse("version:STSv1\n\nmode :  testing \nmode: enforce\nnew: x:y\n"
			       "mx: a.example\nmax_age: 9999999999",
				 &p),
		0);
	assert_int_equal(p.mode, STS_TESTING);
	assert_int_equal(p.max_age, STS_MAX_AGE_MAX);
	assert_int_equal(parse("version: STSv1\nmode: none\nmax_age: 0\n", &p), 0);
	assert_int_equal(p.mode, STS_NONE);
	assert_int_equal(p.mx_count, 0);
}

static void test_bad_policies(void **state)
{
	static const char *const bad[] = {
		"",
		"mode: enforce\nversion: STSv1\nmx: a.example\nmax_age: 1\n",
		"version: STSv2\nmode: enforce\nmx: a.example\nmax_age: 1\n",
		"version: stsv1\nmode: enforce\nmx: a.example\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmax_age: 1\n",
		"version: STSv1\nmode: testing\nmax_age: 1\n",
		"version: STSv1\nmx: a.example\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: a.example\n",
		"version: STSv1\nmode: Enforce\nmx: a.example\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1\n",
		"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 12345678901\n",
		"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1 day\n",
		"version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: *.*.example\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: a*.example\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: \nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: 192.0.2.1\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n",
		"version: STSv1\nmode: enforce\nmx a.example\nmax_age: 1\n",
		"<html><body>version: STSv1</body></html>",
	};
	struct sts_policy p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &p) == 0)
			fail_msg("taken: %s", bad[i]);
}

static void test_policy_bounds(void **state)
{
	char *text = malloc(2 * STS_POLICY_MAX);
	struct sts_policy p;
	const char *why;
	size_t len;

	assert_non_null(text);
	strcpy(text, "version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.example\n");
	len = strlen(text);
	memset(text + len, '\n', STS_POLICY_MAX);
	assert_int_equal(sts_policy_parse(text, STS_POLICY_MAX, &p, &why), 0);
	assert_true(sts_policy_parse(text, STS_POLICY_MAX + 1, &p, &why) < 0);
	for (int i = 0; i < STS_MX_MAX; i++)
		len += (size_t)sprintf(text + len, "mx: m%d.example\n", i);
	assert_true(sts_policy_parse(text, len, &p, &why) < 0);
	free(text);
}

/* RFC 8461 4.1 */
static void test_match(void **state)
{
	assert_true(sts_mx_match("mx.example.com", "mx.example.com"));
	assert_false(sts_mx_match("mx.example.com", "mx.example.org"));
	assert_false(sts_mx_match("example.com", "mx.example.com"));
	assert_true(sts_mx_match("*.example.com", "mx.example.com"));
	assert_false(sts_mx_match("*.example.com", "a.mx.example.com"));
	assert_false(sts_mx_match("*.example.com", "example.com"));
	assert_false(sts_mx_match("*.example.com", "evilexample.com"));
	assert_false(sts_mx_match("*.example.com", ".example.com"));
	assert_false(sts_mx_match("*.com", "mx"));
}

static void test_media_type(void **state)
{
	assert_true(sts_is_media_type("text/plain"));
	assert_true(sts_is_media_type("Text/Plain; charset=utf-8"));
	assert_true(sts_is_media_type("text/plain ;x"));
	assert_false(sts_is_media_type("text/plainer"));
	assert_false(sts_is_media_type("text/html"));
	assert_false(sts_is_media_type(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_txt),
		cmocka_unit_test(test_txt_among_others),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_bad_policies),
		cmocka_unit_test(test_policy_bounds),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_media_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
