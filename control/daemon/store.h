/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store: partners, the number of the last generation, who changed what. SQLite in WAL mode,
 * one connection, one thread. Private keys and certificates never enter it.
 *
 * A change is made inside a transaction that stays open while the dataplane is asked to take it,
 * and is rolled back if it does not.
 */
#ifndef POSTGATE_CONTROL_DAEMON_STORE_H
#define POSTGATE_CONTROL_DAEMON_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "control/daemon/partner.h"

struct store;

#define STORE_SCHEMA    3
#define STORE_ERROR_MAX 256

/*
 * Opens or creates it (mode 0600), brings an older schema up to date. 0 or -errno with a text;
 * -EPROTO: written by a newer postgated.
 */
int store_open(const char *path, struct store **out, char *err);
void store_close(struct store *s); /* NULL allowed; an open transaction is rolled back */

/* The text of the last error of any call below. */
const char *store_error(const struct store *s);

/* 0 or -EIO; -EBUSY: one is open already. */
int store_begin(struct store *s);
int store_commit(struct store *s);
void store_rollback(struct store *s);

/* Number of the last generation given out; 0: none yet. */
int store_generation(struct store *s, uint64_t *out);
/* The next one, above `floor` too, remembered. Inside a transaction a rollback gives it back. */
int store_next_generation(struct store *s, uint64_t floor, uint64_t *out);

/* 0, -ENOENT, -ENOMEM, -EIO. *out is to be released. */
int store_partner_get(struct store *s, const char *name, struct partner *out);
/* The one with the lowest id above `after`; -ENOENT: no more. */
int store_partner_next(struct store *s, uint32_t after, struct partner *out);
int store_partner_count(
	struct store *s, uint64_t *partners, uint64_t *domains, uint64_t *addresses);
/* Inserts (id 0, filled in) or replaces by id. -EEXIST: name, a domain or a prefix belongs to
 * another partner, see store_error(). */
int store_partner_put(struct store *s, struct partner *p);
int store_partner_delete(struct store *s, uint32_t id);

/* Exactly this one, as it is stored ("*.example.net"). 0, -ENOENT, -EIO. */
int store_find_domain(struct store *s, const char *domain, uint32_t *partner);
int store_find_prefix(struct store *s, const struct prefix *prefix, uint32_t *partner);

/* What was done and why; `before` and `after` NULL where there is none. What one commit did has one
 * generation. */
int store_history_add(struct store *s, const char *who, const char *action, const char *subject,
	const char *reason, const json_t *before, const json_t *after, uint64_t generation);
/* Newest first, an array of objects. */
int store_history(struct store *s, unsigned int limit, json_t **out);

struct store_suspension {
	const char *scope, *reason, *ticket, *owner;
	int64_t created, expires; /* seconds since 1970 */
};
/* Another of the same scope is replaced. */
int store_suspension_put(struct store *s, uint32_t partner, const struct store_suspension *v);
int store_suspension_delete(struct store *s, uint32_t partner, const char *scope); /* -ENOENT */
/* All, the next to end first. */
int store_suspensions(struct store *s, json_t **out);

/* --- Commits of many partners (store_commit.c) --- */

/* Staged changes; `fields` NULL: deletion. */
int store_candidate_add(
	struct store *s, const char *who, const char *partner, const json_t *fields);
int store_candidate_clear(struct store *s, uint64_t *count);

/* A commit that is not confirmed yet. generation 0: there is none. */
struct store_trial {
	char who[64];
	uint64_t generation;
	int64_t expires;
};
int store_trial_get(struct store *s, struct store_trial *out);
int store_trial_set(struct store *s, const struct store_trial *trial);
int store_trial_clear(struct store *s);

/* The newest commit that was not undone; -ENOENT. */
int store_last_commit(struct store *s, uint64_t *generation);
int store_mark_undone(struct store *s, uint64_t generation);

/*
 * Goes over the staged changes (generation 0, oldest first) or over those of one commit (newest
 * first, `fields` as they were before). *cursor 0 at first. 1, 0: no more, -errno. *partner and
 * *fields are to be released; *fields NULL: deletion.
 */
int store_next_change(
	struct store *s, uint64_t generation, int64_t *cursor, char **partner, json_t **fields);

#endif
