/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash (Aumasson, Bernstein, 2012): a keyed hash that who does not know the key can neither
 * predict nor collide. 2-4 where the value goes onto the wire (ISN by RFC 6528, SYN cookies), 1-3
 * where it stays inside (tables).
 */
#ifndef POSTGATE_DATAPLANE_TCP_SIPHASH_H
#define POSTGATE_DATAPLANE_TCP_SIPHASH_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t siphash_rotl(uint64_t x, unsigned int b)
{
	return x << b | x >> (64 - b);
}

static inline uint64_t siphash_load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

struct siphash_state {
	uint64_t v0, v1, v2, v3;
};

static inline void siphash_round(struct siphash_state *s)
{
	s->v0 += s->v1;
	s->v1 = siphash_rotl(s->v1, 13) ^ s->v0;
	s->v0 = siphash_rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = siphash_rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = siphash_rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = siphash_rotl(s->v1, 17) ^ s->v2;
	s->v2 = siphash_rotl(s->v2, 32);
}

static inline uint64_t siphash(
	const uint8_t key[16], const void *data, size_t len, unsigned int c, unsigned int d)
{
	const uint8_t *p = data, *end = p + (len & ~(size_t)7);
	uint64_t k0 = siphash_load64(key), k1 = siphash_load64(key + 8), b = (uint64_t)len << 56;
	struct siphash_state s = {
		.v0 = k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = k1 ^ UINT64_C(0x7465646279746573),
	};

	for (; p != end; p += 8) {
		uint64_t m = siphash_load64(p);

		s.v3 ^= m;
		for (unsigned int i = 0; i < c; i++)
			siphash_round(&s);
		s.v0 ^= m;
	}
	for (size_t i = 0; i < (len & 7); i++)
		b |= (uint64_t)p[i] << (8 * i);
	s.v3 ^= b;
	for (unsigned int i = 0; i < c; i++)
		siphash_round(&s);
	s.v0 ^= b;
	s.v2 ^= 0xff;
	for (unsigned int i = 0; i < d; i++)
		siphash_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static inline uint64_t siphash24(const uint8_t key[16], const void *data, size_t len)
{
	return siphash(key, data, len, 2, 4);
}

static inline uint64_t siphash13(const uint8_t key[16], const void *data, size_t len)
{
	return siphash(key, data, len, 1, 3);
}

#endif
