/* text.c - see text.h */
#include "common/text.h"

#include <stdalign.h>
#include <string.h>
#include <strings.h>

#include "common/xmalloc.h"

enum { CHUNK_MIN = 960, CHUNK_MAX = 65536 };	/* with its head, the least one is what malloc keeps at hand for each thread (1032) */

struct arena_chunk {
	struct arena_chunk *next;
	uint32_t size, used;
	alignas(uint64_t) char data[];
};

bool text_equal(struct text a, struct text b)
{
	if (!a.p || !b.p)
		return a.p == b.p;
	return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

bool text_equal_nocase(struct text a, struct text b)
{
	if (!a.p || !b.p)
		return a.p == b.p;
	return a.len == b.len && strncasecmp(a.p, b.p, a.len) == 0;
}

bool text_starts_nocase(struct text t, const char *word)
{
	size_t n = strlen(word);

	return t.p && t.len >= n && strncasecmp(t.p, word, n) == 0;
}

bool text_ends_nocase(struct text t, const char *word)
{
	size_t n = strlen(word);

	return t.p && t.len >= n && strncasecmp(t.p + t.len - n, word, n) == 0;
}

ptrdiff_t text_find_nocase(struct text t, const char *needle)
{
	size_t n = strlen(needle);

	if (!t.p || n == 0 || t.len < n)
		return -1;
	char lower = needle[0], upper = (lower >= 'a' && lower <= 'z') ? (char)(lower - 32) : lower;
	for (size_t i = 0; i + n <= t.len; i++)
		if ((t.p[i] == lower || t.p[i] == upper) && strncasecmp(t.p + i, needle, n) == 0)
			return (ptrdiff_t)i;
	return -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct text text_trim(struct text t)
{
	while (t.len && is_blank(t.p[0])) {
		t.p++;
		t.len--;
	}
	while (t.len && is_blank(t.p[t.len - 1]))
		t.len--;
	return t;
}

void arena_init(struct arena *a, uint32_t max_bytes)
{
	*a = (struct arena){ .max_bytes = max_bytes };
}

void arena_fini(struct arena *a)
{
	while (a->chunk) {
		struct arena_chunk *next = a->chunk->next;

		free(a->chunk);
		a->chunk = next;
	}
	a->used_bytes = 0;
	a->full = false;
}

static struct arena_chunk *arena_grow(struct arena *a, size_t n)
{
	size_t size = a->chunk ? a->chunk->size * 2 : a->first_bytes ? a->first_bytes : CHUNK_MIN;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < n)
		size = n;
	if (a->used_bytes + size > a->max_bytes) {
		if (a->used_bytes + n > a->max_bytes) {
			a->full = true;
			return NULL;
		}
		size = a->max_bytes - a->used_bytes;
	}
	struct arena_chunk *c = xmalloc(sizeof *c + size);
	c->next = a->chunk;
	c->size = (uint32_t)size;
	c->used = 0;
	a->chunk = c;
	a->used_bytes += (uint32_t)size;
	return c;
}

static void *arena_take(struct arena *a, size_t n, size_t align)
{
	struct arena_chunk *c = a->chunk;
	size_t at = c ? (c->used + align - 1) / align * align : 0;

	if (n > a->max_bytes) {
		a->full = true;
		return NULL;
	}
	if (!c || at > c->size || c->size - at < n) {
		at = 0;
		c = arena_grow(a, n);
		if (!c)
			return NULL;
	}
	c->used = (uint32_t)(at + n);
	return c->data + at;
}

void *arena_alloc(struct arena *a, size_t n)
{
	return arena_take(a, n, alignof(uint64_t));
}

struct text arena_copy(struct arena *a, const void *p, size_t n, size_t max, bool *cut)
{
	if (n > max) {
		n = max;
		if (cut)
			*cut = true;
	}
	char *copy = arena_take(a, n, 1);
	if (!copy) {
		if (cut)
			*cut = true;
		return (struct text){ 0 };
	}
	if (n)
		memcpy(copy, p, n);
	return (struct text){ copy, (uint32_t)n };
}
