/* texts.h - struct text in tests: compared with a literal, and copied so tightly that a sanitizer sees who reads beyond. */
#ifndef TESTS_UNIT_TEXTS_H
#define TESTS_UNIT_TEXTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/text.h"
#include "common/xmalloc.h"

/* expected: NULL for a NULL text. */
static inline void assert_text(struct text t, const char *expected)
{
	if (!expected) {
		assert_null(t.p);
		return;
	}
	assert_non_null(t.p);
	if (t.len != strlen(expected) || memcmp(t.p, expected, t.len) != 0)
		fail_msg("\"%.*s\", not \"%s\"", (int)t.len, t.p, expected);
}

/* Just the bytes of s; to be let go. */
static inline struct text tight(const char *s)
{
	size_t n = strlen(s);
	char *p = xmalloc(n ? n : 1);

	memcpy(p, s, n);
	return (struct text){ p, (uint32_t)n };
}

static inline void let_go(struct text t)
{
	free((void *)(uintptr_t)t.p);
}

#endif
