/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * After an address was configured the link is told, so that switches and neighbours that knew it
 * elsewhere (the machine that we took over from) learn the new place at once: RFC 5227 2.3 for
 * IPv4, RFC 4861 7.2.6 for IPv6. Duplicate address detection is not done: a mail gateway that
 * refuses its address because somebody claims it is a denial of service; a conflict is counted and
 * defended.
 */
#include "dataplane/net/internal.h"

#define ANNOUNCE_NUM      2                  /* RFC 5227 1.1 */
#define ANNOUNCE_INTERVAL (2 * NET_NS_PER_S) /* RFC 5227 1.1; above RETRANS_TIMER of RFC 4861 */

void announce_start(struct net_addr *a, uint64_t now)
{
	a->announcements = ANNOUNCE_NUM;
	a->announce_at = now;
}

void announce_tick(struct net *n, uint64_t now)
{
	for (uint16_t i = 0; i < n->addr_count; i++) {
		struct net_addr *a = &n->addrs[i];

		if (a->announcements == 0 || now < a->announce_at)
			continue;
		a->announcements--;
		a->announce_at = now + ANNOUNCE_INTERVAL;
		if (ip_addr_is_v4(&a->addr))
			arp_announce(n, a->iface, &a->addr);
		else
			nd_announce(n, a->iface, &a->addr, now);
	}
}
