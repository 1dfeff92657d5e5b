/* lines.c - see lines.h */
#include "sensor/lines.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

enum { CARRY_MIN = 256 };

static struct text finish(struct lines *l, const char *p, uint64_t length, char last, uint32_t max)
{
	if (length && last == '\r')
		length--;
	l->open = false;
	return (struct text){ p, length > max ? max : (uint32_t)length };
}

/* Keeps one byte more than max: the CR of a line that just fits. */
static void carry(struct lines *l, const char *p, size_t n, uint32_t max)
{
	if (!l->open) {
		l->open = true;
		l->kept = 0;
		l->length = 0;
	}
	if (n == 0)
		return;
	l->length += n;
	l->last = p[n - 1];
	if (n > max + 1 - l->kept)
		n = max + 1 - l->kept;
	if (l->kept + n > l->cap) {
		size_t cap = l->cap ? l->cap : CARRY_MIN;

		while (cap < l->kept + n)
			cap *= 2;
		l->carry = xreallocarray(l->carry, cap, 1);
		l->cap = (uint32_t)cap;
	}
	memcpy(l->carry + l->kept, p, n);
	l->kept += (uint32_t)n;
}

bool lines_next(struct lines *l, const char **p, const char *end, uint32_t max, struct text *line)
{
	while (*p < end) {
		const char *start = *p;
		const char *lf = memchr(start, '\n', (size_t)(end - start));
		size_t n = (size_t)((lf ? lf : end) - start);

		*p = lf ? lf + 1 : end;
		if (l->resync) {
			l->resync = !lf;
			continue;
		}
		if (lf && !l->open) {
			*line = finish(l, start, n, n ? lf[-1] : '\0', max);
			return true;
		}
		carry(l, start, n, max);
		if (lf)
			return lines_rest(l, max, line);
	}
	return false;
}

bool lines_rest(struct lines *l, uint32_t max, struct text *line)
{
	if (!l->open)
		return false;
	*line = finish(l, l->carry ? l->carry : "", l->length, l->last, max);
	return true;
}

char lines_begun(const struct lines *l)
{
	return l->open && l->kept ? l->carry[0] : '\0';
}

void lines_gap(struct lines *l)
{
	l->open = false;
	l->resync = true;
}

void lines_fini(struct lines *l)
{
	free(l->carry);
	*l = (struct lines){ 0 };
}
