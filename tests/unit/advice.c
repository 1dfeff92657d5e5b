/* Unit tests of reader/advice.c and advice.def. */
#include "reader/advice.c"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const kinds[] = { "bounce", "delay-notice", "success-notice", "autoreply", "ticket", "read-receipt", "challenge", "content-notice",
	"list-notice", "callout", "automated-unknown" };
static const char *const defects[] = { "accepts-unknown", "open-relay", "auth-clear", "no-starttls", "autoreply-repeated", "autoreply-to-null",
	"autoreply-to-list", "autoreply-unmarked", "pushed-bounce" };
static const char *const causes[] = { NULL, "user-unknown", "mailbox-full", "content", "policy", "other", "of a later version" };

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct advice *find(const char *matter, const char *cause, const char *software, bool inner)
{
	return advice_find(&(struct advice_query){ matter, cause, software, NULL, inner ? "inner" : NULL });
}

static void every_matter_has_advice(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT(kinds); k++)
		for (size_t c = 0; c < 2 * COUNT(causes); c++) {
			assert_non_null(find(kinds[k], causes[c / 2], NULL, c % 2));
			assert_non_null(find(kinds[k], causes[c / 2], "a server of tomorrow", c % 2));
		}
	for (size_t k = 0; k < COUNT(defects); k++)
		assert_non_null(find(defects[k], NULL, NULL, false));
	assert_null(find("no such matter", NULL, NULL, false));
}

/* No row stands behind one that takes all its cases. */
static void every_row_is_reached(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct advice *r = &rows[i];

		struct advice_query q = { r->matter, r->cause, r->software, NULL, r->where };

		assert_ptr_equal(advice_find(&q), r);
	}
}

static void check_text(const char *text, bool lines)
{
	if (!text)
		return;
	assert_true(*text && text[strlen(text) - 1] != '.');
	for (const char *p = text; *p; p++)
		assert_true((*p >= ' ' && *p < 127) || (lines && *p == '\n'));
}

static void texts_can_be_shown_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		assert_non_null(rows[i].what);
		assert_true(islower((unsigned char)rows[i].what[0]));
		check_text(rows[i].what, false);
		check_text(rows[i].setting, true);
		check_text(rows[i].file, false);
		check_text(rows[i].trap, false);
		assert_true(!rows[i].setting == !rows[i].file);
		assert_true(!rows[i].software || rows[i].setting);	/* what one software needs is more than a sentence */
	}
}

static void the_software_that_people_run_has_its_setting(void **state)
{
	static const char *const servers[] = { "Postfix", "Exim", "Sendmail", "OpenSMTPD", "Courier", "qmail", "Exchange", "Microsoft 365",
		"Google Workspace", "Haraka" };

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(servers); i++) {
		const struct advice *a = find("bounce", "user-unknown", servers[i / 2], i % 2);

		assert_non_null(a->software);
		assert_string_equal(a->software, servers[i / 2]);
	}
	assert_non_null(strstr(find("callout", NULL, "Exim", false)->setting, "sender/callout"));
	assert_non_null(strstr(find("callout", NULL, "Postfix", false)->setting, "remove reject_unverified_sender"));
}

static void what_wrote_the_answer_is_what_is_to_be_changed(void **state)
{
	const struct advice *a = advice_find(&(struct advice_query){ "autoreply", NULL, "Postfix", "Dovecot Pigeonhole", NULL });

	(void)state;
	assert_string_equal(a->software, "Dovecot Pigeonhole");
	a = advice_find(&(struct advice_query){ "bounce", "user-unknown", "Postfix", "a program without a row", "inner" });
	assert_string_equal(a->software, "Postfix");
}

/* Popular, and wrong: it loses lawful mail, gets the server listed, or changes nothing. */
static void nothing_harmful_is_recommended(void **state)
{
	static const char *const harmful[] = { "verify_sender", "unverified_recipient_defer_code", "check_sender_access", "soft_bounce = yes",
		"reject_unverified_sender", "D_BOUNCE", "-NDREnabled $false", "v=spf1", "encrypt", "blackhole" };

	(void)state;
	for (size_t i = 0; i < ROW_COUNT; i++)
		for (size_t h = 0; h < COUNT(harmful); h++) {
			const char *found = rows[i].setting ? strstr(rows[i].setting, harmful[h]) : NULL;

			assert_true(!found || strcmp(rows[i].matter, "callout") == 0);
			assert_null(strstr(rows[i].what, harmful[h]));
		}
	for (size_t k = 0; k < COUNT(kinds); k++)
		assert_null(strstr(find(kinds[k], NULL, NULL, false)->what, "null sender is"));
}

static void what_is_queued_is_not_forgotten(void **state)
{
	(void)state;
	assert_true(advice_has_queue("bounce"));
	assert_false(advice_has_queue("callout"));
	assert_false(advice_has_queue("open-relay"));
	assert_non_null(strstr(advice_queue("Postfix")->remove, "postsuper"));
	assert_non_null(advice_queue("a server of tomorrow")->show);
	assert_non_null(advice_queue(NULL)->show);
	assert_null(advice_queue("Microsoft 365")->remove);
	assert_non_null(advice_log("Exim"));
	assert_null(advice_log("a server of tomorrow"));
	assert_null(advice_log(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_matter_has_advice),
		cmocka_unit_test(every_row_is_reached),
		cmocka_unit_test(texts_can_be_shown_anywhere),
		cmocka_unit_test(the_software_that_people_run_has_its_setting),
		cmocka_unit_test(what_wrote_the_answer_is_what_is_to_be_changed),
		cmocka_unit_test(nothing_harmful_is_recommended),
		cmocka_unit_test(what_is_queued_is_not_forgotten),
	};

	return cmocka_run_group_tests_name("advice", tests, NULL, NULL);
}
