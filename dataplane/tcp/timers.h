/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection's three timers. In every state at least the slow one is armed. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_TIMERS_H
#define POSTGATE_DATAPLANE_TCP_TIMERS_H

#include "dataplane/tcp/stack.h"

/* Registers the kinds with the worker's wheel. 0 or -ENOSPC. */
int tcp_timers_register(struct tcp_stack *s);
/* Chooses what the retransmission timer waits for next, and arms or cancels it. */
void tcp_timer_rtx_update(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
void tcp_timer_delack_arm(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
void tcp_timer_slow_arm(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* Brings the connection back to tcp_output() at `when`. */
void tcp_timer_wait(struct tcp_stack *s, struct tcp_conn *c, uint64_t when);
/* A pool was empty: look again in a moment. */
void tcp_timer_retry(struct tcp_conn *c);
void tcp_timers_cancel(struct tcp_stack *s, struct tcp_conn *c);
/* RTO with its back-off, RFC 6298 2.4, 5.5. */
uint64_t tcp_timer_rto_ns(const struct tcp_conn *c);

#endif
