// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "control/ipc/check.h"
#include "control/ipc/policy.h"

/* What a leg of a client can be asked for without a client certificate. */
static bool inbound_level(uint8_t level)
{
	return level <= IPC_LEVEL_ENCRYPT;
}

static const char *check_defaults(const void *msg)
{
	const struct ipc_defaults *m = msg;

	if (!inbound_level(m->inbound))
		return "inbound level is not none, may or encrypt";
	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	return NULL;
}

static const char *check_partner_set(const void *msg)
{
	const struct ipc_partner_set *m = msg;

	if (m->id == 0)
		return "id is 0";
	if (!inbound_level(m->inbound))
		return "inbound level is not none, may or encrypt";
	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	if (!IPC_WORD(m->name))
		return "name empty or not one terminated line";
	return NULL;
}

static size_t items_domains(const void *msg)
{
	return ((const struct ipc_partner_domains *)msg)->size;
}

/* "*." may be the whole first label. Octets above ASCII may come: a U-label (RFC 5890) is compared
 * as it is written, never converted. */
static const char *check_domain(const uint8_t *d, size_t len)
{
	size_t label = 0, i = 0;

	if (len > 2 && d[0] == '*' && d[1] == '.')
		i = 2;
	if (len - i == 0 || len - i > IPC_DOMAIN_MAX)
		return "domain length out of range";
	for (; i < len; i++) {
		if (d[i] == '.') {
			if (label == 0)
				return "domain with an empty label";
			label = 0;
			continue;
		}
		if (d[i] <= 0x20 || d[i] == 0x7f || d[i] == '*')
			return "octet in a domain";
		if (++label > 63)
			return "label longer than 63 octets";
	}
	return label == 0 ? "domain with an empty label" : NULL;
}

static const char *check_partner_domains(const void *msg)
{
	const struct ipc_partner_domains *m = msg;
	uint32_t at = 0, count = 0;

	if (m->id == 0)
		return "id is 0";
	if (m->count == 0)
		return "count is 0";
	while (at < m->size) {
		size_t len = m->data[at++];
		const char *text;

		if (len > m->size - at)
			return "domain runs over the end";
		text = check_domain(&m->data[at], len);
		if (text != NULL)
			return text;
		at += len;
		count++;
	}
	return count == m->count ? NULL : "count is not the number of domains";
}

static size_t items_prefixes(const void *msg)
{
	return ((const struct ipc_partner_prefixes *)msg)->count;
}

static const char *check_partner_prefixes(const void *msg)
{
	const struct ipc_partner_prefixes *m = msg;

	if (m->id == 0)
		return "id is 0";
	if (m->count == 0)
		return "count is 0";
	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	for (unsigned int i = 0; i < m->count; i++) {
		if (m->prefixes[i].plen > 128)
			return "prefix length out of range";
		if (!IPC_RESERVED(m->prefixes[i].reserved))
			return "reserved field not zero";
		if (ipc_host_bits(&m->prefixes[i]))
			return "bits beyond the prefix length";
	}
	return NULL;
}

static const char *check_partner_delete(const void *msg)
{
	const struct ipc_partner_delete *m = msg;

	if (m->id == 0)
		return "id is 0";
	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	return NULL;
}

const struct ipc_message_kind ipc_policy_kinds[] = {
	{IPC_DEFAULTS, IPC_KIND_SERVER, "defaults", sizeof(struct ipc_defaults), 0, NULL,
		check_defaults},
	{IPC_PARTNER_RESET, IPC_KIND_SERVER, "partner_reset", sizeof(struct ipc_partner_reset), 0,
		NULL, NULL},
	{IPC_PARTNER_SET, IPC_KIND_SERVER, "partner_set", sizeof(struct ipc_partner_set), 0, NULL,
		check_partner_set},
	{IPC_PARTNER_DOMAINS, IPC_KIND_SERVER, "partner_domains",
		sizeof(struct ipc_partner_domains), 1, items_domains, check_partner_domains},
	{IPC_PARTNER_PREFIXES, IPC_KIND_SERVER, "partner_prefixes",
		sizeof(struct ipc_partner_prefixes), sizeof(struct ipc_prefix), items_prefixes,
		check_partner_prefixes},
	{IPC_PARTNER_DELETE, IPC_KIND_SERVER, "partner_delete", sizeof(struct ipc_partner_delete),
		0, NULL, check_partner_delete},
};
const size_t ipc_policy_kind_count = sizeof(ipc_policy_kinds) / sizeof(ipc_policy_kinds[0]);

bool ipc_partner_domains_next(
	const struct ipc_partner_domains *msg, uint32_t *cursor, const char **domain, size_t *len)
{
	if (*cursor >= msg->size)
		return false;
	*len = msg->data[*cursor];
	*domain = (const char *)&msg->data[*cursor + 1];
	*cursor += 1 + (uint32_t)*len;
	return true;
}

int ipc_partner_domains_add(struct ipc_partner_domains *msg, const char *domain, size_t len)
{
	if (len == 0 || len > UINT8_MAX)
		return -EINVAL;
	if (msg->count == UINT16_MAX || 1 + len > IPC_PARTNER_DOMAINS_MAX - msg->size)
		return -ENOSPC;
	msg->data[msg->size] = (uint8_t)len;
	memcpy(&msg->data[msg->size + 1], domain, len);
	msg->size += (uint16_t)(1 + len);
	msg->count++;
	return 0;
}
