/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * OpenSSL's error queue, made into one reason and one line. The queue is the thread's, not the
 * connection's: conn.c empties it before each call, and this file after each failure.
 *
 * Only reason strings go into the line, never the data that OpenSSL attaches: those can hold input.
 */
#include <errno.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "tls/internal.h"

static const char *const error_names[TLS_ERRORS] = {
	[TLS_ERR_NONE] = "none",
	[TLS_ERR_PROTOCOL] = "protocol",
	[TLS_ERR_VERSION] = "version",
	[TLS_ERR_CIPHER] = "cipher",
	[TLS_ERR_CERTIFICATE] = "certificate",
	[TLS_ERR_NAME] = "name",
	[TLS_ERR_ALERT] = "alert",
	[TLS_ERR_TRANSPORT] = "transport",
	[TLS_ERR_MEMORY] = "memory",
};

const char *tls_error_name(enum tls_error e)
{
	return (unsigned int)e < TLS_ERRORS ? error_names[e] : "unknown";
}

static enum tls_error error_of_reason(int reason)
{
	switch (reason) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_VERSION_TOO_HIGH:
	case SSL_R_UNKNOWN_SSL_VERSION:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_R_INAPPROPRIATE_FALLBACK:
		return TLS_ERR_VERSION;
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SHARED_GROUPS:
	case SSL_R_NO_SUITABLE_GROUPS:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_CIPHERS_AVAILABLE:
	case SSL_R_UNKNOWN_CIPHER_RETURNED:
	case SSL_R_WRONG_CIPHER_RETURNED:
	case SSL_R_WRONG_CURVE:
		return TLS_ERR_CIPHER;
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_EE_KEY_TOO_SMALL:
	case SSL_R_CA_KEY_TOO_SMALL:
	case SSL_R_CA_MD_TOO_WEAK:
		return TLS_ERR_CERTIFICATE;
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return TLS_ERR_TRANSPORT;
	default:
		return TLS_ERR_PROTOCOL;
	}
}

enum tls_status tls_fail(
	struct tls_conn *c, enum tls_error error, const char *what, const char *detail)
{
	size_t what_len = strlen(what), detail_len = detail == NULL ? 0 : strlen(detail);

	/* The first failure is the cause; later ones follow from it. */
	if (c->error != TLS_ERR_NONE)
		return TLS_FAILED;
	c->error = error;
	c->text = OPENSSL_malloc(what_len + 2 + detail_len + 1);
	if (c->text != NULL) {
		char *p = c->text;

		memcpy(p, what, what_len);
		p += what_len;
		if (detail_len > 0) {
			memcpy(p, ": ", 2);
			memcpy(p + 2, detail, detail_len);
			p += 2 + detail_len;
		}
		*p = '\0';
	}
	return TLS_FAILED;
}

static enum tls_status fail_verification(struct tls_conn *c)
{
	long result = SSL_get_verify_result(c->ssl);

	if (tls_verify_is_name_error(result)) {
		const char *name = X509_VERIFY_PARAM_get0_host(SSL_get0_param(c->ssl), 0);

		return tls_fail(c, TLS_ERR_NAME, "certificate is not for the name", name);
	}
	return tls_fail(c, TLS_ERR_CERTIFICATE, "certificate verification failed",
		X509_verify_cert_error_string(result));
}

enum tls_status tls_fail_openssl(struct tls_conn *c)
{
	unsigned long code, first = 0;
	int reason;

	/* The oldest entry is the cause, unless it is a layer below SSL's that SSL put a name to.
	 */
	while ((code = ERR_get_error()) != 0) {
		if (first == 0 ||
			(ERR_GET_LIB(first) != ERR_LIB_SSL && ERR_GET_LIB(code) == ERR_LIB_SSL))
			first = code;
		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
			first = code;
			ERR_clear_error();
		}
	}
	if (first != 0 && ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE)
		return tls_fail(c, TLS_ERR_MEMORY, "out of memory", NULL);
	if (c->io_error != 0)
		return tls_fail(
			c, TLS_ERR_TRANSPORT, "connection lost", strerrordesc_np(c->io_error));
	if (c->no_ems)
		return tls_fail(
			c, TLS_ERR_PROTOCOL, "client offers no extended master secret", NULL);
	if (first == 0)
		return tls_fail(c, TLS_ERR_TRANSPORT, "connection lost", NULL);
	if (ERR_GET_LIB(first) != ERR_LIB_SSL)
		return tls_fail(c, TLS_ERR_PROTOCOL, "TLS handshake or record",
			ERR_reason_error_string(first));
	reason = ERR_GET_REASON(first);
	if (reason > SSL_AD_REASON_OFFSET)
		return tls_fail(c, TLS_ERR_ALERT, "alert from the peer",
			SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
	switch (reason) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return fail_verification(c);
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return tls_fail(c, TLS_ERR_TRANSPORT,
			c->handshake_done ? "connection closed without close_notify"
					  : "connection closed within the handshake",
			NULL);
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
		return tls_fail(c, TLS_ERR_PROTOCOL, "the peer does not talk TLS", NULL);
	default:
		return tls_fail(c, error_of_reason(reason),
			c->handshake_done ? "TLS record" : "TLS handshake",
			ERR_reason_error_string(first));
	}
}

enum tls_error tls_error(const struct tls_conn *c)
{
	return c->error;
}

const char *tls_error_text(const struct tls_conn *c)
{
	if (c->text != NULL)
		return c->text;
	return c->error == TLS_ERR_NONE ? "" : tls_error_name(c->error);
}

const char *tls_openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason != NULL ? reason : "unknown error";
}
