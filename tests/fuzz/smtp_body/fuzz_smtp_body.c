/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The body scanner against the naive reference, whole and cut; the search for the end of a refused
 * body likewise; stuffing there and back. The first four octets choose limits and cuts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/smtp/drive.h"
#include "tests/unit/smtp/naive_body.h"

#define MAX 70000
#define CHECK(cond)                                                                \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                   \
		}                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t out[2 * MAX], want[2 * MAX];

static void check_scan(const uint8_t *in, size_t len, bool dots, uint64_t limit, uint32_t received,
	struct drive_cut cut)
{
	struct naive_result n = naive_scan(in, len, dots, limit, received, want);
	enum smtp_body_result r = SMTP_BODY_MORE;
	enum smtp_server_error error = SMTP_ERR_NONE;
	size_t at = 0, got = 0;
	struct smtp_body b;

	smtp_body_init(&b, dots, limit, received);
	while (at < len && r != SMTP_BODY_BAD && r != SMTP_BODY_END) {
		size_t end = at + cut.next(&cut, len - at), used, octets;
		const uint8_t *p;

		do {
			r = smtp_body_scan(&b, in + at, end - at, &used, &p, &octets, &error);
			at += used;
			CHECK(at <= end);
			if (r == SMTP_BODY_OCTETS) {
				memcpy(out + got, p, octets);
				got += octets;
			}
		} while (r == SMTP_BODY_OCTETS);
		CHECK(r != SMTP_BODY_MORE || at == end);
	}
	CHECK(r == n.result && got == n.len && memcmp(out, want, got) == 0);
	if (r == SMTP_BODY_BAD) {
		CHECK(error == n.error);
		if (!dots)
			return;
		size_t end = naive_find_end(in, len), used;

		r = SMTP_BODY_MORE;
		while (at < len && r == SMTP_BODY_MORE) {
			r = smtp_body_swallow(&b, in + at, cut.next(&cut, len - at), &used);
			at += used;
		}
		CHECK(r == (end ? SMTP_BODY_END : SMTP_BODY_MORE) && at == (end ? end : len));
	} else if (r == SMTP_BODY_END) {
		CHECK(at == n.end);
	}
}

static void check_stuff(const uint8_t *in, size_t len, size_t out_size, struct drive_cut cut)
{
	size_t at = 0, got = 0;
	struct smtp_stuff s;

	smtp_stuff_init(&s);
	while (at < len) {
		size_t piece = cut.next(&cut, len - at);
		const uint8_t *p = in + at;

		at += piece;
		while (piece) {
			size_t n = smtp_stuff(&s, &p, &piece, out + got, out_size);

			CHECK(n > 0 && n <= out_size);
			got += n;
		}
	}
	CHECK(got == naive_stuff(in, len, want) && memcmp(out, want, got) == 0);
	CHECK(naive_unstuff(out, got, want) == len && memcmp(want, in, len) == 0);
	CHECK(smtp_stuff_ended_in_crlf(&s) ==
		(len == 0 || (len > 1 && memcmp(in + len - 2, "\r\n", 2) == 0)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct drive_cut whole = {.next = drive_cut_whole};
	struct drive_cut cut = {.next = drive_cut_random};
	uint64_t limit;
	uint32_t received;
	bool dots;

	if (size < 4 || size > MAX)
		return 0;
	dots = data[0] & 1;
	limit = data[0] & 2 ? data[1] * (data[0] & 4 ? 32u : 1u) : 0;
	received = data[2] % 4;
	cut.state = 0x9e3779b97f4a7c15 * (data[3] + 1u);
	data += 4;
	size -= 4;
	check_scan(data, size, dots, limit, received, whole);
	check_scan(data, size, dots, limit, received, cut);
	check_stuff(data, size, sizeof(out), whole);
	check_stuff(data, size, 2 + cut.state % 60, cut);
	return 0;
}
