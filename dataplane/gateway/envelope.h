/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The envelope of the transaction under way, as accepted so far: what it takes to repeat MAIL and
 * RCPT to another next hop before the first body octet [rule 5]. Kept in chunks from a pool; one
 * chunk holds the usual message.
 */
#ifndef POSTGATE_DATAPLANE_GATEWAY_ENVELOPE_H
#define POSTGATE_DATAPLANE_GATEWAY_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/gateway/pool.h"
#include "smtp/smtp.h"

struct envelope_chunk {
	struct envelope_chunk *next;
	uint32_t used;
	uint8_t data[1012];
};

struct envelope {
	struct envelope_chunk *first, *last;
	uint32_t records;   /* record 0 is MAIL, the others RCPT */
	uint32_t mark_used; /* where the last record begins, to take it back */
	struct envelope_chunk *mark;
};

/* -ENOBUFS: the pool is empty, nothing is changed. */
int envelope_add_mail(struct envelope *e, struct pool *pool, const struct smtp_mail *mail);
int envelope_add_rcpt(struct envelope *e, struct pool *pool, const struct smtp_rcpt *rcpt);
/* Takes back the record added last (only that one). */
void envelope_drop_last(struct envelope *e, struct pool *pool);
void envelope_clear(struct envelope *e, struct pool *pool);

/* Record `index`, its strings in `buf` (SMTP_COMMAND_LINE_MAX octets). */
void envelope_get_mail(const struct envelope *e, uint8_t *buf, struct smtp_mail *mail);
void envelope_get_rcpt(
	const struct envelope *e, uint32_t index, uint8_t *buf, struct smtp_rcpt *rcpt);

#endif
