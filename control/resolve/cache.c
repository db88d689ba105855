/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

struct entry {
	LIST_ENTRY(entry) bucket;
	TAILQ_ENTRY(entry) used; /* first: the longest unused */
	const struct destination *d;
	size_t size;
};

LIST_HEAD(bucket, entry);

struct cache {
	uint32_t max, count, mask;
	size_t max_bytes, bytes;
	uint64_t evicted;
	uint64_t key[2];
	TAILQ_HEAD(used, entry) used;
	struct bucket buckets[];
};

int cache_create(uint32_t max, size_t max_bytes, struct cache **out)
{
	uint32_t size = 64;
	struct cache *c;

	while (size < max && size < (UINT32_C(1) << 24))
		size *= 2;
	c = calloc(1, sizeof(*c) + size * sizeof(c->buckets[0]));
	if (c == NULL)
		return -ENOMEM;
	if (getrandom(c->key, sizeof(c->key), 0) != sizeof(c->key)) {
		free(c);
		return -EIO;
	}
	c->max = max > 0 ? max : 1;
	c->max_bytes = max_bytes;
	c->mask = size - 1;
	TAILQ_INIT(&c->used);
	*out = c;
	return 0;
}

static void entry_drop(struct cache *c, struct entry *e)
{
	LIST_REMOVE(e, bucket);
	TAILQ_REMOVE(&c->used, e, used);
	c->count--;
	c->bytes -= e->size;
	destination_unref(e->d);
	free(e);
}

void cache_destroy(struct cache *c)
{
	if (c == NULL)
		return;
	cache_forget(c, NULL);
	free(c);
}

static struct bucket *bucket_of(struct cache *c, const char *domain)
{
	return &c->buckets[name_hash(c->key, domain) & c->mask];
}

static struct entry *find(struct cache *c, const char *domain)
{
	struct entry *e;

	LIST_FOREACH (e, bucket_of(c, domain), bucket)
		if (strcmp(e->d->domain, domain) == 0)
			return e;
	return NULL;
}

const struct destination *cache_find(struct cache *c, const char *domain, time_t now)
{
	struct entry *e = find(c, domain);

	if (e == NULL)
		return NULL;
	/* A clock that was set back must not make it last longer than it should. */
	if (e->d->expiry <= now || e->d->resolved > now) {
		entry_drop(c, e);
		return NULL;
	}
	TAILQ_REMOVE(&c->used, e, used);
	TAILQ_INSERT_TAIL(&c->used, e, used);
	return e->d;
}

int cache_put(struct cache *c, const struct destination *d)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	e->d = destination_ref(d);
	e->size = sizeof(*e) + destination_size(d);
	cache_forget(c, d->domain);
	LIST_INSERT_HEAD(bucket_of(c, d->domain), e, bucket);
	TAILQ_INSERT_TAIL(&c->used, e, used);
	c->count++;
	c->bytes += e->size;
	while (c->count > 1 && (c->count > c->max || c->bytes > c->max_bytes)) {
		c->evicted++;
		entry_drop(c, TAILQ_FIRST(&c->used));
	}
	return 0;
}

void cache_forget(struct cache *c, const char *domain)
{
	struct entry *e;

	if (domain == NULL)
		while ((e = TAILQ_FIRST(&c->used)) != NULL)
			entry_drop(c, e);
	else if ((e = find(c, domain)) != NULL)
		entry_drop(c, e);
}

uint32_t cache_count(const struct cache *c)
{
	return c->count;
}

size_t cache_bytes(const struct cache *c)
{
	return c->bytes;
}

uint64_t cache_evicted(const struct cache *c)
{
	return c->evicted;
}
