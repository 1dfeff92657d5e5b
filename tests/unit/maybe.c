/* Unit tests of maybe.c. */
#include "analyzer/maybe.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MEMBERS = 100000 };

/* As the ids of the store are: some are counters, some are hashes. */
static int64_t id_at(int i, bool hashed)
{
	return hashed ? (int64_t)((uint64_t)(i + 1) * UINT64_C(0xd6e8feb86659fd93) >> 1) : i + 1;
}

static void what_was_added_is_never_denied(void **state)
{
	(void)state;
	for (int hashed = 0; hashed < 2; hashed++) {
		struct maybe *m = maybe_new();
		int strangers = 0;

		for (int i = 0; i < MEMBERS; i++)
			maybe_add(m, id_at(i, hashed));
		for (int i = 0; i < MEMBERS; i++)
			assert_true(maybe_has(m, id_at(i, hashed)));
		for (int i = MEMBERS; i < 2 * MEMBERS; i++)
			strangers += maybe_has(m, id_at(i, hashed));
		if (strangers > MEMBERS / 100)
			fail_msg("%d of %d that were never added", strangers, MEMBERS);
		maybe_free(m);
	}
}

static void rows_are_added(void **state)
{
	struct maybe *m = maybe_new();
	sqlite3_stmt *s = NULL;
	sqlite3 *db = NULL;

	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "VALUES (7, 70), (-8, 80), (0, 90)", -1, &s, NULL), SQLITE_OK);
	maybe_add_rows(m, s);
	assert_true(maybe_has(m, 7) && maybe_has(m, -8) && maybe_has(m, 0));
	assert_false(maybe_has(m, 70) || maybe_has(m, 80) || maybe_has(m, 90));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);	/* the statement is gone */
	maybe_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_never_denied),
		cmocka_unit_test(rows_are_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
