/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by store*.c. */
#ifndef POSTGATE_CONTROL_DAEMON_STORE_PRIVATE_H
#define POSTGATE_CONTROL_DAEMON_STORE_PRIVATE_H

#include <sqlite3.h>

#include "control/daemon/store.h"

/* Statements are kept for the next time: an import uses the same few a million times. */
#define STORE_STATEMENTS_MAX 64

struct store {
	sqlite3 *db;
	struct {
		const char *sql; /* the caller's literal: compared by its address */
		sqlite3_stmt *st;
		bool used; /* handed out now */
	} statements[STORE_STATEMENTS_MAX];
	unsigned int statement_count;
	bool open; /* a transaction */
	char error[STORE_ERROR_MAX];
};

/* Notes SQLite's last error; returns -EIO or -ENOMEM. */
int store_fail(struct store *s, const char *what);
/* `sql` is a literal. To be given back by store_finish(). */
int store_prepare(struct store *s, const char *sql, sqlite3_stmt **out);
void store_finish(struct store *s, sqlite3_stmt *st);
int store_exec(struct store *s, const char *sql);

#endif
