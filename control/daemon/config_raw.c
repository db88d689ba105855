/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/config_raw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>

#define ANY CYAML_UNLIMITED

/* Every key is optional for libcyaml: what is missing is found by the checks, which can say why it
 * is needed. */
#define TEXT(key, type, member) \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, 0, ANY)
#define LIST(key, type, member, entry) \
	CYAML_FIELD_SEQUENCE(          \
		key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, member, entry, 0, ANY)
#define GROUP(key, type, member, fields) \
	CYAML_FIELD_MAPPING(key, CYAML_FLAG_OPTIONAL, type, member, fields)

static const cyaml_schema_value_t text_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, ANY),
};

#define T struct config_raw_interface
static const cyaml_schema_field_t interface_fields[] = {
	TEXT("name", T, name),
	TEXT("port", T, port),
	TEXT("side", T, side),
	TEXT("vlan", T, vlan),
	TEXT("mtu", T, mtu),
	LIST("addresses", T, addresses, &text_schema),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t interface_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, T, interface_fields),
};
#undef T

#define T struct config_raw_route
static const cyaml_schema_field_t route_fields[] = {
	TEXT("side", T, side),
	TEXT("to", T, to),
	TEXT("via", T, via),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t route_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, T, route_fields),
};
#undef T

#define T struct config_raw_certificate
static const cyaml_schema_field_t certificate_fields[] = {
	TEXT("name", T, name),
	TEXT("chain", T, chain),
	TEXT("key", T, key),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t certificate_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, T, certificate_fields),
};
#undef T

#define T struct config_raw_listener
static const cyaml_schema_field_t listener_fields[] = {
	TEXT("side", T, side),
	TEXT("address", T, address),
	TEXT("port", T, port),
	TEXT("starttls", T, starttls),
	LIST("certificates", T, certificates, &text_schema),
	TEXT("max-sessions", T, max_sessions),
	TEXT("keepalive", T, keepalive),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t listener_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, T, listener_fields),
};
#undef T

#define T struct config_raw_next_hop
static const cyaml_schema_field_t next_hop_fields[] = {
	TEXT("name", T, name),
	TEXT("side", T, side),
	TEXT("address", T, address),
	TEXT("port", T, port),
	TEXT("priority", T, priority),
	TEXT("level", T, level),
	TEXT("ca", T, ca),
	TEXT("max-idle", T, max_idle),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t next_hop_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, T, next_hop_fields),
};
#undef T

/* The groups are anonymous structs inside config_raw: offsets count from the group. */
#define IN(group, member) \
	(offsetof(struct config_raw, group.member) - offsetof(struct config_raw, group))
#define GROUP_TEXT(name, group, member)                                                       \
	{                                                                                     \
		.key = name, .data_offset = IN(group, member),                                \
		.value = {                                                                    \
			.type = CYAML_STRING,                                                 \
			.flags = (enum cyaml_flag)(CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL), \
			.data_size = sizeof(char),                                            \
			.string = {.min = 0, .max = ANY},                                     \
		},                                                                            \
	}

static const cyaml_schema_field_t stranger_fields[] = {
	GROUP_TEXT("inbound", strangers, inbound),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t timeout_fields[] = {
	GROUP_TEXT("command", timeouts, command),
	GROUP_TEXT("body-block", timeouts, body_block),
	GROUP_TEXT("tls-handshake", timeouts, tls_handshake),
	GROUP_TEXT("upstream-connect", timeouts, upstream_connect),
	GROUP_TEXT("upstream-banner", timeouts, upstream_banner),
	GROUP_TEXT("upstream-command", timeouts, upstream_command),
	GROUP_TEXT("upstream-data", timeouts, upstream_data),
	GROUP_TEXT("upstream-block", timeouts, upstream_block),
	GROUP_TEXT("upstream-dot", timeouts, upstream_dot),
	GROUP_TEXT("budget", timeouts, budget),
	GROUP_TEXT("upstream-idle", timeouts, upstream_idle),
	GROUP_TEXT("health-interval", timeouts, health_interval),
	GROUP_TEXT("health-retry", timeouts, health_retry),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limit_fields[] = {
	GROUP_TEXT("max-recipients", limits, max_recipients),
	GROUP_TEXT("max-bad-commands", limits, max_bad_commands),
	GROUP_TEXT("max-commands-without-mail", limits, max_commands_without_mail),
	GROUP_TEXT("max-received", limits, max_received),
	GROUP_TEXT("max-message-size", limits, max_message_size),
	GROUP_TEXT("max-sessions-per-client", limits, max_sessions_per_client),
	CYAML_FIELD_END,
};

#define T struct config_raw_resolver
static const cyaml_schema_field_t resolver_fields[] = {
	LIST("forwarders", T, forwarders, &text_schema),
	TEXT("resolv-conf", T, resolv_conf),
	TEXT("trust-anchor", T, trust_anchor),
	TEXT("root-hints", T, root_hints),
	TEXT("timeout", T, timeout),
	TEXT("query-timeout", T, query_timeout),
	TEXT("min-ttl", T, min_ttl),
	TEXT("max-ttl", T, max_ttl),
	TEXT("failure-ttl", T, failure_ttl),
	TEXT("max-destinations", T, max_destinations),
	TEXT("max-cache", T, max_cache),
	TEXT("max-active", T, max_active),
	TEXT("max-waiting", T, max_waiting),
	TEXT("max-sockets", T, max_sockets),
	TEXT("mta-sts", T, sts),
	TEXT("mta-sts-ca", T, sts_ca),
	TEXT("mta-sts-port", T, sts_port),
	TEXT("mta-sts-timeout", T, sts_timeout),
	CYAML_FIELD_END,
};
#undef T

#define T struct config_raw_alerts
static const cyaml_schema_field_t alert_fields[] = {
	LIST("command", T, command, &text_schema),
	TEXT("after", T, after),
	TEXT("clear-after", T, clear_after),
	TEXT("timeout", T, timeout),
	CYAML_FIELD_END,
};
#undef T

static const cyaml_schema_field_t event_fields[] = {
	GROUP_TEXT("keep", events, keep),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t log_fields[] = {
	GROUP_TEXT("to", log, to),
	GROUP_TEXT("events", log, events),
	CYAML_FIELD_END,
};

#define T struct config_raw
static const cyaml_schema_field_t top_fields[] = {
	TEXT("hostname", T, hostname),
	LIST("interfaces", T, interfaces, &interface_schema),
	LIST("routes", T, routes, &route_schema),
	LIST("certificates", T, certificates, &certificate_schema),
	LIST("listeners", T, listeners, &listener_schema),
	LIST("next-hops", T, next_hops, &next_hop_schema),
	GROUP("strangers", T, strangers, stranger_fields),
	GROUP("timeouts", T, timeouts, timeout_fields),
	GROUP("limits", T, limits, limit_fields),
	CYAML_FIELD_MAPPING_PTR(
		"resolver", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, T, resolver, resolver_fields),
	GROUP("alerts", T, alerts, alert_fields),
	GROUP("events", T, events, event_fields),
	GROUP("log", T, log, log_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t top_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, T, top_fields),
};
#undef T

void config_errors_add(struct config_errors *errors, const char *file, unsigned int line,
	const char *path, const char *fmt, ...)
{
	char text[512], full[1600];
	size_t len;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	len = (size_t)snprintf(full, sizeof(full), "%s:%u: %s%s%s\n", file, line, path,
		*path != '\0' ? ": " : "", text);
	if (len >= sizeof(full))
		len = sizeof(full) - 1;
	errors->count++;
	if (errors->len + len + 1 > errors->room) {
		size_t room = errors->room * 2 + len + 256;
		char *p = realloc(errors->text, room);

		if (p == NULL)
			return; /* the count still says that something was wrong */
		errors->text = p;
		errors->room = room;
	}
	memcpy(errors->text + errors->len, full, len + 1);
	errors->len += len;
}

void config_errors_clear(struct config_errors *errors)
{
	free(errors->text);
	*errors = (struct config_errors){0};
}

/* What libcyaml logs about the one error it stops at: a message, then the way to it from the inside
 * out: "in mapping field 'listeners' (line: 3, column: 3)". */
struct story {
	char message[256];
	char path[LINES_PATH_MAX];
	bool backtrace;
};

static void story_prepend(struct story *s, const char *step)
{
	char path[LINES_PATH_MAX];

	snprintf(path, sizeof(path), "%s%s%.200s", step,
		s->path[0] != '\0' && s->path[0] != '[' ? "." : "", s->path);
	memcpy(s->path, path, sizeof(path));
}

static void story_log(cyaml_log_t level, void *arg, const char *fmt, va_list args)
{
	struct story *s = arg;
	char line[256], step[64];
	const char *at;
	unsigned int n;

	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	if (strstr(line, "Backtrace") != NULL) {
		s->backtrace = true;
		return;
	}
	if (!s->backtrace) {
		at = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
		snprintf(s->message, sizeof(s->message), "%s", at);
		return;
	}
	at = strstr(line, "field '");
	if (at != NULL && sscanf(at, "field '%62[^']'", step) == 1)
		story_prepend(s, step);
	at = strstr(line, "entry '");
	if (at != NULL && sscanf(at, "entry '%u'", &n) == 1 && n > 0) {
		snprintf(step, sizeof(step), "[%u]", n - 1);
		story_prepend(s, step);
	}
}

/* libcyaml's words into ours. */
static void story_tell(const struct story *s, const char *file, const struct lines *lines,
	cyaml_err_t error, struct config_errors *errors)
{
	char path[LINES_PATH_MAX];
	const char *key, *text;
	static const struct {
		const char *expecting, *text;
	} shapes[] = {
		{"Expecting SEQUENCE", "must be a list"},
		{"Expecting MAPPING", "must be a group of keys"},
		{"Expecting STRING", "must be a single value"},
	};

	if (strncmp(s->message, "Unexpected key: ", 16) == 0) {
		key = s->message + 16;
		snprintf(path, sizeof(path), "%.180s%s%.60s", s->path, s->path[0] ? "." : "", key);
		config_errors_add(errors, file, lines_find(lines, path), path, "unknown key");
		return;
	}
	text = s->message[0] != '\0' ? s->message : cyaml_strerror(error);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (strncmp(s->message, shapes[i].expecting, strlen(shapes[i].expecting)) == 0)
			text = shapes[i].text;
	config_errors_add(errors, file, lines_find(lines, s->path), s->path, "%s", text);
}

static const cyaml_config_t *cyaml_settings(cyaml_config_t *settings, struct story *story)
{
	*settings = (cyaml_config_t){
		.log_fn = story != NULL ? story_log : NULL,
		.log_ctx = story,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	return settings;
}

int config_raw_load(const char *file, const char *yaml, size_t len, const struct lines *lines,
	struct config_raw **out, struct config_errors *errors)
{
	struct story story = {0};
	cyaml_config_t settings;
	cyaml_data_t *data = NULL;
	cyaml_err_t rc;

	rc = cyaml_load_data((const uint8_t *)yaml, len, cyaml_settings(&settings, &story),
		&top_schema, &data, NULL);
	if (rc != CYAML_OK) {
		story_tell(&story, file, lines, rc, errors);
		return rc == CYAML_ERR_OOM ? -ENOMEM : -EINVAL;
	}
	if (data == NULL) {
		config_errors_add(errors, file, 1, "", "the file is empty");
		return -EINVAL;
	}
	*out = data;
	return 0;
}

void config_raw_free(struct config_raw *raw)
{
	cyaml_config_t settings;

	if (raw != NULL)
		cyaml_free(cyaml_settings(&settings, NULL), &top_schema, raw, 0);
}
