/* SPDX-License-Identifier: BSD-3-Clause */
/* `report coverage`, `report would-break`, `report suggest`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/daemon/daemon_private.h"
#include "control/daemon/report_private.h"
#include "control/daemon/value.h"

#define DAY         86400
#define SINCE       "30d"
#define SUGGEST_MIN 10

/* "7d", "12h" back from now, or "2026-11-01". False: answered. */
static bool arg_since(struct daemon *d, struct api_request *r, const json_t *args, int64_t *out)
{
	const char *text = json_string_value(json_object_get(args, "since"));
	struct tm tm = {0};
	char err[256];
	uint64_t ms;

	if (text == NULL)
		text = SINCE;
	if (strlen(text) == 10 &&
		sscanf(text, "%4d-%2d-%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) == 3) {
		tm.tm_year -= 1900;
		tm.tm_mon--;
		*out = timegm(&tm) / DAY;
		return true;
	}
	if (value_time(text, 1000, (uint64_t)REPORT_KEEP_DAYS * DAY * 1000, &ms, err,
		    sizeof(err)) == 0) {
		*out = (daemon_wall(d) - (int64_t)(ms / 1000)) / DAY;
		return true;
	}
	api_reply_error(r, "bad_request",
		"%s is not a time back from now (7d) or a day (2026-11-01)", value_quote(text));
	return false;
}

/* Rows as objects, keyed by the columns' names. */
static json_t *rows(struct report *r, const char *sql, int64_t since, const char *partner)
{
	json_t *list = json_array();
	sqlite3_stmt *st;
	int step;

	if (sqlite3_prepare_v2(r->db, sql, -1, &st, NULL) != SQLITE_OK) {
		json_decref(list);
		return NULL;
	}
	sqlite3_bind_int64(st, 1, since);
	if (partner != NULL)
		sqlite3_bind_text(st, 2, partner, -1, SQLITE_STATIC);
	while ((step = sqlite3_step(st)) == SQLITE_ROW) {
		json_t *o = json_object();

		for (int i = 0; i < sqlite3_column_count(st); i++)
			json_object_set_new(o, sqlite3_column_name(st, i),
				sqlite3_column_type(st, i) == SQLITE_INTEGER
					? json_integer(sqlite3_column_int64(st, i))
					: json_string((const char *)sqlite3_column_text(st, i)));
		json_array_append_new(list, o);
	}
	sqlite3_finalize(st);
	if (step == SQLITE_DONE)
		return list;
	json_decref(list);
	return NULL;
}

static void reply(struct daemon *d, struct api_request *r, json_t *result, int64_t since)
{
	const char *key;
	json_t *value;

	json_object_foreach(result, key, value)
	{
		if (json_is_null(value)) {
			api_reply_error(
				r, "internal", "reports: %s", sqlite3_errmsg(d->report->db));
			json_decref(result);
			return;
		}
	}
	json_object_set_new(result, "since", json_integer(since * DAY));
	if (d->report->lost > 0)
		json_object_set_new(result, "lost", json_integer((json_int_t)d->report->lost));
	api_reply(r, result);
}

static json_t *or_null(json_t *list)
{
	return list ? list : json_null();
}

void report_coverage(void *daemon, struct api_request *r, const json_t *args)
{
	struct daemon *d = daemon;
	const char *partner = json_string_value(json_object_get(args, "partner"));
	int64_t since;

	if (!arg_since(d, r, args, &since))
		return;
	report_flush(d->report, daemon_wall(d));
	reply(d, r,
		json_pack("{s:o, s:o}", "partners",
			or_null(rows(d->report,
				"SELECT partner, direction, sum(messages) AS messages,"
				" sum(iif(outcome = 'delivered', messages, 0)) AS delivered,"
				" sum(iif(outcome = 'delivered' AND version != '', messages, 0))"
				" AS encrypted,"
				" sum(iif(outcome = 'delivered' AND version = '', messages, 0))"
				" AS plain,"
				" sum(iif(outcome = 'policy', messages, 0)) AS policy,"
				" sum(suspended) AS suspended FROM mail WHERE day >= ?1"
				" AND (?2 IS NULL OR partner = ?2 COLLATE NOCASE)"
				" GROUP BY partner, direction"
				" ORDER BY sum(messages) DESC, partner LIMIT 1000",
				since, partner)),
			"suites",
			or_null(rows(d->report,
				"SELECT direction, version, cipher, sum(messages) AS messages"
				" FROM mail WHERE day >= ?1 AND outcome = 'delivered'"
				" AND (?2 IS NULL OR partner = ?2 COLLATE NOCASE)"
				" GROUP BY direction, version, cipher"
				" ORDER BY direction, sum(messages) DESC LIMIT 1000",
				since, partner))),
		since);
}

void report_would_break(void *daemon, struct api_request *r, const json_t *args)
{
	struct daemon *d = daemon;
	const char *level = json_string_value(json_object_get(args, "level"));
	int64_t since;

	if (level == NULL || strcmp(level, "encrypt") != 0) {
		api_reply_error(r, "bad_request",
			"%s: what would break can be told of the level encrypt",
			level ? value_quote(level) : "no level");
		return;
	}
	if (!arg_since(d, r, args, &since))
		return;
	report_flush(d->report, daemon_wall(d));
	reply(d, r,
		json_pack("{s:s, s:o, s:o}", "level", level, "partners",
			or_null(rows(d->report,
				"SELECT partner, sum(iif(version = '', messages, 0)) AS plain,"
				" sum(messages) AS messages, max(iif(version = '', day, 0))"
				" * 86400 AS last FROM mail"
				" WHERE day >= ?1 AND direction = 'inbound' AND partner != ''"
				" AND outcome = 'delivered' GROUP BY partner HAVING plain > 0"
				" ORDER BY plain DESC, partner LIMIT 1000",
				since, NULL)),
			"strangers",
			or_null(rows(d->report,
				"SELECT domain, sum(plain) AS plain,"
				" sum(plain + encrypted) AS messages,"
				" max(iif(plain > 0, day, 0)) * 86400 AS last FROM sender"
				" WHERE day >= ?1 GROUP BY domain HAVING sum(plain) > 0"
				" ORDER BY sum(plain) DESC, domain LIMIT 1000",
				since, NULL))),
		since);
}

/* Partners below encrypt whose mail was encrypted all the same. */
void report_suggest(void *daemon, struct api_request *r, const json_t *args)
{
	struct daemon *d = daemon;
	json_t *all, *list = json_array(), *o;
	int64_t since, min = SUGGEST_MIN;
	size_t i;

	if (!arg_since(d, r, args, &since) ||
		!command_arg_number(r, args, "min", 1000000000, &min)) {
		json_decref(list);
		return;
	}
	report_flush(d->report, daemon_wall(d));
	all = rows(d->report,
		"SELECT partner, sum(messages) AS messages FROM mail"
		" WHERE day >= ?1 AND direction = 'inbound' AND partner NOT IN ('', '(others)')"
		" AND outcome = 'delivered' GROUP BY partner"
		" HAVING sum(iif(version = '', messages, 0)) = 0"
		" ORDER BY sum(messages) DESC, partner LIMIT 1000",
		since, NULL);
	json_array_foreach(all, i, o)
	{
		const char *name = json_string_value(json_object_get(o, "partner"));
		struct partner p;

		if (json_integer_value(json_object_get(o, "messages")) < min ||
			store_partner_get(d->params.store, name, &p) < 0)
			continue;
		if (p.inbound < CONFIG_LEVEL_ENCRYPT) {
			json_object_update_new(o, json_pack("{s:s, s:s, s:s}", "inbound",
							  config_level_name(p.inbound), "to",
							  "encrypt", "contact", p.contact));
			json_array_append(list, o);
		}
		partner_release(&p);
	}
	if (all == NULL) {
		json_decref(list);
		list = json_null();
	}
	json_decref(all);
	reply(d, r, json_pack("{s:o}", "suggestions", list), since);
}
