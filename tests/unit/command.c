/* command.c - command lines as real clients write them, and as they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sensor/command.c"

#include "tests/unit/texts.h"

static void verbs_in_any_case_with_their_arguments(void **state)
{
	static const struct { const char *line; enum verb verb; const char *argument; } row[] = {
		{ "EHLO mail.example.org", VERB_EHLO, "mail.example.org" },
		{ "helo mail.example.org", VERB_HELO, "mail.example.org" },
		{ "LhLo x", VERB_LHLO, "x" },
		{ "EHLO", VERB_EHLO, "" },
		{ "EHLO \t [192.0.2.1] \t", VERB_EHLO, "[192.0.2.1]" },
		{ "MAIL FROM:<>", VERB_MAIL, "FROM:<>" },
		{ "mail from:<a@b.example>", VERB_MAIL, "from:<a@b.example>" },
		{ "MAIL From:<> SIZE=1", VERB_MAIL, "From:<> SIZE=1" },
		{ "RCPT TO:<a@b.example>", VERB_RCPT, "TO:<a@b.example>" },
		{ "RCPT\tTo:<a@b.example>", VERB_RCPT, "To:<a@b.example>" },
		{ "DATA", VERB_DATA, "" },
		{ "data ", VERB_DATA, "" },
		{ "BDAT 10 LAST", VERB_BDAT, "10 LAST" },
		{ "RSET", VERB_RSET, "" },
		{ "QUIT", VERB_QUIT, "" },
		{ "quit\r", VERB_QUIT, "" },
		{ "NOOP hello there", VERB_NOOP, "hello there" },
		{ "VRFY bob", VERB_VRFY, "bob" },
		{ "EXPN staff", VERB_EXPN, "staff" },
		{ "HELP mail", VERB_HELP, "mail" },
		{ "ETRN example.org", VERB_ETRN, "example.org" },
		{ "TURN", VERB_TURN, "" },
		{ "AUTH PLAIN AGEAYg==", VERB_AUTH, "PLAIN AGEAYg==" },
		{ "STARTTLS", VERB_STARTTLS, "" },
		{ "X-ANONYMOUSTLS", VERB_XANONYMOUSTLS, "" },
		{ "x-anonymoustls", VERB_XANONYMOUSTLS, "" },
		{ "XCLIENT ADDR=192.0.2.1", VERB_XCLIENT, "ADDR=192.0.2.1" },
		{ "XFORWARD NAME=x", VERB_XFORWARD, "NAME=x" },
		{ " MAIL FROM:<>", VERB_MAIL, "FROM:<>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct text line = tight(row[i].line);
		struct command c = command_parse(line);

		if (c.verb != row[i].verb)
			fail_msg("\"%s\" is %s", row[i].line, command_verb_name(c.verb));
		assert_text(c.argument, row[i].argument);
		let_go(line);
	}
}

static void what_is_no_command(void **state)
{
	static const char *const row[] = { "", " ", "MAI", "MAILX FROM:<>", "MAIL", "MAIL <a@b.example>", "MAIL SIZE=1", "RCPT FROM:<a>", "RCPT",
		"DATAX", "QUITTER", "dGVzdGVy", "?", "*", ".", "-", "\x16\x03\x01", "STARTTLSX", "X-ANONYMOUS", "EHLO:", "GET / HTTP/1.1" };

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct text line = tight(row[i]);
		struct command c = command_parse(line);

		if (c.verb != VERB_UNKNOWN)
			fail_msg("\"%s\" is %s", row[i], command_verb_name(c.verb));
		let_go(line);
	}
}

static void names_for_steps_fit_and_tell_nothing(void **state)
{
	(void)state;
	for (enum verb v = VERB_UNKNOWN; v <= VERB_HOLE; v++)
		assert_true(strlen(command_verb_name(v)) > 0);
	assert_string_equal(command_verb_name(VERB_UNKNOWN), "?");
	assert_string_equal(command_verb_name(VERB_AUTH_LINE), "*");
	assert_string_equal(command_verb_name(VERB_DATA_END), ".");
	assert_string_equal(command_verb_name(VERB_RCPT), "RCPT");
}

/* RFC 2920 3.1: these may stand only at the end of a group. */
static void commands_that_end_a_group(void **state)
{
	static const enum verb last[] = { VERB_EHLO, VERB_HELO, VERB_DATA, VERB_VRFY, VERB_EXPN, VERB_TURN, VERB_QUIT, VERB_NOOP,
		VERB_AUTH, VERB_STARTTLS, VERB_ETRN };
	static const enum verb inside[] = { VERB_RSET, VERB_MAIL, VERB_RCPT, VERB_BDAT, VERB_XFORWARD };

	(void)state;
	for (size_t i = 0; i < sizeof last / sizeof *last; i++)
		assert_true(command_ends_group(last[i]));
	for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
		assert_false(command_ends_group(inside[i]));
}

static void paths(void **state)
{
	static const struct { const char *argument, *word, *address, *params; } row[] = {
		{ "FROM:<>", "FROM:", "", "" },
		{ "FROM:<> SIZE=1 BODY=8BITMIME", "FROM:", "", "SIZE=1 BODY=8BITMIME" },
		{ "FROM:<a@b.example>", "FROM:", "a@b.example", "" },
		{ "from:<a@b.example>", "FROM:", "a@b.example", "" },
		{ "From: <a@b.example>  SIZE=1 ", "FROM:", "a@b.example", "SIZE=1" },
		{ "FROM :<a@b.example>", "FROM:", "a@b.example", "" },
		{ "FROM : a@b.example SIZE=1", "FROM:", "a@b.example", "SIZE=1" },
		{ "TO:<Postmaster>", "TO:", "Postmaster", "" },
		{ "TO:a@b.example", "TO:", "a@b.example", "" },
		{ "TO:a@b.example NOTIFY=NEVER", "TO:", "a@b.example", "NOTIFY=NEVER" },
		{ "TO:<@r.example,@s.example:a@b.example>", "TO:", "a@b.example", "" },
		{ "TO:<@r.example:\"x y\"@b.example> NOTIFY=NEVER", "TO:", "\"x y\"@b.example", "NOTIFY=NEVER" },
		{ "TO:<\"x > y\"@b.example> NOTIFY=NEVER", "TO:", "\"x > y\"@b.example", "NOTIFY=NEVER" },
		{ "TO:<\"x \\\" > y\"@b.example> A=1", "TO:", "\"x \\\" > y\"@b.example", "A=1" },
		{ "TO:<\"x@b.example> A=1", "TO:", "\"x@b.example", "A=1" },	/* the quote is never closed */
		{ "TO:<a@b.example", "TO:", "a@b.example", "" },
		{ "TO:<a@b.example A=1", "TO:", "a@b.example A=1", "" },	/* no bracket: nobody knows where it ends */
		{ "TO:<", "TO:", "", "" },
		{ "TO:", "TO:", "", "" },
		{ "TO:<@r.example>", "TO:", "@r.example", "" },
		{ "TO:<< a@b.example >>", "TO:", "< a@b.example", ">" },
		{ "TO:<a@[192.0.2.1]>", "TO:", "a@[192.0.2.1]", "" },
		{ "TO:<a@[IPv6:2001:db8::1]>", "TO:", "a@[IPv6:2001:db8::1]", "" },
		{ "TO:<j\xc3\xb6rg@b.example>", "TO:", "j\xc3\xb6rg@b.example", "" },
		{ "TO:<a@b.example>ORCPT=rfc822;a", "TO:", "a@b.example", "ORCPT=rfc822;a" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct text argument = tight(row[i].argument);
		struct path p;

		assert_true(command_path(argument, row[i].word, &p));
		assert_text(p.address, row[i].address);
		assert_text(p.params, row[i].params);
		let_go(argument);
	}
}

static void what_is_no_path(void **state)
{
	static const char *const row[] = { "", "F", "FROM", "FROM <a@b.example>", "TO:<a@b.example>", "FRO:<a>", "FROMX:<a>" };

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct text argument = tight(row[i]);
		struct path p;

		if (command_path(argument, "FROM:", &p))
			fail_msg("\"%s\" is a path", row[i]);
		let_go(argument);
	}
}

static void parameters(void **state)
{
	struct text params = tight("SIZE=1500 ret=HDRS\tENVID=QQ+2B3=x BODY= SMTPUTF8");

	(void)state;
	assert_text(command_param(params, "SIZE="), "1500");
	assert_text(command_param(params, "RET="), "HDRS");
	assert_text(command_param(params, "ENVID="), "QQ+2B3=x");
	assert_text(command_param(params, "BODY="), "");
	assert_text(command_param(params, "AUTH="), NULL);
	assert_text(command_param(params, "VID="), NULL);
	assert_text(command_param(params, "SMTPUTF8="), NULL);
	assert_text(command_param((struct text){ 0 }, "SIZE="), NULL);
	assert_text(command_param(TEXT(""), "SIZE="), NULL);
	let_go(params);
}

static void bdat_sizes(void **state)
{
	static const struct { const char *argument; bool good; uint64_t size; bool last; } row[] = {
		{ "10", true, 10, false }, { "0 LAST", true, 0, true }, { "1234 last", true, 1234, true }, { "5  LAST", true, 5, true },
		{ "5 FIRST", true, 5, false }, { "18446744073709551615", false, 0, false }, { "99999999999999999999", false, 0, false },
		{ "1000000000000000000", true, 1000000000000000000u, false }, { "", false, 0, false }, { "LAST", false, 0, false },
		{ "-1", false, 0, false }, { "+1", false, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct text argument = tight(row[i].argument);
		uint64_t size = 77;
		bool last = false;

		if (command_bdat(argument, &size, &last) != row[i].good)
			fail_msg("\"%s\" is %s", row[i].argument, row[i].good ? "good" : "bad");
		if (row[i].good) {
			assert_int_equal(size, row[i].size);
			assert_int_equal(last, row[i].last);
		}
		let_go(argument);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verbs_in_any_case_with_their_arguments), cmocka_unit_test(what_is_no_command),
		cmocka_unit_test(names_for_steps_fit_and_tell_nothing), cmocka_unit_test(commands_that_end_a_group),
		cmocka_unit_test(paths), cmocka_unit_test(what_is_no_path), cmocka_unit_test(parameters), cmocka_unit_test(bdat_sizes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
