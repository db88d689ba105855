/* SPDX-License-Identifier: BSD-3-Clause */
/* Domain names as text: lower case, A-labels, no trailing dot. */
#ifndef POSTGATE_CONTROL_RESOLVE_NAME_H
#define POSTGATE_CONTROL_RESOLVE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_MAX_TEXT 254 /* with its NUL (RFC 1035 3.1: 255 octets on the wire) */

/*
 * Lower case, one trailing dot off, checked: labels of 1 to 63 letters, digits, "-" and "_", none
 * beginning or ending with "-", at least one of them not a number (else it is an address). 0 or
 * -EINVAL.
 */
int name_normalize(const char *text, char out[NAME_MAX_TEXT]);

/*
 * The name at `at` of a DNS message, decompressed (RFC 1035 4.1.4): *next is behind it. The root is
 * "". -EBADMSG: not a name; -EILSEQ: a name with octets that no host name has (*next is set).
 */
int name_from_wire(
	const uint8_t *msg, size_t len, size_t at, char out[NAME_MAX_TEXT], size_t *next);

/* SipHash-1-3: buckets cannot be guessed by those who choose the names. */
uint64_t name_hash(const uint64_t key[2], const char *name);

#endif
