/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/resolve/dns.h"
#include "control/resolve/tlsa.h"

enum host_state {
	HOST_STATE_ADDRESSES, /* A and AAAA are on their way */
	HOST_STATE_ALIAS,     /* is the alias itself signed? */
	HOST_STATE_TLSA,
	HOST_STATE_DONE,
};

struct host_job {
	struct host_params params;
	enum host_state state;
	struct dns_query *a, *aaaa, *query; /* query: CNAME or TLSA */
	uint32_t ttl;
	enum host_status failure;     /* the worst of the address look-ups */
	bool insecure;                /* an answer was not signed */
	char expanded[NAME_MAX_TEXT]; /* of the host, by CNAME; "" without one */
	uint8_t v4_count, v6_count;
	struct destination_address v4[DESTINATION_ADDRESSES_MAX], v6[DESTINATION_ADDRESSES_MAX];
	uint8_t base_count, base; /* candidates (RFC 7671 7), and the one being tried */
	char bases[2][NAME_MAX_TEXT];
};

static void set_why(struct destination_host *h, const char *what, const char *why)
{
	snprintf(h->why, sizeof(h->why), "%s: %s", what, why != NULL ? why : "no reason given");
}

static void ttl_least(struct host_job *job, const struct dns_answer *answer)
{
	if (answer->status <= DNS_NXDOMAIN && answer->wire.ttl < job->ttl)
		job->ttl = answer->wire.ttl;
}

static void host_set_state(struct host_job *job, enum host_state state)
{
	job->state = state;
}

static void host_done(struct host_job *job)
{
	void (*done)(void *, uint32_t) = job->params.done;
	void *arg = job->params.arg;
	uint32_t ttl = job->ttl;

	host_set_state(job, HOST_STATE_DONE);
	host_cancel(job);
	done(arg, ttl);
}

bool host_address_is_usable(const struct destination_address *a)
{
	static const uint8_t zero[16], loopback[16] = {[15] = 1},
				       mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (a->family == 4)
		return a->addr[0] != 0 && a->addr[0] != 127 && a->addr[0] < 224;
	return memcmp(a->addr, zero, 16) != 0 && memcmp(a->addr, loopback, 16) != 0 &&
	       memcmp(a->addr, mapped, 12) != 0 && a->addr[0] != 0xff;
}

static enum host_status worse(enum host_status a, enum host_status b)
{
	static const uint8_t rank[HOST_STATUSES] = {
		[HOST_FAILED] = 1, [HOST_TIMEOUT] = 2, [HOST_BOGUS] = 3};

	return rank[a] > rank[b] ? a : b;
}

static enum host_status host_status_of(enum dns_status s)
{
	switch (s) {
	case DNS_FAILED:
		return HOST_FAILED;
	case DNS_BOGUS:
		return HOST_BOGUS;
	case DNS_TIMEOUT:
		return HOST_TIMEOUT;
	default:
		return HOST_OK;
	}
}

static void take_addresses(struct host_job *job, const struct dns_answer *answer, uint8_t family)
{
	struct destination_address *list = family == 4 ? job->v4 : job->v6;
	uint8_t *count = family == 4 ? &job->v4_count : &job->v6_count;
	size_t len = family == 4 ? 4 : 16;

	for (size_t i = 0; i < answer->wire.count && *count < DESTINATION_ADDRESSES_MAX; i++) {
		const struct wire_record *r = &answer->wire.records[i];
		struct destination_address a = {.family = family};

		if (r->len != len)
			continue;
		memcpy(a.addr, answer->msg + r->at, len);
		if (host_address_is_usable(&a))
			list[(*count)++] = a;
	}
	job->insecure = job->insecure || !answer->secure;
	if (answer->wire.alias)
		memcpy(job->expanded, answer->wire.owner, NAME_MAX_TEXT);
}

/* Both families in turn, IPv6 first (as RFC 8305 4 orders them). */
static int give_addresses(struct host_job *job)
{
	struct destination_host *h = job->params.host;
	size_t count = (size_t)job->v4_count + job->v6_count;

	h->addresses = calloc(count, sizeof(h->addresses[0]));
	if (h->addresses == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < DESTINATION_ADDRESSES_MAX; i++) {
		if (i < job->v6_count)
			h->addresses[h->address_count++] = job->v6[i];
		if (i < job->v4_count)
			h->addresses[h->address_count++] = job->v4[i];
	}
	return 0;
}

static void ask_tlsa(struct host_job *job);

static void dane_fail(struct host_job *job, enum dane_status status, const char *why)
{
	job->params.host->dane = status;
	set_why(job->params.host, "DANE", why);
	host_done(job);
}

static void dane_fail_by(struct host_job *job, const struct dns_answer *answer)
{
	dane_fail(job,
		answer->status == DNS_BOGUS     ? DANE_BOGUS
		: answer->status == DNS_TIMEOUT ? DANE_TIMEOUT
						: DANE_FAILED,
		answer->why);
}

/* What a DANE-TA certificate may be named (RFC 7672 3.2.2). */
static int give_names(struct host_job *job, const char *base)
{
	const char *candidates[] = {base, job->expanded[0] ? job->params.host->name : "",
		job->params.domain, job->params.expanded};
	struct destination_host *h = job->params.host;

	strcpy(h->tlsa_base, base);
	h->names = calloc(DESTINATION_NAMES_MAX, sizeof(h->names[0]));
	if (h->names == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < DESTINATION_NAMES_MAX; i++) {
		size_t j = 0;

		while (j < h->name_count && strcmp(h->names[j], candidates[i]) != 0)
			j++;
		if (candidates[i][0] != '\0' && j == h->name_count)
			strcpy(h->names[h->name_count++], candidates[i]);
	}
	return 0;
}

/* Records and their data in one block. */
static int give_tlsa(struct host_job *job, const struct destination_tlsa *records, size_t count)
{
	struct destination_host *h = job->params.host;
	size_t size = count * sizeof(h->tlsa[0]);
	uint8_t *data;

	for (size_t i = 0; i < count; i++)
		size += records[i].len;
	h->tlsa = malloc(size);
	if (h->tlsa == NULL)
		return -ENOMEM;
	data = (uint8_t *)(h->tlsa + count);
	for (size_t i = 0; i < count; i++) {
		h->tlsa[i] = records[i];
		h->tlsa[i].data = memcpy(data, records[i].data, records[i].len);
		data += records[i].len;
	}
	h->tlsa_count = (uint8_t)count;
	return 0;
}

static void take_tlsa(struct host_job *job, const struct dns_answer *answer)
{
	struct destination_tlsa records[WIRE_RECORDS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < answer->wire.count; i++) {
		const struct wire_record *r = &answer->wire.records[i];

		count += tlsa_parse(answer->msg + r->at, r->len, &records[count]) == 0;
	}
	count = tlsa_select(records, count);
	if (count > DESTINATION_TLSA_MAX)
		count = DESTINATION_TLSA_MAX;
	if (give_names(job, job->bases[job->base]) < 0 ||
		(count > 0 && give_tlsa(job, records, count) < 0)) {
		dane_fail(job, DANE_FAILED, "out of memory");
		return;
	}
	job->params.host->dane = count > 0 ? DANE_USABLE : DANE_UNUSABLE;
	host_done(job);
}

static void on_tlsa(void *arg, const struct dns_answer *answer)
{
	struct host_job *job = arg;

	job->query = NULL;
	ttl_least(job, answer);
	if (answer->status > DNS_NXDOMAIN) {
		dane_fail_by(job, answer);
	} else if (answer->status == DNS_DATA && answer->secure) {
		take_tlsa(job, answer);
	} else if (++job->base < job->base_count) {
		ask_tlsa(job);
	} else {
		job->params.host->dane = DANE_NONE;
		host_done(job);
	}
}

static void ask_tlsa(struct host_job *job)
{
	char name[NAME_MAX_TEXT + 16];

	host_set_state(job, HOST_STATE_TLSA);
	snprintf(name, sizeof(name), "_%u._tcp.%s", job->params.port, job->bases[job->base]);
	if (strlen(name) >= NAME_MAX_TEXT) {
		job->params.host->dane = DANE_NONE; /* there can be none */
		host_done(job);
	} else if (dns_ask(job->params.dns, name, WIRE_TLSA, on_tlsa, job, &job->query) < 0) {
		dane_fail(job, DANE_FAILED, "too many DNS look-ups are open");
	}
}

/* RFC 7672 2.1.3: the addresses are not signed, but the alias that led to them may be. */
static void on_alias(void *arg, const struct dns_answer *answer)
{
	struct host_job *job = arg;

	job->query = NULL;
	ttl_least(job, answer);
	if (answer->status > DNS_NXDOMAIN) {
		dane_fail_by(job, answer);
	} else if (answer->status == DNS_DATA && answer->secure) {
		strcpy(job->bases[job->base_count++], job->params.host->name);
		ask_tlsa(job);
	} else {
		host_done(job); /* DANE_INSECURE */
	}
}

static void addresses_done(struct host_job *job)
{
	struct destination_host *h = job->params.host;

	if (job->v4_count + job->v6_count == 0) {
		h->status = job->failure != HOST_OK ? job->failure : HOST_NO_ADDRESS;
		host_done(job);
		return;
	}
	/* A family that failed does not spoil the other. */
	h->why[0] = '\0';
	if (give_addresses(job) < 0) {
		h->status = HOST_FAILED;
		set_why(h, "address", "out of memory");
		host_done(job);
		return;
	}
	h->status = HOST_OK;
	h->secure = !job->insecure;
	if (!job->params.mx_secure || (!h->secure && job->expanded[0] == '\0')) {
		host_done(job);
	} else if (h->secure) {
		/* RFC 7671 7: the end of the chain first, then where it began. */
		if (job->expanded[0] != '\0')
			strcpy(job->bases[job->base_count++], job->expanded);
		strcpy(job->bases[job->base_count++], h->name);
		ask_tlsa(job);
	} else {
		host_set_state(job, HOST_STATE_ALIAS);
		if (dns_ask(job->params.dns, h->name, WIRE_CNAME, on_alias, job, &job->query) < 0)
			dane_fail(job, DANE_FAILED, "too many DNS look-ups are open");
	}
}

static void take_answer(struct host_job *job, const struct dns_answer *answer, uint8_t family)
{
	ttl_least(job, answer);
	if (answer->status == DNS_DATA) {
		take_addresses(job, answer, family);
	} else if (answer->status > DNS_NXDOMAIN) {
		job->failure = worse(job->failure, host_status_of(answer->status));
		set_why(job->params.host, family == 4 ? "A" : "AAAA", answer->why);
	}
	if (job->a == NULL && job->aaaa == NULL)
		addresses_done(job);
}

static void on_a(void *arg, const struct dns_answer *answer)
{
	struct host_job *job = arg;

	job->a = NULL;
	take_answer(job, answer, 4);
}

static void on_aaaa(void *arg, const struct dns_answer *answer)
{
	struct host_job *job = arg;

	job->aaaa = NULL;
	take_answer(job, answer, 6);
}

int host_start(const struct host_params *params, struct host_job **out)
{
	struct host_job *job = calloc(1, sizeof(*job));
	int rc;

	if (job == NULL)
		return -ENOMEM;
	job->params = *params;
	job->ttl = UINT32_MAX;
	job->failure = HOST_OK;
	params->host->dane = DANE_INSECURE;
	rc = dns_ask(params->dns, params->host->name, WIRE_AAAA, on_aaaa, job, &job->aaaa);
	if (rc == 0)
		rc = dns_ask(params->dns, params->host->name, WIRE_A, on_a, job, &job->a);
	if (rc < 0) {
		host_cancel(job);
		return rc;
	}
	*out = job;
	return 0;
}

static void nothing(void *arg, uint32_t ttl)
{
}

void host_expire(struct host_job *job, uint32_t *ttl)
{
	struct destination_host *h = job->params.host;

	*ttl = job->ttl;
	if (job->state == HOST_STATE_ADDRESSES && job->v4_count + job->v6_count > 0 &&
		!job->params.mx_secure) {
		/* One family came, and that is all there was to know. */
		job->params.done = nothing;
		addresses_done(job);
		return;
	}
	if (job->state == HOST_STATE_ADDRESSES)
		h->status = HOST_TIMEOUT;
	else
		h->dane = DANE_TIMEOUT;
	set_why(h, job->state == HOST_STATE_ADDRESSES ? "address" : "DANE", "no answer in time");
	host_cancel(job);
}

void host_cancel(struct host_job *job)
{
	if (job == NULL)
		return;
	dns_cancel(job->a);
	dns_cancel(job->aaaa);
	dns_cancel(job->query);
	free(job);
}
