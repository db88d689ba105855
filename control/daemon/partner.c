/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/partner.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/value.h"

/* A prefix shorter than these covers more than any one organisation has. */
#define PREFIX_MIN_V4 (96 + 8)
#define PREFIX_MIN_V6 16

__attribute__((format(printf, 2, 3))) static int fail(char *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err, PARTNER_ERROR_MAX, fmt, args);
	va_end(args);
	return -EINVAL;
}

int partner_init(struct partner *p)
{
	*p = (struct partner){.inbound = CONFIG_LEVEL_ENCRYPT};
	p->contact = strdup("");
	p->notes = strdup("");
	if (p->contact != NULL && p->notes != NULL)
		return 0;
	partner_release(p);
	return -ENOMEM;
}

void partner_release(struct partner *p)
{
	partner_clear_domains(p);
	partner_clear_addresses(p);
	free(p->contact);
	free(p->notes);
	*p = (struct partner){0};
}

int partner_set_name(struct partner *p, const char *name, char *err)
{
	int rc = value_name(name, PARTNER_NAME_MAX - 1, err, PARTNER_ERROR_MAX);

	if (rc == 0)
		snprintf(p->name, sizeof(p->name), "%s", name);
	return rc;
}

/* Lists longer than this are searched by their index: one partner may have a million domains. */
#define INDEX_MIN 32

static uint64_t domain_hash(const char *domain)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *domain != '\0'; domain++)
		h = (h ^ (uint8_t)*domain) * 0x100000001b3u;
	return h ^ h >> 32;
}

static void index_insert(struct partner *p, size_t position)
{
	size_t at = domain_hash(p->domains[position]) & (p->domain_index_size - 1);

	while (p->domain_index[at] != 0)
		at = (at + 1) & (p->domain_index_size - 1);
	p->domain_index[at] = (uint32_t)position + 1;
}

/* Room for one more at half load. -ENOMEM. */
static int index_grow(struct partner *p)
{
	size_t size = p->domain_index_size ? p->domain_index_size : 2 * INDEX_MIN;
	uint32_t *index;

	if (p->domain_index != NULL && (p->domain_count + 1) * 2 <= p->domain_index_size)
		return 0;
	while (size < (p->domain_count + 1) * 2)
		size *= 2;
	index = calloc(size, sizeof(*index));
	if (index == NULL)
		return -ENOMEM;
	free(p->domain_index);
	p->domain_index = index;
	p->domain_index_size = size;
	for (size_t i = 0; i < p->domain_count; i++)
		index_insert(p, i);
	return 0;
}

static bool has_domain(const struct partner *p, const char *domain)
{
	if (p->domain_index == NULL) {
		for (size_t i = 0; i < p->domain_count; i++)
			if (strcmp(p->domains[i], domain) == 0)
				return true;
		return false;
	}
	for (size_t at = domain_hash(domain);; at++) {
		uint32_t n = p->domain_index[at & (p->domain_index_size - 1)];

		if (n == 0)
			return false;
		if (strcmp(p->domains[n - 1], domain) == 0)
			return true;
	}
}

int partner_append_domain(struct partner *p, const char *domain)
{
	size_t n = p->domain_count;
	char *copy = strdup(domain), **list;

	if (copy == NULL)
		return -ENOMEM;
	/* Twice the room at each power of two. */
	if ((n & (n - 1)) == 0) {
		list = reallocarray(p->domains, n ? 2 * n : 1, sizeof(*list));
		if (list == NULL) {
			free(copy);
			return -ENOMEM;
		}
		p->domains = list;
	}
	p->domains[p->domain_count++] = copy;
	if (p->domain_index != NULL)
		index_insert(p, n);
	return 0;
}

int partner_add_domain(struct partner *p, const char *domain, char *err)
{
	char form[CONFIG_DOMAIN_MAX + 2];
	size_t len = strlen(domain);
	const char *name;

	if (len > 1 && domain[len - 1] == '.')
		len--;
	if (len >= sizeof(form))
		return fail(err, "%s is not a domain name", value_quote(domain));
	for (size_t i = 0; i < len; i++)
		form[i] = (char)tolower((unsigned char)domain[i]);
	form[len] = '\0';
	name = strncmp(form, "*.", 2) == 0 ? form + 2 : form;
	if (strchr(name, '*') != NULL)
		return fail(err, "%s: \"*\" stands for whole labels in front only (*.example.net)",
			value_quote(domain));
	if (value_domain(name, err, PARTNER_ERROR_MAX) < 0)
		return -EINVAL;
	if (has_domain(p, form))
		return 0;
	if (p->domain_count >= INDEX_MIN && index_grow(p) < 0)
		return -ENOMEM;
	return partner_append_domain(p, form);
}

int partner_add_address(struct partner *p, const char *text, char *err)
{
	char form[PREFIX_TEXT_MAX];
	struct prefix prefix, *list;

	if (prefix_parse(text, &prefix) < 0)
		return fail(err, "%s is not an address or prefix such as 192.0.2.0/24",
			value_quote(text));
	if (prefix_has_host_bits(&prefix)) {
		for (unsigned int bit = prefix.len; bit < 128; bit++)
			prefix.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		prefix_format(&prefix, form);
		return fail(err, "%s has bits set beyond its prefix length: %s is meant, perhaps",
			value_quote(text), form);
	}
	if (prefix.len < (address_is_v4(&prefix.addr) ? PREFIX_MIN_V4 : PREFIX_MIN_V6))
		return fail(err, "%s is too wide for one partner (IPv4 /8, IPv6 /%d at most)",
			value_quote(text), PREFIX_MIN_V6);
	for (size_t i = 0; i < p->address_count; i++)
		if (prefix_equal(&p->addresses[i], &prefix))
			return 0;
	list = reallocarray(p->addresses, p->address_count + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	p->addresses = list;
	list[p->address_count++] = prefix;
	return 0;
}

int partner_set_level(struct partner *p, const char *level, char *err)
{
	static const struct value_word levels[] = {{"none", CONFIG_LEVEL_NONE},
		{"may", CONFIG_LEVEL_MAY}, {"encrypt", CONFIG_LEVEL_ENCRYPT}, {NULL, 0}};
	int value, rc;

	rc = value_word(level, levels, &value, err, PARTNER_ERROR_MAX);
	if (rc == 0)
		p->inbound = (enum config_level)value;
	return rc;
}

/* One line of UTF-8 (jansson lets nothing else in). */
static int set_text(char **field, const char *what, const char *text, size_t max, char *err)
{
	char *copy;

	if (strlen(text) >= max)
		return fail(err, "%s has more than %zu octets", what, max - 1);
	for (const char *c = text; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			return fail(err, "%s has a control character", what);
	copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

int partner_set_contact(struct partner *p, const char *contact, char *err)
{
	return set_text(&p->contact, "contact", contact, PARTNER_CONTACT_MAX, err);
}

int partner_set_notes(struct partner *p, const char *notes, char *err)
{
	return set_text(&p->notes, "notes", notes, PARTNER_NOTES_MAX, err);
}

void partner_clear_domains(struct partner *p)
{
	for (size_t i = 0; i < p->domain_count; i++)
		free(p->domains[i]);
	free(p->domains);
	free(p->domain_index);
	p->domains = NULL;
	p->domain_index = NULL;
	p->domain_count = p->domain_index_size = 0;
}

void partner_clear_addresses(struct partner *p)
{
	free(p->addresses);
	p->addresses = NULL;
	p->address_count = 0;
}

int partner_check(const struct partner *p, char *err)
{
	if (p->name[0] == '\0')
		return fail(err, "a partner needs a name");
	if (p->domain_count == 0 && p->address_count == 0)
		return fail(err, "partner %s needs at least one domain or address to be known by",
			p->name);
	return 0;
}

static int apply_list(struct partner *p, const char *key, const json_t *list,
	int (*add)(struct partner *, const char *, char *), char *err)
{
	size_t i;
	json_t *entry;
	int rc;

	if (!json_is_array(list))
		return fail(err, "%s must be a list", key);
	json_array_foreach(list, i, entry)
	{
		if (!json_is_string(entry))
			return fail(err, "%s must be a list of strings", key);
		rc = add(p, json_string_value(entry), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int partner_apply(struct partner *p, const json_t *fields, char *err)
{
	static const struct {
		const char *key;
		int (*set)(struct partner *, const char *, char *);
		int (*add)(struct partner *, const char *, char *);
		void (*clear)(struct partner *);
	} table[] = {
		{"domain", NULL, partner_add_domain, partner_clear_domains},
		{"address", NULL, partner_add_address, partner_clear_addresses},
		{"inbound", partner_set_level, NULL, NULL},
		{"contact", partner_set_contact, NULL, NULL},
		{"notes", partner_set_notes, NULL, NULL},
	};
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)fields, key, value)
	{
		size_t i, n = sizeof(table) / sizeof(table[0]);
		int rc;

		for (i = 0; i < n && strcmp(table[i].key, key) != 0; i++)
			;
		if (i == n)
			return fail(err,
				"%s is not a field of a partner (domain, address, inbound, "
				"contact, "
				"notes)",
				value_quote(key));
		if (table[i].set != NULL) {
			if (!json_is_string(value))
				return fail(err, "%s must be a string", key);
			rc = table[i].set(p, json_string_value(value), err);
		} else {
			table[i].clear(p);
			rc = apply_list(p, key, value, table[i].add, err);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

json_t *partner_to_json(const struct partner *p)
{
	json_t *domains = json_array(), *addresses = json_array();
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < p->domain_count; i++)
		json_array_append_new(domains, json_string(p->domains[i]));
	for (size_t i = 0; i < p->address_count; i++) {
		prefix_format(&p->addresses[i], text);
		json_array_append_new(addresses, json_string(text));
	}
	return json_pack("{s:i, s:s, s:o, s:o, s:s, s:s, s:s, s:I, s:I}", "id", (int)p->id, "name",
		p->name, "domain", domains, "address", addresses, "inbound",
		config_level_name(p->inbound), "contact", p->contact, "notes", p->notes, "created",
		(json_int_t)p->created, "changed", (json_int_t)p->changed);
}
