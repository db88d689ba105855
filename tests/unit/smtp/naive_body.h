/* SPDX-License-Identifier: BSD-3-Clause */
/* The body rules once more, an octet at a time and for a whole input: what the scanner must agree
 * with. */
#ifndef POSTGATE_TESTS_NAIVE_BODY_H
#define POSTGATE_TESTS_NAIVE_BODY_H

#include "smtp/body.h"

struct naive_result {
	enum smtp_body_result result; /* MORE, END or BAD */
	enum smtp_server_error error;
	size_t end; /* END: octets used */
	size_t len; /* octets handed out, into `out` */
};

/* `out` has room for `len` octets. */
struct naive_result naive_scan(const uint8_t *in, size_t len, bool dots, uint64_t limit,
	uint32_t max_received, uint8_t *out);
/* Where ".CRLF" at a line's start ends, 0: nowhere. */
size_t naive_find_end(const uint8_t *in, size_t len);
/* Dot-stuffing by the letter of RFC 5321 4.5.2; `out` has room for 2 * len. */
size_t naive_stuff(const uint8_t *in, size_t len, uint8_t *out);
size_t naive_unstuff(const uint8_t *in, size_t len, uint8_t *out);

#endif
