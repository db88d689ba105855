/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by store*.c. */
#ifndef POSTGATE_CONTROL_DAEMON_STORE_PRIVATE_H
#define POSTGATE_CONTROL_DAEMON_STORE_PRIVATE_H

#include <sqlite3.h>

#include "control/daemon/store.h"

struct store {
	sqlite3 *db;
	bool open; /* a transaction */
	char error[STORE_ERROR_MAX];
};

/* Notes SQLite's last error; returns -EIO or -ENOMEM. */
int store_fail(struct store *s, const char *what);
int store_prepare(struct store *s, const char *sql, sqlite3_stmt **out);
int store_exec(struct store *s, const char *sql);

#endif
