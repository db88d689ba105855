/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/dataplane/tcp/pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "dataplane/net/net.h"
#include "dataplane/tcp/options.h"
#include "dataplane/tcp/recv.h"
#include "dataplane/tcp/scoreboard.h"
#include "dataplane/tcp/stack.h"

#define TX_MBUFS  2047
#define CTL_MBUFS 1023
#define RX_MBUFS  4095

/* A mempool that can be told to be empty. */
struct pair_alloc pair_alloc;

struct fail_pool {
	unsigned int count;
	void *obj[];
};

static int fail_alloc(struct rte_mempool *mp)
{
	mp->pool_data = calloc(1, sizeof(struct fail_pool) + mp->size * sizeof(void *));
	return mp->pool_data != NULL ? 0 : -ENOMEM;
}

static void fail_free(struct rte_mempool *mp)
{
	free(mp->pool_data);
}

static int fail_enqueue(struct rte_mempool *mp, void *const *obj, unsigned int n)
{
	struct fail_pool *f = mp->pool_data;

	memcpy(f->obj + f->count, obj, n * sizeof(*obj));
	f->count += n;
	return 0;
}

static int fail_dequeue(struct rte_mempool *mp, void **obj, unsigned int n)
{
	struct fail_pool *f = mp->pool_data;
	struct pair_alloc *a = &pair_alloc;

	a->count++;
	if (n > f->count || a->count == a->fail_at ||
		(a->fail_each != 0 && a->count % a->fail_each == 0)) {
		a->failed++;
		return -ENOBUFS;
	}
	f->count -= n;
	memcpy(obj, f->obj + f->count, n * sizeof(*obj));
	return 0;
}

static unsigned int fail_get_count(const struct rte_mempool *mp)
{
	const struct fail_pool *f = mp->pool_data;

	return f->count;
}

static const struct rte_mempool_ops fail_ops = {
	.name = "pair_fail",
	.alloc = fail_alloc,
	.free = fail_free,
	.enqueue = fail_enqueue,
	.dequeue = fail_dequeue,
	.get_count = fail_get_count,
};
RTE_MEMPOOL_REGISTER_OPS(fail_ops);

static struct rte_mempool *pool_create(const char *name, unsigned int n, uint16_t room)
{
	return rte_pktmbuf_pool_create_by_ops(
		name, n, 0, NET_META_SIZE, room, SOCKET_ID_ANY, "pair_fail");
}

int pair_setup_eal(void **state)
{
	return test_eal_init();
}

uint8_t pattern(int host, uint64_t offset)
{
	return (uint8_t)(offset * 131 + (offset >> 8) * 7 + (offset >> 16) * 3 +
			 (uint64_t)host * 77);
}

uint64_t counter(const struct pair *p, int host, const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "tcp_%s", name);
	for (size_t i = 0; i < tcp_counter_count(); i++) {
		if (strcmp(tcp_counter_name(i), full) == 0)
			return tcp_counter_value(p->h[host].s, i);
	}
	fprintf(stderr, "no counter %s\n", full);
	abort();
}

void pair_print(const struct pair *p)
{
	for (int h = 0; h < 2; h++) {
		for (size_t i = 0; i < tcp_counter_count(); i++) {
			if (tcp_counter_value(p->h[h].s, i) != 0)
				fprintf(stderr, "%d %s %lu\n", h, tcp_counter_name(i),
					tcp_counter_value(p->h[h].s, i));
		}
	}
}

/* Applications. */

void app_push(struct app *a)
{
	struct tcp_stack *s = a->p->h[a->host].s;

	while (a->c != NULL && a->sent < a->to_send) {
		uint8_t buf[4096];
		size_t n = sizeof(buf);
		int64_t got;

		if (n > a->to_send - a->sent)
			n = a->to_send - a->sent;
		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(a->host, a->sent + i);
		got = tcp_send(s, a->c, buf, n, a->more);
		if (got <= 0)
			return;
		a->sent += (uint64_t)got;
		if ((size_t)got < n)
			return;
	}
	if (a->c == NULL || a->sent < a->to_send)
		return;
	if (a->shutdown_after)
		tcp_shutdown(s, a->c);
	if (a->close_after && (!a->close_on_eof || a->eof)) {
		tcp_close(s, a->c, a->p->now);
		a->c = NULL;
	}
}

static void app_read(struct app *a)
{
	struct tcp_stack *s = a->p->h[a->host].s;
	uint8_t buf[8192];
	size_t n;

	if (a->no_read)
		return;
	while ((n = tcp_read(s, a->c, buf, sizeof(buf))) > 0) {
		for (size_t i = 0; i < n; i++)
			a->bad |= buf[i] != pattern(!a->host, a->received + i);
		a->received += n;
	}
	if (tcp_at_eof(a->c) && !a->eof) {
		a->eof = true;
		a->eof_ns = a->p->now;
	}
}

static void on_readable(struct tcp_conn *c, void *user, uint64_t now)
{
	struct app *a = user;

	a->readable_events++;
	app_read(a);
	if (a->eof && a->close_on_eof && a->sent >= a->to_send) {
		tcp_close(a->p->h[a->host].s, c, now);
		a->c = NULL;
	}
}

static void on_writable(struct tcp_conn *c, void *user, uint64_t now)
{
	struct app *a = user;

	a->writable_events++;
	app_push(a);
}

static void on_connected(struct tcp_conn *c, void *user, uint64_t now)
{
	struct app *a = user;

	a->connected = true;
	a->connected_ns = now;
	app_push(a);
}

static int on_accepted(struct tcp_conn *c, void *listener_arg, uint64_t now)
{
	struct pair *p = listener_arg;
	struct app *a = &p->app[1];

	if (p->refuse != 0)
		return p->refuse;
	a->c = c;
	a->accepted = true;
	tcp_set_user(c, a);
	app_push(a);
	return 0;
}

static void on_closed(struct tcp_conn *c, void *user, enum tcp_reason reason, uint64_t now)
{
	struct app *a = user;

	app_read(a);
	a->closed = true;
	a->closed_ns = now;
	a->reason = reason;
	a->c = NULL;
}

static const struct tcp_ops app_ops = {
	.accepted = on_accepted,
	.connected = on_connected,
	.readable = on_readable,
	.writable = on_writable,
	.closed = on_closed,
};

/* The link. */

static void see(struct rte_mbuf *m, int from, uint8_t tos, struct seen *v)
{
	const struct rte_tcp_hdr *th = rte_pktmbuf_mtod(m, const struct rte_tcp_hdr *);
	uint32_t hdr = (uint32_t)(th->data_off >> 4) * 4;
	struct tcp_options o;

	tcp_options_parse((const uint8_t *)(th + 1), hdr - 20, th->tcp_flags & 2, &o);
	*v = (struct seen){
		.from = from,
		.seq = rte_be_to_cpu_32(th->sent_seq),
		.ack = rte_be_to_cpu_32(th->recv_ack),
		.len = m->pkt_len - hdr,
		.wnd = rte_be_to_cpu_16(th->rx_win),
		.flags = th->tcp_flags,
		.tos = tos,
		.has_ts = o.has_timestamps,
		.tsval = o.tsval,
		.tsecr = o.tsecr,
		.mss = o.mss,
		.sack_count = o.sack_count,
		.m = m,
	};
	for (unsigned int i = 0; i < o.sack_count; i++) {
		v->sack[2 * i] = o.sack[i].start;
		v->sack[2 * i + 1] = o.sack[i].end;
	}
}

static void enqueue(struct pair *p, int to, struct rte_mbuf *m, uint8_t ecn, uint64_t when)
{
	struct packet **at = &p->queue, *k = malloc(sizeof(*k));

	*k = (struct packet){.m = m, .when = when, .order = p->order++, .to = to, .ecn = ecn};
	while (*at != NULL && (*at)->when <= when)
		at = &(*at)->next;
	k->next = *at;
	*at = k;
	p->queued++;
}

/* As a NIC does it: into an mbuf of the receiver's, with headroom. */
static struct rte_mbuf *copy_to_rx(struct pair *p, const struct rte_mbuf *m)
{
	struct rte_mbuf *n = rte_pktmbuf_alloc(p->rx);

	if (n == NULL)
		return NULL;
	for (const struct rte_mbuf *o = m; o != NULL; o = o->next)
		memcpy(rte_pktmbuf_append(n, o->data_len), rte_pktmbuf_mtod(o, void *),
			o->data_len);
	return n;
}

static int link_output(void *arg, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t tos, uint64_t now)
{
	struct host *h = arg;
	struct pair *p = h->p;
	enum verdict v = PASS;
	struct seen seen;
	struct rte_mbuf *n;
	uint64_t when = now + p->delay_ns;
	int ret = h->fail_output;

	h->segs_out++;
	if (ret < 0) {
		rte_pktmbuf_free(m);
		return ret;
	}
	see(m, h->index, tos, &seen);
	if (p->filter != NULL)
		v = p->filter(p, &seen, p->filter_arg);
	if (p->queue_max != 0 && p->rate != 0 && p->busy[h->index] > now &&
		(p->busy[h->index] - now) * p->rate / SEC / 1500 > p->queue_max)
		v = DROP;
	if (p->rate != 0 && v != DROP) {
		if (p->busy[h->index] < now)
			p->busy[h->index] = now;
		p->busy[h->index] += (m->pkt_len + 40) * SEC / p->rate;
		when = p->busy[h->index] + p->delay_ns;
	}
	if (v == LATE && now < p->hold_until)
		when = p->hold_until + p->held++ * MS / 10;
	else if (v == LATE)
		when += p->late_ns;
	for (int i = 0; i < (v == DROP ? 0 : v == TWICE ? 2 : 1); i++) {
		n = copy_to_rx(p, m);
		if (n != NULL)
			enqueue(p, !h->index, n, p->mark_ce ? 3 : tos & 3, when);
	}
	p->mark_ce = false;
	rte_pktmbuf_free(m);
	return 0;
}

static uint16_t link_mtu(void *arg, const struct ip_addr *dst)
{
	const struct host *h = arg;

	return h->mtu;
}

static uint32_t link_tso_max(void *arg, const struct ip_addr *dst)
{
	const struct host *h = arg;

	return h->tso_max;
}

/* As a device does it: segments of tso_segsz, FIN and PSH on the last only. */
static int link_output_tso(void *arg, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t tos, uint64_t now)
{
	struct host *h = arg;
	uint8_t flat[65536 + 64];
	uint32_t hdr, len = m->pkt_len, size = m->tso_segsz;
	struct rte_tcp_hdr *th = (struct rte_tcp_hdr *)flat;

	if (!(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG))
		return link_output(arg, m, src, dst, tos, now);
	h->tso_out++;
	for (uint32_t off = 0, n = 0; off < len; off += n) {
		const void *p;

		n = RTE_MIN(len - off, 1024u);
		p = rte_pktmbuf_read(m, off, n, flat + off);
		if (p != flat + off)
			memcpy(flat + off, p, n);
	}
	hdr = (uint32_t)(th->data_off >> 4) * 4;
	rte_pktmbuf_free(m);
	for (uint32_t off = hdr; off < len; off += size) {
		uint32_t n = RTE_MIN(size, len - off);
		struct rte_mbuf *one = rte_pktmbuf_alloc(h->p->rx);
		struct rte_tcp_hdr *oh =
			(struct rte_tcp_hdr *)rte_pktmbuf_append(one, (uint16_t)hdr);

		memcpy(oh, flat, hdr);
		oh->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(th->sent_seq) + off - hdr);
		if (off + n < len)
			oh->tcp_flags &= (uint8_t)~0x09;
		memcpy(rte_pktmbuf_append(one, (uint16_t)n), flat + off, n);
		link_output(arg, one, src, dst, tos, now);
	}
	return 0;
}

void pair_inject(struct pair *p, int to, const struct forge *f)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->rx);
	struct rte_tcp_hdr *th = (struct rte_tcp_hdr *)rte_pktmbuf_append(m, 20);
	uint8_t opt_len = (uint8_t)((f->opt_len + 3) & ~3);

	*th = (struct rte_tcp_hdr){
		.src_port = rte_cpu_to_be_16(f->sport),
		.dst_port = rte_cpu_to_be_16(f->dport),
		.sent_seq = rte_cpu_to_be_32(f->seq),
		.recv_ack = rte_cpu_to_be_32(f->ack),
		.data_off = (uint8_t)((20 + opt_len) / 4 << 4),
		.tcp_flags = f->flags,
		.rx_win = rte_cpu_to_be_16(f->wnd),
	};
	if (opt_len > 0) {
		uint8_t *o = (uint8_t *)rte_pktmbuf_append(m, opt_len);

		memset(o, 0, opt_len);
		memcpy(o, f->opt, f->opt_len);
	}
	if (f->len > 0)
		memset(rte_pktmbuf_append(m, (uint16_t)f->len), f->fill, f->len);
	enqueue(p, to, m, 0, p->now);
}

void pair_deliver(struct pair *p)
{
	while (p->queue != NULL && p->queue->when <= p->now) {
		struct packet *k = p->queue;
		struct net_meta *meta = rte_mbuf_to_priv(k->m);

		p->queue = k->next;
		p->queued--;
		memset(meta, 0, sizeof(*meta));
		meta->src = p->h[!k->to].addr;
		meta->dst = p->h[k->to].addr;
		meta->ecn = k->ecn;
		meta->proto = 6;
		tcp_input(p->h[k->to].s, &k->m, 1, p->now);
		free(k);
	}
}

static void check_conn(void *arg, const struct tcp_conn *c)
{
	struct pair *p = arg;

	if (!tcp_scoreboard_valid(c) || !tcp_recv_valid(c) ||
		(c->state != TCP_TIME_WAIT && !wheel_armed(&c->slow_timer)))
		p->valid = false;
	/* Something unsent or unacknowledged has something that moves it. */
	if (c->state >= TCP_ESTABLISHED && c->state < TCP_TIME_WAIT &&
		(c->rec_head != NULL || tcp_conn_unsent(c) > 0) && !wheel_armed(&c->rtx_timer) &&
		!(c->flags & (TCP_F_ON_OUTPUT | TCP_F_WAITING)))
		p->valid = false;
}

void pair_step(struct pair *p)
{
	pair_deliver(p);
	if (p->icmp != NULL)
		tcp_icmp_error(p->h[0].s, p->icmp, p->now);
	p->icmp = NULL;
	for (int i = 0; i < 2; i++) {
		struct host *h = &p->h[i];

		wheel_advance(h->w, p->now, 10000);
		tcp_dispatch(h->s, 64, p->now);
		tcp_output(h->s, p->now);
		if (p->check_each_step) {
			uint32_t cursor = 0;

			tcp_foreach(h->s, &cursor, UINT32_MAX, check_conn, p);
		}
	}
}

static bool busy(const struct pair *p)
{
	if (p->queue != NULL && p->queue->when <= p->now)
		return true;
	return p->h[0].s->ready.count + p->h[0].s->output.count + p->h[1].s->ready.count +
		       p->h[1].s->output.count >
	       0;
}

bool pair_run_until(struct pair *p, bool (*done)(const struct pair *p), uint64_t until)
{
	for (;;) {
		uint64_t next = until;

		for (int i = 0; i < 100 && (i == 0 || busy(p)); i++)
			pair_step(p);
		if (done != NULL && done(p))
			return true;
		if (p->now >= until)
			return false;
		for (int i = 0; i < 2; i++) {
			uint64_t w = wheel_next(p->h[i].w);

			next = w < next ? w : next;
		}
		if (p->queue != NULL && p->queue->when < next)
			next = p->queue->when;
		if (busy(p))
			next = p->now + 1000;
		p->now = next > p->now ? next : p->now + 1000;
	}
}

void pair_run(struct pair *p, uint64_t until)
{
	pair_run_until(p, NULL, until);
}

void pair_config(struct tcp_config *config)
{
	tcp_config_defaults(config);
	config->max_conns = 64;
	config->max_syn_backlog = 16;
	config->max_time_wait = 64;
	config->send_buffer = 256 << 10;
	config->recv_buffer = 256 << 10;
	config->recv_budget = 8 << 20;
	config->reserve_mbufs = 128;
	config->port_first = 40000;
	config->port_last = 40063;
	memset(config->secret, 0x5a, sizeof(config->secret));
}

static void link_confirm(
	void *arg, const struct ip_addr *src, const struct ip_addr *dst, uint64_t now)
{
	struct host *h = arg;

	if (ip_addr_equal(src, &h->addr) && ip_addr_equal(dst, &h->p->h[!h->index].addr))
		h->confirms++;
}

static void host_create(struct pair *p, int i)
{
	struct host *h = &p->h[i];
	char name[32];
	struct tcp_params params = {
		.config = p->config,
		.lower = {h, link_output_tso, link_mtu, link_tso_max, NULL, link_confirm},
		.socket_id = -1,
	};

	*h = (struct host){.p = p, .index = i, .mtu = 1500};
	h->addr = ip_addr_from_v4(rte_cpu_to_be_32(0x0a000001u + (uint32_t)i));
	snprintf(name, sizeof(name), "tx%d", i);
	h->tx = pool_create(name, TX_MBUFS, 2176);
	snprintf(name, sizeof(name), "ctl%d", i);
	h->ctl = pool_create(name, CTL_MBUFS, 320);
	if (h->tx == NULL || h->ctl == NULL || wheel_create(p->now, -1, &h->w) < 0)
		abort();
	params.wheel = h->w;
	params.tx_pool = h->tx;
	params.ctl_pool = h->ctl;
	params.config.secret[0] = (uint8_t)i;
	if (tcp_create(&params, &h->s) < 0)
		abort();
}

struct pair *pair_new(void (*change)(struct tcp_config *config))
{
	struct pair *p = calloc(1, sizeof(*p));
	struct tcp_listen_params listen = {.port = 25, .ops = &app_ops};

	p->now = 1000 * SEC;
	p->delay_ns = 10 * MS;
	p->late_ns = 5 * MS;
	p->rand = 1;
	p->valid = true;
	p->check_each_step = true;
	pair_config(&p->config);
	if (change != NULL)
		change(&p->config);
	p->rx = rte_pktmbuf_pool_create("rx", RX_MBUFS, 0, NET_META_SIZE, 2176, SOCKET_ID_ANY);
	if (p->rx == NULL)
		abort();
	for (int i = 0; i < 2; i++) {
		host_create(p, i);
		p->app[i] = (struct app){.p = p, .host = i};
	}
	listen.arg = p;
	if (tcp_listen(p->h[1].s, &listen, &p->h[1].listener) < 0)
		abort();
	return p;
}

void pair_connect(struct pair *p)
{
	struct tcp_connect_params params = {
		.local = p->h[0].addr,
		.remote = p->h[1].addr,
		.remote_port = 25,
		.ops = &app_ops,
		.user = &p->app[0],
	};

	if (tcp_connect(p->h[0].s, &params, p->now, &p->app[0].c) < 0)
		abort();
}

bool pair_free(struct pair *p, bool drained)
{
	bool ok = p->valid;

	if (!p->valid)
		fprintf(stderr, "an invariant of a connection failed\n");
	for (int i = 0; i < 2; i++) {
		struct tcp_usage u;

		tcp_get_usage(p->h[i].s, &u);
		if (drained && (u.conns != 0 || u.half_open != 0 || u.time_wait != 0 ||
				       u.ports != 0 || u.timers != 0 || u.rx_mbufs != 0 ||
				       u.tx_mbufs != 0 || u.recv_bytes != 0)) {
			fprintf(stderr,
				"host %d: conns %u half_open %u time_wait %u ports %u timers %u rx "
				"%u tx "
				"%u bytes %lu\n",
				i, u.conns, u.half_open, u.time_wait, u.ports, u.timers, u.rx_mbufs,
				u.tx_mbufs, u.recv_bytes);
			ok = false;
		}
		tcp_destroy(p->h[i].s);
		if (wheel_count(p->h[i].w) != 0) {
			fprintf(stderr, "host %d: timers left\n", i);
			ok = false;
		}
		wheel_destroy(p->h[i].w);
		if (rte_mempool_avail_count(p->h[i].tx) != TX_MBUFS ||
			rte_mempool_avail_count(p->h[i].ctl) != CTL_MBUFS) {
			fprintf(stderr, "host %d: mbufs leaked\n", i);
			ok = false;
		}
		rte_mempool_free(p->h[i].tx);
		rte_mempool_free(p->h[i].ctl);
	}
	while (p->queue != NULL) {
		struct packet *k = p->queue;

		p->queue = k->next;
		rte_pktmbuf_free(k->m);
		free(k);
	}
	if (rte_mempool_avail_count(p->rx) != RX_MBUFS) {
		fprintf(stderr, "received mbufs leaked\n");
		ok = false;
	}
	rte_mempool_free(p->rx);
	free(p);
	return ok;
}

static bool both_done(const struct pair *p)
{
	return p->app[0].c == NULL && p->app[1].c == NULL;
}

bool pair_exchange(struct pair *p, uint64_t there, uint64_t back, uint64_t limit)
{
	p->app[0].to_send = there;
	p->app[0].shutdown_after = true;
	p->app[0].close_after = true;
	p->app[0].close_on_eof = true;
	p->app[1].to_send = back;
	p->app[1].close_after = true;
	p->app[1].close_on_eof = true;
	pair_connect(p);
	return pair_run_until(p, both_done, p->now + limit) && p->app[1].received == there &&
	       p->app[0].received == back && !p->app[0].bad && !p->app[1].bad;
}

enum verdict loss_filter(struct pair *p, const struct seen *seen, void *arg)
{
	struct loss *l = arg;
	uint32_t n;

	if (seen->from != l->from || seen->len == 0)
		return PASS;
	if (!l->started) {
		l->started = true;
		l->isn = seen->seq;
		l->high = seen->seq;
	}
	n = (seen->seq - l->isn) / 1448;
	if (n < l->first || n >= l->first + l->count || n >= RTE_DIM(l->hits) ||
		l->hits[n] >= l->times)
		return PASS;
	l->hits[n]++;
	l->lost++;
	return DROP;
}
