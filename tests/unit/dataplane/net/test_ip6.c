/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>

#include "dataplane/net/ip6_ext.h"
#include "tests/unit/dataplane/net/world.h"

#define US   "2001:db8:1::1"
#define PEER "2001:db8:1::2"

/* A TCP segment behind `ext`, whose first header is of type `next`; the chain must end in TCP. */
static uint32_t packet(uint8_t *b, uint8_t next, const uint8_t *ext, uint32_t ext_len)
{
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV6_);
	uint8_t payload[600];
	uint32_t n;

	if (ext_len > 0)
		memcpy(payload, ext, ext_len);
	n = ext_len + world_tcp(payload + ext_len, PEER, US, 1000, 25, 7);
	return l2 + world_ip6(b + l2, PEER, US, next, payload, n);
}

static void chains_of_headers_are_walked(void **state)
{
	/* Hop-by-hop with router alert and padding, destination options, routing with no segment
	 * left, an atomic fragment, destination options again. */
	static const uint8_t chain[] = {
		60, 0, 5, 2, 0, 0, 1, 0,                          /* HBH */
		43, 1, 1, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* DO: PadN */
		44, 0, 4, 0, 0, 0, 0, 0,                          /* RH, segments left 0 */
		60, 0, 0, 0, 1, 2, 3, 4,                          /* atomic fragment, RFC 6946 */
		6, 0, 0x1e, 1, 0, 0, 0, 0,                        /* DO: experimental, skip */
	};
	struct world *w = world_create(false);
	uint8_t b[800];
	uint32_t len = packet(b, 0, chain, sizeof(chain));

	world_rx(w, 0, b, len);
	assert_int_equal(w->segment_count, 1);
	assert_int_equal(w->segments[0]->pkt_len, 27);
	for (uint32_t n = 1; n < len; n++)
		world_rx(w, 0, b, n);
	assert_int_equal(w->segment_count, 1);
	/* The length field agrees with the cut: the walk itself must stop. */
	for (uint32_t n = 54; n < len; n++) {
		uint8_t c[800];

		memcpy(c, b, len);
		c[18] = (uint8_t)((n - 54) >> 8);
		c[19] = (uint8_t)(n - 54);
		world_rx(w, 0, c, n);
	}
	assert_int_equal(w->segment_count, 1);
	assert_true(world_counter(w, "ip6_ext_truncated") >= 5);
	world_destroy(w);
}

static void walk_has_limits(void **state)
{
	struct world *w = world_create(false);
	uint8_t ext[512] = {0}, b[800];
	uint32_t n;

	/* Nine headers. */
	for (int i = 0; i < 9; i++)
		memcpy(ext + 8 * i, (uint8_t[]){i == 8 ? 6 : 60, 0, 1, 4, 0, 0, 0, 0}, 8);
	n = packet(b, 60, ext, 72);
	world_rx(w, 0, b, n);
	assert_int_equal(world_counter(w, "ip6_ext_too_many"), 1);
	/* Eight are well. */
	memcpy(ext + 56, (uint8_t[]){6, 0, 1, 4, 0, 0, 0, 0}, 8);
	n = packet(b, 60, ext, 64);
	world_rx(w, 0, b, n);
	assert_int_equal(w->segment_count, 1);
	/* One of 264 bytes. */
	memset(ext, 0, sizeof(ext));
	ext[0] = 6;
	ext[1] = 32;
	n = packet(b, 60, ext, 264);
	world_rx(w, 0, b, n);
	/* Nine options that are not padding. */
	memset(ext, 0, sizeof(ext));
	ext[0] = 6;
	ext[1] = 3;
	for (int i = 0; i < 9; i++)
		ext[2 + 3 * i] = 0x1e, ext[3 + 3 * i] = 1;
	n = packet(b, 60, ext, 32);
	world_rx(w, 0, b, n);
	assert_int_equal(world_counter(w, "ip6_ext_too_many"), 3);
	/* Options that run over the end of their header. */
	memcpy(ext, (uint8_t[]){6, 0, 1, 5, 0, 0, 0, 0}, 8);
	n = packet(b, 60, ext, 8);
	world_rx(w, 0, b, n);
	memcpy(ext, (uint8_t[]){6, 0, 0, 0, 0, 0, 0, 5}, 8);
	n = packet(b, 60, ext, 8);
	world_rx(w, 0, b, n);
	assert_int_equal(world_counter(w, "ip6_ext_bad_option"), 2);
	/* Hop-by-hop anywhere but first. */
	memcpy(ext, (uint8_t[]){0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0}, 16);
	n = packet(b, 60, ext, 16);
	world_rx(w, 0, b, n);
	assert_int_equal(world_counter(w, "ip6_ext_order"), 1);
	assert_int_equal(w->segment_count, 1);
	world_destroy(w);
}

static void unknown_options_by_their_top_bits(void **state)
{
	static const uint8_t types[] = {0x3e, 0x7e, 0xbe, 0xfe};
	static const int errors[] = {0, 0, 1, 1};
	struct world *w = world_create(false);
	uint8_t b[200], ext[8] = {6, 0, 0, 4};

	world_know(w, PEER, world_peer_mac);
	for (int i = 0; i < 4; i++) {
		uint32_t n;

		ext[2] = types[i];
		n = packet(b, 60, ext, 8);
		world_rx(w, 0, b, n);
		net_flush(w->n);
		assert_int_equal(w->segment_count, i == 0);
		assert_int_equal(w->sent_count, errors[i]);
		if (errors[i]) {
			const uint8_t *icmp = w->sent[0].bytes + 54;

			assert_int_equal(icmp[0], ICMP6_PARAMETER);
			assert_int_equal(icmp[1], ICMP6_CODE_OPTION);
			assert_int_equal(icmp[7], 42);
			assert_memory_equal(icmp + 8, b + 14, n - 14);
		}
		world_clear(w);
	}
	/* Segments left: RFC 8200 4.4, type 0 or any other. */
	memcpy(ext, (uint8_t[]){6, 0, 0, 1, 0, 0, 0, 0}, 8);
	world_rx(w, 0, b, packet(b, 43, ext, 8));
	assert_int_equal(world_one(w)->bytes[54], ICMP6_PARAMETER);
	assert_int_equal(world_one(w)->bytes[55], ICMP6_CODE_HEADER);
	assert_int_equal(world_one(w)->bytes[61], 42);
	world_destroy(w);
}

static void mapped_and_other_martians_do_not_land(void **state)
{
	static const char *const bad[] = {
		"::ffff:198.51.100.2", "::1", "::", "ff02::1", US, "2001:db8:2::1"};
	struct world *w = world_create(false);
	uint8_t b[200], tcp[64];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV6_), len;

	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		len = world_tcp(tcp, "::2", US, 1, 25, 0);
		len = world_ip6(b + l2, bad[i], US, IPPROTO_TCP, tcp, len);
		world_rx(w, 0, b, l2 + len);
		assert_int_equal(world_counter(w, "ip6_martian_source"), i + 1);
	}
	/* A mapped destination is not the IPv4 address of ours. */
	len = world_ip6(b + l2, PEER, "::ffff:198.51.100.1", IPPROTO_TCP, tcp, 20);
	world_rx(w, 0, b, l2 + len);
	assert_int_equal(w->segment_count, 0);
	world_destroy(w);
}

static void inside_is_not_reached_from_outside(void **state)
{
	struct world *w = world_create(true);
	uint8_t b[200], tcp[64];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV6_), len;

	len = world_tcp(tcp, PEER, "2001:db8:2::1", 1, 25, 0);
	len = world_ip6(b + l2, PEER, "2001:db8:2::1", IPPROTO_TCP, tcp, len);
	world_rx(w, 0, b, l2 + len);
	assert_int_equal(world_counter(w, "ip6_wrong_interface"), 1);
	assert_int_equal(w->exception_count, 0);
	/* TCP with a link-local address has no scope to be answered by. */
	len = world_tcp(tcp, "fe80::2", US, 1, 25, 0);
	len = world_ip6(b + l2, "fe80::2", US, IPPROTO_TCP, tcp, len);
	world_rx(w, 0, b, l2 + len);
	assert_int_equal(w->segment_count, 0);
	assert_int_equal(w->exception_count, 1);
	world_destroy(w);
}

static void ext_walk(const uint8_t *p, uint32_t contiguous, uint32_t len)
{
	struct ip6_walk walk;

	if (ip6_walk(p, contiguous, len, &walk) == NET_C_COUNT)
		assert_true(walk.offset <= len);
	assert_true(walk.offset <= 40 + IP6_EXT_BYTES_MAX);
	assert_true(walk.proto_at < walk.offset || walk.offset == 40);
}

static void random_chains_stay_in_bounds(void **state)
{
	uint32_t x = 1;

	for (int i = 0; i < 20000; i++) {
		static const uint8_t types[] = {0, 43, 44, 60, 6, 58, 59, 17};
		/* Exactly as much memory as may be read, for ASan to watch. */
		uint32_t len = 40 + x % 200;
		uint8_t *p = malloc(len);

		for (uint32_t k = 0; k < len; k++) {
			x = x * 1664525 + 1013904223;
			p[k] = x >> 28 < 6 ? types[x >> 8 & 7] : (uint8_t)(x >> 20 & 3);
		}
		ext_walk(p, len, len);
		ext_walk(p, len, len + 1000);
		free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_of_headers_are_walked),
		cmocka_unit_test(walk_has_limits),
		cmocka_unit_test(unknown_options_by_their_top_bits),
		cmocka_unit_test(mapped_and_other_martians_do_not_land),
		cmocka_unit_test(inside_is_not_reached_from_outside),
		cmocka_unit_test(random_chains_stay_in_bounds),
	};

	world_init_eal("test_ip6");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
