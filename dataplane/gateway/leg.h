/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A leg: one TCP connection with TLS on top of it or not, seen as a byte stream. Both the client's
 * and the next hop's side of a session are one.
 *
 * Reading: leg_peek(), use some of it, leg_consume(); nothing else on any leg in between, since the
 * bytes may stand in the worker's scratch memory.
 */
#ifndef POSTGATE_DATAPLANE_GATEWAY_LEG_H
#define POSTGATE_DATAPLANE_GATEWAY_LEG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/gateway/pool.h"
#include "tls/tls.h"

struct tcp_conn;
struct tcp_stack;

#define LEG_RECORD 16384 /* plaintext of one TLS record at most, RFC 8446 5.1 */

/* Bytes that must wait: plaintext read and not used, or output that found no mbuf. */
struct leg_buf {
	uint32_t start, end;
	uint8_t data[LEG_RECORD];
};

/* What the legs of one worker share. */
struct leg_env {
	struct tcp_stack *tcp;
	struct pool bufs;            /* struct leg_buf */
	uint8_t scratch[LEG_RECORD]; /* plaintext being looked at */
};

struct leg {
	struct leg_env *env;
	struct tcp_conn *conn; /* NULL: closed */
	struct tls_conn *tls;  /* NULL: plain */
	struct leg_buf *carry; /* read, not consumed */
	struct leg_buf *stash; /* to be written */
	uint32_t peeked;       /* octets that the last leg_peek() took out of TLS into scratch */
	uint32_t tls_unsent;   /* length of the tls_write() that waits for room in TCP */
	uint64_t bytes_in, bytes_out; /* plaintext */
};

enum leg_status {
	LEG_DATA,
	LEG_NONE,      /* nothing there now */
	LEG_EOF,       /* orderly end: FIN, under TLS after close_notify */
	LEG_TRUNCATED, /* FIN under TLS without close_notify, RFC 8446 6.1 */
	LEG_FAILED,    /* TLS broke: tls_error() */
};

void leg_init(struct leg *l, struct leg_env *env, struct tcp_conn *conn);
enum leg_status leg_peek(struct leg *l, const uint8_t **data, size_t *len);
void leg_consume(struct leg *l, size_t len);
/* Whether anything at all was received that has not been looked at: for STARTTLS injection. */
bool leg_has_unread(const struct leg *l);
/* The same within leg_peek() and leg_consume(): anything behind the `len` octets looked at. */
bool leg_unread_beyond(const struct leg *l, size_t len);

/* Octets that leg_write() takes for certain without stashing, 0 while a stash waits. */
uint32_t leg_space(const struct leg *l);
/* Takes all of it. -ENOBUFS: no memory left even to stash, -EPIPE: closed or TLS broken; then the
 * leg is to be aborted. `more`: see tcp_send(). */
int leg_write(struct leg *l, const void *data, size_t len, bool more);
/* Retries what waits; true when nothing does any more. Asks for `writable` otherwise. */
bool leg_flush(struct leg *l);
/* Asks for `writable` once `space` octets fit. */
void leg_want_space(struct leg *l, uint32_t space);

/* The transport for tls_accept()/tls_connect() of this leg: arg is the leg. */
extern const struct tls_transport leg_transport;
/* Goes on with the handshake, asks for `writable` if that is what it waits for. */
enum tls_status leg_handshake(struct leg *l);

/* close_notify where TLS, FIN after what is queued; the leg has no connection after it. */
void leg_close(struct leg *l, uint64_t now);
/* RST; likewise. */
void leg_abort(struct leg *l, uint64_t now);
/* The connection is gone already: frees what the leg holds. */
void leg_release(struct leg *l);

#endif
