/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection to a next hop: TCP, banner, EHLO, STARTTLS by the hop's level, EHLO again, then
 * ready for transactions one after the other. It serves one session at a time, a health check, or
 * nobody (idle, kept for reuse under the same verdict).
 */
#ifndef POSTGATE_DATAPLANE_GATEWAY_UPSTREAM_H
#define POSTGATE_DATAPLANE_GATEWAY_UPSTREAM_H

#include "dataplane/gateway/internal.h"

enum upstream_state {
	UPSTREAM_CLOSED, /* waits for gateway_poll() to free it */
	UPSTREAM_CONNECTING,
	UPSTREAM_BANNER,
	UPSTREAM_EHLO,
	UPSTREAM_STARTTLS,
	UPSTREAM_HANDSHAKE,
	UPSTREAM_EHLO_TLS,
	UPSTREAM_READY, /* for MAIL, or within a transaction */
	UPSTREAM_RSET,  /* given back within a transaction: idle again after 250 */
	UPSTREAM_QUIT,
};
const char *upstream_state_name(enum upstream_state state);

/* Why one could not be had, or was lost. */
enum upstream_failure {
	UPSTREAM_FAIL_CONNECT, /* refused, unreachable, no source port */
	UPSTREAM_FAIL_TIMEOUT,
	UPSTREAM_FAIL_LOST,     /* closed or reset */
	UPSTREAM_FAIL_SHUTDOWN, /* 421 */
	UPSTREAM_FAIL_REFUSED,  /* by banner or EHLO reply */
	UPSTREAM_FAIL_PROTOCOL, /* not SMTP */
	UPSTREAM_FAIL_TLS_NOT_OFFERED,
	UPSTREAM_FAIL_TLS_REFUSED,
	UPSTREAM_FAIL_TLS, /* handshake or verification */
	UPSTREAM_FAIL_POOL,
};

struct upstream {
	TAILQ_ENTRY(upstream) entry; /* hop->idle or gateway->closing */
	struct gateway *g;
	struct hop *hop;
	struct session *session; /* NULL: idle, closing or a health check */
	struct leg leg;
	struct smtp_client smtp;
	struct wheel_timer timer;
	uint64_t id;
	uint64_t deadline, armed_for; /* of the timer: it may fire before the deadline and go on */
	struct tls_context *tls_context; /* that the handshake was made with */
	const char *version, *cipher;    /* OpenSSL's static names; NULL: plain */
	enum upstream_state state;
	bool probe;                  /* health check */
	bool reused;                 /* has done a transaction: may turn out to be dead */
	bool plain_only;             /* TLS failed where it is opportunistic */
	enum policy_level tls_level; /* likewise */
	bool verified;
	bool idle; /* in hop->idle */
};

/* A ready idle one (state UPSTREAM_READY at once) or a new connection. 0 or -errno; then `failure`
 * is filled in. The session hears session_upstream_ready() or session_upstream_failed(). */
int upstream_acquire(struct hop *hop, struct session *s, bool fresh, uint64_t now,
	struct upstream **out, enum upstream_failure *failure);
/* Health check. */
int upstream_probe(struct hop *hop, uint64_t now);
/* The session is done with it: kept for reuse if it can be, RSET first if `in_transaction`. */
void upstream_release(struct upstream *u, bool in_transaction, uint64_t now);
/* Drops it with a RST: nothing that was begun may be taken for whole. */
void upstream_abort(struct upstream *u, uint64_t now);
/* QUIT, and closes after its answer. */
void upstream_quit(struct upstream *u, uint64_t now);
/* Sets when upstream_timer gives up. */
void upstream_set_timeout(struct upstream *u, uint32_t seconds, uint64_t now);
/* Back to the pool; only from gateway_poll(). */
void upstream_reap(struct gateway *g);

/* The wheel's function for upstream timers; arg: gateway. */
wheel_fire upstream_timer_fire;

/* Writes the command that a smtp_client_*() call put into `out`. */
int upstream_send(struct upstream *u, const struct smtp_out *out);

#endif
