/* Unit tests of said.c: lines of real servers' texts, and of mail that is about something else. */
#include "sensor/said.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/texts.h"

static struct arena arena;
static uint32_t notes;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 64 * 1024);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

/* Each line in a block of its own, which is gone before the next one comes. */
static struct said read_text(const char *text)
{
	struct said s = { .count = 0 };

	while (*text) {
		size_t n = strcspn(text, "\n");
		char *copy = xmalloc(n ? n : 1);

		memcpy(copy, text, n);
		said_line(&s, &arena, (struct text){ copy, (uint32_t)n }, &notes);
		free(copy);
		text += n + (text[n] == '\n');
	}
	return s;
}

static const struct {
	const char *text, *address, *status, *reason;
} texts[] = {
	{ "<bob@own.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\nx@y.example is here.", "bob@own.example", "5.1.1",
	  "Sorry, no mailbox here by that name. (#5.1.1)" },					/* qmail */
	{ "<bob@own.example>: host inner[10.0.0.2] said: 550 5.1.1 unknown\n    (in reply to RCPT TO)", "bob@own.example", "5.1.1",
	  "host inner[10.0.0.2] said: 550 5.1.1 unknown (in reply to RCPT TO)" },		/* Postfix */
	{ "  bob@own.example\n    Unrouteable address", "bob@own.example", NULL, "Unrouteable address" },	/* Exim */
	{ "\"bob@own.example\":\nhost: mx\n5.1.1 <bob@own.example>: rejected", "bob@own.example", "5.1.1", "host: mx 5.1.1 <bob@own.example>: rejected" },
	{ "bob@own.example\n\n#550 5.1.1 RESOLVER.ADR", "bob@own.example", "5.1.1", "#550 5.1.1 RESOLVER.ADR" },	/* Exchange */
	{ "bob@own.example\n\nbecause:\n\nUser not listed", "bob@own.example", NULL, "because: User not listed" },	/* Domino */
	{ "550 5.1.1 <bob@own.example>... User unknown", "bob@own.example", "5.1.1", "550 5.1.1 <bob@own.example>... User unknown" },	/* Sendmail */
	{ "<bob@own.example>\n\n----- Transcript -----\n550 5.2.2 <bob@own.example>... full", "bob@own.example", "5.2.2",
	  "550 5.2.2 <bob@own.example>... full" },
	{ "Failed Recipient: bob@own.example\nReason: no such user", "bob@own.example", NULL, "Reason: no such user" },	/* SmarterMail */
	{ "\tRecipient: [SMTP:bob@own.example]\n", "bob@own.example", NULL, NULL },		/* MailEnable */
	{ "Final-Recipient: rfc822;bob@own.example\nStatus: 4.4.7", "bob@own.example", "4.4.7", "Status: 4.4.7" },	/* WorkMail */
	{ "The message to <bob@own.example> was undeliverable.", "bob@own.example", NULL, "was undeliverable." },	/* IronPort */
	{ "Unable to deliver message to: <bob@own.example>", "bob@own.example", NULL, NULL },	/* MailFoundry */
	{ "undeliverable to bob@own.example\n--- Original ---", "bob@own.example", NULL, NULL },	/* IMail */
	{ "   *** bob@own.example\n   554 not known", "bob@own.example", NULL, "554 not known" },	/* Mercury */
	{ "Empf\xc3\xa4nger: bob@own.example", "bob@own.example", NULL, NULL },
	/* Others */
	{ "Please write to postmaster@own.example.", NULL, NULL, NULL },
	{ "From: bob@own.example\nMail From: <bob@own.example>", NULL, NULL, NULL },
	{ "<bob@own.example> - user does not exist", "bob@own.example", NULL, "- user does not exist" },
	{ "bob@own.example (not found)", "bob@own.example", NULL, "(not found)" },		/* FirstClass */
	{ "bob@own.example is away", NULL, NULL, NULL },
	{ "bob@localhost", NULL, NULL, NULL },
	{ "@own.example\nbob@\n<@>:\n<>:\n@", NULL, NULL, NULL },
	{ "550 bob@own.example", NULL, NULL, NULL },
	{ "On Monday, Bob <bob@own.example> wrote:", NULL, NULL, NULL },
};

static void servers_name_recipients_in_many_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct said s = read_text(texts[i].text);

		assert_int_equal(s.count, texts[i].address ? 1 : 0);
		if (!texts[i].address)
			continue;
		assert_text(s.recipient[0].final_recipient, texts[i].address);
		assert_text(s.recipient[0].status, texts[i].status);
		assert_text(s.recipient[0].diagnostic, texts[i].reason);
	}
}

static void each_recipient_has_its_reason(void **state)
{
	struct said s = read_text("<a@x.example>:\nfull (#5.2.2)\n\n<b@x.example>:\nunknown 5.1.1\n");

	(void)state;
	assert_int_equal(s.count, 2);
	assert_text(s.recipient[0].status, "5.2.2");
	assert_text(s.recipient[1].diagnostic, "unknown 5.1.1");
}

static void statuses_are_no_addresses_or_versions(void **state)
{
	(void)state;
	assert_text(status_in(TEXT("5.1.1")), "5.1.1");
	assert_text(status_in(TEXT("(#4.4.1)")), "4.4.1");
	assert_text(status_in(TEXT("see 5.1.10.")), "5.1.10");
	assert_text(status_in(TEXT("10.5.1.1")), NULL);
	assert_text(status_in(TEXT("5.1.1.7")), NULL);
	assert_text(status_in(TEXT("v5.1.1")), NULL);
	assert_text(status_in(TEXT("5.5.2653.19")), NULL);
	assert_text(status_in(TEXT("5.1")), NULL);
	assert_text(status_in(TEXT("5.1.")), NULL);
}

static void texts_are_bounded(void **state)
{
	struct said s = { .count = 0 };
	char line[600];

	(void)state;
	for (int i = 0; i < 2 * SAID_KEPT; i++) {
		snprintf(line, sizeof line, "u%d@x.example", i);
		said_line(&s, &arena, (struct text){ line, (uint32_t)strlen(line) }, &notes);
	}
	assert_int_equal(s.count, SAID_KEPT);
	s = read_text("a@x.example");
	memset(line, 'x', sizeof line);
	said_line(&s, &arena, (struct text){ line, 300 }, &notes);
	said_line(&s, &arena, (struct text){ line, sizeof line }, &notes);
	said_line(&s, &arena, (struct text){ line, 3 }, &notes);
	assert_int_equal(s.recipient[0].diagnostic.len, REASON_BYTES);
}

static void a_hole_ends_a_reason(void **state)
{
	struct said s = read_text("a@x.example\nhost said:");

	(void)state;
	said_gap(&s);
	said_line(&s, &arena, TEXT("something else"), &notes);
	assert_text(s.recipient[0].diagnostic, "host said:");
}

static void a_field_adds_recipients(void **state)
{
	struct said s = read_text("a@x.example\nfull 5.2.2\n");

	(void)state;
	said_failed(&s, &arena, TEXT("A@x.example, b@x.example,"), &notes);
	assert_int_equal(s.count, 2);
	assert_text(s.recipient[0].status, "5.2.2");
	assert_text(s.recipient[1].final_recipient, "b@x.example");
}

static void sentences_mention_recipients(void **state)
{
	struct said s = { .from = TEXT("postmaster@own.example"), .to = TEXT("me@x.example") };

	(void)state;
	said_line(&s, &arena, TEXT("Me@x.example:"), &notes);
	said_line(&s, &arena, TEXT("Dear me@x.example, your mail to (bob@own.example) did not arrive,"), &notes);
	said_line(&s, &arena, TEXT("nor that to bob@own.example and carol@own.example."), &notes);
	assert_int_equal(s.count, 0);
	said_mentioned(&s);
	assert_int_equal(s.count, 1);
	assert_text(s.recipient[0].final_recipient, "bob@own.example");
	s = read_text("<a@x.example>:\nwrite to b@x.example\n\nor to c@x.example");
	said_mentioned(&s);
	assert_int_equal(s.count, 1);
	assert_text(s.recipient[0].final_recipient, "a@x.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(servers_name_recipients_in_many_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(each_recipient_has_its_reason, setup, teardown),
		cmocka_unit_test(statuses_are_no_addresses_or_versions),
		cmocka_unit_test_setup_teardown(texts_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hole_ends_a_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(a_field_adds_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(sentences_mention_recipients, setup, teardown),
	};

	return cmocka_run_group_tests_name("said", tests, NULL, NULL);
}
