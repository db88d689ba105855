/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gateway/leg.h"

#include <errno.h>
#include <string.h>

#include "dataplane/tcp/tcp.h"

void leg_init(struct leg *l, struct leg_env *env, struct tcp_conn *conn)
{
	*l = (struct leg){.env = env, .conn = conn};
}

static ssize_t leg_transport_read(void *arg, void *buf, size_t len)
{
	struct leg *l = arg;
	size_t n;

	if (!l->conn)
		return -EPIPE;
	n = tcp_read(l->env->tcp, l->conn, buf, len);
	if (n > 0)
		return (ssize_t)n;
	return tcp_at_eof(l->conn) ? 0 : -EAGAIN;
}

static ssize_t leg_transport_write(void *arg, const void *buf, size_t len)
{
	struct leg *l = arg;
	int64_t n;

	if (!l->conn)
		return -EPIPE;
	n = tcp_send(l->env->tcp, l->conn, buf, len, false);
	if (n == 0 || n == -ENOBUFS)
		return -EAGAIN;
	return (ssize_t)n;
}

const struct tls_transport leg_transport = {
	.read = leg_transport_read,
	.write = leg_transport_write,
};

static enum leg_status leg_peek_tls(struct leg *l, const uint8_t **data, size_t *len)
{
	enum tls_status status;

	/* Taking the octets out of TLS saves a copy, but what is left over must have a place. */
	if (l->env->bufs.free_count > 0) {
		status = tls_read(l->tls, l->env->scratch, sizeof(l->env->scratch), len);
		l->peeked = status == TLS_OK ? (uint32_t)*len : 0;
	} else {
		status = tls_peek(l->tls, l->env->scratch, sizeof(l->env->scratch), len);
		l->peeked = 0;
	}
	switch (status) {
	case TLS_OK:
		*data = l->env->scratch;
		return LEG_DATA;
	case TLS_WANT_READ:
		return LEG_NONE;
	case TLS_WANT_WRITE: /* a KeyUpdate's answer that found no room */
		tcp_want_writable(l->conn, 1);
		return LEG_NONE;
	case TLS_CLOSED:
		return LEG_EOF;
	case TLS_FAILED:
		break;
	}
	return tls_error(l->tls) == TLS_ERR_TRANSPORT ? LEG_TRUNCATED : LEG_FAILED;
}

enum leg_status leg_peek(struct leg *l, const uint8_t **data, size_t *len)
{
	struct iovec iov;

	*len = 0;
	if (l->carry) {
		*data = l->carry->data + l->carry->start;
		*len = l->carry->end - l->carry->start;
		return LEG_DATA;
	}
	if (!l->conn)
		return LEG_EOF;
	if (l->tls)
		return leg_peek_tls(l, data, len);
	if (tcp_peek(l->conn, 0, &iov, 1) == 1) {
		*data = iov.iov_base;
		*len = iov.iov_len;
		return LEG_DATA;
	}
	return tcp_at_eof(l->conn) ? LEG_EOF : LEG_NONE;
}

void leg_consume(struct leg *l, size_t len)
{
	size_t done;

	l->bytes_in += len;
	if (l->carry) {
		l->carry->start += (uint32_t)len;
		if (l->carry->start == l->carry->end) {
			pool_put(&l->env->bufs, l->carry);
			l->carry = NULL;
		}
	} else if (!l->tls) {
		if (len > 0 && l->conn)
			tcp_consume(l->env->tcp, l->conn, (uint32_t)len);
	} else if (l->peeked > 0) {
		if (len < l->peeked) { /* leg_peek_tls() saw to it that there is one */
			l->carry = pool_get(&l->env->bufs);
			l->carry->start = 0;
			l->carry->end = l->peeked - (uint32_t)len;
			memcpy(l->carry->data, l->env->scratch + len, l->carry->end);
		}
		l->peeked = 0;
	} else if (len > 0) {
		tls_read(l->tls, l->env->scratch, len, &done);
	}
}

bool leg_has_unread(const struct leg *l)
{
	return l->carry || (l->tls && tls_pending(l->tls) > 0) ||
	       (l->conn && tcp_readable(l->conn) > 0);
}

bool leg_unread_beyond(const struct leg *l, size_t len)
{
	if (l->tls || l->carry)
		return l->tls && tls_pending(l->tls) > 0;
	return l->conn && tcp_readable(l->conn) > len;
}

uint32_t leg_space(const struct leg *l)
{
	uint32_t space, overhead;

	if (!l->conn || l->stash || l->tls_unsent > 0)
		return 0;
	space = tcp_send_space(l->conn);
	if (!l->tls)
		return space;
	/* Records of full size, so the overhead of one is counted for each begun. */
	overhead = (space / LEG_RECORD + 1) * (uint32_t)tls_wire_size(l->tls, 0);
	return space > overhead ? space - overhead : 0;
}

/* Keeps what could not be sent. */
static int leg_stash(struct leg *l, const uint8_t *data, size_t len)
{
	struct leg_buf *b = l->stash;

	if (len == 0)
		return 0;
	if (!b) {
		b = pool_get(&l->env->bufs);
		if (!b)
			return -ENOBUFS;
		b->start = b->end = 0;
		l->stash = b;
	}
	if (len > sizeof(b->data) - b->end) {
		memmove(b->data, b->data + b->start, b->end - b->start);
		b->end -= b->start;
		b->start = 0;
		if (len > sizeof(b->data) - b->end)
			return -ENOBUFS;
	}
	memcpy(b->data + b->end, data, len);
	b->end += (uint32_t)len;
	tcp_want_writable(l->conn, 1);
	return 0;
}

/* Octets taken, or -EPIPE. Short when TCP has no room or no mbuf. */
static int64_t leg_push(struct leg *l, const uint8_t *data, size_t len, bool more)
{
	size_t total = 0, done;
	int64_t n;

	if (!l->tls) {
		n = tcp_send(l->env->tcp, l->conn, data, len, more);
		return n == -ENOBUFS ? 0 : n;
	}
	while (total < len && l->tls_unsent == 0) {
		size_t piece = len - total < LEG_RECORD ? len - total : LEG_RECORD;

		switch (tls_write(l->tls, data + total, piece, &done)) {
		case TLS_OK:
			break;
		case TLS_WANT_WRITE:
			/* The record is made and partly sent: OpenSSL has these octets, and wants
			 * only to be called again with as many (leg_flush()). */
			l->tls_unsent = (uint32_t)piece;
			tcp_want_writable(l->conn, 1);
			break;
		default:
			return -EPIPE;
		}
		total += piece;
	}
	return (int64_t)total;
}

int leg_write(struct leg *l, const void *data, size_t len, bool more)
{
	int64_t n = 0;

	if (!l->conn)
		return -EPIPE;
	if (!l->stash && l->tls_unsent == 0) {
		n = leg_push(l, data, len, more);
		if (n < 0)
			return -EPIPE;
	}
	l->bytes_out += len;
	return leg_stash(l, (const uint8_t *)data + n, len - (size_t)n);
}

bool leg_flush(struct leg *l)
{
	size_t done;

	if (!l->conn)
		return true;
	if (l->tls_unsent > 0) {
		if (tls_write(l->tls, l->env->scratch, l->tls_unsent, &done) == TLS_WANT_WRITE) {
			tcp_want_writable(l->conn, 1);
			return false;
		}
		l->tls_unsent = 0;
	}
	if (l->stash) {
		struct leg_buf *b = l->stash;
		int64_t n = leg_push(l, b->data + b->start, b->end - b->start, false);

		/* A broken leg has nothing that is worth waiting for: its reader finds out. */
		b->start = n < 0 ? b->end : b->start + (uint32_t)n;
		if (b->start < b->end) {
			tcp_want_writable(l->conn, 1);
			return false;
		}
		pool_put(&l->env->bufs, b);
		l->stash = NULL;
	}
	return l->tls_unsent == 0;
}

void leg_want_space(struct leg *l, uint32_t space)
{
	if (l->conn)
		tcp_want_writable(
			l->conn, space + (l->tls ? (uint32_t)tls_wire_size(l->tls, 0) : 0));
}

enum tls_status leg_handshake(struct leg *l)
{
	enum tls_status status = tls_handshake(l->tls);

	if (status == TLS_WANT_WRITE)
		tcp_want_writable(l->conn, 1);
	return status;
}

void leg_release(struct leg *l)
{
	if (l->tls)
		tls_free(l->tls);
	if (l->carry)
		pool_put(&l->env->bufs, l->carry);
	if (l->stash)
		pool_put(&l->env->bufs, l->stash);
	l->tls = NULL;
	l->carry = l->stash = NULL;
	l->conn = NULL;
	l->tls_unsent = l->peeked = 0;
}

void leg_close(struct leg *l, uint64_t now)
{
	struct tcp_conn *conn = l->conn;

	if (conn) {
		if (l->tls)
			tls_shutdown(l->tls);
		tcp_set_user(conn, NULL);
		tcp_close(l->env->tcp, conn, now);
	}
	leg_release(l);
}

void leg_abort(struct leg *l, uint64_t now)
{
	struct tcp_conn *conn = l->conn;

	if (conn) {
		tcp_set_user(conn, NULL);
		tcp_abort(l->env->tcp, conn, now);
	}
	leg_release(l);
}
