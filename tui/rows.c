/* rows.c - see rows.h */
#include "tui/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/timefmt.h"

static const int64_t second_us = 1000000;

void rows_print_span(int64_t us, struct buf *out)
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	int64_t s = us / second_us;
	size_t i = 0;

	while (i < 3 && s < 2 * units[i].seconds)	/* "90 min" tells more than "1 h" */
		i++;
	buf_printf(out, "%" PRId64 " %s", s / units[i].seconds, units[i].unit);
}

/* "14:03:05" on the day of now, "11-20 14:03" in its year, else the date alone. */
void rows_print_time(int64_t us, const struct rows_clock *clock, struct buf *out)
{
	char text[TIME_TEXT_MAX], today[TIME_TEXT_MAX];

	if (clock->relative) {
		buf_add_str(out, us > clock->now_us ? "in " : "");
		rows_print_span(us > clock->now_us ? us - clock->now_us : clock->now_us - us, out);
		return;
	}
	time_format_local(us, text);
	time_format_local(clock->now_us, today);
	if (strlen(text) < 19 || strncmp(text, today, 10) == 0)
		buf_add_str(out, strlen(text) < 19 ? text : text + 11);
	else if (strncmp(text, today, 4) == 0)
		buf_add(out, text + 5, 11);
	else
		buf_add(out, text, 10);
}

/* "1.4 MiB" */
static void print_bytes(int64_t bytes, struct buf *out)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double n = (double)bytes;
	size_t i = 0;

	for (; n >= 1024 && i < 4; i++)
		n /= 1024;
	buf_printf(out, i == 0 || n >= 100 ? "%.0f %s" : "%.1f %s", n, units[i]);
}

void rows_print_share(int64_t part, int64_t whole, struct buf *out)
{
	if (whole <= 0)
		buf_add_char(out, '-');
	else if (part > 0 && part * 100 < whole)
		buf_add_str(out, "<1 %");
	else
		buf_printf(out, "%" PRId64 " %%", part * 100 / whole);
}

static void print_spark(const struct value *v, struct buf *out)
{
	for (size_t i = 0; i < v->spark_count; i++)
		buf_printf(out, "%s%" PRIu32, i ? " " : "", v->spark[i]);
}

void rows_print(const struct value *v, const struct rows_clock *clock, struct buf *out)
{
	switch (v->type) {
	case VALUE_NONE: buf_add_char(out, '-'); break;
	case VALUE_TEXT: buf_add_text(out, v->text); break;
	case VALUE_NUMBER: buf_printf(out, "%" PRId64, v->number); break;
	case VALUE_PAIR: buf_printf(out, "%" PRId64 "/%" PRId64, v->number, v->second); break;
	case VALUE_SHARE: rows_print_share(v->number, v->second, out); break;
	case VALUE_BYTES: print_bytes(v->number, out); break;
	case VALUE_TIME: rows_print_time(v->number, clock, out); break;
	case VALUE_SPARK: print_spark(v, out); break;
	}
}

static void print_short(int64_t n, struct buf *out)
{
	static const char units[] = "kMGTPE";
	double x = (double)n;
	int unit = -1;

	for (; (x >= 1000 || x <= -1000) && unit < 5; unit++)
		x /= 1000;
	if (unit < 0)
		buf_printf(out, "%" PRId64, n);
	else
		buf_printf(out, x < 10 && x > -10 ? "%.1f%c" : "%.0f%c", (double)(int64_t)(x * 10) / 10, units[unit]);
}

void rows_print_short(const struct value *v, const struct rows_clock *clock, struct buf *out)
{
	if (v->type != VALUE_NUMBER && v->type != VALUE_PAIR) {
		rows_print(v, clock, out);
		return;
	}
	print_short(v->number, out);
	if (v->type == VALUE_PAIR) {
		buf_add_char(out, '/');
		print_short(v->second, out);
	}
}

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int64_t spark_sum(const struct value *v)
{
	int64_t sum = 0;

	for (size_t i = 0; i < v->spark_count; i++)
		sum += v->spark[i];
	return sum;
}

static int compare_texts(struct text a, struct text b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	return order ? (order > 0) - (order < 0) : compare_numbers(a.len, b.len);
}

static int compare_shares(const struct value *a, const struct value *b)
{
	double x = a->second > 0 ? (double)a->number / (double)a->second : -1, y = b->second > 0 ? (double)b->number / (double)b->second : -1;

	return (x > y) - (x < y);
}

int rows_compare(const struct value *a, const struct value *b, bool descending)
{
	int order;

	if (a->type == VALUE_NONE || b->type == VALUE_NONE)
		return (a->type == VALUE_NONE) - (b->type == VALUE_NONE);
	if (a->rank && b->rank)
		order = compare_numbers(a->rank, b->rank);
	else if (a->type == VALUE_TEXT)
		order = compare_texts(a->text, b->text);
	else if (a->type == VALUE_SPARK)
		order = compare_numbers(spark_sum(a), spark_sum(b));
	else if (a->type == VALUE_SHARE)
		order = compare_shares(a, b);
	else if (a->type == VALUE_PAIR && a->second != b->second)
		order = compare_numbers(a->second, b->second);
	else
		order = compare_numbers(a->number, b->number);
	return descending ? -order : order;
}

struct value rows_word(const char *s, enum style style)
{
	if (!s || !*s)
		return (struct value){ .type = VALUE_NONE };
	return (struct value){ .type = VALUE_TEXT, .style = style, .text = { s, (uint32_t)strlen(s) } };
}

struct value rows_time(int64_t us)
{
	return (struct value){ .type = us ? VALUE_TIME : VALUE_NONE, .number = us };
}

struct value rows_text(struct text t)
{
	return (struct value){ .type = t.p ? VALUE_TEXT : VALUE_NONE, .text = t };
}

struct value rows_number(int64_t n)
{
	return (struct value){ .type = VALUE_NUMBER, .number = n };
}
