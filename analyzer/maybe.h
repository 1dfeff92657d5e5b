/*
 * maybe.h - ids that may be in a table: "no" is sure, "yes" has to be looked up (Bloom 1970, with two bits an id). Spares most look-ups of what is
 * not there. 256 KiB, however many there are: with 100,000 of them one in 120 others is taken for a member, with a million one in three.
 */
#ifndef ANALYZER_MAYBE_H
#define ANALYZER_MAYBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

struct maybe;

struct maybe *maybe_new(void);
void maybe_free(struct maybe *m);

void maybe_add(struct maybe *m, int64_t id);
/* The first column of all rows. The statement is finalized. */
void maybe_add_rows(struct maybe *m, sqlite3_stmt *rows);
bool maybe_has(const struct maybe *m, int64_t id);

#endif
