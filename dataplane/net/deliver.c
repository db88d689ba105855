/* SPDX-License-Identifier: BSD-3-Clause */
/* A TCP segment to one of our addresses, on its way up. */
#include "dataplane/net/cksum.h"
#include "dataplane/net/internal.h"

_Static_assert(sizeof(struct net_meta) <= NET_META_SIZE, "NET_META_SIZE");

void tcp_deliver(struct net *n, struct rte_mbuf *m, const struct net_rx *rx,
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t ttl, uint8_t tos)
{
	uint32_t off = m->l2_len + m->l3_len;
	const struct wire_tcp *tcp = net_at(m, off, sizeof(*tcp));
	uint64_t hw = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	struct net_meta *meta;

	/* With its options: who reads them shall need no look at a second segment. */
	if (tcp == NULL || (tcp->data_off >> 4) * 4u < sizeof(*tcp) ||
		net_at(m, off, (tcp->data_off >> 4) * 4u) == NULL) {
		net_drop(n, m, NET_C_tcp_truncated);
		return;
	}
	/* "None" is a device's word that data which never left the machine is right. A "bad" is
	 * looked at again: some devices say it of what they cannot parse. */
	if (hw != RTE_MBUF_F_RX_L4_CKSUM_GOOD && hw != RTE_MBUF_F_RX_L4_CKSUM_NONE &&
		cksum_l4(m, off, src, dst, IPPROTO_TCP) != 0) {
		net_drop(n, m, NET_C_tcp_bad_checksum);
		return;
	}
	rte_pktmbuf_adj(m, (uint16_t)off);
	m->l2_len = 0;
	m->l3_len = 0;
	meta = rte_mbuf_to_priv(m);
	*meta = (struct net_meta){
		.src = *src,
		.dst = *dst,
		.iface = rx->iface,
		.ecn = tos & 3,
		.ttl = ttl,
		.proto = IPPROTO_TCP,
		.flags = rx->reassembled ? NET_META_REASSEMBLED : 0,
	};
	net_count(n, NET_C_tcp_in);
	n->upper.tcp_segment(n->upper.arg, m, rx->now);
}
