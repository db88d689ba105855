/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our stack (port, net, tcp; no gateway) as one end of bulk transfers, on any DPDK device.
 *
 *   tcp_peer EAL-ARGS -- ADDR/PLEN KEY=VALUE...
 *
 * connect=ADDR port=N   or   listen=PORT;  flows=N (1)
 * send=BYTES each flow, or seconds=S: as much as goes in that time;  FIN after it
 * cc=cubic|newreno  sndbuf=BYTES  rcvbuf=BYTES  ecn=0|1  sleep=US when idle
 * measure=S: received_in_time is what came in within S of the first connection
 * limit=S: gives up after that (60)
 *
 * What is sent is the pattern of pattern_fill(), and what comes in is compared with it. When every
 * flow has ended, one line of key=value each, one of totals, and the counters that are not 0 are
 * printed; exit 0 only if all ended in order with no byte wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/clock.h"
#include "dataplane/net/net.h"
#include "dataplane/port.h"
#include "dataplane/tcp/tcp.h"
#include "dataplane/tcp/wheel.h"

#define FLOWS_MAX  256
#define PERIOD     65521 /* a prime: no power of two hides a shift */
#define TX_MBUFS   32767
#define CTL_MBUFS  8191
#define SECOND     UINT64_C(1000000000)
#define SEND_CHUNK 32768

struct flow {
	struct peer *peer;
	struct tcp_conn *c;
	uint64_t sent, received, acked_by_end, received_in_time;
	bool connected, shut, eof, bad, ended;
	enum tcp_reason reason;
	struct tcp_info info;
};

struct peer {
	struct port *port;
	struct net *net;
	struct wheel *wheel;
	struct tcp_stack *tcp;
	struct rte_mempool *tx_pool, *ctl_pool;
	struct clock_tsc clock;
	struct ip_addr local, remote;
	bool connect;
	uint16_t remote_port;
	unsigned int flow_count, accepted, ended;
	uint64_t send, seconds, measure, limit, sleep_us, stop_at;
	uint64_t measure_until; /* from the first connection on */
	struct flow flows[FLOWS_MAX];
	uint8_t pattern[PERIOD + SEND_CHUNK];
};

static uint64_t now_ns(const struct peer *p)
{
	return clock_tsc_ns(&p->clock, rte_rdtsc());
}

static void pattern_fill(uint8_t *b, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		size_t i = k % PERIOD;

		b[k] = (uint8_t)((i * 131) ^ ((i >> 8) * 167));
	}
}

/* --- Callbacks of the layers --- */

static void on_tx(void *arg, uint16_t port_id, struct rte_mbuf **pkts, uint16_t n)
{
	port_tx(((struct peer *)arg)->port, 0, pkts, n);
}

static uint64_t on_offloads(void *arg, uint16_t port_id)
{
	return port_tx_offloads(((struct peer *)arg)->port);
}

static void on_mac(void *arg, uint16_t port_id, uint8_t mac[6])
{
	port_mac(((struct peer *)arg)->port, mac);
}

static void on_segment(void *arg, struct rte_mbuf *m, uint64_t now)
{
	tcp_input(((struct peer *)arg)->tcp, &m, 1, now);
}

static void on_error(void *arg, const struct net_icmp_error *e, uint64_t now)
{
	tcp_icmp_error(((struct peer *)arg)->tcp, e, now);
}

static int on_output(void *arg, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t tos, uint64_t now)
{
	return net_output(((struct peer *)arg)->net, m, src, dst, IPPROTO_TCP, tos, now);
}

static uint16_t on_mtu(void *arg, const struct ip_addr *dst)
{
	return net_mtu(((struct peer *)arg)->net, dst);
}

static uint32_t on_tso_max(void *arg, const struct ip_addr *dst)
{
	return net_tx_offloads(((struct peer *)arg)->net, dst) & RTE_ETH_TX_OFFLOAD_TCP_TSO ? 60000
											    : 0;
}

/* --- Flows --- */

static void flow_end(struct flow *f, enum tcp_reason reason)
{
	f->ended = true;
	f->reason = reason;
	f->c = NULL;
	f->peer->ended++;
}

static void flow_pump(struct flow *f, uint64_t now)
{
	struct peer *p = f->peer;

	while (!f->shut) {
		uint64_t left =
			p->seconds > 0 ? (now < p->stop_at ? SEND_CHUNK : 0) : p->send - f->sent;
		size_t n = left < SEND_CHUNK ? (size_t)left : SEND_CHUNK;
		int64_t got;

		if (n == 0) {
			tcp_shutdown(p->tcp, f->c);
			f->shut = true;
			break;
		}
		got = tcp_send(p->tcp, f->c, p->pattern + f->sent % PERIOD, n, true);
		if (got <= 0)
			break;
		f->sent += (uint64_t)got;
	}
	if (!f->shut)
		tcp_want_writable(f->c, SEND_CHUNK);
}

static void flow_read(struct flow *f, uint64_t now)
{
	struct peer *p = f->peer;
	uint8_t buf[SEND_CHUNK];
	size_t n;

	while ((n = tcp_read(p->tcp, f->c, buf, sizeof(buf))) > 0) {
		f->bad |= memcmp(buf, p->pattern + f->received % PERIOD, n) != 0;
		f->received += n;
		if (now <= p->measure_until)
			f->received_in_time = f->received;
	}
	f->eof |= tcp_at_eof(f->c);
}

static void flow_finish(struct flow *f, uint64_t now)
{
	if (!f->shut || !f->eof || tcp_unacked(f->c) > 0)
		return;
	tcp_get_info(f->peer->tcp, f->c, &f->info);
	tcp_close(f->peer->tcp, f->c, now);
	flow_end(f, TCP_REASON_NONE);
}

static void on_connected(struct tcp_conn *c, void *user, uint64_t now)
{
	struct flow *f = user;

	f->connected = true;
	if (f->peer->measure_until == 0)
		f->peer->measure_until = now + f->peer->measure * SECOND;
	if (f->peer->seconds > 0 && f->peer->stop_at == UINT64_MAX)
		f->peer->stop_at = now + f->peer->seconds * SECOND;
	flow_pump(f, now);
}

static int on_accepted(struct tcp_conn *c, void *arg, uint64_t now)
{
	struct peer *p = arg;
	struct flow *f = &p->flows[p->accepted];

	if (p->accepted == p->flow_count)
		return -1;
	p->accepted++;
	f->c = c;
	tcp_set_user(c, f);
	on_connected(c, f, now);
	return 0;
}

static void on_readable(struct tcp_conn *c, void *user, uint64_t now)
{
	flow_read(user, now);
	flow_finish(user, now);
}

static void on_writable(struct tcp_conn *c, void *user, uint64_t now)
{
	flow_pump(user, now);
}

static void on_closed(struct tcp_conn *c, void *user, enum tcp_reason reason, uint64_t now)
{
	struct flow *f = user;

	flow_read(f, now);
	tcp_get_info(f->peer->tcp, c, &f->info);
	flow_end(f, reason);
}

static const struct tcp_ops ops = {on_accepted, on_connected, on_readable, on_writable, on_closed};

/* --- Set-up --- */

static bool parse_addr(const char *text, struct ip_addr *a)
{
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*a = ip_addr_from_v4(v4);
		return true;
	}
	return inet_pton(AF_INET6, text, a->b) == 1;
}

static bool parse_local(char *text, struct net_addr_config *a)
{
	char *slash = strchr(text, '/');

	if (slash == NULL)
		return false;
	*slash = '\0';
	if (!parse_addr(text, &a->addr))
		return false;
	a->plen = (uint8_t)(atoi(slash + 1) + (ip_addr_is_v4(&a->addr) ? 96 : 0));
	return true;
}

static bool parse_option(struct peer *p, struct tcp_config *c, const char *arg, uint16_t *listen)
{
	const char *value = strchr(arg, '=');
	size_t n;
	uint64_t number;

	if (value++ == NULL)
		return false;
	n = (size_t)(value - 1 - arg);
	number = strtoull(value, NULL, 10);
#define IS(key) (n == sizeof(key) - 1 && memcmp(arg, key, n) == 0)
	if (IS("connect"))
		return p->connect = true, parse_addr(value, &p->remote);
	if (IS("cc"))
		return c->cc = strcmp(value, "newreno") == 0 ? TCP_CC_NEWRENO : TCP_CC_CUBIC, true;
	if (IS("port"))
		return (p->remote_port = (uint16_t)number) != 0;
	if (IS("listen"))
		return (*listen = (uint16_t)number) != 0;
	if (IS("flows"))
		return p->flow_count = (unsigned int)number, number >= 1 && number <= FLOWS_MAX;
	if (IS("send"))
		return p->send = number, true;
	if (IS("seconds"))
		return p->seconds = number, true;
	if (IS("measure"))
		return p->measure = number, true;
	if (IS("limit"))
		return p->limit = number, true;
	if (IS("sleep"))
		return p->sleep_us = number, true;
	if (IS("sndbuf"))
		return c->send_buffer = (uint32_t)number, true;
	if (IS("rcvbuf"))
		return c->recv_buffer = (uint32_t)number, true;
	if (IS("ecn"))
		return c->ecn = number != 0, true;
#undef IS
	return false;
}

static int create(struct peer *p, struct tcp_params *tp, const struct net_config *config)
{
	struct port_params pp = {.worker_count = 1, .link_wait_ms = 5000, .rx_mbufs = TX_MBUFS};
	struct net_params np = {
		.upper = {p, on_segment, on_error, NULL, NULL},
		.lower = {p, on_tx, on_offloads, on_mac},
		.limits = {.neighbours = 64, .hold_per_neighbour = 8, .icmp_per_second = 100},
		.socket_id = -1,
	};
	char error[PORT_ERROR_SIZE];
	uint16_t device;
	int rc;

	RTE_ETH_FOREACH_DEV (device)
		pp.devices[pp.device_count++] = device;
	rc = port_create(&pp, &p->port, error);
	if (rc < 0) {
		fprintf(stderr, "tcp_peer: %s\n", error);
		return rc;
	}
	p->tx_pool = rte_pktmbuf_pool_create(
		"tx", TX_MBUFS, 256, NET_META_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	p->ctl_pool = rte_pktmbuf_pool_create(
		"ctl", CTL_MBUFS, 256, NET_META_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	clock_tsc_init(&p->clock);
	if (p->tx_pool == NULL || p->ctl_pool == NULL || wheel_create(0, -1, &p->wheel) < 0)
		return -ENOMEM;
	np.pool = p->ctl_pool;
	tp->lower = (struct tcp_lower){p, on_output, on_mtu, on_tso_max, NULL};
	tp->wheel = p->wheel;
	tp->tx_pool = p->tx_pool;
	tp->ctl_pool = p->ctl_pool;
	tp->socket_id = -1;
	rc = net_create(&np, &p->net);
	if (rc == 0)
		rc = net_set_config(p->net, config, now_ns(p));
	return rc < 0 ? rc : tcp_create(tp, &p->tcp);
}

static int start(struct peer *p, uint16_t listen)
{
	struct tcp_listen_params lp = {.addr = p->local, .port = listen, .ops = &ops, .arg = p};
	struct tcp_listener *l;

	if (!p->connect)
		return tcp_listen(p->tcp, &lp, &l);
	for (unsigned int i = 0; i < p->flow_count; i++) {
		struct tcp_connect_params cp = {.local = p->local,
			.remote = p->remote,
			.remote_port = p->remote_port,
			.ops = &ops,
			.user = &p->flows[i]};

		int rc = tcp_connect(p->tcp, &cp, now_ns(p), &p->flows[i].c);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* --- The loop --- */

static void loop(struct peer *p)
{
	uint64_t end = now_ns(p) + p->limit * SECOND, tick = 0;
	bool stopped = false;

	while (p->ended < p->flow_count) {
		struct rte_mbuf *pkts[64];
		uint64_t now = now_ns(p);
		uint16_t n = port_rx(p->port, 0, pkts, 64);
		uint32_t fired;

		if (now > end)
			break;
		net_input(p->net, 0, pkts, n, now);
		fired = wheel_advance(p->wheel, now, 256);
		fired += tcp_dispatch(p->tcp, 256, now);
		tcp_output(p->tcp, now);
		net_flush(p->net);
		if (now >= tick) {
			net_tick(p->net, now);
			tick = now + SECOND / 100;
			/* No event comes for the last byte acknowledged, or at a time of day. */
			for (unsigned int i = 0; i < p->flow_count; i++) {
				struct flow *f = &p->flows[i];

				if (!f->connected || f->ended)
					continue;
				if (now >= p->stop_at && !stopped)
					tcp_get_info(p->tcp, f->c, &f->info);
				if (now >= p->stop_at && !stopped)
					f->acked_by_end = f->info.bytes_acked;
				if (now >= p->stop_at)
					flow_pump(f, now);
				flow_finish(f, now);
			}
			stopped |= now >= p->stop_at;
		}
		if (n == 0 && fired == 0 && p->sleep_us > 0)
			rte_delay_us_sleep((unsigned int)p->sleep_us);
	}
}

static bool report(struct peer *p)
{
	uint64_t sent = 0, received = 0, acked_in_time = 0, received_in_time = 0;
	bool good = p->ended == p->flow_count;

	for (unsigned int i = 0; i < p->flow_count; i++) {
		const struct flow *f = &p->flows[i];
		const struct tcp_info *t = &f->info;

		printf("flow %u sent=%lu received=%lu bad=%d ended=%d reason=\"%s\" cwnd=%u "
		       "ssthresh=%u rtt_us=%u min_rtt_us=%u retransmits=%u mss=%u\n",
			i, f->sent, f->received, f->bad, f->ended,
			f->ended ? tcp_reason_name(f->reason) : "not", t->snd_cwnd_bytes,
			t->ssthresh_bytes, t->rtt_us, t->min_rtt_us, t->retransmits, t->mss);
		sent += f->sent;
		received += f->received;
		acked_in_time += f->acked_by_end;
		received_in_time += f->received_in_time;
		good &= f->ended && f->reason == TCP_REASON_NONE && !f->bad;
	}
	printf("total sent=%lu received=%lu acked_in_time=%lu received_in_time=%lu good=%d\n", sent,
		received, acked_in_time, received_in_time, good);
	printf("counters");
	for (size_t i = 0; i < tcp_counter_count(); i++) {
		if (tcp_counter_value(p->tcp, i) != 0)
			printf(" %s=%lu", tcp_counter_name(i), tcp_counter_value(p->tcp, i));
	}
	for (size_t i = 0; i < net_counter_count(); i++) {
		if (net_counter_value(p->net, i) != 0)
			printf(" %s=%lu", net_counter_name(i), net_counter_value(p->net, i));
	}
	printf("\n");
	return good;
}

int main(int argc, char **argv)
{
	static struct peer p = {.flow_count = 1, .limit = 60, .sleep_us = 20};
	struct net_addr_config addr;
	struct net_iface_config iface = {.mtu = 1500, .addr_count = 1, .addrs = &addr};
	struct net_config config = {.iface_count = 1, .ifaces = &iface};
	struct tcp_params tp = {0};
	uint16_t listen = 0;
	int rc = rte_eal_init(argc, argv);
	bool good;

	if (rc < 0)
		return 2;
	argc -= rc;
	argv += rc;
	tcp_config_defaults(&tp.config);
	tp.config.time_wait_ms = 1000;
	tp.config.max_conns = FLOWS_MAX;
	tp.config.max_time_wait = FLOWS_MAX;
	tp.config.max_syn_backlog = FLOWS_MAX;
	if (argc < 3 || !parse_local(argv[1], &addr))
		return 2;
	p.local = addr.addr;
	for (int i = 2; i < argc; i++) {
		if (!parse_option(&p, &tp.config, argv[i], &listen)) {
			fprintf(stderr, "tcp_peer: not understood: %s\n", argv[i]);
			return 2;
		}
	}
	for (unsigned int i = 0; i < p.flow_count; i++)
		p.flows[i].peer = &p;
	p.stop_at = UINT64_MAX;
	pattern_fill(p.pattern, sizeof(p.pattern));
	for (size_t i = 0; i < sizeof(tp.config.secret); i++)
		tp.config.secret[i] = (uint8_t)(rte_rdtsc() >> (i % 8));
	rc = create(&p, &tp, &config);
	if (rc == 0)
		rc = start(&p, listen);
	if (rc < 0) {
		fprintf(stderr, "tcp_peer: does not start: %s\n", strerror(-rc));
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	loop(&p);
	good = report(&p);
	tcp_destroy(p.tcp);
	net_destroy(p.net);
	wheel_destroy(p.wheel);
	port_destroy(p.port);
	rte_eal_cleanup();
	return good ? 0 : 1;
}
