/* SPDX-License-Identifier: BSD-3-Clause */
/* Tickets: good on every worker that has the keys, through a rotation, and nowhere else. */
#include <errno.h>
#include <string.h>

#include "tests/unit/tls/fixture.h"

static struct world *world;

static int setup(void **state)
{
	world = world_create();
	return 0;
}

static int teardown(void **state)
{
	world_destroy(world);
	return 0;
}

struct keys {
	uint8_t key[3][TLS_TICKET_KEY_SIZE];
	size_t count;
};

static struct tls_context *server_with(
	struct tls_lib *lib, const struct keys *keys, bool request, const char *client_ca)
{
	struct tls_keypair pair = pki_keypair(world->ecdsa);
	struct tls_server_params params = {
		.keypairs = &pair,
		.keypair_count = 1,
		.ticket_keys = keys->key,
		.ticket_key_count = keys->count,
		.request_client_certificate = request,
		.client_ca = pki_pem(client_ca, "client-ca.pem"),
	};
	struct tls_context *ctx = NULL;
	char err[256];

	if (tls_server_context_create(lib, &params, &ctx, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	return ctx;
}

/* One connection; what it gave to resume from, and whether it was resumed. */
static struct tls_session *visit(
	struct tls_context *server, int version, const struct tls_session *from, bool *resumed)
{
	struct tls_connect_params params = {.keep_session = true, .resume = from};
	struct tls_session *session;
	struct tls_info info;
	struct pair p;
	uint8_t buf[8];
	size_t done;

	pair_init(&p, 0, 0);
	pair_open(&p, server, world->client, &params);
	SSL_set_max_proto_version(p.client->ssl, version);
	pair_expect_open(&p);
	assert_int_equal(tls_read(p.client, buf, sizeof(buf), &done), TLS_WANT_READ);
	tls_get_info(p.server, &info);
	*resumed = info.resumed;
	tls_get_info(p.client, &info);
	assert_int_equal(info.resumed, *resumed);
	/* And data pass. */
	assert_int_equal(tls_write(p.client, "EHLO", 4, &done), TLS_OK);
	assert_int_equal(tls_read(p.server, buf, sizeof(buf), &done), TLS_OK);
	assert_memory_equal(buf, "EHLO", 4);
	session = tls_take_session(p.client);
	assert_null(tls_take_session(p.client));
	pair_free(&p);
	return session;
}

static void test_across_workers_and_rotation(void **state)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct keys keys = {0};
		struct tls_context *a, *b, *c, *d;
		/* OpenSSL's client uses a ticket of 1.3 once (RFC 8446 C.4): one for each visit. */
		struct tls_session *tickets[3], *renewed;
		uint8_t old[TLS_TICKET_KEY_SIZE];
		bool resumed;

		assert_int_equal(tls_ticket_keys_rotate(keys.key, &keys.count, 3), 0);
		assert_int_equal(keys.count, 1);
		a = server_with(world->lib, &keys, false, NULL);
		b = server_with(world->lib2, &keys, false, NULL);
		for (int i = 0; i < 3; i++) {
			tickets[i] = visit(a, version, NULL, &resumed);
			assert_false(resumed);
			assert_non_null(tickets[i]);
		}
		tls_session_free(visit(b, version, tickets[0], &resumed));
		assert_true(resumed);

		memcpy(old, keys.key[0], sizeof(old));
		assert_int_equal(tls_ticket_keys_rotate(keys.key, &keys.count, 3), 0);
		assert_int_equal(keys.count, 2);
		assert_memory_equal(keys.key[1], old, sizeof(old));
		assert_memory_not_equal(keys.key[0], old, sizeof(old));
		c = server_with(world->lib, &keys, false, NULL);
		renewed = visit(c, version, tickets[1], &resumed);
		assert_true(resumed);
		assert_non_null(renewed); /* sealed with the new key now */

		for (int i = 0; i < 2; i++)
			assert_int_equal(tls_ticket_keys_rotate(keys.key, &keys.count, 3), 0);
		assert_int_equal(keys.count, 3);
		d = server_with(world->lib2, &keys, false, NULL);
		tls_session_free(visit(d, version, tickets[2], &resumed));
		assert_false(resumed); /* its key is gone: full handshake, no error */
		tls_session_free(visit(d, version, renewed, &resumed));
		assert_true(resumed);

		for (int i = 0; i < 3; i++)
			tls_session_free(tickets[i]);
		tls_session_free(renewed);
		tls_context_free(a);
		tls_context_free(b);
		tls_context_free(c);
		tls_context_free(d);
	}
}

/* Keys that change under two workers' contexts, as the control thread does it. */
static void test_keys_change_under_contexts(void **state)
{
	struct tls_keypair pair = pki_keypair(world->ecdsa);
	struct tls_server_params params = {.keypairs = &pair, .keypair_count = 1};
	struct tls_ticket_set *old;
	struct tls_context *a, *b;
	char err[256];

	assert_int_equal(tls_tickets_create(&params.tickets), 0);
	assert_int_equal(tls_server_context_create(world->lib, &params, &a, err, sizeof(err)), 0);
	assert_int_equal(tls_server_context_create(world->lib2, &params, &b, err, sizeof(err)), 0);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct tls_session *early, *late;
		bool resumed;

		early = visit(a, version, NULL, &resumed);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(tls_tickets_rotate(params.tickets, &old), 0);
			tls_ticket_set_free(old);
		}
		late = visit(b, version, early, &resumed);
		assert_true(resumed);
		assert_non_null(late); /* renewed under the new key */
		tls_session_free(early);
		early = visit(b, version, late, &resumed);
		assert_true(resumed);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(tls_tickets_rotate(params.tickets, &old), 0);
			tls_ticket_set_free(old);
		}
		tls_session_free(visit(a, version, late, &resumed));
		assert_false(resumed); /* forgotten with its key */
		tls_session_free(early);
		tls_session_free(late);
	}
	tls_context_free(a);
	tls_context_free(b);
	tls_tickets_destroy(params.tickets);
}

/* A client that comes back again and again stays resumed. */
static void test_chain_of_resumptions(void **state)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct keys keys = {0};
		struct tls_context *server;
		struct tls_session *session, *next;
		bool resumed;

		assert_int_equal(tls_ticket_keys_rotate(keys.key, &keys.count, 3), 0);
		server = server_with(world->lib, &keys, false, NULL);
		session = visit(server, version, NULL, &resumed);
		for (int i = 0; i < 5; i++) {
			assert_non_null(session);
			next = visit(server, version, session, &resumed);
			assert_true(resumed);
			tls_session_free(session);
			session = next;
		}
		tls_session_free(session);
		tls_context_free(server);
	}
}

static void test_no_keys_no_tickets(void **state)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct tls_session *session;
		bool resumed;

		session = visit(world->server, version, NULL, &resumed);
		if (session != NULL) { /* 1.2 without a ticket: an id that nobody knows */
			tls_session_free(visit(world->server, version, session, &resumed));
			assert_false(resumed);
		}
		assert_true(version == TLS1_2_VERSION || session == NULL);
		tls_session_free(session);
	}
}

/* A ticket from where no certificate was asked for must not get its owner in where one is. */
static void test_bound_to_what_was_asked(void **state)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct keys keys = {0};
		struct tls_context *open, *asking, *asking_other;
		struct tls_session *session;
		bool resumed;

		assert_int_equal(tls_ticket_keys_rotate(keys.key, &keys.count, 3), 0);
		open = server_with(world->lib, &keys, false, NULL);
		asking = server_with(world->lib, &keys, true, world->root->pem);
		asking_other = server_with(world->lib, &keys, true, world->inter->pem);
		session = visit(open, version, NULL, &resumed);
		for (int i = 0; i < 2; i++) {
			struct tls_connect_params params = {.resume = session};
			struct tls_info info;
			struct pair p;

			pair_init(&p, 0, 0);
			pair_open(&p, i == 0 ? asking : asking_other, world->client, &params);
			SSL_set_max_proto_version(p.client->ssl, version);
			pair_handshake(&p);
			if (p.server_status == TLS_OK) {
				tls_get_info(p.server, &info);
				assert_false(info.resumed);
			}
			pair_free(&p);
		}
		tls_session_free(session);
		tls_context_free(open);
		tls_context_free(asking);
		tls_context_free(asking_other);
	}
}

/* A resumed session does not go round an enforced verification. */
static void test_unverified_session_is_not_enforced_into_one(void **state)
{
	struct tls_context *stranger = world_client(world->lib2, NULL);
	struct keys keys = {0};
	struct tls_context *server;

	assert_int_equal(tls_ticket_keys_rotate(keys.key, &keys.count, 3), 0);
	server = server_with(world->lib, &keys, false, NULL);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct tls_connect_params params = {.keep_session = true};
		struct tls_session *session;
		struct pair p;
		uint8_t buf[8];
		size_t done;

		pair_init(&p, 0, 0);
		pair_open(&p, server, stranger, &params);
		SSL_set_max_proto_version(p.client->ssl, version);
		pair_expect_open(&p);
		tls_read(p.client, buf, sizeof(buf), &done);
		session = tls_take_session(p.client);
		assert_non_null(session);
		pair_free(&p);

		params = (struct tls_connect_params){.resume = session, .verify = true};
		pair_init(&p, 0, 0);
		pair_open(&p, server, stranger, &params);
		SSL_set_max_proto_version(p.client->ssl, version);
		pair_handshake(&p);
		assert_int_equal(p.client_status, TLS_FAILED);
		assert_int_equal(tls_error(p.client), TLS_ERR_CERTIFICATE);
		tls_session_free(session);
		pair_free(&p);
	}
	tls_context_free(server);
	tls_context_free(stranger);
}

static void test_rotate_bounds(void **state)
{
	uint8_t key[1][TLS_TICKET_KEY_SIZE];
	uint8_t old[TLS_TICKET_KEY_SIZE];
	size_t count = 0;

	assert_int_equal(tls_ticket_keys_rotate(key, &count, 0), -EINVAL);
	assert_int_equal(tls_ticket_keys_rotate(key, &count, 1), 0);
	memcpy(old, key[0], sizeof(old));
	assert_int_equal(tls_ticket_keys_rotate(key, &count, 1), 0);
	assert_int_equal(count, 1);
	assert_memory_not_equal(key[0], old, sizeof(old));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_across_workers_and_rotation),
		cmocka_unit_test(test_keys_change_under_contexts),
		cmocka_unit_test(test_chain_of_resumptions),
		cmocka_unit_test(test_no_keys_no_tickets),
		cmocka_unit_test(test_bound_to_what_was_asked),
		cmocka_unit_test(test_unverified_session_is_not_enforced_into_one),
		cmocka_unit_test(test_rotate_bounds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
