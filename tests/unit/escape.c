/* Unit tests of common/escape.c. */
#include "common/escape.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hostile_strings.h"

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

#define EXPECT_WITH(function, in, out) do { \
	struct buf b_ = { 0 }; \
	function(&b_, TEXT(in), 0); \
	assert_string_equal(buf_cstr(&b_), out); \
	buf_fini(&b_); \
} while (0)

static void what_cannot_be_seen_is_shown(void **state)
{
	(void)state;
	EXPECT("a\xc2\xad" "b\xe2\x80\x8d" "c\xe3\x85\xa4", "a\\u{ad}b\\u{200d}c\\u{3164}");
}

static void markup_becomes_entities(void **state)
{
	(void)state;
	EXPECT_WITH(escape_html, "<a href='x' title=\"y\">&amp;", "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;amp;");
	EXPECT_WITH(escape_html, "a\x1b[1m\nb", "a\\x1b[1m b");
}

static void cells_are_not_calculated(void **state)
{
	(void)state;
	EXPECT_WITH(escape_csv, "plain", "\"plain\"");
	EXPECT_WITH(escape_csv, "a \"b\", c", "\"a \"\"b\"\", c\"");
	EXPECT_WITH(escape_csv, "=1+1", "\"'=1+1\"");
	EXPECT_WITH(escape_csv, "\t@SUM(1)", "\"' @SUM(1)\"");
	EXPECT_WITH(escape_csv, "\"=1", "\"'\"\"=1\"");
	EXPECT_WITH(escape_csv, "\xef\xbc\x9d" "1", "\"'\xef\xbc\x9d" "1\"");
	EXPECT_WITH(escape_csv, "", "\"\"");
}

static void expect_header(const char *in, const char *out)
{
	struct buf b = { 0 };

	escape_header(&b, (struct text){ in, (uint32_t)strlen(in) });
	assert_string_equal(buf_cstr(&b), out);
	buf_fini(&b);
}

static void header_values_stay_one_line_of_ascii(void **state)
{
	(void)state;
	expect_header("2 servers to mend", "2 servers to mend");
	expect_header("a\r\nBcc: x", "a  Bcc: x");
	expect_header("gr\xc3\xbc\xc3\x9f", "=?UTF-8?Q?gr=C3=BC=C3=9F?=");
	expect_header("=?utf-8?q?x?=", "=?UTF-8?Q?=3D=3Futf=2D8=3Fq=3Fx=3F=3D?=");
}

/* ---- every text of tests/hostile_strings ---- */

static void none_of(const struct buf *b, size_t from, size_t to, const char *characters)
{
	for (size_t i = from; i < to; i++)
		assert_true(!memchr(characters, b->p[i], strlen(characters)));
}

static void is_harmless(const struct buf *b)
{
	size_t n;

	assert_int_equal(utf8_valid_prefix(b->p, b->len), b->len);
	for (size_t i = 0; i < b->len; i += n) {
		uint32_t c = utf8_decode(b->p + i, &n);

		assert_true(c >= 0x20 && !(c >= 0x7f && c < 0xa0));
		assert_false(is_treacherous(c));
	}
}

static void check_hostile(struct text t, void *context)
{
	struct buf b = { 0 };

	(void)context;
	for (size_t max = 0; max <= 60; max += 60) {
		escape_terminal(&b, t, max);
		is_harmless(&b);
		buf_clear(&b);
		escape_html(&b, t, max);
		is_harmless(&b);
		none_of(&b, 0, b.len, "<>\"'");
		buf_clear(&b);
		escape_csv(&b, t, max);
		is_harmless(&b);
		assert_true(b.len >= 2 && b.p[0] == '"' && b.p[b.len - 1] == '"');
		none_of(&b, 1, 2, "=+-@");
		buf_clear(&b);
	}
	escape_header(&b, t);
	for (size_t i = 0, line = 0; i < b.len; i++) {
		assert_true(b.p[i] == '\r' || b.p[i] == '\n' || (b.p[i] >= ' ' && b.p[i] <= '~'));
		if (b.p[i] == '\n')
			assert_true(i + 1 < b.len && b.p[i + 1] == ' ');
		line = b.p[i] == '\n' ? 0 : line + 1;
		assert_true(line <= 200);
	}
	buf_fini(&b);
}

static void hostile_texts_are_harmless_everywhere(void **state)
{
	(void)state;
	assert_true(hostile_strings(check_hostile, NULL) >= 200);
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
		cmocka_unit_test(what_cannot_be_seen_is_shown),
		cmocka_unit_test(markup_becomes_entities),
		cmocka_unit_test(cells_are_not_calculated),
		cmocka_unit_test(header_values_stay_one_line_of_ascii),
		cmocka_unit_test(hostile_texts_are_harmless_everywhere),
	};

	return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
