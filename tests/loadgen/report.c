/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "tests/loadgen/host.h"

static const struct {
	const char *name;
	double q;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}};

#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

struct outcome {
	bool known; /* both ends are ours */
	uint64_t lost, doubled, damaged, received, missing;
};

static struct outcome report_outcome(const struct report *r)
{
	struct outcome o = {0};
	const struct ledger *acked, *got;

	if (r->sink) {
		const struct sink_counters *s = sink_get_counters(r->sink);

		o.doubled = s->doubled;
		o.damaged = s->damaged;
		o.received = s->received;
	}
	if (!r->client || !r->sink)
		return o;
	o.known = true;
	acked = client_acked(r->client);
	got = sink_ledger(r->sink, acked->run);
	for (uint64_t i = 0; i < acked->highest; i++) {
		if (ledger_has(acked, i) && !(got && ledger_has(got, i)))
			o.lost++;
	}
	return o;
}

int report_verdict(const struct report *r)
{
	struct outcome o = report_outcome(r);
	bool through = true;

	if (r->client) {
		const struct client_counters *c = client_get_counters(r->client);

		/* A run that shows nothing proves nothing. */
		through = c->sessions_done > 0 || c->idle_ready > 0 || c->sessions_begun == 0;
		if (c->sessions_done > 0 && c->messages_sent > 0 && c->messages_acked == 0)
			through = false;
	}
	return o.lost > 0 || o.doubled > 0 || o.damaged > 0 || !through ? 1 : 0;
}

/* --- Progress --- */

void report_progress(const struct report *r, double seconds)
{
	static struct client_counters last;
	static uint64_t last_received;
	static struct hostile_counters last_hostile;

	fprintf(stderr, "%6.1f s", r->seconds);
	if (r->client) {
		const struct client_counters *c = client_get_counters(r->client);
		uint64_t errors = c->sessions_failed + c->messages_deferred + c->messages_rejected;
		uint64_t last_errors =
			last.sessions_failed + last.messages_deferred + last.messages_rejected;

		fprintf(stderr,
			"  sessions/s %8.0f  messages/s %8.0f  Gb/s %7.3f  errors %6" PRIu64
			"  active %6u",
			(double)(c->sessions_done - last.sessions_done) / seconds,
			(double)(c->messages_acked - last.messages_acked) / seconds,
			(double)(c->octets_sent - last.octets_sent) * 8e-9 / seconds,
			errors - last_errors, client_active(r->client));
		if (c->idle_ready > 0)
			fprintf(stderr, "  idle %7" PRIu64, c->idle_ready);
		last = *c;
	}
	if (r->sink) {
		const struct sink_counters *s = sink_get_counters(r->sink);

		fprintf(stderr, "  received/s %8.0f",
			(double)(s->received - last_received) / seconds);
		last_received = s->received;
	}
	if (r->hostile) {
		const struct hostile_counters *h = hostile_get_counters(r->hostile);

		fprintf(stderr, "  hostile/s %7.0f held %6u",
			(double)(h->begun - last_hostile.begun) / seconds,
			hostile_active(r->hostile));
		last_hostile = *h;
	}
	fputc('\n', stderr);
}

/* --- The table --- */

static void print_counter(const char *name, uint64_t value)
{
	if (value > 0)
		printf("  %-24s %14" PRIu64 "\n", name, value);
}

static void print_time(const char *name, const struct histogram *h)
{
	if (h->count == 0)
		return;
	printf("  %-14s %10" PRIu64, name, h->count);
	for (size_t i = 0; i < QUANTILES; i++)
		printf(" %11.1f", (double)histogram_quantile(h, quantiles[i].q) / 1e3);
	printf(" %11.1f\n", (double)h->max / 1e3);
}

void report_table(const struct report *r)
{
	struct outcome o = report_outcome(r);

	printf("%.2f s, %.2f s CPU of the generator\n", r->seconds, r->cpu_seconds);
	if (r->client) {
		const struct client_counters *c = client_get_counters(r->client);

		printf("client: %.0f sessions/s, %.0f messages/s, %.3f Gb/s of mail\n",
			(double)c->sessions_done / r->seconds,
			(double)c->messages_acked / r->seconds,
			(double)c->octets_sent * 8e-9 / r->seconds);
#define X(name) print_counter(#name, c->name);
		CLIENT_COUNTERS(X)
#undef X
		printf("  %-14s %10s", "us", "count");
		for (size_t i = 0; i < QUANTILES; i++)
			printf(" %11s", quantiles[i].name);
		printf(" %11s\n", "max");
		for (int t = 0; t < CLIENT_TIMES; t++)
			print_time(client_time_names[t],
				client_histogram(r->client, (enum client_time)t));
	}
	if (r->sink) {
		const struct sink_counters *s = sink_get_counters(r->sink);

		printf("sink:\n");
#define X(name) print_counter(#name, s->name);
		SINK_COUNTERS(X)
#undef X
	}
	if (r->hostile) {
		const struct hostile_counters *h = hostile_get_counters(r->hostile);

		printf("hostile: %u held at the end\n", hostile_active(r->hostile));
#define X(name) print_counter(#name, h->name);
		HOSTILE_COUNTERS(X)
#undef X
	}
	if (o.known) {
		const struct client_counters *c = client_get_counters(r->client);

		printf("sent %" PRIu64 ", acknowledged %" PRIu64 ", received %" PRIu64
		       ", lost %" PRIu64 ", doubled %" PRIu64 ", damaged %" PRIu64 "\n",
			c->messages_sent, c->messages_acked, o.received, o.lost, o.doubled,
			o.damaged);
	}
}

/* --- JSON --- */

static json_t *json_time(const struct histogram *h)
{
	json_t *j = json_object();

	json_object_set_new(j, "count", json_integer((json_int_t)h->count));
	if (h->count == 0)
		return j;
	json_object_set_new(j, "min", json_real((double)h->min / 1e3));
	json_object_set_new(j, "mean", json_real((double)h->sum / (double)h->count / 1e3));
	for (size_t i = 0; i < QUANTILES; i++)
		json_object_set_new(j, quantiles[i].name,
			json_real((double)histogram_quantile(h, quantiles[i].q) / 1e3));
	json_object_set_new(j, "max", json_real((double)h->max / 1e3));
	return j;
}

static void json_counter(void *arg, const char *name, uint64_t value)
{
	json_object_set_new(arg, name, json_integer((json_int_t)value));
}

static json_t *json_client(const struct report *r)
{
	const struct client_counters *c = client_get_counters(r->client);
	json_t *j = json_object(), *times = json_object();

	json_object_set_new(j, "run", json_integer(client_acked(r->client)->run));
	json_object_set_new(
		j, "sessions_per_second", json_real((double)c->sessions_done / r->seconds));
	json_object_set_new(
		j, "messages_per_second", json_real((double)c->messages_acked / r->seconds));
	json_object_set_new(
		j, "bits_per_second", json_real((double)c->octets_sent * 8 / r->seconds));
#define X(name) json_counter(j, #name, c->name);
	CLIENT_COUNTERS(X)
#undef X
	for (int t = 0; t < CLIENT_TIMES; t++)
		json_object_set_new(times, client_time_names[t],
			json_time(client_histogram(r->client, (enum client_time)t)));
	json_object_set_new(j, "microseconds", times);
	return j;
}

static json_t *json_sink(const struct report *r)
{
	const struct sink_counters *s = sink_get_counters(r->sink);
	json_t *j = json_object(), *runs = json_array();
	const struct ledger *l;

#define X(name) json_counter(j, #name, s->name);
	SINK_COUNTERS(X)
#undef X
	for (uint32_t i = 0; (l = sink_ledger_at(r->sink, i)) != NULL; i++)
		json_array_append_new(
			runs, json_pack("{s:I,s:I,s:I}", "run", (json_int_t)l->run, "distinct",
				      (json_int_t)l->count, "highest", (json_int_t)l->highest));
	json_object_set_new(j, "runs", runs);
	return j;
}

static json_t *json_host(const struct transport *t)
{
	json_t *j = json_object();

	host_counters(t, json_counter, j);
	return j;
}

int report_json(const struct report *r, const char *file)
{
	struct outcome o = report_outcome(r);
	json_t *j = json_object();
	int rc;

	json_object_set_new(j, "seconds", json_real(r->seconds));
	json_object_set_new(j, "generator_cpu_seconds", json_real(r->cpu_seconds));
	if (r->client)
		json_object_set_new(j, "client", json_client(r));
	if (r->sink)
		json_object_set_new(j, "sink", json_sink(r));
	if (r->hostile) {
		const struct hostile_counters *h = hostile_get_counters(r->hostile);
		json_t *jh = json_object();

#define X(name) json_counter(jh, #name, h->name);
		HOSTILE_COUNTERS(X)
#undef X
		json_counter(jh, "held", hostile_active(r->hostile));
		json_object_set_new(j, "hostile", jh);
	}
	if (o.known) {
		const struct client_counters *c = client_get_counters(r->client);

		json_object_set_new(j, "messages",
			json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "sent", (json_int_t)c->messages_sent,
				"acknowledged", (json_int_t)c->messages_acked, "received",
				(json_int_t)o.received, "lost", (json_int_t)o.lost, "doubled",
				(json_int_t)o.doubled, "damaged", (json_int_t)o.damaged));
	}
	if (r->client_host)
		json_object_set_new(j, "client_counters", json_host(r->client_host));
	if (r->sink_host)
		json_object_set_new(j, "sink_counters", json_host(r->sink_host));
	if (strcmp(file, "-") == 0) {
		rc = json_dumpf(j, stdout, JSON_INDENT(2));
		puts("");
	} else {
		rc = json_dump_file(j, file, JSON_INDENT(2));
	}
	json_decref(j);
	return rc == 0 ? 0 : -EIO;
}
