/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gateway/clients.h"

#include <errno.h>

#include <rte_malloc.h>

int clients_init(struct clients *c, uint32_t max_sessions, uint64_t secret, int socket_id)
{
	uint32_t size = 16;

	while (size < 2 * max_sessions)
		size *= 2;
	*c = (struct clients){.mask = size - 1, .secret = secret | 1};
	c->entries = rte_zmalloc_socket("clients", size * sizeof(c->entries[0]), 64, socket_id);
	return c->entries ? 0 : -ENOMEM;
}

void clients_fini(struct clients *c)
{
	rte_free(c->entries);
	c->entries = NULL;
}

static void clients_key(const struct ip_addr *addr, uint64_t key[2])
{
	key[0] = addr->q[0];
	key[1] = ip_addr_is_v4(addr) ? addr->q[1] : 0;
}

/* Keyed multiply-and-fold: an attacker cannot aim at one bucket without the secret. */
static uint32_t clients_hash(const struct clients *c, const uint64_t key[2])
{
	unsigned __int128 m = (unsigned __int128)(key[0] ^ c->secret) * 0x9e3779b97f4a7c15u;
	uint64_t h = (uint64_t)m ^ (uint64_t)(m >> 64);

	m = (unsigned __int128)(key[1] ^ h) * (c->secret | 1);
	h = (uint64_t)m ^ (uint64_t)(m >> 64);
	return (uint32_t)(h ^ (h >> 32));
}

/* The entry of a key, or the free one where it would go. */
static struct clients_entry *clients_find(
	const struct clients *c, const uint64_t key[2], uint32_t hash)
{
	uint32_t i = hash & c->mask;

	while (c->entries[i].count > 0 &&
		(c->entries[i].key[0] != key[0] || c->entries[i].key[1] != key[1]))
		i = (i + 1) & c->mask;
	return &c->entries[i];
}

uint32_t clients_count(const struct clients *c, const struct ip_addr *addr)
{
	uint64_t key[2];

	clients_key(addr, key);
	return clients_find(c, key, clients_hash(c, key))->count;
}

uint32_t clients_add(struct clients *c, const struct ip_addr *addr)
{
	struct clients_entry *e;
	uint64_t key[2];
	uint32_t hash;

	clients_key(addr, key);
	hash = clients_hash(c, key);
	e = clients_find(c, key, hash);
	e->key[0] = key[0];
	e->key[1] = key[1];
	e->hash = hash;
	return ++e->count;
}

/* Moves later entries of the run back over the hole, so that no tombstones pile up. */
static void clients_close_gap(struct clients *c, uint32_t hole)
{
	uint32_t i = hole;

	for (;;) {
		i = (i + 1) & c->mask;
		if (c->entries[i].count == 0)
			break;
		if (((i - c->entries[i].hash) & c->mask) >= ((i - hole) & c->mask)) {
			c->entries[hole] = c->entries[i];
			c->entries[i].count = 0;
			hole = i;
		}
	}
}

uint32_t clients_remove(struct clients *c, const struct ip_addr *addr)
{
	struct clients_entry *e;
	uint64_t key[2];
	uint32_t left;

	clients_key(addr, key);
	e = clients_find(c, key, clients_hash(c, key));
	if (e->count == 0)
		return 0;
	left = --e->count;
	if (left == 0)
		clients_close_gap(c, (uint32_t)(e - c->entries));
	return left;
}
