/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/control/daemon/world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/control/daemon/fixture.h"

struct fake fake;
struct event_base *base;
struct store *store;
struct daemon *daemon_;
char config_path[128];
static char store_path[128], report_path[128];

void write_config(const char *old, const char *new)
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
void settle(void)
{
	for (int quiet = 0; quiet < 3; quiet++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		while (fake_pump(&fake)) {
			quiet = 0;
			event_base_loop(base, EVLOOP_NONBLOCK);
		}
	}
}

void settle_for(unsigned int ms)
{
	for (unsigned int i = 0; i < ms / 5 + 1; i++) {
		usleep(5000);
		settle();
	}
}

int64_t world_wall;
uint64_t world_mono_ms;

static void world_clock(int64_t *wall, uint64_t *mono_ms)
{
	*wall = world_wall;
	*mono_ms = world_mono_ms;
}

static void start_daemon(void)
{
	struct config_errors errors = {0};
	struct daemon_params params = {
		.base = base,
		.config_path = config_path,
		.dataplane_timeout_ms = 300,
		.api_group = (gid_t)-1,
		.store = store,
		.report_path = report_path,
		.clock = world_clock,
	};

	if (config_load(config_path, &params.config, &errors) < 0)
		fail_msg("%s", errors.text);
	assert_int_equal(daemon_create(&params, &daemon_), 0);
}

void pass(unsigned int seconds)
{
	world_wall += seconds;
	world_mono_ms += seconds * 1000ull;
	daemon_tick(daemon_);
	settle();
}

void restart_daemon(void)
{
	char err[STORE_ERROR_MAX];

	daemon_destroy(daemon_);
	store_close(store);
	fake_close(&fake);
	settle();
	assert_int_equal(store_open(store_path, &store, err), 0);
	start_daemon();
}

int world_setup(void **state)
{
	char err[STORE_ERROR_MAX];

	fixture_create();
	snprintf(config_path, sizeof(config_path), "%s/c.yaml", fixture_dir);
	snprintf(store_path, sizeof(store_path), "%s/db", fixture_dir);
	snprintf(report_path, sizeof(report_path), "%s/report", fixture_dir);
	write_config("to: stderr", "events: no");
	memset(&fake, 0, sizeof(fake));
	fake.fd = -1;
	world_wall = 1800000000;
	world_mono_ms = 1000000;
	base = event_base_new();
	assert_int_equal(store_open(store_path, &store, err), 0);
	start_daemon();
	return 0;
}

int world_teardown(void **state)
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
		snprintf(name, sizeof(name), "%s%s", report_path, tails[i]);
		unlink(name);
	}
	unlink(config_path);
	fixture_remove();
	return 0;
}

void connect_fake(void)
{
	assert_int_equal(dataplane_adopt(daemon_dataplane(daemon_), fake_connect(&fake)), 0);
	settle();
}

/* --- A client of the API --- */

int client(void)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(api_adopt(daemon_api(daemon_), fd[1]), 0);
	return fd[0];
}

void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* One line as JSON; NULL: there is none (yet, or ever). */
json_t *hear(int fd)
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
json_t *call(const char *request)
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

json_t *result_of(const json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "ok")))
		fail_msg("%s", json_dumps(answer, 0));
	return json_object_get(answer, "result");
}

void assert_error(json_t *answer, const char *code, const char *text)
{
	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_string_equal(json_string_value(json_object_get(answer, "code")), code);
	if (strstr(json_string_value(json_object_get(answer, "error")), text) == NULL)
		fail_msg("%s", json_dumps(answer, 0));
	json_decref(answer);
}

/* {"pushed": ...} of a change that was made. */
void assert_changed(json_t *answer, bool pushed)
{
	assert_int_equal(json_is_true(json_object_get(result_of(answer), "pushed")), pushed);
	json_decref(answer);
}
