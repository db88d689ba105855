/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/resolver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "control/daemon/log.h"
#include "control/daemon/resolver_json.h"
#include "control/resolve/resolve.h"

#define SELF_ADDRESSES_MAX (CONFIG_INTERFACES_MAX * CONFIG_ADDRESSES_MAX)

/* A command that waits for its answer. */
struct pending {
	struct resolver *resolver;
	struct api_request *request;
	struct resolve_waiter *waiter;
	LIST_ENTRY(pending) link;
};

/* All that the resolver depends on: two that are alike need no new one. */
struct identity {
	struct config_resolver keys;
	char hostname[CONFIG_DOMAIN_MAX];
	size_t address_count;
	struct destination_address addresses[SELF_ADDRESSES_MAX];
};

struct resolver {
	struct event_base *base;
	const char *sts_path;
	struct resolve *resolve; /* NULL: off */
	struct identity identity;
	char why_off[300];
	LIST_HEAD(, pending) pending;
};

int resolver_create(struct event_base *base, const char *sts_path, struct resolver **out)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->base = base;
	r->sts_path = sts_path;
	LIST_INIT(&r->pending);
	strcpy(r->why_off, "the configuration has no resolver section");
	*out = r;
	return 0;
}

static void resolver_end(struct resolver *r)
{
	struct pending *p;

	while ((p = LIST_FIRST(&r->pending)) != NULL) {
		LIST_REMOVE(p, link);
		resolve_cancel(p->waiter);
		api_reply_error(p->request, "busy", "the resolver was changed; ask again");
		free(p);
	}
	resolve_destroy(r->resolve);
	r->resolve = NULL;
}

void resolver_destroy(struct resolver *r)
{
	if (r == NULL)
		return;
	resolver_end(r);
	free(r);
}

static void identify(const struct config *config, struct identity *id)
{
	memset(id, 0, sizeof(*id));
	id->keys = config->resolver;
	memcpy(id->hostname, config->hostname, sizeof(id->hostname));
	for (size_t i = 0; i < config->interface_count; i++)
		for (size_t j = 0; j < config->interfaces[i].address_count; j++) {
			const struct address *a = &config->interfaces[i].addresses[j].addr;
			struct destination_address *to = &id->addresses[id->address_count++];

			to->family = address_is_v4(a) ? 4 : 6;
			memcpy(to->addr, to->family == 4 ? a->b + 12 : a->b,
				to->family == 4 ? 4 : 16);
		}
}

static const char *path_or_null(const char *path)
{
	return path[0] != '\0' ? path : NULL;
}

static void resolver_begin(struct resolver *r)
{
	const struct config_resolver *k = &r->identity.keys;
	const char *forwarders[CONFIG_FORWARDERS_MAX], *self = r->identity.hostname;
	struct resolve_params p;
	char err[256];

	resolve_params_default(&p);
	for (size_t i = 0; i < k->forwarder_count; i++) {
		forwarders[i] = k->forwarders[i];
		p.local_forwarders = p.local_forwarders || strncmp(forwarders[i], "127.", 4) == 0 ||
				     strncmp(forwarders[i], "::1", 3) == 0;
	}
	p.base = r->base;
	p.forwarders = forwarders;
	p.forwarder_count = k->forwarder_count;
	p.resolv_conf = path_or_null(k->resolv_conf);
	p.local_forwarders = p.local_forwarders || p.resolv_conf != NULL;
	p.trust_anchor = path_or_null(k->trust_anchor);
	p.root_hints = path_or_null(k->root_hints);
	p.self_names = &self;
	p.self_name_count = 1;
	p.self_addresses = r->identity.addresses;
	p.self_address_count = r->identity.address_count;
	p.query_timeout_ms = k->query_timeout_ms;
	p.question_timeout_ms = k->timeout_ms;
	p.min_ttl = k->min_ttl;
	p.max_ttl = k->max_ttl;
	p.failure_ttl = k->failure_ttl;
	p.max_destinations = k->max_destinations;
	p.max_cache_bytes = k->max_cache;
	p.max_active = k->max_active;
	p.max_queued = k->max_waiting;
	p.max_sockets = k->max_sockets;
	p.sts = k->sts;
	p.sts_path = r->sts_path;
	p.sts_ca = path_or_null(k->sts_ca);
	p.sts_port = k->sts_port;
	p.sts_timeout_ms = k->sts_timeout_ms;
	if (resolve_create(&p, &r->resolve, err, sizeof(err)) < 0) {
		snprintf(r->why_off, sizeof(r->why_off), "it could not be started: %s", err);
		log_line(LOG_LEVEL_ERROR, "resolver: %s", err);
	} else {
		log_line(LOG_LEVEL_NOTICE, "resolver: on%s",
			p.trust_anchor ? "" : ", without DNSSEC: DANE cannot apply");
	}
}

void resolver_configure(struct resolver *r, const struct config *config)
{
	struct identity *id = malloc(sizeof(*id));

	if (id == NULL) {
		log_line(LOG_LEVEL_ERROR, "resolver: out of memory; it stays as it was");
		return;
	}
	identify(config, id);
	if (id->keys.enabled && r->resolve != NULL && memcmp(id, &r->identity, sizeof(*id)) == 0) {
		free(id);
		return;
	}
	resolver_end(r);
	r->identity = *id;
	free(id);
	if (r->identity.keys.enabled)
		resolver_begin(r);
	else
		strcpy(r->why_off, "the configuration has no resolver section");
}

static void on_answer(void *arg, const struct destination *d)
{
	struct pending *p = arg;

	LIST_REMOVE(p, link);
	api_reply(p->request, resolver_json(d));
	free(p);
}

void resolver_ask(struct resolver *r, struct api_request *request, const char *domain)
{
	struct resolve_waiter *waiter;
	struct pending *p;

	if (r->resolve == NULL) {
		api_reply_error(request, "unavailable", "the resolver is off: %s", r->why_off);
		return;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		api_reply_error(request, "internal", "out of memory");
		return;
	}
	p->resolver = r;
	p->request = request;
	LIST_INSERT_HEAD(&r->pending, p, link);
	if (resolve_question(r->resolve, domain, on_answer, p, &waiter) < 0) {
		LIST_REMOVE(p, link);
		free(p);
		api_reply_error(request, "internal", "out of memory");
	} else if (waiter != NULL) {
		p->waiter = waiter; /* else it has been answered, and p is gone */
	}
}

json_t *resolver_status(const struct resolver *r)
{
	struct resolve_stats s;
	json_t *o;

	if (r->resolve == NULL)
		return json_pack("{s:b, s:s}", "enabled", 0, "why", r->why_off);
	resolve_get_stats(r->resolve, &s);
	o = json_pack("{s:b, s:i, s:i, s:i, s:i, s:I}", "enabled", 1, "cached", (int)s.cached,
		"active", (int)s.active, "slow", (int)s.slow, "waiting", (int)s.queued,
		"cache_bytes", (json_int_t)s.cache_bytes);
#define X(name, help) json_object_set_new(o, #name, json_integer((json_int_t)s.name));
	RESOLVE_STATS(X)
#undef X
	return o;
}
