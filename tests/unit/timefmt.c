/* Unit tests of common/timefmt.c. Local time is that of Berlin, given as a rule so that no zone files are needed. */
#include "common/timefmt.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t now = INT64_C(1795183385123456);	/* 2026-11-20T14:03:05.123456Z, a Friday */

static int use_berlin(void **state)
{
	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return 0;
}

static void expect_time(const char *text, const char *utc)
{
	char out[TIME_TEXT_MAX];
	int64_t us = 0;

	if (time_parse(text, now, &us))
		fail_msg("'%s' was refused", text);
	assert_string_equal(time_format_utc(us, out), utc);
}

static void utc_has_the_form_of_the_event_stream(void **state)
{
	char out[TIME_TEXT_MAX];

	(void)state;
	assert_string_equal(time_format_utc(now, out), "2026-11-20T14:03:05.123456Z");
	assert_string_equal(time_format_utc(0, out), "1970-01-01T00:00:00.000000Z");
	assert_string_equal(time_format_utc(-1, out), "1969-12-31T23:59:59.999999Z");
	assert_string_equal(time_format_utc(INT64_C(951827696000000), out), "2000-02-29T12:34:56.000000Z");
	assert_string_equal(time_format_utc(INT64_C(4107542400000000), out), "2100-03-01T00:00:00.000000Z");
}

static void utc_keeps_its_form_at_the_ends(void **state)
{
	char out[TIME_TEXT_MAX];

	(void)state;
	assert_string_equal(time_format_utc(INT64_MAX, out), "9999-12-31T23:59:59.999999Z");
	assert_string_equal(time_format_utc(INT64_MIN, out), "0000-01-01T00:00:00.000000Z");
}

static void utc_agrees_with_libc_on_every_day(void **state)
{
	char out[TIME_TEXT_MAX], expected[TIME_TEXT_MAX];

	(void)state;
	for (time_t s = -86400 * 365 * 200L; s < 86400 * 365 * 600L; s += 86400 - 7) {
		struct tm tm;

		gmtime_r(&s, &tm);
		strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000000Z", &tm);
		assert_string_equal(time_format_utc((int64_t)s * 1000000, out), expected);
	}
}

static void local_time_follows_the_season(void **state)
{
	char out[TIME_TEXT_MAX];

	(void)state;
	assert_string_equal(time_format_local(now, out), "2026-11-20 15:03:05");
	assert_string_equal(time_format_local(INT64_C(1783173600000000), out), "2026-07-04 16:00:00");
}

static void absolute_times_are_read(void **state)
{
	(void)state;
	expect_time("2026-11-20T14:03:05.123456Z", "2026-11-20T14:03:05.123456Z");
	expect_time("2026-11-20t14:03:05.5z", "2026-11-20T14:03:05.500000Z");
	expect_time("2026-11-20T14:03:05,1234567+01:00", "2026-11-20T13:03:05.123456Z");
	expect_time("2026-11-20 14:03 CET", "2026-11-20T13:03:00.000000Z");
	expect_time("2026-07-20 14:03 cest", "2026-07-20T12:03:00.000000Z");
	expect_time("2026-11-20 14:03:05 UTC", "2026-11-20T14:03:05.000000Z");
	expect_time("2026-11-20 14:03 GMT", "2026-11-20T14:03:00.000000Z");
	expect_time("2026-11-20 14:03:05 -0530", "2026-11-20T19:33:05.000000Z");
	expect_time("2026-11-20 14:03:05", "2026-11-20T13:03:05.000000Z");
	expect_time("  2026-07-20 14:03  ", "2026-07-20T12:03:00.000000Z");
	expect_time("2026-11-20", "2026-11-19T23:00:00.000000Z");
	expect_time("2026-11-20 UTC", "2026-11-20T00:00:00.000000Z");
	expect_time("20.11.2026 14:03 CET", "2026-11-20T13:03:00.000000Z");
	expect_time("2.1.2026 9:03:05 UTC", "2026-01-02T09:03:05.000000Z");
	expect_time("2026/11/20 9:03 CET", "2026-11-20T08:03:00.000000Z");
	expect_time("20.11.2026", "2026-11-19T23:00:00.000000Z");
	expect_time("2024-02-29T00:00Z", "2024-02-29T00:00:00.000000Z");
	expect_time("1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000000Z");
}

static void relative_times_count_from_now(void **state)
{
	(void)state;
	expect_time("now", "2026-11-20T14:03:05.123456Z");
	expect_time("-2h", "2026-11-20T12:03:05.123456Z");
	expect_time("-30m", "2026-11-20T13:33:05.123456Z");
	expect_time("-7d", "2026-11-13T14:03:05.123456Z");
	expect_time("-90s", "2026-11-20T14:01:35.123456Z");
	expect_time("-1w", "2026-11-13T14:03:05.123456Z");
	expect_time("today", "2026-11-19T23:00:00.000000Z");
	expect_time("yesterday", "2026-11-18T23:00:00.000000Z");
	expect_time("yesterday 14:03", "2026-11-19T13:03:00.000000Z");
	expect_time("today 9:03:30", "2026-11-20T08:03:30.000000Z");
}

/* 2026-10-25 has 25 hours: its "yesterday" from the 26th is its own midnight, in summer time. */
static void yesterday_is_the_day_of_the_calendar(void **state)
{
	char out[TIME_TEXT_MAX];
	int64_t us;

	(void)state;
	assert_int_equal(time_parse("2026-10-26 00:30", now, &us), 0);
	assert_int_equal(time_parse("yesterday", us, &us), 0);
	assert_string_equal(time_format_utc(us, out), "2026-10-24T22:00:00.000000Z");
}

static void other_text_is_refused(void **state)
{
	static const char *const texts[] = {
		"", " ", "tomorrow", "2026", "2026-11", "2026-13-01", "2026-02-29", "2026-11-31", "2026-11-00", "26-11-20", "2026-11/20", "31.11.2026", "11.20.2026", "20.11.26", "20.11", "yesterday14:03", "yesterday 14:03 CET", "todays",
		"yesterday 25:00",
		"2026-11-20 24:00", "2026-11-20 14:60", "2026-11-20 14", "2026-11-20 14:3", "2026-11-20 14:03:61", "2026-11-20T",
		"2026-11-20 14:03:05.", "2026-11-20 14:03 PST", "2026-11-20 14:03 +25:00", "2026-11-20 14:03 +01:0", "2026-11-20 14:03Zx",
		"-", "-h", "-2", "-2x", "-2hh", "2h", "--2h", "-99999999999999999999h", "-9223372036854775807w", "+2h",
		"2026-11-20 14:03:05.1234567890123456789012345678901234567890123456789Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		int64_t us;

		if (time_parse(texts[i], now, &us) == 0)
			fail_msg("'%s' was taken", texts[i]);
	}
}

static void the_wall_clock_is_in_microseconds(void **state)
{
	int64_t us = time_now_us(), s = (int64_t)time(NULL);

	(void)state;
	assert_true(us / second_us >= s - 1 && us / second_us <= s + 1);
}

static void cet_of_the_warm_months_is_ambiguous(void **state)
{
	int64_t us;

	(void)state;
	assert_int_equal(time_parse("2026-07-20 14:03 CET", 0, &us), 0);
	assert_true(time_may_mean_summer("2026-07-20 14:03 CET ", us));
	assert_false(time_may_mean_summer("2026-07-20 14:03 CEST", us));
	assert_false(time_may_mean_summer("2026-07-20T14:03Z", us));
	assert_int_equal(time_parse("2026-11-20 14:03 cet", 0, &us), 0);
	assert_false(time_may_mean_summer("2026-11-20 14:03 cet", us));
	assert_int_equal(time_parse("2026-03-01 00:30 CET", 0, &us), 0);
	assert_true(time_may_mean_summer("2026-03-01 00:30 CET", us));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cet_of_the_warm_months_is_ambiguous),
		cmocka_unit_test(utc_has_the_form_of_the_event_stream),
		cmocka_unit_test(utc_keeps_its_form_at_the_ends),
		cmocka_unit_test(utc_agrees_with_libc_on_every_day),
		cmocka_unit_test(local_time_follows_the_season),
		cmocka_unit_test(absolute_times_are_read),
		cmocka_unit_test(relative_times_count_from_now),
		cmocka_unit_test(yesterday_is_the_day_of_the_calendar),
		cmocka_unit_test(other_text_is_refused),
		cmocka_unit_test(the_wall_clock_is_in_microseconds),
	};

	return cmocka_run_group_tests_name("timefmt", tests, use_berlin, NULL);
}
