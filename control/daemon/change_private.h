/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kinds of change share: change.c carries them out, one file each says how they begin. */
#ifndef POSTGATE_CONTROL_DAEMON_CHANGE_PRIVATE_H
#define POSTGATE_CONTROL_DAEMON_CHANGE_PRIVATE_H

#include "control/daemon/daemon_private.h"
#include "control/daemon/push.h"

enum change_kind {
	CHANGE_FULL,
	CHANGE_RELOAD,
	CHANGE_POLICY, /* of partners: whatever start() makes of it */
};

struct commit;

struct change {
	struct daemon *daemon;
	enum change_kind kind;
	void (*start)(struct change *c);
	/* Made for good; the answer is not out yet. May add to `told`. */
	void (*done)(struct change *c);
	struct api_request *request; /* NULL: nobody waits for an answer */
	char *name;
	json_t *args;       /* of the request */
	const char *who;    /* without a request */
	const char *action; /* "changed": for the log and the answer */
	char subject[96];   /* "partner bank": likewise */
	json_t *told;       /* added to the answer */

	uint64_t generation;
	struct config *config;     /* CHANGE_RELOAD: the new one */
	struct partner partner;    /* the record as it will be, or was */
	bool has_partner, storing; /* storing: the store's transaction is open */
	struct commit *commit;     /* of many partners, commit.c */
	STAILQ_ENTRY(change) link;
};

/* A change that waits for its turn. `name` and `args` may be NULL; without memory it answers `r`.
 */
struct change *change_new(struct daemon *d, enum change_kind kind, void (*start)(struct change *c),
	struct api_request *r, const char *name, const json_t *args);
void change_add(struct change *c);
/* Both end it: rolled back, the next one has its turn. */
void change_end(struct change *c);
void change_fail(struct change *c, const char *code, const char *text);
/* Ends it with an answer: nothing had to be done. Takes over `result`. */
void change_answered(struct change *c, json_t *result);
/* Takes the next generation's number: inside the store's transaction. 0 or -errno, store_error().
 */
int change_number(struct change *c);
/* Hands it to the dataplane (takes over push), then makes it for good, or not. */
void change_push(struct change *c, struct push *push);
/* Makes it for good here, with nothing for the dataplane. */
void change_done(struct change *c, bool pushed);

const char *change_who(const struct change *c);
/* The operator's reason; "". */
const char *change_reason(const struct change *c);

/* Opens the store's transaction and loads the record c->name, if there is one. 0, -ENOENT;
 * answered else. */
int change_open_partner(struct change *c);
/* Number, history, push of c->partner; `gone`: its deletion. */
void change_finish_partner(
	struct change *c, const char *action, const json_t *before, const json_t *after, bool gone);

/* commit.c */
void commit_free(struct commit *m);
/* A commit waits to be confirmed: no other change of partners meanwhile. True: c was ended. */
bool commit_in_the_way(struct change *c);

#endif
