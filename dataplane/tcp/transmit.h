/* SPDX-License-Identifier: BSD-3-Clause */
/* Internal to transmit.c and output.c. */
#ifndef POSTGATE_DATAPLANE_TCP_TRANSMIT_H
#define POSTGATE_DATAPLANE_TCP_TRANSMIT_H

#include "dataplane/tcp/scoreboard.h"

/* A segment with data or FIN, or several as one for the device to cut. */
struct tcp_transmit {
	const struct rte_mbuf *m;
	uint32_t off, seq, len;
	uint16_t tso_mss; /* 0: one segment */
	bool fin;
	bool new; /* never sent before */
};

/* 0, or -ENOBUFS: nothing was built (what the lower layer lost is lost on the way). */
int tcp_transmit(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_transmit *t, uint64_t now);
/* A record once more. */
int tcp_transmit_again(
	struct tcp_stack *s, struct tcp_conn *c, const struct tcp_record *r, uint64_t now);
/* Bytes that SACK blocks will take on the next segment. */
uint32_t tcp_transmit_sack_room(const struct tcp_conn *c);
/* The MSS that we announce, RFC 6691. */
uint16_t tcp_mss_own(const struct tcp_stack *s, const struct ip_addr *remote);

#endif
