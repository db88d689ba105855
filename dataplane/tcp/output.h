/* SPDX-License-Identifier: BSD-3-Clause */
/* What a connection sends. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_OUTPUT_H
#define POSTGATE_DATAPLANE_TCP_OUTPUT_H

#include "dataplane/tcp/scoreboard.h"

/* Everything that may go now: what is lost, what is new, or an ACK that is owed. */
void tcp_output_conn(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* A pure ACK now. */
void tcp_output_ack(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* An ACK for a segment out of order or not acceptable. */
void tcp_output_dup_ack(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* RFC 5961 7: at most a few a second. */
void tcp_output_challenge_ack(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* SYN in SYN-SENT, SYN and ACK in SYN-RECEIVED. What the lower layer said. */
int tcp_output_syn(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
void tcp_output_rst(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* An ACK one below snd_nxt that the peer has to answer, RFC 9293 3.8.4. */
void tcp_output_keepalive(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* One byte into the closed window; again if it is out already. RFC 9293 3.8.6.1. */
void tcp_output_persist(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* A record once more. False: it could not be built. */
bool tcp_output_again(struct tcp_stack *s, struct tcp_conn *c, struct tcp_record *r, uint64_t now);
/* One new segment whatever cwnd says; false if there is none or the window is full. */
bool tcp_output_probe_new(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);

#endif
