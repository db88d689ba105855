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

/*
 * Not rte_raw_cksum_mbuf(): 22.11's loses a carry when a segment begins at an odd offset. Each
 * segment is folded before its bytes are swapped (RFC 1071 2 B).
 */
static uint16_t raw_mbuf(const struct rte_mbuf *m, uint32_t off)
{
	uint64_t sum = 0;
	bool odd = false;

	while (m != NULL && off >= m->data_len) {
		off -= m->data_len;
		m = m->next;
	}
	for (; m != NULL; m = m->next, off = 0) {
		uint32_t len = m->data_len - off;
		uint16_t part =
			rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const uint8_t *, off), len);

		sum += odd ? rte_bswap16(part) : part;
		odd ^= len & 1;
	}
	return fold(sum);
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
