/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run was, as a table and as one JSON object. */
#ifndef POSTGATE_TESTS_LOADGEN_REPORT_H
#define POSTGATE_TESTS_LOADGEN_REPORT_H

#include "tests/loadgen/client.h"
#include "tests/loadgen/hostile.h"
#include "tests/loadgen/sink.h"

/* Any of the three may be NULL. */
struct report {
	const struct client *client;
	const struct sink *sink;
	const struct hostile *hostile;
	const struct transport *client_host, *sink_host; /* NULL: no host.h transport */
	double seconds;                                  /* that load was offered */
	double cpu_seconds;                              /* of this process meanwhile */
};

/* One line about the last second. */
void report_progress(const struct report *r, double seconds);
void report_table(const struct report *r);
/* "-": stdout. 0 or -errno. */
int report_json(const struct report *r, const char *file);
/* The exit code: 0 nothing lost, doubled or damaged, and something went through. */
int report_verdict(const struct report *r);

#endif
