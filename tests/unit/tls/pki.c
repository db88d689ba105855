/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "tests/unit/tls/fixture.h"

static char *bio_take(BIO *bio)
{
	char *data, *text;
	long len = BIO_get_mem_data(bio, &data);

	text = malloc((size_t)len + 1);
	assert_non_null(text);
	memcpy(text, data, (size_t)len);
	text[len] = '\0';
	BIO_free(bio);
	return text;
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

struct pki_cert *pki_make(const struct pki_spec *spec)
{
	static long serial = 1;
	struct pki_cert *c = calloc(1, sizeof(*c));
	X509_NAME *name;
	X509 *issuer;
	BIO *bio;

	assert_non_null(c);
	switch (spec->key) {
	case PKI_ECDSA:
		c->key = EVP_EC_gen("P-256");
		break;
	case PKI_RSA:
		c->key = EVP_RSA_gen(2048);
		break;
	case PKI_RSA_WEAK:
		c->key = EVP_RSA_gen(1024);
		break;
	}
	c->x509 = X509_new();
	assert_non_null(c->key);
	assert_non_null(c->x509);
	issuer = spec->issuer != NULL ? spec->issuer->x509 : c->x509;
	X509_set_version(c->x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x509), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c->x509), spec->begin_s != 0 ? spec->begin_s : -86400);
	X509_gmtime_adj(X509_getm_notAfter(c->x509), spec->end_s != 0 ? spec->end_s : 30 * 86400);
	name = X509_get_subject_name(c->x509);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)spec->cn, -1, -1, 0);
	X509_set_issuer_name(c->x509, X509_get_subject_name(issuer));
	X509_set_pubkey(c->x509, c->key);
	add_extension(
		c->x509, issuer, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "CA:FALSE");
	add_extension(c->x509, issuer, NID_key_usage,
		spec->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	add_extension(c->x509, issuer, NID_subject_key_identifier, "hash");
	if (spec->issuer != NULL)
		add_extension(c->x509, issuer, NID_authority_key_identifier, "keyid");
	if (spec->san != NULL)
		add_extension(c->x509, issuer, NID_subject_alt_name, spec->san);
	if (spec->eku != NULL)
		add_extension(c->x509, issuer, NID_ext_key_usage, spec->eku);
	assert_true(X509_sign(c->x509, spec->issuer != NULL ? spec->issuer->key : c->key,
			    EVP_sha256()) > 0);

	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, c->x509);
	c->pem = bio_take(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, c->key, NULL, NULL, 0, NULL, NULL);
	c->key_pem = bio_take(bio);
	return c;
}

void pki_free(struct pki_cert *c)
{
	if (c == NULL)
		return;
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	free(c->pem);
	free(c->key_pem);
	free(c);
}

char *pki_concat(const struct pki_cert *const *certs, size_t count)
{
	size_t len = 1;
	char *text;

	for (size_t i = 0; i < count; i++)
		len += strlen(certs[i]->pem);
	text = calloc(1, len);
	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		strcat(text, certs[i]->pem);
	return text;
}

struct tls_pem pki_pem(const char *text, const char *name)
{
	return (struct tls_pem){.data = text, .len = text == NULL ? 0 : strlen(text), .name = name};
}

struct tls_keypair pki_keypair(const struct pki_cert *c)
{
	return (struct tls_keypair){
		.chain = pki_pem(c->pem, "cert.pem"),
		.key = pki_pem(c->key_pem, "key.pem"),
	};
}
