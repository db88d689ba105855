/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/name.h"

#include <errno.h>
#include <string.h>

#define LABEL_MAX    63
#define POINTERS_MAX 64 /* of one name; each must go backwards anyway */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int name_normalize(const char *text, char out[NAME_MAX_TEXT])
{
	size_t len = strlen(text), label = 0;
	bool number = true;

	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len == 0 || len >= NAME_MAX_TEXT)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		char c = lower(text[i]);

		out[i] = c;
		if (c == '.') {
			if (label == 0 || out[i - 1] == '-')
				return -EINVAL;
			label = 0;
			continue;
		}
		if (!is_label_char(c) || ++label > LABEL_MAX || (c == '-' && label == 1))
			return -EINVAL;
		number = number && is_digit(c);
	}
	out[len] = '\0';
	return label == 0 || out[len - 1] == '-' || number ? -EINVAL : 0;
}

int name_from_wire(const uint8_t *msg, size_t len, size_t at, char out[NAME_MAX_TEXT], size_t *next)
{
	size_t n = 0, pointers = 0;
	bool jumped = false, odd = false;

	for (;;) {
		if (at >= len)
			return -EBADMSG;
		uint8_t c = msg[at++];

		if (c >= 0xc0) {
			size_t to;

			if (at >= len || ++pointers > POINTERS_MAX)
				return -EBADMSG;
			to = (size_t)(c & 0x3f) << 8 | msg[at];
			if (!jumped)
				*next = at + 1;
			jumped = true;
			if (to >= at - 1)
				return -EBADMSG;
			at = to;
			continue;
		}
		if (c > LABEL_MAX || c > len - at)
			return -EBADMSG;
		if (c == 0)
			break;
		if (n + (n > 0) + c >= NAME_MAX_TEXT)
			return -EBADMSG;
		if (n > 0)
			out[n++] = '.';
		for (size_t i = 0; i < c; i++) {
			out[n] = lower((char)msg[at + i]);
			odd = odd || !is_label_char(out[n]);
			n++;
		}
		at += c;
	}
	out[n] = '\0';
	if (!jumped)
		*next = at;
	return odd ? -EILSEQ : 0;
}

static uint64_t rotl(uint64_t v, unsigned int n)
{
	return v << n | v >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

uint64_t name_hash(const uint64_t key[2], const char *name)
{
	uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d), key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573)};
	size_t len = strlen(name), i = 0;
	uint64_t m;

	for (; i + 8 <= len; i += 8) {
		memcpy(&m, name + i, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	m = 0;
	memcpy(&m, name + i, len - i);
	m |= (uint64_t)len << 56;
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
