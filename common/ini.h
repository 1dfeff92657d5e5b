/*
 * ini.h - INI files line by line, for bouncetap.conf and lists.d; the parser is libinih, which shows only in ini.c.
 *
 *	[SECTION]
 *	KEY = VALUE		# and ; begin a comment, at the start of a line or behind a blank
 *	KEY = ITEM ITEM
 *	    ITEM		an indented line goes on with the list above, unless it is a KEY = itself
 *
 * Lines may have any length; what is between the brackets of a heading has at most INI_SECTION_MAX bytes.
 */
#ifndef COMMON_INI_H
#define COMMON_INI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define INI_SECTION_MAX 49	/* libinih 55 cuts longer ones */
#define INI_ERRORS_MAX 50	/* printed ones: enough to see what is wrong with a file of another kind */

/* One line; the strings are borrowed until the handler returns. */
struct ini_entry {
	const char *section;	/* the words between the brackets; "" before the first heading */
	const char *key;	/* NULL: the heading itself */
	const char *value;	/* without blanks at both ends and comments; NULL with key */
	bool continued;		/* an indented line: value goes on where the entry before it ended */
	unsigned line;
};

/* Where errors go, and how many there were. */
struct ini_errors {
	FILE *out;
	unsigned count;
};

/* "FILE:LINE: message", or "FILE: message" when line is 0; counted always, printed up to INI_ERRORS_MAX. */
void ini_error(struct ini_errors *e, const char *file, unsigned line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Calls handle for each heading and entry in order; lines that are neither are errors. */
void ini_read(FILE *in, const char *file, void (*handle)(void *user, const struct ini_entry *entry), void *user,
	      struct ini_errors *errors);

/*
 * The next word of a list (items are separated by blanks, commas and line breaks), at most size - 1 bytes of it; *list moves
 * behind it. False at the end.
 */
bool ini_next_item(const char **list, char *item, size_t size);

/*
 * What to say behind an unknown word: "; did you mean 'ports'?" or, when nothing is near, "; known are ...". Into out; returns out.
 * known ends with NULL.
 */
const char *ini_hint(const char *word, const char *const *known, char *out, size_t size);

/* Paths of the regular files in dir whose names end in suffix and do not begin with a dot, in byte order; a missing dir has none.
 * -1: dir cannot be read (errno). Free with ini_files_free. */
struct ini_files {
	char **path;
	size_t count;
};
int ini_files_find(const char *dir, const char *suffix, struct ini_files *out);
void ini_files_free(struct ini_files *f);

#endif
