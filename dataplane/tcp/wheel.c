/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Four levels of 256 slots: together they are the 32 bits of a tick, so nothing is ever "too far
 * away" for a slot. A timer's level is that of the highest byte in which its tick differs from the
 * wheel's; so all timers of a level lie after the wheel's own slot of that level, a slot of level
 * 0 holds exactly one tick, and a slot of a higher level has to be looked into (its timers moved
 * down) just when the wheel enters it. Bitmaps of used slots let an advance jump over empty time.
 */
#include "dataplane/tcp/wheel.h"

#include <errno.h>
#include <stddef.h>

#include <rte_malloc.h>

#define LEVELS       4
#define SLOT_BITS    8
#define SLOTS        (1u << SLOT_BITS)
#define KINDS_MAX    16
#define BITMAP_WORDS (SLOTS / 64)
/* One slot of the highest level less than all: there the slot of now and that of a whole turn later
 * are one. */
#define DELTA_MAX (UINT32_MAX - (1u << (SLOT_BITS * (LEVELS - 1))))

struct wheel_kind {
	wheel_fire *fire;
	void *arg;
};

struct wheel {
	uint64_t tick;     /* all before it have fired, those of it unless `budget` ran out */
	uint64_t earliest; /* no timer is put before it */
	uint32_t count;
	uint32_t kinds;
	uint64_t used[LEVELS][BITMAP_WORDS];
	struct wheel_kind kind[KINDS_MAX];
	struct wheel_timer *slots[LEVELS * SLOTS];
};

int wheel_create(uint64_t now, int socket_id, struct wheel **out)
{
	struct wheel *w = rte_zmalloc_socket("wheel", sizeof(*w), RTE_CACHE_LINE_SIZE, socket_id);

	if (!w)
		return -ENOMEM;
	w->tick = now >> WHEEL_TICK_SHIFT;
	w->earliest = w->tick;
	*out = w;
	return 0;
}

void wheel_destroy(struct wheel *w)
{
	rte_free(w);
}

int wheel_register(struct wheel *w, wheel_fire *fire, void *arg)
{
	if (w->kinds == KINDS_MAX)
		return -ENOSPC;
	w->kind[w->kinds] = (struct wheel_kind){fire, arg};
	return (int)w->kinds++;
}

static void slot_mark(struct wheel *w, uint32_t index, bool used)
{
	uint64_t *word = &w->used[index / SLOTS][(index % SLOTS) / 64];
	uint64_t bit = UINT64_C(1) << (index % 64);

	*word = used ? *word | bit : *word & ~bit;
}

static uint32_t slot_of(const struct wheel *w, uint32_t tick)
{
	uint32_t diff = tick ^ (uint32_t)w->tick;
	uint32_t level = diff == 0 ? 0 : (31u - (uint32_t)__builtin_clz(diff)) / SLOT_BITS;

	return level * SLOTS + ((tick >> (level * SLOT_BITS)) & (SLOTS - 1));
}

static void timer_link(struct wheel *w, struct wheel_timer *t)
{
	uint32_t index = slot_of(w, t->tick);
	struct wheel_timer **head = &w->slots[index];

	if (*head == NULL)
		slot_mark(w, index, true);
	else
		(*head)->prev = &t->next;
	t->next = *head;
	t->prev = head;
	*head = t;
}

static void timer_unlink(struct wheel *w, struct wheel_timer *t)
{
	struct wheel_timer **prev = t->prev;

	*prev = t->next;
	if (t->next != NULL)
		t->next->prev = prev;
	else if (prev >= w->slots && prev < w->slots + LEVELS * SLOTS)
		slot_mark(w, (uint32_t)(prev - w->slots), false);
	t->next = NULL;
	t->prev = NULL;
}

void wheel_arm(struct wheel *w, struct wheel_timer *t, uint8_t kind, uint64_t when)
{
	uint64_t tick = (when >> WHEEL_TICK_SHIFT) +
			((when & ((UINT64_C(1) << WHEEL_TICK_SHIFT) - 1)) != 0);

	if (t->prev != NULL)
		timer_unlink(w, t);
	else
		w->count++;
	if (tick < w->earliest)
		tick = w->earliest;
	if (tick - w->tick > DELTA_MAX)
		tick = w->tick + DELTA_MAX;
	t->tick = (uint32_t)tick;
	t->kind = kind;
	timer_link(w, t);
}

void wheel_cancel(struct wheel *w, struct wheel_timer *t)
{
	if (t->prev == NULL)
		return;
	timer_unlink(w, t);
	w->count--;
}

/* First used slot in [from, to) of a level, or `to`. */
static uint32_t slot_next(const uint64_t used[BITMAP_WORDS], uint32_t from, uint32_t to)
{
	while (from < to) {
		uint64_t word = used[from / 64] >> (from % 64);

		if (word != 0) {
			from += (uint32_t)__builtin_ctzll(word);
			return from < to ? from : to;
		}
		from = (from | 63) + 1;
	}
	return to;
}

/*
 * The next tick at which there is something to do, and the slot to do it in. False: nothing is
 * armed. The wheel's own slot of a higher level is used only while its timers are being moved down.
 */
static bool wheel_find(const struct wheel *w, uint64_t *tick, uint32_t *index)
{
	if (w->count == 0)
		return false;
	for (uint32_t level = LEVELS; level-- > 1;) {
		uint32_t own = (uint32_t)(w->tick >> (level * SLOT_BITS)) & (SLOTS - 1);

		if (w->used[level][own / 64] >> (own % 64) & 1) {
			*tick = w->tick;
			*index = level * SLOTS + own;
			return true;
		}
	}
	for (uint32_t level = 0; level < LEVELS; level++) {
		uint32_t shift = level * SLOT_BITS;
		uint64_t base = w->tick >> shift >> SLOT_BITS << SLOT_BITS << shift;
		uint32_t own = (uint32_t)(w->tick >> shift) & (SLOTS - 1);
		uint32_t slot = slot_next(w->used[level], own, SLOTS);

		if (slot == SLOTS && level == LEVELS - 1) {
			/* The highest level has nothing above that would bring it round. */
			slot = slot_next(w->used[level], 0, own);
			base += UINT64_C(1) << (shift + SLOT_BITS);
			if (slot == own)
				return false;
		}
		if (slot != SLOTS) {
			*tick = base + ((uint64_t)slot << shift);
			*index = level * SLOTS + slot;
			return true;
		}
	}
	return false;
}

uint32_t wheel_advance(struct wheel *w, uint64_t now, uint32_t budget)
{
	uint64_t target = now >> WHEEL_TICK_SHIFT, tick;
	uint32_t index, fired = 0;

	if (target < w->tick)
		target = w->tick;
	/* What is armed by a timer that fires now waits for the next advance, or it could go on for
	 * ever. */
	w->earliest = target + 1;
	while (budget > 0 && wheel_find(w, &tick, &index) && tick <= target) {
		w->tick = tick;
		while (budget > 0 && w->slots[index] != NULL) {
			struct wheel_timer *t = w->slots[index];

			budget--;
			timer_unlink(w, t);
			if (index >= SLOTS) {
				timer_link(w, t);
				continue;
			}
			w->count--;
			fired++;
			w->kind[t->kind].fire(w->kind[t->kind].arg, t, now);
		}
	}
	if (budget > 0)
		w->tick = target;
	w->earliest = w->tick;
	return fired;
}

uint32_t wheel_count(const struct wheel *w)
{
	return w->count;
}

uint64_t wheel_next(const struct wheel *w)
{
	uint64_t tick;
	uint32_t index;

	if (!wheel_find(w, &tick, &index))
		return UINT64_MAX;
	return tick << WHEEL_TICK_SHIFT;
}
