/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients that mean no good: they hold what they get as long as they can, or say what no client
 * should. They run beside the ordinary ones, on the same transport; those that need a TCP that
 * misbehaves work on segments (host.h's filter) and so not over the kernel's sockets.
 */
#ifndef POSTGATE_TESTS_LOADGEN_HOSTILE_H
#define POSTGATE_TESTS_LOADGEN_HOSTILE_H

#include "tests/loadgen/transport.h"

struct tls_context;

#define HOSTILE_MODES(X)                                                              \
	X(NONE, "none", "")                                                           \
	X(SYN, "syn", "SYN only: what comes back is never answered")                  \
	X(SILENT, "silent", "nothing after the TCP handshake")                        \
	X(SILENT_TLS, "silent-tls", "nothing after the TLS handshake")                \
	X(TRICKLE, "trickle", "one octet of a command every --hostile-interval")      \
	X(NEVER_READ, "never-read", "commands without end, replies are never read")   \
	X(NEVER_ACK, "never-ack", "acknowledges nothing after the TCP handshake")     \
	X(NEVER_CLOSE, "never-close", "does not answer the server's FIN")             \
	X(SHORT, "short", "one octet less than the message needs, then silence")      \
	X(RENEGOTIATE, "renegotiate", "asks for TLS 1.2 renegotiation over and over") \
	X(GARBAGE, "garbage", "random octets, before or after STARTTLS")

enum hostile_mode {
#define X(id, name, text) HOSTILE_##id,
	HOSTILE_MODES(X)
#undef X
		HOSTILE_MODE_COUNT
};
const char *hostile_mode_name(enum hostile_mode mode);
/* -1: none of that name. */
int hostile_mode_find(const char *name);

struct hostile_workload {
	enum hostile_mode mode;
	uint32_t sessions; /* at once */
	double rate;       /* begun a second at most; 0: as fast as they end */
	uint64_t interval_ns;
};

struct hostile_params {
	struct hostile_workload workload;
	struct transport *transport;
	bool segments; /* the transport is a host: its filter is taken */
	struct tls_context *tls;
	struct ip_addr local_first;
	uint32_t local_count;
	struct ip_addr target;
	uint16_t port;
	uint64_t seed;
};

#define HOSTILE_COUNTERS(X)                         \
	X(begun)                                    \
	X(connected)                                \
	X(tls)          /* handshakes done */       \
	X(ended_server) /* closed by the server */  \
	X(ended_reset)                              \
	X(failed) /* no connection to begin with */ \
	X(octets_sent)

struct hostile_counters {
#define X(name) uint64_t name;
	HOSTILE_COUNTERS(X)
#undef X
};

struct hostile;

int hostile_create(const struct hostile_params *params, struct hostile **out);
void hostile_destroy(struct hostile *h);
uint32_t hostile_poll(struct hostile *h, uint64_t now);
uint32_t hostile_active(const struct hostile *h);
const struct hostile_counters *hostile_get_counters(const struct hostile *h);

#endif
