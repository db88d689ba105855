/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The policy map's inside, shared by its read side (map.c) and its write side (map_write.c,
 * map_clean.c).
 *
 * Versions. Every node (a domain or a prefix) says in which version it came and in which it went;
 * every partner holds its values per version. A reader loads map->snapshot once and uses only what
 * belongs to that version, so that it sees a transaction as a whole or not at all: there is no
 * state in between. The writer
 *   1. inserts new nodes with `added` = next version: in the chains, but belonging to nobody's
 * version;
 *   2. stores `removed` = next version into nodes that go: still theirs for every present reader;
 *   3. puts new values in front of each changed partner's old ones;
 *   4. publishes the snapshot of the next version: one pointer, the instant of the change;
 *   5. after a grace period no reader has an older version: takes the removed nodes out of the
 * chains;
 *   6. after another one nobody can be standing on them: frees them.
 */
#ifndef POSTGATE_DATAPLANE_POLICY_PRIVATE_H
#define POSTGATE_DATAPLANE_POLICY_PRIVATE_H

#include <urcu-qsbr.h>
#include <urcu/list.h>
#include <urcu/rculfhash.h>

#include "dataplane/policy/map.h"
#include "dataplane/policy/map_write.h"

#define POLICY_DOMAIN_MAX 253 /* octets without the trailing dot, RFC 1035 2.3.4 */
#define POLICY_LABELS_MAX 128
#define POLICY_FOREVER    UINT32_MAX

/*
 * liburcu 0.13 orders its list operations by assembly that ThreadSanitizer cannot see: tell it that
 * what was written into a node before its insertion is there for whoever finds it in the table.
 */
#if defined(__SANITIZE_THREAD__)
#define POLICY_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define POLICY_TSAN 1
#endif
#endif
#ifdef POLICY_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define policy_node_inserting(n) __tsan_release(n)
#define policy_node_found(n)     __tsan_acquire(n)
#else
#define policy_node_inserting(n) ((void)(n))
#define policy_node_found(n)     ((void)(n))
#endif

enum policy_kind {
	POLICY_KIND_DOMAIN,
	POLICY_KIND_WILDCARD, /* key without its "*." */
	POLICY_KIND_PREFIX,
};

/* Immutable once published; freed a grace period after its successor. */
struct policy_snapshot {
	uint32_t version;
	enum policy_level inbound; /* of strangers */
	uint64_t generation;
};

/* A partner's values from one version on. */
struct policy_record {
	const struct policy_record *older; // read only by readers of a version before `added`
	uint32_t added;
	uint8_t inbound;          /* enum policy_level */
	uint64_t suspended_until; /* CLOCK_REALTIME seconds: `may` at most before it; 0: never */
	char name[POLICY_NAME_MAX];
};

struct policy_partner {
	const struct policy_record *record; // control: rw (release), worker: ro (acquire)
	uint32_t id;                        // constant
	/* control thread only */
	bool fresh;   /* made by the open transaction */
	bool changed; /* in txn->changes */
	bool deleted; /* by the open transaction */
	struct policy_record *next_record;
	struct policy_node *nodes;   /* of the committed version */
	struct policy_node *staged;  /* of the open transaction */
	struct policy_partner *next; /* in txn->changes, then txn->dead */
	struct cds_list_head all;
	struct cds_lfht_node by_id;
};

struct policy_node {
	struct cds_lfht_node ht;
	struct policy_partner *partner; // constant
	struct policy_node *next;       // control only: partner->nodes, ->staged, txn->garbage
	uint32_t added;                 // constant
	uint32_t removed;               // control: rw, worker: ro, both relaxed
	uint8_t kind;                   // constant, like the rest
	uint8_t len;                    /* octets of the domain, or prefix length */
	uint8_t labels;                 /* of a domain */
	bool keep;                      // control only: the open transaction named it again
	uint8_t key[]; /* folded domain, or struct ip_addr with the bits beyond `len` zero */
};
_Static_assert(
	offsetof(struct policy_node, key) == 44, "a million domains: every octet is a megabyte");

struct policy_map {
	const struct policy_snapshot *snapshot; // control: rw (release), worker: ro (acquire)
	struct cds_lfht *domains;               // exact and wildcard
	struct cds_lfht *prefixes;
	uint64_t seed; // constant
	/* Which label counts wildcards have, and which lengths prefixes have: what is not set need
	 * not be looked for. Set before a node's version is published, cleared after its unlinking.
	 */
	uint64_t wildcard_labels[2]; // control: rw, worker: ro, both relaxed
	uint64_t prefix_lengths[3];  // likewise

	/* control thread only */
	_Alignas(64) struct cds_lfht *ids;
	struct cds_list_head partners;
	uint32_t wildcard_counts[POLICY_LABELS_MAX];
	uint32_t prefix_counts[129];
	unsigned long domain_buckets, prefix_buckets, id_buckets;
	uint64_t domain_nodes, prefix_nodes, partner_nodes; /* in the tables, staged ones too */
	uint64_t bytes;
	struct policy_txn *txn; /* the open one, or the one that is being cleaned up */
};

struct policy_key {
	const void *data; /* folded domain or masked struct ip_addr */
	uint8_t kind, len;
};

int policy_node_match(struct cds_lfht_node *ht, const void *key);
/* Domains are hashed from their end, so that one pass gives the hash of every suffix. */
static inline uint64_t policy_hash_begin(uint64_t seed)
{
	return seed ^ 0xcbf29ce484222325u;
}

static inline uint64_t policy_hash_octet(uint64_t h, uint8_t octet)
{
	return (h ^ octet) * 0x100000001b3u;
}

static inline unsigned long policy_hash_end(uint64_t h, enum policy_kind kind)
{
	h ^= (uint64_t)kind << 56;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53u;
	h ^= h >> 33;
	return h;
}

static inline unsigned long policy_hash_prefix(
	uint64_t seed, const struct ip_addr *masked, unsigned int plen)
{
	uint64_t h = seed ^ masked->q[0];

	h *= 0x9e3779b97f4a7c15u;
	h ^= h >> 32;
	h ^= masked->q[1] + plen;
	h *= 0xd6e8feb86659fd93u;
	return policy_hash_end(h, POLICY_KIND_PREFIX);
}

static inline struct ip_addr policy_mask(const struct ip_addr *a, unsigned int plen)
{
	struct ip_addr m = *a;

	for (unsigned int i = 0; i < 16; i++) {
		if (i * 8 + 8 > plen)
			m.b[i] &= i * 8 >= plen ? 0 : (uint8_t)(0xff00u >> (plen % 8));
	}
	return m;
}

/* ASCII only (RFC 4343); octets above it are compared as they are. */
static inline uint8_t policy_fold(char c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static inline bool policy_node_visible(const struct policy_node *n, uint32_t version)
{
	return n->added <= version && version < __atomic_load_n(&n->removed, __ATOMIC_RELAXED);
}

#endif
