/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "tests/unit/dataplane/net/world.h"

#define US    "2001:db8:1::1"
#define PEER  "2001:db8:1::2"
#define GROUP "ff02::1:ff00:1" /* solicited-node group of US */

static const uint8_t peer[6] = {0x52, 0x54, 0, 0x11, 0x22, 0x33};
static const uint8_t other[6] = {0x52, 0x54, 0, 0x44, 0x55, 0x66};

static void nd(struct world *w, const char *src, const char *dst, uint8_t type, uint32_t flags,
	const char *target, uint8_t option, const uint8_t *mac, uint8_t hop_limit, uint32_t cut)
{
	struct ip_addr d = world_addr(dst), t = world_addr(target);
	uint8_t b[200], icmp[100], body[24];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV6_), len;

	if (d.b[0] == 0xff) {
		b[0] = b[1] = 0x33;
		memcpy(b + 2, d.b + 12, 4);
	}
	memcpy(body, t.b, 16);
	body[16] = option;
	body[17] = 1;
	if (mac != NULL)
		memcpy(body + 18, mac, 6);
	len = world_icmp6(icmp, src, dst, type, 0, flags, body, (mac != NULL ? 24 : 16) - cut);
	len = world_ip6(b + l2, src, dst, IPPROTO_ICMPV6, icmp, len);
	b[l2 + 7] = hop_limit;
	world_rx(w, 0, b, l2 + len);
}

static void ns(
	struct world *w, const char *src, const char *dst, const char *target, const uint8_t *mac)
{
	nd(w, src, dst, ICMP6_NS, 0, target, ND_OPT_SOURCE_LLADDR, mac, 255, 0);
}

static void na(struct world *w, uint32_t flags, const uint8_t *mac)
{
	nd(w, PEER, US, ICMP6_NA, flags, PEER, ND_OPT_TARGET_LLADDR, mac, 255, 0);
}

static int send_to(struct world *w, const char *dst)
{
	struct ip_addr s = world_addr(US), d = world_addr(dst);
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	world_tcp((uint8_t *)rte_pktmbuf_append(m, 30), US, dst, 25, 1000, 10);
	return net_output(w->n, m, &s, &d, IPPROTO_TCP, 0, w->now);
}

/* What was sent: an ND message of that type, with hop limit 255 and its checksum right. */
static const struct wire_nd *nd_of(const struct world_frame *f, uint8_t type)
{
	const struct wire_ip6 *ip = (const struct wire_ip6 *)(f->bytes + 14);
	struct ip_addr s, d;

	assert_int_equal(f->len, 14 + 40 + 32);
	memcpy(s.b, ip->src, 16);
	memcpy(d.b, ip->dst, 16);
	assert_int_equal(ip->hop_limit, 255);
	assert_int_equal(
		world_cksum(f->bytes + 54, 32, world_pseudo(&s, &d, IPPROTO_ICMPV6, 32)), 0);
	assert_int_equal(f->bytes[54], type);
	return (const struct wire_nd *)(f->bytes + 54);
}

static void solicitation_is_answered(void **state)
{
	struct world *w = world_create(false);
	const struct wire_nd *m;

	ns(w, PEER, GROUP, US, peer);
	m = nd_of(world_one(w), ICMP6_NA);
	assert_int_equal(ntohl(m->flags), ND_NA_SOLICITED | ND_NA_OVERRIDE);
	assert_memory_equal(m->target, world_addr(US).b, 16);
	assert_memory_equal((const uint8_t *)(m + 1), ((uint8_t[]){2, 1, 2, 0, 0, 0, 0, 0}), 8);
	assert_memory_equal(w->sent[0].bytes, peer, 6);
	assert_int_equal(w->spread_count, 1);
	world_clear(w);
	/* From a link-local source, for our link-local address. */
	ns(w, "fe80::7", "ff02::1:ff00:0", "fe80::ff:fe00:0", peer);
	nd_of(world_one(w), ICMP6_NA);
	world_destroy(w);
}

static void what_a_router_could_have_forwarded_is_dropped(void **state)
{
	struct world *w = world_create(false);

	nd(w, PEER, US, ICMP6_NS, 0, US, 1, peer, 254, 0);
	nd(w, PEER, US, ICMP6_NA, 0, PEER, 2, peer, 64, 0);
	assert_int_equal(world_counter(w, "nd_hop_limit"), 2);
	/* Off link: RFC 4861 as sharpened by RFC 5942. */
	ns(w, "2001:db8:77::1", US, US, peer);
	assert_int_equal(world_counter(w, "nd_off_link"), 1);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(world_counter(w, "neigh_created"), 0);
	world_destroy(w);
}

static void malformed_ones_are_dropped(void **state)
{
	struct world *w = world_create(false);
	uint8_t b[200], icmp[100], body[64] = {0};
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV6_), len;

	for (uint32_t cut = 1; cut < 24; cut++)
		nd(w, PEER, US, ICMP6_NS, 0, US, 1, peer, 255, cut);
	assert_int_equal(world_counter(w, "nd_truncated") + world_counter(w, "nd_bad_option"), 22);
	/* With no option at all (cut 8) it is well-formed and answered by asking for its MAC. */
	assert_int_equal(w->sent_count, 1);
	world_clear(w);
	/* An option of length 0: the whole message goes, however much is right before it. */
	memcpy(body, world_addr(US).b, 16);
	memcpy(body + 16, (uint8_t[]){1, 1, 0x52, 0x54, 0, 1, 2, 3, 1, 0}, 10);
	len = world_icmp6(icmp, PEER, US, ICMP6_NS, 0, 0, body, 32);
	len = world_ip6(b + l2, PEER, US, IPPROTO_ICMPV6, icmp, len);
	world_rx(w, 0, b, l2 + len);
	/* A group address as link-layer address. */
	ns(w, PEER, US, US, (uint8_t[]){0x33, 0x33, 0, 0, 0, 1});
	/* Target a group; an advertisement to a group that claims to be solicited. */
	ns(w, PEER, US, "ff02::1", peer);
	nd(w, PEER, "ff02::1", ICMP6_NA, ND_NA_SOLICITED, PEER, 2, peer, 255, 0);
	/* From no address with an option, or not to the group. */
	ns(w, "::", GROUP, US, peer);
	ns(w, "::", US, US, NULL);
	assert_int_equal(world_counter(w, "nd_malformed"), 3);
	assert_int_equal(world_counter(w, "ip6_martian_source"), 1);
	assert_int_equal(w->sent_count, 0);
	world_destroy(w);
}

static void what_is_the_kernels_goes_to_the_kernel(void **state)
{
	struct world *w = world_create(true);

	ns(w, PEER, "ff02::1:ff00:9", "2001:db8:1::9", peer);
	nd(w, PEER, "2001:db8:1::9", ICMP6_NA, ND_NA_SOLICITED, PEER, 2, peer, 255, 0);
	assert_int_equal(w->exception_count, 2);
	ns(w, PEER, GROUP, US, peer);
	na(w, ND_NA_SOLICITED, peer);
	assert_int_equal(w->exception_count, 2);
	world_destroy(w);
}

static void probe_for_our_address_is_told_so(void **state)
{
	struct world *w = world_create(false);
	const struct wire_nd *m;

	ns(w, "::", GROUP, US, NULL);
	m = nd_of(world_one(w), ICMP6_NA);
	assert_int_equal(ntohl(m->flags), ND_NA_OVERRIDE);
	assert_memory_equal(w->sent[0].bytes, ((uint8_t[]){0x33, 0x33, 0, 0, 0, 1}), 6);
	assert_int_equal(world_counter(w, "nd_conflict"), 1);
	assert_int_equal(world_counter(w, "neigh_created"), 0);
	world_clear(w);
	/* Someone advertises it: defended once. */
	for (int i = 0; i < 3; i++)
		nd(w, PEER, "ff02::1", ICMP6_NA, ND_NA_OVERRIDE, US, 2, other, 255, 0);
	nd_of(world_one(w), ICMP6_NA);
	world_destroy(w);
}

static void resolution_asks_the_group_and_then_sends(void **state)
{
	struct world *w = world_create(false);
	const struct wire_nd *m;

	assert_int_equal(send_to(w, PEER), 0);
	m = nd_of(world_one(w), ICMP6_NS);
	assert_memory_equal(w->sent[0].bytes, ((uint8_t[]){0x33, 0x33, 0xff, 0, 0, 2}), 6);
	assert_memory_equal(m->target, world_addr(PEER).b, 16);
	assert_memory_equal((const uint8_t *)(m + 1), ((uint8_t[]){1, 1, 2, 0, 0, 0, 0, 0}), 8);
	world_clear(w);
	/* An advertisement without an address is no answer while there is none. */
	na(w, ND_NA_SOLICITED, NULL);
	assert_int_equal(w->sent_count, 0);
	na(w, ND_NA_SOLICITED, peer);
	assert_memory_equal(world_one(w)->bytes, peer, 6);
	world_destroy(w);
}

/* RFC 4861 7.3.3: reachable 30 s, then delay 5 s from the next use, then three unicast probes. */
static void unreachability_is_detected(void **state)
{
	struct world *w = world_create(false);

	send_to(w, PEER);
	na(w, ND_NA_SOLICITED | ND_NA_OVERRIDE, peer);
	world_clear(w);
	world_wait(w, 29 * WORLD_SECOND);
	send_to(w, PEER);
	world_clear(w);
	world_wait(w, 20 * WORLD_SECOND);
	assert_int_equal(w->sent_count, 0); /* stale, but not used: nobody asks */
	send_to(w, PEER);
	assert_int_equal(world_one(w)->bytes[20], IPPROTO_TCP);
	world_clear(w);
	world_wait(w, 4900000000ull);
	assert_int_equal(w->sent_count, 0);
	world_wait(w, WORLD_SECOND / 5);
	nd_of(world_one(w), ICMP6_NS);
	assert_memory_equal(w->sent[0].bytes, peer, 6);
	world_clear(w);
	/* Answered: good for another 30 s. */
	na(w, ND_NA_SOLICITED, NULL);
	world_wait(w, 20 * WORLD_SECOND);
	send_to(w, PEER);
	world_clear(w);
	world_wait(w, 9 * WORLD_SECOND);
	assert_int_equal(w->sent_count, 0);
	/* Not answered: three probes, then it is forgotten and asked for anew. */
	world_wait(w, 2 * WORLD_SECOND);
	send_to(w, PEER);
	world_clear(w);
	world_wait(w, 12 * WORLD_SECOND);
	assert_int_equal(w->sent_count, 3);
	assert_int_equal(world_counter(w, "neigh_unreachable"), 1);
	world_clear(w);
	send_to(w, PEER);
	assert_memory_equal(world_one(w)->bytes, ((uint8_t[]){0x33, 0x33, 0xff}), 3);
	world_destroy(w);
}

static void progress_of_tcp_is_proof_enough(void **state)
{
	struct ip_addr us = world_addr(US), far = world_addr("2001:db8:99::1");
	struct world *w = world_create(false);

	send_to(w, "2001:db8:99::1");
	nd(w, "2001:db8:1::fe", US, ICMP6_NA, ND_NA_SOLICITED, "2001:db8:1::fe", 2, peer, 255, 0);
	for (int i = 0; i < 60; i++) {
		world_wait(w, 2 * WORLD_SECOND);
		send_to(w, "2001:db8:99::1");
		net_confirm_neighbour(w->n, &us, &far, w->now);
	}
	assert_int_equal(world_counter(w, "nd_tx_solicit"), 1);
	world_destroy(w);
}

static void override_flag_decides_about_a_new_mac(void **state)
{
	struct world *w = world_create(false);

	send_to(w, PEER);
	na(w, ND_NA_SOLICITED | ND_NA_OVERRIDE, peer);
	world_clear(w);
	/* Without it the address stays, only trust goes (7.2.5 I): the next use starts the delay.
	 */
	na(w, 0, other);
	send_to(w, PEER);
	assert_memory_equal(world_one(w)->bytes, peer, 6);
	world_clear(w);
	world_wait(w, 5500 * (WORLD_SECOND / 1000));
	nd_of(world_one(w), ICMP6_NS);
	world_clear(w);
	na(w, ND_NA_OVERRIDE, other);
	send_to(w, PEER);
	assert_memory_equal(world_one(w)->bytes, other, 6);
	/* Nobody makes an entry by telling us unasked. */
	nd(w, "2001:db8:1::9", "ff02::1", ICMP6_NA, ND_NA_OVERRIDE, "2001:db8:1::9", 2, peer, 255,
		0);
	assert_int_equal(world_counter(w, "neigh_created"), 1);
	world_destroy(w);
}

static void table_is_bounded_and_what_is_used_stays(void **state)
{
	struct world *w = world_create(false);
	char text[40];

	world_know(w, PEER, peer);
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "2001:db8:1::%x:%x", i + 1, i + 1);
		world_know(w, text, other);
		w->now += 1000;
		send_to(w, PEER);
		world_clear(w);
	}
	assert_int_equal(world_counter(w, "neigh_evicted"), 501 - 64);
	send_to(w, PEER);
	assert_memory_equal(world_one(w)->bytes, peer, 6);
	world_clear(w);
	/* Questions without an answer take half of the table at most: a scan of our link. */
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "2001:db8:1::a:%x", i + 1);
		assert_int_equal(send_to(w, text), i < 32 ? 0 : -ENOBUFS);
	}
	assert_int_equal(world_counter(w, "neigh_full"), 68);
	world_clear(w);
	send_to(w, PEER);
	assert_memory_equal(world_one(w)->bytes, peer, 6);
	world_destroy(w);
}

static void neighbours_outlive_a_configuration(void **state)
{
	struct net_config one = world_config;
	struct world *w = world_create(false);

	world_know(w, PEER, peer);
	world_know(w, "192.0.2.2", other);
	/* Interface 1 becomes interface 0: the entry follows; the other link's goes. */
	one.ifaces = world_config.ifaces + 1;
	one.iface_count = 1;
	one.route_count = 0;
	assert_int_equal(net_set_config(w->n, &one, w->now), 0);
	assert_int_equal(world_counter(w, "neigh_flushed"), 1);
	assert_int_equal(net_set_config(w->n, &world_config, w->now), 0);
	world_clear(w);
	send_to(w, PEER);
	nd_of(world_one(w), ICMP6_NS);
	world_destroy(w);
}

static void unused_entries_expire(void **state)
{
	struct world *w = world_create(false);

	world_know(w, PEER, peer);
	na(w, ND_NA_SOLICITED, peer);
	world_wait(w, 19 * 60 * WORLD_SECOND);
	assert_int_equal(world_counter(w, "neigh_expired"), 0);
	world_wait(w, 2 * 60 * WORLD_SECOND);
	assert_int_equal(world_counter(w, "neigh_expired"), 1);
	assert_int_equal(w->sent_count, 0);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(solicitation_is_answered),
		cmocka_unit_test(what_a_router_could_have_forwarded_is_dropped),
		cmocka_unit_test(malformed_ones_are_dropped),
		cmocka_unit_test(what_is_the_kernels_goes_to_the_kernel),
		cmocka_unit_test(probe_for_our_address_is_told_so),
		cmocka_unit_test(resolution_asks_the_group_and_then_sends),
		cmocka_unit_test(unreachability_is_detected),
		cmocka_unit_test(progress_of_tcp_is_proof_enough),
		cmocka_unit_test(override_flag_decides_about_a_new_mac),
		cmocka_unit_test(table_is_bounded_and_what_is_used_stays),
		cmocka_unit_test(neighbours_outlive_a_configuration),
		cmocka_unit_test(unused_entries_expire),
	};

	world_init_eal("test_nd");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
