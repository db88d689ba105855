/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RFC 3030: each chunk is answered once, at its end, whatever has become of the next hop. A NOOP
 * (or RSET) behind each conversation shows that nothing is left over or owed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dataplane/gateway/talk.h"

/* Nothing came that was not expected, and the session takes commands. */
static void in_step(struct peer *c)
{
	assert_int_equal(peer_pending(c), 0);
	peer_say(c, "RSET\r\n");
	peer_expect(c, "250 2.0.0");
	peer_expect_silence(c, 1000);
	peer_say(c, "NOOP\r\n");
	peer_expect(c, "250 2.0.0");
}

/* The only next hop goes away between RCPT and BDAT. */
static void test_next_hop_down(void **state)
{
	for (int last = 0; last < 2; last++) {
		struct world *w = world_plain(1, EXT_ALL);
		struct peer *h, *c = begin(w, 0, EXT_ALL, &h);

		world_hop_listen(w, 0, false);
		peer_reset(h);
		world_run(w, 10);
		peer_say(c, last ? "BDAT 10 LAST\r\n01234567" : "BDAT 10\r\n01234567");
		peer_expect_silence(c, 1000); /* two octets are owed */
		peer_say(c, "\r\n");
		peer_expect(c, "451 4.4");
		if (!last) { /* the rest of a message that failed is refused as well */
			peer_say(c, "BDAT 2 LAST\r\n\r\n");
			peer_expect(c, "503");
		}
		in_step(c);
		assert_int_equal(world_counter(w, "messages_deferred"), 1);
		world_free(w);
	}
}

/* Translated: the next hop refuses at DATA, while the chunk is on its way. */
static void test_refused_at_data(void **state)
{
	struct world *w = world_plain(1, EXT_NOBDAT);
	struct peer *h, *c = begin(w, 0, EXT_NOBDAT, &h);

	peer_say(c, "BDAT 10\r\n0123");
	peer_expect(h, "DATA");
	peer_say(h, "554 5.7.1 not from you\r\n");
	peer_expect_silence(c, 1000);
	peer_say(c, "4567\r\n");
	peer_expect(c, "554 5.7.1 not from you");
	peer_say(c, "BDAT 0 LAST\r\n");
	peer_expect(c, "503");
	in_step(c);
	assert_int_equal(world_counter(w, "messages_refused_by_next_hop"), 1);
	world_free(w);
}

/* A next hop answers BDAT as soon as it sees the size; or with a 250 to what it has not got. */
static void early(const char *reply, bool last, const char *want)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h, *c = begin(w, 0, EXT_ALL, &h);

	peer_say(c, last ? "BDAT 10 LAST\r\n0123" : "BDAT 10\r\n0123");
	peer_expect(h, "BDAT ");
	peer_say(h, reply);
	peer_expect_silence(c, 1000);
	peer_say(c, "4567\r\n");
	peer_expect(c, want);
	peer_expect_reset(h);
	in_step(c);
	assert_int_equal(world_counter(w, "messages_delivered"), 0);
	world_free(w);
}

static void test_early_reply(void **state)
{
	for (int last = 0; last < 2; last++) {
		early("552 5.3.4 too big\r\n", last, "552 5.3.4 too big");
		early("452 full\r\n", last, "452 4.0.0 full");
		early("250 2.0.0 thank you\r\n", last, "451 4.5.0");
	}
}

/* Lost between two chunks, and within the second. */
static void test_lost_between_chunks(void **state)
{
	static const char *const exts[] = {EXT_ALL, EXT_NOBDAT};

	for (int i = 0; i < 4; i++) {
		struct world *w = world_plain(1, exts[i % 2]);
		struct peer *h, *c = begin(w, 0, exts[i % 2], &h);

		peer_say(c, "BDAT 6\r\n0123\r\n");
		if (i % 2 == 0) {
			peer_expect(h, "BDAT ");
			peer_say(h, "250 ok\r\n");
		} else {
			peer_expect(h, "DATA");
			peer_say(h, "354 go\r\n");
		}
		peer_expect(c, "250");
		if (i < 2) {
			peer_reset(h);
			world_run(w, 10);
			peer_say(c, "BDAT 6 LAST\r\n0123\r\n");
		} else {
			peer_say(c, "BDAT 6 LAST\r\n01");
			world_run(w, 10);
			peer_reset(h);
			world_run(w, 10);
			peer_say(c, "23\r\n");
		}
		peer_expect(c, "451 4.4.2");
		in_step(c);
		assert_int_equal(world_counter(w, "messages_deferred"), 1);
		assert_int_equal(world_counter(w, "messages_delivered"), 0);
		world_free(w);
	}
}

/* A chunk of nothing ends the message: as its only one, and behind another. */
static void test_empty_last_chunk(void **state)
{
	static const char *const exts[] = {EXT_ALL, EXT_NOBDAT};
	const char *body;

	for (int i = 0; i < 4; i++) {
		bool chunked = i % 2 == 0, alone = i < 2;
		struct world *w = world_plain(1, exts[i % 2]);
		struct peer *h, *c = begin(w, 0, exts[i % 2], &h);

		if (!alone) {
			peer_say(c, "BDAT 8\r\nA: b\r\n\r\n");
			if (!chunked) {
				peer_expect(h, "DATA");
				peer_say(h, "354 go\r\n");
			} else {
				peer_expect(h, "BDAT ");
				peer_read_until(h, "A: b\r\n\r\n", &body);
				peer_say(h, "250 ok\r\n");
			}
			peer_expect(c, "250");
		}
		peer_say(c, "BDAT 0 LAST\r\n");
		if (chunked && alone) {
			assert_non_null(strstr(peer_expect(h, "BDAT "), " LAST"));
			peer_read_until(h, "+0000\r\n", &body);
		} else if (chunked) {
			peer_expect(h, "BDAT 0 LAST");
		} else {
			if (alone) {
				peer_expect(h, "DATA");
				peer_say(h, "354 go\r\n");
			}
			peer_read_until(h, "\r\n.\r\n", &body);
		}
		peer_say(h, "250 2.0.0 taken\r\n");
		peer_expect(c, "250 2.0.0 taken");
		in_step(c);
		assert_int_equal(world_counter(w, "messages_delivered"), 1);
		world_free(w);
	}
}

/* A chunk that no buffer of ours holds, to a next hop that does not read for a while. */
static void test_chunk_bigger_than_buffers(void **state)
{
	enum { LINES = 4000, LINE = 100 };
	static char chunk[LINES * LINE];
	const char *line, *body;
	char head[64];

	for (int i = 0; i < LINES; i++) {
		memset(chunk + i * LINE, 'a' + i % 26, LINE - 2);
		memcpy(chunk + (i + 1) * LINE - 2, "\r\n", 2);
	}
	memcpy(chunk + sizeof(chunk) - 9, "the end\r\n", 9);
	for (int chunked = 0; chunked < 2; chunked++) {
		const char *ext = chunked ? EXT_ALL : EXT_NOBDAT;
		struct world *w = world_plain(1, ext);
		struct peer *h, *c = begin(w, 0, ext, &h);
		size_t n, want = 0;

		snprintf(head, sizeof(head), "BDAT %d LAST\r\n", LINES * LINE);
		peer_say(c, head);
		if (chunked) {
			line = peer_expect(h, "BDAT ");
			want = strtoul(line + 5, NULL, 10);
		} else {
			peer_expect(h, "DATA");
			peer_say(h, "354 go\r\n");
		}
		peer_pause(h, true);
		for (int i = 0; i < LINES; i += 100)
			peer_send(c, chunk + i * LINE, 100 * LINE);
		peer_expect_silence(c, 5000);
		peer_pause(h, false);
		n = peer_read_until(h, chunked ? "the end\r\n" : "\r\n.\r\n", &body);
		if (chunked)
			assert_int_equal(n, want);
		else
			n -= 3;
		assert_memory_equal(body + n - sizeof(chunk), chunk, sizeof(chunk));
		peer_say(h, "250 2.0.0 taken\r\n");
		peer_expect(c, "250 2.0.0 taken");
		in_step(c);
		world_free(w);
	}
}

/* No room for the envelope: told at MAIL or RCPT; a BDAT that comes all the same is answered once,
 * and one with the recipients that did fit is delivered. */
static void test_envelope_pool_empty(void **state)
{
	struct world *w = world_plain(1, EXT_ALL);
	struct peer *h[16], *c[16], *d;
	static char rcpt[300];
	const char *body;
	int n = 0;
	bool full = false;

	memset(rcpt, 'x', sizeof(rcpt));
	memcpy(rcpt, "RCPT TO:<", 9);
	strcpy(rcpt + 70, "@inside.example>\r\n");
	for (n = 0; n < 16 && !full; n++) {
		c[n] = begin(w, 0, EXT_ALL, &h[n]);
		for (int i = 0; i < 98 && !full; i++) {
			peer_say(c[n], rcpt);
			world_run(w, 1);
			full = peer_pending(c[n]) > 0; /* answered without the next hop */
			if (full)
				break;
			peer_expect(h[n], "RCPT");
			peer_say(h[n], "250 ok\r\n");
			peer_expect(c[n], "250");
		}
	}
	assert_true(full);
	n--;
	peer_expect(c[n], "452 4.5.3");
	d = world_client(w);
	client_greet(d);
	/* What is left of the last chunk is another transaction's: this one gets none. */
	peer_say(d, "MAIL FROM:<d@client.example>\r\n");
	peer_expect(d, "451 4.3.2");
	peer_say(d, "BDAT 6 LAST\r\n0123\r\n");
	peer_expect(d, "503");
	in_step(d);
	peer_say(c[n], "BDAT 6 LAST\r\n0123\r\n");
	peer_expect(h[n], "BDAT ");
	peer_read_until(h[n], "0123\r\n", &body);
	peer_say(h[n], "250 2.0.0 taken\r\n");
	peer_expect(c[n], "250 2.0.0 taken");
	in_step(c[n]);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_hop_down),
		cmocka_unit_test(test_refused_at_data),
		cmocka_unit_test(test_early_reply),
		cmocka_unit_test(test_lost_between_chunks),
		cmocka_unit_test(test_empty_last_chunk),
		cmocka_unit_test(test_chunk_bigger_than_buffers),
		cmocka_unit_test(test_envelope_pool_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
