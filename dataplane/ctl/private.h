/* SPDX-License-Identifier: BSD-3-Clause */
/* The control thread's inside: one object, one file for each kind of message that it handles. */
#ifndef POSTGATE_DATAPLANE_CTL_PRIVATE_H
#define POSTGATE_DATAPLANE_CTL_PRIVATE_H

#include <sys/queue.h>

#include "control/ipc/event.h"
#include "control/ipc/policy.h"
#include "control/ipc/query.h"
#include "dataplane/ctl/build.h"
#include "dataplane/ctl/ctl.h"
#include "dataplane/ctl/log.h"
#include "dataplane/ctl/loop.h"
#include "dataplane/policy/map_write.h"
#include "dataplane/worker.h"
#include "tls/tls.h"

#define CLIENTS_MAX 16
/* Octets that wait for a client to read them: above the first no request of its is taken, above the
 * second no event is put behind it. Both bound what a client that does not read can cost. */
#define QUEUE_REQUESTS_MAX (1024 * 1024)
#define QUEUE_EVENTS_MAX   (256 * 1024)

struct client;

/* --- server.c: clients --- */

struct out_message {
	STAILQ_ENTRY(out_message) link;
	uint32_t length;
	uint32_t events; /* records in it, for the count of lost ones */
	_Alignas(8) uint8_t data[];
};

struct client {
	struct ctl *ctl;
	struct loop_watch watch;
	LIST_ENTRY(client) link;
	STAILQ_HEAD(, out_message) queue;
	size_t queued;
	bool greeted;            /* HELLO came */
	bool closing;            /* when the queue is empty */
	uint32_t kinds;          /* subscribed events */
	uint64_t lost;           /* events of its queue */
	uint32_t events;         /* epoll's, as set */
	struct ipc_header *held; /* a request that waits for something to end */
};

/* Takes a copy. False: no memory, the client is being closed. */
bool client_send(struct client *cl, const void *message, uint32_t events);
/* IPC_RESULT. `error` 0 or negative errno. */
void client_result(struct client *cl, uint32_t id, uint16_t type, int error, const char *text);
int server_open(struct ctl *c, char *err);
void server_close(struct ctl *c);
/* What was held is tried again. */
void server_resume(struct ctl *c);

/* --- handlers: 0, or -EAGAIN: hold the message and try it again at server_resume() --- */

int handle_message(struct client *cl, const struct ipc_header *m);
int handle_transaction(struct client *cl, const struct ipc_header *m); /* transaction.c */
int handle_status(struct client *cl, const struct ipc_header *m);      /* query.c */
int handle_workers(struct client *cl, const struct ipc_header *m);
int handle_counter_names(struct client *cl, const struct ipc_header *m);
int handle_counter_values(struct client *cl, const struct ipc_header *m);
int handle_page(struct client *cl, const struct ipc_header *m);      /* page.c */
int handle_subscribe(struct client *cl, const struct ipc_header *m); /* events.c */

/* The client goes: whoever works for it forgets it. */
void transaction_client_gone(struct ctl *c, const struct client *cl);
void page_client_gone(struct ctl *c, const struct client *cl);
void events_client_gone(struct ctl *c, const struct client *cl);

/* --- transaction.c, commit.c --- */

enum transaction_state {
	TRANSACTION_NONE,
	TRANSACTION_OPEN,    /* items come in */
	TRANSACTION_BUILD,   /* COMMIT came: the generation is being made */
	TRANSACTION_PREPARE, /* the policy is checked as a whole */
	TRANSACTION_ADOPT,   /* published; workers take it */
	TRANSACTION_CLEAN,   /* answered; what is old is freed */
	TRANSACTION_STATES,
};

struct transaction {
	enum transaction_state state;
	struct client *client; /* NULL: gone */
	uint32_t commit_id;    /* request to answer */
	uint64_t number;
	struct config *config; /* NULL: policy only */
	struct build *build;
	const struct gateway_generation *next; /* built, not published */
	const struct gateway_generation *old;  /* to be freed */
	struct policy_txn *policy;
	int error; /* of the first item that was wrong */
	char text[CTL_ERROR_SIZE];
	uint32_t partner; /* set last; 0: none */
	uint32_t domains_due, prefixes_due;
	uint64_t published_ns, warned_ns;
};

void transaction_change(struct ctl *c, enum transaction_state state);
void transaction_fail(struct ctl *c, int error, const char *text);
void commit_begin(struct ctl *c);
void commit_turn(void *ctl); /* timer */
/* Everything of it is freed, whatever its state; workers have stopped. */
void commit_shutdown(struct ctl *c);

/* --- page.c --- */

struct page {
	struct worker_question question;
	struct client *client; /* NULL: gone, or timed out */
	uint32_t id;
	uint16_t type, worker;
	bool busy;
	uint64_t asked_ns;
	union {
		struct gateway_session_info sessions[IPC_PAGE_MAX];
		struct gateway_next_hop_info next_hops[IPC_PAGE_MAX];
		struct tcp_info tcp[IPC_PAGE_MAX];
	};
};
void page_poll(void *ctl); /* timer */

/* --- events.c --- */

void events_poll(void *ctl); /* timer */
uint64_t events_lost_by_workers(const struct ctl *c);

struct ctl {
	struct ctl_params params;
	struct loop *loop;
	uint64_t start_ns;
	uint64_t start_time; /* seconds since 1970 */
	bool stopping;
	uint64_t stop_ns; /* when it was asked for */
	bool stop_now;
	struct loop_watch signals, listener;
	struct loop_timer second; /* housekeeping */
	struct tls_tickets *tickets;
	uint64_t ticket_ns; /* of the last rotation */
	struct loop_timer drain_timer;
	struct loop_watch *poll_watches; /* of params.polls */
	struct loop_timer poll_timer;

	LIST_HEAD(, client) clients;
	unsigned int client_count;

	struct policy_map *policy;
	struct transaction transaction;
	struct loop_timer commit_timer;

	struct page *pages; /* one per worker: it can be asked one thing at a time */
	unsigned int pages_busy;
	struct loop_timer page_timer;

	struct client *subscriber;
	struct loop_timer event_timer;
	uint64_t events, events_lost_queue;

	size_t delivered; /* number of the counter of delivered messages; SIZE_MAX: none */
	size_t worker_counters, port_counters;
	uint64_t *port_values;

	_Alignas(8) uint8_t in[IPC_MESSAGE_MAX];
	_Alignas(8) uint8_t out[IPC_MESSAGE_MAX];
};

/* c->out as a zeroed message of `size` octets with its header. */
void *ctl_reply(struct ctl *c, uint16_t type, size_t size, uint32_t id);
/* The committed generation's number. */
uint64_t ctl_generation(const struct ctl *c);

#endif
