/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/dns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unbound.h>
#include <unbound-event.h>

#include <event2/event.h>

#include "control/resolve/loop.h"

#define RCODE_NOERROR  0
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3
/* What libunbound may be at, counting what nobody waits for any more. */
#define QUERIES_MAX 16384

/* libunbound finishes every query some time, so one that is given up stays until then: it is only
 * cut off from who asked. */
struct dns_query {
	struct dns *dns;
	dns_done done; /* NULL: given up */
	void *arg;
	struct event *timer; /* the time-out; made active when the answer is there */
	bool returned;       /* libunbound is through with it */
	uint8_t *msg;        /* its answer, and the particulars */
	char *why_bogus;
	int len, rcode, secure;
	enum wire_type type;
	LIST_ENTRY(dns_query) link;
	char name[];
};

struct dns {
	struct ub_ctx *ctx;
	struct ub_event_base *loop;
	struct event_base *base;
	struct timeval timeout;
	struct dns_stats stats;
	LIST_HEAD(, dns_query) queries;
};

static void query_free(struct dns_query *q)
{
	LIST_REMOVE(q, link);
	if (q->timer != NULL)
		event_free(q->timer);
	free(q->msg);
	free(q->why_bogus);
	free(q);
}

/* Nobody waits for it any more. */
static void query_detach(struct dns_query *q)
{
	q->done = NULL;
	q->dns->stats.pending--;
	if (q->returned) {
		query_free(q);
		return;
	}
	q->dns->stats.abandoned++;
	event_free(q->timer);
	q->timer = NULL;
}

static void query_finish(struct dns_query *q, const struct dns_answer *answer)
{
	dns_done done = q->done;
	void *arg = q->arg;

	q->dns->stats.answered++;
	q->dns->stats.timeouts += answer->status == DNS_TIMEOUT;
	q->dns->stats.failed += answer->status == DNS_FAILED;
	q->dns->stats.bogus += answer->status == DNS_BOGUS;
	query_detach(q);
	done(arg, answer);
}

/* sec: 0 insecure, 1 bogus, 2 secure. */
static void query_answer(
	struct dns_query *q, int rcode, const uint8_t *msg, int len, int sec, const char *why_bogus)
{
	struct dns_answer *a = calloc(1, sizeof(*a));
	char why[64];
	bool packet = rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN;
	int rc;

	if (a == NULL) {
		query_finish(q, &(struct dns_answer){.status = DNS_FAILED, .why = "out of memory"});
		return;
	}
	a->msg = msg;
	a->len = len > 0 ? (size_t)len : 0;
	if (sec == 1) {
		a->status = DNS_BOGUS;
		a->why = why_bogus != NULL ? why_bogus : "DNSSEC validation failed";
	} else if (packet &&
		   (rc = wire_parse(msg, a->len, q->name, (uint16_t)q->type, &a->wire)) < 0) {
		a->status = DNS_FAILED;
		a->why = rc == -ELOOP ? "too many aliases" : "the answer makes no sense";
	} else if (!packet || (a->wire.rcode != RCODE_NOERROR && a->wire.rcode != RCODE_NXDOMAIN)) {
		a->status = DNS_FAILED;
		snprintf(why, sizeof(why), "no server gave an answer (rcode %d)",
			packet ? a->wire.rcode : rcode);
		a->why = why;
	} else {
		a->secure = sec == 2;
		a->status = a->wire.count > 0                 ? DNS_DATA
			    : a->wire.rcode == RCODE_NXDOMAIN ? DNS_NXDOMAIN
							      : DNS_NODATA;
	}
	query_finish(q, a);
	free(a);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dns_query *q = arg;
	struct dns_answer timeout = {.status = DNS_TIMEOUT, .why = "no answer in time"};
	uint8_t *msg = q->msg;
	char *why = q->why_bogus;

	q->msg = NULL;
	q->why_bogus = NULL;
	if (q->returned)
		query_answer(q, q->rcode, msg, q->len, q->secure, why);
	else
		query_finish(q, &timeout);
	free(msg);
	free(why);
}

/*
 * May come from inside ub_resolve_event(), for this query or for others, and the packet lies in a
 * buffer that the next query is made in: it is copied, and delivered from the loop.
 */
static void on_unbound(
	void *arg, int rcode, void *packet, int len, int sec, char *why_bogus, int ratelimited)
{
	struct dns_query *q = arg;

	q->returned = true;
	if (q->done == NULL) {
		q->dns->stats.abandoned--;
		query_free(q);
		return;
	}
	q->rcode = rcode;
	q->secure = sec;
	q->why_bogus = why_bogus != NULL ? strdup(why_bogus) : NULL;
	q->msg = packet != NULL && len > 0 ? malloc((size_t)len) : NULL;
	if (q->msg != NULL) {
		memcpy(q->msg, packet, (size_t)len);
		q->len = len;
	}
	event_active(q->timer, EV_TIMEOUT, 1);
}

int dns_ask(struct dns *dns, const char *name, enum wire_type type, dns_done done, void *arg,
	struct dns_query **out)
{
	struct dns_query *q;
	int rc;

	if (dns->stats.pending + dns->stats.abandoned >= QUERIES_MAX)
		return -EBUSY;
	q = calloc(1, sizeof(*q) + strlen(name) + 1);
	if (q == NULL)
		return -ENOMEM;
	q->timer = evtimer_new(dns->base, on_timer, q);
	if (q->timer == NULL) {
		free(q);
		return -ENOMEM;
	}
	q->dns = dns;
	q->done = done;
	q->arg = arg;
	q->type = type;
	strcpy(q->name, name);
	LIST_INSERT_HEAD(&dns->queries, q, link);
	dns->stats.asked++;
	dns->stats.pending++;
	event_add(q->timer, &dns->timeout);
	rc = ub_resolve_event(dns->ctx, name, (int)type, 1, q, on_unbound, NULL);
	if (rc != 0) {
		q->returned = true;
		q->rcode = RCODE_SERVFAIL;
		event_active(q->timer, EV_TIMEOUT, 1);
	}
	*out = q;
	return 0;
}

void dns_cancel(struct dns_query *q)
{
	if (q != NULL)
		query_detach(q);
}

void dns_get_stats(const struct dns *dns, struct dns_stats *stats)
{
	*stats = dns->stats;
}

/* An option that an older libunbound does not know is no reason to stay down. */
static void option(struct dns *dns, const char *name, const char *value)
{
	ub_ctx_set_option(dns->ctx, name, value);
}

static void option_number(struct dns *dns, const char *name, unsigned int value, const char *unit)
{
	char text[32];

	snprintf(text, sizeof(text), "%u%s", value, unit);
	option(dns, name, text);
}

static void set_options(struct dns *dns, const struct dns_params *p)
{
	option(dns, "do-ip6:", "yes");
	option(dns, "prefetch:", "yes");
	option(dns, "prefetch-key:", "yes");
	option(dns, "qname-minimisation:", "yes");
	option(dns, "aggressive-nsec:", "yes");
	option(dns, "harden-glue:", "yes");
	option(dns, "harden-dnssec-stripped:", "yes");
	option(dns, "harden-below-nxdomain:", "yes");
	option(dns, "harden-referral-path:", "no");
	option(dns, "use-caps-for-id:", "no");
	option(dns, "minimal-responses:", "no"); /* the SOA of a negative answer has its TTL */
	option(dns, "edns-buffer-size:", "1232");
	option(dns, "cache-max-ttl:", "86400");
	option(dns, "cache-max-negative-ttl:", "3600");
	/* A server that is silent is given up sooner than by default. */
	option(dns, "infra-cache-max-rtt:", "16000");
	option(dns, "infra-keep-probing:", "yes");
	option_number(dns, "outgoing-range:", p->max_sockets, "");
	option_number(dns, "outgoing-num-tcp:", 32 + p->max_sockets / 16, "");
	option_number(dns, "num-queries-per-thread:", QUERIES_MAX, "");
	option_number(dns, "msg-cache-size:", p->cache_mb / 4 + 1, "m");
	option_number(dns, "rrset-cache-size:", p->cache_mb / 2 + 1, "m");
	option_number(dns, "key-cache-size:", p->cache_mb / 8 + 1, "m");
	option_number(dns, "neg-cache-size:", p->cache_mb / 16 + 1, "m");
	if (p->local_forwarders)
		option(dns, "do-not-query-localhost:", "no");
}

static int set_servers(struct dns *dns, const struct dns_params *p, char *err, size_t err_size)
{
	int rc;

	for (size_t i = 0; i < p->forwarder_count; i++) {
		rc = ub_ctx_set_fwd(dns->ctx, p->forwarders[i]);
		if (rc != 0) {
			snprintf(err, err_size, "forwarder %s: %s", p->forwarders[i],
				ub_strerror(rc));
			return -EINVAL;
		}
	}
	if (p->forwarder_count == 0 && p->resolv_conf != NULL) {
		rc = ub_ctx_resolvconf(dns->ctx, p->resolv_conf);
		if (rc != 0) {
			snprintf(err, err_size, "%s: %s", p->resolv_conf, ub_strerror(rc));
			return -EINVAL;
		}
	}
	if (p->root_hints != NULL &&
		ub_ctx_set_option(dns->ctx, "root-hints:", p->root_hints) != 0) {
		snprintf(err, err_size, "%s: not taken as root hints", p->root_hints);
		return -EINVAL;
	}
	if (p->trust_anchor != NULL) {
		rc = ub_ctx_add_ta_file(dns->ctx, p->trust_anchor);
		if (rc != 0) {
			snprintf(err, err_size, "%s: %s", p->trust_anchor, ub_strerror(rc));
			return -EINVAL;
		}
	}
	return 0;
}

int dns_create(const struct dns_params *p, struct dns **out, char *err, size_t err_size)
{
	struct dns *dns = calloc(1, sizeof(*dns));
	int rc = -ENOMEM;

	if (dns == NULL)
		goto out;
	LIST_INIT(&dns->queries);
	dns->base = p->base;
	dns->timeout.tv_sec = p->query_timeout_ms / 1000;
	dns->timeout.tv_usec = (suseconds_t)(p->query_timeout_ms % 1000) * 1000;
	dns->loop = loop_create(p->base);
	if (dns->loop == NULL)
		goto out;
	dns->ctx = ub_ctx_create_ub_event(dns->loop);
	if (dns->ctx == NULL)
		goto out;
	set_options(dns, p);
	rc = set_servers(dns, p, err, err_size);
	if (rc < 0) {
		dns_destroy(dns);
		return rc;
	}
	*out = dns;
	return 0;
out:
	dns_destroy(dns);
	snprintf(err, err_size, "out of memory");
	return rc;
}

void dns_destroy(struct dns *dns)
{
	if (dns == NULL)
		return;
	if (dns->ctx != NULL)
		ub_ctx_delete(dns->ctx);
	while (!LIST_EMPTY(&dns->queries))
		query_free(LIST_FIRST(&dns->queries));
	if (dns->loop != NULL)
		loop_destroy(dns->loop);
	free(dns);
}
