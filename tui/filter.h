/*
 * filter.h - which rows are shown: words separated by blanks, each "FIELD:TEXT" (TEXT stands in that column) or "TEXT" (in any column); all must hold.
 * ASCII case does not count. Quotes keep blanks together: server:"mx one". "-" in front of a word: the rows where it does not hold.
 */
#ifndef TUI_FILTER_H
#define TUI_FILTER_H

#include "tui/rows.h"

enum { FILTER_TERMS_MAX = 8, FILTER_TEXT_MAX = 200 };

struct filter_term {
	int column;		/* -1: any */
	bool not;
	char text[FILTER_TEXT_MAX];	/* lower case */
};

struct filter {
	char text[FILTER_TEXT_MAX];	/* as it was written; "": none */
	struct filter_term term[FILTER_TERMS_MAX];
	size_t count;
};

/* 0, or -1 with a message that names the fields there are. */
int filter_parse(const char *text, const struct rows *columns, struct filter *out, char *error, size_t error_size);
bool filter_matches(const struct filter *f, const struct rows *rows, size_t row, const struct rows_clock *clock);

/* Whether any column of a row says text (lower case). */
bool filter_finds(const char *text, const struct rows *rows, size_t row, const struct rows_clock *clock);

/* The text of the first positive term of the column with this key (NULL: of the first one without a column); NULL when there is none. */
const char *filter_text_of(const struct filter *f, const struct rows *columns, const char *key);

#endif
