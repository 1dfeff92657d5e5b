/* Unit tests of reader/software.c. */
#include "reader/software.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NAMED(call, wanted) do { const char *name_ = (call); assert_non_null(name_); assert_string_equal(name_, wanted); } while (0)

static void greetings_name_the_server(void **state)
{
	(void)state;
	NAMED(software_of(TEXT("mx.example.org ESMTP Postfix (Debian/GNU)"), (struct text){ 0 }), "Postfix");
	NAMED(software_of(TEXT("mail.example.org ESMTP Exim 4.96 Sun, 22 Nov 2026 10:00:00 +0000"), (struct text){ 0 }), "Exim");
	NAMED(software_of(TEXT("AM0EUR02FT012.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready"), (struct text){ 0 }), "Microsoft 365");
	NAMED(software_of(TEXT("mail.example.org Microsoft ESMTP MAIL Service ready at"), (struct text){ 0 }), "Exchange");
	NAMED(software_of(TEXT("mx.google.com ESMTP 4fb4d7f45d1cf - gsmtp"), (struct text){ 0 }), "Google Workspace");
	NAMED(software_of(TEXT("mail.example.org ESMTP"), TEXT("SIZE 37748736\nX-ANONYMOUSTLS\nDSN")), "Exchange");
	assert_null(software_of(TEXT("mail.example.org ESMTP"), TEXT("SIZE\nDSN")));
	assert_null(software_of((struct text){ 0 }, (struct text){ 0 }));
}

static void acceptance_names_a_server_that_hides(void **state)
{
	(void)state;
	NAMED(software_of_acceptance(TEXT("2.0.0 Ok: queued as 4XyZ12345")), "Postfix");
	NAMED(software_of_acceptance(TEXT("OK id=1abCde-000123-4F")), "Exim");
	NAMED(software_of_acceptance(TEXT("ok 1700000000 qp 4711")), "qmail");
	NAMED(software_of_acceptance(TEXT("2.6.0 <a@b> [InternalId=1] Queued mail for delivery")), "Exchange");
	assert_null(software_of_acceptance(TEXT("2.0.0 4AMAFxYz012345 Message accepted for delivery")));
	assert_null(software_of_acceptance((struct text){ 0 }));
}

#define MESSAGE(...) software_of_message(&(struct software_signs){ __VA_ARGS__ })

static void messages_name_their_writer(void **state)
{
	(void)state;
	NAMED(MESSAGE(.phrases = TEXT("1 30 31")), "Postfix");
	NAMED(MESSAGE(.phrases = TEXT("32"), .message_id = TEXT("E1abCde-000123-4F@mx.example.org")), "Exim");
	NAMED(MESSAGE(.markers = MARKER_BIT(EXIMDSN)), "Exim");
	NAMED(MESSAGE(.phrases = TEXT("35 8")), "OpenSMTPD");
	NAMED(MESSAGE(.phrases = TEXT("5 36 37")), "Sendmail");
	NAMED(MESSAGE(.phrases = TEXT("9 43"), .message_id = TEXT("courier.0000000061A.00001234@mx.example.org")), "Courier");
	NAMED(MESSAGE(.markers = MARKER_BIT(X_MS_NDR)), "Exchange");
	NAMED(MESSAGE(.markers = MARKER_BIT(X_MS_NDR), .message_id = TEXT("a1-b2@DB9PR01MB1234.eurprd01.prod.outlook.com")), "Microsoft 365");
	NAMED(MESSAGE(.phrases = TEXT("7 33 160")), "qmail");
	NAMED(MESSAGE(.phrases = TEXT("7 34 160"), .auto_submitted = TEXT("auto-replied")), "Haraka");
	assert_null(MESSAGE(.phrases = TEXT("44 135")));
	assert_null(MESSAGE(.phrases = TEXT("")));
	assert_null(MESSAGE(.markers = 0));
}

/* Its mail server's marks stand around what a responder writes. */
static void responders_come_before_the_server_that_carries_them(void **state)
{
	(void)state;
	NAMED(MESSAGE(.message_id = TEXT("dovecot-sieve-1700000000-123456-0@mx.example.org"), .markers = MARKER_BIT(X_SIEVE)), "Dovecot Pigeonhole");
	NAMED(MESSAGE(.markers = MARKER_BIT(X_OTRS_LOOP)), "OTRS");
	NAMED(MESSAGE(.x_mailer = TEXT("Znuny Mail Service (7.0.1)")), "OTRS");
	NAMED(MESSAGE(.markers = MARKER_BIT(RT_TICKET), .message_id = TEXT("20261122101530.4XyZ12345@mx.example.org")), "Request Tracker");
	NAMED(MESSAGE(.from_header = TEXT("\"Content-filter at mx.example.org\" <postmaster@mx.example.org>"), .phrases = TEXT("30")), "amavis");
	NAMED(MESSAGE(.markers = MARKER_BIT(X_LOOP) | MARKER_BIT(PRECEDENCE_JUNK)), "procmail");
	NAMED(MESSAGE(.phrases = TEXT("78"), .message_id = TEXT("202611221015.4AMAFxYz012345@mx.example.org")), "vacation");
}

static void ids_of_messages_tell_when_nothing_else_does(void **state)
{
	(void)state;
	NAMED(MESSAGE(.message_id = TEXT("E1abCde-0000000ABCD-1EfG@mx.example.org")), "Exim");
	NAMED(MESSAGE(.message_id = TEXT("20261122101530.4XyZ12345@mx.example.org")), "Postfix");
	NAMED(MESSAGE(.message_id = TEXT("202611221015.4AMAFxYz012345@mx.example.org")), "Sendmail");
	assert_null(MESSAGE(.message_id = TEXT("E1abCde-000123-4FX@mx.example.org")));
	assert_null(MESSAGE(.message_id = TEXT("2026112210153")));
	assert_null(MESSAGE(.message_id = TEXT("E1abCde-000123-")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greetings_name_the_server),
		cmocka_unit_test(acceptance_names_a_server_that_hides),
		cmocka_unit_test(messages_name_their_writer),
		cmocka_unit_test(responders_come_before_the_server_that_carries_them),
		cmocka_unit_test(ids_of_messages_tell_when_nothing_else_does),
	};

	return cmocka_run_group_tests_name("software", tests, NULL, NULL);
}
