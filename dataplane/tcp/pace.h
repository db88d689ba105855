/* SPDX-License-Identifier: BSD-3-Clause */
/* Pacing: bursts no longer than what the path's queue has seen in slow start. Internal. */
#ifndef POSTGATE_DATAPLANE_TCP_PACE_H
#define POSTGATE_DATAPLANE_TCP_PACE_H

#include "dataplane/tcp/stack.h"

/* Whether a segment may go now; if not, the soon timer brings the connection back. */
bool tcp_pace_allows(struct tcp_stack *s, struct tcp_conn *c, uint64_t now);
void tcp_pace_sent(struct tcp_conn *c, uint32_t len, uint64_t now);

#endif
