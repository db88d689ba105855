/* SPDX-License-Identifier: BSD-3-Clause */
/* The generator's server side: takes every message and checks it. One thread, one transport. */
#ifndef POSTGATE_TESTS_LOADGEN_SINK_H
#define POSTGATE_TESTS_LOADGEN_SINK_H

#include "tests/loadgen/message.h"
#include "tests/loadgen/transport.h"

#define SINK_RUNS_MAX 16

struct tls_context;

struct sink_params {
	struct transport *transport;
	struct ip_addr addr;
	uint16_t port;
	struct tls_context *tls; /* NULL: no STARTTLS */
	bool no_chunking, no_pipelining;
	const char *hostname;
};

#define SINK_COUNTERS(X)                                   \
	X(connections)                                     \
	X(received) /* messages that are whole and ours */ \
	X(doubled)  /* of those, seen before */            \
	X(damaged)                                         \
	X(foreign) /* none of a generator's */             \
	X(cut)     /* connection lost within a message */  \
	X(octets_received)                                 \
	X(tls_sessions)                                    \
	X(fail_tls)                                        \
	X(fail_memory) /* more runs or numbers than there is room for */

struct sink_counters {
#define X(name) uint64_t name;
	SINK_COUNTERS(X)
#undef X
};

struct sink;

/* Listens at once. 0 or -errno. */
int sink_create(const struct sink_params *params, struct sink **out);
void sink_destroy(struct sink *s);
const struct sink_counters *sink_get_counters(const struct sink *s);
uint32_t sink_active(const struct sink *s);
/* What came in of a run, NULL: nothing. */
const struct ledger *sink_ledger(const struct sink *s, uint32_t run);
const struct ledger *sink_ledger_at(const struct sink *s, uint32_t index);

#endif
