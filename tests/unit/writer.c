/* Unit tests of writer.c and place.c: what cannot be brought about from outside, or only in minutes. */
#include "sensor/writer.c"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[300];

static int make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof dir, "%s/writer.XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	DIR *d = opendir(dir);

	(void)state;
	for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	return rmdir(dir);
}

static unsigned count_files(const char *beginning)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		n += strncmp(e->d_name, beginning, strlen(beginning)) == 0;
	closedir(d);
	return n;
}

static void open_one(struct writer *w)
{
	struct writer_options o = { .dir = dir, .sensor = "local", .version = "0", .waits = true, .cache_bytes = 1 << 20 };
	int exit_code;

	if (writer_open(w, &o, &exit_code))
		fail_msg("%s", w->problem);
}

/* counters of a minute */
static void commit(struct writer *w, uint64_t number)
{
	struct row_encoder e = { .privacy = PRIVACY_FULL };
	struct fact_capture c = { .interface = TEXT("eth0"), .start_us = number * 60000000, .end_us = (number + 1) * 60000000 };
	struct buf rows = { 0 };
	struct writer_batch b = { &rows, number, 1 };

	row_capture(&e, &rows, &c);
	assert_int_equal(writer_tend(w), 0);
	assert_int_equal(writer_commit(w, &b, 0), WRITER_COMMITTED);
	buf_fini(&rows);
	buf_fini(&e.text);
	buf_fini(&e.clean);
}

static int64_t answer(struct writer *w, const char *query)
{
	int64_t n;

	assert_int_equal(db_ask(w->place.db, query, -1, &n), 0);
	return n;
}

static void wal_that_cannot_be_taken_over_is_told_after_a_minute(void **state)
{
	struct writer w;
	sqlite3 *reader;
	char error[200];
	unsigned present;

	(void)state;
	open_one(&w);
	commit(&w, 1);
	reader = db_open_read(dir, DB_BUSY_MS, &present, NULL, error, sizeof error);
	assert_non_null(reader);
	assert_int_equal(db_exec(reader, "BEGIN; SELECT count(*) FROM capture", NULL, 0), 0);
	/* a -wal of 160 MB in one go, by somebody who may write */
	assert_int_equal(db_exec(w.place.db, "CREATE TABLE filler (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1700) "
				 "INSERT INTO filler SELECT zeroblob(100000) FROM n", NULL, 0), 0);
	assert_true(w.wal_pages >= 2 * CHECKPOINT_PAGES);
	commit(&w, 2);
	assert_true(w.wal_since_ms != 0);
	assert_false(w.wal_said);
	w.wal_since_ms -= WAL_STUCK_MS;
	commit(&w, 3);
	assert_true(w.wal_said);
	sqlite3_close(reader);
	w.wal_tried_ms = 0;
	commit(&w, 4);	/* takes it over */
	commit(&w, 5);	/* begins the -wal anew */
	assert_true(w.wal_pages < 100);
	assert_false(w.wal_said);
	assert_int_equal(answer(&w, "SELECT count(*) FROM capture"), 5);
	writer_close(&w, true);
}

static void commit_that_is_there_although_it_failed_is_found(void **state)
{
	struct writer w;

	(void)state;
	open_one(&w);
	commit(&w, 1);
	for (int there = 0; there < 2; there++) {
		w.doubt.number = 7;
		w.doubt.facts = 1;
		w.doubt.seq = 1;
		w.doubt.committed_us = there ? answer(&w, "SELECT committed_us FROM batch WHERE seq = 1") : 1;
		w.doubt.found = false;
		close_database(&w);
		assert_int_equal(writer_tend(&w), 0);
		assert_int_equal(w.doubt.found, there);
		assert_int_equal(w.doubt.number, there ? 7 : 0);
	}
	assert_int_equal(answer(&w, "SELECT count(*) FROM sensor_run"), 1);	/* the same run */
	writer_close(&w, true);
}

static void batch_that_is_not_taken_is_let_go_the_second_time(void **state)
{
	struct writer w;
	struct buf rows = { 0 };
	struct row_encoder e = { .privacy = PRIVACY_FULL };
	struct fact_session s = { .src_port = 1 };	/* without addresses, which a row cannot be */
	struct writer_batch b = { &rows, 9, 1 };

	(void)state;
	open_one(&w);
	row_session(&e, &rows, &s);
	assert_int_equal(writer_commit(&w, &b, 0), WRITER_FAILED);
	assert_int_equal(writer_tend(&w), 0);
	assert_int_equal(writer_commit(&w, &b, 0), WRITER_LOST);
	commit(&w, 10);
	buf_fini(&rows);
	buf_fini(&e.text);
	buf_fini(&e.clean);
	writer_close(&w, true);
}

static void set_aside_never_overwrites(void **state)
{
	struct place p;
	char name[4096], error[300], path[400];

	(void)state;
	place_init(&p, dir);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/facts.db", dir);
		close(open(path, O_CREAT | O_WRONLY, 0600));
		assert_int_equal(place_set_aside(&p, name, sizeof name, error, sizeof error), 0);
		assert_int_equal(access(name, F_OK), 0);
	}
	assert_int_equal(count_files("facts.db.corrupt-"), 3);
}

static void wal_without_its_database_is_kept(void **state)
{
	struct writer w;
	char path[400];

	(void)state;
	snprintf(path, sizeof path, "%s/facts.db-wal", dir);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	for (int i = 0; i < 1000; i++)
		fputc('w', f);
	fclose(f);
	open_one(&w);
	assert_int_equal(count_files("facts.db.corrupt-"), 1);
	commit(&w, 1);
	writer_close(&w, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wal_that_cannot_be_taken_over_is_told_after_a_minute, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(commit_that_is_there_although_it_failed_is_found, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(batch_that_is_not_taken_is_let_go_the_second_time, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(set_aside_never_overwrites, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(wal_without_its_database_is_kept, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
