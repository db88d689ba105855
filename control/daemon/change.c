/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of the committed state, one at a time: the whole of it (after the dataplane has come
 * back), a new configuration, partners. A change that the dataplane refuses leaves everything as
 * it was, here and there. While the dataplane cannot be reached changes are made here and go with
 * the next full push; the same holds for one whose outcome was lost with the connection.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "control/daemon/change_private.h"
#include "control/daemon/log.h"

#define RETRY_MS 500

static void change_free(struct change *c)
{
	if (c->has_partner)
		partner_release(&c->partner);
	config_free(c->config);
	commit_free(c->commit);
	json_decref(c->args);
	json_decref(c->told);
	free(c->name);
	free(c);
}

/* c was the current one: the next has its turn. */
void change_end(struct change *c)
{
	struct daemon *d = c->daemon;

	if (c->storing)
		store_rollback(d->params.store);
	change_free(c);
	d->current = STAILQ_FIRST(&d->changes);
	if (d->current != NULL) {
		STAILQ_REMOVE_HEAD(&d->changes, link);
		d->current->start(d->current);
	}
}

void change_fail(struct change *c, const char *code, const char *text)
{
	if (c->request != NULL)
		api_reply_error(c->request, code, "%s", text);
	c->request = NULL;
	change_end(c);
}

void change_answered(struct change *c, json_t *result)
{
	if (c->request != NULL)
		api_reply(c->request, result);
	else
		json_decref(result);
	c->request = NULL;
	change_end(c);
}

struct change *change_new(struct daemon *d, enum change_kind kind, void (*start)(struct change *c),
	struct api_request *r, const char *name, const json_t *args)
{
	struct change *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		c->daemon = d;
		c->kind = kind;
		c->start = start;
		c->request = r;
		c->who = "postgated";
		c->action = "changed";
		c->name = name ? strdup(name) : NULL;
		c->args = args ? json_deep_copy(args) : NULL;
		if ((name == NULL || c->name != NULL) && (args == NULL || c->args != NULL))
			return c;
		change_free(c);
	}
	if (r != NULL)
		api_reply_error(r, "internal", "out of memory");
	else
		log_line(LOG_LEVEL_ERROR, "out of memory");
	return NULL;
}

void change_add(struct change *c)
{
	struct daemon *d = c->daemon;

	if (d->current != NULL) {
		STAILQ_INSERT_TAIL(&d->changes, c, link);
	} else {
		d->current = c;
		c->start(c);
	}
}

const char *change_who(const struct change *c)
{
	return c->request ? api_who(c->request) : c->who;
}

const char *change_reason(const struct change *c)
{
	const char *reason = json_string_value(json_object_get(c->args, "reason"));

	return reason ? reason : "";
}

/* The number of this change: above all that we gave out, and above the dataplane's. */
int change_number(struct change *c)
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

/* Made for good, here and (pushed) there. */
void change_done(struct change *c, bool pushed)
{
	struct daemon *d = c->daemon;
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
	if (c->done != NULL)
		c->done(c);
	log_line(LOG_LEVEL_NOTICE, "%s %s by %s, generation %" PRIu64 "%s", c->subject, c->action,
		change_who(c), c->generation, pushed ? " committed" : " waits for the dataplane");
	if (c->request != NULL) {
		result = json_pack(
			"{s:b, s:I}", "pushed", pushed, "generation", (json_int_t)c->generation);
		if (c->has_partner)
			json_object_update_new(
				result, json_pack("{s:s, s:s}", "name", c->partner.name, "action",
						c->action));
		if (c->kind == CHANGE_RELOAD)
			json_object_update_new(
				result, json_pack("{s:s, s:o}", "config", d->params.config_path,
						"warnings", daemon_warnings(d)));
		if (c->told != NULL)
			json_object_update(result, c->told);
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
void change_push(struct change *c, struct push *push)
{
	struct daemon *d = c->daemon;
	int rc;

	/* Before the first full push there is nothing to add to; what waits behind comes with it.
	 */
	if (c->kind == CHANGE_POLICY && !d->synced)
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

static void start_whole(struct change *c)
{
	start_full(c, c->daemon->config);
}

/* --- From outside --- */

static void add_whole(struct daemon *d, enum change_kind kind, void (*start)(struct change *c),
	struct api_request *r, const char *action)
{
	struct change *c = change_new(d, kind, start, r, NULL, NULL);

	if (c == NULL)
		return;
	c->action = action;
	if (kind == CHANGE_RELOAD)
		c->who = "SIGHUP";
	snprintf(c->subject, sizeof(c->subject), "configuration");
	change_add(c);
}

void change_full(struct daemon *d)
{
	add_whole(d, CHANGE_FULL, start_whole, NULL, "pushed");
}

void change_reload(struct daemon *d, struct api_request *r)
{
	add_whole(d, CHANGE_RELOAD, start_reload, r, "reloaded");
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
