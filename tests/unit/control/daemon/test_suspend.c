/* SPDX-License-Identifier: BSD-3-Clause */
/* Suspensions: what is pushed, and that enforcement comes back whatever happens meanwhile. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/control/daemon/world.h"

#define SUSPEND(name, scope, time)                                                          \
	"{\"command\": \"suspend\", \"args\": {\"name\": \"" name "\", \"scope\": \"" scope \
	"\", \"for\": \"" time "\", \"reason\": \"their certificate\", \"ticket\": \"T-1\"}}"
#define RESUME(name) "{\"command\": \"resume\", \"args\": {\"name\": \"" name "\"}}"

static size_t suspensions(void)
{
	json_t *answer = call("{\"command\": \"suspensions\"}");
	size_t n = json_array_size(json_object_get(result_of(answer), "suspensions"));

	json_decref(answer);
	return n;
}

static uint64_t until(void)
{
	return fake_partner(&fake, "bank")->suspended_until;
}

static void begin(void)
{
	connect_fake();
	assert_changed(call(SET("bank", "bank.example")), true);
	assert_int_equal(until(), 0);
}

static void test_suspend_and_resume(void **state)
{
	json_t *answer, *o;

	begin();
	assert_changed(call(SUSPEND("bank", "inbound", "2h")), true);
	/* The partner as such is as it was, here and there. */
	assert_int_equal(until(), world_wall + 7200);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_ENCRYPT);
	assert_int_equal(fake_partner(&fake, "bank")->domains, 1);
	answer = call("{\"command\": \"suspensions\"}");
	o = json_array_get(json_object_get(result_of(answer), "suspensions"), 0);
	assert_string_equal(json_string_value(json_object_get(o, "partner")), "bank");
	assert_string_equal(json_string_value(json_object_get(o, "reason")), "their certificate");
	assert_string_equal(json_string_value(json_object_get(o, "ticket")), "T-1");
	assert_string_not_equal(json_string_value(json_object_get(o, "owner")), "");
	assert_int_equal(json_integer_value(json_object_get(o, "left")), 7200);
	json_decref(answer);
	/* A change of the partner and a full push keep it. */
	assert_changed(call(SET("bank", "other.example")), true);
	assert_int_equal(until(), world_wall + 7200);
	fake_close(&fake);
	settle();
	connect_fake();
	assert_int_equal(until(), world_wall + 7200);
	/* Another one takes its place. */
	assert_changed(call(SUSPEND("bank", "inbound", "10m")), true);
	assert_int_equal(until(), world_wall + 600);
	assert_int_equal(suspensions(), 1);
	assert_changed(call(RESUME("bank")), true);
	assert_int_equal(until(), 0);
	assert_int_equal(suspensions(), 0);
	assert_error(call(RESUME("bank")), "not_found", "is not suspended");
	/* Who and why stay on record. */
	answer = call("{\"command\": \"history\", \"args\": {\"limit\": 2}}");
	o = json_array_get(json_object_get(result_of(answer), "history"), 1);
	assert_string_equal(json_string_value(json_object_get(o, "action")), "suspend");
	assert_string_equal(json_string_value(json_object_get(o, "reason")), "their certificate");
	json_decref(answer);
	/* It goes with its partner. */
	assert_changed(call(SUSPEND("bank", "inbound", "10m")), true);
	assert_changed(call(DELETE("bank")), true);
	assert_int_equal(suspensions(), 0);
	pass(700);
}

static void test_refused(void **state)
{
	begin();
	assert_error(call(SUSPEND("bank", "outbound", "2h")), "invalid",
		"partner bank has no outbound policy");
	assert_error(call(SUSPEND("bank", "dane", "2h")), "invalid", "no dane policy");
	assert_error(call(SUSPEND("bank", "sts", "2h")), "invalid", "no sts policy");
	assert_error(call(SUSPEND("bank", "certificate", "2h")), "invalid", "no certificate");
	assert_error(call(SUSPEND("bank", "all", "2h")), "bad_request", "is not a scope");
	assert_error(call(SUSPEND("bank", "inbound", "soon")), "invalid", "soon");
	assert_error(call(SUSPEND("bank", "inbound", "31d")), "invalid", "31d");
	assert_error(call(SUSPEND("nobody", "inbound", "2h")), "not_found", "no such partner");
	assert_error(call("{\"command\": \"suspend\", \"args\": {\"name\": \"bank\", \"scope\": "
			  "\"inbound\", \"for\": \"1h\"}}"),
		"bad_request", "needs --reason");
	assert_changed(call("{\"command\": \"partner-set\", \"args\": {\"name\": \"bank\", "
			    "\"fields\": {\"inbound\": \"may\"}}}"),
		true);
	assert_error(call(SUSPEND("bank", "inbound", "2h")), "invalid", "nothing to lift");
	assert_int_equal(suspensions(), 0);
	/* What the dataplane does not take is not in force here either. */
	assert_changed(call("{\"command\": \"partner-set\", \"args\": {\"name\": \"bank\", "
			    "\"fields\": {\"inbound\": \"encrypt\"}}}"),
		true);
	fake.refuse_commit = ENOMEM;
	assert_error(call(SUSPEND("bank", "inbound", "2h")), "refused", "refuses");
	assert_int_equal(suspensions(), 0);
}

static void test_expiry(void **state)
{
	begin();
	assert_changed(call(SUSPEND("bank", "inbound", "2h")), true);
	pass(7199);
	assert_int_equal(suspensions(), 1);
	pass(1);
	assert_int_equal(suspensions(), 0);
	assert_int_equal(until(), 0);
	/* While the dataplane is away, too; it comes back to an enforced partner. */
	assert_changed(call(SUSPEND("bank", "inbound", "1m")), true);
	fake_close(&fake);
	settle();
	pass(61);
	assert_int_equal(suspensions(), 0);
	connect_fake();
	assert_int_equal(until(), 0);
	/* It refuses the end (and heeds the suspension no more, by its own clock): tried again. */
	assert_changed(call(SUSPEND("bank", "inbound", "1m")), true);
	fake.refuse_commit = ENOMEM;
	pass(61);
	assert_int_equal(suspensions(), 1);
	fake.refuse_commit = 0;
	pass(11);
	assert_int_equal(suspensions(), 0);
	assert_int_equal(until(), 0);
}

static void test_restart(void **state)
{
	begin();
	assert_changed(call(SUSPEND("bank", "inbound", "1h")), true);
	restart_daemon();
	connect_fake();
	assert_int_equal(suspensions(), 1);
	assert_int_equal(until(), world_wall + 3600);
	pass(3599);
	assert_int_equal(suspensions(), 1);
	pass(1);
	assert_int_equal(suspensions(), 0);
	assert_int_equal(until(), 0);
	/* Over while we were dead. */
	assert_changed(call(SUSPEND("bank", "inbound", "1h")), true);
	world_wall += 4000;
	restart_daemon();
	pass(1);
	connect_fake();
	assert_int_equal(suspensions(), 0);
	assert_int_equal(until(), 0);
}

/* A wall clock set back lengthens nothing, one set forward ends what is over by it. */
static void test_clock_step(void **state)
{
	begin();
	assert_changed(call(SUSPEND("bank", "inbound", "1h")), true);
	world_wall -= 86400;
	pass(3599);
	assert_int_equal(suspensions(), 1);
	pass(1);
	assert_int_equal(suspensions(), 0);
	assert_int_equal(until(), 0);
	assert_changed(call(SUSPEND("bank", "inbound", "1h")), true);
	world_wall += 86400;
	pass(1);
	assert_int_equal(suspensions(), 0);
	assert_int_equal(until(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_suspend_and_resume, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_refused, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_expiry, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_restart, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_clock_step, world_setup, world_teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
