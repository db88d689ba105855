/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of the commands. */
#include "control/cli/command.h"
#include "control/cli/render.h"

static const struct cli_option stats_options[] = {
	{"--nonzero", "nonzero", NULL, "leave out what is zero"},
	{"--per-worker", "per_worker", NULL, "one column for each worker"},
	{NULL},
};

static const struct cli_option sessions_options[] = {
	{"--limit", "limit", "N", "show at most N (default 100)"},
	{"--tcp", "tcp", NULL, "the TCP connections instead"},
	{NULL},
};

static const struct cli_option events_options[] = {
	{"--follow", "follow", NULL, "go on with new ones as they come, until interrupted"},
	{"--last", "last", "N", "begin with the last N (default 20)"},
	{NULL},
};

static const struct cli_field partner_fields[] = {
	{"domain", true, NULL, "sender domains: example.net, *.example.net"},
	{"address", true, NULL, "client addresses: 192.0.2.0/24, 2001:db8::/32"},
	{"inbound", false, "none may encrypt", "protection that its mail to us must have"},
	{"contact", false, NULL, "whom to call, not by that partner's e-mail"},
	{"notes", false, NULL, "anything"},
	{NULL},
};

#define REASON                                                           \
	{                                                                \
		"--reason", "reason", "TEXT", "why, for the history", "" \
	}
#define STAGE                                                                       \
	{                                                                           \
		"--stage", "stage", NULL, "keep it for the next commit (see: diff)" \
	}

static const struct cli_option change_options[] = {STAGE, REASON, {NULL}};

static const struct cli_option reason_options[] = {REASON, {NULL}};

static const struct cli_option suspend_options[] = {
	{"--scope", "scope", "SCOPE", "what is lifted", "inbound outbound dane sts certificate"},
	{"--for", "for", "TIME", "how long: 30m, 2h, 1d (30d at most)", ""},
	{"--reason", "reason", "TEXT", "why (needed)", ""},
	{"--ticket", "ticket", "TEXT", "where it is tracked", ""},
	{NULL},
};

static const struct cli_option history_options[] = {
	{"--limit", "limit", "N", "show at most N (default 20)"},
	{NULL},
};

static const struct cli_option commit_options[] = {
	{"--confirm-within", "confirm_within", "TIME",
		"undone by itself unless confirmed in this time: 10m", ""},
	REASON,
	{NULL},
};

#define SINCE                                                                                \
	{                                                                                    \
		"--since", "since", "TIME", "back to: 7d, 12h, 2026-11-01 (default 30d)", "" \
	}

static const struct cli_option coverage_options[] = {
	{"--partner", "partner", "NAME", "of this one only", ""},
	SINCE,
	{NULL},
};

static const struct cli_option since_options[] = {SINCE, {NULL}};

static const struct cli_option suggest_options[] = {
	SINCE,
	{"--min", "min", "N", "of those with N messages at least (default 10)"},
	{NULL},
};

static const struct cli_option explain_options[] = {
	{"--from", "from", "ADDRESS", "sender: a@example.net, example.net, or <>", ""},
	{"--to", "to", "ADDRESS", "recipient", ""},
	{"--client", "client", "ADDRESS", "IP address that it comes from", ""},
	{"--tls", "tls", NULL, "only as it would be after STARTTLS"},
	{NULL},
};

const struct cli_command cli_commands[] = {
	{"status", "", "both processes: version, uptime, generation", "status", NULL, NULL, NULL,
		render_status, NULL},
	{"workers", "", "each worker: load, connections, pool levels", "workers", NULL, NULL, NULL,
		render_workers, NULL},
	{"stats", "", "every counter, drop reasons by name", "stats", NULL, stats_options, NULL,
		render_stats, NULL},
	{"sessions", "", "the sessions that are open", "sessions", NULL, sessions_options, NULL,
		render_sessions, NULL},
	{"next-hops", "", "the servers that mail goes to, and their health", "next-hops", NULL,
		NULL, NULL, render_next_hops, NULL},
	{"partner set", "NAME [FIELD=VALUE]...",
		"make a partner, or change the named fields of one", "partner-set", "name",
		change_options, partner_fields, render_partner_changed, NULL},
	{"partner show", "NAME", "one partner, every field", "partner-show", "name", NULL, NULL,
		render_partner, NULL},
	{"partner list", "", "all partners", "partner-list", NULL, NULL, NULL, render_partners,
		NULL},
	{"partner delete", "NAME", "remove a partner; its mail is a stranger's then",
		"partner-delete", "name", change_options, NULL, render_partner_changed, NULL},
	{"diff", "", "what the staged changes would do", "diff", NULL, NULL, NULL, render_changes,
		NULL},
	{"commit", "", "apply what is staged", "commit", NULL, commit_options, NULL, render_changes,
		NULL},
	{"confirm", "", "keep a commit that would be undone by itself", "confirm", NULL,
		reason_options, NULL, render_confirmed, NULL},
	{"discard", "", "forget what is staged", "discard", NULL, NULL, NULL, render_discarded,
		NULL},
	{"undo", "", "back to the state before the last commit", "undo", NULL, reason_options, NULL,
		render_changes, NULL},
	{"history", "", "who changed what, when and why", "history", NULL, history_options, NULL,
		render_history, NULL},
	{"suspend", "NAME --scope SCOPE --for TIME --reason TEXT",
		"lift a part of a partner's policy for a time", "suspend", "name", suspend_options,
		NULL, render_suspended, NULL},
	{"resume", "NAME", "end a suspension", "resume", "name", reason_options, NULL,
		render_partner_changed, NULL},
	{"suspensions", "", "what is lifted, for how long, why", "suspensions", NULL, NULL, NULL,
		render_suspensions, NULL},
	{"resolve", "DOMAIN", "the way to a domain: MX, addresses, DNSSEC, DANE, MTA-STS",
		"resolve", "domain", NULL, NULL, render_resolve, NULL},
	{"report coverage", "", "messages encrypted, in the clear, refused, by partner and suite",
		"report-coverage", NULL, coverage_options, NULL, render_coverage, NULL},
	{"report would-break", "LEVEL", "who could not send any more if LEVEL were required",
		"report-would-break", "level", since_options, NULL, render_would_break, NULL,
		.positional_words = "encrypt"},
	{"report suggest", "", "partners that could be promoted", "report-suggest", NULL,
		suggest_options, NULL, render_suggest, NULL},
	{"explain", "--from ADDRESS [--to ADDRESS] [--client ADDRESS] [--tls]",
		"which rule decides for a message, and what it would be told", "explain", NULL,
		explain_options, NULL, render_explain, NULL},
	{"alerts", "", "partners whose mail is refused now, and whom to call", "alerts", NULL, NULL,
		NULL, render_alerts, NULL},
	{"reload", "", "read the configuration again and apply it", "reload", NULL, NULL, NULL,
		render_reload, NULL},
	{"events", "", "sessions and messages as they end", "events", NULL, events_options, NULL,
		render_events, "follow"},
	{"help", "[COMMAND]", "this, or more on one command", NULL, "command", NULL, NULL, NULL,
		NULL},
	{NULL},
};
