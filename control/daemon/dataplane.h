/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connection to postgate-dataplane: connects again when it is lost, asks questions, carries out
 * one transaction at a time, hands on events. All on the daemon's event loop; nothing here blocks.
 */
#ifndef POSTGATE_CONTROL_DAEMON_DATAPLANE_H
#define POSTGATE_CONTROL_DAEMON_DATAPLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/daemon/push.h"
#include "control/ipc/event.h"
#include "control/ipc/ipc.h"
#include "control/ipc/query.h"

struct event_base;
struct dataplane;

struct dataplane_callbacks {
	void *arg;
	/* HELLO was answered; the connection can be used. */
	void (*up)(void *arg, const struct ipc_hello_reply *hello);
	/* It was up and is not any more, or (once, until it is up again) cannot be reached. Open
	 * requests and the transaction have had their callbacks with -ENOTCONN. */
	void (*down)(void *arg, const char *why);
	void (*event)(void *arg, const struct ipc_event *event);
	/* Events that were lost on the way: totals. */
	void (*lost)(void *arg, uint64_t ring, uint64_t queue);
};

struct dataplane_params {
	struct event_base *base;
	const char *path;    /* NULL: connections come by dataplane_adopt() only (tests) */
	uint32_t timeout_ms; /* for an answer; 0: 10 s. After it the connection is given up */
	struct dataplane_callbacks callbacks;
};

/* Starts connecting. 0 or -ENOMEM. */
int dataplane_create(const struct dataplane_params *params, struct dataplane **out);
/* Open requests get their callbacks with -ECANCELED. */
void dataplane_destroy(struct dataplane *d);
/* A connected socket: taken over. */
int dataplane_adopt(struct dataplane *d, int fd);

bool dataplane_is_up(const struct dataplane *d);
/* Of the connection that is up; NULL otherwise. */
const struct ipc_hello_reply *dataplane_hello(const struct dataplane *d);

/* The answer, checked by ipc_check(); or NULL and -errno with a text: -ENOTCONN, -ETIMEDOUT,
 * -ECANCELED or what an IPC_RESULT says. An IPC_RESULT with error 0 is an answer. */
typedef void dataplane_answer(
	void *arg, const struct ipc_header *answer, int error, const char *text);

/* `request` is a whole message but for header.id. 0: `done` will be called once, later; -ENOTCONN,
 * -ENOMEM: never. */
int dataplane_ask(
	struct dataplane *d, const struct ipc_header *request, dataplane_answer *done, void *arg);

/*
 * Carries out a transaction: takes over `push` if it returns 0. `done` is called once, later, with
 * COMMIT's result. -ENOTCONN, -EBUSY (one is under way).
 */
int dataplane_transact(struct dataplane *d, struct push *push, dataplane_answer *done, void *arg);

#endif
