/* SPDX-License-Identifier: BSD-3-Clause */
/* The body scanner and the stuffing against a naive reference, at every cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/smtp/drive.h"
#include "tests/unit/smtp/naive_body.h"

static uint8_t out[1 << 20], expect[1 << 20];

/* Scans all of `in`, in pieces, and compares with the reference. */
static void check_scan(const uint8_t *in, size_t len, bool dots, uint64_t limit,
	uint32_t max_received, struct drive_cut cut)
{
	struct naive_result want = naive_scan(in, len, dots, limit, max_received, expect);
	enum smtp_body_result r = SMTP_BODY_MORE;
	enum smtp_server_error error = SMTP_ERR_NONE;
	size_t at = 0, n = 0;
	struct smtp_body b;

	smtp_body_init(&b, dots, limit, max_received);
	while (at < len && r != SMTP_BODY_BAD && r != SMTP_BODY_END) {
		size_t piece = cut.next(&cut, len - at), used, got_len;
		const uint8_t *p = in + at, *got;

		at += piece;
		do {
			r = smtp_body_scan(&b, p, piece, &used, &got, &got_len, &error);
			assert_true(used <= piece);
			p += used;
			piece -= used;
			if (r == SMTP_BODY_OCTETS) {
				assert_true(got_len > 0);
				memcpy(out + n, got, got_len);
				n += got_len;
			}
		} while (r == SMTP_BODY_OCTETS);
		at -= piece;
		if (r == SMTP_BODY_MORE)
			assert_int_equal(piece, 0);
	}
	assert_int_equal(r, want.result);
	assert_int_equal(n, want.len);
	assert_memory_equal(out, expect, n);
	if (r == SMTP_BODY_BAD)
		assert_int_equal(error, want.error);
	if (r == SMTP_BODY_END)
		assert_int_equal(at, want.end);
	if (r == SMTP_BODY_BAD && dots) {
		size_t end = naive_find_end(in, len), used;

		r = smtp_body_swallow(&b, in + at, len - at, &used);
		assert_int_equal(r, end ? SMTP_BODY_END : SMTP_BODY_MORE);
		assert_int_equal(at + used, end ? end : len);
	}
}

static void check_cuts(
	const void *data, size_t len, bool dots, uint64_t limit, uint32_t max_received)
{
	check_scan(
		data, len, dots, limit, max_received, (struct drive_cut){.next = drive_cut_whole});
	check_scan(
		data, len, dots, limit, max_received, (struct drive_cut){.next = drive_cut_octets});
	for (size_t i = 1; i<len; i += len> 5000 ? 61 : 1)
		check_scan(data, len, dots, limit, max_received,
			(struct drive_cut){.next = drive_cut_at, .at = i});
}

/* All strings over the octets that matter, up to 7 long, after a line: every smuggling variant
 * there is among them (LF.LF, CR.CR, LF.CRLF, CRLF.LF, CR.CRLF, CRLF.CR, ...). */
static void test_all_short(void **state)
{
	static const char alphabet[] = {'\r', '\n', '.', 'x'};
	uint8_t in[32];

	for (size_t len = 1; len <= 7; len++) {
		for (unsigned code = 0; code < 1u << (2 * len); code++) {
			size_t n = 0;

			if (code & 1)
				memcpy(in, "h\r\n\r\n", n = 5);
			for (size_t i = 0; i < len; i++)
				in[n++] = (uint8_t)alphabet[code >> (2 * i) & 3];
			memcpy(in + n, "\r\n.\r\n", 5);
			check_scan(
				in, n + 5, true, 0, 0, (struct drive_cut){.next = drive_cut_whole});
			check_scan(in, n + 5, true, 0, 0,
				(struct drive_cut){.next = drive_cut_octets});
			check_scan(
				in, n, false, 0, 0, (struct drive_cut){.next = drive_cut_octets});
			check_scan(in, n, false, 0, 0, (struct drive_cut){.next = drive_cut_whole});
		}
	}
}

/* What the table of the smuggling papers has, by name. */
static void test_smuggling(void **state)
{
	static const char *const ends[] = {"\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r.\r\n",
		"\r\n.\r", "\r.\n", "\n.\r", "\n\n.\r\n", "\r\n\n.\r\n", "\r\n.\r\r\n",
		"\r\r\n.\r\n", "\r\n.\n\r\n"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		uint8_t in[100] = "A: b\r\n\r\nbody";
		size_t n = strlen((char *)in), end = strlen(ends[i]), used, len;
		enum smtp_server_error error;
		const uint8_t *p;
		struct smtp_body b;

		memcpy(in + n, ends[i], end);
		memcpy(in + n + end, "MAIL FROM:<x@y>\r\n.\r\n", 20);
		check_cuts(in, n + end + 20, true, 0, 0);
		check_cuts(in, n + end + 20, false, 0, 0);
		smtp_body_init(&b, true, 0, 0);
		assert_int_equal(smtp_body_scan(&b, in, n + end + 20, &used, &p, &len, &error),
			SMTP_BODY_OCTETS);
		/* CRLF before the fault may go out, nothing behind it. */
		assert_true(len == n || len == n + 2);
		assert_int_equal(
			smtp_body_scan(&b, in + used, n + end + 20 - used, &used, &p, &len, &error),
			SMTP_BODY_BAD);
	}
}

static void test_line_limit(void **state)
{
	for (size_t lead = 0; lead < 130; lead += 13) {
		for (size_t text = 996; text <= 1000; text++) {
			for (int dot = 0; dot < 2; dot++) {
				uint8_t in[1400];
				size_t n = 0;

				memcpy(in, "\r\n", n = 2);
				memset(in + n, 'l', lead);
				n += lead;
				memcpy(in + n, "\r\n", 2);
				n += 2;
				if (dot)
					in[n++] = '.'; /* not one of the 998 */
				memset(in + n, 't', text);
				n += text;
				memcpy(in + n, "\r\n.\r\n", 5);
				check_cuts(in, n + 5, true, 0, 0);
				check_cuts(in, n, false, 0, 0);
			}
		}
	}
}

static void test_size_limit(void **state)
{
	static const char in[] =
		"a: b\r\n\r\n..12345678901234567890123456789012345678901234567890123456789012"
		"345678901234567890\r\n.x\r\n.\r\n";

	for (uint64_t limit = 1; limit < sizeof(in) + 2; limit++)
		check_cuts(in, sizeof(in) - 1, true, limit, 0);
}

static void test_received(void **state)
{
	static const char *const headers[] = {
		"Received: a\r\nReceived: b\r\nReceived: c\r\n\r\nReceived: d\r\n.\r\n",
		"received: a\r\nRECEIVED : b\r\nSubject: Received:\r\n Received: "
		"x\r\nReceived\t:c\r\n\r\n.\r\n",
		"X-Received: a\r\nReceivedX: b\r\nReceive: c\r\nReceived\r\n: x\r\nReceived: "
		"d\r\n.\r\n",
		".Received: a\r\n..Received: b\r\n\r\nReceived: c\r\nReceived: d\r\n.\r\n",
	};
	static const unsigned counts[] = {3, 3, 1, 1};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		const uint8_t *in = (const uint8_t *)headers[i];
		size_t len = strlen(headers[i]);

		for (uint32_t max = 0; max < 6; max++) {
			struct naive_result r = naive_scan(in, len, true, 0, max, expect);

			assert_int_equal(
				r.result, max && counts[i] >= max ? SMTP_BODY_BAD : SMTP_BODY_END);
			check_cuts(in, len, true, 0, max);
		}
	}
}

/* Long random messages with a fault here and there, around the blocks' and pieces' edges. */
static void test_random(void **state)
{
	static uint8_t in[6000];
	struct drive_cut rnd = {.state = 0x1234567};

	for (int round = 0; round < 3000; round++) {
		size_t n = 0, want = 200 + drive_cut_random(&rnd, 300) * 15;

		memcpy(in, "a: b\r\n\r\n", n = 8);
		while (n < want) {
			size_t line = drive_cut_random(&rnd, 300) * (rnd.state % 17 ? 1 : 6);

			if (rnd.state % 5 == 0)
				in[n++] = '.';
			if (rnd.state % 7 == 0)
				in[n++] = '.';
			for (size_t i = 0; i < line && n < want; i++)
				in[n++] = (uint8_t)('a' + i % 26);
			in[n++] = '\r';
			in[n++] = '\n';
		}
		if (round % 2)
			in[8 + rnd.state % (n - 8)] = (uint8_t) "\r\n.x"[round / 2 % 4];
		memcpy(in + n, ".\r\nQUIT\r\n", 9);
		n += 9;
		check_scan(in, n, true, 0, 0, (struct drive_cut){.next = drive_cut_whole});
		check_scan(in, n, true, rnd.state % 6000, 0,
			(struct drive_cut){.next = drive_cut_random, .state = rnd.state});
		check_scan(in, n - 9, false, rnd.state % 6000, 0,
			(struct drive_cut){.next = drive_cut_random, .state = rnd.state});
		check_scan(in, n, true, 0, 0,
			(struct drive_cut){.next = drive_cut_at, .at = rnd.state % n + 1});
	}
}

/* The octets handed out of a chunk are as many as it has, also when it ends within CRLF. */
static void test_flush(void **state)
{
	struct smtp_body b;
	enum smtp_server_error error;
	size_t used, len;
	const uint8_t *p;

	smtp_body_init(&b, false, 0, 0);
	assert_int_equal(smtp_body_scan(&b, (const uint8_t *)"ab\r", 3, &used, &p, &len, &error),
		SMTP_BODY_OCTETS);
	assert_int_equal(len, 2);
	assert_int_equal(used, 3);
	assert_int_equal(smtp_body_flush(&b, &p, &len), SMTP_BODY_OCTETS);
	assert_int_equal(len, 1);
	assert_int_equal(*p, '\r');
	assert_int_equal(smtp_body_flush(&b, &p, &len), SMTP_BODY_MORE);
	assert_int_equal(smtp_body_finish(&b), SMTP_ERR_BARE_CR);
	assert_int_equal(smtp_body_scan(&b, (const uint8_t *)"\nc", 2, &used, &p, &len, &error),
		SMTP_BODY_OCTETS);
	assert_int_equal(len, 1);
	assert_int_equal(*p, '\n');
	assert_int_equal(smtp_body_finish(&b), SMTP_ERR_NONE);
}

static void check_stuff(const uint8_t *in, size_t len, struct drive_cut cut, size_t out_size)
{
	size_t want = naive_stuff(in, len, expect), n = 0, at = 0;
	struct smtp_stuff s;

	smtp_stuff_init(&s);
	while (at < len) {
		size_t left = cut.next(&cut, len - at);
		const uint8_t *p = in + at;

		at += left;
		while (left) {
			size_t got = smtp_stuff(&s, &p, &left, out + n, out_size);

			assert_true(got > 0 && got <= out_size);
			n += got;
		}
	}
	assert_int_equal(n, want);
	assert_memory_equal(out, expect, n);
	assert_int_equal(smtp_stuff_ended_in_crlf(&s),
		len == 0 || (len >= 2 && in[len - 2] == '\r' && in[len - 1] == '\n'));
}

static void test_stuff(void **state)
{
	static const char alphabet[] = {'\r', '\n', '.', 'x'};
	uint8_t in[16] = {};

	check_stuff(in, 0, (struct drive_cut){.next = drive_cut_whole}, 2);
	for (size_t len = 1; len <= 7; len++) {
		for (unsigned code = 0; code < 1u << (2 * len); code++) {
			for (size_t i = 0; i < len; i++)
				in[i] = (uint8_t)alphabet[code >> (2 * i) & 3];
			check_stuff(in, len, (struct drive_cut){.next = drive_cut_whole}, 100);
			check_stuff(in, len, (struct drive_cut){.next = drive_cut_octets}, 2);
			check_stuff(in, len, (struct drive_cut){.next = drive_cut_whole}, 3);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_short),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_received),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_stuff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
