/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP (RFC 792), host requirements by RFC 1122 3.2.2. */
#include <arpa/inet.h>

#include "dataplane/net/cksum.h"
#include "dataplane/net/internal.h"

#define QUOTE_MAX  548 /* RFC 1812 4.3.2.3: the whole error within 576 bytes */
#define QUOTE_READ 128 /* of a received quote: the longest IPv4 header and the start of TCP's */

static void echo(
	struct net *n, struct rte_mbuf *m, const struct net_rx *rx, const struct wire_ip4 *ip)
{
	struct ip_addr src = ip_addr_from_v4(ip->src), dst = ip_addr_from_v4(ip->dst);
	struct wire_icmp *icmp;

	net_count(n, NET_C_icmp_rx_echo);
	rte_pktmbuf_adj(m, (uint16_t)(m->l2_len + m->l3_len));
	icmp = rte_pktmbuf_mtod(m, struct wire_icmp *);
	icmp->type = ICMP4_ECHO_REPLY;
	icmp->cksum = 0;
	icmp->cksum = cksum_mbuf(m, 0);
	if (output_answer(n, m, rx->iface, &dst, &src, IPPROTO_ICMP, rx->now) == 0)
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
	reason = quote_deliver(
		n, p, len, false, icmp->type, icmp->code, ntohl(icmp->rest) & UINT16_MAX, rx->now);
	if (reason != NET_C_COUNT)
		net_drop(n, m, reason);
	else
		rte_pktmbuf_free(m);
}

void icmp_input(struct net *n, struct rte_mbuf *m, const struct net_rx *rx)
{
	const struct wire_ip4 *ip = net_at(m, m->l2_len, sizeof(*ip));
	uint32_t off = m->l2_len + m->l3_len;
	const struct wire_icmp *icmp = net_at(m, off, sizeof(*icmp));

	if (icmp == NULL) {
		net_drop(n, m, NET_C_icmp_truncated);
		return;
	}
	if (cksum_mbuf(m, off) != 0) {
		net_drop(n, m, NET_C_icmp_bad_checksum);
		return;
	}
	switch (icmp->type) {
	case ICMP4_ECHO_REQUEST:
		echo(n, m, rx, ip);
		break;
	case ICMP4_UNREACHABLE:
	case ICMP4_TIME_EXCEEDED:
	case ICMP4_PARAMETER:
		error(n, m, rx, icmp, off);
		break;
	default:
		/* Source quench is obsolete (RFC 6633); routes are static, so no redirects. */
		exception_input(n, m, rx, NET_C_icmp_ignored);
		break;
	}
}

/* RFC 1122 3.2.2: no error about an error, and none that answers more than one host. */
static bool is_about_error(const struct rte_mbuf *m, const struct wire_ip4 *ip)
{
	const uint8_t *type;

	if (ip->proto != IPPROTO_ICMP)
		return false;
	type = net_at(m, m->l2_len + (ip->version_ihl & 15) * 4u, 1);
	return type == NULL || (*type != ICMP4_ECHO_REQUEST && *type != ICMP4_ECHO_REPLY);
}

void icmp_send_error(struct net *n, const struct rte_mbuf *m, const struct net_rx *rx, uint8_t type,
	uint8_t code, uint32_t rest)
{
	const struct wire_ip4 *ip = net_at(m, m->l2_len, sizeof(*ip));
	struct ip_addr src = ip_addr_from_v4(ip->src), dst = ip_addr_from_v4(ip->dst);
	uint32_t len = m->pkt_len - m->l2_len;
	struct wire_icmp *icmp;
	struct rte_mbuf *out;
	const void *p;

	if (rx->multicast || rx->spread || is_about_error(m, ip)) {
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
	icmp->cksum = cksum_mbuf(out, 0);
	if (output_answer(n, out, rx->iface, &dst, &src, IPPROTO_ICMP, rx->now) == 0)
		net_count(n, NET_C_icmp_tx_error);
}
