/* Unit tests of common/json.c. */
#include "common/json.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void commas_stand_between_items_only(void **state)
{
	struct buf out = { 0 };
	struct json j;

	(void)state;
	json_begin(&j, &out);
	json_object(&j, NULL);
	json_int(&j, "a", 1);
	json_array(&j, "b");
	json_array_end(&j);
	json_array(&j, "c");
	json_string(&j, NULL, "x");
	json_object(&j, NULL);
	json_object_end(&j);
	json_object(&j, NULL);
	json_bool(&j, "t", true);
	json_bool(&j, "f", false);
	json_object_end(&j);
	json_array_end(&j);
	json_null(&j, "d");
	json_object_end(&j);
	assert_string_equal(buf_cstr(&out), "{\"a\":1,\"b\":[],\"c\":[\"x\",{},{\"t\":true,\"f\":false}],\"d\":null}");
	buf_fini(&out);
}

static void numbers_reach_both_ends(void **state)
{
	static const int64_t values[] = { 0, -1, 7, 1234567890, INT64_MAX, INT64_MIN };
	char expected[32];

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct buf out = { 0 };
		struct json j;

		json_begin(&j, &out);
		json_int(&j, NULL, values[i]);
		snprintf(expected, sizeof expected, "%lld", (long long)values[i]);
		assert_string_equal(buf_cstr(&out), expected);
		buf_fini(&out);
	}
}

static void null_and_empty_text_differ(void **state)
{
	struct buf out = { 0 };
	struct json j;

	(void)state;
	json_begin(&j, &out);
	json_array(&j, NULL);
	json_text(&j, NULL, (struct text){ 0 });
	json_text(&j, NULL, TEXT(""));
	json_string(&j, NULL, NULL);
	json_string(&j, NULL, "");
	json_array_end(&j);
	assert_string_equal(buf_cstr(&out), "[null,\"\",null,\"\"]");
	buf_fini(&out);
}

static void expect_text(const char *bytes, size_t n, const char *expected)
{
	struct buf out = { 0 };
	struct json j;
	char *copy = malloc(n ? n : 1);	/* of the exact size, so that the sanitizer sees a byte too far */

	memcpy(copy, bytes, n);
	json_begin(&j, &out);
	json_text(&j, NULL, (struct text){ copy, (uint32_t)n });
	assert_string_equal(buf_cstr(&out), expected);
	free(copy);
	buf_fini(&out);
}

#define EXPECT(bytes, expected) expect_text(bytes, sizeof(bytes) - 1, expected)

static void controls_and_quotes_are_escaped(void **state)
{
	(void)state;
	EXPECT("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
	EXPECT("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"");
	EXPECT("\0\x01\x1f\x7f.", "\"\\u0000\\u0001\\u001f\\u007f.\"");
	EXPECT("\x1b[2J\xc2\x9b\x32J\xc2\xa0", "\"\\u001b[2J\\u009b2J\xc2\xa0\"");
}

static void bad_utf8_is_replaced(void **state)
{
	(void)state;
	EXPECT("gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\"");
	EXPECT("\xff\xe2\x82.\xc2", "\"\xef\xbf\xbd\xef\xbf\xbd.\xef\xbf\xbd\"");
	EXPECT("\xe0\xc2\x85\xe0", "\"\xef\xbf\xbd\\u0085\xef\xbf\xbd\"");
	EXPECT("\xc2\xc2\x80\xc2\x80", "\"\xef\xbf\xbd\\u0080\\u0080\"");
}

/* Eight bytes are looked at together: each special byte at each place must be seen. */
static void special_bytes_are_found_at_every_offset(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++)
		for (size_t at = 0; at < 24; at++) {
			unsigned char bytes[24];

			memset(bytes, 'x', sizeof bytes);
			bytes[at] = (unsigned char)c;
			assert_int_equal(plain_prefix(bytes, sizeof bytes), is_plain((unsigned char)c) ? sizeof bytes : at);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_stand_between_items_only),
		cmocka_unit_test(numbers_reach_both_ends),
		cmocka_unit_test(null_and_empty_text_differ),
		cmocka_unit_test(controls_and_quotes_are_escaped),
		cmocka_unit_test(bad_utf8_is_replaced),
		cmocka_unit_test(special_bytes_are_found_at_every_offset),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
