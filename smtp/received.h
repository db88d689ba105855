/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our trace field (RFC 5321 4.4) and the date of RFC 5322 3.3, in UTC and without a locale.
 */
#ifndef POSTGATE_SMTP_RECEIVED_H
#define POSTGATE_SMTP_RECEIVED_H

#include "smtp/smtp.h"

/* Longer than any field that smtp_received_write() makes. */
#define SMTP_RECEIVED_MAX 2048
#define SMTP_DATE_SIZE    32 /* "Thu, 26 Nov 2026 15:44:00 +0000" and a NUL */

struct smtp_received {
	struct smtp_str helo;        /* as the client said it */
	struct smtp_str client_addr; /* text of its IPv4 or IPv6 address, no brackets */
	struct smtp_str by;          /* our name */
	bool esmtp;                  /* EHLO, not HELO */
	bool utf8;                   /* the transaction is SMTPUTF8, RFC 6531 3.7.3 */
	struct smtp_str tls_version; /* "TLSv1.3"; empty: no TLS */
	struct smtp_str tls_cipher;
	uint32_t tls_bits;
	struct smtp_str tls_verify; /* how far the client's certificate was verified: "NO", ... */
	struct smtp_str id;
	struct smtp_str rcpt; /* raw path if the message has one recipient; empty: no for-clause */
	int64_t time_s;       /* since 1970, UTC */
};

/* Folded, its last CRLF included. Octets written, or -ENOBUFS. What a client gave is made harmless:
 * octets that have no place in a field become '?'. */
int smtp_received_write(const struct smtp_received *r, char *buf, size_t size);

/* Octets written without the NUL, or -ENOBUFS. Years 0 to 9999 (-EINVAL). */
int smtp_date_write(int64_t time_s, char *buf, size_t size);

#endif
