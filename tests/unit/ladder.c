/* Unit tests of reader/ladder.c: lanes, order, and which text belongs to which reply. */
#include "reader/ladder.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/mails.h"

#define USER "jobs@campus.example"
#define VICTIM "anna@victim.invalid"

static const char *const lane_names[] = { "origin", "own", "inner", "outside" };

static void add(struct world *w, struct fake f)
{
	add_mail(w, &f);
}

/* The steps of a ladder, one a line, with milliseconds since the first. */
static char *printed(struct world *w, int64_t finding)
{
	struct reader *r = reader_open(w->dir);
	struct buf out = { 0 };
	struct ladder l;

	assert_int_equal(ladder_read(r, finding, &l), 0);
	for (size_t i = 0; i < l.step_count; i++)
		buf_printf(&out, "%lld %s>%s %.*s%s\n", (long long)(l.step[i].at_us - l.step[0].at_us) / 1000, lane_names[l.step[i].from], lane_names[l.step[i].to],
			   (int)l.step[i].text.len, l.step[i].text.p, l.step[i].decides ? " !" : "");
	buf_cstr(&out);
	ladder_fini(&l);
	reader_close(r);
	return out.p;
}

static void a_story_from_origin_to_victim(void **state)
{
	struct world *w = *state;
	struct fake spam = spam_to(1, 10, VICTIM, USER, "m"), refusal = refusal_of(2, 10.5, VICTIM, USER), bounce = bounce_to(3, 11, VICTIM, "m");

	spam.steps = "c MAIL 0\ns 250 1000\nc RCPT 2000\ns 250 3000\nc DATA 4000\ns 354 5000\nc . 6000\ns 250 7000";
	refusal.steps = "c MAIL 0\nc RCPT 0\nc DATA 0\ns 250 1000\ns 550 2000\ns 554 3000\nc RSET 4000\ns 250 5000";
	bounce.steps = "c MAIL 0\ns 250 1000\nc RCPT 2000\ns 250 3000\nc DATA 4000\ns 354 5000\nc . 6000\ns 250 7000\nc QUIT 8000";
	add_server_session(w, MX1, "mx1.campus.example");
	add(w, spam);
	add(w, refusal);
	add(w, bounce);
	analyze(w, false);
	char *text = printed(w, 300);
	assert_string_equal(text,
		"0 origin>own MAIL FROM:<anna@victim.invalid>\n1 own>origin 250\n2 origin>own RCPT TO:<jobs@campus.example>\n3 own>origin 250\n"
		"4 origin>own DATA\n5 own>origin 354\n6 origin>own (message, 1000 bytes)\n7 own>origin 250 Ok: queued as ABC123 !\n"
		"500 own>inner MAIL FROM:<anna@victim.invalid> SIZE=1000\n500 own>inner RCPT TO:<jobs@campus.example>\n500 own>inner DATA\n501 inner>own 250\n"
		"502 inner>own 550 User unknown in local recipient table\n503 inner>own 554\n504 own>inner RSET\n505 inner>own 250\n"
		"1000 own>outside MAIL FROM:<>\n1001 outside>own 250\n1002 own>outside RCPT TO:<anna@victim.invalid>\n1003 outside>own 250\n1004 own>outside DATA\n"
		"1005 outside>own 354\n1006 own>outside (message, 1000 bytes)\n1007 outside>own 250 Ok !\n1008 own>outside QUIT\n");
	free(text);
}

static void hops_name_who_they_are_between(void **state)
{
	struct world *w = *state;
	struct ladder l;

	add_server_session(w, MX1, "mx1.campus.example");
	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, refusal_of(2, 10.5, VICTIM, USER));
	add(w, bounce_to(3, 11, VICTIM, "m"));
	analyze(w, false);
	struct reader *r = reader_open(w->dir);
	assert_int_equal(ladder_read(r, 300, &l), 0);
	assert_true(l.cause_seen);
	assert_int_equal(l.hop_count, 3);
	assert_int_equal(l.hop[0].part, LADDER_CAUSE);
	assert_int_equal(l.hop[1].part, LADDER_ROOT);
	assert_int_equal(l.hop[2].part, LADDER_ANSWER);
	assert_string_equal(l.hop[1].server_ip, MX1);
	assert_int_equal(l.hop[1].code, 550);
	assert_string_equal(l.lane[LADDER_ORIGIN], BOT);
	assert_string_equal(l.lane[LADDER_OWN], MX2);
	assert_string_equal(l.lane[LADDER_INNER], MX1);
	assert_string_equal(l.lane[LADDER_OUTSIDE], VICTIM_MX);
	ladder_fini(&l);
	assert_int_equal(ladder_read(r, 999, &l), 0);
	assert_int_equal(l.hop_count, 0);
	ladder_fini(&l);
	reader_close(r);
}

/* The question goes out while the mail that it is about is still being offered. */
static void a_callout_stands_within_its_cause(void **state)
{
	struct world *w = *state;
	struct fake offer = spam_to(1, 10, VICTIM, USER, NULL), probe = null_probe_to(2, 10.002, VICTIM, NULL);

	offer.steps = "c MAIL 0\ns 250 1000\nc RCPT 1500\ns 550 5000";
	offer.code = offer.rcpt_code = 550;
	offer.rcpt_reply = offer.reply = "Sender verify failed";
	offer.no_data = true;
	probe.steps = "c MAIL 0\ns 250 500\nc RCPT 700\ns 550 1000\nc QUIT 1100";
	probe.reply = probe.rcpt_reply;
	add(w, offer);
	add(w, probe);
	analyze(w, false);
	char *text = printed(w, 200);
	assert_string_equal(text,
		"0 origin>own MAIL FROM:<anna@victim.invalid>\n1 own>origin 250\n1 origin>own RCPT TO:<jobs@campus.example>\n"
		"2 own>outside MAIL FROM:<>\n2 outside>own 250\n2 own>outside RCPT TO:<anna@victim.invalid>\n3 outside>own 550 User unknown !\n3 own>outside QUIT\n"
		"5 own>origin 550 Sender verify failed !\n");
	free(text);
}

static void of_many_attempts_the_first_and_the_last_are_shown(void **state)
{
	struct world *w = *state;
	struct ladder l;

	for (int i = 0; i < 9; i++) {
		struct fake bounce = bounce_to(i + 1, 10 + i * 600, VICTIM, NULL);

		if (i < 8) {
			bounce.code = bounce.rcpt_code = 450;
			bounce.outcome = "rejected";
		}
		add(w, bounce);
	}
	analyze(w, false);
	struct reader *r = reader_open(w->dir);
	assert_int_equal(ladder_read(r, 100, &l), 0);
	assert_false(l.cause_seen);
	assert_int_equal(l.hop_count, LADDER_ATTEMPTS_MAX);
	assert_int_equal(l.attempts_left_out, 3);
	assert_int_equal(l.hop[2].rowid, 3);
	assert_int_equal(l.hop[3].rowid, 7);
	assert_int_equal(l.hop[5].rowid, 9);
	ladder_fini(&l);
	reader_close(r);
}

static void steps_that_are_no_steps_are_left_out(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(1, 10, VICTIM, NULL);

	bounce.steps = "\nc\nc MAIL\nx\ns 250 12 13\nc AVERYLONGWORDAVERYLONGWORDAVERYLONGWORDAVERYLONGWORDAVERYLONGWORDAVERYLONGWORD 5\nc QUIT 1000";
	add(w, bounce);
	analyze(w, false);
	char *text = printed(w, 100);
	assert_non_null(strstr(text, "own>outside QUIT\n"));
	free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_story_from_origin_to_victim),
		TEST(hops_name_who_they_are_between),
		TEST(a_callout_stands_within_its_cause),
		TEST(of_many_attempts_the_first_and_the_last_are_shown),
		TEST(steps_that_are_no_steps_are_left_out),
	};

	return cmocka_run_group_tests_name("ladder", tests, NULL, NULL);
}
