/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/address.h"

#define L10 "abcdefghij"
#define L63 L10 L10 L10 L10 L10 L10 "abc"

/* What a path gives, "raw|local|domain", or NULL if it is none. */
static const struct {
	const char *in;
	const char *out;
} paths[] = {
	{"<a@b>", "a@b|a|b"},
	{"<a@b> SIZE=1", "a@b|a|b"},
	{"<first.last+tag@sub.example.org>",
		"first.last+tag@sub.example.org|first.last+tag|sub.example.org"},
	{"<!#$%&'*+-/=?^_`{|}~@b>", "!#$%&'*+-/=?^_`{|}~@b|!#$%&'*+-/=?^_`{|}~|b"},
	{"<a@b_c.d>", "a@b_c.d|a|b_c.d"},
	{"<a@1.2.3.4>", "a@1.2.3.4|a|1.2.3.4"},
	{"<@r:a@b>", "a@b|a|b"},
	{"<@r1.example,@r2:a@b>", "a@b|a|b"},
	{"<\"\"@b>", "\"\"@b|\"\"|b"},
	{"<\"a b\"@c>", "\"a b\"@c|\"a b\"|c"},
	{"<\"a>\"@c>", "\"a>\"@c|\"a>\"|c"},
	{"<\"a\\\"@\\\\\"@c>", "\"a\\\"@\\\\\"@c|\"a\\\"@\\\\\"|c"},
	{"<a@[192.0.2.1]>", "a@[192.0.2.1]|a|[192.0.2.1]"},
	{"<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]|a|[IPv6:2001:db8::1]"},
	{"<a@[ipv6:::ffff:1.2.3.4]>", "a@[ipv6:::ffff:1.2.3.4]|a|[ipv6:::ffff:1.2.3.4]"},
	{"<a@[X-tag:some!thing]>", "a@[X-tag:some!thing]|a|[X-tag:some!thing]"},
	{"<\xc3\xa9@b>", "\xc3\xa9@b|\xc3\xa9|b"},
	{"<a@\xe4\xbe\x8b.\xe4\xbe\x8b>",
		"a@\xe4\xbe\x8b.\xe4\xbe\x8b|a|\xe4\xbe\x8b.\xe4\xbe\x8b"},
	{"<\"\xf0\x9f\x93\xac\"@b>", "\"\xf0\x9f\x93\xac\"@b|\"\xf0\x9f\x93\xac\"|b"},
	{"<a@" L63 ".b>", "a@" L63 ".b|a|" L63 ".b"},
	/* Longer than 64: bounce addresses are. */
	{"<" L63 L63 "@b>", L63 L63 "@b|" L63 L63 "|b"},
	{"<a@" L63 "d.b>", NULL},
	{"", NULL},
	{"<", NULL},
	{"<a", NULL},
	{"<a>", NULL},
	{"<a@>", NULL},
	{"<a@b", NULL},
	{"<@b>", NULL},
	{"<a@b@c>", NULL},
	{"<a b@c>", NULL},
	{"<.a@b>", NULL},
	{"<a.@b>", NULL},
	{"<a..b@c>", NULL},
	{"<a@.b>", NULL},
	{"<a@b.>", NULL},
	{"<a@b..c>", NULL},
	{"<a@-b>", NULL},
	{"<a@b->", NULL},
	{"<a@b,c>", NULL},
	{"<(c)a@b>", NULL},
	{"<@r>", NULL},
	{"<@r:>", NULL},
	{"<@r,:a@b>", NULL},
	{"<@r,b:a@b>", NULL},
	{"<@r:@b:a@b>", NULL},
	{"<\"a@b>", NULL},
	{"<\"a\"b@c>", NULL},
	{"<\"a\\\"@c>", NULL},
	{"<\"a\tb\"@c>", NULL},
	{"<\"a\\\x01\"@c>", NULL},
	{"<a@[192.0.2.256]>", NULL},
	{"<a@[192.0.2]>", NULL},
	{"<a@[192.0.2.1>", NULL},
	{"<a@[]>", NULL},
	{"<a@[IPv6:2001:db8:::1]>", NULL},
	{"<a@[IPv6:192.0.2.1]>", NULL},
	{"<a@[2001:db8::1]>", "a@[2001:db8::1]|a|[2001:db8::1]"}, /* tag "2001" */
	{"<a@[tag-:x]>", NULL},
	{"<a@[tag:x y]>", NULL},
	{"<a@[1.2.3.4]x>", NULL},
	{"<\xc0\xaf@b>", NULL},         /* overlong */
	{"<\xed\xa0\x80@b>", NULL},     /* surrogate */
	{"<\xf4\x90\x80\x80@b>", NULL}, /* over U+10FFFF */
	{"<\xc3@b>", NULL},
	{"<\x80@b>", NULL},
};

static void test_paths(void **state)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		size_t len = strlen(paths[i].in), used;
		char *in = malloc(len ? len : 1);
		char got[1024];
		struct smtp_path p;

		memcpy(in, paths[i].in, len); /* no NUL behind it */
		for (int kind = SMTP_PATH_REVERSE; kind <= SMTP_PATH_FORWARD; kind++) {
			int rc = smtp_path_parse(in, len, kind, &p, &used);

			if (!paths[i].out) {
				if (rc == 0)
					fail_msg("%s was let pass", paths[i].in);
				continue;
			}
			if (rc)
				fail_msg("%s was refused", paths[i].in);
			snprintf(got, sizeof(got), "%.*s|%.*s|%.*s", (int)p.raw.len, p.raw.data,
				(int)p.local.len, p.local.data, (int)p.domain.len, p.domain.data);
			assert_string_equal(got, paths[i].out);
			assert_int_equal(in[used - 1], '>');
			assert_int_equal(p.literal, p.domain.data[0] == '[');
		}
		free(in);
	}
}

static void test_special(void **state)
{
	struct smtp_path p;
	size_t used;

	assert_int_equal(smtp_path_parse("<>", 2, SMTP_PATH_REVERSE, &p, &used), 0);
	assert_int_equal(used, 2);
	assert_int_equal(p.raw.len, 0);
	assert_int_not_equal(smtp_path_parse("<>", 2, SMTP_PATH_FORWARD, &p, &used), 0);
	assert_int_equal(smtp_path_parse("<pOSTmaster>", 12, SMTP_PATH_FORWARD, &p, &used), 0);
	assert_int_equal(p.local.len, 10);
	assert_int_equal(p.domain.len, 0);
	assert_int_not_equal(smtp_path_parse("<Postmaster>", 12, SMTP_PATH_REVERSE, &p, &used), 0);
	assert_int_not_equal(
		smtp_path_parse("<@r:Postmaster>", 15, SMTP_PATH_FORWARD, &p, &used), 0);
}

/* Every cut of a good path is either refused or the whole. */
static void test_truncated(void **state)
{
	static const char in[] = "<@a.b,@c:\"x\\\"y\"@[IPv6:2001:db8::1]>";

	for (size_t n = 0; n < sizeof(in) - 1; n++) {
		char *copy = malloc(n ? n : 1);
		struct smtp_path p;
		size_t used;

		memcpy(copy, in, n);
		assert_int_not_equal(smtp_path_parse(copy, n, SMTP_PATH_FORWARD, &p, &used), 0);
		free(copy);
	}
}

static void test_limits(void **state)
{
	char in[600] = "<a@";
	struct smtp_path p;
	size_t used;

	/* 254 octets between the brackets, 255 are too many. */
	for (size_t total = 254; total <= 255; total++) {
		size_t n = 3;

		for (; n < 1 + total; n++)
			in[n] = n % 50 ? 'x' : '.';
		in[1 + total - 1] = 'x';
		in[1 + total] = '>';
		assert_int_equal(smtp_path_parse(in, total + 2, SMTP_PATH_FORWARD, &p, &used) == 0,
			total == 254);
	}
	assert_true(smtp_domain_valid("example.org", 11));
	assert_false(smtp_domain_valid("example.org.", 12));
	assert_false(smtp_domain_valid("", 0));
	assert_true(smtp_literal_valid("[192.0.2.1]", 11));
	assert_false(smtp_literal_valid("[192.0.2.1\0]", 12));
}

static void test_literals(void **state)
{
	static const struct {
		const char *s;
		bool valid;
	} cases[] = {
		{"0.0.0.0", true},
		{"255.255.255.255", true},
		{"1.2.3.4.5", false},
		{"1.2.3.", false},
		{".1.2.3", false},
		{"01.2.3.4", false},
		{"1.2.3.1000", false},
		{"IPv6:::", true},
		{"IPv6:1::", true},
		{"IPv6:::1", true},
		{"IPv6:1:2:3:4:5:6:7:8", true},
		{"IPv6:1:2:3:4:5:6:7", false},
		{"IPv6:1:2:3:4:5:6:7:8:9", false},
		{"IPv6:1:2:3:4:5:6:7::", true},
		{"IPv6:1:2:3:4::5:6:7:8", false},
		{"IPv6:1::2::3", false},
		{"IPv6::1:2:3:4:5:6:7:8", false},
		{"IPv6:1:2:3:4:5:6:7:", false},
		{"IPv6:12345::", false},
		{"IPv6:g::", false},
		{"IPv6:1:2:3:4:5:6:1.2.3.4", true},
		{"IPv6:1:2:3:4:5:6:7:1.2.3.4", false},
		{"IPv6:::1.2.3.4", true},
		{"IPv6:::1.2.3.4:1", false},
		{"IPv6:1.2.3.4::", false},
		{"IPv6:", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char in[64];
		int n = snprintf(in, sizeof(in), "[%s]", cases[i].s);

		if (smtp_literal_valid(in, (size_t)n) != cases[i].valid)
			fail_msg("%s", in);
	}
}

static void test_utf8(void **state)
{
	static const struct {
		const char *s;
		size_t len, want;
	} cases[] = {{"a", 1, 1}, {"\x7f", 1, 1}, {"\xc2\x80", 2, 2}, {"\xc1\xbf", 2, 0},
		{"\xdf\xbf", 2, 2}, {"\xe0\xa0\x80", 3, 3}, {"\xe0\x9f\xbf", 3, 0},
		{"\xed\x9f\xbf", 3, 3}, {"\xed\xa0\x80", 3, 0}, {"\xee\x80\x80", 3, 3},
		{"\xf0\x90\x80\x80", 4, 4}, {"\xf0\x8f\xbf\xbf", 4, 0}, {"\xf4\x8f\xbf\xbf", 4, 4},
		{"\xf4\x90\x80\x80", 4, 0}, {"\xf5\x80\x80\x80", 4, 0}, {"\xe2\x82", 2, 0},
		{"\xe2\x28\xa1", 3, 0}, {"\xff", 1, 0}, {"", 0, 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(smtp_utf8_len(cases[i].s, cases[i].len), cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_special),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
