/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One mail transaction: the verdict at MAIL, a next hop, the envelope passed on command by command,
 * failover to the next one while no body octet has gone out.
 */
#include "dataplane/gateway/session.h"

#include <errno.h>
#include <string.h>

#include "dataplane/gateway/hop.h"
#include "dataplane/gateway/log.h"
#include "dataplane/gateway/reply.h"

static void transaction_next_hop(struct session *s, bool fresh, uint64_t now);

/* --- Ends --- */

void transaction_clear(struct session *s)
{
	envelope_clear(&s->envelope, &s->g->envelopes);
	s->pending = PENDING_NONE;
	s->replayed = s->accepted = s->choice = 0;
	s->body_bytes = s->chunk_size = 0;
	s->bdat = s->chunked = s->received_sent = s->chunk_last = false;
	s->logged = false;
	s->upstream_id = 0;
	s->up_version = s->up_cipher = NULL;
	s->up_verified = false;
	s->next_hop[0] = '\0';
}

void transaction_abandon(struct session *s, uint64_t now)
{
	static const char text[] = "transaction dropped by client";

	if (s->up) {
		/* [rule 3] Within the body the connection goes down with it, so that no next hop
		 * can take the part for the whole. Before it, RSET does. */
		if (s->state == SESSION_BODY || s->bdat)
			upstream_abort(s->up, now);
		else
			upstream_release(s->up, true, now);
		s->up = NULL;
	}
	if (s->envelope.records > 0 && !s->logged && s->state != SESSION_SWALLOW)
		log_message(s, GATEWAY_OUTCOME_ABORTED, 0, STATUS(0, 0, 0),
			(struct smtp_str){text, sizeof(text) - 1}, now);
	transaction_clear(s);
	if (s->state == SESSION_BODY || s->state == SESSION_SWALLOW || s->state == SESSION_UPSTREAM)
		session_set_state(s, SESSION_COMMAND);
}

/* The record that the pending command added is not part of the envelope after all. */
static void transaction_drop_pending(struct session *s)
{
	if (s->pending == PENDING_MAIL || s->pending == PENDING_RCPT)
		envelope_drop_last(&s->envelope, &s->g->envelopes);
}

/* Lets go of a next hop that has been told of this transaction. */
static void transaction_release_upstream(struct session *s, uint64_t now)
{
	if (!s->up)
		return;
	upstream_release(s->up, s->replayed > 0, now);
	s->up = NULL;
	s->replayed = 0;
}

void transaction_defer(struct session *s, struct smtp_status status, const char *text, uint64_t now)
{
	enum session_pending pending = s->pending;

	transaction_release_upstream(s, now);
	if (pending == PENDING_BDAT || pending == PENDING_BDAT_HEAD) {
		/* The chunk comes whatever we say: it is answered at its end, RFC 3030 2. */
		s->pending = PENDING_NONE;
		relay_fail(s, status, text, now);
		session_pump(s, now);
		return;
	}
	if (pending == PENDING_MAIL || pending == PENDING_DATA || pending == PENDING_CHUNK)
		log_message(s, GATEWAY_OUTCOME_DEFERRED, 451, status,
			(struct smtp_str){text, strlen(text)}, now);
	transaction_drop_pending(s);
	s->pending = PENDING_NONE;
	session_set_state(s, SESSION_COMMAND);
	session_set_timeout(s, s->g->gen->timeouts.command, now);
	session_reply_text(s, 451, status, text, now);
	/* After a refused DATA the envelope stands, and the client may try again. */
	if (pending == PENDING_MAIL || pending == PENDING_CHUNK)
		transaction_clear(s);
	session_pump(s, now);
}

/* --- To the next hop --- */

static void transaction_wait(struct session *s, enum session_pending pending, uint64_t now)
{
	s->pending = pending;
	session_set_state(s, SESSION_UPSTREAM);
	s->budget = now + s->g->gen->timeouts.budget * SECOND;
	session_set_timeout(s, s->g->gen->timeouts.budget, now);
}

/* A command has gone to the next hop: it has its own time, within the budget [rule 10]. */
static void transaction_limit(struct session *s, uint32_t seconds, uint64_t now)
{
	uint64_t left = s->budget > now ? (s->budget - now + SECOND - 1) / SECOND : 0;

	session_set_timeout(s, left < seconds ? (uint32_t)left : seconds, now);
}

/* The status and text of ours for a next hop that could not be had. */
static void transaction_defer_for(struct session *s, enum upstream_failure why, uint64_t now)
{
	switch (why) {
	case UPSTREAM_FAIL_TLS_NOT_OFFERED:
	case UPSTREAM_FAIL_TLS_REFUSED:
		transaction_defer(s, STATUS(4, 7, 4), REPLY_NEXT_HOP_NO_TLS, now);
		break;
	case UPSTREAM_FAIL_TLS:
		transaction_defer(s, STATUS(4, 7, 5), REPLY_NEXT_HOP_BAD_TLS, now);
		break;
	case UPSTREAM_FAIL_POOL:
		transaction_defer(s, STATUS(4, 3, 2), REPLY_SHORT_OF_MEMORY, now);
		break;
	case UPSTREAM_FAIL_LOST:
	case UPSTREAM_FAIL_PROTOCOL:
		transaction_defer(s, STATUS(4, 4, 2), REPLY_NEXT_HOP_LOST, now);
		break;
	case UPSTREAM_FAIL_TIMEOUT:
		transaction_defer(s, STATUS(4, 4, 1), REPLY_NEXT_HOP_TIMEOUT, now);
		break;
	default:
		transaction_defer(s, STATUS(4, 4, 1), REPLY_NO_NEXT_HOP, now);
		break;
	}
}

/* MAIL, RCPT, DATA or BDAT as the present next hop still needs them, one at a time. */
static void transaction_advance(struct session *s, uint64_t now)
{
	struct gateway *g = s->g;
	struct smtp_out out = gateway_out(g);
	uint8_t strings[SMTP_COMMAND_LINE_MAX];
	struct smtp_client *client = &s->up->smtp;
	const struct gateway_timeouts *t = &g->gen->timeouts;
	struct smtp_mail mail;
	struct smtp_rcpt rcpt;
	int ret;

	if (s->replayed == 0) {
		envelope_get_mail(&s->envelope, strings, &mail);
		/* RFC 6152 3: 8-bit content never goes where it was not announced. */
		ret = mail.body_8bit && !(smtp_client_ext(client) & SMTP_EXT_8BITMIME)
			      ? -EINVAL
			      : smtp_client_mail(client, &mail, &out);
	} else if (s->replayed < s->envelope.records) {
		envelope_get_rcpt(&s->envelope, s->replayed, strings, &rcpt);
		ret = smtp_client_rcpt(client, &rcpt, &out);
	} else if (s->pending == PENDING_BDAT_HEAD &&
		   (smtp_client_ext(client) & SMTP_EXT_CHUNKING)) {
		s->pending = PENDING_NONE;
		s->chunked = true;
		relay_begin(s, now);
		return;
	} else {
		if (s->pending == PENDING_BDAT_HEAD) {
			gateway_count(g, GATEWAY_C_BDAT_TRANSLATED, 1);
			s->pending = PENDING_BDAT;
		}
		ret = smtp_client_data(client, &out);
	}
	if (ret == 0)
		ret = upstream_send(s->up, &out);
	if (ret == 0) {
		transaction_limit(s,
			s->replayed < s->envelope.records ? t->upstream_command : t->upstream_data,
			now);
		return;
	}
	if (ret == -EINVAL) {
		/* It cannot take this message; another may. */
		transaction_release_upstream(s, now);
		s->choice++;
		transaction_next_hop(s, false, now);
		return;
	}
	upstream_abort(s->up, now);
	s->up = NULL;
	s->replayed = 0;
	transaction_defer(s, STATUS(4, 4, 2), REPLY_NEXT_HOP_LOST, now);
}

static bool transaction_needs_8bit(const struct session *s)
{
	uint8_t strings[SMTP_COMMAND_LINE_MAX];
	struct smtp_mail mail;

	envelope_get_mail(&s->envelope, strings, &mail);
	return mail.body_8bit || mail.smtputf8;
}

/* The next choice, from s->choice on [rule 5]. `fresh`: no kept connection. */
static void transaction_next_hop(struct session *s, bool fresh, uint64_t now)
{
	enum upstream_failure why = UPSTREAM_FAIL_CONNECT;
	struct gateway *g = s->g;
	bool any = false;
	struct hop *hop;

	s->replayed = 0;
	while ((hop = hop_choice(g, s->to, s->rotation, s->choice))) {
		if (hop_usable(hop)) {
			any = true;
			if (upstream_acquire(hop, s, fresh, now, &s->up, &why) == 0)
				break;
		}
		s->choice++;
		fresh = false;
	}
	if (hop) {
		transaction_limit(s, g->gen->timeouts.budget, now);
		s->upstream_id = s->up->id;
		gateway_copy_text(s->next_hop, sizeof(s->next_hop), hop->name, strlen(hop->name));
		if (s->up->state == UPSTREAM_READY)
			session_upstream_ready(s, now);
		return;
	}
	gateway_count(g, GATEWAY_C_NO_NEXT_HOP, 1);
	if (any)
		transaction_defer_for(s, why, now);
	else if (s->choice > 0 && s->choice == g->hop_count[s->to] && transaction_needs_8bit(s))
		transaction_defer(s, STATUS(4, 6, 3), REPLY_NEXT_HOP_8BIT, now);
	else
		transaction_defer(s, STATUS(4, 4, 1), REPLY_NO_NEXT_HOP, now);
}

/* --- The client's commands --- */

/* 0 if the client's leg satisfies the verdict; otherwise it has been answered. */
static bool transaction_allowed(struct session *s, uint64_t now)
{
	uint16_t code = 530;
	struct smtp_status status = STATUS(5, 7, 0);
	const char *text = REPLY_STARTTLS_FIRST;

	if (s->verdict.level < POLICY_ENCRYPT || s->down.tls)
		return true;
	/* Known by its address it had every chance to do TLS: RFC 5248's "encryption needed". */
	if (s->verdict.identified) {
		code = 550;
		status = STATUS(5, 7, 10);
		text = REPLY_ENCRYPTION_NEEDED;
	}
	log_message(s, GATEWAY_OUTCOME_POLICY, code, status, (struct smtp_str){text, strlen(text)},
		now);
	session_reply_text(s, code, status, text, now);
	return false;
}

/* Outbound mail goes by the relays of the outside; what protects it is the relay's own level, the
 * client's leg is the organisation's. */
static void transaction_outbound_verdict(struct session *s)
{
	s->verdict = (struct policy_verdict){
		.level = POLICY_NONE,
		.rule = POLICY_RULE_DEFAULT,
		.generation = s->g->gen->number,
	};
}

void transaction_mail(struct session *s, const struct smtp_mail *mail, uint64_t now)
{
	struct gateway *g = s->g;

	s->messages++;
	s->began = now;
	s->logged = false;
	gateway_copy_text(s->sender, sizeof(s->sender), mail->from.raw.data, mail->from.raw.len);
	gateway_count(g, GATEWAY_C_MAIL, 1);
	if (envelope_add_mail(&s->envelope, &g->envelopes, mail) != 0) {
		session_reply_text(s, 451, STATUS(4, 3, 2), REPLY_SHORT_OF_MEMORY, now);
		return;
	}
	if (s->to == NET_INSIDE) {
		policy_inbound(g->gen->policy, mail->from.domain.data, mail->from.domain.len,
			&s->client, gateway_realtime(g, now) / SECOND, &s->verdict);
		if (!transaction_allowed(s, now)) {
			transaction_clear(s);
			return;
		}
	} else {
		transaction_outbound_verdict(s);
	}
	if (g->hop_count[s->to] == 0) {
		log_message(s, GATEWAY_OUTCOME_DEFERRED, 451, STATUS(4, 4, 4),
			(struct smtp_str){REPLY_NO_ROUTE, strlen(REPLY_NO_ROUTE)}, now);
		transaction_clear(s);
		session_reply_text(s, 451, STATUS(4, 4, 4), REPLY_NO_ROUTE, now);
		return;
	}
	s->rotation = g->rotate++;
	s->choice = 0;
	transaction_wait(s, PENDING_MAIL, now);
	transaction_next_hop(s, false, now);
}

/* A command within the transaction. A next hop lost since the last one is replaced [rule 5]. */
static void transaction_ask(struct session *s, enum session_pending pending, uint64_t now)
{
	s->logged = false;
	transaction_wait(s, pending, now);
	if (s->up) {
		transaction_advance(s, now);
		return;
	}
	s->choice = 0;
	transaction_next_hop(s, false, now);
}

void transaction_rcpt(struct session *s, const struct smtp_rcpt *rcpt, uint64_t now)
{
	if (s->envelope.records > 0 &&
		envelope_add_rcpt(&s->envelope, &s->g->envelopes, rcpt) != 0) {
		session_reply_text(s, 452, STATUS(4, 5, 3), REPLY_TOO_MANY_RECIPIENTS, now);
		return;
	}
	transaction_ask(s, PENDING_RCPT, now);
}

void transaction_data(struct session *s, uint64_t now)
{
	transaction_ask(s, PENDING_DATA, now);
}

void transaction_bdat(struct session *s, uint64_t size, bool last, bool first, uint64_t now)
{
	s->bdat = true;
	s->chunk_size = size;
	s->chunk_last = last;
	if (!first) {
		if (!s->up) /* lost between two chunks: the message cannot be completed */
			relay_fail(s, STATUS(4, 4, 2), REPLY_NEXT_HOP_LOST, now);
		else if (s->chunked)
			relay_chunk(s, now);
		else
			session_set_state(s, SESSION_BODY);
		return;
	}
	transaction_ask(s, PENDING_BDAT_HEAD, now);
}

/* --- What the next hop says --- */

void session_upstream_ready(struct session *s, uint64_t now)
{
	s->replayed = 0;
	s->up_version = s->up->version;
	s->up_cipher = s->up->cipher;
	s->up_verified = s->up->verified;
	transaction_advance(s, now);
	/* A chunk's octets were waiting for it. */
	if (s->state == SESSION_BODY || s->state == SESSION_SWALLOW)
		session_pump(s, now);
}

/* Passes a reply on as it came; the enhanced code is made up where the next hop sent none. */
static void transaction_relay_reply(struct session *s, const struct smtp_reply *reply,
	uint16_t subject, uint16_t detail, uint64_t now)
{
	struct smtp_status status = reply->status;

	if (status.class == 0 && reply->code != 354)
		status = STATUS((uint8_t)(reply->code / 100), subject, detail);
	session_reply(s, reply->code, status, reply->text, now);
}

static void transaction_on_mail_reply(
	struct session *s, const struct smtp_reply *reply, bool ok, uint64_t now)
{
	session_set_state(s, SESSION_COMMAND);
	s->pending = PENDING_NONE;
	transaction_relay_reply(s, reply, 1, 0, now);
	if (ok)
		return;
	log_message(s, GATEWAY_OUTCOME_REFUSED, reply->code, reply->status, reply->text, now);
	upstream_release(s->up, false, now);
	s->up = NULL;
	transaction_clear(s);
}

static void transaction_on_rcpt_reply(
	struct session *s, const struct smtp_reply *reply, bool ok, uint64_t now)
{
	session_set_state(s, SESSION_COMMAND);
	s->pending = PENDING_NONE;
	if (ok) {
		s->accepted++;
		gateway_count(s->g, GATEWAY_C_RCPT_ACCEPTED, 1);
	} else {
		envelope_drop_last(&s->envelope, &s->g->envelopes);
		gateway_count(s->g, GATEWAY_C_RCPT_REFUSED, 1);
	}
	transaction_relay_reply(s, reply, 1, 5, now);
}

/* MAIL or RCPT: of the pending command, or one repeated to another next hop. */
static void transaction_on_envelope_reply(
	struct session *s, const struct smtp_reply *reply, uint64_t now)
{
	bool ok = reply->code / 100 == 2;
	bool last = s->replayed + 1 == s->envelope.records;

	if (ok)
		s->replayed++;
	if (last && s->pending == PENDING_MAIL)
		transaction_on_mail_reply(s, reply, ok, now);
	else if (last && s->pending == PENDING_RCPT)
		transaction_on_rcpt_reply(s, reply, ok, now);
	else if (ok)
		transaction_advance(s, now);
	else
		/* What the client has been told is accepted must stay accepted. */
		transaction_defer(s, STATUS(4, 4, 5), REPLY_NEXT_HOP_CHANGED, now);
}

/* The body goes nowhere, and is answered at its end with the next hop's own words. */
static void transaction_swallow(struct session *s, const struct smtp_reply *reply, uint64_t now)
{
	log_message(s, GATEWAY_OUTCOME_REFUSED, reply->code, reply->status, reply->text, now);
	s->final.code = reply->code;
	s->final.status =
		reply->status.class ? reply->status : STATUS((uint8_t)(reply->code / 100), 0, 0);
	gateway_copy_text(s->final.text, sizeof(s->final.text), reply->text.data, reply->text.len);
	s->final.len = (uint16_t)strlen(s->final.text);
	session_set_state(s, SESSION_SWALLOW);
	session_set_timeout(s, s->g->gen->timeouts.body_block, now);
	smtp_server_reject_body(&s->smtp);
}

/* A chunk is answered while its octets are still on their way: the client, who owes the rest of
 * them, hears it at their end. The next hop must not see the next chunk in their place. */
static void transaction_on_early_reply(
	struct session *s, const struct smtp_reply *reply, uint64_t now)
{
	upstream_abort(s->up, now);
	s->up = NULL;
	if (reply->code >= 400)
		transaction_swallow(s, reply, now);
	else /* it has taken what it has not seen */
		relay_fail(s, STATUS(4, 5, 0), REPLY_NEXT_HOP_CHANGED, now);
}

static void transaction_on_data_reply(
	struct session *s, const struct smtp_reply *reply, uint64_t now)
{
	enum session_pending pending = s->pending;

	if (reply->code == 354) {
		s->pending = PENDING_NONE;
		if (pending == PENDING_DATA) /* its text is of no use to anybody, RFC 5321 4.2 */
			session_reply_text(
				s, 354, STATUS(0, 0, 0), "End data with <CR><LF>.<CR><LF>", now);
		if (s->state == SESSION_CLOSED || !s->up)
			return;
		relay_begin(s, now);
		return;
	}
	if (reply->code < 400) { /* neither "go on" nor an error */
		transaction_defer(s, STATUS(4, 5, 0), REPLY_NEXT_HOP_CHANGED, now);
		return;
	}
	s->pending = PENDING_NONE;
	if (pending == PENDING_BDAT) {
		upstream_release(s->up, true, now);
		s->up = NULL;
		transaction_swallow(s, reply, now);
		return;
	}
	log_message(s, GATEWAY_OUTCOME_REFUSED, reply->code, reply->status, reply->text, now);
	session_set_state(s, SESSION_COMMAND);
	transaction_relay_reply(s, reply, 0, 0, now);
}

/* Reply to a chunk that was not the last. */
static void transaction_on_chunk_reply(
	struct session *s, const struct smtp_reply *reply, uint64_t now)
{
	s->pending = PENDING_NONE;
	session_set_state(s, SESSION_COMMAND);
	transaction_relay_reply(s, reply, 0, 0, now);
	if (reply->code / 100 == 2)
		return;
	log_message(s, GATEWAY_OUTCOME_REFUSED, reply->code, reply->status, reply->text, now);
	upstream_abort(s->up, now);
	s->up = NULL;
	transaction_clear(s);
}

/* [rule 1] The verdict, passed on with its text. */
static void transaction_on_verdict(struct session *s, const struct smtp_reply *reply, uint64_t now)
{
	struct gateway *g = s->g;
	bool ok = reply->code / 100 == 2;
	enum gateway_outcome outcome = ok ? GATEWAY_OUTCOME_DELIVERED : GATEWAY_OUTCOME_REFUSED;
	bool client_here = s->down.conn != NULL;

	if (ok && s->version)
		gateway_count(g, GATEWAY_C_DELIVERED_TLS, 1);
	if (!client_here)
		outcome = GATEWAY_OUTCOME_CLIENT_GONE;
	log_message(s, outcome, reply->code, reply->status, reply->text, now);
	upstream_release(s->up, false, now);
	s->up = NULL;
	session_set_state(s, SESSION_COMMAND);
	if (client_here)
		transaction_relay_reply(s, reply, 0, 0, now);
	transaction_clear(s);
	if (!client_here)
		session_close(s, true, now);
}

void session_upstream_reply(struct session *s, enum smtp_client_event type,
	const struct smtp_reply *reply, uint64_t now)
{
	/* 421 to a command is the same as 421 out of the blue: the next hop is closing. */
	if (reply->code == 421) {
		struct upstream *u = s->up;

		gateway_count(s->g, GATEWAY_C_UPSTREAM_SHUTDOWN, 1);
		upstream_abort(u, now);
		session_upstream_failed(
			s, UPSTREAM_FAIL_SHUTDOWN, false, reply->text.data, reply->text.len, now);
		return;
	}
	switch (type) {
	case SMTP_CLIENT_MAIL:
	case SMTP_CLIENT_RCPT:
		transaction_on_envelope_reply(s, reply, now);
		break;
	case SMTP_CLIENT_DATA:
		transaction_on_data_reply(s, reply, now);
		break;
	case SMTP_CLIENT_BDAT:
		if (s->state == SESSION_BODY)
			transaction_on_early_reply(s, reply, now);
		else
			transaction_on_chunk_reply(s, reply, now);
		break;
	case SMTP_CLIENT_END_OF_BODY:
		if (s->state == SESSION_BODY)
			transaction_on_early_reply(s, reply, now);
		else
			transaction_on_verdict(s, reply, now);
		break;
	default:
		return;
	}
	if (s->state != SESSION_CLOSED)
		session_pump(s, now);
}

/* The pending command's time is up: the next one, if there is budget left for it. */
void transaction_timed_out(struct session *s, uint64_t now)
{
	struct gateway *g = s->g;

	if (s->up) {
		gateway_count(g, GATEWAY_C_UPSTREAM_TIMEOUT, 1);
		upstream_abort(s->up, now);
		s->up = NULL;
	}
	if (now < s->budget) {
		session_upstream_failed(s, UPSTREAM_FAIL_TIMEOUT, false, "timed out", 9, now);
		return;
	}
	gateway_count(g, GATEWAY_C_BUDGET_EXPIRED, 1);
	s->replayed = 0;
	transaction_defer(s, STATUS(4, 4, 1), REPLY_NEXT_HOP_TIMEOUT, now);
}

/* [rule 2] Lost between the final dot and its answer. */
static void transaction_unknown(struct session *s, uint64_t now)
{
	struct smtp_str text = {REPLY_NEXT_HOP_UNKNOWN, strlen(REPLY_NEXT_HOP_UNKNOWN)};
	bool client_here = s->down.conn != NULL;

	log_message(s, GATEWAY_OUTCOME_UNKNOWN, 451, STATUS(4, 4, 2), text, now);
	session_set_state(s, SESSION_COMMAND);
	if (client_here)
		session_reply(s, 451, STATUS(4, 4, 2), text, now);
	transaction_clear(s);
	if (client_here)
		session_pump(s, now);
	else
		session_close(s, true, now);
}

void session_upstream_failed(struct session *s, enum upstream_failure why, bool was_reused,
	const char *text, size_t len, uint64_t now)
{
	struct gateway *g = s->g;

	s->up = NULL;
	s->replayed = 0;
	switch (s->state) {
	case SESSION_VERDICT:
		transaction_unknown(s, now);
		return;
	case SESSION_BODY:
		relay_fail(s, STATUS(4, 4, 2), REPLY_NEXT_HOP_LOST, now);
		session_pump(s, now);
		return;
	case SESSION_UPSTREAM:
		break;
	default:
		/* Between two commands of the client: the envelope is repeated elsewhere when the
		 * next one comes. */
		return;
	}
	if (s->pending == PENDING_CHUNK) {
		transaction_defer(s, STATUS(4, 4, 2), REPLY_NEXT_HOP_LOST, now);
		return;
	}
	/* [rule 5] Nothing of the body has gone out: another next hop, or for a kept connection
	 * that turns out to be dead the same one anew. */
	if (was_reused && why != UPSTREAM_FAIL_SHUTDOWN) {
		gateway_count(g, GATEWAY_C_UPSTREAM_RETRY, 1);
		transaction_next_hop(s, true, now);
		return;
	}
	s->choice++;
	if (hop_choice(g, s->to, s->rotation, s->choice)) {
		gateway_count(g, GATEWAY_C_UPSTREAM_FAILOVER, 1);
		transaction_next_hop(s, false, now);
		return;
	}
	gateway_count(g, GATEWAY_C_NO_NEXT_HOP, 1);
	transaction_defer_for(s, why, now);
}

void session_upstream_writable(struct session *s, uint64_t now)
{
	if (s->state == SESSION_BODY)
		session_pump(s, now);
}
