/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Verification of the peer (RFC 5280, names by RFC 9525). Chain and names are judged apart, and on
 * connections that do not enforce the result is still worked out, for reports and shadow policies.
 * DANE (SSL_dane_enable on the context, SSL_dane_tlsa_add on the connection) goes through the same
 * X509_verify_cert() and needs nothing else here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "tls/internal.h"

bool tls_verify_is_name_error(long result)
{
	return result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH;
}

/* Called by X509_verify_cert() on each error: goes on past a wrong name, so that one with a bad
 * chain too is told as a bad chain, which says more. */
static int verify_step(int ok, X509_STORE_CTX *store_ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_conn *c = tls_conn_of(ssl);

	if (ok)
		return 1;
	if (!tls_verify_is_name_error(X509_STORE_CTX_get_error(store_ctx)))
		return 0;
	c->name_error = X509_STORE_CTX_get_error(store_ctx);
	return 1;
}

static int verify_peer(X509_STORE_CTX *store_ctx, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_conn *c = tls_conn_of(ssl);
	int ok;

	c->name_error = X509_V_OK;
	X509_STORE_CTX_set_verify_cb(store_ctx, verify_step);
	ok = X509_verify_cert(store_ctx) == 1;
	if (ok) {
		/* Passing over an error leaves its code behind. */
		X509_STORE_CTX_set_error(store_ctx, c->name_error);
		ok = c->name_error == X509_V_OK;
	} else if (X509_STORE_CTX_get_error(store_ctx) == X509_V_OK) {
		X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_UNSPECIFIED);
	}
	return ok || !c->verify;
}

void tls_verify_set_rules(X509_VERIFY_PARAM *param)
{
	/* What the operator names as an anchor is one, an intermediate or a server's own as well.
	 */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
	/* RFC 9525 6.3: no "f*.example.com"; 2: the subject's CN is not a name. */
	X509_VERIFY_PARAM_set_hostflags(
		param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
}

void tls_verify_install(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_cert_verify_callback(ssl_ctx, verify_peer, NULL);
	tls_verify_set_rules(SSL_CTX_get0_param(ssl_ctx));
}

bool tls_verify_is_address(const char *name)
{
	uint8_t addr[16];

	return inet_pton(AF_INET, name, addr) == 1 || inet_pton(AF_INET6, name, addr) == 1;
}

int tls_verify_set_names(SSL *ssl, const char *const *names, size_t count)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(names[i]);

		if (count == 1 && tls_verify_is_address(names[i]))
			return X509_VERIFY_PARAM_set1_ip_asc(param, names[i]) == 1 ? 0 : -ENOMEM;
		if (len > 0 && names[i][len - 1] == '.')
			len--; /* the root, which certificates do not write */
		/* To OpenSSL a leading dot means any subdomain: more than was asked for. */
		if (len == 0 || len > 253 || names[i][0] == '.')
			return -EINVAL;
		if (X509_VERIFY_PARAM_add1_host(param, names[i], len) != 1)
			return -ENOMEM;
	}
	return 0;
}

time_t tls_time_from_asn1(const ASN1_TIME *t)
{
	struct tm tm;
	int64_t year, era, day;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	/* Days from civil; timegm() would take the C library's time zone lock. */
	year = tm.tm_year + 1900 - (tm.tm_mon < 2);
	era = (year >= 0 ? year : year - 399) / 400;
	day = (153 * ((tm.tm_mon + 10) % 12) + 2) / 5 + tm.tm_mday - 1;
	year -= era * 400;
	day += year * 365 + year / 4 - year / 100 + era * 146097 - 719468;
	return (time_t)(day * 86400 + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
}
