/* Lists: what is selected, tagged and at the top stays so when rows come, go and are sorted; filters and searches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tui/list.c"

struct fruit {
	uint64_t id;
	const char *name, *colour;
	int rank;
	int64_t count;
};

static const struct column columns[] = {
	{ "name", "Name", 6, 10, false, "", NULL }, { "colour", "Colour", 6, 10, false, "", NULL }, { "count", "Count", 5, 8, true, "", NULL },
};
static const struct rows_clock clock_0 = { 0, false };

static void value(const struct rows *rows, size_t row, size_t column, struct value *out)
{
	const struct fruit *f = &((const struct fruit *)rows->data)[row];

	*out = column == 0 ? rows_word(f->name, STYLE_PLAIN) : column == 1 ? rows_word(f->colour, STYLE_PLAIN) : rows_number(f->count);
	if (column == 1)
		out->rank = f->rank;
	if (column == 2 && f->count < 0)
		out->type = VALUE_NONE;
}

static uint64_t identity(const struct rows *rows, size_t row)
{
	return ((const struct fruit *)rows->data)[row].id;
}

static struct rows rows_of(const struct fruit *f, size_t n)
{
	return (struct rows){ columns, 3, n, f, value, identity, NULL };
}

static const struct fruit basket[] = {
	{ 1, "apple", "red", 3, 5 }, { 2, "pear", "green", 1, 50 }, { 3, "plum", "no", 2, -1 }, { 4, "cherry", "unknown", 4, 7 }, { 5, "lemon", "yellow", 5, 6 },
};

static struct list fresh(const struct rows *rows)
{
	struct list l = { .sort_column = -1, .page = 3 };

	list_update(&l, rows, &clock_0);
	return l;
}

static void the_selection_follows_its_row(void **state)
{
	struct rows rows = rows_of(basket, 5), later = rows_of(basket + 1, 4);
	struct list l = fresh(&rows);

	(void)state;
	list_move(&l, 3);
	assert_int_equal(list_row(&l), 3);
	size_t line = l.selected - l.top;
	list_update(&l, &later, &clock_0);
	assert_int_equal(list_row(&l), 2);
	assert_int_equal(l.identity[l.selected], 4);
	assert_int_equal(l.selected - l.top, line);
	list_sort(&l, &rows, 1);
	list_update(&l, &rows, &clock_0);
	assert_int_equal(l.identity[l.selected], 4);
	list_fini(&l);
}

static void a_row_that_went_leaves_the_selection_where_it_was(void **state)
{
	struct rows rows = rows_of(basket, 5), fewer = rows_of(basket, 2), none = rows_of(basket, 0);
	struct list l = fresh(&rows);

	(void)state;
	list_move(&l, 4);
	list_update(&l, &fewer, &clock_0);
	assert_int_equal(list_row(&l), 1);
	list_update(&l, &none, &clock_0);
	assert_true(list_row(&l) == SIZE_MAX);
	list_move(&l, 1);
	list_tag(&l);
	list_update(&l, &rows, &clock_0);
	assert_int_equal(list_row(&l), 0);
	list_fini(&l);
}

static void what_is_followed_is_the_last_row(void **state)
{
	struct rows some = rows_of(basket, 3), rows = rows_of(basket, 5);
	struct list l = { .sort_column = -1, .page = 3, .follow = true };

	(void)state;
	list_update(&l, &some, &clock_0);
	list_update(&l, &rows, &clock_0);
	assert_int_equal(list_row(&l), 4);
	list_move(&l, -1);
	assert_false(l.follow);
	list_fini(&l);
}

static void assert_order(const struct list *l, const char *ids)
{
	assert_int_equal(l->count, strlen(ids));
	for (size_t i = 0; i < l->count; i++)
		assert_int_equal(l->identity[i], (uint64_t)(ids[i] - '0'));
}

static void columns_are_sorted_and_the_unknown_comes_last(void **state)
{
	struct rows rows = rows_of(basket, 5);
	struct list l = fresh(&rows);

	(void)state;
	assert_order(&l, "12345");
	list_sort(&l, &rows, 1);
	list_update(&l, &rows, &clock_0);
	assert_order(&l, "14523");
	list_sort(&l, &rows, 1);	/* words with an order of their own */
	list_update(&l, &rows, &clock_0);
	assert_order(&l, "23145");
	list_sort(&l, &rows, 1);	/* numbers: the greatest first */
	list_update(&l, &rows, &clock_0);
	assert_order(&l, "24513");
	l.reverse = true;
	list_update(&l, &rows, &clock_0);
	assert_order(&l, "15423");
	list_sort(&l, &rows, 1);
	list_update(&l, &rows, &clock_0);
	assert_order(&l, "12345");
	list_sort(&l, &rows, -1);
	assert_int_equal(l.sort_column, 2);
	list_fini(&l);
}

static void filtered(const char *text, const char *ids)
{
	struct rows rows = rows_of(basket, 5);
	struct list l = { .sort_column = -1 };
	char error[200];

	assert_int_equal(filter_parse(text, &rows, &l.filter, error, sizeof error), 0);
	list_update(&l, &rows, &clock_0);
	assert_order(&l, ids);
	list_fini(&l);
}

static void filters_choose_rows(void **state)
{
	(void)state;
	filtered("", "12345");
	filtered("LE", "15");
	filtered("e  r", "124");
	filtered("name:p", "123");
	filtered("name:p -name:pl", "2");
	filtered("-p", "45");
	filtered("colour:no", "3");	/* not in "unknown" */
	filtered("no", "34");
	filtered("count:50", "2");
	filtered("\"name:p\"", "");
	filtered("\"ple\"", "1");
	filtered("name:\"a p\"", "");
	filtered("name:\"app", "1");
	filtered("2001:db8::1", "");
}

static void a_wrong_filter_is_refused(void **state)
{
	struct rows rows = rows_of(basket, 5);
	struct filter f;
	char error[200], text[300];

	(void)state;
	assert_int_equal(filter_parse("size:1", &rows, &f, error, sizeof error), -1);
	assert_non_null(strstr(error, "name colour count"));
	assert_int_equal(filter_parse("a b c d e f g h i", &rows, &f, error, sizeof error), -1);
	memset(text, 'a', sizeof text);
	text[299] = '\0';
	assert_int_equal(filter_parse(text, &rows, &f, error, sizeof error), -1);
}

static void tags_stay_with_their_rows(void **state)
{
	struct rows rows = rows_of(basket, 5), later = rows_of(basket + 2, 3);
	struct list l = fresh(&rows);

	(void)state;
	for (int i = 0; i < 3; i++) {
		list_move(&l, i ? -2 : 4);
		list_tag(&l);
	}
	assert_int_equal(l.tag_count, 3);
	list_update(&l, &later, &clock_0);
	assert_true(list_is_tagged(&l, 5) && list_is_tagged(&l, 3) && list_is_tagged(&l, 1));
	assert_false(list_is_tagged(&l, 4));
	assert_true(list_select(&l, 3));
	list_tag(&l);
	assert_false(list_is_tagged(&l, 3));
	assert_false(list_select(&l, 1));
	list_untag(&l);
	assert_false(list_is_tagged(&l, 5));
	list_fini(&l);
}

static void matches_are_gone_through_in_a_ring(void **state)
{
	struct rows rows = rows_of(basket, 5);
	struct list l = fresh(&rows);
	size_t nth;

	(void)state;
	strcpy(l.search, "p");
	assert_int_equal(list_search(&l, &rows, &clock_0, 1, true, &nth), 3);
	assert_int_equal(nth, 1);
	list_search(&l, &rows, &clock_0, 1, false, &nth);
	assert_int_equal(list_row(&l), 1);
	list_search(&l, &rows, &clock_0, -1, false, &nth);
	list_search(&l, &rows, &clock_0, -1, false, &nth);
	assert_int_equal(nth, 3);
	assert_int_equal(list_row(&l), 2);
	strcpy(l.search, "quince");
	assert_int_equal(list_search(&l, &rows, &clock_0, 1, false, &nth), 0);
	assert_int_equal(list_row(&l), 2);
	list_fini(&l);
}

static void a_count_that_does_not_fit_is_shortened_not_cut(void **state)
{
	const struct fruit many = { 1, "rice", "white", 1, 123456789 };
	struct rows rows = rows_of(&many, 1);
	struct list l = { .sort_column = -1 };
	struct canvas c;
	struct buf out = { 0 };

	(void)state;
	list_update(&l, &rows, &clock_0);
	canvas_init(&c, 24, 3, true);
	list_draw(&l, &rows, &clock_0, &c, 0, 3);
	canvas_text(&c, &out);
	assert_non_null(strstr(buf_cstr(&out), " 123M"));
	buf_fini(&out);
	canvas_fini(&c);
	list_fini(&l);
}

static void any_size_is_drawn(void **state)
{
	struct rows rows = rows_of(basket, 5);
	struct list l = fresh(&rows);

	(void)state;
	for (int width = 1; width < 60; width++) {
		for (int height = 1; height < 9; height++) {
			struct canvas c;

			canvas_init(&c, width, height, false);
			list_draw(&l, &rows, &clock_0, &c, 0, height);
			list_draw(&l, &rows, &clock_0, &c, height - 1, height);
			list_move(&l, width % 3 - 1);
			list_scroll(&l, height % 3 - 1);
			canvas_fini(&c);
		}
	}
	list_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_selection_follows_its_row), cmocka_unit_test(a_row_that_went_leaves_the_selection_where_it_was),
		cmocka_unit_test(what_is_followed_is_the_last_row), cmocka_unit_test(columns_are_sorted_and_the_unknown_comes_last), cmocka_unit_test(filters_choose_rows),
		cmocka_unit_test(a_wrong_filter_is_refused), cmocka_unit_test(tags_stay_with_their_rows), cmocka_unit_test(matches_are_gone_through_in_a_ring),
		cmocka_unit_test(a_count_that_does_not_fit_is_shortened_not_cut), cmocka_unit_test(any_size_is_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
