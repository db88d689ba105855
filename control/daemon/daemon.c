/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "control/daemon/daemon_private.h"
#include "control/daemon/event_text.h"
#include "control/daemon/log.h"

uint64_t daemon_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int64_t daemon_wall(const struct daemon *d)
{
	int64_t wall;
	uint64_t mono;

	if (d->params.clock == NULL)
		return time(NULL);
	d->params.clock(&wall, &mono);
	return wall;
}

uint64_t daemon_mono_ms(const struct daemon *d)
{
	int64_t wall;
	uint64_t mono;

	if (d->params.clock == NULL)
		return daemon_now_ms();
	d->params.clock(&wall, &mono);
	return mono;
}

static void on_up(void *arg, const struct ipc_hello_reply *hello)
{
	struct daemon *d = arg;

	log_line(LOG_LEVEL_NOTICE,
		"dataplane %s (pid %u, %u workers) is connected, at generation %" PRIu64,
		hello->version, hello->pid, hello->worker_count, hello->generation);
	d->generation = hello->generation;
	d->down_why[0] = '\0';
	change_full(d);
}

static void on_down(void *arg, const char *why)
{
	struct daemon *d = arg;

	log_line(LOG_LEVEL_WARNING, "dataplane is not connected: %s", why);
	snprintf(d->down_why, sizeof(d->down_why), "%s", why);
	d->synced = false;
}

static void on_event(void *arg, const struct ipc_event *event)
{
	struct daemon *d = arg;
	char line[EVENT_LINE_MAX];

	events_add(d->events, event);
	report_event(d->report, event, daemon_wall(d));
	alerts_event(d, event);
	if (d->config->log_events) {
		event_line(event, line);
		log_line(LOG_LEVEL_INFO, "%s", line);
	}
}

static void on_lost(void *arg, uint64_t ring, uint64_t queue)
{
	log_line(LOG_LEVEL_WARNING,
		"events were lost: %" PRIu64 " by workers, %" PRIu64 " on the way, since the start",
		ring, queue);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	if (dataplane_is_up(d->dataplane) && !d->synced)
		change_full(d);
}

static void add_warning(void *list, const char *text)
{
	json_array_append_new(list, json_string(text));
}

json_t *daemon_warnings(const struct daemon *d)
{
	json_t *list = json_array();

	config_warnings(d->config, time(NULL), add_warning, list);
	return list;
}

static void log_warning(void *arg, const char *text)
{
	log_line(LOG_LEVEL_WARNING, "%s", text);
}

void daemon_log_warnings(const struct daemon *d)
{
	config_warnings(d->config, time(NULL), log_warning, NULL);
}

void daemon_tick(struct daemon *d)
{
	suspend_tick(d);
	trial_tick(d);
	report_tick(d->report, daemon_wall(d));
	alerts_tick(d);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	daemon_tick(arg);
}

/* Mail is not stopped by reports that cannot be kept: then they last as long as we do. */
static int open_report(struct daemon *d)
{
	char err[REPORT_ERROR_MAX];

	if (report_open(d->params.report_path, &d->report, err) == 0)
		return 0;
	log_line(LOG_LEVEL_ERROR, "%s: reports are kept in memory", err);
	return report_open(NULL, &d->report, err);
}

int daemon_create(const struct daemon_params *params, struct daemon **out)
{
	struct daemon *d = calloc(1, sizeof(*d));
	struct api_params api = {.base = params->base,
		.arg = d,
		.commands = daemon_commands,
		.group = params->api_group};
	struct dataplane_params dataplane = {
		.base = params->base,
		.path = params->dataplane_path,
		.timeout_ms = params->dataplane_timeout_ms,
		.callbacks = {d, on_up, on_down, on_event, on_lost},
	};
	struct timeval second = {.tv_sec = 1};
	int rc;

	if (d == NULL)
		return -ENOMEM;
	d->params = *params;
	d->config = params->config;
	d->started = time(NULL);
	d->started_ms = daemon_now_ms();
	STAILQ_INIT(&d->changes);
	d->retry = evtimer_new(params->base, on_retry, d);
	d->tick = event_new(params->base, -1, EV_PERSIST, on_tick, d);
	d->suspend = suspend_create();
	d->trial = trial_create();
	d->alerts = alerts_create();
	rc = d->retry && d->tick && d->suspend && d->trial && d->alerts &&
			     event_add(d->tick, &second) == 0
		     ? 0
		     : -ENOMEM;
	if (rc == 0)
		rc = open_report(d);
	if (rc == 0)
		rc = events_create(d->config->events_keep, &d->events);
	if (rc == 0)
		rc = api_create(&api, &d->api);
	if (rc == 0)
		rc = dataplane_create(&dataplane, &d->dataplane);
	if (rc == 0)
		rc = resolver_create(params->base, params->sts_path, &d->resolver);
	if (rc < 0) {
		d->config = NULL;
		daemon_destroy(d);
		return rc;
	}
	daemon_log_warnings(d);
	resolver_configure(d->resolver, d->config);
	*out = d;
	return 0;
}

void daemon_destroy(struct daemon *d)
{
	if (d == NULL)
		return;
	/* Requests that wait are answered first, then their connections go. */
	dataplane_destroy(d->dataplane);
	change_drop_all(d);
	resolver_destroy(d->resolver);
	api_destroy(d->api);
	events_destroy(d->events);
	if (d->retry != NULL)
		event_free(d->retry);
	if (d->tick != NULL)
		event_free(d->tick);
	suspend_destroy(d->suspend);
	free(d->trial);
	alerts_destroy(d->alerts);
	report_close(d->report);
	config_free(d->config);
	free(d);
}

void daemon_reload(struct daemon *d)
{
	change_reload(d, NULL);
}

struct api *daemon_api(struct daemon *d)
{
	return d->api;
}

struct dataplane *daemon_dataplane(struct daemon *d)
{
	return d->dataplane;
}

const struct config *daemon_config(const struct daemon *d)
{
	return d->config;
}
