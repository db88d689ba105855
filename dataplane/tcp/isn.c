/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/isn.h"

#include "dataplane/tcp/siphash.h"

/* The clock goes round in 4.77 hours; the key changes then, so that no number ever compares with
 * one of another key within a segment's lifetime more often than the clock itself lets it. */
#define ISN_EPOCH_NS    (4000ull << 32)
#define COOKIE_EPOCH_NS (64000 * TCP_NS_PER_MS)

static void derive(uint8_t out[16], const uint8_t master[32], uint64_t label)
{
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t in[4] = {label, i}, h;

		memcpy(&in[2], master + 16, 16);
		h = siphash24(master, in, sizeof(in));
		memcpy(out + 8 * i, &h, 8);
	}
}

void tcp_secrets_init(struct tcp_stack *s)
{
	const uint8_t *m = s->config.secret;

	derive(s->key_cookie, m, 2);
	derive(s->key_ts, m, 3);
	derive(s->key_table, m, 4);
	derive(s->key_ports, m, 5);
	s->isn_epoch = UINT64_MAX;
}

uint32_t tcp_isn(struct tcp_stack *s, const struct tcp_key *key, uint64_t now)
{
	uint64_t epoch = now / ISN_EPOCH_NS;

	if (epoch != s->isn_epoch) {
		derive(s->key_isn, s->config.secret, 1000 + epoch);
		s->isn_epoch = epoch;
	}
	return (uint32_t)(now / 4000) + (uint32_t)siphash24(s->key_isn, key, sizeof(*key));
}

uint32_t tcp_ts_offset(const struct tcp_stack *s, const struct tcp_key *key)
{
	struct ip_addr pair[2] = {key->local, key->remote};

	return (uint32_t)siphash24(s->key_ts, pair, sizeof(pair));
}

/*
 * A cookie: 24 bits of a keyed hash over the connection, the peer's ISN, the epoch and the low
 * byte; that byte is MSS (3 bits), window scale (3), SACK (1), and the parity of the epoch (1),
 * whitened with the hash's next byte so that ISNs do not all end alike.
 */
static const uint16_t cookie_mss[8] = {216, 536, 1160, 1220, 1380, 1400, 1440, 1460};
static const uint8_t cookie_wscale[8] = {0xff, 0, 3, 5, 6, 7, 8, 10};

struct cookie_input {
	struct tcp_key key;
	uint32_t irs;
	uint64_t epoch;
	uint64_t bits;
} __attribute__((packed));

static uint64_t cookie_hash(const struct tcp_stack *s, const struct tcp_key *key, uint32_t irs,
	uint64_t epoch, uint8_t bits)
{
	struct cookie_input in = {.key = *key, .irs = irs, .epoch = epoch, .bits = bits};

	return siphash24(s->key_cookie, &in, sizeof(in));
}

/* Of the connection alone, so that it can be taken off again before the bits are known. */
static uint8_t cookie_mask(const struct tcp_stack *s, const struct tcp_key *key, uint32_t irs)
{
	return (uint8_t)(cookie_hash(s, key, irs, UINT64_MAX, 0) >> 32);
}

uint32_t tcp_cookie_make(struct tcp_stack *s, const struct tcp_key *key, uint32_t irs,
	const struct tcp_cookie *c, uint64_t now)
{
	uint64_t epoch = now / COOKIE_EPOCH_NS;
	unsigned int mss = 7, wscale = 0;
	uint8_t bits;

	while (mss > 0 && cookie_mss[mss] > c->mss)
		mss--;
	/* Rounded down: a window that is a little too small is only slow. */
	if (c->wscale != 0xff) {
		wscale = 7;
		while (wscale > 1 && cookie_wscale[wscale] > c->wscale)
			wscale--;
	}
	bits = (uint8_t)(mss << 5 | wscale << 2 | (c->sack ? 2u : 0u) | (epoch & 1));
	return (uint32_t)cookie_hash(s, key, irs, epoch, bits) << 8 |
	       (uint8_t)(bits ^ cookie_mask(s, key, irs));
}

bool tcp_cookie_check(struct tcp_stack *s, const struct tcp_key *key, uint32_t irs, uint32_t iss,
	struct tcp_cookie *c, uint64_t now)
{
	uint8_t bits = (uint8_t)iss ^ cookie_mask(s, key, irs);
	uint64_t epoch = now / COOKIE_EPOCH_NS;

	if ((bits & 1) != (epoch & 1)) {
		if (epoch == 0)
			return false;
		epoch--;
	}
	if (((uint32_t)cookie_hash(s, key, irs, epoch, bits) & 0xffffff) != iss >> 8)
		return false;
	c->mss = cookie_mss[bits >> 5];
	c->wscale = cookie_wscale[bits >> 2 & 7];
	c->sack = bits & 2;
	return true;
}
