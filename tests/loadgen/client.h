/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator's client side: sessions that hand mail in, in a closed loop (a number of them
 * always busy) or an open one (Poisson arrivals, times counted from when a session should have
 * begun), and sessions that do nothing. One client belongs to one thread and one transport.
 */
#ifndef POSTGATE_TESTS_LOADGEN_CLIENT_H
#define POSTGATE_TESTS_LOADGEN_CLIENT_H

#include "smtp/smtp.h"
#include "tests/loadgen/histogram.h"
#include "tests/loadgen/message.h"
#include "tests/loadgen/transport.h"

#define CLIENT_SIZES_MAX 16

struct tls_context;

struct client_size {
	uint32_t octets;
	double upto; /* share of all messages that are of this or an earlier size */
};

struct client_workload {
	uint32_t sessions;   /* at once, closed loop */
	double rate;         /* sessions a second, open loop; 0: closed */
	uint32_t max_active; /* open loop: an arrival beyond it is counted, not begun */
	uint32_t idle;       /* sessions beside them that stay after EHLO */
	uint64_t count;      /* sessions to begin, 0: no limit */
	uint32_t messages;   /* a session; 0: EHLO and QUIT */
	uint32_t rcpts;
	bool connect_only; /* QUIT after the banner */
	bool starttls, pipeline, bdat;
	bool idle_starttls; /* the idle ones, whatever the busy ones do */
	double resume;      /* share of sessions */
	uint32_t size_count;
	struct client_size sizes[CLIENT_SIZES_MAX];
	const char *const *senders;
	uint32_t sender_count;
	const char *rcpt_domain, *hostname;
	uint64_t timeout_ns; /* of a session without progress */
};

struct client_params {
	struct client_workload workload;
	struct transport *transport;
	struct tls_context *tls; /* with starttls */
	struct ip_addr local_first;
	uint32_t local_count;
	struct ip_addr target;
	uint16_t port;
	uint32_t run;
	uint64_t seed;
};

#define CLIENT_COUNTERS(X)                                       \
	X(sessions_begun)                                        \
	X(sessions_done)     /* to the reply to QUIT */          \
	X(sessions_failed)   /* ended in any other way */        \
	X(arrivals_refused)  /* open loop: too many active */    \
	X(messages_sent)     /* all octets handed over */        \
	X(messages_acked)    /* 2xx to the end of the body */    \
	X(messages_deferred) /* 4xx, to any command of it */     \
	X(messages_rejected) /* 5xx, likewise */                 \
	X(messages_unknown)  /* connection lost after the end */ \
	X(messages_broken)   /* connection lost before */        \
	X(octets_sent)       /* of messages, as sent */          \
	X(tls_full)                                              \
	X(tls_resumed)                                           \
	X(idle_ready) /* idle sessions that are there */         \
	X(fail_connect)                                          \
	X(fail_refused) /* RST to the SYN */                     \
	X(fail_reset)                                            \
	X(fail_closed)  /* the server ended it early */          \
	X(fail_timeout) /* of TCP */                             \
	X(fail_stalled) /* no progress for --timeout */          \
	X(fail_tls)                                              \
	X(fail_protocol) /* no SMTP that makes sense */          \
	X(fail_greeting) /* refused at banner, EHLO or STARTTLS */

struct client_counters {
#define X(name) uint64_t name;
	CLIENT_COUNTERS(X)
#undef X
};

enum client_time {
	CLIENT_TIME_CONNECT,
	CLIENT_TIME_BANNER,
	CLIENT_TIME_HANDSHAKE,
	CLIENT_TIME_DOT, /* last octet of the message to its reply */
	CLIENT_TIME_SESSION,
	CLIENT_TIMES,
};
extern const char *const client_time_names[CLIENT_TIMES];

struct client;

int client_create(const struct client_params *params, struct client **out);
void client_destroy(struct client *c);
/* Once a loop, between the transport's receive and send. Returns how much it began. */
uint32_t client_poll(struct client *c, uint64_t now);
/* No new sessions and no new messages: those under way come to their end. */
void client_stop(struct client *c);
/* Whether none is under way but idle ones. */
bool client_is_finished(const struct client *c);
uint32_t client_active(const struct client *c);
const struct client_counters *client_get_counters(const struct client *c);
const struct histogram *client_histogram(const struct client *c, enum client_time t);
/* The end of the warm-up: latencies begin anew, counters do not. */
void client_forget_times(struct client *c);
/* Which messages were acknowledged. */
const struct ledger *client_acked(const struct client *c);
uint64_t client_next_seq(const struct client *c);

#endif
