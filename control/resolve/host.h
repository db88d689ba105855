/* SPDX-License-Identifier: BSD-3-Clause */
/* One host of a question: its addresses, then its TLSA records. */
#ifndef POSTGATE_CONTROL_RESOLVE_HOST_H
#define POSTGATE_CONTROL_RESOLVE_HOST_H

#include "control/resolve/destination.h"

struct dns;
struct host_job;

struct host_params {
	struct dns *dns;
	uint16_t port;
	bool mx_secure;                /* else DANE does not apply (RFC 7672 2.2.1) */
	const char *domain;            /* the next-hop domain, a reference identifier */
	const char *expanded;          /* what its MX alias led to; "" without one */
	struct destination_host *host; /* name and preference are set; the rest is filled in */
	/* Once, never from inside host_start(). ttl: the least of all that was used. */
	void (*done)(void *arg, uint32_t ttl);
	void *arg;
};

/* 0, -ENOMEM, -EBUSY. */
int host_start(const struct host_params *params, struct host_job **out);
/* Ends it now, with what there is: what is still open has timed out. No callback. */
void host_expire(struct host_job *job, uint32_t *ttl);
/* No callback. NULL is allowed. */
void host_cancel(struct host_job *job);

/* An address that no mail server of somebody else has: unspecified, loopback, multicast, mapped. */
bool host_address_is_usable(const struct destination_address *a);

#endif
