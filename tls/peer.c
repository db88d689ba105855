/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Client certificates, asked for in the handshake and judged after it. The handshake takes any: of
 * whose anchors it must be is the policy's to say, once the sender is known, and one server context
 * serves all partners. Judging again for each set of anchors also lets a change of policy or an
 * expiry count at the next MAIL of a connection that is open, resumed or not.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/internal.h"

struct tls_anchors {
	X509_STORE *store;
	struct tls_lib *lib;
};

int tls_anchors_create(struct tls_lib *lib, const struct tls_pem *ca, struct tls_anchors **out,
	char *err, size_t err_size)
{
	struct tls_anchors *a = OPENSSL_zalloc(sizeof(*a));
	int ret;

	if (a == NULL) {
		snprintf(err, err_size, "%s: out of memory", ca->name);
		return -ENOMEM;
	}
	a->lib = lib;
	ret = tls_pem_read_store(lib->ossl, ca, &a->store, err, err_size);
	if (ret != 0) {
		OPENSSL_free(a);
		return ret;
	}
	tls_verify_set_rules(X509_STORE_get0_param(a->store));
	*out = a;
	return 0;
}

void tls_anchors_free(struct tls_anchors *a)
{
	if (a == NULL)
		return;
	X509_STORE_free(a->store);
	OPENSSL_free(a);
}

int tls_request_certificate(struct tls_conn *c)
{
	/* Without FAIL_IF_NO_PEER_CERT: strangers show none and are served. */
	SSL_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, NULL);
	return SSL_set_session_id_context(
		       c->ssl, c->ctx->session_id_context[1], SSL_MAX_SID_CTX_LENGTH) == 1
		       ? 0
		       : -ENOMEM;
}

/* X509_V_OK or what is wrong. */
static int verify_for(
	const struct tls_conn *c, const struct tls_anchors *a, X509 *leaf, int purpose)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(a->lib->ossl, NULL);
	X509_VERIFY_PARAM *param;
	int error = X509_V_ERR_OUT_OF_MEM;

	if (ctx == NULL)
		return error;
	if (X509_STORE_CTX_init(ctx, a->store, leaf, SSL_get_peer_cert_chain(c->ssl)) == 1 &&
		X509_STORE_CTX_set_purpose(ctx, purpose) == 1) {
		param = X509_STORE_CTX_get0_param(ctx);
		X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(c->ssl));
		if (X509_verify_cert(ctx) == 1)
			error = X509_V_OK;
		else if (X509_STORE_CTX_get_error(ctx) != X509_V_OK)
			error = X509_STORE_CTX_get_error(ctx);
		else
			error = X509_V_ERR_UNSPECIFIED;
	}
	X509_STORE_CTX_free(ctx);
	return error;
}

bool tls_verify_client(
	const struct tls_conn *c, const struct tls_anchors *anchors, const char **why)
{
	X509 *leaf = SSL_get0_peer_certificate(c->ssl);
	int error;

	*why = "no certificate";
	if (leaf == NULL)
		return false;
	error = verify_for(c, anchors, leaf, X509_PURPOSE_SSL_CLIENT);
	/* Mail servers show the certificate that they have, and public CAs no longer issue any for
	 * clients: one for servers is as good between servers. */
	if (error == X509_V_ERR_INVALID_PURPOSE)
		error = verify_for(c, anchors, leaf, X509_PURPOSE_SSL_SERVER);
	ERR_clear_error();
	*why = error == X509_V_OK ? "" : X509_verify_cert_error_string(error);
	return error == X509_V_OK;
}

bool tls_client_has_name(const struct tls_conn *c, const char *name)
{
	X509 *leaf = SSL_get0_peer_certificate(c->ssl);
	/* To OpenSSL a leading dot means any subdomain. */
	const char *reference = strncmp(name, "*.", 2) == 0 ? name + 1 : name;
	bool found;

	found = leaf != NULL && reference[0] != '\0' &&
		X509_check_host(leaf, reference, strlen(reference),
			X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
			NULL) == 1;
	ERR_clear_error();
	return found;
}
