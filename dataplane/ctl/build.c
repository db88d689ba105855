// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ctl/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/tls.h"

/* The contexts that one or more listeners or next hops use: one per worker. */
struct context_set {
	bool server;
	uint16_t count; /* certificates */
	uint16_t certificates[IPC_LISTENER_CERTIFICATES_MAX];
	uint16_t ca;      /* of a client; IPC_NO_CA */
	const char *what; /* who asked first, for messages */
	struct tls_context **contexts;
};
#define SETS_MAX (IPC_LISTENERS_MAX + IPC_NEXT_HOPS_MAX)

/* What generations with the same configuration share. */
struct shared {
	unsigned int users;
	uint16_t worker_count;
	unsigned int set_count;
	struct context_set sets[SETS_MAX];
	char hostname[IPC_HOSTNAME_MAX];
	char names[IPC_NEXT_HOPS_MAX][IPC_NEXT_HOP_NAME_MAX];
	struct net_addr_config addrs[IPC_INTERFACES_MAX][IPC_ADDRESSES_MAX];
	struct net_iface_config ifaces[IPC_INTERFACES_MAX];
	struct net_route_config routes[IPC_ROUTES_MAX];
	struct gateway_listener listeners[IPC_LISTENERS_MAX];
	struct gateway_next_hop next_hops[IPC_NEXT_HOPS_MAX];
};

struct generation {
	struct gateway_generation gen; /* first */
	struct shared *shared;
};

struct build {
	struct build_params params;
	struct generation *g;
	unsigned int set; /* being built */
	uint16_t worker;
	char what[SETS_MAX][CONFIG_ADDRESS_MAX + 32];
};

static void shared_free(struct shared *s)
{
	if (--s->users > 0)
		return;
	for (unsigned int i = 0; i < s->set_count; i++) {
		for (uint16_t w = 0; w < s->worker_count; w++) {
			if (s->sets[i].contexts[w] != NULL)
				tls_context_free(s->sets[i].contexts[w]);
		}
		free(s->sets[i].contexts);
	}
	free(s);
}

void build_generation_free(const struct gateway_generation *gen)
{
	struct generation *g = (struct generation *)(uintptr_t)gen;

	if (g == NULL)
		return;
	shared_free(g->shared);
	free(g);
}

const struct gateway_generation *build_renumber(
	const struct gateway_generation *gen, uint64_t number)
{
	const struct generation *old = (const struct generation *)gen;
	struct generation *g = malloc(sizeof(*g));

	if (g == NULL)
		return NULL;
	*g = *old;
	g->gen.number = number;
	g->shared->users++;
	return &g->gen;
}

static struct ip_addr address(const struct ipc_addr *a)
{
	struct ip_addr out;

	memcpy(out.b, a->b, sizeof(out.b));
	return out;
}

/* NULL: no memory. */
static struct tls_context **use_set(struct build *b, const struct context_set *wanted)
{
	struct shared *s = b->g->shared;
	struct context_set *set;

	for (unsigned int i = 0; i < s->set_count; i++) {
		set = &s->sets[i];
		if (set->server == wanted->server && set->ca == wanted->ca &&
			set->count == wanted->count &&
			memcmp(set->certificates, wanted->certificates,
				sizeof(set->certificates)) == 0)
			return set->contexts;
	}
	set = &s->sets[s->set_count];
	*set = *wanted;
	set->contexts = calloc(s->worker_count, sizeof(set->contexts[0]));
	if (set->contexts == NULL)
		return NULL;
	s->set_count++;
	return set->contexts;
}

static void build_net(struct build *b)
{
	const struct config *c = b->params.config;
	struct shared *s = b->g->shared;

	for (unsigned int k = 0; k < c->interface_count; k++) {
		const struct config_interface *i = &c->interfaces[k];

		memcpy(s->addrs[k], i->addrs, sizeof(s->addrs[k]));
		s->ifaces[k] = (struct net_iface_config){
			.port_id = i->port_id,
			.vlan_id = i->vlan,
			.mtu = i->mtu,
			.side = i->side == IPC_INSIDE ? NET_INSIDE : NET_OUTSIDE,
			.addr_count = i->addr_count,
			.addrs = s->addrs[k],
		};
	}
	memcpy(s->routes, c->routes, sizeof(s->routes));
	b->g->gen.net = (struct net_config){
		.iface_count = c->interface_count,
		.route_count = c->route_count,
		.ifaces = s->ifaces,
		.routes = s->routes,
	};
}

/* The id that an equal one had, else one that none had. */
static uint32_t listener_id(const struct gateway_generation *prev, const struct gateway_listener *l,
	const struct gateway_listener *built, unsigned int count)
{
	uint32_t id = 0;

	for (uint32_t i = 0; prev != NULL && i < prev->listener_count; i++) {
		const struct gateway_listener *o = &prev->listeners[i];

		if (o->port == l->port && o->side == l->side && ip_addr_equal(&o->addr, &l->addr))
			return o->id;
		id = o->id > id ? o->id : id;
	}
	for (unsigned int i = 0; i < count; i++)
		id = built[i].id > id ? built[i].id : id;
	return id + 1;
}

static uint32_t next_hop_id(const struct gateway_generation *prev, const struct gateway_next_hop *h,
	const struct gateway_next_hop *built, unsigned int count)
{
	uint32_t id = 0;

	for (uint32_t i = 0; prev != NULL && i < prev->next_hop_count; i++) {
		const struct gateway_next_hop *o = &prev->next_hops[i];

		if (o->port == h->port && o->side == h->side && ip_addr_equal(&o->addr, &h->addr) &&
			strcmp(o->name, h->name) == 0)
			return o->id;
		id = o->id > id ? o->id : id;
	}
	for (unsigned int i = 0; i < count; i++)
		id = built[i].id > id ? built[i].id : id;
	return id + 1;
}

static int build_listeners(struct build *b)
{
	const struct config *c = b->params.config;
	struct shared *s = b->g->shared;
	char text[CONFIG_ADDRESS_MAX];

	for (unsigned int k = 0; k < c->listener_count; k++) {
		const struct ipc_listener *m = &c->listeners[k];
		struct gateway_listener *l = &s->listeners[k];
		struct context_set set = {
			.server = true, .count = m->certificate_count, .ca = IPC_NO_CA};

		*l = (struct gateway_listener){
			.side = m->side == IPC_INSIDE ? NET_INSIDE : NET_OUTSIDE,
			.addr = address(&m->address),
			.port = m->port,
			.starttls = m->starttls != 0,
			.max_sessions = m->max_sessions,
			.keepalive_idle_ms = m->keepalive_idle_ms,
		};
		l->id = listener_id(b->params.previous, l, s->listeners, k);
		if (!l->starttls)
			continue;
		memcpy(set.certificates, m->certificates, sizeof(set.certificates));
		snprintf(b->what[s->set_count], sizeof(b->what[0]), "listener %s port %u",
			ip_addr_is_unspecified(&l->addr) ? "any" : config_address(&l->addr, text),
			l->port);
		set.what = b->what[s->set_count];
		l->server_tls = use_set(b, &set);
		if (l->server_tls == NULL)
			return -ENOMEM;
	}
	b->g->gen.listeners = s->listeners;
	b->g->gen.listener_count = c->listener_count;
	return 0;
}

static int build_next_hops(struct build *b)
{
	const struct config *c = b->params.config;
	struct shared *s = b->g->shared;

	for (unsigned int k = 0; k < c->next_hop_count; k++) {
		const struct ipc_next_hop *m = &c->next_hops[k];
		struct context_set set = {.ca = m->ca};
		struct gateway_next_hop h = {
			.name = s->names[k],
			.side = m->side == IPC_INSIDE ? NET_INSIDE : NET_OUTSIDE,
			.addr = address(&m->address),
			.port = m->port,
			.priority = m->priority,
			.level = (enum policy_level)m->level,
			.max_idle = m->max_idle,
		};
		unsigned int at = k;

		memcpy(s->names[k], m->name, sizeof(s->names[k]));
		h.id = next_hop_id(b->params.previous, &h, s->next_hops, k);
		if (h.level != POLICY_NONE) {
			snprintf(b->what[s->set_count], sizeof(b->what[0]), "next hop %.60s",
				m->name);
			set.what = b->what[s->set_count];
			h.client_tls = use_set(b, &set);
			if (h.client_tls == NULL)
				return -ENOMEM;
		}
		/* By priority, in the order of the file among equal ones. */
		for (; at > 0 && s->next_hops[at - 1].priority > h.priority; at--)
			s->next_hops[at] = s->next_hops[at - 1];
		s->next_hops[at] = h;
	}
	b->g->gen.next_hops = s->next_hops;
	b->g->gen.next_hop_count = c->next_hop_count;
	return 0;
}

static void build_values(struct build *b)
{
	const struct ipc_config_begin *m = &b->params.config->begin;
	struct gateway_generation *gen = &b->g->gen;

	memcpy(b->g->shared->hostname, m->hostname, sizeof(m->hostname));
	gen->number = m->generation;
	gen->hostname = b->g->shared->hostname;
	gen->policy = b->params.policy;
	gen->timeouts = (struct gateway_timeouts){
		.command = m->timeouts.command,
		.body_block = m->timeouts.body_block,
		.tls_handshake = m->timeouts.tls_handshake,
		.upstream_connect = m->timeouts.upstream_connect,
		.upstream_banner = m->timeouts.upstream_banner,
		.upstream_command = m->timeouts.upstream_command,
		.upstream_data = m->timeouts.upstream_data,
		.upstream_block = m->timeouts.upstream_block,
		.upstream_dot = m->timeouts.upstream_dot,
		.budget = m->timeouts.budget,
		.upstream_idle = m->timeouts.upstream_idle,
		.health_interval = m->timeouts.health_interval,
		.health_retry = m->timeouts.health_retry,
	};
	gen->limits = (struct gateway_limits){
		.max_recipients = m->limits.max_recipients,
		.max_bad_commands = m->limits.max_bad_commands,
		.max_commands_without_mail = m->limits.max_commands_without_mail,
		.max_received = m->limits.max_received,
		.max_message_size = m->limits.max_message_size,
		.max_sessions_per_client = m->limits.max_sessions_per_client,
	};
}

int build_create(const struct build_params *params, struct build **out)
{
	struct build *b = calloc(1, sizeof(*b));
	int rc = -ENOMEM;

	if (b == NULL)
		return rc;
	b->params = *params;
	b->g = calloc(1, sizeof(*b->g));
	if (b->g == NULL)
		goto out;
	b->g->shared = calloc(1, sizeof(*b->g->shared));
	if (b->g->shared == NULL) {
		free(b->g);
		b->g = NULL;
		goto out;
	}
	b->g->shared->users = 1;
	b->g->shared->worker_count = params->worker_count;
	build_values(b);
	build_net(b);
	rc = build_listeners(b);
	if (rc == 0)
		rc = build_next_hops(b);
	if (rc == 0) {
		*out = b;
		return 0;
	}
out:
	build_free(b);
	return rc;
}

void build_free(struct build *b)
{
	if (b == NULL)
		return;
	if (b->g != NULL)
		build_generation_free(&b->g->gen);
	free(b);
}

static struct tls_pem pem(const struct config_pem *p)
{
	return (struct tls_pem){.data = p->data, .len = p->length, .name = p->name};
}

static int build_context(struct build *b, const struct context_set *set, char *err)
{
	const struct config *c = b->params.config;
	struct tls_lib *lib = b->params.tls_lib(b->params.arg, b->worker);
	struct tls_context **out = &set->contexts[b->worker];
	char text[CTL_ERROR_SIZE] = "";
	int rc;

	if (set->server) {
		struct tls_keypair pairs[IPC_LISTENER_CERTIFICATES_MAX];
		struct tls_server_params params = {.profile = TLS_PROFILE_STRONG,
			.tickets = b->params.tickets,
			.keypairs = pairs,
			.keypair_count = set->count};

		for (unsigned int i = 0; i < set->count; i++) {
			const struct config_certificate *t = &c->certificates[set->certificates[i]];

			pairs[i] =
				(struct tls_keypair){.chain = pem(&t->chain), .key = pem(&t->key)};
		}
		rc = tls_server_context_create(lib, &params, out, text, sizeof(text));
	} else {
		struct tls_client_params params = {.profile = TLS_PROFILE_STRONG};

		if (set->ca != IPC_NO_CA)
			params.ca = pem(&c->cas[set->ca]);
		rc = tls_client_context_create(lib, &params, out, text, sizeof(text));
	}
	if (rc < 0)
		return config_fail(
			err, rc, "%s: %.160s", set->what, text[0] ? text : strerror(-rc));
	return 0;
}

int build_step(struct build *b, const struct gateway_generation **out, char *err)
{
	struct shared *s = b->g->shared;
	int rc;

	if (b->set < s->set_count) {
		rc = build_context(b, &s->sets[b->set], err);
		if (rc < 0)
			return rc;
		if (++b->worker == s->worker_count) {
			b->worker = 0;
			b->set++;
		}
		return -EAGAIN;
	}
	/* `what` is the build's; nothing speaks of it any more. */
	for (unsigned int i = 0; i < s->set_count; i++)
		s->sets[i].what = NULL;
	if (net_check_config(&b->g->gen.net) < 0)
		return config_fail(err, -EINVAL,
			"interfaces, addresses or routes are more than a worker takes, "
			"or overlap");
	*out = &b->g->gen;
	b->g = NULL;
	return 0;
}
