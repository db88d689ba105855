/* SPDX-License-Identifier: BSD-3-Clause */
/* What world.c (hosts, wire, clock) and peer.c (clients and next hops) share. */
#ifndef POSTGATE_TESTS_GATEWAY_WORLD_PRIVATE_H
#define POSTGATE_TESTS_GATEWAY_WORLD_PRIVATE_H

#include "dataplane/tcp/tcp.h"
#include "dataplane/tcp/wheel.h"
#include "tests/unit/dataplane/gateway/world.h"

#define MAX_HOPS    8
#define PEER_BUFFER (1 << 20)
#define PATIENCE    UINT64_C(700000) /* ms of virtual time that peer_expect() waits at most */
#define WIRE_SIZE   4096
#define STEP        UINT64_C(1000000) /* ns */
#define PORT_SMTP   25
#define PORT_HOP    2500

struct wire_item {
	struct rte_mbuf *m;
	bool to_gateway;
};

struct host {
	struct wheel *wheel;
	struct tcp_stack *tcp;
	struct rte_mempool *tx, *ctl;
	struct ip_addr addr;
	struct world *w;
};

struct peer {
	struct world *w;
	struct peer *next;
	struct tcp_conn *conn;
	struct tls_conn *tls;
	struct tls_session *resume;
	bool connected, paused, eof, reset;
	size_t len, taken;
	size_t raw; /* octets of `data` that came before TLS was started here, but are TLS's */
	char line[4096];
	char *data;
};

struct world {
	struct world_params params;
	uint64_t now;
	struct host gw, out; /* the gateway, and everybody else */
	struct gateway *gateway;
	struct gateway_event_ring *events;
	struct gateway_event last;
	struct gateway_generation gens[2];
	uint32_t gen_count;
	struct gateway_listener listener;
	struct gateway_next_hop hops[MAX_HOPS];
	char names[MAX_HOPS][16];
	struct tls_context *server_ctx, *client_ctx, *hop_ctx, *out_ctx;
	struct tls_context *server_list[1], *client_list[1];
	struct tls_lib *lib, *out_lib;
	struct tls_tickets *tickets;
	struct policy_map *policy;
	struct tcp_listener *hop_listeners[MAX_HOPS];
	struct peer *accepted[MAX_HOPS]; /* waiting for world_hop_accept() */
	struct peer *peers;
	uint32_t next_partner;
	struct wire_item wire[WIRE_SIZE];
	uint32_t wire_count;
	unsigned int mbufs_tx, mbufs_ctl;
	uint32_t peer_count;
};

/* Everything that can happen at this instant. */
void world_settle(struct world *w);
/* On to the next instant at which something can happen, `until` at most. */
void world_step(struct world *w, uint64_t until);

#endif
