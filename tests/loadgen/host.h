/* SPDX-License-Identifier: BSD-3-Clause */
/* A transport of Postgate's own: net and tcp over one port, as a worker has them. */
#ifndef POSTGATE_TESTS_LOADGEN_HOST_H
#define POSTGATE_TESTS_LOADGEN_HOST_H

#include "dataplane/clock.h"
#include "dataplane/net/net.h"
#include "dataplane/tcp/tcp.h"
#include "tests/loadgen/transport.h"

struct port;

struct host_params {
	struct port *port; /* created for one worker; stays the caller's */
	const struct net_addr_config *addrs;
	uint16_t addr_count;
	struct ip_addr gateway; /* unspecified: none */
	uint32_t max_conns;
	uint32_t mbufs; /* to send from */
	const struct clock_tsc *clock;
	const uint8_t *mac; /* 6 octets; NULL: the port's own */
	const char *name;   /* of its pools, short */
};

/* 0 or -errno. */
int host_create(const struct host_params *params, struct transport **out);

/*
 * Looks at every segment on its way out, and at every one that came in (at the TCP header): false
 * throws it away. For the hostile modes, which no TCP would play along with.
 */
struct host_filter {
	void *arg;
	bool (*out)(void *arg, const struct rte_mbuf *m, const struct ip_addr *src);
	bool (*in)(void *arg, const struct rte_mbuf *m, const struct ip_addr *dst);
};
void host_set_filter(struct transport *t, const struct host_filter *filter);

/* Segments lost on the way, for the report: counters of net and tcp that are not zero. */
void host_counters(const struct transport *t,
	void (*fn)(void *arg, const char *name, uint64_t value), void *arg);

#endif
