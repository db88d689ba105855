/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Throughput of the body scanner and of dot-stuffing, beside memchr's over the same octets in the
 * same run: `bench_smtp_body [MiB]`. The message is scanned in pieces as long as a TLS record.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "smtp/body.h"

#define RECORD 16384
#define ROUNDS 7

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Lines of `line` octets (0: of all lengths, as text has them); one in `dots` starts with a dot. */
static size_t make_message(uint8_t *p, size_t size, size_t line, unsigned dots)
{
	size_t n = 8, count = 0;

	memcpy(p, "A: b\r\n\r\n", n);
	while (n + 1000 < size) {
		size_t len = line ? line : count * 37 % 75;

		if (dots && count % dots == 0) {
			p[n++] = '.';
			p[n++] = '.';
		}
		for (size_t i = 0; i < len; i++)
			p[n + i] = (uint8_t)('A' + (n + 2 * i) % 57);
		n += len;
		p[n++] = '\r';
		p[n++] = '\n';
		count++;
	}
	memcpy(p + n, ".\r\n", 3);
	return n + 3;
}

static size_t run_scan(const uint8_t *p, size_t len)
{
	struct smtp_body b;
	size_t sum = 0;

	smtp_body_init(&b, true, 0, 100);
	while (len) {
		size_t piece = len < RECORD ? len : RECORD, used, n;
		enum smtp_server_error error;
		enum smtp_body_result r;
		const uint8_t *out;

		len -= piece;
		do {
			r = smtp_body_scan(&b, p, piece, &used, &out, &n, &error);
			p += used;
			piece -= used;
			sum += r == SMTP_BODY_OCTETS ? n : 0;
		} while (r == SMTP_BODY_OCTETS);
		if (r == SMTP_BODY_BAD) {
			fprintf(stderr, "bench: %s\n", smtp_server_error_name(error));
			exit(1);
		}
	}
	return sum;
}

static size_t run_stuff(const uint8_t *p, size_t len)
{
	static uint8_t out[2 * RECORD];
	struct smtp_stuff s;
	size_t sum = 0;

	smtp_stuff_init(&s);
	while (len) {
		size_t piece = len < RECORD ? len : RECORD;

		len -= piece;
		while (piece)
			sum += smtp_stuff(&s, &p, &piece, out, sizeof(out));
	}
	return sum;
}

/* For what is not there: one walk over all octets. */
static size_t run_memchr(const uint8_t *p, size_t len)
{
	size_t sum = 0;

	while (len) {
		size_t piece = len < RECORD ? len : RECORD;

		sum += memchr(p, 0, piece) == NULL;
		p += piece;
		len -= piece;
	}
	return sum;
}

/* For each line's end: what a scanner that looks for LF alone would do. */
static size_t run_memchr_lines(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	size_t sum = 0;

	while ((p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		sum++;
	}
	return sum;
}

static double measure(
	size_t (*run)(const uint8_t *, size_t), const uint8_t *p, size_t len, size_t total)
{
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		volatile size_t sink __attribute__((unused)) = 0; /* keeps the calls */
		size_t done = 0;
		double t = seconds();

		for (; done < total; done += len)
			sink += run(p, len);
		t = (double)done / (seconds() - t) / 1e9;
		best = t > best ? t : best;
	}
	return best;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		size_t line;
		unsigned dots;
	} kinds[] = {{"base64, 76 a line", 76, 0}, {"text, 0 to 74 a line", 0, 0},
		{"text, a dot in 10 lines", 0, 10}, {"text, a dot each line", 0, 1},
		{"long lines, 990", 990, 0}};
	static const size_t sizes[] = {64 << 10, 32 << 20};
	size_t total = (argc > 1 ? strtoul(argv[1], NULL, 10) : 64) << 20;
	uint8_t *p = malloc(sizes[1]);

	if (!p || !total) {
		fprintf(stderr, "usage: bench_smtp_body [MiB, at least 1]\n");
		return 2;
	}
	printf("GB/s, best of %d          %9s %9s %9s %9s %9s\n", ROUNDS, "message", "scan",
		"stuff", "memchr", "by line");
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			size_t len = make_message(p, sizes[s], kinds[k].line, kinds[k].dots);

			printf("%-26s %6zu KiB %9.2f %9.2f %9.2f %9.2f\n", kinds[k].name, len >> 10,
				measure(run_scan, p, len, total), measure(run_stuff, p, len, total),
				measure(run_memchr, p, len, total),
				measure(run_memchr_lines, p, len, total));
		}
	}
	free(p);
	return 0;
}
