/* SPDX-License-Identifier: BSD-3-Clause */
/* A segment as it came in, taken apart. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_SEGMENT_H
#define POSTGATE_DATAPLANE_TCP_SEGMENT_H

#include "dataplane/tcp/options.h"
#include "dataplane/tcp/stack.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

#define TCP_HEADER_SIZE 20

struct tcp_segment {
	struct rte_mbuf *m; /* the payload; NULL once somebody else owns it */
	struct tcp_key key;
	uint32_t hash;
	uint32_t seq, ack;
	uint32_t len; /* payload */
	uint16_t wnd; /* as on the wire */
	uint8_t flags;
	uint8_t ecn; /* of the IP header */
	struct tcp_options opt;
};

static inline uint32_t tcp_segment_end(const struct tcp_segment *g)
{
	return g->seq + g->len + (g->flags & TCP_FIN ? 1u : 0u) + (g->flags & TCP_SYN ? 1u : 0u);
}

/* Takes `m` apart; the TCP header is stripped from it. False, counted: nothing can be done with it
 * (m is still the caller's). */
bool tcp_segment_parse(struct tcp_stack *s, struct rte_mbuf *m, struct tcp_segment *g);
/* Cuts bytes off the payload, `seq` and `len` kept right. */
void tcp_segment_trim_front(struct tcp_segment *g, uint32_t n);
void tcp_segment_trim_tail(struct tcp_segment *g, uint32_t n);

/* input.c: the segment of a known connection. */
void tcp_conn_segment(struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g, uint64_t now);
/* synsent.c: SYN-SENT and SYN-RECEIVED by simultaneous open. */
void tcp_syn_sent_segment(
	struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g, uint64_t now);
/* ack.c: acknowledgement and window of an acceptable segment. False: the segment is to be dropped.
 */
bool tcp_ack_segment(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_segment *g, uint64_t now);

/* listen.c */
struct tcp_listener *tcp_listener_find(struct tcp_stack *s, const struct tcp_key *key);
void tcp_listen_segment(struct tcp_stack *s, struct tcp_listener *l, struct tcp_segment *g,
	uint32_t min_iss, uint64_t now);

#endif
