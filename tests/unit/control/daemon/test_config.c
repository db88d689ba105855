/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each mistake in a configuration is told with file, line and key, and nothing comes out of it. A
 * case is a whole good file with one edit: "old" replaced by "new".
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/daemon/config.h"
#include "tests/unit/control/daemon/fixture.h"

/* The good file with one edit. */
static char *edited(const char *old, const char *new)
{
	const char *good = fixture_config, *at = old != NULL ? strstr(good, old) : good;
	char *text, *out;

	assert_non_null(at);
	if (old == NULL)
		old = new = "";
	if (asprintf(&text, "%.*s%s%s", (int)(at - good), good, new, at + strlen(old)) < 0)
		abort();
	out = fixture_expand(text);
	free(text);
	return out;
}

struct mistake {
	const char *old, *new;
	const char *told; /* the first error's line, after "file:"; "@" is the directory */
};

static const struct mistake mistakes[] = {
	/* Shape. */
	{"hostname:", "hostnam:", "1: hostnam: unknown key"},
	{"    port: 25", "    prt: 25", "21: listeners[0].prt: unknown key"},
	{"  command: 5m", "  comand: 5m", "33: timeouts.comand: unknown key"},
	{"  - name: a.example.net", "  - name: a.example.net\n    weight: 3",
		"29: next-hops[1].weight: unknown key"},
	{"    side: inside\n", "    side: inside\n    side: inside\n",
		"10: interfaces[1].side: is given twice"},
	{"[198.51.100.1/24, \"2001:db8:1::1/64\"]", "198.51.100.1/24",
		"6: interfaces[0].addresses: must be a list"},
	{"    port: 25", "    port: [25]", "21: listeners[0].port: must be a single value"},
	{"timeouts:\n  command: 5m", "timeouts: 5m", "32: timeouts: must be a group of keys"},
	{"  command: 5m", "  command: \"5m", "33: found unexpected end of stream"},
	{"log:\n", "---\nlog:\n", "36: a second document begins (\"---\"); only one is read"},
	{"mx.example.net", "&h mx.example.net\nlog: *h",
		"2: log: aliases (\"*name\") are not supported"},
	/* Resolver. */
	{"log:\n", "alerts:\n  command: [page]\nlog:\n",
		"37: alerts.command: page is not a path from / on (a list: "
		"[/path, argument])"},
	{"log:\n", "alerts:\n  command: [/nonexistent/page]\nlog:\n",
		"37: alerts.command: /nonexistent/page: No such file or directory"},
	{"log:\n", "alerts:\n  command: [/etc]\nlog:\n",
		"37: alerts.command: /etc is not a program that we may run"},
	{"log:\n", "alerts:\n  after: 0\nlog:\n",
		"37: alerts.after: 0 is not a number of messages (1..1000000)"},
	{"log:\n", "resolver:\n  trust-anchor: none\n  forwarders: [dns.example]\nlog:\n",
		"38: resolver.forwarders[0]: dns.example is not the address of a server"},
	{"log:\n", "resolver:\n  trust-anchor: none\n  forwarders: [192.0.2.53@70000]\nlog:\n",
		"38: resolver.forwarders[0]: 192.0.2.53@70000 is not the address of a server"},
	{"log:\n", "resolver:\n  trust-anchor: /no/such.key\nlog:\n",
		"37: resolver.trust-anchor: /no/such.key: No such file or directory"},
	{"log:\n", "resolver:\n  trust-anchor: none\n  mta-sts-timeout: 2m\nlog:\n",
		"38: resolver.mta-sts-timeout: 2m is not a time such as 30s, 5m or 2h (1s..1m)"},
	/* Hostname. */
	{"hostname: mx.example.net\n", "", "1: hostname: is missing"},
	{"mx.example.net", "", "1: hostname: is empty"},
	{"mx.example.net", "mx_.-a.example.net",
		"1: hostname: mx_.-a.example.net is not a domain name"},
	{"mx.example.net", "mx",
		"1: hostname: mx is not a full name; RFC 5321 2.3.5 asks for one in EHLO"},
	/* Interfaces and routes. */
	{"    side: inside\n", "    side: left\n",
		"9: interfaces[1].side: left is not outside or inside"},
	{"    side: inside\n", "", "7: interfaces[1].side: is missing"},
	{"vlan: 7", "vlan: 4095", "10: interfaces[1].vlan: 4095 is not a VLAN (0..4094)"},
	{"vlan: 7", "mtu: 15000", "10: interfaces[1].mtu: 15000 is not an MTU (1280..9000)"},
	{"    side: outside\n", "    side: outside\n    mtu: 600\n",
		"6: interfaces[0].mtu: 600 is not an MTU (1280..9000)"},
	{"name: in\n", "name: out\n",
		"7: interfaces[1].name: out is the name of interfaces[0] already"},
	{"    port: net_tap1\n    side: inside\n    vlan: 7\n",
		"    port: net_tap0\n    side: inside\n",
		"8: interfaces[1].port: net_tap0 with vlan 0 is interface out already"},
	{"[192.0.2.1/24]", "[192.0.2.1]",
		"11: interfaces[1].addresses[0]: 192.0.2.1 is not an address with its prefix "
		"length, such "
		"as 192.0.2.1/24"},
	{"[192.0.2.1/24]", "[192.0.2.1/33]",
		"11: interfaces[1].addresses[0]: 192.0.2.1/33 is not an address with its prefix "
		"length, "
		"such as 192.0.2.1/24"},
	{"[192.0.2.1/24]", "\n      - 192.0.2.1/24\n      - 192.0.2.255/24",
		"13: interfaces[1].addresses[1]: 192.0.2.255/24 is not an address that a host can "
		"have"},
	{"[192.0.2.1/24]", "[198.51.100.1/24]",
		"11: interfaces[1].addresses[0]: 198.51.100.1/24 is on interface out already"},
	{"    addresses: [192.0.2.1/24]\n", "",
		"7: interfaces[1].addresses: at least one is needed"},
	{"    side: inside\n", "    side: outside\n", "2: interfaces: none has side: inside"},
	{"via: 198.51.100.254", "via: 203.0.113.1",
		"13: routes[0].via: 203.0.113.1 is in no network of an interface of the outside"},
	{"via: 198.51.100.254", "via: 198.51.100.1",
		"13: routes[0].via: 198.51.100.1 cannot be a gateway"},
	{"to: 10.0.0.0/8", "to: 10.0.0.1/8",
		"14: routes[1].to: 10.0.0.1/8 has bits set beyond its prefix length"},
	{"to: 10.0.0.0/8", "to: \"2001:db8::/32\"",
		"14: routes[1].via: 192.0.2.254 is of the other address family than 2001:db8::/32"},
	{"to: 10.0.0.0/8", "to: default",
		"14: routes[1].to: 0.0.0.0/0 is the destination of an earlier route"},
	/* Certificates. */
	{"@/chain.pem", "chain.pem",
		"17: certificates[0].chain: chain.pem is not an absolute path"},
	{"@/chain.pem", "@/none.pem",
		"17: certificates[0].chain: cannot read @/none.pem: No such file or directory"},
	{"@/chain.pem", "@", "17: certificates[0].chain: @ is not a regular file"},
	{"@/key.pem", "@/open.pem",
		"18: certificates[0].key: @/open.pem may be read by everybody (mode 0644): chmod "
		"o-r it"},
	{"    key: @/key.pem\n", "", "16: certificates[0].key: is missing"},
	/* Listeners. */
	{"    port: 25", "    port: 70000",
		"21: listeners[0].port: 70000 is not a port (1..65535)"},
	{"    port: 25", "    port: 0x19", "21: listeners[0].port: 0x19 is not a port (1..65535)"},
	{"    port: 25", "    port: -1", "21: listeners[0].port: -1 is not a port (1..65535)"},
	{"    port: 25", "    address: 192.0.2.1",
		"21: listeners[0].address: 192.0.2.1 is on no interface of the outside"},
	{"[main]", "[other]",
		"22: listeners[0].certificates[0]: no certificate has the name other"},
	{"    certificates: [main]", "    starttls: yes",
		"22: listeners[0].starttls: needs at least one of certificates"},
	{"    certificates: [main]", "    starttls: maybe",
		"22: listeners[0].starttls: maybe is not yes or no"},
	{"keepalive: 90s", "keepalive: 90x",
		"23: listeners[0].keepalive: 90x is not a time such as 30s, 5m or 2h (10s..1d)"},
	{"keepalive: 90s", "keepalive: 90s\n  - side: outside",
		"24: listeners[1].port: 25 at this address is that of listeners[0] already"},
	/* Next hops. */
	{"address: 192.0.2.3", "address: mail.example.net",
		"26: next-hops[0].address: mail.example.net is not the address of a server"},
	{"address: 192.0.2.3", "address: 203.0.113.5",
		"26: next-hops[0].address: no interface or route of the inside leads to "
		"203.0.113.5"},
	{"address: 192.0.2.3", "address: 192.0.2.1",
		"26: next-hops[0].address: 192.0.2.1 is the gateway's own: mail would loop"},
	{"address: 10.1.2.3", "address: 192.0.2.3",
		"29: next-hops[1].address: 192.0.2.3 port 25 is that of next-hops[0] already"},
	{"level: verify", "level: dane",
		"30: next-hops[1].level: dane is not none, may, encrypt or verify"},
	{"    ca: @/ca.pem\n", "",
		"28: next-hops[1].ca: is missing: level verify needs the CA to verify by"},
	{"name: a.example.net", "name: 10.1.2.3",
		"28: next-hops[1].name: 10.1.2.3 is an address: level verify needs the name in the "
		"certificate"},
	{"keepalive: 90s", "keepalive: 90s\n  - side: outside\n    address: 198.51.100.1",
		"24: listeners[1].port: 25 at this address is that of listeners[0] already"},
	{"[192.0.2.1/24]", "[192.0.2.1/24, \"::1/64\"]",
		"11: interfaces[1].addresses[1]: ::1/64 is not an address that a host can have"},
	{"port: net_tap1", "port: net tap",
		"8: interfaces[1].port: net tap is not the name of a DPDK port"},
	/* Settings. */
	{"log:\n", "strangers: {inbound: encrypt}\nlog:\n",
		"36: strangers.inbound: encrypt would refuse mail of the public (RFC 3207 4); "
		"require it "
		"of partners"},
	{"command: 5m", "command: 1500ms",
		"33: timeouts.command: 1500ms is not a time such as 30s, 5m or 2h (5s..1h)"},
	{"command: 5m", "command: 5500ms",
		"33: timeouts.command: 5500ms is not a whole number of seconds"},
	{"command: 5m", "budget: 5m",
		"33: timeouts.budget: 5m is not a time such as 30s, 5m or 2h (5s..290s)"},
	{"50M", "50MB",
		"35: limits.max-message-size: 50MB is not a size such as 50M (octets, K, M or G; "
		"at most "
		"9223372036854775807)"},
	{"max-message-size: 50M", "max-recipients: 99",
		"35: limits.max-recipients: 99 is not a number of recipients (100..10000)"},
	{"to: stderr", "to: file", "37: log.to: file is not stderr or syslog"},
};

static void test_mistakes(void **state)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct config_errors errors = {0};
		struct config *config = NULL;
		char want[512], *told = fixture_expand(mistakes[i].told);
		char *yaml = edited(mistakes[i].old, mistakes[i].new);

		snprintf(want, sizeof(want), "/etc/x.yaml:%s", told);
		free(told);
		if (config_parse("/etc/x.yaml", yaml, strlen(yaml), &config, &errors) == 0)
			fail_msg("taken in: %s", mistakes[i].new);
		assert_null(config);
		assert_non_null(errors.text);
		errors.text[strcspn(errors.text, "\n")] = '\0';
		assert_string_equal(errors.text, want);
		config_errors_clear(&errors);
		free(yaml);
	}
}

static void test_good(void **state)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	char *yaml = edited(NULL, NULL), text[PREFIX_TEXT_MAX];

	if (config_parse("x", yaml, strlen(yaml), &config, &errors) != 0)
		fail_msg("%s", errors.text);
	assert_string_equal(config->hostname, "mx.example.net");
	assert_int_equal(config->interface_count, 2);
	assert_int_equal(config->interfaces[0].mtu, 1500);
	assert_int_equal(config->interfaces[0].addresses[0].len, 120);
	prefix_format(&config->interfaces[0].addresses[1], text);
	assert_string_equal(text, "2001:db8:1::1/64");
	assert_int_equal(config->interfaces[1].vlan, 7);
	prefix_format(&config->routes[0].to, text);
	assert_string_equal(text, "0.0.0.0/0");
	assert_int_equal(config->routes[1].interface, 1);
	assert_true(config->listeners[0].starttls);
	assert_true(address_is_unspecified(&config->listeners[0].address));
	assert_int_equal(config->listeners[0].keepalive_ms, 90000);
	/* Sorted by priority, the default of which is 10. */
	assert_string_equal(config->next_hops[0].name, "a.example.net");
	assert_int_equal(config->next_hops[0].level, CONFIG_LEVEL_VERIFY);
	assert_true(config->next_hops[0].ca.len > 0);
	assert_int_equal(config->next_hops[1].level, CONFIG_LEVEL_MAY);
	/* RFC 5321 4.5.3.2. */
	assert_int_equal(config->timeouts.command, 300);
	assert_int_equal(config->timeouts.upstream_dot, 600);
	assert_int_equal(config->limits.max_received, 100);
	assert_int_equal(config->limits.max_message_size, 50 << 20);
	assert_int_equal(config->strangers_inbound, CONFIG_LEVEL_MAY);
	assert_true(config->log_events);
	config_free(config);
	free(yaml);
}

/* All that is wrong in one go, not one mistake a run. */
static void test_many(void **state)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	static const char yaml[] = "hostname: x\nlisteners:\n  - side: up\n    port: 0\n";

	assert_int_not_equal(config_parse("f", yaml, strlen(yaml), &config, &errors), 0);
	assert_non_null(strstr(errors.text, "f:1: hostname: "));
	assert_non_null(strstr(errors.text, "f:3: listeners[0].side: "));
	assert_non_null(strstr(errors.text, "f:4: listeners[0].port: "));
	assert_non_null(strstr(errors.text, "f:1: interfaces: "));
	config_errors_clear(&errors);
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *yaml;
		size_t len;
		const char *told;
	} cases[] = {
		{"", 0, "f:1: the file is empty\n"},
		{"# only a comment\n", 17, "f:1: the file is empty\n"},
		{"a: \xff\n", 5, "f:1: "},
		{"x\n", 2, "f:1: "},
		{"- a\n", 4, "f:1: "},
		{"a: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", 45, "f:1: a["},
		{"? [a]\n: b\n", 10, "f:1: a key must be a plain word\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_errors errors = {0};
		struct config *config = NULL;

		assert_int_not_equal(
			config_parse("f", cases[i].yaml, cases[i].len, &config, &errors), 0);
		assert_null(config);
		if (strncmp(errors.text, cases[i].told, strlen(cases[i].told)) != 0)
			fail_msg("%zu: %s", i, errors.text);
		config_errors_clear(&errors);
	}
}

/* A key of another certificate, and a file that is no PEM, are found before anything is applied. */
static void test_wrong_key(void **state)
{
	static const char *const bad[] = {"@/other.pem", "@/text.pem"};

	for (size_t i = 0; i < 2; i++) {
		struct config_errors errors = {0};
		struct config *config = NULL;
		char *yaml = edited("@/key.pem", bad[i]);

		assert_int_not_equal(config_parse("f", yaml, strlen(yaml), &config, &errors), 0);
		assert_null(config);
		assert_non_null(strstr(errors.text, "certificates[0]."));
		config_errors_clear(&errors);
		free(yaml);
	}
}

/* deploy/example.yaml is a good file, but for the files that it names. */
static void test_example(void **state)
{
	const char *source = *state;
	struct config_errors errors = {0};
	struct config *config = NULL;
	char path[512], *line;

	snprintf(path, sizeof(path), "%s/deploy/example.yaml", source);
	assert_int_not_equal(config_load(path, &config, &errors), 0);
	assert_in_range(errors.count, 2, 3); /* the trust anchor may be installed here */
	for (line = strtok(errors.text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		assert_non_null(strstr(line, "No such file or directory"));
	config_errors_clear(&errors);
}

static char *slurp(const char *source, const char *name)
{
	char path[512], *text;
	size_t size;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", source, name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s", path);
	text = calloc(1, 1 << 18);
	size = fread(text, 1, (1 << 18) - 1, f);
	assert_true(size > 0 && size < (1 << 18) - 1);
	fclose(f);
	return text;
}

/* Each key of the schema is explained in the example and in the manual page. */
static void test_every_key_explained(void **state)
{
	char *schema = slurp(*state, "control/daemon/config_raw.c");
	char *example = slurp(*state, "deploy/example.yaml");
	char *manual = slurp(*state, "deploy/man/postgate.yaml.5");
	unsigned int keys = 0;

	for (char *at = schema; (at = strpbrk(at, "TLG")) != NULL; at++) {
		char key[40], want[48], *w = want;

		if (sscanf(at, "TEXT(\"%39[a-z-]\"", key) != 1 &&
			sscanf(at, "LIST(\"%39[a-z-]\"", key) != 1 &&
			sscanf(at, "GROUP(\"%39[a-z-]\"", key) != 1)
			continue;
		keys++;
		snprintf(want, sizeof(want), "%s:", key);
		if (strstr(example, want) == NULL)
			fail_msg("%s is not in example.yaml", key);
		/* roff writes "-" as "\-"; the names of groups stand as they are. */
		for (const char *r = key; *r != '\0'; r++)
			w += sprintf(
				w, *r == '-' && strcmp(key, "next-hops") != 0 ? "\\%c" : "%c", *r);
		if (strstr(manual, want) == NULL)
			fail_msg("%s is not in postgate.yaml.5", want);
	}
	assert_true(keys > 50);
	free(schema);
	free(example);
	free(manual);
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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_wrong_key),
		cmocka_unit_test_prestate(
			test_every_key_explained, argc > 1 ? argv[1] : (char[]){"."}),
		cmocka_unit_test_prestate(test_example, argc > 1 ? argv[1] : (char[]){"."}),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
