// SPDX-License-Identifier: BSD-3-Clause
/* A transaction from BEGIN to COMMIT or ABORT: its items. What follows COMMIT is commit.c's. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/ctl/private.h"

static const char *const state_names[TRANSACTION_STATES] = {
	[TRANSACTION_NONE] = "none",
	[TRANSACTION_OPEN] = "open",
	[TRANSACTION_BUILD] = "build",
	[TRANSACTION_PREPARE] = "prepare",
	[TRANSACTION_ADOPT] = "adopt",
	[TRANSACTION_CLEAN] = "clean",
};

void transaction_change(struct ctl *c, enum transaction_state state)
{
	struct transaction *t = &c->transaction;

	CTL_LOG(DEBUG, "generation %" PRIu64 ": %s -> %s", t->number, state_names[t->state],
		state_names[state]);
	t->state = state;
}

/* The transaction is over without effect. Answers COMMIT if it came. */
void transaction_fail(struct ctl *c, int error, const char *text)
{
	struct transaction *t = &c->transaction;

	if (t->commit_id != 0) {
		CTL_LOG(WARNING, "generation %" PRIu64 " is refused: %s", t->number, text);
		if (t->client != NULL)
			client_result(t->client, t->commit_id, IPC_COMMIT, error, text);
	}
	build_free(t->build);
	t->build = NULL;
	build_generation_free(t->next);
	t->next = NULL;
	config_free(t->config);
	t->config = NULL;
	t->client = NULL;
	policy_txn_abort(t->policy);
	transaction_change(c, TRANSACTION_CLEAN);
	loop_timer_start(c->loop, &c->commit_timer, 0);
}

void transaction_client_gone(struct ctl *c, const struct client *cl)
{
	struct transaction *t = &c->transaction;

	if (t->state == TRANSACTION_NONE || t->client != cl)
		return;
	t->client = NULL;
	/* One that COMMIT was sent for is carried out; who asks later finds it done. */
	if (t->state == TRANSACTION_OPEN)
		transaction_fail(c, -ECANCELED, "the client went away");
}

static int handle_begin(struct client *cl, const struct ipc_header *m)
{
	const struct ipc_config_begin *begin = (const struct ipc_config_begin *)m;
	struct ctl *c = cl->ctl;
	struct transaction *t = &c->transaction;
	/* Both messages have the number first. */
	uint64_t number = begin->generation;
	int rc;

	if (t->state == TRANSACTION_OPEN) {
		client_result(cl, m->id, m->type, -EBUSY, "another transaction is open");
		return 0;
	}
	if (t->state != TRANSACTION_NONE)
		return -EAGAIN; /* one is being carried out or cleaned up: milliseconds */
	if (number <= ctl_generation(c)) {
		client_result(
			cl, m->id, m->type, -EINVAL, "generation is not above the committed one");
		return 0;
	}
	if (m->type == IPC_POLICY_BEGIN && c->params.group->generation == NULL) {
		client_result(cl, m->id, m->type, -ENOENT, "no configuration is committed yet");
		return 0;
	}
	memset(t, 0, sizeof(*t));
	rc = policy_txn_begin(c->policy, number, &t->policy);
	if (rc == 0 && m->type == IPC_CONFIG_BEGIN) {
		rc = config_create(begin, &t->config);
		if (rc < 0) {
			policy_txn_abort(t->policy);
			t->number = number;
			transaction_change(c, TRANSACTION_CLEAN);
			loop_timer_start(c->loop, &c->commit_timer, 0);
		}
	}
	if (rc < 0) {
		client_result(cl, m->id, m->type, rc, strerror(-rc));
		return 0;
	}
	t->client = cl;
	t->number = number;
	transaction_change(c, TRANSACTION_OPEN);
	client_result(cl, m->id, m->type, 0, "");
	return 0;
}

/* What was announced for the partner set last has come. */
static int partner_complete(struct transaction *t, char *err)
{
	if (t->domains_due == 0 && t->prefixes_due == 0)
		return 0;
	return config_fail(err, -EINVAL, "partner %u: %u domains and %u prefixes are missing",
		t->partner, t->domains_due, t->prefixes_due);
}

static int add_partner(struct transaction *t, const struct ipc_partner_set *m, char *err)
{
	int rc = partner_complete(t, err);

	if (rc < 0)
		return rc;
	rc = policy_txn_set(t->policy, m->id, m->name, (enum policy_level)m->inbound);
	if (rc == -EALREADY)
		return config_fail(err, rc, "partner %s (%u) is set twice", m->name, m->id);
	if (rc < 0)
		return config_fail(err, rc, "partner %s: %s", m->name, strerror(-rc));
	if (m->suspended_until != 0)
		policy_txn_suspend(t->policy, m->id, m->suspended_until);
	t->partner = m->id;
	t->domains_due = m->domain_count;
	t->prefixes_due = m->prefix_count;
	return 0;
}

static int add_domains(struct transaction *t, const struct ipc_partner_domains *m, char *err)
{
	uint32_t cursor = 0;
	const char *domain;
	size_t len;

	if (m->id != t->partner || m->count > t->domains_due)
		return config_fail(
			err, -EINVAL, "partner %u: domains that were not announced", m->id);
	t->domains_due -= m->count;
	while (ipc_partner_domains_next(m, &cursor, &domain, &len)) {
		int rc = policy_txn_add_domain(t->policy, m->id, domain, len);

		if (rc < 0)
			return config_fail(err, rc, "partner %u: domain %.*s: %s", m->id, (int)len,
				domain, strerror(-rc));
	}
	return 0;
}

static int add_prefixes(struct transaction *t, const struct ipc_partner_prefixes *m, char *err)
{
	char text[CONFIG_ADDRESS_MAX];

	if (m->id != t->partner || m->count > t->prefixes_due)
		return config_fail(
			err, -EINVAL, "partner %u: prefixes that were not announced", m->id);
	t->prefixes_due -= m->count;
	for (unsigned int i = 0; i < m->count; i++) {
		struct ip_addr a;
		int rc;

		memcpy(a.b, m->prefixes[i].addr.b, sizeof(a.b));
		rc = policy_txn_add_prefix(t->policy, m->id, &a, m->prefixes[i].plen);
		if (rc < 0)
			return config_fail(err, rc, "partner %u: prefix of %s: %s", m->id,
				config_address(&a, text), strerror(-rc));
	}
	return 0;
}

static int delete_partner(struct transaction *t, uint32_t id, char *err)
{
	int rc = partner_complete(t, err);

	if (rc < 0)
		return rc;
	rc = policy_txn_delete(t->policy, id);
	if (rc == -ENOENT)
		return config_fail(err, rc, "partner %u: there is none to delete", id);
	return rc < 0 ? config_fail(err, rc, "partner %u is set and deleted", id) : 0;
}

static int reset_partners(struct transaction *t, char *err)
{
	return policy_txn_reset(t->policy) < 0
		       ? config_fail(err, -EINVAL, "PARTNER_RESET after partners")
		       : 0;
}

static int policy_item(struct transaction *t, const struct ipc_header *m, char *err)
{
	switch (m->type) {
	case IPC_DEFAULTS:
		policy_txn_defaults(
			t->policy, (enum policy_level)((const struct ipc_defaults *)m)->inbound);
		return 0;
	case IPC_PARTNER_RESET:
		return reset_partners(t, err);
	case IPC_PARTNER_SET:
		return add_partner(t, (const struct ipc_partner_set *)m, err);
	case IPC_PARTNER_DOMAINS:
		return add_domains(t, (const struct ipc_partner_domains *)m, err);
	case IPC_PARTNER_PREFIXES:
		return add_prefixes(t, (const struct ipc_partner_prefixes *)m, err);
	case IPC_PARTNER_DELETE:
		return delete_partner(t, ((const struct ipc_partner_delete *)m)->id, err);
	default:
		return config_fail(err, -EINVAL, "%s has no place in a policy transaction",
			ipc_type_name(m->type));
	}
}

static int item(struct transaction *t, const struct ipc_header *m, char *err)
{
	if (t->config == NULL)
		return policy_item(t, m, err);
	switch (m->type) {
	case IPC_INTERFACE:
		return config_add_interface(t->config, (const struct ipc_interface *)m, err);
	case IPC_ADDRESS:
		return config_add_address(t->config, (const struct ipc_address *)m, err);
	case IPC_ROUTE:
		return config_add_route(t->config, (const struct ipc_route *)m, err);
	case IPC_CERTIFICATE:
		return config_add_certificate(t->config, (const struct ipc_certificate *)m, err);
	case IPC_CA:
		return config_add_ca(t->config, (const struct ipc_ca *)m, err);
	case IPC_PEM_CHUNK:
		return config_add_pem_chunk(t->config, (const struct ipc_pem_chunk *)m, err);
	case IPC_LISTENER:
		return config_add_listener(t->config, (const struct ipc_listener *)m, err);
	case IPC_NEXT_HOP:
		return config_add_next_hop(t->config, (const struct ipc_next_hop *)m, err);
	default:
		return policy_item(t, m, err);
	}
}

static int handle_commit(struct client *cl, const struct ipc_header *h)
{
	const struct ipc_commit *m = (const struct ipc_commit *)h;
	struct ctl *c = cl->ctl;
	struct transaction *t = &c->transaction;

	t->commit_id = h->id;
	if (t->error == 0)
		t->error = partner_complete(t, t->text);
	if (t->error == 0 && m->generation != t->number)
		t->error = config_fail(t->text, -EINVAL, "COMMIT of another generation");
	if (t->error < 0)
		transaction_fail(c, t->error, t->text);
	else
		commit_begin(c);
	return 0;
}

int handle_transaction(struct client *cl, const struct ipc_header *m)
{
	struct ctl *c = cl->ctl;
	struct transaction *t = &c->transaction;
	bool ours = t->state == TRANSACTION_OPEN && t->client == cl;

	switch (m->type) {
	case IPC_CONFIG_BEGIN:
	case IPC_POLICY_BEGIN:
		return handle_begin(cl, m);
	case IPC_COMMIT:
		if (ours)
			return handle_commit(cl, m);
		client_result(cl, m->id, m->type, -ENOENT, "no transaction is open");
		return 0;
	case IPC_ABORT:
		client_result(cl, m->id, m->type, ours ? 0 : -ENOENT,
			ours ? "" : "no transaction is open");
		if (ours)
			transaction_fail(c, -ECANCELED, "aborted");
		return 0;
	default:
		/* An item. Without a transaction COMMIT will say so; after an error the rest is
		 * read and dropped. */
		if (ours && t->error == 0)
			t->error = item(t, m, t->text);
		return 0;
	}
}
