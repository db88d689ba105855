/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the policy says for one sender and client, asked of the store: the same rules as the
 * dataplane's map (dataplane/policy/map.c), which a test holds side by side.
 */
#ifndef POSTGATE_CONTROL_DAEMON_EXPLAIN_H
#define POSTGATE_CONTROL_DAEMON_EXPLAIN_H

#include "control/daemon/api.h"
#include "control/daemon/store.h"
#include "control/ipc/event.h"

struct explain_verdict {
	enum config_level level;
	enum config_level full; /* as if nothing were suspended */
	enum ipc_rule rule;
	bool identified; /* the client's address is one of this partner's */
	bool suspended;  /* without a suspension the level would be higher */
	bool known;      /* `partner` is one: to be released */
	struct partner partner;
	char matched[260]; /* the domain or prefix that the rule found; "" */
};

/* `domain` "": null reverse-path; `client` NULL: unknown. `now`: seconds since 1970. 0 or -errno
 * with store_error(). */
int explain_inbound(struct store *s, const char *domain, const struct address *client, int64_t now,
	enum config_level strangers, struct explain_verdict *out);

void explain_command(void *daemon, struct api_request *r, const json_t *args);

/* The dataplane's refusals (dataplane/gateway/reply.h). */
#define EXPLAIN_STARTTLS_FIRST    "Must issue a STARTTLS command first"
#define EXPLAIN_ENCRYPTION_NEEDED "Encryption needed for mail from this partner"

#endif
