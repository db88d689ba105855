// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "control/ipc/check.h"

static const char *check_none(const void *msg)
{
	return NULL;
}

static const char *check_result(const void *msg)
{
	const struct ipc_result *m = msg;

	if (m->error < 0 || m->error > 4095)
		return "error is no errno value";
	if (m->request > UINT16_MAX)
		return "request type out of range";
	if (!IPC_TEXT(m->text))
		return "text not one terminated line";
	return NULL;
}

static const char *check_hello(const void *msg)
{
	const struct ipc_hello *m = msg;

	if (m->reserved != 0)
		return "reserved field not zero";
	if (!IPC_TEXT(m->version))
		return "version not one terminated line";
	return NULL;
}

static const char *check_hello_reply(const void *msg)
{
	const struct ipc_hello_reply *m = msg;

	if (m->worker_count == 0 || m->worker_count > IPC_WORKERS_MAX)
		return "worker_count out of range";
	if (m->port_count > IPC_PORTS_MAX)
		return "port_count out of range";
	if (!IPC_TEXT(m->version))
		return "version not one terminated line";
	for (unsigned int i = 0; i < IPC_PORTS_MAX; i++) {
		const struct ipc_port *p = &m->ports[i];

		if (i >= m->port_count) {
			if (!ipc_zero(p, sizeof(*p)))
				return "unused port not zero";
		} else if (!IPC_WORD(p->name) || !IPC_TEXT(p->driver)) {
			return "port name or driver not one terminated line";
		}
	}
	return NULL;
}

static const struct ipc_message_kind session_kinds[] = {
	{IPC_HELLO, IPC_KIND_SERVER, "hello", sizeof(struct ipc_hello), 0, NULL, check_hello},
	{IPC_HELLO | IPC_REPLY, IPC_KIND_CLIENT, "hello", sizeof(struct ipc_hello_reply), 0, NULL,
		check_hello_reply},
	{IPC_RESULT, IPC_KIND_CLIENT, "result", sizeof(struct ipc_result), 0, NULL, check_result},
};

static const struct ipc_message_kind *search(
	const struct ipc_message_kind *kinds, size_t count, uint16_t type)
{
	for (size_t i = 0; i < count; i++) {
		if (kinds[i].type == type)
			return &kinds[i];
	}
	return NULL;
}

static const struct ipc_message_kind *find(uint16_t type)
{
	const struct ipc_message_kind *k =
		search(session_kinds, sizeof(session_kinds) / sizeof(session_kinds[0]), type);

	if (k == NULL)
		k = search(ipc_config_kinds, ipc_config_kind_count, type);
	if (k == NULL)
		k = search(ipc_policy_kinds, ipc_policy_kind_count, type);
	if (k == NULL)
		k = search(ipc_query_kinds, ipc_query_kind_count, type);
	if (k == NULL)
		k = search(ipc_event_kinds, ipc_event_kind_count, type);
	return k;
}

int ipc_check(const void *msg, size_t len, enum ipc_direction dir, const char **why)
{
	const struct ipc_header *h = msg;
	const struct ipc_message_kind *k;
	const char *text = NULL;
	int rc = -EINVAL;

	if ((uintptr_t)msg % 8 != 0) {
		text = "buffer not aligned";
		goto out;
	}
	if (len < sizeof(*h) || len > IPC_MESSAGE_MAX) {
		text = "datagram too short or too long";
		rc = -EMSGSIZE;
		goto out;
	}
	if (h->magic != IPC_MAGIC) {
		text = "not a message of this protocol";
		rc = -EPROTO;
		goto out;
	}
	if (h->version != IPC_VERSION) {
		text = "other protocol version";
		rc = -EPROTO;
		goto out;
	}
	if (h->length != len) {
		text = "length is not the datagram's";
		rc = -EMSGSIZE;
		goto out;
	}
	k = find(h->type);
	if (k == NULL) {
		text = "unknown message type";
		rc = -EBADMSG;
		goto out;
	}
	if ((k->directions & (1u << dir)) == 0) {
		text = "message type not in this direction";
		rc = -EBADMSG;
		goto out;
	}
	if (len < k->size || (k->item == 0 && len != k->size)) {
		text = "length is not the type's";
		rc = -EMSGSIZE;
		goto out;
	}
	/* The count is 32 bits wide at most and a size_t has 64: the product cannot wrap. */
	if (k->item != 0 && len - k->size != k->items(msg) * k->item) {
		text = "length does not match the count";
		rc = -EMSGSIZE;
		goto out;
	}
	if ((h->id == 0) != (h->type == IPC_EVENTS)) {
		/* Only what is pushed has no request. */
		if (h->type != IPC_RESULT) {
			text = "request id";
			goto out;
		}
	}
	text = (k->check != NULL ? k->check : check_none)(msg);
	rc = text == NULL ? 0 : -EINVAL;
out:
	if (why != NULL)
		*why = text;
	return rc;
}

const char *ipc_type_name(uint16_t type)
{
	const struct ipc_message_kind *k = find(type);

	return k == NULL ? NULL : k->name;
}

void ipc_header_init(struct ipc_header *h, uint16_t type, size_t length, uint32_t id)
{
	h->magic = IPC_MAGIC;
	h->version = IPC_VERSION;
	h->type = type;
	h->length = (uint32_t)length;
	h->id = id;
}

bool ipc_string_set(char *field, size_t size, const char *text)
{
	size_t len = strnlen(text, size);
	bool fits = len < size;

	if (!fits)
		len = size - 1;
	memcpy(field, text, len);
	memset(field + len, 0, size - len);
	return fits;
}

bool ipc_host_bits(const struct ipc_prefix *p)
{
	for (unsigned int i = p->plen / 8; i < 16; i++) {
		unsigned int keep = i == p->plen / 8 ? p->plen % 8 : 0;

		if ((p->addr.b[i] & (0xff >> keep)) != 0)
			return true;
	}
	return false;
}
