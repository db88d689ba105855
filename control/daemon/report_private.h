/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by report*.c. */
#ifndef POSTGATE_CONTROL_DAEMON_REPORT_PRIVATE_H
#define POSTGATE_CONTROL_DAEMON_REPORT_PRIVATE_H

#include <stdbool.h>

#include <sqlite3.h>

#include "control/daemon/report.h"

/* Twice what may be in them between two writings. */
#define REPORT_MAIL_SLOTS   8192
#define REPORT_SENDER_SLOTS 8192

struct report_mail {
	uint64_t messages, suspended; /* 0 messages: free */
	uint32_t day;
	uint8_t direction, outcome; /* enum ipc_side of the client, enum ipc_outcome */
	char partner[IPC_PARTNER_NAME_MAX];
	char version[8], cipher[32]; /* of the leg to the other organisation; "": in the clear */
};

struct report_sender {
	uint64_t plain, encrypted; /* both 0: free */
	uint32_t day;
	char domain[96];
};

struct report {
	sqlite3 *db;
	struct report_mail mail[REPORT_MAIL_SLOTS];
	struct report_sender senders[REPORT_SENDER_SLOTS];
	unsigned int mail_count, sender_count;
	int64_t flushed;
	uint32_t day; /* whose rows were counted last, and old ones removed */
	uint64_t mail_rows, sender_rows;
	uint64_t lost; /* messages that could not be written */
};

int report_flush(struct report *r, int64_t now); /* 0 or -EIO; told in the log */

#endif
