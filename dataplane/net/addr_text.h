/* SPDX-License-Identifier: BSD-3-Clause */
/* An address as text, without libc's formatted print: for the packet path. */
#ifndef POSTGATE_DATAPLANE_NET_ADDR_TEXT_H
#define POSTGATE_DATAPLANE_NET_ADDR_TEXT_H

#include <stddef.h>

#include "dataplane/net/addr.h"

#define IP_ADDR_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

/* "192.0.2.1", or RFC 5952's form of an IPv6 address. NUL-terminated; returns the length. */
size_t ip_addr_format(const struct ip_addr *a, char out[IP_ADDR_TEXT_MAX]);

#endif
