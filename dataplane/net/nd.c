/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbour discovery (RFC 4861): solicitations and advertisements. Routers are configured, so
 * router discovery and redirects (RFC 4861 8) are not listened to.
 */
#include <arpa/inet.h>

#include "dataplane/net/cksum.h"
#include "dataplane/net/internal.h"

#define DEFEND_INTERVAL (10 * NET_NS_PER_S)
#define ND_MESSAGE_MAX  1480 /* of a message that is worth parsing */

static const struct ip_addr all_nodes = {.b = {0xff, 2, [15] = 1}};

/* RFC 4291 2.7.1. */
struct ip_addr nd_solicited_node(const struct ip_addr *a)
{
	struct ip_addr r = {.b = {0xff, 2, [11] = 1, [12] = 0xff}};

	memcpy(&r.b[13], &a->b[13], 3);
	return r;
}

static void send_nd(struct net *n, uint8_t iface, uint8_t type, uint32_t flags,
	const struct ip_addr *target, const struct ip_addr *src, const struct ip_addr *dst,
	uint64_t now)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(n->pool);
	struct wire_nd_lladdr *opt;
	struct wire_nd *nd;

	if (m == NULL) {
		net_count(n, NET_C_out_no_mbuf);
		return;
	}
	nd = (struct wire_nd *)rte_pktmbuf_append(m, sizeof(*nd) + sizeof(*opt));
	if (nd == NULL) {
		net_drop(n, m, NET_C_out_no_mbuf);
		return;
	}
	nd->type = type;
	nd->code = 0;
	nd->cksum = 0;
	nd->flags = htonl(flags);
	memcpy(nd->target, target->b, 16);
	opt = (struct wire_nd_lladdr *)(nd + 1);
	opt->type = type == ICMP6_NS ? ND_OPT_SOURCE_LLADDR : ND_OPT_TARGET_LLADDR;
	opt->len = 1;
	memcpy(opt->mac, n->ifaces[iface].mac, ETHER_MAC_SIZE);
	nd->cksum = cksum_l4(m, 0, src, dst, IPPROTO_ICMPV6);
	output_packet(n, m,
		&(struct output_params){.src = src,
			.dst = dst,
			.next_hop = dst,
			.iface = iface,
			.proto = IPPROTO_ICMPV6,
			.hop_limit = ND_HOP_LIMIT},
		now);
}

void nd_solicit(struct net *n, uint8_t iface, const struct ip_addr *target, const uint8_t *mac,
	uint64_t now)
{
	const struct ip_addr *src = net_iface_source(n, iface, target);
	struct ip_addr group = nd_solicited_node(target);

	if (src == NULL)
		src = &n->ifaces[iface].link_local;
	send_nd(n, iface, ICMP6_NS, 0, target, src, mac != NULL ? target : &group, now);
	net_count(n, NET_C_nd_tx_solicit);
}

/* RFC 4861 7.2.6: an unsolicited advertisement to all nodes. */
void nd_announce(struct net *n, uint8_t iface, const struct ip_addr *addr, uint64_t now)
{
	send_nd(n, iface, ICMP6_NA, ND_NA_OVERRIDE, addr, addr, &all_nodes, now);
	net_count(n, NET_C_nd_tx_announce);
}

/*
 * The link-layer address in an option of that type: *mac, NULL without one. False if the options
 * are not well-formed: RFC 4861 4.6 has the whole message discarded for a length of 0.
 */
static bool parse_options(const uint8_t *p, size_t len, uint8_t type, const uint8_t **mac)
{
	*mac = NULL;
	while (len > 0) {
		size_t size;

		if (len < 2 || p[1] == 0)
			return false;
		size = (size_t)p[1] * 8;
		if (size > len)
			return false;
		if (p[0] == type && *mac == NULL) {
			const struct wire_nd_lladdr *opt = (const struct wire_nd_lladdr *)p;

			if (size != sizeof(*opt) || (opt->mac[0] & 1))
				return false;
			*mac = opt->mac;
		}
		p += size;
		len -= size;
	}
	return true;
}

static void conflict(struct net *n, const struct net_rx *rx, const struct ip_addr *addr)
{
	struct net_addr *own = net_find_addr(n, addr);

	net_count(n, NET_C_nd_conflict);
	if (own == NULL || rx->spread || rx->now < own->defend_at)
		return;
	own->defend_at = rx->now + DEFEND_INTERVAL;
	nd_announce(n, rx->iface, addr, rx->now);
}

/* RFC 4861 7.1.1, 7.2.3, 7.2.4. Whether other workers must see it. */
static bool solicit_input(struct net *n, const struct net_rx *rx, const struct wire_nd *nd,
	size_t len, const struct ip_addr *src, const struct ip_addr *dst, bool *foreign)
{
	struct ip_addr target = ip_addr_from_v6(nd->target), group = nd_solicited_node(&target);
	bool probe = ip_addr_is_unspecified(src);
	const uint8_t *mac;

	if (!parse_options(
		    (const uint8_t *)(nd + 1), len - sizeof(*nd), ND_OPT_SOURCE_LLADDR, &mac)) {
		net_count(n, NET_C_nd_bad_option);
		return false;
	}
	if (ip_addr_is_multicast(&target) ||
		(probe && (mac != NULL || !ip_addr_equal(dst, &group)))) {
		net_count(n, NET_C_nd_malformed);
		return false;
	}
	if (!net_is_iface_addr(n, rx->iface, &target)) {
		*foreign = true;
		return false;
	}
	if (probe) {
		/* RFC 4862 5.4: another node wants our address; it has to hear that it is taken. */
		net_count(n, NET_C_nd_conflict);
		if (!rx->spread) {
			send_nd(n, rx->iface, ICMP6_NA, ND_NA_OVERRIDE, &target, &target,
				&all_nodes, rx->now);
			net_count(n, NET_C_nd_tx_advert);
		}
		return false;
	}
	/* Only a neighbour may ask (RFC 4861 7.2.3 as sharpened by RFC 5942 4, CVE-2008-2476). */
	if (!net_is_on_link(n, rx->iface, src)) {
		net_count(n, NET_C_nd_off_link);
		return false;
	}
	if (mac != NULL)
		neigh_learn(n, rx->iface, src, mac, NEIGH_LEARN_CREATE, rx->now);
	if (!rx->spread) {
		send_nd(n, rx->iface, ICMP6_NA, ND_NA_SOLICITED | ND_NA_OVERRIDE, &target, &target,
			src, rx->now);
		net_count(n, NET_C_nd_tx_advert);
	}
	return mac != NULL;
}

/* RFC 4861 7.1.2, 7.2.5. */
static bool advert_input(struct net *n, const struct net_rx *rx, const struct wire_nd *nd,
	size_t len, const struct ip_addr *dst)
{
	struct ip_addr target = ip_addr_from_v6(nd->target);
	uint32_t flags = ntohl(nd->flags);
	bool solicited = flags & ND_NA_SOLICITED, override = flags & ND_NA_OVERRIDE;
	enum neigh_learn how;
	const uint8_t *mac;

	if (!parse_options(
		    (const uint8_t *)(nd + 1), len - sizeof(*nd), ND_OPT_TARGET_LLADDR, &mac)) {
		net_count(n, NET_C_nd_bad_option);
		return false;
	}
	if (ip_addr_is_multicast(&target) || (solicited && ip_addr_is_multicast(dst))) {
		net_count(n, NET_C_nd_malformed);
		return false;
	}
	if (net_is_iface_addr(n, rx->iface, &target)) {
		if (mac == NULL || memcmp(mac, n->ifaces[rx->iface].mac, ETHER_MAC_SIZE) != 0)
			conflict(n, rx, &target);
		return false;
	}
	if (mac == NULL) {
		if (solicited)
			neigh_confirm(n, rx->iface, &target, rx->now);
		return true;
	}
	if (override)
		how = solicited ? NEIGH_LEARN_CONFIRMED : NEIGH_LEARN_UPDATE;
	else
		how = solicited ? NEIGH_LEARN_WEAK_CONFIRMED : NEIGH_LEARN_WEAK;
	neigh_learn(n, rx->iface, &target, mac, how, rx->now);
	return true;
}

void nd_input(struct net *n, struct rte_mbuf *m, const struct net_rx *rx, uint32_t off)
{
	const struct wire_ip6 *ip = net_at(m, m->l2_len, sizeof(*ip));
	uint32_t len = m->pkt_len - off;
	const struct wire_nd *nd;
	struct ip_addr src, dst;
	bool spread = false, foreign = false;

	/* RFC 6980: fragmented neighbour discovery is no neighbour discovery. */
	if (len > ND_MESSAGE_MAX || rx->reassembled) {
		net_drop(n, m, NET_C_nd_malformed);
		return;
	}
	nd = net_at(m, off, len);
	if (nd == NULL || len < sizeof(struct wire_icmp)) {
		net_drop(n, m, NET_C_nd_truncated);
		return;
	}
	if (nd->type != ICMP6_NS && nd->type != ICMP6_NA) {
		net_drop(n, m, NET_C_nd_ignored);
		return;
	}
	if (ip->hop_limit != ND_HOP_LIMIT) {
		net_drop(n, m, NET_C_nd_hop_limit);
		return;
	}
	if (len < sizeof(*nd)) {
		net_drop(n, m, NET_C_nd_truncated);
		return;
	}
	if (nd->code != 0) {
		net_drop(n, m, NET_C_nd_malformed);
		return;
	}
	src = ip_addr_from_v6(ip->src);
	dst = ip_addr_from_v6(ip->dst);
	if (nd->type == ICMP6_NS) {
		net_count(n, NET_C_nd_rx_solicit);
		spread = solicit_input(n, rx, nd, len, &src, &dst, &foreign);
	} else {
		net_count(n, NET_C_nd_rx_advert);
		spread = advert_input(n, rx, nd, len, &dst);
	}
	/* The kernel behind the exception path has addresses too. */
	if (foreign) {
		exception_input(n, m, rx, NET_C_nd_not_our_target);
		return;
	}
	if (spread && n->upper.spread != NULL && !rx->spread)
		n->upper.spread(n->upper.arg, rx->port_id, m);
	rte_pktmbuf_free(m);
}
