/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines of commands and replies, found within the octets of one call or across several. A line ends
 * with CRLF and nothing else (RFC 5321 2.3.8).
 */
#ifndef POSTGATE_SMTP_LINE_H
#define POSTGATE_SMTP_LINE_H

#include "smtp/smtp.h"

enum smtp_line_result {
	SMTP_LINE_PART,     /* no end yet: *n is all of it */
	SMTP_LINE_WHOLE,    /* *n: up to the end of the CRLF */
	SMTP_LINE_BARE_LF,  /* *n: up to and with the LF */
	SMTP_LINE_TOO_LONG, /* *n: up to the limit, where the line has not ended */
};

/* `before`: octets of the line that came earlier, `cr_before`: the last of them is CR. `max` is for
 * the whole line with its CRLF. */
enum smtp_line_result smtp_line_find(
	const uint8_t *data, size_t len, size_t before, bool cr_before, size_t max, size_t *n);

/* Passes over the rest of a refused line; returns the octets used. *cr: the last one was CR. *done:
 * its CRLF is among them. */
size_t smtp_line_skip(const uint8_t *data, size_t len, bool *cr, bool *done);

/* Whether a line's text (without CRLF) has no control octet and is valid UTF-8; *ascii says whether
 * it is plain ASCII. */
bool smtp_line_text_valid(const char *s, size_t len, bool *ascii);

#endif
