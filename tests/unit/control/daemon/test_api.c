/* SPDX-License-Identifier: BSD-3-Clause */
/* The API: its protocol, who may use it, questions to the dataplane, events. */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/daemon/event_text.h"
#include "control/daemon/query.h"
#include "smtp/smtp.h"
#include "tests/unit/control/daemon/fixture.h"
#include "tests/unit/control/daemon/world.h"

static void test_protocol(void **state)
{
	char *big;
	json_t *a, *b;
	int fd;

	assert_error(call("hello"), "bad_request", "a request is");
	assert_error(call("[]"), "bad_request", "a request is");
	assert_error(call("{\"command\": \"x\", \"args\": 5}"), "bad_request", "a request is");
	assert_error(call("{\"command\": \"x\"}"), "bad_request", "no such command: x");
	assert_error(call("{\"command\": \"partner-show\"}"), "bad_request", "name must be");
	assert_error(call("{\"command\": \"events\", \"args\": {\"last\": -1}}"), "bad_request",
		"last must be a number");
	assert_error(
		call("{\"command\": \"partner-set\", \"args\": {\"name\": \"a\", \"fields\": {}}}"),
		"invalid", "needs at least one domain or address");
	assert_error(
		call("{\"command\": \"partner-set\", \"args\": {\"name\": \"a b\", \"fields\": "
		     "{}}}"),
		"invalid", "is not a name");

	/* Two at once are answered in order, also when the first waits for the dataplane. */
	connect_fake();
	fd = client();
	say(fd, "{\"command\": \"workers\"}\n{\"command\": \"partner-list\"}\n");
	a = hear(fd);
	b = hear(fd);
	assert_non_null(json_object_get(result_of(a), "workers"));
	assert_non_null(json_object_get(result_of(b), "partners"));
	json_decref(a);
	json_decref(b);
	/* One who has said all still hears the answer. */
	say(fd, "{\"command\": \"workers\"}\n");
	shutdown(fd, SHUT_WR);
	a = hear(fd);
	assert_non_null(json_object_get(result_of(a), "workers"));
	json_decref(a);
	assert_int_equal(read(fd, &(char){0}, 1), 0);
	close(fd);

	/* One who leaves does not hear it, and nothing breaks. */
	fake.deaf = true;
	fd = client();
	say(fd, "{\"command\": \"workers\"}\n");
	settle();
	close(fd);
	settle();
	fake.deaf = false;
	settle();

	/* A line without end. */
	fd = client();
	big = malloc(API_LINE_MAX);
	memset(big, 'x', API_LINE_MAX);
	for (size_t at = 0; at < API_LINE_MAX;) {
		ssize_t n = write(fd, big + at, API_LINE_MAX - at);

		if (n > 0)
			at += (size_t)n;
		else if (errno != EAGAIN)
			break;
		settle();
	}
	free(big);
	assert_error(hear(fd), "bad_request", "too long");
	settle();
	errno = 0;
	assert_true(write(fd, "x", 1) < 0 || read(fd, &(char){0}, 1) == 0);
	close(fd);
}

/* What one of that user and group hears at the socket; all that it may open. */
static void hear_as(const char *path, uid_t uid, gid_t gid, char *out, size_t size)
{
	static const char request[] = "{\"command\":\"partner-list\"}\n";
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int pipefd[2];
	ssize_t n;
	pid_t pid;

	strcpy(addr.sun_path, path);
	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		char text[256] = "";

		if (setgroups(0, NULL) == 0 && setgid(gid) == 0 && setuid(uid) == 0 &&
			connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
			send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) >= -1)
			n = read(fd, text, sizeof(text) - 1);
		n = write(pipefd[1], text, sizeof(text));
		_exit(n < 0);
	}
	settle_for(100);
	n = read(pipefd[0], out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	waitpid(pid, NULL, 0);
	close(pipefd[0]);
	close(pipefd[1]);
}

/* The mode of the socket is one lock, the peer's credentials are the other. */
static void test_socket(void **state)
{
	struct daemon_params params = {
		.base = base, .config_path = config_path, .store = store, .api_group = 12345};
	struct config_errors errors = {0};
	char path[128], kept[140], text[256], err[256];
	struct daemon *other;
	struct stat st;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(fixture_dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/sock", fixture_dir);
	assert_int_equal(config_load(config_path, &params.config, &errors), 0);
	assert_int_equal(daemon_create(&params, &other), 0);
	assert_int_equal(api_listen(daemon_api(other), path, err, sizeof(err)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(st.st_gid, 12345);
	hear_as(path, 65534, 65534, text, sizeof(text));
	assert_string_equal(text, ""); /* connect() is refused */
	hear_as(path, 65534, 12345, text, sizeof(text));
	assert_non_null(strstr(text, "\"ok\":true"));
	assert_int_equal(chmod(path, 0666), 0);
	hear_as(path, 65534, 65534, text, sizeof(text));
	assert_non_null(strstr(text, "\"code\":\"denied\""));
	/* Another daemon does not take it from one that answers, but from one that died. */
	assert_int_equal(api_listen(daemon_api(daemon_), path, err, sizeof(err)), -EADDRINUSE);
	assert_non_null(strstr(err, "another postgated"));
	snprintf(kept, sizeof(kept), "%s.kept", path);
	assert_int_equal(rename(path, kept), 0); /* it would be removed in an orderly end */
	daemon_destroy(other);
	assert_int_equal(rename(kept, path), 0);
	assert_int_equal(api_listen(daemon_api(daemon_), path, err, sizeof(err)), 0);
}

static void test_queries(void **state)
{
	json_t *answer, *list, *o;

	connect_fake();
	answer = call("{\"command\": \"stats\", \"args\": {\"per_worker\": true}}");
	list = json_object_get(result_of(answer), "counters");
	assert_int_equal(json_array_size(list), 5);
	for (size_t i = 0; i < 5; i++) {
		o = json_array_get(list, i);
		assert_int_equal(json_integer_value(json_object_get(o, "total")),
			i == 2 ? 0 : 2 * i * 10 + 1);
		assert_int_equal(json_array_size(json_object_get(o, "workers")), FAKE_WORKERS);
	}
	json_decref(answer);
	answer = call("{\"command\": \"stats\", \"args\": {\"nonzero\": true}}");
	list = json_object_get(result_of(answer), "counters");
	assert_int_equal(json_array_size(list), 4);
	json_decref(answer);

	answer = call("{\"command\": \"sessions\"}");
	assert_int_equal(json_array_size(json_object_get(result_of(answer), "sessions")), 12);
	assert_false(json_is_true(json_object_get(result_of(answer), "more")));
	json_decref(answer);
	answer = call("{\"command\": \"sessions\", \"args\": {\"limit\": 5}}");
	list = json_object_get(result_of(answer), "sessions");
	assert_int_equal(json_array_size(list), 5);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 4), "id")),
		"0000000000000005");
	assert_true(json_is_true(json_object_get(result_of(answer), "more")));
	json_decref(answer);

	answer = call("{\"command\": \"next-hops\"}");
	list = json_object_get(result_of(answer), "next_hops");
	assert_int_equal(json_array_size(list), 1);
	o = json_array_get(list, 0);
	assert_string_equal(
		json_string_value(json_object_get(o, "state")), "up for 1 of 2 workers");
	assert_string_equal(json_string_value(json_object_get(o, "error")), "connection refused");
	assert_int_equal(json_integer_value(json_object_get(o, "active")), 4);
	assert_int_equal(json_integer_value(json_object_get(o, "priority")), 20);
	json_decref(answer);

	/* The dataplane dies while it is asked. */
	fake.deaf = true;
	int fd = client();
	say(fd, "{\"command\": \"sessions\"}\n");
	settle();
	fake_close(&fake);
	assert_error(hear(fd), "unavailable", "cannot be reached");
	close(fd);
}

static void test_extension_names(void **state)
{
	assert_int_equal(1u << 0, SMTP_EXT_PIPELINING);
	assert_string_equal(query_extensions[0], "PIPELINING");
	assert_int_equal(1u << 6, SMTP_EXT_STARTTLS);
	assert_string_equal(query_extensions[6], "STARTTLS");
	assert_int_equal(1u << (QUERY_EXTENSIONS - 1), SMTP_EXT_REQUIRETLS);
	assert_string_equal(query_extensions[QUERY_EXTENSIONS - 1], "REQUIRETLS");
}

/* --- Events --- */

static json_int_t message_of(const json_t *event)
{
	return json_integer_value(json_object_get(event, "message"));
}

static void test_events(void **state)
{
	json_t *answer, *list;
	int fd;

	connect_fake();
	fake_events(&fake, 1, 30);
	settle();
	answer = call("{\"command\": \"events\", \"args\": {\"last\": 3}}");
	list = json_object_get(result_of(answer), "events");
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(message_of(json_array_get(list, 0)), 28);
	assert_int_equal(message_of(json_array_get(list, 2)), 30);
	json_decref(answer);

	fd = client();
	say(fd, "{\"command\": \"events\", \"args\": {\"last\": 1, \"follow\": true}}\n");
	answer = hear(fd);
	list = json_object_get(result_of(answer), "events");
	assert_int_equal(json_array_size(list), 1);
	json_decref(answer);
	assert_null(hear(fd));
	fake_events(&fake, 31, 2);
	for (int i = 31; i <= 32; i++) {
		answer = hear(fd);
		assert_int_equal(
			message_of(json_array_get(json_object_get(answer, "events"), 0)), i);
		json_decref(answer);
	}
	close(fd);
	settle();
	fake_events(&fake, 33, 1); /* to nobody */
	settle();
}

/* A follower that does not read costs bounded memory and is told what it missed. */
static void test_slow_follower(void **state)
{
	unsigned int seen = 0, dropped = 0, total = 20000;
	json_t *answer;
	int fd;

	connect_fake();
	fd = client();
	say(fd, "{\"command\": \"events\", \"args\": {\"last\": 0, \"follow\": true}}\n");
	json_decref(hear(fd));
	for (unsigned int i = 0; i < total; i += 50) {
		fake_events(&fake, i, 50);
		settle();
	}
	while ((answer = hear(fd)) != NULL) {
		seen += (unsigned int)json_array_size(json_object_get(answer, "events"));
		dropped += (unsigned int)json_integer_value(json_object_get(answer, "dropped"));
		json_decref(answer);
	}
	assert_true(seen < total);
	/* The count of what was missed comes with the next that gets through. */
	fake_events(&fake, total, 1);
	while ((answer = hear(fd)) != NULL) {
		seen += (unsigned int)json_array_size(json_object_get(answer, "events"));
		dropped += (unsigned int)json_integer_value(json_object_get(answer, "dropped"));
		json_decref(answer);
	}
	assert_int_equal(seen + dropped, total + 1);
	close(fd);
}

static void test_event_line(void **state)
{
	struct ipc_event e = {
		.kind = IPC_EVENT_MESSAGE,
		.session_id = 0x0100000000000001,
		.upstream_id = 2,
		.message = 3,
		.outcome = IPC_OUTCOME_DELIVERED,
		.recipients = 2,
		.bytes = 1234,
		.client = {{[10] = 0xff, 0xff, 203, 0, 113, 5}},
		.client_port = 4321,
		.client_tls = 1,
		.client_version = "TLSv1.3",
		.client_cipher = "TLS_AES_256_GCM_SHA384",
		.helo = "a b=c",
		.partner = "bank",
		.level = IPC_LEVEL_ENCRYPT,
		.rule = IPC_RULE_DOMAIN,
		.generation = 7,
		.next_hop = "mail.example.net",
		.duration_us = 1500000,
		.reply_code = 250,
		.reply_status = {2, 0, 0},
		.sender = "a@b> x=y",
		.text = "say \"ok\"\r\nnext",
	};
	char line[EVENT_LINE_MAX];

	event_line(&e, line);
	assert_string_equal(line,
		"s=0100000000000001 m=3 outcome=delivered from=<a@b? x=y> rcpts=2 size=1234 "
		"client=[203.0.113.5]:4321 helo=a?b?c partner=bank tls=TLSv1.3 "
		"cipher=TLS_AES_256_GCM_SHA384 level=encrypt rule=domain gen=7 "
		"next_hop=mail.example.net u=0000000000000002 u_tls=no time=1.500s reply=250 "
		"dsn=2.0.0 text=\"say ?ok???next\"");
	/* The longest that there can be is not cut within a value's quotes for lack of room. */
	memset(e.helo, 'h', sizeof(e.helo) - 1);
	memset(e.sender, 's', sizeof(e.sender) - 1);
	memset(e.text, 't', sizeof(e.text) - 1);
	memset(e.partner, 'p', sizeof(e.partner) - 1);
	memset(e.next_hop, 'n', sizeof(e.next_hop) - 1);
	e.upstream_tls = 1;
	event_line(&e, line);
	assert_int_equal(line[strlen(line) - 1], '"');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_protocol, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_socket, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_queries, world_setup, world_teardown),
		cmocka_unit_test(test_extension_names),
		cmocka_unit_test_setup_teardown(test_events, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_slow_follower, world_setup, world_teardown),
		cmocka_unit_test(test_event_line),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
