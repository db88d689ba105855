/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Source ports of active connections, RFC 6056 algorithm 4 (double-hash): the start of the search
 * is a keyed hash of the destination, and counters per group of destinations move it on, so that
 * nobody outside can tell the next port while a destination sees one reused as late as possible.
 *
 * A port may be in use to many destinations at once: it is free for one when the session table has
 * no node with that whole key.
 *
 * Workers share no state: of the range a worker takes the ports with port % worker_count == worker,
 * so that every other worker knows whose a segment is. Among these it prefers one whose return path
 * the device hashes to its own queue (lower.rx_worker). Internal.
 */
#ifndef POSTGATE_DATAPLANE_TCP_PORT_H
#define POSTGATE_DATAPLANE_TCP_PORT_H

#include "dataplane/tcp/table.h"
#include "dataplane/tcp/tcp.h"

struct tcp_ports;

/* 0 or -ENOMEM, -EINVAL (the range has no port of this worker). */
int tcp_port_create(const struct tcp_config *config, const struct tcp_lower *lower,
	const uint8_t key[16], int socket_id, struct tcp_ports **out);
void tcp_port_destroy(struct tcp_ports *p);

/*
 * Whether a TIME-WAIT node may give way to a new connection of the same key (RFC 6191 and RFC 9293
 * 3.6.1 say when). Asked only when no port is free. Without it none may.
 */
typedef bool tcp_port_reusable(void *arg, const struct tcp_node *time_wait, uint64_t now);
void tcp_port_set_reusable(struct tcp_ports *p, tcp_port_reusable *fn, void *arg);

/*
 * A port for a connection from `local` to `remote`. Counts it as used; the caller puts the node
 * into the table before the next call. *reuse is NULL, or the TIME-WAIT node to be dropped first
 * (its port goes over to the new connection: no tcp_port_put() for it). 0, or -EADDRNOTAVAIL
 * (counted): all are taken.
 */
int tcp_port_get(struct tcp_ports *p, const struct tcp_table *t, const struct ip_addr *local,
	const struct ip_addr *remote, uint16_t remote_port, uint64_t now, uint16_t *port,
	struct tcp_node **reuse);
/* The connection, or its TIME-WAIT, is over; its node is out of the table. */
void tcp_port_put(struct tcp_ports *p, const struct tcp_key *k, uint64_t now);

/* Which worker gives out this port, -1 if it is not in the range of active connections. */
int tcp_port_worker(const struct tcp_ports *p, uint16_t port);
uint32_t tcp_port_used(const struct tcp_ports *p);

struct tcp_port_counters {
	uint64_t exhausted; /* -EADDRNOTAVAIL */
	uint64_t reused;    /* a TIME-WAIT gave way */
	uint64_t foreign;   /* no port with the return path on this worker was free: handed over */
};
const struct tcp_port_counters *tcp_port_counters(const struct tcp_ports *p);

#endif
