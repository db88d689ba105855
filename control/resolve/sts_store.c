/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/sts_store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICIES_MAX   200000
#define PRUNE_INTERVAL 3600
#define FAILURE_KEEP   86400

enum statement {
	GET,
	PUT,
	FAIL,
	FAILED,
	SUCCEED,
	BEGIN,
	COMMIT,
	PRUNE,
	PRUNE_FAILURES,
	PRUNE_EXCESS,
	STATEMENTS,
};

static const char *const sql[STATEMENTS] = {
	[GET] = "SELECT id, mode, mx, fetched, expiry FROM policy WHERE domain = ? AND expiry > ?",
	[PUT] = "INSERT OR REPLACE INTO policy (domain, id, mode, mx, fetched, expiry) "
		"VALUES (?, ?, ?, ?, ?, ?)",
	[FAIL] = "INSERT OR REPLACE INTO failure (domain, id, at) VALUES (?, ?, ?)",
	[FAILED] = "SELECT 1 FROM failure WHERE domain = ? AND id = ? AND at > ? AND at <= ?",
	[SUCCEED] = "DELETE FROM failure WHERE domain = ?",
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[PRUNE] = "DELETE FROM policy WHERE expiry <= ?",
	[PRUNE_FAILURES] = "DELETE FROM failure WHERE at <= ?",
	[PRUNE_EXCESS] = "DELETE FROM policy WHERE domain IN (SELECT domain FROM policy ORDER BY "
			 "fetched DESC LIMIT -1 OFFSET ?)",
};

static const char schema[] =
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = NORMAL;"
	"CREATE TABLE IF NOT EXISTS policy (domain TEXT PRIMARY KEY, id TEXT NOT NULL, mode "
	"INTEGER "
	"NOT NULL, mx TEXT NOT NULL, fetched INTEGER NOT NULL, expiry INTEGER NOT NULL) WITHOUT "
	"ROWID;"
	"CREATE INDEX IF NOT EXISTS policy_expiry ON policy (expiry);"
	"CREATE INDEX IF NOT EXISTS policy_fetched ON policy (fetched);"
	"CREATE TABLE IF NOT EXISTS failure (domain TEXT PRIMARY KEY, id TEXT NOT NULL, at INTEGER "
	"NOT NULL) WITHOUT ROWID;";

struct sts_store {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	bool open; /* a transaction */
	time_t pruned;
};

int sts_store_open(const char *path, struct sts_store **out, char *err, size_t err_size)
{
	struct sts_store *s = calloc(1, sizeof(*s));
	const char *name = path != NULL ? path : ":memory:";

	if (s == NULL) {
		snprintf(err, err_size, "out of memory");
		return -ENOMEM;
	}
	if (sqlite3_open(name, &s->db) != SQLITE_OK ||
		sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		goto fail;
	sqlite3_busy_timeout(s->db, 0); /* the loop never waits for another process */
	for (size_t i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
			    &s->statements[i], NULL) != SQLITE_OK)
			goto fail;
	*out = s;
	return 0;
fail:
	snprintf(err, err_size, "%s: %s", name,
		s->db != NULL ? sqlite3_errmsg(s->db) : "out of memory");
	sts_store_close(s);
	return -EIO;
}

void sts_store_close(struct sts_store *s)
{
	if (s == NULL)
		return;
	if (s->open)
		sts_store_commit(s, s->pruned);
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	free(s);
}

static void bind_text(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

/* For statements without rows. */
static int run(struct sts_store *s, enum statement which)
{
	sqlite3_stmt *st = s->statements[which];
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc == SQLITE_DONE ? 0 : -EIO;
}

static int begin(struct sts_store *s)
{
	int rc = s->open ? 0 : run(s, BEGIN);

	s->open = rc == 0;
	return rc;
}

/* Patterns with a blank between them. */
static void unpack_mx(const char *text, struct sts_policy *p)
{
	while (*text != '\0' && p->mx_count < STS_MX_MAX) {
		size_t len = strcspn(text, " ");

		if (len > 0 && len < NAME_MAX_TEXT) {
			memcpy(p->mx[p->mx_count], text, len);
			p->mx[p->mx_count++][len] = '\0';
		}
		text += len;
		text += *text == ' ';
	}
}

int sts_store_get(struct sts_store *s, const char *domain, time_t now, struct sts_entry *out)
{
	sqlite3_stmt *st = s->statements[GET];
	int rc;

	memset(out, 0, sizeof(*out));
	bind_text(st, 1, domain);
	sqlite3_bind_int64(st, 2, now);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		int mode = sqlite3_column_int(st, 1);
		const char *mx = (const char *)sqlite3_column_text(st, 2);

		snprintf(out->id, sizeof(out->id), "%s", (const char *)sqlite3_column_text(st, 0));
		out->policy.mode =
			mode > STS_NONE && mode < STS_MODES ? (enum sts_mode)mode : STS_NONE;
		unpack_mx(mx != NULL ? mx : "", &out->policy);
		out->fetched = sqlite3_column_int64(st, 3);
		out->expiry = sqlite3_column_int64(st, 4);
		out->policy.max_age = (uint32_t)(out->expiry - out->fetched);
	}
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENOENT : -EIO;
}

int sts_store_put(struct sts_store *s, const char *domain, const struct sts_entry *e)
{
	sqlite3_stmt *st = s->statements[PUT];
	char *mx = malloc(STS_MX_MAX * NAME_MAX_TEXT), *to = mx;
	int rc;

	if (mx == NULL || begin(s) < 0) {
		free(mx);
		return -EIO;
	}
	*to = '\0';
	for (size_t i = 0; i < e->policy.mx_count; i++) {
		if (i > 0)
			*to++ = ' ';
		to = stpcpy(to, e->policy.mx[i]);
	}
	bind_text(st, 1, domain);
	bind_text(st, 2, e->id);
	sqlite3_bind_int(st, 3, (int)e->policy.mode);
	bind_text(st, 4, mx);
	sqlite3_bind_int64(st, 5, e->fetched);
	sqlite3_bind_int64(st, 6, e->expiry);
	rc = run(s, PUT);
	free(mx);
	if (rc < 0)
		return rc;
	bind_text(s->statements[SUCCEED], 1, domain);
	return run(s, SUCCEED);
}

int sts_store_put_failure(struct sts_store *s, const char *domain, const char *id, time_t now)
{
	sqlite3_stmt *st = s->statements[FAIL];

	if (begin(s) < 0)
		return -EIO;
	bind_text(st, 1, domain);
	bind_text(st, 2, id);
	sqlite3_bind_int64(st, 3, now);
	return run(s, FAIL);
}

bool sts_store_has_failed(
	struct sts_store *s, const char *domain, const char *id, time_t since, time_t now)
{
	sqlite3_stmt *st = s->statements[FAILED];
	bool found;

	bind_text(st, 1, domain);
	bind_text(st, 2, id);
	sqlite3_bind_int64(st, 3, since);
	sqlite3_bind_int64(st, 4, now);
	found = sqlite3_step(st) == SQLITE_ROW;
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return found;
}

static void prune(struct sts_store *s, time_t now)
{
	if (now - s->pruned < PRUNE_INTERVAL && now >= s->pruned)
		return;
	s->pruned = now;
	sqlite3_bind_int64(s->statements[PRUNE], 1, now);
	run(s, PRUNE);
	sqlite3_bind_int64(s->statements[PRUNE_FAILURES], 1, now - FAILURE_KEEP);
	run(s, PRUNE_FAILURES);
	sqlite3_bind_int64(s->statements[PRUNE_EXCESS], 1, POLICIES_MAX);
	run(s, PRUNE_EXCESS);
}

int sts_store_commit(struct sts_store *s, time_t now)
{
	int rc;

	if (!s->open)
		return 0;
	prune(s, now);
	rc = run(s, COMMIT);
	/* Busy: another time; what cannot be written at all is rolled back by SQLite itself. */
	s->open = rc < 0 && sqlite3_get_autocommit(s->db) == 0;
	return rc;
}
