/* SPDX-License-Identifier: BSD-3-Clause */
/* Validated DNS look-ups on the event loop, by libunbound. No thread, nothing blocks. */
#ifndef POSTGATE_CONTROL_RESOLVE_DNS_H
#define POSTGATE_CONTROL_RESOLVE_DNS_H

#include "control/resolve/wire.h"

struct event_base;
struct dns;
struct dns_query;

struct dns_params {
	struct event_base *base;
	const char *const *forwarders; /* addresses of resolvers, "192.0.2.53" or "...@5353" */
	size_t forwarder_count;        /* 0: resolv_conf, or from the root by ourselves */
	const char *resolv_conf;       /* its nameservers are the forwarders; NULL: none */
	const char *trust_anchor;      /* file of DS or DNSKEY records, NULL: no DNSSEC at all */
	const char *root_hints;        /* file; NULL: libunbound's own */
	uint32_t query_timeout_ms;
	uint32_t max_sockets;  /* for asking: UDP ports at once */
	uint32_t cache_mb;     /* libunbound's */
	bool local_forwarders; /* a server on 127.0.0.1 may be asked */
};

int dns_create(const struct dns_params *params, struct dns **out, char *err, size_t err_size);
/* Its queries go with it, their callbacks are not called. */
void dns_destroy(struct dns *dns);

enum dns_status {
	DNS_DATA,
	DNS_NODATA,   /* the name exists, the type does not */
	DNS_NXDOMAIN, /* RFC 8020: nor does anything below it */
	DNS_FAILED,   /* SERVFAIL, REFUSED, garbage */
	DNS_BOGUS,
	DNS_TIMEOUT,
};

struct dns_answer {
	enum dns_status status;
	bool secure; /* validated: the records, every alias on the way, or the proof of absence */
	const uint8_t *msg;
	size_t len;
	struct wire_answer wire; /* of DATA, NODATA and NXDOMAIN */
	const char *why;         /* of a failure */
};

/* Exactly once, unless cancelled, and never from inside dns_ask(). The answer lasts for the call.
 */
typedef void (*dns_done)(void *arg, const struct dns_answer *answer);

/* 0, -ENOMEM, -EBUSY: too many that never end. */
int dns_ask(struct dns *dns, const char *name, enum wire_type type, dns_done done, void *arg,
	struct dns_query **out);
void dns_cancel(struct dns_query *q);

struct dns_stats {
	uint64_t asked, answered, timeouts, failed, bogus;
	uint32_t pending;   /* that we wait for */
	uint32_t abandoned; /* that libunbound still works on, though nobody waits any more */
};
void dns_get_stats(const struct dns *dns, struct dns_stats *stats);

#endif
