// SPDX-License-Identifier: BSD-3-Clause
/*
 * What follows COMMIT, in small steps of the loop: build, check, publish, wait for every worker,
 * answer, free what is old. Nothing is visible to a worker before `publish`, and nothing can fail
 * after it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <urcu-qsbr.h>

#include "dataplane/ctl/private.h"

#define NODES_A_TURN 2000 /* of the policy map: about a millisecond */
#define POLL_US      1000
#define WARN_NS      UINT64_C(5000000000)

static struct tls_lib *tls_lib_of(void *arg, uint16_t worker)
{
	struct ctl *c = arg;

	return worker_tls_lib(c->params.group->workers[worker]);
}

void commit_begin(struct ctl *c)
{
	struct transaction *t = &c->transaction;
	struct build_params params;
	char err[CTL_ERROR_SIZE] = "no memory";
	int rc;

	if (t->config == NULL) {
		t->next = build_renumber(c->params.group->generation, t->number);
		rc = t->next == NULL ? -ENOMEM : 0;
	} else {
		rc = config_check(t->config, c->params.ports, c->params.port_count, err);
		params = (struct build_params){
			.config = t->config,
			.worker_count = c->params.group->count,
			.tls_lib = tls_lib_of,
			.arg = c,
			.tickets = c->tickets,
			.policy = c->policy,
			.previous = c->params.group->generation,
		};
		if (rc == 0)
			rc = build_create(&params, &t->build);
	}
	if (rc < 0) {
		transaction_fail(c, rc, err);
		return;
	}
	transaction_change(c, t->build != NULL ? TRANSACTION_BUILD : TRANSACTION_PREPARE);
	loop_timer_start(c->loop, &c->commit_timer, 0);
}

/* -EAGAIN: to be called again at once. */
static int turn_build(struct ctl *c)
{
	struct transaction *t = &c->transaction;
	char err[CTL_ERROR_SIZE];
	int rc = build_step(t->build, &t->next, err);

	if (rc == -EAGAIN)
		return rc;
	if (rc < 0) {
		transaction_fail(c, rc, err);
		return 0;
	}
	build_free(t->build);
	t->build = NULL;
	/* Keys are in OpenSSL's hands now; ours are wiped. */
	config_free(t->config);
	t->config = NULL;
	transaction_change(c, TRANSACTION_PREPARE);
	return -EAGAIN;
}

/* Tells the ports which addresses to take in: those of `gen`, and of `also` while it is going. */
static void set_port_addresses(
	struct ctl *c, const struct gateway_generation *gen, const struct gateway_generation *also)
{
	const struct gateway_generation *both[2] = {gen, also};
	struct ip_addr addrs[2 * IPC_INTERFACES_MAX * IPC_ADDRESSES_MAX];

	if (c->params.port_ops == NULL)
		return;
	for (uint16_t p = 0; p < c->params.port_count; p++) {
		size_t count = 0;
		int rc;

		for (int k = 0; k < 2; k++) {
			const struct net_config *net = both[k] != NULL ? &both[k]->net : NULL;

			for (uint16_t i = 0; net != NULL && i < net->iface_count; i++) {
				if (net->ifaces[i].port_id != p)
					continue;
				for (uint16_t a = 0; a < net->ifaces[i].addr_count; a++)
					addrs[count++] = net->ifaces[i].addrs[a].addr;
			}
		}
		rc = c->params.port_ops->set_addresses(c->params.ports[p].handle, addrs, count);
		if (rc < 0)
			CTL_LOG(WARNING, "port %s does not take its group addresses: %d",
				c->params.ports[p].name, rc);
	}
}

static int turn_prepare(struct ctl *c)
{
	struct transaction *t = &c->transaction;
	struct worker_group *group = c->params.group;
	char err[CTL_ERROR_SIZE];
	int rc = policy_txn_prepare(t->policy, NODES_A_TURN, err, sizeof(err));

	if (rc == -EAGAIN)
		return rc;
	if (rc < 0) {
		transaction_fail(c, rc, err);
		return 0;
	}
	t->old = group->generation;
	set_port_addresses(c, t->next, t->old);
	policy_txn_publish(t->policy);
	/* rcu_assign_pointer(), which does not take a pointer to const. */
	__atomic_store_n(&group->generation, t->next, __ATOMIC_RELEASE);
	t->next = NULL;
	t->published_ns = t->warned_ns = loop_now_ns();
	transaction_change(c, TRANSACTION_ADOPT);
	return -EAGAIN;
}

static int turn_adopt(struct ctl *c)
{
	struct transaction *t = &c->transaction;
	struct worker_group *group = c->params.group;
	uint64_t now = loop_now_ns();

	for (uint16_t w = 0; w < group->count; w++) {
		uint64_t has = worker_generation(group->workers[w]);

		if (has == t->number)
			continue;
		if (now - t->warned_ns > WARN_NS) {
			t->warned_ns = now;
			CTL_LOG(WARNING,
				"worker %u still runs generation %" PRIu64 ", not %" PRIu64, w, has,
				t->number);
		}
		return -EINPROGRESS;
	}
	/* They run and pass quiescent states, so this wait is a loop of theirs long. */
	synchronize_rcu();
	set_port_addresses(c, group->generation, NULL);
	build_generation_free(t->old);
	t->old = NULL;
	CTL_LOG(INFO, "generation %" PRIu64 " is in force after %" PRIu64 " us", t->number,
		(loop_now_ns() - t->published_ns) / 1000);
	if (t->client != NULL)
		client_result(t->client, t->commit_id, IPC_COMMIT, 0, "");
	t->client = NULL;
	transaction_change(c, TRANSACTION_CLEAN);
	return -EAGAIN;
}

static int turn_clean(struct ctl *c)
{
	switch (policy_txn_clean(c->transaction.policy, NODES_A_TURN)) {
	case POLICY_STEP_GRACE:
		synchronize_rcu();
		return -EAGAIN;
	case POLICY_STEP_AGAIN:
		return -EAGAIN;
	case POLICY_STEP_DONE:
		break;
	}
	c->transaction.policy = NULL;
	transaction_change(c, TRANSACTION_NONE);
	server_resume(c);
	return 0;
}

void commit_turn(void *arg)
{
	struct ctl *c = arg;
	int rc = 0;

	switch (c->transaction.state) {
	case TRANSACTION_BUILD:
		rc = turn_build(c);
		break;
	case TRANSACTION_PREPARE:
		rc = turn_prepare(c);
		break;
	case TRANSACTION_ADOPT:
		rc = turn_adopt(c);
		break;
	case TRANSACTION_CLEAN:
		rc = turn_clean(c);
		break;
	case TRANSACTION_NONE:
	case TRANSACTION_OPEN:
	case TRANSACTION_STATES:
		break;
	}
	if (rc == -EAGAIN)
		loop_timer_start(c->loop, &c->commit_timer, 0);
	else if (rc == -EINPROGRESS)
		loop_timer_start(c->loop, &c->commit_timer, POLL_US);
}

void commit_shutdown(struct ctl *c)
{
	struct transaction *t = &c->transaction;

	t->client = NULL;
	if (t->state == TRANSACTION_OPEN || t->state == TRANSACTION_BUILD ||
		t->state == TRANSACTION_PREPARE) {
		t->commit_id = 0;
		transaction_fail(c, -ECANCELED, "shutting down");
	} else if (t->state == TRANSACTION_ADOPT) {
		build_generation_free(t->old); /* nobody is there to adopt or use anything */
		t->old = NULL;
		transaction_change(c, TRANSACTION_CLEAN);
	}
	while (t->state == TRANSACTION_CLEAN)
		(void)turn_clean(c);
	build_generation_free(c->params.group->generation);
	c->params.group->generation = NULL;
	policy_map_destroy(c->policy);
}
