/* SPDX-License-Identifier: BSD-3-Clause */
/* Cache, queue and waiters around questions. */
#include "control/resolve/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include <event2/event.h>

#include "control/resolve/cache.h"
#include "control/resolve/dns.h"
#include "control/resolve/question.h"
#include "control/resolve/sts_lookup.h"

#define INFLIGHT_BUCKETS 4096 /* a power of two */

enum inquiry_state {
	INQUIRY_QUEUED,
	INQUIRY_ACTIVE,
	INQUIRY_SLOW, /* makes no one wait any more */
	INQUIRY_DONE,
};

struct resolve_waiter {
	resolve_done done;
	void *arg;
	struct inquiry *inquiry;
	TAILQ_ENTRY(resolve_waiter) link;
};

/* A question and who waits for it. */
struct inquiry {
	struct resolve *r;
	enum inquiry_state state;
	struct question *question; /* from ACTIVE on */
	struct event *timer;
	TAILQ_HEAD(, resolve_waiter) waiters;
	TAILQ_ENTRY(inquiry) link;    /* of the list of its state */
	LIST_ENTRY(inquiry) inflight; /* bucket */
	char domain[NAME_MAX_TEXT];
};

TAILQ_HEAD(inquiries, inquiry);

struct resolve {
	struct resolve_params params; /* with what it points to as our own */
	char (*self_names)[NAME_MAX_TEXT];
	const char **self_name_list;
	struct destination_address *self_addresses;
	struct dns *dns;
	struct sts *sts;
	struct cache *cache;
	struct resolve_stats stats;
	struct inquiries lists[INQUIRY_DONE]; /* in order of arrival there */
	uint32_t counts[INQUIRY_DONE];
	bool starting; /* inside start_queued() */
	uint64_t key[2];
	LIST_HEAD(, inquiry) inflight[INFLIGHT_BUCKETS];
};

void resolve_params_default(struct resolve_params *p)
{
	*p = (struct resolve_params){
		.max_sockets = 512,
		.dns_cache_mb = 64,
		.port = 25,
		.query_timeout_ms = 12000,
		.slow_ms = 2000,
		.question_timeout_ms = 30000,
		.max_active = 256,
		.max_slow = 2048,
		.max_queued = 20000,
		.min_ttl = 30,
		.max_ttl = 86400,
		.failure_ttl = 30,
		.max_destinations = 100000,
		.max_cache_bytes = (size_t)256 << 20,
		.sts = true,
		.sts_port = 443,
		.sts_timeout_ms = 20000,
		.sts_max_fetches = 64,
	};
}

/* The one function that changes an inquiry's state. */
static void inquiry_set_state(struct inquiry *i, enum inquiry_state state)
{
	struct resolve *r = i->r;

	TAILQ_REMOVE(&r->lists[i->state], i, link);
	r->counts[i->state]--;
	i->state = state;
	if (state == INQUIRY_DONE)
		return;
	TAILQ_INSERT_TAIL(&r->lists[state], i, link);
	r->counts[state]++;
}

static void inquiry_free(struct inquiry *i)
{
	struct resolve_waiter *w;

	while ((w = TAILQ_FIRST(&i->waiters)) != NULL) {
		TAILQ_REMOVE(&i->waiters, w, link);
		free(w);
	}
	if (i->timer != NULL)
		event_free(i->timer);
	question_cancel(i->question);
	free(i);
}

static void start_queued(struct resolve *r);

/* Takes over the reference. */
static void inquiry_finish(struct inquiry *i, struct destination *d)
{
	struct resolve *r = i->r;
	struct resolve_waiter *w;

	i->question = NULL;
	inquiry_set_state(i, INQUIRY_DONE);
	LIST_REMOVE(i, inflight);
	r->stats.resolved++;
	/* What was never asked is no knowledge. */
	if (d->status != DESTINATION_BUSY)
		cache_put(r->cache, d);
	while ((w = TAILQ_FIRST(&i->waiters)) != NULL) {
		TAILQ_REMOVE(&i->waiters, w, link);
		w->done(w->arg, d);
		free(w);
	}
	inquiry_free(i);
	destination_unref(d);
	start_queued(r);
}

static void on_question(void *arg, struct destination *d)
{
	inquiry_finish(arg, d);
}

static void inquiry_arm(struct inquiry *i, uint32_t ms)
{
	event_add(i->timer, &(struct timeval){ms / 1000, (suseconds_t)(ms % 1000) * 1000});
}

static void inquiry_expire(struct inquiry *i)
{
	struct destination *d;

	if (i->question != NULL) {
		question_expire(i->question);
		return;
	}
	d = question_refused(&i->r->params, i->domain, DESTINATION_BUSY,
		"too many DNS look-ups are open, or no memory");
	if (d != NULL)
		inquiry_finish(i, d);
	else
		inquiry_arm(i, 100);
}

static void on_inquiry_timer(evutil_socket_t fd, short what, void *arg)
{
	struct inquiry *i = arg;
	struct resolve *r = i->r;

	if (i->state == INQUIRY_SLOW) {
		r->stats.timeouts += i->question != NULL;
		inquiry_expire(i);
		return;
	}
	inquiry_set_state(i, INQUIRY_SLOW);
	inquiry_arm(i, r->params.question_timeout_ms > r->params.slow_ms
			       ? r->params.question_timeout_ms - r->params.slow_ms
			       : 1);
	if (r->counts[INQUIRY_SLOW] > r->params.max_slow) {
		r->stats.pushed_out++;
		inquiry_expire(TAILQ_FIRST(&r->lists[INQUIRY_SLOW]));
	}
	start_queued(r);
}

static void inquiry_start(struct inquiry *i)
{
	struct resolve *r = i->r;
	struct question_params params = {
		.resolve = &r->params,
		.dns = r->dns,
		.sts = r->sts,
		.done = on_question,
		.arg = i,
	};

	if (question_start(&params, i->domain, &i->question) == 0) {
		inquiry_set_state(i, INQUIRY_ACTIVE);
		inquiry_arm(i, r->params.slow_ms);
		return;
	}
	/* Refused, from the loop: no answer comes from inside resolve_question() with a waiter. */
	inquiry_set_state(i, INQUIRY_SLOW);
	inquiry_arm(i, 0);
}

static void start_queued(struct resolve *r)
{
	struct inquiry *i;

	if (r->starting)
		return;
	r->starting = true;
	while (r->counts[INQUIRY_ACTIVE] < r->params.max_active &&
		(i = TAILQ_FIRST(&r->lists[INQUIRY_QUEUED])) != NULL)
		inquiry_start(i);
	r->starting = false;
}

static struct inquiry *inquiry_find(struct resolve *r, const char *domain)
{
	struct inquiry *i;

	LIST_FOREACH (i, &r->inflight[name_hash(r->key, domain) & (INFLIGHT_BUCKETS - 1)], inflight)
		if (strcmp(i->domain, domain) == 0)
			return i;
	return NULL;
}

static struct inquiry *inquiry_create(struct resolve *r, const char *domain)
{
	struct inquiry *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return NULL;
	i->timer = evtimer_new(r->params.base, on_inquiry_timer, i);
	if (i->timer == NULL) {
		free(i);
		return NULL;
	}
	i->r = r;
	TAILQ_INIT(&i->waiters);
	strcpy(i->domain, domain);
	LIST_INSERT_HEAD(
		&r->inflight[name_hash(r->key, domain) & (INFLIGHT_BUCKETS - 1)], i, inflight);
	i->state = INQUIRY_QUEUED;
	TAILQ_INSERT_TAIL(&r->lists[INQUIRY_QUEUED], i, link);
	r->counts[INQUIRY_QUEUED]++;
	return i;
}

/* An answer that is asked for shortly before its end is renewed while it still holds. */
static void refresh(struct resolve *r, const struct destination *d, time_t now)
{
	if ((d->expiry - now) * 10 > d->expiry - d->resolved || d->status >= DESTINATION_FAILED ||
		r->counts[INQUIRY_QUEUED] > 0 || inquiry_find(r, d->domain) != NULL)
		return;
	if (inquiry_create(r, d->domain) != NULL) {
		r->stats.refreshed++;
		start_queued(r);
	}
}

static int refuse(struct resolve *r, const char *domain, enum destination_status status,
	const char *why, resolve_done done, void *arg)
{
	struct destination *d = question_refused(&r->params, domain, status, why);

	if (d == NULL)
		return -ENOMEM;
	done(arg, d);
	destination_unref(d);
	return 0;
}

int resolve_question(struct resolve *r, const char *text, resolve_done done, void *arg,
	struct resolve_waiter **out)
{
	char domain[NAME_MAX_TEXT];
	const struct destination *cached;
	struct resolve_waiter *w;
	struct inquiry *i;
	time_t now = time(NULL);

	*out = NULL;
	r->stats.questions++;
	if (name_normalize(text, domain) < 0)
		return refuse(
			r, text, DESTINATION_BAD_NAME, "that is not a domain name", done, arg);
	cached = cache_find(r->cache, domain, now);
	if (cached != NULL) {
		struct destination *d = destination_ref(cached);

		r->stats.hits++;
		refresh(r, d, now);
		done(arg, d);
		destination_unref(d);
		return 0;
	}
	i = inquiry_find(r, domain);
	if (i == NULL && r->counts[INQUIRY_QUEUED] >= r->params.max_queued) {
		r->stats.busy++;
		return refuse(r, domain, DESTINATION_BUSY, "too many questions wait", done, arg);
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	r->stats.joined += i != NULL;
	if (i == NULL)
		i = inquiry_create(r, domain);
	if (i == NULL) {
		free(w);
		return -ENOMEM;
	}
	w->done = done;
	w->arg = arg;
	w->inquiry = i;
	TAILQ_INSERT_TAIL(&i->waiters, w, link);
	*out = w;
	start_queued(r);
	return 0;
}

void resolve_cancel(struct resolve_waiter *w)
{
	if (w == NULL)
		return;
	TAILQ_REMOVE(&w->inquiry->waiters, w, link);
	free(w);
}

void resolve_forget(struct resolve *r, const char *domain)
{
	char name[NAME_MAX_TEXT];

	if (domain == NULL)
		cache_forget(r->cache, NULL);
	else if (name_normalize(domain, name) == 0)
		cache_forget(r->cache, name);
}

void resolve_get_stats(const struct resolve *r, struct resolve_stats *stats)
{
	struct dns_stats dns;

	*stats = r->stats;
	dns_get_stats(r->dns, &dns);
	stats->dns_asked = dns.asked;
	stats->dns_failed = dns.failed;
	stats->dns_bogus = dns.bogus;
	stats->dns_timeouts = dns.timeouts;
	stats->evicted = cache_evicted(r->cache);
	stats->cached = cache_count(r->cache);
	stats->cache_bytes = cache_bytes(r->cache);
	stats->active = r->counts[INQUIRY_ACTIVE];
	stats->slow = r->counts[INQUIRY_SLOW];
	stats->queued = r->counts[INQUIRY_QUEUED];
	if (r->sts != NULL)
		sts_get_stats(r->sts, &stats->sts_fetches, &stats->sts_failures);
}

static int copy_self(struct resolve *r)
{
	size_t names = r->params.self_name_count, addresses = r->params.self_address_count;

	r->self_names = calloc(names + 1, sizeof(r->self_names[0]));
	r->self_name_list = calloc(names + 1, sizeof(r->self_name_list[0]));
	r->self_addresses = calloc(addresses + 1, sizeof(r->self_addresses[0]));
	if (r->self_names == NULL || r->self_name_list == NULL || r->self_addresses == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < names; i++) {
		if (name_normalize(r->params.self_names[i], r->self_names[i]) < 0)
			r->self_names[i][0] = '\0';
		r->self_name_list[i] = r->self_names[i];
	}
	for (size_t i = 0; i < addresses; i++)
		r->self_addresses[i] = r->params.self_addresses[i];
	r->params.self_names = r->self_name_list;
	r->params.self_addresses = r->self_addresses;
	return 0;
}

int resolve_create(
	const struct resolve_params *params, struct resolve **out, char *err, size_t err_size)
{
	struct dns_params dns = {
		.base = params->base,
		.forwarders = params->forwarders,
		.forwarder_count = params->forwarder_count,
		.resolv_conf = params->resolv_conf,
		.trust_anchor = params->trust_anchor,
		.root_hints = params->root_hints,
		.query_timeout_ms = params->query_timeout_ms,
		.max_sockets = params->max_sockets,
		.cache_mb = params->dns_cache_mb,
		.local_forwarders = params->local_forwarders,
	};
	struct sts_params sts = {
		.base = params->base,
		.path = params->sts_path,
		.ca = params->sts_ca,
		.port = params->sts_port,
		.timeout_ms = params->sts_timeout_ms,
		.max_fetches = params->sts_max_fetches,
		.retry = 300,
	};
	struct resolve *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	snprintf(err, err_size, "out of memory");
	if (r == NULL)
		return rc;
	r->params = *params;
	for (size_t i = 0; i < INQUIRY_DONE; i++)
		TAILQ_INIT(&r->lists[i]);
	if (copy_self(r) < 0)
		goto out;
	if (getrandom(r->key, sizeof(r->key), 0) != sizeof(r->key)) {
		rc = -EIO;
		goto out;
	}
	rc = cache_create(params->max_destinations, params->max_cache_bytes, &r->cache);
	if (rc < 0)
		goto out;
	rc = dns_create(&dns, &r->dns, err, err_size);
	if (rc < 0)
		goto out;
	sts.dns = r->dns;
	if (params->sts && (rc = sts_create(&sts, &r->sts, err, err_size)) < 0)
		goto out;
	/* What was borrowed is not ours to look at any more. */
	r->params.forwarders = NULL;
	r->params.resolv_conf = r->params.trust_anchor = r->params.root_hints = NULL;
	r->params.sts_path = r->params.sts_ca = NULL;
	*out = r;
	return 0;
out:
	resolve_destroy(r);
	return rc;
}

void resolve_destroy(struct resolve *r)
{
	struct inquiry *i;

	if (r == NULL)
		return;
	for (size_t s = 0; s < INQUIRY_DONE; s++)
		while ((i = TAILQ_FIRST(&r->lists[s])) != NULL) {
			inquiry_set_state(i, INQUIRY_DONE);
			inquiry_free(i);
		}
	if (r->sts != NULL)
		sts_destroy(r->sts);
	dns_destroy(r->dns);
	cache_destroy(r->cache);
	free(r->self_names);
	free(r->self_name_list);
	free(r->self_addresses);
	free(r);
}
