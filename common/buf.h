/*
 * buf.h - a growing byte buffer for building text, JSON and SQL-free output.
 *
 * Memory comes from xmalloc. The content is not NUL-terminated unless buf_cstr is asked for it.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/text.h"

struct buf {
	char *p;
	uint32_t len, cap;	/* 2 GiB at most: more ends the program, as want of memory does */
};

void buf_fini(struct buf *b);
void buf_clear(struct buf *b);
/* Room for n bytes more; buf_add and its like need it not. */
void buf_reserve(struct buf *b, size_t n);

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	if (b->cap - b->len < n)
		buf_reserve(b, n);
	memcpy(b->p + b->len, p, n);
	b->len += (uint32_t)n;
}

static inline void buf_add_char(struct buf *b, char c)
{
	if (b->cap == b->len)
		buf_reserve(b, 1);
	b->p[b->len++] = c;
}

static inline void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void buf_add_text(struct buf *b, struct text t)
{
	buf_add(b, t.p, t.len);
}

void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The content with a NUL behind it; valid until the buffer changes. */
const char *buf_cstr(struct buf *b);

#endif
