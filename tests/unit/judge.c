/* Unit tests of analyzer/judge.c: rules, what they add up to, exposure. */
#include "analyzer/judge.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/mails.h"

#define VICTIM "anna@victim.invalid"
#define USER "jobs@campus.example"

static void add(struct world *w, struct fake f)
{
	add_mail(w, &f);
}

/* A cause and its bounce, then the verdict. */
static void judge_pair(struct world *w, struct fake cause, struct fake bounce)
{
	add(w, cause);
	add(w, bounce);
	analyze(w, false);
}

static bool fired(struct world *w, const char *rule)
{
	return strcmp(ask(w, "SELECT 1 FROM finding_reason WHERE rule = %Q", rule), "1") == 0;
}

static void an_unrelated_origin_is_only_likely(void **state)
{
	struct world *w = *state;

	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce_to(2, 11, VICTIM, "m"));
	assert_true(fired(w, "origin-unrelated"));
	assert_answer("likely", "SELECT misdirected FROM finding");
	assert_answer("can-backscatter", "SELECT exposure FROM finding");
	assert_answer(BOT, "SELECT origin_ip FROM finding");
}

static void mail_from_the_server_that_takes_the_bounce_is_no(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m");

	cause.src = VICTIM_MX;
	judge_pair(w, cause, bounce_to(2, 11, VICTIM, "m"));
	assert_true(fired(w, "origin-is-target"));
	assert_answer("no", "SELECT misdirected FROM finding");
	assert_answer("can-backscatter", "SELECT exposure FROM finding");
}

static void a_related_name_or_a_platform_keeps_silent(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m");

	cause.helo = "out7.victim.invalid";
	judge_pair(w, cause, bounce_to(2, 11, VICTIM, "m"));
	assert_answer("unknown", "SELECT misdirected FROM finding");
	cause = spam_to(3, 20, "b@victim.invalid", USER, "m2");
	cause.helo = "mail-ed1-f41.google.com";
	judge_pair(w, cause, bounce_to(4, 21, "b@victim.invalid", "m2"));
	assert_answer("unknown", "SELECT misdirected FROM finding WHERE recipient = 'b@victim.invalid'");
}

static void two_strong_grounds_make_yes(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "m");

	bounce.code = bounce.rcpt_code = 550;
	bounce.rcpt_reply = bounce.reply = "Invalid reverse path signature";
	add(w, spam_to(3, 5, "a@one.invalid", USER, "x1"));
	add(w, spam_to(4, 6, "b@two.invalid", USER, "x2"));
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce);
	assert_true(fired(w, "origin-many-senders"));
	assert_true(fired(w, "victim-says-backscatter"));
	assert_answer("yes", "SELECT misdirected FROM finding");
}

static void rules_of_one_ground_make_no_yes(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "m");

	bounce.authserv = "mx2.campus.example";
	bounce.spf = "fail";
	bounce.dkim = "none";
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce);
	assert_true(fired(w, "auth-fail"));
	assert_true(fired(w, "origin-unrelated"));
	assert_answer("likely", "SELECT misdirected FROM finding");
}

static void only_our_own_authentication_results_count(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "m");

	bounce.authserv = "mx.attacker.invalid";
	bounce.spf = "pass";
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce);
	assert_false(fired(w, "spf-pass"));
	assert_answer("likely", "SELECT misdirected FROM finding");
}

static void an_spf_pass_of_ours_acquits(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "m");

	bounce.authserv = "mx2.campus.example";
	bounce.spf = "pass";
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce);
	assert_answer("no", "SELECT misdirected FROM finding");
}

static void a_strong_rule_against_forbids_yes(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "m");

	bounce.code = bounce.rcpt_code = 550;
	bounce.rcpt_reply = bounce.reply = "Invalid reverse path signature";
	bounce.authserv = "mx2.campus.example";
	bounce.spf = "pass";
	add(w, spam_to(3, 5, "a@one.invalid", USER, "x1"));
	add(w, spam_to(4, 6, "b@two.invalid", USER, "x2"));
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce);
	assert_answer("unknown", "SELECT misdirected FROM finding");
}

static void a_blocklist_in_the_reply_proves_nothing_about_the_mail(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "m");

	bounce.code = bounce.rcpt_code = 550;
	bounce.rcpt_reply = bounce.reply = "Backscatter: Sorry " MX2 " is blacklisted at http://www.backscatterer.org/?ip=" MX2;
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce);
	assert_false(fired(w, "victim-says-backscatter"));
	assert_answer("backscatterer " MX2, "SELECT list || ' ' || address FROM refusal");
	assert_answer("listed", "SELECT status FROM risk WHERE list = 'backscatterer'");
}

static void authenticated_senders_are_no_exposure(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m");

	cause.auth = 1;
	judge_pair(w, cause, bounce_to(2, 11, VICTIM, "m"));
	assert_answer("no", "SELECT exposure FROM finding");
}

static void without_a_cause_much_is_unknown(void **state)
{
	struct world *w = *state;

	add(w, bounce_to(2, 11, VICTIM, "m"));
	analyze(w, false);
	assert_answer("unknown unknown", "SELECT misdirected || ' ' || exposure FROM finding");
	assert_answer("0", "SELECT count(*) FROM finding_reason");
}

static void causes_have_classes(void **state)
{
	static const struct { int code; const char *enhanced, *text, *class; } cases[] = {
		{ 550, "5.1.1", "no", "user-unknown" }, { 550, NULL, "unknown user", "user-unknown" }, { 552, "5.2.2", NULL, "mailbox-full" },
		{ 452, NULL, "Over quota", "mailbox-full" }, { 554, "5.7.1", "message contains a virus", "content" }, { 554, "5.7.1", "denied", "policy" },
		{ 554, "5.3.4", "too big", "other" }, { 0, NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *e = cases[i].enhanced, *t = cases[i].text;
		const char *class = judge_cause_class(cases[i].code, (struct text){ e, e ? (uint32_t)strlen(e) : 0 },
						      (struct text){ t, t ? (uint32_t)strlen(t) : 0 });

		if (cases[i].class)
			assert_string_equal(class, cases[i].class);
		else
			assert_null(class);
	}
}

static void doubt_is_unknown(void **state)
{
	static const struct { struct sum sum; const char *verdict; } cases[] = {
		{ { .points = { 8, 0 }, .strong = { 2, 0 }, .strong_grounds = 3 }, "yes" },
		{ { .points = { 8, 0 }, .strong = { 2, 0 }, .strong_grounds = 1 }, "likely" },
		{ { .points = { 8, 4 }, .strong = { 2, 1 }, .strong_grounds = 3 }, "unknown" },
		{ { .points = { 2, 0 }, .medium = { 1, 0 } }, "likely" },
		{ { .points = { 2, 2 }, .medium = { 1, 1 } }, "unknown" },
		{ { .points = { 1, 0 } }, "unknown" },
		{ { .points = { 1, 4 }, .strong = { 0, 1 } }, "no" },
		{ { .points = { 0, 2 }, .medium = { 0, 1 } }, "unknown" },
		{ { .points = { 0, 4 }, .medium = { 0, 2 } }, "no" },
		{ { .points = { 0, 0 } }, "unknown" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(verdict_of(&cases[i].sum), cases[i].verdict);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_unrelated_origin_is_only_likely),
		TEST(mail_from_the_server_that_takes_the_bounce_is_no),
		TEST(a_related_name_or_a_platform_keeps_silent),
		TEST(two_strong_grounds_make_yes),
		TEST(rules_of_one_ground_make_no_yes),
		TEST(only_our_own_authentication_results_count),
		TEST(an_spf_pass_of_ours_acquits),
		TEST(a_strong_rule_against_forbids_yes),
		TEST(a_blocklist_in_the_reply_proves_nothing_about_the_mail),
		TEST(authenticated_senders_are_no_exposure),
		TEST(without_a_cause_much_is_unknown),
		cmocka_unit_test(causes_have_classes),
		cmocka_unit_test(doubt_is_unknown),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
