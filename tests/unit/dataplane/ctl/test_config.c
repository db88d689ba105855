// SPDX-License-Identifier: BSD-3-Clause
/* From items to a generation: what is refused, in which words, and what comes out. */
#include "tests/unit/dataplane/ctl/fake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/ctl/build.h"
#include "tls/tls.h"

static _Alignas(8) uint8_t room[IPC_MESSAGE_MAX];
static char err[CTL_ERROR_SIZE];

static struct config *begin(uint64_t generation)
{
	struct ipc_config_begin m;
	struct config *c;

	fake_begin(&m, generation);
	assert_int_equal(config_create(&m, &c), 0);
	err[0] = '\0';
	return c;
}

static int interface(struct config *c, enum ipc_side side, const char *port, uint16_t vlan)
{
	struct ipc_interface m;

	fake_interface(&m, c->interface_count, side, port);
	m.vlan = vlan;
	return config_add_interface(c, &m, err);
}

static int addr(struct config *c, uint16_t i, const char *prefix)
{
	struct ipc_address m;

	fake_address(&m, i, prefix);
	return config_add_address(c, &m, err);
}

static int route(struct config *c, uint16_t i, const char *prefix, const char *via)
{
	struct ipc_route m;

	fake_route(&m, i, prefix, via);
	return config_add_route(c, &m, err);
}

static int listener(struct config *c, enum ipc_side side, const char *a, uint16_t port, int cert)
{
	struct ipc_listener m;

	fake_listener(&m, side, a, port, cert);
	return config_add_listener(c, &m, err);
}

static int hop(struct config *c, const char *name, const char *a, uint16_t priority,
	enum ipc_level level, uint16_t ca)
{
	struct ipc_next_hop m;

	fake_next_hop(&m, name, a, priority, level, ca);
	return config_add_next_hop(c, &m, err);
}

static int chunk(struct config *c, uint16_t i, enum ipc_pem_kind kind, uint32_t offset,
	const char *data, size_t len)
{
	return config_add_pem_chunk(c, fake_chunk(room, i, kind, offset, data, len), err);
}

static void certificate(struct config *c, const char *chain, const char *key)
{
	struct ipc_certificate m;
	uint16_t i = c->certificate_count;
	size_t half = strlen(chain) / 2;

	fake_certificate(&m, i, strlen(chain), strlen(key));
	assert_int_equal(config_add_certificate(c, &m, err), 0);
	assert_int_equal(chunk(c, i, IPC_PEM_CHAIN, 0, chain, half), 0);
	assert_int_equal(chunk(c, i, IPC_PEM_KEY, 0, key, strlen(key)), 0);
	assert_int_equal(
		chunk(c, i, IPC_PEM_CHAIN, (uint32_t)half, chain + half, strlen(chain) - half), 0);
}

/* Two sides, a certificate, a CA; good as it is. */
static struct config *good(uint64_t generation)
{
	struct config *c = begin(generation);
	struct ipc_ca ca;

	assert_int_equal(interface(c, IPC_OUTSIDE, "net_null0", 0), 0);
	assert_int_equal(addr(c, 0, "198.51.100.1/24"), 0);
	assert_int_equal(addr(c, 0, "2001:db8:1::1/64"), 0);
	assert_int_equal(interface(c, IPC_INSIDE, "1", 0), 0);
	assert_int_equal(addr(c, 1, "192.0.2.1/24"), 0);
	certificate(c, fake_cert(0)->chain, fake_cert(0)->key);
	fake_ca(&ca, 0, strlen(fake_cert(1)->chain));
	assert_int_equal(config_add_ca(c, &ca, err), 0);
	assert_int_equal(
		chunk(c, 0, IPC_PEM_CA, 0, fake_cert(1)->chain, strlen(fake_cert(1)->chain)), 0);
	assert_int_equal(listener(c, IPC_OUTSIDE, NULL, 25, 0), 0);
	assert_int_equal(hop(c, "b.example", "192.0.2.3", 20, IPC_LEVEL_VERIFY, 0), 0);
	assert_int_equal(hop(c, "a.example", "192.0.2.2", 10, IPC_LEVEL_MAY, IPC_NO_CA), 0);
	return c;
}

static void refused(struct config *c, int rc, const char *text)
{
	assert_int_equal(config_check(c, fake_ports, 2, err), rc);
	assert_string_equal(err, text);
	config_free(c);
}

static void test_interfaces(void **state)
{
	struct config *c = begin(1);

	refused(c, -EINVAL, "no interface");
	c = good(1);
	assert_int_equal(interface(c, IPC_INSIDE, "net_tap7", 0), 0);
	refused(c, -ENODEV, "interface if2: no port net_tap7 (there are: net_null0, net_null1)");
	c = good(1);
	assert_int_equal(interface(c, IPC_INSIDE, "2", 0), 0);
	refused(c, -ENODEV, "interface if2: no port 2 (there are: net_null0, net_null1)");
	c = good(1);
	assert_int_equal(interface(c, IPC_INSIDE, "net_null1", 0), 0);
	assert_int_equal(addr(c, 2, "10.0.0.1/8"), 0);
	refused(c, -EEXIST, "interfaces if1 and if2: same port and VLAN");
	c = good(1);
	assert_int_equal(interface(c, IPC_INSIDE, "net_null1", 7), 0);
	refused(c, -EINVAL, "interface if2: no address");
	c = good(1);
	assert_int_equal(interface(c, IPC_INSIDE, "net_null1", 7), 0);
	assert_int_equal(addr(c, 2, "198.51.100.1/28"), 0);
	refused(c, -EEXIST, "address 198.51.100.1 is given twice (interfaces if0 and if2)");
	c = good(1);
	c->interfaces[1].mtu = 9000;
	refused(c, -EINVAL, "interface if1: mtu 9000 is more than port net_null1 has (1500)");

	const char *const wrong[] = {"198.51.100.0/24", "198.51.100.255/24", "127.0.0.1/8",
		"224.0.0.1/24", "0.0.0.1/8", "255.255.255.255/32"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		c = good(1);
		assert_int_equal(addr(c, 0, wrong[i]), 0);
		assert_int_equal(config_check(c, fake_ports, 2, err), -EINVAL);
		assert_non_null(strstr(err, "is not a host's address"));
		config_free(c);
	}
	c = good(1);
	assert_int_equal(addr(c, 0, "203.0.113.0/31"), 0); /* RFC 3021 */
	assert_int_equal(addr(c, 0, "203.0.113.9/32"), 0);
	assert_int_equal(config_check(c, fake_ports, 2, err), 0);
	assert_int_equal(c->interfaces[1].port_id, 1);
	config_free(c);
}

static void test_routes(void **state)
{
	struct config *c = good(1);

	assert_int_equal(route(c, 0, "0.0.0.0/0", "198.51.100.254"), 0);
	assert_int_equal(route(c, 0, "::/0", "2001:db8:1::fe"), 0);
	assert_int_equal(route(c, 1, "2001:db8:99::/48", "fe80::1"), 0);
	assert_int_equal(config_check(c, fake_ports, 2, err), 0);
	config_free(c);
	c = good(1);
	assert_int_equal(route(c, 1, "10.0.0.0/8", "198.51.100.254"), 0);
	refused(c, -EINVAL, "route via 198.51.100.254: not on a network of interface if1");
	c = good(1);
	assert_int_equal(route(c, 0, "::/0", "198.51.100.254"), 0);
	refused(c, -EINVAL, "route via 198.51.100.254: destination of the other family");
	c = good(1);
	assert_int_equal(route(c, 2, "10.0.0.0/8", "198.51.100.254"), -EINVAL);
	config_free(c);
}

static void test_listeners(void **state)
{
	struct config *c = good(1);

	c->listener_count = 0;
	refused(c, -EINVAL, "no listener");
	c = good(1);
	assert_int_equal(listener(c, IPC_OUTSIDE, "198.51.100.9", 26, 0), 0);
	refused(c, -EADDRNOTAVAIL,
		"listener 198.51.100.9 port 26: no such address on the outside interfaces");
	c = good(1);
	assert_int_equal(listener(c, IPC_OUTSIDE, "192.0.2.1", 26, 0), 0); /* is inside */
	assert_int_equal(config_check(c, fake_ports, 2, err), -EADDRNOTAVAIL);
	config_free(c);
	c = good(1);
	assert_int_equal(listener(c, IPC_OUTSIDE, "198.51.100.1", 25, 0), 0);
	refused(c, -EADDRINUSE,
		"listener 198.51.100.1 port 25: clashes with another one on the outside side");
	c = good(1);
	assert_int_equal(listener(c, IPC_INSIDE, NULL, 25, 0), 0);
	assert_int_equal(listener(c, IPC_OUTSIDE, "198.51.100.1", 587, -1), 0);
	assert_int_equal(listener(c, IPC_OUTSIDE, "2001:db8:1::1", 587, -1), 0);
	assert_int_equal(config_check(c, fake_ports, 2, err), 0);
	assert_int_equal(listener(c, IPC_OUTSIDE, NULL, 99, 1), -EINVAL);
	config_free(c);
}

static void test_next_hops(void **state)
{
	struct config *c = good(1);

	c->next_hop_count = 0;
	refused(c, -EINVAL, "no next hop");
	c = good(1);
	assert_int_equal(hop(c, "loop", "198.51.100.1", 1, IPC_LEVEL_MAY, IPC_NO_CA), 0);
	refused(c, -ELOOP, "next hop loop: 198.51.100.1 is one of our own addresses");
	c = good(1);
	assert_int_equal(hop(c, "a.example", "192.0.2.2", 30, IPC_LEVEL_MAY, IPC_NO_CA), 0);
	refused(c, -EEXIST, "next hop a.example 192.0.2.2 port 25 is given twice");
	c = good(1);
	assert_int_equal(hop(c, "x", "192.0.2.9", 1, IPC_LEVEL_VERIFY, 1), -EINVAL);
	assert_string_equal(err, "next hop x: CA file 1 was not sent");
	config_free(c);
}

static void test_pem(void **state)
{
	struct config *c = good(1);
	struct ipc_certificate m;

	fake_certificate(&m, 1, 10, 10);
	assert_int_equal(config_add_certificate(c, &m, err), 0);
	assert_int_equal(chunk(c, 1, IPC_PEM_CHAIN, 1, "x", 1), -EINVAL);
	assert_int_equal(chunk(c, 1, IPC_PEM_CHAIN, 0, "01234567890", 11), -EINVAL);
	assert_string_equal(err, "/etc/postgate/cert1.pem: a piece out of order or too long");
	assert_int_equal(chunk(c, 1, IPC_PEM_CHAIN, 0, "01234", 5), 0);
	assert_int_equal(chunk(c, 1, IPC_PEM_CHAIN, 5, "567890", 6), -EINVAL);
	assert_int_equal(chunk(c, 2, IPC_PEM_KEY, 0, "x", 1), -EINVAL);
	fake_certificate(&m, 3, 10, 10);
	assert_int_equal(config_add_certificate(c, &m, err), -EINVAL);
	refused(c, -EINVAL, "/etc/postgate/cert1.pem: 5 of 10 octets came");
}

/* --- Building --- */

static struct tls_lib *lib_of(void *arg, uint16_t worker)
{
	return worker_tls_lib(fake_group.workers[worker]);
}

static int build(struct config *c, const struct gateway_generation *previous,
	const struct gateway_generation **out)
{
	const struct build_params params = {
		.config = c, .worker_count = FAKE_WORKERS, .tls_lib = lib_of, .previous = previous};
	struct build *b;
	int rc = config_check(c, fake_ports, 2, err);

	assert_int_equal(rc, 0);
	assert_int_equal(build_create(&params, &b), 0);
	while ((rc = build_step(b, out, err)) == -EAGAIN)
		;
	build_free(b);
	config_free(c);
	return rc;
}

static void test_build(void **state)
{
	const struct gateway_generation *g, *again;
	struct config *c = good(5);

	assert_int_equal(route(c, 0, "0.0.0.0/0", "198.51.100.254"), 0);
	assert_int_equal(listener(c, IPC_INSIDE, NULL, 25, 0), 0);
	assert_int_equal(listener(c, IPC_INSIDE, NULL, 26, -1), 0);
	assert_int_equal(hop(c, "c.example", "192.0.2.4", 20, IPC_LEVEL_NONE, IPC_NO_CA), 0);
	assert_int_equal(build(c, NULL, &g), 0);
	assert_int_equal(g->number, 5);
	assert_string_equal(g->hostname, "mx.example.org");
	assert_int_equal(g->net.iface_count, 2);
	assert_int_equal(g->net.route_count, 1);
	assert_int_equal(g->net.ifaces[0].side, NET_OUTSIDE);
	assert_int_equal(g->net.ifaces[1].port_id, 1);
	assert_int_equal(g->net.ifaces[0].addr_count, 2);
	assert_int_equal(g->timeouts.command, 10);
	assert_int_equal(g->timeouts.health_retry, 22);
	assert_int_equal(g->limits.max_sessions_per_client, 20);
	/* One set of contexts for both listeners with that certificate, one context per worker. */
	assert_int_equal(g->listener_count, 3);
	assert_ptr_equal(g->listeners[0].server_tls, g->listeners[1].server_tls);
	assert_non_null(g->listeners[0].server_tls[0]);
	assert_non_null(g->listeners[0].server_tls[1]);
	assert_ptr_not_equal(g->listeners[0].server_tls[0], g->listeners[0].server_tls[1]);
	assert_null(g->listeners[2].server_tls);
	assert_false(g->listeners[2].starttls);
	/* By priority, the file's order among equals; with their own names. */
	assert_string_equal(g->next_hops[0].name, "a.example");
	assert_string_equal(g->next_hops[1].name, "b.example");
	assert_string_equal(g->next_hops[2].name, "c.example");
	assert_non_null(g->next_hops[0].client_tls);
	assert_ptr_not_equal(g->next_hops[0].client_tls, g->next_hops[1].client_tls);
	assert_null(g->next_hops[2].client_tls);

	/* Ids stay with what stays, and are not given to others. */
	uint32_t inside = g->listeners[1].id, hop_a = g->next_hops[0].id;
	c = good(6);
	c->listener_count = 0;
	assert_int_equal(listener(c, IPC_OUTSIDE, NULL, 2525, 0), 0);
	assert_int_equal(listener(c, IPC_INSIDE, NULL, 25, 0), 0);
	c->next_hop_count = 0;
	assert_int_equal(hop(c, "a.example", "192.0.2.9", 1, IPC_LEVEL_MAY, IPC_NO_CA), 0);
	assert_int_equal(hop(c, "a.example", "192.0.2.2", 2, IPC_LEVEL_MAY, 0), 0);
	assert_int_equal(build(c, g, &again), 0);
	assert_int_equal(again->listeners[1].id, inside);
	assert_int_equal(again->next_hops[1].id, hop_a);
	for (uint32_t i = 0; i < g->listener_count; i++)
		assert_int_not_equal(again->listeners[0].id, g->listeners[i].id);
	for (uint32_t i = 0; i < g->next_hop_count; i++)
		assert_int_not_equal(again->next_hops[0].id, g->next_hops[i].id);

	/* A new number shares the rest, whichever goes first. */
	const struct gateway_generation *same = build_renumber(again, 7);
	assert_int_equal(same->number, 7);
	assert_ptr_equal(same->listeners, again->listeners);
	build_generation_free(again);
	assert_string_equal(same->next_hops[0].name, "a.example");
	assert_non_null(same->listeners[0].server_tls[1]);
	build_generation_free(same);
	build_generation_free(g);
}

static void test_build_bad_files(void **state)
{
	const struct gateway_generation *g = NULL;
	struct config *c = good(1);

	/* The key of another certificate. */
	certificate(c, fake_cert(0)->chain, fake_cert(1)->key);
	assert_int_equal(listener(c, IPC_OUTSIDE, "198.51.100.1", 465, 1), 0);
	assert_true(build(c, NULL, &g) < 0);
	assert_null(g);
	assert_non_null(strstr(err, "listener 198.51.100.1 port 465: "));
	assert_non_null(strstr(err, "/etc/postgate/"));

	c = good(1);
	memset(c->cas[0].data, 'x', c->cas[0].length);
	assert_true(build(c, NULL, &g) < 0);
	assert_non_null(strstr(err, "next hop b.example: "));
	assert_non_null(strstr(err, "/etc/postgate/ca0.pem"));
}

static int setup(void **state)
{
	fake_start();
	return 0;
}

static int teardown(void **state)
{
	fake_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_next_hops),
		cmocka_unit_test(test_pem),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_build_bad_files),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
