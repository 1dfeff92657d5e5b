/* scan.c - see scan.h. Two loads 1 byte apart are compared 16 bytes at a time; SSE2 is part of x86-64, NEON not used yet. */
#include "sensor/scan.h"

#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

const char *scan_newline_dot(const char *p, size_t n)
{
	const char *end = p + n;

#ifdef __SSE2__
	const __m128i newline = _mm_set1_epi8('\n'), dot = _mm_set1_epi8('.');

	while (end - p > 32) {
		const __m128i *a = (const __m128i *)(const void *)p;
		const __m128i *b = (const __m128i *)(const void *)(p + 1);
		__m128i first = _mm_and_si128(_mm_cmpeq_epi8(_mm_loadu_si128(a), newline), _mm_cmpeq_epi8(_mm_loadu_si128(b), dot));
		__m128i second = _mm_and_si128(_mm_cmpeq_epi8(_mm_loadu_si128(a + 1), newline),
					       _mm_cmpeq_epi8(_mm_loadu_si128(b + 1), dot));
		unsigned mask = (unsigned)_mm_movemask_epi8(first) | (unsigned)_mm_movemask_epi8(second) << 16;

		if (mask)
			return p + __builtin_ctz(mask);
		p += 32;
	}
#endif
	while (end - p >= 2) {
		p = memchr(p, '\n', (size_t)(end - p - 1));
		if (!p)
			return NULL;
		if (p[1] == '.')
			return p;
		p++;
	}
	return NULL;
}
