/* SPDX-License-Identifier: BSD-3-Clause */
/* Suspensions: `suspend`, `resume`, `suspensions`, and their end in time. */
#ifndef POSTGATE_CONTROL_DAEMON_SUSPEND_H
#define POSTGATE_CONTROL_DAEMON_SUSPEND_H

#include <jansson.h>

#include "control/daemon/api.h"

struct daemon;
struct suspend;

struct suspend *suspend_create(void); /* NULL without memory */
void suspend_destroy(struct suspend *s);
/* Ends what is over, by either clock. Once a second. */
void suspend_tick(struct daemon *d);

void suspend_command(void *daemon, struct api_request *r, const json_t *args);
void resume_command(void *daemon, struct api_request *r, const json_t *args);
void suspensions_command(void *daemon, struct api_request *r, const json_t *args);

#endif
