/* source.h - what a run reads: the list of files, recognised again by their sizes and contents. */
#ifndef SENSOR_SOURCE_H
#define SENSOR_SOURCE_H

#include <stddef.h>

/*
 * SHA-256 over size and SHA-256 of the first and last 64 KiB of each file, in this order, as hex. NULL when one of them is standard input ("-") or
 * cannot be read: such a source is always read. The caller frees it.
 */
char *source_fingerprint(const char *const *paths, size_t count);

/* The names, one a line. The caller frees it. */
char *source_names(const char *const *paths, size_t count);

#endif
