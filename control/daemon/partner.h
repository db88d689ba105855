/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One partner: an organisation that we exchange mail with, how its mail is recognised and what
 * protection it must have. Fields are checked and brought to one form as they are set, so that what
 * is stored needs no second look.
 */
#ifndef POSTGATE_CONTROL_DAEMON_PARTNER_H
#define POSTGATE_CONTROL_DAEMON_PARTNER_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <jansson.h>

#include "control/daemon/address.h"
#include "control/daemon/config.h"

#define PARTNER_NAME_MAX    64 /* with NUL */
#define PARTNER_CONTACT_MAX 256
#define PARTNER_NOTES_MAX   4096
#define PARTNER_ERROR_MAX   256

struct partner {
	uint32_t id; /* 0: not stored yet; never given to another partner later */
	char name[PARTNER_NAME_MAX];
	enum config_level inbound;
	size_t domain_count, address_count;
	uint32_t *domain_index; /* hash table of positions + 1, for long lists; NULL: none yet */
	size_t domain_index_size;
	char **domains; /* lower case, no trailing dot; "*.example.net": all names below, not itself
			 */
	struct prefix *addresses; /* no host bits */
	char *contact, *notes;    /* never NULL after partner_init() */
	time_t created, changed;
	time_t suspended_until; /* of its inbound level, suspension.h; 0: not suspended */
};

/* An empty record with level `encrypt` (what one makes a partner for). -ENOMEM. */
int partner_init(struct partner *p);
void partner_release(struct partner *p);

/* Each 0, -EINVAL with a text, -ENOMEM. The same domain or prefix twice is taken once. */
int partner_set_name(struct partner *p, const char *name, char *err);
int partner_add_domain(struct partner *p, const char *domain, char *err);
/* As it is, unlike any before it: of the store. */
int partner_append_domain(struct partner *p, const char *domain);
int partner_add_address(struct partner *p, const char *prefix, char *err);
int partner_set_level(struct partner *p, const char *level, char *err);
int partner_set_contact(struct partner *p, const char *contact, char *err);
int partner_set_notes(struct partner *p, const char *notes, char *err);
void partner_clear_domains(struct partner *p);
void partner_clear_addresses(struct partner *p);

/* The record as a whole: something to recognise it by. */
int partner_check(const struct partner *p, char *err);

/*
 * Applies {"domain": [...], "address": [...], "inbound": "...", "contact": "...", "notes": "..."}:
 * what is named is replaced, the rest stays; unknown keys are errors. `p` may be half changed on an
 * error.
 */
int partner_apply(struct partner *p, const json_t *fields, char *err);
/* The record for the API and the history. NULL without memory. */
json_t *partner_to_json(const struct partner *p);

#endif
