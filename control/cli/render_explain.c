/* SPDX-License-Identifier: BSD-3-Clause */
/* The answer of explain, as pairs. */
#include "control/cli/render.h"

#include <string.h>

#include "control/cli/table.h"

static const char *rule_text(const char *rule)
{
	static const struct {
		const char *rule, *text;
	} texts[] = {
		{"default", "none knows it: the default for strangers"},
		{"domain", "the sender's domain"},
		{"domain-wildcard", "the sender's domain by a wildcard"},
		{"address", "the client's address"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i].rule, rule) == 0)
			return texts[i].text;
	return rule;
}

static void level(struct table *t, const json_t *result)
{
	table_cell(t, "level");
	if (json_is_true(json_object_get(result, "suspended")))
		table_cell(t, "%s (suspended, else %s)", render_text(result, "level"),
			render_text(result, "full_level"));
	else
		table_cell(t, "%s", render_text(result, "level"));
}

void render_explain(const json_t *result, FILE *out)
{
	struct table *t = table_create("|");
	char when[RENDER_TIME_MAX];
	json_t *o;
	size_t i;

	if (t == NULL)
		return;
	table_cell(t, "partner");
	table_cell(t, "%s",
		*render_text(result, "partner") ? render_text(result, "partner") : "(a stranger)");
	table_cell(t, "by");
	table_cell(t, "%s%s%s", rule_text(render_text(result, "rule")),
		*render_text(result, "matched") ? ": " : "", render_text(result, "matched"));
	if (json_object_get(result, "client") != NULL) {
		table_cell(t, "client is one of its");
		table_cell(t, "%s",
			json_is_true(json_object_get(result, "identified")) ? "yes" : "no");
	}
	level(t, result);
	if (render_int(result, "suspended_until") > 0) {
		table_cell(t, "suspended until");
		table_cell(t, "%s", render_time(render_int(result, "suspended_until"), when));
	}
	table_cell(t, "asked for");
	table_cell(t, "%s", render_text(result, "asked_for"));
	json_array_foreach(json_object_get(result, "replies"), i, o)
	{
		table_cell(t, "%s", render_text(o, "command"));
		table_cell(t, "%" JSON_INTEGER_FORMAT "%s%s %s", render_int(o, "code"),
			*render_text(o, "status") ? " " : "", render_text(o, "status"),
			render_text(o, "text"));
	}
	json_array_foreach(json_object_get(result, "next_hops"), i, o)
	{
		table_cell(t, "next hop");
		table_cell(t, "%s (priority %" JSON_INTEGER_FORMAT ", %s)", render_text(o, "name"),
			render_int(o, "priority"), render_text(o, "level"));
	}
	if (*render_text(result, "contact")) {
		table_cell(t, "contact");
		table_cell(t, "%s", render_text(result, "contact"));
	}
	table_print(t, true, out);
	table_destroy(t);
}
