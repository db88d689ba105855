/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fixed pools of equal objects for one worker: all memory at start, O(1) get and put, last in first
 * out so that what is reused is warm. Not for two threads.
 */
#ifndef POSTGATE_DATAPLANE_GATEWAY_POOL_H
#define POSTGATE_DATAPLANE_GATEWAY_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	uint8_t *memory;
	uint32_t *free; /* stack of indices */
	uint32_t free_count, count;
	size_t size;
};

int pool_init(struct pool *p, const char *name, uint32_t count, size_t size, int socket_id);
void pool_fini(struct pool *p);

/* NULL when empty. The memory is as the last user left it. */
static inline void *pool_get(struct pool *p)
{
	if (p->free_count == 0)
		return NULL;
	return p->memory + (size_t)p->free[--p->free_count] * p->size;
}

static inline uint32_t pool_index(const struct pool *p, const void *object)
{
	return (uint32_t)(((const uint8_t *)object - p->memory) / p->size);
}

static inline void *pool_at(const struct pool *p, uint32_t index)
{
	return p->memory + (size_t)index * p->size;
}

static inline void pool_put(struct pool *p, void *object)
{
	p->free[p->free_count++] = pool_index(p, object);
}

static inline uint32_t pool_used(const struct pool *p)
{
	return p->count - p->free_count;
}

#endif
