/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes a `struct gateway_generation` of a checked configuration, in steps: one TLS context each,
 * as parsing keys and CA files takes milliseconds and there is one context per worker. Contexts are
 * shared where certificates or CA file are the same.
 */
#ifndef POSTGATE_DATAPLANE_CTL_BUILD_H
#define POSTGATE_DATAPLANE_CTL_BUILD_H

#include "dataplane/ctl/config.h"
#include "dataplane/gateway/generation.h"

struct tls_lib;
struct tls_tickets;
struct build;

struct build_params {
	const struct config *config; /* kept until build_free() or the end */
	uint16_t worker_count;
	struct tls_lib *(*tls_lib)(void *arg, uint16_t worker);
	void *arg;
	struct tls_tickets *tickets; /* of every server context; kept by the caller */
	const struct policy_map *policy;
	/* Listeners and next hops that are in it keep their ids. NULL: none. */
	const struct gateway_generation *previous;
};

/* 0 or -ENOMEM. */
int build_create(const struct build_params *params, struct build **out);
/* -EAGAIN: call again; 0: *out is the generation, owned by the caller, and `b` is empty; else
 * -errno with one line. */
int build_step(struct build *b, const struct gateway_generation **out, char *err);
void build_free(struct build *b); /* NULL allowed */

/* The same configuration under another number. NULL: no memory. */
const struct gateway_generation *build_renumber(
	const struct gateway_generation *gen, uint64_t number);
/* What it shares with others is freed with the last. NULL allowed. */
void build_generation_free(const struct gateway_generation *gen);

#endif
