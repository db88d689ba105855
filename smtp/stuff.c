/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "smtp/body.h"
#include "smtp/scan.h"

void smtp_stuff_init(struct smtp_stuff *s)
{
	*s = (struct smtp_stuff){.line_start = true};
}

size_t smtp_stuff(
	struct smtp_stuff *s, const uint8_t **in, size_t *in_len, uint8_t *out, size_t out_size)
{
	const enum smtp_scan_set set = smtp_scan_best();
	size_t n = 0;

	while (*in_len && n < out_size) {
		const uint8_t *p = *in;
		size_t run;

		if (s->line_start && *p == '.') {
			if (out_size - n < 2)
				break;
			out[n++] = '.';
			out[n++] = '.';
			run = 1;
			s->line_start = false;
			s->cr = false;
		} else if (s->cr && *p == '\n') {
			/* Alone, because the CR was in an earlier piece and smtp_scan_to_dot()
			 * cannot see it. */
			out[n++] = '\n';
			run = 1;
			s->line_start = true;
			s->cr = false;
		} else {
			size_t room = out_size - n;

			run = smtp_scan_to_dot(set, p, *in_len < room ? *in_len : room);
			memcpy(out + n, p, run);
			n += run;
			s->line_start = run >= 2 && p[run - 2] == '\r' && p[run - 1] == '\n';
			s->cr = p[run - 1] == '\r';
		}
		*in += run;
		*in_len -= run;
	}
	return n;
}

bool smtp_stuff_ended_in_crlf(const struct smtp_stuff *s)
{
	return s->line_start;
}
