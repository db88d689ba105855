/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/stack.h"

static struct tcp_conn *conn_at(const struct tcp_stack *s, uint32_t i)
{
	return i == 0 ? NULL : tcp_pool_at(&s->conns, i - 1);
}

static uint32_t index_of(const struct tcp_stack *s, const struct tcp_conn *c)
{
	return (uint32_t)(((const char *)c - (const char *)s->conns.base) / s->conns.size) + 1;
}

static struct tcp_link *link_of(const struct tcp_conn *c, size_t link)
{
	return (struct tcp_link *)((char *)(uintptr_t)c + link);
}

void tcp_list_add(struct tcp_stack *s, struct tcp_list *l, struct tcp_conn *c, size_t link)
{
	struct tcp_link *k = link_of(c, link);
	uint32_t i = index_of(s, c);

	k->next = 0;
	k->prev = l->last;
	if (l->last != 0)
		link_of(conn_at(s, l->last), link)->next = i;
	else
		l->first = i;
	l->last = i;
	l->count++;
}

void tcp_list_remove(struct tcp_stack *s, struct tcp_list *l, struct tcp_conn *c, size_t link)
{
	struct tcp_link *k = link_of(c, link);

	if (k->prev != 0)
		link_of(conn_at(s, k->prev), link)->next = k->next;
	else
		l->first = k->next;
	if (k->next != 0)
		link_of(conn_at(s, k->next), link)->prev = k->prev;
	else
		l->last = k->prev;
	l->count--;
}

struct tcp_conn *tcp_list_first(const struct tcp_stack *s, const struct tcp_list *l)
{
	return conn_at(s, l->first);
}

struct tcp_conn *tcp_list_next(const struct tcp_stack *s, const struct tcp_conn *c, size_t link)
{
	return conn_at(s, link_of(c, link)->next);
}
