/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/server.h"

#include <errno.h>

#include "smtp/line.h"
#include "smtp/reply.h"
#include "smtp/server_state.h"
#include "smtp/text.h"

_Static_assert(sizeof(struct smtp_server) <= 160, "one for each session");

static const char *const error_names[SMTP_ERRORS] = {
	[SMTP_ERR_NONE] = "none",
	[SMTP_ERR_BARE_CR] = "bare_cr",
	[SMTP_ERR_BARE_LF] = "bare_lf",
	[SMTP_ERR_LINE_TOO_LONG] = "line_too_long",
	[SMTP_ERR_LOOP] = "loop",
	[SMTP_ERR_TOO_BIG] = "too_big",
	[SMTP_ERR_COMMAND_TOO_LONG] = "command_too_long",
	[SMTP_ERR_SYNTAX] = "syntax",
	[SMTP_ERR_SEQUENCE] = "sequence",
	[SMTP_ERR_UNKNOWN_COMMAND] = "unknown_command",
	[SMTP_ERR_BAD_PARAMETER] = "bad_parameter",
	[SMTP_ERR_NO_BUFFER] = "no_buffer",
	[SMTP_ERR_TOO_MANY] = "too_many",
};

const char *smtp_server_error_name(enum smtp_server_error e)
{
	return (unsigned)e < SMTP_ERRORS ? error_names[e] : "invalid";
}

static const char *const state_names[SERVER_STATES] = {
	[SERVER_CONNECT] = "connect",
	[SERVER_REFUSED] = "refused",
	[SERVER_GREETED] = "greeted",
	[SERVER_TLS] = "starttls",
	[SERVER_CLOSED] = "closed",
	[SERVER_READY] = "ready",
	[SERVER_MAIL] = "mail",
	[SERVER_RCPT] = "rcpt",
	[SERVER_DATA] = "data",
	[SERVER_BDAT] = "bdat",
	[SERVER_BDAT_FAILED] = "bdat-failed",
	[SERVER_CHUNK] = "chunk",
	[SERVER_SKIP] = "skip",
};

const char *smtp_server_state_name(const struct smtp_server *s)
{
	return state_names[s->state];
}

void smtp_server_set_state(struct smtp_server *s, enum smtp_server_state state)
{
	s->state = (uint8_t)state;
}

void smtp_server_count(struct smtp_server *s, enum smtp_server_error error)
{
	if (s->config->errors)
		s->config->errors[error]++;
}

static void server_put_line(struct smtp_server *s)
{
	if (s->line)
		s->config->linebuf_put(s->config->arg, s->line);
	s->line = NULL;
	s->line_used = false;
}

void smtp_server_end_transaction(struct smtp_server *s)
{
	if (s->state >= SERVER_READY)
		smtp_server_set_state(s, SERVER_READY);
	s->recipients = 0;
	s->rcpt_refused = false;
	s->smtputf8 = false;
	s->rejected = false;
	s->body_error = SMTP_ERR_NONE;
}

void smtp_server_say(struct smtp_server *s, struct smtp_out *out, uint16_t code, uint16_t subject,
	uint16_t detail, const char *text)
{
	struct smtp_status status = {(uint8_t)(code / 100), subject, detail};

	smtp_reply_write(out, code, s->ext & SMTP_EXT_ENHANCEDSTATUSCODES, status,
		(struct smtp_str){text, strlen(text)}, false);
}

enum smtp_server_event smtp_server_give_up(struct smtp_server *s, struct smtp_out *out,
	enum smtp_server_error error, uint16_t subject, uint16_t detail, const char *text)
{
	if (error != SMTP_ERR_NONE)
		smtp_server_count(s, error);
	smtp_server_end_transaction(s);
	smtp_server_say(s, out, 421, subject, detail, text);
	smtp_server_set_state(s, SERVER_CLOSED);
	return SMTP_SERVER_END;
}

enum smtp_server_event smtp_server_refuse(struct smtp_server *s, struct smtp_out *out,
	enum smtp_server_error error, uint16_t code, uint16_t subject, uint16_t detail,
	const char *text)
{
	smtp_server_count(s, error);
	if (s->config->max_bad_commands && ++s->bad_commands >= s->config->max_bad_commands)
		return smtp_server_give_up(
			s, out, SMTP_ERR_TOO_MANY, 7, 0, "Too many errors; closing");
	smtp_server_say(s, out, code, subject, detail, text);
	return SMTP_SERVER_MORE;
}

void smtp_server_init(struct smtp_server *s, const struct smtp_server_config *config)
{
	*s = (struct smtp_server){.config = config, .state = SERVER_CONNECT};
}

void smtp_server_fini(struct smtp_server *s)
{
	server_put_line(s);
	smtp_server_set_state(s, SERVER_CLOSED);
}

int smtp_server_banner(struct smtp_server *s, uint16_t code, const char *text, struct smtp_out *out)
{
	char line[SMTP_DOMAIN_MAX + 1 + 200];
	struct text_writer w = {.data = line, .size = sizeof(line)};
	int rc;

	if (s->state != SERVER_CONNECT)
		return -EPROTO;
	/* RFC 5321 4.2: the domain comes first. */
	text_puts(&w, s->config->hostname);
	text_puts(&w, " ");
	text_puts(&w, text);
	rc = smtp_reply_write(
		out, code, false, (struct smtp_status){}, (struct smtp_str){line, w.len}, false);
	if (rc)
		return rc;
	smtp_server_set_state(s, code == 220   ? SERVER_GREETED
				 : code == 421 ? SERVER_CLOSED
					       : SERVER_REFUSED);
	return 0;
}

/* A line of a command, or the part of it that is there. */
static enum smtp_server_event server_line(struct smtp_server *s, const uint8_t *data, size_t len,
	size_t *used, struct smtp_out *out, struct smtp_server_ev *ev)
{
	size_t before = s->line ? s->line->len : 0;
	bool cr_before = before && s->line->data[before - 1] == '\r';
	enum smtp_line_result r;
	struct smtp_str line;
	size_t n;

	if (s->skip_line) {
		bool done;

		*used = smtp_line_skip(data, len, &s->skip_cr, &done);
		s->skip_line = !done;
		return SMTP_SERVER_MORE;
	}
	r = smtp_line_find(data, len, before, cr_before, SMTP_COMMAND_LINE_MAX, &n);
	if (r == SMTP_LINE_TOO_LONG || r == SMTP_LINE_BARE_LF) {
		*used = n;
		server_put_line(s);
		s->skip_line = true;
		s->skip_cr = data[n - 1] == '\r';
		if (r == SMTP_LINE_TOO_LONG)
			return smtp_server_refuse(s, out, SMTP_ERR_COMMAND_TOO_LONG, 500, 5, 2,
				"Command line too long");
		return smtp_server_refuse(s, out, SMTP_ERR_SYNTAX, 500, 5, 2,
			"A line ends with CRLF (RFC 5321 2.3.8)");
	}
	if (r == SMTP_LINE_PART && !s->line) {
		s->line = s->config->linebuf_get(s->config->arg);
		if (!s->line)
			return smtp_server_give_up(
				s, out, SMTP_ERR_NO_BUFFER, 3, 2, "Out of resources; closing");
		s->line->len = 0;
	}
	*used = n;
	line = (struct smtp_str){(const char *)data, n};
	if (s->line) {
		memcpy(s->line->data + before, data, n);
		s->line->len = (uint16_t)(before + n);
		line = (struct smtp_str){(const char *)s->line->data, s->line->len};
	}
	if (r == SMTP_LINE_PART)
		return SMTP_SERVER_MORE;
	s->line_used = s->line != NULL;
	line.len -= 2;
	return smtp_server_command(s, line, out, ev);
}

static bool server_in_chunk(const struct smtp_server *s)
{
	return s->state == SERVER_CHUNK || s->state == SERVER_SKIP;
}

bool smtp_server_due(const struct smtp_server *s)
{
	return s->awaiting == SMTP_SERVER_MORE && server_in_chunk(s) && s->chunk_left == 0;
}

enum smtp_server_event smtp_server_next(struct smtp_server *s, const uint8_t *data, size_t len,
	size_t *used, struct smtp_out *out, struct smtp_server_ev *ev)
{
	*used = 0;
	ev->error = SMTP_ERR_NONE;
	for (;;) {
		enum smtp_server_event event;
		size_t n = 0;

		if (s->line_used)
			server_put_line(s);
		if (s->state == SERVER_CLOSED) {
			*used = len;
			return SMTP_SERVER_END;
		}
		if (s->awaiting != SMTP_SERVER_MORE || s->state == SERVER_CONNECT ||
			s->state == SERVER_TLS)
			return SMTP_SERVER_BLOCKED;
		if (*used == len && !smtp_server_due(s))
			return SMTP_SERVER_MORE;
		if (s->state == SERVER_DATA || server_in_chunk(s)) {
			event = smtp_server_body(s, data + *used, len - *used, &n, out, ev);
		} else {
			if (out->size - out->len < SMTP_SERVER_OUT_MIN)
				return SMTP_SERVER_BLOCKED;
			event = server_line(s, data + *used, len - *used, &n, out, ev);
		}
		*used += n;
		if (event != SMTP_SERVER_MORE)
			return event;
	}
}

/* What an answer does to the session. */
static void server_answered(struct smtp_server *s, enum smtp_server_event event, uint16_t code)
{
	bool accepted = code < 400;

	s->awaiting = SMTP_SERVER_MORE;
	switch (event) {
	case SMTP_SERVER_STARTTLS:
		if (code == 220)
			smtp_server_set_state(s, SERVER_TLS);
		break;
	case SMTP_SERVER_MAIL:
		if (accepted)
			smtp_server_set_state(s, SERVER_MAIL);
		else
			smtp_server_end_transaction(s);
		break;
	case SMTP_SERVER_RCPT:
		if (accepted) {
			s->recipients++;
			smtp_server_set_state(s, SERVER_RCPT);
		}
		break;
	case SMTP_SERVER_DATA:
		if (code == 354) {
			smtp_body_init(&s->body, true, s->size_limit, s->config->max_received);
			s->rejected = false;
			s->body_error = SMTP_ERR_NONE;
			smtp_server_set_state(s, SERVER_DATA);
		}
		break;
	case SMTP_SERVER_BDAT_END:
		smtp_server_set_state(s, accepted ? SERVER_BDAT : SERVER_BDAT_FAILED);
		break;
	case SMTP_SERVER_BODY_END:
		if (accepted)
			s->idle_commands = 0;
		smtp_server_end_transaction(s);
		break;
	default: /* EHLO refused: all as it was */
		break;
	}
	if (code == 421)
		smtp_server_set_state(s, SERVER_CLOSED);
}

int smtp_server_reply(struct smtp_server *s, uint16_t code, struct smtp_status status,
	struct smtp_str text, struct smtp_out *out)
{
	bool enhanced = (s->ext & SMTP_EXT_ENHANCEDSTATUSCODES) && s->awaiting != SMTP_SERVER_EHLO;
	int rc;

	if (s->awaiting == SMTP_SERVER_MORE || s->state == SERVER_CLOSED)
		return -EPROTO;
	/* Nothing but smtp_server_ehlo() says yes to EHLO. */
	if (s->awaiting == SMTP_SERVER_EHLO && code < 400)
		return -EPROTO;
	rc = smtp_reply_write(out, code, enhanced, status, text, s->smtputf8);
	if (rc)
		return rc;
	server_answered(s, s->awaiting, code);
	return 0;
}

static const struct {
	uint32_t ext;
	const char *keyword;
} keywords[] = {
	{SMTP_EXT_PIPELINING, "PIPELINING"},
	{SMTP_EXT_SIZE, "SIZE"},
	{SMTP_EXT_STARTTLS, "STARTTLS"},
	{SMTP_EXT_ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES"},
	{SMTP_EXT_8BITMIME, "8BITMIME"},
	{SMTP_EXT_DSN, "DSN"},
	{SMTP_EXT_SMTPUTF8, "SMTPUTF8"},
	{SMTP_EXT_CHUNKING, "CHUNKING"},
	{SMTP_EXT_REQUIRETLS, "REQUIRETLS"},
};

int smtp_server_ehlo(struct smtp_server *s, uint32_t ext, uint64_t size_limit, struct smtp_out *out)
{
	char lines[SMTP_DOMAIN_MAX + 1 + 256];
	struct text_writer w = {.data = lines, .size = sizeof(lines)};
	int rc;

	if (s->awaiting != SMTP_SERVER_EHLO || s->state == SERVER_CLOSED)
		return -EPROTO;
	if (!s->esmtp)
		ext = 0;
	/* RFC 3207 4.2, RFC 8689 2. */
	ext &= s->tls ? ~(uint32_t)SMTP_EXT_STARTTLS : ~(uint32_t)SMTP_EXT_REQUIRETLS;
	text_puts(&w, s->config->hostname);
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (!(ext & keywords[i].ext))
			continue;
		text_puts(&w, "\n");
		text_puts(&w, keywords[i].keyword);
		if (keywords[i].ext == SMTP_EXT_SIZE && size_limit) {
			text_puts(&w, " ");
			text_put_number(&w, size_limit, 1);
		}
	}
	rc = smtp_reply_write(
		out, 250, false, (struct smtp_status){}, (struct smtp_str){lines, w.len}, false);
	if (rc)
		return rc;
	smtp_server_set_state(s, SERVER_READY);
	smtp_server_end_transaction(s);
	s->awaiting = SMTP_SERVER_MORE;
	s->ext = ext;
	s->size_limit = size_limit;
	return 0;
}

int smtp_server_goodbye(
	struct smtp_server *s, struct smtp_status status, const char *text, struct smtp_out *out)
{
	int rc;

	if (s->state == SERVER_CLOSED || s->state == SERVER_TLS)
		return -EPROTO;
	rc = smtp_reply_write(out, 421, s->ext & SMTP_EXT_ENHANCEDSTATUSCODES, status,
		(struct smtp_str){text, strlen(text)}, false);
	if (rc)
		return rc;
	smtp_server_set_state(s, SERVER_CLOSED);
	return 0;
}

void smtp_server_reject_body(struct smtp_server *s)
{
	s->rejected = true;
}

void smtp_server_tls_started(struct smtp_server *s)
{
	uint32_t bad = s->bad_commands, idle = s->idle_commands;

	server_put_line(s);
	/* RFC 3207 4.2: nothing that the client said holds; what it did wrong still counts. */
	*s = (struct smtp_server){
		.config = s->config,
		.state = SERVER_GREETED,
		.tls = true,
		.bad_commands = bad,
		.idle_commands = idle,
	};
}

enum smtp_server_wait smtp_server_waiting(const struct smtp_server *s)
{
	if (s->awaiting != SMTP_SERVER_MORE || s->state == SERVER_CONNECT ||
		s->state == SERVER_TLS || s->state == SERVER_CLOSED)
		return SMTP_WAIT_ANSWER;
	return s->state == SERVER_DATA || server_in_chunk(s) ? SMTP_WAIT_BODY : SMTP_WAIT_COMMAND;
}

bool smtp_server_in_transaction(const struct smtp_server *s)
{
	return s->state >= SERVER_MAIL && (s->state != SERVER_SKIP || s->resume >= SERVER_MAIL);
}

bool smtp_server_in_body(const struct smtp_server *s)
{
	return s->awaiting == SMTP_SERVER_MORE &&
	       (s->state == SERVER_DATA || s->state == SERVER_CHUNK);
}
