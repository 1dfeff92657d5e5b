/*
 * text.h - a borrowed run of bytes, and the arena that keeps copies of them.
 *
 * Wire data is pointer and length, never NUL-terminated. An arena is the memory of one mail
 * transaction: what dies together is allocated together and freed with one call.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* p == NULL: not seen (SQL NULL, JSON null). len == 0 with p != NULL: seen and empty. */
struct text {
	const char *p;
	uint32_t len;
};

#define TEXT(literal) ((struct text){ (literal), sizeof(literal) - 1 })

static inline bool text_is_set(struct text t)
{
	return t.p != NULL;
}

/* Compares bytes; NULL equals only NULL. */
bool text_equal(struct text a, struct text b);

/* ASCII case folding only. */
bool text_equal_nocase(struct text a, struct text b);

/* True when t begins with (ends with) the NUL-terminated word, ASCII case folded. */
bool text_starts_nocase(struct text t, const char *word);
bool text_ends_nocase(struct text t, const char *word);

/* First position of the NUL-terminated lower-case needle in t, ASCII case folded, or -1. Linear for the short
 * needles (under 64 bytes) it is meant for. */
ptrdiff_t text_find_nocase(struct text t, const char *needle);

/* Without blanks, tabs, CR and LF at both ends. */
struct text text_trim(struct text t);

/*
 * A bump allocator with a ceiling. Chunks come from malloc; everything is freed by arena_fini, which leaves the arena
 * ready for use again. A request above the ceiling answers NULL and marks the arena full: the fact then says
 * "truncated", nothing fails.
 */
struct arena {
	struct arena_chunk *chunk;
	uint32_t used_bytes;	/* memory taken from malloc so far */
	uint32_t max_bytes;	/* the ceiling */
	uint16_t first_bytes;	/* of the first chunk, later ones double; 0: CHUNK_MIN of text.c */
	bool full;
};

void arena_init(struct arena *a, uint32_t max_bytes);
void arena_fini(struct arena *a);

/* n bytes aligned for any struct of ours, not zeroed; NULL when over the ceiling. n may be 0. */
void *arena_alloc(struct arena *a, size_t n);

/* A copy of p[0..n) of at most max bytes (cut there, *cut set to true if cut != NULL); NULL text when over the ceiling. */
struct text arena_copy(struct arena *a, const void *p, size_t n, size_t max, bool *cut);

#endif
