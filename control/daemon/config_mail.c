/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificates, listeners, next hops. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/config_check.h"
#include "control/daemon/files.h"
#include "control/daemon/value.h"

static void check_certificate(struct check *c, const struct config_raw_certificate *raw)
{
	struct config *config = c->config;
	struct config_certificate *cert = &config->certificates[config->certificate_count];
	const char *name, *chain, *key;
	char err[512];

	name = check_required(c, "name", raw->name);
	if (name != NULL && value_name(name, CONFIG_NAME_MAX - 1, err, sizeof(err)) < 0)
		check_fail(c, "name", "%s", err);
	else if (name != NULL)
		snprintf(cert->name, sizeof(cert->name), "%s", name);
	for (int i = 0; i < config->certificate_count; i++)
		if (strcmp(config->certificates[i].name, cert->name) == 0)
			check_fail(c, "name", "%s is the name of certificates[%d] already",
				cert->name, i);
	/* Counted in any case: references to it are checked by name, and the PEM is freed. */
	config->certificate_count++;
	chain = check_required(c, "chain", raw->chain);
	if (chain != NULL && files_read_pem(chain, false, &cert->chain, err, sizeof(err)) < 0)
		check_fail(c, "chain", "%s", err);
	key = check_required(c, "key", raw->key);
	if (key != NULL && files_read_pem(key, true, &cert->key, err, sizeof(err)) < 0)
		check_fail(c, "key", "%s", err);
	if (cert->chain.data == NULL || cert->key.data == NULL)
		return;
	if (files_check_keypair(&cert->chain, &cert->key, &cert->not_before, &cert->not_after, err,
		    sizeof(err)) < 0)
		check_fail(c,
			strstr(err, key) != NULL && strstr(err, chain) == NULL ? "key" : "chain",
			"%s", err);
}

void check_certificates(struct check *c)
{
	for (unsigned int i = 0; i < c->raw->certificates_count; i++) {
		check_under(c, "certificates[%u]", i);
		if (i == CONFIG_CERTIFICATES_MAX) {
			check_fail(c, NULL, "more than %d certificates", CONFIG_CERTIFICATES_MAX);
			break;
		}
		check_certificate(c, &c->raw->certificates[i]);
	}
	check_under(c, "%s", "");
}

/* The interface of that side that has exactly this address. */
static bool is_own_address(const struct check *c, enum config_side side, const struct address *a)
{
	const struct config *config = c->config;

	for (int i = 0; i < config->interface_count; i++) {
		const struct config_interface *iface = &config->interfaces[i];

		for (int j = 0; iface->side == side && j < iface->address_count; j++)
			if (address_equal(&iface->addresses[j].addr, a))
				return true;
	}
	return false;
}

static void check_listener_certificates(
	struct check *c, const struct config_raw_listener *raw, struct config_listener *l)
{
	const struct config *config = c->config;
	char key[32];

	for (unsigned int i = 0; i < raw->certificates_count; i++) {
		int found = -1;

		snprintf(key, sizeof(key), "certificates[%u]", i);
		for (int j = 0; j < config->certificate_count; j++)
			if (strcmp(config->certificates[j].name, raw->certificates[i]) == 0)
				found = j;
		if (found < 0)
			check_fail(c, key, "no certificate has the name %s",
				value_quote(raw->certificates[i]));
		else if (l->certificate_count ==
			 sizeof(l->certificates) / sizeof(l->certificates[0]))
			check_fail(c, key, "more than %u certificates", l->certificate_count);
		else
			l->certificates[l->certificate_count++] = (uint16_t)found;
	}
	l->starttls = check_bool(c, "starttls", raw->starttls, raw->certificates_count > 0);
	if (l->starttls && raw->certificates_count == 0)
		check_fail(c, "starttls", "needs at least one of certificates");
}

static void check_listener(struct check *c, const struct config_raw_listener *raw)
{
	struct config *config = c->config;
	struct config_listener *l = &config->listeners[config->listener_count];
	const char *text = raw->address ? raw->address : "any";

	l->side = check_side(c, raw->side);
	if (strcmp(text, "any") != 0) {
		if (address_parse(text, &l->address) < 0)
			check_fail(c, "address", "%s is not an address, or \"any\"",
				value_quote(text));
		else if (!is_own_address(c, l->side, &l->address))
			check_fail(c, "address", "%s is on no interface of the %s",
				value_quote(text), config_side_name(l->side));
	}
	l->port = (uint16_t)check_number(c, "port", raw->port, "25", "a port", 1, 65535);
	l->max_sessions = (uint32_t)check_number(
		c, "max-sessions", raw->max_sessions, "0", "a number of sessions", 0, UINT32_MAX);
	l->keepalive_ms =
		(uint32_t)check_time(c, "keepalive", raw->keepalive, "2m", 10000, 24 * 3600000);
	check_listener_certificates(c, raw, l);
	for (int i = 0; i < config->listener_count; i++) {
		const struct config_listener *other = &config->listeners[i];

		if (other->side == l->side && other->port == l->port &&
			(address_equal(&other->address, &l->address) ||
				address_is_unspecified(&other->address) ||
				address_is_unspecified(&l->address)))
			check_fail(c, "port", "%u at this address is that of listeners[%d] already",
				l->port, i);
	}
	config->listener_count++;
}

void check_listeners(struct check *c)
{
	for (unsigned int i = 0; i < c->raw->listeners_count; i++) {
		check_under(c, "listeners[%u]", i);
		if (i == CONFIG_LISTENERS_MAX) {
			check_fail(c, NULL, "more than %d listeners", CONFIG_LISTENERS_MAX);
			break;
		}
		check_listener(c, &c->raw->listeners[i]);
	}
	check_under(c, "%s", "");
	if (c->raw->listeners_count == 0)
		check_fail(c, "listeners", "at least one is needed");
}

static bool is_reachable(const struct check *c, enum config_side side, const struct address *a)
{
	const struct config *config = c->config;

	if (check_on_link(c, side, a) >= 0)
		return true;
	for (int i = 0; i < config->route_count; i++)
		if (config->routes[i].side == side && prefix_contains(&config->routes[i].to, a) &&
			address_is_v4(&config->routes[i].via) == address_is_v4(a))
			return true;
	return false;
}

static void check_next_hop_address(
	struct check *c, const struct config_raw_next_hop *raw, struct config_next_hop *hop)
{
	const char *text = check_required(c, "address", raw->address);

	if (text == NULL)
		return;
	if (address_parse(text, &hop->address) < 0 || !address_is_host(&hop->address) ||
		address_is_link_local(&hop->address))
		check_fail(c, "address", "%s is not the address of a server", value_quote(text));
	else if (is_own_address(c, CONFIG_INSIDE, &hop->address) ||
		 is_own_address(c, CONFIG_OUTSIDE, &hop->address))
		check_fail(c, "address", "%s is the gateway's own: mail would loop",
			value_quote(text));
	else if (!is_reachable(c, hop->side, &hop->address))
		check_fail(c, "address", "no interface or route of the %s leads to %s",
			config_side_name(hop->side), value_quote(text));
}

static void check_next_hop(struct check *c, const struct config_raw_next_hop *raw)
{
	struct config *config = c->config;
	struct config_next_hop *hop = &config->next_hops[config->next_hop_count++];
	struct address literal;
	const char *text;
	char err[512];

	text = check_required(c, "name", raw->name);
	if (text != NULL && address_parse(text, &literal) < 0 &&
		value_domain(text, err, sizeof(err)) < 0)
		check_fail(c, "name", "%s", err);
	else if (text != NULL && strlen(text) >= sizeof(hop->name))
		check_fail(c, "name", "%s is longer than %zu octets", value_quote(text),
			sizeof(hop->name) - 1);
	else if (text != NULL)
		snprintf(hop->name, sizeof(hop->name), "%s", text);
	hop->side = raw->side == NULL ? CONFIG_INSIDE : check_side(c, raw->side);
	check_next_hop_address(c, raw, hop);
	hop->port = (uint16_t)check_number(c, "port", raw->port, "25", "a port", 1, 65535);
	hop->priority =
		(uint16_t)check_number(c, "priority", raw->priority, "10", "a priority", 0, 65535);
	hop->max_idle = (uint32_t)check_number(
		c, "max-idle", raw->max_idle, "16", "a number of connections", 0, 10000);
	hop->level = check_level(c, "level", raw->level, "may",
		LEVEL_BIT(CONFIG_LEVEL_NONE) | LEVEL_BIT(CONFIG_LEVEL_MAY) |
			LEVEL_BIT(CONFIG_LEVEL_ENCRYPT) | LEVEL_BIT(CONFIG_LEVEL_VERIFY));
	if (hop->level == CONFIG_LEVEL_VERIFY && raw->ca == NULL)
		check_fail(c, "ca", "is missing: level verify needs the CA to verify by");
	if (hop->level == CONFIG_LEVEL_VERIFY && text != NULL && address_parse(text, &literal) == 0)
		check_fail(c, "name",
			"%s is an address: level verify needs the name in the certificate", text);
	if (raw->ca != NULL) {
		if (files_read_pem(raw->ca, false, &hop->ca, err, sizeof(err)) < 0 ||
			files_check_ca(&hop->ca, err, sizeof(err)) < 0)
			check_fail(c, "ca", "%s", err);
	}
	for (int i = 0; i < config->next_hop_count - 1; i++)
		if (config->next_hops[i].port == hop->port && raw->address != NULL &&
			address_equal(&config->next_hops[i].address, &hop->address))
			check_fail(c, "address", "%s port %u is that of next-hops[%d] already",
				value_quote(raw->address), hop->port, i);
}

/* Stable: what has the same priority stays in the file's order. */
static void sort_next_hops(struct config *config)
{
	for (int i = 1; i < config->next_hop_count; i++)
		for (int j = i;
			j > 0 && config->next_hops[j - 1].priority > config->next_hops[j].priority;
			j--) {
			struct config_next_hop t = config->next_hops[j];

			config->next_hops[j] = config->next_hops[j - 1];
			config->next_hops[j - 1] = t;
		}
}

static bool has_next_hop(const struct config *config, enum config_side side)
{
	for (int i = 0; i < config->next_hop_count; i++)
		if (config->next_hops[i].side == side)
			return true;
	return false;
}

/* Mail that comes in by an outside listener needs a server inside. One of the inside without a
 * relay outside may wait for one: it defers what it gets. */
static void check_sides_served(struct check *c)
{
	for (int i = 0; i < c->config->listener_count; i++)
		if (c->config->listeners[i].side == CONFIG_OUTSIDE && c->raw->next_hops_count > 0 &&
			!has_next_hop(c->config, CONFIG_INSIDE)) {
			check_fail(c, "next-hops",
				"none has side: inside, where listeners[%d]'s mail goes", i);
			return;
		}
}

void check_next_hops(struct check *c)
{
	for (unsigned int i = 0; i < c->raw->next_hops_count; i++) {
		check_under(c, "next-hops[%u]", i);
		if (i == CONFIG_NEXT_HOPS_MAX) {
			check_fail(c, NULL, "more than %d next hops", CONFIG_NEXT_HOPS_MAX);
			break;
		}
		check_next_hop(c, &c->raw->next_hops[i]);
	}
	check_under(c, "%s", "");
	if (c->raw->next_hops_count == 0)
		check_fail(c, "next-hops", "at least one is needed");
	check_sides_served(c);
	sort_next_hops(c->config);
}
