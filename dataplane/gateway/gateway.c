/* SPDX-License-Identifier: BSD-3-Clause */
/* The gateway of one worker as a whole: its pools, listeners, generations, and what others ask of
 * it. */
#include "dataplane/gateway/gateway.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "dataplane/gateway/hop.h"
#include "dataplane/gateway/session.h"
#include "dataplane/gateway/upstream.h"

/* Shares of the pools. Line and reply buffers are held only while a line is incomplete, record
 * buffers only while decrypted octets wait: a fraction of the sessions needs one at a time. */
#define LINEBUF_SHARE  4
#define REPLYBUF_SHARE 8
#define BUF_SHARE      8
#define POOL_LEAST     64

static struct smtp_linebuf *gateway_linebuf_get(void *arg)
{
	struct gateway *g = arg;

	return pool_get(&g->linebufs);
}

static void gateway_linebuf_put(void *arg, struct smtp_linebuf *b)
{
	struct gateway *g = arg;

	pool_put(&g->linebufs, b);
}

static struct smtp_replybuf *gateway_replybuf_get(void *arg)
{
	struct gateway *g = arg;

	return pool_get(&g->replybufs);
}

static void gateway_replybuf_put(void *arg, struct smtp_replybuf *b)
{
	struct gateway *g = arg;

	pool_put(&g->replybufs, b);
}

static uint32_t share(uint32_t count, uint32_t divisor)
{
	return count / divisor > POOL_LEAST ? count / divisor : POOL_LEAST;
}

static int gateway_init_pools(struct gateway *g)
{
	const struct gateway_params *p = &g->params;
	uint32_t n = p->max_sessions;
	int ret;

	ret = pool_init(&g->sessions, "sessions", n, sizeof(struct session), p->socket_id);
	if (ret == 0)
		ret = pool_init(&g->upstreams, "upstreams", p->max_upstreams,
			sizeof(struct upstream), p->socket_id);
	if (ret == 0)
		ret = pool_init(&g->linebufs, "linebufs", share(n, LINEBUF_SHARE),
			sizeof(struct smtp_linebuf), p->socket_id);
	if (ret == 0)
		ret = pool_init(&g->replybufs, "replybufs", share(p->max_upstreams, REPLYBUF_SHARE),
			sizeof(struct smtp_replybuf), p->socket_id);
	if (ret == 0)
		ret = pool_init(&g->envelopes, "envelopes", n + share(n, 2),
			sizeof(struct envelope_chunk), p->socket_id);
	if (ret == 0)
		ret = pool_init(&g->env.bufs, "record_bufs", share(n, BUF_SHARE),
			sizeof(struct leg_buf), p->socket_id);
	return ret;
}

static int gateway_register_timers(struct gateway *g)
{
	int session = wheel_register(g->params.wheel, session_timer_fire, g);
	int upstream = wheel_register(g->params.wheel, upstream_timer_fire, g);
	int health = wheel_register(g->params.wheel, hop_health_fire, g);

	if (session < 0 || upstream < 0 || health < 0)
		return -ENOSPC;
	g->session_timer = (uint8_t)session;
	g->upstream_timer = (uint8_t)upstream;
	g->health_timer = (uint8_t)health;
	return 0;
}

int gateway_create(const struct gateway_params *params, struct gateway **out)
{
	struct gateway *g = rte_zmalloc_socket("gateway", sizeof(*g), 64, params->socket_id);
	int ret = -ENOMEM;

	if (!g)
		return -ENOMEM;
	g->params = *params;
	g->realtime_offset = params->realtime_offset_ns;
	g->env.tcp = params->tcp;
	TAILQ_INIT(&g->live);
	TAILQ_INIT(&g->dead);
	TAILQ_INIT(&g->closing);
	g->down_out = (struct smtp_out){.data = g->replies, .size = sizeof(g->replies)};
	/* Unique across restarts: worker, seconds of the start, count. */
	g->id_base = (uint64_t)params->worker << 56 |
		     (params->realtime_offset_ns / SECOND & 0xffffff) << 32;
	g->listeners = rte_zmalloc_socket("listeners",
		GATEWAY_MAX_LISTENERS * sizeof(g->listeners[0]), 64, params->socket_id);
	g->hops = rte_zmalloc_socket(
		"hops", GATEWAY_MAX_NEXT_HOPS * sizeof(g->hops[0]), 64, params->socket_id);
	for (int side = 0; side < NET_SIDES; side++) {
		g->order[side] = rte_zmalloc_socket("hop_order",
			GATEWAY_MAX_NEXT_HOPS * sizeof(g->order[0][0]), 64, params->socket_id);
		if (!g->order[side])
			goto out;
	}
	if (!g->listeners || !g->hops)
		goto out;
	ret = clients_init(&g->clients, params->max_sessions,
		params->realtime_offset_ns * UINT64_C(0x9e3779b97f4a7c15), params->socket_id);
	if (ret == 0)
		ret = gateway_init_pools(g);
	if (ret == 0)
		ret = gateway_register_timers(g);
	g->server_config = (struct smtp_server_config){
		.hostname = g->hostname,
		.linebuf_get = gateway_linebuf_get,
		.linebuf_put = gateway_linebuf_put,
		.arg = g,
		.errors = g->smtp_errors,
	};
	g->client_config = (struct smtp_client_config){
		.hostname = g->hostname,
		.replybuf_get = gateway_replybuf_get,
		.replybuf_put = gateway_replybuf_put,
		.arg = g,
	};
out:
	if (ret != 0) {
		gateway_destroy(g);
		return ret;
	}
	*out = g;
	return 0;
}

/* Frees without a word to anybody: the connections go with the TCP stack. Objects that were never
 * used, or are free, are in the closed state. */
void gateway_destroy(struct gateway *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->sessions.count; i++) {
		struct session *s = pool_at(&g->sessions, i);

		if (s->state == SESSION_CLOSED)
			continue;
		wheel_cancel(g->params.wheel, &s->timer);
		leg_release(&s->down);
	}
	for (uint32_t i = 0; i < g->upstreams.count; i++) {
		struct upstream *u = pool_at(&g->upstreams, i);

		if (u->state == UPSTREAM_CLOSED)
			continue;
		wheel_cancel(g->params.wheel, &u->timer);
		leg_release(&u->leg);
	}
	for (uint32_t i = 0; g->hops && i < GATEWAY_MAX_NEXT_HOPS; i++) {
		wheel_cancel(g->params.wheel, &g->hops[i].timer);
		hop_drop_tickets(&g->hops[i]);
	}
	pool_fini(&g->sessions);
	pool_fini(&g->upstreams);
	pool_fini(&g->linebufs);
	pool_fini(&g->replybufs);
	pool_fini(&g->envelopes);
	pool_fini(&g->env.bufs);
	clients_fini(&g->clients);
	rte_free(g->listeners);
	rte_free(g->hops);
	for (int side = 0; side < NET_SIDES; side++)
		rte_free(g->order[side]);
	rte_free(g);
}

/* --- Listeners --- */

static struct listener *listener_find(struct gateway *g, uint32_t id)
{
	for (uint32_t i = 0; i < GATEWAY_MAX_LISTENERS; i++)
		if (g->listeners[i].open && g->listeners[i].id == id)
			return &g->listeners[i];
	return NULL;
}

static struct listener *listener_new(struct gateway *g)
{
	for (uint32_t i = 0; i < GATEWAY_MAX_LISTENERS; i++)
		if (!g->listeners[i].open && g->listeners[i].sessions == 0)
			return &g->listeners[i];
	return NULL;
}

static void listener_close(struct listener *l)
{
	for (uint32_t i = 0; i < l->tcp_count; i++)
		tcp_unlisten(l->g->params.tcp, l->tcp[i]);
	l->tcp_count = 0;
	l->open = false;
	l->config = NULL;
}

static int listener_add(struct listener *l, const struct ip_addr *addr)
{
	struct tcp_listen_params params = {
		.addr = *addr,
		.port = l->config->port,
		.ops = &session_tcp_ops,
		.arg = l,
		.keepalive_idle_ms = l->config->keepalive_idle_ms,
	};
	int ret;

	if (l->tcp_count == sizeof(l->tcp) / sizeof(l->tcp[0]))
		return -ENOSPC;
	ret = tcp_listen(l->g->params.tcp, &params, &l->tcp[l->tcp_count]);
	if (ret == 0)
		l->tcp_count++;
	return ret;
}

/* An unspecified address stands for every address of the listener's side. */
static int listener_open(struct listener *l)
{
	const struct net_config *net = &l->g->gen->net;
	int ret;

	if (!ip_addr_is_unspecified(&l->config->addr) || net->iface_count == 0)
		return listener_add(l, &l->config->addr);
	for (uint16_t i = 0; i < net->iface_count; i++) {
		const struct net_iface_config *iface = &net->ifaces[i];

		if (iface->side != l->config->side)
			continue;
		for (uint16_t k = 0; k < iface->addr_count; k++) {
			ret = listener_add(l, &iface->addrs[k].addr);
			if (ret != 0)
				return ret;
		}
	}
	return 0;
}

static int listeners_adopt_generation(struct gateway *g)
{
	const struct gateway_generation *gen = g->gen;
	int ret = 0;

	for (uint32_t i = 0; i < GATEWAY_MAX_LISTENERS; i++)
		g->listeners[i].config = NULL;
	for (uint32_t i = 0; i < gen->listener_count; i++) {
		struct listener *l = listener_find(g, gen->listeners[i].id);

		if (l)
			l->config = &gen->listeners[i];
	}
	/* Those that are gone first: a new one may want the same address. */
	for (uint32_t i = 0; i < GATEWAY_MAX_LISTENERS; i++)
		if (g->listeners[i].open && !g->listeners[i].config)
			listener_close(&g->listeners[i]);
	for (uint32_t i = 0; i < gen->listener_count && ret == 0; i++) {
		struct listener *l;

		if (listener_find(g, gen->listeners[i].id))
			continue;
		l = listener_new(g);
		if (!l)
			return -ENOSPC;
		*l = (struct listener){.g = g, .id = gen->listeners[i].id};
		l->config = &gen->listeners[i];
		l->side = l->config->side;
		l->open = true;
		ret = listener_open(l);
	}
	return ret;
}

int gateway_set_generation(struct gateway *g, const struct gateway_generation *gen, uint64_t now)
{
	int ret;

	g->gen = gen;
	strncpy(g->hostname, gen->hostname, sizeof(g->hostname) - 1);
	g->server_config.max_recipients = gen->limits.max_recipients;
	g->server_config.max_bad_commands = gen->limits.max_bad_commands;
	g->server_config.max_commands_without_mail = gen->limits.max_commands_without_mail;
	g->server_config.max_received = gen->limits.max_received;
	hop_adopt_generation(g, now);
	ret = listeners_adopt_generation(g);
	return ret;
}

void gateway_set_realtime(struct gateway *g, uint64_t realtime_ns, uint64_t now)
{
	g->realtime_offset = realtime_ns - now;
}

/* --- The loop --- */

void gateway_poll(struct gateway *g, uint64_t now)
{
	upstream_reap(g);
	session_reap(g);
}

void gateway_drain(struct gateway *g, uint64_t now)
{
	struct session *s, *next;

	g->draining = true;
	for (s = TAILQ_FIRST(&g->live); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		session_drain(s, now);
	}
}

uint32_t gateway_session_count(const struct gateway *g)
{
	return pool_used(&g->sessions);
}

void gateway_get_usage(const struct gateway *g, struct gateway_usage *usage)
{
	/* Read from another thread: each number is whole, together they are a snapshot at best. */
	*usage = (struct gateway_usage){
		.sessions = g->sessions.count -
			    __atomic_load_n(&g->sessions.free_count, __ATOMIC_RELAXED),
		.max_sessions = g->sessions.count,
		.upstreams = g->upstreams.count -
			     __atomic_load_n(&g->upstreams.free_count, __ATOMIC_RELAXED),
		.max_upstreams = g->upstreams.count,
		.linebufs = g->linebufs.count -
			    __atomic_load_n(&g->linebufs.free_count, __ATOMIC_RELAXED),
		.max_linebufs = g->linebufs.count,
	};
}
