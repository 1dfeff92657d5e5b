/*
 * db.h - opening the databases of a store: pragmas, version check, migrations; nothing else.
 *
 * A store is a directory with facts.db, verdicts.db and notes.db, each with one writer. application_id tells whose file it is,
 * user_version its schema: a newer minor version (the low 8 bits) is readable, a newer major one is refused with a message.
 */
#ifndef SCHEMA_DB_H
#define SCHEMA_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sqlite3.h>

#include "common/text.h"

enum db_file { DB_FACTS, DB_VERDICTS, DB_NOTES };
/* Why something failed. Damaged: SQLite cannot make sense of the file; that of a newer bouncetap or of another program is merely refused. */
enum db_refusal { DB_REFUSED, DB_LOCKED, DB_DENIED, DB_DAMAGED };
enum { DB_BUSY_MS = 10000 };	/* how long a lock of another program is waited for, where nothing else has to go on */

/* File name inside the store: "facts.db". */
const char *db_name(enum db_file f);

/*
 * Opens for writing, makes the file and its tables when they are not there (mode 0640 whatever the umask), migrates an older one. WAL, persistent:
 * the -wal and -shm files stay after the last writer closed, so that a reader who may not write the directory can open it.
 * NULL and a message on failure: newer schema, another program's file, damaged, locked for busy_ms, no permission. why may be NULL.
 */
sqlite3 *db_open_write(const char *dir, enum db_file f, int busy_ms, enum db_refusal *why, char *error, size_t error_size);

/* Why the last call on db failed; the message names path and what would help. */
enum db_refusal db_refusal(sqlite3 *db);
void db_describe(sqlite3 *db, const char *path, char *error, size_t error_size);

/*
 * Opens facts.db read-only, and attaches verdicts.db as "verdicts" and notes.db as "notes" where they exist. *present: bit (1 << DB_...) each.
 * Verdicts about another store, whose row ids mean other rows, count as none; so do those of an older major version. A lock is waited for busy_ms.
 * why may be NULL.
 */
sqlite3 *db_open_read(const char *dir, int busy_ms, unsigned *present, enum db_refusal *why, char *error, size_t error_size);

/*
 * A file that was removed or replaced goes on being read and written by those that have it open, SQLite too, without a word: whoever keeps one
 * open looks now and then whether it is still in its place. What cannot be looked at (no permission, I/O error) counts as unchanged.
 */
struct db_inode {
	dev_t device;
	ino_t inode;		/* 0: no file there */
};
void db_inode_look(const char *path, struct db_inode *out);
bool db_inode_moved(const char *path, const struct db_inode *before);

/* The same for a database with its -wal and -shm. */
enum { DB_FILES = 3 };
struct db_files {
	struct db_inode file[DB_FILES];
};
/* n: 0 the database, 1 its -wal, 2 its -shm. */
void db_path(const char *dir, enum db_file f, int n, char *out, size_t size);
void db_files_look(const char *dir, enum db_file f, struct db_files *out);
bool db_files_moved(const char *dir, enum db_file f, const struct db_files *before);

/* sqlite3_exec that reports; 0 or -1 with a message in error (may be NULL). */
int db_exec(sqlite3 *db, const char *sql, char *error, size_t error_size);

/*
 * For a database that is thrown away when its writer is done: no -wal, nothing waits for the disk. Nobody else can read it meanwhile, and a crash may
 * leave it unreadable. 0 or -1.
 */
int db_be_temporary(sqlite3 *db);

/* Prepares, or ends the program: the statement is ours, so a failure is our bug or out of memory. Persistent. */
sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql);

/* First column of the first row as text, copied into out (cut to size); -1 when there is no row. */
int db_text(sqlite3 *db, const char *sql, char *out, size_t size);
long long db_int(sqlite3 *db, const char *sql, long long none);
/* The same, where an error is not the same as no row: -1. */
int db_ask(sqlite3 *db, const char *sql, int64_t none, int64_t *out);

/* A column of the current row as text, p == NULL for SQL NULL; borrowed until the next step. */
struct text column_text(sqlite3_stmt *s, int i);

#endif
