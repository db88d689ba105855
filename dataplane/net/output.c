/* SPDX-License-Identifier: BSD-3-Clause */
/* From an L4 packet to a frame on its way to the neighbour. */
#include <arpa/inet.h>
#include <errno.h>

#include <rte_ethdev.h>

#include "dataplane/net/cksum.h"
#include "dataplane/net/internal.h"

/* The flags that the packet's owner may have set; whatever else is in there is of its past. */
#define OWNER_FLAGS (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)

static int refuse(struct net *n, struct rte_mbuf *m, enum net_counter reason, int rc)
{
	net_drop(n, m, reason);
	return rc;
}

/* Fills in TCP's checksum, or what the device needs to do it; `m` starts at the TCP header. */
static void tcp_checksum(struct rte_mbuf *m, const struct output_params *p, uint64_t offloads)
{
	struct wire_tcp *tcp = rte_pktmbuf_mtod(m, struct wire_tcp *);

	m->l4_len = (tcp->data_off >> 4) * 4u;
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
		tcp->cksum = cksum_pseudo(p->src, p->dst, IPPROTO_TCP, 0);
	} else if (offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
		tcp->cksum = cksum_pseudo(p->src, p->dst, IPPROTO_TCP, m->pkt_len);
	} else {
		tcp->cksum = 0;
		tcp->cksum = cksum_l4(m, 0, p->src, p->dst, IPPROTO_TCP);
	}
}

static bool add_ip4(struct rte_mbuf *m, const struct output_params *p, uint64_t offloads)
{
	struct wire_ip4 *ip = (struct wire_ip4 *)rte_pktmbuf_prepend(m, sizeof(*ip));

	if (ip == NULL)
		return false;
	/* RFC 6864 4.1: with DF set the identification means nothing. */
	*ip = (struct wire_ip4){
		.version_ihl = 0x45,
		.tos = p->tos,
		.len = htons((uint16_t)m->pkt_len),
		.id = htons((uint16_t)p->ident),
		.frag = htons(p->fragment ? p->frag : IP4_DF),
		.ttl = p->hop_limit,
		.proto = p->proto,
		.src = ip_addr_v4(p->src),
		.dst = ip_addr_v4(p->dst),
	};
	m->l3_len = sizeof(*ip);
	m->ol_flags |= RTE_MBUF_F_TX_IPV4;
	if ((offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) || (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG))
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	else
		ip->cksum = cksum_bytes(ip, sizeof(*ip));
	return true;
}

static bool add_ip6(struct rte_mbuf *m, const struct output_params *p)
{
	uint16_t len = (uint16_t)m->pkt_len;
	struct wire_ip6 *ip = (struct wire_ip6 *)rte_pktmbuf_prepend(m, sizeof(*ip));

	if (ip == NULL)
		return false;
	ip->version_class_flow = htonl(6u << 28 | (uint32_t)p->tos << 20);
	ip->payload_len = htons(len);
	ip->next = p->proto;
	ip->hop_limit = p->hop_limit;
	memcpy(ip->src, p->src->b, 16);
	memcpy(ip->dst, p->dst->b, 16);
	m->l3_len = sizeof(*ip);
	m->ol_flags |= RTE_MBUF_F_TX_IPV6;
	return true;
}

int output_packet(struct net *n, struct rte_mbuf *m, const struct output_params *p, uint64_t now)
{
	const struct net_iface *i = &n->ifaces[p->iface];
	uint64_t offloads = n->ports[i->port_id].offloads;
	bool v4 = ip_addr_is_v4(p->dst), ok;
	uint32_t header = v4 ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
	uint32_t max = UINT16_MAX;

	m->ol_flags &= OWNER_FLAGS;
	m->l2_len = 0;
	m->l3_len = 0;
	if (p->proto != IPPROTO_TCP)
		m->ol_flags &= ~RTE_MBUF_F_TX_TCP_SEG;
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) {
		if (!(offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO))
			return refuse(n, m, NET_C_out_no_tso, -EMSGSIZE);
	} else {
		m->tso_segsz = 0;
		max = i->mtu;
	}
	if (m->pkt_len + header > max)
		return refuse(n, m, NET_C_out_too_big, -EMSGSIZE);
	if (p->proto == IPPROTO_TCP) {
		if (m->data_len < sizeof(struct wire_tcp))
			return refuse(n, m, NET_C_out_bad_address, -EINVAL);
		tcp_checksum(m, p, offloads);
	}
	ok = v4 ? add_ip4(m, p, offloads) : add_ip6(m, p);
	if (!ok)
		return refuse(n, m, NET_C_out_no_headroom, -ENOBUFS);
	net_count(n, v4 ? NET_C_ip4_tx : NET_C_ip6_tx);
	if (p->dst->b[0] == 0xff) {
		/* RFC 2464 7. */
		uint8_t mac[ETHER_MAC_SIZE] = {0x33, 0x33};

		memcpy(&mac[2], &p->dst->b[12], 4);
		eth_output(n, p->iface, m, mac, ETHERTYPE_IPV6_);
		return 0;
	}
	return neigh_output(n, p->iface, p->next_hop, m, now);
}

int output_answer(struct net *n, struct rte_mbuf *m, uint8_t iface, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t proto, uint64_t now)
{
	struct output_params p = {
		.src = src,
		.dst = dst,
		.next_hop = dst,
		.iface = iface,
		.proto = proto,
		.hop_limit = NET_HOP_LIMIT,
	};

	if (!ip_addr_is_link_local6(dst)) {
		const struct route *r = route_lookup(n->routes, iface, dst);

		if (r == NULL)
			return refuse(n, m, NET_C_out_no_route, -EHOSTUNREACH);
		if (!r->on_link)
			p.next_hop = &r->gateway;
	}
	if (m->pkt_len + (ip_addr_is_v4(dst) ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6)) >
		n->ifaces[iface].mtu)
		return fragment_output(n, m, &p, now);
	return output_packet(n, m, &p, now);
}

int net_output(struct net *n, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t proto, uint8_t tos, uint64_t now)
{
	struct output_params p = {
		.src = src,
		.dst = dst,
		.next_hop = dst,
		.proto = proto,
		.tos = tos,
		.hop_limit = NET_HOP_LIMIT,
	};
	const struct net_addr *own = net_find_addr(n, src);
	const struct route *r;

	if (own == NULL || ip_addr_is_v4(src) != ip_addr_is_v4(dst) || ip_addr_is_multicast(dst) ||
		ip_addr_is_unspecified(dst) || net_find_addr(n, dst) != NULL)
		return refuse(n, m, NET_C_out_bad_address, -EHOSTUNREACH);
	r = route_lookup(n->routes, own->iface, dst);
	if (r == NULL)
		return refuse(n, m, NET_C_out_no_route, -EHOSTUNREACH);
	if (!r->on_link)
		p.next_hop = &r->gateway;
	p.iface = own->iface;
	return output_packet(n, m, &p, now);
}
