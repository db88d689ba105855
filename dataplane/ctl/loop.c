// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ctl/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <urcu-qsbr.h>

#define EVENTS 32

struct loop {
	int fd;
	struct loop_timer *timers; /* a handful: a list is the right queue */
	struct epoll_event events[EVENTS];
	int current, count; /* of `events`, while they are being handled */
};

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

int loop_create(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return -ENOMEM;
	l->fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->fd < 0) {
		int rc = -errno;

		free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void loop_destroy(struct loop *l)
{
	if (l == NULL)
		return;
	close(l->fd);
	free(l);
}

int loop_watch(struct loop *l, struct loop_watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	return epoll_ctl(l->fd, EPOLL_CTL_ADD, w->fd, &e) < 0 ? -errno : 0;
}

int loop_rewatch(struct loop *l, struct loop_watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	return epoll_ctl(l->fd, EPOLL_CTL_MOD, w->fd, &e) < 0 ? -errno : 0;
}

void loop_unwatch(struct loop *l, struct loop_watch *w)
{
	epoll_ctl(l->fd, EPOLL_CTL_DEL, w->fd, NULL);
	/* Its memory may be gone when its turn comes. */
	for (int i = l->current; i < l->count; i++) {
		if (l->events[i].data.ptr == w)
			l->events[i].data.ptr = NULL;
	}
}

void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_us)
{
	t->at_ns = loop_now_ns() + delay_us * 1000;
	if (!t->known) {
		t->known = true;
		t->next = l->timers;
		l->timers = t;
	}
}

void loop_timer_stop(struct loop_timer *t)
{
	t->at_ns = 0;
}

void loop_timer_forget(struct loop *l, struct loop_timer *t)
{
	struct loop_timer **p = &l->timers;

	if (!t->known)
		return;
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	t->known = false;
	t->at_ns = 0;
}

static int timeout_ms(const struct loop *l, int max_ms)
{
	uint64_t now = loop_now_ns(), first = UINT64_MAX, ms;

	for (const struct loop_timer *t = l->timers; t != NULL; t = t->next) {
		if (t->at_ns != 0 && t->at_ns < first)
			first = t->at_ns;
	}
	if (first == UINT64_MAX)
		return max_ms;
	if (first <= now)
		return 0;
	ms = (first - now + 999999) / 1000000; /* up: a turn too early would only spin */
	if (max_ms >= 0 && ms > (uint64_t)max_ms)
		return max_ms;
	return ms > 1000000 ? 1000000 : (int)ms;
}

static void fire_timers(struct loop *l)
{
	uint64_t now = loop_now_ns();
	struct loop_timer *next;

	for (struct loop_timer *t = l->timers; t != NULL; t = next) {
		next = t->next; /* a timer may forget itself, no other */
		if (t->at_ns == 0 || t->at_ns > now)
			continue;
		t->at_ns = 0;
		t->fire(t->arg);
	}
}

int loop_turn(struct loop *l, int max_ms)
{
	int ms = timeout_ms(l, max_ms), error;

	rcu_thread_offline();
	l->count = epoll_wait(l->fd, l->events, EVENTS, ms);
	error = errno;
	rcu_thread_online();
	if (l->count < 0) {
		l->count = 0;
		return error == EINTR ? 0 : -error;
	}
	for (l->current = 0; l->current < l->count; l->current++) {
		struct loop_watch *w = l->events[l->current].data.ptr;

		if (w != NULL)
			w->ready(w->arg, l->events[l->current].events);
	}
	l->count = 0;
	fire_timers(l);
	return 0;
}
