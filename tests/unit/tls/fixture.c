/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tls/fixture.h"

void queue_put(struct queue *q, const void *data, size_t len)
{
	if (q->begin == q->end)
		q->begin = q->end = 0;
	if (q->end + len > q->size) {
		q->size = (q->end + len) * 2;
		q->data = realloc(q->data, q->size);
		assert_non_null(q->data);
	}
	if (len > 0)
		memcpy(q->data + q->end, data, len);
	q->end += len;
	q->total += len;
}

static ssize_t end_read(void *arg, void *buf, size_t len)
{
	struct queue *q = ((struct end *)arg)->in;
	size_t n = q->end - q->begin;

	if (q->broken != 0)
		return -q->broken;
	if (n == 0)
		return q->eof ? 0 : -EAGAIN;
	if (n > len)
		n = len;
	if (q->chunk != 0 && n > q->chunk)
		n = q->chunk;
	memcpy(buf, q->data + q->begin, n);
	q->begin += n;
	q->taken += n;
	return (ssize_t)n;
}

static ssize_t end_write(void *arg, const void *buf, size_t len)
{
	struct queue *q = ((struct end *)arg)->out;
	size_t room = q->limit == 0 ? len : q->limit - (q->end - q->begin);

	if (q->broken != 0)
		return -q->broken;
	if (room == 0)
		return -EAGAIN;
	if (len > room)
		len = room;
	if (q->chunk != 0 && len > q->chunk)
		len = q->chunk;
	queue_put(q, buf, len);
	return (ssize_t)len;
}

const struct tls_transport end_transport = {.read = end_read, .write = end_write};

void pair_init(struct pair *p, size_t limit, size_t chunk)
{
	memset(p, 0, sizeof(*p));
	p->up.limit = p->down.limit = limit;
	p->up.chunk = p->down.chunk = chunk;
	p->client_end = (struct end){.in = &p->down, .out = &p->up};
	p->server_end = (struct end){.in = &p->up, .out = &p->down};
}

void pair_free(struct pair *p)
{
	tls_free(p->client);
	tls_free(p->server);
	free(p->up.data);
	free(p->down.data);
	memset(p, 0, sizeof(*p));
}

void pair_open(struct pair *p, struct tls_context *server, struct tls_context *client,
	const struct tls_connect_params *params)
{
	static const struct tls_connect_params none;

	if (server != NULL)
		assert_int_equal(tls_accept(server, &end_transport, &p->server_end, &p->server), 0);
	if (client != NULL)
		assert_int_equal(tls_connect(client, &end_transport, &p->client_end,
					 params != NULL ? params : &none, &p->client),
			0);
}

static void check_want(enum tls_status status, const struct end *end)
{
	/* What it says it waits for must be what is missing. */
	if (status == TLS_WANT_READ)
		assert_true(end->in->begin == end->in->end);
	if (status == TLS_WANT_WRITE)
		assert_true(
			end->out->limit != 0 && end->out->end - end->out->begin == end->out->limit);
}

static uint64_t moved(const struct pair *p)
{
	return p->up.total + p->up.taken + p->down.total + p->down.taken;
}

void pair_handshake(struct pair *p)
{
	p->client_status = p->server_status = TLS_WANT_READ;
	for (;;) {
		uint64_t before = moved(p);

		p->client_status = tls_handshake(p->client);
		check_want(p->client_status, &p->client_end);
		p->server_status = tls_handshake(p->server);
		check_want(p->server_status, &p->server_end);
		if (p->client_status == TLS_OK && p->server_status == TLS_OK)
			return;
		if (p->client_status == TLS_FAILED || p->server_status == TLS_FAILED) {
			/* The other side hears of it by the alert. */
			p->client_status = tls_handshake(p->client);
			p->server_status = tls_handshake(p->server);
			return;
		}
		if (moved(p) == before)
			fail_msg("stall: client %d, server %d", p->client_status, p->server_status);
	}
}

void pair_expect_open(struct pair *p)
{
	pair_handshake(p);
	if (p->client_status != TLS_OK || p->server_status != TLS_OK)
		fail_msg("client: %s; server: %s", tls_error_text(p->client),
			tls_error_text(p->server));
}

struct tls_context *world_server(struct tls_lib *lib, const struct pki_cert *cert)
{
	struct tls_keypair pair = pki_keypair(cert);
	struct tls_server_params params = {.keypairs = &pair, .keypair_count = 1};
	struct tls_context *ctx = NULL;
	char err[256] = "";

	if (tls_server_context_create(lib, &params, &ctx, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	return ctx;
}

struct tls_context *world_client(struct tls_lib *lib, const char *ca_pem)
{
	struct tls_client_params params = {.ca = pki_pem(ca_pem, "ca.pem")};
	struct tls_context *ctx = NULL;
	char err[256] = "";

	if (tls_client_context_create(lib, &params, &ctx, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	return ctx;
}

struct world *world_create(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct tls_keypair pairs[2];
	struct tls_server_params params = {.keypairs = pairs, .keypair_count = 2};
	char *chains[2];
	char err[256] = "";

	assert_non_null(w);
	assert_int_equal(tls_lib_create(&w->lib), 0);
	assert_int_equal(tls_lib_create(&w->lib2), 0);
	w->root = pki_make(&(struct pki_spec){.cn = "Root", .ca = true});
	w->inter =
		pki_make(&(struct pki_spec){.cn = "Intermediate", .ca = true, .issuer = w->root});
	w->ecdsa = pki_make(
		&(struct pki_spec){.cn = "mx", .san = "DNS:mx.example.com", .issuer = w->inter});
	w->rsa = pki_make(&(struct pki_spec){
		.cn = "mx", .san = "DNS:mx.example.com", .issuer = w->inter, .key = PKI_RSA});
	chains[0] = pki_concat((const struct pki_cert *[]){w->ecdsa, w->inter}, 2);
	chains[1] = pki_concat((const struct pki_cert *[]){w->rsa, w->inter}, 2);
	pairs[0] = pki_keypair(w->ecdsa);
	pairs[1] = pki_keypair(w->rsa);
	pairs[0].chain = pki_pem(chains[0], "ecdsa.pem");
	pairs[1].chain = pki_pem(chains[1], "rsa.pem");
	if (tls_server_context_create(w->lib, &params, &w->server, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	w->client = world_client(w->lib2, w->root->pem);
	free(chains[0]);
	free(chains[1]);
	return w;
}

void world_destroy(struct world *w)
{
	tls_context_free(w->server);
	tls_context_free(w->client);
	pki_free(w->root);
	pki_free(w->inter);
	pki_free(w->ecdsa);
	pki_free(w->rsa);
	tls_lib_destroy(w->lib);
	tls_lib_destroy(w->lib2);
	free(w);
}
