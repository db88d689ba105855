/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands of the API that the daemon answers by itself, and the table of all. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/daemon_private.h"
#include "control/daemon/explain.h"

#define LAST_DEFAULT 20

bool command_arg_number(
	struct api_request *r, const json_t *args, const char *key, int64_t max, int64_t *out)
{
	const json_t *value = json_object_get(args, key);

	if (value == NULL)
		return true;
	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*out = json_integer_value(value) < max ? json_integer_value(value) : max;
		return true;
	}
	api_reply_error(r, "bad_request", "%s must be a number", key);
	return false;
}

bool command_arg_flag(struct api_request *r, const json_t *args, const char *key, bool *out)
{
	const json_t *value = json_object_get(args, key);

	if (value == NULL)
		return true;
	if (json_is_boolean(value)) {
		*out = json_is_true(value);
		return true;
	}
	api_reply_error(r, "bad_request", "%s must be true or false", key);
	return false;
}

static const char *arg_name(struct api_request *r, const json_t *args)
{
	const char *name = json_string_value(json_object_get(args, "name"));

	if (name == NULL)
		api_reply_error(r, "bad_request", "name must be a string");
	return name;
}

static void partner_set(void *daemon, struct api_request *r, const json_t *args)
{
	const char *name = arg_name(r, args);
	const json_t *fields = json_object_get(args, "fields");

	if (name == NULL)
		return;
	if (!json_is_object(fields))
		api_reply_error(r, "bad_request", "fields must be an object");
	else if (json_is_true(json_object_get(args, "stage")))
		stage_command(daemon, r, args, false);
	else
		change_partner_set(daemon, r, name, args);
}

static void partner_delete(void *daemon, struct api_request *r, const json_t *args)
{
	const char *name = arg_name(r, args);

	if (name == NULL)
		return;
	if (json_is_true(json_object_get(args, "stage")))
		stage_command(daemon, r, args, true);
	else
		change_partner_delete(daemon, r, name, args);
}

static void partner_show(void *daemon, struct api_request *r, const json_t *args)
{
	struct daemon *d = daemon;
	const char *name = arg_name(r, args);
	struct partner p;
	int rc;

	if (name == NULL)
		return;
	rc = store_partner_get(d->params.store, name, &p);
	if (rc == -ENOENT) {
		api_reply_error(r, "not_found", "no such partner");
	} else if (rc < 0) {
		api_reply_error(r, "internal", "%s", store_error(d->params.store));
	} else {
		api_reply(r, partner_to_json(&p));
		partner_release(&p);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcasecmp(json_string_value(json_object_get(*(json_t *const *)a, "name")),
		json_string_value(json_object_get(*(json_t *const *)b, "name")));
}

static json_t *sorted(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **entries = calloc(n + 1, sizeof(json_t *)), *out;

	if (entries == NULL)
		return list;
	for (size_t i = 0; i < n; i++)
		entries[i] = json_array_get(list, i);
	qsort(entries, n, sizeof(json_t *), by_name);
	out = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append(out, entries[i]);
	free(entries);
	json_decref(list);
	return out;
}

static void partner_list(void *daemon, struct api_request *r, const json_t *args)
{
	struct daemon *d = daemon;
	json_t *list = json_array();
	uint32_t last = 0;
	struct partner p;
	int rc;

	while ((rc = store_partner_next(d->params.store, last, &p)) == 0) {
		json_array_append_new(list, partner_to_json(&p));
		last = p.id;
		partner_release(&p);
	}
	if (rc != -ENOENT) {
		json_decref(list);
		api_reply_error(r, "internal", "%s", store_error(d->params.store));
		return;
	}
	api_reply(r, json_pack("{s:o}", "partners", sorted(list)));
}

static void reload(void *daemon, struct api_request *r, const json_t *args)
{
	change_reload(daemon, r);
}

static void events(void *daemon, struct api_request *r, const json_t *args)
{
	struct daemon *d = daemon;
	int64_t last = LAST_DEFAULT;
	bool follow = false;

	if (!command_arg_number(r, args, "last", 1000000, &last) ||
		!command_arg_flag(r, args, "follow", &follow))
		return;
	if (follow)
		events_follow(d->events, r, (size_t)last);
	else
		api_reply(r, events_last(d->events, (size_t)last));
}

static void resolve(void *daemon, struct api_request *r, const json_t *args)
{
	struct daemon *d = daemon;
	const char *domain = json_string_value(json_object_get(args, "domain"));

	if (domain == NULL)
		api_reply_error(r, "bad_request", "domain must be a string");
	else
		resolver_ask(d->resolver, r, domain);
}

static void history(void *daemon, struct api_request *r, const json_t *args)
{
	struct daemon *d = daemon;
	int64_t limit = LAST_DEFAULT;
	json_t *list;

	if (!command_arg_number(r, args, "limit", 100000, &limit))
		return;
	if (store_history(d->params.store, (unsigned int)limit, &list) < 0)
		api_reply_error(r, "internal", "%s", store_error(d->params.store));
	else
		api_reply(r, json_pack("{s:o}", "history", list));
}

const struct api_command daemon_commands[] = {
	{"status", query_status},
	{"workers", query_workers},
	{"stats", query_stats},
	{"sessions", query_sessions},
	{"next-hops", query_next_hops},
	{"partner-set", partner_set},
	{"partner-show", partner_show},
	{"partner-list", partner_list},
	{"partner-delete", partner_delete},
	{"suspend", suspend_command},
	{"resume", resume_command},
	{"suspensions", suspensions_command},
	{"history", history},
	{"diff", diff_command},
	{"commit", commit_command},
	{"confirm", confirm_command},
	{"discard", discard_command},
	{"undo", undo_command},
	{"report-coverage", report_coverage},
	{"report-would-break", report_would_break},
	{"report-suggest", report_suggest},
	{"explain", explain_command},
	{"alerts", alerts_command},
	{"reload", reload},
	{"events", events},
	{"resolve", resolve},
	{NULL, NULL},
};
