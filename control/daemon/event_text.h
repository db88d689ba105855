/* SPDX-License-Identifier: BSD-3-Clause */
/* An event of the dataplane as a log line and as JSON. */
#ifndef POSTGATE_CONTROL_DAEMON_EVENT_TEXT_H
#define POSTGATE_CONTROL_DAEMON_EVENT_TEXT_H

#include <stddef.h>

#include <jansson.h>

#include "control/ipc/event.h"

#define EVENT_LINE_MAX 1400

/*
 * In the manner of mail logs: session id first, then key=value; what a client chose is within <> or
 * quotes and cannot end them or the line.
 *
 *     s=0100000000000001 m=1 from=<a@bank.example> rcpts=1 size=1234 client=[203.0.113.5]:40022 ...
 */
void event_line(const struct ipc_event *e, char out[EVENT_LINE_MAX]);
/* Its fields and the line as "line". NULL without memory. */
json_t *event_to_json(const struct ipc_event *e);

#endif
