/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A gateway that has served a few sessions serves the next ones without malloc(), plain and with
 * TLS on both legs. The peers are in this process and take no more either, but for what world.c
 * says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dataplane/gateway/world.h"
#include "tls/arena.h"

/* With a sanitizer the C library's names are taken; counting is left to the other builds. */
#if !defined(__SANITIZE_ADDRESS__)
#define COUNT_MALLOC 1
static uint64_t mallocs;
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

#define ROUNDS 20

static struct tls_arena *arena;

static void message(struct world *w, bool tls)
{
	struct peer *c = world_client(w), *h;
	const char *body;

	client_greet(c);
	if (tls) {
		peer_say(c, "STARTTLS\r\n");
		peer_expect(c, "220");
		assert_true(peer_start_tls(c, false));
		peer_say(c, "EHLO client.example\r\n");
		peer_expect(c, "250 ");
	}
	peer_say(c, "MAIL FROM:<a@client.example>\r\n");
	h = world_hop_accept(w, 0);
	hop_greet(h, tls ? "250-STARTTLS\r\n" : "250-PIPELINING\r\n");
	if (tls) {
		peer_expect(h, "STARTTLS");
		peer_say(h, "220 go\r\n");
		assert_true(peer_start_tls(h, true));
		peer_expect(h, "EHLO");
		peer_say(h, "250 hop.example\r\n");
	}
	peer_expect(h, "MAIL");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	peer_say(c, "RCPT TO:<b@inside.example>\r\n");
	peer_expect(h, "RCPT");
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	peer_say(c, "DATA\r\n");
	peer_expect(h, "DATA");
	peer_say(h, "354 go\r\n");
	peer_expect(c, "354");
	for (int i = 0; i < 100; i++)
		peer_say(c,
			"A line of some length, so that records are of some length as well.\r\n");
	peer_say(c, ".\r\n");
	peer_read_until(h, "\r\n.\r\n", &body);
	peer_say(h, "250 ok\r\n");
	peer_expect(c, "250");
	peer_say(c, "QUIT\r\n");
	peer_expect(c, "221");
	peer_close(c);
	peer_expect(h, "QUIT");
	peer_say(h, "221 bye\r\n");
	peer_close(h);
	world_run(w, 5000); /* past TIME-WAIT */
	world_forget_tls(w);
}

static void steady(bool tls)
{
	struct tls_arena_stats before, after;
	uint64_t malloc_before;
	uint32_t peers_before;
	struct world *w;

	/* As in the appliance: contexts are built by a thread without an arena. */
	tls_arena_attach(NULL);
	w = world_new(&(struct world_params){.hops = 1,
		.level = tls ? POLICY_ENCRYPT : POLICY_NONE,
		.hop_ext = tls ? "250-STARTTLS\r\n" : "250-PIPELINING\r\n",
		.server_tls = true});
	tls_arena_attach(arena);
	world_health(w);
	for (int i = 0; i < 3; i++)
		message(w, tls);
	tls_arena_get_stats(arena, &before);
	malloc_before = mallocs;
	peers_before = world_peer_count(w);
	for (int i = 0; i < ROUNDS; i++)
		message(w, tls);
	if (COUNT_MALLOC)
		assert_int_equal(mallocs - malloc_before, 2 * (world_peer_count(w) - peers_before));
	assert_int_equal(world_peer_count(w) - peers_before, 2 * ROUNDS);
	tls_arena_get_stats(arena, &after);
	assert_int_equal(after.carved, before.carved);
	assert_int_equal(after.used, before.used);
	assert_int_equal(after.grown, 0);
	assert_int_equal(after.fallbacks, before.fallbacks);
	assert_true(tls == (after.allocs > before.allocs));
	assert_int_equal(world_counter(w, "messages_delivered"), ROUNDS + 3);
	assert_int_equal(world_counter(w, "tls_downstream_ok"), tls ? ROUNDS + 3 : 0);
	world_free(w);
}

static void test_plain(void **state)
{
	steady(false);
}

static void test_tls(void **state)
{
	steady(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_tls),
	};

	if (tls_arena_install(64 << 20) != 0 || tls_arena_create(16 << 20, &arena) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
