// SPDX-License-Identifier: BSD-3-Clause
/* The socket: clients, their queues, and which handler a message goes to. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/ctl/private.h"

#define MESSAGES_A_TURN 64 /* of one client, before the others */

static void client_close(struct client *cl)
{
	struct ctl *c = cl->ctl;
	struct out_message *o;

	transaction_client_gone(c, cl);
	page_client_gone(c, cl);
	events_client_gone(c, cl);
	loop_unwatch(c->loop, &cl->watch);
	close(cl->watch.fd);
	while ((o = STAILQ_FIRST(&cl->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&cl->queue, link);
		c->events_lost_queue += o->events;
		free(o);
	}
	if (cl->held != NULL)
		explicit_bzero(cl->held, cl->held->length);
	free(cl->held);
	LIST_REMOVE(cl, link);
	c->client_count--;
	free(cl);
}

static void client_interest(struct client *cl)
{
	uint32_t events = 0;

	if (!cl->closing && cl->held == NULL && cl->queued < QUEUE_REQUESTS_MAX)
		events |= EPOLLIN;
	if (!STAILQ_EMPTY(&cl->queue) || cl->closing)
		events |= EPOLLOUT;
	if (events != cl->events) {
		cl->events = events;
		loop_rewatch(cl->ctl->loop, &cl->watch, events);
	}
}

bool client_send(struct client *cl, const void *message, uint32_t events)
{
	const struct ipc_header *h = message;
	struct out_message *o;

	if (cl->closing)
		return false;
	if (STAILQ_EMPTY(&cl->queue) &&
		send(cl->watch.fd, message, h->length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	/* An error that is not "full" shows again at the next read. */
	o = malloc(sizeof(*o) + h->length);
	if (o == NULL) {
		cl->closing = true;
		cl->ctl->events_lost_queue += events;
		client_interest(cl);
		return false;
	}
	o->length = h->length;
	o->events = events;
	memcpy(o->data, message, h->length);
	STAILQ_INSERT_TAIL(&cl->queue, o, link);
	cl->queued += h->length;
	client_interest(cl);
	return true;
}

void client_result(struct client *cl, uint32_t id, uint16_t type, int error, const char *text)
{
	struct ipc_result m = {0};

	ipc_header_init(&m.header, IPC_RESULT, sizeof(m), id);
	m.error = error < 0 ? -error : error;
	m.request = type;
	m.generation = ctl_generation(cl->ctl);
	ipc_string_set(m.text, sizeof(m.text), text);
	/* What OpenSSL or a file name brought along must not make two lines of one. */
	for (size_t i = 0; m.text[i] != '\0'; i++) {
		if ((uint8_t)m.text[i] < 0x20 || m.text[i] == 0x7f)
			m.text[i] = '?';
	}
	client_send(cl, &m, 0);
}

static int handle_hello(struct client *cl, const struct ipc_header *h)
{
	const struct ipc_hello *m = (const struct ipc_hello *)h;
	struct ctl *c = cl->ctl;
	struct ipc_hello_reply *r = ctl_reply(c, IPC_HELLO | IPC_REPLY, sizeof(*r), m->header.id);

	r->pid = (uint32_t)getpid();
	r->worker_count = c->params.group->count;
	r->port_count = c->params.port_count;
	r->start_time = c->start_time;
	r->generation = ctl_generation(c);
	ipc_string_set(r->version, sizeof(r->version), c->params.version);
	for (uint16_t i = 0; i < r->port_count; i++) {
		const struct ctl_port *p = &c->params.ports[i];

		r->ports[i].port_id = i;
		memcpy(r->ports[i].mac, p->mac, sizeof(p->mac));
		ipc_string_set(r->ports[i].name, sizeof(r->ports[i].name), p->name);
		ipc_string_set(r->ports[i].driver, sizeof(r->ports[i].driver), p->driver);
	}
	cl->greeted = true;
	client_send(cl, r, 0);
	CTL_LOG(INFO, "postgated %s, process %u, is connected", m->version, m->pid);
	return 0;
}

int handle_message(struct client *cl, const struct ipc_header *m)
{
	if (!cl->greeted && m->type != IPC_HELLO) {
		client_result(cl, m->id, m->type, -EPROTO, "HELLO comes first");
		cl->closing = true;
		return 0;
	}
	switch (m->type) {
	case IPC_HELLO:
		return handle_hello(cl, m);
	case IPC_STATUS:
		return handle_status(cl, m);
	case IPC_WORKERS:
		return handle_workers(cl, m);
	case IPC_COUNTER_NAMES:
		return handle_counter_names(cl, m);
	case IPC_COUNTER_VALUES:
		return handle_counter_values(cl, m);
	case IPC_SESSIONS:
	case IPC_NEXT_HOPS:
	case IPC_TCP:
		return handle_page(cl, m);
	case IPC_SUBSCRIBE:
		return handle_subscribe(cl, m);
	default: /* ipc_check() lets nothing else in this direction */
		return handle_transaction(cl, m);
	}
}

/* A whole datagram in c->in. */
static void client_message(struct client *cl, size_t len)
{
	struct ctl *c = cl->ctl;
	const struct ipc_header *m = (const struct ipc_header *)c->in;
	char text[128];
	const char *why;
	int rc = ipc_check(c->in, len, IPC_TO_DATAPLANE, &why);

	if (rc < 0) {
		/* Whoever sends such a thing has lost the thread; so might we. */
		snprintf(text, sizeof(text), "bad message: %s", why);
		CTL_LOG(WARNING, "%s; the connection is closed", text);
		client_result(cl, 0, 0, rc, text);
		cl->closing = true;
		return;
	}
	if (handle_message(cl, m) == -EAGAIN) {
		cl->held = malloc(len);
		if (cl->held == NULL)
			client_result(cl, m->id, m->type, -ENOMEM, "no memory");
		else
			memcpy(cl->held, m, len);
	}
}

static void client_read(struct client *cl)
{
	struct ctl *c = cl->ctl;

	for (int i = 0; i < MESSAGES_A_TURN && !cl->closing && cl->held == NULL &&
			cl->queued < QUEUE_REQUESTS_MAX;
		i++) {
		ssize_t n = recv(cl->watch.fd, c->in, sizeof(c->in), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			client_close(cl);
			return;
		}
		client_message(cl, (size_t)n);
		/* Keys among others; a bigger datagram was cut to the buffer. */
		explicit_bzero(c->in, (size_t)n < sizeof(c->in) ? (size_t)n : sizeof(c->in));
	}
	client_interest(cl);
}

static void client_write(struct client *cl)
{
	struct out_message *o;

	while ((o = STAILQ_FIRST(&cl->queue)) != NULL) {
		if (send(cl->watch.fd, o->data, o->length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
				return;
			client_close(cl);
			return;
		}
		STAILQ_REMOVE_HEAD(&cl->queue, link);
		cl->queued -= o->length;
		free(o);
	}
	if (cl->closing)
		client_close(cl);
	else
		client_interest(cl);
}

static void client_ready(void *arg, uint32_t events)
{
	struct client *cl = arg;

	if (events & EPOLLOUT)
		client_write(cl);
	else if (events & EPOLLIN)
		client_read(cl);
	else if (events & (EPOLLHUP | EPOLLERR))
		client_close(cl);
}

void server_resume(struct ctl *c)
{
	struct client *cl, *next;

	for (cl = LIST_FIRST(&c->clients); cl != NULL; cl = next) {
		struct ipc_header *m = cl->held;

		next = LIST_NEXT(cl, link);
		if (m == NULL)
			continue;
		cl->held = NULL;
		if (handle_message(cl, m) == -EAGAIN) {
			cl->held = m;
			continue;
		}
		explicit_bzero(m, m->length);
		free(m);
		client_interest(cl);
	}
}

static void accept_ready(void *arg, uint32_t events)
{
	struct ctl *c = arg;
	struct client *cl;
	int fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	cl = c->client_count < CLIENTS_MAX ? calloc(1, sizeof(*cl)) : NULL;
	if (cl == NULL) {
		CTL_LOG(WARNING, "a connection to the socket is refused: %s",
			c->client_count < CLIENTS_MAX ? "no memory" : "too many");
		close(fd);
		return;
	}
	cl->ctl = c;
	STAILQ_INIT(&cl->queue);
	cl->watch = (struct loop_watch){.fd = fd, .ready = client_ready, .arg = cl};
	cl->events = EPOLLIN;
	if (loop_watch(c->loop, &cl->watch, EPOLLIN) < 0) {
		close(fd);
		free(cl);
		return;
	}
	LIST_INSERT_HEAD(&c->clients, cl, link);
	c->client_count++;
}

/* Whether somebody listens there. */
static bool socket_alive(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0)
		return false;
	alive = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 || errno == EAGAIN;
	close(fd);
	return alive;
}

int server_open(struct ctl *c, char *err)
{
	const char *path = c->params.socket_path;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, rc;

	if (strlen(path) >= sizeof(sun.sun_path))
		return config_fail(err, -ENAMETOOLONG, "socket %s: path too long", path);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return config_fail(err, -errno, "socket: %s", strerror(errno));
	mask = umask(0177);
	rc = bind(fd, (const struct sockaddr *)&sun, sizeof(sun));
	if (rc < 0 && errno == EADDRINUSE) {
		if (socket_alive(&sun)) {
			umask(mask);
			close(fd);
			return config_fail(err, -EADDRINUSE,
				"socket %s: in use, a postgate-dataplane is running already", path);
		}
		unlink(path); /* left by one that was killed */
		rc = bind(fd, (const struct sockaddr *)&sun, sizeof(sun));
	}
	rc = rc < 0 ? -errno : 0;
	umask(mask);
	if (rc == 0 && c->params.uid != (uid_t)-1 && chown(path, c->params.uid, c->params.gid) < 0)
		rc = -errno;
	if (rc == 0 && chmod(path, c->params.socket_mode) < 0)
		rc = -errno;
	if (rc == 0 && listen(fd, CLIENTS_MAX) < 0)
		rc = -errno;
	if (rc == 0) {
		c->listener = (struct loop_watch){.fd = fd, .ready = accept_ready, .arg = c};
		rc = loop_watch(c->loop, &c->listener, EPOLLIN);
	}
	if (rc < 0) {
		close(fd);
		c->listener.fd = -1;
		return config_fail(err, rc, "socket %s: %s", path, strerror(-rc));
	}
	return 0;
}

void server_close(struct ctl *c)
{
	struct client *cl;

	while ((cl = LIST_FIRST(&c->clients)) != NULL)
		client_close(cl);
	if (c->listener.fd >= 0) {
		loop_unwatch(c->loop, &c->listener);
		close(c->listener.fd);
		unlink(c->params.socket_path);
	}
}
