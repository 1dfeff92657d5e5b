/*
 * place.h - the place of the facts: a directory, the key in it, the lock of its one writer, facts.db. They are opened at the start, and again
 * whenever somebody has removed, replaced or damaged them.
 *
 * Nothing outside the directory is touched but the directory itself, which is made when it is not there. Files in it may come and go; when the
 * directory itself is another one, a sandbox that holds on to inodes (sandbox.h) keeps us out, which place_is_elsewhere tells apart.
 * Not thread-safe.
 */
#ifndef SENSOR_PLACE_H
#define SENSOR_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/siphash.h"
#include "schema/db.h"

struct place {
	const char *dir;	/* borrowed */
	sqlite3 *db;		/* NULL: not open */
	struct siphash_key key;	/* of this store; valid while open */
	int key_fd;		/* holds the lock; -1 */
	int facts_fd;		/* names facts.db, wherever it is now; -1 */
	struct siphash_key marked_key;	/* as of place_mark, like what follows */
	struct db_inode directory, key_file;
	struct db_files files;
};

/* Closed, but with a name. */
void place_init(struct place *p, const char *dir);

/*
 * Opens what stands in the directory. make: what is missing is made: the directory (0750, whatever the umask), the key (0600, for good: another one
 * stands for another store), facts.db; else only an existing store is opened. Another program's lock on facts.db is waited for, that of another
 * bouncetapd is not. 0; or -1, all closed, with a message that says what would help, an exit code by sysexits, and why.
 */
int place_open(struct place *p, bool make, int busy_ms, enum db_refusal *why, char *error, size_t error_size, int *exit_code);

/* After the first write, when all files are there: this is how they should stay. */
void place_mark(struct place *p);
/* A file of it was removed, or there is another one in its place; what cannot be looked at counts as unchanged. */
bool place_is_moved(const struct place *p);
/* The directory itself was removed or is another one. */
bool place_is_elsewhere(const struct place *p);
/* facts.db has no name left: what was written into it is gone. */
bool place_is_deleted(const struct place *p);

/* The caller has finalized his statements. */
void place_close(struct place *p);

/*
 * Renames facts.db, -wal and -shm of a closed place to facts.db.corrupt-YYYYMMDDTHHMMSSZ, the same with -wal, with -shm; the key stays, it is still
 * that of the addresses in them. name: the new name. 0, or -1 with a message.
 */
int place_set_aside(const struct place *p, char *name, size_t name_size, char *error, size_t error_size);

#endif
