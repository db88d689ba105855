/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block-wise checks of message octets: the part of the body scanner and of dot-stuffing that runs
 * at memory speed. With what the CPU has of SSE2, AVX2 and AVX-512BW.
 */
#ifndef POSTGATE_SMTP_SCAN_H
#define POSTGATE_SMTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a scan stands within a line. */
struct smtp_scan {
	uint32_t line_len; /* octets of the line so far, its CRLF and a stuffed dot not counted */
	bool line_start;   /* the next octet is the first of a line */
	uint32_t stuffed;  /* dots passed that start a line: counted up */
};

/* How it is done: all give the same. */
enum smtp_scan_set {
	SMTP_SCAN_PLAIN, /* no blocks: clean is always 0 */
	SMTP_SCAN_SSE2,
	SMTP_SCAN_AVX2,
	SMTP_SCAN_AVX512,
};
/* The best that this CPU has. */
enum smtp_scan_set smtp_scan_best(void);

/*
 * The octets at `p` that need no closer look: CR and LF only together, no line over
 * SMTP_TEXT_LINE_MAX, with `dots` no dot that may be the end, and no CR at their end. May be less
 * than there are, 0 too; moves `s` past them.
 */
size_t smtp_scan_clean(
	enum smtp_scan_set set, struct smtp_scan *s, const uint8_t *p, size_t len, bool dots);

/* The octets up to and with the first CRLF within them that a dot follows; `len` if there is none.
 */
size_t smtp_scan_to_dot(enum smtp_scan_set set, const uint8_t *p, size_t len);

#endif
