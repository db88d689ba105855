/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Alerts: an enforced partner whose mail is refused is told to the operator within seconds, and
 * again when it is over. State survives a restart (in the reports' database).
 */
#ifndef POSTGATE_CONTROL_DAEMON_ALERT_H
#define POSTGATE_CONTROL_DAEMON_ALERT_H

#include <jansson.h>

#include "control/daemon/api.h"
#include "control/ipc/event.h"

struct daemon;
struct alerts;

struct alerts *alerts_create(void);    /* NULL without memory */
void alerts_destroy(struct alerts *a); /* commands that run go on by themselves */
void alerts_event(struct daemon *d, const struct ipc_event *e);
/* Raises, clears, delivers. Once a second. */
void alerts_tick(struct daemon *d);

void alerts_command(void *daemon, struct api_request *r, const json_t *args);

#endif
