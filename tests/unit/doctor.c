/*
 * Unit tests of doctor_link.c and doctor_store.c: an interface made of files, as the kernel shows it; stores with counters that say something. What the
 * driver tells by ioctl is tested on a real one (tests/check_doctor).
 */
#include "analyzer/doctor.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "schema/db.h"

#define NOW 1700000000000000ll
#define MINUTE_US 60000000ll
#define HOUR_US 3600000000ll

static char top[] = "/tmp/bouncetap-doctor-XXXXXX";
static struct doctor d;

static int set_up(void **state)
{
	(void)state;
	strcpy(strrchr(top, '-'), "-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	doctor_fini(&d);
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The finding whose text has this part; fails when there is none. */
static const struct doctor_finding *find(const char *part)
{
	for (size_t i = 0; i < d.count; i++)
		if (strstr(d.item[i].found, part))
			return &d.item[i];
	for (size_t i = 0; i < d.count; i++)
		print_message("# %d %s: %s\n", d.item[i].word, d.item[i].about, d.item[i].found);
	fail_msg("nothing says \"%s\"", part);
	return NULL;
}

static void assert_said(enum doctor_word word, const char *part)
{
	const struct doctor_finding *f = find(part);

	assert_int_equal(f->word, word);
	if (word == DOCTOR_BAD)
		assert_non_null(f->advice);
}

static void assert_silent_on(const char *part)
{
	for (size_t i = 0; i < d.count; i++)
		assert_null(strstr(d.item[i].found, part));
}

/* ---- interfaces ---- */

static void put(const char *file, const char *content)
{
	char path[256];

	snprintf(path, sizeof path, "%s/tap0/%s", top, file);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fputs(content, out);
	fclose(out);
}

static void make_interface(const char *flags, const char *carrier)
{
	char path[256];

	snprintf(path, sizeof path, "%s/tap0", top);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof path, "%s/tap0/statistics", top);
	assert_int_equal(mkdir(path, 0755), 0);
	put("flags", flags);
	put("carrier", carrier);
	put("mtu", "9216\n");
	put("speed", "10000\n");
	put("statistics/rx_packets", "999\n");
}

static void a_good_interface_gets_ok(void **state)
{
	(void)state;
	make_interface("0x1103\n", "1\n");
	doctor_look_at_link(&d, top, "tap0");
	assert_said(DOCTOR_OK, "up, 10000 Mb/s, promiscuous");
	assert_said(DOCTOR_OK, "MTU 9216");
	assert_said(DOCTOR_OK, "dropped none of 999 packets");
	for (size_t i = 0; i < d.count; i++)
		assert_int_equal(d.item[i].word, DOCTOR_OK);
}

static void an_interface_that_is_down_or_without_carrier_is_bad(void **state)
{
	(void)state;
	make_interface("0x1002\n", "0\n");
	doctor_look_at_link(&d, top, "tap0");
	assert_said(DOCTOR_BAD, "is down");
	assert_string_equal(find("is down")->advice, "ip link set tap0 up");
	put("flags", "0x1003\n");
	doctor_look_at_link(&d, top, "tap0");
	assert_said(DOCTOR_BAD, "no carrier");
}

static void drops_of_the_card_are_bad(void **state)
{
	(void)state;
	make_interface("0x1003\n", "1\n");
	put("statistics/rx_missed_errors", "1\n");
	put("statistics/rx_crc_errors", "3\n");
	doctor_look_at_link(&d, top, "tap0");
	assert_said(DOCTOR_BAD, "the card dropped 1 of 1000 packets, 0.10 %");
	assert_said(DOCTOR_NOTE, "3 frames came damaged");
}

static void frames_longer_than_the_mtu_are_bad(void **state)
{
	(void)state;
	make_interface("0x1003\n", "1\n");
	put("mtu", "1500\n");
	doctor_look_at_link(&d, top, "tap0");
	assert_said(DOCTOR_NOTE, "MTU 1500");
	put("statistics/rx_length_errors", "12\n");
	doctor_look_at_link(&d, top, "tap0");
	assert_said(DOCTOR_BAD, "12 frames were too long");
}

static void an_unknown_interface_is_answered_with_the_known_ones(void **state)
{
	static const char *const names[] = { "tap1", "../tap0", "" };

	(void)state;
	make_interface("0x1003\n", "1\n");
	for (size_t i = 0; i < 2; i++) {
		doctor_look_at_link(&d, top, names[i]);
		assert_said(DOCTOR_BAD, "no such interface");
		assert_non_null(strstr(find("no such")->advice, "tap0"));
		doctor_fini(&d);
	}
}

/* ---- stores ---- */

static sqlite3 *make_store(void)
{
	char error[256], path[256];
	sqlite3 *db = db_open_write(top, DB_FACTS, DB_BUSY_MS, NULL, error, sizeof error);

	assert_non_null(db);
	assert_int_equal(chmod(top, 0750), 0);
	snprintf(path, sizeof path, "%s/key", top);
	int fd = creat(path, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(db_exec(db, "INSERT INTO meta (store_id, privacy, created_us, phrases_version) VALUES ('x', 'full', 0, 1)", NULL, 0), 0);
	return db;
}

static void run(sqlite3 *db, const char *values)
{
	char *q = sqlite3_mprintf("INSERT INTO sensor_run (sensor, version, started_us, ended_us, end_reason, facts_lost) VALUES ('local', '0', %s)", values);

	assert_int_equal(db_exec(db, q, NULL, 0), 0);
	sqlite3_free(q);
}

/* Counters of a minute, hours before NOW. */
static void minute(sqlite3 *db, int hours, const char *values)
{
	char *q = sqlite3_mprintf("INSERT INTO capture (run_id, interface, start_us, end_us, packets, bytes, kernel_drops, unseen_bytes, evicted, sessions,"
				  " encrypted_sessions, one_sided_sessions, flows) VALUES (1, 'tap0', %lld, %lld, %s, 0)", NOW - hours * HOUR_US,
				  NOW - hours * HOUR_US + MINUTE_US, values);

	assert_int_equal(db_exec(db, q, NULL, 0), 0);
	sqlite3_free(q);
}

static void look_at(sqlite3 *db)
{
	sqlite3_close(db);
	doctor_look_at_store(&d, top, NOW);
}

static void a_store_that_is_not_there_is_said(void **state)
{
	(void)state;
	doctor_look_at_store(&d, "/nowhere/at/all", NOW);
	assert_int_equal(d.count, 1);
	assert_said(DOCTOR_BAD, "No such file");
}

static void a_clean_capture_gets_ok(void **state)
{
	sqlite3 *db = make_store();

	(void)state;
	run(db, "1, 2, 'done', 0");
	minute(db, 1, "1000, 100000, 0, 0, 0, 20, 0, 0");
	minute(db, 0, "1000, 100000, 0, 0, 0, 20, 0, 0");
	look_at(db);
	assert_said(DOCTOR_OK, "does not run; the last run ended");
	assert_said(DOCTOR_OK, "no packet of 2000 was dropped");
	assert_said(DOCTOR_OK, "both directions of all 40 sessions");
	assert_silent_on("hours");
	assert_silent_on("lost");
}

static void what_a_tap_hides_is_said_in_shares(void **state)
{
	sqlite3 *db = make_store();

	(void)state;
	run(db, "1, 2, 'done', 0");
	minute(db, 5, "998, 90000, 2, 10000, 7, 50, 20, 3");
	minute(db, 0, "0, 0, 0, 0, 0, 0, 0, 0");
	assert_int_equal(db_exec(db, "UPDATE capture SET interface_drops = 4", NULL, 0), 0);
	look_at(db);
	assert_said(DOCTOR_BAD, "0.20 % of the packets were dropped");
	assert_said(DOCTOR_NOTE, "8 packets, mail or not");
	assert_said(DOCTOR_NOTE, "10.0 % of the bytes");
	assert_said(DOCTOR_NOTE, "7 connections were given up");
	assert_said(DOCTOR_BAD, "6.0 % of 50 sessions show one direction");
	assert_said(DOCTOR_NOTE, "40.0 % of the sessions are encrypted");
}

static void old_counters_are_left_out(void **state)
{
	sqlite3 *db = make_store();

	(void)state;
	run(db, "1, 2, 'done', 0");
	minute(db, 24 * 8, "1, 1, 1000, 0, 0, 1, 0, 1");
	minute(db, 3, "1000, 100000, 0, 0, 0, 20, 0, 0");
	minute(db, 0, "1000, 100000, 0, 0, 0, 20, 0, 0");
	look_at(db);
	assert_said(DOCTOR_OK, "no packet of 2000 was dropped");
	assert_said(DOCTOR_NOTE, "nothing was seen in 2 of 4 hours");
}

static void a_run_without_an_end_and_lost_facts_are_bad(void **state)
{
	sqlite3 *db = make_store();

	(void)state;
	run(db, "1699999999000000, 1699999999500000, 'stopped', 12");
	run(db, "1699999999600000, NULL, NULL, 0");
	look_at(db);
	assert_said(DOCTOR_BAD, "did not come to its end");
	assert_said(DOCTOR_BAD, "12 facts were lost");
}

static void a_live_run_that_was_stopped_is_bad(void **state)
{
	sqlite3 *db = make_store();

	(void)state;
	run(db, "1, 2, 'capture-gap', 0");
	assert_int_equal(db_exec(db, "UPDATE sensor_run SET interfaces = 'tap0'", NULL, 0), 0);
	look_at(db);
	assert_said(DOCTOR_BAD, "capture-gap");
}

static void clocks_that_went_back_are_counted(void **state)
{
	sqlite3 *db = make_store();

	(void)state;
	run(db, "1, 2, 'done', 0");
	minute(db, 0, "1000, 100000, 0, 0, 0, 20, 0, 0");
	assert_int_equal(db_exec(db, "INSERT INTO sessions (batch_seq, run_id, session_id, src_ip, src_port, dest_ip, dest_port, started_us, ended_us, end_reason,"
				 " outcome, vrfy_count, tls, client_isn, server_isn, bytes_toserver, bytes_toclient, unseen_bytes, packets, transaction_count, complete,"
				 " notes) SELECT 1, 1, value, '', 0, '', 0, 0, 0, 'fin', 'mail', 0, 'none', 0, 0, 0, 0, 0, 0, 0, 1,"
				 " CASE value WHEN 2 THEN 'gap clock-backward' ELSE 'gap' END FROM json_each('[1, 2, 3]')", NULL, 0), 0);
	look_at(db);
	assert_said(DOCTOR_NOTE, "times went backwards in 1 of the last 3 sessions");
}

static void rights_that_are_too_wide_or_too_narrow_are_said(void **state)
{
	sqlite3 *db = make_store();
	char path[256];

	(void)state;
	snprintf(path, sizeof path, "%s/key", top);
	assert_int_equal(chmod(path, 0640), 0);
	snprintf(path, sizeof path, "%s/facts.db", top);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(chmod(top, 0755), 0);
	look_at(db);
	assert_said(DOCTOR_BAD, "readable for others (mode 0640)");
	assert_said(DOCTOR_NOTE, "its group cannot read it");
	assert_said(DOCTOR_NOTE, "open to every user (mode 0755)");
}

static void a_store_without_its_key_is_bad(void **state)
{
	sqlite3 *db = make_store();
	char path[256];

	(void)state;
	snprintf(path, sizeof path, "%s/key", top);
	assert_int_equal(unlink(path), 0);
	look_at(db);
	assert_said(DOCTOR_BAD, "key: No such file");
}

static void what_is_no_database_is_said(void **state)
{
	sqlite3 *db = make_store();
	char path[256];

	(void)state;
	sqlite3_close(db);
	snprintf(path, sizeof path, "%s/facts.db", top);
	FILE *out = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("no database", out);
	fclose(out);
	snprintf(path, sizeof path, "%s/facts.db-wal", top);
	assert_int_equal(unlink(path), 0);
	doctor_look_at_store(&d, top, NOW);
	assert_said(DOCTOR_BAD, "not a database");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(a_good_interface_gets_ok),
		TEST(an_interface_that_is_down_or_without_carrier_is_bad),
		TEST(drops_of_the_card_are_bad),
		TEST(frames_longer_than_the_mtu_are_bad),
		TEST(an_unknown_interface_is_answered_with_the_known_ones),
		TEST(a_store_that_is_not_there_is_said),
		TEST(a_clean_capture_gets_ok),
		TEST(what_a_tap_hides_is_said_in_shares),
		TEST(old_counters_are_left_out),
		TEST(a_run_without_an_end_and_lost_facts_are_bad),
		TEST(a_live_run_that_was_stopped_is_bad),
		TEST(clocks_that_went_back_are_counted),
		TEST(rights_that_are_too_wide_or_too_narrow_are_said),
		TEST(a_store_without_its_key_is_bad),
		TEST(what_is_no_database_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
