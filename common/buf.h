/*
 * buf.h - a growing byte buffer for building text, JSON and SQL-free output.
 *
 * Memory comes from xmalloc. The content is not NUL-terminated unless buf_cstr is asked for it.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "common/text.h"

struct buf {
	char *p;
	size_t len, cap;
};

void buf_fini(struct buf *b);
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_char(struct buf *b, char c);
void buf_add_str(struct buf *b, const char *s);
void buf_add_text(struct buf *b, struct text t);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The content with a NUL behind it; valid until the buffer changes. */
const char *buf_cstr(struct buf *b);

#endif
