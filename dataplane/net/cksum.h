/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum (RFC 1071, 1624) in software. What it puts into a packet is, bit for bit,
 * what a device that offloads it would have put there.
 */
#ifndef POSTGATE_DATAPLANE_NET_CKSUM_H
#define POSTGATE_DATAPLANE_NET_CKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/net/addr.h"

struct rte_mbuf;

/* Of `len` bytes, ready to be stored: 0 over bytes that hold their right checksum. */
uint16_t cksum_bytes(const void *p, size_t len);
/* Of the packet from `off` to its end, without a pseudo header. */
uint16_t cksum_mbuf(const struct rte_mbuf *m, uint32_t off);
/* With the pseudo header of RFC 9293 3.1 or RFC 8200 8.1, by the family of `dst`. */
uint16_t cksum_l4(const struct rte_mbuf *m, uint32_t off, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t proto);
/* The pseudo header alone, folded and not complemented: what a device that offloads the rest
 * expects in the checksum field. `len` is 0 for segmentation offload. */
uint16_t cksum_pseudo(
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto, uint32_t len);

#endif
