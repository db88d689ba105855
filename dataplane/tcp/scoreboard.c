/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/scoreboard.h"

#include "dataplane/tcp/rack.h"
#include "dataplane/tcp/sendq.h"

static bool in_flight(const struct tcp_record *r)
{
	return !(r->flags & (TCP_R_SACKED | TCP_R_LOST));
}

struct tcp_record *tcp_record_new(
	struct tcp_stack *s, struct tcp_conn *c, uint32_t len, bool fin, uint64_t now)
{
	struct tcp_record *r = tcp_pool_take(&s->records);

	if (r == NULL) {
		tcp_count(s, TCP_C_no_send_record);
		return NULL;
	}
	*r = (struct tcp_record){
		.m = c->sendq_next,
		.sent_ns = now,
		.seq = c->snd_nxt,
		.off = (uint16_t)c->sendq_next_off,
		.len = (uint16_t)len,
		.flags = fin ? TCP_R_FIN : 0,
		.transmits = 1,
	};
	if (c->rec_tail == NULL) {
		c->rec_head = r;
		c->rto_base_ns = now;
		c->progress_ns = now;
	} else {
		c->rec_tail->next = r;
	}
	c->rec_tail = r;
	TAILQ_INSERT_TAIL(&c->sent, r, sent_link);
	if (len > 0)
		tcp_sendq_advance(c, len);
	c->snd_nxt += tcp_record_size(r);
	return r;
}

void tcp_record_resent(struct tcp_conn *c, struct tcp_record *r, uint64_t now)
{
	if (r->flags & TCP_R_LOST) {
		r->flags &= (uint8_t)~TCP_R_LOST;
		c->lost_out -= tcp_record_size(r);
	} else {
		TAILQ_REMOVE(&c->sent, r, sent_link);
	}
	TAILQ_INSERT_TAIL(&c->sent, r, sent_link);
	r->flags |= TCP_R_RETRANS;
	r->sent_ns = now;
	if (r->transmits < UINT8_MAX)
		r->transmits++;
}

bool tcp_record_split(struct tcp_stack *s, struct tcp_conn *c, struct tcp_record *r, uint32_t len)
{
	struct tcp_record *b = tcp_pool_take(&s->records);
	uint32_t off = r->off + len;
	struct rte_mbuf *m = r->m;

	if (b == NULL) {
		tcp_count(s, TCP_C_no_send_record);
		return false;
	}
	while (off >= m->data_len && m->next != NULL) {
		off -= m->data_len;
		m = m->next;
	}
	*b = *r;
	b->m = m;
	b->off = (uint16_t)off;
	b->seq = r->seq + len;
	b->len = (uint16_t)(r->len - len);
	r->len = (uint16_t)len;
	r->flags &= (uint8_t)~TCP_R_FIN;
	r->next = b;
	if (c->rec_tail == r)
		c->rec_tail = b;
	if (in_flight(b))
		TAILQ_INSERT_AFTER(&c->sent, r, b, sent_link);
	return true;
}

void tcp_record_mark_lost(struct tcp_conn *c, struct tcp_record *r)
{
	if (!in_flight(r))
		return;
	TAILQ_REMOVE(&c->sent, r, sent_link);
	r->flags |= TCP_R_LOST;
	c->lost_out += tcp_record_size(r);
	c->lost_segments++;
}

struct tcp_record *tcp_record_next_lost(const struct tcp_conn *c, struct tcp_record *from)
{
	struct tcp_record *r = from != NULL ? from : c->rec_head;

	while (r != NULL && !(r->flags & TCP_R_LOST))
		r = r->next;
	return r;
}

/* Takes a record that the peer now has out of the counts of what is in flight or lost. */
static void record_delivered(
	struct tcp_stack *s, struct tcp_conn *c, struct tcp_record *r, struct tcp_ack_sample *a)
{
	if (r->flags & TCP_R_LOST)
		c->lost_out -= tcp_record_size(r);
	else
		TAILQ_REMOVE(&c->sent, r, sent_link);
	r->flags &= (uint8_t)~TCP_R_LOST;
	a->delivered += tcp_record_size(r);
	if (r->flags & TCP_R_RETRANS)
		a->retrans_acked = true;
	else
		a->orig_acked = true;
	tcp_rack_delivered(s, c, r, a);
}

void tcp_scoreboard_ack(
	struct tcp_stack *s, struct tcp_conn *c, uint32_t ack, struct tcp_ack_sample *a)
{
	while (c->rec_head != NULL) {
		struct tcp_record *r = c->rec_head;
		uint32_t part;

		if (seq_geq(r->seq, ack))
			break;
		if (seq_gt(tcp_record_end(r), ack)) {
			/* Half of a record: somebody on the way has cut our segment. */
			part = ack - r->seq;
			if (r->flags & TCP_R_SACKED)
				c->sacked_out -= part;
			else
				a->delivered += part;
			if (r->flags & TCP_R_LOST)
				c->lost_out -= part;
			r->seq = ack;
			r->len = (uint16_t)(r->len - part);
			for (part += r->off; part >= r->m->data_len && r->m->next != NULL;
				r->m = r->m->next)
				part -= r->m->data_len;
			r->off = (uint16_t)part;
			break;
		}
		if (r->flags & TCP_R_SACKED)
			c->sacked_out -= tcp_record_size(r);
		else
			record_delivered(s, c, r, a);
		c->rec_head = r->next;
		if (c->rec_head == NULL)
			c->rec_tail = NULL;
		tcp_pool_give(&s->records, r);
	}
	a->acked = ack - c->snd_una;
	c->snd_una = ack;
	tcp_sendq_acked(s, c);
}

/* DSACK, RFC 2883 4: a first block below the cumulative ACK or inside the second one. */
static bool is_dsack(const struct tcp_conn *c, const struct tcp_sack_block *b, unsigned int n)
{
	if (seq_leq(b[0].end, c->snd_una))
		return true;
	return n > 1 && seq_geq(b[0].start, b[1].start) && seq_leq(b[0].end, b[1].end);
}

static void block_apply(struct tcp_stack *s, struct tcp_conn *c, const struct tcp_sack_block *b,
	struct tcp_ack_sample *a)
{
	struct tcp_record *r = c->rec_head;

	for (; r != NULL && seq_lt(r->seq, b->end); r = r->next) {
		/* Only what is covered whole; the rest will be reported again or sent again. */
		if ((r->flags & TCP_R_SACKED) || seq_lt(r->seq, b->start) ||
			seq_gt(tcp_record_end(r), b->end))
			continue;
		record_delivered(s, c, r, a);
		r->flags |= TCP_R_SACKED;
		c->sacked_out += tcp_record_size(r);
		c->sacked_segments++;
		a->sacked += tcp_record_size(r);
	}
}

void tcp_scoreboard_sack(struct tcp_stack *s, struct tcp_conn *c, const struct tcp_sack_block *b,
	unsigned int n, struct tcp_ack_sample *a)
{
	unsigned int i = 0;

	if (n == 0)
		return;
	tcp_count_by(s, TCP_C_sack_blocks_in, n);
	if (is_dsack(c, b, n)) {
		tcp_count(s, TCP_C_dsack_in);
		a->dsack = true;
		a->dsack_end = b[0].end;
		i = 1;
	}
	for (; i < n; i++) {
		/* Old blocks come late; blocks of what was never sent are lies, RFC 2018 5. */
		if (seq_geq(b[i].start, b[i].end) || seq_gt(b[i].end, c->snd_nxt)) {
			tcp_count(s, TCP_C_sack_invalid);
			continue;
		}
		if (seq_leq(b[i].end, c->snd_una))
			continue;
		block_apply(s, c, &b[i], a);
	}
}

void tcp_scoreboard_forget_sacks(struct tcp_conn *c)
{
	for (struct tcp_record *r = c->rec_head; r != NULL; r = r->next) {
		if (!(r->flags & TCP_R_SACKED))
			continue;
		r->flags = (uint8_t)((r->flags & ~TCP_R_SACKED) | TCP_R_LOST);
		c->lost_out += tcp_record_size(r);
	}
	c->sacked_out = 0;
}

static void sent_insert(struct tcp_conn *c, struct tcp_record *r)
{
	struct tcp_record *o;

	/* By time; what was marked lost is older than nearly all, so this ends soon. */
	TAILQ_FOREACH (o, &c->sent, sent_link) {
		if (o->sent_ns > r->sent_ns ||
			(o->sent_ns == r->sent_ns && seq_gt(o->seq, r->seq))) {
			TAILQ_INSERT_BEFORE(o, r, sent_link);
			return;
		}
	}
	TAILQ_INSERT_TAIL(&c->sent, r, sent_link);
}

void tcp_scoreboard_unmark(struct tcp_conn *c)
{
	for (struct tcp_record *r = c->rec_head; r != NULL && c->lost_out > 0; r = r->next) {
		if (!(r->flags & TCP_R_LOST))
			continue;
		r->flags &= (uint8_t)~TCP_R_LOST;
		c->lost_out -= tcp_record_size(r);
		sent_insert(c, r);
	}
}

void tcp_scoreboard_free(struct tcp_stack *s, struct tcp_conn *c)
{
	while (c->rec_head != NULL) {
		struct tcp_record *r = c->rec_head;

		c->rec_head = r->next;
		tcp_pool_give(&s->records, r);
	}
	c->rec_tail = NULL;
	c->sacked_out = c->lost_out = 0;
	TAILQ_INIT(&c->sent);
}

bool tcp_scoreboard_valid(const struct tcp_conn *c)
{
	const struct tcp_record *r, *last = NULL;
	uint32_t seq, sacked = 0, lost = 0, flying = 0, on_list = 0;

	if (c->rec_head == NULL)
		return c->rec_tail == NULL && c->lost_out == 0 && TAILQ_EMPTY(&c->sent);
	seq = c->rec_head->seq;
	for (r = c->rec_head; r != NULL; last = r, r = r->next) {
		if (r->seq != seq || tcp_record_size(r) == 0)
			return false;
		seq = tcp_record_end(r);
		if ((r->flags & TCP_R_SACKED) && (r->flags & TCP_R_LOST))
			return false;
		if (r->flags & TCP_R_SACKED)
			sacked += tcp_record_size(r);
		else if (r->flags & TCP_R_LOST)
			lost += tcp_record_size(r);
		else
			flying++;
	}
	TAILQ_FOREACH (r, &c->sent, sent_link)
		on_list++;
	if (last != c->rec_tail || seq != c->snd_nxt || c->rec_head->seq != c->snd_una)
		return false;
	if (lost != c->lost_out || flying != on_list)
		return false;
	if ((c->flags & TCP_F_SACK) && sacked != c->sacked_out)
		return false;
	return c->sacked_out + c->lost_out <= tcp_conn_flight(c);
}
