/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longest prefix match over IPv4 and IPv6 in one path-compressed binary trie per interface, and one
 * over all interfaces: a lookup compares at most as many bits as the address has, however many
 * routes there are. All nodes are taken at create time; a configuration rebuilds the tries.
 */
#ifndef POSTGATE_DATAPLANE_NET_ROUTE_H
#define POSTGATE_DATAPLANE_NET_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/addr.h"

struct route_table;

struct route {
	struct ip_addr gateway; /* unspecified: on-link */
	uint8_t iface;
	uint8_t plen;
	bool on_link;
};

#define ROUTE_ANY_IFACE 0xff

/* `tries` of them, with `routes` prefixes altogether per set of tries. 0 or -ENOMEM. */
int route_create(uint32_t ifaces, uint32_t routes, int socket_id, struct route_table **out);
void route_destroy(struct route_table *t);
void route_clear(struct route_table *t);
/* Adds to the trie of r->iface and, unless there is one of that prefix already, to the common one.
 * 0, -EEXIST (that interface has the prefix already: the first stays) or -ENOSPC. */
int route_add(
	struct route_table *t, const struct ip_addr *dst, uint8_t plen, const struct route *r);
/* NULL: no route. */
const struct route *route_lookup(
	const struct route_table *t, uint8_t iface, const struct ip_addr *dst);

#endif
