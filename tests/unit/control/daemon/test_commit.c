/* SPDX-License-Identifier: BSD-3-Clause */
/* Staging, commits for good and on trial, and the way back. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/control/daemon/world.h"

#define STAGE(name, fields)                                                                   \
	"{\"command\": \"partner-set\", \"args\": {\"name\": \"" name "\", \"stage\": true, " \
	"\"fields\": {" fields "}}}"
#define STAGE_DELETE(name)                                                      \
	"{\"command\": \"partner-delete\", \"args\": {\"name\": \"" name "\", " \
	"\"stage\": true}}"
#define COMMIT "{\"command\": \"commit\", \"args\": {\"reason\": \"audit\"}}"
#define TRIAL  "{\"command\": \"commit\", \"args\": {\"confirm_within\": \"10m\"}}"
#define UNDO   "{\"command\": \"undo\"}"

static json_int_t number(const json_t *answer, const char *key)
{
	return json_integer_value(json_object_get(result_of(answer), key));
}

static void expect(const char *request, int created, int changed, int deleted)
{
	json_t *answer = call(request);

	assert_int_equal(number(answer, "created"), created);
	assert_int_equal(number(answer, "changed"), changed);
	assert_int_equal(number(answer, "deleted"), deleted);
	json_decref(answer);
}

static void expect_diff(int created, int changed, int deleted)
{
	expect("{\"command\": \"diff\"}", created, changed, deleted);
}

static unsigned int domains(const char *name)
{
	const struct fake_partner *p = fake_partner(&fake, name);

	return p ? p->domains : 0;
}

static void test_transaction(void **state)
{
	unsigned int begins;
	json_t *answer, *o;

	connect_fake();
	expect_diff(0, 0, 0);
	assert_changed(call(SET("bank", "bank.example")), true);
	assert_changed(call(SET("old", "old.example")), true);
	begins = fake.policy_begins;
	expect(STAGE("bank", "\"domain\": [\"bank.example\", \"b.example\"]"), 0, 1, 0);
	/* A domain that another has cannot be staged, and is not. */
	assert_error(call(STAGE("shop", "\"domain\": [\"old.example\"]")), "conflict",
		"old.example belongs to partner old already");
	expect(STAGE_DELETE("old"), 0, 1, 1);
	/* Now it is free. */
	expect(STAGE("shop", "\"domain\": [\"old.example\"], \"inbound\": \"may\""), 1, 1, 1);
	assert_error(call(STAGE("shop", "\"inbound\": \"perhaps\"")), "invalid", "perhaps");
	assert_error(call(STAGE_DELETE("old")), "not_found", "no such partner: old");
	/* Nothing has happened yet, and the stage survives a restart. */
	assert_int_equal(fake.policy_begins, begins);
	assert_error(call(SHOW("shop")), "not_found", "no such partner");
	restart_daemon();
	connect_fake();
	begins = fake.policy_begins;
	answer = call("{\"command\": \"diff\"}");
	o = json_array_get(json_object_get(result_of(answer), "changes"), 0);
	assert_string_equal(json_string_value(json_object_get(o, "partner")), "bank");
	assert_string_equal(json_string_value(json_object_get(o, "action")), "change");
	o = json_object_get(o, "fields");
	assert_int_equal(json_object_size(o), 1);
	assert_int_equal(json_array_size(json_array_get(json_object_get(o, "domain"), 0)), 1);
	assert_int_equal(json_array_size(json_array_get(json_object_get(o, "domain"), 1)), 2);
	json_decref(answer);

	/* Refused by the dataplane: staged as before. */
	fake.refuse_commit = ENOMEM;
	assert_error(call(COMMIT), "refused", "the dataplane refuses");
	fake.refuse_commit = 0;
	expect_diff(1, 1, 1);
	begins = fake.policy_begins;
	expect(COMMIT, 1, 1, 1);
	assert_int_equal(fake.policy_begins, begins + 1); /* as one */
	assert_int_equal(domains("bank"), 2);
	assert_null(fake_partner(&fake, "old"));
	assert_int_equal(fake_partner(&fake, "shop")->inbound, IPC_LEVEL_MAY);
	expect_diff(0, 0, 0);
	expect(COMMIT, 0, 0, 0);
	assert_int_equal(fake.policy_begins, begins + 1);
	answer = call("{\"command\": \"history\", \"args\": {\"limit\": 1}}");
	o = json_array_get(json_object_get(result_of(answer), "history"), 0);
	assert_string_equal(json_string_value(json_object_get(o, "reason")), "audit");
	json_decref(answer);

	expect(STAGE_DELETE("bank"), 0, 0, 1);
	json_decref(call("{\"command\": \"discard\"}"));
	expect_diff(0, 0, 0);
}

static void test_undo(void **state)
{
	json_t *before = NULL, *after = NULL, *answer;

	connect_fake();
	assert_error(call(UNDO), "not_found", "no commit to undo");
	assert_changed(call("{\"command\": \"partner-set\", \"args\": {\"name\": \"bank\", "
			    "\"fields\": {\"domain\": [\"a.example\", \"b.example\"], \"address\": "
			    "[\"192.0.2.0/24\"], \"contact\": \"+1\", \"notes\": \"n\"}}}"),
		true);
	assert_changed(call(SET("two", "two.example")), true);
	before = call(SHOW("bank"));
	/* A domain wanders from one to the other. */
	expect(STAGE("bank", "\"domain\": [\"a.example\"], \"contact\": \"\", \"inbound\": "
			     "\"may\""),
		0, 1, 0);
	expect(STAGE("two", "\"domain\": [\"b.example\"]"), 0, 2, 0);
	expect(COMMIT, 0, 2, 0);
	assert_changed(call(DELETE("bank")), true);
	/* Step by step. */
	expect(UNDO, 1, 0, 0);
	assert_int_equal(domains("bank"), 1);
	expect(UNDO, 0, 2, 0);
	assert_int_equal(domains("bank"), 2);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_ENCRYPT);
	after = call(SHOW("bank"));
	for (int i = 0; i < 2; i++) {
		json_t *o = result_of(i ? after : before);

		json_object_del(o, "id");
		json_object_del(o, "created");
		json_object_del(o, "changed");
	}
	assert_true(json_equal(result_of(before), result_of(after)));
	json_decref(before);
	json_decref(after);
	expect(UNDO, 0, 0, 1); /* two */
	expect(UNDO, 0, 0, 1); /* bank */
	assert_int_equal(fake.committed.partner_count, 0);
	assert_error(call(UNDO), "not_found", "no commit to undo");
	answer = call("{\"command\": \"history\", \"args\": {\"limit\": 100}}");
	assert_int_equal(json_array_size(json_object_get(result_of(answer), "history")), 5 + 5);
	json_decref(answer);
}

static void test_trial(void **state)
{
	connect_fake();
	assert_changed(call(SET("bank", "bank.example")), true);
	expect(STAGE("bank", "\"inbound\": \"none\""), 0, 1, 0);
	assert_error(call("{\"command\": \"commit\", \"args\": {\"confirm_within\": \"soon\"}}"),
		"invalid", "soon");
	expect(TRIAL, 0, 1, 0);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_NONE);
	/* Nothing may come between. */
	assert_error(call(SET("x", "x.example")), "conflict", "waits until");
	assert_error(call(DELETE("bank")), "conflict", "confirm or undo it first");
	assert_error(call(COMMIT), "conflict", "waits until");
	pass(599);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_NONE);
	pass(1);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_ENCRYPT);
	assert_error(call("{\"command\": \"confirm\"}"), "not_found", "no commit waits");
	assert_changed(call(SET("x", "x.example")), true);

	/* Confirmed it stays. */
	expect(STAGE("bank", "\"inbound\": \"none\""), 0, 1, 0);
	expect(TRIAL, 0, 1, 0);
	json_decref(call("{\"command\": \"confirm\"}"));
	pass(3600);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_NONE);
	expect(UNDO, 0, 1, 0);

	/* Undone at once. */
	expect(STAGE("bank", "\"inbound\": \"none\""), 0, 1, 0);
	expect(TRIAL, 0, 1, 0);
	expect(UNDO, 0, 1, 0);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_ENCRYPT);
	assert_changed(call(SET("y", "y.example")), true);
	pass(3600);
	assert_non_null(fake_partner(&fake, "y"));
}

/* Nobody confirms and we die meanwhile, or the clock is set back, or the dataplane refuses. */
static void test_trial_restart(void **state)
{
	connect_fake();
	assert_changed(call(SET("bank", "bank.example")), true);
	expect(STAGE("bank", "\"inbound\": \"none\""), 0, 1, 0);
	expect(TRIAL, 0, 1, 0);
	world_wall += 601;
	restart_daemon();
	assert_error(call(SET("x", "x.example")), "conflict", "waits until");
	pass(1);
	connect_fake();
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_ENCRYPT);

	expect(STAGE("bank", "\"inbound\": \"none\""), 0, 1, 0);
	expect(TRIAL, 0, 1, 0);
	world_wall -= 86400;
	fake.refuse_commit = ENOMEM;
	pass(600);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_NONE);
	fake.refuse_commit = 0;
	pass(11);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_ENCRYPT);
}

/* Without a dataplane all the same; it gets the outcome when it comes. */
static void test_offline(void **state)
{
	expect(STAGE("a", "\"domain\": [\"a.example\"]"), 1, 0, 0);
	expect(STAGE("b", "\"domain\": [\"b.example\"]"), 2, 0, 0);
	expect(STAGE_DELETE("a"), 2, 0, 1);
	expect(COMMIT, 2, 0, 1);
	connect_fake();
	assert_int_equal(fake.committed.partner_count, 1);
	/* Came and went within one commit: the dataplane never hears of it. */
	expect(STAGE("c", "\"domain\": [\"c.example\"]"), 1, 0, 0);
	expect(STAGE_DELETE("c"), 1, 0, 1);
	expect(COMMIT, 1, 0, 1);
	assert_int_equal(fake.committed.partner_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_transaction, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_undo, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_trial, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_trial_restart, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_offline, world_setup, world_teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
