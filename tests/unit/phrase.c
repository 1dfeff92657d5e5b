/* Unit tests of phrase.c, and of the table in data/phrases.def that users may edit. */
#include "sensor/phrase.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct found {
	uint16_t id[16];
	uint8_t count;
};

static struct found search_split(const char *text, size_t n, size_t split)
{
	struct phrase_search *s = malloc(sizeof *s);
	struct found f = { .count = 0 };

	phrase_init(s, (struct phrase_list){ f.id, &f.count, 16 });
	for (size_t at = 0; at < n; at += split) {
		size_t k = n - at < split ? n - at : split;
		char *copy = malloc(k);

		memcpy(copy, text + at, k);
		phrase_push(s, (struct text){ copy, (uint32_t)k });
		free(copy);
	}
	phrase_flush(s);
	free(s);
	return f;
}

/* The ids found in a text, the same however it is cut; 0 ends the list. */
static void expect(const char *text, const uint16_t *ids)
{
	size_t n = strlen(text);

	for (size_t split = 1; split <= n; split = split < 70 ? split + 1 : split * 2) {
		struct found f = search_split(text, n, split);

		for (unsigned i = 0; i < f.count; i++)
			assert_int_equal(f.id[i], ids[i]);
		assert_int_equal(ids[f.count], 0);
	}
}

static struct found subject(const char *s)
{
	struct found f = { .count = 0 };
	size_t n = strlen(s);
	char *copy = malloc(n ? n : 1);

	memcpy(copy, s, n);
	phrase_search_subject((struct text){ copy, (uint32_t)n }, (struct phrase_list){ f.id, &f.count, 16 });
	free(copy);
	return f;
}

static void table_is_in_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PHRASE_COUNT; i++) {
		const struct phrase *p = &phrases[i];

		assert_true(p->id > 0);
		assert_true(p->len >= 5 && p->len <= PHRASE_MAX);
		assert_true((p->text[0] >= 'a' && p->text[0] <= 'z') || (p->where == SUBJECT && (unsigned char)p->text[0] >= 0xC0) || p->where == CODE);
		for (unsigned k = 0; k < p->len; k++) {
			assert_true(p->text[k] == lower(p->text[k]));
			assert_false(p->text[k] != ' ' && is_blank(p->text[k]));
			assert_false(p->text[k] == ' ' && p->text[k + 1] == ' ');
		}
		for (unsigned k = 0; k < i; k++)
			assert_true(phrases[k].id != p->id);
	}
	assert_true(phrase_version() >= 1);
}

static void every_phrase_is_found(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PHRASE_COUNT; i++) {
		const struct phrase *p = &phrases[i];
		bool seen = false;

		if (p->class == PHRASE_SEPARATOR)
			continue;
		struct found f = p->where == BODY || p->where == CODE ? search_split(p->text, p->len, p->len) : subject(p->text);

		for (unsigned k = 0; k < f.count; k++)
			seen |= f.id[k] == p->id;
		assert_true(seen);
	}
}

static void case_blanks_and_line_breaks_do_not_matter(void **state)
{
	(void)state;
	expect("Well. THIS is the\r\n mail\t \tsystem at\nhost x", (uint16_t[]){ 30, 0 });
	expect("This message was created automatically by mail delivery software.\r\n", (uint16_t[]){ 32, 0 });
}

static void phrases_begin_at_a_word(void **state)
{
	(void)state;
	expect("xthis is the mail system at host", (uint16_t[]){ 0 });
	expect("(this is the mail system at host)", (uint16_t[]){ 30, 0 });
}

static void ids_come_once_in_the_order_of_first_match(void **state)
{
	(void)state;
	expect("Transcript of session follows. This is the mail system at host. Transcript of session follows.", (uint16_t[]){ 37, 30, 0 });
}

static void phrases_are_found_wherever_the_window_ends(void **state)
{
	(void)state;
	static const char phrase[] = "this is the mail system at host";

	for (size_t before = PHRASE_WINDOW - 200; before < PHRASE_WINDOW + 200; before++) {
		size_t n = before + 1 + sizeof phrase - 1;
		char *text = malloc(n);

		memset(text, 'x', before);
		text[before] = ' ';
		memcpy(text + before + 1, phrase, sizeof phrase - 1);
		struct found f = search_split(text, n, n);
		assert_int_equal(f.count, 1);
		free(text);
	}
}

static void a_hole_parts_what_is_before_and_behind(void **state)
{
	(void)state;
	struct phrase_search s;
	struct found f = { .count = 0 };

	phrase_init(&s, (struct phrase_list){ f.id, &f.count, 16 });
	phrase_push(&s, TEXT("this is the mail "));
	phrase_flush(&s);
	phrase_push(&s, TEXT("system at host"));
	phrase_flush(&s);
	assert_int_equal(f.count, 0);
}

static bool has_code(const char *text)
{
	struct found f = search_split(text, strlen(text), strlen(text));
	bool seen = false;

	for (unsigned i = 0; i < f.count; i++)
		seen |= f.id[i] == code_id;
	return seen;
}

static void reply_codes_with_their_status_are_found_in_any_language(void **state)
{
	(void)state;
	expect("#550 5.1.1 RESOLVER", (uint16_t[]){ code_id, 0 });
	assert_true(has_code("(#5.1.1)"));
	assert_true(has_code("550-5.2.2 voll"));
	assert_true(has_code("450 4.7.1: x"));
	assert_true(has_code("host said: 550 #5.1.0."));
	assert_false(has_code("550 4.1.1"));		/* of another class */
	assert_false(has_code("550 5.1 5.1.1"));
	assert_false(has_code("version 5.1.1"));
	assert_false(has_code("556 5.1.1.7"));		/* an address, perhaps */
	assert_false(has_code("1550 5.1.1"));
	assert_false(has_code("590 5.1.1"));		/* RFC 5321 4.2.1: the second digit is at most 5 */
	assert_false(has_code("550 5.1.1234"));
	assert_false(has_code("550 5.1."));
	assert_false(has_code("550 "));
}

static void accents_do_not_matter(void **state)
{
	(void)state;
	expect("Ihre Nachricht hat einige oder alle Empf\xc3\xa4nger nicht erreicht", (uint16_t[]){ 380, 0 });
	expect("Ihre Nachricht hat einige oder alle Empf\xe4nger nicht erreicht", (uint16_t[]){ 380, 0 });
	expect("Votre message n\xe2\x80\x99" "est pas parvenu \xc3\xa0 certains", (uint16_t[]){ 386, 0 });
	expect("Votre message n\x92" "est pas parvenu \xe0\xa0" "certains", (uint16_t[]){ 0 });
	expect("Jestem na urlopie i nie mo\xc5\xbcna dostarczy\xc4\x87 wiadomo\xc5\x9b" "ci", (uint16_t[]){ 784, 406, 0 });
	assert_int_equal(subject("R\xc3\xa9ponse automatique\xc2\xa0: x").id[0], 84);
	assert_int_equal(subject("=?iso-8859-1?Q?R=E9ponse_automatique?= : x").id[0], 84);
	assert_int_equal(subject("Autoodpowied\xc5\xba: x").id[0], 522);
	assert_int_equal(subject("\xe4\xb8\x8d\xe5\x9c\xa8\xe3\x81\xae\xe3\x81\x8a").count, 1);
}

static void charsets_of_other_scripts_have_phrases_of_their_own(void **state)
{
	(void)state;
	assert_int_equal(subject("=?ISO-2022-JP?B?GyRCPCtGMDF+RXobKEI6IHg=?=").id[0], 1475);
	assert_int_equal(subject("=?iso-2022-jp?B?GyRCIVo8K0YwSlY/LiFbGyhCeA==?=").id[0], 1494);
	assert_int_equal(subject("=?koi8-r?B?4dfUz83B1MnexdPLycogz9TXxdQ6IHg=?=").id[0], 1467);
	assert_int_equal(subject("=?gb2312?B?19S2r7TwuLQ6IHg=?=").id[0], 1477);
	assert_int_equal(subject("\xd7\xd4\xb6\xaf\xb4\xf0\xb8\xb4: x").id[0], 1477);	/* not encoded at all */
}

static void a_whole_subject_is_no_more_than_that(void **state)
{
	(void)state;
	assert_int_equal(subject("Automatic reply").id[0], 570);
	assert_int_equal(subject(" Automatic reply ").id[0], 570);
	assert_int_equal(subject("Automatic reply of the week").count, 0);
}

static void tags_in_front_of_a_subject_are_passed_over(void **state)
{
	(void)state;
	assert_int_equal(subject("[campus.example #1482] AutoReply: minutes").id[0], 74);
	assert_int_equal(subject("[a] [b]Undelivered Mail Returned to Sender").id[0], 1);
	assert_int_equal(subject("*** Undelivered Mail Returned to Sender").id[0], 1);
	assert_int_equal(subject("[postmaster] Email Delivery Failure").count, 1);
	assert_int_equal(subject("[unclosed").count, 0);
}

static void subjects_match_at_their_start_only(void **state)
{
	(void)state;
	assert_int_equal(subject("Undelivered  Mail Returned to Sender").id[0], 1);
	assert_int_equal(subject("=?utf-8?Q?Undeliverable=3A?= x").id[0], 10);
	assert_int_equal(subject("=?UTF-8?B?UsOpcG9uc2UgYXV0b21hdGlxdWU=?= : x").id[0], 84);
	assert_int_equal(subject("Re: Undelivered Mail Returned to Sender").count, 0);
	assert_int_equal(subject("").count, 0);
}

static uint16_t separator(const char *line)
{
	struct phrase_search s;
	struct found f = { .count = 0 };
	size_t n = strlen(line);
	char *copy = malloc(n ? n : 1);

	phrase_init(&s, (struct phrase_list){ f.id, &f.count, 16 });
	memcpy(copy, line, n);
	uint16_t id = phrase_separator((struct text){ copy, (uint32_t)n });
	free(copy);
	return id;
}

static void separators_are_whole_lines(void **state)
{
	(void)state;
	assert_int_equal(separator("--- Below this line is a copy of the message."), 160);
	assert_int_equal(separator("------ This is a copy of the message, including all the headers. ------"), 161);
	assert_int_equal(separator("   ----- Unsent message follows -----"), 163);
	assert_int_equal(separator("Original message headers:"), 166);
	assert_int_equal(separator("This is a copy of what I sent"), 0);
	assert_int_equal(separator("--- Original messages are lost"), 0);
	assert_int_equal(separator("the Original message"), 0);
	assert_int_equal(separator(""), 0);
	assert_int_equal(separator("-----"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_in_order),
		cmocka_unit_test(every_phrase_is_found),
		cmocka_unit_test(case_blanks_and_line_breaks_do_not_matter),
		cmocka_unit_test(phrases_begin_at_a_word),
		cmocka_unit_test(ids_come_once_in_the_order_of_first_match),
		cmocka_unit_test(phrases_are_found_wherever_the_window_ends),
		cmocka_unit_test(a_hole_parts_what_is_before_and_behind),
		cmocka_unit_test(reply_codes_with_their_status_are_found_in_any_language),
		cmocka_unit_test(accents_do_not_matter),
		cmocka_unit_test(charsets_of_other_scripts_have_phrases_of_their_own),
		cmocka_unit_test(a_whole_subject_is_no_more_than_that),
		cmocka_unit_test(tags_in_front_of_a_subject_are_passed_over),
		cmocka_unit_test(subjects_match_at_their_start_only),
		cmocka_unit_test(separators_are_whole_lines),
	};

	return cmocka_run_group_tests_name("phrase", tests, NULL, NULL);
}
