/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 16

struct table {
	unsigned int columns, cells, room;
	bool right[COLUMNS_MAX];
	char *titles[COLUMNS_MAX];
	char **text; /* row by row */
};

struct table *table_create(const char *titles)
{
	struct table *t = calloc(1, sizeof(*t));
	char *copy = strdup(titles), *rest = copy, *title;

	if (t == NULL || copy == NULL) {
		free(t);
		free(copy);
		return NULL;
	}
	while (t->columns < COLUMNS_MAX && (title = strsep(&rest, "|")) != NULL) {
		t->right[t->columns] = title[0] == '>';
		t->titles[t->columns++] = strdup(title + (title[0] == '>'));
	}
	free(copy);
	return t;
}

void table_destroy(struct table *t)
{
	if (t == NULL)
		return;
	for (unsigned int i = 0; i < t->columns; i++)
		free(t->titles[i]);
	for (unsigned int i = 0; i < t->cells; i++)
		free(t->text[i]);
	free(t->text);
	free(t);
}

void table_cell(struct table *t, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	/* What a client sent (its EHLO name) must not steer the operator's terminal. */
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	if (t->cells == t->room) {
		unsigned int room = t->room * 2 + 64;
		char **list = realloc(t->text, room * sizeof(*list));

		if (list == NULL) {
			free(text);
			return;
		}
		t->text = list;
		t->room = room;
	}
	t->text[t->cells++] = text;
}

unsigned int table_rows(const struct table *t)
{
	return t->cells / t->columns;
}

/* Characters, not octets. */
static unsigned int width(const char *text)
{
	unsigned int n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static const char *shown(const char *text)
{
	return text != NULL && *text != '\0' ? text : "-";
}

static void print_row(
	const struct table *t, char *const *row, const unsigned int *widths, FILE *out)
{
	for (unsigned int i = 0; i < t->columns; i++) {
		const char *text = shown(row[i]);
		int pad = (int)(widths[i] - width(text));

		if (i > 0)
			fputs("  ", out);
		if (t->right[i])
			fprintf(out, "%*s%s", pad, "", text);
		else if (i + 1 == t->columns)
			fputs(text, out);
		else
			fprintf(out, "%s%*s", text, pad, "");
	}
	fputc('\n', out);
}

void table_print(const struct table *t, bool bare, FILE *out)
{
	unsigned int widths[COLUMNS_MAX] = {0};
	unsigned int rows = table_rows(t);

	for (unsigned int i = 0; i < t->columns; i++)
		widths[i] = bare ? 0 : width(shown(t->titles[i]));
	for (unsigned int i = 0; i < rows * t->columns; i++) {
		unsigned int w = width(shown(t->text[i]));

		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	if (!bare)
		print_row(t, t->titles, widths, out);
	for (unsigned int i = 0; i < rows; i++)
		print_row(t, t->text + i * t->columns, widths, out);
}

static const char *scaled(uint64_t n, unsigned int base, const char *units,
	char out[TABLE_NUMBER_MAX], const char *tail)
{
	double value = (double)n;

	while (value >= base * 0.9995 && units[1] != '\0') {
		value /= base;
		units++;
	}
	snprintf(out, TABLE_NUMBER_MAX, value < 99.95 ? "%.1f%c%s" : "%.0f%c%s", value, *units,
		tail);
	return out;
}

const char *table_count(uint64_t n, char out[TABLE_NUMBER_MAX])
{
	if (n > 9999)
		return scaled(n, 1000, " kMGTPE", out, "");
	snprintf(out, TABLE_NUMBER_MAX, "%" PRIu64, n);
	return out;
}

const char *table_bytes(uint64_t n, char out[TABLE_NUMBER_MAX])
{
	char number[TABLE_NUMBER_MAX];
	size_t len;

	if (n < 1024) {
		snprintf(out, TABLE_NUMBER_MAX, "%" PRIu64 " B", n);
		return out;
	}
	scaled(n, 1024, " kMGTPE", number, "");
	len = strlen(number);
	snprintf(out, TABLE_NUMBER_MAX, "%.*s %cB", (int)len - 1, number, number[len - 1]);
	return out;
}

const char *table_duration(uint64_t s, char out[TABLE_NUMBER_MAX])
{
	if (s < 60)
		snprintf(out, TABLE_NUMBER_MAX, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(out, TABLE_NUMBER_MAX, "%" PRIu64 "m %" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, TABLE_NUMBER_MAX, "%" PRIu64 "h %" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(out, TABLE_NUMBER_MAX, "%" PRIu64 "d %" PRIu64 "h", s / 86400,
			s / 3600 % 24);
	return out;
}
