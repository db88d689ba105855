/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/param.h"

#include "smtp/address.h"
#include "smtp/text.h"

#define ENVID_MAX 100 /* RFC 3461 4.4 */
#define ORCPT_MAX 500 /* RFC 3461 4.2 */

struct param {
	const char *name;
	uint32_t ext;
	enum smtp_param_command command;
	/* `value.data` NULL: none given. `mail` is NULL for RCPT. */
	enum smtp_param_result (*parse)(struct smtp_str value, struct smtp_mail *mail, bool utf8);
};

/* RFC 1870 3: up to 20 digits; one over 64 bits is a syntax error all the same. */
static enum smtp_param_result param_size(struct smtp_str value, struct smtp_mail *mail, bool utf8)
{
	return value.len <= 20 && text_number(value, &mail->size) ? SMTP_PARAM_OK
								  : SMTP_PARAM_SYNTAX;
}

/* BINARYMIME (RFC 3030) is never offered: its octets cannot become DATA. */
static enum smtp_param_result param_body(struct smtp_str value, struct smtp_mail *mail, bool utf8)
{
	if (!value.data)
		return SMTP_PARAM_SYNTAX;
	mail->body_8bit = text_equal_case(value, "8BITMIME");
	return mail->body_8bit || text_equal_case(value, "7BIT") ? SMTP_PARAM_OK
								 : SMTP_PARAM_UNKNOWN;
}

static enum smtp_param_result param_smtputf8(
	struct smtp_str value, struct smtp_mail *mail, bool utf8)
{
	mail->smtputf8 = true;
	return value.data ? SMTP_PARAM_SYNTAX : SMTP_PARAM_OK;
}

static enum smtp_param_result param_requiretls(
	struct smtp_str value, struct smtp_mail *mail, bool utf8)
{
	mail->requiretls = true;
	return value.data ? SMTP_PARAM_SYNTAX : SMTP_PARAM_OK;
}

static enum smtp_param_result param_ret(struct smtp_str value, struct smtp_mail *mail, bool utf8)
{
	return text_equal_case(value, "FULL") || text_equal_case(value, "HDRS") ? SMTP_PARAM_OK
										: SMTP_PARAM_SYNTAX;
}

/* xtext, RFC 3461 4: "+" and two upper-case hex digits, or a graphic character but "=". */
static bool param_is_xtext(struct smtp_str s, bool utf8)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.data[i];

		if (c == '+') {
			if (s.len - i < 3 || !memchr(hex, s.data[i + 1], 16) ||
				!memchr(hex, s.data[i + 2], 16))
				return false;
			i += 2;
		} else if (c <= ' ' || c == '=' || c == 0x7f || (c >= 0x80 && !utf8)) {
			return false;
		}
	}
	return true;
}

static enum smtp_param_result param_envid(struct smtp_str value, struct smtp_mail *mail, bool utf8)
{
	return value.len && value.len <= ENVID_MAX && param_is_xtext(value, false)
		       ? SMTP_PARAM_OK
		       : SMTP_PARAM_SYNTAX;
}

static enum smtp_param_result param_notify(struct smtp_str value, struct smtp_mail *mail, bool utf8)
{
	if (text_equal_case(value, "NEVER"))
		return SMTP_PARAM_OK;
	do {
		bool more = value.len && memchr(value.data, ',', value.len);
		struct smtp_str word = text_cut(&value, ',');

		if (!text_equal_case(word, "SUCCESS") && !text_equal_case(word, "FAILURE") &&
			!text_equal_case(word, "DELAY"))
			return SMTP_PARAM_SYNTAX;
		if (!more)
			return SMTP_PARAM_OK;
	} while (true);
}

/* addr-type ";" xtext; with SMTPUTF8 the address may be in UTF-8, RFC 6533 3. */
static enum smtp_param_result param_orcpt(struct smtp_str value, struct smtp_mail *mail, bool utf8)
{
	struct smtp_str type;

	if (!value.len || value.len > ORCPT_MAX || !memchr(value.data, ';', value.len))
		return SMTP_PARAM_SYNTAX;
	type = text_cut(&value, ';');
	if (!type.len || !value.len)
		return SMTP_PARAM_SYNTAX;
	for (size_t i = 0; i < type.len; i++) {
		if (!text_is_alnum((uint8_t)type.data[i]) && type.data[i] != '-')
			return SMTP_PARAM_SYNTAX;
	}
	/* utf-8-addr-xtext embeds "\x{...}", and "=" is allowed there. */
	if (text_equal_case(type, "utf-8"))
		return SMTP_PARAM_OK;
	return param_is_xtext(value, utf8) ? SMTP_PARAM_OK : SMTP_PARAM_SYNTAX;
}

static const struct param params_known[SMTP_PARAM_NAMES] = {
	[SMTP_PARAM_SIZE] = {"SIZE", SMTP_EXT_SIZE, SMTP_PARAM_MAIL, param_size},
	[SMTP_PARAM_BODY] = {"BODY", SMTP_EXT_8BITMIME, SMTP_PARAM_MAIL, param_body},
	[SMTP_PARAM_SMTPUTF8] = {"SMTPUTF8", SMTP_EXT_SMTPUTF8, SMTP_PARAM_MAIL, param_smtputf8},
	[SMTP_PARAM_REQUIRETLS] = {"REQUIRETLS", SMTP_EXT_REQUIRETLS, SMTP_PARAM_MAIL,
		param_requiretls},
	[SMTP_PARAM_RET] = {"RET", SMTP_EXT_DSN, SMTP_PARAM_MAIL, param_ret},
	[SMTP_PARAM_ENVID] = {"ENVID", SMTP_EXT_DSN, SMTP_PARAM_MAIL, param_envid},
	[SMTP_PARAM_NOTIFY] = {"NOTIFY", SMTP_EXT_DSN, SMTP_PARAM_RCPT, param_notify},
	[SMTP_PARAM_ORCPT] = {"ORCPT", SMTP_EXT_DSN, SMTP_PARAM_RCPT, param_orcpt},
};

bool smtp_param_next(struct smtp_str *params, struct smtp_str *whole, enum smtp_param_name *name,
	struct smtp_str *value)
{
	struct smtp_str key;

	text_skip_spaces(params);
	if (params->len == 0)
		return false;
	*whole = text_cut(params, ' ');
	*value = *whole;
	key = text_cut(value, '=');
	if (key.len == whole->len)
		*value = (struct smtp_str){};
	for (*name = 0; *name < SMTP_PARAM_NAMES; ++*name) {
		if (text_equal_case(key, params_known[*name].name))
			break;
	}
	return true;
}

static enum smtp_param_result param_parse(struct smtp_str params, enum smtp_param_command command,
	uint32_t ext, struct smtp_mail *mail, bool utf8)
{
	uint32_t seen = 0;
	enum smtp_param_name name;
	struct smtp_str whole, value;

	while (smtp_param_next(&params, &whole, &name, &value)) {
		const struct param *p;
		enum smtp_param_result r;

		if (name == SMTP_PARAM_NAMES)
			return SMTP_PARAM_UNKNOWN;
		p = &params_known[name];
		if (p->command != command || !(ext & p->ext))
			return SMTP_PARAM_UNKNOWN;
		if (seen & 1u << name)
			return SMTP_PARAM_SYNTAX;
		seen |= 1u << name;
		r = p->parse(value, mail, utf8);
		if (r != SMTP_PARAM_OK)
			return r;
	}
	return SMTP_PARAM_OK;
}

enum smtp_param_result smtp_param_parse_mail(struct smtp_mail *mail, uint32_t ext)
{
	return param_parse(mail->params, SMTP_PARAM_MAIL, ext, mail, false);
}

enum smtp_param_result smtp_param_parse_rcpt(struct smtp_rcpt *rcpt, uint32_t ext, bool utf8)
{
	return param_parse(rcpt->params, SMTP_PARAM_RCPT, ext, NULL, utf8);
}
