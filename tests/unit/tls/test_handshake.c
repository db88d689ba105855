/* SPDX-License-Identifier: BSD-3-Clause */
/* What gets negotiated, over transports of every width. */
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

static void test_default_is_tls13(void **state)
{
	struct tls_info c, s;
	struct pair p;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, NULL);
	pair_expect_open(&p);
	tls_get_info(p.client, &c);
	tls_get_info(p.server, &s);
	assert_string_equal(c.version, "TLSv1.3");
	assert_string_equal(c.cipher, "TLS_AES_256_GCM_SHA384");
	assert_int_equal(c.cipher_bits, 256);
	assert_string_equal(s.version, "TLSv1.3");
	assert_string_equal(s.cipher, c.cipher);
	assert_string_equal(s.group, c.group);
	assert_false(c.resumed);
	assert_true(c.peer_certificate);
	assert_true(c.verified);
	assert_string_equal(c.verify_error, "");
	assert_false(s.peer_certificate);
	assert_false(s.verified);
	assert_string_equal(s.verify_error, "no certificate");
	pair_free(&p);
}

/* The hybrid group where the library has it, and X25519 where it has not: told by asking it. */
static void test_group_preference(void **state)
{
	EVP_KEYMGMT *hybrid = EVP_KEYMGMT_fetch(world->lib->ossl, "X25519MLKEM768", NULL);
	struct tls_info info;
	struct pair p;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, NULL);
	pair_expect_open(&p);
	tls_get_info(p.server, &info);
	assert_string_equal(info.group, hybrid != NULL ? "X25519MLKEM768" : "X25519");
	pair_free(&p);
	EVP_KEYMGMT_free(hybrid);
}

static void test_groups(void **state)
{
	static const char *const groups[] = {"X25519", "P-256", "P-384"};

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
		for (size_t i = 0; i < 3; i++) {
			struct tls_info info;
			struct pair p;

			pair_init(&p, 0, 0);
			pair_open(&p, world->server, world->client, NULL);
			assert_int_equal(SSL_set1_groups_list(p.client->ssl, groups[i]), 1);
			SSL_set_max_proto_version(p.client->ssl, version);
			pair_expect_open(&p);
			tls_get_info(p.server, &info);
			assert_string_equal(info.group, groups[i]);
			pair_free(&p);
		}
}

static void test_group_refused(void **state)
{
	struct pair p;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, NULL);
	assert_int_equal(SSL_set1_groups_list(p.client->ssl, "P-521"), 1);
	pair_handshake(&p);
	assert_int_equal(p.server_status, TLS_FAILED);
	assert_int_equal(tls_error(p.server), TLS_ERR_CIPHER);
	assert_int_equal(p.client_status, TLS_FAILED);
	assert_int_equal(tls_error(p.client), TLS_ERR_ALERT);
	pair_free(&p);
}

static void test_suites(void **state)
{
	static const struct {
		const char *list, *suites;
	} cases[] = {
		{NULL, "TLS_AES_256_GCM_SHA384"},
		{NULL, "TLS_CHACHA20_POLY1305_SHA256"},
		{NULL, "TLS_AES_128_GCM_SHA256"},
		{"ECDHE-ECDSA-AES256-GCM-SHA384", NULL},
		{"ECDHE-ECDSA-CHACHA20-POLY1305", NULL},
		{"ECDHE-ECDSA-AES128-GCM-SHA256", NULL},
		{"ECDHE-RSA-AES256-GCM-SHA384", NULL},
		{"ECDHE-RSA-CHACHA20-POLY1305", NULL},
		{"ECDHE-RSA-AES128-GCM-SHA256", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_info info;
		struct pair p;

		pair_init(&p, 0, 0);
		pair_open(&p, world->server, world->client, NULL);
		if (cases[i].list != NULL) {
			SSL_set_max_proto_version(p.client->ssl, TLS1_2_VERSION);
			assert_int_equal(SSL_set_cipher_list(p.client->ssl, cases[i].list), 1);
		} else {
			assert_int_equal(SSL_set_ciphersuites(p.client->ssl, cases[i].suites), 1);
		}
		pair_expect_open(&p);
		tls_get_info(p.server, &info);
		assert_string_equal(
			info.cipher, cases[i].list != NULL ? cases[i].list : cases[i].suites);
		assert_string_equal(info.version, cases[i].list != NULL ? "TLSv1.2" : "TLSv1.3");
		/* The key that the suite calls for was shown. */
		tls_get_info(p.client, &info);
		assert_true(info.verified);
		if (cases[i].list != NULL)
			assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(
						 SSL_get0_peer_certificate(p.client->ssl))),
				strstr(cases[i].list, "ECDSA") ? EVP_PKEY_EC : EVP_PKEY_RSA);
		pair_free(&p);
	}
}

/* Also through queues that take one octet, so that every place where OpenSSL may stop is one. */
static void test_narrow_transports(void **state)
{
	static const size_t widths[] = {1, 2, 3, 4, 5, 6, 7, 13, 64, 255, 1000, 4095, 4096, 4097};

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
		for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
			for (int chunked = 0; chunked < 2; chunked++) {
				struct pair p;
				uint8_t buf[16];
				size_t done;

				pair_init(&p, chunked ? 0 : widths[i], chunked ? widths[i] : 0);
				pair_open(&p, world->server, world->client, NULL);
				SSL_set_max_proto_version(p.client->ssl, version);
				pair_expect_open(&p);
				/* Wait states of a read before anything was sent. */
				assert_int_equal(
					tls_read(p.server, buf, sizeof(buf), &done), TLS_WANT_READ);
				assert_int_equal(done, 0);
				pair_free(&p);
			}
}

static void test_server_prefers(void **state)
{
	struct tls_info info;
	struct pair p;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, NULL);
	SSL_set_ciphersuites(p.client->ssl, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
	pair_expect_open(&p);
	tls_get_info(p.server, &info);
	assert_string_equal(info.cipher, "TLS_AES_256_GCM_SHA384");
	pair_free(&p);
}

static void test_unknown_sni_is_ignored(void **state)
{
	struct tls_connect_params params = {.sni = "who.is.this.example"};
	struct pair p;

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		pair_init(&p, 0, 0);
		pair_open(&p, world->server, world->client, &params);
		SSL_set_max_proto_version(p.client->ssl, version);
		pair_expect_open(&p);
		assert_string_equal(SSL_get_servername(p.server->ssl, TLSEXT_NAMETYPE_host_name),
			"who.is.this.example");
		pair_free(&p);
	}
	params.sni = "192.0.2.1";
	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, &params);
	pair_expect_open(&p);
	assert_null(SSL_get_servername(p.server->ssl, TLSEXT_NAMETYPE_host_name));
	pair_free(&p);
}

static void test_client_certificate(void **state)
{
	struct tls_keypair server_pair = pki_keypair(world->ecdsa);
	struct pki_cert *other = pki_make(&(struct pki_spec){.cn = "other"});
	struct tls_server_params sp = {
		.keypairs = &server_pair,
		.keypair_count = 1,
		.request_client_certificate = true,
		.client_ca = pki_pem(world->inter->pem, "client-ca.pem"),
	};
	const struct {
		const struct pki_cert *cert;
		bool verified;
	} cases[] = {{world->rsa, true}, {other, false}, {NULL, false}};
	struct tls_context *server = NULL;
	char err[256];

	assert_int_equal(tls_server_context_create(world->lib, &sp, &server, err, sizeof(err)), 0);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
		for (size_t i = 0; i < 3; i++) {
			struct tls_client_params cp = {0};
			struct tls_context *client = NULL;
			uint8_t digest[32];
			struct tls_info info;
			struct pair p;

			if (cases[i].cert != NULL)
				cp.keypair = pki_keypair(cases[i].cert);
			assert_int_equal(tls_client_context_create(
						 world->lib2, &cp, &client, err, sizeof(err)),
				0);
			pair_init(&p, 0, 0);
			pair_open(&p, server, client, NULL);
			SSL_set_max_proto_version(p.client->ssl, version);
			pair_expect_open(&p);
			tls_get_info(p.server, &info);
			assert_int_equal(info.peer_certificate, cases[i].cert != NULL);
			assert_int_equal(info.verified, cases[i].verified);
			assert_int_equal(info.verify_error[0] == '\0', cases[i].verified);
			if (cases[i].cert != NULL) {
				X509_digest(cases[i].cert->x509, EVP_sha256(), digest, NULL);
				assert_memory_equal(digest, info.peer_sha256, 32);
			}
			pair_free(&p);
			tls_context_free(client);
		}
	tls_context_free(server);
	pki_free(other);
}

/* A context that was replaced lives on under its connections. */
static void test_context_outlives_its_owner(void **state)
{
	struct tls_context *server = world_server(world->lib, world->ecdsa);
	struct pair p;

	pair_init(&p, 0, 0);
	pair_open(&p, server, world->client, NULL);
	tls_context_free(server);
	pair_expect_open(&p);
	pair_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_is_tls13),
		cmocka_unit_test(test_group_preference),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_group_refused),
		cmocka_unit_test(test_suites),
		cmocka_unit_test(test_narrow_transports),
		cmocka_unit_test(test_server_prefers),
		cmocka_unit_test(test_unknown_sni_is_ignored),
		cmocka_unit_test(test_client_certificate),
		cmocka_unit_test(test_context_outlives_its_owner),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
