/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Certificates and keys from PEM in memory. Messages name the pem and say what to do; they carry
 * reason strings only, never contents. Control threads only.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pemerr.h>

#include "tls/internal.h"

__attribute__((format(printf, 4, 5))) static int pem_error(
	int ret, char *err, size_t err_size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(err, err_size, format, ap);
	va_end(ap);
	ERR_clear_error();
	return ret;
}

static const char *pem_name(const struct tls_pem *pem)
{
	return pem->name != NULL ? pem->name : "PEM";
}

static int pem_open(const struct tls_pem *pem, BIO **out, char *err, size_t err_size)
{
	if (pem->data == NULL || pem->len == 0)
		return pem_error(-EINVAL, err, err_size, "%s: empty", pem_name(pem));
	if (pem->len > INT_MAX)
		return pem_error(-EFBIG, err, err_size, "%s: too large", pem_name(pem));
	*out = BIO_new_mem_buf(pem->data, (int)pem->len);
	if (*out == NULL)
		return pem_error(-ENOMEM, err, err_size, "%s: out of memory", pem_name(pem));
	return 0;
}

/* Never asks a terminal; notes that it was asked. */
static int no_passphrase(char *buf, int size, int rwflag, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

int tls_pem_read_chain(OSSL_LIB_CTX *ossl, const struct tls_pem *pem, STACK_OF(X509) * *out,
	char *err, size_t err_size)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *x = NULL;
	BIO *bio = NULL;
	bool asked = false;
	int ret;

	ERR_clear_error();
	ret = pem_open(pem, &bio, err, err_size);
	if (ret != 0)
		goto out;
	for (;;) {
		unsigned long code;

		ret = -ENOMEM;
		x = X509_new_ex(ossl, NULL);
		if (chain == NULL || x == NULL) {
			pem_error(ret, err, err_size, "%s: out of memory", pem_name(pem));
			goto out;
		}
		if (PEM_read_bio_X509(bio, &x, no_passphrase, &asked) != NULL) {
			if (sk_X509_push(chain, x) == 0) {
				pem_error(ret, err, err_size, "%s: out of memory", pem_name(pem));
				goto out;
			}
			x = NULL;
			continue;
		}
		code = ERR_peek_last_error();
		/* d2i frees the object that it fails to fill, and sets x to NULL. */
		if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE)
			break;
		ret = pem_error(-EINVAL, err, err_size, "%s: certificate %d is damaged: %s",
			pem_name(pem), sk_X509_num(chain) + 1, tls_openssl_reason());
		goto out;
	}
	if (sk_X509_num(chain) == 0) {
		ret = pem_error(
			-EINVAL, err, err_size, "%s: no PEM certificate in it", pem_name(pem));
		goto out;
	}
	ERR_clear_error();
	*out = chain;
	chain = NULL;
	ret = 0;
out:
	X509_free(x);
	BIO_free(bio);
	sk_X509_pop_free(chain, X509_free);
	return ret;
}

int tls_pem_read_key(
	OSSL_LIB_CTX *ossl, const struct tls_pem *pem, EVP_PKEY **out, char *err, size_t err_size)
{
	BIO *bio = NULL;
	bool asked = false;
	unsigned long code;
	int ret;

	ERR_clear_error();
	ret = pem_open(pem, &bio, err, err_size);
	if (ret != 0)
		return ret;
	*out = PEM_read_bio_PrivateKey_ex(bio, NULL, no_passphrase, &asked, ossl, NULL);
	BIO_free(bio);
	if (*out != NULL) {
		ERR_clear_error();
		return 0;
	}
	code = ERR_peek_error();
	if (asked)
		return pem_error(-EINVAL, err, err_size,
			"%s: private key is encrypted; one without a passphrase is needed",
			pem_name(pem));
	if (strstr(pem->data, "PRIVATE KEY-----") == NULL ||
		(ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE))
		return pem_error(
			-EINVAL, err, err_size, "%s: no PEM private key in it", pem_name(pem));
	return pem_error(-EINVAL, err, err_size, "%s: private key is damaged: %s", pem_name(pem),
		tls_openssl_reason());
}

int tls_pem_read_store(
	OSSL_LIB_CTX *ossl, const struct tls_pem *pem, X509_STORE **out, char *err, size_t err_size)
{
	STACK_OF(X509) *certs = NULL;
	X509_STORE *store = NULL;
	int ret;

	ret = tls_pem_read_chain(ossl, pem, &certs, err, err_size);
	if (ret != 0)
		return ret;
	store = X509_STORE_new();
	for (int i = 0; i < sk_X509_num(certs); i++)
		if (store == NULL || X509_STORE_add_cert(store, sk_X509_value(certs, i)) != 1) {
			ret = pem_error(-ENOMEM, err, err_size, "%s: out of memory", pem_name(pem));
			goto out;
		}
	*out = store;
	store = NULL;
out:
	X509_STORE_free(store);
	sk_X509_pop_free(certs, X509_free);
	return ret;
}

/* Which certificate of the chain the key belongs to, -1: none. */
static int chain_index_of(STACK_OF(X509) * chain, EVP_PKEY *key)
{
	int found = -1;

	for (int i = 0; i < sk_X509_num(chain) && found < 0; i++) {
		EVP_PKEY *public = X509_get0_pubkey(sk_X509_value(chain, i));

		if (public != NULL && EVP_PKEY_eq(public, key) == 1)
			found = i;
	}
	ERR_clear_error();
	return found;
}

int tls_keypair_use(SSL_CTX *ssl_ctx, OSSL_LIB_CTX *ossl, const struct tls_keypair *pair,
	time_t *not_before, time_t *not_after, char *err, size_t err_size)
{
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;
	X509 *leaf = NULL;
	int ret, index;

	ret = tls_pem_read_chain(ossl, &pair->chain, &chain, err, err_size);
	if (ret != 0)
		goto out;
	ret = tls_pem_read_key(ossl, &pair->key, &key, err, err_size);
	if (ret != 0)
		goto out;
	index = chain_index_of(chain, key);
	if (index < 0) {
		ret = pem_error(-EINVAL, err, err_size,
			"%s: private key does not belong to the certificate in %s",
			pem_name(&pair->key), pem_name(&pair->chain));
		goto out;
	}
	if (index > 0) {
		ret = pem_error(-EINVAL, err, err_size,
			"%s: certificate %d is the private key's; it must come first, its issuers "
			"after it",
			pem_name(&pair->chain), index + 1);
		goto out;
	}
	leaf = sk_X509_shift(chain);
	if (not_before != NULL)
		*not_before = tls_time_from_asn1(X509_get0_notBefore(leaf));
	if (not_after != NULL)
		*not_after = tls_time_from_asn1(X509_get0_notAfter(leaf));
	/* No override: a second pair of the same key type would silently replace the first. */
	if (SSL_CTX_use_cert_and_key(ssl_ctx, leaf, key, chain, 0) != 1) {
		unsigned long code = ERR_peek_last_error();

		if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
			ERR_GET_REASON(code) == SSL_R_NOT_REPLACING_CERTIFICATE)
			ret = pem_error(-EEXIST, err, err_size,
				"%s: a second certificate with the same type of key",
				pem_name(&pair->chain));
		else
			ret = pem_error(-EINVAL, err, err_size,
				"%s: certificate cannot be used: %s", pem_name(&pair->chain),
				tls_openssl_reason());
		goto out;
	}
	ret = 0;
out:
	X509_free(leaf);
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(key);
	return ret;
}
