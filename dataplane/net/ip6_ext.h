/* SPDX-License-Identifier: BSD-3-Clause */
/* The chain of IPv6 extension headers (RFC 8200 4), walked within limits (RFC 8504 5.3). */
#ifndef POSTGATE_DATAPLANE_NET_IP6_EXT_H
#define POSTGATE_DATAPLANE_NET_IP6_EXT_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/counters.h"

#define IP6_EXT_HEADERS_MAX 8
#define IP6_EXT_BYTES_MAX                                                                         \
	256                   /* with the 40 of the IP header it must fit mbuf's l3_len of 9 bits \
			       */
#define IP6_EXT_OPTIONS_MAX 8 /* per header, padding not counted, RFC 8504 5.3 */

struct ip6_walk {
	uint8_t proto;     /* what follows; IPPROTO_FRAGMENT: a true fragment */
	uint16_t offset;   /* of it, from the IP header on */
	uint16_t proto_at; /* of the field that names it */
	bool icmp;         /* on failure: a parameter problem is due */
	uint8_t icmp_code;
	uint32_t icmp_at;
};

/*
 * `p` is the IP header, of which `contiguous` bytes can be read and which is `len` bytes long with
 * its payload. NET_C_COUNT, or the reason to drop the packet.
 */
enum net_counter ip6_walk(const uint8_t *p, uint32_t contiguous, uint32_t len, struct ip6_walk *w);

/* Passes over the headers, right or wrong, to what they carry; its protocol, or -1 if that is out
 * of reach. For what must only be known of a packet that is being refused. */
int ip6_skip(const uint8_t *p, uint32_t contiguous, uint32_t *offset);

#endif
