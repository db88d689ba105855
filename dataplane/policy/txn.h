/* SPDX-License-Identifier: BSD-3-Clause */
/* The open transaction, shared by map_write.c (staging to publishing) and map_clean.c. */
#ifndef POSTGATE_DATAPLANE_POLICY_TXN_H
#define POSTGATE_DATAPLANE_POLICY_TXN_H

#include "dataplane/policy/private.h"

enum policy_phase {
	POLICY_STAGE,    /* items come in */
	POLICY_RESET,    /* partners that were not set become deletions */
	POLICY_MARK,     /* nodes that go get their `removed` */
	POLICY_CHECK,    /* new nodes must be alone */
	POLICY_READY,    /* may be published */
	POLICY_WAIT_OLD, /* published: readers of the old version are to go */
	POLICY_UNLINK,
	POLICY_ROLLBACK, /* aborted: everything staged is taken out again */
	POLICY_FREE,
};

struct policy_txn {
	struct policy_map *map;
	enum policy_phase phase;
	uint32_t version;
	struct policy_snapshot *snapshot; /* the next one */
	struct policy_snapshot *old;      /* to be freed */
	bool reset;
	struct policy_partner *changes;
	/* Where the phase is: */
	struct cds_list_head *all;           /* RESET */
	struct policy_partner *at;           /* MARK, CHECK, UNLINK, ROLLBACK: in changes */
	struct policy_node **link;           /* within `at` */
	struct policy_node *garbage;         /* unlinked nodes */
	const struct policy_record *records; /* by `older` */
	struct policy_partner *dead;         /* by `next` */
};

struct policy_node *policy_node_alloc(
	struct policy_map *map, enum policy_kind kind, size_t key_len);
void policy_node_free(struct policy_map *map, struct policy_node *n);
/* Takes a node out of its table and of the bit maps. */
void policy_node_unlink(struct policy_map *map, struct policy_node *n);

#endif
