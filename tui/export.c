/* export.c - see export.h */
#include "tui/export.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/escape.h"
#include "common/json.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"

/* ---- text ---- */

static size_t characters(const struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += (b->p[i] & 0xc0) != 0x80;
	return n;
}

static void print_escaped(const struct rows *rows, size_t row, size_t column, const struct rows_clock *clock, struct buf *out)
{
	struct buf plain = { 0 };
	struct value v = { 0 };

	rows->value(rows, row, column, &v);
	rows_print(&v, clock, &plain);
	escape_terminal(out, (struct text){ buf_cstr(&plain), (uint32_t)plain.len }, 0);
	buf_fini(&plain);
}

static void add_padded(struct buf *out, const struct buf *cell, size_t width, bool right, bool last)
{
	size_t n = characters(cell), blanks = n < width ? width - n : 0;

	for (size_t i = 0; right && i < blanks; i++)
		buf_add_char(out, ' ');
	buf_add(out, cell->p, cell->len);
	for (size_t i = 0; !right && !last && i < blanks; i++)
		buf_add_char(out, ' ');
	buf_add_char(out, last ? '\n' : ' ');
}

static void export_text(const struct rows *rows, const size_t *index, size_t count, const struct rows_clock *clock, struct buf *out)
{
	size_t *width = xcalloc(rows->column_count, sizeof *width);
	struct buf cell = { 0 };

	for (size_t c = 0; c < rows->column_count; c++) {
		width[c] = strlen(rows->column[c].title);
		for (size_t i = 0; i < count; i++) {
			buf_clear(&cell);
			print_escaped(rows, index[i], c, clock, &cell);
			if (characters(&cell) > width[c])
				width[c] = characters(&cell);
		}
	}
	for (size_t i = 0; i <= count; i++) {
		for (size_t c = 0; c < rows->column_count; c++) {
			buf_clear(&cell);
			if (i == 0)
				buf_add_str(&cell, rows->column[c].title);
			else
				print_escaped(rows, index[i - 1], c, clock, &cell);
			add_padded(out, &cell, width[c], rows->column[c].right, c + 1 == rows->column_count);
		}
	}
	buf_fini(&cell);
	free(width);
}

/* ---- NDJSON ---- */

static void add_json(struct json *j, const struct column *column, const struct value *v)
{
	char time[TIME_TEXT_MAX];

	switch (v->type) {
	case VALUE_NONE: json_null(j, column->key); break;
	case VALUE_TEXT: json_text(j, column->key, v->text); break;
	case VALUE_TIME: json_string(j, column->key, time_format_utc(v->number, time)); break;
	case VALUE_NUMBER: case VALUE_PAIR: case VALUE_SHARE: case VALUE_BYTES: json_int(j, column->key, v->number); break;
	case VALUE_SPARK:
		json_array(j, column->key);
		for (size_t i = 0; i < v->spark_count; i++)
			json_int(j, NULL, v->spark[i]);
		json_array_end(j);
		break;
	}
	if (column->second && (v->type == VALUE_PAIR || v->type == VALUE_SHARE))
		json_int(j, column->second, v->second);
	else if (column->second)
		json_null(j, column->second);
}

static void export_json(const struct rows *rows, const size_t *index, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		struct json j;

		json_begin(&j, out);
		json_object(&j, NULL);
		for (size_t c = 0; c < rows->column_count; c++) {
			struct value v = { 0 };

			rows->value(rows, index[i], c, &v);
			add_json(&j, &rows->column[c], &v);
		}
		json_object_end(&j);
		buf_add_char(out, '\n');
	}
}

/* ---- CSV (RFC 4180) ---- */

static void add_csv(const struct column *column, const struct value *v, struct buf *out)
{
	char time[TIME_TEXT_MAX];

	switch (v->type) {
	case VALUE_NONE: break;
	case VALUE_TEXT: escape_csv(out, v->text, 0); break;
	case VALUE_TIME: buf_add_str(out, time_format_utc(v->number, time)); break;
	case VALUE_NUMBER: case VALUE_PAIR: case VALUE_SHARE: case VALUE_BYTES: buf_printf(out, "%" PRId64, v->number); break;
	case VALUE_SPARK:
		for (size_t i = 0; i < v->spark_count; i++)
			buf_printf(out, "%s%" PRIu32, i ? " " : "", v->spark[i]);
		break;
	}
	if (column->second)
		buf_add_char(out, ',');
	if (column->second && (v->type == VALUE_PAIR || v->type == VALUE_SHARE))
		buf_printf(out, "%" PRId64, v->second);
}

static void export_csv(const struct rows *rows, const size_t *index, size_t count, struct buf *out)
{
	for (size_t c = 0; c < rows->column_count; c++)
		buf_printf(out, "%s%s%s%s", rows->column[c].key, rows->column[c].second ? "," : "", rows->column[c].second ? rows->column[c].second : "",
			   c + 1 < rows->column_count ? "," : "\r\n");
	for (size_t i = 0; i < count; i++) {
		for (size_t c = 0; c < rows->column_count; c++) {
			struct value v = { 0 };

			rows->value(rows, index[i], c, &v);
			add_csv(&rows->column[c], &v, out);
			buf_add_str(out, c + 1 < rows->column_count ? "," : "\r\n");
		}
	}
}

void export_rows(const struct rows *rows, const size_t *index, size_t count, const struct rows_clock *clock, enum export_format format, struct buf *out)
{
	if (format == EXPORT_TEXT)
		export_text(rows, index, count, clock, out);
	else if (format == EXPORT_JSON)
		export_json(rows, index, count, out);
	else
		export_csv(rows, index, count, out);
}
