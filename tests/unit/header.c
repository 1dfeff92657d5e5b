/* Unit tests of header.c and transfer.c, which its encoded words need. Every value stands in a block of exactly its size. */
#include "sensor/header.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/unit/texts.h"

static void expect(struct text (*function)(struct text), const char *value, const char *expected)
{
	struct text t = tight(value);

	assert_text(function(t), expected);
	let_go(t);
}

static void expect_line(const char *line, enum header_line kind)
{
	struct text t = tight(line);

	assert_int_equal(header_line_kind(t), kind);
	let_go(t);
}

static void lines_are_told_as_python_tells_them(void **state)
{
	(void)state;
	expect_line("", HEADER_BLANK);
	expect_line("Subject: x", HEADER_FIELD);
	expect_line("a!#$:", HEADER_FIELD);
	expect_line(" ", HEADER_FOLD);
	expect_line("\tx", HEADER_FOLD);
	expect_line("From a@b Thu", HEADER_SKIP);
	expect_line(":", HEADER_SKIP);
	expect_line("Subject : x", HEADER_OTHER);
	expect_line("Subject", HEADER_OTHER);
	expect_line("S\xc3\xbc: x", HEADER_OTHER);
}

static void fields_are_unfolded_up_to_the_limit(void **state)
{
	(void)state;
	struct header_field f = { 0 };
	struct text first = tight("Subject: a"), fold = tight(" b");

	header_field_fold(&f, fold);	/* nothing to go on with */
	assert_false(f.open);
	header_field_begin(&f, first);
	header_field_fold(&f, fold);
	let_go(first);
	for (int i = 0; i < LIMIT_HEADER_LINE; i++)
		header_field_fold(&f, fold);
	let_go(fold);
	assert_int_equal(f.text.len, LIMIT_HEADER_LINE);
	f.text.len = 14;
	assert_text(f.text, "Subject: a b b");
	header_field_fini(&f);
}

static void split_parts_name_and_trimmed_value(void **state)
{
	(void)state;
	struct text field = tight("Name: \t value\t "), name, value;

	header_split(field, &name, &value);
	assert_text(name, "Name");
	assert_text(value, "value");
	let_go(field);
}

static void expect_param(const char *value, const char *name, const char *expected)
{
	struct text t = tight(value);
	char out[8];

	assert_text(header_param(t, name, out, sizeof out), expected);
	let_go(t);
}

static void parameters_are_found_and_unquoted(void **state)
{
	(void)state;
	expect_param("multipart/report; boundary=abc; x=y", "boundary", "abc");
	expect_param("multipart/report; BOUNDARY = \"a;b c\" ;x=y", "boundary", "a;b c");
	expect_param("x; a=\"boundary=no\"; boundary=yes", "boundary", "yes");
	expect_param("x; boundary=\"a\\\"b\"", "boundary", "a\"b");
	expect_param("x; boundary=\"12345678\"", "boundary", "12345678");
	expect_param("x; boundary=\"123456789\"", "boundary", NULL);
	expect_param("x; boundary=123456789", "boundary", NULL);
	expect_param("x; boundary*=abc", "boundary", NULL);
	expect_param("boundary=abc", "boundary", NULL);
	expect_param("x; boundary=", "boundary", "");
	expect_param("x; boundary=\"", "boundary", "");
	expect_param("x; boundary", "boundary", NULL);
	expect_param("", "boundary", NULL);
	expect_param("x;", "boundary", NULL);
}

static void media_types_end_before_parameters_and_comments(void **state)
{
	(void)state;
	expect(header_media_type, " Text/Plain ; charset=x", "Text/Plain");
	expect(header_media_type, "text/plain(x)", "text/plain");
	expect(header_media_type, "", "");
}

static void first_address_is_found(void **state)
{
	(void)state;
	expect(header_first_address, "a@b.example", "a@b.example");
	expect(header_first_address, "Name <a@b>", "a@b");
	expect(header_first_address, "\"Last, First <x@y>\" <a@b>, c@d", "a@b");
	expect(header_first_address, "Last, First <a@b>", "a@b");
	expect(header_first_address, "x@y <a@b>", "a@b");
	expect(header_first_address, "x@y, <a@b>", "x@y");
	expect(header_first_address, "a@b (Name, other)", "a@b");
	expect(header_first_address, "(c@d (nested\\)) ) a@b", "a@b");
	expect(header_first_address, "Group: a@b, c@d;", "a@b");
	expect(header_first_address, "undisclosed-recipients:;", NULL);
	expect(header_first_address, "\"a b\"@c.example", "\"a b\"@c.example");
	expect(header_first_address, "<\"a>b\"@c>", "\"a>b\"@c");
	expect(header_first_address, "<@r1,@r2:a@b>", "a@b");
	expect(header_first_address, "a@[IPv6:::1]", "a@[IPv6:::1]");
	expect(header_first_address, "MAILER-DAEMON (Mail Delivery System)", "MAILER-DAEMON");
	expect(header_first_address, "MAILER-DAEMON, a@b", "a@b");
	expect(header_first_address, "<>", "");
	expect(header_first_address, "", NULL);
	expect(header_first_address, " , ; ", NULL);
	expect(header_first_address, "<a@b", "a@b");
	expect(header_first_address, "\"a\\", "\"a\\");
	expect(header_first_address, "a [b", "a");
}

static void ids_are_found(void **state)
{
	(void)state;
	expect(header_first_id, "<1@a> <2@a>", "1@a");
	expect(header_first_id, "Your message of today <1@a>", "1@a");
	expect(header_first_id, "bare@a", "bare@a");
	expect(header_first_id, "nothing", NULL);
	expect(header_first_id, "<1@a", "<1@a");
	expect(header_first_id, "", NULL);
	expect(header_last_id, "<1@a><2@a>\t<3@a>", "3@a");
	expect(header_last_id, "<1@a> <2@", "1@a");
	expect(header_last_id, "", NULL);
	expect(header_strip_angle, " <1@a> (added)", "1@a");
	expect(header_strip_angle, "1@a", "1@a");
	expect(header_strip_angle, "<1@a", "<1@a");
	expect(header_strip_angle, "<>", "");
}

static void expect_result(const char *value, const char *method, const char *expected)
{
	struct text t = tight(value);

	assert_text(header_auth_result(t, method), expected);
	let_go(t);
}

static void authentication_results_are_read(void **state)
{
	(void)state;
	static const char full[] = "(c;c) mx.example 1; spf=fail (a; spf=pass) smtp.mailfrom=x; dkim = none; dkim/1=pass header.d=y; dmarc=(c) temperror";

	expect(header_auth_server, full, "mx.example");
	expect_result(full, "spf", "fail");
	expect_result(full, "dkim", "pass");
	expect_result(full, "dmarc", "temperror");
	expect_result(full, "arc", NULL);
	expect(header_auth_server, "spf=pass (sender IP is x); dkim=none", NULL);
	expect_result("spf=pass (sender IP is x); dkim=none", "spf", "pass");
	expect(header_auth_server, "mx; none", "mx");
	expect(header_auth_server, "", NULL);
	expect_result("mx; spf", "spf", NULL);
	expect_result("mx; spf=", "spf", NULL);
}

static void tags_are_read(void **state)
{
	(void)state;
	struct text t = tight("v=1; bh=d=x; d = a.example ; s=1");

	assert_text(header_tag(t, "d"), "a.example");
	assert_text(header_tag(t, "x"), NULL);
	let_go(t);
}

static void expect_decoded(const char *value, const char *expected, size_t size)
{
	struct text t = tight(value);
	char *out = malloc(size);

	assert_text(header_decode_words(t, out, size), expected);
	free(out);
	let_go(t);
}

static void encoded_words_are_decoded(void **state)
{
	(void)state;
	expect_decoded("plain =? text", "plain =? text", 100);
	expect_decoded("=?utf-8?Q?Undeliverable=3A_x?=", "Undeliverable: x", 100);
	expect_decoded("=?utf-8?b?VW5kZWxpdmVyYWJsZTo=?= x", "Undeliverable: x", 100);
	expect_decoded("a =?x?q?b?= =?x?q?c?=  d", "a bc  d", 100);
	expect_decoded("=?x?q?=4?= =?x?q?=?= =?x?q?==?=", "=4=", 100);
	expect_decoded("=?x?q?abc", "=?x?q?abc", 100);
	expect_decoded("=?x?q?too long for it?=", "=?x?q?too ", 10);
	expect_decoded("", "", 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_told_as_python_tells_them),
		cmocka_unit_test(fields_are_unfolded_up_to_the_limit),
		cmocka_unit_test(split_parts_name_and_trimmed_value),
		cmocka_unit_test(parameters_are_found_and_unquoted),
		cmocka_unit_test(media_types_end_before_parameters_and_comments),
		cmocka_unit_test(first_address_is_found),
		cmocka_unit_test(ids_are_found),
		cmocka_unit_test(authentication_results_are_read),
		cmocka_unit_test(tags_are_read),
		cmocka_unit_test(encoded_words_are_decoded),
	};

	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
