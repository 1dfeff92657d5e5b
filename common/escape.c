/* escape.c - see escape.h */
#include "common/escape.h"

#include <stdbool.h>
#include <stdint.h>

#include "common/utf8.h"

/* Code point of the valid UTF-8 sequence at p; *n its length. */
static uint32_t decode(const char *p, size_t *n)
{
	const unsigned char *u = (const unsigned char *)p;

	*n = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	uint32_t c = *n == 1 ? u[0] : u[0] & (0xffu >> (*n + 1));
	for (size_t i = 1; i < *n; i++)
		c = c << 6 | (u[i] & 0x3f);
	return c;
}

/* Characters that reorder or hide what stands beside them (Unicode UAX 9; zero-width and tag characters). */
static bool is_treacherous(uint32_t c)
{
	return c == 0x61c || c == 0x200b || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069)
	    || c == 0x2028 || c == 0x2029 || c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f);
}

void escape_terminal(struct buf *out, struct text t, size_t max_columns)
{
	struct buf clean = { 0 };
	size_t columns = 0;

	if (!t.p) {
		buf_add_char(out, '-');
		return;
	}
	utf8_append_clean(&clean, t);
	for (size_t i = 0, n; i < clean.len; i += n) {
		uint32_t c = decode(clean.p + i, &n);
		size_t before = out->len;

		if (max_columns && columns >= max_columns) {
			buf_add_str(out, "...");
			break;
		}
		if (c == '\t' || c == '\n' || c == '\r')
			buf_add_char(out, ' ');
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			buf_printf(out, "\\x%02x", c);
		else if (is_treacherous(c))
			buf_printf(out, "\\u{%x}", c);
		else
			buf_add(out, clean.p + i, n);
		columns += out->len - before > n ? out->len - before : 1;
	}
	buf_fini(&clean);
}
