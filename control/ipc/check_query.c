// SPDX-License-Identifier: BSD-3-Clause
#include "control/ipc/check.h"
#include "control/ipc/query.h"

static const char *check_status_reply(const void *msg)
{
	const struct ipc_status_reply *m = msg;

	if (m->worker_count == 0 || m->worker_count > IPC_WORKERS_MAX)
		return "worker_count out of range";
	if (!IPC_BOOL(m->draining) || !IPC_BOOL(m->committing))
		return "flag out of range";
	if (!IPC_TEXT(m->version))
		return "version not one terminated line";
	return NULL;
}

static size_t items_workers(const void *msg)
{
	return ((const struct ipc_workers_reply *)msg)->count;
}

static const char *check_workers_reply(const void *msg)
{
	const struct ipc_workers_reply *m = msg;

	if (m->count > IPC_WORKERS_MAX)
		return "count out of range";
	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	return NULL;
}

static const char *check_counter_names(const void *msg)
{
	const struct ipc_counter_names *m = msg;

	return IPC_RESERVED(m->reserved) ? NULL : "reserved field not zero";
}

static size_t items_counter_names(const void *msg)
{
	return ((const struct ipc_counter_names_reply *)msg)->count;
}

static const char *check_counter_names_reply(const void *msg)
{
	const struct ipc_counter_names_reply *m = msg;

	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	if (m->count > m->total || (m->next != IPC_CURSOR_END && m->next > m->total))
		return "count out of range";
	for (uint32_t i = 0; i < m->count; i++) {
		if (!IPC_WORD(m->names[i]))
			return "name empty or not one terminated line";
	}
	return NULL;
}

static const char *check_counter_values(const void *msg)
{
	const struct ipc_counter_values *m = msg;

	if (m->worker >= IPC_WORKERS_MAX)
		return "worker out of range";
	return IPC_RESERVED(m->reserved) ? NULL : "reserved field not zero";
}

static size_t items_counter_values(const void *msg)
{
	return ((const struct ipc_counter_values_reply *)msg)->count;
}

static const char *check_counter_values_reply(const void *msg)
{
	const struct ipc_counter_values_reply *m = msg;

	if (m->worker >= IPC_WORKERS_MAX)
		return "worker out of range";
	if (!IPC_RESERVED(m->reserved) || !IPC_RESERVED(m->reserved2))
		return "reserved field not zero";
	return NULL;
}

static const char *check_page(const void *msg)
{
	const struct ipc_page *m = msg;

	if (m->worker >= IPC_WORKERS_MAX)
		return "worker out of range";
	if (m->max == 0 || m->max > IPC_PAGE_MAX)
		return "max out of range";
	return NULL;
}

static size_t items_sessions(const void *msg)
{
	return ((const struct ipc_sessions_reply *)msg)->count;
}

static const char *check_sessions_reply(const void *msg)
{
	const struct ipc_sessions_reply *m = msg;

	if (m->worker >= IPC_WORKERS_MAX || m->count > IPC_PAGE_MAX)
		return "worker or count out of range";
	for (unsigned int i = 0; i < m->count; i++) {
		const struct ipc_session *s = &m->sessions[i];

		if (s->side > IPC_INSIDE)
			return "side out of range";
		if (!IPC_BOOL(s->client_tls) || !IPC_BOOL(s->upstream_tls))
			return "flag out of range";
		if (!IPC_RESERVED(s->reserved))
			return "reserved field not zero";
		if (!IPC_TEXT(s->state) || !IPC_TEXT(s->upstream_state) ||
			!IPC_TEXT(s->client_version) || !IPC_TEXT(s->client_cipher) ||
			!IPC_TEXT(s->partner) || !IPC_TEXT(s->next_hop) || !IPC_TEXT(s->helo))
			return "string not one terminated line";
	}
	return NULL;
}

static size_t items_next_hops(const void *msg)
{
	return ((const struct ipc_next_hops_reply *)msg)->count;
}

static const char *check_next_hops_reply(const void *msg)
{
	const struct ipc_next_hops_reply *m = msg;

	if (m->worker >= IPC_WORKERS_MAX || m->count > IPC_PAGE_MAX)
		return "worker or count out of range";
	for (unsigned int i = 0; i < m->count; i++) {
		const struct ipc_next_hop_state *s = &m->next_hops[i];

		if (!IPC_BOOL(s->up) || !IPC_BOOL(s->checked) || !IPC_BOOL(s->tls) ||
			!IPC_BOOL(s->verified))
			return "flag out of range";
		if (!IPC_RESERVED(s->reserved) || !IPC_RESERVED(s->reserved2))
			return "reserved field not zero";
		if (!IPC_TEXT(s->name) || !IPC_TEXT(s->error))
			return "string not one terminated line";
	}
	return NULL;
}

static size_t items_tcp(const void *msg)
{
	return ((const struct ipc_tcp_reply *)msg)->count;
}

static const char *check_tcp_reply(const void *msg)
{
	const struct ipc_tcp_reply *m = msg;

	if (m->worker >= IPC_WORKERS_MAX || m->count > IPC_PAGE_MAX)
		return "worker or count out of range";
	for (unsigned int i = 0; i < m->count; i++) {
		const struct ipc_tcp_conn *c = &m->conns[i];

		if (!IPC_BOOL(c->timestamps) || !IPC_BOOL(c->sack) || !IPC_BOOL(c->ecn))
			return "flag out of range";
		if (!IPC_RESERVED(c->reserved) || !IPC_RESERVED(c->reserved2))
			return "reserved field not zero";
		if (!IPC_TEXT(c->state))
			return "string not one terminated line";
	}
	return NULL;
}

#define REQUEST(type, name, message, check)                                         \
	{                                                                           \
		type, IPC_KIND_SERVER, name, sizeof(struct message), 0, NULL, check \
	}
#define ANSWER(type, name, message, element, items, check)                                         \
	{                                                                                          \
		(type) | IPC_REPLY, IPC_KIND_CLIENT, name, sizeof(struct message), element, items, \
			check                                                                      \
	}

const struct ipc_message_kind ipc_query_kinds[] = {
	REQUEST(IPC_STATUS, "status", ipc_status, NULL),
	ANSWER(IPC_STATUS, "status", ipc_status_reply, 0, NULL, check_status_reply),
	REQUEST(IPC_WORKERS, "workers", ipc_workers, NULL),
	ANSWER(IPC_WORKERS, "workers", ipc_workers_reply, sizeof(struct ipc_worker), items_workers,
		check_workers_reply),
	REQUEST(IPC_COUNTER_NAMES, "counter_names", ipc_counter_names, check_counter_names),
	ANSWER(IPC_COUNTER_NAMES, "counter_names", ipc_counter_names_reply, IPC_COUNTER_NAME_MAX,
		items_counter_names, check_counter_names_reply),
	REQUEST(IPC_COUNTER_VALUES, "counter_values", ipc_counter_values, check_counter_values),
	ANSWER(IPC_COUNTER_VALUES, "counter_values", ipc_counter_values_reply, sizeof(uint64_t),
		items_counter_values, check_counter_values_reply),
	REQUEST(IPC_SESSIONS, "sessions", ipc_page, check_page),
	ANSWER(IPC_SESSIONS, "sessions", ipc_sessions_reply, sizeof(struct ipc_session),
		items_sessions, check_sessions_reply),
	REQUEST(IPC_NEXT_HOPS, "next_hops", ipc_page, check_page),
	ANSWER(IPC_NEXT_HOPS, "next_hops", ipc_next_hops_reply, sizeof(struct ipc_next_hop_state),
		items_next_hops, check_next_hops_reply),
	REQUEST(IPC_TCP, "tcp", ipc_page, check_page),
	ANSWER(IPC_TCP, "tcp", ipc_tcp_reply, sizeof(struct ipc_tcp_conn), items_tcp,
		check_tcp_reply),
};
const size_t ipc_query_kind_count = sizeof(ipc_query_kinds) / sizeof(ipc_query_kinds[0]);
