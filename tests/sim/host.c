/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_eal.h>
#include <rte_mbuf.h>

#define NET_TICK_NS UINT64_C(100000000)

int sim_eal_init(void)
{
	const char *argv[] = {"sim", "--no-huge", "--no-shconf", "--no-pci", "-m", "256",
		"--no-telemetry", "--log-level=error", "-l", "0"};

	return rte_eal_init(RTE_DIM(argv), (char **)(uintptr_t)argv) < 0 ? -1 : 0;
}

static struct rte_mempool *pool_create(const char *name, const char *what, uint32_t count)
{
	char full[RTE_MEMPOOL_NAMESIZE];

	snprintf(full, sizeof(full), "%s_%s", name, what);
	return rte_pktmbuf_pool_create(
		full, count, 0, NET_META_SIZE, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
}

int sim_pools_create(struct sim_pools *p, const char *name, uint32_t rx, uint32_t tx, uint32_t ctl)
{
	p->rx = pool_create(name, "rx", rx);
	p->tx = pool_create(name, "tx", tx);
	p->ctl = pool_create(name, "ctl", ctl);
	return p->rx && p->tx && p->ctl ? 0 : -ENOMEM;
}

uint32_t sim_pools_out(const struct sim_pools *p)
{
	return rte_mempool_in_use_count(p->rx) + rte_mempool_in_use_count(p->tx) +
	       rte_mempool_in_use_count(p->ctl);
}

static struct sim_packet *packet_of(struct rte_mbuf *m)
{
	struct sim_packet *p = sim_packet_new(m->pkt_len);
	uint32_t at = 0;

	for (const struct rte_mbuf *s = m; s != NULL; s = s->next) {
		memcpy(p->data + at, rte_pktmbuf_mtod(s, const void *), s->data_len);
		at += s->data_len;
	}
	rte_pktmbuf_free(m);
	return p;
}

static void send_bare(struct sim_host *h, struct sim_packet *p, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t tos)
{
	p->src = *src;
	p->dst = *dst;
	p->tos = tos;
	h->out(h->out_arg, h, p);
}

/* What a device with TSO does: sequence numbers go on, FIN and PSH only on the last segment, CWR on
 * the first one. */
static void send_segmented(struct sim_host *h, struct sim_packet *big, uint32_t size,
	const struct ip_addr *src, const struct ip_addr *dst, uint8_t tos)
{
	uint32_t header = (big->data[12] >> 4) * 4u, seq;

	memcpy(&seq, big->data + 4, sizeof(seq));
	for (uint32_t at = header; at < big->len; at += size) {
		uint32_t n = RTE_MIN(size, big->len - at);
		uint32_t this_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(seq) + at - header);
		struct sim_packet *p = sim_packet_new(header + n);

		memcpy(p->data, big->data, header);
		memcpy(p->data + header, big->data + at, n);
		memcpy(p->data + 4, &this_seq, sizeof(this_seq));
		if (at + n < big->len)
			p->data[13] &= (uint8_t)~0x09;
		if (at != header)
			p->data[13] &= (uint8_t)~0x80;
		send_bare(h, p, src, dst, tos);
	}
	free(big);
}

static int host_output(void *arg, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t tos, uint64_t now)
{
	struct sim_host *h = arg;
	uint32_t segment = m->ol_flags & RTE_MBUF_F_TX_TCP_SEG ? m->tso_segsz : 0;

	if (h->frames)
		return net_output(h->net, m, src, dst, IPPROTO_TCP, tos, now);
	if (segment != 0)
		send_segmented(h, packet_of(m), segment, src, dst, tos);
	else
		send_bare(h, packet_of(m), src, dst, tos);
	return 0;
}

static uint32_t host_tso_max(void *arg, const struct ip_addr *dst)
{
	const struct sim_host *h = arg;

	return h->frames ? 0 : h->tso_max;
}

static uint16_t host_mtu(void *arg, const struct ip_addr *dst)
{
	struct sim_host *h = arg;

	return h->frames ? net_mtu(h->net, dst) : h->mtu;
}

static void host_flush_in(struct sim_host *h)
{
	if (h->in_count != 0)
		tcp_input(h->tcp, h->in, h->in_count, h->now);
	h->in_count = 0;
}

static void host_segment(void *arg, struct rte_mbuf *m, uint64_t now)
{
	struct sim_host *h = arg;

	if (h->in_count == SIM_BURST)
		host_flush_in(h);
	h->in[h->in_count++] = m;
}

static void host_icmp(void *arg, const struct net_icmp_error *e, uint64_t now)
{
	struct sim_host *h = arg;

	tcp_icmp_error(h->tcp, e, now);
}

static void host_tx(void *arg, uint16_t port_id, struct rte_mbuf **pkts, uint16_t n)
{
	struct sim_host *h = arg;

	for (uint16_t i = 0; i < n; i++) {
		struct sim_packet *p = packet_of(pkts[i]);

		p->frame = true;
		h->out(h->out_arg, h, p);
	}
}

static uint64_t host_offloads(void *arg, uint16_t port_id)
{
	return 0;
}

static void host_mac(void *arg, uint16_t port_id, uint8_t mac[6])
{
	const struct sim_host *h = arg;

	memcpy(mac, h->mac, 6);
}

static int net_make(struct sim_host *h, uint64_t now)
{
	struct net_params params = {
		.upper = {.arg = h, .tcp_segment = host_segment, .tcp_error = host_icmp},
		.lower = {.arg = h, .tx = host_tx, .tx_offloads = host_offloads, .mac = host_mac},
		.limits = {.neighbours = 16, .hold_per_neighbour = 8, .icmp_per_second = 1000},
		.pool = h->pools->ctl,
		.socket_id = -1,
	};
	int ret = net_create(&params, &h->net);

	if (ret < 0)
		return ret;
	h->addr_config[0] = (struct net_addr_config){h->addrs[0], 120};
	h->addr_config[1] = (struct net_addr_config){h->addrs[1], 64};
	h->iface = (struct net_iface_config){
		.mtu = h->mtu, .side = NET_OUTSIDE, .addr_count = 2, .addrs = h->addr_config};
	h->net_config = (struct net_config){.iface_count = 1, .ifaces = &h->iface};
	h->next_net_tick = now + NET_TICK_NS;
	return net_set_config(h->net, &h->net_config, now);
}

int sim_host_create(struct sim_host *h, const struct sim_host_params *params,
	struct sim_pools *pools, uint64_t now)
{
	struct tcp_params tcp = {
		.config = params->config,
		.lower = {.arg = h,
			.output = host_output,
			.mtu = host_mtu,
			.tso_max = host_tso_max},
		.tx_pool = pools->tx,
		.ctl_pool = pools->ctl,
		.socket_id = -1,
	};
	void (*out)(void *, struct sim_host *, struct sim_packet *) = h->out;
	void *out_arg = h->out_arg;
	int ret;

	*h = (struct sim_host){
		.name = params->name,
		.addrs = {params->addrs[0], params->addrs[1]},
		.mac = {2, 0, 0, 0, 0, params->addrs[0].b[15]},
		.mtu = params->mtu,
		.tso_max = params->tso_max,
		.frames = params->frames,
		.now = now,
		.pools = pools,
		.next_net_tick = UINT64_MAX,
		.out = out,
		.out_arg = out_arg,
	};
	ret = wheel_create(now, -1, &h->wheel);
	if (ret == 0) {
		tcp.wheel = h->wheel;
		ret = tcp_create(&tcp, &h->tcp);
	}
	if (ret == 0 && h->frames)
		ret = net_make(h, now);
	if (ret < 0)
		sim_host_destroy(h);
	return ret;
}

void sim_host_destroy(struct sim_host *h)
{
	for (uint16_t i = 0; i < h->in_count; i++)
		rte_pktmbuf_free(h->in[i]);
	if (h->tcp)
		tcp_destroy(h->tcp);
	if (h->net)
		net_destroy(h->net);
	if (h->wheel)
		wheel_destroy(h->wheel);
	h->in_count = 0;
	h->tcp = NULL;
	h->net = NULL;
	h->wheel = NULL;
}

bool sim_host_input(struct sim_host *h, const struct sim_packet *p, uint64_t now)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(h->pools->rx);
	struct net_meta *meta;
	char *to;

	if (m == NULL)
		return false;
	to = rte_pktmbuf_append(m, (uint16_t)p->len);
	if (to == NULL) {
		rte_pktmbuf_free(m);
		return false;
	}
	memcpy(to, p->data, p->len);
	h->now = now;
	if (p->frame) {
		net_input(h->net, 0, &m, 1, now);
		return true;
	}
	meta = rte_mbuf_to_priv(m);
	*meta = (struct net_meta){
		.src = p->src, .dst = p->dst, .ecn = p->tos & 3, .ttl = 64, .proto = IPPROTO_TCP};
	host_segment(h, m, now);
	return true;
}

void sim_host_run(struct sim_host *h, uint64_t now)
{
	h->now = now;
	host_flush_in(h);
	wheel_advance(h->wheel, now, UINT32_MAX);
	tcp_dispatch(h->tcp, UINT32_MAX, now);
	tcp_output(h->tcp, now);
	if (h->net == NULL)
		return;
	if (now >= h->next_net_tick) {
		net_tick(h->net, now);
		h->next_net_tick = now + NET_TICK_NS;
	}
	net_flush(h->net);
}

uint64_t sim_host_next(const struct sim_host *h)
{
	return wheel_next(h->wheel);
}

uint64_t sim_host_counter(const struct sim_host *h, const char *name)
{
	for (size_t i = 0; i < tcp_counter_count(); i++) {
		if (strcmp(tcp_counter_name(i), name) == 0)
			return tcp_counter_value(h->tcp, i);
	}
	fprintf(stderr, "sim: no counter \"%s\"\n", name);
	abort();
}
