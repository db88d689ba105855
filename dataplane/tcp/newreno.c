/* SPDX-License-Identifier: BSD-3-Clause */
/* Congestion avoidance by RFC 5681 3.1 with byte counting, RFC 3465 2.1. */
#include "dataplane/tcp/cc.h"

void tcp_newreno_on_ack(struct tcp_ccs *cc, const struct tcp_cc_ack *a)
{
	uint64_t acked = (uint64_t)cc->newreno.acked + a->acked;

	/* One segment a window of acknowledged bytes. */
	while (acked >= cc->cwnd) {
		acked -= cc->cwnd;
		tcp_cc_grow(cc, a->mss);
		if (cc->cwnd == TCP_CWND_MAX) {
			acked = 0;
			break;
		}
	}
	cc->newreno.acked = (uint32_t)acked;
}
