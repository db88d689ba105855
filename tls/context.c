/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Server and client contexts: one SSL_CTX each, immutable once built, shared by reference count
 * with the connections made from it. A change of certificate or key is a new context; old
 * connections end under the old one. Ticket keys alone change under it (ticket.c).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "tls/internal.h"

/* The strong profile: AEAD and ECDHE (RFC 9325 4.2), in the order that we prefer. */
#define STRONG_CIPHERS                                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
#define STRONG_SUITES "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"

/*
 * One name that the library lacks fails a whole list, so the best is tried first. OpenSSL 3.5's '*'
 * sends a key share of both, so that a server without ML-KEM costs no second round trip, and '/'
 * lets a server take X25519MLKEM768 from a client that has it even if it sent no share.
 */
static const char *const strong_groups[] = {
	"*X25519MLKEM768/*X25519:P-256:P-384",
	"X25519MLKEM768:X25519:P-256:P-384",
	"X25519:P-256:P-384",
};

#define TICKET_LIFETIME_S 7200

static int context_error(int ret, char *err, size_t err_size, const char *what)
{
	snprintf(err, err_size, "TLS context: %s: %s", what, tls_openssl_reason());
	return ret;
}

static bool set_groups(SSL_CTX *ssl_ctx)
{
	for (size_t i = 0; i < sizeof(strong_groups) / sizeof(strong_groups[0]); i++)
		if (SSL_CTX_set1_groups_list(ssl_ctx, strong_groups[i]) == 1) {
			ERR_clear_error();
			return true;
		}
	return false;
}

int tls_ssl_ctx_create(OSSL_LIB_CTX *ossl, enum tls_profile profile, bool server, SSL_CTX **out,
	char *err, size_t err_size)
{
	SSL_CTX *ssl_ctx;
	uint64_t options =
		SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE;

	ERR_clear_error();
	if (profile != TLS_PROFILE_STRONG) {
		snprintf(err, err_size, "TLS context: unknown profile %d", (int)profile);
		return -EINVAL;
	}
	ssl_ctx = SSL_CTX_new_ex(ossl, NULL, server ? TLS_server_method() : TLS_client_method());
	if (ssl_ctx == NULL)
		return context_error(-ENOMEM, err, err_size, "create");
#ifdef SSL_OP_NO_TX_CERTIFICATE_COMPRESSION
	options |= SSL_OP_NO_TX_CERTIFICATE_COMPRESSION | SSL_OP_NO_RX_CERTIFICATE_COMPRESSION;
#endif
	SSL_CTX_set_options(ssl_ctx, options);
	/* At level 2 RSA keys below 2048 bits and SHA-1 signatures are refused. */
	SSL_CTX_set_security_level(ssl_ctx, 2);
	/* AUTO_RETRY: WANT_READ must mean that the transport is empty, not that the record just
	 * read was a ticket or a KeyUpdate; nobody would wake the connection for what is already
	 * there. */
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_AUTO_RETRY);
	SSL_CTX_clear_mode(ssl_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
	SSL_CTX_set_read_ahead(ssl_ctx, 0); /* see bio.c */
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ssl_ctx, TICKET_LIFETIME_S);
	SSL_CTX_set_max_early_data(ssl_ctx, 0);
	SSL_CTX_set_recv_max_early_data(ssl_ctx, 0);
	if (SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_3_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(ssl_ctx, STRONG_CIPHERS) != 1 ||
		SSL_CTX_set_ciphersuites(ssl_ctx, STRONG_SUITES) != 1 || !set_groups(ssl_ctx)) {
		context_error(-EIO, err, err_size, "profile");
		SSL_CTX_free(ssl_ctx);
		return -EIO;
	}
	tls_verify_install(ssl_ctx);
	*out = ssl_ctx;
	return 0;
}

static struct tls_context *context_create(struct tls_lib *lib, enum tls_profile profile,
	bool server, int *ret, char *err, size_t err_size)
{
	struct tls_context *ctx = OPENSSL_zalloc(sizeof(*ctx));

	if (ctx == NULL) {
		snprintf(err, err_size, "TLS context: out of memory");
		*ret = -ENOMEM;
		return NULL;
	}
	atomic_init(&ctx->refs, 1);
	ctx->lib = lib;
	ctx->key_update_records = TLS_KEY_UPDATE_RECORDS;
	*ret = tls_ssl_ctx_create(lib->ossl, profile, server, &ctx->ssl_ctx, err, err_size);
	if (*ret != 0) {
		tls_context_free(ctx);
		return NULL;
	}
	SSL_CTX_set_app_data(ctx->ssl_ctx, ctx);
	return ctx;
}

static int set_anchors(
	struct tls_context *ctx, const struct tls_pem *ca, char *err, size_t err_size)
{
	X509_STORE *store = NULL;
	int ret;

	if (ca->len == 0)
		return 0;
	ret = tls_pem_read_store(ctx->lib->ossl, ca, &store, err, err_size);
	if (ret != 0)
		return ret;
	SSL_CTX_set_cert_store(ctx->ssl_ctx, store);
	return 0;
}

/*
 * RFC 7627 5.2: a client of TLS 1.2 without the extension is refused, with an alert. Whether it
 * will be 1.2 is known from supported_versions: with 1.3 in it, 1.3 is what we choose.
 */
static int client_hello(SSL *ssl, int *alert, void *arg)
{
	const unsigned char *ext;
	size_t len;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &ext, &len) == 1)
		for (size_t i = 1; i + 1 < len; i += 2)
			if (ext[i] == 0x03 && ext[i + 1] == 0x04)
				return SSL_CLIENT_HELLO_SUCCESS;
	if (SSL_client_hello_get0_legacy_version(ssl) < TLS1_2_VERSION ||
		SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_extended_master_secret, &ext, &len) == 1)
		return SSL_CLIENT_HELLO_SUCCESS;
	tls_conn_of(ssl)->no_ems = true;
	*alert = SSL_AD_HANDSHAKE_FAILURE;
	return SSL_CLIENT_HELLO_ERROR;
}

/* RFC 6066 3: a name that we do not know is no error, strangers' resolvers decide what we are
 * called. The certificate does not depend on it. */
static int server_name(SSL *ssl, int *alert, void *arg)
{
	return SSL_TLSEXT_ERR_NOACK;
}

/* A ticket is good only where the same would have been asked of the client. */
static int set_session_id_contexts(
	struct tls_context *ctx, const struct tls_server_params *params, char *err, size_t err_size)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	bool ok = md != NULL;

	for (uint8_t asks = 0; ok && asks < 2; asks++) {
		uint8_t head[2] = {(uint8_t)params->profile, asks};

		ok = EVP_DigestInit_ex2(md, ctx->lib->sha256, NULL) == 1 &&
		     EVP_DigestUpdate(md, head, sizeof(head)) == 1 &&
		     EVP_DigestUpdate(md, params->client_ca.data, params->client_ca.len) == 1 &&
		     EVP_DigestFinal_ex(md, digest, &len) == 1;
		memcpy(ctx->session_id_context[asks], digest, SSL_MAX_SID_CTX_LENGTH);
	}
	ok = ok && SSL_CTX_set_session_id_context(ctx->ssl_ctx,
			   ctx->session_id_context[params->request_client_certificate],
			   SSL_MAX_SID_CTX_LENGTH) == 1;
	EVP_MD_CTX_free(md);
	return ok ? 0 : context_error(-ENOMEM, err, err_size, "session id context");
}

static int set_tickets(
	struct tls_context *ctx, const struct tls_server_params *params, char *err, size_t err_size)
{
	int ret;

	if (params->tickets == NULL && params->ticket_key_count == 0) {
		SSL_CTX_set_options(ctx->ssl_ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx->ssl_ctx, 0);
		return 0;
	}
	if (params->ticket_key_count > TLS_TICKET_KEYS_MAX) {
		snprintf(err, err_size, "TLS context: more than %d ticket keys",
			TLS_TICKET_KEYS_MAX);
		return -E2BIG;
	}
	ctx->tickets = params->tickets;
	if (ctx->tickets == NULL) {
		ret = tls_tickets_create_from(
			params->ticket_keys, params->ticket_key_count, &ctx->own_tickets);
		if (ret != 0)
			return context_error(ret, err, err_size, "ticket keys");
		ctx->tickets = ctx->own_tickets;
	}
	tls_ticket_install(ctx);
	/* A mail client comes back with one connection at a time; each ticket costs us a
	 * signature's tenth of CPU. */
	if (SSL_CTX_set_num_tickets(ctx->ssl_ctx, 1) != 1)
		return context_error(-EIO, err, err_size, "tickets");
	return 0;
}

int tls_server_context_create(struct tls_lib *lib, const struct tls_server_params *params,
	struct tls_context **out, char *err, size_t err_size)
{
	struct tls_context *ctx;
	int ret;

	if (params->keypair_count == 0) {
		snprintf(err, err_size, "TLS context: no certificate");
		return -EINVAL;
	}
	ctx = context_create(lib, params->profile, true, &ret, err, err_size);
	if (ctx == NULL)
		return ret;
	/* From the last to the first: the one set last is what OpenSSL takes for the default. */
	for (size_t i = params->keypair_count; i-- > 0;) {
		ret = tls_keypair_use(
			ctx->ssl_ctx, lib->ossl, &params->keypairs[i], NULL, NULL, err, err_size);
		if (ret != 0)
			goto out;
	}
	ret = set_anchors(ctx, &params->client_ca, err, err_size);
	if (ret != 0)
		goto out;
	ret = set_session_id_contexts(ctx, params, err, err_size);
	if (ret != 0)
		goto out;
	ret = set_tickets(ctx, params, err, err_size);
	if (ret != 0)
		goto out;
	SSL_CTX_set_verify(ctx->ssl_ctx,
		params->request_client_certificate ? SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE
						   : SSL_VERIFY_NONE,
		NULL);
	SSL_CTX_set_client_hello_cb(ctx->ssl_ctx, client_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx->ssl_ctx, server_name);
	*out = ctx;
	ctx = NULL;
out:
	tls_context_free(ctx);
	ERR_clear_error();
	return ret;
}

/* Kept for the connection that the ticket came on; returning 1 takes the reference. */
static int new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_conn *c = tls_conn_of(ssl);

	if (!c->keep_session)
		return 0;
	SSL_SESSION_free(c->session);
	c->session = session;
	return 1;
}

int tls_client_context_create(struct tls_lib *lib, const struct tls_client_params *params,
	struct tls_context **out, char *err, size_t err_size)
{
	struct tls_context *ctx;
	int ret;

	ctx = context_create(lib, params->profile, false, &ret, err, err_size);
	if (ctx == NULL)
		return ret;
	ret = set_anchors(ctx, &params->ca, err, err_size);
	if (ret == 0 && params->keypair.chain.len > 0)
		ret = tls_keypair_use(
			ctx->ssl_ctx, lib->ossl, &params->keypair, NULL, NULL, err, err_size);
	if (ret == 0) {
		SSL_CTX_set_session_cache_mode(
			ctx->ssl_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx->ssl_ctx, new_session);
		*out = ctx;
		ctx = NULL;
	}
	tls_context_free(ctx);
	ERR_clear_error();
	return ret;
}

void tls_context_ref(struct tls_context *ctx)
{
	atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
}

void tls_context_free(struct tls_context *ctx)
{
	if (ctx == NULL || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_CTX_free(ctx->ssl_ctx);
	tls_tickets_destroy(ctx->own_tickets);
	OPENSSL_free(ctx);
}
