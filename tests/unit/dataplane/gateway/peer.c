/* SPDX-License-Identifier: BSD-3-Clause */
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
#include "tests/unit/dataplane/gateway/world_private.h"

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
