/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A host of a simulation: a worker without its loop. TCP alone over bare segments, or TCP over the
 * IP layer and Ethernet frames.
 */
#ifndef POSTGATE_TESTS_SIM_HOST_H
#define POSTGATE_TESTS_SIM_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/net.h"
#include "dataplane/tcp/tcp.h"
#include "dataplane/tcp/wheel.h"
#include "tests/sim/link.h"

#define SIM_BURST 64

/* Made once in a process; every host that is made of them must have given back all. */
struct sim_pools {
	struct rte_mempool *rx, *tx, *ctl;
};
int sim_eal_init(void);
/* Sizes in mbufs; 0 or -ENOMEM. */
int sim_pools_create(struct sim_pools *p, const char *name, uint32_t rx, uint32_t tx, uint32_t ctl);
/* mbufs that are out now, of all three. */
uint32_t sim_pools_out(const struct sim_pools *p);

struct sim_host_params {
	const char *name;
	struct tcp_config config;
	struct ip_addr addrs[2]; /* IPv4, IPv6 */
	uint16_t mtu;
	uint32_t tso_max; /* 0: no TSO; of bare segments only */
	bool frames;      /* with the IP layer */
};

struct sim_host {
	const char *name;
	struct ip_addr addrs[2];
	uint8_t mac[6];
	uint16_t mtu;
	uint32_t tso_max;
	bool frames;
	uint64_t now;
	struct sim_pools *pools;
	struct wheel *wheel;
	struct tcp_stack *tcp;
	struct net *net;
	struct net_config net_config;
	struct net_iface_config iface;
	struct net_addr_config addr_config[2];
	struct rte_mbuf *in[SIM_BURST];
	uint16_t in_count;
	uint64_t next_net_tick;
	/* Where what it sends goes; owns p. */
	void (*out)(void *arg, struct sim_host *h, struct sim_packet *p);
	void *out_arg;
};

/* 0 or -errno. */
int sim_host_create(struct sim_host *h, const struct sim_host_params *params,
	struct sim_pools *pools, uint64_t now);
void sim_host_destroy(struct sim_host *h);
/* A packet comes in; it takes part in the next sim_host_run(). False: no receive mbuf. */
bool sim_host_input(struct sim_host *h, const struct sim_packet *p, uint64_t now);
/* One turn of the worker's loop. */
void sim_host_run(struct sim_host *h, uint64_t now);
/* When it has something to do without input. */
uint64_t sim_host_next(const struct sim_host *h);
uint64_t sim_host_counter(const struct sim_host *h, const char *name);

#endif
