/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/dataplane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#define RECONNECT_MS 250
#define TIMEOUT_MS   10000
#define TICK_MS      250
#define READ_BURST   64  /* messages at one go, so that the API gets its turn */
#define PUSH_BURST   256 /* likewise of a transaction */

/* A message that waits for room in the socket. It may hold a key: wiped when freed. */
struct outgoing {
	STAILQ_ENTRY(outgoing) link;
	union {
		struct ipc_header header;
		uint64_t align;
	};
	/* the rest of the message follows */
};

struct pending {
	uint32_t id;
	uint16_t type;
	uint64_t deadline_ms;
	dataplane_answer *done;
	void *arg;
	TAILQ_ENTRY(pending) link;
};

enum transaction_state {
	TRANSACTION_NONE,
	TRANSACTION_BEGIN,  /* BEGIN is sent, its result awaited */
	TRANSACTION_ITEMS,  /* the socket takes what it can */
	TRANSACTION_COMMIT, /* COMMIT is sent */
};

struct dataplane {
	struct dataplane_params params;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd; /* -1: not connected */
	bool up;
	bool told_down; /* the unreachable dataplane was told of once */
	uint32_t next_id;
	struct event *read_event, *write_event, *tick, *reconnect;
	struct ipc_hello_reply hello;
	uint64_t lost_ring, lost_queue;
	uint64_t sent_ms; /* when the socket last took a message */

	STAILQ_HEAD(, outgoing) queue;
	TAILQ_HEAD(pending_list, pending) pending;

	enum transaction_state state;
	struct push *push;
	dataplane_answer *transaction_done;
	void *transaction_arg;

	union push_message in, out;
};

static void connection_lost(struct dataplane *d, const char *why);
static void transaction_step(struct dataplane *d);

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t timeout_ms(const struct dataplane *d)
{
	return d->params.timeout_ms ? d->params.timeout_ms : TIMEOUT_MS;
}

static struct timeval timeval_ms(unsigned int ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void outgoing_free(struct outgoing *o)
{
	explicit_bzero(&o->header, o->header.length);
	free(o);
}

static void schedule_reconnect(struct dataplane *d)
{
	struct timeval wait = timeval_ms(RECONNECT_MS);

	if (d->params.path != NULL)
		evtimer_add(d->reconnect, &wait);
}

/* Sends or queues. -ENOMEM; a broken connection shows at the next read. */
static int send_message(struct dataplane *d, const struct ipc_header *m)
{
	struct outgoing *o;

	if (STAILQ_EMPTY(&d->queue)) {
		ssize_t n = send(d->fd, m, m->length, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			d->sent_ms = now_ms();
		if (n >= 0 || (errno != EAGAIN && errno != ENOBUFS))
			return 0;
	}
	o = malloc(offsetof(struct outgoing, header) + m->length);
	if (o == NULL)
		return -ENOMEM;
	memcpy(&o->header, m, m->length);
	STAILQ_INSERT_TAIL(&d->queue, o, link);
	event_add(d->write_event, NULL);
	return 0;
}

static int add_pending(
	struct dataplane *d, uint32_t id, uint16_t type, dataplane_answer *done, void *arg)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	*p = (struct pending){.id = id,
		.type = type,
		.done = done,
		.arg = arg,
		.deadline_ms =
			now_ms() + (d->params.timeout_ms ? d->params.timeout_ms : TIMEOUT_MS)};
	TAILQ_INSERT_TAIL(&d->pending, p, link);
	return 0;
}

static uint32_t take_id(struct dataplane *d)
{
	if (++d->next_id == 0)
		d->next_id = 1;
	return d->next_id;
}

/* Sends a message under a new id and remembers who waits for the answer. */
static int ask(struct dataplane *d, struct ipc_header *m, dataplane_answer *done, void *arg)
{
	struct pending *p;
	int rc;

	m->id = take_id(d);
	rc = add_pending(d, m->id, m->type, done, arg);
	if (rc < 0)
		return rc;
	rc = send_message(d, m);
	if (rc < 0) {
		p = TAILQ_LAST(&d->pending, pending_list);
		TAILQ_REMOVE(&d->pending, p, link);
		free(p);
	}
	return rc;
}

int dataplane_ask(
	struct dataplane *d, const struct ipc_header *request, dataplane_answer *done, void *arg)
{
	if (!d->up)
		return -ENOTCONN;
	if (request->length > sizeof(d->out))
		return -EMSGSIZE;
	memcpy(d->out.room, request, request->length);
	return ask(d, &d->out.header, done, arg);
}

/* --- Transactions --- */

static void transaction_end(
	struct dataplane *d, const struct ipc_header *answer, int error, const char *text)
{
	dataplane_answer *done = d->transaction_done;
	void *arg = d->transaction_arg;

	if (d->state == TRANSACTION_NONE)
		return;
	d->state = TRANSACTION_NONE;
	push_destroy(d->push);
	d->push = NULL;
	explicit_bzero(d->out.room, sizeof(d->out.room));
	done(arg, answer, error, text);
}

static void transaction_answer(
	void *arg, const struct ipc_header *answer, int error, const char *text)
{
	struct dataplane *d = arg;

	if (error < 0 || d->state == TRANSACTION_COMMIT) {
		transaction_end(d, answer, error, text);
	} else if (d->state == TRANSACTION_BEGIN) {
		d->state = TRANSACTION_ITEMS;
		transaction_step(d);
	}
}

static void abort_answer(void *arg, const struct ipc_header *answer, int error, const char *text)
{
}

/* From our side, before COMMIT: the dataplane is to forget it. */
static void transaction_give_up(struct dataplane *d, int error, const char *text)
{
	ipc_header_init(&d->out.header, IPC_ABORT, sizeof(struct ipc_abort), 0);
	if (ask(d, &d->out.header, abort_answer, NULL) < 0)
		connection_lost(d, "out of memory");
	transaction_end(d, NULL, error, text);
}

/* What the dataplane would refuse as a message is not sent: it closes the connection over one. */
static int transaction_check(struct dataplane *d, const char **why)
{
	d->out.header.id = 1;
	return ipc_check(d->out.room, d->out.header.length, IPC_TO_DATAPLANE, why);
}

/* Sends items as long as the socket takes them; goes on when it is writable again. */
static void transaction_step(struct dataplane *d)
{
	const char *why = "postgated could not make the transaction";
	unsigned int burst = 0;
	int rc;

	while (d->state == TRANSACTION_ITEMS && STAILQ_EMPTY(&d->queue)) {
		if (burst++ == PUSH_BURST) {
			event_add(d->write_event, NULL);
			return;
		}
		rc = push_next(d->push, &d->out);
		if (rc == 1 && transaction_check(d, &why) < 0) {
			rc = -EINVAL;
		} else if (rc == 1 && d->out.header.type == IPC_COMMIT) {
			d->state = TRANSACTION_COMMIT;
			rc = ask(d, &d->out.header, transaction_answer, d);
		} else if (rc == 1) {
			d->out.header.id = take_id(d);
			rc = send_message(d, &d->out.header);
		}
		if (rc < 0) {
			transaction_give_up(d, rc, why);
			return;
		}
	}
}

int dataplane_transact(struct dataplane *d, struct push *push, dataplane_answer *done, void *arg)
{
	int rc;

	if (!d->up)
		return -ENOTCONN;
	if (d->state != TRANSACTION_NONE)
		return -EBUSY;
	rc = push_next(push, &d->out);
	if (rc < 0)
		return rc;
	if (transaction_check(d, NULL) < 0)
		return -EINVAL;
	rc = ask(d, &d->out.header, transaction_answer, d);
	if (rc < 0)
		return rc;
	d->state = TRANSACTION_BEGIN;
	d->push = push;
	d->transaction_done = done;
	d->transaction_arg = arg;
	return 0;
}

/* --- The connection --- */

static void fail_pending(struct dataplane *d, int error, const char *text)
{
	struct pending *p;

	while ((p = TAILQ_FIRST(&d->pending)) != NULL) {
		TAILQ_REMOVE(&d->pending, p, link);
		p->done(p->arg, NULL, error, text);
		free(p);
	}
	transaction_end(d, NULL, error, text);
}

static void connection_close(struct dataplane *d)
{
	struct outgoing *o;

	if (d->fd < 0)
		return;
	event_del(d->read_event);
	event_del(d->write_event);
	event_del(d->tick);
	close(d->fd);
	d->fd = -1;
	d->up = false;
	while ((o = STAILQ_FIRST(&d->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&d->queue, link);
		outgoing_free(o);
	}
}

static void connection_lost(struct dataplane *d, const char *why)
{
	bool tell = d->up || !d->told_down;

	connection_close(d);
	fail_pending(d, -ENOTCONN, "the dataplane cannot be reached");
	d->told_down = true;
	schedule_reconnect(d);
	if (tell)
		d->params.callbacks.down(d->params.callbacks.arg, why);
}

static void hello_answer(void *arg, const struct ipc_header *answer, int error, const char *text)
{
	struct dataplane *d = arg;
	struct {
		struct ipc_subscribe subscribe;
	} m = {0};

	if (error == -ENOTCONN || error == -ECANCELED)
		return; /* connection_lost() is at work */
	if (answer == NULL || answer->type != (IPC_HELLO | IPC_REPLY)) {
		connection_lost(d, text[0] ? text : "the dataplane did not answer HELLO");
		return;
	}
	memcpy(&d->hello, answer, sizeof(d->hello));
	d->up = true;
	d->told_down = false;
	d->lost_ring = d->lost_queue = 0;
	ipc_header_init(&m.subscribe.header, IPC_SUBSCRIBE, sizeof(m.subscribe), take_id(d));
	m.subscribe.kinds = (1u << IPC_EVENT_KINDS) - 1;
	send_message(d, &m.subscribe.header);
	d->params.callbacks.up(d->params.callbacks.arg, &d->hello);
}

static void handle_events(struct dataplane *d, const struct ipc_events *m)
{
	const struct dataplane_callbacks *cb = &d->params.callbacks;

	for (unsigned int i = 0; i < m->count; i++)
		cb->event(cb->arg, &m->events[i]);
	if (m->lost_ring != d->lost_ring || m->lost_queue != d->lost_queue) {
		d->lost_ring = m->lost_ring;
		d->lost_queue = m->lost_queue;
		cb->lost(cb->arg, m->lost_ring, m->lost_queue);
	}
}

static void handle_answer(struct dataplane *d, const struct ipc_header *m)
{
	const struct ipc_result *result = (const struct ipc_result *)m;
	struct pending *p;

	TAILQ_FOREACH (p, &d->pending, link) {
		if (p->id == m->id)
			break;
	}
	if (p == NULL) {
		/* Of SUBSCRIBE; or, with id 0, of a message that it could not read at all. */
		if (m->id == 0 && m->type == IPC_RESULT && result->error != 0)
			connection_lost(d, result->text);
		return;
	}
	TAILQ_REMOVE(&d->pending, p, link);
	if (m->type == IPC_RESULT && result->error != 0)
		p->done(p->arg, NULL, -result->error,
			result->text[0] ? result->text : strerror(result->error));
	else if (m->type == IPC_RESULT || m->type == (p->type | IPC_REPLY))
		p->done(p->arg, m, 0, "");
	else
		p->done(p->arg, NULL, -EPROTO, "the dataplane's answer is of another kind");
	free(p);
}

static void connection_read(evutil_socket_t fd, short what, void *arg)
{
	struct dataplane *d = arg;
	char text[160];
	const char *why;

	for (int i = 0; i < READ_BURST && d->fd == fd; i++) {
		ssize_t n = recv(fd, d->in.room, sizeof(d->in.room), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			connection_lost(d,
				n == 0 ? "the dataplane closed the connection" : strerror(errno));
			return;
		}
		if (ipc_check(d->in.room, (size_t)n, IPC_TO_CLIENT, &why) < 0) {
			snprintf(text, sizeof(text), "bad message from the dataplane: %s", why);
			connection_lost(d, text);
			return;
		}
		if (d->in.header.type == IPC_EVENTS)
			handle_events(d, (const struct ipc_events *)d->in.room);
		else
			handle_answer(d, &d->in.header);
	}
}

static void connection_write(evutil_socket_t fd, short what, void *arg)
{
	struct dataplane *d = arg;
	struct outgoing *o;

	while ((o = STAILQ_FIRST(&d->queue)) != NULL) {
		ssize_t n = send(fd, &o->header, o->header.length, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			event_add(d->write_event, NULL);
			return;
		}
		d->sent_ms = now_ms();
		STAILQ_REMOVE_HEAD(&d->queue, link);
		outgoing_free(o);
	}
	transaction_step(d);
}

static void connection_tick(evutil_socket_t fd, short what, void *arg)
{
	struct dataplane *d = arg;
	struct pending *first = TAILQ_FIRST(&d->pending);
	uint64_t now = now_ms();

	/* They have one time-out each, so the oldest is the first to be late. */
	if (first != NULL && now >= first->deadline_ms)
		connection_lost(d, "the dataplane does not answer");
	else if ((!STAILQ_EMPTY(&d->queue) || d->state == TRANSACTION_ITEMS) &&
		 now >= d->sent_ms + timeout_ms(d))
		connection_lost(d, "the dataplane does not read");
}

int dataplane_adopt(struct dataplane *d, int fd)
{
	struct timeval tick = timeval_ms(TICK_MS);
	union {
		struct ipc_header header;
		struct ipc_hello hello;
	} m = {.hello = {.pid = (uint32_t)getpid(), .start_time = (uint64_t)time(NULL)}};

	connection_close(d);
	evutil_make_socket_nonblocking(fd);
	d->fd = fd;
	if (event_assign(d->read_event, d->params.base, fd, EV_READ | EV_PERSIST, connection_read,
		    d) < 0 ||
		event_assign(d->write_event, d->params.base, fd, EV_WRITE, connection_write, d) <
			0 ||
		event_add(d->read_event, NULL) < 0 || event_add(d->tick, &tick) < 0) {
		connection_lost(d, "no event for the connection");
		return -ENOMEM;
	}
	ipc_header_init(&m.header, IPC_HELLO, sizeof(m.hello), 0);
	ipc_string_set(m.hello.version, sizeof(m.hello.version), POSTGATE_VERSION);
	return ask(d, &m.header, hello_answer, d);
}

static void try_connect(evutil_socket_t unused, short what, void *arg)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct dataplane *d = arg;
	char why[160];
	int fd;

	memcpy(addr.sun_path, d->path, sizeof(addr.sun_path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
		dataplane_adopt(d, fd);
		return;
	}
	snprintf(why, sizeof(why), "%s: %s", d->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	connection_lost(d, why);
}

int dataplane_create(const struct dataplane_params *params, struct dataplane **out)
{
	struct dataplane *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	d->params = *params;
	d->fd = -1;
	STAILQ_INIT(&d->queue);
	TAILQ_INIT(&d->pending);
	d->read_event = event_new(params->base, -1, 0, connection_read, d);
	d->write_event = event_new(params->base, -1, 0, connection_write, d);
	d->tick = event_new(params->base, -1, EV_PERSIST, connection_tick, d);
	d->reconnect = evtimer_new(params->base, try_connect, d);
	if (d->read_event == NULL || d->write_event == NULL || d->tick == NULL ||
		d->reconnect == NULL) {
		dataplane_destroy(d);
		return -ENOMEM;
	}
	if (params->path != NULL) {
		struct timeval at_once = {0};

		if (strlen(params->path) >= sizeof(d->path)) {
			dataplane_destroy(d);
			return -ENAMETOOLONG;
		}
		strcpy(d->path, params->path);
		evtimer_add(d->reconnect, &at_once);
	}
	*out = d;
	return 0;
}

void dataplane_destroy(struct dataplane *d)
{
	if (d == NULL)
		return;
	connection_close(d);
	fail_pending(d, -ECANCELED, "postgated stops");
	if (d->read_event != NULL)
		event_free(d->read_event);
	if (d->write_event != NULL)
		event_free(d->write_event);
	if (d->tick != NULL)
		event_free(d->tick);
	if (d->reconnect != NULL)
		event_free(d->reconnect);
	free(d);
}

bool dataplane_is_up(const struct dataplane *d)
{
	return d->up;
}

const struct ipc_hello_reply *dataplane_hello(const struct dataplane *d)
{
	return d->up ? &d->hello : NULL;
}
