/* SPDX-License-Identifier: BSD-3-Clause */
/* A transcript and what must come of it, however it is cut. Include after cmocka.h. */
#ifndef POSTGATE_TESTS_SMTP_TRANSCRIPT_H
#define POSTGATE_TESTS_SMTP_TRANSCRIPT_H

#include <stdio.h>
#include <string.h>

#include "tests/unit/smtp/drive.h"

struct transcript {
	const char *name;
	struct drive_server_options options;
	const char *in;
	size_t len; /* 0: strlen(in) */
	const char *log;
};

static inline void transcript_run(const struct transcript *t, struct drive_cut cut, const char *how)
{
	struct drive d;

	drive_init(&d);
	drive_server(
		&d, &t->options, (const uint8_t *)t->in, t->len ? t->len : strlen(t->in), &cut);
	if (strcmp(d.log, t->log) != 0) {
		print_message("%s, cut %s (%zu)\n", t->name, how, cut.at);
		assert_string_equal(d.log, t->log);
	}
	drive_fini(&d);
}

static inline void transcript_check(const struct transcript *t)
{
	size_t len = t->len ? t->len : strlen(t->in);

	transcript_run(t, (struct drive_cut){.next = drive_cut_whole}, "nowhere");
	transcript_run(t, (struct drive_cut){.next = drive_cut_octets}, "everywhere");
	for (size_t i = 1; i<len; i += len> 8000 ? 97 : 1)
		transcript_run(t, (struct drive_cut){.next = drive_cut_at, .at = i}, "once");
	for (uint64_t seed = 1; seed < 20; seed++)
		transcript_run(t,
			(struct drive_cut){
				.next = drive_cut_random, .state = seed * 0x9e3779b97f4a7c15},
			"at random");
}

#endif
