/* reply.c - reply lines and queue ids in the words of real servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sensor/reply.c"

#include "tests/unit/texts.h"

static void assert_part(const char *where, struct text t, const char *wanted)
{
	if (!t.p != !wanted || (wanted && (t.len != strlen(wanted) || memcmp(t.p, wanted, t.len) != 0)))
		fail_msg("\"%s\": \"%.*s\", not \"%s\"", where, t.p ? (int)t.len : 4, t.p ? t.p : "NULL", wanted ? wanted : "NULL");
}

static void reply_lines(void **state)
{
	static const struct { const char *line; unsigned code; bool more, odd; const char *enhanced, *text; } row[] = {
		{ "250 ok", 250, false, false, NULL, "ok" },
		{ "250-ok", 250, true, false, NULL, "ok" },
		{ "250", 250, false, false, NULL, "" },
		{ "250 ", 250, false, false, NULL, "" },
		{ "250-", 250, true, false, NULL, "" },
		{ "550 5.1.1 gone", 550, false, false, "5.1.1", "gone" },
		{ "550-5.1.1 gone", 550, true, false, "5.1.1", "gone" },
		{ "550 5.1.1", 550, false, false, "5.1.1", "" },
		{ "250 2.0.0  two blanks", 250, false, false, "2.0.0", "two blanks" },
		{ "554 5.7.123 x", 554, false, false, "5.7.123", "x" },
		{ "421 4.4.2\tx", 421, false, false, "4.4.2", "\tx" },
		{ "550 #5.1.0 Address rejected.", 550, false, false, NULL, "#5.1.0 Address rejected." },
		{ "550 5.1.1<a@b.example> gone", 550, false, false, NULL, "5.1.1<a@b.example> gone" },
		{ "250 3.0.0 class", 250, false, false, NULL, "3.0.0 class" },
		{ "250 2.0 short", 250, false, false, NULL, "2.0 short" },
		{ "250 2.1.1234 long", 250, false, false, NULL, "2.1.1234 long" },
		{ "250 2.1.5.6 deep", 250, false, false, NULL, "2.1.5.6 deep" },
		{ "250 2..5 hole", 250, false, false, NULL, "2..5 hole" },
		{ "354 go", 354, false, false, NULL, "go" },
		{ "334 VXNlcm5hbWU6", 334, false, false, NULL, "VXNlcm5hbWU6" },
		{ "400", 400, false, false, NULL, "" },
		{ "4.7.0 try again", 400, false, true, "4.7.0", "try again" },
		{ "5.1.1", 500, false, true, "5.1.1", "" },
		{ "550,text", 550, false, true, NULL, ",text" },
		{ "550text", 550, false, true, NULL, "text" },
		{ "199 early", 199, false, true, NULL, "early" },
		{ "999 late", 999, false, true, NULL, "late" },
		{ "000 zero", 0, false, true, NULL, "zero" },
		{ "550 \x80\xff", 550, false, false, NULL, "\x80\xff" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct text line = tight(row[i].line);
		struct reply_line r;

		if (!reply_parse(line, &r))
			fail_msg("\"%s\" is no reply", row[i].line);
		if (r.code != row[i].code || r.more != row[i].more || r.odd != row[i].odd)
			fail_msg("\"%s\": code %u more %d odd %d", row[i].line, r.code, r.more, r.odd);
		assert_part(row[i].line, r.enhanced, row[i].enhanced);
		assert_part(row[i].line, r.text, row[i].text);
		let_go(line);
	}
}

static void what_is_no_reply(void **state)
{
	static const char *const row[] = { "", "2", "25", "abc", "25a ok", " 250 ok", "2500 ok", "HTTP/1.1 200 OK", "\x15\x03\x01", "4.7 text",
		"4.7.0text", "1.2.3 text", "+OK", "* OK IMAP" };

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct text line = tight(row[i]);
		struct reply_line r;

		if (reply_parse(line, &r))
			fail_msg("\"%s\" is a reply", row[i]);
		let_go(line);
	}
}

/* What the server says behind "250 " and the enhanced code. */
static void queue_ids(void **state)
{
	static const struct { const char *text, *id; } row[] = {
		{ "Ok: queued as 1163244C5", "1163244C5" },				/* Postfix */
		{ "Ok: queued as 4c8Xyz1qZ2z9sV0", "4c8Xyz1qZ2z9sV0" },			/* Postfix, long ids */
		{ "from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 5C0DE9A1B2", "5C0DE9A1B2" },	/* amavis */
		{ "OK id=1xUxny-00000x-0S", "1xUxny-00000x-0S" },			/* Exim */
		{ "OK id=1rABCD-00000001xyz-2Def", "1rABCD-00000001xyz-2Def" },		/* Exim 4.97 */
		{ "6AM321RB000097 Message accepted for delivery", "6AM321RB000097" },	/* Sendmail */
		{ "cbc0f6ae Message accepted for delivery", "cbc0f6ae" },		/* OpenSMTPD */
		{ "Ok. 000000006B025AAF.00000088", "000000006B025AAF.00000088" },	/* Courier */
		{ "ok 1700000000 qp 12345", "12345" },					/* qmail */
		{ "<20261116.abc@ex1.example.com> [InternalId=1234567890, Hostname=ex1.example.com] Queued mail for delivery", "1234567890" },
		{ "OK  1700000000 a12-20020a05600c.98 - gsmtp", "a12-20020a05600c.98" },	/* Gmail */
		{ "OK 1700000000 a640c23a62f3a-a9f1.98 - gsmtp", "a640c23a62f3a-a9f1.98" },
		{ "Message Queued (A1B2C3D4-0001-4000-8000-00000000000A.1)", "A1B2C3D4-0001-4000-8000-00000000000A.1" },	/* Haraka */
		{ "message queued as 77aa88bb", "77aa88bb" },
		{ "<carol@example.com> bq7GEf9zKGp8AAAA Saved", NULL },			/* Dovecot LMTP: a session id, no queue */
		{ "Ok", NULL },
		{ "", NULL },
		{ "queued as ", NULL },
		{ "queued as x", NULL },						/* too short for an id */
		{ "OK id=", NULL },
		{ "Message accepted for delivery", NULL },
		{ "Thank you", NULL },
		{ "ok.", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct text text = tight(row[i].text);

		assert_part(row[i].text, reply_queue_id(text), row[i].id);
		let_go(text);
	}
	assert_null(reply_queue_id((struct text){ 0 }).p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reply_lines), cmocka_unit_test(what_is_no_reply), cmocka_unit_test(queue_ids) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
