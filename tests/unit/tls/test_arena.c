/* SPDX-License-Identifier: BSD-3-Clause */
/* The allocator under OpenSSL: sizes, reuse, frees by other threads, and no malloc() in a session.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tls/fixture.h"
#include "tls/arena.h"

/* With a sanitizer the C library's names are taken; counting is left to the other builds. */
#if !defined(__SANITIZE_ADDRESS__)
#define COUNT_MALLOC 1
static _Atomic uint64_t mallocs;
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t size)
{
	mallocs++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	mallocs++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	mallocs++;
	return __libc_realloc(p, size);
}
#else
#define COUNT_MALLOC 0
static uint64_t mallocs;
#endif

static struct tls_arena *arena;

static void test_every_size(void **state)
{
	struct tls_arena_stats before, after;

	tls_arena_get_stats(arena, &before);
	for (size_t size = 1; size <= 40000; size += size < 1100 ? 1 : 61) {
		uint8_t *a = OPENSSL_malloc(size), *b = OPENSSL_malloc(size);

		assert_non_null(a);
		assert_non_null(b);
		assert_int_equal((uintptr_t)a % 16, 0);
		memset(a, 0xaa, size);
		memset(b, 0xbb, size);
		assert_int_equal(a[0], 0xaa);
		assert_int_equal(a[size - 1], 0xaa);
		assert_int_equal(b[0], 0xbb);
		OPENSSL_free(a);
		OPENSSL_free(b);
	}
	tls_arena_get_stats(arena, &after);
	assert_int_equal(after.used, before.used);
	/* At most 1/9 (and 15 octets) is lost. */
	for (size_t size = 1; size <= 32768; size += 7) {
		void *p;

		tls_arena_get_stats(arena, &before);
		p = OPENSSL_malloc(size);
		tls_arena_get_stats(arena, &after);
		assert_in_range(after.used - before.used, size, size + size / 8 + 15);
		OPENSSL_free(p);
	}
}

static void test_resize(void **state)
{
	struct tls_arena_stats before, after;
	uint8_t *p = NULL;

	tls_arena_get_stats(arena, &before);
	for (size_t size = 1; size < 70000; size = size * 5 / 4 + 1) {
		p = OPENSSL_realloc(p, size);
		assert_non_null(p);
		p[size - 1] = (uint8_t)size;
		p[0] = 77;
	}
	for (size_t size = 60000; size > 0; size = size * 3 / 4) {
		p = OPENSSL_realloc(p, size);
		assert_non_null(p);
		assert_int_equal(p[0], 77);
	}
	OPENSSL_free(p);
	tls_arena_get_stats(arena, &after);
	assert_int_equal(after.used, before.used);
}

/* Blocks with a pattern of their own: none is handed out twice. */
static void test_no_overlap(void **state)
{
	enum { COUNT = 20000 };
	static struct {
		uint8_t *p;
		size_t size;
	} blocks[COUNT];
	uint32_t seed = 5;

	for (int round = 0; round < 200000; round++) {
		uint32_t i;

		seed = seed * 1664525 + 1013904223;
		i = (seed >> 8) % COUNT;
		if (blocks[i].p != NULL) {
			for (size_t k = 0; k < blocks[i].size; k++)
				assert_int_equal(blocks[i].p[k], (uint8_t)i);
			OPENSSL_free(blocks[i].p);
			blocks[i].p = NULL;
			continue;
		}
		blocks[i].size = (seed >> 4) % 200 + 1;
		blocks[i].p = OPENSSL_malloc(blocks[i].size);
		memset(blocks[i].p, (int)i, blocks[i].size);
	}
	for (int i = 0; i < COUNT; i++)
		OPENSSL_free(blocks[i].p);
}

#define RING 1024
struct exchange {
	_Atomic(void *) slots[RING];
	_Atomic bool stop;
	uint64_t freed;
};

static void *free_elsewhere(void *arg)
{
	struct exchange *x = arg;
	bool last;

	do {
		last = atomic_load(&x->stop);
		for (int i = 0; i < RING; i++) {
			void *p = atomic_exchange(&x->slots[i], NULL);

			if (p != NULL) {
				OPENSSL_free(p);
				x->freed++;
			}
		}
	} while (!last);
	return NULL;
}

static void test_freed_by_another_thread(void **state)
{
	static struct exchange x[2];
	struct tls_arena_stats before, after;
	pthread_t threads[2];
	uint64_t put = 0;

	tls_arena_get_stats(arena, &before);
	for (int t = 0; t < 2; t++)
		assert_int_equal(pthread_create(&threads[t], NULL, free_elsewhere, &x[t]), 0);
	for (uint32_t i = 0; i < 400000; i++) {
		void *expected = NULL, *p = OPENSSL_malloc(i % 500 + 1);

		memset(p, 1, i % 500 + 1);
		if (atomic_compare_exchange_strong(&x[i & 1].slots[i / 2 % RING], &expected, p))
			put++;
		else
			OPENSSL_free(p);
	}
	for (int t = 0; t < 2; t++) {
		atomic_store(&x[t].stop, true);
		pthread_join(threads[t], NULL);
	}
	assert_int_equal(x[0].freed + x[1].freed, put);
	/* They all come home: asking for every class collects. */
	for (size_t size = 1; size < 600; size += 16) {
		void *list = NULL;

		for (int i = 0; i < 6000; i++) {
			void **p = OPENSSL_malloc(size < 8 ? 8 : size);

			*p = list;
			list = p;
		}
		while (list != NULL) {
			void *next = *(void **)list;

			OPENSSL_free(list);
			list = next;
		}
	}
	tls_arena_get_stats(arena, &after);
	assert_true(put > 0);
	assert_int_equal(after.remote - before.remote, put);
	assert_int_equal(after.used, before.used);
}

static void session(struct world *w, struct tls_context *server, int version)
{
	static uint8_t data[50000], up[300000], down[300000];
	struct pair p;
	size_t done;

	pair_init(&p, 0, 0);
	/* The queues are the test's, not to be counted. */
	p.up.data = up;
	p.down.data = down;
	p.up.size = p.down.size = sizeof(up);
	pair_open(&p, server, w->client, NULL);
	SSL_set_max_proto_version(p.client->ssl, version);
	pair_expect_open(&p);
	assert_int_equal(tls_write(p.client, data, sizeof(data), &done), TLS_OK);
	while (tls_read(p.server, data, sizeof(data), &done) == TLS_OK)
		;
	assert_int_equal(tls_shutdown(p.client), TLS_OK);
	assert_int_equal(tls_read(p.server, data, sizeof(data), &done), TLS_CLOSED);
	p.up.data = p.down.data = NULL;
	pair_free(&p);
}

static void test_session_without_malloc(void **state)
{
	uint8_t keys[1][TLS_TICKET_KEY_SIZE];
	struct tls_keypair pair;
	struct tls_arena_stats before, after;
	struct tls_server_params params = {
		.keypairs = &pair, .keypair_count = 1, .ticket_keys = keys, .ticket_key_count = 1};
	struct tls_context *server;
	struct world *w;
	uint64_t malloc_before;
	size_t count = 0;
	char err[256];

	/* As in the appliance: built by a thread without an arena, used by one that has it. */
	tls_arena_attach(NULL);
	w = world_create();
	pair = pki_keypair(w->ecdsa);
	tls_ticket_keys_rotate(keys, &count, 1);
	assert_int_equal(tls_server_context_create(w->lib, &params, &server, err, sizeof(err)), 0);
	tls_arena_attach(arena);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		for (int i = 0; i < 3; i++)
			session(w, server, version);
		tls_arena_get_stats(arena, &before);
		malloc_before = mallocs;
		for (int i = 0; i < 50; i++)
			session(w, server, version);
		tls_arena_get_stats(arena, &after);
		assert_int_equal(after.used, before.used);
		assert_int_equal(after.carved, before.carved);
		assert_int_equal(after.fallbacks, before.fallbacks);
		assert_true(after.allocs > before.allocs);
		if (COUNT_MALLOC)
			assert_int_equal(mallocs - malloc_before, 0);
	}
	/* And torn down by the other again. */
	tls_arena_attach(NULL);
	malloc_before = mallocs;
	session(w, server, TLS1_3_VERSION);
	if (COUNT_MALLOC) /* the count counts */
		assert_true(mallocs - malloc_before > 100);
	tls_context_free(server);
	world_destroy(w);
	tls_arena_attach(arena);
}

/* The peer's memory is not ours to count: it comes from the C library. */
static enum tls_status elsewhere(enum tls_status (*step)(struct tls_conn *), struct tls_conn *c)
{
	enum tls_status status;

	tls_arena_attach(NULL);
	status = step(c);
	tls_arena_attach(arena);
	return status;
}

/* Octets of one session of a side, idle, and at its most within the handshake. */
static void measure(
	struct world *w, struct tls_context *server, bool as_server, uint64_t *idle, uint64_t *most)
{
	static const struct tls_connect_params params = {.sni = "mx.example.com"};
	struct tls_arena_stats before, now;
	struct tls_conn *ours, *theirs;
	struct pair p;
	uint8_t octet;
	size_t done;

	pair_init(&p, 0, 0);
	tls_arena_get_stats(arena, &before);
	tls_arena_attach(as_server ? arena : NULL);
	assert_int_equal(tls_accept(server, &end_transport, &p.server_end, &p.server), 0);
	tls_arena_attach(as_server ? NULL : arena);
	assert_int_equal(
		tls_connect(w->client, &end_transport, &p.client_end, &params, &p.client), 0);
	tls_arena_attach(arena);
	ours = as_server ? p.server : p.client;
	theirs = as_server ? p.client : p.server;
	*most = 0;
	for (int i = 0; i < 4; i++) {
		elsewhere(tls_handshake, theirs);
		assert_int_not_equal(tls_handshake(ours), TLS_FAILED);
		tls_arena_get_stats(arena, &now);
		*most = now.used - before.used > *most ? now.used - before.used : *most;
	}
	assert_int_equal(tls_read(ours, &octet, 1, &done), TLS_WANT_READ);
	tls_arena_get_stats(arena, &now);
	*idle = now.used - before.used;
	tls_free(ours);
	tls_arena_attach(NULL);
	tls_free(theirs);
	p.client = p.server = NULL;
	pair_free(&p);
	tls_arena_attach(arena);
}

/* What tls_arena_size() reckons with. */
static void test_memory_of_a_session(void **state)
{
	struct tls_context *server;
	uint64_t idle, most;
	struct world *w;

	tls_arena_attach(NULL);
	w = world_create();
	server = world_server(w->lib, w->ecdsa);
	for (int side = 0; side < 2; side++) {
		tls_arena_attach(NULL);
		measure(w, server, side, &idle, &most); /* what is cached the first time */
		measure(w, server, side, &idle, &most);
		print_message("%s: idle %lu, at most %lu octets\n", side ? "server" : "client",
			(unsigned long)idle, (unsigned long)most);
		assert_in_range(idle, 1000, TLS_ARENA_IDLE);
		assert_in_range(most, idle, TLS_ARENA_BUSY);
	}
	tls_context_free(server);
	world_destroy(w);
}

static void test_range_runs_dry(void **state)
{
	static struct tls_arena *small; /* reachable to the end */
	struct tls_arena_stats stats;
	enum { COUNT = 4000 };
	static void *blocks[COUNT];

	assert_int_equal(tls_arena_create((size_t)1 << 40, &small), -ENOMEM);
	assert_int_equal(tls_arena_create(1 << 16, &small), 0);
	tls_arena_attach(small);
	for (int i = 0; i < COUNT; i++) {
		blocks[i] = OPENSSL_malloc(30000);
		assert_non_null(blocks[i]);
		memset(blocks[i], i, 30000);
	}
	tls_arena_get_stats(small, &stats);
	assert_true(stats.grown > 0);
	assert_true(stats.fallbacks > 0); /* the C library's, no failure */
	for (int i = 0; i < COUNT; i++)
		OPENSSL_free(blocks[i]);
	tls_arena_get_stats(small, &stats);
	assert_int_equal(stats.used, 0);
	tls_arena_attach(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_no_overlap),
		cmocka_unit_test(test_freed_by_another_thread),
		cmocka_unit_test(test_session_without_malloc),
		cmocka_unit_test(test_memory_of_a_session),
		cmocka_unit_test(test_range_runs_dry),
	};
	int ret;

	if (tls_arena_create(1 << 20, &arena) != -EINVAL || tls_arena_install(96 << 20) != 0 ||
		tls_arena_install(96 << 20) != -EALREADY || tls_arena_create(32 << 20, &arena) != 0)
		return 1;
	tls_arena_attach(arena);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	tls_arena_attach(NULL);
	return ret;
}
