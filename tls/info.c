/* SPDX-License-Identifier: BSD-3-Clause */
/* What was negotiated, for Received headers, events and reports. */
#include <string.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include "tls/internal.h"

/* Groups by the names that operators know; TLS's own for the rest. */
static const char *group_name(SSL *ssl)
{
	int group = (int)SSL_get_negotiated_group(ssl);
	const char *name;

	switch (group) {
	case 0:
		return "";
	case NID_X25519:
		return "X25519";
	case NID_X9_62_prime256v1:
		return "P-256";
	case NID_secp384r1:
		return "P-384";
	default:
		name = SSL_group_to_name(ssl, group);
		return name != NULL ? name : "";
	}
}

void tls_get_info(const struct tls_conn *c, struct tls_info *info)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(c->ssl);
	long result = SSL_get_verify_result(c->ssl);
	X509 *peer = SSL_get0_peer_certificate(c->ssl);
	unsigned int len = 0;

	memset(info, 0, sizeof(*info));
	info->version = "";
	info->cipher = "";
	info->group = "";
	if (SSL_is_init_finished(c->ssl) && cipher != NULL) {
		info->version = SSL_get_version(c->ssl);
		info->cipher = SSL_CIPHER_get_name(cipher);
		info->cipher_bits = SSL_CIPHER_get_bits(cipher, NULL);
		info->group = group_name(c->ssl);
		info->resumed = SSL_session_reused(c->ssl);
	}
	if (peer == NULL) {
		info->verify_error = "no certificate";
		return;
	}
	info->peer_certificate = true;
	info->verified = result == X509_V_OK;
	info->verify_error = info->verified ? "" : X509_verify_cert_error_string(result);
	info->peer_not_after = tls_time_from_asn1(X509_get0_notAfter(peer));
	if (X509_digest(peer, c->ctx->lib->sha256, info->peer_sha256, &len) != 1)
		memset(info->peer_sha256, 0, sizeof(info->peer_sha256));
	ERR_clear_error();
}
