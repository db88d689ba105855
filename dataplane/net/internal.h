/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the packet steps of dataplane/net share: the worker's `struct net`, its counters, and one
 * prototype block per step. A step owns the mbuf it is handed: it passes it on, or ends it with
 * net_drop() and a reason.
 */
#ifndef POSTGATE_DATAPLANE_NET_INTERNAL_H
#define POSTGATE_DATAPLANE_NET_INTERNAL_H

#include <rte_config.h>
#include <rte_mbuf.h>
#include <rte_random.h>

#include "dataplane/net/counters.h"
#include "dataplane/net/neigh.h"
#include "dataplane/net/net.h"
#include "dataplane/net/route.h"
#include "dataplane/net/wire.h"

#define NET_MAX_IFACES   16
#define NET_MAX_ADDRS    256 /* of all interfaces together */
#define NET_MAX_ROUTES   1024
#define NET_MAX_PORTS    RTE_MAX_ETHPORTS
#define NET_TX_BURST     32
#define NET_ADDR_BUCKETS 512 /* power of two, at least twice NET_MAX_ADDRS */
#define NET_NS_PER_S     1000000000ull
#define NET_NS_PER_MS    1000000ull
#define NET_HOP_LIMIT    64  /* RFC 1700's default TTL, RFC 8200 by way of IANA */
#define ND_HOP_LIMIT     255 /* RFC 4861 11.2: proves that no router was between */

struct frag;

struct net_iface {
	uint32_t link; /* port and VLAN: what identifies it over configurations, net_link() */
	uint16_t port_id;
	uint16_t vlan_id;
	uint16_t mtu;
	uint8_t side;
	uint8_t mac[ETHER_MAC_SIZE];
	uint16_t first_addr; /* into net.addrs */
	uint16_t addr_count;
	uint64_t mld_at; /* a report is due then, 0: none is */
	uint64_t mld_unsolicited_at;
	uint8_t mld_unsolicited;   /* reports still to be made after a configuration */
	bool mld_v1;               /* the querier's version */
	struct ip_addr link_local; /* fe80::/64 with the MAC's EUI-64, RFC 4291 2.5.1 */
};

struct net_addr {
	struct ip_addr addr;
	uint8_t plen;
	uint8_t iface;
	uint8_t announcements; /* still to be made */
	uint64_t announce_at;
	uint64_t defend_at; /* no defence before, RFC 5227 2.4 (c) */
};

struct net_old_addr {
	struct net_addr a;
	uint32_t link;
};

struct net_port {
	uint8_t mac[ETHER_MAC_SIZE];
	bool known;
	uint64_t offloads; /* RTE_ETH_TX_OFFLOAD_* */
	int8_t untagged;   /* interface without a VLAN tag, -1: none */
	uint16_t count;
	struct rte_mbuf *burst[NET_TX_BURST];
};

/* A limit of events per second that lets a burst through (GCRA). */
struct net_rate {
	uint64_t interval;  /* ns per event; 0: none at all is let through */
	uint64_t tolerance; /* ns */
	uint64_t theoretical;
};

/* Everything here: worker rw; the counters are read by others, relaxed. */
struct net {
	struct net_upper upper;
	struct net_lower lower;
	struct net_limits limits;
	struct rte_mempool *pool;
	const struct net_config *config;
	bool quiet;
	uint16_t iface_count;
	uint16_t addr_count;
	struct net_iface ifaces[NET_MAX_IFACES];
	struct net_port ports[NET_MAX_PORTS];
	struct net_addr addrs[NET_MAX_ADDRS];
	uint16_t old_addr_count; /* those of the configuration before, while a new one is adopted */
	struct net_old_addr old_addrs[NET_MAX_ADDRS];
	int16_t addr_hash[NET_ADDR_BUCKETS]; /* index into addrs, -1: free; linear probing */
	struct neigh_table neigh;
	struct route_table *routes;
	struct frag *frag;
	struct net_rate icmp_rate;
	uint32_t ident; /* of the datagram that was last sent in fragments */
	uint64_t counters[NET_C_COUNT];
};

/* What a received packet is known by while the steps pass it on; the mbuf keeps the whole frame,
 * with l2_len and l3_len set, until it is delivered. */
struct net_rx {
	uint64_t now;
	uint16_t port_id;
	uint8_t iface;
	bool multicast; /* the frame was not sent to our MAC alone */
	bool spread;    /* a copy from another worker: learn, do not answer */
	bool reassembled;
};

static inline void net_count(struct net *n, enum net_counter c)
{
	__atomic_store_n(&n->counters[c], n->counters[c] + 1, __ATOMIC_RELAXED);
}

static inline void net_drop(struct net *n, struct rte_mbuf *m, enum net_counter reason)
{
	net_count(n, reason);
	rte_pktmbuf_free(m);
}

/* `len` bytes at `off`, or NULL if they are not all in the first segment. */
static inline void *net_at(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	if (off > m->data_len || m->data_len - off < len)
		return NULL;
	return rte_pktmbuf_mtod_offset(m, uint8_t *, off);
}

static inline uint32_t net_link(uint16_t port_id, uint16_t vlan_id)
{
	return (uint32_t)port_id << 16 | vlan_id;
}

static inline struct ip_addr ip_addr_from_v6(const uint8_t b[16])
{
	struct ip_addr a;

	memcpy(a.b, b, 16);
	return a;
}

static inline bool ip_addr_is_multicast(const struct ip_addr *a)
{
	return a->b[0] == 0xff || (ip_addr_is_v4(a) && (a->b[12] & 0xf0) == 0xe0);
}

static inline bool ip_addr_is_link_local6(const struct ip_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* Cuts `excess` bytes off the end, over as many segments as it takes. */
void net_trim(struct rte_mbuf *m, uint32_t excess);

bool net_rate_take(struct net_rate *r, uint64_t now);
void net_rate_set(struct net_rate *r, uint32_t per_second);

/* net.c: our own addresses. NULL if it is none of ours; the link-local ones are not in there. */
struct net_addr *net_find_addr(struct net *n, const struct ip_addr *a);
/* Whether `a` is ours on that interface, its link-local address included. */
bool net_is_iface_addr(struct net *n, uint8_t iface, const struct ip_addr *a);
/* Whether one of the on-link prefixes of the interface holds it (link-local: always). */
bool net_is_on_link(const struct net *n, uint8_t iface, const struct ip_addr *a);
/* Our address of that interface to speak to `peer` from, by longest match; NULL: none. */
const struct ip_addr *net_iface_source(
	const struct net *n, uint8_t iface, const struct ip_addr *peer);
/* Interface of a port and VLAN, -1: none. */
int net_find_iface(const struct net *n, uint16_t port_id, uint16_t vlan_id);

/* eth.c */
void eth_input(struct net *n, struct rte_mbuf *m, struct net_rx *rx);
/* Adds the Ethernet header (and tag), queues the frame. */
void eth_output(struct net *n, uint8_t iface, struct rte_mbuf *m, const uint8_t dst[ETHER_MAC_SIZE],
	uint16_t type);
void eth_flush(struct net *n, uint16_t port_id);

/* arp.c */
void arp_input(struct net *n, struct rte_mbuf *m, const struct net_rx *rx);
/* Request for `target` (IPv4); to `mac`, or broadcast if NULL. */
void arp_solicit(struct net *n, uint8_t iface, const struct ip_addr *target, const uint8_t *mac);
void arp_announce(struct net *n, uint8_t iface, const struct ip_addr *addr);

/* nd.c: `off` is that of the ICMPv6 header, whose checksum is right. */
void nd_input(struct net *n, struct rte_mbuf *m, const struct net_rx *rx, uint32_t off);
void nd_solicit(struct net *n, uint8_t iface, const struct ip_addr *target, const uint8_t *mac,
	uint64_t now);
void nd_announce(struct net *n, uint8_t iface, const struct ip_addr *addr, uint64_t now);

struct ip_addr nd_solicited_node(const struct ip_addr *a);

/* mld.c: which groups we listen to; `off` as above. */
void mld_input(struct net *n, struct rte_mbuf *m, const struct net_rx *rx, uint32_t off);
void mld_start(struct net *n, uint8_t iface, uint64_t now);
void mld_tick(struct net *n, uint64_t now);

/* announce.c: tells the link of our addresses after a configuration. */
void announce_start(struct net_addr *a, uint64_t now);
void announce_tick(struct net *n, uint64_t now);

/* ip4.c, ip6.c: from the frame's network header on, at m->l2_len. */
void ip4_input(struct net *n, struct rte_mbuf *m, struct net_rx *rx);
void ip6_input(struct net *n, struct rte_mbuf *m, struct net_rx *rx);
/* The TCP segment at l2_len + l3_len: checks its checksum and hands it up. */
void tcp_deliver(struct net *n, struct rte_mbuf *m, const struct net_rx *rx,
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t ttl, uint8_t tos);

/* icmp.c, icmp6.c, at l2_len + l3_len. */
void icmp_input(struct net *n, struct rte_mbuf *m, const struct net_rx *rx);
void icmp6_input(struct net *n, struct rte_mbuf *m, const struct net_rx *rx);
/* An error about the received packet `m`, which stays the caller's. */
void icmp_send_error(struct net *n, const struct rte_mbuf *m, const struct net_rx *rx, uint8_t type,
	uint8_t code, uint32_t rest);
void icmp6_send_error(struct net *n, const struct rte_mbuf *m, const struct net_rx *rx,
	uint8_t type, uint8_t code, uint32_t rest);

/* quote.c: the packet that an ICMP error quotes. Hands a TCP one up; else says why not. */
enum net_counter quote_deliver(struct net *n, const uint8_t *p, size_t len, bool v6, uint8_t type,
	uint8_t code, uint32_t rest, uint64_t now);

/* exception.c: not ours: to the kernel if there is a way to it, else dropped for `reason`. */
void exception_input(
	struct net *n, struct rte_mbuf *m, const struct net_rx *rx, enum net_counter reason);

/* output.c: with the interface and the next hop chosen by the caller. */
struct output_params {
	const struct ip_addr *src, *dst;
	const struct ip_addr *next_hop; /* of a multicast `dst`: ignored */
	uint8_t iface;
	uint8_t proto;
	uint8_t tos;
	uint8_t hop_limit;
	bool fragment;  /* IPv4: not DF but what follows */
	uint16_t frag;  /* MF and offset */
	uint32_t ident; /* of the datagram */
};
int output_packet(struct net *n, struct rte_mbuf *m, const struct output_params *p, uint64_t now);
/* As net_output(), with the hop limit; for answers that leave by the interface they came by. What
 * is longer than the MTU goes in fragments. */
int output_answer(struct net *n, struct rte_mbuf *m, uint8_t iface, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t proto, uint64_t now);
/* fragment.c: an L4 packet longer than the MTU. */
int fragment_output(struct net *n, struct rte_mbuf *m, const struct output_params *p, uint64_t now);

#endif
