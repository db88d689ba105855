/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose a domain or a prefix is. */
#include <errno.h>

#include "control/daemon/store_private.h"

static int owner(struct store *s, sqlite3_stmt *st, uint32_t *id)
{
	int step = sqlite3_step(st), rc = 0;

	if (step == SQLITE_ROW)
		*id = (uint32_t)sqlite3_column_int64(st, 0);
	else
		rc = step == SQLITE_DONE ? -ENOENT : store_fail(s, "store");
	store_finish(s, st);
	return rc;
}

int store_find_domain(struct store *s, const char *domain, uint32_t *partner)
{
	sqlite3_stmt *st;
	int rc = store_prepare(s, "SELECT partner FROM partner_domain WHERE domain = ?", &st);

	if (rc < 0)
		return rc;
	sqlite3_bind_text(st, 1, domain, -1, SQLITE_STATIC);
	return owner(s, st, partner);
}

int store_find_prefix(struct store *s, const struct prefix *prefix, uint32_t *partner)
{
	sqlite3_stmt *st;
	int rc;

	rc = store_prepare(
		s, "SELECT partner FROM partner_address WHERE address = ? AND length = ?", &st);
	if (rc < 0)
		return rc;
	sqlite3_bind_blob(st, 1, prefix->addr.b, sizeof(prefix->addr.b), SQLITE_STATIC);
	sqlite3_bind_int(st, 2, prefix->len);
	return owner(s, st, partner);
}
