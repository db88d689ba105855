/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "control/resolve/level.h"

#define SEND(l, r, n) LEVEL_SEND, LEVEL_##l, LEVEL_RULE_##r, LEVEL_NAMES_##n
#define DEFER(r)      LEVEL_DEFER, LEVEL_NONE, LEVEL_RULE_##r, LEVEL_NAMES_NONE
#define REFUSE(r)     LEVEL_REFUSE, LEVEL_NONE, LEVEL_RULE_##r, LEVEL_NAMES_NONE
#define MATCH         true
#define FOREIGN       false
#define S(x)          LEVEL_SUSPEND_##x

struct row {
	enum level floor;
	enum level_mode dane_mode, sts_mode;
	enum dane_status dane;
	enum sts_mode sts;
	bool match;
	const char *message; /* "", "req" REQUIRETLS, "no" TLS-Required: No; "+sec": signed MX */
	unsigned int suspended;
	enum level_action action;
	enum level level;
	enum level_rule rule;
	enum level_names names;
};

/* What the operator reads in the documentation, line by line. */
static const struct row table[] = {
	/* Strangers. */
	{LEVEL_MAY, 0, 0, DANE_INSECURE, 0, MATCH, "", 0, SEND(MAY, OPPORTUNISTIC, NONE)},
	{LEVEL_MAY, 0, 0, DANE_NONE, 0, MATCH, "+sec", 0, SEND(MAY, OPPORTUNISTIC, NONE)},
	{LEVEL_MAY, 0, 0, DANE_USABLE, 0, MATCH, "+sec", 0, SEND(DANE, DANE, TLSA)},
	{LEVEL_MAY, 0, 0, DANE_UNUSABLE, 0, MATCH, "+sec", 0, SEND(ENCRYPT, DANE_UNUSABLE, NONE)},
	{LEVEL_MAY, 0, 0, DANE_FAILED, 0, MATCH, "+sec", 0, DEFER(DANE_FAILED)},
	{LEVEL_MAY, 0, 0, DANE_BOGUS, 0, MATCH, "+sec", 0, DEFER(DANE_FAILED)},
	{LEVEL_MAY, 0, 0, DANE_TIMEOUT, 0, MATCH, "+sec", 0, DEFER(DANE_FAILED)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, STS_ENFORCE, MATCH, "", 0, SEND(STS, STS, HOST)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, STS_ENFORCE, FOREIGN, "", 0, DEFER(STS_MISMATCH)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, STS_TESTING, MATCH, "", 0, SEND(MAY, OPPORTUNISTIC, NONE)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, STS_TESTING, FOREIGN, "", 0,
		SEND(MAY, OPPORTUNISTIC, NONE)},
	/* Both: DANE first; MTA-STS never overrides a failing one; it adds to an unusable one. */
	{LEVEL_MAY, 0, 0, DANE_USABLE, STS_ENFORCE, MATCH, "+sec", 0, SEND(DANE, DANE, TLSA)},
	{LEVEL_MAY, 0, 0, DANE_USABLE, STS_ENFORCE, FOREIGN, "+sec", 0, SEND(DANE, DANE, TLSA)},
	{LEVEL_MAY, 0, 0, DANE_BOGUS, STS_ENFORCE, MATCH, "+sec", 0, DEFER(DANE_FAILED)},
	{LEVEL_MAY, 0, 0, DANE_UNUSABLE, STS_ENFORCE, MATCH, "+sec", 0, SEND(STS, STS, HOST)},
	{LEVEL_MAY, 0, 0, DANE_UNUSABLE, STS_ENFORCE, FOREIGN, "+sec", 0, DEFER(STS_MISMATCH)},
	/* Floors: nothing published lowers them. */
	{LEVEL_NONE, 0, 0, DANE_INSECURE, 0, MATCH, "", 0, SEND(NONE, FLOOR, NONE)},
	{LEVEL_NONE, 0, 0, DANE_USABLE, 0, MATCH, "+sec", 0, SEND(DANE, DANE, TLSA)},
	{LEVEL_ENCRYPT, 0, 0, DANE_INSECURE, 0, MATCH, "", 0, SEND(ENCRYPT, FLOOR, NONE)},
	{LEVEL_ENCRYPT, 0, 0, DANE_UNUSABLE, 0, MATCH, "+sec", 0, SEND(ENCRYPT, FLOOR, NONE)},
	{LEVEL_ENCRYPT, 0, 0, DANE_USABLE, 0, MATCH, "+sec", 0, SEND(DANE, DANE, TLSA)},
	{LEVEL_VERIFY, 0, 0, DANE_INSECURE, 0, MATCH, "", 0, SEND(VERIFY, FLOOR, PARTNER)},
	{LEVEL_VERIFY, 0, 0, DANE_USABLE, 0, MATCH, "+sec", 0, SEND(VERIFY, FLOOR, PARTNER)},
	{LEVEL_VERIFY, 0, 0, DANE_BOGUS, 0, MATCH, "+sec", 0, DEFER(DANE_FAILED)},
	{LEVEL_VERIFY, LEVEL_OFF, 0, DANE_BOGUS, 0, MATCH, "+sec", 0, SEND(VERIFY, FLOOR, PARTNER)},
	{LEVEL_MUTUAL, 0, 0, DANE_USABLE, STS_ENFORCE, MATCH, "+sec", 0,
		SEND(MUTUAL, FLOOR, PARTNER)},
	{LEVEL_MUTUAL, 0, 0, DANE_INSECURE, STS_ENFORCE, FOREIGN, "", 0, DEFER(STS_MISMATCH)},
	{LEVEL_DANE, 0, 0, DANE_USABLE, 0, MATCH, "+sec", 0, SEND(DANE, DANE, TLSA)},
	{LEVEL_DANE, 0, 0, DANE_NONE, 0, MATCH, "+sec", 0, DEFER(DANE_REQUIRED)},
	{LEVEL_DANE, 0, 0, DANE_INSECURE, STS_ENFORCE, MATCH, "", 0, DEFER(DANE_REQUIRED)},
	{LEVEL_DANE, 0, 0, DANE_UNUSABLE, 0, MATCH, "+sec", 0, DEFER(DANE_REQUIRED)},
	{LEVEL_DANE, LEVEL_OFF, 0, DANE_NONE, 0, MATCH, "+sec", 0, DEFER(DANE_REQUIRED)},
	{LEVEL_STS, 0, 0, DANE_INSECURE, STS_ENFORCE, MATCH, "", 0, SEND(STS, STS, HOST)},
	{LEVEL_STS, 0, 0, DANE_INSECURE, STS_TESTING, MATCH, "", 0, DEFER(STS_REQUIRED)},
	{LEVEL_STS, 0, 0, DANE_INSECURE, 0, MATCH, "", 0, DEFER(STS_REQUIRED)},
	{LEVEL_STS, 0, 0, DANE_USABLE, STS_ENFORCE, FOREIGN, "+sec", 0, DEFER(STS_MISMATCH)},
	{LEVEL_STS, 0, 0, DANE_USABLE, STS_ENFORCE, MATCH, "+sec", 0, SEND(DANE, DANE, TLSA)},
	/* Modes. */
	{LEVEL_MAY, LEVEL_REQUIRE, 0, DANE_NONE, 0, MATCH, "+sec", 0, DEFER(DANE_REQUIRED)},
	{LEVEL_MAY, LEVEL_OFF, 0, DANE_USABLE, 0, MATCH, "+sec", 0, SEND(MAY, OPPORTUNISTIC, NONE)},
	{LEVEL_MAY, LEVEL_OFF, 0, DANE_BOGUS, 0, MATCH, "+sec", 0, SEND(MAY, OPPORTUNISTIC, NONE)},
	{LEVEL_MAY, 0, LEVEL_OFF, DANE_INSECURE, STS_ENFORCE, FOREIGN, "", 0,
		SEND(MAY, OPPORTUNISTIC, NONE)},
	{LEVEL_MAY, 0, LEVEL_REQUIRE, DANE_INSECURE, 0, MATCH, "", 0, DEFER(STS_REQUIRED)},
	/* REQUIRETLS: by DANE, by MTA-STS, by the public anchors if the MX is signed; else refused.
	 */
	{LEVEL_MAY, 0, 0, DANE_USABLE, 0, MATCH, "req+sec", 0, SEND(DANE, DANE, TLSA)},
	{LEVEL_MAY, 0, 0, DANE_NONE, 0, MATCH, "req+sec", 0, SEND(VERIFY, REQUIRETLS, HOST)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, STS_ENFORCE, MATCH, "req", 0, SEND(STS, STS, HOST)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, STS_TESTING, MATCH, "req", 0,
		SEND(VERIFY, REQUIRETLS, HOST)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, STS_TESTING, FOREIGN, "req", 0, REFUSE(REQUIRETLS_MX)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, 0, MATCH, "req", 0, REFUSE(REQUIRETLS_MX)},
	{LEVEL_NONE, 0, 0, DANE_NONE, 0, MATCH, "req+sec", 0, SEND(VERIFY, REQUIRETLS, HOST)},
	{LEVEL_VERIFY, 0, 0, DANE_NONE, 0, MATCH, "req+sec", 0, SEND(VERIFY, FLOOR, PARTNER)},
	/* TLS-Required: No lifts what is published, not what the operator demands. */
	{LEVEL_MAY, 0, 0, DANE_USABLE, 0, MATCH, "no+sec", 0, SEND(MAY, TLS_OPTIONAL, NONE)},
	{LEVEL_MAY, 0, 0, DANE_BOGUS, 0, MATCH, "no+sec", 0, SEND(MAY, TLS_OPTIONAL, NONE)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, STS_ENFORCE, FOREIGN, "no", 0,
		SEND(MAY, TLS_OPTIONAL, NONE)},
	{LEVEL_MAY, 0, 0, DANE_NONE, 0, MATCH, "no+sec", 0, SEND(MAY, OPPORTUNISTIC, NONE)},
	{LEVEL_ENCRYPT, 0, 0, DANE_USABLE, 0, MATCH, "no+sec", 0, SEND(ENCRYPT, FLOOR, NONE)},
	{LEVEL_MAY, LEVEL_REQUIRE, 0, DANE_USABLE, 0, MATCH, "no+sec", 0, SEND(DANE, DANE, TLSA)},
	{LEVEL_MAY, 0, 0, DANE_USABLE, 0, MATCH, "req+no+sec", 0, SEND(DANE, DANE, TLSA)},
	/* Suspensions lift what they name. */
	{LEVEL_VERIFY, 0, 0, DANE_NONE, 0, MATCH, "", S(OUTBOUND), SEND(MAY, SUSPENDED, NONE)},
	{LEVEL_MUTUAL, 0, 0, DANE_BOGUS, 0, MATCH, "", S(OUTBOUND), SEND(MAY, SUSPENDED, NONE)},
	{LEVEL_MAY, 0, 0, DANE_NONE, 0, MATCH, "", S(OUTBOUND), SEND(MAY, OPPORTUNISTIC, NONE)},
	{LEVEL_MAY, 0, 0, DANE_BOGUS, 0, MATCH, "", S(DANE), SEND(MAY, SUSPENDED, NONE)},
	{LEVEL_DANE, 0, 0, DANE_BOGUS, 0, MATCH, "", S(DANE), SEND(ENCRYPT, FLOOR, NONE)},
	{LEVEL_MAY, 0, 0, DANE_BOGUS, 0, MATCH, "", S(STS), DEFER(DANE_FAILED)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, STS_ENFORCE, FOREIGN, "", S(STS),
		SEND(MAY, SUSPENDED, NONE)},
	{LEVEL_MAY, 0, 0, DANE_INSECURE, STS_ENFORCE, FOREIGN, "", S(DANE), DEFER(STS_MISMATCH)},
	{LEVEL_VERIFY, 0, 0, DANE_NONE, 0, MATCH, "", S(DANE), SEND(VERIFY, FLOOR, PARTNER)},
	{LEVEL_VERIFY, 0, 0, DANE_NONE, 0, MATCH, "", S(CERTIFICATE),
		SEND(ENCRYPT, SUSPENDED, NONE)},
	{LEVEL_MAY, 0, 0, DANE_USABLE, 0, MATCH, "", S(CERTIFICATE),
		SEND(ENCRYPT, SUSPENDED, NONE)},
	{LEVEL_MAY, 0, 0, DANE_NONE, 0, MATCH, "", S(CERTIFICATE), SEND(MAY, OPPORTUNISTIC, NONE)},
	{LEVEL_MAY, 0, 0, DANE_USABLE, 0, MATCH, "req+sec", S(CERTIFICATE), SEND(DANE, DANE, TLSA)},
	{LEVEL_MAY, 0, 0, DANE_USABLE, 0, MATCH, "req+sec", S(OUTBOUND),
		SEND(VERIFY, REQUIRETLS, HOST)},
};

static void test_table(void **state)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct row *r = &table[i];
		struct level_input in = {
			.floor = r->floor,
			.dane_mode = r->dane_mode,
			.sts_mode = r->sts_mode,
			.dane = r->dane,
			.sts = r->sts,
			.sts_match = r->match,
			.mx_secure = strstr(r->message, "sec") != NULL,
			.require_tls = strstr(r->message, "req") != NULL,
			.tls_optional = strstr(r->message, "no") != NULL,
			.suspended = r->suspended,
		};
		struct level_verdict v = level_decide(&in);

		if (v.action != r->action || v.rule != r->rule ||
			(v.action == LEVEL_SEND && (v.level != r->level || v.names != r->names)))
			fail_msg("row %zu: %s %s by %s, names %s", i, level_action_name(v.action),
				level_name(v.level), level_rule_name(v.rule),
				level_names_name(v.names));
		assert_int_equal(v.action == LEVEL_SEND, v.code[0] == '\0');
		assert_int_equal(v.action == LEVEL_REFUSE, v.code[0] == '5');
	}
}

static void test_routed(void **state)
{
	/* A route of the partner's own: the domain's policy says nothing about that host. */
	struct level_input in = {.floor = LEVEL_VERIFY, .routed = true, .sts = STS_ENFORCE};

	assert_int_equal(level_decide(&in).action, LEVEL_SEND);
	in.sts_mode = LEVEL_REQUIRE;
	assert_int_equal(level_decide(&in).rule, LEVEL_RULE_STS_REQUIRED);
	in.sts_mode = LEVEL_AUTO;
	in.require_tls = true;
	assert_int_equal(level_decide(&in).level, LEVEL_VERIFY);
	assert_true(level_decide(&in).need_requiretls);
}

static void test_both_demanded(void **state)
{
	struct level_input in = {
		.floor = LEVEL_VERIFY, .dane_mode = LEVEL_REQUIRE, .dane = DANE_USABLE};

	assert_int_equal(level_decide(&in).names, LEVEL_NAMES_PARTNER);
	assert_true(level_decide(&in).tlsa);
	in.dane_mode = LEVEL_AUTO;
	assert_false(level_decide(&in).tlsa);
}

/* Laws that hold for each of all inputs. */
static void check_laws(const struct level_input *in)
{
	struct level_verdict v = level_decide(in), w;
	struct level_input other = *in;
	bool plain = in->suspended == 0;

	if (v.action == LEVEL_SEND) {
		/* The floor. */
		if (plain)
			assert_true(v.level >= (in->floor == LEVEL_STS ? LEVEL_STS : in->floor));
		/* A DNS failure never downgrades. */
		if (plain && in->dane >= DANE_FAILED && in->dane_mode != LEVEL_OFF)
			assert_true(in->tls_optional && !in->require_tls);
		/* REQUIRETLS is authenticated, whatever is suspended. */
		if (in->require_tls)
			assert_true(v.level >= LEVEL_STS && v.names != LEVEL_NAMES_NONE &&
				    v.need_requiretls);
		/* A level that looks at the certificate says by what. */
		assert_int_equal(v.level >= LEVEL_STS, v.names != LEVEL_NAMES_NONE);
		if (v.tlsa)
			assert_int_equal(in->dane, DANE_USABLE);
		if (v.names == LEVEL_NAMES_TLSA)
			assert_true(v.tlsa);
	}
	/* Suspending never makes it stricter; but where DANE goes, MTA-STS is asked again. */
	other.suspended = 0;
	w = level_decide(&other);
	if (w.action == LEVEL_SEND) {
		assert_true(v.action == LEVEL_SEND ||
			    (v.rule == LEVEL_RULE_STS_MISMATCH && in->dane == DANE_USABLE));
		if (!in->require_tls && v.action == LEVEL_SEND)
			assert_true(v.level <= w.level);
	}
	assert_true(plain ? !v.lifted : true);
	if (v.lifted)
		assert_true(w.action != LEVEL_SEND || v.level < w.level || (w.tlsa && !v.tlsa));
	/* An outbound suspension lets mail of no demand of its own through, always. */
	if (in->suspended & LEVEL_SUSPEND_OUTBOUND && !in->require_tls)
		assert_true(v.action == LEVEL_SEND && v.level <= LEVEL_MAY);
	/* A stronger floor is never answered by a weaker level. */
	if (v.action == LEVEL_SEND && in->floor < LEVEL_MUTUAL) {
		other = *in;
		other.floor = LEVEL_MUTUAL;
		w = level_decide(&other);
		if (w.action == LEVEL_SEND)
			assert_true(w.level >= v.level);
	}
}

static void test_all_combinations(void **state)
{
	struct level_input in;
	unsigned long n = 0;

	for (unsigned int bits = 0; bits < 1u << 9; bits++)
		for (unsigned int floor = 0; floor < LEVELS; floor++)
			for (unsigned int modes = 0; modes < 9; modes++)
				for (unsigned int dane = 0; dane < DANE_STATUSES; dane++)
					for (unsigned int sts = 0; sts < STS_MODES; sts++, n++) {
						in = (struct level_input){
							.floor = (enum level)floor,
							.dane_mode = (enum level_mode)(modes % 3),
							.sts_mode = (enum level_mode)(modes / 3),
							.dane = (enum dane_status)dane,
							.sts = (enum sts_mode)sts,
							.sts_match = bits & 1,
							.mx_secure = bits & 2,
							.routed = bits & 4,
							.require_tls = bits & 8,
							.tls_optional = bits & 16,
							.suspended = bits >> 5,
						};
						check_laws(&in);
					}
	assert_int_equal(n, 512 * 7 * 9 * 7 * 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_routed),
		cmocka_unit_test(test_both_demanded),
		cmocka_unit_test(test_all_combinations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
