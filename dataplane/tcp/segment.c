/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/segment.h"

#include <rte_byteorder.h>
#include <rte_tcp.h>

bool tcp_segment_parse(struct tcp_stack *s, struct rte_mbuf *m, struct tcp_segment *g)
{
	const struct net_meta *meta = rte_mbuf_to_priv(m);
	const struct rte_tcp_hdr *th = rte_pktmbuf_mtod(m, const struct rte_tcp_hdr *);
	uint32_t hdr_len;

	if (m->data_len < TCP_HEADER_SIZE) {
		tcp_count(s, TCP_C_drop_short);
		return false;
	}
	hdr_len = (uint32_t)(th->data_off >> 4) * 4;
	if (hdr_len < TCP_HEADER_SIZE || hdr_len > m->data_len) {
		tcp_count(s, TCP_C_drop_bad_offset);
		return false;
	}
	g->m = m;
	g->key.local = meta->dst;
	g->key.remote = meta->src;
	g->key.local_port = rte_be_to_cpu_16(th->dst_port);
	g->key.remote_port = rte_be_to_cpu_16(th->src_port);
	g->seq = rte_be_to_cpu_32(th->sent_seq);
	g->ack = rte_be_to_cpu_32(th->recv_ack);
	g->wnd = rte_be_to_cpu_16(th->rx_win);
	g->flags = th->tcp_flags;
	g->ecn = meta->ecn;
	g->len = m->pkt_len - hdr_len;
	if (g->key.local_port == 0 || g->key.remote_port == 0) {
		tcp_count(s, TCP_C_drop_bad_port);
		return false;
	}
	/* From ourselves to ourselves (the "land" attack): such a connection would answer itself.
	 */
	if (g->key.local_port == g->key.remote_port &&
		ip_addr_equal(&g->key.local, &g->key.remote)) {
		tcp_count(s, TCP_C_drop_land);
		return false;
	}
	/* SYN with FIN or RST means nothing in any state. */
	if ((g->flags & TCP_SYN) && (g->flags & (TCP_FIN | TCP_RST))) {
		tcp_count(s, TCP_C_drop_bad_flags);
		return false;
	}
	tcp_options_parse(
		(const uint8_t *)(th + 1), hdr_len - TCP_HEADER_SIZE, g->flags & TCP_SYN, &g->opt);
	if (g->opt.malformed)
		tcp_count(s, TCP_C_bad_options);
	/* Urgent data is read in line, RFC 6093 2.2: the pointer is never looked at. */
	if (g->flags & TCP_URG)
		tcp_count(s, TCP_C_urgent_ignored);
	rte_pktmbuf_adj(m, (uint16_t)hdr_len);
	return true;
}

void tcp_segment_trim_front(struct tcp_segment *g, uint32_t n)
{
	g->seq += n;
	g->len -= n;
	/* Not rte_pktmbuf_adj(): that knows the first mbuf of a chain only. */
	while (n >= g->m->data_len && g->m->next != NULL) {
		struct rte_mbuf *next = g->m->next;

		n -= g->m->data_len;
		next->nb_segs = g->m->nb_segs - 1;
		next->pkt_len = g->m->pkt_len - g->m->data_len;
		rte_pktmbuf_free_seg(g->m);
		g->m = next;
	}
	g->m->data_off = (uint16_t)(g->m->data_off + n);
	g->m->data_len = (uint16_t)(g->m->data_len - n);
	g->m->pkt_len -= n;
}

void tcp_segment_trim_tail(struct tcp_segment *g, uint32_t n)
{
	struct rte_mbuf *m = g->m;
	uint32_t keep;

	g->len -= n;
	keep = g->len;
	g->m->pkt_len = keep;
	g->m->nb_segs = 1;
	while (keep > m->data_len && m->next != NULL) {
		keep -= m->data_len;
		m = m->next;
		g->m->nb_segs++;
	}
	m->data_len = (uint16_t)keep;
	while (m->next != NULL) {
		struct rte_mbuf *gone = m->next;

		m->next = gone->next;
		rte_pktmbuf_free_seg(gone);
	}
}
