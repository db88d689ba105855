/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_hash_crc.h>

#define PERIOD    1024 /* lines, then the body starts over */
#define DOT_EVERY 16   /* each so many lines begin with a dot */
#define FIELD     "X-Postgate-Load: "

/* The body's lines in both forms, once around and a line more. */
static struct {
	bool made;
	uint8_t plain[(PERIOD + 1) * MESSAGE_LINE];
	uint8_t wire[(PERIOD + 1) * (MESSAGE_LINE + 1)];
} text;

/* rte_hash_crc() wants its octets aligned, ours are not. */
static uint32_t crc_octets(const uint8_t *p, size_t len, uint32_t crc)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v;

		memcpy(&v, p, sizeof(v));
		crc = rte_hash_crc_8byte(v, crc);
	}
	while (len-- > 0)
		crc = rte_hash_crc_1byte(*p++, crc);
	return crc;
}

static uint64_t wire_offset(uint64_t line)
{
	return line * MESSAGE_LINE + (line + DOT_EVERY - 1) / DOT_EVERY;
}

static void make_text(void)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t x = 1;

	for (uint32_t i = 0; i <= PERIOD; i++) {
		uint8_t *p = text.plain + (size_t)i * MESSAGE_LINE, *w = text.wire + wire_offset(i);
		uint32_t line = i % PERIOD;

		if (line == 0)
			x = 1;
		for (uint32_t k = 0; k < MESSAGE_LINE - 2; k++) {
			x = x * 1103515245 + 12345;
			p[k] = (uint8_t)letters[(x >> 16) % 64];
		}
		if (line % DOT_EVERY == 0) {
			p[0] = '.';
			*w++ = '.';
		}
		memcpy(p + MESSAGE_LINE - 2, "\r\n", 2);
		memcpy(w, p, MESSAGE_LINE);
	}
	text.made = true;
}

void message_source_init(struct message_source *s, uint32_t run)
{
	memset(s, 0, sizeof(*s));
	s->run = run;
	if (!text.made)
		make_text();
}

/* Up to the end of the period: a run of octets that lies in one piece. */
static size_t message_piece(
	const struct message *m, bool stuffed, uint64_t at, const uint8_t **data)
{
	const uint64_t period = stuffed ? wire_offset(PERIOD) : (uint64_t)PERIOD * MESSAGE_LINE;
	uint64_t start =
		stuffed ? wire_offset(m->first_line) : (uint64_t)m->first_line * MESSAGE_LINE;
	uint64_t offset = (start + at) % period;

	*data = (stuffed ? text.wire : text.plain) + offset;
	return period - offset;
}

static uint64_t body_length(const struct message *m, bool stuffed)
{
	if (!stuffed)
		return (uint64_t)m->lines * MESSAGE_LINE;
	return wire_offset((uint64_t)m->first_line + m->lines) - wire_offset(m->first_line);
}

static uint32_t body_crc(const struct message *m, bool stuffed, uint64_t len)
{
	uint32_t crc = UINT32_MAX;

	for (uint64_t at = 0; at < len;) {
		const uint8_t *data;
		size_t n = message_piece(m, stuffed, at, &data);

		if (n > len - at)
			n = len - at;
		crc = crc_octets(data, n, crc);
		at += n;
	}
	return crc;
}

static const struct message_crc *message_crc(struct message_source *s, const struct message *m)
{
	struct message_crc *c = &s->cache[(m->lines * 31 + m->first_line) % MESSAGE_CRC_CACHE];

	if (c->size != m->lines || c->first_line != m->first_line) {
		c->size = m->lines;
		c->first_line = m->first_line;
		c->plain_len = body_length(m, false);
		c->wire_len = body_length(m, true);
		c->plain = body_crc(m, false, c->plain_len);
		c->wire = body_crc(m, true, c->wire_len);
	}
	return c;
}

static void put_hex(char *p, uint64_t v, int digits)
{
	for (int i = digits - 1; i >= 0; i--, v >>= 4)
		p[i] = "0123456789abcdef"[v & 15];
}

/* Without printf: a generator makes a hundred thousand a second. */
static size_t put(char *out, size_t at, const char *s)
{
	size_t len = strlen(s);

	memcpy(out + at, s, len);
	return at + len;
}

size_t message_begin(struct message_source *s, struct message *m, uint64_t seq, uint32_t size,
	bool stuffed, const char *from, char head[MESSAGE_HEAD_MAX])
{
	const struct message_crc *crc;
	size_t n = 0, field, fill;

	n = put(head, n, "From: <");
	n = put(head, n, from);
	n = put(head, n, ">\r\nTo: <sink@example.net>\r\nSubject: load\r\nMessage-ID: <");
	put_hex(head + n, s->run, 8);
	head[n + 8] = '.';
	put_hex(head + n + 9, seq, 16);
	n = put(head, n + 25, "@postgate-load>\r\n" FIELD);
	field = n;
	n = put(head, n + 8 + 1 + 16 + 1 + 16 + 1 + 8 + 1 + 16 + 1 + 8, "\r\nX-Fill: ");
	/* Two line ends to come. The fill makes up for what is no whole line. */
	*m = (struct message){.seq = seq, .size = size, .stuffed = stuffed};
	m->first_line = (uint32_t)(seq % 128);
	m->lines = size > n + 4 + MESSAGE_LINE ? (uint32_t)((size - n - 4) / MESSAGE_LINE) : 1;
	fill = size > n + 4 + MESSAGE_LINE ? (size - n - 4) % MESSAGE_LINE : 0;
	memset(head + n, '-', fill);
	n = put(head, n + fill, "\r\n\r\n");
	crc = message_crc(s, m);
	m->total = stuffed ? crc->wire_len : crc->plain_len;
	memset(head + field, ' ', 8 + 1 + 16 + 1 + 16 + 1 + 8 + 1 + 16 + 1 + 8);
	put_hex(head + field, s->run, 8);
	put_hex(head + field + 9, seq, 16);
	put_hex(head + field + 26, crc->plain_len, 16);
	put_hex(head + field + 43, crc->plain, 8);
	put_hex(head + field + 52, crc->wire_len, 16);
	put_hex(head + field + 69, crc->wire, 8);
	return n;
}

size_t message_body(struct message *m, uint8_t *out, size_t room)
{
	size_t total = 0;

	while (total < room && m->at < m->total) {
		const uint8_t *data;
		size_t n = message_piece(m, m->stuffed, m->at, &data);

		if (n > room - total)
			n = room - total;
		if (n > m->total - m->at)
			n = m->total - m->at;
		memcpy(out + total, data, n);
		total += n;
		m->at += n;
	}
	return total;
}

uint64_t message_wire_size(const struct message *m, size_t head_len)
{
	return head_len + m->total;
}

/* --- Receiving --- */

void message_check_begin(struct message_check *c)
{
	memset(c, 0, offsetof(struct message_check, head));
	c->crc = UINT32_MAX;
}

static bool get_hex(const char *p, int digits, uint64_t *v)
{
	*v = 0;
	for (int i = 0; i < digits; i++) {
		char d = p[i];

		if (d >= '0' && d <= '9')
			*v = *v << 4 | (uint64_t)(d - '0');
		else if (d >= 'a' && d <= 'f')
			*v = *v << 4 | (uint64_t)(d - 'a' + 10);
		else
			return false;
	}
	return true;
}

static void parse_head(struct message_check *c)
{
	const char *p = memmem(c->head, c->head_len, "\r\n" FIELD, 2 + strlen(FIELD));
	uint64_t v[6];

	c->foreign = true;
	if (!p)
		return;
	p += 2 + strlen(FIELD);
	if (p + 77 > c->head + c->head_len || !get_hex(p, 8, &v[0]) || !get_hex(p + 9, 16, &v[1]) ||
		!get_hex(p + 26, 16, &v[2]) || !get_hex(p + 43, 8, &v[3]) ||
		!get_hex(p + 52, 16, &v[4]) || !get_hex(p + 69, 8, &v[5]))
		return;
	c->foreign = false;
	c->run = (uint32_t)v[0];
	c->seq = v[1];
	c->want_len[0] = v[2];
	c->want_crc[0] = (uint32_t)v[3];
	c->want_len[1] = v[4];
	c->want_crc[1] = (uint32_t)v[5];
}

void message_check_octets(struct message_check *c, const uint8_t *data, size_t len)
{
	if (!c->in_body) {
		size_t room = sizeof(c->head) - c->head_len, n = len < room ? len : room;
		size_t from = c->head_len >= 3 ? c->head_len - 3u : 0;
		const char *end;

		memcpy(c->head + c->head_len, data, n);
		end = memmem(c->head + from, c->head_len + n - from, "\r\n\r\n", 4);
		if (!end) {
			c->head_len += (uint16_t)n;
			if (n == len)
				return;
			c->in_body = c->foreign = true;
			return;
		}
		n = (size_t)(end + 4 - c->head) - c->head_len;
		c->head_len += (uint16_t)n;
		c->in_body = true;
		parse_head(c);
		data += n;
		len -= n;
	}
	c->len += len;
	c->crc = crc_octets(data, len, c->crc);
}

enum message_verdict message_check_end(const struct message_check *c, bool stuffed)
{
	if (!c->in_body || c->foreign)
		return MESSAGE_FOREIGN;
	return c->len == c->want_len[stuffed] && c->crc == c->want_crc[stuffed] ? MESSAGE_GOOD
										: MESSAGE_DAMAGED;
}

/* --- Ledger --- */

int ledger_mark(struct ledger *l, uint64_t seq)
{
	uint64_t chunk = seq >> LEDGER_CHUNK_BITS, bit = seq & ((1u << LEDGER_CHUNK_BITS) - 1);
	uint64_t mask = UINT64_C(1) << (bit % 64), *word;

	if (chunk >= LEDGER_CHUNKS)
		return -ENOMEM;
	if (!l->chunks[chunk]) {
		l->chunks[chunk] = calloc(1u << (LEDGER_CHUNK_BITS - 6), sizeof(uint64_t));
		if (!l->chunks[chunk])
			return -ENOMEM;
	}
	word = &l->chunks[chunk][bit / 64];
	if (*word & mask)
		return 1;
	*word |= mask;
	l->count++;
	if (seq >= l->highest)
		l->highest = seq + 1;
	return 0;
}

bool ledger_has(const struct ledger *l, uint64_t seq)
{
	uint64_t chunk = seq >> LEDGER_CHUNK_BITS, bit = seq & ((1u << LEDGER_CHUNK_BITS) - 1);

	if (chunk >= LEDGER_CHUNKS || !l->chunks[chunk])
		return false;
	return l->chunks[chunk][bit / 64] >> (bit % 64) & 1;
}

void ledger_fini(struct ledger *l)
{
	for (uint32_t i = 0; i < LEDGER_CHUNKS; i++)
		free(l->chunks[i]);
	memset(l, 0, sizeof(*l));
}
