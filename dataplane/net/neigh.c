/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/net/neigh.h"

#include <errno.h>

#include <rte_jhash.h>
#include <rte_malloc.h>

#include "dataplane/net/internal.h"

/* RFC 4861 10. */
#define RETRANS_TIMER        NET_NS_PER_S
#define REACHABLE_TIME       (30 * NET_NS_PER_S)
#define DELAY_FIRST_PROBE    (5 * NET_NS_PER_S)
#define MAX_SOLICIT          3
#define STALE_LIFETIME       (20 * 60 * NET_NS_PER_S)
#define NEIGH_TIMED_PER_TICK 256 /* of those with a timer */
#define NEIGH_SWEEP_PER_TICK 64
#define NEIGH_HOLDS_MAX      4096 /* packets held for all neighbours together */

static const char *const state_names[NEIGH_STATES] = {
	[NEIGH_FREE] = "FREE",
	[NEIGH_INCOMPLETE] = "INCOMPLETE",
	[NEIGH_REACHABLE] = "REACHABLE",
	[NEIGH_STALE] = "STALE",
	[NEIGH_DELAY] = "DELAY",
	[NEIGH_PROBE] = "PROBE",
};

const char *neigh_state_name(enum neigh_state state)
{
	return (unsigned int)state < NEIGH_STATES ? state_names[state] : "?";
}

int neigh_create(struct net *n, int socket_id)
{
	struct neigh_table *t = &n->neigh;
	uint32_t buckets = 1, holds;
	uint64_t want = (uint64_t)n->limits.neighbours * n->limits.hold_per_neighbour;

	t->size = n->limits.neighbours;
	while (buckets < t->size)
		buckets *= 2;
	t->mask = buckets - 1;
	holds = want < NEIGH_HOLDS_MAX ? (uint32_t)want : NEIGH_HOLDS_MAX;
	t->entries = rte_zmalloc_socket("net_neigh", t->size * sizeof(*t->entries), 0, socket_id);
	t->buckets = rte_zmalloc_socket("net_neigh", buckets * sizeof(*t->buckets), 0, socket_id);
	t->holds = rte_zmalloc_socket("net_neigh", holds * sizeof(*t->holds), 0, socket_id);
	if (t->entries == NULL || t->buckets == NULL || t->holds == NULL)
		return -ENOMEM;
	TAILQ_INIT(&t->lru);
	TAILQ_INIT(&t->timed);
	LIST_INIT(&t->free);
	for (uint32_t i = t->size; i-- > 0;)
		LIST_INSERT_HEAD(&t->free, &t->entries[i], bucket);
	for (uint32_t i = holds; i-- > 0;) {
		t->holds[i].next = t->free_holds;
		t->free_holds = &t->holds[i];
	}
	return 0;
}

static bool is_timed(uint8_t state)
{
	return state == NEIGH_INCOMPLETE || state == NEIGH_DELAY || state == NEIGH_PROBE;
}

/* The one place where a neighbour's state changes. */
static void set_state(struct net *n, struct neigh *e, enum neigh_state state, uint64_t now)
{
	struct neigh_table *t = &n->neigh;

	if (is_timed(e->state)) {
		TAILQ_REMOVE(&t->timed, e, timed);
		t->timed_count--;
	}
	if (e->state == NEIGH_INCOMPLETE)
		t->incomplete--;
	e->state = state;
	e->probes = 0;
	switch (state) {
	case NEIGH_INCOMPLETE:
		t->incomplete++;
		e->deadline = now + RETRANS_TIMER;
		break;
	case NEIGH_REACHABLE:
		e->deadline = now + REACHABLE_TIME;
		break;
	case NEIGH_DELAY:
		e->deadline = now + DELAY_FIRST_PROBE;
		break;
	case NEIGH_PROBE:
		e->deadline = now + RETRANS_TIMER;
		break;
	case NEIGH_STALE:
	case NEIGH_FREE:
	case NEIGH_STATES:
		e->deadline = 0;
		break;
	}
	if (is_timed(state)) {
		TAILQ_INSERT_TAIL(&t->timed, e, timed);
		t->timed_count++;
	}
}

static struct neigh_bucket *bucket_of(struct net *n, uint32_t link, const struct ip_addr *addr)
{
	return &n->neigh.buckets[rte_jhash_32b(addr->w, 4, link) & n->neigh.mask];
}

struct neigh *neigh_find(struct net *n, uint32_t link, const struct ip_addr *addr)
{
	struct neigh *e;

	LIST_FOREACH (e, bucket_of(n, link, addr), bucket) {
		if (e->link == link && ip_addr_equal(&e->addr, addr))
			return e;
	}
	return NULL;
}

static void drop_held(struct net *n, struct neigh *e, enum net_counter reason)
{
	struct neigh_hold *h;

	while ((h = e->hold_first) != NULL) {
		e->hold_first = h->next;
		net_drop(n, h->m, reason);
		h->m = NULL;
		h->next = n->neigh.free_holds;
		n->neigh.free_holds = h;
	}
	e->hold_last = NULL;
	e->held = 0;
}

static void release(struct net *n, struct neigh *e, enum net_counter reason)
{
	drop_held(n, e, reason);
	set_state(n, e, NEIGH_FREE, 0);
	LIST_REMOVE(e, bucket);
	TAILQ_REMOVE(&n->neigh.lru, e, lru);
	LIST_INSERT_HEAD(&n->neigh.free, e, bucket);
	n->neigh.count--;
}

/*
 * A new entry, its state still FREE. Half of the table is all that unanswered questions may take,
 * so that a scan of our own link from outside cannot push out the neighbours that we work with.
 */
static struct neigh *acquire(
	struct net *n, uint8_t iface, const struct ip_addr *addr, bool incomplete, uint64_t now)
{
	struct neigh_table *t = &n->neigh;
	struct neigh *e;

	if (incomplete && t->incomplete >= (t->size + 1) / 2) {
		net_count(n, NET_C_neigh_full);
		return NULL;
	}
	e = LIST_FIRST(&t->free);
	if (e == NULL) {
		e = TAILQ_FIRST(&t->lru);
		release(n, e, NET_C_neigh_evicted);
		net_count(n, NET_C_neigh_evicted);
	}
	LIST_REMOVE(e, bucket);
	memset(e, 0, sizeof(*e));
	e->addr = *addr;
	e->iface = iface;
	e->link = n->ifaces[iface].link;
	e->used = now;
	LIST_INSERT_HEAD(bucket_of(n, e->link, addr), e, bucket);
	TAILQ_INSERT_TAIL(&t->lru, e, lru);
	t->count++;
	net_count(n, NET_C_neigh_created);
	return e;
}

void neigh_destroy(struct net *n)
{
	struct neigh_table *t = &n->neigh;
	struct neigh *e;

	if (t->entries != NULL && t->buckets != NULL && t->holds != NULL) {
		while ((e = TAILQ_FIRST(&t->lru)) != NULL)
			release(n, e, NET_C_neigh_flushed);
	}
	rte_free(t->entries);
	rte_free(t->buckets);
	rte_free(t->holds);
	memset(t, 0, sizeof(*t));
}

void neigh_reconfigure(struct net *n)
{
	struct neigh *e, *next;

	for (e = TAILQ_FIRST(&n->neigh.lru); e != NULL; e = next) {
		int iface = net_find_iface(n, (uint16_t)(e->link >> 16), (uint16_t)e->link);

		next = TAILQ_NEXT(e, lru);
		if (iface < 0) {
			release(n, e, NET_C_neigh_flushed);
			net_count(n, NET_C_neigh_flushed);
		} else {
			e->iface = (uint8_t)iface;
		}
	}
}

static void solicit(struct net *n, struct neigh *e, const uint8_t *mac, uint64_t now)
{
	if (ip_addr_is_v4(&e->addr))
		arp_solicit(n, e->iface, &e->addr, mac);
	else
		nd_solicit(n, e->iface, &e->addr, mac, now);
	e->probes++;
}

static void send_to(struct net *n, struct neigh *e, struct rte_mbuf *m)
{
	uint16_t type = ip_addr_is_v4(&e->addr) ? ETHERTYPE_IPV4_ : ETHERTYPE_IPV6_;

	eth_output(n, e->iface, m, e->mac, type);
}

static int hold(struct net *n, struct neigh *e, struct rte_mbuf *m)
{
	struct neigh_hold *h = n->neigh.free_holds;

	if (h == NULL || e->held >= n->limits.hold_per_neighbour) {
		net_drop(n, m, NET_C_neigh_hold_full);
		return -ENOBUFS;
	}
	n->neigh.free_holds = h->next;
	h->m = m;
	h->next = NULL;
	if (e->hold_last != NULL)
		e->hold_last->next = h;
	else
		e->hold_first = h;
	e->hold_last = h;
	e->held++;
	net_count(n, NET_C_neigh_held);
	return 0;
}

static void send_held(struct net *n, struct neigh *e)
{
	struct neigh_hold *h;

	while ((h = e->hold_first) != NULL) {
		e->hold_first = h->next;
		send_to(n, e, h->m);
		h->m = NULL;
		h->next = n->neigh.free_holds;
		n->neigh.free_holds = h;
	}
	e->hold_last = NULL;
	e->held = 0;
}

int neigh_output(
	struct net *n, uint8_t iface, const struct ip_addr *addr, struct rte_mbuf *m, uint64_t now)
{
	struct neigh *e = neigh_find(n, n->ifaces[iface].link, addr);

	if (e == NULL) {
		e = acquire(n, iface, addr, true, now);
		if (e == NULL) {
			rte_pktmbuf_free(m);
			return -ENOBUFS;
		}
		set_state(n, e, NEIGH_INCOMPLETE, now);
		solicit(n, e, NULL, now);
		return hold(n, e, m);
	}
	if (e->used != now) {
		e->used = now;
		TAILQ_REMOVE(&n->neigh.lru, e, lru);
		TAILQ_INSERT_TAIL(&n->neigh.lru, e, lru);
	}
	if (e->state == NEIGH_INCOMPLETE)
		return hold(n, e, m);
	if (e->state == NEIGH_REACHABLE && now >= e->deadline)
		set_state(n, e, NEIGH_STALE, now);
	/* RFC 4861 7.3.3: the first packet to a stale neighbour starts the delay before probing. */
	if (e->state == NEIGH_STALE)
		set_state(n, e, NEIGH_DELAY, now);
	send_to(n, e, m);
	return 0;
}

/* RFC 4861 7.2.3 to 7.2.5; ARP by the same rules. */
void neigh_learn(struct net *n, uint8_t iface, const struct ip_addr *addr, const uint8_t *mac,
	enum neigh_learn how, uint64_t now)
{
	struct neigh *e = neigh_find(n, n->ifaces[iface].link, addr);
	bool confirmed = how == NEIGH_LEARN_CONFIRMED || how == NEIGH_LEARN_WEAK_CONFIRMED;
	bool weak = how == NEIGH_LEARN_WEAK || how == NEIGH_LEARN_WEAK_CONFIRMED;
	bool was_incomplete, changed;

	if (e == NULL) {
		if (how != NEIGH_LEARN_CREATE)
			return;
		e = acquire(n, iface, addr, false, now);
		memcpy(e->mac, mac, ETHER_MAC_SIZE);
		set_state(n, e, NEIGH_STALE, now);
		return;
	}
	was_incomplete = e->state == NEIGH_INCOMPLETE;
	changed = !was_incomplete && memcmp(e->mac, mac, ETHER_MAC_SIZE) != 0;
	if (changed && weak) {
		/* RFC 4861 7.2.5 I: no override: the address stays, only trust in it goes. */
		if (e->state == NEIGH_REACHABLE)
			set_state(n, e, NEIGH_STALE, now);
		return;
	}
	if (changed)
		net_count(n, NET_C_neigh_changed);
	memcpy(e->mac, mac, ETHER_MAC_SIZE);
	if (confirmed)
		set_state(n, e, NEIGH_REACHABLE, now);
	else if (was_incomplete || changed)
		set_state(n, e, NEIGH_STALE, now);
	if (e->held > 0) {
		/* What goes out now is the first use of an entry that is not confirmed. */
		if (e->state == NEIGH_STALE)
			set_state(n, e, NEIGH_DELAY, now);
		send_held(n, e);
	}
}

void neigh_confirm(struct net *n, uint8_t iface, const struct ip_addr *addr, uint64_t now)
{
	struct neigh *e = neigh_find(n, n->ifaces[iface].link, addr);

	if (e != NULL && e->state != NEIGH_INCOMPLETE)
		set_state(n, e, NEIGH_REACHABLE, now);
}

/* What was waiting for a neighbour that does not answer: TCP learns of it as of an ICMP "host
 * unreachable" (RFC 1122 2.4), so that a connect fails before its own time-out. */
static void report_held(struct net *n, struct neigh *e, uint64_t now)
{
	bool v6 = !ip_addr_is_v4(&e->addr);

	for (struct neigh_hold *h = e->hold_first; h != NULL; h = h->next)
		quote_deliver(n, rte_pktmbuf_mtod(h->m, const uint8_t *), h->m->data_len, v6,
			v6 ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE,
			v6 ? ICMP6_CODE_ADDRESS : ICMP4_CODE_HOST, 0, now);
}

static void timed_step(struct net *n, struct neigh *e, uint64_t now)
{
	if (now < e->deadline) {
		/* To the end of the queue, so that a bounded tick comes by all of them. */
		TAILQ_REMOVE(&n->neigh.timed, e, timed);
		TAILQ_INSERT_TAIL(&n->neigh.timed, e, timed);
		return;
	}
	if (e->state == NEIGH_DELAY) {
		set_state(n, e, NEIGH_PROBE, now);
		solicit(n, e, e->mac, now);
		return;
	}
	if (e->probes < MAX_SOLICIT) {
		e->deadline = now + RETRANS_TIMER;
		solicit(n, e, e->state == NEIGH_PROBE ? e->mac : NULL, now);
		TAILQ_REMOVE(&n->neigh.timed, e, timed);
		TAILQ_INSERT_TAIL(&n->neigh.timed, e, timed);
		return;
	}
	if (e->state == NEIGH_INCOMPLETE) {
		report_held(n, e, now);
		release(n, e, NET_C_neigh_unresolved);
		return;
	}
	net_count(n, NET_C_neigh_unreachable);
	release(n, e, NET_C_neigh_unresolved);
}

void neigh_tick(struct net *n, uint64_t now)
{
	struct neigh_table *t = &n->neigh;
	uint32_t budget =
		t->timed_count < NEIGH_TIMED_PER_TICK ? t->timed_count : NEIGH_TIMED_PER_TICK;

	for (uint32_t i = 0; i < budget; i++) {
		struct neigh *e = TAILQ_FIRST(&t->timed);

		if (e == NULL)
			break;
		timed_step(n, e, now);
	}
	for (uint32_t i = 0; i < NEIGH_SWEEP_PER_TICK && i < t->size; i++) {
		struct neigh *e = &t->entries[t->sweep];

		t->sweep = t->sweep + 1 < t->size ? t->sweep + 1 : 0;
		if (e->state == NEIGH_REACHABLE && now >= e->deadline)
			set_state(n, e, NEIGH_STALE, now);
		if (e->state == NEIGH_STALE && now - e->used >= STALE_LIFETIME) {
			release(n, e, NET_C_neigh_expired);
			net_count(n, NET_C_neigh_expired);
		}
	}
}
