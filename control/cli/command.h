/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of postgatectl, as one table: from it come parsing, help, usage and completion. A
 * command line becomes one request to postgated (control/daemon/api.h), its result one table.
 */
#ifndef POSTGATE_CONTROL_CLI_COMMAND_H
#define POSTGATE_CONTROL_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

enum cli_exit {
	CLI_DONE = 0,
	CLI_REFUSED = 1, /* or not found */
	CLI_USAGE = 2,
	CLI_UNREACHABLE = 3,
};

struct client;
struct cli_line;

struct cli_option {
	const char *name;  /* "--limit"; NULL ends a list */
	const char *key;   /* in the request's args */
	const char *value; /* what it takes, for help; NULL: a flag */
	const char *help;
	/* What the value may be: NULL: a number; "": any text; else one of these words. */
	const char *words;
};

/* key=value, as `partner set` takes them. */
struct cli_field {
	const char *key;   /* NULL ends a list */
	bool list;         /* may come more than once, or as a,b,c; empty clears */
	const char *words; /* for completion: "none may encrypt"; NULL: free text */
	const char *help;
};

struct cli_command {
	const char *name;                 /* "partner set"; NULL ends the table */
	const char *arguments;            /* for usage, without options: "NAME [FIELD=VALUE]..." */
	const char *help;                 /* one line */
	const char *api;                  /* the daemon's command; NULL: answered here */
	const char *positional;           /* key of the one plain argument; NULL: none taken */
	const struct cli_option *options; /* NULL: none */
	const struct cli_field *fields;   /* NULL: none */
	/* Human form of a result. */
	void (*render)(const json_t *result, FILE *out);
	/* Result is a stream: `render` gets {"events": [...]} for each part of it. */
	const char *stream_flag;      /* key of the flag that makes it one; NULL: never */
	const char *positional2;      /* key of a second plain argument; NULL: none */
	const char *positional_words; /* what the first may be, for completion; NULL: a partner */
	/* More than one request: takes the place of request and render. */
	int (*run)(struct client *c, const struct cli_line *line, FILE *out, FILE *err);
};

extern const struct cli_command cli_commands[];

/* A parsed command line. */
struct cli_line {
	const struct cli_command *command;
	json_t *args; /* of the request */
	const char *socket;
	bool json, help, version;
};

/* argv without the program's name. 0, or CLI_USAGE with a text. To be released in any case. */
int cli_parse(int argc, char *const *argv, struct cli_line *line, char *err, size_t err_size);
void cli_line_release(struct cli_line *line);

/* One command, or all with NULL. */
void cli_help(const struct cli_command *command, FILE *out);
/* Those whose first word this is: "partner". False: there are none. */
bool cli_help_group(const char *word, FILE *out);

/*
 * Words that may follow these (of the line so far, without the one being typed), one a line.
 * True: the next word is a partner's name, which only the daemon knows.
 */
bool cli_complete(int argc, char *const *argv, FILE *out);

#endif
