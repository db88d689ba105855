/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/control/daemon/fake_dataplane.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static union {
	struct ipc_header header;
	uint64_t align;
	uint8_t room[IPC_MESSAGE_MAX];
} in, out;

int fake_connect(struct fake *f)
{
	int fd[2], size = 4 * IPC_MESSAGE_MAX;

	fake_close(f);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) < 0)
		abort();
	/* Small, so that a push meets a full socket. */
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	f->fd = fd[0];
	f->open = f->subscribed = false;
	return fd[1];
}

void fake_close(struct fake *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* The event's queue may be full: then the reader is slow on purpose. */
static void reply(struct fake *f, uint16_t type, size_t length, uint32_t id)
{
	const char *why;

	ipc_header_init(&out.header, type, length, id);
	if (ipc_check(out.room, length, IPC_TO_CLIENT, &why) < 0) {
		fprintf(stderr, "the fake's own %s is bad: %s\n", ipc_type_name(type), why);
		abort();
	}
	if (send(f->fd, out.room, length, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		fake_close(f);
}

static void result(struct fake *f, int error, const char *text)
{
	struct ipc_result *r = (struct ipc_result *)out.room;

	memset(r, 0, sizeof(*r));
	r->error = error;
	r->request = in.header.type;
	r->generation = f->committed.generation;
	ipc_string_set(r->text, sizeof(r->text), text);
	reply(f, IPC_RESULT, sizeof(*r), in.header.id);
}

static void hello(struct fake *f)
{
	struct ipc_hello_reply *r = (struct ipc_hello_reply *)out.room;

	memset(r, 0, sizeof(*r));
	r->pid = 4711;
	r->worker_count = FAKE_WORKERS;
	r->start_time = 1;
	r->generation = f->committed.generation;
	ipc_string_set(r->version, sizeof(r->version), "fake");
	reply(f, IPC_HELLO | IPC_REPLY, sizeof(*r), in.header.id);
}

static void begin(struct fake *f, uint64_t generation, bool config)
{
	if (f->refuse_begin != 0 && f->refuse_count > 0) {
		f->refuse_count--;
		result(f, f->refuse_begin, "busy");
		return;
	}
	if (f->open || generation <= f->committed.generation) {
		result(f, f->open ? EBUSY : EINVAL, "begin");
		return;
	}
	if (config) {
		f->building = (struct fake_state){0};
		/* Partners stay unless they are reset. */
		memcpy(f->building.partners, f->committed.partners, sizeof(f->building.partners));
		f->building.partner_count = f->committed.partner_count;
	} else {
		f->building = f->committed;
	}
	f->building.generation = generation;
	f->open = true;
	result(f, 0, "");
}

static struct fake_partner *building_partner(struct fake *f, uint32_t id, bool make)
{
	struct fake_state *s = &f->building;

	for (unsigned int i = 0; i < s->partner_count; i++)
		if (s->partners[i].id == id)
			return &s->partners[i];
	if (!make || s->partner_count == FAKE_PARTNERS)
		return NULL;
	s->partners[s->partner_count] = (struct fake_partner){.id = id};
	return &s->partners[s->partner_count++];
}

static void partner_item(struct fake *f)
{
	const struct ipc_partner_set *set = (const struct ipc_partner_set *)in.room;
	const struct ipc_partner_domains *domains = (const struct ipc_partner_domains *)in.room;
	const struct ipc_partner_prefixes *prefixes = (const struct ipc_partner_prefixes *)in.room;
	struct fake_partner *p;

	if (in.header.type == IPC_PARTNER_RESET) {
		f->building.partner_count = 0;
		return;
	}
	p = building_partner(f, set->id, in.header.type == IPC_PARTNER_SET);
	if (p == NULL)
		abort();
	switch (in.header.type) {
	case IPC_PARTNER_SET:
		*p = (struct fake_partner){.id = set->id,
			.inbound = set->inbound,
			.suspended_until = set->suspended_until};
		memcpy(p->name, set->name, sizeof(p->name));
		break;
	case IPC_PARTNER_DOMAINS:
		p->domains += domains->count;
		break;
	case IPC_PARTNER_PREFIXES:
		p->prefixes += prefixes->count;
		break;
	default:
		*p = f->building.partners[--f->building.partner_count];
		break;
	}
}

static void commit(struct fake *f)
{
	f->commits++;
	if (f->die_at_commit) {
		fake_close(f);
	} else if (f->refuse_commit != 0) {
		f->open = false;
		result(f, f->refuse_commit, f->refuse_text);
	} else {
		f->committed = f->building;
		f->open = false;
		result(f, 0, "");
	}
}

static void status(struct fake *f)
{
	struct ipc_status_reply *r = (struct ipc_status_reply *)out.room;

	memset(r, 0, sizeof(*r));
	r->pid = 4711;
	r->worker_count = FAKE_WORKERS;
	r->uptime_ms = 61000;
	r->generation = r->oldest_generation = f->committed.generation;
	r->partners = f->committed.partner_count;
	ipc_string_set(r->version, sizeof(r->version), "fake");
	reply(f, IPC_STATUS | IPC_REPLY, sizeof(*r), in.header.id);
}

static void workers(struct fake *f)
{
	struct ipc_workers_reply *r = (struct ipc_workers_reply *)out.room;

	memset(r, 0, sizeof(*r) + FAKE_WORKERS * sizeof(r->workers[0]));
	r->cycles_per_second = 1000000000;
	r->count = FAKE_WORKERS;
	for (unsigned int i = 0; i < FAKE_WORKERS; i++) {
		r->workers[i].lcore = r->workers[i].cpu = i + 1;
		r->workers[i].generation = f->committed.generation;
		r->workers[i].cycles_busy = 25;
		r->workers[i].cycles_total = 100;
		r->workers[i].tx_mbufs = 4096;
		r->workers[i].tx_mbufs_free = 4000;
	}
	reply(f, IPC_WORKERS | IPC_REPLY, sizeof(*r) + FAKE_WORKERS * sizeof(r->workers[0]),
		in.header.id);
}

/* Five counters, in pages of three. */
#define COUNTERS 5
#define PAGE     3

static void counter_names(struct fake *f)
{
	const struct ipc_counter_names *q = (const struct ipc_counter_names *)in.room;
	struct ipc_counter_names_reply *r = (struct ipc_counter_names_reply *)out.room;
	size_t size = sizeof(*r);

	memset(r, 0, sizeof(*r) + PAGE * sizeof(r->names[0]));
	for (uint32_t i = q->cursor; i < COUNTERS && r->count < PAGE; i++) {
		char name[16];

		snprintf(name, sizeof(name), "counter_%u", i);
		ipc_string_set(r->names[r->count++], sizeof(r->names[0]), name);
		size += sizeof(r->names[0]);
	}
	r->total = COUNTERS;
	r->next = q->cursor + r->count < COUNTERS ? q->cursor + r->count : IPC_CURSOR_END;
	reply(f, IPC_COUNTER_NAMES | IPC_REPLY, size, in.header.id);
}

/* Counter i of worker w is i * 10 + w, but counter 2 is 0. */
static void counter_values(struct fake *f)
{
	const struct ipc_counter_values *q = (const struct ipc_counter_values *)in.room;
	struct ipc_counter_values_reply *r = (struct ipc_counter_values_reply *)out.room;

	memset(r, 0, sizeof(*r));
	r->worker = q->worker;
	for (uint32_t i = q->cursor; i < COUNTERS && r->count < PAGE; i++)
		r->values[r->count++] = i == 2 ? 0 : i * 10 + q->worker;
	r->next = q->cursor + r->count < COUNTERS ? q->cursor + r->count : IPC_CURSOR_END;
	reply(f, IPC_COUNTER_VALUES | IPC_REPLY, sizeof(*r) + r->count * sizeof(r->values[0]),
		in.header.id);
}

/* Six sessions a worker, in pages of four. */
static void sessions(struct fake *f)
{
	const struct ipc_page *q = (const struct ipc_page *)in.room;
	struct ipc_sessions_reply *r = (struct ipc_sessions_reply *)out.room;

	memset(r, 0, sizeof(*r) + 4 * sizeof(r->sessions[0]));
	r->worker = q->worker;
	for (uint32_t i = q->cursor; i < 6 && r->count < 4; i++) {
		struct ipc_session *s = &r->sessions[r->count++];

		s->id = (uint64_t)q->worker << 56 | (i + 1);
		s->client = (struct ipc_addr){{[10] = 0xff, 0xff, 203, 0, 113, (uint8_t)i}};
		ipc_string_set(s->state, sizeof(s->state), "ready");
		memcpy(s->helo, "\xff\xfe", 3); /* not UTF-8 */
	}
	r->next = q->cursor + r->count < 6 ? q->cursor + r->count : IPC_CURSOR_END;
	reply(f, IPC_SESSIONS | IPC_REPLY, sizeof(*r) + r->count * sizeof(r->sessions[0]),
		in.header.id);
}

/* One next hop: up on the first worker only. */
static void next_hops(struct fake *f)
{
	const struct ipc_page *q = (const struct ipc_page *)in.room;
	struct ipc_next_hops_reply *r = (struct ipc_next_hops_reply *)out.room;
	struct ipc_next_hop_state *h = &r->next_hops[0];

	memset(r, 0, sizeof(*r) + sizeof(*h));
	r->worker = q->worker;
	r->count = 1;
	r->next = IPC_CURSOR_END;
	h->address = (struct ipc_addr){{[10] = 0xff, 0xff, 192, 0, 2, 3}};
	h->port = 25;
	h->checked = h->tls = 1;
	h->up = q->worker == 0;
	h->active = 2;
	h->idle = 1;
	h->ext = 1;
	ipc_string_set(h->name, sizeof(h->name), "b.example.net");
	if (!h->up)
		ipc_string_set(h->error, sizeof(h->error), "connection refused");
	reply(f, IPC_NEXT_HOPS | IPC_REPLY, sizeof(*r) + sizeof(*h), in.header.id);
}

static void handle(struct fake *f)
{
	switch (in.header.type) {
	case IPC_HELLO:
		hello(f);
		break;
	case IPC_SUBSCRIBE:
		f->subscribed = true;
		result(f, 0, "");
		break;
	case IPC_CONFIG_BEGIN:
		f->config_begins++;
		begin(f, ((const struct ipc_config_begin *)in.room)->generation, true);
		memcpy(f->building.hostname, ((const struct ipc_config_begin *)in.room)->hostname,
			sizeof(f->building.hostname));
		break;
	case IPC_POLICY_BEGIN:
		f->policy_begins++;
		begin(f, ((const struct ipc_policy_begin *)in.room)->generation, false);
		break;
	case IPC_COMMIT:
		commit(f);
		break;
	case IPC_INTERFACE:
		f->building.interfaces++;
		break;
	case IPC_ADDRESS:
		f->building.addresses++;
		break;
	case IPC_ROUTE:
		f->building.routes++;
		break;
	case IPC_LISTENER:
		f->building.listeners++;
		break;
	case IPC_NEXT_HOP:
		f->building.next_hops++;
		break;
	case IPC_PARTNER_RESET:
	case IPC_PARTNER_SET:
	case IPC_PARTNER_DOMAINS:
	case IPC_PARTNER_PREFIXES:
	case IPC_PARTNER_DELETE:
		partner_item(f);
		break;
	case IPC_STATUS:
		status(f);
		break;
	case IPC_WORKERS:
		workers(f);
		break;
	case IPC_COUNTER_NAMES:
		counter_names(f);
		break;
	case IPC_COUNTER_VALUES:
		counter_values(f);
		break;
	case IPC_SESSIONS:
		sessions(f);
		break;
	case IPC_NEXT_HOPS:
		next_hops(f);
		break;
	default:
		break;
	}
}

bool fake_pump(struct fake *f)
{
	const char *why;
	ssize_t n;

	if (f->fd < 0 || f->deaf)
		return false;
	n = recv(f->fd, in.room, sizeof(in.room), MSG_DONTWAIT);
	if (n < 0)
		return false;
	if (n == 0) {
		fake_close(f);
		return true;
	}
	if (ipc_check(in.room, (size_t)n, IPC_TO_DATAPLANE, &why) < 0) {
		fprintf(stderr, "bad %s from postgated: %s\n", ipc_type_name(in.header.type), why);
		abort();
	}
	if (!f->silent)
		handle(f);
	return true;
}

void fake_events(struct fake *f, unsigned int first, unsigned int count)
{
	struct ipc_events *m = (struct ipc_events *)out.room;

	while (count > 0) {
		unsigned int n = count < IPC_EVENTS_PAGE ? count : (unsigned int)IPC_EVENTS_PAGE;

		memset(m, 0, sizeof(*m) + n * sizeof(m->events[0]));
		m->count = (uint16_t)n;
		for (unsigned int i = 0; i < n; i++) {
			m->events[i].kind = IPC_EVENT_MESSAGE;
			m->events[i].message = first++;
			m->events[i].time_ns = 1700000000000000000u;
			m->events[i].outcome = IPC_OUTCOME_DELIVERED;
			ipc_string_set(
				m->events[i].sender, sizeof(m->events[i].sender), "a@b>\xff");
			ipc_string_set(
				m->events[i].text, sizeof(m->events[i].text), "2.0.0 \"ok\"");
		}
		reply(f, IPC_EVENTS, sizeof(*m) + n * sizeof(m->events[0]), 0);
		count -= n;
	}
}

void fake_event(struct fake *f, const struct ipc_event *event, unsigned int count)
{
	struct ipc_events *m = (struct ipc_events *)out.room;

	for (unsigned int i = 0; i < count; i++) {
		memset(m, 0, sizeof(*m));
		m->count = 1;
		m->events[0] = *event;
		reply(f, IPC_EVENTS, sizeof(*m) + sizeof(m->events[0]), 0);
	}
}

const struct fake_partner *fake_partner(const struct fake *f, const char *name)
{
	for (unsigned int i = 0; i < f->committed.partner_count; i++)
		if (strcmp(f->committed.partners[i].name, name) == 0)
			return &f->committed.partners[i];
	return NULL;
}
