/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS sessions resumed: by clients of ours with our tickets, and by us with those of next hops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dataplane/gateway/world.h"

static struct world *world_tls(enum policy_level level)
{
	return world_new(&(struct world_params){
		.hops = 1, .level = level, .hop_ext = "250-STARTTLS\r\n", .server_tls = true});
}

/* A client in TLS, with the session of `earlier` if there is one; it got a ticket. */
static struct peer *visit(struct world *w, struct peer *earlier)
{
	struct peer *c = world_client(w);

	client_greet(c);
	if (earlier)
		assert_true(peer_resume_from(c, earlier));
	peer_say(c, "STARTTLS\r\n");
	peer_expect(c, "220");
	assert_true(peer_start_tls(c, false));
	peer_say(c, "EHLO client.example\r\n");
	peer_expect(c, "250 ");
	return c;
}

static void test_client_resumes(void **state)
{
	struct world *w = world_tls(POLICY_NONE);
	struct peer *a, *b;

	world_health(w);
	a = visit(w, NULL);
	assert_false(peer_tls_resumed(a));
	b = visit(w, a);
	assert_true(peer_tls_resumed(b));
	assert_int_equal(world_counter(w, "tls_downstream_resumed"), 1);
	world_push(w);
	a = visit(w, b);
	assert_true(peer_tls_resumed(a));
	/* Two rotations on, the key is still known: that is the ticket's whole lifetime. */
	world_rotate_tickets(w);
	world_rotate_tickets(w);
	b = visit(w, a);
	assert_true(peer_tls_resumed(b));
	world_rotate_tickets(w);
	world_rotate_tickets(w);
	world_rotate_tickets(w);
	a = visit(w, b);
	assert_false(peer_tls_resumed(a));
	assert_int_equal(world_counter(w, "tls_downstream_resumed"), 3);
	world_free(w);
}

/* One connection to the hop: a transaction that ends in RSET by QUIT. */
static struct peer *transaction(struct world *w)
{
	struct peer *c = world_client(w), *h;

	client_greet(c);
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	h = world_hop_accept(w, 0);
	hop_greet(h, "250-STARTTLS\r\n");
	peer_expect(h, "STARTTLS");
	peer_say(h, "220 go\r\n");
	assert_true(peer_start_tls(h, true));
	peer_expect(h, "EHLO");
	peer_say(h, "250 hop.example\r\n");
	peer_expect(h, "MAIL");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	peer_close(c);
	return h;
}

static void test_next_hop_resumed(void **state)
{
	struct world *w = world_tls(POLICY_VERIFY);

	world_health(w); /* brings a ticket */
	assert_int_equal(world_counter(w, "tls_upstream_resumed"), 0);
	assert_true(peer_tls_resumed(transaction(w)));
	assert_true(peer_tls_resumed(transaction(w)));
	assert_int_equal(world_counter(w, "tls_upstream_resumed"), 2);
	/* Verified is verified, also where no certificate was sent. */
	assert_int_equal(world_counter(w, "tls_upstream_verified"), 3);
	/* Not with another context: it may trust another CA. */
	world_push(w);
	assert_false(peer_tls_resumed(transaction(w)));
	assert_true(peer_tls_resumed(transaction(w)));
	/* A hop that has forgotten its keys gets a full handshake, and serves. */
	for (int i = 0; i < 4; i++)
		world_rotate_tickets(w);
	assert_false(peer_tls_resumed(transaction(w)));
	assert_int_equal(world_counter(w, "tls_upstream_resumed"), 3);
	assert_int_equal(world_counter(w, "tls_upstream_failed"), 0);
	world_free(w);
}

/* More tickets than are kept: the oldest go, none is lost (the leak check tells). */
static void test_many_at_once(void **state)
{
	struct world *w = world_tls(POLICY_ENCRYPT);
	struct peer *h[12];
	int resumed = 0;

	world_health(w);
	for (int i = 0; i < 12; i++)
		h[i] = transaction(w);
	for (int i = 0; i < 12; i++)
		resumed += peer_tls_resumed(h[i]);
	assert_int_equal(resumed, world_counter(w, "tls_upstream_resumed"));
	assert_true(resumed >= 8);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_resumes),
		cmocka_unit_test(test_next_hop_resumed),
		cmocka_unit_test(test_many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
