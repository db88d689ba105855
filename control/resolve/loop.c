/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/loop.h"

#include <stdlib.h>
#include <sys/time.h>
#include <unbound-event.h>

#include <event2/event.h>

struct loop {
	struct ub_event_base ub; /* first: libunbound knows us by it */
	struct event_base *base;
};

struct loop_event {
	struct ub_event ub;
	struct event *event;
	struct event_base *base;
	int fd;
	short bits; /* UB_EV_ */
	void (*callback)(int fd, short bits, void *arg);
	void *arg;
};

static short to_libevent(short bits)
{
	return (short)((bits & UB_EV_TIMEOUT ? EV_TIMEOUT : 0) | (bits & UB_EV_READ ? EV_READ : 0) |
		       (bits & UB_EV_WRITE ? EV_WRITE : 0) | (bits & UB_EV_SIGNAL ? EV_SIGNAL : 0) |
		       (bits & UB_EV_PERSIST ? EV_PERSIST : 0));
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct loop_event *e = arg;

	e->callback((int)fd,
		(short)((what & EV_TIMEOUT ? UB_EV_TIMEOUT : 0) |
			(what & EV_READ ? UB_EV_READ : 0) | (what & EV_WRITE ? UB_EV_WRITE : 0) |
			(what & EV_SIGNAL ? UB_EV_SIGNAL : 0)),
		e->arg);
}

static void assign(struct loop_event *e)
{
	event_del(e->event);
	event_assign(e->event, e->base, e->fd, to_libevent(e->bits), on_event, e);
}

static void event_add_bits(struct ub_event *ub, short bits)
{
	struct loop_event *e = (struct loop_event *)ub;

	e->bits |= bits;
	assign(e);
}

static void event_del_bits(struct ub_event *ub, short bits)
{
	struct loop_event *e = (struct loop_event *)ub;

	e->bits &= (short)~bits;
	assign(e);
}

static void event_set_fd(struct ub_event *ub, int fd)
{
	struct loop_event *e = (struct loop_event *)ub;

	e->fd = fd;
	assign(e);
}

static void event_destroy(struct ub_event *ub)
{
	struct loop_event *e = (struct loop_event *)ub;

	event_free(e->event);
	free(e);
}

static int event_start(struct ub_event *ub, struct timeval *tv)
{
	return event_add(((struct loop_event *)ub)->event, tv);
}

static int event_stop(struct ub_event *ub)
{
	return event_del(((struct loop_event *)ub)->event);
}

static int event_start_timer(struct ub_event *ub, struct ub_event_base *base,
	void (*callback)(int, short, void *), void *arg, struct timeval *tv)
{
	struct loop_event *e = (struct loop_event *)ub;

	e->callback = callback;
	e->arg = arg;
	e->fd = -1;
	e->bits = UB_EV_TIMEOUT;
	assign(e);
	return event_add(e->event, tv);
}

static int event_start_signal(struct ub_event *ub, struct timeval *tv)
{
	return -1; /* signals are the daemon's */
}

static int event_stop_signal(struct ub_event *ub)
{
	return -1;
}

static void event_unused_unregister(struct ub_event *ub)
{
}

static void event_unused_wouldblock(struct ub_event *ub, int bits)
{
}

static struct ub_event_vmt event_methods = {
	.add_bits = event_add_bits,
	.del_bits = event_del_bits,
	.set_fd = event_set_fd,
	.free = event_destroy,
	.add = event_start,
	.del = event_stop,
	.add_timer = event_start_timer,
	.del_timer = event_stop,
	.add_signal = event_start_signal,
	.del_signal = event_stop_signal,
	.winsock_unregister_wsaevent = event_unused_unregister,
	.winsock_tcp_wouldblock = event_unused_wouldblock,
};

static struct ub_event *loop_new_event(struct ub_event_base *ub, int fd, short bits,
	void (*callback)(int, short, void *), void *arg)
{
	struct loop *loop = (struct loop *)ub;
	struct loop_event *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->ub.magic = UB_EVENT_MAGIC;
	e->ub.vmt = &event_methods;
	e->base = loop->base;
	e->fd = fd;
	e->bits = bits;
	e->callback = callback;
	e->arg = arg;
	e->event = event_new(loop->base, fd, to_libevent(bits), on_event, e);
	if (e->event == NULL) {
		free(e);
		return NULL;
	}
	return &e->ub;
}

static struct ub_event *loop_new_signal(
	struct ub_event_base *ub, int fd, void (*callback)(int, short, void *), void *arg)
{
	return NULL;
}

static struct ub_event *loop_unused_wsaevent(
	struct ub_event_base *ub, void *wsaevent, void (*callback)(int, short, void *), void *arg)
{
	return NULL;
}

/* The loop is the daemon's: libunbound neither runs, ends nor frees it. */
static void loop_unused_free(struct ub_event_base *ub)
{
}

static int loop_unused_dispatch(struct ub_event_base *ub)
{
	return -1;
}

static int loop_unused_exit(struct ub_event_base *ub, struct timeval *tv)
{
	return -1;
}

static struct ub_event_base_vmt loop_methods = {
	.free = loop_unused_free,
	.dispatch = loop_unused_dispatch,
	.loopexit = loop_unused_exit,
	.new_event = loop_new_event,
	.new_signal = loop_new_signal,
	.winsock_register_wsaevent = loop_unused_wsaevent,
};

struct ub_event_base *loop_create(struct event_base *base)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return NULL;
	loop->ub.magic = UB_EVENT_MAGIC;
	loop->ub.vmt = &loop_methods;
	loop->base = base;
	return &loop->ub;
}

void loop_destroy(struct ub_event_base *loop)
{
	free(loop);
}
