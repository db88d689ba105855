/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port and an IP layer per worker and nothing above: answers ping and neighbours on a real
 * device, to see what that device needs. TCP segments are counted.
 *
 *   responder EAL-ARGS -- WORKERS SECONDS ADDR/PLEN... (all devices that EAL knows are one port)
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/net/net.h"
#include "dataplane/port.h"

#define MAX_WORKERS 4

struct responder {
	struct port *port;
	uint16_t worker;
	struct net *net;
	struct responder *all;
	uint16_t workers;
	struct rte_mempool *pool;
	uint64_t segments;
	uint64_t received;
};

static uint64_t now_ns(void)
{
	return (uint64_t)((double)rte_get_tsc_cycles() * 1e9 / (double)rte_get_tsc_hz());
}

/* All in one thread here, so that no ring is needed. */
static void on_spread(void *arg, uint16_t port_id, const struct rte_mbuf *m)
{
	struct responder *r = arg;

	for (uint16_t w = 0; w < r->workers; w++) {
		struct rte_mbuf *copy;

		if (w == r->worker)
			continue;
		copy = rte_pktmbuf_copy(m, r->pool, 0, UINT32_MAX);
		if (copy != NULL)
			net_learn(r->all[w].net, port_id, copy, now_ns());
	}
}

static void on_tx(void *arg, uint16_t port_id, struct rte_mbuf **pkts, uint16_t n)
{
	struct responder *r = arg;

	port_tx(r->port, r->worker, pkts, n);
}

static uint64_t on_offloads(void *arg, uint16_t port_id)
{
	return port_tx_offloads(((struct responder *)arg)->port);
}

static void on_mac(void *arg, uint16_t port_id, uint8_t mac[6])
{
	port_mac(((struct responder *)arg)->port, mac);
}

static void on_segment(void *arg, struct rte_mbuf *m, uint64_t now)
{
	((struct responder *)arg)->segments++;
	rte_pktmbuf_free(m);
}

static bool parse(const char *text, struct net_addr_config *a)
{
	char buf[64];
	char *slash;
	uint32_t v4;

	snprintf(buf, sizeof(buf), "%s", text);
	slash = strchr(buf, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	if (inet_pton(AF_INET, buf, &v4) == 1) {
		a->addr = ip_addr_from_v4(v4);
		a->plen = (uint8_t)(96 + atoi(slash + 1));
		return true;
	}
	a->plen = (uint8_t)atoi(slash + 1);
	return inet_pton(AF_INET6, buf, a->addr.b) == 1;
}

static void report(struct responder *rs, uint16_t workers, struct port *port)
{
	uint64_t *values = calloc(port_counter_count(port), sizeof(*values));

	for (uint16_t w = 0; w < workers; w++) {
		printf("worker %u received=%lu tcp=%lu", w, rs[w].received, rs[w].segments);
		for (size_t i = 0; i < net_counter_count(); i++) {
			if (net_counter_value(rs[w].net, i) != 0)
				printf(" %s=%lu", net_counter_name(i),
					net_counter_value(rs[w].net, i));
		}
		printf("\n");
	}
	port_counter_values(port, values);
	printf("port");
	for (size_t i = 0; i < port_counter_count(port); i++) {
		if (values[i] != 0)
			printf(" %s=%lu", port_counter_name(port, i), values[i]);
	}
	printf("\n");
	free(values);
}

int main(int argc, char **argv)
{
	struct net_addr_config addrs[8];
	struct net_iface_config iface = {.mtu = 1500, .addrs = addrs};
	struct net_config config = {.iface_count = 1, .ifaces = &iface};
	struct port_params params = {.link_wait_ms = 5000};
	struct responder rs[MAX_WORKERS] = {0};
	char error[PORT_ERROR_SIZE];
	struct rte_mempool *pool;
	struct port *port;
	uint64_t end, tick = 0;
	uint16_t device;
	int rc = rte_eal_init(argc, argv);

	if (rc < 0)
		return 2;
	argc -= rc;
	argv += rc;
	if (argc < 4)
		return 2;
	params.worker_count = (uint16_t)atoi(argv[1]);
	if (params.worker_count < 1 || params.worker_count > MAX_WORKERS)
		return 2;
	RTE_ETH_FOREACH_DEV (device)
		params.devices[params.device_count++] = device;
	for (int i = 3; i < argc && iface.addr_count < 8; i++) {
		if (!parse(argv[i], &addrs[iface.addr_count++]))
			return 2;
	}
	pool = rte_pktmbuf_pool_create(
		"ctl", 2047, 0, NET_META_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	rc = port_create(&params, &port, error);
	if (pool == NULL || rc < 0) {
		fprintf(stderr, "responder: %s\n", error);
		return 1;
	}
	printf("%s driver=%s link=%d speed=%u mtu=%u tx_offloads=%#lx\n", port_name(port),
		port_driver(port), port_link_up(port), port_link_speed(port), port_mtu(port),
		port_tx_offloads(port));
	fflush(stdout);
	for (uint16_t w = 0; w < params.worker_count; w++) {
		struct net_params np = {
			.upper = {&rs[w], on_segment, NULL, on_spread, NULL},
			.lower = {&rs[w], on_tx, on_offloads, on_mac},
			.limits = {.neighbours = 64,
				.hold_per_neighbour = 8,
				.icmp_per_second = 100},
			.pool = pool,
			.socket_id = -1,
			.quiet = w != 0,
		};

		rs[w].port = port;
		rs[w].worker = w;
		rs[w].all = rs;
		rs[w].workers = params.worker_count;
		rs[w].pool = pool;
		if (net_create(&np, &rs[w].net) < 0 ||
			net_set_config(rs[w].net, &config, now_ns()) < 0)
			return 1;
	}
	end = now_ns() + (uint64_t)atoi(argv[2]) * 1000000000ull;
	while (now_ns() < end) {
		uint64_t now = now_ns();
		bool ticked = now >= tick;

		for (uint16_t w = 0; w < params.worker_count; w++) {
			struct rte_mbuf *pkts[32];
			uint16_t n = port_rx(port, w, pkts, 32);

			rs[w].received += n;
			net_input(rs[w].net, 0, pkts, n, now);
			if (ticked)
				net_tick(rs[w].net, now);
			net_flush(rs[w].net);
		}
		if (ticked)
			tick = now + 100000000;
		rte_delay_us_sleep(50);
	}
	report(rs, params.worker_count, port);
	for (uint16_t w = 0; w < params.worker_count; w++)
		net_destroy(rs[w].net);
	port_destroy(port);
	rte_eal_cleanup();
	return 0;
}
