/* utf8.h - making strangers' bytes valid UTF-8. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/* Length of the leading run of p[0..n) that is valid UTF-8 (Unicode 3.9, table 3-7). */
size_t utf8_valid_prefix(const char *p, size_t n);

/* Appends t to out with U+FFFD in place of each maximal ill-formed subpart; false when something was replaced. */
bool utf8_append_clean(struct buf *out, struct text t);

/* Code point of the valid sequence at p; *n its length. */
uint32_t utf8_decode(const char *p, size_t *n);
/* The bytes of a code point into out; answers how many. What is none becomes U+FFFD. */
size_t utf8_encode(uint32_t c, char out[4]);

#endif
