/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/reply.h"

#include <errno.h>

#include "smtp/address.h"
#include "smtp/text.h"

#define LINE_MAX 512 /* RFC 5321 4.5.3.1.5, CRLF included */

static void reply_put_status(struct text_writer *w, struct smtp_status status)
{
	text_put_number(w, status.class, 1);
	text_puts(w, ".");
	text_put_number(w, status.subject, 1);
	text_puts(w, ".");
	text_put_number(w, status.detail, 1);
	text_puts(w, " ");
}

static void reply_put_text(struct text_writer *w, struct smtp_str s, bool utf8)
{
	for (size_t i = 0; i < s.len;) {
		uint8_t c = (uint8_t)s.data[i];
		size_t n = c >= 0x80 ? smtp_utf8_len(s.data + i, s.len - i) : 1;
		bool good = c >= 0x80 ? n && utf8 : (c >= ' ' && c != 0x7f) || c == '\t';

		text_put(w, good ? &s.data[i] : "?", good ? n : 1);
		i += good ? n : 1;
	}
}

/* Takes off *text what fits into `max` octets of a line. */
static struct smtp_str reply_cut_line(struct smtp_str *text, size_t max)
{
	const char *nl = text->len ? memchr(text->data, '\n', text->len) : NULL;
	size_t n = nl ? (size_t)(nl - text->data) : text->len;
	struct smtp_str line;

	if (n <= max)
		return text_cut(text, '\n');
	n = max;
	while (n > max / 2 && text->data[n] != ' ')
		n--;
	if (text->data[n] != ' ') {
		n = max;
		/* Not within a character of UTF-8. */
		while (n > max - 4 && ((uint8_t)text->data[n] & 0xc0) == 0x80)
			n--;
	}
	line = (struct smtp_str){text->data, n};
	text->data += n;
	text->len -= n;
	text_skip_spaces(text);
	return line;
}

int smtp_reply_write(struct smtp_out *out, uint16_t code, bool enhanced, struct smtp_status status,
	struct smtp_str text, bool utf8)
{
	struct text_writer w = text_out(out);
	uint8_t class = (uint8_t)(code / 100);

	/* RFC 2034 4: on 2xx, 4xx and 5xx only, and of the same class. */
	enhanced = enhanced && (class == 2 || class == 4 || class == 5);
	if (status.class == 0 || status.subject > 999 || status.detail > 999)
		status = (struct smtp_status){};
	status.class = class;
	while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
		text.len--;
	do {
		size_t prefix = 4 + (enhanced ? sizeof("2.999.999 ") - 1 : 0);
		struct smtp_str line = reply_cut_line(&text, LINE_MAX - 2 - prefix);

		text_put_number(&w, code, 3);
		text_puts(&w, text.len ? "-" : " ");
		if (enhanced)
			reply_put_status(&w, status);
		reply_put_text(&w, line, utf8);
		text_puts(&w, "\r\n");
	} while (text.len);
	return text_out_commit(&w, out) ? 0 : -ENOBUFS;
}

/* A number of an enhanced code: 1 to 3 digits without a leading zero. Octets of it, or 0. */
static size_t reply_status_number(struct smtp_str s, uint16_t *value)
{
	size_t n = 0;

	*value = 0;
	while (n < s.len && n < 3 && text_is_digit((uint8_t)s.data[n])) {
		*value = (uint16_t)(*value * 10 + (s.data[n] - '0'));
		n++;
	}
	return n > 1 && s.data[0] == '0' ? 0 : n;
}

/* Takes an enhanced code of that class off the front of *text. */
static struct smtp_status reply_cut_status(struct smtp_str *text, uint8_t class)
{
	struct smtp_status status = {.class = class};
	struct smtp_str s = *text;
	uint16_t *parts[] = {&status.subject, &status.detail};

	if (s.len < 5 || s.data[0] != '0' + class)
		return (struct smtp_status){};
	s.data++;
	s.len--;
	for (size_t i = 0; i < 2; i++) {
		size_t n;

		if (s.len == 0 || s.data[0] != '.')
			return (struct smtp_status){};
		s.data++;
		s.len--;
		n = reply_status_number(s, parts[i]);
		if (n == 0)
			return (struct smtp_status){};
		s.data += n;
		s.len -= n;
	}
	if (s.len && s.data[0] != ' ')
		return (struct smtp_status){};
	text_skip_spaces(&s);
	*text = s;
	return status;
}

int smtp_reply_parse_line(const char *s, size_t len, bool enhanced, struct smtp_reply_line *line)
{
	uint64_t code;

	*line = (struct smtp_reply_line){};
	/* Code alone is to be taken, 4.2. 1xx is not SMTP's (4.2.1). */
	if (len < 3 || !text_number((struct smtp_str){s, 3}, &code) || code < 200 || code > 599)
		return -EINVAL;
	if (len > 3 && s[3] != ' ' && s[3] != '-')
		return -EINVAL;
	for (size_t i = 4; i < len; i++) {
		/* Octets over 127 are let pass, as RFC 6531 3.7.4 allows some; controls are not. */
		if (((uint8_t)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
			return -EINVAL;
	}
	line->code = (uint16_t)code;
	line->more = len > 3 && s[3] == '-';
	line->text = (struct smtp_str){s + (len > 3 ? 4 : 3), len > 3 ? len - 4 : 0};
	if (enhanced && (code < 300 || code >= 400))
		line->status = reply_cut_status(&line->text, (uint8_t)(code / 100));
	return 0;
}
