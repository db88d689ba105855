/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/wire.h"

#include <errno.h>
#include <string.h>

#define HEADER_SIZE 12
#define RR_FIXED    10 /* type, class, TTL, length */
#define CLASS_IN    1
#define TTL_MAX     0x7fffffffu /* RFC 2181 8 */

struct rr {
	char owner[NAME_MAX_TEXT];
	bool odd_owner;
	uint16_t type, class;
	uint32_t ttl;
	size_t at, len, next;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static int rr_read(const uint8_t *msg, size_t len, size_t at, struct rr *rr)
{
	int rc = name_from_wire(msg, len, at, rr->owner, &at);

	if (rc < 0 && rc != -EILSEQ)
		return rc;
	rr->odd_owner = rc == -EILSEQ;
	if (len - at < RR_FIXED)
		return -EBADMSG;
	rr->type = get16(msg + at);
	rr->class = get16(msg + at + 2);
	rr->ttl = get32(msg + at + 4);
	if (rr->ttl > TTL_MAX)
		rr->ttl = 0;
	rr->len = get16(msg + at + 8);
	rr->at = at + RR_FIXED;
	if (rr->len > len - rr->at)
		return -EBADMSG;
	rr->next = rr->at + rr->len;
	return 0;
}

static void ttl_least(struct wire_answer *out, uint32_t ttl)
{
	if (ttl < out->ttl)
		out->ttl = ttl;
}

/* The records of the present owner; *target is set if it is an alias. */
static int scan_answer(const uint8_t *msg, size_t len, size_t at, unsigned int count, uint16_t type,
	struct wire_answer *out, char target[NAME_MAX_TEXT], size_t *end)
{
	struct rr rr;
	size_t next;
	int rc;

	target[0] = '\0';
	for (unsigned int i = 0; i < count; i++, at = rr.next) {
		rc = rr_read(msg, len, at, &rr);
		if (rc < 0)
			return rc;
		if (rr.class != CLASS_IN || rr.odd_owner || strcmp(rr.owner, out->owner) != 0)
			continue;
		if (rr.type == type && out->count < WIRE_RECORDS_MAX) {
			out->records[out->count++] =
				(struct wire_record){(uint16_t)rr.at, (uint16_t)rr.len};
			ttl_least(out, rr.ttl);
		} else if (rr.type == WIRE_CNAME && type != WIRE_CNAME) {
			rc = name_from_wire(msg, len, rr.at, target, &next);
			if (rc < 0 || target[0] == '\0')
				return -EBADMSG;
			ttl_least(out, rr.ttl);
		}
	}
	*end = at;
	return 0;
}

/* RFC 2308 5: how long "there is none" holds. */
static int scan_soa(
	const uint8_t *msg, size_t len, size_t at, unsigned int count, struct wire_answer *out)
{
	struct rr rr;
	bool found = false;
	int rc;

	for (unsigned int i = 0; i < count; i++, at = rr.next) {
		rc = rr_read(msg, len, at, &rr);
		if (rc < 0)
			return rc;
		if (rr.type != WIRE_SOA || rr.class != CLASS_IN || rr.len < 4)
			continue;
		ttl_least(out, rr.ttl);
		ttl_least(out, get32(msg + rr.at + rr.len - 4));
		found = true;
	}
	if (!found)
		ttl_least(out, 0);
	return 0;
}

int wire_parse(
	const uint8_t *msg, size_t len, const char *name, uint16_t type, struct wire_answer *out)
{
	unsigned int answers, authorities;
	char target[NAME_MAX_TEXT], skipped[NAME_MAX_TEXT];
	size_t at = HEADER_SIZE, end;
	int rc;

	*out = (struct wire_answer){.ttl = TTL_MAX};
	if (len < HEADER_SIZE || len > UINT16_MAX || strlen(name) >= NAME_MAX_TEXT)
		return -EBADMSG;
	out->rcode = msg[3] & 0x0f;
	answers = get16(msg + 6);
	authorities = get16(msg + 8);
	for (unsigned int i = get16(msg + 4); i > 0; i--) {
		rc = name_from_wire(msg, len, at, skipped, &at);
		if ((rc < 0 && rc != -EILSEQ) || len - at < 4)
			return -EBADMSG;
		at += 4;
	}
	strcpy(out->owner, name);
	for (unsigned int i = 0;; i++) {
		if (i > WIRE_CHAIN_MAX)
			return -ELOOP;
		rc = scan_answer(msg, len, at, answers, type, out, target, &end);
		if (rc < 0)
			return rc;
		if (out->count > 0 || target[0] == '\0')
			break;
		strcpy(out->owner, target);
		out->alias = true;
	}
	return out->count > 0 ? 0 : scan_soa(msg, len, end, authorities, out);
}

int wire_record_name(const uint8_t *msg, size_t len, const struct wire_record *r, size_t skip,
	char out[NAME_MAX_TEXT])
{
	size_t next;
	int rc;

	if (r->len <= skip)
		return -EBADMSG;
	rc = name_from_wire(msg, len, r->at + skip, out, &next);
	if (rc < 0)
		return rc;
	return next == (size_t)r->at + r->len ? 0 : -EBADMSG;
}
