/* SPDX-License-Identifier: BSD-3-Clause */
/* Path MTU: RFC 1191, 8201, 5927 7, and 4821's answer to black holes. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_PMTU_H
#define POSTGATE_DATAPLANE_TCP_PMTU_H

#include "dataplane/tcp/stack.h"

/* Below these no ICMP message takes us: RFC 8201 4 for IPv6; for IPv4 what every real path has, so
 * that a forged message cannot make slivers. */
#define TCP_PMTU_FLOOR_V4 552
#define TCP_PMTU_FLOOR_V6 1280
/* A peer that announces less than this is served with this, RFC 9293 3.7.1 notwithstanding: smaller
 * segments are an attack on our packet rate, not a property of a path. */
#define TCP_MSS_FLOOR 216

/* From c->pmtu and the peer's MSS to c->mss. */
void tcp_pmtu_apply(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* At the start: MTU of the first hop, or what is known of the path since less than ten minutes. */
void tcp_pmtu_init(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* "Packet too big": `mtu` 0 if an old router did not say, RFC 1191 5. */
void tcp_pmtu_too_big(struct tcp_stack *s, struct tcp_conn *c, uint16_t mtu, uint64_t now);
/* Time-outs in a row on full segments before the path MTU is doubted, RFC 4821 7.7. */
#define TCP_BLACK_HOLE_RTOS 2
/* The first segment keeps timing out. */
void tcp_pmtu_black_hole(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* Ten minutes after it was lowered it may have grown, RFC 1191 6.3. */
void tcp_pmtu_age(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);

#endif
