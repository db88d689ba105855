/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define DEPTH_MAX 16

struct lines_entry {
	char *path;
	unsigned int line;
};

struct lines {
	size_t count, room;
	struct lines_entry *entries;
};

/* An open mapping or list while the events come by. */
struct level {
	bool list;
	bool have_key;      /* in a mapping: the next event is the value */
	unsigned int index; /* in a list: of the next entry */
	size_t path_len;    /* of the path that leads here */
};

struct walk {
	struct lines *lines;
	struct lines_error *error;
	char path[LINES_PATH_MAX];
	struct level stack[DEPTH_MAX];
	int depth;
	int documents;
};

static int lines_add(struct lines *l, const char *path, unsigned int line)
{
	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		struct lines_entry *e = realloc(l->entries, room * sizeof(*e));

		if (e == NULL)
			return -ENOMEM;
		l->entries = e;
		l->room = room;
	}
	l->entries[l->count].path = strdup(path);
	if (l->entries[l->count].path == NULL)
		return -ENOMEM;
	l->entries[l->count++].line = line;
	return 0;
}

static int walk_fail(struct walk *w, unsigned int line, const char *text)
{
	w->error->line = line;
	snprintf(w->error->path, sizeof(w->error->path), "%s", w->path);
	snprintf(w->error->text, sizeof(w->error->text), "%s", text);
	return -EINVAL;
}

static struct level *walk_top(struct walk *w)
{
	return w->depth > 0 ? &w->stack[w->depth - 1] : NULL;
}

/* A node begins that is the value of a key or an entry of a list. */
static int walk_value(struct walk *w, unsigned int line)
{
	struct level *top = walk_top(w);
	size_t len;

	if (top == NULL)
		return 0;
	if (!top->list) {
		top->have_key = false;
		return 0;
	}
	len = top->path_len;
	snprintf(w->path + len, sizeof(w->path) - len, "[%u]", top->index++);
	return lines_add(w->lines, w->path, line);
}

static int walk_key(struct walk *w, const char *key, unsigned int line)
{
	struct level *top = walk_top(w);
	size_t len = top->path_len;

	snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len ? "." : "", key);
	top->have_key = true;
	for (size_t i = 0; i < w->lines->count; i++)
		if (strcmp(w->lines->entries[i].path, w->path) == 0)
			return walk_fail(w, line, "is given twice");
	return lines_add(w->lines, w->path, line);
}

static int walk_open(struct walk *w, bool list, unsigned int line)
{
	struct level *top = walk_top(w);
	int rc;

	if (top != NULL && !top->list && !top->have_key)
		return walk_fail(w, line, "a key must be a plain word");
	rc = walk_value(w, line);
	if (rc < 0)
		return rc;
	if (w->depth == DEPTH_MAX)
		return walk_fail(w, line, "is nested too deeply");
	w->stack[w->depth++] = (struct level){.list = list, .path_len = strlen(w->path)};
	return 0;
}

static void walk_close(struct walk *w)
{
	struct level *top;

	w->depth--;
	top = walk_top(w);
	w->path[top != NULL ? top->path_len : 0] = '\0';
}

static int walk_event(struct walk *w, const yaml_event_t *e)
{
	unsigned int line = (unsigned int)e->start_mark.line + 1;
	struct level *top = walk_top(w);
	int rc;

	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (w->documents++ > 0)
			return walk_fail(
				w, line, "a second document begins (\"---\"); only one is read");
		return 0;
	case YAML_ALIAS_EVENT:
		return walk_fail(w, line, "aliases (\"*name\") are not supported");
	case YAML_SCALAR_EVENT:
		if (top != NULL && !top->list && !top->have_key)
			return walk_key(w, (const char *)e->data.scalar.value, line);
		rc = walk_value(w, line);
		if (rc == 0 && top != NULL)
			w->path[top->path_len] = '\0';
		return rc;
	case YAML_SEQUENCE_START_EVENT:
		return walk_open(w, true, line);
	case YAML_MAPPING_START_EVENT:
		return walk_open(w, false, line);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		walk_close(w);
		return 0;
	default:
		return 0;
	}
}

int lines_create(const char *yaml, size_t len, struct lines **out, struct lines_error *error)
{
	struct walk w = {.error = error};
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;
	int rc = 0;

	memset(error, 0, sizeof(*error));
	w.lines = calloc(1, sizeof(*w.lines));
	if (w.lines == NULL)
		return -ENOMEM;
	if (!yaml_parser_initialize(&parser)) {
		lines_destroy(w.lines);
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, len);
	while (!end && rc == 0) {
		if (!yaml_parser_parse(&parser, &event)) {
			/* The reader (bad UTF-8) sets no mark, only an offset. */
			unsigned int line = (unsigned int)parser.problem_mark.line + 1;

			if (parser.error == YAML_READER_ERROR) {
				line = 1;
				for (size_t i = 0; i < parser.problem_offset && i < len; i++)
					line += yaml[i] == '\n';
			}
			/* What is open at the end was opened where the context says. */
			if (parser.problem != NULL && parser.context != NULL &&
				strstr(parser.problem, "end of stream") != NULL)
				line = (unsigned int)parser.context_mark.line + 1;
			w.path[0] = '\0';
			rc = walk_fail(&w, line, parser.problem ? parser.problem : "bad YAML");
			break;
		}
		rc = walk_event(&w, &event);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (rc < 0)
		lines_destroy(w.lines);
	else
		*out = w.lines;
	return rc;
}

void lines_destroy(struct lines *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->count; i++)
		free(l->entries[i].path);
	free(l->entries);
	free(l);
}

unsigned int lines_find(const struct lines *l, const char *path)
{
	char at[LINES_PATH_MAX];
	size_t len;

	snprintf(at, sizeof(at), "%s", path);
	for (;;) {
		for (size_t i = 0; i < l->count; i++)
			if (strcmp(l->entries[i].path, at) == 0)
				return l->entries[i].line;
		/* One step up: "a[0].b" -> "a[0]" -> "a". */
		for (len = strlen(at); len > 0 && at[len - 1] != '.' && at[len - 1] != '['; len--)
			;
		if (len == 0)
			return 1;
		at[len - 1] = '\0';
	}
}
