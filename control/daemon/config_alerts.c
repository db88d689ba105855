/* SPDX-License-Identifier: BSD-3-Clause */
/* The alerts section. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/daemon/config_check.h"
#include "control/daemon/value.h"

#define ARGUMENTS_MAX 32

static void check_command(struct check *c)
{
	struct config_alerts *a = &c->config->alerts;
	char *const *raw = c->raw->alerts.command;
	unsigned int n = c->raw->alerts.command_count;
	struct stat st;

	if (n == 0)
		return;
	if (n > ARGUMENTS_MAX) {
		check_fail(c, "command", "has more than %u words", ARGUMENTS_MAX);
		return;
	}
	/* No shell and no PATH: what runs is what stands here. */
	if (raw[0][0] != '/')
		check_fail(c, "command", "%s is not a path from / on (a list: [/path, argument])",
			value_quote(raw[0]));
	else if (stat(raw[0], &st) < 0)
		check_fail(c, "command", "%s: %s", value_quote(raw[0]), strerror(errno));
	else if (!S_ISREG(st.st_mode) || access(raw[0], X_OK) < 0)
		check_fail(
			c, "command", "%s is not a program that we may run", value_quote(raw[0]));
	a->command = calloc(n + 1, sizeof(*a->command));
	for (unsigned int i = 0; a->command != NULL && i < n; i++) {
		a->command[i] = strdup(raw[i]);
		if (a->command[i] == NULL) {
			check_fail(c, "command", "out of memory");
			return;
		}
	}
	if (a->command == NULL)
		check_fail(c, "command", "out of memory");
}

void check_alerts(struct check *c)
{
	struct config_alerts *a = &c->config->alerts;

	check_under(c, "alerts");
	check_command(c);
	a->after = (uint32_t)check_number(
		c, "after", c->raw->alerts.after, "1", "a number of messages", 1, 1000000);
	a->clear_after_ms = check_time(
		c, "clear-after", c->raw->alerts.clear_after, "10m", 60000, 7 * 86400000ull);
	a->timeout_ms = check_time(c, "timeout", c->raw->alerts.timeout, "30s", 1000, 600000);
	check_under(c, "%s", "");
}
