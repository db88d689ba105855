// SPDX-License-Identifier: BSD-3-Clause
#include "control/ipc/check.h"
#include "control/ipc/config.h"

static const char *check_config_begin(const void *msg)
{
	const struct ipc_config_begin *m = msg;
	const uint32_t seconds[] = {
		m->timeouts.command,
		m->timeouts.body_block,
		m->timeouts.tls_handshake,
		m->timeouts.upstream_connect,
		m->timeouts.upstream_banner,
		m->timeouts.upstream_command,
		m->timeouts.upstream_data,
		m->timeouts.upstream_block,
		m->timeouts.upstream_dot,
		m->timeouts.budget,
		m->timeouts.upstream_idle,
		m->timeouts.health_interval,
		m->timeouts.health_retry,
	};

	if (m->generation == 0)
		return "generation is 0";
	if (!IPC_WORD(m->hostname))
		return "hostname empty or not one terminated line";
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		/* A day: more is a mistake, and keeps products in nanoseconds far from wrapping. */
		if (seconds[i] == 0 || seconds[i] > 86400)
			return "timeout not within 1 s and a day";
	}
	if (m->timeouts.reserved != 0 || m->limits.reserved != 0)
		return "reserved field not zero";
	if (m->limits.max_recipients == 0 || m->limits.max_bad_commands == 0 ||
		m->limits.max_commands_without_mail == 0 || m->limits.max_received == 0)
		return "limit is 0";
	return NULL;
}

static const char *check_policy_begin(const void *msg)
{
	const struct ipc_policy_begin *m = msg;

	return m->generation == 0 ? "generation is 0" : NULL;
}

static const char *check_commit(const void *msg)
{
	const struct ipc_commit *m = msg;

	return m->generation == 0 ? "generation is 0" : NULL;
}

static const char *check_interface(const void *msg)
{
	const struct ipc_interface *m = msg;

	if (m->index >= IPC_INTERFACES_MAX)
		return "too many interfaces";
	if (m->vlan > 4094)
		return "vlan out of range";
	if (m->mtu < 1280 || m->mtu > 9000)
		return "mtu not within 1280 and 9000";
	if (m->side > IPC_INSIDE)
		return "side out of range";
	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	if (!IPC_WORD(m->name) || !IPC_WORD(m->port))
		return "name or port empty or not one terminated line";
	return NULL;
}

static const char *check_address(const void *msg)
{
	const struct ipc_address *m = msg;

	if (m->interface >= IPC_INTERFACES_MAX)
		return "interface out of range";
	if (m->address.plen > 128)
		return "prefix length out of range";
	if (!IPC_RESERVED(m->reserved) || !IPC_RESERVED(m->address.reserved))
		return "reserved field not zero";
	if (ipc_zero(&m->address.addr, sizeof(m->address.addr)))
		return "address is unspecified";
	return NULL;
}

static const char *check_route(const void *msg)
{
	const struct ipc_route *m = msg;

	if (m->interface >= IPC_INTERFACES_MAX)
		return "interface out of range";
	if (m->to.plen > 128)
		return "prefix length out of range";
	if (!IPC_RESERVED(m->reserved) || !IPC_RESERVED(m->to.reserved))
		return "reserved field not zero";
	if (ipc_host_bits(&m->to))
		return "bits beyond the prefix length";
	if (ipc_zero(&m->via, sizeof(m->via)))
		return "gateway is unspecified";
	return NULL;
}

static const char *check_certificate(const void *msg)
{
	const struct ipc_certificate *m = msg;

	if (m->index >= IPC_CERTIFICATES_MAX)
		return "too many certificates";
	if (m->chain_length == 0 || m->chain_length > IPC_PEM_MAX || m->key_length == 0 ||
		m->key_length > IPC_PEM_MAX)
		return "length of chain or key out of range";
	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	if (!IPC_WORD(m->chain_name) || !IPC_WORD(m->key_name))
		return "name empty or not one terminated line";
	return NULL;
}

static const char *check_ca(const void *msg)
{
	const struct ipc_ca *m = msg;

	if (m->index >= IPC_CAS_MAX)
		return "too many CA files";
	if (m->length == 0 || m->length > IPC_PEM_MAX)
		return "length out of range";
	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	if (!IPC_WORD(m->name))
		return "name empty or not one terminated line";
	return NULL;
}

static size_t items_pem_chunk(const void *msg)
{
	return ((const struct ipc_pem_chunk *)msg)->size;
}

static const char *check_pem_chunk(const void *msg)
{
	const struct ipc_pem_chunk *m = msg;

	if (m->kind >= IPC_PEM_KINDS)
		return "kind out of range";
	if (m->index >= (m->kind == IPC_PEM_CA ? IPC_CAS_MAX : IPC_CERTIFICATES_MAX))
		return "index out of range";
	if (m->size == 0 || m->size > IPC_PEM_CHUNK_MAX)
		return "size out of range";
	if (m->offset > IPC_PEM_MAX || m->size > IPC_PEM_MAX - m->offset)
		return "offset out of range";
	if (!IPC_RESERVED(m->reserved) || !IPC_RESERVED(m->reserved2))
		return "reserved field not zero";
	return NULL;
}

static const char *check_listener(const void *msg)
{
	const struct ipc_listener *m = msg;

	if (m->side > IPC_INSIDE)
		return "side out of range";
	if (!IPC_BOOL(m->starttls))
		return "starttls out of range";
	if (m->port == 0)
		return "port is 0";
	if (m->certificate_count > IPC_LISTENER_CERTIFICATES_MAX)
		return "too many certificates";
	if (m->starttls && m->certificate_count == 0)
		return "starttls without a certificate";
	for (unsigned int i = 0; i < IPC_LISTENER_CERTIFICATES_MAX; i++) {
		if (m->certificates[i] >= IPC_CERTIFICATES_MAX ||
			(i >= m->certificate_count && m->certificates[i] != 0))
			return "certificate out of range";
	}
	if (!IPC_RESERVED(m->reserved))
		return "reserved field not zero";
	return NULL;
}

static const char *check_next_hop(const void *msg)
{
	const struct ipc_next_hop *m = msg;

	if (m->port == 0)
		return "port is 0";
	if (m->level != IPC_LEVEL_NONE && m->level != IPC_LEVEL_MAY &&
		m->level != IPC_LEVEL_ENCRYPT && m->level != IPC_LEVEL_VERIFY)
		return "level is not none, may, encrypt or verify";
	if (m->ca != IPC_NO_CA && m->ca >= IPC_CAS_MAX)
		return "ca out of range";
	if (m->level == IPC_LEVEL_VERIFY && m->ca == IPC_NO_CA)
		return "level verify without a ca";
	if (m->side > IPC_INSIDE)
		return "no such side";
	if (!IPC_RESERVED(m->reserved2))
		return "reserved field not zero";
	if (ipc_zero(&m->address, sizeof(m->address)))
		return "address is unspecified";
	if (!IPC_WORD(m->name))
		return "name empty or not one terminated line";
	return NULL;
}

#define ITEM(type, name, check)                                                         \
	{                                                                               \
		type, IPC_KIND_SERVER, #name, sizeof(struct ipc_##name), 0, NULL, check \
	}

const struct ipc_message_kind ipc_config_kinds[] = {
	ITEM(IPC_CONFIG_BEGIN, config_begin, check_config_begin),
	ITEM(IPC_POLICY_BEGIN, policy_begin, check_policy_begin),
	ITEM(IPC_COMMIT, commit, check_commit),
	ITEM(IPC_ABORT, abort, NULL),
	ITEM(IPC_INTERFACE, interface, check_interface),
	ITEM(IPC_ADDRESS, address, check_address),
	ITEM(IPC_ROUTE, route, check_route),
	ITEM(IPC_CERTIFICATE, certificate, check_certificate),
	ITEM(IPC_CA, ca, check_ca),
	{IPC_PEM_CHUNK, IPC_KIND_SERVER, "pem_chunk", sizeof(struct ipc_pem_chunk), 1,
		items_pem_chunk, check_pem_chunk},
	ITEM(IPC_LISTENER, listener, check_listener),
	ITEM(IPC_NEXT_HOP, next_hop, check_next_hop),
};
const size_t ipc_config_kind_count = sizeof(ipc_config_kinds) / sizeof(ipc_config_kinds[0]);
