/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/sts_lookup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "control/resolve/dns.h"
#include "control/resolve/host.h"
#include "control/resolve/sts_fetch.h"
#include "control/resolve/sts_store.h"

#define REFRESH_AGE     86400 /* a policy that old is fetched again though its id is the same (3.3) */
#define COMMIT_INTERVAL 1     /* seconds */

enum sts_state {
	STS_STATE_TXT,
	STS_STATE_ADDRESS,
	STS_STATE_QUEUED, /* for its turn to fetch */
	STS_STATE_FETCH,
	STS_STATE_DONE,
};

struct sts_job {
	struct sts *sts;
	enum sts_state state;
	sts_done done; /* NULL: for the cache only */
	void *arg;
	struct dns_query *txt, *a, *aaaa;
	struct sts_fetch *fetch;
	uint32_t ttl; /* of the TXT record */
	bool cached;  /* entry is an unexpired policy */
	char id[STS_ID_MAX];
	size_t address_count;
	struct destination_address addresses[DESTINATION_ADDRESSES_MAX];
	TAILQ_ENTRY(sts_job) link;
	struct sts_entry entry;
	char domain[NAME_MAX_TEXT];
};

TAILQ_HEAD(jobs, sts_job);

struct sts {
	struct sts_params params;
	struct sts_store *store;
	struct sts_fetcher *fetcher;
	struct event *commit;
	struct jobs jobs, queue; /* queue: those in STS_STATE_QUEUED */
	uint32_t fetching;
	uint64_t fetches, failures;
};

static void job_set_state(struct sts_job *job, enum sts_state state)
{
	struct sts *sts = job->sts;

	TAILQ_REMOVE(job->state == STS_STATE_QUEUED ? &sts->queue : &sts->jobs, job, link);
	sts->fetching -= job->state == STS_STATE_FETCH;
	job->state = state;
	sts->fetching += state == STS_STATE_FETCH;
	if (state != STS_STATE_DONE)
		TAILQ_INSERT_TAIL(state == STS_STATE_QUEUED ? &sts->queue : &sts->jobs, job, link);
}

static void start_fetches(struct sts *sts);

static void job_free(struct sts_job *job)
{
	struct sts *sts = job->sts;

	dns_cancel(job->txt);
	dns_cancel(job->a);
	dns_cancel(job->aaaa);
	sts_fetch_cancel(job->fetch);
	job_set_state(job, STS_STATE_DONE);
	free(job);
	start_fetches(sts);
}

/* What the cache says, or that there is nothing. */
static void job_result(const struct sts_job *job, enum sts_source source, const char *why,
	uint32_t ttl, struct sts_result *out)
{
	memset(out, 0, sizeof(*out));
	out->ttl = ttl;
	out->info.source = source;
	snprintf(out->info.why, sizeof(out->info.why), "%s", why);
	if (!job->cached)
		return;
	out->policy = job->entry.policy;
	out->info.mode = job->entry.policy.mode;
	out->info.expiry = job->entry.expiry;
	memcpy(out->info.id, job->entry.id, sizeof(out->info.id));
}

static void job_tell(struct sts_job *job, enum sts_source source, const char *why, uint32_t ttl)
{
	struct sts_result *result;
	sts_done done = job->done;

	job->done = NULL;
	if (done == NULL)
		return;
	result = malloc(sizeof(*result));
	if (result == NULL) {
		static const struct sts_result none = {
			.info = {.source = STS_SOURCE_FAILED, .why = "out of memory"}, .ttl = 30};

		done(job->arg, &none);
		return;
	}
	job_result(job, source, why, ttl, result);
	done(job->arg, result);
	free(result);
}

static void job_finish(struct sts_job *job, enum sts_source source, const char *why, uint32_t ttl)
{
	job_tell(job, source, why, ttl);
	job_free(job);
}

/* RFC 8461 5.1: without a live policy the cached one goes on, until it expires. */
static void job_fail(struct sts_job *job, bool announced, const char *why, uint32_t ttl)
{
	if (job->cached)
		job_finish(job, STS_SOURCE_KEPT, why, ttl);
	else
		job_finish(job, announced ? STS_SOURCE_FAILED : STS_SOURCE_NONE, why, ttl);
}

static void arm_commit(struct sts *sts)
{
	struct timeval tv = {COMMIT_INTERVAL, 0};

	if (!event_pending(sts->commit, EV_TIMEOUT, NULL))
		event_add(sts->commit, &tv);
}

static void on_commit(evutil_socket_t fd, short what, void *arg)
{
	struct sts *sts = arg;

	if (sts_store_commit(sts->store, time(NULL)) < 0)
		arm_commit(sts);
}

static void fetch_failed(struct sts_job *job, const char *why)
{
	struct sts *sts = job->sts;

	sts->failures++;
	sts_store_put_failure(sts->store, job->domain, job->id, time(NULL));
	arm_commit(sts);
	job_fail(job, true, why, sts->params.retry);
}

static void on_fetch(void *arg, const char *text, size_t len, const char *why)
{
	struct sts_job *job = arg;
	struct sts_policy *policy;
	const char *wrong = why;
	char told[200];

	job->fetch = NULL;
	policy = malloc(sizeof(*policy));
	if (policy == NULL) {
		fetch_failed(job, "out of memory");
		return;
	}
	if (text == NULL || sts_policy_parse(text, len, policy, &wrong) < 0) {
		snprintf(told, sizeof(told), text == NULL ? "%s" : "the policy is invalid: %s",
			wrong);
		free(policy);
		fetch_failed(job, told);
		return;
	}
	job->entry.policy = *policy;
	job->entry.fetched = time(NULL);
	job->entry.expiry = job->entry.fetched + (time_t)policy->max_age;
	memcpy(job->entry.id, job->id, sizeof(job->id));
	free(policy);
	job->cached = true;
	sts_store_put(job->sts->store, job->domain, &job->entry);
	arm_commit(job->sts);
	job_finish(job, STS_SOURCE_FETCHED, "", job->ttl);
}

static void start_fetches(struct sts *sts)
{
	struct sts_job *job;

	while (sts->fetching < sts->params.max_fetches &&
		(job = TAILQ_FIRST(&sts->queue)) != NULL) {
		job_set_state(job, STS_STATE_FETCH);
		sts->fetches++;
		if (sts_fetch_start(sts->fetcher, job->domain, job->addresses, job->address_count,
			    on_fetch, job, &job->fetch) < 0) {
			fetch_failed(job, "out of memory");
			return; /* job_free() went on with the rest */
		}
	}
}

static void take_addresses(struct sts_job *job, const struct dns_answer *answer, uint8_t family)
{
	size_t len = family == 4 ? 4 : 16;

	if (answer->status == DNS_DATA)
		for (size_t i = 0;
			i < answer->wire.count && job->address_count < DESTINATION_ADDRESSES_MAX;
			i++) {
			const struct wire_record *r = &answer->wire.records[i];
			struct destination_address a = {.family = family};

			if (r->len != len)
				continue;
			memcpy(a.addr, answer->msg + r->at, len);
			if (host_address_is_usable(&a))
				job->addresses[job->address_count++] = a;
		}
	if (job->a != NULL || job->aaaa != NULL)
		return;
	if (job->address_count == 0) {
		fetch_failed(job, "the policy host has no address");
		return;
	}
	/* A refresh that nobody waits for gives way: so their number is bounded. */
	if (job->done == NULL && !TAILQ_EMPTY(&job->sts->queue)) {
		job_free(job);
		return;
	}
	job_set_state(job, STS_STATE_QUEUED);
	start_fetches(job->sts);
}

static void on_a(void *arg, const struct dns_answer *answer)
{
	struct sts_job *job = arg;

	job->a = NULL;
	take_addresses(job, answer, 4);
}

static void on_aaaa(void *arg, const struct dns_answer *answer)
{
	struct sts_job *job = arg;

	job->aaaa = NULL;
	take_addresses(job, answer, 6);
}

static void ask_addresses(struct sts_job *job)
{
	char name[NAME_MAX_TEXT + 16];

	job_set_state(job, STS_STATE_ADDRESS);
	snprintf(name, sizeof(name), "mta-sts.%s", job->domain);
	if (strlen(name) >= NAME_MAX_TEXT ||
		dns_ask(job->sts->params.dns, name, WIRE_A, on_a, job, &job->a) < 0 ||
		dns_ask(job->sts->params.dns, name, WIRE_AAAA, on_aaaa, job, &job->aaaa) < 0)
		fetch_failed(job, "the policy host cannot be looked up");
}

/* Strings of a TXT record in one. */
static void add_txt(
	const struct dns_answer *answer, const struct wire_record *r, struct sts_txt *txt)
{
	const uint8_t *p = answer->msg + r->at, *end = p + r->len;
	char text[1024];
	size_t len = 0;

	while (p < end) {
		size_t n = *p++;

		if (n > (size_t)(end - p) || len + n > sizeof(text))
			return; /* longer than a record of ours ever is */
		memcpy(text + len, p, n);
		len += n;
		p += n;
	}
	sts_txt_add(txt, text, len);
}

static void take_record(struct sts_job *job, const char *id)
{
	struct sts *sts = job->sts;
	time_t now = time(NULL);
	bool same = job->cached && strcmp(job->entry.id, id) == 0;
	bool old = now - job->entry.fetched > REFRESH_AGE;

	memcpy(job->id, id, sizeof(job->id));
	if (same && !old) {
		job_finish(job, STS_SOURCE_CACHED, "", job->ttl);
	} else if (sts_store_has_failed(
			   sts->store, job->domain, id, now - (time_t)sts->params.retry, now)) {
		if (same)
			job_finish(job, STS_SOURCE_CACHED, "", job->ttl);
		else
			job_fail(job, true, "the last try to fetch it failed a short while ago",
				sts->params.retry);
	} else {
		if (same) /* refreshed behind the scenes */
			job_tell(job, STS_SOURCE_CACHED, "", job->ttl);
		ask_addresses(job);
	}
}

static void on_txt(void *arg, const struct dns_answer *answer)
{
	struct sts_job *job = arg;
	struct sts_txt txt = {0};
	char why[128];

	job->txt = NULL;
	if (answer->status > DNS_NXDOMAIN) {
		snprintf(why, sizeof(why), "TXT record: %s", answer->why);
		job_fail(job, true, why, job->sts->params.retry);
		return;
	}
	job->ttl = answer->wire.ttl;
	for (size_t i = 0; i < answer->wire.count; i++)
		add_txt(answer, &answer->wire.records[i], &txt);
	if (sts_txt_is_valid(&txt))
		take_record(job, txt.id);
	else
		job_fail(job, false,
			txt.records == 0  ? ""
			: txt.records > 1 ? "more than one TXT record"
					  : "the TXT record is invalid",
			job->ttl);
}

int sts_start(struct sts *sts, const char *domain, sts_done done, void *arg, struct sts_job **out)
{
	char name[NAME_MAX_TEXT + 16];
	struct sts_job *job;
	int rc;

	/* One that was left alone and is still at it. */
	TAILQ_FOREACH (job, &sts->jobs, link)
		if (job->done == NULL && strcmp(job->domain, domain) == 0)
			goto adopt;
	TAILQ_FOREACH (job, &sts->queue, link)
		if (job->done == NULL && strcmp(job->domain, domain) == 0)
			goto adopt;
	snprintf(name, sizeof(name), "_mta-sts.%s", domain);
	if (strlen(name) >= NAME_MAX_TEXT)
		return -ENAMETOOLONG;
	job = calloc(1, sizeof(*job));
	if (job == NULL)
		return -ENOMEM;
	job->sts = sts;
	strcpy(job->domain, domain);
	job->cached = sts_store_get(sts->store, domain, time(NULL), &job->entry) == 0;
	TAILQ_INSERT_TAIL(&sts->jobs, job, link);
	rc = dns_ask(sts->params.dns, name, WIRE_TXT, on_txt, job, &job->txt);
	if (rc < 0) {
		job_free(job);
		return rc;
	}
adopt:
	job->done = done;
	job->arg = arg;
	*out = job;
	return 0;
}

void sts_expire(struct sts_job *job, struct sts_result *result)
{
	job_result(job, job->cached ? STS_SOURCE_KEPT : STS_SOURCE_FAILED,
		job->state == STS_STATE_TXT ? "no answer about the TXT record in time"
					    : "the policy did not come in time",
		30, result);
	sts_detach(job);
}

void sts_detach(struct sts_job *job)
{
	job->done = NULL;
	if (job->state == STS_STATE_TXT || job->state == STS_STATE_QUEUED)
		job_free(job);
}

void sts_get_stats(const struct sts *sts, uint64_t *fetches, uint64_t *failures)
{
	*fetches = sts->fetches;
	*failures = sts->failures;
}

int sts_create(const struct sts_params *params, struct sts **out, char *err, size_t err_size)
{
	struct sts_fetcher_params fetcher = {
		.base = params->base,
		.ca = params->ca,
		.port = params->port,
		.timeout_ms = params->timeout_ms,
	};
	struct sts *sts = calloc(1, sizeof(*sts));
	int rc = -ENOMEM;

	snprintf(err, err_size, "out of memory");
	if (sts == NULL)
		return rc;
	sts->params = *params;
	sts->params.path = sts->params.ca = NULL;
	TAILQ_INIT(&sts->jobs);
	TAILQ_INIT(&sts->queue);
	sts->commit = evtimer_new(params->base, on_commit, sts);
	if (sts->commit == NULL)
		goto out;
	rc = sts_store_open(params->path, &sts->store, err, err_size);
	if (rc < 0)
		goto out;
	rc = sts_fetcher_create(&fetcher, &sts->fetcher);
	if (rc < 0)
		goto out;
	*out = sts;
	return 0;
out:
	sts_destroy(sts);
	return rc;
}

void sts_destroy(struct sts *sts)
{
	struct sts_job *job;

	if (sts == NULL)
		return;
	sts->params.max_fetches = 0; /* none begins any more */
	while ((job = TAILQ_FIRST(&sts->jobs)) != NULL || (job = TAILQ_FIRST(&sts->queue)) != NULL)
		job_free(job);
	sts_fetcher_destroy(sts->fetcher);
	sts_store_close(sts->store);
	if (sts->commit != NULL)
		event_free(sts->commit);
	free(sts);
}
