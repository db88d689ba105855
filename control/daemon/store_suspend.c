/* SPDX-License-Identifier: BSD-3-Clause */
/* Suspensions in the store: those in force; what was is in the history. */
#include <errno.h>
#include <stdio.h>

#include "control/daemon/store_private.h"

int store_suspension_put(struct store *s, uint32_t partner, const struct store_suspension *v)
{
	sqlite3_stmt *st;
	int rc = store_prepare(s,
		"INSERT OR REPLACE INTO suspension"
		" (partner, scope, reason, ticket, owner, created, expires)"
		" VALUES (?, ?, ?, ?, ?, ?, ?)",
		&st);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, partner);
	sqlite3_bind_text(st, 2, v->scope, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 3, v->reason, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 4, v->ticket, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 5, v->owner, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 6, v->created);
	sqlite3_bind_int64(st, 7, v->expires);
	if (sqlite3_step(st) != SQLITE_DONE)
		rc = store_fail(s, "store");
	store_finish(s, st);
	return rc;
}

int store_suspension_delete(struct store *s, uint32_t partner, const char *scope)
{
	sqlite3_stmt *st;
	int rc = store_prepare(s, "DELETE FROM suspension WHERE partner = ? AND scope = ?", &st);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, partner);
	sqlite3_bind_text(st, 2, scope, -1, SQLITE_STATIC);
	if (sqlite3_step(st) != SQLITE_DONE) {
		rc = store_fail(s, "store");
	} else if (sqlite3_changes(s->db) == 0) {
		snprintf(s->error, sizeof(s->error), "the partner is not suspended");
		rc = -ENOENT;
	}
	store_finish(s, st);
	return rc;
}

int store_suspensions(struct store *s, json_t **out)
{
	json_t *list = json_array();
	sqlite3_stmt *st;
	int rc, step;

	rc = store_prepare(s,
		"SELECT id, name, scope, reason, ticket, owner, suspension.created, expires,"
		" inbound, contact FROM suspension JOIN partner ON partner = id ORDER BY expires",
		&st);
	if (rc < 0) {
		json_decref(list);
		return rc;
	}
	while ((step = sqlite3_step(st)) == SQLITE_ROW)
		json_array_append_new(
			list, json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s}", "id",
				      (json_int_t)sqlite3_column_int64(st, 0), "partner",
				      (const char *)sqlite3_column_text(st, 1), "scope",
				      (const char *)sqlite3_column_text(st, 2), "reason",
				      (const char *)sqlite3_column_text(st, 3), "ticket",
				      (const char *)sqlite3_column_text(st, 4), "owner",
				      (const char *)sqlite3_column_text(st, 5), "created",
				      (json_int_t)sqlite3_column_int64(st, 6), "expires",
				      (json_int_t)sqlite3_column_int64(st, 7), "inbound",
				      (const char *)sqlite3_column_text(st, 8), "contact",
				      (const char *)sqlite3_column_text(st, 9)));
	if (step != SQLITE_DONE)
		rc = store_fail(s, "store");
	store_finish(s, st);
	if (rc < 0)
		json_decref(list);
	else
		*out = list;
	return rc;
}
