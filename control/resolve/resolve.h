/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way to a recipient domain: MX, addresses, DNSSEC, DANE (RFC 7672) and MTA-STS (RFC 8461),
 * asked for on the daemon's event loop. Nothing blocks, no thread is made. The same question that
 * comes twice is asked once; answers are kept until they expire, the least recently used go first.
 *
 * Address literals are the caller's: what is asked for here is a domain.
 */
#ifndef POSTGATE_CONTROL_RESOLVE_RESOLVE_H
#define POSTGATE_CONTROL_RESOLVE_RESOLVE_H

#include "control/resolve/destination.h"

struct event_base;
struct resolve;
struct resolve_waiter;

struct resolve_params {
	struct event_base *base;

	/* DNS; see dns.h */
	const char *const *forwarders;
	size_t forwarder_count;
	const char *resolv_conf;
	const char *trust_anchor;
	const char *root_hints;
	bool local_forwarders;
	uint32_t max_sockets;
	uint32_t dns_cache_mb;

	/* Ourselves: hosts of such a name or address are cut off with all that is less preferred.
	 */
	const char *const *self_names; /* normalized */
	size_t self_name_count;
	const struct destination_address *self_addresses;
	size_t self_address_count;
	uint16_t port; /* of the TLSA records, 25 */

	uint32_t query_timeout_ms;    /* one look-up */
	uint32_t slow_ms;             /* a question that takes longer makes room for others */
	uint32_t question_timeout_ms; /* all of it */
	uint32_t max_active;          /* questions worked on at once, besides the slow ones */
	uint32_t max_slow;            /* beyond it the oldest slow one ends as a time-out */
	uint32_t max_queued;          /* beyond it: DESTINATION_BUSY */

	/* Seconds. */
	uint32_t min_ttl, max_ttl;
	uint32_t failure_ttl; /* of what may be well again soon */
	uint32_t max_destinations;
	size_t max_cache_bytes;

	bool sts;
	const char *sts_path; /* SQLite file of policies; NULL: in memory */
	const char *sts_ca;   /* PEM anchors of the policy hosts; NULL: the system's */
	uint16_t sts_port;    /* 443 */
	uint32_t sts_timeout_ms;
	uint32_t sts_max_fetches; /* at once */
};

/* Sensible values for all but base. */
void resolve_params_default(struct resolve_params *p);

/* What params point to is not kept. 0, -EINVAL, -ENOMEM, with err filled in. */
int resolve_create(
	const struct resolve_params *params, struct resolve **out, char *err, size_t err_size);
/* Open questions end without a callback. */
void resolve_destroy(struct resolve *r);

/* Borrowed for the call: destination_ref() to keep. Never NULL. */
typedef void (*resolve_done)(void *arg, const struct destination *d);

/*
 * Calls back exactly once unless cancelled: from inside the call, with *out NULL, if the answer is
 * known. 0 or -ENOMEM.
 */
int resolve_question(struct resolve *r, const char *domain, resolve_done done, void *arg,
	struct resolve_waiter **out);
/* The question itself goes on. */
void resolve_cancel(struct resolve_waiter *w);

/* Forgets what is cached here of a domain, or of all (NULL). MTA-STS policies stay. */
void resolve_forget(struct resolve *r, const char *domain);

#define RESOLVE_STATS(X)                                                     \
	X(questions, "questions that were put to us")                        \
	X(hits, "answered from the cache")                                   \
	X(joined, "joined one that was under way")                           \
	X(resolved, "questions worked on to the end")                        \
	X(refreshed, "begun before their answer expired")                    \
	X(timeouts, "questions ended by their time-out")                     \
	X(pushed_out, "slow questions ended early to make room")             \
	X(busy, "refused because too many waited")                           \
	X(evicted, "destinations dropped from the cache to make room")       \
	X(dns_asked, "DNS look-ups")                                         \
	X(dns_failed, "DNS look-ups that ended in a failure of the servers") \
	X(dns_bogus, "DNS look-ups that DNSSEC said no to")                  \
	X(dns_timeouts, "DNS look-ups without an answer in time")            \
	X(sts_fetches, "MTA-STS policies asked for")                         \
	X(sts_failures, "MTA-STS policies that could not be fetched or understood")

struct resolve_stats {
#define X(name, help) uint64_t name;
	RESOLVE_STATS(X)
#undef X
	uint32_t cached, active, slow, queued; /* now */
	size_t cache_bytes;
};
void resolve_get_stats(const struct resolve *r, struct resolve_stats *stats);

#endif
