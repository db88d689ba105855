/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/emit.h"

#include <errno.h>
#include <rte_byteorder.h>
#include <rte_tcp.h>

#include "dataplane/tcp/sendq.h"

/* RSTs a second for segments without a connection: enough for people, not for reflections. */
#define RST_PER_SECOND 1000u

/* Copies the payload behind the header, into as many mbufs as it takes (more than one for TSO
 * only). */
static int payload_append(struct tcp_stack *s, struct rte_mbuf *head, const struct tcp_emit *e)
{
	const struct rte_mbuf *from = e->m;
	struct rte_mbuf *m = head;
	uint32_t off = e->off, left = e->len;

	while (left > 0) {
		uint32_t n = RTE_MIN(left, (uint32_t)rte_pktmbuf_tailroom(m));

		if (n == 0) {
			m->next = rte_pktmbuf_alloc(s->tx_pool);
			if (m->next == NULL)
				return -ENOBUFS;
			m = m->next;
			head->nb_segs++;
			continue;
		}
		tcp_sendq_copy(from, off, rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len), n);
		m->data_len = (uint16_t)(m->data_len + n);
		head->pkt_len += n;
		left -= n;
		for (off += n; left > 0 && off >= from->data_len; from = from->next)
			off -= from->data_len;
	}
	return 0;
}

int tcp_emit(struct tcp_stack *s, const struct tcp_emit *e, uint64_t now)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(e->len > 0 ? s->tx_pool : s->ctl_pool);
	struct rte_tcp_hdr *th;
	size_t hdr_len = TCP_HEADER_SIZE;
	int ret;

	if (m == NULL) {
		tcp_count(s, e->len > 0 ? TCP_C_no_tx_mbuf : TCP_C_no_ctl_mbuf);
		return -ENOBUFS;
	}
	th = rte_pktmbuf_mtod(m, struct rte_tcp_hdr *);
	if (e->opt != NULL)
		hdr_len += tcp_options_write((uint8_t *)(th + 1), e->opt);
	th->src_port = rte_cpu_to_be_16(e->key->local_port);
	th->dst_port = rte_cpu_to_be_16(e->key->remote_port);
	th->sent_seq = rte_cpu_to_be_32(e->seq);
	th->recv_ack = rte_cpu_to_be_32(e->flags & TCP_ACK ? e->ack : 0);
	th->data_off = (uint8_t)(hdr_len / 4 << 4);
	th->tcp_flags = e->flags;
	th->rx_win = rte_cpu_to_be_16(e->wnd);
	th->cksum = 0;
	th->tcp_urp = 0;
	m->data_len = (uint16_t)hdr_len;
	m->pkt_len = (uint32_t)hdr_len;
	m->l4_len = hdr_len & 0xff;
	if (e->len > 0 && payload_append(s, m, e) < 0) {
		rte_pktmbuf_free(m);
		tcp_count(s, TCP_C_no_tx_mbuf);
		return -ENOBUFS;
	}
	if (e->tso_mss != 0) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = e->tso_mss;
	}
	tcp_count(s, TCP_C_segs_out);
	tcp_count_by(s, TCP_C_bytes_out, e->len);
	if (e->flags & TCP_RST)
		tcp_count(s, TCP_C_rst_out);
	ret = s->lower.output(s->lower.arg, m, &e->key->local, &e->key->remote, e->tos, now);
	if (ret < 0)
		tcp_count(s, TCP_C_lower_failed);
	return ret;
}

void tcp_emit_rst_for(struct tcp_stack *s, const struct tcp_segment *g, uint64_t now)
{
	struct tcp_emit e = {.key = &g->key};

	if (g->flags & TCP_RST)
		return;
	if (now - s->rst_ns >= 1000 * TCP_NS_PER_MS) {
		s->rst_ns = now;
		s->rst_count = 0;
	}
	if (s->rst_count >= RST_PER_SECOND) {
		tcp_count(s, TCP_C_rst_limited);
		return;
	}
	s->rst_count++;
	if (g->flags & TCP_ACK) {
		e.seq = g->ack;
		e.flags = TCP_RST;
	} else {
		e.ack = tcp_segment_end(g);
		e.flags = TCP_RST | TCP_ACK;
	}
	tcp_emit(s, &e, now);
}
