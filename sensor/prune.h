/*
 * prune.h - old facts go from facts.db when notes.db asks for it (schema/past.sql), a little at a time.
 *
 * Between two batches one slice is taken out, of about PRUNE_SLICE_MS at most, so that nobody waits: the sensor's own commits least of all.
 * What was carried out stands in the table pruned. Nothing happens when notes.db is not there, cannot be read, or is about another store.
 */
#ifndef SENSOR_PRUNE_H
#define SENSOR_PRUNE_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#define PRUNE_SLICE_MS 50

struct prune {
	const char *dir;		/* borrowed */
	int64_t request;		/* that is being carried out; 0: none */
	int64_t before_us, counters_before_us, session_rowid, transaction_rowid;
	int stage;
	int64_t place;			/* how far this stage is: a time */
	unsigned rows;			/* of the next slice */
	uint64_t transactions, sessions;	/* gone so far */
	int64_t looked_ms;		/* when it was last looked for a request */
};

void prune_init(struct prune *p, const char *dir);

/* One slice, outside transactions. True: there is more to do. A failure (a lock, a full disk) is tried again at the next call. */
bool prune_slice(struct prune *p, sqlite3 *facts);

#endif
