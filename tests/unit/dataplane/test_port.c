/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "dataplane/net/net.h"
#include "dataplane/port.h"
#include "dataplane/port_rss.h"

#define WORKERS 3
#define POOL    511

static struct rte_mempool *pool;

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return ip_addr_from_v4(v4);
	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

/* "Verifying the RSS hash calculation", Microsoft: source, destination, with ports and without. */
static void hash_of_microsofts_vectors(void **state)
{
	static const struct {
		const char *src, *dst;
		uint16_t sport, dport;
		uint32_t with_ports, without;
	} vectors[] = {
		{"66.9.149.187", "161.142.100.80", 2794, 1766, 0x51ccc178, 0x323e8fc2},
		{"199.92.111.2", "65.69.140.83", 14230, 4739, 0xc626b0ea, 0xd718262a},
		{"24.19.198.95", "12.22.207.184", 12898, 38024, 0x5c2b394a, 0xd2d0a5de},
		{"38.27.205.30", "209.142.163.6", 48228, 2217, 0xafc7327f, 0x82989176},
		{"153.39.163.191", "202.188.127.2", 44251, 1303, 0x10e828a2, 0x5d1809c5},
		{"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x40207d3d, 0x2cc18cd5},
		{"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0xdde51bbf, 0x0f0c461c},
		{"3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024,
			0x02d1feef, 0x4b61e985},
	};
	struct port_rss rss = {.known = true, .ip4 = true, .ip6 = true, .reta_size = 8};

	memcpy(rss.key, port_rss_default_key, PORT_RSS_KEY_SIZE);
	/* A table that is not the hash modulo anything. */
	for (uint16_t i = 0; i < 8; i++)
		rss.reta[i] = (uint16_t)(7 * i + 3) % 5;
	for (size_t i = 0; i < RTE_DIM(vectors); i++) {
		struct ip_addr s = addr(vectors[i].src), d = addr(vectors[i].dst);

		rss.tcp4 = rss.tcp6 = true;
		assert_int_equal(port_rss_hash(&rss, &s, vectors[i].sport, &d, vectors[i].dport),
			vectors[i].with_ports);
		assert_int_equal(port_rss_queue(&rss, &s, vectors[i].sport, &d, vectors[i].dport),
			(7 * (vectors[i].with_ports % 8) + 3) % 5);
		rss.tcp4 = rss.tcp6 = false;
		assert_int_equal(port_rss_hash(&rss, &s, vectors[i].sport, &d, vectors[i].dport),
			vectors[i].without);
	}
}

static void what_is_not_hashed_cannot_be_told(void **state)
{
	struct port_rss rss = {.known = true, .ip4 = true, .reta_size = 8};
	struct ip_addr a4 = addr("192.0.2.1"), b4 = addr("192.0.2.2"), a6 = addr("::2"),
		       b6 = addr("::3");

	assert_int_not_equal(port_rss_queue(&rss, &a4, 1, &b4, 2), -1);
	assert_int_equal(port_rss_queue(&rss, &a6, 1, &b6, 2), -1);
	rss.known = false;
	assert_int_equal(port_rss_queue(&rss, &a4, 1, &b4, 2), -1);
}

static struct rte_ring *ring(const char *name)
{
	struct rte_ring *r =
		rte_ring_create(name, 64, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);

	assert_non_null(r);
	return r;
}

static struct rte_mbuf *packet(uint16_t segs)
{
	struct rte_mbuf *m = NULL;

	for (uint16_t i = 0; i < segs; i++) {
		struct rte_mbuf *s = rte_pktmbuf_alloc(pool);

		assert_non_null(s);
		memset(rte_pktmbuf_append(s, 100), i + 1, 100);
		if (m == NULL)
			m = s;
		else
			assert_int_equal(rte_pktmbuf_chain(m, s), 0);
	}
	return m;
}

static uint64_t counter(const struct port *p, const char *name)
{
	uint64_t values[256];

	assert_true(port_counter_count(p) <= 256);
	port_counter_values(p, values);
	for (size_t i = 0; i < port_counter_count(p); i++) {
		if (strcmp(port_counter_name(p, i), name) == 0)
			return values[i];
	}
	fail_msg("no counter %s", name);
	return 0;
}

/* What one worker sends stays on its queue; what a queue does not take is freed and counted. */
static void each_worker_has_its_queue(void **state)
{
	struct rte_ring *rx[WORKERS], *tx[WORKERS];
	struct port_params params = {.id = 1,
		.device_count = 1,
		.worker_count = WORKERS,
		.rx_desc = 64,
		.tx_desc = 64,
		.rx_mbufs = 511,
		.sender_rss = true,
		.link_wait_ms = 100};
	struct rte_mbuf *pkts[100];
	char error[PORT_ERROR_SIZE], name[32];
	uint32_t free_count, size;
	struct port *p;
	int device;

	for (int i = 0; i < WORKERS; i++) {
		snprintf(name, sizeof(name), "rx%d", i);
		rx[i] = ring(name);
		snprintf(name, sizeof(name), "tx%d", i);
		tx[i] = ring(name);
	}
	device = rte_eth_from_rings("each", rx, WORKERS, tx, WORKERS, 0);
	assert_true(device >= 0);
	params.devices[0] = (uint16_t)device;
	assert_int_equal(port_create(&params, &p, error), 0);
	assert_true(port_link_up(p));
	port_pool_level(p, 2, &free_count, &size);
	assert_int_equal(size, 511);
	for (uint16_t w = 0; w < WORKERS; w++) {
		for (int i = 0; i <= w; i++)
			pkts[i] = packet(1);
		port_tx(p, w, pkts, (uint16_t)(w + 1));
		for (int k = 0; k < WORKERS; k++)
			assert_int_equal(rte_ring_count(tx[k]), k <= w ? k + 1 : 0);
		/* In by the same queue. */
		assert_int_equal(rte_ring_enqueue(rx[w], packet(1)), 0);
		for (uint16_t k = 0; k < WORKERS; k++) {
			uint16_t n = port_rx(p, k, pkts, 32);

			assert_int_equal(n, k == w);
			rte_pktmbuf_free_bulk(pkts, n);
		}
	}
	/* 63 fit a ring of 64: three are there already. */
	for (int i = 0; i < 100; i++)
		pkts[i] = packet(1);
	port_tx(p, 2, pkts, 100);
	assert_int_equal(rte_ring_count(tx[2]), 63);
	assert_int_equal(counter(p, "tx_full"), 40);
	for (int k = 0; k < WORKERS; k++) {
		void *m;

		while (rte_ring_dequeue(tx[k], &m) == 0)
			rte_pktmbuf_free(m);
	}
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
	{
		/* As the sender of these tests agreed to spread. */
		struct ip_addr s = addr("66.9.149.187"), d = addr("161.142.100.80");

		assert_int_equal(port_rx_worker(p, &s, 2794, &d, 1766), 0x51ccc178 % 128 % WORKERS);
	}
	port_destroy(p);
	for (int i = 0; i < WORKERS; i++) {
		rte_ring_free(rx[i]);
		rte_ring_free(tx[i]);
	}
}

static void received_frames_have_room_for_the_ip_layer(void **state)
{
	struct port_params params = {.id = 2,
		.device_count = 1,
		.worker_count = 2,
		.rx_desc = 64,
		.tx_desc = 64,
		.rx_mbufs = 511};
	char error[PORT_ERROR_SIZE];
	struct rte_mbuf *pkts[32];
	uint16_t device, n;
	struct port *p;

	/* net_null makes frames out of nothing, but of our pool. */
	assert_int_equal(rte_vdev_init("net_null0", "size=64,copy=0"), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_null0", &device), 0);
	params.devices[0] = device;
	assert_int_equal(port_create(&params, &p, error), 0);
	n = port_rx(p, 1, pkts, 32);
	assert_true(n > 0);
	assert_true(rte_pktmbuf_priv_size(pkts[0]->pool) >= NET_META_SIZE);
	assert_true(rte_pktmbuf_headroom(pkts[0]) >= NET_HEADROOM);
	rte_pktmbuf_free_bulk(pkts, n);
	/* No RSS that we could know of: the device's choice cannot be told. */
	{
		struct ip_addr s = addr("192.0.2.1"), d = addr("192.0.2.2");

		if (!port_get_rss(p)->known)
			assert_int_equal(port_rx_worker(p, &s, 1, &d, 2), -1);
	}
	port_destroy(p);
}

static void what_cannot_work_is_said_in_one_line(void **state)
{
	struct rte_ring *r = ring("one");
	struct port_params params = {.id = 3,
		.device_count = 1,
		.worker_count = 2,
		.rx_desc = 64,
		.tx_desc = 64,
		.rx_mbufs = 511};
	char error[PORT_ERROR_SIZE];
	struct port *p = NULL;
	int device;

	params.devices[0] = 31;
	assert_int_equal(port_create(&params, &p, error), -ENODEV);
	assert_non_null(strstr(error, "no device 31"));
	params.worker_count = 0;
	assert_int_equal(port_create(&params, &p, error), -EINVAL);
	/* A pool too small for the queue would starve it: refused before it starts. */
	device = rte_eth_from_rings("small", &r, 1, &r, 1, 0);
	params.devices[0] = (uint16_t)device;
	params.worker_count = 1;
	params.rx_mbufs = 100;
	assert_int_equal(port_create(&params, &p, error), -EINVAL);
	assert_non_null(strstr(error, "too few"));
	assert_null(p);
	/* Two devices for one worker. */
	params.rx_mbufs = 511;
	params.device_count = 2;
	device = rte_eth_from_rings("two_a", &r, 1, &r, 1, 0);
	params.devices[0] = (uint16_t)device;
	device = rte_eth_from_rings("two_b", &r, 1, &r, 1, 0);
	params.devices[1] = (uint16_t)device;
	assert_int_equal(port_create(&params, &p, error), -EINVAL);
	assert_non_null(strstr(error, "2 devices for 1 workers"));
	rte_ring_free(r);
}

/* As net_af_xdp has it: two devices of one queue are one port of two workers. */
static void devices_of_one_queue_make_one_port(void **state)
{
	struct rte_ring *r[2] = {ring("grp0"), ring("grp1")};
	struct port_params params = {.id = 4,
		.device_count = 2,
		.worker_count = 2,
		.rx_desc = 64,
		.tx_desc = 64,
		.rx_mbufs = 511};
	char error[PORT_ERROR_SIZE];
	struct rte_mbuf *m;
	struct port *p;

	/* net_ring lets a queue be set up that it has; one each is all that it has here. */
	params.devices[0] = (uint16_t)rte_eth_from_rings("grp_a", &r[0], 1, &r[0], 1, 0);
	params.devices[1] = (uint16_t)rte_eth_from_rings("grp_b", &r[1], 1, &r[1], 1, 0);
	if (port_create(&params, &p, error) != 0)
		fail_msg("%s", error);
	m = packet(1);
	port_tx(p, 1, &m, 1);
	assert_int_equal(rte_ring_count(r[0]), 0);
	assert_int_equal(rte_ring_count(r[1]), 1);
	assert_int_equal(port_rx(p, 0, &m, 1), 0);
	assert_int_equal(port_rx(p, 1, &m, 1), 1);
	rte_pktmbuf_free(m);
	port_destroy(p);
	rte_ring_free(r[0]);
	rte_ring_free(r[1]);
}

int main(void)
{
	static const char *const args[] = {"test_port", "--no-huge", "--no-shconf", "--no-pci",
		"-m", "96", "--no-telemetry", "--log-level=critical", "-l", "0"};
	char *argv[RTE_DIM(args) + 1] = {0};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_of_microsofts_vectors),
		cmocka_unit_test(what_is_not_hashed_cannot_be_told),
		cmocka_unit_test(each_worker_has_its_queue),
		cmocka_unit_test(received_frames_have_room_for_the_ip_layer),
		cmocka_unit_test(what_cannot_work_is_said_in_one_line),
		cmocka_unit_test(devices_of_one_queue_make_one_port),
	};

	for (size_t i = 0; i < RTE_DIM(args); i++)
		argv[i] = (char *)(uintptr_t)args[i];
	if (rte_eal_init(RTE_DIM(args), argv) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create(
		"test", POOL, 0, NET_META_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	if (pool == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
