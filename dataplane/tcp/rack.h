/* SPDX-License-Identifier: BSD-3-Clause */
/* RACK-TLP, RFC 8985. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_RACK_H
#define POSTGATE_DATAPLANE_TCP_RACK_H

#include "dataplane/tcp/scoreboard.h"

#define TCP_DUP_THRESH 3

/* 6.2 steps 1 to 3 for one record that has just been acknowledged. */
void tcp_rack_delivered(struct tcp_stack *s, struct tcp_conn *c, const struct tcp_record *r,
	struct tcp_ack_sample *a);
/* Reordering was seen: by step 3, or because a retransmission turned out to have been for nothing
 * (which step 3 cannot see, as it leaves out what was sent again). */
void tcp_rack_reordering(struct tcp_stack *s, struct tcp_conn *c);
/* Step 4, once an ACK. */
void tcp_rack_update_window(struct tcp_conn *c, const struct tcp_ack_sample *a);
/* Step 5: marks what is lost; sets c->reorder_ns if it must look again. Returns bytes marked. */
uint32_t tcp_rack_detect(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* 6.3: what a time-out takes for lost. */
void tcp_rack_mark_on_rto(struct tcp_stack *s, struct tcp_conn *c, bool all, uint64_t now);
/* 7.2: when a loss probe is due, 0: none is to be sent. */
uint64_t tcp_tlp_deadline(const struct tcp_conn *c, uint64_t now);
/* 7.3: sends it. */
void tcp_tlp_probe(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* 7.4: returns whether the probe repaired a loss, which is a congestion signal. */
bool tcp_tlp_ack(struct tcp_conn *c, uint32_t ack, const struct tcp_ack_sample *a);

#endif
