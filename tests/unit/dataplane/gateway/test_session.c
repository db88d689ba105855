/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules of design.md, "Mail that is never lost, never doubled by us", each with the
 * conversation that would break it. One world a test; world_free() asserts that nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dataplane/gateway/world.h"

#define EXT_ALL \
	"250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
#define EXT_NOBDAT "250-PIPELINING\r\n250-8BITMIME\r\n"

static struct world *world_plain(uint32_t hops, const char *ext)
{
	struct world *w = world_new(&(struct world_params){.hops = hops,
		.level = POLICY_NONE,
		.hop_ext = ext,
		.max_idle = 4,
		.server_tls = true});

	world_health(w);
	return w;
}

/* A session up to an accepted recipient; *hop is the next hop's side. */
static struct peer *begin(struct world *w, uint32_t i, const char *ext, struct peer **hop)
{
	struct peer *c = world_client(w);

	client_greet(c);
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	*hop = world_hop_accept(w, i);
	hop_greet(*hop, ext);
	peer_expect(*hop, "MAIL FROM:<a@client.example>");
	peer_say(*hop, "250 2.1.0 sender ok\r\n");
	peer_expect(c, "250 2.1.0 sender ok");
	peer_say(c, "RCPT TO:<b@inside.example>\r\n");
	peer_expect(*hop, "RCPT TO:<b@inside.example>");
	peer_say(*hop, "250 2.1.5 rcpt ok\r\n");
	peer_expect(c, "250 2.1.5 rcpt ok");
	return c;
}

static void data(struct peer *c, struct peer *h)
{
	peer_say(c, "DATA\r\n");
	peer_expect(h, "DATA");
	peer_say(h, "354 go\r\n");
	peer_expect(c, "354");
}

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

/* [rule 9] Plaintext behind STARTTLS closes the session; no command of it is ever obeyed. */
static void test_starttls_injection(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *c = world_client(w);

	client_greet(c);
	peer_say(c, "STARTTLS\r\nMAIL FROM:<evil@x>\r\n");
	peer_expect_reset(c);
	assert_int_equal(world_counter(w, "starttls_injection_downstream"), 1);
	world_free(w);
}

/* [rule 9] What was said before the handshake is forgotten. */
static void test_starttls(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = world_client(w);
	const char *body;
	size_t n;

	client_greet(c);
	peer_say(c, "STARTTLS\r\n");
	peer_expect(c, "220");
	assert_true(peer_start_tls(c, false));
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	peer_expect(c, "503");
	peer_say(c, "EHLO again.example\r\n");
	peer_expect(c, "250 ");
	peer_say(c, "MAIL FROM:<a@client.example>\r\nRCPT TO:<b@inside.example>\r\nDATA\r\n");
	h = world_hop_accept(w, 0);
	hop_greet(h, EXT_ALL);
	peer_expect(h, "MAIL");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	peer_expect(h, "RCPT");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	peer_expect(h, "DATA");
	peer_say(h, "354 go\r\n");
	peer_expect(c, "354");
	peer_say(c, "hello\r\n.\r\nQUIT\r\n");
	n = peer_read_until(h, "\r\n.\r\n", &body);
	assert_non_null(memmem(body, n, "ESMTPS", 6));
	assert_non_null(memmem(body, n, "TLSv1.3", 7));
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250 2.0.0 ok");
	peer_expect(c, "221");
	world_free(w);
}

/* Garbage in the handshake: the session ends, counted. */
static void test_starttls_garbage(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *c = world_client(w);

	client_greet(c);
	peer_say(c, "STARTTLS\r\n");
	peer_expect(c, "220");
	peer_say(c, "MAIL FROM:<a@b>\r\nthis is no ClientHello\r\n");
	world_run(w, 100);
	assert_int_equal(world_counter(w, "tls_downstream_failed"), 1);
	world_free(w);
}

/* [rule 9] Plaintext behind the next hop's 220: dropped, nothing of it is believed. */
static void test_upstream_injection(void **state)
{
	struct world *w = world_new(&(struct world_params){
		.hops = 1, .level = POLICY_ENCRYPT, .hop_ext = "250-STARTTLS\r\n", .max_idle = 4});
	struct peer *c, *h;

	world_health(w);
	c = world_client(w);
	client_greet(c);
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	h = world_hop_accept(w, 0);
	hop_greet(h, "250-STARTTLS\r\n");
	peer_expect(h, "STARTTLS");
	peer_say(h, "220 go\r\n250-evil\r\n250 SIZE 1\r\n");
	peer_expect(c, "451 4.4.2");
	peer_expect_reset(h);
	assert_int_equal(world_counter(w, "starttls_injection_upstream"), 1);
	world_free(w);
}

/* Levels of the inner leg. */
static void test_inner_encrypt_not_offered(void **state)
{
	struct world *w = world_new(&(struct world_params){
		.hops = 1, .level = POLICY_ENCRYPT, .hop_ext = "250-STARTTLS\r\n", .max_idle = 4});
	struct peer *c, *h;

	world_health(w);
	c = world_client(w);
	client_greet(c);
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	h = world_hop_accept(w, 0);
	hop_greet(h, "250-PIPELINING\r\n");
	peer_expect(c, "451 4.7.4");
	world_free(w);
}

static void test_inner_may_falls_back(void **state)
{
	struct world *w = world_new(&(struct world_params){
		.hops = 1, .level = POLICY_MAY, .hop_ext = "250-STARTTLS\r\n", .max_idle = 4});
	struct peer *c, *h;

	world_health(w);
	c = world_client(w);
	client_greet(c);
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	h = world_hop_accept(w, 0);
	hop_greet(h, "250-STARTTLS\r\n");
	peer_expect(h, "STARTTLS");
	peer_say(h, "220 go\r\n");
	world_run(w, 10);
	peer_say(h, "no TLS here, sorry\r\n");
	h = world_hop_accept(w, 0); /* a new connection, in the clear */
	hop_greet(h, "250-STARTTLS\r\n");
	peer_expect(h, "MAIL FROM");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	assert_int_equal(world_counter(w, "tls_upstream_fallback_plain"), 1);
	world_free(w);
}

/* The next hop hangs up instead of answering STARTTLS: the same. */
static void test_inner_may_closed_at_starttls(void **state)
{
	struct world *w = world_new(&(struct world_params){
		.hops = 1, .level = POLICY_MAY, .hop_ext = "250-STARTTLS\r\n", .max_idle = 4});
	struct peer *c, *h;

	for (int reset = 0; reset < 2; reset++) {
		h = world_hop_accept(w, 0); /* health check, then the session */
		hop_greet(h, "250-STARTTLS\r\n");
		peer_expect(h, "STARTTLS");
		if (reset)
			peer_reset(h);
		else
			peer_close(h);
		h = world_hop_accept(w, 0);
		hop_greet(h, "250-STARTTLS\r\n");
		if (reset)
			break;
		peer_expect(h, "QUIT");
		peer_close(h);
		c = world_client(w);
		client_greet(c);
		peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	}
	peer_expect(h, "MAIL FROM");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	assert_int_equal(world_counter(w, "tls_upstream_fallback_plain"), 2);
	world_free(w);
}

/* [rule 10] A command that is not answered in its own time goes to another next hop, while the
 * client's budget lasts. */
static void test_command_timeout_fails_over(void **state)
{
	struct world *w = world_new(&(struct world_params){.hops = 2,
		.level = POLICY_NONE,
		.hop_ext = EXT_ALL,
		.max_idle = 4,
		.command_timeout = 20});
	struct peer *c, *h, *g;
	uint64_t before;

	world_health(w);
	c = world_client(w);
	client_greet(c);
	before = world_now(w);
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	h = world_hop_accept(w, 0);
	hop_greet(h, EXT_ALL);
	peer_expect(h, "MAIL"); /* and not a word */
	g = world_hop_accept(w, 1);
	hop_greet(g, EXT_ALL);
	peer_expect(g, "MAIL");
	peer_say(g, "250 ok\r\n");
	peer_expect(c, "250");
	assert_in_range((world_now(w) - before) / 1000000000, 19, 22);
	peer_expect_reset(h);
	world_free(w);
}

static void test_inner_verify(void **state)
{
	struct world *w = world_new(&(struct world_params){
		.hops = 4, .level = POLICY_VERIFY, .hop_ext = "250-STARTTLS\r\n", .max_idle = 4});
	struct peer *c, *h;

	for (uint32_t i = 0; i < 4; i++) { /* hop3.example is not in the certificate */
		h = world_hop_accept(w, i);
		hop_greet(h, "250-STARTTLS\r\n");
		peer_expect(h, "STARTTLS");
		peer_say(h, "220 go\r\n");
		if (!peer_start_tls(h, true))
			continue;
		if (i == 3) {
			world_run(w, 100);
			continue;
		}
		peer_expect(h, "EHLO");
		peer_say(h, "250 hop\r\n");
		peer_expect(h, "QUIT");
		peer_close(h);
	}
	assert_int_equal(world_counter(w, "tls_upstream_verified"), 3);
	assert_int_equal(world_counter(w, "tls_upstream_level_not_met"), 1);
	c = world_client(w);
	client_greet(c);
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	h = world_hop_accept(w, 0);
	hop_greet(h, "250-STARTTLS\r\n");
	peer_expect(h, "STARTTLS");
	peer_say(h, "220 go\r\n");
	assert_true(peer_start_tls(h, true));
	peer_expect(h, "EHLO");
	peer_say(h, "250 hop\r\n");
	peer_expect(h, "MAIL");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	world_free(w);
}

/* [rule 10] Only what the next hop can take is offered. */
static void test_extensions_follow_the_next_hop(void **state)
{
	struct world *w = world_plain(1, "250-8BITMIME\r\n");
	struct peer *c = world_client(w);

	peer_expect(c, "220");
	peer_say(c, "EHLO client.example\r\n");
	peer_expect(c, "250 ");
	peer_say(c, "MAIL FROM:<\xc3\xa4@client.example> SMTPUTF8\r\n");
	peer_expect(c, "555 5.5.4");
	world_free(w);
}

/* [rule 10] Time-outs: 421 to a silent client; 451 within the budget when the next hop is silent.
 */
static void test_timeouts(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *c = world_client(w), *h;
	uint64_t before;

	client_greet(c);
	before = world_now(w);
	peer_expect(c, "421 4.4.2");
	assert_in_range((world_now(w) - before) / 1000000000, 299, 302);
	peer_expect_close(c);
	c = world_client(w);
	client_greet(c);
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	before = world_now(w);
	h = world_hop_accept(w, 0);
	hop_greet(h, EXT_ALL);
	peer_expect(h, "MAIL");
	peer_expect(c, "451 4.4.1");
	assert_in_range((world_now(w) - before) / 1000000000, 269, 272);
	world_free(w);
}

/* [rule 11] A next hop that does not read closes the client's window, and costs bounded memory. */
static void test_back_pressure(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);
	static char line[1001];
	const char *body;
	size_t sent = 0, got;

	memset(line, 'x', 998);
	memcpy(line + 998, "\r\n", 3);
	data(c, h);
	peer_pause(h, true);
	for (int i = 0; i < 400; i++) {
		peer_say(c, line);
		sent += 1000;
	}
	world_run(w, 5000);
	peer_pause(h, false);
	peer_say(c, ".\r\n");
	got = peer_read_until(h, "\r\n.\r\n", &body);
	assert_true(got > sent);
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	world_free(w);
}

/* BDAT to a next hop without CHUNKING: the octets arrive dot-stuffed, all replies are right. */
static void test_bdat_to_data(void **state)
{
	struct world *w = world_plain(1, EXT_NOBDAT);
	struct peer *h, *c = begin(w, 0, EXT_NOBDAT, &h);
	const char *body;
	size_t n;

	peer_say(c, "BDAT 13\r\nA: b\r\n\r\n.dot\r");
	peer_expect(h, "DATA");
	peer_say(h, "354 go\r\n");
	peer_expect(c, "250 2.0.0");
	peer_say(c, "BDAT 7 LAST\r\n\n..end.");
	n = peer_read_until(h, "\r\n.\r\n", &body);
	assert_non_null(memmem(body, n, "\r\nA: b\r\n\r\n..dot\r\n...end.\r\n.\r\n", 29));
	peer_say(h, "250 2.0.0 ok\r\n");
	peer_expect(c, "250 2.0.0 ok");
	world_free(w);
}

/* BDAT to BDAT: our field is counted into the first chunk. */
static void test_bdat_to_bdat(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);
	const char *body, *line;
	unsigned long size;
	size_t n;

	peer_say(c, "BDAT 6\r\nA: b\r\n");
	line = peer_expect(h, "BDAT ");
	size = strtoul(line + 5, NULL, 10);
	n = peer_read_until(h, "A: b\r\n", &body);
	assert_int_equal(n, size);
	peer_say(h, "250 chunk\r\n");
	peer_expect(c, "250 2.0.0 chunk");
	peer_say(c, "BDAT 5 LAST\r\n\r\n.\r\n");
	peer_expect(h, "BDAT 5 LAST");
	peer_read_until(h, "\r\n.\r\n", &body);
	peer_say(h, "250 all\r\n");
	peer_expect(c, "250 2.0.0 all");
	world_free(w);
}

/* The connection is used again by the next transaction, also of another session. */
static void test_reuse(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h), *d;
	const char *body;

	data(c, h);
	peer_say(c, "x\r\n.\r\n");
	peer_read_until(h, "\r\n.\r\n", &body);
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	d = world_client(w);
	client_greet(d);
	peer_say(d, "MAIL FROM:<d@client.example>\r\n");
	peer_expect(h, "MAIL FROM:<d@client.example>");
	peer_say(h, "250 ok\r\n");
	peer_expect(d, "250");
	peer_say(d, "RSET\r\n");
	peer_expect(d, "250");
	peer_expect(h, "RSET");
	peer_say(h, "250 ok\r\n");
	assert_int_equal(world_counter(w, "upstream_reused"), 1);
	world_free(w);
}

/* A kept connection that died meanwhile costs the client nothing. */
static void test_reuse_stale(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);
	const char *body;

	data(c, h);
	peer_say(c, "x\r\n.\r\n");
	peer_read_until(h, "\r\n.\r\n", &body);
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	peer_say(c, "MAIL FROM:<e@client.example>\r\n");
	peer_expect(h, "MAIL");
	peer_reset(h); /* as a hop does that had timed us out */
	h = world_hop_accept(w, 0);
	hop_greet(h, EXT_ALL);
	peer_expect(h, "MAIL FROM:<e@client.example>");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	world_free(w);
}

/* Partners: by domain 530, identified by address 550, both let through under TLS. */
static void test_policy(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *c;

	world_partner(w, "bank", "bank.example", NULL, POLICY_ENCRYPT);
	c = world_client(w);
	client_greet(c);
	peer_say(c, "MAIL FROM:<x@bank.example>\r\n");
	peer_expect(c, "530 5.7.0");
	assert_string_equal(world_message_event(w)->partner, "bank");
	world_partner(w, "peer", NULL, "198.51.100.2", POLICY_ENCRYPT);
	peer_say(c, "MAIL FROM:<x@other.example>\r\n");
	peer_expect(c, "550 5.7.10");
	peer_say(c, "STARTTLS\r\n");
	peer_expect(c, "220");
	assert_true(peer_start_tls(c, false));
	peer_say(c, "EHLO client.example\r\n");
	peer_expect(c, "250 ");
	peer_say(c, "MAIL FROM:<x@bank.example>\r\n");
	assert_true(world_hop_called(w, 0, 1000));
	world_free(w);
}

/* Outbound: the inside's mail goes to the relay outside at its level; what partners must do when
 * they send to us binds nobody who sends from inside. */
static void test_outbound_by_relay(void **state)
{
	struct world *w = world_new(&(struct world_params){.hops = 1,
		.level = POLICY_ENCRYPT,
		.hop_ext = "250-STARTTLS\r\n",
		.max_idle = 4,
		.outbound = true});
	const struct gateway_event *e;
	struct peer *c, *h;
	const char *body;

	world_health(w);
	world_partner(w, "bank", "bank.example", NULL, POLICY_ENCRYPT);
	c = world_client(w);
	client_greet(c);
	peer_say(c, "MAIL FROM:<x@bank.example>\r\n");
	h = world_hop_accept(w, 0);
	hop_greet(h, "250-STARTTLS\r\n");
	peer_expect(h, "STARTTLS");
	peer_say(h, "220 go\r\n");
	assert_true(peer_start_tls(h, true));
	peer_expect(h, "EHLO");
	peer_say(h, "250 relay\r\n");
	peer_expect(h, "MAIL FROM:<x@bank.example>");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	peer_say(c, "RCPT TO:<y@elsewhere.example>\r\n");
	peer_expect(h, "RCPT");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	data(c, h);
	peer_say(c, "x\r\n.\r\n");
	peer_read_until(h, "\r\n.\r\n", &body);
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	e = world_message_event(w);
	assert_int_equal(e->side, NET_INSIDE);
	assert_int_equal(e->level, POLICY_NONE);
	assert_true(e->upstream_tls);
	world_free(w);
}

/* A pool that is empty turns newcomers away and leaves the others alone. */
static void test_session_limit(void **state)
{
	struct world *w = world_new(&(struct world_params){
		.hops = 1, .hop_ext = EXT_ALL, .max_sessions = 2, .max_idle = 1});
	struct peer *a, *b, *c;

	world_health(w);
	a = world_client(w);
	b = world_client(w);
	client_greet(a);
	c = world_client(w);
	peer_expect(c, "421 4.3.2");
	peer_expect_close(c);
	client_greet(b);
	assert_int_equal(world_counter(w, "sessions_refused_pool"), 1);
	world_free(w);
}

static void test_drain(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *idle = world_client(w), *h, *c;
	const char *body;

	client_greet(idle);
	c = begin(w, 0, EXT_ALL, &h);
	data(c, h);
	gateway_drain(world_gateway(w), world_now(w));
	peer_expect(idle, "421 4.3.2");
	peer_say(c, "x\r\n.\r\n");
	peer_read_until(h, "\r\n.\r\n", &body);
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
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
		cmocka_unit_test(test_starttls_injection),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_starttls_garbage),
		cmocka_unit_test(test_upstream_injection),
		cmocka_unit_test(test_inner_encrypt_not_offered),
		cmocka_unit_test(test_inner_may_falls_back),
		cmocka_unit_test(test_inner_may_closed_at_starttls),
		cmocka_unit_test(test_command_timeout_fails_over),
		cmocka_unit_test(test_inner_verify),
		cmocka_unit_test(test_extensions_follow_the_next_hop),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_bdat_to_data),
		cmocka_unit_test(test_bdat_to_bdat),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_reuse_stale),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_outbound_by_relay),
		cmocka_unit_test(test_session_limit),
		cmocka_unit_test(test_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
