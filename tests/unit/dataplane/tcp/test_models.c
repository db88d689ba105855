/* SPDX-License-Identifier: BSD-3-Clause */
/* What went wrong in other stacks, by their trackers, must not go wrong here; limits of listeners.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/tcp/segment.h"
#include "tests/unit/dataplane/tcp/pair.h"

#define FIN 0x01
#define SYN 0x02
#define ACK 0x10

static struct pair *established(void)
{
	struct pair *p = pair_new(NULL);

	pair_connect(p);
	pair_run(p, p->now + SEC);
	assert_true(p->app[0].connected && p->app[1].accepted);
	return p;
}

static void finish(struct pair *p)
{
	p->filter = NULL;
	for (int i = 0; i < 2; i++) {
		if (p->app[i].c != NULL)
			tcp_abort(p->h[i].s, p->app[i].c, p->now);
		p->app[i].c = NULL;
	}
	pair_run(p, p->now + 200 * SEC);
	assert_true(pair_free(p, true));
}

struct fins {
	unsigned int drop[2], fins[2], bare[2];
	uint32_t fin_seq[2];
};

static enum verdict fin_filter(struct pair *p, const struct seen *seen, void *arg)
{
	struct fins *k = arg;
	int i = seen->from;

	if (seen->flags & FIN) {
		k->fin_seq[i] = seen->seq;
		if (++k->fins[i] <= k->drop[i])
			return DROP;
	} else if (k->fins[i] > 0 && seen->seq == k->fin_seq[i]) {
		k->bare[i]++; /* the FIN's number without the FIN */
	}
	return PASS;
}

/* Demikernel #1537: in a simultaneous close the FIN is sent again as a FIN. */
static void test_simultaneous_close_lost_fins(void **state)
{
	struct fins k = {.drop = {2, 2}};
	struct pair *p = established();

	p->filter = fin_filter;
	p->filter_arg = &k;
	for (int i = 0; i < 2; i++) {
		tcp_close(p->h[i].s, p->app[i].c, p->now);
		p->app[i].c = NULL;
	}
	pair_run(p, p->now + 20 * SEC);
	assert_true(k.fins[0] >= 3 && k.fins[1] >= 3);
	assert_int_equal(k.bare[0], 0);
	assert_int_equal(k.bare[1], 0);
	assert_int_equal(p->h[0].s->conns.used + p->h[1].s->conns.used, 0);
	finish(p);
}

static enum verdict data_lost(struct pair *p, const struct seen *seen, void *arg)
{
	return seen->from == 0 && seen->len > 0 ? DROP : PASS;
}

/* smoltcp #62: ACKs that acknowledge nothing do not push the RTO back. */
static void test_acks_do_not_reset_rto(void **state)
{
	struct pair *p = established();
	const struct tcp_conn *c = p->app[0].c;
	struct forge f = {.sport = 25, .flags = ACK, .wnd = 1000};

	p->filter = data_lost;
	p->app[0].to_send = 100;
	app_push(&p->app[0]);
	for (int i = 0; i < 100; i++) {
		f.dport = c->node.key.local_port;
		f.seq = c->rcv_nxt;
		f.ack = c->snd_una;
		pair_inject(p, 0, &f);
		pair_run(p, p->now + 10 * MS);
	}
	/* One second: probe and time-outs after 200, 400, 800 ms. */
	assert_true(counter(p, 0, "rto_fired") >= 2);
	finish(p);
}

struct probes {
	unsigned int probes, empty;
	bool closed;
};

static enum verdict probe_filter(struct pair *p, const struct seen *seen, void *arg)
{
	struct probes *k = arg;

	if (seen->from == 1 && !(seen->flags & SYN))
		k->closed = seen->wnd == 0;
	if (seen->from == 0 && k->closed) {
		if (seen->len == 1)
			k->probes++;
		else if (seen->len == 0)
			k->empty++;
	}
	return PASS;
}

/* gVisor #10243: a persist probe carries a byte, so that it must be answered. */
static void test_persist_probe_has_a_byte(void **state)
{
	struct probes k = {0};
	struct pair *p = established();

	p->filter = probe_filter;
	p->filter_arg = &k;
	p->app[1].no_read = true;
	p->app[0].to_send = 600000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 60 * SEC);
	assert_true(k.probes >= 3);
	assert_int_equal(k.empty, 0);
	assert_int_equal(counter(p, 0, "persist_probes"), k.probes);
	/* RFC 9293 3.8.6.1: as long as it is answered the connection stays, here an hour. */
	pair_run(p, p->now + 3600 * SEC);
	assert_false(p->app[0].closed);
	finish(p);
}

static enum verdict every_third(struct pair *p, const struct seen *seen, void *arg)
{
	unsigned int *n = arg;

	return seen->from == 0 && seen->len > 0 && ++*n % 3 == 0 ? DROP : PASS;
}

/* gVisor #14092: what is SACKed does not stay in the count of what is in flight. */
static void test_nothing_left_in_flight(void **state)
{
	unsigned int n = 0;
	struct pair *p = established();

	p->filter = every_third;
	p->filter_arg = &n;
	p->app[0].to_send = 300000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 600 * SEC);
	assert_int_equal(p->app[1].received, 300000);
	assert_int_equal(tcp_conn_pipe(p->app[0].c), 0);
	assert_int_equal(p->app[0].c->sacked_out + p->app[0].c->lost_out, 0);
	assert_int_equal(p->h[0].s->records.used, 0);
	finish(p);
}

static const struct tcp_ops no_ops;

static void test_listener_limits(void **state)
{
	struct pair *p = pair_new(NULL);
	struct tcp_stack *s = p->h[1].s;
	struct tcp_listen_params params = {.port = 25, .ops = &no_ops};
	struct tcp_key key = {.local = p->h[1].addr, .local_port = 25};
	struct tcp_listener *l;
	struct forge f = {.sport = 1, .dport = 25, .flags = SYN, .wnd = 1000};

	assert_int_equal(tcp_listen(s, &params, &l), -EADDRINUSE);
	params.addr = p->h[1].addr; /* a specific one beside the general one */
	assert_int_equal(tcp_listen(s, &params, &l), 0);
	assert_ptr_equal(tcp_listener_find(s, &key), l);
	tcp_unlisten(s, l);
	p->h[1].listener->max_conns = 1;
	pair_connect(p);
	pair_run(p, p->now + SEC);
	assert_int_equal(p->h[1].listener->conns, 1);
	pair_inject(p, 1, &f);
	pair_run(p, p->now + MS);
	assert_int_equal(counter(p, 1, "refused_listener_limit"), 1);
	/* Those accepted outlive the listener, and then its slot is free. */
	tcp_unlisten(s, p->h[1].listener);
	assert_true(p->h[1].listener->used);
	p->app[0].to_send = 1000;
	app_push(&p->app[0]);
	pair_run(p, p->now + SEC);
	assert_int_equal(p->app[1].received, 1000);
	tcp_abort(p->h[0].s, p->app[0].c, p->now);
	p->app[0].c = NULL;
	pair_run(p, p->now + SEC);
	assert_false(p->h[1].listener->used);
	finish(p);
}

/* A listener closed between the handshake and the dispatch: refused, its argument not used. */
static void test_unlisten_before_accept(void **state)
{
	struct pair *p = pair_new(NULL);
	struct tcp_stack *s = p->h[1].s;

	pair_connect(p);
	while (s->ready.count == 0) {
		p->now += MS;
		wheel_advance(p->h[0].w, p->now, 100);
		pair_deliver(p);
		tcp_output(p->h[0].s, p->now);
		if (s->ready.count == 0)
			tcp_output(s, p->now);
	}
	tcp_unlisten(s, p->h[1].listener);
	assert_int_equal(s->conns.used, 0);
	pair_run(p, p->now + SEC);
	assert_false(p->app[1].accepted);
	assert_true(p->app[0].closed);
	finish(p);
}

static void count_conn(void *arg, const struct tcp_conn *c)
{
	++*(unsigned int *)arg;
}

static void test_info(void **state)
{
	struct pair *p = established();
	struct tcp_info info;
	unsigned int n = 0;
	uint32_t cursor = 0;

	p->app[0].to_send = 100000;
	app_push(&p->app[0]);
	pair_run(p, p->now + SEC);
	tcp_get_info(p->h[0].s, p->app[0].c, &info);
	assert_string_equal(info.state, "ESTABLISHED");
	assert_in_range(info.rtt_us, 20000, 70000);
	assert_in_range(info.min_rtt_us, 20000, 21000);
	assert_int_equal(info.mss, 1448);
	assert_int_equal(info.bytes_acked, 100000);
	assert_int_equal(info.in_flight_bytes, 0);
	assert_int_equal(info.remote_port, 25);
	assert_true(info.sack && info.timestamps);
	assert_false(tcp_foreach(p->h[0].s, &cursor, 1000, count_conn, &n));
	assert_int_equal(n, 1);
	finish(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simultaneous_close_lost_fins),
		cmocka_unit_test(test_acks_do_not_reset_rto),
		cmocka_unit_test(test_persist_probe_has_a_byte),
		cmocka_unit_test(test_nothing_left_in_flight),
		cmocka_unit_test(test_listener_limits),
		cmocka_unit_test(test_unlisten_before_accept),
		cmocka_unit_test(test_info),
	};

	return cmocka_run_group_tests(tests, pair_setup_eal, NULL);
}
