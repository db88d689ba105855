/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "dataplane/net/net.h"
#include "dataplane/port_internal.h"

#define MTU_DEFAULT    1500
#define DESC_DEFAULT   1024
#define FRAME_OVERHEAD 26 /* Ethernet header, two VLAN tags, CRC */
#define POOL_CACHE     256
#define LINK_POLL_US   10000
#define RX_WANTED      (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)
#define TX_WANTED                                                       \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | \
		RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS)
/* All that a TCP segment, a fragment and what is neither is spread by. */
#define RSS_WANTED                                                                 \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | \
		RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP)

/* What drivers say of themselves and do not keep. */
struct quirk {
	const char *driver;
	bool no_rss;     /* the kernel spreads, whatever is asked of the driver */
	bool no_offload; /* its checksums and TSO are software of its own: ours copies less */
	bool all_queues; /* frames arrive on every queue that the device has, read or not */
};
static const struct quirk quirks[] = {
	/* An RSS flow rule needs multiq and flower in the kernel and crashed 22.11 without. */
	{.driver = "net_tap", .no_rss = true, .no_offload = true},
	{.driver = "net_af_packet", .no_rss = true, .all_queues = true},
	{.driver = "net_af_xdp", .no_rss = true},
};

__attribute__((format(printf, 3, 4))) static int fail(char *error, int rc, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(error, PORT_ERROR_SIZE, format, ap);
	va_end(ap);
	return rc;
}

static const struct quirk *find_quirk(const char *driver)
{
	static const struct quirk none;

	for (size_t i = 0; i < RTE_DIM(quirks); i++) {
		if (strcmp(quirks[i].driver, driver) == 0)
			return &quirks[i];
	}
	return &none;
}

/* Which queue of which device each worker has: the devices are filled up in their order. */
static int assign_queues(struct port *p, const struct rte_eth_dev_info *infos, char *error)
{
	uint16_t worker = 0;

	for (uint16_t d = 0; d < p->device_count; d++) {
		uint16_t have = RTE_MIN(infos[d].max_rx_queues, infos[d].max_tx_queues);
		uint16_t rest = p->worker_count - worker;

		/* Each further device brings one queue at least. */
		if (rest == 0)
			return fail(error, -EINVAL,
				"port %s: %u devices for %u workers, frames to the others would be "
				"lost",
				p->name, p->device_count, p->worker_count);
		p->queues[d] = RTE_MIN(have, rest);
		if (find_quirk(infos[d].driver_name)->all_queues && have > rest)
			return fail(error, -EINVAL,
				"port %s: device has %u queues and there are %u workers, frames to "
				"the others would be lost: give %s as many queues as workers",
				p->name, have, p->worker_count, infos[d].driver_name);
		for (uint16_t q = 0; q < p->queues[d]; q++) {
			p->worker[worker].device = p->devices[d];
			p->worker[worker].queue = q;
			worker++;
		}
	}
	if (worker < p->worker_count)
		return fail(error, -ENOTSUP,
			"port %s: driver %s has %u queues, too few for %u workers", p->name,
			p->driver, worker, p->worker_count);
	return 0;
}

static int create_pools(
	struct port *p, const struct port_params *params, uint16_t desc, bool scatter, char *error)
{
	uint32_t count = params->rx_mbufs != 0 ? params->rx_mbufs : 2u * desc + 2048;
	uint32_t room = RTE_MBUF_DEFAULT_DATAROOM;

	/* A device that cannot spread a frame over several buffers needs one that takes it whole.
	 */
	if (!scatter && p->mtu + FRAME_OVERHEAD > (int)room)
		room = RTE_ALIGN_CEIL(p->mtu + FRAME_OVERHEAD, 64u);
	if (count < 2u * desc)
		return fail(error, -EINVAL,
			"port %s: %u receive buffers per worker are too few for %u descriptors",
			p->name, count, desc);
	for (uint16_t w = 0; w < p->worker_count; w++) {
		int socket = params->sockets != NULL ? params->sockets[w] : p->socket;
		char name[RTE_MEMPOOL_NAMESIZE];

		snprintf(name, sizeof(name), "rx_%u_%u", p->id, w);
		p->worker[w].pool = rte_pktmbuf_pool_create(name, count, POOL_CACHE, NET_META_SIZE,
			(uint16_t)(room + RTE_PKTMBUF_HEADROOM), socket);
		if (p->worker[w].pool == NULL)
			return fail(error, -rte_errno,
				"port %s: no memory for %u receive buffers of worker %u: %s",
				p->name, count, w, rte_strerror(rte_errno));
	}
	return 0;
}

/* Of all devices of the port the same: what one of them lacks is done in software for all. */
static void choose_offloads(
	struct port *p, const struct port_params *params, const struct rte_eth_dev_info *infos)
{
	uint64_t rx = RX_WANTED | RTE_ETH_RX_OFFLOAD_SCATTER, tx = TX_WANTED;

	for (uint16_t d = 0; d < p->device_count; d++) {
		rx &= infos[d].rx_offload_capa;
		tx &= infos[d].tx_offload_capa;
		if (find_quirk(infos[d].driver_name)->no_offload || params->no_offloads) {
			rx &= RTE_ETH_RX_OFFLOAD_SCATTER;
			tx &= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
		}
	}
	if (params->no_tso)
		tx &= ~RTE_ETH_TX_OFFLOAD_TCP_TSO;
	/* A frame that fits one buffer needs no scattering, which costs some drivers their fast
	 * path. */
	if (p->mtu + FRAME_OVERHEAD <= RTE_MBUF_DEFAULT_DATAROOM)
		rx &= ~RTE_ETH_RX_OFFLOAD_SCATTER;
	/* TSO is of no use without the checksum and without chains. */
	if (!(tx & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) || !(tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS))
		tx &= ~RTE_ETH_TX_OFFLOAD_TCP_TSO;
	p->rx_offloads = rx;
	p->tx_offloads = tx;
	p->linearize = !(tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	p->prepare = tx & ~RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
}

static bool wants_rss(const struct port *p, const struct rte_eth_dev_info *info)
{
	return p->device_count == 1 && p->worker_count > 1 &&
	       (info->flow_type_rss_offloads & RSS_WANTED) != 0 &&
	       !find_quirk(info->driver_name)->no_rss;
}

static int set_mtu(
	struct port *p, uint16_t device, const struct rte_eth_dev_info *info, char *error)
{
	uint16_t now = 0;
	int rc;

	if (info->max_mtu != 0 && p->mtu > info->max_mtu)
		return fail(error, -ENOTSUP, "port %s: MTU %u, the device has at most %u", p->name,
			p->mtu, info->max_mtu);
	rc = rte_eth_dev_set_mtu(device, p->mtu);
	if (rc == 0)
		return 0;
	/* A device without an MTU of its own carries what any Ethernet does. */
	if ((rc == -ENOTSUP || rc == -ENOSYS) &&
		(p->mtu <= RTE_ETHER_MTU ||
			(rte_eth_dev_get_mtu(device, &now) == 0 && now >= p->mtu)))
		return 0;
	return fail(
		error, rc, "port %s: cannot set MTU %u: %s", p->name, p->mtu, rte_strerror(-rc));
}

static int start_device(struct port *p, const struct port_params *params, uint16_t d,
	const struct rte_eth_dev_info *info, uint16_t rx_desc, uint16_t tx_desc, char *error)
{
	uint16_t device = p->devices[d];
	struct rte_eth_conf conf = {
		.rxmode = {.mtu = p->mtu, .offloads = p->rx_offloads},
		.txmode = {.offloads = p->tx_offloads},
	};
	struct rte_eth_rxconf rxconf = info->default_rxconf;
	struct rte_eth_txconf txconf = info->default_txconf;
	int rc;

	if (wants_rss(p, info)) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = RSS_WANTED & info->flow_type_rss_offloads;
		if (params->rss_key != NULL) {
			uint8_t len =
				info->hash_key_size != 0 ? info->hash_key_size : PORT_RSS_KEY_SIZE;

			conf.rx_adv_conf.rss_conf.rss_key = (uint8_t *)(uintptr_t)params->rss_key;
			conf.rx_adv_conf.rss_conf.rss_key_len = RTE_MIN(len, PORT_RSS_KEY_MAX);
		}
	}
	rc = rte_eth_dev_configure(device, p->queues[d], p->queues[d], &conf);
	if (rc < 0)
		return fail(error, rc, "port %s: cannot configure %u queues: %s", p->name,
			p->queues[d], rte_strerror(-rc));
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(device, &rx_desc, &tx_desc);
	if (rc < 0)
		return fail(error, rc, "port %s: descriptors: %s", p->name, rte_strerror(-rc));
	rc = set_mtu(p, device, info, error);
	if (rc < 0)
		return rc;
	rxconf.offloads = p->rx_offloads;
	txconf.offloads = p->tx_offloads;
	for (uint16_t w = 0; w < p->worker_count; w++) {
		struct port_queue *q = &p->worker[w];

		if (q->device != device)
			continue;
		rc = rte_eth_rx_queue_setup(
			device, q->queue, rx_desc, (unsigned int)p->socket, &rxconf, q->pool);
		if (rc < 0)
			return fail(error, rc, "port %s: RX queue %u: %s", p->name, q->queue,
				rte_strerror(-rc));
		rc = rte_eth_tx_queue_setup(
			device, q->queue, tx_desc, (unsigned int)p->socket, &txconf);
		if (rc < 0)
			return fail(error, rc, "port %s: TX queue %u: %s", p->name, q->queue,
				rte_strerror(-rc));
	}
	rc = rte_eth_dev_start(device);
	if (rc < 0)
		return fail(error, rc, "port %s: cannot start: %s", p->name, rte_strerror(-rc));
	p->started[d] = true;
	return 0;
}

/* Lays out the RETA evenly and reads back what the device really works by; without that nothing is
 * said of where a segment lands. */
static void learn_rss(struct port *p, const struct rte_eth_dev_info *info)
{
	struct rte_eth_rss_reta_entry64 reta[PORT_RSS_RETA_MAX / RTE_ETH_RETA_GROUP_SIZE];
	uint16_t size = info->reta_size, device = p->devices[0];
	struct port_rss *rss = &p->rss;
	struct rte_eth_rss_conf conf = {.rss_key = rss->key, .rss_key_len = PORT_RSS_KEY_MAX};

	if (size == 0 || size > PORT_RSS_RETA_MAX)
		return;
	memset(reta, 0, sizeof(reta));
	for (uint16_t i = 0; i < size; i++) {
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= RTE_BIT64(i % RTE_ETH_RETA_GROUP_SIZE);
		reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
			i % p->worker_count;
	}
	/* A device whose table is fixed can still be read. */
	rte_eth_dev_rss_reta_update(device, reta, size);
	if (rte_eth_dev_rss_reta_query(device, reta, size) != 0)
		return;
	for (uint16_t i = 0; i < size; i++) {
		rss->reta[i] = reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
		if (rss->reta[i] >= p->worker_count)
			return;
	}
	if (info->hash_key_size != 0)
		conf.rss_key_len = RTE_MIN(info->hash_key_size, PORT_RSS_KEY_MAX);
	if (rte_eth_dev_rss_hash_conf_get(device, &conf) != 0 ||
		conf.rss_key_len < PORT_RSS_KEY_SIZE)
		return;
	rss->key_len = conf.rss_key_len;
	rss->reta_size = size;
	rss->ip4 = conf.rss_hf & RTE_ETH_RSS_IPV4;
	rss->ip6 = conf.rss_hf & RTE_ETH_RSS_IPV6;
	rss->tcp4 = conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_TCP;
	rss->tcp6 = conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV6_TCP;
	rss->known = true;
}

static void assume_sender_rss(struct port *p)
{
	struct port_rss *rss = &p->rss;

	memcpy(rss->key, port_rss_default_key, PORT_RSS_KEY_SIZE);
	rss->key_len = PORT_RSS_KEY_SIZE;
	rss->reta_size = 128;
	for (uint16_t i = 0; i < rss->reta_size; i++)
		rss->reta[i] = i % p->worker_count;
	rss->ip4 = rss->ip6 = rss->tcp4 = rss->tcp6 = true;
	rss->known = true;
}

static void wait_for_link(const struct port *p, uint32_t ms)
{
	for (uint64_t waited = 0; waited < ms * 1000ull && !port_link_up(p); waited += LINK_POLL_US)
		rte_delay_us_sleep(LINK_POLL_US);
}

static int check_params(const struct port_params *params, char *error)
{
	if (params->device_count == 0 || params->device_count > PORT_MAX_DEVICES ||
		params->worker_count == 0 || params->worker_count > PORT_MAX_WORKERS)
		return fail(error, -EINVAL, "port %u: %u devices and %u workers", params->id,
			params->device_count, params->worker_count);
	for (uint16_t d = 0; d < params->device_count; d++) {
		if (!rte_eth_dev_is_valid_port(params->devices[d]))
			return fail(error, -ENODEV, "port %u: there is no device %u", params->id,
				params->devices[d]);
	}
	return 0;
}

static int set_up(struct port *p, const struct port_params *params, char *error)
{
	struct rte_eth_dev_info infos[PORT_MAX_DEVICES];
	uint16_t rx_desc = params->rx_desc != 0 ? params->rx_desc : DESC_DEFAULT;
	uint16_t tx_desc = params->tx_desc != 0 ? params->tx_desc : DESC_DEFAULT;
	struct rte_ether_addr mac;
	int rc;

	for (uint16_t d = 0; d < p->device_count; d++) {
		rc = rte_eth_dev_info_get(p->devices[d], &infos[d]);
		if (rc < 0)
			return fail(error, rc, "port %u: device %u: %s", p->id, p->devices[d],
				rte_strerror(-rc));
	}
	rte_eth_dev_get_name_by_port(p->devices[0], p->name);
	snprintf(p->driver, sizeof(p->driver), "%s", infos[0].driver_name);
	p->socket = rte_eth_dev_socket_id(p->devices[0]);
	choose_offloads(p, params, infos);
	rc = assign_queues(p, infos, error);
	if (rc < 0)
		return rc;
	rc = create_pools(p, params, rx_desc, p->rx_offloads & RTE_ETH_RX_OFFLOAD_SCATTER, error);
	if (rc < 0)
		return rc;
	for (uint16_t d = 0; d < p->device_count; d++) {
		rc = start_device(p, params, d, &infos[d], rx_desc, tx_desc, error);
		if (rc < 0)
			return rc;
	}
	rc = rte_eth_macaddr_get(p->devices[0], &mac);
	if (rc < 0)
		return fail(error, rc, "port %s: no MAC address: %s", p->name, rte_strerror(-rc));
	memcpy(p->mac, mac.addr_bytes, sizeof(p->mac));
	if (params->sender_rss)
		assume_sender_rss(p);
	else if (wants_rss(p, &infos[0]))
		learn_rss(p, &infos[0]);
	/* Until our addresses are known, no group is missed. */
	port_set_addresses(p, NULL, 0);
	rc = port_stats_create(p);
	if (rc < 0)
		return fail(error, rc, "port %s: no memory for counters", p->name);
	wait_for_link(p, params->link_wait_ms);
	return 0;
}

int port_create(const struct port_params *params, struct port **out, char error[PORT_ERROR_SIZE])
{
	struct port *p;
	int rc;

	error[0] = '\0';
	rc = check_params(params, error);
	if (rc < 0)
		return rc;
	p = rte_zmalloc("port", sizeof(*p) + params->worker_count * sizeof(p->worker[0]),
		RTE_CACHE_LINE_SIZE);
	if (p == NULL)
		return fail(error, -ENOMEM, "port %u: no memory", params->id);
	p->id = params->id;
	p->worker_count = params->worker_count;
	p->device_count = params->device_count;
	p->mtu = params->mtu != 0 ? params->mtu : MTU_DEFAULT;
	memcpy(p->devices, params->devices, sizeof(p->devices));
	rc = set_up(p, params, error);
	if (rc < 0)
		port_destroy(p);
	else
		*out = p;
	return rc;
}

void port_destroy(struct port *p)
{
	if (p == NULL)
		return;
	for (uint16_t d = 0; d < p->device_count; d++) {
		if (p->started[d])
			rte_eth_dev_stop(p->devices[d]);
	}
	/* Closing frees what the queues hold, so it comes before the pools. A device that was never
	 * configured is closed as well: it is of no more use to anyone. */
	for (uint16_t d = 0; d < p->device_count; d++)
		rte_eth_dev_close(p->devices[d]);
	for (uint16_t w = 0; w < p->worker_count; w++)
		rte_mempool_free(p->worker[w].pool);
	rte_free(p->xstat_names);
	rte_free(p->xstats);
	rte_free(p);
}

/* RFC 2464 7: 33:33 and the last four bytes of the group; RFC 4291 2.7.1 says which group. */
static size_t group_macs(
	const struct ip_addr *addrs, size_t count, struct rte_ether_addr *macs, size_t max)
{
	size_t n = 0;

	macs[n++] = (struct rte_ether_addr){{0x33, 0x33, 0, 0, 0, 1}};
	for (size_t i = 0; i < count && n < max; i++) {
		const uint8_t *b = addrs[i].b;
		struct rte_ether_addr mac = {{0x33, 0x33, 0xff, b[13], b[14], b[15]}};
		bool known = ip_addr_is_v4(&addrs[i]);

		for (size_t k = 0; k < n && !known; k++)
			known = rte_is_same_ether_addr(&macs[k], &mac);
		if (!known)
			macs[n++] = mac;
	}
	return n;
}

int port_set_addresses(struct port *p, const struct ip_addr *addrs, size_t count)
{
	struct rte_ether_addr macs[256];
	struct ip_addr all[256];
	size_t n, v6 = 0;
	int rc = 0;

	/* Ours to add: the link-local address that the IP layer makes of the MAC. */
	memset(&all[0], 0, sizeof(all[0]));
	memcpy(&all[0].b[13], &p->mac[3], 3);
	all[v6++].b[0] = 0xfe;
	for (size_t i = 0; i < count && v6 < RTE_DIM(all); i++) {
		if (!ip_addr_is_v4(&addrs[i]))
			all[v6++] = addrs[i];
	}
	n = group_macs(all, v6, macs, RTE_DIM(macs));
	for (uint16_t d = 0; d < p->device_count; d++) {
		uint16_t device = p->devices[d];

		rc = count == 0 ? -ENOTSUP
				: rte_eth_dev_set_mc_addr_list(device, macs, (uint32_t)n);
		if (rc == 0) {
			if (p->all_multicast)
				rte_eth_allmulticast_disable(device);
			continue;
		}
		rc = rte_eth_allmulticast_enable(device);
		if (rc == 0) {
			p->all_multicast = true;
			continue;
		}
		rc = rte_eth_promiscuous_enable(device);
		if (rc == 0)
			p->promiscuous = true;
		/* A device that has none of the three is a wire: everything comes through. */
		if (rc == -ENOTSUP || rc == -ENOSYS)
			rc = 0;
	}
	return rc;
}

uint64_t port_tx_offloads(const struct port *p)
{
	return p->tx_offloads;
}

void port_mac(const struct port *p, uint8_t mac[6])
{
	memcpy(mac, p->mac, sizeof(p->mac));
}

uint16_t port_mtu(const struct port *p)
{
	return p->mtu;
}

const char *port_name(const struct port *p)
{
	return p->name;
}

const char *port_driver(const struct port *p)
{
	return p->driver;
}

uint16_t port_device(const struct port *p)
{
	return p->devices[0];
}

int port_socket(const struct port *p)
{
	return p->socket;
}

bool port_link_up(const struct port *p)
{
	for (uint16_t d = 0; d < p->device_count; d++) {
		struct rte_eth_link link;

		if (rte_eth_link_get_nowait(p->devices[d], &link) != 0 || !link.link_status)
			return false;
	}
	return true;
}

uint32_t port_link_speed(const struct port *p)
{
	struct rte_eth_link link;

	if (rte_eth_link_get_nowait(p->devices[0], &link) != 0 ||
		link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN)
		return 0;
	return link.link_speed;
}

int port_rx_worker(const struct port *p, const struct ip_addr *src, uint16_t sport,
	const struct ip_addr *dst, uint16_t dport)
{
	if (p->worker_count == 1)
		return 0;
	/* Only one device has an RSS of ours, and its queues are the workers in order. */
	return port_rss_queue(&p->rss, src, sport, dst, dport);
}

const struct port_rss *port_get_rss(const struct port *p)
{
	return &p->rss;
}
