/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by daemon.c, change.c and the commands. */
#ifndef POSTGATE_CONTROL_DAEMON_DAEMON_PRIVATE_H
#define POSTGATE_CONTROL_DAEMON_DAEMON_PRIVATE_H

#include <sys/queue.h>
#include <time.h>

#include "control/daemon/alert.h"
#include "control/daemon/daemon.h"
#include "control/daemon/events.h"
#include "control/daemon/report.h"
#include "control/daemon/resolver.h"
#include "control/daemon/suspend.h"

struct change;

struct daemon {
	struct daemon_params params;
	struct config *config;
	struct api *api;
	struct dataplane *dataplane;
	struct events *events;
	struct resolver *resolver;
	time_t started;      /* for people */
	uint64_t started_ms; /* CLOCK_MONOTONIC, for the uptime */

	/* The dataplane runs what we have: set by a full push, cleared when the connection goes. */
	bool synced;
	uint64_t generation; /* that it committed last, as far as we know */
	char refused[256];   /* why it did not take the last push; "" if it did */
	char down_why[192];

	/* One change at a time; the others wait in order. */
	STAILQ_HEAD(change_list, change) changes;
	struct change *current;
	struct event *retry;

	struct event *tick;
	struct suspend *suspend;
	struct trial *trial;
	struct report *report;
	struct alerts *alerts;
};

/* --- change.c: what alters the dataplane's state --- */

/* Everything anew, e.g. after it has come back. */
void change_full(struct daemon *d);
/* r NULL: of SIGHUP. */
void change_reload(struct daemon *d, struct api_request *r);
/* `args` are the request's, borrowed: {"fields": {...}, "reason": "..."}. */
void change_partner_set(
	struct daemon *d, struct api_request *r, const char *name, const json_t *args);
void change_partner_delete(
	struct daemon *d, struct api_request *r, const char *name, const json_t *args);
void change_drop_all(struct daemon *d);

/* --- commit.c: many partners at once, on trial, and back --- */

struct trial *trial_create(void); /* NULL without memory */
/* Reverts a commit that was not confirmed in time. */
void trial_tick(struct daemon *d);
void stage_command(void *daemon, struct api_request *r, const json_t *args, bool gone);
void diff_command(void *daemon, struct api_request *r, const json_t *args);
void commit_command(void *daemon, struct api_request *r, const json_t *args);
void discard_command(void *daemon, struct api_request *r, const json_t *args);
void confirm_command(void *daemon, struct api_request *r, const json_t *args);
void undo_command(void *daemon, struct api_request *r, const json_t *args);

/* --- command.c, query.c: the table for the API --- */

extern const struct api_command daemon_commands[];

void query_workers(void *daemon, struct api_request *r, const json_t *args);
void query_stats(void *daemon, struct api_request *r, const json_t *args);
void query_sessions(void *daemon, struct api_request *r, const json_t *args);
void query_next_hops(void *daemon, struct api_request *r, const json_t *args);
void query_status(void *daemon, struct api_request *r, const json_t *args);

/* An argument; *out is untouched if it is not there. False: wrong kind, answered. */
bool command_arg_number(
	struct api_request *r, const json_t *args, const char *key, int64_t max, int64_t *out);
bool command_arg_flag(struct api_request *r, const json_t *args, const char *key, bool *out);
uint64_t daemon_now_ms(void);
/* Of the configuration in force, as a list of texts. */
json_t *daemon_warnings(const struct daemon *d);
/* The same into the log. */
void daemon_log_warnings(const struct daemon *d);
/* By the daemon's clock. */
int64_t daemon_wall(const struct daemon *d);
uint64_t daemon_mono_ms(const struct daemon *d);

#endif
