/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/api.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

/* One connection. It has at most one request at a time; the rest of its input waits. */
struct api_client {
	struct api *api;
	struct bufferevent *bev;
	struct api_request *request; /* open one */
	bool closing;                /* gone as soon as the output is out */
	bool reading;                /* inside client_read(): it goes on by itself */
	char who[48];
	LIST_ENTRY(api_client) link;
};

/* Outlives its connection if the command answers late. */
struct api_request {
	struct api_client *client; /* NULL: gone */
	json_t *json;
	void (*gone)(void *arg);
	void *gone_arg;
	bool stream;
	char who[48];
};

struct api {
	struct api_params params;
	struct evconnlistener *listener;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	unsigned int count;
	LIST_HEAD(, api_client) clients;
};

static void client_read(struct bufferevent *bev, void *arg);

int api_create(const struct api_params *params, struct api **out)
{
	struct api *api = calloc(1, sizeof(*api));

	if (api == NULL)
		return -ENOMEM;
	api->params = *params;
	LIST_INIT(&api->clients);
	*out = api;
	return 0;
}

static void request_free(struct api_request *r)
{
	json_decref(r->json);
	free(r);
}

static void client_close(struct api_client *c)
{
	struct api_request *r = c->request;

	LIST_REMOVE(c, link);
	c->api->count--;
	bufferevent_free(c->bev);
	if (r != NULL) {
		r->client = NULL;
		if (r->stream) {
			if (r->gone != NULL)
				r->gone(r->gone_arg);
			request_free(r);
		}
	}
	free(c);
}

void api_destroy(struct api *api)
{
	struct api_client *c;

	if (api == NULL)
		return;
	while ((c = LIST_FIRST(&api->clients)) != NULL)
		client_close(c);
	if (api->listener != NULL) {
		evconnlistener_free(api->listener);
		unlink(api->path);
	}
	free(api);
}

static void client_send(struct api_client *c, const json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	if (text != NULL) {
		bufferevent_write(c->bev, text, strlen(text));
		bufferevent_write(c->bev, "\n", 1);
	}
	free(text);
}

/* The answer to a request: to be freed with it. */
static void request_finish(struct api_request *r, json_t *answer)
{
	struct api_client *c = r->client;

	if (c != NULL) {
		client_send(c, answer);
		c->request = NULL;
	}
	json_decref(answer);
	request_free(r);
	/* A late answer: input that waited behind it has its turn. */
	if (c != NULL && !c->reading)
		client_read(c->bev, c);
}

void api_reply(struct api_request *r, json_t *result)
{
	request_finish(
		r, json_pack("{s:b, s:o}", "ok", 1, "result", result ? result : json_object()));
}

void api_reply_error(struct api_request *r, const char *code, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	/* json_string() refuses what is not UTF-8: never at the cost of the answer. */
	json_t *error = n >= 0 ? json_string(text) : NULL;

	request_finish(
		r, json_pack("{s:b, s:o, s:s}", "ok", 0, "error",
			   error ? error : json_string("the error cannot be told"), "code", code));
	if (n >= 0)
		free(text);
}

void api_stream_begin(struct api_request *r, json_t *result, void (*gone)(void *arg), void *arg)
{
	json_t *answer =
		json_pack("{s:b, s:o}", "ok", 1, "result", result ? result : json_object());

	r->stream = true;
	r->gone = gone;
	r->gone_arg = arg;
	client_send(r->client, answer);
	json_decref(answer);
}

bool api_stream_send(struct api_request *r, const json_t *object)
{
	struct evbuffer *out = bufferevent_get_output(r->client->bev);

	if (evbuffer_get_length(out) > API_OUTPUT_MAX)
		return false;
	client_send(r->client, object);
	return true;
}

const char *api_who(const struct api_request *r)
{
	return r->who;
}

static void client_line(struct api_client *c, const char *line, size_t len)
{
	const struct api_command *cmd = c->api->params.commands;
	struct api_request *r = calloc(1, sizeof(*r));
	const char *name;
	json_t *args;

	if (r == NULL) {
		c->closing = true;
		return;
	}
	r->client = c;
	memcpy(r->who, c->who, sizeof(r->who));
	c->request = r;
	r->json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	name = json_string_value(json_object_get(r->json, "command"));
	args = json_object_get(r->json, "args");
	if (args == NULL && json_is_object(r->json)) {
		args = json_object();
		json_object_set_new(r->json, "args", args);
	}
	if (name == NULL || !json_is_object(args)) {
		api_reply_error(r, "bad_request",
			"a request is {\"command\": \"...\", \"args\": {...}} on one line");
		return;
	}
	while (cmd->name != NULL && strcmp(cmd->name, name) != 0)
		cmd++;
	if (cmd->name == NULL)
		api_reply_error(r, "bad_request", "no such command: %.80s", name);
	else
		cmd->run(c->api->params.arg, r, args);
}

static void client_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct api_client *c = arg;
	char *line;
	size_t len;

	c->reading = true;
	while (c->request == NULL && !c->closing &&
		(line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF)) != NULL) {
		client_line(c, line, len);
		free(line);
	}
	c->reading = false;
	/* What waits is bounded too: the socket is read no further than this (read watermark). */
	if (c->request == NULL && !c->closing && evbuffer_get_length(in) >= API_LINE_MAX) {
		static const char told[] = "{\"ok\":false,\"error\":\"the request is too "
					   "long\",\"code\":\"bad_request\"}\n";

		bufferevent_write(bev, told, sizeof(told) - 1);
		bufferevent_disable(bev, EV_READ);
		c->closing = true;
	}
	if (c->closing && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		client_close(c);
}

static void client_written(struct bufferevent *bev, void *arg)
{
	struct api_client *c = arg;

	if (c->closing && c->request == NULL)
		client_close(c);
}

static void client_event(struct bufferevent *bev, short what, void *arg)
{
	struct api_client *c = arg;

	if (what & BEV_EVENT_ERROR || (c->request != NULL && c->request->stream)) {
		client_close(c);
	} else if (what & BEV_EVENT_EOF) {
		/* It has asked all that it will: it still gets its answers. */
		c->closing = true;
		if (c->request == NULL)
			client_read(bev, c);
	}
}

static bool peer_allowed(const struct api *api, int fd, char *who, size_t who_size)
{
	socklen_t len = sizeof(struct ucred);
	struct passwd *pw;
	struct ucred cred;
	gid_t groups[256];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	pw = getpwuid(cred.uid);
	if (pw != NULL)
		snprintf(who, who_size, "%.32s", pw->pw_name);
	else
		snprintf(who, who_size, "uid %u", cred.uid);
	if (cred.uid == 0 || cred.uid == geteuid())
		return true;
	if (api->params.group == (gid_t)-1)
		return false;
	if (cred.gid == api->params.group)
		return true;
	len = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == api->params.group)
			return true;
	return false;
}

int api_adopt(struct api *api, int fd)
{
	static const char denied[] =
		"{\"ok\":false,\"error\":\"you may not: root or a member of the "
		"socket's group only\",\"code\":\"denied\"}\n";
	static const char full[] =
		"{\"ok\":false,\"error\":\"too many connections\",\"code\":\"busy\"}\n";
	struct api_client *c;
	char who[48];

	if (!peer_allowed(api, fd, who, sizeof(who))) {
		send(fd, denied, sizeof(denied) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return -EPERM;
	}
	c = api->count < API_CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (c == NULL) {
		send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return -EBUSY;
	}
	evutil_make_socket_nonblocking(fd);
	c->bev = bufferevent_socket_new(api->params.base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		close(fd);
		free(c);
		return -ENOMEM;
	}
	c->api = api;
	memcpy(c->who, who, sizeof(c->who));
	LIST_INSERT_HEAD(&api->clients, c, link);
	api->count++;
	bufferevent_setwatermark(c->bev, EV_READ, 0, API_LINE_MAX);
	bufferevent_setcb(c->bev, client_read, client_written, client_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	return 0;
}

static void api_accept(
	struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
	api_adopt(arg, fd);
}

/* A socket that nobody answers on is left over from a crash. */
static int clear_stale(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		rc = -EADDRINUSE;
	else if (errno == ECONNREFUSED)
		rc = unlink(addr->sun_path) < 0 ? -errno : 0;
	else if (errno != ENOENT)
		rc = -errno;
	close(fd);
	return rc;
}

/* Under systemd the socket has the right group from the start, and chown() is forbidden. */
static int set_access(const char *path, gid_t group)
{
	struct stat st;

	if (group != (gid_t)-1 && (stat(path, &st) < 0 || st.st_gid != group) &&
		chown(path, (uid_t)-1, group) < 0)
		return -errno;
	return chmod(path, 0660) < 0 ? -errno : 0;
}

int api_listen(struct api *api, const char *path, char *err, size_t err_size)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd = -1, rc;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(err, err_size, "%s: too long for the path of a socket", path);
		return -ENAMETOOLONG;
	}
	strcpy(addr.sun_path, path);
	rc = clear_stale(&addr);
	if (rc < 0)
		goto out;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		rc = -errno;
		goto out;
	}
	/* Never open to more than it will be in the end. */
	mask = umask(0177);
	rc = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	umask(mask);
	if (rc < 0)
		goto out;
	rc = set_access(path, api->params.group);
	if (rc < 0) {
		unlink(path);
		goto out;
	}
	api->listener = evconnlistener_new(
		api->params.base, api_accept, api, LEV_OPT_CLOSE_ON_FREE, 16, fd);
	if (api->listener == NULL) {
		rc = -ENOMEM;
		unlink(path);
		goto out;
	}
	strcpy(api->path, path);
	return 0;
out:
	snprintf(err, err_size, "%s: %s", path,
		rc == -EADDRINUSE ? "another postgated answers there" : strerror(-rc));
	if (fd >= 0)
		close(fd);
	return rc;
}
