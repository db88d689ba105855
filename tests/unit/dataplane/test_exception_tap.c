/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if.h>

#include <rte_config.h>
#include <rte_eal.h>
#include <rte_mbuf.h>

#include "dataplane/exception_tap.h"
#include "dataplane/net/net.h"
#include "dataplane/net/wire.h"

#define POOL   1023
#define SECOND 1000000000ull

static struct rte_mempool *pool;
static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
static const uint8_t peer[6] = {0x52, 0x54, 0, 1, 2, 3};

static struct exception_tap *make(uint32_t per_second)
{
	struct exception_tap_params params = {.name = "pgx0",
		.mtu = 1500,
		.worker_count = 2,
		.per_second = per_second,
		.socket_id = -1};
	struct exception_tap *t;

	memcpy(params.mac, mac, 6);
	assert_int_equal(exception_tap_create(&params, &t), 0);
	/* The name is taken now: said, not shared. */
	assert_true(exception_tap_create(&params, &t) < 0);
	return t;
}

static void set_up(const char *address)
{
	struct ifreq r = {.ifr_name = "pgx0"};
	struct sockaddr_in *in = (struct sockaddr_in *)&r.ifr_addr;
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	in->sin_family = AF_INET;
	inet_pton(AF_INET, address, &in->sin_addr);
	assert_int_equal(ioctl(s, SIOCSIFADDR, &r), 0);
	r.ifr_flags = IFF_UP;
	assert_int_equal(ioctl(s, SIOCSIFFLAGS, &r), 0);
	close(s);
}

static struct rte_mbuf *arp_request(const char *spa, const char *tpa)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t b[60] = {0};
	struct wire_eth *eth = (struct wire_eth *)b;
	struct wire_arp *arp = (struct wire_arp *)(eth + 1);
	void *room;

	memset(eth->dst, 0xff, 6);
	memcpy(eth->src, peer, 6);
	eth->type = htons(ETHERTYPE_ARP_);
	*arp = (struct wire_arp){
		.hrd = htons(1), .pro = htons(0x800), .hln = 6, .pln = 4, .op = htons(1)};
	memcpy(arp->sha, peer, 6);
	arp->spa = inet_addr(spa);
	arp->tpa = inet_addr(tpa);
	room = rte_pktmbuf_append(m, sizeof(b));
	if (room == NULL)
		fail();
	else
		memcpy(room, b, sizeof(b));
	return m;
}

static uint64_t counter(struct exception_tap *t, const char *name)
{
	for (size_t i = 0; i < exception_tap_counter_count(); i++) {
		if (strcmp(exception_tap_counter_name(i), name) == 0)
			return exception_tap_counter_value(t, i);
	}
	fail_msg("no counter %s", name);
	return 0;
}

static void the_kernel_answers(void **state)
{
	struct exception_tap *t = make(0);
	struct rte_mbuf *pkts[32];
	bool answered = false;

	set_up("192.0.2.9");
	exception_tap_put(t, 1, arp_request("192.0.2.77", "192.0.2.9"), SECOND);
	for (int tries = 0; tries < 100 && !answered; tries++) {
		uint16_t n;

		exception_tap_poll(t, 32);
		n = exception_tap_get(t, pkts, 32);
		for (uint16_t i = 0; i < n; i++) {
			const struct wire_eth *eth =
				rte_pktmbuf_mtod(pkts[i], const struct wire_eth *);
			const struct wire_arp *arp = (const struct wire_arp *)(eth + 1);

			/* IPv6 speaks up unasked; what is looked for is the reply. */
			if (eth->type == htons(ETHERTYPE_ARP_)) {
				assert_int_equal(arp->op, htons(2));
				assert_memory_equal(arp->sha, mac, 6);
				assert_memory_equal(eth->dst, peer, 6);
				assert_true(rte_pktmbuf_headroom(pkts[i]) >= NET_HEADROOM);
				answered = true;
			}
			rte_pktmbuf_free(pkts[i]);
		}
		usleep(10000);
	}
	assert_true(answered);
	assert_int_equal(counter(t, "exception_to_kernel"), 1);
	exception_tap_destroy(t);
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

static void a_flood_is_held_to_the_rate_and_the_ring(void **state)
{
	struct exception_tap *t = make(100);
	uint64_t now = 5 * SECOND;

	for (int i = 0; i < 500; i++)
		exception_tap_put(t, 0, arp_request("192.0.2.77", "192.0.2.9"), now);
	/* A tenth of a second's worth at once, the one in hand included. */
	assert_int_equal(counter(t, "exception_rate_limited"), 500 - 11);
	exception_tap_put(t, 0, arp_request("192.0.2.77", "192.0.2.9"), now + SECOND / 100);
	assert_int_equal(counter(t, "exception_rate_limited"), 500 - 11);
	/* The other worker has a rate of its own; nobody empties the ring, and it does not grow. */
	for (int i = 0; i < 500; i++)
		exception_tap_put(t, 1, arp_request("192.0.2.77", "192.0.2.9"), now += SECOND);
	assert_int_equal(counter(t, "exception_ring_full"), 500 + 12 - 255);
	/* A netdev that is down: counted, freed. */
	exception_tap_poll(t, 10);
	assert_int_equal(counter(t, "exception_write_failed"), 10);
	exception_tap_destroy(t);
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

int main(void)
{
	static const char *const args[] = {"test_exception_tap", "--no-huge", "--no-shconf",
		"--no-pci", "-m", "64", "--no-telemetry", "--log-level=critical", "-l", "0"};
	char *argv[RTE_DIM(args) + 1] = {0};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_answers),
		cmocka_unit_test(a_flood_is_held_to_the_rate_and_the_ring),
	};

	/* A namespace of our own, so that nothing of this is seen outside. 77: meson's "skipped".
	 */
	if (unshare(CLONE_NEWNET) != 0 || access("/dev/net/tun", R_OK | W_OK) != 0)
		return 77;
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
