/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker tells the outside of its sessions and messages: fixed-size records in a ring of one
 * producer (the worker) and one consumer (the control thread). When the ring is full the record is
 * dropped and counted: telling never holds up mail.
 */
#ifndef POSTGATE_DATAPLANE_GATEWAY_EVENT_H
#define POSTGATE_DATAPLANE_GATEWAY_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/addr.h"
#include "dataplane/policy/map.h"

enum gateway_event_kind {
	GATEWAY_EVENT_SESSION,  /* a client's session ended */
	GATEWAY_EVENT_MESSAGE,  /* a transaction ended, whatever its outcome */
	GATEWAY_EVENT_NEXT_HOP, /* a next hop went up or down */
};

enum gateway_outcome {
	GATEWAY_OUTCOME_NONE,
	GATEWAY_OUTCOME_DELIVERED,   /* the next hop's 2xx was passed on */
	GATEWAY_OUTCOME_REFUSED,     /* the next hop's 4xx/5xx was passed on */
	GATEWAY_OUTCOME_POLICY,      /* we refused by policy */
	GATEWAY_OUTCOME_DEFERRED,    /* 451 of ours: no next hop, time-out before the dot */
	GATEWAY_OUTCOME_UNKNOWN,     /* 451 4.4.2 of ours after the dot: may become a duplicate */
	GATEWAY_OUTCOME_ABORTED,     /* the client went away or reset within the transaction */
	GATEWAY_OUTCOME_BAD_BODY,    /* we refused the body (bare CR/LF, line length, loop, size) */
	GATEWAY_OUTCOME_CLIENT_GONE, /* the next hop's verdict came after the client had left */
};

#define GATEWAY_EVENT_TEXT 160

struct gateway_event {
	uint64_t time_ns;     /* CLOCK_REALTIME */
	uint64_t session_id;  /* worker in the top 8 bits */
	uint64_t upstream_id; /* of the connection to the next hop, 0: none */
	uint64_t generation;
	uint64_t bytes; /* of the body, or of both directions for a session */
	uint32_t duration_us;
	uint32_t partner_id;
	uint32_t message; /* number within the session, from 1 */
	uint16_t client_port;
	uint16_t reply_code;     /* last reply to the client for this transaction */
	uint8_t reply_status[3]; /* 4,4,2 */
	uint8_t kind, outcome, level, rule, side;
	uint8_t recipients; /* accepted, saturated at 255 */
	uint8_t worker;
	bool client_tls, upstream_tls, upstream_verified, up, suspended;
	struct ip_addr client;
	char client_version[8], upstream_version[8]; /* "TLSv1.3" */
	char client_cipher[32], upstream_cipher[32];
	char partner[POLICY_NAME_MAX];
	char next_hop[64];
	char helo[64], sender[96];     /* cut to fit */
	char text[GATEWAY_EVENT_TEXT]; /* reply text or reason, cut to fit */
};

struct gateway_event_ring {
	uint32_t size;                      /* power of two */
	_Alignas(64) _Atomic uint32_t head; // worker: rw, control: ro
	uint32_t tail_cache;                // worker: rw
	uint64_t dropped;                   // worker: rw, control: ro
	_Alignas(64) _Atomic uint32_t tail; // control: rw, worker: ro
	struct gateway_event *slots;
};

int gateway_event_ring_create(uint32_t size, int socket_id, struct gateway_event_ring **out);
void gateway_event_ring_destroy(struct gateway_event_ring *r);
/* Worker: a slot to fill in (zeroed), NULL when full; gateway_event_commit() makes it visible. */
struct gateway_event *gateway_event_reserve(struct gateway_event_ring *r);
void gateway_event_commit(struct gateway_event_ring *r);
/* Control thread: the oldest record or NULL; gateway_event_pop() gives its slot back. */
const struct gateway_event *gateway_event_peek(struct gateway_event_ring *r);
void gateway_event_pop(struct gateway_event_ring *r);

#endif
