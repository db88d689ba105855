/* SPDX-License-Identifier: BSD-3-Clause */
/* Next hops as one worker knows them: choice by priority, health checks, what they can do. */
#ifndef POSTGATE_DATAPLANE_GATEWAY_HOP_H
#define POSTGATE_DATAPLANE_GATEWAY_HOP_H

#include "dataplane/gateway/internal.h"

/* Takes over the next hops of g->gen: known ones (by id) keep their connections and health. */
void hop_adopt_generation(struct gateway *g, uint64_t now);
/* The k-th choice of that side: by priority, hops of one priority in turn from `rotation` on. NULL:
 * no more. */
struct hop *hop_choice(const struct gateway *g, enum net_side side, uint32_t rotation, uint32_t k);
/* Whether it makes sense to try it: not known to be down. */
bool hop_usable(const struct hop *hop);
/* EHLO keywords that every usable hop of that side has, and the smallest SIZE limit (0: none says
 * one). */
uint32_t hop_common_ext(const struct gateway *g, enum net_side side, uint64_t *size_limit);

/* Results, of a health check or of a session that tried. */
void hop_set_up(
	struct hop *hop, uint32_t ext, uint64_t size_limit, bool tls, bool verified, uint64_t now);
void hop_set_down(struct hop *hop, const char *why, size_t len, uint64_t now);
/* A TLS session to resume from, which the hop keeps: made with its present context, name, level. */
void hop_keep_ticket(struct hop *hop, struct tls_session *ticket);
/* The newest, now the caller's; NULL: none. */
struct tls_session *hop_take_ticket(struct hop *hop);
void hop_drop_tickets(struct hop *hop);
/* The next health check in `seconds`. */
void hop_schedule(struct hop *hop, uint32_t seconds, uint64_t now);

wheel_fire hop_health_fire;

#endif
