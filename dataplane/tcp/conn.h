/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection, and what the files of this folder share of it. Internal.
 *
 * Ownership: everything here belongs to the worker whose stack it is; nothing is read by others.
 */
#ifndef POSTGATE_DATAPLANE_TCP_CONN_H
#define POSTGATE_DATAPLANE_TCP_CONN_H

#include <assert.h>
#include <stddef.h>
#include <sys/queue.h>

#include "dataplane/tcp/cc.h"
#include "dataplane/tcp/rtt.h"
#include "dataplane/tcp/seq.h"
#include "dataplane/tcp/table.h"
#include "dataplane/tcp/tcp.h"
#include "dataplane/tcp/wheel.h"

/* RFC 9293 3.3.2. LISTEN is a struct tcp_listener; SYN-RECEIVED of a passive open is a struct
 * tcp_syn, TIME-WAIT a struct tcp_time_wait: both are much smaller than a connection. */
enum tcp_state {
	TCP_CLOSED,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED, /* only by simultaneous open */
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT, /* handed to a struct tcp_time_wait; the last event still to be delivered */
	TCP_STATES,
};

enum {
	TCP_F_TIMESTAMPS = 1u << 0,
	TCP_F_SACK = 1u << 1,
	TCP_F_ECN = 1u << 2,
	TCP_F_ACTIVE = 1u << 3,     /* we opened it: the port goes back to the port table */
	TCP_F_ACK_NOW = 1u << 4,    /* at the next tcp_output() */
	TCP_F_ACK_DELAY = 1u << 5,  /* when the delayed-ACK timer fires, or with data before */
	TCP_F_FIN_QUEUED = 1u << 6, /* the application sends no more */
	TCP_F_FIN_SENT = 1u << 7,
	TCP_F_FIN_RECEIVED = 1u << 8,
	TCP_F_ORPHAN = 1u << 9, /* tcp_close() was called: no events, no handle outside */
	TCP_F_ON_READY = 1u << 10,
	TCP_F_ON_OUTPUT = 1u << 11,
	TCP_F_MORE = 1u << 12, /* a short last segment may wait one loop */
	TCP_F_MORE_WAITED = 1u << 13,
	TCP_F_ECN_ECHO = 1u << 14, /* ECE on what we send until CWR comes, RFC 3168 6.1.3 */
	TCP_F_ECN_CWR = 1u << 15,  /* CWR on the next new data, RFC 3168 6.1.2 */
	TCP_F_WANT_WRITE = 1u << 16,
	TCP_F_SEND_SHORT = 1u << 17, /* the SWS override timer fired: send what there is */
	TCP_F_IN_TABLE = 1u << 18,
	TCP_F_ACCEPTED = 1u << 19,   /* the application has the handle */
	TCP_F_REORDERING = 1u << 20, /* RFC 8985 6.2: RACK.reordering_seen */
	TCP_F_TLP_RETRANS = 1u << 21,
	TCP_F_TLP_OPEN = 1u << 22, /* a loss probe is out, RFC 8985 7 */
	TCP_F_FRTO = 1u << 23,     /* RFC 5682: the time-out may have been spurious */
	TCP_F_FRTO_NEW = 1u << 24, /* new data was sent in step 2b */
	TCP_F_PEER_WSCALE = 1u << 25,
	TCP_F_CWND_LIMITED = 1u << 26,   /* the window was used up since the last ACK, RFC 7661 */
	TCP_F_PROBE_OUT = 1u << 27,      /* the persist probe's byte is the one record in flight */
	TCP_F_LISTENER_LIMIT = 1u << 28, /* counts in its listener's connections */
	TCP_F_WAITING = 1u << 29, /* for the pace or for an mbuf: the soon timer is armed for it */
	TCP_F_DSACK_PENDING = 1u << 30,
	TCP_F_FIN_SEEN = 1u << 31, /* fin_seq is known, perhaps with data before it missing */
};

enum {
	TCP_EV_ACCEPTED = 1u << 0,
	TCP_EV_CONNECTED = 1u << 1,
	TCP_EV_READABLE = 1u << 2,
	TCP_EV_WRITABLE = 1u << 3,
	TCP_EV_CLOSED = 1u << 4,
};

/* What the one retransmission timer is armed for. */
enum tcp_rtx_mode {
	TCP_RTX_NONE,
	TCP_RTX_RTO,     /* RFC 6298 */
	TCP_RTX_TLP,     /* RFC 8985 7 */
	TCP_RTX_REORDER, /* RFC 8985 6.2 step 5 */
	TCP_RTX_PERSIST, /* RFC 9293 3.8.6.1, and the SWS override of 3.8.6.2.1 */
};

/* Sender's congestion state. */
enum tcp_ca_state {
	TCP_CA_OPEN,
	TCP_CA_CWR,      /* after ECN, RFC 3168 6.1.2 */
	TCP_CA_RECOVERY, /* fast recovery, RFC 6675 / 6582, PRR drives cwnd */
	TCP_CA_LOSS,     /* after a time-out */
};

/* Segment sent and not yet acknowledged: one cache line, from the stack's pool. */
struct tcp_record {
	struct tcp_record *next;           /* by sequence number */
	TAILQ_ENTRY(tcp_record) sent_link; /* by time of the last transmission */
	struct rte_mbuf *m; /* where its data starts, inside the connection's send queue */
	uint64_t sent_ns;
	uint32_t seq;
	uint16_t off; /* in m */
	uint16_t len; /* data bytes */
	uint8_t flags;
	uint8_t transmits; /* saturates */
};
static_assert(sizeof(struct tcp_record) <= 64, "a send record is one cache line");

/*
 * A record is in flight, LOST (marked, to be sent again) or SACKED; those in flight are on the list
 * by time. Sent again it is in flight again, so pipe = flight - sacked_out - lost_out.
 */
enum {
	TCP_R_FIN = 1u << 0, /* takes one sequence number after the data */
	TCP_R_SACKED = 1u << 1,
	TCP_R_LOST = 1u << 2,
	TCP_R_RETRANS = 1u << 3, /* was sent again: no RTT from it, Karn, RFC 6298 3 */
};

static inline uint32_t tcp_record_size(const struct tcp_record *r)
{
	return r->len + (r->flags & TCP_R_FIN ? 1u : 0u);
}

static inline uint32_t tcp_record_end(const struct tcp_record *r)
{
	return r->seq + tcp_record_size(r);
}

/* On a list of the stack; indices into its pool, from 1 on, because pointers are too large. */
struct tcp_link {
	uint32_t next, prev;
};

struct tcp_list {
	uint32_t first, last, count;
};

struct tcp_conn {
	/* Hot: what every segment in and out touches. Two cache lines. */
	struct tcp_node node; /* 40 bytes; node.aux[0]: CONFIRM_SHIFT */
	uint32_t flags;       /* TCP_F_* */
	uint32_t snd_una;     /* RFC 9293 3.3.1, names as there */
	uint32_t snd_nxt;
	uint32_t snd_wnd; /* scaled, bytes */
	uint32_t rcv_nxt;
	uint32_t rcv_adv; /* right edge of the window as advertised; never goes back */

	uint32_t snd_wl1;
	uint32_t snd_wl2;
	uint32_t snd_end;       /* after the last byte that the application gave us */
	uint32_t ts_recent;     /* RFC 7323 4.3 */
	uint32_t last_ack_sent; /* RFC 7323 4.3: Last.ACK.sent */
	uint32_t sacked_out;    /* bytes at the peer beyond a hole; without SACK: dup ACKs * mss */
	uint32_t lost_out;      /* bytes marked lost and not yet sent again */
	uint16_t mss;           /* largest payload that we send, options taken off */
	uint8_t state;          /* enum tcp_state; only tcp_conn_set_state() writes it */
	uint8_t events;         /* TCP_EV_* to deliver */
	uint8_t snd_wscale;
	uint8_t rcv_wscale;
	uint8_t rtx_mode;    /* enum tcp_rtx_mode */
	uint8_t ca_state;    /* enum tcp_ca_state */
	uint32_t rcvq_bytes; /* in order, unread */
	uint32_t rcv_buf;    /* limit of rcvq_bytes, auto-tuned */
	uint32_t unacked_in; /* bytes received since the last ACK we sent */
	uint32_t fin_seq;    /* of the peer's FIN, with TCP_F_FIN_SEEN */
	uint16_t rcv_mss;    /* largest segment seen from the peer, RFC 5681 4.2 */
	uint16_t rx_mbufs;   /* in both receive queues */

	/* Warm: with data. */
	struct rte_mbuf *rcvq_head, *rcvq_tail; /* in order, chained by m->next */
	struct rte_mbuf *ooo; /* runs out of order, struct tcp_run in the mbuf's private area */
	struct rte_mbuf *sendq_head, *sendq_tail; /* chained by m->next */
	struct rte_mbuf *sendq_next; /* mbuf that holds the byte snd_nxt, NULL: all was sent */
	struct tcp_record *rec_head, *rec_tail;
	TAILQ_HEAD(, tcp_record) sent; /* records in flight, the longest sent first */
	uint32_t sendq_seq;            /* sequence number of the first byte of sendq_head */
	uint32_t sendq_next_off;
	struct tcp_ccs cc;
	struct tcp_rtt rtt;
	struct wheel_timer rtx_timer;
	struct wheel_timer slow_timer; /* every state: keepalive, user time-out, FIN-WAIT-2, idle */
	struct wheel_timer soon_timer; /* delayed ACK, pacing, waiting for mbufs */
	struct tcp_link ready_link, output_link;
	struct tcp_stack *stack;
	const struct tcp_ops *ops;
	void *user;

	/* Recovery. */
	uint64_t rack_sent_ns; /* RFC 8985 5.2: RACK.xmit_ts, end_seq, rtt */
	uint32_t rack_end_seq;
	uint32_t rack_rtt_us;
	uint32_t rack_fack;
	uint32_t rack_dsack_round;
	uint8_t rack_reo_mult;
	uint8_t rack_reo_persist;
	uint8_t dup_acks;
	uint8_t backoff;   /* of the RTO, RFC 6298 5.5 */
	uint32_t high_seq; /* recovery point */
	uint32_t tlp_end_seq;
	uint32_t prr_delivered, prr_out, prr_flight; /* RFC 6937 */
	uint32_t undo_una;    /* snd_una when cwnd was reduced; valid while undo_retrans >= 0 */
	int32_t undo_retrans; /* retransmissions that no DSACK has explained; -1: nothing to undo */
	uint32_t undo_ts;     /* our timestamp of the first retransmission, RFC 3522; 0: none */
	uint32_t max_snd_wnd; /* largest the peer ever offered, RFC 9293 3.8.6.2.1 */

	/* Receiving. */
	uint32_t ooo_bytes;
	uint16_t ooo_runs;
	uint32_t ooo_stamp;
	uint32_t dsack_start, dsack_end;
	union {
		uint32_t drs_read; /* bytes that the application took in this round */
		uint32_t
			connect_timeout_ms; /* in SYN-SENT: of the whole handshake; 0: by retries */
	};
	uint32_t drs_ms;
	uint32_t low_water;

	/* Slow. */
	uint64_t last_rx_ns;  /* keepalive */
	uint64_t last_tx_ns;  /* idle restart, RFC 7661 */
	uint64_t progress_ns; /* when snd_una last moved or the queue was empty */
	uint32_t ts_recent_s; /* PAWS is void after 24 days, RFC 7323 5.5 */
	uint64_t rto_base_ns; /* from when the RTO counts, RFC 6298 5.1, 5.3 */
	uint64_t reorder_ns;  /* when RACK wants to look again; 0: not */
	uint64_t pace_ns;     /* earliest time of the next paced segment */
	uint32_t pmtu_s;      /* when the path MTU was lowered, 0: never */
	uint32_t ack_due_ms;  /* with TCP_F_ACK_DELAY */
	uint32_t ts_offset;
	uint32_t user_timeout_ms;
	uint32_t keepalive_idle_ms;
	uint32_t challenge_ms; /* start of the second in which challenge ACKs are counted */
	uint8_t challenge_count;
	uint8_t keepalive_count;
	uint8_t reason;     /* enum tcp_reason for EV_CLOSED */
	uint8_t quick_acks; /* ACK at once so many times more: slow start of the peer */
	uint8_t listener;   /* index */
	uint16_t peer_mss;  /* as in its SYN */
	uint16_t pmtu;      /* bytes of the IP packet */
	uint64_t bytes_sent, bytes_acked, bytes_received;
	uint32_t retransmits, lost_segments, sacked_segments;
};
static_assert(offsetof(struct tcp_conn, rcvq_head) <= 128, "hot state is two cache lines");
static_assert(sizeof(struct tcp_conn) <= 640, "an idle connection is at most 640 bytes");

/* A contiguous run of bytes out of order; in the private area (NET_META_SIZE bytes) of its first
 * mbuf. */
struct tcp_run {
	struct rte_mbuf *next; /* next run, by sequence number */
	struct rte_mbuf *tail; /* last mbuf of this run */
	uint32_t start, end;
	uint32_t stamp; /* the most recently changed is reported first, RFC 2018 4 */
};

#define TCP_NS_PER_MS 1000000ull
#define TCP_NS_PER_US 1000ull

/* conn.c */
const char *tcp_state_name(enum tcp_state state);
/* The only function that changes c->state. */
void tcp_conn_set_state(struct tcp_conn *c, enum tcp_state state);
/* A zeroed connection, counted; NULL when the pool is empty. */
struct tcp_conn *tcp_conn_alloc(struct tcp_stack *s, const struct tcp_key *key, uint64_t now);
/* Options and windows are negotiated: sets mss, cwnd, timers. `syn_lost`: a SYN of ours had to be
 * sent twice. */
void tcp_conn_start(struct tcp_conn *c, bool syn_lost, uint64_t now);
/* Gives back everything; the handle is invalid. No segment, no event. */
void tcp_conn_free(struct tcp_conn *c, uint64_t now);
/* Ends it: out of the table, queues freed; `closed` is delivered by tcp_dispatch(), or it is freed
 * at once if the application has no handle. */
void tcp_conn_end(struct tcp_conn *c, enum tcp_reason reason, uint64_t now);
/* Both FINs are acknowledged and we closed first, RFC 9293 3.10.7.4. */
void tcp_conn_enter_time_wait(struct tcp_conn *c, uint64_t now);
void tcp_conn_event(struct tcp_conn *c, unsigned int events);
/* Puts it on the list that tcp_output() works through. */
void tcp_conn_want_output(struct tcp_conn *c);

static inline bool tcp_conn_synchronized(const struct tcp_conn *c)
{
	return c->state >= TCP_ESTABLISHED && c->state <= TCP_LAST_ACK;
}

static inline uint32_t tcp_conn_flight(const struct tcp_conn *c)
{
	return c->snd_nxt - c->snd_una;
}

/* RFC 6675 4. */
static inline uint32_t tcp_conn_pipe(const struct tcp_conn *c)
{
	return c->snd_nxt - c->snd_una - c->sacked_out - c->lost_out;
}

static inline uint32_t tcp_conn_ts(const struct tcp_conn *c, uint64_t now)
{
	return (uint32_t)(now / TCP_NS_PER_MS) + c->ts_offset;
}

static inline uint32_t tcp_conn_rcv_wnd(const struct tcp_conn *c)
{
	return c->rcv_adv - c->rcv_nxt;
}

/* Data that was given to us and never sent. */
static inline uint32_t tcp_conn_unsent(const struct tcp_conn *c)
{
	return c->flags & TCP_F_FIN_SENT ? 0 : c->snd_end - c->snd_nxt;
}

#endif
