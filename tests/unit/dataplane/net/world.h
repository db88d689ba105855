/* SPDX-License-Identifier: BSD-3-Clause */
/* A `struct net` on a virtual clock between two captured ends: what it sent, what it handed up. */
#ifndef POSTGATE_TESTS_UNIT_NET_WORLD_H
#define POSTGATE_TESTS_UNIT_NET_WORLD_H

#include <rte_config.h>
#include <rte_mbuf.h>

#include "dataplane/net/net.h"
#include "dataplane/net/wire.h"

#define WORLD_POOL   1023
#define WORLD_FRAMES 512
#define WORLD_SECOND 1000000000ull

struct world_frame {
	uint8_t *bytes;
	uint32_t len;
	uint16_t port;
	uint64_t ol_flags;
	uint64_t tx_offload;
};

struct world {
	struct net *n;
	struct rte_mempool *pool;
	uint64_t now;
	uint64_t offloads;
	uint32_t sent_count;
	struct world_frame sent[WORLD_FRAMES]; /* since world_clear() */
	uint32_t segment_count, error_count, spread_count, exception_count;
	struct rte_mbuf *segments[WORLD_FRAMES];
	struct net_icmp_error errors[WORLD_FRAMES];
	struct world_frame exceptions[WORLD_FRAMES];
	struct world_frame spreads[WORLD_FRAMES];
};

/* Interface 0: outside, port 0 untagged, 198.51.100.1/24, 2001:db8:1::1/64, default by .254, ::fe.
 * Interface 1: inside, port 1 untagged, 192.0.2.1/24, 2001:db8:2::1/64, 10/8 and default by .254.
 * Interface 2: inside, port 0 VLAN 100, 203.0.113.1/24. MACs 02:00:00:00:00:<port>. */
extern const struct net_config world_config;
extern const uint8_t world_peer_mac[6];

void world_init_eal(const char *name);
struct world *world_create(bool exception);
struct world *world_create_limits(bool exception, const struct net_limits *limits);
/* Everything given back: fails the test if one mbuf is missing. */
void world_destroy(struct world *w);
/* Forgets what was captured. */
void world_clear(struct world *w);
/* Lets `ns` pass with a tick every 100 ms, and flushes. */
void world_wait(struct world *w, uint64_t ns);
uint64_t world_counter(const struct world *w, const char *name);

struct ip_addr world_addr(const char *text);
/* In frame buffers: each returns the length of the whole. `payload` may be NULL. */
uint32_t world_eth(uint8_t *b, uint16_t port, uint16_t vlan, uint16_t type);
uint32_t world_ip4(uint8_t *b, const char *src, const char *dst, uint8_t proto, const void *payload,
	uint32_t len);
uint32_t world_ip6(uint8_t *b, const char *src, const char *dst, uint8_t proto, const void *payload,
	uint32_t len);
void world_fix_ip4(uint8_t *ip);
/* A TCP segment with its checksum; of `len` bytes with header. */
uint32_t world_tcp(uint8_t *b, const char *src, const char *dst, uint16_t sport, uint16_t dport,
	uint32_t data);
uint32_t world_icmp6(uint8_t *b, const char *src, const char *dst, uint8_t type, uint8_t code,
	uint32_t rest, const void *payload, uint32_t len);

/* Feeds a frame in one mbuf, or in segments of `seg` bytes. */
void world_rx(struct world *w, uint16_t port, const void *frame, uint32_t len);
void world_rx_split(struct world *w, uint16_t port, const void *frame, uint32_t len, uint32_t seg);
void world_arp(struct world *w, uint16_t port, uint16_t op, const uint8_t *sha, const char *spa,
	const uint8_t *tha, const char *tpa, bool broadcast);
/* Has the neighbour table know that peer. */
void world_know(struct world *w, const char *addr, const uint8_t *mac);
/* The only frame sent since world_clear(). */
const struct world_frame *world_one(struct world *w);
/* An independent checksum, over bytes. */
uint16_t world_cksum(const void *p, uint32_t len, uint32_t start);
uint32_t world_pseudo(
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto, uint32_t len);

#endif
