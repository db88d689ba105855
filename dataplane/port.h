/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port: one logical network interface of ours over DPDK's ethdev, whatever the driver. Every
 * worker has one RX and one TX queue of its own and a mempool for what it receives.
 *
 * Where a driver gives a device one queue only but lets several devices share one netdev
 * (net_af_xdp with start_queue=0, 1, ...), those devices are made one port: worker i's queue is
 * then found on the device that has it (port_params.devices).
 *
 * Set-up and statistics are the control thread's; port_rx() and port_tx() a worker's, for its own
 * index only.
 */
#ifndef POSTGATE_DATAPLANE_PORT_H
#define POSTGATE_DATAPLANE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/net/addr.h"

struct port;
struct port_rss;
struct rte_mbuf;

#define PORT_MAX_WORKERS 128
#define PORT_MAX_DEVICES 32
#define PORT_ERROR_SIZE  256

struct port_params {
	uint16_t id; /* ours: index into worker_params.ports; names the mempools */
	uint16_t device_count;
	uint16_t devices[PORT_MAX_DEVICES]; /* ethdev port ids, nearly always one */
	uint16_t worker_count;
	const int *sockets;        /* NUMA node of each worker, NULL: the device's */
	uint16_t mtu;              /* of the IP packet; 0: 1500 */
	uint32_t rx_mbufs;         /* per worker; 0: twice the descriptors and 2048 more */
	uint16_t rx_desc, tx_desc; /* 0: 1024 */
	uint32_t link_wait_ms;     /* how long port_create() waits for the link; 0: not at all */
	bool no_offloads;          /* all in software, whatever the device can do */
	bool no_tso;
	/* PORT_RSS_KEY_MAX bytes for the device to hash by, it takes as many as it needs; NULL: the
	 * driver's own. A random one keeps strangers from choosing which worker they load. */
	const uint8_t *rss_key;
	/* The device has no RSS, but who sends to it spreads over our queues with
	 * port_rss_default_key and a RETA of 128 entries, entry i being queue i modulo worker_count
	 * (net_memif, with a sender that acts like a NIC). */
	bool sender_rss;
};

/* 0, or -errno and one line of text in `error`: -ENODEV, -ENOMEM, -ENOTSUP (fewer queues than
 * workers, MTU too big), whatever the driver returned. A link that is still down is no error. */
int port_create(const struct port_params *params, struct port **out, char error[PORT_ERROR_SIZE]);
/* After the workers have left their loops. */
void port_destroy(struct port *p);

/* A burst of received frames, at most `max`, each with NET_META_SIZE bytes of private area. */
uint16_t port_rx(struct port *p, uint16_t worker, struct rte_mbuf **pkts, uint16_t max);
/* Sends them; what the device does not take after a few tries is freed and counted. Owns them all.
 */
void port_tx(struct port *p, uint16_t worker, struct rte_mbuf **pkts, uint16_t count);

/* RTE_ETH_TX_OFFLOAD_* in use. */
uint64_t port_tx_offloads(const struct port *p);
void port_mac(const struct port *p, uint8_t mac[6]);
uint16_t port_mtu(const struct port *p);
const char *port_name(const struct port *p);
const char *port_driver(const struct port *p);
/* ethdev id of the first device; its NUMA node, -1 unknown. */
uint16_t port_device(const struct port *p);
int port_socket(const struct port *p);
/* Asks the device, does not wait. Several devices: all of them. */
bool port_link_up(const struct port *p);
/* Link speed, Mbit/s, 0 unknown. */
uint32_t port_link_speed(const struct port *p);

/*
 * The worker that a segment with that source and destination arrives at, by the device's own key
 * and RETA as read back from it; -1: unknown (no RSS, or a kernel that spreads as it likes).
 */
int port_rx_worker(const struct port *p, const struct ip_addr *src, uint16_t sport,
	const struct ip_addr *dst, uint16_t dport);
const struct port_rss *port_get_rss(const struct port *p);

/*
 * The group addresses that must come in: those of the solicited-node groups of our IPv6 addresses
 * and of all nodes. A filter that the device lacks becomes "all multicast", and that "promiscuous".
 * Called again whenever the addresses change. 0 or -errno.
 */
int port_set_addresses(struct port *p, const struct ip_addr *addrs, size_t count);

/* Ours and the driver's counters, as names and values of the same number. The driver's are its
 * xstats, summed over devices. From the control thread. */
size_t port_counter_count(const struct port *p);
const char *port_counter_name(const struct port *p, size_t i);
/* Fills in port_counter_count() values. */
void port_counter_values(const struct port *p, uint64_t *values);
/* Free and all mbufs of a worker's receive pool. */
void port_pool_level(const struct port *p, uint16_t worker, uint32_t *free, uint32_t *size);

#endif
