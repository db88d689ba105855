/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/config_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/value.h"

void check_under(struct check *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->prefix, sizeof(c->prefix), fmt, args);
	va_end(args);
}

void check_fail(struct check *c, const char *key, const char *fmt, ...)
{
	char path[LINES_PATH_MAX], text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(path, sizeof(path), "%s%s%s", c->prefix, key && c->prefix[0] ? "." : "",
		key ? key : "");
	config_errors_add(c->errors, c->file, lines_find(c->lines, path), path, "%s", text);
}

const char *check_required(struct check *c, const char *key, const char *text)
{
	if (text != NULL && *text != '\0')
		return text;
	check_fail(c, key, text == NULL ? "is missing" : "is empty");
	return NULL;
}

uint64_t check_number(struct check *c, const char *key, const char *text, const char *fallback,
	const char *what, uint64_t min, uint64_t max)
{
	uint64_t n = min;
	char err[256];

	if (text == NULL)
		text = fallback;
	text = check_required(c, key, text);
	if (text != NULL && value_number(text, what, min, max, &n, err, sizeof(err)) < 0)
		check_fail(c, key, "%s", err);
	return n;
}

uint64_t check_time(struct check *c, const char *key, const char *text, const char *fallback,
	uint64_t min_ms, uint64_t max_ms)
{
	uint64_t ms = min_ms;
	char err[256];

	if (value_time(text ? text : fallback, min_ms, max_ms, &ms, err, sizeof(err)) < 0)
		check_fail(c, key, "%s", err);
	return ms;
}

bool check_bool(struct check *c, const char *key, const char *text, bool fallback)
{
	bool value = fallback;
	char err[256];

	if (text != NULL && value_bool(text, &value, err, sizeof(err)) < 0)
		check_fail(c, key, "%s", err);
	return value;
}

enum config_side check_side(struct check *c, const char *text)
{
	static const struct value_word words[] = {
		{"outside", CONFIG_OUTSIDE}, {"inside", CONFIG_INSIDE}, {NULL, 0}};
	int side = CONFIG_OUTSIDE;
	char err[256];

	text = check_required(c, "side", text);
	if (text != NULL && value_word(text, words, &side, err, sizeof(err)) < 0)
		check_fail(c, "side", "%s", err);
	return (enum config_side)side;
}

enum config_level check_level(struct check *c, const char *key, const char *text,
	const char *fallback, unsigned int allowed)
{
	struct value_word words[CONFIG_LEVEL_MUTUAL + 2];
	int level = CONFIG_LEVEL_MAY, n = 0;
	char err[256];

	for (int i = 0; i <= CONFIG_LEVEL_MUTUAL; i++)
		if (allowed & LEVEL_BIT(i))
			words[n++] =
				(struct value_word){config_level_name((enum config_level)i), i};
	words[n] = (struct value_word){NULL, 0};
	if (value_word(text ? text : fallback, words, &level, err, sizeof(err)) < 0)
		check_fail(c, key, "%s", err);
	return (enum config_level)level;
}

int config_check(const char *file, const struct config_raw *raw, const struct lines *lines,
	struct config *config, struct config_errors *errors)
{
	struct check c = {
		.file = file, .lines = lines, .errors = errors, .raw = raw, .config = config};
	unsigned int before = errors->count;
	const char *hostname;
	char err[256];

	config->interfaces = calloc(raw->interfaces_count + 1, sizeof(*config->interfaces));
	config->routes = calloc(raw->routes_count + 1, sizeof(*config->routes));
	config->certificates = calloc(raw->certificates_count + 1, sizeof(*config->certificates));
	config->listeners = calloc(raw->listeners_count + 1, sizeof(*config->listeners));
	config->next_hops = calloc(raw->next_hops_count + 1, sizeof(*config->next_hops));
	if (config->interfaces == NULL || config->routes == NULL || config->certificates == NULL ||
		config->listeners == NULL || config->next_hops == NULL)
		return -ENOMEM;

	hostname = check_required(&c, "hostname", raw->hostname);
	if (hostname != NULL && value_domain(hostname, err, sizeof(err)) < 0)
		check_fail(&c, "hostname", "%s", err);
	else if (hostname != NULL && strchr(hostname, '.') == NULL)
		check_fail(&c, "hostname",
			"%s is not a full name; RFC 5321 2.3.5 asks for one in EHLO",
			value_quote(hostname));
	else if (hostname != NULL)
		snprintf(config->hostname, sizeof(config->hostname), "%s", hostname);

	check_interfaces(&c);
	check_routes(&c);
	check_certificates(&c);
	check_listeners(&c);
	check_next_hops(&c);
	check_settings(&c);
	check_resolver(&c);
	check_alerts(&c);
	return errors->count == before ? 0 : -EINVAL;
}
