/* SPDX-License-Identifier: BSD-3-Clause */
/* TLSA records as SMTP uses them (RFC 7672 3.1). No I/O. */
#ifndef POSTGATE_CONTROL_RESOLVE_TLSA_H
#define POSTGATE_CONTROL_RESOLVE_TLSA_H

#include "control/resolve/destination.h"

#define TLSA_DATA_MAX 4096 /* of one record; whole certificates and keys are smaller */

/* RFC 7671 2.1, RFC 6698 2.1.1 */
enum { TLSA_PKIX_TA = 0, TLSA_PKIX_EE = 1, TLSA_DANE_TA = 2, TLSA_DANE_EE = 3 };
enum { TLSA_SELECTOR_CERT = 0, TLSA_SELECTOR_SPKI = 1 };
enum { TLSA_FULL = 0, TLSA_SHA256 = 1, TLSA_SHA512 = 2 };

/* Rdata into *out, which points into it. -EBADMSG: too short. */
int tlsa_parse(const uint8_t *rdata, size_t len, struct destination_tlsa *out);

/* DANE-TA or DANE-EE, a selector and matching type that we know, data of the right size. PKIX-TA
 * and PKIX-EE are unusable for SMTP (RFC 7672 3.1.3). */
bool tlsa_is_usable(const struct destination_tlsa *t);

/* Keeps the usable ones, and of each usage and selector only the strongest digest besides full
 * data (digest agility, RFC 7671 9); doubles go. DANE-EE first. Returns how many are left. */
size_t tlsa_select(struct destination_tlsa *records, size_t count);

#endif
