/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Partners, as items of a transaction (config.h); none is answered. The partners of a transaction
 * become visible to the workers all at once.
 *
 * PARTNER_SET announces the whole record: the domains and prefixes that follow, in any number of
 * messages, replace those it had. A domain or prefix belongs to one partner: giving it to one while
 * another keeps it makes COMMIT fail with EEXIST.
 */
#ifndef POSTGATE_CONTROL_IPC_POLICY_H
#define POSTGATE_CONTROL_IPC_POLICY_H

#include "control/ipc/ipc.h"

#define IPC_DOMAIN_MAX 253 /* octets of a domain without its trailing dot; "*." comes on top */

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* For strangers. */
struct ipc_defaults {
	struct ipc_header header;
	uint8_t inbound; /* none, may, encrypt */
	uint8_t reserved[7];
};

/* A full push: partners that this transaction does not set from here on disappear. */
struct ipc_partner_reset {
	struct ipc_header header;
};

struct ipc_partner_set {
	struct ipc_header header;
	uint32_t id;           /* not 0 */
	uint32_t domain_count; /* that follow; COMMIT checks that they came */
	uint32_t prefix_count;
	uint8_t inbound; /* none, may, encrypt */
	uint8_t reserved[3];
	/* CLOCK_REALTIME in seconds: `inbound` counts as `may` at most before it, and in full from
	 * then on even if this postgated never comes back; 0: no suspension. */
	uint64_t suspended_until;
	char name[IPC_PARTNER_NAME_MAX]; /* not "" */
};

/* Domains of the partner that was set last: `count` times one octet length, then that
 * many octets ("example.org", or "*.example.org" for all names below it, not for itself). */
struct ipc_partner_domains {
	struct ipc_header header;
	uint32_t id;
	uint16_t count; /* not 0 */
	uint16_t size;  /* octets of data */
	uint8_t data[];
};
#define IPC_PARTNER_DOMAINS_MAX                                           \
	(IPC_MESSAGE_MAX - sizeof(struct ipc_partner_domains)) /* of data \
								*/

/* Client address prefixes of the partner that was set last. IPv4 prefixes are those of
 * length 96 and more in ::ffff:0:0/96; a shorter one never matches an IPv4 client. */
struct ipc_partner_prefixes {
	struct ipc_header header;
	uint32_t id;
	uint16_t count; /* not 0 */
	uint8_t reserved[2];
	struct ipc_prefix prefixes[];
};
#define IPC_PARTNER_PREFIXES_MAX \
	((IPC_MESSAGE_MAX - sizeof(struct ipc_partner_prefixes)) / sizeof(struct ipc_prefix))

struct ipc_partner_delete {
	struct ipc_header header;
	uint32_t id;
	uint8_t reserved[4];
};

_Static_assert(sizeof(struct ipc_defaults) == 24, "layout");
_Static_assert(sizeof(struct ipc_partner_set) == 40 + 64, "layout");
_Static_assert(sizeof(struct ipc_partner_domains) == 24, "layout");
_Static_assert(sizeof(struct ipc_partner_prefixes) == 24, "layout");
_Static_assert(sizeof(struct ipc_partner_delete) == 24, "layout");

#pragma GCC diagnostic pop

/*
 * Walks the list of a message that ipc_check() accepted: *cursor 0 at first. Points at the next
 * domain and returns true; false at the end.
 */
bool ipc_partner_domains_next(
	const struct ipc_partner_domains *msg, uint32_t *cursor, const char **domain, size_t *len);
/*
 * Appends one domain to a message of capacity IPC_MESSAGE_MAX whose count and size started at 0.
 * -ENOSPC: full, send it and begin another; -EINVAL: length. ipc_header_init() with
 * sizeof(*msg) + msg->size comes after the last.
 */
int ipc_partner_domains_add(struct ipc_partner_domains *msg, const char *domain, size_t len);

#endif
