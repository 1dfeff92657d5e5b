/* screen.c - see screen.h */
#define NCURSES_WIDECHAR 1
#include "tui/screen.h"

#include <errno.h>
#include <ncurses.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>

#include "tui/canvas.h"
#include "tui/key.h"

/*
 * Looks of the styles: colours by number of colours, and attributes. -1 is the terminal's own colour. With 8 colours "bright" ones do not exist;
 * without any the attributes alone tell bars, selection and matches from the rest.
 */
static const struct look {
	short fore_256, back_256, fore_8, back_8;
	attr_t attributes, plain_attributes;	/* with colours; without */
} looks[STYLE_COUNT] = {
	[STYLE_PLAIN] = { -1, -1, -1, -1, 0, 0 },
	[STYLE_DIM] = { 244, -1, -1, -1, 0, A_DIM },
	[STYLE_STRONG] = { -1, -1, -1, -1, A_BOLD, A_BOLD },
	[STYLE_HEAD] = { 0, 35, COLOR_BLACK, COLOR_GREEN, 0, A_REVERSE },
	[STYLE_SORTED] = { 0, 44, COLOR_BLACK, COLOR_CYAN, 0, A_REVERSE | A_BOLD },
	[STYLE_BAR] = { 252, 238, COLOR_WHITE, COLOR_BLUE, 0, A_REVERSE },
	[STYLE_KEY] = { -1, -1, -1, -1, A_BOLD, A_BOLD },
	[STYLE_LABEL] = { 0, 44, COLOR_BLACK, COLOR_CYAN, 0, A_REVERSE },
	[STYLE_GOOD] = { 34, -1, COLOR_GREEN, -1, 0, 0 },
	[STYLE_WATCH] = { 178, -1, COLOR_YELLOW, -1, 0, 0 },
	[STYLE_BAD] = { 203, -1, COLOR_RED, -1, A_BOLD, A_BOLD },
	[STYLE_NOTE] = { 38, -1, COLOR_CYAN, -1, 0, 0 },
	[STYLE_FILTER] = { 0, 220, COLOR_BLACK, COLOR_YELLOW, 0, A_REVERSE | A_BOLD },
	[STYLE_PROMPT] = { -1, -1, -1, -1, A_BOLD, A_BOLD },
	[STYLE_MATCH] = { 0, 220, COLOR_BLACK, COLOR_YELLOW, 0, A_REVERSE | A_UNDERLINE },
	[STYLE_SELECTED] = { 0, 45, COLOR_BLACK, COLOR_CYAN, 0, A_REVERSE },
};

static SCREEN *terminal;
static attr_t attributes[STYLE_COUNT];
static short pairs[STYLE_COUNT];

static void set_looks(void)
{
	const char *no_color = getenv("NO_COLOR");
	bool coloured = has_colors() && !(no_color && *no_color) && start_color() == OK;

	if (coloured)
		use_default_colors();
	for (int i = 0; i < STYLE_COUNT; i++) {
		const struct look *l = &looks[i];
		short fore = COLORS >= 256 ? l->fore_256 : l->fore_8, back = COLORS >= 256 ? l->back_256 : l->back_8;

		attributes[i] = coloured ? l->attributes : l->plain_attributes;
		pairs[i] = 0;
		if (coloured && (fore != -1 || back != -1)) {
			pairs[i] = (short)(i + 1);
			init_pair(pairs[i], fore, back);
		}
	}
}

static int check_terminal(char *error, size_t error_size)
{
	const char *name = getenv("TERM");
	int failure;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		snprintf(error, error_size, "this is no terminal; --once --screen servers prints a screen without one");
	else if (setupterm(NULL, STDOUT_FILENO, &failure) != OK)
		snprintf(error, error_size, "TERM=%s is not known here; TERM=xterm might do, --once --screen servers needs none", name ? name : "");
	else if (!tigetstr("cup"))
		snprintf(error, error_size, "a terminal of type %s cannot show a screen; --once --screen servers prints one as text", name);
	else
		return 0;
	return -1;
}

int screen_open(char *error, size_t error_size)
{
	if (check_terminal(error, error_size))
		return -1;
	setenv("ESCDELAY", "25", 0);	/* ms until an Esc is no longer the start of another key's code */
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal) {
		snprintf(error, error_size, "the terminal cannot be set up");
		return -1;
	}
	set_looks();
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	return 0;
}

void screen_close(void)
{
	if (!terminal)
		return;
	endwin();
	delscreen(terminal);
	terminal = NULL;
}

void screen_size(int *width, int *height)
{
	getmaxyx(stdscr, *height, *width);
}

static void show_cell(int y, int x, const struct canvas_cell *cell)
{
	wchar_t wide[CELL_COMBINING_MAX + 2];
	cchar_t character;

	if (!*cell->text)	/* the right half of a wide one */
		return;
	size_t n = mbstowcs(wide, cell->text, CELL_COMBINING_MAX + 1);
	if (n == (size_t)-1)
		n = (size_t)swprintf(wide, sizeof wide / sizeof *wide, L"?");
	wide[n] = L'\0';
	setcchar(&character, wide, attributes[cell->style], pairs[cell->style], NULL);
	mvadd_wch(y, x, &character);
}

void screen_show(const struct canvas *c, int cursor_x)
{
	int width, height;

	screen_size(&width, &height);
	for (int y = 0; y < c->height && y < height; y++)
		for (int x = 0; x < c->width && x < width; x++)
			show_cell(y, x, canvas_at(c, y, x));
	curs_set(cursor_x >= 0);
	move(height - 1, cursor_x >= 0 && cursor_x < width ? cursor_x : width - 1);
	refresh();
}

void screen_redraw(void)
{
	clearok(stdscr, TRUE);
}

static int translate(int status, wint_t code)
{
	static const struct {
		wint_t theirs;
		int ours;
	} keys[] = {
		{ KEY_UP, KEYS_UP }, { KEY_DOWN, KEYS_DOWN }, { KEY_LEFT, KEYS_LEFT }, { KEY_RIGHT, KEYS_RIGHT }, { KEY_PPAGE, KEYS_PAGE_UP },
		{ KEY_NPAGE, KEYS_PAGE_DOWN }, { KEY_HOME, KEYS_HOME }, { KEY_END, KEYS_END }, { KEY_RESIZE, KEYS_RESIZE },
		{ KEY_ENTER, KEYS_ENTER }, { KEY_BACKSPACE, KEYS_BACKSPACE }, { KEY_DC, KEYS_BACKSPACE },
	};

	if (status == OK)
		return code == '\n' ? KEYS_ENTER : code == '\b' ? KEYS_BACKSPACE : (int)code;
	if (code >= (wint_t)KEY_F(1) && code <= (wint_t)KEY_F(12))
		return KEYS_F0 + (int)(code - (wint_t)KEY_F(0));
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (keys[i].theirs == code)
			return keys[i].ours;
	return KEYS_NONE;
}

int screen_key(int timeout_ms, bool *gone)
{
	struct pollfd input = { STDIN_FILENO, POLLIN, 0 };
	wint_t code;
	int status = get_wch(&code);

	if (status == ERR) {
		if (poll(&input, 1, timeout_ms) > 0 && input.revents & (POLLHUP | POLLERR | POLLNVAL) && !(input.revents & POLLIN)) {
			*gone = true;
			return KEYS_NONE;
		}
		status = get_wch(&code);
		if (status == ERR && input.revents & POLLIN && input.revents & POLLHUP)
			*gone = true;
	}
	return status == ERR ? KEYS_NONE : translate(status, code);
}
