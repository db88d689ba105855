/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A commit of many partners: changes come one by one from a source (what was staged, a file, the
 * history backwards), are applied inside one transaction of the store in short turns of the event
 * loop, and go to the dataplane as one generation; or, dry, are rolled back and only told.
 */
#ifndef POSTGATE_CONTROL_DAEMON_COMMIT_H
#define POSTGATE_CONTROL_DAEMON_COMMIT_H

#include "control/daemon/change_private.h"

#define COMMIT_LIST_MAX 1000 /* changes that an answer tells one by one */

struct commit_op {
	char *name;        /* to be released by commit.c, like fields */
	json_t *fields;    /* NULL: delete; else of partner_apply() */
	bool whole;        /* fields that are not named get their defaults */
	unsigned int line; /* of the file, for messages; 0: none */
};

struct commit_touched {
	uint32_t id;
	bool fresh, gone;
	size_t order;
};

struct commit {
	/* The next change: 1, 0 (no more), -errno with a text (PARTNER_ERROR_MAX). */
	int (*next)(struct change *c, struct commit_op *op, char *err);
	/* All are applied; before the push. 0 or -errno with store_error(). NULL: nothing. */
	int (*finish)(struct change *c);
	void *source;
	void (*source_free)(void *source);
	int64_t cursor;
	uint64_t of; /* generation that is undone; 0: what is staged */
	bool dry;
	const char *set_action, *delete_action; /* for the history */

	struct event *turn;
	struct commit_touched *touched;
	size_t touched_count, touched_room;
	uint64_t created, changed, deleted, same;
	json_t *list; /* the first of the changes */
};

/* c->commit with this source; false: no memory, c was ended. */
bool commit_new(struct change *c, int (*next)(struct change *c, struct commit_op *op, char *err));
/* Opens the transaction and begins; ends c some day. */
void commit_start(struct change *c);

#endif
