/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The OpenSSL library context of one worker. Every algorithm that a handshake or a record needs is
 * fetched once here, so that the method store's cache answers later and no provider is asked on the
 * packet path (openssl #20286: the fetches are what collapses under many threads).
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>

#include "tls/internal.h"

enum fetch_kind {
	FETCH_MD,
	FETCH_CIPHER,
	FETCH_MAC,
	FETCH_KDF,
	FETCH_KEYMGMT,
	FETCH_KEYEXCH,
	FETCH_SIGNATURE,
	FETCH_KEM
};

static const struct fetch {
	enum fetch_kind kind;
	const char *name;
	bool optional; /* newer than OpenSSL 3.0 */
} fetches[] = {
	{FETCH_MD, "SHA2-256"},
	{FETCH_MD, "SHA2-384"},
	{FETCH_MD, "SHA2-512"},
	{FETCH_MD, "SHA1"}, /* key identifiers of certificates */
	{FETCH_CIPHER, "AES-128-GCM"},
	{FETCH_CIPHER, "AES-256-GCM"},
	{FETCH_CIPHER, "ChaCha20-Poly1305"},
	{FETCH_CIPHER, "AES-256-CBC"},
	{FETCH_MAC, "HMAC"},
	{FETCH_KDF, "HKDF"},
	{FETCH_KDF, "TLS13-KDF"},
	{FETCH_KDF, "TLS1-PRF"},
	{FETCH_KEYMGMT, "X25519"},
	{FETCH_KEYMGMT, "EC"},
	{FETCH_KEYMGMT, "RSA"},
	{FETCH_KEYMGMT, "RSA-PSS"},
	{FETCH_KEYMGMT, "ED25519"},
	{FETCH_KEYMGMT, "X25519MLKEM768", true},
	{FETCH_KEYEXCH, "X25519"},
	{FETCH_KEYEXCH, "ECDH"},
	{FETCH_SIGNATURE, "ECDSA"},
	{FETCH_SIGNATURE, "RSA"},
	{FETCH_SIGNATURE, "ED25519"},
	{FETCH_KEM, "X25519MLKEM768", true},
};

/* The store keeps what it has found: no reference of ours is needed. */
static bool fetch_one(OSSL_LIB_CTX *ossl, const struct fetch *f)
{
	bool found = false;

	switch (f->kind) {
#define FETCH_CASE(kind, type)                                           \
	case FETCH_##kind: {                                             \
		EVP_##type *m = EVP_##type##_fetch(ossl, f->name, NULL); \
                                                                         \
		found = m != NULL;                                       \
		EVP_##type##_free(m);                                    \
		break;                                                   \
	}
		FETCH_CASE(MD, MD)
		FETCH_CASE(CIPHER, CIPHER)
		FETCH_CASE(MAC, MAC)
		FETCH_CASE(KDF, KDF)
		FETCH_CASE(KEYMGMT, KEYMGMT)
		FETCH_CASE(KEYEXCH, KEYEXCH)
		FETCH_CASE(SIGNATURE, SIGNATURE)
		FETCH_CASE(KEM, KEM)
#undef FETCH_CASE
	}
	return found || f->optional;
}

int tls_lib_create(struct tls_lib **out)
{
	int ret = -ENOMEM;
	struct tls_lib *lib;

	/* No atexit handler: a worker may still run while the process leaves main(). No
	 * configuration file: what a distribution writes there is not our policy. */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT | OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	tls_pid_cache();
	lib = OPENSSL_zalloc(sizeof(*lib));
	if (lib == NULL)
		return -ENOMEM;
	lib->ossl = OSSL_LIB_CTX_new();
	lib->bio = tls_bio_method_create();
	if (lib->ossl == NULL || lib->bio == NULL)
		goto out;
	ret = -EIO;
	lib->provider = OSSL_PROVIDER_load(lib->ossl, "default");
	if (lib->provider == NULL)
		goto out;
	for (size_t i = 0; i < sizeof(fetches) / sizeof(fetches[0]); i++)
		if (!fetch_one(lib->ossl, &fetches[i]))
			goto out;
	lib->sha256 = EVP_MD_fetch(lib->ossl, "SHA2-256", NULL);
	lib->cbc = EVP_CIPHER_fetch(lib->ossl, "AES-256-CBC", NULL);
	if (lib->sha256 == NULL || lib->cbc == NULL)
		goto out;
	*out = lib;
	lib = NULL;
	ret = 0;
out:
	ERR_clear_error();
	tls_lib_destroy(lib);
	return ret;
}

void tls_lib_destroy(struct tls_lib *lib)
{
	if (lib == NULL)
		return;
	EVP_MD_free(lib->sha256);
	EVP_CIPHER_free(lib->cbc);
	BIO_meth_free(lib->bio);
	if (lib->provider != NULL)
		OSSL_PROVIDER_unload(lib->provider);
	OSSL_LIB_CTX_free(lib->ossl);
	OPENSSL_free(lib);
}
