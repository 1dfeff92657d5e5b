/*
 * forget.h - verdicts.db's part of a prune (schema/past.sql): findings that are too old, and what was noted about facts that are gone.
 *
 * The sums by hour stay. Nothing happens when notes.db is not there, cannot be read, or is about another store.
 */
#ifndef ANALYZER_FORGET_H
#define ANALYZER_FORGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#define FORGET_SLICE_MS 50

struct forget {
	const char *store;	/* borrowed */
	int64_t request;	/* that is being carried out; 0: none */
	int64_t evidence_before_us;
	unsigned stage;
	int64_t place;		/* how far this stage is: a key */
	unsigned rows;		/* of the next slice */
};

void forget_init(struct forget *f, const char *store);

/* One slice of about FORGET_SLICE_MS at most, outside transactions. True: there is more to do at once. */
bool forget_slice(struct forget *f, sqlite3 *verdicts);

#endif
