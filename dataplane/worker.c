/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's loop, the only file that knows the order of things:
 *
 *   rx_burst -> net_input -> tcp_input -> timers -> tcp_dispatch -> gateway -> tcp_output ->
 * tx_burst
 *
 * and then the RCU quiescent state. No pointer into a generation or a policy map is held across it
 * but the adopted generation, which the control thread keeps until every worker has a later one.
 */
#include "dataplane/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <urcu-qsbr.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_tcp.h>

#include "dataplane/clock.h"
#include "dataplane/exception_tap.h"
#include "dataplane/port.h"
#include "dataplane/tcp/wheel.h"
#include "tls/tls.h"

#define RX_BURST     64
#define SEGMENTS_MAX 256 /* TCP segments of one loop before they are handed on */
#define DISPATCH_BUDGET                                                          \
	256 /* connections with events a loop: bounds what one burst can hold up \
	     */
#define TIMER_BUDGET 256
#define HANDOFF_SIZE 1024                /* packets from one worker to another */
#define IDLE_LOOPS   64                  /* loops without work before an idle sleep */
#define TICK         UINT64_C(100000000) /* ns, of net_tick() */
#define MBUF_DATA    (2048 + RTE_PKTMBUF_HEADROOM)

#define WORKER_COUNTERS(X)                                 \
	X(HANDOFF_OUT, "worker_handoff_out")               \
	X(HANDOFF_IN, "worker_handoff_in")                 \
	X(HANDOFF_DROP, "worker_drop_handoff_full")        \
	X(SPREAD_NO_MBUF, "worker_drop_spread_no_mbuf")    \
	X(EXCEPTION_NONE, "worker_drop_no_exception_path") \
	X(BAD_GENERATION, "worker_generation_not_adopted")

enum worker_counter {
#define X(id, name) WORKER_C_##id,
	WORKER_COUNTERS(X)
#undef X
		WORKER_COUNTER_COUNT
};

/* What a hand-off ring's pointer stands for, in its low bits (mbufs are cache line aligned). */
enum handoff_kind {
	HANDOFF_SEGMENT, /* struct net_meta filled in, data at the TCP header */
	HANDOFF_FRAME,   /* a copy of an ARP or ND frame; m->port is the port */
	HANDOFF_ERROR,   /* data is a struct net_icmp_error */
	HANDOFF_KINDS = 3,
};

struct worker {
	struct worker_params params;
	struct clock_tsc clock;
	struct net *net;
	struct wheel *wheel;
	struct tcp_stack *tcp;
	struct gateway *gateway;
	struct tls_lib *tls;
	struct gateway_event_ring *events;
	struct rte_mempool *tx_pool, *ctl_pool;
	struct rte_ring **incoming;                /* by worker that hands off; one producer each */
	const struct gateway_generation *gen;      // worker: rw
	uint64_t gen_number;                       // worker: rw, control: ro relaxed
	uint64_t cycles_busy, cycles_total, loops; // worker: rw, control: ro relaxed
	uint64_t counters[WORKER_COUNTER_COUNT];   // worker: rw, control: ro relaxed
	uint64_t next_tick;
	uint64_t turn_began;
	bool drained;
	uint32_t segment_count;
	struct rte_mbuf *segments[SEGMENTS_MAX];
	_Alignas(64) _Atomic(struct worker_question *) question; // control: w, worker: rw
};

static void worker_count(struct worker *w, enum worker_counter c, uint64_t n)
{
	__atomic_store_n(&w->counters[c], w->counters[c] + n, __ATOMIC_RELAXED);
}

static uint64_t worker_now(const struct worker *w)
{
	return clock_tsc_ns(&w->clock, rte_rdtsc());
}

/* --- Between workers --- */

static void worker_hand_off(
	struct worker *w, uint16_t to, struct rte_mbuf *m, enum handoff_kind kind)
{
	struct worker *other = w->params.group->workers[to];
	void *p = (void *)((uintptr_t)m | (uintptr_t)kind);

	if (rte_ring_sp_enqueue(other->incoming[w->params.index], p) != 0) {
		worker_count(w, WORKER_C_HANDOFF_DROP, 1);
		rte_pktmbuf_free(m);
		return;
	}
	worker_count(w, WORKER_C_HANDOFF_OUT, 1);
}

/* --- net's callbacks --- */

static void worker_flush_segments(struct worker *w, uint64_t now)
{
	if (w->segment_count == 0)
		return;
	tcp_input(w->tcp, w->segments, (uint16_t)w->segment_count, now);
	w->segment_count = 0;
}

static int worker_tcp_rx_worker(void *arg, const struct ip_addr *src, uint16_t sport,
	const struct ip_addr *dst, uint16_t dport)
{
	struct worker *w = arg;
	uint8_t iface;

	if (w->params.group->count == 1)
		return 0;
	if (!w->gen || !net_is_local(w->net, dst, &iface))
		return -1;
	return port_rx_worker(
		w->params.ports[w->gen->net.ifaces[iface].port_id], src, sport, dst, dport);
}

/* Whose segment it is: the worker that chose the port, or whoever the device would have given it to
 * whole where it came in fragments. */
static int worker_segment_owner(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod(m, const struct rte_tcp_hdr *);
	const struct net_meta *meta = rte_mbuf_to_priv(m);
	uint16_t sport = rte_be_to_cpu_16(tcp->src_port), dport = rte_be_to_cpu_16(tcp->dst_port);
	int owner = tcp_port_owner(w->tcp, dport);

	if (owner < 0 && (meta->flags & NET_META_REASSEMBLED))
		owner = worker_tcp_rx_worker(w, &meta->src, sport, &meta->dst, dport);
	return owner < 0 ? w->params.index : owner;
}

static void worker_tcp_segment(void *arg, struct rte_mbuf *m, uint64_t now)
{
	struct worker *w = arg;
	int owner = worker_segment_owner(w, m);

	if (owner != w->params.index) {
		worker_hand_off(w, (uint16_t)owner, m, HANDOFF_SEGMENT);
		return;
	}
	if (w->segment_count == SEGMENTS_MAX)
		worker_flush_segments(w, now);
	w->segments[w->segment_count++] = m;
}

static void worker_error_to(struct worker *w, uint16_t to, const struct net_icmp_error *e)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->ctl_pool);

	if (!m) {
		worker_count(w, WORKER_C_SPREAD_NO_MBUF, 1);
		return;
	}
	memcpy(rte_pktmbuf_append(m, sizeof(*e)), e, sizeof(*e));
	worker_hand_off(w, to, m, HANDOFF_ERROR);
}

/* An error may come in on any queue. Whose connection it is about only a source port of ours tells;
 * for others every worker looks. */
static void worker_tcp_error(void *arg, const struct net_icmp_error *e, uint64_t now)
{
	struct worker *w = arg;
	int owner = tcp_port_owner(w->tcp, e->local_port);

	for (uint16_t i = 0; i < w->params.group->count; i++) {
		if (owner >= 0 && owner != i)
			continue;
		if (i == w->params.index)
			tcp_icmp_error(w->tcp, e, now);
		else
			worker_error_to(w, i, e);
	}
}

/* ARP and ND frames arrive on one queue, every worker's neighbour table learns from them. */
static void worker_spread(void *arg, uint16_t port_id, const struct rte_mbuf *m)
{
	struct worker *w = arg;

	for (uint16_t i = 0; i < w->params.group->count; i++) {
		struct rte_mbuf *copy;

		if (i == w->params.index)
			continue;
		copy = rte_pktmbuf_copy(m, w->ctl_pool, 0, UINT32_MAX);
		if (!copy) {
			worker_count(w, WORKER_C_SPREAD_NO_MBUF, 1);
			continue;
		}
		copy->port = port_id;
		worker_hand_off(w, i, copy, HANDOFF_FRAME);
	}
}

static void worker_exception(void *arg, uint16_t port_id, struct rte_mbuf *m)
{
	struct worker *w = arg;

	if (!w->params.exceptions[port_id]) {
		worker_count(w, WORKER_C_EXCEPTION_NONE, 1);
		rte_pktmbuf_free(m);
		return;
	}
	exception_tap_put(w->params.exceptions[port_id], w->params.index, m, w->turn_began);
}

static void worker_tx(void *arg, uint16_t port_id, struct rte_mbuf **pkts, uint16_t n)
{
	struct worker *w = arg;

	port_tx(w->params.ports[port_id], w->params.index, pkts, n);
}

static uint64_t worker_tx_offloads(void *arg, uint16_t port_id)
{
	struct worker *w = arg;

	return port_tx_offloads(w->params.ports[port_id]);
}

static void worker_mac(void *arg, uint16_t port_id, uint8_t mac[6])
{
	struct worker *w = arg;

	port_mac(w->params.ports[port_id], mac);
}

/* --- TCP's callbacks --- */

static int worker_tcp_output(void *arg, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t tos, uint64_t now)
{
	struct worker *w = arg;

	return net_output(w->net, m, src, dst, IPPROTO_TCP, tos, now);
}

static uint16_t worker_tcp_mtu(void *arg, const struct ip_addr *dst)
{
	struct worker *w = arg;

	return net_mtu(w->net, dst);
}

static uint32_t worker_tcp_tso_max(void *arg, const struct ip_addr *dst)
{
	struct worker *w = arg;

	return net_tx_offloads(w->net, dst) & RTE_ETH_TX_OFFLOAD_TCP_TSO ? 60000 : 0;
}

static void worker_tcp_confirm(
	void *arg, const struct ip_addr *src, const struct ip_addr *dst, uint64_t now)
{
	struct worker *w = arg;

	net_confirm_neighbour(w->net, src, dst, now);
}

/* --- The loop's parts --- */

static uint32_t worker_receive(struct worker *w, uint64_t now)
{
	struct rte_mbuf *pkts[RX_BURST];
	uint32_t total = 0;

	for (uint16_t p = 0; p < w->params.port_count; p++) {
		uint16_t n;

		if (!w->params.ports[p])
			continue;
		n = port_rx(w->params.ports[p], w->params.index, pkts, RX_BURST);
		if (n == 0)
			continue;
		if (w->gen)
			net_input(w->net, p, pkts, n, now);
		else
			rte_pktmbuf_free_bulk(pkts, n); /* nothing is configured yet */
		total += n;
	}
	return total;
}

/* What the kernel sends by its end of the exception path: one worker is enough for it. */
static uint32_t worker_send_exceptions(struct worker *w)
{
	struct rte_mbuf *pkts[RX_BURST];
	uint32_t total = 0;

	if (!w->params.exceptions || w->params.index != 0)
		return 0;
	for (uint16_t p = 0; p < w->params.port_count; p++) {
		uint16_t n;

		if (!w->params.exceptions[p])
			continue;
		n = exception_tap_get(w->params.exceptions[p], pkts, RX_BURST);
		if (n > 0)
			port_tx(w->params.ports[p], w->params.index, pkts, n);
		total += n;
	}
	return total;
}

static uint32_t worker_receive_handoffs(struct worker *w, uint64_t now)
{
	void *items[RX_BURST];
	uint32_t total = 0;

	for (uint16_t i = 0; i < w->params.group->count; i++) {
		unsigned int n;

		if (i == w->params.index)
			continue;
		n = rte_ring_sc_dequeue_burst(w->incoming[i], items, RX_BURST, NULL);
		for (unsigned int k = 0; k < n; k++) {
			struct rte_mbuf *m =
				(struct rte_mbuf *)((uintptr_t)items[k] & ~(uintptr_t)3);

			switch ((uintptr_t)items[k] & 3) {
			case HANDOFF_SEGMENT:
				if (w->segment_count == SEGMENTS_MAX)
					worker_flush_segments(w, now);
				w->segments[w->segment_count++] = m;
				break;
			case HANDOFF_FRAME:
				net_learn(w->net, m->port, m, now);
				break;
			case HANDOFF_ERROR:
				tcp_icmp_error(w->tcp,
					rte_pktmbuf_mtod(m, const struct net_icmp_error *), now);
				rte_pktmbuf_free(m);
				break;
			}
		}
		total += n;
	}
	if (total > 0)
		worker_count(w, WORKER_C_HANDOFF_IN, total);
	return total;
}

static void worker_adopt(struct worker *w, const struct gateway_generation *gen, uint64_t now)
{
	/* The control thread has checked it against every limit of ours: this does not fail. */
	if (net_set_config(w->net, &gen->net, now) != 0 ||
		gateway_set_generation(w->gateway, gen, now) != 0)
		worker_count(w, WORKER_C_BAD_GENERATION, 1);
	w->gen = gen;
	__atomic_store_n(&w->gen_number, gen->number, __ATOMIC_RELEASE);
}

struct worker_tcp_listing {
	struct worker *w;
	struct worker_question *q;
};

static void worker_list_conn(void *arg, const struct tcp_conn *c)
{
	struct worker_tcp_listing *l = arg;

	if (l->q->count < l->q->max)
		tcp_get_info(l->w->tcp, c, &l->q->tcp[l->q->count++]);
}

static void worker_answer(struct worker *w, struct worker_question *q, uint64_t now)
{
	struct worker_tcp_listing listing = {w, q};

	q->count = 0;
	switch (q->kind) {
	case WORKER_ASK_SESSIONS:
		q->count = gateway_list_sessions(w->gateway, &q->cursor, q->sessions, q->max, now);
		break;
	case WORKER_ASK_NEXT_HOPS:
		q->count = gateway_list_next_hops(w->gateway, q->next_hops, q->max);
		q->cursor = UINT32_MAX;
		break;
	case WORKER_ASK_TCP:
		if (!tcp_foreach(w->tcp, &q->cursor, q->max, worker_list_conn, &listing))
			q->cursor = UINT32_MAX;
		break;
	}
	atomic_store_explicit(&w->question, NULL, memory_order_relaxed);
	atomic_store_explicit(&q->done, true, memory_order_release);
}

/* What comes rarely: configuration, questions, ageing. */
static void worker_housekeeping(struct worker *w, uint64_t now)
{
	struct worker_group *group = w->params.group;
	const struct gateway_generation *gen = rcu_dereference(group->generation);
	struct worker_question *q;

	if (gen != w->gen)
		worker_adopt(w, gen, now);
	q = atomic_load_explicit(&w->question, memory_order_acquire);
	if (q)
		worker_answer(w, q, now);
	if (now >= w->next_tick && w->gen) {
		w->next_tick = now + TICK;
		net_tick(w->net, now);
		gateway_set_realtime(w->gateway,
			now + __atomic_load_n(&group->realtime_offset_ns, __ATOMIC_RELAXED), now);
		if (!w->drained && atomic_load_explicit(&group->drain, memory_order_relaxed)) {
			w->drained = true;
			gateway_drain(w->gateway, now);
		}
	}
}

/* One turn. Returns how much there was to do. */
static uint32_t worker_turn(struct worker *w, uint64_t now)
{
	uint32_t work;

	w->turn_began = now;
	work = worker_receive(w, now);
	work += worker_receive_handoffs(w, now);
	worker_flush_segments(w, now);
	work += wheel_advance(w->wheel, now, TIMER_BUDGET);
	work += tcp_dispatch(w->tcp, DISPATCH_BUDGET, now);
	gateway_poll(w->gateway, now);
	tcp_output(w->tcp, now);
	net_flush(w->net);
	work += worker_send_exceptions(w);
	worker_housekeeping(w, now);
	return work;
}

/* For workers that share a core with others; never on an appliance. */
static void worker_idle_sleep(struct worker *w)
{
	rcu_thread_offline();
	rte_delay_us_sleep(w->params.idle_sleep_us);
	rcu_thread_online();
}

int worker_main(void *worker)
{
	struct worker *w = worker;
	struct worker_group *group = w->params.group;
	uint64_t begin, end = rte_rdtsc();
	uint32_t idle = 0;

	rcu_register_thread();
	while (!atomic_load_explicit(&group->stop, memory_order_relaxed)) {
		uint32_t work;

		begin = end;
		work = worker_turn(w, clock_tsc_ns(&w->clock, begin));
		rcu_quiescent_state();
		end = rte_rdtsc();
		__atomic_store_n(&w->loops, w->loops + 1, __ATOMIC_RELAXED);
		__atomic_store_n(
			&w->cycles_total, w->cycles_total + (end - begin), __ATOMIC_RELAXED);
		if (work > 0) {
			__atomic_store_n(
				&w->cycles_busy, w->cycles_busy + (end - begin), __ATOMIC_RELAXED);
			idle = 0;
		} else if (w->params.idle_sleep_us > 0 && ++idle > IDLE_LOOPS) {
			worker_idle_sleep(w);
		}
	}
	rcu_unregister_thread();
	return 0;
}

/* --- Start and end --- */

void worker_realtime_refresh(struct worker_group *group)
{
	struct timespec ts;
	uint64_t realtime;

	clock_gettime(CLOCK_REALTIME, &ts);
	realtime = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	__atomic_store_n(&group->realtime_offset_ns,
		realtime - clock_tsc_ns(&group->clock, rte_rdtsc()), __ATOMIC_RELAXED);
}

static int worker_create_pools(struct worker *w, int socket_id)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "tx_%u", w->params.index);
	w->tx_pool = rte_pktmbuf_pool_create(
		name, w->params.tx_mbufs, 256, NET_META_SIZE, MBUF_DATA, socket_id);
	snprintf(name, sizeof(name), "ctl_%u", w->params.index);
	w->ctl_pool = rte_pktmbuf_pool_create(
		name, w->params.ctl_mbufs, 256, NET_META_SIZE, MBUF_DATA, socket_id);
	return w->tx_pool && w->ctl_pool ? 0 : -rte_errno;
}

static int worker_create_rings(struct worker *w, int socket_id)
{
	uint16_t count = w->params.group->count;
	char name[RTE_RING_NAMESIZE];

	w->incoming = rte_zmalloc_socket("incoming", count * sizeof(w->incoming[0]), 64, socket_id);
	if (!w->incoming)
		return -ENOMEM;
	for (uint16_t i = 0; i < count; i++) {
		if (i == w->params.index)
			continue;
		snprintf(name, sizeof(name), "handoff_%u_%u", i, w->params.index);
		w->incoming[i] = rte_ring_create(
			name, HANDOFF_SIZE, socket_id, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!w->incoming[i])
			return -rte_errno;
	}
	return 0;
}

static int worker_create_net(struct worker *w, int socket_id)
{
	struct net_params params = {
		.upper = {.arg = w,
			.tcp_segment = worker_tcp_segment,
			.tcp_error = worker_tcp_error,
			.spread = worker_spread},
		.lower = {.arg = w,
			.tx = worker_tx,
			.tx_offloads = worker_tx_offloads,
			.mac = worker_mac},
		.limits = {.neighbours = 16384, .hold_per_neighbour = 16, .icmp_per_second = 1000},
		.pool = w->ctl_pool,
		.quiet = w->params.index != 0,
		.socket_id = socket_id,
	};

	if (w->params.exceptions)
		params.upper.exception = worker_exception;
	return net_create(&params, &w->net);
}

static int worker_create_tcp(struct worker *w, int socket_id)
{
	struct tcp_params params = {
		.config = w->params.tcp,
		.lower = {.arg = w,
			.output = worker_tcp_output,
			.mtu = worker_tcp_mtu,
			.tso_max = worker_tcp_tso_max,
			.rx_worker = worker_tcp_rx_worker,
			.confirm = worker_tcp_confirm},
		.wheel = w->wheel,
		.tx_pool = w->tx_pool,
		.ctl_pool = w->ctl_pool,
		.socket_id = socket_id,
	};

	params.config.worker = w->params.index;
	params.config.worker_count = w->params.group->count;
	return tcp_create(&params, &w->tcp);
}

static int worker_create_gateway(struct worker *w, int socket_id)
{
	struct gateway_params params = {
		.tcp = w->tcp,
		.net = w->net,
		.wheel = w->wheel,
		.events = w->events,
		.worker = w->params.index,
		.max_sessions = w->params.max_sessions,
		.max_upstreams = w->params.max_sessions,
		.socket_id = socket_id,
	};

	worker_realtime_refresh(w->params.group);
	params.realtime_offset_ns = w->params.group->realtime_offset_ns;
	return gateway_create(&params, &w->gateway);
}

int worker_create(const struct worker_params *params, struct worker **out)
{
	int socket_id = (int)rte_lcore_to_socket_id(params->lcore);
	struct worker *w = rte_zmalloc_socket("worker", sizeof(*w), 64, socket_id);
	int ret;

	if (!w)
		return -ENOMEM;
	w->params = *params;
	w->clock = params->group->clock;
	ret = worker_create_pools(w, socket_id);
	if (ret == 0)
		ret = worker_create_rings(w, socket_id);
	if (ret == 0)
		ret = wheel_create(worker_now(w), socket_id, &w->wheel);
	if (ret == 0)
		ret = tls_lib_create(&w->tls);
	if (ret == 0)
		ret = gateway_event_ring_create(params->event_ring_size, socket_id, &w->events);
	if (ret == 0)
		ret = worker_create_net(w, socket_id);
	if (ret == 0)
		ret = worker_create_tcp(w, socket_id);
	if (ret == 0)
		ret = worker_create_gateway(w, socket_id);
	if (ret != 0) {
		worker_destroy(w);
		return ret;
	}
	*out = w;
	return 0;
}

void worker_destroy(struct worker *w)
{
	if (!w)
		return;
	gateway_destroy(w->gateway);
	if (w->tcp)
		tcp_destroy(w->tcp);
	if (w->net)
		net_destroy(w->net);
	gateway_event_ring_destroy(w->events);
	if (w->tls)
		tls_lib_destroy(w->tls);
	if (w->wheel)
		wheel_destroy(w->wheel);
	for (uint16_t i = 0; w->incoming && i < w->params.group->count; i++) {
		void *p;

		while (w->incoming[i] && rte_ring_sc_dequeue(w->incoming[i], &p) == 0)
			rte_pktmbuf_free((struct rte_mbuf *)((uintptr_t)p & ~(uintptr_t)3));
		rte_ring_free(w->incoming[i]);
	}
	rte_free(w->incoming);
	rte_mempool_free(w->tx_pool);
	rte_mempool_free(w->ctl_pool);
	rte_free(w);
}

/* --- For the control thread --- */

struct tls_lib *worker_tls_lib(struct worker *w)
{
	return w->tls;
}

struct gateway_event_ring *worker_events(struct worker *w)
{
	return w->events;
}

uint64_t worker_generation(const struct worker *w)
{
	return __atomic_load_n(&w->gen_number, __ATOMIC_ACQUIRE);
}

void worker_get_stats(const struct worker *w, struct worker_stats *stats)
{
	*stats = (struct worker_stats){
		.lcore = w->params.lcore,
		.cycles_busy = __atomic_load_n(&w->cycles_busy, __ATOMIC_RELAXED),
		.cycles_total = __atomic_load_n(&w->cycles_total, __ATOMIC_RELAXED),
		.loops = __atomic_load_n(&w->loops, __ATOMIC_RELAXED),
		.tx_mbufs_free = rte_mempool_avail_count(w->tx_pool),
		.tx_mbufs = w->params.tx_mbufs,
		.ctl_mbufs_free = rte_mempool_avail_count(w->ctl_pool),
		.ctl_mbufs = w->params.ctl_mbufs,
	};
	tcp_get_usage(w->tcp, &stats->tcp);
	gateway_get_usage(w->gateway, &stats->gateway);
}

size_t worker_counter_count(void)
{
	return WORKER_COUNTER_COUNT + net_counter_count() + tcp_counter_count() +
	       gateway_counter_count();
}

static const char *const worker_counter_names[] = {
#define X(id, name) [WORKER_C_##id] = name,
	WORKER_COUNTERS(X)
#undef X
};

const char *worker_counter_name(size_t i)
{
	if (i < WORKER_COUNTER_COUNT)
		return worker_counter_names[i];
	i -= WORKER_COUNTER_COUNT;
	if (i < net_counter_count())
		return net_counter_name(i);
	i -= net_counter_count();
	if (i < tcp_counter_count())
		return tcp_counter_name(i);
	return gateway_counter_name(i - tcp_counter_count());
}

uint64_t worker_counter_value(const struct worker *w, size_t i)
{
	if (i < WORKER_COUNTER_COUNT)
		return __atomic_load_n(&w->counters[i], __ATOMIC_RELAXED);
	i -= WORKER_COUNTER_COUNT;
	if (i < net_counter_count())
		return net_counter_value(w->net, i);
	i -= net_counter_count();
	if (i < tcp_counter_count())
		return tcp_counter_value(w->tcp, i);
	return gateway_counter_value(w->gateway, i - tcp_counter_count());
}

int worker_ask(struct worker *w, struct worker_question *q)
{
	if (atomic_load_explicit(&w->question, memory_order_relaxed))
		return -EBUSY;
	if (q->max > 64)
		q->max = 64;
	atomic_store_explicit(&q->done, false, memory_order_relaxed);
	atomic_store_explicit(&w->question, q, memory_order_release);
	return 0;
}
