/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/push.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum push_phase {
	PUSH_BEGIN,
	PUSH_INTERFACES,
	PUSH_ROUTES,
	PUSH_CERTIFICATES,
	PUSH_CAS,
	PUSH_LISTENERS,
	PUSH_NEXT_HOPS,
	PUSH_DEFAULTS,
	PUSH_RESET,
	PUSH_PARTNERS,
	PUSH_COMMIT,
	PUSH_END,
};

struct push {
	uint64_t generation;
	enum push_phase phase;
	unsigned int index; /* within the phase */
	unsigned int part;  /* within the entry: addresses, PEM files, a partner's messages */
	size_t offset;      /* within the part */

	const struct config *config; /* NULL: partners only */
	struct store *store;
	const struct partner *single; /* the one to set */
	uint32_t delete_id;
	struct push_item *items; /* NULL: not of this kind */
	size_t item, item_count; /* item: the next */
	struct partner current;  /* of the store; id 0: none loaded */
	uint32_t last_id;
};

static int push_create(uint64_t generation, struct push **out)
{
	struct push *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->generation = generation;
	*out = p;
	return 0;
}

int push_create_full(
	const struct config *config, struct store *store, uint64_t generation, struct push **out)
{
	int rc = push_create(generation, out);

	if (rc == 0) {
		(*out)->config = config;
		(*out)->store = store;
	}
	return rc;
}

int push_create_partner(const struct partner *partner, uint64_t generation, struct push **out)
{
	int rc = push_create(generation, out);

	if (rc == 0)
		(*out)->single = partner;
	return rc;
}

int push_create_items(struct store *store, struct push_item *items, size_t count,
	uint64_t generation, struct push **out)
{
	int rc = push_create(generation, out);

	if (rc == 0) {
		(*out)->store = store;
		(*out)->items = items;
		(*out)->item_count = count;
	}
	return rc;
}

int push_create_delete(uint32_t partner_id, uint64_t generation, struct push **out)
{
	int rc = push_create(generation, out);

	if (rc == 0)
		(*out)->delete_id = partner_id;
	return rc;
}

void push_destroy(struct push *p)
{
	if (p == NULL)
		return;
	if (p->current.id != 0)
		partner_release(&p->current);
	free(p->items);
	free(p);
}

uint64_t push_generation(const struct push *p)
{
	return p->generation;
}

/* A zeroed message of a fixed type in m. */
#define MAKE(m, type_name, struct_name) \
	((struct struct_name *)make_message((m), (type_name), sizeof(struct struct_name)))

static void *make_message(union push_message *m, uint16_t type, size_t length)
{
	memset(m->room, 0, length);
	ipc_header_init(&m->header, type, length, 0);
	return m->room;
}

static void set_prefix(struct ipc_prefix *out, const struct prefix *p)
{
	memcpy(out->addr.b, p->addr.b, sizeof(out->addr.b));
	out->plen = p->len;
}

/* The end of a long file name says more than its beginning. */
static void set_file_name(char *field, const char *path)
{
	size_t len = strlen(path);

	ipc_string_set(field, IPC_FILE_NAME_MAX,
		len < IPC_FILE_NAME_MAX ? path : path + len - (IPC_FILE_NAME_MAX - 1));
}

static int next_phase(struct push *p)
{
	p->phase = (enum push_phase)(p->phase + 1);
	p->index = p->part = 0;
	p->offset = 0;
	return 0;
}

static int make_begin(struct push *p, union push_message *m)
{
	const struct config *c = p->config;
	struct ipc_config_begin *b;

	if (c == NULL) {
		MAKE(m, IPC_POLICY_BEGIN, ipc_policy_begin)->generation = p->generation;
		p->phase = PUSH_PARTNERS;
		return 1;
	}
	b = MAKE(m, IPC_CONFIG_BEGIN, ipc_config_begin);
	b->generation = p->generation;
	b->timeouts = (struct ipc_timeouts){
		.command = c->timeouts.command,
		.body_block = c->timeouts.body_block,
		.tls_handshake = c->timeouts.tls_handshake,
		.upstream_connect = c->timeouts.upstream_connect,
		.upstream_banner = c->timeouts.upstream_banner,
		.upstream_command = c->timeouts.upstream_command,
		.upstream_data = c->timeouts.upstream_data,
		.upstream_block = c->timeouts.upstream_block,
		.upstream_dot = c->timeouts.upstream_dot,
		.budget = c->timeouts.budget,
		.upstream_idle = c->timeouts.upstream_idle,
		.health_interval = c->timeouts.health_interval,
		.health_retry = c->timeouts.health_retry,
	};
	b->limits = (struct ipc_limits){
		.max_recipients = c->limits.max_recipients,
		.max_bad_commands = c->limits.max_bad_commands,
		.max_commands_without_mail = c->limits.max_commands_without_mail,
		.max_received = c->limits.max_received,
		.max_message_size = c->limits.max_message_size,
		.max_sessions_per_client = c->limits.max_sessions_per_client,
	};
	ipc_string_set(b->hostname, sizeof(b->hostname), c->hostname);
	next_phase(p);
	return 1;
}

/* Part 0: the interface; then its addresses. */
static int make_interface(struct push *p, union push_message *m)
{
	const struct config_interface *iface;
	struct ipc_interface *msg;
	struct ipc_address *address;

	if (p->index == p->config->interface_count)
		return next_phase(p);
	iface = &p->config->interfaces[p->index];
	if (p->part == 0) {
		msg = MAKE(m, IPC_INTERFACE, ipc_interface);
		msg->index = (uint16_t)p->index;
		msg->vlan = iface->vlan;
		msg->mtu = iface->mtu;
		msg->side = (uint8_t)iface->side;
		ipc_string_set(msg->name, sizeof(msg->name), iface->name);
		ipc_string_set(msg->port, sizeof(msg->port), iface->port);
	} else {
		address = MAKE(m, IPC_ADDRESS, ipc_address);
		address->interface = (uint16_t)p->index;
		set_prefix(&address->address, &iface->addresses[p->part - 1]);
	}
	if (p->part++ == iface->address_count) {
		p->part = 0;
		p->index++;
	}
	return 1;
}

static int make_route(struct push *p, union push_message *m)
{
	const struct config_route *r;
	struct ipc_route *msg;

	if (p->index == p->config->route_count)
		return next_phase(p);
	r = &p->config->routes[p->index++];
	msg = MAKE(m, IPC_ROUTE, ipc_route);
	msg->interface = r->interface;
	set_prefix(&msg->to, &r->to);
	memcpy(msg->via.b, r->via.b, sizeof(msg->via.b));
	return 1;
}

/* The next octets of `pem`; false when all are sent. */
static bool make_chunk(struct push *p, union push_message *m, unsigned int index,
	enum ipc_pem_kind kind, const struct config_pem *pem)
{
	size_t left = pem->len - p->offset;
	struct ipc_pem_chunk *chunk = (struct ipc_pem_chunk *)m->room;

	if (left == 0) {
		p->offset = 0;
		return false;
	}
	if (left > IPC_PEM_CHUNK_MAX)
		left = IPC_PEM_CHUNK_MAX;
	make_message(m, IPC_PEM_CHUNK, sizeof(*chunk) + left);
	chunk->index = (uint16_t)index;
	chunk->kind = (uint8_t)kind;
	chunk->offset = (uint32_t)p->offset;
	chunk->size = (uint32_t)left;
	memcpy(chunk->data, pem->data + p->offset, left);
	p->offset += left;
	return true;
}

/* Part 0: the announcement, 1: the chain, 2: the key. */
static int make_certificate(struct push *p, union push_message *m)
{
	const struct config_certificate *cert;
	struct ipc_certificate *msg;

	for (; p->index < p->config->certificate_count; p->index++, p->part = 0) {
		cert = &p->config->certificates[p->index];
		if (p->part == 0) {
			msg = MAKE(m, IPC_CERTIFICATE, ipc_certificate);
			msg->index = (uint16_t)p->index;
			msg->chain_length = (uint32_t)cert->chain.len;
			msg->key_length = (uint32_t)cert->key.len;
			set_file_name(msg->chain_name, cert->chain.path);
			set_file_name(msg->key_name, cert->key.path);
			p->part++;
			return 1;
		}
		if (p->part == 1 && make_chunk(p, m, p->index, IPC_PEM_CHAIN, &cert->chain))
			return 1;
		p->part = 2;
		if (make_chunk(p, m, p->index, IPC_PEM_KEY, &cert->key))
			return 1;
	}
	return next_phase(p);
}

/* One CA for each next hop that has one; numbered as they come. */
static unsigned int ca_index(const struct config *c, unsigned int hop)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < hop; i++)
		n += c->next_hops[i].ca.len > 0;
	return n;
}

static int make_ca(struct push *p, union push_message *m)
{
	const struct config_next_hop *hop;
	struct ipc_ca *msg;

	for (; p->index < p->config->next_hop_count; p->index++, p->part = 0) {
		hop = &p->config->next_hops[p->index];
		if (hop->ca.len == 0)
			continue;
		if (p->part == 0) {
			msg = MAKE(m, IPC_CA, ipc_ca);
			msg->index = (uint16_t)ca_index(p->config, p->index);
			msg->length = (uint32_t)hop->ca.len;
			set_file_name(msg->name, hop->ca.path);
			p->part++;
			return 1;
		}
		if (make_chunk(p, m, ca_index(p->config, p->index), IPC_PEM_CA, &hop->ca))
			return 1;
	}
	return next_phase(p);
}

static int make_listener(struct push *p, union push_message *m)
{
	const struct config_listener *l;
	struct ipc_listener *msg;

	if (p->index == p->config->listener_count)
		return next_phase(p);
	l = &p->config->listeners[p->index++];
	msg = MAKE(m, IPC_LISTENER, ipc_listener);
	msg->side = (uint8_t)l->side;
	msg->starttls = l->starttls;
	msg->port = l->port;
	msg->certificate_count = l->certificate_count;
	memcpy(msg->certificates, l->certificates,
		l->certificate_count * sizeof(msg->certificates[0]));
	memcpy(msg->address.b, l->address.b, sizeof(msg->address.b));
	msg->max_sessions = l->max_sessions;
	msg->keepalive_idle_ms = l->keepalive_ms;
	return 1;
}

static int make_next_hop(struct push *p, union push_message *m)
{
	const struct config_next_hop *hop;
	struct ipc_next_hop *msg;

	if (p->index == p->config->next_hop_count)
		return next_phase(p);
	hop = &p->config->next_hops[p->index];
	msg = MAKE(m, IPC_NEXT_HOP, ipc_next_hop);
	msg->port = hop->port;
	msg->priority = hop->priority;
	msg->level = (uint8_t)hop->level;
	msg->side = hop->side == CONFIG_OUTSIDE ? IPC_OUTSIDE : IPC_INSIDE;
	msg->ca = hop->ca.len > 0 ? (uint16_t)ca_index(p->config, p->index) : IPC_NO_CA;
	msg->max_idle = hop->max_idle;
	memcpy(msg->address.b, hop->address.b, sizeof(msg->address.b));
	ipc_string_set(msg->name, sizeof(msg->name), hop->name);
	p->index++;
	return 1;
}

static int make_domains(struct push *p, union push_message *m, const struct partner *partner)
{
	struct ipc_partner_domains *msg = (struct ipc_partner_domains *)m->room;

	memset(msg, 0, sizeof(*msg));
	msg->id = partner->id;
	for (; p->offset < partner->domain_count; p->offset++) {
		const char *domain = partner->domains[p->offset];

		if (ipc_partner_domains_add(msg, domain, strlen(domain)) < 0)
			break;
	}
	if (msg->count == 0)
		return -EINVAL; /* not with what partner_add_domain() lets in */
	ipc_header_init(&m->header, IPC_PARTNER_DOMAINS, sizeof(*msg) + msg->size, 0);
	return 1;
}

static int make_prefixes(struct push *p, union push_message *m, const struct partner *partner)
{
	struct ipc_partner_prefixes *msg = (struct ipc_partner_prefixes *)m->room;
	size_t n = partner->address_count - p->offset;

	if (n > IPC_PARTNER_PREFIXES_MAX)
		n = IPC_PARTNER_PREFIXES_MAX;
	make_message(m, IPC_PARTNER_PREFIXES, sizeof(*msg) + n * sizeof(msg->prefixes[0]));
	msg->id = partner->id;
	msg->count = (uint16_t)n;
	for (size_t i = 0; i < n; i++)
		set_prefix(&msg->prefixes[i], &partner->addresses[p->offset++]);
	return 1;
}

/* Part 0: the record, 1: its domains, 2: its prefixes. 0: all sent. */
static int make_partner(struct push *p, union push_message *m, const struct partner *partner)
{
	struct ipc_partner_set *msg;

	if (p->part == 0) {
		msg = MAKE(m, IPC_PARTNER_SET, ipc_partner_set);
		msg->id = partner->id;
		msg->domain_count = (uint32_t)partner->domain_count;
		msg->prefix_count = (uint32_t)partner->address_count;
		msg->inbound = (uint8_t)partner->inbound;
		msg->suspended_until = (uint64_t)partner->suspended_until;
		ipc_string_set(msg->name, sizeof(msg->name), partner->name);
		p->part = 1;
		p->offset = 0;
		return 1;
	}
	if (p->part == 1) {
		if (p->offset < partner->domain_count)
			return make_domains(p, m, partner);
		p->part = 2;
		p->offset = 0;
	}
	if (p->offset < partner->address_count)
		return make_prefixes(p, m, partner);
	p->part = 0;
	p->offset = 0;
	return 0;
}

/* The next partner of the store's that is to go. 1: a message was made of it already. */
static int load_next(struct push *p, union push_message *m)
{
	uint32_t after = p->last_id;
	int rc;

	if (p->items != NULL) {
		const struct push_item *item = &p->items[p->item];

		if (p->item == p->item_count)
			return -ENOENT;
		p->item++;
		if (item->gone) {
			MAKE(m, IPC_PARTNER_DELETE, ipc_partner_delete)->id = item->id;
			return 1;
		}
		after = item->id - 1;
	}
	rc = store_partner_next(p->store, after, &p->current);
	if (rc == 0)
		p->last_id = p->current.id;
	return rc;
}

static int make_partners(struct push *p, union push_message *m)
{
	int rc;

	if (p->delete_id != 0) {
		MAKE(m, IPC_PARTNER_DELETE, ipc_partner_delete)->id = p->delete_id;
		next_phase(p);
		return 1;
	}
	if (p->single != NULL) {
		rc = make_partner(p, m, p->single);
		return rc != 0 ? rc : next_phase(p);
	}
	for (;;) {
		if (p->current.id == 0) {
			rc = load_next(p, m);
			if (rc == -ENOENT)
				return next_phase(p);
			if (rc != 0)
				return rc;
		}
		rc = make_partner(p, m, &p->current);
		if (rc != 0)
			return rc;
		partner_release(&p->current);
	}
}

int push_next(struct push *p, union push_message *m)
{
	int rc = 0;

	while (rc == 0 && p->phase != PUSH_END) {
		switch (p->phase) {
		case PUSH_BEGIN:
			rc = make_begin(p, m);
			break;
		case PUSH_INTERFACES:
			rc = make_interface(p, m);
			break;
		case PUSH_ROUTES:
			rc = make_route(p, m);
			break;
		case PUSH_CERTIFICATES:
			rc = make_certificate(p, m);
			break;
		case PUSH_CAS:
			rc = make_ca(p, m);
			break;
		case PUSH_LISTENERS:
			rc = make_listener(p, m);
			break;
		case PUSH_NEXT_HOPS:
			rc = make_next_hop(p, m);
			break;
		case PUSH_DEFAULTS:
			MAKE(m, IPC_DEFAULTS, ipc_defaults)->inbound =
				(uint8_t)p->config->strangers_inbound;
			p->phase = p->store != NULL ? PUSH_RESET : PUSH_COMMIT;
			return 1;
		case PUSH_RESET:
			MAKE(m, IPC_PARTNER_RESET, ipc_partner_reset);
			next_phase(p);
			return 1;
		case PUSH_PARTNERS:
			rc = make_partners(p, m);
			break;
		case PUSH_COMMIT:
			MAKE(m, IPC_COMMIT, ipc_commit)->generation = p->generation;
			next_phase(p);
			return 1;
		case PUSH_END:
			break;
		}
	}
	return rc;
}
