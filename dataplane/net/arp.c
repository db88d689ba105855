/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP (RFC 826) for Ethernet and IPv4, with conflict detection by RFC 5227. */
#include <arpa/inet.h>

#include "dataplane/net/internal.h"

#define DEFEND_INTERVAL (10 * NET_NS_PER_S) /* RFC 5227 1.1 */

static const uint8_t broadcast[ETHER_MAC_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void send_arp(struct net *n, uint8_t iface, uint16_t op, uint32_t spa, const uint8_t *tha,
	uint32_t tpa, const uint8_t *dst)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(n->pool);
	struct wire_arp *arp;

	if (m == NULL) {
		net_count(n, NET_C_out_no_mbuf);
		return;
	}
	arp = (struct wire_arp *)rte_pktmbuf_append(m, sizeof(*arp));
	if (arp == NULL) {
		net_drop(n, m, NET_C_out_no_mbuf);
		return;
	}
	arp->hrd = htons(ARP_HRD_ETHERNET);
	arp->pro = htons(ETHERTYPE_IPV4_);
	arp->hln = ETHER_MAC_SIZE;
	arp->pln = 4;
	arp->op = htons(op);
	memcpy(arp->sha, n->ifaces[iface].mac, ETHER_MAC_SIZE);
	arp->spa = spa;
	if (tha != NULL)
		memcpy(arp->tha, tha, ETHER_MAC_SIZE);
	else
		memset(arp->tha, 0, ETHER_MAC_SIZE);
	arp->tpa = tpa;
	eth_output(n, iface, m, dst, ETHERTYPE_ARP_);
}

void arp_solicit(struct net *n, uint8_t iface, const struct ip_addr *target, const uint8_t *mac)
{
	const struct ip_addr *src = net_iface_source(n, iface, target);

	if (src == NULL) {
		net_count(n, NET_C_out_bad_address);
		return;
	}
	send_arp(n, iface, ARP_OP_REQUEST, ip_addr_v4(src), NULL, ip_addr_v4(target),
		mac != NULL ? mac : broadcast);
	net_count(n, NET_C_arp_tx_request);
}

/* RFC 5227 2.3: a request with our address as sender and as target. */
void arp_announce(struct net *n, uint8_t iface, const struct ip_addr *addr)
{
	send_arp(n, iface, ARP_OP_REQUEST, ip_addr_v4(addr), NULL, ip_addr_v4(addr), broadcast);
	net_count(n, NET_C_arp_tx_announce);
}

static bool is_well_formed(const struct wire_arp *arp)
{
	uint16_t op = ntohs(arp->op);

	if (arp->hrd != htons(ARP_HRD_ETHERNET) || arp->pro != htons(ETHERTYPE_IPV4_) ||
		arp->hln != ETHER_MAC_SIZE || arp->pln != 4)
		return false;
	if (op != ARP_OP_REQUEST && op != ARP_OP_REPLY)
		return false;
	/* A group address as a station's own would make us send unicast to everyone. */
	return (arp->sha[0] & 1) == 0;
}

/* Someone else has our address: noted, and answered once in a while (RFC 5227 2.4 c). */
static void conflict(struct net *n, const struct net_rx *rx, struct net_addr *own)
{
	net_count(n, NET_C_arp_conflict);
	if (rx->spread || rx->now < own->defend_at)
		return;
	own->defend_at = rx->now + DEFEND_INTERVAL;
	arp_announce(n, rx->iface, &own->addr);
}

void arp_input(struct net *n, struct rte_mbuf *m, const struct net_rx *rx)
{
	const struct wire_arp *arp = net_at(m, m->l2_len, sizeof(*arp));
	struct ip_addr spa, tpa;
	struct net_addr *own;
	bool for_us, request;

	if (arp == NULL) {
		net_drop(n, m, NET_C_arp_truncated);
		return;
	}
	if (!is_well_formed(arp)) {
		net_drop(n, m, NET_C_arp_malformed);
		return;
	}
	request = arp->op == htons(ARP_OP_REQUEST);
	net_count(n, request ? NET_C_arp_rx_request : NET_C_arp_rx_reply);
	spa = ip_addr_from_v4(arp->spa);
	tpa = ip_addr_from_v4(arp->tpa);
	own = net_find_addr(n, &spa);
	if (own != NULL && own->iface == rx->iface) {
		if (memcmp(arp->sha, n->ifaces[rx->iface].mac, ETHER_MAC_SIZE) != 0)
			conflict(n, rx, own);
		rte_pktmbuf_free(m);
		return;
	}
	own = net_find_addr(n, &tpa);
	for_us = own != NULL && own->iface == rx->iface;
	if (spa.w[3] != 0) {
		if (!net_is_on_link(n, rx->iface, &spa)) {
			exception_input(n, m, rx, NET_C_arp_off_link);
			return;
		}
		if (request)
			neigh_learn(n, rx->iface, &spa, arp->sha,
				for_us ? NEIGH_LEARN_CREATE : NEIGH_LEARN_UPDATE, rx->now);
		else
			neigh_learn(n, rx->iface, &spa, arp->sha,
				for_us && !rx->multicast ? NEIGH_LEARN_CONFIRMED
							 : NEIGH_LEARN_UPDATE,
				rx->now);
	}
	/* RFC 5227 1.1: a probe has no sender address; it is answered and not learned from. */
	if (request && for_us && !rx->spread) {
		send_arp(n, rx->iface, ARP_OP_REPLY, arp->tpa, arp->sha, arp->spa, arp->sha);
		net_count(n, NET_C_arp_tx_reply);
	}
	if (n->upper.spread != NULL && !rx->spread && (for_us || !request || arp->spa == arp->tpa))
		n->upper.spread(n->upper.arg, rx->port_id, m);
	/* The kernel behind the exception path has neighbours too. */
	if (for_us)
		rte_pktmbuf_free(m);
	else
		exception_input(n, m, rx, NET_C_arp_not_our_target);
}
