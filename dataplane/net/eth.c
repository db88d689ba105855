/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet II and IEEE 802.1Q: which interface, and which protocol. */
#include <arpa/inet.h>

#include <rte_ethdev.h>

#include "dataplane/net/internal.h"

static bool mac_is_zero(const uint8_t *mac)
{
	return (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) == 0;
}

void eth_input(struct net *n, struct rte_mbuf *m, struct net_rx *rx)
{
	const struct net_port *port = &n->ports[rx->port_id];
	const struct wire_eth *eth = net_at(m, 0, sizeof(*eth));
	uint16_t type, vlan = 0;
	int iface;

	net_count(n, NET_C_eth_rx);
	m->l2_len = sizeof(*eth);
	m->l3_len = 0;
	if (eth == NULL) {
		net_drop(n, m, NET_C_eth_truncated);
		return;
	}
	/* A group address is nobody's source (IEEE 802.3 3.2.3), and zero is nobody's at all. */
	if ((eth->src[0] & 1) || mac_is_zero(eth->src)) {
		net_drop(n, m, NET_C_eth_bad_source);
		return;
	}
	rx->multicast = eth->dst[0] & 1;
	if (!rx->multicast && memcmp(eth->dst, port->mac, ETHER_MAC_SIZE) != 0) {
		net_drop(n, m, NET_C_eth_not_for_us);
		return;
	}
	type = ntohs(eth->type);
	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		vlan = m->vlan_tci & VLAN_ID_MASK;
	} else if (type == ETHERTYPE_VLAN_) {
		const struct wire_vlan *tag = net_at(m, sizeof(*eth), sizeof(*tag));

		if (tag == NULL) {
			net_drop(n, m, NET_C_eth_truncated);
			return;
		}
		m->l2_len += sizeof(*tag);
		vlan = ntohs(tag->tci) & VLAN_ID_MASK;
		type = ntohs(tag->type);
	}
	/* A priority tag has VLAN 0 and is as good as none (IEEE 802.1Q 9.6). */
	iface = vlan == 0 ? port->untagged : net_find_iface(n, rx->port_id, vlan);
	if (iface < 0) {
		exception_input(
			n, m, rx, vlan == 0 ? NET_C_eth_no_interface : NET_C_eth_unknown_vlan);
		return;
	}
	rx->iface = (uint8_t)iface;
	switch (type) {
	case ETHERTYPE_IPV4_:
		ip4_input(n, m, rx);
		break;
	case ETHERTYPE_IPV6_:
		ip6_input(n, m, rx);
		break;
	case ETHERTYPE_ARP_:
		arp_input(n, m, rx);
		break;
	default:
		exception_input(n, m, rx, NET_C_eth_unknown_type);
		break;
	}
}

void eth_output(struct net *n, uint8_t iface, struct rte_mbuf *m, const uint8_t dst[ETHER_MAC_SIZE],
	uint16_t type)
{
	const struct net_iface *i = &n->ifaces[iface];
	struct net_port *port = &n->ports[i->port_id];
	uint16_t l2 = sizeof(struct wire_eth) + (i->vlan_id != 0 ? sizeof(struct wire_vlan) : 0);
	struct wire_eth *eth = (struct wire_eth *)rte_pktmbuf_prepend(m, l2);

	if (eth == NULL) {
		net_drop(n, m, NET_C_eth_no_headroom);
		return;
	}
	memcpy(eth->dst, dst, ETHER_MAC_SIZE);
	memcpy(eth->src, i->mac, ETHER_MAC_SIZE);
	if (i->vlan_id != 0) {
		struct wire_vlan *tag = (struct wire_vlan *)(eth + 1);

		eth->type = htons(ETHERTYPE_VLAN_);
		tag->tci = htons(i->vlan_id);
		tag->type = htons(type);
	} else {
		eth->type = htons(type);
	}
	m->l2_len = l2;
	m->port = i->port_id;
	port->burst[port->count++] = m;
	net_count(n, NET_C_eth_tx);
	if (port->count == NET_TX_BURST)
		eth_flush(n, i->port_id);
}

void eth_flush(struct net *n, uint16_t port_id)
{
	struct net_port *port = &n->ports[port_id];
	uint16_t count = port->count;

	if (count == 0)
		return;
	port->count = 0;
	n->lower.tx(n->lower.arg, port_id, port->burst, count);
}
