/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address literals, RFC 5321 4.1.3.
 */
#include "smtp/address.h"
#include "smtp/text.h"

/* Four numbers up to 255. No leading zeros: they would be octal to some. */
static bool literal_is_ip4(struct smtp_str s)
{
	for (unsigned i = 0; i < 4; i++) {
		bool more = s.len && memchr(s.data, '.', s.len);
		struct smtp_str part = text_cut(&s, '.');
		uint64_t value;

		if (more != (i < 3) || part.len > 3 || !text_number(part, &value) || value > 255 ||
			(part.len > 1 && part.data[0] == '0'))
			return false;
	}
	return true;
}

static bool literal_is_hex(uint8_t c)
{
	return text_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool literal_is_ip6(struct smtp_str s)
{
	bool compressed = s.len >= 2 && s.data[0] == ':' && s.data[1] == ':';
	size_t i = compressed ? 2 : 0, n;
	unsigned groups = 0;

	while (i < s.len) {
		for (n = 0; i + n < s.len && literal_is_hex((uint8_t)s.data[i + n]); n++)
			;
		if (n == 0 || n > 4)
			return false;
		if (i + n < s.len && s.data[i + n] == '.') {
			if (!literal_is_ip4((struct smtp_str){s.data + i, s.len - i}))
				return false;
			groups += 2;
			break;
		}
		groups++;
		i += n;
		if (i == s.len)
			break;
		if (s.data[i++] != ':' || i == s.len)
			return false;
		if (s.data[i] == ':') {
			if (compressed)
				return false;
			compressed = true;
			i++;
		}
	}
	return compressed ? groups < 8 : groups == 8;
}

/* General-address-literal: Ldh-str ":" 1*dcontent. */
static bool literal_is_general(struct smtp_str tag, struct smtp_str content)
{
	if (!tag.len || tag.data[tag.len - 1] == '-' || !content.len)
		return false;
	for (size_t i = 0; i < tag.len; i++) {
		if (!text_is_alnum((uint8_t)tag.data[i]) && tag.data[i] != '-')
			return false;
	}
	for (size_t i = 0; i < content.len; i++) {
		char c = content.data[i];

		if (c < '!' || c > '~' || (c >= '[' && c <= ']'))
			return false;
	}
	return true;
}

bool smtp_literal_valid(const char *s, size_t len)
{
	struct smtp_str content, tag;

	if (len < 3 || len > SMTP_DOMAIN_MAX || s[0] != '[' || s[len - 1] != ']')
		return false;
	content = (struct smtp_str){s + 1, len - 2};
	if (literal_is_ip4(content))
		return true;
	if (!memchr(content.data, ':', content.len))
		return false;
	tag = text_cut(&content, ':');
	return text_equal_case(tag, "IPv6") ? literal_is_ip6(content)
					    : literal_is_general(tag, content);
}
