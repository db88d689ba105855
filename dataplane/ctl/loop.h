/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control thread's event loop: epoll and a few timers. The thread is registered with QSBR and
 * offline while it waits, so that its own grace periods never wait for it.
 */
#ifndef POSTGATE_DATAPLANE_CTL_LOOP_H
#define POSTGATE_DATAPLANE_CTL_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* What is watched; lives in its owner, which keeps it until loop_unwatch(). */
struct loop_watch {
	int fd;
	void (*ready)(void *arg, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
	void *arg;
};

struct loop_timer {
	uint64_t at_ns; /* of CLOCK_MONOTONIC; 0: not running */
	void (*fire)(void *arg);
	void *arg;
	struct loop_timer *next;
	bool known; /* in the loop's list */
};

/* 0 or -errno. */
int loop_create(struct loop **out);
void loop_destroy(struct loop *l);

int loop_watch(struct loop *l, struct loop_watch *w, uint32_t events);
int loop_rewatch(struct loop *l, struct loop_watch *w, uint32_t events);
void loop_unwatch(struct loop *l, struct loop_watch *w);

/* Runs once, after at least `delay_us` (0: in the next turn). A running one is set anew. */
void loop_timer_start(struct loop *l, struct loop_timer *t, uint64_t delay_us);
void loop_timer_stop(struct loop_timer *t);
/* Out of the loop's list: before its memory goes. */
void loop_timer_forget(struct loop *l, struct loop_timer *t);

/* Waits at most `max_ms` (-1: for ever) and handles what is ready. 0 or -errno. */
int loop_turn(struct loop *l, int max_ms);

uint64_t loop_now_ns(void);

#endif
