/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gateway/event.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

int gateway_event_ring_create(uint32_t size, int socket_id, struct gateway_event_ring **out)
{
	struct gateway_event_ring *r;

	if (size == 0 || (size & (size - 1)) != 0)
		return -EINVAL;
	r = rte_zmalloc_socket("event_ring", sizeof(*r), 64, socket_id);
	if (!r)
		return -ENOMEM;
	r->slots = rte_zmalloc_socket("event_slots", size * sizeof(r->slots[0]), 64, socket_id);
	if (!r->slots) {
		rte_free(r);
		return -ENOMEM;
	}
	r->size = size;
	*out = r;
	return 0;
}

void gateway_event_ring_destroy(struct gateway_event_ring *r)
{
	if (!r)
		return;
	rte_free(r->slots);
	rte_free(r);
}

struct gateway_event *gateway_event_reserve(struct gateway_event_ring *r)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	struct gateway_event *e;

	if (head - r->tail_cache == r->size) {
		r->tail_cache = atomic_load_explicit(&r->tail, memory_order_acquire);
		if (head - r->tail_cache == r->size) {
			__atomic_store_n(&r->dropped, r->dropped + 1, __ATOMIC_RELAXED);
			return NULL;
		}
	}
	e = &r->slots[head & (r->size - 1)];
	memset(e, 0, sizeof(*e));
	return e;
}

void gateway_event_commit(struct gateway_event_ring *r)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

const struct gateway_event *gateway_event_peek(struct gateway_event_ring *r)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&r->head, memory_order_acquire))
		return NULL;
	return &r->slots[tail & (r->size - 1)];
}

void gateway_event_pop(struct gateway_event_ring *r)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}
