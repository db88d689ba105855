/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/daemon_private.h"
#include "control/daemon/value.h"

#define DOMAIN_MAX 253 /* octets, RFC 1035 2.3.4 */
#define LABELS_MAX 128

/* Lower case, without a trailing dot, into out[1 + DOMAIN_MAX]. False: no name that could match. */
static bool fold(const char *domain, char *out)
{
	size_t len = strlen(domain);

	if (len > 0 && domain[len - 1] == '.')
		len--;
	if (len == 0 || len > DOMAIN_MAX || domain[0] == '.' || domain[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (domain[i] == '.' && domain[i + 1] == '.')
			return false;
		/* ASCII only (RFC 4343). */
		out[i] = (char)(domain[i] >= 'A' && domain[i] <= 'Z' ? domain[i] + ('a' - 'A')
								     : domain[i]);
	}
	out[len] = '\0';
	return true;
}

/* The exact name, else the longest wildcard above it. 0, -ENOENT, -errno. */
static int find_domain(struct store *s, const char *domain, struct explain_verdict *v, uint32_t *id)
{
	char name[DOMAIN_MAX + 3], wildcard[DOMAIN_MAX + 3];
	unsigned int labels = 1;
	const char *rest;
	int rc;

	if (!fold(domain, name))
		return -ENOENT;
	for (rest = name; (rest = strchr(rest, '.')) != NULL; rest++)
		labels++;
	if (labels > LABELS_MAX)
		return -ENOENT;
	rc = store_find_domain(s, name, id);
	if (rc == 0) {
		v->rule = IPC_RULE_DOMAIN;
		snprintf(v->matched, sizeof(v->matched), "%s", name);
	}
	for (rest = name; rc == -ENOENT && (rest = strchr(rest, '.')) != NULL; rest++) {
		snprintf(wildcard, sizeof(wildcard), "*%s", rest);
		rc = store_find_domain(s, wildcard, id);
		if (rc == 0) {
			v->rule = IPC_RULE_DOMAIN_WILDCARD;
			snprintf(v->matched, sizeof(v->matched), "%s", wildcard);
		}
	}
	return rc;
}

/* The longest prefix that holds the client, and whether one of all that do is `partner`'s. */
static int find_prefix(struct store *s, const struct address *client, uint32_t partner,
	uint32_t *id, bool *owned, char matched[PREFIX_TEXT_MAX])
{
	/* What is shorter than 96 is an IPv6 prefix and says nothing of IPv4 clients. */
	int shortest = address_is_v4(client) ? 96 : 0;
	struct prefix p = {.addr = *client};
	bool found = false;
	uint32_t at;
	int rc;

	*owned = false;
	for (int len = 128; len >= shortest; len--) {
		p.len = (uint8_t)len;
		if (len < 128)
			p.addr.b[len / 8] &= (uint8_t)(0xff00 >> len % 8);
		rc = store_find_prefix(s, &p, &at);
		if (rc == -ENOENT)
			continue;
		if (rc < 0)
			return rc;
		if (!found) {
			*id = at;
			prefix_format(&p, matched);
			found = true;
		}
		*owned |= at == partner;
	}
	return found ? 0 : -ENOENT;
}

static int load(struct store *s, uint32_t id, struct partner *out)
{
	int rc = store_partner_next(s, id - 1, out);

	if (rc == 0 && out->id != id) {
		partner_release(out);
		rc = -ENOENT;
	}
	return rc;
}

static enum config_level level_at(const struct partner *p, int64_t now)
{
	return now < p->suspended_until && p->inbound > CONFIG_LEVEL_MAY ? CONFIG_LEVEL_MAY
									 : p->inbound;
}

int explain_inbound(struct store *s, const char *domain, const struct address *client, int64_t now,
	enum config_level strangers, struct explain_verdict *out)
{
	char matched[PREFIX_TEXT_MAX] = "";
	struct partner by_address = {0};
	uint32_t d = 0, a = 0;
	bool owned = false;
	int rc;

	*out = (struct explain_verdict){
		.level = strangers, .full = strangers, .rule = IPC_RULE_DEFAULT};
	rc = find_domain(s, domain, out, &d);
	if (rc == 0)
		rc = load(s, d, &out->partner);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	out->known = rc == 0;
	rc = client ? find_prefix(s, client, d, &a, &owned, matched) : -ENOENT;
	if (rc == 0)
		rc = load(s, a, &by_address);
	if (rc < 0 && rc != -ENOENT) {
		partner_release(&out->partner);
		return rc;
	}
	out->identified = owned;
	if (out->known)
		out->full = out->partner.inbound;
	else if (rc == 0)
		out->full = CONFIG_LEVEL_NONE;
	if (rc == 0) {
		if (by_address.inbound > out->full)
			out->full = by_address.inbound;
		/* The stronger counts, the domain's on a tie. */
		if (!out->known || level_at(&by_address, now) > level_at(&out->partner, now)) {
			partner_release(&out->partner);
			out->partner = by_address;
			out->known = out->identified = true;
			out->rule = IPC_RULE_ADDRESS;
			snprintf(out->matched, sizeof(out->matched), "%s", matched);
		} else {
			partner_release(&by_address);
		}
	}
	if (out->known) {
		out->level = level_at(&out->partner, now);
		out->suspended = out->full > out->level;
	}
	return 0;
}

/* --- The command --- */

/* "a@b", "<a@b>", "b"; "<>" gives "". */
static void domain_of(const char *from, char *out, size_t size)
{
	const char *at = strrchr(from, '@');

	if (at != NULL)
		at++;
	else
		at = from + (*from == '<');
	snprintf(out, size, "%.*s", (int)strcspn(at, ">"), at);
}

static void add_reply(
	json_t *list, const char *command, int code, const char *status, const char *text)
{
	json_array_append_new(list, json_pack("{s:s, s:i, s:s, s:s}", "command", command, "code",
					    code, "status", status, "text", text));
}

/* What MAIL gets, as dataplane/gateway/transaction.c has it. */
static void add_mail(json_t *list, const char *command, const struct explain_verdict *v, bool tls)
{
	if (v->level < CONFIG_LEVEL_ENCRYPT || tls)
		add_reply(list, command, 250, "", "as the next hop answers");
	else if (v->identified)
		add_reply(list, command, 550, "5.7.10", EXPLAIN_ENCRYPTION_NEEDED);
	else
		add_reply(list, command, 530, "5.7.0", EXPLAIN_STARTTLS_FIRST);
}

static json_t *asked_for(const struct explain_verdict *v)
{
	switch (v->level) {
	case CONFIG_LEVEL_NONE:
		return json_string("nothing");
	case CONFIG_LEVEL_MAY:
		return json_string("nothing: TLS if the client wants it");
	case CONFIG_LEVEL_ENCRYPT:
		return json_string("TLS before MAIL");
	default:
		return json_string("TLS before MAIL, with a client certificate of this partner");
	}
}

static json_t *next_hops(const struct config *c)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < c->next_hop_count; i++)
		if (c->next_hops[i].side == CONFIG_INSIDE)
			json_array_append_new(
				list, json_pack("{s:s, s:i, s:s}", "name", c->next_hops[i].name,
					      "priority", c->next_hops[i].priority, "level",
					      config_level_name(c->next_hops[i].level)));
	return list;
}

static json_t *explain_json(struct daemon *d, const struct explain_verdict *v, int tls)
{
	json_t *o, *replies = json_array();

	/* Without --tls both ways. */
	if (tls <= 0)
		add_mail(replies, "MAIL in the clear", v, false);
	if (tls != 0)
		add_mail(replies, "MAIL after STARTTLS", v, true);
	o = json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:o, s:b, s:o, s:o}", "partner",
		v->known ? v->partner.name : "", "rule", ipc_rule_name((uint8_t)v->rule), "matched",
		v->matched, "identified", v->identified, "level", config_level_name(v->level),
		"full_level", config_level_name(v->full), "asked_for", asked_for(v), "suspended",
		v->suspended, "replies", replies, "next_hops", next_hops(d->config));
	if (v->known) {
		json_object_set_new(o, "contact", json_string(v->partner.contact));
		if (v->partner.suspended_until > daemon_wall(d))
			json_object_set_new(
				o, "suspended_until", json_integer(v->partner.suspended_until));
	}
	return o;
}

void explain_command(void *daemon, struct api_request *r, const json_t *args)
{
	const char *from = json_string_value(json_object_get(args, "from"));
	const char *client = json_string_value(json_object_get(args, "client"));
	const char *to = json_string_value(json_object_get(args, "to"));
	struct daemon *d = daemon;
	struct explain_verdict v;
	struct address address;
	bool tls = false;
	char domain[512];
	json_t *o;

	if (from == NULL) {
		api_reply_error(r, "bad_request", "explain needs --from (\"<>\": no sender)");
		return;
	}
	if (client != NULL && address_parse(client, &address) < 0) {
		api_reply_error(r, "bad_request", "%s is not an address", value_quote(client));
		return;
	}
	if (!command_arg_flag(r, args, "tls", &tls))
		return;
	domain_of(from, domain, sizeof(domain));
	if (explain_inbound(d->params.store, domain, client ? &address : NULL, daemon_wall(d),
		    d->config->strangers_inbound, &v) < 0) {
		api_reply_error(r, "internal", "%s", store_error(d->params.store));
		return;
	}
	o = explain_json(d, &v, tls ? 1 : -1);
	json_object_set_new(o, "from", json_string(from));
	json_object_set_new(o, "domain", json_string(domain));
	if (to != NULL)
		json_object_set_new(o, "to", json_string(to));
	if (client != NULL)
		json_object_set_new(o, "client", json_string(client));
	if (v.known)
		partner_release(&v.partner);
	api_reply(r, o);
}
