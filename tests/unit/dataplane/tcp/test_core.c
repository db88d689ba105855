/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole of a connection's life between two stacks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "dataplane/tcp/conn.h"
#include "tests/unit/dataplane/tcp/pair.h"

static enum verdict lossy(struct pair *p, const struct seen *seen, void *arg)
{
	uint64_t r = test_random(&p->rand) % 1000;
	unsigned int permille = *(unsigned int *)arg;

	if (r < permille)
		return DROP;
	if (r < permille * 3 / 2)
		return LATE;
	if (r < permille * 2)
		return TWICE;
	return PASS;
}

static void exchange(struct pair *p, uint64_t there, uint64_t back, uint64_t limit)
{
	assert_true(pair_exchange(p, there, back, limit));
	/* TIME-WAIT and whatever else ends by its timer. */
	pair_run(p, p->now + 200 * SEC);
}

static void test_sizes(void **state)
{
	printf("struct tcp_conn: %zu bytes, of them hot: %zu\n", sizeof(struct tcp_conn),
		offsetof(struct tcp_conn, rcvq_head));
	assert_true(sizeof(struct tcp_conn) <= 640);
	assert_true(offsetof(struct tcp_conn, rcvq_head) <= 128);
}

static void test_exchange(void **state)
{
	struct pair *p = pair_new(NULL);

	exchange(p, 100000, 300000, 60 * SEC);
	assert_int_equal(counter(p, 0, "retransmits"), 0);
	assert_int_equal(counter(p, 1, "retransmits"), 0);
	assert_true(pair_free(p, true));
}

static void plain(struct tcp_config *c)
{
	c->timestamps = c->sack = c->window_scale = c->ecn = false;
}

static void test_loss(void **state)
{
	static unsigned int permille[] = {10, 50, 100, 200};

	for (size_t k = 0; k < 4; k++) {
		for (uint64_t seed = 1; seed <= 12; seed++) {
			struct pair *p = pair_new(seed % 3 == 0 ? plain : NULL);

			p->rand = seed;
			p->filter = lossy;
			p->filter_arg = &permille[k];
			exchange(p, 150000, 150000, 3000 * SEC);
			if (!pair_free(p, true)) {
				fprintf(stderr, "loss %u seed %lu\n", permille[k], seed);
				fail();
			}
		}
	}
}

static void test_refused(void **state)
{
	struct pair *p = pair_new(NULL);

	tcp_unlisten(p->h[1].s, p->h[1].listener);
	pair_connect(p);
	pair_run(p, p->now + SEC);
	assert_true(p->app[0].closed);
	assert_int_equal(p->app[0].reason, TCP_REASON_REFUSED);
	assert_true(pair_free(p, true));
}

static enum verdict black_hole(struct pair *p, const struct seen *seen, void *arg)
{
	return DROP;
}

static void test_connect_timeout(void **state)
{
	struct pair *p = pair_new(NULL);

	p->filter = black_hole;
	pair_connect(p);
	pair_run(p, p->now + 300 * SEC);
	assert_true(p->app[0].closed);
	assert_int_equal(p->app[0].reason, TCP_REASON_TIMEOUT);
	/* RFC 6298: 1+2+4+8+16+32+60 s, then given up. */
	assert_int_equal(counter(p, 0, "syn_retransmits"), 6);
	assert_true(pair_free(p, true));
}

static void test_application_refuses(void **state)
{
	struct pair *p = pair_new(NULL);

	p->refuse = -1;
	pair_connect(p);
	pair_run(p, p->now + SEC);
	assert_true(p->app[0].closed);
	assert_int_equal(p->app[0].reason, TCP_REASON_RESET);
	assert_true(pair_free(p, true));
}

static void test_half_close(void **state)
{
	struct pair *p = pair_new(NULL);

	p->app[0].to_send = 1000;
	p->app[0].shutdown_after = true;
	pair_connect(p);
	pair_run(p, p->now + 10 * SEC);
	assert_true(p->app[1].eof);
	assert_string_equal(tcp_state_name(p->app[0].c->state), "FIN-WAIT-2");
	assert_string_equal(tcp_state_name(p->app[1].c->state), "CLOSE-WAIT");
	/* The other half goes on. */
	p->app[1].to_send = 200000;
	p->app[1].close_after = true;
	app_push(&p->app[1]);
	pair_run(p, p->now + 10 * SEC);
	assert_int_equal(p->app[0].received, 200000);
	assert_true(p->app[0].closed);
	assert_int_equal(p->app[0].reason, TCP_REASON_NONE);
	pair_run(p, p->now + 100 * SEC);
	assert_true(pair_free(p, true));
}

static void test_simultaneous_close(void **state)
{
	struct pair *p = pair_new(NULL);

	pair_connect(p);
	pair_run(p, p->now + SEC);
	for (int i = 0; i < 2; i++) {
		tcp_close(p->h[i].s, p->app[i].c, p->now);
		p->app[i].c = NULL;
	}
	pair_run(p, p->now + SEC);
	assert_int_equal(p->h[0].s != NULL, 1);
	assert_int_equal(counter(p, 0, "time_wait_entered"), 1);
	assert_int_equal(counter(p, 1, "time_wait_entered"), 1);
	pair_run(p, p->now + 100 * SEC);
	assert_true(pair_free(p, true));
}

static void test_abort(void **state)
{
	struct pair *p = pair_new(NULL);

	p->app[1].to_send = 100000;
	pair_connect(p);
	pair_run(p, p->now + 35 * MS);
	tcp_abort(p->h[0].s, p->app[0].c, p->now);
	p->app[0].c = NULL;
	pair_run(p, p->now + SEC);
	assert_true(p->app[1].closed);
	assert_int_equal(p->app[1].reason, TCP_REASON_RESET);
	pair_run(p, p->now + 100 * SEC);
	assert_true(pair_free(p, true));
}

/* RFC 2525 2.17: unread bytes make a close a reset. */
static void test_close_with_unread(void **state)
{
	struct pair *p = pair_new(NULL);

	p->app[0].to_send = 1000;
	p->app[1].no_read = true;
	pair_connect(p);
	pair_run(p, p->now + SEC);
	tcp_close(p->h[1].s, p->app[1].c, p->now);
	p->app[1].c = NULL;
	pair_run(p, p->now + SEC);
	assert_true(p->app[0].closed);
	assert_int_equal(p->app[0].reason, TCP_REASON_RESET);
	assert_true(pair_free(p, true));
}

static void test_vanished_peer(void **state)
{
	struct pair *p = pair_new(NULL);

	pair_connect(p);
	pair_run(p, p->now + SEC);
	p->filter = black_hole;
	p->app[0].to_send = 50000;
	app_push(&p->app[0]);
	pair_run(p, p->now + 1000 * SEC);
	assert_true(p->app[0].closed);
	assert_int_equal(p->app[0].reason, TCP_REASON_TIMEOUT);
	tcp_abort(p->h[1].s, p->app[1].c, p->now);
	assert_true(pair_free(p, true));
}

/* The reader stops: the window closes, is probed with a byte, and opens again though the update is
 * lost. */
static enum verdict lose_updates(struct pair *p, const struct seen *seen, void *arg)
{
	bool *on = arg;

	return *on && seen->from == 1 && seen->len == 0 ? DROP : PASS;
}

static void test_zero_window(void **state)
{
	struct pair *p = pair_new(NULL);
	bool lose = false;
	uint8_t buf[4096];
	size_t n;

	p->filter = lose_updates;
	p->filter_arg = &lose;
	p->app[0].to_send = 600000;
	p->app[1].no_read = true;
	pair_connect(p);
	pair_run(p, p->now + 100 * SEC);
	assert_int_equal(p->app[0].c->snd_wnd, 0);
	assert_true(counter(p, 0, "persist_probes") >= 3);
	assert_false(p->app[0].closed);
	lose = true;
	p->app[1].no_read = false;
	while ((n = tcp_read(p->h[1].s, p->app[1].c, buf, sizeof(buf))) > 0) {
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf[i], pattern(0, p->app[1].received + i));
		p->app[1].received += n;
	}
	pair_run(p, p->now + SEC);
	lose = false;
	pair_run(p, p->now + 200 * SEC);
	assert_int_equal(p->app[1].received, 600000);
	assert_false(p->app[1].bad);
	for (int i = 0; i < 2; i++)
		tcp_abort(p->h[i].s, p->app[i].c, p->now);
	pair_run(p, p->now + SEC);
	assert_true(pair_free(p, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_connect_timeout),
		cmocka_unit_test(test_application_refuses),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_simultaneous_close),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_close_with_unread),
		cmocka_unit_test(test_vanished_peer),
		cmocka_unit_test(test_zero_window),
		cmocka_unit_test(test_loss),
	};

	return cmocka_run_group_tests(tests, pair_setup_eal, NULL);
}
