/* SPDX-License-Identifier: BSD-3-Clause */
/* Command lines in, requests out; results in, tables and exit codes out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/cli/client.h"
#include "control/cli/command.h"
#include "control/cli/render.h"
#include "control/cli/run.h"
#include "control/cli/table.h"

#define WORDS_MAX 16

static int split(char *text, char **words)
{
	int n = 0;

	for (char *w = strtok(text, " "); w != NULL && n < WORDS_MAX; w = strtok(NULL, " "))
		words[n++] = w;
	return n;
}

static void test_parse(void **state)
{
	static const struct {
		const char *line, *api, *args;
		bool json;
	} cases[] = {
		{"status", "status", "{}", false},
		{"--json status", "status", "{}", true},
		{"status --json", "status", "{}", true},
		{"stats --nonzero", "stats", "{\"nonzero\": true}", false},
		{"sessions --limit 5 --tcp", "sessions", "{\"limit\": 5, \"tcp\": true}", false},
		{"sessions --limit=5", "sessions", "{\"limit\": 5}", false},
		{"events --last 0 --follow", "events", "{\"last\": 0, \"follow\": true}", false},
		{"partner list", "partner-list", "{}", false},
		{"partner show a", "partner-show", "{\"name\": \"a\"}", false},
		{"partner delete -- -a", "partner-delete", "{\"name\": \"-a\"}", false},
		{"partner set a domain=x.y domain=z.y inbound=encrypt", "partner-set",
			"{\"name\": \"a\", \"fields\": {\"domain\": [\"x.y\", \"z.y\"], "
			"\"inbound\": "
			"\"encrypt\"}}",
			false},
		{"partner set domain=x.y,z.y a", "partner-set",
			"{\"name\": \"a\", \"fields\": {\"domain\": [\"x.y\", \"z.y\"]}}", false},
		{"partner set a address= notes=", "partner-set",
			"{\"name\": \"a\", \"fields\": {\"address\": [], \"notes\": \"\"}}", false},
		{"partner set a notes=a=b", "partner-set",
			"{\"name\": \"a\", \"fields\": {\"notes\": \"a=b\"}}", false},
		{"partner set a", "partner-set", "{\"name\": \"a\", \"fields\": {}}", false},
		{"partner set a --stage notes=x", "partner-set",
			"{\"name\": \"a\", \"stage\": true, \"fields\": {\"notes\": \"x\"}}",
			false},
		{"partner delete a --reason gone", "partner-delete",
			"{\"name\": \"a\", \"reason\": \"gone\"}", false},
		{"suspend a --scope inbound --for 2h --reason=x --ticket T-1", "suspend",
			"{\"name\": \"a\", \"scope\": \"inbound\", \"for\": \"2h\", \"reason\": "
			"\"x\", \"ticket\": \"T-1\"}",
			false},
		{"commit --confirm-within 10m", "commit", "{\"confirm_within\": \"10m\"}", false},
		{"undo", "undo", "{}", false},
		{"reload", "reload", "{}", false},
		{"next-hops", "next-hops", "{}", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256], err[256] = "", *words[WORDS_MAX];
		struct cli_line line;
		json_t *want;

		strcpy(text, cases[i].line);
		if (cli_parse(split(text, words), words, &line, err, sizeof(err)) != 0)
			fail_msg("%s: %s", cases[i].line, err);
		assert_string_equal(line.command->api, cases[i].api);
		assert_int_equal(line.json, cases[i].json);
		want = json_loads(cases[i].args, 0, NULL);
		if (!json_equal(line.args, want))
			fail_msg("%s: %s", cases[i].line, json_dumps(line.args, 0));
		json_decref(want);
		cli_line_release(&line);
	}
}

static void test_usage(void **state)
{
	static const struct {
		const char *line, *told;
	} cases[] = {
		{"", "no command"},
		{"statuss", "no such command: statuss"},
		{"partner", "partner needs one more word: see postgatectl help"},
		{"partner foo", "partner has no such command: see postgatectl help"},
		{"partner show", "usage: postgatectl partner show NAME"},
		{"partner show a b", "b: one argument too many for partner show"},
		{"status x", "x: one argument too many for status"},
		{"status --nonzero", "--nonzero is not an option of status"},
		{"--limit 3 sessions", "--limit is not an option"},
		{"sessions --limit", "--limit needs N"},
		{"suspend a --scope all",
			"--scope: all is none of: inbound outbound dane sts certificate"},
		{"suspend a --for", "--for needs TIME"},
		{"sessions --limit x", "--limit: x is not a number"},
		{"sessions --limit -1", "--limit: -1 is not a number"},
		{"sessions --limit 99999999999", "--limit: 99999999999 is not a number"},
		{"sessions --tcp=yes", "--tcp takes no value"},
		{"--socket", "--socket needs PATH"},
		{"partner set a colour=red",
			"colour is not a field of a partner (see: postgatectl help partner set)"},
		{"partner set a inbound=may inbound=none", "inbound is given twice"},
		{"partner set domain=x.y", "usage: postgatectl partner set NAME [FIELD=VALUE]..."},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256], err[256] = "", *words[WORDS_MAX];
		struct cli_line line;

		strcpy(text, cases[i].line);
		assert_int_equal(
			cli_parse(split(text, words), words, &line, err, sizeof(err)), CLI_USAGE);
		assert_string_equal(err, cases[i].told);
		cli_line_release(&line);
	}
}

/* Every command has a help, and completion leads to it. */
static void test_help_and_completion(void **state)
{
	char *text, *words[] = {(char[]){"partner"}, (char[]){"set"}, (char[]){"bank"}};
	size_t size;
	FILE *f = open_memstream(&text, &size);

	cli_help(NULL, f);
	fflush(f);
	for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
		assert_non_null(strstr(text, c->name));
		assert_non_null(c->help);
		assert_true(c->api == NULL || c->render != NULL);
	}
	fclose(f);
	free(text);

	f = open_memstream(&text, &size);
	assert_false(cli_complete(0, words, f));
	fclose(f);
	assert_non_null(strstr(text, "status\n"));
	assert_non_null(strstr(text, "partner\n"));
	assert_null(strstr(strstr(text, "partner\n") + 1, "partner\n")); /* once */
	free(text);

	f = open_memstream(&text, &size);
	assert_false(cli_complete(1, words, f));
	fclose(f);
	assert_string_equal(text, "set\nshow\nlist\ndelete\n");
	free(text);

	f = open_memstream(&text, &size);
	assert_true(cli_complete(2, words, f)); /* a partner's name */
	fclose(f);
	free(text);

	f = open_memstream(&text, &size);
	assert_false(cli_complete(3, words, f));
	fclose(f);
	assert_non_null(strstr(text, "domain=\n"));
	assert_non_null(strstr(text, "inbound=encrypt\n"));
	free(text);
}

/* "partner set" or "--nonzero" as the manual page writes it: "-" is "\-" there. */
static void assert_in_manual(const char *manual, const char *word)
{
	char want[64], *w = want;

	for (; *word != '\0'; word++)
		w += sprintf(w, *word == '-' ? "\\%c" : "%c", *word);
	if (strstr(manual, want) == NULL)
		fail_msg("%s is not in postgatectl.8", want);
}

static void test_manual(void **state)
{
	const char *source = *state;
	char path[512], *manual = calloc(1, 65536);
	FILE *f;

	snprintf(path, sizeof(path), "%s/deploy/man/postgatectl.8", source);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(manual, 1, 65535, f) > 0);
	fclose(f);
	for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
		assert_in_manual(manual, c->name);
		for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++)
			assert_in_manual(manual, o->name);
		for (const struct cli_field *i = c->fields; i != NULL && i->key != NULL; i++)
			assert_in_manual(manual, i->key);
	}
	free(manual);
}

static void test_table(void **state)
{
	struct table *t = table_create("NAME|>COUNT|TEXT");
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	table_cell(t, "a");
	table_cell(t, "%d", 5);
	table_cell(t, "one\033[2J");
	table_cell(t, "b\xc3\xa4r");
	table_cell(t, "%d", 123456);
	table_cell(t, "%s", "");
	assert_int_equal(table_rows(t), 2);
	table_print(t, false, f);
	fclose(f);
	assert_string_equal(text, "NAME   COUNT  TEXT\n"
				  "a          5  one?[2J\n"
				  "b\xc3\xa4r   123456  -\n");
	free(text);
	table_destroy(t);
}

static void test_numbers(void **state)
{
	char n[TABLE_NUMBER_MAX];

	assert_string_equal(table_count(0, n), "0");
	assert_string_equal(table_count(9999, n), "9999");
	assert_string_equal(table_count(10000, n), "10.0k");
	assert_string_equal(table_count(999999, n), "1.0M");
	assert_string_equal(table_count(UINT64_MAX, n), "18.4E");
	assert_string_equal(table_bytes(0, n), "0 B");
	assert_string_equal(table_bytes(1023, n), "1023 B");
	assert_string_equal(table_bytes(1024, n), "1.0 kB");
	assert_string_equal(table_bytes(52428800, n), "50.0 MB");
	assert_string_equal(table_bytes(1048575, n), "1.0 MB");
	assert_string_equal(table_bytes(150ull << 20, n), "150 MB");
	assert_string_equal(table_duration(59, n), "59s");
	assert_string_equal(table_duration(725, n), "12m 5s");
	assert_string_equal(table_duration(3600, n), "1h 0m");
	assert_string_equal(table_duration(439200, n), "5d 2h");
}

static char *rendered(void (*render)(const json_t *, FILE *), const char *json)
{
	json_t *result = json_loads(json, 0, NULL);
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(result);
	render(result, f);
	fclose(f);
	json_decref(result);
	return text;
}

static void test_render(void **state)
{
	char *text;

	text = rendered(render_stats,
		"{\"counters\": [{\"name\": \"rx\", \"total\": 12, \"workers\": "
		"[5, 7]}, {\"name\": \"ip4_bad_checksum\", \"total\": 0, "
		"\"workers\": [0, 0]}]}");
	assert_string_equal(text, "COUNTER           TOTAL  WORKER 0  WORKER 1\n"
				  "rx                   12         5         7\n"
				  "ip4_bad_checksum      0         0         0\n");
	free(text);
	text = rendered(render_workers,
		"{\"workers\": [{\"index\": 0, \"lcore\": 1, \"generation\": 7, "
		"\"busy_percent\": 12.345, \"messages\": 12345, \"pools\": "
		"{\"tx_mbufs\": {\"used\": 3, \"size\": 4096}}}]}");
	assert_string_equal(text, "WORKER  LCORE  GENERATION   BUSY  MESSAGES  TX-MBUFS\n"
				  "     0      1           7  12.3%     12.3k    3/4096\n");
	free(text);
	text = rendered(render_status,
		"{\"daemon\": {\"version\": \"1\", \"pid\": 5, \"uptime\": 61, "
		"\"config\": \"/c\", \"generation\": 3, \"dataplane\": "
		"\"not connected\"}, \"dataplane\": {\"connected\": false}}");
	assert_string_equal(text, "postgated\n"
				  "  version           1\n"
				  "  pid               5\n"
				  "  uptime            1m 1s\n"
				  "  configuration     /c\n"
				  "  generation        3\n"
				  "  partners          0 (0 domains, 0 addresses)\n"
				  "  dataplane         not connected\n"
				  "postgate-dataplane  cannot be reached\n");
	free(text);
	text = rendered(render_partners,
		"{\"partners\": [{\"name\": \"bank\", \"inbound\": \"encrypt\", \"domain\": "
		"[\"bank.example\", \"*.bank.example\", \"another.bank.example\", \"d.example\"], "
		"\"address\": [], \"contact\": \"\"}]}");
	assert_string_equal(text,
		"NAME  INBOUND  DOMAINS                           ADDRESSES  CONTACT\n"
		"bank  encrypt  bank.example *.bank.example (+2)  -          -\n");
	free(text);
}

/* One exchange with a daemon that answers `answers` and closes. */
static int exchange(const char *command, const char *answers, char **out, char **err)
{
	char text[128], told[128], *words[WORDS_MAX], request[512];
	size_t out_size, err_size;
	FILE *o = open_memstream(out, &out_size), *e = open_memstream(err, &err_size);
	struct client *client;
	struct cli_line line;
	int fd[2], rc;

	strcpy(text, command);
	assert_int_equal(cli_parse(split(text, words), words, &line, told, sizeof(told)), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(write(fd[1], answers, strlen(answers)), strlen(answers));
	shutdown(fd[1], SHUT_WR);
	assert_int_equal(client_adopt(fd[0], &client), 0);
	rc = cli_run(client, &line, o, e);
	assert_true(read(fd[1], request, sizeof(request)) > 0);
	client_close(client);
	close(fd[1]);
	fclose(o);
	fclose(e);
	cli_line_release(&line);
	return rc;
}

static void test_run(void **state)
{
	char *out, *err;

	assert_int_equal(exchange("partner show x",
				 "{\"ok\": false, \"error\": \"no such partner\", \"code\": "
				 "\"not_found\"}\n",
				 &out, &err),
		CLI_REFUSED);
	assert_string_equal(out, "");
	assert_string_equal(err, "postgatectl: no such partner\n");
	free(out);
	free(err);

	assert_int_equal(exchange("reload", "", &out, &err), CLI_UNREACHABLE);
	assert_string_equal(err, "postgatectl: postgated closed the connection\n");
	free(out);
	free(err);

	assert_int_equal(exchange("reload", "hello\n", &out, &err), CLI_UNREACHABLE);
	free(out);
	free(err);

	assert_int_equal(exchange("reload --json",
				 "{\"ok\": true, \"result\": {\"pushed\": true}}\n", &out, &err),
		CLI_DONE);
	assert_string_equal(out, "{\n  \"pushed\": true\n}\n");
	free(out);
	free(err);

	/* A stream: what was there, what came, what was left out; then the daemon goes. */
	assert_int_equal(
		exchange("events --follow --json",
			"{\"ok\": true, \"result\": {\"events\": [{\"n\": 1}, {\"n\": 2}]}}\n"
			"{\"events\": [{\"n\": 3}]}\n{\"events\": [], \"dropped\": 4}\n",
			&out, &err),
		CLI_UNREACHABLE);
	assert_string_equal(
		out, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"events\":[],\"dropped\":4}\n");
	free(out);
	free(err);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_help_and_completion),
		cmocka_unit_test_prestate(test_manual, argc > 1 ? argv[1] : (char[]){"."}),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
