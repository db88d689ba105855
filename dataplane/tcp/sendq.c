/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/sendq.h"
#include "dataplane/tcp/timers.h"

/* Without a word from the application: room for this much at least makes it `writable`. */
#define SEND_LOW_WATER 4096u
/* A queue may hold so much however small the congestion window is. */
#define SEND_FLOOR 65536u

static bool may_send(const struct tcp_conn *c)
{
	return !(c->flags & TCP_F_FIN_QUEUED) && c->state != TCP_CLOSED &&
	       c->state != TCP_TIME_WAIT;
}

uint32_t tcp_unacked(const struct tcp_conn *c)
{
	uint32_t una = c->snd_una;

	/* The SYN, and the FIN once acknowledged, are numbers that are no bytes. */
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECEIVED)
		una++;
	return seq_gt(c->snd_end, una) ? c->snd_end - una : 0;
}

uint32_t tcp_send_space(const struct tcp_conn *c)
{
	uint32_t limit = c->stack->config.send_buffer, used = tcp_unacked(c);

	if (!may_send(c))
		return 0;
	/* Bytes are taken from the application when they can be sent soon: two windows' worth. */
	limit = RTE_MIN(limit, RTE_MAX(2 * c->cc.cwnd, SEND_FLOOR));
	return used < limit ? limit - used : 0;
}

static uint32_t low_water(const struct tcp_conn *c)
{
	uint32_t most = c->stack->config.send_buffer / 2;
	uint32_t low = c->low_water != 0 ? c->low_water : SEND_LOW_WATER;

	/* What can never be there must not be waited for. */
	most = RTE_MIN(most, SEND_FLOOR / 2);
	return RTE_MIN(low, most);
}

static bool mbufs_left(const struct tcp_stack *s)
{
	/* What is held back is for copies on their way out and retransmissions. */
	return s->usage.tx_mbufs + s->config.reserve_mbufs < s->tx_pool_size;
}

void tcp_sendq_check_writable(struct tcp_conn *c)
{
	if (!(c->flags & TCP_F_WANT_WRITE) || tcp_send_space(c) < low_water(c))
		return;
	if (!mbufs_left(c->stack)) {
		tcp_timer_retry(c);
		return;
	}
	c->flags &= ~(uint32_t)TCP_F_WANT_WRITE;
	tcp_conn_event(c, TCP_EV_WRITABLE);
}

void tcp_want_writable(struct tcp_conn *c, uint32_t low)
{
	c->low_water = low;
	if (!may_send(c) || (c->flags & TCP_F_ORPHAN))
		return;
	c->flags |= TCP_F_WANT_WRITE;
	if (c->state != TCP_SYN_SENT && c->state != TCP_SYN_RECEIVED)
		tcp_sendq_check_writable(c);
}

static struct rte_mbuf *sendq_grow(struct tcp_stack *s, struct tcp_conn *c)
{
	struct rte_mbuf *m;

	if (!mbufs_left(s))
		return NULL;
	m = rte_pktmbuf_alloc(s->tx_pool);
	if (m == NULL)
		return NULL;
	m->data_off = 0; /* never leaves this queue: the headroom is data room */
	s->usage.tx_mbufs++;
	if (c->sendq_tail == NULL) {
		c->sendq_head = m;
		c->sendq_seq = c->snd_end;
	} else {
		c->sendq_tail->next = m;
	}
	c->sendq_tail = m;
	return m;
}

int64_t tcp_send(struct tcp_stack *s, struct tcp_conn *c, const void *buf, size_t len, bool more)
{
	const uint8_t *p = buf;
	uint32_t space = tcp_send_space(c), take, done = 0;

	if (!may_send(c))
		return -EPIPE;
	take = len < space ? (uint32_t)len : space;
	while (done < take) {
		struct rte_mbuf *m = c->sendq_tail;
		uint32_t n;

		if (m == NULL || m->data_len >= s->sendq_room)
			m = sendq_grow(s, c);
		if (m == NULL) {
			tcp_count(s, TCP_C_no_tx_mbuf);
			break;
		}
		n = RTE_MIN(take - done, s->sendq_room - m->data_len);
		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len), p + done, n);
		if (c->sendq_next == NULL) {
			c->sendq_next = m;
			c->sendq_next_off = m->data_len;
		}
		m->data_len = (uint16_t)(m->data_len + n);
		done += n;
		c->snd_end += n;
	}
	c->flags &= ~(uint32_t)(TCP_F_MORE | TCP_F_MORE_WAITED);
	if (more)
		c->flags |= TCP_F_MORE;
	if (done < len)
		c->flags |= TCP_F_WANT_WRITE;
	if (done > 0 && c->state != TCP_SYN_SENT && c->state != TCP_SYN_RECEIVED)
		tcp_conn_want_output(c);
	if (done < take) {
		tcp_timer_retry(c);
		if (done == 0)
			return -ENOBUFS;
	}
	return done;
}

void tcp_sendq_advance(struct tcp_conn *c, uint32_t len)
{
	c->sendq_next_off += len;
	while (c->sendq_next != NULL && c->sendq_next_off >= c->sendq_next->data_len) {
		/* The tail may grow yet: the cursor is set again by tcp_send(). */
		c->sendq_next_off -= c->sendq_next->data_len;
		c->sendq_next = c->sendq_next->next;
	}
}

void tcp_sendq_copy(const struct rte_mbuf *m, uint32_t off, void *to, uint32_t len)
{
	uint8_t *p = to;

	while (len > 0) {
		uint32_t n = RTE_MIN(len, (uint32_t)m->data_len - off);

		memcpy(p, rte_pktmbuf_mtod_offset(m, const uint8_t *, off), n);
		p += n;
		len -= n;
		off = 0;
		m = m->next;
	}
}

void tcp_sendq_acked(struct tcp_stack *s, struct tcp_conn *c)
{
	while (c->sendq_head != NULL) {
		struct rte_mbuf *m = c->sendq_head;
		uint32_t end = c->sendq_seq + m->data_len;

		if (seq_gt(end, c->snd_una))
			break;
		if (c->sendq_next == m)
			break; /* its next byte is still to be sent */
		c->sendq_seq = end;
		c->sendq_head = m->next;
		if (c->sendq_head == NULL)
			c->sendq_tail = NULL;
		rte_pktmbuf_free_seg(m);
		s->usage.tx_mbufs--;
	}
}

void tcp_sendq_free(struct tcp_stack *s, struct tcp_conn *c)
{
	while (c->sendq_head != NULL) {
		struct rte_mbuf *m = c->sendq_head;

		c->sendq_head = m->next;
		rte_pktmbuf_free_seg(m);
		s->usage.tx_mbufs--;
	}
	c->sendq_tail = c->sendq_next = NULL;
}
