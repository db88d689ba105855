/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/smtp/drive.h"

#define CHECK(cond)                                                                               \
	do {                                                                                      \
		if (!(cond)) {                                                                    \
			fprintf(stderr, "%s:%d: %s\n%s\n", __FILE__, __LINE__, #cond, r->d->log); \
			abort();                                                                  \
		}                                                                                 \
	} while (0)

struct run {
	struct drive *d;
	const struct drive_server_options *o;
	struct smtp_server s;
	struct smtp_out out;
	uint8_t buf[SMTP_SERVER_OUT_MIN + 7];
	bool drop, nodata, chunkfail;
	bool bad;       /* the message broke a rule */
	bool bdat;      /* its octets came in chunks */
	uint64_t chunk; /* octets of the chunk not handed out yet */
};

static struct smtp_linebuf *run_get(void *arg)
{
	struct run *r = arg;
	struct smtp_linebuf *b;

	if (r->o->no_buffer)
		return NULL;
	b = malloc(sizeof(*b));
	CHECK(b);
	r->d->lent++;
	return b;
}

static void run_put(void *arg, struct smtp_linebuf *b)
{
	struct run *r = arg;

	r->d->lent--;
	free(b);
}

static void run_drain(struct run *r)
{
	size_t at = 0;

	while (at < r->out.len) {
		uint8_t *nl = memchr(r->out.data + at, '\n', r->out.len - at);

		CHECK(nl && nl > r->out.data && nl[-1] == '\r');
		drive_log(r->d, "S: ");
		drive_log_octets(r->d, r->out.data + at, (size_t)(nl - 1 - (r->out.data + at)));
		drive_log(r->d, "\n");
		CHECK((size_t)(nl + 1 - (r->out.data + at)) <= 512);
		at = (size_t)(nl + 1 - r->out.data);
	}
	r->out.len = 0;
}

static void run_reply(
	struct run *r, uint16_t code, uint16_t subject, uint16_t detail, const char *text)
{
	struct smtp_status status = {(uint8_t)(code / 100), subject, detail};
	int rc = smtp_server_reply(
		&r->s, code, status, (struct smtp_str){text, strlen(text)}, &r->out);

	CHECK(rc == 0);
	run_drain(r);
	CHECK(smtp_server_reply(&r->s, code, status, (struct smtp_str){text, strlen(text)},
		      &r->out) == -EPROTO);
}

static bool is(struct smtp_str s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.data, word, s.len) == 0;
}

static void run_flush_body(struct run *r)
{
	struct drive *d = r->d;

	if (!d->body_len)
		return;
	drive_log(d, "BODY ");
	drive_log_octets(d, d->body, d->body_len);
	drive_log(d, "\n");
	d->body_len = 0;
}

static void run_keep(uint8_t **to, size_t *to_len, const uint8_t *data, size_t len)
{
	*to = realloc(*to, *to_len + len);
	if (!*to)
		abort();
	memcpy(*to + *to_len, data, len);
	*to_len += len;
}

/* What was handed out of a message holds no bare CR or LF, and no end mark. */
static void run_check_message(struct run *r, bool whole)
{
	const uint8_t *m = r->d->message;
	size_t len = r->d->message_len;

	for (size_t i = 0; i < len; i++) {
		if (m[i] == '\n')
			CHECK(i > 0 && m[i - 1] == '\r');
		/* A chunk's last CR may go out before the next chunk shows that it was bare. */
		if (m[i] == '\r')
			CHECK(i + 1 < len ? m[i + 1] == '\n' : r->bdat && !whole);
		if (!r->bdat && m[i] == '.' && (i == 0 || m[i - 1] == '\n'))
			CHECK(i + 1 < len && m[i + 1] != '\r' && m[i + 1] != '\n');
	}
	if (whole && !r->bdat && len)
		CHECK(m[len - 1] == '\n');
}

static void run_message_begins(struct run *r, bool bdat)
{
	r->bdat = bdat;
	r->bad = false;
	r->d->message_len = 0;
	if (r->drop)
		smtp_server_reject_body(&r->s);
}

static void run_ehlo(struct run *r, const struct smtp_server_ev *ev)
{
	uint32_t all = SMTP_EXT_PIPELINING | SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 |
		       SMTP_EXT_CHUNKING | SMTP_EXT_ENHANCEDSTATUSCODES | SMTP_EXT_STARTTLS |
		       SMTP_EXT_DSN | SMTP_EXT_REQUIRETLS;

	drive_log(r->d, "%s ", ev->ehlo.esmtp ? "EHLO" : "HELO");
	drive_log_octets(r->d, ev->ehlo.name.data, ev->ehlo.name.len);
	drive_log(r->d, "\n");
	if (is(ev->ehlo.name, "refused.example")) {
		run_reply(r, 550, 7, 1, "No");
		return;
	}
	if (is(ev->ehlo.name, "plain.example"))
		all = 0;
	if (is(ev->ehlo.name, "bare.example"))
		all &= ~(uint32_t)SMTP_EXT_CHUNKING;
	CHECK(smtp_server_ehlo(&r->s, all, r->o->size_limit, &r->out) == 0);
	run_drain(r);
}

static void run_log_path(
	struct run *r, const char *what, const struct smtp_path *p, struct smtp_str params)
{
	drive_log(r->d, "%s <", what);
	drive_log_octets(r->d, p->raw.data, p->raw.len);
	drive_log(r->d, ">%s%s", p->literal ? " literal" : "", p->utf8 ? " utf8" : "");
	if (params.len) {
		drive_log(r->d, " [");
		drive_log_octets(r->d, params.data, params.len);
		drive_log(r->d, "]");
	}
}

static void run_event(struct run *r, enum smtp_server_event type, struct smtp_server_ev *ev)
{
	struct drive *d = r->d;

	switch (type) {
	case SMTP_SERVER_EHLO:
		run_ehlo(r, ev);
		break;
	case SMTP_SERVER_STARTTLS:
		drive_log(d, "STARTTLS\n");
		run_reply(r, 220, 0, 0, "Go");
		break;
	case SMTP_SERVER_MAIL:
		run_log_path(r, "MAIL", &ev->mail.from, ev->mail.params);
		drive_log(d, "%s%s%s", ev->mail.body_8bit ? " 8bit" : "",
			ev->mail.smtputf8 ? " smtputf8" : "",
			ev->mail.requiretls ? " requiretls" : "");
		if (ev->mail.size)
			drive_log(d, " %llu", (unsigned long long)ev->mail.size);
		drive_log(d, "\n");
		r->drop = is(ev->mail.from.local, "drop");
		r->nodata = is(ev->mail.from.local, "nodata");
		r->chunkfail = is(ev->mail.from.local, "chunkfail");
		if (is(ev->mail.from.local, "refused"))
			run_reply(r, 550, 1, 8, "No");
		else if (is(ev->mail.from.local, "bye"))
			run_reply(r, 421, 3, 2, "Bye");
		else
			run_reply(r, 250, 1, 0, "Ok");
		break;
	case SMTP_SERVER_RCPT:
		run_log_path(r, "RCPT", &ev->rcpt.to, ev->rcpt.params);
		drive_log(d, "\n");
		if (is(ev->rcpt.to.local, "no"))
			run_reply(r, 550, 1, 1, "No");
		else if (is(ev->rcpt.to.local, "later"))
			run_reply(r, 451, 3, 0, "Later");
		else
			run_reply(r, 250, 1, 5, "Ok");
		break;
	case SMTP_SERVER_DATA:
		drive_log(d, "DATA\n");
		CHECK(smtp_server_waiting(&r->s) == SMTP_WAIT_ANSWER);
		if (r->nodata) {
			run_reply(r, 451, 3, 0, "Later");
			break;
		}
		run_reply(r, 354, 0, 0, "Go");
		CHECK(smtp_server_in_body(&r->s) && smtp_server_waiting(&r->s) == SMTP_WAIT_BODY);
		run_message_begins(r, false);
		break;
	case SMTP_SERVER_BDAT:
		drive_log(d, "BDAT %llu%s%s\n", (unsigned long long)ev->bdat.size,
			ev->bdat.first ? " first" : "", ev->bdat.last ? " last" : "");
		if (ev->bdat.first)
			run_message_begins(r, true);
		r->chunk = ev->bdat.size;
		break;
	case SMTP_SERVER_BODY:
		CHECK(!r->drop && !r->bad && ev->body.len);
		run_keep(&d->body, &d->body_len, ev->body.data, ev->body.len);
		run_keep(&d->message, &d->message_len, ev->body.data, ev->body.len);
		if (r->bdat)
			CHECK(ev->body.len <= r->chunk);
		r->chunk -= ev->body.len;
		break;
	case SMTP_SERVER_BDAT_END:
		drive_log(d, "BDAT_END\n");
		CHECK(r->drop || r->chunk == 0);
		run_check_message(r, false);
		if (r->chunkfail)
			run_reply(r, 452, 3, 1, "Full");
		else
			run_reply(r, 250, 0, 0, "Ok");
		break;
	case SMTP_SERVER_BODY_END:
		drive_log(d, "BODY_END\n");
		CHECK(r->drop || !r->bdat || r->chunk == 0);
		run_check_message(r, true);
		if (r->drop)
			run_reply(r, 451, 4, 2, "Dropped");
		else
			run_reply(r, 250, 0, 0, "Queued");
		CHECK(!smtp_server_in_transaction(&r->s));
		break;
	case SMTP_SERVER_BODY_BAD:
		CHECK(!r->bad && ev->error != SMTP_ERR_NONE);
		r->bad = true;
		run_check_message(r, false);
		drive_log(d, "BODY_BAD %s\n", smtp_server_error_name(ev->error));
		break;
	case SMTP_SERVER_RSET:
		CHECK(!smtp_server_in_transaction(&r->s));
		drive_log(d, "RSET\n");
		break;
	default:
		CHECK(!"event");
	}
}

/* Feeds one piece; false: the session is over. */
static bool run_piece(struct run *r, const uint8_t *data, size_t len)
{
	unsigned idle = 0;

	for (;;) {
		struct smtp_server_ev ev;
		enum smtp_server_event type;
		size_t used;

		type = smtp_server_next(&r->s, data, len, &used, &r->out, &ev);
		CHECK(used <= len);
		data += used;
		len -= used;
		idle = used ? 0 : idle + 1;
		CHECK(idle < 8);
		if (type != SMTP_SERVER_BODY && (r->out.len || type > SMTP_SERVER_BLOCKED))
			run_flush_body(r);
		run_drain(r);
		switch (type) {
		case SMTP_SERVER_MORE:
			CHECK(len == 0 && !smtp_server_due(&r->s));
			return true;
		case SMTP_SERVER_BLOCKED:
			/* Everything is answered at once, so what it wanted was room. */
			CHECK(smtp_server_waiting(&r->s) != SMTP_WAIT_ANSWER);
			break;
		case SMTP_SERVER_QUIT:
		case SMTP_SERVER_END:
			drive_log(r->d, "%s\n", type == SMTP_SERVER_QUIT ? "QUIT" : "END");
			CHECK(smtp_server_next(&r->s, data, len, &used, &r->out, &ev) ==
				SMTP_SERVER_END);
			return false;
		default:
			run_event(r, type, &ev);
			if (type == SMTP_SERVER_STARTTLS) {
				CHECK(smtp_server_next(&r->s, data, len, &used, &r->out, &ev) ==
						SMTP_SERVER_BLOCKED &&
					used == 0);
				smtp_server_tls_started(&r->s);
			}
			break;
		}
	}
}

void drive_server(struct drive *d, const struct drive_server_options *o, const uint8_t *in,
	size_t len, struct drive_cut *cut)
{
	struct run *r = calloc(1, sizeof(*r));
	struct smtp_server_config config = {
		.hostname = "mx.example.org",
		.max_recipients = o->max_recipients ? o->max_recipients : 100,
		.max_bad_commands = o->max_bad ? o->max_bad : 10,
		.max_commands_without_mail = o->max_idle,
		.max_received = o->max_received,
		.linebuf_get = run_get,
		.linebuf_put = run_put,
		.arg = r,
		.errors = o->errors,
	};
	bool open = true;

	if (!r)
		abort();
	r->d = d;
	r->o = o;
	r->out = (struct smtp_out){.data = r->buf, .size = sizeof(r->buf)};
	smtp_server_init(&r->s, &config);
	CHECK(smtp_server_banner(&r->s, o->banner ? o->banner : 220, "ESMTP", &r->out) == 0);
	run_drain(r);
	while (len && open) {
		size_t n = cut->next(cut, len);
		/* Of exactly its size and gone afterwards, so that a sanitizer sees what is read
		 * beyond or kept too long. */
		uint8_t *piece = malloc(n);

		if (!piece)
			abort();
		memcpy(piece, in, n);
		open = run_piece(r, piece, n);
		free(piece);
		in += n;
		len -= n;
	}
	run_flush_body(r);
	drive_log(d, "(%s)\n", smtp_server_state_name(&r->s));
	smtp_server_fini(&r->s);
	free(r);
}
