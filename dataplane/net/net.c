/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker's IP layer as a whole: its memory, its configuration, what others ask of it. */
#include "dataplane/net/net.h"

#include <errno.h>

#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "dataplane/net/frag.h"
#include "dataplane/net/internal.h"

#define PREFETCH_AHEAD 4
#define MTU_MIN_V4     68   /* RFC 791 3.2 */
#define MTU_MIN_V6     1280 /* RFC 8200 5 */

static const char *const counter_names[NET_C_COUNT] = {
#define X(name) [NET_C_##name] = #name,
	NET_COUNTERS(X)
#undef X
};

void net_rate_set(struct net_rate *r, uint32_t per_second)
{
	r->interval = per_second != 0 ? NET_NS_PER_S / per_second : 0;
	/* One second's worth in a burst. */
	r->tolerance = NET_NS_PER_S - r->interval;
	r->theoretical = 0;
}

bool net_rate_take(struct net_rate *r, uint64_t now)
{
	if (r->interval == 0)
		return false;
	if (r->theoretical > now + r->tolerance)
		return false;
	r->theoretical = (r->theoretical > now ? r->theoretical : now) + r->interval;
	return true;
}

void net_trim(struct rte_mbuf *m, uint32_t excess)
{
	uint32_t keep = m->pkt_len - excess;
	struct rte_mbuf *seg = m;

	m->pkt_len = keep;
	m->nb_segs = 1;
	while (keep > seg->data_len) {
		keep -= seg->data_len;
		seg = seg->next;
		m->nb_segs++;
	}
	seg->data_len = (uint16_t)keep;
	rte_pktmbuf_free(seg->next);
	seg->next = NULL;
}

static int16_t *addr_slot(struct net *n, const struct ip_addr *a)
{
	uint32_t i = rte_jhash_32b(a->w, 4, 0) & (NET_ADDR_BUCKETS - 1);

	while (n->addr_hash[i] >= 0 && !ip_addr_equal(&n->addrs[n->addr_hash[i]].addr, a))
		i = (i + 1) & (NET_ADDR_BUCKETS - 1);
	return &n->addr_hash[i];
}

struct net_addr *net_find_addr(struct net *n, const struct ip_addr *a)
{
	int16_t i = *addr_slot(n, a);

	return i >= 0 ? &n->addrs[i] : NULL;
}

bool net_is_iface_addr(struct net *n, uint8_t iface, const struct ip_addr *a)
{
	const struct net_addr *own = net_find_addr(n, a);

	if (own != NULL)
		return own->iface == iface;
	return ip_addr_equal(a, &n->ifaces[iface].link_local);
}

bool net_is_on_link(const struct net *n, uint8_t iface, const struct ip_addr *a)
{
	const struct net_iface *i = &n->ifaces[iface];
	bool v4 = ip_addr_is_v4(a);

	if (ip_addr_is_link_local6(a))
		return true;
	for (uint16_t k = 0; k < i->addr_count; k++) {
		const struct net_addr *own = &n->addrs[i->first_addr + k];

		if (ip_addr_is_v4(&own->addr) == v4 && ip_addr_in_prefix(a, &own->addr, own->plen))
			return true;
	}
	return false;
}

static unsigned int common_prefix(const struct ip_addr *a, const struct ip_addr *b)
{
	for (unsigned int i = 0; i < 16; i++) {
		uint8_t x = a->b[i] ^ b->b[i];

		if (x != 0)
			return i * 8 + (unsigned int)__builtin_clz(x) - 24;
	}
	return 128;
}

/* RFC 6724 5, what of it can differ here: the same scope first (rule 2), then the longest matching
 * prefix (rule 8), then the order of configuration. */
const struct ip_addr *net_iface_source(
	const struct net *n, uint8_t iface, const struct ip_addr *peer)
{
	const struct net_iface *i = &n->ifaces[iface];
	const struct ip_addr *best = NULL;
	unsigned int best_bits = 0;
	bool v4 = ip_addr_is_v4(peer);

	if (ip_addr_is_link_local6(peer))
		return &i->link_local;
	for (uint16_t k = 0; k < i->addr_count; k++) {
		const struct ip_addr *a = &n->addrs[i->first_addr + k].addr;
		unsigned int bits;

		if (ip_addr_is_v4(a) != v4)
			continue;
		bits = common_prefix(a, peer);
		if (best == NULL || bits > best_bits) {
			best = a;
			best_bits = bits;
		}
	}
	return best;
}

int net_find_iface(const struct net *n, uint16_t port_id, uint16_t vlan_id)
{
	uint32_t link = net_link(port_id, vlan_id);

	for (uint16_t i = 0; i < n->iface_count; i++) {
		if (n->ifaces[i].link == link)
			return i;
	}
	return -1;
}

int net_create(const struct net_params *params, struct net **out)
{
	struct net *n;
	int rc;

	if (params->upper.tcp_segment == NULL || params->lower.tx == NULL ||
		params->lower.tx_offloads == NULL || params->lower.mac == NULL ||
		params->pool == NULL || params->limits.neighbours == 0 ||
		params->limits.hold_per_neighbour == 0)
		return -EINVAL;
	n = rte_zmalloc_socket("net", sizeof(*n), RTE_CACHE_LINE_SIZE, params->socket_id);
	if (n == NULL)
		return -ENOMEM;
	n->upper = params->upper;
	n->lower = params->lower;
	n->limits = params->limits;
	n->pool = params->pool;
	n->quiet = params->quiet;
	net_rate_set(&n->icmp_rate, params->limits.icmp_per_second);
	for (uint32_t i = 0; i < NET_ADDR_BUCKETS; i++)
		n->addr_hash[i] = -1;
	for (uint32_t i = 0; i < NET_MAX_PORTS; i++)
		n->ports[i].untagged = -1;
	rc = neigh_create(n, params->socket_id);
	if (rc < 0)
		goto out;
	rc = route_create(
		NET_MAX_IFACES, NET_MAX_ROUTES + NET_MAX_ADDRS, params->socket_id, &n->routes);
	if (rc < 0)
		goto out;
	rc = frag_create(&n->limits, params->socket_id, &n->frag);
out:
	if (rc < 0)
		net_destroy(n);
	else
		*out = n;
	return rc;
}

void net_destroy(struct net *n)
{
	if (n == NULL)
		return;
	for (uint32_t i = 0; i < NET_MAX_PORTS; i++) {
		if (n->ports[i].count > 0)
			rte_pktmbuf_free_bulk(n->ports[i].burst, n->ports[i].count);
	}
	frag_destroy(n->frag);
	route_destroy(n->routes);
	neigh_destroy(n);
	rte_free(n);
}

static bool is_valid_addr(const struct net_addr_config *a)
{
	bool v4 = ip_addr_is_v4(&a->addr);

	if (a->plen > 128 || (v4 && a->plen < 96))
		return false;
	if (ip_addr_is_unspecified(&a->addr) || ip_addr_is_multicast(&a->addr))
		return false;
	if (v4)
		return a->addr.b[12] != 0 && a->addr.b[12] != 127 && a->addr.b[12] < 240;
	return true;
}

static bool is_valid_iface(const struct net_config *c, uint16_t index)
{
	const struct net_iface_config *i = &c->ifaces[index];
	uint16_t mtu_min = MTU_MIN_V4;

	if (i->port_id >= NET_MAX_PORTS || i->vlan_id > 4094)
		return false;
	for (uint16_t k = 0; k < index; k++) {
		if (c->ifaces[k].port_id == i->port_id && c->ifaces[k].vlan_id == i->vlan_id)
			return false;
	}
	for (uint16_t k = 0; k < i->addr_count; k++) {
		if (!is_valid_addr(&i->addrs[k]))
			return false;
		if (!ip_addr_is_v4(&i->addrs[k].addr))
			mtu_min = MTU_MIN_V6;
	}
	return i->mtu >= mtu_min;
}

static bool is_valid_route(const struct net_config *c, const struct net_route_config *r)
{
	const struct net_iface_config *i;
	bool v4 = ip_addr_is_v4(&r->dst);

	if (r->iface >= c->iface_count || r->plen > 128 || (v4 && r->plen < 96))
		return false;
	if (ip_addr_is_v4(&r->gateway) != v4 || ip_addr_is_unspecified(&r->gateway) ||
		ip_addr_is_multicast(&r->gateway))
		return false;
	if (ip_addr_is_link_local6(&r->gateway))
		return true;
	/* A gateway that is not a neighbour could never be resolved. */
	i = &c->ifaces[r->iface];
	for (uint16_t k = 0; k < i->addr_count; k++) {
		if (ip_addr_is_v4(&i->addrs[k].addr) == v4 &&
			ip_addr_in_prefix(&r->gateway, &i->addrs[k].addr, i->addrs[k].plen) &&
			!ip_addr_equal(&r->gateway, &i->addrs[k].addr))
			return true;
	}
	return false;
}

static bool has_duplicate_addr(const struct net_config *c, uint16_t iface, uint16_t addr)
{
	const struct ip_addr *a = &c->ifaces[iface].addrs[addr].addr;

	for (uint16_t i = 0; i <= iface; i++) {
		uint16_t end = i == iface ? addr : c->ifaces[i].addr_count;

		for (uint16_t k = 0; k < end; k++) {
			if (ip_addr_equal(a, &c->ifaces[i].addrs[k].addr))
				return true;
		}
	}
	return false;
}

int net_check_config(const struct net_config *c)
{
	uint32_t addrs = 0;

	if (c->iface_count > NET_MAX_IFACES || c->route_count > NET_MAX_ROUTES)
		return -EINVAL;
	for (uint16_t i = 0; i < c->iface_count; i++) {
		addrs += c->ifaces[i].addr_count;
		if (addrs > NET_MAX_ADDRS || !is_valid_iface(c, i))
			return -EINVAL;
		for (uint16_t k = 0; k < c->ifaces[i].addr_count; k++) {
			if (has_duplicate_addr(c, i, k))
				return -EINVAL;
		}
	}
	for (uint32_t i = 0; i < c->route_count; i++) {
		if (!is_valid_route(c, &c->routes[i]))
			return -EINVAL;
	}
	return 0;
}

static void set_iface(struct net *n, uint8_t index, const struct net_iface_config *c)
{
	struct net_iface *i = &n->ifaces[index];
	struct net_port *port = &n->ports[c->port_id];

	memset(i, 0, sizeof(*i));
	i->link = net_link(c->port_id, c->vlan_id);
	i->port_id = c->port_id;
	i->vlan_id = c->vlan_id;
	i->mtu = c->mtu;
	i->side = (uint8_t)c->side;
	if (!port->known) {
		n->lower.mac(n->lower.arg, c->port_id, port->mac);
		port->offloads = n->lower.tx_offloads(n->lower.arg, c->port_id);
		port->known = true;
	}
	memcpy(i->mac, port->mac, ETHER_MAC_SIZE);
	if (c->vlan_id == 0)
		port->untagged = (int8_t)index;
	/* RFC 4291 appendix A: modified EUI-64. */
	i->link_local.b[0] = 0xfe;
	i->link_local.b[1] = 0x80;
	memcpy(&i->link_local.b[8], i->mac, 3);
	i->link_local.b[8] ^= 2;
	i->link_local.b[11] = 0xff;
	i->link_local.b[12] = 0xfe;
	memcpy(&i->link_local.b[13], &i->mac[3], 3);
}

/* The same address of the same link in the configuration before, NULL: it is new. */
static const struct net_addr *find_old_addr(
	const struct net *n, uint32_t link, const struct ip_addr *a)
{
	for (uint16_t i = 0; i < n->old_addr_count; i++) {
		const struct net_old_addr *old = &n->old_addrs[i];

		if (old->link == link && ip_addr_equal(&old->a.addr, a))
			return &old->a;
	}
	return NULL;
}

static void set_addrs(struct net *n, uint8_t index, const struct net_iface_config *c, uint64_t now)
{
	struct net_iface *i = &n->ifaces[index];

	i->first_addr = n->addr_count;
	i->addr_count = c->addr_count;
	for (uint16_t k = 0; k < c->addr_count; k++) {
		const struct net_addr_config *ac = &c->addrs[k];
		const struct net_addr *old = find_old_addr(n, i->link, &ac->addr);
		struct net_addr *a = &n->addrs[n->addr_count];

		*a = old != NULL ? *old : (struct net_addr){.addr = ac->addr};
		a->plen = ac->plen;
		a->iface = index;
		if (old == NULL && !n->quiet) {
			announce_start(a, now);
			if (!ip_addr_is_v4(&a->addr))
				mld_start(n, index, now);
		}
		*addr_slot(n, &a->addr) = (int16_t)n->addr_count++;
	}
}

static void add_routes(struct net *n, const struct net_config *c)
{
	for (uint16_t i = 0; i < n->addr_count; i++) {
		const struct net_addr *a = &n->addrs[i];
		struct route r = {.iface = a->iface, .on_link = true};

		/* Two addresses of one subnet bring its prefix twice: -EEXIST is fine. */
		route_add(n->routes, &a->addr, a->plen, &r);
	}
	for (uint32_t i = 0; i < c->route_count; i++) {
		const struct net_route_config *rc = &c->routes[i];
		struct route r = {.iface = rc->iface, .gateway = rc->gateway};

		route_add(n->routes, &rc->dst, rc->plen, &r);
	}
}

int net_set_config(struct net *n, const struct net_config *config, uint64_t now)
{
	int rc = net_check_config(config);

	if (rc < 0)
		return rc;
	net_flush(n);
	for (uint16_t i = 0; i < n->addr_count; i++) {
		n->old_addrs[i].a = n->addrs[i];
		n->old_addrs[i].link = n->ifaces[n->addrs[i].iface].link;
	}
	n->old_addr_count = n->addr_count;
	n->addr_count = 0;
	for (uint32_t i = 0; i < NET_ADDR_BUCKETS; i++)
		n->addr_hash[i] = -1;
	for (uint32_t i = 0; i < NET_MAX_PORTS; i++)
		n->ports[i].untagged = -1;
	n->config = config;
	n->iface_count = config->iface_count;
	for (uint8_t i = 0; i < config->iface_count; i++) {
		set_iface(n, i, &config->ifaces[i]);
		set_addrs(n, i, &config->ifaces[i], now);
	}
	route_clear(n->routes);
	add_routes(n, config);
	neigh_reconfigure(n);
	announce_tick(n, now);
	mld_tick(n, now);
	return 0;
}

static void input(struct net *n, uint16_t port_id, struct rte_mbuf **pkts, uint16_t count,
	bool spread, uint64_t now)
{
	if (port_id >= NET_MAX_PORTS || !n->ports[port_id].known) {
		for (uint16_t i = 0; i < count; i++)
			net_drop(n, pkts[i], NET_C_eth_no_interface);
		return;
	}
	for (uint16_t i = 0; i < count && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	for (uint16_t i = 0; i < count; i++) {
		struct net_rx rx = {.now = now, .port_id = port_id, .spread = spread};

		if (i + PREFETCH_AHEAD < count)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH_AHEAD], void *));
		eth_input(n, pkts[i], &rx);
	}
	frag_free_dead(n->frag);
}

void net_input(
	struct net *n, uint16_t port_id, struct rte_mbuf **pkts, uint16_t count, uint64_t now)
{
	input(n, port_id, pkts, count, false, now);
}

void net_learn(struct net *n, uint16_t port_id, struct rte_mbuf *m, uint64_t now)
{
	input(n, port_id, &m, 1, true, now);
}

void net_flush(struct net *n)
{
	/* By interface, as few ports have any: a port of several VLANs is empty the second time. */
	for (uint16_t i = 0; i < n->iface_count; i++)
		eth_flush(n, n->ifaces[i].port_id);
}

void net_tick(struct net *n, uint64_t now)
{
	neigh_tick(n, now);
	announce_tick(n, now);
	mld_tick(n, now);
	frag_tick(n, now);
}

uint16_t net_mtu(const struct net *n, const struct ip_addr *dst)
{
	const struct route *r = route_lookup(n->routes, ROUTE_ANY_IFACE, dst);

	return r != NULL ? n->ifaces[r->iface].mtu : 0;
}

uint64_t net_tx_offloads(const struct net *n, const struct ip_addr *dst)
{
	const struct route *r = route_lookup(n->routes, ROUTE_ANY_IFACE, dst);

	return r != NULL ? n->ports[n->ifaces[r->iface].port_id].offloads : 0;
}

bool net_source_address(const struct net *n, const struct ip_addr *dst, struct ip_addr *src)
{
	const struct route *r = route_lookup(n->routes, ROUTE_ANY_IFACE, dst);
	const struct ip_addr *a;

	if (r == NULL)
		return false;
	/* The subnet of the gateway is the one that the answer will come back by. */
	a = net_iface_source(
		n, r->iface, r->on_link || ip_addr_is_link_local6(&r->gateway) ? dst : &r->gateway);
	if (a == NULL)
		return false;
	*src = *a;
	return true;
}

bool net_is_local(const struct net *n, const struct ip_addr *a, uint8_t *iface)
{
	/* The lookup writes nothing. */
	const struct net_addr *own = net_find_addr((struct net *)(uintptr_t)n, a);

	if (own == NULL)
		return false;
	if (iface != NULL)
		*iface = own->iface;
	return true;
}

void net_confirm_neighbour(
	struct net *n, const struct ip_addr *src, const struct ip_addr *dst, uint64_t now)
{
	const struct net_addr *own = net_find_addr(n, src);
	const struct route *r;

	if (own == NULL)
		return;
	r = route_lookup(n->routes, own->iface, dst);
	if (r != NULL)
		neigh_confirm(n, r->iface, r->on_link ? dst : &r->gateway, now);
}

size_t net_counter_count(void)
{
	return NET_C_COUNT;
}

const char *net_counter_name(size_t i)
{
	return i < NET_C_COUNT ? counter_names[i] : NULL;
}

uint64_t net_counter_value(const struct net *n, size_t i)
{
	return i < NET_C_COUNT ? __atomic_load_n(&n->counters[i], __ATOMIC_RELAXED) : 0;
}
