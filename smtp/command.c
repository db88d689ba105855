/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/command.h"

#include "smtp/address.h"
#include "smtp/text.h"

#define SESSION (SMTP_CMD_BEFORE_EHLO | SMTP_CMD_IN_MAIL | SMTP_CMD_IN_BDAT | SMTP_CMD_IDLE)

static const struct smtp_command commands[] = {
	{"MAIL", SMTP_VERB_MAIL, SMTP_CMD_ARG | SMTP_CMD_UTF8},
	{"RCPT", SMTP_VERB_RCPT, SMTP_CMD_ARG | SMTP_CMD_UTF8 | SMTP_CMD_IN_MAIL},
	{"DATA", SMTP_VERB_DATA, SMTP_CMD_NO_ARG | SMTP_CMD_IN_MAIL},
	/* Its chunk is to be swallowed even where it is refused: server_bdat() checks the order. */
	{"BDAT", SMTP_VERB_BDAT,
		SMTP_CMD_BEFORE_EHLO | SMTP_CMD_IN_MAIL | SMTP_CMD_IN_BDAT | SMTP_CMD_SIGNED_OFF},
	{"EHLO", SMTP_VERB_EHLO, SMTP_CMD_ARG | SESSION},
	{"HELO", SMTP_VERB_HELO, SMTP_CMD_ARG | SESSION},
	{"STARTTLS", SMTP_VERB_STARTTLS, SMTP_CMD_NO_ARG},
	{"RSET", SMTP_VERB_RSET, SMTP_CMD_NO_ARG | SESSION},
	{"NOOP", SMTP_VERB_NOOP, SMTP_CMD_UTF8 | SESSION},
	{"VRFY", SMTP_VERB_VRFY, SMTP_CMD_ARG | SMTP_CMD_UTF8 | SESSION},
	{"HELP", SMTP_VERB_HELP, SESSION},
	{"QUIT", SMTP_VERB_QUIT,
		SMTP_CMD_NO_ARG | SMTP_CMD_BEFORE_EHLO | SMTP_CMD_IN_MAIL | SMTP_CMD_IN_BDAT |
			SMTP_CMD_SIGNED_OFF},
#define OTHER(name, flag)                   \
	{                                   \
		name, SMTP_VERB_OTHER, flag \
	}
	OTHER("AUTH", SMTP_CMD_NOT_IMPLEMENTED),
	OTHER("EXPN", SMTP_CMD_NOT_IMPLEMENTED),
	OTHER("ETRN", SMTP_CMD_NOT_IMPLEMENTED),
	OTHER("ATRN", SMTP_CMD_NOT_IMPLEMENTED),
	OTHER("TURN", SMTP_CMD_NOT_IMPLEMENTED),
	OTHER("BURL", SMTP_CMD_NOT_IMPLEMENTED),
	OTHER("SEND", SMTP_CMD_NOT_IMPLEMENTED),
	OTHER("SOML", SMTP_CMD_NOT_IMPLEMENTED),
	OTHER("SAML", SMTP_CMD_NOT_IMPLEMENTED),
	OTHER("XCLIENT", SMTP_CMD_NOT_IMPLEMENTED),
	OTHER("XFORWARD", SMTP_CMD_NOT_IMPLEMENTED),
	/* A browser or a proxy made to talk to us: nothing that it sends on may be read as mail. */
	OTHER("GET", SMTP_CMD_FOREIGN),
	OTHER("HEAD", SMTP_CMD_FOREIGN),
	OTHER("POST", SMTP_CMD_FOREIGN),
	OTHER("PUT", SMTP_CMD_FOREIGN),
	OTHER("DELETE", SMTP_CMD_FOREIGN),
	OTHER("OPTIONS", SMTP_CMD_FOREIGN),
	OTHER("CONNECT", SMTP_CMD_FOREIGN),
	OTHER("PRI", SMTP_CMD_FOREIGN),
#undef OTHER
};

const struct smtp_command *smtp_command_find(struct smtp_str name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (text_equal_case(name, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

bool smtp_command_parse_bdat(struct smtp_str arg, uint64_t *size, bool *last)
{
	struct smtp_str number = text_cut(&arg, ' ');

	text_skip_spaces(&arg);
	*last = arg.len != 0;
	return text_number(number, size) && (!*last || text_equal_case(arg, "LAST"));
}

bool smtp_command_helo_valid(struct smtp_str name)
{
	/* RFC 5321 4.1.4 lets a server check the name but not refuse for its meaning, and clients
	 * say all sorts of things: one word of graphic characters will do. */
	if (name.len > SMTP_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = (uint8_t)name.data[i];

		if (!text_is_alnum(c) && !memchr("-._:[]/#+", c, 9))
			return false;
	}
	return name.len > 0;
}
