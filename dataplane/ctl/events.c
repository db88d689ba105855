// SPDX-License-Identifier: BSD-3-Clause
/*
 * From the workers' event rings to the subscriber. What it cannot take stays in the rings, where
 * the workers count what no longer fits; nobody waits.
 */
#include <errno.h>
#include <string.h>

#include "dataplane/ctl/private.h"

#define POLL_US         2000
#define MESSAGES_A_TURN 16

_Static_assert((int)IPC_EVENT_SESSION == (int)GATEWAY_EVENT_SESSION &&
		       (int)IPC_EVENT_MESSAGE == (int)GATEWAY_EVENT_MESSAGE &&
		       (int)IPC_EVENT_NEXT_HOP == (int)GATEWAY_EVENT_NEXT_HOP,
	"the protocol's numbers are the gateway's");
_Static_assert((int)IPC_OUTCOME_CLIENT_GONE == (int)GATEWAY_OUTCOME_CLIENT_GONE &&
		       (int)IPC_OUTCOME_DEFERRED == (int)GATEWAY_OUTCOME_DEFERRED,
	"the protocol's numbers are the gateway's");
_Static_assert((int)IPC_LEVEL_MUTUAL == (int)POLICY_MUTUAL &&
		       (int)IPC_RULE_ADDRESS == (int)POLICY_RULE_ADDRESS,
	"the protocol's numbers are the policy's");

uint64_t events_lost_by_workers(const struct ctl *c)
{
	uint64_t lost = 0;

	for (uint16_t w = 0; w < c->params.group->count; w++)
		lost += __atomic_load_n(
			&worker_events(c->params.group->workers[w])->dropped, __ATOMIC_RELAXED);
	return lost;
}

/* Strangers choose what stands in HELO, sender and replies: no control character gets out. */
static void set_text(char *field, size_t size, const char *text)
{
	ipc_string_set(field, size, text);
	for (size_t i = 0; field[i] != '\0'; i++) {
		if ((uint8_t)field[i] < 0x20 || field[i] == 0x7f)
			field[i] = '?';
	}
}
#define COPY(field)                                             \
	do {                                                    \
		char copy[sizeof(e->field) + 1];                \
		memcpy(copy, e->field, sizeof(e->field));       \
		copy[sizeof(e->field)] = '\0';                  \
		set_text(out->field, sizeof(out->field), copy); \
	} while (0)

static void fill(struct ipc_event *out, const struct gateway_event *e)
{
	out->time_ns = e->time_ns;
	out->session_id = e->session_id;
	out->upstream_id = e->upstream_id;
	out->generation = e->generation;
	out->bytes = e->bytes;
	out->duration_us = e->duration_us;
	out->partner_id = e->partner_id;
	out->message = e->message;
	out->client_port = e->client_port;
	out->reply_code = e->reply_code;
	memcpy(out->reply_status, e->reply_status, sizeof(out->reply_status));
	out->kind = e->kind;
	out->outcome = e->outcome;
	out->level = e->level;
	out->rule = e->rule;
	out->side = e->side;
	out->recipients = e->recipients;
	out->worker = e->worker;
	out->client_tls = e->client_tls;
	out->upstream_tls = e->upstream_tls;
	out->upstream_verified = e->upstream_verified;
	out->up = e->up;
	out->suspended = e->suspended;
	memcpy(out->client.b, e->client.b, sizeof(out->client.b));
	COPY(client_version);
	COPY(upstream_version);
	COPY(client_cipher);
	COPY(upstream_cipher);
	COPY(partner);
	COPY(next_hop);
	COPY(helo);
	COPY(sender);
	COPY(text);
}

/* Fills one message from the rings, each in turn. False: they are empty. */
static bool push(struct ctl *c)
{
	struct ipc_events *m = (struct ipc_events *)c->out;
	struct client *cl = c->subscriber;
	uint16_t count = 0;
	bool any = true;

	memset(m, 0, sizeof(*m));
	while (any && count < IPC_EVENTS_PAGE) {
		any = false;
		for (uint16_t w = 0; w < c->params.group->count && count < IPC_EVENTS_PAGE; w++) {
			struct gateway_event_ring *ring =
				worker_events(c->params.group->workers[w]);
			const struct gateway_event *e = gateway_event_peek(ring);

			if (e == NULL)
				continue;
			any = true;
			c->events++;
			if (cl->kinds >> e->kind & 1) {
				memset(&m->events[count], 0, sizeof(m->events[count]));
				fill(&m->events[count++], e);
			}
			gateway_event_pop(ring);
		}
	}
	if (count == 0)
		return false;
	ipc_header_init(&m->header, IPC_EVENTS, sizeof(*m) + count * sizeof(m->events[0]), 0);
	m->count = count;
	m->lost_ring = events_lost_by_workers(c);
	m->lost_queue = c->events_lost_queue;
	client_send(cl, m, count);
	return any;
}

void events_poll(void *arg)
{
	struct ctl *c = arg;
	bool more = true;

	for (int i = 0; i < MESSAGES_A_TURN && more && c->subscriber != NULL &&
			c->subscriber->queued < QUEUE_EVENTS_MAX && !c->subscriber->closing;
		i++)
		more = push(c);
	if (c->subscriber != NULL)
		loop_timer_start(
			c->loop, &c->event_timer, more && c->subscriber->queued == 0 ? 0 : POLL_US);
}

int handle_subscribe(struct client *cl, const struct ipc_header *h)
{
	const struct ipc_subscribe *m = (const struct ipc_subscribe *)h;
	struct ctl *c = cl->ctl;

	cl->kinds = m->kinds;
	if (m->kinds != 0) {
		c->subscriber = cl;
		loop_timer_start(c->loop, &c->event_timer, POLL_US);
	} else if (c->subscriber == cl) {
		c->subscriber = NULL;
	}
	client_result(cl, h->id, h->type, 0, "");
	return 0;
}

void events_client_gone(struct ctl *c, const struct client *cl)
{
	if (c->subscriber == cl)
		c->subscriber = NULL;
}
