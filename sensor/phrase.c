/* phrase.c - see phrase.h */
#include "sensor/phrase.h"

#include <string.h>

#include "sensor/header.h"

enum { SUBJECT = 1, BODY = 2, BOTH = SUBJECT | BODY };

struct phrase {
	uint16_t id;
	uint8_t class, where, len;
	const char *text;
};

static const struct phrase phrases[] = {
#define PHRASE(id, class, where, text) { id, PHRASE_##class, where, sizeof(text) - 1, text },
#include "data/phrases.def"
#undef PHRASE
};

enum { PHRASE_COUNT = sizeof phrases / sizeof phrases[0], SEPARATOR_LINE_MAX = 200, SUBJECT_BYTES = 256 };

_Static_assert(PHRASE_COUNT < PHRASE_SET_MAX, "raise PHRASE_SET_MAX; indexes are bytes");

int phrase_version(void)
{
	return PHRASES_VERSION;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void phrase_list_add(struct phrase_list list, uint16_t id)
{
	for (uint8_t i = 0; i < *list.count; i++)
		if (list.id[i] == id)
			return;
	if (*list.count < list.max)
		list.id[(*list.count)++] = id;
}

/* Appends piece to out[*len..size), folded; returns how much of it fitted. */
static uint32_t fold(struct text piece, char *out, uint16_t *len, uint16_t size)
{
	uint16_t n = *len;
	uint32_t i;

	for (i = 0; i < piece.len && n < size; i++) {
		char c = piece.p[i];

		if (!is_blank(c))
			out[n++] = lower(c);
		else if (n && out[n - 1] != ' ')
			out[n++] = ' ';
	}
	*len = n;
	return i;
}

static bool begins_with(const char *p, size_t n, const struct phrase *phrase)
{
	/* The last byte first: it tells more than the first ones, which are the same in many phrases. */
	return n >= phrase->len && p[phrase->len - 1] == phrase->text[phrase->len - 1] && memcmp(p, phrase->text, phrase->len) == 0;
}

void phrase_search_subject(struct text subject, struct phrase_list found)
{
	char decoded[SUBJECT_BYTES], folded[SUBJECT_BYTES];
	uint16_t len = 0;

	if (!subject.p)
		return;
	fold(header_decode_words(subject, decoded, sizeof decoded), folded, &len, sizeof folded);
	for (unsigned i = 0; i < PHRASE_COUNT; i++)
		if (phrases[i].where & SUBJECT && begins_with(folded, len, &phrases[i]))
			phrase_list_add(found, phrases[i].id);
}

void phrase_init(struct phrase_search *s, struct phrase_list found)
{
	s->found = found;
	s->len = s->searched = 0;
	memset(s->first, 0, sizeof s->first);
	memset(s->first_separator, 0, sizeof s->first_separator);
	for (unsigned i = PHRASE_COUNT; i-- > 0;) {
		uint8_t *first = phrases[i].class == PHRASE_SEPARATOR ? s->first_separator : s->first;

		if (!(phrases[i].where & BODY))
			continue;
		first += phrases[i].text[0] & 31;
		s->next[i] = *first;
		*first = (uint8_t)(i + 1);
	}
}

/* Tries the phrases at each word that begins before end. */
static void search(struct phrase_search *s, uint16_t end)
{
	const char *w = s->window;

	for (uint16_t i = s->searched; i < end; i++) {
		if (w[i] < 'a' || w[i] > 'z' || (i && is_word_char(w[i - 1])))
			continue;
		for (uint8_t k = s->first[w[i] & 31]; k; k = s->next[k - 1])
			if (begins_with(w + i, (size_t)(s->len - i), &phrases[k - 1]))
				phrase_list_add(s->found, phrases[k - 1].id);
	}
	s->searched = end;
}

void phrase_push(struct phrase_search *s, struct text piece)
{
	while (piece.len) {
		uint32_t n = fold(piece, s->window, &s->len, PHRASE_WINDOW);

		piece.p += n;
		piece.len -= n;
		if (s->len < PHRASE_WINDOW)
			continue;
		/* Keep the tail in which a phrase may still be unfinished, and the byte before it. */
		search(s, PHRASE_WINDOW - PHRASE_MAX);
		memmove(s->window, s->window + s->searched - 1, PHRASE_MAX + 1);
		s->len = PHRASE_MAX + 1;
		s->searched = 1;
	}
}

void phrase_flush(struct phrase_search *s)
{
	search(s, s->len);
	s->len = s->searched = 0;
}

/* "-----  Text here. -----" -> "Text here" */
static struct text bare_line(struct text line)
{
	while (line.len && !is_word_char(lower(line.p[0]))) {
		line.p++;
		line.len--;
	}
	while (line.len && !is_word_char(lower(line.p[line.len - 1])))
		line.len--;
	return line;
}

uint16_t phrase_separator(const struct phrase_search *s, struct text line)
{
	struct text bare = bare_line(line);

	if (bare.len == 0 || line.len > SEPARATOR_LINE_MAX)
		return 0;
	bool dashes = text_trim(line).p[0] == '-';

	for (uint8_t k = s->first_separator[bare.p[0] & 31]; k; k = s->next[k - 1]) {
		const struct phrase *phrase = &phrases[k - 1];

		if (!text_starts_nocase(bare, phrase->text))
			continue;
		if (bare.len == phrase->len || (dashes && !is_word_char(lower(bare.p[phrase->len]))))
			return phrase->id;
	}
	return 0;
}
