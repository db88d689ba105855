/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control thread: the server of control/ipc's protocol, the only writer of what workers read by
 * RCU, the asker of their questions, the reader of their event rings. One thread, one event loop;
 * nothing that a client does or does not do holds it up.
 */
#ifndef POSTGATE_DATAPLANE_CTL_CTL_H
#define POSTGATE_DATAPLANE_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dataplane/net/addr.h"

struct ctl;
struct worker_group;

#define CTL_ERROR_SIZE 256

/* A port as the control thread names it; its index is net_iface_config.port_id. */
struct ctl_port {
	const char *name, *driver;
	uint8_t mac[6];
	uint16_t mtu; /* largest IP packet */
	void *handle; /* for the functions below */
};

struct ctl_port_ops {
	/* Addresses that the port must take in from now on. 0 or -errno. */
	int (*set_addresses)(void *port, const struct ip_addr *addrs, size_t count);
	size_t (*counter_count)(const void *port);
	const char *(*counter_name)(const void *port, size_t i);
	void (*counter_values)(const void *port, uint64_t *values);
};

/* Something that the control thread does for others beside its own work: `poll` when `fd` is
 * readable, and again and again, more often while it returns that there was work. */
struct ctl_poll {
	int fd;
	uint32_t (*poll)(void *arg);
	void *arg;
};

struct ctl_params {
	const char *socket_path;
	mode_t socket_mode; /* 0660 */
	uid_t uid;          /* owner of the socket; (uid_t)-1: as it is */
	gid_t gid;
	const char *version;
	struct worker_group *group;
	const struct ctl_port *ports; /* kept */
	uint16_t port_count;
	const struct ctl_port_ops *port_ops; /* NULL in tests */
	const struct ctl_poll *polls;        /* kept */
	uint16_t poll_count;
	uint32_t drain_timeout_ms; /* after SIGTERM or SIGINT; 0: stop at once */
	uint32_t ticket_rotate_s;  /* a new key for session tickets; 0: 3600 */
};

/*
 * On the control thread, registered with QSBR, with SIGTERM and SIGINT blocked: opens the socket.
 * 0, or -errno with one line: -EADDRINUSE (a live dataplane has it), -EACCES, -ENOMEM.
 */
int ctl_create(const struct ctl_params *params, struct ctl **out, char err[CTL_ERROR_SIZE]);
/* Serves until a signal or ctl_stop(), then until the workers have drained or the time is over, and
 * sets group->stop. 0 or -errno. */
int ctl_run(struct ctl *c);
/* One turn of the loop, for tests. */
int ctl_turn(struct ctl *c, int max_ms);
/* What SIGTERM does. */
void ctl_stop(struct ctl *c);
/* After the workers have left their loops: frees the last generation, the policy map and the ticket
 * keys. */
void ctl_destroy(struct ctl *c);

#endif
