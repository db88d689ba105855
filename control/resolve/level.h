/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protection that one message must get on its way to one host: a pure function of what the
 * partner record, the message, DANE, MTA-STS and suspensions say (design.md "Which protection").
 *
 * The strongest of REQUIRETLS (RFC 8689), the partner's floor, usable DANE (RFC 7672), MTA-STS
 * enforce (RFC 8461) and opportunistic TLS wins. Nothing published by the other side lowers the
 * floor, MTA-STS never overrides failing DANE, a DNS failure where DANE could apply defers.
 */
#ifndef POSTGATE_CONTROL_RESOLVE_LEVEL_H
#define POSTGATE_CONTROL_RESOLVE_LEVEL_H

#include "control/resolve/destination.h"

/* In ascending order; dane and sts are of the same strength, dane first if both apply. */
enum level {
	LEVEL_NONE, /* never TLS */
	LEVEL_MAY,
	LEVEL_ENCRYPT,
	LEVEL_STS,
	LEVEL_DANE,
	LEVEL_VERIFY,
	LEVEL_MUTUAL,
	LEVELS,
};

enum level_mode {
	LEVEL_AUTO,    /* if it is published */
	LEVEL_REQUIRE, /* no mail without it */
	LEVEL_OFF,
	LEVEL_MODES,
};

/* What a suspension lifts. */
enum level_suspension {
	LEVEL_SUSPEND_OUTBOUND =
		1 << 0, /* all that the partner record and its domains ask for: may */
	LEVEL_SUSPEND_DANE = 1 << 1,
	LEVEL_SUSPEND_STS = 1 << 2,
	LEVEL_SUSPEND_CERTIFICATE = 1 << 3, /* TLS stays, who is at its end does not matter */
};

struct level_input {
	enum level floor;
	enum level_mode dane_mode, sts_mode;
	enum dane_status dane;
	enum sts_mode sts;
	bool sts_match;         /* of this host, with a policy */
	bool mx_secure;         /* DNSSEC vouches for the host's being an MX of the domain */
	bool routed;            /* by the partner's own route: neither MX nor policy had a say */
	bool require_tls;       /* the MAIL parameter */
	bool tls_optional;      /* "TLS-Required: No"; REQUIRETLS wins over it (RFC 8689 4.1) */
	unsigned int suspended; /* LEVEL_SUSPEND_ */
};

enum level_action {
	LEVEL_SEND,
	LEVEL_DEFER,  /* not by this host, and later if there is no other */
	LEVEL_REFUSE, /* for good, if there is no other host */
	LEVEL_ACTIONS,
};

/* Whose names the certificate must have, and whose anchors must vouch for it. */
enum level_names {
	LEVEL_NAMES_NONE,
	LEVEL_NAMES_TLSA,    /* the host's TLSA records and `names` (DANE-TA) */
	LEVEL_NAMES_HOST,    /* the host's name, public anchors (RFC 8461 4.2, RFC 8689 4.2.1) */
	LEVEL_NAMES_PARTNER, /* as the partner record says */
	LEVEL_NAMES_KINDS,
};

#define LEVEL_RULES(X)                     \
	X(OPPORTUNISTIC, "opportunistic")  \
	X(FLOOR, "floor")                  \
	X(DANE, "dane")                    \
	X(DANE_UNUSABLE, "dane-unusable")  \
	X(STS, "sts")                      \
	X(REQUIRETLS, "requiretls")        \
	X(TLS_OPTIONAL, "tls-required-no") \
	X(SUSPENDED, "suspended")          \
	X(DANE_FAILED, "dane-failed")      \
	X(DANE_REQUIRED, "dane-required")  \
	X(STS_MISMATCH, "sts-mismatch")    \
	X(STS_REQUIRED, "sts-required")    \
	X(REQUIRETLS_MX, "requiretls-mx")

enum level_rule {
#define X(name, text) LEVEL_RULE_##name,
	LEVEL_RULES(X)
#undef X
		LEVEL_RULE_COUNT,
};

struct level_verdict {
	enum level_action action;
	enum level level;     /* LEVEL_SEND: what the connection must have */
	enum level_rule rule; /* that decided */
	enum level_names names;
	bool tlsa; /* the host's TLSA records must match (also beside the partner's names) */
	bool need_requiretls; /* the host must offer REQUIRETLS, and the message carries it on */
	bool sts_testing; /* a policy in testing mode would have judged: report, do not enforce */
	bool lifted;      /* a suspension made it weaker: mark it in the log */
	const char *code; /* "451 4.7.5" of DEFER and REFUSE; "" of SEND */
	const char *text; /* one line for the reply; "" of SEND */
};

struct level_verdict level_decide(const struct level_input *in);

/* Fills in what the resolver knows of the host; the rest of *in is left alone. */
void level_input_host(
	struct level_input *in, const struct destination *d, const struct destination_host *h);

const char *level_name(enum level l);
const char *level_rule_name(enum level_rule r);
const char *level_action_name(enum level_action a);
const char *level_names_name(enum level_names n);

#endif
