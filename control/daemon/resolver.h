/* SPDX-License-Identifier: BSD-3-Clause */
/* The resolver (control/resolve) as the configuration has it, and what the API shows of it. */
#ifndef POSTGATE_CONTROL_DAEMON_RESOLVER_H
#define POSTGATE_CONTROL_DAEMON_RESOLVER_H

#include <jansson.h>

#include "control/daemon/api.h"
#include "control/daemon/config.h"

struct event_base;
struct resolver;

/* sts_path: where MTA-STS policies are kept; NULL: in memory. Borrowed. -ENOMEM. */
int resolver_create(struct event_base *base, const char *sts_path, struct resolver **out);
/* Before the API: requests that wait are answered. */
void resolver_destroy(struct resolver *r);

/* Begins, changes or ends it. What cannot be had is logged, and mail that needs it waits. Without a
 * change of its keys nothing happens: the cache stays. */
void resolver_configure(struct resolver *r, const struct config *config);

/* Answered when the answer is there. */
void resolver_ask(struct resolver *r, struct api_request *request, const char *domain);

/* {"enabled": false}, or its counters. */
json_t *resolver_status(const struct resolver *r);

#endif
