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

/* Bytes [from, to) of an IPv4 payload as a fragment; `from` in units of 8 bytes. */
static void frag4(
	struct world *w, uint16_t id, const uint8_t *payload, uint32_t from, uint32_t to, bool more)
{
	uint8_t b[2000];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV4_), len;
	struct wire_ip4 *ip = (struct wire_ip4 *)(b + l2);

	len = world_ip4(b + l2, PEER4, US4, IPPROTO_TCP, payload + from, to - from);
	ip->id = htons(id);
	ip->frag = htons((uint16_t)(from / 8 | (more ? IP4_MF : 0)));
	world_fix_ip4(b + l2);
	world_rx(w, 0, b, l2 + len < 60 ? 60 : l2 + len);
}

/* As above; `ext` puts destination options before the fragment header. */
static void frag6(struct world *w, uint32_t id, const uint8_t *payload, uint32_t from, uint32_t to,
	bool more, bool ext)
{
	uint8_t b[2000], p[1600];
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV6_), at = 0, len;

	if (ext) {
		memcpy(p, ((uint8_t[]){44, 0, 1, 4, 0, 0, 0, 0}), 8);
		at = 8;
	}
	*(struct wire_ip6_frag *)(p + at) = (struct wire_ip6_frag){
		.next = IPPROTO_TCP, .offset = htons((uint16_t)(from | more)), .id = htonl(id)};
	memcpy(p + at + 8, payload + from, to - from);
	len = world_ip6(b + l2, PEER6, US6, ext ? 60 : 44, p, at + 8 + to - from);
	world_rx(w, 0, b, l2 + len);
}

static void expect_segment(struct world *w, const uint8_t *bytes, uint32_t len)
{
	struct rte_mbuf *m;
	uint8_t buf[4000];
	struct net_meta *meta;

	assert_int_equal(w->segment_count, 1);
	m = w->segments[0];
	meta = rte_mbuf_to_priv(m);
	assert_int_equal(meta->flags, NET_META_REASSEMBLED);
	assert_int_equal(m->pkt_len, len);
	assert_true(m->data_len >= 20);
	assert_memory_equal(rte_pktmbuf_read(m, 0, len, buf), bytes, len);
	world_clear(w);
}

static void in_any_order(void **state)
{
	static const uint8_t orders[6][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static const uint32_t cuts[4] = {0, 800, 1600, 2020};
	struct world *w = world_create(false);
	uint8_t tcp[2100];

	for (int i = 0; i < 6; i++) {
		world_tcp(tcp, PEER4, US4, 1000, 25, 2000);
		for (int k = 0; k < 3; k++)
			frag4(w, (uint16_t)i, tcp, cuts[orders[i][k]], cuts[orders[i][k] + 1],
				orders[i][k] < 2);
		expect_segment(w, tcp, 2020);
		world_tcp(tcp, PEER6, US6, 1000, 25, 2000);
		for (int k = 0; k < 3; k++)
			frag6(w, (uint32_t)i, tcp, cuts[orders[i][k]], cuts[orders[i][k] + 1],
				orders[i][k] < 2, i % 2);
		expect_segment(w, tcp, 2020);
	}
	assert_int_equal(world_counter(w, "frag_reassembled"), 12);
	world_destroy(w);
}

static void overlaps_are_dropped_whole(void **state)
{
	struct world *w = world_create(false);
	uint8_t tcp[2100];

	world_tcp(tcp, PEER4, US4, 1000, 25, 2000);
	frag4(w, 1, tcp, 0, 1000, true);
	frag4(w, 1, tcp, 992, 1600, true); /* over the first by 8 */
	frag4(w, 1, tcp, 1600, 2020, false);
	assert_int_equal(w->segment_count, 0);
	/* One more byte than there are, hidden by one that is missing elsewhere. */
	frag4(w, 2, tcp, 0, 1000, true);
	frag4(w, 2, tcp, 1008, 1616, true);
	frag4(w, 2, tcp, 1608, 2020, false);
	assert_int_equal(w->segment_count, 0);
	world_tcp(tcp, PEER6, US6, 1000, 25, 2000);
	frag6(w, 3, tcp, 0, 1000, true, false);
	frag6(w, 3, tcp, 992, 1600, true, false);
	frag6(w, 3, tcp, 1600, 2020, false, false);
	/* The first one twice. */
	frag6(w, 4, tcp, 0, 1000, true, false);
	frag6(w, 4, tcp, 0, 1000, true, false);
	frag6(w, 4, tcp, 1000, 2020, false, false);
	assert_int_equal(w->segment_count, 0);
	assert_true(world_counter(w, "frag_discarded") >= 4);
	world_destroy(w);
}

static void odd_fragments_are_refused(void **state)
{
	static const uint8_t big[65536];
	struct world *w = world_create(false);
	uint8_t tcp[2100] = {0};

	frag4(w, 1, tcp, 0, 1001, true);
	frag6(w, 1, tcp, 0, 1001, true, false);
	assert_int_equal(world_counter(w, "frag_bad_length"), 2);
	/* RFC 1858: a first one without TCP's header, a second one that would rewrite it. */
	frag4(w, 2, tcp, 0, 8, true);
	frag4(w, 2, tcp, 8, 40, true);
	frag6(w, 2, tcp, 16, 40, true, false);
	assert_int_equal(world_counter(w, "frag_tiny"), 3);
	/* More than any datagram may have. */
	frag4(w, 3, big, 65528, 65536, false);
	frag6(w, 3, big, 65528, 65536, false, false);
	assert_int_equal(world_counter(w, "frag_too_big"), 2);
	world_destroy(w);
}

static void a_bad_checksum_of_the_whole_is_noticed(void **state)
{
	struct world *w = world_create(false);
	uint8_t tcp[2100];

	world_tcp(tcp, PEER4, US4, 1000, 25, 2000);
	tcp[1700] ^= 4;
	frag4(w, 1, tcp, 0, 1000, true);
	frag4(w, 1, tcp, 1000, 2020, false);
	assert_int_equal(world_counter(w, "tcp_bad_checksum"), 1);
	assert_int_equal(w->segment_count, 0);
	world_destroy(w);
}

static void a_flood_of_first_fragments_is_bounded_and_expires(void **state)
{
	struct world *w = world_create(false);
	uint8_t tcp[2100];
	uint32_t held;

	world_tcp(tcp, PEER4, US4, 1000, 25, 2000);
	for (uint32_t i = 0; i < 800; i++)
		frag4(w, (uint16_t)i, tcp, 0, 1000, true);
	held = WORLD_POOL - rte_mempool_avail_count(w->pool);
	assert_true(held > 0 && held <= 64);
	/* Many fragments of one datagram: as many as the library's limit, then it is given up. */
	for (uint32_t i = 0; i < 40; i++)
		frag4(w, 9999, tcp, 24 + 8 * i, 32 + 8 * i, true);
	assert_true(WORLD_POOL - rte_mempool_avail_count(w->pool) <=
		    held + RTE_LIBRTE_IP_FRAG_MAX_FRAG);
	world_wait(w, 32 * WORLD_SECOND);
	assert_int_equal(rte_mempool_avail_count(w->pool), WORLD_POOL);
	assert_true(world_counter(w, "frag_expired") > 0);
	/* And there is room again. */
	frag4(w, 1, tcp, 0, 1000, true);
	frag4(w, 1, tcp, 1000, 2020, false);
	expect_segment(w, tcp, 2020);
	world_destroy(w);
}

/* RFC 1122 3.2.2.6, RFC 4443 4.2: the answer is as long as the request, whatever the MTU is. */
static void long_echo(struct world *w, bool v6, uint32_t size)
{
	static uint8_t request[8000], reply[8000];
	const char *us = v6 ? US6 : US4, *peer = v6 ? PEER6 : PEER4;
	struct ip_addr s = world_addr(peer), d = world_addr(us);
	uint32_t head = v6 ? 14 + 48 : 14 + 20, got = 0, step = 1400, id = 0;

	for (uint32_t i = 0; i < size; i++)
		request[i] = (uint8_t)(i * 7);
	request[0] = v6 ? ICMP6_ECHO_REQUEST_ : ICMP4_ECHO_REQUEST;
	request[1] = request[2] = request[3] = 0;
	*(uint16_t *)(request + 2) =
		world_cksum(request, size, v6 ? world_pseudo(&s, &d, IPPROTO_ICMPV6, size) : 0);
	for (uint32_t off = 0; off < size; off += step) {
		uint32_t end = off + step < size ? off + step : size;
		uint8_t b[2000], p[1600];
		uint32_t l2 = world_eth(b, 0, 0, v6 ? ETHERTYPE_IPV6_ : ETHERTYPE_IPV4_), len;

		if (v6) {
			*(struct wire_ip6_frag *)p = (struct wire_ip6_frag){.next = IPPROTO_ICMPV6,
				.offset = htons((uint16_t)(off | (end < size))),
				.id = 99};
			memcpy(p + 8, request + off, end - off);
			len = world_ip6(b + l2, peer, us, 44, p, 8 + end - off);
		} else {
			struct wire_ip4 *ip = (struct wire_ip4 *)(b + l2);

			len = world_ip4(b + l2, peer, us, IPPROTO_ICMP, request + off, end - off);
			ip->id = htons(99);
			ip->frag = htons((uint16_t)(off / 8 | (end < size ? IP4_MF : 0)));
			world_fix_ip4(b + l2);
		}
		world_rx(w, 0, b, l2 + len);
	}
	net_flush(w->n);
	assert_true(w->sent_count >= 2);
	for (uint32_t i = 0; i < w->sent_count; i++) {
		const struct world_frame *f = &w->sent[i];
		bool last = i + 1 == w->sent_count;
		uint32_t off, this_id;

		assert_true(f->len <= 14 + 1500);
		if (v6) {
			const struct wire_ip6_frag *h = (const void *)(f->bytes + 54);

			off = ntohs(h->offset) & IP6_FRAG_OFFSET_MASK;
			assert_int_equal(ntohs(h->offset) & IP6_FRAG_MORE, !last);
			assert_int_equal(h->next, IPPROTO_ICMPV6);
			this_id = h->id;
		} else {
			const struct wire_ip4 *ip = (const void *)(f->bytes + 14);

			off = (ntohs(ip->frag) & IP4_FRAG_MASK) * 8u;
			assert_int_equal(ntohs(ip->frag) & ~IP4_FRAG_MASK, last ? 0 : IP4_MF);
			assert_int_equal(world_cksum(ip, 20, 0), 0);
			this_id = ip->id;
		}
		if (i == 0)
			id = this_id;
		assert_int_equal(this_id, id);
		assert_int_equal(off, got);
		memcpy(reply + off, f->bytes + head, f->len - head);
		got += f->len - head;
	}
	assert_int_equal(got, size);
	assert_int_equal(reply[0], v6 ? ICMP6_ECHO_REPLY_ : ICMP4_ECHO_REPLY);
	assert_int_equal(
		world_cksum(reply, size, v6 ? world_pseudo(&d, &s, IPPROTO_ICMPV6, size) : 0), 0);
	assert_memory_equal(reply + 4, request + 4, size - 4);
	world_clear(w);
}

static void a_long_echo_is_answered_in_fragments(void **state)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0x11, 0x22, 0x33};
	struct world *w = world_create(false);

	world_know(w, PEER4, mac);
	world_know(w, PEER6, mac);
	world_clear(w);
	for (uint32_t size = 1501; size < 1517; size++) {
		long_echo(w, false, size);
		long_echo(w, true, size);
	}
	long_echo(w, false, 7777);
	long_echo(w, true, 7777);
	assert_int_equal(world_counter(w, "icmp_tx_echo_reply"), 34);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_any_order),
		cmocka_unit_test(overlaps_are_dropped_whole),
		cmocka_unit_test(odd_fragments_are_refused),
		cmocka_unit_test(a_long_echo_is_answered_in_fragments),
		cmocka_unit_test(a_bad_checksum_of_the_whole_is_noticed),
		cmocka_unit_test(a_flood_of_first_fragments_is_bounded_and_expires),
	};

	world_init_eal("test_frag");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
