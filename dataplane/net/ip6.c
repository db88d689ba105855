/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6 (RFC 8200). */
#include <arpa/inet.h>

#include "dataplane/net/frag.h"
#include "dataplane/net/internal.h"
#include "dataplane/net/ip6_ext.h"

/* RFC 4291 2.5 to 2.7. A mapped address would pass for an IPv4 one in every table of ours. */
static bool is_martian(struct net *n, const struct ip_addr *a)
{
	static const struct ip_addr loopback = {.b = {[15] = 1}};

	return a->b[0] == 0xff || ip_addr_is_v4(a) || ip_addr_equal(a, &loopback) ||
	       net_find_addr(n, a) != NULL;
}

/* The groups that every node is in: all nodes, and the solicited-node ones, which are as good as
 * any, because what is in them names its target. Link scope only. */
static bool is_our_group(const struct ip_addr *a)
{
	static const struct ip_addr all_nodes = {.b = {0xff, 2, [15] = 1}};
	static const struct ip_addr solicited = {.b = {0xff, 2, [11] = 1, [12] = 0xff}};

	return ip_addr_equal(a, &all_nodes) || ip_addr_in_prefix(a, &solicited, 104);
}

/* To us? NET_C_COUNT, or the reason to drop it; *foreign if the kernel might want it. */
static enum net_counter check_addresses(struct net *n, const struct net_rx *rx,
	const struct ip_addr *src, const struct ip_addr *dst, bool *foreign)
{
	const struct net_addr *own;

	*foreign = false;
	if (is_martian(n, src))
		return NET_C_ip6_martian_source;
	if (dst->b[0] == 0xff) {
		*foreign = true;
		return is_our_group(dst) ? NET_C_COUNT : NET_C_ip6_multicast;
	}
	if (ip_addr_is_unspecified(src))
		return NET_C_ip6_martian_source;
	own = net_find_addr(n, dst);
	if (own == NULL) {
		*foreign = true;
		if (!ip_addr_equal(dst, &n->ifaces[rx->iface].link_local))
			return NET_C_ip6_not_local;
	} else if (own->iface != rx->iface) {
		return NET_C_ip6_wrong_interface;
	}
	return rx->multicast ? NET_C_ip6_link_multicast : NET_C_COUNT;
}

/*
 * Reassembly needs the fragment header right behind the IP header: what stood between them has been
 * walked and is of no more use, so it is cut out.
 */
static struct wire_ip6 *cut_extensions(struct rte_mbuf *m, struct wire_ip6 *ip, uint16_t frag_off)
{
	uint16_t extra = frag_off - sizeof(*ip);

	if (extra > 0) {
		uint16_t len = ntohs(ip->payload_len) - extra;
		uint8_t *start = rte_pktmbuf_mtod(m, uint8_t *);

		memmove(start + extra, start, m->l2_len + sizeof(*ip));
		rte_pktmbuf_adj(m, extra);
		ip = rte_pktmbuf_mtod_offset(m, struct wire_ip6 *, m->l2_len);
		ip->payload_len = htons(len);
	}
	ip->next = IPPROTO_FRAGMENT;
	m->l3_len = sizeof(*ip) + sizeof(struct wire_ip6_frag);
	return ip;
}

static void deliver(struct net *n, struct rte_mbuf *m, struct net_rx *rx, const struct wire_ip6 *ip,
	const struct ip6_walk *w, const struct ip_addr *src, const struct ip_addr *dst)
{
	uint8_t tos = (uint8_t)(ntohl(ip->version_class_flow) >> 20);

	m->l3_len = w->offset;
	switch (w->proto) {
	case IPPROTO_TCP:
		if (dst->b[0] == 0xff)
			net_drop(n, m, NET_C_ip6_multicast);
		else if (ip_addr_is_link_local6(dst) || ip_addr_is_link_local6(src))
			/* A connection has no scope to go with its addresses. */
			exception_input(n, m, rx, NET_C_ip6_link_local_tcp);
		else
			tcp_deliver(n, m, rx, src, dst, ip->hop_limit, tos);
		break;
	case IPPROTO_ICMPV6:
		icmp6_input(n, m, rx);
		break;
	case IPPROTO_NONE:
		net_drop(n, m, NET_C_ip6_no_next_header);
		break;
	default:
		if (n->upper.exception == NULL) {
			if (w->proto == IPPROTO_UDP)
				icmp6_send_error(n, m, rx, ICMP6_UNREACHABLE, ICMP6_CODE_PORT, 0);
			else
				icmp6_send_error(
					n, m, rx, ICMP6_PARAMETER, ICMP6_CODE_NEXT, w->proto_at);
		}
		exception_input(n, m, rx, NET_C_ip6_unknown_protocol);
		break;
	}
}

void ip6_input(struct net *n, struct rte_mbuf *m, struct net_rx *rx)
{
	struct wire_ip6 *ip = net_at(m, m->l2_len, sizeof(*ip));
	enum net_counter reason;
	struct ip_addr src, dst;
	struct ip6_walk w;
	uint32_t excess;
	bool foreign;

	net_count(n, NET_C_ip6_rx);
	if (ip == NULL) {
		net_drop(n, m, NET_C_ip6_truncated);
		return;
	}
	if (ntohl(ip->version_class_flow) >> 28 != 6) {
		net_drop(n, m, NET_C_ip6_bad_version);
		return;
	}
	if (ntohs(ip->payload_len) > m->pkt_len - m->l2_len - sizeof(*ip)) {
		net_drop(n, m, NET_C_ip6_bad_length);
		return;
	}
	src = ip_addr_from_v6(ip->src);
	dst = ip_addr_from_v6(ip->dst);
	reason = check_addresses(n, rx, &src, &dst, &foreign);
	if (reason != NET_C_COUNT) {
		if (foreign)
			exception_input(n, m, rx, reason);
		else
			net_drop(n, m, reason);
		return;
	}
	excess = m->pkt_len - m->l2_len - sizeof(*ip) - ntohs(ip->payload_len);
	if (excess > 0)
		net_trim(m, excess);
	for (;;) {
		const uint8_t *p = (const uint8_t *)ip;
		uint32_t contiguous = m->data_len - m->l2_len;

		reason = ip6_walk(p, contiguous, m->pkt_len - m->l2_len, &w);
		if (reason != NET_C_COUNT) {
			m->l3_len = sizeof(*ip);
			if (w.icmp)
				icmp6_send_error(n, m, rx, ICMP6_PARAMETER, w.icmp_code, w.icmp_at);
			net_drop(n, m, reason);
			return;
		}
		if (w.proto != IPPROTO_FRAGMENT)
			break;
		if (rx->reassembled) {
			net_drop(n, m, NET_C_frag_nested);
			return;
		}
		cut_extensions(m, ip, w.offset);
		m = frag_ip6(n, m, rx->now);
		if (m == NULL)
			return;
		rx->reassembled = true;
		ip = rte_pktmbuf_mtod_offset(m, struct wire_ip6 *, m->l2_len);
	}
	deliver(n, m, rx, ip, &w, &src, &dst);
}
