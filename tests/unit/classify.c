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
	m.phrases = t("1 44");
	expect(&m, KIND_ORDINARY, "ordinary");
	m.from_class = CLASS_DAEMON;
	expect(&m, KIND_BOUNCE, "bounce-text");
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

static void probes_leave_after_rcpt(void **state)
{
	struct mail m = probe(NULL, 1, 1, "c QUIT 1\n");

	(void)state;
	expect(&m, KIND_CALLOUT, "probe-accepted");
	assert_false(classify(&m, false).open);
	assert_int_equal(classify(&m, true).kind, KIND_CALL_AHEAD);
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
	expect(&m, KIND_ORDINARY, "ordinary");
}

static void signals_have_names(void **state)
{
	struct buf b = { 0 };
	struct mail m = report("failed");

	(void)state;
	classify_signals(&m, &b);
	assert_string_equal(buf_cstr(&b), "NULL_SENDER MESSAGE REPORT DSN FAILED");
	buf_fini(&b);
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
		cmocka_unit_test(probes_leave_after_rcpt),
		cmocka_unit_test(a_size_or_data_says_that_there_is_a_message),
		cmocka_unit_test(signals_have_names),
		cmocka_unit_test(rule_ids_are_unique),
		cmocka_unit_test(kinds_read_back),
	};

	return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
