/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "control/daemon/store_private.h"

/*
 * Schema steps: step n brings version n to n + 1. Never edit one that was released; add the next.
 * Levels are words, not numbers, so that a dump can be read.
 */
static const char *const store_steps[STORE_SCHEMA] = {
	"CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL);"
	"INSERT INTO state VALUES (1, 0);"
	"CREATE TABLE partner ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE COLLATE NOCASE,"
	" inbound TEXT NOT NULL,"
	" contact TEXT NOT NULL DEFAULT '',"
	" notes TEXT NOT NULL DEFAULT '',"
	" created INTEGER NOT NULL,"
	" changed INTEGER NOT NULL);"
	"CREATE TABLE partner_domain ("
	" domain TEXT PRIMARY KEY,"
	" partner INTEGER NOT NULL REFERENCES partner ON DELETE CASCADE,"
	" position INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX partner_domain_partner ON partner_domain (partner, position);"
	"CREATE TABLE partner_address ("
	" address BLOB NOT NULL CHECK (length(address) = 16)," /* IPv4 mapped */
	" length INTEGER NOT NULL,"
	" partner INTEGER NOT NULL REFERENCES partner ON DELETE CASCADE,"
	" position INTEGER NOT NULL,"
	" PRIMARY KEY (address, length)) WITHOUT ROWID;"
	"CREATE INDEX partner_address_partner ON partner_address (partner, position);",

	"CREATE TABLE history ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" time INTEGER NOT NULL,"
	" who TEXT NOT NULL,"
	" action TEXT NOT NULL,"
	" subject TEXT NOT NULL,"
	" before TEXT,"
	" after TEXT,"
	" generation INTEGER NOT NULL);",

	"ALTER TABLE history ADD COLUMN reason TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE history ADD COLUMN undone INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX history_generation ON history (generation);"
	"CREATE TABLE suspension ("
	" partner INTEGER NOT NULL REFERENCES partner ON DELETE CASCADE,"
	" scope TEXT NOT NULL,"
	" reason TEXT NOT NULL,"
	" ticket TEXT NOT NULL,"
	" owner TEXT NOT NULL,"
	" created INTEGER NOT NULL,"
	" expires INTEGER NOT NULL,"
	" PRIMARY KEY (partner, scope)) WITHOUT ROWID;"
	"CREATE TABLE candidate ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" time INTEGER NOT NULL,"
	" who TEXT NOT NULL,"
	" partner TEXT NOT NULL,"
	" fields TEXT);" /* NULL: delete */
	/* A commit that reverts by itself unless it is confirmed. */
	"CREATE TABLE trial (one INTEGER PRIMARY KEY CHECK (one = 1),"
	" who TEXT NOT NULL,"
	" generation INTEGER NOT NULL,"
	" expires INTEGER NOT NULL);",
};

int store_fail(struct store *s, const char *what)
{
	snprintf(s->error, sizeof(s->error), "%s: %s", what, sqlite3_errmsg(s->db));
	return sqlite3_errcode(s->db) == SQLITE_NOMEM ? -ENOMEM : -EIO;
}

int store_prepare(struct store *s, const char *sql, sqlite3_stmt **out)
{
	unsigned int n = s->statement_count;

	for (unsigned int i = 0; i < n; i++) {
		if (s->statements[i].sql != sql || s->statements[i].used)
			continue;
		s->statements[i].used = true;
		*out = s->statements[i].st;
		return 0;
	}
	if (sqlite3_prepare_v2(s->db, sql, -1, out, NULL) != SQLITE_OK)
		return store_fail(s, "store");
	if (n < STORE_STATEMENTS_MAX) {
		s->statements[n].sql = sql;
		s->statements[n].st = *out;
		s->statements[n].used = true;
		s->statement_count++;
	}
	return 0;
}

void store_finish(struct store *s, sqlite3_stmt *st)
{
	for (unsigned int i = 0; i < s->statement_count; i++) {
		if (s->statements[i].st != st)
			continue;
		sqlite3_reset(st);
		sqlite3_clear_bindings(st);
		s->statements[i].used = false;
		return;
	}
	sqlite3_finalize(st);
}

int store_exec(struct store *s, const char *sql)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return store_fail(s, "store");
}

static int store_number(struct store *s, const char *sql, uint64_t *out)
{
	sqlite3_stmt *st;
	int rc = store_prepare(s, sql, &st);

	if (rc < 0)
		return rc;
	if (sqlite3_step(st) == SQLITE_ROW)
		*out = (uint64_t)sqlite3_column_int64(st, 0);
	else
		rc = store_fail(s, "store");
	store_finish(s, st);
	return rc;
}

static int store_migrate(struct store *s)
{
	uint64_t version;
	char sql[64];
	int rc = store_number(s, "PRAGMA user_version", &version);

	if (rc < 0)
		return rc;
	if (version > STORE_SCHEMA) {
		snprintf(s->error, sizeof(s->error),
			"is of schema %" PRIu64
			", written by a newer postgated; this one knows up to %d",
			version, STORE_SCHEMA);
		return -EPROTO;
	}
	for (; version < STORE_SCHEMA; version++) {
		rc = store_begin(s);
		if (rc == 0)
			rc = store_exec(s, store_steps[version]);
		snprintf(sql, sizeof(sql), "PRAGMA user_version = %" PRIu64, version + 1);
		if (rc == 0)
			rc = store_exec(s, sql);
		if (rc == 0)
			rc = store_commit(s);
		if (rc < 0) {
			store_rollback(s);
			return rc;
		}
	}
	return 0;
}

int store_open(const char *path, struct store **out, char *err)
{
	struct store *s = calloc(1, sizeof(*s));
	int fd, rc;

	if (s == NULL) {
		snprintf(err, STORE_ERROR_MAX, "out of memory");
		return -ENOMEM;
	}
	/* SQLite would make it with the umask's mode; notes and contacts are not for everybody. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		rc = -errno;
		snprintf(err, STORE_ERROR_MAX, "%.160s: %s", path, strerror(errno));
		free(s);
		return rc;
	}
	close(fd);
	rc = -EIO;
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
		SQLITE_OK)
		goto out;
	sqlite3_busy_timeout(s->db, 2000);
	/* FULL: a change that was answered with "done" survives a power cut. */
	rc = store_exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			   "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;");
	if (rc == 0)
		rc = store_migrate(s);
out:
	if (rc < 0) {
		snprintf(err, STORE_ERROR_MAX, "%.120s: %.130s", path,
			s->error[0] ? s->error : sqlite3_errmsg(s->db));
		store_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->open)
		store_rollback(s);
	for (unsigned int i = 0; i < s->statement_count; i++)
		sqlite3_finalize(s->statements[i].st);
	sqlite3_close(s->db);
	free(s);
}

const char *store_error(const struct store *s)
{
	return s->error;
}

int store_begin(struct store *s)
{
	int rc;

	if (s->open) {
		snprintf(s->error, sizeof(s->error), "another change is under way");
		return -EBUSY;
	}
	rc = store_exec(s, "BEGIN IMMEDIATE");
	s->open = rc == 0;
	return rc;
}

int store_commit(struct store *s)
{
	int rc = store_exec(s, "COMMIT");

	if (rc == 0)
		s->open = false;
	return rc;
}

void store_rollback(struct store *s)
{
	if (s->open && sqlite3_get_autocommit(s->db) == 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	s->open = false;
}

int store_generation(struct store *s, uint64_t *out)
{
	return store_number(s, "SELECT generation FROM state", out);
}

int store_next_generation(struct store *s, uint64_t floor, uint64_t *out)
{
	sqlite3_stmt *st;
	int rc;

	rc = store_prepare(s,
		"UPDATE state SET generation = max(generation, ?) + 1 RETURNING generation", &st);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)floor);
	if (sqlite3_step(st) == SQLITE_ROW)
		*out = (uint64_t)sqlite3_column_int64(st, 0);
	else
		rc = store_fail(s, "store");
	/* To its end: a statement that stops at its row is not committed. */
	if (rc == 0 && sqlite3_step(st) != SQLITE_DONE)
		rc = store_fail(s, "store");
	store_finish(s, st);
	return rc;
}

int store_history_add(struct store *s, const char *who, const char *action, const char *subject,
	const char *reason, const json_t *before, const json_t *after, uint64_t generation)
{
	char *old = before ? json_dumps(before, JSON_COMPACT) : NULL;
	char *new = after ? json_dumps(after, JSON_COMPACT) : NULL;
	sqlite3_stmt *st;
	int rc;

	rc = store_prepare(s,
		"INSERT INTO history (time, who, action, subject, before, after, generation, "
		"reason)"
		" VALUES (strftime('%s', 'now'), ?, ?, ?, ?, ?, ?, ?)",
		&st);
	if (rc == 0) {
		sqlite3_bind_text(st, 1, who, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 2, action, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 3, subject, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 4, old, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 5, new, -1, SQLITE_STATIC);
		sqlite3_bind_int64(st, 6, (sqlite3_int64)generation);
		sqlite3_bind_text(st, 7, reason, -1, SQLITE_STATIC);
		if (sqlite3_step(st) != SQLITE_DONE)
			rc = store_fail(s, "store");
		store_finish(s, st);
	}
	free(old);
	free(new);
	return rc;
}

static json_t *history_column(sqlite3_stmt *st, int column)
{
	const char *text = (const char *)sqlite3_column_text(st, column);
	json_t *value = text ? json_loads(text, 0, NULL) : NULL;

	return value ? value : json_null();
}

int store_history(struct store *s, unsigned int limit, json_t **out)
{
	json_t *list = json_array();
	sqlite3_stmt *st;
	int rc, step;

	rc = store_prepare(s,
		"SELECT time, who, action, subject, before, after, generation, reason, undone"
		" FROM history"
		" ORDER BY id DESC LIMIT ?",
		&st);
	if (rc < 0) {
		json_decref(list);
		return rc;
	}
	sqlite3_bind_int64(st, 1, limit);
	while ((step = sqlite3_step(st)) == SQLITE_ROW)
		json_array_append_new(
			list, json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:I, s:s, s:b}", "time",
				      (json_int_t)sqlite3_column_int64(st, 0), "who",
				      (const char *)sqlite3_column_text(st, 1), "action",
				      (const char *)sqlite3_column_text(st, 2), "subject",
				      (const char *)sqlite3_column_text(st, 3), "before",
				      history_column(st, 4), "after", history_column(st, 5),
				      "generation", (json_int_t)sqlite3_column_int64(st, 6),
				      "reason", (const char *)sqlite3_column_text(st, 7), "undone",
				      sqlite3_column_int(st, 8)));
	if (step != SQLITE_DONE)
		rc = store_fail(s, "store");
	store_finish(s, st);
	if (rc < 0)
		json_decref(list);
	else
		*out = list;
	return rc;
}
