/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drives an engine over a transcript, cut into pieces as one likes, and writes down all that it
 * said and did. How the transcript was cut must not be seen in what is written. Also the fuzz
 * targets'.
 */
#ifndef POSTGATE_TESTS_SMTP_DRIVE_H
#define POSTGATE_TESTS_SMTP_DRIVE_H

#include "smtp/client.h"
#include "smtp/server.h"

struct drive {
	char *log; /* C string */
	size_t len, size;
	uint8_t *body; /* octets handed out since the last other event */
	size_t body_len;
	uint8_t *message; /* octets of the message so far */
	size_t message_len;
	int lent; /* buffers lent to the engine */
};

/* Lengths of the pieces: called with what is left (> 0), returns 1 to `left`. */
struct drive_cut {
	size_t (*next)(struct drive_cut *cut, size_t left);
	size_t at;      /* drive_cut_at: the first piece's length */
	uint64_t state; /* drive_cut_random's */
};
size_t drive_cut_whole(struct drive_cut *cut, size_t left);
size_t drive_cut_octets(struct drive_cut *cut, size_t left);
size_t drive_cut_at(struct drive_cut *cut, size_t left);
size_t drive_cut_random(struct drive_cut *cut, size_t left);

void drive_init(struct drive *d);
void drive_fini(struct drive *d);
void drive_log(struct drive *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void drive_log_octets(struct drive *d, const void *data, size_t len);

/*
 * The server's owner answers by what it is told. EHLO: everything is offered, but to
 * "plain.example" nothing, to "bare.example" no CHUNKING; "refused.example" gets 550. MAIL: local
 * part "refused": 550, "bye": 421. RCPT: "no": 550, "later": 451. DATA: sender "nodata": 451.
 * Sender "drop": bodies are rejected. Sender "chunkfail": BDAT_END gets 452. Anything else 250 or
 * 354. STARTTLS: 220, and then the handshake is done at once.
 */
struct drive_server_options {
	uint64_t size_limit;
	uint32_t max_recipients, max_bad, max_idle, max_received;
	uint16_t banner; /* 0: 220 */
	bool no_buffer;  /* linebuf_get() gives none */
	uint64_t *errors;
};
void drive_server(struct drive *d, const struct drive_server_options *o, const uint8_t *in,
	size_t len, struct drive_cut *cut);

/*
 * The client goes EHLO (or HELO), STARTTLS if offered, two messages if it can, QUIT; pipelined if
 * offered, the second with BDAT if offered. An octet 0xff in the input is where a piece must end;
 * behind the 220 to STARTTLS it is where the handshake is done.
 */
void drive_client(struct drive *d, const uint8_t *in, size_t len, struct drive_cut *cut);

#endif
