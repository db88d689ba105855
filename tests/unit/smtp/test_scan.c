/* SPDX-License-Identifier: BSD-3-Clause */
/* Every instruction set that this CPU has gives the same, and what is called clean is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/scan.h"
#include "tests/unit/smtp/drive.h"
#include "tests/unit/smtp/naive_body.h"

static size_t make_text(uint8_t *in, size_t want, struct drive_cut *rnd)
{
	size_t n = 0;

	while (n + 700 < want) {
		size_t line = drive_cut_random(rnd, rnd->state % 40 ? 90 : 600);

		if (rnd->state % 3 == 0)
			in[n++] = '.';
		for (size_t i = 0; i < line; i++)
			in[n++] = rnd->state >> 20 & 1 ? '.' : 'x';
		in[n++] = '\r';
		in[n++] = '\n';
	}
	if (rnd->state >> 30 & 1)
		in[rnd->state % n] = (uint8_t) "\r\n.x"[rnd->state >> 40 & 3];
	return n;
}

static void test_clean(void **state)
{
	static uint8_t in[4000], out[8000];
	struct drive_cut rnd = {.state = 0x7654321};
	size_t passed = 0;

	for (int round = 0; round < 4000; round++) {
		size_t len = make_text(in, 800 + drive_cut_random(&rnd, 300) * 9, &rnd), want = 0;
		bool dots = round & 1;
		struct smtp_scan first = {};

		for (int set = SMTP_SCAN_SSE2; set <= (int)smtp_scan_best(); set++) {
			struct smtp_scan s = {.line_start = true};
			size_t n = smtp_scan_clean(set, &s, in, len, dots);

			if (set == SMTP_SCAN_SSE2) {
				struct naive_result r = naive_scan(in, n, dots, 0, 0, out);
				size_t line = n;

				want = n;
				first = s;
				passed += n;
				assert_int_equal(r.result, SMTP_BODY_MORE);
				assert_int_equal(r.len, n);
				while (line && in[line - 1] != '\n')
					line--;
				if (n) {
					assert_int_equal(s.line_start, line == n);
					if (dots && line < n && in[line] == '.')
						line++;
					assert_int_equal(s.line_len, n - line);
				}
				continue;
			}
			assert_int_equal(n, want);
			assert_int_equal(s.line_len, first.line_len);
			assert_int_equal(s.line_start, first.line_start);
			assert_int_equal(s.stuffed, first.stuffed);
		}
	}
	/* It is no use if it calls little clean. */
	assert_true(smtp_scan_best() == SMTP_SCAN_PLAIN || passed > 4000 * 200);
}

static void test_to_dot(void **state)
{
	static uint8_t in[4000];
	struct drive_cut rnd = {.state = 0x1234567};

	for (int round = 0; round < 4000; round++) {
		size_t len = make_text(in, 800 + drive_cut_random(&rnd, 300) * 9, &rnd), at = 0;

		while (at < len) {
			size_t want = at + 2;

			while (want < len && memcmp(in + want - 2, "\r\n.", 3) != 0)
				want++;
			if (want > len)
				want = len;
			for (int set = SMTP_SCAN_PLAIN; set <= (int)smtp_scan_best(); set++)
				assert_int_equal(
					smtp_scan_to_dot(set, in + at, len - at), want - at);
			at = want;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_to_dot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
