/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What both SMTP engines (RFC 5321) share: extensions, replies, addresses, output. The engines are
 * sans-I/O: bytes go in, bytes and events come out, they know no socket, no clock, no allocator.
 */
#ifndef POSTGATE_SMTP_SMTP_H
#define POSTGATE_SMTP_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* EHLO keywords. */
enum smtp_ext {
	SMTP_EXT_PIPELINING = 1u << 0,          /* RFC 2920 */
	SMTP_EXT_SIZE = 1u << 1,                /* RFC 1870 */
	SMTP_EXT_8BITMIME = 1u << 2,            /* RFC 6152 */
	SMTP_EXT_SMTPUTF8 = 1u << 3,            /* RFC 6531 */
	SMTP_EXT_CHUNKING = 1u << 4,            /* RFC 3030 */
	SMTP_EXT_ENHANCEDSTATUSCODES = 1u << 5, /* RFC 2034 */
	SMTP_EXT_STARTTLS = 1u << 6,            /* RFC 3207 */
	SMTP_EXT_DSN = 1u << 7,                 /* RFC 3461 */
	SMTP_EXT_REQUIRETLS = 1u << 8,          /* RFC 8689 */
};

/* Limits of RFC 5321 4.5.3.1, raised where an extension raises them. */
#define SMTP_COMMAND_LINE_MAX 4096 /* octets with CRLF, all extensions' parameters included */
#define SMTP_TEXT_LINE_MAX    1000 /* octets with CRLF, without the stuffed dot */
#define SMTP_REPLY_LINE_MAX   1000 /* we accept more than the 512 that we send */
#define SMTP_PATH_MAX         256
#define SMTP_DOMAIN_MAX       255

/* Where an engine writes: the caller's buffer. An engine writes a whole reply or command or, if it
 * does not fit, nothing, and says so with -ENOBUFS: drain and call again. */
struct smtp_out {
	uint8_t *data;
	size_t len;
	size_t size;
};

/* A string in somebody else's memory. */
struct smtp_str {
	const char *data;
	size_t len;
};

/* Enhanced status code, RFC 3463; class 0: none. */
struct smtp_status {
	uint8_t class;
	uint16_t subject, detail;
};

/* Reverse-path or forward-path as parsed by smtp_path_parse(). */
struct smtp_path {
	struct smtp_str raw;    /* without the angle brackets and without a source route */
	struct smtp_str local;  /* as written, quotes included */
	struct smtp_str domain; /* as written; empty for <> and <Postmaster> */
	bool literal;           /* domain is an address literal, brackets included */
	bool utf8;              /* has non-ASCII octets (needs SMTPUTF8) */
};

/* MAIL FROM with its parameters. */
struct smtp_mail {
	struct smtp_path from; /* empty raw: the null reverse-path */
	struct smtp_str
		params; /* as written, to be relayed after filtering by what the next hop has */
	uint64_t size;  /* SIZE=, 0 if not given */
	bool body_8bit; /* BODY=8BITMIME */
	bool smtputf8;
	bool requiretls;
};

struct smtp_rcpt {
	struct smtp_path to;
	struct smtp_str params;
};

/* A reply received, whole. */
struct smtp_reply {
	uint16_t code; /* 200..599 */
	struct smtp_status status;
	struct smtp_str text; /* lines after the code, joined by '\n', enhanced code removed; may be
				 cut at the engine's limit */
};

#endif
