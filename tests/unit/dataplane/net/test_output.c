/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include <rte_ethdev.h>
#include <rte_ip.h>

#include "dataplane/net/cksum.h"
#include "tests/unit/dataplane/net/world.h"

#define CKSUM (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM)

static const char *const us[] = {"198.51.100.1", "2001:db8:1::1"};
static const char *const peers[] = {"198.51.100.2", "2001:db8:1::2"};

static struct world *world_with(uint64_t offloads)
{
	struct net_limits limits = {
		.neighbours = 64, .hold_per_neighbour = 4, .icmp_per_second = 10};
	struct world *w = world_create_limits(false, &limits);

	w->offloads = offloads;
	assert_int_equal(net_set_config(w->n, &world_config, w->now), 0);
	world_wait(w, 5 * WORLD_SECOND);
	for (int f = 0; f < 2; f++)
		world_know(w, peers[f], world_peer_mac);
	world_clear(w);
	return w;
}

/* A segment of `data` bytes in mbufs of at most `seg`, the checksum left to the IP layer. */
static int send_segment(
	struct world *w, int f, uint32_t data, uint32_t seg, uint16_t tso, uint8_t tos)
{
	static uint8_t b[20000];
	struct ip_addr s = world_addr(us[f]), d = world_addr(peers[f]);
	uint32_t len = world_tcp(b, us[f], peers[f], 25, 1000, data), at = 0;
	struct rte_mbuf *head = NULL;

	while (at < len) {
		uint32_t n = RTE_MIN(len - at, seg);
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

		memcpy(rte_pktmbuf_append(m, (uint16_t)n), b + at, n);
		if (head == NULL)
			head = m;
		else
			rte_pktmbuf_chain(head, m);
		at += n;
	}
	((struct wire_tcp *)rte_pktmbuf_mtod(head, void *))->cksum = 0xbeef;
	head->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_BAD; /* of a former life */
	if (tso != 0) {
		head->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		head->tso_segsz = tso;
	}
	return net_output(w->n, head, &s, &d, IPPROTO_TCP, tos, w->now);
}

/* What a device that offloads does with what it is given. */
static void do_as_the_device(struct world_frame *f)
{
	bool v6 = f->bytes[12] == 0x86;
	uint8_t *ip = f->bytes + 14;
	uint32_t l4 = v6 ? 40 : 20;
	struct wire_tcp *tcp = (struct wire_tcp *)(ip + l4);

	if (f->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) {
		((struct wire_ip4 *)ip)->cksum = 0;
		((struct wire_ip4 *)ip)->cksum = world_cksum(ip, 20, 0);
	}
	if ((f->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM)
		tcp->cksum = world_cksum(tcp, f->len - 14 - l4, 0);
}

static void software_and_device_agree_bit_for_bit(void **state)
{
	static const uint32_t sizes[] = {0, 1, 2, 3, 535, 536, 1399, 1400, 1440};

	for (int f = 0; f < 2; f++) {
		for (size_t i = 0; i < RTE_DIM(sizes); i++) {
			for (uint32_t seg = 1460; seg >= 33; seg = seg / 3 | 1) {
				uint8_t soft[1600];
				uint32_t len;
				struct world *w = world_with(0);

				assert_int_equal(send_segment(w, f, sizes[i], seg, 0, 0x2), 0);
				len = world_one(w)->len;
				memcpy(soft, w->sent[0].bytes, len);
				assert_int_equal(
					w->sent[0].ol_flags &
						(RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_IP_CKSUM),
					0);
				world_destroy(w);
				w = world_with(CKSUM);
				assert_int_equal(send_segment(w, f, sizes[i], seg, 0, 0x2), 0);
				do_as_the_device(&w->sent[world_one(w) - w->sent]);
				assert_int_equal(w->sent[0].len, len);
				assert_memory_equal(w->sent[0].bytes, soft, len);
				/* And the receiving side takes it. */
				world_destroy(w);
				if (f == 0)
					assert_int_equal(world_cksum(soft + 14, 20, 0), 0);
			}
		}
	}
}

static void checksum_against_a_reference(void **state)
{
	struct world *w = world_create(false);
	uint32_t x = 99;

	for (int i = 0; i < 3000; i++) {
		uint32_t len = i % 200, cut = len ? x % len : 0;
		struct rte_mbuf *a = rte_pktmbuf_alloc(w->pool), *b = rte_pktmbuf_alloc(w->pool);
		struct ip_addr s = world_addr(us[i & 1]), d = world_addr(peers[i & 1]);
		uint8_t bytes[256];

		for (uint32_t k = 0; k < len; k++) {
			x = x * 1664525 + 1013904223;
			/* Many 0xff, where carries are. */
			bytes[k] = x >> 31 ? 0xff : (uint8_t)(x >> 16);
		}
		memcpy(rte_pktmbuf_append(a, (uint16_t)cut), bytes, cut);
		memcpy(rte_pktmbuf_append(b, (uint16_t)(len - cut)), bytes + cut, len - cut);
		rte_pktmbuf_chain(a, b);
		assert_int_equal(cksum_bytes(bytes, len), world_cksum(bytes, len, 0));
		assert_int_equal(cksum_mbuf(a, 0), world_cksum(bytes, len, 0));
		assert_int_equal(cksum_l4(a, 0, &s, &d, 6),
			world_cksum(bytes, len, world_pseudo(&s, &d, 6, len)));
		assert_int_equal((uint16_t)~cksum_pseudo(&s, &d, 6, len),
			world_cksum(bytes, 0, world_pseudo(&s, &d, 6, len)));
		rte_pktmbuf_free(a);
	}
	world_destroy(w);
}

static void tso_is_left_to_a_port_that_has_it(void **state)
{
	struct world *w = world_with(CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO);
	union {
		struct {
			uint64_t l2_len : 7, l3_len : 9, l4_len : 8, tso_segsz : 16;
		};
		uint64_t all;
	} o;

	for (int f = 0; f < 2; f++) {
		const struct wire_tcp *tcp;
		struct ip_addr s = world_addr(us[f]), d = world_addr(peers[f]);

		assert_int_equal(send_segment(w, f, 9000, 1800, 1400, 0), 0);
		o.all = world_one(w)->tx_offload;
		assert_int_equal(o.l2_len, 14);
		assert_int_equal(o.l3_len, f == 0 ? 20 : 40);
		assert_int_equal(o.l4_len, 20);
		assert_int_equal(o.tso_segsz, 1400);
		assert_true(w->sent[0].ol_flags & RTE_MBUF_F_TX_TCP_SEG);
		assert_true(
			w->sent[0].ol_flags & (f == 0 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6));
		/* The pseudo header without a length, as rte_ethdev.h has it. */
		tcp = (const struct wire_tcp *)(w->sent[0].bytes + (f == 0 ? 34 : 54));
		assert_int_equal(
			(uint16_t)~tcp->cksum, world_cksum("", 0, world_pseudo(&s, &d, 6, 0)));
		world_clear(w);
	}
	world_destroy(w);
	w = world_with(CKSUM);
	assert_int_equal(send_segment(w, 0, 9000, 1800, 1400, 0), -EMSGSIZE);
	assert_int_equal(world_counter(w, "out_no_tso"), 1);
	world_destroy(w);
}

static void what_cannot_go_is_refused_by_name(void **state)
{
	struct ip_addr foreign = world_addr("203.0.113.77"), own = world_addr(us[0]),
		       other = world_addr("192.0.2.1"), peer = world_addr(peers[0]),
		       v6 = world_addr(us[1]), group = world_addr("224.0.0.1"),
		       far6 = world_addr("2001:db8:99::1"), inside6 = world_addr("2001:db8:2::1");
	struct world *w = world_with(0);
	const struct ip_addr *bad[][2] = {
		{&foreign, &peer}, {&own, &other}, {&own, &v6}, {&v6, &peer}, {&own, &group}};

	assert_int_equal(send_segment(w, 0, 1460, 1800, 0, 0), 0);
	assert_int_equal(send_segment(w, 0, 1461, 1800, 0, 0), -EMSGSIZE);
	assert_int_equal(send_segment(w, 1, 1440, 1800, 0, 0), 0);
	assert_int_equal(send_segment(w, 1, 1441, 1800, 0, 0), -EMSGSIZE);
	assert_int_equal(world_counter(w, "out_too_big"), 2);
	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

		memset(rte_pktmbuf_append(m, 20), 0x50, 20);
		assert_int_equal(net_output(w->n, m, bad[i][0], bad[i][1], IPPROTO_TCP, 0, w->now),
			-EHOSTUNREACH);
	}
	assert_int_equal(world_counter(w, "out_bad_address"), 5);
	{
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

		memset(rte_pktmbuf_append(m, 20), 0x50, 20);
		/* The inside has no IPv6 default, the outside's is not for its addresses. */
		assert_int_equal(net_output(w->n, m, &inside6, &far6, IPPROTO_TCP, 0, w->now),
			-EHOSTUNREACH);
		m = rte_pktmbuf_alloc(w->pool);
		rte_pktmbuf_prepend(m, 100);
		rte_pktmbuf_append(m, 20);
		((struct wire_tcp *)rte_pktmbuf_mtod(m, void *))->data_off = 0x50;
		rte_pktmbuf_trim(m, 80);
		m->data_off = 10;
		assert_int_equal(
			net_output(w->n, m, &own, &peer, IPPROTO_TCP, 0, w->now), -ENOBUFS);
	}
	assert_int_equal(world_counter(w, "out_no_route"), 1);
	assert_int_equal(world_counter(w, "out_no_headroom"), 1);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(software_and_device_agree_bit_for_bit),
		cmocka_unit_test(checksum_against_a_reference),
		cmocka_unit_test(tso_is_left_to_a_port_that_has_it),
		cmocka_unit_test(what_cannot_go_is_refused_by_name),
	};

	world_init_eal("test_output");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
