/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The policy map, write side: for the control thread only, which is registered with QSBR
 * (rcu_register_thread()) and online during each of these calls.
 *
 * A transaction is staged item by item, prepared, published, and cleaned up; its changes become
 * visible to readers all at once at policy_txn_publish(). Readers see the state before it or the
 * state after it, never a mixture, whatever is changed (see private.h). All memory is taken
 * while staging, so that publishing cannot fail. Long work is cut by budgets (in nodes), so that
 * the control thread stays answerable under a million domains.
 *
 * One transaction at a time; it ends with POLICY_STEP_DONE from policy_txn_clean().
 */
#ifndef POSTGATE_DATAPLANE_POLICY_MAP_WRITE_H
#define POSTGATE_DATAPLANE_POLICY_MAP_WRITE_H

#include "dataplane/policy/map.h"

struct policy_txn;

/* An empty map at version 0: strangers `may`. 0, -ENOMEM, -EIO (no random seed). */
int policy_map_create(struct policy_map **out);
/* No reader and no transaction may be left. */
void policy_map_destroy(struct policy_map *map);

struct policy_map_usage {
	uint32_t partners, domains, prefixes;
	uint64_t bytes; /* of all nodes, records and buckets, allocator overhead excluded */
};
void policy_map_get_usage(const struct policy_map *map, struct policy_map_usage *usage);

/* 0, -EBUSY (one is open or being cleaned up), -ENOMEM, -EOVERFLOW (out of versions). */
int policy_txn_begin(struct policy_map *map, uint64_t generation, struct policy_txn **out);

/* For strangers. */
void policy_txn_defaults(struct policy_txn *txn, enum policy_level inbound);
/* Partners that are not set from now on are deleted. -EINVAL: after a partner was touched. */
int policy_txn_reset(struct policy_txn *txn);
/*
 * The whole record of a partner: domains and prefixes are those added next. -EALREADY: set twice in
 * one transaction; -EINVAL: name; -ENOMEM.
 */
int policy_txn_set(
	struct policy_txn *txn, uint32_t id, const char *name, enum policy_level inbound);
/* The partner that this transaction set: nothing above `may` is asked of it before `until`
 * (CLOCK_REALTIME, seconds). -ENOENT. */
int policy_txn_suspend(struct policy_txn *txn, uint32_t id, uint64_t until);
/* "example.org" or "*.example.org", any case, one trailing dot allowed. -ENOENT: partner not set in
 * this transaction; -EINVAL: no domain; -ENOMEM. The same one twice is taken once. */
int policy_txn_add_domain(struct policy_txn *txn, uint32_t id, const char *domain, size_t len);
/* Likewise; -EINVAL: length, or bits beyond it. */
int policy_txn_add_prefix(
	struct policy_txn *txn, uint32_t id, const struct ip_addr *addr, unsigned int plen);
/* -ENOENT; -EALREADY: set in this transaction. */
int policy_txn_delete(struct policy_txn *txn, uint32_t id);

/*
 * Checks the transaction as a whole. -EAGAIN: budget used up, call again; 0: may be published;
 * -EEXIST: a domain or prefix of two partners, *err names it.
 */
int policy_txn_prepare(struct policy_txn *txn, unsigned int budget, char *err, size_t err_size);
/* After policy_txn_prepare() gave 0: the instant of the change. Then clean. */
void policy_txn_publish(struct policy_txn *txn);
/* Instead of publishing, at any stage: nothing was changed. Then clean. */
void policy_txn_abort(struct policy_txn *txn);

enum policy_step {
	POLICY_STEP_AGAIN, /* call again, at leisure */
	POLICY_STEP_GRACE, /* call again after a grace period that begins now */
	POLICY_STEP_DONE,  /* the transaction is gone */
};
enum policy_step policy_txn_clean(struct policy_txn *txn, unsigned int budget);

#endif
