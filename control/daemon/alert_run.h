/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator's command for alerts: run without a shell, a few at once, each for a bounded time,
 * the rest waiting in a bounded queue. Nothing here blocks.
 */
#ifndef POSTGATE_CONTROL_DAEMON_ALERT_RUN_H
#define POSTGATE_CONTROL_DAEMON_ALERT_RUN_H

#include <stdint.h>

#include <jansson.h>

struct alert_runner;

#define ALERT_RUNNING_MAX 4
#define ALERT_WAITING_MAX 1000

struct alert_runner *alert_runner_create(void); /* NULL without memory */
void alert_runner_destroy(struct alert_runner *r);
/* `told` (taken over) goes to the command's stdin, its strings and numbers into the environment. */
void alert_runner_add(struct alert_runner *r, json_t *told);
/* Starts, waits for, and kills. `command` NULL: what waits is dropped. */
void alert_runner_tick(
	struct alert_runner *r, char *const *command, uint64_t timeout_ms, uint64_t now_ms);
/* {"done", "failed", "dropped", "running", "waiting"} */
json_t *alert_runner_json(const struct alert_runner *r);

#endif
