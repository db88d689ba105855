/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes both ways through narrow transports with writes and reads of random size. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tls/fixture.h"

static struct world *world;

static int setup(void **state)
{
	world = world_create();
	return 0;
}

static int teardown(void **state)
{
	world_destroy(world);
	return 0;
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

struct flow {
	struct tls_conn *from, *to;
	const struct queue *queue;
	uint64_t written, read, goal;
	size_t want; /* of the write that must be repeated */
	bool shut, closed;
};

static uint8_t octet(uint64_t at)
{
	return (uint8_t)(at * 131 + (at >> 8) * 7 + (at >> 16));
}

static void flow_step(struct flow *f, uint32_t *seed, size_t max_write)
{
	/* A fresh copy each time: the octets may have moved between tries. */
	static uint8_t buf[70000];
	size_t n = f->want != 0 ? f->want : next_random(seed) % max_write + 1, done;
	uint64_t before = f->queue->total;
	enum tls_status status;

	if (f->written < f->goal) {
		uint8_t *copy;

		if (n > f->goal - f->written)
			n = f->goal - f->written;
		copy = malloc(n);
		for (size_t i = 0; i < n; i++)
			copy[i] = octet(f->written + i);
		status = tls_write(f->from, copy, n, &done);
		free(copy);
		if (status == TLS_OK) {
			assert_int_equal(done, n);
			f->written += n;
			f->want = 0;
			if (f->queue->limit == 0 && f->queue->chunk == 0)
				assert_true(f->queue->total - before <= tls_wire_size(f->from, n));
		} else {
			assert_int_equal(status, TLS_WANT_WRITE);
			assert_int_equal(done, 0);
			f->want = n;
		}
	} else if (!f->shut) {
		f->shut = tls_shutdown(f->from) == TLS_OK;
	}
	n = next_random(seed) % sizeof(buf) + 1;
	if (next_random(seed) % 4 == 0 && tls_peek(f->to, buf, n, &done) == TLS_OK) {
		uint8_t peeked = buf[0];

		assert_true(tls_pending(f->to) > 0);
		assert_int_equal(peeked, octet(f->read));
	}
	status = tls_read(f->to, buf, n, &done);
	if (status == TLS_CLOSED) {
		f->closed = true;
	} else if (status == TLS_OK) {
		assert_true(done > 0);
		for (size_t i = 0; i < done; i++)
			if (buf[i] != octet(f->read + i))
				fail_msg("octet %llu differs", (unsigned long long)(f->read + i));
		f->read += done;
	} else {
		if (status != TLS_WANT_READ)
			fail_msg("%s", tls_error_text(f->to));
		assert_int_equal(done, 0);
		assert_int_equal(tls_pending(f->to), 0);
		/* Nobody would call again for octets that are already there. */
		assert_true(f->queue->begin == f->queue->end);
	}
}

static void transfer(int version, size_t limit, size_t chunk, size_t max_write, uint64_t goal,
	uint64_t key_update, uint32_t seed)
{
	struct flow flows[2];
	struct pair p;

	pair_init(&p, limit, chunk);
	pair_open(&p, world->server, world->client, NULL);
	SSL_set_max_proto_version(p.client->ssl, version);
	pair_expect_open(&p);
	p.client->ctx->key_update_records = p.server->ctx->key_update_records = key_update;
	flows[0] = (struct flow){.from = p.client, .to = p.server, .queue = &p.up, .goal = goal};
	flows[1] = (struct flow){.from = p.server, .to = p.client, .queue = &p.down, .goal = goal};
	for (uint64_t i = 0; !flows[0].closed || !flows[1].closed; i++) {
		flow_step(&flows[next_random(&seed) % 2], &seed, max_write);
		if (i > 20000000)
			fail_msg("no end: %llu of %llu", (unsigned long long)flows[0].read,
				(unsigned long long)goal);
	}
	assert_int_equal(flows[0].read, goal);
	assert_int_equal(flows[1].read, goal);
	pair_free(&p);
	world->client->key_update_records = world->server->key_update_records =
		TLS_KEY_UPDATE_RECORDS;
}

static void test_wide(void **state)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
		transfer(version, 0, 0, 65000, 20000000, TLS_KEY_UPDATE_RECORDS, 1);
}

static void test_narrow(void **state)
{
	static const size_t widths[] = {1, 2, 5, 6, 29, 100, 1460, 16384, 16406, 40000};

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
		for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
			uint64_t goal = widths[i] < 100 ? 20000 : 400000;

			transfer(version, widths[i], 0, 50000, goal, TLS_KEY_UPDATE_RECORDS, 7 + i);
			transfer(version, 0, widths[i], 50000, goal, TLS_KEY_UPDATE_RECORDS, 8 + i);
			transfer(version, widths[i], widths[i] / 2 + 1, 300, goal / 8, 1000, 9 + i);
		}
}

/* RFC 8446 5.5: keys are renewed on the way, both sides following. */
static void test_key_update(void **state)
{
	transfer(TLS1_3_VERSION, 0, 0, 500, 500000, 5, 3);
	transfer(TLS1_3_VERSION, 1000, 7, 500, 200000, 3, 4);
	/* 1.2 has no such thing. */
	transfer(TLS1_2_VERSION, 0, 0, 500, 500000, 5, 5);
}

static void test_key_update_happens(void **state)
{
	struct pair p;
	uint8_t buf[64];
	size_t done;
	uint64_t before;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, NULL);
	pair_expect_open(&p);
	world->client->key_update_records = 2;
	for (int i = 0; i < 5; i++) {
		before = p.up.total;
		assert_int_equal(tls_write(p.client, "x", 1, &done), TLS_OK);
		assert_int_equal(p.up.total - before, i == 2 || i == 4 ? 23 + 27 : 23);
		assert_true(p.up.total - before <= tls_wire_size(p.client, 1));
		assert_int_equal(tls_read(p.server, buf, sizeof(buf), &done), TLS_OK);
	}
	world->client->key_update_records = TLS_KEY_UPDATE_RECORDS;
	pair_free(&p);
}

static void test_wire_size(void **state)
{
	static const size_t sizes[] = {1, 2, 16383, 16384, 16385, 32768, 32769, 65536};
	static uint8_t data[65536];

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct pair p;
			uint64_t before;
			size_t done;

			pair_init(&p, 0, 0);
			pair_open(&p, world->server, world->client, NULL);
			SSL_set_max_proto_version(p.client->ssl, version);
			pair_expect_open(&p);
			before = p.up.total;
			assert_int_equal(tls_write(p.client, data, sizes[i], &done), TLS_OK);
			assert_in_range(p.up.total - before, sizes[i] + 22,
				tls_wire_size(p.client, sizes[i]));
			/* Bound, but no extravagant one. */
			assert_true(tls_wire_size(p.client, sizes[i]) < p.up.total - before + 128);
			pair_free(&p);
		}
}

static void test_empty_write(void **state)
{
	struct pair p;
	uint64_t before;
	size_t done = 9;

	pair_init(&p, 0, 0);
	pair_open(&p, world->server, world->client, NULL);
	pair_expect_open(&p);
	before = p.up.total;
	assert_int_equal(tls_write(p.client, "", 0, &done), TLS_OK);
	assert_int_equal(done, 0);
	assert_int_equal(p.up.total, before);
	pair_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_key_update),
		cmocka_unit_test(test_key_update_happens),
		cmocka_unit_test(test_wire_size),
		cmocka_unit_test(test_empty_write),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
