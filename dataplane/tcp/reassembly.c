/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes out of order: a sorted list of runs, each the mbufs of contiguous bytes chained by m->next,
 * with its bounds in the private area of its first mbuf. A segment costs a walk over the runs (at
 * most TCP_OOO_RUNS_MAX), never over the mbufs.
 */
#include "dataplane/tcp/recv.h"

static struct tcp_run *run_of(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

static struct rte_mbuf *chain_last(struct rte_mbuf *m)
{
	while (m->next != NULL)
		m = m->next;
	return m;
}

static uint16_t chain_count(const struct rte_mbuf *m)
{
	uint16_t n = 0;

	for (; m != NULL; m = m->next)
		n++;
	return n;
}

/* Whether `len` bytes may be copied behind those of `tail`. */
static bool tail_has_room(struct rte_mbuf *tail, uint32_t len)
{
	return len <= TCP_COALESCE_MAX && RTE_MBUF_DIRECT(tail) &&
	       rte_mbuf_refcnt_read(tail) == 1 &&
	       (uint32_t)(tail->buf_len - tail->data_off - tail->data_len) >= len;
}

static void copy_behind(struct rte_mbuf *tail, const struct rte_mbuf *m)
{
	for (; m != NULL; m = m->next) {
		memcpy(rte_pktmbuf_mtod_offset(tail, uint8_t *, tail->data_len),
			rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
		tail->data_len = (uint16_t)(tail->data_len + m->data_len);
	}
}

static void mbufs_held(struct tcp_stack *s, struct tcp_conn *c, int n)
{
	c->rx_mbufs = (uint16_t)(c->rx_mbufs + n);
	s->usage.rx_mbufs += (uint32_t)n;
}

static void free_chain(struct rte_mbuf *m)
{
	while (m != NULL) {
		struct rte_mbuf *next = m->next;

		rte_pktmbuf_free_seg(m);
		m = next;
	}
}

/* Appends to a chain whose last mbuf is *tail; m is gone after. */
static void chain_append(struct tcp_stack *s, struct tcp_conn *c, struct rte_mbuf **tail,
	struct rte_mbuf *m, uint32_t len)
{
	if (tail_has_room(*tail, len)) {
		copy_behind(*tail, m);
		free_chain(m);
		tcp_count(s, TCP_C_coalesced);
		return;
	}
	mbufs_held(s, c, chain_count(m));
	(*tail)->next = m;
	*tail = chain_last(m);
}

static void rcvq_append(struct tcp_stack *s, struct tcp_conn *c, struct rte_mbuf *m, uint32_t len)
{
	if (c->rcvq_tail == NULL) {
		mbufs_held(s, c, chain_count(m));
		c->rcvq_head = m;
		c->rcvq_tail = chain_last(m);
	} else {
		chain_append(s, c, &c->rcvq_tail, m, len);
	}
	c->rcvq_bytes += len;
	c->rcv_nxt += len;
}

/* The first run has become in order. */
static void first_run_to_rcvq(struct tcp_conn *c)
{
	struct rte_mbuf *m = c->ooo;
	struct tcp_run run = *run_of(m);
	uint32_t len = run.end - run.start;

	c->ooo = run.next;
	c->ooo_runs--;
	c->ooo_bytes -= len;
	if (c->rcvq_tail == NULL)
		c->rcvq_head = m;
	else
		c->rcvq_tail->next = m;
	c->rcvq_tail = run.tail;
	c->rcvq_bytes += len;
	c->rcv_nxt = run.end;
}

/*
 * The last `len` bytes of g, those after a run that lies in the middle of it, in an mbuf of their
 * own. NULL without an mbuf: the peer will send them again.
 */
static struct rte_mbuf *copy_rest(const struct tcp_segment *g, uint32_t len)
{
	struct rte_mbuf *rest = rte_pktmbuf_alloc(g->m->pool);
	const struct rte_mbuf *m = g->m;
	uint32_t skip = g->len - len;

	if (rest == NULL)
		return NULL;
	if (len > rte_pktmbuf_tailroom(rest))
		len = rte_pktmbuf_tailroom(rest);
	for (; m != NULL && skip >= m->data_len; m = m->next)
		skip -= m->data_len;
	for (; m != NULL && len > 0; m = m->next) {
		uint32_t n = RTE_MIN(len, (uint32_t)m->data_len - skip);

		memcpy(rte_pktmbuf_append(rest, (uint16_t)n),
			rte_pktmbuf_mtod_offset(m, const uint8_t *, skip), n);
		len -= n;
		skip = 0;
	}
	return rest;
}

/* Joins run `a` with the run after it if nothing is missing between them. */
static void run_join_next(struct tcp_conn *c, struct rte_mbuf *a)
{
	struct tcp_run *ra = run_of(a), rb;

	if (ra->next == NULL || run_of(ra->next)->start != ra->end)
		return;
	rb = *run_of(ra->next);
	ra->tail->next = ra->next;
	ra->tail = rb.tail;
	ra->end = rb.end;
	ra->next = rb.next;
	c->ooo_runs--;
}

/* Puts [seq, seq+len) of `m` between the runs `prev` and `next`, overlapping neither. False: no
 * room for one more run, m is still the caller's. */
static bool run_place(struct tcp_stack *s, struct tcp_conn *c, struct rte_mbuf *prev,
	struct rte_mbuf *next, struct rte_mbuf *m, uint32_t seq, uint32_t len)
{
	struct tcp_run *run;

	if (prev != NULL && run_of(prev)->end == seq) {
		run = run_of(prev);
		chain_append(s, c, &run->tail, m, len);
		run->end += len;
		m = prev;
	} else {
		/* What is in order always has a place: it is gone from here in a moment. */
		if (c->ooo_runs >= TCP_OOO_RUNS_MAX && seq != c->rcv_nxt) {
			tcp_count(s, TCP_C_drop_ooo_limit);
			return false;
		}
		mbufs_held(s, c, chain_count(m));
		run = run_of(m);
		*run = (struct tcp_run){
			.next = next, .tail = chain_last(m), .start = seq, .end = seq + len};
		if (prev != NULL)
			run_of(prev)->next = m;
		else
			c->ooo = m;
		c->ooo_runs++;
	}
	run->stamp = ++c->ooo_stamp;
	c->ooo_bytes += len;
	s->usage.recv_bytes += len;
	run_join_next(c, m);
	return true;
}

/* Cuts g into what the runs do not have yet and places that. */
static void runs_insert(struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g)
{
	while (g->m != NULL) {
		struct rte_mbuf *prev = NULL, *next = c->ooo, *rest = NULL;
		uint32_t seq = g->seq, end, after = 0;

		while (next != NULL && seq_leq(run_of(next)->start, seq)) {
			prev = next;
			next = run_of(next)->next;
		}
		if (prev != NULL && seq_lt(seq, run_of(prev)->end)) {
			uint32_t have = run_of(prev)->end - seq;

			tcp_count(s, TCP_C_overlap_first_wins);
			if (have >= g->len)
				return;
			tcp_segment_trim_front(g, have);
			continue;
		}
		end = seq + g->len;
		if (next != NULL && seq_lt(run_of(next)->start, end)) {
			after = run_of(next)->end;
			tcp_count(s, TCP_C_overlap_first_wins);
			if (seq_lt(after, end))
				rest = copy_rest(g, end - after);
			tcp_segment_trim_tail(g, end - run_of(next)->start);
		}
		if (run_place(s, c, prev, next, g->m, seq, g->len))
			g->m = NULL;
		if (rest == NULL)
			return;
		if (g->m != NULL)
			free_chain(g->m);
		g->m = rest;
		g->seq = after;
		g->len = rest->pkt_len;
	}
}

/* Received mbufs stay with us as long as they are unread: of the worker's receive pool the last
 * eighth is left to the device whatever windows we have offered, and the last quarter to what is in
 * order. */
static bool rx_pool_low(const struct tcp_stack *s, const struct rte_mbuf *m, bool in_order)
{
	uint32_t size = m->pool->size;

	return s->usage.rx_mbufs >= size - size / (in_order ? 8 : 4);
}

bool tcp_recv_data(struct tcp_stack *s, struct tcp_conn *c, struct tcp_segment *g)
{
	uint32_t rcv_nxt = c->rcv_nxt;

	if (rx_pool_low(s, g->m, g->seq == rcv_nxt)) {
		tcp_count(s, TCP_C_drop_rx_mbufs);
		return false;
	}
	if (g->m->data_len == 0)
		tcp_segment_trim_front(g, 0); /* the header had an mbuf of its own */
	/* Beyond the budget everyone still gets a little, or those whose data is read at once (a
	 * command, an answer) would stand still because of those whose next hop is slow; and the
	 * segment that fills a hole is never the one that is refused. What that
	 * can add up to is bounded by the pool, above. */
	if (s->usage.recv_bytes >= s->config.recv_budget &&
		(g->seq != rcv_nxt || c->rcvq_bytes >= TCP_RECV_LEAST)) {
		tcp_count(s, TCP_C_drop_recv_budget);
		return false;
	}
	if (g->seq == rcv_nxt && c->ooo == NULL) {
		rcvq_append(s, c, g->m, g->len);
		s->usage.recv_bytes += g->len;
		g->m = NULL;
		return true;
	}
	if (g->seq != rcv_nxt)
		tcp_count(s, TCP_C_ooo_queued);
	runs_insert(s, c, g);
	while (c->ooo != NULL && run_of(c->ooo)->start == c->rcv_nxt)
		first_run_to_rcvq(c);
	return c->rcv_nxt != rcv_nxt;
}

unsigned int tcp_recv_sack_blocks(
	const struct tcp_conn *c, struct tcp_sack_block *out, unsigned int max)
{
	unsigned int n = 0, first;
	uint32_t stamps[TCP_SACK_MAX];

	if ((c->flags & TCP_F_DSACK_PENDING) && max > 0)
		out[n++] = (struct tcp_sack_block){c->dsack_start, c->dsack_end};
	first = n;
	for (struct rte_mbuf *m = c->ooo; m != NULL; m = run_of(m)->next) {
		const struct tcp_run *run = run_of(m);
		unsigned int i = n;

		/* Insertion into the few newest. Stamps are compared as sequence numbers. */
		while (i > first && seq_gt(run->stamp, stamps[i - 1])) {
			if (i < max) {
				out[i] = out[i - 1];
				stamps[i] = stamps[i - 1];
			}
			i--;
		}
		if (i < max) {
			out[i] = (struct tcp_sack_block){run->start, run->end};
			stamps[i] = run->stamp;
			if (n < max)
				n++;
		}
	}
	return n;
}

bool tcp_recv_valid(const struct tcp_conn *c)
{
	const struct rte_mbuf *m, *last = NULL;
	uint32_t bytes = 0, mbufs = 0, runs = 0, end = c->rcv_nxt;

	for (m = c->rcvq_head; m != NULL; last = m, m = m->next, mbufs++)
		bytes += m->data_len;
	if (bytes != c->rcvq_bytes || last != c->rcvq_tail)
		return false;
	bytes = 0;
	for (struct rte_mbuf *r = c->ooo; r != NULL; r = run_of(r)->next, runs++) {
		const struct tcp_run *run = run_of(r);
		uint32_t len = 0;

		/* Sorted, with a hole before each; nothing beyond what was asked for. */
		if (!seq_gt(run->start, end) || !seq_gt(run->end, run->start) ||
			seq_gt(run->end, c->rcv_adv))
			return false;
		for (m = r; m != NULL; last = m, m = m->next, mbufs++)
			len += m->data_len;
		if (len != run->end - run->start || last != run->tail)
			return false;
		bytes += len;
		end = run->end;
	}
	return bytes == c->ooo_bytes && runs == c->ooo_runs && mbufs == c->rx_mbufs;
}

void tcp_recv_drop_runs(struct tcp_stack *s, struct tcp_conn *c)
{
	while (c->ooo != NULL) {
		struct rte_mbuf *m = c->ooo;

		c->ooo = run_of(m)->next;
		mbufs_held(s, c, -(int)chain_count(m));
		free_chain(m);
	}
	s->usage.recv_bytes -= c->ooo_bytes;
	c->ooo_bytes = 0;
	c->ooo_runs = 0;
}

void tcp_recv_free(struct tcp_stack *s, struct tcp_conn *c)
{
	tcp_recv_drop_runs(s, c);
	s->usage.recv_bytes -= c->rcvq_bytes;
	mbufs_held(s, c, -(int)c->rx_mbufs);
	free_chain(c->rcvq_head);
	c->rcvq_head = c->rcvq_tail = NULL;
	c->rcvq_bytes = 0;
}
