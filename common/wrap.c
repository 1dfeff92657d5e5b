/* wrap.c - see wrap.h. */
#include "common/wrap.h"

#include <string.h>

/* Bytes of the first columns characters of p. */
static size_t bytes_of(const char *p, size_t columns)
{
	size_t n = 0;

	for (; p[n] && (columns > 0 || ((unsigned char)p[n] & 0xc0) == 0x80); n++)
		columns -= ((unsigned char)p[n] & 0xc0) != 0x80;
	return n;
}

/* Bytes of p for the line; at least a word. */
static size_t line_of(const char *p, size_t room)
{
	size_t n = bytes_of(p, room), cut = n;

	if (!p[n] || p[n] == ' ')
		return n;
	while (cut > 0 && p[cut] != ' ')
		cut--;
	return cut ? cut : strcspn(p, " ");
}

void wrap_print(FILE *out, const char *text, unsigned at, unsigned indent)
{
	for (const char *p = text;;) {
		size_t n = line_of(p, at < WRAP_WIDTH ? WRAP_WIDTH - at : 0);

		fprintf(out, "%.*s\n", (int)n, p);
		p += n + strspn(p + n, " ");
		if (!*p)
			return;
		fprintf(out, "%*s", (int)indent, "");
		at = indent;
	}
}
