// SPDX-License-Identifier: BSD-3-Clause
/*
 * Readers and one writer on random sets, for 200 generations (or argv[1]). The writer notes what
 * each generation says of every key before it publishes it; a reader compares every verdict with
 * the generation that the verdict itself names. A mixture of two states cannot pass. Meant for
 * ThreadSanitizer and AddressSanitizer as well: what is freed too early is seen by them.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "dataplane/policy/private.h"

#define READERS     3
#define PARTNERS    10
#define KEYS        48    /* a third exact, a third wildcard, a third prefixes */
#define LOOKUPS_MIN 10000 /* while the writer changes things, before it may stop */
#define KEPT        16    /* generations remembered; readers are at most one behind */

struct expectation {
	uint32_t owner[KEYS];
	uint8_t level[PARTNERS + 1];
	uint8_t strangers;
};

static struct expectation model[KEPT];
static struct policy_map *map;
static atomic_bool stop;
static atomic_ulong lookups;
#ifdef POLICY_TSAN
static char quiescent[READERS]; /* addresses for it to order by */
#endif

/* A key as it is looked up. */
static void key_query(unsigned int k, char *domain, size_t size, struct ip_addr *client)
{
	*client = ip_addr_from_v4(htonl(0xcb007109));
	domain[0] = '\0';
	if (k % 3 == 0)
		snprintf(domain, size, "K%u.example", k);
	else if (k % 3 == 1)
		snprintf(domain, size, "a.b.k%u.example", k);
	else
		*client = ip_addr_from_v4(htonl(0x0a000001u | k << 16));
}

static int key_add(struct policy_txn *txn, uint32_t id, unsigned int k)
{
	struct ip_addr a = ip_addr_from_v4(htonl(0x0a000000u | k << 16));
	char domain[32];

	if (k % 3 == 2)
		return policy_txn_add_prefix(txn, id, &a, 96 + 16 + k % 5 * 2);
	snprintf(domain, sizeof(domain), "%sk%u.example", k % 3 == 1 ? "*." : "", k);
	return policy_txn_add_domain(txn, id, domain, strlen(domain));
}

static void fail(const char *what, uint64_t generation, unsigned int k, uint32_t got, uint32_t want)
{
	fprintf(stderr, "%s: generation %" PRIu64 " key %u: %u, expected %u\n", what, generation, k,
		got, want);
	abort();
}

static void *reader(void *arg)
{
	unsigned int self = (unsigned int)(uintptr_t)arg, seed = self + 1;
	uint64_t last = 0;
	unsigned long n = 0;

	rcu_register_thread();
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		for (int i = 0; i < 32; i++) {
			unsigned int k = (unsigned int)rand_r(&seed) % KEYS;
			const struct expectation *e;
			struct policy_verdict v;
			struct ip_addr client;
			char domain[32];

			key_query(k, domain, sizeof(domain), &client);
			policy_inbound(map, domain, strlen(domain), &client, 1000, &v);
			if (v.generation < last)
				fail("went back", v.generation, k, (uint32_t)v.generation,
					(uint32_t)last);
			last = v.generation;
			e = &model[v.generation % KEPT];
			if (v.partner_id != e->owner[k])
				fail("partner", v.generation, k, v.partner_id, e->owner[k]);
			if (v.level != (v.partner_id != 0 ? e->level[v.partner_id] : e->strangers))
				fail("level", v.generation, k, v.level, e->level[v.partner_id]);
			if (v.partner_id != 0 &&
				(v.partner[0] != 'p' || v.partner[1] != 'a' + (char)v.level))
				fail("name", v.generation, k, (uint32_t)v.partner[1],
					'a' + v.level);
			n++;
		}
#ifdef POLICY_TSAN
		__tsan_release(&quiescent[self]);
#endif
		rcu_quiescent_state();
		atomic_fetch_add_explicit(&lookups, n, memory_order_relaxed);
		n = 0;
	}
	rcu_unregister_thread();
	return NULL;
}

static void grace(void)
{
	synchronize_rcu();
#ifdef POLICY_TSAN
	for (int i = 0; i < READERS; i++)
		__tsan_acquire(&quiescent[i]);
#endif
}

static void clean(struct policy_txn *txn)
{
	enum policy_step step;

	while ((step = policy_txn_clean(txn, 7)) != POLICY_STEP_DONE) {
		if (step == POLICY_STEP_GRACE)
			grace();
	}
}

/* One random transaction on top of `e`, which becomes what it leads to. */
static void transaction(uint64_t generation, struct expectation *e, unsigned int *seed)
{
	bool touched[PARTNERS + 1] = {false};
	struct policy_txn *txn;
	char err[256];
	int rc;

	if (policy_txn_begin(map, generation, &txn) != 0)
		abort();
	if (rand_r(seed) % 16 == 0) {
		(void)policy_txn_reset(txn);
		memset(e->owner, 0, sizeof(e->owner));
	}
	e->strangers = (uint8_t)(rand_r(seed) % 3);
	policy_txn_defaults(txn, (enum policy_level)e->strangers);
	for (int n = rand_r(seed) % 5; n >= 0; n--) {
		uint32_t id = 1 + (uint32_t)rand_r(seed) % PARTNERS;
		char name[3] = "p?";

		if (touched[id])
			continue;
		touched[id] = true;
		for (int k = 0; k < KEYS; k++)
			e->owner[k] = e->owner[k] == id ? 0 : e->owner[k];
		if (rand_r(seed) % 4 == 0) {
			(void)policy_txn_delete(txn, id);
			continue;
		}
		e->level[id] = (uint8_t)(rand_r(seed) % 3);
		name[1] = (char)('a' + e->level[id]);
		if (policy_txn_set(txn, id, name, (enum policy_level)e->level[id]) != 0)
			abort();
		for (unsigned int k = 0; k < KEYS; k++) {
			if (e->owner[k] != 0 || rand_r(seed) % 4 != 0)
				continue;
			if (key_add(txn, id, k) != 0)
				abort();
			e->owner[k] = id;
		}
	}
	while ((rc = policy_txn_prepare(txn, 9, err, sizeof(err))) == -EAGAIN)
		;
	if (rc != 0) {
		fprintf(stderr, "prepare: %s\n", err);
		abort();
	}
	model[generation % KEPT] = *e;
	policy_txn_publish(txn);
	clean(txn);
}

/* Staged like any other and taken back. */
static void aborted(unsigned int *seed)
{
	struct policy_txn *txn;
	char err[256];

	if (policy_txn_begin(map, 1, &txn) != 0)
		abort();
	if (policy_txn_set(
		    txn, 1 + (uint32_t)rand_r(seed) % (PARTNERS + 3), "aborted", POLICY_MAY) != 0)
		abort();
	for (unsigned int k = 0; k < KEYS; k++)
		(void)key_add(txn, 1, k);
	(void)policy_txn_prepare(txn, (unsigned int)rand_r(seed) % 40, err, sizeof(err));
	policy_txn_abort(txn);
	clean(txn);
}

int main(int argc, char **argv)
{
	struct expectation e = {.strangers = POLICY_MAY};
	pthread_t threads[READERS];
	uint64_t generation = 0, end = argc > 1 ? strtoull(argv[1], NULL, 10) : 200;
	unsigned int seed = 42;

	rcu_register_thread();
	if (policy_map_create(&map) != 0)
		return 1;
	model[0] = e;
	for (uintptr_t i = 0; i < READERS; i++) {
		if (pthread_create(&threads[i], NULL, reader, (void *)i) != 0)
			return 1;
	}
	do {
		transaction(++generation, &e, &seed);
		if (generation % 3 == 0)
			aborted(&seed);
		/* The work bounds it, not the time: machines are slow and shared. */
	} while (generation < end || atomic_load(&lookups) < LOOKUPS_MIN);
	atomic_store(&stop, true);
	rcu_thread_offline();
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	rcu_thread_online();
	policy_map_destroy(map);
	rcu_unregister_thread();
	printf("%" PRIu64 " generations, %lu lookups\n", generation, atomic_load(&lookups));
	return 0;
}
