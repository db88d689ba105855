/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef POSTGATE_CONTROL_DAEMON_RESOLVER_JSON_H
#define POSTGATE_CONTROL_DAEMON_RESOLVER_JSON_H

#include <jansson.h>

#include "control/resolve/destination.h"

/* All that is known of a destination; for each host what a stranger's message would get. */
json_t *resolver_json(const struct destination *d);

#endif
