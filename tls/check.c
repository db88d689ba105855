/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker would say of a key pair or an anchor file, asked beforehand by postgated. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "tls/internal.h"

int tls_keypair_check(const struct tls_keypair *pair, time_t *not_before, time_t *not_after,
	char *err, size_t err_size)
{
	const char *name = pair->chain.name != NULL ? pair->chain.name : "PEM";
	time_t begin = 0, end = 0, now = time(NULL);
	SSL_CTX *ssl_ctx = NULL;
	int ret;

	ret = tls_ssl_ctx_create(NULL, TLS_PROFILE_STRONG, true, &ssl_ctx, err, err_size);
	if (ret != 0)
		return ret;
	ret = tls_keypair_use(ssl_ctx, NULL, pair, &begin, &end, err, err_size);
	SSL_CTX_free(ssl_ctx);
	if (not_before != NULL)
		*not_before = begin;
	if (not_after != NULL)
		*not_after = end;
	if (ret != 0)
		return ret;
	if (now > end) {
		snprintf(err, err_size, "%s: certificate has expired", name);
		return -EKEYEXPIRED;
	}
	if (now < begin) {
		snprintf(err, err_size, "%s: certificate is not valid yet", name);
		return -EKEYREJECTED;
	}
	return 0;
}

int tls_ca_check(const struct tls_pem *ca, char *err, size_t err_size)
{
	X509_STORE *store = NULL;
	int ret = tls_pem_read_store(NULL, ca, &store, err, err_size);

	X509_STORE_free(store);
	return ret;
}
