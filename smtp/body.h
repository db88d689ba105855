/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The message stream: scanning a DATA body for its end, and translating between the wire form of
 * DATA (dot-stuffed, RFC 5321 4.5.2) and the plain form of BDAT (RFC 3030). Right across any split.
 */
#ifndef POSTGATE_SMTP_BODY_H
#define POSTGATE_SMTP_BODY_H

#include "smtp/smtp.h"

/* Plain to wire (a BDAT client, a DATA next hop): doubles the dot that starts a line. `in`/`in_len`
 * are advanced; returns the octets written to `out`, at most `out_size` (>= 2). */
struct smtp_stuff {
	bool line_start; /* the next octet starts a line */
	bool cr;
};
void smtp_stuff_init(struct smtp_stuff *s);
size_t smtp_stuff(struct smtp_stuff *s, const uint8_t **in, size_t *in_len, uint8_t *out, size_t out_size);
/* Whether what has passed so far ends in CRLF (or is empty). */
bool smtp_stuff_ended_in_crlf(const struct smtp_stuff *s);

#endif
