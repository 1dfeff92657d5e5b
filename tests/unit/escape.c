/* Unit tests of common/escape.c. */
#include "common/escape.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *in, size_t n, size_t max, const char *out)
{
	struct buf b = { 0 };

	escape_terminal(&b, (struct text){ in, (uint32_t)n }, max);
	assert_string_equal(buf_cstr(&b), out);
	buf_fini(&b);
}

#define EXPECT(in, out) expect(in, sizeof in - 1, 0, out)

static void plain_text_stays(void **state)
{
	(void)state;
	EXPECT("", "");
	EXPECT("anna@victim.example", "anna@victim.example");
	EXPECT("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xa7", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xa7");
	EXPECT("back\\slash", "back\\slash");
}

static void controls_are_shown(void **state)
{
	(void)state;
	EXPECT("\x1b[2J\x07", "\\x1b[2J\\x07");
	EXPECT("a\0b", "a\\x00b");
	EXPECT("\x7f", "\\x7f");
	EXPECT("\xc2\x9b" "31m", "\\x9b31m");
	EXPECT("one\r\ntwo\tthree", "one  two three");
}

static void direction_cannot_be_turned(void **state)
{
	(void)state;
	EXPECT("\xe2\x80\xae" "evil", "\\u{202e}evil");
	EXPECT("\xe2\x81\xa6x\xe2\x81\xa9", "\\u{2066}x\\u{2069}");
	EXPECT("\xd8\x9c", "\\u{61c}");
	EXPECT("\xef\xbb\xbf", "\\u{feff}");
}

static void invalid_bytes_are_replaced(void **state)
{
	(void)state;
	EXPECT("a\xff" "b", "a\xef\xbf\xbd" "b");
	EXPECT("\xe2\x80", "\xef\xbf\xbd");
}

static void long_text_is_cut(void **state)
{
	(void)state;
	expect("abcdef", 6, 3, "abc...");
	expect("abc", 3, 3, "abc");
	expect("\x1b\x1b", 2, 4, "\\x1b...");
}

static void nothing_is_a_dash(void **state)
{
	(void)state;
	expect(NULL, 0, 0, "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_stays),
		cmocka_unit_test(controls_are_shown),
		cmocka_unit_test(direction_cannot_be_turned),
		cmocka_unit_test(invalid_bytes_are_replaced),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(nothing_is_a_dash),
	};

	return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
