/* SPDX-License-Identifier: BSD-3-Clause */
/* What port.c (set-up), port_io.c (bursts) and port_stats.c (counters) share. */
#ifndef POSTGATE_DATAPLANE_PORT_INTERNAL_H
#define POSTGATE_DATAPLANE_PORT_INTERNAL_H

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "dataplane/port.h"
#include "dataplane/port_rss.h"

#define PORT_COUNTERS(X)                                                                 \
	X(tx_full)       /* the device took no more, after a few tries */                \
	X(tx_refused)    /* the driver cannot send that packet: rte_eth_tx_prepare() */  \
	X(tx_linearized) /* copied into one segment for a device that sends no chains */ \
	X(tx_no_mbuf)    /* no mbuf for that copy */

enum port_counter {
#define X(name) PORT_C_##name,
	PORT_COUNTERS(X)
#undef X
		PORT_C_COUNT
};

struct port_queue {
	uint16_t device; // control: wo before start, worker: ro
	uint16_t queue;
	struct rte_mempool *pool;
	uint64_t counters[PORT_C_COUNT]; // worker: rw, control: ro
} __rte_cache_aligned;

struct port {
	uint16_t id, worker_count, device_count, mtu;
	uint16_t devices[PORT_MAX_DEVICES];
	uint16_t queues[PORT_MAX_DEVICES]; /* in use of each device */
	bool started[PORT_MAX_DEVICES];
	bool prepare;                    /* the driver wants to see packets before they are sent */
	bool linearize;                  /* no chains */
	bool promiscuous, all_multicast; /* what the group filter fell back to */
	uint64_t tx_offloads, rx_offloads;
	int socket;
	uint8_t mac[6];
	char name[RTE_ETH_NAME_MAX_LEN];
	char driver[64];
	struct port_rss rss;
	uint32_t xstat_count; /* of the first device; the others are of the same driver */
	struct rte_eth_xstat_name *xstat_names;
	struct rte_eth_xstat *xstats; /* room for reading */
	struct port_queue worker[];
};

int port_stats_create(struct port *p);

#endif
