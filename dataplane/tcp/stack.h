/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker's TCP holds beside its connections. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_STACK_H
#define POSTGATE_DATAPLANE_TCP_STACK_H

#include <rte_mbuf.h>

#include "dataplane/net/net.h"
#include "dataplane/tcp/conn.h"
#include "dataplane/tcp/counters.h"
#include "dataplane/tcp/options.h"
#include "dataplane/tcp/pool.h"
#include "dataplane/tcp/port.h"
#include "dataplane/tcp/syn.h"
#include "dataplane/tcp/timewait.h"

#define TCP_LISTENERS_MAX 64
#define TCP_BURST         16

struct tcp_listener {
	struct ip_addr addr;
	uint16_t port;
	bool used;
	bool open;          /* false after tcp_unlisten() while connections still point here */
	bool cookies;       /* answers SYNs with cookies now */
	uint32_t max_conns; /* 0: none of its own */
	uint32_t conns;
	uint32_t half_open;
	uint32_t keepalive_idle_ms;
	uint32_t user_timeout_ms;
	uint64_t
		cookie_ns; /* when the last cookie was sent: their ACKs are looked at for a while */
	const struct tcp_ops *ops;
	void *arg;
};

/* Path MTUs that were found smaller than the first hop's, so that the next connection there need
 * not find out again. Direct-mapped: a collision only costs the knowledge. */
#define TCP_PMTU_CACHE 256
struct tcp_pmtu_entry {
	struct ip_addr remote;
	uint32_t seconds; /* when, 0: empty */
	uint16_t mtu;
};

struct tcp_stack {
	uint64_t now; /* of the latest call that brought one */
	struct tcp_config config;
	struct tcp_lower lower;
	struct wheel *wheel;
	struct rte_mempool *tx_pool, *ctl_pool;
	uint32_t tx_pool_size;
	uint32_t tx_room;    /* payload bytes that a segment's mbuf has room for */
	uint32_t sendq_room; /* data bytes of one mbuf of a send queue */
	uint8_t own_wscale;

	struct tcp_table *table;
	struct tcp_ports *ports;
	struct tcp_pool conns, syns, time_waits, records;
	struct tcp_list ready, output;
	struct tcp_conn *dispatching; /* NULL as soon as the callback's connection is freed */

	uint8_t key_isn[16], key_cookie[16], key_ts[16], key_table[16], key_ports[16];
	uint64_t isn_epoch; /* the key of which key_isn is */

	uint8_t kind_rtx, kind_slow, kind_soon, kind_syn, kind_time_wait;

	TAILQ_HEAD(, tcp_time_wait) time_wait_list; /* oldest first */

	uint64_t recv_committed; /* sum of what each rcv_buf has grown by, within recv_budget */
	uint64_t avail_ns;       /* when tx_avail was looked at */
	uint32_t tx_avail;
	uint64_t rst_ns; /* RSTs without a connection: one second's budget */
	uint32_t rst_count;

	struct tcp_usage usage;
	uint64_t counters[TCP_COUNTER_COUNT]; // worker: rw, others: ro, relaxed

	struct tcp_pmtu_entry pmtu_cache[TCP_PMTU_CACHE];
	unsigned int listener_end; /* none is beyond it */
	struct tcp_listener listeners[TCP_LISTENERS_MAX];
};

/* Admission of one more connection, counted if refused. */
bool tcp_admit(struct tcp_stack *s, uint64_t now);
/* The slot is free again when nothing points to it. */
void tcp_listener_release(struct tcp_listener *l);
/* rcv_buf of a new connection. */
uint32_t tcp_recv_buffer_start(const struct tcp_stack *s);

/* list.c: connections on the stack's lists, by the offset of their link. */
#define TCP_LINK_READY  offsetof(struct tcp_conn, ready_link)
#define TCP_LINK_OUTPUT offsetof(struct tcp_conn, output_link)
void tcp_list_add(struct tcp_stack *s, struct tcp_list *l, struct tcp_conn *c, size_t link);
void tcp_list_remove(struct tcp_stack *s, struct tcp_list *l, struct tcp_conn *c, size_t link);
struct tcp_conn *tcp_list_first(const struct tcp_stack *s, const struct tcp_list *l);
struct tcp_conn *tcp_list_next(const struct tcp_stack *s, const struct tcp_conn *c, size_t link);

static inline uint32_t tcp_seconds(uint64_t now)
{
	return (uint32_t)(now / (1000 * TCP_NS_PER_MS));
}

static inline void tcp_count(struct tcp_stack *s, enum tcp_counter c)
{
	s->counters[c]++;
}

static inline void tcp_count_by(struct tcp_stack *s, enum tcp_counter c, uint64_t n)
{
	s->counters[c] += n;
}

#endif
