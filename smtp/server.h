/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SMTP server engine: the side that talks to the client (downstream). It parses commands, enforces
 * their order and limits, answers by itself what needs no decision (syntax, sequence, NOOP, VRFY,
 * HELP), and hands everything else to its owner as one event at a time.
 *
 *   for (;;) {
 *           type = smtp_server_next(s, data, len, &used, &out, &ev);
 *           data += used; len -= used;
 *           ... act on ev; answer with smtp_server_reply(), now or later
 *   }
 *
 * until it says SMTP_SERVER_MORE or SMTP_SERVER_BLOCKED, also with `len` 0: the end of a BDAT chunk
 * is an event that uses no octets, and smtp_server_due() says that there is one.
 *
 * After an event that wants an answer the engine returns SMTP_SERVER_BLOCKED until it has it: input
 * stays with the caller, which is what closes the client's window. Pointers in an event hold until
 * the next call for this engine.
 */
#ifndef POSTGATE_SMTP_SERVER_H
#define POSTGATE_SMTP_SERVER_H

#include "smtp/body.h"
#include "smtp/smtp.h"

/* The room that smtp_server_next() wants in `out` before it takes a command: no reply of the
 * engine's own is longer. With less it says SMTP_SERVER_BLOCKED. */
#define SMTP_SERVER_OUT_MIN 512

struct smtp_linebuf {
	uint16_t len;
	uint8_t data[SMTP_COMMAND_LINE_MAX + 2];
};

/* Shared by all sessions of a listener; outlives them. */
struct smtp_server_config {
	const char *hostname;               /* in banner, EHLO and Received */
	uint32_t max_recipients;            /* per transaction, >= 100 (RFC 5321 4.5.3.1.8) */
	uint32_t max_bad_commands;          /* 421 4.7.0 and close after so many */
	uint32_t max_commands_without_mail; /* NOOP/RSET/VRFY... floods; 0: no limit */
	uint32_t max_received;              /* Received fields of a message, 100: loop (5.4.6) */
	/* A buffer for a line that came in part, only for as long as needed: idle sessions hold
	 * none. NULL when there is none: the engine answers 421 4.3.2 and ends. */
	struct smtp_linebuf *(*linebuf_get)(void *arg);
	void (*linebuf_put)(void *arg, struct smtp_linebuf *b);
	void *arg;
	/* SMTP_ERRORS counters, one for each enum smtp_server_error; NULL: not wanted. */
	uint64_t *errors;
};

enum smtp_server_event {
	SMTP_SERVER_MORE,    /* all input used: come back with more */
	SMTP_SERVER_BLOCKED, /* wants an answer first, or room in `out`: used says how far it got */
	/* Answer: smtp_server_ehlo() (HELO too), or smtp_server_reply() to refuse. A 250 drops an
	 * open transaction as RSET does (RFC 5321 4.1.4), a refusal leaves everything as it was. */
	SMTP_SERVER_EHLO,
	SMTP_SERVER_STARTTLS, /* asked in order; answer 220 or 454/5xx. After a 220 the engine takes
				 no input until smtp_server_tls_started(); input that is already
				 there is the caller's to treat as an injection (it must close) */
	SMTP_SERVER_MAIL,     /* answer with smtp_server_reply() */
	SMTP_SERVER_RCPT,     /* likewise; a 2xx counts as accepted */
	SMTP_SERVER_DATA,     /* likewise; 354 opens the body */
	SMTP_SERVER_BDAT, /* a chunk begins: size, last. No answer yet, go on: BODY events follow,
			     then BDAT_END (or BODY_END for the last). With
			     smtp_server_reject_body() the chunk is swallowed */
	SMTP_SERVER_BODY, /* body octets, ev.body; no answer, go on */
	SMTP_SERVER_BDAT_END, /* a chunk that is not the last is complete; answer 250 or an error */
	SMTP_SERVER_BODY_END, /* the message is complete; answer ends the transaction */
	SMTP_SERVER_BODY_BAD, /* the body broke a rule (ev.error): nothing after it has been or will
				 be handed out. The engine swallows the rest and refuses the message
				 itself at its end with ev.error's reply; abort the next hop now */
	SMTP_SERVER_RSET,     /* transaction dropped; answered by the engine, no answer wanted */
	SMTP_SERVER_QUIT,     /* 221 is in `out`; close after it is sent */
	SMTP_SERVER_END,      /* the session is over (too many errors, or a 421 of the owner's; the
				 last reply is in `out`); close after it. Said again at each call */
};

/*
 * Form of the body octets handed out. DATA: wire form, that is with stuffed dots and without the
 * final ".CRLF" (what a DATA next hop takes unchanged). BDAT: as is, not stuffed.
 */
struct smtp_server_ev {
	enum smtp_server_error error;
	union {
		struct {
			struct smtp_str name;
			bool esmtp; /* EHLO, not HELO */
		} ehlo;
		struct smtp_mail mail;
		struct smtp_rcpt rcpt;
		struct {
			uint64_t size;
			bool last;
			bool first; /* of the message */
		} bdat;
		struct {
			const uint8_t *data;
			size_t len;
		} body;
	};
};

/* Embedded in the session. Fields are the engine's. */
struct smtp_server {
	const struct smtp_server_config *config;
	/* Lent: the part of a line that came in, or the line of the last event. */
	struct smtp_linebuf *line;
	uint64_t size_limit; /* as said in EHLO, 0: none */
	uint64_t chunk_left; /* octets of a BDAT chunk still to come */
	struct smtp_body body;
	uint32_t ext; /* offered in the last EHLO */
	uint32_t recipients;
	uint32_t bad_commands;
	uint32_t idle_commands;
	uint8_t state;      /* enum smtp_server_state */
	uint8_t resume;     /* the state after a chunk that is only swallowed */
	uint8_t awaiting;   /* enum smtp_server_event whose answer is outstanding, or MORE */
	uint8_t body_error; /* enum smtp_server_error: why the rest of the body is swallowed */
	bool tls;
	bool esmtp;
	bool smtputf8;     /* of the transaction */
	bool rcpt_refused; /* a recipient of the transaction was refused */
	bool rejected;     /* smtp_server_reject_body() */
	bool last;         /* the chunk is the last */
	bool line_used;    /* `line` belongs to the last event: goes back at the next call */
	bool skip_line;    /* in a refused line, up to its CRLF */
	bool skip_cr;      /* the last octet of it was CR */
};

void smtp_server_init(struct smtp_server *s, const struct smtp_server_config *config);
/* Gives back what it holds. */
void smtp_server_fini(struct smtp_server *s);
/* The banner, our hostname before `text`: 220, or 554 to turn the client away (it may still QUIT),
 * or 421, which ends the session. 0, -ENOBUFS, -EPROTO. */
int smtp_server_banner(
	struct smtp_server *s, uint16_t code, const char *text, struct smtp_out *out);

enum smtp_server_event smtp_server_next(struct smtp_server *s, const uint8_t *data, size_t len,
	size_t *used, struct smtp_out *out, struct smtp_server_ev *ev);

/* smtp_server_next() has something to say without any input. */
bool smtp_server_due(const struct smtp_server *s);

/* Answers the event that the engine waits for. `text` may have several lines, split by '\n'; the
 * enhanced code goes on each (left out for EHLO/HELO sessions without it as RFC 2034 says).
 * 0, -ENOBUFS (no room: nothing done), -EPROTO (nothing is waiting). */
int smtp_server_reply(struct smtp_server *s, uint16_t code, struct smtp_status status,
	struct smtp_str text, struct smtp_out *out);
/* 250 with the extensions given (enum smtp_ext; size_limit for SIZE, 0 = no fixed limit). */
int smtp_server_ehlo(
	struct smtp_server *s, uint32_t ext, uint64_t size_limit, struct smtp_out *out);
/* An unasked-for 421 before closing (time-out, shutdown). */
int smtp_server_goodbye(
	struct smtp_server *s, struct smtp_status status, const char *text, struct smtp_out *out);
/* During a body: swallow the rest, then hand out BODY_END/BDAT_END as usual for the answer. */
void smtp_server_reject_body(struct smtp_server *s);
/* The handshake is done: forgets everything, RFC 3207 4.2; the client must say EHLO again. */
void smtp_server_tls_started(struct smtp_server *s);

/* For time-outs: which of RFC 5321 4.5.3.2 applies to the client now. */
enum smtp_server_wait {
	SMTP_WAIT_COMMAND, /* 5 min, 4.5.3.2.7 */
	SMTP_WAIT_BODY,    /* 3 min per block, 4.5.3.2.5 */
	SMTP_WAIT_ANSWER,  /* ours to give, a TLS handshake under way, or over */
};
enum smtp_server_wait smtp_server_waiting(const struct smtp_server *s);
/* In a transaction (MAIL accepted, not ended). */
bool smtp_server_in_transaction(const struct smtp_server *s);
/* In a body (after 354 or within BDAT, before the end). */
bool smtp_server_in_body(const struct smtp_server *s);
const char *smtp_server_state_name(const struct smtp_server *s);

#endif
