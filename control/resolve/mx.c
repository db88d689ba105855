/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/mx.h"

#include <stdlib.h>
#include <string.h>

bool mx_is_null(const struct mx *mx, size_t count)
{
	return count == 1 && mx[0].name[0] == '\0';
}

static bool is_self(const char *name, const char *const *self, size_t self_count)
{
	for (size_t i = 0; i < self_count; i++)
		if (strcmp(name, self[i]) == 0)
			return true;
	return false;
}

static int by_preference(const void *va, const void *vb)
{
	const struct mx *a = va, *b = vb;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Sorted: the same name keeps its best preference. */
static size_t drop_doubles(struct mx *mx, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		size_t j = 0;

		if (mx[i].name[0] == '\0')
			continue;
		while (j < kept && strcmp(mx[j].name, mx[i].name) != 0)
			j++;
		if (j == kept)
			mx[kept++] = mx[i];
	}
	return kept;
}

static void shuffle(struct mx *mx, size_t count, uint32_t (*random)(void *arg), void *arg)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = random(arg) % i;
		struct mx tmp = mx[i - 1];

		mx[i - 1] = mx[j];
		mx[j] = tmp;
	}
}

size_t mx_order(struct mx *mx, size_t count, const char *const *self, size_t self_count,
	uint32_t (*random)(void *arg), void *arg, bool *self_found)
{
	qsort(mx, count, sizeof(mx[0]), by_preference);
	count = drop_doubles(mx, count);
	*self_found = false;
	for (size_t i = 0; i < count; i++) {
		if (!is_self(mx[i].name, self, self_count))
			continue;
		*self_found = true;
		/* Others of the same preference would hand it back to us as well. */
		while (i > 0 && mx[i - 1].preference == mx[i].preference)
			i--;
		count = i;
	}
	for (size_t from = 0, to; from < count; from = to) {
		for (to = from + 1; to < count && mx[to].preference == mx[from].preference; to++)
			;
		shuffle(mx + from, to - from, random, arg);
	}
	return count;
}
