// SPDX-License-Identifier: BSD-3-Clause
/* The policy map: who wins, what is atomic, what is refused, and that nothing is left behind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu-qsbr.h>

#include "dataplane/policy/map_write.h"

static struct policy_map *map;
static uint64_t generation;

static int setup(void **state)
{
	generation = 0;
	return policy_map_create(&map);
}

static int teardown(void **state)
{
	policy_map_destroy(map);
	return 0;
}

static struct policy_txn *begin(void)
{
	struct policy_txn *txn = NULL;

	assert_int_equal(policy_txn_begin(map, ++generation, &txn), 0);
	return txn;
}

/* Small budgets, so that every phase is interrupted. */
static void clean(struct policy_txn *txn)
{
	enum policy_step step;
	unsigned int graces = 0;

	while ((step = policy_txn_clean(txn, 2)) != POLICY_STEP_DONE) {
		if (step == POLICY_STEP_GRACE) {
			synchronize_rcu();
			graces++;
		}
	}
	assert_true(graces >= 1);
}

static int prepare(struct policy_txn *txn, char *err, size_t size)
{
	int rc;

	while ((rc = policy_txn_prepare(txn, 2, err, size)) == -EAGAIN)
		;
	return rc;
}

static void commit(struct policy_txn *txn)
{
	char err[256] = "";

	assert_int_equal(prepare(txn, err, sizeof(err)), 0);
	policy_txn_publish(txn);
	clean(txn);
}

static struct ip_addr addr(const char *text)
{
	struct ip_addr a = {0};
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return ip_addr_from_v4(v4);
	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static void domain(struct policy_txn *txn, uint32_t id, const char *d)
{
	assert_int_equal(policy_txn_add_domain(txn, id, d, strlen(d)), 0);
}

static int prefix(struct policy_txn *txn, uint32_t id, const char *text)
{
	char copy[64];
	char *slash;
	struct ip_addr a;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	*slash = '\0';
	a = addr(copy);
	return policy_txn_add_prefix(
		txn, id, &a, (unsigned int)atoi(slash + 1) + (ip_addr_is_v4(&a) ? 96 : 0));
}

static struct policy_verdict ask(const char *d, const char *client)
{
	struct policy_verdict v;
	struct ip_addr a = addr(client);

	memset(&v, 0xa5, sizeof(v));
	policy_inbound(map, d, strlen(d), &a, 1000, &v);
	return v;
}

static void expect(const char *d, const char *client, uint32_t id, enum policy_rule rule)
{
	struct policy_verdict v = ask(d, client);

	if (v.partner_id != id || v.rule != rule)
		print_message("%s %s: partner %u rule %s\n", d, client, v.partner_id,
			policy_rule_name(v.rule));
	assert_int_equal(v.partner_id, id);
	assert_int_equal(v.rule, rule);
}

#define NOBODY "203.0.113.9"

static void test_empty(void **state)
{
	struct policy_verdict v = ask("example.org", NOBODY);
	struct policy_txn *txn;

	assert_int_equal(v.level, POLICY_MAY);
	assert_int_equal(v.rule, POLICY_RULE_DEFAULT);
	assert_int_equal(v.partner_id, 0);
	assert_string_equal(v.partner, "");
	assert_int_equal(v.generation, 0);
	txn = begin();
	policy_txn_defaults(txn, POLICY_ENCRYPT);
	assert_int_equal(ask("example.org", NOBODY).level, POLICY_MAY);
	commit(txn);
	v = ask("example.org", NOBODY);
	assert_int_equal(v.level, POLICY_ENCRYPT);
	assert_int_equal(v.generation, 1);
}

static void test_domains(void **state)
{
	struct policy_txn *txn = begin();
	char name[300];

	assert_int_equal(policy_txn_set(txn, 1, "one", POLICY_ENCRYPT), 0);
	domain(txn, 1, "Example.ORG.");
	domain(txn, 1, "*.Example.org");
	assert_int_equal(policy_txn_set(txn, 2, "two", POLICY_NONE), 0);
	domain(txn, 2, "*.deep.example.org");
	domain(txn, 2, "mail.example.org");
	assert_int_equal(policy_txn_set(txn, 3, "three", POLICY_MAY), 0);
	domain(txn, 3, "*.org");
	domain(txn, 3,
		"b\xc3\xbc"
		"cher.example");
	domain(txn, 3, "single");
	commit(txn);

	expect("example.org", NOBODY, 1, POLICY_RULE_DOMAIN);
	expect("EXAMPLE.oRg", NOBODY, 1, POLICY_RULE_DOMAIN);
	expect("example.org.", NOBODY, 1, POLICY_RULE_DOMAIN);
	expect("a.example.org", NOBODY, 1, POLICY_RULE_DOMAIN_WILDCARD);
	expect("A.B.C.example.org", NOBODY, 1, POLICY_RULE_DOMAIN_WILDCARD);
	/* Exact beats wildcard, the longer wildcard beats the shorter, even at a weaker level. */
	expect("mail.example.org", NOBODY, 2, POLICY_RULE_DOMAIN);
	expect("x.mail.example.org", NOBODY, 1, POLICY_RULE_DOMAIN_WILDCARD);
	expect("x.deep.example.org", NOBODY, 2, POLICY_RULE_DOMAIN_WILDCARD);
	/* A wildcard is not itself; the next one up is. */
	expect("deep.example.org", NOBODY, 1, POLICY_RULE_DOMAIN_WILDCARD);
	expect("example2.org", NOBODY, 3, POLICY_RULE_DOMAIN_WILDCARD);
	expect("org", NOBODY, 0, POLICY_RULE_DEFAULT);
	expect("notexample.orgx", NOBODY, 0, POLICY_RULE_DEFAULT);
	expect("single", NOBODY, 3, POLICY_RULE_DOMAIN);
	expect("x.single", NOBODY, 0, POLICY_RULE_DEFAULT);
	expect("b\xc3\xbc"
	       "cher.example",
		NOBODY, 3, POLICY_RULE_DOMAIN);
	expect("b\xc3\x9c"
	       "cher.example",
		NOBODY, 0, POLICY_RULE_DEFAULT);
	/* What is no domain matches none. */
	expect("", NOBODY, 0, POLICY_RULE_DEFAULT);
	expect(".", NOBODY, 0, POLICY_RULE_DEFAULT);
	expect(".example.org", NOBODY, 0, POLICY_RULE_DEFAULT);
	expect("a..example.org", NOBODY, 0, POLICY_RULE_DEFAULT);
	expect("example.org..", NOBODY, 0, POLICY_RULE_DEFAULT);
	expect("[203.0.113.9]", NOBODY, 0, POLICY_RULE_DEFAULT);
	expect("*.example.org", NOBODY, 1, POLICY_RULE_DOMAIN_WILDCARD);

	/* 127 labels are a domain; 254 octets are none. */
	for (int i = 0; i < 121; i++)
		memcpy(name + 2 * i, "a.", 2);
	strcpy(name + 242, "example.org");
	assert_int_equal(strlen(name), 253);
	expect(name, NOBODY, 1, POLICY_RULE_DOMAIN_WILDCARD);
	memmove(name + 1, name, 254);
	name[0] = 'b';
	expect(name, NOBODY, 0, POLICY_RULE_DEFAULT);
	for (int i = 0; i < 128; i++)
		memcpy(name + 2 * i, "a.", 3);
	expect(name, NOBODY, 0, POLICY_RULE_DEFAULT);
}

static void test_prefixes(void **state)
{
	struct policy_txn *txn = begin();

	policy_txn_defaults(txn, POLICY_NONE);
	assert_int_equal(policy_txn_set(txn, 1, "one", POLICY_ENCRYPT), 0);
	assert_int_equal(prefix(txn, 1, "10.0.0.0/8"), 0);
	assert_int_equal(prefix(txn, 1, "::/0"), 0);
	assert_int_equal(policy_txn_set(txn, 2, "two", POLICY_NONE), 0);
	assert_int_equal(prefix(txn, 2, "10.1.0.0/16"), 0);
	assert_int_equal(prefix(txn, 2, "10.1.2.3/32"), 0);
	assert_int_equal(prefix(txn, 2, "2001:db8::/29"), 0);
	assert_int_equal(prefix(txn, 2, "2001:db8:1:2:3:4:5:6/128"), 0);
	assert_int_equal(policy_txn_set(txn, 3, "three", POLICY_MAY), 0);
	assert_int_equal(prefix(txn, 3, "2001:db8::/64"), 0);
	assert_int_equal(prefix(txn, 3, "10.128.0.0/9"), 0);
	domain(txn, 1, "example.org");
	commit(txn);

	expect("", "10.200.0.1", 3, POLICY_RULE_ADDRESS);
	expect("", "10.2.0.1", 1, POLICY_RULE_ADDRESS);
	expect("", "10.1.0.1", 2, POLICY_RULE_ADDRESS);
	expect("", "10.1.2.3", 2, POLICY_RULE_ADDRESS);
	expect("", "10.127.255.255", 1, POLICY_RULE_ADDRESS);
	/* ::/0 is every IPv6 client, and no IPv4 one. */
	expect("", "11.0.0.0", 0, POLICY_RULE_DEFAULT);
	expect("", "2001:db7:ffff::1", 1, POLICY_RULE_ADDRESS);
	expect("", "2001:db8::1", 3, POLICY_RULE_ADDRESS);
	expect("", "2001:db8:0:1::1", 2, POLICY_RULE_ADDRESS);
	expect("", "2001:dbf:ffff::1", 2, POLICY_RULE_ADDRESS);
	expect("", "2001:dc0::1", 1, POLICY_RULE_ADDRESS);
	expect("", "2001:db8:1:2:3:4:5:6", 2, POLICY_RULE_ADDRESS);
	/* The longest match is another partner's, and still the address is one of partner 1's. */
	assert_true(ask("example.org", "10.1.0.1").identified);
	assert_int_equal(ask("example.org", "10.1.0.1").partner_id, 1);
	assert_true(ask("example.org", "10.2.0.1").identified);
	assert_false(ask("example.org", "11.0.0.1").identified);
	assert_false(ask("", "11.0.0.1").identified);
}

static void test_stronger(void **state)
{
	struct policy_txn *txn = begin();
	struct policy_verdict v;

	assert_int_equal(policy_txn_set(txn, 1, "weak", POLICY_NONE), 0);
	domain(txn, 1, "weak.example");
	assert_int_equal(prefix(txn, 1, "192.0.2.0/25"), 0);
	assert_int_equal(policy_txn_set(txn, 2, "strong", POLICY_ENCRYPT), 0);
	domain(txn, 2, "strong.example");
	assert_int_equal(prefix(txn, 2, "192.0.2.128/25"), 0);
	assert_int_equal(policy_txn_set(txn, 3, "equal", POLICY_ENCRYPT), 0);
	domain(txn, 3, "equal.example");
	commit(txn);

	v = ask("weak.example", "192.0.2.200");
	assert_int_equal(v.level, POLICY_ENCRYPT);
	assert_int_equal(v.rule, POLICY_RULE_ADDRESS);
	assert_string_equal(v.partner, "strong");
	assert_true(v.identified);
	v = ask("strong.example", "192.0.2.1");
	assert_int_equal(v.level, POLICY_ENCRYPT);
	assert_int_equal(v.rule, POLICY_RULE_DOMAIN);
	assert_string_equal(v.partner, "strong");
	assert_false(v.identified);
	v = ask("equal.example", "192.0.2.200");
	assert_string_equal(v.partner, "equal");
	assert_int_equal(v.rule, POLICY_RULE_DOMAIN);
	assert_false(v.identified);
	/* A partner at `none` is below the strangers' `may`: its own record counts. */
	assert_int_equal(ask("weak.example", "192.0.2.1").level, POLICY_NONE);
}

static void test_change_is_atomic(void **state)
{
	struct policy_txn *txn = begin();
	char err[256];

	assert_int_equal(policy_txn_set(txn, 1, "one", POLICY_NONE), 0);
	domain(txn, 1, "keep.example");
	domain(txn, 1, "gone.example");
	domain(txn, 1, "moves.example");
	assert_int_equal(prefix(txn, 1, "192.0.2.0/24"), 0);
	commit(txn);

	txn = begin();
	assert_int_equal(policy_txn_set(txn, 1, "one-new", POLICY_ENCRYPT), 0);
	domain(txn, 1, "keep.example");
	domain(txn, 1, "new.example");
	domain(txn, 1, "new.example");
	assert_int_equal(policy_txn_set(txn, 2, "two", POLICY_MAY), 0);
	domain(txn, 2, "moves.example");
	assert_int_equal(prepare(txn, err, sizeof(err)), 0);
	/* Everything is in the tables and nothing is visible. */
	expect("keep.example", NOBODY, 1, POLICY_RULE_DOMAIN);
	expect("gone.example", NOBODY, 1, POLICY_RULE_DOMAIN);
	expect("moves.example", NOBODY, 1, POLICY_RULE_DOMAIN);
	expect("new.example", NOBODY, 0, POLICY_RULE_DEFAULT);
	expect("", "192.0.2.1", 1, POLICY_RULE_ADDRESS);
	assert_int_equal(ask("keep.example", NOBODY).level, POLICY_NONE);
	assert_string_equal(ask("keep.example", NOBODY).partner, "one");
	policy_txn_publish(txn);
	/* And now all of it is, with nothing cleaned up yet. */
	for (int i = 0; i < 2; i++) {
		expect("keep.example", NOBODY, 1, POLICY_RULE_DOMAIN);
		expect("gone.example", NOBODY, 0, POLICY_RULE_DEFAULT);
		expect("moves.example", NOBODY, 2, POLICY_RULE_DOMAIN);
		expect("new.example", NOBODY, 1, POLICY_RULE_DOMAIN);
		expect("", "192.0.2.1", 0, POLICY_RULE_DEFAULT);
		assert_int_equal(ask("keep.example", NOBODY).level, POLICY_ENCRYPT);
		assert_string_equal(ask("keep.example", NOBODY).partner, "one-new");
		assert_int_equal(ask("keep.example", NOBODY).generation, 2);
		if (i == 0) {
			struct policy_txn *other;

			assert_int_equal(policy_txn_begin(map, 9, &other), -EBUSY);
			clean(txn);
		}
	}
}

static void test_conflict(void **state)
{
	struct policy_txn *txn = begin();
	char err[256] = "";

	assert_int_equal(policy_txn_set(txn, 1, "one", POLICY_ENCRYPT), 0);
	domain(txn, 1, "a.example");
	assert_int_equal(prefix(txn, 1, "192.0.2.0/24"), 0);
	commit(txn);

	txn = begin();
	assert_int_equal(policy_txn_set(txn, 2, "two", POLICY_NONE), 0);
	domain(txn, 2, "*.a.example"); /* is another key */
	domain(txn, 2, "A.example");
	assert_int_equal(prepare(txn, err, sizeof(err)), -EEXIST);
	assert_string_equal(err, "domain a.example belongs to both one and two");
	policy_txn_abort(txn);
	clean(txn);
	expect("a.example", NOBODY, 1, POLICY_RULE_DOMAIN);
	expect("x.a.example", NOBODY, 0, POLICY_RULE_DEFAULT);

	/* Within one transaction, and an abort after partner one was marked for removal. */
	txn = begin();
	assert_int_equal(policy_txn_set(txn, 1, "one", POLICY_MAY), 0);
	assert_int_equal(policy_txn_set(txn, 2, "two", POLICY_NONE), 0);
	assert_int_equal(prefix(txn, 2, "192.0.2.0/24"), 0);
	assert_int_equal(policy_txn_set(txn, 3, "three", POLICY_NONE), 0);
	assert_int_equal(prefix(txn, 3, "192.0.2.0/24"), 0);
	assert_int_equal(prepare(txn, err, sizeof(err)), -EEXIST);
	assert_non_null(strstr(err, "prefix 192.0.2.0/24 belongs to both"));
	policy_txn_abort(txn);
	clean(txn);
	expect("a.example", NOBODY, 1, POLICY_RULE_DOMAIN);
	expect("", "192.0.2.1", 1, POLICY_RULE_ADDRESS);
	assert_int_equal(ask("a.example", NOBODY).level, POLICY_ENCRYPT);
	assert_int_equal(ask("a.example", NOBODY).generation, 1);

	/* The next transaction has the aborted one's version number: nothing of it may appear. */
	txn = begin();
	policy_txn_defaults(txn, POLICY_NONE);
	commit(txn);
	expect("", "192.0.2.1", 1, POLICY_RULE_ADDRESS);
	expect("x.a.example", NOBODY, 0, POLICY_RULE_DEFAULT);
}

static void test_refused(void **state)
{
	struct policy_txn *txn = begin();
	struct ip_addr a = addr("192.0.2.1");
	char label[300];

	assert_int_equal(policy_txn_delete(txn, 1), -ENOENT);
	assert_int_equal(policy_txn_add_domain(txn, 1, "a.example", 9), -ENOENT);
	assert_int_equal(policy_txn_set(txn, 0, "zero", POLICY_MAY), -EINVAL);
	assert_int_equal(policy_txn_set(txn, 1, "", POLICY_MAY), -EINVAL);
	memset(label, 'a', sizeof(label));
	label[299] = '\0';
	assert_int_equal(policy_txn_set(txn, 1, label, POLICY_MAY), -EINVAL);
	assert_int_equal(policy_txn_set(txn, 1, "one", POLICY_MAY), 0);
	assert_int_equal(policy_txn_set(txn, 1, "one", POLICY_MAY), -EALREADY);
	assert_int_equal(policy_txn_delete(txn, 1), -EALREADY);
	assert_int_equal(policy_txn_reset(txn), -EINVAL);
	const char *const wrong[] = {"", ".", "..", "*", "*.", "a..b", ".a", "a b", "*.*.b", "a.*"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(
			policy_txn_add_domain(txn, 1, wrong[i], strlen(wrong[i])), -EINVAL);
	assert_int_equal(policy_txn_add_domain(txn, 1, label, 254), -EINVAL);
	assert_int_equal(policy_txn_add_domain(txn, 1, label, 253), 0);
	assert_int_equal(policy_txn_add_prefix(txn, 1, &a, 127), -EINVAL);
	assert_int_equal(policy_txn_add_prefix(txn, 1, &a, 129), -EINVAL);
	assert_int_equal(policy_txn_add_prefix(txn, 1, &a, 128), 0);
	policy_txn_abort(txn);
	clean(txn);
}

static void test_reset_and_delete(void **state)
{
	struct policy_map_usage empty, full, usage;
	struct policy_txn *txn;
	char name[64];

	policy_map_get_usage(map, &empty);
	txn = begin();
	for (uint32_t id = 1; id <= 40; id++) {
		snprintf(name, sizeof(name), "p%u.example", id);
		assert_int_equal(policy_txn_set(txn, id, name, POLICY_ENCRYPT), 0);
		domain(txn, id, name);
	}
	commit(txn);
	policy_map_get_usage(map, &full);
	assert_int_equal(full.partners, 40);
	assert_int_equal(full.domains, 40);

	txn = begin();
	assert_int_equal(policy_txn_reset(txn), 0);
	assert_int_equal(policy_txn_set(txn, 7, "seven", POLICY_MAY), 0);
	domain(txn, 7, "p7.example");
	assert_int_equal(policy_txn_set(txn, 41, "new", POLICY_MAY), 0);
	domain(txn, 41, "p8.example"); /* was partner 8's, who goes in the same transaction */
	commit(txn);
	expect("p7.example", NOBODY, 7, POLICY_RULE_DOMAIN);
	expect("p8.example", NOBODY, 41, POLICY_RULE_DOMAIN);
	expect("p9.example", NOBODY, 0, POLICY_RULE_DEFAULT);
	policy_map_get_usage(map, &usage);
	assert_int_equal(usage.partners, 2);
	assert_int_equal(usage.domains, 2);

	/* Deleted and set again in one transaction; deleted for good in the next. */
	txn = begin();
	assert_int_equal(policy_txn_delete(txn, 7), 0);
	assert_int_equal(policy_txn_set(txn, 7, "again", POLICY_NONE), 0);
	domain(txn, 7, "again.example");
	commit(txn);
	expect("again.example", NOBODY, 7, POLICY_RULE_DOMAIN);
	expect("p7.example", NOBODY, 0, POLICY_RULE_DEFAULT);
	txn = begin();
	assert_int_equal(policy_txn_delete(txn, 7), 0);
	assert_int_equal(policy_txn_delete(txn, 7), 0);
	assert_int_equal(policy_txn_delete(txn, 41), 0);
	commit(txn);
	policy_map_get_usage(map, &usage);
	assert_int_equal(usage.partners, 0);
	assert_int_equal(usage.domains, 0);
	assert_int_equal(usage.bytes, empty.bytes);
}

/* Random transactions, some aborted, against a model; every key is looked up after each. */
#define KEYS     60
#define PARTNERS 12
static void test_model(void **state)
{
	uint32_t owner[KEYS] = {0}, next[KEYS], level[PARTNERS + 1] = {0}, next_level[PARTNERS + 1];
	char err[256], key[64];
	unsigned int published = 0, refused = 0;

	srandom(1);
	for (int round = 0; round < 600; round++) {
		struct policy_txn *txn = begin();
		bool clash = false, touched[PARTNERS + 1] = {false};

		memcpy(next, owner, sizeof(next));
		memcpy(next_level, level, sizeof(level));
		if (random() % 20 == 0) {
			assert_int_equal(policy_txn_reset(txn), 0);
			memset(next, 0, sizeof(next));
		}
		for (int n = (int)(random() % 4); n >= 0; n--) {
			uint32_t id = 1 + (uint32_t)(random() % PARTNERS);

			if (touched[id])
				continue;
			touched[id] = true;
			if (random() % 5 == 0) {
				(void)policy_txn_delete(txn, id);
				for (int k = 0; k < KEYS; k++)
					next[k] = next[k] == id ? 0 : next[k];
				continue;
			}
			next_level[id] = (uint32_t)(random() % 3);
			assert_int_equal(
				policy_txn_set(txn, id, "p", (enum policy_level)next_level[id]), 0);
			for (int k = 0; k < KEYS; k++)
				next[k] = next[k] == id ? 0 : next[k];
			for (int m = (int)(random() % 8); m > 0; m--) {
				int k = (int)(random() % KEYS);

				snprintf(key, sizeof(key), "%sk%d.example", k % 2 ? "*." : "", k);
				domain(txn, id, key);
				/* Another owner that is touched later may still let it go. */
				if (next[k] != 0 && next[k] != id) {
					clash = true;
					break;
				}
				next[k] = id;
			}
		}
		int rc = prepare(txn, err, sizeof(err));
		if (!clash)
			assert_int_equal(rc, 0);
		if (rc == 0 && !clash && random() % 8 != 0) {
			policy_txn_publish(txn);
			memcpy(owner, next, sizeof(owner));
			memcpy(level, next_level, sizeof(level));
			published++;
		} else {
			policy_txn_abort(txn);
			refused++;
		}
		if (random() % 2)
			clean(txn), txn = NULL;
		for (int k = 0; k < KEYS; k++) {
			struct policy_verdict v;

			snprintf(key, sizeof(key), "%sk%d.example", k % 2 ? "x." : "", k);
			v = ask(key, NOBODY);
			assert_int_equal(v.partner_id, owner[k]);
			if (owner[k] != 0)
				assert_int_equal(v.level, level[owner[k]]);
		}
		if (txn != NULL)
			clean(txn);
	}
	assert_true(published > 200 && refused > 50);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* `test_map N`: memory and time of N domains in N / 10 partners. */
static int measure(unsigned int n)
{
	struct policy_map_usage usage;
	struct policy_verdict v;
	struct policy_txn *txn;
	struct ip_addr a = addr(NOBODY);
	char name[64], err[256];
	double t0, t1, t2, t3, t4;
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, after;

	if (policy_map_create(&map) != 0 || policy_txn_begin(map, 1, &txn) != 0)
		return 1;
	t0 = seconds();
	for (unsigned int i = 0; i < n; i++) {
		if (i % 10 == 0)
			(void)policy_txn_set(txn, 1 + i / 10, "partner", POLICY_ENCRYPT);
		snprintf(name, sizeof(name), "%s%u-company.example.org", i % 4 ? "" : "*.", i);
		(void)policy_txn_add_domain(txn, 1 + i / 10, name, strlen(name));
	}
	t1 = seconds();
	while (policy_txn_prepare(txn, 2000, err, sizeof(err)) == -EAGAIN)
		;
	t2 = seconds();
	policy_txn_publish(txn);
	t3 = seconds();
	while (policy_txn_clean(txn, 2000) != POLICY_STEP_DONE)
		;
	t4 = seconds();
	after = mallinfo2().uordblks + mallinfo2().hblkhd;
	policy_map_get_usage(map, &usage);
	printf("%u domains, %u partners: %.1f octets of heap a domain (%.1f counted)\n",
		usage.domains, usage.partners, (double)(after - before) / n,
		(double)usage.bytes / n);
	printf("stage %.3f s, prepare %.3f s, publish %.6f s, clean %.3f s\n", t1 - t0, t2 - t1,
		t3 - t2, t4 - t3);
	t0 = seconds();
	unsigned int hits = 0;
	for (unsigned int i = 0; i < 1000000; i++) {
		int len = snprintf(name, sizeof(name), "x.%u-company.example.org",
			(unsigned int)(i * UINT64_C(2654435761) % n));

		policy_inbound(map, name, (size_t)len, &a, 1000, &v);
		hits += v.partner_id != 0;
	}
	t1 = seconds();
	printf("lookup %.0f ns (snprintf included), %u hits\n", (t1 - t0) * 1000, hits);
	policy_map_destroy(map);
	return 0;
}

static struct policy_verdict ask_at(const char *d, const char *client, uint64_t now)
{
	struct policy_verdict v;
	struct ip_addr a = addr(client);

	policy_inbound(map, d, strlen(d), &a, now, &v);
	return v;
}

/* A suspension lifts the level to `may` until its second, and ends without anybody's help. */
static void test_suspended(void **state)
{
	struct policy_verdict v;
	struct policy_txn *txn;

	assert_int_equal(policy_txn_begin(map, 1, &txn), 0);
	assert_int_equal(policy_txn_suspend(txn, 1, 500), -ENOENT);
	assert_int_equal(policy_txn_set(txn, 1, "bank", POLICY_ENCRYPT), 0);
	assert_int_equal(policy_txn_suspend(txn, 1, 500), 0);
	domain(txn, 1, "bank.example");
	assert_int_equal(prefix(txn, 1, "192.0.2.0/24"), 0);
	assert_int_equal(policy_txn_set(txn, 2, "shop", POLICY_ENCRYPT), 0);
	domain(txn, 2, "shop.example");
	assert_int_equal(policy_txn_set(txn, 3, "lax", POLICY_NONE), 0);
	assert_int_equal(policy_txn_suspend(txn, 3, 500), 0);
	domain(txn, 3, "lax.example");
	commit(txn);

	v = ask_at("bank.example", NOBODY, 499);
	assert_int_equal(v.level, POLICY_MAY);
	assert_true(v.suspended);
	assert_int_equal(v.partner_id, 1);
	v = ask_at("bank.example", NOBODY, 500);
	assert_int_equal(v.level, POLICY_ENCRYPT);
	assert_false(v.suspended);
	/* It lifts, it does not raise. */
	v = ask_at("lax.example", NOBODY, 1);
	assert_int_equal(v.level, POLICY_NONE);
	assert_false(v.suspended);
	/* Another partner's mail from the suspended one's address is not lifted ... */
	v = ask_at("shop.example", "192.0.2.1", 1);
	assert_int_equal(v.level, POLICY_ENCRYPT);
	assert_int_equal(v.partner_id, 2);
	assert_false(v.suspended);
	/* ... and what only the suspended one's address would have refused is marked as such. */
	v = ask_at("lax.example", "192.0.2.1", 1);
	assert_int_equal(v.level, POLICY_MAY);
	assert_int_equal(v.partner_id, 1);
	assert_true(v.suspended);

	/* Set anew without it: it is over. */
	assert_int_equal(policy_txn_begin(map, 2, &txn), 0);
	assert_int_equal(policy_txn_set(txn, 1, "bank", POLICY_ENCRYPT), 0);
	domain(txn, 1, "bank.example");
	commit(txn);
	assert_int_equal(ask_at("bank.example", NOBODY, 1).level, POLICY_ENCRYPT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_domains, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prefixes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stronger, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change_is_atomic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conflict, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset_and_delete, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suspended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_model, setup, teardown),
	};
	int rc;

	rcu_register_thread();
	rc = argc > 1 ? measure((unsigned int)atoi(argv[1]))
		      : cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return rc;
}
