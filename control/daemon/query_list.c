/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions, TCP connections, next hops: lists that come in pages, worker by worker. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/query.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     100000

static void page_ask(struct query *q, uint32_t cursor)
{
	struct ipc_page m = {.cursor = cursor, .worker = q->worker, .max = IPC_PAGE_MAX};

	ipc_header_init(&m.header, q->type, sizeof(m), 0);
	query_ask(q, &m.header);
}

/* The page is taken in: on with the next one, or the next worker, or done. */
static void page_next(struct query *q, uint32_t next)
{
	bool full = q->limit > 0 && json_array_size(q->list) >= (size_t)q->limit;

	if (full) {
		/* Cut to what was asked for, and told. */
		bool more = json_array_size(q->list) > (size_t)q->limit || next != IPC_CURSOR_END ||
			    q->worker + 1 < q->workers;

		while (json_array_size(q->list) > (size_t)q->limit)
			json_array_remove(q->list, json_array_size(q->list) - 1);
		json_object_set_new(q->result, "more", json_boolean(more));
		query_done(q);
	} else if (next != IPC_CURSOR_END) {
		page_ask(q, next);
	} else if (q->worker + 1 < q->workers) {
		q->worker++;
		page_ask(q, 0);
	} else {
		query_done(q);
	}
}

static void page_start(struct query *q, const char *key, uint16_t type)
{
	q->list = json_array();
	q->type = type;
	json_object_set_new(q->result, key, q->list);
	page_ask(q, 0);
}

/* What a client sent (its EHLO name) need not be UTF-8. */
static json_t *text_or_mark(const char *text)
{
	json_t *value = json_string(text);

	return value ? value : json_string("?");
}

static void sessions_step(struct query *q, const struct ipc_header *answer)
{
	const struct ipc_sessions_reply *m = (const struct ipc_sessions_reply *)answer;
	char id[17], client[ADDRESS_TEXT_MAX];

	for (unsigned int i = 0; i < m->count; i++) {
		const struct ipc_session *s = &m->sessions[i];
		json_t *o;

		snprintf(id, sizeof(id), "%016" PRIx64, s->id);
		o = json_pack("{s:s, s:i, s:s, s:i, s:s, s:b, s:s, s:s, s:s, s:s, s:b}", "id", id,
			"worker", m->worker, "client", query_address(&s->client, client),
			"client_port", s->client_port, "side", ipc_side_name(s->side), "client_tls",
			s->client_tls, "client_version", s->client_version, "client_cipher",
			s->client_cipher, "state", s->state, "upstream_state", s->upstream_state,
			"upstream_tls", s->upstream_tls);
		json_object_update_new(
			o, json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:I}", "partner", s->partner,
				   "next_hop", text_or_mark(s->next_hop), "helo",
				   text_or_mark(s->helo), "age", (json_int_t)s->age_s, "messages",
				   (json_int_t)s->messages, "bytes_in", (json_int_t)s->bytes_in,
				   "bytes_out", (json_int_t)s->bytes_out));
		json_array_append_new(q->list, o);
	}
	page_next(q, m->next);
}

static void tcp_step(struct query *q, const struct ipc_header *answer)
{
	const struct ipc_tcp_reply *m = (const struct ipc_tcp_reply *)answer;
	char local[ADDRESS_TEXT_MAX], remote[ADDRESS_TEXT_MAX];

	for (unsigned int i = 0; i < m->count; i++) {
		const struct ipc_tcp_conn *c = &m->conns[i];
		json_t *o;

		o = json_pack("{s:i, s:s, s:i, s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I}",
			"worker", m->worker, "local", query_address(&c->local, local), "local_port",
			c->local_port, "remote", query_address(&c->remote, remote), "remote_port",
			c->remote_port, "state", c->state, "rtt_us", (json_int_t)c->rtt_us,
			"rttvar_us", (json_int_t)c->rttvar_us, "min_rtt_us",
			(json_int_t)c->min_rtt_us, "rto_ms", (json_int_t)c->rto_ms, "mss",
			(json_int_t)c->mss, "cwnd", (json_int_t)c->snd_cwnd);
		json_object_update_new(o,
			json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "ssthresh",
				(json_int_t)c->ssthresh, "in_flight", (json_int_t)c->in_flight,
				"snd_wnd", (json_int_t)c->snd_wnd, "rcv_wnd",
				(json_int_t)c->rcv_wnd, "retransmits", (json_int_t)c->retransmits,
				"lost_segments", (json_int_t)c->lost_segments, "bytes_sent",
				(json_int_t)c->bytes_sent, "bytes_acked",
				(json_int_t)c->bytes_acked, "bytes_received",
				(json_int_t)c->bytes_received));
		json_object_update_new(
			o, json_pack("{s:i, s:i, s:b, s:b, s:b}", "snd_wscale", c->snd_wscale,
				   "rcv_wscale", c->rcv_wscale, "timestamps", c->timestamps, "sack",
				   c->sack, "ecn", c->ecn));
		json_array_append_new(q->list, o);
	}
	page_next(q, m->next);
}

void query_sessions(void *daemon, struct api_request *r, const json_t *args)
{
	int64_t limit = LIMIT_DEFAULT;
	bool tcp = false;
	struct query *q;

	if (!command_arg_number(r, args, "limit", LIMIT_MAX, &limit) ||
		!command_arg_flag(r, args, "tcp", &tcp))
		return;
	if (limit == 0)
		limit = LIMIT_MAX;
	q = query_new(daemon, r, tcp ? tcp_step : sessions_step);
	if (q == NULL)
		return;
	q->limit = limit;
	page_start(q, tcp ? "tcp" : "sessions", tcp ? IPC_TCP : IPC_SESSIONS);
}

/* In the order of enum smtp_ext's bits (smtp/smtp.h), which the protocol carries as they are. */
const char *const query_extensions[QUERY_EXTENSIONS] = {"PIPELINING", "SIZE", "8BITMIME",
	"SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "STARTTLS", "DSN", "REQUIRETLS"};

static json_t *extensions(uint32_t bits)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < QUERY_EXTENSIONS; i++)
		if (bits & 1u << i)
			json_array_append_new(list, json_string(query_extensions[i]));
	return list;
}

/* One row for a next hop, whatever the number of workers that each check it. */
static json_t *find_next_hop(struct query *q, const struct ipc_next_hop_state *h)
{
	const struct config *config = q->daemon->config;
	const struct config_next_hop *known = NULL;
	char address[ADDRESS_TEXT_MAX];
	json_t *o;
	size_t i;

	query_address(&h->address, address);
	json_array_foreach(q->list, i,
		o) if (strcmp(json_string_value(json_object_get(o, "address")), address) == 0 &&
		       json_integer_value(json_object_get(o, "port")) == h->port) return o;
	for (unsigned int n = 0; n < config->next_hop_count; n++)
		if (memcmp(config->next_hops[n].address.b, h->address.b, sizeof(h->address.b)) ==
				0 &&
			config->next_hops[n].port == h->port)
			known = &config->next_hops[n];
	o = json_pack("{s:o, s:s, s:i, s:b, s:b, s:i, s:i, s:i, s:i, s:s, s:o}", "name",
		text_or_mark(h->name), "address", address, "port", h->port, "tls", 1, "verified", 1,
		"up", 0, "checked", 0, "active", 0, "idle", 0, "error", "", "extensions",
		extensions(h->ext));
	if (known != NULL)
		json_object_update_new(o, json_pack("{s:i, s:s, s:s}", "priority", known->priority,
						  "level", config_level_name(known->level), "side",
						  config_side_name(known->side)));
	json_array_append_new(q->list, o);
	return o;
}

static void add(json_t *o, const char *key, uint32_t n)
{
	json_t *value = json_object_get(o, key);

	json_integer_set(value, json_integer_value(value) + n);
}

static void next_hops_done(struct query *q)
{
	char text[48];
	json_t *o;
	size_t i;

	json_array_foreach(q->list, i, o)
	{
		json_int_t up = json_integer_value(json_object_get(o, "up"));
		json_int_t checked = json_integer_value(json_object_get(o, "checked"));

		if (checked == 0)
			snprintf(text, sizeof(text), "not checked yet");
		else if (up == q->workers)
			snprintf(text, sizeof(text), "up");
		else if (up == 0)
			snprintf(text, sizeof(text), "down");
		else
			snprintf(
				text, sizeof(text), "up for %d of %d workers", (int)up, q->workers);
		json_object_set_new(o, "state", json_string(text));
	}
	json_object_set_new(q->result, "workers", json_integer(q->workers));
	query_done(q);
}

static void next_hops_step(struct query *q, const struct ipc_header *answer)
{
	const struct ipc_next_hops_reply *m = (const struct ipc_next_hops_reply *)answer;

	for (unsigned int i = 0; i < m->count; i++) {
		const struct ipc_next_hop_state *h = &m->next_hops[i];
		json_t *o = find_next_hop(q, h);

		add(o, "up", h->up);
		add(o, "checked", h->checked);
		add(o, "active", h->active);
		add(o, "idle", h->idle);
		if (!h->tls)
			json_object_set_new(o, "tls", json_false());
		if (!h->verified)
			json_object_set_new(o, "verified", json_false());
		if (h->error[0] != '\0')
			json_object_set_new(o, "error", text_or_mark(h->error));
	}
	if (m->next == IPC_CURSOR_END && q->worker + 1 >= q->workers)
		next_hops_done(q);
	else
		page_next(q, m->next);
}

void query_next_hops(void *daemon, struct api_request *r, const json_t *args)
{
	struct query *q = query_new(daemon, r, next_hops_step);

	if (q != NULL)
		page_start(q, "next_hops", IPC_NEXT_HOPS);
}
