/* SPDX-License-Identifier: BSD-3-Clause */
/* Status, workers, counters: questions to the dataplane on behalf of an API request. */
#include "control/daemon/query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct query *query_new(void *daemon, struct api_request *r,
	void (*step)(struct query *, const struct ipc_header *))
{
	struct query *q = calloc(1, sizeof(*q));
	const struct ipc_hello_reply *hello;

	if (q == NULL) {
		api_reply_error(r, "internal", "out of memory");
		return NULL;
	}
	q->daemon = daemon;
	q->request = r;
	q->step = step;
	q->result = json_object();
	hello = dataplane_hello(q->daemon->dataplane);
	q->workers = hello ? hello->worker_count : 0;
	return q;
}

static void query_free(struct query *q)
{
	json_decref(q->result);
	free(q);
}

void query_done(struct query *q)
{
	api_reply(q->request, json_incref(q->result));
	query_free(q);
}

static void query_fail(struct query *q, int error, const char *text)
{
	api_reply_error(q->request, "unavailable", "%s",
		error == -ENOTCONN ? "the dataplane cannot be reached" : text);
	query_free(q);
}

static void query_answer(void *arg, const struct ipc_header *answer, int error, const char *text)
{
	struct query *q = arg;

	if (error < 0)
		query_fail(q, error, text);
	else if (answer->type == IPC_RESULT)
		query_fail(q, -EPROTO, "the dataplane's answer is of another kind");
	else
		q->step(q, answer);
}

void query_ask(struct query *q, const struct ipc_header *m)
{
	int rc = dataplane_ask(q->daemon->dataplane, m, query_answer, q);

	if (rc < 0)
		query_fail(q, rc, strerror(-rc));
}

void query_ask_plain(struct query *q, uint16_t type)
{
	struct ipc_header m;

	ipc_header_init(&m, type, sizeof(m), 0);
	query_ask(q, &m);
}

const char *query_address(const struct ipc_addr *a, char out[ADDRESS_TEXT_MAX])
{
	struct address address;

	memcpy(address.b, a->b, sizeof(address.b));
	address_format(&address, out);
	return out;
}

/* --- status --- */

static json_t *status_daemon(struct daemon *d)
{
	uint64_t partners = 0, domains = 0, addresses = 0;

	store_partner_count(d->params.store, &partners, &domains, &addresses);
	return json_pack("{s:s, s:i, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:s, s:b, s:s, s:I, s:o}",
		"version", POSTGATE_VERSION, "pid", (int)getpid(), "started",
		(json_int_t)d->started, "uptime",
		(json_int_t)((daemon_now_ms() - d->started_ms) / 1000), "generation",
		(json_int_t)d->generation, "config", d->params.config_path, "partners",
		(json_int_t)partners, "domains", (json_int_t)domains, "addresses",
		(json_int_t)addresses, "dataplane",
		!dataplane_is_up(d->dataplane) ? (d->down_why[0] ? d->down_why : "not connected")
		: d->synced                    ? "connected, has it all"
					       : "connected, does not have it all yet",
		"synced", d->synced, "refused", d->refused, "events",
		(json_int_t)events_total(d->events), "warnings", daemon_warnings(d));
}

static void status_workers(struct query *q, const struct ipc_header *answer)
{
	const struct ipc_workers_reply *m = (const struct ipc_workers_reply *)answer;
	json_t *list = json_array();

	for (unsigned int i = 0; i < m->count; i++)
		json_array_append_new(list, json_pack("{s:i, s:i, s:I}", "index", (int)i, "lcore",
						    (int)m->workers[i].lcore, "generation",
						    (json_int_t)m->workers[i].generation));
	json_object_set_new(json_object_get(q->result, "dataplane"), "workers", list);
	query_done(q);
}

static void status_dataplane(struct query *q, const struct ipc_header *answer)
{
	const struct ipc_status_reply *m = (const struct ipc_status_reply *)answer;

	json_object_set_new(q->result, "dataplane",
		json_pack("{s:b, s:s, s:i, s:I, s:I, s:I, s:I, s:b, s:b, s:I, s:I, s:I, s:I, s:I, "
			  "s:I, "
			  "s:I}",
			"connected", 1, "version", m->version, "pid", (int)m->pid, "started",
			(json_int_t)m->start_time, "uptime", (json_int_t)(m->uptime_ms / 1000),
			"generation", (json_int_t)m->generation, "oldest_generation",
			(json_int_t)m->oldest_generation, "draining", m->draining, "committing",
			m->committing, "partners", (json_int_t)m->partners, "domains",
			(json_int_t)m->domains, "addresses", (json_int_t)m->prefixes,
			"policy_bytes", (json_int_t)m->policy_bytes, "events",
			(json_int_t)m->events, "events_lost_ring", (json_int_t)m->events_lost_ring,
			"events_lost_queue", (json_int_t)m->events_lost_queue));
	q->step = status_workers;
	query_ask_plain(q, IPC_WORKERS);
}

void query_status(void *daemon, struct api_request *r, const json_t *args)
{
	struct query *q = query_new(daemon, r, status_dataplane);

	if (q == NULL)
		return;
	json_object_set_new(q->result, "daemon", status_daemon(daemon));
	json_object_set_new(q->result, "resolver", resolver_status(q->daemon->resolver));
	json_object_set_new(q->result, "dataplane", json_pack("{s:b}", "connected", 0));
	/* The daemon's own part is worth telling, most of all when the other is away. */
	if (dataplane_is_up(q->daemon->dataplane))
		query_ask_plain(q, IPC_STATUS);
	else
		query_done(q);
}

/* --- workers --- */

static json_t *pool(uint32_t used, uint32_t size)
{
	return json_pack("{s:I, s:I}", "used", (json_int_t)used, "size", (json_int_t)size);
}

static json_t *worker_json(unsigned int index, const struct ipc_worker *w)
{
	double busy =
		w->cycles_total ? 100.0 * (double)w->cycles_busy / (double)w->cycles_total : 0;
	json_t *o, *pools = json_object();

	/* The order is that of the table's columns. */
	json_object_set_new(pools, "connections", pool(w->conns, w->max_conns));
	json_object_set_new(pools, "sessions", pool(w->sessions, w->max_sessions));
	json_object_set_new(pools, "upstreams", pool(w->upstreams, w->max_upstreams));
	json_object_set_new(pools, "line_buffers", pool(w->linebufs, w->max_linebufs));
	json_object_set_new(pools, "tx_mbufs", pool(w->tx_mbufs - w->tx_mbufs_free, w->tx_mbufs));
	json_object_set_new(
		pools, "ctl_mbufs", pool(w->ctl_mbufs - w->ctl_mbufs_free, w->ctl_mbufs));
	o = json_pack("{s:i, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I}", "index", (int)index, "lcore",
		(json_int_t)w->lcore, "generation", (json_int_t)w->generation, "busy_percent", busy,
		"cycles_busy", (json_int_t)w->cycles_busy, "cycles_total",
		(json_int_t)w->cycles_total, "loops", (json_int_t)w->loops, "messages",
		(json_int_t)w->messages, "events_dropped", (json_int_t)w->events_dropped);
	json_object_update_new(
		o, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "cpu",
			   w->cpu == UINT32_MAX ? (json_int_t)-1 : (json_int_t)w->cpu, "half_open",
			   (json_int_t)w->half_open, "time_wait", (json_int_t)w->time_wait, "ports",
			   (json_int_t)w->ports, "timers", (json_int_t)w->timers, "rx_held_mbufs",
			   (json_int_t)w->rx_held_mbufs, "tx_held_mbufs",
			   (json_int_t)w->tx_held_mbufs, "recv_bytes", (json_int_t)w->recv_bytes));
	json_object_set_new(o, "pools", pools);
	return o;
}

static void workers_step(struct query *q, const struct ipc_header *answer)
{
	const struct ipc_workers_reply *m = (const struct ipc_workers_reply *)answer;
	json_t *list = json_array();

	for (unsigned int i = 0; i < m->count; i++)
		json_array_append_new(list, worker_json(i, &m->workers[i]));
	json_object_set_new(q->result, "workers", list);
	json_object_set_new(
		q->result, "cycles_per_second", json_integer((json_int_t)m->cycles_per_second));
	query_done(q);
}

void query_workers(void *daemon, struct api_request *r, const json_t *args)
{
	struct query *q = query_new(daemon, r, workers_step);

	if (q != NULL)
		query_ask_plain(q, IPC_WORKERS);
}

/* --- stats --- */

static void stats_done(struct query *q)
{
	json_t *kept = json_array(), *c;
	size_t i;

	json_array_foreach(q->list, i, c)
	{
		if (q->nonzero && json_integer_value(json_object_get(c, "total")) == 0)
			continue;
		if (!q->per_worker)
			json_object_del(c, "workers");
		json_array_append(kept, c);
	}
	json_object_set_new(q->result, "counters", kept);
	json_object_set_new(q->result, "workers", json_integer(q->workers));
	query_done(q);
}

static void stats_ask_values(struct query *q, uint32_t cursor)
{
	struct ipc_counter_values m = {.cursor = cursor, .worker = q->worker};

	ipc_header_init(&m.header, IPC_COUNTER_VALUES, sizeof(m), 0);
	query_ask(q, &m.header);
}

/* Values come in the order of the names; a worker has as many as there are. */
static void stats_values(struct query *q, const struct ipc_header *answer)
{
	const struct ipc_counter_values_reply *m = (const struct ipc_counter_values_reply *)answer;

	for (uint32_t i = 0; i < m->count; i++) {
		json_t *c = json_array_get(q->list, (size_t)q->limit++), *total;

		if (c == NULL)
			break;
		total = json_object_get(c, "total");
		json_integer_set(total, json_integer_value(total) + (json_int_t)m->values[i]);
		json_array_append_new(
			json_object_get(c, "workers"), json_integer((json_int_t)m->values[i]));
	}
	if (m->next != IPC_CURSOR_END) {
		stats_ask_values(q, m->next);
	} else if (q->worker + 1 < q->workers) {
		q->worker++;
		q->limit = 0;
		stats_ask_values(q, 0);
	} else {
		stats_done(q);
	}
}

static void stats_ask_names(struct query *q, uint32_t cursor)
{
	struct ipc_counter_names m = {.cursor = cursor};

	ipc_header_init(&m.header, IPC_COUNTER_NAMES, sizeof(m), 0);
	query_ask(q, &m.header);
}

static void stats_names(struct query *q, const struct ipc_header *answer)
{
	const struct ipc_counter_names_reply *m = (const struct ipc_counter_names_reply *)answer;

	for (uint32_t i = 0; i < m->count; i++)
		json_array_append_new(q->list,
			json_pack("{s:s, s:i, s:[]}", "name", m->names[i], "total", 0, "workers"));
	if (m->next != IPC_CURSOR_END) {
		stats_ask_names(q, m->next);
		return;
	}
	q->step = stats_values;
	q->limit = 0; /* counts the values of one worker here */
	if (q->workers > 0)
		stats_ask_values(q, 0);
	else
		stats_done(q);
}

void query_stats(void *daemon, struct api_request *r, const json_t *args)
{
	bool nonzero = false, per_worker = false;
	struct query *q;

	if (!command_arg_flag(r, args, "nonzero", &nonzero) ||
		!command_arg_flag(r, args, "per_worker", &per_worker))
		return;
	q = query_new(daemon, r, stats_names);
	if (q == NULL)
		return;
	q->nonzero = nonzero;
	q->per_worker = per_worker;
	q->list = json_array();
	json_object_set_new(q->result, "counters", q->list);
	stats_ask_names(q, 0);
}
