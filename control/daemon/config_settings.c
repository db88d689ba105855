/* SPDX-License-Identifier: BSD-3-Clause */
/* Strangers, time-outs, limits, events, log: what has a default each. */
#include <stddef.h>
#include <stdlib.h>

#include "control/daemon/config_check.h"
#include "control/daemon/value.h"

struct timeout_setting {
	const char *key;
	size_t raw, value;
	const char *fallback;
	uint32_t min, max; /* seconds */
};

#define TIMEOUT(key, member, fallback, min, max)                                     \
	{                                                                            \
		key, offsetof(struct config_raw, timeouts.member),                   \
			offsetof(struct config_timeouts, member), fallback, min, max \
	}

/* Defaults: RFC 5321 4.5.3.2, in order .7, .5; .1 to .6 for the upstream leg. */
static const struct timeout_setting timeout_settings[] = {
	TIMEOUT("command", command, "5m", 5, 3600),
	TIMEOUT("body-block", body_block, "3m", 5, 3600),
	TIMEOUT("tls-handshake", tls_handshake, "1m", 1, 600),
	TIMEOUT("upstream-connect", upstream_connect, "30s", 1, 600),
	TIMEOUT("upstream-banner", upstream_banner, "1m", 1, 600),
	TIMEOUT("upstream-command", upstream_command, "5m", 1, 3600),
	TIMEOUT("upstream-data", upstream_data, "2m", 1, 3600),
	TIMEOUT("upstream-block", upstream_block, "3m", 1, 3600),
	TIMEOUT("upstream-dot", upstream_dot, "10m", 1, 3600),
	TIMEOUT("budget", budget, "270s", 5, 290),
	TIMEOUT("upstream-idle", upstream_idle, "30s", 1, 3600),
	TIMEOUT("health-interval", health_interval, "30s", 1, 3600),
	TIMEOUT("health-retry", health_retry, "5s", 1, 3600),
};

static void check_timeouts(struct check *c)
{
	check_under(c, "timeouts");
	for (size_t i = 0; i < sizeof(timeout_settings) / sizeof(timeout_settings[0]); i++) {
		const struct timeout_setting *s = &timeout_settings[i];
		const char *text = *(char *const *)((const char *)c->raw + s->raw);
		uint64_t ms = check_time(
			c, s->key, text, s->fallback, s->min * 1000ull, s->max * 1000ull);

		if (ms % 1000 != 0)
			check_fail(c, s->key, "%s is not a whole number of seconds",
				value_quote(text));
		*(uint32_t *)((char *)&c->config->timeouts + s->value) = (uint32_t)(ms / 1000);
	}
}

static void check_limits(struct check *c)
{
	struct config_limits *l = &c->config->limits;
	const char *size = c->raw->limits.max_message_size;
	char err[256];

	check_under(c, "limits");
	/* RFC 5321 4.5.3.1.8: at least 100 recipients. */
	l->max_recipients = (uint32_t)check_number(c, "max-recipients",
		c->raw->limits.max_recipients, "1000", "a number of recipients", 100, 10000);
	l->max_bad_commands = (uint32_t)check_number(c, "max-bad-commands",
		c->raw->limits.max_bad_commands, "20", "a number of commands", 1, 10000);
	l->max_commands_without_mail = (uint32_t)check_number(c, "max-commands-without-mail",
		c->raw->limits.max_commands_without_mail, "200", "a number of commands", 10,
		100000);
	/* RFC 5321 6.3: "at least 100". */
	l->max_received = (uint32_t)check_number(c, "max-received", c->raw->limits.max_received,
		"100", "a number of headers", 10, 1000);
	l->max_sessions_per_client = (uint32_t)check_number(c, "max-sessions-per-client",
		c->raw->limits.max_sessions_per_client, "0", "a number of sessions", 0, UINT32_MAX);
	if (size != NULL && value_size(size, INT64_MAX, &l->max_message_size, err, sizeof(err)) < 0)
		check_fail(c, "max-message-size", "%s", err);
}

void check_settings(struct check *c)
{
	static const struct value_word logs[] = {
		{"stderr", CONFIG_LOG_STDERR}, {"syslog", CONFIG_LOG_SYSLOG}, {NULL, 0}};
	struct config *config = c->config;
	int to = CONFIG_LOG_STDERR;
	char err[256];

	check_under(c, "strangers");
	config->strangers_inbound = check_level(c, "inbound", c->raw->strangers.inbound, "may",
		LEVEL_BIT(CONFIG_LEVEL_NONE) | LEVEL_BIT(CONFIG_LEVEL_MAY) |
			LEVEL_BIT(CONFIG_LEVEL_ENCRYPT));
	/* RFC 3207 4: a publicly referenced server must not require it; partners are enforced. */
	if (config->strangers_inbound == CONFIG_LEVEL_ENCRYPT)
		check_fail(c, "inbound",
			"encrypt would refuse mail of the public (RFC 3207 4); require it of "
			"partners");
	check_timeouts(c);
	check_limits(c);

	check_under(c, "events");
	config->events_keep = (uint32_t)check_number(
		c, "keep", c->raw->events.keep, "10000", "a number of events", 100, 100000);
	check_under(c, "log");
	if (c->raw->log.to != NULL && value_word(c->raw->log.to, logs, &to, err, sizeof(err)) < 0)
		check_fail(c, "to", "%s", err);
	config->log_to = (enum config_log)to;
	config->log_events = check_bool(c, "events", c->raw->log.events, true);
	check_under(c, "%s", "");
}
