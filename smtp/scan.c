/* SPDX-License-Identifier: BSD-3-Clause */
#include "smtp/scan.h"

#include <string.h>

#include "smtp/smtp.h"

/* The rest of a search, line by line. `from`: where to begin, `p`: where the octets do. */
static size_t scan_to_dot_by_line(const uint8_t *p, size_t len, size_t from)
{
	const uint8_t *end = p + len, *lf = p + from;

	while ((lf = memchr(lf, '\n', (size_t)(end - lf)))) {
		lf++;
		if (lf == end)
			break;
		if (*lf == '.' && lf - p >= 2 && lf[-2] == '\r')
			return (size_t)(lf - p);
	}
	return len;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define BLOCK    64
#define TEXT_MAX (SMTP_TEXT_LINE_MAX - 2)

#define SCAN_INLINE static inline __attribute__((always_inline))
#define SCAN_AVX2   __attribute__((target("avx2,bmi,lzcnt,popcnt")))
#define SCAN_AVX512 __attribute__((target("avx512bw,avx2,bmi,lzcnt,popcnt")))

/* Bit i says whether octet i of a block is `c`. */
SCAN_INLINE uint64_t block_find_sse2(const uint8_t *p, char c)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < BLOCK / 16; i++) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + 16 * i));
		uint64_t m = (uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)));

		mask |= m << (16 * i);
	}
	return mask;
}

SCAN_INLINE SCAN_AVX2 uint64_t block_find_avx2(const uint8_t *p, char c)
{
	__m256i v0 = _mm256_loadu_si256((const __m256i *)p);
	__m256i v1 = _mm256_loadu_si256((const __m256i *)(p + 32));
	uint32_t m0 = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v0, _mm256_set1_epi8(c)));
	uint32_t m1 = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v1, _mm256_set1_epi8(c)));

	return m0 | (uint64_t)m1 << 32;
}

SCAN_INLINE SCAN_AVX512 uint64_t block_find_avx512(const uint8_t *p, char c)
{
	return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8(c));
}

/* What a block's walk carries on to the next. */
struct walk {
	ptrdiff_t start; /* of the line, relative to the first block; behind its stuffed dot */
	uint64_t cr;     /* the last octet was CR */
	uint64_t lf;     /* or LF: a line starts */
	uint32_t stuffed;
};

/* Takes in one block at `n`, given its masks; false, and nothing changed, if it needs a closer
 * look. */
SCAN_INLINE bool walk_block(struct walk *w, ptrdiff_t n, uint64_t cr, uint64_t lf, uint64_t dot)
{
	uint64_t starts = lf << 1 | w->lf, dotted = dot & starts;
	ptrdiff_t start = w->start, text;

	if (lf != (cr << 1 | w->cr))
		return false;
	/* Only the block's first line can have begun before it. No branch here: whether a line ends
	 * in a block is what a predictor cannot guess well. */
	text = n - start + (lf ? (ptrdiff_t)__builtin_ctzll(lf) - 1 : BLOCK);
	if (text > TEXT_MAX)
		return false;
	start = lf ? n + BLOCK - (ptrdiff_t)__builtin_clzll(lf) : start;
	if (__builtin_expect(dotted != 0, 0)) {
		unsigned last = BLOCK - 1 - (unsigned)__builtin_clzll(starts);

		/* Stuffed if something other than a line's end follows, and that is to be seen. */
		if (dotted >> (BLOCK - 1) || (dotted << 1 & (cr | lf)))
			return false;
		w->stuffed += (uint32_t)__builtin_popcountll(dotted);
		if (!(lf >> (BLOCK - 1)))
			start = n + (ptrdiff_t)(last + (dotted >> last & 1));
	}
	w->start = start;
	w->cr = cr >> (BLOCK - 1);
	w->lf = lf >> (BLOCK - 1);
	return true;
}

/* The two searches over whole blocks, the same for each instruction set. */
#define SCAN_DEFINE(set, attributes)                                                     \
	attributes static size_t clean_##set(                                            \
		struct smtp_scan *s, const uint8_t *p, size_t len, bool dots)            \
	{                                                                                \
		struct walk w = {.start = -(ptrdiff_t)s->line_len, .lf = s->line_start}; \
		ptrdiff_t n = 0;                                                         \
                                                                                         \
		for (; len - (size_t)n >= BLOCK; n += BLOCK) {                           \
			if (!walk_block(&w, n, block_find_##set(p + n, '\r'),            \
				    block_find_##set(p + n, '\n'),                       \
				    dots ? block_find_##set(p + n, '.') : 0))            \
				break;                                                   \
		}                                                                        \
		if (n == 0)                                                              \
			return 0;                                                        \
		/* A CR at the end is judged together with what follows it. */           \
		n -= (ptrdiff_t)w.cr;                                                    \
		s->line_len = (uint32_t)(n - w.start);                                   \
		s->line_start = w.lf;                                                    \
		s->stuffed += w.stuffed;                                                 \
		return (size_t)n;                                                        \
	}                                                                                \
                                                                                         \
	attributes static size_t to_dot_##set(const uint8_t *p, size_t len)              \
	{                                                                                \
		uint64_t lf_before = 0;                                                  \
		size_t n = 0;                                                            \
                                                                                         \
		for (; len - n >= BLOCK; n += BLOCK) {                                   \
			uint64_t lf = block_find_##set(p + n, '\n');                     \
                                                                                         \
			if (block_find_##set(p + n, '.') & (lf << 1 | lf_before))        \
				break;                                                   \
			lf_before = lf >> (BLOCK - 1);                                   \
		}                                                                        \
		return n - lf_before;                                                    \
	}

SCAN_DEFINE(sse2, )
SCAN_DEFINE(avx2, SCAN_AVX2)
SCAN_DEFINE(avx512, SCAN_AVX512)

enum smtp_scan_set smtp_scan_best(void)
{
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
		!__builtin_cpu_supports("popcnt"))
		return SMTP_SCAN_SSE2;
	return __builtin_cpu_supports("avx512bw") ? SMTP_SCAN_AVX512 : SMTP_SCAN_AVX2;
}

size_t smtp_scan_clean(
	enum smtp_scan_set set, struct smtp_scan *s, const uint8_t *p, size_t len, bool dots)
{
	switch (len < BLOCK ? SMTP_SCAN_PLAIN : set) {
	case SMTP_SCAN_AVX512:
		return clean_avx512(s, p, len, dots);
	case SMTP_SCAN_AVX2:
		return clean_avx2(s, p, len, dots);
	case SMTP_SCAN_SSE2:
		return clean_sse2(s, p, len, dots);
	default:
		return 0;
	}
}

size_t smtp_scan_to_dot(enum smtp_scan_set set, const uint8_t *p, size_t len)
{
	size_t n = 0;

	switch (len < BLOCK ? SMTP_SCAN_PLAIN : set) {
	case SMTP_SCAN_AVX512:
		n = to_dot_avx512(p, len);
		break;
	case SMTP_SCAN_AVX2:
		n = to_dot_avx2(p, len);
		break;
	case SMTP_SCAN_SSE2:
		n = to_dot_sse2(p, len);
		break;
	default:
		break;
	}
	return scan_to_dot_by_line(p, len, n);
}

#else

enum smtp_scan_set smtp_scan_best(void)
{
	return SMTP_SCAN_PLAIN;
}

/* The body scanner's walk line by line, over the C library's memchr, then does it all. */
size_t smtp_scan_clean(
	enum smtp_scan_set set, struct smtp_scan *s, const uint8_t *p, size_t len, bool dots)
{
	return 0;
}

size_t smtp_scan_to_dot(enum smtp_scan_set set, const uint8_t *p, size_t len)
{
	return scan_to_dot_by_line(p, len, 0);
}

#endif
