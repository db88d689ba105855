/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of tls/ share; nobody else includes it (the unit tests do, to set limits low). */
#ifndef POSTGATE_TLS_INTERNAL_H
#define POSTGATE_TLS_INTERNAL_H

#include <stdatomic.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls/tls.h"

struct tls_lib {
	OSSL_LIB_CTX *ossl;
	OSSL_PROVIDER *provider;
	BIO_METHOD *bio; /* of the connections' BIOs */
	EVP_MD *sha256;  /* fingerprints */
	EVP_CIPHER *cbc; /* AES-256-CBC: what OpenSSL seals tickets with, besides an HMAC */
};

/* RFC 8446 5.5: about 2^24.5 full records under one AES-GCM key; renewed well before. */
#define TLS_KEY_UPDATE_RECORDS (UINT64_C(1) << 24)

struct tls_context {
	SSL_CTX *ssl_ctx;
	struct tls_lib *lib;
	_Atomic unsigned int refs; // control: creates, frees its own; worker: one per connection
	uint64_t key_update_records;
	struct tls_tickets *tickets;     /* NULL: none */
	struct tls_tickets *own_tickets; /* the same if they are this context's alone */
	/* Of a server, for connections that do not ask for a client certificate and such that do.
	 */
	uint8_t session_id_context[2][SSL_MAX_SID_CTX_LENGTH];
};

struct tls_conn {
	SSL *ssl;
	struct tls_context *ctx;
	struct tls_transport transport;
	void *arg;
	int io_error;        /* errno of the transport's failure, 0: none */
	bool io_eof;         /* the transport came to its orderly end */
	bool handshake_done; /* and what we demand of it was checked */
	bool verify;         /* enforce */
	int name_error;      /* X509_V_ of the name while the chain is being judged */
	bool no_ems;         /* the client offers no extended master secret */
	bool keep_session;
	bool writing; /* SSL_write wants the same octets again */
	enum tls_error error;
	char *text;           /* of the error; allocated when it happens */
	uint64_t records;     /* sent under the present key */
	SSL_SESSION *session; /* the newest to resume from, with keep_session */
};

/* bio.c */
BIO_METHOD *tls_bio_method_create(void);
BIO *tls_bio_create(struct tls_lib *lib, struct tls_conn *c);
static inline struct tls_conn *tls_conn_of(const SSL *ssl)
{
	return BIO_get_data(SSL_get_rbio(ssl));
}

/* pem.c: 0 or -errno, with err filled in */
int tls_pem_read_chain(OSSL_LIB_CTX *ossl, const struct tls_pem *pem, STACK_OF(X509) * *out,
	char *err, size_t err_size);
int tls_pem_read_key(
	OSSL_LIB_CTX *ossl, const struct tls_pem *pem, EVP_PKEY **out, char *err, size_t err_size);
int tls_pem_read_store(OSSL_LIB_CTX *ossl, const struct tls_pem *pem, X509_STORE **out, char *err,
	size_t err_size);
/* Chain and key into the context, the leaf's notAfter and notBefore out (may be NULL). */
int tls_keypair_use(SSL_CTX *ssl_ctx, OSSL_LIB_CTX *ossl, const struct tls_keypair *pair,
	time_t *not_before, time_t *not_after, char *err, size_t err_size);

/* context.c */
int tls_ssl_ctx_create(OSSL_LIB_CTX *ossl, enum tls_profile profile, bool server, SSL_CTX **out,
	char *err, size_t err_size);
void tls_context_ref(struct tls_context *ctx);

/* verify.c */
void tls_verify_install(SSL_CTX *ssl_ctx);
void tls_verify_set_rules(X509_VERIFY_PARAM *param);
int tls_verify_set_names(SSL *ssl, const char *const *names, size_t count);
bool tls_verify_is_address(const char *name);
bool tls_verify_is_name_error(long verify_result);
time_t tls_time_from_asn1(const ASN1_TIME *t);

/* pid.c: getpid() without a system call from now on. */
void tls_pid_cache(void);

/* ticket.c */
int tls_tickets_create_from(
	const uint8_t (*keys)[TLS_TICKET_KEY_SIZE], size_t count, struct tls_tickets **out);
void tls_ticket_install(struct tls_context *ctx);

/* error.c */
/* Empties OpenSSL's error queue into c's error and text. Returns TLS_FAILED. */
enum tls_status tls_fail_openssl(struct tls_conn *c);
enum tls_status tls_fail(
	struct tls_conn *c, enum tls_error error, const char *what, const char *detail);
/* One line from the error queue for a control thread's message; empties the queue. */
const char *tls_openssl_reason(void);

#endif
