/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The send side's bytes: a chain of mbufs of tx_pool, filled to the brim, freed as acknowledged.
 *
 * Why a segment is a copy of these bytes and not these mbufs themselves: the lower layers write
 * their headers into the mbuf they get and the device may hold it long after the ACK came, so a
 * shared mbuf would need one that is chained (a header mbuf and an indirect one: two descriptors,
 * two refcounts, multi-segment support of every device) or a retransmission that has to wait for
 * the device. A copy of 1,448 bytes costs about 40 ns, a few per cent of what TLS costs for the
 * same bytes; in return segments are always single mbufs, can be cut anew at any byte when the path
 * MTU changes, short writes share an mbuf, and ports may use fast free. Internal.
 */
#ifndef POSTGATE_DATAPLANE_TCP_SENDQ_H
#define POSTGATE_DATAPLANE_TCP_SENDQ_H

#include "dataplane/tcp/stack.h"

/* Frees what is acknowledged up to snd_una. */
void tcp_sendq_acked(struct tcp_stack *s, struct tcp_conn *c);
/* Moves the cursor of what is sent next by `len` bytes. */
void tcp_sendq_advance(struct tcp_conn *c, uint32_t len);
/* Copies `len` bytes from `off` in `m` on. */
void tcp_sendq_copy(const struct rte_mbuf *m, uint32_t off, void *to, uint32_t len);
void tcp_sendq_free(struct tcp_stack *s, struct tcp_conn *c);
/* Raises `writable` if the application waits for it and there is room. */
void tcp_sendq_check_writable(struct tcp_conn *c);

#endif
