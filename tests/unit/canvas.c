/* The grid of cells: widths, cuts, combining and wide characters, and that nothing of a stranger's text but harmless characters gets into it. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tui/canvas.c"

static void assert_shows(const struct canvas *c, const char *want)
{
	struct buf out = { 0 };

	canvas_text(c, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

static void shows(int width, bool ascii, struct text t, const char *want)
{
	struct canvas c;

	canvas_init(&c, 12, 1, ascii);
	canvas_put(&c, 0, 1, width, STYLE_PLAIN, t);
	assert_shows(&c, want);
	canvas_fini(&c);
}

static void text_is_cut_with_a_sign(void **state)
{
	(void)state;
	shows(5, false, TEXT("mail"), " mail\n");
	shows(5, false, TEXT("mails"), " mails\n");
	shows(5, false, TEXT("mailers"), " mail…\n");
	shows(5, true, TEXT("mailers"), " mail~\n");
	shows(1, false, TEXT("mailers"), " …\n");
	shows(0, false, TEXT("mailers"), "\n");
	shows(5, false, (struct text){ NULL, 0 }, " -\n");
}

static void wide_characters_take_two_columns(void **state)
{
	(void)state;
	shows(4, false, TEXT("日本"), " 日本\n");
	shows(5, false, TEXT("日本語"), " 日本…\n");
	shows(4, false, TEXT("日本語"), " 日 …\n");
	shows(1, false, TEXT("日"), " …\n");
}

static void half_a_wide_character_is_none(void **state)
{
	struct canvas c;

	(void)state;
	canvas_init(&c, 6, 1, false);
	canvas_put_string(&c, 0, 0, 6, STYLE_PLAIN, "日本語");
	canvas_put_string(&c, 0, 1, 1, STYLE_PLAIN, "x");
	assert_shows(&c, " x本語\n");
	canvas_put_string(&c, 0, 2, 1, STYLE_PLAIN, "y");
	assert_shows(&c, " xy 語\n");
	canvas_put_string(&c, 0, 5, 1, STYLE_PLAIN, "日");
	assert_shows(&c, " xy  …\n");
	canvas_fini(&c);
}

static void combining_characters_share_a_cell_and_are_few(void **state)
{
	(void)state;
	shows(5, false, TEXT("e\u0301a"), " e\u0301a\n");
	shows(5, false, TEXT("\u0301a"), " a\n");
	shows(5, false, TEXT("e\u0301\u0302\u0303\u0304\u0305\u0306z"), " e\u0301\u0302\u0303\u0304z\n");
	shows(5, false, TEXT("ab\ufe0f"), " ab\n");
}

static void ascii_shows_the_others_as_numbers(void **state)
{
	(void)state;
	shows(11, true, TEXT("caf\u00e9"), " caf\\u{e9}\n");
	shows(11, true, TEXT("a\xff"), " a?\n");
}

static void no_control_byte_gets_in(void **state)
{
	struct canvas c;
	struct buf out = { 0 };
	char all[256 + 6];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	memcpy(all + 256, "\xc2\x9b" "31m", 5);	/* a control of C1, as UTF-8 */
	for (int ascii = 0; ascii < 2; ascii++) {
		canvas_init(&c, 900, 3, ascii);
		canvas_put(&c, 0, 0, 900, STYLE_PLAIN, (struct text){ all, 261 });
		canvas_put_wrapped(&c, 1, 0, 800, STYLE_PLAIN, (struct text){ all, 261 });
		canvas_text(&c, &out);
		canvas_fini(&c);
	}
	for (size_t i = 0; i < out.len; i++) {
		unsigned char b = (unsigned char)out.p[i];

		assert_true(b >= 0x20 || b == '\n');
		assert_int_not_equal(b, 0x7f);
		assert_false(b == 0xc2 && (unsigned char)out.p[i + 1] < 0xa0);
	}
	buf_fini(&out);
}

static void what_lies_outside_is_not_drawn(void **state)
{
	struct canvas c;

	(void)state;
	canvas_init(&c, 3, 2, false);
	canvas_put_string(&c, -1, 0, 3, STYLE_PLAIN, "x");
	canvas_put_string(&c, 2, 0, 3, STYLE_PLAIN, "x");
	canvas_put_string(&c, 0, -1, 3, STYLE_PLAIN, "abc");
	canvas_put_string(&c, 1, 2, 3, STYLE_PLAIN, "abc");
	canvas_put_string(&c, 1, 2, 3, STYLE_PLAIN, "日本");
	canvas_fill(&c, 0, 2, 100, STYLE_BAD);
	canvas_style(&c, 5, 5, 5, STYLE_BAD);
	canvas_mark(&c, 9, "x");
	canvas_glyph(&c, 0, 7, STYLE_BAD, GLYPH_CUT);
	assert_shows(&c, "bc\n\n");
	canvas_fini(&c);
}

static void long_text_wraps_at_blanks(void **state)
{
	struct canvas c;

	(void)state;
	canvas_init(&c, 10, 5, false);
	assert_int_equal(canvas_put_wrapped(&c, 0, 1, 9, STYLE_PLAIN, TEXT("550 no such user")), 2);
	assert_int_equal(canvas_put_wrapped(&c, 2, 1, 9, STYLE_PLAIN, TEXT("abcdefghijklm")), 4);
	assert_int_equal(canvas_put_wrapped(&c, 4, 1, 8, STYLE_PLAIN, TEXT("")), 4);
	assert_int_equal(canvas_put_wrapped(&c, 4, 1, 1, STYLE_PLAIN, TEXT("日本")), 6);
	assert_shows(&c, " 550 no\n such user\n abcdefghi\n jklm\n …\n");
	canvas_fini(&c);
}

static void matches_are_marked(void **state)
{
	struct canvas c;

	(void)state;
	canvas_init(&c, 20, 1, false);
	canvas_put_string(&c, 0, 0, 20, STYLE_PLAIN, "x 日本 Quota QUOTA");
	canvas_mark(&c, 0, "quota");
	assert_true(canvas_says(&c, 0, "本 quota"));
	assert_false(canvas_says(&c, 0, "quota!"));
	assert_int_equal(canvas_at(&c, 0, 6)->style, STYLE_PLAIN);
	assert_int_equal(canvas_at(&c, 0, 7)->style, STYLE_MATCH);
	assert_int_equal(canvas_at(&c, 0, 11)->style, STYLE_MATCH);
	assert_int_equal(canvas_at(&c, 0, 12)->style, STYLE_PLAIN);
	assert_int_equal(canvas_at(&c, 0, 17)->style, STYLE_MATCH);
	canvas_fini(&c);
}

static void random_bytes_stay_in_their_columns(void **state)
{
	struct canvas c;
	char bytes[40];

	(void)state;
	srand(7);
	canvas_init(&c, 20, 1, false);
	for (int n = 0; n < 20000; n++) {
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)(rand() % 3 ? rand() : "\xe6\x97\xa5\xcc\x81 a"[rand() % 8]);
		canvas_clear(&c);
		int used = canvas_put(&c, 0, 5, rand() % 16, STYLE_PLAIN, (struct text){ bytes, (uint32_t)(rand() % 40) });
		assert_in_range(used, 0, 15);
		for (int x = 0; x < 20; x++)
			assert_true(strlen(canvas_at(&c, 0, x)->text) < CELL_BYTES);
		for (int x = 0; x < 5; x++)
			assert_string_equal(canvas_at(&c, 0, x)->text, " ");
	}
	canvas_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_cut_with_a_sign), cmocka_unit_test(wide_characters_take_two_columns), cmocka_unit_test(half_a_wide_character_is_none),
		cmocka_unit_test(combining_characters_share_a_cell_and_are_few), cmocka_unit_test(ascii_shows_the_others_as_numbers),
		cmocka_unit_test(no_control_byte_gets_in), cmocka_unit_test(what_lies_outside_is_not_drawn), cmocka_unit_test(long_text_wraps_at_blanks),
		cmocka_unit_test(matches_are_marked), cmocka_unit_test(random_bytes_stay_in_their_columns),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
