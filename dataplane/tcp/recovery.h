/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loss recovery: when it begins and ends, PRR (RFC 6937), NewReno without SACK (RFC 6582), limited
 * transmit (RFC 3042), and undoing it when it was not needed (RFC 3522, 4015, 5682, 3708).
 * Internal.
 */
#ifndef POSTGATE_DATAPLANE_TCP_RECOVERY_H
#define POSTGATE_DATAPLANE_TCP_RECOVERY_H

#include "dataplane/tcp/scoreboard.h"

/* After the scoreboard took an ACK. */
void tcp_recovery_ack(struct tcp_stack *s, struct tcp_conn *c, struct tcp_ack_sample *a);
/* ECE came: once a round trip, RFC 3168 6.1.2. */
void tcp_recovery_ecn(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* RACK's timer. */
void tcp_recovery_reorder_timer(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* The RTO fired; the head is then lost and may be sent. */
void tcp_recovery_rto(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* Bookkeeping of one retransmission for the undo and for PRR. */
void tcp_recovery_sent_again(struct tcp_conn *c, uint32_t len, uint64_t now);

#endif
