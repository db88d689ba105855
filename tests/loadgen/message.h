/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator's messages: each carries the run's number, its own, and length and CRC-32C of its
 * body in both forms that it may arrive in (as it is by BDAT, dot-stuffed by DATA, RFC 5321 4.5.2),
 * so that whoever gets it can tell whether it is whole, and which ones never came.
 */
#ifndef POSTGATE_TESTS_LOADGEN_MESSAGE_H
#define POSTGATE_TESTS_LOADGEN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_LINE     80 /* octets of a body line with CRLF, before dots are doubled */
#define MESSAGE_HEAD_MAX 640

struct message {
	uint64_t seq;
	uint32_t size; /* of all of it, without doubled dots */
	uint32_t first_line;
	uint32_t lines;
	bool stuffed;   /* the form it is being sent in */
	uint64_t at;    /* octets of the body sent */
	uint64_t total; /* octets of the body in that form */
};

struct message_crc {
	uint32_t size, first_line;
	uint64_t plain_len, wire_len;
	uint32_t plain, wire;
};

#define MESSAGE_CRC_CACHE 1024

/* One per thread that sends. */
struct message_source {
	uint32_t run;
	struct message_crc cache[MESSAGE_CRC_CACHE];
};

void message_source_init(struct message_source *s, uint32_t run);
/* Makes message `seq` of about `size` octets (at least its header and a line), to be sent in the
 * given form. Writes its header with the empty line into `head`; returns the header's length. */
size_t message_begin(struct message_source *s, struct message *m, uint64_t seq, uint32_t size,
	bool stuffed, const char *from, char head[MESSAGE_HEAD_MAX]);
/* Copies the body's next octets, at most `room`; returns how many, 0: that was all. */
size_t message_body(struct message *m, uint8_t *out, size_t room);
/* Octets of header and body in the message's form. */
uint64_t message_wire_size(const struct message *m, size_t head_len);

/* --- Receiving --- */

enum message_verdict {
	MESSAGE_GOOD,
	MESSAGE_FOREIGN, /* none of a generator's */
	MESSAGE_DAMAGED,
};

struct message_check {
	uint16_t head_len;
	bool in_body, foreign;
	uint32_t crc, want_crc[2]; /* plain, wire */
	uint64_t len, want_len[2];
	uint32_t run;
	uint64_t seq;
	char head[4096]; /* until the empty line */
};

void message_check_begin(struct message_check *c);
void message_check_octets(struct message_check *c, const uint8_t *data, size_t len);
/* `stuffed`: it came by DATA. seq and run are right if it was good. */
enum message_verdict message_check_end(const struct message_check *c, bool stuffed);

/* --- Which numbers were seen --- */

#define LEDGER_CHUNK_BITS 20
#define LEDGER_CHUNKS     4096

struct ledger {
	uint32_t run;
	uint64_t highest, count; /* highest number + 1; numbers marked */
	uint64_t *chunks[LEDGER_CHUNKS];
};

/* 1: marked before, 0: not, -ENOMEM (or a number beyond any). */
int ledger_mark(struct ledger *l, uint64_t seq);
bool ledger_has(const struct ledger *l, uint64_t seq);
void ledger_fini(struct ledger *l);

#endif
