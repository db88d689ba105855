/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reassembly by rte_ip_frag, within bounds: so many datagrams at once, RTE_LIBRTE_IP_FRAG_MAX_FRAG
 * fragments each, for a limited time. A datagram with overlapping fragments is dropped whole
 * (RFC 5722 3, RFC 8200 4.5; the same for IPv4, as RFC 1858 and 3128 suggest).
 */
#ifndef POSTGATE_DATAPLANE_NET_FRAG_H
#define POSTGATE_DATAPLANE_NET_FRAG_H

#include <stdint.h>

struct net;
struct net_limits;
struct net_rx;
struct rte_mbuf;
struct frag;

#define FRAG_DATAGRAMS_DEFAULT 64

int frag_create(const struct net_limits *limits, int socket_id, struct frag **out);
void frag_destroy(struct frag *f);
/* A fragment, l2_len and l3_len set (of IPv6: IP and fragment header, nothing between them). The
 * whole frame when it is the last one missing, else NULL: the fragment is kept or dropped. */
struct rte_mbuf *frag_ip4(struct net *n, struct rte_mbuf *m, uint64_t now);
struct rte_mbuf *frag_ip6(struct net *n, struct rte_mbuf *m, uint64_t now);
/* Frees what reassembly gave up; after each burst. */
void frag_free_dead(struct frag *f);
/* Gives up what is overdue. */
void frag_tick(struct net *n, uint64_t now);

#endif
