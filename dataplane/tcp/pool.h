/* SPDX-License-Identifier: BSD-3-Clause */
/* Fixed objects, all memory taken at creation, O(1) take and give. One thread. */
#ifndef POSTGATE_DATAPLANE_TCP_POOL_H
#define POSTGATE_DATAPLANE_TCP_POOL_H

#include <stddef.h>
#include <stdint.h>

struct tcp_pool {
	void *base;
	void *free;
	size_t size; /* of one object, a multiple of 64 */
	uint32_t count, used;
};

/* 0 or -ENOMEM. */
int tcp_pool_create(
	struct tcp_pool *p, const char *name, size_t size, uint32_t count, int socket_id);
void tcp_pool_destroy(struct tcp_pool *p);
/* Contents undefined; NULL when empty. */
void *tcp_pool_take(struct tcp_pool *p);
void tcp_pool_give(struct tcp_pool *p, void *obj);

static inline void *tcp_pool_at(const struct tcp_pool *p, uint32_t i)
{
	return (char *)p->base + (size_t)i * p->size;
}

#endif
