/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "tests/unit/dataplane/net/world.h"

#define QUERIER "fe80::99"
#define V1      16 /* bytes of a query behind the ICMPv6 header */
#define V2      20

/* Our groups on interface 0: those of 2001:db8:1::1 and of fe80::ff:fe00:0. */
static const char *const groups[] = {"ff02::1:ff00:1", "ff02::1:ff00:0"};

static void query(struct world *w, const char *src, uint16_t code, uint32_t len, uint8_t hop_limit)
{
	uint8_t b[200], icmp[100], body[20] = {0}, payload[8 + 100] = {58, 0, 5, 2, 0, 0, 1, 0};
	uint32_t l2 = world_eth(b, 0, 0, ETHERTYPE_IPV6_), n;

	memcpy(b, ((uint8_t[]){0x33, 0x33, 0, 0, 0, 1}), 6);
	n = world_icmp6(icmp, src, "ff02::1", ICMP6_MLD_QUERY, 0, (uint32_t)code << 16, body, len);
	memcpy(payload + 8, icmp, n);
	n = world_ip6(b + l2, src, "ff02::1", IPPROTO_HOPOPTS, payload, 8 + n);
	b[l2 + 7] = hop_limit;
	world_rx(w, 0, b, l2 + n);
}

/* Behind the router alert; the whole is checked to be what RFC 3810 5 and RFC 2710 3 want. */
static const struct wire_icmp *mld_of(
	const struct world_frame *f, const char *dst, const uint8_t mac[6], uint32_t *len)
{
	const struct wire_ip6 *ip = (const struct wire_ip6 *)(f->bytes + 14);
	struct ip_addr s, d = world_addr(dst);

	memcpy(s.b, ip->src, 16);
	assert_memory_equal(f->bytes, mac, 6);
	assert_int_equal(ip->hop_limit, 1);
	assert_int_equal(ip->next, IPPROTO_HOPOPTS);
	assert_int_equal(ip->src[0], 0xfe);
	assert_memory_equal(ip->dst, d.b, 16);
	assert_memory_equal(f->bytes + 54, ((uint8_t[]){58, 0, 5, 2, 0, 0, 1, 0}), 8);
	*len = f->len - 62;
	assert_int_equal(ntohs(ip->payload_len), 8 + *len);
	assert_int_equal(
		world_cksum(f->bytes + 62, *len, world_pseudo(&s, &d, IPPROTO_ICMPV6, *len)), 0);
	return (const struct wire_icmp *)(f->bytes + 62);
}

static void expect_v2(const struct world_frame *f, uint8_t record_type)
{
	static const uint8_t mac[6] = {0x33, 0x33, 0, 0, 0, 0x16};
	uint32_t len;
	const struct wire_icmp *m = mld_of(f, "ff02::16", mac, &len);
	const struct wire_mld_record *r = (const struct wire_mld_record *)(m + 1);

	assert_int_equal(m->type, ICMP6_MLD2_REPORT);
	assert_int_equal(ntohl(m->rest), 2);
	assert_int_equal(len, 8 + 2 * 20);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(r[i].type, record_type);
		assert_int_equal(r[i].sources, 0);
		assert_memory_equal(r[i].group, world_addr(groups[i]).b, 16);
	}
}

static void a_query_is_answered_within_its_time(void **state)
{
	struct world *w = world_create(false);

	query(w, QUERIER, 2000, V2, 1);
	assert_int_equal(w->sent_count, 0);
	world_wait(w, 21 * WORLD_SECOND / 10);
	expect_v2(world_one(w), 2);
	world_clear(w);
	world_wait(w, 20 * WORLD_SECOND);
	assert_int_equal(w->sent_count, 0);
	/* The exponential form: 0x8000 is 2^15 ms, which we cut to 10 s. */
	query(w, QUERIER, 0x8000, V2, 1);
	world_wait(w, 101 * WORLD_SECOND / 10);
	expect_v2(world_one(w), 2);
	world_destroy(w);
}

static void an_old_querier_gets_old_reports(void **state)
{
	struct world *w = world_create(false);

	query(w, QUERIER, 1000, V1, 1);
	world_wait(w, 11 * WORLD_SECOND / 10);
	assert_int_equal(w->sent_count, 2);
	for (int i = 0; i < 2; i++) {
		uint8_t mac[6] = {0x33, 0x33, 0xff, 0, 0, (uint8_t)(1 - i)};
		uint32_t len;
		const struct wire_icmp *m = mld_of(&w->sent[i], groups[i], mac, &len);

		assert_int_equal(m->type, ICMP6_MLD_REPORT);
		assert_int_equal(len, 24);
		assert_memory_equal(m + 1, world_addr(groups[i]).b, 16);
	}
	world_destroy(w);
}

static void queries_from_afar_are_not_answered(void **state)
{
	struct world *w = world_create(false);

	query(w, QUERIER, 1000, V2, 2);
	query(w, "2001:db8:1::9", 1000, V2, 1);
	query(w, QUERIER, 1000, V2 - 2, 1);
	query(w, QUERIER, 1000, V1 - 4, 1);
	assert_int_equal(world_counter(w, "mld_malformed"), 4);
	world_wait(w, 11 * WORLD_SECOND);
	assert_int_equal(w->sent_count, 0);
	world_destroy(w);
}

static void groups_are_reported_after_a_configuration(void **state)
{
	struct net_limits limits = {
		.neighbours = 16, .hold_per_neighbour = 1, .icmp_per_second = 1};
	struct world *w = world_create_limits(false, &limits);
	int reports = 0;

	assert_int_equal(net_set_config(w->n, &world_config, w->now), 0);
	world_wait(w, 5 * WORLD_SECOND);
	for (uint32_t i = 0; i < w->sent_count; i++) {
		if (w->sent[i].port == 0 && w->sent[i].bytes[5] == 0x16) {
			expect_v2(&w->sent[i], 4);
			reports++;
		}
	}
	assert_int_equal(reports, 2); /* RFC 3810 9.1: one may be lost */
	assert_int_equal(world_counter(w, "mld_tx_report"), 4);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_answered_within_its_time),
		cmocka_unit_test(an_old_querier_gets_old_reports),
		cmocka_unit_test(queries_from_afar_are_not_answered),
		cmocka_unit_test(groups_are_reported_after_a_configuration),
	};

	world_init_eal("test_mld");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
