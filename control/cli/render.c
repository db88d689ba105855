/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes, workers, counters. */
#include "control/cli/render.h"

#include <stdbool.h>
#include <string.h>
#include <stdlib.h>

#include "control/cli/table.h"

const char *render_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

json_int_t render_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void status_daemon(struct table *t, const json_t *d)
{
	char number[TABLE_NUMBER_MAX];
	json_t *warning;
	size_t i;

	table_cell(t, "postgated");
	table_cell(t, "%s", "");
	table_cell(t, "  version");
	table_cell(t, "%s", render_text(d, "version"));
	table_cell(t, "  pid");
	table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(d, "pid"));
	table_cell(t, "  uptime");
	table_cell(t, "%s", table_duration((uint64_t)render_int(d, "uptime"), number));
	table_cell(t, "  configuration");
	table_cell(t, "%s", render_text(d, "config"));
	table_cell(t, "  generation");
	table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(d, "generation"));
	table_cell(t, "  partners");
	table_cell(t,
		"%" JSON_INTEGER_FORMAT " (%" JSON_INTEGER_FORMAT " domains, %" JSON_INTEGER_FORMAT
		" addresses)",
		render_int(d, "partners"), render_int(d, "domains"), render_int(d, "addresses"));
	table_cell(t, "  dataplane");
	table_cell(t, "%s", render_text(d, "dataplane"));
	if (*render_text(d, "refused") != '\0') {
		table_cell(t, "  last push refused");
		table_cell(t, "%s", render_text(d, "refused"));
	}
	json_array_foreach(json_object_get(d, "warnings"), i, warning)
	{
		table_cell(t, "  warning");
		table_cell(t, "%s", json_string_value(warning));
	}
}

static void status_dataplane(struct table *t, const json_t *d)
{
	json_t *workers = json_object_get(d, "workers"), *w;
	char number[TABLE_NUMBER_MAX], text[1024] = "";
	size_t i, len = 0;

	table_cell(t, "postgate-dataplane");
	if (!json_is_true(json_object_get(d, "connected"))) {
		table_cell(t, "cannot be reached");
		return;
	}
	table_cell(t, "%s", "");
	table_cell(t, "  version");
	table_cell(t, "%s", render_text(d, "version"));
	table_cell(t, "  pid");
	table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(d, "pid"));
	table_cell(t, "  uptime");
	table_cell(t, "%s", table_duration((uint64_t)render_int(d, "uptime"), number));
	table_cell(t, "  generation");
	table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(d, "generation"));
	table_cell(t, "  workers");
	json_array_foreach(workers, i, w)
	{
		len += (size_t)snprintf(text + len, sizeof(text) - len,
			"%s%" JSON_INTEGER_FORMAT " at generation %" JSON_INTEGER_FORMAT,
			i ? ", " : "", render_int(w, "index"), render_int(w, "generation"));
		if (len >= sizeof(text))
			break;
	}
	table_cell(t, "%s", text);
}

/* Cells come in pairs; "-" for a heading's value would be noise. */
static void print_pairs(struct table *t, FILE *out)
{
	char *line = NULL;
	size_t size = 0;
	FILE *mem = open_memstream(&line, &size);
	char *rest, *at;

	if (mem == NULL)
		return;
	table_print(t, true, mem);
	fclose(mem);
	for (rest = line; (at = strsep(&rest, "\n")) != NULL && *at != '\0';) {
		size_t len = strlen(at);

		if (at[0] != ' ' && len > 2 && strcmp(at + len - 2, " -") == 0) {
			for (len -= 2; len > 0 && at[len - 1] == ' '; len--)
				;
			fprintf(out, "%.*s\n", (int)len, at);
		} else {
			fprintf(out, "%s\n", at);
		}
	}
	free(line);
}

void render_status(const json_t *result, FILE *out)
{
	struct table *t = table_create("|");

	if (t == NULL)
		return;
	status_daemon(t, json_object_get(result, "daemon"));
	status_dataplane(t, json_object_get(result, "dataplane"));
	print_pairs(t, out);
	table_destroy(t);
}

/* "12/4096": in use of what there is. */
static void cell_pool(struct table *t, const json_t *pool)
{
	table_cell(t, "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT, render_int(pool, "used"),
		render_int(pool, "size"));
}

void render_workers(const json_t *result, FILE *out)
{
	json_t *workers = json_object_get(result, "workers"), *w, *pool;
	char titles[512], number[TABLE_NUMBER_MAX];
	struct table *t;
	const char *name;
	size_t i, len;

	/* The pools are the columns that follow: which there are is the dataplane's to say. */
	len = (size_t)snprintf(
		titles, sizeof(titles), ">WORKER|>LCORE|>GENERATION|>BUSY|>MESSAGES");
	json_object_foreach(json_object_get(json_array_get(workers, 0), "pools"), name, pool)
	{
		len += (size_t)snprintf(titles + len, sizeof(titles) - len, "|>");
		for (const char *c = name; *c != '\0' && len + 1 < sizeof(titles); c++)
			titles[len++] = *c == '_'                ? '-'
					: *c >= 'a' && *c <= 'z' ? (char)(*c - 32)
								 : *c;
		titles[len] = '\0';
	}
	t = table_create(titles);
	if (t == NULL)
		return;
	json_array_foreach(workers, i, w)
	{
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(w, "index"));
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(w, "lcore"));
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(w, "generation"));
		table_cell(t, "%.1f%%", json_number_value(json_object_get(w, "busy_percent")));
		table_cell(t, "%s", table_count((uint64_t)render_int(w, "messages"), number));
		json_object_foreach(json_object_get(w, "pools"), name, pool) cell_pool(t, pool);
	}
	table_print(t, false, out);
	table_destroy(t);
}

void render_stats(const json_t *result, FILE *out)
{
	json_t *counters = json_object_get(result, "counters"), *c, *value;
	size_t i, j, workers = 0;
	char titles[256] = "COUNTER|>TOTAL";
	struct table *t;

	/* One column a worker where they were asked for, and as many as a terminal can take. */
	workers = json_array_size(json_object_get(json_array_get(counters, 0), "workers"));
	if (workers > 12)
		workers = 12;
	for (i = 0; i < workers; i++)
		snprintf(titles + strlen(titles), sizeof(titles) - strlen(titles), "|>WORKER %zu",
			i);
	t = table_create(titles);
	if (t == NULL)
		return;
	json_array_foreach(counters, i, c)
	{
		table_cell(t, "%s", render_text(c, "name"));
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(c, "total"));
		json_array_foreach(json_object_get(c, "workers"), j, value) if (j < workers)
			table_cell(t, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	}
	table_print(t, false, out);
	table_destroy(t);
}
