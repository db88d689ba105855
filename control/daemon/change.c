/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of the committed state, one at a time: the whole of it (after the dataplane has come
 * back), a new configuration, one partner. A change that the dataplane refuses leaves everything as
 * it was, here and there. While the dataplane cannot be reached changes are made here and go with
 * the next full push; the same holds for one whose outcome was lost with the connection.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "control/daemon/daemon_private.h"
#include "control/daemon/log.h"

#define RETRY_MS 500

enum change_kind {
	CHANGE_FULL,
	CHANGE_RELOAD,
	CHANGE_PARTNER_SET,
	CHANGE_PARTNER_DELETE,
};

struct change {
	struct daemon *daemon;
	enum change_kind kind;
	struct api_request *request; /* NULL: nobody waits for an answer */
	char *name;
	json_t *fields;

	uint64_t generation;
	struct config *config;              /* CHANGE_RELOAD: the new one */
	struct partner partner;             /* the record as it will be, or was */
	bool has_partner, created, storing; /* storing: the store's transaction is open */
	STAILQ_ENTRY(change) link;
};

static void change_start(struct change *c);

static void change_free(struct change *c)
{
	if (c->has_partner)
		partner_release(&c->partner);
	config_free(c->config);
	json_decref(c->fields);
	free(c->name);
	free(c);
}

/* c was the current one: the next has its turn. */
static void change_end(struct change *c)
{
	struct daemon *d = c->daemon;

	if (c->storing)
		store_rollback(d->params.store);
	change_free(c);
	d->current = STAILQ_FIRST(&d->changes);
	if (d->current != NULL) {
		STAILQ_REMOVE_HEAD(&d->changes, link);
		change_start(d->current);
	}
}

static void change_fail(struct change *c, const char *code, const char *text)
{
	if (c->request != NULL)
		api_reply_error(c->request, code, "%s", text);
	c->request = NULL;
	change_end(c);
}

static struct change *change_new(struct daemon *d, enum change_kind kind, struct api_request *r,
	const char *name, const json_t *fields)
{
	struct change *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		c->daemon = d;
		c->kind = kind;
		c->request = r;
		c->name = name ? strdup(name) : NULL;
		c->fields = fields ? json_deep_copy(fields) : NULL;
		if ((name == NULL || c->name != NULL) && (fields == NULL || c->fields != NULL))
			return c;
		change_free(c);
	}
	if (r != NULL)
		api_reply_error(r, "internal", "out of memory");
	else
		log_line(LOG_LEVEL_ERROR, "out of memory");
	return NULL;
}

static void change_add(struct change *c)
{
	struct daemon *d = c->daemon;

	if (d->current != NULL) {
		STAILQ_INSERT_TAIL(&d->changes, c, link);
	} else {
		d->current = c;
		change_start(c);
	}
}

/* The number of this change: above all that we gave out, and above the dataplane's. */
static int change_number(struct change *c)
{
	struct daemon *d = c->daemon;

	return store_next_generation(d->params.store, d->generation, &c->generation);
}

/* --- The end of a change --- */

static void adopt_config(struct change *c)
{
	struct daemon *d = c->daemon;

	config_free(d->config);
	d->config = c->config;
	c->config = NULL;
	log_open(d->config->log_to == CONFIG_LOG_SYSLOG);
	if (events_resize(d->events, d->config->events_keep) < 0)
		log_line(LOG_LEVEL_WARNING, "no memory to keep %u events", d->config->events_keep);
	resolver_configure(d->resolver, d->config);
	daemon_log_warnings(d);
}

static const char *const actions[] = {
	[CHANGE_FULL] = "pushed",
	[CHANGE_RELOAD] = "reloaded",
	[CHANGE_PARTNER_SET] = "changed",
	[CHANGE_PARTNER_DELETE] = "deleted",
};

/* Made for good, here and (pushed) there. */
static void change_done(struct change *c, bool pushed)
{
	struct daemon *d = c->daemon;
	const char *action = c->created ? "created" : actions[c->kind];
	const char *who = c->request                 ? api_who(c->request)
			  : c->kind == CHANGE_RELOAD ? "SIGHUP"
						     : "postgated";
	json_t *result;

	if (c->storing && store_commit(d->params.store) < 0) {
		/* The dataplane has it, the store not: what the store says goes, by a full push. */
		log_line(LOG_LEVEL_ERROR, "%s", store_error(d->params.store));
		d->synced = false;
		change_full(d);
		change_fail(c, "internal", store_error(d->params.store));
		return;
	}
	c->storing = false;
	if (c->kind == CHANGE_RELOAD)
		adopt_config(c);
	if (pushed) {
		d->generation = c->generation;
		d->refused[0] = '\0';
		d->synced |= c->kind == CHANGE_FULL || c->kind == CHANGE_RELOAD;
	}
	log_line(LOG_LEVEL_NOTICE, "%s%s %s by %s, generation %" PRIu64 "%s",
		c->has_partner ? "partner " : "configuration",
		c->has_partner ? c->partner.name : "", action, who, c->generation,
		pushed ? " committed" : " waits for the dataplane");
	if (c->request != NULL) {
		result = json_pack(
			"{s:b, s:I}", "pushed", pushed, "generation", (json_int_t)c->generation);
		if (c->has_partner)
			json_object_update_new(result,
				json_pack("{s:s, s:s}", "name", c->partner.name, "action", action));
		else
			json_object_update_new(
				result, json_pack("{s:s, s:o}", "config", d->params.config_path,
						"warnings", daemon_warnings(d)));
		api_reply(c->request, result);
		c->request = NULL;
	}
	change_end(c);
}

static void change_refused(struct change *c, int error, const char *text)
{
	struct daemon *d = c->daemon;
	struct timeval wait = {.tv_usec = RETRY_MS * 1000};
	char told[320];

	log_line(LOG_LEVEL_ERROR, "the dataplane refuses generation %" PRIu64 ": %s", c->generation,
		text);
	snprintf(d->refused, sizeof(d->refused), "%s", text);
	/* The commit of a connection before this one may still be on its way to the workers. */
	if (c->kind == CHANGE_FULL && error == -EBUSY)
		evtimer_add(d->retry, &wait);
	snprintf(told, sizeof(told), "the dataplane refuses: %s", text);
	change_fail(c, "refused", told);
}

static void change_answer(void *arg, const struct ipc_header *answer, int error, const char *text)
{
	struct change *c = arg;

	if (error == 0)
		change_done(c, true);
	else if (c->kind == CHANGE_FULL && (error == -ENOTCONN || error == -ECANCELED))
		change_end(c); /* the next connection brings the next one */
	else if (error == -ENOTCONN || error == -ECANCELED)
		change_done(c, false);
	else
		change_refused(c, error, text);
}

/* Hands it to the dataplane; if that cannot be reached the change is made here alone. */
static void change_push(struct change *c, struct push *push)
{
	struct daemon *d = c->daemon;
	int rc;

	/* Before the first full push there is nothing to add to; what waits behind comes with it.
	 */
	if (c->kind != CHANGE_FULL && c->kind != CHANGE_RELOAD && !d->synced)
		rc = -ENOTCONN;
	else
		rc = dataplane_transact(d->dataplane, push, change_answer, c);
	if (rc == 0)
		return;
	push_destroy(push);
	if (rc == -ENOTCONN && c->kind == CHANGE_FULL)
		change_end(c);
	else if (rc == -ENOTCONN)
		change_done(c, false);
	else
		change_fail(c, "internal", strerror(-rc));
}

/* --- The kinds --- */

static void start_full(struct change *c, const struct config *config)
{
	struct daemon *d = c->daemon;
	/* Partners that it has need not go again with a new configuration. */
	struct store *partners = c->kind == CHANGE_FULL || !d->synced ? d->params.store : NULL;
	struct push *push;

	if (change_number(c) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", store_error(d->params.store));
		change_fail(c, "internal", store_error(d->params.store));
	} else if (push_create_full(config, partners, c->generation, &push) < 0) {
		change_fail(c, "internal", "out of memory");
	} else {
		change_push(c, push);
	}
}

static void start_reload(struct change *c)
{
	struct config_errors errors = {0};
	char *line, *rest;

	if (config_load(c->daemon->params.config_path, &c->config, &errors) < 0) {
		/* Each line for the log; joined again, without the last line end, for the answer.
		 */
		for (rest = errors.text; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
			log_line(LOG_LEVEL_ERROR, "%s", line);
			if (*rest != '\0')
				rest[-1] = '\n';
		}
		change_fail(c, "invalid", errors.text ? errors.text : "out of memory");
		config_errors_clear(&errors);
		return;
	}
	start_full(c, c->config);
}

/* Opens the store's transaction and loads the record, if there is one. 0, -ENOENT; answered else.
 */
static int open_partner(struct change *c)
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

/* The rest of what both do: history, number, push. */
static void finish_partner(
	struct change *c, const char *action, const json_t *before, const json_t *after)
{
	struct store *store = c->daemon->params.store;
	const char *who = c->request ? api_who(c->request) : "postgated";
	struct push *push;
	int rc = change_number(c);

	if (rc == 0)
		rc = store_history_add(
			store, who, action, c->partner.name, "", before, after, c->generation);
	if (rc < 0) {
		change_fail(c, "internal", store_error(store));
		return;
	}
	rc = after != NULL ? push_create_partner(&c->partner, c->generation, &push)
			   : push_create_delete(c->partner.id, c->generation, &push);
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
	int rc = open_partner(c);

	if (rc == -ENOENT) {
		c->created = true;
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
		rc = partner_apply(&c->partner, c->fields, err);
	if (rc == 0)
		rc = partner_check(&c->partner, err);
	if (rc < 0) {
		change_fail(c, "invalid", err);
		goto out;
	}
	after = partner_to_json(&c->partner);
	if (!c->created && json_equal(before, after)) {
		api_reply(
			c->request, json_pack("{s:s, s:s, s:b, s:b}", "name", c->partner.name,
					    "action", "is so already", "changed", 0, "pushed", 0));
		c->request = NULL;
		change_end(c);
		goto out;
	}
	rc = store_partner_put(store, &c->partner);
	if (rc < 0) {
		change_fail(c, rc == -EEXIST ? "conflict" : "internal", store_error(store));
		goto out;
	}
	json_decref(after);
	after = partner_to_json(&c->partner);
	finish_partner(c, "partner set", before, after);
out:
	json_decref(before);
	json_decref(after);
}

static void start_partner_delete(struct change *c)
{
	struct store *store = c->daemon->params.store;
	int rc = open_partner(c);
	json_t *before;

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
		finish_partner(c, "partner delete", before, NULL);
	json_decref(before);
}

static void change_start(struct change *c)
{
	switch (c->kind) {
	case CHANGE_FULL:
		start_full(c, c->daemon->config);
		break;
	case CHANGE_RELOAD:
		start_reload(c);
		break;
	case CHANGE_PARTNER_SET:
		start_partner_set(c);
		break;
	case CHANGE_PARTNER_DELETE:
		start_partner_delete(c);
		break;
	}
}

/* --- From outside --- */

void change_full(struct daemon *d)
{
	struct change *c = change_new(d, CHANGE_FULL, NULL, NULL, NULL);

	if (c != NULL)
		change_add(c);
}

void change_reload(struct daemon *d, struct api_request *r)
{
	struct change *c = change_new(d, CHANGE_RELOAD, r, NULL, NULL);

	if (c != NULL)
		change_add(c);
}

void change_partner_set(
	struct daemon *d, struct api_request *r, const char *name, const json_t *fields)
{
	struct change *c = change_new(d, CHANGE_PARTNER_SET, r, name, fields);

	if (c != NULL)
		change_add(c);
}

void change_partner_delete(struct daemon *d, struct api_request *r, const char *name)
{
	struct change *c = change_new(d, CHANGE_PARTNER_DELETE, r, name, NULL);

	if (c != NULL)
		change_add(c);
}

void change_drop_all(struct daemon *d)
{
	struct change *c;

	while ((c = STAILQ_FIRST(&d->changes)) != NULL) {
		STAILQ_REMOVE_HEAD(&d->changes, link);
		if (c->request != NULL)
			api_reply_error(c->request, "unavailable", "postgated stops");
		change_free(c);
	}
}
