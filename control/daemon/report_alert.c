/* SPDX-License-Identifier: BSD-3-Clause */
/* Raised alerts, so that what was raised before a restart is cleared after it. */
#include <errno.h>

#include "control/daemon/log.h"
#include "control/daemon/report_private.h"

static void complain(struct report *r)
{
	log_line(LOG_LEVEL_ERROR, "alerts cannot be kept: %s", sqlite3_errmsg(r->db));
}

void report_alert_put(struct report *r, const struct report_alert *a)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(r->db, "INSERT OR REPLACE INTO alert VALUES (?, ?, ?, ?, ?, ?)", -1,
		    &st, NULL) != SQLITE_OK) {
		complain(r);
		return;
	}
	sqlite3_bind_int64(st, 1, a->partner_id);
	sqlite3_bind_text(st, 2, a->partner, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)a->refused);
	sqlite3_bind_int64(st, 4, a->first);
	sqlite3_bind_int64(st, 5, a->last);
	sqlite3_bind_text(st, 6, a->text, -1, SQLITE_STATIC);
	if (sqlite3_step(st) != SQLITE_DONE)
		complain(r);
	sqlite3_finalize(st);
}

void report_alert_delete(struct report *r, uint32_t partner)
{
	sqlite3_stmt *st;

	if (sqlite3_prepare_v2(r->db, "DELETE FROM alert WHERE partner = ?", -1, &st, NULL) !=
		SQLITE_OK) {
		complain(r);
		return;
	}
	sqlite3_bind_int64(st, 1, partner);
	if (sqlite3_step(st) != SQLITE_DONE)
		complain(r);
	sqlite3_finalize(st);
}

int report_alert_next(struct report *r, uint32_t after, struct report_alert *out)
{
	sqlite3_stmt *st;
	int rc = -ENOENT;

	if (sqlite3_prepare_v2(r->db,
		    "SELECT partner, name, refused, first, last, text FROM alert"
		    " WHERE partner > ? ORDER BY partner LIMIT 1",
		    -1, &st, NULL) != SQLITE_OK) {
		complain(r);
		return -EIO;
	}
	sqlite3_bind_int64(st, 1, after);
	if (sqlite3_step(st) == SQLITE_ROW) {
		*out = (struct report_alert){
			.partner_id = (uint32_t)sqlite3_column_int64(st, 0),
			.refused = (uint64_t)sqlite3_column_int64(st, 2),
			.first = sqlite3_column_int64(st, 3),
			.last = sqlite3_column_int64(st, 4),
		};
		ipc_string_set(out->partner, sizeof(out->partner),
			(const char *)sqlite3_column_text(st, 1));
		ipc_string_set(
			out->text, sizeof(out->text), (const char *)sqlite3_column_text(st, 5));
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}
