/* SPDX-License-Identifier: BSD-3-Clause */
/* Destinations by domain, bounded in number and octets; the least recently used go first. */
#ifndef POSTGATE_CONTROL_RESOLVE_CACHE_H
#define POSTGATE_CONTROL_RESOLVE_CACHE_H

#include "control/resolve/destination.h"

struct cache;

int cache_create(uint32_t max, size_t max_bytes, struct cache **out); /* 0, -ENOMEM, -EIO */
void cache_destroy(struct cache *c);

/* Unexpired, and from now on the most recently used; NULL. Borrowed. */
const struct destination *cache_find(struct cache *c, const char *domain, time_t now);
/* Takes a reference; replaces the domain's. 0 or -ENOMEM. */
int cache_put(struct cache *c, const struct destination *d);
void cache_forget(struct cache *c, const char *domain); /* NULL: all */

uint32_t cache_count(const struct cache *c);
size_t cache_bytes(const struct cache *c);
uint64_t cache_evicted(const struct cache *c);

#endif
