/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block-wise checks of message octets: the part of the body scanner that runs at memory speed.
 */
#ifndef POSTGATE_SMTP_SCAN_H
#define POSTGATE_SMTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a scan stands within a line. */
struct smtp_scan {
	uint32_t line_len; /* octets of the line so far, its CRLF not counted */
	bool line_start;   /* the next octet is the first of a line */
};

/*
 * The octets at `p` that need no closer look: CR and LF only together, no line over
 * SMTP_TEXT_LINE_MAX, with `dots` no dot at the start of a line, and no CR at their end. May be
 * less than there are, 0 too; moves `s` past them.
 */
size_t smtp_scan_clean(struct smtp_scan *s, const uint8_t *p, size_t len, bool dots);

#endif
