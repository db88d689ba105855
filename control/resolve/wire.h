/* SPDX-License-Identifier: BSD-3-Clause */
/* What one DNS response says about its question. Bytes in, no I/O. */
#ifndef POSTGATE_CONTROL_RESOLVE_WIRE_H
#define POSTGATE_CONTROL_RESOLVE_WIRE_H

#include "control/resolve/name.h"

#define WIRE_RECORDS_MAX 64
#define WIRE_CHAIN_MAX   12 /* CNAMEs on the way */

enum wire_type {
	WIRE_A = 1,
	WIRE_CNAME = 5,
	WIRE_SOA = 6,
	WIRE_MX = 15,
	WIRE_TXT = 16,
	WIRE_AAAA = 28,
	WIRE_TLSA = 52,
};

/* Into the message. */
struct wire_record {
	uint16_t at, len; /* rdata */
};

struct wire_answer {
	uint8_t rcode;
	bool alias;                /* by CNAME */
	char owner[NAME_MAX_TEXT]; /* the name at the chain's end; the question's without one */
	uint32_t ttl; /* the least of chain and records; of a negative answer: RFC 2308 5 */
	size_t count;
	struct wire_record records[WIRE_RECORDS_MAX];
};

/* Of `type` for `name`. 0, -EBADMSG, -ELOOP (a chain that is too long or bites its tail). */
int wire_parse(
	const uint8_t *msg, size_t len, const char *name, uint16_t type, struct wire_answer *out);

/* The target of an MX or CNAME record, as name_from_wire(). `skip`: octets before the name. */
int wire_record_name(const uint8_t *msg, size_t len, const struct wire_record *r, size_t skip,
	char out[NAME_MAX_TEXT]);

#endif
