/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The IP layer of one worker: Ethernet, ARP (RFC 826), IPv4 (RFC 791), IPv6 (RFC 8200), neighbour
 * discovery (RFC 4861), ICMP (RFC 792, 4443), static routes. Sans-I/O: frames and the time go in,
 * frames go out through `struct net_lower`, TCP segments through `struct net_upper`.
 *
 * One `struct net` belongs to one worker; no call may come from another thread. Times are
 * nanoseconds of one monotonic clock. Every mbuf handed in is owned by the callee from then on.
 */
#ifndef POSTGATE_DATAPLANE_NET_NET_H
#define POSTGATE_DATAPLANE_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/net/addr.h"

struct rte_mbuf;
struct rte_mempool;
struct net;

enum net_side {
	NET_OUTSIDE,
	NET_INSIDE,
	NET_SIDES,
};

/*
 * What the IP layer knows of a packet, kept in the mbuf's private area (rte_mbuf_to_priv()): every
 * mempool that a port or a worker uses is created with NET_META_SIZE bytes of it.
 */
struct net_meta {
	struct ip_addr src;
	struct ip_addr dst;
	uint8_t iface; /* index into net_config.ifaces */
	uint8_t ecn;   /* the two ECN bits of the IP header, RFC 3168 5 */
	uint8_t ttl;   /* TTL or hop limit as received */
	uint8_t proto; /* IPPROTO_* of the payload */
	uint8_t flags; /* NET_META_* */
};
/* Put together from fragments, which a device spreads by addresses alone: the worker that owns the
 * connection may be another one. */
#define NET_META_REASSEMBLED 1
#define NET_META_SIZE        64

/* Configuration: built by the control thread, immutable, alive until every worker has let it go. */
struct net_addr_config {
	struct ip_addr addr;
	uint8_t plen; /* of the on-link prefix, on the 128-bit form */
};

struct net_iface_config {
	uint16_t port_id;
	uint16_t vlan_id; /* 0: untagged */
	uint16_t mtu;     /* of the IP packet, bytes */
	enum net_side side;
	uint16_t addr_count;
	const struct net_addr_config *addrs;
};

struct net_route_config {
	struct ip_addr dst;
	uint8_t plen;
	struct ip_addr gateway;
	uint8_t iface;
};

struct net_config {
	uint16_t iface_count;
	uint32_t route_count;
	const struct net_iface_config *ifaces;
	const struct net_route_config *routes;
};

/* An ICMP or ICMPv6 error about a TCP segment that we sent: the quoted addresses and TCP header
 * start, not yet compared with any connection (RFC 5927 4 is TCP's to apply). */
struct net_icmp_error {
	struct ip_addr local, remote; /* of the quoted segment: source and destination */
	uint16_t local_port, remote_port;
	uint32_t seq;
	uint8_t type, code; /* as on the wire, of the family of `local` */
	uint16_t mtu;       /* next-hop MTU for "fragmentation needed"/"packet too big", else 0 */
};

struct net_upper {
	void *arg;
	/* A TCP segment to one of our addresses: data starts at the TCP header, pkt_len is trimmed
	 * to the IP payload, the checksum is right, `struct net_meta` filled in. Owns m. */
	void (*tcp_segment)(void *arg, struct rte_mbuf *m, uint64_t now);
	void (*tcp_error)(void *arg, const struct net_icmp_error *e, uint64_t now);
	/* A frame that the other workers must see too (ARP and ND, which arrive on one queue only):
	 * the callee copies, it does not own m. May be NULL. */
	void (*spread)(void *arg, uint16_t port_id, const struct rte_mbuf *m);
	/* A whole frame that is not ours (exception path). Owns m. NULL: it is dropped, counted. */
	void (*exception)(void *arg, uint16_t port_id, struct rte_mbuf *m);
};

struct net_lower {
	void *arg;
	/* Sends up to `n` whole frames; what it cannot send it frees and counts. Owns them all. */
	void (*tx)(void *arg, uint16_t port_id, struct rte_mbuf **pkts, uint16_t n);
	/* RTE_ETH_TX_OFFLOAD_* that the port does for us; what it lacks is done in software. */
	uint64_t (*tx_offloads)(void *arg, uint16_t port_id);
	/* The port's MAC address. */
	void (*mac)(void *arg, uint16_t port_id, uint8_t mac[6]);
};

struct net_limits {
	uint32_t neighbours;         /* entries of the ARP and ND table, all interfaces */
	uint16_t hold_per_neighbour; /* packets kept while a neighbour is being resolved */
	uint32_t
		icmp_per_second; /* errors that we send at most, RFC 1812 4.3.2.8, RFC 4443 2.4 f */
	uint32_t frag_datagrams; /* being reassembled at once; 0: 64 */
};

struct net_params {
	struct net_upper upper;
	struct net_lower lower;
	struct net_limits limits;
	struct rte_mempool *pool; /* for ARP, ND and ICMP frames; the worker's control pool */
	int socket_id;            /* NUMA node, -1 any */
	bool quiet;               /* another worker announces our addresses to the link */
};

/* 0 or -errno (ENOMEM, EINVAL). All memory is taken here. */
int net_create(const struct net_params *params, struct net **out);
void net_destroy(struct net *n);

/* Adopts a configuration (pointer kept, see above). Neighbours of unchanged interfaces stay.
 * -EINVAL: more interfaces or addresses than there is room for. */
int net_set_config(struct net *n, const struct net_config *config, uint64_t now);

/* What net_set_config() would say of it, for the control thread to ask before it publishes. */
int net_check_config(const struct net_config *config);

/* A burst of frames from one port. */
void net_input(
	struct net *n, uint16_t port_id, struct rte_mbuf **pkts, uint16_t count, uint64_t now);
/* A copy of a frame that another worker got (upper.spread): learned from, never answered or spread.
 */
void net_learn(struct net *n, uint16_t port_id, struct rte_mbuf *m, uint64_t now);

/*
 * Sends one L4 packet: `m` starts at the L4 header. Adds IP, Ethernet and VLAN headers (the mbuf
 * has NET_HEADROOM bytes of headroom), checksums (offloaded or in software, for TCP the L4 one
 * too), resolves the neighbour. With m->tso_segsz set and RTE_MBUF_F_TX_TCP_SEG in ol_flags the
 * port must have TSO (net_tx_offloads()). The route is looked up among those of the interface that
 * has `src` (the strong host model of RFC 1122 3.3.4.2), so that each side may have a default
 * gateway. `tos` is the whole traffic class byte, ECN included. Sets DF. 0, or -EHOSTUNREACH (no
 * route), -ENOBUFS (hold queue full), -EMSGSIZE; m is gone in any case.
 */
#define NET_HEADROOM 64
int net_output(struct net *n, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t proto, uint8_t tos, uint64_t now);

/* Hands what is collected for each port to lower.tx; once a loop. */
void net_flush(struct net *n);

/* Ages neighbours, retries resolutions; call about every 100 ms, bounded work. */
void net_tick(struct net *n, uint64_t now);

/* MTU of the interface that `dst` is reached by, or 0 without a route. */
uint16_t net_mtu(const struct net *n, const struct ip_addr *dst);
/* Offloads of the port that `dst` is reached by. */
uint64_t net_tx_offloads(const struct net *n, const struct ip_addr *dst);
/* RFC 6724-like choice of our own address for `dst`: false without a route or an address. */
bool net_source_address(const struct net *n, const struct ip_addr *dst, struct ip_addr *src);
/* Whether it is one of our own addresses; *iface is filled in if not NULL. */
bool net_is_local(const struct net *n, const struct ip_addr *a, uint8_t *iface);

/* The peer made progress (it acknowledged new data): the neighbour that leads to it is reachable
 * and needs no probe, RFC 4861 7.3.1. `src` is our address of the connection. */
void net_confirm_neighbour(
	struct net *n, const struct ip_addr *src, const struct ip_addr *dst, uint64_t now);

/* Counters: worker rw, others read them relaxed. Names are the operator's ("ip4_bad_checksum"). */
size_t net_counter_count(void);
const char *net_counter_name(size_t i);
uint64_t net_counter_value(const struct net *n, size_t i);

#endif
