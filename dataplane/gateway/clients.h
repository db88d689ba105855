/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions per client address of one worker: an open-addressed table with backward-shift deletion,
 * at most half full. IPv6 clients count by /64 (RFC 4291: one subscriber).
 */
#ifndef POSTGATE_DATAPLANE_GATEWAY_CLIENTS_H
#define POSTGATE_DATAPLANE_GATEWAY_CLIENTS_H

#include <stdint.h>

#include "dataplane/net/addr.h"

struct clients_entry {
	uint64_t key[2];
	uint32_t count; /* 0: free */
	uint32_t hash;
};

struct clients {
	struct clients_entry *entries;
	uint32_t mask;
	uint64_t secret;
};

int clients_init(struct clients *c, uint32_t max_sessions, uint64_t secret, int socket_id);
void clients_fini(struct clients *c);
/* One session more or less; returns how many there are now. */
uint32_t clients_add(struct clients *c, const struct ip_addr *addr);
uint32_t clients_remove(struct clients *c, const struct ip_addr *addr);
uint32_t clients_count(const struct clients *c, const struct ip_addr *addr);

#endif
