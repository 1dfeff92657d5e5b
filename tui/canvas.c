/* canvas.c - see canvas.h */
#define _XOPEN_SOURCE_EXTENDED 1
#include "tui/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "common/escape.h"
#include "common/utf8.h"
#include "common/xmalloc.h"

static const char *const glyphs[GLYPH_COUNT][2] = {	/* UTF-8, ASCII */
	[GLYPH_CUT] = { "\u2026", "~" }, [GLYPH_ASCENDING] = { "\u25b2", "^" }, [GLYPH_DESCENDING] = { "\u25bc", "v" },
	[GLYPH_RIGHT] = { "\u25b6", ">" }, [GLYPH_LEFT] = { "\u25c0", "<" }, [GLYPH_HORIZONTAL] = { "\u2500", "-" },
	[GLYPH_VERTICAL] = { "\u2502", "|" }, [GLYPH_CROSS] = { "\u253c", "+" }, [GLYPH_UP] = { "\u25b2", "^" },
	[GLYPH_SPARK_0] = { " ", " " }, { "\u2581", "." }, { "\u2582", "." }, { "\u2583", ":" }, { "\u2584", ":" }, { "\u2585", "+" },
	{ "\u2586", "+" }, { "\u2587", "#" }, { "\u2588", "#" },
};

static const struct canvas_cell blank = { " ", STYLE_PLAIN };

void canvas_init(struct canvas *c, int width, int height, bool ascii)
{
	c->width = width < 1 ? 1 : width > CANVAS_WIDTH_MAX ? CANVAS_WIDTH_MAX : width;
	c->height = height < 1 ? 1 : height > CANVAS_HEIGHT_MAX ? CANVAS_HEIGHT_MAX : height;
	c->ascii = ascii;
	c->cell = xcalloc((size_t)c->width * (size_t)c->height, sizeof *c->cell);
	canvas_clear(c);
}

void canvas_fini(struct canvas *c)
{
	free(c->cell);
	*c = (struct canvas){ 0 };
}

void canvas_clear(struct canvas *c)
{
	for (int i = 0; i < c->width * c->height; i++)
		c->cell[i] = blank;
}

/* ---- one character after another ---- */

struct character {
	const char *p;
	size_t bytes;
	int width;		/* 0: combines with the one before */
};

/* Variation selectors: terminals do not agree about the width of what they make of the character before. */
static bool is_selector(uint32_t c)
{
	return c >= 0xfe00 && c <= 0xfe0f;
}

/* The next character of escaped text; false at its end. scratch holds what stands for a character that cannot be shown. */
static bool next_character(const struct canvas *c, const char **p, const char *end, struct character *out, char scratch[16])
{
	size_t n;
	uint32_t code;

	do {
		if (*p >= end)
			return false;
		code = utf8_decode(*p, &n);
		out->p = *p;
		*p += n;
	} while (is_selector(code));
	out->bytes = n;
	out->width = 1;
	if (code < 0x80)
		return true;
	if (c->ascii) {
		out->bytes = (size_t)(code == 0xfffd ? snprintf(scratch, 16, "?") : snprintf(scratch, 16, "\\u{%x}", code));
		out->p = scratch;
		out->width = (int)out->bytes;
		return true;
	}
	out->width = wcwidth((wchar_t)code);
	if (out->width < 0)	/* not assigned, or private */
		*out = (struct character){ "\xEF\xBF\xBD", 3, 1 };
	return true;
}

static void set_cell(struct canvas *c, int y, int x, enum style style, const char *p, size_t n)
{
	if (y < 0 || y >= c->height || x < 0 || x >= c->width)
		return;
	struct canvas_cell *cell = canvas_at(c, y, x);
	memcpy(cell->text, p, n);
	cell->text[n] = '\0';
	cell->style = (uint8_t)style;
}

/* A wide character that loses one of its halves becomes blank. */
static void break_wide(struct canvas *c, int y, int x)
{
	if (y < 0 || y >= c->height || x < 0 || x >= c->width)
		return;
	if (x > 0 && !*canvas_at(c, y, x)->text)
		strcpy(canvas_at(c, y, x - 1)->text, " ");
	if (x + 1 < c->width && !*canvas_at(c, y, x + 1)->text)
		strcpy(canvas_at(c, y, x + 1)->text, " ");
}

static void combine(struct canvas *c, int y, int x, const struct character *ch)
{
	if (y < 0 || y >= c->height || x < 0 || x >= c->width)
		return;
	struct canvas_cell *cell = canvas_at(c, y, x);
	if (!*cell->text && x > 0)
		cell--;
	size_t n = strlen(cell->text), marks = 0;
	for (size_t i = 1; i < n; i++)
		marks += (cell->text[i] & 0xc0) != 0x80;
	if (marks < CELL_COMBINING_MAX && n + ch->bytes < CELL_BYTES) {
		memcpy(cell->text + n, ch->p, ch->bytes);
		cell->text[n + ch->bytes] = '\0';
	}
}

/* Draws one character of width columns at x. */
static void put_character(struct canvas *c, int y, int x, enum style style, const struct character *ch)
{
	if (ch->p[0] == '\\' && ch->width > 1) {	/* an escape: ASCII, one cell a byte */
		for (int i = 0; i < ch->width; i++) {
			break_wide(c, y, x + i);
			set_cell(c, y, x + i, style, ch->p + i, 1);
		}
		return;
	}
	for (int i = 0; i < ch->width; i++)
		break_wide(c, y, x + i);
	if (ch->width == 2 && x + 1 >= c->width)
		set_cell(c, y, x, style, " ", 1);
	else {
		set_cell(c, y, x, style, ch->p, ch->bytes);
		if (ch->width == 2)
			set_cell(c, y, x + 1, style, "", 0);
	}
}

static int measure(const struct canvas *c, const struct buf *escaped)
{
	const char *p = escaped->p;
	struct character ch;
	char scratch[16];
	int columns = 0;

	while (next_character(c, &p, escaped->p + escaped->len, &ch, scratch))
		columns += ch.width;
	return columns;
}

static void put_escaped(struct canvas *c, int y, int x, int width, enum style style, const struct buf *escaped)
{
	const char *p = escaped->p;
	struct character ch;
	char scratch[16];
	int used = 0;
	bool cut = measure(c, escaped) > width;

	while (next_character(c, &p, escaped->p + escaped->len, &ch, scratch)) {
		if (ch.width == 0) {
			if (used)
				combine(c, y, x + used - 1, &ch);
			continue;
		}
		if (used + ch.width > width - cut)
			break;
		put_character(c, y, x + used, style, &ch);
		used += ch.width;
	}
	if (!cut)
		return;
	for (; used < width - 1; used++)	/* a wide character did not fit */
		set_cell(c, y, x + used, style, " ", 1);
	canvas_glyph(c, y, x + width - 1, style, GLYPH_CUT);
}

int canvas_put(struct canvas *c, int y, int x, int width, enum style style, struct text t)
{
	struct buf escaped = { 0 };

	if (width <= 0 || y < 0 || y >= c->height)
		return 0;
	escape_terminal(&escaped, t, CANVAS_WIDTH_MAX);
	if (!escaped.len)
		return 0;
	put_escaped(c, y, x, width, style, &escaped);
	int columns = measure(c, &escaped);
	buf_fini(&escaped);
	return columns < width ? columns : width;
}

int canvas_put_string(struct canvas *c, int y, int x, int width, enum style style, const char *s)
{
	return canvas_put(c, y, x, width, style, (struct text){ s, (uint32_t)strlen(s) });
}

/* Bytes of escaped text that a row of width columns takes, and in *skip the blanks behind them. */
static size_t row_length(const struct canvas *c, const char *from, const char *end, int width, size_t *skip)
{
	const char *p = from, *blank_at = NULL;
	struct character ch;
	char scratch[16];
	int columns = 0;

	*skip = 0;
	for (const char *before = p; next_character(c, &p, end, &ch, scratch); before = p) {
		if (*before == ' ')
			blank_at = before;
		columns += ch.width;
		if (columns <= width)
			continue;
		if (blank_at && blank_at > from) {
			*skip = strspn(blank_at, " ");
			return (size_t)(blank_at - from);
		}
		return before > from ? (size_t)(before - from) : (size_t)(p - from);
	}
	return (size_t)(end - from);
}

int canvas_put_wrapped(struct canvas *c, int y, int x, int width, enum style style, struct text t)
{
	struct buf escaped = { 0 };

	escape_terminal(&escaped, t, 0);
	const char *p = buf_cstr(&escaped), *end = p + escaped.len;
	for (size_t n, skip; p < end && width > 0; p += n + skip, y++) {
		n = row_length(c, p, end, width, &skip);
		struct buf row = { 0 };
		buf_add(&row, p, n);
		if (y >= 0 && y < c->height)
			put_escaped(c, y, x, width, style, &row);
		buf_fini(&row);
	}
	buf_fini(&escaped);
	return y;
}

void canvas_put_right(struct canvas *c, int y, int x, int width, enum style style, struct text t)
{
	int columns = canvas_width_of(c, t), blanks = columns < width ? width - columns : 0;

	canvas_put(c, y, x + blanks, width - blanks, style, t);
}

int canvas_printf(struct canvas *c, int y, int x, int width, enum style style, const char *format, ...)
{
	char text[1024];	/* more than a row of most terminals; longer ones are cut */
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return canvas_put_string(c, y, x, width, style, text);
}

void canvas_glyph(struct canvas *c, int y, int x, enum style style, enum glyph g)
{
	const char *s = glyphs[g][c->ascii];

	break_wide(c, y, x);
	set_cell(c, y, x, style, s, strlen(s));
}

/* ---- rows ---- */

void canvas_fill(struct canvas *c, int y, int x, int width, enum style style)
{
	for (int i = 0; i < width; i++) {
		break_wide(c, y, x + i);
		set_cell(c, y, x + i, style, " ", 1);
	}
}

void canvas_style(struct canvas *c, int y, int x, int width, enum style style)
{
	for (int i = 0; i < width; i++)
		if (y >= 0 && y < c->height && x + i >= 0 && x + i < c->width)
			canvas_at(c, y, x + i)->style = (uint8_t)style;
}

/* Number of cells from x on that say needle, 0 if they do not. */
static int match_at(const struct canvas *c, int y, int x, const char *needle)
{
	int from = x;

	while (*needle) {
		if (x >= c->width)
			return 0;
		const char *cell = canvas_at(c, y, x++)->text;
		size_t n = strlen(cell);
		if (!text_starts_nocase((struct text){ needle, (uint32_t)strlen(needle) }, cell))
			return 0;
		needle += n;
	}
	return x - from;
}

bool canvas_says(const struct canvas *c, int y, const char *needle)
{
	for (int x = 0; *needle && x < c->width; x++)
		if (match_at(c, y, x, needle))
			return true;
	return false;
}

void canvas_copy(struct canvas *c, int y, int height, const struct canvas *from, int first)
{
	int width = c->width < from->width ? c->width : from->width;

	for (int i = 0; i < height && first + i < from->height && y + i < c->height; i++)
		memcpy(canvas_at(c, y + i, 0), canvas_at(from, first + i, 0), (size_t)width * sizeof *c->cell);
}

void canvas_mark(struct canvas *c, int y, const char *needle)
{
	if (!*needle || y < 0 || y >= c->height)
		return;
	for (int x = 0; x < c->width; x++) {
		int n = match_at(c, y, x, needle);

		if (n)
			canvas_style(c, y, x, n, STYLE_MATCH);
	}
}

int canvas_width_of(const struct canvas *c, struct text t)
{
	struct buf escaped = { 0 };

	escape_terminal(&escaped, t, CANVAS_WIDTH_MAX);
	int columns = escaped.len ? measure(c, &escaped) : 0;
	buf_fini(&escaped);
	return columns;
}

void canvas_text(const struct canvas *c, struct buf *out)
{
	for (int y = 0; y < c->height; y++) {
		size_t start = out->len, end = start;

		for (int x = 0; x < c->width; x++) {
			const char *s = canvas_at(c, y, x)->text;

			buf_add_str(out, s);
			if (*s && strcmp(s, " ") != 0)
				end = out->len;
		}
		out->len = end;
		buf_add_char(out, '\n');
	}
}
