/* SPDX-License-Identifier: BSD-3-Clause */
/* The Received field that goes in front of a message [rule 8]. */
#ifndef POSTGATE_DATAPLANE_GATEWAY_RECEIVED_H
#define POSTGATE_DATAPLANE_GATEWAY_RECEIVED_H

#include <stddef.h>
#include <stdint.h>

struct session;

#define GATEWAY_RECEIVED_MAX 2048 /* SMTP_RECEIVED_MAX: it always fits */

/* Octets written, CRLF included; never a dot first. */
size_t gateway_received(const struct session *s, char *out, size_t size, uint64_t now);

#endif
