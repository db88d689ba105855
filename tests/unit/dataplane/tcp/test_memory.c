/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools that run dry: every single allocation that can fail does, and nothing is lost or left. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>

#include "dataplane/tcp/stack.h"
#include "tests/unit/dataplane/tcp/pair.h"

static bool run(uint64_t fail_at, uint64_t fail_each, uint64_t *count)
{
	struct pair *p = pair_new(NULL);
	bool ok;

	pair_alloc = (struct pair_alloc){.fail_at = fail_at, .fail_each = fail_each};
	ok = pair_exchange(p, 30000, 20000, 300 * SEC);
	*count = pair_alloc.count;
	ok &= (fail_at == 0 && fail_each == 0) || pair_alloc.failed > 0;
	pair_alloc = (struct pair_alloc){0};
	pair_run(p, p->now + 200 * SEC);
	return pair_free(p, true) && ok;
}

static void test_drop_nth(void **state)
{
	uint64_t total, n;

	assert_true(run(0, 0, &total));
	assert_true(total > 50);
	for (n = 1; n <= total; n++) {
		uint64_t count;

		if (!run(n, 0, &count)) {
			fprintf(stderr, "allocation %lu of %lu\n", n, total);
			fail();
		}
	}
}

static void test_drop_each(void **state)
{
	for (uint64_t n = 2; n < 12; n++) {
		uint64_t count;

		if (!run(0, n, &count)) {
			fprintf(stderr, "every %luth\n", n);
			fail();
		}
	}
}

/* The send pool is empty: tcp_send() says so, `writable` comes when there is room. */
static void test_tx_pool_empty(void **state)
{
	struct pair *p = pair_new(NULL);
	struct tcp_stack *s = p->h[0].s;
	struct rte_mbuf *hoard[2048];
	unsigned int n = 0, events;

	pair_connect(p);
	pair_run(p, p->now + SEC);
	while (n < 2048 && (hoard[n] = rte_pktmbuf_alloc(p->h[0].tx)) != NULL)
		n++;
	p->app[0].to_send = 50000;
	assert_int_equal(tcp_send(s, p->app[0].c, "x", 1, false), -ENOBUFS);
	events = p->app[0].writable_events;
	pair_run(p, p->now + 100 * MS);
	/* Admission: no new connection either. */
	s->avail_ns = 0;
	assert_false(tcp_admit(s, p->now));
	assert_int_equal(counter(p, 0, "refused_mbuf_reserve"), 1);
	while (n > 0)
		rte_pktmbuf_free(hoard[--n]);
	pair_run(p, p->now + 2 * SEC);
	assert_true(p->app[0].writable_events > events);
	assert_int_equal(p->app[1].received, 50000);
	for (int i = 0; i < 2; i++)
		tcp_abort(p->h[i].s, p->app[i].c, p->now);
	pair_run(p, p->now + SEC);
	assert_true(pair_free(p, true));
}

/* F-Stack #1076: unread data must not take the last mbufs from the device. */
static void test_rx_pool_low(void **state)
{
	struct pair *p = pair_new(NULL);
	struct tcp_stack *s = p->h[1].s;

	pair_connect(p);
	pair_run(p, p->now + SEC);
	s->usage.rx_mbufs += 4000; /* as if other connections held them */
	p->app[0].to_send = 10000;
	app_push(&p->app[0]);
	pair_run(p, p->now + SEC);
	assert_int_equal(p->app[1].received, 0);
	assert_true(counter(p, 1, "drop_rx_mbufs") >= 7);
	s->usage.rx_mbufs -= 4000; /* they were read */
	pair_run(p, p->now + 20 * SEC);
	assert_int_equal(p->app[1].received, 10000);
	for (int i = 0; i < 2; i++)
		tcp_abort(p->h[i].s, p->app[i].c, p->now);
	pair_run(p, p->now + SEC);
	assert_true(pair_free(p, true));
}

/* Others hold the whole budget: small things still get through, windows are small. */
static void test_recv_pressure(void **state)
{
	struct pair *p = pair_new(NULL);
	struct tcp_stack *s = p->h[1].s;

	pair_connect(p);
	pair_run(p, p->now + SEC);
	s->usage.recv_bytes += s->config.recv_budget;
	p->app[0].to_send = 200000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 60 * SEC);
	assert_int_equal(p->app[1].received, 200000);
	assert_true(tcp_conn_rcv_wnd(p->app[1].c) <= 32768);
	p->app[1].no_read = true;
	p->app[0].to_send = 300000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 10 * SEC);
	assert_in_range(tcp_readable(p->app[1].c), 4096, 4096 + 1460);
	assert_true(counter(p, 1, "drop_recv_budget") > 0);
	s->usage.recv_bytes -= s->config.recv_budget;
	for (int i = 0; i < 2; i++)
		tcp_abort(p->h[i].s, p->app[i].c, p->now);
	pair_run(p, p->now + SEC);
	assert_true(pair_free(p, true));
}

static void one_conn(struct tcp_config *c)
{
	c->max_conns = 1;
}

static void test_conn_pool_empty(void **state)
{
	struct pair *p = pair_new(one_conn);
	struct forge f = {.sport = 1, .dport = 25, .flags = 2, .wnd = 100};

	pair_connect(p);
	pair_run(p, p->now + SEC);
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "refused_conn_pool"), 1);
	assert_int_equal(counter(p, 1, "drop_listener_full"), 1);
	assert_int_equal(p->h[1].s->usage.half_open, 0);
	/* The one that is there goes on. */
	p->app[0].to_send = 1000;
	app_push(&p->app[0]);
	pair_run(p, p->now + SEC);
	assert_int_equal(p->app[1].received, 1000);
	for (int i = 0; i < 2; i++)
		tcp_abort(p->h[i].s, p->app[i].c, p->now);
	pair_run(p, p->now + SEC);
	assert_true(pair_free(p, true));
}

static void one_time_wait(struct tcp_config *c)
{
	c->max_time_wait = 1;
	c->port_first = 40000;
	c->port_last = 40001;
}

/* TIME-WAIT neither runs out of memory nor eats all ports. */
static void test_time_wait_limits(void **state)
{
	struct pair *p = pair_new(one_time_wait);

	for (int i = 0; i < 20; i++) {
		memset(&p->app[1], 0, sizeof(p->app[1]));
		p->app[1] = (struct app){.p = p, .host = 1, .close_on_eof = true};
		p->app[0] = (struct app){.p = p, .host = 0};
		pair_connect(p);
		pair_run(p, p->now + 100 * MS);
		assert_true(p->app[0].connected);
		tcp_close(p->h[0].s, p->app[0].c, p->now);
		p->app[0].c = NULL;
		pair_run(p, p->now + 2 * SEC);
	}
	assert_true(counter(p, 0, "time_wait_evicted") > 0);
	pair_run(p, p->now + 100 * SEC);
	assert_true(pair_free(p, true));
}

static void two_ports(struct tcp_config *c)
{
	c->port_first = 40000;
	c->port_last = 40001;
}

static void test_port_reuse(void **state)
{
	struct pair *p = pair_new(two_ports);

	for (int i = 0; i < 20; i++) {
		p->app[1] = (struct app){.p = p, .host = 1, .close_on_eof = true};
		p->app[0] = (struct app){.p = p, .host = 0, .to_send = 5000};
		pair_connect(p);
		pair_run(p, p->now + 100 * MS);
		assert_true(p->app[0].connected);
		assert_int_equal(p->app[1].received, 5000);
		tcp_close(p->h[0].s, p->app[0].c, p->now);
		p->app[0].c = NULL;
		pair_run(p, p->now + 2 * SEC);
	}
	assert_true(counter(p, 0, "time_wait_reused") > 10);
	pair_run(p, p->now + 100 * SEC);
	assert_true(pair_free(p, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop_nth),
		cmocka_unit_test(test_drop_each),
		cmocka_unit_test(test_tx_pool_empty),
		cmocka_unit_test(test_rx_pool_low),
		cmocka_unit_test(test_recv_pressure),
		cmocka_unit_test(test_conn_pool_empty),
		cmocka_unit_test(test_time_wait_limits),
		cmocka_unit_test(test_port_reuse),
	};

	return cmocka_run_group_tests(tests, pair_setup_eal, NULL);
}
