// SPDX-License-Identifier: BSD-3-Clause
/* Questions that the control thread answers itself, from what workers publish about themselves. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#include "dataplane/ctl/private.h"

int handle_status(struct client *cl, const struct ipc_header *m)
{
	struct ctl *c = cl->ctl;
	struct ipc_status_reply *r = ctl_reply(c, IPC_STATUS | IPC_REPLY, sizeof(*r), m->id);
	struct worker_group *group = c->params.group;
	struct policy_map_usage usage;

	policy_map_get_usage(c->policy, &usage);
	r->pid = (uint32_t)getpid();
	r->worker_count = group->count;
	r->draining = c->stopping;
	r->committing = c->transaction.state == TRANSACTION_BUILD ||
			c->transaction.state == TRANSACTION_PREPARE ||
			c->transaction.state == TRANSACTION_ADOPT;
	r->start_time = c->start_time;
	r->uptime_ms = (loop_now_ns() - c->start_ns) / 1000000;
	r->generation = ctl_generation(c);
	r->oldest_generation = UINT64_MAX;
	for (uint16_t i = 0; i < group->count; i++) {
		uint64_t g = worker_generation(group->workers[i]);

		r->oldest_generation = g < r->oldest_generation ? g : r->oldest_generation;
	}
	r->partners = usage.partners;
	r->domains = usage.domains;
	r->prefixes = usage.prefixes;
	r->clients = c->client_count;
	r->policy_bytes = usage.bytes;
	r->events = c->events;
	r->events_lost_ring = events_lost_by_workers(c);
	r->events_lost_queue = c->events_lost_queue;
	ipc_string_set(r->version, sizeof(r->version), c->params.version);
	client_send(cl, r, 0);
	return 0;
}

/* The one CPU that an lcore is bound to. */
static uint32_t lcore_cpu(unsigned int lcore)
{
	rte_cpuset_t set = rte_lcore_cpuset(lcore);

	if (CPU_COUNT(&set) != 1)
		return UINT32_MAX;
	for (uint32_t i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set))
			return i;
	}
	return UINT32_MAX;
}

static void fill_worker(struct ctl *c, uint16_t index, struct ipc_worker *out)
{
	struct worker *w = c->params.group->workers[index];
	struct worker_stats s;

	worker_get_stats(w, &s);
	*out = (struct ipc_worker){
		.lcore = s.lcore,
		.cpu = lcore_cpu(s.lcore),
		.generation = worker_generation(w),
		.cycles_busy = s.cycles_busy,
		.cycles_total = s.cycles_total,
		.loops = s.loops,
		.tx_mbufs_free = s.tx_mbufs_free,
		.tx_mbufs = s.tx_mbufs,
		.ctl_mbufs_free = s.ctl_mbufs_free,
		.ctl_mbufs = s.ctl_mbufs,
		.conns = s.tcp.conns,
		.half_open = s.tcp.half_open,
		.time_wait = s.tcp.time_wait,
		.max_conns = s.tcp.max_conns,
		.ports = s.tcp.ports,
		.timers = s.tcp.timers,
		.rx_held_mbufs = s.tcp.rx_mbufs,
		.tx_held_mbufs = s.tcp.tx_mbufs,
		.recv_bytes = s.tcp.recv_bytes,
		.sessions = s.gateway.sessions,
		.max_sessions = s.gateway.max_sessions,
		.upstreams = s.gateway.upstreams,
		.max_upstreams = s.gateway.max_upstreams,
		.linebufs = s.gateway.linebufs,
		.max_linebufs = s.gateway.max_linebufs,
		.messages = c->delivered == SIZE_MAX ? 0 : worker_counter_value(w, c->delivered),
		.events_dropped = __atomic_load_n(&worker_events(w)->dropped, __ATOMIC_RELAXED),
	};
}

int handle_workers(struct client *cl, const struct ipc_header *m)
{
	struct ctl *c = cl->ctl;
	uint16_t count = c->params.group->count;
	struct ipc_workers_reply *r = ctl_reply(
		c, IPC_WORKERS | IPC_REPLY, sizeof(*r) + count * sizeof(r->workers[0]), m->id);

	r->cycles_per_second = rte_get_tsc_hz();
	r->count = count;
	for (uint16_t i = 0; i < count; i++)
		fill_worker(c, i, &r->workers[i]);
	client_send(cl, r, 0);
	return 0;
}

/*
 * The numbered list: the workers' counters, then each port's. A port's belong to no worker: they
 * are shown with worker 0 and are 0 with the others, so that the sum over workers is right.
 */
static void counter_name(const struct ctl *c, size_t i, char name[IPC_COUNTER_NAME_MAX])
{
	char text[128];

	if (i < c->worker_counters) {
		ipc_string_set(name, IPC_COUNTER_NAME_MAX, worker_counter_name(i));
		return;
	}
	i -= c->worker_counters;
	for (uint16_t p = 0; p < c->params.port_count; p++) {
		const void *port = c->params.ports[p].handle;
		size_t n = c->params.port_ops->counter_count(port);

		if (i < n) {
			snprintf(text, sizeof(text), "port%u_%s", p,
				c->params.port_ops->counter_name(port, i));
			ipc_string_set(name, IPC_COUNTER_NAME_MAX, text);
			return;
		}
		i -= n;
	}
}

int handle_counter_names(struct client *cl, const struct ipc_header *h)
{
	const struct ipc_counter_names *m = (const struct ipc_counter_names *)h;
	struct ctl *c = cl->ctl;
	size_t total = c->worker_counters + c->port_counters, count;
	struct ipc_counter_names_reply *r;

	count = m->cursor >= total ? 0 : total - m->cursor;
	if (count > IPC_COUNTER_NAMES_PAGE)
		count = IPC_COUNTER_NAMES_PAGE;
	r = ctl_reply(
		c, IPC_COUNTER_NAMES | IPC_REPLY, sizeof(*r) + count * sizeof(r->names[0]), h->id);
	r->total = (uint32_t)total;
	r->count = (uint32_t)count;
	r->next = m->cursor + count < total ? (uint32_t)(m->cursor + count) : IPC_CURSOR_END;
	for (size_t i = 0; i < count; i++)
		counter_name(c, m->cursor + i, r->names[i]);
	client_send(cl, r, 0);
	return 0;
}

static void read_ports(struct ctl *c)
{
	uint64_t *out = c->port_values;

	for (uint16_t p = 0; p < c->params.port_count && c->port_counters > 0; p++) {
		c->params.port_ops->counter_values(c->params.ports[p].handle, out);
		out += c->params.port_ops->counter_count(c->params.ports[p].handle);
	}
}

int handle_counter_values(struct client *cl, const struct ipc_header *h)
{
	const struct ipc_counter_values *m = (const struct ipc_counter_values *)h;
	struct ctl *c = cl->ctl;
	size_t total = c->worker_counters + c->port_counters, count;
	struct ipc_counter_values_reply *r;

	if (m->worker >= c->params.group->count) {
		client_result(cl, h->id, h->type, -ENOENT, "there is no such worker");
		return 0;
	}
	count = m->cursor >= total ? 0 : total - m->cursor;
	if (count > IPC_COUNTER_VALUES_PAGE)
		count = IPC_COUNTER_VALUES_PAGE;
	r = ctl_reply(c, IPC_COUNTER_VALUES | IPC_REPLY, sizeof(*r) + count * sizeof(r->values[0]),
		h->id);
	r->worker = m->worker;
	r->count = (uint32_t)count;
	r->next = m->cursor + count < total ? (uint32_t)(m->cursor + count) : IPC_CURSOR_END;
	if (m->worker == 0)
		read_ports(c);
	for (size_t i = 0; i < count; i++) {
		size_t k = m->cursor + i;

		if (k < c->worker_counters)
			r->values[i] = worker_counter_value(c->params.group->workers[m->worker], k);
		else if (m->worker == 0)
			r->values[i] = c->port_values[k - c->worker_counters];
	}
	client_send(cl, r, 0);
	return 0;
}
