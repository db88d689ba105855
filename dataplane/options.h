/* SPDX-License-Identifier: BSD-3-Clause */
/* The data plane's own options: what stands behind "--" on its command line. */
#ifndef POSTGATE_DATAPLANE_OPTIONS_H
#define POSTGATE_DATAPLANE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/tcp/tcp.h"

#define OPTIONS_PORTS_MAX   16
#define OPTIONS_DEVICES_MAX 32

/* --exception: what is not ours on a port goes to a kernel TAP. */
struct options_exception {
	char *port; /* name of the port's (first) device */
	char *tap;
	uint32_t per_second;
};

struct options {
	const char *socket, *pid_file, *user;
	uint32_t max_sessions; /* per worker */
	uint32_t mbufs;        /* per worker: to send from, and per port to receive into */
	uint32_t event_ring;
	uint32_t tls_memory_mib; /* per worker; 0: by max_sessions */
	uint32_t idle_sleep_us;
	uint32_t drain_timeout_s;
	enum tcp_cc cc;
	bool no_offloads, no_tso, sender_rss, shared_memory;
	/* --port: each a list of device names that are one port; none: every device is one */
	unsigned int port_count;
	char *ports[OPTIONS_PORTS_MAX];
	unsigned int exception_count;
	struct options_exception exceptions[OPTIONS_PORTS_MAX];
};

enum options_end {
	OPTIONS_GO,
	OPTIONS_DONE,  /* --help, --version: said what was asked for */
	OPTIONS_WRONG, /* one line was said */
};

/* `argv` as main() got it; *eal_argc becomes the number of arguments before "--". */
enum options_end options_parse(int argc, char **argv, int *eal_argc, struct options *o);

#endif
