/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server engine's commands: each is checked here, answered if it needs no decision, and handed
 * to the owner if it does.
 */
#include "smtp/address.h"
#include "smtp/command.h"
#include "smtp/line.h"
#include "smtp/param.h"
#include "smtp/server_state.h"
#include "smtp/text.h"

static enum smtp_server_event command_await(struct smtp_server *s, enum smtp_server_event event)
{
	s->awaiting = (uint8_t)event;
	return event;
}

static enum smtp_server_event command_syntax(
	struct smtp_server *s, struct smtp_out *out, const char *text)
{
	return smtp_server_refuse(s, out, SMTP_ERR_SYNTAX, 501, 5, 4, text);
}

static enum smtp_server_event command_sequence(
	struct smtp_server *s, struct smtp_out *out, const char *text)
{
	return smtp_server_refuse(s, out, SMTP_ERR_SEQUENCE, 503, 5, 1, text);
}

static enum smtp_server_event command_ehlo(struct smtp_server *s, struct smtp_str arg, bool esmtp,
	struct smtp_out *out, struct smtp_server_ev *ev)
{
	if (!smtp_command_helo_valid(arg))
		return command_syntax(s, out, "Syntax: EHLO domain");
	s->esmtp = esmtp;
	ev->ehlo.name = arg;
	ev->ehlo.esmtp = esmtp;
	return command_await(s, SMTP_SERVER_EHLO);
}

static enum smtp_server_event command_starttls(struct smtp_server *s, struct smtp_out *out)
{
	if (s->tls)
		return command_sequence(s, out, "TLS is already active");
	if (!(s->ext & SMTP_EXT_STARTTLS))
		return smtp_server_refuse(
			s, out, SMTP_ERR_SEQUENCE, 502, 5, 1, "STARTTLS is not offered");
	return command_await(s, SMTP_SERVER_STARTTLS);
}

/* "FROM:" or "TO:" off the front of *arg, and the spaces after it that many clients send. */
static bool command_cut_keyword(struct smtp_str *arg, const char *keyword)
{
	size_t n = strlen(keyword);

	if (arg->len < n || !text_equal_case((struct smtp_str){arg->data, n}, keyword))
		return false;
	arg->data += n;
	arg->len -= n;
	text_skip_spaces(arg);
	return true;
}

/* The path off the front of *arg, and what is left are parameters. */
static bool command_cut_path(struct smtp_str *arg, enum smtp_path_kind kind, struct smtp_path *path)
{
	size_t used;

	if (smtp_path_parse(arg->data, arg->len, kind, path, &used) != 0)
		return false;
	if (used < arg->len && arg->data[used] != ' ')
		return false;
	arg->data += used;
	arg->len -= used;
	text_skip_spaces(arg);
	return true;
}

static enum smtp_server_event command_param_error(
	struct smtp_server *s, enum smtp_param_result r, struct smtp_out *out)
{
	if (r == SMTP_PARAM_SYNTAX)
		return smtp_server_refuse(s, out, SMTP_ERR_BAD_PARAMETER, 501, 5, 4,
			"Malformed or repeated parameter");
	return smtp_server_refuse(s, out, SMTP_ERR_BAD_PARAMETER, 555, 5, 4,
		"Parameter not recognized or not offered");
}

static enum smtp_server_event command_mail(
	struct smtp_server *s, struct smtp_str arg, struct smtp_out *out, struct smtp_server_ev *ev)
{
	struct smtp_mail *mail = &ev->mail;
	enum smtp_param_result r;

	*mail = (struct smtp_mail){};
	if (!command_cut_keyword(&arg, "FROM:"))
		return command_syntax(s, out, "Syntax: MAIL FROM:<address>");
	if (!command_cut_path(&arg, SMTP_PATH_REVERSE, &mail->from))
		return smtp_server_refuse(
			s, out, SMTP_ERR_SYNTAX, 501, 1, 7, "Bad sender address syntax");
	mail->params = arg;
	r = smtp_param_parse_mail(mail, s->ext);
	if (r != SMTP_PARAM_OK)
		return command_param_error(s, r, out);
	if (mail->from.utf8 && !mail->smtputf8)
		return smtp_server_refuse(
			s, out, SMTP_ERR_SYNTAX, 553, 6, 7, "Non-ASCII address without SMTPUTF8");
	if (s->size_limit && mail->size > s->size_limit) {
		/* RFC 1870 6.1. */
		smtp_server_count(s, SMTP_ERR_TOO_BIG);
		smtp_server_say(s, out, 552, 3, 4, "Message size exceeds the limit");
		return SMTP_SERVER_MORE;
	}
	s->smtputf8 = mail->smtputf8;
	return command_await(s, SMTP_SERVER_MAIL);
}

static enum smtp_server_event command_rcpt(
	struct smtp_server *s, struct smtp_str arg, struct smtp_out *out, struct smtp_server_ev *ev)
{
	struct smtp_rcpt *rcpt = &ev->rcpt;
	enum smtp_param_result r;

	*rcpt = (struct smtp_rcpt){};
	if (s->state != SERVER_MAIL && s->state != SERVER_RCPT)
		return command_sequence(s, out, "MAIL first");
	/* Unless the owner accepts it. */
	s->rcpt_refused = true;
	if (!command_cut_keyword(&arg, "TO:"))
		return command_syntax(s, out, "Syntax: RCPT TO:<address>");
	if (!command_cut_path(&arg, SMTP_PATH_FORWARD, &rcpt->to))
		return smtp_server_refuse(
			s, out, SMTP_ERR_SYNTAX, 501, 1, 3, "Bad recipient address syntax");
	rcpt->params = arg;
	r = smtp_param_parse_rcpt(rcpt, s->ext, s->smtputf8);
	if (r != SMTP_PARAM_OK)
		return command_param_error(s, r, out);
	if (rcpt->to.utf8 && !s->smtputf8)
		return smtp_server_refuse(
			s, out, SMTP_ERR_SYNTAX, 553, 6, 7, "Non-ASCII address without SMTPUTF8");
	if (s->recipients >= s->config->max_recipients) {
		/* RFC 5321 4.5.3.1.10. */
		smtp_server_count(s, SMTP_ERR_TOO_MANY);
		smtp_server_say(s, out, 452, 5, 3, "Too many recipients");
		return SMTP_SERVER_MORE;
	}
	return command_await(s, SMTP_SERVER_RCPT);
}

static enum smtp_server_event command_data(struct smtp_server *s, struct smtp_out *out)
{
	if (s->state == SERVER_RCPT)
		return command_await(s, SMTP_SERVER_DATA);
	if (s->state == SERVER_MAIL && s->rcpt_refused)
		return smtp_server_refuse(
			s, out, SMTP_ERR_SEQUENCE, 554, 5, 1, "No valid recipients");
	return command_sequence(s, out, s->state == SERVER_MAIL ? "RCPT first" : "MAIL first");
}

static enum smtp_server_event command_bdat(
	struct smtp_server *s, struct smtp_str arg, struct smtp_out *out, struct smtp_server_ev *ev)
{
	bool first = s->state == SERVER_RCPT;

	if (!smtp_command_parse_bdat(arg, &s->chunk_left, &s->last)) {
		/* Nobody knows where the chunk would end and commands go on: not a line more is
		 * read. */
		smtp_server_count(s, SMTP_ERR_SYNTAX);
		return smtp_server_give_up(
			s, out, SMTP_ERR_NONE, 5, 4, "Syntax: BDAT size [LAST]; closing");
	}
	if (!(s->ext & SMTP_EXT_CHUNKING) || (!first && s->state != SERVER_BDAT)) {
		s->resume = s->state;
		smtp_server_set_state(s, SERVER_SKIP);
		return SMTP_SERVER_MORE;
	}
	if (first) {
		smtp_body_init(&s->body, false, s->size_limit, s->config->max_received);
		s->rejected = false;
		s->body_error = SMTP_ERR_NONE;
	}
	ev->bdat.size = s->chunk_left;
	ev->bdat.last = s->last;
	ev->bdat.first = first;
	smtp_server_set_state(s, SERVER_CHUNK);
	return SMTP_SERVER_BDAT;
}

static enum smtp_server_event command_act(struct smtp_server *s, enum smtp_verb verb,
	struct smtp_str arg, struct smtp_out *out, struct smtp_server_ev *ev)
{
	switch (verb) {
	case SMTP_VERB_EHLO:
	case SMTP_VERB_HELO:
		return command_ehlo(s, arg, verb == SMTP_VERB_EHLO, out, ev);
	case SMTP_VERB_STARTTLS:
		return command_starttls(s, out);
	case SMTP_VERB_MAIL:
		return command_mail(s, arg, out, ev);
	case SMTP_VERB_RCPT:
		return command_rcpt(s, arg, out, ev);
	case SMTP_VERB_DATA:
		return command_data(s, out);
	case SMTP_VERB_BDAT:
		return command_bdat(s, arg, out, ev);
	case SMTP_VERB_RSET:
		smtp_server_end_transaction(s);
		smtp_server_say(s, out, 250, 0, 0, "Ok");
		return SMTP_SERVER_RSET;
	case SMTP_VERB_VRFY:
		/* RFC 5321 7.3. */
		smtp_server_say(s, out, 252, 5, 0, "Cannot verify; send it and see");
		return SMTP_SERVER_MORE;
	case SMTP_VERB_HELP:
		smtp_server_say(s, out, 214, 0, 0,
			"EHLO HELO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (RFC "
			"5321)");
		return SMTP_SERVER_MORE;
	case SMTP_VERB_QUIT:
		smtp_server_end_transaction(s);
		smtp_server_say(s, out, 221, 0, 0, "Bye");
		smtp_server_set_state(s, SERVER_CLOSED);
		return SMTP_SERVER_QUIT;
	default: /* NOOP */
		smtp_server_say(s, out, 250, 0, 0, "Ok");
		return SMTP_SERVER_MORE;
	}
}

/* Whether the state allows a command; else the reason why not. */
static const char *command_out_of_order(
	const struct smtp_server *s, const struct smtp_command *command)
{
	if (s->state == SERVER_REFUSED && !(command->flags & SMTP_CMD_SIGNED_OFF))
		return "No mail service here; QUIT";
	if (s->state == SERVER_GREETED && !(command->flags & SMTP_CMD_BEFORE_EHLO))
		return "EHLO first";
	if ((s->state == SERVER_MAIL || s->state == SERVER_RCPT) &&
		!(command->flags & SMTP_CMD_IN_MAIL))
		return "A transaction is open";
	if ((s->state == SERVER_BDAT || s->state == SERVER_BDAT_FAILED) &&
		!(command->flags & SMTP_CMD_IN_BDAT))
		return "BDAT, or RSET first";
	return NULL;
}

enum smtp_server_event smtp_server_command(struct smtp_server *s, struct smtp_str line,
	struct smtp_out *out, struct smtp_server_ev *ev)
{
	const struct smtp_command *command;
	const char *reason;
	struct smtp_str arg;
	bool ascii;

	/* RFC 5321 4.1.1: white space at the end of the line is to be tolerated. */
	while (line.len && line.data[line.len - 1] == ' ')
		line.len--;
	if (!smtp_line_text_valid(line.data, line.len, &ascii))
		return smtp_server_refuse(s, out, SMTP_ERR_SYNTAX, 500, 5, 2,
			"Control or malformed octets in command");
	arg = line;
	command = smtp_command_find(text_cut(&arg, ' '));
	if (!command)
		return smtp_server_refuse(
			s, out, SMTP_ERR_UNKNOWN_COMMAND, 500, 5, 2, "Command not recognized");
	if (command->flags & SMTP_CMD_FOREIGN)
		return smtp_server_give_up(
			s, out, SMTP_ERR_UNKNOWN_COMMAND, 7, 0, "This is SMTP; closing");
	reason = command_out_of_order(s, command);
	if (command->flags & SMTP_CMD_NOT_IMPLEMENTED)
		return smtp_server_refuse(
			s, out, SMTP_ERR_UNKNOWN_COMMAND, 502, 5, 1, "Command not implemented");
	if (reason)
		return command_sequence(s, out, reason);
	if (!ascii && !(command->flags & SMTP_CMD_UTF8))
		return smtp_server_refuse(
			s, out, SMTP_ERR_SYNTAX, 500, 5, 2, "Non-ASCII octets in command");
	text_skip_spaces(&arg);
	if (arg.len && (command->flags & SMTP_CMD_NO_ARG))
		return command_syntax(s, out, "No parameters allowed");
	if (!arg.len && (command->flags & SMTP_CMD_ARG))
		return command_syntax(s, out, "Argument missing");
	if (command->flags & SMTP_CMD_IDLE) {
		uint32_t max = s->config->max_commands_without_mail;

		if (max && ++s->idle_commands > max)
			return smtp_server_give_up(s, out, SMTP_ERR_TOO_MANY, 7, 0,
				"Too many commands without mail; closing");
	}
	return command_act(s, command->verb, arg, out, ev);
}
