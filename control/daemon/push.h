/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A transaction towards the dataplane (control/ipc/config.h), made message by message as the socket
 * takes them: however many partners there are, one message is in memory.
 */
#ifndef POSTGATE_CONTROL_DAEMON_PUSH_H
#define POSTGATE_CONTROL_DAEMON_PUSH_H

#include <stdbool.h>
#include <stdint.h>

#include "control/daemon/config.h"
#include "control/daemon/partner.h"
#include "control/daemon/store.h"
#include "control/ipc/config.h"
#include "control/ipc/policy.h"

struct push;

/* Everything: the configuration and all partners of the store; without a store the partners stay
 * as the dataplane has them. What is pointed to must stay until push_destroy(). 0 or -ENOMEM. */
int push_create_full(
	const struct config *config, struct store *store, uint64_t generation, struct push **out);
/* One partner, new or changed. */
int push_create_partner(const struct partner *p, uint64_t generation, struct push **out);
/* Several: each as the store has it, or gone. Takes over `items` (malloc) on success. */
struct push_item {
	uint32_t id;
	bool gone;
};
int push_create_items(struct store *store, struct push_item *items, size_t count,
	uint64_t generation, struct push **out);
int push_create_delete(uint32_t partner_id, uint64_t generation, struct push **out);
void push_destroy(struct push *p);

uint64_t push_generation(const struct push *p);

union push_message {
	struct ipc_header header;
	uint64_t align;
	uint8_t room[IPC_MESSAGE_MAX];
};

/*
 * The next message, complete but for header.id: BEGIN first, COMMIT last. 1, 0: there is none any
 * more; -errno: the store failed.
 */
int push_next(struct push *p, union push_message *m);

#endif
