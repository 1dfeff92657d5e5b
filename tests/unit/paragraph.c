/* Unit tests of common/paragraph.c. */
#include "common/paragraph.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_paragraph(unsigned indent, const char *text, const char *expected)
{
	struct buf out = { 0 };

	paragraph(&out, indent, text);
	assert_string_equal(buf_cstr(&out), expected);
	buf_fini(&out);
}

#define TEN "123456789 "
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

static void short_lines_stay(void **state)
{
	(void)state;
	assert_paragraph(4, "", "\n");
	assert_paragraph(4, "a b", "a b\n");
	assert_paragraph(4, "    a b  ", "    a b\n");
	assert_paragraph(4, SEVENTY "1234567890", SEVENTY "1234567890\n");
}

static void long_lines_break_at_blanks(void **state)
{
	(void)state;
	assert_paragraph(4, SEVENTY "12345678901", "123456789 123456789 123456789 123456789 123456789 123456789 123456789\n    12345678901\n");
	assert_paragraph(0, SEVENTY "123456789 b c", "123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789\nb c\n");
}

static void words_that_are_longer_stand_alone(void **state)
{
	char word[201];
	struct buf text = { 0 }, expected = { 0 };

	(void)state;
	memset(word, 'x', 200);
	word[200] = '\0';
	buf_printf(&text, "  a %s b", word);
	buf_printf(&expected, "  a\n  %s\n  b\n", word);
	assert_paragraph(2, buf_cstr(&text), buf_cstr(&expected));
	buf_clear(&text);
	buf_printf(&text, "  %s", word);
	buf_clear(&expected);
	buf_printf(&expected, "  %s\n", word);
	assert_paragraph(2, buf_cstr(&text), buf_cstr(&expected));
	buf_fini(&text);
	buf_fini(&expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_lines_stay),
		cmocka_unit_test(long_lines_break_at_blanks),
		cmocka_unit_test(words_that_are_longer_stand_alone),
	};

	return cmocka_run_group_tests_name("paragraph", tests, NULL, NULL);
}
