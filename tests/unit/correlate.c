/* Unit tests of analyzer/correlate.c, through the whole analysis of small stores: kinds that other mail tells, causes, attempts, provenance. */
#include "analyzer/correlate.c"

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

static void backscatter_is_told_from_cause_to_root(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, refusal_of(2, 10.1, VICTIM, USER));
	add(w, bounce_to(3, 10.2, VICTIM, "spam@bot"));
	analyze(w, false);
	assert_answer("bounce", "SELECT kind FROM finding");
	assert_answer("message-id", "SELECT cause_matched_by FROM finding");
	assert_answer("1", "SELECT cause_rowid FROM finding");
	assert_answer("2", "SELECT root_rowid FROM finding");
	assert_answer("550", "SELECT root_code FROM finding");
	assert_answer("user-unknown", "SELECT cause_class FROM finding");
	assert_answer("198", "SELECT cause_delay_ms FROM finding");
	assert_answer("generated", "SELECT provenance FROM transaction_verdict WHERE transaction_rowid = 3");
	assert_answer("00000000000000000000000000000003.1:0", "SELECT finding_id FROM finding");
}

/* Sendmail's report of what the target of a forwarding refused names the recipient that it was given. */
static void a_refused_forward_is_the_root_whatever_the_report_calls_its_recipient(void **state)
{
	struct world *w = *state;
	struct fake forward = refusal_of(2, 10.1, VICTIM, "jobs@moved.invalid"), unrelated = refusal_of(4, 11.1, VICTIM, "desk@moved.invalid");

	forward.dest = unrelated.dest = "203.0.113.7";
	add(w, spam_to(1, 10, VICTIM, USER, "a"));
	add(w, forward);
	add(w, spam_to(3, 11, VICTIM, "else@campus.example", "b"));
	add(w, unrelated);		/* of the other mail */
	add(w, bounce_to(5, 11.2, VICTIM, "a"));
	analyze(w, false);
	assert_answer("1 2", "SELECT cause_rowid || ' ' || root_rowid FROM finding");
}

static void a_refused_bounce_is_known_by_the_inner_refusal(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, refusal_of(2, 10.1, VICTIM, USER));
	add(w, null_probe_to(3, 10.2, VICTIM, NULL));
	analyze(w, false);
	assert_answer("bounce", "SELECT kind FROM transaction_verdict WHERE transaction_rowid = 3");
	assert_answer("refused-after-refusal", "SELECT kind_rule FROM transaction_verdict WHERE transaction_rowid = 3");
	assert_answer("envelope", "SELECT cause_matched_by FROM finding");
}

static void a_refused_null_sender_after_accepted_mail_stays_unknown(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, null_probe_to(2, 60, VICTIM, NULL));
	analyze(w, false);
	assert_answer("automated-unknown", "SELECT kind FROM transaction_verdict WHERE transaction_rowid = 2");
	assert_answer("1", "SELECT cause_rowid FROM finding");
}

static void a_refused_null_sender_alone_is_a_callout(void **state)
{
	struct world *w = *state;

	add(w, null_probe_to(1, 60, VICTIM, NULL));
	add(w, null_probe_to(2, 60, "berta@victim.invalid", "SIZE=2000"));
	analyze(w, false);
	assert_answer("callout", "SELECT kind FROM transaction_verdict WHERE transaction_rowid = 1");
	assert_answer("automated-unknown", "SELECT kind FROM transaction_verdict WHERE transaction_rowid = 2");
}

static void a_callout_is_caused_by_the_mail_that_waits(void **state)
{
	struct world *w = *state;
	struct fake inbound = spam_to(1, 9.99, VICTIM, USER, NULL), callout = null_probe_to(2, 10, VICTIM, NULL);

	inbound.code = inbound.rcpt_code = 550;
	inbound.no_data = true;
	callout.outcome = "aborted";
	callout.rcpt_code = 250;
	add(w, inbound);
	add(w, callout);
	callout.session = 3;
	callout.at = 7200;
	add(w, callout);
	analyze(w, false);
	assert_answer("1", "SELECT cause_rowid FROM finding WHERE kind = 'callout'");
	assert_answer("2", "SELECT attempts FROM finding");
	assert_answer("1", "SELECT count(*) FROM finding");
}

static void probing_our_own_hop_is_call_ahead(void **state)
{
	struct world *w = *state;
	struct fake f = null_probe_to(1, 10, USER, NULL);

	f.dest = MX1;
	f.rcpt_code = 250;
	f.outcome = "aborted";
	add(w, f);
	analyze(w, false);
	assert_answer("call-ahead", "SELECT kind FROM transaction_verdict");
	assert_answer("0", "SELECT count(*) FROM finding");
}

static void retries_are_attempts_of_one_finding(void **state)
{
	struct world *w = *state;
	struct fake first = null_probe_to(3, 11, VICTIM, "SIZE=2000"), second = bounce_to(4, 600, VICTIM, "spam@bot");

	first.code = first.rcpt_code = 451;
	second.params = "SIZE=2000";
	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, first);
	add(w, second);
	second.session = 5;
	second.at = 700;
	add(w, second);
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM finding");
	assert_answer("3", "SELECT attempts FROM finding");
	assert_answer("bounce same-mail", "SELECT kind || ' ' || kind_rule FROM transaction_verdict WHERE transaction_rowid = 2");
	assert_answer("00000000000000000000000000000003.1:0", "SELECT finding_id FROM finding");
}

static void two_refused_mails_are_two_findings_with_a_cause_each(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, "a@campus.example", "spam1@bot"));
	add(w, spam_to(2, 11, VICTIM, "b@campus.example", "spam2@bot"));
	add(w, null_probe_to(3, 12, VICTIM, "SIZE=2000"));
	add(w, null_probe_to(4, 13, VICTIM, "SIZE=2000"));
	analyze(w, false);
	assert_answer("2", "SELECT count(*) FROM finding");
	assert_answer("2", "SELECT count(DISTINCT cause_rowid) FROM finding");
}

static void the_queue_id_ties_when_the_message_id_is_missing(void **state)
{
	struct world *w = *state;
	struct fake later = spam_to(2, 10.5, VICTIM, "b@campus.example", "spam2@bot"), bounce = bounce_to(3, 11, VICTIM, NULL);

	later.queue_id = "ZZZ999";
	bounce.returned_queue_id = "ABC123";
	add(w, spam_to(1, 10, VICTIM, USER, "spam1@bot"));
	add(w, later);
	add(w, bounce);
	analyze(w, false);
	assert_answer("queue-id", "SELECT cause_matched_by FROM finding");
	assert_answer("1", "SELECT cause_rowid FROM finding");
}

static void the_reported_recipient_ties_next(void **state)
{
	struct world *w = *state;
	struct fake bounce = bounce_to(3, 11, VICTIM, NULL);

	bounce.final = USER;
	add(w, spam_to(1, 10, VICTIM, USER, "spam1@bot"));
	add(w, spam_to(2, 10.5, VICTIM, "b@campus.example", "spam2@bot"));
	add(w, bounce);
	analyze(w, false);
	assert_answer("recipients", "SELECT cause_matched_by FROM finding");
	assert_answer("1", "SELECT cause_rowid FROM finding");
}

static void an_autoreply_answers_what_it_replies_to(void **state)
{
	struct world *w = *state;
	struct fake mail = spam_to(1, 10, "bounces+7@list.invalid", USER, "mail@x"), reply = bounce_to(2, 12, "anna@victim.invalid", NULL);

	mail.from_header = "anna@victim.invalid";
	reply.from = USER;
	reply.from_header = USER;
	reply.report_type = reply.content_type = NULL;
	reply.auto_submitted = "auto-replied";
	reply.in_reply_to = "mail@x";
	add(w, mail);
	add(w, reply);
	analyze(w, false);
	assert_answer("autoreply in-reply-to 1", "SELECT kind || ' ' || cause_matched_by || ' ' || cause_rowid FROM finding");
}

static void an_autoreply_without_ids_goes_to_the_author(void **state)
{
	struct world *w = *state;
	struct fake mail = spam_to(1, 10, "bounces+7@list.invalid", USER, "mail@x"), reply = bounce_to(2, 12, "anna@victim.invalid", NULL);

	mail.from_header = "anna@victim.invalid";
	reply.from = USER;
	reply.report_type = reply.content_type = NULL;
	reply.auto_submitted = "auto-replied";
	add(w, mail);
	add(w, reply);
	analyze(w, false);
	assert_answer("recipients 1", "SELECT cause_matched_by || ' ' || cause_rowid FROM finding");
}

static void a_forwarded_report_is_no_finding(void **state)
{
	struct world *w = *state;
	struct fake in = bounce_to(1, 10, USER, "own@campus"), out = bounce_to(2, 11, "friend@elsewhere.invalid", "own@campus");

	in.src = VICTIM_MX;
	in.dest = MX1;
	in.reporting_mta = out.reporting_mta = "mx.victim.invalid";
	out.src = MX1;
	add(w, in);
	add(w, out);
	analyze(w, false);
	assert_answer("bounce", "SELECT kind FROM transaction_verdict WHERE transaction_rowid = 2");
	assert_answer("forwarded", "SELECT provenance FROM transaction_verdict WHERE transaction_rowid = 2");
	assert_answer("0", "SELECT count(*) FROM finding");
}

static void a_received_line_from_outside_tells_forwarding_too(void **state)
{
	struct world *w = *state;
	struct fake out = bounce_to(1, 11, "friend@elsewhere.invalid", NULL);

	out.reporting_mta = "mx.victim.invalid";
	out.received_ip = VICTIM_MX;
	add(w, out);
	analyze(w, false);
	assert_answer("forwarded", "SELECT provenance FROM transaction_verdict");
}

static void an_inner_hop_names_the_originator(void **state)
{
	struct world *w = *state;
	struct fake inner = bounce_to(2, 10.2, VICTIM, "spam@bot"), outer = bounce_to(3, 10.3, VICTIM, "spam@bot");

	add_server_session(w, MX1, "mx1.campus.example");
	inner.src = MX1;
	inner.dest = MX2;
	inner.reporting_mta = outer.reporting_mta = "mx1.campus.example";
	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, inner);
	add(w, outer);
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM finding");
	assert_answer("1", "SELECT attempts FROM finding");
	assert_answer(MX2, "SELECT address FROM finding");
	assert_answer(MX1 " wire", "SELECT name || ' ' || originator_how FROM finding JOIN server ON server.id = originator_server_id");
	assert_answer("relayed-own", "SELECT provenance FROM transaction_verdict WHERE transaction_rowid = 3");
}

static void a_reporting_mta_of_ours_names_a_hidden_originator(void **state)
{
	struct world *w = *state;
	struct fake outer = bounce_to(1, 10.3, VICTIM, "spam@bot");

	add_server_session(w, MX1, "mx1.campus.example");
	outer.reporting_mta = "mx1.campus.example";
	add(w, outer);
	analyze(w, false);
	assert_answer(MX1 " reporting-mta", "SELECT name || ' ' || originator_how FROM finding JOIN server ON server.id = originator_server_id");
}

static void what_goes_to_our_own_domains_is_no_finding(void **state)
{
	struct world *w = *state;

	add(w, bounce_to(1, 10, USER, NULL));
	analyze(w, false);
	assert_answer("bounce", "SELECT kind FROM transaction_verdict");
	assert_answer("0", "SELECT count(*) FROM finding");
}

/* Handed on inside, and never seen on its way out. */
static void mail_to_a_name_below_our_domain_stays_inside(void **state)
{
	struct world *w = *state;
	struct fake inside = bounce_to(1, 10, "user@cs.campus.example", "m"), outside = bounce_to(2, 20, "user@cs.campus.invalid", "m2");

	inside.dest = outside.dest = MX1;
	outside.message_id = "bounce.2@mx2.campus.example";
	add(w, inside);
	add(w, outside);
	analyze(w, false);
	assert_answer("user@cs.campus.invalid", "SELECT group_concat(recipient) FROM finding");
}

/* Whoever names its Message-ID has taken it. */
static void a_mail_whose_last_reply_was_lost_is_a_cause_when_it_is_named(void **state)
{
	struct world *w = *state;
	struct fake lost = spam_to(1, 10, VICTIM, USER, "m"), again = spam_to(3, 12, VICTIM, USER, "m");

	lost.outcome = "unknown";
	add(w, lost);
	add(w, bounce_to(2, 13, VICTIM, "m"));
	analyze(w, false);
	assert_answer("1 message-id", "SELECT cause_rowid || ' ' || cause_matched_by FROM finding");
	add(w, again);
	analyze(w, false);
	assert_answer("3 message-id", "SELECT cause_rowid || ' ' || cause_matched_by FROM finding");
	run_sql(w->facts, "UPDATE transactions SET outcome = 'unknown' WHERE NOT null_sender; UPDATE returned SET message_id_hash = NULL");
	analyze(w, true);
	assert_answer("", "SELECT cause_rowid FROM finding");
}

static void a_cause_is_never_younger_than_its_answer(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "spam1@bot"));
	add(w, spam_to(2, 12, VICTIM, USER, "spam2@bot"));
	add(w, null_probe_to(3, 11, VICTIM, "SIZE=2000"));
	analyze(w, false);
	assert_answer("1", "SELECT cause_rowid FROM finding");
}

static void a_refused_mail_is_the_root_not_the_rcpt_behind_it(void **state)
{
	struct world *w = *state;
	struct fake hop = refusal_of(2, 10.1, VICTIM, USER);

	hop.mail_code = hop.code = 553;
	hop.reply = "sender blocked";
	hop.rcpt_code = 503;
	hop.rcpt_reply = "bad sequence";
	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, hop);
	add(w, bounce_to(3, 10.2, VICTIM, "spam@bot"));
	analyze(w, false);
	assert_answer("553 sender blocked", "SELECT root_code || ' ' || root_reply FROM finding");
}

static void one_recipient_refused_by_lmtp_is_the_root(void **state)
{
	struct world *w = *state;
	struct fake hop = refusal_of(2, 10.1, VICTIM, USER);

	hop.outcome = "accepted";
	hop.code = 250;
	hop.rcpt_code = 552;
	hop.rcpt_reply = "mailbox full";
	hop.no_data = false;
	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, hop);
	add(w, bounce_to(3, 10.2, VICTIM, "spam@bot"));
	analyze(w, false);
	assert_answer("552 mailbox-full", "SELECT root_code || ' ' || cause_class FROM finding");
}

static void mail_from_a_client_inside_is_a_cause(void **state)
{
	struct world *w = *state;
	struct fake mail = spam_to(1, 10, VICTIM, "c@harbour.invalid", "spam@pc"), hop = refusal_of(2, 10.1, VICTIM, "c@harbour.invalid");

	mail.src = "192.0.2.102";
	hop.dest = "203.0.113.25";
	add(w, mail);
	add(w, hop);
	add(w, bounce_to(3, 10.2, VICTIM, "spam@pc"));
	analyze(w, false);
	assert_answer("1 message-id 2", "SELECT cause_rowid || ' ' || cause_matched_by || ' ' || root_rowid FROM finding");
}

static void what_came_from_outside_is_the_cause_before_its_inner_hop(void **state)
{
	struct world *w = *state;
	struct fake inner = spam_to(2, 10.1, VICTIM, USER, "spam@bot");

	inner.src = MX2;
	inner.dest = MX1;
	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, inner);
	add(w, bounce_to(3, 10.2, VICTIM, "spam@bot"));
	analyze(w, false);
	assert_answer("1", "SELECT cause_rowid FROM finding");
}

static void the_sender_inside_srs_ties_a_refused_forward(void **state)
{
	struct world *w = *state;
	struct fake forward = refusal_of(2, 10.1, "SRS0=HH=TT=victim.invalid=anna@campus.example", "bert@bakery.invalid");
	struct fake bounce = bounce_to(3, 10.2, VICTIM, "spam@bot");

	forward.inner = VICTIM;
	forward.dest = "203.0.113.25";
	bounce.final = "bert@bakery.invalid";
	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, forward);
	add(w, bounce);
	analyze(w, false);
	assert_answer("forwarded", "SELECT provenance FROM transaction_verdict WHERE transaction_rowid = 2");
	assert_answer("2", "SELECT root_rowid FROM finding");
}

static void a_forward_refused_before_data_is_told_by_sender_and_size(void **state)
{
	struct world *w = *state;
	struct fake forward = refusal_of(2, 10.1, VICTIM, "bert@bakery.invalid"), other = forward;

	forward.dest = other.dest = "203.0.113.25";
	forward.params = "SIZE=1400";
	other.session = 3;
	other.params = "SIZE=90000";
	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, forward);
	add(w, other);
	analyze(w, false);
	assert_answer("forwarded", "SELECT provenance FROM transaction_verdict WHERE transaction_rowid = 2");
	assert_answer("unknown", "SELECT provenance FROM transaction_verdict WHERE transaction_rowid = 3");
}

static struct fake notice_from_outside(int session, double at)
{
	struct fake f = bounce_to(session, at, USER, NULL);

	f.src = VICTIM_MX;
	f.dest = MX2;
	f.message_id = "notice@elsewhere";
	f.reporting_mta = "mx.elsewhere.invalid";
	return f;
}

static void a_notice_passed_on_and_refused_is_no_finding(void **state)
{
	struct world *w = *state;

	add(w, notice_from_outside(1, 10));
	add(w, null_probe_to(2, 10.1, "bert@bakery.invalid", "SIZE=1300"));
	analyze(w, false);
	assert_answer("forwarded", "SELECT provenance FROM transaction_verdict WHERE transaction_rowid = 2");
	assert_answer("0", "SELECT count(*) FROM finding");
}

static void a_notice_of_another_size_or_later_is_not_taken_for_passed_on(void **state)
{
	struct world *w = *state;

	add(w, notice_from_outside(1, 10));
	add(w, null_probe_to(2, 10.1, "bert@bakery.invalid", "SIZE=2900"));
	add(w, null_probe_to(3, 60, "cleo@bakery.invalid", "SIZE=1300"));
	analyze(w, false);
	assert_answer("2", "SELECT count(*) FROM finding");
}

static void who_wrote_to_us_is_answered_not_passed_on(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 9, VICTIM, USER, "spam@bot"));
	add(w, notice_from_outside(2, 10));
	add(w, null_probe_to(3, 10.1, VICTIM, "SIZE=1300"));
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM finding");
}

static void what_a_smarthost_could_not_deliver_is_the_mail_it_was_handed(void **state)
{
	struct world *w = *state;
	struct fake inner = bounce_to(2, 10.2, VICTIM, "spam@bot"), outer = null_probe_to(3, 10.3, VICTIM, "SIZE=1300");

	add_server_session(w, MX1, "mx1.campus.example");
	inner.src = MX1;
	inner.dest = MX2;
	inner.reporting_mta = "mx1.campus.example";
	add(w, spam_to(1, 10, VICTIM, USER, "spam@bot"));
	add(w, inner);
	add(w, outer);
	analyze(w, false);
	assert_answer("1", "SELECT count(*) FROM finding");
	assert_answer("relayed-own", "SELECT provenance FROM transaction_verdict WHERE transaction_rowid = 3");
	assert_answer(MX2 " " MX1, "SELECT f.address || ' ' || s.name FROM finding f JOIN server s ON s.id = f.originator_server_id");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

/* A mail in a user's name without any mark: subject "out of office", text "I am out of the office". */
static struct fake absence_to(int session, double at, const char *to)
{
	return (struct fake){ .session = session, .at = at, .src = MX2, .dest = VICTIM_MX, .helo = "mx2.campus.example", .from = USER, .to = { to },
		.message_id = "absence.1@mx2.campus.example", .from_header = USER, .phrases = "70 720", .reply = "Ok" };
}

static struct fake refused_to(int session, double at, const char *to)
{
	return (struct fake){ .session = session, .at = at, .src = MX2, .dest = VICTIM_MX, .helo = "mx2.campus.example", .from = USER, .to = { to },
		.rcpt_code = 550, .code = 550, .enhanced = "5.1.1", .rcpt_reply = "User unknown", .no_data = true };
}

#define RULE_OF(rowid) "SELECT kind || ' ' || kind_rule FROM transaction_verdict WHERE transaction_rowid = " #rowid

static void an_absence_said_at_once_to_who_wrote_is_an_autoreply(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, absence_to(2, 12, VICTIM));
	analyze(w, false);
	assert_answer("autoreply answers-at-once", RULE_OF(2));
	assert_answer("autoreply other envelope", "SELECT kind || ' ' || sender || ' ' || cause_matched_by FROM finding");
}

static void an_absence_told_to_others_is_ordinary(void **state)
{
	struct world *w = *state;

	add(w, absence_to(1, 5, VICTIM));				/* before he wrote */
	add(w, spam_to(2, 10, VICTIM, USER, "m"));
	add(w, spam_to(3, 11, "b@other.invalid", "else@campus.example", "n"));
	add(w, absence_to(4, 12, "b@other.invalid"));			/* who wrote to somebody else */
	add(w, absence_to(5, 10 + 700, VICTIM));			/* much later */
	analyze(w, false);
	assert_answer("ordinary absence-alone", RULE_OF(1));
	assert_answer("ordinary absence-alone", RULE_OF(4));
	assert_answer("ordinary absence-alone", RULE_OF(5));
	assert_answer("0", "SELECT count(*) FROM finding");
}

static void what_a_person_handed_in_is_ordinary(void **state)
{
	struct world *w = *state;
	struct fake submitted = absence_to(2, 12, VICTIM);

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	submitted.src = "192.0.2.77";
	submitted.dest = MX2;
	submitted.auth = 1;
	add(w, submitted);
	add(w, absence_to(3, 12.5, VICTIM));
	analyze(w, false);
	assert_answer("ordinary absence-alone", RULE_OF(3));
}

static void an_answer_without_data_is_what_others_of_its_sender_are(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, "b@other.invalid", USER, "m"));
	add(w, absence_to(2, 12, "b@other.invalid"));
	add(w, spam_to(3, 100, VICTIM, USER, "n"));
	add(w, refused_to(4, 101, VICTIM));
	add(w, spam_to(5, 200, "c@other.invalid", "else@campus.example", "o"));
	add(w, refused_to(6, 201, "c@other.invalid"));		/* who did not write to him */
	analyze(w, false);
	assert_answer("autoreply same-sender", RULE_OF(4));
	assert_answer("ordinary refused-person", RULE_OF(6));
	assert_answer("2", "SELECT count(*) FROM finding");
}

static struct fake asked_as(int session, double at, const char *sender)
{
	return (struct fake){ .session = session, .at = at, .src = MX2, .dest = VICTIM_MX, .helo = "mx2.campus.example", .from = sender, .to = { VICTIM },
		.no_data = true, .outcome = "aborted", .steps = "c MAIL 0\ns 250 1\nc RCPT 2\ns 250 3\nc QUIT 4\n" };
}

static void asking_about_who_waits_is_a_callout_whoever_asks(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	run_sql(w->facts, "UPDATE transactions SET ended_us = started_us + 5000000, reply_us = started_us + 5000000");
	add(w, asked_as(2, 11, "verify@campus.example"));
	analyze(w, false);
	assert_answer("callout probe-concurrent", RULE_OF(2));
}

/* Postfix with address_verify_sender = verify@campus.example; Exim with mailfrom= and header_sender. */
static void asking_has_a_size_or_is_about_the_header(void **state)
{
	struct world *w = *state;
	struct fake spam = spam_to(1, 10, "bulk@other.invalid", USER, "m"), sized = asked_as(2, 11, "verify@campus.example");

	spam.from_header = VICTIM;
	add(w, spam);
	run_sql(w->facts, "UPDATE transactions SET ended_us = started_us + 5000000, reply_us = started_us + 5000000");
	sized.params = "SIZE=236";
	add(w, sized);
	analyze(w, false);
	assert_answer("callout probe-concurrent", RULE_OF(2));
	assert_answer("1", "SELECT cause_rowid FROM finding");
}

/* verify = header_sender/callout: the mail has another envelope, and is refused when the answer is no. */
static void asking_about_the_header_is_caused_by_the_mail_that_waits(void **state)
{
	struct world *w = *state;
	struct fake spam = spam_to(1, 10, "bulk@other.invalid", USER, "m"), asked = null_probe_to(2, 10.001, VICTIM, NULL);

	spam.from_header = VICTIM;
	spam.code = 550;
	add(w, spam);
	add(w, asked);
	spam.session = 3;
	spam.at = 100;
	spam.message_id = "n";
	spam.from_header = asked.to[0] = "b@other.invalid";
	add(w, spam);
	asked.session = 4;
	asked.at = 120;		/* nothing waits then */
	add(w, asked);
	analyze(w, false);
	assert_answer("callout 1", "SELECT kind || ' ' || cause_rowid FROM finding WHERE id / 100 = 2");
	assert_answer("1", "SELECT cause_rowid IS NULL FROM finding WHERE id / 100 = 4");
}

#define MADE_UP "mx2.campus.example-1795368601-testing@victim.invalid"

/* callout=random,postmaster. */
static void asking_about_a_domain_is_caused_by_the_mail_of_it_that_waits(void **state)
{
	struct world *w = *state;

	add(w, null_probe_to(1, 10.001, MADE_UP, NULL));
	add(w, null_probe_to(2, 10.002, "postmaster@victim.invalid", NULL));
	analyze(w, false);
	assert_answer("2", "SELECT count(*) FROM finding WHERE kind = 'callout' AND cause_rowid IS NULL");
	add(w, spam_to(3, 9, "other@elsewhere.invalid", USER, "l"));
	add(w, spam_to(6, 10.0005, "anton@victim.invalid", USER, "k"));	/* ends after the one that comes next */
	analyze(w, false);
	add(w, spam_to(4, 10, VICTIM, USER, "m"));		/* it ends after they were asked */
	add(w, spam_to(5, 10.5, VICTIM, USER, "n"));
	analyze(w, false);
	assert_answer("2", "SELECT count(*) FROM finding WHERE kind = 'callout' AND cause_rowid = 5 AND misdirected = 'likely'");
}

/* A tap may hand on the packets of one direction some milliseconds late. */
static void asking_about_a_domain_may_be_seen_after_the_mail_that_waited(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 9.8, "anton@victim.invalid", USER, "k"));
	add(w, spam_to(2, 10, VICTIM, USER, "m"));
	run_sql(w->facts, "UPDATE transactions SET ended_us = started_us + 1000, reply_us = started_us + 1000");
	add(w, null_probe_to(3, 10.003, MADE_UP, NULL));
	analyze(w, false);
	assert_answer("callout 2", "SELECT kind || ' ' || cause_rowid FROM finding");
	add(w, spam_to(4, 10.002, "berta@victim.invalid", USER, "n"));	/* open when it was asked */
	analyze(w, false);
	assert_answer("callout 4", "SELECT kind || ' ' || cause_rowid FROM finding");
}

static void leaving_after_rcpt_at_another_time_is_ordinary(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, asked_as(2, 30, "verify@campus.example"));
	analyze(w, false);
	assert_answer("ordinary probe-person", RULE_OF(2));
}

static void a_refused_mail_of_a_person_is_ordinary(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, refused_to(2, 11, VICTIM));
	analyze(w, false);
	assert_answer("ordinary refused-person", RULE_OF(2));
}

static void what_a_sender_answers_later_tells_of_what_was_refused(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, USER, "m"));
	add(w, refused_to(2, 11, VICTIM));
	analyze(w, false);
	assert_answer("ordinary refused-person", RULE_OF(2));
	add(w, spam_to(3, 100, "b@other.invalid", USER, "n"));
	add(w, absence_to(4, 102, "b@other.invalid"));
	analyze(w, false);
	assert_answer("autoreply same-sender", RULE_OF(2));
	assert_answer("2", "SELECT count(*) FROM finding");
}

#define CONFIRMS "club+bounces-confsub-0badcafe-victim=innocent.example"

static struct fake refused_by_list(int session, double at, const char *from)
{
	struct fake f = refused_to(session, at, VICTIM);

	f.from = from;
	f.params = "SIZE=1000";
	return f;
}

static void what_a_list_of_ours_asks_a_forged_subscriber_is_a_notice(void **state)
{
	struct world *w = *state;

	add(w, spam_to(1, 10, VICTIM, "club+subscribe@campus.example", "m"));
	add(w, refused_by_list(2, 11, CONFIRMS "@campus.example"));
	analyze(w, false);
	assert_answer("list-notice list-robot", RULE_OF(2));
	assert_answer("list-notice envelope", "SELECT kind || ' ' || cause_matched_by FROM finding");
}

static void posts_of_a_list_and_what_others_lists_ask_are_ordinary(void **state)
{
	struct world *w = *state;

	add(w, refused_by_list(1, 5, CONFIRMS "@campus.example"));		/* asked for on a web page */
	add(w, spam_to(2, 10, VICTIM, "club@campus.example", "m"));
	add(w, refused_by_list(3, 11, "club+bounces-2-victim=innocent.example@campus.example"));	/* his own post comes back to him */
	add(w, refused_by_list(4, 12, CONFIRMS "@elsewhere.example"));		/* passed on */
	analyze(w, false);
	assert_answer("ordinary list-robot", RULE_OF(1));
	assert_answer("ordinary", "SELECT kind FROM transaction_verdict WHERE transaction_rowid = 3");
	assert_answer("ordinary list-robot", RULE_OF(4));
	assert_answer("0", "SELECT count(*) FROM finding");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_absence_said_at_once_to_who_wrote_is_an_autoreply),
		TEST(an_absence_told_to_others_is_ordinary),
		TEST(what_a_person_handed_in_is_ordinary),
		TEST(an_answer_without_data_is_what_others_of_its_sender_are),
		TEST(asking_about_who_waits_is_a_callout_whoever_asks),
		TEST(asking_has_a_size_or_is_about_the_header),
		TEST(asking_about_the_header_is_caused_by_the_mail_that_waits),
		TEST(asking_about_a_domain_is_caused_by_the_mail_of_it_that_waits),
		TEST(asking_about_a_domain_may_be_seen_after_the_mail_that_waited),
		TEST(leaving_after_rcpt_at_another_time_is_ordinary),
		TEST(a_refused_mail_of_a_person_is_ordinary),
		TEST(what_a_list_of_ours_asks_a_forged_subscriber_is_a_notice),
		TEST(posts_of_a_list_and_what_others_lists_ask_are_ordinary),
		TEST(what_a_sender_answers_later_tells_of_what_was_refused),
		TEST(backscatter_is_told_from_cause_to_root),
		TEST(a_refused_forward_is_the_root_whatever_the_report_calls_its_recipient),
		TEST(a_refused_bounce_is_known_by_the_inner_refusal),
		TEST(a_refused_null_sender_after_accepted_mail_stays_unknown),
		TEST(a_refused_null_sender_alone_is_a_callout),
		TEST(a_callout_is_caused_by_the_mail_that_waits),
		TEST(probing_our_own_hop_is_call_ahead),
		TEST(retries_are_attempts_of_one_finding),
		TEST(two_refused_mails_are_two_findings_with_a_cause_each),
		TEST(the_queue_id_ties_when_the_message_id_is_missing),
		TEST(the_reported_recipient_ties_next),
		TEST(an_autoreply_answers_what_it_replies_to),
		TEST(an_autoreply_without_ids_goes_to_the_author),
		TEST(a_forwarded_report_is_no_finding),
		TEST(a_received_line_from_outside_tells_forwarding_too),
		TEST(an_inner_hop_names_the_originator),
		TEST(a_reporting_mta_of_ours_names_a_hidden_originator),
		TEST(what_goes_to_our_own_domains_is_no_finding),
		TEST(mail_to_a_name_below_our_domain_stays_inside),
		TEST(a_mail_whose_last_reply_was_lost_is_a_cause_when_it_is_named),
		TEST(a_cause_is_never_younger_than_its_answer),
		TEST(a_refused_mail_is_the_root_not_the_rcpt_behind_it),
		TEST(one_recipient_refused_by_lmtp_is_the_root),
		TEST(mail_from_a_client_inside_is_a_cause),
		TEST(what_came_from_outside_is_the_cause_before_its_inner_hop),
		TEST(the_sender_inside_srs_ties_a_refused_forward),
		TEST(a_forward_refused_before_data_is_told_by_sender_and_size),
		TEST(a_notice_passed_on_and_refused_is_no_finding),
		TEST(a_notice_of_another_size_or_later_is_not_taken_for_passed_on),
		TEST(who_wrote_to_us_is_answered_not_passed_on),
		TEST(what_a_smarthost_could_not_deliver_is_the_mail_it_was_handed),
	};

	return cmocka_run_group_tests_name("correlate", tests, NULL, NULL);
}
