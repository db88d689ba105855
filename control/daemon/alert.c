/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/alert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/alert_run.h"
#include "control/daemon/daemon_private.h"
#include "control/daemon/log.h"

#define BUCKETS     1024
#define TRACKED_MAX 10000 /* partners with refusals at once */
#define WINDOW_MS   60000 /* in which `after` refusals make an alert */

struct alert {
	struct report_alert stored;
	uint64_t first_ms, last_ms;
	bool raised, changed; /* changed: since it was stored */
	LIST_ENTRY(alert) link;
};

struct alerts {
	LIST_HEAD(, alert) buckets[BUCKETS];
	unsigned int count;
	uint64_t untracked;
	bool loaded;
	struct alert_runner *runner;
};

struct alerts *alerts_create(void)
{
	struct alerts *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->runner = alert_runner_create();
	if (a->runner != NULL)
		return a;
	free(a);
	return NULL;
}

void alerts_destroy(struct alerts *a)
{
	struct alert *e;

	if (a == NULL)
		return;
	for (int i = 0; i < BUCKETS; i++) {
		while ((e = LIST_FIRST(&a->buckets[i])) != NULL) {
			LIST_REMOVE(e, link);
			free(e);
		}
	}
	alert_runner_destroy(a->runner);
	free(a);
}

static struct alert *find(struct alerts *a, uint32_t partner, bool make)
{
	struct alert *e;

	LIST_FOREACH (e, &a->buckets[partner % BUCKETS], link) {
		if (e->stored.partner_id == partner)
			return e;
	}
	if (!make)
		return NULL;
	e = a->count < TRACKED_MAX ? calloc(1, sizeof(*e)) : NULL;
	if (e == NULL) {
		if (a->untracked++ == 0)
			log_line(
				LOG_LEVEL_ERROR, "too many partners are refused to watch them all");
		return NULL;
	}
	e->stored.partner_id = partner;
	LIST_INSERT_HEAD(&a->buckets[partner % BUCKETS], e, link);
	a->count++;
	return e;
}

static void drop(struct alerts *a, struct alert *e)
{
	LIST_REMOVE(e, link);
	a->count--;
	free(e);
}

void alerts_event(struct daemon *d, const struct ipc_event *e)
{
	uint64_t now = daemon_mono_ms(d);
	struct alert *a;

	if (e->kind != IPC_EVENT_MESSAGE || e->outcome != IPC_OUTCOME_POLICY ||
		e->partner_id == 0 || e->level < IPC_LEVEL_ENCRYPT)
		return;
	a = find(d->alerts, e->partner_id, true);
	if (a == NULL)
		return;
	if (a->stored.refused == 0 || (!a->raised && now - a->first_ms > WINDOW_MS)) {
		a->stored.refused = 0;
		a->stored.first = daemon_wall(d);
		a->first_ms = now;
	}
	a->stored.refused++;
	a->stored.last = daemon_wall(d);
	a->last_ms = now;
	a->changed = true;
	ipc_string_set(a->stored.partner, sizeof(a->stored.partner), e->partner);
	ipc_string_set(a->stored.text, sizeof(a->stored.text), e->text);
}

/* Whom to call. "" for a partner that is gone. */
static json_t *contact(struct daemon *d, const char *partner)
{
	struct partner p;
	json_t *text;

	if (store_partner_get(d->params.store, partner, &p) < 0)
		return json_string("");
	text = json_string(p.contact);
	partner_release(&p);
	return text;
}

static json_t *text_or_mark(const char *text)
{
	json_t *value = json_string(text);

	return value ? value : json_string("?");
}

static json_t *alert_json(struct daemon *d, const struct alert *a)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "partner", a->stored.partner, "refused",
		(json_int_t)a->stored.refused, "since", (json_int_t)a->stored.first, "last",
		(json_int_t)a->stored.last, "reason", text_or_mark(a->stored.text), "contact",
		contact(d, a->stored.partner));
}

static void deliver(struct daemon *d, const struct alert *a, const char *what)
{
	json_t *told = alert_json(d, a);

	json_object_set_new(told, "alert", json_string(what));
	json_object_set_new(told, "hostname", json_string(d->config->hostname));
	log_line(LOG_LEVEL_WARNING, "alert %s: partner %s, %" PRIu64 " messages refused: %s", what,
		a->stored.partner, a->stored.refused, a->stored.text);
	if (d->config->alerts.command != NULL)
		alert_runner_add(d->alerts->runner, told);
	else
		json_decref(told);
}

static void load(struct daemon *d, uint64_t now)
{
	struct report_alert stored;
	uint32_t last = 0;

	d->alerts->loaded = true;
	while (report_alert_next(d->report, last, &stored) == 0) {
		struct alert *a = find(d->alerts, stored.partner_id, true);

		if (a == NULL)
			return;
		/* With what came in since the start, if something did. */
		stored.refused += a->stored.refused;
		if (a->stored.last > stored.last)
			stored.last = a->stored.last;
		a->stored = stored;
		a->raised = true;
		if (a->last_ms == 0)
			a->last_ms = now;
		last = stored.partner_id;
	}
}

/* May drop it. */
static void step(struct daemon *d, struct alert *a, uint64_t now)
{
	const struct config_alerts *c = &d->config->alerts;

	if (!a->raised && a->stored.refused >= c->after) {
		a->raised = true;
		deliver(d, a, "raised");
	} else if (a->raised && now - a->last_ms >= c->clear_after_ms) {
		deliver(d, a, "cleared");
		report_alert_delete(d->report, a->stored.partner_id);
		drop(d->alerts, a);
		return;
	} else if (!a->raised && now - a->last_ms > WINDOW_MS) {
		drop(d->alerts, a);
		return;
	}
	if (a->raised && a->changed) {
		report_alert_put(d->report, &a->stored);
		a->changed = false;
	}
}

void alerts_tick(struct daemon *d)
{
	const struct config_alerts *c = &d->config->alerts;
	uint64_t now = daemon_mono_ms(d);
	struct alert *a, *next;

	if (!d->alerts->loaded)
		load(d, now);
	for (int i = 0; i < BUCKETS; i++) {
		for (a = LIST_FIRST(&d->alerts->buckets[i]); a != NULL; a = next) {
			next = LIST_NEXT(a, link);
			step(d, a, now);
		}
	}
	alert_runner_tick(d->alerts->runner, c->command, c->timeout_ms, now);
}

void alerts_command(void *daemon, struct api_request *r, const json_t *args)
{
	struct daemon *d = daemon;
	json_t *list = json_array();
	struct alert *a;

	for (int i = 0; i < BUCKETS; i++) {
		LIST_FOREACH (a, &d->alerts->buckets[i], link) {
			if (a->raised)
				json_array_append_new(list, alert_json(d, a));
		}
	}
	api_reply(r, json_pack("{s:o, s:o}", "alerts", list, "command",
			     alert_runner_json(d->alerts->runner)));
}
