/* SPDX-License-Identifier: BSD-3-Clause */
/* What `postgatectl` shows of a worker's gateway: sessions, next hops, counters. */
#include <string.h>

#include "dataplane/gateway/session.h"
#include "dataplane/gateway/upstream.h"

static void inspect_copy(char *dst, size_t size, const char *src)
{
	if (src)
		gateway_copy_text(dst, size, src, strlen(src));
}

static void inspect_session(
	const struct session *s, struct gateway_session_info *info, uint64_t now)
{
	*info = (struct gateway_session_info){
		.id = s->id,
		.client = s->client,
		.client_port = s->client_port,
		.side = (uint8_t)s->listener->side,
		.client_tls = s->version != NULL,
		.upstream_tls = s->up_version != NULL,
		.age_s = (uint32_t)((now - s->started) / SECOND),
		.messages = s->messages,
		.bytes_in = s->down.bytes_in,
		.bytes_out = s->down.bytes_out,
	};
	inspect_copy(info->state, sizeof(info->state), session_state_name(s->state));
	if (s->up)
		inspect_copy(info->upstream_state, sizeof(info->upstream_state),
			upstream_state_name(s->up->state));
	inspect_copy(info->client_version, sizeof(info->client_version), s->version);
	inspect_copy(info->client_cipher, sizeof(info->client_cipher), s->cipher);
	inspect_copy(info->partner, sizeof(info->partner), s->verdict.partner);
	inspect_copy(info->next_hop, sizeof(info->next_hop), s->next_hop);
	inspect_copy(info->helo, sizeof(info->helo), s->helo);
}

uint32_t gateway_list_sessions(const struct gateway *g, uint32_t *cursor,
	struct gateway_session_info *out, uint32_t max, uint64_t now)
{
	uint32_t n = 0, i;

	/* By place in the pool: stable from one question to the next, whatever comes and goes. A
	 * question looks at a bounded number of places, filled or not. */
	for (i = *cursor; i < g->sessions.count && n < max && i - *cursor < 64 * max; i++) {
		const struct session *s = pool_at(&g->sessions, i);

		if (s->state != SESSION_CLOSED)
			inspect_session(s, &out[n++], now);
	}
	*cursor = i < g->sessions.count ? i : UINT32_MAX;
	return n;
}

static void inspect_hop(const struct hop *hop, struct gateway_next_hop_info *info)
{
	*info = (struct gateway_next_hop_info){
		.addr = hop->addr,
		.port = hop->port,
		.up = hop->up,
		.checked = hop->checked,
		.tls = hop->tls_seen,
		.verified = hop->verified_seen,
		.ext = hop->ext,
		.active = hop->active,
		.idle = hop->idle_count,
	};
	inspect_copy(info->name, sizeof(info->name), hop->name);
	inspect_copy(info->error, sizeof(info->error), hop->error);
}

uint32_t gateway_list_next_hops(
	const struct gateway *g, struct gateway_next_hop_info *out, uint32_t max)
{
	uint32_t n = 0;

	for (int side = NET_SIDES - 1; side >= 0; side--)
		for (uint32_t i = 0; i < g->hop_count[side] && n < max; i++)
			inspect_hop(g->order[side][i], &out[n++]);
	return n;
}

static const char *const counter_names[GATEWAY_COUNTER_COUNT] = {
#define X(id, name) [GATEWAY_C_##id] = name,
	GATEWAY_COUNTERS(X)
#undef X
};

/* After the named ones: refused commands and bodies, then downstream TLS failures, by reason. */
size_t gateway_counter_count(void)
{
	return GATEWAY_COUNTER_COUNT + (SMTP_ERRORS - 1) + (TLS_ERRORS - 1);
}

const char *gateway_counter_name(size_t i)
{
	if (i < GATEWAY_COUNTER_COUNT)
		return counter_names[i];
	i -= GATEWAY_COUNTER_COUNT;
	if (i < SMTP_ERRORS - 1)
		return smtp_server_error_name((enum smtp_server_error)(i + 1));
	return tls_error_name((enum tls_error)(i - (SMTP_ERRORS - 1) + 1));
}

uint64_t gateway_counter_value(const struct gateway *g, size_t i)
{
	const uint64_t *value;

	if (i < GATEWAY_COUNTER_COUNT)
		value = &g->counters[i];
	else if (i - GATEWAY_COUNTER_COUNT < SMTP_ERRORS - 1)
		value = &g->smtp_errors[i - GATEWAY_COUNTER_COUNT + 1];
	else
		value = &g->tls_errors[i - GATEWAY_COUNTER_COUNT - (SMTP_ERRORS - 1) + 1];
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}
