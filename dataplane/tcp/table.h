/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connections of one worker by address and port. Keyed SipHash; buckets of one cache line with
 * seven entries (a pointer and 16 bits of the hash in one word), so that a hit costs that line and
 * the node's, a miss mostly that line alone. A full bucket passes entries on along a probe sequence
 * and counts them (the overflow counts of folly's F14): a lookup stops where nobody went past, and
 * removing leaves no tombstones. Sized once; as many nodes as it was made for always fit. Internal.
 */
#ifndef POSTGATE_DATAPLANE_TCP_TABLE_H
#define POSTGATE_DATAPLANE_TCP_TABLE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/addr.h"

struct tcp_key {
	struct ip_addr local, remote;
	uint16_t local_port, remote_port; /* host byte order */
};
static_assert(sizeof(struct tcp_key) == 36, "the hash covers the key's bytes: no padding");

enum tcp_node_kind {
	TCP_NODE_CONN = 1,
	TCP_NODE_SYN,
	TCP_NODE_TIME_WAIT,
};

/* First member of what is in the table. */
struct tcp_node {
	struct tcp_key key;
	uint8_t kind;   /* enum tcp_node_kind */
	uint8_t aux[3]; /* the owner's */
};
static_assert(sizeof(struct tcp_node) == 40, "hot state of a connection counts on it");

struct tcp_table;

/* 0 or -ENOMEM, -EINVAL (no node, or too many). */
int tcp_table_create(
	uint32_t max_nodes, const uint8_t key[16], int socket_id, struct tcp_table **out);
void tcp_table_destroy(struct tcp_table *t);
uint32_t tcp_table_hash(const struct tcp_table *t, const struct tcp_key *k);
/* For a burst: hash and prefetch all first, then find each. */
void tcp_table_prefetch(const struct tcp_table *t, uint32_t hash);
struct tcp_node *tcp_table_find(const struct tcp_table *t, const struct tcp_key *k, uint32_t hash);
/* The key must not be there yet. 0 or -ENOSPC (max_nodes are in). */
int tcp_table_insert(struct tcp_table *t, struct tcp_node *n, uint32_t hash);
/* Nothing happens if it is not in. */
void tcp_table_remove(struct tcp_table *t, struct tcp_node *n);
/* Puts `with` in the place of `old`, which must be in and have the same key. */
void tcp_table_replace(struct tcp_table *t, struct tcp_node *old, struct tcp_node *with);
uint32_t tcp_table_count(const struct tcp_table *t);
/* At most `max` calls, from *cursor (0 at first) on; false when through. A node that stays in over
 * the whole iteration is seen exactly once, `fn` may remove the node that it is given. */
bool tcp_table_foreach(const struct tcp_table *t, uint32_t *cursor, uint32_t max,
	void (*fn)(void *arg, struct tcp_node *n), void *arg);

#endif
