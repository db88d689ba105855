/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IP addresses and prefixes as the operator writes them, and as the dataplane takes them: 16
 * octets, IPv4 in its mapped form (RFC 4291 2.5.5.2), prefix lengths on the 128-bit form.
 */
#ifndef POSTGATE_CONTROL_DAEMON_ADDRESS_H
#define POSTGATE_CONTROL_DAEMON_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address {
	uint8_t b[16];
};

struct prefix {
	struct address addr;
	uint8_t len; /* on the 128-bit form */
};

#define ADDRESS_TEXT_MAX 46
#define PREFIX_TEXT_MAX  50

/* 0 or -EINVAL. No brackets, no zone. */
int address_parse(const char *text, struct address *out);
bool address_is_v4(const struct address *a);
bool address_is_unspecified(const struct address *a);
bool address_equal(const struct address *a, const struct address *b);
/* fe80::/10 */
bool address_is_link_local(const struct address *a);
/* An address that a host can have: not unspecified, multicast or (v4) the broadcast address. */
bool address_is_host(const struct address *a);
void address_format(const struct address *a, char out[ADDRESS_TEXT_MAX]);

/* "192.0.2.0/24", "2001:db8::/32"; without "/" a host prefix. 0 or -EINVAL. Host bits stay as
 * given. */
int prefix_parse(const char *text, struct prefix *out);
/* Whether bits beyond the length are set. */
bool prefix_has_host_bits(const struct prefix *p);
bool prefix_contains(const struct prefix *p, const struct address *a);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
/* Host prefixes without their length. */
void prefix_format(const struct prefix *p, char out[PREFIX_TEXT_MAX]);

#endif
