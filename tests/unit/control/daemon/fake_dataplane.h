/* SPDX-License-Identifier: BSD-3-Clause */
/* A dataplane that keeps what it is told, for tests of the daemon: one end of a socket pair. */
#ifndef POSTGATE_TESTS_DAEMON_FAKE_DATAPLANE_H
#define POSTGATE_TESTS_DAEMON_FAKE_DATAPLANE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/ipc/config.h"
#include "control/ipc/event.h"
#include "control/ipc/ipc.h"
#include "control/ipc/policy.h"
#include "control/ipc/query.h"

#define FAKE_PARTNERS 4096
#define FAKE_WORKERS  2

struct fake_state {
	uint64_t generation;
	char hostname[256];
	unsigned int interfaces, addresses, routes, listeners, next_hops;
	struct fake_partner {
		uint32_t id;
		uint8_t inbound;
		uint64_t suspended_until;
		char name[IPC_PARTNER_NAME_MAX];
		unsigned int domains, prefixes;
	} partners[FAKE_PARTNERS];
	unsigned int partner_count;
};

struct fake {
	int fd; /* -1: not connected */
	struct fake_state committed, building;
	bool open, subscribed;

	/* What to do wrong. */
	bool silent;        /* answers nothing */
	bool deaf;          /* does not even read */
	bool die_at_commit; /* closes in place of COMMIT's answer */
	int refuse_begin;   /* errno of BEGIN's answer, that many times: refuse_count */
	int refuse_commit;  /* errno */
	unsigned int refuse_count;
	char refuse_text[64];

	/* What was seen. */
	unsigned int config_begins, policy_begins, commits;
};

/* A fresh connection; returns the client's end. The state stays. */
int fake_connect(struct fake *f);
void fake_close(struct fake *f);
/* Reads and answers what is there; true if there was something. */
bool fake_pump(struct fake *f);
/* `count` session events, numbered from `first` on. */
void fake_events(struct fake *f, unsigned int first, unsigned int count);
/* This one, `count` times. */
void fake_event(struct fake *f, const struct ipc_event *event, unsigned int count);
const struct fake_partner *fake_partner(const struct fake *f, const char *name);

#endif
