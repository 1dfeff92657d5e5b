/*
 * db.h - opening the databases of a store: pragmas, version check, migrations; nothing else.
 *
 * A store is a directory with facts.db, verdicts.db and notes.db, each with one writer. application_id tells whose file it is,
 * user_version its schema: a newer minor version (the low 8 bits) is readable, a newer major one is refused with a message.
 */
#ifndef SCHEMA_DB_H
#define SCHEMA_DB_H

#include <stddef.h>
#include <sqlite3.h>

enum db_file { DB_FACTS, DB_VERDICTS, DB_NOTES };

/* File name inside the store: "facts.db". */
const char *db_name(enum db_file f);

/*
 * Opens for writing, makes the file and its tables when they are not there (mode 0640), migrates an older one. WAL, persistent: the
 * -wal and -shm files stay after the last writer closed, so that a reader who may not write the directory can open it.
 * NULL and a message on failure: newer schema, another program's file, damaged, no permission.
 */
sqlite3 *db_open_write(const char *dir, enum db_file f, char *error, size_t error_size);

/* Opens facts.db read-only, and attaches verdicts.db as "verdicts" and notes.db as "notes" where they exist. *present: bit (1 << DB_...) each. */
sqlite3 *db_open_read(const char *dir, unsigned *present, char *error, size_t error_size);

/* sqlite3_exec that reports; 0 or -1 with a message in error (may be NULL). */
int db_exec(sqlite3 *db, const char *sql, char *error, size_t error_size);

/* Prepares, or ends the program: the statement is ours, so a failure is our bug or out of memory. Persistent. */
sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql);

/* First column of the first row as text, copied into out (cut to size); -1 when there is no row. */
int db_text(sqlite3 *db, const char *sql, char *out, size_t size);
long long db_int(sqlite3 *db, const char *sql, long long none);

#endif
