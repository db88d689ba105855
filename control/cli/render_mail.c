/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions, connections, next hops, partners, events. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/render.h"
#include "control/cli/table.h"

static const char *endpoint(const json_t *o, const char *address, const char *port, char out[80])
{
	const char *text = render_text(o, address);

	snprintf(out, 80, strchr(text, ':') ? "[%.50s]:%d" : "%.50s:%d", text,
		(int)render_int(o, port));
	return out;
}

static void render_tcp(const json_t *list, FILE *out)
{
	struct table *t = table_create("LOCAL|REMOTE|STATE|>RTT MS|>CWND|>IN FLIGHT|>RETRANSMITTED|"
				       ">RECEIVED|>SENT|>WORKER");
	char text[80], number[TABLE_NUMBER_MAX];
	json_t *c;
	size_t i;

	if (t == NULL)
		return;
	json_array_foreach(list, i, c)
	{
		table_cell(t, "%s", endpoint(c, "local", "local_port", text));
		table_cell(t, "%s", endpoint(c, "remote", "remote_port", text));
		table_cell(t, "%s", render_text(c, "state"));
		table_cell(t, "%.1f", (double)render_int(c, "rtt_us") / 1000);
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(c, "cwnd"));
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(c, "in_flight"));
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(c, "retransmits"));
		table_cell(t, "%s", table_bytes((uint64_t)render_int(c, "bytes_received"), number));
		table_cell(t, "%s", table_bytes((uint64_t)render_int(c, "bytes_sent"), number));
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(c, "worker"));
	}
	table_print(t, false, out);
	table_destroy(t);
}

void render_sessions(const json_t *result, FILE *out)
{
	struct table *t;
	char text[80], number[TABLE_NUMBER_MAX];
	json_t *s;
	size_t i;

	if (json_object_get(result, "tcp") != NULL) {
		render_tcp(json_object_get(result, "tcp"), out);
		goto more;
	}
	t = table_create(
		"SESSION|CLIENT|PARTNER|TLS|STATE|UPSTREAM|NEXT HOP|>MESSAGES|>IN|>OUT|>AGE");
	if (t == NULL)
		return;
	json_array_foreach(json_object_get(result, "sessions"), i, s)
	{
		table_cell(t, "%s", render_text(s, "id"));
		table_cell(t, "%s", endpoint(s, "client", "client_port", text));
		table_cell(t, "%s", render_text(s, "partner"));
		table_cell(t, "%s", render_text(s, "client_version"));
		table_cell(t, "%s", render_text(s, "state"));
		table_cell(t, "%s%s", render_text(s, "upstream_state"),
			json_is_true(json_object_get(s, "upstream_tls")) ? " (TLS)" : "");
		table_cell(t, "%s", render_text(s, "next_hop"));
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(s, "messages"));
		table_cell(t, "%s", table_bytes((uint64_t)render_int(s, "bytes_in"), number));
		table_cell(t, "%s", table_bytes((uint64_t)render_int(s, "bytes_out"), number));
		table_cell(t, "%s", table_duration((uint64_t)render_int(s, "age"), number));
	}
	table_print(t, false, out);
	table_destroy(t);
more:
	if (json_is_true(json_object_get(result, "more")))
		fputs("(there are more: --limit N)\n", out);
}

static const char *joined(const json_t *list, char *out, size_t size)
{
	size_t i, len = 0;
	json_t *entry;

	out[0] = '\0';
	json_array_foreach(list, i, entry)
	{
		len += (size_t)snprintf(
			out + len, size - len, "%s%s", i ? " " : "", json_string_value(entry));
		if (len >= size)
			break;
	}
	return out;
}

void render_next_hops(const json_t *result, FILE *out)
{
	struct table *t =
		table_create("NAME|SIDE|ADDRESS|>PRIORITY|LEVEL|STATE|TLS|>ACTIVE|>IDLE|EXTENSIONS|"
			     "ERROR");
	char text[80], list[256];
	json_t *h;
	size_t i;

	if (t == NULL)
		return;
	json_array_foreach(json_object_get(result, "next_hops"), i, h)
	{
		table_cell(t, "%s", render_text(h, "name"));
		table_cell(t, "%s", render_text(h, "side"));
		table_cell(t, "%s", endpoint(h, "address", "port", text));
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(h, "priority"));
		table_cell(t, "%s", render_text(h, "level"));
		table_cell(t, "%s", render_text(h, "state"));
		table_cell(t, "%s",
			render_int(h, "checked") == 0                  ? ""
			: json_is_true(json_object_get(h, "verified")) ? "verified"
			: json_is_true(json_object_get(h, "tls"))      ? "yes"
								       : "no");
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(h, "active"));
		table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(h, "idle"));
		table_cell(t, "%s", joined(json_object_get(h, "extensions"), list, sizeof(list)));
		table_cell(t, "%s", render_text(h, "error"));
	}
	table_print(t, false, out);
	table_destroy(t);
}

const char *render_time(json_int_t t, char out[RENDER_TIME_MAX])
{
	time_t seconds = (time_t)t;
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(out, RENDER_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm);
	return out;
}

void render_partner(const json_t *result, FILE *out)
{
	struct table *t = table_create("|");
	char text[32];
	static const char *const lists[] = {"domain", "address"};
	json_t *entry;
	size_t i;

	if (t == NULL)
		return;
	table_cell(t, "name");
	table_cell(t, "%s", render_text(result, "name"));
	for (int n = 0; n < 2; n++)
		json_array_foreach(json_object_get(result, lists[n]), i, entry)
		{
			table_cell(t, "%s", lists[n]);
			table_cell(t, "%s", json_string_value(entry));
		}
	table_cell(t, "inbound");
	table_cell(t, "%s", render_text(result, "inbound"));
	table_cell(t, "contact");
	table_cell(t, "%s", render_text(result, "contact"));
	table_cell(t, "notes");
	table_cell(t, "%s", render_text(result, "notes"));
	render_time(render_int(result, "created"), text);
	table_cell(t, "created");
	table_cell(t, "%s", text);
	render_time(render_int(result, "changed"), text);
	table_cell(t, "changed");
	table_cell(t, "%s", text);
	table_print(t, true, out);
	table_destroy(t);
}

/* The first few of a list and how many more: "a b (+3)". */
static const char *some(const json_t *list, char *out, size_t size)
{
	size_t n = json_array_size(list), len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n && len < size; i++) {
		const char *entry = json_string_value(json_array_get(list, i));

		if (i > 0 && len + strlen(entry) > 40) {
			snprintf(out + len, size - len, " (+%zu)", n - i);
			break;
		}
		len += (size_t)snprintf(out + len, size - len, "%s%s", i ? " " : "", entry);
	}
	return out;
}

void render_partners(const json_t *result, FILE *out)
{
	struct table *t = table_create("NAME|INBOUND|DOMAINS|ADDRESSES|CONTACT");
	char text[400];
	json_t *p;
	size_t i;

	if (t == NULL)
		return;
	json_array_foreach(json_object_get(result, "partners"), i, p)
	{
		table_cell(t, "%s", render_text(p, "name"));
		table_cell(t, "%s", render_text(p, "inbound"));
		table_cell(t, "%s", some(json_object_get(p, "domain"), text, sizeof(text)));
		table_cell(t, "%s", some(json_object_get(p, "address"), text, sizeof(text)));
		table_cell(t, "%s", render_text(p, "contact"));
	}
	table_print(t, false, out);
	table_destroy(t);
}

void render_generation(const json_t *result, FILE *out)
{
	if (json_is_true(json_object_get(result, "pushed")))
		fprintf(out, "generation %" JSON_INTEGER_FORMAT " is committed\n",
			render_int(result, "generation"));
	else
		fputs("stored; the dataplane gets it as soon as it can be reached\n", out);
}

void render_partner_changed(const json_t *result, FILE *out)
{
	/* Staged only. */
	if (json_object_get(result, "changes") != NULL) {
		render_changes(result, out);
		return;
	}
	fprintf(out, "partner %s %s; ", render_text(result, "name"), render_text(result, "action"));
	if (json_is_false(json_object_get(result, "changed")))
		fputs("nothing to commit\n", out);
	else
		render_generation(result, out);
}

void render_reload(const json_t *result, FILE *out)
{
	json_t *warning;
	size_t i;

	fprintf(out, "%s is read; ", render_text(result, "config"));
	render_generation(result, out);
	json_array_foreach(json_object_get(result, "warnings"), i, warning)
		fprintf(out, "warning: %s\n", json_string_value(warning));
}

void render_events(const json_t *result, FILE *out)
{
	json_t *e;
	char text[32];
	size_t i;

	json_array_foreach(json_object_get(result, "events"), i, e)
	{
		render_time((json_int_t)json_number_value(json_object_get(e, "time")), text);
		fprintf(out, "%s ", text);
		for (const char *c = render_text(e, "line"); *c != '\0'; c++)
			fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, out);
		fputc('\n', out);
	}
	if (render_int(result, "dropped") > 0)
		fprintf(out,
			"(%" JSON_INTEGER_FORMAT
			" events were left out: this terminal is too slow)\n",
			render_int(result, "dropped"));
}
