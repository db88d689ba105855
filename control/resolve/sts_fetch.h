/* SPDX-License-Identifier: BSD-3-Clause */
/* Policy files over HTTPS (RFC 8461 3.3), by libcurl on the event loop. */
#ifndef POSTGATE_CONTROL_RESOLVE_STS_FETCH_H
#define POSTGATE_CONTROL_RESOLVE_STS_FETCH_H

#include "control/resolve/destination.h"

struct event_base;
struct sts_fetch;
struct sts_fetcher;

struct sts_fetcher_params {
	struct event_base *base;
	const char *ca; /* PEM file; NULL: the system's anchors */
	uint16_t port;
	uint32_t timeout_ms;
};

int sts_fetcher_create(const struct sts_fetcher_params *params, struct sts_fetcher **out);
void sts_fetcher_destroy(struct sts_fetcher *f);

/* text NULL: failed, and why. Never from inside sts_fetch_start(). */
typedef void (*sts_fetch_done)(void *arg, const char *text, size_t len, const char *why);

/* mta-sts.<domain> at these addresses. 0 or -ENOMEM. */
int sts_fetch_start(struct sts_fetcher *f, const char *domain,
	const struct destination_address *addresses, size_t count, sts_fetch_done done, void *arg,
	struct sts_fetch **out);
void sts_fetch_cancel(struct sts_fetch *fetch);

#endif
