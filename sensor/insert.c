/* insert.c - see insert.h */
#include "sensor/insert.h"

#include <stdio.h>
#include <string.h>

#include "schema/db.h"

/* How far the clocks of two taps may differ for the same connection to be known again, in both directions: seven look-ups by whole seconds. */
#define SECONDS_NEAR(us) "(" us "/1000000-3," us "/1000000-2," us "/1000000-1," us "/1000000," us "/1000000+1," us "/1000000+2," us "/1000000+3)"
enum { NEAR_S = 3 };

/* Statements beside those of row.h. */
enum { S_OLD_SESSION, S_OLD_TRANSACTION, S_DROP_SESSION, S_DROP_TRANSACTION, S_SIGHTING, S_DROP_CAPTURE, S_COUNT };
_Static_assert((int)S_COUNT == (int)INSERT_STATEMENTS, "room for each statement");
static const char *const sql[S_COUNT] = {
	[S_OLD_SESSION] = ("SELECT id, source_id, run_id, end_reason = 'capture-end' AND (?2 > ended_us OR ?2 = ended_us AND (?3 <> end_reason OR "
			  "?4 > packets)) FROM sessions WHERE started_us/1000000 IN " SECONDS_NEAR("?5") " AND session_id = ?1"),
	/*
	 * Where commands are missing, an ordinal may be that of another mail. Two of three are asked for: both began with the same packet, the
	 * old one is not complete (a refused one is, but may go on), in the new one ordinals are sure.
	 */
	[S_OLD_TRANSACTION] = "SELECT t.id, s.end_reason = 'capture-end' AND t.run_id <> ?3 AND (?4 > t.ended_us OR "
			      "?4 = t.ended_us AND "
			      "(?5, ?6, ?7, ?8, ?9, ?10) IS NOT (t.rcpt_count, t.outcome, t.size_bytes, t.bytes_seen, t.steps, t.notes)) "
			      "AND (?11 = t.started_us) + (NOT t.complete) + (NOT (instr(?10, 'ordinal-uncertain') OR instr(?10, 'mid-stream'))) >= 2 "
			      "FROM transactions t LEFT JOIN sessions s ON s.started_us/1000000 = t.session_started_us/1000000 AND s.session_id = t.session_id "
			      "WHERE t.session_started_us/1000000 IN " SECONDS_NEAR("?12") " AND t.session_id = ?1 AND t.ordinal = ?2",
	[S_DROP_SESSION] = "DELETE FROM sessions WHERE id = ?1",
	[S_DROP_TRANSACTION] = "DELETE FROM transactions WHERE id = ?1",
	[S_SIGHTING] = "INSERT OR IGNORE INTO sighting (session_id, source_id, run_id) VALUES (?1, ?2, ?3)",
	/* a source that is read again is counted once */
	[S_DROP_CAPTURE] = "DELETE FROM capture WHERE run_id IN (SELECT id FROM sensor_run WHERE source_id = ?1 AND id <> ?2) AND interface = ?3 "
			   "AND start_us = ?4",
};
/* What hangs on a transaction that is superseded. */
static const char *const children[INSERT_CHILDREN] = { "recipients", "messages", "reports", "report_recipients", "returned" };

/* ---- statements ---- */

static int prepare(struct insert *i, const char *query, sqlite3_stmt **out)
{
	return sqlite3_prepare_v3(i->db, query, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK ? 0 : -1;
}

static int prepare_all(struct insert *i)
{
	char drop[96];
	int rc = 0;

	for (int k = 0; rc == 0 && k < ROW_STATEMENTS; k++)
		rc = prepare(i, row_sql((enum row_statement)k), &i->row[k]);
	for (int k = 0; rc == 0 && k < S_COUNT; k++)
		rc = prepare(i, sql[k], &i->stmt[k]);
	for (int k = 0; rc == 0 && k < INSERT_CHILDREN; k++) {
		snprintf(drop, sizeof drop, "DELETE FROM %s WHERE transaction_rowid = ?1", children[k]);
		rc = prepare(i, drop, &i->drop_child[k]);
	}
	return rc;
}

static void finalize(sqlite3_stmt **list, size_t count)
{
	for (size_t k = 0; k < count; k++)
		sqlite3_finalize(list[k]);
	memset(list, 0, count * sizeof *list);
}

void insert_close(struct insert *i)
{
	finalize(i->row, ROW_STATEMENTS);
	finalize(i->stmt, S_COUNT);
	finalize(i->drop_child, INSERT_CHILDREN);
}

int insert_open(struct insert *i, sqlite3 *db, bool same_run)
{
	i->db = db;
	if (prepare_all(i)
	    || db_ask(db, "SELECT seq FROM sqlite_sequence WHERE name = 'sessions'", 0, &i->last_session)
	    || db_ask(db, "SELECT seq FROM sqlite_sequence WHERE name = 'transactions'", 0, &i->last_transaction))
		return -1;
	if (same_run)
		return 0;
	return db_ask(db, "SELECT min(t) FROM (SELECT min(started_us/1000000) t FROM sessions UNION "
		      "SELECT min(session_started_us/1000000) FROM transactions)", INT64_MAX, &i->first_s)
	       || db_ask(db, "SELECT max(t) FROM (SELECT max(started_us/1000000) t FROM sessions UNION "
			 "SELECT max(session_started_us/1000000) FROM transactions)", INT64_MIN, &i->last_s) ? -1 : 0;
}

/* ---- rows ---- */

static void bind_field(sqlite3_stmt *stmt, int n, const struct row_field *v)
{
	if (v->type == VALUE_INT)
		sqlite3_bind_int64(stmt, n, v->integer);
	else if (v->type == VALUE_TEXT)
		sqlite3_bind_text(stmt, n, v->bytes, (int)v->length, SQLITE_STATIC);
	else if (v->type == VALUE_BLOB)
		sqlite3_bind_blob(stmt, n, v->bytes, (int)v->length, SQLITE_STATIC);
	else
		sqlite3_bind_null(stmt, n);
}

/* The id of a new session or transaction, else of the transaction that the row hangs on. */
static int64_t row_id(struct insert *i, enum row_statement statement)
{
	if (statement == ROW_SESSION)
		return ++i->last_session;
	if (statement == ROW_TRANSACTION)
		return ++i->last_transaction;
	return i->last_transaction;
}

/* first: room for ROW_VALUES_MAX; the values are left there. */
static void bind_row(struct insert *i, const struct row_head *h, struct row_reader *r, int64_t batch_seq, struct row_field *first)
{
	sqlite3_stmt *stmt = i->row[h->statement];

	sqlite3_clear_bindings(stmt);	/* most values of most rows are NULL */
	for (unsigned k = 0; k < h->values; k++) {
		struct row_field v;
		int n = (int)k + 1;

		row_next_value(r, &v);
		if (k < ROW_VALUES_MAX)
			first[k] = v;
		if (v.type == VALUE_NULL)
			continue;
		if (v.type == VALUE_BATCH)
			sqlite3_bind_int64(stmt, n, batch_seq);
		else if (v.type == VALUE_RUN)
			sqlite3_bind_int64(stmt, n, i->run_id);
		else if (v.type == VALUE_SOURCE && i->source_id)
			sqlite3_bind_int64(stmt, n, i->source_id);
		else if (v.type == VALUE_ROWID)
			sqlite3_bind_int64(stmt, n, row_id(i, h->statement));
		else
			bind_field(stmt, n, &v);
	}
}

static int step_once(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	sqlite3_reset(stmt);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -1;
}

static void bind_int_or_null(sqlite3_stmt *q, int n, int64_t v)
{
	if (v)
		sqlite3_bind_int64(q, n, v);
	else
		sqlite3_bind_null(q, n);
}

static int put_sighting(struct insert *i, const struct row_field *session_id, int64_t source_id, int64_t run_id)
{
	sqlite3_stmt *q = i->stmt[S_SIGHTING];

	bind_field(q, 1, session_id);
	bind_int_or_null(q, 2, source_id);
	sqlite3_bind_int64(q, 3, run_id);
	return step_once(q);
}

static int drop_transaction(struct insert *i, int64_t rowid)
{
	int rc = 0;

	for (size_t k = 0; k < INSERT_CHILDREN; k++) {
		sqlite3_bind_int64(i->drop_child[k], 1, rowid);
		rc |= step_once(i->drop_child[k]);
	}
	sqlite3_bind_int64(i->stmt[S_DROP_TRANSACTION], 1, rowid);
	return rc | step_once(i->stmt[S_DROP_TRANSACTION]);
}

enum old_row { OLD_NONE, OLD_STAYS, OLD_DROPPED, OLD_ERROR };

/* A session that is there already stays as it is, but when an earlier capture cut it off at its end: a longer sighting takes its place. */
static enum old_row supersede_session(struct insert *i, const struct row_field *v)
{
	sqlite3_stmt *q = i->stmt[S_OLD_SESSION];
	int64_t id = 0, source_id = i->source_id, run_id = i->run_id;
	bool found, drop = false;

	bind_field(q, 1, &v[SESSION_AT_session_id]);
	bind_field(q, 2, &v[SESSION_AT_ended_us]);
	bind_field(q, 3, &v[SESSION_AT_end_reason]);
	bind_field(q, 4, &v[SESSION_AT_packets]);
	bind_field(q, 5, &v[SESSION_AT_started_us]);
	found = sqlite3_step(q) == SQLITE_ROW;
	if (found) {
		id = sqlite3_column_int64(q, 0);
		source_id = sqlite3_column_int64(q, 1);
		run_id = sqlite3_column_int64(q, 2);
		drop = sqlite3_column_int(q, 3);
	}
	if (sqlite3_reset(q))
		return OLD_ERROR;
	if (!found)
		return OLD_NONE;
	bool other_source = source_id != i->source_id || (!source_id && run_id != i->run_id);
	/* the sighting names the source whose row is not there */
	if (other_source && put_sighting(i, &v[SESSION_AT_session_id], drop ? source_id : i->source_id, drop ? run_id : i->run_id))
		return OLD_ERROR;
	if (!drop)
		return OLD_STAYS;
	sqlite3_bind_int64(i->stmt[S_DROP_SESSION], 1, id);
	return step_once(i->stmt[S_DROP_SESSION]) ? OLD_ERROR : OLD_DROPPED;
}

/* As above for a mail; another one of the same ordinal takes nothing away. Its session tells of the sighting. */
static enum old_row supersede_transaction(struct insert *i, const struct row_field *v)
{
	static const int compared[] = {
		TRANSACTION_AT_ended_us, TRANSACTION_AT_rcpt_count, TRANSACTION_AT_outcome, TRANSACTION_AT_size_bytes,
		TRANSACTION_AT_bytes_seen, TRANSACTION_AT_steps, TRANSACTION_AT_notes, TRANSACTION_AT_started_us,
		TRANSACTION_AT_session_started_us,
	};
	sqlite3_stmt *q = i->stmt[S_OLD_TRANSACTION];
	bool found, drop = false;
	int64_t id = 0;

	bind_field(q, 1, &v[TRANSACTION_AT_session_id]);
	bind_field(q, 2, &v[TRANSACTION_AT_ordinal]);
	sqlite3_bind_int64(q, 3, i->run_id);
	for (int k = 0; k < (int)(sizeof compared / sizeof *compared); k++)
		bind_field(q, 4 + k, &v[compared[k]]);
	found = sqlite3_step(q) == SQLITE_ROW;
	if (found) {
		id = sqlite3_column_int64(q, 0);
		drop = sqlite3_column_int(q, 1);
	}
	if (sqlite3_reset(q))
		return OLD_ERROR;
	if (!drop)
		return found ? OLD_STAYS : OLD_NONE;
	return drop_transaction(i, id) ? OLD_ERROR : OLD_DROPPED;
}

static int drop_capture(struct insert *i, const struct row_field *v)
{
	sqlite3_stmt *q = i->stmt[S_DROP_CAPTURE];

	if (!i->source_id)
		return 0;
	sqlite3_bind_int64(q, 1, i->source_id);
	sqlite3_bind_int64(q, 2, i->run_id);
	bind_field(q, 3, &v[CAPTURE_AT_interface]);
	bind_field(q, 4, &v[CAPTURE_AT_start_us]);
	return step_once(q);
}

/* Could the store have had this session before this run? */
static bool may_be_old(const struct insert *i, int64_t started_us)
{
	return started_us / 1000000 >= i->first_s - NEAR_S && started_us / 1000000 <= i->last_s + NEAR_S;
}

/* A session or transaction. OLD_STAYS: it was there. */
static enum old_row put_head(struct insert *i, enum row_statement which, sqlite3_stmt *stmt, const struct row_field *v)
{
	bool session = which == ROW_SESSION;
	bool looked = may_be_old(i, v[session ? SESSION_AT_started_us : TRANSACTION_AT_session_started_us].integer);
	enum old_row old = OLD_NONE;

	if (looked)
		old = session ? supersede_session(i, v) : supersede_transaction(i, v);
	if (old == OLD_STAYS || old == OLD_ERROR)
		return old;
	if (step_once(stmt))
		return OLD_ERROR;
	if (sqlite3_changes(i->db))
		return old;
	old = looked ? OLD_STAYS : session ? supersede_session(i, v) : supersede_transaction(i, v);
	return old == OLD_DROPPED && step_once(stmt) ? OLD_ERROR : old;
}

int insert_rows(struct insert *i, const struct buf *rows, int64_t batch_seq)
{
	struct row_reader r = { rows->p, rows->p + rows->len };
	struct row_head h;
	bool skip = false;	/* the transaction was there: so is what hangs on it */

	while (row_next(&r, &h)) {
		sqlite3_stmt *stmt = i->row[h.statement];
		struct row_field v[ROW_VALUES_MAX];

		bind_row(i, &h, &r, batch_seq, v);
		if (h.statement == ROW_SESSION || h.statement == ROW_TRANSACTION) {
			enum old_row old = put_head(i, h.statement, stmt, v);

			if (old == OLD_ERROR)
				return -1;
			skip = h.statement == ROW_TRANSACTION && old == OLD_STAYS;
			continue;
		}
		if (skip && h.statement != ROW_CAPTURE)
			continue;
		if (step_once(stmt) || (h.statement == ROW_CAPTURE && drop_capture(i, v)))
			return -1;
	}
	return 0;
}
