/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef POSTGATE_CONTROL_CLI_RUN_H
#define POSTGATE_CONTROL_CLI_RUN_H

#include <stdio.h>

#include "control/cli/client.h"
#include "control/cli/command.h"

/* Asks, and prints what comes. Returns an exit code. A stream ends when the daemon or `out` does.
 */
int cli_run(struct client *c, const struct cli_line *line, FILE *out, FILE *err);

#endif
