/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP (RFC 9293) of one worker. Sans-I/O: segments, ICMP errors and the time go in; segments go out
 * through `struct tcp_lower`, events through `struct tcp_ops`.
 *
 * A stack belongs to one worker; no call may come from another thread. Times are nanoseconds of one
 * monotonic clock; the `now` of a call is never before the `now` of an earlier one.
 *
 * Events are never delivered from inside a call that the application made: a segment or a timer
 * marks the connection ready, and tcp_dispatch() delivers, once a loop, so that one burst of
 * segments makes one event and one write. Inside an event the application may call anything here,
 * tcp_close() and tcp_abort() of that connection included.
 */
#ifndef POSTGATE_DATAPLANE_TCP_TCP_H
#define POSTGATE_DATAPLANE_TCP_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "dataplane/net/addr.h"

struct rte_mbuf;
struct rte_mempool;
struct net_icmp_error;
struct wheel;
struct tcp_stack;
struct tcp_listener;
struct tcp_conn;

/* Why a connection ended; reported by tcp_ops.closed and as a counter. */
enum tcp_reason {
	TCP_REASON_NONE,         /* both directions closed in order */
	TCP_REASON_RESET,        /* RST received */
	TCP_REASON_REFUSED,      /* RST in SYN-SENT */
	TCP_REASON_TIMEOUT,      /* retransmission limit or user time-out, RFC 9293 3.8.3 */
	TCP_REASON_KEEPALIVE,    /* keepalive probes unanswered */
	TCP_REASON_UNREACHABLE,  /* no route, or a hard ICMP error in SYN-SENT, RFC 5461 */
	TCP_REASON_NO_RESOURCES, /* a pool ran dry */
	TCP_REASON_ABORTED,      /* by ourselves */
};
const char *tcp_reason_name(enum tcp_reason reason);

/*
 * What an application gets told. `user` is what tcp_set_user() or tcp_connect() set. After
 * tcp_close() or tcp_abort() of a connection none of these is called for it any more.
 */
struct tcp_ops {
	/* A connection of a listener reached ESTABLISHED. Returns 0, with tcp_set_user() called, or
	 * non-zero to have it reset. */
	int (*accepted)(struct tcp_conn *c, void *listener_arg, uint64_t now);
	/* An active connection reached ESTABLISHED. */
	void (*connected)(struct tcp_conn *c, void *user, uint64_t now);
	/* Bytes in order, or the peer's FIN, came in since the last event (see tcp_read()). */
	void (*readable)(struct tcp_conn *c, void *user, uint64_t now);
	/* tcp_send_space() grew to at least the low-water mark after tcp_send() came up short or
	 * tcp_want_writable() was called. */
	void (*writable)(struct tcp_conn *c, void *user, uint64_t now);
	/* Last event, only for a connection that the application did not close itself: reset, timed
	 * out, refused. The handle is invalid after it returns; unread bytes can still be read
	 * inside. */
	void (*closed)(struct tcp_conn *c, void *user, enum tcp_reason reason, uint64_t now);
};

struct tcp_lower {
	void *arg;
	/* One segment, `m` starting at the TCP header, checksum not filled in (the IP layer does
	 * it), headroom for the lower headers. Owns m. tos: traffic class with ECN bits.
	 * 0 or -errno; an error is treated as loss, but -EHOSTUNREACH fails a connect. */
	int (*output)(void *arg, struct rte_mbuf *m, const struct ip_addr *src,
		const struct ip_addr *dst, uint8_t tos, uint64_t now);
	/* MTU of the first hop to dst, 0 without a route. */
	uint16_t (*mtu)(void *arg, const struct ip_addr *dst);
	/* Largest TSO payload, 0 without TSO. */
	uint32_t (*tso_max)(void *arg, const struct ip_addr *dst);
	/* Which worker the device would give a segment with this 4-tuple (source, destination as
	 * they arrive), or -1 if it cannot be told. NULL: it never can. */
	int (*rx_worker)(void *arg, const struct ip_addr *src, uint16_t sport,
		const struct ip_addr *dst, uint16_t dport);
	/* The peer acknowledged new data, so the neighbour that leads to it is alive, RFC 4861
	 * 7.3.1. About once a second for each connection at most. May be NULL. */
	void (*confirm)(
		void *arg, const struct ip_addr *src, const struct ip_addr *dst, uint64_t now);
};

enum tcp_cc {
	TCP_CC_CUBIC,
	TCP_CC_NEWRENO,
};

/* Sizes are taken once, at start. Times in ms unless the name says otherwise. */
struct tcp_config {
	uint32_t max_conns;       /* connections in all states but SYN-RECEIVED and TIME-WAIT */
	uint32_t max_syn_backlog; /* half-open connections; above it SYN cookies */
	uint32_t max_time_wait;
	uint32_t send_buffer;   /* bytes per connection, at most */
	uint32_t recv_buffer;   /* bytes per connection, at most; starts smaller, auto-tuned */
	uint64_t recv_budget;   /* bytes of receive buffers of all connections together */
	uint32_t reserve_mbufs; /* below this many free in tx_pool new connections are refused */
	uint16_t port_first, port_last; /* source ports of active connections */
	uint16_t worker, worker_count; /* this worker's index; a port's owner is tcp_port_owner() */
	uint32_t time_wait_ms;         /* 2 MSL; default 60000 */
	uint32_t min_rto_ms;        /* default 200, as common stacks; RFC 6298 says 1000 SHOULD */
	uint32_t delayed_ack_ms;    /* default 40 */
	uint8_t syn_retries;        /* default 6 (active) */
	uint8_t synack_retries;     /* default 5 (passive) */
	uint32_t user_timeout_ms;   /* default 300000 of no progress */
	uint32_t keepalive_idle_ms; /* 0: off */
	uint32_t keepalive_interval_ms;
	uint8_t keepalive_probes;
	enum tcp_cc cc;
	bool ecn;
	bool timestamps, sack, window_scale; /* all default true */
	uint8_t secret[32]; /* ISN, cookies, table hash, ports; from getrandom() by the caller */
};
void tcp_config_defaults(struct tcp_config *config);

struct tcp_params {
	struct tcp_config config;
	struct tcp_lower lower;
	struct wheel *wheel;          /* the worker's; the stack registers its timer kinds */
	struct rte_mempool *tx_pool;  /* data segments */
	struct rte_mempool *ctl_pool; /* pure ACK, SYN, FIN, RST: never starved by data */
	int socket_id;                /* NUMA node, -1 any */
};

/* 0 or -errno (ENOMEM, EINVAL). All memory is taken here. */
int tcp_create(const struct tcp_params *params, struct tcp_stack **out);
/* Frees everything, sends nothing. */
void tcp_destroy(struct tcp_stack *s);

/* A burst of segments as the IP layer delivers them (struct net_meta filled in). Owns them all. */
void tcp_input(struct tcp_stack *s, struct rte_mbuf **segs, uint16_t count, uint64_t now);
void tcp_icmp_error(struct tcp_stack *s, const struct net_icmp_error *e, uint64_t now);
/* Delivers the events that input and timers made ready, at most `budget` connections. Returns how
 * many are still waiting. Timers fire from wheel_advance() of the worker's wheel. */
uint32_t tcp_dispatch(struct tcp_stack *s, uint32_t budget, uint64_t now);
/* Sends what became sendable and the ACKs that are due; once a loop, after tcp_dispatch(). */
void tcp_output(struct tcp_stack *s, uint64_t now);

/*
 * Which worker owns a packet that is in nobody's hands here: for segments to a port of the active
 * range the worker that the port was given by, else -1 (whoever got it).
 */
int tcp_port_owner(const struct tcp_stack *s, uint16_t local_port);

/* Listening: `addr` unspecified means any of our own. -EADDRINUSE. Limits of one listener. */
struct tcp_listen_params {
	struct ip_addr addr;
	uint16_t port; /* host byte order, like every port here */
	const struct tcp_ops *ops;
	void *arg;
	uint32_t keepalive_idle_ms; /* 0: the stack's */
	uint32_t user_timeout_ms;   /* 0: the stack's */
	uint32_t max_conns;         /* 0: no limit but the stack's */
};
int tcp_listen(
	struct tcp_stack *s, const struct tcp_listen_params *params, struct tcp_listener **out);
/* Takes no new connection; those accepted live on. */
void tcp_unlisten(struct tcp_stack *s, struct tcp_listener *l);

struct tcp_connect_params {
	struct ip_addr local, remote;
	uint16_t remote_port;
	const struct tcp_ops *ops;
	void *user;
	uint32_t timeout_ms; /* of the handshake; 0: by syn_retries */
};
/* 0, or -EADDRNOTAVAIL (no free source port), -ENOBUFS (no connection), -EHOSTUNREACH. */
int tcp_connect(struct tcp_stack *s, const struct tcp_connect_params *params, uint64_t now,
	struct tcp_conn **out);

void tcp_set_user(struct tcp_conn *c, void *user);
void *tcp_user(const struct tcp_conn *c);

/* Bytes in order that are waiting to be read. */
uint32_t tcp_readable(const struct tcp_conn *c);
/* The peer's FIN is in and everything before it has been read. */
bool tcp_at_eof(const struct tcp_conn *c);
/* Copies out at most `len` bytes and takes them; 0: nothing there now (see tcp_at_eof()). */
size_t tcp_read(struct tcp_stack *s, struct tcp_conn *c, void *buf, size_t len);
/* Points at the waiting bytes from `offset` on without taking them; returns the number of pieces.
 */
int tcp_peek(const struct tcp_conn *c, size_t offset, struct iovec *iov, int iov_max);
void tcp_consume(struct tcp_stack *s, struct tcp_conn *c, size_t len);

/* Bytes that tcp_send() would take now. */
uint32_t tcp_send_space(const struct tcp_conn *c);
/* Bytes taken that the peer has not acknowledged, sent or not. */
uint32_t tcp_unacked(const struct tcp_conn *c);
/*
 * Copies at most `len` bytes into the send queue; returns how many, or -EPIPE (closed for sending),
 * -ENOBUFS (no mbuf; treat like 0: `writable` comes). Nothing is held back for coalescing: what is
 * queued is sent by the tcp_output() of this loop as windows allow, PSH on the last; `more` says
 * that the application goes on writing within this loop or the next, so a short last segment may
 * wait.
 */
int64_t tcp_send(struct tcp_stack *s, struct tcp_conn *c, const void *buf, size_t len, bool more);
void tcp_want_writable(struct tcp_conn *c, uint32_t low_water);

/* FIN after what is queued; reading goes on. */
void tcp_shutdown(struct tcp_stack *s, struct tcp_conn *c);
/* Orderly close: FIN after what is queued, no more events, the handle is gone. Unread bytes make it
 * an abort (RFC 2525 2.17), so that the peer does not take them for delivered. */
void tcp_close(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
/* RST now; no more events, the handle is gone. */
void tcp_abort(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);

struct tcp_info {
	struct ip_addr local, remote;
	uint16_t local_port, remote_port;
	const char *state; /* RFC 9293 name: "ESTABLISHED" */
	uint32_t rtt_us, rttvar_us, rto_ms, min_rtt_us;
	uint32_t mss, snd_cwnd_bytes, ssthresh_bytes, in_flight_bytes;
	uint32_t snd_wnd, rcv_wnd;
	uint8_t snd_wscale, rcv_wscale;
	bool timestamps, sack, ecn;
	uint64_t bytes_sent, bytes_acked, bytes_received;
	uint32_t retransmits, sacked_segments, lost_segments;
	uint64_t pacing_bytes_per_second; /* 0: not paced */
	uint64_t last_receive_ns;
};
void tcp_get_info(const struct tcp_stack *s, const struct tcp_conn *c, struct tcp_info *info);
/* Every connection, from the worker's own thread, resumable: starts at *cursor 0, at most `max`
 * calls; false when through. */
bool tcp_foreach(const struct tcp_stack *s, uint32_t *cursor, uint32_t max,
	void (*fn)(void *arg, const struct tcp_conn *c), void *arg);

/* Gauges: worker rw, others read them relaxed. */
struct tcp_usage {
	uint32_t conns, half_open, time_wait, max_conns;
	uint32_t ports, timers;
	uint32_t rx_mbufs, tx_mbufs; /* held in receive and send queues */
	uint64_t recv_bytes;
};
void tcp_get_usage(const struct tcp_stack *s, struct tcp_usage *usage);

/* Counters: worker rw, others read them relaxed. Names are the operator's ("tcp_drop_bad_seq"). */
size_t tcp_counter_count(void);
const char *tcp_counter_name(size_t i);
uint64_t tcp_counter_value(const struct tcp_stack *s, size_t i);

#endif
