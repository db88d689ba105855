/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client engine's commands: checked for their order, written whole or not at all.
 */
#include <errno.h>

#include "smtp/client_state.h"
#include "smtp/param.h"
#include "smtp/text.h"

/* RFC 2920 3.1: these end a group, nothing is sent behind them before their reply is in. The dot
 * and BDAT LAST could be followed; we want the verdict on one message before the next begins. */
static bool client_ends_group(enum smtp_client_command command)
{
	return command != CLIENT_CMD_MAIL && command != CLIENT_CMD_RCPT &&
	       command != CLIENT_CMD_BDAT && command != CLIENT_CMD_RSET;
}

/* Whether a command may be sent now, as far as it depends on what is still unanswered. */
static bool client_may_send(const struct smtp_client *c)
{
	if (c->closing || c->count == SMTP_CLIENT_PENDING_MAX)
		return false;
	if (c->count == 0)
		return true;
	return (c->ext & SMTP_EXT_PIPELINING) && !client_ends_group(c->last_sent);
}

static int client_send(struct smtp_client *c, enum smtp_client_command command,
	struct text_writer *w, struct smtp_out *out)
{
	text_puts(w, "\r\n");
	if (!text_out_commit(w, out))
		return -ENOBUFS;
	smtp_client_push(c, command);
	return 0;
}

static int client_hello(
	struct smtp_client *c, enum smtp_client_command command, struct smtp_out *out)
{
	struct text_writer w = text_out(out);
	int rc;

	text_puts(&w, command == CLIENT_CMD_EHLO ? "EHLO " : "HELO ");
	text_puts(&w, c->config->hostname);
	rc = client_send(c, command, &w, out);
	if (rc == 0)
		c->helo = false;
	return rc;
}

int smtp_client_ehlo(struct smtp_client *c, struct smtp_out *out)
{
	if ((c->state != CLIENT_GREETED && c->state != CLIENT_READY) || c->count ||
		c->transaction || !client_may_send(c))
		return -EPROTO;
	return client_hello(c, CLIENT_CMD_EHLO, out);
}

bool smtp_client_can_helo(const struct smtp_client *c)
{
	return c->state == CLIENT_GREETED && c->helo && client_may_send(c);
}

int smtp_client_helo(struct smtp_client *c, struct smtp_out *out)
{
	if (!smtp_client_can_helo(c))
		return -EPROTO;
	return client_hello(c, CLIENT_CMD_HELO, out);
}

int smtp_client_starttls(struct smtp_client *c, struct smtp_out *out)
{
	struct text_writer w = text_out(out);

	if (!smtp_client_idle(c) || c->tls || !(c->ext & SMTP_EXT_STARTTLS))
		return -EPROTO;
	text_puts(&w, "STARTTLS");
	return client_send(c, CLIENT_CMD_STARTTLS, &w, out);
}

void smtp_client_tls_started(struct smtp_client *c)
{
	smtp_client_fini(c);
	/* RFC 3207 4.2: nothing that the next hop said holds. */
	*c = (struct smtp_client){.config = c->config, .state = CLIENT_GREETED, .tls = true};
}

/* What goes onto a command line as given must not be able to end it. */
static bool client_text_safe(struct smtp_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((uint8_t)s.data[i] < ' ' || s.data[i] == 0x7f)
			return false;
	}
	return true;
}

static void client_put_path(struct text_writer *w, const char *verb, const struct smtp_path *path)
{
	text_puts(w, verb);
	text_put_str(w, path->raw);
	text_puts(w, ">");
}

/* The parameters of RFC 3461, as the client gave them. */
static void client_put_dsn(struct text_writer *w, struct smtp_str params, uint32_t names)
{
	struct smtp_str whole, value;
	enum smtp_param_name name;

	while (smtp_param_next(&params, &whole, &name, &value)) {
		if (!(names & 1u << name))
			continue;
		text_puts(w, " ");
		text_put_str(w, whole);
	}
}

int smtp_client_mail(struct smtp_client *c, const struct smtp_mail *mail, struct smtp_out *out)
{
	struct text_writer w = text_out(out);
	int rc;

	if (c->state != CLIENT_READY || c->transaction || !client_may_send(c))
		return -EPROTO;
	if (!client_text_safe(mail->from.raw) || !client_text_safe(mail->params))
		return -EINVAL;
	if (mail->smtputf8 ? !(c->ext & SMTP_EXT_SMTPUTF8) : mail->from.utf8)
		return -EINVAL;
	/* RFC 8689 4.2.1: over TLS, and offered there. */
	if (mail->requiretls && !(c->tls && (c->ext & SMTP_EXT_REQUIRETLS)))
		return -EINVAL;
	client_put_path(&w, "MAIL FROM:<", &mail->from);
	if (mail->size && (c->ext & SMTP_EXT_SIZE)) {
		text_puts(&w, " SIZE=");
		text_put_number(&w, mail->size, 1);
	}
	if (mail->body_8bit && (c->ext & SMTP_EXT_8BITMIME))
		text_puts(&w, " BODY=8BITMIME");
	if (mail->smtputf8)
		text_puts(&w, " SMTPUTF8");
	if (mail->requiretls)
		text_puts(&w, " REQUIRETLS");
	if (c->ext & SMTP_EXT_DSN)
		client_put_dsn(&w, mail->params, 1u << SMTP_PARAM_RET | 1u << SMTP_PARAM_ENVID);
	rc = client_send(c, CLIENT_CMD_MAIL, &w, out);
	if (rc == 0) {
		c->transaction = true;
		c->rcpt = c->bdat = false;
	}
	return rc;
}

int smtp_client_rcpt(struct smtp_client *c, const struct smtp_rcpt *rcpt, struct smtp_out *out)
{
	struct text_writer w = text_out(out);
	int rc;

	if (c->state != CLIENT_READY || !c->transaction || c->bdat || !client_may_send(c))
		return -EPROTO;
	if (!client_text_safe(rcpt->to.raw) || !client_text_safe(rcpt->params) || !rcpt->to.raw.len)
		return -EINVAL;
	if (rcpt->to.utf8 && !(c->ext & SMTP_EXT_SMTPUTF8))
		return -EINVAL;
	client_put_path(&w, "RCPT TO:<", &rcpt->to);
	if (c->ext & SMTP_EXT_DSN)
		client_put_dsn(&w, rcpt->params, 1u << SMTP_PARAM_NOTIFY | 1u << SMTP_PARAM_ORCPT);
	rc = client_send(c, CLIENT_CMD_RCPT, &w, out);
	if (rc == 0)
		c->rcpt = true;
	return rc;
}

int smtp_client_data(struct smtp_client *c, struct smtp_out *out)
{
	struct text_writer w = text_out(out);

	if (c->state != CLIENT_READY || !c->transaction || !c->rcpt || c->bdat ||
		!client_may_send(c))
		return -EPROTO;
	text_puts(&w, "DATA");
	return client_send(c, CLIENT_CMD_DATA, &w, out);
}

int smtp_client_bdat(struct smtp_client *c, uint64_t size, bool last, struct smtp_out *out)
{
	struct text_writer w = text_out(out);
	int rc;

	if (c->state != CLIENT_READY || !c->transaction || !c->rcpt || !client_may_send(c) ||
		!(c->ext & SMTP_EXT_CHUNKING))
		return -EPROTO;
	text_puts(&w, "BDAT ");
	text_put_number(&w, size, 1);
	text_puts(&w, last ? " LAST" : "");
	rc = client_send(c, last ? CLIENT_CMD_END : CLIENT_CMD_BDAT, &w, out);
	if (rc == 0)
		c->bdat = true;
	return rc;
}

int smtp_client_dot(struct smtp_client *c, bool body_ended_in_crlf, struct smtp_out *out)
{
	struct text_writer w = text_out(out);
	int rc;

	if (c->state != CLIENT_BODY || c->closing)
		return -EPROTO;
	text_puts(&w, body_ended_in_crlf ? "." : "\r\n.");
	rc = client_send(c, CLIENT_CMD_END, &w, out);
	if (rc == 0)
		smtp_client_set_state(c, CLIENT_READY);
	return rc;
}

int smtp_client_rset(struct smtp_client *c, struct smtp_out *out)
{
	struct text_writer w = text_out(out);
	int rc;

	if (c->state != CLIENT_READY || !client_may_send(c))
		return -EPROTO;
	text_puts(&w, "RSET");
	rc = client_send(c, CLIENT_CMD_RSET, &w, out);
	if (rc == 0)
		c->transaction = c->rcpt = c->bdat = false;
	return rc;
}

int smtp_client_quit(struct smtp_client *c, struct smtp_out *out)
{
	struct text_writer w = text_out(out);
	int rc;

	if ((c->state != CLIENT_READY && c->state != CLIENT_GREETED &&
		    c->state != CLIENT_REFUSED) ||
		!client_may_send(c))
		return -EPROTO;
	text_puts(&w, "QUIT");
	rc = client_send(c, CLIENT_CMD_QUIT, &w, out);
	if (rc == 0)
		c->closing = true;
	return rc;
}
