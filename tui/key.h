/* key.h - keys by their names, and what they do: the table keys.def. A key is a character's code point, or one of enum key above them. */
#ifndef TUI_KEY_H
#define TUI_KEY_H

#include <stddef.h>

enum key {
	KEYS_NONE = 0, KEYS_CTRL_B = 2, KEYS_CTRL_F = 6, KEYS_CTRL_L = 12, KEYS_ENTER = 13, KEYS_CTRL_U = 21, KEYS_ESC = 27, KEYS_SPACE = 32, KEYS_BACKSPACE = 127,
	KEYS_UP = 0x110000, KEYS_DOWN, KEYS_LEFT, KEYS_RIGHT, KEYS_PAGE_UP, KEYS_PAGE_DOWN, KEYS_HOME, KEYS_END, KEYS_RESIZE, KEYS_F0,
	KEYS_F12 = KEYS_F0 + 12
};

enum command {
	COMMAND_NONE,
#define KEY(command, keys, label, help) COMMAND_##command,
#include "tui/keys.def"
#undef KEY
	COMMAND_COUNT
};

struct key_row {
	enum command command;
	const char *keys, *label, *help;	/* keys: names separated by blanks */
};

/* keys.def in its order, COMMAND_COUNT - 1 rows. */
extern const struct key_row key_table[];

/* The n-th (from 0) command of a key; COMMAND_NONE when there is none. */
enum command command_of_key(int key, int n);

/* The key of a name of n bytes ("F1", "Enter", "Ctrl-L", "q"); KEYS_NONE when it is none. */
int key_of_name(const char *name, size_t n);

#endif
