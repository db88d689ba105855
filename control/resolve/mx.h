/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of next hops (RFC 5321 5.1). No I/O. */
#ifndef POSTGATE_CONTROL_RESOLVE_MX_H
#define POSTGATE_CONTROL_RESOLVE_MX_H

#include "control/resolve/name.h"

struct mx {
	uint16_t preference;
	char name[NAME_MAX_TEXT]; /* "": null MX */
};

/* A domain that takes no mail: one record, its target the root (RFC 7505 3). */
bool mx_is_null(const struct mx *mx, size_t count);

/*
 * Takes out targets that are no names and doubles, sorts by preference, shuffles equal ones with
 * `random` (called with arg, any 32 bits), and cuts at the first that is one of `self`: neither it
 * nor anything as preferred or less is left. *self_found says that this happened. Returns how many
 * are left.
 */
size_t mx_order(struct mx *mx, size_t count, const char *const *self, size_t self_count,
	uint32_t (*random)(void *arg), void *arg, bool *self_found);

#endif
