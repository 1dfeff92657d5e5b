/* Unit tests of received.c: one line of each server's kind, and lines that lie. */
#include "sensor/received.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Parses a copy of exactly the value's size; the texts are compared before it is freed. NULL: not found; ip "": none. */
static void expect(const char *value, bool found, const char *from, const char *ip, const char *by, const char *with, const char *id)
{
	const char *expected[] = { from, by, with, id };
	size_t n = strlen(value);
	char *copy = malloc(n ? n : 1), shown[IP_TEXT_MAX];
	struct fact_received r;

	memcpy(copy, value, n);
	assert_int_equal(received_parse((struct text){ copy, (uint32_t)n }, &r), found);
	struct text seen[] = { r.from_host, r.by_host, r.with, r.id };

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(seen[i].p != NULL, expected[i] != NULL);
		if (!expected[i])
			continue;
		assert_int_equal(seen[i].len, strlen(expected[i]));
		assert_memory_equal(seen[i].p, expected[i], seen[i].len);
	}
	assert_string_equal(ip_format(&r.from_ip, shown), ip);
	free(copy);
}

static void postfix_line_is_read(void **state)
{
	(void)state;
	expect("from helo.example (name.example [192.0.2.1])\t(using TLSv1.3 with cipher X (256/256 bits))\t(No client certificate requested)"
		"\tby mx.example (Postfix) with ESMTPS id 4ABC12\tfor <a@b.example>; Thu,  1 Jan 2026 00:00:00 +0000 (UTC)", true,
		"helo.example", "192.0.2.1", "mx.example", "ESMTPS", "4ABC12");
	expect("from h (unknown [IPv6:2001:db8::1]) by mx (Postfix) with ESMTP id 1; d", true, "h", "2001:db8::1", "mx", "ESMTP", "1");
	expect("by mx.example (Postfix, from userid 0) id 99; d", true, NULL, "", "mx.example", NULL, "99");
}

static void exim_line_is_read(void **state)
{
	(void)state;
	expect("from name.example ([192.0.2.1]:4321 helo=[10.0.0.1]) by mx.example with esmtps (TLS1.3) tls X (Exim 4.96) (envelope-from <e@x>)"
		" id 1xUxny-00000x-0S for a@b.example; d", true,
		"name.example", "192.0.2.1", "mx.example", "esmtps", "1xUxny-00000x-0S");
	expect("from [192.0.2.1] (helo=foo) by mx with smtp (Exim 4.96) id 1; d", true, "[192.0.2.1]", "192.0.2.1", "mx", "smtp", "1");
	expect("from localhost (name.example) [127.0.0.1] by mx with esmtp id 1; d", true, "localhost", "127.0.0.1", "mx", "esmtp", "1");
}

static void sendmail_line_is_read(void **state)
{
	(void)state;
	expect("from helo (name.example [192.0.2.1] (may be forged)) by mx.example (8.17.1.9/8.17.1.9) with ESMTP id 6AM321RB000097 for <a@b>; d", true,
		"helo", "192.0.2.1", "mx.example", "ESMTP", "6AM321RB000097");
	expect("(from user@localhost) by mx.example (8.17/8.17/Submit) id 6A; d", true, NULL, "", "mx.example", NULL, "6A");
}

static void opensmtpd_and_courier_lines_are_read(void **state)
{
	(void)state;
	expect("from helo (name [192.0.2.1]) by mx (OpenSMTPD) with ESMTP id cbc0f6ae for <a@b>; d", true, "helo", "192.0.2.1", "mx", "ESMTP", "cbc0f6ae");
	expect("from helo (name [::ffff:192.0.2.1]) by mx with ESMTP id 000000006B025AAF.00000088; d", true,
		"helo", "192.0.2.1", "mx", "ESMTP", "000000006B025AAF.00000088");
}

static void qmail_line_is_read(void **state)
{
	(void)state;
	expect("from unknown (HELO 10.0.0.9) (192.0.2.1)  by mx.example with SMTP; 1 Jan 2026 00:00:00 -0000", true,
		"unknown", "192.0.2.1", "mx.example", "SMTP", NULL);
	expect("from 127.0.0.1  (EHLO h.example) (192.0.2.1)  by mx.example with SMTPS; d", true, "127.0.0.1", "192.0.2.1", "mx.example", "SMTPS", NULL);
	expect("from x (HELO [10.0.0.1]) ([192.0.2.1]) (envelope-sender <a@b>) by mx with SMTP for <c@d>; d", true, "x", "192.0.2.1", "mx", "SMTP", NULL);
	expect("(qmail 123 invoked for bounce); 1 Jan 2026", false, NULL, "", NULL, NULL, NULL);
}

static void exchange_and_gmail_lines_are_read(void **state)
{
	(void)state;
	expect("from A.example (2603:10a6::1) by B.example (10.0.0.2) with Microsoft SMTP Server (version=TLS1_2, cipher=X) id 15.1.1; d", true,
		"A.example", "2603:10a6::1", "B.example", "Microsoft", "15.1.1");
	expect("from m.example (m.example. [192.0.2.1])        by mx.google.com with ESMTPS id x-1.2.2026        for <a@b>        (version=TLS1_3); d", true,
		"m.example", "192.0.2.1", "mx.google.com", "ESMTPS", "x-1.2.2026");
	expect("by 2002:a05:6512::1 with SMTP id x; d", true, NULL, "", "2002:a05:6512::1", "SMTP", "x");
}

static void the_address_in_brackets_wins_over_names_that_look_like_one(void **state)
{
	(void)state;
	expect("from 10.1.1.1 (10.2.2.2 [192.0.2.1]) by mx; d", true, "10.1.1.1", "192.0.2.1", "mx", NULL, NULL);
	expect("from [10.1.1.1] (unknown [192.0.2.1]) by mx; d", true, "[10.1.1.1]", "192.0.2.1", "mx", NULL, NULL);
	expect("from h (x) by mx ([192.0.2.9]) with ESMTP; d", true, "h", "", "mx", "ESMTP", NULL);
}

static void a_semicolon_in_a_comment_is_not_before_the_date(void **state)
{
	(void)state;
	expect("from h by mx (a; b) id 7; with d (e; f)", true, "h", "", "mx", NULL, "7");
	expect("from h by mx (a; b) with c", true, "h", "", "mx", "c", NULL);
}

static void odd_values_are_survived(void **state)
{
	(void)state;
	expect("", false, NULL, "", NULL, NULL, NULL);
	expect("from", false, NULL, "", NULL, NULL, NULL);
	expect("from (", false, NULL, "", NULL, NULL, NULL);
	expect("from ((((\\", false, NULL, "", NULL, NULL, NULL);
	expect("from a ([192.0.2.1", true, "a", "", NULL, NULL, NULL);
	expect(";", false, NULL, "", NULL, NULL, NULL);
	expect("for <", false, NULL, "", NULL, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(postfix_line_is_read),
		cmocka_unit_test(exim_line_is_read),
		cmocka_unit_test(sendmail_line_is_read),
		cmocka_unit_test(opensmtpd_and_courier_lines_are_read),
		cmocka_unit_test(qmail_line_is_read),
		cmocka_unit_test(exchange_and_gmail_lines_are_read),
		cmocka_unit_test(the_address_in_brackets_wins_over_names_that_look_like_one),
		cmocka_unit_test(a_semicolon_in_a_comment_is_not_before_the_date),
		cmocka_unit_test(odd_values_are_survived),
	};

	return cmocka_run_group_tests_name("received", tests, NULL, NULL);
}
