/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every message of a transaction passes the protocol's own check; together they say what the
 * configuration and the store say.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/daemon/push.h"
#include "tests/unit/control/daemon/fixture.h"

static union push_message m;

static struct config *load(const char *yaml)
{
	struct config_errors errors = {0};
	struct config *config;
	char *text = fixture_expand(yaml);

	if (config_parse("x", text, strlen(text), &config, &errors) < 0)
		fail_msg("%s", errors.text);
	free(text);
	return config;
}

/* The next message, of this type. */
static void expect(struct push *p, uint16_t type)
{
	const char *why;

	assert_int_equal(push_next(p, &m), 1);
	m.header.id = 7;
	if (ipc_check(m.room, m.header.length, IPC_TO_DATAPLANE, &why) < 0)
		fail_msg("%s: %s", ipc_type_name(m.header.type), why);
	if (m.header.type != type)
		fail_msg("%s in place of %s", ipc_type_name(m.header.type), ipc_type_name(type));
}

/* A PEM file in as many chunks as it takes. */
static void expect_pem(
	struct push *p, uint16_t index, uint8_t kind, const char *data, size_t len, int chunks)
{
	const struct ipc_pem_chunk *chunk = (const struct ipc_pem_chunk *)m.room;
	size_t at = 0;

	for (int i = 0; i < chunks; i++) {
		expect(p, IPC_PEM_CHUNK);
		assert_int_equal(chunk->index, index);
		assert_int_equal(chunk->kind, kind);
		assert_int_equal(chunk->offset, at);
		assert_true(at + chunk->size <= len);
		assert_memory_equal(chunk->data, data + at, chunk->size);
		at += chunk->size;
	}
	assert_int_equal(at, len);
}

static void put(struct store *s, const char *name, const char *first, unsigned int domains,
	unsigned int addresses)
{
	char text[64], err[PARTNER_ERROR_MAX];
	struct partner p;

	assert_int_equal(partner_init(&p), 0);
	assert_int_equal(partner_set_name(&p, name, err), 0);
	for (unsigned int i = 0; i < domains; i++) {
		snprintf(text, sizeof(text), "%s%u.example", first, i);
		assert_int_equal(partner_add_domain(&p, text, err), 0);
	}
	for (unsigned int i = 0; i < addresses; i++) {
		snprintf(text, sizeof(text), "2001:db8:%x:%x::/64", i, domains);
		assert_int_equal(partner_add_address(&p, text, err), 0);
	}
	if (store_partner_put(s, &p) < 0)
		fail_msg("%s", store_error(s));
	partner_release(&p);
}

/* How many domains and messages there are for the partner that was just announced. */
static unsigned int expect_domains(struct push *p, uint32_t id, unsigned int total)
{
	const struct ipc_partner_domains *d = (const struct ipc_partner_domains *)m.room;
	unsigned int count = 0, messages = 0;
	const char *domain;
	size_t len;

	while (count < total) {
		uint32_t cursor = 0;

		expect(p, IPC_PARTNER_DOMAINS);
		assert_int_equal(d->id, id);
		messages++;
		while (ipc_partner_domains_next(d, &cursor, &domain, &len)) {
			char want[64];

			snprintf(want, sizeof(want), "big%u.example", count);
			if (total > 2)
				assert_int_equal(strlen(want), len);
			count++;
		}
	}
	assert_int_equal(count, total);
	return messages;
}

static void test_full(void **state)
{
	const struct ipc_config_begin *begin = (const struct ipc_config_begin *)m.room;
	const struct ipc_interface *iface = (const struct ipc_interface *)m.room;
	const struct ipc_address *address = (const struct ipc_address *)m.room;
	const struct ipc_route *route = (const struct ipc_route *)m.room;
	const struct ipc_certificate *cert = (const struct ipc_certificate *)m.room;
	const struct ipc_listener *listener = (const struct ipc_listener *)m.room;
	const struct ipc_next_hop *hop = (const struct ipc_next_hop *)m.room;
	const struct ipc_partner_set *set = (const struct ipc_partner_set *)m.room;
	const struct ipc_partner_prefixes *prefixes = (const struct ipc_partner_prefixes *)m.room;
	struct config *config;
	char path[128], *yaml, err[STORE_ERROR_MAX], *at;
	struct store *store;
	struct push *p;
	uint32_t id;

	/* With a chain that needs more than one message. */
	yaml = strdup(fixture_config);
	at = strstr(yaml, "chain.pem");
	memcpy(at, "long.pem ", 9);
	config = load(yaml);
	free(yaml);
	snprintf(path, sizeof(path), "%s/db", fixture_dir);
	assert_int_equal(store_open(path, &store, err), 0);
	put(store, "big", "big", 3000, 1400);
	put(store, "small", "s", 1, 0);
	assert_int_equal(push_create_full(config, store, 42, &p), 0);

	expect(p, IPC_CONFIG_BEGIN);
	assert_int_equal(begin->generation, 42);
	assert_string_equal(begin->hostname, "mx.example.net");
	assert_int_equal(begin->timeouts.upstream_dot, 600);
	assert_int_equal(begin->limits.max_message_size, 50 << 20);
	expect(p, IPC_INTERFACE);
	assert_int_equal(iface->index, 0);
	assert_string_equal(iface->port, "net_tap0");
	assert_int_equal(iface->side, IPC_OUTSIDE);
	expect(p, IPC_ADDRESS);
	assert_int_equal(address->address.plen, 120);
	expect(p, IPC_ADDRESS);
	assert_int_equal(address->address.plen, 64);
	expect(p, IPC_INTERFACE);
	assert_int_equal(iface->index, 1);
	assert_int_equal(iface->vlan, 7);
	expect(p, IPC_ADDRESS);
	assert_int_equal(address->interface, 1);
	expect(p, IPC_ROUTE);
	assert_int_equal(route->interface, 0);
	assert_int_equal(route->to.plen, 96);
	expect(p, IPC_ROUTE);
	assert_int_equal(route->interface, 1);
	expect(p, IPC_CERTIFICATE);
	assert_int_equal(cert->chain_length, config->certificates[0].chain.len);
	assert_int_equal(cert->key_length, config->certificates[0].key.len);
	expect_pem(p, 0, IPC_PEM_CHAIN, config->certificates[0].chain.data,
		config->certificates[0].chain.len, 3);
	expect_pem(p, 0, IPC_PEM_KEY, config->certificates[0].key.data,
		config->certificates[0].key.len, 1);
	expect(p, IPC_CA);
	expect_pem(p, 0, IPC_PEM_CA, config->next_hops[0].ca.data, config->next_hops[0].ca.len, 1);
	expect(p, IPC_LISTENER);
	assert_int_equal(listener->port, 25);
	assert_int_equal(listener->starttls, 1);
	assert_int_equal(listener->certificate_count, 1);
	assert_int_equal(listener->keepalive_idle_ms, 90000);
	expect(p, IPC_NEXT_HOP);
	assert_string_equal(hop->name, "a.example.net");
	assert_int_equal(hop->level, IPC_LEVEL_VERIFY);
	assert_int_equal(hop->ca, 0);
	expect(p, IPC_NEXT_HOP);
	assert_string_equal(hop->name, "b.example.net");
	assert_int_equal(hop->priority, 20);
	assert_int_equal(hop->ca, IPC_NO_CA);
	expect(p, IPC_DEFAULTS);
	expect(p, IPC_PARTNER_RESET);
	expect(p, IPC_PARTNER_SET);
	assert_string_equal(set->name, "big");
	assert_int_equal(set->inbound, IPC_LEVEL_ENCRYPT);
	assert_int_equal(set->domain_count, 3000);
	assert_int_equal(set->prefix_count, 1400);
	id = set->id;
	assert_int_equal(expect_domains(p, id, 3000), 2);
	expect(p, IPC_PARTNER_PREFIXES);
	assert_int_equal(prefixes->count, IPC_PARTNER_PREFIXES_MAX);
	expect(p, IPC_PARTNER_PREFIXES);
	assert_int_equal(prefixes->count, 1400 - IPC_PARTNER_PREFIXES_MAX);
	expect(p, IPC_PARTNER_SET);
	assert_string_equal(set->name, "small");
	assert_int_equal(set->prefix_count, 0);
	assert_int_equal(expect_domains(p, set->id, 1), 1);
	expect(p, IPC_COMMIT);
	assert_int_equal(((const struct ipc_commit *)m.room)->generation, 42);
	assert_int_equal(push_next(p, &m), 0);
	assert_int_equal(push_next(p, &m), 0);
	push_destroy(p);

	/* The configuration alone. */
	assert_int_equal(push_create_full(config, NULL, 43, &p), 0);
	do
		assert_int_equal(push_next(p, &m), 1);
	while (m.header.type != IPC_DEFAULTS);
	expect(p, IPC_COMMIT);
	assert_int_equal(push_next(p, &m), 0);
	push_destroy(p);

	/* Given up in the middle: nothing leaks (ASan). */
	assert_int_equal(push_create_full(config, store, 43, &p), 0);
	for (int i = 0; i < 24; i++)
		assert_int_equal(push_next(p, &m), 1);
	push_destroy(p);
	store_close(store);
	config_free(config);
	unlink(path);
}

static void test_partner(void **state)
{
	const struct ipc_partner_delete *gone = (const struct ipc_partner_delete *)m.room;
	char err[PARTNER_ERROR_MAX];
	struct partner partner;
	struct push *p;

	assert_int_equal(partner_init(&partner), 0);
	assert_int_equal(partner_set_name(&partner, "one", err), 0);
	assert_int_equal(partner_add_address(&partner, "192.0.2.0/24", err), 0);
	partner.id = 9;
	assert_int_equal(push_create_partner(&partner, 5, &p), 0);
	assert_int_equal(push_generation(p), 5);
	expect(p, IPC_POLICY_BEGIN);
	expect(p, IPC_PARTNER_SET);
	expect(p, IPC_PARTNER_PREFIXES);
	expect(p, IPC_COMMIT);
	assert_int_equal(push_next(p, &m), 0);
	push_destroy(p);
	partner_release(&partner);

	assert_int_equal(push_create_delete(9, 6, &p), 0);
	expect(p, IPC_POLICY_BEGIN);
	expect(p, IPC_PARTNER_DELETE);
	assert_int_equal(gone->id, 9);
	expect(p, IPC_COMMIT);
	assert_int_equal(push_next(p, &m), 0);
	push_destroy(p);
}

static int setup(void **state)
{
	fixture_create();
	return 0;
}

static int teardown(void **state)
{
	fixture_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_partner),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
