/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include "tests/unit/dataplane/net/world.h"

#define US4   "198.51.100.1"
#define PEER4 "198.51.100.2"
#define US6   "2001:db8:1::1"
#define PEER6 "2001:db8:1::2"

/* An ICMP error of that type and code, quoting `quote`. */
static void error4(
	struct world *w, uint8_t type, uint8_t code, uint32_t rest, const void *quote, uint32_t len)
{
	uint8_t b[1600], icmp[1500];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV4_);
	struct wire_icmp *h = (struct wire_icmp *)icmp;

	*h = (struct wire_icmp){.type = type, .code = code, .rest = htonl(rest)};
	memcpy(icmp + 8, quote, len);
	h->cksum = world_cksum(icmp, 8 + len, 0);
	/* From a router on the way, not from the peer. */
	len = world_ip4(b + l2, "203.0.113.99", US4, IPPROTO_ICMP, icmp, 8 + len);
	world_rx(w, 0, b, l2 + len);
}

static void error6(
	struct world *w, uint8_t type, uint8_t code, uint32_t rest, const void *quote, uint32_t len)
{
	uint8_t b[1600], icmp[1500];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV6_);

	len = world_icmp6(icmp, "2001:db8:77::1", US6, type, code, rest, quote, len);
	len = world_ip6(b + l2, "2001:db8:77::1", US6, IPPROTO_ICMPV6, icmp, len);
	world_rx(w, 0, b, l2 + len);
}

static void echo_is_answered_with_the_same_bytes(void **state)
{
	static const uint32_t sizes[] = {0, 1, 56, 1471, 1472};
	struct world *w = world_create(false);
	uint8_t b[1600], icmp[1500] = {0};
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV4_);

	world_know(w, PEER4, world_peer_mac);
	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		uint32_t n = 8 + sizes[i], len;
		const uint8_t *r;

		for (uint32_t k = 2; k < n; k++)
			icmp[k] = (uint8_t)(k * 11);
		icmp[0] = 8;
		icmp[1] = 0;
		icmp[2] = icmp[3] = 0;
		memcpy(icmp + 2, &(uint16_t){world_cksum(icmp, n, 0)}, 2);
		len = l2 + world_ip4(b + l2, PEER4, US4, IPPROTO_ICMP, icmp, n);
		/* In two segments as well: what a device scatters. */
		if (i % 2)
			world_rx_split(w, 0, b, len, 64);
		else
			world_rx(w, 0, b, len);
		r = world_one(w)->bytes;
		assert_int_equal(w->sent[0].len, len);
		assert_int_equal(r[34], 0);
		assert_int_equal(world_cksum(r + 34, n, 0), 0);
		assert_int_equal(world_cksum(r + 14, 20, 0), 0);
		assert_memory_equal(r + 38, icmp + 4, n - 4);
		assert_memory_equal(r + 26, ((uint8_t[]){198, 51, 100, 1, 198, 51, 100, 2}), 8);
		assert_int_equal(r[22], 64);
		world_clear(w);
	}
	icmp[2] ^= 1;
	world_rx(w, 0, b, l2 + world_ip4(b + l2, PEER4, US4, IPPROTO_ICMP, icmp, 64));
	assert_int_equal(world_counter(w, "icmp_bad_checksum"), 1);
	/* To a broadcast address: RFC 1122 3.2.2.6 MAY be, and smurf says must not be, answered. */
	world_rx(w, 0, b, l2 + world_ip4(b + l2, PEER4, "198.51.100.255", IPPROTO_ICMP, icmp, 64));
	assert_int_equal(world_counter(w, "ip4_broadcast"), 1);
	assert_int_equal(w->sent_count, 0);
	world_destroy(w);
}

static void echo6_is_answered(void **state)
{
	struct world *w = world_create(false);
	uint8_t b[300], icmp[200], body[40] = {1, 2, 3};
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV6_), n;
	struct ip_addr us = world_addr(US6), peer = world_addr(PEER6);

	world_know(w, PEER6, world_peer_mac);
	n = world_icmp6(icmp, PEER6, US6, 128, 0, 0x00070001, body, 40);
	world_rx(w, 0, b, l2 + world_ip6(b + l2, PEER6, US6, IPPROTO_ICMPV6, icmp, n));
	assert_int_equal(world_one(w)->bytes[54], 129);
	assert_int_equal(
		world_cksum(w->sent[0].bytes + 54, n, world_pseudo(&us, &peer, IPPROTO_ICMPV6, n)),
		0);
	assert_memory_equal(w->sent[0].bytes + 58, icmp + 4, n - 4);
	world_clear(w);
	/* To all nodes: no amplifier. */
	n = world_icmp6(icmp, PEER6, "ff02::1", 128, 0, 1, body, 40);
	memcpy(b, ((uint8_t[]){0x33, 0x33, 0, 0, 0, 1}), 6);
	world_rx(w, 0, b, l2 + world_ip6(b + l2, PEER6, "ff02::1", IPPROTO_ICMPV6, icmp, n));
	assert_int_equal(w->sent_count, 0);
	world_destroy(w);
}

static void path_mtu_messages_reach_tcp(void **state)
{
	struct world *w = world_create(false);
	uint8_t q[200], tcp[40];
	uint32_t len;

	len = world_ip4(
		q, US4, "8.8.8.8", IPPROTO_TCP, tcp, world_tcp(tcp, US4, "8.8.8.8", 25, 4711, 0));
	error4(w, ICMP4_UNREACHABLE, ICMP4_CODE_FRAG_NEEDED, 1280, q, len);
	assert_int_equal(w->error_count, 1);
	assert_int_equal(w->errors[0].mtu, 1280);
	assert_int_equal(w->errors[0].local.w[3], world_addr(US4).w[3]);
	assert_int_equal(w->errors[0].remote.w[3], world_addr("8.8.8.8").w[3]);
	assert_int_equal(w->errors[0].local_port, 25);
	assert_int_equal(w->errors[0].remote_port, 4711);
	assert_int_equal(w->errors[0].seq, 0x01020304);
	/* The minimum that RFC 792 lets a router quote; one byte less is of no use. */
	error4(w, ICMP4_UNREACHABLE, 1, 0x1234, q, 28);
	assert_int_equal(w->error_count, 2);
	assert_int_equal(w->errors[1].mtu, 0);
	error4(w, ICMP4_UNREACHABLE, 1, 0, q, 27);
	assert_int_equal(world_counter(w, "icmp_bad_quote"), 1);
	len = world_ip6(q, US6, "2001:db8:99::1", IPPROTO_TCP, tcp,
		world_tcp(tcp, US6, "2001:db8:99::1", 1025, 25, 0));
	error6(w, ICMP6_TOO_BIG, 0, 1400, q, len);
	assert_int_equal(w->error_count, 3);
	assert_int_equal(w->errors[2].mtu, 1400);
	assert_int_equal(w->errors[2].local_port, 1025);
	error6(w, ICMP6_TOO_BIG, 0, 0x00010000, q, len);
	assert_int_equal(w->errors[3].mtu, 65535);
	world_destroy(w);
}

static void quotes_that_are_not_ours_are_not_believed(void **state)
{
	struct world *w = world_create(false);
	uint8_t q[200], tcp[40], b[200];
	uint32_t n = world_tcp(tcp, US4, "8.8.8.8", 25, 4711, 0), len;

	len = world_ip4(q, "198.51.100.77", "8.8.8.8", IPPROTO_TCP, tcp, n);
	error4(w, ICMP4_UNREACHABLE, 1, 0, q, len);
	assert_int_equal(world_counter(w, "icmp_quote_not_ours"), 1);
	len = world_ip4(q, US4, "8.8.8.8", IPPROTO_UDP, tcp, n);
	error4(w, ICMP4_UNREACHABLE, 3, 0, q, len);
	assert_int_equal(world_counter(w, "icmp_quote_not_tcp"), 1);
	len = world_ip4(q, US4, "8.8.8.8", IPPROTO_TCP, tcp, n);
	for (uint32_t cut = 0; cut < 28; cut++)
		error4(w, ICMP4_TIME_EXCEEDED, 0, 0, q, cut);
	memcpy(b, q, len);
	b[0] = 0x4f; /* the ports would lie behind the end */
	error4(w, ICMP4_PARAMETER, 0, 0, b, len);
	b[0] = 0x41;
	error4(w, ICMP4_PARAMETER, 0, 0, b, len);
	b[0] = 0x65;
	error4(w, ICMP4_PARAMETER, 0, 0, b, len);
	memcpy(b, q, len);
	b[7] = 1; /* a later fragment */
	error4(w, ICMP4_UNREACHABLE, 1, 0, b, len);
	assert_int_equal(world_counter(w, "icmp_bad_quote"), 32);
	/* Source quench: RFC 6633. Redirect: routes are configured. */
	error4(w, 4, 0, 0, q, len);
	error4(w, 5, 0, 0, q, len);
	assert_int_equal(world_counter(w, "icmp_ignored"), 2);
	n = world_tcp(tcp, US6, PEER6, 25, 4711, 0);
	len = world_ip6(q, US6, PEER6, IPPROTO_TCP, tcp, n);
	for (uint32_t cut = 0; cut < 48; cut++)
		error6(w, ICMP6_UNREACHABLE, 0, 0, q, cut);
	assert_int_equal(world_counter(w, "icmp_bad_quote"), 80);
	/* IPv6 that quotes mapped addresses must not pass for IPv4. */
	len = world_ip6(q, "::ffff:198.51.100.1", "::ffff:8.8.8.8", IPPROTO_TCP, tcp, n);
	error6(w, ICMP6_UNREACHABLE, 0, 0, q, len);
	assert_int_equal(w->error_count, 0);
	assert_int_equal(w->sent_count, 0);
	world_destroy(w);
}

static void no_error_answers_an_error(void **state)
{
	struct world *w = world_create(false);
	uint8_t b[300], icmp[200] = {0};
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV6_), len;

	/* An ICMPv6 error behind a bad option: the parameter problem is not sent. */
	memcpy(icmp, ((uint8_t[]){58, 0, 0xbe, 4, 0, 0, 0, 0}), 8);
	icmp[8] = ICMP6_UNREACHABLE;
	len = world_ip6(b + l2, PEER6, US6, 60, icmp, 80);
	world_rx(w, 0, b, l2 + len);
	assert_int_equal(world_counter(w, "ip6_ext_bad_option"), 1);
	assert_int_equal(world_counter(w, "icmp_tx_error"), 0);
	assert_int_equal(w->sent_count, 0);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_is_answered_with_the_same_bytes),
		cmocka_unit_test(echo6_is_answered),
		cmocka_unit_test(path_mtu_messages_reach_tcp),
		cmocka_unit_test(quotes_that_are_not_ours_are_not_believed),
		cmocka_unit_test(no_error_answers_an_error),
	};

	world_init_eal("test_icmp");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
