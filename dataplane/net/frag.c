/* SPDX-License-Identifier: BSD-3-Clause */
#define ALLOW_EXPERIMENTAL_API /* rte_ip_frag_table_del_expired_entries() */
#include "dataplane/net/frag.h"

#include <arpa/inet.h>
#include <errno.h>

#include <rte_ip_frag.h>
#include <rte_malloc.h>

#include "dataplane/net/internal.h"

#define FRAG_BUCKET_ENTRIES 4
#define FRAG_LIFETIME       (30 * NET_NS_PER_S) /* RFC 1122 3.3.2 and RFC 8200 4.5 have up to 60 */
#define FRAG_TICK           NET_NS_PER_S
#define IP_DATAGRAM_MAX     65535

struct frag {
	struct rte_ip_frag_tbl *table;
	uint64_t next_tick;
	struct rte_ip_frag_death_row dead;
};

int frag_create(const struct net_limits *limits, int socket_id, struct frag **out)
{
	struct frag *f = rte_zmalloc_socket("net_frag", sizeof(*f), 0, socket_id);
	uint32_t entries =
		limits->frag_datagrams != 0 ? limits->frag_datagrams : FRAG_DATAGRAMS_DEFAULT;

	if (f == NULL)
		return -ENOMEM;
	/* The table's clock is whatever it is given: ours counts nanoseconds. */
	f->table = rte_ip_frag_table_create(
		entries, FRAG_BUCKET_ENTRIES, entries, FRAG_LIFETIME, socket_id);
	if (f->table == NULL) {
		rte_free(f);
		return -ENOMEM;
	}
	*out = f;
	return 0;
}

void frag_destroy(struct frag *f)
{
	if (f == NULL)
		return;
	frag_free_dead(f);
	rte_ip_frag_table_destroy(f->table);
	rte_free(f);
}

void frag_free_dead(struct frag *f)
{
	if (f->dead.cnt > 0)
		rte_ip_frag_free_death_row(&f->dead, 0);
}

/* Checks that need no other fragment. True: `m` is dropped. */
static bool refuse(struct net *n, struct rte_mbuf *m, uint32_t offset, uint32_t len, bool more,
	uint32_t header, uint8_t proto)
{
	net_count(n, NET_C_frag_rx);
	if (len == 0 || (more && len % 8 != 0)) {
		net_drop(n, m, NET_C_frag_bad_length);
		return true;
	}
	/* RFC 791 3.2: no datagram is longer, whatever its fragments say ("ping of death"). */
	if (offset + len + header > IP_DATAGRAM_MAX) {
		net_drop(n, m, NET_C_frag_too_big);
		return true;
	}
	/* RFC 1858 3.2, RFC 7112: the first one holds the transport header, no second one rewrites
	 * it. */
	if ((offset == 0 && proto == IPPROTO_TCP && len < sizeof(struct wire_tcp)) ||
		(offset > 0 && offset < sizeof(struct wire_tcp) && proto == IPPROTO_TCP)) {
		net_drop(n, m, NET_C_frag_tiny);
		return true;
	}
	return false;
}

static struct rte_mbuf *finish(struct net *n, struct rte_mbuf *whole, uint32_t dead_before)
{
	struct frag *f = n->frag;

	if (f->dead.cnt > dead_before)
		net_count(n, NET_C_frag_discarded);
	/* The death row must have room for what one packet can bring. */
	if (f->dead.cnt > RTE_IP_FRAG_DEATH_ROW_MBUF_LEN / 2)
		frag_free_dead(f);
	if (whole == NULL)
		return NULL;
	net_count(n, NET_C_frag_reassembled);
	/* What a device said of a fragment's checksum says nothing of the whole's. */
	whole->ol_flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_IP_CKSUM_MASK);
	return whole;
}

struct rte_mbuf *frag_ip4(struct net *n, struct rte_mbuf *m, uint64_t now)
{
	struct wire_ip4 *ip = rte_pktmbuf_mtod_offset(m, struct wire_ip4 *, m->l2_len);
	uint16_t field = ntohs(ip->frag);
	uint32_t len = ntohs(ip->len) - m->l3_len, dead = n->frag->dead.cnt;

	if (refuse(n, m, (uint32_t)(field & IP4_FRAG_MASK) * 8, len, field & IP4_MF, m->l3_len,
		    ip->proto))
		return NULL;
	m = rte_ipv4_frag_reassemble_packet(
		n->frag->table, &n->frag->dead, m, now, (struct rte_ipv4_hdr *)ip);
	return finish(n, m, dead);
}

struct rte_mbuf *frag_ip6(struct net *n, struct rte_mbuf *m, uint64_t now)
{
	struct wire_ip6 *ip = rte_pktmbuf_mtod_offset(m, struct wire_ip6 *, m->l2_len);
	struct wire_ip6_frag *fh = (struct wire_ip6_frag *)(ip + 1);
	uint16_t field = ntohs(fh->offset);
	uint32_t len = ntohs(ip->payload_len) - sizeof(*fh), dead = n->frag->dead.cnt;

	if (refuse(n, m, field & IP6_FRAG_OFFSET_MASK, len, field & IP6_FRAG_MORE, 0, fh->next))
		return NULL;
	m = rte_ipv6_frag_reassemble_packet(n->frag->table, &n->frag->dead, m, now,
		(struct rte_ipv6_hdr *)ip, (struct rte_ipv6_fragment_ext *)fh);
	return finish(n, m, dead);
}

void frag_tick(struct net *n, uint64_t now)
{
	struct frag *f = n->frag;
	uint32_t dead = f->dead.cnt;

	if (now < f->next_tick)
		return;
	f->next_tick = now + FRAG_TICK;
	rte_ip_frag_table_del_expired_entries(f->table, &f->dead, now);
	if (f->dead.cnt > dead)
		net_count(n, NET_C_frag_expired);
	frag_free_dead(f);
}
