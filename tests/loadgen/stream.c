/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static ssize_t stream_tls_read(void *arg, void *buf, size_t len)
{
	struct stream *s = arg;

	return s->conn ? s->t->ops->read(s->t, s->conn, buf, len) : -EPIPE;
}

static ssize_t stream_tls_write(void *arg, const void *buf, size_t len)
{
	struct stream *s = arg;

	return s->conn ? s->t->ops->write(s->t, s->conn, buf, len, false) : -EPIPE;
}

const struct tls_transport stream_transport = {
	.read = stream_tls_read,
	.write = stream_tls_write,
};

static void stream_want_write(struct stream *s)
{
	s->t->ops->want_write(s->t, s->conn);
}

enum tls_status stream_handshake(struct stream *s)
{
	enum tls_status status = tls_handshake(s->tls);

	if (status == TLS_WANT_WRITE)
		stream_want_write(s);
	return status;
}

enum stream_status stream_read(struct stream *s, uint8_t *buf, size_t size, size_t *len)
{
	ssize_t n;

	*len = 0;
	if (!s->conn)
		return STREAM_BROKEN;
	if (s->tls) {
		switch (tls_read(s->tls, buf, size, len)) {
		case TLS_OK:
			return STREAM_DATA;
		case TLS_WANT_READ:
			return STREAM_NONE;
		case TLS_WANT_WRITE:
			stream_want_write(s);
			return STREAM_NONE;
		case TLS_CLOSED:
			return STREAM_END;
		default:
			return STREAM_BROKEN;
		}
	}
	n = s->t->ops->read(s->t, s->conn, buf, size);
	if (n > 0) {
		*len = (size_t)n;
		return STREAM_DATA;
	}
	return n == 0 ? STREAM_END : n == -EAGAIN ? STREAM_NONE : STREAM_BROKEN;
}

static int stream_stash(struct stream *s, const uint8_t *data, size_t len)
{
	uint32_t held = s->stash_end - s->stash_start;

	if (len == 0)
		return 0;
	if (s->stash_end + len > s->stash_size) {
		if (held > 0 && s->stash_start > 0)
			memmove(s->stash, s->stash + s->stash_start, held);
		s->stash_start = 0;
		s->stash_end = held;
	}
	if (held + len > s->stash_size) {
		uint32_t size = (uint32_t)(held + len + STREAM_PIECE);
		uint8_t *p = realloc(s->stash, size);

		if (!p)
			return -ENOMEM;
		s->stash = p;
		s->stash_size = size;
	}
	memcpy(s->stash + s->stash_end, data, len);
	s->stash_end += (uint32_t)len;
	return 0;
}

/* Octets taken, or -EPIPE. */
static ssize_t stream_push(struct stream *s, const uint8_t *data, size_t len)
{
	size_t total = 0;

	while (total < len && s->tls_unsent == 0) {
		size_t piece = len - total, done;

		if (s->tls) {
			if (piece > STREAM_PIECE)
				piece = STREAM_PIECE;
			switch (tls_write(s->tls, data + total, piece, &done)) {
			case TLS_OK:
				break;
			case TLS_WANT_WRITE: /* OpenSSL has them, see leg.c */
				s->tls_unsent = (uint32_t)piece;
				stream_want_write(s);
				break;
			default:
				return -EPIPE;
			}
			total += piece;
		} else {
			ssize_t n = s->t->ops->write(s->t, s->conn, data + total, piece, false);

			if (n == -EAGAIN) {
				stream_want_write(s);
				break;
			}
			if (n < 0)
				return -EPIPE;
			total += (size_t)n;
		}
	}
	return (ssize_t)total;
}

int stream_write(struct stream *s, const uint8_t *data, size_t len)
{
	ssize_t n = 0;

	if (!s->conn)
		return -EPIPE;
	if (s->stash_end == s->stash_start && s->tls_unsent == 0) {
		n = stream_push(s, data, len);
		if (n < 0)
			return -EPIPE;
	}
	return stream_stash(s, data + n, len - (size_t)n);
}

bool stream_flush(struct stream *s)
{
	static uint8_t again[STREAM_PIECE]; /* OpenSSL wants the length, not the octets */
	size_t done;

	if (!s->conn)
		return false;
	if (s->tls_unsent > 0) {
		if (tls_write(s->tls, again, s->tls_unsent, &done) == TLS_WANT_WRITE) {
			stream_want_write(s);
			return false;
		}
		s->tls_unsent = 0;
	}
	if (s->stash_end > s->stash_start) {
		ssize_t n =
			stream_push(s, s->stash + s->stash_start, s->stash_end - s->stash_start);

		s->stash_start = n < 0 ? s->stash_end : s->stash_start + (uint32_t)n;
		if (s->stash_end > s->stash_start)
			return false;
	}
	if (s->stash && s->tls_unsent == 0) {
		free(s->stash);
		s->stash = NULL;
		s->stash_start = s->stash_end = s->stash_size = 0;
	}
	return s->tls_unsent == 0;
}

void stream_release(struct stream *s)
{
	if (s->tls)
		tls_free(s->tls);
	free(s->stash);
	*s = (struct stream){.t = s->t};
}

void stream_close(struct stream *s, uint64_t now)
{
	if (s->conn) {
		if (s->tls)
			tls_shutdown(s->tls);
		s->t->ops->close(s->t, s->conn, now);
	}
	stream_release(s);
}

void stream_abort(struct stream *s, uint64_t now)
{
	if (s->conn)
		s->t->ops->abort(s->t, s->conn, now);
	stream_release(s);
}
