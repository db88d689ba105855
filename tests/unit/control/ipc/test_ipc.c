// SPDX-License-Identifier: BSD-3-Clause
/* ipc_check(): what is well-formed passes, and each way of being wrong is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "control/ipc/config.h"
#include "control/ipc/event.h"
#include "control/ipc/policy.h"
#include "control/ipc/query.h"

static _Alignas(8) uint8_t buffer[IPC_MESSAGE_MAX + 64];

static void *begin(void)
{
	memset(buffer, 0, sizeof(buffer));
	return buffer;
}

static int check(uint16_t type, size_t len, enum ipc_direction dir)
{
	const char *why = NULL;
	int rc;

	ipc_header_init((struct ipc_header *)buffer, type, len, type == IPC_EVENTS ? 0 : 7);
	rc = ipc_check(buffer, len, dir, &why);
	assert_int_equal(rc == 0, why == NULL);
	return rc;
}

static struct ipc_partner_set *partner_set(void)
{
	struct ipc_partner_set *m = begin();

	m->id = 3;
	m->inbound = IPC_LEVEL_ENCRYPT;
	ipc_string_set(m->name, sizeof(m->name), "example");
	return m;
}

static void test_header(void **state)
{
	struct ipc_partner_set *m = partner_set();
	size_t len = sizeof(*m);

	assert_int_equal(check(IPC_PARTNER_SET, len, IPC_TO_DATAPLANE), 0);
	assert_int_equal(check(IPC_PARTNER_SET, len, IPC_TO_CLIENT), -EBADMSG);
	assert_int_equal(check(IPC_PARTNER_SET | IPC_REPLY, len, IPC_TO_DATAPLANE), -EBADMSG);
	assert_int_equal(check(0x7123, len, IPC_TO_DATAPLANE), -EBADMSG);
	assert_int_equal(check(IPC_PARTNER_SET, len - 1, IPC_TO_DATAPLANE), -EMSGSIZE);
	assert_int_equal(check(IPC_PARTNER_SET, len + 8, IPC_TO_DATAPLANE), -EMSGSIZE);
	assert_int_equal(check(IPC_PARTNER_SET, 15, IPC_TO_DATAPLANE), -EMSGSIZE);
	assert_int_equal(check(IPC_PARTNER_SET, 0, IPC_TO_DATAPLANE), -EMSGSIZE);

	ipc_header_init(&m->header, IPC_PARTNER_SET, len, 7);
	assert_int_equal(ipc_check(buffer, len - 4, IPC_TO_DATAPLANE, NULL), -EMSGSIZE);
	assert_int_equal(ipc_check(buffer + 1, len, IPC_TO_DATAPLANE, NULL), -EINVAL);
	m->header.version++;
	assert_int_equal(ipc_check(buffer, len, IPC_TO_DATAPLANE, NULL), -EPROTO);
	m->header.version--;
	m->header.magic ^= 1;
	assert_int_equal(ipc_check(buffer, len, IPC_TO_DATAPLANE, NULL), -EPROTO);
	m->header.magic ^= 1;
	m->header.id = 0;
	assert_int_equal(ipc_check(buffer, len, IPC_TO_DATAPLANE, NULL), -EINVAL);
	m->header.id = 1;
	assert_int_equal(ipc_check(buffer, len, IPC_TO_DATAPLANE, NULL), 0);
}

static void test_strings(void **state)
{
	struct ipc_partner_set *m = partner_set();
	size_t len = sizeof(*m);

	memset(m->name, 'a', sizeof(m->name));
	assert_int_equal(check(IPC_PARTNER_SET, len, IPC_TO_DATAPLANE), -EINVAL);
	m->name[sizeof(m->name) - 1] = '\0';
	assert_int_equal(check(IPC_PARTNER_SET, len, IPC_TO_DATAPLANE), 0);
	m->name[3] = '\n'; /* would forge a log line */
	assert_int_equal(check(IPC_PARTNER_SET, len, IPC_TO_DATAPLANE), -EINVAL);
	m->name[0] = '\0';
	assert_int_equal(check(IPC_PARTNER_SET, len, IPC_TO_DATAPLANE), -EINVAL);

	char field[4] = {1, 1, 1, 1};
	assert_true(ipc_string_set(field, sizeof(field), "abc"));
	assert_false(ipc_string_set(field, sizeof(field), "abcd"));
	assert_memory_equal(field, "abc", 4);
	assert_true(ipc_string_set(field, sizeof(field), "x"));
	assert_memory_equal(field, "x\0\0", 4);
}

static void test_partner(void **state)
{
	struct ipc_partner_set *m = partner_set();
	size_t len = sizeof(*m);

	m->inbound = IPC_LEVEL_VERIFY; /* needs what an inbound leg does not have yet */
	assert_int_equal(check(IPC_PARTNER_SET, len, IPC_TO_DATAPLANE), -EINVAL);
	m->inbound = 200;
	assert_int_equal(check(IPC_PARTNER_SET, len, IPC_TO_DATAPLANE), -EINVAL);
	m->inbound = IPC_LEVEL_NONE;
	m->id = 0;
	assert_int_equal(check(IPC_PARTNER_SET, len, IPC_TO_DATAPLANE), -EINVAL);
	m->id = 1;
	m->reserved[2] = 1;
	assert_int_equal(check(IPC_PARTNER_SET, len, IPC_TO_DATAPLANE), -EINVAL);
}

static int domains(const char *const *list)
{
	struct ipc_partner_domains *m = begin();

	m->id = 1;
	for (; *list != NULL; list++)
		assert_int_equal(ipc_partner_domains_add(m, *list, strlen(*list)), 0);
	return check(IPC_PARTNER_DOMAINS, sizeof(*m) + m->size, IPC_TO_DATAPLANE);
}

static void test_domains(void **state)
{
	char longest[254], label[65];

	assert_int_equal(
		domains((const char *const[]){"example.org", "*.example.org", "a", NULL}), 0);
	assert_int_equal(domains((const char *const[]){"b\xc3\xbc"
						       "cher.example",
				 NULL}),
		0);
	assert_int_equal(domains((const char *const[]){NULL}), -EINVAL);
	const char *const wrong[] = {".", "a..b", "a.", ".a", "*", "*.", "a.*.b", "**.a", "a b",
		"a\tb", "*.*.a", "a\x7f"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(
			domains((const char *const[]){"ok.example", wrong[i], NULL}), -EINVAL);

	memset(label, 'l', 64);
	label[64] = '\0';
	assert_int_equal(domains((const char *const[]){label, NULL}), -EINVAL);
	label[63] = '\0';
	assert_int_equal(domains((const char *const[]){label, NULL}), 0);

	for (int i = 0; i < 253; i++)
		longest[i] = i % 2 == 0 ? 'a' : '.';
	longest[253] = '\0';
	assert_int_equal(domains((const char *const[]){longest, NULL}), 0);
	char starred[256] = "*.";
	strcat(starred, longest);
	assert_int_equal(domains((const char *const[]){starred, NULL}), 0);
	strcpy(starred, longest);
	strcat(starred, ".a");
	assert_int_equal(domains((const char *const[]){starred, NULL}), -EINVAL);
}

static void test_domains_list(void **state)
{
	struct ipc_partner_domains *m = begin();
	unsigned int added = 0, seen = 0;
	uint32_t cursor = 0;
	const char *d;
	size_t len;

	m->id = 1;
	while (ipc_partner_domains_add(m, "some-domain.example", 19) == 0)
		added++;
	assert_int_equal(added, IPC_PARTNER_DOMAINS_MAX / 20);
	assert_int_equal(check(IPC_PARTNER_DOMAINS, sizeof(*m) + m->size, IPC_TO_DATAPLANE), 0);
	while (ipc_partner_domains_next(m, &cursor, &d, &len)) {
		assert_int_equal(len, 19);
		assert_memory_equal(d, "some-domain.example", 19);
		seen++;
	}
	assert_int_equal(seen, added);

	/* A last entry that claims more than is there, and a count that is not the list's. */
	m->data[m->size - 20] = 21;
	assert_int_equal(
		check(IPC_PARTNER_DOMAINS, sizeof(*m) + m->size, IPC_TO_DATAPLANE), -EINVAL);
	m->data[m->size - 20] = 19;
	m->count--;
	assert_int_equal(
		check(IPC_PARTNER_DOMAINS, sizeof(*m) + m->size, IPC_TO_DATAPLANE), -EINVAL);
	m->count++;
	m->data[0] = 0;
	assert_int_equal(
		check(IPC_PARTNER_DOMAINS, sizeof(*m) + m->size, IPC_TO_DATAPLANE), -EINVAL);
	assert_int_equal(ipc_partner_domains_add(m, "", 0), -EINVAL);
}

static void test_prefixes(void **state)
{
	struct ipc_partner_prefixes *m = begin();
	size_t len = sizeof(*m) + 2 * sizeof(m->prefixes[0]);

	m->id = 1;
	m->count = 2;
	m->prefixes[0] = (struct ipc_prefix){.addr.b = {0x20, 1, 0x0d, 0xb8}, .plen = 29};
	m->prefixes[1].plen = 0;
	assert_int_equal(check(IPC_PARTNER_PREFIXES, len, IPC_TO_DATAPLANE), 0);
	m->prefixes[0].plen = 28; /* 0xb8 has a bit behind 28 */
	assert_int_equal(check(IPC_PARTNER_PREFIXES, len, IPC_TO_DATAPLANE), -EINVAL);
	m->prefixes[0].plen = 129;
	assert_int_equal(check(IPC_PARTNER_PREFIXES, len, IPC_TO_DATAPLANE), -EINVAL);
	m->prefixes[0].plen = 128;
	assert_int_equal(check(IPC_PARTNER_PREFIXES, len, IPC_TO_DATAPLANE), 0);
	m->prefixes[0].addr.b[15] = 1;
	assert_int_equal(check(IPC_PARTNER_PREFIXES, len, IPC_TO_DATAPLANE), 0);
	m->prefixes[0].plen = 127;
	assert_int_equal(check(IPC_PARTNER_PREFIXES, len, IPC_TO_DATAPLANE), -EINVAL);
	m->prefixes[0].plen = 128;
	m->count = 3;
	assert_int_equal(check(IPC_PARTNER_PREFIXES, len, IPC_TO_DATAPLANE), -EMSGSIZE);
	m->count = UINT16_MAX;
	assert_int_equal(check(IPC_PARTNER_PREFIXES, len, IPC_TO_DATAPLANE), -EMSGSIZE);
}

static void test_pem_chunk(void **state)
{
	struct ipc_pem_chunk *m = begin();

	m->kind = IPC_PEM_KEY;
	m->size = IPC_PEM_CHUNK_MAX;
	assert_int_equal(check(IPC_PEM_CHUNK, sizeof(*m) + m->size, IPC_TO_DATAPLANE), 0);
	assert_int_equal(
		check(IPC_PEM_CHUNK, sizeof(*m) + m->size - 1, IPC_TO_DATAPLANE), -EMSGSIZE);
	m->offset = IPC_PEM_MAX - m->size;
	assert_int_equal(check(IPC_PEM_CHUNK, sizeof(*m) + m->size, IPC_TO_DATAPLANE), 0);
	m->offset++;
	assert_int_equal(check(IPC_PEM_CHUNK, sizeof(*m) + m->size, IPC_TO_DATAPLANE), -EINVAL);
	m->offset = UINT32_MAX - 3;
	assert_int_equal(check(IPC_PEM_CHUNK, sizeof(*m) + m->size, IPC_TO_DATAPLANE), -EINVAL);
	m->offset = 0;
	m->kind = IPC_PEM_KINDS;
	assert_int_equal(check(IPC_PEM_CHUNK, sizeof(*m) + m->size, IPC_TO_DATAPLANE), -EINVAL);
	m->kind = IPC_PEM_CA;
	m->size = 0;
	assert_int_equal(check(IPC_PEM_CHUNK, sizeof(*m), IPC_TO_DATAPLANE), -EINVAL);
	m->size = UINT32_MAX;
	assert_int_equal(check(IPC_PEM_CHUNK, sizeof(*m), IPC_TO_DATAPLANE), -EMSGSIZE);
}

static void test_config(void **state)
{
	struct ipc_config_begin *m = begin();
	uint32_t *seconds = (uint32_t *)&m->timeouts;

	m->generation = 1;
	for (int i = 0; i < 13; i++)
		seconds[i] = 10;
	m->limits.max_recipients = m->limits.max_bad_commands = m->limits.max_received = 1;
	m->limits.max_commands_without_mail = 1;
	ipc_string_set(m->hostname, sizeof(m->hostname), "mx.example.org");
	assert_int_equal(check(IPC_CONFIG_BEGIN, sizeof(*m), IPC_TO_DATAPLANE), 0);
	for (int i = 0; i < 13; i++) {
		seconds[i] = 0;
		assert_int_equal(check(IPC_CONFIG_BEGIN, sizeof(*m), IPC_TO_DATAPLANE), -EINVAL);
		seconds[i] = UINT32_MAX;
		assert_int_equal(check(IPC_CONFIG_BEGIN, sizeof(*m), IPC_TO_DATAPLANE), -EINVAL);
		seconds[i] = 10;
	}
	seconds[13] = 1; /* reserved */
	assert_int_equal(check(IPC_CONFIG_BEGIN, sizeof(*m), IPC_TO_DATAPLANE), -EINVAL);
	seconds[13] = 0;
	m->limits.max_received = 0;
	assert_int_equal(check(IPC_CONFIG_BEGIN, sizeof(*m), IPC_TO_DATAPLANE), -EINVAL);
}

static void test_listener_next_hop(void **state)
{
	struct ipc_listener *l = begin();

	l->port = 25;
	assert_int_equal(check(IPC_LISTENER, sizeof(*l), IPC_TO_DATAPLANE), 0);
	l->starttls = 1;
	assert_int_equal(check(IPC_LISTENER, sizeof(*l), IPC_TO_DATAPLANE), -EINVAL);
	l->certificate_count = 2;
	l->certificates[1] = 3;
	assert_int_equal(check(IPC_LISTENER, sizeof(*l), IPC_TO_DATAPLANE), 0);
	l->certificates[2] = 1;
	assert_int_equal(check(IPC_LISTENER, sizeof(*l), IPC_TO_DATAPLANE), -EINVAL);
	l->certificates[2] = 0;
	l->starttls = 2;
	assert_int_equal(check(IPC_LISTENER, sizeof(*l), IPC_TO_DATAPLANE), -EINVAL);

	struct ipc_next_hop *n = begin();
	n->port = 25;
	n->ca = IPC_NO_CA;
	n->address.b[15] = 1;
	ipc_string_set(n->name, sizeof(n->name), "mx1");
	for (unsigned int level = 0; level < 256; level++) {
		bool good = level == IPC_LEVEL_NONE || level == IPC_LEVEL_MAY ||
			    level == IPC_LEVEL_ENCRYPT;

		n->level = (uint8_t)level;
		assert_int_equal(
			check(IPC_NEXT_HOP, sizeof(*n), IPC_TO_DATAPLANE), good ? 0 : -EINVAL);
	}
	n->level = IPC_LEVEL_VERIFY;
	n->ca = 0;
	assert_int_equal(check(IPC_NEXT_HOP, sizeof(*n), IPC_TO_DATAPLANE), 0);
	n->ca = IPC_CAS_MAX;
	assert_int_equal(check(IPC_NEXT_HOP, sizeof(*n), IPC_TO_DATAPLANE), -EINVAL);
}

static void test_events(void **state)
{
	struct ipc_events *m = begin();
	size_t len;

	assert_true(IPC_EVENTS_PAGE >= 32);
	m->count = IPC_EVENTS_PAGE;
	len = sizeof(*m) + m->count * sizeof(m->events[0]);
	assert_int_equal(check(IPC_EVENTS, len, IPC_TO_CLIENT), 0);
	assert_int_equal(check(IPC_EVENTS, len, IPC_TO_DATAPLANE), -EBADMSG);
	m->events[m->count - 1].outcome = IPC_OUTCOMES;
	assert_int_equal(check(IPC_EVENTS, len, IPC_TO_CLIENT), -EINVAL);
	m->events[m->count - 1].outcome = 0;
	memset(m->events[m->count - 1].text, 'x', sizeof(m->events[0].text));
	assert_int_equal(check(IPC_EVENTS, len, IPC_TO_CLIENT), -EINVAL);
	m->count = 0;
	assert_int_equal(check(IPC_EVENTS, sizeof(*m), IPC_TO_CLIENT), -EINVAL);
}

static void test_hello(void **state)
{
	struct ipc_hello_reply *m = begin();

	m->worker_count = 2;
	m->port_count = 1;
	ipc_string_set(m->ports[0].name, sizeof(m->ports[0].name), "net_tap0");
	assert_int_equal(check(IPC_HELLO | IPC_REPLY, sizeof(*m), IPC_TO_CLIENT), 0);
	assert_string_equal(ipc_type_name(IPC_HELLO | IPC_REPLY), "hello");
	assert_null(ipc_type_name(0x7123));
	m->port_count = 0; /* port 0 is then not zero */
	assert_int_equal(check(IPC_HELLO | IPC_REPLY, sizeof(*m), IPC_TO_CLIENT), -EINVAL);
	m->port_count = IPC_PORTS_MAX + 1;
	assert_int_equal(check(IPC_HELLO | IPC_REPLY, sizeof(*m), IPC_TO_CLIENT), -EINVAL);
	m->port_count = 2; /* the second has no name */
	assert_int_equal(check(IPC_HELLO | IPC_REPLY, sizeof(*m), IPC_TO_CLIENT), -EINVAL);
}

static void test_names(void **state)
{
	for (uint8_t i = 0; i < IPC_LEVELS; i++)
		assert_string_not_equal(ipc_level_name(i), "invalid");
	for (uint8_t i = 0; i < IPC_OUTCOMES; i++)
		assert_string_not_equal(ipc_outcome_name(i), "invalid");
	for (uint8_t i = 0; i < IPC_RULES; i++)
		assert_string_not_equal(ipc_rule_name(i), "invalid");
	assert_string_equal(ipc_level_name(IPC_LEVELS), "invalid");
	assert_string_equal(ipc_side_name(255), "invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_partner),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_domains_list),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_pem_chunk),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_listener_next_hop),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
