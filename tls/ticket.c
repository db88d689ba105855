/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Session tickets (RFC 5077, RFC 8446 4.6.1). The keys are the caller's and the same on every
 * worker, so a ticket resumes wherever RSS takes the next connection; nothing is kept on our side.
 */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "tls/internal.h"

#define TICKET_NAME_SIZE 16
#define TICKET_HMAC_SIZE 32
#define TICKET_AES_SIZE  32
#define TICKET_IV_SIZE   16
static_assert(
	TICKET_NAME_SIZE + TICKET_HMAC_SIZE + TICKET_AES_SIZE == TLS_TICKET_KEY_SIZE, "layout");

/* Immutable once published. */
struct tls_ticket_set {
	size_t count;
	uint8_t keys[TLS_TICKET_KEYS_MAX][TLS_TICKET_KEY_SIZE]; /* first encrypts, all decrypt */
};

struct tls_tickets {
	_Atomic(struct tls_ticket_set *) set; // control: rw, workers: ro
};

/* Three keys with a rotation at half of a ticket's lifetime: none is forgotten before its time. */
#define TICKET_KEYS_KEPT 3

static bool ticket_set_mac(EVP_MAC_CTX *mac, const uint8_t *key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
			(void *)(uintptr_t)(key + TICKET_NAME_SIZE), TICKET_HMAC_SIZE),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA2-256"}, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL's contract: 1 done, 2 done but give the client a new one, 0 unknown key, -1 error. */
static int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_context *ctx = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct tls_lib *lib = ctx->lib;
	const struct tls_ticket_set *set =
		atomic_load_explicit(&ctx->tickets->set, memory_order_acquire);

	if (encrypt) {
		const uint8_t *key = set->keys[0];

		if (RAND_bytes_ex(lib->ossl, iv, TICKET_IV_SIZE, 0) != 1)
			return -1;
		memcpy(name, key, TICKET_NAME_SIZE);
		if (EVP_EncryptInit_ex2(cipher, lib->cbc, key + TICKET_NAME_SIZE + TICKET_HMAC_SIZE,
			    iv, NULL) != 1 ||
			!ticket_set_mac(mac, key))
			return -1;
		return 1;
	}
	for (size_t i = 0; i < set->count; i++) {
		const uint8_t *key = set->keys[i];

		if (memcmp(name, key, TICKET_NAME_SIZE) != 0)
			continue;
		if (!ticket_set_mac(mac, key) ||
			EVP_DecryptInit_ex2(cipher, lib->cbc,
				key + TICKET_NAME_SIZE + TICKET_HMAC_SIZE, iv, NULL) != 1)
			return -1;
		/* In 1.3 a ticket is good for one use (RFC 8446 C.4): each brings the next. */
		return i == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
	}
	return 0;
}

/*
 * A ticket holds the client's certificate but not the intermediates that came with it, and the
 * certificate is judged anew at each MAIL (peer.c): without them a resumed client would be refused
 * that was let in before. So such a ticket is marked, and answered by a full handshake.
 */
static int ticket_made(SSL *ssl, void *arg)
{
	static const uint8_t mark = 1;
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);

	if (chain == NULL || sk_X509_num(chain) == 0)
		return 1;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &mark, sizeof(mark));
}

static SSL_TICKET_RETURN ticket_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
	size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
	size_t len = 0;
	void *mark;

	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (SSL_SESSION_get0_ticket_appdata(session, &mark, &len) == 1 && len > 0)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void tls_ticket_install(struct tls_context *ctx)
{
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx->ssl_ctx, ticket_key);
	SSL_CTX_set_session_ticket_cb(ctx->ssl_ctx, ticket_made, ticket_opened, NULL);
}

int tls_ticket_keys_rotate(uint8_t (*keys)[TLS_TICKET_KEY_SIZE], size_t *count, size_t max)
{
	uint8_t fresh[TLS_TICKET_KEY_SIZE];
	size_t keep = *count < max ? *count : max - 1;

	if (max == 0)
		return -EINVAL;
	if (RAND_priv_bytes(fresh, sizeof(fresh)) != 1)
		return -EIO;
	memmove(keys[1], keys[0], keep * sizeof(keys[0]));
	memcpy(keys[0], fresh, sizeof(fresh));
	OPENSSL_cleanse(fresh, sizeof(fresh));
	*count = keep + 1;
	return 0;
}

int tls_tickets_create_from(
	const uint8_t (*keys)[TLS_TICKET_KEY_SIZE], size_t count, struct tls_tickets **out)
{
	struct tls_tickets *t = calloc(1, sizeof(*t));
	struct tls_ticket_set *set = calloc(1, sizeof(*set));

	if (t == NULL || set == NULL) {
		free(t);
		free(set);
		return -ENOMEM;
	}
	memcpy(set->keys, keys, count * sizeof(set->keys[0]));
	set->count = count;
	atomic_init(&t->set, set);
	*out = t;
	return 0;
}

int tls_tickets_create(struct tls_tickets **out)
{
	uint8_t key[1][TLS_TICKET_KEY_SIZE];
	size_t count = 0;
	int ret = tls_ticket_keys_rotate(key, &count, 1);

	if (ret == 0)
		ret = tls_tickets_create_from((const uint8_t(*)[TLS_TICKET_KEY_SIZE])key, 1, out);
	OPENSSL_cleanse(key, sizeof(key));
	return ret;
}

int tls_tickets_rotate(struct tls_tickets *t, struct tls_ticket_set **old)
{
	struct tls_ticket_set *set = malloc(sizeof(*set));
	struct tls_ticket_set *present = atomic_load_explicit(&t->set, memory_order_relaxed);
	int ret;

	if (set == NULL)
		return -ENOMEM;
	*set = *present;
	ret = tls_ticket_keys_rotate(set->keys, &set->count, TICKET_KEYS_KEPT);
	if (ret != 0) {
		tls_ticket_set_free(set);
		return ret;
	}
	atomic_store_explicit(&t->set, set, memory_order_release);
	*old = present;
	return 0;
}

void tls_ticket_set_free(struct tls_ticket_set *set)
{
	if (set != NULL)
		OPENSSL_cleanse(set, sizeof(*set));
	free(set);
}

void tls_tickets_destroy(struct tls_tickets *t)
{
	if (t != NULL)
		tls_ticket_set_free(atomic_load_explicit(&t->set, memory_order_relaxed));
	free(t);
}
