/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int address_parse(const char *text, struct address *out)
{
	struct address a;

	if (inet_pton(AF_INET, text, a.b + 12) == 1)
		memcpy(a.b, v4_mapped, sizeof(v4_mapped));
	else if (inet_pton(AF_INET6, text, a.b) != 1)
		return -EINVAL;
	*out = a;
	return 0;
}

bool address_is_v4(const struct address *a)
{
	return memcmp(a->b, v4_mapped, sizeof(v4_mapped)) == 0;
}

bool address_is_unspecified(const struct address *a)
{
	static const uint8_t zero[16];

	return memcmp(a->b + 12, zero, 4) == 0 && (address_is_v4(a) || memcmp(a->b, zero, 12) == 0);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a->b, b->b, 16) == 0;
}

bool address_is_link_local(const struct address *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool address_is_host(const struct address *a)
{
	static const uint8_t zero[12];

	if (address_is_unspecified(a))
		return false;
	if (address_is_v4(a))
		return a->b[12] < 224 && a->b[12] != 127 && a->b[12] != 0;
	/* ::/96 holds ::1 and the deprecated IPv4-compatible ones (RFC 4291 2.5.3, 2.5.5.1). */
	return a->b[0] != 0xff && memcmp(a->b, zero, sizeof(zero)) != 0;
}

void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
	if (address_is_v4(a))
		inet_ntop(AF_INET, a->b + 12, out, ADDRESS_TEXT_MAX);
	else
		inet_ntop(AF_INET6, a->b, out, ADDRESS_TEXT_MAX);
}

int prefix_parse(const char *text, struct prefix *out)
{
	char addr[ADDRESS_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	struct prefix p = {.len = 128};
	unsigned long n;
	char *end;
	bool v4;

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (address_parse(addr, &p.addr) < 0)
		return -EINVAL;
	if (slash != NULL) {
		if (slash[1] < '0' || slash[1] > '9')
			return -EINVAL;
		v4 = address_is_v4(&p.addr);
		n = strtoul(slash + 1, &end, 10);
		if (*end != '\0' || n > (v4 ? 32 : 128))
			return -EINVAL;
		p.len = (uint8_t)(v4 ? 96 + n : n);
	}
	*out = p;
	return 0;
}

bool prefix_has_host_bits(const struct prefix *p)
{
	for (unsigned int bit = p->len; bit < 128; bit++)
		if (p->addr.b[bit / 8] & (0x80 >> bit % 8))
			return true;
	return false;
}

bool prefix_contains(const struct prefix *p, const struct address *a)
{
	unsigned int bytes = p->len / 8, bits = p->len % 8;

	if (memcmp(a->b, p->addr.b, bytes) != 0)
		return false;
	return bits == 0 || ((a->b[bytes] ^ p->addr.b[bytes]) >> (8 - bits)) == 0;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && address_equal(&a->addr, &b->addr);
}

void prefix_format(const struct prefix *p, char out[PREFIX_TEXT_MAX])
{
	char addr[ADDRESS_TEXT_MAX];
	bool v4 = address_is_v4(&p->addr) && p->len >= 96;

	address_format(&p->addr, addr);
	if (p->len == 128)
		snprintf(out, PREFIX_TEXT_MAX, "%s", addr);
	else
		snprintf(out, PREFIX_TEXT_MAX, "%s/%d", addr, v4 ? p->len - 96 : p->len);
}
