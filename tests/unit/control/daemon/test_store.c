/* SPDX-License-Identifier: BSD-3-Clause */
/* Partners: what is taken, in which form, who owns a domain; the store: round trip, rollback,
 * migration. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <errno.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "control/daemon/store.h"

static char dir[64], path[96];

static int setup(void **state)
{
	strcpy(dir, "/tmp/postgate-store.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/postgate.db", dir);
	return 0;
}

static int teardown(void **state)
{
	static const char *const tails[] = {"", "-wal", "-shm"};
	char name[128];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
	return rmdir(dir);
}

static struct store *open_store(void)
{
	char err[STORE_ERROR_MAX];
	struct store *s;

	if (store_open(path, &s, err) < 0)
		fail_msg("%s", err);
	return s;
}

/* A partner from JSON fields. */
static struct partner make(const char *name, const char *fields)
{
	char err[PARTNER_ERROR_MAX] = "";
	json_t *json = json_loads(fields, 0, NULL);
	struct partner p;

	assert_non_null(json);
	assert_int_equal(partner_init(&p), 0);
	assert_int_equal(partner_set_name(&p, name, err), 0);
	if (partner_apply(&p, json, err) < 0)
		fail_msg("%s", err);
	json_decref(json);
	return p;
}

static void put(struct store *s, const char *name, const char *fields)
{
	struct partner p = make(name, fields);

	if (store_partner_put(s, &p) < 0)
		fail_msg("%s", store_error(s));
	partner_release(&p);
}

static void test_fields(void **state)
{
	static const struct {
		const char *fields, *told;
	} cases[] = {
		{"{\"domain\": [\"not a domain\"]}", "not a domain is not a domain name"},
		{"{\"domain\": [\"-x.example\"]}", "-x.example is not a domain name"},
		{"{\"domain\": [\"x..example\"]}", "x..example is not a domain name"},
		{"{\"domain\": [\"192.0.2.1\"]}", "192.0.2.1 is not a domain name"},
		{"{\"domain\": [\"\"]}", "an empty value is not a domain name"},
		{"{\"domain\": [\"*\"]}",
			"*: \"*\" stands for whole labels in front only (*.example.net)"},
		{"{\"domain\": [\"a.*.example\"]}",
			"a.*.example: \"*\" stands for whole labels in front only (*.example.net)"},
		{"{\"domain\": [\"*.*.example\"]}",
			"*.*.example: \"*\" stands for whole labels in front only (*.example.net)"},
		{"{\"domain\": [\"b\u00fccher.example\"]}",
			"b\u00fccher.example is not a domain name; write it in its A-label form "
			"(xn--...)"},
		{"{\"domain\": \"x.example\"}", "domain must be a list"},
		{"{\"domain\": [1]}", "domain must be a list of strings"},
		{"{\"address\": [\"192.0.2.1/33\"]}",
			"192.0.2.1/33 is not an address or prefix such as 192.0.2.0/24"},
		{"{\"address\": [\"192.0.2.1/24\"]}", "192.0.2.1/24 has bits set beyond its prefix "
						      "length: 192.0.2.0/24 is meant, perhaps"},
		{"{\"address\": [\"0.0.0.0/0\"]}",
			"0.0.0.0/0 is too wide for one partner (IPv4 /8, IPv6 /16 at most)"},
		{"{\"address\": [\"::/0\"]}",
			"::/0 is too wide for one partner (IPv4 /8, IPv6 /16 at most)"},
		{"{\"address\": [\"2001:db8::/+32\"]}",
			"2001:db8::/+32 is not an address or prefix such as 192.0.2.0/24"},
		{"{\"inbound\": \"verify\"}", "verify is not none, may or encrypt"},
		{"{\"inbound\": 1}", "inbound must be a string"},
		{"{\"notes\": \"a\\nb\"}", "notes has a control character"},
		{"{\"colour\": \"red\"}", "colour is not a field of a partner (domain, address, "
					  "inbound, contact, notes)"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char err[PARTNER_ERROR_MAX] = "";
		json_t *json = json_loads(cases[i].fields, 0, NULL);
		struct partner p;

		assert_non_null(json);
		assert_int_equal(partner_init(&p), 0);
		assert_int_equal(partner_apply(&p, json, err), -EINVAL);
		assert_string_equal(err, cases[i].told);
		partner_release(&p);
		json_decref(json);
	}
}

static void test_form(void **state)
{
	struct partner p = make("bank", "{\"domain\": [\"Bank.Example.\", \"*.BANK.example\", "
					"\"bank.example\"], \"address\": [\"192.0.2.7\", "
					"\"2001:DB8::/32\", \"192.0.2.7/32\"]}");
	char text[PREFIX_TEXT_MAX], err[PARTNER_ERROR_MAX];

	assert_int_equal(p.domain_count, 2);
	assert_string_equal(p.domains[0], "bank.example");
	assert_string_equal(p.domains[1], "*.bank.example");
	assert_int_equal(p.address_count, 2);
	prefix_format(&p.addresses[0], text);
	assert_string_equal(text, "192.0.2.7");
	prefix_format(&p.addresses[1], text);
	assert_string_equal(text, "2001:db8::/32");
	assert_int_equal(p.inbound, CONFIG_LEVEL_ENCRYPT);
	assert_int_equal(partner_check(&p, err), 0);
	partner_clear_domains(&p);
	assert_int_equal(partner_check(&p, err), 0);
	partner_clear_addresses(&p);
	assert_int_equal(partner_check(&p, err), -EINVAL);
	partner_release(&p);
}

static void test_round_trip(void **state)
{
	struct store *s = open_store();
	struct partner p =
		make("Bank", "{\"domain\": [\"z.example\", \"*.a.example\"], \"address\": "
			     "[\"2001:db8::/32\", \"192.0.2.0/24\"], \"inbound\": \"may\", "
			     "\"contact\": \"+49 30 1\", \"notes\": \"it's; 'quoted' \\u00e4\"}");
	json_t *before, *after;
	struct partner q;
	struct stat st;
	uint32_t id;

	assert_int_equal(store_partner_put(s, &p), 0);
	assert_int_not_equal(p.id, 0);
	id = p.id;
	before = partner_to_json(&p);
	partner_release(&p);
	store_close(s);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	s = open_store();
	assert_int_equal(store_partner_get(s, "bANK", &q), 0); /* names: any case */
	after = partner_to_json(&q);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	/* A change replaces the lists. */
	partner_clear_domains(&q);
	assert_int_equal(store_partner_put(s, &q), 0);
	assert_int_equal(q.id, id);
	partner_release(&q);
	assert_int_equal(store_partner_get(s, "Bank", &q), 0);
	assert_int_equal(q.domain_count, 0);
	assert_int_equal(q.address_count, 2);
	partner_release(&q);
	assert_int_equal(store_partner_delete(s, id), 0);
	assert_int_equal(store_partner_delete(s, id), -ENOENT);
	assert_int_equal(store_partner_get(s, "Bank", &q), -ENOENT);
	/* An id is not used again: the dataplane and the history know it by number. */
	put(s, "other", "{\"domain\": [\"z.example\"]}");
	assert_int_equal(store_partner_next(s, 0, &q), 0);
	assert_true(q.id > id);
	id = q.id;
	partner_release(&q);
	assert_int_equal(store_partner_next(s, id, &q), -ENOENT);
	store_close(s);
}

static void test_conflicts(void **state)
{
	struct store *s = open_store();
	uint64_t partners, domains, addresses;
	struct partner p;

	put(s, "one", "{\"domain\": [\"a.example\"], \"address\": [\"192.0.2.0/24\"]}");
	p = make("two", "{\"domain\": [\"b.example\", \"A.example\"]}");
	assert_int_equal(store_partner_put(s, &p), -EEXIST);
	assert_string_equal(store_error(s), "a.example belongs to partner one already");
	assert_int_equal(p.id, 0);
	partner_release(&p);
	p = make("two", "{\"address\": [\"192.0.2.0/24\"]}");
	assert_int_equal(store_partner_put(s, &p), -EEXIST);
	assert_string_equal(store_error(s), "192.0.2.0/24 belongs to partner one already");
	partner_release(&p);
	p = make("ONE", "{\"domain\": [\"c.example\"]}");
	assert_int_equal(store_partner_put(s, &p), -EEXIST);
	assert_string_equal(store_error(s), "there is a partner ONE already");
	partner_release(&p);
	/* Nothing of the refused ones stayed. */
	assert_int_equal(store_partner_count(s, &partners, &domains, &addresses), 0);
	assert_int_equal(partners, 1);
	assert_int_equal(domains, 1);
	assert_int_equal(addresses, 1);
	/* The wildcard beside the exact name, and a longer prefix inside another's, are no
	 * conflict. */
	put(s, "two", "{\"domain\": [\"*.a.example\"], \"address\": [\"192.0.2.128/25\"]}");
	/* One's own domain is no conflict with oneself. */
	assert_int_equal(store_partner_get(s, "one", &p), 0);
	assert_int_equal(store_partner_put(s, &p), 0);
	partner_release(&p);
	store_close(s);
}

static void test_transaction(void **state)
{
	struct store *s = open_store();
	uint64_t n, m;
	struct partner p;
	json_t *list;

	assert_int_equal(store_generation(s, &n), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_begin(s), -EBUSY);
	put(s, "one", "{\"domain\": [\"a.example\"]}");
	assert_int_equal(store_next_generation(s, 0, &m), 0);
	assert_int_equal(m, n + 1);
	assert_int_equal(store_history_add(s, "root", "set", "one", "", NULL, NULL, m), 0);
	store_rollback(s);
	assert_int_equal(store_partner_get(s, "one", &p), -ENOENT);
	assert_int_equal(store_generation(s, &m), 0);
	assert_int_equal(m, n);
	assert_int_equal(store_history(s, 10, &list), 0);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);

	assert_int_equal(store_begin(s), 0);
	put(s, "one", "{\"domain\": [\"a.example\"]}");
	assert_int_equal(store_next_generation(s, 0, &m), 0);
	assert_int_equal(store_history_add(s, "root", "set", "one", "", NULL, NULL, m), 0);
	assert_int_equal(store_commit(s), 0);
	/* A transaction that was open when we died is not there. */
	assert_int_equal(store_begin(s), 0);
	put(s, "two", "{\"domain\": [\"b.example\"]}");
	store_close(s);
	s = open_store();
	assert_int_equal(store_partner_get(s, "two", &p), -ENOENT);
	assert_int_equal(store_partner_get(s, "one", &p), 0);
	partner_release(&p);
	assert_int_equal(store_generation(s, &n), 0);
	assert_int_equal(n, m);
	assert_int_equal(store_history(s, 10, &list), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(list, 0), "subject")), "one");
	json_decref(list);
	/* A dataplane may be ahead of a store that was lost. */
	assert_int_equal(store_next_generation(s, 1000, &m), 0);
	assert_int_equal(m, 1001);
	assert_int_equal(store_next_generation(s, 1000, &m), 0);
	assert_int_equal(m, 1002);
	store_close(s);
}

static void sql(const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* Tables of the steps after the second. */
#define LATER "DROP TABLE suspension; DROP TABLE candidate; DROP TABLE trial;"

/* A store of the first schema is brought up to date with what it holds. */
static void test_migration(void **state)
{
	struct store *s = open_store();
	struct partner p;
	json_t *list;

	put(s, "one", "{\"domain\": [\"a.example\"]}");
	store_close(s);
	sql("DROP TABLE history;" LATER "PRAGMA user_version = 1");
	s = open_store();
	assert_int_equal(store_partner_get(s, "one", &p), 0);
	assert_string_equal(p.domains[0], "a.example");
	partner_release(&p);
	assert_int_equal(store_history_add(s, "root", "set", "one", "", NULL, NULL, 1), 0);
	assert_int_equal(store_history(s, 10, &list), 0);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	store_close(s);
}

/* A step that fails leaves the old version, not half a new one. */
static void test_migration_fails(void **state)
{
	char err[STORE_ERROR_MAX];
	struct store *s = open_store();

	store_close(s);
	/* The step cannot make its table: one of that name is there. */
	sql("PRAGMA user_version = 1");
	assert_int_equal(store_open(path, &s, err), -EIO);
	assert_non_null(strstr(err, path));
	sql("DROP TABLE history;" LATER);
	s = open_store();
	store_close(s);
}

static void test_refused_files(void **state)
{
	char err[STORE_ERROR_MAX];
	struct store *s = open_store();
	FILE *f;

	store_close(s);
	sql("PRAGMA user_version = 99");
	assert_int_equal(store_open(path, &s, err), -EPROTO);
	assert_non_null(strstr(err, "written by a newer postgated"));
	assert_int_equal(store_open("/nonexistent/x.db", &s, err), -ENOENT);
	unlink(path);
	f = fopen(path, "w");
	for (int i = 0; i < 4096; i++)
		fputc("garbage"[i % 7], f);
	fclose(f);
	assert_int_equal(store_open(path, &s, err), -EIO);
	assert_non_null(strstr(err, "not a database"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_form),
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conflicts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_migration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_migration_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
