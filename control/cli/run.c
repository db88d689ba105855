/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/run.h"

#include <errno.h>
#include <string.h>

static void print_json(const json_t *value, size_t flags, FILE *out)
{
	json_dumpf(value, out, flags | JSON_ENCODE_ANY);
	fputc('\n', out);
}

static bool is_stream(const struct cli_line *line)
{
	const char *flag = line->command->stream_flag;

	return flag != NULL && json_is_true(json_object_get(line->args, flag));
}

/* What is followed comes as one object a line, for a program to read as it comes. */
static void print_result(const struct cli_line *line, const json_t *result, FILE *out)
{
	json_t *events = json_object_get(result, "events"), *e;
	size_t i;

	if (!line->json) {
		line->command->render(result, out);
	} else if (is_stream(line)) {
		json_array_foreach(events, i, e) print_json(e, JSON_COMPACT, out);
		if (json_object_get(result, "dropped") != NULL)
			print_json(result, JSON_COMPACT, out);
	} else {
		print_json(result, JSON_INDENT(2), out);
	}
	fflush(out);
}

static int tell_lost(int rc, FILE *err)
{
	fprintf(err, "postgatectl: %s\n",
		rc == -ENOTCONN ? "postgated closed the connection"
		: rc == -EPROTO ? "postgated's answer is no JSON"
				: strerror(-rc));
	return CLI_UNREACHABLE;
}

int cli_run(struct client *c, const struct cli_line *line, FILE *out, FILE *err)
{
	json_t *answer;
	bool ok;
	int rc;

	rc = client_send(c, line->command->api, line->args);
	/* The daemon may have said why it does not listen before it closed. */
	if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET)
		return tell_lost(rc, err);
	rc = client_receive(c, &answer);
	if (rc < 0)
		return tell_lost(rc, err);
	ok = json_is_true(json_object_get(answer, "ok"));
	if (!ok) {
		const char *text = json_string_value(json_object_get(answer, "error"));

		if (line->json)
			print_json(answer, JSON_INDENT(2), out);
		fprintf(err, "postgatectl: %s\n", text ? text : "refused");
	} else {
		print_result(line, json_object_get(answer, "result"), out);
	}
	json_decref(answer);
	if (!ok)
		return CLI_REFUSED;
	while (is_stream(line)) {
		rc = client_receive(c, &answer);
		if (rc < 0)
			return tell_lost(rc, err);
		print_result(line, answer, out);
		json_decref(answer);
		if (ferror(out))
			return CLI_DONE; /* the pipe's reader has had enough */
	}
	return fflush(out) == 0 ? CLI_DONE : CLI_REFUSED;
}
