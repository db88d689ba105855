/* SPDX-License-Identifier: BSD-3-Clause */
/* One segment from its parts to the lower layer. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_EMIT_H
#define POSTGATE_DATAPLANE_TCP_EMIT_H

#include "dataplane/tcp/segment.h"

struct tcp_emit {
	const struct tcp_key *key;
	uint32_t seq, ack;
	uint16_t wnd;
	uint8_t flags;
	uint8_t tos;
	uint16_t tso_mss; /* 0: one segment */
	const struct tcp_options *opt;
	const struct rte_mbuf *m; /* payload: `len` bytes from `off` in this send queue mbuf on */
	uint32_t off, len;
};

/* Control segments come from ctl_pool, data from tx_pool. 0, -ENOBUFS without an mbuf (counted), or
 * what the lower layer said. */
int tcp_emit(struct tcp_stack *s, const struct tcp_emit *e, uint64_t now);
/* RFC 9293 3.10.7.1: the RST for a segment that belongs to nobody; a bounded number a second. */
void tcp_emit_rst_for(struct tcp_stack *s, const struct tcp_segment *g, uint64_t now);

#endif
