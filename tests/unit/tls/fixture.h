/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificates made on the spot, and byte queues of a set size with two connections at their ends.
 */
#ifndef POSTGATE_TESTS_TLS_FIXTURE_H
#define POSTGATE_TESTS_TLS_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tls/internal.h"

enum pki_key { PKI_ECDSA, PKI_RSA, PKI_RSA_WEAK };

struct pki_cert {
	X509 *x509;
	EVP_PKEY *key;
	char *pem, *key_pem;
};

struct pki_spec {
	const char *cn;
	const char *san; /* as in openssl.cnf: "DNS:a.example,IP:192.0.2.1"; NULL: none */
	const char *eku; /* likewise: "serverAuth"; NULL: none */
	enum pki_key key;
	bool ca;
	const struct pki_cert *issuer; /* NULL: itself */
	long begin_s, end_s;           /* from now; 0, 0: yesterday to next month */
};

struct pki_cert *pki_make(const struct pki_spec *spec);
void pki_free(struct pki_cert *cert);
/* PEMs one after another, to be freed by free(). */
char *pki_concat(const struct pki_cert *const *certs, size_t count);
struct tls_pem pki_pem(const char *text, const char *name);
struct tls_keypair pki_keypair(const struct pki_cert *cert);

/* One direction. Full at `limit`; a call moves at most `chunk` octets. */
struct queue {
	uint8_t *data;
	size_t size, begin, end;
	size_t limit, chunk;
	bool eof;
	int broken; /* errno */
	uint64_t total, taken;
};

struct end {
	struct queue *in, *out;
};

extern const struct tls_transport end_transport;

struct pair {
	struct queue up, down; /* client to server, server to client */
	struct end client_end, server_end;
	struct tls_conn *client, *server;
	enum tls_status client_status, server_status;
};

/* limit 0: no limit. */
void pair_init(struct pair *p, size_t limit, size_t chunk);
void pair_free(struct pair *p);
void pair_open(struct pair *p, struct tls_context *server, struct tls_context *client,
	const struct tls_connect_params *params);
/* Both sides in turn until both are done or one failed; fails the test on a stall. */
void pair_handshake(struct pair *p);
void pair_expect_open(struct pair *p);
void queue_put(struct queue *q, const void *data, size_t len);

/* The usual PKI: a root, an intermediate, leaves of mx.example.com. */
struct world {
	struct tls_lib *lib, *lib2;
	struct pki_cert *root, *inter, *ecdsa, *rsa;
	struct tls_context *server; /* ECDSA and RSA */
	struct tls_context *client; /* trusts the root */
};
struct world *world_create(void);
void world_destroy(struct world *w);
struct tls_context *world_server(struct tls_lib *lib, const struct pki_cert *cert);
struct tls_context *world_client(struct tls_lib *lib, const char *ca_pem);

#endif
