/* SPDX-License-Identifier: BSD-3-Clause */
/* One question about a domain, from the first look-up to its destination. */
#ifndef POSTGATE_CONTROL_RESOLVE_QUESTION_H
#define POSTGATE_CONTROL_RESOLVE_QUESTION_H

#include "control/resolve/resolve.h"

struct dns;
struct sts;
struct question;

struct question_params {
	const struct resolve_params *resolve;
	struct dns *dns;
	struct sts *sts; /* NULL: off */
	/* Once, never from inside question_start(). The reference is the receiver's. */
	void (*done)(void *arg, struct destination *d);
	void *arg;
};

/* 0 or -ENOMEM. */
int question_start(const struct question_params *params, const char *domain, struct question **out);
/* Ends it now, as a time-out of all that is open; done() is called. */
void question_expire(struct question *q);
/* No callback. NULL is allowed. */
void question_cancel(struct question *q);

/* Without asking anybody: a destination of that status. NULL: no memory. */
struct destination *question_refused(const struct resolve_params *params, const char *domain,
	enum destination_status status, const char *why);

#endif
