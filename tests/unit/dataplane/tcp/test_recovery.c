/* SPDX-License-Identifier: BSD-3-Clause */
/* Loss recovery: RFC 6675, 6582, 3042, 6937, 8985, 5682, 3522, 2883. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "dataplane/tcp/conn.h"
#include "tests/unit/dataplane/tcp/pair.h"

static void no_sack(struct tcp_config *c)
{
	c->sack = false;
}

static void no_timestamps(struct tcp_config *c)
{
	c->timestamps = false;
}

static void no_sack_no_timestamps(struct tcp_config *c)
{
	c->sack = c->timestamps = false;
}

static struct pair *with_loss(void (*change)(struct tcp_config *), struct loss *l, uint64_t bytes)
{
	struct pair *p = pair_new(change);

	p->filter = loss_filter;
	p->filter_arg = l;
	assert_true(pair_exchange(p, bytes, 0, 100 * SEC));
	return p;
}

static void finish(struct pair *p)
{
	pair_run(p, p->now + 200 * SEC);
	assert_true(pair_free(p, true));
}

static void test_one_loss_sack(void **state)
{
	struct loss l = {.first = 5, .count = 1, .times = 1};
	struct pair *p = with_loss(NULL, &l, 200000);

	assert_int_equal(l.lost, 1);
	assert_int_equal(counter(p, 0, "retransmits"), 1);
	assert_int_equal(counter(p, 0, "sack_recoveries"), 1);
	assert_int_equal(counter(p, 0, "rto_fired"), 0);
	assert_true(counter(p, 0, "sack_blocks_in") > 0);
	finish(p);
}

static void test_burst_loss_sack(void **state)
{
	struct loss l = {.first = 20, .count = 7, .times = 1};
	struct pair *p = with_loss(NULL, &l, 300000);

	assert_int_equal(l.lost, 7);
	assert_int_equal(counter(p, 0, "retransmits"), 7);
	assert_int_equal(counter(p, 0, "rto_fired"), 0);
	finish(p);
}

/* RACK finds a retransmission that was lost again, which dup ACKs cannot show, RFC 8985 3.1. */
static void test_lost_retransmission(void **state)
{
	struct loss l = {.first = 30, .count = 1, .times = 2};
	struct pair *p = with_loss(NULL, &l, 600000);

	assert_int_equal(l.lost, 2);
	assert_int_equal(counter(p, 0, "retransmits"), 2);
	assert_int_equal(counter(p, 0, "rto_fired"), 0);
	finish(p);
}

static void test_one_loss_newreno(void **state)
{
	struct loss l = {.first = 20, .count = 1, .times = 1};
	struct pair *p = with_loss(no_sack, &l, 200000);

	assert_int_equal(counter(p, 0, "fast_recoveries"), 1);
	assert_int_equal(counter(p, 0, "retransmits"), 1);
	assert_int_equal(counter(p, 0, "rto_fired"), 0);
	finish(p);
}

/* RFC 6582: each partial ACK repairs one more hole, without a time-out. */
static void test_two_losses_newreno(void **state)
{
	struct loss l = {.first = 20, .count = 2, .times = 1};
	struct pair *p = with_loss(no_sack, &l, 300000);

	assert_int_equal(l.lost, 2);
	assert_int_equal(counter(p, 0, "retransmits"), 2);
	assert_int_equal(counter(p, 0, "rto_fired"), 0);
	finish(p);
}

/* RFC 3042: with four segments in flight and the first lost there are only three dup ACKs if the
 * first two of them send new ones... and without new ones exactly three. */
static void test_limited_transmit(void **state)
{
	struct loss l = {.first = 0, .count = 1, .times = 1};
	struct pair *p = pair_new(no_sack);

	p->filter = loss_filter;
	p->filter_arg = &l;
	pair_connect(p);
	pair_run(p, p->now + SEC);
	p->app[0].c->cc.cwnd = 3 * p->app[0].c->mss; /* two dup ACKs at most by themselves */
	p->app[0].to_send = 60000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 5 * SEC);
	assert_int_equal(p->app[1].received, 60000);
	assert_int_equal(counter(p, 0, "rto_fired"), 0);
	assert_int_equal(counter(p, 0, "fast_recoveries"), 1);
	assert_true(counter(p, 0, "limited_transmit") >= 1);
	tcp_abort(p->h[0].s, p->app[0].c, p->now);
	finish(p);
}

/* RFC 8985 7: the tail is repaired by a probe, long before the RTO. */
static void test_tail_loss(void **state)
{
	struct loss l = {.first = 9, .count = 1, .times = 1};
	struct pair *p = pair_new(NULL);
	uint64_t start;

	p->filter = loss_filter;
	p->filter_arg = &l;
	pair_connect(p);
	pair_run(p, p->now + SEC);
	start = p->now;
	p->app[0].to_send = 10 * 1448;
	app_push(&p->app[0]);
	for (int i = 0; i < 1000 && p->app[1].received < 10 * 1448; i++)
		pair_run(p, p->now + MS);
	assert_int_equal(l.lost, 1);
	assert_int_equal(p->app[1].received, 10 * 1448);
	/* A lone segment: two round trips and what a delayed ACK may take, at most the RTO. */
	assert_true(p->now - start < 280 * MS);
	assert_int_equal(counter(p, 0, "tlp_probes"), 1);
	assert_int_equal(counter(p, 0, "rto_fired"), 0);
	pair_run(p, p->now + SEC);
	/* The probe filled the hole by itself: a congestion signal, known when an ACK beyond it
	 * comes without a DSACK, 7.4.2. */
	p->app[0].to_send += 1448;
	app_push(&p->app[0]);
	pair_run(p, p->now + SEC);
	assert_int_equal(counter(p, 0, "tlp_repaired"), 1);
	tcp_abort(p->h[0].s, p->app[0].c, p->now);
	finish(p);
}

/* All of the flight is lost, and its probe: only the RTO is left. */
static void test_flight_lost(void **state)
{
	struct loss l = {.first = 0, .count = 10, .times = 2};
	struct pair *p = with_loss(NULL, &l, 100000);

	assert_true(counter(p, 0, "rto_fired") >= 1);
	finish(p);
}

struct spike {
	bool on;
};

/* Everything from host 0 is held back for a while, nothing is lost. */
static enum verdict spike_filter(struct pair *p, const struct seen *seen, void *arg)
{
	struct spike *k = arg;

	return k->on && seen->from == 0 ? LATE : PASS;
}

static void spurious(void (*change)(struct tcp_config *), const char *undone)
{
	struct spike k = {0};
	struct pair *p = pair_new(change);
	uint32_t before;

	p->filter = spike_filter;
	p->filter_arg = &k;
	p->app[0].to_send = 2000000;
	pair_connect(p);
	pair_run(p, p->now + 60 * MS);
	/* Well below the peer's window: F-RTO needs room for new data. */
	p->app[0].c->cc.cwnd = p->app[0].c->cc.ssthresh = 20u * p->app[0].c->mss;
	pair_run(p, p->now + 60 * MS);
	before = p->app[0].c->cc.cwnd;
	/* The path stands still for a while, then all comes at once and in order. */
	k.on = true;
	p->hold_until = p->now + 400 * MS;
	pair_run(p, p->hold_until);
	k.on = false;
	for (int i = 0; i < 3000 && counter(p, 0, undone) == 0; i++)
		pair_run(p, p->now + MS);
	assert_true(counter(p, 0, "rto_fired") >= 1);
	assert_int_equal(counter(p, 0, undone), 1);
	assert_true(p->app[0].c->cc.cwnd >= before / 2);
	pair_run(p, p->now + 20 * SEC);
	assert_int_equal(p->app[1].received, 2000000);
	assert_false(p->app[1].bad);
	tcp_abort(p->h[0].s, p->app[0].c, p->now);
	finish(p);
}

static void test_eifel(void **state)
{
	spurious(NULL, "undo_timestamps");
}

static void test_frto_sack(void **state)
{
	spurious(no_timestamps, "undo_frto");
}

static void test_frto_basic(void **state)
{
	spurious(no_sack_no_timestamps, "undo_frto");
}

struct reorder {
	uint32_t n;
};

static enum verdict reorder_filter(struct pair *p, const struct seen *seen, void *arg)
{
	struct reorder *r = arg;

	return seen->from == 0 && seen->len > 0 && ++r->n % 10 == 0 ? LATE : PASS;
}

/* Segments that come 4 ms late on a path of 20 ms are reordered, not lost: RACK waits a quarter of
 * a round trip once it has seen it. */
static void test_reordering(void **state)
{
	struct reorder r = {0};
	struct pair *p = pair_new(NULL);

	p->filter = reorder_filter;
	p->filter_arg = &r;
	p->late_ns = 4 * MS;
	assert_true(pair_exchange(p, 3000000, 0, 100 * SEC));
	assert_int_equal(counter(p, 0, "rto_fired"), 0);
	assert_int_equal(counter(p, 0, "rack_reordering"), 1);
	/* Out of 200 reordered segments only those before it had learned. */
	assert_true(counter(p, 0, "retransmits") < 20);
	finish(p);
}

/* DSACK, RFC 2883: the receiver reports the duplicate, the sender counts it. */
static enum verdict twice_filter(struct pair *p, const struct seen *seen, void *arg)
{
	return seen->from == 0 && seen->len > 0 ? TWICE : PASS;
}

static void test_dsack(void **state)
{
	struct pair *p = pair_new(NULL);

	p->filter = twice_filter;
	assert_true(pair_exchange(p, 100000, 0, 100 * SEC));
	assert_true(counter(p, 1, "dsack_out") > 10);
	assert_int_equal(counter(p, 0, "dsack_in"), counter(p, 1, "dsack_out"));
	assert_int_equal(counter(p, 0, "retransmits"), 0);
	finish(p);
}

static bool half_received(const struct pair *p)
{
	return p->app[1].received > 300000;
}

/* RFC 6937: in recovery no more goes out than was delivered, and at its end cwnd is ssthresh. */
static void test_prr(void **state)
{
	struct loss l = {.first = 60, .count = 10, .times = 1};
	struct pair *p = pair_new(NULL);

	p->filter = loss_filter;
	p->filter_arg = &l;
	p->app[0].to_send = 1000000;
	pair_connect(p);
	assert_true(pair_run_until(p, half_received, p->now + 10 * SEC));
	for (int i = 0; i < 1000 && p->app[0].c->ca_state != TCP_CA_OPEN; i++)
		pair_run(p, p->now + MS / 10);
	assert_int_equal(counter(p, 0, "sack_recoveries"), 1);
	assert_true(p->app[0].c->cc.ssthresh < UINT32_MAX);
	assert_in_range(p->app[0].c->cc.cwnd, p->app[0].c->cc.ssthresh,
		p->app[0].c->cc.ssthresh + 20 * p->app[0].c->mss);
	pair_run(p, p->now + 20 * SEC);
	assert_int_equal(p->app[1].received, 1000000);
	tcp_abort(p->h[0].s, p->app[0].c, p->now);
	finish(p);
}

/* A peer that reneges (RFC 2018 8): what was SACKed and is not acknowledged after a time-out is
 * sent again. */
struct reneg {
	bool started, cut;
	uint32_t isn;
};

static enum verdict reneg_filter(struct pair *p, const struct seen *seen, void *arg)
{
	struct reneg *r = arg;

	if (seen->from == 0 && seen->len > 0) {
		if (!r->started) {
			r->started = true;
			r->isn = seen->seq;
		}
		/* The first segment gets through only after everything behind it was thrown away.
		 */
		if (seen->seq == r->isn && !r->cut)
			return DROP;
	}
	return PASS;
}

static void test_reneging(void **state)
{
	struct reneg r = {0};
	struct pair *p = pair_new(NULL);
	struct tcp_conn *c;

	p->filter = reneg_filter;
	p->filter_arg = &r;
	p->app[0].to_send = 14480;
	pair_connect(p);
	pair_run(p, p->now + 100 * MS);
	c = p->app[1].c;
	assert_true(c->ooo_bytes > 0);
	assert_true(p->app[0].c->sacked_out > 0);
	/* The hole is acknowledged by hand, with its neighbour SACKed but gone. */
	r.cut = true;
	pair_run(p, p->now + 20 * SEC);
	assert_int_equal(p->app[1].received, 14480);
	tcp_abort(p->h[0].s, p->app[0].c, p->now);
	finish(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_loss_sack),
		cmocka_unit_test(test_burst_loss_sack),
		cmocka_unit_test(test_lost_retransmission),
		cmocka_unit_test(test_one_loss_newreno),
		cmocka_unit_test(test_two_losses_newreno),
		cmocka_unit_test(test_limited_transmit),
		cmocka_unit_test(test_tail_loss),
		cmocka_unit_test(test_flight_lost),
		cmocka_unit_test(test_eifel),
		cmocka_unit_test(test_frto_sack),
		cmocka_unit_test(test_frto_basic),
		cmocka_unit_test(test_reordering),
		cmocka_unit_test(test_dsack),
		cmocka_unit_test(test_prr),
		cmocka_unit_test(test_reneging),
	};

	return cmocka_run_group_tests(tests, pair_setup_eal, NULL);
}
