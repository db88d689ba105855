/* SPDX-License-Identifier: BSD-3-Clause */
/* postgatectl: the control CLI. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/command.h"
#include "control/cli/run.h"

#define SOCKET_DEFAULT "/run/postgate/postgated.sock"

/* Names of partners for completion; silent where the daemon cannot be asked. */
static void complete_partners(const char *socket)
{
	json_t *args = json_object(), *answer = NULL, *p;
	struct client *c = NULL;
	size_t i;

	if (client_connect(socket, &c) == 0 && client_send(c, "partner-list", args) == 0 &&
		client_receive(c, &answer) == 0)
		json_array_foreach(json_object_get(json_object_get(answer, "result"), "partners"),
			i, p) puts(json_string_value(json_object_get(p, "name")));
	json_decref(args);
	json_decref(answer);
	client_close(c);
}

static int help(const struct cli_line *line)
{
	const char *name = json_string_value(json_object_get(line->args, "command"));
	const struct cli_command *c = line->command;

	if (c != NULL && c->api == NULL) {
		c = NULL;
		for (const struct cli_command *i = cli_commands; name != NULL && i->name != NULL;
			i++)
			if (strcmp(i->name, name) == 0)
				c = i;
		if (name != NULL && c == NULL && cli_help_group(name, stdout))
			return CLI_DONE;
		if (name != NULL && c == NULL) {
			fprintf(stderr, "postgatectl: no such command: %s\n", name);
			return CLI_USAGE;
		}
	}
	cli_help(c, stdout);
	return CLI_DONE;
}

int main(int argc, char **argv)
{
	struct cli_line line;
	struct client *client;
	const char *socket;
	char err[256];
	int rc;

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		if (cli_complete(argc - 2, argv + 2, stdout))
			complete_partners(SOCKET_DEFAULT);
		return CLI_DONE;
	}
	rc = cli_parse(argc - 1, argv + 1, &line, err, sizeof(err));
	if (rc != 0) {
		fprintf(stderr, "postgatectl: %s\nTry: postgatectl help\n", err);
		goto out;
	}
	if (line.version) {
		puts("postgatectl " POSTGATE_VERSION);
		goto out;
	}
	if (line.help || line.command->api == NULL) {
		rc = help(&line);
		goto out;
	}
	socket = line.socket ? line.socket : SOCKET_DEFAULT;
	rc = client_connect(socket, &client);
	if (rc < 0) {
		fprintf(stderr, "postgatectl: cannot reach postgated at %s: %s\n", socket,
			rc == -EACCES ? "you are not of the group postgate" : strerror(-rc));
		rc = CLI_UNREACHABLE;
		goto out;
	}
	rc = cli_run(client, &line, stdout, stderr);
	client_close(client);
out:
	cli_line_release(&line);
	return rc;
}
