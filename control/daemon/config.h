/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration file as plain values, checked as a whole: a `struct config` that exists can be
 * pushed. deploy/example.yaml explains each key; its order is this file's.
 */
#ifndef POSTGATE_CONTROL_DAEMON_CONFIG_H
#define POSTGATE_CONTROL_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "control/daemon/address.h"

#define CONFIG_NAME_MAX   32  /* of interfaces and certificates, with NUL */
#define CONFIG_PORT_MAX   64  /* of a DPDK port name, with NUL */
#define CONFIG_DOMAIN_MAX 256 /* of a host name, with NUL */
#define CONFIG_PATH_MAX   512

/* The dataplane's own bounds; a file beyond them is refused here already. */
#define CONFIG_INTERFACES_MAX   16
#define CONFIG_ADDRESSES_MAX    16 /* of one interface */
#define CONFIG_ROUTES_MAX       256
#define CONFIG_CERTIFICATES_MAX 64
#define CONFIG_LISTENERS_MAX    64
#define CONFIG_NEXT_HOPS_MAX    64
#define CONFIG_FORWARDERS_MAX   8
#define CONFIG_FORWARDER_MAX    64 /* text of one, with NUL */

enum config_side {
	CONFIG_OUTSIDE,
	CONFIG_INSIDE,
};
const char *config_side_name(enum config_side side);

/* The words of design.md; numbers are the protocol's (control/ipc). */
enum config_level {
	CONFIG_LEVEL_NONE,
	CONFIG_LEVEL_MAY,
	CONFIG_LEVEL_ENCRYPT,
	CONFIG_LEVEL_DANE,
	CONFIG_LEVEL_STS,
	CONFIG_LEVEL_VERIFY,
	CONFIG_LEVEL_MUTUAL,
};
const char *config_level_name(enum config_level level);

/* A PEM file that was read and found good. Private keys are wiped when freed. */
struct config_pem {
	char path[CONFIG_PATH_MAX];
	char *data; /* with a NUL behind it */
	size_t len;
};

struct config_interface {
	char name[CONFIG_NAME_MAX];
	char port[CONFIG_PORT_MAX]; /* DPDK port name, or its index in digits */
	enum config_side side;
	uint16_t vlan; /* 0: untagged */
	uint16_t mtu;
	uint16_t address_count;
	struct prefix addresses[CONFIG_ADDRESSES_MAX];
};

struct config_route {
	enum config_side side;
	struct prefix to;
	struct address via;
	uint8_t interface; /* index into interfaces */
};

struct config_certificate {
	char name[CONFIG_NAME_MAX];
	struct config_pem chain, key;
	time_t not_before, not_after;
};

struct config_listener {
	enum config_side side;
	struct address address; /* unspecified: all of the side's */
	uint16_t port;
	bool starttls;
	uint16_t certificate_count;
	uint16_t certificates[8]; /* indexes; the first is the default */
	uint32_t max_sessions;    /* 0: no limit */
	uint32_t keepalive_ms;
};

struct config_next_hop {
	char name[64];
	enum config_side side; /* inside: for inbound mail; outside: a relay for outbound */
	struct address address;
	uint16_t port;
	uint16_t priority;
	enum config_level level;
	struct config_pem ca; /* len 0: none */
	uint32_t max_idle;
};

/* Seconds, as dataplane/gateway/generation.h's. */
struct config_timeouts {
	uint32_t command, body_block, tls_handshake;
	uint32_t upstream_connect, upstream_banner, upstream_command, upstream_data, upstream_block,
		upstream_dot;
	uint32_t budget, upstream_idle, health_interval, health_retry;
};

struct config_limits {
	uint32_t max_recipients, max_bad_commands, max_commands_without_mail, max_received;
	uint64_t max_message_size;
	uint32_t max_sessions_per_client;
};

/* Compared octet by octet: all of it is zero before it is filled in. */
struct config_resolver {
	bool enabled; /* the section is there */
	bool sts;
	uint16_t sts_port;
	uint32_t forwarder_count;
	char forwarders[CONFIG_FORWARDERS_MAX][CONFIG_FORWARDER_MAX];
	/* Files; "": none. */
	char resolv_conf[CONFIG_PATH_MAX], trust_anchor[CONFIG_PATH_MAX],
		root_hints[CONFIG_PATH_MAX], sts_ca[CONFIG_PATH_MAX];
	uint32_t timeout_ms, query_timeout_ms, sts_timeout_ms;
	uint32_t min_ttl, max_ttl, failure_ttl; /* seconds */
	uint32_t max_destinations, max_active, max_waiting, max_sockets;
	uint64_t max_cache; /* octets */
};

struct config_alerts {
	char **command; /* path and arguments, ends with NULL; NULL: none */
	uint32_t after; /* refused messages within a minute */
	uint64_t clear_after_ms, timeout_ms;
};

enum config_log {
	CONFIG_LOG_STDERR,
	CONFIG_LOG_SYSLOG,
};

struct config {
	char hostname[CONFIG_DOMAIN_MAX];
	uint16_t interface_count, route_count, certificate_count, listener_count, next_hop_count;
	struct config_interface *interfaces;
	struct config_route *routes;
	struct config_certificate *certificates;
	struct config_listener *listeners;
	struct config_next_hop *next_hops; /* by priority, else in the file's order */
	enum config_level strangers_inbound;
	struct config_timeouts timeouts;
	struct config_limits limits;
	struct config_resolver resolver;
	struct config_alerts alerts;
	uint32_t events_keep; /* events held in memory */
	enum config_log log_to;
	bool log_events; /* one line for each event */
};

/* Errors, one per line: "file:line: path: text". */
struct config_errors {
	char *text; /* NULL: none */
	size_t len, room;
	unsigned int count;
};
void config_errors_clear(struct config_errors *errors);

/*
 * Reads and checks the file and every file it names. 0, or -EINVAL/-EIO/-ENOMEM with at least one
 * error told and *out untouched.
 */
int config_load(const char *path, struct config **out, struct config_errors *errors);
/* The same on text that is at hand; `path` is for messages. */
int config_parse(const char *path, const char *yaml, size_t len, struct config **out,
	struct config_errors *errors);
void config_free(struct config *config);
/*
 * What is not wrong enough to refuse a whole configuration for, but wants somebody's attention: a
 * certificate that is out of date, or will be within two weeks. Calls `tell` with one line each.
 */
void config_warnings(const struct config *config, time_t now,
	void (*tell)(void *arg, const char *text), void *arg);

#endif
