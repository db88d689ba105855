// SPDX-License-Identifier: BSD-3-Clause
#include "control/ipc/event.h"

#define NAME(table, value)                                                                       \
	((value) < sizeof(table) / sizeof((table)[0]) && (table)[value] != NULL ? (table)[value] \
										: "invalid")

const char *ipc_side_name(uint8_t side)
{
	static const char *const names[] = {
		[IPC_OUTSIDE] = "outside",
		[IPC_INSIDE] = "inside",
	};
	return NAME(names, side);
}

const char *ipc_level_name(uint8_t level)
{
	static const char *const names[IPC_LEVELS] = {
		[IPC_LEVEL_NONE] = "none",
		[IPC_LEVEL_MAY] = "may",
		[IPC_LEVEL_ENCRYPT] = "encrypt",
		[IPC_LEVEL_DANE] = "dane",
		[IPC_LEVEL_STS] = "sts",
		[IPC_LEVEL_VERIFY] = "verify",
		[IPC_LEVEL_MUTUAL] = "mutual",
	};
	return NAME(names, level);
}

const char *ipc_event_kind_name(uint8_t kind)
{
	static const char *const names[IPC_EVENT_KINDS] = {
		[IPC_EVENT_SESSION] = "session",
		[IPC_EVENT_MESSAGE] = "message",
		[IPC_EVENT_NEXT_HOP] = "next-hop",
	};
	return NAME(names, kind);
}

const char *ipc_outcome_name(uint8_t outcome)
{
	static const char *const names[IPC_OUTCOMES] = {
		[IPC_OUTCOME_NONE] = "none",
		[IPC_OUTCOME_DELIVERED] = "delivered",
		[IPC_OUTCOME_REFUSED] = "refused",
		[IPC_OUTCOME_POLICY] = "policy",
		[IPC_OUTCOME_DEFERRED] = "deferred",
		[IPC_OUTCOME_UNKNOWN] = "unknown",
		[IPC_OUTCOME_ABORTED] = "aborted",
		[IPC_OUTCOME_BAD_BODY] = "bad-body",
		[IPC_OUTCOME_CLIENT_GONE] = "client-gone",
	};
	return NAME(names, outcome);
}

const char *ipc_rule_name(uint8_t rule)
{
	static const char *const names[IPC_RULES] = {
		[IPC_RULE_DEFAULT] = "default",
		[IPC_RULE_DOMAIN] = "domain",
		[IPC_RULE_DOMAIN_WILDCARD] = "domain-wildcard",
		[IPC_RULE_ADDRESS] = "address",
	};
	return NAME(names, rule);
}
