/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of this folder share: the state of one worker's gateway. Everything here is the
 * worker's alone (worker: rw), but for counters and pool levels, which others read relaxed.
 *
 * Life of an object: sessions and upstreams are closed at any time, inside any callback, but go
 * back to their pools only in gateway_poll(), so that no caller up the stack holds a stale pointer.
 */
#ifndef POSTGATE_DATAPLANE_GATEWAY_INTERNAL_H
#define POSTGATE_DATAPLANE_GATEWAY_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "dataplane/gateway/clients.h"
#include "dataplane/gateway/counters.h"
#include "dataplane/gateway/gateway.h"
#include "dataplane/gateway/leg.h"
#include "dataplane/gateway/pool.h"
#include "dataplane/tcp/tcp.h"
#include "dataplane/tcp/wheel.h"
#include "smtp/client.h"
#include "smtp/server.h"

#define SECOND UINT64_C(1000000000) /* in the worker's clock, ns */

#define GATEWAY_MAX_NEXT_HOPS 1024 /* per generation; the control thread refuses more */
#define GATEWAY_MAX_LISTENERS 256
#define HOP_TICKETS_MAX       8 /* connections that can be opened at once without a full handshake */
#define GATEWAY_OUT_MAX       8192 /* octets of replies or commands collected before a write */
#define GATEWAY_REPLY_ROOM    4096 /* room a leg must have before we go on with its peer */

struct session;
struct upstream;

TAILQ_HEAD(session_list, session);
TAILQ_HEAD(upstream_list, upstream);

/* A listener as this worker runs it. */
struct listener {
	struct gateway *g;
	const struct gateway_listener *config;   /* of the current generation */
	struct tcp_listener *tcp[NET_SIDES * 8]; /* one per address it stands for */
	uint32_t tcp_count;
	uint32_t id;
	enum net_side side;
	uint32_t sessions;
	bool open;
};

/* A next hop as this worker knows it. Stays while connections use it. */
struct hop {
	struct gateway *g;
	const struct gateway_next_hop *config; /* of the current generation; NULL: gone from it */
	uint32_t id;
	char name[64];
	struct ip_addr addr;
	uint16_t port;
	enum policy_level level;
	struct tls_context *tls;
	bool checked; /* the first health check has ended */
	bool up;
	bool tls_seen, verified_seen;
	uint32_t ext; /* EHLO keywords that it offers to us */
	uint64_t size_limit;
	uint32_t active, idle_count;
	struct upstream_list idle; /* last used first */
	/* To resume from, the newest last; made with `tls`, `name` and `level`, each for one use.
	 */
	struct tls_session *tickets[HOP_TICKETS_MAX];
	uint32_t ticket_count;
	struct upstream *probe;   /* health check under way */
	struct wheel_timer timer; /* next health check */
	char error[GATEWAY_EVENT_TEXT];
};

struct gateway {
	struct gateway_params params;
	const struct gateway_generation *gen;
	struct leg_env env;
	struct pool sessions, upstreams, linebufs, replybufs, envelopes;
	struct session_list live, dead;
	struct upstream_list closing; /* closed in this loop */
	struct clients clients;       /* sessions per client address */
	struct smtp_server_config server_config;
	struct smtp_client_config client_config;
	char hostname[256];
	struct listener *listeners;    /* GATEWAY_MAX_LISTENERS */
	struct hop *hops;              /* GATEWAY_MAX_NEXT_HOPS */
	struct hop **order[NET_SIDES]; /* of the current generation, by side, then by priority */
	uint32_t hop_count[NET_SIDES];
	uint32_t health_interval, health_retry; /* that the next checks were set by */
	uint32_t rotate;                        /* shares load among hops of one priority */
	uint8_t session_timer, upstream_timer, health_timer; /* kinds of the wheel */
	bool draining;
	uint32_t next_id;
	uint64_t id_base;
	uint64_t realtime_offset;                 /* CLOCK_REALTIME minus the worker's clock */
	uint64_t counters[GATEWAY_COUNTER_COUNT]; // worker: rw, others: ro relaxed
	uint8_t out[GATEWAY_OUT_MAX];             /* replies and commands being written */
	char text[SMTP_CLIENT_REPLY_MAX];         /* reply or error text being handed on */
	struct smtp_out down_out; /* replies of the session being pumped, over `replies` */
	uint8_t replies[GATEWAY_OUT_MAX];
	uint64_t tls_errors[TLS_ERRORS];   /* downstream handshakes by reason */
	uint64_t smtp_errors[SMTP_ERRORS]; /* commands and bodies by reason */
	uint8_t stuffed[2 * LEG_RECORD];   /* a BDAT chunk's octets on their way into DATA */
};

static inline void gateway_count(struct gateway *g, enum gateway_counter c, uint64_t n)
{
	__atomic_store_n(&g->counters[c], g->counters[c] + n, __ATOMIC_RELAXED);
}

static inline void gateway_count_tls_error(struct gateway *g, enum tls_error e)
{
	__atomic_store_n(&g->tls_errors[e], g->tls_errors[e] + 1, __ATOMIC_RELAXED);
}

static inline uint64_t gateway_realtime(const struct gateway *g, uint64_t now)
{
	return now + g->realtime_offset;
}

static inline uint64_t gateway_new_id(struct gateway *g)
{
	return g->id_base | ++g->next_id;
}

/* An empty output over the worker's buffer; what is in it is written by out_send(). */
static inline struct smtp_out gateway_out(struct gateway *g)
{
	return (struct smtp_out){.data = g->out, .size = sizeof(g->out)};
}

/* Moves the reply's text out of the leg's memory into g->text. */
static inline void gateway_copy_reply(struct gateway *g, struct smtp_reply *reply)
{
	if (reply->text.len > sizeof(g->text))
		reply->text.len = sizeof(g->text);
	memcpy(g->text, reply->text.data, reply->text.len);
	reply->text.data = g->text;
}

/* Cuts to fit; always terminated. Control octets become '?': it goes into log lines. */
void gateway_copy_text(char *dst, size_t size, const char *src, size_t len);

#endif
