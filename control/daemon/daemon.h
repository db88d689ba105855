/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * postgated as a whole: configuration, store, dataplane, events, and the commands of the API on
 * them. main.c gives it an event loop and paths; a test gives it socket pairs.
 */
#ifndef POSTGATE_CONTROL_DAEMON_DAEMON_H
#define POSTGATE_CONTROL_DAEMON_DAEMON_H

#include <stdint.h>

#include "control/daemon/api.h"
#include "control/daemon/config.h"
#include "control/daemon/dataplane.h"
#include "control/daemon/store.h"

struct daemon;

struct daemon_params {
	struct event_base *base;
	const char *config_path;
	const char *dataplane_path; /* NULL: daemon_dataplane()'s connection is adopted by hand */
	uint32_t dataplane_timeout_ms;
	gid_t api_group;
	struct config *config;   /* taken over on success */
	struct store *store;     /* borrowed */
	const char *report_path; /* NULL: in memory */
	const char *sts_path;    /* MTA-STS policies; NULL: in memory */
	/* Seconds of CLOCK_REALTIME and ms of CLOCK_MONOTONIC; NULL: those of the system. */
	void (*clock)(int64_t *wall_s, uint64_t *mono_ms);
};

int daemon_create(const struct daemon_params *params, struct daemon **out); /* 0 or -ENOMEM */
void daemon_destroy(struct daemon *d);

/* As the command does, with the result in the log: SIGHUP. */
void daemon_reload(struct daemon *d);

/* What has its time: ends of suspensions, trial commits, alerts. By itself once a second. */
void daemon_tick(struct daemon *d);

struct api *daemon_api(struct daemon *d);
struct dataplane *daemon_dataplane(struct daemon *d);
const struct config *daemon_config(const struct daemon *d);

#endif
