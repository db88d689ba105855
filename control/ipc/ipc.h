/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol between postgated (client) and postgate-dataplane (server) over a SOCK_SEQPACKET
 * unix socket: one message a datagram, host byte order, fixed layout, versioned. This folder is
 * layout and validation only; each side has its own socket code.
 *
 * A connection starts with HELLO from the client and the server's reply; anything else first, or a
 * foreign version, gets an IPC_RESULT with an error and the connection is closed. A request is
 * answered by the message type declared beside it (`type | IPC_REPLY`), or by IPC_RESULT where it
 * failed or has nothing to say; `id` of the answer is the request's. Answers come in the order of
 * the requests of one kind, not across kinds. Requests may be sent without waiting for earlier
 * answers. Pushed messages (IPC_EVENTS) have id 0.
 *
 * Every message is checked by ipc_check() before a field is looked at, on both sides. Reserved
 * fields are zero. Strings are NUL-terminated within their field. Buffers are 8-byte aligned.
 */
#ifndef POSTGATE_CONTROL_IPC_IPC_H
#define POSTGATE_CONTROL_IPC_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPC_SOCKET_PATH "/run/postgate/dataplane.sock"
#define IPC_MAGIC       0x43504750u /* "PGPC" in memory on little endian */
#define IPC_VERSION     2
#define IPC_MESSAGE_MAX 32768 /* octets, header included */
#define IPC_REPLY       0x8000

/* No structure below has a hole that the compiler chose. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

enum ipc_type {
	/* session: this file */
	IPC_HELLO = 1,
	IPC_RESULT = 2,
	/* transactions: config.h */
	IPC_CONFIG_BEGIN = 16,
	IPC_POLICY_BEGIN,
	IPC_COMMIT,
	IPC_ABORT,
	IPC_INTERFACE,
	IPC_ADDRESS,
	IPC_ROUTE,
	IPC_CERTIFICATE,
	IPC_CA,
	IPC_PEM_CHUNK,
	IPC_LISTENER,
	IPC_NEXT_HOP,
	/* policy.h */
	IPC_DEFAULTS = 48,
	IPC_PARTNER_RESET,
	IPC_PARTNER_SET,
	IPC_PARTNER_DOMAINS,
	IPC_PARTNER_PREFIXES,
	IPC_PARTNER_DELETE,
	/* query.h */
	IPC_STATUS = 80,
	IPC_WORKERS,
	IPC_COUNTER_NAMES,
	IPC_COUNTER_VALUES,
	IPC_SESSIONS,
	IPC_NEXT_HOPS,
	IPC_TCP,
	/* event.h */
	IPC_SUBSCRIBE = 112,
	IPC_EVENTS,
};

struct ipc_header {
	uint32_t magic;
	uint16_t version;
	uint16_t type;   /* enum ipc_type, | IPC_REPLY for the declared answer */
	uint32_t length; /* of the whole message */
	uint32_t id;     /* chosen by the client, not 0 */
};

/* As struct ip_addr: network byte order, IPv4 in its mapped form. */
struct ipc_addr {
	uint8_t b[16];
};

/* `plen` counts on the 128-bit form; bits beyond it are zero unless it is said otherwise. */
struct ipc_prefix {
	struct ipc_addr addr;
	uint8_t plen;
	uint8_t reserved[7];
};

/* Names below are "invalid" for a number that is none. */
enum ipc_side {
	IPC_OUTSIDE,
	IPC_INSIDE,
};
const char *ipc_side_name(uint8_t side);

/* Levels, numbered as enum policy_level. */
enum ipc_level {
	IPC_LEVEL_NONE,
	IPC_LEVEL_MAY,
	IPC_LEVEL_ENCRYPT,
	IPC_LEVEL_DANE,
	IPC_LEVEL_STS,
	IPC_LEVEL_VERIFY,
	IPC_LEVEL_MUTUAL,
	IPC_LEVELS,
};
const char *ipc_level_name(uint8_t level);

#define IPC_TEXT_MAX         256
#define IPC_VERSION_MAX      32
#define IPC_WORKERS_MAX      128
#define IPC_PORTS_MAX        16
#define IPC_PORT_NAME_MAX    64
#define IPC_PARTNER_NAME_MAX 64

/* IPC_RESULT, dataplane to client: how a request ended that has no reply of its own, or failed. */
struct ipc_result {
	struct ipc_header header;
	int32_t error;           /* 0 or an errno value, positive */
	uint32_t request;        /* type of the request */
	uint64_t generation;     /* the committed one, after this request */
	char text[IPC_TEXT_MAX]; /* one line without a line end; "" when there is nothing to say */
};

/* IPC_HELLO, client to dataplane. */
struct ipc_hello {
	struct ipc_header header;
	uint32_t pid;
	uint32_t reserved;
	uint64_t start_time;           /* of the process, seconds since 1970 */
	uint64_t generation;           /* that the client would push, 0: unknown yet */
	char version[IPC_VERSION_MAX]; /* of the program */
};

struct ipc_port {
	uint16_t port_id;
	uint8_t mac[6];
	char name[IPC_PORT_NAME_MAX]; /* as the configuration names it:
					 rte_eth_dev_get_name_by_port() */
	char driver[32];
};

/* IPC_HELLO | IPC_REPLY. */
struct ipc_hello_reply {
	struct ipc_header header;
	uint32_t pid;
	uint16_t worker_count;
	uint16_t port_count;
	uint64_t start_time; /* seconds since 1970 */
	uint64_t generation; /* committed; 0: none, everything is to be pushed */
	char version[IPC_VERSION_MAX];
	struct ipc_port ports[IPC_PORTS_MAX]; /* port_count are used, the rest is zero */
};

_Static_assert(sizeof(struct ipc_header) == 16, "layout");
_Static_assert(sizeof(struct ipc_prefix) == 24, "layout");
_Static_assert(sizeof(struct ipc_result) == 288, "layout");
_Static_assert(sizeof(struct ipc_hello) == 72, "layout");
_Static_assert(sizeof(struct ipc_port) == 104, "layout");
_Static_assert(sizeof(struct ipc_hello_reply) == 72 + 104 * IPC_PORTS_MAX, "layout");

#pragma GCC diagnostic pop

enum ipc_direction {
	IPC_TO_DATAPLANE,
	IPC_TO_CLIENT,
};

/*
 * Whether a received datagram is one whole, well-formed message that may come in this direction:
 * header, exact length, ranges, terminated strings, reserved zero. It says nothing of meaning in
 * context (indexes that must exist, transaction open). 0, or -EPROTO (not ours, foreign version),
 * -EBADMSG (type unknown or not in this direction), -EMSGSIZE (length), -EINVAL (a field); then
 * *why, if not NULL, is a constant text.
 */
int ipc_check(const void *msg, size_t len, enum ipc_direction dir, const char **why);

/* "partner_set"; replies have the request's name. NULL: unknown. */
const char *ipc_type_name(uint16_t type);

/* Fills in the header; `msg` is otherwise left alone (zero it first). */
void ipc_header_init(struct ipc_header *h, uint16_t type, size_t length, uint32_t id);

/* Copies as much of `text` as fits, NUL-terminated and the rest zeroed. False: it was cut. */
bool ipc_string_set(char *field, size_t size, const char *text);

#endif
