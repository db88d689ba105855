/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client's octets into the server engine. drive_server() checks what is handed out of a body;
 * here: that the engine says and does the same however the input is cut. The first two octets
 * choose the limits and the cuts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/smtp/drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct drive_server_options o = {};
	struct drive_cut cuts[] = {
		{.next = drive_cut_whole},
		{.next = drive_cut_random},
		{.next = drive_cut_octets},
	};
	struct drive first, d;

	if (size < 2 || size > 1 << 16)
		return 0;
	o.size_limit = data[0] & 1 ? data[1] : 0;
	o.max_recipients = data[0] & 2 ? 2 : 0;
	o.max_bad = data[0] & 4 ? 3 : 0;
	o.max_idle = data[0] & 8 ? 4 : 0;
	o.max_received = data[0] & 16 ? 2 : 100;
	o.banner = data[0] & 32 ? 554 : 0;
	cuts[1].state = 0x9e3779b97f4a7c15 * (data[1] + 1u);
	drive_init(&first);
	drive_server(&first, &o, data + 2, size - 2, &cuts[0]);
	for (size_t i = 1; i < (size > 4096 ? 2 : 3); i++) {
		drive_init(&d);
		drive_server(&d, &o, data + 2, size - 2, &cuts[i]);
		if (strcmp(first.log, d.log) != 0) {
			fprintf(stderr, "whole:\n%s\ncut:\n%s\n", first.log, d.log);
			abort();
		}
		drive_fini(&d);
	}
	drive_fini(&first);
	return 0;
}
