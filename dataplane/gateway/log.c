/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gateway/log.h"

#include <string.h>

#include "dataplane/gateway/session.h"

static const enum gateway_counter outcome_counters[] = {
	[GATEWAY_OUTCOME_DELIVERED] = GATEWAY_C_DELIVERED,
	[GATEWAY_OUTCOME_REFUSED] = GATEWAY_C_REFUSED,
	[GATEWAY_OUTCOME_POLICY] = GATEWAY_C_POLICY,
	[GATEWAY_OUTCOME_DEFERRED] = GATEWAY_C_DEFERRED,
	[GATEWAY_OUTCOME_UNKNOWN] = GATEWAY_C_UNKNOWN,
	[GATEWAY_OUTCOME_ABORTED] = GATEWAY_C_ABORTED,
	[GATEWAY_OUTCOME_BAD_BODY] = GATEWAY_C_BAD_BODY,
	[GATEWAY_OUTCOME_CLIENT_GONE] = GATEWAY_C_CLIENT_GONE,
};

void gateway_copy_text(char *dst, size_t size, const char *src, size_t len)
{
	size_t n = len < size - 1 ? len : size - 1;

	for (size_t i = 0; i < n; i++)
		dst[i] = (unsigned char)src[i] < ' ' || src[i] == 0x7f ? ' ' : src[i];
	dst[n] = '\0';
}

static void log_copy(char *dst, size_t size, const char *src)
{
	if (src)
		gateway_copy_text(dst, size, src, strlen(src));
}

static struct gateway_event *log_new(struct gateway *g, enum gateway_event_kind kind, uint64_t now)
{
	struct gateway_event *e;

	if (!g->params.events)
		return NULL;
	e = gateway_event_reserve(g->params.events);
	if (!e)
		return NULL;
	e->kind = (uint8_t)kind;
	e->time_ns = gateway_realtime(g, now);
	e->worker = (uint8_t)g->params.worker;
	e->generation = g->gen ? g->gen->number : 0;
	return e;
}

void log_next_hop(const struct hop *hop, uint64_t now)
{
	struct gateway_event *e = log_new(hop->g, GATEWAY_EVENT_NEXT_HOP, now);

	if (!e)
		return;
	e->up = hop->up;
	e->level = (uint8_t)hop->level;
	e->upstream_tls = hop->tls_seen;
	e->upstream_verified = hop->verified_seen;
	e->side = (uint8_t)(hop->config ? hop->config->side : NET_INSIDE);
	e->client = hop->addr;
	e->client_port = hop->port;
	log_copy(e->next_hop, sizeof(e->next_hop), hop->name);
	log_copy(e->text, sizeof(e->text), hop->error);
	gateway_event_commit(hop->g->params.events);
}

static void log_client(const struct session *s, struct gateway_event *e)
{
	e->session_id = s->id;
	e->client = s->client;
	e->client_port = s->client_port;
	e->side = (uint8_t)s->listener->side;
	e->client_tls = s->version != NULL;
	log_copy(e->client_version, sizeof(e->client_version), s->version);
	log_copy(e->client_cipher, sizeof(e->client_cipher), s->cipher);
	log_copy(e->helo, sizeof(e->helo), s->helo);
}

void log_session(const struct session *s, uint64_t now)
{
	struct gateway_event *e = log_new(s->g, GATEWAY_EVENT_SESSION, now);

	if (!e)
		return;
	log_client(s, e);
	e->message = s->messages;
	e->bytes = s->down.bytes_in + s->down.bytes_out;
	e->duration_us = (uint32_t)((now - s->started) / 1000);
	/* Why TLS failed, if it did: session_handshake() left it there. */
	if (!s->version && s->final.len > 0 && s->final.code == 0)
		log_copy(e->text, sizeof(e->text), s->final.text);
	gateway_event_commit(s->g->params.events);
}

void log_message(struct session *s, enum gateway_outcome outcome, uint16_t code,
	struct smtp_status status, struct smtp_str text, uint64_t now)
{
	struct gateway_event *e;

	if (s->logged)
		return;
	s->logged = true;
	if (outcome != GATEWAY_OUTCOME_NONE)
		gateway_count(s->g, outcome_counters[outcome], 1);
	e = log_new(s->g, GATEWAY_EVENT_MESSAGE, now);
	if (!e)
		return;
	log_client(s, e);
	e->outcome = (uint8_t)outcome;
	e->generation = s->verdict.generation;
	e->upstream_id = s->upstream_id;
	e->message = s->messages;
	e->bytes = s->body_bytes;
	e->duration_us = (uint32_t)((now - s->began) / 1000);
	e->recipients = s->accepted > 255 ? 255 : (uint8_t)s->accepted;
	e->level = (uint8_t)s->verdict.level;
	e->rule = (uint8_t)s->verdict.rule;
	e->suspended = s->verdict.suspended;
	e->partner_id = s->verdict.partner_id;
	log_copy(e->partner, sizeof(e->partner), s->verdict.partner);
	e->upstream_tls = s->up_version != NULL;
	e->upstream_verified = s->up_verified;
	log_copy(e->upstream_version, sizeof(e->upstream_version), s->up_version);
	log_copy(e->upstream_cipher, sizeof(e->upstream_cipher), s->up_cipher);
	log_copy(e->next_hop, sizeof(e->next_hop), s->next_hop);
	log_copy(e->sender, sizeof(e->sender), s->sender);
	e->reply_code = code;
	e->reply_status[0] = status.class;
	e->reply_status[1] = (uint8_t)status.subject;
	e->reply_status[2] = (uint8_t)status.detail;
	gateway_copy_text(e->text, sizeof(e->text), text.data, text.len);
	gateway_event_commit(s->g->params.events);
}
