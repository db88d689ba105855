/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/body.h"

#include <string.h>

#include "smtp/scan.h"

#define TEXT_MAX (SMTP_TEXT_LINE_MAX - 2)

/* Where the scanner stands. In CR, DOT and DOT_CR the octets named are used but held back. */
enum body_state {
	BODY_LINE,   /* at the start of a line */
	BODY_TEXT,   /* in a line */
	BODY_CR,     /* after a CR that ends a line's text */
	BODY_CR_OUT, /* likewise, but smtp_body_flush() has handed it out */
	BODY_DOT,    /* after a dot that starts a line */
	BODY_DOT_CR, /* after such a dot and a CR */
};

static const char received_name[] = "received";
#define MATCH_NAME (sizeof(received_name) - 1) /* the whole name matched, the colon is to come */
#define MATCH_NONE (MATCH_NAME + 1)

static const uint8_t held_crlf[] = "\r\n";
static const uint8_t held_dot[] = ".";

void smtp_body_init(struct smtp_body *b, bool dots, uint64_t limit, uint32_t max_received)
{
	*b = (struct smtp_body){
		.limit = limit ? limit : UINT64_MAX,
		.max_received = max_received,
		.state = BODY_LINE,
		.dots = dots,
		.header = true,
	};
}

/*
 * Follows "Received", optional white space (obsolete syntax, RFC 5322 4.5), ":" through the text of
 * a header line, in parts as they come. Returns how far it got: short of `len` at the colon that
 * makes one field too many.
 */
static size_t body_match_received(struct smtp_body *b, const uint8_t *p, size_t len)
{
	size_t i = 0;

	for (; i < len && b->match < MATCH_NAME; i++) {
		if ((p[i] | 0x20) != received_name[b->match]) {
			b->match = MATCH_NONE;
			return len;
		}
		b->match++;
	}
	for (; i < len && b->match == MATCH_NAME; i++) {
		if (p[i] == ' ' || p[i] == '\t')
			continue;
		if (p[i] == ':') {
			if (b->max_received && b->received + 1 >= b->max_received)
				return i;
			b->received++;
		}
		b->match = MATCH_NONE;
	}
	return len;
}

/* The first CR or LF within `len` octets, `len` if none. */
static size_t body_find_break(const uint8_t *p, size_t len)
{
	const uint8_t *cr = memchr(p, '\r', len);
	size_t n = cr ? (size_t)(cr - p) : len;
	const uint8_t *lf = memchr(p, '\n', n);

	return lf ? (size_t)(lf - p) : n;
}

static void body_end_line(struct smtp_body *b)
{
	/* The empty line ends the header section, RFC 5322 2.1. */
	if (b->line_len == 0)
		b->header = false;
	b->octets += 2;
	b->line_len = 0;
	b->match = 0;
	b->state = BODY_LINE;
}

/*
 * Walks one line's text, or the part of it that is there, and the CRLF after it. Returns the octets
 * that are good, and leaves the state behind them; a rule is broken by the octet after them if
 * *error is set. *hold: the octet after them is a CR with nothing behind it yet.
 */
static size_t body_walk_line(struct smtp_body *b, const uint8_t *p, size_t len, bool *hold,
	enum smtp_server_error *error)
{
	uint64_t room = b->limit - b->octets;
	size_t max = TEXT_MAX - b->line_len;
	enum smtp_server_error over = SMTP_ERR_LINE_TOO_LONG;
	size_t n, good;

	if (room < max) {
		max = room;
		over = SMTP_ERR_TOO_BIG;
	}
	n = body_find_break(p, len <= max ? len : max + 1);
	good = n > max ? max : n;
	if (b->header && good) {
		size_t matched = body_match_received(b, p, good);

		if (matched < good) {
			*error = SMTP_ERR_LOOP;
			n = good = matched;
		}
	}
	b->octets += good;
	b->line_len += (uint16_t)good;
	if (good)
		b->state = BODY_TEXT;
	if (*error != SMTP_ERR_NONE)
		return good;
	if (n > max) {
		*error = over;
	} else if (n == len) {
		return good;
	} else if (p[n] == '\n') {
		*error = SMTP_ERR_BARE_LF;
	} else if (n + 1 == len) {
		*hold = true;
	} else if (p[n + 1] != '\n') {
		*error = SMTP_ERR_BARE_CR;
	} else if (b->limit - b->octets < 2) {
		*error = SMTP_ERR_TOO_BIG;
	} else {
		body_end_line(b);
		return n + 2;
	}
	return good;
}

/* What an octet held back by an earlier call turns out to be; `data` has at least one octet. */
static enum smtp_body_result body_resolve_held(struct smtp_body *b, const uint8_t *data, size_t len,
	size_t *used, const uint8_t **out, size_t *out_len, enum smtp_server_error *error)
{
	switch (b->state) {
	case BODY_CR:
	case BODY_CR_OUT:
		if (data[0] != '\n') {
			*error = SMTP_ERR_BARE_CR;
			return SMTP_BODY_BAD;
		}
		if (b->limit - b->octets < 2) {
			*error = SMTP_ERR_TOO_BIG;
			return SMTP_BODY_BAD;
		}
		*used = 1;
		*out_len = b->state == BODY_CR ? 2 : 1;
		*out = held_crlf + 2 - *out_len;
		body_end_line(b);
		return SMTP_BODY_OCTETS;
	case BODY_DOT:
		if (data[0] == '\n') {
			*error = SMTP_ERR_BARE_LF;
			return SMTP_BODY_BAD;
		}
		if (data[0] != '\r') {
			b->state = BODY_TEXT;
			*out = held_dot;
			*out_len = 1;
			return SMTP_BODY_OCTETS;
		}
		*used = 1;
		b->state = BODY_DOT_CR;
		if (len == 1)
			return SMTP_BODY_MORE;
		data++;
		[[fallthrough]];
	default: /* BODY_DOT_CR */
		if (data[0] != '\n') {
			*error = SMTP_ERR_BARE_CR;
			return SMTP_BODY_BAD;
		}
		*used += 1;
		return SMTP_BODY_END;
	}
}

enum smtp_body_result smtp_body_scan(struct smtp_body *b, const uint8_t *data, size_t len,
	size_t *used, const uint8_t **out, size_t *out_len, enum smtp_server_error *error)
{
	const enum smtp_scan_set set = smtp_scan_best();
	const uint8_t *p = data, *end = data + len;
	bool hold = false;

	*used = 0;
	*error = SMTP_ERR_NONE;
	if (len == 0)
		return SMTP_BODY_MORE;
	if (b->state >= BODY_CR)
		return body_resolve_held(b, data, len, used, out, out_len, error);

	while (p < end && !hold && *error == SMTP_ERR_NONE) {
		if (!b->header) {
			struct smtp_scan s = {
				.line_len = b->line_len,
				.line_start = b->state == BODY_LINE,
			};
			uint64_t room = b->limit - b->octets;
			size_t avail = (size_t)(end - p);
			size_t n = smtp_scan_clean(
				set, &s, p, avail < room ? avail : (size_t)room, b->dots);

			if (n) {
				p += n;
				b->octets += n - s.stuffed;
				b->line_len = (uint16_t)s.line_len;
				b->state = s.line_start ? BODY_LINE : BODY_TEXT;
				if (p == end)
					break;
			}
		}
		if (b->state == BODY_LINE && b->dots && *p == '.') {
			if (p + 1 == end || p[1] == '\r' || p[1] == '\n') {
				/* The end, or nearly: what came before it goes first. */
				if (p > data)
					break;
				b->state = BODY_DOT;
				*used = 1;
				if (len == 1)
					return SMTP_BODY_MORE;
				size_t more = 0;
				enum smtp_body_result r = body_resolve_held(
					b, p + 1, len - 1, &more, out, out_len, error);
				*used += more;
				return r;
			}
			b->state = BODY_TEXT;
			p++;
			continue;
		}
		p += body_walk_line(b, p, (size_t)(end - p), &hold, error);
	}

	*used = (size_t)(p - data);
	*out = data;
	*out_len = *used;
	if (hold) {
		b->state = BODY_CR;
		*used += 1;
	}
	if (*out_len) {
		/* A broken rule is found again at the start of what is left. */
		*error = SMTP_ERR_NONE;
		return SMTP_BODY_OCTETS;
	}
	return *error == SMTP_ERR_NONE ? SMTP_BODY_MORE : SMTP_BODY_BAD;
}

enum smtp_body_result smtp_body_swallow(
	struct smtp_body *b, const uint8_t *data, size_t len, size_t *used)
{
	const uint8_t *p = data, *end = data + len;

	*used = len;
	if (!b->dots)
		return SMTP_BODY_MORE;
	while (p < end) {
		switch (b->state) {
		case BODY_LINE:
			b->state = *p == '.' ? BODY_DOT : *p == '\r' ? BODY_CR : BODY_TEXT;
			p++;
			break;
		case BODY_DOT:
			b->state = *p == '\r' ? BODY_DOT_CR : BODY_TEXT;
			p++;
			break;
		case BODY_CR:
		case BODY_DOT_CR:
			if (*p == '\n' && b->state == BODY_DOT_CR) {
				*used = (size_t)(p + 1 - data);
				return SMTP_BODY_END;
			}
			b->state = *p == '\n' ? BODY_LINE : *p == '\r' ? BODY_CR : BODY_TEXT;
			p++;
			break;
		default: /* BODY_TEXT */
			p = memchr(p, '\r', (size_t)(end - p));
			if (!p)
				return SMTP_BODY_MORE;
			b->state = BODY_CR;
			p++;
			break;
		}
	}
	return SMTP_BODY_MORE;
}

enum smtp_body_result smtp_body_flush(struct smtp_body *b, const uint8_t **out, size_t *out_len)
{
	if (b->state != BODY_CR)
		return SMTP_BODY_MORE;
	b->state = BODY_CR_OUT;
	*out = held_crlf;
	*out_len = 1;
	return SMTP_BODY_OCTETS;
}

enum smtp_server_error smtp_body_finish(const struct smtp_body *b)
{
	return b->state == BODY_CR || b->state == BODY_CR_OUT ? SMTP_ERR_BARE_CR : SMTP_ERR_NONE;
}
