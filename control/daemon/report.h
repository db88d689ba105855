/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What became of the mail: messages per day, partner (strangers together), direction, outcome, TLS
 * version and suite; and of strangers' sender domains how many came in the clear. Counted in memory
 * from the events, written every few seconds into a database of its own (a change's transaction in
 * the store may be rolled back; what was seen may not). Bounded: days are forgotten, and beyond a
 * number of rows a day partners and domains count together as "(others)".
 */
#ifndef POSTGATE_CONTROL_DAEMON_REPORT_H
#define POSTGATE_CONTROL_DAEMON_REPORT_H

#include <stdint.h>

#include <jansson.h>

#include "control/daemon/api.h"
#include "control/ipc/event.h"

struct report;

#define REPORT_KEEP_DAYS        400
#define REPORT_KEEP_SENDER_DAYS 90
#define REPORT_ROWS_A_DAY       200000 /* of partners */
#define REPORT_SENDERS_A_DAY    50000
#define REPORT_ERROR_MAX        256

/* path NULL: in memory. 0 or -errno with a text. */
int report_open(const char *path, struct report **out, char *err);
void report_close(struct report *r); /* writes what is counted */

/* `now` in seconds since 1970. */
void report_event(struct report *r, const struct ipc_event *e, int64_t now);
/* Writes what is counted if it is time. */
void report_tick(struct report *r, int64_t now);

/* Alerts that are raised (alert.c); errors are told in the log. */
struct report_alert {
	uint32_t partner_id;
	char partner[IPC_PARTNER_NAME_MAX];
	uint64_t refused;
	int64_t first, last;
	char text[160]; /* of the last refusal */
};
void report_alert_put(struct report *r, const struct report_alert *a);
void report_alert_delete(struct report *r, uint32_t partner);
/* The one with the lowest partner above `after`; -ENOENT. */
int report_alert_next(struct report *r, uint32_t after, struct report_alert *out);

void report_coverage(void *daemon, struct api_request *r, const json_t *args);
void report_would_break(void *daemon, struct api_request *r, const json_t *args);
void report_suggest(void *daemon, struct api_request *r, const json_t *args);

#endif
