/* key.c - see key.h */
#include "tui/key.h"

#include <stdlib.h>
#include <string.h>

const struct key_row key_table[] = {
#define KEY(command, keys, label, help) { COMMAND_##command, keys, label, help },
#include "tui/keys.def"
#undef KEY
};

static const struct {
	const char *name;
	int key;
} names[] = {
	{ "Enter", KEYS_ENTER }, { "Esc", KEYS_ESC }, { "Space", KEYS_SPACE }, { "Up", KEYS_UP }, { "Down", KEYS_DOWN }, { "Left", KEYS_LEFT },
	{ "Right", KEYS_RIGHT }, { "PgUp", KEYS_PAGE_UP }, { "PgDn", KEYS_PAGE_DOWN }, { "Home", KEYS_HOME }, { "End", KEYS_END },
	{ "Ctrl-B", KEYS_CTRL_B }, { "Ctrl-F", KEYS_CTRL_F }, { "Ctrl-L", KEYS_CTRL_L },
};

int key_of_name(const char *name, size_t n)
{
	if (n == 1)
		return (unsigned char)*name;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i].name) == n && memcmp(names[i].name, name, n) == 0)
			return names[i].key;
	return n > 1 && *name == 'F' ? KEYS_F0 + atoi(name + 1) : KEYS_NONE;
}

static int has_key(const char *keys, int key)
{
	while (*keys) {
		size_t n = strcspn(keys, " ");

		if (key_of_name(keys, n) == key)
			return 1;
		keys += n;
		keys += *keys == ' ';
	}
	return 0;
}

enum command command_of_key(int key, int n)
{
	for (size_t i = 0; i < sizeof key_table / sizeof *key_table; i++)
		if (has_key(key_table[i].keys, key) && n-- == 0)
			return key_table[i].command;
	return COMMAND_NONE;
}
