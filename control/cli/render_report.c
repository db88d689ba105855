/* SPDX-License-Identifier: BSD-3-Clause */
/* Reports. */
#include "control/cli/render.h"

#include <time.h>

#include "control/cli/table.h"

static void cell_count(struct table *t, const json_t *o, const char *key)
{
	char n[TABLE_NUMBER_MAX];

	table_cell(t, "%s", table_count((uint64_t)render_int(o, key), n));
}

static void cell_percent(struct table *t, json_int_t part, json_int_t all)
{
	if (all > 0)
		table_cell(t, "%.1f%%", 100.0 * (double)part / (double)all);
	else
		table_cell(t, "%s", "");
}

static void cell_day(struct table *t, const json_t *o, const char *key)
{
	time_t day = (time_t)render_int(o, key);
	char text[16];
	struct tm tm;

	/* Days are UTC's. */
	gmtime_r(&day, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	table_cell(t, "%s", text);
}

static const char *partner_or_strangers(const json_t *o)
{
	const char *name = render_text(o, "partner");

	return *name != '\0' ? name : "(strangers)";
}

static void tell_lost(const json_t *result, FILE *out)
{
	if (render_int(result, "lost") > 0)
		fprintf(out, "(%" JSON_INTEGER_FORMAT " messages could not be counted)\n",
			render_int(result, "lost"));
}

void render_coverage(const json_t *result, FILE *out)
{
	struct table *t = table_create(
		"PARTNER|DIRECTION|>MESSAGES|>DELIVERED|>ENCRYPTED|>%|>PLAIN|>REFUSED|>SUSPENDED");
	json_t *o;
	size_t i;

	if (t == NULL)
		return;
	json_array_foreach(json_object_get(result, "partners"), i, o)
	{
		table_cell(t, "%s", partner_or_strangers(o));
		table_cell(t, "%s", render_text(o, "direction"));
		cell_count(t, o, "messages");
		cell_count(t, o, "delivered");
		cell_count(t, o, "encrypted");
		cell_percent(t, render_int(o, "encrypted"), render_int(o, "delivered"));
		cell_count(t, o, "plain");
		cell_count(t, o, "policy");
		cell_count(t, o, "suspended");
	}
	table_print(t, false, out);
	table_destroy(t);
	t = table_create("DIRECTION|TLS|SUITE|>DELIVERED");
	if (t == NULL)
		return;
	json_array_foreach(json_object_get(result, "suites"), i, o)
	{
		table_cell(t, "%s", render_text(o, "direction"));
		table_cell(
			t, "%s", *render_text(o, "version") ? render_text(o, "version") : "none");
		table_cell(t, "%s", render_text(o, "cipher"));
		cell_count(t, o, "messages");
	}
	fputc('\n', out);
	table_print(t, false, out);
	table_destroy(t);
	tell_lost(result, out);
}

static void would_break(const json_t *list, const char *key, const char *titles, FILE *out)
{
	struct table *t = table_create(titles);
	json_t *o;
	size_t i;

	if (t == NULL)
		return;
	json_array_foreach(list, i, o)
	{
		table_cell(t, "%s", render_text(o, key));
		cell_count(t, o, "plain");
		cell_count(t, o, "messages");
		cell_day(t, o, "last");
	}
	table_print(t, false, out);
	table_destroy(t);
}

void render_would_break(const json_t *result, FILE *out)
{
	would_break(json_object_get(result, "partners"), "partner",
		"PARTNER|>IN THE CLEAR|>OF|LAST", out);
	fputc('\n', out);
	would_break(json_object_get(result, "strangers"), "domain",
		"STRANGERS OF|>IN THE CLEAR|>OF|LAST", out);
	tell_lost(result, out);
}

void render_suggest(const json_t *result, FILE *out)
{
	struct table *t = table_create("PARTNER|NOW|COULD BE|>MESSAGES|CONTACT");
	json_t *o;
	size_t i;

	if (t == NULL)
		return;
	json_array_foreach(json_object_get(result, "suggestions"), i, o)
	{
		table_cell(t, "%s", render_text(o, "partner"));
		table_cell(t, "%s", render_text(o, "inbound"));
		table_cell(t, "%s", render_text(o, "to"));
		cell_count(t, o, "messages");
		table_cell(t, "%s", render_text(o, "contact"));
	}
	table_print(t, false, out);
	table_destroy(t);
	tell_lost(result, out);
}

void render_alerts(const json_t *result, FILE *out)
{
	struct table *t = table_create("PARTNER|>REFUSED|SINCE|LAST|CONTACT|REASON");
	const json_t *command = json_object_get(result, "command");
	char when[RENDER_TIME_MAX];
	json_t *o;
	size_t i;

	if (t == NULL)
		return;
	json_array_foreach(json_object_get(result, "alerts"), i, o)
	{
		table_cell(t, "%s", render_text(o, "partner"));
		cell_count(t, o, "refused");
		table_cell(t, "%s", render_time(render_int(o, "since"), when));
		table_cell(t, "%s", render_time(render_int(o, "last"), when));
		table_cell(t, "%s", render_text(o, "contact"));
		table_cell(t, "%s", render_text(o, "reason"));
	}
	table_print(t, false, out);
	table_destroy(t);
	if (render_int(command, "failed") + render_int(command, "dropped") > 0)
		fprintf(out,
			"(the command failed %" JSON_INTEGER_FORMAT " times, %" JSON_INTEGER_FORMAT
			" alerts were dropped: see the log)\n",
			render_int(command, "failed"), render_int(command, "dropped"));
}
