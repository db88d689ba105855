/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections. Each call empties the thread's error queue first: SSL_get_error() looks at the whole
 * of it, and what another connection left there must not fail this one.
 */
#include <errno.h>
#include <openssl/err.h>

#include "tls/internal.h"

/* Per record: header 5, tag 16, and in TLS 1.2 a nonce of 8, in 1.3 the content type. */
#define RECORD_OVERHEAD 29
#define RECORD_PAYLOAD  SSL3_RT_MAX_PLAIN_LENGTH
/* An answer to the peer's KeyUpdate, or our own, goes out with the next write. */
#define KEY_UPDATE_WIRE 64

static int conn_create(struct tls_context *ctx, const struct tls_transport *transport, void *arg,
	struct tls_conn **out)
{
	struct tls_conn *c = OPENSSL_zalloc(sizeof(*c));
	BIO *bio;

	ERR_clear_error();
	if (c == NULL)
		return -ENOMEM;
	tls_context_ref(ctx);
	c->ctx = ctx;
	c->transport = *transport;
	c->arg = arg;
	c->ssl = SSL_new(ctx->ssl_ctx);
	bio = tls_bio_create(ctx->lib, c);
	if (c->ssl == NULL || bio == NULL) {
		BIO_free(bio);
		tls_free(c);
		return -ENOMEM;
	}
	SSL_set_bio(c->ssl, bio, bio);
	*out = c;
	return 0;
}

int tls_accept(struct tls_context *ctx, const struct tls_transport *transport, void *arg,
	struct tls_conn **out)
{
	int ret = conn_create(ctx, transport, arg, out);

	if (ret == 0)
		SSL_set_accept_state((*out)->ssl);
	return ret;
}

int tls_connect(struct tls_context *ctx, const struct tls_transport *transport, void *arg,
	const struct tls_connect_params *params, struct tls_conn **out)
{
	struct tls_conn *c;
	int ret;

	ret = conn_create(ctx, transport, arg, &c);
	if (ret != 0)
		return ret;
	SSL_set_connect_state(c->ssl);
	c->verify = params->verify;
	c->keep_session = params->keep_session;
	if (params->verify)
		SSL_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
	ret = tls_verify_set_names(c->ssl, params->names, params->name_count);
	if (ret != 0)
		goto out;
	ret = -ENOMEM;
	/* RFC 6066 3: host names only. */
	if (params->sni != NULL && !tls_verify_is_address(params->sni) &&
		SSL_set_tlsext_host_name(c->ssl, params->sni) != 1)
		goto out;
	if (params->resume != NULL && SSL_set_session(c->ssl, (SSL_SESSION *)params->resume) != 1)
		goto out;
	*out = c;
	c = NULL;
	ret = 0;
out:
	tls_free(c);
	ERR_clear_error();
	return ret;
}

void tls_free(struct tls_conn *c)
{
	if (c == NULL)
		return;
	/* Without a close_notify SSL_free() would spoil the session for those who kept it. TLS has
	 * no such rule any more (RFC 5246 7.2.1), and a cut is told by tls_read(). */
	if (c->ssl != NULL && c->error == TLS_ERR_NONE)
		SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	SSL_SESSION_free(c->session);
	tls_context_free(c->ctx);
	OPENSSL_free(c->text);
	OPENSSL_free(c);
}

/* `ret` of an SSL_ function that did not succeed. */
static enum tls_status conn_result(struct tls_conn *c, int ret)
{
	switch (SSL_get_error(c->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		return tls_fail_openssl(c);
	}
}

/* What a completed handshake must have besides what OpenSSL saw to. */
static enum tls_status handshake_check(struct tls_conn *c)
{
	/* RFC 7627 5.3: without it a resumed or proxied session is not bound to this one. */
	if (SSL_version(c->ssl) == TLS1_2_VERSION && SSL_get_extms_support(c->ssl) != 1) {
		SSL_shutdown(c->ssl);
		return tls_fail(
			c, TLS_ERR_PROTOCOL, "the peer has no extended master secret", NULL);
	}
	/* A resumed session carries the verdict of the one before; OpenSSL does not enforce that.
	 */
	if (c->verify && (SSL_get0_peer_certificate(c->ssl) == NULL ||
				 SSL_get_verify_result(c->ssl) != X509_V_OK)) {
		SSL_shutdown(c->ssl);
		return tls_fail(c, TLS_ERR_CERTIFICATE, "certificate verification failed",
			X509_verify_cert_error_string(SSL_get_verify_result(c->ssl)));
	}
	c->handshake_done = true;
	return TLS_OK;
}

enum tls_status tls_handshake(struct tls_conn *c)
{
	enum tls_status status;
	int ret;

	if (c->error != TLS_ERR_NONE)
		return TLS_FAILED;
	if (c->handshake_done)
		return TLS_OK;
	ERR_clear_error();
	ret = SSL_do_handshake(c->ssl);
	if (ret == 1)
		return handshake_check(c);
	status = conn_result(c, ret);
	/* close_notify in place of a handshake message. */
	if (status == TLS_CLOSED)
		return tls_fail(
			c, TLS_ERR_TRANSPORT, "connection closed within the handshake", NULL);
	return status;
}

static enum tls_status conn_input(struct tls_conn *c, void *buf, size_t len, size_t *done,
	int (*input)(SSL *, void *, size_t, size_t *))
{
	int ret;

	*done = 0;
	if (c->error != TLS_ERR_NONE)
		return TLS_FAILED;
	if (!c->handshake_done)
		return tls_fail(c, TLS_ERR_PROTOCOL, "read before the handshake was done", NULL);
	ERR_clear_error();
	ret = input(c->ssl, buf, len, done);
	return ret == 1 ? TLS_OK : conn_result(c, ret);
}

enum tls_status tls_read(struct tls_conn *c, void *buf, size_t len, size_t *done)
{
	return conn_input(c, buf, len, done, SSL_read_ex);
}

enum tls_status tls_peek(struct tls_conn *c, void *buf, size_t len, size_t *done)
{
	return conn_input(c, buf, len, done, SSL_peek_ex);
}

static size_t record_count(size_t len)
{
	return (len + RECORD_PAYLOAD - 1) / RECORD_PAYLOAD;
}

enum tls_status tls_write(struct tls_conn *c, const void *buf, size_t len, size_t *done)
{
	int ret;

	*done = 0;
	if (c->error != TLS_ERR_NONE)
		return TLS_FAILED;
	if (!c->handshake_done)
		return tls_fail(c, TLS_ERR_PROTOCOL, "write before the handshake was done", NULL);
	if (len == 0)
		return TLS_OK;
	ERR_clear_error();
	if (c->records >= c->ctx->key_update_records && !c->writing &&
		SSL_version(c->ssl) == TLS1_3_VERSION &&
		SSL_key_update(c->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
		c->records = 0;
	ret = SSL_write_ex(c->ssl, buf, len, done);
	if (ret == 1) {
		c->writing = false;
		c->records += record_count(len);
		return TLS_OK;
	}
	c->writing = true;
	return conn_result(c, ret);
}

enum tls_status tls_shutdown(struct tls_conn *c)
{
	int ret;

	if (c->error != TLS_ERR_NONE)
		return TLS_FAILED;
	/* Before the handshake is done there is nothing to close in order. */
	if (!c->handshake_done)
		return TLS_OK;
	ERR_clear_error();
	ret = SSL_shutdown(c->ssl);
	if (ret >= 0)
		return TLS_OK;
	return conn_result(c, ret);
}

size_t tls_pending(const struct tls_conn *c)
{
	return (size_t)SSL_pending(c->ssl);
}

size_t tls_wire_size(const struct tls_conn *c, size_t len)
{
	return len + record_count(len) * RECORD_OVERHEAD + KEY_UPDATE_WIRE;
}

struct tls_session *tls_take_session(struct tls_conn *c)
{
	SSL_SESSION *session = c->session;

	c->session = NULL;
	/* A ticket renewed in a resumed handshake of 1.2 comes without a callback. */
	if (session == NULL && c->keep_session && c->handshake_done &&
		SSL_version(c->ssl) == TLS1_2_VERSION && SSL_session_reused(c->ssl) &&
		SSL_SESSION_is_resumable(SSL_get0_session(c->ssl))) {
		session = SSL_get1_session(c->ssl);
		c->keep_session = false;
	}
	return (struct tls_session *)session;
}

void tls_session_free(struct tls_session *session)
{
	SSL_SESSION_free((SSL_SESSION *)session);
}
