/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/pem.h>

#include "tls/internal.h"

#define SAY(...) (fprintf(stderr, "postgate-load: " __VA_ARGS__), fputc('\n', stderr))

static char *bio_text(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *text = malloc((size_t)len + 1);

	if (text != NULL) {
		memcpy(text, data, (size_t)len);
		text[len] = '\0';
	}
	BIO_free(bio);
	return text;
}

/* ECDSA P-256, for a day. */
static int make_pair(char **chain, char **key)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name;
	BIO *bio;
	int rc = -EIO;

	if (!pkey || !cert)
		goto out;
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	name = X509_get_subject_name(cert);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const uint8_t *)"sink.postgate-load", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, pkey);
	if (X509_sign(cert, pkey, EVP_sha256()) <= 0)
		goto out;
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, cert);
	*chain = bio_text(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
	*key = bio_text(bio);
	rc = *chain && *key ? 0 : -ENOMEM;
out:
	X509_free(cert);
	EVP_PKEY_free(pkey);
	return rc;
}

static int read_file(const char *file, char **out)
{
	FILE *f = fopen(file, "re");
	size_t size = 0;
	ssize_t n = f ? getdelim(out, &size, '\0', f) : -1;

	if (f)
		fclose(f);
	if (n <= 0) {
		SAY("%s: cannot be read", file);
		return -EINVAL;
	}
	return 0;
}

static int set_version(struct tls_context *ctx, const char *version)
{
	int v = version && strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;

	if (!version)
		return 0;
	return SSL_CTX_set_min_proto_version(ctx->ssl_ctx, v) == 1 &&
			       SSL_CTX_set_max_proto_version(ctx->ssl_ctx, v) == 1
		       ? 0
		       : -EINVAL;
}

int certificate_client_context(
	struct tls_lib *lib, const char *version, const char *groups, struct tls_context **out)
{
	const struct tls_client_params params = {.profile = TLS_PROFILE_STRONG};
	char err[256];
	int rc = tls_client_context_create(lib, &params, out, err, sizeof(err));

	if (rc < 0) {
		SAY("TLS: %s", err);
		return rc;
	}
	if (set_version(*out, version) < 0 ||
		(groups && SSL_CTX_set1_groups_list((*out)->ssl_ctx, groups) != 1)) {
		SAY("TLS: OpenSSL knows no such version or groups");
		tls_context_free(*out);
		return -EINVAL;
	}
	return 0;
}

int certificate_server_context(
	struct tls_lib *lib, const char *chain, const char *key, struct tls_context **out)
{
	char *chain_pem = NULL, *key_pem = NULL, err[256];
	struct tls_keypair pair = {{.name = chain ? chain : "own"}, {.name = key ? key : "own"}};
	uint8_t keys[1][TLS_TICKET_KEY_SIZE];
	struct tls_server_params params = {
		.profile = TLS_PROFILE_STRONG,
		.keypairs = &pair,
		.keypair_count = 1,
		.ticket_keys = keys,
		.ticket_key_count = 0,
	};
	int rc;

	rc = chain ? read_file(chain, &chain_pem) : make_pair(&chain_pem, &key_pem);
	if (rc == 0 && chain)
		rc = read_file(key, &key_pem);
	if (rc == 0)
		rc = tls_ticket_keys_rotate(keys, &params.ticket_key_count, 1);
	if (rc == 0) {
		pair.chain.data = chain_pem;
		pair.chain.len = strlen(chain_pem);
		pair.key.data = key_pem;
		pair.key.len = strlen(key_pem);
		rc = tls_server_context_create(lib, &params, out, err, sizeof(err));
		if (rc < 0)
			SAY("TLS: %s", err);
	}
	free(chain_pem);
	free(key_pem);
	return rc;
}
