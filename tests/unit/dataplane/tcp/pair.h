/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two stacks back to back: a link in memory with delay, rate and whatever a test does to packets, a
 * virtual clock that jumps from event to event, and applications that send and check a pattern.
 */
#ifndef POSTGATE_TESTS_UNIT_DATAPLANE_TCP_PAIR_H
#define POSTGATE_TESTS_UNIT_DATAPLANE_TCP_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/net/addr.h"
#include "dataplane/tcp/tcp.h"
#include "dataplane/tcp/wheel.h"
#include "tests/unit/dataplane/tcp/eal.h"

#define MS  1000000ull
#define SEC (1000 * MS)

struct pair;
struct rte_mbuf;
struct rte_mempool;
struct net_icmp_error;

/* A segment on its way, as a test sees it. */
struct seen {
	int from; /* 0 or 1 */
	uint32_t seq, ack, len;
	uint16_t wnd;
	uint8_t flags, tos;
	bool has_ts;
	uint32_t tsval, tsecr;
	uint16_t mss;
	uint8_t sack_count;
	uint32_t sack[8];
	struct rte_mbuf *m; /* TCP header first; a filter may write to it */
};

enum verdict { PASS, DROP, TWICE, LATE };

/* One end of a connection. */
struct app {
	struct pair *p;
	int host;
	struct tcp_conn *c; /* NULL: no handle (any more) */
	uint64_t to_send, sent, received;
	bool more;           /* tcp_send(..., more) */
	bool shutdown_after; /* tcp_shutdown() when all is sent */
	bool close_after;    /* tcp_close() when all is sent and, with close_on_eof, at EOF */
	bool close_on_eof;
	bool no_read;
	bool accepted, connected, eof, closed, bad;
	enum tcp_reason reason;
	uint64_t connected_ns, eof_ns, closed_ns;
	unsigned int writable_events, readable_events;
};

struct host {
	struct pair *p;
	int index;
	struct ip_addr addr;
	struct tcp_stack *s;
	struct wheel *w;
	struct rte_mempool *tx, *ctl;
	struct tcp_listener *listener;
	uint16_t mtu;
	uint32_t tso_max;
	int fail_output; /* -errno of the lower layer, 0: works */
	uint64_t segs_out, tso_out, confirms;
};

struct packet {
	struct packet *next;
	struct rte_mbuf *m;
	uint64_t when, order;
	int to;
	uint8_t ecn;
};

struct pair {
	struct host h[2];
	struct app app[2]; /* 0: active side, on host 0; 1: what host 1 accepted */
	uint64_t now;
	uint64_t delay_ns;   /* one way */
	uint64_t late_ns;    /* more of it for LATE */
	uint64_t hold_until; /* LATE before this: from this time on, in order */
	uint64_t held;
	uint64_t rate; /* bytes a second, 0: no limit */
	uint64_t busy[2];
	struct packet *queue;
	uint64_t order;
	uint32_t queued;
	uint32_t queue_max; /* packets in the bottleneck, 0: no limit */
	struct rte_mempool *rx;
	enum verdict (*filter)(struct pair *p, const struct seen *seen, void *arg);
	void *filter_arg;
	bool mark_ce;                /* set by a filter: this packet gets CE */
	struct net_icmp_error *icmp; /* set by a filter: host 0 gets it */
	int refuse;                  /* what accepted() returns */
	uint64_t rand;
	struct tcp_config config;
	bool check_each_step;
	bool valid; /* false once an invariant failed */
};

/* Allocations from the send and control pools of both hosts: how many there were, which one fails
 * (counted from 1; 0: none), and every how manieth fails. */
struct pair_alloc {
	uint64_t count, fail_at, fail_each, failed;
};
extern struct pair_alloc pair_alloc;

/* Once a program; cmocka group set-up. */
int pair_setup_eal(void **state);
/* The configuration that a pair starts from: small pools. */
void pair_config(struct tcp_config *config);
/* Host 1 listens on port 25. `change` may be NULL. */
struct pair *pair_new(void (*change)(struct tcp_config *config));
/* Checks that nothing is left in use (`drained`) and frees all. Returns whether it was so. */
bool pair_free(struct pair *p, bool drained);
void pair_connect(struct pair *p);
/* Runs to that time or until `done` is true. */
void pair_run(struct pair *p, uint64_t until);
bool pair_run_until(struct pair *p, bool (*done)(const struct pair *p), uint64_t until);
/* Packets whose time has come, nothing else. */
void pair_deliver(struct pair *p);
/* One round of both hosts at the present time. */
void pair_step(struct pair *p);
void app_push(struct app *a);
uint8_t pattern(int host, uint64_t offset);
/* Counters that are not zero, for who looks for a failure. */
void pair_print(const struct pair *p);
uint64_t counter(const struct pair *p, int host, const char *name);
/* Puts a forged segment for `to` onto the link, as if from the other host. */
struct forge {
	uint32_t seq, ack, len;
	uint16_t sport, dport, wnd;
	uint8_t flags;
	const uint8_t *opt;
	uint8_t opt_len;
	uint8_t fill;
};
void pair_inject(struct pair *p, int to, const struct forge *f);

/* app[0] sends `there`, app[1] `back`, both close; asserts in the test: true if all came right
 * within `limit`. */
bool pair_exchange(struct pair *p, uint64_t there, uint64_t back, uint64_t limit);

/* A filter that loses data segments of one side, counted from 0 by first appearance. */
struct loss {
	int from;
	uint32_t first, count; /* these */
	uint32_t times;        /* each so often */
	uint32_t isn;          /* private */
	bool started;
	uint32_t lost, high, seen;
	uint32_t hits[256];
};
enum verdict loss_filter(struct pair *p, const struct seen *seen, void *arg);

#endif
