/* SPDX-License-Identifier: BSD-3-Clause */
/* Half-open connections of passive opens: SYN-RECEIVED, RFC 9293 3.10.7.2 on. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_SYN_H
#define POSTGATE_DATAPLANE_TCP_SYN_H

#include "dataplane/tcp/table.h"
#include "dataplane/tcp/wheel.h"

/* So long after a cookie nothing that may belong to it is answered with RST. */
#define TCP_COOKIE_GRACE_NS (10000 * TCP_NS_PER_MS)

struct tcp_stack;
struct tcp_segment;
struct tcp_listener;

struct tcp_syn {
	struct tcp_node node;
	struct wheel_timer timer;
	struct tcp_listener *listener;
	uint64_t sent_ns; /* of the first SYN-ACK */
	uint32_t irs, iss;
	uint32_t ts_recent, ts_offset;
	uint16_t peer_mss;
	uint16_t window;     /* the peer's, unscaled */
	uint8_t peer_wscale; /* 0xff: not offered */
	uint8_t retries;
	bool timestamps : 1;
	bool sack : 1;
	bool ecn : 1;
	bool cookie : 1; /* lives on the C stack only */
};

/* A SYN for a listener; with `min_iss` not 0 our ISN is beyond it (TIME-WAIT, RFC 9293 3.6.1). */
void tcp_syn_open(struct tcp_stack *s, struct tcp_listener *l, const struct tcp_segment *g,
	uint32_t min_iss, uint64_t now);
/* An ACK to a listener that has sent cookies. False: not one of ours. */
bool tcp_syn_cookie_ack(
	struct tcp_stack *s, struct tcp_listener *l, struct tcp_segment *g, uint64_t now);
void tcp_syn_segment(struct tcp_stack *s, struct tcp_syn *y, struct tcp_segment *g, uint64_t now);
void tcp_syn_free(struct tcp_stack *s, struct tcp_syn *y);
void tcp_syn_fire(void *arg, struct wheel_timer *t, uint64_t now);

#endif
