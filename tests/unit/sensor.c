/* Unit tests of reader/sensor.c and risk.c: who watched when, what was counted, how addresses stand. */
#include "reader/sensor.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "reader/risk.h"
#include "tests/unit/mails.h"

/* Counters of whole minutes after EPOCH_US, packets in each. */
static void minutes(struct world *w, int run, const char *interface, int from, int to, int packets)
{
	for (int i = from; i < to; i++)
		run_format(w, "INSERT INTO capture VALUES (%d, NULL, %Q, %lld, %lld, %d, 1000, 1, 0, 0, 2, 0, 3, 1, 0)", run, interface,
			   (long long)(EPOCH_US + i * MINUTE_US), (long long)(EPOCH_US + (i + 1) * MINUTE_US), packets);
}

static void live_run(struct world *w, int run, int from, int to)
{
	run_format(w, "INSERT OR REPLACE INTO sensor_run (id, sensor, version, started_us, ended_us, end_reason, interfaces) VALUES (%d, 'local', '0', %lld, nullif(%lld, 0),"
		   " 'stopped', 'eth0')", run, (long long)(EPOCH_US + from * MINUTE_US), to ? (long long)(EPOCH_US + to * MINUTE_US) : 0LL);
}

static double watched(struct world *w, double from, double to, double now)
{
	struct reader *r = reader_open(w->dir);
	int64_t us;

	assert_int_equal(sensor_watched(r, EPOCH_US + (int64_t)(from * 6e7), EPOCH_US + (int64_t)(to * 6e7), EPOCH_US + (int64_t)(now * 6e7), &us), 0);
	reader_close(r);
	return (double)us / 6e7;
}

#define assert_minutes(a, b) assert_true((a) > (b) - 0.001 && (a) < (b) + 0.001)

static void minutes_that_were_counted_were_watched(void **state)
{
	struct world *w = *state;

	minutes(w, 1, "file", 10, 20, 5);
	assert_minutes(watched(w, 12, 15, 100), 3);
	assert_minutes(watched(w, 8, 12, 100), 2);
	assert_minutes(watched(w, 19, 30, 100), 1);
	assert_minutes(watched(w, 0, 9, 100), 0);
	assert_minutes(watched(w, 21, 24, 100), 0);
}

static void a_short_silence_is_one_of_the_wire(void **state)
{
	struct world *w = *state;

	minutes(w, 1, "file", 10, 12, 5);
	minutes(w, 1, "file", 16, 18, 5);
	minutes(w, 1, "file", 30, 32, 5);
	assert_minutes(watched(w, 13, 15, 100), 2);
	assert_minutes(watched(w, 22, 26, 100), 0);
}

static void runs_and_interfaces_add_up(void **state)
{
	struct world *w = *state;

	live_run(w, 2, 0, 10);
	live_run(w, 3, 20, 30);
	minutes(w, 2, "eth0", 0, 10, 5);
	minutes(w, 2, "eth1", 2, 10, 5);
	minutes(w, 3, "eth0", 20, 30, 5);
	assert_minutes(watched(w, 0, 30, 100), 20);
}

static void the_open_minute_of_a_run_that_goes_on_is_watched(void **state)
{
	struct world *w = *state;

	live_run(w, 2, 0, 0);
	minutes(w, 2, "eth0", 0, 10, 5);
	assert_minutes(watched(w, 9, 12, 10.5), 1.5);
	assert_minutes(watched(w, 9, 12, 60), 1);	/* it was killed, long ago */
}

static void a_view_has_counters_runs_and_gaps(void **state)
{
	struct world *w = *state;
	struct sensor_query q = { .now_us = EPOCH_US + 40 * MINUTE_US, .since_us = EPOCH_US };
	struct sensor_view v;

	live_run(w, 2, 0, 10);
	live_run(w, 3, 20, 0);
	minutes(w, 2, "eth0", 0, 10, 5);
	minutes(w, 3, "eth0", 20, 38, 7);
	minutes(w, 3, "eth1", 20, 38, 9);
	struct reader *r = reader_open(w->dir);
	assert_int_equal(sensor_view_read(r, &q, &v), 0);
	assert_int_equal(v.interface_count, 2);
	assert_string_equal(v.interface[0].name, "eth0");
	assert_int_equal(v.interface[0].total.packets, 10 * 5 + 18 * 7);
	assert_int_equal(v.interface[0].minute.packets, 7);
	assert_int_equal(v.interface[0].minute.encrypted_sessions, 1);
	assert_int_equal(v.interface[0].packets_by_minute[SENSOR_MINUTES - 3], 0);
	assert_int_equal(v.interface[0].packets_by_minute[SENSOR_MINUTES - 4], 7);
	assert_int_equal(v.interface[1].total.packets, 18 * 9);
	assert_int_equal(v.last_packet_us, EPOCH_US + 38 * MINUTE_US);
	assert_int_equal(v.run_count, 3);
	assert_int_equal(v.run[0].id, 3);
	assert_int_equal(v.run[0].ended_us, 0);
	assert_string_equal(v.run[1].end_reason, "stopped");
	assert_int_equal(v.gap_count, 1);
	assert_int_equal(v.gap[0].begin_us, EPOCH_US + 10 * MINUTE_US);
	assert_int_equal(v.gap[0].end_us, EPOCH_US + 20 * MINUTE_US);
	sensor_view_fini(&v);
	reader_close(r);
}

static void what_is_not_judged_yet_is_counted(void **state)
{
	struct world *w = *state;
	struct sensor_query q = { .now_us = EPOCH_US + MINUTE_US, .since_us = EPOCH_US };
	struct sensor_view v;

	for (int i = 1; i < 4; i++) {
		struct fake f = bounce_to(i, i, "anna@victim.invalid", NULL);

		add_mail(w, &f);
		if (i == 1)
			analyze(w, false);
	}
	struct reader *r = reader_open(w->dir);
	assert_int_equal(sensor_view_read(r, &q, &v), 0);
	assert_int_equal(v.batches_behind, 2);
	sensor_view_fini(&v);
	reader_close(r);
}

static void risks_come_worst_first_with_reasons_and_answers(void **state)
{
	struct world *w = *state;
	struct fake spam = spam_to(1, 10, "anna@victim.invalid", "jobs@campus.example", "m"), bounce = bounce_to(2, 11, "anna@victim.invalid", "m");
	struct risk_list l;
	char error[300];

	add_server_session(w, MX1, "mx1.campus.example");
	add_mail(w, &spam);
	add_mail(w, &bounce);
	analyze(w, false);
	sqlite3 *notes = db_open_write(w->dir, DB_NOTES, DB_BUSY_MS, NULL, error, sizeof error);
	run_sql(notes, "INSERT INTO list_answer (address, list, at_us, resolver, state, raw, why) VALUES ('" MX2 "', 'backscatterer', 5, '', 'not-listed', 'NXDOMAIN', ''),"
		" ('" MX2 "', 'backscatterer', 6, '', 'listed', '127.0.0.2', '')");
	struct reader *r = reader_open(w->dir);
	assert_int_equal(risk_list_read(r, 0, &l), 0);
	assert_true(l.count >= 2);
	assert_string_equal(l.row[0].address, MX2);
	assert_string_equal(l.row[0].status, "would-list");
	assert_true(l.row[0].has_margin);
	assert_true(l.row[0].reason_count >= 1);
	assert_string_equal(l.row[0].answer_state, "listed");
	assert_int_equal(l.row[0].answer_us, 6);
	assert_null(l.row[l.count - 1].answer_state);
	risk_list_fini(&l);
	reader_close(r);
	sqlite3_close(notes);
}

static void refusals_are_newest_first(void **state)
{
	struct world *w = *state;
	struct refusal_list l;

	for (int i = 1; i < 4; i++) {
		struct fake bounce = bounce_to(i, i * 10, "anna@victim.invalid", NULL);

		bounce.code = bounce.rcpt_code = 554;
		bounce.rcpt_reply = "Client host [" MX2 "] blocked using ips.backscatterer.org";
		add_mail(w, &bounce);
	}
	analyze(w, false);
	struct reader *r = reader_open(w->dir);
	assert_int_equal(refusal_list_read(r, EPOCH_US + 15000000, 10, &l), 0);
	assert_int_equal(l.count, 2);
	assert_true(l.row[0].at_us > l.row[1].at_us);
	assert_string_equal(l.row[0].list, "backscatterer");
	assert_string_equal(l.row[0].remote_ip, VICTIM_MX);
	refusal_list_fini(&l);
	reader_close(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(minutes_that_were_counted_were_watched),
		TEST(a_short_silence_is_one_of_the_wire),
		TEST(runs_and_interfaces_add_up),
		TEST(the_open_minute_of_a_run_that_goes_on_is_watched),
		TEST(a_view_has_counters_runs_and_gaps),
		TEST(what_is_not_judged_yet_is_counted),
		TEST(risks_come_worst_first_with_reasons_and_answers),
		TEST(refusals_are_newest_first),
	};

	return cmocka_run_group_tests_name("sensor", tests, NULL, NULL);
}
