/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The message stream: scanning a DATA body for its end, and translating between the wire form of
 * DATA (dot-stuffed, RFC 5321 4.5.2) and the plain form of BDAT (RFC 3030). Right across any split.
 */
#ifndef POSTGATE_SMTP_BODY_H
#define POSTGATE_SMTP_BODY_H

#include "smtp/smtp.h"

/* Why a body or a command was refused: a counter's name each, smtp_server_error_name(). */
enum smtp_server_error {
	SMTP_ERR_NONE,
	SMTP_ERR_BARE_CR,       /* 554 5.6.0 */
	SMTP_ERR_BARE_LF,       /* 554 5.6.0 */
	SMTP_ERR_LINE_TOO_LONG, /* 554 5.6.0, over 998 octets + CRLF */
	SMTP_ERR_LOOP,          /* 554 5.4.6 */
	SMTP_ERR_TOO_BIG,       /* 552 5.3.4 */
	SMTP_ERR_COMMAND_TOO_LONG,
	SMTP_ERR_SYNTAX,
	SMTP_ERR_SEQUENCE,
	SMTP_ERR_UNKNOWN_COMMAND,
	SMTP_ERR_BAD_PARAMETER,
	SMTP_ERR_NO_BUFFER,
	SMTP_ERR_TOO_MANY, /* recipients, bad commands, or commands without mail */
	SMTP_ERRORS,
};
const char *smtp_server_error_name(enum smtp_server_error e);

/*
 * Scans a message as it comes in and hands out the octets that are known to be good, in place. Only
 * CRLF.CRLF ends a DATA body (RFC 5321 4.1.1.4); CR and LF only ever go together (2.3.8); a line
 * has at most 998 octets (4.5.3.1.6); Received fields of the header section are counted (6.3).
 */
struct smtp_body {
	uint64_t octets;       /* of the message so far, stuffed dots and the end not counted */
	uint64_t limit;        /* of them, UINT64_MAX: none */
	uint32_t received;     /* fields seen */
	uint32_t max_received; /* that many are a loop, 0: not counted */
	uint16_t line_len;     /* octets of this line so far, without a stuffed dot */
	uint8_t state;         /* enum in body.c */
	uint8_t match;         /* octets of "Received" that this line has matched */
	bool dots;             /* DATA: stuffed, and ended by the dot */
	bool header;           /* still in the header section */
};

enum smtp_body_result {
	SMTP_BODY_MORE,   /* all used, nothing to hand out */
	SMTP_BODY_OCTETS, /* *out, *out_len: good octets; then call again with the rest */
	SMTP_BODY_END,    /* the final dot and its CRLF are used; the rest is the next command */
	SMTP_BODY_BAD,    /* *error; the octets at `data + used` are the ones that broke the rule */
};

/* `limit`, `max_received`: 0 for none. */
void smtp_body_init(struct smtp_body *b, bool dots, uint64_t limit, uint32_t max_received);
/* *out points into `data`, or to constant octets where these were held back by an earlier call. */
enum smtp_body_result smtp_body_scan(struct smtp_body *b, const uint8_t *data, size_t len,
	size_t *used, const uint8_t **out, size_t *out_len, enum smtp_server_error *error);
/* After BAD, or when nobody wants the rest: looks for the end only. END or MORE. */
enum smtp_body_result smtp_body_swallow(
	struct smtp_body *b, const uint8_t *data, size_t len, size_t *used);
/* A BDAT chunk that is not the last is in: hands out the CR that may still be held back, so that
 * the octets handed out are as many as the chunk had. OCTETS or MORE. */
enum smtp_body_result smtp_body_flush(struct smtp_body *b, const uint8_t **out, size_t *out_len);
/* The last octet of a BDAT message is in: a CR may still be held back, which is then a bare one. */
enum smtp_server_error smtp_body_finish(const struct smtp_body *b);

/* Plain to wire (a BDAT client, a DATA next hop): doubles the dot that starts a line. `in`/`in_len`
 * are advanced; returns the octets written to `out`, at most `out_size` (>= 2). */
struct smtp_stuff {
	bool line_start; /* the next octet starts a line */
	bool cr;
};
void smtp_stuff_init(struct smtp_stuff *s);
size_t smtp_stuff(
	struct smtp_stuff *s, const uint8_t **in, size_t *in_len, uint8_t *out, size_t out_size);
/* Whether what has passed so far ends in CRLF (or is empty). */
bool smtp_stuff_ended_in_crlf(const struct smtp_stuff *s);

#endif
