/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Multicast listener discovery, the listener's side (RFC 3810, and RFC 2710 towards an old
 * querier): a switch that snoops keeps neighbour solicitations from us unless it hears that we
 * listen to the solicited-node groups of our addresses. Reports are made after a configuration and
 * when a querier asks. There is no "done": a group that we have left is forgotten by the querier
 * after its listening interval.
 */
#include <arpa/inet.h>

#include "dataplane/net/cksum.h"
#include "dataplane/net/internal.h"

#define MLD_HOP_LIMIT   1
#define MLD_EXCLUDE     2 /* record types, RFC 3810 5.2.5: listens to every source */
#define MLD_TO_EXCLUDE  4
#define MLD_RECORDS     50 /* of one report: within the minimum MTU */
#define MLD_V1_SIZE     24
#define MLD_V2_SIZE     28
#define MLD_MS_MAX      10000        /* a querier that lets us wait for longer has forgotten us */
#define MLD_ROBUSTNESS  2            /* RFC 3810 9.1 */
#define MLD_UNSOLICITED NET_NS_PER_S /* RFC 3810 9.11 */

static const struct ip_addr all_mld2_routers = {.b = {0xff, 2, [15] = 0x16}};

/* Router alert (RFC 2711) in a hop-by-hop header, which RFC 3810 5 wants before every message. */
static const uint8_t router_alert[8] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};

static bool same_group(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(&a->b[13], &b->b[13], 3) == 0;
}

/* The k-th address of an interface, the link-local one last; false: no more, or its group has been
 * named already. */
static const struct ip_addr *listener(const struct net *n, uint8_t iface, uint16_t k)
{
	const struct net_iface *i = &n->ifaces[iface];

	return k < i->addr_count ? &n->addrs[i->first_addr + k].addr : &i->link_local;
}

static bool is_first_of_group(const struct net *n, uint8_t iface, uint16_t k)
{
	const struct ip_addr *a = listener(n, iface, k);

	if (ip_addr_is_v4(a))
		return false;
	while (k-- > 0) {
		const struct ip_addr *other = listener(n, iface, k);

		if (!ip_addr_is_v4(other) && same_group(other, a))
			return false;
	}
	return true;
}

static void send_mld(struct net *n, uint8_t iface, const void *message, uint16_t len,
	const struct ip_addr *dst, uint64_t now)
{
	const struct ip_addr *src = &n->ifaces[iface].link_local;
	struct rte_mbuf *m = rte_pktmbuf_alloc(n->pool);
	struct wire_icmp *icmp;
	uint8_t *p;

	if (m == NULL) {
		net_count(n, NET_C_out_no_mbuf);
		return;
	}
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(sizeof(router_alert) + len));
	if (p == NULL) {
		net_drop(n, m, NET_C_out_no_mbuf);
		return;
	}
	memcpy(p, router_alert, sizeof(router_alert));
	icmp = memcpy(p + sizeof(router_alert), message, len);
	icmp->cksum = cksum_l4(m, sizeof(router_alert), src, dst, IPPROTO_ICMPV6);
	output_packet(n, m,
		&(struct output_params){.src = src,
			.dst = dst,
			.next_hop = dst,
			.iface = iface,
			.proto = IPPROTO_HOPOPTS,
			.hop_limit = MLD_HOP_LIMIT},
		now);
	net_count(n, NET_C_mld_tx_report);
}

static void report_v2(struct net *n, uint8_t iface, uint8_t record_type, uint64_t now)
{
	struct {
		struct wire_icmp head;
		struct wire_mld_record records[MLD_RECORDS];
	} WIRE_PACKED report;
	uint16_t count = 0;

	for (uint16_t k = 0; k <= n->ifaces[iface].addr_count; k++) {
		struct ip_addr group;

		if (is_first_of_group(n, iface, k)) {
			group = nd_solicited_node(listener(n, iface, k));
			report.records[count] = (struct wire_mld_record){.type = record_type};
			memcpy(report.records[count++].group, group.b, 16);
		}
		if (count == MLD_RECORDS || (count > 0 && k == n->ifaces[iface].addr_count)) {
			report.head =
				(struct wire_icmp){.type = ICMP6_MLD2_REPORT, .rest = htonl(count)};
			send_mld(n, iface, &report,
				(uint16_t)(sizeof(report.head) + count * sizeof(report.records[0])),
				&all_mld2_routers, now);
			count = 0;
		}
	}
}

/* RFC 2710 4: a message for each group, to the group. */
static void report_v1(struct net *n, uint8_t iface, uint64_t now)
{
	struct {
		struct wire_icmp head;
		uint8_t group[16];
	} WIRE_PACKED report = {.head = {.type = ICMP6_MLD_REPORT}};

	for (uint16_t k = 0; k <= n->ifaces[iface].addr_count; k++) {
		struct ip_addr group;

		if (!is_first_of_group(n, iface, k))
			continue;
		group = nd_solicited_node(listener(n, iface, k));
		memcpy(report.group, group.b, 16);
		report.head.cksum = 0;
		send_mld(n, iface, &report, sizeof(report), &group, now);
	}
}

/* RFC 3810 5.1.3: milliseconds, or a mantissa and an exponent. */
static uint32_t max_response_ms(uint16_t code)
{
	if (code < 0x8000)
		return code;
	return ((code & 0xfffu) | 0x1000u) << ((code >> 12 & 7) + 3);
}

void mld_input(struct net *n, struct rte_mbuf *m, const struct net_rx *rx, uint32_t off)
{
	const struct wire_ip6 *ip = net_at(m, m->l2_len, sizeof(*ip));
	uint32_t len = m->pkt_len - off, ms;
	const struct wire_icmp *icmp = net_at(m, off, MLD_V1_SIZE);
	struct net_iface *i = &n->ifaces[rx->iface];
	struct ip_addr src = ip_addr_from_v6(ip->src);
	uint64_t at;

	/* RFC 3810 5.1.14, 6.2: from a neighbour, or it is not looked at. */
	if (icmp == NULL || (len != MLD_V1_SIZE && len < MLD_V2_SIZE) ||
		ip->hop_limit != MLD_HOP_LIMIT || !ip_addr_is_link_local6(&src)) {
		net_drop(n, m, NET_C_mld_malformed);
		return;
	}
	net_count(n, NET_C_mld_rx_query);
	ms = ntohl(icmp->rest) >> 16;
	if (len != MLD_V1_SIZE)
		ms = max_response_ms((uint16_t)ms);
	/* A random time within what it allows, so that a link's hosts do not answer at once. A
	 * query for one group is answered with all. */
	ms = ms < MLD_MS_MAX ? ms : MLD_MS_MAX;
	at = rx->now + (rte_rand() % (ms + 1)) * NET_NS_PER_MS;
	if (i->mld_at == 0 || at < i->mld_at)
		i->mld_at = at;
	i->mld_v1 = len == MLD_V1_SIZE;
	rte_pktmbuf_free(m);
}

void mld_start(struct net *n, uint8_t iface, uint64_t now)
{
	n->ifaces[iface].mld_unsolicited = MLD_ROBUSTNESS;
	n->ifaces[iface].mld_unsolicited_at = now;
}

void mld_tick(struct net *n, uint64_t now)
{
	for (uint8_t k = 0; k < n->iface_count; k++) {
		struct net_iface *i = &n->ifaces[k];

		if (i->mld_unsolicited > 0 && now >= i->mld_unsolicited_at) {
			i->mld_unsolicited--;
			i->mld_unsolicited_at = now + MLD_UNSOLICITED;
			report_v2(n, k, MLD_TO_EXCLUDE, now);
		}
		if (i->mld_at == 0 || now < i->mld_at)
			continue;
		i->mld_at = 0;
		if (i->mld_v1)
			report_v1(n, k, now);
		else
			report_v2(n, k, MLD_EXCLUDE, now);
	}
}
