/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The neighbours of all interfaces, ARP's and ND's in one table, with the states of RFC 4861 7.3.2
 * for both (RFC 1122 2.3.2.1 leaves to ARP how its entries are kept fresh). Bounded: the entry used
 * longest ago makes room. Packets for a neighbour being resolved wait in a bounded queue.
 */
#ifndef POSTGATE_DATAPLANE_NET_NEIGH_H
#define POSTGATE_DATAPLANE_NET_NEIGH_H

#include <sys/queue.h>

#include "dataplane/net/addr.h"
#include "dataplane/net/wire.h"

struct net;
struct rte_mbuf;

enum neigh_state {
	NEIGH_FREE,
	NEIGH_INCOMPLETE,
	NEIGH_REACHABLE,
	NEIGH_STALE,
	NEIGH_DELAY,
	NEIGH_PROBE,
	NEIGH_STATES,
};

struct neigh_hold {
	struct rte_mbuf *m;
	struct neigh_hold *next;
};

struct neigh {
	struct ip_addr addr;
	uint32_t link;
	uint8_t iface;
	uint8_t state;
	uint8_t probes; /* sent in this state */
	uint8_t mac[ETHER_MAC_SIZE];
	uint16_t held;
	uint64_t deadline; /* of the state; of STALE none */
	uint64_t used;     /* last packet sent by it */
	struct neigh_hold *hold_first, *hold_last;
	LIST_ENTRY(neigh) bucket;
	TAILQ_ENTRY(neigh) lru;   /* least recently used first; free entries are in `free` */
	TAILQ_ENTRY(neigh) timed; /* INCOMPLETE, DELAY, PROBE */
};

LIST_HEAD(neigh_bucket, neigh);
TAILQ_HEAD(neigh_queue, neigh);

struct neigh_table {
	struct neigh *entries;
	struct neigh_hold *holds;
	struct neigh_bucket *buckets;
	struct neigh_hold *free_holds;
	struct neigh_bucket free;
	struct neigh_queue lru;
	struct neigh_queue timed;
	uint32_t size, mask, count, incomplete, timed_count;
	uint32_t sweep; /* next entry that ageing looks at */
};

const char *neigh_state_name(enum neigh_state state);

int neigh_create(struct net *n, int socket_id);
void neigh_destroy(struct net *n);
/* Entries of interfaces that are gone are flushed, those of others get their new index. */
void neigh_reconfigure(struct net *n);

struct neigh *neigh_find(struct net *n, uint32_t link, const struct ip_addr *addr);
/* Sends `m` (starting at the IP header) to the neighbour, or holds it: 0 or -ENOBUFS. */
int neigh_output(
	struct net *n, uint8_t iface, const struct ip_addr *addr, struct rte_mbuf *m, uint64_t now);

enum neigh_learn {
	NEIGH_LEARN_UPDATE,    /* an entry that exists takes the address; none is made */
	NEIGH_LEARN_CREATE,    /* who asks for us is about to talk to us, RFC 826, RFC 4861 7.2.3 */
	NEIGH_LEARN_CONFIRMED, /* the answer to what we asked: reachable now; none is made */
	NEIGH_LEARN_WEAK,      /* as UPDATE without override, RFC 4861 7.2.5: another MAC only casts
				  doubt */
	NEIGH_LEARN_WEAK_CONFIRMED, /* as CONFIRMED without override */
};
void neigh_learn(struct net *n, uint8_t iface, const struct ip_addr *addr, const uint8_t *mac,
	enum neigh_learn how, uint64_t now);
/* Forward progress of an upper layer, RFC 4861 7.3.1. */
void neigh_confirm(struct net *n, uint8_t iface, const struct ip_addr *addr, uint64_t now);
void neigh_tick(struct net *n, uint64_t now);

#endif
