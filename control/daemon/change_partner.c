/* SPDX-License-Identifier: BSD-3-Clause */
/* The change of one partner, that is a commit of its own. */
#include <errno.h>
#include <stdio.h>

#include "control/daemon/change_private.h"

/* Opens the store's transaction and loads the record, if there is one. 0, -ENOENT; answered else.
 */
int change_open_partner(struct change *c)
{
	struct store *store = c->daemon->params.store;
	int rc = store_begin(store);

	if (rc == 0) {
		c->storing = true;
		rc = store_partner_get(store, c->name, &c->partner);
		c->has_partner = rc == 0;
	}
	if (rc < 0 && rc != -ENOENT)
		change_fail(c, "internal", store_error(store));
	return rc;
}

void change_finish_partner(
	struct change *c, const char *action, const json_t *before, const json_t *after, bool gone)
{
	struct store *store = c->daemon->params.store;
	struct push *push;
	int rc = change_number(c);

	if (rc == 0)
		rc = store_history_add(store, change_who(c), action, c->partner.name,
			change_reason(c), before, after, c->generation);
	if (rc < 0) {
		change_fail(c, "internal", store_error(store));
		return;
	}
	snprintf(c->subject, sizeof(c->subject), "partner %s", c->partner.name);
	rc = gone ? push_create_delete(c->partner.id, c->generation, &push)
		  : push_create_partner(&c->partner, c->generation, &push);
	if (rc < 0)
		change_fail(c, "internal", "out of memory");
	else
		change_push(c, push);
}

static void start_partner_set(struct change *c)
{
	struct store *store = c->daemon->params.store;
	json_t *before = NULL, *after = NULL;
	char err[PARTNER_ERROR_MAX] = "out of memory";
	bool created = false;
	int rc;

	if (commit_in_the_way(c))
		return;
	rc = change_open_partner(c);
	if (rc == -ENOENT) {
		created = true;
		c->action = "created";
		rc = partner_init(&c->partner);
		c->has_partner = rc == 0;
		if (rc == 0)
			rc = partner_set_name(&c->partner, c->name, err);
	} else if (rc == 0) {
		before = partner_to_json(&c->partner);
	} else {
		return;
	}
	if (rc == 0)
		rc = partner_apply(&c->partner, json_object_get(c->args, "fields"), err);
	if (rc == 0)
		rc = partner_check(&c->partner, err);
	if (rc < 0) {
		change_fail(c, "invalid", err);
		goto out;
	}
	after = partner_to_json(&c->partner);
	if (!created && json_equal(before, after)) {
		change_answered(c, json_pack("{s:s, s:s, s:b, s:b}", "name", c->partner.name,
					   "action", "is so already", "changed", 0, "pushed", 0));
		goto out;
	}
	rc = store_partner_put(store, &c->partner);
	if (rc < 0) {
		change_fail(c, rc == -EEXIST ? "conflict" : "internal", store_error(store));
		goto out;
	}
	json_decref(after);
	after = partner_to_json(&c->partner);
	change_finish_partner(c, "partner set", before, after, false);
out:
	json_decref(before);
	json_decref(after);
}

static void start_partner_delete(struct change *c)
{
	struct store *store = c->daemon->params.store;
	json_t *before;
	int rc;

	if (commit_in_the_way(c))
		return;
	rc = change_open_partner(c);
	if (rc == -ENOENT) {
		change_fail(c, "not_found", "no such partner");
		return;
	}
	if (rc < 0)
		return;
	before = partner_to_json(&c->partner);
	if (store_partner_delete(store, c->partner.id) < 0)
		change_fail(c, "internal", store_error(store));
	else
		change_finish_partner(c, "partner delete", before, NULL, true);
	json_decref(before);
}

void change_partner_set(
	struct daemon *d, struct api_request *r, const char *name, const json_t *args)
{
	struct change *c = change_new(d, CHANGE_POLICY, start_partner_set, r, name, args);

	if (c != NULL)
		change_add(c);
}

void change_partner_delete(
	struct daemon *d, struct api_request *r, const char *name, const json_t *args)
{
	struct change *c = change_new(d, CHANGE_POLICY, start_partner_delete, r, name, args);

	if (c == NULL)
		return;
	c->action = "deleted";
	change_add(c);
}
