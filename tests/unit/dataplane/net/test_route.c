/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include "dataplane/net/route.h"
#include "tests/unit/dataplane/net/world.h"

#define ROUTES 600

struct prefix {
	struct ip_addr dst;
	uint8_t plen;
	uint8_t iface;
};

static uint32_t random_state = 12345;

static uint32_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

/* Addresses that share much, so that prefixes nest and split at every bit. */
static struct ip_addr random_addr(bool v4)
{
	struct ip_addr a = {.b = {0x20, 1, 0x0d, 0xb8}};

	if (v4)
		return ip_addr_from_v4(htonl(0x0a000000 | (next_random() & 0x00030303)));
	a.b[5] = next_random() & 3;
	a.b[8] = next_random() & 0x81;
	a.b[15] = next_random() & 7;
	return a;
}

static void mask(struct ip_addr *a, unsigned int plen)
{
	for (unsigned int i = plen; i < 128; i++)
		a->b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static void agrees_with_a_linear_scan(void **state)
{
	static struct prefix prefixes[ROUTES];
	struct route_table *t;
	uint32_t count = 0, found = 0;

	assert_int_equal(route_create(4, ROUTES, -1, &t), 0);
	for (int i = 0; i < ROUTES; i++) {
		struct prefix p = {.iface = next_random() % 4};
		bool v4 = next_random() & 1, known = false;
		struct route r = {.iface = p.iface, .on_link = true};

		p.dst = random_addr(v4);
		p.plen = (uint8_t)(v4 ? 96 + next_random() % 33 : next_random() % 129);
		mask(&p.dst, p.plen);
		if (v4 && p.plen == 96)
			p.dst = ip_addr_from_v4(0);
		for (uint32_t k = 0; k < count; k++)
			known |= prefixes[k].iface == p.iface && prefixes[k].plen == p.plen &&
				 ip_addr_equal(&prefixes[k].dst, &p.dst) &&
				 ip_addr_is_v4(&prefixes[k].dst) == v4;
		assert_int_equal(route_add(t, &p.dst, p.plen, &r), known ? -EEXIST : 0);
		if (!known)
			prefixes[count++] = p;
	}
	for (int i = 0; i < 4000; i++) {
		bool v4 = next_random() & 1;
		struct ip_addr a = random_addr(v4);
		uint8_t iface = next_random() % 5 == 4 ? ROUTE_ANY_IFACE : next_random() % 4;
		const struct route *r = route_lookup(t, iface, &a);
		int best = -1;

		for (uint32_t k = 0; k < count; k++) {
			if ((iface != ROUTE_ANY_IFACE && prefixes[k].iface != iface) ||
				ip_addr_is_v4(&prefixes[k].dst) != v4 ||
				!ip_addr_in_prefix(&a, &prefixes[k].dst, prefixes[k].plen))
				continue;
			if (best < prefixes[k].plen)
				best = prefixes[k].plen;
		}
		assert_int_equal(r != NULL ? r->plen : -1, best);
		found += r != NULL;
	}
	assert_true(found > 1000);
	route_clear(t);
	assert_null(route_lookup(t, ROUTE_ANY_IFACE, &prefixes[0].dst));
	route_destroy(t);
}

static void a_full_table_stays_whole(void **state)
{
	struct route_table *t;
	struct route r = {.iface = 0, .on_link = true};
	int rc = 0, added = 0;

	assert_int_equal(route_create(1, 4, -1, &t), 0);
	for (uint32_t i = 0; i < 64 && rc == 0; i++) {
		struct ip_addr a = ip_addr_from_v4(htonl(0x0a000000 + i));

		rc = route_add(t, &a, 128, &r);
		added += rc == 0;
	}
	assert_int_equal(rc, -ENOSPC);
	assert_true(added >= 4);
	for (int i = 0; i < added; i++) {
		struct ip_addr a = ip_addr_from_v4(htonl(0x0a000000 + (uint32_t)i));

		assert_non_null(route_lookup(t, 0, &a));
	}
	route_destroy(t);
}

static void an_ipv6_default_is_not_one_for_ipv4(void **state)
{
	struct ip_addr any = {.q = {0, 0}}, v4 = world_addr("8.8.8.8"),
		       v6 = world_addr("2001:db8::1");
	struct route r = {.iface = 0};
	struct route_table *t;

	assert_int_equal(route_create(1, 4, -1, &t), 0);
	assert_int_equal(route_add(t, &any, 0, &r), 0);
	assert_null(route_lookup(t, 0, &v4));
	assert_non_null(route_lookup(t, 0, &v6));
	route_destroy(t);
}

static void each_side_has_its_own_default(void **state)
{
	struct world *w = world_create(false);
	struct ip_addr dst = world_addr("8.8.8.8"), src;
	static const char *const own[] = {"198.51.100.1", "192.0.2.1"};

	for (int i = 0; i < 2; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
		struct ip_addr s = world_addr(own[i]);
		const struct wire_arp *arp;

		world_tcp((uint8_t *)rte_pktmbuf_append(m, 20), own[i], "8.8.8.8", 25, 1, 0);
		assert_int_equal(net_output(w->n, m, &s, &dst, IPPROTO_TCP, 0, w->now), 0);
		assert_int_equal(world_one(w)->port, i);
		arp = (const struct wire_arp *)(w->sent[0].bytes + 14);
		assert_int_equal(
			arp->tpa, world_addr(i == 0 ? "198.51.100.254" : "192.0.2.254").w[3]);
		world_clear(w);
	}
	/* Where the connection is ours to begin, the first default configured decides. */
	assert_true(net_source_address(w->n, &dst, &src));
	assert_int_equal(src.w[3], world_addr(own[0]).w[3]);
	dst = world_addr("10.1.2.3");
	assert_true(net_source_address(w->n, &dst, &src));
	assert_int_equal(src.w[3], world_addr(own[1]).w[3]);
	dst = world_addr("203.0.113.9");
	assert_int_equal(net_mtu(w->n, &dst), 1400);
	world_destroy(w);
}

static int check(
	struct net_iface_config *ifaces, uint16_t n, struct net_route_config *routes, uint32_t r)
{
	struct net_config c = {
		.iface_count = n, .ifaces = ifaces, .routes = routes, .route_count = r};

	return net_check_config(&c);
}

static void bad_configurations_are_refused(void **state)
{
	struct net_addr_config a[2] = {
		{world_addr("192.0.2.1"), 120}, {world_addr("192.0.2.1"), 120}};
	struct net_iface_config i[2] = {{.port_id = 0, .mtu = 1500, .addr_count = 1, .addrs = a},
		{.port_id = 0, .vlan_id = 5, .mtu = 1500, .addr_count = 1, .addrs = a + 1}};
	struct net_route_config r = {world_addr("0.0.0.0"), 96, world_addr("192.0.2.254"), 0};

	assert_int_equal(check(i, 1, &r, 1), 0);
	assert_int_equal(check(i, 2, &r, 1), -EINVAL); /* one address twice */
	a[1].addr = world_addr("192.0.3.1");
	assert_int_equal(check(i, 2, &r, 1), 0);
	i[1].vlan_id = 0;
	assert_int_equal(check(i, 2, &r, 1), -EINVAL); /* one link twice */
	i[1].vlan_id = 4095;
	assert_int_equal(check(i, 2, &r, 1), -EINVAL);
	r.gateway = world_addr("192.0.3.254"); /* not a neighbour of interface 0 */
	assert_int_equal(check(i, 1, &r, 1), -EINVAL);
	r.gateway = world_addr("192.0.2.1"); /* ourselves */
	assert_int_equal(check(i, 1, &r, 1), -EINVAL);
	r.gateway = world_addr("fe80::1"); /* another family */
	assert_int_equal(check(i, 1, &r, 1), -EINVAL);
	a[0].plen = 95;
	assert_int_equal(check(i, 1, NULL, 0), -EINVAL);
	a[0] = (struct net_addr_config){world_addr("2001:db8::1"), 64};
	i[0].mtu = 1279;
	assert_int_equal(check(i, 1, NULL, 0), -EINVAL); /* too small for IPv6 */
	a[0].addr = world_addr("ff02::1");
	i[0].mtu = 1500;
	assert_int_equal(check(i, 1, NULL, 0), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_linear_scan),
		cmocka_unit_test(a_full_table_stays_whole),
		cmocka_unit_test(an_ipv6_default_is_not_one_for_ipv4),
		cmocka_unit_test(each_side_has_its_own_default),
		cmocka_unit_test(bad_configurations_are_refused),
	};

	world_init_eal("test_route");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
