/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS by OpenSSL (>= 3.0) over the caller's byte transport. One `struct tls_lib` (an OSSL_LIB_CTX
 * with its algorithms fetched) per worker, so that workers share no OpenSSL state (openssl #20286);
 * contexts are built by the control thread in the worker's lib and handed over by RCU;
 * connections live on the worker.
 */
#ifndef POSTGATE_TLS_TLS_H
#define POSTGATE_TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct tls_lib;
struct tls_context;
struct tls_conn;
struct tls_session; /* what a client resumes from */

int tls_lib_create(struct tls_lib **out); /* 0, -ENOMEM, -EIO (no provider) */
/* After the last context of the lib. */
void tls_lib_destroy(struct tls_lib *lib);

/* The byte transport under a connection: our own BIO calls these, nothing is copied in between. */
struct tls_transport {
	/* > 0 octets; 0: orderly end; -EAGAIN: none now; other -errno: broken. */
	ssize_t (*read)(void *arg, void *buf, size_t len);
	ssize_t (*write)(
		void *arg, const void *buf, size_t len); /* likewise; short writes allowed */
};

enum tls_profile {
	TLS_PROFILE_STRONG, /* 1.2 and 1.3, AEAD with ECDHE only */
};

struct tls_pem {
	const char *data;
	size_t len;
	const char *name; /* for messages: file name */
};

struct tls_keypair {
	struct tls_pem chain; /* leaf first */
	struct tls_pem key;
};

#define TLS_TICKET_KEY_SIZE 80 /* name 16, HMAC 32, AES-256 32 */
#define TLS_TICKET_KEYS_MAX 8
/* Puts a fresh random key first and drops the oldest beyond `max`; *count is updated. 0, -EINVAL,
 * -EIO (no randomness). With a rotation at half of the tickets' lifetime (2 h) three keys are
 * enough. */
int tls_ticket_keys_rotate(uint8_t (*keys)[TLS_TICKET_KEY_SIZE], size_t *count, size_t max);

/*
 * Keys that all workers' contexts share and that change under them: the control thread rotates, and
 * frees what was in force before once every worker has passed a quiescent state (a worker holds no
 * pointer to them between two calls).
 */
struct tls_tickets;
struct tls_ticket_set;
/* With one fresh key. 0, -ENOMEM, -EIO (no randomness). */
int tls_tickets_create(struct tls_tickets **out);
/* As tls_ticket_keys_rotate() with three keys. *old: for tls_ticket_set_free(). On an error the
 * present keys stay in force. */
int tls_tickets_rotate(struct tls_tickets *t, struct tls_ticket_set **old);
/* Wipes them. NULL allowed. */
void tls_ticket_set_free(struct tls_ticket_set *set);
/* After the last call for a connection of a context with them. NULL allowed. */
void tls_tickets_destroy(struct tls_tickets *t);

struct tls_server_params {
	enum tls_profile profile;
	const struct tls_keypair *keypairs; /* one per key type, e.g. ECDSA and RSA */
	size_t keypair_count;
	const uint8_t (*ticket_keys)[TLS_TICKET_KEY_SIZE]; /* first encrypts, all decrypt; shared by
							      workers */
	size_t ticket_key_count;                           /* at most TLS_TICKET_KEYS_MAX */
	struct tls_tickets
		*tickets; /* in their place, kept by the caller; none of both: no tickets */
	/* Ask for a client certificate: the result is reported by tls_get_info(), never enforced,
	 * the policy decides at MAIL. */
	bool request_client_certificate;
	struct tls_pem client_ca; /* anchors to judge it by; len 0: none */
};

struct tls_client_params {
	enum tls_profile profile;
	struct tls_pem ca;          /* anchors; len 0: no PKIX verification can succeed */
	struct tls_keypair keypair; /* shown when asked; chain.len 0: none */
};

/* 0 or -errno; on an error `err` says what, naming the pem's name, never key material. */
int tls_server_context_create(struct tls_lib *lib, const struct tls_server_params *params,
	struct tls_context **out, char *err, size_t err_size);
int tls_client_context_create(struct tls_lib *lib, const struct tls_client_params *params,
	struct tls_context **out, char *err, size_t err_size);
/* Connections that use it keep it alive. */
void tls_context_free(struct tls_context *ctx);
/* Checks chain and key without a lib of a worker (postgated's configuration check): parse, match,
 * validity. Fills in the leaf's notBefore and notAfter (NULL allowed). -EINVAL: unusable;
 * -EKEYEXPIRED: usable but expired, and -EKEYREJECTED: not valid yet (a context with it can be
 * made: opportunistic peers do not mind, and an appliance should not stay down for it). */
int tls_keypair_check(const struct tls_keypair *pair, time_t *not_before, time_t *not_after,
	char *err, size_t err_size);
int tls_ca_check(const struct tls_pem *ca, char *err, size_t err_size);

/* Server side of a connection. -ENOMEM. */
int tls_accept(struct tls_context *ctx, const struct tls_transport *transport, void *arg,
	struct tls_conn **out);
/* Before the first tls_handshake(): this connection asks for a client certificate, whatever its
 * context does. Tickets of connections that did not ask do not resume it. -ENOMEM. */
int tls_request_certificate(struct tls_conn *c);
struct tls_connect_params {
	const char *sni;          /* NULL: none. Never an address literal */
	const char *const *names; /* to match (RFC 6125/9525); NULL: none */
	size_t name_count;
	bool verify;       /* a failed verification fails the handshake; without it the result
			      is only reported */
	bool keep_session; /* keep what tls_take_session() gives */
	/* NULL: full handshake. Good for one use (RFC 8446 C.4), with the same context, names and
	 * `verify` as where it came from: the verification result is taken over. */
	const struct tls_session *resume;
};
int tls_connect(struct tls_context *ctx, const struct tls_transport *transport, void *arg,
	const struct tls_connect_params *params, struct tls_conn **out);
/* The newest session that can be resumed, once; NULL without one. In TLS 1.3 it comes after the
 * handshake, with the first tls_read(). */
struct tls_session *tls_take_session(struct tls_conn *c);
void tls_session_free(struct tls_session *session);
/* Sends nothing; the object goes back to the lib. */
void tls_free(struct tls_conn *c);

enum tls_status {
	TLS_OK,
	TLS_WANT_READ,  /* call again when the transport has input */
	TLS_WANT_WRITE, /* call again when the transport has room */
	TLS_CLOSED,     /* close_notify received (read), orderly */
	TLS_FAILED,     /* see tls_error(); the connection is unusable */
};

/* Goes on with the handshake; TLS_OK: done. */
enum tls_status tls_handshake(struct tls_conn *c);
/* *done: octets of plaintext. TLS_OK with *done > 0, or another status. */
enum tls_status tls_read(struct tls_conn *c, void *buf, size_t len, size_t *done);
enum tls_status tls_peek(struct tls_conn *c, void *buf, size_t len, size_t *done);
/* Writes all of `len` into records or none: after TLS_WANT_WRITE call again with the same octets
 * (they may have moved). */
enum tls_status tls_write(struct tls_conn *c, const void *buf, size_t len, size_t *done);
/* Sends close_notify; reading what the peer still sends goes on. TLS_OK: it is in the transport. */
enum tls_status tls_shutdown(struct tls_conn *c);
/* Decrypted octets that tls_read() gives without asking the transport. */
size_t tls_pending(const struct tls_conn *c);
/* Upper bound of what tls_write(len) puts into the transport. */
size_t tls_wire_size(const struct tls_conn *c, size_t len);

struct tls_info {
	const char *version; /* "TLSv1.3", as the Received header writes it */
	const char *cipher;  /* IANA-like name by OpenSSL: "TLS_AES_256_GCM_SHA384" */
	int cipher_bits;
	const char *group; /* "X25519", "" if unknown */
	bool resumed;
	bool peer_certificate;
	bool verified;            /* chain to our anchors, and a name matched if names were given */
	const char *verify_error; /* "" if verified */
	uint8_t peer_sha256[32];  /* of the leaf's DER, zero without one */
	time_t peer_not_after;    /* 0 without one */
};
void tls_get_info(const struct tls_conn *c, struct tls_info *info);

/*
 * CA certificates that client certificates are judged by after the handshake: which ones may apply
 * is known at MAIL only, and may be others for the next transaction. Made in the lib of the worker
 * that uses them.
 */
struct tls_anchors;
/* 0 or -errno with a text, as for contexts. */
int tls_anchors_create(struct tls_lib *lib, const struct tls_pem *ca, struct tls_anchors **out,
	char *err, size_t err_size);
void tls_anchors_free(struct tls_anchors *anchors); /* NULL allowed */
/*
 * Whether the client's certificate chains to the anchors now (RFC 5280), with the intermediates
 * that came with it. A resumed connection is judged alike: only clients that needed no
 * intermediates of their own are resumed. *why: a constant text, "" if it does.
 */
bool tls_verify_client(
	const struct tls_conn *c, const struct tls_anchors *anchors, const char **why);
/* One of the certificate's DNS names is `name`, or is below it where `name` is "*.name". */
bool tls_client_has_name(const struct tls_conn *c, const char *name);

enum tls_error {
	TLS_ERR_NONE,
	TLS_ERR_PROTOCOL,    /* not TLS, bad record, unexpected message */
	TLS_ERR_VERSION,     /* no common version */
	TLS_ERR_CIPHER,      /* no common suite or group */
	TLS_ERR_CERTIFICATE, /* verification failed: unknown CA, expired */
	TLS_ERR_NAME,        /* chain right, no name matched */
	TLS_ERR_ALERT,       /* the peer sent a fatal alert */
	TLS_ERR_TRANSPORT,   /* connection lost */
	TLS_ERR_MEMORY,
	TLS_ERRORS,
};
enum tls_error tls_error(const struct tls_conn *c);
const char *tls_error_name(enum tls_error e);
/* One line for the log; valid until the next call for c. */
const char *tls_error_text(const struct tls_conn *c);

#endif
