/* SPDX-License-Identifier: BSD-3-Clause */
/* The receive side of a connection: queue in order, runs out of order, window. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_RECV_H
#define POSTGATE_DATAPLANE_TCP_RECV_H

#include "dataplane/tcp/segment.h"

/* Runs out of order that one connection may have: each costs a walk of the list and a hole. */
#define TCP_OOO_RUNS_MAX 64
/* Payloads up to this are copied behind the last mbuf if they fit, so that a peer that sends tiny
 * segments cannot pin an mbuf with each. */
#define TCP_COALESCE_MAX 1024
/* What a connection may hold when the worker's budget is used up, and the window that it offers
 * while more than half of the budget is. */
#define TCP_RECV_LEAST    4096u
#define TCP_RECV_PRESSURE 16384u

/*
 * Takes a payload that is inside the window and not before rcv_nxt (g->m is taken or left to the
 * caller, who frees it). Of bytes that came twice the first ones win: what is queued is never
 * overwritten, so that an inspected byte stays what it was (RFC 9293 3.10.7.4 leaves it open).
 * Returns whether rcv_nxt moved.
 */
bool tcp_recv_data(struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g);
/* Blocks for a SACK option, the newest first, RFC 2018 4, after a DSACK, RFC 2883 4. */
unsigned int tcp_recv_sack_blocks(
	const struct tcp_conn *c, struct tcp_sack_block *out, unsigned int max);
/* Window field for the next segment; moves rcv_adv. */
uint16_t tcp_recv_window(struct tcp_conn *c);
/* After the application took bytes: asks for a window update if it is worth one. */
void tcp_recv_window_opened(struct tcp_conn *c);
/* Dynamic right-sizing of rcv_buf, once a round trip. */
void tcp_recv_autotune(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* Drops what is out of order: it lies beyond the peer's FIN. */
void tcp_recv_drop_runs(struct tcp_stack *s, struct tcp_conn *c);
/* Recounts both queues; false if an invariant does not hold. For tests. */
bool tcp_recv_valid(const struct tcp_conn *c);
void tcp_recv_free(struct tcp_stack *s, struct tcp_conn *c);

#endif
