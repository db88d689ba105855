/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/client.h"

#include "smtp/client_state.h"
#include "smtp/line.h"
#include "smtp/reply.h"
#include "smtp/text.h"

#define LINES_MAX 256 /* of one reply */

_Static_assert(sizeof(struct smtp_client) <= 160, "one for each upstream connection");
_Static_assert(CLIENT_COMMANDS <= 16, "four bits each in the queue");

static const char *const error_names[SMTP_CLIENT_ERRORS] = {
	[SMTP_CLIENT_ERR_NONE] = "none",
	[SMTP_CLIENT_ERR_SYNTAX] = "syntax",
	[SMTP_CLIENT_ERR_LINE_TOO_LONG] = "line_too_long",
	[SMTP_CLIENT_ERR_TOO_MANY_LINES] = "too_many_lines",
	[SMTP_CLIENT_ERR_UNSOLICITED] = "unsolicited",
	[SMTP_CLIENT_ERR_INJECTION] = "injection",
	[SMTP_CLIENT_ERR_NO_BUFFER] = "no_buffer",
};

const char *smtp_client_error_name(enum smtp_client_error e)
{
	return (unsigned)e < SMTP_CLIENT_ERRORS ? error_names[e] : "invalid";
}

static const char *const state_names[CLIENT_STATES] = {
	[CLIENT_CONNECT] = "connect",
	[CLIENT_REFUSED] = "refused",
	[CLIENT_GREETED] = "greeted",
	[CLIENT_READY] = "ready",
	[CLIENT_BODY] = "body",
	[CLIENT_TLS] = "starttls",
	[CLIENT_CLOSED] = "closed",
	[CLIENT_BROKEN] = "broken",
};

const char *smtp_client_state_name(const struct smtp_client *c)
{
	/* Within "ready", what goes on is what was sent last. */
	static const char *const ready[CLIENT_COMMANDS] = {
		[CLIENT_CMD_EHLO] = "ehlo",
		[CLIENT_CMD_HELO] = "helo",
		[CLIENT_CMD_STARTTLS] = "starttls",
		[CLIENT_CMD_MAIL] = "mail",
		[CLIENT_CMD_RCPT] = "rcpt",
		[CLIENT_CMD_DATA] = "data",
		[CLIENT_CMD_BDAT] = "bdat",
		[CLIENT_CMD_END] = "end-of-body",
		[CLIENT_CMD_RSET] = "rset",
		[CLIENT_CMD_QUIT] = "quit",
	};

	if (c->state == CLIENT_READY && c->count && ready[c->last_sent])
		return ready[c->last_sent];
	return state_names[c->state];
}

void smtp_client_set_state(struct smtp_client *c, enum smtp_client_state state)
{
	c->state = (uint8_t)state;
}

void smtp_client_push(struct smtp_client *c, enum smtp_client_command command)
{
	unsigned at = (c->head + c->count) % SMTP_CLIENT_PENDING_MAX;
	unsigned shift = 4 * (at & 1);

	c->queue[at / 2] =
		(uint8_t)((c->queue[at / 2] & ~(15u << shift)) | (unsigned)command << shift);
	c->count++;
	c->last_sent = (uint8_t)command;
}

enum smtp_client_command smtp_client_queued(const struct smtp_client *c, uint8_t i)
{
	unsigned at = (c->head + i) % SMTP_CLIENT_PENDING_MAX;

	return c->queue[at / 2] >> 4 * (at & 1) & 15;
}

static enum smtp_client_command client_pop(struct smtp_client *c)
{
	enum smtp_client_command command = smtp_client_queued(c, 0);

	c->head = (uint8_t)((c->head + 1) % SMTP_CLIENT_PENDING_MAX);
	c->count--;
	return command;
}

static void client_put_buf(struct smtp_client *c)
{
	if (c->buf)
		c->config->replybuf_put(c->config->arg, c->buf);
	c->buf = NULL;
	c->buf_used = false;
}

static bool client_get_buf(struct smtp_client *c)
{
	if (c->buf)
		return true;
	c->buf = c->config->replybuf_get(c->config->arg);
	if (!c->buf)
		return false;
	c->buf->len = 0;
	c->buf->line_len = 0;
	return true;
}

void smtp_client_init(struct smtp_client *c, const struct smtp_client_config *config)
{
	*c = (struct smtp_client){.config = config, .state = CLIENT_CONNECT};
	smtp_client_push(c, CLIENT_CMD_BANNER);
}

void smtp_client_fini(struct smtp_client *c)
{
	client_put_buf(c);
	smtp_client_set_state(c, CLIENT_CLOSED);
}

static enum smtp_client_event client_broken(
	struct smtp_client *c, enum smtp_client_error error, struct smtp_client_ev *ev)
{
	client_put_buf(c);
	smtp_client_set_state(c, CLIENT_BROKEN);
	c->error = (uint8_t)error;
	ev->error = error;
	return SMTP_CLIENT_BROKEN;
}

static const struct {
	const char *keyword;
	uint32_t ext;
} keywords[] = {
	{"PIPELINING", SMTP_EXT_PIPELINING},
	{"SIZE", SMTP_EXT_SIZE},
	{"8BITMIME", SMTP_EXT_8BITMIME},
	{"SMTPUTF8", SMTP_EXT_SMTPUTF8},
	{"CHUNKING", SMTP_EXT_CHUNKING},
	{"ENHANCEDSTATUSCODES", SMTP_EXT_ENHANCEDSTATUSCODES},
	{"STARTTLS", SMTP_EXT_STARTTLS},
	{"DSN", SMTP_EXT_DSN},
	{"REQUIRETLS", SMTP_EXT_REQUIRETLS},
};

/* A line of the EHLO reply after its first, RFC 5321 4.1.1.1. */
static void client_learn(struct smtp_client *c, struct smtp_str line)
{
	struct smtp_str word = text_cut(&line, ' ');

	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (!text_equal_case(word, keywords[i].keyword))
			continue;
		c->ext |= keywords[i].ext;
		if (keywords[i].ext == SMTP_EXT_SIZE) {
			struct smtp_str number = text_cut(&line, ' ');

			if (!text_number(number, &c->size_limit))
				c->size_limit = 0;
		}
	}
}

/* Whether a code can be an answer to that command: anything else means that we lost step with the
 * next hop, and whatever it says after that could be taken for the verdict on another command. */
static bool client_code_fits(enum smtp_client_command command, uint16_t code)
{
	if (code >= 400)
		return true;
	switch (command) {
	case CLIENT_CMD_DATA:
		return code == 354;
	case CLIENT_CMD_BANNER:
	case CLIENT_CMD_STARTTLS:
		return code == 220;
	default:
		return code < 300;
	}
}

/* What a whole reply does to the session. */
static enum smtp_client_event client_answered(
	struct smtp_client *c, enum smtp_client_command command, uint16_t code)
{
	bool accepted = code < 400;

	if (code == 421)
		c->closing = true;
	switch (command) {
	case CLIENT_CMD_BANNER:
		smtp_client_set_state(c, accepted ? CLIENT_GREETED : CLIENT_REFUSED);
		return SMTP_CLIENT_BANNER;
	case CLIENT_CMD_EHLO:
	case CLIENT_CMD_HELO:
		smtp_client_set_state(c, accepted ? CLIENT_READY : CLIENT_GREETED);
		/* RFC 5321 3.2. */
		c->helo = command == CLIENT_CMD_EHLO && code >= 500;
		return SMTP_CLIENT_EHLO;
	case CLIENT_CMD_STARTTLS:
		if (accepted)
			smtp_client_set_state(c, CLIENT_TLS);
		return SMTP_CLIENT_STARTTLS;
	case CLIENT_CMD_MAIL:
		if (!accepted) {
			bool again = false;

			for (uint8_t i = 0; i < c->count; i++)
				again |= smtp_client_queued(c, i) == CLIENT_CMD_MAIL;
			if (!again)
				c->transaction = c->rcpt = c->bdat = false;
		}
		return SMTP_CLIENT_MAIL;
	case CLIENT_CMD_RCPT:
		return SMTP_CLIENT_RCPT;
	case CLIENT_CMD_DATA:
		if (accepted)
			smtp_client_set_state(c, CLIENT_BODY);
		return SMTP_CLIENT_DATA;
	case CLIENT_CMD_BDAT:
		return SMTP_CLIENT_BDAT;
	case CLIENT_CMD_END:
		c->transaction = c->rcpt = c->bdat = false;
		return SMTP_CLIENT_END_OF_BODY;
	case CLIENT_CMD_RSET:
		return SMTP_CLIENT_RSET;
	default:
		smtp_client_set_state(c, CLIENT_CLOSED);
		return SMTP_CLIENT_QUIT;
	}
}

/* Adds a line to the text of a reply of several. What does not fit is dropped. */
static void client_keep_text(struct smtp_replybuf *b, bool first, struct smtp_str text)
{
	size_t room = sizeof(b->data) - b->len;

	if (!first && room) {
		b->data[b->len++] = '\n';
		room--;
	}
	if (text.len > room)
		text.len = room;
	memcpy(b->data + b->len, text.data, text.len);
	b->len += (uint16_t)text.len;
}

/* A whole line, without its CRLF. MORE: another one follows. */
static enum smtp_client_event client_line(
	struct smtp_client *c, struct smtp_str text, struct smtp_client_ev *ev)
{
	enum smtp_client_command command = c->count ? smtp_client_queued(c, 0) : CLIENT_COMMANDS;
	bool hello = command == CLIENT_CMD_EHLO || command == CLIENT_CMD_HELO;
	bool first = c->code == 0;
	struct smtp_reply_line line;
	enum smtp_client_event event;

	if (smtp_reply_parse_line(
		    text.data, text.len, !hello && command != CLIENT_CMD_BANNER, &line) ||
		(!first && line.code != c->code))
		return client_broken(c, SMTP_CLIENT_ERR_SYNTAX, ev);
	if (first) {
		if (c->count == 0 && line.code != 421)
			return client_broken(c, SMTP_CLIENT_ERR_UNSOLICITED, ev);
		if (c->count && !client_code_fits(command, line.code))
			return client_broken(c, SMTP_CLIENT_ERR_SYNTAX, ev);
		c->code = line.code;
		c->lines = 0;
		c->status = line.status;
		if (hello) {
			c->ext = 0;
			c->size_limit = 0;
		}
	} else if (command == CLIENT_CMD_EHLO && c->code < 300) {
		client_learn(c, line.text);
	}
	if (++c->lines > LINES_MAX)
		return client_broken(c, SMTP_CLIENT_ERR_TOO_MANY_LINES, ev);
	if (line.more || !first) {
		if (!client_get_buf(c))
			return client_broken(c, SMTP_CLIENT_ERR_NO_BUFFER, ev);
		client_keep_text(c->buf, first, line.text);
		c->buf->line_len = 0;
		if (line.more)
			return SMTP_CLIENT_MORE;
		line.text = (struct smtp_str){(const char *)c->buf->data, c->buf->len};
	}
	ev->reply = (struct smtp_reply){.code = c->code, .status = c->status, .text = line.text};
	c->code = 0;
	c->buf_used = c->buf != NULL;
	if (c->count == 0) {
		smtp_client_set_state(c, CLIENT_CLOSED);
		return SMTP_CLIENT_SHUTDOWN;
	}
	event = client_answered(c, client_pop(c), ev->reply.code);
	return event;
}

enum smtp_client_event smtp_client_next(struct smtp_client *c, const uint8_t *data, size_t len,
	size_t *used, struct smtp_client_ev *ev)
{
	*used = 0;
	ev->error = SMTP_CLIENT_ERR_NONE;
	if (c->buf_used)
		client_put_buf(c);
	while (*used < len) {
		const uint8_t *p = data + *used;
		size_t before = c->buf ? c->buf->line_len : 0;
		struct smtp_str line;
		enum smtp_line_result r;
		enum smtp_client_event event;
		size_t n;

		if (c->state == CLIENT_BROKEN) {
			ev->error = c->error;
			return SMTP_CLIENT_BROKEN;
		}
		if (c->state == CLIENT_CLOSED) {
			*used = len;
			break;
		}
		if (c->state == CLIENT_TLS)
			return client_broken(c, SMTP_CLIENT_ERR_INJECTION, ev);
		r = smtp_line_find(p, len - *used, before,
			before && c->buf->line[before - 1] == '\r', SMTP_REPLY_LINE_MAX, &n);
		if (r == SMTP_LINE_TOO_LONG)
			return client_broken(c, SMTP_CLIENT_ERR_LINE_TOO_LONG, ev);
		if (r == SMTP_LINE_BARE_LF)
			return client_broken(c, SMTP_CLIENT_ERR_SYNTAX, ev);
		*used += n;
		line = (struct smtp_str){(const char *)p, n};
		if (r == SMTP_LINE_PART || before) {
			if (!client_get_buf(c))
				return client_broken(c, SMTP_CLIENT_ERR_NO_BUFFER, ev);
			memcpy(c->buf->line + before, p, n);
			c->buf->line_len = (uint16_t)(before + n);
			if (r == SMTP_LINE_PART)
				break;
			line = (struct smtp_str){(const char *)c->buf->line, before + n};
		}
		line.len -= 2;
		event = client_line(c, line, ev);
		/* RFC 3207 5, CVE-2011-0411: what came with the 220 was not sent over TLS. */
		if (c->state == CLIENT_TLS && *used < len)
			return client_broken(c, SMTP_CLIENT_ERR_INJECTION, ev);
		if (event != SMTP_CLIENT_MORE)
			return event;
	}
	return SMTP_CLIENT_MORE;
}

uint32_t smtp_client_ext(const struct smtp_client *c)
{
	return c->ext;
}

uint64_t smtp_client_size_limit(const struct smtp_client *c)
{
	return c->size_limit;
}

uint32_t smtp_client_pending(const struct smtp_client *c)
{
	return c->state == CLIENT_CONNECT ? 0 : c->count;
}

bool smtp_client_idle(const struct smtp_client *c)
{
	return c->state == CLIENT_READY && c->count == 0 && !c->transaction && !c->closing;
}
