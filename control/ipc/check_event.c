// SPDX-License-Identifier: BSD-3-Clause
#include "control/ipc/check.h"
#include "control/ipc/event.h"

static const char *check_subscribe(const void *msg)
{
	const struct ipc_subscribe *m = msg;

	if ((m->kinds >> IPC_EVENT_KINDS) != 0)
		return "unknown event kind";
	return IPC_RESERVED(m->reserved) ? NULL : "reserved field not zero";
}

static size_t items_events(const void *msg)
{
	return ((const struct ipc_events *)msg)->count;
}

static const char *check_one(const struct ipc_event *e)
{
	if (e->kind >= IPC_EVENT_KINDS)
		return "kind out of range";
	if (e->outcome >= IPC_OUTCOMES)
		return "outcome out of range";
	if (e->level >= IPC_LEVELS)
		return "level out of range";
	if (e->rule >= IPC_RULES)
		return "rule out of range";
	if (e->side > IPC_INSIDE)
		return "side out of range";
	if (!IPC_BOOL(e->client_tls) || !IPC_BOOL(e->upstream_tls) ||
		!IPC_BOOL(e->upstream_verified) || !IPC_BOOL(e->up) || !IPC_BOOL(e->suspended))
		return "flag out of range";
	if (!IPC_RESERVED(e->reserved))
		return "reserved field not zero";
	if (!IPC_TEXT(e->client_version) || !IPC_TEXT(e->upstream_version) ||
		!IPC_TEXT(e->client_cipher) || !IPC_TEXT(e->upstream_cipher) ||
		!IPC_TEXT(e->partner) || !IPC_TEXT(e->next_hop) || !IPC_TEXT(e->helo) ||
		!IPC_TEXT(e->sender) || !IPC_TEXT(e->text))
		return "string not one terminated line";
	return NULL;
}

static const char *check_events(const void *msg)
{
	const struct ipc_events *m = msg;

	if (m->count == 0)
		return "count is 0";
	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	for (unsigned int i = 0; i < m->count; i++) {
		const char *text = check_one(&m->events[i]);

		if (text != NULL)
			return text;
	}
	return NULL;
}

const struct ipc_message_kind ipc_event_kinds[] = {
	{IPC_SUBSCRIBE, IPC_KIND_SERVER, "subscribe", sizeof(struct ipc_subscribe), 0, NULL,
		check_subscribe},
	{IPC_EVENTS, IPC_KIND_CLIENT, "events", sizeof(struct ipc_events), sizeof(struct ipc_event),
		items_events, check_events},
};
const size_t ipc_event_kind_count = sizeof(ipc_event_kinds) / sizeof(ipc_event_kinds[0]);
