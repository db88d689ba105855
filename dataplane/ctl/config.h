/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration as its items come in (control/ipc/config.h), before it is one. Each function
 * takes a message that ipc_check() has accepted and returns 0, or -errno with one line in `err`.
 */
#ifndef POSTGATE_DATAPLANE_CTL_CONFIG_H
#define POSTGATE_DATAPLANE_CTL_CONFIG_H

#include "control/ipc/config.h"
#include "dataplane/ctl/ctl.h"
#include "dataplane/net/net.h"

/* PEM text, wiped when freed. */
struct config_pem {
	char *data;
	uint32_t length, received;
	char name[IPC_FILE_NAME_MAX];
};

struct config_interface {
	char name[32];
	char port[IPC_PORT_NAME_MAX];
	uint16_t port_id; /* config_check() fills it in */
	uint16_t vlan, mtu;
	uint8_t side;
	uint16_t addr_count;
	struct net_addr_config addrs[IPC_ADDRESSES_MAX];
};

struct config_certificate {
	struct config_pem chain, key;
};

struct config {
	struct ipc_config_begin begin;
	uint16_t interface_count, route_count, certificate_count, ca_count, listener_count,
		next_hop_count;
	struct config_interface interfaces[IPC_INTERFACES_MAX];
	struct net_route_config routes[IPC_ROUTES_MAX];
	struct config_certificate certificates[IPC_CERTIFICATES_MAX];
	struct config_pem cas[IPC_CAS_MAX];
	struct ipc_listener listeners[IPC_LISTENERS_MAX];
	struct ipc_next_hop next_hops[IPC_NEXT_HOPS_MAX];
};

int config_create(const struct ipc_config_begin *begin, struct config **out);
/* Wipes what is secret. NULL allowed. */
void config_free(struct config *c);

int config_add_interface(struct config *c, const struct ipc_interface *m, char *err);
int config_add_address(struct config *c, const struct ipc_address *m, char *err);
int config_add_route(struct config *c, const struct ipc_route *m, char *err);
int config_add_certificate(struct config *c, const struct ipc_certificate *m, char *err);
int config_add_ca(struct config *c, const struct ipc_ca *m, char *err);
int config_add_pem_chunk(struct config *c, const struct ipc_pem_chunk *m, char *err);
int config_add_listener(struct config *c, const struct ipc_listener *m, char *err);
int config_add_next_hop(struct config *c, const struct ipc_next_hop *m, char *err);

/* The whole: ports exist, nothing clashes, everything named is there. */
int config_check(struct config *c, const struct ctl_port *ports, uint16_t port_count, char *err);

/* Puts a line into `err` (CTL_ERROR_SIZE, cut to fit) and returns rc. */
int config_fail(char *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "192.0.2.1", "2001:db8::1"; for messages. */
#define CONFIG_ADDRESS_MAX 46
const char *config_address(const struct ip_addr *a, char text[CONFIG_ADDRESS_MAX]);

#endif
