/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The BIO under a connection: straight to struct tls_transport.
 *
 * read_ahead stays off (context.c), so OpenSSL asks for a record's five octets of header and then
 * for exactly the rest: what follows a close_notify is never taken from the transport, what TLS has
 * not worked on yet stays in the TCP window, where the peer is held back by it, and a connection
 * whose transport is empty has nothing hidden in OpenSSL (SSL_pending() then tells all).
 */
#include <errno.h>
#include <limits.h>

#include "tls/internal.h"

static int bio_result(BIO *b, struct tls_conn *c, ssize_t n, int retry)
{
	if (n > 0)
		return (int)n;
	if (n == -EAGAIN) {
		BIO_set_flags(b, retry | BIO_FLAGS_SHOULD_RETRY);
		return -1;
	}
	if (n < 0 && c->io_error == 0)
		c->io_error = (int)-n;
	return n < 0 ? -1 : 0;
}

static int bio_read(BIO *b, char *buf, int len)
{
	struct tls_conn *c = BIO_get_data(b);
	ssize_t n;

	BIO_clear_retry_flags(b);
	if (c == NULL || len <= 0)
		return 0;
	n = c->transport.read(c->arg, buf, (size_t)len);
	if (n == 0)
		c->io_eof = true;
	return bio_result(b, c, n, BIO_FLAGS_READ);
}

static int bio_write(BIO *b, const char *buf, int len)
{
	struct tls_conn *c = BIO_get_data(b);
	ssize_t n;

	BIO_clear_retry_flags(b);
	if (c == NULL || len <= 0)
		return 0;
	n = c->transport.write(c->arg, buf, (size_t)len);
	/* An end in this direction can only be a broken pipe; 0 would read as "try again". */
	if (n == 0)
		n = -EPIPE;
	return bio_result(b, c, n, BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	const struct tls_conn *c = BIO_get_data(b);

	switch (cmd) {
	case BIO_CTRL_EOF:
		/* Makes OpenSSL tell a truncation from a close_notify. */
		return c == NULL || c->io_eof;
	case BIO_CTRL_FLUSH:
		return 1; /* nothing is held here */
	default:
		return 0;
	}
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

BIO_METHOD *tls_bio_method_create(void)
{
	/* No BIO_get_new_index(): nobody looks this type up, and a process has only 127 of them. */
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "postgate");

	if (m != NULL && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
		BIO_meth_set_ctrl(m, bio_ctrl) && BIO_meth_set_create(m, bio_create))
		return m;
	BIO_meth_free(m);
	return NULL;
}

BIO *tls_bio_create(struct tls_lib *lib, struct tls_conn *c)
{
	BIO *b = BIO_new_ex(lib->ossl, lib->bio);

	if (b != NULL)
		BIO_set_data(b, c);
	return b;
}
