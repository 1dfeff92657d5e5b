/*
 * list.h - a list of rows (rows.h) on the screen: which row is selected, what is tagged, in what order and through which filter they stand.
 *
 * Selection, tags and the row at the top follow the identity of rows, not their number, so that fresh data do not move what someone reads.
 * Columns stand from the left in order of importance; those that do not fit are reached by scrolling, the first one stays.
 */
#ifndef TUI_LIST_H
#define TUI_LIST_H

#include "tui/filter.h"
#include "tui/rows.h"

enum { LIST_COLUMNS_MAX = 32, LIST_MEASURED_MAX = 300 };	/* more columns than a view has; rows whose widths are looked at */

struct list {
	struct filter filter;
	char search[FILTER_TEXT_MAX];	/* lower case; "": none */
	int sort_column;	/* -1: as the view gives them */
	bool reverse;
	bool newest_last;	/* the order of the view is that of time: the last row may be followed */
	bool follow;		/* stay with the last row */
	size_t *order;		/* rows that are shown */
	size_t count;
	uint64_t *identity;	/* of each of them */
	size_t selected, top;	/* index into order */
	size_t page;		/* rows on the screen when it was last drawn */
	int shift;		/* columns scrolled over */
	bool more_columns;	/* that did not fit when it was last drawn */
	int wanted[LIST_COLUMNS_MAX];	/* columns on the screen that texts seen so far take; only grows, so that columns stay where they are */
	uint64_t *tag;		/* identities of tagged rows, sorted */
	size_t tag_count;
};

void list_fini(struct list *l);
/* To be called with fresh rows, and after filter or order changed. */
void list_update(struct list *l, const struct rows *rows, const struct rows_clock *clock);

/* Draws a head line and rows into height lines from y on. */
void list_draw(struct list *l, const struct rows *rows, const struct rows_clock *clock, struct canvas *c, int y, int height);

/* The selected row; SIZE_MAX when there is none. */
size_t list_row(const struct list *l);
void list_move(struct list *l, long by);
/* Selects the row of an identity; false when it is not shown. */
bool list_select(struct list *l, uint64_t identity);
/* The next sort column (by 1) or the one before (by -1); the order of the view comes before the first. */
void list_sort(struct list *l, const struct rows *rows, int by);
void list_scroll(struct list *l, int by);
/* Tags the selected row or takes its tag away. */
void list_tag(struct list *l);
void list_untag(struct list *l);
bool list_is_tagged(const struct list *l, uint64_t identity);

/* Selects the next match of search (by 1) or the one before (by -1), from the selected one on when it counts itself. Answers the number of matches, and in *nth which. */
size_t list_search(struct list *l, const struct rows *rows, const struct rows_clock *clock, int by, bool from_here, size_t *nth);

#endif
