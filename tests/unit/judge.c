/* Unit tests of analyzer/judge.c: rules, what they add up to, exposure. */
#include "analyzer/judge.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "analyzer/domain.h"
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
	cause.helo = "dd12345.kasserver.com";
	judge_pair(w, cause, bounce_to(4, 21, "b@victim.invalid", "m2"));
	assert_answer("unknown", "SELECT misdirected FROM finding WHERE recipient = 'b@victim.invalid'");
	assert_true(domain_is_platform(TEXT("mail-ed1-f41.google.com")) && domain_is_platform(TEXT("MX.Outlook.COM.")));
	assert_false(domain_is_platform(TEXT("google.com.access.invalid")) || domain_is_platform(TEXT("notgoogle.com")) || domain_is_platform(TEXT("com")));
}

/* A bounce goes to the sender; its copy to whom the configuration names (errors_copy of Exim, PostmasterCopy of Sendmail). */
static void who_is_told_of_others_mail_is_no_victim(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m"), copy = bounce_to(3, 11.1, "admin@elsewhere.invalid", "m");

	add(w, cause);
	add(w, bounce_to(2, 11, VICTIM, "m"));
	copy.message_id = "copy@mx2.campus.example";
	add(w, copy);
	analyze(w, false);
	assert_answer("likely", "SELECT misdirected FROM finding WHERE recipient = '" VICTIM "'");
	assert_answer("unknown 1", "SELECT misdirected || ' ' || cause_rowid FROM finding WHERE recipient = 'admin@elsewhere.invalid'");
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
	assert_true(fired(w, "line-many-senders"));
	assert_true(fired(w, "victim-says-backscatter"));
	assert_answer("yes", "SELECT misdirected FROM finding");
}

/* What would be proved, when this is said of the original or of the answer. */
static const char *proof_with(struct world *w, const char *original, const char *original_message, bool no_header, const char *answer, const char *answer_message)
{
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m"), bounce = bounce_to(2, 11, VICTIM, "m");

	run_sql(w->facts, "DELETE FROM transactions; DELETE FROM messages; DELETE FROM recipients; DELETE FROM reports; DELETE FROM report_recipients;"
			  " DELETE FROM returned; DELETE FROM batch");
	cause.notes = original;
	cause.message_notes = original_message;
	cause.headers_incomplete = no_header;
	bounce.notes = answer;
	bounce.message_notes = answer_message;
	bounce.code = bounce.rcpt_code = 550;
	bounce.rcpt_reply = bounce.reply = "Invalid reverse path signature";
	add(w, cause);
	add(w, bounce);
	analyze(w, true);
	return ask(w, "SELECT misdirected || coalesce((SELECT ', ' || text FROM finding_reason WHERE rule = 'doubtful-capture'), '') FROM finding");
}

static void what_rests_on_doubtful_bytes_is_no_proof(void **state)
{
	static const char twice[] = "likely, bytes came twice, and differed, in what it rests on: likely at most",
		answer[] = "likely, the answer was not captured in full: likely at most",
		header[] = "likely, the header of the original was not captured in full: likely at most",
		tunnel[] = "likely, it was captured in a tunnel that the configuration does not name, into which strangers may send: likely at most";
	struct world *w = *state;

	assert_string_equal(proof_with(w, NULL, NULL, false, NULL, NULL), "yes");
	assert_string_equal(proof_with(w, "overlap", NULL, false, NULL, NULL), twice);
	assert_string_equal(proof_with(w, NULL, NULL, false, "mid-stream overlap", NULL), twice);
	assert_string_equal(proof_with(w, NULL, NULL, false, "gap", "gap"), answer);
	assert_string_equal(proof_with(w, NULL, NULL, false, "truncated", "truncated"), answer);
	assert_string_equal(proof_with(w, NULL, NULL, false, NULL, "mime-limit"), answer);
	assert_string_equal(proof_with(w, NULL, NULL, false, "no-end", "no-end"), answer);
	assert_string_equal(proof_with(w, "gap", "gap", true, NULL, NULL), header);
	assert_string_equal(proof_with(w, "truncated", "truncated", false, NULL, NULL), header);
	assert_string_equal(proof_with(w, "tunnelled", NULL, false, "tunnelled", NULL), tunnel);
	/* Odd, but nothing that the verdict rests on: a hole in the body of the original, a reply that was lost, a long reply. */
	assert_string_equal(proof_with(w, "gap", "gap", false, NULL, NULL), "yes");
	assert_string_equal(proof_with(w, "mid-stream rcpt-truncated", NULL, false, "gap steps-truncated ordinal-uncertain", NULL), "yes");
	assert_string_equal(proof_with(w, NULL, NULL, false, "truncated out-of-window clock-backward", NULL), "yes");
	configure(w, "capture", NULL, "tunnels", "192.0.2.250 192.0.2.251");
	assert_string_equal(proof_with(w, "tunnelled", NULL, false, "tunnelled", NULL), "yes");
}

/* Joined in the middle: whoever logged in before may write by other addresses of his. */
static void who_may_have_logged_in_is_not_proved_a_stranger(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m"), bounce = bounce_to(2, 11, VICTIM, "m");

	bounce.code = bounce.rcpt_code = 550;
	bounce.rcpt_reply = bounce.reply = "Invalid reverse path signature";
	judge_pair(w, cause, bounce);
	assert_answer("yes", "SELECT misdirected FROM finding");
	run_sql(w->facts, "UPDATE transactions SET auth = NULL WHERE NOT null_sender");
	analyze(w, true);
	assert_answer("likely", "SELECT misdirected FROM finding");
	assert_true(fired(w, "doubtful-capture"));
}

/* On 587 nothing is taken from others. */
static void mail_submitted_was_written_by_a_user_of_ours(void **state)
{
	struct world *w = *state;

	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce_to(2, 11, VICTIM, "m"));
	run_sql(w->facts, "UPDATE transactions SET auth = NULL WHERE NOT null_sender");
	analyze(w, true);
	assert_answer("likely unknown", "SELECT misdirected || ' ' || exposure FROM finding");
	run_sql(w->facts, "UPDATE transactions SET dest_port = 587 WHERE NOT null_sender");
	analyze(w, true);
	assert_answer("unknown no", "SELECT misdirected || ' ' || exposure FROM finding");
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

/* DMARC is about From; the bounce goes to the envelope. */
static void dmarc_of_another_domain_says_nothing_about_his(void **state)
{
	static const struct { const char *from; bool fails; } cases[] = {
		{ "Shop <news@shop.invalid>", false }, { NULL, false }, { "Anna <anna@mail.victim.invalid>", true }, { VICTIM, true },
	};
	struct world *w = *state;

	for (int i = 0; i < 4; i++) {
		char id[] = "m0", own[] = "bounce.0@mx2.campus.example";
		struct fake bounce = bounce_to(2 * i + 2, 20 * i + 11, VICTIM, id);

		own[7] = id[1] = (char)('0' + i);
		bounce.message_id = own;
		bounce.authserv = "mx2.campus.example";
		bounce.spf = "none";
		bounce.dmarc = "fail";
		bounce.returned_from = cases[i].from;
		judge_pair(w, spam_to(2 * i + 1, 20 * i + 10, VICTIM, USER, id), bounce);
		assert_answer(cases[i].fails ? "1" : "0", "SELECT count(*) FROM finding_reason JOIN finding ON finding.id = finding_rowid WHERE rule = 'auth-fail'"
			      " AND first_us = %lld", (long long)(EPOCH_US + (20 * i + 11) * 1000000));
	}
}

/* Spam in his name was taken some days ago; what bounces now is a letter of his that came by a way nobody saw. */
static void a_bounce_that_names_another_mail_does_not_answer_this_one(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 90000, VICTIM, "letter@victim.invalid");

	bounce.final = USER;
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "spam"), bounce);
	assert_answer("unknown unknown", "SELECT misdirected || ' ' || exposure FROM finding");
	assert_answer("", "SELECT cause_rowid FROM finding");
	run_sql(w->facts, "UPDATE returned SET message_id = NULL, message_id_hash = NULL");
	analyze(w, true);
	assert_answer("likely recipients", "SELECT misdirected || ' ' || cause_matched_by FROM finding");
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

static void only_his_server_knows_what_he_sent(void **state)
{
	static const struct { const char *dest, *reply; bool says; } cases[] = {
		{ VICTIM_MX, "Invalid reverse path signature", true }, { VICTIM_MX, "BATV: unsigned", true }, { VICTIM_MX, "5.7.1 this address never sends mail", true },
		{ VICTIM_MX, "We did not send that message", true }, { VICTIM_MX, "<anna@victim.invalid>: invalid bounce", true },
		{ VICTIM_MX, "Client did not send the EHLO that was expected", false }, { VICTIM_MX, "<dragan.batv@victim.invalid>: no mailbox here", false },
		{ VICTIM_MX, "<acrobatviolin@victim.invalid>: try again", false }, { VICTIM_MX, "acrobatviolins are not welcome", false },
		{ "203.0.113.90", "Invalid reverse path signature", false },
	};
	struct world *w = *state;

	configure(w, "own", NULL, "smarthosts", "203.0.113.90");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct fake bounce = bounce_to(2, 11, VICTIM, "m");

		run_sql(w->facts, "DELETE FROM transactions; DELETE FROM messages; DELETE FROM recipients; DELETE FROM reports; DELETE FROM report_recipients;"
				  " DELETE FROM returned; DELETE FROM batch");
		bounce.dest = cases[i].dest;
		bounce.code = bounce.rcpt_code = 550;
		bounce.rcpt_reply = bounce.reply = cases[i].reply;
		add(w, spam_to(1, 10, VICTIM, USER, "m"));
		add(w, bounce);
		analyze(w, true);
		if (fired(w, "victim-says-backscatter") != cases[i].says)
			fail_msg("%s", cases[i].reply);
	}
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
		{ 550, NULL, "Unrouteable address", "user-unknown" }, { 550, NULL, "unknown user", "user-unknown" },
		{ 550, NULL, "User <a@b.example> unknown.", "user-unknown" }, { 550, NULL, "Invalid recipient: <a@b.example>", "user-unknown" },
		{ 550, "5.4.1", "Recipient address rejected: Access denied", "user-unknown" }, { 550, "5.7.1", "Recipient address rejected: Access denied", "policy" },
		{ 550, NULL, "5.1.1 RESOLVER.ADR.RecipNotFound; not found", "user-unknown" }, { 550, "5.2.1", "The email account is disabled", "user-unknown" },
		{ 554, NULL, "delivery error: dd This user doesn't have a yahoo.example account", "user-unknown" },
		{ 550, NULL, "Requested action not taken: mailbox unavailable", "user-unknown" }, { 550, NULL, "User smith not listed in Domino Directory", "user-unknown" },
		{ 511, NULL, "sorry, no mailbox here by that name (#5.1.1)", "user-unknown" }, { 452, "4.2.2", "over", "mailbox-full" },
		{ 552, NULL, "Requested mail action aborted: exceeded storage allocation", "mailbox-full" }, { 550, NULL, "mailbox is full", "mailbox-full" },
		{ 554, "5.7.1", "Client host [192.0.2.1] blocked using zen.spamhaus.org", "policy" }, { 550, "5.7.1", "Message contained spam content", "content" },
		{ 550, "5.7.0", "This message was blocked because of its content: attachment", "content" }, { 554, "5.7.1", "Relay access denied", "policy" },
		{ 550, NULL, "Sender verify failed", "policy" }, { 421, "4.4.1", "connection timed out", "other" }, { 450, "4.2.0", "Greylisted, try later", "policy" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *e = cases[i].enhanced, *t = cases[i].text;
		const char *class = cause_class(cases[i].code, (struct text){ e, e ? (uint32_t)strlen(e) : 0 },
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

/* ---- the rules, one by one ---- */

static const char *verdict_on(const struct evidence *e, const char *without)
{
	unsigned set = fitting_rules(e), bit = 0;

	for (size_t i = 0; i < RULE_COUNT; i++)
		if (strcmp(rules[i].id, without) == 0)
			bit = 1u << i;
	struct sum all = sum_of(set), rest = sum_of(set & ~bit);
	return strcmp(verdict_of(&all), verdict_of(&rest)) ? verdict_of(&all) : "the same";
}

/* What each rule is for: evidence whose verdict is another one without it. */
static void every_rule_decides_something(void **state)
{
	static const struct { const char *rule, *verdict; struct evidence e; } cases[] = {
		{ "auth-fail", "likely", { .spf = { "fail", 4 }, .dkim = { "none", 4 } } },
		{ "spf-fail", "likely", { .spf = { "fail", 4 } } },
		{ "origin-unrelated", "likely", { .origin_unrelated = true } },
		{ "origin-access-line", "yes", { .origin_unrelated = true, .access_line = true, .said_backscatter = true } },
		{ "origin-many-senders", "likely", { .origin_unrelated = true, .sender_domains = 3, .signed_sender = true } },
		{ "line-many-senders", "yes", { .origin_unrelated = true, .access_line = true, .sender_domains = 3 } },
		{ "client-many-senders", "likely", { .client = CLIENT_INSIDE, .to_outside = true, .sender_domains = 2 } },
		{ "sender-many-origins", "yes", { .origin_unrelated = true, .access_line = true, .sender_lines = 3, .sender_networks = 3, .sender_related_too = true } },
		{ "unseen-mail", "likely", { .unseen_mail = true } },
		{ "victim-says-backscatter", "yes", { .origin_unrelated = true, .access_line = true, .said_backscatter = true } },
		{ "victim-says-unknown", "likely", { .origin_unrelated = true, .notify_asked = true, .said_unknown = true } },
		{ "spam-marks", "likely", { .origin_unrelated = true, .notify_asked = true, .spam_mark = true } },
		{ "unsigned-sender", "likely", { .origin_unrelated = true, .notify_asked = true, .signs_otherwise = true } },
		{ "origin-is-target", "no", { .origin_is_target = true } },
		{ "origin-near-target", "no", { .origin_near_target = true, .signed_sender = true } },
		{ "spf-pass", "no", { .spf = { "pass", 4 } } },
		{ "dkim-pass", "no", { .dkim = { "pass", 4 }, .dkim_aligned = true } },
		{ "dkim-signature", "unknown", { .origin_unrelated = true, .dkim_aligned = true } },
		{ "correspondent", "no", { .correspondent = true } },
		{ "trusted-sender", "no", { .trusted_sender = true, .origin_unrelated = true, .access_line = true, .sender_domains = 8, .spf = { "fail", 4 },
		  .dkim = { "none", 4 }, .said_unknown = true } },
		{ "own-sender", "no", { .own_sender = true, .origin_near_target = true } },
		{ "batv-verp-srs", "unknown", { .origin_unrelated = true, .signed_sender = true } },
		{ "notify-asked", "unknown", { .origin_unrelated = true, .notify_asked = true } },
		{ "doubtful-capture", "likely", { .origin_unrelated = true, .access_line = true, .said_backscatter = true, .doubt = "gap" } },
	};

	(void)state;
	assert_int_equal(sizeof cases / sizeof *cases, RULE_COUNT);
	for (size_t i = 0; i < RULE_COUNT; i++) {
		assert_string_equal(cases[i].rule, rules[i].id);
		if (strcmp(verdict_on(&cases[i].e, cases[i].rule), cases[i].verdict))
			fail_msg("%s: %s, not %s", cases[i].rule, verdict_on(&cases[i].e, cases[i].rule), cases[i].verdict);
	}
}

/* Of the innocent: what looks alike and must not be called forged. */
static void twins_are_not_accused(void **state)
{
	static const struct { const char *what; struct evidence e; } cases[] = {
		{ "a user of ours on the road, by a private address", { .client = CLIENT_AUTHENTICATED, .origin_unrelated = true, .access_line = true, .sender_domains = 1,
		  .to_outside = true } },
		{ "a form on our web server, filled in by many", { .client = CLIENT_INSIDE, .sender_domains = 8 } },
		{ "a letter by way of a forwarder", { .origin_unrelated = true, .passed_target = true, .said_unknown = true } },
		{ "a mailing list", { .origin_unrelated = true, .from_list = true, .sender_networks = 4, .said_unknown = true } },
		{ "an answer to who is named in From, whom a service writes for", { .origin_unrelated = true, .own_envelope = true, .said_unknown = true } },
		{ "a moderator, who is told what waits for him", { .origin_unrelated = true, .access_line = true, .of_others = true, .sender_domains = 5, .sender_lines = 4,
		  .sender_networks = 4, .spf = { "fail", 4 }, .dkim = { "fail", 4 }, .said_unknown = true } },
		{ "a newsletter of a no-reply address, with a spam mark", { .said_unknown = true, .spam_mark = true } },
		{ "SPF passes for a server behind an access line", { .origin_unrelated = true, .access_line = true, .spf = { "pass", 4 }, .sender_domains = 5 } },
		{ "DKIM passes after forwarding broke SPF", { .origin_unrelated = true, .spf = { "fail", 4 }, .dkim = { "pass", 4 }, .dkim_aligned = true } },
		{ "a list: SPF passes for its envelope, DMARC fails for From", { .spf = { "pass", 4 }, .dkim = { "fail", 4 }, .dmarc = { "fail", 4 } } },
		{ "a hosted mailer that we trust, with our customers' names", { .trusted_sender = true, .origin_unrelated = true, .sender_domains = 8, .sender_networks = 4,
		  .dmarc = { "fail", 4 }, .spf = { "fail", 4 }, .spam_mark = true } },
		{ "a user of ours who writes by web mail, from another address of his", { .client = CLIENT_AUTHENTICATED, .unseen_mail = true } },
		{ "bounces for mail of his own server that nobody saw", { .origin_is_target = true, .unseen_mail = true } },
		{ "forms on a web server of ours that we trust", { .client = CLIENT_INSIDE, .trusted_sender = true, .sender_domains = 8, .to_outside = true } },
		{ "a forwarder of many, with his server in its lines", { .origin_unrelated = true, .passed_target = true, .sender_domains = 8 } },
		{ "a server of many lists", { .origin_unrelated = true, .from_list = true, .sender_domains = 8, .said_unknown = true } },
		{ "who answers our letters from his own line", { .origin_unrelated = true, .access_line = true, .correspondent = true, .sender_domains = 3 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sum s = sum_of(fitting_rules(&cases[i].e));

		if (strcmp(verdict_of(&s), "unknown") && strcmp(verdict_of(&s), "no"))
			fail_msg("%s: %s", cases[i].what, verdict_of(&s));
	}
}

/* Suspicious, and never proved: a server that sends for others, as hosters and forwarders do. */
static void servers_of_many_domains_are_never_proved_guilty(void **state)
{
	static const struct evidence cases[] = {
		{ .origin_unrelated = true, .sender_domains = 8, .said_unknown = true },
		{ .origin_unrelated = true, .sender_domains = 8, .sender_networks = 4, .sender_related_too = true, .spam_mark = true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sum s = sum_of(fitting_rules(&cases[i]));

		assert_string_not_equal(verdict_of(&s), "yes");
	}
}

/* ---- where the evidence comes from ---- */

/* SMTPUTF8 writes his domain as it is, EHLO in the form of DNS. */
static void an_internationalized_domain_is_one_in_both_forms(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, "anna@m\303\274ller.invalid", USER, "m");

	cause.helo = "mail.xn--mller-kva.invalid";
	judge_pair(w, cause, bounce_to(2, 11, "anna@m\303\274ller.invalid", "m"));
	assert_answer("unknown", "SELECT misdirected FROM finding");
	configure(w, "own", NULL, "domains", "xn--mller-kva.invalid");
	analyze(w, false);
	assert_answer("0", "SELECT count(*) FROM finding");
}

static void a_hoster_may_send_and_receive_by_different_networks(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m");

	cause.helo = "out7.hoster.invalid";
	add_session_of(w, 2, 11, MX2, VICTIM_MX, "mx1.hoster.invalid");
	judge_pair(w, cause, bounce_to(2, 11, VICTIM, "m"));
	assert_answer("unknown", "SELECT misdirected FROM finding");
}

static void a_banner_that_comes_late_judges_again(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m");

	cause.helo = "out7.hoster.invalid";
	judge_pair(w, cause, bounce_to(2, 11, VICTIM, "m"));
	assert_answer("likely", "SELECT misdirected FROM finding");
	add_session_of(w, 2, 11, MX2, VICTIM_MX, "mx1.hoster.invalid");
	analyze(w, false);
	assert_answer("unknown", "SELECT misdirected FROM finding");
}

static void the_balancer_and_the_upstream_name_the_origin(void **state)
{
	struct world *w = *state;
	struct fake proxied = spam_to(1, 10, VICTIM, USER, "m"), filtered = spam_to(3, 20, "b@victim.invalid", USER, "m2");

	configure(w, "own", NULL, "upstreams", "203.0.113.40");
	proxied.src = "192.0.2.9";
	proxied.proxy = "PROXY TCP4 " BOT " 192.0.2.26 4000 25";
	filtered.src = "203.0.113.40";
	filtered.helo = "filter.guard.invalid";
	filtered.received_ip = BOT;
	filtered.received_host = "dsl-7.access.invalid";
	add(w, filtered);
	add(w, bounce_to(4, 21, "b@victim.invalid", "m2"));
	judge_pair(w, proxied, bounce_to(2, 11, VICTIM, "m"));
	assert_answer("likely " BOT, "SELECT misdirected || ' ' || origin_ip FROM finding WHERE recipient = %Q", VICTIM);
	assert_answer("likely " BOT, "SELECT misdirected || ' ' || origin_ip FROM finding WHERE recipient = 'b@victim.invalid'");
}

static void an_upstreams_check_is_believed(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m"), bounce = bounce_to(2, 11, VICTIM, "m");

	configure(w, "own", NULL, "upstreams", "203.0.113.40");
	cause.src = "203.0.113.40";
	cause.helo = "out3.guard.invalid";
	cause.received_ip = BOT;
	cause.received_host = "out.letters.invalid";
	bounce.authserv = "filter.guard.invalid";
	bounce.spf = "pass";
	judge_pair(w, cause, bounce);
	assert_answer("no", "SELECT misdirected FROM finding");
}

static struct fake written_out(int session, double at, const char *src, const char *sender, const char *id)
{
	struct fake f = spam_to(session, at, sender, "x@harbour.invalid", id);

	f.src = src;
	return f;
}

/* Lines of the one mail that arrived, and of what the one answer returns: [name, address, writer, protocol, id]. */
static void set_lines(struct world *w, const char *table, const char *lines)
{
	run_format(w, "UPDATE %s SET received = json(%Q) WHERE received IS NOT NULL OR %d", table, lines, !strcmp(table, "returned"));
}

/* Proxies that leave no line: the topmost is the sender's own, and names his user at home. */
static void a_line_of_his_own_server_tells_no_origin(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m");

	configure(w, "own", NULL, "upstreams", "203.0.113.40");
	cause.src = "203.0.113.40";
	cause.helo = "mail.victim.invalid";
	cause.received_ip = BOT;
	judge_pair(w, cause, bounce_to(2, 11, VICTIM, "m"));
	set_lines(w, "messages", "[[\"dsl-7.access.invalid\",\"" BOT "\",\"filter.guard.invalid\",\"ESMTPS\",\"A\"]]");
	analyze(w, true);
	assert_answer("likely " BOT, "SELECT misdirected || ' ' || origin_ip FROM finding");
	set_lines(w, "messages", "[[\"dsl-7.access.invalid\",\"" BOT "\",\"mail.victim.invalid\",\"ESMTPSA\",\"A\"]]");
	run_sql(w->facts, "UPDATE transactions SET helo = 'proxy' WHERE NOT null_sender");
	analyze(w, true);
	assert_answer("unknown can-backscatter", "SELECT misdirected || ' ' || exposure FROM finding");
}

/* Containers and filters that hand mail round on one machine. */
static void private_addresses_are_no_origin(void **state)
{
	struct world *w = *state;

	judge_pair(w, spam_to(1, 10, "x@elsewhere.invalid", USER, "other"), bounce_to(2, 11, VICTIM, "m"));
	set_lines(w, "returned", "[[\"scanner\",\"172.18.0.5\",\"mx2.campus.example\",\"ESMTP\",\"A\"],"
		  "[\"mail.victim.invalid\",\"" VICTIM_MX "\",\"mx2.campus.example\",\"ESMTP\",\"B\"]]");
	analyze(w, true);
	assert_answer("no " VICTIM_MX, "SELECT misdirected || ' ' || origin_ip FROM finding");
	run_sql(w->facts, "UPDATE transactions SET src_ip = '172.18.0.5', mail_from = 'anna@victim.invalid', mail_from_id = (SELECT address_id FROM recipients"
			  " WHERE address = 'anna@victim.invalid') WHERE NOT null_sender");
	run_sql(w->facts, "UPDATE messages SET message_id_hash = (SELECT message_id_hash FROM returned) WHERE transaction_rowid = 1");
	analyze(w, true);
	assert_answer("unknown 172.18.0.5", "SELECT misdirected || ' ' || origin_ip FROM finding");
}

/* Answered by From, or by Reply-To: what SPF says of the envelope says nothing of him. */
static void spf_of_another_envelope_says_nothing_of_the_author(void **state)
{
	static const char *const results[] = { "pass", "fail" };
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, "bulk@sender.invalid", USER, "m"), notice = bounce_to(2, 11, VICTIM, "m");

	cause.from_header = VICTIM;
	notice.authserv = "mx2.campus.example";
	notice.dkim = "none";
	judge_pair(w, cause, notice);
	for (int i = 0; i < 2; i++) {
		run_format(w, "UPDATE returned SET spf = %Q", results[i]);
		analyze(w, true);
		assert_false(fired(w, "spf-pass"));
		assert_false(fired(w, "auth-fail"));
		assert_answer("likely", "SELECT misdirected FROM finding");
	}
}

static void a_host_inside_that_hands_in_strangers_mail_may_be_a_balancer(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m");

	cause.src = "192.0.2.102";
	judge_pair(w, cause, bounce_to(2, 11, VICTIM, "m"));
	assert_answer("unknown unknown", "SELECT misdirected || ' ' || exposure FROM finding");
	cause = written_out(3, 20, "192.0.2.102", "b@two.invalid", "m2");
	judge_pair(w, cause, bounce_to(4, 21, "b@two.invalid", "m2"));
	assert_answer("no", "SELECT exposure FROM finding WHERE recipient = 'b@two.invalid'");
}

/* Who checks SPF of what an upstream or another server of ours handed on checks the wrong address. */
static void spf_that_is_checked_behind_another_hop_fails_for_all(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m"), bounce = bounce_to(2, 11, VICTIM, "m");

	cause.src = "203.0.113.40";
	cause.helo = "mail.victim.invalid";
	bounce.authserv = "mx2.campus.example";
	bounce.spf = "fail";
	bounce.dkim = "none";
	bounce.dmarc = "fail";
	bounce.returned_from = VICTIM;
	add_server_session(w, MX1, "mx1.campus.example");
	add_server_session(w, MX2, "mx2.campus.example");
	judge_pair(w, cause, bounce);
	assert_answer("likely", "SELECT misdirected FROM finding");
	run_sql(w->facts, "UPDATE returned SET authserv = 'mx1.campus.example'");
	analyze(w, true);
	assert_answer("unknown", "SELECT misdirected FROM finding");
	run_sql(w->facts, "UPDATE returned SET authserv = 'mx2.campus.example'");
	configure(w, "own", NULL, "upstreams", "203.0.113.40");
	analyze(w, true);
	assert_answer("unknown", "SELECT misdirected FROM finding");
	run_sql(w->facts, "UPDATE returned SET spf = 'pass'");
	analyze(w, true);
	assert_answer("no", "SELECT misdirected FROM finding");
}

static void a_phished_account_and_an_infected_pc_write_in_many_names(void **state)
{
	struct world *w = *state;
	struct fake phished = written_out(1, 10, BOT, VICTIM, "m"), other = written_out(3, 12, BOT, "b@two.invalid", "m3");

	phished.auth = other.auth = 1;
	add(w, other);
	add(w, written_out(4, 20, "192.0.2.102", "c@three.invalid", "m4"));
	add(w, written_out(5, 21, "192.0.2.102", "d@four.invalid", "m5"));
	add(w, bounce_to(6, 22, "c@three.invalid", "m4"));
	judge_pair(w, phished, bounce_to(2, 11, VICTIM, "m"));
	assert_answer("likely no", "SELECT misdirected || ' ' || exposure FROM finding WHERE recipient = %Q", VICTIM);
	assert_answer("likely no 192.0.2.102", "SELECT misdirected || ' ' || exposure || ' ' || origin_ip FROM finding WHERE recipient = 'c@three.invalid'");
}

static void a_user_with_another_address_of_his_is_not_accused(void **state)
{
	struct world *w = *state;
	struct fake mail = written_out(1, 10, BOT, VICTIM, "m");

	mail.auth = 1;
	judge_pair(w, mail, bounce_to(2, 11, VICTIM, "m"));
	assert_answer("unknown no", "SELECT misdirected || ' ' || exposure FROM finding");
}

static void one_sender_from_many_lines_is_forged(void **state)
{
	static const char *const lines[] = { "198.18.20.7", "198.18.30.7", "198.18.40.7" };
	struct world *w = *state;

	for (int i = 0; i < 3; i++) {
		struct fake f = spam_to(10 + i, 5 + i, VICTIM, USER, NULL);

		f.src = lines[i];
		add(w, f);
	}
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce_to(2, 11, VICTIM, "m"));
	assert_true(fired(w, "sender-many-origins"));
	assert_answer("yes", "SELECT misdirected FROM finding");
}

static void who_may_have_logged_in_elsewhere_may_sit_anywhere(void **state)
{
	static const char *const lines[] = { "198.18.20.7", "198.18.30.7" };
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		struct fake f = spam_to(10 + i, 5 + i, VICTIM, USER, NULL);

		f.src = lines[i];
		add(w, f);
	}
	run_sql(w->facts, "UPDATE transactions SET auth = NULL WHERE id = 2");
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce_to(2, 11, VICTIM, "m"));
	assert_false(fired(w, "sender-many-origins"));
}

/* Who forwards hides where the mail came from, and breaks SPF. */
static void one_letter_by_way_of_many_forwarders_has_one_author(void **state)
{
	static const char *const forwarders[] = { "out.alumni.invalid", "mx.club.invalid", "relay.union.invalid" },
		*const addresses[] = { "198.18.20.7", "198.18.30.7", "198.18.40.7" };
	struct world *w = *state;
	struct fake bounce = bounce_to(2, 11, VICTIM, "letter");

	bounce.authserv = "mx2.campus.example";
	bounce.spf = "fail";
	bounce.dkim = "none";
	for (int i = 0; i < 3; i++) {
		struct fake f = spam_to(10 + i, 8 + i, VICTIM, USER, "letter");

		f.src = addresses[i];
		f.helo = forwarders[i];
		add(w, f);
	}
	add(w, bounce);
	analyze(w, false);
	assert_false(fired(w, "sender-many-origins"));
	assert_answer("likely", "SELECT misdirected FROM finding");
	run_sql(w->facts, "UPDATE messages SET message_id_hash = message_id_hash + 7 * transaction_rowid WHERE transaction_rowid < 3");
	analyze(w, true);
	assert_true(fired(w, "sender-many-origins"));
}

static void an_answer_to_our_letter_acquits_its_network(void **state)
{
	struct world *w = *state;
	struct fake letter = spam_to(1, 5, USER, VICTIM, "letter@campus"), reply = spam_to(2, 6, VICTIM, USER, "reply@line"), late = spam_to(3, 10, VICTIM, USER, "m");

	letter.src = MX2;
	letter.dest = VICTIM_MX;
	reply.in_reply_to = "letter@campus";
	late.src = "198.18.10.9";
	add(w, reply);
	judge_pair(w, late, bounce_to(4, 11, VICTIM, "m"));
	assert_answer("likely", "SELECT misdirected FROM finding");
	add(w, letter);
	analyze(w, false);
	assert_true(fired(w, "correspondent"));
	assert_answer("no", "SELECT misdirected FROM finding");
}

/* tests/geo-database: the victim's server and 198.19.66.0/24 are of one network, the other lines of another one. */
static void know_networks(struct world *w, bool known)
{
	char folder[80], command[200];

	snprintf(folder, sizeof folder, "%s.geo", w->dir);
	snprintf(command, sizeof command, known ? "mkdir %s && tests/geo-database %s" : "rm -r %s", folder, folder);
	assert_int_equal(system(command), 0);
	configure(w, "report", NULL, "geoip", known ? folder : "none");
}

/* Services that send in a customer's name by servers of their own sign in his name, too. */
static void a_signature_of_his_domain_speaks_for_him_until_a_check_fails(void **state)
{
	static const struct { const char *domains, *authserv, *dkim, *verdict; } cases[] = {
		{ "mailer.invalid victim.invalid", NULL, NULL, "unknown" }, { "mailer.invalid", NULL, NULL, "likely" },
		{ "victim.invalid", "mx.attacker.invalid", "fail", "unknown" }, { "victim.invalid", "mx2.campus.example", "fail", "likely" },
		{ "victim.invalid", "mx2.campus.example", "pass", "no" }, { "victim.invalid", "mx2.campus.example", NULL, "unknown" },
	};
	struct world *w = *state;

	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce_to(2, 11, VICTIM, "m"));
	run_sql(w->facts, "UPDATE transactions SET helo = 'out7.mailer.invalid' WHERE NOT null_sender");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		run_format(w, "UPDATE returned SET dkim_domains = %Q, authserv = %Q, dkim = %Q", cases[i].domains, cases[i].authserv, cases[i].dkim);
		analyze(w, true);
		assert_answer(cases[i].verdict, "SELECT misdirected FROM finding");
	}
}

static void the_network_of_his_server_is_not_strange_to_him(void **state)
{
	struct world *w = *state;
	struct fake cause = spam_to(1, 10, VICTIM, USER, "m");

	cause.src = "198.19.66.7";
	judge_pair(w, cause, bounce_to(2, 11, VICTIM, "m"));
	assert_true(fired(w, "origin-unrelated"));
	assert_answer("likely", "SELECT misdirected FROM finding");
	know_networks(w, true);
	analyze(w, false);
	assert_answer("0", "SELECT count(*) FROM finding_reason");
	assert_answer("unknown", "SELECT misdirected FROM finding");
	know_networks(w, false);
	analyze(w, false);
	assert_answer("likely", "SELECT misdirected FROM finding");
}

static void another_network_speaks_against_nobody(void **state)
{
	struct world *w = *state;
	struct fake related = spam_to(3, 20, "b@victim.invalid", USER, "m2");

	related.helo = "out7.victim.invalid";
	know_networks(w, true);
	add(w, related);
	add(w, bounce_to(4, 21, "b@victim.invalid", "m2"));
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce_to(2, 11, VICTIM, "m"));
	assert_answer("likely", "SELECT misdirected FROM finding WHERE recipient = %Q", VICTIM);
	assert_answer("unknown", "SELECT misdirected FROM finding WHERE recipient = 'b@victim.invalid'");
	know_networks(w, false);
}

static void one_line_with_many_addresses_is_one_place(void **state)
{
	static const char *const lines[] = { "198.18.20.7", "198.18.30.7", "198.18.40.7" };
	struct world *w = *state;

	for (int i = 0; i < 3; i++) {
		struct fake f = spam_to(10 + i, 5 + i, VICTIM, USER, NULL);

		f.src = lines[i];
		add(w, f);
	}
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce_to(2, 11, VICTIM, "m"));
	assert_answer("yes", "SELECT misdirected FROM finding");
	know_networks(w, true);
	analyze(w, false);
	assert_false(fired(w, "sender-many-origins"));
	assert_answer("likely", "SELECT misdirected FROM finding");
	know_networks(w, false);
}

static void a_trusted_sender_writes_in_others_names(void **state)
{
	struct world *w = *state;

	add(w, spam_to(3, 5, "a@one.invalid", USER, "x1"));
	add(w, spam_to(4, 6, "b@two.invalid", USER, "x2"));
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce_to(2, 11, VICTIM, "m"));
	assert_answer("yes can-backscatter", "SELECT misdirected || ' ' || exposure FROM finding");
	configure(w, "own", NULL, "trusted-senders", BOT);
	analyze(w, false);
	assert_true(fired(w, "trusted-sender"));
	assert_answer("no unknown", "SELECT misdirected || ' ' || exposure FROM finding");
}

static void relaying_for_a_trusted_sender_is_no_exposure(void **state)
{
	struct world *w = *state;

	configure(w, "own", NULL, "trusted-senders", BOT);
	judge_pair(w, written_out(1, 10, BOT, VICTIM, "m"), bounce_to(2, 11, VICTIM, "m"));
	assert_answer("no no", "SELECT misdirected || ' ' || exposure FROM finding");
}

static void a_trusted_server_of_ours_stands_for_what_is_written_on_it(void **state)
{
	struct world *w = *state;
	struct fake form = spam_to(1, 10, VICTIM, USER, "m");

	form.src = MX1;
	add_server_session(w, MX1, "www.campus.example");
	judge_pair(w, form, bounce_to(2, 11, VICTIM, "m"));
	assert_answer("unknown", "SELECT misdirected FROM finding");
	configure(w, "own", NULL, "trusted-senders", MX1);
	analyze(w, false);
	assert_answer("no " MX1, "SELECT misdirected || ' ' || origin_ip FROM finding");
}

static void a_trusted_sender_elsewhere_is_no_strange_place(void **state)
{
	static const char *const lines[] = { "198.18.20.7", "198.18.30.7" };
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		struct fake f = spam_to(10 + i, 5 + i, VICTIM, USER, NULL);

		f.src = lines[i];
		add(w, f);
	}
	judge_pair(w, spam_to(1, 10, VICTIM, USER, "m"), bounce_to(2, 11, VICTIM, "m"));
	assert_true(fired(w, "sender-many-origins"));
	configure(w, "own", NULL, "trusted-senders", lines[0]);
	analyze(w, false);
	assert_false(fired(w, "sender-many-origins"));
}

/* One session from outside in each of these hours. */
static void take_mail_each_hour(struct world *w, int from, int until)
{
	run_sql(w->facts, "BEGIN");
	for (int hour = from; hour < until; hour++)
		add_session_of(w, 100000 + hour, 3600.0 * hour + 1, "198.18.99.9", MX2, "mx2.campus.example");
	run_sql(w->facts, "COMMIT");
}

/* Bounces in the 169th hour, one a minute, each for another mail; or all for the same. */
static void bounce_unseen_mail(struct world *w, int n, bool same)
{
	for (int i = 0; i < n; i++) {
		char original[] = "original.0", own[] = "bounce.0@mx2.campus.example";
		struct fake bounce = bounce_to(10 + i, 3600 * 168 + 60 * i, VICTIM, original);

		original[9] = (char)(same ? '0' : '0' + i);
		own[7] = (char)('0' + i);
		bounce.message_id = own;
		add(w, bounce);
	}
}

static const char verdicts_by_time[] = "SELECT group_concat(misdirected, ' ') FROM (SELECT misdirected FROM finding ORDER BY first_us)";

static void bounces_for_mail_that_would_have_been_seen_are_suspect(void **state)
{
	struct world *w = *state;

	take_mail_each_hour(w, 0, 168);
	bounce_unseen_mail(w, 6, false);
	analyze(w, false);
	assert_answer("unknown unknown unknown unknown likely likely", verdicts_by_time);
	assert_answer("2", "SELECT count(*) FROM finding_reason WHERE rule = 'unseen-mail'");
}

static void bounces_of_one_mail_are_no_crowd(void **state)
{
	struct world *w = *state;

	take_mail_each_hour(w, 0, 168);
	bounce_unseen_mail(w, 6, true);
	analyze(w, false);
	assert_false(fired(w, "unseen-mail"));
}

static void mail_of_his_that_comes_late_explains_the_bounces(void **state)
{
	struct world *w = *state;

	take_mail_each_hour(w, 0, 168);
	bounce_unseen_mail(w, 6, false);
	analyze(w, false);
	assert_true(fired(w, "unseen-mail"));
	struct fake letter = spam_to(1, 3600 * 30, VICTIM, USER, "letter");
	letter.src = VICTIM_MX;
	add(w, letter);
	analyze(w, false);
	assert_false(fired(w, "unseen-mail"));
}

/* Written by a program on the server itself, or handed on by another one of ours that nobody sees taking mail. */
static void mail_that_began_inside_was_not_to_be_seen(void **state)
{
	static const struct { const char *lines; bool fires; } cases[] = {
		{ "[[\"mail.victim.invalid\",\"203.0.113.77\",\"mx2.campus.example\",\"ESMTP\",\"A\"]]", true },
		{ "[[null,null,\"mx2.campus.example\",\"local\",\"A\"]]", false },
		{ "[[\"mx1.campus.example\",\"" MX1 "\",\"mx2.campus.example\",\"ESMTP\",\"B\"],"
		  "[\"mail.victim.invalid\",\"203.0.113.77\",\"mx1.campus.example\",\"ESMTPS\",\"A\"]]", false },
	};
	struct world *w = *state;

	take_mail_each_hour(w, 0, 168);
	bounce_unseen_mail(w, 5, false);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		set_lines(w, "returned", cases[i].lines);
		analyze(w, true);
		if (fired(w, "unseen-mail") != cases[i].fires)
			fail_msg("%s", cases[i].lines);
	}
}

static void the_capture_must_have_seen_a_week(void **state)
{
	struct world *w = *state;

	bounce_unseen_mail(w, 5, false);
	analyze(w, false);
	assert_false(fired(w, "unseen-mail"));
	take_mail_each_hour(w, 35, 168);
	analyze(w, false);
	assert_false(fired(w, "unseen-mail"));
	take_mail_each_hour(w, 30, 35);
	analyze(w, false);
	assert_true(fired(w, "unseen-mail"));
	analyze(w, true);
	assert_true(fired(w, "unseen-mail"));
}

static void what_is_hidden_may_have_been_his(void **state)
{
	struct world *w = *state;

	take_mail_each_hour(w, 0, 168);
	bounce_unseen_mail(w, 5, false);
	analyze(w, false);
	assert_true(fired(w, "unseen-mail"));
	for (int i = 0; i < 9; i++)
		add_session_of(w, 200000 + i, 3600.0 * (10 + i) + 2, "198.18.99.9", MX2, "mx2.campus.example");
	run_sql(w->facts, "UPDATE sessions SET tls = 'starttls', outcome = 'encrypted' WHERE id > (SELECT max(id) - 9 FROM sessions)");
	analyze(w, false);
	assert_false(fired(w, "unseen-mail"));
	for (int i = 0; i < 12; i++)	/* hidden is less than one in twenty */
		add_session_of(w, 300000 + i, 3600.0 * (10 + i) + 3, "198.18.99.9", MX2, "mx2.campus.example");
	analyze(w, false);
	assert_true(fired(w, "unseen-mail"));
}

static void another_server_s_mail_may_not_be_seen(void **state)
{
	struct world *w = *state;

	run_sql(w->facts, "BEGIN");
	for (int hour = 0; hour < 168; hour++)
		add_session_of(w, 100000 + hour, 3600.0 * hour + 1, "198.18.99.9", MX1, "mx1.campus.example");
	run_sql(w->facts, "COMMIT");
	bounce_unseen_mail(w, 5, false);
	analyze(w, false);
	assert_false(fired(w, "unseen-mail"));
}

static void who_signs_elsewhere_did_not_sign_this(void **state)
{
	struct world *w = *state;
	struct fake genuine = spam_to(1, 5, "prvs=1234abcdef=" VICTIM, USER, "signed");

	genuine.src = VICTIM_MX;
	genuine.inner = VICTIM;
	add(w, genuine);
	judge_pair(w, spam_to(2, 10, VICTIM, USER, "m"), bounce_to(3, 11, VICTIM, "m"));
	assert_true(fired(w, "unsigned-sender"));
}

static void names_tell_what_kind_of_host_it_is(void **state)
{
	static const struct { const char *name; bool line, private; } cases[] = {
		{ "dsl-198-18-10-7.access.invalid", true, false }, { "p4FE1.dip0.t-ipconnect.de", true, false }, { "c-24-1-2-3.hsd1.il.comcast.net", true, false },
		{ "ip5f5a.dynamic.kabel-deutschland.de", true, false }, { "pool-71-1-2-3.nycmny.fios.verizon.net", true, false },
		{ "mail.dynamic.example", false, false }, { "mobile.de", false, false }, { "lfbn-1-2-3.w90-1.abo.wanadoo.fr", true, false }, { "static-1-2-3-4.dsl.isp.example", false, false },
		{ "mail-1-2-3-4.cust.hoster.example", false, false }, { "o1.ptr42.sendgrid.net", false, false }, { "a8-55.smtp-out.amazonses.com", false, false },
		{ "out7.hoster.example", false, false }, { "exchange01.firm.local", false, true }, { "[192.0.2.1]", false, false }, { "pool", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct text name = { cases[i].name, (uint32_t)strlen(cases[i].name) };

		if (domain_is_access_line(name) != cases[i].line || domain_host(name).access_line != (cases[i].line && !cases[i].private) || domain_is_private(name) != cases[i].private)
			fail_msg("%s", cases[i].name);
	}
}

static void registrable_parts_follow_the_list_of_public_suffixes(void **state)
{
	static const struct { const char *a, *b; bool related; } cases[] = {
		{ "mail.firm.co.uk", "firm.co.uk", true }, { "a.co.uk", "b.co.uk", false }, { "one.github.io", "two.github.io", false },
		{ "x.city.kawasaki.jp", "city.kawasaki.jp", true }, { "MX.Firm.Example", "firm.example.", true }, { "firm.com.br", "other.com.br", false },
		{ "[192.0.2.1]", "[192.0.2.1]", false }, { "host", "host", false }, { "m\303\234LLER.example", "mx.xn--mller-kva.example", true },
		{ "m\303\274ller.example", "muller.example", false }, { "m\374ller.example", "m\374ller.example", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (domain_is_related((struct text){ cases[i].a, (uint32_t)strlen(cases[i].a) },
				      (struct text){ cases[i].b, (uint32_t)strlen(cases[i].b) }) != cases[i].related)
			fail_msg("%s, %s", cases[i].a, cases[i].b);
	assert_true(domain_list_hash() == domain_list_hash());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_unrelated_origin_is_only_likely),
		TEST(mail_from_the_server_that_takes_the_bounce_is_no),
		TEST(a_related_name_or_a_platform_keeps_silent),
		TEST(who_is_told_of_others_mail_is_no_victim),
		TEST(two_strong_grounds_make_yes),
		TEST(what_rests_on_doubtful_bytes_is_no_proof),
		TEST(who_may_have_logged_in_is_not_proved_a_stranger),
		TEST(mail_submitted_was_written_by_a_user_of_ours),
		TEST(rules_of_one_ground_make_no_yes),
		TEST(only_our_own_authentication_results_count),
		TEST(dmarc_of_another_domain_says_nothing_about_his),
		TEST(a_bounce_that_names_another_mail_does_not_answer_this_one),
		TEST(an_spf_pass_of_ours_acquits),
		TEST(a_strong_rule_against_forbids_yes),
		TEST(a_blocklist_in_the_reply_proves_nothing_about_the_mail),
		TEST(only_his_server_knows_what_he_sent),
		TEST(authenticated_senders_are_no_exposure),
		TEST(without_a_cause_much_is_unknown),
		TEST(an_internationalized_domain_is_one_in_both_forms),
		TEST(a_hoster_may_send_and_receive_by_different_networks),
		TEST(a_banner_that_comes_late_judges_again),
		TEST(the_balancer_and_the_upstream_name_the_origin),
		TEST(an_upstreams_check_is_believed),
		TEST(a_line_of_his_own_server_tells_no_origin),
		TEST(private_addresses_are_no_origin),
		TEST(spf_of_another_envelope_says_nothing_of_the_author),
		TEST(a_host_inside_that_hands_in_strangers_mail_may_be_a_balancer),
		TEST(spf_that_is_checked_behind_another_hop_fails_for_all),
		TEST(a_phished_account_and_an_infected_pc_write_in_many_names),
		TEST(a_user_with_another_address_of_his_is_not_accused),
		TEST(one_sender_from_many_lines_is_forged),
		TEST(who_may_have_logged_in_elsewhere_may_sit_anywhere),
		TEST(one_letter_by_way_of_many_forwarders_has_one_author),
		TEST(an_answer_to_our_letter_acquits_its_network),
		TEST(a_signature_of_his_domain_speaks_for_him_until_a_check_fails),
		TEST(the_network_of_his_server_is_not_strange_to_him),
		TEST(another_network_speaks_against_nobody),
		TEST(one_line_with_many_addresses_is_one_place),
		TEST(a_trusted_sender_writes_in_others_names),
		TEST(relaying_for_a_trusted_sender_is_no_exposure),
		TEST(a_trusted_server_of_ours_stands_for_what_is_written_on_it),
		TEST(a_trusted_sender_elsewhere_is_no_strange_place),
		TEST(bounces_for_mail_that_would_have_been_seen_are_suspect),
		TEST(bounces_of_one_mail_are_no_crowd),
		TEST(mail_of_his_that_comes_late_explains_the_bounces),
		TEST(mail_that_began_inside_was_not_to_be_seen),
		TEST(the_capture_must_have_seen_a_week),
		TEST(what_is_hidden_may_have_been_his),
		TEST(another_server_s_mail_may_not_be_seen),
		TEST(who_signs_elsewhere_did_not_sign_this),
		cmocka_unit_test(every_rule_decides_something),
		cmocka_unit_test(twins_are_not_accused),
		cmocka_unit_test(servers_of_many_domains_are_never_proved_guilty),
		cmocka_unit_test(names_tell_what_kind_of_host_it_is),
		cmocka_unit_test(registrable_parts_follow_the_list_of_public_suffixes),
		cmocka_unit_test(causes_have_classes),
		cmocka_unit_test(doubt_is_unknown),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
