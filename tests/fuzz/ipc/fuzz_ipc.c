// SPDX-License-Identifier: BSD-3-Clause
/*
 * ipc_check() on any octets. What it accepts must be safe to use as the handlers use it: lists stay
 * inside, strings end, a copy of exactly the message's length can be read without the rest.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/ipc/config.h"
#include "control/ipc/event.h"
#include "control/ipc/policy.h"
#include "control/ipc/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t total; /* keeps the reads alive */

static void use(const void *msg, size_t len, uint16_t type)
{
	switch (type) {
	case IPC_PARTNER_DOMAINS: {
		const struct ipc_partner_domains *m = msg;
		uint32_t cursor = 0;
		unsigned int n = 0;
		const char *d;
		size_t dlen;

		while (ipc_partner_domains_next(m, &cursor, &d, &dlen)) {
			assert(dlen > 0 && dlen <= IPC_DOMAIN_MAX + 2);
			assert((const uint8_t *)d + dlen <= (const uint8_t *)msg + len);
			for (size_t i = 0; i < dlen; i++)
				total += (uint8_t)d[i];
			n++;
		}
		assert(n == m->count);
		break;
	}
	case IPC_PARTNER_PREFIXES: {
		const struct ipc_partner_prefixes *m = msg;

		for (unsigned int i = 0; i < m->count; i++)
			assert(m->prefixes[i].plen <= 128);
		break;
	}
	case IPC_PEM_CHUNK: {
		const struct ipc_pem_chunk *m = msg;

		assert(m->offset + m->size <= IPC_PEM_MAX);
		assert(m->data + m->size == (const uint8_t *)msg + len);
		break;
	}
	case IPC_LISTENER: {
		const struct ipc_listener *m = msg;

		for (unsigned int i = 0; i < m->certificate_count; i++)
			assert(m->certificates[i] < IPC_CERTIFICATES_MAX);
		break;
	}
	case IPC_NEXT_HOP:
		total += strlen(((const struct ipc_next_hop *)msg)->name);
		break;
	case IPC_EVENTS: {
		const struct ipc_events *m = msg;

		for (unsigned int i = 0; i < m->count; i++) {
			total += strlen(m->events[i].text) + strlen(m->events[i].sender);
			total += strlen(ipc_outcome_name(m->events[i].outcome));
		}
		break;
	}
	case IPC_SESSIONS | IPC_REPLY: {
		const struct ipc_sessions_reply *m = msg;

		for (unsigned int i = 0; i < m->count; i++)
			total += strlen(m->sessions[i].helo) + strlen(m->sessions[i].state);
		break;
	}
	case IPC_COUNTER_NAMES | IPC_REPLY: {
		const struct ipc_counter_names_reply *m = msg;

		for (unsigned int i = 0; i < m->count; i++)
			total += strlen(m->names[i]);
		break;
	}
	case IPC_HELLO | IPC_REPLY: {
		const struct ipc_hello_reply *m = msg;

		for (unsigned int i = 0; i < m->port_count; i++)
			total += strlen(m->ports[i].name);
		break;
	}
	}
}

/* An exact heap copy, so that ASan sees a read past the end. */
static void one(const uint8_t *data, size_t size, bool repair)
{
	struct ipc_header *h;
	void *copy;

	if (size == 0 || size > IPC_MESSAGE_MAX)
		return;
	copy = malloc(size);
	assert(copy != NULL);
	memcpy(copy, data, size);
	h = copy;
	if (repair && size >= sizeof(*h))
		ipc_header_init(h, h->type, size, h->type == IPC_EVENTS ? 0 : 1);
	for (int dir = IPC_TO_DATAPLANE; dir <= IPC_TO_CLIENT; dir++) {
		const char *why = NULL;
		int rc = ipc_check(copy, size, (enum ipc_direction)dir, &why);

		assert((rc == 0) == (why == NULL));
		if (rc == 0) {
			assert(h->length == size);
			assert(ipc_type_name(h->type) != NULL);
			use(copy, size, h->type);
		}
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	one(data, size, false);
	one(data, size, true);
	return 0;
}
