/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/question.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control/resolve/dns.h"
#include "control/resolve/host.h"
#include "control/resolve/mx.h"
#include "control/resolve/sts_lookup.h"

#define NEGATIVE_TTL_MAX 3600

struct slot {
	struct question *question;
	struct host_job *job;
};

struct question {
	struct question_params params;
	struct destination *d;
	uint32_t ttl;
	bool cut; /* ourselves among the MX */
	char expanded[NAME_MAX_TEXT];
	struct dns_query *mx;
	struct sts_job *sts;
	struct sts_result *sts_result; /* NULL: not there yet */
	size_t hosts_open;
	struct slot slots[DESTINATION_HOSTS_MAX];
};

static void ttl_least(struct question *q, uint32_t ttl)
{
	if (ttl < q->ttl)
		q->ttl = ttl;
}

static void set_status(struct destination *d, enum destination_status status, const char *why)
{
	d->status = status;
	snprintf(d->why, sizeof(d->why), "%s", why != NULL ? why : "");
}

/* Until when: bounds of ours around the TTL; shorter for what may soon be well again. */
static void set_expiry(const struct resolve_params *p, struct destination *d, uint32_t ttl)
{
	bool negative = d->status == DESTINATION_NULL_MX || d->status == DESTINATION_NO_NAME ||
			d->status == DESTINATION_NO_HOST;
	bool failed = d->status >= DESTINATION_FAILED;

	for (size_t i = 0; i < d->host_count; i++)
		failed = failed || d->hosts[i].dane >= DANE_FAILED ||
			 (d->hosts[i].status != HOST_OK && d->hosts[i].status != HOST_NO_ADDRESS);
	if (negative && ttl > NEGATIVE_TTL_MAX)
		ttl = NEGATIVE_TTL_MAX;
	if (ttl > p->max_ttl)
		ttl = p->max_ttl;
	if (ttl < p->min_ttl)
		ttl = p->min_ttl;
	if (failed && ttl > p->failure_ttl)
		ttl = p->failure_ttl;
	d->resolved = time(NULL);
	d->expiry = d->resolved + (time_t)ttl;
}

struct destination *question_refused(const struct resolve_params *params, const char *domain,
	enum destination_status status, const char *why)
{
	struct destination *d = destination_create(domain);

	if (d == NULL)
		return NULL;
	set_status(d, status, why);
	set_expiry(params, d, 0);
	return d;
}

static bool is_self(const struct resolve_params *p, const struct destination_host *h)
{
	for (size_t i = 0; i < h->address_count; i++)
		for (size_t j = 0; j < p->self_address_count; j++)
			if (memcmp(&h->addresses[i], &p->self_addresses[j],
				    sizeof(h->addresses[i])) == 0)
				return true;
	return false;
}

/* RFC 5321 5.1, by address: a host of another name that is us all the same. */
static void cut_self(struct question *q)
{
	struct destination *d = q->d;

	for (size_t i = 0; i < d->host_count; i++) {
		if (!is_self(q->params.resolve, &d->hosts[i]))
			continue;
		while (i > 0 && d->hosts[i - 1].preference == d->hosts[i].preference)
			i--;
		for (size_t j = i; j < d->host_count; j++) {
			free(d->hosts[j].addresses);
			free(d->hosts[j].tlsa);
			free(d->hosts[j].names);
		}
		d->host_count = (uint8_t)i;
		q->cut = true;
	}
}

static enum destination_status status_of_host(enum host_status s)
{
	return s == HOST_BOGUS        ? DESTINATION_BOGUS
	       : s == HOST_TIMEOUT    ? DESTINATION_TIMEOUT
	       : s == HOST_NO_ADDRESS ? DESTINATION_NO_HOST
				      : DESTINATION_FAILED;
}

/* Of all hosts: OK if one can be tried; else later if one may be well again. */
static void judge_hosts(struct question *q)
{
	struct destination *d = q->d;
	const struct destination_host *worst = NULL;

	if (d->status != DESTINATION_OK)
		return;
	cut_self(q);
	for (size_t i = 0; i < d->host_count; i++) {
		const struct destination_host *h = &d->hosts[i];

		if (h->status == HOST_OK)
			return;
		if (worst == NULL || worst->status == HOST_NO_ADDRESS)
			worst = h;
	}
	if (worst == NULL)
		set_status(d, DESTINATION_LOOP, "the most preferred host is this gateway");
	else if (worst->status == HOST_NO_ADDRESS)
		set_status(d, DESTINATION_NO_HOST,
			d->implicit_mx ? "the domain has neither an MX nor an address"
				       : "none of its mail servers has an address");
	else
		set_status(d, status_of_host(worst->status), worst->why);
}

static void apply_sts(struct question *q)
{
	const struct sts_result *r = q->sts_result;
	struct destination *d = q->d;

	if (r != NULL) {
		d->sts = r->info;
		ttl_least(q, r->ttl);
	}
	for (size_t i = 0; i < d->host_count; i++)
		d->hosts[i].sts_match =
			d->sts.mode == STS_NONE || sts_policy_match(&r->policy, d->hosts[i].name);
}

static void question_release(struct question *q)
{
	dns_cancel(q->mx);
	for (size_t i = 0; i < DESTINATION_HOSTS_MAX; i++)
		host_cancel(q->slots[i].job);
	if (q->sts != NULL)
		sts_detach(q->sts);
	destination_unref(q->d);
	free(q->sts_result);
	free(q);
}

static void question_finish(struct question *q)
{
	void (*done)(void *, struct destination *) = q->params.done;
	void *arg = q->params.arg;
	struct destination *d = q->d;

	judge_hosts(q);
	apply_sts(q);
	set_expiry(q->params.resolve, d, q->ttl);
	/* A policy outlives its TXT record, never its own end. */
	if (d->sts.mode != STS_NONE && d->expiry > d->sts.expiry && d->sts.expiry > d->resolved)
		d->expiry = d->sts.expiry;
	q->d = NULL;
	question_release(q);
	done(arg, d);
}

static void question_check(struct question *q)
{
	bool sts_open = q->sts != NULL && q->d->status == DESTINATION_OK;

	if (q->mx == NULL && q->hosts_open == 0 && !sts_open)
		question_finish(q);
}

static void on_host(void *arg, uint32_t ttl)
{
	struct slot *slot = arg;
	struct question *q = slot->question;

	slot->job = NULL;
	q->hosts_open--;
	ttl_least(q, ttl);
	question_check(q);
}

static void start_hosts(struct question *q)
{
	struct destination *d = q->d;

	for (size_t i = 0; i < d->host_count; i++) {
		struct host_params params = {
			.dns = q->params.dns,
			.port = q->params.resolve->port,
			.mx_secure = d->mx_secure,
			.domain = d->domain,
			.expanded = d->mx_secure ? q->expanded : "",
			.host = &d->hosts[i],
			.done = on_host,
			.arg = &q->slots[i],
		};

		q->slots[i].question = q;
		if (host_start(&params, &q->slots[i].job) < 0) {
			d->hosts[i].status = HOST_FAILED;
			snprintf(d->hosts[i].why, sizeof(d->hosts[i].why),
				"too many DNS look-ups are open");
			continue;
		}
		q->hosts_open++;
	}
}

static uint32_t random32(void *arg)
{
	uint32_t n = 0;

	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		n = (uint32_t)time(NULL);
	return n;
}

static void give_hosts(struct question *q, const struct mx *mx, size_t count)
{
	struct destination *d = q->d;

	if (count > DESTINATION_HOSTS_MAX)
		count = DESTINATION_HOSTS_MAX;
	if (destination_set_hosts(d, count) < 0) {
		set_status(d, DESTINATION_FAILED, "out of memory");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		strcpy(d->hosts[i].name, mx[i].name);
		d->hosts[i].preference = mx[i].preference;
	}
	start_hosts(q);
}

static size_t read_mx(const struct dns_answer *answer, struct mx mx[WIRE_RECORDS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < answer->wire.count; i++) {
		const struct wire_record *r = &answer->wire.records[i];

		if (wire_record_name(answer->msg, answer->len, r, 2, mx[count].name) < 0)
			continue; /* no host can have that name */
		mx[count++].preference =
			(uint16_t)(answer->msg[r->at] << 8 | answer->msg[r->at + 1]);
	}
	return count;
}

static void take_mx(struct question *q, const struct dns_answer *answer)
{
	const struct resolve_params *p = q->params.resolve;
	struct mx mx[WIRE_RECORDS_MAX];
	size_t count = read_mx(answer, mx);

	q->d->mx_secure = answer->secure;
	if (mx_is_null(mx, count)) {
		set_status(q->d, DESTINATION_NULL_MX, "the domain takes no mail (RFC 7505)");
		return;
	}
	count = mx_order(mx, count, p->self_names, p->self_name_count, random32, NULL, &q->cut);
	if (count > 0)
		give_hosts(q, mx, count);
	else if (q->cut)
		set_status(q->d, DESTINATION_LOOP, "the most preferred host is this gateway");
	else
		set_status(q->d, DESTINATION_NO_HOST, "no MX record names a host");
}

/* RFC 5321 5.1: the domain itself, as if with preference 0. */
static void take_implicit(struct question *q, const struct dns_answer *answer)
{
	const struct resolve_params *p = q->params.resolve;
	struct mx mx = {0};
	size_t count;

	strcpy(mx.name, q->d->domain);
	q->d->mx_secure = answer->secure;
	q->d->implicit_mx = true;
	count = mx_order(&mx, 1, p->self_names, p->self_name_count, random32, NULL, &q->cut);
	if (count > 0)
		give_hosts(q, &mx, 1);
	else
		set_status(q->d, DESTINATION_LOOP, "the domain is this gateway");
}

static void on_mx(void *arg, const struct dns_answer *answer)
{
	struct question *q = arg;

	q->mx = NULL;
	if (answer->status <= DNS_NXDOMAIN) {
		ttl_least(q, answer->wire.ttl);
		if (answer->wire.alias)
			strcpy(q->expanded, answer->wire.owner);
	}
	switch (answer->status) {
	case DNS_DATA:
		take_mx(q, answer);
		break;
	case DNS_NODATA:
		take_implicit(q, answer);
		break;
	case DNS_NXDOMAIN:
		q->d->mx_secure = answer->secure;
		set_status(q->d, DESTINATION_NO_NAME, "the domain does not exist");
		break;
	case DNS_FAILED:
		set_status(q->d, DESTINATION_FAILED, answer->why);
		break;
	case DNS_BOGUS:
		set_status(q->d, DESTINATION_BOGUS, answer->why);
		break;
	case DNS_TIMEOUT:
		set_status(q->d, DESTINATION_TIMEOUT, answer->why);
		break;
	}
	question_check(q);
}

static void on_sts(void *arg, const struct sts_result *result)
{
	struct question *q = arg;

	q->sts = NULL;
	q->sts_result = malloc(sizeof(*result));
	if (q->sts_result != NULL)
		*q->sts_result = *result;
	question_check(q);
}

int question_start(const struct question_params *params, const char *domain, struct question **out)
{
	struct question *q = calloc(1, sizeof(*q));
	int rc = -ENOMEM;

	if (q == NULL)
		return -ENOMEM;
	q->params = *params;
	q->ttl = UINT32_MAX;
	q->d = destination_create(domain);
	if (q->d == NULL)
		goto out;
	rc = dns_ask(params->dns, domain, WIRE_MX, on_mx, q, &q->mx);
	if (rc < 0)
		goto out;
	if (params->sts != NULL && sts_start(params->sts, domain, on_sts, q, &q->sts) < 0)
		q->sts = NULL;
	*out = q;
	return 0;
out:
	question_release(q);
	return rc;
}

void question_expire(struct question *q)
{
	uint32_t ttl;

	if (q->mx != NULL) {
		dns_cancel(q->mx);
		q->mx = NULL;
		set_status(q->d, DESTINATION_TIMEOUT, "no answer in time");
	}
	for (size_t i = 0; i < DESTINATION_HOSTS_MAX; i++) {
		if (q->slots[i].job == NULL)
			continue;
		host_expire(q->slots[i].job, &ttl);
		q->slots[i].job = NULL;
		ttl_least(q, ttl);
	}
	q->hosts_open = 0;
	if (q->sts != NULL) {
		q->sts_result = calloc(1, sizeof(*q->sts_result));
		if (q->sts_result != NULL)
			sts_expire(q->sts, q->sts_result);
		else
			sts_detach(q->sts);
		q->sts = NULL;
	}
	question_finish(q);
}

void question_cancel(struct question *q)
{
	if (q != NULL)
		question_release(q);
}
