/* prune.c - see prune.h. Each stage walks along an index by time; what stays is passed by. */
#include "sensor/prune.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "schema/db.h"

enum { LOOK_MS = 5000, ROWS_FIRST = 100, ROWS_MIN = 10, ROWS_MAX = 5000 };
enum { TRANSACTIONS, SESSIONS, COUNTERS, STAGE_COUNT };

static const char sql_request[] =
	"SELECT p.id, p.before_us, p.counters_before_us, p.session_rowid, p.transaction_rowid FROM notes.prune p, notes.meta n, main.meta f"
	" WHERE n.store_id = f.store_id AND p.id NOT IN (SELECT request FROM pruned) AND p.id = (SELECT max(id) FROM notes.prune)";

/* ?1 where to go on, ?2 the end, ?3 the last row, ?4 how many. The first column is the row, the second the place behind it. */
static const char *const sql_find[STAGE_COUNT] = {
	[TRANSACTIONS] = "SELECT t.id, t.ended_us FROM transactions t WHERE t.ended_us >= ?1 AND t.ended_us < ?2 AND t.id <= ?3"
			 " AND NOT EXISTS (SELECT 1 FROM notes.prune_keep k WHERE k.what = 't' AND k.fact_rowid = t.id) ORDER BY t.ended_us LIMIT ?4",
	/* The end of a session is not indexed, its beginning is, by second. */
	[SESSIONS] = "SELECT s.id, s.started_us / 1000000 FROM sessions s WHERE s.started_us / 1000000 >= ?1 AND s.started_us / 1000000 < ?2 / 1000000"
		     " AND s.ended_us < ?2 AND s.id <= ?3 AND NOT EXISTS (SELECT 1 FROM notes.prune_keep k WHERE k.what = 's' AND k.fact_rowid = s.id)"
		     " ORDER BY s.started_us / 1000000 LIMIT ?4",
	[COUNTERS] = "SELECT c.start_us, 0, c.run_id, c.interface FROM capture c WHERE c.end_us < ?2 AND ?1 <= ?3 LIMIT ?4",
};

/* ?1 the row; ?2 ?3 run and interface */
static const char *const sql_delete[STAGE_COUNT][7] = {
	[TRANSACTIONS] = { "DELETE FROM recipients WHERE transaction_rowid = ?1", "DELETE FROM messages WHERE transaction_rowid = ?1",
			   "DELETE FROM reports WHERE transaction_rowid = ?1", "DELETE FROM report_recipients WHERE transaction_rowid = ?1",
			   "DELETE FROM returned WHERE transaction_rowid = ?1", "DELETE FROM transactions WHERE id = ?1" },
	[SESSIONS] = { "DELETE FROM sighting WHERE session_id = (SELECT session_id FROM sessions WHERE id = ?1)", "DELETE FROM sessions WHERE id = ?1" },
	[COUNTERS] = { "DELETE FROM capture WHERE start_us = ?1 AND run_id = ?2 AND interface = ?3" },
};

static int64_t now_ms(void)
{
	return time_monotone_us() / 1000;
}

void prune_init(struct prune *p, const char *dir)
{
	*p = (struct prune){ .dir = dir, .rows = ROWS_FIRST, .looked_ms = INT64_MIN / 2 };
}

/* ---- notes.db beside facts.db ---- */

static bool attach_notes(const struct prune *p, sqlite3 *facts)
{
	char path[PATH_MAX];

	db_path(p->dir, DB_NOTES, 0, path, sizeof path);
	if (access(path, R_OK))
		return false;
	char *sql = sqlite3_mprintf("ATTACH %Q AS notes", path);
	bool attached = db_exec(facts, sql, NULL, 0) == 0;
	sqlite3_free(sql);
	return attached;
}

static void detach_notes(sqlite3 *facts)
{
	db_exec(facts, "DETACH notes", NULL, 0);
}

/* Our own SQL on a file of others: a failure is none of ours. NULL then. */
static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;

	return sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK ? s : NULL;
}

/* The latest request, if it was not carried out; another one than before begins anew. */
static bool find_request(struct prune *p, sqlite3 *facts)
{
	sqlite3_stmt *s = prepare(facts, sql_request);
	bool found = s && sqlite3_step(s) == SQLITE_ROW;

	if (!found)
		p->request = 0;
	else if (p->request != sqlite3_column_int64(s, 0)) {
		p->request = sqlite3_column_int64(s, 0);
		p->before_us = sqlite3_column_int64(s, 1);
		p->counters_before_us = sqlite3_column_int64(s, 2);
		p->session_rowid = sqlite3_column_int64(s, 3);
		p->transaction_rowid = sqlite3_column_int64(s, 4);
		p->stage = 0;
		p->place = INT64_MIN;
		p->transactions = p->sessions = 0;
	}
	sqlite3_finalize(s);
	return found;
}

/* ---- a slice ---- */

static int delete_row(struct prune *p, sqlite3_stmt *const *deletes, sqlite3_stmt *found)
{
	for (int i = 0; deletes[i]; i++) {
		sqlite3_bind_int64(deletes[i], 1, sqlite3_column_int64(found, 0));
		if (p->stage == COUNTERS) {
			sqlite3_bind_int64(deletes[i], 2, sqlite3_column_int64(found, 2));
			sqlite3_bind_value(deletes[i], 3, sqlite3_column_value(found, 3));
		}
		int rc = sqlite3_step(deletes[i]);
		sqlite3_reset(deletes[i]);
		if (rc != SQLITE_DONE)
			return -1;
	}
	return 0;
}

/* Deletes while it walks: SQLite allows that for rows that were already stepped over. Answers how many were found, -1 on failure. */
static int64_t delete_found(struct prune *p, sqlite3 *facts)
{
	sqlite3_stmt *deletes[8] = { 0 }, *find = prepare(facts, sql_find[p->stage]);
	int64_t n = find ? 0 : -1, place = p->place;

	for (int i = 0; sql_delete[p->stage][i] && n == 0; i++)
		if (!(deletes[i] = prepare(facts, sql_delete[p->stage][i])))
			n = -1;
	if (n == 0) {
		sqlite3_bind_int64(find, 1, p->place);
		sqlite3_bind_int64(find, 2, p->stage == COUNTERS ? p->counters_before_us : p->before_us);
		sqlite3_bind_int64(find, 3, p->stage == TRANSACTIONS ? p->transaction_rowid : p->stage == SESSIONS ? p->session_rowid : INT64_MAX);
		sqlite3_bind_int64(find, 4, p->rows);
	}
	int rc = SQLITE_DONE;
	while (n >= 0 && (rc = sqlite3_step(find)) == SQLITE_ROW) {
		place = sqlite3_column_int64(find, 1);
		n = delete_row(p, deletes, find) ? -1 : n + 1;
	}
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		n = -1;
	sqlite3_finalize(find);
	for (int i = 0; deletes[i]; i++)
		sqlite3_finalize(deletes[i]);
	if (n > 0 && p->stage != COUNTERS)
		p->place = place;
	return n;
}

static void say_done(const struct prune *p)
{
	char before[TIME_TEXT_MAX];

	fprintf(stderr, "bouncetapd: %s: %" PRIu64 " transactions and %" PRIu64 " sessions from before %s were taken out, as asked for\n", p->dir, p->transactions,
		p->sessions, time_format_utc(p->before_us, before));
}

static bool mark_done(struct prune *p, sqlite3 *facts)
{
	char *sql = sqlite3_mprintf("INSERT OR REPLACE INTO pruned VALUES (%lld, %lld)", (long long)p->request, (long long)time_now_us());
	bool done = db_exec(facts, sql, NULL, 0) == 0;

	sqlite3_free(sql);
	return done;
}

/* Inside a transaction. False: it is to be rolled back. */
static bool go_on(struct prune *p, sqlite3 *facts, int64_t *found)
{
	*found = delete_found(p, facts);
	if (*found < 0)
		return false;
	p->transactions += p->stage == TRANSACTIONS ? (uint64_t)*found : 0;
	p->sessions += p->stage == SESSIONS ? (uint64_t)*found : 0;
	if (*found == (int64_t)p->rows)
		return true;
	p->place = INT64_MIN;
	return ++p->stage < STAGE_COUNT || mark_done(p, facts);
}

/* So many rows as half of the time allows: the disk is not always as quick as it was. */
static void learn_pace(struct prune *p, int64_t took_ms)
{
	if (took_ms > PRUNE_SLICE_MS / 2 && p->rows > ROWS_MIN)
		p->rows /= 2;
	else if (took_ms < PRUNE_SLICE_MS / 4 && p->rows < ROWS_MAX)
		p->rows *= 2;
}

static void run_slice(struct prune *p, sqlite3 *facts)
{
	struct prune before = *p;
	int64_t begun = now_ms(), found;

	/* IMMEDIATE would lock notes.db, too. */
	if (db_exec(facts, "BEGIN", NULL, 0))
		return;
	if (!go_on(p, facts, &found) || db_exec(facts, "COMMIT", NULL, 0)) {
		db_exec(facts, "ROLLBACK", NULL, 0);
		*p = before;
		return;
	}
	if (p->stage == STAGE_COUNT)
		say_done(p);
	learn_pace(p, now_ms() - begun);
}

bool prune_slice(struct prune *p, sqlite3 *facts)
{
	if (!p->request && now_ms() - p->looked_ms < LOOK_MS)
		return false;
	p->looked_ms = now_ms();
	if (!attach_notes(p, facts))
		return false;
	if (find_request(p, facts))
		run_slice(p, facts);
	detach_notes(facts);
	if (p->request && p->stage == STAGE_COUNT)
		p->request = 0;
	return p->request != 0;
}
