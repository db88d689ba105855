/* SPDX-License-Identifier: BSD-3-Clause */
/* The way to a domain. */
#include "control/cli/render.h"

#include <string.h>
#include <time.h>

#include "control/cli/table.h"

static const char *yes(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key)) ? "yes" : "no";
}

static const char *with_why(const json_t *o, const char *text, char *out, size_t size)
{
	const char *why = render_text(o, "why");

	snprintf(out, size, "%s%s%s", text, *why != '\0' ? ": " : "", why);
	return out;
}

static void head(const json_t *result, FILE *out)
{
	const json_t *sts = json_object_get(result, "sts");
	struct table *t = table_create("WHAT|VALUE");
	char text[512], number[TABLE_NUMBER_MAX];
	json_int_t left = render_int(result, "expiry") - (json_int_t)time(NULL);

	if (t == NULL)
		return;
	table_cell(t, "domain");
	table_cell(t, "%s", render_text(result, "domain"));
	table_cell(t, "status");
	table_cell(t, "%s", with_why(result, render_text(result, "status"), text, sizeof(text)));
	if (*render_text(result, "code") != '\0') {
		table_cell(t, "reply");
		table_cell(t, "%s", render_text(result, "code"));
	}
	table_cell(t, "MX signed");
	table_cell(t, "%s%s", yes(result, "mx_secure"),
		json_is_true(json_object_get(result, "implicit_mx")) ? " (no MX record)" : "");
	snprintf(text, sizeof(text), "%s (%s)%s%s", render_text(sts, "mode"),
		render_text(sts, "source"), *render_text(sts, "id") != '\0' ? ", id " : "",
		render_text(sts, "id"));
	table_cell(t, "MTA-STS");
	table_cell(t, "%s%s%s", text, *render_text(sts, "why") != '\0' ? ": " : "",
		render_text(sts, "why"));
	table_cell(t, "good for");
	table_cell(t, "%s", table_duration(left > 0 ? (uint64_t)left : 0, number));
	table_print(t, true, out);
	table_destroy(t);
}

static void host_row(struct table *t, const json_t *result, const json_t *h)
{
	const json_t *stranger = json_object_get(h, "stranger"), *a;
	bool policy = strcmp(render_text(json_object_get(result, "sts"), "mode"), "none") != 0;
	const char *level = render_text(stranger, "level");
	char list[256] = "";
	size_t i, len = 0;

	json_array_foreach(json_object_get(h, "addresses"), i, a)
	{
		int n = snprintf(list + len, sizeof(list) - len, "%s%s", i > 0 ? " " : "",
			json_string_value(a));

		if (n < 0 || (size_t)n >= sizeof(list) - len)
			break;
		len += (size_t)n;
	}
	table_cell(t, "%" JSON_INTEGER_FORMAT, render_int(h, "preference"));
	table_cell(t, "%s", render_text(h, "name"));
	table_cell(t, "%s", render_text(h, "status"));
	table_cell(t, "%s", yes(h, "secure"));
	table_cell(t, "%s", render_text(h, "dane"));
	table_cell(t, "%s", policy ? yes(h, "sts_match") : "");
	if (*level != '\0')
		table_cell(t, "%s (%s)", level, render_text(stranger, "rule"));
	else if (stranger != NULL)
		table_cell(t, "%s (%s)", render_text(stranger, "action"),
			render_text(stranger, "rule"));
	else
		table_cell(t, "%s", "");
	table_cell(t, "%s", list[0] != '\0' ? list : render_text(h, "why"));
}

static void tlsa(const json_t *hosts, FILE *out)
{
	struct table *t = table_create("TLSA OF|RECORD");
	json_t *h, *record;
	size_t i, j;

	if (t == NULL)
		return;
	json_array_foreach(hosts, i, h)
	{
		json_array_foreach(json_object_get(h, "tlsa"), j, record)
		{
			table_cell(t, "%s", render_text(h, "tlsa_base"));
			table_cell(t, "%s", json_string_value(record));
		}
	}
	if (table_rows(t) > 0) {
		fputc('\n', out);
		table_print(t, false, out);
	}
	table_destroy(t);
}

void render_resolve(const json_t *result, FILE *out)
{
	const json_t *hosts = json_object_get(result, "hosts");
	struct table *t;
	json_t *h;
	size_t i;

	head(result, out);
	if (json_array_size(hosts) == 0)
		return;
	t = table_create(">PREF|HOST|STATUS|SIGNED|DANE|STS MX|STRANGERS GET|ADDRESSES");
	if (t == NULL)
		return;
	json_array_foreach(hosts, i, h) host_row(t, result, h);
	fputc('\n', out);
	table_print(t, false, out);
	table_destroy(t);
	tlsa(hosts, out);
}
