/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces, their addresses, routes. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "control/daemon/config_check.h"
#include "control/daemon/value.h"

/* RFC 8200 5: what every IPv6 link carries at least. */
#define MTU_MIN 1280
#define MTU_MAX 9000

int check_on_link(const struct check *c, enum config_side side, const struct address *a)
{
	const struct config *config = c->config;

	for (int i = 0; i < config->interface_count; i++) {
		const struct config_interface *iface = &config->interfaces[i];

		for (int j = 0; iface->side == side && j < iface->address_count; j++)
			if (prefix_contains(&iface->addresses[j], a))
				return i;
	}
	return -1;
}

static const struct config_interface *find_own_address(
	const struct check *c, const struct address *a)
{
	const struct config *config = c->config;

	for (int i = 0; i < config->interface_count; i++)
		for (int j = 0; j < config->interfaces[i].address_count; j++)
			if (address_equal(&config->interfaces[i].addresses[j].addr, a))
				return &config->interfaces[i];
	return NULL;
}

/* The all-zeros and all-ones host parts of an IPv4 subnet are no hosts (RFC 1122 3.2.1.3), but on
 * /31 and /32 (RFC 3021). */
static bool is_subnet_edge(const struct prefix *p)
{
	uint32_t host = (uint32_t)p->addr.b[12] << 24 | (uint32_t)p->addr.b[13] << 16 |
			(uint32_t)p->addr.b[14] << 8 | p->addr.b[15];
	uint32_t mask;

	if (!address_is_v4(&p->addr) || p->len > 126)
		return false;
	mask = p->len > 96 ? UINT32_MAX >> (p->len - 96) : UINT32_MAX;
	return (host & mask) == 0 || (host & mask) == mask;
}

static void check_address(
	struct check *c, unsigned int n, const char *text, struct config_interface *iface)
{
	const struct config_interface *other;
	struct prefix p;
	char key[32];

	snprintf(key, sizeof(key), "addresses[%u]", n);
	if (strchr(text, '/') == NULL || prefix_parse(text, &p) < 0 || p.len == 0 ||
		(p.len == 96 && address_is_v4(&p.addr)))
		check_fail(c, key,
			"%s is not an address with its prefix length, such as 192.0.2.1/24",
			value_quote(text));
	else if (!address_is_host(&p.addr) || is_subnet_edge(&p))
		check_fail(c, key, "%s is not an address that a host can have", value_quote(text));
	else if ((other = find_own_address(c, &p.addr)) != NULL)
		check_fail(c, key, "%s is on interface %s already", value_quote(text), other->name);
	else if (iface->address_count == CONFIG_ADDRESSES_MAX)
		check_fail(c, key, "more than %d addresses", CONFIG_ADDRESSES_MAX);
	else
		iface->addresses[iface->address_count++] = p;
}

static bool is_port_name(const char *text)
{
	size_t len = 0;

	while (isgraph((unsigned char)text[len]))
		len++;
	return text[len] == '\0' && len < CONFIG_PORT_MAX;
}

static void check_interface(
	struct check *c, const struct config_raw_interface *raw, struct config_interface *iface)
{
	const struct config *config = c->config;
	const char *text;
	char err[256];

	text = check_required(c, "name", raw->name);
	if (text != NULL && value_name(text, CONFIG_NAME_MAX - 1, err, sizeof(err)) < 0)
		check_fail(c, "name", "%s", err);
	else if (text != NULL)
		snprintf(iface->name, sizeof(iface->name), "%s", text);
	text = check_required(c, "port", raw->port);
	if (text != NULL && !is_port_name(text))
		check_fail(c, "port", "%s is not the name of a DPDK port", value_quote(text));
	else if (text != NULL)
		snprintf(iface->port, sizeof(iface->port), "%s", text);
	iface->side = check_side(c, raw->side);
	iface->vlan = (uint16_t)check_number(c, "vlan", raw->vlan, "0", "a VLAN", 0, 4094);
	iface->mtu = (uint16_t)check_number(c, "mtu", raw->mtu, "1500", "an MTU", MTU_MIN, MTU_MAX);
	for (int i = 0; i < config->interface_count; i++) {
		const struct config_interface *other = &config->interfaces[i];

		if (iface->name[0] != '\0' && strcmp(other->name, iface->name) == 0)
			check_fail(c, "name", "%s is the name of interfaces[%d] already",
				iface->name, i);
		if (iface->port[0] != '\0' && strcmp(other->port, iface->port) == 0 &&
			other->vlan == iface->vlan)
			check_fail(c, "port", "%s with vlan %u is interface %s already",
				iface->port, iface->vlan, other->name);
	}
	if (raw->addresses_count == 0)
		check_fail(c, "addresses", "at least one is needed");
	for (unsigned int i = 0; i < raw->addresses_count; i++)
		check_address(c, i, raw->addresses[i], iface);
}

void check_interfaces(struct check *c)
{
	const struct config_raw *raw = c->raw;
	struct config *config = c->config;
	bool sides[2] = {false, false};

	for (unsigned int i = 0; i < raw->interfaces_count; i++) {
		check_under(c, "interfaces[%u]", i);
		if (config->interface_count == CONFIG_INTERFACES_MAX) {
			check_fail(c, NULL, "more than %d interfaces", CONFIG_INTERFACES_MAX);
			break;
		}
		check_interface(
			c, &raw->interfaces[i], &config->interfaces[config->interface_count]);
		sides[config->interfaces[config->interface_count++].side] = true;
	}
	check_under(c, "%s", "");
	if (!sides[CONFIG_OUTSIDE] || !sides[CONFIG_INSIDE])
		check_fail(c, "interfaces", "none has side: %s",
			config_side_name(sides[CONFIG_OUTSIDE] ? CONFIG_INSIDE : CONFIG_OUTSIDE));
}

/* The interface that a gateway is reached by; -1 (told) if there is none. */
static int check_gateway(struct check *c, enum config_side side, const struct address *via)
{
	const struct config *config = c->config;
	char text[ADDRESS_TEXT_MAX];
	int found = -1, count = 0;

	address_format(via, text);
	if (!address_is_host(via) || find_own_address(c, via) != NULL) {
		check_fail(c, "via", "%s cannot be a gateway", text);
		return -1;
	}
	if (!address_is_link_local(via)) {
		found = check_on_link(c, side, via);
		if (found < 0)
			check_fail(c, "via", "%s is in no network of an interface of the %s", text,
				config_side_name(side));
		return found;
	}
	for (int i = 0; i < config->interface_count; i++)
		if (config->interfaces[i].side == side) {
			found = i;
			count++;
		}
	if (count == 1)
		return found;
	check_fail(c, "via",
		"%s is link-local, which needs exactly one interface on the %s (there are %d)",
		text, config_side_name(side), count);
	return -1;
}

static void check_route(struct check *c, const struct config_raw_route *raw)
{
	struct config *config = c->config;
	struct config_route route = {0};
	const char *to, *via;
	int interface;

	route.side = check_side(c, raw->side);
	to = check_required(c, "to", raw->to);
	via = check_required(c, "via", raw->via);
	if (via != NULL && address_parse(via, &route.via) < 0) {
		check_fail(c, "via", "%s is not an address", value_quote(via));
		via = NULL;
	}
	if (to == NULL || via == NULL)
		return;
	if (strcmp(to, "default") == 0)
		to = address_is_v4(&route.via) ? "0.0.0.0/0" : "::/0";
	if (strchr(to, '/') == NULL || prefix_parse(to, &route.to) < 0) {
		check_fail(c, "to", "%s is not a prefix such as 10.0.0.0/8, or \"default\"",
			value_quote(to));
		return;
	}
	if (prefix_has_host_bits(&route.to)) {
		check_fail(c, "to", "%s has bits set beyond its prefix length", value_quote(to));
		return;
	}
	if (address_is_v4(&route.to.addr) != address_is_v4(&route.via)) {
		check_fail(c, "via", "%s is of the other address family than %s", value_quote(via),
			to);
		return;
	}
	interface = check_gateway(c, route.side, &route.via);
	if (interface < 0)
		return;
	route.interface = (uint8_t)interface;
	for (int i = 0; i < config->route_count; i++)
		if (prefix_equal(&config->routes[i].to, &route.to)) {
			check_fail(c, "to", "%s is the destination of an earlier route",
				value_quote(to));
			return;
		}
	config->routes[config->route_count++] = route;
}

void check_routes(struct check *c)
{
	for (unsigned int i = 0; i < c->raw->routes_count; i++) {
		check_under(c, "routes[%u]", i);
		if (i == CONFIG_ROUTES_MAX) {
			check_fail(c, NULL, "more than %d routes", CONFIG_ROUTES_MAX);
			break;
		}
		check_route(c, &c->raw->routes[i]);
	}
	check_under(c, "%s", "");
}
