/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet quoted in an ICMP or ICMPv6 error: read as far as addresses, ports and sequence
 * number, and handed to TCP if it is one that we can have sent. Whether it fits a connection is for
 * TCP to say (RFC 5927 4).
 */
#include <arpa/inet.h>

#include "dataplane/net/internal.h"
#include "dataplane/net/ip6_ext.h"

#define QUOTE_TCP_MIN \
	8 /* RFC 792: that much of the payload at least; the sequence number is in it */

static enum net_counter quote_ip4(
	const uint8_t *p, size_t len, struct net_icmp_error *e, size_t *off)
{
	const struct wire_ip4 *ip = (const struct wire_ip4 *)p;

	if (len < sizeof(*ip) || ip->version_ihl >> 4 != 4 || (ip->version_ihl & 15) < 5)
		return NET_C_icmp_bad_quote;
	*off = (ip->version_ihl & 15) * 4u;
	/* We send no fragments of TCP, so none can come back. */
	if (ip->frag & htons(IP4_FRAG_MASK | IP4_MF))
		return NET_C_icmp_bad_quote;
	if (ip->proto != IPPROTO_TCP)
		return NET_C_icmp_quote_not_tcp;
	e->local = ip_addr_from_v4(ip->src);
	e->remote = ip_addr_from_v4(ip->dst);
	return NET_C_COUNT;
}

static enum net_counter quote_ip6(
	const uint8_t *p, size_t len, struct net_icmp_error *e, size_t *off)
{
	const struct wire_ip6 *ip = (const struct wire_ip6 *)p;
	struct ip6_walk w;

	if (len < sizeof(*ip) || ntohl(ip->version_class_flow) >> 28 != 6)
		return NET_C_icmp_bad_quote;
	/* We send no extension headers, but a translator on the way may have added a fragment
	 * header (RFC 7915 4); as ip6_walk() passes over an atomic one, that is fine. */
	if (ip6_walk(p, (uint32_t)len, (uint32_t)len, &w) != NET_C_COUNT)
		return NET_C_icmp_bad_quote;
	if (w.proto != IPPROTO_TCP)
		return NET_C_icmp_quote_not_tcp;
	*off = w.offset;
	e->local = ip_addr_from_v6(ip->src);
	e->remote = ip_addr_from_v6(ip->dst);
	if (ip_addr_is_v4(&e->local) || ip_addr_is_v4(&e->remote))
		return NET_C_icmp_bad_quote;
	return NET_C_COUNT;
}

/* The next hop's MTU. RFC 1191 3 and RFC 4443 3.2 put it into the last 16 and 32 bits. */
static uint16_t next_hop_mtu(bool v6, uint8_t type, uint8_t code, uint32_t rest)
{
	if (v6)
		return type != ICMP6_TOO_BIG ? 0 : rest > UINT16_MAX ? UINT16_MAX : (uint16_t)rest;
	return type == ICMP4_UNREACHABLE && code == ICMP4_CODE_FRAG_NEEDED ? (uint16_t)rest : 0;
}

enum net_counter quote_deliver(struct net *n, const uint8_t *p, size_t len, bool v6, uint8_t type,
	uint8_t code, uint32_t rest, uint64_t now)
{
	struct net_icmp_error e = {.type = type, .code = code};
	const struct wire_tcp *tcp;
	enum net_counter reason;
	size_t off = 0;

	reason = v6 ? quote_ip6(p, len, &e, &off) : quote_ip4(p, len, &e, &off);
	if (reason != NET_C_COUNT)
		return reason;
	if (off > len || len - off < QUOTE_TCP_MIN)
		return NET_C_icmp_bad_quote;
	if (!net_is_local(n, &e.local, NULL))
		return NET_C_icmp_quote_not_ours;
	tcp = (const struct wire_tcp *)(p + off);
	e.local_port = ntohs(tcp->sport);
	e.remote_port = ntohs(tcp->dport);
	e.seq = ntohl(tcp->seq);
	e.mtu = next_hop_mtu(v6, type, code, rest);
	if (n->upper.tcp_error != NULL)
		n->upper.tcp_error(n->upper.arg, &e, now);
	return NET_C_COUNT;
}
