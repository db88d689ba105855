/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments into listeners and connections in every state, with time, ICMP errors, a lower layer
 * that fails and an application that sends, reads, closes and aborts between them. The input is a
 * list of steps; sequence numbers, ACKs and options are relative to what the stack has, so that
 * most of them get past the first checks.
 *
 * Invariants, after every step: the scoreboard and both receive queues recount to what the
 * connection says; every connection has its slow timer; what has something to send has a timer or a
 * place on a list; what is sent is a well-formed segment that fits the MTU. At the end: no mbuf, no
 * timer, no record, no port left.
 */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "dataplane/tcp/recv.h"
#include "dataplane/tcp/scoreboard.h"
#include "dataplane/tcp/stack.h"

#define POOL     1023
#define MTU      1500
#define APPS     8
#define MS       1000000ull
#define CHECK(c) ((c) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c), abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rte_mempool *rx_pool, *tx_pool, *ctl_pool;
static struct tcp_stack *stack;
static struct wheel *wheel;
static struct tcp_conn *apps[APPS];
static uint64_t now;
static int lower_error;
static bool lazy; /* the application does not read */

struct input {
	const uint8_t *p, *end;
};

static uint8_t take(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static uint16_t take16(struct input *in)
{
	uint8_t hi = take(in);

	return (uint16_t)(hi << 8 | take(in));
}

static const struct ip_addr ours = {.b = {[10] = 0xff, 0xff, 198, 51, 100, 1}};
static const struct ip_addr theirs = {.b = {[10] = 0xff, 0xff, 198, 51, 100, 2}};

static int on_output(void *arg, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t tos, uint64_t t)
{
	const struct rte_tcp_hdr *th = rte_pktmbuf_mtod(m, const struct rte_tcp_hdr *);
	uint32_t hdr;

	CHECK(m->data_len >= 20 && rte_pktmbuf_headroom(m) >= NET_HEADROOM);
	hdr = (uint32_t)(th->data_off >> 4) * 4;
	CHECK(hdr >= 20 && hdr <= m->data_len && m->nb_segs == 1 && m->pkt_len == m->data_len);
	CHECK(m->pkt_len + 20 <= MTU);
	CHECK(tos == 0 || tos == 2);
	CHECK(!(th->tcp_flags & 0x02) || !(th->tcp_flags & 0x05));
	CHECK(th->src_port != 0 && th->dst_port != 0);
	rte_pktmbuf_free(m);
	return lower_error;
}

static uint16_t on_mtu(void *arg, const struct ip_addr *dst)
{
	return MTU;
}

static uint32_t on_tso_max(void *arg, const struct ip_addr *dst)
{
	return 0;
}

static void forget(struct tcp_conn *c)
{
	for (int i = 0; i < APPS; i++) {
		if (apps[i] == c)
			apps[i] = NULL;
	}
}

static int on_accepted(struct tcp_conn *c, void *arg, uint64_t t)
{
	for (int i = 0; i < APPS; i++) {
		if (apps[i] == NULL) {
			apps[i] = c;
			return 0;
		}
	}
	return -1;
}

static void on_event(struct tcp_conn *c, void *user, uint64_t t)
{
	uint8_t buf[700];

	while (!lazy && tcp_read(stack, c, buf, sizeof(buf)) > 0) {
	}
}

static void on_closed(struct tcp_conn *c, void *user, enum tcp_reason reason, uint64_t t)
{
	CHECK(tcp_reason_name(reason) != NULL);
	forget(c);
}

static const struct tcp_ops ops = {on_accepted, on_event, on_event, on_event, on_closed};

static struct rte_mempool *pool(const char *name, uint16_t room)
{
	struct rte_mempool *p =
		rte_pktmbuf_pool_create(name, POOL, 0, NET_META_SIZE, room, SOCKET_ID_ANY);

	CHECK(p != NULL);
	return p;
}

static void start(void)
{
	const char *argv[] = {"fuzz", "--no-huge", "--no-shconf", "--no-pci", "-m", "64",
		"--no-telemetry", "--log-level=error", "-l", "0"};

	CHECK(rte_eal_init(RTE_DIM(argv), (char **)(uintptr_t)argv) >= 0);
	rx_pool = pool("rx", 2176);
	tx_pool = pool("tx", 2176);
	ctl_pool = pool("ctl", 320);
}

static void create(void)
{
	struct tcp_params params = {
		.lower = {NULL, on_output, on_mtu, on_tso_max, NULL}, .socket_id = -1};
	struct tcp_listen_params listen = {.port = 25, .ops = &ops};
	struct tcp_listener *l;

	tcp_config_defaults(&params.config);
	params.config.max_conns = 8;
	params.config.max_syn_backlog = 4;
	params.config.max_time_wait = 4;
	params.config.send_buffer = 65536;
	params.config.recv_buffer = 131072;
	params.config.recv_budget = 1 << 20;
	params.config.reserve_mbufs = 64;
	params.config.port_first = 40000;
	params.config.port_last = 40007;
	now = 1000000 * MS;
	CHECK(wheel_create(now, -1, &wheel) == 0);
	params.wheel = wheel;
	params.tx_pool = tx_pool;
	params.ctl_pool = ctl_pool;
	CHECK(tcp_create(&params, &stack) == 0);
	CHECK(tcp_listen(stack, &listen, &l) == 0);
}

/* Where the segments' numbers are taken from. */
struct base {
	uint16_t port, local_port;
	uint32_t seq, ack, una, ts, ts_ours;
	bool ts_on;
};

static struct base base_of(uint8_t which)
{
	struct base b = {.port = (uint16_t)(5000 + which % 8), .local_port = 25, .seq = 1000000};
	uint32_t i = which >> 3 & 7;
	const struct tcp_conn *c = tcp_pool_at(&stack->conns, i);
	const struct tcp_time_wait *w = TAILQ_FIRST(&stack->time_wait_list);

	if (which >= 128 && w != NULL) {
		b.port = w->node.key.remote_port;
		b.local_port = w->node.key.local_port;
		b.seq = w->rcv_nxt;
		b.ack = b.una = w->snd_nxt;
		b.ts = w->ts_recent;
		b.ts_on = w->timestamps;
		return b;
	}
	if (which >= 64) {
		for (i = 0; i < stack->syns.count; i++) {
			const struct tcp_syn *y = tcp_pool_at(&stack->syns, i);

			if (!wheel_armed(&y->timer) || y->node.key.remote_port != b.port)
				continue;
			b.seq = y->irs + 1;
			b.ack = b.una = y->iss + 1;
			b.ts = y->ts_recent;
			b.ts_on = y->timestamps;
			return b;
		}
		return b;
	}
	if (c->node.kind != TCP_NODE_CONN)
		return b;
	b.port = c->node.key.remote_port;
	b.local_port = c->node.key.local_port;
	b.seq = c->rcv_nxt;
	b.ack = c->snd_nxt;
	b.una = c->snd_una;
	b.ts = c->ts_recent;
	b.ts_ours = tcp_conn_ts(c, now);
	b.ts_on = c->flags & TCP_F_TIMESTAMPS;
	return b;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	*p++ = (uint8_t)(v >> 24);
	*p++ = (uint8_t)(v >> 16);
	*p++ = (uint8_t)(v >> 8);
	*p++ = (uint8_t)v;
	return p;
}

/* What: bit 0 raw options, 1 SYN options, 2 SACK blocks, 3 no timestamps, 4 old timestamp. */
static size_t options(struct input *in, const struct base *b, uint8_t what, uint8_t *opt)
{
	uint8_t *p = opt;

	if (what & 1) {
		size_t n = take(in) % 41;

		for (size_t i = 0; i < n; i++)
			*p++ = take(in);
		return n;
	}
	if (what & 2) {
		*p++ = TCP_OPT_MSS;
		*p++ = 4;
		*p++ = take(in) & 7;
		*p++ = take(in);
		*p++ = TCP_OPT_SACK_PERMITTED;
		*p++ = 2;
		*p++ = TCP_OPT_NOP;
		*p++ = TCP_OPT_WSCALE;
		*p++ = 3;
		*p++ = take(in) & 15;
	}
	if (((what & 2) || b->ts_on) && !(what & 8)) {
		*p++ = TCP_OPT_TIMESTAMPS;
		*p++ = 10;
		p = put32(p, what & 16 ? b->ts - take(in) : b->ts + 1);
		p = put32(p, b->ts_ours - take(in));
	}
	if ((what & 4) && !(what & 2)) {
		unsigned int n = 1 + take(in) % 3;

		*p++ = TCP_OPT_SACK;
		*p++ = (uint8_t)(2 + 8 * n);
		while (n-- > 0) {
			uint32_t from = b->una + take16(in) - 200;

			p = put32(p, from);
			p = put32(p, from + take16(in) % 6000);
		}
	}
	return (size_t)(p - opt);
}

static void segment(struct input *in)
{
	struct base b = base_of(take(in));
	uint8_t flags = take(in), what = take(in), shape = take(in), opt[80];
	struct rte_mbuf *m = rte_pktmbuf_alloc(rx_pool);
	size_t opt_len = options(in, &b, what, opt);
	uint32_t len = shape & 1 ? take16(in) % 1461 : shape & 2 ? take(in) : 0;
	struct rte_tcp_hdr *th;
	struct net_meta *meta;
	uint8_t *p;

	if (m == NULL)
		return;
	meta = rte_mbuf_to_priv(m);
	*meta = (struct net_meta){.src = theirs, .dst = ours, .ecn = shape >> 6, .proto = 6};
	th = (struct rte_tcp_hdr *)rte_pktmbuf_append(m, 20);
	*th = (struct rte_tcp_hdr){
		.src_port = htons(b.port),
		.dst_port = htons(b.local_port),
		.sent_seq = htonl(b.seq + (shape & 4 ? (uint32_t)(int16_t)take16(in) : 0)),
		.recv_ack =
			htonl((shape & 8 ? b.una : b.ack) + (shape & 16 ? take16(in) - 100u : 0)),
		.data_off = (uint8_t)((20 + ((opt_len + 3) & ~3u)) / 4 << 4),
		.tcp_flags = flags,
		.rx_win = htons(shape & 32 ? take16(in) : 8000),
	};
	while (opt_len % 4 != 0)
		opt[opt_len++] = 0;
	if (opt_len > 40)
		opt_len = 40;
	memcpy(rte_pktmbuf_append(m, (uint16_t)opt_len), opt, opt_len);
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)len);
	memset(p, take(in), len);
	/* A header that is cut off. */
	if (what & 128)
		rte_pktmbuf_trim(m, RTE_MIN(m->data_len, take(in)));
	tcp_input(stack, &m, 1, now);
}

static void icmp(struct input *in)
{
	struct base b = base_of(take(in) & 63);
	struct net_icmp_error e = {.local = ours,
		.remote = theirs,
		.local_port = b.local_port,
		.remote_port = b.port,
		.seq = b.una + (uint32_t)(int8_t)take(in)};

	e.type = take(in) & 3;
	e.code = take(in) & 7;
	e.mtu = take16(in);
	tcp_icmp_error(stack, &e, now);
}

static void application(struct input *in)
{
	struct tcp_connect_params connect = {.local = ours, .remote = theirs, .ops = &ops};
	uint8_t what = take(in), buf[4000] = {0};
	struct tcp_conn **c = &apps[what >> 4 & 7];
	struct iovec iov[4];

	if (*c == NULL) {
		connect.remote_port = (uint16_t)(5000 + take(in) % 8);
		if (tcp_connect(stack, &connect, now, c) < 0)
			*c = NULL;
		return;
	}
	switch (what & 7) {
	case 0:
	case 1:
		tcp_send(stack, *c, buf, take16(in) % sizeof(buf), what & 8);
		break;
	case 2:
		tcp_shutdown(stack, *c);
		break;
	case 3:
		tcp_close(stack, *c, now);
		*c = NULL;
		break;
	case 4:
		tcp_abort(stack, *c, now);
		*c = NULL;
		break;
	case 5:
		tcp_want_writable(*c, take16(in));
		break;
	case 6:
		tcp_consume(stack, *c, take16(in));
		break;
	case 7:
		for (int i = 0, n = tcp_peek(*c, take16(in), iov, 4); i < n; i++)
			CHECK(iov[i].iov_len > 0);
		break;
	}
}

static void check(void *arg, const struct tcp_conn *c)
{
	uint64_t *bytes = arg;

	*bytes += c->rcvq_bytes + c->ooo_bytes;
	CHECK(tcp_scoreboard_valid(c));
	CHECK(tcp_recv_valid(c));
	CHECK(c->state == TCP_TIME_WAIT || wheel_armed(&c->slow_timer));
	CHECK(seq_leq(c->snd_una, c->snd_nxt) && seq_leq(c->rcv_nxt, c->rcv_adv));
	if (tcp_conn_synchronized(c)) {
		CHECK(c->mss >= 200 && c->mss <= 1460 && c->cc.cwnd > 0);
		if (c->rec_head != NULL || tcp_conn_unsent(c) > 0)
			CHECK(wheel_armed(&c->rtx_timer) ||
				(c->flags & (TCP_F_ON_OUTPUT | TCP_F_WAITING)));
	}
}

static void check_all(void)
{
	uint32_t cursor = 0;
	uint64_t bytes = 0;

	tcp_foreach(stack, &cursor, UINT32_MAX, check, &bytes);
	CHECK(bytes <= stack->usage.recv_bytes);
	CHECK(stack->usage.half_open == stack->syns.used);
	CHECK(stack->usage.time_wait == stack->time_waits.used);
}

static void step(struct input *in)
{
	uint8_t op = take(in);

	switch (op & 15) {
	default:
		segment(in);
		break;
	case 8:
		application(in);
		break;
	case 9:
		now += MS << (take(in) % 18);
		wheel_advance(wheel, now, 1000);
		break;
	case 10:
		icmp(in);
		break;
	case 11:
	case 12:
		tcp_dispatch(stack, 16, now);
		tcp_output(stack, now);
		break;
	case 13:
		lower_error = op & 16 ? -ENOBUFS : op & 32 ? -EIO : 0;
		break;
	case 14:
		lazy = op & 16;
		break;
	case 15:
		now += 300000;
		wheel_advance(wheel, now, 1000);
		tcp_dispatch(stack, 16, now);
		tcp_output(stack, now);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};

	if (rx_pool == NULL)
		start();
	create();
	lower_error = 0;
	lazy = false;
	memset(apps, 0, sizeof(apps));
	while (in.p < in.end) {
		step(&in);
		check_all();
	}
	/* Left to itself everything ends by its timers. */
	lower_error = 0;
	tcp_dispatch(stack, 1000, now);
	for (int i = 0; i < APPS; i++) {
		if (apps[i] != NULL)
			tcp_close(stack, apps[i], now);
	}
	for (int i = 0; i < 3000 && wheel_count(wheel) > 0; i++) {
		uint64_t next = wheel_next(wheel);

		now = next != UINT64_MAX && next > now ? next : now + MS;
		wheel_advance(wheel, now, 1000);
		tcp_dispatch(stack, 1000, now);
		tcp_output(stack, now);
		check_all();
	}
	CHECK(wheel_count(wheel) == 0);
	CHECK(stack->conns.used == 0 && stack->syns.used == 0 && stack->time_waits.used == 0);
	CHECK(stack->records.used == 0 && tcp_port_used(stack->ports) == 0);
	CHECK(stack->usage.recv_bytes == 0 && stack->recv_committed == 0);
	CHECK(stack->usage.rx_mbufs == 0 && stack->usage.tx_mbufs == 0);
	tcp_destroy(stack);
	wheel_destroy(wheel);
	CHECK(rte_mempool_avail_count(rx_pool) == POOL);
	CHECK(rte_mempool_avail_count(tx_pool) == POOL);
	CHECK(rte_mempool_avail_count(ctl_pool) == POOL);
	return 0;
}
