/* phrase.c - see phrase.h */
#include "sensor/phrase.h"

#include <pthread.h>
#include <string.h>

#include "sensor/header.h"

enum { BODY, SUBJECT, WHOLE, CODE };

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

enum { PHRASE_COUNT = sizeof phrases / sizeof phrases[0], SEPARATOR_LINE_MAX = 200, SUBJECT_BYTES = 256, BUCKETS = 1024 };

/* Phrases by their first three bytes: index + 1 of the first one, 0 none; then the next. Made once, the same for all. */
struct table {
	uint16_t first[BUCKETS], next[PHRASE_COUNT];
};

static struct table body_table, subject_table, separator_table;
static uint16_t code_id;
static pthread_once_t tables_made = PTHREAD_ONCE_INIT;

static unsigned bucket(const char *p)
{
	return ((unsigned char)p[0] * 961u + (unsigned char)p[1] * 31u + (unsigned char)p[2]) % BUCKETS;
}

static void make_tables(void)
{
	for (unsigned i = PHRASE_COUNT; i-- > 0;) {
		if (phrases[i].where == CODE) {
			code_id = phrases[i].id;
			continue;
		}
		struct table *t = phrases[i].class == PHRASE_SEPARATOR ? &separator_table : phrases[i].where == BODY ? &body_table : &subject_table;
		uint16_t *first = &t->first[bucket(phrases[i].text)];

		t->next[i] = *first;
		*first = (uint16_t)(i + 1);
	}
}

enum phrase_class phrase_class(uint16_t id)
{
	static const uint8_t class_of[] = {
#define PHRASE(id, class, where, text) [id] = PHRASE_##class,
#include "data/phrases.def"
#undef PHRASE
	};

	return id < sizeof class_of ? class_of[id] : PHRASE_HINT;
}

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

/* Letters without accents. U+00C0 to U+00FF, which is ISO 8859-1; U+0100 to U+017F. */
static const char latin_1[] = "aaaaaaaceeeeiiiidnooooo*ouuuuyts" "aaaaaaaceeeeiiiidnooooo*ouuuuyty";
static const char latin_a[] = "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijj" "kkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

_Static_assert(sizeof latin_1 == 65 && sizeof latin_a == 129, "one for each code point");

static bool is_continuation(unsigned char c)
{
	return c >= 0x80 && c < 0xC0;
}

/*
 * The bytes out[0..n) end in a character outside of ASCII, and c follows: what they become. Lead bytes wait in out for what makes them whole;
 * one that nothing of UTF-8 follows was ISO 8859-1. Blanks that do not break and the quotation mark that is an apostrophe are as in ASCII.
 */
static uint16_t fold_beyond_ascii(char *out, uint16_t n, unsigned char c)
{
	unsigned char last = n ? (unsigned char)out[n - 1] : 0, before = n > 1 ? (unsigned char)out[n - 2] : 0;

	if (!is_continuation(c)) {
		out[n++] = (char)c;
	} else if (last == 0xC3) {
		out[n - 1] = latin_1[c & 63];
	} else if (last == 0xC4 || last == 0xC5) {
		out[n - 1] = latin_a[(last - 0xC4) * 64 + (c & 63)];
	} else if ((last == 0xC2 && c == 0xA0) || (before == 0xE2 && last == 0x80 && c == 0xAF)) {
		n = (uint16_t)(n - (last == 0xC2 ? 1 : 2));
		if (n == 0 || out[n - 1] != ' ')
			out[n++] = ' ';
	} else if (before == 0xE2 && last == 0x80 && c == 0x99) {
		out[n - 2] = '\'';
		n--;
	} else {
		out[n++] = c == 0xA0 && last < 0x80 ? ' ' : c == 0x92 && last < 0x80 ? '\'' : (char)c;
	}
	return n;
}

/* A lead byte at the end that is none. */
static void fold_alone(char *out, uint16_t n)
{
	if (n && (unsigned char)out[n - 1] >= 0xC0)
		out[n - 1] = latin_1[out[n - 1] & 63];
}

/* Appends piece to out[*len..size), folded; returns how much of it fitted. */
static uint32_t fold(struct text piece, char *out, uint16_t *len, uint16_t size)
{
	uint16_t n = *len;
	uint32_t i;

	for (i = 0; i < piece.len && n < size; i++) {
		unsigned char c = (unsigned char)piece.p[i];

		if (!is_continuation(c))
			fold_alone(out, n);
		if (c >= 0x80)
			n = fold_beyond_ascii(out, n, c);
		else if (!is_blank(piece.p[i]))
			out[n++] = lower(piece.p[i]);
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

static void search_at(const struct table *t, const char *p, size_t n, struct phrase_list found)
{
	if (n < 3)
		return;
	for (uint16_t k = t->first[bucket(p)]; k; k = t->next[k - 1])
		if (begins_with(p, n, &phrases[k - 1]) && (phrases[k - 1].where != WHOLE || n == phrases[k - 1].len))
			phrase_list_add(found, phrases[k - 1].id);
}

/* Where the words of a subject begin that has been searched from at: behind "[tag]". len when there is no tag. */
static uint16_t behind_tag(const char *s, uint16_t at, uint16_t len)
{
	const char *close = s[at] == '[' ? memchr(s + at, ']', (size_t)(len - at)) : NULL;

	return close ? (uint16_t)(close - s + 1) : len;
}

void phrase_search_subject(struct text subject, struct phrase_list found)
{
	char decoded[SUBJECT_BYTES], folded[SUBJECT_BYTES];
	uint16_t len = 0, at = 0;

	if (!subject.p)
		return;
	pthread_once(&tables_made, make_tables);
	fold(header_decode_words(subject, decoded, sizeof decoded), folded, &len, sizeof folded);
	fold_alone(folded, len);
	while (len && folded[len - 1] == ' ')
		len--;
	while (at < len) {
		uint16_t word = at;

		while (word < len && !is_word_char(folded[word]))
			word++;
		search_at(&subject_table, folded + word, (size_t)(len - word), found);
		at = behind_tag(folded, at, len);
		while (at < len && folded[at] == ' ')
			at++;
	}
}

void phrase_init(struct phrase_search *s, struct phrase_list found)
{
	pthread_once(&tables_made, make_tables);
	s->found = found;
	s->len = s->searched = 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "5.1.1": an enhanced status of the class (RFC 3463 2), and not the beginning of more numbers. */
static bool is_enhanced(const char *p, size_t n, char class)
{
	size_t i = 1;

	if (n < 5 || p[0] != class)
		return false;
	for (unsigned part = 0; part < 2; part++) {
		size_t from = i + 1;

		if (i >= n || p[i] != '.')
			return false;
		for (i = from; i < n && is_digit(p[i]); i++)
			;
		if (i == from || i > from + 3)
			return false;
	}
	return i == n || !(is_word_char(p[i]) || (p[i] == '.' && i + 1 < n && is_digit(p[i + 1])));
}

/* "550 5.1.1", "550-#5.1.1" or behind a "#": what servers write in whatever language. Years and versions have no such reply code before them. */
static bool is_reply_code(const char *p, size_t n, char before)
{
	size_t i = 3;

	if (before == '#' && is_enhanced(p, n, p[0]))
		return true;
	if (n < 9 || p[1] < '0' || p[1] > '5' || !is_digit(p[2]) || !memchr(" -:;'", p[3], 5))
		return false;
	while (i < n && i < 6 && memchr(" -:;'#", p[i], 6))
		i++;
	return is_enhanced(p + i, n - i, p[0]);
}

/* Tries the phrases at each word that begins before end. */
static void search(struct phrase_search *s, uint16_t end)
{
	const char *w = s->window;

	for (uint16_t i = s->searched; i < end; i++) {
		char before = i ? w[i - 1] : ' ';

		if (is_word_char(before))
			continue;
		if (w[i] >= 'a' && w[i] <= 'z')
			search_at(&body_table, w + i, (size_t)(s->len - i), s->found);
		else if ((w[i] == '4' || w[i] == '5') && is_reply_code(w + i, (size_t)(s->len - i), before))
			phrase_list_add(s->found, code_id);
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
	fold_alone(s->window, s->len);
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

uint16_t phrase_separator(struct text line)
{
	struct text bare = bare_line(line);

	if (bare.len < 3 || line.len > SEPARATOR_LINE_MAX)
		return 0;
	bool dashes = text_trim(line).p[0] == '-' || text_trim(line).p[0] == '|';

	for (uint16_t k = separator_table.first[bucket((char[]){ lower(bare.p[0]), lower(bare.p[1]), lower(bare.p[2]) })]; k;
	     k = separator_table.next[k - 1]) {
		const struct phrase *phrase = &phrases[k - 1];

		if (!text_starts_nocase(bare, phrase->text))
			continue;
		if (bare.len == phrase->len || (dashes && !is_word_char(lower(bare.p[phrase->len]))))
			return phrase->id;
	}
	return 0;
}
