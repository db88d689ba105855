/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * STARTTLS on both legs, extensions, time-outs, back-pressure, BDAT, reuse, policy, limits.
 * One world a test; world_free() asserts that nothing is left.
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
	peer_expect(c, "451 4.7.5");
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
