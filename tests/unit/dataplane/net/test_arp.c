/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include "tests/unit/dataplane/net/world.h"

static const uint8_t peer[6] = {0x52, 0x54, 0, 0x11, 0x22, 0x33};
static const uint8_t other[6] = {0x52, 0x54, 0, 0x44, 0x55, 0x66};
static const uint8_t zero[6];
static const uint8_t ours[6] = {2, 0, 0, 0, 0, 0};

static int send_to(struct world *w, const char *dst)
{
	struct ip_addr s = world_addr("198.51.100.1"), d = world_addr(dst);
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	world_tcp((uint8_t *)rte_pktmbuf_append(m, 30), "198.51.100.1", dst, 25, 1000, 10);
	return net_output(w->n, m, &s, &d, IPPROTO_TCP, 0, w->now);
}

static const struct wire_arp *arp_of(const struct world_frame *f)
{
	assert_int_equal(f->len, 14 + sizeof(struct wire_arp));
	assert_int_equal(f->bytes[12] << 8 | f->bytes[13], 0x806);
	return (const struct wire_arp *)(f->bytes + 14);
}

static void answers_for_us_and_learns(void **state)
{
	struct world *w = world_create(false);
	const struct world_frame *f;

	world_arp(w, 0, ARP_OP_REQUEST, peer, "198.51.100.2", zero, "198.51.100.1", true);
	f = world_one(w);
	assert_memory_equal(f->bytes, peer, 6);
	assert_int_equal(arp_of(f)->op, htons(ARP_OP_REPLY));
	assert_memory_equal(arp_of(f)->sha, ours, 6);
	assert_memory_equal(arp_of(f)->tha, peer, 6);
	assert_int_equal(arp_of(f)->spa, world_addr("198.51.100.1").w[3]);
	assert_int_equal(w->spread_count, 1);
	world_clear(w);
	/* Learned: the packet goes at once, and no question is asked. */
	assert_int_equal(send_to(w, "198.51.100.2"), 0);
	f = world_one(w);
	assert_memory_equal(f->bytes, peer, 6);
	assert_int_equal(f->bytes[13], 0);
	world_destroy(w);
}

static void learns_nothing_from_others_talk(void **state)
{
	struct world *w = world_create(false);

	world_arp(w, 0, ARP_OP_REQUEST, peer, "198.51.100.2", zero, "198.51.100.9", true);
	world_arp(w, 0, ARP_OP_REPLY, peer, "198.51.100.3", ours, "198.51.100.1", false);
	world_arp(w, 0, ARP_OP_REQUEST, peer, "198.51.100.4", zero, "198.51.100.4", true);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(world_counter(w, "neigh_created"), 0);
	/* ... but who is known is known by his new address after a gratuitous one. */
	world_know(w, "198.51.100.2", peer);
	world_arp(w, 0, ARP_OP_REQUEST, other, "198.51.100.2", zero, "198.51.100.2", true);
	world_clear(w);
	send_to(w, "198.51.100.2");
	assert_memory_equal(world_one(w)->bytes, other, 6);
	assert_int_equal(world_counter(w, "neigh_changed"), 1);
	world_destroy(w);
}

static void the_inside_is_not_asked_for_outside(void **state)
{
	struct world *w = world_create(false);

	world_arp(w, 0, ARP_OP_REQUEST, peer, "198.51.100.2", zero, "192.0.2.1", true);
	assert_int_equal(w->sent_count, 0);
	/* Someone of another subnet is not our neighbour. */
	world_arp(w, 0, ARP_OP_REQUEST, peer, "203.0.113.7", zero, "198.51.100.1", true);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(world_counter(w, "arp_off_link"), 1);
	world_destroy(w);
}

static void probe_is_answered_and_not_learned(void **state)
{
	struct world *w = world_create(false);

	world_arp(w, 0, ARP_OP_REQUEST, peer, "0.0.0.0", zero, "198.51.100.1", true);
	assert_int_equal(arp_of(world_one(w))->op, htons(ARP_OP_REPLY));
	assert_int_equal(world_counter(w, "neigh_created"), 0);
	world_destroy(w);
}

static void conflict_is_defended_once_in_ten_seconds(void **state)
{
	struct world *w = world_create(false);

	for (int i = 0; i < 5; i++)
		world_arp(w, 0, ARP_OP_REQUEST, other, "198.51.100.1", zero, "198.51.100.1", true);
	assert_int_equal(arp_of(world_one(w))->spa, arp_of(world_one(w))->tpa);
	assert_int_equal(world_counter(w, "arp_conflict"), 5);
	world_clear(w);
	world_wait(w, 10 * WORLD_SECOND);
	world_arp(w, 0, ARP_OP_REPLY, other, "198.51.100.1", ours, "198.51.100.1", false);
	assert_int_equal(w->sent_count, 1);
	world_destroy(w);
}

static void hold_queue_is_bounded_and_sent_in_order(void **state)
{
	struct world *w = world_create(false);

	for (int i = 0; i < 4; i++)
		assert_int_equal(send_to(w, "198.51.100.2"), 0);
	assert_int_equal(send_to(w, "198.51.100.2"), -ENOBUFS);
	assert_int_equal(arp_of(world_one(w))->op, htons(ARP_OP_REQUEST));
	assert_int_equal(world_counter(w, "neigh_hold_full"), 1);
	world_clear(w);
	world_arp(w, 0, ARP_OP_REPLY, peer, "198.51.100.2", ours, "198.51.100.1", false);
	assert_int_equal(w->sent_count, 4);
	for (int i = 0; i < 4; i++)
		assert_memory_equal(w->sent[i].bytes, peer, 6);
	world_destroy(w);
}

static void three_requests_then_the_sender_is_told(void **state)
{
	struct world *w = world_create(false);

	send_to(w, "198.51.100.2");
	world_wait(w, 10 * WORLD_SECOND);
	assert_int_equal(world_counter(w, "arp_tx_request"), 3);
	assert_int_equal(w->sent_count, 3);
	assert_int_equal(w->error_count, 1);
	assert_int_equal(w->errors[0].type, ICMP4_UNREACHABLE);
	assert_int_equal(w->errors[0].code, ICMP4_CODE_HOST);
	assert_int_equal(w->errors[0].local_port, 25);
	assert_int_equal(w->errors[0].remote_port, 1000);
	assert_int_equal(w->errors[0].seq, 0x01020304);
	assert_int_equal(world_counter(w, "neigh_unresolved"), 1);
	/* Nothing is left of it: the next packet asks anew. */
	world_clear(w);
	send_to(w, "198.51.100.2");
	assert_int_equal(arp_of(world_one(w))->op, htons(ARP_OP_REQUEST));
	world_destroy(w);
}

static void malformed_ones_are_dropped(void **state)
{
	struct world *w = world_create(false);
	uint8_t b[64];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_ARP_);
	static const uint8_t good[8] = {0, 1, 8, 0, 6, 4, 0, 1};

	for (int i = 0; i < 8; i++) {
		memset(b + l2, 0, sizeof(b) - l2);
		memcpy(b + l2, good, sizeof(good));
		b[l2 + i] ^= 0x10;
		world_rx(w, 0, b, l2 + 28);
	}
	assert_int_equal(world_counter(w, "arp_malformed"), 8);
	/* A group address as the sender's own. */
	world_arp(w, 0, ARP_OP_REQUEST, peer, "198.51.100.2", zero, "198.51.100.1", true);
	world_clear(w);
	memcpy(b + l2, good, sizeof(good));
	memset(b + l2 + 8, 0xff, 6);
	world_rx(w, 0, b, l2 + 28);
	assert_int_equal(world_counter(w, "arp_malformed"), 9);
	for (uint32_t len = l2; len < l2 + 28; len++)
		world_rx(w, 0, b, len);
	assert_int_equal(world_counter(w, "arp_truncated"), 28);
	assert_int_equal(w->sent_count, 0);
	world_destroy(w);
}

static void copies_of_other_workers_are_learned_only(void **state)
{
	struct world *w = world_create(false);
	uint8_t b[60] = {0};
	struct rte_mbuf *m;
	struct wire_arp *arp = (struct wire_arp *)(b + world_eth(b, 0, 0, ETHERTYPE_ARP_));

	*arp = (struct wire_arp){
		.hrd = htons(1), .pro = htons(0x800), .hln = 6, .pln = 4, .op = htons(1)};
	memcpy(arp->sha, peer, 6);
	arp->spa = world_addr("198.51.100.2").w[3];
	arp->tpa = world_addr("198.51.100.1").w[3];
	m = rte_pktmbuf_alloc(w->pool);
	memcpy(rte_pktmbuf_append(m, sizeof(b)), b, sizeof(b));
	net_learn(w->n, 0, m, w->now);
	net_flush(w->n);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(w->spread_count, 0);
	send_to(w, "198.51.100.2");
	assert_memory_equal(world_one(w)->bytes, peer, 6);
	world_destroy(w);
}

/* The kernel's addresses are behind the same MAC: who asks for them, or answers it, is heard there.
 */
static void what_is_the_kernels_goes_to_the_kernel(void **state)
{
	struct world *w = world_create(true);

	world_arp(w, 0, ARP_OP_REQUEST, peer, "198.51.100.2", zero, "198.51.100.9", true);
	world_arp(w, 0, ARP_OP_REPLY, peer, "198.51.100.2", ours, "198.51.100.9", false);
	assert_int_equal(w->exception_count, 2);
	world_arp(w, 0, ARP_OP_REQUEST, peer, "198.51.100.2", zero, "198.51.100.1", true);
	world_arp(w, 0, ARP_OP_REPLY, peer, "198.51.100.2", ours, "198.51.100.1", false);
	assert_int_equal(w->exception_count, 2);
	world_destroy(w);
}

static void addresses_are_announced_twice(void **state)
{
	struct net_limits limits = {
		.neighbours = 16, .hold_per_neighbour = 1, .icmp_per_second = 1};
	struct world *w = world_create_limits(false, &limits);

	assert_int_equal(net_set_config(w->n, &world_config, w->now), 0);
	net_flush(w->n);
	assert_int_equal(w->sent_count, 5 + 2); /* and an MLD report of each interface with IPv6 */
	world_wait(w, 20 * WORLD_SECOND);
	assert_int_equal(world_counter(w, "arp_tx_announce"), 6);
	assert_int_equal(world_counter(w, "nd_tx_announce"), 4);
	/* The same configuration again is nothing new to the link. */
	assert_int_equal(net_set_config(w->n, &world_config, w->now), 0);
	world_wait(w, 20 * WORLD_SECOND);
	assert_int_equal(world_counter(w, "arp_tx_announce"), 6);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_for_us_and_learns),
		cmocka_unit_test(learns_nothing_from_others_talk),
		cmocka_unit_test(the_inside_is_not_asked_for_outside),
		cmocka_unit_test(probe_is_answered_and_not_learned),
		cmocka_unit_test(conflict_is_defended_once_in_ten_seconds),
		cmocka_unit_test(hold_queue_is_bounded_and_sent_in_order),
		cmocka_unit_test(three_requests_then_the_sender_is_told),
		cmocka_unit_test(malformed_ones_are_dropped),
		cmocka_unit_test(copies_of_other_workers_are_learned_only),
		cmocka_unit_test(what_is_the_kernels_goes_to_the_kernel),
		cmocka_unit_test(addresses_are_announced_twice),
	};

	world_init_eal("test_arp");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
