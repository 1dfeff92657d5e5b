/* Unit tests of dsn.c. A report part is a text of fields and blank lines; fields are handed on from blocks of exactly their size. */
#include "sensor/dsn.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/texts.h"

struct fixture {
	struct arena arena;
	struct fact_report report;
	struct dsn dsn;
};

static void feed_line(struct dsn *d, const char *line, size_t n)
{
	char *copy = malloc(n ? n : 1);
	struct text name, value;

	memcpy(copy, line, n);
	header_split((struct text){ copy, (uint32_t)n }, &name, &value);
	if (n)
		dsn_field(d, name, value);
	else
		dsn_blank(d);
	free(copy);
}

static void feed(struct fixture *f, const char *part)
{
	arena_init(&f->arena, 512 * 1024);
	f->report = (struct fact_report){ .type = REPORT_DELIVERY_STATUS };
	dsn_init(&f->dsn, &f->arena, &f->report);
	while (*part) {
		size_t n = strcspn(part, "\n");

		feed_line(&f->dsn, part, n);
		part += n + (part[n] != '\0');
	}
}

static void types_are_removed(void **state)
{
	(void)state;
	struct fixture f;

	feed(&f, "reporting-mta: dns; a.example\nReceived-From-MTA: DNS;b.example\nX-Postfix-Queue-ID: Q1\nOriginal-Envelope-Id: e\nArrival-Date: d\n\n"
		"Final-Recipient: RFC822;a@b\nOriginal-Recipient: rfc822 ; <c@d>\nDiagnostic-Code: X-Postfix; no; route\nRemote-MTA: dns; m\n");
	assert_text(f.report.reporting_mta, "a.example");
	assert_text(f.report.received_from_mta, "b.example");
	assert_text(f.report.queue_id, "Q1");
	assert_text(f.report.envelope_id, "e");
	assert_text(f.report.arrival_date, "d");
	assert_text(f.report.recipient[0].final_recipient, "a@b");
	assert_text(f.report.recipient[0].original_recipient, "<c@d>");
	assert_text(f.report.recipient[0].diagnostic_type, "X-Postfix");
	assert_text(f.report.recipient[0].diagnostic, "no; route");
	assert_text(f.report.recipient[0].remote_mta, "m");
	arena_fini(&f.arena);
}

static void text_before_a_semicolon_is_no_type_when_it_is_no_atom(void **state)
{
	(void)state;
	struct fixture f;

	feed(&f, "Final-Recipient: a@b;c\nDiagnostic-Code: 550 5.1.1 unknown; sorry\n");
	assert_text(f.report.recipient[0].final_recipient, "a@b;c");
	assert_text(f.report.recipient[0].diagnostic_type, NULL);
	assert_text(f.report.recipient[0].diagnostic, "550 5.1.1 unknown; sorry");
	arena_fini(&f.arena);
}

static void each_group_is_a_recipient(void **state)
{
	(void)state;
	struct fixture f;

	feed(&f, "Reporting-MTA: dns; a\n\n\nFinal-Recipient: rfc822;1\nAction: failed\nStatus: 5.1.1\n\nOriginal-Recipient: rfc822;o\nFinal-Recipient: rfc822;2\nAction: delayed\n\n");
	assert_int_equal(f.report.recipient_count, 2);
	assert_int_equal(f.report.recipient_total, 2);
	assert_text(f.report.recipient[0].status, "5.1.1");
	assert_text(f.report.recipient[0].original_recipient, NULL);
	assert_text(f.report.recipient[1].original_recipient, "o");
	assert_text(f.report.recipient[1].action, "delayed");
	assert_text(f.report.recipient[1].status, NULL);
	arena_fini(&f.arena);
}

static void action_may_stand_before_the_recipient(void **state)
{
	(void)state;
	struct fixture f;

	feed(&f, "Reporting-MTA: dns; a\n\nAction: failed\nFinal-Recipient: rfc822;1\nStatus: 5.0.0\n\nAction: delayed\nFinal-Recipient: rfc822;2\nStatus: 4.0.0\n");
	assert_int_equal(f.report.recipient_count, 2);
	assert_text(f.report.recipient[0].action, "failed");
	assert_text(f.report.recipient[0].final_recipient, "1");
	assert_text(f.report.recipient[1].action, "delayed");
	assert_text(f.report.recipient[1].status, "4.0.0");
	arena_fini(&f.arena);
}

static void missing_blank_lines_are_made_up_for(void **state)
{
	(void)state;
	struct fixture f;

	feed(&f, "Reporting-MTA: dns; a\nFinal-Recipient: rfc822;1\nAction: failed\nFinal-Recipient: rfc822;2\nAction: failed\n");
	assert_int_equal(f.report.recipient_count, 2);
	assert_text(f.report.recipient[1].final_recipient, "2");
	assert_text(f.report.recipient[1].action, "failed");
	arena_fini(&f.arena);
}

static void a_blank_line_inside_a_group_does_not_part_it(void **state)
{
	(void)state;
	struct fixture f;

	feed(&f, "Final-Recipient: rfc822;1\n\nAction: failed\nStatus: 5.1.1\n\nFinal-Recipient: rfc822;2\n");
	assert_int_equal(f.report.recipient_count, 2);
	assert_text(f.report.recipient[0].status, "5.1.1");
	arena_fini(&f.arena);
}

static void first_of_repeated_fields_wins(void **state)
{
	(void)state;
	struct fixture f;

	feed(&f, "Reporting-MTA: dns; a\nReporting-MTA: dns; b\nFinal-Recipient: rfc822;1\nStatus: 5.1.1\nStatus: 5.2.2\n");
	assert_int_equal(f.report.recipient_count, 1);
	assert_text(f.report.reporting_mta, "a");
	assert_text(f.report.recipient[0].status, "5.1.1");
	arena_fini(&f.arena);
}

static void recipients_over_the_cap_are_counted(void **state)
{
	(void)state;
	struct fixture f;
	char *part = malloc(300 * 64), *at = part;

	for (int i = 0; i < 300; i++)
		at += sprintf(at, "Final-Recipient: rfc822;%d\nAction: failed\n\n", i);
	feed(&f, part);
	assert_int_equal(f.report.recipient_count, REPORT_RECIPIENTS_KEPT);
	assert_int_equal(f.report.recipient_total, 300);
	assert_text(f.report.recipient[99].final_recipient, "99");
	assert_int_equal(f.dsn.notes, NOTE_TRUNCATED);
	arena_fini(&f.arena);
	free(part);
}

static void long_fields_are_cut(void **state)
{
	(void)state;
	struct fixture f;
	char *part = malloc(6000);

	memset(part, 'x', 5999);
	part[5999] = '\0';
	memcpy(part, "Final-Recipient: ", 17);
	feed(&f, part);
	assert_int_equal(f.report.recipient[0].final_recipient.len, LIMIT_REPORT_FIELD);
	assert_int_equal(f.dsn.notes, NOTE_TRUNCATED);
	arena_fini(&f.arena);
	free(part);
}

static void a_full_arena_keeps_counting(void **state)
{
	(void)state;
	struct fixture f;

	arena_init(&f.arena, 100);
	f.report = (struct fact_report){ .type = REPORT_DELIVERY_STATUS };
	dsn_init(&f.dsn, &f.arena, &f.report);
	for (int i = 0; i < 5; i++) {
		feed_line(&f.dsn, "Final-Recipient: rfc822;a@b", 27);
		feed_line(&f.dsn, "", 0);
	}
	assert_int_equal(f.report.recipient_total, 5);
	assert_int_equal(f.dsn.notes, NOTE_TRUNCATED);
	arena_fini(&f.arena);
}

static void unknown_fields_and_odd_lines_are_passed_over(void **state)
{
	(void)state;
	struct fixture f;

	feed(&f, "X-Other: 1\nno colon\n:\nFinal-Recipient\nFinal-Recipient:\n");
	assert_int_equal(f.report.recipient_count, 1);
	assert_text(f.report.recipient[0].final_recipient, "");
	arena_fini(&f.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_removed),
		cmocka_unit_test(text_before_a_semicolon_is_no_type_when_it_is_no_atom),
		cmocka_unit_test(each_group_is_a_recipient),
		cmocka_unit_test(action_may_stand_before_the_recipient),
		cmocka_unit_test(missing_blank_lines_are_made_up_for),
		cmocka_unit_test(a_blank_line_inside_a_group_does_not_part_it),
		cmocka_unit_test(first_of_repeated_fields_wins),
		cmocka_unit_test(recipients_over_the_cap_are_counted),
		cmocka_unit_test(long_fields_are_cut),
		cmocka_unit_test(a_full_arena_keeps_counting),
		cmocka_unit_test(unknown_fields_and_odd_lines_are_passed_over),
	};

	return cmocka_run_group_tests_name("dsn", tests, NULL, NULL);
}
