/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration file as libcyaml gives it: every scalar is still text, so that the checks can
 * quote it, absent differs from zero, and times and sizes may have units. libcyaml answers for the
 * shape: unknown keys, a list where a value belongs.
 */
#ifndef POSTGATE_CONTROL_DAEMON_CONFIG_RAW_H
#define POSTGATE_CONTROL_DAEMON_CONFIG_RAW_H

#include <stddef.h>

#include "control/daemon/config.h"
#include "control/daemon/lines.h"

struct config_raw_interface {
	char *name, *port, *side, *vlan, *mtu;
	char **addresses;
	unsigned int addresses_count;
};

struct config_raw_route {
	char *side, *to, *via;
};

struct config_raw_certificate {
	char *name, *chain, *key;
};

struct config_raw_listener {
	char *side, *address, *port, *starttls, *max_sessions, *keepalive;
	char **certificates;
	unsigned int certificates_count;
};

struct config_raw_next_hop {
	char *name, *side, *address, *port, *priority, *level, *ca, *max_idle;
};

struct config_raw_resolver {
	char **forwarders;
	unsigned int forwarders_count;
	char *resolv_conf, *trust_anchor, *root_hints, *timeout, *query_timeout, *min_ttl, *max_ttl,
		*failure_ttl, *max_destinations, *max_cache, *max_active, *max_waiting,
		*max_sockets, *sts, *sts_ca, *sts_port, *sts_timeout;
};

struct config_raw_alerts {
	char **command;
	unsigned int command_count;
	char *after, *clear_after, *timeout;
};

struct config_raw {
	char *hostname;
	struct config_raw_interface *interfaces;
	struct config_raw_route *routes;
	struct config_raw_certificate *certificates;
	struct config_raw_listener *listeners;
	struct config_raw_next_hop *next_hops;
	unsigned int interfaces_count, routes_count, certificates_count, listeners_count,
		next_hops_count;
	struct {
		char *inbound;
	} strangers;
	struct {
		char *command, *body_block, *tls_handshake, *upstream_connect, *upstream_banner,
			*upstream_command, *upstream_data, *upstream_block, *upstream_dot, *budget,
			*upstream_idle, *health_interval, *health_retry;
	} timeouts;
	struct {
		char *max_recipients, *max_bad_commands, *max_commands_without_mail, *max_received,
			*max_message_size, *max_sessions_per_client;
	} limits;
	struct config_raw_resolver *resolver; /* NULL: absent */
	struct config_raw_alerts alerts;
	struct {
		char *keep;
	} events;
	struct {
		char *to, *events;
	} log;
};

/* Told as "file:line: path: text". */
__attribute__((format(printf, 5, 6))) void config_errors_add(struct config_errors *errors,
	const char *file, unsigned int line, const char *path, const char *fmt, ...);

/* 0, -EINVAL (told), -ENOMEM (told). */
int config_raw_load(const char *file, const char *yaml, size_t len, const struct lines *lines,
	struct config_raw **out, struct config_errors *errors);
void config_raw_free(struct config_raw *raw);

#endif
