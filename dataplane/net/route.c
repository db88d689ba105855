/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/net/route.h"

#include <errno.h>

#include <rte_malloc.h>

/* A node stands for a prefix. One without a route only joins two longer ones. */
struct route_node {
	struct ip_addr prefix;
	struct route_node *child[2];
	struct route route;
	uint8_t plen;
	bool has_route;
};

struct route_table {
	uint32_t ifaces;
	uint32_t node_count, nodes_used;
	struct route_node *nodes;
	/* Two per interface and two common ones: IPv6 and IPv4, which ::/0 must not match. */
	struct route_node **roots;
};

int route_create(uint32_t ifaces, uint32_t routes, int socket_id, struct route_table **out)
{
	struct route_table *t = rte_zmalloc_socket("net_routes", sizeof(*t), 0, socket_id);

	if (t == NULL)
		return -ENOMEM;
	t->ifaces = ifaces;
	/* A prefix costs its own node and at most one that joins, in each of two tries. */
	t->node_count = 4 * routes;
	t->nodes =
		rte_zmalloc_socket("net_routes", t->node_count * sizeof(*t->nodes), 0, socket_id);
	t->roots = rte_zmalloc_socket(
		"net_routes", 2 * (ifaces + 1) * sizeof(*t->roots), 0, socket_id);
	if (t->nodes == NULL || t->roots == NULL) {
		route_destroy(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

void route_destroy(struct route_table *t)
{
	if (t == NULL)
		return;
	rte_free(t->roots);
	rte_free(t->nodes);
	rte_free(t);
}

void route_clear(struct route_table *t)
{
	memset(t->roots, 0, 2 * (t->ifaces + 1) * sizeof(*t->roots));
	t->nodes_used = 0;
}

static unsigned int bit_of(const struct ip_addr *a, unsigned int i)
{
	return a->b[i / 8] >> (7 - i % 8) & 1;
}

/* Leading bits that agree, at most `max`. */
static unsigned int common_bits(const struct ip_addr *a, const struct ip_addr *b, unsigned int max)
{
	unsigned int n = 0;

	while (n + 8 <= max && a->b[n / 8] == b->b[n / 8])
		n += 8;
	while (n < max && bit_of(a, n) == bit_of(b, n))
		n++;
	return n;
}

static struct route_node *node_new(
	struct route_table *t, const struct ip_addr *prefix, unsigned int plen)
{
	struct route_node *node;

	if (t->nodes_used == t->node_count)
		return NULL;
	node = &t->nodes[t->nodes_used++];
	memset(node, 0, sizeof(*node));
	node->prefix = *prefix;
	node->plen = (uint8_t)plen;
	return node;
}

static int node_insert(struct route_table *t, struct route_node **at, const struct ip_addr *dst,
	unsigned int plen, const struct route *r)
{
	struct route_node *node, *join;
	unsigned int common;

	while ((node = *at) != NULL) {
		unsigned int shorter = node->plen < plen ? node->plen : plen;

		common = common_bits(dst, &node->prefix, shorter);
		if (common < node->plen)
			break;
		if (node->plen == plen) {
			if (node->has_route)
				return -EEXIST;
			node->route = *r;
			node->has_route = true;
			return 0;
		}
		at = &node->child[bit_of(dst, node->plen)];
	}
	/* Both nodes or none, so that a full table stays whole. */
	if (t->node_count - t->nodes_used < 2)
		return -ENOSPC;
	join = node_new(t, dst, plen);
	join->route = *r;
	join->has_route = true;
	if (node == NULL) {
		*at = join;
	} else if (common == plen) {
		join->child[bit_of(&node->prefix, plen)] = node;
		*at = join;
	} else {
		struct route_node *leaf = join;

		join = node_new(t, dst, common);
		join->child[bit_of(&node->prefix, common)] = node;
		join->child[bit_of(dst, common)] = leaf;
		*at = join;
	}
	return 0;
}

static struct route_node **root_of(
	const struct route_table *t, uint8_t iface, const struct ip_addr *a)
{
	uint32_t i = iface == ROUTE_ANY_IFACE ? t->ifaces : iface;

	return &t->roots[2 * i + (ip_addr_is_v4(a) ? 1 : 0)];
}

int route_add(struct route_table *t, const struct ip_addr *dst, uint8_t plen, const struct route *r)
{
	struct route own = *r;
	int rc;

	own.plen = plen;
	rc = node_insert(t, root_of(t, r->iface, dst), dst, plen, &own);
	if (rc < 0)
		return rc;
	rc = node_insert(t, root_of(t, ROUTE_ANY_IFACE, dst), dst, plen, &own);
	return rc == -EEXIST ? 0 : rc;
}

const struct route *route_lookup(
	const struct route_table *t, uint8_t iface, const struct ip_addr *dst)
{
	const struct route_node *node = *root_of(t, iface, dst);
	const struct route *best = NULL;

	while (node != NULL && ip_addr_in_prefix(dst, &node->prefix, node->plen)) {
		if (node->has_route)
			best = &node->route;
		if (node->plen == 128)
			break;
		node = node->child[bit_of(dst, node->plen)];
	}
	return best;
}
