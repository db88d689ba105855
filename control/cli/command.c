/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option global_options[] = {
	{"--socket", NULL, "PATH", "of postgated (default /run/postgate/postgated.sock)"},
	{"--json", NULL, NULL, "the result as JSON"},
	{"--help", NULL, NULL, "this, or more on one command"},
	{"--version", NULL, NULL, "print the version"},
	{NULL},
};

static const struct cli_option *find_option(
	const struct cli_option *list, const char *name, size_t len)
{
	for (; list != NULL && list->name != NULL; list++)
		if (strlen(list->name) == len && memcmp(list->name, name, len) == 0)
			return list;
	return NULL;
}

/* The command whose words begin argv; *words: how many of them. */
static const struct cli_command *find_command(int argc, char *const *argv, int *words)
{
	char two[64];

	for (const struct cli_command *c = cli_commands; argc > 0 && c->name != NULL; c++) {
		*words = 1;
		if (strcmp(c->name, argv[0]) == 0)
			return c;
		if (argc < 2)
			continue;
		snprintf(two, sizeof(two), "%.30s %.30s", argv[0], argv[1]);
		*words = 2;
		if (strcmp(c->name, two) == 0)
			return c;
	}
	return NULL;
}

static bool is_group(const char *word)
{
	size_t len = strlen(word);

	for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
		if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ')
			return true;
	return false;
}

static int set_number(struct cli_line *line, const struct cli_option *o, const char *value,
	char *err, size_t err_size)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || n > 1000000000) {
		snprintf(err, err_size, "%s: %.80s is not a number", o->name, value);
		return CLI_USAGE;
	}
	json_object_set_new(line->args, o->key, json_integer(n));
	return 0;
}

/* Whether `word` is one of "a b c". */
static bool is_word(const char *words, const char *word)
{
	size_t len = strlen(word), n;

	for (; *words != '\0'; words += n + (words[n] == ' ')) {
		n = strcspn(words, " ");
		if (n == len && memcmp(words, word, n) == 0)
			return true;
	}
	return false;
}

static int set_text(struct cli_line *line, const struct cli_option *o, const char *value, char *err,
	size_t err_size)
{
	if (*o->words != '\0' && !is_word(o->words, value)) {
		snprintf(err, err_size, "%s: %.80s is none of: %s", o->name, value, o->words);
		return CLI_USAGE;
	}
	if (json_object_set_new(line->args, o->key, json_string(value)) < 0) {
		snprintf(err, err_size, "%s: not UTF-8", o->name);
		return CLI_USAGE;
	}
	return 0;
}

/* argv[*i] is an option; may take argv[*i + 1] too. */
static int parse_option(
	int argc, char *const *argv, int *i, struct cli_line *line, char *err, size_t err_size)
{
	const char *word = argv[*i], *equals = strchr(word, '='), *value = NULL;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct cli_option *o = find_option(global_options, word, len);

	if (o == NULL && line->command != NULL)
		o = find_option(line->command->options, word, len);
	if (o == NULL) {
		snprintf(err, err_size, "%.80s is not an option%s%s", word,
			line->command ? " of " : "", line->command ? line->command->name : "");
		return CLI_USAGE;
	}
	if (o->value == NULL && equals != NULL) {
		snprintf(err, err_size, "%s takes no value", o->name);
		return CLI_USAGE;
	}
	if (o->value != NULL) {
		value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
		if (value == NULL || *value == '\0') {
			snprintf(err, err_size, "%s needs %s", o->name, o->value);
			return CLI_USAGE;
		}
	}
	if (o->key != NULL && o->value != NULL)
		return o->words ? set_text(line, o, value, err, err_size)
				: set_number(line, o, value, err, err_size);
	if (o->key != NULL)
		json_object_set_new(line->args, o->key, json_true());
	else if (o->value != NULL)
		line->socket = value;
	line->json |= strcmp(o->name, "--json") == 0;
	line->help |= strcmp(o->name, "--help") == 0;
	line->version |= strcmp(o->name, "--version") == 0;
	return 0;
}

/* "a,b,c" into the list; an empty value leaves it empty, which clears the field. */
static int add_to_list(json_t *fields, const char *key, const char *value)
{
	json_t *list = json_object_get(fields, key);
	char *copy = strdup(value), *rest = copy, *part;

	if (list == NULL) {
		list = json_array();
		json_object_set_new(fields, key, list);
	}
	while (copy != NULL && (part = strsep(&rest, ",")) != NULL)
		if (*part != '\0' && json_array_append_new(list, json_string(part)) < 0) {
			free(copy);
			return -1;
		}
	free(copy);
	return 0;
}

static int parse_field(struct cli_line *line, const char *word, char *err, size_t err_size)
{
	const char *equals = strchr(word, '=');
	size_t len = (size_t)(equals - word);
	json_t *fields = json_object_get(line->args, "fields");
	const struct cli_field *f = line->command->fields;
	int rc;

	while (f->key != NULL && (strlen(f->key) != len || memcmp(f->key, word, len) != 0))
		f++;
	if (f->key == NULL) {
		snprintf(err, err_size,
			"%.*s is not a field of a partner (see: postgatectl help %s)",
			(int)(len < 80 ? len : 80), word, line->command->name);
		return CLI_USAGE;
	}
	if (f->list) {
		rc = add_to_list(fields, f->key, equals + 1);
	} else if (json_object_get(fields, f->key) != NULL) {
		snprintf(err, err_size, "%s is given twice", f->key);
		return CLI_USAGE;
	} else {
		rc = json_object_set_new(fields, f->key, json_string(equals + 1));
	}
	if (rc < 0) {
		snprintf(err, err_size, "%s: not UTF-8", f->key);
		return CLI_USAGE;
	}
	return 0;
}

static int parse_word(struct cli_line *line, const char *word, char *err, size_t err_size)
{
	const struct cli_command *c = line->command;
	const char *have;
	char *joined;

	if (c->fields != NULL && strchr(word, '=') != NULL)
		return parse_field(line, word, err, err_size);
	have = c->positional ? json_string_value(json_object_get(line->args, c->positional)) : NULL;
	/* `help partner set`: a command of two words. */
	if (have != NULL && c->api == NULL && asprintf(&joined, "%s %s", have, word) >= 0) {
		json_object_set_new(line->args, c->positional, json_string(joined));
		free(joined);
		return 0;
	}
	if (c->positional == NULL || have != NULL) {
		snprintf(err, err_size, "%.80s: one argument too many for %s", word, c->name);
		return CLI_USAGE;
	}
	if (json_object_set_new(line->args, c->positional, json_string(word)) < 0) {
		snprintf(err, err_size, "%s: not UTF-8", c->positional);
		return CLI_USAGE;
	}
	return 0;
}

static int parse_command(
	int argc, char *const *argv, int *i, struct cli_line *line, char *err, size_t err_size)
{
	int words;

	line->command = find_command(argc - *i, argv + *i, &words);
	if (line->command != NULL) {
		*i += words - 1;
		if (line->command->fields != NULL)
			json_object_set_new(line->args, "fields", json_object());
		return 0;
	}
	if (is_group(argv[*i]))
		snprintf(err, err_size, "%s %s: see postgatectl help", argv[*i],
			*i + 1 < argc ? "has no such command" : "needs one more word");
	else
		snprintf(err, err_size, "no such command: %.80s", argv[*i]);
	return CLI_USAGE;
}

int cli_parse(int argc, char *const *argv, struct cli_line *line, char *err, size_t err_size)
{
	bool options = true;
	int rc;

	*line = (struct cli_line){.args = json_object()};
	for (int i = 0; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		if (options && argv[i][0] == '-' && argv[i][1] != '\0')
			rc = parse_option(argc, argv, &i, line, err, err_size);
		else if (line->command == NULL)
			rc = parse_command(argc, argv, &i, line, err, err_size);
		else
			rc = parse_word(line, argv[i], err, err_size);
		if (rc != 0)
			return rc;
	}
	if (line->help || line->version)
		return 0;
	if (line->command == NULL) {
		snprintf(err, err_size, "no command");
		return CLI_USAGE;
	}
	if (line->command->api != NULL && line->command->positional != NULL &&
		json_object_get(line->args, line->command->positional) == NULL) {
		snprintf(err, err_size, "usage: postgatectl %s %s", line->command->name,
			line->command->arguments);
		return CLI_USAGE;
	}
	return 0;
}

void cli_line_release(struct cli_line *line)
{
	json_decref(line->args);
	line->args = NULL;
}

static void help_options(const struct cli_option *o, FILE *out)
{
	char name[48];

	for (; o != NULL && o->name != NULL; o++) {
		snprintf(name, sizeof(name), "%s%s%s", o->name, o->value ? " " : "",
			o->value ? o->value : "");
		fprintf(out, "  %-18s %s\n", name, o->help);
	}
}

void cli_help(const struct cli_command *command, FILE *out)
{
	char name[64];

	if (command == NULL) {
		fputs("usage: postgatectl [OPTION]... COMMAND\n\n", out);
		for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
			fprintf(out, "  %-18s %s\n", c->name, c->help);
		fputs("\noptions:\n", out);
		help_options(global_options, out);
		fputs("\nexit: 0 done, 1 refused or not found, 2 usage, 3 cannot reach postgated\n",
			out);
		return;
	}
	snprintf(name, sizeof(name), "%s%s%s", command->name, *command->arguments ? " " : "",
		command->arguments);
	fprintf(out, "usage: postgatectl %s\n\n  %s\n", name, command->help);
	if (command->fields != NULL) {
		fputs("\nfields:\n", out);
		for (const struct cli_field *f = command->fields; f->key != NULL; f++) {
			snprintf(name, sizeof(name), "%s=%s", f->key,
				f->list ? "VALUE,..." : "VALUE");
			fprintf(out, "  %-18s %s%s%s%s\n", name, f->help, f->words ? " (" : "",
				f->words ? f->words : "", f->words ? ")" : "");
		}
	}
	if (command->options != NULL) {
		fputs("\noptions:\n", out);
		help_options(command->options, out);
	}
}

bool cli_help_group(const char *word, FILE *out)
{
	size_t len = strlen(word);

	if (!is_group(word))
		return false;
	fprintf(out, "usage: postgatectl %s COMMAND\n\n", word);
	for (const struct cli_command *c = cli_commands; c->name != NULL; c++)
		if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ')
			fprintf(out, "  %-18s %s\n", c->name, c->help);
	return true;
}

static void complete_commands(const char *group, FILE *out)
{
	size_t len = group ? strlen(group) : 0;
	const char *last = "";
	size_t last_len = 0;

	for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
		const char *word = c->name;
		size_t n;

		if (group != NULL) {
			if (strncmp(word, group, len) != 0 || word[len] != ' ')
				continue;
			word += len + 1;
		}
		n = strcspn(word, " ");
		if (n != last_len || memcmp(word, last, n) != 0)
			fprintf(out, "%.*s\n", (int)n, word);
		last = word;
		last_len = n;
	}
}

static void complete_words(const char *prefix, const char *words, FILE *out)
{
	for (size_t n; words != NULL && *words != '\0'; words += n + (words[n] == ' ')) {
		n = strcspn(words, " ");
		fprintf(out, "%s%.*s\n", prefix, (int)n, words);
	}
}

static void complete_options(const struct cli_option *o, FILE *out)
{
	for (; o != NULL && o->name != NULL; o++)
		fprintf(out, "%s\n", o->name);
}

bool cli_complete(int argc, char *const *argv, FILE *out)
{
	const struct cli_command *c = NULL;
	int at = 0, words = 0, plain = 0;

	/* Past the options in front; an option that takes a value leaves nothing to offer. */
	while (at < argc && argv[at][0] == '-')
		at += strcmp(argv[at], "--socket") == 0 ? 2 : 1;
	if (at > argc)
		return false;
	if (at < argc)
		c = find_command(argc - at, argv + at, &words);
	if (c == NULL) {
		complete_commands(at < argc ? argv[at] : NULL, out);
		if (at == argc)
			complete_options(global_options, out);
		return false;
	}
	for (int i = at + words; i < argc; i++) {
		const struct cli_option *o = find_option(c->options, argv[i], strlen(argv[i]));

		if (o != NULL && o->value != NULL && ++i == argc) {
			complete_words("", o->words, out);
			return false;
		}
		if (o == NULL)
			plain += argv[i][0] != '-' && strchr(argv[i], '=') == NULL;
	}
	if (c->api == NULL) {
		complete_commands(plain > 0 ? argv[argc - 1] : NULL, out);
		return false;
	}
	/* Partners have names that the daemon knows; domains are anything. */
	if (c->positional != NULL && plain == 0)
		return strcmp(c->positional, "name") == 0;
	for (const struct cli_field *f = c->fields; f != NULL && f->key != NULL; f++) {
		char prefix[64];

		snprintf(prefix, sizeof(prefix), "%s=", f->key);
		fprintf(out, "%s\n", prefix);
		complete_words(prefix, f->words, out);
	}
	complete_options(c->options, out);
	fputs("--json\n", out);
	return false;
}
