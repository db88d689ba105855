/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The policy maps, read side: partners by domain (cds_lfht) and by client address prefix. Workers
 * call these between two rcu_quiescent_state() with no lock and no atomic read-modify-write, keep
 * no pointer across one, and copy the verdict into the session (what begins under a policy ends
 * under it).
 */
#ifndef POSTGATE_DATAPLANE_POLICY_MAP_H
#define POSTGATE_DATAPLANE_POLICY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/net/addr.h"

/* Protection that a leg must get, weakest first (design.md, "Words"). */
enum policy_level {
	POLICY_NONE,
	POLICY_MAY,
	POLICY_ENCRYPT,
	POLICY_DANE,
	POLICY_STS,
	POLICY_VERIFY,
	POLICY_MUTUAL,
};
const char *policy_level_name(enum policy_level level);

#define POLICY_NAME_MAX 64 /* of a partner, with NUL */

enum policy_rule {
	POLICY_RULE_DEFAULT,         /* no partner: the default for strangers */
	POLICY_RULE_DOMAIN,          /* exact domain of the sender */
	POLICY_RULE_DOMAIN_WILDCARD, /* "*." above it */
	POLICY_RULE_ADDRESS,         /* client address prefix */
};
const char *policy_rule_name(enum policy_rule rule);

/* The verdict for one transaction, self-contained. */
struct policy_verdict {
	enum policy_level level; /* that the client's leg must have */
	enum policy_rule rule;
	bool identified;               /* the client's address is one of this partner's */
	bool suspended;                /* without a suspension the level would be higher */
	uint32_t partner_id;           /* 0: stranger */
	char partner[POLICY_NAME_MAX]; /* "" for a stranger */
	uint64_t generation;
};

struct policy_map;

/*
 * Verdict for a sender domain (any case, no trailing dot; len 0: null reverse-path or unknown) and
 * a client address. A partner found by domain and one found by address: the stronger level wins,
 * the domain's on a tie. `now` is CLOCK_REALTIME in seconds: a suspension past its expiry lifts
 * nothing, whether or not anybody came to end it.
 */
void policy_inbound(const struct policy_map *map, const char *domain, size_t domain_len,
	const struct ip_addr *client, uint64_t now, struct policy_verdict *verdict);

#endif
