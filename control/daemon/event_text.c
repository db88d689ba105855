/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/event_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/daemon/address.h"

struct line {
	char *text;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *fmt, ...)
{
	size_t room = EVENT_LINE_MAX - l->len;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->text + l->len, room, fmt, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

/* `text` between `open` and `close`: octets that could end it or the line, and what is not ASCII,
 * become "?". */
static void add_quoted(struct line *l, const char *key, const char *text, char open, char close)
{
	add(l, " %s=%c", key, open);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		add(l, "%c", c < 0x20 || c >= 0x7f || c == (unsigned char)close ? '?' : c);
	}
	add(l, "%c", close);
}

static void add_word(struct line *l, const char *key, const char *text)
{
	if (*text == '\0')
		return;
	add(l, " %s=", key);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		add(l, "%c", c <= 0x20 || c >= 0x7f || c == '=' ? '?' : c);
	}
}

static const char *address_text(const struct ipc_addr *a, char out[ADDRESS_TEXT_MAX])
{
	struct address address;

	memcpy(address.b, a->b, sizeof(address.b));
	address_format(&address, out);
	return out;
}

static void add_client(struct line *l, const struct ipc_event *e)
{
	char text[ADDRESS_TEXT_MAX];

	add(l, " client=[%s]:%u", address_text(&e->client, text), e->client_port);
	add_word(l, "helo", e->helo);
	add_word(l, "partner", e->partner);
	if (e->client_tls)
		add(l, " tls=%.7s cipher=%.31s", e->client_version, e->client_cipher);
	else
		add(l, " tls=no");
}

static void add_end(struct line *l, const struct ipc_event *e)
{
	if (e->reply_code != 0)
		add(l, " reply=%u", e->reply_code);
	if (e->reply_status[0] != 0)
		add(l, " dsn=%u.%u.%u", e->reply_status[0], e->reply_status[1], e->reply_status[2]);
	if (e->text[0] != '\0')
		add_quoted(l, "text", e->text, '"', '"');
}

void event_line(const struct ipc_event *e, char out[EVENT_LINE_MAX])
{
	struct line l = {.text = out};

	out[0] = '\0';
	switch (e->kind) {
	case IPC_EVENT_NEXT_HOP:
		add(&l, "next-hop");
		add_word(&l, "name", e->next_hop);
		add(&l, " state=%s worker=%u", e->up ? "up" : "down", e->worker);
		add_end(&l, e);
		return;
	case IPC_EVENT_SESSION:
		add(&l, "s=%016" PRIx64 " end", e->session_id);
		add_client(&l, e);
		add(&l, " messages=%u bytes=%" PRIu64 " time=%.3fs", e->message, e->bytes,
			e->duration_us / 1e6);
		add_end(&l, e);
		return;
	default:
		break;
	}
	add(&l, "s=%016" PRIx64 " m=%u outcome=%s", e->session_id, e->message,
		ipc_outcome_name(e->outcome));
	add_quoted(&l, "from", e->sender, '<', '>');
	add(&l, " rcpts=%u%s size=%" PRIu64, e->recipients, e->recipients == UINT8_MAX ? "+" : "",
		e->bytes);
	add_client(&l, e);
	add(&l, " level=%s rule=%s gen=%" PRIu64, ipc_level_name(e->level), ipc_rule_name(e->rule),
		e->generation);
	if (e->suspended)
		add(&l, " suspended=yes");
	if (e->upstream_id != 0) {
		add_word(&l, "next_hop", e->next_hop);
		add(&l, " u=%016" PRIx64, e->upstream_id);
		if (e->upstream_tls)
			add(&l, " u_tls=%.7s u_cipher=%.31s u_verified=%s", e->upstream_version,
				e->upstream_cipher, e->upstream_verified ? "yes" : "no");
		else
			add(&l, " u_tls=no");
	}
	add(&l, " time=%.3fs", e->duration_us / 1e6);
	add_end(&l, e);
}

/* JSON strings are UTF-8, what a client sent need not be. */
static json_t *json_text(const char *text)
{
	json_t *value = json_string(text);
	char safe[256];
	size_t i;

	if (value != NULL)
		return value;
	for (i = 0; text[i] != '\0' && i < sizeof(safe) - 1; i++)
		safe[i] = (unsigned char)text[i] >= 0x80 ? '?' : text[i];
	safe[i] = '\0';
	return json_string(safe);
}

json_t *event_to_json(const struct ipc_event *e)
{
	char line[EVENT_LINE_MAX], address[ADDRESS_TEXT_MAX], id[17], upstream[17], dsn[16] = "";
	json_t *o;

	event_line(e, line);
	snprintf(id, sizeof(id), "%016" PRIx64, e->session_id);
	snprintf(upstream, sizeof(upstream), "%016" PRIx64, e->upstream_id);
	if (e->reply_status[0] != 0)
		snprintf(dsn, sizeof(dsn), "%u.%u.%u", e->reply_status[0], e->reply_status[1],
			e->reply_status[2]);
	o = json_pack("{s:s, s:f, s:i, s:s}", "kind", ipc_event_kind_name(e->kind), "time",
		(double)e->time_ns / 1e9, "worker", e->worker, "line", line);
	if (o == NULL)
		return NULL;
	json_object_set_new(o, "text", json_text(e->text));
	json_object_set_new(o, "next_hop", json_text(e->next_hop));
	if (e->kind == IPC_EVENT_NEXT_HOP) {
		json_object_set_new(o, "up", json_boolean(e->up));
		return o;
	}
	json_object_update_new(
		o, json_pack("{s:s, s:i, s:s, s:i, s:s, s:I, s:f, s:b, s:s, s:s, s:i, s:s, s:I}",
			   "session", id, "message", (int)e->message, "client",
			   address_text(&e->client, address), "client_port", e->client_port, "side",
			   ipc_side_name(e->side), "bytes", (json_int_t)e->bytes, "seconds",
			   e->duration_us / 1e6, "client_tls", e->client_tls, "client_version",
			   e->client_version, "client_cipher", e->client_cipher, "reply",
			   e->reply_code, "dsn", dsn, "generation", (json_int_t)e->generation));
	json_object_set_new(o, "helo", json_text(e->helo));
	json_object_set_new(o, "partner", json_text(e->partner));
	if (e->kind == IPC_EVENT_SESSION)
		return o;
	json_object_update_new(
		o, json_pack("{s:s, s:i, s:s, s:s, s:s, s:b, s:s, s:s, s:b}", "outcome",
			   ipc_outcome_name(e->outcome), "recipients", e->recipients, "level",
			   ipc_level_name(e->level), "rule", ipc_rule_name(e->rule), "upstream",
			   upstream, "upstream_tls", e->upstream_tls, "upstream_version",
			   e->upstream_version, "upstream_cipher", e->upstream_cipher,
			   "upstream_verified", e->upstream_verified));
	json_object_set_new(o, "sender", json_text(e->sender));
	json_object_set_new(o, "suspended", json_boolean(e->suspended));
	return o;
}
