/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths and mailboxes, RFC 5321 4.1.2 and 4.1.3, with UTF-8 as RFC 6531 3.3 allows it.
 */
#ifndef POSTGATE_SMTP_ADDRESS_H
#define POSTGATE_SMTP_ADDRESS_H

#include "smtp/smtp.h"

enum smtp_path_kind {
	SMTP_PATH_REVERSE, /* <> is allowed */
	SMTP_PATH_FORWARD, /* <Postmaster> is allowed, 4.1.1.3 */
};

/* Parses a path at the start of `s`, angle brackets included; *used: octets that it took.
 * 0 or -EINVAL. A source route is checked and left out (appendix C). */
int smtp_path_parse(
	const char *s, size_t len, enum smtp_path_kind kind, struct smtp_path *path, size_t *used);

/* A domain in text form: labels of letters, digits, hyphens (underscores are let pass: they are in
 * use), or valid UTF-8. */
bool smtp_domain_valid(const char *s, size_t len);
/* [192.0.2.1], [IPv6:2001:db8::1] or a general address literal, brackets included. */
bool smtp_literal_valid(const char *s, size_t len);

/* Octets of the valid UTF-8 sequence at `s`, 0 if it is none (RFC 3629: no overlong forms, no
 * surrogates, nothing over U+10FFFF). */
size_t smtp_utf8_len(const char *s, size_t len);

#endif
