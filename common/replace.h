/* replace.h - files that others read while they are written: each sees the old one or the new one, whole. */
#ifndef COMMON_REPLACE_H
#define COMMON_REPLACE_H

#include <stddef.h>

/*
 * Writes n bytes to a file beside path, makes them last (fsync), and gives it the name path. mode: as in open(2), whatever the umask; the file takes the place of a
 * symbolic link, it does not follow it. 0, or -1 with errno; what stood there is then untouched.
 */
int replace_file(const char *path, const void *p, size_t n, unsigned mode);

/* The same for a symbolic link to target. */
int replace_link(const char *path, const char *target);

#endif
