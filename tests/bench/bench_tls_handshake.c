/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What TLS costs in memory, with no network: CPU of the server's side of a handshake and the rate
 * of reading records, through Postgate's connections and BIO and, in the same run, through plain
 * OpenSSL with memory BIOs. The second is the limit that the gateway's own figures are held
 * against.
 *
 *   bench_tls_handshake [--arena] [--seconds S]
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/pem.h>

#include "tls/arena.h"
#include "tls/internal.h"

static double seconds = 1.0;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_tls_handshake: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	/* The other side's work is left out by where this is read, other processes' by the clock.
	 */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- certificate --- */

static X509 *cert;
static EVP_PKEY *cert_key;
static char *cert_pem, *key_pem;

static char *pem_text(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *text = strndup(data, (size_t)len);

	BIO_free(bio);
	return text;
}

static void make_cert(void)
{
	X509_NAME *name;
	BIO *bio;

	cert_key = EVP_EC_gen("P-256");
	cert = X509_new();
	if (cert_key == NULL || cert == NULL)
		die("no key");
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	name = X509_get_subject_name(cert);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"mx", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, cert_key);
	if (X509_sign(cert, cert_key, EVP_sha256()) <= 0)
		die("no certificate");
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, cert);
	cert_pem = pem_text(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, cert_key, NULL, NULL, 0, NULL, NULL);
	key_pem = pem_text(bio);
}

/* --- Postgate's side: two byte queues --- */

struct queue {
	uint8_t data[1 << 20];
	size_t begin, end;
};

struct end {
	struct queue *in, *out;
};

static ssize_t end_read(void *arg, void *buf, size_t len)
{
	struct queue *q = ((struct end *)arg)->in;
	size_t n = q->end - q->begin;

	if (n == 0) {
		q->begin = q->end = 0;
		return -EAGAIN;
	}
	if (n > len)
		n = len;
	memcpy(buf, q->data + q->begin, n);
	q->begin += n;
	return (ssize_t)n;
}

static ssize_t end_write(void *arg, const void *buf, size_t len)
{
	struct queue *q = ((struct end *)arg)->out;

	if (len > sizeof(q->data) - q->end)
		len = sizeof(q->data) - q->end;
	if (len == 0)
		return -EAGAIN;
	memcpy(q->data + q->end, buf, len);
	q->end += len;
	return (ssize_t)len;
}

static const struct tls_transport transport = {.read = end_read, .write = end_write};
static struct queue up, down;
static struct end client_end = {.in = &down, .out = &up}, server_end = {.in = &up, .out = &down};

struct ours {
	struct tls_context *server, *client;
	struct tls_session *session; /* to resume from, NULL: full handshakes */
	bool resume;
};

struct cost {
	double handshake; /* of the server, with making and freeing the object */
	uint64_t count;
	char group[32];
};

static void ours_once(struct ours *o, struct cost *cost)
{
	struct tls_connect_params params = {.keep_session = true, .resume = o->session};
	struct tls_conn *c, *s;
	enum tls_status cs = TLS_WANT_READ, ss = TLS_WANT_READ;
	struct tls_info info;
	size_t done;
	double t;
	uint8_t b;

	up.begin = up.end = down.begin = down.end = 0;
	if (tls_connect(o->client, &transport, &client_end, &params, &c) != 0)
		die("connect");
	t = now();
	if (tls_accept(o->server, &transport, &server_end, &s) != 0)
		die("accept");
	cost->handshake += now() - t;
	while (cs != TLS_OK || ss != TLS_OK) {
		cs = tls_handshake(c);
		t = now();
		ss = tls_handshake(s);
		cost->handshake += now() - t;
		if (cs == TLS_FAILED || ss == TLS_FAILED)
			die(tls_error_text(cs == TLS_FAILED ? c : s));
	}
	tls_read(c, &b, 1, &done);
	tls_get_info(s, &info);
	if (cost->count > 0 && info.resumed != o->resume)
		die("resumption not as asked");
	snprintf(cost->group, sizeof(cost->group), "%s", info.group);
	if (o->resume) {
		tls_session_free(o->session);
		o->session = tls_take_session(c);
	}
	t = now();
	tls_free(s);
	cost->handshake += now() - t;
	tls_free(c);
	cost->count++;
}

/* --- plain OpenSSL --- */

struct plain {
	SSL_CTX *server, *client;
	SSL_SESSION *session;
	bool resume;
	SSL *s, *c;
};

static SSL_SESSION *plain_new_session;

static int plain_keep(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION_free(plain_new_session);
	plain_new_session = session;
	return 1;
}

static void plain_create(struct plain *p, int version, bool tickets, bool resume)
{
	memset(p, 0, sizeof(*p));
	p->server = SSL_CTX_new(TLS_server_method());
	p->client = SSL_CTX_new(TLS_client_method());
	p->resume = resume;
	SSL_CTX_use_certificate(p->server, cert);
	SSL_CTX_use_PrivateKey(p->server, cert_key);
	SSL_CTX_set_max_proto_version(p->client, version);
	SSL_CTX_set1_groups_list(p->server, "X25519:P-256");
	SSL_CTX_set1_groups_list(p->client, "X25519:P-256");
	SSL_CTX_set_session_cache_mode(p->server, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(p->server, tickets ? 1 : 0);
	if (!tickets)
		SSL_CTX_set_options(p->server, SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(p->server, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(
		p->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(p->client, plain_keep);
}

static double plain_open(struct plain *p)
{
	BIO *a = BIO_new(BIO_s_mem()), *b = BIO_new(BIO_s_mem());
	int cr = 0, sr = 0;
	double t, cost;

	p->c = SSL_new(p->client);
	SSL_set_connect_state(p->c);
	if (p->session != NULL)
		SSL_set_session(p->c, p->session);
	t = now();
	p->s = SSL_new(p->server);
	SSL_set_accept_state(p->s);
	BIO_up_ref(a);
	BIO_up_ref(b);
	SSL_set_bio(p->s, a, b);
	cost = now() - t;
	SSL_set_bio(p->c, b, a);
	for (int i = 0; i < 10 && (cr != 1 || sr != 1); i++) {
		cr = SSL_do_handshake(p->c);
		t = now();
		sr = SSL_do_handshake(p->s);
		cost += now() - t;
	}
	if (cr != 1 || sr != 1)
		die("plain handshake");
	return cost;
}

static void plain_once(struct plain *p, struct cost *cost)
{
	uint8_t buf[1];
	double t;

	cost->handshake += plain_open(p);
	SSL_read(p->c, buf, 1);
	if (cost->count > 0 && SSL_session_reused(p->s) != (int)p->resume)
		die("plain resumption not as asked");
	if (p->resume) {
		SSL_SESSION_free(p->session);
		p->session = plain_new_session != NULL ? plain_new_session : SSL_get1_session(p->c);
		plain_new_session = NULL;
	}
	SSL_set_shutdown(p->c, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_set_shutdown(p->s, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	t = now();
	SSL_free(p->s);
	cost->handshake += now() - t;
	SSL_free(p->c);
	cost->count++;
}

/* --- records --- */

static double rate_ours(struct ours *o, size_t record, bool writing)
{
	static uint8_t data[65536];
	struct tls_conn *c, *s;
	struct tls_connect_params params = {0};
	double spent = 0, t;
	uint64_t bytes = 0;
	size_t done;

	up.begin = up.end = down.begin = down.end = 0;
	if (tls_connect(o->client, &transport, &client_end, &params, &c) != 0 ||
		tls_accept(o->server, &transport, &server_end, &s) != 0)
		die("connect");
	for (int i = 0; i < 4; i++) {
		tls_handshake(c);
		tls_handshake(s);
	}
	while (spent < seconds) {
		t = now();
		for (int i = 0; i < 16; i++)
			if (tls_write(c, data, record, &done) != TLS_OK)
				die("write");
		if (writing)
			spent += now() - t;
		t = now();
		while (tls_read(s, data, sizeof(data), &done) == TLS_OK)
			bytes += done;
		if (!writing)
			spent += now() - t;
	}
	tls_free(c);
	tls_free(s);
	return (double)bytes / spent / 1e9;
}

static double rate_plain(struct plain *p, size_t record, bool writing)
{
	static uint8_t data[65536];
	double spent = 0, t;
	uint64_t bytes = 0;
	size_t done;

	SSL_SESSION_free(p->session);
	p->session = NULL;
	plain_open(p);
	while (spent < seconds) {
		t = now();
		for (int i = 0; i < 16; i++)
			if (SSL_write_ex(p->c, data, record, &done) != 1)
				die("plain write");
		if (writing)
			spent += now() - t;
		t = now();
		while (SSL_read_ex(p->s, data, sizeof(data), &done) == 1)
			bytes += done;
		if (!writing)
			spent += now() - t;
	}
	SSL_free(p->c);
	SSL_free(p->s);
	return (double)bytes / spent / 1e9;
}

/* --- memory of an idle connection --- */

static void idle_memory(struct ours *o, struct tls_arena *arena)
{
	enum { COUNT = 200 };
	static struct tls_conn *c[COUNT], *s[COUNT];
	struct tls_arena_stats before, after;
	struct tls_connect_params params = {0};
	uint8_t buf[100];
	size_t done;

	tls_arena_get_stats(arena, &before);
	for (int i = 0; i < COUNT; i++) {
		up.begin = up.end = down.begin = down.end = 0;
		/* The client's memory is the C library's: only the server's is counted. */
		tls_arena_attach(NULL);
		if (tls_connect(o->client, &transport, &client_end, &params, &c[i]) != 0)
			die("connect");
		for (int k = 0; k < 4; k++) {
			tls_arena_attach(NULL);
			tls_handshake(c[i]);
			tls_arena_attach(arena);
			if (k == 0 && tls_accept(o->server, &transport, &server_end, &s[i]) != 0)
				die("accept");
			tls_handshake(s[i]);
		}
		tls_arena_attach(NULL);
		tls_write(c[i], "EHLO\r\n", 6, &done);
		tls_arena_attach(arena);
		tls_read(s[i], buf, sizeof(buf), &done);
		tls_write(s[i], "250 ok\r\n", 8, &done);
		while (tls_read(s[i], buf, sizeof(buf), &done) == TLS_OK)
			;
	}
	tls_arena_get_stats(arena, &after);
	printf("idle session: %.0f octets in the arena, %.1f blocks handed out for its handshake\n",
		(double)(after.used - before.used) / COUNT,
		(double)(after.allocs - before.allocs) / COUNT);
	for (int i = 0; i < COUNT; i++) {
		tls_free(s[i]);
		tls_arena_attach(NULL);
		tls_free(c[i]);
		tls_arena_attach(arena);
	}
}

static void handshakes(
	const char *what, struct tls_lib *lib, int version, bool tickets, bool resume, bool hybrid)
{
	struct tls_keypair pair = {
		.chain = {cert_pem, strlen(cert_pem), "cert"},
		.key = {key_pem, strlen(key_pem), "key"},
	};
	uint8_t keys[1][TLS_TICKET_KEY_SIZE];
	struct tls_server_params sp = {.keypairs = &pair, .keypair_count = 1};
	struct tls_client_params cp = {0};
	struct ours o = {.resume = resume};
	struct plain p;
	struct cost ours = {0}, plain = {0};
	size_t count = 0;
	char err[256];

	tls_ticket_keys_rotate(keys, &count, 1);
	if (tickets) {
		sp.ticket_keys = keys;
		sp.ticket_key_count = 1;
	}
	if (tls_server_context_create(lib, &sp, &o.server, err, sizeof(err)) != 0 ||
		tls_client_context_create(lib, &cp, &o.client, err, sizeof(err)) != 0)
		die(err);
	SSL_CTX_set_max_proto_version(o.client->ssl_ctx, version);
	if (!hybrid)
		SSL_CTX_set1_groups_list(o.client->ssl_ctx, "X25519:P-256");
	plain_create(&p, version, tickets, resume);
	/* In turns, so that both see the same of what else the machine does. */
	for (double end = now() + 2 * seconds; now() < end;)
		for (int i = 0; i < 50; i++) {
			ours_once(&o, &ours);
			if (!hybrid)
				plain_once(&p, &plain);
		}
	printf("%-34s %8.1f us", what, ours.handshake / (double)ours.count * 1e6);
	if (!hybrid)
		printf(" %8.1f us  %5.2f", plain.handshake / (double)plain.count * 1e6,
			(ours.handshake / (double)ours.count) /
				(plain.handshake / (double)plain.count));
	printf("  %s\n", ours.group);
	tls_session_free(o.session);
	SSL_SESSION_free(p.session);
	tls_context_free(o.server);
	tls_context_free(o.client);
	SSL_CTX_free(p.server);
	SSL_CTX_free(p.client);
}

static void records(struct tls_lib *lib)
{
	static const size_t sizes[] = {200, 1400, 4096, 16384};
	struct tls_keypair pair = {
		.chain = {cert_pem, strlen(cert_pem), "cert"},
		.key = {key_pem, strlen(key_pem), "key"},
	};
	struct tls_server_params sp = {.keypairs = &pair, .keypair_count = 1};
	struct tls_client_params cp = {0};
	struct ours o = {0};
	struct plain p;
	char err[256];

	if (tls_server_context_create(lib, &sp, &o.server, err, sizeof(err)) != 0 ||
		tls_client_context_create(lib, &cp, &o.client, err, sizeof(err)) != 0)
		die(err);
	plain_create(&p, TLS1_3_VERSION, false, false);
	for (int writing = 0; writing < 2; writing++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			double a = rate_ours(&o, sizes[i], writing),
			       b = rate_plain(&p, sizes[i], writing);

			printf("%-6s AES-256-GCM, %5zu octets %11.2f GB/s %6.2f GB/s  %5.2f\n",
				writing ? "write" : "read", sizes[i], a, b, a / b);
		}
	tls_context_free(o.server);
	tls_context_free(o.client);
	SSL_CTX_free(p.server);
	SSL_CTX_free(p.client);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"arena", no_argument, NULL, 'a'},
		{"seconds", required_argument, NULL, 's'},
		{0},
	};
	struct tls_arena *arena = NULL;
	struct tls_arena_stats stats;
	struct tls_lib *lib;
	bool use_arena = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'a')
			use_arena = true;
		else if (opt == 's' && atof(optarg) > 0)
			seconds = atof(optarg);
		else
			return 2;
	}
	if (use_arena && (tls_arena_install((size_t)1 << 30) != 0 ||
				 tls_arena_create(64 << 20, &arena) != 0))
		die("arena");
	make_cert();
	if (tls_lib_create(&lib) != 0)
		die("library");
	tls_arena_attach(arena);
	printf("%s%s\n", OpenSSL_version(OPENSSL_VERSION), use_arena ? ", arena" : "");
	printf("%-34s %11s %11s  ratio\n", "server's CPU per handshake", "postgate", "memory BIO");
	handshakes("TLS 1.3 full, ECDSA", lib, TLS1_3_VERSION, false, false, false);
	handshakes("TLS 1.3 full, ECDSA, one ticket", lib, TLS1_3_VERSION, true, false, false);
	handshakes("TLS 1.3 resumed", lib, TLS1_3_VERSION, true, true, false);
	handshakes("TLS 1.2 full, ECDSA", lib, TLS1_2_VERSION, false, false, false);
	handshakes("TLS 1.3 full, best group", lib, TLS1_3_VERSION, false, false, true);
	records(lib);
	if (use_arena) {
		struct tls_keypair pair = {
			.chain = {cert_pem, strlen(cert_pem), "cert"},
			.key = {key_pem, strlen(key_pem), "key"},
		};
		struct tls_server_params sp = {.keypairs = &pair, .keypair_count = 1};
		struct tls_client_params cp = {0};
		struct ours o = {0};
		char err[256];

		if (tls_server_context_create(lib, &sp, &o.server, err, sizeof(err)) != 0 ||
			tls_client_context_create(lib, &cp, &o.client, err, sizeof(err)) != 0)
			die(err);
		idle_memory(&o, arena);
		tls_arena_get_stats(arena, &stats);
		printf("arena: %llu KiB carved, %llu allocations, %llu grown, %llu fallbacks\n",
			(unsigned long long)stats.carved >> 10, (unsigned long long)stats.allocs,
			(unsigned long long)stats.grown, (unsigned long long)stats.fallbacks);
		tls_context_free(o.server);
		tls_context_free(o.client);
	}
	tls_lib_destroy(lib);
	return 0;
}
