/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/reply.h"

static void check(uint16_t code, bool enhanced, struct smtp_status status, const char *text,
	bool utf8, const char *want)
{
	char buf[4096];
	struct smtp_out out = {.data = (uint8_t *)buf, .size = sizeof(buf)};

	assert_int_equal(smtp_reply_write(&out, code, enhanced, status,
				 (struct smtp_str){text, strlen(text)}, utf8),
		0);
	buf[out.len] = 0;
	assert_string_equal(buf, want);
}

static void test_write(void **state)
{
	struct smtp_status s = {4, 4, 2}, none = {}, wild = {5, 1000, 0};

	check(451, true, s, "Lost", false, "451 4.4.2 Lost\r\n");
	check(451, false, s, "Lost", false, "451 Lost\r\n");
	/* RFC 2034 4: every line, the same class, none on 3xx. */
	check(550, true, s, "a\nb", false, "550-5.4.2 a\r\n550 5.4.2 b\r\n");
	check(250, true, none, "ok", false, "250 2.0.0 ok\r\n");
	check(550, true, wild, "x", false, "550 5.0.0 x\r\n");
	check(354, true, none, "go", false, "354 go\r\n");
	check(250, false, none, "", false, "250 \r\n");
	check(250, false, none, "a\n\nb\n", false, "250-a\r\n250-\r\n250 b\r\n");
	/* Nothing that a next hop said ends a line of ours. */
	check(550, false, none, "a\rb\001\x7f\tc", false, "550 a?b??\tc\r\n");
	check(550, false, none, "\xc3\xa9\xff", true, "550 \xc3\xa9?\r\n");
	check(550, false, none, "\xc3\xa9", false, "550 ??\r\n");
}

/* No line over 512 octets, no word lost, no character of UTF-8 broken. */
static void test_long(void **state)
{
	char text[3000], got[3000];
	uint8_t buf[8192];

	for (int kind = 0; kind < 3; kind++) {
		struct smtp_out out = {.data = buf, .size = sizeof(buf)};
		size_t n = 0, at = 0;

		for (size_t i = 0; i + 3 < sizeof(text) - 1; i += 3)
			memcpy(text + i, kind == 0 ? "ab " : kind == 1 ? "xyz" : "\xe4\xbe\x8b", 3);
		n = 2997;
		assert_int_equal(smtp_reply_write(&out, 550, true, (struct smtp_status){5, 7, 123},
					 (struct smtp_str){text, n}, true),
			0);
		n = 0;
		while (at < out.len) {
			uint8_t *nl = memchr(buf + at, '\n', out.len - at);
			size_t len = (size_t)(nl + 1 - (buf + at));
			struct smtp_reply_line line;

			assert_true(len <= 512);
			assert_int_equal(
				smtp_reply_parse_line((char *)buf + at, len - 2, true, &line), 0);
			assert_int_equal(line.status.detail, 123);
			for (size_t i = 0; i < line.text.len; i++) {
				assert_int_not_equal(line.text.data[i], '?');
				if (line.text.data[i] != ' ')
					got[n++] = line.text.data[i];
			}
			if (kind == 2)
				assert_int_equal(line.text.len % 3, 0);
			at += len;
			assert_int_equal(line.more, at < out.len);
		}
		at = 0;
		for (size_t i = 0; i < 2997; i++) {
			if (text[i] != ' ')
				assert_int_equal(got[at++], text[i]);
		}
		assert_int_equal(at, n);
	}
}

static void test_no_room(void **state)
{
	static const char text[] = "some text\nand more";
	uint8_t buf[100];

	for (size_t size = 0; size < 60; size++) {
		struct smtp_out out = {.data = buf, .len = 5, .size = 5 + size};
		int rc = smtp_reply_write(&out, 250, true, (struct smtp_status){},
			(struct smtp_str){text, sizeof(text) - 1}, false);
		bool fits = size >= strlen("250-2.0.0 some text\r\n250 2.0.0 and more\r\n");

		assert_int_equal(rc, fits ? 0 : -ENOBUFS);
		assert_int_equal(out.len,
			fits ? 5 + strlen("250-2.0.0 some text\r\n250 2.0.0 and more\r\n") : 5);
	}
}

static void test_parse(void **state)
{
	static const struct {
		const char *in;
		int code; /* 0: refused */
		bool more;
		int class, subject, detail;
		const char *text;
	} cases[] = {
		{"250 ok", 250, false, 0, 0, 0, "ok"},
		{"250-ok", 250, true, 0, 0, 0, "ok"},
		{"250", 250, false, 0, 0, 0, ""},
		{"250 2.1.5 ok", 250, false, 2, 1, 5, "ok"},
		{"250 2.1.5", 250, false, 2, 1, 5, ""},
		{"550-5.7.509 x", 550, true, 5, 7, 509, "x"},
		{"550 5.7.1234 x", 550, false, 0, 0, 0, "5.7.1234 x"},
		{"550 5.07.1 x", 550, false, 0, 0, 0, "5.07.1 x"},
		{"550 5.7 x", 550, false, 0, 0, 0, "5.7 x"},
		{"550 5.7.1x", 550, false, 0, 0, 0, "5.7.1x"},
		{"550 4.7.1 x", 550, false, 0, 0, 0, "4.7.1 x"},
		{"354 2.0.0 x", 354, false, 0, 0, 0, "2.0.0 x"},
		{"25", 0, false, 0, 0, 0, ""},
		{"2x0 ok", 0, false, 0, 0, 0, ""},
		{"199 ok", 0, false, 0, 0, 0, ""},
		{"600 ok", 0, false, 0, 0, 0, ""},
		{"250_ok", 0, false, 0, 0, 0, ""},
		{"250 o\001k", 0, false, 0, 0, 0, ""},
		{" 250 ok", 0, false, 0, 0, 0, ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct smtp_reply_line line;
		int rc = smtp_reply_parse_line(cases[i].in, strlen(cases[i].in), true, &line);

		if ((rc == 0) != (cases[i].code != 0))
			fail_msg("%s", cases[i].in);
		if (rc)
			continue;
		assert_int_equal(line.code, cases[i].code);
		assert_int_equal(line.more, cases[i].more);
		assert_int_equal(line.status.class, cases[i].class);
		assert_int_equal(line.status.subject, cases[i].subject);
		assert_int_equal(line.status.detail, cases[i].detail);
		assert_int_equal(line.text.len, strlen(cases[i].text));
		assert_memory_equal(line.text.data, cases[i].text, line.text.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
