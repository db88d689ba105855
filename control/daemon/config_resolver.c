/* SPDX-License-Identifier: BSD-3-Clause */
/* The resolver section. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/daemon/config_check.h"
#include "control/daemon/value.h"

#define ROOT_KEY "/usr/share/dns/root.key" /* Debian's dns-root-data */

/* The address of a server, "192.0.2.53" or "2001:db8::53@5353". */
static bool is_server(const char *text)
{
	char address[64], err[64];
	const char *at = strchr(text, '@');
	size_t len = at != NULL ? (size_t)(at - text) : strlen(text);
	struct in6_addr addr;
	uint64_t port;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (at != NULL && value_number(at + 1, "a port", 1, 65535, &port, err, sizeof(err)) < 0)
		return false;
	return inet_pton(AF_INET, address, &addr) == 1 || inet_pton(AF_INET6, address, &addr) == 1;
}

static void check_forwarders(struct check *c, struct config_resolver *r)
{
	const struct config_raw_resolver *raw = c->raw->resolver;

	if (raw->forwarders_count > CONFIG_FORWARDERS_MAX)
		check_fail(c, "forwarders", "at most %d", CONFIG_FORWARDERS_MAX);
	for (unsigned int i = 0; i < raw->forwarders_count; i++) {
		const char *text = raw->forwarders[i];
		char key[32];

		snprintf(key, sizeof(key), "forwarders[%u]", i);
		if (text == NULL || !is_server(text) || strlen(text) >= CONFIG_FORWARDER_MAX)
			check_fail(c, key, "%s is not the address of a server",
				value_quote(text != NULL ? text : ""));
		else if (r->forwarder_count < CONFIG_FORWARDERS_MAX)
			strcpy(r->forwarders[r->forwarder_count++], text);
	}
	if (raw->forwarders_count > 0 && raw->resolv_conf != NULL)
		check_fail(c, "resolv-conf", "not beside forwarders: one of the two");
}

/* A file that the resolver's libraries read by themselves. */
static void check_file(
	struct check *c, const char *key, const char *text, char out[CONFIG_PATH_MAX])
{
	if (text == NULL)
		return;
	if (check_required(c, key, text) == NULL)
		return;
	if (strlen(text) >= CONFIG_PATH_MAX)
		check_fail(c, key, "is too long");
	else if (access(text, R_OK) < 0)
		check_fail(c, key, "%s: %s", text, strerror(errno));
	else
		strcpy(out, text);
}

static uint32_t seconds(struct check *c, const char *key, const char *text, const char *fallback,
	uint32_t min, uint32_t max)
{
	return (uint32_t)(check_time(c, key, text, fallback, min * 1000ull, max * 1000ull) / 1000);
}

void check_resolver(struct check *c)
{
	const struct config_raw_resolver *raw = c->raw->resolver;
	struct config_resolver *r = &c->config->resolver;
	const char *anchor;
	char err[256];

	if (raw == NULL)
		return;
	check_under(c, "resolver");
	r->enabled = true;
	check_forwarders(c, r);
	check_file(c, "resolv-conf", raw->resolv_conf, r->resolv_conf);
	anchor = raw->trust_anchor != NULL ? raw->trust_anchor : ROOT_KEY;
	if (strcmp(anchor, "none") != 0)
		check_file(c, "trust-anchor", anchor, r->trust_anchor);
	check_file(c, "root-hints", raw->root_hints, r->root_hints);
	r->timeout_ms = (uint32_t)check_time(c, "timeout", raw->timeout, "30s", 1000, 240 * 1000);
	r->query_timeout_ms = (uint32_t)check_time(
		c, "query-timeout", raw->query_timeout, "12s", 500, 240 * 1000);
	r->min_ttl = seconds(c, "min-ttl", raw->min_ttl, "30s", 0, 3600);
	r->max_ttl = seconds(c, "max-ttl", raw->max_ttl, "1d", 60, 7 * 86400);
	r->failure_ttl = seconds(c, "failure-ttl", raw->failure_ttl, "30s", 1, 3600);
	r->max_destinations = (uint32_t)check_number(c, "max-destinations", raw->max_destinations,
		"100000", "a number of domains", 1000, 10000000);
	r->max_cache = UINT64_C(256) << 20;
	if (raw->max_cache != NULL &&
		value_size(raw->max_cache, UINT64_C(64) << 30, &r->max_cache, err, sizeof(err)) < 0)
		check_fail(c, "max-cache", "%s", err);
	r->max_active = (uint32_t)check_number(
		c, "max-active", raw->max_active, "256", "a number of questions", 1, 4096);
	r->max_waiting = (uint32_t)check_number(
		c, "max-waiting", raw->max_waiting, "20000", "a number of questions", 1, 1000000);
	r->max_sockets = (uint32_t)check_number(
		c, "max-sockets", raw->max_sockets, "512", "a number of sockets", 16, 8192);
	r->sts = check_bool(c, "mta-sts", raw->sts, true);
	check_file(c, "mta-sts-ca", raw->sts_ca, r->sts_ca);
	r->sts_port =
		(uint16_t)check_number(c, "mta-sts-port", raw->sts_port, "443", "a port", 1, 65535);
	/* RFC 8461 3.3 suggests a minute at most. */
	r->sts_timeout_ms = (uint32_t)check_time(
		c, "mta-sts-timeout", raw->sts_timeout, "20s", 1000, 60 * 1000);
	check_under(c, "%s", "");
}
