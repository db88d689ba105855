/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

/* Of the event loop's time at once; the rest of the daemon waits no longer than this. */
#define TURN_MS 20

void commit_free(struct commit *m)
{
	if (m == NULL)
		return;
	if (m->source_free != NULL)
		m->source_free(m->source);
	if (m->turn != NULL)
		event_free(m->turn);
	free(m->touched);
	json_decref(m->list);
	free(m);
}

static bool touch(struct commit *m, uint32_t id, bool fresh, bool gone)
{
	struct commit_touched *list;

	if (m->touched_count == m->touched_room) {
		m->touched_room = m->touched_room ? 2 * m->touched_room : 64;
		list = reallocarray(m->touched, m->touched_room, sizeof(*list));
		if (list == NULL)
			return false;
		m->touched = list;
	}
	m->touched[m->touched_count] = (struct commit_touched){id, fresh, gone, m->touched_count};
	m->touched_count++;
	return true;
}

/* {"domain": [old, new], ...}: what differs. */
static json_t *differences(const json_t *before, const json_t *after)
{
	static const char *const own[] = {"id", "name", "created", "changed"};
	const json_t *keys = after ? after : before;
	json_t *o = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)keys, key, value)
	{
		json_t *old = json_object_get(before, key), *new = json_object_get(after, key);
		size_t i;

		for (i = 0; i < sizeof(own) / sizeof(own[0]) && strcmp(own[i], key) != 0; i++)
			;
		if (i < sizeof(own) / sizeof(own[0]) || json_equal(old, new))
			continue;
		json_object_set_new(o, key,
			json_pack("[O, O]", old ? old : json_null(), new ? new : json_null()));
	}
	return o;
}

static void tell(struct commit *m, const char *name, const json_t *before, const json_t *after)
{
	const char *action = before == NULL ? "create" : after == NULL ? "delete" : "change";

	if (before == NULL)
		m->created++;
	else if (after == NULL)
		m->deleted++;
	else
		m->changed++;
	if (json_array_size(m->list) < COMMIT_LIST_MAX)
		json_array_append_new(
			m->list, json_pack("{s:s, s:s, s:o}", "partner", name, "action", action,
					 "fields", differences(before, after)));
}

/* What the store says of its own of a partner is no field of it. */
static json_t *only_fields(const json_t *record)
{
	json_t *fields = json_copy((json_t *)record);

	json_object_del(fields, "id");
	json_object_del(fields, "name");
	json_object_del(fields, "created");
	json_object_del(fields, "changed");
	return fields;
}

/* `p` as it will be. 0, or -errno with a text. */
static int make_record(struct partner *p, const struct commit_op *op, bool found, char *err)
{
	struct partner old = *p;
	json_t *fields = only_fields(op->fields);
	int rc = 0;

	if (!found || op->whole) {
		rc = partner_init(p);
		if (rc == 0)
			rc = partner_set_name(p, found ? old.name : op->name, err);
		if (rc == 0 && found) {
			p->id = old.id;
			p->created = old.created;
			p->suspended_until = old.suspended_until;
		}
		if (found)
			partner_release(&old);
	}
	if (rc == 0)
		rc = partner_apply(p, fields, err);
	if (rc == 0)
		rc = partner_check(p, err);
	json_decref(fields);
	return rc;
}

static int apply_delete(struct change *c, struct partner *p, const json_t *before, char *err)
{
	struct store *store = c->daemon->params.store;
	struct commit *m = c->commit;
	int rc;

	rc = store_partner_delete(store, p->id);
	if (rc == 0 && !m->dry)
		rc = store_history_add(store, change_who(c), m->delete_action, p->name,
			change_reason(c), before, NULL, c->generation);
	if (rc < 0) {
		snprintf(err, PARTNER_ERROR_MAX, "%.250s", store_error(store));
		return rc;
	}
	tell(m, p->name, before, NULL);
	return touch(m, p->id, false, true) ? 0 : -ENOMEM;
}

static int apply_set(struct change *c, const struct commit_op *op, struct partner *p,
	const json_t *before, char *err)
{
	struct store *store = c->daemon->params.store;
	struct commit *m = c->commit;
	json_t *after = NULL;
	int rc;

	rc = make_record(p, op, before != NULL, err);
	if (rc < 0)
		return rc;
	after = partner_to_json(p);
	if (after == NULL)
		return -ENOMEM;
	if (before != NULL && json_equal(before, after)) {
		m->same++;
		goto out;
	}
	rc = store_partner_put(store, p);
	if (rc == 0 && !m->dry) {
		json_decref(after);
		after = partner_to_json(p);
		rc = store_history_add(store, change_who(c), m->set_action, p->name,
			change_reason(c), before, after, c->generation);
	}
	if (rc < 0) {
		snprintf(err, PARTNER_ERROR_MAX, "%.250s", store_error(store));
		goto out;
	}
	tell(m, p->name, before, after);
	rc = touch(m, p->id, before == NULL, false) ? 0 : -ENOMEM;
out:
	json_decref(after);
	return rc;
}

static int apply(struct change *c, const struct commit_op *op, char *err)
{
	struct store *store = c->daemon->params.store;
	json_t *before = NULL;
	struct partner p = {0};
	int rc = store_partner_get(store, op->name, &p);

	if (rc == 0)
		before = partner_to_json(&p);
	else if (rc != -ENOENT)
		snprintf(err, PARTNER_ERROR_MAX, "%.250s", store_error(store));
	else if (op->fields != NULL)
		rc = 0;
	else
		snprintf(err, PARTNER_ERROR_MAX, "no such partner: %.80s", op->name);
	if (rc == 0)
		rc = op->fields ? apply_set(c, op, &p, before, err)
				: apply_delete(c, &p, before, err);
	partner_release(&p);
	json_decref(before);
	return rc;
}

static int by_id(const void *a, const void *b)
{
	const struct commit_touched *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* Each partner once, as it is in the end; what came and went within this commit not at all. */
static struct push_item *make_items(struct commit *m, size_t *count)
{
	struct push_item *items = calloc(m->touched_count, sizeof(*items));
	size_t n = 0;

	if (items == NULL)
		return NULL;
	qsort(m->touched, m->touched_count, sizeof(*m->touched), by_id);
	for (size_t i = 0; i < m->touched_count;) {
		uint32_t id = m->touched[i].id;
		bool fresh = m->touched[i].fresh, gone = false;

		for (; i < m->touched_count && m->touched[i].id == id; i++)
			gone = m->touched[i].gone;
		if (!fresh || !gone)
			items[n++] = (struct push_item){id, gone};
	}
	*count = n;
	return items;
}

static json_t *told(struct commit *m)
{
	uint64_t all = m->created + m->changed + m->deleted;

	return json_pack("{s:I, s:I, s:I, s:I, s:O, s:b}", "created", (json_int_t)m->created,
		"changed", (json_int_t)m->changed, "deleted", (json_int_t)m->deleted, "same",
		(json_int_t)m->same, "changes", m->list, "more", all > COMMIT_LIST_MAX);
}

static void commit_end(struct change *c)
{
	struct store *store = c->daemon->params.store;
	struct commit *m = c->commit;
	struct push_item *items;
	struct push *push;
	size_t count;

	if (m->finish != NULL && m->finish(c) < 0) {
		change_fail(c, "internal", store_error(store));
		return;
	}
	if (m->dry) {
		/* What it did to the store is rolled back with the change. */
		change_answered(c, told(m));
		return;
	}
	if (m->touched_count == 0) {
		json_t *result = told(m);

		json_object_set_new(result, "pushed", json_false());
		change_answered(c, result);
		return;
	}
	json_decref(c->told);
	c->told = told(m);
	items = make_items(m, &count);
	if (items == NULL || push_create_items(store, items, count, c->generation, &push) < 0) {
		free(items);
		change_fail(c, "internal", "out of memory");
		return;
	}
	snprintf(c->subject, sizeof(c->subject), "%zu partners", count);
	change_push(c, push);
}

static void commit_turn(evutil_socket_t fd, short what, void *arg)
{
	struct change *c = arg;
	struct commit *m = c->commit;
	uint64_t until = daemon_now_ms() + TURN_MS;
	struct timeval now = {0};
	int rc;

	do {
		char err[PARTNER_ERROR_MAX] = "out of memory", told_err[PARTNER_ERROR_MAX + 32];
		struct commit_op op = {0};

		rc = m->next(c, &op, err);
		if (rc == 0) {
			commit_end(c);
			return;
		}
		if (rc > 0)
			rc = apply(c, &op, err);
		if (rc < 0 && op.line > 0)
			snprintf(told_err, sizeof(told_err), "line %u: %s", op.line, err);
		else
			snprintf(told_err, sizeof(told_err), "%s", err);
		free(op.name);
		json_decref(op.fields);
		if (rc < 0) {
			change_fail(c,
				rc == -EEXIST   ? "conflict"
				: rc == -ENOENT ? "not_found"
				: rc == -EINVAL ? "invalid"
						: "internal",
				told_err);
			return;
		}
	} while (daemon_now_ms() < until);
	evtimer_add(m->turn, &now);
}

bool commit_new(struct change *c, int (*next)(struct change *c, struct commit_op *op, char *err))
{
	struct commit *m = calloc(1, sizeof(*m));

	if (m != NULL) {
		c->commit = m;
		m->next = next;
		m->set_action = "partner set";
		m->delete_action = "partner delete";
		m->list = json_array();
		m->turn = evtimer_new(c->daemon->params.base, commit_turn, c);
		if (m->turn != NULL)
			return true;
	}
	change_fail(c, "internal", "out of memory");
	return false;
}

void commit_start(struct change *c)
{
	struct store *store = c->daemon->params.store;

	c->storing = store_begin(store) == 0;
	if (!c->storing || (!c->commit->dry && change_number(c) < 0)) {
		change_fail(c, "internal", store_error(store));
		return;
	}
	commit_turn(-1, 0, c);
}
