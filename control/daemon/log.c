/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

static bool to_syslog;

void log_open(bool syslog_wanted)
{
	if (syslog_wanted && !to_syslog)
		openlog("postgated", LOG_PID | LOG_NDELAY, LOG_MAIL);
	else if (!syslog_wanted && to_syslog)
		closelog();
	to_syslog = syslog_wanted;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO};
	char text[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	if (to_syslog)
		syslog(priorities[level], "%s", text);
	else if (getenv("JOURNAL_STREAM") != NULL)
		fprintf(stderr, "<%d>%s\n", priorities[level], text);
	else
		fprintf(stderr, "postgated[%d]: %s\n", (int)getpid(), text);
}
