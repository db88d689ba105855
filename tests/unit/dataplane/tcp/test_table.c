/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "dataplane/tcp/table.h"
#include "tests/unit/dataplane/tcp/eal.h"

static const uint8_t secret[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

static struct tcp_key key_of(uint32_t n)
{
	struct tcp_key k = {
		.local = ip_addr_from_v4(htonl(0xc6336401)),
		.remote = ip_addr_from_v4(htonl(0x0a000000 + n / 3)),
		.local_port = 25,
		.remote_port = (uint16_t)(1024 + n % 3),
	};

	if (n % 5 == 0)
		k.remote.b[0] = 0x20;
	return k;
}

static bool is_in(struct tcp_table *t, struct tcp_node *n)
{
	return tcp_table_find(t, &n->key, tcp_table_hash(t, &n->key)) == n;
}

/* Filled to the last node, emptied and filled again in random order: what is in is found, what is
 * out is not, as a plain array of flags says. */
static void full_and_churned(void **state)
{
	enum { COUNT = 4096 };
	struct tcp_node *nodes = calloc(COUNT + 1, sizeof(*nodes));
	bool *in = calloc(COUNT, sizeof(*in));
	struct tcp_table *t;
	uint64_t seed = 3;
	uint32_t count = 0;

	assert_int_equal(tcp_table_create(COUNT, secret, -1, &t), 0);
	for (uint32_t i = 0; i <= COUNT; i++)
		nodes[i].key = key_of(i);
	for (uint32_t step = 0; step < 400000; step++) {
		uint32_t i = (uint32_t)(test_random(&seed) % COUNT);
		/* Phases of growth and of shrinking, so that it is full and nearly empty in turn.
		 */
		bool grow = step / 40000 % 2 == 0;

		assert_int_equal(is_in(t, &nodes[i]), in[i]);
		if (!in[i] && (grow || test_random(&seed) % 8 == 0)) {
			assert_int_equal(
				tcp_table_insert(t, &nodes[i], tcp_table_hash(t, &nodes[i].key)),
				0);
			in[i] = true;
			count++;
		} else if (in[i] && (!grow || test_random(&seed) % 8 == 0)) {
			tcp_table_remove(t, &nodes[i]);
			in[i] = false;
			count--;
		}
		assert_int_equal(tcp_table_count(t), count);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		if (!in[i])
			assert_int_equal(
				tcp_table_insert(t, &nodes[i], tcp_table_hash(t, &nodes[i].key)),
				0);
	}
	assert_int_equal(
		tcp_table_insert(t, &nodes[COUNT], tcp_table_hash(t, &nodes[COUNT].key)), -ENOSPC);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_true(is_in(t, &nodes[i]));
	for (uint32_t i = 0; i < COUNT; i++)
		tcp_table_remove(t, &nodes[i]);
	assert_int_equal(tcp_table_count(t), 0);
	tcp_table_remove(t, &nodes[0]);
	assert_int_equal(tcp_table_count(t), 0);
	tcp_table_destroy(t);
	free(nodes);
	free(in);
}

/* The same hash for all of them: the worst case for buckets must still be right. */
static void one_bucket_for_all(void **state)
{
	enum { COUNT = 64 };
	struct tcp_node nodes[COUNT] = {0};
	struct tcp_table *t;

	assert_int_equal(tcp_table_create(COUNT, secret, -1, &t), 0);
	for (uint32_t i = 0; i < COUNT; i++) {
		nodes[i].key = key_of(i);
		assert_int_equal(tcp_table_insert(t, &nodes[i], 0x12345678), 0);
	}
	for (uint32_t i = 0; i < COUNT; i++)
		assert_ptr_equal(tcp_table_find(t, &nodes[i].key, 0x12345678), &nodes[i]);
	tcp_table_destroy(t);
}

static void replaced_in_place(void **state)
{
	struct tcp_node a = {.key = key_of(1), .kind = TCP_NODE_SYN},
			b = {.key = key_of(1), .kind = TCP_NODE_CONN};
	struct tcp_table *t;

	assert_int_equal(tcp_table_create(8, secret, -1, &t), 0);
	assert_int_equal(tcp_table_insert(t, &a, tcp_table_hash(t, &a.key)), 0);
	tcp_table_replace(t, &a, &b);
	assert_true(is_in(t, &b));
	assert_int_equal(tcp_table_count(t), 1);
	tcp_table_remove(t, &a); /* not in any more */
	assert_true(is_in(t, &b));
	tcp_table_remove(t, &b);
	assert_int_equal(tcp_table_count(t), 0);
	tcp_table_destroy(t);
}

static void every_field_of_the_key_counts(void **state)
{
	struct tcp_node n = {.key = key_of(4)};
	struct tcp_table *t;

	assert_int_equal(tcp_table_create(8, secret, -1, &t), 0);
	assert_int_equal(tcp_table_insert(t, &n, tcp_table_hash(t, &n.key)), 0);
	for (size_t i = 0; i < sizeof(n.key) * 8; i++) {
		struct tcp_key k = n.key;

		((uint8_t *)&k)[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_null(tcp_table_find(t, &k, tcp_table_hash(t, &k)));
		/* Nor is a tag that happens to be the same taken for the key. */
		assert_null(tcp_table_find(t, &k, tcp_table_hash(t, &n.key)));
	}
	tcp_table_destroy(t);
}

struct seen {
	struct tcp_table *t;
	uint32_t count;
	uint32_t remove_every;
};

static void see(void *arg, struct tcp_node *n)
{
	struct seen *s = arg;

	n->aux[0]++;
	s->count++;
	if (s->remove_every != 0 && s->count % s->remove_every == 0)
		tcp_table_remove(s->t, n);
}

static void foreach_sees_each_once(void **state)
{
	enum { COUNT = 1000 };
	struct tcp_node nodes[COUNT] = {0};
	struct seen s = {.remove_every = 3};
	uint32_t cursor = 0, calls = 0;

	assert_int_equal(tcp_table_create(COUNT, secret, -1, &s.t), 0);
	for (uint32_t i = 0; i < COUNT; i++) {
		nodes[i].key = key_of(i);
		assert_int_equal(
			tcp_table_insert(s.t, &nodes[i], tcp_table_hash(s.t, &nodes[i].key)), 0);
	}
	for (bool more = true; more; calls++) {
		uint32_t before = s.count;

		more = tcp_table_foreach(s.t, &cursor, 10, see, &s);
		assert_true(s.count - before <= 10);
	}
	assert_int_equal(s.count, COUNT);
	assert_true(calls >= COUNT / 10);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(nodes[i].aux[0], 1);
	assert_int_equal(tcp_table_count(s.t), COUNT - COUNT / 3);
	tcp_table_destroy(s.t);
}

static void sizes_refused(void **state)
{
	struct tcp_table *t;

	assert_int_equal(tcp_table_create(0, secret, -1, &t), -EINVAL);
	assert_int_equal(tcp_table_create(UINT32_MAX, secret, -1, &t), -EINVAL);
	assert_int_equal(tcp_table_create(1, secret, -1, &t), 0);
	tcp_table_destroy(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_and_churned),
		cmocka_unit_test(one_bucket_for_all),
		cmocka_unit_test(replaced_in_place),
		cmocka_unit_test(every_field_of_the_key_counts),
		cmocka_unit_test(foreach_sees_each_once),
		cmocka_unit_test(sizes_refused),
	};

	if (test_eal_init() != 0)
		return 1;
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
