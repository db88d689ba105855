/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon between a fake dataplane and clients of its API, all in one process and on one event
 * loop. */
#ifndef POSTGATE_TESTS_DAEMON_WORLD_H
#define POSTGATE_TESTS_DAEMON_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>

#include "control/daemon/daemon.h"
#include "tests/unit/control/daemon/fake_dataplane.h"

extern struct fake fake;
extern struct event_base *base;
extern struct store *store;
extern struct daemon *daemon_;
extern char config_path[128];

/* The daemon's clock. */
extern int64_t world_wall;
extern uint64_t world_mono_ms;
/* Both go on by this much, and what has its time happens. */
void pass(unsigned int seconds);
/* The daemon dies and comes back on the same store; the dataplane lives. */
void restart_daemon(void);

int world_setup(void **state);
int world_teardown(void **state);

/* The configuration file anew, with one edit (old NULL: none). */
void write_config(const char *old, const char *new);
/* Lets everything that can happen now happen; or for some time. */
void settle(void);
void settle_for(unsigned int ms);
void connect_fake(void);

/* A client of the API: its end of the connection. */
int client(void);
void say(int fd, const char *text);
/* One line as JSON; NULL: there is none (yet, or ever). */
json_t *hear(int fd);
/* A whole exchange. */
json_t *call(const char *request);
json_t *result_of(const json_t *answer);
/* Both take over the answer. */
void assert_error(json_t *answer, const char *code, const char *text);
void assert_changed(json_t *answer, bool pushed);

#define SET(name, domain)                                             \
	"{\"command\": \"partner-set\", \"args\": {\"name\": \"" name \
	"\", \"fields\": {\"domain\": [\"" domain "\"]}}}"
#define DELETE(name) "{\"command\": \"partner-delete\", \"args\": {\"name\": \"" name "\"}}"
#define SHOW(name)   "{\"command\": \"partner-show\", \"args\": {\"name\": \"" name "\"}}"

#endif
