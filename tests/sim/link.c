/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETHER_HEADER 14u
#define NS_PER_S     UINT64_C(1000000000)

static void *must(void *p)
{
	if (p == NULL) {
		fprintf(stderr, "sim: out of memory\n");
		abort();
	}
	return p;
}

const char *sim_fate_name(enum sim_fate fate)
{
	static const char *const names[SIM_FATES] = {
		[SIM_SENT] = "sent",
		[SIM_LOST] = "lost",
		[SIM_QUEUE_FULL] = "queue full",
		[SIM_TOO_BIG] = "too big",
		[SIM_DEAD] = "dead",
	};

	return names[fate];
}

void sim_link_init(struct sim_link *l, const struct sim_link_params *params, uint64_t seed)
{
	*l = (struct sim_link){.params = *params, .rng = {seed}};
}

void sim_link_free(struct sim_link *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->heap[i]);
	free(l->heap);
	l->heap = NULL;
	l->count = l->size = 0;
}

struct sim_packet *sim_packet_new(uint32_t len)
{
	struct sim_packet *p = must(calloc(1, sizeof(*p) + len));

	p->len = len;
	return p;
}

uint32_t sim_packet_ip_size(const struct sim_packet *p)
{
	if (p->frame)
		return p->len - ETHER_HEADER;
	return p->len + (ip_addr_is_v4(&p->dst) ? 20 : 40);
}

static bool before(const struct sim_packet *a, const struct sim_packet *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct sim_link *l, struct sim_packet *p)
{
	size_t i;

	if (l->count == l->size) {
		l->size = l->size == 0 ? 64 : 2 * l->size;
		l->heap = must(realloc(l->heap, l->size * sizeof(struct sim_packet *)));
	}
	p->order = l->next_order++;
	for (i = l->count++; i > 0 && before(p, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		l->heap[i] = l->heap[(i - 1) / 2];
	l->heap[i] = p;
}

static struct sim_packet *heap_pop(struct sim_link *l)
{
	struct sim_packet *top = l->heap[0], *last = l->heap[--l->count];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= l->count)
			break;
		if (child + 1 < l->count && before(l->heap[child + 1], l->heap[child]))
			child++;
		if (!before(l->heap[child], last))
			break;
		l->heap[i] = l->heap[child];
		i = child;
	}
	l->heap[i] = last;
	return top;
}

static bool lost(struct sim_link *l)
{
	uint32_t ppm = l->losing ? l->params.loss_goes_on : l->params.loss;

	l->losing = rng_chance(&l->rng, ppm);
	return l->losing;
}

/* ECN: CE on a packet that can take it, RFC 3168 5. Only bare segments and IPv4/IPv6 frames. */
static void mark(struct sim_packet *p)
{
	if (!p->frame && (p->tos & 3) != 0)
		p->tos |= 3;
}

static void corrupt(struct sim_link *l, struct sim_packet *p)
{
	if (!p->frame) {
		p->damaged = true;
		return;
	}
	/* One bit behind the Ethernet header: every checksum finds it. */
	if (p->len > ETHER_HEADER) {
		uint64_t bit = rng_below(&l->rng, (p->len - ETHER_HEADER) * 8u);

		p->data[ETHER_HEADER + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static enum sim_fate fate_of(struct sim_link *l, struct sim_packet *p, uint64_t now)
{
	const struct sim_link_params *c = &l->params;
	uint64_t waiting;

	if (c->dead)
		return SIM_DEAD;
	if (c->mtu != 0 && sim_packet_ip_size(p) > c->mtu)
		return SIM_TOO_BIG;
	if (lost(l))
		return SIM_LOST;
	if (c->rate == 0)
		return SIM_SENT;
	if (l->busy_until < now)
		l->busy_until = now;
	waiting = (uint64_t)((unsigned __int128)(l->busy_until - now) * c->rate / NS_PER_S);
	if (c->queue != 0 && waiting + p->len > c->queue)
		return SIM_QUEUE_FULL;
	if (c->mark_from != 0 && waiting >= c->mark_from)
		mark(p);
	return SIM_SENT;
}

enum sim_fate sim_link_send(struct sim_link *l, struct sim_packet *p, uint64_t now)
{
	const struct sim_link_params *c = &l->params;
	enum sim_fate fate = fate_of(l, p, now);
	uint64_t at = now;

	l->fates[fate]++;
	if (fate != SIM_SENT) {
		free(p);
		return fate;
	}
	l->bytes_sent += p->len;
	if (c->rate != 0) {
		l->busy_until += p->len * NS_PER_S / c->rate;
		at = l->busy_until;
	}
	if (rng_chance(&l->rng, c->corrupt))
		corrupt(l, p);
	at += c->delay + rng_below(&l->rng, c->jitter);
	if (rng_chance(&l->rng, c->reorder)) {
		at += rng_below(&l->rng, c->reorder_by);
	} else {
		if (at < l->last_at)
			at = l->last_at;
		l->last_at = at;
	}
	p->at = at;
	if (rng_chance(&l->rng, c->duplicate)) {
		struct sim_packet *twin = sim_packet_new(p->len);

		memcpy(twin, p, sizeof(*p) + p->len);
		twin->at += rng_below(&l->rng, c->reorder_by + 1);
		heap_push(l, twin);
	}
	heap_push(l, p);
	return SIM_SENT;
}

uint64_t sim_link_next(const struct sim_link *l)
{
	return l->count == 0 ? UINT64_MAX : l->heap[0]->at;
}

struct sim_packet *sim_link_take(struct sim_link *l, uint64_t now)
{
	if (l->count == 0 || l->heap[0]->at > now)
		return NULL;
	return heap_pop(l);
}
