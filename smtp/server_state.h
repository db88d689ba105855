/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the server engine share. Not for others.
 */
#ifndef POSTGATE_SMTP_SERVER_STATE_H
#define POSTGATE_SMTP_SERVER_STATE_H

#include "smtp/server.h"

/* From READY on EHLO or HELO is done; from MAIL on a transaction is open. */
enum smtp_server_state {
	SERVER_CONNECT, /* the banner is to be given */
	SERVER_REFUSED, /* it was a 554: QUIT only */
	SERVER_GREETED,
	SERVER_TLS,    /* 220 to STARTTLS is out, no input until the handshake is done */
	SERVER_CLOSED, /* 221 or 421 is out */
	SERVER_READY,
	SERVER_MAIL,        /* no recipient accepted yet */
	SERVER_RCPT,        /* one at least */
	SERVER_DATA,        /* in a DATA body */
	SERVER_BDAT,        /* between chunks */
	SERVER_BDAT_FAILED, /* between chunks, one was refused: RSET, or the rest is refused too */
	SERVER_CHUNK,       /* in a BDAT chunk */
	SERVER_SKIP,        /* in a BDAT chunk that was out of order */
	SERVER_STATES,
};

void smtp_server_set_state(struct smtp_server *s, enum smtp_server_state state);
/* Drops an open transaction. */
void smtp_server_end_transaction(struct smtp_server *s);

/* One line of the engine's own; there is room, see SMTP_SERVER_OUT_MIN. The class is the code's. */
void smtp_server_say(struct smtp_server *s, struct smtp_out *out, uint16_t code, uint16_t subject,
	uint16_t detail, const char *text);
/* Likewise for a command that was wrong: counts it, and ends the session when there were too many.
 */
enum smtp_server_event smtp_server_refuse(struct smtp_server *s, struct smtp_out *out,
	enum smtp_server_error error, uint16_t code, uint16_t subject, uint16_t detail,
	const char *text);
/* 421, and nothing more. */
enum smtp_server_event smtp_server_give_up(struct smtp_server *s, struct smtp_out *out,
	enum smtp_server_error error, uint16_t subject, uint16_t detail, const char *text);
void smtp_server_count(struct smtp_server *s, enum smtp_server_error error);

/* A command line without its CRLF (server_command.c). MORE: done with, go on. */
enum smtp_server_event smtp_server_command(struct smtp_server *s, struct smtp_str line,
	struct smtp_out *out, struct smtp_server_ev *ev);
/* Octets of a body or chunk (server_body.c). MORE: go on. */
enum smtp_server_event smtp_server_body(struct smtp_server *s, const uint8_t *data, size_t len,
	size_t *used, struct smtp_out *out, struct smtp_server_ev *ev);

#endif
