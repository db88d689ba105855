/* SPDX-License-Identifier: BSD-3-Clause */
/* Octets over a transport's connection, under TLS or not, that take any write whole. */
#ifndef POSTGATE_TESTS_LOADGEN_STREAM_H
#define POSTGATE_TESTS_LOADGEN_STREAM_H

#include "tests/loadgen/transport.h"
#include "tls/tls.h"

#define STREAM_PIECE 16384 /* a TLS record at most, and what a write should come in */

struct stream {
	struct transport *t;
	void *conn;           /* NULL: none */
	struct tls_conn *tls; /* NULL: plain */
	uint8_t *stash;       /* what the transport did not take yet */
	uint32_t stash_start, stash_end, stash_size;
	uint32_t tls_unsent; /* length of the tls_write() that waits for room */
};

enum stream_status {
	STREAM_DATA,
	STREAM_NONE,
	STREAM_END,
	STREAM_BROKEN,
};

/* The transport for tls_accept() and tls_connect(), arg is the stream. */
extern const struct tls_transport stream_transport;

/* TLS_WANT_WRITE asks for room by itself. */
enum tls_status stream_handshake(struct stream *s);
enum stream_status stream_read(struct stream *s, uint8_t *buf, size_t size, size_t *len);
/* Takes all of it. 0, -EPIPE, -ENOMEM. */
int stream_write(struct stream *s, const uint8_t *data, size_t len);
/* Tries what waits; true when nothing does and more is welcome. */
bool stream_flush(struct stream *s);
/* Both free what the stream holds. */
void stream_close(struct stream *s, uint64_t now);
void stream_abort(struct stream *s, uint64_t now);
/* The connection is gone already. */
void stream_release(struct stream *s);

#endif
