/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/loadgen/histogram.h"

#define SUB (1u << HISTOGRAM_SUB_BITS)

static uint32_t histogram_bucket(uint64_t value)
{
	uint32_t shift;

	if (value < SUB)
		return (uint32_t)value;
	/* The highest bit and the HISTOGRAM_SUB_BITS behind it. */
	shift = 63 - (uint32_t)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return ((shift + 1) << HISTOGRAM_SUB_BITS) + (uint32_t)((value >> shift) - SUB);
}

static uint64_t histogram_upper(uint32_t bucket)
{
	uint32_t shift;

	if (bucket < SUB)
		return bucket;
	shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	return ((uint64_t)(bucket % SUB + SUB + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
	if (h->count == 0 || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->count++;
	h->sum += value;
	h->buckets[histogram_bucket(value)]++;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
	uint64_t want = (uint64_t)(q * (double)h->count + 0.999999), seen = 0;

	if (h->count == 0)
		return 0;
	if (want == 0)
		want = 1;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen >= want)
			return histogram_upper(i) < h->max ? histogram_upper(i) : h->max;
	}
	return h->max;
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
	if (from->count == 0)
		return;
	if (h->count == 0 || from->min < h->min)
		h->min = from->min;
	if (from->max > h->max)
		h->max = from->max;
	h->count += from->count;
	h->sum += from->sum;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->buckets[i] += from->buckets[i];
}
