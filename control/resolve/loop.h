/* SPDX-License-Identifier: BSD-3-Clause */
/* libunbound's event interface on our libevent loop, whichever libevent it was itself built with.
 */
#ifndef POSTGATE_CONTROL_RESOLVE_LOOP_H
#define POSTGATE_CONTROL_RESOLVE_LOOP_H

struct event_base;
struct ub_event_base;

/* Borrows `base`. NULL: no memory. */
struct ub_event_base *loop_create(struct event_base *base);
/* After the last event of it. */
void loop_destroy(struct ub_event_base *loop);

#endif
