/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions. Those about sessions, connections and next hops are answered by the workers themselves
 * at their next loop and come in pages: ask with cursor 0, then with the reply's, until it is
 * IPC_CURSOR_END; then go on with the next worker. A worker that does not answer within a second
 * gives IPC_RESULT with ETIMEDOUT.
 */
#ifndef POSTGATE_CONTROL_IPC_QUERY_H
#define POSTGATE_CONTROL_IPC_QUERY_H

#include "control/ipc/ipc.h"

#define IPC_CURSOR_END       UINT32_MAX
#define IPC_COUNTER_NAME_MAX 48
#define IPC_PAGE_MAX         64 /* entries of one page */

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* IPC_STATUS */
struct ipc_status {
	struct ipc_header header;
};

struct ipc_status_reply {
	struct ipc_header header;
	uint32_t pid;
	uint16_t worker_count;
	uint8_t draining;
	uint8_t committing;         /* a generation is on its way to the workers */
	uint64_t start_time;        /* seconds since 1970 */
	uint64_t uptime_ms;         /* by the monotonic clock */
	uint64_t generation;        /* committed */
	uint64_t oldest_generation; /* of all workers */
	uint32_t partners;
	uint32_t domains;
	uint32_t prefixes;
	uint32_t clients;           /* connections to the socket */
	uint64_t policy_bytes;      /* memory of the policy map */
	uint64_t events;            /* taken from the workers */
	uint64_t events_lost_ring;  /* by workers whose ring was full */
	uint64_t events_lost_queue; /* by clients that read too slowly */
	char version[IPC_VERSION_MAX];
};

/* IPC_WORKERS */
struct ipc_workers {
	struct ipc_header header;
};

struct ipc_worker {
	uint32_t lcore;
	uint32_t cpu;        /* UINT32_MAX: not pinned to one */
	uint64_t generation; /* adopted, 0: none */
	uint64_t cycles_busy;
	uint64_t cycles_total;
	uint64_t loops;
	uint32_t tx_mbufs_free, tx_mbufs;
	uint32_t ctl_mbufs_free, ctl_mbufs;
	uint32_t conns, half_open, time_wait, max_conns;
	uint32_t ports, timers;
	uint32_t rx_held_mbufs, tx_held_mbufs;
	uint64_t recv_bytes;
	uint32_t sessions, max_sessions;
	uint32_t upstreams, max_upstreams;
	uint32_t linebufs, max_linebufs;
	uint64_t messages; /* transactions that ended delivered; see event.h */
	uint64_t events_dropped;
};

struct ipc_workers_reply {
	struct ipc_header header;
	uint64_t cycles_per_second;
	uint16_t count; /* at most IPC_WORKERS_MAX */
	uint8_t reserved[6];
	struct ipc_worker workers[];
};

/* IPC_COUNTER_NAMES: constant for the life of the dataplane process. */
struct ipc_counter_names {
	struct ipc_header header;
	uint32_t cursor; /* index of the first */
	uint8_t reserved[4];
};

struct ipc_counter_names_reply {
	struct ipc_header header;
	uint32_t next; /* cursor to go on with, or IPC_CURSOR_END */
	uint32_t total;
	uint32_t count;
	uint8_t reserved[4];
	char names[][IPC_COUNTER_NAME_MAX];
};
#define IPC_COUNTER_NAMES_PAGE \
	((IPC_MESSAGE_MAX - sizeof(struct ipc_counter_names_reply)) / IPC_COUNTER_NAME_MAX)

/* IPC_COUNTER_VALUES: of one worker, numbered as the names. */
struct ipc_counter_values {
	struct ipc_header header;
	uint32_t cursor;
	uint16_t worker;
	uint8_t reserved[2];
};

struct ipc_counter_values_reply {
	struct ipc_header header;
	uint32_t next;
	uint16_t worker;
	uint8_t reserved[2];
	uint32_t count;
	uint8_t reserved2[4];
	uint64_t values[];
};
#define IPC_COUNTER_VALUES_PAGE \
	((IPC_MESSAGE_MAX - sizeof(struct ipc_counter_values_reply)) / sizeof(uint64_t))

/* IPC_SESSIONS, IPC_NEXT_HOPS, IPC_TCP: the same request. */
struct ipc_page {
	struct ipc_header header;
	uint32_t cursor;
	uint16_t worker;
	uint16_t max; /* entries wanted, 1 to IPC_PAGE_MAX */
};

struct ipc_session {
	uint64_t id; /* worker in the top 8 bits */
	struct ipc_addr client;
	uint64_t bytes_in, bytes_out;
	uint32_t age_s;
	uint32_t messages;
	uint16_t client_port;
	uint8_t side;
	uint8_t client_tls;
	uint8_t upstream_tls;
	uint8_t reserved[3];
	char state[24];
	char upstream_state[24];
	char client_version[8];
	char client_cipher[32];
	char partner[IPC_PARTNER_NAME_MAX];
	char next_hop[64];
	char helo[64];
};

struct ipc_sessions_reply {
	struct ipc_header header;
	uint32_t next;
	uint16_t worker;
	uint16_t count;
	struct ipc_session sessions[];
};

struct ipc_next_hop_state {
	struct ipc_addr address;
	uint16_t port;
	uint8_t up;
	uint8_t checked; /* 0: the first health check is still to end */
	uint8_t tls;
	uint8_t verified;
	uint8_t reserved[2];
	uint32_t ext;          /* SMTP extensions, bits of enum smtp_ext */
	uint32_t active, idle; /* connections */
	uint8_t reserved2[4];
	char name[64];
	char error[160];
};

struct ipc_next_hops_reply {
	struct ipc_header header;
	uint32_t next;
	uint16_t worker;
	uint16_t count;
	struct ipc_next_hop_state next_hops[];
};

struct ipc_tcp_conn {
	struct ipc_addr local, remote;
	uint16_t local_port, remote_port;
	uint8_t snd_wscale, rcv_wscale;
	uint8_t timestamps, sack, ecn;
	uint8_t reserved[3];
	uint32_t rtt_us, rttvar_us, min_rtt_us, rto_ms;
	uint32_t mss, snd_cwnd, ssthresh, in_flight;
	uint32_t snd_wnd, rcv_wnd;
	uint32_t retransmits, lost_segments;
	uint8_t reserved2[4];
	uint64_t bytes_sent, bytes_acked, bytes_received;
	char state[16];
};

struct ipc_tcp_reply {
	struct ipc_header header;
	uint32_t next;
	uint16_t worker;
	uint16_t count;
	struct ipc_tcp_conn conns[];
};

_Static_assert(sizeof(struct ipc_status_reply) == 104 + 32, "layout");
_Static_assert(sizeof(struct ipc_worker) == 136, "layout");
_Static_assert(sizeof(struct ipc_workers_reply) == 32, "layout");
_Static_assert(sizeof(struct ipc_counter_names_reply) == 32, "layout");
_Static_assert(sizeof(struct ipc_counter_values_reply) == 32, "layout");
_Static_assert(sizeof(struct ipc_page) == 24, "layout");
_Static_assert(sizeof(struct ipc_session) == 56 + 280, "layout");
_Static_assert(sizeof(struct ipc_next_hop_state) == 40 + 224, "layout");
_Static_assert(sizeof(struct ipc_tcp_conn) == 136, "layout");
_Static_assert(sizeof(struct ipc_workers_reply) + IPC_WORKERS_MAX * sizeof(struct ipc_worker) <=
		       IPC_MESSAGE_MAX,
	"all workers fit one message");
_Static_assert(sizeof(struct ipc_sessions_reply) + IPC_PAGE_MAX * sizeof(struct ipc_session) <=
		       IPC_MESSAGE_MAX,
	"a page fits one message");
_Static_assert(
	sizeof(struct ipc_next_hops_reply) + IPC_PAGE_MAX * sizeof(struct ipc_next_hop_state) <=
		IPC_MESSAGE_MAX,
	"a page fits one message");

#pragma GCC diagnostic pop

#endif
