/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes that are staged, committed, undone; suspensions. */
#include "control/cli/render.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/table.h"

#define COMPARED_MAX 1000000

/* Control characters never reach the terminal. */
static void put(const char *text, FILE *out)
{
	for (; *text != '\0'; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

static bool has(const json_t *list, const json_t *entry)
{
	json_t *e;
	size_t i;

	json_array_foreach(list, i, e)
	{
		if (json_equal(e, entry))
			return true;
	}
	return false;
}

/* What is in `list` and not in `other`, a line each; of very long lists the first few. */
static void put_entries(
	char sign, const char *key, const json_t *list, const json_t *other, FILE *out)
{
	size_t i, shown = 0, left = 0;
	json_t *e;

	/* Each with each would take too long: the numbers say it. */
	if (json_array_size(list) * json_array_size(other) > COMPARED_MAX) {
		fprintf(out, "    %c %s: %zu entries\n", sign, key, json_array_size(list));
		return;
	}
	json_array_foreach(list, i, e)
	{
		if (has(other, e))
			continue;
		if (shown++ >= 20) {
			left++;
			continue;
		}
		fprintf(out, "    %c %s=", sign, key);
		put(json_is_string(e) ? json_string_value(e) : "?", out);
		fputc('\n', out);
	}
	if (left > 0)
		fprintf(out, "    %c and %zu more of %s\n", sign, left, key);
}

static void put_value(char sign, const char *key, const json_t *value, FILE *out)
{
	char *text = NULL;

	if (value == NULL || json_is_null(value))
		return;
	if (json_is_string(value) && *json_string_value(value) == '\0')
		return;
	fprintf(out, "    %c %s=", sign, key);
	if (!json_is_string(value))
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	put(json_is_string(value) ? json_string_value(value) : text ? text : "?", out);
	fputc('\n', out);
	free(text);
}

static void put_change(const json_t *change, FILE *out)
{
	const char *action = render_text(change, "action"), *key;
	json_t *pair;

	fprintf(out, "%c partner ",
		strcmp(action, "create") == 0   ? '+'
		: strcmp(action, "delete") == 0 ? '-'
						: '~');
	put(render_text(change, "partner"), out);
	fputc('\n', out);
	if (strcmp(action, "delete") == 0)
		return;
	json_object_foreach(json_object_get(change, "fields"), key, pair)
	{
		json_t *old = json_array_get(pair, 0), *new = json_array_get(pair, 1);

		if (json_is_array(old) || json_is_array(new)) {
			put_entries('-', key, old, new, out);
			put_entries('+', key, new, old, out);
		} else {
			put_value('-', key, old, out);
			put_value('+', key, new, out);
		}
	}
}

void render_changes(const json_t *result, FILE *out)
{
	json_int_t all = render_int(result, "created") + render_int(result, "changed") +
			 render_int(result, "deleted");
	char when[RENDER_TIME_MAX];
	json_t *change;
	size_t i;

	json_array_foreach(json_object_get(result, "changes"), i, change) put_change(change, out);
	if (json_is_true(json_object_get(result, "more")))
		fputs("... and more\n", out);
	if (all == 0) {
		fputs("nothing is changed\n", out);
		return;
	}
	fprintf(out,
		"%" JSON_INTEGER_FORMAT " created, %" JSON_INTEGER_FORMAT
		" changed, %" JSON_INTEGER_FORMAT " deleted",
		render_int(result, "created"), render_int(result, "changed"),
		render_int(result, "deleted"));
	if (json_object_get(result, "pushed") == NULL) {
		fputs("; nothing is committed yet\n", out);
		return;
	}
	fputs("; ", out);
	render_generation(result, out);
	if (render_int(result, "confirm_until") > 0)
		fprintf(out, "it is undone at %s unless you run: postgatectl confirm\n",
			render_time(render_int(result, "confirm_until"), when));
}

void render_confirmed(const json_t *result, FILE *out)
{
	fprintf(out, "generation %" JSON_INTEGER_FORMAT " stays\n",
		render_int(result, "generation"));
}

void render_discarded(const json_t *result, FILE *out)
{
	fprintf(out, "%" JSON_INTEGER_FORMAT " staged changes are forgotten\n",
		render_int(result, "discarded"));
}

void render_history(const json_t *result, FILE *out)
{
	struct table *t = table_create("TIME|WHO|WHAT|PARTNER|>GENERATION|UNDONE|WHY");
	char when[RENDER_TIME_MAX];
	json_t *h;
	size_t i;

	if (t == NULL)
		return;
	json_array_foreach(json_object_get(result, "history"), i, h)
	{
		table_cell(t, "%s", render_time(render_int(h, "time"), when));
		table_cell(t, "%s", render_text(h, "who"));
		table_cell(t, "%s", render_text(h, "action"));
		table_cell(t, "%s", render_text(h, "subject"));
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(h, "generation"));
		table_cell(t, "%s", json_is_true(json_object_get(h, "undone")) ? "yes" : "");
		table_cell(t, "%s", render_text(h, "reason"));
	}
	table_print(t, false, out);
	table_destroy(t);
}

void render_suspended(const json_t *result, FILE *out)
{
	char when[RENDER_TIME_MAX];

	render_partner_changed(result, out);
	fprintf(out, "it is enforced again at %s, or by: postgatectl resume %s\n",
		render_time(render_int(result, "expires"), when), render_text(result, "name"));
}

void render_suspensions(const json_t *result, FILE *out)
{
	struct table *t = table_create("PARTNER|SCOPE|LEVEL|>LEFT|UNTIL|OWNER|TICKET|REASON");
	char when[RENDER_TIME_MAX], left[TABLE_NUMBER_MAX];
	json_t *s;
	size_t i;

	if (t == NULL)
		return;
	json_array_foreach(json_object_get(result, "suspensions"), i, s)
	{
		table_cell(t, "%s", render_text(s, "partner"));
		table_cell(t, "%s", render_text(s, "scope"));
		table_cell(t, "%s", render_text(s, "inbound"));
		table_cell(t, "%s", table_duration((uint64_t)render_int(s, "left"), left));
		table_cell(t, "%s", render_time(render_int(s, "expires"), when));
		table_cell(t, "%s", render_text(s, "owner"));
		table_cell(t, "%s", render_text(s, "ticket"));
		table_cell(t, "%s", render_text(s, "reason"));
	}
	table_print(t, false, out);
	table_destroy(t);
}
