/*
 * db.c - see db.h. The schemas are the .sql files beside this one, compiled in.
 *
 * A change that old readers understand (a new column with a default, an index, a view) raises the minor version and gets a step
 * in migrate(); any other change raises the major version. Then facts.db begins a new file, verdicts.db is emptied: analyze fills it again.
 */
#include "schema/db.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/xmalloc.h"

static const char facts_sql[] =
#include "facts.sql.h"
#include "pruned.sql.h"
;
static const char verdicts_sql[] =
#include "verdicts.sql.h"
#include "pruned.sql.h"
;
static const char notes_sql[] =
#include "notes.sql.h"
#include "past.sql.h"
;
static const char pruned_sql[] =
#include "pruned.sql.h"
;
static const char past_sql[] =
#include "past.sql.h"
;

static const struct db_kind {
	const char *name, *schema, *sql;
	const char *step;	/* from minor version 0 to 1; NULL: none */
	int application_id;	/* "bnt" and F, V or N */
	int version;		/* major << 8 | minor */
} kinds[] = {
	[DB_FACTS] = { "facts.db", "main", facts_sql, pruned_sql, 0x626e7446, 1 << 8 | 1 },
	[DB_VERDICTS] = { "verdicts.db", "verdicts", verdicts_sql, NULL, 0x626e7456, 9 << 8 },
	[DB_NOTES] = { "notes.db", "notes", notes_sql, past_sql, 0x626e744e, 1 << 8 | 1 },
};

const char *db_name(enum db_file f)
{
	return kinds[f].name;
}

int db_exec(sqlite3 *db, const char *sql, char *error, size_t error_size)
{
	char *message = NULL;

	if (!sql)
		xcheck(NULL);	/* sqlite3_mprintf had no memory; to sqlite3_exec that is nothing to do */
	if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK)
		return 0;
	if (error)
		snprintf(error, error_size, "%s", message ? message : sqlite3_errmsg(db));
	sqlite3_free(message);
	return -1;
}

int db_be_temporary(sqlite3 *db)
{
	return db_exec(db, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF", NULL, 0);
}

sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK) {
		fprintf(stderr, "statement \"%s\": %s\n", sql, sqlite3_errmsg(db));
		abort();
	}
	return s;
}

int db_text(sqlite3 *db, const char *sql, char *out, size_t size)
{
	sqlite3_stmt *s;
	int result = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0)) {
		snprintf(out, size, "%s", (const char *)sqlite3_column_text(s, 0));
		result = 0;
	}
	sqlite3_finalize(s);
	return result;
}

long long db_int(sqlite3 *db, const char *sql, long long none)
{
	sqlite3_stmt *s;
	long long v = none;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		return none;
	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
		v = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return v;
}

int db_ask(sqlite3 *db, const char *sql, int64_t none, int64_t *out)
{
	*out = db_int(db, sql, none);
	return sqlite3_errcode(db) == SQLITE_OK ? 0 : -1;
}

struct text column_text(sqlite3_stmt *s, int i)
{
	const char *p = (const char *)sqlite3_column_text(s, i);

	return (struct text){ p, p ? (uint32_t)sqlite3_column_bytes(s, i) : 0 };
}

enum db_refusal db_refusal(sqlite3 *db)
{
	int rc = sqlite3_extended_errcode(db), at_system = sqlite3_system_errno(db);

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return DB_LOCKED;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return DB_DAMAGED;
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return DB_DENIED;
	case SQLITE_CANTOPEN:
		return at_system == EACCES || at_system == EPERM || at_system == EROFS ? DB_DENIED : DB_REFUSED;
	default:
		return DB_REFUSED;
	}
}

void db_describe(sqlite3 *db, const char *path, char *error, size_t size)
{
	static const char *const help[] = {
		[DB_REFUSED] = "", [DB_LOCKED] = "; another program keeps it locked: end that program, or try again later",
		[DB_DENIED] = ": see owners, modes, and whether the file system is read-only", [DB_DAMAGED] = "",
	};

	snprintf(error, size, "%s: %s%s", path, sqlite3_errmsg(db), help[db_refusal(db)]);
}

/* A number that every file has. False: it could not be read. */
static bool ask(sqlite3 *db, const char *format, const char *schema, long long *out)
{
	char *sql = sqlite3_mprintf(format, schema);

	*out = db_int(db, sql, LLONG_MIN);
	sqlite3_free(sql);
	return *out != LLONG_MIN;
}

/* 0: fine; 1: empty, tables are to be made; -1: not ours or too new. */
static int check_version(sqlite3 *db, const char *path, const struct db_kind *k, const char *schema, char *error, size_t size)
{
	long long application_id, version, tables = 1;

	if (!ask(db, "PRAGMA %s.application_id", schema, &application_id) || !ask(db, "PRAGMA %s.user_version", schema, &version)
	    || (application_id == 0 && version == 0 && !ask(db, "SELECT count(*) FROM %s.sqlite_master", schema, &tables))) {
		db_describe(db, path, error, size);
		return -1;
	}
	if (tables == 0)
		return 1;
	if (application_id != k->application_id) {
		snprintf(error, size, "%s: not a %s of bouncetap; name another --store", path, k->name);
		return -1;
	}
	if (version >> 8 > k->version >> 8) {
		snprintf(error, size, "%s: written by a newer bouncetap (schema %lld.%lld, this one reads up to %d.x); upgrade this program",
			 path, version >> 8, version & 255, k->version >> 8);
		return -1;
	}
	return 0;
}

/* What it began is rolled back when the caller closes the database. */
static int create_tables(sqlite3 *db, const struct db_kind *k)
{
	char pragmas[96];

	snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", k->application_id, k->version);
	if (db_exec(db, "BEGIN IMMEDIATE", NULL, 0))
		return -1;
	/* Another writer may have been first. */
	if (db_int(db, "PRAGMA user_version", 0) != 0)
		return db_exec(db, "ROLLBACK", NULL, 0);
	return db_exec(db, k->sql, NULL, 0) || db_exec(db, pragmas, NULL, 0) ? -1 : 0;
}

/* The tables of another major version make room for those of this one. */
static int make_anew(sqlite3 *db, const struct db_kind *k)
{
	char drops[4096] = "", version[64];

	snprintf(version, sizeof version, "PRAGMA user_version = %d; COMMIT", k->version);
	if (db_exec(db, "BEGIN IMMEDIATE", NULL, 0))
		return -1;
	if (db_text(db, "SELECT group_concat('DROP ' || type || ' ' || name, ';') FROM sqlite_master WHERE type IN ('table', 'view')"
		    " AND name NOT LIKE 'sqlite_%'", drops, sizeof drops) == 0 && db_exec(db, drops, NULL, 0))
		return -1;
	return db_exec(db, k->sql, NULL, 0) || db_exec(db, version, NULL, 0) ? -1 : 0;
}

/* Raises an older version. Another program may be about to do the same. */
static int migrate(sqlite3 *db, const struct db_kind *k)
{
	long long version = db_int(db, "PRAGMA user_version", 0);
	char pragmas[64];

	if (version >= k->version)
		return 0;
	if (version >> 8 < k->version >> 8)
		return make_anew(db, k);
	snprintf(pragmas, sizeof pragmas, "PRAGMA user_version = %d; COMMIT", k->version);
	if (db_exec(db, "BEGIN IMMEDIATE", NULL, 0))
		return -1;
	if (db_int(db, "PRAGMA user_version", 0) >= k->version)
		return db_exec(db, "ROLLBACK", NULL, 0);
	return (k->step && db_exec(db, k->step, NULL, 0)) || db_exec(db, pragmas, NULL, 0) ? -1 : 0;
}

static int prepare_file(sqlite3 *db, const char *path, const struct db_kind *k, char *error, size_t size)
{
	int persist = 1;
	int fresh = check_version(db, path, k, "main", error, size);

	if (fresh < 0)
		return -1;
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	if (db_exec(db, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY", NULL, 0)
	    || (fresh && create_tables(db, k)) || migrate(db, k)) {
		db_describe(db, path, error, size);
		return -1;
	}
	return 0;
}

static int open_file(const char *path, int flags, sqlite3 **db)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);	/* else each piece of memory is counted under a lock; refused, and of no harm, once SQLite is in use */
	return sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX, NULL);
}

sqlite3 *db_open_write(const char *dir, enum db_file f, int busy_ms, enum db_refusal *why, char *error, size_t error_size)
{
	const struct db_kind *k = &kinds[f];
	enum db_refusal nobody_asks;
	sqlite3 *db = NULL;
	char path[4096];

	why = why ? why : &nobody_asks;
	*why = DB_REFUSED;
	if (snprintf(path, sizeof path, "%s/%s", dir, k->name) >= (int)sizeof path) {
		snprintf(error, error_size, "%s: the path is too long", dir);
		return NULL;
	}
	mode_t old = umask(0027);
	int rc = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db);
	if (rc != SQLITE_OK)
		db_describe(db, path, error, error_size);
	else if (sqlite3_db_readonly(db, "main")) {
		snprintf(error, error_size, "%s: may only be read: see its owner and mode, and whether the file system is read-only", path);
		rc = SQLITE_READONLY;
	} else {
		sqlite3_busy_timeout(db, busy_ms);
		rc = prepare_file(db, path, k, error, error_size);
	}
	umask(old);
	if (rc != SQLITE_OK) {
		*why = rc == SQLITE_READONLY ? DB_DENIED : db_refusal(db);
		sqlite3_close(db);
		return NULL;
	}
	return db;
}

static int attach(sqlite3 *db, const char *dir, const struct db_kind *k, char *error, size_t size)
{
	char path[4096];
	struct stat st;
	int result = -1;

	snprintf(path, sizeof path, "%s/%s", dir, k->name);
	if (stat(path, &st))
		return 1;
	char *sql = sqlite3_mprintf("ATTACH %Q AS %s", path, k->schema);
	if (db_exec(db, sql, NULL, 0) == 0)
		result = check_version(db, path, k, k->schema, error, size);
	else
		db_describe(db, path, error, size);
	sqlite3_free(sql);
	/* Its maker died before it was in WAL mode: who writes it next rolls that back, until then it is not there. */
	if (result < 0 && sqlite3_extended_errcode(db) == SQLITE_READONLY_ROLLBACK) {
		sql = sqlite3_mprintf("DETACH %s", k->schema);
		db_exec(db, sql, NULL, 0);
		sqlite3_free(sql);
		return 1;
	}
	return result;
}

/* SQLite's shell, for one, removes -wal and -shm when it was the last to have a store open for writing. */
static void explain_missing_wal(const char *path, const char *dir, char *error, size_t size)
{
	struct db_files files;

	db_files_look(dir, DB_FACTS, &files);
	if (files.file[0].inode && !(files.file[1].inode && files.file[2].inode))
		snprintf(error, size, "%s: its -wal and -shm are gone, and this user may not make them: bouncetapd does at its next start", path);
}

/* Of another store, or with the tables of an older bouncetap: until analyze makes them anew there are none. */
static bool are_no_verdicts(sqlite3 *db)
{
	return db_int(db, "PRAGMA verdicts.user_version", 0) >> 8 < kinds[DB_VERDICTS].version >> 8
	    || db_int(db, "SELECT verdicts.meta.store_id <> main.meta.store_id FROM verdicts.meta, main.meta", 0);
}

sqlite3 *db_open_read(const char *dir, int busy_ms, unsigned *present, enum db_refusal *why, char *error, size_t error_size)
{
	static const enum db_file others[] = { DB_VERDICTS, DB_NOTES };
	sqlite3 *db = NULL;
	char path[4096];
	int state;

	*present = 1u << DB_FACTS;
	snprintf(path, sizeof path, "%s/%s", dir, kinds[DB_FACTS].name);
	if (open_file(path, SQLITE_OPEN_READONLY, &db) != SQLITE_OK) {
		struct stat st;

		if (stat(path, &st) && errno == ENOENT)
			snprintf(error, error_size, "%s: there is no store here; bouncetapd makes one, --store names another", dir);
		else
			db_describe(db, path, error, error_size);
		goto fail;
	}
	sqlite3_busy_timeout(db, busy_ms);
	state = check_version(db, path, &kinds[DB_FACTS], "main", error, error_size);
	if (state == 1)
		snprintf(error, error_size, "%s: empty; bouncetapd has not written to it yet", path);
	if (state < 0 && db_refusal(db) == DB_DENIED)
		explain_missing_wal(path, dir, error, error_size);
	if (state)
		goto fail;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		state = attach(db, dir, &kinds[others[i]], error, error_size);
		if (state < 0)
			goto fail;
		if (state == 0 && others[i] == DB_VERDICTS && are_no_verdicts(db)) {
			db_exec(db, "DETACH verdicts", NULL, 0);
			state = 1;
		}
		if (state == 0)
			*present |= 1u << others[i];
	}
	return db;
fail:
	if (why)
		*why = db_refusal(db);
	sqlite3_close(db);
	return NULL;
}

/* ---- whether files are still in their places ---- */

/* False: it cannot be told. */
static bool look(const char *path, struct db_inode *out)
{
	struct stat st;

	*out = (struct db_inode){ 0 };
	if (stat(path, &st))
		return errno == ENOENT || errno == ENOTDIR;
	*out = (struct db_inode){ st.st_dev, st.st_ino };
	return true;
}

void db_inode_look(const char *path, struct db_inode *out)
{
	look(path, out);
}

bool db_inode_moved(const char *path, const struct db_inode *before)
{
	struct db_inode now;

	return look(path, &now) && (now.device != before->device || now.inode != before->inode);
}

void db_path(const char *dir, enum db_file f, int n, char *out, size_t size)
{
	static const char *const suffixes[DB_FILES] = { "", "-wal", "-shm" };

	snprintf(out, size, "%s/%s%s", dir, kinds[f].name, suffixes[n]);
}

void db_files_look(const char *dir, enum db_file f, struct db_files *out)
{
	char path[4096];

	for (int i = 0; i < DB_FILES; i++) {
		db_path(dir, f, i, path, sizeof path);
		db_inode_look(path, &out->file[i]);
	}
}

bool db_files_moved(const char *dir, enum db_file f, const struct db_files *before)
{
	char path[4096];

	for (int i = 0; i < DB_FILES; i++) {
		db_path(dir, f, i, path, sizeof path);
		if (db_inode_moved(path, &before->file[i]))
			return true;
	}
	return false;
}
