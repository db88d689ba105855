/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules 1 to 8 of design.md, "Mail that is never lost", each with the conversation that would break
 * it. One world a test; world_free() asserts that nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dataplane/gateway/talk.h"

/* [rule 1] The 250 waits for the next hop's, and carries its text. */
static void test_verdict_is_the_next_hops(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);
	const char *body;
	size_t n;

	data(c, h);
	peer_say(c, "Subject: x\r\n\r\n..dot\r\nline\r\n.\r\n");
	n = peer_read_until(h, "\r\n.\r\n", &body);
	assert_memory_equal(body, "Received: from client.example", 29);
	assert_non_null(memmem(body, n, "\r\nSubject: x\r\n\r\n..dot\r\nline\r\n.\r\n", 32));
	peer_expect_silence(c, 5000);
	peer_say(h, "250 2.6.0 queued as 4711\r\n");
	peer_expect(c, "250 2.6.0 queued as 4711");
	assert_int_equal(world_counter(w, "messages_delivered"), 1);
	assert_int_equal(world_message_event(w)->outcome, GATEWAY_OUTCOME_DELIVERED);
	peer_say(c, "QUIT\r\n");
	peer_expect(c, "221");
	peer_expect_close(c);
	world_free(w);
}

/* [rule 1] 4xx and 5xx to the dot are passed on as they are. */
static void test_verdict_refused(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);
	const char *body;

	data(c, h);
	peer_say(c, "x\r\n.\r\n");
	peer_read_until(h, "\r\n.\r\n", &body);
	peer_say(h, "550-5.7.1 spam\r\n550 5.7.1 go away\r\n");
	peer_expect(c, "550 5.7.1 go away");
	assert_int_equal(world_counter(w, "messages_delivered"), 0);
	world_free(w);
}

/* [rule 2] Lost after the dot: 451 4.4.2, and the risk is logged with both ids. */
static void lost_after_dot(bool reset, bool time_out)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);
	const struct gateway_event *e;
	const char *body;

	data(c, h);
	peer_say(c, "x\r\n.\r\n");
	peer_read_until(h, "\r\n.\r\n", &body);
	if (!time_out && reset)
		peer_reset(h);
	else if (!time_out)
		peer_close(h);
	peer_expect(c, "451 4.4.2");
	e = world_message_event(w);
	assert_int_equal(e->outcome, GATEWAY_OUTCOME_UNKNOWN);
	assert_true(e->session_id != 0 && e->upstream_id != 0);
	assert_int_equal(world_counter(w, "messages_outcome_unknown"), 1);
	world_free(w);
}

static void test_lost_after_dot_closed(void **state)
{
	lost_after_dot(false, false);
}

static void test_lost_after_dot_reset(void **state)
{
	lost_after_dot(true, false);
}

static void test_lost_after_dot_silent(void **state)
{
	lost_after_dot(false, true);
}

/* [rule 2] A 421 instead of the verdict is no verdict. */
static void test_421_after_dot(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);
	const char *body;

	data(c, h);
	peer_say(c, "x\r\n.\r\n");
	peer_read_until(h, "\r\n.\r\n", &body);
	peer_say(h, "421 4.3.2 shutting down\r\n");
	peer_expect(c, "451 4.4.2");
	world_free(w);
}

/* [rule 3] The client dies inside DATA: the next hop sees a reset and no dot. */
static void test_client_dies_in_data(void **state)
{
	for (int reset = 0; reset < 2; reset++) {
		struct world *w = world_plain(1, EXT_ALL);
		struct peer *h, *c = begin(w, 0, EXT_ALL, &h);

		data(c, h);
		peer_say(c, "half a mess");
		if (reset)
			peer_reset(c);
		else
			peer_close(c);
		peer_expect_reset(h);
		assert_int_equal(world_counter(w, "messages_aborted_by_client"), 1);
		world_free(w);
	}
}

/* [rule 3] The same between and inside chunks of BDAT. */
static void test_client_dies_in_bdat(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);

	peer_say(c, "BDAT 100\r\nnot a hundred octets");
	peer_expect(h, "BDAT ");
	peer_close(c);
	peer_expect_reset(h);
	world_free(w);
}

/* [rule 4] The client vanishes after the dot: the verdict is read and logged all the same. */
static void test_client_vanishes_after_dot(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);
	const struct gateway_event *e;
	const char *body;

	data(c, h);
	peer_say(c, "x\r\n.\r\n");
	peer_read_until(h, "\r\n.\r\n", &body);
	peer_reset(c);
	world_run(w, 1000);
	peer_say(h, "250 2.0.0 taken\r\n");
	world_run(w, 100);
	e = world_message_event(w);
	assert_non_null(e);
	assert_int_equal(e->outcome, GATEWAY_OUTCOME_CLIENT_GONE);
	assert_int_equal(e->reply_code, 250);
	world_free(w);
}

/* [rule 5] Refused, 421, or lost before the body: the next one; then 451. */
static void test_failover_refused_connection(void **state)
{
	struct world *w = world_plain(2, EXT_ALL);
	struct peer *c, *h;

	world_hop_listen(w, 0, false);
	c = begin(w, 1, EXT_ALL, &h);
	peer_say(c, "QUIT\r\n");
	peer_expect(c, "221");
	world_free(w);
}

static void test_failover_421_at_rcpt_repeats_envelope(void **state)
{
	struct world *w = world_plain(2, EXT_ALL);
	struct peer *h, *g, *c = begin(w, 0, EXT_ALL, &h);
	const char *body;

	peer_say(c, "RCPT TO:<c@inside.example>\r\n");
	peer_expect(h, "RCPT TO:<c@inside.example>");
	peer_say(h, "421 4.3.2 going down\r\n");
	g = world_hop_accept(w, 1);
	hop_greet(g, EXT_ALL);
	peer_expect(g, "MAIL FROM:<a@client.example>");
	peer_say(g, "250 ok\r\n");
	peer_expect(g, "RCPT TO:<b@inside.example>");
	peer_say(g, "250 ok\r\n");
	peer_expect(g, "RCPT TO:<c@inside.example>");
	peer_say(g, "250 2.1.5 second\r\n");
	peer_expect(c, "250 2.1.5 second");
	data(c, g);
	peer_say(c, "x\r\n.\r\n");
	peer_read_until(g, "\r\n.\r\n", &body);
	peer_say(g, "250 done\r\n");
	peer_expect(c, "250 2.0.0 done");
	world_free(w);
}

/* [rule 5] The other next hop refuses what the first had accepted: 451, the client comes again. */
static void test_failover_envelope_refused(void **state)
{
	struct world *w = world_plain(2, EXT_ALL);
	struct peer *h, *g, *c = begin(w, 0, EXT_ALL, &h);

	peer_close(h);
	peer_say(c, "DATA\r\n");
	g = world_hop_accept(w, 0); /* known to be alive: it is tried again first */
	hop_greet(g, EXT_ALL);
	peer_expect(g, "MAIL FROM");
	peer_say(g, "250 ok\r\n");
	peer_expect(g, "RCPT TO");
	peer_say(g, "550 no such user\r\n");
	peer_expect(c, "451 4.4.5");
	world_free(w);
}

static void test_no_next_hop(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *c;

	world_hop_listen(w, 0, false);
	c = world_client(w);
	client_greet(c);
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	peer_expect(c, "451 4.4.1");
	/* known to be down: no more attempts, but an answer at once */
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	peer_expect(c, "451 4.4.1");
	world_free(w);
}

/* [rule 5] Not after the first body octet. */
static void test_no_failover_in_body(void **state)
{
	struct world *w = world_plain(2, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);

	data(c, h);
	peer_say(c, "first half\r\n");
	world_run(w, 100);
	peer_reset(h);
	peer_say(c, "second half\r\n.\r\n");
	peer_expect(c, "451 4.4.2");
	assert_false(world_hop_called(w, 1, 1000));
	world_free(w);
}

/* 4xx and 5xx at each command reach the client as they are. */
static void test_refused_at_each_command(void **state)
{
	static const char *const replies[] = {"450 4.2.1 later\r\n", "550 5.1.8 never\r\n"};

	for (int i = 0; i < 2; i++) {
		struct world *w = world_plain(1, EXT_ALL);
		struct peer *c = world_client(w), *h;

		client_greet(c);
		peer_say(c, "MAIL FROM:<a@client.example>\r\n");
		h = world_hop_accept(w, 0);
		hop_greet(h, EXT_ALL);
		peer_expect(h, "MAIL");
		peer_say(h, replies[i]);
		peer_expect(c, i ? "550 5.1.8 never" : "450 4.2.1 later");
		/* the connection is kept and used again */
		peer_say(c, "MAIL FROM:<a@client.example>\r\n");
		peer_expect(h, "MAIL");
		peer_say(h, "250 ok\r\n");
		peer_expect(c, "250 2.1.0 ok");
		peer_say(c, "RCPT TO:<x@inside.example>\r\n");
		peer_expect(h, "RCPT");
		peer_say(h, replies[i]);
		peer_expect(c, i ? "550 5.1.8 never" : "450 4.2.1 later");
		peer_say(c, "RCPT TO:<y@inside.example>\r\n");
		peer_expect(h, "RCPT");
		peer_say(h, "250 ok\r\n");
		peer_expect(c, "250 2.1.5 ok");
		peer_say(c, "DATA\r\n");
		peer_expect(h, "DATA");
		peer_say(h, replies[i]);
		peer_expect(c, i ? "550 5.1.8 never" : "450 4.2.1 later");
		world_free(w);
	}
}

/* [rule 7] A bare LF: nothing past it goes out, the message is refused, the hop never sees a dot.
 */
static void test_bare_lf_is_not_relayed(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);

	data(c, h);
	peer_say(c, "good\r\nbad\nMAIL FROM:<evil@x>\r\n.\r\n");
	peer_expect(c, "554 5.6.0");
	peer_expect_reset(h);
	world_free(w);
}

/* [rule 8] A hundred Received fields are a loop. */
static void test_loop(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);

	data(c, h);
	for (int i = 0; i < 100; i++)
		peer_say(c, "Received: from a by b; now\r\n");
	peer_say(c, "\r\nx\r\n.\r\n");
	peer_expect(c, "554 5.4.6");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdict_is_the_next_hops),
		cmocka_unit_test(test_verdict_refused),
		cmocka_unit_test(test_lost_after_dot_closed),
		cmocka_unit_test(test_lost_after_dot_reset),
		cmocka_unit_test(test_lost_after_dot_silent),
		cmocka_unit_test(test_421_after_dot),
		cmocka_unit_test(test_client_dies_in_data),
		cmocka_unit_test(test_client_dies_in_bdat),
		cmocka_unit_test(test_client_vanishes_after_dot),
		cmocka_unit_test(test_failover_refused_connection),
		cmocka_unit_test(test_failover_421_at_rcpt_repeats_envelope),
		cmocka_unit_test(test_failover_envelope_refused),
		cmocka_unit_test(test_no_next_hop),
		cmocka_unit_test(test_no_failover_in_body),
		cmocka_unit_test(test_refused_at_each_command),
		cmocka_unit_test(test_bare_lf_is_not_relayed),
		cmocka_unit_test(test_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
