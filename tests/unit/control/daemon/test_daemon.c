/* SPDX-License-Identifier: BSD-3-Clause */
/* What is pushed to the dataplane when, and what happens when it refuses, dies, or does not read.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/control/daemon/world.h"

static void test_full_push(void **state)
{
	json_t *answer;

	assert_changed(call(SET("bank", "bank.example")), false);
	connect_fake();
	assert_true(fake.subscribed);
	assert_int_equal(fake.config_begins, 1);
	assert_int_equal(fake.commits, 1);
	assert_string_equal(fake.committed.hostname, "mx.example.net");
	assert_int_equal(fake.committed.interfaces, 2);
	assert_int_equal(fake.committed.addresses, 3);
	assert_int_equal(fake.committed.routes, 2);
	assert_int_equal(fake.committed.listeners, 1);
	assert_int_equal(fake.committed.next_hops, 2);
	assert_int_equal(fake.committed.partner_count, 1);
	assert_int_equal(fake_partner(&fake, "bank")->domains, 1);

	answer = call("{\"command\": \"status\"}");
	assert_true(json_is_true(
		json_object_get(json_object_get(result_of(answer), "daemon"), "synced")));
	assert_int_equal(json_array_size(json_object_get(
				 json_object_get(result_of(answer), "dataplane"), "workers")),
		FAKE_WORKERS);
	json_decref(answer);
}

static void test_incremental_push(void **state)
{
	uint64_t generation;

	connect_fake();
	generation = fake.committed.generation;
	assert_changed(call(SET("bank", "bank.example")), true);
	assert_int_equal(fake.config_begins, 1);
	assert_int_equal(fake.policy_begins, 1);
	assert_true(fake.committed.generation > generation);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_ENCRYPT);
	assert_changed(
		call("{\"command\": \"partner-set\", \"args\": {\"name\": \"bank\", "
		     "\"fields\": {\"inbound\": \"may\", \"address\": [\"192.0.2.0/24\"]}}}"),
		true);
	assert_int_equal(fake_partner(&fake, "bank")->inbound, IPC_LEVEL_MAY);
	assert_int_equal(fake_partner(&fake, "bank")->domains, 1);
	assert_int_equal(fake_partner(&fake, "bank")->prefixes, 1);
	/* What changes nothing is not pushed. */
	assert_changed(call(SET("bank", "bank.example")), false);
	assert_int_equal(fake.policy_begins, 2);
	assert_changed(call(DELETE("bank")), true);
	assert_int_equal(fake.committed.partner_count, 0);
	assert_error(call(DELETE("bank")), "not_found", "no such partner");
	assert_int_equal(fake.config_begins, 1);
}

/* A dataplane that starts anew gets everything; one that went on gets a higher number. */
static void test_reconnect(void **state)
{
	uint64_t generation;
	json_t *answer;

	connect_fake();
	assert_changed(call(SET("one", "one.example")), true);
	generation = fake.committed.generation;
	fake_close(&fake);
	settle();
	answer = call("{\"command\": \"status\"}");
	assert_true(json_is_false(
		json_object_get(json_object_get(result_of(answer), "dataplane"), "connected")));
	json_decref(answer);
	assert_error(call("{\"command\": \"workers\"}"), "unavailable", "cannot be reached");
	assert_changed(call(SET("two", "two.example")), false);

	memset(&fake, 0, sizeof(fake));
	fake.fd = -1;
	connect_fake();
	assert_true(fake.committed.generation > generation);
	assert_non_null(fake_partner(&fake, "one"));
	assert_non_null(fake_partner(&fake, "two"));

	/* Far ahead of our store: its numbers go on. */
	fake_close(&fake);
	fake.committed.generation = 100000;
	settle();
	connect_fake();
	assert_int_equal(fake.committed.generation, 100001);
	assert_changed(call(DELETE("one")), true);
	assert_int_equal(fake.committed.generation, 100002);
}

static void test_refused_partner(void **state)
{
	uint64_t generation;

	connect_fake();
	assert_changed(call(SET("bank", "bank.example")), true);
	generation = fake.committed.generation;
	fake.refuse_commit = ENOMEM;
	strcpy(fake.refuse_text, "no room for it");
	assert_error(
		call("{\"command\": \"partner-set\", \"args\": {\"name\": \"bank\", \"fields\": "
		     "{\"inbound\": \"none\"}}}"),
		"refused", "the dataplane refuses: no room for it");
	assert_error(call(SET("shop", "shop.example")), "refused", "no room for it");
	assert_error(call(DELETE("bank")), "refused", "no room for it");
	/* As before, here and there. */
	assert_error(call(SHOW("shop")), "not_found", "no such partner");
	json_t *answer = call(SHOW("bank"));
	assert_string_equal(
		json_string_value(json_object_get(result_of(answer), "inbound")), "encrypt");
	json_decref(answer);
	assert_int_equal(fake.committed.generation, generation);
	assert_non_null(fake_partner(&fake, "bank"));
	fake.refuse_commit = 0;
	assert_changed(call(SET("shop", "shop.example")), true);
	assert_non_null(fake_partner(&fake, "shop"));
}

static void test_reload(void **state)
{
	connect_fake();
	assert_changed(call(SET("bank", "bank.example")), true);
	/* A file with a mistake: nothing happens. */
	write_config("port: 25", "port: 70000");
	assert_error(call("{\"command\": \"reload\"}"), "invalid",
		":21: listeners[0].port: 70000 is not a port (1..65535)");
	assert_int_equal(fake.config_begins, 1);
	assert_int_equal(daemon_config(daemon_)->listeners[0].port, 25);
	/* One that the dataplane refuses: the old one stays. */
	write_config("port: 25", "port: 2525");
	fake.refuse_commit = ENODEV;
	strcpy(fake.refuse_text, "interface out: no port net_tap0");
	assert_error(call("{\"command\": \"reload\"}"), "refused", "no port net_tap0");
	assert_int_equal(daemon_config(daemon_)->listeners[0].port, 25);
	fake.refuse_commit = 0;
	assert_changed(call("{\"command\": \"reload\"}"), true);
	assert_int_equal(daemon_config(daemon_)->listeners[0].port, 2525);
	assert_non_null(fake_partner(&fake, "bank"));
	/* The next connection gets the new one. */
	fake_close(&fake);
	settle();
	write_config("mx.example.net", "other.example.net");
	assert_changed(call("{\"command\": \"reload\"}"), false);
	connect_fake();
	assert_string_equal(fake.committed.hostname, "other.example.net");
}

static const char *first_warning(const json_t *o)
{
	return json_string_value(json_array_get(json_object_get(o, "warnings"), 0));
}

/* A certificate that is out of date is told, not refused: the rest of the file is worth having. */
static void test_certificate_out_of_date(void **state)
{
	static const struct {
		const char *file, *told;
	} cases[] = {{"expired.pem", "has expired on 2"}, {"future.pem", "is not valid before 2"},
		{"soon.pem", "expires on 2"}};
	json_t *answer;

	connect_fake();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char what[64];

		write_config("chain.pem", cases[i].file);
		answer = call("{\"command\": \"reload\"}");
		snprintf(what, sizeof(what), "/%s) %s", cases[i].file, cases[i].told);
		assert_non_null(strstr(first_warning(result_of(answer)), "certificate main ("));
		assert_non_null(strstr(first_warning(result_of(answer)), what));
		assert_changed(answer, true);
		fake_close(&fake); /* status without the dataplane's part */
		settle();
		answer = call("{\"command\": \"status\"}");
		assert_non_null(
			strstr(first_warning(json_object_get(result_of(answer), "daemon")), what));
		json_decref(answer);
		connect_fake();
	}
	write_config(NULL, NULL);
	answer = call("{\"command\": \"reload\"}");
	assert_null(first_warning(result_of(answer)));
	assert_changed(answer, true);
}

/* The outcome is lost with the connection: the change stands, the next push brings it. */
static void test_lost_at_commit(void **state)
{
	connect_fake();
	fake.die_at_commit = true;
	assert_changed(call(SET("bank", "bank.example")), false);
	assert_null(fake_partner(&fake, "bank"));
	fake.die_at_commit = false;
	connect_fake();
	assert_non_null(fake_partner(&fake, "bank"));
}

/* One that does not answer is given up, and the change goes on. */
static void test_silent(void **state)
{
	json_t *answer;
	int fd;

	connect_fake();
	fake.silent = true;
	fd = client();
	say(fd, SET("bank", "bank.example") "\n");
	answer = hear(fd);
	assert_null(answer);
	settle_for(800);
	answer = hear(fd);
	assert_non_null(answer);
	assert_changed(answer, false);
	assert_int_equal(fake.fd, -1); /* it saw us go */
	close(fd);
}

/* More than a socket takes at once, to one who reads late. */
static void test_large_push(void **state)
{
	char name[32], domain[64], err[PARTNER_ERROR_MAX];

	assert_int_equal(store_begin(store), 0);
	for (int i = 0; i < 2000; i++) {
		struct partner p;

		assert_int_equal(partner_init(&p), 0);
		snprintf(name, sizeof(name), "p%d", i);
		assert_int_equal(partner_set_name(&p, name, err), 0);
		for (int j = 0; j < 20; j++) {
			snprintf(domain, sizeof(domain), "d%d.p%d.example", j, i);
			assert_int_equal(partner_add_domain(&p, domain, err), 0);
		}
		assert_int_equal(store_partner_put(store, &p), 0);
		partner_release(&p);
	}
	assert_int_equal(store_commit(store), 0);
	assert_int_equal(dataplane_adopt(daemon_dataplane(daemon_), fake_connect(&fake)), 0);
	fake_pump(&fake); /* HELLO */
	for (int i = 0; i < 10; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	fake_pump(&fake); /* SUBSCRIBE */
	fake_pump(&fake); /* BEGIN */
	fake.deaf = true;
	settle();
	assert_int_equal(fake.commits, 0);
	/* The daemon is not held up by it. */
	json_decref(call(SHOW("p7")));
	fake.deaf = false;
	settle();
	assert_int_equal(fake.commits, 1);
	assert_int_equal(fake.committed.partner_count, 2000);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(fake.committed.partners[i].domains, 20);
}

/* One that stops to read in the middle of a push is given up too. */
static void test_deaf(void **state)
{
	test_large_push(state);
	fake.deaf = false;
	fake_close(&fake);
	settle();
	assert_int_equal(dataplane_adopt(daemon_dataplane(daemon_), fake_connect(&fake)), 0);
	for (int i = 0; i < 3; i++) { /* HELLO, SUBSCRIBE, BEGIN */
		event_base_loop(base, EVLOOP_NONBLOCK);
		fake_pump(&fake);
	}
	fake.deaf = true;
	settle_for(800);
	assert_false(dataplane_is_up(daemon_dataplane(daemon_)));
	assert_int_equal(fake.commits, 1);
}

/* The commit of the connection before is still being carried out. */
static void test_busy_at_first(void **state)
{
	fake.refuse_begin = EBUSY;
	fake.refuse_count = 1;
	connect_fake();
	assert_int_equal(fake.commits, 0);
	settle_for(700);
	assert_int_equal(fake.commits, 1);
	assert_int_equal(fake.committed.interfaces, 2);
}

/* Changes that come at once are made one after the other. */
static void test_queue(void **state)
{
	int one, two, three;

	connect_fake();
	one = client();
	two = client();
	three = client();
	say(one, SET("one", "x.example") "\n");
	say(two, SET("two", "x.example") "\n");
	say(three, SET("three", "y.example") "\n");
	settle();
	/* Whichever came first has x.example. */
	json_t *a = hear(one), *b = hear(two), *c = hear(three);
	assert_int_equal(
		json_is_true(json_object_get(a, "ok")) + json_is_true(json_object_get(b, "ok")), 1);
	assert_changed(c, true);
	assert_int_equal(fake.committed.partner_count, 2);
	json_decref(a);
	json_decref(b);
	close(one);
	close(two);
	close(three);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full_push, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_incremental_push, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_reconnect, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_refused_partner, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_reload, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(
			test_certificate_out_of_date, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_lost_at_commit, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_silent, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_busy_at_first, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_queue, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_large_push, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_deaf, world_setup, world_teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
