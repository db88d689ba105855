/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon between a dataplane (fake) and its clients: what is pushed when, what happens when a
 * push is refused or the connection dies, the API's protocol, events.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <grp.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "control/daemon/daemon.h"
#include "control/daemon/event_text.h"
#include "control/daemon/query.h"
#include "smtp/smtp.h"
#include "tests/unit/control/daemon/fake_dataplane.h"
#include "tests/unit/control/daemon/fixture.h"

static struct fake fake;
static struct event_base *base;
static struct store *store;
static struct daemon *daemon_;
static char config_path[128], store_path[128];

static void write_config(const char *old, const char *new)
{
	const char *at = old ? strstr(fixture_config, old) : NULL;
	char *text = fixture_expand(fixture_config);
	FILE *f = fopen(config_path, "w");

	assert_non_null(f);
	if (at != NULL) {
		at = strstr(text, old);
		fprintf(f, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
	} else {
		fputs(text, f);
	}
	fclose(f);
	free(text);
}

/* Lets everything that can happen now happen. */
static void settle(void)
{
	for (int quiet = 0; quiet < 3; quiet++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		while (fake_pump(&fake)) {
			quiet = 0;
			event_base_loop(base, EVLOOP_NONBLOCK);
		}
	}
}

static void settle_for(unsigned int ms)
{
	for (unsigned int i = 0; i < ms / 5 + 1; i++) {
		usleep(5000);
		settle();
	}
}

static int setup(void **state)
{
	struct config_errors errors = {0};
	struct daemon_params params = {.config_path = config_path, .dataplane_timeout_ms = 300};
	char err[STORE_ERROR_MAX];

	fixture_create();
	snprintf(config_path, sizeof(config_path), "%s/c.yaml", fixture_dir);
	snprintf(store_path, sizeof(store_path), "%s/db", fixture_dir);
	write_config("to: stderr", "events: no");
	memset(&fake, 0, sizeof(fake));
	fake.fd = -1;
	base = event_base_new();
	params.base = base;
	params.api_group = (gid_t)-1;
	if (config_load(config_path, &params.config, &errors) < 0)
		fail_msg("%s", errors.text);
	assert_int_equal(store_open(store_path, &store, err), 0);
	params.store = store;
	assert_int_equal(daemon_create(&params, &daemon_), 0);
	return 0;
}

static int teardown(void **state)
{
	static const char *const tails[] = {"", "-wal", "-shm"};
	char name[160];

	daemon_destroy(daemon_);
	store_close(store);
	event_base_free(base);
	fake_close(&fake);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", store_path, tails[i]);
		unlink(name);
	}
	unlink(config_path);
	fixture_remove();
	return 0;
}

static void connect_fake(void)
{
	assert_int_equal(dataplane_adopt(daemon_dataplane(daemon_), fake_connect(&fake)), 0);
	settle();
}

/* --- A client of the API --- */

static int client(void)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(api_adopt(daemon_api(daemon_), fd[1]), 0);
	return fd[0];
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* One line as JSON; NULL: there is none (yet, or ever). */
static json_t *hear(int fd)
{
	char *line = malloc(1 << 20);
	size_t len = 0;
	json_t *o;

	settle();
	while (len < (1 << 20) - 1 && read(fd, line + len, 1) == 1 && line[len] != '\n')
		len++;
	o = len > 0 ? json_loadb(line, len, 0, NULL) : NULL;
	free(line);
	return o;
}

/* A whole exchange. */
static json_t *call(const char *request)
{
	int fd = client();
	json_t *o;

	say(fd, request);
	say(fd, "\n");
	o = hear(fd);
	close(fd);
	settle();
	assert_non_null(o);
	return o;
}

static json_t *result_of(const json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "ok")))
		fail_msg("%s", json_dumps(answer, 0));
	return json_object_get(answer, "result");
}

static void assert_error(json_t *answer, const char *code, const char *text)
{
	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_string_equal(json_string_value(json_object_get(answer, "code")), code);
	if (strstr(json_string_value(json_object_get(answer, "error")), text) == NULL)
		fail_msg("%s", json_dumps(answer, 0));
	json_decref(answer);
}

/* {"pushed": ...} of a change that was made. */
static void assert_changed(json_t *answer, bool pushed)
{
	assert_int_equal(json_is_true(json_object_get(result_of(answer), "pushed")), pushed);
	json_decref(answer);
}

#define SET(name, domain)                                             \
	"{\"command\": \"partner-set\", \"args\": {\"name\": \"" name \
	"\", \"fields\": {\"domain\": [\"" domain "\"]}}}"
#define DELETE(name) "{\"command\": \"partner-delete\", \"args\": {\"name\": \"" name "\"}}"
#define SHOW(name)   "{\"command\": \"partner-show\", \"args\": {\"name\": \"" name "\"}}"

/* --- Pushes --- */

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

/* --- The API --- */

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
		cmocka_unit_test_setup_teardown(test_full_push, setup, teardown),
		cmocka_unit_test_setup_teardown(test_incremental_push, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reconnect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_partner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_at_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_at_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_push, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deaf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_protocol, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queries, setup, teardown),
		cmocka_unit_test(test_extension_names),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_follower, setup, teardown),
		cmocka_unit_test(test_event_line),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
