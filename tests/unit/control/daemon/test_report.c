/* SPDX-License-Identifier: BSD-3-Clause */
/* What the reports make of the events: counted by hand here. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/daemon/report_private.h"
#include "tests/unit/control/daemon/world.h"

static struct ipc_event message(const char *partner, const char *sender, const char *version)
{
	struct ipc_event e = {
		.kind = IPC_EVENT_MESSAGE,
		.outcome = IPC_OUTCOME_DELIVERED,
		.side = IPC_OUTSIDE,
		.client_tls = *version != '\0',
	};

	strcpy(e.partner, partner);
	strcpy(e.sender, sender);
	strcpy(e.client_version, version);
	if (*version != '\0')
		strcpy(e.client_cipher, "TLS_AES_256_GCM_SHA384");
	return e;
}

static void happen(struct ipc_event e, unsigned int count)
{
	fake_event(&fake, &e, count);
	settle();
}

static const json_t *row(const json_t *list, const char *key, const char *value)
{
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		if (strcmp(json_string_value(json_object_get(o, key)), value) == 0)
			return o;
	}
	return NULL;
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void test_coverage(void **state)
{
	struct ipc_event e;
	json_t *answer;
	const json_t *o;

	connect_fake();
	happen(message("bank", "a@bank.example", "TLSv1.3"), 3);
	happen(message("bank", "a@bank.example", ""), 2);
	e = message("bank", "a@bank.example", "");
	e.outcome = IPC_OUTCOME_POLICY;
	happen(e, 4);
	e = message("bank", "a@bank.example", "TLSv1.2");
	e.suspended = 1;
	happen(e, 1);
	happen(message("", "x@a.example", "TLSv1.2"), 5);
	e.kind = IPC_EVENT_SESSION;
	happen(e, 7); /* no message */
	/* Outbound mail: the other side's leg counts. */
	e = message("bank", "me@here.example", "");
	e.side = IPC_INSIDE;
	e.upstream_tls = 1;
	strcpy(e.upstream_version, "TLSv1.3");
	strcpy(e.upstream_cipher, "TLS_CHACHA20_POLY1305_SHA256");
	happen(e, 6);

	answer = call("{\"command\": \"report-coverage\"}");
	assert_int_equal(json_array_size(json_object_get(result_of(answer), "partners")), 3);
	for (size_t i = 0; i < 3; i++) {
		o = json_array_get(json_object_get(result_of(answer), "partners"), i);
		if (strcmp(json_string_value(json_object_get(o, "partner")), "") == 0) {
			assert_int_equal(number(o, "encrypted"), 5);
			assert_int_equal(number(o, "plain"), 0);
		} else if (strcmp(json_string_value(json_object_get(o, "direction")), "inbound") ==
			   0) {
			assert_int_equal(number(o, "messages"), 10);
			assert_int_equal(number(o, "delivered"), 6);
			assert_int_equal(number(o, "encrypted"), 4);
			assert_int_equal(number(o, "plain"), 2);
			assert_int_equal(number(o, "policy"), 4);
			assert_int_equal(number(o, "suspended"), 1);
		} else {
			assert_int_equal(number(o, "encrypted"), 6);
		}
	}
	o = row(json_object_get(result_of(answer), "suites"), "cipher",
		"TLS_CHACHA20_POLY1305_SHA256");
	assert_int_equal(number(o, "messages"), 6);
	json_decref(answer);
	answer = call("{\"command\": \"report-coverage\", \"args\": {\"partner\": \"BANK\", "
		      "\"since\": \"1h\"}}");
	assert_int_equal(json_array_size(json_object_get(result_of(answer), "partners")), 2);
	json_decref(answer);
	/* Days are apart, and old ones are not asked for. */
	pass(3 * 86400);
	happen(message("bank", "a@bank.example", "TLSv1.3"), 1);
	answer = call("{\"command\": \"report-coverage\", \"args\": {\"since\": \"1d\"}}");
	o = json_array_get(json_object_get(result_of(answer), "partners"), 0);
	assert_int_equal(number(o, "messages"), 1);
	json_decref(answer);
	assert_error(call("{\"command\": \"report-coverage\", \"args\": {\"since\": "
			  "\"yesterday\"}}"),
		"bad_request", "yesterday is not a time back from now");
}

static void test_would_break(void **state)
{
	struct ipc_event e;
	json_t *answer;
	const json_t *list;

	connect_fake();
	happen(message("bank", "a@bank.example", "TLSv1.3"), 3);
	happen(message("shop", "a@shop.example", ""), 2);
	happen(message("shop", "a@shop.example", "TLSv1.3"), 1);
	happen(message("", "x@Plain.Example>", ""), 2);
	happen(message("", "x@good.example", "TLSv1.2"), 2);
	happen(message("", "", ""), 1);
	happen(message("", "x@[192.0.2.1]", ""), 1);
	e = message("", "x@refused.example", "");
	e.outcome = IPC_OUTCOME_REFUSED;
	happen(e, 9); /* did not get through anyway */
	answer = call("{\"command\": \"report-would-break\", \"args\": {\"level\": "
		      "\"encrypt\"}}");
	list = json_object_get(result_of(answer), "partners");
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(number(row(list, "partner", "shop"), "plain"), 2);
	assert_int_equal(number(row(list, "partner", "shop"), "messages"), 3);
	list = json_object_get(result_of(answer), "strangers");
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(number(row(list, "domain", "plain.example"), "plain"), 2);
	assert_int_equal(number(row(list, "domain", "<>"), "plain"), 1);
	assert_int_equal(number(row(list, "domain", "(others)"), "plain"), 1);
	json_decref(answer);
	assert_error(call("{\"command\": \"report-would-break\", \"args\": {\"level\": "
			  "\"verify\"}}"),
		"bad_request", "verify");
}

static void test_suggest(void **state)
{
	json_t *answer;
	const json_t *list;

	connect_fake();
	for (int i = 0; i < 4; i++) {
		char request[200];

		snprintf(request, sizeof(request),
			"{\"command\": \"partner-set\", \"args\": {\"name\": \"p%d\", \"fields\": "
			"{\"domain\": [\"p%d.example\"], \"inbound\": \"%s\"}}}",
			i, i, i == 3 ? "encrypt" : "may");
		assert_changed(call(request), true);
	}
	happen(message("p0", "a@p0.example", "TLSv1.3"), 10);
	happen(message("p1", "a@p1.example", "TLSv1.3"), 10);
	happen(message("p1", "a@p1.example", ""), 1);
	happen(message("p2", "a@p2.example", "TLSv1.3"), 9); /* too few to say */
	happen(message("p3", "a@p3.example", "TLSv1.3"), 50);
	happen(message("gone", "a@gone.example", "TLSv1.3"), 50);
	answer = call("{\"command\": \"report-suggest\"}");
	list = json_object_get(result_of(answer), "suggestions");
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(number(row(list, "partner", "p0"), "messages"), 10);
	json_decref(answer);
	answer = call("{\"command\": \"report-suggest\", \"args\": {\"min\": 5}}");
	assert_int_equal(json_array_size(json_object_get(result_of(answer), "suggestions")), 2);
	json_decref(answer);
}

static int64_t rows_of(struct report *r, const char *sql)
{
	sqlite3_stmt *st;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(r->db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* Strangers choose their domains: neither memory nor the database grows without end. */
static void test_bounds(void **state)
{
	unsigned int many = REPORT_SENDERS_A_DAY + 20000;
	int64_t now = 1800000000;
	char err[REPORT_ERROR_MAX];
	struct report *r;

	assert_int_equal(report_open(NULL, &r, err), 0);
	for (unsigned int i = 0; i < many; i++) {
		struct ipc_event e = message("", "", "");

		snprintf(e.sender, sizeof(e.sender), "a@d%u.example", i);
		report_event(r, &e, now);
		assert_true(r->sender_count <= REPORT_SENDER_SLOTS / 2);
	}
	report_flush(r, now);
	assert_int_equal(rows_of(r, "SELECT count(*) FROM sender"), REPORT_SENDERS_A_DAY + 1);
	assert_int_equal(rows_of(r, "SELECT sum(plain) FROM sender"), many);
	assert_int_equal(rows_of(r, "SELECT plain FROM sender WHERE domain = '(others)'"), 20000);
	assert_int_equal(rows_of(r, "SELECT sum(messages) FROM mail"), many);
	/* Days go. */
	now += (REPORT_KEEP_SENDER_DAYS + 1) * 86400ll;
	report_event(r, &(struct ipc_event){.kind = IPC_EVENT_MESSAGE, .outcome = 1}, now);
	report_flush(r, now);
	assert_int_equal(rows_of(r, "SELECT count(*) FROM sender"), 1);
	assert_int_equal(rows_of(r, "SELECT count(*) FROM mail"), 2);
	report_close(r);
}

/* Written every few seconds, and at the end; found again. */
static void test_file(void **state)
{
	char path[] = "/tmp/postgate-report.XXXXXX", err[REPORT_ERROR_MAX], name[64];
	static const char *const tails[] = {"", "-wal", "-shm"};
	struct ipc_event e = message("bank", "a@bank.example", "TLSv1.3");
	struct report *r;

	close(mkstemp(path));
	assert_int_equal(report_open(path, &r, err), 0);
	report_event(r, &e, 1800000000);
	report_tick(r, 1800000000);
	report_event(r, &e, 1800000000);
	report_close(r);
	assert_int_equal(report_open(path, &r, err), 0);
	assert_int_equal(rows_of(r, "SELECT sum(messages) FROM mail"), 2);
	assert_int_equal(rows_of(r, "SELECT count(*) FROM mail"), 1);
	report_close(r);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
	assert_true(report_open("/nonexistent/r.db", &r, err) < 0);
	assert_non_null(strstr(err, "/nonexistent/r.db"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_coverage, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_would_break, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_suggest, world_setup, world_teardown),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_file),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
