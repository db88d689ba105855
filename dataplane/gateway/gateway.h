/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mail gateway of one worker: sessions (one downstream and one upstream leg each), connections
 * to next hops and their health. All calls from the worker's own thread unless it says otherwise.
 */
#ifndef POSTGATE_DATAPLANE_GATEWAY_GATEWAY_H
#define POSTGATE_DATAPLANE_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/gateway/event.h"
#include "dataplane/gateway/generation.h"

struct tcp_stack;
struct wheel;
struct net;
struct gateway;

struct gateway_params {
	struct tcp_stack *tcp;
	struct net *net; /* for source addresses; NULL in tests: `local` is used */
	struct wheel *wheel;
	struct gateway_event_ring *events;
	uint16_t worker; /* index: picks the worker's TLS contexts of a generation */
	uint32_t max_sessions;
	uint32_t max_upstreams;      /* connections to next hops, idle ones included */
	struct ip_addr local[2];     /* source addresses without a net: v4, v6 */
	uint64_t realtime_offset_ns; /* CLOCK_REALTIME minus the worker's clock, at start */
	int socket_id;
};

/* 0 or -errno. All memory is taken here. */
int gateway_create(const struct gateway_params *params, struct gateway **out);
void gateway_destroy(struct gateway *g);

/* Adopts a generation: opens and closes listeners, starts health checks. Sessions in a transaction
 * go on under what they copied. The pointer is used until the next call of this. */
int gateway_set_generation(struct gateway *g, const struct gateway_generation *gen, uint64_t now);
/* Keeps the date of Received and of events right: called by the worker about once a second. */
void gateway_set_realtime(struct gateway *g, uint64_t realtime_ns, uint64_t now);
/* Work put off from events, once a loop. */
void gateway_poll(struct gateway *g, uint64_t now);
/* No new sessions or transactions: 421 4.3.2 to whoever comes or is idle; mail in flight ends
 * orderly. gateway_session_count() tells when it is done. */
void gateway_drain(struct gateway *g, uint64_t now);
uint32_t gateway_session_count(const struct gateway *g);

/* One line of `postgatectl sessions`. */
struct gateway_session_info {
	uint64_t id;
	struct ip_addr client;
	uint16_t client_port;
	uint8_t side;
	bool client_tls, upstream_tls;
	uint32_t age_s, messages;
	uint64_t bytes_in, bytes_out;
	char state[24], upstream_state[24];
	char client_version[8], client_cipher[32];
	char partner[POLICY_NAME_MAX], next_hop[64], helo[64];
};
/* Fills in up to `max` entries from *cursor (0 first) on; returns how many; *cursor UINT32_MAX at
 * the end. */
uint32_t gateway_list_sessions(const struct gateway *g, uint32_t *cursor,
	struct gateway_session_info *out, uint32_t max, uint64_t now);

struct gateway_next_hop_info {
	char name[64];
	struct ip_addr addr;
	uint16_t port;
	bool up, checked, tls, verified;
	uint32_t ext;                   /* enum smtp_ext offered, over TLS where the level has it */
	uint32_t active, idle;          /* connections of this worker */
	char error[GATEWAY_EVENT_TEXT]; /* of the last check, "" if up */
};
uint32_t gateway_list_next_hops(
	const struct gateway *g, struct gateway_next_hop_info *out, uint32_t max);

/* Pools: worker rw, others read them relaxed. */
struct gateway_usage {
	uint32_t sessions, max_sessions;
	uint32_t upstreams, max_upstreams;
	uint32_t linebufs, max_linebufs;
};
void gateway_get_usage(const struct gateway *g, struct gateway_usage *usage);

/* Counters as in net.h and tcp.h. */
size_t gateway_counter_count(void);
const char *gateway_counter_name(size_t i);
uint64_t gateway_counter_value(const struct gateway *g, size_t i);

#endif
