/* list.c - see list.h */
#include "tui/list.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

enum { GUTTER = 2 };	/* the signs of selection and tag, which hold without colours, too */

void list_fini(struct list *l)
{
	free(l->order);
	free(l->identity);
	free(l->tag);
	*l = (struct list){ 0 };
}

size_t list_row(const struct list *l)
{
	return l->count ? l->order[l->selected] : SIZE_MAX;
}

/* ---- order ---- */

struct sorting {
	const struct rows *rows;
	size_t column;
	bool descending;
};

static int compare_rows(const void *a, const void *b, void *user)
{
	const struct sorting *s = user;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	struct value v = { 0 }, w = { 0 };

	s->rows->value(s->rows, x, s->column, &v);
	s->rows->value(s->rows, y, s->column, &w);
	int order = rows_compare(&v, &w, s->descending);
	return order ? order : (x > y) - (x < y);
}

static void turn_round(struct list *l)
{
	for (size_t i = 0; i < l->count / 2; i++) {
		size_t other = l->order[l->count - 1 - i];

		l->order[l->count - 1 - i] = l->order[i];
		l->order[i] = other;
	}
}

static void put_in_order(struct list *l, const struct rows *rows)
{
	if (l->sort_column < 0) {
		if (l->reverse)
			turn_round(l);
		return;
	}
	struct sorting s = { rows, (size_t)l->sort_column, rows->column[l->sort_column].right != l->reverse };
	qsort_r(l->order, l->count, sizeof *l->order, compare_rows, &s);
}

static size_t find_identity(const struct list *l, uint64_t identity)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->identity[i] == identity)
			return i;
	return SIZE_MAX;
}

static void keep_in_view(struct list *l)
{
	size_t page = l->page ? l->page : 1;

	if (l->selected >= l->count)
		l->selected = l->count ? l->count - 1 : 0;
	if (l->top > l->selected)
		l->top = l->selected;
	if (l->selected - l->top >= page)
		l->top = l->selected - page + 1;
	if (l->top + page > l->count)	/* no blank lines below while there are rows above */
		l->top = l->count > page ? l->count - page : 0;
}

/* The selected row stands in the line where it stood. */
static void keep_place(struct list *l, bool had, uint64_t identity, size_t line)
{
	size_t place = had ? find_identity(l, identity) : SIZE_MAX;

	if (place != SIZE_MAX) {
		l->selected = place;
		l->top = place > line ? place - line : 0;
	}
	if (l->follow && l->count)
		l->selected = l->count - 1;
	keep_in_view(l);
}

static int columns_of(const struct rows *rows, size_t row, size_t column, const struct rows_clock *clock)
{
	struct value v = { 0 };
	struct buf text = { 0 };
	const struct canvas plain = { 0 };

	rows->value(rows, row, column, &v);
	if (v.type == VALUE_SPARK)
		return (int)v.spark_count;
	rows_print(&v, clock, &text);
	int columns = canvas_width_of(&plain, (struct text){ buf_cstr(&text), (uint32_t)text.len });
	buf_fini(&text);
	return columns;
}

static void measure_columns(struct list *l, const struct rows *rows, const struct rows_clock *clock)
{
	size_t step = l->count / LIST_MEASURED_MAX + 1;

	for (size_t c = 0; c < rows->column_count && c < LIST_COLUMNS_MAX; c++) {
		int title = (int)strlen(rows->column[c].title) + 1;	/* and the sign of sorting */

		if (l->wanted[c] < title)
			l->wanted[c] = title;
		for (size_t i = 0; i < l->count && l->wanted[c] < rows->column[c].most; i += step) {
			int columns = columns_of(rows, l->order[i], c, clock);

			if (columns > l->wanted[c])
				l->wanted[c] = columns;
		}
	}
}

void list_update(struct list *l, const struct rows *rows, const struct rows_clock *clock)
{
	bool had = l->count > 0;
	uint64_t identity = had ? l->identity[l->selected] : 0;
	size_t line = l->selected - l->top;

	l->order = xreallocarray(l->order, rows->count + 1, sizeof *l->order);
	l->identity = xreallocarray(l->identity, rows->count + 1, sizeof *l->identity);
	l->count = 0;
	for (size_t i = 0; i < rows->count; i++)
		if (filter_matches(&l->filter, rows, i, clock))
			l->order[l->count++] = i;
	put_in_order(l, rows);
	for (size_t i = 0; i < l->count; i++)
		l->identity[i] = rows->identity(rows, l->order[i]);
	measure_columns(l, rows, clock);
	keep_place(l, had, identity, line);
}

/* ---- what keys do ---- */

void list_move(struct list *l, long by)
{
	long to = (long)l->selected + by;

	if (!l->count)
		return;
	l->selected = to < 0 ? 0 : to >= (long)l->count ? l->count - 1 : (size_t)to;
	l->follow = l->follow && l->selected == l->count - 1;
	keep_in_view(l);
}

bool list_select(struct list *l, uint64_t identity)
{
	size_t place = find_identity(l, identity);

	if (place == SIZE_MAX)
		return false;
	l->selected = place;
	keep_in_view(l);
	return true;
}

void list_sort(struct list *l, const struct rows *rows, int by)
{
	int choices = (int)rows->column_count + 1;

	l->sort_column = (l->sort_column + 1 + by + choices) % choices - 1;
	l->reverse = false;
}

void list_scroll(struct list *l, int by)
{
	if (by < 0 || l->more_columns)
		l->shift = l->shift + by < 0 ? 0 : l->shift + by;
}

/* Where the identity stands among the tags, or would. */
static size_t tag_place(const struct list *l, uint64_t identity)
{
	size_t low = 0, high = l->tag_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->tag[middle] < identity)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool list_is_tagged(const struct list *l, uint64_t identity)
{
	size_t place = tag_place(l, identity);

	return place < l->tag_count && l->tag[place] == identity;
}

void list_tag(struct list *l)
{
	if (!l->count)
		return;
	uint64_t identity = l->identity[l->selected];
	size_t place = tag_place(l, identity);
	if (list_is_tagged(l, identity)) {
		memmove(l->tag + place, l->tag + place + 1, (--l->tag_count - place) * sizeof *l->tag);
		return;
	}
	l->tag = xreallocarray(l->tag, l->tag_count + 1, sizeof *l->tag);
	memmove(l->tag + place + 1, l->tag + place, (l->tag_count++ - place) * sizeof *l->tag);
	l->tag[place] = identity;
}

void list_untag(struct list *l)
{
	l->tag_count = 0;
}

size_t list_search(struct list *l, const struct rows *rows, const struct rows_clock *clock, int by, bool from_here, size_t *nth)
{
	size_t matches = 0, best = SIZE_MAX, best_distance = SIZE_MAX, best_nth = 0;

	for (size_t i = 0; i < l->count && *l->search; i++) {
		if (!filter_finds(l->search, rows, l->order[i], clock))
			continue;
		matches++;
		size_t distance = by > 0 ? (i + l->count - l->selected) % l->count : (l->selected + l->count - i) % l->count;
		if (distance == 0 && !from_here)
			distance = l->count;
		if (distance < best_distance) {
			best = i;
			best_distance = distance;
			best_nth = matches;
		}
	}
	*nth = best_nth;
	if (best != SIZE_MAX)
		list_move(l, (long)best - (long)l->selected);
	return matches;
}

/* ---- drawing ---- */

struct layout {
	int x[LIST_COLUMNS_MAX], width[LIST_COLUMNS_MAX];	/* of the columns that are shown */
	size_t column[LIST_COLUMNS_MAX];
	size_t count;
};

/* The columns that have a use for more get what is left over, one after another and round again. Answers what is left then. */
static int widen(const struct list *l, const struct rows *rows, struct layout *out, int left)
{
	for (bool given = true; left > 0 && given;) {
		given = false;
		for (size_t i = 0; i < out->count && left > 0; i++) {
			size_t c = out->column[i];

			if (out->width[i] < rows->column[c].most && out->width[i] < l->wanted[c]) {
				out->width[i]++;
				left--;
				given = true;
			}
		}
	}
	return left;
}

/* Adds columns from *next on while they fit; answers what is left. */
static int add_columns(const struct list *l, const struct rows *rows, struct layout *out, size_t *next, int left)
{
	for (; *next < rows->column_count && out->count < LIST_COLUMNS_MAX; ++*next) {
		int width = rows->column[*next].least + (out->count ? 1 : 0);

		if (*next > 0 && *next <= (size_t)l->shift)
			continue;
		if (out->count && width > left)
			break;
		out->column[out->count] = *next;
		out->width[out->count++] = rows->column[*next].least;
		left -= width;
	}
	return left;
}

/*
 * What matters most stands on the left. The columns that fit into 80 are made as wide as they need before others follow, so that a large
 * screen shows more of them first, and then more columns.
 */
static void lay_out(struct list *l, const struct rows *rows, int width, struct layout *out)
{
	enum { NARROW = 80 };
	int room = width - GUTTER - 1;	/* the sign that there are more columns */
	int beyond = width > NARROW ? width - NARROW : 0, left;
	size_t next = 0;

	if (l->shift > (int)rows->column_count - 2)
		l->shift = rows->column_count > 2 ? (int)rows->column_count - 2 : 0;
	out->count = 0;
	left = add_columns(l, rows, out, &next, room - beyond) + beyond;
	left = widen(l, rows, out, left);
	left = add_columns(l, rows, out, &next, left);
	widen(l, rows, out, left);
	l->more_columns = next < rows->column_count;
	for (size_t i = 0, x = GUTTER; i < out->count; i++) {
		out->x[i] = (int)x;
		x += (size_t)out->width[i] + 1;
	}
}

static void draw_head(const struct list *l, const struct rows *rows, const struct layout *layout, struct canvas *c, int y)
{
	canvas_fill(c, y, 0, c->width, STYLE_HEAD);
	for (size_t i = 0; i < layout->count; i++) {
		const struct column *column = &rows->column[layout->column[i]];
		bool sorted = l->sort_column == (int)layout->column[i];
		int width = layout->width[i] - sorted;
		struct text title = { column->title, (uint32_t)strlen(column->title) };

		if (column->right)
			canvas_put_right(c, y, layout->x[i], width, sorted ? STYLE_SORTED : STYLE_HEAD, title);
		else
			canvas_put(c, y, layout->x[i], width, sorted ? STYLE_SORTED : STYLE_HEAD, title);
		if (sorted)
			canvas_glyph(c, y, layout->x[i] + width, STYLE_SORTED, column->right != l->reverse ? GLYPH_DESCENDING : GLYPH_ASCENDING);
	}
	if (l->shift)
		canvas_glyph(c, y, 0, STYLE_SORTED, GLYPH_LEFT);
	if (l->more_columns)
		canvas_glyph(c, y, c->width - 1, STYLE_SORTED, GLYPH_RIGHT);
}

/* The last counts that fit, each a bar against the greatest of all. */
static void draw_spark(struct canvas *c, int y, int x, int width, const struct value *v)
{
	uint32_t greatest = 1;
	size_t n = v->spark_count < (size_t)width ? v->spark_count : (size_t)width, from = v->spark_count - n;

	for (size_t i = 0; i < v->spark_count; i++)
		if (v->spark[i] > greatest)
			greatest = v->spark[i];
	for (size_t i = 0; i < n; i++) {
		uint64_t count = v->spark[from + i];

		canvas_glyph(c, y, x + (int)i, v->style, (enum glyph)(GLYPH_SPARK_0 + (count * 8 + greatest - 1) / greatest));
	}
}

static void draw_value(struct canvas *c, int y, int x, int width, const struct column *column, const struct value *v, const struct rows_clock *clock)
{
	struct buf text = { 0 };

	if (v->type == VALUE_SPARK) {
		draw_spark(c, y, x, width, v);
		return;
	}
	rows_print(v, clock, &text);
	if (text.len > (size_t)width) {	/* a count that lost digits would be another one */
		buf_clear(&text);
		rows_print_short(v, clock, &text);
	}
	struct text t = { buf_cstr(&text), (uint32_t)text.len };
	if (column->right)
		canvas_put_right(c, y, x, width, v->style, t);
	else
		canvas_put(c, y, x, width, v->style, t);
	buf_fini(&text);
}

static void draw_row(const struct list *l, const struct rows *rows, const struct rows_clock *clock, const struct layout *layout, size_t index,
		     struct canvas *c, int y)
{
	for (size_t i = 0; i < layout->count; i++) {
		struct value v = { 0 };

		rows->value(rows, l->order[index], layout->column[i], &v);
		draw_value(c, y, layout->x[i], layout->width[i], &rows->column[layout->column[i]], &v, clock);
	}
	if (list_is_tagged(l, l->identity[index]))
		canvas_put_string(c, y, 1, 1, STYLE_STRONG, "*");
	if (index == l->selected) {
		canvas_style(c, y, 0, c->width, STYLE_SELECTED);
		canvas_put_string(c, y, 0, 1, STYLE_SELECTED, ">");
	}
	canvas_mark(c, y, l->search);
}

void list_draw(struct list *l, const struct rows *rows, const struct rows_clock *clock, struct canvas *c, int y, int height)
{
	struct layout layout;

	if (height < 1)
		return;
	l->page = height > 1 ? (size_t)height - 1 : 1;
	keep_in_view(l);
	lay_out(l, rows, c->width, &layout);
	draw_head(l, rows, &layout, c, y);
	for (size_t i = 0; i + 1 < (size_t)height && l->top + i < l->count; i++)
		draw_row(l, rows, clock, &layout, l->top + i, c, y + 1 + (int)i);
}
