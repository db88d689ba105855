/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Characters and numbers as the SMTP grammars know them: ASCII, no locale.
 */
#ifndef POSTGATE_SMTP_TEXT_H
#define POSTGATE_SMTP_TEXT_H

#include <string.h>

#include "smtp/smtp.h"

static inline bool text_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool text_is_alnum(uint8_t c)
{
	return text_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static inline uint8_t text_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static inline bool text_is_ascii(const char *s, size_t len)
{
	uint8_t all = 0;

	for (size_t i = 0; i < len; i++)
		all |= (uint8_t)s[i];
	return all < 0x80;
}

/* `word` in any case, for a `word` of any case. */
static inline bool text_equal_case(struct smtp_str s, const char *word)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!word[i] || text_lower((uint8_t)s.data[i]) != text_lower((uint8_t)word[i]))
			return false;
	}
	return word[s.len] == 0;
}

/* Cuts the part of `s` up to the first `sep` off its front; the whole if there is none. */
static inline struct smtp_str text_cut(struct smtp_str *s, char sep)
{
	const char *at = s->len ? memchr(s->data, sep, s->len) : NULL;
	struct smtp_str part = {s->data, at ? (size_t)(at - s->data) : s->len};
	size_t skip = part.len + (at ? 1 : 0);

	if (skip) /* `data` may be NULL, and then nothing may be added to it */
		s->data += skip;
	s->len -= skip;
	return part;
}

static inline void text_skip_spaces(struct smtp_str *s)
{
	while (s->len && s->data[0] == ' ') {
		s->data++;
		s->len--;
	}
}

/* All of `s` as a decimal number; false if it is none or too large. */
static inline bool text_number(struct smtp_str s, uint64_t *value)
{
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.data[i];

		if (!text_is_digit(c) || __builtin_mul_overflow(v, 10, &v) ||
			__builtin_add_overflow(v, c - '0', &v))
			return false;
	}
	*value = v;
	return true;
}

/* Writes into a caller's buffer; once `overflow` is set nothing more is written. */
struct text_writer {
	char *data;
	size_t len;
	size_t size;
	bool overflow;
};

static inline void text_put(struct text_writer *w, const char *data, size_t len)
{
	if (w->overflow || len > w->size - w->len) {
		w->overflow = true;
		return;
	}
	if (len)
		memcpy(w->data + w->len, data, len);
	w->len += len;
}

static inline void text_puts(struct text_writer *w, const char *s)
{
	text_put(w, s, strlen(s));
}

static inline void text_put_str(struct text_writer *w, struct smtp_str s)
{
	text_put(w, s.data, s.len);
}

/* Decimal, with leading zeros up to `width` digits. */
static inline void text_put_number(struct text_writer *w, uint64_t v, unsigned width)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[sizeof(digits) - ++n] = (char)('0' + v % 10);
		v /= 10;
	} while (v || n < width);
	text_put(w, digits + sizeof(digits) - n, n);
}

/* A writer at the end of `out`; text_out_commit() makes what it wrote part of it, or nothing. */
static inline struct text_writer text_out(const struct smtp_out *out)
{
	return (struct text_writer){
		.data = (char *)out->data + out->len, .size = out->size - out->len};
}

static inline bool text_out_commit(const struct text_writer *w, struct smtp_out *out)
{
	if (w->overflow)
		return false;
	out->len += w->len;
	return true;
}

#endif
