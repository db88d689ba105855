/* SPDX-License-Identifier: BSD-3-Clause */
/* postgate-load's own options, and workload files: the same words, one a line. */
#ifndef POSTGATE_TESTS_LOADGEN_OPTIONS_H
#define POSTGATE_TESTS_LOADGEN_OPTIONS_H

#include "tests/loadgen/client.h"
#include "tests/loadgen/hostile.h"

#define OPTIONS_DEVICE_MAX 64

/* ADDRESS[-LAST][/PLEN][@DEVICE] */
struct options_end {
	bool given;
	struct ip_addr first, gateway;
	uint32_t count;
	uint8_t plen; /* on the 128-bit form */
	char device[OPTIONS_DEVICE_MAX];
};

struct options {
	bool kernel, self_test, quiet, sink_plain, no_chunking, no_pipelining;
	struct options_end client, sink, hostile_from;
	struct ip_addr target;
	uint16_t target_port, sink_port;
	struct client_workload workload;
	struct hostile_workload hostile;
	const char *tls_version, *groups;
	const char *cert, *key; /* of the sink; NULL: made at start */
	const char *json;
	double duration, warm_up;
	uint32_t idle_sleep_us, mbufs, mtu;
	char **senders;
};

/* 0; 1: said what was asked for; -1: wrong, one line was said. Takes what stands behind "--". */
int options_parse(int argc, char **argv, int *eal_argc, struct options *o);
void options_fini(struct options *o);

#endif
