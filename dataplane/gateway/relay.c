/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The body on its way: our Received field in front, the client's octets behind it, unchanged from
 * DATA to DATA and from BDAT to BDAT, dot-stuffed from BDAT to DATA.
 */
#include "dataplane/gateway/session.h"

#include <string.h>

#include "dataplane/gateway/log.h"
#include "dataplane/gateway/received.h"
#include "dataplane/gateway/reply.h"

/* Room kept at the next hop for the command that follows the body. */
#define RELAY_MARGIN 64

static bool relay_write(struct session *s, const void *data, size_t len, bool more, uint64_t now)
{
	if (len == 0 || leg_write(&s->up->leg, data, len, more) == 0)
		return true;
	upstream_abort(s->up, now);
	s->up = NULL;
	relay_fail(s, STATUS(4, 4, 2), REPLY_NEXT_HOP_LOST, now);
	return false;
}

static bool relay_command(
	struct session *s, int ret, const struct smtp_out *out, bool more, uint64_t now)
{
	if (ret == 0)
		return relay_write(s, out->data, out->len, more, now);
	upstream_abort(s->up, now);
	s->up = NULL;
	relay_fail(s, STATUS(4, 3, 0), REPLY_NEXT_HOP_LOST, now);
	return false;
}

bool relay_begin(struct session *s, uint64_t now)
{
	struct gateway *g = s->g;
	struct smtp_out out = gateway_out(g);
	char field[GATEWAY_RECEIVED_MAX];
	size_t len = gateway_received(s, field, sizeof(field), now);

	session_set_state(s, SESSION_BODY);
	session_set_timeout(s, g->gen->timeouts.body_block, now);
	s->received_sent = true;
	smtp_stuff_init(&s->stuff);
	if (s->chunked) {
		int ret = smtp_client_bdat(&s->up->smtp, s->chunk_size + len, s->chunk_last, &out);

		if (!relay_command(s, ret, &out, true, now))
			return false;
	}
	/* It begins with no dot, so it is the same on the wire in both forms. */
	return relay_write(s, field, len, true, now);
}

bool relay_chunk(struct session *s, uint64_t now)
{
	struct smtp_out out = gateway_out(s->g);
	int ret = smtp_client_bdat(&s->up->smtp, s->chunk_size, s->chunk_last, &out);

	session_set_state(s, SESSION_BODY);
	session_set_timeout(s, s->g->gen->timeouts.body_block, now);
	return relay_command(s, ret, &out, true, now);
}

size_t relay_room(struct session *s)
{
	uint32_t space, least = LEG_RECORD / 4;
	size_t room;

	if (!s->up)
		return 0;
	space = leg_space(&s->up->leg);
	if (space < least) {
		leg_want_space(&s->up->leg, least);
		return 0;
	}
	room = space - RELAY_MARGIN;
	if (s->bdat && !s->chunked)
		room = room / 2 < LEG_RECORD ? room / 2 : LEG_RECORD; /* every octet may be a dot */
	return room;
}

void relay_body(struct session *s, const uint8_t *data, size_t len, uint64_t now)
{
	struct gateway *g = s->g;

	s->body_bytes += len;
	gateway_count(g, GATEWAY_C_BODY_BYTES, len);
	if (!s->bdat || s->chunked) {
		relay_write(s, data, len, true, now);
		return;
	}
	while (len > 0 && s->state == SESSION_BODY) {
		size_t n = smtp_stuff(&s->stuff, &data, &len, g->stuffed, sizeof(g->stuffed));

		relay_write(s, g->stuffed, n, true, now);
	}
}

/* A body that goes nowhere is at its end (or its chunk is). */
static void relay_answer_final(struct session *s, bool end, uint64_t now)
{
	struct session_answer *f = &s->final;

	session_reply(s, f->code, f->status, (struct smtp_str){f->text, f->len}, now);
	if (s->state == SESSION_CLOSED)
		return;
	if (!end && f->code / 100 == 2)
		return;
	transaction_clear(s);
	session_set_state(s, SESSION_COMMAND);
}

void relay_chunk_end(struct session *s, uint64_t now)
{
	char text[48] = "chunk received";

	if (s->state == SESSION_SWALLOW) {
		relay_answer_final(s, false, now);
		return;
	}
	if (s->state != SESSION_BODY)
		return;
	if (s->chunked) {
		s->pending = PENDING_CHUNK;
		session_set_state(s, SESSION_UPSTREAM);
		session_set_timeout(s, s->g->gen->timeouts.budget, now);
		return;
	}
	/* The next hop knows of no chunks: what we have passed on is on its way, and only the
	 * answer to the last one says that the message is delivered (RFC 3030 2). */
	session_set_state(s, SESSION_COMMAND);
	session_reply_text(s, 250, STATUS(2, 0, 0), text, now);
}

void relay_end(struct session *s, uint64_t now)
{
	struct smtp_out out = gateway_out(s->g);
	uint32_t seconds = s->g->gen->timeouts.upstream_dot;

	if (s->state == SESSION_SWALLOW) {
		relay_answer_final(s, true, now);
		return;
	}
	if (s->state != SESSION_BODY)
		return;
	if (!s->chunked) {
		/* DATA's octets end in CRLF by the engine's word; a BDAT client's may not. */
		bool crlf = !s->bdat || smtp_stuff_ended_in_crlf(&s->stuff);

		if (!relay_command(
			    s, smtp_client_dot(&s->up->smtp, crlf, &out), &out, false, now)) {
			relay_answer_final(s, true, now);
			return;
		}
	}
	session_set_state(s, SESSION_VERDICT);
	session_set_timeout(s, seconds, now);
}

void relay_fail(struct session *s, struct smtp_status status, const char *text, uint64_t now)
{
	struct smtp_str str = {text, strlen(text)};

	if (s->up) {
		upstream_abort(s->up, now);
		s->up = NULL;
	}
	log_message(s, GATEWAY_OUTCOME_DEFERRED, 451, status, str, now);
	s->final.code = 451;
	s->final.status = status;
	gateway_copy_text(s->final.text, sizeof(s->final.text), text, str.len);
	s->final.len = (uint16_t)strlen(s->final.text);
	session_set_state(s, SESSION_SWALLOW);
	session_set_timeout(s, s->g->gen->timeouts.body_block, now);
	smtp_server_reject_body(&s->smtp);
}

void relay_bad(struct session *s, enum smtp_server_error error, uint64_t now)
{
	const char *name = smtp_server_error_name(error);

	if (s->up) { /* [rule 7] the end never goes out, nor anything past the fault */
		upstream_abort(s->up, now);
		s->up = NULL;
	}
	if (s->state != SESSION_SWALLOW)
		log_message(s, GATEWAY_OUTCOME_BAD_BODY, error == SMTP_ERR_TOO_BIG ? 552 : 554,
			STATUS(5, error == SMTP_ERR_LOOP ? 4 : 6, error == SMTP_ERR_LOOP ? 6 : 0),
			(struct smtp_str){name, strlen(name)}, now);
	transaction_clear(s);
	session_set_state(s, SESSION_COMMAND); /* the engine answers at the end of the body */
}
