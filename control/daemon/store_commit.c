/* SPDX-License-Identifier: BSD-3-Clause */
/* Staged changes, a commit on trial, and the way back along the history. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/store_private.h"

/* Runs st to its end and gives it back. */
static int run(struct store *s, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st) == SQLITE_DONE ? 0 : store_fail(s, "store");

	store_finish(s, st);
	return rc;
}

int store_candidate_add(struct store *s, const char *who, const char *partner, const json_t *fields)
{
	char *text = fields ? json_dumps(fields, JSON_COMPACT) : NULL;
	sqlite3_stmt *st;
	int rc;

	if (fields != NULL && text == NULL)
		return -ENOMEM;
	rc = store_prepare(s,
		"INSERT INTO candidate (time, who, partner, fields)"
		" VALUES (strftime('%s', 'now'), ?, ?, ?)",
		&st);
	if (rc == 0) {
		sqlite3_bind_text(st, 1, who, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 2, partner, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 3, text, -1, SQLITE_STATIC);
		rc = run(s, st);
	}
	free(text);
	return rc;
}

int store_candidate_clear(struct store *s, uint64_t *count)
{
	int rc = store_exec(s, "DELETE FROM candidate");

	if (rc == 0 && count != NULL)
		*count = (uint64_t)sqlite3_changes(s->db);
	return rc;
}

int store_trial_get(struct store *s, struct store_trial *out)
{
	sqlite3_stmt *st;
	int rc = store_prepare(s, "SELECT who, generation, expires FROM trial", &st), step;

	if (rc < 0)
		return rc;
	*out = (struct store_trial){0};
	step = sqlite3_step(st);
	if (step == SQLITE_ROW) {
		snprintf(
			out->who, sizeof(out->who), "%s", (const char *)sqlite3_column_text(st, 0));
		out->generation = (uint64_t)sqlite3_column_int64(st, 1);
		out->expires = sqlite3_column_int64(st, 2);
	} else if (step != SQLITE_DONE) {
		rc = store_fail(s, "store");
	}
	store_finish(s, st);
	return rc;
}

int store_trial_set(struct store *s, const struct store_trial *trial)
{
	sqlite3_stmt *st;
	int rc = store_prepare(s, "INSERT OR REPLACE INTO trial VALUES (1, ?, ?, ?)", &st);

	if (rc < 0)
		return rc;
	sqlite3_bind_text(st, 1, trial->who, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)trial->generation);
	sqlite3_bind_int64(st, 3, trial->expires);
	return run(s, st);
}

int store_trial_clear(struct store *s)
{
	return store_exec(s, "DELETE FROM trial");
}

int store_last_commit(struct store *s, uint64_t *generation)
{
	sqlite3_stmt *st;
	int rc, step;

	rc = store_prepare(s,
		"SELECT generation FROM history WHERE undone = 0 AND action LIKE 'partner %'"
		" ORDER BY id DESC LIMIT 1",
		&st);
	if (rc < 0)
		return rc;
	step = sqlite3_step(st);
	if (step == SQLITE_ROW) {
		*generation = (uint64_t)sqlite3_column_int64(st, 0);
	} else if (step == SQLITE_DONE) {
		snprintf(s->error, sizeof(s->error), "there is no commit to undo");
		rc = -ENOENT;
	} else {
		rc = store_fail(s, "store");
	}
	store_finish(s, st);
	return rc;
}

int store_mark_undone(struct store *s, uint64_t generation)
{
	sqlite3_stmt *st;
	int rc;

	rc = store_prepare(s,
		"UPDATE history SET undone = 1 WHERE generation = ? AND action LIKE 'partner %'",
		&st);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)generation);
	return run(s, st);
}

int store_next_change(
	struct store *s, uint64_t generation, int64_t *cursor, char **partner, json_t **fields)
{
	const char *text;
	sqlite3_stmt *st;
	int rc, step;

	rc = store_prepare(s,
		generation == 0 ? "SELECT id, partner, fields FROM candidate"
				  " WHERE id > ?1 ORDER BY id LIMIT 1"
				: "SELECT id, subject, before FROM history"
				  " WHERE generation = ?2 AND undone = 0 AND"
				  " action LIKE 'partner %' AND (?1 = 0 OR id < ?1)"
				  " ORDER BY id DESC LIMIT 1",
		&st);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, *cursor);
	if (generation != 0)
		sqlite3_bind_int64(st, 2, (sqlite3_int64)generation);
	step = sqlite3_step(st);
	if (step == SQLITE_ROW) {
		*cursor = sqlite3_column_int64(st, 0);
		*partner = strdup((const char *)sqlite3_column_text(st, 1));
		text = (const char *)sqlite3_column_text(st, 2);
		*fields = text ? json_loads(text, 0, NULL) : NULL;
		rc = 1;
		if (*partner == NULL || (text != NULL && *fields == NULL)) {
			free(*partner);
			json_decref(*fields);
			snprintf(s->error, sizeof(s->error), "store: a change cannot be read");
			rc = -EIO;
		}
	} else if (step != SQLITE_DONE) {
		rc = store_fail(s, "store");
	}
	store_finish(s, st);
	return rc;
}
