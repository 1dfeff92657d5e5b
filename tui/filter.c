/* filter.c - see filter.h */
#include "tui/filter.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int find_column(const struct rows *rows, const char *name, size_t n)
{
	for (size_t i = 0; i < rows->column_count; i++)
		if (strlen(rows->column[i].key) == n && strncmp(rows->column[i].key, name, n) == 0)
			return (int)i;
	return -1;
}

static int refuse_field(const struct rows *rows, const char *name, size_t n, char *error, size_t error_size)
{
	struct buf known = { 0 };

	for (size_t i = 0; i < rows->column_count; i++)
		buf_printf(&known, "%s%s", i ? " " : "", rows->column[i].key);
	snprintf(error, error_size, "no column \"%.*s\" here; there are: %s", (int)n, name, buf_cstr(&known));
	buf_fini(&known);
	return -1;
}

/* An address like 2001:db8::1 is no field: a field is a word of letters. */
static size_t field_length(const char *word, size_t n)
{
	size_t i = 0;

	while (i < n && (islower((unsigned char)word[i]) || word[i] == '_'))
		i++;
	return i > 0 && i + 1 < n && word[i] == ':' ? i : 0;
}

static int parse_term(const char *word, size_t n, const struct rows *columns, struct filter_term *out, char *error, size_t error_size)
{
	out->not = n > 1 && *word == '-';
	word += out->not;
	n -= out->not;
	size_t field = field_length(word, n);
	out->column = field ? find_column(columns, word, field) : -1;
	if (field && out->column < 0)
		return refuse_field(columns, word, field, error, error_size);
	if (field) {
		word += field + 1;
		n -= field + 1;
	}
	size_t length = 0;
	for (size_t i = 0; i < n; i++)
		if (word[i] != '"')
			out->text[length++] = (char)tolower((unsigned char)word[i]);
	out->text[length] = '\0';
	return 0;
}

/* Bytes up to the next blank outside quotes. */
static size_t word_length(const char *p)
{
	bool quoted = false;
	size_t n = 0;

	for (; p[n] && (quoted || p[n] != ' '); n++)
		quoted = quoted != (p[n] == '"');
	return n;
}

int filter_parse(const char *text, const struct rows *columns, struct filter *out, char *error, size_t error_size)
{
	*out = (struct filter){ 0 };
	if (strlen(text) >= FILTER_TEXT_MAX) {
		snprintf(error, error_size, "a filter has at most %d bytes", FILTER_TEXT_MAX - 1);
		return -1;
	}
	for (const char *p = text; *(p += strspn(p, " ")); p += word_length(p)) {
		if (out->count == FILTER_TERMS_MAX) {
			snprintf(error, error_size, "a filter has at most %d words", FILTER_TERMS_MAX);
			return -1;
		}
		if (parse_term(p, word_length(p), columns, &out->term[out->count], error, error_size))
			return -1;
		out->count++;
	}
	if (out->count)
		strcpy(out->text, text);
	return 0;
}

/* whole_word: of words that have an order the beginning, so that "no" is not found in "unknown". */
static bool column_says(const struct rows *rows, size_t row, size_t column, bool whole_word, const char *text, const struct rows_clock *clock)
{
	struct buf shown = { 0 };
	struct value v = { 0 };

	rows->value(rows, row, column, &v);
	rows_print(&v, clock, &shown);
	struct text t = { shown.p, (uint32_t)shown.len };
	bool found = v.rank && whole_word ? text_starts_nocase(t, text) : text_find_nocase(t, text) >= 0;
	buf_fini(&shown);
	return found;
}

static bool term_matches(const struct filter_term *t, const struct rows *rows, size_t row, const struct rows_clock *clock)
{
	bool found = t->column < 0 ? filter_finds(t->text, rows, row, clock) : column_says(rows, row, (size_t)t->column, true, t->text, clock);

	return found != t->not;
}

bool filter_matches(const struct filter *f, const struct rows *rows, size_t row, const struct rows_clock *clock)
{
	for (size_t i = 0; i < f->count; i++)
		if (!term_matches(&f->term[i], rows, row, clock))
			return false;
	return true;
}

bool filter_finds(const char *text, const struct rows *rows, size_t row, const struct rows_clock *clock)
{
	for (size_t i = 0; i < rows->column_count; i++)
		if (column_says(rows, row, i, false, text, clock))
			return true;
	return false;
}

const char *filter_text_of(const struct filter *f, const struct rows *columns, const char *key)
{
	int column = key ? find_column(columns, key, strlen(key)) : -1;

	for (size_t i = 0; i < f->count; i++)
		if (f->term[i].column == column && !f->term[i].not)
			return f->term[i].text;
	return NULL;
}
