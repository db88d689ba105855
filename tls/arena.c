/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <openssl/crypto.h>

#include "tls/arena.h"

/* A class is carved by runs of whole units; a unit is of one class and one arena, so that a pointer
 * alone tells both and blocks need no header. */
#define UNIT_SHIFT 16
#define UNIT       ((size_t)1 << UNIT_SHIFT)
#define GROW_UNITS 64
#define RUN_BLOCKS 8 /* at least so many to a run, to keep what is left at its end small */

/* 16 steps of 16 octets, then 8 steps per doubling up to 32 KiB: at most 1/9 is lost. A record
 * buffer is 16.7 KB, SSL's biggest single buffer 21.8 KB. */
#define FINE_STEP    16
#define FINE_CLASSES 16
#define FINE_MAX     (FINE_STEP * FINE_CLASSES)
#define BLOCK_MAX    32768
#define CLASSES      (FINE_CLASSES + 7 * 8)

struct block {
	struct block *next;
};

struct tls_arena {
	struct block *free[CLASSES];                 // owner: rw
	char *next, *end;                            // owner: rw; units not carved yet
	struct tls_arena_stats stats;                // owner: rw, control: ro
	_Alignas(64) _Atomic(struct block *) remote; // others: push, owner: takes all
};

struct unit {
	struct tls_arena *arena;
	uint32_t class;
};

/*
 * OpenSSL's memory functions get no context pointer and serve the whole process, so what they need
 * is process-wide too: written once by tls_arena_install(), the thread's own arena apart.
 */
static struct {
	char *base;
	size_t size;
	struct unit *units;
	_Atomic size_t taken;
} range;
static _Thread_local struct tls_arena *attached;

static unsigned int class_of(size_t size)
{
	unsigned int shift;

	if (size <= FINE_MAX)
		return size == 0 ? 0 : (unsigned int)((size - 1) / FINE_STEP);
	/* 257..512 is doubling 0, in steps of 32. */
	shift = 63 - (unsigned int)__builtin_clzll(size - 1) - 8;
	return FINE_CLASSES + shift * 8 + (unsigned int)(((size - 1) >> (shift + 5)) & 7);
}

static size_t class_size(unsigned int class)
{
	unsigned int shift, step;

	if (class < FINE_CLASSES)
		return (class + 1) * FINE_STEP;
	shift = (class - FINE_CLASSES) / 8;
	step = (class - FINE_CLASSES) % 8;
	return ((size_t)256 << shift) + ((size_t)32 << shift) * (step + 1);
}

static bool in_range(const void *p)
{
	return (size_t)((const char *)p - range.base) < range.size;
}

static struct unit *unit_of(const void *p)
{
	return &range.units[(size_t)((const char *)p - range.base) >> UNIT_SHIFT];
}

/* Units from the range to the arena. */
static bool arena_take(struct tls_arena *a, size_t bytes)
{
	size_t at = atomic_load_explicit(&range.taken, memory_order_relaxed);

	do {
		if (bytes > range.size - at)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&range.taken, &at, at + bytes, memory_order_relaxed, memory_order_relaxed));
	/* What is left of the last piece is joined if they touch, else given up. */
	if (a->end != range.base + at)
		a->next = range.base + at;
	a->end = range.base + at + bytes;
	a->stats.reserved += bytes;
	return true;
}

static bool arena_carve(struct tls_arena *a, unsigned int class)
{
	size_t size = class_size(class);
	size_t run = (size * RUN_BLOCKS + UNIT - 1) & ~(UNIT - 1);
	size_t count = run / size;
	char *p;

	if ((size_t)(a->end - a->next) < run) {
		if (!arena_take(a, GROW_UNITS * UNIT))
			return false;
		a->stats.grown++;
	}
	p = a->next;
	a->next += run;
	a->stats.carved += run;
	for (size_t i = 0; i < run; i += UNIT)
		*unit_of(p + i) = (struct unit){.arena = a, .class = class};
	for (size_t i = count; i-- > 0;) {
		struct block *b = (struct block *)(p + i * size);

		b->next = a->free[class];
		a->free[class] = b;
	}
	return true;
}

static void arena_put(struct tls_arena *a, struct block *b, unsigned int class)
{
	b->next = a->free[class];
	a->free[class] = b;
	a->stats.used -= class_size(class);
}

/* Brings home what other threads have freed. */
static void arena_collect(struct tls_arena *a)
{
	struct block *b, *next;

	if (atomic_load_explicit(&a->remote, memory_order_relaxed) == NULL)
		return;
	for (b = atomic_exchange_explicit(&a->remote, NULL, memory_order_acquire); b != NULL;
		b = next) {
		next = b->next;
		arena_put(a, b, unit_of(b)->class);
		a->stats.remote++;
	}
}

static void *arena_alloc(size_t size, const char *file, int line)
{
	struct tls_arena *a = attached;
	unsigned int class;
	struct block *b;

	if (a == NULL)
		return malloc(size);
	if (size > BLOCK_MAX)
		goto out;
	class = class_of(size);
	if (a->free[class] == NULL) {
		arena_collect(a);
		if (a->free[class] == NULL && !arena_carve(a, class))
			goto out;
	}
	b = a->free[class];
	a->free[class] = b->next;
	a->stats.used += class_size(class);
	a->stats.allocs++;
	return b;
out:
	a->stats.fallbacks++;
	return malloc(size);
}

static void arena_free(void *p, const char *file, int line)
{
	struct unit *u;
	struct block *b = p;

	if (p == NULL)
		return;
	if (!in_range(p)) {
		free(p);
		return;
	}
	u = unit_of(p);
	if (u->arena == attached) {
		arena_put(u->arena, b, u->class);
		return;
	}
	b->next = atomic_load_explicit(&u->arena->remote, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		&u->arena->remote, &b->next, b, memory_order_release, memory_order_relaxed))
		;
}

static void *arena_realloc(void *p, size_t size, const char *file, int line)
{
	size_t old;
	void *fresh;

	if (p == NULL)
		return arena_alloc(size, file, line);
	if (size == 0) {
		arena_free(p, file, line);
		return NULL;
	}
	if (!in_range(p))
		return realloc(p, size);
	old = class_size(unit_of(p)->class);
	if (size <= old && class_of(size) == unit_of(p)->class)
		return p;
	fresh = arena_alloc(size, file, line);
	if (fresh == NULL)
		return NULL;
	memcpy(fresh, p, size < old ? size : old);
	arena_free(p, file, line);
	return fresh;
}

int tls_arena_install(size_t max_bytes)
{
	size_t size = (max_bytes + UNIT - 1) & ~(UNIT - 1);
	size_t units_size = (size >> UNIT_SHIFT) * sizeof(struct unit);
	void *base, *units;

	if (range.base != NULL)
		return -EALREADY;
	if (size == 0)
		return -EINVAL;
	base = mmap(NULL, size + UNIT, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	units = mmap(NULL, units_size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED || units == MAP_FAILED)
		goto out;
	if (CRYPTO_set_mem_functions(arena_alloc, arena_realloc, arena_free) != 1) {
		munmap(base, size + UNIT);
		munmap(units, units_size);
		return -EBUSY;
	}
	/* Secrets live here: not in a core dump, not in a child. */
	madvise(base, size + UNIT, MADV_DONTDUMP);
	range.units = units;
	range.size = size;
	range.base = (char *)(((uintptr_t)base + UNIT - 1) & ~(uintptr_t)(UNIT - 1));
	return 0;
out:
	if (base != MAP_FAILED)
		munmap(base, size + UNIT);
	if (units != MAP_FAILED)
		munmap(units, units_size);
	return -ENOMEM;
}

size_t tls_arena_size(uint32_t connections)
{
	size_t busy = connections / 8 + 8;

	return connections * (size_t)TLS_ARENA_IDLE + busy * (TLS_ARENA_BUSY - TLS_ARENA_IDLE);
}

int tls_arena_create(size_t bytes, struct tls_arena **out)
{
	struct tls_arena *a;

	if (range.base == NULL)
		return -EINVAL;
	bytes = (bytes + UNIT - 1) & ~(UNIT - 1);
	a = aligned_alloc(64, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	memset(a, 0, sizeof(*a));
	if (!arena_take(a, bytes)) {
		free(a);
		return -ENOMEM;
	}
	/* Page tables now, not in the first burst of handshakes. */
	for (char *p = a->next; p < a->end; p += 4096)
		*(volatile char *)p = 0;
	for (size_t i = 0; i < bytes; i += UNIT)
		unit_of(a->next + i)->arena = a;
	*out = a;
	return 0;
}

void tls_arena_attach(struct tls_arena *a)
{
	attached = a;
}

void tls_arena_get_stats(const struct tls_arena *a, struct tls_arena_stats *stats)
{
	*stats = a->stats;
}
