/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/dataplane/gateway/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct text {
	char data[4096];
	size_t len;
};

static void text_take(struct text *t, BIO *bio)
{
	int n = BIO_read(bio, t->data, sizeof(t->data) - 1);

	assert_true(n > 0);
	t->len = (size_t)n;
	t->data[n] = '\0';
	BIO_free(bio);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

static X509 *make(
	EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, const char *cn, const char *names)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 30 * 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
	X509_set_pubkey(cert, key);
	add_extension(cert, issuer ? issuer : cert, NID_basic_constraints,
		issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
	if (names)
		add_extension(cert, issuer, NID_subject_alt_name, names);
	assert_true(X509_sign(cert, issuer ? issuer_key : key, EVP_sha256()) > 0);
	return cert;
}

static void write_pair(X509 *cert, EVP_PKEY *key, struct text *chain, struct text *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(bio, cert);
	text_take(chain, bio);
	if (!key)
		return;
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	text_take(pem, bio);
}

static struct tls_context *server(struct tls_lib *lib, const struct text *chain,
	const struct text *key, struct tls_tickets *tickets)
{
	struct tls_keypair pair = {
		.chain = {chain->data, chain->len, "chain"},
		.key = {key->data, key->len, "key"},
	};
	struct tls_server_params params = {
		.keypairs = &pair, .keypair_count = 1, .tickets = tickets};
	struct tls_context *ctx;
	char err[256];

	assert_int_equal(tls_server_context_create(lib, &params, &ctx, err, sizeof(err)), 0);
	return ctx;
}

static struct tls_context *client(struct tls_lib *lib, const struct text *ca)
{
	struct tls_client_params params = {0};
	struct tls_context *ctx;
	char err[256];

	if (ca)
		params.ca = (struct tls_pem){ca->data, ca->len, "ca"};
	assert_int_equal(tls_client_context_create(lib, &params, &ctx, err, sizeof(err)), 0);
	return ctx;
}

void pki_contexts(struct tls_lib *lib, struct tls_lib *out_lib, struct tls_tickets *tickets,
	struct tls_context **server_ctx, struct tls_context **client_ctx,
	struct tls_context **hop_ctx, struct tls_context **out_ctx)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *ca = make(ca_key, NULL, NULL, "Test CA", NULL);
	X509 *gw = make(key, ca, ca_key, "gateway.example", "DNS:gateway.example");
	X509 *hop = make(key, ca, ca_key, "hop.example",
		"DNS:hop0.example,DNS:hop1.example,DNS:hop2.example");
	static struct text ca_pem, gw_pem, hop_pem, key_pem;

	write_pair(ca, NULL, &ca_pem, NULL);
	write_pair(gw, key, &gw_pem, &key_pem);
	write_pair(hop, NULL, &hop_pem, NULL);
	*server_ctx = server(lib, &gw_pem, &key_pem, tickets);
	*client_ctx = client(lib, &ca_pem);
	*hop_ctx = server(out_lib, &hop_pem, &key_pem, tickets);
	*out_ctx = client(out_lib, NULL);
	X509_free(ca);
	X509_free(gw);
	X509_free(hop);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(key);
}
