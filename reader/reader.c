/*
 * reader.c - see reader.h. One connection with all three files; it is closed and opened anew when a file was replaced, appeared, or could not
 * be read. Commits of others are noticed by PRAGMA data_version, which costs a look at the shared memory of the -wal.
 */
#include "reader/reader.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "reader/geo.h"
#include "schema/db.h"

enum { FILE_COUNT = 3, ERROR_MAX = 600,
	/* A screen does not wait for a lock: the next refresh tries again. */
	BUSY_MS = 100,
	/* Between two looks at the clock; some ten thousand of SQLite's steps take a millisecond. */
	STEPS_A_LOOK = 20000 };

struct reader {
	struct geo *geo;	/* NULL: none */
	char *dir;
	sqlite3 *db;				/* NULL: not open */
	enum reader_state state;
	unsigned present;			/* bits 1 << DB_... */
	char message[ERROR_MAX];
	struct db_files files[FILE_COUNT];
	int64_t version[FILE_COUNT];		/* PRAGMA data_version */
	bool fresh;				/* opened, and nobody was told yet */
	int depth;				/* of reader_begin */
	int64_t begun_us;			/* of the outermost */
	bool patient;
	bool failed, too_long;			/* since it began */
};

static const enum db_file files_of[FILE_COUNT] = { DB_FACTS, DB_VERDICTS, DB_NOTES };

static int64_t limit_us(const struct reader *r)
{
	return r->patient ? READER_PATIENT_US : READER_TRANSACTION_US;
}

static int gives_up(void *arg)
{
	struct reader *r = arg;

	r->too_long = r->depth && time_monotone_us() - r->begun_us > limit_us(r);
	return r->too_long;
}

static int64_t data_version(struct reader *r, enum db_file f)
{
	static const char *const pragmas[FILE_COUNT] = {
		[DB_FACTS] = "PRAGMA main.data_version", [DB_VERDICTS] = "PRAGMA verdicts.data_version", [DB_NOTES] = "PRAGMA notes.data_version",
	};

	return r->present >> f & 1 ? db_int(r->db, pragmas[f], -1) : 0;
}

static void shut(struct reader *r)
{
	if (r->db)
		sqlite3_close(r->db);
	r->db = NULL;
	r->present = 0;
}

static void open_store(struct reader *r)
{
	int busy_ms = r->patient ? DB_BUSY_MS : BUSY_MS;
	enum db_refusal why;
	struct db_inode facts;
	char path[4096];

	for (int i = 0; i < FILE_COUNT; i++)
		db_files_look(r->dir, files_of[i], &r->files[i]);
	r->message[0] = '\0';
	r->db = db_open_read(r->dir, busy_ms, &r->present, &why, r->message, sizeof r->message);
	r->fresh = true;
	if (!r->db) {
		db_path(r->dir, DB_FACTS, 0, path, sizeof path);
		db_inode_look(path, &facts);
		r->state = !facts.inode ? READER_ABSENT : why == DB_LOCKED ? READER_LOCKED : READER_REFUSED;
		r->present = 0;
		return;
	}
	sqlite3_progress_handler(r->db, STEPS_A_LOOK, gives_up, r);
	r->state = READER_READY;
	/* SQLite makes -wal and -shm of a store that it opens. */
	for (int i = 0; i < FILE_COUNT; i++) {
		db_files_look(r->dir, files_of[i], &r->files[i]);
		r->version[i] = data_version(r, files_of[i]);
	}
	if (!reader_is_judged(r))
		snprintf(r->message, sizeof r->message, "%s: not judged yet; \"bouncetap analyze\" does", r->dir);
}

struct reader *reader_open(const char *dir)
{
	struct reader *r = xcalloc(1, sizeof *r);

	r->dir = xstrdup(dir);
	open_store(r);
	return r;
}

void reader_use_geo(struct reader *r, const char *folder)
{
	geo_close(r->geo);
	r->geo = geo_open(folder);
}

const struct geo *reader_geo(const struct reader *r)
{
	return r->geo;
}

void reader_close(struct reader *r)
{
	if (!r)
		return;
	geo_close(r->geo);
	shut(r);
	free(r->dir);
	free(r);
}

static bool is_replaced(const struct reader *r)
{
	for (int i = 0; i < FILE_COUNT; i++)
		if (db_files_moved(r->dir, files_of[i], &r->files[i]))
			return true;
	return false;
}

/* A file that was still being made, or was about another store, when the store was opened. */
static bool is_left_out(const struct reader *r)
{
	for (int i = 0; i < FILE_COUNT; i++)
		if (r->files[i].file[0].inode && !(r->present >> files_of[i] & 1))
			return true;
	return false;
}

/* Verdicts of another store come in the same file: analyze empties it. */
static bool store_ids_differ(const struct reader *r)
{
	return reader_is_judged(r) && db_int(r->db, "SELECT v.store_id <> f.store_id FROM verdicts.meta v, main.meta f", 1);
}

bool reader_refresh(struct reader *r)
{
	bool changed = r->fresh;

	assert(r->depth == 0);
	r->fresh = false;
	if (r->state != READER_READY || is_replaced(r) || is_left_out(r)) {
		enum reader_state before = r->state;
		unsigned had = r->present;

		shut(r);
		open_store(r);
		r->fresh = false;
		return changed || before != r->state || had != r->present || r->state == READER_READY;
	}
	for (int i = 0; i < FILE_COUNT; i++) {
		int64_t version = data_version(r, files_of[i]);

		changed |= version != r->version[i];
		r->version[i] = version;
	}
	if (changed && store_ids_differ(r)) {
		shut(r);
		open_store(r);
		r->fresh = false;
	} else if (changed && reader_is_judged(r))
		r->message[0] = '\0';
	return changed;
}

enum reader_state reader_state(const struct reader *r)
{
	return r->state;
}

const char *reader_message(const struct reader *r)
{
	return r->message;
}

bool reader_is_judged(const struct reader *r)
{
	return r->present >> DB_VERDICTS & 1;
}

bool reader_has_notes(const struct reader *r)
{
	return r->present >> DB_NOTES & 1;
}

void reader_be_patient(struct reader *r)
{
	r->patient = true;
	if (r->state == READER_LOCKED)
		open_store(r);
}

void reader_begin(struct reader *r)
{
	if (r->depth++)
		return;
	r->begun_us = time_monotone_us();
	r->failed = r->too_long = false;
	if (r->db && db_exec(r->db, "BEGIN", NULL, 0))
		r->failed = true;
}

/* Which of the files an error is about SQLite does not tell; the directory is named then. */
static void keep_error(struct reader *r)
{
	if (r->failed)
		return;
	r->failed = true;
	if (r->too_long)
		snprintf(r->message, sizeof r->message, "%s: reading took longer than %d s and was given up; the machine or the disk is busy", r->dir,
			 (int)(limit_us(r) / 1000000));
	else if (r->db && sqlite3_errcode(r->db) == SQLITE_ERROR && strstr(sqlite3_errmsg(r->db), "no such"))
		snprintf(r->message, sizeof r->message, "%s: verdicts of an older bouncetap (%s); \"bouncetap analyze --rebuild\" makes new ones", r->dir,
			 sqlite3_errmsg(r->db));
	else if (r->db)
		db_describe(r->db, r->dir, r->message, sizeof r->message);
}

int reader_end(struct reader *r)
{
	assert(r->depth > 0);
	if (--r->depth)
		return r->failed ? -1 : 0;
	if (r->db)
		db_exec(r->db, "COMMIT", NULL, 0);
	if (r->state != READER_READY)
		return -1;
	return r->failed ? -1 : 0;
}

sqlite3_stmt *reader_select(struct reader *r, const char *sql, const char *types, ...)
{
	sqlite3_stmt *s = NULL;
	va_list ap;

	assert(r->depth > 0);
	if (!r->db || r->failed)
		return NULL;
	if (sqlite3_prepare_v2(r->db, sql, -1, &s, NULL) != SQLITE_OK) {
		keep_error(r);
		return NULL;
	}
	va_start(ap, types);
	for (int i = 1; *types; i++, types++)
		if (*types == 'i')
			sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
		else
			sqlite3_bind_text(s, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
	va_end(ap);
	return s;
}

bool reader_step(struct reader *r, sqlite3_stmt *s)
{
	int rc = s ? sqlite3_step(s) : SQLITE_DONE;

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		keep_error(r);
	return rc == SQLITE_ROW;
}

struct text reader_text(struct arena *a, sqlite3_stmt *s, int column)
{
	struct text t = column_text(s, column);

	return t.p ? arena_copy(a, t.p, t.len, t.len, NULL) : t;
}

const char *reader_word(struct arena *a, sqlite3_stmt *s, int column)
{
	struct text t = column_text(s, column);
	char *copy = t.p ? arena_alloc(a, (size_t)t.len + 1) : NULL;

	if (!copy)
		return "";
	memcpy(copy, t.p, t.len);
	copy[t.len] = '\0';
	return copy;
}

int reader_span(struct reader *r, struct reader_span *out)
{
	sqlite3_stmt *s;

	*out = (struct reader_span){ 0 };
	reader_begin(r);
	/* By indices: the one of sessions is by second of their start; those that ended last were written last, or carried mail. */
	s = reader_select(r, "SELECT (SELECT min(started_us) FROM (SELECT started_us FROM sessions ORDER BY started_us / 1000000 LIMIT 1000)),"
			  " max(coalesce((SELECT max(ended_us) FROM transactions), 0),"
			  " coalesce((SELECT max(ended_us) FROM (SELECT ended_us FROM sessions ORDER BY id DESC LIMIT 1000)), 0)),"
			  " (SELECT interfaces IS NULL FROM sensor_run ORDER BY id DESC LIMIT 1)", "");
	if (reader_step(r, s)) {
		out->first_us = sqlite3_column_int64(s, 0);
		out->last_us = sqlite3_column_int64(s, 1);
		out->is_replay = sqlite3_column_int(s, 2) != 0;
	}
	sqlite3_finalize(s);
	if (reader_is_judged(r)) {
		s = reader_select(r, "SELECT last_us, now_us FROM verdicts.meta", "");
		if (reader_step(r, s)) {
			out->judged_us = sqlite3_column_int64(s, 0);
			out->now_us = sqlite3_column_int64(s, 1);
		}
		sqlite3_finalize(s);
	}
	return reader_end(r);
}
