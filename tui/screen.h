/*
 * screen.h - the terminal: shows a canvas, gives keys. The only file that knows ncurses.
 *
 * There is one terminal, so there is one screen. The terminal is put back by screen_close, on every way out that a program can catch.
 */
#ifndef TUI_SCREEN_H
#define TUI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

struct canvas;

/* 0, or -1 and a message that says what would help: no terminal, TERM unknown, or one that cannot move its cursor. NO_COLOR in the environment means none. */
int screen_open(char *error, size_t error_size);
void screen_close(void);
void screen_size(int *width, int *height);
/* What changed since the last one goes to the terminal. cursor_x < 0: no cursor, else one in the last row. */
void screen_show(const struct canvas *c, int cursor_x);
/* The next show writes everything. */
void screen_redraw(void);

/*
 * The next key (key.h), waited for at most timeout_ms; KEYS_NONE when none came or a signal did, KEYS_RESIZE when the size may have changed.
 * *gone becomes true when the terminal went away.
 */
int screen_key(int timeout_ms, bool *gone);

#endif
