/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An IP address of either family, in network byte order. IPv4 is held in its IPv4-mapped IPv6 form
 * (::ffff:a.b.c.d, RFC 4291 2.5.5.2), so that every table has one key for both families.
 * Prefix lengths always count on the 128-bit form: 192.0.2.0/24 has length 120.
 */
#ifndef POSTGATE_DATAPLANE_NET_ADDR_H
#define POSTGATE_DATAPLANE_NET_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct ip_addr {
	union {
		uint8_t b[16];
		uint32_t w[4];
		/* Packed, so that an address needs the alignment of its words only: a key of two of
		 * them and two ports has no hole. */
		uint64_t q[2] __attribute__((packed, aligned(4)));
	};
};

/* `v4` in network byte order. */
static inline struct ip_addr ip_addr_from_v4(uint32_t v4)
{
	return (struct ip_addr){.w = {0, 0, htonl(0xffff), v4}};
}

static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
	return a->q[0] == 0 && a->w[2] == htonl(0xffff);
}

/* Network byte order; only for an address of which ip_addr_is_v4() holds. */
static inline uint32_t ip_addr_v4(const struct ip_addr *a)
{
	return a->w[3];
}

static inline bool ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return ((a->q[0] ^ b->q[0]) | (a->q[1] ^ b->q[1])) == 0;
}

static inline bool ip_addr_is_unspecified(const struct ip_addr *a)
{
	return (a->q[0] | a->q[1]) == 0 || (ip_addr_is_v4(a) && a->w[3] == 0);
}

/* Whether the first `plen` (0..128) bits agree. */
static inline bool ip_addr_in_prefix(
	const struct ip_addr *a, const struct ip_addr *prefix, unsigned int plen)
{
	unsigned int bytes = plen / 8, bits = plen % 8;

	if (memcmp(a->b, prefix->b, bytes) != 0)
		return false;
	return bits == 0 || ((a->b[bytes] ^ prefix->b[bytes]) >> (8 - bits)) == 0;
}

#endif
