/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/resolver_json.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "control/resolve/level.h"

/* "3 1 1 0123..." as a zone file has it, long data cut. */
static json_t *tlsa_text(const struct destination_tlsa *t)
{
	char text[16 + 2 * 64 + 4];
	int n = snprintf(text, sizeof(text), "%u %u %u ", t->usage, t->selector, t->matching);

	for (size_t i = 0; i < t->len && i < 64; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%02x", t->data[i]);
	if (t->len > 64)
		snprintf(text + n, sizeof(text) - (size_t)n, "...");
	return json_string(text);
}

static json_t *addresses(const struct destination_host *h)
{
	json_t *list = json_array();
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < h->address_count; i++) {
		const struct destination_address *a = &h->addresses[i];

		inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->addr, text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *stranger(const struct destination *d, const struct destination_host *h)
{
	struct level_input in = {.floor = LEVEL_MAY};
	struct level_verdict v;

	level_input_host(&in, d, h);
	v = level_decide(&in);
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "action", level_action_name(v.action),
		"level", v.action == LEVEL_SEND ? level_name(v.level) : "", "rule",
		level_rule_name(v.rule), "names", level_names_name(v.names), "code", v.code);
}

/* Texts of validators and servers may hold anything. */
static json_t *text_of(const char *text)
{
	json_t *s = json_string(text);

	return s != NULL ? s : json_string("(not printable)");
}

static json_t *host(const struct destination *d, const struct destination_host *h)
{
	json_t *o = json_object(), *tlsa = json_array(), *names = json_array();

	for (size_t i = 0; i < h->tlsa_count; i++)
		json_array_append_new(tlsa, tlsa_text(&h->tlsa[i]));
	for (size_t i = 0; i < h->name_count; i++)
		json_array_append_new(names, json_string(h->names[i]));
	json_object_set_new(o, "name", json_string(h->name));
	json_object_set_new(o, "preference", json_integer(h->preference));
	json_object_set_new(o, "status", json_string(host_status_name(h->status)));
	json_object_set_new(o, "addresses", addresses(h));
	json_object_set_new(o, "secure", json_boolean(h->secure));
	json_object_set_new(o, "dane", json_string(dane_status_name(h->dane)));
	json_object_set_new(o, "tlsa_base", json_string(h->tlsa_base));
	json_object_set_new(o, "tlsa", tlsa);
	json_object_set_new(o, "names", names);
	json_object_set_new(o, "sts_match", json_boolean(h->sts_match));
	json_object_set_new(o, "why", text_of(h->why));
	if (h->status == HOST_OK)
		json_object_set_new(o, "stranger", stranger(d, h));
	return o;
}

static json_t *sts(const struct destination_sts *s)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:o}", "mode", sts_mode_name(s->mode), "source",
		sts_source_name(s->source), "id", s->id, "expiry", (json_int_t)s->expiry, "why",
		text_of(s->why));
}

json_t *resolver_json(const struct destination *d)
{
	json_t *o = json_object(), *hosts = json_array();

	for (size_t i = 0; i < d->host_count; i++)
		json_array_append_new(hosts, host(d, &d->hosts[i]));
	json_object_set_new(o, "domain", text_of(d->domain));
	json_object_set_new(o, "status", json_string(destination_status_name(d->status)));
	json_object_set_new(o, "code", json_string(destination_status_code(d->status)));
	json_object_set_new(o, "why", text_of(d->why));
	json_object_set_new(o, "mx_secure", json_boolean(d->mx_secure));
	json_object_set_new(o, "implicit_mx", json_boolean(d->implicit_mx));
	json_object_set_new(o, "resolved", json_integer(d->resolved));
	json_object_set_new(o, "expiry", json_integer(d->expiry));
	json_object_set_new(o, "sts", sts(&d->sts));
	json_object_set_new(o, "hosts", hosts);
	return o;
}
