/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/events.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "control/daemon/event_text.h"

struct follower {
	struct api_request *request;
	uint64_t dropped; /* since the last line that got through */
	LIST_ENTRY(follower) link;
};

struct events {
	struct ipc_event *ring;
	size_t size, count;
	uint64_t total; /* the next one goes to total % size */
	LIST_HEAD(, follower) followers;
};

int events_create(size_t keep, struct events **out)
{
	struct events *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	e->size = keep;
	e->ring = calloc(keep, sizeof(*e->ring));
	if (e->ring == NULL) {
		free(e);
		return -ENOMEM;
	}
	LIST_INIT(&e->followers);
	*out = e;
	return 0;
}

void events_destroy(struct events *e)
{
	struct follower *f;

	if (e == NULL)
		return;
	while ((f = LIST_FIRST(&e->followers)) != NULL) {
		LIST_REMOVE(f, link);
		free(f);
	}
	free(e->ring);
	free(e);
}

int events_resize(struct events *e, size_t keep)
{
	size_t count = e->count < keep ? e->count : keep;
	struct ipc_event *ring;

	if (keep == e->size)
		return 0;
	ring = calloc(keep, sizeof(*ring));
	if (ring == NULL)
		return -ENOMEM;
	for (size_t i = 1; i <= count; i++)
		ring[(e->total - i) % keep] = e->ring[(e->total - i) % e->size];
	free(e->ring);
	e->ring = ring;
	e->size = keep;
	e->count = count;
	return 0;
}

static void follower_send(struct follower *f, const json_t *line)
{
	json_t *told;

	if (f->dropped > 0) {
		told = json_pack("{s:[], s:I}", "events", "dropped", (json_int_t)f->dropped);
		if (told != NULL && api_stream_send(f->request, told))
			f->dropped = 0;
		json_decref(told);
	}
	if (f->dropped > 0 || !api_stream_send(f->request, line))
		f->dropped++;
}

void events_add(struct events *e, const struct ipc_event *event)
{
	struct follower *f;
	json_t *line;

	e->ring[e->total++ % e->size] = *event;
	if (e->count < e->size)
		e->count++;
	if (LIST_EMPTY(&e->followers))
		return;
	line = json_pack("{s:[o]}", "events", event_to_json(event));
	if (line == NULL)
		return;
	LIST_FOREACH (f, &e->followers, link) {
		follower_send(f, line);
	}
	json_decref(line);
}

json_t *events_last(const struct events *e, size_t last)
{
	json_t *list = json_array();

	if (last > e->count)
		last = e->count;
	for (size_t i = last; i > 0; i--)
		json_array_append_new(list, event_to_json(&e->ring[(e->total - i) % e->size]));
	return json_pack("{s:o}", "events", list);
}

static void follower_gone(void *arg)
{
	struct follower *f = arg;

	LIST_REMOVE(f, link);
	free(f);
}

void events_follow(struct events *e, struct api_request *r, size_t last)
{
	struct follower *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		api_reply_error(r, "internal", "out of memory");
		return;
	}
	f->request = r;
	LIST_INSERT_HEAD(&e->followers, f, link);
	api_stream_begin(r, events_last(e, last), follower_gone, f);
}

uint64_t events_total(const struct events *e)
{
	return e->total;
}
