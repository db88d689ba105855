/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/tcp/pool.h"

#include <errno.h>
#include <rte_malloc.h>

int tcp_pool_create(
	struct tcp_pool *p, const char *name, size_t size, uint32_t count, int socket_id)
{
	size = (size + 63) & ~(size_t)63;
	*p = (struct tcp_pool){.size = size, .count = count};
	if (count == 0)
		return 0;
	p->base = rte_zmalloc_socket(name, size * count, 64, socket_id);
	if (p->base == NULL)
		return -ENOMEM;
	/* Lowest address first, so that a lightly loaded stack stays in few pages. */
	for (uint32_t i = count; i-- > 0;) {
		void **obj = tcp_pool_at(p, i);

		*obj = p->free;
		p->free = obj;
	}
	return 0;
}

void tcp_pool_destroy(struct tcp_pool *p)
{
	rte_free(p->base);
	*p = (struct tcp_pool){0};
}

void *tcp_pool_take(struct tcp_pool *p)
{
	void **obj = p->free;

	if (obj == NULL)
		return NULL;
	p->free = *obj;
	p->used++;
	return obj;
}

void tcp_pool_give(struct tcp_pool *p, void *obj)
{
	*(void **)obj = p->free;
	p->free = obj;
	p->used--;
}
