/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands that a server knows (RFC 5321 4.1.1), and what holds for each before it is acted on.
 */
#ifndef POSTGATE_SMTP_COMMAND_H
#define POSTGATE_SMTP_COMMAND_H

#include "smtp/smtp.h"

enum smtp_verb {
	SMTP_VERB_EHLO,
	SMTP_VERB_HELO,
	SMTP_VERB_STARTTLS,
	SMTP_VERB_MAIL,
	SMTP_VERB_RCPT,
	SMTP_VERB_DATA,
	SMTP_VERB_BDAT,
	SMTP_VERB_RSET,
	SMTP_VERB_NOOP,
	SMTP_VERB_VRFY,
	SMTP_VERB_HELP,
	SMTP_VERB_QUIT,
	SMTP_VERB_OTHER, /* known by name, never acted on */
};

enum smtp_command_flag {
	SMTP_CMD_BEFORE_EHLO = 1u << 0, /* allowed before EHLO or HELO */
	SMTP_CMD_IN_MAIL = 1u << 1,     /* allowed while a transaction is open */
	SMTP_CMD_IN_BDAT = 1u << 2,     /* and between BDAT chunks, RFC 3030 2 */
	SMTP_CMD_NO_ARG = 1u << 3,
	SMTP_CMD_ARG = 1u << 4,        /* must have an argument */
	SMTP_CMD_UTF8 = 1u << 5,       /* the argument may have non-ASCII octets */
	SMTP_CMD_IDLE = 1u << 6,       /* brings no mail forward: counted */
	SMTP_CMD_SIGNED_OFF = 1u << 7, /* allowed after a 554 banner, RFC 5321 3.1 */
	SMTP_CMD_NOT_IMPLEMENTED = 1u << 8,
	SMTP_CMD_FOREIGN = 1u << 9, /* another protocol's: the session ends */
};

struct smtp_command {
	const char *name;
	enum smtp_verb verb;
	uint16_t flags; /* enum smtp_command_flag */
};

/* NULL: unknown. */
const struct smtp_command *smtp_command_find(struct smtp_str name);

/* BDAT's argument: size and whether LAST is there. False if malformed. */
bool smtp_command_parse_bdat(struct smtp_str arg, uint64_t *size, bool *last);
/* EHLO's: a domain or an address literal, checked so far that it is safe to repeat. */
bool smtp_command_helo_valid(struct smtp_str name);

#endif
