/* SPDX-License-Identifier: BSD-3-Clause */
/* What the application takes, and the window that follows from it. */
#include "dataplane/tcp/recv.h"

uint32_t tcp_readable(const struct tcp_conn *c)
{
	return c->rcvq_bytes;
}

bool tcp_at_eof(const struct tcp_conn *c)
{
	return c->rcvq_bytes == 0 && (c->flags & TCP_F_FIN_RECEIVED);
}

int tcp_peek(const struct tcp_conn *c, size_t offset, struct iovec *iov, int iov_max)
{
	int n = 0;

	for (struct rte_mbuf *m = c->rcvq_head; m != NULL && n < iov_max; m = m->next) {
		if (offset >= m->data_len) {
			offset -= m->data_len;
			continue;
		}
		iov[n].iov_base = rte_pktmbuf_mtod_offset(m, uint8_t *, offset);
		iov[n].iov_len = m->data_len - offset;
		offset = 0;
		n++;
	}
	return n;
}

void tcp_consume(struct tcp_stack *s, struct tcp_conn *c, size_t len)
{
	uint32_t left;

	if (len > c->rcvq_bytes)
		len = c->rcvq_bytes;
	left = (uint32_t)len;
	while (left > 0) {
		struct rte_mbuf *m = c->rcvq_head;

		if (left < m->data_len) {
			m->data_off = (uint16_t)(m->data_off + left);
			m->data_len = (uint16_t)(m->data_len - left);
			break;
		}
		left -= m->data_len;
		c->rcvq_head = m->next;
		if (c->rcvq_head == NULL)
			c->rcvq_tail = NULL;
		rte_pktmbuf_free_seg(m);
		c->rx_mbufs--;
		s->usage.rx_mbufs--;
	}
	c->rcvq_bytes -= (uint32_t)len;
	s->usage.recv_bytes -= len;
	c->drs_read += (uint32_t)len;
	if (len > 0)
		tcp_recv_window_opened(c);
}

size_t tcp_read(struct tcp_stack *s, struct tcp_conn *c, void *buf, size_t len)
{
	uint8_t *p = buf;
	size_t got = 0;

	for (struct rte_mbuf *m = c->rcvq_head; m != NULL && got < len; m = m->next) {
		size_t n = RTE_MIN(len - got, (size_t)m->data_len);

		memcpy(p + got, rte_pktmbuf_mtod(m, const uint8_t *), n);
		got += n;
	}
	tcp_consume(s, c, got);
	return got;
}

/* Where the right edge could be if it moved now. */
static uint32_t edge_wanted(const struct tcp_conn *c)
{
	const struct tcp_stack *s = c->stack;
	uint32_t limit = c->rcv_buf, room, most = 65535u << c->rcv_wscale;

	if (s->usage.recv_bytes > s->config.recv_budget / 2)
		limit = RTE_MIN(limit, TCP_RECV_PRESSURE);
	room = limit > c->rcvq_bytes ? limit - c->rcvq_bytes : 0;

	return c->rcv_nxt + RTE_MIN(room, most);
}

/* Receiver's side of silly window avoidance, RFC 9293 3.8.6.2.2: the edge moves by a segment or
 * half the buffer, or not at all. */
static bool edge_worth_it(const struct tcp_conn *c, uint32_t edge)
{
	return (int32_t)(edge - c->rcv_adv) >=
	       (int32_t)RTE_MIN(c->rcv_buf / 2, (uint32_t)c->rcv_mss);
}

uint16_t tcp_recv_window(struct tcp_conn *c)
{
	uint32_t edge = edge_wanted(c), field;

	if (edge_worth_it(c, edge))
		field = (edge - c->rcv_nxt) >> c->rcv_wscale;
	else
		field = 0;
	/* Never shrink the window, RFC 9293 3.8.6; rounded up rather than back, RFC 7323 2.4. */
	if (seq_lt(c->rcv_nxt + (field << c->rcv_wscale), c->rcv_adv))
		field = (c->rcv_adv - c->rcv_nxt + (1u << c->rcv_wscale) - 1) >> c->rcv_wscale;
	if (field > 65535)
		field = 65535;
	c->rcv_adv = seq_max(c->rcv_adv, c->rcv_nxt + (field << c->rcv_wscale));
	return (uint16_t)field;
}

void tcp_recv_window_opened(struct tcp_conn *c)
{
	uint32_t edge = edge_wanted(c);

	if (!tcp_conn_synchronized(c) || (c->flags & TCP_F_FIN_RECEIVED))
		return;
	/* Two segments or half the buffer, so that a reader of small pieces does not send an update
	 * for each; at once when the peer stands before a closed window. */
	if ((int32_t)(edge - c->rcv_adv) >= (int32_t)RTE_MIN(c->rcv_buf / 2, 2u * c->rcv_mss) ||
		(tcp_conn_rcv_wnd(c) < c->rcv_mss && edge_worth_it(c, edge))) {
		tcp_count(c->stack, TCP_C_window_updates_out);
		c->flags |= TCP_F_ACK_NOW;
		tcp_conn_want_output(c);
	}
}

void tcp_recv_autotune(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	uint32_t round_ms = RTE_MAX(c->rtt.srtt_us / 1000, 1u);
	uint32_t want, grow;

	if ((uint32_t)(now / TCP_NS_PER_MS) - c->drs_ms < round_ms)
		return;
	/* The application keeps up with what a round trip brings: room for two such rounds. */
	want = 2 * c->drs_read + 16u * c->rcv_mss;
	c->drs_read = 0;
	c->drs_ms = (uint32_t)(now / TCP_NS_PER_MS);
	if (want > s->config.recv_buffer)
		want = s->config.recv_buffer;
	if (want <= c->rcv_buf)
		return;
	grow = want - c->rcv_buf;
	if (s->recv_committed + grow > s->config.recv_budget)
		return;
	s->recv_committed += grow;
	c->rcv_buf = want;
	tcp_count(s, TCP_C_recv_buffer_grown);
}
