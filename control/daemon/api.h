/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server that postgatectl talks to: a unix socket, one JSON object a line in each direction.
 *
 *     {"command": "partner-show", "args": {"name": "bank"}}
 *     {"ok": true, "result": {...}}
 *     {"ok": false, "error": "no such partner", "code": "not_found"}
 *
 * A command that goes on (events --follow) sends more objects after its result, until the client
 * leaves. Requests of one connection are answered in order. Who may ask: root, our own user,
 * members of the group (SO_PEERCRED, SO_PEERGROUPS).
 */
#ifndef POSTGATE_CONTROL_DAEMON_API_H
#define POSTGATE_CONTROL_DAEMON_API_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <jansson.h>

struct event_base;
struct api;
struct api_request;

#define API_LINE_MAX    (1 << 20)   /* octets of one request */
#define API_OUTPUT_MAX  (256 << 10) /* unsent octets of a stream, above which nothing is added */
#define API_CLIENTS_MAX 64

struct api_command {
	const char *name;
	/* Answers now, or keeps `r` and answers later: exactly one api_reply*() in the end, or, for
	 * a stream, api_on_gone() to hear of its end. `args` is {} if none came; the request's. */
	void (*run)(void *arg, struct api_request *r, const json_t *args);
};

struct api_params {
	struct event_base *base;
	void *arg;                          /* of the commands */
	const struct api_command *commands; /* ends with name NULL */
	gid_t group; /* that may ask beside root and ourselves; (gid_t)-1: none */
};

int api_create(const struct api_params *params, struct api **out); /* 0 or -ENOMEM */
void api_destroy(struct api *api);                                 /* closes and unlinks */

/* Binds, mode 0660 and the group of the parameters. 0 or -errno with a text; -EADDRINUSE: someone
 * answers there. */
int api_listen(struct api *api, const char *path, char *err, size_t err_size);
/* A connection that is there already (socketpair of a test): taken over in any case. */
int api_adopt(struct api *api, int fd);

/* Take over `result` (NULL: {}), end the request. The client may have gone meanwhile. */
void api_reply(struct api_request *r, json_t *result);
__attribute__((format(printf, 3, 4))) void api_reply_error(
	struct api_request *r, const char *code, const char *fmt, ...);

/* The result of a stream; the request stays open. `gone` is called when the client leaves or the
 * server closes; r is invalid after it. */
void api_stream_begin(struct api_request *r, json_t *result, void (*gone)(void *arg), void *arg);
/* One more object (borrowed). False: too much is unsent already, it was not added. */
bool api_stream_send(struct api_request *r, const json_t *object);

/* "root", "uid 1000": for the history. */
const char *api_who(const struct api_request *r);

#endif
