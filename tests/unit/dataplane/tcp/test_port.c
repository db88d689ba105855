/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "dataplane/tcp/port.h"
#include "tests/unit/dataplane/tcp/eal.h"

#define SECOND UINT64_C(1000000000)

static const uint8_t secret[16] = {9, 8, 7, 6, 5};

struct fixture {
	struct tcp_config config;
	struct tcp_lower lower;
	struct tcp_table *table;
	struct tcp_ports *ports;
	struct tcp_node *nodes;
	uint32_t count;
	struct ip_addr local;
};

static int hash_worker(void *arg, const struct ip_addr *src, uint16_t sport,
	const struct ip_addr *dst, uint16_t dport)
{
	uint32_t h = (sport * 31u + dport) * 2654435761u ^ src->w[3] ^ dst->w[3];

	return (int)((h >> 16) % *(uint16_t *)arg);
}

static void make(
	struct fixture *f, uint16_t first, uint16_t last, uint16_t worker, uint16_t workers)
{
	*f = (struct fixture){
		.config = {.port_first = first,
			.port_last = last,
			.worker = worker,
			.worker_count = workers},
		.local = ip_addr_from_v4(htonl(0xc0000201)),
	};
	f->nodes = calloc(65536, sizeof(*f->nodes));
	assert_int_equal(tcp_table_create(65536, secret, -1, &f->table), 0);
	assert_int_equal(tcp_port_create(&f->config, &f->lower, secret, -1, &f->ports), 0);
}

static void unmake(struct fixture *f)
{
	tcp_port_destroy(f->ports);
	tcp_table_destroy(f->table);
	free(f->nodes);
}

static int get(struct fixture *f, uint32_t remote, uint16_t remote_port, uint64_t now,
	struct tcp_node **node, struct tcp_node **reuse)
{
	struct ip_addr to = ip_addr_from_v4(htonl(remote));
	struct tcp_node *n = &f->nodes[f->count];
	uint16_t port;
	int ret = tcp_port_get(f->ports, f->table, &f->local, &to, remote_port, now, &port, reuse);

	if (ret != 0)
		return ret;
	*n = (struct tcp_node){.key = {f->local, to, port, remote_port}, .kind = TCP_NODE_CONN};
	if (*reuse != NULL)
		tcp_table_remove(f->table, *reuse);
	assert_null(tcp_table_find(f->table, &n->key, tcp_table_hash(f->table, &n->key)));
	assert_int_equal(tcp_table_insert(f->table, n, tcp_table_hash(f->table, &n->key)), 0);
	f->count++;
	*node = n;
	return 0;
}

/* Every port of the range once to one destination, then none; all of them again to another. */
static void exhausted_per_destination(void **state)
{
	struct tcp_node *n, *reuse;
	struct fixture f;

	make(&f, 40000, 40099, 0, 1);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(get(&f, 1, 25, 0, &n, &reuse), 0);
		assert_in_range(n->key.local_port, 40000, 40099);
	}
	assert_int_equal(get(&f, 1, 25, 0, &n, &reuse), -EADDRNOTAVAIL);
	assert_int_equal(tcp_port_counters(f.ports)->exhausted, 1);
	assert_int_equal(tcp_port_used(f.ports), 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(get(&f, 2, 25, 0, &n, &reuse), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(get(&f, 1, 26, 0, &n, &reuse), 0);
	/* One given back is found at once. */
	tcp_table_remove(f.table, &f.nodes[37]);
	tcp_port_put(f.ports, &f.nodes[37].key, 1);
	assert_int_equal(get(&f, 1, 25, 1, &n, &reuse), 0);
	assert_int_equal(n->key.local_port, f.nodes[37].key.local_port);
	assert_int_equal(tcp_port_used(f.ports), 300);
	unmake(&f);
}

/* Workers' ports are disjoint, each knows whose a port is, and the return path is preferred. */
static void workers_share_the_range(void **state)
{
	uint16_t workers = 3;
	uint8_t owner[65536] = {0};

	for (uint16_t w = 0; w < workers; w++) {
		struct tcp_node *n, *reuse;
		struct fixture f;
		uint32_t here = 0;

		make(&f, 40000, 49999, w, workers);
		f.lower = (struct tcp_lower){.rx_worker = hash_worker, .arg = &workers};
		tcp_port_destroy(f.ports);
		assert_int_equal(tcp_port_create(&f.config, &f.lower, secret, -1, &f.ports), 0);
		for (int i = 0; i < 3300; i++) {
			assert_int_equal(get(&f, 7, 25, 0, &n, &reuse), 0);
			assert_int_equal(owner[n->key.local_port], 0);
			owner[n->key.local_port] = (uint8_t)(w + 1);
			assert_int_equal(tcp_port_worker(f.ports, n->key.local_port), w);
			here += hash_worker(&workers, &n->key.remote, 25, &n->key.local,
					n->key.local_port) == w;
			/* A third of them comes back here: as long as there are any, one is taken.
			 */
			if (i < 900)
				assert_int_equal(here, i + 1);
		}
		assert_true(tcp_port_counters(f.ports)->foreign > 1000);
		assert_int_equal(tcp_port_counters(f.ports)->foreign + here, 3300);
		assert_int_equal(tcp_port_worker(f.ports, 39999), -1);
		assert_int_equal(tcp_port_worker(f.ports, 50000), -1);
		unmake(&f);
	}
}

static bool is_old(void *arg, const struct tcp_node *n, uint64_t now)
{
	return n->aux[0] == 1 && now >= *(uint64_t *)arg;
}

static void time_wait_gives_way_last(void **state)
{
	struct tcp_node *n, *reuse;
	struct fixture f;
	uint64_t old_from = SECOND;

	make(&f, 50000, 50009, 0, 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(get(&f, 1, 25, 0, &n, &reuse), 0);
	f.nodes[3].kind = f.nodes[4].kind = TCP_NODE_TIME_WAIT;
	f.nodes[4].aux[0] = 1;
	/* Without a word from the owner never. */
	assert_int_equal(get(&f, 1, 25, 2 * SECOND, &n, &reuse), -EADDRNOTAVAIL);
	tcp_port_set_reusable(f.ports, is_old, &old_from);
	old_from = 4 * SECOND;
	assert_int_equal(get(&f, 1, 25, 3 * SECOND, &n, &reuse), -EADDRNOTAVAIL);
	assert_int_equal(get(&f, 1, 25, 5 * SECOND, &n, &reuse), 0);
	assert_ptr_equal(reuse, &f.nodes[4]);
	assert_int_equal(n->key.local_port, f.nodes[4].key.local_port);
	assert_int_equal(tcp_port_used(f.ports), 10);
	assert_int_equal(tcp_port_counters(f.ports)->reused, 1);
	/* A free port goes before a TIME-WAIT. */
	f.nodes[5].kind = TCP_NODE_TIME_WAIT;
	f.nodes[5].aux[0] = 1;
	tcp_table_remove(f.table, &f.nodes[6]);
	tcp_port_put(f.ports, &f.nodes[6].key, 6 * SECOND);
	assert_int_equal(get(&f, 1, 25, 6 * SECOND, &n, &reuse), 0);
	assert_null(reuse);
	unmake(&f);
}

/* RFC 6056: another key, another sequence; and a port just given back is not the next one. */
static void sequence_is_secret_and_long(void **state)
{
	uint8_t other[16] = {1};
	struct tcp_node *n, *reuse;
	struct fixture f, g;
	uint32_t same = 0;
	uint16_t last = 0;

	make(&f, 32768, 60999, 0, 1);
	make(&g, 32768, 60999, 0, 1);
	tcp_port_destroy(g.ports);
	assert_int_equal(tcp_port_create(&g.config, &g.lower, other, -1, &g.ports), 0);
	for (uint32_t dst = 0; dst < 1000; dst++) {
		uint16_t port;

		assert_int_equal(get(&f, dst, 25, 0, &n, &reuse), 0);
		port = n->key.local_port;
		assert_int_equal(get(&g, dst, 25, 0, &n, &reuse), 0);
		same += n->key.local_port == port;
	}
	assert_true(same < 10);
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(get(&f, 5, 465, 0, &n, &reuse), 0);
		assert_int_not_equal(n->key.local_port, last);
		last = n->key.local_port;
		tcp_table_remove(f.table, n);
		tcp_port_put(f.ports, &n->key, 0);
	}
	unmake(&f);
	unmake(&g);
}

static void ranges_refused(void **state)
{
	struct tcp_config c = {.port_first = 100, .port_last = 101, .worker = 1, .worker_count = 3};
	struct tcp_lower lower = {0};
	struct tcp_ports *p;

	assert_int_equal(tcp_port_create(&c, &lower, secret, -1, &p), 0); /* 100 % 3 == 1 */
	tcp_port_destroy(p);
	c.worker = 0;
	assert_int_equal(tcp_port_create(&c, &lower, secret, -1, &p), -EINVAL);
	c.worker = 3;
	assert_int_equal(tcp_port_create(&c, &lower, secret, -1, &p), -EINVAL);
	c = (struct tcp_config){.port_first = 65535, .port_last = 65535, .worker_count = 1};
	assert_int_equal(tcp_port_create(&c, &lower, secret, -1, &p), 0);
	tcp_port_destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exhausted_per_destination),
		cmocka_unit_test(workers_share_the_range),
		cmocka_unit_test(time_wait_gives_way_last),
		cmocka_unit_test(sequence_is_secret_and_long),
		cmocka_unit_test(ranges_refused),
	};

	if (test_eal_init() != 0)
		return 1;
	return cmocka_run_group_tests_name("port", tests, NULL, NULL);
}
