/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/smtp/drive.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t drive_cut_whole(struct drive_cut *cut, size_t left)
{
	return left;
}

size_t drive_cut_octets(struct drive_cut *cut, size_t left)
{
	return 1;
}

size_t drive_cut_at(struct drive_cut *cut, size_t left)
{
	size_t n = cut->at;

	cut->at = 0;
	return n && n < left ? n : left;
}

size_t drive_cut_random(struct drive_cut *cut, size_t left)
{
	size_t n;

	cut->state ^= cut->state << 13;
	cut->state ^= cut->state >> 7;
	cut->state ^= cut->state << 17;
	n = cut->state % 4 ? 1 + (cut->state >> 8) % 5 : 1 + (cut->state >> 8) % 300;
	return n < left ? n : left;
}

void drive_init(struct drive *d)
{
	*d = (struct drive){.log = calloc(1, 4096), .size = 4096};
	if (!d->log)
		abort();
}

void drive_fini(struct drive *d)
{
	if (d->lent != 0) {
		fprintf(stderr, "%d buffers not given back\n", d->lent);
		abort();
	}
	free(d->log);
	free(d->body);
	free(d->message);
}

static void drive_append(struct drive *d, const char *s, size_t n)
{
	if (d->len + n + 1 > d->size) {
		d->size = 2 * (d->len + n + 1);
		d->log = realloc(d->log, d->size);
		if (!d->log)
			abort();
	}
	memcpy(d->log + d->len, s, n);
	d->len += n;
	d->log[d->len] = 0;
}

void drive_log(struct drive *d, const char *format, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(text))
		abort();
	drive_append(d, text, (size_t)n);
}

void drive_log_octets(struct drive *d, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\r')
			drive_append(d, "\\r", 2);
		else if (p[i] == '\n')
			drive_append(d, "\\n", 2);
		else if (p[i] < ' ' || p[i] > '~')
			drive_log(d, "\\x%02x", p[i]);
		else
			drive_append(d, (const char *)&p[i], 1);
	}
}
