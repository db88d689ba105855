/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows, ACKs, timers, options that change how data flows: RFC 9293 3.8, 5681 4.2, 3168, 1191,
 * 7323. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/net/net.h"
#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/isn.h"
#include "dataplane/tcp/stack.h"
#include "tests/unit/dataplane/tcp/pair.h"

static struct pair *established(void (*change)(struct tcp_config *))
{
	struct pair *p = pair_new(change);

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

/* RFC 5681 4.2: an ACK for every second segment, the last one not later than the delay. */
static void test_delayed_ack(void **state)
{
	struct pair *p = established(NULL);
	uint64_t acks, start;

	p->app[1].c->quick_acks = 0;
	acks = counter(p, 1, "pure_acks_out");
	start = p->now;
	p->app[0].to_send = 100;
	app_push(&p->app[0]);
	pair_run(p, start + 20 * MS);
	assert_int_equal(counter(p, 1, "pure_acks_out"), acks);
	pair_run(p, start + 51 * MS);
	assert_int_equal(counter(p, 1, "pure_acks_out"), acks + 1);
	/* An answer carries the ACK. */
	p->app[0].to_send = 200;
	app_push(&p->app[0]);
	pair_run(p, p->now + 15 * MS);
	p->app[1].to_send = 10;
	app_push(&p->app[1]);
	pair_run(p, p->now + 100 * MS);
	assert_int_equal(counter(p, 1, "pure_acks_out"), acks + 1);
	finish(p);
}

struct sizes {
	uint32_t smallest, data;
};

static enum verdict smallest_filter(struct pair *p, const struct seen *seen, void *arg)
{
	struct sizes *k = arg;

	if (seen->from == 0 && seen->len > 0) {
		k->data++;
		if (k->smallest == 0 || seen->len < k->smallest)
			k->smallest = seen->len;
	}
	return PASS;
}

static void small_recv(struct tcp_config *c)
{
	c->recv_buffer = 8000;
}

/* A reader that takes a few bytes at a time causes neither small windows nor small segments. */
static void test_silly_window(void **state)
{
	struct sizes k = {0};
	struct pair *p = established(small_recv);
	uint8_t buf[100];

	p->filter = smallest_filter;
	p->filter_arg = &k;
	p->app[1].no_read = true;
	p->app[0].to_send = 60000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 100 * MS);
	for (int i = 0; i < 500; i++) {
		p->app[1].received += tcp_read(p->h[1].s, p->app[1].c, buf, sizeof(buf));
		pair_run(p, p->now + 25 * MS);
	}
	/* 50,000 bytes read by hundreds: no segment of hundreds went (one persist probe of a byte
	 * may). */
	assert_true(k.data < 58000 / 700);
	finish(p);
}

/* `more` holds a short tail back for one loop only. */
static void test_more(void **state)
{
	struct sizes k = {0};
	struct pair *p = established(NULL);

	p->filter = smallest_filter;
	p->filter_arg = &k;
	assert_int_equal(tcp_send(p->h[0].s, p->app[0].c, "abc", 3, true), 3);
	tcp_output(p->h[0].s, p->now);
	assert_int_equal(k.data, 0);
	assert_int_equal(tcp_send(p->h[0].s, p->app[0].c, "def", 3, false), 3);
	tcp_output(p->h[0].s, p->now);
	assert_int_equal(k.data, 1);
	assert_int_equal(k.smallest, 6);
	assert_int_equal(tcp_send(p->h[0].s, p->app[0].c, "ghi", 3, true), 3);
	tcp_output(p->h[0].s, p->now);
	assert_int_equal(k.data, 1);
	tcp_output(p->h[0].s, p->now + MS);
	assert_int_equal(k.data, 2);
	p->app[1].no_read = true;
	finish(p);
}

static void keepalive(struct tcp_config *c)
{
	c->keepalive_idle_ms = 10000;
	c->keepalive_interval_ms = 1000;
	c->keepalive_probes = 3;
}

static enum verdict all_lost(struct pair *p, const struct seen *seen, void *arg)
{
	return DROP;
}

static void test_keepalive(void **state)
{
	struct pair *p = established(keepalive);

	pair_run(p, p->now + 35 * SEC);
	assert_true(counter(p, 0, "keepalive_probes") >= 2);
	assert_false(p->app[0].closed);
	p->filter = all_lost;
	pair_run(p, p->now + 20 * SEC);
	assert_true(p->app[0].closed && p->app[1].closed);
	assert_int_equal(p->app[0].reason, TCP_REASON_KEEPALIVE);
	finish(p);
}

/* RFC 4861 7.3.1: progress is the hint, and a cheap one: once a second. */
static void test_neighbour_is_confirmed(void **state)
{
	struct pair *p = established(NULL);
	uint64_t before = p->h[0].confirms;

	pair_run(p, p->now + 10 * SEC);
	assert_int_equal(p->h[0].confirms, before);
	for (int i = 0; i < 100; i++) {
		p->app[0].to_send += 100;
		app_push(&p->app[0]);
		pair_run(p, p->now + 100 * MS);
	}
	assert_in_range(p->h[0].confirms - before, 8, 12);
	/* The other one acknowledged, and sent nothing that could be. */
	assert_true(p->h[1].confirms <= 1);
	finish(p);
}

static void short_timeout(struct tcp_config *c)
{
	c->user_timeout_ms = 5000;
}

static void test_user_timeout(void **state)
{
	struct pair *p = established(short_timeout);
	uint64_t start = p->now;

	p->filter = all_lost;
	p->app[0].to_send = 100;
	app_push(&p->app[0]);
	pair_run(p, p->now + 60 * SEC);
	assert_true(p->app[0].closed);
	assert_int_equal(p->app[0].reason, TCP_REASON_TIMEOUT);
	assert_in_range(p->app[0].closed_ns - start, 5 * SEC, 10 * SEC);
	finish(p);
}

/* An orphan whose FIN cannot get out, and one whose peer never closes, end by themselves. */
static void test_orphans(void **state)
{
	struct pair *p = established(NULL);

	p->app[1].no_read = true;
	p->app[0].to_send = 600000;
	p->app[0].close_after = true;
	app_push(&p->app[0]);
	pair_run(p, p->now + 10 * SEC);
	if (p->app[0].c != NULL) {
		tcp_close(p->h[0].s, p->app[0].c, p->now);
		p->app[0].c = NULL;
	}
	pair_run(p, p->now + 700 * SEC);
	assert_int_equal(p->h[0].s->conns.used, 0);
	finish(p);
	p = established(NULL);
	tcp_close(p->h[0].s, p->app[0].c, p->now);
	p->app[0].c = NULL;
	pair_run(p, p->now + 10 * SEC);
	assert_int_equal(p->h[0].s->conns.used, 1); /* FIN-WAIT-2 */
	pair_run(p, p->now + 200 * SEC);
	assert_int_equal(p->h[0].s->conns.used, 0);
	assert_true(p->app[1].closed); /* by our RST */
	finish(p);
}

struct marks {
	uint32_t ce, ece, cwr, n;
};

/* A router that marks one packet instead of dropping it. */
static enum verdict ecn_filter(struct pair *p, const struct seen *seen, void *arg)
{
	struct marks *k = arg;

	if (seen->from == 0 && seen->len > 0) {
		if (seen->tos == 2 && k->ce < 1 && ++k->n == 30) {
			k->ce++;
			p->mark_ce = true;
		}
		if (seen->flags & 0x80)
			k->cwr++;
	}
	if (seen->from == 1 && (seen->flags & 0x40) && !(seen->flags & 0x02))
		k->ece++;
	return PASS;
}

static void test_ecn(void **state)
{
	struct marks k = {0};
	struct pair *p = pair_new(NULL);

	p->filter = ecn_filter;
	p->filter_arg = &k;
	assert_true(pair_exchange(p, 1000000, 0, 60 * SEC));
	assert_int_equal(k.ce, 1);
	assert_true(k.ece >= 1);
	assert_int_equal(k.cwr, 1);
	assert_int_equal(counter(p, 1, "ecn_ce_in"), 1);
	assert_int_equal(counter(p, 0, "ecn_reductions"), 1);
	assert_int_equal(counter(p, 0, "retransmits"), 0);
	finish(p);
}

/* RFC 1191: the path takes 1000 bytes; what was too large goes again at once. */
static enum verdict narrow_filter(struct pair *p, const struct seen *seen, void *arg)
{
	struct net_icmp_error *e = arg;

	if (seen->from != 0 || seen->len + 52 <= 1000)
		return PASS;
	e->seq = seen->seq;
	p->icmp = e;
	return DROP;
}

static void test_pmtu(void **state)
{
	struct net_icmp_error e = {.type = 3, .code = 4, .mtu = 1000, .remote_port = 25};
	struct pair *p = established(NULL);

	e.local = p->h[0].addr;
	e.remote = p->h[1].addr;
	e.local_port = p->app[0].c->node.key.local_port;
	p->filter = narrow_filter;
	p->filter_arg = &e;
	p->app[0].to_send = 100000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 2 * SEC);
	assert_int_equal(p->app[1].received, 100000);
	assert_false(p->app[1].bad);
	assert_int_equal(p->app[0].c->pmtu, 1000);
	assert_int_equal(counter(p, 0, "pmtu_lowered"), 1);
	assert_int_equal(counter(p, 0, "rto_fired"), 0);
	/* The next connection knows it from the start. */
	{
		struct tcp_conn *first = p->app[0].c, *accepted = p->app[1].c;

		pair_connect(p);
		pair_run(p, p->now + SEC);
		assert_int_equal(p->app[0].c->pmtu, 1000);
		tcp_abort(p->h[0].s, p->app[0].c, p->now);
		pair_run(p, p->now + SEC);
		p->app[0].c = first;
		p->app[1].c = accepted;
	}
	/* A forged one does not go below the floor. */
	e.mtu = 68;
	p->app[0].to_send += 1000;
	app_push(&p->app[0]);
	tcp_output(p->h[0].s, p->now);
	e.seq = p->app[0].c->snd_una;
	tcp_icmp_error(p->h[0].s, &e, p->now);
	assert_int_equal(p->app[0].c->pmtu, 552);
	assert_int_equal(counter(p, 0, "pmtu_floor"), 1);
	/* RFC 1191 6.3: after ten minutes it is tried again. */
	p->filter = NULL;
	pair_run(p, p->now + 700 * SEC);
	assert_int_equal(p->app[0].c->pmtu, 1500);
	assert_int_equal(counter(p, 0, "pmtu_raised"), 1);
	finish(p);
}

/* RFC 4821: large segments vanish without a word. */
static enum verdict hole_filter(struct pair *p, const struct seen *seen, void *arg)
{
	return seen->from == 0 && seen->len + 52 > 1300 ? DROP : PASS;
}

static void test_black_hole(void **state)
{
	struct pair *p = established(NULL);

	p->filter = hole_filter;
	p->app[0].to_send = 200000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 60 * SEC);
	assert_int_equal(p->app[1].received, 200000);
	assert_false(p->app[1].bad);
	assert_true(counter(p, 0, "pmtu_black_hole") >= 1);
	assert_int_equal(p->app[0].c->pmtu, 1280);
	finish(p);
}

static void test_tso(void **state)
{
	struct pair *p = pair_new(NULL);

	p->h[0].tso_max = 60000;
	assert_true(pair_exchange(p, 1000000, 10, 60 * SEC));
	assert_true(p->h[0].tso_out > 10);
	finish(p);
	p = pair_new(NULL);
	p->h[0].tso_max = 60000;
	{
		struct loss l = {.first = 40, .count = 3, .times = 1};

		p->filter = loss_filter;
		p->filter_arg = &l;
		assert_true(pair_exchange(p, 1000000, 10, 60 * SEC));
		assert_int_equal(counter(p, 0, "retransmits"), 3);
		assert_int_equal(counter(p, 0, "rto_fired"), 0);
	}
	finish(p);
}

/* Dynamic right-sizing: a fast reader on a long path gets more than 64 kB, within the budget. */
static void test_autotune(void **state)
{
	struct pair *p = pair_new(NULL);

	p->delay_ns = 50 * MS;
	p->app[0].to_send = 4000000;
	pair_connect(p);
	pair_run(p, p->now + 3 * SEC);
	assert_true(p->app[1].c->rcv_buf > 200000);
	assert_true(p->app[1].c->rcv_buf <= 262144);
	assert_true(counter(p, 1, "recv_buffer_grown") > 0);
	finish(p);
}

static void tight_budget(struct tcp_config *c)
{
	c->recv_budget = 70000;
}

/* The budget bounds what is really held: growth first, then new connections, then data; what is
 * dropped comes again when the application reads. */
static void test_recv_budget(void **state)
{
	struct pair *p = established(tight_budget);
	struct tcp_conn *more = NULL;
	const struct tcp_connect_params params = {
		.local = p->h[1].addr, .remote = p->h[0].addr, .remote_port = 25};

	p->app[1].no_read = true;
	p->app[0].to_send = 2000000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 20 * SEC);
	assert_in_range(tcp_readable(p->app[1].c), 70000 * 3 / 4, 70000 + 1460);
	assert_int_equal(tcp_connect(p->h[1].s, &params, p->now, &more), -ENOBUFS);
	assert_int_equal(counter(p, 1, "refused_recv_budget"), 1);
	p->app[1].no_read = false;
	p->app[1].received += tcp_readable(p->app[1].c);
	tcp_consume(p->h[1].s, p->app[1].c, tcp_readable(p->app[1].c));
	pair_run(p, p->now + 300 * SEC);
	assert_int_equal(p->app[1].received, 2000000);
	finish(p);
}

/* RFC 9293 figure 8. */
static void test_simultaneous_open(void **state)
{
	struct pair *p = pair_new(NULL);
	struct forge f = {.sport = 25, .seq = 5000, .wnd = 30000, .flags = 0x02};

	p->filter = all_lost;
	pair_connect(p);
	pair_step(p);
	f.dport = p->app[0].c->node.key.local_port;
	pair_inject(p, 0, &f);
	pair_step(p);
	assert_int_equal(p->app[0].c->state, TCP_SYN_RECEIVED);
	assert_int_equal(counter(p, 0, "simultaneous_opens"), 1);
	/* Nobody answers: the SYN-ACK is repeated by the timer. */
	pair_run(p, p->now + 2 * SEC);
	assert_int_equal(counter(p, 0, "syn_retransmits"), 1);
	f.seq = 5000;
	f.flags = 0x12;
	f.ack = p->app[0].c->snd_nxt;
	pair_inject(p, 0, &f);
	pair_step(p);
	assert_true(p->app[0].connected);
	assert_int_equal(p->app[0].c->state, TCP_ESTABLISHED);
	finish(p);
}

/* RFC 6528: other connections do not tell it, the same one goes up. */
static void test_isn(void **state)
{
	struct pair *p = pair_new(NULL);
	struct tcp_stack *s = p->h[0].s;
	struct tcp_key a = {
		.local = p->h[0].addr, .remote = p->h[1].addr, .local_port = 1, .remote_port = 2};
	struct tcp_key b = a;
	uint32_t first = tcp_isn(s, &a, p->now);

	b.local_port = 3;
	assert_int_not_equal(first, tcp_isn(s, &b, p->now));
	/* A 4 us clock. */
	assert_int_equal(tcp_isn(s, &a, p->now + 4 * MS) - first, 1000);
	finish(p);
}

/* Idle for longer than the RTO: nothing but a window's worth, paced. RFC 7661. */
static void test_idle(void **state)
{
	struct pair *p = established(NULL);
	uint32_t cwnd;

	p->app[0].to_send = 1000000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 5 * SEC);
	assert_int_equal(p->app[1].received, 1000000);
	cwnd = p->app[0].c->cc.cwnd;
	pair_run(p, p->now + 1200 * SEC);
	p->app[0].to_send += 10000;
	app_push(&p->app[0]);
	pair_run(p, p->now + MS);
	assert_true(p->app[0].c->cc.cwnd < cwnd);
	assert_int_equal(counter(p, 0, "idle_restarts"), 1);
	pair_run(p, p->now + SEC);
	assert_int_equal(p->app[1].received, 1010000);
	finish(p);
}

static void test_no_route(void **state)
{
	struct pair *p = pair_new(NULL);
	struct tcp_connect_params params = {
		.local = p->h[0].addr, .remote = p->h[1].addr, .remote_port = 25};

	p->h[0].mtu = 0;
	assert_int_equal(tcp_connect(p->h[0].s, &params, p->now, &p->app[0].c), -EHOSTUNREACH);
	p->h[0].mtu = 1500;
	p->h[0].fail_output = -EHOSTUNREACH;
	assert_int_equal(tcp_connect(p->h[0].s, &params, p->now, &p->app[0].c), -EHOSTUNREACH);
	p->app[0].c = NULL;
	finish(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delayed_ack),
		cmocka_unit_test(test_silly_window),
		cmocka_unit_test(test_more),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_neighbour_is_confirmed),
		cmocka_unit_test(test_user_timeout),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_ecn),
		cmocka_unit_test(test_pmtu),
		cmocka_unit_test(test_black_hole),
		cmocka_unit_test(test_tso),
		cmocka_unit_test(test_autotune),
		cmocka_unit_test(test_recv_budget),
		cmocka_unit_test(test_simultaneous_open),
		cmocka_unit_test(test_isn),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_no_route),
	};

	return cmocka_run_group_tests(tests, pair_setup_eal, NULL);
}
