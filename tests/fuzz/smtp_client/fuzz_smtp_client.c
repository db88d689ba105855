/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A next hop's octets into the client engine: it says and does the same however the input is cut.
 * The first octet chooses the cuts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/smtp/drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct drive_cut cuts[] = {
		{.next = drive_cut_whole},
		{.next = drive_cut_random},
		{.next = drive_cut_octets},
	};
	struct drive first, d;

	if (size < 1 || size > 1 << 16)
		return 0;
	cuts[1].state = 0x9e3779b97f4a7c15 * (data[0] + 1u);
	drive_init(&first);
	drive_client(&first, data + 1, size - 1, &cuts[0]);
	for (size_t i = 1; i < (size > 4096 ? 2 : 3); i++) {
		drive_init(&d);
		drive_client(&d, data + 1, size - 1, &cuts[i]);
		if (strcmp(first.log, d.log) != 0) {
			fprintf(stderr, "whole:\n%s\ncut:\n%s\n", first.log, d.log);
			abort();
		}
		drive_fini(&d);
	}
	drive_fini(&first);
	return 0;
}
