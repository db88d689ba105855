/* SPDX-License-Identifier: BSD-3-Clause */
/* From a burst of segments to the connection, the half-open one, TIME-WAIT or the listener. */
#include <rte_prefetch.h>

#include "dataplane/tcp/emit.h"
#include "dataplane/tcp/segment.h"

static void segment_deliver(struct tcp_stack *s, struct tcp_segment *g, uint64_t now)
{
	struct tcp_node *n = tcp_table_find(s->table, &g->key, g->hash);
	struct tcp_listener *l;
	uint32_t min_iss = 0;

	if (n != NULL) {
		switch ((enum tcp_node_kind)n->kind) {
		case TCP_NODE_CONN:
			tcp_conn_segment(s, (struct tcp_conn *)n, g, now);
			return;
		case TCP_NODE_SYN:
			tcp_syn_segment(s, (struct tcp_syn *)n, g, now);
			return;
		case TCP_NODE_TIME_WAIT:
			if (!tcp_time_wait_segment(s, (struct tcp_time_wait *)n, g, &min_iss, now))
				return;
			break;
		}
	}
	l = tcp_listener_find(s, &g->key);
	if (l != NULL) {
		tcp_listen_segment(s, l, g, min_iss, now);
		return;
	}
	if (g->flags & TCP_RST)
		tcp_count(s, TCP_C_rst_in);
	tcp_count(s, g->flags & TCP_SYN ? TCP_C_drop_no_listener : TCP_C_drop_no_connection);
	tcp_emit_rst_for(s, g, now);
}

void tcp_input(struct tcp_stack *s, struct rte_mbuf **segs, uint16_t count, uint64_t now)
{
	struct tcp_segment burst[TCP_BURST];

	s->now = now;
	for (uint16_t i = 0; i < count;) {
		unsigned int n = 0;

		/* Headers, then buckets, then connections: each miss overlaps with the others'. */
		for (uint16_t k = i; k < count && k < i + TCP_BURST; k++)
			rte_prefetch0(rte_pktmbuf_mtod(segs[k], void *));
		for (; i < count && n < TCP_BURST; i++) {
			struct tcp_segment *g = &burst[n];

			tcp_count(s, TCP_C_segs_in);
			if (!tcp_segment_parse(s, segs[i], g)) {
				rte_pktmbuf_free(segs[i]);
				continue;
			}
			g->hash = tcp_table_hash(s->table, &g->key);
			tcp_table_prefetch(s->table, g->hash);
			n++;
		}
		for (unsigned int k = 0; k < n; k++) {
			segment_deliver(s, &burst[k], now);
			/* Nobody kept it. */
			if (burst[k].m != NULL)
				rte_pktmbuf_free(burst[k].m);
		}
	}
}
