/*
 * rows.h - rows of a screen as values under named columns: what is drawn, sorted, searched, filtered and saved is the same values.
 *
 * A view (view_*.c) gives the rows of its structs; list.h shows them, export.h writes them.
 */
#ifndef TUI_ROWS_H
#define TUI_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/text.h"
#include "tui/canvas.h"

enum value_type {
	VALUE_NONE,		/* not known: "-", null */
	VALUE_TEXT,		/* text, perhaps a stranger's */
	VALUE_NUMBER,		/* number */
	VALUE_PAIR,		/* number / second: this hour / today */
	VALUE_SHARE,		/* number of second, as percent */
	VALUE_BYTES,		/* number */
	VALUE_TIME,		/* number: microseconds UTC */
	VALUE_SPARK		/* spark_count counts, oldest first */
};

struct value {
	enum value_type type;
	enum style style;
	struct text text;
	int64_t number, second;
	const uint32_t *spark;
	size_t spark_count;
	char own[80];		/* room for a text that is put together: text.p points here, so such a value must not be copied */
	int rank;		/* of words that have an order of their own, 1 and up; 0: sorted as what they are */
};

struct column {
	const char *key;	/* in JSON, CSV and filters */
	const char *title;
	int least, most;	/* columns on the screen */
	bool right;		/* aligned; sorted from the greatest first */
	const char *help;	/* what it tells */
	const char *second;	/* key of the second number of VALUE_PAIR and VALUE_SHARE, else NULL */
};

struct rows {
	const struct column *column;
	size_t column_count;
	size_t count;
	const void *data;	/* of the view */
	void (*value)(const struct rows *rows, size_t row, size_t column, struct value *out);
	/* What stays the same when the data are read again. */
	uint64_t (*identity)(const struct rows *rows, size_t row);
	/* Detail: one line about a row, below the list; may be NULL. */
	void (*detail)(const struct rows *rows, size_t row, struct buf *out);
};

/* How times are told: VALUE_TIME as of the clock, or as ago. */
struct rows_clock {
	int64_t now_us;
	bool relative;
};

/* A value as a person reads it, unescaped. */
void rows_print(const struct value *v, const struct rows_clock *clock, struct buf *out);
/* The same, but with counts as 1.2k, 34k, 5M. */
void rows_print_short(const struct value *v, const struct rows_clock *clock, struct buf *out);
/* -1, 0, 1: in ascending order; what is not known comes last in both orders. */
int rows_compare(const struct value *a, const struct value *b, bool descending);

/* "15 %"; 0.4 % does not read as 0 %, nor 99.6 % as 100 %. */
void rows_print_share(int64_t part, int64_t whole, struct buf *out);

/* "3 s", "90 min", "47 h", "3 d" of a span that is not negative. */
void rows_print_span(int64_t us, struct buf *out);
void rows_print_time(int64_t us, const struct rows_clock *clock, struct buf *out);

/* Values; "", a NULL text and time 0 are VALUE_NONE. */
struct value rows_word(const char *s, enum style style);
struct value rows_text(struct text t);
struct value rows_number(int64_t n);
struct value rows_time(int64_t us);

#endif
