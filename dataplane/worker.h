/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker: one lcore, one queue pair of every port, and everything that a packet needs on its way
 * (net, tcp, gateway), shared with nobody. worker.c's loop is the one place that knows the order.
 */
#ifndef POSTGATE_DATAPLANE_WORKER_H
#define POSTGATE_DATAPLANE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/clock.h"
#include "dataplane/gateway/gateway.h"
#include "dataplane/net/net.h"
#include "dataplane/tcp/tcp.h"

struct exception_tap;
struct port;
struct tls_lib;
struct worker;

/* Shared by all workers, written by the control thread only. */
struct worker_group {
	uint16_t count;
	struct worker **workers;
	/* RCU: the committed generation, NULL before the first. */
	const struct gateway_generation *generation; // control: rw (rcu_assign_pointer), worker: ro
	/* CLOCK_REALTIME minus the workers' clock, ns; refreshed by the control thread each second
	 * (worker_realtime_refresh()). */
	uint64_t realtime_offset_ns; // control: rw, worker: ro relaxed
	struct clock_tsc clock;      // clock_tsc_init() before the first worker_create()
	_Atomic bool stop;           // leave the loop now
	_Atomic bool drain;          // finish what is in flight, take nothing new
};

struct worker_params {
	struct worker_group *group;
	uint16_t index; /* 0..count-1; also the RX and TX queue of every port */
	unsigned int lcore;
	struct port **ports;               /* by port_id */
	struct exception_tap **exceptions; /* by port_id; NULL, or an entry NULL: none */
	uint16_t port_count;
	struct tcp_config tcp; /* secret and sizes; worker and worker_count are filled in */
	uint32_t max_sessions;
	uint32_t tx_mbufs, ctl_mbufs;
	uint32_t event_ring_size;
	uint32_t idle_sleep_us; /* 0: poll for ever. Else sleep that long after loops without work,
				   as OVS-DPDK's pmd-sleep-max: for shared cores (lab), not
				   appliances */
};

/* On the control thread, before the lcores are launched: takes all memory. 0 or -errno. */
int worker_create(const struct worker_params *params, struct worker **out);
void worker_destroy(struct worker *w);
/* The lcore's function: runs until group->stop. */
int worker_main(void *worker);

/* About once a second, by the control thread: the workers ask no clock but the TSC. */
void worker_realtime_refresh(struct worker_group *group);

/* --- From the control thread, while the worker runs --- */

struct tls_lib *worker_tls_lib(struct worker *w); /* to build contexts in */
struct gateway_event_ring *worker_events(struct worker *w);
/* Generation that the worker has adopted, 0: none. */
uint64_t worker_generation(const struct worker *w);

struct worker_stats {
	unsigned int lcore;
	uint64_t cycles_busy, cycles_total; /* loops that did work / all, since start */
	uint64_t loops;
	uint32_t tx_mbufs_free, tx_mbufs;
	uint32_t ctl_mbufs_free, ctl_mbufs;
	struct tcp_usage tcp;
	struct gateway_usage gateway;
};
void worker_get_stats(const struct worker *w, struct worker_stats *stats);

/* All counters of the worker's layers (net, tcp, gateway and its own) as one numbered list. */
size_t worker_counter_count(void);
const char *worker_counter_name(size_t i);
uint64_t worker_counter_value(const struct worker *w, size_t i);

/*
 * A question that only the worker's own thread can answer. The asker owns the memory and waits for
 * `done` (the worker makes no system call to wake it). One question at a time per worker: -EBUSY.
 */
struct worker_question {
	enum {
		WORKER_ASK_SESSIONS,
		WORKER_ASK_NEXT_HOPS,
		WORKER_ASK_TCP,
	} kind;
	uint32_t cursor; /* in: where to start; out: where to go on, UINT32_MAX at the end */
	uint32_t max;    /* entries that fit; at most 64 a question, to bound the worker's work */
	uint32_t count;  /* out */
	union {
		struct gateway_session_info *sessions;
		struct gateway_next_hop_info *next_hops;
		struct tcp_info *tcp;
	};
	_Atomic bool done;
};
int worker_ask(struct worker *w, struct worker_question *q);

#endif
