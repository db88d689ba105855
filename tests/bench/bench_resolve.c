/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cold burst of questions to the resolver: how long it takes, and how long the event loop is kept
 * from anything else meanwhile. tests/smoke runs it inside its DNS lab.
 *
 * usage: bench_resolve HINTS ANCHOR COUNT SUFFIX HANG_COUNT HANG_SUFFIX [QUEUE]
 *
 * Asks for d0.SUFFIX, d1.SUFFIX ... and as many of HANG_SUFFIX (whose servers are silent) first;
 * prints one JSON object.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/resource.h>

#include <event2/event.h>

#include "control/resolve/resolve.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED "true" /* its quarantine is no memory of ours */
#else
#define SANITIZED "false"
#endif

struct bench {
	struct event_base *base;
	struct resolve *resolve;
	struct event *tick;
	uint64_t last_us, stall_us;
	unsigned int open, good_open;
	unsigned int statuses[DESTINATION_STATUSES];
	uint64_t good_done_us;
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct bench *b = arg;
	uint64_t now = now_us();

	if (now - b->last_us > b->stall_us)
		b->stall_us = now - b->last_us;
	b->last_us = now;
}

static void on_answer(void *arg, const struct destination *d)
{
	struct bench *b = arg;

	b->statuses[d->status]++;
	b->open--;
	if (b->open == 0)
		event_base_loopbreak(b->base);
}

static void on_good_answer(void *arg, const struct destination *d)
{
	struct bench *b = arg;

	if (--b->good_open == 0)
		b->good_done_us = now_us();
	on_answer(arg, d);
}

static void ask(struct bench *b, unsigned int count, const char *suffix, resolve_done done)
{
	struct resolve_waiter *w;
	char domain[256];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(domain, sizeof(domain), "d%u.%s", i, suffix);
		b->open++;
		b->good_open += done == on_good_answer;
		if (resolve_question(b->resolve, domain, done, b, &w) < 0)
			abort();
	}
}

static uint64_t round_of(struct bench *b, unsigned int count, const char *suffix,
	unsigned int hang_count, const char *hang)
{
	uint64_t began = now_us();

	memset(b->statuses, 0, sizeof(b->statuses));
	b->last_us = began;
	b->stall_us = 0;
	ask(b, hang_count, hang, on_answer);
	ask(b, count, suffix, on_good_answer);
	/* From here on; to ask is the caller's own work. */
	b->last_us = now_us();
	if (b->open > 0)
		event_base_dispatch(b->base);
	return b->good_done_us - began;
}

int main(int argc, char **argv)
{
	struct timeval ms = {0, 1000};
	struct resolve_params p;
	struct resolve_stats s;
	struct rusage usage;
	struct bench b = {0};
	uint64_t cold, cached, stall;
	char err[256];

	if (argc < 7) {
		fputs("usage: bench_resolve HINTS ANCHOR COUNT SUFFIX HANG_COUNT HANG_SUFFIX "
		      "[QUEUE]\n",
			stderr);
		return 2;
	}
	b.base = event_base_new();
	b.tick = event_new(b.base, -1, EV_PERSIST, on_tick, &b);
	event_add(b.tick, &ms);
	resolve_params_default(&p);
	p.base = b.base;
	p.root_hints = argv[1];
	p.trust_anchor = argv[2];
	p.min_ttl = 600;
	p.query_timeout_ms = 4000;
	p.question_timeout_ms = 5000;
	p.sts_ca = argv[2]; /* never used: no policy is announced */
	if (argc > 7)
		p.max_queued = (uint32_t)atoi(argv[7]);
	if (resolve_create(&p, &b.resolve, err, sizeof(err)) < 0) {
		fprintf(stderr, "bench_resolve: %s\n", err);
		return 1;
	}
	cold = round_of(
		&b, (unsigned int)atoi(argv[3]), argv[4], (unsigned int)atoi(argv[5]), argv[6]);
	stall = b.stall_us;
	printf("{");
	for (int i = 0; i < DESTINATION_STATUSES; i++)
		printf("\"%s\": %u, ", destination_status_name((enum destination_status)i),
			b.statuses[i]);
	cached = round_of(&b, (unsigned int)atoi(argv[3]), argv[4], 0, "");
	resolve_get_stats(b.resolve, &s);
	getrusage(RUSAGE_SELF, &usage);
	printf("\"cold_ms\": %" PRIu64 ", \"stall_ms\": %" PRIu64 ", \"cached_ms\": %" PRIu64
	       ", \"hits\": %" PRIu64 ", \"dns_asked\": %" PRIu64
	       ", \"cache_bytes\": %zu, \"rss_kb\": %ld, \"sanitized\": " SANITIZED "}\n",
		cold / 1000, stall / 1000, cached / 1000, s.hits, s.dns_asked, s.cache_bytes,
		usage.ru_maxrss);
	/* With questions open: none may be touched afterwards. */
	ask(&b, 100, argv[6], on_answer);
	resolve_destroy(b.resolve);
	event_free(b.tick);
	event_base_free(b.base);
	return 0;
}
