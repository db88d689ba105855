/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gateway/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "dataplane/gateway/hop.h"
#include "dataplane/gateway/session.h"
#include "dataplane/net/net.h"

static const struct tcp_ops upstream_tcp_ops;

static const char *const upstream_state_names[] = {
	[UPSTREAM_CLOSED] = "closed",
	[UPSTREAM_CONNECTING] = "connecting",
	[UPSTREAM_BANNER] = "banner",
	[UPSTREAM_EHLO] = "ehlo",
	[UPSTREAM_STARTTLS] = "starttls",
	[UPSTREAM_HANDSHAKE] = "handshake",
	[UPSTREAM_EHLO_TLS] = "ehlo-tls",
	[UPSTREAM_READY] = "ready",
	[UPSTREAM_RSET] = "rset",
	[UPSTREAM_QUIT] = "quit",
};

const char *upstream_state_name(enum upstream_state state)
{
	return upstream_state_names[state];
}

static void upstream_set_state(struct upstream *u, enum upstream_state state)
{
	u->state = state;
}

void upstream_set_timeout(struct upstream *u, uint32_t seconds, uint64_t now)
{
	u->deadline = now + seconds * SECOND;
	/* A timer that is armed for earlier looks at the deadline when it fires. */
	if (!wheel_armed(&u->timer))
		wheel_arm(u->g->params.wheel, &u->timer, u->g->upstream_timer, u->deadline);
	else if (u->deadline < u->armed_for)
		wheel_arm(u->g->params.wheel, &u->timer, u->g->upstream_timer, u->deadline);
	else
		return;
	u->armed_for = u->deadline;
}

int upstream_send(struct upstream *u, const struct smtp_out *out)
{
	return leg_write(&u->leg, out->data, out->len, false);
}

static void upstream_leave_idle(struct upstream *u)
{
	if (!u->idle)
		return;
	TAILQ_REMOVE(&u->hop->idle, u, entry);
	u->hop->idle_count--;
	u->idle = false;
}

/* What its TLS session has brought to resume from goes to the hop, if a handshake of now would ask
 * for the same. */
static void upstream_keep_ticket(struct upstream *u)
{
	const struct hop *hop = u->hop;
	struct tls_session *ticket;

	if (!u->leg.tls)
		return;
	ticket = tls_take_session(u->leg.tls);
	if (!ticket)
		return;
	if (hop->config && u->tls_context == hop->tls && u->tls_level == hop->level)
		hop_keep_ticket(u->hop, ticket);
	else
		tls_session_free(ticket);
}

/* The one way out: the leg is gone or goes here, the object waits for gateway_poll(). */
static void upstream_finish(struct upstream *u, bool abort, uint64_t now)
{
	struct gateway *g = u->g;

	if (u->state == UPSTREAM_CLOSED)
		return;
	if (u->idle)
		upstream_leave_idle(u);
	else
		u->hop->active--;
	upstream_keep_ticket(u);
	if (abort)
		leg_abort(&u->leg, now);
	else
		leg_close(&u->leg, now);
	wheel_cancel(g->params.wheel, &u->timer);
	smtp_client_fini(&u->smtp);
	if (u->hop->probe == u)
		u->hop->probe = NULL;
	u->session = NULL;
	upstream_set_state(u, UPSTREAM_CLOSED);
	TAILQ_INSERT_TAIL(&g->closing, u, entry);
}

void upstream_reap(struct gateway *g)
{
	struct upstream *u;

	while ((u = TAILQ_FIRST(&g->closing))) {
		TAILQ_REMOVE(&g->closing, u, entry);
		pool_put(&g->upstreams, u);
	}
}

void upstream_abort(struct upstream *u, uint64_t now)
{
	upstream_finish(u, true, now);
}

void upstream_quit(struct upstream *u, uint64_t now)
{
	struct smtp_out out = gateway_out(u->g);

	u->session = NULL;
	if (u->idle) {
		upstream_leave_idle(u);
		u->hop->active++;
	}
	if (smtp_client_quit(&u->smtp, &out) != 0 || upstream_send(u, &out) != 0) {
		upstream_finish(u, false, now);
		return;
	}
	upstream_set_state(u, UPSTREAM_QUIT);
	upstream_set_timeout(u, 10, now); /* nobody waits for this 221 */
}

/* Good for another transaction under the verdict that its hop has now? */
static bool upstream_reusable(const struct upstream *u)
{
	const struct hop *hop = u->hop;

	return hop->config && hop->up && !u->g->draining && u->tls_context == hop->tls &&
	       !u->plain_only && smtp_client_idle(&u->smtp) && u->leg.conn &&
	       hop->idle_count < hop->config->max_idle;
}

static void upstream_make_idle(struct upstream *u, uint64_t now)
{
	if (!upstream_reusable(u)) {
		upstream_quit(u, now);
		return;
	}
	upstream_set_state(u, UPSTREAM_READY);
	u->hop->active--;
	u->hop->idle_count++;
	u->idle = true;
	u->reused = true;
	TAILQ_INSERT_HEAD(&u->hop->idle, u, entry);
	upstream_set_timeout(u, u->g->gen->timeouts.upstream_idle, now);
}

void upstream_release(struct upstream *u, bool in_transaction, uint64_t now)
{
	struct smtp_out out = gateway_out(u->g);

	u->session = NULL;
	if (u->state != UPSTREAM_READY || smtp_client_pending(&u->smtp) > 0) {
		upstream_finish(u, true, now);
		return;
	}
	if (!in_transaction) {
		upstream_make_idle(u, now);
		return;
	}
	if (smtp_client_rset(&u->smtp, &out) != 0 || upstream_send(u, &out) != 0) {
		upstream_finish(u, true, now);
		return;
	}
	upstream_set_state(u, UPSTREAM_RSET);
	upstream_set_timeout(u, u->g->gen->timeouts.upstream_command, now);
}

static bool upstream_source(const struct gateway *g, const struct ip_addr *dst, struct ip_addr *src)
{
	if (g->params.net)
		return net_source_address(g->params.net, dst, src);
	*src = g->params.local[ip_addr_is_v4(dst) ? 0 : 1];
	return true;
}

static int upstream_connect(struct upstream *u, uint64_t now)
{
	struct gateway *g = u->g;
	struct tcp_connect_params params = {
		.remote = u->hop->addr,
		.remote_port = u->hop->port,
		.ops = &upstream_tcp_ops,
		.user = u,
		.timeout_ms = g->gen->timeouts.upstream_connect * 1000,
	};
	struct tcp_conn *conn;
	int ret;

	if (!upstream_source(g, &u->hop->addr, &params.local))
		return -EHOSTUNREACH;
	ret = tcp_connect(g->params.tcp, &params, now, &conn);
	if (ret != 0)
		return ret;
	gateway_count(g, GATEWAY_C_UPSTREAM_CONNECTS, 1);
	leg_init(&u->leg, &g->env, conn);
	smtp_client_init(&u->smtp, &g->client_config);
	u->tls_context = NULL;
	u->version = u->cipher = NULL;
	u->verified = false;
	upstream_set_state(u, UPSTREAM_CONNECTING);
	upstream_set_timeout(u, g->gen->timeouts.upstream_connect + 1, now);
	return 0;
}

static int upstream_new(struct hop *hop, uint64_t now, struct upstream **out)
{
	struct gateway *g = hop->g;
	struct upstream *u = pool_get(&g->upstreams);
	int ret;

	if (!u) {
		gateway_count(g, GATEWAY_C_UPSTREAM_NO_POOL, 1);
		return -ENOBUFS;
	}
	memset(u, 0, sizeof(*u));
	u->g = g;
	u->hop = hop;
	u->id = gateway_new_id(g);
	ret = upstream_connect(u, now);
	if (ret != 0) {
		wheel_cancel(g->params.wheel, &u->timer);
		pool_put(&g->upstreams, u);
		gateway_count(g, GATEWAY_C_UPSTREAM_CONNECT_FAILED, 1);
		return ret;
	}
	hop->active++;
	*out = u;
	return 0;
}

int upstream_acquire(struct hop *hop, struct session *s, bool fresh, uint64_t now,
	struct upstream **out, enum upstream_failure *failure)
{
	struct upstream *u = TAILQ_FIRST(&hop->idle);
	int ret;

	if (u && !fresh && u->tls_context == hop->tls) {
		upstream_leave_idle(u);
		hop->active++;
		u->session = s;
		wheel_cancel(u->g->params.wheel, &u->timer); /* the session's own timer rules now */
		gateway_count(hop->g, GATEWAY_C_UPSTREAM_REUSED, 1);
		*out = u;
		return 0;
	}
	ret = upstream_new(hop, now, &u);
	if (ret != 0) {
		*failure = ret == -ENOBUFS ? UPSTREAM_FAIL_POOL : UPSTREAM_FAIL_CONNECT;
		return ret;
	}
	u->session = s;
	*out = u;
	return 0;
}

int upstream_probe(struct hop *hop, uint64_t now)
{
	struct upstream *u;
	int ret = upstream_new(hop, now, &u);

	if (ret == -ENOBUFS)
		return ret;
	if (ret != 0) {
		gateway_count(hop->g, GATEWAY_C_HEALTH_FAILED, 1);
		hop_set_down(hop, "no route", strlen("no route"), now);
		return 0;
	}
	u->probe = true;
	hop->probe = u;
	return 0;
}

/* --- It failed, or is ready --- */

static bool upstream_failure_is_hops(enum upstream_failure why)
{
	/* A connection that had served and was lost says nothing of the hop yet. */
	return why != UPSTREAM_FAIL_POOL;
}

static void upstream_fail(
	struct upstream *u, enum upstream_failure why, const char *text, size_t len, uint64_t now)
{
	struct gateway *g = u->g;
	struct session *s = u->session;
	struct hop *hop = u->hop;
	bool was_ready = u->state >= UPSTREAM_READY, probe = u->probe, reused = u->reused;

	if (u->state == UPSTREAM_CLOSED)
		return;
	upstream_finish(u, true, now);
	if (probe)
		gateway_count(g, GATEWAY_C_HEALTH_FAILED, 1);
	if (probe || (!was_ready && upstream_failure_is_hops(why)))
		hop_set_down(hop, text, len, now);
	if (s)
		session_upstream_failed(s, why, reused, text, len, now);
}

static void upstream_fail_text(
	struct upstream *u, enum upstream_failure why, const char *text, uint64_t now)
{
	upstream_fail(u, why, text, strlen(text), now);
}

static void upstream_ready(struct upstream *u, uint64_t now)
{
	struct gateway *g = u->g;

	upstream_set_state(u, UPSTREAM_READY);
	upstream_keep_ticket(u); /* in TLS 1.3 it came before the answer to EHLO */
	hop_set_up(u->hop, smtp_client_ext(&u->smtp), smtp_client_size_limit(&u->smtp),
		u->leg.tls != NULL, u->verified, now);
	if (u->probe) {
		gateway_count(g, GATEWAY_C_HEALTH_OK, 1);
		u->probe = false;
		u->hop->probe = NULL;
		hop_schedule(u->hop, g->gen->timeouts.health_interval, now);
		upstream_quit(u, now);
	} else if (u->session) {
		wheel_cancel(g->params.wheel, &u->timer); /* the session's own timer rules now */
		session_upstream_ready(u->session, now);
	} else {
		upstream_make_idle(u, now);
	}
}

static void upstream_ehlo(struct upstream *u, enum upstream_state state, uint64_t now)
{
	struct smtp_out out = gateway_out(u->g);

	if (smtp_client_ehlo(&u->smtp, &out) != 0 || upstream_send(u, &out) != 0) {
		upstream_fail_text(u, UPSTREAM_FAIL_LOST, "cannot send EHLO", now);
		return;
	}
	upstream_set_state(u, state);
	upstream_set_timeout(u, u->g->gen->timeouts.upstream_command, now);
}

/* Between STARTTLS and the end of the handshake whatever goes wrong is TLS's. */
static bool upstream_in_tls_setup(const struct upstream *u)
{
	return u->state == UPSTREAM_STARTTLS || u->state == UPSTREAM_HANDSHAKE;
}

/* Opportunistic TLS failed: a new connection, in the clear; anything above `may` ends here. */
static void upstream_tls_unavailable(
	struct upstream *u, enum upstream_failure why, const char *text, size_t len, uint64_t now)
{
	struct gateway *g = u->g;

	if (u->hop->level != POLICY_MAY) {
		gateway_count(g, GATEWAY_C_TLS_OUT_DOWNGRADE, 1);
		upstream_fail(u, why, text, len, now);
		return;
	}
	gateway_count(g, GATEWAY_C_TLS_OUT_FALLBACK, 1);
	leg_abort(&u->leg, now); /* or what is left of it */
	smtp_client_fini(&u->smtp);
	u->plain_only = true;
	if (upstream_connect(u, now) != 0)
		upstream_fail(u, UPSTREAM_FAIL_CONNECT, text, len, now);
}

/* The connection broke off, or time is up. */
static void upstream_lost(
	struct upstream *u, enum upstream_failure why, const char *text, uint64_t now)
{
	if (upstream_in_tls_setup(u))
		upstream_tls_unavailable(u, UPSTREAM_FAIL_TLS, text, strlen(text), now);
	else
		upstream_fail_text(u, why, text, now);
}

static void upstream_starttls(struct upstream *u, uint64_t now)
{
	struct smtp_out out = gateway_out(u->g);

	if (smtp_client_starttls(&u->smtp, &out) != 0 || upstream_send(u, &out) != 0) {
		upstream_fail_text(u, UPSTREAM_FAIL_LOST, "cannot send STARTTLS", now);
		return;
	}
	upstream_set_state(u, UPSTREAM_STARTTLS);
	upstream_set_timeout(u, u->g->gen->timeouts.upstream_command, now);
}

static void upstream_on_ehlo(struct upstream *u, const struct smtp_reply *reply, uint64_t now)
{
	static const char not_offered[] = "STARTTLS not offered";
	struct gateway *g = u->g;

	if (reply->code / 100 == 5 && smtp_client_can_helo(&u->smtp)) {
		struct smtp_out out = gateway_out(g);

		if (smtp_client_helo(&u->smtp, &out) != 0 || upstream_send(u, &out) != 0)
			upstream_fail_text(u, UPSTREAM_FAIL_LOST, "cannot send HELO", now);
		return;
	}
	if (reply->code / 100 != 2) {
		upstream_fail(u, UPSTREAM_FAIL_REFUSED, reply->text.data, reply->text.len, now);
		return;
	}
	if (u->state == UPSTREAM_EHLO_TLS || u->hop->level == POLICY_NONE || u->plain_only) {
		upstream_ready(u, now);
		return;
	}
	if (smtp_client_ext(&u->smtp) & SMTP_EXT_STARTTLS) {
		upstream_starttls(u, now);
		return;
	}
	gateway_count(g, GATEWAY_C_TLS_OUT_NOT_OFFERED, 1);
	if (u->hop->level > POLICY_MAY) {
		gateway_count(g, GATEWAY_C_TLS_OUT_DOWNGRADE, 1);
		upstream_fail_text(u, UPSTREAM_FAIL_TLS_NOT_OFFERED, not_offered, now);
		return;
	}
	u->plain_only = true;
	upstream_ready(u, now);
}

static bool name_is_literal(const char *name)
{
	struct in6_addr a;

	return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

static void upstream_on_starttls(struct upstream *u, const struct smtp_reply *reply, uint64_t now)
{
	const char *name = u->hop->name;
	struct tls_connect_params params = {
		.sni = name_is_literal(name) ? NULL : name,
		.names = &name,
		.name_count = 1,
		.verify = u->hop->level >= POLICY_VERIFY,
		.keep_session = true,
	};
	struct tls_session *ticket;
	struct gateway *g = u->g;
	int ret;

	if (reply->code != 220) {
		gateway_count(g, GATEWAY_C_TLS_OUT_REFUSED, 1);
		upstream_tls_unavailable(
			u, UPSTREAM_FAIL_TLS_REFUSED, reply->text.data, reply->text.len, now);
		return;
	}
	/* Octets behind the 220 that came before our ClientHello were injected, whoever sent them.
	 */
	if (leg_has_unread(&u->leg)) {
		gateway_count(g, GATEWAY_C_TLS_OUT_INJECTION, 1);
		upstream_lost(u, UPSTREAM_FAIL_PROTOCOL, "plaintext after STARTTLS", now);
		return;
	}
	gateway_count(g, GATEWAY_C_TLS_OUT_STARTED, 1);
	ticket = hop_take_ticket(u->hop);
	params.resume = ticket;
	ret = tls_connect(u->hop->tls, &leg_transport, &u->leg, &params, &u->leg.tls);
	tls_session_free(ticket);
	if (ret != 0) {
		upstream_fail_text(u, UPSTREAM_FAIL_POOL, "no memory for TLS", now);
		return;
	}
	u->tls_context = u->hop->tls;
	u->tls_level = u->hop->level;
	upstream_set_state(u, UPSTREAM_HANDSHAKE);
	upstream_set_timeout(u, g->gen->timeouts.tls_handshake, now);
}

/* True: go on reading. */
static bool upstream_handshake(struct upstream *u, uint64_t now)
{
	struct gateway *g = u->g;
	struct tls_info info;
	const char *text;

	switch (leg_handshake(&u->leg)) {
	case TLS_OK:
		break;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE:
		return false;
	default:
		gateway_count(g, GATEWAY_C_TLS_OUT_FAILED, 1);
		/* The text lives in the connection that goes away. */
		text = tls_error_text(u->leg.tls);
		gateway_copy_text(g->text, sizeof(g->text), text, strlen(text));
		upstream_tls_unavailable(u, UPSTREAM_FAIL_TLS, g->text, strlen(g->text), now);
		return false;
	}
	tls_get_info(u->leg.tls, &info);
	u->version = info.version;
	u->cipher = info.cipher;
	u->verified = info.verified;
	gateway_count(g, GATEWAY_C_TLS_OUT_OK, 1);
	if (info.verified)
		gateway_count(g, GATEWAY_C_TLS_OUT_VERIFIED, 1);
	if (info.resumed)
		gateway_count(g, GATEWAY_C_TLS_OUT_RESUMED, 1);
	smtp_client_tls_started(&u->smtp);
	upstream_ehlo(u, UPSTREAM_EHLO_TLS, now);
	return u->state == UPSTREAM_EHLO_TLS;
}

/* --- Events --- */

static void upstream_on_event(struct upstream *u, enum smtp_client_event type,
	const struct smtp_client_ev *ev, uint64_t now)
{
	struct gateway *g = u->g;
	const struct smtp_reply *reply = &ev->reply;
	const char *error;

	switch (type) {
	case SMTP_CLIENT_MORE:
		break;
	case SMTP_CLIENT_BANNER:
		if (reply->code == 220)
			upstream_ehlo(u, UPSTREAM_EHLO, now);
		else
			upstream_fail(
				u, UPSTREAM_FAIL_REFUSED, reply->text.data, reply->text.len, now);
		break;
	case SMTP_CLIENT_EHLO:
		upstream_on_ehlo(u, reply, now);
		break;
	case SMTP_CLIENT_STARTTLS:
		upstream_on_starttls(u, reply, now);
		break;
	case SMTP_CLIENT_RSET:
		if (reply->code / 100 == 2 && u->state == UPSTREAM_RSET)
			upstream_make_idle(u, now);
		else
			upstream_finish(u, false, now);
		break;
	case SMTP_CLIENT_QUIT:
		upstream_finish(u, false, now);
		break;
	case SMTP_CLIENT_SHUTDOWN:
		gateway_count(g, GATEWAY_C_UPSTREAM_SHUTDOWN, 1);
		upstream_fail(u, UPSTREAM_FAIL_SHUTDOWN, reply->text.data, reply->text.len, now);
		break;
	case SMTP_CLIENT_BROKEN:
		gateway_count(g, GATEWAY_C_UPSTREAM_PROTOCOL, 1);
		if (ev->error == SMTP_CLIENT_ERR_INJECTION)
			gateway_count(g, GATEWAY_C_TLS_OUT_INJECTION, 1);
		error = smtp_client_error_name(ev->error);
		upstream_lost(u, UPSTREAM_FAIL_PROTOCOL, error, now);
		break;
	default: /* MAIL, RCPT, DATA, BDAT, END_OF_BODY */
		if (u->session)
			session_upstream_reply(u->session, type, reply, now);
		break;
	}
}

static void upstream_end_of_stream(struct upstream *u, enum leg_status status, uint64_t now)
{
	struct gateway *g = u->g;

	if (u->state == UPSTREAM_QUIT) {
		upstream_finish(u, false, now);
		return;
	}
	if (u->idle)
		gateway_count(g, GATEWAY_C_UPSTREAM_IDLE_CLOSED, 1);
	else
		gateway_count(g, GATEWAY_C_UPSTREAM_LOST, 1);
	upstream_lost(u, UPSTREAM_FAIL_LOST,
		status == LEG_FAILED ? "TLS failed" : "connection closed by next hop", now);
}

static void upstream_pump(struct upstream *u, uint64_t now)
{
	struct gateway *g = u->g;
	enum smtp_client_event type;
	struct smtp_client_ev ev;
	enum leg_status status;
	const uint8_t *data;
	size_t len, used;

	while (u->state != UPSTREAM_CLOSED && u->state != UPSTREAM_CONNECTING) {
		if (u->state == UPSTREAM_HANDSHAKE) {
			if (!upstream_handshake(u, now))
				return;
			continue;
		}
		status = leg_peek(&u->leg, &data, &len);
		if (status == LEG_NONE)
			return;
		if (status != LEG_DATA) {
			upstream_end_of_stream(u, status, now);
			return;
		}
		type = smtp_client_next(&u->smtp, data, len, &used, &ev);
		/* The octets may stand in scratch memory that the session's own leg uses next. */
		if (type != SMTP_CLIENT_MORE && type != SMTP_CLIENT_BROKEN) {
			gateway_copy_reply(g, &ev.reply);
		}
		leg_consume(&u->leg, used);
		upstream_on_event(u, type, &ev, now);
	}
}

static void upstream_tcp_connected(struct tcp_conn *c, void *user, uint64_t now)
{
	struct upstream *u = user;

	gateway_count(u->g, GATEWAY_C_UPSTREAM_CONNECTED, 1);
	upstream_set_state(u, UPSTREAM_BANNER);
	upstream_set_timeout(u, u->g->gen->timeouts.upstream_banner, now);
	upstream_pump(u, now);
}

static void upstream_tcp_readable(struct tcp_conn *c, void *user, uint64_t now)
{
	if (user)
		upstream_pump(user, now);
}

static void upstream_tcp_writable(struct tcp_conn *c, void *user, uint64_t now)
{
	struct upstream *u = user;

	if (!u)
		return;
	if (u->state == UPSTREAM_HANDSHAKE) {
		upstream_pump(u, now);
		return;
	}
	if (leg_flush(&u->leg) && u->session)
		session_upstream_writable(u->session, now);
}

static void upstream_tcp_closed(
	struct tcp_conn *c, void *user, enum tcp_reason reason, uint64_t now)
{
	struct upstream *u = user;
	enum upstream_failure why = UPSTREAM_FAIL_LOST;

	if (!u)
		return;
	/* A last reply, say 421 or the verdict itself, may have come with the reset. */
	if (u->state > UPSTREAM_CONNECTING)
		upstream_pump(u, now);
	if (u->state == UPSTREAM_CLOSED || u->leg.conn != c)
		return;
	leg_release(&u->leg);
	if (u->state == UPSTREAM_CONNECTING) {
		gateway_count(u->g, GATEWAY_C_UPSTREAM_CONNECT_FAILED, 1);
		why = reason == TCP_REASON_TIMEOUT ? UPSTREAM_FAIL_TIMEOUT : UPSTREAM_FAIL_CONNECT;
	} else {
		gateway_count(u->g, GATEWAY_C_UPSTREAM_LOST, 1);
	}
	upstream_lost(u, why, tcp_reason_name(reason), now);
}

static const struct tcp_ops upstream_tcp_ops = {
	.connected = upstream_tcp_connected,
	.readable = upstream_tcp_readable,
	.writable = upstream_tcp_writable,
	.closed = upstream_tcp_closed,
};

void upstream_timer_fire(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct upstream *u = (struct upstream *)((char *)t - offsetof(struct upstream, timer));
	struct gateway *g = arg;

	if (now < u->deadline) {
		u->armed_for = u->deadline;
		wheel_arm(g->params.wheel, t, g->upstream_timer, u->deadline);
		return;
	}
	if (u->idle) {
		gateway_count(g, GATEWAY_C_UPSTREAM_IDLE_CLOSED, 1);
		upstream_quit(u, now);
	} else if (u->state == UPSTREAM_QUIT) {
		upstream_finish(u, false, now);
	} else {
		gateway_count(g, GATEWAY_C_UPSTREAM_TIMEOUT, 1);
		if (u->state == UPSTREAM_CONNECTING)
			gateway_count(g, GATEWAY_C_UPSTREAM_CONNECT_FAILED, 1);
		upstream_lost(u, UPSTREAM_FAIL_TIMEOUT, "timed out", now);
	}
}
