/* SPDX-License-Identifier: BSD-3-Clause */
/* The last events, and those who follow them. */
#ifndef POSTGATE_CONTROL_DAEMON_EVENTS_H
#define POSTGATE_CONTROL_DAEMON_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "control/daemon/api.h"
#include "control/ipc/event.h"

struct events;

int events_create(size_t keep, struct events **out); /* 0 or -ENOMEM */
void events_destroy(struct events *e);
/* Another size (after a reload); the newest stay. -ENOMEM: as before. */
int events_resize(struct events *e, size_t keep);

/* Keeps one, sends it to the followers. One who does not read is told how many it missed, in its
 * next line that gets through. */
void events_add(struct events *e, const struct ipc_event *event);
/* The newest `last`, oldest first: {"events": [...]}. */
json_t *events_last(const struct events *e, size_t last);
/* Answers the request with the last ones and goes on with what comes. */
void events_follow(struct events *e, struct api_request *r, size_t last);

uint64_t events_total(const struct events *e);

#endif
