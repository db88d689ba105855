/* SPDX-License-Identifier: BSD-3-Clause */
/* Peers that do what they must not: old versions, weak suites, garbage, silence in the middle. */
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

/* A peer with a context of its own, nothing of Postgate's in it: it may be as bad as it likes. */
struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	struct end *end;
};

static void raw_open(struct raw *r, struct end *end, bool server)
{
	r->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	assert_non_null(r->ctx);
	SSL_CTX_set_security_level(r->ctx, 0);
	if (server) {
		SSL_CTX_use_certificate(r->ctx, world->ecdsa->x509);
		SSL_CTX_use_PrivateKey(r->ctx, world->ecdsa->key);
	}
	r->ssl = SSL_new(r->ctx);
	SSL_set_bio(r->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(r->ssl), -1);
	if (server)
		SSL_set_accept_state(r->ssl);
	else
		SSL_set_connect_state(r->ssl);
	r->end = end;
}

static void raw_close(struct raw *r)
{
	SSL_free(r->ssl);
	SSL_CTX_free(r->ctx);
}

static void raw_move(struct raw *r)
{
	uint8_t buf[4096];
	ssize_t n;
	int m;

	while ((n = end_transport.read(r->end, buf, sizeof(buf))) > 0)
		BIO_write(SSL_get_rbio(r->ssl), buf, (int)n);
	while ((m = BIO_read(SSL_get_wbio(r->ssl), buf, sizeof(buf))) > 0)
		queue_put(r->end->out, buf, (size_t)m);
}

/* The raw peer against ours until nothing moves. */
static enum tls_status raw_handshake(struct raw *r, struct tls_conn *c, int *raw_ret)
{
	enum tls_status status = TLS_WANT_READ;

	for (int i = 0; i < 20; i++) {
		raw_move(r);
		*raw_ret = SSL_do_handshake(r->ssl);
		raw_move(r);
		status = tls_handshake(c);
	}
	raw_move(r);
	return status;
}

static void check_client(void (*prepare)(SSL *), enum tls_error error, const char *text, int alert)
{
	struct raw r;
	struct pair p;
	int ret;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, NULL, NULL);
	raw_open(&r, &p.client_end, false);
	prepare(r.ssl);
	assert_int_equal(raw_handshake(&r, p.server, &ret), TLS_FAILED);
	if (tls_error(p.server) != error || strstr(tls_error_text(p.server), text) == NULL)
		fail_msg("%s: %s", tls_error_name(tls_error(p.server)), tls_error_text(p.server));
	/* It was told why. */
	assert_int_not_equal(ret, 1);
	assert_int_equal(p.down.data[0], 0x15);
	assert_int_equal(p.down.data[6], alert);
	raw_close(&r);
	pair_free(&p);
}

static void tls11(SSL *ssl)
{
	SSL_set_min_proto_version(ssl, TLS1_VERSION);
	SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
	SSL_set_cipher_list(ssl, "ALL");
}

static void cbc(SSL *ssl)
{
	SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	SSL_set_cipher_list(ssl, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA");
}

static void static_rsa(SSL *ssl)
{
	SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	SSL_set_cipher_list(ssl, "AES256-GCM-SHA384:AES128-SHA");
}

static void dhe(SSL *ssl)
{
	SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	SSL_set_cipher_list(ssl, "DHE-RSA-AES256-GCM-SHA384");
}

static void anonymous(SSL *ssl)
{
	SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	SSL_set_cipher_list(ssl, "aNULL:@SECLEVEL=0");
}

static void no_ems(SSL *ssl)
{
	SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	SSL_set_options(ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
}

static void sha1_only(SSL *ssl)
{
	SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	SSL_set1_sigalgs_list(ssl, "ECDSA+SHA1:RSA+SHA1");
}

static void test_weak_clients_are_refused(void **state)
{
	check_client(tls11, TLS_ERR_VERSION, "unsupported protocol", SSL_AD_PROTOCOL_VERSION);
	check_client(cbc, TLS_ERR_CIPHER, "no shared cipher", SSL_AD_HANDSHAKE_FAILURE);
	check_client(static_rsa, TLS_ERR_CIPHER, "no shared cipher", SSL_AD_HANDSHAKE_FAILURE);
	check_client(dhe, TLS_ERR_CIPHER, "no shared cipher", SSL_AD_HANDSHAKE_FAILURE);
	check_client(anonymous, TLS_ERR_CIPHER, "no shared cipher", SSL_AD_HANDSHAKE_FAILURE);
	check_client(no_ems, TLS_ERR_PROTOCOL, "extended master secret", SSL_AD_HANDSHAKE_FAILURE);
	check_client(sha1_only, TLS_ERR_CIPHER, "signature algorithms", SSL_AD_HANDSHAKE_FAILURE);
}

/* TLS 1.3 has no such extension to ask for: a client of both versions is welcome without it. */
static void test_no_ems_in_13_is_fine(void **state)
{
	struct raw r;
	struct pair p;
	int ret;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, NULL, NULL);
	raw_open(&r, &p.client_end, false);
	SSL_set_options(r.ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	assert_int_equal(raw_handshake(&r, p.server, &ret), TLS_OK);
	assert_int_equal(ret, 1);
	raw_close(&r);
	pair_free(&p);
}

static void check_server(void (*prepare)(SSL *), enum tls_error error, const char *text)
{
	struct raw r;
	struct pair p;
	int ret;

	pair_init(&p, 0, 0);
	pair_open(&p, NULL, world->client, NULL);
	raw_open(&r, &p.server_end, true);
	prepare(r.ssl);
	assert_int_equal(raw_handshake(&r, p.client, &ret), TLS_FAILED);
	if (tls_error(p.client) != error || strstr(tls_error_text(p.client), text) == NULL)
		fail_msg("%s: %s", tls_error_name(tls_error(p.client)), tls_error_text(p.client));
	raw_close(&r);
	pair_free(&p);
}

static void test_weak_servers_are_refused(void **state)
{
	/* The server cannot go as low as it must, and says so. */
	check_server(tls11, TLS_ERR_ALERT, "protocol version");
	check_server(cbc, TLS_ERR_ALERT, "handshake failure");
	check_server(no_ems, TLS_ERR_PROTOCOL, "extended master secret");
}

static void check_garbage(bool server, const void *data, size_t len, bool eof, enum tls_error error)
{
	struct pair p;
	struct queue *q;
	struct tls_conn *c;
	enum tls_status status = TLS_WANT_READ;

	pair_init(&p, 0, 0);
	pair_open(&p, server ? world->server : NULL, server ? NULL : world->client, NULL);
	c = server ? p.server : p.client;
	q = server ? &p.up : &p.down;
	queue_put(q, data, len);
	q->eof = eof;
	for (int i = 0; i < 4 && status != TLS_FAILED; i++)
		status = tls_handshake(c);
	assert_int_equal(status, TLS_FAILED);
	if (tls_error(c) != error)
		fail_msg("server %d, %02x, len %zu: %s: %s", server, *(const uint8_t *)data, len,
			tls_error_name(tls_error(c)), tls_error_text(c));
	assert_true(strlen(tls_error_text(c)) > 0);
	/* It stays so. */
	assert_int_equal(tls_handshake(c), TLS_FAILED);
	assert_int_equal(tls_shutdown(c), TLS_FAILED);
	pair_free(&p);
}

static void test_garbage(void **state)
{
	static const char smtp_client[] =
		"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n";
	static const char smtp_server[] = "220 mx.example.com ESMTP\r\n250 ok\r\n";
	static const char http[] = "GET / HTTP/1.1\r\nHost: mx\r\n\r\n";
	static const uint8_t zeros[64], cut[] = {0x16, 0x03, 0x01, 0x40};
	static const uint8_t alert[] = {0x15, 0x03, 0x03, 0, 2, 2, 40};
	static const uint8_t warning[] = {0x15, 0x03, 0x03, 0, 2, 1, 0};
	/* A record that says it is longer than a record may be. */
	static const uint8_t huge[] = {0x16, 0x03, 0x01, 0xff, 0xff, 1, 0, 0, 0};
	/* Application data in place of a handshake. */
	static const uint8_t data[] = {0x17, 0x03, 0x03, 0, 4, 'M', 'A', 'I', 'L'};

	for (int server = 0; server < 2; server++) {
		check_garbage(
			server, smtp_client, sizeof(smtp_client) - 1, false, TLS_ERR_PROTOCOL);
		check_garbage(
			server, smtp_server, sizeof(smtp_server) - 1, false, TLS_ERR_PROTOCOL);
		check_garbage(server, http, sizeof(http) - 1, false, TLS_ERR_PROTOCOL);
		check_garbage(server, zeros, sizeof(zeros), false, TLS_ERR_PROTOCOL);
		check_garbage(server, huge, sizeof(huge), false, TLS_ERR_PROTOCOL);
		check_garbage(server, data, sizeof(data), false, TLS_ERR_PROTOCOL);
		/* To a server an alert makes no sense before a ClientHello. */
		check_garbage(server, alert, sizeof(alert), false,
			server ? TLS_ERR_PROTOCOL : TLS_ERR_ALERT);
		check_garbage(server, warning, sizeof(warning), true,
			server ? TLS_ERR_PROTOCOL : TLS_ERR_TRANSPORT);
		check_garbage(server, "", 0, true, TLS_ERR_TRANSPORT);
		check_garbage(server, cut, sizeof(cut), true, TLS_ERR_TRANSPORT);
	}
}

/* Each octet of a real ClientHello turned in turn: a failure or a wait, never an open connection
 * that the client does not share, and never a stuck error queue for the next one. */
static void test_damaged_client_hello(void **state)
{
	uint8_t hello[2048];
	struct pair p;
	size_t len;

	pair_init(&p, 0, 0);
	pair_open(&p, NULL, world->client, NULL);
	assert_int_equal(tls_handshake(p.client), TLS_WANT_READ);
	len = p.up.end - p.up.begin;
	assert_in_range(len, 100, sizeof(hello));
	memcpy(hello, p.up.data + p.up.begin, len);
	pair_free(&p);
	for (size_t i = 0; i < len; i++) {
		pair_init(&p, 0, 0);
		pair_open(&p, world->server, NULL, NULL);
		hello[i] ^= 0x81;
		queue_put(&p.up, hello, len);
		hello[i] ^= 0x81;
		p.up.eof = true;
		assert_int_equal(tls_handshake(p.server), TLS_FAILED);
		pair_free(&p);
	}
	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, NULL);
	pair_expect_open(&p);
	pair_free(&p);
}

static void test_lost_connection(void **state)
{
	uint8_t buf[8];
	struct pair p;
	size_t done;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, NULL);
	pair_expect_open(&p);
	tls_read(p.client, buf, sizeof(buf), &done);
	p.up.broken = ECONNRESET;
	assert_int_equal(tls_read(p.server, buf, sizeof(buf), &done), TLS_FAILED);
	assert_int_equal(tls_error(p.server), TLS_ERR_TRANSPORT);
	assert_string_equal(tls_error_text(p.server), "connection lost: Connection reset by peer");
	/* The neighbour on the same thread does not notice. */
	assert_int_equal(tls_read(p.client, buf, sizeof(buf), &done), TLS_WANT_READ);
	p.up.broken = EPIPE;
	assert_int_equal(tls_write(p.client, "x", 1, &done), TLS_FAILED);
	assert_int_equal(tls_error(p.client), TLS_ERR_TRANSPORT);
	pair_free(&p);
}

/* A cut is told from a close: without close_notify a message may be short. */
static void test_truncation(void **state)
{
	for (int orderly = 0; orderly < 2; orderly++)
		for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
			uint8_t buf[64];
			struct pair p;
			size_t done;

			pair_init(&p, 0, 0);
			pair_open(&p, world->server, world->client, NULL);
			SSL_set_max_proto_version(p.client->ssl, version);
			pair_expect_open(&p);
			assert_int_equal(tls_write(p.client, "all", 3, &done), TLS_OK);
			if (orderly)
				assert_int_equal(tls_shutdown(p.client), TLS_OK);
			p.up.eof = true;
			assert_int_equal(tls_read(p.server, buf, sizeof(buf), &done), TLS_OK);
			assert_int_equal(done, 3);
			if (orderly) {
				/* Our side may still write, and the other still read. */
				assert_int_equal(
					tls_read(p.server, buf, sizeof(buf), &done), TLS_CLOSED);
				assert_int_equal(tls_error(p.server), TLS_ERR_NONE);
				assert_int_equal(
					tls_read(p.server, buf, sizeof(buf), &done), TLS_CLOSED);
				assert_int_equal(tls_write(p.server, "221", 3, &done), TLS_OK);
				assert_int_equal(tls_shutdown(p.server), TLS_OK);
				assert_int_equal(
					tls_read(p.client, buf, sizeof(buf), &done), TLS_OK);
				assert_int_equal(done, 3);
				assert_int_equal(
					tls_read(p.client, buf, sizeof(buf), &done), TLS_CLOSED);
			} else {
				assert_int_equal(
					tls_read(p.server, buf, sizeof(buf), &done), TLS_FAILED);
				assert_int_equal(tls_error(p.server), TLS_ERR_TRANSPORT);
				assert_string_equal(tls_error_text(p.server),
					"connection closed without close_notify");
			}
			pair_free(&p);
		}
}

/* Octets after the close_notify are not TLS's to take. */
static void test_nothing_taken_after_close(void **state)
{
	uint8_t buf[64];
	struct pair p;
	size_t done;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, NULL);
	pair_expect_open(&p);
	assert_int_equal(tls_shutdown(p.client), TLS_OK);
	queue_put(&p.up, "QUIT\r\n", 6);
	assert_int_equal(tls_read(p.server, buf, sizeof(buf), &done), TLS_CLOSED);
	assert_int_equal(tls_read(p.server, buf, sizeof(buf), &done), TLS_CLOSED);
	assert_int_equal(p.up.end - p.up.begin, 6);
	pair_free(&p);
}

static void test_damaged_record(void **state)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		uint8_t buf[64];
		struct pair p;
		size_t done;

		pair_init(&p, 0, 0);
		pair_open(&p, world->server, world->client, NULL);
		SSL_set_max_proto_version(p.client->ssl, version);
		pair_expect_open(&p);
		while (tls_read(p.client, buf, sizeof(buf), &done) == TLS_OK)
			;
		assert_int_equal(tls_write(p.client, "MAIL", 4, &done), TLS_OK);
		p.up.data[p.up.end - 1] ^= 1;
		assert_int_equal(tls_read(p.server, buf, sizeof(buf), &done), TLS_FAILED);
		assert_int_equal(tls_error(p.server), TLS_ERR_PROTOCOL);
		assert_int_equal(tls_read(p.client, buf, sizeof(buf), &done), TLS_FAILED);
		assert_int_equal(tls_error(p.client), TLS_ERR_ALERT);
		assert_string_equal(
			tls_error_text(p.client), "alert from the peer: bad record mac");
		pair_free(&p);
	}
}

/* Our server keeps what was agreed; the client that insists is the one that gives up. */
static void test_client_renegotiation(void **state)
{
	struct raw r;
	struct pair p;
	uint8_t buf[64];
	size_t done;
	int ret;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, NULL, NULL);
	raw_open(&r, &p.client_end, false);
	SSL_set_max_proto_version(r.ssl, TLS1_2_VERSION);
	assert_int_equal(raw_handshake(&r, p.server, &ret), TLS_OK);
	assert_int_equal(SSL_renegotiate(r.ssl), 1);
	SSL_do_handshake(r.ssl);
	raw_move(&r);
	assert_true(p.up.end > p.up.begin);
	assert_int_equal(tls_read(p.server, buf, sizeof(buf), &done), TLS_WANT_READ);
	assert_int_equal(SSL_is_init_finished(p.server->ssl), 1);
	assert_int_equal(tls_write(p.server, "ok", 2, &done), TLS_OK);
	raw_move(&r);
	ret = SSL_do_handshake(r.ssl);
	assert_int_equal(SSL_get_error(r.ssl, ret), SSL_ERROR_SSL);
	raw_close(&r);
	pair_free(&p);
}

static void test_server_renegotiation(void **state)
{
	struct raw r;
	struct pair p;
	uint8_t buf[64];
	size_t done, before;
	int ret;

	pair_init(&p, 0, 0);
	pair_open(&p, NULL, world->client, NULL);
	raw_open(&r, &p.server_end, true);
	SSL_set_max_proto_version(r.ssl, TLS1_2_VERSION);
	assert_int_equal(raw_handshake(&r, p.client, &ret), TLS_OK);
	assert_int_equal(SSL_renegotiate(r.ssl), 1);
	SSL_do_handshake(r.ssl);
	raw_move(&r);
	before = p.up.total;
	assert_int_equal(tls_read(p.client, buf, sizeof(buf), &done), TLS_WANT_READ);
	/* One alert, no ClientHello. */
	assert_in_range(p.up.total - before, 7, 64);
	assert_int_equal(p.up.data[p.up.begin], 0x15);
	raw_close(&r);
	pair_free(&p);
}

static void test_use_before_handshake(void **state)
{
	uint8_t buf[8];
	struct pair p;
	size_t done = 1;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, NULL);
	assert_int_equal(tls_shutdown(p.server), TLS_OK);
	assert_int_equal(p.down.total, 0);
	assert_int_equal(tls_read(p.server, buf, sizeof(buf), &done), TLS_FAILED);
	assert_int_equal(done, 0);
	assert_int_equal(tls_write(p.client, "x", 1, &done), TLS_FAILED);
	assert_int_equal(p.up.total, 0);
	pair_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weak_clients_are_refused),
		cmocka_unit_test(test_no_ems_in_13_is_fine),
		cmocka_unit_test(test_weak_servers_are_refused),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_damaged_client_hello),
		cmocka_unit_test(test_lost_connection),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_nothing_taken_after_close),
		cmocka_unit_test(test_damaged_record),
		cmocka_unit_test(test_client_renegotiation),
		cmocka_unit_test(test_server_renegotiation),
		cmocka_unit_test(test_use_before_handshake),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
