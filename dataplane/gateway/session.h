/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session: a client (downstream leg), the transaction it is in, and the connection to the next
 * hop (upstream leg) that serves it. session.c has its life and the pump that reads the client's
 * commands, transaction.c what becomes of them, relay.c the body.
 *
 * The rules of design.md, "Mail that is never lost", are marked in the code as [rule N].
 */
#ifndef POSTGATE_DATAPLANE_GATEWAY_SESSION_H
#define POSTGATE_DATAPLANE_GATEWAY_SESSION_H

#include "dataplane/gateway/envelope.h"
#include "dataplane/gateway/internal.h"
#include "dataplane/gateway/upstream.h"
#include "smtp/body.h"

enum session_state {
	SESSION_CLOSED,     /* waits for gateway_poll() to free it */
	SESSION_COMMAND,    /* the client's turn */
	SESSION_HANDSHAKE,  /* TLS with the client */
	SESSION_UPSTREAM,   /* `pending` waits for the next hop */
	SESSION_BODY,       /* relaying */
	SESSION_SWALLOW,    /* the body goes nowhere, `final` will answer it */
	SESSION_VERDICT,    /* final dot sent on, the next hop's answer decides [rule 1] */
	SESSION_LAST_WORDS, /* closing once what is queued has found room */
};
const char *session_state_name(enum session_state state);

/* The client's command that waits for the next hop. */
enum session_pending {
	PENDING_NONE,
	PENDING_MAIL,
	PENDING_RCPT,
	PENDING_DATA,
	PENDING_BDAT,      /* first chunk, to a next hop without CHUNKING: waits for 354 */
	PENDING_BDAT_HEAD, /* first chunk, waits for a connection that has CHUNKING or not */
	PENDING_CHUNK,     /* chunk relayed, not the last */
};

#define SESSION_TEXT 192

/* An answer of ours, kept until the client may hear it. */
struct session_answer {
	uint16_t code;
	struct smtp_status status;
	uint16_t len;
	char text[SESSION_TEXT];
};

struct session {
	TAILQ_ENTRY(session) entry; /* gateway->live or ->dead */
	struct gateway *g;
	struct listener *listener;
	struct leg down;
	struct smtp_server smtp;
	struct upstream *up;
	struct wheel_timer timer;
	uint64_t deadline, armed_for; /* as in struct upstream */
	uint64_t id;
	uint64_t started; /* worker's clock */
	struct ip_addr client;
	uint16_t client_port;
	enum net_side to; /* where its mail goes: the other side than it came from */
	enum session_state state;
	bool esmtp, pumping, tls_resumed;
	const char *version, *cipher; /* OpenSSL's static names; NULL: plain */
	int cipher_bits;
	uint32_t messages;
	char helo[SMTP_DOMAIN_MAX + 1];
	char sender[96]; /* of the transaction, cut to fit, for the log */

	/* The transaction. */
	enum session_pending pending;
	struct envelope envelope;
	uint32_t replayed;         /* records of it that the present next hop has accepted */
	uint32_t accepted;         /* recipients */
	uint32_t rotation, choice; /* hop_choice() */
	uint64_t began;            /* worker's clock, at MAIL */
	uint64_t budget;           /* until when the pending command must be answered */
	uint64_t body_bytes;
	uint64_t chunk_size; /* of the BDAT command being relayed */
	bool chunk_last;
	bool bdat;          /* the client uses BDAT */
	bool chunked;       /* and so does the leg to the next hop */
	bool received_sent; /* our Received field is on its way */
	bool logged;        /* the transaction's event is out */
	struct smtp_stuff stuff;
	struct policy_verdict verdict;
	struct session_answer final; /* for SESSION_SWALLOW */
	uint64_t upstream_id;
	const char *up_version, *up_cipher;
	bool up_verified;
	char next_hop[64];
};

extern const struct tcp_ops session_tcp_ops;
wheel_fire session_timer_fire;
/* Back to the pool; only from gateway_poll(). */
void session_reap(struct gateway *g);
/* 421 and close, for a drain: only sessions that are in no transaction. */
void session_drain(struct session *s, uint64_t now);

/* --- For transaction.c and relay.c --- */

void session_set_state(struct session *s, enum session_state state);
/* When session_timer_fire() acts; no later than the budget while an answer is owed. */
void session_set_timeout(struct session *s, uint32_t seconds, uint64_t now);
/* Answers the command or body that the engine waits for. */
void session_reply(struct session *s, uint16_t code, struct smtp_status status,
	struct smtp_str text, uint64_t now);
void session_reply_text(struct session *s, uint16_t code, struct smtp_status status,
	const char *text, uint64_t now);
/* Goes on reading the client. */
void session_pump(struct session *s, uint64_t now);
/* Closes the client's leg and ends: orderly, or with a RST. */
void session_close(struct session *s, bool abort, uint64_t now);

/* --- transaction.c --- */

void transaction_mail(struct session *s, const struct smtp_mail *mail, uint64_t now);
void transaction_rcpt(struct session *s, const struct smtp_rcpt *rcpt, uint64_t now);
void transaction_data(struct session *s, uint64_t now);
void transaction_bdat(struct session *s, uint64_t size, bool last, bool first, uint64_t now);
/* RSET, EHLO, QUIT, or the client is gone: whatever was begun is undone. */
void transaction_abandon(struct session *s, uint64_t now);
/* Forgets the transaction; the upstream has been let go of before. */
void transaction_clear(struct session *s);
/* The pending command gets a 451 of ours, or the body will. */
void transaction_defer(
	struct session *s, struct smtp_status status, const char *text, uint64_t now);

/* The pending command has not been answered in its time. */
void transaction_timed_out(struct session *s, uint64_t now);

void session_upstream_ready(struct session *s, uint64_t now);
void session_upstream_failed(struct session *s, enum upstream_failure why, bool was_reused,
	const char *text, size_t len, uint64_t now);
void session_upstream_reply(struct session *s, enum smtp_client_event type,
	const struct smtp_reply *reply, uint64_t now);
void session_upstream_writable(struct session *s, uint64_t now);

/* --- relay.c --- */

/* Starts the body on the next hop with our Received field; BDAT heads included. False: the leg
 * failed, the body will be refused. */
bool relay_begin(struct session *s, uint64_t now);
/* Head of a further chunk. */
bool relay_chunk(struct session *s, uint64_t now);
/* Octets of body that may be handed to relay_body() now, 0: wait for session_upstream_writable().
 */
size_t relay_room(struct session *s);
void relay_body(struct session *s, const uint8_t *data, size_t len, uint64_t now);
void relay_chunk_end(struct session *s, uint64_t now);
void relay_end(struct session *s, uint64_t now);
/* The next hop is lost within the body: aborted, the client hears `final` at its end [rule 2, 3].
 */
void relay_fail(struct session *s, struct smtp_status status, const char *text, uint64_t now);
void relay_bad(struct session *s, enum smtp_server_error error, uint64_t now);

#define STATUS(c, s, d) ((struct smtp_status){.class = (c), .subject = (s), .detail = (d)})

#endif
