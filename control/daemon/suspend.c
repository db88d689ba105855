/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Suspensions: one named part of one partner's policy is lifted for a time, the stored partner
 * stays as it is. The end is a second of the wall clock, which the store keeps and the dataplane
 * gets with the partner, so that enforcement returns whoever is dead then. While we live the
 * granted time also runs on the monotonic clock, so that a wall clock set back lengthens nothing:
 * what comes first ends it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/change_private.h"
#include "control/daemon/log.h"
#include "control/daemon/suspend.h"
#include "control/daemon/value.h"

#define DURATION_MIN_MS 1000
#define DURATION_MAX_MS (30ull * 86400 * 1000)
#define TEXT_MAX        256
#define RETRY_MS        10000

static const char *const scopes[] = {"inbound", "outbound", "dane", "sts", "certificate"};

/* When those in force end by the monotonic clock. */
struct suspend_deadline {
	uint32_t partner;
	uint64_t ms;
};

struct suspend {
	struct suspend_deadline *deadlines;
	size_t count;
	bool known;          /* taken from the store once */
	uint64_t not_before; /* the end was refused: not at every tick again */
};

static void forget(struct suspend *s, uint32_t partner)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->deadlines[i].partner == partner)
			s->deadlines[i--] = s->deadlines[--s->count];
}

/* Without memory the wall clock alone ends it. */
static void remember(struct suspend *s, uint32_t partner, uint64_t ms)
{
	struct suspend_deadline *list;

	forget(s, partner);
	list = reallocarray(s->deadlines, s->count + 1, sizeof(*list));
	if (list == NULL)
		return;
	s->deadlines = list;
	list[s->count++] = (struct suspend_deadline){partner, ms};
}

struct suspend *suspend_create(void)
{
	return calloc(1, sizeof(struct suspend));
}

void suspend_destroy(struct suspend *s)
{
	if (s == NULL)
		return;
	free(s->deadlines);
	free(s);
}

static json_t *suspension_json(const struct store_suspension *v)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "scope", v->scope, "reason", v->reason,
		"ticket", v->ticket, "owner", v->owner, "created", (json_int_t)v->created,
		"expires", (json_int_t)v->expires);
}

static const char *arg_text(const json_t *args, const char *key)
{
	const char *text = json_string_value(json_object_get(args, key));

	return text ? text : "";
}

static void suspended(struct change *c)
{
	uint64_t now = daemon_mono_ms(c->daemon);
	int64_t left = c->partner.suspended_until - daemon_wall(c->daemon);

	remember(c->daemon->suspend, c->partner.id, now + (left > 0 ? (uint64_t)left * 1000 : 0));
	json_object_set_new(c->told, "expires", json_integer(c->partner.suspended_until));
}

static void start_suspend(struct change *c)
{
	struct daemon *d = c->daemon;
	struct store_suspension v = {
		.scope = arg_text(c->args, "scope"),
		.reason = arg_text(c->args, "reason"),
		.ticket = arg_text(c->args, "ticket"),
		.owner = change_who(c),
		.created = daemon_wall(d),
	};
	char err[320];
	json_t *after;
	uint64_t ms;
	int rc = change_open_partner(c);

	if (rc == -ENOENT)
		change_fail(c, "not_found", "no such partner");
	if (rc < 0)
		return;
	if (strcmp(v.scope, "inbound") != 0) {
		snprintf(err, sizeof(err), "partner %s has no %s policy that could be suspended",
			c->partner.name, v.scope);
		change_fail(c, "invalid", err);
		return;
	}
	if (c->partner.inbound <= CONFIG_LEVEL_MAY) {
		snprintf(err, sizeof(err),
			"partner %s has the inbound level %s: there is nothing to lift",
			c->partner.name, config_level_name(c->partner.inbound));
		change_fail(c, "invalid", err);
		return;
	}
	if (value_time(arg_text(c->args, "for"), DURATION_MIN_MS, DURATION_MAX_MS, &ms, err,
		    sizeof(err)) < 0) {
		change_fail(c, "invalid", err);
		return;
	}
	c->action = c->partner.suspended_until > v.created ? "suspended anew" : "suspended";
	v.expires = v.created + (int64_t)((ms + 999) / 1000);
	rc = store_suspension_put(d->params.store, c->partner.id, &v);
	if (rc < 0) {
		change_fail(c, "internal", store_error(d->params.store));
		return;
	}
	c->partner.suspended_until = v.expires;
	c->told = json_object();
	c->done = suspended;
	after = suspension_json(&v);
	change_finish_partner(c, "suspend", NULL, after, false);
	json_decref(after);
}

static void resumed(struct change *c)
{
	forget(c->daemon->suspend, c->partner.id);
	c->daemon->suspend->not_before = 0;
}

/* By an operator, or (no request) because its time is over. */
static void start_resume(struct change *c)
{
	struct daemon *d = c->daemon;
	struct store *store = d->params.store;
	int rc;

	/* If the dataplane refuses the end it comes again; it heeds the suspension no more then. */
	if (c->request == NULL)
		d->suspend->not_before = daemon_mono_ms(d) + RETRY_MS;
	rc = change_open_partner(c);
	if (rc == -ENOENT)
		change_fail(c, "not_found", "no such partner");
	if (rc < 0)
		return;
	rc = store_suspension_delete(store, c->partner.id, "inbound");
	if (rc < 0) {
		change_fail(c, rc == -ENOENT ? "not_found" : "internal", store_error(store));
		return;
	}
	c->partner.suspended_until = 0;
	c->done = resumed;
	change_finish_partner(c, c->request ? "resume" : "suspension expired", NULL, NULL, false);
}

static const char *arg_partner(struct api_request *r, const json_t *args)
{
	const char *name = json_string_value(json_object_get(args, "name"));

	if (name == NULL)
		api_reply_error(r, "bad_request", "name must be a string");
	return name;
}

static bool arg_required(struct api_request *r, const json_t *args, const char *key)
{
	const char *text = json_string_value(json_object_get(args, key));

	if (text != NULL && *text != '\0' && strlen(text) <= TEXT_MAX)
		return true;
	api_reply_error(r, "bad_request",
		text && *text ? "%s is longer than 256 octets" : "a suspension needs --%s", key);
	return false;
}

void suspend_command(void *daemon, struct api_request *r, const json_t *args)
{
	const char *name = arg_partner(r, args), *scope;
	struct change *c;
	size_t i, n = sizeof(scopes) / sizeof(scopes[0]);

	if (name == NULL || !arg_required(r, args, "scope") || !arg_required(r, args, "for") ||
		!arg_required(r, args, "reason"))
		return;
	scope = json_string_value(json_object_get(args, "scope"));
	for (i = 0; i < n && strcmp(scopes[i], scope) != 0; i++)
		;
	if (i == n) {
		api_reply_error(r, "bad_request",
			"%s is not a scope (inbound, outbound, dane, sts, certificate)",
			value_quote(scope));
		return;
	}
	if (strlen(arg_text(args, "ticket")) > TEXT_MAX) {
		api_reply_error(r, "bad_request", "ticket is longer than 256 octets");
		return;
	}
	c = change_new(daemon, CHANGE_POLICY, start_suspend, r, name, args);
	if (c != NULL)
		change_add(c);
}

void resume_command(void *daemon, struct api_request *r, const json_t *args)
{
	const char *name = arg_partner(r, args);
	struct change *c =
		name ? change_new(daemon, CHANGE_POLICY, start_resume, r, name, args) : NULL;

	if (c == NULL)
		return;
	c->action = "resumed";
	change_add(c);
}

void suspensions_command(void *daemon, struct api_request *r, const json_t *args)
{
	struct daemon *d = daemon;
	int64_t now = daemon_wall(d);
	json_t *list, *o;
	size_t i;

	if (store_suspensions(d->params.store, &list) < 0) {
		api_reply_error(r, "internal", "%s", store_error(d->params.store));
		return;
	}
	json_array_foreach(list, i, o)
	{
		int64_t left = json_integer_value(json_object_get(o, "expires")) - now;

		json_object_set_new(o, "left", json_integer(left > 0 ? left : 0));
	}
	api_reply(r, json_pack("{s:o}", "suspensions", list));
}

static const struct suspend_deadline *deadline(const struct suspend *s, uint32_t partner)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->deadlines[i].partner == partner)
			return &s->deadlines[i];
	return NULL;
}

static bool due(
	const struct suspend *s, uint32_t partner, int64_t expires, int64_t wall, uint64_t mono)
{
	const struct suspend_deadline *d = deadline(s, partner);

	return wall >= expires || (d != NULL && mono >= d->ms);
}

void suspend_tick(struct daemon *d)
{
	int64_t wall = daemon_wall(d);
	uint64_t mono = daemon_mono_ms(d);
	struct suspend *s = d->suspend;
	struct change *c;
	json_t *list, *o;
	size_t i;

	/* In the middle of a change the store shows what may never be. */
	if (d->current != NULL || mono < s->not_before)
		return;
	if (store_suspensions(d->params.store, &list) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", store_error(d->params.store));
		s->not_before = mono + RETRY_MS;
		return;
	}
	json_array_foreach(list, i, o)
	{
		uint32_t id = (uint32_t)json_integer_value(json_object_get(o, "id"));
		int64_t expires = json_integer_value(json_object_get(o, "expires"));
		const char *name = json_string_value(json_object_get(o, "partner"));

		/* Of the time before a restart. */
		if (!s->known && deadline(s, id) == NULL)
			remember(s, id,
				mono + (expires > wall ? (uint64_t)(expires - wall) * 1000 : 0));
		if (!due(s, id, expires, wall, mono))
			continue;
		c = change_new(d, CHANGE_POLICY, start_resume, NULL, name, NULL);
		if (c == NULL)
			break;
		c->action = "is enforced again: its suspension expired,";
		change_add(c);
	}
	s->known = true;
	json_decref(list);
}
