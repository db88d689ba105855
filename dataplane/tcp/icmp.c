/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors about our segments: believed only as far as RFC 5927 lets them. */
#include "dataplane/tcp/pmtu.h"

/* RFC 792 and 4443. */
enum {
	ICMP4_UNREACHABLE = 3,
	ICMP4_FRAG_NEEDED = 4, /* code */
	ICMP4_PROTOCOL = 2,    /* code */
	ICMP4_PORT = 3,        /* code */
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_PARAMETER = 4,
	ICMP6_ADMIN = 1, /* code */
	ICMP6_PORT = 4,  /* code */
};

enum meaning { SOFT, HARD, TOO_BIG };

static enum meaning meaning_of(const struct net_icmp_error *e)
{
	if (ip_addr_is_v4(&e->local)) {
		if (e->type != ICMP4_UNREACHABLE)
			return SOFT;
		if (e->code == ICMP4_FRAG_NEEDED)
			return TOO_BIG;
		/* RFC 1122 4.2.3.9: protocol and port unreachable are the hard ones. */
		return e->code == ICMP4_PROTOCOL || e->code == ICMP4_PORT ? HARD : SOFT;
	}
	if (e->type == ICMP6_TOO_BIG)
		return TOO_BIG;
	if (e->type == ICMP6_UNREACHABLE)
		return e->code == ICMP6_ADMIN || e->code == ICMP6_PORT ? HARD : SOFT;
	return e->type == ICMP6_PARAMETER ? HARD : SOFT;
}

void tcp_icmp_error(struct tcp_stack *s, const struct net_icmp_error *e, uint64_t now)
{
	struct tcp_key key = {
		.local = e->local,
		.remote = e->remote,
		.local_port = e->local_port,
		.remote_port = e->remote_port,
	};
	struct tcp_node *n = tcp_table_find(s->table, &key, tcp_table_hash(s->table, &key));
	struct tcp_conn *c = (struct tcp_conn *)n;

	s->now = now;
	tcp_count(s, TCP_C_icmp_in);
	if (n == NULL || n->kind != TCP_NODE_CONN) {
		tcp_count(s, TCP_C_icmp_no_connection);
		return;
	}
	/* RFC 5927 4.1: it must quote something that is in flight now. */
	if (seq_lt(e->seq, c->snd_una) || seq_geq(e->seq, c->snd_nxt)) {
		tcp_count(s, TCP_C_icmp_bad_seq);
		return;
	}
	switch (meaning_of(e)) {
	case TOO_BIG:
		if (tcp_conn_synchronized(c))
			tcp_pmtu_too_big(s, c, e->mtu, now);
		break;
	case HARD:
		/* RFC 5461 4.1: hard errors end only what is being opened; a connection that once
		 * worked outlives them. */
		if (c->state == TCP_SYN_SENT) {
			tcp_count(s, TCP_C_icmp_hard);
			tcp_conn_end(c, TCP_REASON_UNREACHABLE, now);
			return;
		}
		tcp_count(s, TCP_C_icmp_soft);
		break;
	case SOFT:
		tcp_count(s, TCP_C_icmp_soft);
		break;
	}
}
