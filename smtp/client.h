/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SMTP client engine: the side that talks to the next hop (upstream). Commands are calls that write
 * into `out`; replies come back as events in the order of the commands. Commands may be pipelined
 * (RFC 2920) up to SMTP_CLIENT_PENDING_MAX outstanding ones; the engine refuses an order that RFC
 * 5321 or RFC 2920 forbids with -EPROTO.
 */
#ifndef POSTGATE_SMTP_CLIENT_H
#define POSTGATE_SMTP_CLIENT_H

#include "smtp/smtp.h"

#define SMTP_CLIENT_PENDING_MAX 128
#define SMTP_CLIENT_REPLY_MAX \
	2048 /* octets of text kept of one reply; the rest is read and dropped */

/* Lent by the owner while a reply is coming in that did not arrive whole, as in server.h. */
struct smtp_replybuf {
	uint16_t len;      /* of the text of the lines that are whole */
	uint16_t line_len; /* of the part of a line that came in */
	uint8_t data[SMTP_CLIENT_REPLY_MAX];
	uint8_t line[SMTP_REPLY_LINE_MAX];
};

struct smtp_client_config {
	const char *hostname; /* for EHLO */
	struct smtp_replybuf *(*replybuf_get)(void *arg);
	void (*replybuf_put)(void *arg, struct smtp_replybuf *b);
	void *arg;
};

enum smtp_client_event {
	SMTP_CLIENT_MORE,   /* all input used */
	SMTP_CLIENT_BANNER, /* ev.reply: 220 or a refusal. Then call smtp_client_ehlo() */
	SMTP_CLIENT_EHLO, /* ev.reply, of EHLO or HELO; on 250 smtp_client_ext() is filled in. After
			     a 5xx to EHLO smtp_client_can_helo() is true: smtp_client_helo() */
	SMTP_CLIENT_STARTTLS, /* ev.reply; on 220 the engine takes no input until
				 smtp_client_tls_started(); plaintext that follows the 220 is
				 -EPROTO */
	SMTP_CLIENT_MAIL,     /* ev.reply, likewise below */
	SMTP_CLIENT_RCPT,
	SMTP_CLIENT_DATA,
	SMTP_CLIENT_BDAT,        /* reply to a chunk that was not the last */
	SMTP_CLIENT_END_OF_BODY, /* reply to the final dot or to BDAT LAST: the next hop's verdict
				  */
	SMTP_CLIENT_RSET,
	SMTP_CLIENT_QUIT,
	SMTP_CLIENT_SHUTDOWN, /* an unasked-for 421: the next hop is closing; nothing pending is
				 answered */
	SMTP_CLIENT_BROKEN, /* ev.error names it: not SMTP, a reply nobody waits for, line too long,
			       plaintext after STARTTLS's 220. Drop the connection */
};

enum smtp_client_error {
	SMTP_CLIENT_ERR_NONE,
	SMTP_CLIENT_ERR_SYNTAX,
	SMTP_CLIENT_ERR_LINE_TOO_LONG,
	SMTP_CLIENT_ERR_TOO_MANY_LINES,
	SMTP_CLIENT_ERR_UNSOLICITED,
	SMTP_CLIENT_ERR_INJECTION, /* plaintext after 220 to STARTTLS, CVE-2011-0411's class */
	SMTP_CLIENT_ERR_NO_BUFFER,
	SMTP_CLIENT_ERRORS,
};
const char *smtp_client_error_name(enum smtp_client_error e);

struct smtp_client_ev {
	enum smtp_client_error error;
	struct smtp_reply reply; /* text valid until the next call for this engine */
};

/* Embedded in its owner. Fields are the engine's. */
struct smtp_client {
	const struct smtp_client_config *config;
	struct smtp_replybuf *buf; /* lent */
	uint64_t size_limit;       /* of the last EHLO reply, 0: none said */
	uint32_t ext;              /* of the last EHLO reply */
	uint16_t code;             /* of the reply coming in, 0: at its start */
	uint16_t lines;            /* of it so far */
	struct smtp_status status; /* of it */
	uint8_t state;             /* enum smtp_client_state */
	uint8_t error;             /* enum smtp_client_error, once broken */
	uint8_t head, count;       /* the queue of commands that wait for a reply */
	uint8_t last_sent;         /* its newest kind */
	bool tls;
	bool helo;                                  /* may fall back to HELO */
	bool transaction;                           /* MAIL sent and not refused, nor ended since */
	bool rcpt;                                  /* RCPT sent in it */
	bool bdat;                                  /* BDAT sent in it */
	bool closing;                               /* 421 seen or QUIT sent */
	bool buf_used;                              /* `buf` belongs to the last event */
	uint8_t queue[SMTP_CLIENT_PENDING_MAX / 2]; /* enum smtp_client_command, two an octet */
};

void smtp_client_init(struct smtp_client *c, const struct smtp_client_config *config);
void smtp_client_fini(struct smtp_client *c);

enum smtp_client_event smtp_client_next(struct smtp_client *c, const uint8_t *data, size_t len,
	size_t *used, struct smtp_client_ev *ev);

/* Extensions of the last EHLO reply (enum smtp_ext) and its SIZE limit, 0 = none said. */
uint32_t smtp_client_ext(const struct smtp_client *c);
uint64_t smtp_client_size_limit(const struct smtp_client *c);

/* Commands: 0, -ENOBUFS (no room in out: nothing done), -EPROTO (not allowed now), -EINVAL. */
int smtp_client_ehlo(struct smtp_client *c, struct smtp_out *out);
/* After a 5xx to EHLO: no extensions then, RFC 5321 3.2. */
bool smtp_client_can_helo(const struct smtp_client *c);
int smtp_client_helo(struct smtp_client *c, struct smtp_out *out);
int smtp_client_starttls(struct smtp_client *c, struct smtp_out *out);
void smtp_client_tls_started(struct smtp_client *c); /* forgets all, EHLO again, RFC 3207 4.2 */
/* Parameters that the next hop does not offer are left out where the RFCs allow that (SIZE, and
 * BODY=8BITMIME); where they do not (SMTPUTF8, REQUIRETLS, DSN's are dropped silently per RFC 3461
 * 5.2.2): -EINVAL. */
int smtp_client_mail(struct smtp_client *c, const struct smtp_mail *mail, struct smtp_out *out);
int smtp_client_rcpt(struct smtp_client *c, const struct smtp_rcpt *rcpt, struct smtp_out *out);
int smtp_client_data(struct smtp_client *c, struct smtp_out *out);
/* Head of a chunk; the octets themselves the caller sends right after it, unchanged. */
int smtp_client_bdat(struct smtp_client *c, uint64_t size, bool last, struct smtp_out *out);
/* After 354 and the body (wire form, caller's): writes ".CRLF", with a CRLF before it if the body
 * did not end in one. */
int smtp_client_dot(struct smtp_client *c, bool body_ended_in_crlf, struct smtp_out *out);
int smtp_client_rset(struct smtp_client *c, struct smtp_out *out);
int smtp_client_quit(struct smtp_client *c, struct smtp_out *out);

/* Commands sent and not answered yet. */
uint32_t smtp_client_pending(const struct smtp_client *c);
/* Ready for MAIL: EHLO done, no transaction open, nothing pending. */
bool smtp_client_idle(const struct smtp_client *c);
const char *smtp_client_state_name(const struct smtp_client *c);

#endif
