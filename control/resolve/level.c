/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/resolve/level.h"

/* What is left of the input once suspensions and the message's own wish have been heard. */
struct effective {
	enum level floor;
	enum level_mode dane_mode, sts_mode;
	bool require_tls;
	bool certificate; /* is looked at */
};

static struct level_verdict stop(
	enum level_action action, enum level_rule rule, const char *code, const char *text)
{
	return (struct level_verdict){.action = action, .rule = rule, .code = code, .text = text};
}

static struct effective weigh(const struct level_input *in)
{
	bool all = in->suspended & LEVEL_SUSPEND_OUTBOUND;
	struct effective e = {
		.floor = in->floor,
		.require_tls = in->require_tls,
		.certificate = !(in->suspended & LEVEL_SUSPEND_CERTIFICATE),
	};

	/* A floor of dane or sts is the same as requiring it; suspending that leaves TLS. */
	e.dane_mode = in->floor == LEVEL_DANE ? LEVEL_REQUIRE : in->dane_mode;
	e.sts_mode = in->floor == LEVEL_STS ? LEVEL_REQUIRE : in->sts_mode;
	if (e.floor == LEVEL_DANE || e.floor == LEVEL_STS)
		e.floor = LEVEL_ENCRYPT;
	if (all && e.floor > LEVEL_MAY)
		e.floor = LEVEL_MAY;
	if (all || in->suspended & LEVEL_SUSPEND_DANE)
		e.dane_mode = LEVEL_OFF;
	if (all || in->suspended & LEVEL_SUSPEND_STS)
		e.sts_mode = LEVEL_OFF;
	/* RFC 8689 5: what the recipient's side has published is ignored; what our operator
	 * requires of this partner is not that. */
	if (in->tls_optional && !in->require_tls) {
		if (e.dane_mode == LEVEL_AUTO)
			e.dane_mode = LEVEL_OFF;
		if (e.sts_mode == LEVEL_AUTO)
			e.sts_mode = LEVEL_OFF;
	}
	return e;
}

/* Does what is published there forbid this host? LEVEL_SEND: no. */
static struct level_verdict check_published(const struct level_input *in, const struct effective *e)
{
	bool sts = e->sts_mode != LEVEL_OFF && !in->routed && in->sts == STS_ENFORCE;

	/* RFC 7672 2.1.2: not by that server, whatever else there is. */
	if (e->dane_mode != LEVEL_OFF && in->dane >= DANE_FAILED)
		return stop(LEVEL_DEFER, LEVEL_RULE_DANE_FAILED, "451 4.7.5",
			"DANE of the next hop could not be determined");
	if (e->dane_mode == LEVEL_REQUIRE && in->dane != DANE_USABLE)
		return stop(LEVEL_DEFER, LEVEL_RULE_DANE_REQUIRED, "451 4.7.5",
			"DANE is required, and the next hop has no usable TLSA records");
	if (e->sts_mode == LEVEL_REQUIRE && (in->sts != STS_ENFORCE || in->routed))
		return stop(LEVEL_DEFER, LEVEL_RULE_STS_REQUIRED, "451 4.7.5",
			"MTA-STS is required, and the domain has no policy to enforce");
	/* RFC 8461 2: DANE goes first; where it holds, the policy is not asked. */
	if (sts && !in->sts_match &&
		(e->sts_mode == LEVEL_REQUIRE || e->dane_mode == LEVEL_OFF ||
			in->dane != DANE_USABLE))
		return stop(LEVEL_DEFER, LEVEL_RULE_STS_MISMATCH, "451 4.7.5",
			"the next hop is not in the domain's MTA-STS policy");
	/* RFC 8689 4.2.1: a host by an unsigned MX must be one of the policy. */
	if (e->require_tls && !in->mx_secure && !in->routed &&
		(in->sts == STS_NONE || !in->sts_match))
		return stop(LEVEL_REFUSE, LEVEL_RULE_REQUIRETLS_MX, "550 5.7.30",
			"REQUIRETLS: neither DNSSEC nor MTA-STS vouches for the next hop");
	return (struct level_verdict){.action = LEVEL_SEND, .code = "", .text = ""};
}

static void raise(
	struct level_verdict *v, enum level level, enum level_rule rule, enum level_names names)
{
	if (level <= v->level)
		return;
	v->level = level;
	v->rule = rule;
	v->names = names;
}

static struct level_verdict decide(const struct level_input *in)
{
	struct effective e = weigh(in);
	struct level_verdict v = check_published(in, &e);
	bool dane = e.dane_mode != LEVEL_OFF && in->dane == DANE_USABLE;
	bool sts = e.sts_mode != LEVEL_OFF && !in->routed;

	v.sts_testing = sts && in->sts == STS_TESTING;
	if (v.action != LEVEL_SEND)
		return v;
	v.level = e.floor < LEVEL_MAY ? e.floor : LEVEL_MAY;
	v.rule = e.floor == LEVEL_NONE ? LEVEL_RULE_FLOOR : LEVEL_RULE_OPPORTUNISTIC;
	raise(&v, e.floor, LEVEL_RULE_FLOOR,
		e.floor >= LEVEL_VERIFY ? LEVEL_NAMES_PARTNER : LEVEL_NAMES_NONE);
	/* RFC 7672 2.2: records, but no usable one: TLS is sure to be there. */
	if (e.dane_mode != LEVEL_OFF && in->dane == DANE_UNUSABLE)
		raise(&v, LEVEL_ENCRYPT, LEVEL_RULE_DANE_UNUSABLE, LEVEL_NAMES_NONE);
	if (sts && in->sts == STS_ENFORCE && in->sts_match)
		raise(&v, LEVEL_STS, LEVEL_RULE_STS, LEVEL_NAMES_HOST);
	if (dane)
		raise(&v, LEVEL_DANE, LEVEL_RULE_DANE, LEVEL_NAMES_TLSA);
	/* REQUIRETLS wants the server authenticated: by what there is, else by the public anchors.
	 */
	if (e.require_tls && v.level < LEVEL_STS)
		raise(&v, LEVEL_VERIFY, LEVEL_RULE_REQUIRETLS, LEVEL_NAMES_HOST);
	v.need_requiretls = e.require_tls;
	/* A stronger floor replaces DANE, unless DANE was asked for by name: then both must hold.
	 */
	v.tlsa = v.names == LEVEL_NAMES_TLSA || (dane && e.dane_mode == LEVEL_REQUIRE);
	/* A sender who demands an authenticated next hop is not the partner's to be suspended. */
	if (!e.certificate && v.level > LEVEL_ENCRYPT && !e.require_tls) {
		v.level = LEVEL_ENCRYPT;
		v.rule = LEVEL_RULE_SUSPENDED;
		v.names = LEVEL_NAMES_NONE;
		v.tlsa = false;
	}
	return v;
}

static bool is_weaker(const struct level_verdict *v, const struct level_verdict *than)
{
	if (v->action != LEVEL_SEND)
		return false;
	return than->action != LEVEL_SEND || v->level < than->level || (than->tlsa && !v->tlsa);
}

struct level_verdict level_decide(const struct level_input *in)
{
	struct level_verdict v = decide(in), otherwise;
	struct level_input without = *in;

	if (in->suspended != 0) {
		without.suspended = 0;
		otherwise = decide(&without);
		v.lifted = is_weaker(&v, &otherwise);
	}
	if (v.action != LEVEL_SEND || v.level > LEVEL_MAY || v.rule == LEVEL_RULE_FLOOR)
		return v;
	/* Why no more than opportunistic? */
	without = *in;
	without.tls_optional = false;
	otherwise = decide(&without);
	if (v.lifted)
		v.rule = LEVEL_RULE_SUSPENDED;
	else if (is_weaker(&v, &otherwise))
		v.rule = LEVEL_RULE_TLS_OPTIONAL;
	return v;
}

void level_input_host(
	struct level_input *in, const struct destination *d, const struct destination_host *h)
{
	in->dane = h->dane;
	in->sts = d->sts.mode;
	in->sts_match = h->sts_match;
	in->mx_secure = d->mx_secure;
}

const char *level_name(enum level l)
{
	static const char *const names[LEVELS] = {
		[LEVEL_NONE] = "none",
		[LEVEL_MAY] = "may",
		[LEVEL_ENCRYPT] = "encrypt",
		[LEVEL_STS] = "sts",
		[LEVEL_DANE] = "dane",
		[LEVEL_VERIFY] = "verify",
		[LEVEL_MUTUAL] = "mutual",
	};

	return l < LEVELS ? names[l] : "?";
}

const char *level_rule_name(enum level_rule r)
{
	static const char *const names[LEVEL_RULE_COUNT] = {
#define X(name, text) [LEVEL_RULE_##name] = text,
		LEVEL_RULES(X)
#undef X
	};

	return r < LEVEL_RULE_COUNT ? names[r] : "?";
}

const char *level_action_name(enum level_action a)
{
	static const char *const names[LEVEL_ACTIONS] = {
		[LEVEL_SEND] = "send",
		[LEVEL_DEFER] = "defer",
		[LEVEL_REFUSE] = "refuse",
	};

	return a < LEVEL_ACTIONS ? names[a] : "?";
}

const char *level_names_name(enum level_names n)
{
	static const char *const names[LEVEL_NAMES_KINDS] = {
		[LEVEL_NAMES_NONE] = "none",
		[LEVEL_NAMES_TLSA] = "tlsa",
		[LEVEL_NAMES_HOST] = "host",
		[LEVEL_NAMES_PARTNER] = "partner",
	};

	return n < LEVEL_NAMES_KINDS ? names[n] : "?";
}
