// SPDX-License-Identifier: BSD-3-Clause
/*
 * A configuration as a whole. Everything that a worker could refuse is refused here, with one line
 * that an operator understands; what a worker adopts has no errors left.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/ctl/config.h"

static struct ip_addr address(const struct ipc_addr *a)
{
	struct ip_addr out;

	memcpy(out.b, a->b, sizeof(out.b));
	return out;
}

/* By DPDK name, or by number. */
static int find_port(const char *name, const struct ctl_port *ports, uint16_t count)
{
	char *end;
	unsigned long n;

	for (uint16_t i = 0; i < count; i++) {
		if (strcmp(ports[i].name, name) == 0)
			return i;
	}
	if (name[0] < '0' || name[0] > '9')
		return -ENODEV;
	n = strtoul(name, &end, 10);
	return *end == '\0' && n < count ? (int)n : -ENODEV;
}

static void list_ports(char *text, size_t size, const struct ctl_port *ports, uint16_t count)
{
	size_t len = 0;

	text[0] = '\0';
	for (uint16_t i = 0; i < count; i++) {
		int n = snprintf(text + len, size - len, "%s%s", i > 0 ? ", " : "", ports[i].name);

		if (n < 0 || (size_t)n >= size - len)
			break;
		len += (size_t)n;
	}
}

static int check_address(
	const struct config_interface *i, const struct net_addr_config *a, char *err)
{
	char text[CONFIG_ADDRESS_MAX];
	bool v4 = ip_addr_is_v4(&a->addr);
	uint32_t host, mask;

	config_address(&a->addr, text);
	if (v4 ? a->plen < 96 + 1 : a->plen < 1)
		return config_fail(err, -EINVAL, "interface %s: %s has no usable prefix length",
			i->name, text);
	if (v4) {
		host = ntohl(ip_addr_v4(&a->addr));
		mask = a->plen == 128 ? 0 : UINT32_MAX >> (a->plen - 96);
		/* RFC 1122 3.2.1.3; RFC 3021 for /31. */
		if (host >> 28 >= 0xe || host >> 24 == 0 || host >> 24 == 127 ||
			(a->plen < 127 && ((host & mask) == 0 || (host & mask) == mask)))
			return config_fail(err, -EINVAL,
				"interface %s: %s/%u is not a host's address", i->name, text,
				a->plen - 96u);
	} else if (a->addr.b[0] == 0xff || (a->addr.q[0] == 0 && a->addr.w[2] == 0)) {
		return config_fail(
			err, -EINVAL, "interface %s: %s is not a host's address", i->name, text);
	}
	return 0;
}

static int check_interfaces(
	struct config *c, const struct ctl_port *ports, uint16_t count, char *err)
{
	char text[CONFIG_ADDRESS_MAX], names[128];

	if (c->interface_count == 0)
		return config_fail(err, -EINVAL, "no interface");
	for (unsigned int k = 0; k < c->interface_count; k++) {
		struct config_interface *i = &c->interfaces[k];
		int port = find_port(i->port, ports, count);

		if (port < 0) {
			list_ports(names, sizeof(names), ports, count);
			return config_fail(err, -ENODEV, "interface %s: no port %s (there are: %s)",
				i->name, i->port, names);
		}
		i->port_id = (uint16_t)port;
		if (ports[port].mtu != 0 && i->mtu > ports[port].mtu)
			return config_fail(err, -EINVAL,
				"interface %s: mtu %u is more than port %s has (%u)", i->name,
				i->mtu, ports[port].name, ports[port].mtu);
		if (i->addr_count == 0)
			return config_fail(err, -EINVAL, "interface %s: no address", i->name);
		for (unsigned int n = 0; n < k; n++) {
			if (c->interfaces[n].port_id == i->port_id &&
				c->interfaces[n].vlan == i->vlan)
				return config_fail(err, -EEXIST,
					"interfaces %s and %s: same port and VLAN",
					c->interfaces[n].name, i->name);
		}
		for (unsigned int a = 0; a < i->addr_count; a++) {
			int rc = check_address(i, &i->addrs[a], err);

			if (rc < 0)
				return rc;
			for (unsigned int n = 0; n <= k; n++) {
				const struct config_interface *o = &c->interfaces[n];

				for (unsigned int b = 0; b < (n == k ? a : o->addr_count); b++) {
					if (ip_addr_equal(&o->addrs[b].addr, &i->addrs[a].addr))
						return config_fail(err, -EEXIST,
							"address %s is given twice (interfaces %s "
							"and %s)",
							config_address(&i->addrs[a].addr, text),
							o->name, i->name);
				}
			}
		}
	}
	return 0;
}

static int check_routes(const struct config *c, char *err)
{
	char text[CONFIG_ADDRESS_MAX];

	for (unsigned int k = 0; k < c->route_count; k++) {
		const struct net_route_config *r = &c->routes[k];
		const struct config_interface *i = &c->interfaces[r->iface];
		bool v4 = ip_addr_is_v4(&r->gateway);
		bool near = !v4 && r->gateway.b[0] == 0xfe && (r->gateway.b[1] & 0xc0) == 0x80;

		config_address(&r->gateway, text);
		for (unsigned int a = 0; a < i->addr_count && !near; a++)
			near = ip_addr_is_v4(&i->addrs[a].addr) == v4 &&
			       ip_addr_in_prefix(&r->gateway, &i->addrs[a].addr, i->addrs[a].plen);
		if (!near)
			return config_fail(err, -EINVAL,
				"route via %s: not on a network of interface %s", text, i->name);
		/* A v4 destination is one in ::ffff:0:0/96. */
		if (v4 != (r->plen >= 96 && ip_addr_is_v4(&r->dst)))
			return config_fail(err, -EINVAL,
				"route via %s: destination of the other family", text);
	}
	return 0;
}

static const struct config_interface *owner(const struct config *c, const struct ip_addr *a)
{
	for (unsigned int k = 0; k < c->interface_count; k++) {
		for (unsigned int n = 0; n < c->interfaces[k].addr_count; n++) {
			if (ip_addr_equal(&c->interfaces[k].addrs[n].addr, a))
				return &c->interfaces[k];
		}
	}
	return NULL;
}

static bool side_exists(const struct config *c, uint8_t side)
{
	for (unsigned int k = 0; k < c->interface_count; k++) {
		if (c->interfaces[k].side == side)
			return true;
	}
	return false;
}

static int check_listeners(const struct config *c, char *err)
{
	char text[CONFIG_ADDRESS_MAX];

	if (c->listener_count == 0)
		return config_fail(err, -EINVAL, "no listener");
	for (unsigned int k = 0; k < c->listener_count; k++) {
		const struct ipc_listener *l = &c->listeners[k];
		struct ip_addr a = address(&l->address);
		bool any = ip_addr_is_unspecified(&a);
		const struct config_interface *i = any ? NULL : owner(c, &a);

		config_address(&a, text);
		if (any ? !side_exists(c, l->side) : i == NULL || i->side != l->side)
			return config_fail(err, -EADDRNOTAVAIL,
				"listener %s port %u: no such address on the %s interfaces",
				any ? "any" : text, l->port, ipc_side_name(l->side));
		for (unsigned int n = 0; n < k; n++) {
			struct ip_addr o = address(&c->listeners[n].address);

			if (c->listeners[n].port != l->port || c->listeners[n].side != l->side)
				continue;
			if (any || ip_addr_is_unspecified(&o) || ip_addr_equal(&a, &o))
				return config_fail(err, -EADDRINUSE,
					"listener %s port %u: clashes with another one on the %s "
					"side",
					any ? "any" : text, l->port, ipc_side_name(l->side));
		}
	}
	return 0;
}

static int check_pem(const struct config_pem *p, char *err)
{
	return p->received == p->length ? 0
					: config_fail(err, -EINVAL, "%s: %u of %u octets came",
						  p->name, p->received, p->length);
}

static int check_files(const struct config *c, char *err)
{
	int rc = 0;

	for (unsigned int k = 0; k < c->certificate_count && rc == 0; k++) {
		rc = check_pem(&c->certificates[k].chain, err);
		if (rc == 0)
			rc = check_pem(&c->certificates[k].key, err);
	}
	for (unsigned int k = 0; k < c->ca_count && rc == 0; k++)
		rc = check_pem(&c->cas[k], err);
	return rc;
}

static int check_next_hops(const struct config *c, char *err)
{
	char text[CONFIG_ADDRESS_MAX];

	if (c->next_hop_count == 0)
		return config_fail(err, -EINVAL, "no next hop");
	for (unsigned int k = 0; k < c->next_hop_count; k++) {
		const struct ipc_next_hop *h = &c->next_hops[k];
		struct ip_addr a = address(&h->address);

		config_address(&a, text);
		if (owner(c, &a) != NULL)
			return config_fail(err, -ELOOP,
				"next hop %s: %s is one of our own addresses", h->name, text);
		for (unsigned int n = 0; n < k; n++) {
			const struct ipc_next_hop *o = &c->next_hops[n];

			if (o->port == h->port && strcmp(o->name, h->name) == 0 &&
				memcmp(&o->address, &h->address, sizeof(h->address)) == 0)
				return config_fail(err, -EEXIST,
					"next hop %s %s port %u is given twice", h->name, text,
					h->port);
		}
	}
	return 0;
}

int config_check(struct config *c, const struct ctl_port *ports, uint16_t port_count, char *err)
{
	int rc = check_interfaces(c, ports, port_count, err);

	if (rc == 0)
		rc = check_routes(c, err);
	if (rc == 0)
		rc = check_files(c, err);
	if (rc == 0)
		rc = check_listeners(c, err);
	if (rc == 0)
		rc = check_next_hops(c, err);
	return rc;
}
