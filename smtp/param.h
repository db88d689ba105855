/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parameters of MAIL and RCPT, RFC 5321 4.1.1.11 and the extensions that define them. What a client
 * may give is what the last EHLO reply offered.
 */
#ifndef POSTGATE_SMTP_PARAM_H
#define POSTGATE_SMTP_PARAM_H

#include "smtp/smtp.h"

enum smtp_param_result {
	SMTP_PARAM_OK,
	SMTP_PARAM_SYNTAX,  /* 501 5.5.4: malformed or given twice */
	SMTP_PARAM_UNKNOWN, /* 555 5.5.4: not offered, or a value that is not */
};

enum smtp_param_command {
	SMTP_PARAM_MAIL,
	SMTP_PARAM_RCPT,
};

enum smtp_param_name {
	SMTP_PARAM_SIZE,
	SMTP_PARAM_BODY,
	SMTP_PARAM_SMTPUTF8,
	SMTP_PARAM_REQUIRETLS,
	SMTP_PARAM_RET,
	SMTP_PARAM_ENVID,
	SMTP_PARAM_NOTIFY,
	SMTP_PARAM_ORCPT,
	SMTP_PARAM_NAMES,
};

/* mail->params or rcpt->params is what is parsed; fills in the rest that parameters say. `ext`:
 * what is offered (enum smtp_ext). `utf8`: the transaction is SMTPUTF8. */
enum smtp_param_result smtp_param_parse_mail(struct smtp_mail *mail, uint32_t ext);
enum smtp_param_result smtp_param_parse_rcpt(struct smtp_rcpt *rcpt, uint32_t ext, bool utf8);

/* Takes the next parameter off the front of *params. False at the end. `value.data` is NULL when
 * there is none. *name is SMTP_PARAM_NAMES for one that we do not know. */
bool smtp_param_next(struct smtp_str *params, struct smtp_str *whole, enum smtp_param_name *name,
	struct smtp_str *value);

#endif
