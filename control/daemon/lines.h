/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where each value of a YAML file stands: "listeners[0].port" -> line. A first pass over the file
 * with libyaml, so that a check made long after the parsing (by libcyaml, which forgets the marks)
 * can still say which line is wrong. It also refuses what we do not want in a configuration: syntax
 * errors, keys given twice, aliases, a second document, nesting without end.
 */
#ifndef POSTGATE_CONTROL_DAEMON_LINES_H
#define POSTGATE_CONTROL_DAEMON_LINES_H

#include <stddef.h>

struct lines;

#define LINES_PATH_MAX 256

/* Text of one error. line 0: none. */
struct lines_error {
	unsigned int line;
	char path[LINES_PATH_MAX]; /* "" for the file as a whole */
	char text[256];
};

/* 0, -EINVAL (see `error`), -ENOMEM. */
int lines_create(const char *yaml, size_t len, struct lines **out, struct lines_error *error);
void lines_destroy(struct lines *l);

/* Line of the key (in a list: of the entry), of the nearest path above it if there is no such
 * key (a missing one), 1 if there is none at all. */
unsigned int lines_find(const struct lines *l, const char *path);

#endif
