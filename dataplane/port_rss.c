/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/port_rss.h"

#include <rte_thash.h>

const uint8_t port_rss_default_key[PORT_RSS_KEY_SIZE] = {
	0x6d,
	0x5a,
	0x56,
	0xda,
	0x25,
	0x5b,
	0x0e,
	0xc2,
	0x41,
	0x67,
	0x25,
	0x3d,
	0x43,
	0xa3,
	0x8f,
	0xb0,
	0xd0,
	0xca,
	0x2b,
	0xcb,
	0xae,
	0x7b,
	0x30,
	0xb4,
	0x77,
	0xcb,
	0x2d,
	0xa3,
	0x80,
	0x30,
	0xf2,
	0x0c,
	0x6a,
	0x42,
	0xb7,
	0x3b,
	0xbe,
	0xac,
	0x01,
	0xfa,
};

uint32_t port_rss_hash(const struct port_rss *rss, const struct ip_addr *src, uint16_t sport,
	const struct ip_addr *dst, uint16_t dport)
{
	uint32_t tuple[9], len = 0;
	bool v4 = ip_addr_is_v4(dst), ports = v4 ? rss->tcp4 : rss->tcp6;
	int first = v4 ? 3 : 0;

	for (int i = first; i < 4; i++)
		tuple[len++] = ntohl(src->w[i]);
	for (int i = first; i < 4; i++)
		tuple[len++] = ntohl(dst->w[i]);
	if (ports)
		tuple[len++] = (uint32_t)sport << 16 | dport;
	return rte_softrss(tuple, len, rss->key);
}

int port_rss_queue(const struct port_rss *rss, const struct ip_addr *src, uint16_t sport,
	const struct ip_addr *dst, uint16_t dport)
{
	bool v4 = ip_addr_is_v4(dst);

	if (!rss->known || rss->reta_size == 0)
		return -1;
	/* What a device does not hash goes to the queue of its own choice. */
	if (v4 ? !rss->tcp4 && !rss->ip4 : !rss->tcp6 && !rss->ip6)
		return -1;
	return rss->reta[port_rss_hash(rss, src, sport, dst, dport) % rss->reta_size];
}
