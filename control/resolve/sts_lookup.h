/* SPDX-License-Identifier: BSD-3-Clause */
/* The MTA-STS policy of a domain: TXT record, cache, HTTPS (RFC 8461 3). */
#ifndef POSTGATE_CONTROL_RESOLVE_STS_LOOKUP_H
#define POSTGATE_CONTROL_RESOLVE_STS_LOOKUP_H

#include "control/resolve/sts.h"

struct dns;
struct event_base;
struct sts;
struct sts_job;

struct sts_params {
	struct event_base *base;
	struct dns *dns;
	const char *path; /* of the SQLite file; NULL: memory */
	const char *ca;
	uint16_t port;
	uint32_t timeout_ms; /* of a fetch, at most 60 s (3.3) */
	uint32_t max_fetches;
	uint32_t retry; /* seconds until a fetch that failed is tried again, 300 and more (3.3) */
};

int sts_create(const struct sts_params *params, struct sts **out, char *err, size_t err_size);
void sts_destroy(struct sts *sts);

struct sts_result {
	struct destination_sts info;
	struct sts_policy policy; /* mode STS_NONE without one */
	uint32_t ttl;             /* how long this holds, UINT32_MAX: as long as the policy */
};

/* Once unless cancelled, never from inside sts_start(). */
typedef void (*sts_done)(void *arg, const struct sts_result *result);

int sts_start(struct sts *sts, const char *domain, sts_done done, void *arg, struct sts_job **out);
/* What is known without what is still on its way: the cached policy. The job goes on for the cache,
 * without a callback. */
void sts_expire(struct sts_job *job, struct sts_result *result);
/* As sts_expire(). */
void sts_detach(struct sts_job *job);

void sts_get_stats(const struct sts *sts, uint64_t *fetches, uint64_t *failures);

#endif
