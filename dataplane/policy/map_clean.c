// SPDX-License-Identifier: BSD-3-Clause
/* What follows a transaction's publishing or its abort: unlink, wait, free; all in budgets. */
#include <stdlib.h>

#include "dataplane/policy/txn.h"

static void discard(struct policy_txn *txn, struct policy_node *n)
{
	policy_node_unlink(txn->map, n);
	n->next = txn->garbage;
	txn->garbage = n;
}

static void bury(struct policy_txn *txn, struct policy_partner *p)
{
	cds_lfht_del(txn->map->ids, &p->by_id);
	txn->map->partner_nodes--;
	cds_list_del(&p->all);
	p->next = txn->dead;
	txn->dead = p;
}

/* All readers have the new version: one step for one partner. False: p is done. */
static bool unlink_step(struct policy_txn *txn, struct policy_partner *p)
{
	struct policy_node *n;

	if (txn->link == NULL)
		txn->link = &p->nodes;
	n = *txn->link;
	if (n != NULL) {
		if (n->removed == txn->version) {
			*txn->link = n->next;
			discard(txn, n);
		} else {
			n->keep = false;
			txn->link = &n->next;
		}
		return true;
	}
	/* At the end of what stayed: the staged ones are ordinary nodes from now on. */
	if (p->staged != NULL) {
		*txn->link = p->staged;
		p->staged = NULL;
		return true; /* goes on through them for `keep` */
	}
	return false;
}

static void unlink_partner(struct policy_txn *txn, struct policy_partner *p)
{
	p->changed = p->fresh = false;
	if (p->deleted) {
		bury(txn, p);
		return;
	}
	if (p->record->older != NULL) {
		/* Readers of this version stop at the newest record, none reads `older`. */
		struct policy_record *r = (struct policy_record *)(uintptr_t)p->record;
		struct policy_record *gone = (struct policy_record *)(uintptr_t)r->older;

		r->older = NULL;
		gone->older = txn->records;
		txn->records = gone;
	}
}

/* Takes back what was staged; marks on nodes that stay are undone. */
static bool rollback_step(struct policy_txn *txn, struct policy_partner *p)
{
	struct policy_node *n = p->staged;

	if (n != NULL) {
		p->staged = n->next;
		/* Never visible, whatever version comes. */
		__atomic_store_n(&n->removed, 0, __ATOMIC_RELAXED);
		discard(txn, n);
		return true;
	}
	if (txn->link == NULL)
		txn->link = &p->nodes;
	n = *txn->link;
	if (n == NULL)
		return false;
	__atomic_store_n(&n->removed, POLICY_FOREVER, __ATOMIC_RELAXED);
	n->keep = false;
	txn->link = &n->next;
	return true;
}

static void rollback_partner(struct policy_txn *txn, struct policy_partner *p)
{
	if (p->next_record != NULL) {
		txn->map->bytes -= sizeof(*p->next_record);
		free(p->next_record); /* no reader has seen it */
		p->next_record = NULL;
	}
	p->changed = p->deleted = false;
	if (p->fresh)
		bury(txn, p);
}

static bool each_change(struct policy_txn *txn, unsigned int *budget,
	bool (*step)(struct policy_txn *, struct policy_partner *),
	void (*end)(struct policy_txn *, struct policy_partner *))
{
	while (txn->at != NULL) {
		struct policy_partner *p = txn->at;

		if ((*budget)-- == 0)
			return false;
		if (step(txn, p))
			continue;
		txn->at = p->next;
		txn->link = NULL;
		end(txn, p); /* may reuse p->next */
	}
	txn->changes = NULL;
	return true;
}

static bool free_some(struct policy_txn *txn, unsigned int *budget)
{
	struct policy_map *map = txn->map;

	while (txn->garbage != NULL) {
		struct policy_node *n = txn->garbage;

		if ((*budget)-- == 0)
			return false;
		txn->garbage = n->next;
		policy_node_free(map, n);
	}
	while (txn->records != NULL) {
		struct policy_record *r = (struct policy_record *)(uintptr_t)txn->records;

		if ((*budget)-- == 0)
			return false;
		txn->records = r->older;
		map->bytes -= sizeof(*r);
		free(r);
	}
	while (txn->dead != NULL) {
		struct policy_partner *p = txn->dead;

		if ((*budget)-- == 0)
			return false;
		txn->dead = p->next;
		if (p->record != NULL) {
			/* The only one: older ones go with the transaction that replaces them. */
			struct policy_record *r = (struct policy_record *)(uintptr_t)p->record;

			map->bytes -= sizeof(*r);
			free(r);
		}
		map->bytes -= sizeof(*p);
		free(p);
	}
	return true;
}

enum policy_step policy_txn_clean(struct policy_txn *txn, unsigned int budget)
{
	switch (txn->phase) {
	case POLICY_WAIT_OLD:
		txn->phase = POLICY_UNLINK;
		return POLICY_STEP_GRACE;
	case POLICY_UNLINK:
		if (!each_change(txn, &budget, unlink_step, unlink_partner))
			return POLICY_STEP_AGAIN;
		txn->phase = POLICY_FREE;
		return POLICY_STEP_GRACE;
	case POLICY_ROLLBACK:
		if (!each_change(txn, &budget, rollback_step, rollback_partner))
			return POLICY_STEP_AGAIN;
		txn->phase = POLICY_FREE;
		return POLICY_STEP_GRACE;
	case POLICY_FREE:
		if (!free_some(txn, &budget))
			return POLICY_STEP_AGAIN;
		free(txn->old);
		free(txn->snapshot);
		txn->map->txn = NULL;
		free(txn);
		return POLICY_STEP_DONE;
	default:
		/* Neither published nor aborted: that is the caller's to decide. */
		return POLICY_STEP_DONE;
	}
}
