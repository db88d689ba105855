/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events: one record for each session, message and next hop change, pushed to whoever subscribed.
 * They wait in the workers' rings while nobody has; what does not fit there, or a client does not
 * read in time, is lost and counted, the counts come along with the next push.
 */
#ifndef POSTGATE_CONTROL_IPC_EVENT_H
#define POSTGATE_CONTROL_IPC_EVENT_H

#include "control/ipc/ipc.h"

enum ipc_event_kind {
	IPC_EVENT_SESSION,
	IPC_EVENT_MESSAGE,
	IPC_EVENT_NEXT_HOP,
	IPC_EVENT_KINDS,
};
const char *ipc_event_kind_name(uint8_t kind);

/* As enum gateway_outcome. */
enum ipc_outcome {
	IPC_OUTCOME_NONE,
	IPC_OUTCOME_DELIVERED,
	IPC_OUTCOME_REFUSED,
	IPC_OUTCOME_POLICY,
	IPC_OUTCOME_DEFERRED,
	IPC_OUTCOME_UNKNOWN,
	IPC_OUTCOME_ABORTED,
	IPC_OUTCOME_BAD_BODY,
	IPC_OUTCOME_CLIENT_GONE,
	IPC_OUTCOMES,
};
const char *ipc_outcome_name(uint8_t outcome);

/* As enum policy_rule. */
enum ipc_rule {
	IPC_RULE_DEFAULT,
	IPC_RULE_DOMAIN,
	IPC_RULE_DOMAIN_WILDCARD,
	IPC_RULE_ADDRESS,
	IPC_RULES,
};
const char *ipc_rule_name(uint8_t rule);

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* IPC_SUBSCRIBE, client to dataplane; answered by IPC_RESULT. The last one that subscribed gets
 * them. */
struct ipc_subscribe {
	struct ipc_header header;
	uint32_t kinds; /* bit 1u << enum ipc_event_kind; 0 ends it */
	uint8_t reserved[4];
};

/* See struct gateway_event for what the fields are. */
struct ipc_event {
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint64_t session_id;
	uint64_t upstream_id;
	uint64_t generation;
	uint64_t bytes;
	uint32_t duration_us;
	uint32_t partner_id;
	uint32_t message;
	uint16_t client_port;
	uint16_t reply_code;
	uint8_t reply_status[3];
	uint8_t kind;
	uint8_t outcome;
	uint8_t level;
	uint8_t rule;
	uint8_t side;
	uint8_t recipients;
	uint8_t worker;
	uint8_t client_tls;
	uint8_t upstream_tls;
	uint8_t upstream_verified;
	uint8_t up;
	uint8_t suspended; /* without a suspension `level` would have been higher */
	uint8_t reserved[1];
	struct ipc_addr client;
	char client_version[8];
	char upstream_version[8];
	char client_cipher[32];
	char upstream_cipher[32];
	char partner[IPC_PARTNER_NAME_MAX];
	char next_hop[64];
	char helo[64];
	char sender[96];
	char text[160];
};

/* IPC_EVENTS, pushed. */
struct ipc_events {
	struct ipc_header header;
	uint64_t lost_ring;  /* by the workers, since start */
	uint64_t lost_queue; /* of this client, since it connected */
	uint16_t count;      /* not 0 */
	uint8_t reserved[6];
	struct ipc_event events[];
};
#define IPC_EVENTS_PAGE ((IPC_MESSAGE_MAX - sizeof(struct ipc_events)) / sizeof(struct ipc_event))

_Static_assert(sizeof(struct ipc_event) == 88 + 528, "layout");
_Static_assert(sizeof(struct ipc_events) == 40, "layout");

#pragma GCC diagnostic pop

#endif
