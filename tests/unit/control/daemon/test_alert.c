/* SPDX-License-Identifier: BSD-3-Clause */
/* Alerts: raised, delivered, cleared; and commands that misbehave. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/daemon/alert_run.h"
#include "tests/unit/control/daemon/fixture.h"
#include "tests/unit/control/daemon/world.h"

static char script_path[128];

static void script(const char *body)
{
	FILE *f;

	snprintf(script_path, sizeof(script_path), "%s/alert.sh", fixture_dir);
	f = fopen(script_path, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", body);
	fclose(f);
	assert_int_equal(chmod(script_path, 0755), 0);
}

static void setup_command(const char *body)
{
	char alerts[400];

	script(body);
	snprintf(alerts, sizeof(alerts),
		"events: no\nalerts:\n  command: [%s, %s]\n  after: 2\n  clear-after: 5m\n",
		script_path, fixture_dir);
	write_config("to: stderr", alerts);
	connect_fake();
	assert_changed(call("{\"command\": \"reload\"}"), true);
	assert_changed(
		call("{\"command\": \"partner-set\", \"args\": {\"name\": \"bank\", "
		     "\"fields\": {\"domain\": [\"bank.example\"], \"contact\": \"+49 30\"}}}"),
		true);
}

static void refuse(unsigned int count)
{
	struct ipc_event e = {
		.kind = IPC_EVENT_MESSAGE,
		.outcome = IPC_OUTCOME_POLICY,
		.side = IPC_OUTSIDE,
		.level = IPC_LEVEL_ENCRYPT,
		.partner_id = 1,
		.partner = "bank",
		.text = "$(touch x) Encryption needed",
	};

	fake_event(&fake, &e, count);
	settle();
}

static json_t *alerts(size_t want)
{
	json_t *answer = call("{\"command\": \"alerts\"}");

	assert_int_equal(json_array_size(json_object_get(result_of(answer), "alerts")), want);
	return answer;
}

static json_int_t command_count(const char *key)
{
	json_t *answer = call("{\"command\": \"alerts\"}");
	json_int_t n = json_integer_value(
		json_object_get(json_object_get(result_of(answer), "command"), key));

	json_decref(answer);
	return n;
}

/* Seconds of the daemon's time go by until commands have ended, some real ms each. */
static void await(const char *key, json_int_t want)
{
	for (int i = 0; i < 400 && command_count(key) < want; i++) {
		usleep(10000);
		daemon_tick(daemon_);
	}
	assert_int_equal(command_count(key), want);
}

static json_t *delivered(const char *what)
{
	char path[160];
	json_t *o;

	snprintf(path, sizeof(path), "%s/out.%s", fixture_dir, what);
	o = json_load_file(path, 0, NULL);
	unlink(path);
	return o;
}

static void test_raise_and_clear(void **state)
{
	json_t *answer, *o;

	setup_command("cat > $1/out.$POSTGATE_ALERT; [ \"$POSTGATE_CONTACT\" = '+49 30' ]");
	refuse(1);
	pass(1);
	json_decref(alerts(0)); /* one is not enough here */
	/* Far apart they are not enough either. */
	pass(61);
	refuse(1);
	pass(1);
	json_decref(alerts(0));
	refuse(1);
	pass(1);
	answer = alerts(1);
	o = json_array_get(json_object_get(result_of(answer), "alerts"), 0);
	assert_string_equal(json_string_value(json_object_get(o, "partner")), "bank");
	assert_string_equal(json_string_value(json_object_get(o, "contact")), "+49 30");
	assert_int_equal(json_integer_value(json_object_get(o, "refused")), 2);
	json_decref(answer);
	await("done", 1);
	o = delivered("raised");
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "partner")), "bank");
	assert_int_equal(json_integer_value(json_object_get(o, "refused")), 2);
	assert_string_equal(
		json_string_value(json_object_get(o, "reason")), "$(touch x) Encryption needed");
	json_decref(o);
	/* It lasts as long as there are refusals, and is told once. */
	for (int i = 0; i < 5; i++) {
		pass(290);
		refuse(1);
	}
	pass(1);
	json_decref(alerts(1));
	assert_int_equal(command_count("done"), 1);
	/* A restart does not lose it. */
	restart_daemon();
	connect_fake();
	pass(1);
	json_decref(alerts(1));
	pass(301);
	json_decref(alerts(0));
	await("done", 1);
	o = delivered("cleared");
	assert_non_null(o);
	assert_int_equal(json_integer_value(json_object_get(o, "refused")), 7);
	json_decref(o);
	unlink(script_path);
}

static void test_not_enforced(void **state)
{
	struct ipc_event e = {
		.kind = IPC_EVENT_MESSAGE,
		.outcome = IPC_OUTCOME_POLICY,
		.level = IPC_LEVEL_ENCRYPT,
	};

	connect_fake();
	fake_event(&fake, &e, 5); /* a stranger */
	e.partner_id = 1;
	e.outcome = IPC_OUTCOME_REFUSED; /* the next hop's word, not ours */
	strcpy(e.partner, "bank");
	fake_event(&fake, &e, 5);
	settle();
	pass(1);
	json_decref(alerts(0));
	e.outcome = IPC_OUTCOME_POLICY;
	fake_event(&fake, &e, 1);
	settle();
	pass(1);
	json_decref(alerts(1)); /* without a command, too */
}

static void test_command_fails(void **state)
{
	setup_command("exit 3");
	refuse(2);
	pass(1);
	await("failed", 1);
	unlink(script_path);
	/* It is not there any more. */
	pass(301);
	await("failed", 2);
}

/* One that hangs holds up nobody and is killed, with its children. */
static void test_command_hangs(void **state)
{
	setup_command("sleep 1000 & echo $! > $1/out.child; sleep 1000");
	refuse(2);
	pass(1);
	assert_int_equal(command_count("running"), 1);
	for (int i = 0; i < 100 && command_count("failed") == 0; i++) {
		usleep(10000);
		pass(1);
	}
	assert_int_equal(command_count("failed"), 1);
	json_decref(alerts(1));
	unlink(script_path);
	json_decref(delivered("child"));
}

static void test_queue(void **state)
{
	struct alert_runner *r = alert_runner_create();
	json_t *o;

	for (int i = 0; i < ALERT_WAITING_MAX + 5; i++)
		alert_runner_add(r, json_pack("{s:i}", "n", i));
	o = alert_runner_json(r);
	assert_int_equal(json_integer_value(json_object_get(o, "waiting")), ALERT_WAITING_MAX);
	assert_int_equal(json_integer_value(json_object_get(o, "dropped")), 5);
	json_decref(o);
	alert_runner_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_raise_and_clear, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_not_enforced, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_command_fails, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_command_hangs, world_setup, world_teardown),
		cmocka_unit_test(test_queue),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
