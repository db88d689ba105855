/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/table.h"

#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "dataplane/tcp/siphash.h"

#define SLOTS        7
#define POINTER_BITS 48 /* what user space has on x86-64 and arm64 */
#define POINTER_MASK ((UINT64_C(1) << POINTER_BITS) - 1)
#define NODES_MAX    (1u << 28)
/* Nodes a bucket when full: few overflows, and still half a cache line's worth of memory a node. */
#define NODES_PER_BUCKET 4

struct tcp_bucket {
	uint32_t passed; /* nodes whose probe sequence went over this bucket */
	uint32_t unused;
	uint64_t slots[SLOTS]; /* tag << POINTER_BITS | pointer; 0: free */
} __rte_cache_aligned;
static_assert(sizeof(struct tcp_bucket) == RTE_CACHE_LINE_MIN_SIZE, "one line a lookup");

struct tcp_table {
	uint32_t mask;
	uint32_t count, max;
	uint8_t key[16];
	struct tcp_bucket buckets[];
};

/* A sequence over all buckets: the step is odd and their number a power of two. */
struct probe {
	uint32_t bucket, step;
	uint64_t tag;
};

static struct probe probe_start(const struct tcp_table *t, uint32_t hash)
{
	uint32_t tag = hash >> 16;

	return (struct probe){hash & t->mask, 2 * tag + 1, (uint64_t)tag << POINTER_BITS};
}

static void probe_next(const struct tcp_table *t, struct probe *p)
{
	p->bucket = (p->bucket + p->step) & t->mask;
}

static uint64_t slot_make(const struct probe *p, const struct tcp_node *n)
{
	assert(((uintptr_t)n & ~POINTER_MASK) == 0);
	return p->tag | (uintptr_t)n;
}

static struct tcp_node *slot_node(uint64_t slot)
{
	return (struct tcp_node *)(uintptr_t)(slot & POINTER_MASK);
}

int tcp_table_create(
	uint32_t max_nodes, const uint8_t key[16], int socket_id, struct tcp_table **out)
{
	struct tcp_table *t;
	uint32_t buckets;

	if (max_nodes == 0 || max_nodes > NODES_MAX)
		return -EINVAL;
	buckets = rte_align32pow2((max_nodes + NODES_PER_BUCKET - 1) / NODES_PER_BUCKET);
	t = rte_zmalloc_socket("tcp_table", sizeof(*t) + (size_t)buckets * sizeof(t->buckets[0]),
		RTE_CACHE_LINE_SIZE, socket_id);
	if (!t)
		return -ENOMEM;
	t->mask = buckets - 1;
	t->max = max_nodes;
	memcpy(t->key, key, sizeof(t->key));
	*out = t;
	return 0;
}

void tcp_table_destroy(struct tcp_table *t)
{
	rte_free(t);
}

uint32_t tcp_table_hash(const struct tcp_table *t, const struct tcp_key *k)
{
	return (uint32_t)siphash13(t->key, k, sizeof(*k));
}

void tcp_table_prefetch(const struct tcp_table *t, uint32_t hash)
{
	rte_prefetch0(&t->buckets[hash & t->mask]);
}

static bool key_equal(const struct tcp_key *a, const struct tcp_key *b)
{
	return a->remote_port == b->remote_port && a->local_port == b->local_port &&
	       ip_addr_equal(&a->remote, &b->remote) && ip_addr_equal(&a->local, &b->local);
}

struct tcp_node *tcp_table_find(const struct tcp_table *t, const struct tcp_key *k, uint32_t hash)
{
	struct probe p = probe_start(t, hash);

	for (;;) {
		const struct tcp_bucket *b = &t->buckets[p.bucket];

		for (unsigned int i = 0; i < SLOTS; i++) {
			if (b->slots[i] != 0 && (b->slots[i] & ~POINTER_MASK) == p.tag &&
				key_equal(&slot_node(b->slots[i])->key, k))
				return slot_node(b->slots[i]);
		}
		if (b->passed == 0)
			return NULL;
		probe_next(t, &p);
	}
}

int tcp_table_insert(struct tcp_table *t, struct tcp_node *n, uint32_t hash)
{
	struct probe p = probe_start(t, hash);

	if (t->count == t->max)
		return -ENOSPC;
	t->count++;
	/* There is room: 7 slots for every 4 nodes at most, and the sequence sees every bucket. */
	for (;;) {
		struct tcp_bucket *b = &t->buckets[p.bucket];

		for (unsigned int i = 0; i < SLOTS; i++) {
			if (b->slots[i] == 0) {
				b->slots[i] = slot_make(&p, n);
				return 0;
			}
		}
		b->passed++;
		probe_next(t, &p);
	}
}

/* Walks to the slot of a node that is in. The last bucket visited is p->bucket. */
static uint64_t *slot_find(struct tcp_table *t, const struct tcp_node *n, struct probe *p)
{
	for (;;) {
		struct tcp_bucket *b = &t->buckets[p->bucket];

		for (unsigned int i = 0; i < SLOTS; i++) {
			if (b->slots[i] != 0 && slot_node(b->slots[i]) == n)
				return &b->slots[i];
		}
		if (b->passed == 0)
			return NULL;
		probe_next(t, p);
	}
}

void tcp_table_remove(struct tcp_table *t, struct tcp_node *n)
{
	struct probe start = probe_start(t, tcp_table_hash(t, &n->key)), end = start;
	uint64_t *slot = slot_find(t, n, &end);

	if (slot == NULL)
		return;
	*slot = 0;
	t->count--;
	for (; start.bucket != end.bucket; probe_next(t, &start))
		t->buckets[start.bucket].passed--;
}

void tcp_table_replace(struct tcp_table *t, struct tcp_node *old, struct tcp_node *with)
{
	struct probe p = probe_start(t, tcp_table_hash(t, &old->key));
	uint64_t *slot = slot_find(t, old, &p);

	assert(slot != NULL && key_equal(&old->key, &with->key));
	*slot = slot_make(&p, with);
}

uint32_t tcp_table_count(const struct tcp_table *t)
{
	return t->count;
}

bool tcp_table_foreach(const struct tcp_table *t, uint32_t *cursor, uint32_t max,
	void (*fn)(void *arg, struct tcp_node *n), void *arg)
{
	uint64_t total = ((uint64_t)t->mask + 1) * SLOTS;

	/* Empty slots cost little but not nothing: eight of them count as one call. */
	for (uint64_t left = 8 * (uint64_t)max; *cursor < total; ++*cursor) {
		uint64_t slot = t->buckets[*cursor / SLOTS].slots[*cursor % SLOTS];
		uint64_t cost = slot != 0 ? 8 : 1;

		if (left < cost)
			return true;
		left -= cost;
		if (slot != 0)
			fn(arg, slot_node(slot));
	}
	return false;
}
