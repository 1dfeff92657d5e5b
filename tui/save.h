/*
 * save.h - writing a file that somebody named, in a directory where others may write, too. What is saved holds addresses: the file is the user's alone.
 *
 * A new file is made, never one behind a link. A file that is there is only replaced when asked to, by a new one that takes its name: what was linked
 * under that name stays as it is.
 */
#ifndef TUI_SAVE_H
#define TUI_SAVE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

enum save_result { SAVE_DONE, SAVE_EXISTS, SAVE_FAILED };

/* SAVE_FAILED: with a message. */
enum save_result save_file(const char *path, const struct buf *content, bool replace, char *error, size_t error_size);

#endif
