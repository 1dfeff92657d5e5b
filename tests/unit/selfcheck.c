/* Unit tests of analyzer/selfcheck.c: one answer for each list, from nothing but a struct. */
#include "analyzer/selfcheck.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW (INT64_C(20000) * DAY_US)

static char zone[] = "bl.example";
static const struct list four_weeks = { .zone = zone, .clean_us = 7 * DAY_US, .expiry_us = 28 * DAY_US,
	.window_us = 28 * DAY_US, .coverage_percent = 80 };

/* An address that sent mail yesterday, was watched for 60 days and is fully seen; not listed. */
static struct selfcheck_input quiet(void)
{
	return (struct selfcheck_input){ .list = &four_weeks, .now_us = NOW, .listing = LISTING_NOT_LISTED, .listing_why = "no entry",
		.seen = { .is_judged = true, .is_known = true, .watched_us = NOW - 60 * DAY_US, .seen_us = NOW - HOUR_US, .sent_us = NOW - DAY_US },
		.coverage = { .hours = 168, .hours_seen = 168, .sessions = 100, .packets = 1000 } };
}

/* The same, with mail that counts. */
static struct selfcheck_input sent(int64_t ago_us)
{
	struct selfcheck_input in = quiet();

	in.seen.last_us = NOW - ago_us;
	in.seen.counted = 3;
	return in;
}

static void expect(const struct selfcheck_input *in, enum selfcheck_answer answer, const char *part)
{
	struct selfcheck_result r;

	selfcheck_judge(in, &r);
	if (r.answer != answer || !strstr(r.why, part))
		fail_msg("%s: %s", selfcheck_name(r.answer), r.why);
}

static void nothing_for_a_week_is_ready(void **state)
{
	struct selfcheck_input in = sent(8 * DAY_US);

	(void)state;
	expect(&in, SELFCHECK_READY, "nothing that counts left for 8 days, and 100 % of that was seen");
	in = quiet();
	expect(&in, SELFCHECK_READY, "60 days");
	in.list = &(struct list){ .clean_us = 7 * DAY_US, .coverage_percent = 80 };
	in.listing = LISTING_UNKNOWN;
	expect(&in, SELFCHECK_READY, "60 days");
}

static void less_is_to_wait_for(void **state)
{
	struct selfcheck_input in = sent(4 * DAY_US + HOUR_US);
	struct selfcheck_result r;
	char words[SELFCHECK_WORDS_MAX];

	(void)state;
	expect(&in, SELFCHECK_WAIT, "for 4 days, since the last mail that counts; it takes 7 days, until 20");
	selfcheck_judge(&in, &r);
	assert_string_equal(selfcheck_words(&r, words), "WAIT 3 days");
	assert_int_equal(r.expires_us, in.seen.last_us + 28 * DAY_US);
	in.seen.last_us = NOW - 7 * DAY_US + 1;
	selfcheck_judge(&in, &r);
	assert_string_equal(selfcheck_words(&r, words), "WAIT 1 day");
	in.seen.last_us--;
	expect(&in, SELFCHECK_READY, "7 days");
}

static void the_clock_starts_with_the_latest(void **state)
{
	struct selfcheck_input in = sent(10 * DAY_US);
	struct selfcheck_result r;

	(void)state;
	in.fixed_us = NOW - 5 * DAY_US;
	expect(&in, SELFCHECK_WAIT, "for 5 days, since the fix");
	in.seen.refused_us = NOW - 3 * DAY_US;
	expect(&in, SELFCHECK_WAIT, "since a refusal that names the list");
	in.seen.watched_us = NOW - 2 * DAY_US;
	expect(&in, SELFCHECK_WAIT, "for 2 days, since the first packet seen");
	in.impact_us = NOW - DAY_US;
	in.seen.last_us = NOW - DAY_US - HOUR_US;
	in.fixed_us = in.seen.refused_us = 0;
	in.seen.watched_us = NOW - 60 * DAY_US;
	in.impact_us = in.seen.last_us + 60 * INT64_C(1000000);
	in.seen.impact_seen = true;
	selfcheck_judge(&in, &r);
	assert_int_equal(r.start, SELFCHECK_SINCE_IMPACT);
	assert_int_equal(r.expires_us, in.impact_us + 28 * DAY_US);
}

static void mail_of_today_is_not_ready(void **state)
{
	struct selfcheck_input in = sent(5 * HOUR_US);

	(void)state;
	expect(&in, SELFCHECK_NOT_READY, "3 mails that it counts left, the last at ");
}

static void mail_since_the_fix_is_not_ready(void **state)
{
	struct selfcheck_input in = sent(3 * DAY_US);

	(void)state;
	in.fixed_us = NOW - 4 * DAY_US;
	in.seen.since_fix = 2;
	expect(&in, SELFCHECK_NOT_READY, "2 mails that it counts left since the fix");
	in.seen.since_fix = 0;
	in.seen.unclear = 2;
	expect(&in, SELFCHECK_NOT_READY, "2 mails that it counts left since the fix, the last at");
	in.seen.unclear = 0;
	in.seen.retries = 1;
	expect(&in, SELFCHECK_NOT_READY, "1 mail from before the fix still leaves the queue");
	in.fixed_us = NOW - HOUR_US;
	in.seen.retries = 0;
	in.seen.last_us = NOW - 2 * HOUR_US;
	expect(&in, SELFCHECK_WAIT, "since the fix");
}

static void a_defect_that_is_still_there_is_not_ready(void **state)
{
	struct selfcheck_input in = sent(10 * DAY_US);

	(void)state;
	in.seen.defect_us = NOW - 9 * DAY_US;
	expect(&in, SELFCHECK_NOT_READY, "the cause is still there");
	in.seen.defect_us = NOW - 11 * DAY_US;
	expect(&in, SELFCHECK_READY, "10 days");
}

static void what_is_proved_goes_before_what_is_not_known(void **state)
{
	struct selfcheck_input in = sent(5 * HOUR_US);

	(void)state;
	in.seen.seen_us = NOW - 2 * DAY_US;
	in.coverage.hours_seen = 0;
	in.listing = LISTING_UNKNOWN;
	expect(&in, SELFCHECK_NOT_READY, "5 hours ago");
}

static void a_sensor_that_sees_nothing_proves_nothing(void **state)
{
	struct selfcheck_input in = quiet();

	(void)state;
	in.seen.watched_us = 0;
	expect(&in, SELFCHECK_UNKNOWN, "nothing was ever seen");
	in = quiet();
	in.seen.is_known = false;
	expect(&in, SELFCHECK_UNKNOWN, "no mail server with this public address");
	in = quiet();
	in.seen.seen_us = NOW - DAY_US;
	expect(&in, SELFCHECK_UNKNOWN, "has seen nothing since");
	in = quiet();
	in.seen.unjudged_us = 3 * HOUR_US;
	expect(&in, SELFCHECK_UNKNOWN, "in the last 3 hours is not judged yet");
	in.seen.is_judged = false;
	expect(&in, SELFCHECK_UNKNOWN, "nothing of what was seen is judged yet");
	in = quiet();
	in.seen.sent_us = 0;
	expect(&in, SELFCHECK_UNKNOWN, "a way that is not seen here");
	in.coverage.received = 5;
	expect(&in, SELFCHECK_UNKNOWN, "a way that is not seen here");
	in.seen.others_sent_us = NOW - DAY_US;
	expect(&in, SELFCHECK_READY, "60 days");
}

static void a_blind_sensor_proves_nothing(void **state)
{
	struct selfcheck_input in = quiet();

	(void)state;
	in.coverage.unreadable = 50;
	expect(&in, SELFCHECK_UNKNOWN, "50 of 100 sessions in which it sent mail were encrypted");
	in.coverage.unreadable = 20;
	expect(&in, SELFCHECK_READY, "80 %");
	in.coverage.hours_seen = 100;
	expect(&in, SELFCHECK_UNKNOWN, "nothing in 68 of the 168 hours");
	in.coverage.hours_seen = 168;
	in.coverage.dropped = 1000;
	expect(&in, SELFCHECK_UNKNOWN, "lost 50 %");
	in = sent(2 * DAY_US);
	in.coverage.unreadable = 100;
	expect(&in, SELFCHECK_UNKNOWN, "100 of 100");
}

static void doubt_is_not_clean(void **state)
{
	struct selfcheck_input in = quiet();

	(void)state;
	in.seen.doubtful = 1;
	in.seen.doubt_us = NOW - 2 * DAY_US;
	expect(&in, SELFCHECK_UNKNOWN, "1 mail since the first packet seen may count");
}

static void a_listing_wants_an_explanation(void **state)
{
	struct selfcheck_input in = quiet();

	(void)state;
	in.listing = LISTING_LISTED;
	expect(&in, SELFCHECK_UNKNOWN, "nothing seen here explains it");
	in.seen.last_us = NOW - 10 * DAY_US;
	expect(&in, SELFCHECK_READY, "10 days, and 100 % of that was seen; as far as was seen, the listing ends at ");
	in.seen.last_us = NOW - 40 * DAY_US;
	expect(&in, SELFCHECK_UNKNOWN, "the list saw something later");
	in.impact_us = NOW - 40 * DAY_US;
	in.seen.impact_seen = true;
	expect(&in, SELFCHECK_UNKNOWN, "the list saw something later");
	in = quiet();
	in.listing = LISTING_LISTED;
	in.impact_us = NOW - 65 * DAY_US;
	in.seen.watched_us = NOW - 20 * DAY_US;
	expect(&in, SELFCHECK_UNKNOWN, "the list saw something later");
	in.impact_us = NOW - 21 * DAY_US;
	expect(&in, SELFCHECK_READY, "20 days");
}

static void an_impact_that_was_not_seen_is_unknown(void **state)
{
	struct selfcheck_input in = sent(12 * DAY_US);

	(void)state;
	in.impact_us = in.seen.last_us + 60 * INT64_C(1000000);
	in.seen.impact_seen = true;
	expect(&in, SELFCHECK_READY, "11 days");
	in.impact_us = in.seen.last_us - DAY_US;
	expect(&in, SELFCHECK_READY, "12 days");
	in.seen.impact_seen = false;
	expect(&in, SELFCHECK_UNKNOWN, "no mail that it counts was seen then");
}

static void a_list_that_cannot_be_believed_is_unknown(void **state)
{
	struct selfcheck_input in = quiet();

	(void)state;
	in.listing = LISTING_UNKNOWN;
	in.listing_why = "no answer in time";
	expect(&in, SELFCHECK_UNKNOWN, "could not be learned: no answer in time");
	in = sent(2 * DAY_US);
	in.listing = LISTING_UNKNOWN;
	expect(&in, SELFCHECK_WAIT, "2 days");
}

static void ipv6_is_not_covered(void **state)
{
	struct selfcheck_input in = sent(HOUR_US);

	(void)state;
	in.ipv6 = true;
	expect(&in, SELFCHECK_NOT_COVERED, "no IPv6");
}

static void the_worst_of_the_lists_that_list_speaks(void **state)
{
	const struct selfcheck_result r[] = { { .answer = SELFCHECK_READY }, { .answer = SELFCHECK_WAIT, .wait_days = 2 }, { .answer = SELFCHECK_WAIT, .wait_days = 5 },
		{ .answer = SELFCHECK_UNKNOWN }, { .answer = SELFCHECK_NOT_COVERED } };
	enum listing_state listing[5] = { 0 };

	(void)state;
	assert_int_equal(selfcheck_worst(r, listing, 5), 3);
	assert_int_equal(selfcheck_worst(r, listing, 3), 2);
	listing[0] = listing[1] = LISTING_LISTED;
	assert_int_equal(selfcheck_worst(r, listing, 5), 1);
	assert_int_equal(selfcheck_worst(r + 4, listing + 4, 1), 1);
	struct selfcheck_result equal[] = { { .weight = 2 }, { .weight = 3 }, { .weight = 3 } };
	memset(listing, 0, sizeof listing);
	assert_int_equal(selfcheck_worst(equal, listing, 3), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_for_a_week_is_ready),
		cmocka_unit_test(less_is_to_wait_for),
		cmocka_unit_test(the_clock_starts_with_the_latest),
		cmocka_unit_test(mail_of_today_is_not_ready),
		cmocka_unit_test(mail_since_the_fix_is_not_ready),
		cmocka_unit_test(a_defect_that_is_still_there_is_not_ready),
		cmocka_unit_test(what_is_proved_goes_before_what_is_not_known),
		cmocka_unit_test(a_sensor_that_sees_nothing_proves_nothing),
		cmocka_unit_test(a_blind_sensor_proves_nothing),
		cmocka_unit_test(doubt_is_not_clean),
		cmocka_unit_test(a_listing_wants_an_explanation),
		cmocka_unit_test(an_impact_that_was_not_seen_is_unknown),
		cmocka_unit_test(a_list_that_cannot_be_believed_is_unknown),
		cmocka_unit_test(ipv6_is_not_covered),
		cmocka_unit_test(the_worst_of_the_lists_that_list_speaks),
	};

	return cmocka_run_group_tests_name("selfcheck", tests, NULL, NULL);
}
