/* SPDX-License-Identifier: BSD-3-Clause */
/* What is in flight, what of it the peer has, what is lost: RFC 6675, 2018, 2883. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_SCOREBOARD_H
#define POSTGATE_DATAPLANE_TCP_SCOREBOARD_H

#include "dataplane/tcp/stack.h"

/* What one ACK told us. */
struct tcp_ack_sample {
	uint64_t now;
	uint32_t prior_una, prior_pipe;
	uint32_t acked;     /* bytes that snd_una moved */
	uint32_t sacked;    /* bytes newly reported by SACK blocks */
	uint32_t delivered; /* bytes newly known to be at the peer */
	uint32_t rtt_us;    /* of the latest sent record of them, if it was sent once; 0: none */
	uint32_t tsecr;
	bool has_tsecr;
	bool orig_acked;    /* something that was sent only once is among them */
	bool retrans_acked; /* something that was sent again is among them */
	bool dsack;
	uint32_t dsack_end;
	bool window_changed;
	bool pure; /* no data, no FIN: may be a duplicate ACK */
};

/* A record for the `len` bytes (and FIN) at snd_nxt, which moves; NULL when the pool is empty. */
struct tcp_record *tcp_record_new(
	struct tcp_stack *s, struct tcp_conn *c, uint32_t len, bool fin, uint64_t now);
/* It has been sent again. */
void tcp_record_resent(struct tcp_conn *c, struct tcp_record *r, uint64_t now);
/* Cuts it so that it has at most `len` data bytes. False: the pool is empty, it stays whole. */
bool tcp_record_split(struct tcp_stack *s, struct tcp_conn *c, struct tcp_record *r, uint32_t len);
void tcp_record_mark_lost(struct tcp_conn *c, struct tcp_record *r);
/* The first record that is lost, from `from` (NULL: the head) on. */
struct tcp_record *tcp_record_next_lost(const struct tcp_conn *c, struct tcp_record *from);

/* `ack` is in (snd_una, snd_nxt]: takes it over. */
void tcp_scoreboard_ack(
	struct tcp_stack *s, struct tcp_conn *c, uint32_t ack, struct tcp_ack_sample *a);
void tcp_scoreboard_sack(struct tcp_stack *s, struct tcp_conn *c, const struct tcp_sack_block *b,
	unsigned int n, struct tcp_ack_sample *a);
/* After a time-out on data the peer once reported: it may have dropped it, RFC 2018 8. */
void tcp_scoreboard_forget_sacks(struct tcp_conn *c);
/* Every loss mark was wrong. */
void tcp_scoreboard_unmark(struct tcp_conn *c);
void tcp_scoreboard_free(struct tcp_stack *s, struct tcp_conn *c);
/* Recounts all from the records; false if an invariant does not hold. For tests. */
bool tcp_scoreboard_valid(const struct tcp_conn *c);

#endif
