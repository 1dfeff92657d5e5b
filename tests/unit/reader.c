/* Unit tests of reader/reader.c: a store that comes, changes, is replaced, cannot be read. */
#include "reader/reader.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/mails.h"

static struct fake some_mail(int session)
{
	return spam_to(session, 10 + session, "anna@victim.invalid", "jobs@campus.example", "m");
}

static int64_t count(struct reader *r, const char *sql)
{
	reader_begin(r);
	sqlite3_stmt *s = reader_select(r, sql, "");
	int64_t n = reader_step(r, s) ? sqlite3_column_int64(s, 0) : -1;
	sqlite3_finalize(s);
	reader_end(r);
	return n;
}

static void a_directory_without_a_store_is_a_state(void **state)
{
	struct reader *r = reader_open("/nonexistent/store");

	(void)state;
	assert_int_equal(reader_state(r), READER_ABSENT);
	assert_non_null(strstr(reader_message(r), "bouncetapd makes one"));
	assert_true(reader_refresh(r));
	assert_false(reader_refresh(r));
	assert_int_equal(count(r, "SELECT 1"), -1);
	reader_close(r);
}

static void facts_that_nobody_judged_are_readable_and_said(void **state)
{
	struct world *w = *state;
	struct fake f = some_mail(1);
	struct reader *r = reader_open(w->dir);

	assert_int_equal(reader_state(r), READER_READY);
	assert_false(reader_is_judged(r));
	assert_non_null(strstr(reader_message(r), "not judged yet"));
	assert_true(reader_refresh(r));
	assert_false(reader_refresh(r));
	add_mail(w, &f);
	assert_true(reader_refresh(r));
	assert_int_equal(count(r, "SELECT count(*) FROM transactions"), 1);
	reader_close(r);
}

static void verdicts_that_appear_and_change_are_noticed(void **state)
{
	struct world *w = *state;
	struct fake f = some_mail(1), g = some_mail(2);
	struct reader *r = reader_open(w->dir);
	struct reader_span span;

	add_mail(w, &f);
	reader_refresh(r);
	analyze(w, false);
	assert_true(reader_refresh(r));
	assert_true(reader_is_judged(r));
	assert_string_equal(reader_message(r), "");
	assert_false(reader_refresh(r));
	add_mail(w, &g);
	analyze(w, false);
	assert_true(reader_refresh(r));
	assert_int_equal(count(r, "SELECT count(*) FROM verdicts.transaction_verdict"), 2);
	assert_int_equal(reader_span(r, &span), 0);
	assert_int_equal(span.judged_us, EPOCH_US + 12003000);
	assert_int_equal(span.last_us, EPOCH_US + 12003000);
	reader_close(r);
}

static void a_store_in_the_place_of_another_is_opened_anew(void **state)
{
	struct world *w = *state;
	struct fake f = some_mail(1);
	char from[128], to[140], error[300];

	add_mail(w, &f);
	analyze(w, false);
	struct reader *r = reader_open(w->dir);
	reader_refresh(r);
	sqlite3_close(w->facts);
	for (int i = 0; i < DB_FILES; i++) {
		db_path(w->dir, DB_FACTS, i, from, sizeof from);
		snprintf(to, sizeof to, "%s.old", from);
		rename(from, to);
	}
	assert_true(reader_refresh(r));
	assert_int_equal(reader_state(r), READER_ABSENT);
	assert_false(reader_is_judged(r));
	w->facts = db_open_write(w->dir, DB_FACTS, DB_BUSY_MS, NULL, error, sizeof error);
	run_sql(w->facts, "INSERT INTO meta VALUES ('another', 'full', 0, 1)");
	assert_true(reader_refresh(r));
	assert_int_equal(reader_state(r), READER_READY);
	assert_false(reader_is_judged(r));	/* the verdicts are about the old one */
	assert_int_equal(count(r, "SELECT count(*) FROM transactions"), 0);
	reader_close(r);
}

static void a_newer_store_is_refused_with_a_message(void **state)
{
	struct world *w = *state;

	run_sql(w->facts, "PRAGMA user_version = 0x7f00");
	struct reader *r = reader_open(w->dir);
	assert_int_equal(reader_state(r), READER_REFUSED);
	assert_non_null(strstr(reader_message(r), "newer bouncetap"));
	reader_refresh(r);
	run_sql(w->facts, "PRAGMA user_version = 0x100");
	assert_true(reader_refresh(r));
	assert_int_equal(reader_state(r), READER_READY);
	reader_close(r);
}

static void verdicts_without_a_table_are_called_old(void **state)
{
	struct world *w = *state;
	struct fake f = some_mail(1);

	add_mail(w, &f);
	analyze(w, false);
	struct reader *r = reader_open(w->dir);
	reader_begin(r);
	assert_null(reader_select(r, "SELECT 1 FROM verdicts.not_yet_there", ""));
	assert_int_equal(reader_end(r), -1);
	assert_non_null(strstr(reader_message(r), "--rebuild"));
	reader_close(r);
}

/* A count to a billion: it ends when its second is over, and the reader goes on after it. */
static void a_read_transaction_is_given_up_after_its_time(void **state)
{
	struct world *w = *state;
	struct reader *r = reader_open(w->dir);

	reader_begin(r);
	r->begun_us -= READER_TRANSACTION_US;	/* as if it had lasted so long */
	sqlite3_stmt *s = reader_select(r, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT max(i) FROM n", "");
	assert_false(reader_step(r, s));
	sqlite3_finalize(s);
	assert_int_equal(reader_end(r), -1);
	assert_non_null(strstr(reader_message(r), "given up"));
	assert_int_equal(count(r, "SELECT 7"), 7);
	reader_close(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_without_a_store_is_a_state),
		TEST(facts_that_nobody_judged_are_readable_and_said),
		TEST(verdicts_that_appear_and_change_are_noticed),
		TEST(a_store_in_the_place_of_another_is_opened_anew),
		TEST(a_newer_store_is_refused_with_a_message),
		TEST(verdicts_without_a_table_are_called_old),
		TEST(a_read_transaction_is_given_up_after_its_time),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
