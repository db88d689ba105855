/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments of what we send: echo replies only, which are as long as their request was (RFC 1122
 * 3.2.2.6, RFC 4443 4.2). TCP never needs them.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "dataplane/net/internal.h"

/* One piece: a copy, as fragments of a chain would have to share it otherwise. */
static int send_piece(struct net *n, const struct rte_mbuf *m, const struct output_params *whole,
	uint32_t off, uint16_t len, bool more, uint64_t now)
{
	struct output_params p = *whole;
	struct rte_mbuf *out = rte_pktmbuf_alloc(n->pool);
	uint8_t *to;
	const void *from;

	if (out == NULL) {
		net_count(n, NET_C_out_no_mbuf);
		return -ENOBUFS;
	}
	p.ident = n->ident;
	if (ip_addr_is_v4(p.dst)) {
		p.frag = (uint16_t)(off / 8 | (more ? IP4_MF : 0));
		p.fragment = true;
	} else {
		struct wire_ip6_frag *f =
			(struct wire_ip6_frag *)rte_pktmbuf_append(out, sizeof(*f));

		*f = (struct wire_ip6_frag){.next = p.proto,
			.offset = htons((uint16_t)(off | (more ? IP6_FRAG_MORE : 0))),
			.id = htonl(n->ident)};
		p.proto = IPPROTO_FRAGMENT;
	}
	to = (uint8_t *)rte_pktmbuf_append(out, len);
	if (to == NULL) {
		net_drop(n, out, NET_C_out_no_mbuf);
		return -ENOBUFS;
	}
	from = rte_pktmbuf_read(m, off, len, to);
	if (from != to)
		memcpy(to, from, len);
	net_count(n, NET_C_out_fragments);
	return output_packet(n, out, &p, now);
}

int fragment_output(struct net *n, struct rte_mbuf *m, const struct output_params *p, uint64_t now)
{
	uint32_t header = ip_addr_is_v4(p->dst)
				  ? sizeof(struct wire_ip4)
				  : sizeof(struct wire_ip6) + sizeof(struct wire_ip6_frag);
	uint32_t room = rte_pktmbuf_data_room_size(n->pool) - RTE_PKTMBUF_HEADROOM -
			sizeof(struct wire_ip6_frag);
	uint32_t piece = (RTE_MIN(n->ifaces[p->iface].mtu - header, room)) & ~7u;
	int rc = 0;

	/* Unpredictable, so that nobody can slip a fragment in: RFC 7739. */
	n->ident = (uint32_t)rte_rand();
	for (uint32_t off = 0; off < m->pkt_len && rc == 0; off += piece) {
		uint32_t left = m->pkt_len - off;

		rc = send_piece(n, m, p, off, (uint16_t)RTE_MIN(left, piece), left > piece, now);
	}
	rte_pktmbuf_free(m);
	return rc;
}
