/* SPDX-License-Identifier: BSD-3-Clause */
/* Two hosts, a link each way, one virtual clock. */
#ifndef POSTGATE_TESTS_SIM_WORLD_H
#define POSTGATE_TESTS_SIM_WORLD_H

#include <stdio.h>

#include "tests/sim/host.h"

#define SIM_MS     UINT64_C(1000000)
#define SIM_SECOND UINT64_C(1000000000)

struct sim_world {
	uint64_t now;
	struct sim_host host[2];
	struct sim_link link[2]; /* link[i]: from host i to the other */
	struct rng rng;
	FILE *trace; /* NULL: none */
	/* A deterministic say about each packet before the link's: true loses it. */
	bool (*drop)(void *arg, int from, const struct sim_packet *p);
	void *drop_arg;
	uint64_t steps;
};

struct sim_world_params {
	struct tcp_config config[2];
	struct sim_link_params link[2];
	uint16_t mtu[2]; /* of the hosts' interfaces */
	uint32_t tso_max[2];
	bool frames;
	uint64_t seed;
	uint64_t start; /* of the clock */
	FILE *trace;
};

/* Small configuration with fixed secrets: what every simulation starts from. */
void sim_config(struct tcp_config *config, uint64_t seed);
/* `pools`: of two hosts. 0 or -errno. */
int sim_world_create(
	struct sim_world *w, const struct sim_world_params *params, struct sim_pools *pools);
void sim_world_destroy(struct sim_world *w);
/* To the next thing that happens, not beyond `until`. False: nothing does by then. */
bool sim_world_step(struct sim_world *w, uint64_t until);
/* Both hosts take a turn now: after the application did something from outside. */
void sim_world_kick(struct sim_world *w);
/* What is still in use on either host: connections, timers, ports, mbufs, packets under way. Writes
 * a line about each to `f` (may be NULL). */
uint32_t sim_world_left(struct sim_world *w, FILE *f);
/* The IPv4 or IPv6 address of a host. */
const struct ip_addr *sim_world_addr(const struct sim_world *w, int host, bool v6);

#endif
