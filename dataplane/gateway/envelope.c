/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gateway/envelope.h"

#include <errno.h>
#include <string.h>

/* A record: this head, then path, then parameters. May straddle chunks. */
struct envelope_record {
	uint16_t path_len, params_len;
	uint16_t domain_at, domain_len; /* within the path */
	uint32_t flags;
	uint64_t size;
};

enum {
	RECORD_8BIT = 1,
	RECORD_UTF8 = 2,
	RECORD_REQUIRETLS = 4,
	RECORD_PATH_UTF8 = 8,
	RECORD_LITERAL = 16,
};

static int envelope_append(struct envelope *e, struct pool *pool, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		struct envelope_chunk *c = e->last;
		size_t n;

		if (!c || c->used == sizeof(c->data)) {
			c = pool_get(pool);
			if (!c)
				return -ENOBUFS;
			c->next = NULL;
			c->used = 0;
			if (e->last)
				e->last->next = c;
			else
				e->first = c;
			e->last = c;
		}
		n = sizeof(c->data) - c->used < len ? sizeof(c->data) - c->used : len;
		memcpy(c->data + c->used, p, n);
		c->used += (uint32_t)n;
		p += n;
		len -= n;
	}
	return 0;
}

/* Cuts back to the mark. */
static void envelope_rewind(struct envelope *e, struct pool *pool)
{
	struct envelope_chunk *c, *next;

	c = e->mark ? e->mark->next : e->first;
	while (c) {
		next = c->next;
		pool_put(pool, c);
		c = next;
	}
	e->last = e->mark;
	if (e->mark) {
		e->mark->next = NULL;
		e->mark->used = e->mark_used;
	} else {
		e->first = NULL;
	}
}

static int envelope_add(struct envelope *e, struct pool *pool, const struct smtp_path *path,
	struct smtp_str params, uint32_t flags, uint64_t size)
{
	struct envelope_record r = {
		.path_len = (uint16_t)path->raw.len,
		.params_len = (uint16_t)params.len,
		.domain_len = (uint16_t)path->domain.len,
		.flags = flags | (path->utf8 ? RECORD_PATH_UTF8 : 0) |
			 (path->literal ? RECORD_LITERAL : 0),
		.size = size,
	};

	if (path->domain.len > 0)
		r.domain_at = (uint16_t)(path->domain.data - path->raw.data);
	e->mark = e->last;
	e->mark_used = e->last ? e->last->used : 0;
	if (envelope_append(e, pool, &r, sizeof(r)) != 0 ||
		envelope_append(e, pool, path->raw.data, path->raw.len) != 0 ||
		envelope_append(e, pool, params.data, params.len) != 0) {
		envelope_rewind(e, pool);
		return -ENOBUFS;
	}
	e->records++;
	return 0;
}

int envelope_add_mail(struct envelope *e, struct pool *pool, const struct smtp_mail *mail)
{
	uint32_t flags = (mail->body_8bit ? RECORD_8BIT : 0) | (mail->smtputf8 ? RECORD_UTF8 : 0) |
			 (mail->requiretls ? RECORD_REQUIRETLS : 0);

	return envelope_add(e, pool, &mail->from, mail->params, flags, mail->size);
}

int envelope_add_rcpt(struct envelope *e, struct pool *pool, const struct smtp_rcpt *rcpt)
{
	return envelope_add(e, pool, &rcpt->to, rcpt->params, 0, 0);
}

void envelope_drop_last(struct envelope *e, struct pool *pool)
{
	envelope_rewind(e, pool);
	e->records--;
}

void envelope_clear(struct envelope *e, struct pool *pool)
{
	e->mark = NULL;
	envelope_rewind(e, pool);
	*e = (struct envelope){0};
}

struct envelope_cursor {
	const struct envelope_chunk *chunk;
	uint32_t at;
};

static void envelope_read(struct envelope_cursor *c, void *out, size_t len)
{
	uint8_t *p = out;

	while (len > 0) {
		size_t n;

		if (c->at == c->chunk->used) {
			c->chunk = c->chunk->next;
			c->at = 0;
		}
		n = c->chunk->used - c->at < len ? c->chunk->used - c->at : len;
		if (p) {
			memcpy(p, c->chunk->data + c->at, n);
			p += n;
		}
		c->at += (uint32_t)n;
		len -= n;
	}
}

static void envelope_get(const struct envelope *e, uint32_t index, uint8_t *buf,
	struct envelope_record *r, struct smtp_path *path, struct smtp_str *params)
{
	struct envelope_cursor c = {.chunk = e->first};

	for (uint32_t i = 0; i <= index; i++) {
		envelope_read(&c, r, sizeof(*r));
		if (i < index)
			envelope_read(&c, NULL, (size_t)r->path_len + r->params_len);
	}
	envelope_read(&c, buf, (size_t)r->path_len + r->params_len);
	*path = (struct smtp_path){
		.raw = {(char *)buf, r->path_len},
		.domain = {(char *)buf + r->domain_at, r->domain_len},
		.utf8 = r->flags & RECORD_PATH_UTF8,
		.literal = r->flags & RECORD_LITERAL,
	};
	path->local =
		(struct smtp_str){(char *)buf, r->domain_len > 0 ? r->domain_at - 1u : r->path_len};
	*params = (struct smtp_str){(char *)buf + r->path_len, r->params_len};
}

void envelope_get_mail(const struct envelope *e, uint8_t *buf, struct smtp_mail *mail)
{
	struct envelope_record r;

	*mail = (struct smtp_mail){0};
	envelope_get(e, 0, buf, &r, &mail->from, &mail->params);
	mail->size = r.size;
	mail->body_8bit = r.flags & RECORD_8BIT;
	mail->smtputf8 = r.flags & RECORD_UTF8;
	mail->requiretls = r.flags & RECORD_REQUIRETLS;
}

void envelope_get_rcpt(
	const struct envelope *e, uint32_t index, uint8_t *buf, struct smtp_rcpt *rcpt)
{
	struct envelope_record r;

	*rcpt = (struct smtp_rcpt){0};
	envelope_get(e, index, buf, &r, &rcpt->to, &rcpt->params);
}
