/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receive side scaling as a device does it: the Toeplitz hash over addresses and ports with the
 * device's own key, then its redirection table (RETA). Never hash modulo queues: the table may have
 * been laid out otherwise by the driver.
 */
#ifndef POSTGATE_DATAPLANE_PORT_RSS_H
#define POSTGATE_DATAPLANE_PORT_RSS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/addr.h"

#define PORT_RSS_KEY_MAX  64
#define PORT_RSS_RETA_MAX 512

struct port_rss {
	bool known;      /* key, RETA and hashed fields are what the device works by */
	bool ip4, ip6;   /* hashed by addresses */
	bool tcp4, tcp6; /* hashed by addresses and TCP ports */
	uint16_t key_len, reta_size;
	_Alignas(4) uint8_t key[PORT_RSS_KEY_MAX];
	uint16_t reta[PORT_RSS_RETA_MAX];
};

/* Microsoft's key, which most drivers have as their default, and its length. */
#define PORT_RSS_KEY_SIZE 40
extern const uint8_t port_rss_default_key[PORT_RSS_KEY_SIZE];

/* Addresses and ports as a received segment has them; ports in host byte order. */
uint32_t port_rss_hash(const struct port_rss *rss, const struct ip_addr *src, uint16_t sport,
	const struct ip_addr *dst, uint16_t dport);
/* The queue, -1: it cannot be told. */
int port_rss_queue(const struct port_rss *rss, const struct ip_addr *src, uint16_t sport,
	const struct ip_addr *dst, uint16_t dport);

#endif
