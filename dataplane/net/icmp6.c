/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMPv6 (RFC 4443). */
#include <arpa/inet.h>

#include "dataplane/net/cksum.h"
#include "dataplane/net/internal.h"
#include "dataplane/net/ip6_ext.h"

#define QUOTE_MAX  1232 /* RFC 4443 2.4 c: the whole error within the minimum MTU */
#define QUOTE_READ (40 + IP6_EXT_BYTES_MAX + 20)

static void echo(struct net *n, struct rte_mbuf *m, const struct net_rx *rx,
	const struct ip_addr *src, const struct ip_addr *dst)
{
	struct wire_icmp *icmp;

	net_count(n, NET_C_icmp_rx_echo);
	/* RFC 4443 4.2 lets a node answer what it got by multicast; scanners are all that would
	 * gain. */
	if (dst->b[0] == 0xff) {
		net_drop(n, m, NET_C_ip6_multicast);
		return;
	}
	rte_pktmbuf_adj(m, (uint16_t)(m->l2_len + m->l3_len));
	icmp = rte_pktmbuf_mtod(m, struct wire_icmp *);
	icmp->type = ICMP6_ECHO_REPLY_;
	icmp->cksum = 0;
	icmp->cksum = cksum_l4(m, 0, dst, src, IPPROTO_ICMPV6);
	if (output_answer(n, m, rx->iface, dst, src, IPPROTO_ICMPV6, rx->now) == 0)
		net_count(n, NET_C_icmp_tx_echo_reply);
}

static void error(struct net *n, struct rte_mbuf *m, const struct net_rx *rx,
	const struct wire_icmp *icmp, uint32_t off)
{
	uint8_t buf[QUOTE_READ];
	uint32_t len = m->pkt_len - off - sizeof(*icmp);
	enum net_counter reason;
	const uint8_t *p;

	net_count(n, NET_C_icmp_rx_error);
	if (len > sizeof(buf))
		len = sizeof(buf);
	p = rte_pktmbuf_read(m, off + sizeof(*icmp), len, buf);
	if (p == NULL) {
		net_drop(n, m, NET_C_icmp_truncated);
		return;
	}
	reason = quote_deliver(n, p, len, true, icmp->type, icmp->code, ntohl(icmp->rest), rx->now);
	if (reason != NET_C_COUNT)
		net_drop(n, m, reason);
	else
		rte_pktmbuf_free(m);
}

void icmp6_input(struct net *n, struct rte_mbuf *m, const struct net_rx *rx)
{
	const struct wire_ip6 *ip = net_at(m, m->l2_len, sizeof(*ip));
	uint32_t off = m->l2_len + m->l3_len;
	const struct wire_icmp *icmp = net_at(m, off, sizeof(*icmp));
	struct ip_addr src = ip_addr_from_v6(ip->src), dst = ip_addr_from_v6(ip->dst);

	if (icmp == NULL) {
		net_drop(n, m, NET_C_icmp_truncated);
		return;
	}
	if (cksum_l4(m, off, &src, &dst, IPPROTO_ICMPV6) != 0) {
		net_drop(n, m, NET_C_icmp_bad_checksum);
		return;
	}
	/* Only neighbour discovery speaks from no address (RFC 4291 2.5.2). */
	if (ip_addr_is_unspecified(&src) && icmp->type != ICMP6_NS) {
		net_drop(n, m, NET_C_ip6_martian_source);
		return;
	}
	switch (icmp->type) {
	case ICMP6_ECHO_REQUEST_:
		echo(n, m, rx, &src, &dst);
		break;
	case ICMP6_UNREACHABLE:
	case ICMP6_TOO_BIG:
	case ICMP6_TIME:
	case ICMP6_PARAMETER:
		error(n, m, rx, icmp, off);
		break;
	case ICMP6_MLD_QUERY:
		mld_input(n, m, rx, off);
		break;
	case ICMP6_RS:
	case ICMP6_RA:
	case ICMP6_NS:
	case ICMP6_NA:
	case ICMP6_REDIRECT:
		nd_input(n, m, rx, off);
		break;
	default:
		exception_input(n, m, rx, NET_C_icmp_ignored);
		break;
	}
}

/* RFC 4443 2.4 e. An error's type has its top bit clear. */
static bool is_about_error(const struct rte_mbuf *m, const struct wire_ip6 *ip)
{
	const uint8_t *type;
	uint32_t off;
	int proto = ip6_skip((const uint8_t *)ip, m->data_len - m->l2_len, &off);

	if (proto != IPPROTO_ICMPV6)
		return proto < 0;
	type = net_at(m, m->l2_len + off, 1);
	return type == NULL || (*type & 0x80) == 0 || *type == ICMP6_REDIRECT;
}

void icmp6_send_error(struct net *n, const struct rte_mbuf *m, const struct net_rx *rx,
	uint8_t type, uint8_t code, uint32_t rest)
{
	const struct wire_ip6 *ip = net_at(m, m->l2_len, sizeof(*ip));
	struct ip_addr src = ip_addr_from_v6(ip->src), dst = ip_addr_from_v6(ip->dst);
	uint32_t len = m->pkt_len - m->l2_len;
	struct wire_icmp *icmp;
	struct rte_mbuf *out;
	const void *p;

	/* The two errors that may answer multicast (2.4 e.3) are not worth being an amplifier. */
	if (rx->multicast || rx->spread || dst.b[0] == 0xff || ip_addr_is_unspecified(&src) ||
		is_about_error(m, ip)) {
		net_count(n, NET_C_icmp_suppressed);
		return;
	}
	if (!net_rate_take(&n->icmp_rate, rx->now)) {
		net_count(n, NET_C_icmp_rate_limited);
		return;
	}
	out = rte_pktmbuf_alloc(n->pool);
	if (out == NULL) {
		net_count(n, NET_C_out_no_mbuf);
		return;
	}
	if (len > QUOTE_MAX)
		len = QUOTE_MAX;
	if (len + sizeof(*icmp) > rte_pktmbuf_tailroom(out))
		len = rte_pktmbuf_tailroom(out) - sizeof(*icmp);
	icmp = (struct wire_icmp *)rte_pktmbuf_append(out, (uint16_t)(sizeof(*icmp) + len));
	*icmp = (struct wire_icmp){.type = type, .code = code, .rest = htonl(rest)};
	p = rte_pktmbuf_read(m, m->l2_len, len, icmp + 1);
	if (p != (void *)(icmp + 1))
		memcpy(icmp + 1, p, len);
	icmp->cksum = cksum_l4(out, 0, &dst, &src, IPPROTO_ICMPV6);
	if (output_answer(n, out, rx->iface, &dst, &src, IPPROTO_ICMPV6, rx->now) == 0)
		net_count(n, NET_C_icmp_tx_error);
}
