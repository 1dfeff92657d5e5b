/*
 * writer.h - batches of encoded rows -> facts.db, whatever becomes of it. One writer keeps one store open, as a run in it (sensor_run).
 *
 * What can go wrong with facts.db, and what is done about it before the next try:
 *
 *   locked, disk full                nothing
 *   I/O error                        opens it again; looks whether a commit that failed is there all the same
 *   removed or replaced              opens what stands in its place (place.h); when nothing does for a second, makes a new one
 *   damaged, twice in a row          sets it aside and begins a new one
 *   does not take this very batch    lets go of the batch
 *
 * Nothing waits here but for a lock, WRITER_BUSY_MS each time. Not thread-safe: store.c sees to it that one thread at a time is at work.
 */
#ifndef SENSOR_WRITER_H
#define SENSOR_WRITER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "sensor/insert.h"
#include "sensor/place.h"
#include "sensor/prune.h"

enum { WRITER_BUSY_MS = 200, WRITER_PROBLEM_BYTES = 1024 };

struct writer_options {
	const char *dir, *sensor, *version, *interfaces, *filter;	/* store.h; borrowed */
	enum config_privacy privacy;
	bool temporary;			/* the store is thrown away afterwards: db_be_temporary */
	bool durable;			/* each commit reaches the disk (synchronous=FULL) */
	bool waits;			/* what is read cannot be read again: any store that can be had is used; else only the one that was opened first */
	size_t cache_bytes;
	const volatile sig_atomic_t *stop;	/* not 0: opening waits no longer; or NULL */
};

struct writer {
	struct writer_options o;
	struct place place;		/* place.key: what addresses have to be hashed with */
	struct insert insert;
	struct prune prune;
	char problem[WRITER_PROBLEM_BYTES];	/* why the last call failed */
	bool hopeless;			/* it will not be better as long as this process lives */
	struct {
		uint64_t number;	/* of the batch, 0: none */
		uint32_t facts;
		int64_t seq, committed_us;
		bool found;		/* the commit that failed is there: its batch is neither to be written again nor lost. The caller resets number */
	} doubt;

	char store_id[33], found_id[33];	/* "" before the first one was opened; what stands in the place now */
	unsigned damage;		/* found in a row */
	uint64_t refused;		/* number of the batch that was not taken */
	uint64_t lost_here, lost_elsewhere;	/* facts lost as far as they stand in this run, and in runs of other stores before */
	int wal_pages;
	int64_t wal_since_ms, wal_tried_ms;	/* the -wal is too long since; 0: it is not */
	bool wal_said;
	int64_t moved_ms, away_ms;	/* since when: files not in their places, no store open; 0: not so */
	bool has_room;			/* the old store was set aside: a new one can be made at once */
};

/* Opens the store and begins a run. 0; -1, nothing open, with a problem that says what would help and an exit code by sysexits. */
int writer_open(struct writer *w, const struct writer_options *o, int *exit_code);

/* Looks whether facts.db is open and in its place, and opens what can be had. 0, or -1 with a problem. Others call it themselves, but for writer_close. */
int writer_tend(struct writer *w);

/* Which batch it is, from 1, and how many facts it holds. */
struct writer_batch {
	const struct buf *rows;
	uint64_t number;
	uint32_t facts;
};
enum writer_result { WRITER_COMMITTED, WRITER_FAILED, WRITER_LOST };
/*
 * One transaction, after writer_tend. lost: facts that were lost so far, which is written with it. FAILED: try again, see problem; LOST: the batch cannot
 * be written, or what it was written into is gone.
 */
enum writer_result writer_commit(struct writer *w, const struct writer_batch *b, uint64_t lost);

/* A slice of old facts goes, if that was asked for (prune.h); nothing when no store is open. True: there is more to do. */
bool writer_prune(struct writer *w);

/* An enum store_source. */
int writer_begin_source(struct writer *w, const char *fingerprint, const char *files);
int writer_end_source(struct writer *w, const char *state);
/* The end of the run; it goes on when there is more. lost: as above. */
int writer_end_run(struct writer *w, const char *end_reason, uint64_t lost);

/* checkpoint: the -wal is taken into facts.db and emptied; it stays, so that the group can read. */
void writer_close(struct writer *w, bool checkpoint);

#endif
