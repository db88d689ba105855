/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the traffic generator's SMTP drivers stand on: connections of bytes. One is Postgate's own
 * stack over a DPDK device (host.c), the other the kernel's sockets (kernel.c); the drivers cannot
 * tell them apart. A transport belongs to one thread. Times: ns of the TSC clock.
 */
#ifndef POSTGATE_TESTS_LOADGEN_TRANSPORT_H
#define POSTGATE_TESTS_LOADGEN_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dataplane/net/addr.h"

struct transport;

/* Why a connection is gone. */
enum transport_end {
	TRANSPORT_RESET,
	TRANSPORT_REFUSED,
	TRANSPORT_TIMEOUT,
	TRANSPORT_OTHER,
	TRANSPORT_ENDS,
};

/* What a connection tells its user, whose first member is a pointer to this. */
struct transport_events {
	void (*connected)(void *user, uint64_t now);
	/* Octets, an end, or room to write after want_write(). */
	void (*ready)(void *user, uint64_t now);
	/* The connection is gone, its handle invalid. Not after close() or abort(). */
	void (*closed)(void *user, enum transport_end end, uint64_t now);
};

static inline const struct transport_events *transport_events_of(const void *user)
{
	return *(const struct transport_events *const *)user;
}

struct transport_ops {
	/* 0 or -errno. */
	int (*connect)(struct transport *t, const struct ip_addr *local,
		const struct ip_addr *remote, uint16_t port, void *user, uint64_t now, void **conn);
	int (*listen)(struct transport *t, const struct ip_addr *addr, uint16_t port);
	/* > 0 octets, 0 the peer's end, -EAGAIN, or broken. */
	ssize_t (*read)(struct transport *t, void *conn, void *buf, size_t len);
	/* Octets taken, -EAGAIN, or broken. `more`: the rest of it follows at once. */
	ssize_t (*write)(struct transport *t, void *conn, const void *buf, size_t len, bool more);
	void (*want_write)(struct transport *t, void *conn);
	void (*close)(struct transport *t, void *conn, uint64_t now);
	void (*abort)(struct transport *t, void *conn, uint64_t now);
	/* Once a loop each: what came in and its events; what goes out. Returns how much there was.
	 */
	uint32_t (*receive)(struct transport *t, uint64_t now);
	void (*send)(struct transport *t, uint64_t now);
	void (*destroy)(struct transport *t);
};

struct transport {
	const struct transport_ops *ops;
	/* A connection came in. Returns its user, NULL: it is reset. */
	void *(*accepted)(void *arg, void *conn, uint64_t now);
	void *accepted_arg;
};

#endif
