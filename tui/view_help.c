/* view_help.c - the help screen: every key of keys.def, and the columns of the screen it was asked on. See view.h. */
#include <string.h>

#include "tui/key.h"
#include "tui/view.h"

enum { KEYS_WIDTH = 14, TITLE_WIDTH = 14 };

static int put_wrapped(struct canvas *c, int y, int x, const char *text)
{
	return canvas_put_wrapped(c, y, x, c->width - x - 1, STYLE_PLAIN, (struct text){ text, (uint32_t)strlen(text) });
}

static int put_keys(struct canvas *c, int y)
{
	for (int i = 0; i < COMMAND_COUNT - 1; i++) {
		canvas_put_string(c, y, 1, KEYS_WIDTH, STYLE_KEY, key_table[i].keys);
		y = put_wrapped(c, y, KEYS_WIDTH + 2, key_table[i].help);
	}
	return y;
}

static int put_columns(struct canvas *c, int y, const struct rows *rows)
{
	canvas_put_string(c, y++, 1, c->width, STYLE_STRONG, "Columns, with their names in filters (kind:bounce)");
	for (size_t i = 0; i < rows->column_count; i++) {
		canvas_put_string(c, y, 1, TITLE_WIDTH, STYLE_KEY, rows->column[i].title);
		canvas_put_string(c, y, TITLE_WIDTH + 2, 15, STYLE_NOTE, rows->column[i].key);
		y = put_wrapped(c, y, TITLE_WIDTH + 18, *rows->column[i].help ? rows->column[i].help : "-");
	}
	return y;
}

void view_help(const struct rows *rows, int width, bool ascii, struct canvas *c)
{
	int y = 0;

	canvas_init(c, width, 200, ascii);	/* every key and column on four lines would be less */
	canvas_put_string(c, y++, 1, width - 1, STYLE_STRONG, "bouncetop " VERSION ": who of us sends backscatter, why, and who would list us for it");
	y++;
	y = put_keys(c, y) + 1;
	if (rows)
		y = put_columns(c, y, rows) + 1;
	y = put_wrapped(c, y, 1, "Red, yellow and green only repeat what a word says. \">\" is the selected row, \"*\" a tagged one. A verdict \"likely\" is not proved. "
				 "Manual: bouncetop(1).");
	c->height = y;
}
