/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One committed configuration and policy state, as a whole. Built by the control thread, published
 * by rcu_assign_pointer(), immutable from then on (the policy map alone changes inside, by RCU, and
 * is shared by successive generations). Freed once every worker has reported a later one and a
 * grace period has passed; what a session needs longer it copies.
 */
#ifndef POSTGATE_DATAPLANE_GATEWAY_GENERATION_H
#define POSTGATE_DATAPLANE_GATEWAY_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/addr.h"
#include "dataplane/net/net.h"
#include "dataplane/policy/map.h"

struct tls_context;

struct gateway_listener {
	uint32_t id;         /* stable while address and port stay: what diffing is done by */
	enum net_side side;  /* outside: inbound mail; inside: outbound mail */
	struct ip_addr addr; /* unspecified: every address of that side's interfaces */
	uint16_t port;
	bool starttls;                   /* offer it */
	struct tls_context **server_tls; /* one per worker; NULL without a certificate */
	uint32_t max_sessions;           /* 0: no limit of its own */
	uint32_t keepalive_idle_ms;
};

struct gateway_next_hop {
	uint32_t id;        /* stable while name, address and port stay */
	const char *name;   /* for log lines, SNI and the names to match */
	enum net_side side; /* inside: takes inbound mail; outside: a relay for outbound mail */
	struct ip_addr addr;
	uint16_t port;
	uint16_t priority;               /* lower first, like MX; equal ones share the load */
	enum policy_level level;         /* none, may, encrypt, verify */
	struct tls_context **client_tls; /* one per worker; NULL at level none */
	uint32_t max_idle;               /* connections kept per worker for reuse */
};

struct gateway_timeouts {          /* seconds; defaults RFC 5321 4.5.3.2, see deploy/example.yaml */
	uint32_t command;          /* client's next command, 300 */
	uint32_t body_block;       /* client's next octets of a body, 180 */
	uint32_t tls_handshake;    /* 60 */
	uint32_t upstream_connect; /* TCP, per address, 30 */
	uint32_t upstream_banner;  /* 300 by the RFC, less here: see budget */
	uint32_t upstream_command; /* EHLO, STARTTLS, MAIL, RCPT: 300 */
	uint32_t upstream_data;    /* 354: 120 */
	uint32_t upstream_block;   /* progress of the body: 180 */
	uint32_t upstream_dot;     /* reply to the final dot: 600 */
	uint32_t budget; /* all of the upstream work for one command of the client's, so that the
			    client hears from us before its own 300 s are over: 270 */
	uint32_t upstream_idle;   /* a kept connection */
	uint32_t health_interval; /* between health checks of a next hop that is up */
	uint32_t health_retry;    /* of one that is down */
};

struct gateway_limits {
	uint32_t max_recipients;
	uint32_t max_bad_commands;
	uint32_t max_commands_without_mail;
	uint32_t max_received;            /* 100 */
	uint64_t max_message_size;        /* 0: the next hop's */
	uint32_t max_sessions_per_client; /* per worker and address (IPv6: /64); 0: no limit */
};

struct gateway_generation {
	uint64_t number;
	const char *hostname;
	struct net_config net;
	uint32_t listener_count;
	struct gateway_listener *listeners;
	uint32_t next_hop_count;
	struct gateway_next_hop *next_hops; /* sorted by priority */
	struct gateway_timeouts timeouts;
	struct gateway_limits limits;
	const struct policy_map *policy;
};

#endif
