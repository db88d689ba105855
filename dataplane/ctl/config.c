// SPDX-License-Identifier: BSD-3-Clause
/* Taking in the items of a configuration. */
#include "dataplane/ctl/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int config_fail(char *err, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, CTL_ERROR_SIZE, fmt, ap);
	va_end(ap);
	return rc;
}

int config_create(const struct ipc_config_begin *begin, struct config **out)
{
	struct config *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->begin = *begin;
	*out = c;
	return 0;
}

static void pem_free(struct config_pem *p)
{
	if (p->data != NULL)
		explicit_bzero(p->data, p->length);
	free(p->data);
}

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (unsigned int i = 0; i < c->certificate_count; i++) {
		pem_free(&c->certificates[i].chain);
		pem_free(&c->certificates[i].key);
	}
	for (unsigned int i = 0; i < c->ca_count; i++)
		pem_free(&c->cas[i]);
	free(c);
}

static struct ip_addr address(const struct ipc_addr *a)
{
	struct ip_addr out;

	memcpy(out.b, a->b, sizeof(out.b));
	return out;
}

const char *config_address(const struct ip_addr *a, char text[CONFIG_ADDRESS_MAX])
{
	bool v4 = ip_addr_is_v4(a);

	return inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? (const void *)&a->w[3] : a->b, text,
		CONFIG_ADDRESS_MAX);
}

int config_add_interface(struct config *c, const struct ipc_interface *m, char *err)
{
	struct config_interface *i = &c->interfaces[c->interface_count];

	if (m->index != c->interface_count)
		return config_fail(err, -EINVAL, "interface %s: index %u where %u is due", m->name,
			m->index, c->interface_count);
	memcpy(i->name, m->name, sizeof(i->name));
	memcpy(i->port, m->port, sizeof(i->port));
	i->vlan = m->vlan;
	i->mtu = m->mtu;
	i->side = m->side;
	c->interface_count++;
	return 0;
}

int config_add_address(struct config *c, const struct ipc_address *m, char *err)
{
	struct config_interface *i;

	if (m->interface >= c->interface_count)
		return config_fail(
			err, -EINVAL, "address of interface %u, which there is not", m->interface);
	i = &c->interfaces[m->interface];
	if (i->addr_count == IPC_ADDRESSES_MAX)
		return config_fail(err, -EINVAL, "interface %s: more than %u addresses", i->name,
			IPC_ADDRESSES_MAX);
	i->addrs[i->addr_count].addr = address(&m->address.addr);
	i->addrs[i->addr_count].plen = m->address.plen;
	i->addr_count++;
	return 0;
}

int config_add_route(struct config *c, const struct ipc_route *m, char *err)
{
	struct net_route_config *r = &c->routes[c->route_count];

	if (c->route_count == IPC_ROUTES_MAX)
		return config_fail(err, -EINVAL, "more than %u routes", IPC_ROUTES_MAX);
	if (m->interface >= c->interface_count)
		return config_fail(
			err, -EINVAL, "route of interface %u, which there is not", m->interface);
	r->dst = address(&m->to.addr);
	r->plen = m->to.plen;
	r->gateway = address(&m->via);
	r->iface = (uint8_t)m->interface;
	c->route_count++;
	return 0;
}

static int pem_announce(struct config_pem *p, uint32_t length, const char *name)
{
	p->data = malloc(length);
	if (p->data == NULL)
		return -ENOMEM;
	p->length = length;
	ipc_string_set(p->name, sizeof(p->name), name);
	return 0;
}

int config_add_certificate(struct config *c, const struct ipc_certificate *m, char *err)
{
	struct config_certificate *t = &c->certificates[c->certificate_count];

	if (m->index != c->certificate_count)
		return config_fail(err, -EINVAL, "%s: index %u where %u is due", m->chain_name,
			m->index, c->certificate_count);
	c->certificate_count++; /* from here on config_free() sees to it */
	if (pem_announce(&t->chain, m->chain_length, m->chain_name) < 0 ||
		pem_announce(&t->key, m->key_length, m->key_name) < 0)
		return config_fail(err, -ENOMEM, "%s: no memory", m->chain_name);
	return 0;
}

int config_add_ca(struct config *c, const struct ipc_ca *m, char *err)
{
	if (m->index != c->ca_count)
		return config_fail(err, -EINVAL, "%s: index %u where %u is due", m->name, m->index,
			c->ca_count);
	if (pem_announce(&c->cas[c->ca_count], m->length, m->name) < 0)
		return config_fail(err, -ENOMEM, "%s: no memory", m->name);
	c->ca_count++;
	return 0;
}

int config_add_pem_chunk(struct config *c, const struct ipc_pem_chunk *m, char *err)
{
	struct config_pem *p;

	if (m->index >= (m->kind == IPC_PEM_CA ? c->ca_count : c->certificate_count))
		return config_fail(err, -EINVAL, "a piece of a PEM file that was not announced");
	p = m->kind == IPC_PEM_CA      ? &c->cas[m->index]
	    : m->kind == IPC_PEM_CHAIN ? &c->certificates[m->index].chain
				       : &c->certificates[m->index].key;
	if (m->offset != p->received || m->size > p->length - p->received)
		return config_fail(err, -EINVAL, "%s: a piece out of order or too long", p->name);
	memcpy(p->data + p->received, m->data, m->size);
	p->received += m->size;
	return 0;
}

int config_add_listener(struct config *c, const struct ipc_listener *m, char *err)
{
	if (c->listener_count == IPC_LISTENERS_MAX)
		return config_fail(err, -EINVAL, "more than %u listeners", IPC_LISTENERS_MAX);
	for (unsigned int i = 0; i < m->certificate_count; i++) {
		if (m->certificates[i] >= c->certificate_count)
			return config_fail(err, -EINVAL,
				"listener on port %u: certificate %u was not sent", m->port,
				m->certificates[i]);
	}
	c->listeners[c->listener_count++] = *m;
	return 0;
}

int config_add_next_hop(struct config *c, const struct ipc_next_hop *m, char *err)
{
	if (c->next_hop_count == IPC_NEXT_HOPS_MAX)
		return config_fail(err, -EINVAL, "more than %u next hops", IPC_NEXT_HOPS_MAX);
	if (m->ca != IPC_NO_CA && m->ca >= c->ca_count)
		return config_fail(
			err, -EINVAL, "next hop %s: CA file %u was not sent", m->name, m->ca);
	c->next_hops[c->next_hop_count++] = *m;
	return 0;
}
