/* program.h - the programs of bouncetap find each other: in a build tree beside each other, installed in the places of make install. */
#ifndef COMMON_PROGRAM_H
#define COMMON_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/* The directory of our own program, without a slash at the end; false when it cannot be told. */
bool program_own_dir(char *out, size_t size);

/* The path of "bouncetap" or "bouncetapd", in out; NULL: not found. */
const char *program_find(const char *name, char *out, size_t size);

/*
 * A directory for a store that is removed in the end, below TMPDIR or /tmp; as root it is given to who will write there (user_give_store).
 * To be freed; NULL and errno.
 */
char *program_make_temporary_store(void);
/* With the files in it; free stays to the caller. */
void program_remove_store(const char *dir);

#endif
