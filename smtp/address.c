/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/address.h"

#include <errno.h>
#include <string.h>

#include "smtp/text.h"

#define LABEL_MAX 63

size_t smtp_utf8_len(const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;
	uint8_t low = 0x80, high = 0xbf;
	size_t n;

	if (len == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		n = 2;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		n = 3;
		if (p[0] == 0xe0)
			low = 0xa0;
		else if (p[0] == 0xed)
			high = 0x9f;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		n = 4;
		if (p[0] == 0xf0)
			low = 0x90;
		else if (p[0] == 0xf4)
			high = 0x8f;
	} else {
		return 0;
	}
	if (len < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

/* Octets of the run of characters that `is` accepts, or of valid UTF-8. */
static size_t address_span(const char *s, size_t len, bool (*is)(uint8_t c))
{
	size_t i = 0;

	while (i < len) {
		size_t n = (uint8_t)s[i] < 0x80 ? is((uint8_t)s[i]) : smtp_utf8_len(s + i, len - i);

		if (n == 0)
			break;
		i += n;
	}
	return i;
}

static bool is_atext(uint8_t c)
{
	return text_is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_label(uint8_t c)
{
	return text_is_alnum(c) || c == '-' || c == '_';
}

/* Dot-string, 4.1.2. Octets of it, 0 if none. */
static size_t address_dot_string(const char *s, size_t len)
{
	size_t i = 0;

	for (;;) {
		size_t n = address_span(s + i, len - i, is_atext);

		if (n == 0)
			return 0;
		i += n;
		if (i == len || s[i] != '.')
			return i;
		i++;
	}
}

/* Quoted-string, 4.1.2: only graphic characters and the space, a backslash takes one of them with
 * it. */
static size_t address_quoted_string(const char *s, size_t len)
{
	size_t i = 1;

	while (i < len && s[i] != '"') {
		size_t n;

		if (s[i] == '\\') {
			if (++i == len || (uint8_t)s[i] >= 0x80)
				return 0;
		}
		if ((uint8_t)s[i] < ' ' || s[i] == 0x7f)
			return 0;
		n = smtp_utf8_len(s + i, len - i);
		if (n == 0)
			return 0;
		i += n;
	}
	return i < len ? i + 1 : 0;
}

/* Domain, 4.1.2. Octets of it, 0 if none. */
static size_t address_domain(const char *s, size_t len)
{
	size_t i = 0;

	for (;;) {
		size_t n = address_span(s + i, len - i, is_label);

		/* The limit of a label is that of its A-label, which UTF-8 may be longer than. */
		if (n == 0 || (n > LABEL_MAX && text_is_ascii(s + i, n)) || s[i] == '-' ||
			s[i + n - 1] == '-')
			return 0;
		i += n;
		if (i == len || s[i] != '.')
			return i <= SMTP_DOMAIN_MAX ? i : 0;
		i++;
	}
}

bool smtp_domain_valid(const char *s, size_t len)
{
	return len && address_domain(s, len) == len;
}

/* A-d-l ":", appendix C. Octets of it with the colon, 0 if it is not one. */
static size_t address_route(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len && s[i] == '@') {
		size_t n = address_domain(s + i + 1, len - i - 1);

		if (n == 0)
			return 0;
		i += n + 1;
		if (i < len && s[i] == ':')
			return i + 1;
		if (i == len || s[i] != ',')
			return 0;
		i++;
	}
	return 0;
}

static size_t address_literal(const char *s, size_t len)
{
	const char *end = memchr(s, ']', len);
	size_t n = end ? (size_t)(end - s) + 1 : 0;

	return n && smtp_literal_valid(s, n) ? n : 0;
}

int smtp_path_parse(
	const char *s, size_t len, enum smtp_path_kind kind, struct smtp_path *path, size_t *used)
{
	size_t i = 1, raw, n;

	*path = (struct smtp_path){};
	if (len < 2 || s[0] != '<')
		return -EINVAL;
	if (s[1] == '>') {
		path->raw.data = path->local.data = path->domain.data = s + 1;
		*used = 2;
		return kind == SMTP_PATH_REVERSE ? 0 : -EINVAL;
	}
	if (s[i] == '@') {
		n = address_route(s + i, len - i);
		if (n == 0)
			return -EINVAL;
		i += n;
		if (i == len)
			return -EINVAL;
	}
	raw = i;
	n = s[i] == '"' ? address_quoted_string(s + i, len - i)
			: address_dot_string(s + i, len - i);
	if (n == 0)
		return -EINVAL;
	path->local = (struct smtp_str){s + i, n};
	i += n;
	if (i == len)
		return -EINVAL;
	if (s[i] == '@') {
		i++;
		path->literal = i < len && s[i] == '[';
		n = path->literal ? address_literal(s + i, len - i)
				  : address_domain(s + i, len - i);
		if (n == 0)
			return -EINVAL;
		path->domain = (struct smtp_str){s + i, n};
		i += n;
	} else if (kind == SMTP_PATH_FORWARD && raw == 1 &&
		   text_equal_case(path->local, "Postmaster")) {
		path->domain = (struct smtp_str){s + i, 0};
	} else {
		return -EINVAL;
	}
	if (i == len || s[i] != '>')
		return -EINVAL;
	path->raw = (struct smtp_str){s + raw, i - raw};
	*used = i + 1;
	/* 4.5.3.1.3. The 64 octets of 4.5.3.1.1 for the local part are what everyone must take, not
	 * what may be refused: bounce addresses (VERP, SRS, BATV) are longer. */
	if (path->raw.len + 2 > SMTP_PATH_MAX)
		return -EINVAL;
	path->utf8 = !text_is_ascii(path->raw.data, path->raw.len);
	return 0;
}
