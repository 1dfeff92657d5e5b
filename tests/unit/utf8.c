/* Unit tests of common/utf8.c. What is expected is what Python's bytes.decode('utf-8', 'replace') gives. */
#include "common/utf8.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define R "\xEF\xBF\xBD"

static void expect_clean(const char *bytes, size_t n, const char *expected)
{
	struct buf out = { 0 };
	char *copy = malloc(n ? n : 1);	/* of the exact size, so that the sanitizer sees a byte too far */

	memcpy(copy, bytes, n);
	bool clean = utf8_append_clean(&out, (struct text){ copy, (uint32_t)n });
	assert_string_equal(buf_cstr(&out), expected);
	assert_int_equal(clean, strlen(expected) == n && memcmp(bytes, expected, n) == 0);
	assert_int_equal(clean, utf8_valid_prefix(copy, n) == n);
	free(copy);
	buf_fini(&out);
}

#define CLEAN(bytes, expected) expect_clean(bytes, sizeof(bytes) - 1, expected)

static void well_formed_text_stays(void **state)
{
	(void)state;
	CLEAN("", "");
	CLEAN("plain text of more than eight bytes", "plain text of more than eight bytes");
	CLEAN("\x7f\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", "\x7f\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF");
	CLEAN("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
	CLEAN("seven..\xC3\xA4 and more", "seven..\xC3\xA4 and more");
}

static void each_maximal_subpart_gives_one_replacement(void **state)
{
	(void)state;
	CLEAN("a\x80z", "a" R "z");
	CLEAN("\xC0\x80", R R);			/* overlong */
	CLEAN("\xC1\xBF", R R);
	CLEAN("\xE0\x80\x80", R R R);
	CLEAN("\xE0\x9F\xBF", R R R);
	CLEAN("\xF0\x8F\xBF\xBF", R R R R);
	CLEAN("\xED\xA0\x80", R R R);		/* surrogate */
	CLEAN("\xF4\x90\x80\x80", R R R R);	/* above U+10FFFF */
	CLEAN("\xF5\x80\xFE\xFF", R R R R);
	CLEAN("\xE2\x82", R);			/* cut off */
	CLEAN("\xF0\x9F\x98", R);
	CLEAN("\xF0\x9F\x98.", R ".");
	CLEAN("\xC3", R);
	CLEAN("\xC3\xC3\xA4", R "\xC3\xA4");
	CLEAN("\xF0\x80\xC3\xA4\xE2\x82", R R "\xC3\xA4" R);
	CLEAN("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64", "a" R R R "b" R "c" R R "d");	/* Unicode 3.9, table 3-8 */
}

static void expect_prefix(const char *bytes, size_t prefix)
{
	char *copy = strdup(bytes);

	assert_int_equal(utf8_valid_prefix(copy, strlen(copy)), prefix);
	free(copy);
}

static void the_valid_prefix_ends_before_the_bad_byte(void **state)
{
	(void)state;
	expect_prefix("", 0);
	expect_prefix("abc\xC3\xA4\xFF", 5);
	expect_prefix("abcdefghijklmnop\xE2\x82", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_text_stays),
		cmocka_unit_test(each_maximal_subpart_gives_one_replacement),
		cmocka_unit_test(the_valid_prefix_ends_before_the_bad_byte),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
