/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/scan.h"

#include "smtp/smtp.h"

#define BLOCK    64
#define TEXT_MAX (SMTP_TEXT_LINE_MAX - 2)

#if defined(__x86_64__)
#include <immintrin.h>

/* One bit for each octet of a block. */
struct masks {
	uint64_t cr, lf, dot;
};

static inline __attribute__((always_inline)) struct masks block_sse2(const uint8_t *p, bool dots)
{
	struct masks m = {};

	for (unsigned i = 0; i < BLOCK / 16; i++) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + 16 * i));
		uint64_t cr = (uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('\r')));
		uint64_t lf = (uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));

		m.cr |= cr << (16 * i);
		m.lf |= lf << (16 * i);
		if (dots) {
			uint64_t dot =
				(uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')));
			m.dot |= dot << (16 * i);
		}
	}
	return m;
}

static inline __attribute__((always_inline, target("avx2"))) struct masks block_avx2(
	const uint8_t *p, bool dots)
{
	struct masks m = {};

	for (unsigned i = 0; i < BLOCK / 32; i++) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(p + 32 * i));
		uint64_t cr = (uint32_t)_mm256_movemask_epi8(
			_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\r')));
		uint64_t lf = (uint32_t)_mm256_movemask_epi8(
			_mm256_cmpeq_epi8(v, _mm256_set1_epi8('\n')));

		m.cr |= cr << (32 * i);
		m.lf |= lf << (32 * i);
		if (dots) {
			uint64_t dot = (uint32_t)_mm256_movemask_epi8(
				_mm256_cmpeq_epi8(v, _mm256_set1_epi8('.')));
			m.dot |= dot << (32 * i);
		}
	}
	return m;
}

/* The same walk for each instruction set: `block` is inlined into it. */
#define CLEAN_WALK(block)                                                           \
	ptrdiff_t n = 0, start = -(ptrdiff_t)s->line_len;                           \
	uint64_t cr_before = 0, lf_before = s->line_start;                          \
                                                                                    \
	for (; len - (size_t)n >= BLOCK; n += BLOCK) {                              \
		struct masks m = block(p + n, dots);                                \
                                                                                    \
		if (m.lf != (m.cr << 1 | cr_before))                                \
			break;                                                      \
		if (m.dot & (m.lf << 1 | lf_before))                                \
			break;                                                      \
		if (m.lf) {                                                         \
			/* Only the block's first line can have begun before it. */ \
			if (n + __builtin_ctzll(m.lf) - 1 - start > TEXT_MAX)       \
				break;                                              \
			start = n + BLOCK - __builtin_clzll(m.lf);                  \
		} else if (n + BLOCK - start > TEXT_MAX) {                          \
			break;                                                      \
		}                                                                   \
		cr_before = m.cr >> 63;                                             \
		lf_before = m.lf >> 63;                                             \
	}                                                                           \
	if (n == 0)                                                                 \
		return 0;                                                           \
	/* A CR at the end is judged together with what follows it. */              \
	n -= (ptrdiff_t)cr_before;                                                  \
	s->line_len = (uint32_t)(n - start);                                        \
	s->line_start = n == start;                                                 \
	return (size_t)n

static size_t clean_sse2(struct smtp_scan *s, const uint8_t *p, size_t len, bool dots)
{
	CLEAN_WALK(block_sse2);
}

__attribute__((target("avx2,bmi,lzcnt"))) static size_t clean_avx2(
	struct smtp_scan *s, const uint8_t *p, size_t len, bool dots)
{
	CLEAN_WALK(block_avx2);
}

size_t smtp_scan_clean(struct smtp_scan *s, const uint8_t *p, size_t len, bool dots)
{
	if (len < BLOCK)
		return 0;
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi"))
		return clean_avx2(s, p, len, dots);
	return clean_sse2(s, p, len, dots);
}

#else

/* Elsewhere the scanner's walk line by line, over the C library's memchr, does it all. */
size_t smtp_scan_clean(struct smtp_scan *s, const uint8_t *p, size_t len, bool dots)
{
	return 0;
}

#endif
