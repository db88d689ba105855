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
	struct smtp_client c;
	struct smtp_out out;
	uint8_t buf[2048];
	unsigned messages;
	unsigned sent;  /* of this message's commands */
	bool accepted;  /* MAIL and a recipient of it */
	bool tls_waits; /* a 220 to STARTTLS is in; not written down yet */
};

static struct smtp_replybuf *run_get(void *arg)
{
	struct run *r = arg;
	struct smtp_replybuf *b = malloc(sizeof(*b));

	CHECK(b);
	r->d->lent++;
	return b;
}

static void run_put(void *arg, struct smtp_replybuf *b)
{
	struct run *r = arg;

	r->d->lent--;
	free(b);
}

static void run_sent(struct run *r, int rc)
{
	if (rc != 0) {
		CHECK(rc == -EPROTO && r->out.len == 0);
		drive_log(r->d, "C refused\n");
		return;
	}
	CHECK(r->out.len >= 2 && r->buf[r->out.len - 1] == '\n');
	drive_log(r->d, "C: ");
	drive_log_octets(r->d, r->buf, r->out.len - 2);
	drive_log(r->d, "\n");
	r->out.len = 0;
}

/* The next command of the message; false: wait. */
static bool run_step(struct run *r)
{
	static const struct smtp_mail mail = {
		.from = {.raw = {"a@b", 3}, .local = {"a", 1}, .domain = {"b", 1}},
		.params = {"RET=HDRS FOO=1", 14},
		.size = 99,
		.body_8bit = true,
	};
	static const struct smtp_rcpt rcpt = {
		.to = {.raw = {"c@d", 3}, .local = {"c", 1}, .domain = {"d", 1}},
		.params = {"NOTIFY=NEVER", 12},
	};
	bool chunks = r->messages == 1 && (smtp_client_ext(&r->c) & SMTP_EXT_CHUNKING);

	switch (r->sent++) {
	case 0:
		r->accepted = false;
		run_sent(r, smtp_client_mail(&r->c, &mail, &r->out));
		return true;
	case 1:
	case 2:
		run_sent(r, smtp_client_rcpt(&r->c, &rcpt, &r->out));
		return true;
	case 3:
		if (!chunks) {
			run_sent(r, smtp_client_data(&r->c, &r->out));
			return false;
		}
		run_sent(r, smtp_client_bdat(&r->c, 3, false, &r->out));
		return true;
	case 4:
		if (chunks)
			run_sent(r, smtp_client_bdat(&r->c, 0, true, &r->out));
		return false;
	default:
		return false;
	}
}

static void run_go_on(struct run *r)
{
	bool pipelining = smtp_client_ext(&r->c) & SMTP_EXT_PIPELINING;

	if (smtp_client_pending(&r->c) == 0 || pipelining) {
		while (run_step(r) && pipelining)
			;
	}
}

static void run_message_ends(struct run *r)
{
	r->messages++;
	r->sent = 0;
	if (!smtp_client_idle(&r->c)) {
		run_sent(r, smtp_client_rset(&r->c, &r->out));
		return;
	}
	if (r->messages < 2)
		run_go_on(r);
	else
		run_sent(r, smtp_client_quit(&r->c, &r->out));
}

static void run_log_event(struct run *r, const char *name, const struct smtp_reply *reply)
{
	CHECK(reply->code >= 200 && reply->code <= 599);
	CHECK(reply->text.len <= SMTP_CLIENT_REPLY_MAX);
	drive_log(r->d, "%s %u %u.%u.%u ", name, reply->code, reply->status.class,
		reply->status.subject, reply->status.detail);
	drive_log_octets(r->d, reply->text.data, reply->text.len);
	drive_log(r->d, "\n");
}

static void run_event(struct run *r, enum smtp_client_event type, const struct smtp_client_ev *ev)
{
	static const char *const names[] = {
		[SMTP_CLIENT_BANNER] = "BANNER",
		[SMTP_CLIENT_EHLO] = "EHLO",
		[SMTP_CLIENT_STARTTLS] = "STARTTLS",
		[SMTP_CLIENT_MAIL] = "MAIL",
		[SMTP_CLIENT_RCPT] = "RCPT",
		[SMTP_CLIENT_DATA] = "DATA",
		[SMTP_CLIENT_BDAT] = "BDAT",
		[SMTP_CLIENT_END_OF_BODY] = "END_OF_BODY",
		[SMTP_CLIENT_RSET] = "RSET",
		[SMTP_CLIENT_QUIT] = "QUIT",
		[SMTP_CLIENT_SHUTDOWN] = "SHUTDOWN",
	};
	bool yes = ev->reply.code < 400;

	if (type == SMTP_CLIENT_STARTTLS && yes) {
		r->tls_waits = true;
		return;
	}
	run_log_event(r, names[type], &ev->reply);
	switch (type) {
	case SMTP_CLIENT_BANNER:
		run_sent(r,
			yes ? smtp_client_ehlo(&r->c, &r->out) : smtp_client_quit(&r->c, &r->out));
		break;
	case SMTP_CLIENT_EHLO:
		drive_log(r->d, "ext %x size %llu\n", smtp_client_ext(&r->c),
			(unsigned long long)smtp_client_size_limit(&r->c));
		if (smtp_client_can_helo(&r->c))
			run_sent(r, smtp_client_helo(&r->c, &r->out));
		else if (!yes)
			run_sent(r, smtp_client_quit(&r->c, &r->out));
		else if (smtp_client_starttls(&r->c, &r->out) == 0)
			run_sent(r, 0);
		else
			run_go_on(r);
		break;
	case SMTP_CLIENT_STARTTLS:
		run_go_on(r);
		break;
	case SMTP_CLIENT_MAIL:
		if (!yes && smtp_client_pending(&r->c) == 0)
			run_message_ends(r);
		else
			run_go_on(r);
		break;
	case SMTP_CLIENT_RCPT:
		run_go_on(r);
		break;
	case SMTP_CLIENT_DATA:
		if (yes)
			run_sent(r, smtp_client_dot(&r->c, r->messages == 0, &r->out));
		else
			run_message_ends(r);
		break;
	case SMTP_CLIENT_BDAT:
		run_go_on(r);
		break;
	case SMTP_CLIENT_END_OF_BODY:
	case SMTP_CLIENT_RSET:
		run_message_ends(r);
		break;
	default:
		break;
	}
}

/* False: the connection is to be dropped. */
static bool run_piece(struct run *r, const uint8_t *data, size_t len)
{
	for (;;) {
		struct smtp_client_ev ev;
		enum smtp_client_event type;
		size_t used;

		type = smtp_client_next(&r->c, data, len, &used, &ev);
		CHECK(used <= len);
		data += used;
		len -= used;
		if (type == SMTP_CLIENT_BROKEN) {
			drive_log(r->d, "BROKEN %s\n", smtp_client_error_name(ev.error));
			CHECK(ev.error != SMTP_CLIENT_ERR_NONE);
			return false;
		}
		if (type == SMTP_CLIENT_MORE) {
			CHECK(len == 0);
			return true;
		}
		run_event(r, type, &ev);
	}
}

void drive_client(struct drive *d, const uint8_t *in, size_t len, struct drive_cut *cut)
{
	struct run *r = calloc(1, sizeof(*r));
	struct smtp_client_config config = {
		.hostname = "gw.example",
		.replybuf_get = run_get,
		.replybuf_put = run_put,
		.arg = r,
	};
	bool open = true;

	if (!r)
		abort();
	r->d = d;
	r->out = (struct smtp_out){.data = r->buf, .size = sizeof(r->buf)};
	smtp_client_init(&r->c, &config);
	while (len && open) {
		const uint8_t *mark = memchr(in, 0xff, len);
		size_t run = mark ? (size_t)(mark - in) : len;

		while (run && open) {
			size_t n = cut->next(cut, run);
			uint8_t *piece = malloc(n);

			if (!piece)
				abort();
			memcpy(piece, in, n);
			open = run_piece(r, piece, n);
			free(piece);
			in += n;
			len -= n;
			run -= n;
		}
		if (!mark || !open)
			break;
		in++;
		len--;
		if (r->tls_waits) {
			drive_log(d, "STARTTLS\n");
			r->tls_waits = false;
			smtp_client_tls_started(&r->c);
			run_sent(r, smtp_client_ehlo(&r->c, &r->out));
		}
	}
	drive_log(d, "(%s)\n", smtp_client_state_name(&r->c));
	smtp_client_fini(&r->c);
	free(r);
}
