/* SPDX-License-Identifier: BSD-3-Clause */
/* Events to the application, once a loop. */
#include "dataplane/tcp/output.h"
#include "dataplane/tcp/segment.h"

/* False: the callback ended the connection, which must not be touched any more. */
static bool alive(const struct tcp_stack *s, const struct tcp_conn *c)
{
	return s->dispatching == c && !(c->flags & TCP_F_ORPHAN);
}

static bool accept_deliver(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	c->flags |= TCP_F_ACCEPTED;
	if (c->ops->accepted(c, s->listeners[c->listener].arg, now) == 0) {
		tcp_count(s, TCP_C_accepted);
		return alive(s, c);
	}
	if (s->dispatching == c) {
		tcp_count(s, TCP_C_refused_by_application);
		tcp_abort(s, c, now);
	}
	return false;
}

static void conn_deliver(struct tcp_stack *s, struct tcp_conn *c, uint64_t now)
{
	unsigned int events = c->events;

	c->events = 0;
	s->dispatching = c;
	if ((events & TCP_EV_ACCEPTED) && !accept_deliver(s, c, now))
		return;
	if (events & TCP_EV_CONNECTED) {
		tcp_count(s, TCP_C_connected);
		c->ops->connected(c, c->user, now);
		if (!alive(s, c))
			return;
	}
	if (events & TCP_EV_READABLE) {
		c->ops->readable(c, c->user, now);
		if (!alive(s, c))
			return;
	}
	if (events & TCP_EV_WRITABLE) {
		c->ops->writable(c, c->user, now);
		if (!alive(s, c))
			return;
	}
	if (events & TCP_EV_CLOSED) {
		c->ops->closed(c, c->user, c->reason, now);
		if (s->dispatching == c)
			tcp_conn_free(c, now);
	}
}

uint32_t tcp_dispatch(struct tcp_stack *s, uint32_t budget, uint64_t now)
{
	/* What gets ready meanwhile waits for the next loop, so that this one ends. */
	uint32_t n = RTE_MIN(budget, s->ready.count);

	s->now = now;
	while (n-- > 0) {
		struct tcp_conn *c = tcp_list_first(s, &s->ready);

		if (c == NULL)
			break;
		tcp_list_remove(s, &s->ready, c, TCP_LINK_READY);
		c->flags &= ~(uint32_t)TCP_F_ON_READY;
		conn_deliver(s, c, now);
	}
	s->dispatching = NULL;
	return s->ready.count;
}
