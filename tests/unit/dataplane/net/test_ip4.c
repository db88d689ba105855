/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include "tests/unit/dataplane/net/world.h"

static uint32_t tcp4(uint8_t *b, uint32_t data)
{
	uint8_t tcp[1500];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV4_);
	uint32_t len = world_tcp(tcp, "198.51.100.2", "198.51.100.1", 1000, 25, data);

	return l2 + world_ip4(b + l2, "198.51.100.2", "198.51.100.1", IPPROTO_TCP, tcp, len);
}

static void delivers_trimmed_with_its_addresses(void **state)
{
	struct world *w = world_create(false);
	uint8_t b[2000] = {0};
	uint32_t len = tcp4(b, 5);
	struct net_meta *meta;

	b[14 + 1] = 0xb9; /* DSCP 46, ECT(1) */
	world_fix_ip4(b + 14);
	assert_true(len < 60);
	world_rx(w, 0, b, 60); /* padded as short frames are */
	assert_int_equal(w->segment_count, 1);
	assert_int_equal(w->segments[0]->pkt_len, 25);
	meta = rte_mbuf_to_priv(w->segments[0]);
	assert_int_equal(meta->src.w[3], world_addr("198.51.100.2").w[3]);
	assert_int_equal(meta->dst.w[3], world_addr("198.51.100.1").w[3]);
	assert_int_equal(meta->ecn, 1);
	assert_int_equal(meta->ttl, 64);
	assert_int_equal(meta->iface, 0);
	assert_int_equal(meta->flags, 0);
	world_destroy(w);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct world *w = world_create(false);
	uint8_t good[200];
	uint32_t len = tcp4(good, 40);

	for (uint32_t i = 14 * 8; i < len * 8; i++) {
		uint8_t b[200];

		memcpy(b, good, len);
		b[i / 8] ^= 1 << (i % 8);
		world_rx(w, 0, b, len);
		assert_int_equal(w->segment_count, 0);
	}
	assert_int_equal(w->sent_count, 0);
	world_rx(w, 0, good, len);
	assert_int_equal(w->segment_count, 1);
	world_destroy(w);
}

static void truncated_anywhere_is_dropped(void **state)
{
	struct world *w = world_create(false);
	uint8_t b[200];
	uint32_t len = tcp4(b, 0);

	for (uint32_t n = 1; n < len; n++)
		world_rx(w, 0, b, n);
	/* The total length follows the cut: then it is TCP's header that is too short. */
	for (uint32_t n = 34; n < len; n++) {
		uint8_t c[200];

		memcpy(c, b, len);
		c[16] = 0;
		c[17] = (uint8_t)(n - 14);
		world_fix_ip4(c + 14);
		world_rx(w, 0, c, n);
	}
	assert_int_equal(world_counter(w, "tcp_truncated"), 20);
	assert_int_equal(w->segment_count, 0);
	world_destroy(w);
}

static void device_flags_are_believed_only_when_good(void **state)
{
	struct world *w = world_create(false);
	uint8_t b[200];
	uint32_t len = tcp4(b, 10);
	static const uint64_t flags[] = {RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_NONE,
		RTE_MBUF_F_RX_L4_CKSUM_BAD, 0};

	b[len - 1] ^= 1;
	for (int i = 0; i < 4; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

		memcpy(rte_pktmbuf_append(m, (uint16_t)len), b, len);
		m->ol_flags = flags[i];
		net_input(w->n, 0, &m, 1, w->now);
	}
	assert_int_equal(w->segment_count, 2);
	assert_int_equal(world_counter(w, "tcp_bad_checksum"), 2);
	world_destroy(w);
}

static void martians_do_not_land(void **state)
{
	static const char *const bad[] = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1",
		"240.0.0.1", "255.255.255.255", "198.51.100.1", "192.0.2.1", "198.51.100.255"};
	struct world *w = world_create(false);
	uint8_t b[200], tcp[64];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV4_), len;

	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		len = world_tcp(tcp, bad[i], "198.51.100.1", 1, 25, 0);
		len = world_ip4(b + l2, bad[i], "198.51.100.1", IPPROTO_TCP, tcp, len);
		world_rx(w, 0, b, l2 + len);
		assert_int_equal(world_counter(w, "ip4_martian_source"), i + 1);
	}
	assert_int_equal(w->segment_count, 0);
	world_destroy(w);
}

static void inside_is_not_reached_from_outside(void **state)
{
	struct world *w = world_create(true);
	uint8_t b[200], tcp[64];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV4_), len;

	len = world_tcp(tcp, "198.51.100.2", "192.0.2.1", 1, 25, 0);
	len = world_ip4(b + l2, "198.51.100.2", "192.0.2.1", IPPROTO_TCP, tcp, len);
	world_rx(w, 0, b, l2 + len);
	assert_int_equal(world_counter(w, "ip4_wrong_interface"), 1);
	/* Nor is it handed to the kernel, which might have another mind. */
	assert_int_equal(w->exception_count, 0);
	/* A unicast packet in a broadcast frame, RFC 1122 3.3.6. */
	len = tcp4(b, 0);
	memset(b, 0xff, 6);
	world_rx(w, 0, b, len);
	assert_int_equal(world_counter(w, "ip4_link_broadcast"), 1);
	assert_int_equal(w->segment_count, 0);
	world_destroy(w);
}

static void with_options(struct world *w, const uint8_t *options, uint32_t len)
{
	uint8_t b[200], tcp[64];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV4_), n;

	n = world_tcp(tcp, "198.51.100.2", "198.51.100.1", 1, 25, 4);
	world_ip4(b + l2, "198.51.100.2", "198.51.100.1", IPPROTO_TCP, NULL, 0);
	memcpy(b + l2 + 20, options, len);
	memcpy(b + l2 + 20 + len, tcp, n);
	b[l2] = (uint8_t)(0x40 | (5 + len / 4));
	b[l2 + 3] = (uint8_t)(20 + len + n);
	world_fix_ip4(b + l2);
	world_rx(w, 0, b, l2 + 20 + len + n);
}

static void options_are_walked(void **state)
{
	static const uint8_t timestamp[40] = {1, 1, 1, 68, 36, 5, [39] = 0};
	static const uint8_t end[4] = {0, 68, 1, 1};
	static const uint8_t loose[8] = {1, 131, 7, 4, 1, 2, 3, 4}, strict[8] = {137, 3, 4, 0};
	static const uint8_t zero[4] = {68, 0, 0, 0}, one[4] = {68, 1, 0, 0},
			     over[4] = {68, 5, 0, 0}, last[4] = {1, 1, 1, 68};
	struct world *w = world_create(false);

	with_options(w, timestamp, 40);
	with_options(w, end, 4);
	assert_int_equal(w->segment_count, 2);
	assert_int_equal(w->segments[0]->pkt_len, 24);
	with_options(w, loose, 8);
	with_options(w, strict, 8);
	assert_int_equal(world_counter(w, "ip4_source_route"), 2);
	with_options(w, zero, 4);
	with_options(w, one, 4);
	with_options(w, over, 4);
	with_options(w, last, 4);
	assert_int_equal(world_counter(w, "ip4_bad_option"), 4);
	assert_int_equal(w->segment_count, 2);
	world_destroy(w);
}

static void vlan_tags_choose_the_interface(void **state)
{
	struct world *w = world_create(true);
	uint8_t b[200], tcp[64];
	uint32_t n = world_tcp(tcp, "203.0.113.2", "203.0.113.1", 1, 25, 0), len, l2;
	struct ip_addr s = world_addr("203.0.113.1"), d = world_addr("203.0.113.2");
	struct rte_mbuf *m;
	struct net_meta *meta;

	l2 = world_eth(b, 0, 0x2000 | 100, ETHERTYPE_IPV4_); /* with a priority */
	len = l2 + world_ip4(b + l2, "203.0.113.2", "203.0.113.1", IPPROTO_TCP, tcp, n);
	world_rx(w, 0, b, len);
	assert_int_equal(w->segment_count, 1);
	meta = rte_mbuf_to_priv(w->segments[0]);
	assert_int_equal(meta->iface, 2);
	/* Untagged, the same packet is for an address of another interface. */
	l2 = world_eth(b, 0, 0, ETHERTYPE_IPV4_);
	len = l2 + world_ip4(b + l2, "203.0.113.2", "203.0.113.1", IPPROTO_TCP, tcp, n);
	world_rx(w, 0, b, len);
	assert_int_equal(world_counter(w, "ip4_wrong_interface"), 1);
	/* A device that took the tag off. */
	m = rte_pktmbuf_alloc(w->pool);
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), b, len);
	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 100;
	net_input(w->n, 0, &m, 1, w->now);
	assert_int_equal(w->segment_count, 2);
	/* A VLAN of nobody's goes to the kernel with its tag, as it came. */
	m = rte_pktmbuf_alloc(w->pool);
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), b, len);
	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 77;
	net_input(w->n, 0, &m, 1, w->now);
	assert_int_equal(w->exception_count, 1);
	assert_int_equal(w->exceptions[0].len, len + 4);
	assert_memory_equal(w->exceptions[0].bytes + 12, ((uint8_t[]){0x81, 0, 0, 77, 8, 0}), 6);
	/* Out again with the tag. */
	m = rte_pktmbuf_alloc(w->pool);
	world_tcp((uint8_t *)rte_pktmbuf_append(m, 20), "203.0.113.1", "203.0.113.2", 25, 1, 0);
	world_clear(w);
	assert_int_equal(net_output(w->n, m, &s, &d, IPPROTO_TCP, 0, w->now), 0);
	assert_memory_equal(world_one(w)->bytes + 12, ((uint8_t[]){0x81, 0, 0, 100, 8, 6}), 6);
	world_destroy(w);
}

static void foreign_protocols_are_refused_politely(void **state)
{
	struct world *w = world_create(false);
	uint8_t b[200], udp[8] = {0, 1, 0, 53, 0, 8};
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV4_), len;
	const uint8_t *icmp;

	world_know(w, "198.51.100.2", world_peer_mac);
	len = l2 + world_ip4(b + l2, "198.51.100.2", "198.51.100.1", IPPROTO_UDP, udp, 8);
	world_rx(w, 0, b, len);
	icmp = world_one(w)->bytes + 34;
	assert_int_equal(icmp[0], ICMP4_UNREACHABLE);
	assert_int_equal(icmp[1], ICMP4_CODE_PORT);
	assert_memory_equal(icmp + 8, b + l2, 28);
	assert_int_equal(world_cksum(icmp, world_one(w)->len - 34, 0), 0);
	/* Never about an error, nor a broadcast one; never more than the limit lets through. */
	world_clear(w);
	for (int i = 0; i < 30; i++)
		world_rx(w, 0, b, len);
	assert_int_equal(w->sent_count, 9);
	assert_int_equal(world_counter(w, "icmp_rate_limited"), 21);
	world_clear(w);
	world_wait(w, WORLD_SECOND / 2);
	for (int i = 0; i < 30; i++)
		world_rx(w, 0, b, len);
	assert_int_equal(w->sent_count, 5);
	world_destroy(w);
	/* With a kernel to ask, it is the kernel's to answer. */
	w = world_create(true);
	world_rx(w, 0, b, len);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(w->exception_count, 1);
	assert_memory_equal(w->exceptions[0].bytes, b, len);
	world_destroy(w);
}

static void frames_for_others_are_dropped(void **state)
{
	struct world *w = world_create(true);
	uint8_t b[200];
	uint32_t len = tcp4(b, 0);

	b[5] ^= 1;
	world_rx(w, 0, b, len);
	assert_int_equal(world_counter(w, "eth_not_for_us"), 1);
	b[5] ^= 1;
	b[6] |= 1;
	world_rx(w, 0, b, len);
	memset(b + 6, 0, 6);
	world_rx(w, 0, b, len);
	assert_int_equal(world_counter(w, "eth_bad_source"), 2);
	world_rx(w, 7, b, len);
	assert_int_equal(world_counter(w, "eth_no_interface"), 1);
	assert_int_equal(w->exception_count, 0);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivers_trimmed_with_its_addresses),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(truncated_anywhere_is_dropped),
		cmocka_unit_test(device_flags_are_believed_only_when_good),
		cmocka_unit_test(martians_do_not_land),
		cmocka_unit_test(inside_is_not_reached_from_outside),
		cmocka_unit_test(options_are_walked),
		cmocka_unit_test(vlan_tags_choose_the_interface),
		cmocka_unit_test(foreign_protocols_are_refused_politely),
		cmocka_unit_test(frames_for_others_are_dropped),
	};

	world_init_eal("test_ip4");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
