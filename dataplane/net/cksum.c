/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/net/cksum.h"

#include <arpa/inet.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t cksum_bytes(const void *p, size_t len)
{
	return (uint16_t)~rte_raw_cksum(p, len);
}

static uint16_t raw_mbuf(const struct rte_mbuf *m, uint32_t off)
{
	uint16_t sum = 0;

	if (off < m->pkt_len)
		rte_raw_cksum_mbuf(m, off, m->pkt_len - off, &sum);
	return sum;
}

uint16_t cksum_mbuf(const struct rte_mbuf *m, uint32_t off)
{
	return (uint16_t)~raw_mbuf(m, off);
}

uint16_t cksum_pseudo(
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto, uint32_t len)
{
	uint64_t sum = (uint64_t)htonl(len) + htonl(proto);

	if (ip_addr_is_v4(dst)) {
		sum += (uint64_t)src->w[3] + dst->w[3];
	} else {
		for (int i = 0; i < 4; i++)
			sum += (uint64_t)src->w[i] + dst->w[i];
	}
	return fold(sum);
}

uint16_t cksum_l4(const struct rte_mbuf *m, uint32_t off, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t proto)
{
	uint32_t len = m->pkt_len > off ? m->pkt_len - off : 0;
	uint64_t sum = (uint64_t)cksum_pseudo(src, dst, proto, len) + raw_mbuf(m, off);

	return (uint16_t)~fold(sum);
}
