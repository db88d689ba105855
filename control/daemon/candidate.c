/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is staged, and its commit: for good or on trial, and the way back. One candidate, shared by
 * all operators. A commit on trial is in force, and is undone by itself unless somebody confirms
 * it in time: by the wall clock, which survives a restart, or by the monotonic one, whichever
 * comes first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/commit.h"
#include "control/daemon/log.h"
#include "control/daemon/value.h"

#define TRIAL_MIN_MS 1000
#define TRIAL_MAX_MS (7ull * 86400 * 1000)
#define RETRY_MS     10000

struct trial {
	struct store_trial stored;
	bool known;
	uint64_t until_ms;   /* of the monotonic clock */
	uint64_t not_before; /* the way back was refused: not at every tick again */
};

struct trial *trial_create(void)
{
	return calloc(1, sizeof(struct trial));
}

/* From the store, once: after a restart. */
static const struct trial *trial_get(struct daemon *d)
{
	struct trial *t = d->trial;
	int64_t left;

	if (t->known)
		return t;
	if (store_trial_get(d->params.store, &t->stored) < 0) {
		log_line(LOG_LEVEL_ERROR, "%s", store_error(d->params.store));
		return t;
	}
	left = t->stored.expires - daemon_wall(d);
	t->until_ms = daemon_mono_ms(d) + (left > 0 ? (uint64_t)left * 1000 : 0);
	t->known = true;
	return t;
}

static void time_text(int64_t when, char out[32])
{
	time_t t = (time_t)when;
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

bool commit_in_the_way(struct change *c)
{
	const struct trial *t = trial_get(c->daemon);
	char text[200], when[32];

	if (t->stored.generation == 0)
		return false;
	time_text(t->stored.expires, when);
	snprintf(text, sizeof(text),
		"the commit of generation %" PRIu64 " by %s waits until %s to be confirmed: "
		"confirm or undo it first",
		t->stored.generation, t->stored.who, when);
	change_fail(c, "conflict", text);
	return true;
}

/* --- Sources of changes --- */

static int next_stored(struct change *c, struct commit_op *op, char *err)
{
	struct commit *m = c->commit;
	int rc = store_next_change(
		c->daemon->params.store, m->of, &m->cursor, &op->name, &op->fields);

	op->whole = m->of != 0;
	if (rc < 0)
		snprintf(err, PARTNER_ERROR_MAX, "%.250s", store_error(c->daemon->params.store));
	return rc;
}

/* What is staged already, then one more: c->name. */
static int next_staged(struct change *c, struct commit_op *op, char *err)
{
	struct commit *m = c->commit;
	int rc = m->source == c ? 0 : next_stored(c, op, err);

	if (rc != 0 || m->source == c)
		return rc;
	m->source = c;
	op->name = strdup(c->name);
	op->fields = json_incref(json_object_get(c->args, "fields"));
	return op->name ? 1 : -ENOMEM;
}

/* --- stage, diff, discard --- */

/* It fits on what is there: kept when the trial run is rolled back. */
static int finish_stage(struct change *c)
{
	struct store *store = c->daemon->params.store;
	int rc;

	store_rollback(store);
	c->storing = false;
	rc = store_candidate_add(store, change_who(c), c->name, json_object_get(c->args, "fields"));
	return rc;
}

static void start_stage(struct change *c)
{
	if (!commit_new(c, next_staged))
		return;
	c->commit->dry = true;
	c->commit->finish = finish_stage;
	commit_start(c);
}

void stage_command(void *daemon, struct api_request *r, const json_t *args, bool gone)
{
	const char *name = json_string_value(json_object_get(args, "name"));
	struct change *c = change_new(daemon, CHANGE_POLICY, start_stage, r, name, args);

	if (c == NULL)
		return;
	if (gone)
		json_object_del(c->args, "fields");
	change_add(c);
}

static void start_diff(struct change *c)
{
	if (!commit_new(c, next_stored))
		return;
	c->commit->dry = true;
	commit_start(c);
}

void diff_command(void *daemon, struct api_request *r, const json_t *args)
{
	struct change *c = change_new(daemon, CHANGE_POLICY, start_diff, r, NULL, args);

	if (c != NULL)
		change_add(c);
}

static void start_discard(struct change *c)
{
	uint64_t count = 0;

	if (store_candidate_clear(c->daemon->params.store, &count) < 0)
		change_fail(c, "internal", store_error(c->daemon->params.store));
	else
		change_answered(c, json_pack("{s:I}", "discarded", (json_int_t)count));
}

void discard_command(void *daemon, struct api_request *r, const json_t *args)
{
	struct change *c = change_new(daemon, CHANGE_POLICY, start_discard, r, NULL, args);

	if (c != NULL)
		change_add(c);
}

/* --- commit, confirm --- */

static bool within(const struct change *c, uint64_t *ms, char *err, size_t size)
{
	const char *text = json_string_value(json_object_get(c->args, "confirm_within"));

	*ms = 0;
	return text == NULL || value_time(text, TRIAL_MIN_MS, TRIAL_MAX_MS, ms, err, size) == 0;
}

static int finish_commit(struct change *c)
{
	struct store *store = c->daemon->params.store;
	struct store_trial trial = {.generation = c->generation};
	char err[128];
	uint64_t ms;
	int rc = store_candidate_clear(store, NULL);

	if (rc < 0 || !within(c, &ms, err, sizeof(err)) || ms == 0 || c->commit->touched_count == 0)
		return rc;
	snprintf(trial.who, sizeof(trial.who), "%s", change_who(c));
	trial.expires = daemon_wall(c->daemon) + (int64_t)((ms + 999) / 1000);
	return store_trial_set(store, &trial);
}

static void committed(struct change *c)
{
	struct trial *t = c->daemon->trial;

	/* What the store has now: on trial or not. */
	t->known = false;
	trial_get(c->daemon);
	if (t->stored.generation != 0)
		json_object_set_new(c->told, "confirm_until", json_integer(t->stored.expires));
}

static void start_commit(struct change *c)
{
	char err[256];
	uint64_t ms;

	if (commit_in_the_way(c))
		return;
	if (!within(c, &ms, err, sizeof(err))) {
		change_fail(c, "invalid", err);
		return;
	}
	if (!commit_new(c, next_stored))
		return;
	c->commit->finish = finish_commit;
	c->done = committed;
	commit_start(c);
}

void commit_command(void *daemon, struct api_request *r, const json_t *args)
{
	struct change *c = change_new(daemon, CHANGE_POLICY, start_commit, r, NULL, args);

	if (c != NULL)
		change_add(c);
}

static void start_confirm(struct change *c)
{
	struct daemon *d = c->daemon;
	struct store *store = d->params.store;
	uint64_t generation = trial_get(d)->stored.generation;
	int rc;

	if (generation == 0) {
		change_fail(c, "not_found", "no commit waits to be confirmed");
		return;
	}
	rc = store_begin(store);
	c->storing = rc == 0;
	if (rc == 0)
		rc = store_trial_clear(store);
	if (rc == 0)
		rc = store_history_add(store, change_who(c), "confirm", "commit", change_reason(c),
			NULL, NULL, generation);
	if (rc == 0)
		rc = store_commit(store);
	if (rc < 0) {
		change_fail(c, "internal", store_error(store));
		return;
	}
	c->storing = false;
	d->trial->stored.generation = 0;
	log_line(LOG_LEVEL_NOTICE, "generation %" PRIu64 " confirmed by %s", generation,
		change_who(c));
	change_answered(c, json_pack("{s:I}", "generation", (json_int_t)generation));
}

void confirm_command(void *daemon, struct api_request *r, const json_t *args)
{
	struct change *c = change_new(daemon, CHANGE_POLICY, start_confirm, r, NULL, args);

	if (c != NULL)
		change_add(c);
}

/* --- undo --- */

static int finish_undo(struct change *c)
{
	struct store *store = c->daemon->params.store;
	int rc = store_mark_undone(store, c->commit->of);

	return rc == 0 ? store_trial_clear(store) : rc;
}

static void undone(struct change *c)
{
	committed(c);
	c->daemon->trial->not_before = 0;
	json_object_set_new(c->told, "undone", json_integer((json_int_t)c->commit->of));
}

/* By an operator, or (no request) because nobody confirmed in time. */
static void start_undo(struct change *c)
{
	struct daemon *d = c->daemon;
	uint64_t of;
	int rc;

	if (c->request == NULL)
		d->trial->not_before = daemon_mono_ms(d) + RETRY_MS;
	rc = store_last_commit(d->params.store, &of);
	if (rc < 0) {
		change_fail(
			c, rc == -ENOENT ? "not_found" : "internal", store_error(d->params.store));
		return;
	}
	if (!commit_new(c, next_stored))
		return;
	c->commit->of = of;
	c->commit->set_action = c->commit->delete_action = c->request ? "undo" : "not confirmed";
	c->commit->finish = finish_undo;
	c->action = c->request ? "set back" : "set back: their commit was not confirmed,";
	c->done = undone;
	commit_start(c);
}

void undo_command(void *daemon, struct api_request *r, const json_t *args)
{
	struct change *c = change_new(daemon, CHANGE_POLICY, start_undo, r, NULL, args);

	if (c != NULL)
		change_add(c);
}

void trial_tick(struct daemon *d)
{
	uint64_t mono = daemon_mono_ms(d);
	const struct trial *t;
	struct change *c;

	/* In the middle of a change the store shows what may never be. */
	if (d->current != NULL || mono < d->trial->not_before)
		return;
	t = trial_get(d);
	if (t->stored.generation == 0 || (daemon_wall(d) < t->stored.expires && mono < t->until_ms))
		return;
	c = change_new(d, CHANGE_POLICY, start_undo, NULL, NULL, NULL);
	if (c != NULL)
		change_add(c);
}
