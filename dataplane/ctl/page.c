// SPDX-License-Identifier: BSD-3-Clause
/*
 * Questions that workers answer themselves, at their next loop. The control thread looks for the
 * answer every millisecond; a worker that does not come is given up on after a second, the memory
 * that it may still write to stays set aside.
 */
#include <errno.h>
#include <string.h>

#include "dataplane/ctl/private.h"

#define POLL_US    1000
#define TIMEOUT_NS UINT64_C(1000000000)

/* Clients choose what stands in HELO and in replies: no control character gets into a message. */
static void set_text(char *field, size_t size, const char *text)
{
	ipc_string_set(field, size, text);
	for (size_t i = 0; field[i] != '\0'; i++) {
		if ((uint8_t)field[i] < 0x20 || field[i] == 0x7f)
			field[i] = '?';
	}
}
#define SET(field, text) set_text(field, sizeof(field), text)

static void set_addr(struct ipc_addr *out, const struct ip_addr *a)
{
	memcpy(out->b, a->b, sizeof(out->b));
}

static void fill_session(struct ipc_session *out, const struct gateway_session_info *s)
{
	out->id = s->id;
	set_addr(&out->client, &s->client);
	out->bytes_in = s->bytes_in;
	out->bytes_out = s->bytes_out;
	out->age_s = s->age_s;
	out->messages = s->messages;
	out->client_port = s->client_port;
	out->side = s->side;
	out->client_tls = s->client_tls;
	out->upstream_tls = s->upstream_tls;
	SET(out->state, s->state);
	SET(out->upstream_state, s->upstream_state);
	SET(out->client_version, s->client_version);
	SET(out->client_cipher, s->client_cipher);
	SET(out->partner, s->partner);
	SET(out->next_hop, s->next_hop);
	SET(out->helo, s->helo);
}

static void fill_next_hop(struct ipc_next_hop_state *out, const struct gateway_next_hop_info *h)
{
	set_addr(&out->address, &h->addr);
	out->port = h->port;
	out->up = h->up;
	out->checked = h->checked;
	out->tls = h->tls;
	out->verified = h->verified;
	out->ext = h->ext;
	out->active = h->active;
	out->idle = h->idle;
	SET(out->name, h->name);
	SET(out->error, h->error);
}

static void fill_tcp(struct ipc_tcp_conn *out, const struct tcp_info *t)
{
	set_addr(&out->local, &t->local);
	set_addr(&out->remote, &t->remote);
	out->local_port = t->local_port;
	out->remote_port = t->remote_port;
	out->snd_wscale = t->snd_wscale;
	out->rcv_wscale = t->rcv_wscale;
	out->timestamps = t->timestamps;
	out->sack = t->sack;
	out->ecn = t->ecn;
	out->rtt_us = t->rtt_us;
	out->rttvar_us = t->rttvar_us;
	out->min_rtt_us = t->min_rtt_us;
	out->rto_ms = t->rto_ms;
	out->mss = t->mss;
	out->snd_cwnd = t->snd_cwnd_bytes;
	out->ssthresh = t->ssthresh_bytes;
	out->in_flight = t->in_flight_bytes;
	out->snd_wnd = t->snd_wnd;
	out->rcv_wnd = t->rcv_wnd;
	out->retransmits = t->retransmits;
	out->lost_segments = t->lost_segments;
	out->bytes_sent = t->bytes_sent;
	out->bytes_acked = t->bytes_acked;
	out->bytes_received = t->bytes_received;
	SET(out->state, t->state != NULL ? t->state : "");
}

/* The three replies begin alike. */
_Static_assert(offsetof(struct ipc_sessions_reply, sessions) ==
			       offsetof(struct ipc_next_hops_reply, next_hops) &&
		       offsetof(struct ipc_sessions_reply, sessions) ==
			       offsetof(struct ipc_tcp_reply, conns),
	"one head for three replies");

static void answer(struct ctl *c, struct page *p)
{
	static const size_t sizes[] = {
		[WORKER_ASK_SESSIONS] = sizeof(struct ipc_session),
		[WORKER_ASK_NEXT_HOPS] = sizeof(struct ipc_next_hop_state),
		[WORKER_ASK_TCP] = sizeof(struct ipc_tcp_conn),
	};
	uint32_t count = p->question.count;
	struct ipc_sessions_reply *r = ctl_reply(
		c, p->type | IPC_REPLY, sizeof(*r) + count * sizes[p->question.kind], p->id);

	r->next = p->question.cursor;
	r->worker = p->worker;
	r->count = (uint16_t)count;
	for (uint32_t i = 0; i < count; i++) {
		switch (p->question.kind) {
		case WORKER_ASK_SESSIONS:
			fill_session(&r->sessions[i], &p->sessions[i]);
			break;
		case WORKER_ASK_NEXT_HOPS:
			fill_next_hop(
				&((struct ipc_next_hops_reply *)r)->next_hops[i], &p->next_hops[i]);
			break;
		case WORKER_ASK_TCP:
			fill_tcp(&((struct ipc_tcp_reply *)r)->conns[i], &p->tcp[i]);
			break;
		}
	}
	client_send(p->client, r, 0);
}

int handle_page(struct client *cl, const struct ipc_header *h)
{
	const struct ipc_page *m = (const struct ipc_page *)h;
	struct ctl *c = cl->ctl;
	struct page *p;
	int rc;

	if (m->worker >= c->params.group->count) {
		client_result(cl, h->id, h->type, -ENOENT, "there is no such worker");
		return 0;
	}
	p = &c->pages[m->worker];
	if (p->busy && p->client == NULL) {
		client_result(cl, h->id, h->type, -ETIMEDOUT, "the worker does not answer");
		return 0;
	}
	if (p->busy)
		return -EAGAIN;
	memset(&p->question, 0, sizeof(p->question));
	p->question.cursor = m->cursor;
	p->question.max = m->max;
	switch (h->type) {
	case IPC_SESSIONS:
		p->question.kind = WORKER_ASK_SESSIONS;
		p->question.sessions = p->sessions;
		break;
	case IPC_NEXT_HOPS:
		p->question.kind = WORKER_ASK_NEXT_HOPS;
		p->question.next_hops = p->next_hops;
		p->question.max = IPC_PAGE_MAX; /* it knows no cursor: all there can be */
		break;
	default:
		p->question.kind = WORKER_ASK_TCP;
		p->question.tcp = p->tcp;
		break;
	}
	rc = worker_ask(c->params.group->workers[m->worker], &p->question);
	if (rc < 0) {
		client_result(cl, h->id, h->type, rc, "the worker cannot be asked");
		return 0;
	}
	p->client = cl;
	p->id = h->id;
	p->type = h->type;
	p->worker = m->worker;
	p->busy = true;
	p->asked_ns = loop_now_ns();
	if (c->pages_busy++ == 0)
		loop_timer_start(c->loop, &c->page_timer, POLL_US);
	return 0;
}

void page_poll(void *arg)
{
	struct ctl *c = arg;
	uint64_t now = loop_now_ns();
	bool ended = false;

	for (uint16_t w = 0; w < c->params.group->count; w++) {
		struct page *p = &c->pages[w];

		if (!p->busy)
			continue;
		if (atomic_load_explicit(&p->question.done, memory_order_acquire)) {
			if (p->client != NULL)
				answer(c, p);
			p->busy = false;
			p->client = NULL;
			c->pages_busy--;
			ended = true;
		} else if (p->client != NULL && now - p->asked_ns > TIMEOUT_NS) {
			client_result(p->client, p->id, p->type, -ETIMEDOUT,
				"the worker does not answer");
			p->client = NULL;
			ended = true;
		}
	}
	if (c->pages_busy > 0)
		loop_timer_start(c->loop, &c->page_timer, POLL_US);
	if (ended)
		server_resume(c);
}

void page_client_gone(struct ctl *c, const struct client *cl)
{
	for (uint16_t w = 0; w < c->params.group->count; w++) {
		if (c->pages[w].client == cl)
			c->pages[w].client = NULL;
	}
}
