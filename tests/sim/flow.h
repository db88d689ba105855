/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Applications: each connection is a flow with a number of bytes each way, a manner of closing, and
 * readers and writers that dawdle. Every byte received is compared with the one that was sent.
 */
#ifndef POSTGATE_TESTS_SIM_FLOW_H
#define POSTGATE_TESTS_SIM_FLOW_H

#include "tests/sim/world.h"

enum sim_close {
	SIM_CLOSE_HALF,   /* each shuts down when it has sent all, closes when it has read all */
	SIM_CLOSE_CLIENT, /* the client closes when it has all, the server after it */
	SIM_CLOSE_SERVER,
	SIM_CLOSE_BOTH,  /* each closes when it has all: often at once */
	SIM_CLOSE_ABORT, /* the client aborts half way */
	SIM_CLOSE_KINDS,
};

struct sim_end {
	struct sim_flow *flow;
	struct sim_host *host;
	struct tcp_conn *conn;    /* NULL: not yet, or gone */
	struct wheel_timer timer; /* wakes a dawdling reader or writer */
	uint64_t to_send, sent;
	uint64_t to_read, read;
	bool up, shut, finished;
	bool bad_byte;
	enum tcp_reason reason; /* of `closed`; TCP_REASON_NONE */
	uint32_t pause_ppm;     /* chance at each read or write to wait */
	uint64_t pause_max;     /* ns */
};

struct sim_flow {
	struct sim_flows *all;
	uint32_t id;
	enum sim_close how;
	struct sim_end end[2]; /* client, server */
	bool v6;
	uint16_t client_port;
	uint64_t started, finished; /* virtual time; last byte read on both sides */
};

struct sim_flows {
	struct sim_world *world;
	struct rng rng;
	uint8_t timer_kind[2];
	struct tcp_listener *listener;
	uint32_t count;
	uint32_t unknown; /* connections accepted that are no flow's */
	struct sim_flow flow[64];
};

/* Listens on the second host, port 25, both families. 0 or -errno. */
int sim_flows_init(struct sim_flows *f, struct sim_world *w, uint64_t seed);
/* Connects one more. 0 or -errno. */
int sim_flow_start(struct sim_flows *f, enum sim_close how, bool v6, uint64_t client_bytes,
	uint64_t server_bytes, uint32_t pause_ppm, uint64_t pause_max);
/* Both ends are through with it, in whatever manner. */
bool sim_flows_over(const struct sim_flows *f);
/* Whether each flow came out as it had to; says to `out` what did not. */
bool sim_flows_check(const struct sim_flows *f, FILE *out);
/* What never came to an end is aborted; stops listening. */
void sim_flows_stop(struct sim_flows *f);

#endif
