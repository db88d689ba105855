/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker's clock: nanoseconds since start, from the invariant TSC, no system call. */
#ifndef POSTGATE_DATAPLANE_CLOCK_H
#define POSTGATE_DATAPLANE_CLOCK_H

#include <stdint.h>

#include <rte_cycles.h>

struct clock_tsc {
	uint64_t start;
	uint64_t mult; /* ns per cycle, times 2^32 */
};

static inline void clock_tsc_init(struct clock_tsc *c)
{
	c->start = rte_rdtsc();
	c->mult = (uint64_t)(((unsigned __int128)1000000000 << 32) / rte_get_tsc_hz());
}

static inline uint64_t clock_tsc_ns(const struct clock_tsc *c, uint64_t tsc)
{
	return (uint64_t)(((unsigned __int128)(tsc - c->start) * c->mult) >> 32);
}

#endif
