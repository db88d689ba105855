/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gateway/hop.h"

#include <stddef.h>
#include <string.h>

#include "dataplane/gateway/log.h"
#include "dataplane/gateway/upstream.h"

/* What we can pass on of a next hop's extensions; the rest is our own doing (smtp/smtp.h). */
#define HOP_EXT_PASSED (SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8)

static struct hop *hop_find(struct gateway *g, uint32_t id)
{
	for (uint32_t i = 0; i < GATEWAY_MAX_NEXT_HOPS; i++)
		if (g->hops[i].g && g->hops[i].id == id)
			return &g->hops[i];
	return NULL;
}

/* A slot that no connection refers to. */
static struct hop *hop_new(struct gateway *g)
{
	for (uint32_t i = 0; i < GATEWAY_MAX_NEXT_HOPS; i++) {
		struct hop *hop = &g->hops[i];

		if (!hop->config && hop->active == 0 && hop->idle_count == 0 && !hop->probe) {
			wheel_cancel(g->params.wheel, &hop->timer);
			memset(hop, 0, sizeof(*hop));
			hop->g = g;
			TAILQ_INIT(&hop->idle);
			return hop;
		}
	}
	return NULL;
}

static void hop_drop_idle(struct hop *hop, uint64_t now)
{
	while (!TAILQ_EMPTY(&hop->idle))
		upstream_quit(TAILQ_FIRST(&hop->idle), now);
}

void hop_keep_ticket(struct hop *hop, struct tls_session *ticket)
{
	if (hop->ticket_count == HOP_TICKETS_MAX) {
		tls_session_free(hop->tickets[0]);
		memmove(&hop->tickets[0], &hop->tickets[1],
			(HOP_TICKETS_MAX - 1) * sizeof(hop->tickets[0]));
		hop->ticket_count--;
	}
	hop->tickets[hop->ticket_count++] = ticket;
}

struct tls_session *hop_take_ticket(struct hop *hop)
{
	return hop->ticket_count > 0 ? hop->tickets[--hop->ticket_count] : NULL;
}

void hop_drop_tickets(struct hop *hop)
{
	struct tls_session *ticket;

	while ((ticket = hop_take_ticket(hop)))
		tls_session_free(ticket);
}

static void hop_configure(struct hop *hop, const struct gateway_next_hop *config, uint64_t now)
{
	struct gateway *g = hop->g;
	struct tls_context *tls = config->client_tls ? config->client_tls[g->params.worker] : NULL;

	if (hop->id == config->id && (hop->level != config->level || hop->tls != tls)) {
		/* They were made under another verdict. */
		hop_drop_idle(hop, now);
		hop_drop_tickets(hop);
	}
	hop->config = config;
	hop->id = config->id;
	gateway_copy_text(hop->name, sizeof(hop->name), config->name, strlen(config->name));
	hop->addr = config->addr;
	hop->port = config->port;
	hop->level = config->level;
	hop->tls = tls;
}

void hop_adopt_generation(struct gateway *g, uint64_t now)
{
	const struct gateway_timeouts *t = &g->gen->timeouts;
	bool retimed =
		t->health_interval != g->health_interval || t->health_retry != g->health_retry;

	for (uint32_t i = 0; i < GATEWAY_MAX_NEXT_HOPS; i++)
		g->hops[i].config = NULL;
	memset(g->hop_count, 0, sizeof(g->hop_count));
	for (uint32_t i = 0; i < g->gen->next_hop_count; i++) {
		const struct gateway_next_hop *config = &g->gen->next_hops[i];
		struct hop *hop = hop_find(g, config->id);
		bool known = hop != NULL;

		if (!known)
			hop = hop_new(g);
		if (!hop)
			break;
		hop_configure(hop, config, now);
		g->order[config->side][g->hop_count[config->side]++] = hop;
		if (!known)
			hop_schedule(hop, 0, now);
		else if (retimed && !hop->probe)
			hop_schedule(hop, hop->up ? t->health_interval : t->health_retry, now);
	}
	g->health_interval = t->health_interval;
	g->health_retry = t->health_retry;
	for (uint32_t i = 0; i < GATEWAY_MAX_NEXT_HOPS; i++) {
		struct hop *hop = &g->hops[i];

		if (!hop->g || hop->config)
			continue;
		wheel_cancel(g->params.wheel, &hop->timer);
		hop_drop_idle(hop, now);
		hop_drop_tickets(hop);
		hop->id = 0;
	}
}

struct hop *hop_choice(const struct gateway *g, enum net_side side, uint32_t rotation, uint32_t k)
{
	struct hop *const *order = g->order[side];
	uint32_t first = 0, end;

	while (first < g->hop_count[side]) {
		end = first + 1;
		while (end < g->hop_count[side] &&
			order[end]->config->priority == order[first]->config->priority)
			end++;
		if (k < end)
			return order[first + (k - first + rotation) % (end - first)];
		first = end;
	}
	return NULL;
}

bool hop_usable(const struct hop *hop)
{
	return hop->up || !hop->checked;
}

uint32_t hop_common_ext(const struct gateway *g, enum net_side side, uint64_t *size_limit)
{
	uint32_t ext = HOP_EXT_PASSED;
	bool any = false;

	*size_limit = 0;
	for (uint32_t i = 0; i < g->hop_count[side]; i++) {
		const struct hop *hop = g->order[side][i];

		if (!hop->up)
			continue;
		any = true;
		ext &= hop->ext;
		if (hop->size_limit > 0 && (*size_limit == 0 || hop->size_limit < *size_limit))
			*size_limit = hop->size_limit;
	}
	return any ? ext : 0;
}

void hop_schedule(struct hop *hop, uint32_t seconds, uint64_t now)
{
	struct gateway *g = hop->g;

	if (hop->config)
		wheel_arm(g->params.wheel, &hop->timer, g->health_timer, now + seconds * SECOND);
}

void hop_set_up(
	struct hop *hop, uint32_t ext, uint64_t size_limit, bool tls, bool verified, uint64_t now)
{
	bool news = !hop->up;

	hop->checked = true;
	hop->up = true;
	hop->ext = ext;
	hop->size_limit = size_limit;
	hop->tls_seen = tls;
	hop->verified_seen = verified;
	hop->error[0] = '\0';
	if (news)
		log_next_hop(hop, now);
}

void hop_set_down(struct hop *hop, const char *why, size_t len, uint64_t now)
{
	bool news = hop->up || !hop->checked;

	hop->checked = true;
	hop->up = false;
	gateway_copy_text(hop->error, sizeof(hop->error), why, len);
	if (news) {
		hop_drop_idle(hop, now);
		log_next_hop(hop, now);
	}
	if (!hop->probe)
		hop_schedule(hop, hop->g->gen->timeouts.health_retry, now);
}

void hop_health_fire(void *arg, struct wheel_timer *t, uint64_t now)
{
	struct gateway *g = arg;
	struct hop *hop = (struct hop *)((char *)t - offsetof(struct hop, timer));

	if (!hop->config || hop->probe)
		return;
	/* Without a connection to spare the check waits: sessions come first. */
	if (g->draining || upstream_probe(hop, now) != 0)
		hop_schedule(hop, g->gen->timeouts.health_retry, now);
}
