/* Unit tests of analyzer/classify.c and rules.def. */
#include "analyzer/classify.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct text t(const char *s)
{
	return (struct text){ s, s ? (uint32_t)strlen(s) : 0 };
}

static void expect(const struct mail *m, enum kind kind, const char *rule)
{
	struct classification c = classify(m, false);

	assert_string_equal(c.rule, rule);
	assert_int_equal(c.kind, kind);
}

/* A mail with its message: from a person, or with null sender. */
static struct mail letter(void)
{
	return (struct mail){ .has_message = true, .has_data = true, .rcpt_count = 1, .rcpt_accepted = 1, .outcome = MAIL_ACCEPTED, .code = 250 };
}

static struct mail report(const char *action)
{
	struct mail m = letter();

	m.null_sender = true;
	m.mail_from_class = CLASS_NULL;
	m.has_report = m.in_multipart_report = true;
	m.report_type = t("delivery-status");
	m.content_type = t("multipart/report");
	m.action = t(action);
	return m;
}

static struct mail probe(const char *params, int rcpts, int accepted, const char *steps)
{
	return (struct mail){ .null_sender = true, .mail_from_class = CLASS_NULL, .rcpt_count = rcpts, .rcpt_accepted = accepted, .mail_params = t(params),
		.outcome = accepted ? MAIL_ABORTED : MAIL_REJECTED, .code = accepted ? 0 : 550, .steps = t(steps),
		.complete = true };
}

static void reports_are_what_their_action_says(void **state)
{
	struct mail m = report("failed");

	(void)state;
	expect(&m, KIND_BOUNCE, "report-failed");
	m = report("delayed");
	expect(&m, KIND_DELAY_NOTICE, "report-delayed");
	m = report("relayed");
	expect(&m, KIND_SUCCESS_NOTICE, "report-success");
	m = report("delivered failed");
	expect(&m, KIND_BOUNCE, "report-failed");
	m = report(NULL);
	expect(&m, KIND_BOUNCE, "report-failed");
}

static void a_report_in_another_container_needs_a_daemon(void **state)
{
	struct mail m = report("failed");

	(void)state;
	m.in_multipart_report = false;
	m.content_type = t("multipart/mixed");
	expect(&m, KIND_BOUNCE, "mixed-failed");
	m.null_sender = false;
	m.mail_from_class = 0;
	expect(&m, KIND_ORDINARY, "ordinary");
	m.from_class = CLASS_DAEMON;
	expect(&m, KIND_BOUNCE, "mixed-failed");
}

static void strangers_who_write_like_a_bounce_are_ordinary(void **state)
{
	struct mail m = letter();

	(void)state;
	m.phrases = t("1 44 430");	/* "Undelivered Mail Returned to Sender", "your mailbox is full" */
	expect(&m, KIND_ORDINARY, "ordinary");
	m.from_class = CLASS_DAEMON;
	m.markers = MARKER_BIT(MIME_VERSION);
	expect(&m, KIND_ORDINARY, "ordinary");
	m.phrases = t("1 49 53 349");	/* "Message not delivered", sentences of servers in it: nothing was returned */
	expect(&m, KIND_ORDINARY, "ordinary");
	m.has_returned = true;
	expect(&m, KIND_DELAY_NOTICE, "delay-returned");
	m = letter();
	m.mail_from_class = CLASS_DAEMON;
	m.phrases = t("7 33");
	expect(&m, KIND_BOUNCE, "bounce-text");
}

static void delay_phrases_go_before_bounce_phrases(void **state)
{
	struct mail m = letter();

	(void)state;
	m.null_sender = true;
	m.phrases = t("2 30");
	expect(&m, KIND_DELAY_NOTICE, "delay-text");
}

static void autoresponders_say_so_in_many_ways(void **state)
{
	struct mail m = letter();

	(void)state;
	m.auto_submitted = t("auto-replied (vacation)");
	expect(&m, KIND_AUTOREPLY, "auto-replied");
	m = letter();
	m.markers = MARKER_BIT(X_AUTOREPLY);
	expect(&m, KIND_AUTOREPLY, "autoreply-marker");
	m = letter();
	m.markers = MARKER_BIT(PRECEDENCE_AUTO_REPLY);
	expect(&m, KIND_AUTOREPLY, "precedence-auto-reply");
	m = letter();
	m.null_sender = true;
	m.phrases = t("70");
	expect(&m, KIND_AUTOREPLY, "autoreply-text");
	m = letter();
	m.null_sender = m.has_in_reply_to = true;
	expect(&m, KIND_AUTOREPLY, "null-answer");
}

static void lists_and_newsletters_are_ordinary(void **state)
{
	struct mail m = letter();

	(void)state;
	m.markers = MARKER_BIT(PRECEDENCE_LIST) | MARKER_BIT(PRECEDENCE_BULK) | MARKER_BIT(LIST_UNSUBSCRIBE) | MARKER_BIT(X_AUTO_RESPONSE_SUPPRESS);
	m.list_id = t("<a.example>");
	expect(&m, KIND_ORDINARY, "ordinary");
	m.auto_submitted = t("auto-generated");
	expect(&m, KIND_ORDINARY, "ordinary");
	m = letter();
	m.markers = MARKER_BIT(TMDA);
	expect(&m, KIND_ORDINARY, "ordinary");
}

static void other_kinds_by_their_marks(void **state)
{
	struct mail m = letter();

	(void)state;
	m.has_report = true;
	m.report_type = t("feedback-report");
	expect(&m, KIND_FEEDBACK_REPORT, "arf-report");
	m = letter();
	m.subject = t("Report Domain: a.example Submitter: b.example Report-ID: <1>");
	expect(&m, KIND_FEEDBACK_REPORT, "domain-report");
	m = report(NULL);
	m.report_type = t("disposition-notification");
	expect(&m, KIND_READ_RECEIPT, "report-receipt");
	m = letter();
	m.markers = MARKER_BIT(RT_TICKET);
	m.auto_submitted = t("auto-generated");
	expect(&m, KIND_TICKET, "ticket-marker");
	m = letter();
	m.markers = MARKER_BIT(X_BOXTRAPPER);
	expect(&m, KIND_CHALLENGE, "challenge-marker");
	m = letter();
	m.markers = MARKER_BIT(X_LIST_ADMINISTRIVIA);
	expect(&m, KIND_LIST_NOTICE, "list-marker");
	m = letter();
	m.null_sender = true;
	expect(&m, KIND_AUTOMATED_UNKNOWN, "null-sender");
}

static void a_refusal_that_returns_the_mail_is_no_receipt(void **state)
{
	struct mail m = report(NULL);

	(void)state;
	m.report_type = t("disposition-notification");
	m.disposition = t("manual-action/MDN-sent-manually; deleted");
	expect(&m, KIND_READ_RECEIPT, "report-receipt");
	m.has_returned = true;
	expect(&m, KIND_BOUNCE, "report-rejected");
}

static void probes_leave_after_rcpt(void **state)
{
	struct mail m = probe(NULL, 1, 1, "c QUIT 1\n");

	(void)state;
	expect(&m, KIND_CALLOUT, "probe-accepted");
	assert_false(classify(&m, false).open);
	assert_int_equal(classify(&m, true).kind, KIND_CALL_AHEAD);
	m.null_sender = false;
	m.mail_from_class = 0;
	expect(&m, KIND_ORDINARY, "probe-person");
	assert_int_equal(classify(&m, true).kind, KIND_CALL_AHEAD);
	assert_false(classify(&m, true).open);
	m = probe(NULL, 1, 0, "c MAIL 0\nc RCPT 1\nc QUIT 2\n");
	expect(&m, KIND_CALLOUT, "probe-refused");
	assert_true(classify(&m, false).open);
	m = probe(NULL, 4, 0, NULL);
	expect(&m, KIND_AUTOMATED_UNKNOWN, "null-unseen");
	m = probe(NULL, 1, 1, "c QUIT 1\n");
	m.complete = false;	/* the message may be in the hole */
	expect(&m, KIND_AUTOMATED_UNKNOWN, "null-unseen");
	m = probe("SIZE=235", 1, 0, NULL);
	m.null_sender = false;
	m.mail_from_class = CLASS_DOUBLE_BOUNCE;
	expect(&m, KIND_CALLOUT, "probe-double-bounce");
}

/* address_verify_sender = <>: "MAIL FROM:<> SIZE=220", RCPT, RSET, QUIT. */
static void the_size_of_a_probe_is_none_of_a_message(void **state)
{
	struct mail m = probe("SIZE=220", 1, 0, "c MAIL 0\nc RCPT 0\nc RSET 0\nc QUIT 0\n");

	(void)state;
	expect(&m, KIND_CALLOUT, "probe-refused");
	assert_int_equal(classify(&m, true).kind, KIND_CALL_AHEAD);
	m = probe("SIZE=226", 1, 1, "c MAIL 0\nc RCPT 0\nc DATA 0\ns 250 1\ns 250 2\ns 354 3\n");	/* smtp_address_verify_target = data */
	m.outcome = MAIL_ABORTED;
	m.complete = false;
	m.has_data = true;
	expect(&m, KIND_CALLOUT, "probe-accepted");
	m.size_bytes = 200;
	expect(&m, KIND_AUTOMATED_UNKNOWN, "null-unseen");
}

static void a_size_or_data_says_that_there_is_a_message(void **state)
{
	struct mail m = probe("SIZE=2800 BODY=8BITMIME", 1, 0, "c MAIL 0\nc RCPT 0\nc RSET 1\n");

	(void)state;
	expect(&m, KIND_AUTOMATED_UNKNOWN, "refused-message");
	assert_true(classify(&m, false).open);
	m = probe(NULL, 1, 0, "c MAIL 0\nc RCPT 0\nc DATA 0\nc RSET 1\n");
	expect(&m, KIND_AUTOMATED_UNKNOWN, "refused-data");
	m = probe(NULL, 1, 0, NULL);
	m.null_sender = false;
	m.mail_from_class = CLASS_DAEMON;
	expect(&m, KIND_AUTOMATED_UNKNOWN, "refused-daemon");
	m.mail_from_class = 0;
	expect(&m, KIND_ORDINARY, "refused-person");
}

static void signals_have_names(void **state)
{
	struct buf b = { 0 };
	struct mail m = report("failed");

	(void)state;
	classify_signals(&m, &b);
	assert_string_equal(buf_cstr(&b), "NULL_SENDER MESSAGE REPORT DSN FAILED BARE");
	buf_fini(&b);
}

/* One mail for each rule, which is something else without it. */
#define MARK(name) .markers = MARKER_BIT(name)
#define MARK_MIME(name) .markers = MARKER_BIT(name) | MARKER_BIT(MIME_VERSION)
#define PLAIN_MUA .markers = MARKER_BIT(USER_AGENT)
#define NULL_FROM .null_sender = true, .mail_from_class = CLASS_NULL
#define SAID(ids) .phrases = { ids, sizeof(ids) - 1 }
#define AUTO(value) .auto_submitted = { value, sizeof(value) - 1 }
#define PART(type, done) .has_report = true, .report_type = { type, sizeof(type) - 1 }, .action = { done, sizeof(done) - 1 }
#define STEPS(text) .steps = { text, sizeof(text) - 1 }
#define LETTER .has_message = true, .has_data = true, .rcpt_count = 1, .rcpt_accepted = 1, .outcome = MAIL_ACCEPTED, .code = 250
#define REFUSED .complete = true, .rcpt_count = 1, .outcome = MAIL_REJECTED, .code = 550

static const struct {
	const char *rule;
	enum kind kind;
	struct mail mail;
} examples[] = {
	{ "arf-report", KIND_FEEDBACK_REPORT, { LETTER, PART("feedback-report", "") } },
	{ "domain-report", KIND_FEEDBACK_REPORT, { LETTER, .subject = { "Report Domain: a Submitter: b", 29 } } },
	{ "complaint", KIND_FEEDBACK_REPORT, { LETTER, SAID("1150"), .has_returned = true } },
	{ "postmaster-notice", KIND_ORDINARY, { LETTER, .mail_from_class = CLASS_DOUBLE_BOUNCE, .in_multipart_report = true, PART("delivery-status", "failed") } },
	{ "challenge-marker", KIND_CHALLENGE, { LETTER, MARK(X_BOXTRAPPER), .in_multipart_report = true, PART("delivery-status", "failed") } },
	{ "tmda-marker", KIND_CHALLENGE, { LETTER, NULL_FROM, MARK(TMDA), SAID("32") } },
	{ "challenge-both", KIND_CHALLENGE, { LETTER, NULL_FROM, SAID("820 843"), .in_multipart_report = true, PART("delivery-status", "failed") } },
	{ "report-failed", KIND_BOUNCE, { LETTER, .in_multipart_report = true, PART("delivery-status", "failed") } },
	{ "content-report", KIND_CONTENT_NOTICE, { LETTER, .in_multipart_report = true, PART("delivery-status", "delayed"), SAID("115") } },
	{ "report-delayed", KIND_DELAY_NOTICE, { LETTER, .in_multipart_report = true, PART("delivery-status", "delayed") } },
	{ "report-success", KIND_SUCCESS_NOTICE, { LETTER, .in_multipart_report = true, PART("delivery-status", "relayed") } },
	{ "report-rejected", KIND_BOUNCE, { LETTER, .in_multipart_report = true, PART("disposition-notification", ""), AUTO("auto-replied (rejected)"),
					    .disposition = { "automatic-action/MDN-sent-automatically; deleted", 48 } } },
	{ "report-receipt", KIND_READ_RECEIPT, { LETTER, .in_multipart_report = true, PART("disposition-notification", "") } },
	{ "mixed-failed", KIND_BOUNCE, { LETTER, .from_class = CLASS_DAEMON, PART("delivery-status", "failed") } },
	{ "mixed-delayed", KIND_DELAY_NOTICE, { LETTER, .from_class = CLASS_DAEMON, PART("delivery-status", "delayed") } },
	{ "mixed-success", KIND_SUCCESS_NOTICE, { LETTER, .from_class = CLASS_DAEMON, PART("delivery-status", "delivered") } },
	{ "receipt-subject", KIND_READ_RECEIPT, { LETTER, NULL_FROM, SAID("1554") } },
	{ "mixed-receipt", KIND_READ_RECEIPT, { LETTER, NULL_FROM, PART("disposition-notification", "") } },
	{ "list-marker", KIND_LIST_NOTICE, { LETTER, MARK(MLMMJ) } },
	{ "failed-recipients-delay", KIND_DELAY_NOTICE, { LETTER, SAID("50"), .x_failed_recipients = { "a@b", 3 } } },
	{ "failed-recipients", KIND_BOUNCE, { LETTER, .x_failed_recipients = { "a@b", 3 } } },
	{ "delay-text", KIND_DELAY_NOTICE, { LETTER, NULL_FROM, SAID("30 48") } },
	{ "delay-returned", KIND_DELAY_NOTICE, { LETTER, .from_class = CLASS_DAEMON, SAID("37 48"), .has_returned = true } },
	{ "delay-bare", KIND_DELAY_NOTICE, { LETTER, .from_class = CLASS_DAEMON, SAID("37 48") } },
	{ "success-text", KIND_SUCCESS_NOTICE, { LETTER, NULL_FROM, SAID("30 51") } },
	{ "content-text", KIND_CONTENT_NOTICE, { LETTER, AUTO("auto-replied"), SAID("117") } },
	{ "content-generated", KIND_CONTENT_NOTICE, { LETTER, MARK(MIME_VERSION), AUTO("auto-generated"), SAID("933 1289") } },
	{ "content-daemon", KIND_CONTENT_NOTICE, { LETTER, .from_class = CLASS_POSTMASTER, SAID("110 930"), .list_id = { "<l>", 3 } } },
	{ "content-both", KIND_CONTENT_NOTICE, { LETTER, PLAIN_MUA, SAID("110 930 1283") } },
	{ "bounce-text", KIND_BOUNCE, { LETTER, .mail_from_class = CLASS_DAEMON, SAID("12") } },
	{ "bounce-returned", KIND_BOUNCE, { LETTER, PLAIN_MUA, .from_class = CLASS_DAEMON, SAID("1"), .has_returned = true } },
	{ "bounce-bare", KIND_BOUNCE, { LETTER, .from_class = CLASS_DAEMON, SAID("37") } },
	{ "bounce-status", KIND_BOUNCE, { LETTER, PLAIN_MUA, .mail_from_class = CLASS_POSTMASTER, .from_class = CLASS_POSTMASTER, SAID("12 1390") } },
	{ "bounce-person", KIND_BOUNCE, { LETTER, SAID("37"), .has_returned = true } },
	{ "bounce-marker", KIND_BOUNCE, { LETTER, NULL_FROM, MARK(INVOKED_FOR_BOUNCE) } },
	{ "report-unread", KIND_BOUNCE, { LETTER, NULL_FROM, .content_type = { "multipart/report", 16 } } },
	{ "returned-message", KIND_BOUNCE, { LETTER, NULL_FROM, .from_class = CLASS_POSTMASTER, .has_returned = true } },
	{ "nondelivery", KIND_BOUNCE, { LETTER, NULL_FROM, SAID("421") } },
	{ "nondelivery-daemon", KIND_BOUNCE, { LETTER, NULL_FROM, AUTO("auto-replied"), .from_class = CLASS_DAEMON, .names_recipient = true } },
	{ "ticket-marker", KIND_TICKET, { LETTER, AUTO("auto-replied"), MARK(OSTICKET_MAILER) } },
	{ "ticket-desk", KIND_TICKET, { LETTER, AUTO("auto-replied"), MARK(ZAMMAD) } },
	{ "ticket-desk-text", KIND_TICKET, { LETTER, AUTO("auto-generated"), MARK_MIME(ZENDESK), SAID("1071") } },
	{ "challenge-text", KIND_CHALLENGE, { LETTER, MARK(PRECEDENCE_AUTO_REPLY), SAID("104") } },
	{ "challenge-generated", KIND_CHALLENGE, { LETTER, AUTO("auto-generated"), .has_in_reply_to = true, SAID("104") } },
	{ "list-text", KIND_LIST_NOTICE, { LETTER, AUTO("auto-replied"), SAID("130") } },
	{ "list-server", KIND_LIST_NOTICE, { LETTER, .mail_from_class = CLASS_LIST, SAID("130") } },
	{ "list-generated", KIND_LIST_NOTICE, { LETTER, AUTO("auto-generated"), .has_in_reply_to = true, SAID("130") } },
	{ "ticket-text", KIND_TICKET, { LETTER, AUTO("auto-replied"), SAID("142") } },
	{ "ticket-generated", KIND_TICKET, { LETTER, AUTO("auto-generated"), SAID("80 1118 1363") } },
	{ "ticket-answer", KIND_TICKET, { LETTER, AUTO("auto-generated"), .has_in_reply_to = true, SAID("142 1117") } },
	{ "auto-replied", KIND_AUTOREPLY, { LETTER, AUTO("auto-replied") } },
	{ "autoreply-marker", KIND_AUTOREPLY, { LETTER, MARK(X_AUTOREPLY) } },
	{ "precedence-auto-reply", KIND_AUTOREPLY, { LETTER, MARK(PRECEDENCE_AUTO_REPLY) } },
	{ "autoreply-text", KIND_AUTOREPLY, { LETTER, NULL_FROM, SAID("70") } },
	{ "autoreply-generated", KIND_AUTOREPLY, { LETTER, AUTO("auto-generated"), SAID("71") } },
	{ "generated-answer", KIND_AUTOREPLY, { LETTER, AUTO("auto-generated"), .has_in_reply_to = true, SAID("80") } },
	{ "autoreply-daemon", KIND_AUTOREPLY, { LETTER, .from_class = CLASS_POSTMASTER, SAID("80") } },
	{ "autoreply-both", KIND_AUTOREPLY, { LETTER, PLAIN_MUA, SAID("71 720") } },
	{ "autoreply-subject", KIND_AUTOREPLY, { LETTER, MARK_MIME(X_AUTO_RESPONSE_SUPPRESS), SAID("71") } },
	{ "autoreply-bare", KIND_AUTOREPLY, { LETTER, SAID("80 722") } },
	{ "absence-answer", KIND_AUTOREPLY, { LETTER, MARK(PRECEDENCE_BULK), .has_in_reply_to = true, SAID("70") } },
	{ "absence-bulk", KIND_AUTOREPLY, { LETTER, MARK(PRECEDENCE_BULK), SAID("70 720") } },
	{ "autoreply-junk", KIND_AUTOREPLY, { LETTER, MARK(PRECEDENCE_JUNK), .has_in_reply_to = true } },
	{ "autoreply-loop", KIND_AUTOREPLY, { LETTER, MARK(X_LOOP_IS_FROM), .has_in_reply_to = true } },
	{ "list-robot", KIND_ORDINARY, { REFUSED, .mail_from_class = CLASS_LIST | CLASS_LIST_ROBOT } },
	{ "challenge-alone", KIND_ORDINARY, { LETTER, PLAIN_MUA, SAID("820") } },
	{ "content-alone", KIND_ORDINARY, { LETTER, PLAIN_MUA, SAID("880") } },
	{ "ticket-words-alone", KIND_ORDINARY, { LETTER, AUTO("auto-generated"), .markers = MARKER_BIT(MIME_VERSION), SAID("142") } },
	{ "absence-alone", KIND_ORDINARY, { LETTER, PLAIN_MUA, SAID("70") } },
	{ "ticket-alone", KIND_ORDINARY, { LETTER, PLAIN_MUA, SAID("142 1117") } },
	{ "desk-alone", KIND_ORDINARY, { LETTER, AUTO("auto-generated"), MARK_MIME(X_JIRA) } },
	{ "generated-alone", KIND_ORDINARY, { LETTER, AUTO("auto-generated"), .markers = MARKER_BIT(MIME_VERSION), .has_in_reply_to = true } },
	{ "null-answer", KIND_AUTOREPLY, { LETTER, NULL_FROM, .has_in_reply_to = true } },
	{ "delivered-before", KIND_ORDINARY, { LETTER, NULL_FROM, MARK(RETURN_PATH_IS_FROM) } },
	{ "null-sender", KIND_AUTOMATED_UNKNOWN, { LETTER, NULL_FROM } },
	{ "probe-double-bounce", KIND_CALLOUT, { REFUSED, .mail_from_class = CLASS_DOUBLE_BOUNCE } },
	{ "probe-accepted", KIND_CALLOUT, { .complete = true, NULL_FROM, .rcpt_count = 1, .rcpt_accepted = 1, .outcome = MAIL_ABORTED } },
	{ "refused-data", KIND_AUTOMATED_UNKNOWN, { REFUSED, .mail_from_class = CLASS_DAEMON, STEPS("c MAIL 0\nc RCPT 0\nc DATA 0\n") } },
	{ "refused-message", KIND_AUTOMATED_UNKNOWN, { REFUSED, NULL_FROM, .mail_params = { "SIZE=2000", 9 } } },
	{ "refused-daemon", KIND_AUTOMATED_UNKNOWN, { REFUSED, .mail_from_class = CLASS_DAEMON } },
	{ "probe-refused", KIND_CALLOUT, { REFUSED, NULL_FROM } },
	{ "null-unseen", KIND_AUTOMATED_UNKNOWN, { .complete = true, NULL_FROM, .outcome = MAIL_UNKNOWN } },
	{ "probe-person", KIND_ORDINARY, { .complete = true, .rcpt_count = 1, .rcpt_accepted = 1, .outcome = MAIL_ABORTED } },
	{ "refused-person", KIND_ORDINARY, { REFUSED } },
	{ "ordinary", KIND_ORDINARY, { LETTER } },
};

enum { EXAMPLES = sizeof examples / sizeof *examples };

static void every_rule_decides_its_example(void **state)
{
	(void)state;
	assert_int_equal(EXAMPLES, RULE_COUNT);
	for (size_t i = 0; i < EXAMPLES; i++) {
		assert_string_equal(examples[i].rule, rules[i].id);
		expect(&examples[i].mail, examples[i].kind, examples[i].rule);
	}
}

/* What people and their shops, lists and thieves send. */
static void what_only_looks_automated_is_ordinary(void **state)
{
	static const struct mail mails[] = {
		{ LETTER, PLAIN_MUA, SAID("70") },						/* "Out of office" to colleagues */
		{ LETTER, PLAIN_MUA, SAID("70 720") },
		{ LETTER, PLAIN_MUA, SAID("71") },						/* "Automatic reply: how to set it" */
		{ LETTER, .markers = MARKER_BIT(PRECEDENCE_BULK) | MARKER_BIT(LIST_UNSUBSCRIBE), SAID("641 720") },	/* "Holiday sale" */
		{ LETTER, AUTO("auto-generated"), SAID("641") },				/* "Vacation request approved" */
		{ LETTER, AUTO("auto-generated"), SAID("1065 1120") },				/* "Your ticket" of a railway */
		{ LETTER, MARK_MIME(X_JIRA), AUTO("auto-generated"), .has_in_reply_to = true },	/* somebody commented on an issue */
		{ LETTER, .mail_from_class = CLASS_LIST, .list_id = { "<l>", 3 }, SAID("1164") },	/* "Posting to lists: a guide" */
		{ LETTER, .from_class = CLASS_DAEMON, MARK_MIME(X_MAILER), SAID("1 44 350") },	/* "click to release your messages" */
		{ LETTER, .from_class = CLASS_POSTMASTER, PLAIN_MUA, SAID("432") },		/* "your mailbox is full", by the postmaster */
		{ LETTER, PLAIN_MUA, .has_in_reply_to = true, SAID("37"), .has_returned = true },	/* about a bounce */
		{ LETTER, PLAIN_MUA, SAID("880") },						/* "Virus warning!" */
		{ LETTER, PLAIN_MUA, PART("delivery-status", "failed") },			/* a bounce, forwarded as it is */
		{ LETTER, PLAIN_MUA, SAID("874 938") },						/* "Virus alert", by those who warn of one */
		{ LETTER, AUTO("auto-generated"), SAID("944") },				/* an alarm of virus software to its administrator */
		{ LETTER, AUTO("auto-generated"), SAID("823 847") },				/* "Verify your address", to who signed up */
		{ LETTER, AUTO("auto-generated"), SAID("1000 1054") },				/* the same of a newsletter */
		{ LETTER, AUTO("auto-generated"), SAID("1070 80") },				/* a shop that says that it is a program */
		{ LETTER, .mail_from_class = CLASS_LIST, .list_id = { "<l>", 3 }, SAID("1003") },
		{ LETTER, .from_class = CLASS_POSTMASTER, PLAIN_MUA, .has_in_reply_to = true, SAID("44 1390") },	/* a postmaster explains a refusal */
		{ LETTER, .markers = MARKER_BIT(X_AUTORESPONDER) | MARKER_BIT(LIST_UNSUBSCRIBE) },	/* the second letter of a course */
		{ LETTER, PLAIN_MUA, .from_class = CLASS_POSTMASTER, .mail_from_class = CLASS_POSTMASTER, SAID("910 960") },	/* what is in quarantine for you */
		{ LETTER, PLAIN_MUA, SAID("1554") },						/* "Not read: ..." by a person */
		{ LETTER, MARK_MIME(PRECEDENCE_BULK), SAID("645 730") },			/* "Vacation deals" */
		{ REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof mails / sizeof *mails; i++)
		assert_int_equal(classify(&mails[i], false).kind, KIND_ORDINARY);
}

static void suspects_need_other_mail(void **state)
{
	struct mail m = { LETTER, PLAIN_MUA, SAID("70") };
	struct classification c = classify(&m, false);

	(void)state;
	assert_true(c.open && c.suspected == KIND_AUTOREPLY);
	m.rcpt_count = 2;	/* an answer has one recipient */
	assert_false(classify(&m, false).open);
	m = letter();
	assert_false(classify(&m, false).open);
}

static void a_mailer_daemon_tells_of_failure_in_any_words(void **state)
{
	struct mail m = { LETTER, NULL_FROM, .from_class = CLASS_DAEMON };

	(void)state;
	expect(&m, KIND_BOUNCE, "nondelivery");
	m.phrases = t("720");	/* "I am out of the office" */
	expect(&m, KIND_AUTOREPLY, "autoreply-text");
	m = (struct mail){ LETTER, NULL_FROM, .from_class = CLASS_POSTMASTER };	/* warns of a full mailbox, too */
	expect(&m, KIND_AUTOMATED_UNKNOWN, "null-sender");
	m.names_recipient = true;
	expect(&m, KIND_BOUNCE, "nondelivery");
	m = (struct mail){ LETTER, NULL_FROM, SAID("453 468") };	/* a backup did not find its host */
	expect(&m, KIND_AUTOMATED_UNKNOWN, "null-sender");
}

static void one_sentence_of_a_product_tells_its_notice(void **state)
{
	struct mail m = { LETTER, PLAIN_MUA, SAID("1528") };

	(void)state;
	expect(&m, KIND_CONTENT_NOTICE, "content-both");
	m.has_in_reply_to = true;
	expect(&m, KIND_ORDINARY, "content-alone");
}

static void rule_ids_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < RULE_COUNT; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(rules[i].id, rules[k].id);
}

static void kinds_read_back(void **state)
{
	(void)state;
	for (int k = 0; k < KIND_COUNT; k++)
		assert_int_equal(kind_parse(kind_name((enum kind)k)), k);
	assert_int_equal(kind_parse("nonsense"), KIND_COUNT);
	assert_false(kind_is_answering(KIND_ORDINARY));
	assert_false(kind_is_answering(KIND_CALL_AHEAD));
	assert_true(kind_is_answering(KIND_AUTOMATED_UNKNOWN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_are_what_their_action_says),
		cmocka_unit_test(a_report_in_another_container_needs_a_daemon),
		cmocka_unit_test(strangers_who_write_like_a_bounce_are_ordinary),
		cmocka_unit_test(delay_phrases_go_before_bounce_phrases),
		cmocka_unit_test(autoresponders_say_so_in_many_ways),
		cmocka_unit_test(lists_and_newsletters_are_ordinary),
		cmocka_unit_test(other_kinds_by_their_marks),
		cmocka_unit_test(a_refusal_that_returns_the_mail_is_no_receipt),
		cmocka_unit_test(probes_leave_after_rcpt),
		cmocka_unit_test(the_size_of_a_probe_is_none_of_a_message),
		cmocka_unit_test(a_size_or_data_says_that_there_is_a_message),
		cmocka_unit_test(signals_have_names),
		cmocka_unit_test(every_rule_decides_its_example),
		cmocka_unit_test(what_only_looks_automated_is_ordinary),
		cmocka_unit_test(suspects_need_other_mail),
		cmocka_unit_test(a_mailer_daemon_tells_of_failure_in_any_words),
		cmocka_unit_test(one_sentence_of_a_product_tells_its_notice),
		cmocka_unit_test(rule_ids_are_unique),
		cmocka_unit_test(kinds_read_back),
	};

	return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
