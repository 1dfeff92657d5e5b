/*
 * canvas.h - a grid of character cells with styles: what the views draw into, and what the terminal, --once, tests and saving show.
 *
 * Everything drawn goes through canvas_put: strangers' text is escaped there (common/escape.h) and laid out by the width of its characters, so that no
 * byte of it can move a cursor, break a row or reach the terminal raw. Coordinates count from 0; what lies outside is not drawn. Widths follow
 * wcwidth(3), which needs a UTF-8 locale.
 */
#ifndef TUI_CANVAS_H
#define TUI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/text.h"

/* What a text is, not how it looks: screen.c makes colours and attributes of it. What a style tells, a word or a sign tells too. */
enum style {
	STYLE_PLAIN, STYLE_DIM, STYLE_STRONG, STYLE_HEAD, STYLE_SORTED, STYLE_BAR, STYLE_KEY, STYLE_LABEL,
	STYLE_GOOD, STYLE_WATCH, STYLE_BAD, STYLE_NOTE, STYLE_FILTER, STYLE_PROMPT, STYLE_MATCH, STYLE_SELECTED, STYLE_COUNT
};

/* Signs of our own, each with an ASCII form. SPARK_0 to SPARK_8 are bars of growing height. */
enum glyph {
	GLYPH_CUT, GLYPH_ASCENDING, GLYPH_DESCENDING, GLYPH_RIGHT, GLYPH_LEFT, GLYPH_HORIZONTAL, GLYPH_VERTICAL, GLYPH_CROSS, GLYPH_UP,
	GLYPH_SPARK_0, GLYPH_SPARK_8 = GLYPH_SPARK_0 + 8, GLYPH_COUNT
};

enum { CELL_BYTES = 20, CELL_COMBINING_MAX = 4 };	/* ncurses keeps a character and four that combine with it */

struct canvas_cell {
	char text[CELL_BYTES];	/* UTF-8, NUL-terminated; "" right of a wide character */
	uint8_t style;		/* enum style */
};

struct canvas {
	int width, height;
	bool ascii;		/* only ASCII is drawn: others as \u{HEX} */
	struct canvas_cell *cell;	/* height rows of width cells */
};

enum { CANVAS_WIDTH_MAX = 1000, CANVAS_HEIGHT_MAX = 4000 };	/* beyond any terminal, and any ladder that reader/ladder.h gives */

void canvas_init(struct canvas *c, int width, int height, bool ascii);
void canvas_fini(struct canvas *c);
/* All blanks, in STYLE_PLAIN. */
void canvas_clear(struct canvas *c);

/* Draws t into width columns from x on; what is longer ends with GLYPH_CUT. Columns behind it are left alone. Answers the columns used. */
int canvas_put(struct canvas *c, int y, int x, int width, enum style style, struct text t);
int canvas_put_string(struct canvas *c, int y, int x, int width, enum style style, const char *s);
/* Over as many rows as it takes, broken at blanks where there are some; answers the row behind it. */
int canvas_put_wrapped(struct canvas *c, int y, int x, int width, enum style style, struct text t);
/* The last columns of t end at x + width - 1. */
void canvas_put_right(struct canvas *c, int y, int x, int width, enum style style, struct text t);
int canvas_printf(struct canvas *c, int y, int x, int width, enum style style, const char *format, ...) __attribute__((format(printf, 6, 7)));
void canvas_glyph(struct canvas *c, int y, int x, enum style style, enum glyph g);

/* Blanks in a style; the style alone. */
void canvas_fill(struct canvas *c, int y, int x, int width, enum style style);
void canvas_style(struct canvas *c, int y, int x, int width, enum style style);
/* Whether row y says needle (ASCII case folded) anywhere. */
bool canvas_says(const struct canvas *c, int y, const char *needle);
/* Gives STYLE_MATCH to each place of row y that says needle (ASCII case folded). */
void canvas_mark(struct canvas *c, int y, const char *needle);

/* Rows of from, beginning with the first-th, into height rows of c from y on. */
void canvas_copy(struct canvas *c, int y, int height, const struct canvas *from, int first);

/* Columns that t takes when drawn. */
int canvas_width_of(const struct canvas *c, struct text t);

/* Rows as lines of text without blanks at their ends. */
void canvas_text(const struct canvas *c, struct buf *out);

static inline struct canvas_cell *canvas_at(const struct canvas *c, int y, int x)
{
	return &c->cell[y * c->width + x];
}

#endif
