/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>

#include <rte_eal.h>

#include "tests/unit/dataplane/net/world.h"

const uint8_t world_peer_mac[6] = {0x52, 0x54, 0, 0x11, 0x22, 0x33};

// clang-format off
#define V4(p, q, r, s) {.b = {[10] = 0xff, 0xff, p, q, r, s}}
#define V6(side, last) {.b = {0x20, 1, 0x0d, 0xb8, 0, side, [15] = last}}
// clang-format on

static const struct net_addr_config outside_addrs[] = {
	{.addr = V4(198, 51, 100, 1), .plen = 120},
	{.addr = V6(1, 1), .plen = 64},
};
static const struct net_addr_config inside_addrs[] = {
	{.addr = V4(192, 0, 2, 1), .plen = 120},
	{.addr = V6(2, 1), .plen = 64},
};
static const struct net_addr_config vlan_addrs[] = {
	{.addr = V4(203, 0, 113, 1), .plen = 120},
};
static const struct net_iface_config ifaces[] = {
	{.port_id = 0, .mtu = 1500, .side = NET_OUTSIDE, .addr_count = 2, .addrs = outside_addrs},
	{.port_id = 1, .mtu = 1500, .side = NET_INSIDE, .addr_count = 2, .addrs = inside_addrs},
	{.port_id = 0,
		.vlan_id = 100,
		.mtu = 1400,
		.side = NET_INSIDE,
		.addr_count = 1,
		.addrs = vlan_addrs},
};
static const struct net_route_config routes[] = {
	{.dst = V4(0, 0, 0, 0), .plen = 96, .gateway = V4(198, 51, 100, 254), .iface = 0},
	{.dst = {.w = {0}}, .plen = 0, .gateway = V6(1, 0xfe), .iface = 0},
	{.dst = V4(10, 0, 0, 0), .plen = 104, .gateway = V4(192, 0, 2, 254), .iface = 1},
	{.dst = V4(0, 0, 0, 0), .plen = 96, .gateway = V4(192, 0, 2, 254), .iface = 1},
};
const struct net_config world_config = {
	.iface_count = 3,
	.route_count = 4,
	.ifaces = ifaces,
	.routes = routes,
};

void world_init_eal(const char *name)
{
	static const char *const args[] = {"--no-huge", "--no-shconf", "--no-pci", "-m", "64",
		"--no-telemetry", "--log-level=error", "-l", "0"};
	char *argv[RTE_DIM(args) + 2] = {(char *)(uintptr_t)name};

	/* getopt() changes their order. */
	for (size_t i = 0; i < RTE_DIM(args); i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	assert_true(rte_eal_init(RTE_DIM(args) + 1, argv) >= 0);
}

static void keep(struct world_frame *f, const struct rte_mbuf *m, uint16_t port)
{
	f->len = m->pkt_len;
	f->port = port;
	f->ol_flags = m->ol_flags;
	f->tx_offload = m->tx_offload;
	f->bytes = malloc(m->pkt_len + 1);
	for (uint32_t at = 0; m != NULL; at += m->data_len, m = m->next)
		memcpy(f->bytes + at, rte_pktmbuf_mtod(m, void *), m->data_len);
}

static void on_tx(void *arg, uint16_t port_id, struct rte_mbuf **pkts, uint16_t n)
{
	struct world *w = arg;

	for (uint16_t i = 0; i < n; i++) {
		assert_true(w->sent_count < WORLD_FRAMES);
		keep(&w->sent[w->sent_count++], pkts[i], port_id);
		rte_pktmbuf_free(pkts[i]);
	}
}

static uint64_t on_offloads(void *arg, uint16_t port_id)
{
	struct world *w = arg;

	return w->offloads;
}

static void on_mac(void *arg, uint16_t port_id, uint8_t mac[6])
{
	memcpy(mac, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)port_id}, 6);
}

static void on_segment(void *arg, struct rte_mbuf *m, uint64_t now)
{
	struct world *w = arg;

	assert_true(w->segment_count < WORLD_FRAMES);
	w->segments[w->segment_count++] = m;
}

static void on_error(void *arg, const struct net_icmp_error *e, uint64_t now)
{
	struct world *w = arg;

	assert_true(w->error_count < WORLD_FRAMES);
	w->errors[w->error_count++] = *e;
}

static void on_spread(void *arg, uint16_t port_id, const struct rte_mbuf *m)
{
	struct world *w = arg;

	keep(&w->spreads[w->spread_count++], m, port_id);
}

static void on_exception(void *arg, uint16_t port_id, struct rte_mbuf *m)
{
	struct world *w = arg;

	keep(&w->exceptions[w->exception_count++], m, port_id);
	rte_pktmbuf_free(m);
}

struct world *world_create_limits(bool exception, const struct net_limits *limits)
{
	static struct rte_mempool *pool;
	struct world *w = calloc(1, sizeof(*w));
	struct net_params params = {
		.upper = {w, on_segment, on_error, on_spread, exception ? on_exception : NULL},
		.lower = {w, on_tx, on_offloads, on_mac},
		.limits = *limits,
		.socket_id = -1,
	};

	if (pool == NULL)
		pool = rte_pktmbuf_pool_create(
			"world", WORLD_POOL, 0, NET_META_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	assert_non_null(pool);
	assert_int_equal(rte_mempool_avail_count(pool), WORLD_POOL);
	w->pool = params.pool = pool;
	w->now = 1000 * WORLD_SECOND;
	assert_int_equal(net_create(&params, &w->n), 0);
	return w;
}

struct world *world_create(bool exception)
{
	struct net_limits limits = {
		.neighbours = 64, .hold_per_neighbour = 4, .icmp_per_second = 10};
	struct world *w = world_create_limits(exception, &limits);

	assert_int_equal(net_set_config(w->n, &world_config, w->now), 0);
	world_wait(w, 5 * WORLD_SECOND);
	world_clear(w);
	return w;
}

void world_clear(struct world *w)
{
	net_flush(w->n);
	for (uint32_t i = 0; i < w->sent_count; i++)
		free(w->sent[i].bytes);
	for (uint32_t i = 0; i < w->exception_count; i++)
		free(w->exceptions[i].bytes);
	for (uint32_t i = 0; i < w->spread_count; i++)
		free(w->spreads[i].bytes);
	for (uint32_t i = 0; i < w->segment_count; i++)
		rte_pktmbuf_free(w->segments[i]);
	w->sent_count = w->exception_count = w->spread_count = w->segment_count = w->error_count =
		0;
}

void world_destroy(struct world *w)
{
	world_clear(w);
	net_destroy(w->n);
	assert_int_equal(rte_mempool_avail_count(w->pool), WORLD_POOL);
	free(w);
}

void world_wait(struct world *w, uint64_t ns)
{
	uint64_t end = w->now + ns;

	while (w->now < end) {
		w->now += RTE_MIN(end - w->now, WORLD_SECOND / 10);
		net_tick(w->n, w->now);
	}
	net_flush(w->n);
}

uint64_t world_counter(const struct world *w, const char *name)
{
	for (size_t i = 0; i < net_counter_count(); i++) {
		if (strcmp(net_counter_name(i), name) == 0)
			return net_counter_value(w->n, i);
	}
	fail_msg("no counter %s", name);
	return 0;
}

struct ip_addr world_addr(const char *text)
{
	struct ip_addr a;
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return ip_addr_from_v4(v4);
	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

uint32_t world_eth(uint8_t *b, uint16_t port, uint16_t vlan, uint16_t type)
{
	struct wire_eth *eth = (struct wire_eth *)b;

	memcpy(eth->dst, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)port}, 6);
	memcpy(eth->src, world_peer_mac, 6);
	eth->type = htons(type);
	if (vlan != 0) {
		struct wire_vlan *tag = (struct wire_vlan *)(eth + 1);

		eth->type = htons(ETHERTYPE_VLAN_);
		tag->tci = htons(vlan);
		tag->type = htons(type);
		return 18;
	}
	return 14;
}

uint16_t world_cksum(const void *p, uint32_t len, uint32_t start)
{
	const uint8_t *b = p;
	uint64_t sum = start;

	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)b[i] << 8 : b[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

uint32_t world_pseudo(
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto, uint32_t len)
{
	uint8_t b[40] = {0};
	uint32_t sum = 0;

	memcpy(b, src->b, 16);
	memcpy(b + 16, dst->b, 16);
	if (ip_addr_is_v4(dst))
		b[10] = b[11] = b[26] = b[27] = 0;
	for (int i = 0; i < 32; i += 2)
		sum += (uint32_t)b[i] << 8 | b[i + 1];
	return sum + proto + (len >> 16) + (len & 0xffff);
}

void world_fix_ip4(uint8_t *ip)
{
	struct wire_ip4 *h = (struct wire_ip4 *)ip;

	h->cksum = 0;
	h->cksum = world_cksum(ip, (h->version_ihl & 15) * 4u, 0);
}

uint32_t world_ip4(uint8_t *b, const char *src, const char *dst, uint8_t proto, const void *payload,
	uint32_t len)
{
	struct ip_addr s = world_addr(src), d = world_addr(dst);
	struct wire_ip4 *ip = (struct wire_ip4 *)b;

	*ip = (struct wire_ip4){.version_ihl = 0x45,
		.len = htons((uint16_t)(20 + len)),
		.ttl = 64,
		.proto = proto,
		.src = s.w[3],
		.dst = d.w[3]};
	if (payload != NULL)
		memcpy(b + 20, payload, len);
	world_fix_ip4(b);
	return 20 + len;
}

uint32_t world_ip6(uint8_t *b, const char *src, const char *dst, uint8_t proto, const void *payload,
	uint32_t len)
{
	struct ip_addr s = world_addr(src), d = world_addr(dst);
	struct wire_ip6 *ip = (struct wire_ip6 *)b;

	*ip = (struct wire_ip6){.version_class_flow = htonl(6u << 28),
		.payload_len = htons((uint16_t)len),
		.next = proto,
		.hop_limit = 255};
	memcpy(ip->src, s.b, 16);
	memcpy(ip->dst, d.b, 16);
	if (payload != NULL)
		memcpy(b + 40, payload, len);
	return 40 + len;
}

uint32_t world_tcp(
	uint8_t *b, const char *src, const char *dst, uint16_t sport, uint16_t dport, uint32_t data)
{
	struct ip_addr s = world_addr(src), d = world_addr(dst);
	struct wire_tcp *tcp = (struct wire_tcp *)b;

	*tcp = (struct wire_tcp){.sport = htons(sport),
		.dport = htons(dport),
		.seq = htonl(0x01020304),
		.data_off = 0x50,
		.flags = 0x10};
	for (uint32_t i = 0; i < data; i++)
		b[20 + i] = (uint8_t)(i * 7 + (i >> 8));
	tcp->cksum = world_cksum(b, 20 + data, world_pseudo(&s, &d, IPPROTO_TCP, 20 + data));
	return 20 + data;
}

uint32_t world_icmp6(uint8_t *b, const char *src, const char *dst, uint8_t type, uint8_t code,
	uint32_t rest, const void *payload, uint32_t len)
{
	struct ip_addr s = world_addr(src), d = world_addr(dst);
	struct wire_icmp *icmp = (struct wire_icmp *)b;

	*icmp = (struct wire_icmp){.type = type, .code = code, .rest = htonl(rest)};
	memcpy(icmp + 1, payload, len);
	icmp->cksum = world_cksum(b, 8 + len, world_pseudo(&s, &d, IPPROTO_ICMPV6, 8 + len));
	return 8 + len;
}

void world_rx_split(struct world *w, uint16_t port, const void *frame, uint32_t len, uint32_t seg)
{
	const uint8_t *p = frame;
	struct rte_mbuf *head = NULL;

	while (len > 0) {
		uint32_t n = len < seg ? len : seg;
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)n), p, n);
		if (head == NULL)
			head = m;
		else
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
		p += n;
		len -= n;
	}
	net_input(w->n, port, &head, 1, w->now);
	net_flush(w->n);
}

void world_rx(struct world *w, uint16_t port, const void *frame, uint32_t len)
{
	world_rx_split(w, port, frame, len, len);
}

void world_arp(struct world *w, uint16_t port, uint16_t op, const uint8_t *sha, const char *spa,
	const uint8_t *tha, const char *tpa, bool broadcast)
{
	uint8_t b[64] = {0};
	struct wire_arp *arp = (struct wire_arp *)(b + world_eth(b, port, 0, ETHERTYPE_ARP_));
	struct ip_addr s = world_addr(spa), t = world_addr(tpa);

	if (broadcast)
		memset(b, 0xff, 6);
	memcpy(b + 6, sha, 6);
	*arp = (struct wire_arp){.hrd = htons(1),
		.pro = htons(0x800),
		.hln = 6,
		.pln = 4,
		.op = htons(op),
		.spa = s.w[3],
		.tpa = t.w[3]};
	memcpy(arp->sha, sha, 6);
	memcpy(arp->tha, tha, 6);
	world_rx(w, port, b, 60);
}

void world_know(struct world *w, const char *addr, const uint8_t *mac)
{
	struct ip_addr a = world_addr(addr);

	if (ip_addr_is_v4(&a)) {
		bool inside = a.b[12] == 192;

		world_arp(w, inside ? 1 : 0, ARP_OP_REQUEST, mac, addr, (uint8_t[6]){0},
			inside ? "192.0.2.1" : "198.51.100.1", true);
	} else {
		const char *own = a.b[5] == 2 ? "2001:db8:2::1" : "2001:db8:1::1";
		uint16_t port = a.b[5] == 2 ? 1 : 0;
		struct ip_addr o = world_addr(own);
		uint8_t b[128], icmp[64], body[24];
		uint32_t l2 = world_eth(b, port, 0, ETHERTYPE_IPV6_), len;

		memcpy(body, o.b, 16);
		body[16] = ND_OPT_SOURCE_LLADDR;
		body[17] = 1;
		memcpy(body + 18, mac, 6);
		len = world_icmp6(icmp, addr, own, ICMP6_NS, 0, 0, body, 24);
		len = world_ip6(b + l2, addr, own, IPPROTO_ICMPV6, icmp, len);
		world_rx(w, port, b, l2 + len);
	}
	world_clear(w);
}

const struct world_frame *world_one(struct world *w)
{
	net_flush(w->n);
	assert_int_equal(w->sent_count, 1);
	return &w->sent[0];
}
