/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a session, its timer, and the pump that turns the client's octets into calls. */
#include "dataplane/gateway/session.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "dataplane/gateway/hop.h"
#include "dataplane/gateway/log.h"
#include "dataplane/gateway/reply.h"

static const char *const session_state_names[] = {
	[SESSION_CLOSED] = "closed",
	[SESSION_COMMAND] = "command",
	[SESSION_HANDSHAKE] = "handshake",
	[SESSION_UPSTREAM] = "upstream",
	[SESSION_BODY] = "body",
	[SESSION_SWALLOW] = "swallow",
	[SESSION_VERDICT] = "verdict",
	[SESSION_LAST_WORDS] = "closing",
};

const char *session_state_name(enum session_state state)
{
	return session_state_names[state];
}

void session_set_state(struct session *s, enum session_state state)
{
	s->state = state;
}

void session_set_timeout(struct session *s, uint32_t seconds, uint64_t now)
{
	struct gateway *g = s->g;

	s->deadline = now + seconds * SECOND;
	/* A timer that is armed for earlier looks at the deadline when it fires. */
	if (wheel_armed(&s->timer) && s->armed_for <= s->deadline)
		return;
	wheel_arm(g->params.wheel, &s->timer, g->session_timer, s->deadline);
	s->armed_for = s->deadline;
}

/* --- End --- */

static void session_end(struct session *s, uint64_t now)
{
	struct gateway *g = s->g;

	log_session(s, now);
	gateway_count(g, GATEWAY_C_SESSIONS_CLOSED, 1);
	gateway_count(g, GATEWAY_C_BYTES_IN, s->down.bytes_in);
	gateway_count(g, GATEWAY_C_BYTES_OUT, s->down.bytes_out);
	wheel_cancel(g->params.wheel, &s->timer);
	smtp_server_fini(&s->smtp);
	clients_remove(&g->clients, &s->client);
	s->listener->sessions--;
	session_set_state(s, SESSION_CLOSED);
	TAILQ_REMOVE(&g->live, s, entry);
	TAILQ_INSERT_TAIL(&g->dead, s, entry);
}

void session_close(struct session *s, bool abort, uint64_t now)
{
	if (s->state == SESSION_CLOSED)
		return;
	/* [rule 4] The next hop's verdict is waited for although nobody can be told any more. */
	if (s->state == SESSION_VERDICT) {
		leg_abort(&s->down, now);
		return;
	}
	transaction_abandon(s, now);
	if (s->down.conn && !abort && !leg_flush(&s->down)) {
		session_set_state(s, SESSION_LAST_WORDS);
		session_set_timeout(s, 30, now);
		return;
	}
	if (abort)
		leg_abort(&s->down, now);
	else
		leg_close(&s->down, now);
	session_end(s, now);
}

void session_reap(struct gateway *g)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&g->dead))) {
		TAILQ_REMOVE(&g->dead, s, entry);
		pool_put(&g->sessions, s);
	}
}

/* --- Writing to the client --- */

/* While the pump runs, replies are collected in g->down_out and written at once. */
static void session_write(struct session *s, const struct smtp_out *out, uint64_t now)
{
	if (out->len == 0 || !s->down.conn)
		return;
	if (leg_write(&s->down, out->data, out->len, false) != 0) {
		gateway_count(s->g, GATEWAY_C_SESSIONS_NO_BUFFER, 1);
		session_close(s, true, now);
	}
}

static void session_flush_replies(struct session *s, uint64_t now)
{
	struct smtp_out *out = &s->g->down_out;

	if (s->state != SESSION_CLOSED)
		session_write(s, out, now);
	out->len = 0;
}

void session_reply(struct session *s, uint16_t code, struct smtp_status status,
	struct smtp_str text, uint64_t now)
{
	struct smtp_out *out = &s->g->down_out;

	if (!s->down.conn)
		return;
	if (smtp_server_reply(&s->smtp, code, status, text, out) == -ENOBUFS) {
		session_flush_replies(s, now);
		if (s->state == SESSION_CLOSED)
			return;
		smtp_server_reply(&s->smtp, code, status, text, out);
	}
	if (!s->pumping)
		session_flush_replies(s, now);
}

void session_reply_text(
	struct session *s, uint16_t code, struct smtp_status status, const char *text, uint64_t now)
{
	session_reply(s, code, status, (struct smtp_str){text, strlen(text)}, now);
}

static void session_goodbye(
	struct session *s, struct smtp_status status, const char *text, uint64_t now)
{
	struct smtp_out *out = &s->g->down_out;

	out->len = 0;
	if (smtp_server_goodbye(&s->smtp, status, text, out) == 0)
		session_write(s, out, now);
	out->len = 0;
	session_close(s, false, now);
}

void session_drain(struct session *s, uint64_t now)
{
	if (s->state == SESSION_COMMAND && !smtp_server_in_transaction(&s->smtp))
		session_goodbye(s, STATUS(4, 3, 2), "Shutting down", now);
}

/* --- Commands that need no next hop --- */

static void session_ehlo(struct session *s, const struct smtp_server_ev *ev, uint64_t now)
{
	const struct gateway_generation *gen = s->g->gen;
	const struct gateway_listener *listener = s->listener->config;
	uint64_t size_limit;
	uint32_t ext;

	transaction_abandon(s, now);
	s->esmtp = ev->ehlo.esmtp;
	gateway_copy_text(s->helo, sizeof(s->helo), ev->ehlo.name.data, ev->ehlo.name.len);
	/* [rule 10] Only what the next hop can take; what is ours alone is always there. */
	ext = hop_common_ext(s->g, s->to, &size_limit) | SMTP_EXT_PIPELINING |
	      SMTP_EXT_ENHANCEDSTATUSCODES | SMTP_EXT_CHUNKING;
	if (gen->limits.max_message_size > 0) {
		ext |= SMTP_EXT_SIZE;
		if (size_limit == 0 || gen->limits.max_message_size < size_limit)
			size_limit = gen->limits.max_message_size;
	}
	if (!s->down.tls && listener && listener->starttls && listener->server_tls)
		ext |= SMTP_EXT_STARTTLS;
	if (smtp_server_ehlo(&s->smtp, ext, size_limit, &s->g->down_out) == -ENOBUFS) {
		session_flush_replies(s, now);
		if (s->state != SESSION_CLOSED)
			smtp_server_ehlo(&s->smtp, ext, size_limit, &s->g->down_out);
	}
}

/* `left`: octets behind the command that were already here. */
static void session_starttls(struct session *s, bool left, uint64_t now)
{
	const struct gateway_listener *listener = s->listener->config;
	struct gateway *g = s->g;

	/* [rule 9] Input between the STARTTLS line and the handshake is an injection. */
	if (left) {
		gateway_count(g, GATEWAY_C_TLS_IN_INJECTION, 1);
		session_close(s, true, now);
		return;
	}
	if (!listener || !listener->server_tls) {
		session_reply_text(s, 454, STATUS(4, 7, 0), REPLY_TLS_UNAVAILABLE, now);
		return;
	}
	transaction_abandon(s, now);
	session_reply_text(s, 220, STATUS(2, 0, 0), REPLY_TLS_READY, now);
	session_flush_replies(s, now); /* in the clear, before the leg turns to TLS */
	if (s->state == SESSION_CLOSED)
		return;
	gateway_count(g, GATEWAY_C_TLS_IN_STARTED, 1);
	if (tls_accept(listener->server_tls[g->params.worker], &leg_transport, &s->down,
		    &s->down.tls) != 0) {
		gateway_count(g, GATEWAY_C_TLS_IN_FAILED, 1);
		session_close(s, true, now);
		return;
	}
	session_set_state(s, SESSION_HANDSHAKE);
	session_set_timeout(s, g->gen->timeouts.tls_handshake, now);
}

/* True when the handshake is done. */
static bool session_handshake(struct session *s, uint64_t now)
{
	struct gateway *g = s->g;
	struct tls_info info;

	switch (leg_handshake(&s->down)) {
	case TLS_OK:
		break;
	case TLS_WANT_READ:
	case TLS_WANT_WRITE:
		return false;
	default:
		gateway_count(g, GATEWAY_C_TLS_IN_FAILED, 1);
		gateway_count_tls_error(g, tls_error(s->down.tls));
		gateway_copy_text(s->final.text, sizeof(s->final.text), tls_error_text(s->down.tls),
			strlen(tls_error_text(s->down.tls)));
		s->final.len = (uint16_t)strlen(s->final.text);
		session_close(s, false, now);
		return false;
	}
	tls_get_info(s->down.tls, &info);
	s->version = info.version;
	s->cipher = info.cipher;
	s->cipher_bits = info.cipher_bits;
	s->tls_resumed = info.resumed;
	s->helo[0] = '\0';
	gateway_count(g, GATEWAY_C_TLS_IN_OK, 1);
	if (info.resumed)
		gateway_count(g, GATEWAY_C_TLS_IN_RESUMED, 1);
	smtp_server_tls_started(&s->smtp);
	session_set_state(s, SESSION_COMMAND);
	session_set_timeout(s, g->gen->timeouts.command, now);
	return true;
}

/* --- The pump --- */

/* False: no more for now. `left`: octets of this look that are not used yet. */
static bool session_on_event(struct session *s, enum smtp_server_event type,
	const struct smtp_server_ev *ev, bool left, uint64_t now)
{
	switch (type) {
	case SMTP_SERVER_MORE:
		break;
	case SMTP_SERVER_BLOCKED:
		return false;
	case SMTP_SERVER_EHLO:
		session_ehlo(s, ev, now);
		break;
	case SMTP_SERVER_STARTTLS:
		session_starttls(s, left, now);
		break;
	case SMTP_SERVER_MAIL:
		transaction_mail(s, &ev->mail, now);
		break;
	case SMTP_SERVER_RCPT:
		transaction_rcpt(s, &ev->rcpt, now);
		break;
	case SMTP_SERVER_DATA:
		transaction_data(s, now);
		break;
	case SMTP_SERVER_BDAT:
		transaction_bdat(s, ev->bdat.size, ev->bdat.last, ev->bdat.first, now);
		break;
	case SMTP_SERVER_BODY:
		if (s->state == SESSION_BODY)
			relay_body(s, ev->body.data, ev->body.len, now);
		break;
	case SMTP_SERVER_BDAT_END:
		relay_chunk_end(s, now);
		break;
	case SMTP_SERVER_BODY_END:
		relay_end(s, now);
		break;
	case SMTP_SERVER_BODY_BAD:
		relay_bad(s, ev->error, now);
		break;
	case SMTP_SERVER_RSET:
		transaction_abandon(s, now);
		break;
	case SMTP_SERVER_QUIT:
	case SMTP_SERVER_END:
		session_flush_replies(s, now);
		session_close(s, false, now);
		return false;
	}
	return s->state != SESSION_CLOSED && s->state != SESSION_LAST_WORDS;
}

/* Whether the client may be read now; *limit: octets that its next look may have. */
static bool session_may_read(struct session *s, size_t *limit, uint64_t now)
{
	*limit = SIZE_MAX;
	switch (s->state) {
	case SESSION_COMMAND:
	case SESSION_SWALLOW:
		break;
	case SESSION_BODY:
		/* [rule 11] No room at the next hop: the client's window closes. */
		*limit = relay_room(s);
		if (*limit == 0) {
			session_set_timeout(s, s->g->gen->timeouts.upstream_block, now);
			return false;
		}
		break;
	default:
		return false;
	}
	/* A client that reads no replies gets no more commands worked on. */
	if (leg_space(&s->down) < GATEWAY_REPLY_ROOM + s->g->down_out.len) {
		session_flush_replies(s, now);
		if (s->state == SESSION_CLOSED || leg_space(&s->down) < GATEWAY_REPLY_ROOM) {
			leg_want_space(&s->down, GATEWAY_REPLY_ROOM);
			return false;
		}
	}
	return true;
}

/* The client's side has ended, in order or not. */
static void session_end_of_stream(struct session *s, enum leg_status status, uint64_t now)
{
	struct gateway *g = s->g;

	session_flush_replies(s, now);
	if (s->state == SESSION_CLOSED)
		return;
	if (status == LEG_TRUNCATED)
		gateway_count(g, GATEWAY_C_TLS_IN_TRUNCATED, 1);
	else if (status == LEG_FAILED)
		gateway_count(g, GATEWAY_C_TLS_IN_FAILED, 1);
	if (smtp_server_in_transaction(&s->smtp) || smtp_server_in_body(&s->smtp))
		gateway_count(g, GATEWAY_C_SESSIONS_LOST, 1);
	session_close(s, status == LEG_FAILED, now); /* [rule 3] in transaction_abandon() */
}

static void session_refresh_timeout(struct session *s, uint64_t now)
{
	const struct gateway_timeouts *t = &s->g->gen->timeouts;

	if (s->state == SESSION_COMMAND)
		session_set_timeout(s, t->command, now);
	else if (s->state == SESSION_SWALLOW || (s->state == SESSION_BODY && relay_room(s) > 0))
		session_set_timeout(s, t->body_block, now);
}

static bool session_event_borrows(enum smtp_server_event type)
{
	return type == SMTP_SERVER_EHLO || type == SMTP_SERVER_MAIL || type == SMTP_SERVER_RCPT ||
	       type == SMTP_SERVER_BODY;
}

void session_pump(struct session *s, uint64_t now)
{
	struct gateway *g = s->g;
	enum smtp_server_event type;
	struct smtp_server_ev ev;
	enum leg_status status;
	const uint8_t *data;
	size_t len, used, limit;
	bool go_on = true, progress = false, left, borrowed;

	if (s->pumping || !s->down.conn)
		return;
	s->pumping = true;
	g->down_out.len = 0;
	while (go_on && s->state != SESSION_CLOSED) {
		if (s->state == SESSION_HANDSHAKE) {
			if (!session_handshake(s, now))
				break;
			continue;
		}
		if (!session_may_read(s, &limit, now))
			break;
		status = leg_peek(&s->down, &data, &len);
		if (status != LEG_DATA && smtp_server_due(&s->smtp)) {
			data = (const uint8_t *)"";
			len = 0; /* the end of a chunk takes no octets */
		} else if (status == LEG_NONE) {
			break;
		} else if (status != LEG_DATA) {
			session_end_of_stream(s, status, now);
			break;
		}
		progress = true;
		type = smtp_server_next(
			&s->smtp, data, len < limit ? len : limit, &used, &g->down_out, &ev);
		if (type == SMTP_SERVER_BLOCKED && used == 0 && g->down_out.len > 0 &&
			smtp_server_waiting(&s->smtp) != SMTP_WAIT_ANSWER) {
			session_flush_replies(s, now); /* it wanted room */
			leg_consume(&s->down, 0);
			continue;
		}
		left = used < len || leg_unread_beyond(&s->down, len);
		/* Taken before the event is acted upon, so that a close finds nothing unread and
		 * TLS begins behind the STARTTLS line; but for events that point into these octets.
		 */
		borrowed = session_event_borrows(type);
		if (!borrowed)
			leg_consume(&s->down, used);
		go_on = session_on_event(s, type, &ev, left, now);
		if (borrowed)
			leg_consume(&s->down, used);
	}
	session_flush_replies(s, now);
	s->pumping = false;
	if (progress)
		session_refresh_timeout(s, now);
}

/* --- TCP's events --- */

static void session_turn_away(
	struct gateway *g, struct tcp_conn *c, enum gateway_counter why, uint64_t now)
{
	static const char text[] = "421 4.3.2 Too many connections, try again later\r\n";

	gateway_count(g, why, 1);
	tcp_send(g->params.tcp, c, text, sizeof(text) - 1, false);
	tcp_set_user(c, NULL);
	tcp_close(g->params.tcp, c, now);
}

static bool session_client_over_limit(struct gateway *g, const struct ip_addr *client)
{
	uint32_t limit = g->gen->limits.max_sessions_per_client;

	return limit > 0 && clients_count(&g->clients, client) >= limit;
}

static int session_accepted(struct tcp_conn *c, void *listener_arg, uint64_t now)
{
	struct listener *listener = listener_arg;
	struct gateway *g = listener->g;
	struct smtp_out out = gateway_out(g);
	struct tcp_info info;
	struct session *s;

	tcp_get_info(g->params.tcp, c, &info);
	if (g->draining) {
		session_turn_away(g, c, GATEWAY_C_SESSIONS_REFUSED_DRAINING, now);
		return 0;
	}
	if (listener->config && listener->config->max_sessions > 0 &&
		listener->sessions >= listener->config->max_sessions) {
		session_turn_away(g, c, GATEWAY_C_SESSIONS_REFUSED_LISTENER, now);
		return 0;
	}
	if (session_client_over_limit(g, &info.remote)) {
		session_turn_away(g, c, GATEWAY_C_SESSIONS_REFUSED_CLIENT, now);
		return 0;
	}
	s = pool_get(&g->sessions);
	if (!s) {
		session_turn_away(g, c, GATEWAY_C_SESSIONS_REFUSED_POOL, now);
		return 0;
	}
	memset(s, 0, sizeof(*s));
	s->g = g;
	s->listener = listener;
	s->id = gateway_new_id(g);
	s->started = now;
	s->client = info.remote;
	s->client_port = info.remote_port;
	s->to = listener->side == NET_OUTSIDE ? NET_INSIDE : NET_OUTSIDE;
	leg_init(&s->down, &g->env, c);
	tcp_set_user(c, s);
	smtp_server_init(&s->smtp, &g->server_config);
	TAILQ_INSERT_TAIL(&g->live, s, entry);
	listener->sessions++;
	clients_add(&g->clients, &s->client);
	gateway_count(g, GATEWAY_C_SESSIONS_ACCEPTED, 1);
	session_set_state(s, SESSION_COMMAND);
	session_set_timeout(s, g->gen->timeouts.command, now);
	smtp_server_banner(&s->smtp, 220, REPLY_BANNER, &out);
	session_write(s, &out, now);
	return 0;
}

static void session_readable(struct tcp_conn *c, void *user, uint64_t now)
{
	if (user)
		session_pump(user, now);
}

static void session_writable(struct tcp_conn *c, void *user, uint64_t now)
{
	struct session *s = user;

	if (!s || !leg_flush(&s->down))
		return;
	if (s->state == SESSION_LAST_WORDS) {
		leg_close(&s->down, now);
		session_end(s, now);
		return;
	}
	session_pump(s, now);
}

static void session_closed(struct tcp_conn *c, void *user, enum tcp_reason reason, uint64_t now)
{
	struct session *s = user;

	if (!s)
		return;
	gateway_count(s->g,
		reason == TCP_REASON_RESET ? GATEWAY_C_SESSIONS_RESET : GATEWAY_C_SESSIONS_LOST, 1);
	leg_release(&s->down);
	session_close(s, true, now);
}

const struct tcp_ops session_tcp_ops = {
	.accepted = session_accepted,
	.readable = session_readable,
	.writable = session_writable,
	.closed = session_closed,
};

/* --- Time --- */

static void session_timed_out(struct session *s, uint64_t now)
{
	struct gateway *g = s->g;

	switch (s->state) {
	case SESSION_COMMAND:
		gateway_count(g, GATEWAY_C_SESSIONS_TIMEOUT_COMMAND, 1);
		session_goodbye(s, STATUS(4, 4, 2), REPLY_TIMEOUT, now);
		break;
	case SESSION_HANDSHAKE:
		gateway_count(g, GATEWAY_C_SESSIONS_TIMEOUT_TLS, 1);
		session_close(s, true, now);
		break;
	case SESSION_UPSTREAM:
		transaction_timed_out(s, now);
		break;
	case SESSION_VERDICT:
		/* [rule 2] The next hop may have taken it: neither 250 nor 5xx. */
		gateway_count(g, GATEWAY_C_UPSTREAM_TIMEOUT, 1);
		upstream_abort(s->up, now);
		session_upstream_failed(s, UPSTREAM_FAIL_TIMEOUT, false, "timed out", 9, now);
		break;
	case SESSION_BODY:
		if (leg_space(&s->up->leg) < LEG_RECORD / 4) {
			gateway_count(g, GATEWAY_C_UPSTREAM_TIMEOUT, 1);
			relay_fail(s, STATUS(4, 4, 2), REPLY_NEXT_HOP_STALLED, now);
			session_pump(s, now);
			break;
		}
		/* fall through */
	case SESSION_SWALLOW:
		gateway_count(g, GATEWAY_C_SESSIONS_TIMEOUT_BODY, 1);
		session_goodbye(s, STATUS(4, 4, 2), REPLY_TIMEOUT, now);
		break;
	case SESSION_LAST_WORDS:
		gateway_count(g, GATEWAY_C_SESSIONS_TIMEOUT_CLOSE, 1);
		leg_abort(&s->down, now);
		session_end(s, now);
		break;
	case SESSION_CLOSED:
		break;
	}
}

void session_timer_fire(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct session *s = (struct session *)((char *)t - offsetof(struct session, timer));
	struct gateway *g = arg;

	if (now < s->deadline) {
		s->armed_for = s->deadline;
		wheel_arm(g->params.wheel, t, g->session_timer, s->deadline);
		return;
	}
	session_timed_out(s, now);
}
