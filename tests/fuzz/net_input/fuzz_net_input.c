/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames into one worker's IP layer, with time, configuration changes and packets of its own
 * between them. The input is a list of steps; what a frame needs to get past the first checks
 * (destination MAC, IP and ICMP checksums) is put right unless the input asks for it to be left
 * alone.
 *
 * Invariants: every mbuf is accounted for at the end; what TCP gets is a whole header with a right
 * checksum, from a source that can be one host's, to an address of the interface that it came by;
 * what is sent is a well-formed frame with our MAC as source, of a known type and not too long.
 */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_config.h>
#include <rte_eal.h>
#include <rte_mbuf.h>

#include "dataplane/net/cksum.h"
#include "dataplane/net/net.h"
#include "dataplane/net/wire.h"

#define POOL     511
#define MTU      1500
#define SECOND   1000000000ull
#define CHECK(c) ((c) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c), abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rte_mempool *pool;
static struct net *net;

// clang-format off
#define V4(p, q, r, s) {.b = {[10] = 0xff, 0xff, p, q, r, s}}
#define V6(side, last) {.b = {0x20, 1, 0x0d, 0xb8, 0, side, [15] = last}}
// clang-format on

static const struct net_addr_config outside[] = {
	{.addr = V4(198, 51, 100, 1), .plen = 120}, {.addr = V6(1, 1), .plen = 64}};
static const struct net_addr_config inside[] = {
	{.addr = V4(192, 0, 2, 1), .plen = 120}, {.addr = V6(2, 1), .plen = 64}};
static const struct net_iface_config ifaces[] = {
	{.port_id = 0, .mtu = MTU, .addr_count = 2, .addrs = outside},
	{.port_id = 0, .vlan_id = 5, .mtu = MTU, .addr_count = 2, .addrs = inside},
};
static const struct net_route_config routes[] = {
	{.dst = V4(0, 0, 0, 0), .plen = 96, .gateway = V4(198, 51, 100, 254), .iface = 0},
	{.dst = {.w = {0}}, .plen = 0, .gateway = V6(1, 0xfe), .iface = 0},
};
static const struct net_config configs[] = {
	{.iface_count = 2, .route_count = 2, .ifaces = ifaces, .routes = routes},
	{.iface_count = 1, .route_count = 2, .ifaces = ifaces, .routes = routes},
};

static void on_tx(void *arg, uint16_t port_id, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const struct wire_eth *eth = rte_pktmbuf_mtod(pkts[i], const struct wire_eth *);
		uint16_t type = ntohs(eth->type), l2 = sizeof(*eth);

		CHECK(pkts[i]->data_len >= sizeof(*eth) + sizeof(struct wire_vlan));
		CHECK(eth->src[0] == 2 && eth->src[5] == 0);
		if (type == ETHERTYPE_VLAN_) {
			const struct wire_vlan *tag = (const struct wire_vlan *)(eth + 1);

			CHECK(ntohs(tag->tci) == 5);
			type = ntohs(tag->type);
			l2 += sizeof(*tag);
		}
		CHECK(pkts[i]->l2_len == l2 || type == ETHERTYPE_ARP_);
		CHECK(type == ETHERTYPE_ARP_ || type == ETHERTYPE_IPV4_ || type == ETHERTYPE_IPV6_);
		CHECK(pkts[i]->pkt_len <= MTU + l2);
		if (type == ETHERTYPE_IPV4_)
			CHECK(cksum_bytes((const uint8_t *)eth + l2, 20) == 0);
		rte_pktmbuf_free(pkts[i]);
	}
}

static uint64_t on_offloads(void *arg, uint16_t port_id)
{
	return 0;
}

static void on_mac(void *arg, uint16_t port_id, uint8_t mac[6])
{
	memcpy(mac, (uint8_t[]){2, 0, 0, 0, 0, 0}, 6);
}

static void on_segment(void *arg, struct rte_mbuf *m, uint64_t now)
{
	const struct net_meta *meta = rte_mbuf_to_priv(m);
	const struct wire_tcp *tcp = rte_pktmbuf_mtod(m, const struct wire_tcp *);
	uint8_t iface;

	CHECK(m->data_len >= sizeof(*tcp) && (tcp->data_off >> 4) * 4u <= m->data_len);
	CHECK(cksum_l4(m, 0, &meta->src, &meta->dst, IPPROTO_TCP) == 0);
	CHECK(net_is_local(net, &meta->dst, &iface) && iface == meta->iface);
	CHECK(!net_is_local(net, &meta->src, NULL) && !ip_addr_is_unspecified(&meta->src));
	CHECK(ip_addr_is_v4(&meta->src) == ip_addr_is_v4(&meta->dst));
	rte_pktmbuf_free(m);
}

static void on_error(void *arg, const struct net_icmp_error *e, uint64_t now)
{
	CHECK(net_is_local(net, &e->local, NULL));
	CHECK(ip_addr_is_v4(&e->local) == ip_addr_is_v4(&e->remote));
}

static void on_spread(void *arg, uint16_t port_id, const struct rte_mbuf *m)
{
	CHECK(m->pkt_len >= sizeof(struct wire_eth) + sizeof(struct wire_arp));
}

static void on_exception(void *arg, uint16_t port_id, struct rte_mbuf *m)
{
	CHECK(m->pkt_len >= sizeof(struct wire_eth));
	rte_pktmbuf_free(m);
}

/* Puts checksums right, so that the parsers behind them are reached. */
static void repair(uint8_t *b, uint32_t len, bool vlan)
{
	uint32_t l2 = vlan ? 18 : 14;
	struct wire_ip4 *ip = (struct wire_ip4 *)(b + l2);
	struct wire_ip6 *ip6 = (struct wire_ip6 *)(b + l2);
	uint16_t type = (uint16_t)(b[l2 - 2] << 8 | b[l2 - 1]);
	uint8_t *l4;
	uint32_t n;

	if (type == ETHERTYPE_IPV4_ && len >= l2 + 20) {
		uint32_t header = (ip->version_ihl & 15) * 4u;

		if (header < 20 || header > len - l2)
			return;
		if (ntohs(ip->len) > len - l2 || ntohs(ip->len) < header)
			ip->len = htons((uint16_t)(len - l2));
		ip->cksum = 0;
		ip->cksum = cksum_bytes(ip, header);
		l4 = (uint8_t *)ip + header;
		n = ntohs(ip->len) - header;
		if (ip->proto == IPPROTO_ICMP && n >= 4) {
			memset(l4 + 2, 0, 2);
			memcpy(l4 + 2, &(uint16_t){cksum_bytes(l4, n)}, 2);
		} else if (ip->proto == IPPROTO_TCP && n >= 20) {
			struct ip_addr s = ip_addr_from_v4(ip->src), d = ip_addr_from_v4(ip->dst);
			uint64_t sum;

			memset(l4 + 16, 0, 2);
			sum = (uint64_t)(uint16_t)~cksum_bytes(l4, n) + cksum_pseudo(&s, &d, 6, n);
			sum = (sum & 0xffff) + (sum >> 16);
			memcpy(l4 + 16, &(uint16_t){(uint16_t) ~((sum & 0xffff) + (sum >> 16))}, 2);
		}
	} else if (type == ETHERTYPE_IPV6_ && len >= l2 + 40) {
		struct ip_addr s, d;
		uint64_t sum;

		if (ntohs(ip6->payload_len) > len - l2 - 40)
			ip6->payload_len = htons((uint16_t)(len - l2 - 40));
		l4 = (uint8_t *)(ip6 + 1);
		n = ntohs(ip6->payload_len);
		memcpy(s.b, ip6->src, 16);
		memcpy(d.b, ip6->dst, 16);
		if ((ip6->next != IPPROTO_ICMPV6 || n < 4) && (ip6->next != IPPROTO_TCP || n < 20))
			return;
		l4 += ip6->next == IPPROTO_TCP ? 16 : 2;
		memset(l4, 0, 2);
		sum = (uint64_t)(uint16_t)~cksum_bytes(ip6 + 1, n) +
		      cksum_pseudo(&s, &d, ip6->next, n);
		/* A mapped destination makes the pseudo header IPv4's: such a packet is refused
		 * anyway. */
		sum = (sum & 0xffff) + (sum >> 16);
		memcpy(l4, &(uint16_t){(uint16_t) ~((sum & 0xffff) + (sum >> 16))}, 2);
	}
}

static void feed(const uint8_t *p, uint32_t len, uint8_t how, uint64_t now)
{
	static const uint16_t types[4] = {ETHERTYPE_IPV4_, ETHERTYPE_IPV6_, ETHERTYPE_ARP_, 0x88cc};
	uint8_t b[2048] = {2, 0, 0, 0, 0, 0, 0x52, 0x54, 0, 1, 2, 3};
	bool vlan = how & 4;
	uint32_t at = 12, seg = how & 8 ? 32 + (how >> 4) * 8 : 4096, done = 0;
	struct rte_mbuf *head = NULL;

	if (how & 0x80)
		b[0] = b[1] = 0x33;
	if (vlan) {
		memcpy(b + at, ((uint8_t[]){0x81, 0, 0, 5}), 4);
		at += 4;
	}
	b[at++] = (uint8_t)(types[how & 3] >> 8);
	b[at++] = (uint8_t)types[how & 3];
	if (len > sizeof(b) - at)
		len = (uint32_t)sizeof(b) - at;
	memcpy(b + at, p, len);
	len += at;
	if (!(how & 0x40))
		repair(b, len, vlan);
	while (done < len) {
		uint32_t n = len - done < seg ? len - done : seg;
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

		if (m == NULL) {
			rte_pktmbuf_free(head);
			return;
		}
		if (n > rte_pktmbuf_tailroom(m))
			n = rte_pktmbuf_tailroom(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)n), b + done, n);
		if (head == NULL)
			head = m;
		else
			CHECK(rte_pktmbuf_chain(head, m) == 0);
		done += n;
	}
	if (how & 0x20)
		net_learn(net, 0, head, now);
	else
		net_input(net, 0, &head, 1, now);
}

static void send_one(const uint8_t *p, size_t len, uint64_t now)
{
	static const struct ip_addr own[] = {V4(198, 51, 100, 1), V6(1, 1)};
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct ip_addr dst;

	if (m == NULL)
		return;
	memset(rte_pktmbuf_append(m, 20), 0x50, 20);
	if (len >= 16 && (p[0] & 1)) {
		memcpy(dst.b, p, 16);
		dst.b[0] = 0x20;
	} else {
		dst = ip_addr_from_v4(htonl(0xc6336400 | (len > 0 ? p[0] : 7)));
	}
	net_output(net, m, &own[!ip_addr_is_v4(&dst)], &dst, IPPROTO_TCP, 0, now);
}

static void start(void)
{
	static const char *const args[] = {"fuzz", "--no-huge", "--no-shconf", "--no-pci", "-m",
		"64", "--no-telemetry", "--log-level=critical", "-l", "0"};
	char *argv[sizeof(args) / sizeof(args[0]) + 1] = {0};

	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		argv[i] = (char *)(uintptr_t)args[i];
	CHECK(rte_eal_init(sizeof(args) / sizeof(args[0]), argv) >= 0);
	pool = rte_pktmbuf_pool_create(
		"fuzz", POOL, 0, NET_META_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	CHECK(pool != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_params params = {
		.upper = {NULL, on_segment, on_error, on_spread, on_exception},
		.lower = {NULL, on_tx, on_offloads, on_mac},
		.limits = {.neighbours = 8,
			.hold_per_neighbour = 2,
			.icmp_per_second = 100,
			.frag_datagrams = 8},
		.socket_id = -1,
	};
	uint64_t now = 10 * SECOND;

	if (pool == NULL)
		start();
	params.pool = pool;
	if (size > 0 && (data[0] & 1))
		params.upper.exception = NULL;
	CHECK(net_create(&params, &net) == 0);
	CHECK(net_set_config(net, &configs[0], now) == 0);
	while (size >= 4) {
		uint32_t len = (uint32_t)(data[2] << 8 | data[3]) & 0x7ff;

		if (len > size - 4)
			len = (uint32_t)size - 4;
		now += (uint64_t)(data[0] >> 4) * SECOND / 8;
		switch (data[0] & 15) {
		case 0:
			send_one(data + 4, len, now);
			break;
		case 1:
			CHECK(net_set_config(net, &configs[data[1] & 1], now) == 0);
			break;
		case 2:
			now += (uint64_t)data[1] * SECOND;
			net_tick(net, now);
			break;
		default:
			feed(data + 4, len, data[1], now);
			break;
		}
		data += 4 + len;
		size -= 4 + len;
		net_flush(net);
	}
	net_tick(net, now);
	net_flush(net);
	net_destroy(net);
	CHECK(rte_mempool_avail_count(pool) == POOL);
	return 0;
}
