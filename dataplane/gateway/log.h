/* SPDX-License-Identifier: BSD-3-Clause */
/* Fills in the records of event.h. */
#ifndef POSTGATE_DATAPLANE_GATEWAY_LOG_H
#define POSTGATE_DATAPLANE_GATEWAY_LOG_H

#include "dataplane/gateway/internal.h"

void log_next_hop(const struct hop *hop, uint64_t now);
void log_session(const struct session *s, uint64_t now);
/* A transaction ended. Code, status and text: the last that the client was, or would have been,
 * told. */
void log_message(struct session *s, enum gateway_outcome outcome, uint16_t code,
	struct smtp_status status, struct smtp_str text, uint64_t now);

#endif
