/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration transactions. CONFIG_BEGIN opens one that replaces the whole configuration (what is
 * not sent again is gone), POLICY_BEGIN one that keeps it and changes partners only. Items follow,
 * of which none is answered; the first that is wrong is remembered. COMMIT applies all or nothing
 * and tells which; its answer comes when every worker runs the new generation, or with an error.
 * ABORT, or the end of the connection, drops the transaction.
 *
 * One transaction at a time: BEGIN gets EBUSY while another is open; while a commit is carried out
 * its answer waits. Indexes count from 0 in the order of sending. Partners (policy.h) may be part
 * of both kinds; a CONFIG transaction without any partner item leaves the partners as they are.
 */
#ifndef POSTGATE_CONTROL_IPC_CONFIG_H
#define POSTGATE_CONTROL_IPC_CONFIG_H

#include "control/ipc/ipc.h"

#define IPC_HOSTNAME_MAX              256
#define IPC_FILE_NAME_MAX             256 /* of a PEM file, for messages; cut at the left by the sender */
#define IPC_PEM_MAX                   (1024 * 1024) /* octets of one chain, key or CA file */
#define IPC_PEM_CHUNK_MAX             (IPC_MESSAGE_MAX - 64)
#define IPC_INTERFACES_MAX            16
#define IPC_ADDRESSES_MAX             16 /* of one interface */
#define IPC_ROUTES_MAX                256
#define IPC_CERTIFICATES_MAX          64
#define IPC_LISTENERS_MAX             64
#define IPC_LISTENER_CERTIFICATES_MAX 8
#define IPC_NEXT_HOPS_MAX             64
#define IPC_NEXT_HOP_NAME_MAX         64
#define IPC_CAS_MAX                   64
#define IPC_NO_CA                     0xffff

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* Seconds, not 0; as struct gateway_timeouts. */
struct ipc_timeouts {
	uint32_t command;
	uint32_t body_block;
	uint32_t tls_handshake;
	uint32_t upstream_connect;
	uint32_t upstream_banner;
	uint32_t upstream_command;
	uint32_t upstream_data;
	uint32_t upstream_block;
	uint32_t upstream_dot;
	uint32_t budget;
	uint32_t upstream_idle;
	uint32_t health_interval;
	uint32_t health_retry;
	uint32_t reserved;
};

/* As struct gateway_limits. */
struct ipc_limits {
	uint32_t max_recipients;            /* not 0 */
	uint32_t max_bad_commands;          /* not 0 */
	uint32_t max_commands_without_mail; /* not 0 */
	uint32_t max_received;              /* not 0 */
	uint64_t max_message_size;          /* 0: the next hop's */
	uint32_t max_sessions_per_client;   /* 0: no limit */
	uint32_t reserved;
};

/* Answered by IPC_RESULT: 0, EBUSY, EINVAL (generation not above the committed one). */
struct ipc_config_begin {
	struct ipc_header header;
	uint64_t generation; /* not 0 */
	struct ipc_timeouts timeouts;
	struct ipc_limits limits;
	char hostname[IPC_HOSTNAME_MAX];
};

/* Answered by IPC_RESULT: 0, EBUSY, EINVAL, ENOENT (no configuration committed yet). */
struct ipc_policy_begin {
	struct ipc_header header;
	uint64_t generation; /* not 0, above the committed one */
};

/* Answered by IPC_RESULT: 0, or an errno value and one line that says what is wrong; on an error
 * nothing was applied and the transaction is over. */
struct ipc_commit {
	struct ipc_header header;
	uint64_t generation; /* that of BEGIN */
};

/* Answered by IPC_RESULT: 0, ENOENT (none open). */
struct ipc_abort {
	struct ipc_header header;
};

/* One port, or one VLAN of it. */
struct ipc_interface {
	struct ipc_header header;
	uint16_t index;
	uint16_t vlan; /* 0: untagged; at most 4094 */
	uint16_t mtu;  /* 1280 to 9000 */
	uint8_t side;
	uint8_t reserved[1];
	char name[32];                /* for messages */
	char port[IPC_PORT_NAME_MAX]; /* DPDK port name, or its port id in digits */
};

/* An address of an interface; bits beyond plen are the host's. */
struct ipc_address {
	struct ipc_header header;
	uint16_t interface;
	uint8_t reserved[6];
	struct ipc_prefix address;
};

struct ipc_route {
	struct ipc_header header;
	uint16_t interface;
	uint8_t reserved[6];
	struct ipc_prefix to;
	struct ipc_addr via;
};

/* Announces a certificate; chain and key follow as PEM_CHUNKs. */
struct ipc_certificate {
	struct ipc_header header;
	uint16_t index;
	uint8_t reserved[6];
	uint32_t chain_length; /* 1 to IPC_PEM_MAX */
	uint32_t key_length;
	char chain_name[IPC_FILE_NAME_MAX];
	char key_name[IPC_FILE_NAME_MAX];
};

/* Announces a CA file. */
struct ipc_ca {
	struct ipc_header header;
	uint16_t index;
	uint8_t reserved[2];
	uint32_t length; /* 1 to IPC_PEM_MAX */
	char name[IPC_FILE_NAME_MAX];
};

enum ipc_pem_kind {
	IPC_PEM_CHAIN,
	IPC_PEM_KEY,
	IPC_PEM_CA,
	IPC_PEM_KINDS,
};

/* The next octets of a chain, key or CA: in order, without gaps. Whoever handles one wipes it
 * afterwards (explicit_bzero), keys and others alike. */
struct ipc_pem_chunk {
	struct ipc_header header;
	uint16_t index;
	uint8_t kind;
	uint8_t reserved[1];
	uint32_t offset;
	uint32_t size; /* 1 to IPC_PEM_CHUNK_MAX */
	uint8_t reserved2[4];
	uint8_t data[];
};

struct ipc_listener {
	struct ipc_header header;
	uint8_t side;
	uint8_t starttls;           /* 0, 1 */
	uint16_t port;              /* not 0 */
	uint16_t certificate_count; /* not 0 where starttls is 1; then the first is the default */
	uint16_t certificates[IPC_LISTENER_CERTIFICATES_MAX];
	uint8_t reserved[2];
	struct ipc_addr address;    /* zero: every address of that side's interfaces */
	uint32_t max_sessions;      /* 0: no limit of its own */
	uint32_t keepalive_idle_ms; /* 0: the stack's */
};

struct ipc_next_hop {
	struct ipc_header header;
	uint16_t port; /* not 0 */
	uint16_t priority;
	uint8_t level; /* none, may, encrypt, verify */
	uint8_t side;  /* where it is: inside for inbound mail, outside (a relay) for outbound */
	uint16_t ca;   /* index; IPC_NO_CA only below verify */
	uint32_t max_idle;
	uint8_t reserved2[4];
	struct ipc_addr address;
	char name[IPC_NEXT_HOP_NAME_MAX]; /* SNI, name to match, log lines */
};

_Static_assert(sizeof(struct ipc_timeouts) == 56, "layout");
_Static_assert(sizeof(struct ipc_limits) == 32, "layout");
_Static_assert(sizeof(struct ipc_config_begin) == 24 + 56 + 32 + 256, "layout");
_Static_assert(sizeof(struct ipc_policy_begin) == 24, "layout");
_Static_assert(sizeof(struct ipc_commit) == 24, "layout");
_Static_assert(sizeof(struct ipc_interface) == 24 + 32 + 64, "layout");
_Static_assert(sizeof(struct ipc_address) == 48, "layout");
_Static_assert(sizeof(struct ipc_route) == 64, "layout");
_Static_assert(sizeof(struct ipc_certificate) == 32 + 512, "layout");
_Static_assert(sizeof(struct ipc_ca) == 24 + 256, "layout");
_Static_assert(sizeof(struct ipc_pem_chunk) == 32, "layout");
_Static_assert(sizeof(struct ipc_listener) == 64, "layout");
_Static_assert(sizeof(struct ipc_next_hop) == 48 + 64, "layout");

#pragma GCC diagnostic pop

#endif
