/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "dataplane/tcp/emit.h"
#include "dataplane/tcp/pmtu.h"
#include "dataplane/tcp/segment.h"
#include "dataplane/tcp/syn.h"

/* After the last cookie its ACKs may come for so long: two epochs of the cookie's clock. */
#define COOKIE_TAIL_NS (128000 * TCP_NS_PER_MS)
/* Between looks at the mbuf pool: its count walks over every lcore's cache. */
#define AVAIL_EVERY_NS (100 * TCP_NS_PER_US)

int tcp_listen(
	struct tcp_stack *s, const struct tcp_listen_params *params, struct tcp_listener **out)
{
	struct tcp_listener *l = NULL;

	for (unsigned int i = 0; i < TCP_LISTENERS_MAX; i++) {
		struct tcp_listener *o = &s->listeners[i];

		if (!o->used) {
			if (l == NULL)
				l = o;
		} else if (o->open && o->port == params->port &&
			   ip_addr_equal(&o->addr, &params->addr)) {
			return -EADDRINUSE;
		}
	}
	if (l == NULL)
		return -ENOSPC;
	*l = (struct tcp_listener){
		.addr = params->addr,
		.port = params->port,
		.used = true,
		.open = true,
		.max_conns = params->max_conns,
		.keepalive_idle_ms = params->keepalive_idle_ms,
		.user_timeout_ms = params->user_timeout_ms,
		.ops = params->ops,
		.arg = params->arg,
	};
	s->listener_end = RTE_MAX(s->listener_end, (unsigned int)(l - s->listeners) + 1);
	*out = l;
	return 0;
}

void tcp_listener_release(struct tcp_listener *l)
{
	if (!l->open && l->conns == 0 && l->half_open == 0)
		l->used = false;
}

void tcp_unlisten(struct tcp_stack *s, struct tcp_listener *l)
{
	struct tcp_conn *c, *next;

	l->open = false;
	/* Those that the application has not seen yet are refused: its argument may be gone. */
	for (c = tcp_list_first(s, &s->ready); c != NULL; c = next) {
		next = tcp_list_next(s, c, TCP_LINK_READY);
		if (&s->listeners[c->listener] == l && (c->events & TCP_EV_ACCEPTED))
			tcp_abort(s, c, s->now);
	}
	tcp_listener_release(l);
}

struct tcp_listener *tcp_listener_find(struct tcp_stack *s, const struct tcp_key *key)
{
	struct tcp_listener *any = NULL;

	for (unsigned int i = 0; i < s->listener_end; i++) {
		struct tcp_listener *l = &s->listeners[i];

		if (!l->open || l->port != key->local_port)
			continue;
		if (ip_addr_equal(&l->addr, &key->local))
			return l;
		if (ip_addr_is_unspecified(&l->addr))
			any = l;
	}
	return any;
}

bool tcp_admit(struct tcp_stack *s, uint64_t now)
{
	if (s->conns.used + s->usage.half_open >= s->config.max_conns + s->config.max_syn_backlog ||
		s->conns.used >= s->config.max_conns) {
		tcp_count(s, TCP_C_refused_conn_pool);
		return false;
	}
	if (now - s->avail_ns >= AVAIL_EVERY_NS || s->avail_ns == 0) {
		s->avail_ns = now;
		s->tx_avail = rte_mempool_avail_count(s->tx_pool);
	}
	if (s->tx_avail < s->config.reserve_mbufs) {
		tcp_count(s, TCP_C_refused_mbuf_reserve);
		return false;
	}
	/* Windows at their start are promised beyond the budget: most connections of a mail gateway
	 * wait for the other side. What is really held decides; it is bounded in tcp_recv_data().
	 */
	if (s->usage.recv_bytes > s->config.recv_budget / 4 * 3) {
		tcp_count(s, TCP_C_refused_recv_budget);
		return false;
	}
	return true;
}

static bool listener_full(struct tcp_stack *s, const struct tcp_listener *l)
{
	if (l->max_conns == 0 || l->conns < l->max_conns)
		return false;
	tcp_count(s, TCP_C_refused_listener_limit);
	return true;
}

/* RFC 9293 3.10.7.2. */
void tcp_listen_segment(struct tcp_stack *s, struct tcp_listener *l, struct tcp_segment *g,
	uint32_t min_iss, uint64_t now)
{
	if (g->flags & TCP_RST) {
		tcp_count(s, TCP_C_rst_in);
		tcp_count(s, TCP_C_drop_no_connection);
		return;
	}
	if (g->flags & TCP_ACK) {
		if (!(g->flags & TCP_SYN) && l->cookie_ns != 0 &&
			now - l->cookie_ns < COOKIE_TAIL_NS) {
			if (listener_full(s, l) || !tcp_admit(s, now)) {
				tcp_count(s, TCP_C_drop_listener_full);
				return;
			}
			if (tcp_syn_cookie_ack(s, l, g, now))
				return;
			/* The first segment after the handshake proves the cookie. One that
			 * overtook it, or came when it was lost, must not get the connection reset:
			 * the peer sends the first again. */
			if (now - l->cookie_ns < TCP_COOKIE_GRACE_NS) {
				tcp_count(s, TCP_C_drop_no_connection);
				return;
			}
		}
		tcp_count(s, TCP_C_drop_no_connection);
		tcp_emit_rst_for(s, g, now);
		return;
	}
	if (!(g->flags & TCP_SYN)) {
		tcp_count(s, TCP_C_drop_bad_flags);
		return;
	}
	tcp_count(s, TCP_C_syn_in);
	/* Refused by silence: the peer tries again, when there may be room. */
	if (listener_full(s, l) || !tcp_admit(s, now)) {
		tcp_count(s, TCP_C_drop_listener_full);
		return;
	}
	if (g->opt.mss != 0 && g->opt.mss < TCP_MSS_FLOOR)
		tcp_count(s, TCP_C_mss_floor);
	tcp_syn_open(s, l, g, min_iss, now);
}
