/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL for a test: no root, no hugepages, nothing shared. */
#ifndef POSTGATE_TESTS_UNIT_DATAPLANE_TCP_EAL_H
#define POSTGATE_TESTS_UNIT_DATAPLANE_TCP_EAL_H

#include <rte_common.h>
#include <rte_eal.h>

static inline int test_eal_init(void)
{
	const char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "-m", "128",
		"--no-telemetry", "--log-level=error", "-l", "0"};

	return rte_eal_init(RTE_DIM(argv), (char **)(uintptr_t)argv) < 0 ? -1 : 0;
}

/* A small generator of its own, so that a seed means the same everywhere. */
static inline uint64_t test_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

#endif
