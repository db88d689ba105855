/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server engine within a message: DATA, and BDAT chunks.
 */
#include "smtp/server_state.h"

static bool server_has_room(const struct smtp_out *out)
{
	return out->size - out->len >= SMTP_SERVER_OUT_MIN;
}

/* The refusal of a message that broke a rule, given at its end. */
static void server_say_body_error(struct smtp_server *s, struct smtp_out *out)
{
	switch (s->body_error) {
	case SMTP_ERR_BARE_CR:
		smtp_server_say(
			s, out, 554, 6, 0, "Message refused: CR without LF (RFC 5321 2.3.8)");
		break;
	case SMTP_ERR_BARE_LF:
		smtp_server_say(
			s, out, 554, 6, 0, "Message refused: LF without CR (RFC 5321 2.3.8)");
		break;
	case SMTP_ERR_LINE_TOO_LONG:
		smtp_server_say(s, out, 554, 6, 0,
			"Message refused: line over 998 octets (RFC 5322 2.1.1)");
		break;
	case SMTP_ERR_LOOP:
		smtp_server_say(s, out, 554, 4, 6, "Message refused: too many hops, a mail loop");
		break;
	default:
		smtp_server_say(s, out, 552, 3, 4, "Message refused: too big");
		break;
	}
}

static enum smtp_server_event server_bad_body(
	struct smtp_server *s, enum smtp_server_error error, struct smtp_server_ev *ev)
{
	s->body_error = (uint8_t)error;
	smtp_server_count(s, error);
	ev->error = error;
	return SMTP_SERVER_BODY_BAD;
}

static enum smtp_server_event server_await(struct smtp_server *s, enum smtp_server_event event)
{
	s->awaiting = (uint8_t)event;
	return event;
}

static enum smtp_server_event server_data(struct smtp_server *s, const uint8_t *data, size_t len,
	size_t *used, struct smtp_out *out, struct smtp_server_ev *ev)
{
	enum smtp_server_error error;
	enum smtp_body_result r;

	if (s->rejected || s->body_error) {
		if (s->body_error && !server_has_room(out))
			return SMTP_SERVER_BLOCKED;
		r = smtp_body_swallow(&s->body, data, len, used);
		if (r != SMTP_BODY_END)
			return SMTP_SERVER_MORE;
		if (!s->body_error)
			return server_await(s, SMTP_SERVER_BODY_END);
		server_say_body_error(s, out);
		smtp_server_end_transaction(s);
		return SMTP_SERVER_MORE;
	}
	r = smtp_body_scan(&s->body, data, len, used, &ev->body.data, &ev->body.len, &error);
	switch (r) {
	case SMTP_BODY_OCTETS:
		return SMTP_SERVER_BODY;
	case SMTP_BODY_BAD:
		return server_bad_body(s, error, ev);
	case SMTP_BODY_END:
		return server_await(s, SMTP_SERVER_BODY_END);
	default:
		return SMTP_SERVER_MORE;
	}
}

static enum smtp_server_event server_chunk_end(
	struct smtp_server *s, struct smtp_out *out, struct smtp_server_ev *ev)
{
	if (!s->rejected && !s->body_error) {
		if (s->last) {
			enum smtp_server_error error = smtp_body_finish(&s->body);

			if (error != SMTP_ERR_NONE)
				return server_bad_body(s, error, ev);
		} else if (smtp_body_flush(&s->body, &ev->body.data, &ev->body.len) ==
			   SMTP_BODY_OCTETS) {
			return SMTP_SERVER_BODY;
		}
	}
	if (!s->body_error)
		return server_await(s, s->last ? SMTP_SERVER_BODY_END : SMTP_SERVER_BDAT_END);
	if (!server_has_room(out))
		return SMTP_SERVER_BLOCKED;
	server_say_body_error(s, out);
	if (s->last)
		smtp_server_end_transaction(s);
	else
		smtp_server_set_state(s, SERVER_BDAT_FAILED);
	return SMTP_SERVER_MORE;
}

static enum smtp_server_event server_chunk(struct smtp_server *s, const uint8_t *data, size_t len,
	size_t *used, struct smtp_out *out, struct smtp_server_ev *ev)
{
	enum smtp_server_error error;
	enum smtp_body_result r;

	if (len > s->chunk_left)
		len = (size_t)s->chunk_left;
	if (s->rejected || s->body_error) {
		*used = len;
	} else if (len) {
		r = smtp_body_scan(
			&s->body, data, len, used, &ev->body.data, &ev->body.len, &error);
		s->chunk_left -= *used;
		if (r == SMTP_BODY_OCTETS)
			return SMTP_SERVER_BODY;
		if (r == SMTP_BODY_BAD)
			return server_bad_body(s, error, ev);
		len = *used;
	}
	if (s->rejected || s->body_error)
		s->chunk_left -= len;
	return s->chunk_left ? SMTP_SERVER_MORE : server_chunk_end(s, out, ev);
}

/* RFC 3030 2: the octets of a chunk are used up also when BDAT is refused. */
static enum smtp_server_event server_skip(
	struct smtp_server *s, size_t len, size_t *used, struct smtp_out *out)
{
	if (len > s->chunk_left)
		len = (size_t)s->chunk_left;
	s->chunk_left -= len;
	*used = len;
	if (s->chunk_left)
		return SMTP_SERVER_MORE;
	if (!server_has_room(out))
		return SMTP_SERVER_BLOCKED;
	smtp_server_set_state(s, s->resume);
	if (s->state == SERVER_BDAT_FAILED && s->last)
		smtp_server_end_transaction(s);
	else if (!(s->ext & SMTP_EXT_CHUNKING))
		return smtp_server_refuse(
			s, out, SMTP_ERR_SEQUENCE, 502, 5, 1, "BDAT is not offered");
	return smtp_server_refuse(s, out, SMTP_ERR_SEQUENCE, 503, 5, 1,
		s->rcpt_refused && s->recipients == 0 ? "No valid recipients"
						      : "BDAT out of order");
}

enum smtp_server_event smtp_server_body(struct smtp_server *s, const uint8_t *data, size_t len,
	size_t *used, struct smtp_out *out, struct smtp_server_ev *ev)
{
	*used = 0;
	if (s->state == SERVER_DATA)
		return server_data(s, data, len, used, out, ev);
	if (s->state == SERVER_CHUNK)
		return server_chunk(s, data, len, used, out, ev);
	return server_skip(s, len, used, out);
}
