/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/dataplane/gateway/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_mbuf.h>
#include <urcu-qsbr.h>

#include "dataplane/policy/map_write.h"
#include "dataplane/tcp/tcp.h"
#include "dataplane/tcp/wheel.h"
#include "tests/unit/dataplane/gateway/pki.h"
#include "tests/unit/dataplane/tcp/eal.h"

#define MAX_HOPS    8
#define PEER_BUFFER (1 << 20)
#define PATIENCE    UINT64_C(700000) /* ms of virtual time that peer_expect() waits at most */
#define WIRE_SIZE   4096
#define STEP        UINT64_C(1000000) /* ns */
#define PORT_SMTP   25
#define PORT_HOP    2500

struct wire_item {
	struct rte_mbuf *m;
	bool to_gateway;
};

struct host {
	struct wheel *wheel;
	struct tcp_stack *tcp;
	struct rte_mempool *tx, *ctl;
	struct ip_addr addr;
	struct world *w;
};

struct peer {
	struct world *w;
	struct peer *next;
	struct tcp_conn *conn;
	struct tls_conn *tls;
	struct tls_session *resume;
	bool connected, paused, eof, reset;
	size_t len, taken;
	size_t raw; /* octets of `data` that came before TLS was started here, but are TLS's */
	char line[4096];
	char *data;
};

struct world {
	struct world_params params;
	uint64_t now;
	struct host gw, out; /* the gateway, and everybody else */
	struct gateway *gateway;
	struct gateway_event_ring *events;
	struct gateway_event last;
	struct gateway_generation gens[2];
	uint32_t gen_count;
	struct gateway_listener listener;
	struct gateway_next_hop hops[MAX_HOPS];
	char names[MAX_HOPS][16];
	struct tls_context *server_ctx, *client_ctx, *hop_ctx, *out_ctx;
	struct tls_context *server_list[1], *client_list[1];
	struct tls_lib *lib, *out_lib;
	struct tls_tickets *tickets;
	struct policy_map *policy;
	struct tcp_listener *hop_listeners[MAX_HOPS];
	struct peer *accepted[MAX_HOPS]; /* waiting for world_hop_accept() */
	struct peer *peers;
	uint32_t next_partner;
	struct wire_item wire[WIRE_SIZE];
	uint32_t wire_count;
	unsigned int mbufs_tx, mbufs_ctl;
	uint32_t peer_count;
};

/* --- Hosts and the wire between them --- */

static int host_output(void *arg, struct rte_mbuf *m, const struct ip_addr *src,
	const struct ip_addr *dst, uint8_t tos, uint64_t now)
{
	struct host *h = arg;
	struct world *w = h->w;
	struct net_meta *meta = rte_mbuf_to_priv(m);

	assert_true(w->wire_count < WIRE_SIZE);
	/* What a NIC would deliver is one flat buffer of the receiver's. */
	if (m->nb_segs > 1 || RTE_MBUF_HAS_EXTBUF(m) || RTE_MBUF_CLONED(m) ||
		rte_mbuf_refcnt_read(m) > 1) {
		struct rte_mbuf *copy = rte_pktmbuf_copy(m, w->gw.tx, 0, UINT32_MAX);

		assert_non_null(copy);
		rte_pktmbuf_free(m);
		m = copy;
		meta = rte_mbuf_to_priv(m);
	}
	*meta = (struct net_meta){.src = *src, .dst = *dst, .ecn = tos & 3, .ttl = 64, .proto = 6};
	w->wire[w->wire_count++] = (struct wire_item){m, h == &w->out};
	return 0;
}

static uint16_t host_mtu(void *arg, const struct ip_addr *dst)
{
	return 1500;
}

static uint32_t host_tso_max(void *arg, const struct ip_addr *dst)
{
	return 0;
}

static void host_start(struct world *w, struct host *h, const char *name, const char *addr)
{
	struct tcp_params params = {
		.lower = {.arg = h,
			.output = host_output,
			.mtu = host_mtu,
			.tso_max = host_tso_max},
		.socket_id = -1,
	};
	char pool[32];

	h->w = w;
	snprintf(pool, sizeof(pool), "%s_tx", name);
	h->tx = rte_pktmbuf_pool_create(pool, 8191, 0, NET_META_SIZE, 2048 + 128, -1);
	snprintf(pool, sizeof(pool), "%s_ctl", name);
	h->ctl = rte_pktmbuf_pool_create(pool, 2047, 0, NET_META_SIZE, 2048 + 128, -1);
	assert_non_null(h->tx);
	assert_non_null(h->ctl);
	assert_int_equal(wheel_create(w->now, -1, &h->wheel), 0);
	tcp_config_defaults(&params.config);
	params.config.max_conns = 512;
	params.config.max_syn_backlog = 128;
	params.config.max_time_wait = 512;
	params.config.time_wait_ms = 1000;
	params.config.worker_count = 1;
	if (w->params.send_buffer > 0)
		params.config.send_buffer = params.config.recv_buffer = w->params.send_buffer;
	params.wheel = h->wheel;
	params.tx_pool = h->tx;
	params.ctl_pool = h->ctl;
	assert_int_equal(tcp_create(&params, &h->tcp), 0);
	h->addr = ip_addr_from_v4(inet_addr(addr));
}

/* Everything that can happen at this instant. */
static void world_settle(struct world *w)
{
	bool again = true;

	while (again) {
		struct wire_item items[WIRE_SIZE];
		uint32_t n = w->wire_count;

		memcpy(items, w->wire, n * sizeof(items[0]));
		w->wire_count = 0;
		for (uint32_t i = 0; i < n; i++)
			tcp_input(items[i].to_gateway ? w->gw.tcp : w->out.tcp, &items[i].m, 1,
				w->now);
		again = n > 0;
		wheel_advance(w->gw.wheel, w->now, 1024);
		wheel_advance(w->out.wheel, w->now, 1024);
		again |= tcp_dispatch(w->gw.tcp, 1024, w->now) > 0;
		gateway_poll(w->gateway, w->now);
		again |= tcp_dispatch(w->out.tcp, 1024, w->now) > 0;
		tcp_output(w->gw.tcp, w->now);
		tcp_output(w->out.tcp, w->now);
		again |= w->wire_count > 0;
	}
}

static void world_step(struct world *w, uint64_t until)
{
	uint64_t a = wheel_next(w->gw.wheel), b = wheel_next(w->out.wheel);
	uint64_t next = a < b ? a : b;

	if (next < w->now + STEP)
		next = w->now + STEP;
	w->now = next < until ? next : until;
	world_settle(w);
}

void world_run(struct world *w, uint64_t ms)
{
	uint64_t until = w->now + ms * 1000000;

	world_settle(w);
	while (w->now < until)
		world_step(w, until);
}

uint64_t world_now(const struct world *w)
{
	return w->now;
}

uint32_t world_peer_count(const struct world *w)
{
	return w->peer_count;
}

void world_forget_tls(struct world *w)
{
	for (struct peer *p = w->peers; p; p = p->next) {
		if (p->tls && !p->conn)
			tls_free(p->tls);
		if (!p->conn)
			p->tls = NULL;
	}
}

struct gateway *world_gateway(struct world *w)
{
	return w->gateway;
}

uint64_t world_counter(struct world *w, const char *name)
{
	for (size_t i = 0; i < gateway_counter_count(); i++)
		if (strcmp(gateway_counter_name(i), name) == 0)
			return gateway_counter_value(w->gateway, i);
	fail_msg("no counter %s", name);
	return 0;
}

const struct gateway_event *world_message_event(struct world *w)
{
	const struct gateway_event *e, *found = NULL;

	while ((e = gateway_event_peek(w->events))) {
		if (e->kind == GATEWAY_EVENT_MESSAGE) {
			w->last = *e;
			found = &w->last;
		}
		gateway_event_pop(w->events);
	}
	return found;
}

/* --- Peers --- */

static ssize_t peer_tls_read(void *arg, void *buf, size_t len)
{
	struct peer *p = arg;
	size_t n;

	if (p->taken < p->raw) {
		n = p->raw - p->taken < len ? p->raw - p->taken : len;
		memcpy(buf, p->data + p->taken, n);
		p->taken += n;
		return (ssize_t)n;
	}
	n = p->conn ? tcp_read(p->w->out.tcp, p->conn, buf, len) : 0;

	if (n > 0)
		return (ssize_t)n;
	return !p->conn || tcp_at_eof(p->conn) ? 0 : -EAGAIN;
}

static ssize_t peer_tls_write(void *arg, const void *buf, size_t len)
{
	struct peer *p = arg;
	int64_t n = p->conn ? tcp_send(p->w->out.tcp, p->conn, buf, len, false) : -EPIPE;

	return n == 0 || n == -ENOBUFS ? -EAGAIN : (ssize_t)n;
}

static const struct tls_transport peer_transport = {peer_tls_read, peer_tls_write};

static void peer_take(struct peer *p)
{
	size_t n;

	while (!p->paused && p->conn) {
		if (p->len == PEER_BUFFER) { /* drop what has been looked at */
			memmove(p->data, p->data + p->taken, p->len - p->taken);
			p->len -= p->taken;
			p->taken = 0;
			assert_true(p->len < PEER_BUFFER);
		}
		if (p->tls) {
			if (tls_read(p->tls, p->data + p->len, PEER_BUFFER - p->len, &n) != TLS_OK)
				n = 0;
		} else {
			n = tcp_read(
				p->w->out.tcp, p->conn, p->data + p->len, PEER_BUFFER - p->len);
		}
		if (n == 0)
			break;
		p->len += n;
	}
	if (p->conn && tcp_at_eof(p->conn))
		p->eof = true;
}

static struct peer *peer_new(struct world *w)
{
	struct peer *p = calloc(1, sizeof(*p));

	p->w = w;
	p->data = malloc(PEER_BUFFER + 1);
	p->next = w->peers;
	w->peers = p;
	w->peer_count++;
	return p;
}

static void peer_connected(struct tcp_conn *c, void *user, uint64_t now)
{
	((struct peer *)user)->connected = true;
}

static void peer_readable(struct tcp_conn *c, void *user, uint64_t now)
{
	struct peer *p = user;

	/* A handshake is driven by peer_start_tls(). */
	if (!p->tls || p->connected)
		peer_take(p);
}

static void peer_closed(struct tcp_conn *c, void *user, enum tcp_reason reason, uint64_t now)
{
	struct peer *p = user;

	peer_take(p);
	p->conn = NULL;
	p->reset = true;
}

static int hop_accepted(struct tcp_conn *c, void *listener_arg, uint64_t now)
{
	struct world *w = listener_arg;
	struct peer *p = peer_new(w);
	struct tcp_info info;

	tcp_get_info(w->out.tcp, c, &info);
	p->conn = c;
	p->connected = true;
	tcp_set_user(c, p);
	assert_null(w->accepted[info.local_port - PORT_HOP]);
	w->accepted[info.local_port - PORT_HOP] = p;
	return 0;
}

static void peer_writable(struct tcp_conn *c, void *user, uint64_t now)
{
}

static const struct tcp_ops peer_ops = {
	.accepted = hop_accepted,
	.connected = peer_connected,
	.readable = peer_readable,
	.writable = peer_writable,
	.closed = peer_closed,
};

struct peer *world_client(struct world *w)
{
	struct peer *p = peer_new(w);
	struct tcp_connect_params params = {
		.local = w->out.addr,
		.remote = w->gw.addr,
		.remote_port = PORT_SMTP,
		.ops = &peer_ops,
		.user = p,
	};

	assert_int_equal(tcp_connect(w->out.tcp, &params, w->now, &p->conn), 0);
	for (int i = 0; i < 1000 && !p->connected; i++)
		world_run(w, 1);
	assert_true(p->connected);
	return p;
}

bool world_hop_called(struct world *w, uint32_t i, uint64_t ms)
{
	uint64_t until = w->now + ms * 1000000;

	world_settle(w);
	while (!w->accepted[i] && w->now < until)
		world_step(w, until);
	return w->accepted[i] != NULL;
}

struct peer *world_hop_accept(struct world *w, uint32_t i)
{
	struct peer *p;

	if (!world_hop_called(w, i, PATIENCE))
		fail_msg("no connection to next hop %u", i);
	p = w->accepted[i];
	w->accepted[i] = NULL;
	return p;
}

void peer_send(struct peer *p, const void *data, size_t len)
{
	const char *at = data;
	int stuck = 0;

	while (len > 0 && stuck < 100000) {
		int64_t n = 0;
		size_t done;

		assert_non_null(p->conn);
		if (p->tls) {
			size_t piece = len < 16384 ? len : 16384;

			n = tls_write(p->tls, at, piece, &done) == TLS_OK ? (int64_t)piece : 0;
		} else {
			n = tcp_send(p->w->out.tcp, p->conn, at, len, false);
			if (n == -ENOBUFS)
				n = 0;
			assert_true(n >= 0);
		}
		at += n;
		len -= (size_t)n;
		stuck = n == 0 ? stuck + 1 : 0;
		world_run(p->w, n == 0 ? 1 : 0);
	}
	assert_int_equal(len, 0);
}

void peer_say(struct peer *p, const char *text)
{
	peer_send(p, text, strlen(text));
}

/* A whole line, or for replies the last line of one; moves `taken` past it. */
static bool peer_line(struct peer *p)
{
	for (;;) {
		char *at = p->data + p->taken;
		char *end = memmem(at, p->len - p->taken, "\r\n", 2);
		size_t n;

		if (!end)
			return false;
		n = (size_t)(end - at);
		assert_true(n < sizeof(p->line));
		memcpy(p->line, at, n);
		p->line[n] = '\0';
		p->taken += n + 2;
		if (n < 4 || p->line[3] != '-' || strspn(p->line, "0123456789") != 3)
			return true;
	}
}

const char *peer_expect(struct peer *p, const char *start)
{
	uint64_t until = p->w->now + PATIENCE * 1000000;

	world_settle(p->w);
	while (!peer_line(p)) {
		if (p->w->now >= until || (!p->conn && p->len == p->taken))
			fail_msg("waiting for \"%s\": %s", start,
				p->conn ? "nothing came" : "connection lost");
		world_step(p->w, until);
	}
	if (strncmp(p->line, start, strlen(start)) != 0)
		fail_msg("expected \"%s\", got \"%s\"", start, p->line);
	return p->line;
}

void peer_expect_silence(struct peer *p, uint64_t ms)
{
	world_run(p->w, ms);
	if (p->len != p->taken)
		fail_msg("expected nothing, got \"%.*s\"", (int)(p->len - p->taken),
			p->data + p->taken);
}

static void peer_expect_end(struct peer *p)
{
	uint64_t until = p->w->now + PATIENCE * 1000000;

	world_settle(p->w);
	while (!p->eof && !p->reset && p->w->now < until)
		world_step(p->w, until);
}

void peer_expect_close(struct peer *p)
{
	peer_expect_end(p);
	assert_true(p->eof);
	assert_false(p->reset);
}

void peer_expect_reset(struct peer *p)
{
	peer_expect_end(p);
	assert_true(p->reset);
}

size_t peer_read_until(struct peer *p, const char *end, const char **data)
{
	uint64_t until = p->w->now + PATIENCE * 1000000;
	char *at, *found;
	size_t n;

	world_settle(p->w);
	for (;;) {
		at = p->data + p->taken;
		found = memmem(at, p->len - p->taken, end, strlen(end));
		if (found)
			break;
		if (p->w->now >= until || !p->conn)
			fail_msg("end of data did not come");
		world_step(p->w, until);
	}
	n = (size_t)(found - at) + strlen(end);
	*data = at;
	p->taken += n;
	return n;
}

size_t peer_pending(struct peer *p)
{
	return p->len - p->taken;
}

void peer_pause(struct peer *p, bool paused)
{
	p->paused = paused;
	if (!paused)
		peer_take(p);
}

void peer_close(struct peer *p)
{
	if (!p->conn)
		return;
	if (p->tls)
		tls_shutdown(p->tls);
	tcp_close(p->w->out.tcp, p->conn, p->w->now);
	p->conn = NULL;
	world_settle(p->w);
}

void peer_reset(struct peer *p)
{
	if (!p->conn)
		return;
	tcp_abort(p->w->out.tcp, p->conn, p->w->now);
	p->conn = NULL;
	world_settle(p->w);
}

bool peer_start_tls(struct peer *p, bool server)
{
	struct tls_connect_params params = {.keep_session = true, .resume = p->resume};
	struct world *w = p->w;
	enum tls_status status = TLS_WANT_READ;

	p->connected = false;
	p->raw = p->len;
	if (server)
		assert_int_equal(tls_accept(w->hop_ctx, &peer_transport, p, &p->tls), 0);
	else
		assert_int_equal(tls_connect(w->out_ctx, &peer_transport, p, &params, &p->tls), 0);
	for (int i = 0; i < 1000 && p->conn; i++) {
		status = tls_handshake(p->tls);
		if (status == TLS_OK || status == TLS_FAILED)
			break;
		world_run(w, 1);
	}
	p->connected = true;
	tls_session_free(p->resume);
	p->resume = NULL;
	if (status != TLS_OK)
		return false;
	peer_take(p);
	return true;
}

bool peer_resume_from(struct peer *p, struct peer *earlier)
{
	p->resume = tls_take_session(earlier->tls);
	return p->resume != NULL;
}

bool peer_tls_resumed(const struct peer *p)
{
	struct tls_info info;

	tls_get_info(p->tls, &info);
	return info.resumed;
}

void world_rotate_tickets(struct world *w)
{
	struct tls_ticket_set *old;

	assert_int_equal(tls_tickets_rotate(w->tickets, &old), 0);
	tls_ticket_set_free(old); /* this thread is the only reader */
}

/* --- Conversations --- */

void hop_greet(struct peer *h, const char *ext)
{
	char text[512];

	peer_say(h, "220 hop.example ESMTP\r\n");
	peer_expect(h, "EHLO gateway.example");
	snprintf(text, sizeof(text), "250-hop.example\r\n%s250 HELP\r\n", ext);
	peer_say(h, text);
}

void client_greet(struct peer *c)
{
	peer_expect(c, "220 gateway.example");
	peer_say(c, "EHLO client.example\r\n");
	peer_expect(c, "250 ");
}

void world_health(struct world *w)
{
	for (uint32_t i = 0; i < w->params.hops; i++) {
		struct peer *h = world_hop_accept(w, i);

		hop_greet(h, w->params.hop_ext);
		if (strstr(w->params.hop_ext, "STARTTLS") && w->params.level > POLICY_NONE) {
			peer_expect(h, "STARTTLS");
			peer_say(h, "220 go\r\n");
			assert_true(peer_start_tls(h, true));
			peer_expect(h, "EHLO gateway.example");
			peer_say(h, "250-hop.example\r\n250-8BITMIME\r\n250 PIPELINING\r\n");
		}
		peer_expect(h, "QUIT");
		peer_say(h, "221 bye\r\n");
		peer_close(h);
	}
}

void world_hop_listen(struct world *w, uint32_t i, bool listen)
{
	struct tcp_listen_params params = {
		.addr = w->out.addr,
		.port = (uint16_t)(PORT_HOP + i),
		.ops = &peer_ops,
		.arg = w,
	};

	if (listen)
		assert_int_equal(tcp_listen(w->out.tcp, &params, &w->hop_listeners[i]), 0);
	else
		tcp_unlisten(w->out.tcp, w->hop_listeners[i]);
}

static void world_txn_finish(struct policy_txn *txn)
{
	char err[128];
	enum policy_step step;

	assert_int_equal(policy_txn_prepare(txn, UINT32_MAX, err, sizeof(err)), 0);
	policy_txn_publish(txn);
	do { /* this thread is the only reader: a quiescent state of it is a grace period */
		rcu_quiescent_state();
		step = policy_txn_clean(txn, UINT32_MAX);
	} while (step != POLICY_STEP_DONE);
}

void world_partner(struct world *w, const char *name, const char *domain, const char *prefix,
	enum policy_level level)
{
	uint32_t id = ++w->next_partner;
	struct policy_txn *txn;
	struct ip_addr addr;

	assert_int_equal(policy_txn_begin(w->policy, 1 + id, &txn), 0);
	assert_int_equal(policy_txn_set(txn, id, name, level), 0);
	if (domain)
		assert_int_equal(policy_txn_add_domain(txn, id, domain, strlen(domain)), 0);
	if (prefix) {
		addr = ip_addr_from_v4(inet_addr(prefix));
		assert_int_equal(policy_txn_add_prefix(txn, id, &addr, 128), 0);
	}
	world_txn_finish(txn);
}

/* --- The world's begin and end --- */

static void world_start_eal(void)
{
	static bool started;
	if (started)
		return;
	started = true;
	assert_int_equal(test_eal_init(), 0);
	rcu_register_thread();
}

static void world_configure(struct world *w)
{
	struct gateway_generation *gen = &w->gens[0];

	w->listener = (struct gateway_listener){
		.id = 1,
		.side = w->params.outbound ? NET_INSIDE : NET_OUTSIDE,
		.addr = w->gw.addr,
		.port = PORT_SMTP,
		.starttls = true,
		.server_tls = w->params.server_tls ? w->server_list : NULL,
	};
	for (uint32_t i = 0; i < w->params.hops; i++) {
		snprintf(w->names[i], sizeof(w->names[i]), "hop%u.example", i);
		w->hops[i] = (struct gateway_next_hop){
			.id = i + 1,
			.name = w->names[i],
			.side = w->params.outbound ? NET_OUTSIDE : NET_INSIDE,
			.addr = w->out.addr,
			.port = (uint16_t)(PORT_HOP + i),
			.priority = (uint16_t)(10 * (i + 1)),
			.level = w->params.level,
			.client_tls = w->params.level > POLICY_NONE ? w->client_list : NULL,
			.max_idle = w->params.max_idle,
		};
		world_hop_listen(w, i, true);
	}
	*gen = (struct gateway_generation){
		.number = 1,
		.hostname = "gateway.example",
		.listener_count = 1,
		.listeners = &w->listener,
		.next_hop_count = w->params.hops,
		.next_hops = w->hops,
		.timeouts = {.command = 300,
			.body_block = 180,
			.tls_handshake = 60,
			.upstream_connect = 30,
			.upstream_banner = 60,
			.upstream_command =
				w->params.command_timeout ? w->params.command_timeout : 300,
			.upstream_data = 120,
			.upstream_block = 180,
			.upstream_dot = 590,
			.budget = 270,
			.upstream_idle = 30,
			.health_interval = 1000000,
			.health_retry = 1000000},
		.limits = {.max_recipients = 100, .max_bad_commands = 20, .max_received = 100},
		.policy = w->policy,
	};
}

void world_push(struct world *w)
{
	struct tls_context *old[] = {w->server_ctx, w->client_ctx, w->hop_ctx, w->out_ctx};
	struct gateway_generation *gen = &w->gens[++w->gen_count % 2];

	*gen = w->gens[(w->gen_count - 1) % 2];
	gen->number++;
	pki_contexts(w->lib, w->out_lib, w->tickets, &w->server_ctx, &w->client_ctx, &w->hop_ctx,
		&w->out_ctx);
	w->server_list[0] = w->server_ctx;
	w->client_list[0] = w->client_ctx;
	assert_int_equal(gateway_set_generation(w->gateway, gen, w->now), 0);
	for (size_t i = 0; i < 4; i++)
		tls_context_free(old[i]);
	world_settle(w);
}

struct world *world_new(const struct world_params *params)
{
	struct gateway_params gp = {0};
	struct world *w = calloc(1, sizeof(*w));

	world_start_eal();
	w->params = *params;
	w->now = 1000000000;
	host_start(w, &w->gw, "gw", "198.51.100.1");
	host_start(w, &w->out, "out", "198.51.100.2");
	w->mbufs_tx = rte_mempool_avail_count(w->gw.tx);
	w->mbufs_ctl = rte_mempool_avail_count(w->gw.ctl);
	assert_int_equal(gateway_event_ring_create(256, -1, &w->events), 0);
	assert_int_equal(tls_lib_create(&w->lib), 0);
	assert_int_equal(tls_lib_create(&w->out_lib), 0);
	assert_int_equal(tls_tickets_create(&w->tickets), 0);
	pki_contexts(w->lib, w->out_lib, w->tickets, &w->server_ctx, &w->client_ctx, &w->hop_ctx,
		&w->out_ctx);
	w->server_list[0] = w->server_ctx;
	w->client_list[0] = w->client_ctx;
	assert_int_equal(policy_map_create(&w->policy), 0);
	gp.tcp = w->gw.tcp;
	gp.wheel = w->gw.wheel;
	gp.events = w->events;
	gp.max_sessions = params->max_sessions ? params->max_sessions : 32;
	gp.max_upstreams = 32;
	gp.local[0] = w->gw.addr;
	gp.realtime_offset_ns = UINT64_C(1795700000) * 1000000000;
	gp.socket_id = -1;
	assert_int_equal(gateway_create(&gp, &w->gateway), 0);
	world_configure(w);
	assert_int_equal(gateway_set_generation(w->gateway, &w->gens[0], w->now), 0);
	world_settle(w);
	return w;
}

void world_free(struct world *w)
{
	struct tcp_usage usage;
	struct peer *p;

	for (p = w->peers; p; p = p->next)
		peer_close(p);
	world_run(w, 700000); /* every time-out of the gateway, TIME-WAIT of both stacks */
	assert_int_equal(gateway_session_count(w->gateway), 0);
	tcp_get_usage(w->gw.tcp, &usage);
	assert_int_equal(usage.conns, 0);
	assert_int_equal(usage.half_open, 0);
	assert_int_equal(rte_mempool_avail_count(w->gw.tx), w->mbufs_tx);
	assert_int_equal(rte_mempool_avail_count(w->gw.ctl), w->mbufs_ctl);
	gateway_destroy(w->gateway);
	while ((p = w->peers)) {
		w->peers = p->next;
		if (p->tls)
			tls_free(p->tls);
		free(p->data);
		free(p);
	}
	tcp_destroy(w->gw.tcp);
	tcp_destroy(w->out.tcp);
	wheel_destroy(w->gw.wheel);
	wheel_destroy(w->out.wheel);
	rte_mempool_free(w->gw.tx);
	rte_mempool_free(w->gw.ctl);
	rte_mempool_free(w->out.tx);
	rte_mempool_free(w->out.ctl);
	tls_context_free(w->server_ctx);
	tls_context_free(w->client_ctx);
	tls_context_free(w->hop_ctx);
	tls_context_free(w->out_ctx);
	tls_tickets_destroy(w->tickets);
	tls_lib_destroy(w->lib);
	tls_lib_destroy(w->out_lib);
	gateway_event_ring_destroy(w->events);
	policy_map_destroy(w->policy);
	free(w);
}
