/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/stack.h"

#include <errno.h>
#include <rte_malloc.h>

#include "dataplane/tcp/isn.h"
#include "dataplane/tcp/segment.h"
#include "dataplane/tcp/timers.h"

/* Where auto-tuning begins: one unscaled window. */
#define RECV_BUFFER_START 65535u

static const char *const counter_names[TCP_COUNTER_COUNT] = {
#define X(name) "tcp_" #name,
	TCP_COUNTERS(X)
#undef X
};

static const char *const reason_names[] = {
	[TCP_REASON_NONE] = "in order",
	[TCP_REASON_RESET] = "reset by peer",
	[TCP_REASON_REFUSED] = "refused",
	[TCP_REASON_TIMEOUT] = "timed out",
	[TCP_REASON_KEEPALIVE] = "keepalive unanswered",
	[TCP_REASON_UNREACHABLE] = "unreachable",
	[TCP_REASON_NO_RESOURCES] = "no resources",
	[TCP_REASON_ABORTED] = "aborted",
};

const char *tcp_reason_name(enum tcp_reason reason)
{
	return reason_names[reason];
}

void tcp_config_defaults(struct tcp_config *config)
{
	*config = (struct tcp_config){
		.max_conns = 16384,
		.max_syn_backlog = 4096,
		.max_time_wait = 16384,
		.send_buffer = 1u << 20,
		.recv_buffer = 1u << 20,
		.recv_budget = 256ull << 20,
		.reserve_mbufs = 1024,
		.port_first = 32768,
		.port_last = 60999,
		.worker = 0,
		.worker_count = 1,
		.time_wait_ms = 60000,
		.min_rto_ms = 200,
		.delayed_ack_ms = 40,
		.syn_retries = 6,
		.synack_retries = 5,
		.user_timeout_ms = 300000,
		.keepalive_idle_ms = 0,
		.keepalive_interval_ms = 75000,
		.keepalive_probes = 9,
		.cc = TCP_CC_CUBIC,
		.ecn = true,
		.timestamps = true,
		.sack = true,
		.window_scale = true,
	};
}

uint32_t tcp_recv_buffer_start(const struct tcp_stack *s)
{
	return RTE_MIN(s->config.recv_buffer, RECV_BUFFER_START);
}

static int params_check(const struct tcp_params *p)
{
	const struct tcp_config *c = &p->config;

	if (c->max_conns == 0 || c->max_syn_backlog == 0 || c->send_buffer == 0 ||
		c->recv_buffer == 0)
		return -EINVAL;
	if (c->send_buffer > 1u << 30 || c->recv_buffer > 1u << 30)
		return -EINVAL; /* RFC 7323 2.3: no window is larger */
	if (c->worker >= c->worker_count || c->port_first > c->port_last)
		return -EINVAL;
	if (c->reserve_mbufs >= p->tx_pool->size)
		return -EINVAL;
	if (rte_pktmbuf_data_room_size(p->tx_pool) <
			RTE_PKTMBUF_HEADROOM + TCP_HEADER_SIZE + TCP_OPTIONS_MAX + 536 ||
		rte_pktmbuf_data_room_size(p->ctl_pool) <
			RTE_PKTMBUF_HEADROOM + TCP_HEADER_SIZE + TCP_OPTIONS_MAX)
		return -EINVAL;
	if (sizeof(struct tcp_run) > rte_pktmbuf_priv_size(p->tx_pool))
		return -EINVAL;
	return 0;
}

int tcp_create(const struct tcp_params *params, struct tcp_stack **out)
{
	const struct tcp_config *c = &params->config;
	struct tcp_stack *s;
	int ret;

	ret = params_check(params);
	if (ret < 0)
		return ret;
	s = rte_zmalloc_socket("tcp_stack", sizeof(*s), 64, params->socket_id);
	if (s == NULL)
		return -ENOMEM;
	s->config = *c;
	s->lower = params->lower;
	s->wheel = params->wheel;
	s->tx_pool = params->tx_pool;
	s->ctl_pool = params->ctl_pool;
	s->tx_pool_size = params->tx_pool->size;
	s->sendq_room = rte_pktmbuf_data_room_size(s->tx_pool);
	s->tx_room = s->sendq_room - RTE_PKTMBUF_HEADROOM - TCP_HEADER_SIZE - TCP_OPTIONS_MAX;
	while (s->own_wscale < TCP_WSCALE_MAX && c->recv_buffer >> s->own_wscale > 65535)
		s->own_wscale++;
	TAILQ_INIT(&s->time_wait_list);
	tcp_secrets_init(s);

	ret = tcp_pool_create(
		&s->conns, "tcp_conns", sizeof(struct tcp_conn), c->max_conns, params->socket_id);
	if (ret < 0)
		goto out;
	ret = tcp_pool_create(&s->syns, "tcp_syns", sizeof(struct tcp_syn), c->max_syn_backlog,
		params->socket_id);
	if (ret < 0)
		goto out;
	ret = tcp_pool_create(&s->time_waits, "tcp_time_waits", sizeof(struct tcp_time_wait),
		c->max_time_wait, params->socket_id);
	if (ret < 0)
		goto out;
	/* As many as there can be segments of the send queues, and one for each lone FIN. */
	ret = tcp_pool_create(&s->records, "tcp_records", sizeof(struct tcp_record),
		2 * s->tx_pool_size + c->max_conns, params->socket_id);
	if (ret < 0)
		goto out;
	ret = tcp_table_create(c->max_conns + c->max_syn_backlog + c->max_time_wait, s->key_table,
		params->socket_id, &s->table);
	if (ret < 0)
		goto out;
	ret = tcp_port_create(&s->config, &s->lower, s->key_ports, params->socket_id, &s->ports);
	if (ret < 0)
		goto out;
	tcp_port_set_reusable(s->ports, tcp_time_wait_reusable, s);
	ret = tcp_timers_register(s);
out:
	if (ret < 0) {
		tcp_destroy(s);
		return ret;
	}
	*out = s;
	return 0;
}

void tcp_destroy(struct tcp_stack *s)
{
	if (s == NULL)
		return;
	/* Pools that were never made have no objects. */
	for (uint32_t i = 0; i < s->conns.count && s->conns.base != NULL; i++) {
		struct tcp_conn *c = tcp_pool_at(&s->conns, i);

		if (c->stack == s && c->node.kind == TCP_NODE_CONN)
			tcp_conn_free(c, s->now);
	}
	while (!TAILQ_EMPTY(&s->time_wait_list))
		tcp_time_wait_free(s, TAILQ_FIRST(&s->time_wait_list), false, s->now);
	for (uint32_t i = 0; i < s->syns.count && s->syns.base != NULL; i++) {
		struct tcp_syn *y = tcp_pool_at(&s->syns, i);

		if (wheel_armed(&y->timer))
			tcp_syn_free(s, y);
	}
	tcp_port_destroy(s->ports);
	tcp_table_destroy(s->table);
	tcp_pool_destroy(&s->conns);
	tcp_pool_destroy(&s->syns);
	tcp_pool_destroy(&s->time_waits);
	tcp_pool_destroy(&s->records);
	rte_free(s);
}

int tcp_port_owner(const struct tcp_stack *s, uint16_t local_port)
{
	return tcp_port_worker(s->ports, local_port);
}

size_t tcp_counter_count(void)
{
	return TCP_COUNTER_COUNT;
}

const char *tcp_counter_name(size_t i)
{
	return counter_names[i];
}

uint64_t tcp_counter_value(const struct tcp_stack *s, size_t i)
{
	return __atomic_load_n(&s->counters[i], __ATOMIC_RELAXED);
}
