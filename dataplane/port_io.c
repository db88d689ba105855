/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's bursts. Nothing here allocates but mbufs, locks, or calls the system (the driver may).
 */
#include <rte_mbuf.h>

#include "dataplane/port_internal.h"

#define TX_TRIES 4

static void count(struct port_queue *q, enum port_counter c, uint64_t n)
{
	__atomic_store_n(&q->counters[c], q->counters[c] + n, __ATOMIC_RELAXED);
}

uint16_t port_rx(struct port *p, uint16_t worker, struct rte_mbuf **pkts, uint16_t max)
{
	const struct port_queue *q = &p->worker[worker];

	return rte_eth_rx_burst(q->device, q->queue, pkts, max);
}

/* For devices that send no chains. The packets that could be copied are left, in their order. */
static uint16_t linearize(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i], *copy;

		if (m->nb_segs > 1) {
			copy = rte_pktmbuf_copy(m, q->pool, 0, UINT32_MAX);
			rte_pktmbuf_free(m);
			if (copy == NULL || copy->nb_segs > 1) {
				rte_pktmbuf_free(copy);
				count(q, PORT_C_tx_no_mbuf, 1);
				continue;
			}
			count(q, PORT_C_tx_linearized, 1);
			m = copy;
		}
		pkts[kept++] = m;
	}
	return kept;
}

/* The driver's last look: what it cannot send goes, the rest is left. */
static uint16_t prepare(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t good = 0;

	while (good < n) {
		good += rte_eth_tx_prepare(q->device, q->queue, pkts + good, n - good);
		if (good < n) {
			rte_pktmbuf_free(pkts[good]);
			count(q, PORT_C_tx_refused, 1);
			n--;
			memmove(&pkts[good], &pkts[good + 1], (n - good) * sizeof(*pkts));
		}
	}
	return good;
}

void port_tx(struct port *p, uint16_t worker, struct rte_mbuf **pkts, uint16_t n)
{
	struct port_queue *q = &p->worker[worker];
	uint16_t sent = 0;

	if (p->linearize)
		n = linearize(q, pkts, n);
	if (p->prepare)
		n = prepare(q, pkts, n);
	for (int i = 0; i < TX_TRIES && sent < n; i++)
		sent += rte_eth_tx_burst(q->device, q->queue, pkts + sent, n - sent);
	if (sent < n) {
		count(q, PORT_C_tx_full, n - sent);
		rte_pktmbuf_free_bulk(pkts + sent, n - sent);
	}
}
