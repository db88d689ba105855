/* SPDX-License-Identifier: BSD-3-Clause */
/* Partners in the store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/store_private.h"

#define PARTNER_COLUMNS                                                         \
	"id, name, inbound, contact, notes, created, changed,"                  \
	" ifnull((SELECT expires FROM suspension WHERE suspension.partner = id" \
	" AND scope = 'inbound'), 0)"

static int load_domains(struct store *s, struct partner *p)
{
	sqlite3_stmt *st;
	int rc, step;

	rc = store_prepare(
		s, "SELECT domain FROM partner_domain WHERE partner = ? ORDER BY position", &st);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, p->id);
	while (rc == 0 && (step = sqlite3_step(st)) == SQLITE_ROW)
		rc = partner_append_domain(p, (const char *)sqlite3_column_text(st, 0));
	if (rc < 0)
		snprintf(s->error, sizeof(s->error), "store: partner %s: out of memory", p->name);
	else if (step != SQLITE_DONE)
		rc = store_fail(s, "store");
	store_finish(s, st);
	return rc;
}

static int load_addresses(struct store *s, struct partner *p)
{
	sqlite3_stmt *st;
	int rc, step;

	rc = store_prepare(s,
		"SELECT address, length FROM partner_address WHERE partner = ? ORDER BY position",
		&st);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, p->id);
	while ((step = sqlite3_step(st)) == SQLITE_ROW) {
		struct prefix *list =
			reallocarray(p->addresses, p->address_count + 1, sizeof(*list));

		if (list == NULL) {
			rc = -ENOMEM;
			break;
		}
		p->addresses = list;
		list += p->address_count++;
		memcpy(list->addr.b, sqlite3_column_blob(st, 0), sizeof(list->addr.b));
		list->len = (uint8_t)sqlite3_column_int(st, 1);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = store_fail(s, "store");
	store_finish(s, st);
	return rc;
}

/* The one row of a SELECT PARTNER_COLUMNS; finalizes st. */
static int load_partner(struct store *s, sqlite3_stmt *st, struct partner *out)
{
	char err[PARTNER_ERROR_MAX] = "";
	struct partner p;
	int rc, step;

	rc = partner_init(&p);
	if (rc < 0) {
		store_finish(s, st);
		return rc;
	}
	step = sqlite3_step(st);
	if (step == SQLITE_ROW) {
		p.id = (uint32_t)sqlite3_column_int64(st, 0);
		rc = partner_set_name(&p, (const char *)sqlite3_column_text(st, 1), err);
		if (rc == 0)
			rc = partner_set_level(&p, (const char *)sqlite3_column_text(st, 2), err);
		if (rc == 0)
			rc = partner_set_contact(&p, (const char *)sqlite3_column_text(st, 3), err);
		if (rc == 0)
			rc = partner_set_notes(&p, (const char *)sqlite3_column_text(st, 4), err);
		p.created = sqlite3_column_int64(st, 5);
		p.changed = sqlite3_column_int64(st, 6);
		p.suspended_until = sqlite3_column_int64(st, 7);
		if (rc < 0)
			snprintf(
				s->error, sizeof(s->error), "store: partner %u: %.150s", p.id, err);
	} else if (step == SQLITE_DONE) {
		snprintf(s->error, sizeof(s->error), "no such partner");
		rc = -ENOENT;
	} else {
		rc = store_fail(s, "store");
	}
	store_finish(s, st);
	if (rc == 0)
		rc = load_domains(s, &p);
	if (rc == 0)
		rc = load_addresses(s, &p);
	if (rc < 0)
		partner_release(&p);
	else
		*out = p;
	return rc;
}

int store_partner_get(struct store *s, const char *name, struct partner *out)
{
	sqlite3_stmt *st;
	int rc = store_prepare(s, "SELECT " PARTNER_COLUMNS " FROM partner WHERE name = ?", &st);

	if (rc < 0)
		return rc;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	return load_partner(s, st, out);
}

int store_partner_next(struct store *s, uint32_t after, struct partner *out)
{
	sqlite3_stmt *st;
	int rc = store_prepare(
		s, "SELECT " PARTNER_COLUMNS " FROM partner WHERE id > ? ORDER BY id LIMIT 1", &st);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, after);
	return load_partner(s, st, out);
}

int store_partner_count(struct store *s, uint64_t *partners, uint64_t *domains, uint64_t *addresses)
{
	sqlite3_stmt *st;
	int rc = store_prepare(s,
		"SELECT (SELECT count(*) FROM partner), (SELECT count(*) FROM partner_domain),"
		" (SELECT count(*) FROM partner_address)",
		&st);

	if (rc < 0)
		return rc;
	if (sqlite3_step(st) == SQLITE_ROW) {
		*partners = (uint64_t)sqlite3_column_int64(st, 0);
		*domains = (uint64_t)sqlite3_column_int64(st, 1);
		*addresses = (uint64_t)sqlite3_column_int64(st, 2);
	} else {
		rc = store_fail(s, "store");
	}
	store_finish(s, st);
	return rc;
}

/* Whose the row is that stands in the way: st selects a partner's name. Finalizes st. */
static int tell_owner(struct store *s, sqlite3_stmt *st, const char *what)
{
	int rc = 0;

	if (sqlite3_step(st) == SQLITE_ROW) {
		snprintf(s->error, sizeof(s->error), "%.120s belongs to partner %s already", what,
			(const char *)sqlite3_column_text(st, 0));
		rc = -EEXIST;
	}
	store_finish(s, st);
	return rc;
}

static int put_domain(struct store *s, const struct partner *p, size_t i)
{
	sqlite3_stmt *st;
	int rc, step;

	rc = store_prepare(s, "INSERT INTO partner_domain VALUES (?, ?, ?)", &st);
	if (rc < 0)
		return rc;
	sqlite3_bind_text(st, 1, p->domains[i], -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, p->id);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)i);
	step = sqlite3_step(st);
	if (step != SQLITE_DONE)
		rc = store_fail(s, "store");
	store_finish(s, st);
	if (step != SQLITE_CONSTRAINT)
		return rc;
	if (store_prepare(s,
		    "SELECT name FROM partner JOIN partner_domain ON partner = id"
		    " WHERE domain = ?",
		    &st) < 0)
		return rc;
	sqlite3_bind_text(st, 1, p->domains[i], -1, SQLITE_STATIC);
	return tell_owner(s, st, p->domains[i]) == -EEXIST ? -EEXIST : rc;
}

static int put_address(struct store *s, const struct partner *p, size_t i)
{
	const struct prefix *a = &p->addresses[i];
	char text[PREFIX_TEXT_MAX];
	sqlite3_stmt *st;
	int rc;

	rc = store_prepare(s,
		"SELECT name FROM partner JOIN partner_address ON partner = id"
		" WHERE address = ? AND length = ?",
		&st);
	if (rc < 0)
		return rc;
	sqlite3_bind_blob(st, 1, a->addr.b, sizeof(a->addr.b), SQLITE_STATIC);
	sqlite3_bind_int(st, 2, a->len);
	prefix_format(a, text);
	rc = tell_owner(s, st, text);
	if (rc == 0)
		rc = store_prepare(s, "INSERT INTO partner_address VALUES (?, ?, ?, ?)", &st);
	if (rc < 0)
		return rc;
	sqlite3_bind_blob(st, 1, a->addr.b, sizeof(a->addr.b), SQLITE_STATIC);
	sqlite3_bind_int(st, 2, a->len);
	sqlite3_bind_int64(st, 3, p->id);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)i);
	if (sqlite3_step(st) != SQLITE_DONE)
		rc = store_fail(s, "store");
	store_finish(s, st);
	return rc;
}

static int put_row(struct store *s, struct partner *p)
{
	sqlite3_stmt *st;
	int rc, step;

	rc = store_prepare(s,
		p->id == 0 ? "INSERT INTO partner (name, inbound, contact, notes, created, changed)"
			     " VALUES (?1, ?2, ?3, ?4, ?6, ?6)"
			   : "UPDATE partner SET name = ?1, inbound = ?2, contact = ?3, notes = ?4,"
			     " changed = ?6 WHERE id = ?5",
		&st);
	if (rc < 0)
		return rc;
	sqlite3_bind_text(st, 1, p->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, config_level_name(p->inbound), -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 3, p->contact, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 4, p->notes, -1, SQLITE_STATIC);
	if (p->id != 0)
		sqlite3_bind_int64(st, 5, p->id);
	p->changed = time(NULL);
	if (p->created == 0)
		p->created = p->changed;
	sqlite3_bind_int64(st, 6, p->changed);
	step = sqlite3_step(st);
	if (step == SQLITE_CONSTRAINT) {
		snprintf(s->error, sizeof(s->error), "there is a partner %s already", p->name);
		rc = -EEXIST;
	} else if (step != SQLITE_DONE) {
		rc = store_fail(s, "store");
	} else if (p->id == 0) {
		p->id = (uint32_t)sqlite3_last_insert_rowid(s->db);
	} else if (sqlite3_changes(s->db) == 0) {
		snprintf(s->error, sizeof(s->error), "no such partner");
		rc = -ENOENT;
	}
	store_finish(s, st);
	return rc;
}

static int delete_by_id(struct store *s, const char *sql, uint32_t id)
{
	sqlite3_stmt *st;
	int rc = store_prepare(s, sql, &st);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, id);
	if (sqlite3_step(st) != SQLITE_DONE)
		rc = store_fail(s, "store");
	store_finish(s, st);
	return rc;
}

int store_partner_put(struct store *s, struct partner *p)
{
	bool new = p->id == 0;
	int rc;

	/* All or nothing, also inside the caller's transaction. */
	rc = store_exec(s, "SAVEPOINT put");
	if (rc < 0)
		return rc;
	rc = put_row(s, p);
	if (rc == 0)
		rc = delete_by_id(s, "DELETE FROM partner_domain WHERE partner = ?", p->id);
	if (rc == 0)
		rc = delete_by_id(s, "DELETE FROM partner_address WHERE partner = ?", p->id);
	for (size_t i = 0; rc == 0 && i < p->domain_count; i++)
		rc = put_domain(s, p, i);
	for (size_t i = 0; rc == 0 && i < p->address_count; i++)
		rc = put_address(s, p, i);
	if (rc == 0)
		return store_exec(s, "RELEASE put");
	sqlite3_exec(s->db, "ROLLBACK TO put; RELEASE put", NULL, NULL, NULL);
	if (new)
		p->id = 0;
	return rc;
}

int store_partner_delete(struct store *s, uint32_t id)
{
	int rc = delete_by_id(s, "DELETE FROM partner WHERE id = ?", id);

	if (rc == 0 && sqlite3_changes(s->db) == 0) {
		snprintf(s->error, sizeof(s->error), "no such partner");
		rc = -ENOENT;
	}
	return rc;
}
