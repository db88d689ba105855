/* SPDX-License-Identifier: BSD-3-Clause */
/* What `explain` says and what the dataplane does are the same: both are asked, on random sets. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <urcu-qsbr.h>

#include "control/daemon/explain.h"
#include "dataplane/gateway/reply.h"
#include "dataplane/policy/map_write.h"
#include "tests/unit/control/daemon/world.h"

#define ROUNDS    12
#define PARTNERS  14
#define QUESTIONS 1500
#define NOW       1000

static const char *const names[] = {"example", "a.example", "b.a.example", "c.b.a.example",
	"d.example", "x.d.example", "y.x.d.example", "other.test", "a.other.test", "test"};
static const char *const prefixes[] = {"192.0.2.0/24", "192.0.2.128/25", "192.0.2.200/32",
	"198.51.0.0/16", "198.51.100.0/24", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::7/128",
	"2000::/16", "10.0.0.0/8"};
static const char *const clients[] = {"192.0.2.1", "192.0.2.129", "192.0.2.200", "198.51.100.9",
	"198.51.7.9", "203.0.113.1", "2001:db8::1", "2001:db8:1::7", "2001:db8:1::8", "2000::1",
	"::1", "10.1.2.3"};
#define N(a) (sizeof(a) / sizeof((a)[0]))

static unsigned int seed = 1;

static unsigned int pick(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

static void finish(struct policy_txn *txn)
{
	char err[256];

	assert_int_equal(policy_txn_prepare(txn, 1000000, err, sizeof(err)), 0);
	policy_txn_publish(txn);
	while (policy_txn_clean(txn, 1000000) != POLICY_STEP_DONE)
		synchronize_rcu();
}

/* One partner with what is free of names and prefixes, into both. */
static void add_partner(struct policy_txn *txn, unsigned int n, bool *taken, bool *taken_prefix)
{
	enum config_level level = (enum config_level)pick(3);
	char err[PARTNER_ERROR_MAX], name[16], domain[64];
	struct partner p;

	snprintf(name, sizeof(name), "p%u", n);
	assert_int_equal(partner_init(&p), 0);
	assert_int_equal(partner_set_name(&p, name, err), 0);
	assert_int_equal(partner_set_level(&p, config_level_name(level), err), 0);
	for (unsigned int i = 0; i < 2 * N(names); i++) {
		if (taken[i] || pick(5) != 0)
			continue;
		taken[i] = true;
		snprintf(domain, sizeof(domain), "%s%s", i % 2 ? "*." : "", names[i / 2]);
		if (partner_add_domain(&p, domain, err) < 0)
			fail_msg("%s", err);
	}
	for (unsigned int i = 0; i < N(prefixes); i++) {
		if (taken_prefix[i] || pick(4) != 0)
			continue;
		taken_prefix[i] = true;
		if (partner_add_address(&p, prefixes[i], err) < 0)
			fail_msg("%s", err);
	}
	if (p.domain_count + p.address_count > 0) {
		assert_int_equal(store_partner_put(store, &p), 0);
		assert_int_equal(policy_txn_set(txn, p.id, name, (enum policy_level)level), 0);
		if (pick(2)) {
			struct store_suspension v = {.scope = "inbound",
				.reason = "",
				.ticket = "",
				.owner = "",
				.expires = NOW - 2 + (int)pick(5)};

			assert_int_equal(store_suspension_put(store, p.id, &v), 0);
			assert_int_equal(policy_txn_suspend(txn, p.id, (uint64_t)v.expires), 0);
		}
		for (size_t i = 0; i < p.domain_count; i++)
			assert_int_equal(policy_txn_add_domain(
						 txn, p.id, p.domains[i], strlen(p.domains[i])),
				0);
		for (size_t i = 0; i < p.address_count; i++) {
			struct ip_addr a;

			memcpy(a.b, p.addresses[i].addr.b, sizeof(a.b));
			assert_int_equal(
				policy_txn_add_prefix(txn, p.id, &a, p.addresses[i].len), 0);
		}
	}
	partner_release(&p);
}

static void compare(
	struct policy_map *map, const char *domain, const char *client, enum config_level strangers)
{
	struct policy_verdict want;
	struct explain_verdict got;
	struct address address;
	struct ip_addr a;

	assert_int_equal(address_parse(client, &address), 0);
	memcpy(a.b, address.b, sizeof(a.b));
	policy_inbound(map, domain, strlen(domain), &a, NOW, &want);
	assert_int_equal(explain_inbound(store, domain, &address, NOW, strangers, &got), 0);
	if ((int)want.level != (int)got.level || (int)want.rule != (int)got.rule ||
		want.identified != got.identified || want.suspended != got.suspended ||
		want.partner_id != got.partner.id ||
		strcmp(want.partner, got.known ? got.partner.name : "") != 0)
		fail_msg("<%s> from %s: dataplane %s %s %s identified %d suspended %d, explain %s "
			 "%s %s identified %d suspended %d",
			domain, client, want.partner, policy_rule_name(want.rule),
			policy_level_name(want.level), want.identified, want.suspended,
			got.known ? got.partner.name : "", ipc_rule_name((uint8_t)got.rule),
			config_level_name(got.level), got.identified, got.suspended);
	if (got.known)
		partner_release(&got.partner);
}

static void test_same_rules(void **state)
{
	static const char *const fronts[] = {"", "sub.", "A.", "x.y.", "."};
	struct policy_map *map;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		bool taken[2 * N(names)] = {0}, taken_prefix[N(prefixes)] = {0};
		enum config_level strangers = (enum config_level)pick(2);
		struct policy_txn *txn;
		struct partner p;

		while (store_partner_next(store, 0, &p) == 0) {
			assert_int_equal(store_partner_delete(store, p.id), 0);
			partner_release(&p);
		}
		assert_int_equal(policy_map_create(&map), 0);
		assert_int_equal(policy_txn_begin(map, round + 1, &txn), 0);
		policy_txn_defaults(txn, (enum policy_level)strangers);
		for (unsigned int n = 0; n < PARTNERS; n++)
			add_partner(txn, n, taken, taken_prefix);
		finish(txn);
		for (unsigned int i = 0; i < QUESTIONS; i++) {
			char domain[128];

			snprintf(domain, sizeof(domain), "%s%s%s", fronts[pick(N(fronts))],
				names[pick(N(names))], pick(8) == 0 ? "." : "");
			if (pick(20) == 0)
				domain[0] = '\0';
			compare(map, domain, clients[pick(N(clients))], strangers);
		}
		policy_map_destroy(map);
	}
}

static json_t *explain(const char *args)
{
	char request[300];

	snprintf(request, sizeof(request), "{\"command\": \"explain\", \"args\": %s}", args);
	return call(request);
}

static void expect(const char *args, const char *partner, const char *level, int clear, int tls)
{
	json_t *answer = explain(args), *o = result_of(answer), *replies;

	assert_string_equal(json_string_value(json_object_get(o, "partner")), partner);
	assert_string_equal(json_string_value(json_object_get(o, "level")), level);
	replies = json_object_get(o, "replies");
	assert_int_equal(json_array_size(replies), clear ? 2 : 1);
	if (clear)
		assert_int_equal(
			json_integer_value(json_object_get(json_array_get(replies, 0), "code")),
			clear);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(replies, clear ? 1 : 0), "code")),
		tls);
	json_decref(answer);
}

static void test_command(void **state)
{
	json_t *answer;

	assert_string_equal(EXPLAIN_STARTTLS_FIRST, REPLY_STARTTLS_FIRST);
	assert_string_equal(EXPLAIN_ENCRYPTION_NEEDED, REPLY_ENCRYPTION_NEEDED);
	assert_changed(call("{\"command\": \"partner-set\", \"args\": {\"name\": \"bank\", "
			    "\"fields\": {\"domain\": [\"bank.example\"], \"address\": "
			    "[\"192.0.2.0/24\"]}}}"),
		false);
	expect("{\"from\": \"<a@BANK.example>\"}", "bank", "encrypt", 530, 250);
	expect("{\"from\": \"bank.example\", \"client\": \"192.0.2.9\"}", "bank", "encrypt", 550,
		250);
	expect("{\"from\": \"a@bank.example\", \"tls\": true}", "bank", "encrypt", 0, 250);
	expect("{\"from\": \"<>\"}", "", "may", 250, 250);
	expect("{\"from\": \"\", \"client\": \"192.0.2.9\"}", "bank", "encrypt", 550, 250);
	expect("{\"from\": \"a@x.example\", \"client\": \"203.0.113.1\"}", "", "may", 250, 250);
	assert_error(explain("{\"from\": \"x\", \"client\": \"y\"}"), "bad_request",
		"y is not an address");
	assert_error(explain("{}"), "bad_request", "needs --from");
	json_decref(call("{\"command\": \"suspend\", \"args\": {\"name\": \"bank\", \"scope\": "
			 "\"inbound\", \"for\": \"1h\", \"reason\": \"x\"}}"));
	answer = explain("{\"from\": \"a@bank.example\"}");
	assert_true(json_is_true(json_object_get(result_of(answer), "suspended")));
	assert_string_equal(
		json_string_value(json_object_get(result_of(answer), "full_level")), "encrypt");
	assert_int_equal(json_integer_value(json_object_get(result_of(answer), "suspended_until")),
		world_wall + 3600);
	json_decref(answer);
	expect("{\"from\": \"a@bank.example\"}", "bank", "may", 250, 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_rules, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_command, world_setup, world_teardown),
	};
	int rc;

	signal(SIGPIPE, SIG_IGN);
	rcu_register_thread();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return rc;
}
