/* SPDX-License-Identifier: BSD-3-Clause */
/* The envelope kept for failover, the sessions-per-client table, and the event ring. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/gateway/clients.h"
#include "dataplane/gateway/envelope.h"
#include "dataplane/gateway/event.h"
#include "tests/unit/dataplane/tcp/eal.h"

static struct smtp_str str(const char *s)
{
	return (struct smtp_str){s, strlen(s)};
}

static struct smtp_rcpt rcpt_of(const char *path, const char *params)
{
	struct smtp_rcpt r = {.to = {.raw = str(path)}, .params = str(params)};
	const char *at = strchr(path, '@');

	if (at)
		r.to.domain = str(at + 1);
	return r;
}

/* Records longer than a chunk and across chunk borders come back whole, in order. */
static void test_envelope_round_trip(void **state)
{
	struct smtp_mail mail = {
		.from = {.raw = str("a@example.org"), .domain = {NULL, 0}},
		.size = 12345,
		.body_8bit = true,
	};
	static char params[3001];
	struct envelope e = {0};
	uint8_t buf[SMTP_COMMAND_LINE_MAX];
	struct smtp_rcpt r;
	struct pool pool;
	char path[64];

	memset(params, 'p', 3000);
	mail.from.domain = (struct smtp_str){mail.from.raw.data + 2, 11};
	assert_int_equal(pool_init(&pool, "env", 64, sizeof(struct envelope_chunk), -1), 0);
	assert_int_equal(envelope_add_mail(&e, &pool, &mail), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "user%d@inside.example", i);
		r = rcpt_of(path, i == 77 ? params : "");
		assert_int_equal(envelope_add_rcpt(&e, &pool, &r), 0);
	}
	mail = (struct smtp_mail){0};
	envelope_get_mail(&e, buf, &mail);
	assert_int_equal(mail.size, 12345);
	assert_true(mail.body_8bit && !mail.smtputf8);
	assert_int_equal(mail.from.domain.len, 11);
	assert_memory_equal(mail.from.domain.data, "example.org", 11);
	for (int i = 0; i < 200; i++) {
		envelope_get_rcpt(&e, (uint32_t)i + 1, buf, &r);
		snprintf(path, sizeof(path), "user%d@inside.example", i);
		assert_int_equal(r.to.raw.len, strlen(path));
		assert_memory_equal(r.to.raw.data, path, strlen(path));
		assert_int_equal(r.params.len, i == 77 ? 3000 : 0);
		assert_memory_equal(r.to.domain.data, "inside.example", 14);
	}
	envelope_clear(&e, &pool);
	assert_int_equal(pool.free_count, 64);
	pool_fini(&pool);
}

/* When the pool runs dry in the middle of a record nothing of it stays behind. */
static void test_envelope_out_of_memory(void **state)
{
	struct smtp_rcpt small = rcpt_of("x@y.example", ""), big;
	struct smtp_mail mail = {.from = {.raw = str("")}};
	struct envelope e = {0};
	static char params[4001];
	uint8_t buf[SMTP_COMMAND_LINE_MAX + 64];
	struct pool pool;
	uint32_t free_before;

	memset(params, 'q', 4000);
	big = rcpt_of("x@y.example", params);
	assert_int_equal(pool_init(&pool, "env2", 3, sizeof(struct envelope_chunk), -1), 0);
	assert_int_equal(envelope_add_mail(&e, &pool, &mail), 0);
	free_before = pool.free_count;
	assert_int_equal(envelope_add_rcpt(&e, &pool, &big), -ENOBUFS);
	assert_int_equal(pool.free_count, free_before);
	assert_int_equal(e.records, 1);
	assert_int_equal(envelope_add_rcpt(&e, &pool, &small), 0);
	envelope_get_rcpt(&e, 1, buf, &big);
	assert_memory_equal(big.to.raw.data, "x@y.example", 11);
	envelope_drop_last(&e, &pool);
	assert_int_equal(e.records, 1);
	envelope_clear(&e, &pool);
	assert_int_equal(pool.free_count, 3);
	pool_fini(&pool);
}

/* Against a plain array, with colliding keys, in random order. */
static void test_clients_match_a_reference(void **state)
{
	uint32_t reference[200] = {0};
	struct ip_addr addr[200];
	struct clients c;
	unsigned int seed = 4711;

	assert_int_equal(clients_init(&c, 100, 42, -1), 0);
	for (int i = 0; i < 200; i++)
		addr[i] = ip_addr_from_v4(htonl(0xc6336400u + (uint32_t)i));
	for (int step = 0; step < 200000; step++) {
		int i = rand_r(&seed) % 200;
		bool add = reference[i] == 0 ? rand_r(&seed) % 8 == 0 : rand_r(&seed) % 2;
		uint32_t total = 0;

		for (int k = 0; k < 200; k += 50)
			total += reference[k];
		if (add && total < 90)
			assert_int_equal(clients_add(&c, &addr[i]), ++reference[i]);
		else if (!add && reference[i] > 0)
			assert_int_equal(clients_remove(&c, &addr[i]), --reference[i]);
		assert_int_equal(clients_count(&c, &addr[i]), reference[i]);
	}
	for (int i = 0; i < 200; i++) {
		assert_int_equal(clients_count(&c, &addr[i]), reference[i]);
		while (reference[i] > 0)
			clients_remove(&c, &addr[i]), reference[i]--;
	}
	for (uint32_t i = 0; i <= c.mask; i++)
		assert_int_equal(c.entries[i].count, 0);
	clients_fini(&c);
}

static void test_clients_ipv6_by_64(void **state)
{
	struct ip_addr a = {.b = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}}, b = a;
	struct clients c;

	assert_int_equal(clients_init(&c, 10, 42, -1), 0);
	b.b[15] = 9;
	clients_add(&c, &a);
	assert_int_equal(clients_add(&c, &b), 2);
	b.b[7] = 2;
	assert_int_equal(clients_count(&c, &b), 0);
	clients_fini(&c);
}

static void test_event_ring_full_drops(void **state)
{
	struct gateway_event_ring *r;
	struct gateway_event *e;

	assert_int_equal(gateway_event_ring_create(3, -1, &r), -EINVAL);
	assert_int_equal(gateway_event_ring_create(4, -1, &r), 0);
	for (uint64_t i = 0; i < 4; i++) {
		e = gateway_event_reserve(r);
		assert_non_null(e);
		e->session_id = i;
		gateway_event_commit(r);
	}
	assert_null(gateway_event_reserve(r));
	assert_int_equal(r->dropped, 1);
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(gateway_event_peek(r)->session_id, i);
		gateway_event_pop(r);
		e = gateway_event_reserve(r); /* its slot is free again */
		assert_non_null(e);
		e->session_id = 100 + i;
		gateway_event_commit(r);
	}
	assert_int_equal(gateway_event_peek(r)->session_id, 100);
	gateway_event_ring_destroy(r);
}

static int start_eal(void **state)
{
	return test_eal_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope_round_trip),
		cmocka_unit_test(test_envelope_out_of_memory),
		cmocka_unit_test(test_clients_match_a_reference),
		cmocka_unit_test(test_clients_ipv6_by_64),
		cmocka_unit_test(test_event_ring_full_drops),
	};

	return cmocka_run_group_tests(tests, start_eal, NULL);
}
