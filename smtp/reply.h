/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replies: written by the server, one line of them read by the client (RFC 5321 4.2, enhanced codes
 * of RFC 2034 and 3463).
 */
#ifndef POSTGATE_SMTP_REPLY_H
#define POSTGATE_SMTP_REPLY_H

#include "smtp/smtp.h"

/* Writes a reply, one line per '\n' of `text`, lines over 512 octets broken at a space (4.5.3.1.5).
 * `enhanced`: each line gets `status`, its class put right by `code`, or x.0.0 where it has none;
 * not on 3xx. Octets that may not be in a reply become '?', non-ASCII ones unless `utf8`.
 * 0 or -ENOBUFS, and then `out` is as it was. */
int smtp_reply_write(struct smtp_out *out, uint16_t code, bool enhanced, struct smtp_status status,
	struct smtp_str text, bool utf8);

struct smtp_reply_line {
	uint16_t code;
	bool more; /* "-": another line follows */
	struct smtp_status status;
	struct smtp_str text; /* what follows the code and, if it has one, the enhanced code */
};

/* One line, its CRLF not included. 0 or -EINVAL. `enhanced`: look for an enhanced code. */
int smtp_reply_parse_line(const char *s, size_t len, bool enhanced, struct smtp_reply_line *line);

#endif
