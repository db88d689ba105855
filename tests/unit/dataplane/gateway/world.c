/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_mbuf.h>
#include <urcu-qsbr.h>

#include "dataplane/policy/map_write.h"
#include "tests/unit/dataplane/gateway/pki.h"
#include "tests/unit/dataplane/gateway/world_private.h"
#include "tests/unit/dataplane/tcp/eal.h"

/* --- Hosts and the wire between them --- */

static int host_output(void *arg, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t tos, uint64_t now)
{
	struct host *h = arg;
	struct world *w = h->w;
	struct net_meta *meta = rte_mbuf_to_priv(m);

	assert_true(w->wire_count < WIRE_SIZE);
	/* What a NIC would deliver is one flat buffer of the receiver's. */
	if (m->nb_segs > 1 || RTE_MBUF_HAS_EXTBUF(m) || RTE_MBUF_CLONED(m) ||
		rte_mbuf_refcnt_read(m) > 1) {
		struct rte_mbuf *copy = rte_pktmbuf_copy(m, w->gw.tx, 0, UINT32_MAX);

		assert_non_null(copy);
		rte_pktmbuf_free(m);
		m = copy;
		meta = rte_mbuf_to_priv(m);
	}
	*meta = (struct net_meta){.src = *src, .dst = *dst, .ecn = tos & 3, .ttl = 64, .proto = 6};
	w->wire[w->wire_count++] = (struct wire_item){m, h == &w->out};
	return 0;
}

static uint16_t host_mtu(void *arg, const struct ip_addr *dst)
{
	return 1500;
}

static uint32_t host_tso_max(void *arg, const struct ip_addr *dst)
{
	return 0;
}

static void host_start(struct world *w, struct host *h, const char *name, const char *addr)
{
	struct tcp_params params = {
		.lower = {.arg = h,
			.output = host_output,
			.mtu = host_mtu,
			.tso_max = host_tso_max},
		.socket_id = -1,
	};
	char pool[32];

	h->w = w;
	snprintf(pool, sizeof(pool), "%s_tx", name);
	h->tx = rte_pktmbuf_pool_create(pool, 8191, 0, NET_META_SIZE, 2048 + 128, -1);
	snprintf(pool, sizeof(pool), "%s_ctl", name);
	h->ctl = rte_pktmbuf_pool_create(pool, 2047, 0, NET_META_SIZE, 2048 + 128, -1);
	assert_non_null(h->tx);
	assert_non_null(h->ctl);
	assert_int_equal(wheel_create(w->now, -1, &h->wheel), 0);
	tcp_config_defaults(&params.config);
	params.config.max_conns = 512;
	params.config.max_syn_backlog = 128;
	params.config.max_time_wait = 512;
	params.config.time_wait_ms = 1000;
	params.config.worker_count = 1;
	if (w->params.send_buffer > 0)
		params.config.send_buffer = params.config.recv_buffer = w->params.send_buffer;
	params.wheel = h->wheel;
	params.tx_pool = h->tx;
	params.ctl_pool = h->ctl;
	assert_int_equal(tcp_create(&params, &h->tcp), 0);
	h->addr = ip_addr_from_v4(inet_addr(addr));
}

void world_settle(struct world *w)
{
	bool again = true;

	while (again) {
		struct wire_item items[WIRE_SIZE];
		uint32_t n = w->wire_count;

		memcpy(items, w->wire, n * sizeof(items[0]));
		w->wire_count = 0;
		for (uint32_t i = 0; i < n; i++)
			tcp_input(items[i].to_gateway ? w->gw.tcp : w->out.tcp, &items[i].m, 1,
				w->now);
		again = n > 0;
		wheel_advance(w->gw.wheel, w->now, 1024);
		wheel_advance(w->out.wheel, w->now, 1024);
		again |= tcp_dispatch(w->gw.tcp, 1024, w->now) > 0;
		gateway_poll(w->gateway, w->now);
		again |= tcp_dispatch(w->out.tcp, 1024, w->now) > 0;
		tcp_output(w->gw.tcp, w->now);
		tcp_output(w->out.tcp, w->now);
		again |= w->wire_count > 0;
	}
}

void world_step(struct world *w, uint64_t until)
{
	uint64_t a = wheel_next(w->gw.wheel), b = wheel_next(w->out.wheel);
	uint64_t next = a < b ? a : b;

	if (next < w->now + STEP)
		next = w->now + STEP;
	w->now = next < until ? next : until;
	world_settle(w);
}

void world_run(struct world *w, uint64_t ms)
{
	uint64_t until = w->now + ms * 1000000;

	world_settle(w);
	while (w->now < until)
		world_step(w, until);
}

uint64_t world_now(const struct world *w)
{
	return w->now;
}

uint32_t world_peer_count(const struct world *w)
{
	return w->peer_count;
}

void world_forget_tls(struct world *w)
{
	for (struct peer *p = w->peers; p; p = p->next) {
		if (p->tls && !p->conn)
			tls_free(p->tls);
		if (!p->conn)
			p->tls = NULL;
	}
}

struct gateway *world_gateway(struct world *w)
{
	return w->gateway;
}

uint64_t world_counter(struct world *w, const char *name)
{
	for (size_t i = 0; i < gateway_counter_count(); i++)
		if (strcmp(gateway_counter_name(i), name) == 0)
			return gateway_counter_value(w->gateway, i);
	fail_msg("no counter %s", name);
	return 0;
}

const struct gateway_event *world_message_event(struct world *w)
{
	const struct gateway_event *e, *found = NULL;

	while ((e = gateway_event_peek(w->events))) {
		if (e->kind == GATEWAY_EVENT_MESSAGE) {
			w->last = *e;
			found = &w->last;
		}
		gateway_event_pop(w->events);
	}
	return found;
}

/* --- The world's begin and end --- */

static void world_start_eal(void)
{
	static bool started;
	if (started)
		return;
	started = true;
	assert_int_equal(test_eal_init(), 0);
	rcu_register_thread();
}

static void world_configure(struct world *w)
{
	struct gateway_generation *gen = &w->gens[0];

	w->listener = (struct gateway_listener){
		.id = 1,
		.side = w->params.outbound ? NET_INSIDE : NET_OUTSIDE,
		.addr = w->gw.addr,
		.port = PORT_SMTP,
		.starttls = true,
		.server_tls = w->params.server_tls ? w->server_list : NULL,
	};
	for (uint32_t i = 0; i < w->params.hops; i++) {
		snprintf(w->names[i], sizeof(w->names[i]), "hop%u.example", i);
		w->hops[i] = (struct gateway_next_hop){
			.id = i + 1,
			.name = w->names[i],
			.side = w->params.outbound ? NET_OUTSIDE : NET_INSIDE,
			.addr = w->out.addr,
			.port = (uint16_t)(PORT_HOP + i),
			.priority = (uint16_t)(10 * (i + 1)),
			.level = w->params.level,
			.client_tls = w->params.level > POLICY_NONE ? w->client_list : NULL,
			.max_idle = w->params.max_idle,
		};
		world_hop_listen(w, i, true);
	}
	*gen = (struct gateway_generation){
		.number = 1,
		.hostname = "gateway.example",
		.listener_count = 1,
		.listeners = &w->listener,
		.next_hop_count = w->params.hops,
		.next_hops = w->hops,
		.timeouts = {.command = 300,
			.body_block = 180,
			.tls_handshake = 60,
			.upstream_connect = 30,
			.upstream_banner = 60,
			.upstream_command =
				w->params.command_timeout ? w->params.command_timeout : 300,
			.upstream_data = 120,
			.upstream_block = 180,
			.upstream_dot = 590,
			.budget = 270,
			.upstream_idle = 30,
			.health_interval = 1000000,
			.health_retry = 1000000},
		.limits = {.max_recipients = 100, .max_bad_commands = 20, .max_received = 100},
		.policy = w->policy,
	};
}

void world_push(struct world *w)
{
	struct tls_context *old[] = {w->server_ctx, w->client_ctx, w->hop_ctx, w->out_ctx};
	struct gateway_generation *gen = &w->gens[++w->gen_count % 2];

	*gen = w->gens[(w->gen_count - 1) % 2];
	gen->number++;
	pki_contexts(w->lib, w->out_lib, w->tickets, &w->server_ctx, &w->client_ctx, &w->hop_ctx,
		&w->out_ctx);
	w->server_list[0] = w->server_ctx;
	w->client_list[0] = w->client_ctx;
	assert_int_equal(gateway_set_generation(w->gateway, gen, w->now), 0);
	for (size_t i = 0; i < 4; i++)
		tls_context_free(old[i]);
	world_settle(w);
}

struct world *world_new(const struct world_params *params)
{
	struct gateway_params gp = {0};
	struct world *w = calloc(1, sizeof(*w));

	world_start_eal();
	w->params = *params;
	w->now = 1000000000;
	host_start(w, &w->gw, "gw", "198.51.100.1");
	host_start(w, &w->out, "out", "198.51.100.2");
	w->mbufs_tx = rte_mempool_avail_count(w->gw.tx);
	w->mbufs_ctl = rte_mempool_avail_count(w->gw.ctl);
	assert_int_equal(gateway_event_ring_create(256, -1, &w->events), 0);
	assert_int_equal(tls_lib_create(&w->lib), 0);
	assert_int_equal(tls_lib_create(&w->out_lib), 0);
	assert_int_equal(tls_tickets_create(&w->tickets), 0);
	pki_contexts(w->lib, w->out_lib, w->tickets, &w->server_ctx, &w->client_ctx, &w->hop_ctx,
		&w->out_ctx);
	w->server_list[0] = w->server_ctx;
	w->client_list[0] = w->client_ctx;
	assert_int_equal(policy_map_create(&w->policy), 0);
	gp.tcp = w->gw.tcp;
	gp.wheel = w->gw.wheel;
	gp.events = w->events;
	gp.max_sessions = params->max_sessions ? params->max_sessions : 32;
	gp.max_upstreams = 32;
	gp.local[0] = w->gw.addr;
	gp.realtime_offset_ns = UINT64_C(1795700000) * 1000000000;
	gp.socket_id = -1;
	assert_int_equal(gateway_create(&gp, &w->gateway), 0);
	world_configure(w);
	assert_int_equal(gateway_set_generation(w->gateway, &w->gens[0], w->now), 0);
	world_settle(w);
	return w;
}

void world_free(struct world *w)
{
	struct tcp_usage usage;
	struct peer *p;

	for (p = w->peers; p; p = p->next)
		peer_close(p);
	world_run(w, 700000); /* every time-out of the gateway, TIME-WAIT of both stacks */
	assert_int_equal(gateway_session_count(w->gateway), 0);
	tcp_get_usage(w->gw.tcp, &usage);
	assert_int_equal(usage.conns, 0);
	assert_int_equal(usage.half_open, 0);
	assert_int_equal(rte_mempool_avail_count(w->gw.tx), w->mbufs_tx);
	assert_int_equal(rte_mempool_avail_count(w->gw.ctl), w->mbufs_ctl);
	gateway_destroy(w->gateway);
	while ((p = w->peers)) {
		w->peers = p->next;
		if (p->tls)
			tls_free(p->tls);
		free(p->data);
		free(p);
	}
	tcp_destroy(w->gw.tcp);
	tcp_destroy(w->out.tcp);
	wheel_destroy(w->gw.wheel);
	wheel_destroy(w->out.wheel);
	rte_mempool_free(w->gw.tx);
	rte_mempool_free(w->gw.ctl);
	rte_mempool_free(w->out.tx);
	rte_mempool_free(w->out.ctl);
	tls_context_free(w->server_ctx);
	tls_context_free(w->client_ctx);
	tls_context_free(w->hop_ctx);
	tls_context_free(w->out_ctx);
	tls_tickets_destroy(w->tickets);
	tls_lib_destroy(w->lib);
	tls_lib_destroy(w->out_lib);
	gateway_event_ring_destroy(w->events);
	policy_map_destroy(w->policy);
	free(w);
}
