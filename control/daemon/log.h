/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's log: one line each, to stderr (the journal's priority prefix where that is it) or
 * syslog. */
#ifndef POSTGATE_CONTROL_DAEMON_LOG_H
#define POSTGATE_CONTROL_DAEMON_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
};

/* May be called again, after a reload. */
void log_open(bool to_syslog);
/* Control characters show as "?". */
__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *fmt, ...);

#endif
