/* SPDX-License-Identifier: BSD-3-Clause */
/* TIME-WAIT, RFC 9293 3.10.7.4, 1337, 6191. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_TIMEWAIT_H
#define POSTGATE_DATAPLANE_TCP_TIMEWAIT_H

#include <sys/queue.h>

#include "dataplane/tcp/table.h"
#include "dataplane/tcp/wheel.h"

struct tcp_stack;
struct tcp_conn;
struct tcp_segment;

struct tcp_time_wait {
	struct tcp_node node;
	struct wheel_timer timer;
	TAILQ_ENTRY(tcp_time_wait) link;
	uint64_t since_ns;
	uint32_t snd_nxt, rcv_nxt;
	uint32_t ts_recent, ts_offset;
	uint16_t window; /* as last sent */
	bool timestamps : 1;
	bool active : 1; /* holds a source port */
};

/* Takes the connection's place in the table. False: there is no room even by dropping the oldest.
 */
bool tcp_time_wait_enter(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* True: it gave way to a new SYN, which *min_iss is the lower bound of our ISN for. */
bool tcp_time_wait_segment(struct tcp_stack *s, struct tcp_time_wait *w, struct tcp_segment *g,
	uint32_t *min_iss, uint64_t now);
/* `keep_port`: it goes over to a new connection. */
void tcp_time_wait_free(struct tcp_stack *s, struct tcp_time_wait *w, bool keep_port, uint64_t now);
bool tcp_time_wait_reusable(void *arg, const struct tcp_node *n, uint64_t now);
void tcp_time_wait_fire(void *arg, struct wheel_timer *t, uint64_t now);

#endif
