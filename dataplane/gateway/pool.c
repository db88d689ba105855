/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gateway/pool.h"

#include <errno.h>

#include <rte_malloc.h>

int pool_init(struct pool *p, const char *name, uint32_t count, size_t size, int socket_id)
{
	*p = (struct pool){.count = count, .size = (size + 63) & ~(size_t)63};
	p->memory = rte_zmalloc_socket(name, (size_t)count * p->size, 64, socket_id);
	p->free = rte_malloc_socket(name, (size_t)count * sizeof(p->free[0]), 64, socket_id);
	if (!p->memory || !p->free) {
		pool_fini(p);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++)
		p->free[i] = count - 1 - i;
	p->free_count = count;
	return 0;
}

void pool_fini(struct pool *p)
{
	rte_free(p->memory);
	rte_free(p->free);
	*p = (struct pool){0};
}
