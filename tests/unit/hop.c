/* Unit tests of analyzer/hop.c: the Received lines of facts.db are read as SQLite's json_each reads them. */
#include "analyzer/hop.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

static void assert_same(struct text got, sqlite3_stmt *s, int column)
{
	const char *want = (const char *)sqlite3_column_text(s, column);

	assert_int_equal(got.p != NULL, want != NULL);
	if (want)
		assert_true(got.len == strlen(want) && memcmp(got.p, want, got.len) == 0);
}

static void assert_read(const char *json, int lines)
{
	struct text t = { json, (uint32_t)strlen(json) };
	struct hop hop;
	sqlite3 *db;
	sqlite3_stmt *s;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT value ->> 1, value ->> 3 FROM json_each(?1)", -1, &s, NULL), SQLITE_OK);
	sqlite3_bind_text(s, 1, json, -1, SQLITE_STATIC);
	while (sqlite3_step(s) == SQLITE_ROW) {
		assert_true(hop_next(&t, &hop));
		assert_same(hop.from_ip, s, 0);
		assert_same(hop.with, s, 1);
		lines--;
	}
	assert_int_equal(lines, 0);
	assert_false(hop_next(&t, &hop));
	sqlite3_finalize(s);
	sqlite3_close(db);
}

static void lines_are_read_in_order(void **state)
{
	(void)state;
	assert_read("[]", 0);
	assert_read("[[\"a.example\",\"192.0.2.1\",\"mx\",\"ESMTPSA\",\"4F1\"]]", 1);
	assert_read("[[null,null,null,null,null],[\"b\",\"2001:db8::1\",null,\"LMTP\",null],[\"c\",\"198.51.100.7\",\"d\",null,\"x\"]]", 3);
}

static void escapes_and_brackets_do_not_confuse(void **state)
{
	(void)state;
	assert_read("[[\"a\\\"],[\\\\\",\"192.0.2.1\",\"],[\",\"SMTP\",\"\\u0001\\\\\"],[\"[\",null,\"\",\"\",\",\"]]", 2);
}

static void what_is_no_such_array_has_no_lines(void **state)
{
	static const char *const broken[] = { "", "[[", "[[\"a", "[[\"a\\", "[[\"a\",1,2]]", "null", "[[\"a\",\"b\"]]" };
	struct hop hop;

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
		assert_false(hop_next(&(struct text){ broken[i], (uint32_t)strlen(broken[i]) }, &hop));
	assert_false(hop_next(&(struct text){ 0 }, &hop));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_in_order),
		cmocka_unit_test(escapes_and_brackets_do_not_confuse),
		cmocka_unit_test(what_is_no_such_array_has_no_lines),
	};

	return cmocka_run_group_tests_name("hop", tests, NULL, NULL);
}
