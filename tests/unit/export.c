/* Rows as text, NDJSON and CSV, values as people read them, keys by their names, and files that are saved. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tui/export.c"
#include "tui/key.h"
#include "tui/save.h"

static const struct column columns[] = {
	{ "name", "Name", 4, 9, false, "", NULL }, { "time", "Time", 4, 9, false, "", NULL }, { "pair_hour", "Pair", 4, 9, true, "", "pair_today" },
	{ "share", "Share", 4, 9, true, "", "of" }, { "bytes", "Bytes", 4, 9, true, "", NULL }, { "spark", "Spark", 4, 9, false, "", NULL },
};
static const uint32_t spark[] = { 0, 3, 1 };
static const int64_t noon_us = INT64_C(1795176000000000);	/* 2026-11-20 12:00 UTC */

static void value(const struct rows *rows, size_t row, size_t column, struct value *out)
{
	static const struct value all[] = {
		{ .type = VALUE_TEXT, .text = { "=1+\"2\"\x1b[31m\xff", 12 } }, { .type = VALUE_TIME, .number = INT64_C(1795176000000001) },
		{ .type = VALUE_PAIR, .number = 3, .second = 41 }, { .type = VALUE_SHARE, .number = 1, .second = 300 }, { .type = VALUE_BYTES, .number = 1536 },
		{ .type = VALUE_SPARK, .spark = spark, .spark_count = 3 },
	};

	(void)rows;
	*out = row == 0 ? all[column] : (struct value){ .type = VALUE_NONE };
}

static void assert_exports(enum export_format format, const char *want)
{
	const struct rows rows = { columns, 6, 2, NULL, value, NULL, NULL };
	const struct rows_clock clock = { INT64_C(1795176000000000) + 90 * INT64_C(1000000), true };
	const size_t index[] = { 0, 1 };
	struct buf out = { 0 };

	export_rows(&rows, index, 2, &clock, format, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

static void rows_are_text_json_and_csv(void **state)
{
	(void)state;
	assert_exports(EXPORT_TEXT, "Name            Time Pair Share   Bytes Spark\n"
				    "=1+\"2\"\\x1b[31m\uFFFD 89 s 3/41  <1 % 1.5 KiB 0 3 1\n"
				    "-               -       -     -       - -\n");
	assert_exports(EXPORT_JSON, "{\"name\":\"=1+\\\"2\\\"\\u001b[31m\uFFFD\",\"time\":\"2026-11-20T12:00:00.000001Z\",\"pair_hour\":3,\"pair_today\":41,\"share\":1,\"of\":300,"
				    "\"bytes\":1536,\"spark\":[0,3,1]}\n"
				    "{\"name\":null,\"time\":null,\"pair_hour\":null,\"pair_today\":null,\"share\":null,\"of\":null,\"bytes\":null,\"spark\":null}\n");
	assert_exports(EXPORT_CSV, "name,time,pair_hour,pair_today,share,of,bytes,spark\r\n"
				   "\"'=1+\"\"2\"\"\\x1b[31m\uFFFD\",2026-11-20T12:00:00.000001Z,3,41,1,300,1536,0 3 1\r\n"
				   ",,,,,,,\r\n");
}

static void assert_prints(struct value v, bool relative, const char *want)
{
	const struct rows_clock clock = { noon_us, relative };
	struct buf out = { 0 };

	rows_print(&v, &clock, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

static void times_are_told_as_the_clock_or_as_ago(void **state)
{
	static const int64_t s = 1000000;

	(void)state;
	assert_prints(rows_time(noon_us - 59 * s), false, "11:59:01");
	assert_prints(rows_time(noon_us - 86400 * s), false, "11-19 12:00");
	assert_prints(rows_time(noon_us - 400 * 86400 * s), false, "2025-10-16");
	assert_prints(rows_time(noon_us - 59 * s), true, "59 s");
	assert_prints(rows_time(noon_us - 119 * s), true, "119 s");
	assert_prints(rows_time(noon_us - 120 * s), true, "2 min");
	assert_prints(rows_time(noon_us - 47 * 3600 * s), true, "47 h");
	assert_prints(rows_time(noon_us - 48 * 3600 * s), true, "2 d");
	assert_prints(rows_time(noon_us + 28 * 86400 * s), true, "in 28 d");
	assert_prints(rows_time(0), true, "-");
}

static void shares_round_to_no_lie(void **state)
{
	(void)state;
	assert_prints((struct value){ .type = VALUE_SHARE, .number = 0, .second = 9 }, false, "0 %");
	assert_prints((struct value){ .type = VALUE_SHARE, .number = 1, .second = 1000 }, false, "<1 %");
	assert_prints((struct value){ .type = VALUE_SHARE, .number = 999, .second = 1000 }, false, "99 %");
	assert_prints((struct value){ .type = VALUE_SHARE, .number = 9, .second = 9 }, false, "100 %");
	assert_prints((struct value){ .type = VALUE_SHARE, .number = 0, .second = 0 }, false, "-");
}

static void every_name_of_a_key_is_known_and_none_stands_twice_but_h(void **state)
{
	(void)state;
	for (int i = 0; i < COMMAND_COUNT - 1; i++) {
		for (const char *p = key_table[i].keys; *p; p += strspn(p, " ")) {
			size_t n = strcspn(p, " ");
			int key = key_of_name(p, n);

			assert_int_not_equal(key, KEYS_NONE);
			assert_true(command_of_key(key, 0) == key_table[i].command || key == 'h');
			assert_int_equal(command_of_key(key, 1), key == 'h' ? COMMAND_HELP : COMMAND_NONE);
			p += n;
		}
	}
	assert_int_equal(command_of_key('h', 0), COMMAND_LEFT);
	assert_int_equal(command_of_key('%', 0), COMMAND_NONE);
}

static char *in_dir(const char *dir, const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void a_file_is_saved_whole_or_not_at_all(void **state)
{
	char dir[] = "/tmp/unit-export-XXXXXX", error[200], read_back[16];
	struct buf content = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	char *path = in_dir(dir, "file"), *link_path = in_dir(dir, "link"), *away = in_dir(dir, "no/file");
	buf_add_str(&content, "first");
	assert_int_equal(save_file(path, &content, false, error, sizeof error), SAVE_DONE);
	buf_add_str(&content, " second");
	assert_int_equal(save_file(path, &content, false, error, sizeof error), SAVE_EXISTS);
	assert_int_equal(symlink(path, link_path), 0);
	assert_int_equal(save_file(link_path, &content, false, error, sizeof error), SAVE_EXISTS);
	assert_int_equal(save_file(link_path, &content, true, error, sizeof error), SAVE_FAILED);
	assert_int_equal(save_file(away, &content, false, error, sizeof error), SAVE_FAILED);
	assert_int_equal(save_file(dir, &content, true, error, sizeof error), SAVE_FAILED);
	assert_int_equal(save_file(path, &content, true, error, sizeof error), SAVE_DONE);
	FILE *f = fopen(path, "r");
	assert_non_null(fgets(read_back, sizeof read_back, f));
	fclose(f);
	assert_string_equal(read_back, "first second");
	assert_int_equal(unlink(path) | unlink(link_path), 0);
	assert_int_equal(rmdir(dir), 0);	/* nothing else was left */
	buf_fini(&content);
	free(path);
	free(link_path);
	free(away);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_text_json_and_csv), cmocka_unit_test(times_are_told_as_the_clock_or_as_ago), cmocka_unit_test(shares_round_to_no_lie),
		cmocka_unit_test(every_name_of_a_key_is_known_and_none_stands_twice_but_h), cmocka_unit_test(a_file_is_saved_whole_or_not_at_all),
	};

	setenv("TZ", "UTC", 1);
	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
