/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hierarchical timing wheel (Varghese and Lauck, 1987, scheme 7): O(1) arm and cancel, a bound on
 * the work of one advance, no allocation. One wheel belongs to one worker. Times are nanoseconds; a
 * timer never fires early, and late by at most one tick and what the budget put off.
 */
#ifndef POSTGATE_DATAPLANE_TCP_WHEEL_H
#define POSTGATE_DATAPLANE_TCP_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

struct wheel;

/* Embedded in its owner; zeroed memory is a timer that is not armed. */
struct wheel_timer {
	struct wheel_timer *next;
	struct wheel_timer **prev; /* NULL: not armed */
	uint32_t tick;             /* when, in ticks, modulo 2^32 */
	uint8_t kind;              /* index of its function, wheel_register() */
};

/* Called from wheel_advance(), the timer already disarmed (it may be armed again inside). */
typedef void wheel_fire(void *arg, struct wheel_timer *t, uint64_t now);

#define WHEEL_TICK_SHIFT 18 /* 2^18 ns = 262 us a tick */

int wheel_create(uint64_t now, int socket_id, struct wheel **out);
void wheel_destroy(struct wheel *w);
/* A kind of timer: its function and that function's arg. Returns the kind, or -ENOSPC after 16. */
int wheel_register(struct wheel *w, wheel_fire *fire, void *arg);
/* Arms, or moves if armed. A time in the past fires at the next advance. */
void wheel_arm(struct wheel *w, struct wheel_timer *t, uint8_t kind, uint64_t when);
void wheel_cancel(struct wheel *w, struct wheel_timer *t);
static inline bool wheel_armed(const struct wheel_timer *t)
{
	return t->prev != 0;
}
/* Fires what is due, at most `budget` timers; returns how many fired. What is left is due still. */
uint32_t wheel_advance(struct wheel *w, uint64_t now, uint32_t budget);
/* Number of armed timers. */
uint32_t wheel_count(const struct wheel *w);
/* Earliest time at which something can be due (not exact beyond the first level), UINT64_MAX if
 * nothing is armed: for virtual clocks and for idle sleeping. */
uint64_t wheel_next(const struct wheel *w);

#endif
