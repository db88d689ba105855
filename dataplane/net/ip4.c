/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 (RFC 791), host requirements by RFC 1122 3.2 and 3.3. */
#include <arpa/inet.h>

#include "dataplane/net/cksum.h"
#include "dataplane/net/frag.h"
#include "dataplane/net/internal.h"

#define OPTION_END          0
#define OPTION_NOP          1
#define OPTION_LOOSE_ROUTE  131
#define OPTION_STRICT_ROUTE 137

/* RFC 1122 3.2.1.3 and RFC 6890: what cannot be the address of one host. */
static bool is_martian(struct net *n, uint8_t iface, const struct ip_addr *a)
{
	const struct net_iface *i = &n->ifaces[iface];
	uint32_t v4 = ntohl(ip_addr_v4(a));

	if (v4 >> 24 == 0 || v4 >> 24 == 127 || v4 >> 28 >= 0xe)
		return true;
	/* Nobody else speaks from our own address: a "land" packet, or a loop. */
	if (net_find_addr(n, a) != NULL)
		return true;
	for (uint16_t k = 0; k < i->addr_count; k++) {
		const struct net_addr *own = &n->addrs[i->first_addr + k];
		uint32_t host;

		/* RFC 3021: a /31 has no broadcast address. */
		if (!ip_addr_is_v4(&own->addr) || own->plen > 126)
			continue;
		host = own->plen == 96 ? UINT32_MAX : UINT32_MAX >> (own->plen - 96);
		if (ip_addr_in_prefix(a, &own->addr, own->plen) && (v4 & host) == host)
			return true;
	}
	return false;
}

static bool is_broadcast(const struct net *n, uint8_t iface, const struct ip_addr *a)
{
	const struct net_iface *i = &n->ifaces[iface];
	uint32_t v4 = ntohl(ip_addr_v4(a));

	if (v4 == UINT32_MAX || v4 >> 28 == 0xe)
		return true;
	for (uint16_t k = 0; k < i->addr_count; k++) {
		const struct net_addr *own = &n->addrs[i->first_addr + k];
		uint32_t host;

		if (!ip_addr_is_v4(&own->addr) || own->plen > 126)
			continue;
		host = own->plen == 96 ? UINT32_MAX : UINT32_MAX >> (own->plen - 96);
		if (ip_addr_in_prefix(a, &own->addr, own->plen) && (v4 & host) == host)
			return true;
	}
	return false;
}

/* Source routes are refused (RFC 7126 4.3, 4.4), other options passed over (RFC 1122 3.2.1.8). */
static enum net_counter check_options(const uint8_t *p, uint32_t len)
{
	while (len > 0) {
		if (p[0] == OPTION_END)
			break;
		if (p[0] == OPTION_NOP) {
			p++;
			len--;
			continue;
		}
		if (len < 2 || p[1] < 2 || p[1] > len)
			return NET_C_ip4_bad_option;
		if (p[0] == OPTION_LOOSE_ROUTE || p[0] == OPTION_STRICT_ROUTE)
			return NET_C_ip4_source_route;
		len -= p[1];
		p += p[1];
	}
	return NET_C_COUNT;
}

/* The header alone: NET_C_COUNT if it is right, else the reason to drop it. */
static enum net_counter check_header(const struct rte_mbuf *m, const struct wire_ip4 *ip)
{
	uint32_t header = (ip->version_ihl & 15) * 4u, len = ntohs(ip->len);
	uint64_t hw = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;

	if (ip->version_ihl >> 4 != 4)
		return NET_C_ip4_bad_version;
	if (header < IP4_HEADER_MIN || net_at(m, m->l2_len, header) == NULL)
		return NET_C_ip4_bad_header_length;
	if (len < header || len > m->pkt_len - m->l2_len)
		return NET_C_ip4_bad_length;
	if (hw != RTE_MBUF_F_RX_IP_CKSUM_GOOD && hw != RTE_MBUF_F_RX_IP_CKSUM_NONE &&
		cksum_bytes(ip, header) != 0)
		return NET_C_ip4_bad_checksum;
	return check_options((const uint8_t *)(ip + 1), header - IP4_HEADER_MIN);
}

static void deliver(struct net *n, struct rte_mbuf *m, struct net_rx *rx, const struct wire_ip4 *ip,
	const struct ip_addr *src, const struct ip_addr *dst)
{
	switch (ip->proto) {
	case IPPROTO_TCP:
		tcp_deliver(n, m, rx, src, dst, ip->ttl, ip->tos);
		break;
	case IPPROTO_ICMP:
		icmp_input(n, m, rx);
		break;
	default:
		if (n->upper.exception == NULL)
			icmp_send_error(n, m, rx, ICMP4_UNREACHABLE,
				ip->proto == IPPROTO_UDP ? ICMP4_CODE_PORT : ICMP4_CODE_PROTOCOL,
				0);
		exception_input(n, m, rx, NET_C_ip4_unknown_protocol);
		break;
	}
}

void ip4_input(struct net *n, struct rte_mbuf *m, struct net_rx *rx)
{
	const struct wire_ip4 *ip = net_at(m, m->l2_len, sizeof(*ip));
	struct ip_addr src, dst;
	const struct net_addr *own;
	enum net_counter reason;
	uint32_t excess;

	net_count(n, NET_C_ip4_rx);
	if (ip == NULL) {
		net_drop(n, m, NET_C_ip4_truncated);
		return;
	}
	reason = check_header(m, ip);
	if (reason != NET_C_COUNT) {
		net_drop(n, m, reason);
		return;
	}
	src = ip_addr_from_v4(ip->src);
	dst = ip_addr_from_v4(ip->dst);
	if (is_martian(n, rx->iface, &src)) {
		net_drop(n, m, NET_C_ip4_martian_source);
		return;
	}
	own = net_find_addr(n, &dst);
	if (own == NULL) {
		if (is_broadcast(n, rx->iface, &dst))
			exception_input(n, m, rx, NET_C_ip4_broadcast);
		else
			exception_input(n, m, rx, NET_C_ip4_not_local);
		return;
	}
	/* The strong host model (RFC 1122 3.3.4.2): what listens inside is not reached from
	 * outside. */
	if (own->iface != rx->iface) {
		net_drop(n, m, NET_C_ip4_wrong_interface);
		return;
	}
	/* RFC 1122 3.3.6. */
	if (rx->multicast) {
		net_drop(n, m, NET_C_ip4_link_broadcast);
		return;
	}
	m->l3_len = (ip->version_ihl & 15) * 4u;
	/* Padding of short frames is no part of the packet. */
	excess = m->pkt_len - m->l2_len - ntohs(ip->len);
	if (excess > 0)
		net_trim(m, excess);
	if (ip->frag & htons(IP4_MF | IP4_FRAG_MASK)) {
		m = frag_ip4(n, m, rx->now);
		if (m == NULL)
			return;
		rx->reassembled = true;
		ip = net_at(m, m->l2_len, m->l3_len);
	}
	deliver(n, m, rx, ip, &src, &dst);
}
