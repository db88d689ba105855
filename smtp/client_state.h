/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the client engine share. Not for others.
 */
#ifndef POSTGATE_SMTP_CLIENT_STATE_H
#define POSTGATE_SMTP_CLIENT_STATE_H

#include "smtp/client.h"

enum smtp_client_state {
	CLIENT_CONNECT, /* waits for the banner */
	CLIENT_REFUSED, /* the banner was not a 220: QUIT only */
	CLIENT_GREETED, /* EHLO is to be said */
	CLIENT_READY,   /* EHLO or HELO is done */
	CLIENT_BODY,    /* 354 is in: the body is being sent, the dot is to come */
	CLIENT_TLS,     /* 220 to STARTTLS is in: no input until the handshake is done */
	CLIENT_CLOSED,  /* QUIT was answered, or an unasked-for 421 came */
	CLIENT_BROKEN,
	CLIENT_STATES,
};

/* What waits for a reply. Four bits each in smtp_client.queue. */
enum smtp_client_command {
	CLIENT_CMD_BANNER,
	CLIENT_CMD_EHLO,
	CLIENT_CMD_HELO,
	CLIENT_CMD_STARTTLS,
	CLIENT_CMD_MAIL,
	CLIENT_CMD_RCPT,
	CLIENT_CMD_DATA,
	CLIENT_CMD_BDAT,
	CLIENT_CMD_END, /* the dot, or BDAT LAST */
	CLIENT_CMD_RSET,
	CLIENT_CMD_QUIT,
	CLIENT_COMMANDS,
};

void smtp_client_set_state(struct smtp_client *c, enum smtp_client_state state);
/* There is room: count < SMTP_CLIENT_PENDING_MAX. */
void smtp_client_push(struct smtp_client *c, enum smtp_client_command command);
/* The i-th of those that wait, oldest first. */
enum smtp_client_command smtp_client_queued(const struct smtp_client *c, uint8_t i);

#endif
