/* SPDX-License-Identifier: BSD-3-Clause */
/* What query.c and query_list.c share: a question in several steps on behalf of one request. */
#ifndef POSTGATE_CONTROL_DAEMON_QUERY_H
#define POSTGATE_CONTROL_DAEMON_QUERY_H

#include "control/daemon/daemon_private.h"

struct query;

struct query {
	struct daemon *daemon;
	struct api_request *request;
	/* Handles an answer: asks the next step, or answers the request. */
	void (*step)(struct query *q, const struct ipc_header *answer);
	json_t *result;
	json_t *list;     /* borrowed from result: what the pages add to */
	uint16_t worker;  /* that is asked */
	uint16_t workers; /* how many there are */
	uint16_t type;    /* of the request for pages */
	int64_t limit;    /* entries wanted at most */
	bool nonzero, per_worker;
};

/* Takes a reference of nothing; NULL: answered. */
struct query *query_new(void *daemon, struct api_request *r,
	void (*step)(struct query *, const struct ipc_header *));
/* Sends it; an error answers the request and ends q. */
void query_ask(struct query *q, const struct ipc_header *m);
/* Ask with nothing but a header. */
void query_ask_plain(struct query *q, uint16_t type);
/* Answers with q->result; ends q. */
void query_done(struct query *q);

#define QUERY_EXTENSIONS 9
extern const char *const query_extensions[QUERY_EXTENSIONS];

const char *query_address(const struct ipc_addr *a, char out[ADDRESS_TEXT_MAX]);

#endif
