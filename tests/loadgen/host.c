/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/port.h"
#include "dataplane/tcp/wheel.h"

#define RX_BURST     64
#define SEGMENTS_MAX 256
#define TICK         UINT64_C(100000000)
#define MBUF_DATA    (2048 + RTE_PKTMBUF_HEADROOM)

struct host {
	struct transport base;
	struct port *port;
	struct net *net;
	struct wheel *wheel;
	struct tcp_stack *tcp;
	struct tcp_listener *listener;
	struct rte_mempool *tx_pool, *ctl_pool;
	struct net_addr_config *addrs;
	struct net_iface_config iface;
	struct net_route_config route;
	struct net_config config;
	struct host_filter filter;
	uint8_t mac[6];
	bool own_mac;
	uint64_t next_tick;
	uint32_t segment_count;
	struct rte_mbuf *segments[SEGMENTS_MAX];
};

/* --- net's callbacks --- */

static void host_flush_segments(struct host *h, uint64_t now)
{
	if (h->segment_count > 0)
		tcp_input(h->tcp, h->segments, (uint16_t)h->segment_count, now);
	h->segment_count = 0;
}

static void host_tcp_segment(void *arg, struct rte_mbuf *m, uint64_t now)
{
	struct host *h = arg;
	const struct net_meta *meta = rte_mbuf_to_priv(m);

	if (h->filter.in && !h->filter.in(h->filter.arg, m, &meta->dst)) {
		rte_pktmbuf_free(m);
		return;
	}
	if (h->segment_count == SEGMENTS_MAX)
		host_flush_segments(h, now);
	h->segments[h->segment_count++] = m;
}

static void host_tcp_error(void *arg, const struct net_icmp_error *e, uint64_t now)
{
	struct host *h = arg;

	tcp_icmp_error(h->tcp, e, now);
}

static void host_tx(void *arg, uint16_t port_id, struct rte_mbuf **pkts, uint16_t n)
{
	struct host *h = arg;

	(void)port_id;
	port_tx(h->port, 0, pkts, n);
}

static uint64_t host_tx_offloads(void *arg, uint16_t port_id)
{
	struct host *h = arg;

	(void)port_id;
	return port_tx_offloads(h->port);
}

static void host_mac(void *arg, uint16_t port_id, uint8_t mac[6])
{
	struct host *h = arg;

	(void)port_id;
	if (h->own_mac)
		memcpy(mac, h->mac, 6);
	else
		port_mac(h->port, mac);
}

/* --- TCP's callbacks --- */

static int host_output(void *arg, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t tos, uint64_t now)
{
	struct host *h = arg;

	if (h->filter.out && !h->filter.out(h->filter.arg, m, src)) {
		rte_pktmbuf_free(m);
		return 0;
	}
	return net_output(h->net, m, src, dst, IPPROTO_TCP, tos, now);
}

static uint16_t host_mtu(void *arg, const struct ip_addr *dst)
{
	struct host *h = arg;

	return net_mtu(h->net, dst);
}

static uint32_t host_tso_max(void *arg, const struct ip_addr *dst)
{
	struct host *h = arg;

	return net_tx_offloads(h->net, dst) & RTE_ETH_TX_OFFLOAD_TCP_TSO ? 60000 : 0;
}

/* --- TCP's events --- */

static int host_accepted(struct tcp_conn *c, void *arg, uint64_t now)
{
	struct host *h = arg;
	void *user = h->base.accepted(h->base.accepted_arg, c, now);

	if (!user)
		return -1;
	tcp_set_user(c, user);
	return 0;
}

static void host_connected(struct tcp_conn *c, void *user, uint64_t now)
{
	(void)c;
	transport_events_of(user)->connected(user, now);
}

static void host_ready(struct tcp_conn *c, void *user, uint64_t now)
{
	(void)c;
	if (user)
		transport_events_of(user)->ready(user, now);
}

static void host_closed(struct tcp_conn *c, void *user, enum tcp_reason reason, uint64_t now)
{
	static const enum transport_end ends[] = {
		[TCP_REASON_NONE] = TRANSPORT_OTHER,
		[TCP_REASON_RESET] = TRANSPORT_RESET,
		[TCP_REASON_REFUSED] = TRANSPORT_REFUSED,
		[TCP_REASON_TIMEOUT] = TRANSPORT_TIMEOUT,
		[TCP_REASON_KEEPALIVE] = TRANSPORT_TIMEOUT,
		[TCP_REASON_UNREACHABLE] = TRANSPORT_OTHER,
		[TCP_REASON_NO_RESOURCES] = TRANSPORT_OTHER,
		[TCP_REASON_ABORTED] = TRANSPORT_OTHER,
	};

	(void)c;
	if (user)
		transport_events_of(user)->closed(user, ends[reason], now);
}

static const struct tcp_ops host_tcp_ops = {
	.accepted = host_accepted,
	.connected = host_connected,
	.readable = host_ready,
	.writable = host_ready,
	.closed = host_closed,
};

/* --- The transport's own --- */

static int host_connect(struct transport *t, const struct ip_addr *local,
	const struct ip_addr *remote, uint16_t port, void *user, uint64_t now, void **conn)
{
	struct host *h = (struct host *)t;
	const struct tcp_connect_params params = {
		.local = *local,
		.remote = *remote,
		.remote_port = port,
		.ops = &host_tcp_ops,
		.user = user,
	};
	struct tcp_conn *c;
	int rc = tcp_connect(h->tcp, &params, now, &c);

	if (rc == 0)
		*conn = c;
	return rc;
}

static int host_listen(struct transport *t, const struct ip_addr *addr, uint16_t port)
{
	struct host *h = (struct host *)t;
	const struct tcp_listen_params params = {
		.addr = *addr,
		.port = port,
		.ops = &host_tcp_ops,
		.arg = h,
	};

	return tcp_listen(h->tcp, &params, &h->listener);
}

static ssize_t host_read(struct transport *t, void *conn, void *buf, size_t len)
{
	struct host *h = (struct host *)t;
	size_t n = tcp_read(h->tcp, conn, buf, len);

	if (n > 0)
		return (ssize_t)n;
	return tcp_at_eof(conn) ? 0 : -EAGAIN;
}

static ssize_t host_write(struct transport *t, void *conn, const void *buf, size_t len, bool more)
{
	struct host *h = (struct host *)t;
	int64_t n = tcp_send(h->tcp, conn, buf, len, more);

	return n == 0 || n == -ENOBUFS ? -EAGAIN : (ssize_t)n;
}

static void host_want_write(struct transport *t, void *conn)
{
	(void)t;
	tcp_want_writable(conn, 1);
}

static void host_close(struct transport *t, void *conn, uint64_t now)
{
	struct host *h = (struct host *)t;

	tcp_set_user(conn, NULL);
	tcp_close(h->tcp, conn, now);
}

static void host_abort(struct transport *t, void *conn, uint64_t now)
{
	struct host *h = (struct host *)t;

	tcp_set_user(conn, NULL);
	tcp_abort(h->tcp, conn, now);
}

static uint32_t host_receive(struct transport *t, uint64_t now)
{
	struct host *h = (struct host *)t;
	struct rte_mbuf *pkts[RX_BURST];
	uint32_t work = port_rx(h->port, 0, pkts, RX_BURST);

	if (work > 0)
		net_input(h->net, 0, pkts, (uint16_t)work, now);
	host_flush_segments(h, now);
	work += wheel_advance(h->wheel, now, 256);
	work += tcp_dispatch(h->tcp, 256, now);
	return work;
}

static void host_send(struct transport *t, uint64_t now)
{
	struct host *h = (struct host *)t;

	tcp_output(h->tcp, now);
	net_flush(h->net);
	if (now >= h->next_tick) {
		h->next_tick = now + TICK;
		net_tick(h->net, now);
	}
}

static void host_destroy(struct transport *t)
{
	struct host *h = (struct host *)t;

	tcp_destroy(h->tcp);
	wheel_destroy(h->wheel);
	net_destroy(h->net);
	rte_mempool_free(h->tx_pool);
	rte_mempool_free(h->ctl_pool);
	free(h->addrs);
	free(h);
}

static const struct transport_ops host_ops = {
	.connect = host_connect,
	.listen = host_listen,
	.read = host_read,
	.write = host_write,
	.want_write = host_want_write,
	.close = host_close,
	.abort = host_abort,
	.receive = host_receive,
	.send = host_send,
	.destroy = host_destroy,
};

static int host_create_pools(struct host *h, const struct host_params *params)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "tx_%s", params->name);
	h->tx_pool = rte_pktmbuf_pool_create(
		name, params->mbufs, 256, NET_META_SIZE, MBUF_DATA, port_socket(h->port));
	snprintf(name, sizeof(name), "ctl_%s", params->name);
	h->ctl_pool = rte_pktmbuf_pool_create(
		name, params->mbufs / 2, 256, NET_META_SIZE, MBUF_DATA, port_socket(h->port));
	return h->tx_pool && h->ctl_pool ? 0 : -rte_errno;
}

static int host_create_net(struct host *h, const struct host_params *params, uint64_t now)
{
	const struct net_params np = {
		.upper = {.arg = h, .tcp_segment = host_tcp_segment, .tcp_error = host_tcp_error},
		.lower = {.arg = h,
			.tx = host_tx,
			.tx_offloads = host_tx_offloads,
			.mac = host_mac},
		.limits = {.neighbours = 1024, .hold_per_neighbour = 1024, .icmp_per_second = 1000},
		.pool = h->ctl_pool,
		.socket_id = -1,
	};
	int rc;

	h->addrs = calloc(params->addr_count, sizeof(*h->addrs));
	if (!h->addrs)
		return -ENOMEM;
	memcpy(h->addrs, params->addrs, params->addr_count * sizeof(*h->addrs));
	h->iface = (struct net_iface_config){
		.mtu = port_mtu(h->port),
		.addr_count = params->addr_count,
		.addrs = h->addrs,
	};
	h->config = (struct net_config){.iface_count = 1, .ifaces = &h->iface, .routes = &h->route};
	if (!ip_addr_is_unspecified(&params->gateway)) {
		bool v4 = ip_addr_is_v4(&params->gateway);

		h->route.gateway = params->gateway;
		h->route.dst = v4 ? ip_addr_from_v4(0) : (struct ip_addr){0};
		h->route.plen = v4 ? 96 : 0;
		h->config.route_count = 1;
	}
	rc = net_create(&np, &h->net);
	return rc < 0 ? rc : net_set_config(h->net, &h->config, now);
}

static int host_create_tcp(struct host *h, const struct host_params *params)
{
	struct tcp_params tp = {
		.lower = {.arg = h,
			.output = host_output,
			.mtu = host_mtu,
			.tso_max = host_tso_max},
		.wheel = h->wheel,
		.tx_pool = h->tx_pool,
		.ctl_pool = h->ctl_pool,
		.socket_id = -1,
	};
	struct tcp_config *c = &tp.config;

	tcp_config_defaults(c);
	c->max_conns = params->max_conns;
	c->max_syn_backlog = 16384;
	c->max_time_wait = 131072;
	c->time_wait_ms = 1000; /* the peer is ours too, and a generator runs out of ports */
	c->port_first = 1024;
	c->port_last = 65535;
	c->reserve_mbufs = params->mbufs / 16;
	if (getrandom(c->secret, sizeof(c->secret), 0) != sizeof(c->secret))
		return -EIO;
	return tcp_create(&tp, &h->tcp);
}

int host_create(const struct host_params *params, struct transport **out)
{
	struct host *h = calloc(1, sizeof(*h));
	uint64_t now = clock_tsc_ns(params->clock, rte_rdtsc());
	int rc;

	if (!h)
		return -ENOMEM;
	h->base.ops = &host_ops;
	h->port = params->port;
	h->own_mac = params->mac != NULL;
	if (params->mac)
		memcpy(h->mac, params->mac, sizeof(h->mac));
	rc = host_create_pools(h, params);
	if (rc == 0)
		rc = host_create_net(h, params, now);
	if (rc == 0)
		rc = wheel_create(now, -1, &h->wheel);
	if (rc == 0)
		rc = host_create_tcp(h, params);
	if (rc < 0)
		host_destroy(&h->base);
	else
		*out = &h->base;
	return rc;
}

void host_set_filter(struct transport *t, const struct host_filter *filter)
{
	((struct host *)t)->filter = *filter;
}

void host_counters(const struct transport *t,
	void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	const struct host *h = (const struct host *)t;

	for (size_t i = 0; i < net_counter_count(); i++) {
		if (net_counter_value(h->net, i) > 0)
			fn(arg, net_counter_name(i), net_counter_value(h->net, i));
	}
	for (size_t i = 0; i < tcp_counter_count(); i++) {
		if (tcp_counter_value(h->tcp, i) > 0)
			fn(arg, tcp_counter_name(i), tcp_counter_value(h->tcp, i));
	}
}
