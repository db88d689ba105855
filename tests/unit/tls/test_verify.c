/* SPDX-License-Identifier: BSD-3-Clause */
/* Every way in which a server's certificate can be wrong, enforced and only reported. */
#include <errno.h>
#include <stdlib.h>
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

struct expect {
	enum tls_error error; /* NONE: verified */
	const char *text;     /* that the client's message must hold */
};

/* One server certificate against one client, with `verify` and without, in both versions. */
static void check(struct tls_context *server, struct tls_context *client, const char *const *names,
	size_t name_count, const struct expect *expect)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
		for (int enforce = 0; enforce < 2; enforce++) {
			struct tls_connect_params params = {
				.names = names, .name_count = name_count, .verify = enforce};
			struct tls_info info;
			struct pair p;

			pair_init(&p, 0, 0);
			pair_open(&p, server, client, &params);
			SSL_set_max_proto_version(p.client->ssl, version);
			pair_handshake(&p);
			if (expect->error == TLS_ERR_NONE || !enforce) {
				if (p.client_status != TLS_OK)
					fail_msg("client: %s", tls_error_text(p.client));
				tls_get_info(p.client, &info);
				assert_int_equal(info.verified, expect->error == TLS_ERR_NONE);
				assert_int_equal(info.verify_error[0] == '\0', info.verified);
			} else {
				assert_int_equal(p.client_status, TLS_FAILED);
				if (tls_error(p.client) != expect->error ||
					strstr(tls_error_text(p.client), expect->text) == NULL)
					fail_msg("%s: %s", tls_error_name(tls_error(p.client)),
						tls_error_text(p.client));
				/* The server was told. In 1.3 it is done before the alert comes. */
				if (p.server_status == TLS_OK) {
					uint8_t b;
					size_t done;

					assert_int_equal(
						tls_read(p.server, &b, 1, &done), TLS_FAILED);
				}
				assert_int_equal(tls_error(p.server), TLS_ERR_ALERT);
			}
			pair_free(&p);
		}
}

static void check_cert(const struct pki_cert *cert, const char *ca, const char *name,
	enum tls_error error, const char *text)
{
	struct tls_context *server = world_server(world->lib, cert);
	struct tls_context *client = world_client(world->lib2, ca);

	check(server, client, &name, name != NULL, &(struct expect){error, text});
	tls_context_free(server);
	tls_context_free(client);
}

static void check_names(
	const char *san, const char *const *names, size_t count, enum tls_error error)
{
	struct pki_cert *cert = pki_make(
		&(struct pki_spec){.cn = "cn.example.com", .san = san, .issuer = world->root});
	struct tls_context *server = world_server(world->lib, cert);

	check(server, world->client, names, count,
		&(struct expect){error, "certificate is not for"});
	tls_context_free(server);
	pki_free(cert);
}

static void check_name(const char *san, const char *name, enum tls_error error)
{
	check_names(san, &name, 1, error);
}

static void test_right(void **state)
{
	const char *name = "mx.example.com";

	check(world->server, world->client, &name, 1, &(struct expect){TLS_ERR_NONE, ""});
	check(world->server, world->client, NULL, 0, &(struct expect){TLS_ERR_NONE, ""});
}

static void test_names(void **state)
{
	check_name("DNS:mx.example.com", "mx.example.com", TLS_ERR_NONE);
	check_name("DNS:MX.example.COM", "mx.EXAMPLE.com", TLS_ERR_NONE);
	check_name("DNS:mx.example.com", "mx.example.com.", TLS_ERR_NONE);
	check_name("DNS:mx.example.com", "mx2.example.com", TLS_ERR_NAME);
	check_name("DNS:mx.example.com", "example.com", TLS_ERR_NAME);
	check_name("DNS:mx.example.com", "a.mx.example.com", TLS_ERR_NAME);
	/* RFC 9525 6.3: the whole leftmost label, and no more than one. */
	check_name("DNS:*.example.com", "mx.example.com", TLS_ERR_NONE);
	check_name("DNS:*.example.com", "a.mx.example.com", TLS_ERR_NAME);
	check_name("DNS:*.example.com", "example.com", TLS_ERR_NAME);
	check_name("DNS:m*.example.com", "mx.example.com", TLS_ERR_NAME);
	check_name("DNS:*x.example.com", "mx.example.com", TLS_ERR_NAME);
	check_name("DNS:mx.*.com", "mx.example.com", TLS_ERR_NAME);
	/* RFC 9525 2: the subject's CN is no name, with SANs or without. */
	check_name("DNS:mx.example.com", "cn.example.com", TLS_ERR_NAME);
	check_name(NULL, "cn.example.com", TLS_ERR_NAME);
	check_name("email:mx@example.com", "cn.example.com", TLS_ERR_NAME);
	/* Addresses are addresses, not names. */
	check_name("IP:192.0.2.1", "192.0.2.1", TLS_ERR_NONE);
	check_name("IP:2001:db8::1", "2001:db8:0::1", TLS_ERR_NONE);
	check_name("IP:192.0.2.2", "192.0.2.1", TLS_ERR_NAME);
	check_name("DNS:192.0.2.1", "192.0.2.1", TLS_ERR_NAME);
}

static void test_several_names(void **state)
{
	static const char *const names[] = {"a.example.com", "b.example.com", "c.example.com"};

	check_names("DNS:c.example.com", names, 3, TLS_ERR_NONE);
	check_names("DNS:x.example.com,DNS:b.example.com", names, 3, TLS_ERR_NONE);
	check_names("DNS:x.example.com", names, 3, TLS_ERR_NAME);
}

static void test_bad_names_are_refused(void **state)
{
	static const char *const bad[] = {"", ".", ".example.com"};

	for (size_t i = 0; i < 3; i++) {
		struct tls_connect_params params = {.names = &bad[i], .name_count = 1};
		struct end end = {0};
		struct tls_conn *c;

		assert_int_equal(
			tls_connect(world->client, &end_transport, &end, &params, &c), -EINVAL);
	}
}

static void test_chains(void **state)
{
	struct pki_cert *self =
		pki_make(&(struct pki_spec){.cn = "self", .san = "DNS:mx.example.com"});
	struct pki_cert *other = pki_make(&(struct pki_spec){.cn = "Other", .ca = true});
	struct pki_cert *leaf = pki_make(
		&(struct pki_spec){.cn = "mx", .san = "DNS:mx.example.com", .issuer = world->root});
	/* Signed by a leaf: no CA. */
	struct pki_cert *child = pki_make(
		&(struct pki_spec){.cn = "child", .san = "DNS:mx.example.com", .issuer = leaf});
	char *chain = pki_concat((const struct pki_cert *[]){child, leaf}, 2);
	char *both = pki_concat((const struct pki_cert *[]){other, world->root}, 2);
	char *child_pem = child->pem;

	check_cert(leaf, world->root->pem, "mx.example.com", TLS_ERR_NONE, "");
	check_cert(leaf, both, "mx.example.com", TLS_ERR_NONE, "");
	check_cert(leaf, other->pem, "mx.example.com", TLS_ERR_CERTIFICATE, "issuer certificate");
	check_cert(leaf, NULL, "mx.example.com", TLS_ERR_CERTIFICATE, "issuer certificate");
	check_cert(self, world->root->pem, "mx.example.com", TLS_ERR_CERTIFICATE, "self-signed");
	/* A server's own certificate as the anchor, and an intermediate: both as the operator says.
	 */
	check_cert(self, self->pem, "mx.example.com", TLS_ERR_NONE, "");
	check_cert(leaf, leaf->pem, "mx.example.com", TLS_ERR_NONE, "");
	check_cert(world->ecdsa, world->inter->pem, "mx.example.com", TLS_ERR_NONE, "");
	/* The intermediate not sent. */
	check_cert(world->ecdsa, world->root->pem, "mx.example.com", TLS_ERR_CERTIFICATE,
		"issuer certificate");
	child->pem = chain;
	check_cert(
		child, world->root->pem, "mx.example.com", TLS_ERR_CERTIFICATE, "CA certificate");
	child->pem = child_pem;
	/* A bad chain and a wrong name: the chain is what is told. */
	check_cert(self, world->root->pem, "wrong.example.com", TLS_ERR_CERTIFICATE, "self-signed");
	free(chain);
	free(both);
	pki_free(self);
	pki_free(other);
	pki_free(leaf);
	pki_free(child);
}

static void test_times(void **state)
{
	struct pki_cert *expired = pki_make(&(struct pki_spec){.cn = "mx",
		.san = "DNS:mx.example.com",
		.issuer = world->root,
		.begin_s = -86400,
		.end_s = -3600});
	struct pki_cert *future = pki_make(&(struct pki_spec){.cn = "mx",
		.san = "DNS:mx.example.com",
		.issuer = world->root,
		.begin_s = 3600,
		.end_s = 86400});
	struct pki_cert *old_ca = pki_make(
		&(struct pki_spec){.cn = "Old", .ca = true, .begin_s = -86400, .end_s = -3600});
	struct pki_cert *leaf = pki_make(
		&(struct pki_spec){.cn = "mx", .san = "DNS:mx.example.com", .issuer = old_ca});

	check_cert(expired, world->root->pem, "mx.example.com", TLS_ERR_CERTIFICATE, "expired");
	check_cert(expired, world->root->pem, "wrong.example.com", TLS_ERR_CERTIFICATE, "expired");
	check_cert(
		future, world->root->pem, "mx.example.com", TLS_ERR_CERTIFICATE, "not yet valid");
	check_cert(leaf, old_ca->pem, "mx.example.com", TLS_ERR_CERTIFICATE, "expired");
	pki_free(expired);
	pki_free(future);
	pki_free(leaf);
	pki_free(old_ca);
}

static void test_reported_details(void **state)
{
	struct pki_cert *cert = pki_make(&(struct pki_spec){
		.cn = "mx", .san = "DNS:mx.example.com", .issuer = world->root, .end_s = 1000});
	struct tls_context *server = world_server(world->lib, cert);
	uint8_t digest[32];
	struct tls_info info;
	struct pair p;
	time_t now = time(NULL);

	pair_init(&p, 0, 0);
	pair_open(&p, server, world->client, NULL);
	pair_expect_open(&p);
	tls_get_info(p.client, &info);
	X509_digest(cert->x509, EVP_sha256(), digest, NULL);
	assert_memory_equal(digest, info.peer_sha256, 32);
	assert_in_range(info.peer_not_after, now + 900, now + 1000);
	pair_free(&p);
	tls_context_free(server);
	pki_free(cert);
}

/* The calendar, against OpenSSL's own comparison. */
static void test_asn1_time(void **state)
{
	static const struct {
		const char *text;
		time_t t;
	} cases[] = {
		{"700101000000Z", 0},
		{"000229235959Z", 951868799},
		{"000301000000Z", 951868800},
		{"491231235959Z", 2524607999},
		{"20991231235959Z", 4102444799},
		{"21000301000000Z", 4107542400},
		{"99991231235959Z", 253402300799},
		{"19500101000000Z", -631152000},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ASN1_TIME *t = ASN1_TIME_new();

		assert_int_equal(ASN1_TIME_set_string(t, cases[i].text), 1);
		assert_int_equal(tls_time_from_asn1(t), cases[i].t);
		assert_int_equal(ASN1_TIME_cmp_time_t(t, cases[i].t), 0);
		ASN1_TIME_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_several_names),
		cmocka_unit_test(test_bad_names_are_refused),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_reported_details),
		cmocka_unit_test(test_asn1_time),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
