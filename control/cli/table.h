/* SPDX-License-Identifier: BSD-3-Clause */
/* Aligned columns for a terminal, and numbers as people read them. */
#ifndef POSTGATE_CONTROL_CLI_TABLE_H
#define POSTGATE_CONTROL_CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct table;

/* Titles separated by '|'; one that begins with '>' is of a column of numbers (to the right).
 * NULL without memory. */
struct table *table_create(const char *titles);
void table_destroy(struct table *t);
/* The next cell of the row; a row ends by itself after its last column. An empty text shows as
 * "-". Control characters show as "?". */
__attribute__((format(printf, 2, 3))) void table_cell(struct table *t, const char *fmt, ...);
unsigned int table_rows(const struct table *t);
/* Titles and rows; nothing behind a line's last cell. No title line if `bare`. */
void table_print(const struct table *t, bool bare, FILE *out);

/* 950, "12.4k", "3.1M": at most 5 characters. Exact up to 9999. */
#define TABLE_NUMBER_MAX 24
const char *table_count(uint64_t n, char out[TABLE_NUMBER_MAX]);
/* "512 B", "49.8 MB" (2^20). */
const char *table_bytes(uint64_t n, char out[TABLE_NUMBER_MAX]);
/* "45s", "12m 5s", "3h 20m", "5d 2h". */
const char *table_duration(uint64_t seconds, char out[TABLE_NUMBER_MAX]);

#endif
