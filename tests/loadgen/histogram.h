/* SPDX-License-Identifier: BSD-3-Clause */
/* Latencies, as HdrHistogram keeps them: buckets of equal relative width (1/128), any range. */
#ifndef POSTGATE_TESTS_LOADGEN_HISTOGRAM_H
#define POSTGATE_TESTS_LOADGEN_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_BUCKETS  ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
	uint64_t count, max, min, sum;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
/* Upper end of the bucket in which the fraction `q` of all values is reached, 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double q);
/* Adds what is in `from`. */
void histogram_merge(struct histogram *h, const struct histogram *from);

#endif
