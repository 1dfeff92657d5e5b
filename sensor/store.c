/*
 * store.c - see store.h. A feed's thread encodes facts into its open batch (row.h); the writer thread makes a batch one SQL transaction and gives
 * out the row ids, so that they ascend with the commits whatever feed a batch came from. The queue between them is bounded in bytes. What is
 * queued is let go only after its commit.
 *
 * What can go wrong with facts.db, and what the writer thread does about it before it tries the batch again:
 *
 *   locked, disk full                waits
 *   I/O error                        opens it again; looks whether a commit that failed is there all the same
 *   removed or replaced              opens what stands in its place (place.h)
 *   damaged, twice in a row          sets it aside and begins a new one
 *   does not take this very batch    counts it as lost
 */
#include "sensor/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>

#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "schema/db.h"
#include "sensor/limits.h"
#include "sensor/phrase.h"
#include "sensor/place.h"
#include "sensor/row.h"

enum { CHECKPOINT_PAGES = 20000, WAL_KEPT_BYTES = 96 * 1024 * 1024, PROBLEM_BYTES = 1024 };
/* milliseconds */
enum { RETRY_MS = 200, BUSY_MS = 200, LOOK_MS = 1000, GIVE_UP_MS = 5000, STOP_MS = 300, OPEN_MS = 10000, SAY_AGAIN_MS = 10000, WAL_STUCK_MS = 60000 };

struct batch {
	struct batch *next;
	struct buf rows;
	uint32_t facts;
	uint64_t number;		/* in the order of the queue, from 1 */
	unsigned generation;		/* of the key that its addresses were hashed with */
	unsigned refused;		/* how often the store did not take it */
};

/* How far the clocks of two taps may differ for the same connection to be known again, in both directions: seven look-ups by whole seconds. */
#define SECONDS_NEAR(us) "(" us "/1000000-3," us "/1000000-2," us "/1000000-1," us "/1000000," us "/1000000+1," us "/1000000+2," us "/1000000+3)"
enum { NEAR_S = 3 };

/* Statements beside those of row.h. */
enum { S_BATCH, S_BATCH_END, S_OLD_SESSION, S_OLD_TRANSACTION, S_DROP_SESSION, S_DROP_TRANSACTION, S_SIGHTING, S_DROP_CAPTURE, S_LOST, S_COUNT };
static const char *const sql[S_COUNT] = {
	[S_BATCH] = "INSERT INTO batch (committed_us, session_rowid, transaction_rowid) VALUES (?1, 0, 0)",
	[S_BATCH_END] = "UPDATE batch SET session_rowid = (SELECT coalesce(max(id), 0) FROM sessions), "
			"transaction_rowid = (SELECT coalesce(max(id), 0) FROM transactions) WHERE seq = ?1",
	[S_OLD_SESSION] = "SELECT id, source_id, run_id, end_reason = 'capture-end' AND (?2 > ended_us OR ?2 = ended_us AND (?3 <> end_reason OR "
			  "?4 > packets)) FROM sessions WHERE started_us/1000000 IN " SECONDS_NEAR("?5") " AND session_id = ?1",
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
	[S_LOST] = "UPDATE sensor_run SET facts_lost = ?1 WHERE id = ?2",
};
/* What hangs on a transaction that is superseded. */
static const char *const children[] = { "recipients", "messages", "reports", "report_recipients", "returned" };

/* A time in which facts could not be written, and what was said about such times. */
struct outage {
	bool on, said, dropping;
	int64_t since_ms, said_ms;
	uint64_t lost_said;
	char problem[PROBLEM_BYTES];
};

struct store {
	struct store_options o;
	bool waits;			/* what is read cannot be read again: the store is waited for until the user ends us */
	struct place place;
	sqlite3 *db;			/* that of the place; NULL: not open */
	sqlite3_stmt *row[ROW_STATEMENTS], *stmt[S_COUNT], *drop_child[sizeof children / sizeof *children];
	char store_id[33], found_id[33];	/* "" before the first one was opened; what stands in the place now */
	int64_t run_id, source_id;	/* source_id 0: none */
	int64_t first_s, last_s;	/* when the first and the last session began that was there at the start */
	int64_t last_session, last_transaction;	/* row ids given out; the writer's */
	unsigned damage;		/* found in a row */
	struct {
		int64_t seq, committed_us;	/* a commit that failed may be in the -wal all the same; 0: none */
		uint64_t batch_number;
		uint32_t facts;
		bool resolved;		/* it is there */
	} doubt;
	uint64_t lost_here, lost_elsewhere;	/* of facts_lost: written into this run, and into runs of other stores before */
	int wal_pages;
	int64_t wal_since_ms, wal_tried_ms;	/* the -wal is too long since; 0: it is not */
	bool wal_said;
	int64_t moved_ms, away_ms, stop_ms;	/* since when: files not in their places, no store open, an end asked for; 0: not so */
	char problem[PROBLEM_BYTES];

	pthread_t thread;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t changed;
	struct batch *first, **last;
	uint64_t batches;		/* numbers given out */
	size_t queued_bytes, queue_bytes;	/* in it, most of them; the cache has as much */
	bool busy;			/* somebody is at work on the database; the first batch is the writer's meanwhile */
	bool closing;
	bool gave_up;			/* what follows is let go */
	uint64_t facts_lost;
	struct outage outage;
	struct siphash_key key;
	atomic_uint generation;		/* of the key; feeds look at it without the lock */
};

struct store_feed {
	struct store *store;
	unsigned generation;
	struct row_encoder encoder;
	struct batch *open;
	uint64_t cut_us;		/* wall clock of the last cut */
};

/* ---- small things ---- */

/* A clock that nobody sets. */
static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static bool is_stopped(const struct store *s)
{
	return s->o.stop && *s->o.stop;
}

static void describe(struct store *s)
{
	char path[4096];

	db_path(s->o.dir, DB_FACTS, 0, path, sizeof path);
	db_describe(s->db, path, s->problem, sizeof s->problem);
}

/* A statement outside batches, which it frees. */
static int exec(struct store *s, char *query)
{
	int rc = db_exec(s->db, query, NULL, 0);

	if (rc)
		describe(s);
	sqlite3_free(query);
	return rc;
}

/* One number; none: when there is no row. -1: it cannot be read. */
static int ask(struct store *s, const char *query, int64_t none, int64_t *out)
{
	*out = db_int(s->db, query, none);
	if (sqlite3_errcode(s->db) == SQLITE_OK)
		return 0;
	describe(s);
	return -1;
}

/* ---- opening ---- */

static const char *const privacy_names[] = { "full", "hash", "domain" };

static int make_meta(struct store *s)
{
	uint64_t id[2];

	if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
		id[0] = (uint64_t)time_now_us();
	return exec(s, sqlite3_mprintf("INSERT INTO meta (store_id, privacy, created_us, phrases_version) VALUES ('%016llx%016llx', %Q, %lld, %d)",
				       (unsigned long long)id[0], (unsigned long long)id[1], privacy_names[s->o.privacy],
				       (long long)time_now_us(), phrase_version()));
}

static int check_meta(struct store *s, int *exit_code)
{
	char privacy[16];
	int64_t rows;

	*exit_code = EX_IOERR;
	if (ask(s, "SELECT count(*) FROM meta", 0, &rows))
		return -1;
	if (rows == 0)
		return make_meta(s);
	if (db_text(s->db, "SELECT privacy FROM meta", privacy, sizeof privacy)) {
		describe(s);
		return -1;
	}
	if (strcmp(privacy, privacy_names[s->o.privacy]) != 0) {
		snprintf(s->problem, sizeof s->problem, "%s: made with [privacy] addresses = %s, the configuration says %s; a store keeps its mode: "
			 "name another --store", s->o.dir, privacy, privacy_names[s->o.privacy]);
		*exit_code = EX_CONFIG;
		return -1;
	}
	if (db_int(s->db, "SELECT phrases_version FROM meta", 0) == phrase_version())
		return 0;
	return exec(s, sqlite3_mprintf("UPDATE meta SET phrases_version = %d", phrase_version()));
}

static int prepare_one(struct store *s, const char *query, sqlite3_stmt **out)
{
	if (sqlite3_prepare_v3(s->db, query, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK)
		return 0;
	describe(s);
	return -1;
}

static int prepare(struct store *s)
{
	char drop[96];
	int rc = 0;

	for (int i = 0; rc == 0 && i < ROW_STATEMENTS; i++)
		rc = prepare_one(s, row_sql((enum row_statement)i), &s->row[i]);
	for (int i = 0; rc == 0 && i < S_COUNT; i++)
		rc = prepare_one(s, sql[i], &s->stmt[i]);
	for (size_t i = 0; rc == 0 && i < sizeof children / sizeof *children; i++) {
		snprintf(drop, sizeof drop, "DELETE FROM %s WHERE transaction_rowid = ?1", children[i]);
		rc = prepare_one(s, drop, &s->drop_child[i]);
	}
	return rc;
}

static int begin_run(struct store *s)
{
	if (exec(s, sqlite3_mprintf("INSERT INTO sensor_run (sensor, version, started_us, interfaces, filter) VALUES (%Q, %Q, %lld, %Q, %Q)", s->o.sensor,
				    s->o.version, (long long)time_now_us(), s->o.interfaces, s->o.filter)))
		return -1;
	s->run_id = sqlite3_last_insert_rowid(s->db);
	s->lost_elsewhere += s->lost_here;
	s->lost_here = 0;
	return 0;
}

/* A store that is opened again goes on with the run that it has. */
static int join_run(struct store *s)
{
	char query[80];
	int64_t known;

	snprintf(query, sizeof query, "SELECT 1 FROM sensor_run WHERE id = %lld", (long long)s->run_id);
	if (db_text(s->db, "SELECT store_id FROM meta", s->found_id, sizeof s->found_id)) {
		describe(s);
		return -1;
	}
	if (ask(s, query, 0, &known)
	    || ask(s, "SELECT seq FROM sqlite_sequence WHERE name = 'sessions'", 0, &s->last_session)
	    || ask(s, "SELECT seq FROM sqlite_sequence WHERE name = 'transactions'", 0, &s->last_transaction))
		return -1;
	if (known && strcmp(s->found_id, s->store_id) == 0)
		return 0;
	return ask(s, "SELECT min(t) FROM (SELECT min(started_us/1000000) t FROM sessions UNION "
		   "SELECT min(session_started_us/1000000) FROM transactions)", INT64_MAX, &s->first_s)
	       || ask(s, "SELECT max(t) FROM (SELECT max(started_us/1000000) t FROM sessions UNION "
		      "SELECT max(session_started_us/1000000) FROM transactions)", INT64_MIN, &s->last_s)
	       || begin_run(s) ? -1 : 0;
}

static void finalize(sqlite3_stmt **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sqlite3_finalize(list[i]);
	memset(list, 0, count * sizeof *list);
}

static void close_database(struct store *s)
{
	finalize(s->row, ROW_STATEMENTS);
	finalize(s->stmt, S_COUNT);
	finalize(s->drop_child, sizeof children / sizeof *children);
	place_close(&s->place);
	s->db = NULL;
}

static int note_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *s = arg;

	(void)db;
	(void)name;
	s->wal_pages = pages;
	return SQLITE_OK;
}

/* Everything between the file and the first batch. */
static int set_up(struct store *s, int *exit_code)
{
	*exit_code = EX_CANTCREAT;
	if (exec(s, sqlite3_mprintf("PRAGMA synchronous = %s; PRAGMA cache_size = -%d; PRAGMA journal_size_limit = %d",
				    s->o.live ? "FULL" : "NORMAL", (int)(s->queue_bytes / 1024), WAL_KEPT_BYTES))
	    || check_meta(s, exit_code) || prepare(s) || join_run(s))
		return -1;
	sqlite3_wal_hook(s->db, note_wal, s);	/* in place of automatic checkpoints: check_wal */
	place_mark(&s->place);
	return 0;
}

/* What stands in the place; make: or a new one. -1: closed, with a problem. */
static int open_database(struct store *s, bool make, enum db_refusal *why, int *exit_code)
{
	if (place_open(&s->place, make, BUSY_MS, why, s->problem, sizeof s->problem, exit_code))
		return -1;
	s->db = s->place.db;
	if (set_up(s, exit_code) == 0)
		return 0;
	*why = db_refusal(s->db);
	if (*why == DB_LOCKED)
		*exit_code = EX_TEMPFAIL;
	close_database(s);
	return -1;
}

/* A second look at a file that made no sense, then it is set aside. 0: it was. */
static int note_damage(struct store *s)
{
	char name[4096], error[PROBLEM_BYTES];

	if (++s->damage < 2)
		return -1;
	if (place_set_aside(&s->place, name, sizeof name, error, sizeof error)) {
		memcpy(s->problem, error, sizeof error);
		return -1;
	}
	fprintf(stderr, "bouncetapd: %s: set aside as %s, a new store takes its place\n", s->problem, name);
	s->damage = 0;
	return 0;
}

static int open_first(struct store *s, int *exit_code)
{
	int64_t until = now_ms() + OPEN_MS;
	enum db_refusal why;

	while (open_database(s, true, &why, exit_code)) {
		if (why == DB_DAMAGED && (note_damage(s) == 0 || s->damage == 1))
			continue;
		if (why != DB_LOCKED || is_stopped(s) || now_ms() > until)
			return -1;
		pause_ms(RETRY_MS);
	}
	s->damage = 0;
	return 0;
}

static void *writer(void *arg);

static int start_writer(struct store *s)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&s->lock, NULL);
	return pthread_create(&s->thread, NULL, writer, s);
}

struct store *store_open(const struct store_options *o, char *error, size_t error_size, int *exit_code)
{
	struct store *s = xcalloc(1, sizeof *s);

	s->o = *o;
	s->queue_bytes = o->memory_bytes && o->memory_bytes / 2 < LIMIT_QUEUE_BYTES ? o->memory_bytes / 2 : LIMIT_QUEUE_BYTES;
	s->waits = o->live || o->once;
	s->last = &s->first;
	place_init(&s->place, o->dir);
	if (open_first(s, exit_code) == 0) {
		s->key = s->place.key;
		memcpy(s->store_id, s->found_id, sizeof s->store_id);
		int rc = start_writer(s);

		if (rc == 0)
			return s;
		snprintf(s->problem, sizeof s->problem, "%s: no thread for the store: %s", o->dir, strerror(rc));
		*exit_code = EX_OSERR;
		close_database(s);
	}
	snprintf(error, error_size, "%s", s->problem);
	free(s);
	return NULL;
}

/* ---- writer thread ---- */

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
static int64_t row_id(struct store *s, enum row_statement statement)
{
	if (statement == ROW_SESSION)
		return ++s->last_session;
	if (statement == ROW_TRANSACTION)
		return ++s->last_transaction;
	return s->last_transaction;
}

/* first: room for ROW_VALUES_MAX; the values are left there. */
static void bind_row(struct store *s, const struct row_head *h, struct row_reader *r, int64_t batch_seq, struct row_field *first)
{
	sqlite3_stmt *stmt = s->row[h->statement];

	for (unsigned i = 0; i < h->values; i++) {
		struct row_field v;
		int n = (int)i + 1;

		row_next_value(r, &v);
		if (i < ROW_VALUES_MAX)
			first[i] = v;
		if (v.type == VALUE_BATCH)
			sqlite3_bind_int64(stmt, n, batch_seq);
		else if (v.type == VALUE_RUN)
			sqlite3_bind_int64(stmt, n, s->run_id);
		else if (v.type == VALUE_SOURCE && s->source_id)
			sqlite3_bind_int64(stmt, n, s->source_id);
		else if (v.type == VALUE_ROWID)
			sqlite3_bind_int64(stmt, n, row_id(s, h->statement));
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

static int put_sighting(struct store *s, const struct row_field *session_id, int64_t source_id, int64_t run_id)
{
	sqlite3_stmt *q = s->stmt[S_SIGHTING];

	bind_field(q, 1, session_id);
	bind_int_or_null(q, 2, source_id);
	sqlite3_bind_int64(q, 3, run_id);
	return step_once(q);
}

static int drop_transaction(struct store *s, int64_t rowid)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof children / sizeof *children; i++) {
		sqlite3_bind_int64(s->drop_child[i], 1, rowid);
		rc |= step_once(s->drop_child[i]);
	}
	sqlite3_bind_int64(s->stmt[S_DROP_TRANSACTION], 1, rowid);
	return rc | step_once(s->stmt[S_DROP_TRANSACTION]);
}

enum old_row { OLD_NONE, OLD_STAYS, OLD_DROPPED, OLD_ERROR };

/* A session that is there already stays as it is, but when an earlier capture cut it off at its end: a longer sighting takes its place. */
static enum old_row supersede_session(struct store *s, const struct row_field *v)
{
	sqlite3_stmt *q = s->stmt[S_OLD_SESSION];
	int64_t id = 0, source_id = s->source_id, run_id = s->run_id;
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
	bool other_source = source_id != s->source_id || (!source_id && run_id != s->run_id);
	/* the sighting names the source whose row is not there */
	if (other_source && put_sighting(s, &v[SESSION_AT_session_id], drop ? source_id : s->source_id, drop ? run_id : s->run_id))
		return OLD_ERROR;
	if (!drop)
		return OLD_STAYS;
	sqlite3_bind_int64(s->stmt[S_DROP_SESSION], 1, id);
	return step_once(s->stmt[S_DROP_SESSION]) ? OLD_ERROR : OLD_DROPPED;
}

/* As above for a mail; another one of the same ordinal takes nothing away. Its session tells of the sighting. */
static enum old_row supersede_transaction(struct store *s, const struct row_field *v)
{
	static const int compared[] = {
		TRANSACTION_AT_ended_us, TRANSACTION_AT_rcpt_count, TRANSACTION_AT_outcome, TRANSACTION_AT_size_bytes,
		TRANSACTION_AT_bytes_seen, TRANSACTION_AT_steps, TRANSACTION_AT_notes, TRANSACTION_AT_started_us,
		TRANSACTION_AT_session_started_us,
	};
	sqlite3_stmt *q = s->stmt[S_OLD_TRANSACTION];
	bool found, drop = false;
	int64_t id = 0;

	bind_field(q, 1, &v[TRANSACTION_AT_session_id]);
	bind_field(q, 2, &v[TRANSACTION_AT_ordinal]);
	sqlite3_bind_int64(q, 3, s->run_id);
	for (int i = 0; i < (int)(sizeof compared / sizeof *compared); i++)
		bind_field(q, 4 + i, &v[compared[i]]);
	found = sqlite3_step(q) == SQLITE_ROW;
	if (found) {
		id = sqlite3_column_int64(q, 0);
		drop = sqlite3_column_int(q, 1);
	}
	if (sqlite3_reset(q))
		return OLD_ERROR;
	if (!drop)
		return found ? OLD_STAYS : OLD_NONE;
	return drop_transaction(s, id) ? OLD_ERROR : OLD_DROPPED;
}

static int drop_capture(struct store *s, const struct row_field *v)
{
	sqlite3_stmt *q = s->stmt[S_DROP_CAPTURE];

	if (!s->source_id)
		return 0;
	sqlite3_bind_int64(q, 1, s->source_id);
	sqlite3_bind_int64(q, 2, s->run_id);
	bind_field(q, 3, &v[CAPTURE_AT_interface]);
	bind_field(q, 4, &v[CAPTURE_AT_start_us]);
	return step_once(q);
}

/* Could the store have had this session before this run? */
static bool may_be_old(const struct store *s, int64_t started_us)
{
	return started_us / 1000000 >= s->first_s - NEAR_S && started_us / 1000000 <= s->last_s + NEAR_S;
}

/* A session or transaction. OLD_STAYS: it was there. */
static enum old_row put_head(struct store *s, enum row_statement which, sqlite3_stmt *stmt, const struct row_field *v)
{
	bool session = which == ROW_SESSION;
	bool looked = may_be_old(s, v[session ? SESSION_AT_started_us : TRANSACTION_AT_session_started_us].integer);
	enum old_row old = OLD_NONE;

	if (looked)
		old = session ? supersede_session(s, v) : supersede_transaction(s, v);
	if (old == OLD_STAYS || old == OLD_ERROR)
		return old;
	if (step_once(stmt))
		return OLD_ERROR;
	if (sqlite3_changes(s->db))
		return old;
	old = looked ? OLD_STAYS : session ? supersede_session(s, v) : supersede_transaction(s, v);
	return old == OLD_DROPPED && step_once(stmt) ? OLD_ERROR : old;
}

/* Writes all rows of a batch inside the open SQL transaction. */
static int write_rows(struct store *s, const struct batch *b, int64_t batch_seq)
{
	struct row_reader r = { b->rows.p, b->rows.p + b->rows.len };
	struct row_head h;
	bool skip = false;	/* the transaction was there: so is what hangs on it */

	while (row_next(&r, &h)) {
		sqlite3_stmt *stmt = s->row[h.statement];
		struct row_field v[ROW_VALUES_MAX];

		bind_row(s, &h, &r, batch_seq, v);
		if (h.statement == ROW_SESSION || h.statement == ROW_TRANSACTION) {
			enum old_row old = put_head(s, h.statement, stmt, v);

			if (old == OLD_ERROR)
				return -1;
			skip = h.statement == ROW_TRANSACTION && old == OLD_STAYS;
			continue;
		}
		if (skip && h.statement != ROW_CAPTURE)
			continue;
		if (step_once(stmt) || (h.statement == ROW_CAPTURE && drop_capture(s, v)))
			return -1;
	}
	return 0;
}

/* What was lost so far, as far as no other store says it. */
static int write_lost(struct store *s, uint64_t lost)
{
	if (lost == s->lost_here)
		return 0;
	sqlite3_bind_int64(s->stmt[S_LOST], 1, (int64_t)lost);
	sqlite3_bind_int64(s->stmt[S_LOST], 2, s->run_id);
	return step_once(s->stmt[S_LOST]);
}

/* 0, or what SQLite says; then nothing was written, or there is a doubt. */
static int write_batch(struct store *s, const struct batch *b, uint64_t lost)
{
	int64_t now = time_now_us(), seq = 0;
	bool committing = false;

	if (db_exec(s->db, "BEGIN IMMEDIATE", NULL, 0))
		goto failed;
	sqlite3_bind_int64(s->stmt[S_BATCH], 1, now);
	if (step_once(s->stmt[S_BATCH]))
		goto failed;
	seq = sqlite3_last_insert_rowid(s->db);
	if (write_rows(s, b, seq) || write_lost(s, lost))
		goto failed;
	sqlite3_bind_int64(s->stmt[S_BATCH_END], 1, seq);
	if (step_once(s->stmt[S_BATCH_END]))
		goto failed;
	committing = true;
	if (db_exec(s->db, "COMMIT", NULL, 0))
		goto failed;
	s->lost_here = lost;
	return 0;
failed:
	describe(s);
	int rc = sqlite3_errcode(s->db);
	if (committing && rc != SQLITE_BUSY && rc != SQLITE_FULL) {
		s->doubt.seq = seq;
		s->doubt.committed_us = now;
		s->doubt.batch_number = b->number;
		s->doubt.facts = b->facts;
	}
	db_exec(s->db, "ROLLBACK", NULL, 0);
	return rc;
}

/* ---- the writer thread: when the store fails ---- */

static void batch_free(struct batch *b)
{
	buf_fini(&b->rows);
	free(b);
}

/* Takes a batch out of the queue. */
static struct batch *queue_take(struct store *s, struct batch **link)
{
	struct batch *b = *link;

	*link = b->next;
	if (s->last == &b->next)
		s->last = link;
	s->queued_bytes -= b->rows.cap;
	return b;
}

static void drop(struct store *s, struct batch **link)
{
	struct batch *b = queue_take(s, link);

	s->facts_lost += b->facts;
	batch_free(b);
}

static void give_up(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->gave_up = true;
	pthread_mutex_unlock(&s->lock);
}

static int end_run(struct store *s, const char *end_reason)
{
	pthread_mutex_lock(&s->lock);
	uint64_t lost = s->facts_lost - s->lost_elsewhere;
	pthread_mutex_unlock(&s->lock);

	if (exec(s, sqlite3_mprintf("UPDATE sensor_run SET ended_us = %lld, end_reason = %Q, facts_lost = %lld WHERE id = %lld",
				    (long long)time_now_us(), end_reason, (long long)lost, (long long)s->run_id)))
		return -1;
	s->lost_here = lost;
	return 0;
}

/*
 * Files are no longer in their places. When only the -wal lost its name, what is in it has to come into facts.db before that is closed, which
 * readers may delay. 0: closed.
 */
static int leave(struct store *s)
{
	if (!s->moved_ms) {
		s->moved_ms = now_ms();
		fprintf(stderr, "bouncetapd: %s: files of the store were removed or replaced while it was being written\n", s->o.dir);
	}
	if (!place_is_deleted(&s->place)) {
		end_run(s, "stopped");
		int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

		if (rc == SQLITE_BUSY && now_ms() - s->moved_ms < GIVE_UP_MS && !is_stopped(s)) {
			describe(s);
			return -1;
		}
		if (rc)
			fprintf(stderr, "bouncetapd: %s: not all of the -wal could be taken into facts.db: %s\n", s->o.dir, sqlite3_errmsg(s->db));
	}
	s->moved_ms = 0;
	close_database(s);
	return 0;
}

/* Is a commit that failed there all the same? Its batch may have been counted as lost meanwhile. */
static int end_doubt(struct store *s)
{
	char query[120];
	int64_t there;

	if (!s->doubt.seq)
		return 0;
	snprintf(query, sizeof query, "SELECT 1 FROM batch WHERE seq = %lld AND committed_us = %lld", (long long)s->doubt.seq,
		 (long long)s->doubt.committed_us);
	if (ask(s, query, 0, &there))
		return -1;
	s->doubt.seq = 0;
	if (!there)
		return 0;
	pthread_mutex_lock(&s->lock);
	if (s->first && s->first->number == s->doubt.batch_number)
		s->doubt.resolved = true;
	else
		s->facts_lost -= s->doubt.facts;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* Facts go into another store from now on; what was encoded with the key of the old one does not. */
static void change_store(struct store *s)
{
	fprintf(stderr, "bouncetapd: %s: %s\n", s->o.dir, db_int(s->db, "SELECT count(*) FROM sensor_run", 0) == 1 ?
		"a new store was begun" : "facts go into the other store that stands there now");
	memcpy(s->store_id, s->found_id, sizeof s->store_id);
	s->doubt.seq = 0;
	if (memcmp(&s->key, &s->place.key, sizeof s->key) == 0)
		return;
	pthread_mutex_lock(&s->lock);
	s->key = s->place.key;
	s->generation++;
	pthread_mutex_unlock(&s->lock);
}

/* Opens what stands in the place. A replay is not split over two stores: its source could be in neither of them. */
static int enter(struct store *s)
{
	enum db_refusal why;
	int exit_code;

	if (!s->away_ms)
		s->away_ms = now_ms();
	if (open_database(s, s->waits, &why, &exit_code)) {
		if (why == DB_DAMAGED && note_damage(s) == 0 && !s->waits)
			give_up(s);
		if (why == DB_DENIED && s->o.live && !store_gave_up(s) && place_is_elsewhere(&s->place) && now_ms() - s->away_ms > GIVE_UP_MS) {
			fprintf(stderr, "bouncetapd: %s: the directory is another one and may not be opened by this program any more: ending, "
				"so that the next start opens it\n", s->o.dir);
			give_up(s);
		}
		return -1;
	}
	s->away_ms = 0;
	bool same = strcmp(s->found_id, s->store_id) == 0;
	if (same && end_doubt(s)) {
		close_database(s);
		return -1;
	}
	if (!same && s->waits)
		change_store(s);
	if (same || s->waits)
		return 0;
	snprintf(s->problem, sizeof s->problem, "%s: another store stands there now", s->o.dir);
	end_run(s, "stopped");
	close_database(s);
	give_up(s);
	return -1;
}

/* Before each batch, and once a second: facts.db is open and where it was, or opened anew. */
static int tend(struct store *s)
{
	if (s->db && !place_is_moved(&s->place))
		return 0;
	if (s->db && leave(s))
		return -1;
	return enter(s);
}

/* The -wal goes into facts.db when it has grown. A reader who stays keeps it from that: nothing is lost, but it grows on. */
static void check_wal(struct store *s)
{
	int64_t now = now_ms();
	bool stuck = s->wal_since_ms && s->wal_pages >= 2 * CHECKPOINT_PAGES;

	if (s->wal_pages < CHECKPOINT_PAGES) {
		if (s->wal_said)
			fprintf(stderr, "bouncetapd: %s: facts.db-wal is short again\n", s->o.dir);
		s->wal_since_ms = 0;
		s->wal_said = false;
		return;
	}
	if (!s->wal_since_ms)
		s->wal_since_ms = now;
	if (!stuck)
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	else if (now - s->wal_tried_ms > LOOK_MS) {	/* waits for readers a moment */
		s->wal_tried_ms = now;
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
	}
	if (s->wal_said || now - s->wal_since_ms < WAL_STUCK_MS)
		return;
	fprintf(stderr, "bouncetapd: %s: facts.db-wal grows and cannot be taken into facts.db for %d s: a program reads the store without a pause\n",
		s->o.dir, WAL_STUCK_MS / 1000);
	s->wal_said = true;
}

enum outcome { COMMITTED, FAILED, LOST };

/* What SQLite said decides what is done before the next try. */
static enum outcome mend(struct store *s, struct batch *b, int rc)
{
	switch (rc) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_FULL:
	case SQLITE_NOMEM:
		if (!s->doubt.seq)
			return FAILED;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		close_database(s);
		if (note_damage(s) == 0 && !s->waits)
			give_up(s);
		return FAILED;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
		if (++b->refused > 1)
			return LOST;
		break;
	default:
		break;
	}
	close_database(s);
	return FAILED;
}

/* One try. b: NULL when there is nothing to write; then it is only looked after the store. */
static enum outcome try_batch(struct store *s, struct batch *b, uint64_t lost)
{
	if (tend(s))
		return FAILED;
	if (!b || s->doubt.resolved) {
		s->doubt.resolved = false;
		return COMMITTED;
	}
	if (b->generation != s->generation)
		return LOST;
	int rc = write_batch(s, b, lost - s->lost_elsewhere);
	if (rc)
		return mend(s, b, rc);
	s->damage = 0;
	check_wal(s);
	return place_is_moved(&s->place) && place_is_deleted(&s->place) ? LOST : COMMITTED;
}

/* ---- the writer thread: the queue ---- */

static void begin_outage(struct store *s)
{
	if (s->outage.on)
		return;
	s->outage.on = true;
	s->outage.since_ms = now_ms();
}

/* Said once, and when it is another problem, but not again and again. */
static void complain(struct store *s)
{
	struct outage *x = &s->outage;
	bool news = strcmp(x->problem, s->problem) != 0;

	begin_outage(s);
	if (x->said_ms && (now_ms() - x->said_ms < SAY_AGAIN_MS || (x->said && !news)))
		return;
	fprintf(stderr, "bouncetapd: the store cannot be written: %s%s\n", s->problem, s->gave_up ? "" : "; trying again");
	memcpy(x->problem, s->problem, sizeof x->problem);
	x->said = true;
	x->said_ms = now_ms();
}

/* A queue that is still half full will lose more soon. */
static void end_outage(struct store *s)
{
	struct outage *x = &s->outage;

	if (!x->on || s->queued_bytes > s->queue_bytes / 2)
		return;
	if (x->said || x->dropping) {
		fprintf(stderr, "bouncetapd: the store is written again; %llu facts were lost\n", (unsigned long long)(s->facts_lost - x->lost_said));
		x->lost_said = s->facts_lost;
	}
	x->on = x->said = x->dropping = false;
}

/* What cannot be read again waits until the user ends the program, a replay only some seconds. */
static bool is_worth_another_try(struct store *s)
{
	bool stopped = is_stopped(s);

	if (s->gave_up)
		return false;
	if (!stopped && !(s->o.live && s->closing))
		return s->waits || now_ms() - s->outage.since_ms < GIVE_UP_MS;
	if (!s->stop_ms)
		s->stop_ms = now_ms();
	return now_ms() - s->stop_ms < (stopped ? STOP_MS : GIVE_UP_MS);
}

/* For changed, or a while: a signal wakes nobody. */
static void wait_a_while(struct store *s, long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&s->changed, &s->lock, &t);
}

/* b: what was tried, or NULL. */
static void take_outcome(struct store *s, struct batch *b, enum outcome outcome)
{
	if (outcome == FAILED) {
		complain(s);
		s->gave_up = !is_worth_another_try(s);
		return;
	}
	if (b && outcome == COMMITTED)
		batch_free(queue_take(s, &s->first));
	if (b && outcome == LOST)
		drop(s, &s->first);
	end_outage(s);
}

/* Until the next try is due, or there is something to do. */
static void rest(struct store *s, enum outcome outcome)
{
	int64_t until = now_ms() + (outcome == FAILED ? RETRY_MS : LOOK_MS);

	while (now_ms() < until && !s->gave_up && (outcome == FAILED || (!s->first && !s->closing)))
		wait_a_while(s, RETRY_MS);
}

static void *writer(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->lock);
	while (s->first || !s->closing) {
		struct batch *b = s->first;
		uint64_t lost = s->facts_lost;

		if (s->busy) {
			pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		if (s->gave_up) {
			if (b)
				drop(s, &s->first);
			else
				wait_a_while(s, LOOK_MS);
			pthread_cond_broadcast(&s->changed);
			continue;
		}
		s->busy = true;
		pthread_mutex_unlock(&s->lock);
		enum outcome outcome = try_batch(s, b, lost);
		pthread_mutex_lock(&s->lock);
		s->busy = false;
		take_outcome(s, b, outcome);
		pthread_cond_broadcast(&s->changed);
		rest(s, outcome);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- a feed ---- */

static void begin_batch(struct store_feed *feed)
{
	feed->open = xcalloc(1, sizeof *feed->open);
	feed->open->generation = feed->generation;
}

/* The key that is in force now. */
static void take_key(struct store_feed *feed)
{
	struct store *s = feed->store;

	pthread_mutex_lock(&s->lock);
	feed->encoder.key = s->key;
	feed->generation = s->generation;
	pthread_mutex_unlock(&s->lock);
}

struct store_feed *store_feed_new(struct store *s)
{
	struct store_feed *feed = xcalloc(1, sizeof *feed);

	feed->store = s;
	feed->encoder.privacy = s->o.privacy;
	feed->encoder.subject = s->o.subject;
	take_key(feed);
	begin_batch(feed);
	return feed;
}

/* Live capture lets go of the oldest, but not of what is being written at this moment. */
static void make_room(struct store *s)
{
	while (s->queued_bytes > s->queue_bytes && s->first && !(s->busy && !s->first->next)) {
		if (!s->outage.dropping)
			fprintf(stderr, "bouncetapd: %zu MiB wait for the store: the oldest facts are dropped\n", s->queue_bytes >> 20);
		begin_outage(s);
		s->outage.dropping = true;
		drop(s, s->busy ? &s->first->next : &s->first);
	}
}

/* The open batch goes to the writer. A full queue: a replay waits, live capture makes room. */
static void cut(struct store_feed *feed)
{
	struct store *s = feed->store;
	struct batch *b = feed->open;

	if (b->facts == 0)
		return;
	begin_batch(feed);
	pthread_mutex_lock(&s->lock);
	while (s->queued_bytes > s->queue_bytes && !s->o.live && !is_stopped(s))
		wait_a_while(s, RETRY_MS);
	make_room(s);
	b->number = ++s->batches;
	*s->last = b;
	s->last = &b->next;
	s->queued_bytes += b->rows.cap;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

/* What was encoded with the key of a store that is gone is cut off; the writer counts it. */
static struct buf *begin_put(struct store_feed *feed)
{
	if (feed->generation != feed->store->generation) {
		cut(feed);
		take_key(feed);
		feed->open->generation = feed->generation;
	}
	return &feed->open->rows;
}

static void end_put(struct store_feed *feed)
{
	feed->open->facts++;
	if (feed->open->facts >= LIMIT_BATCH_FACTS || feed->open->rows.len >= LIMIT_BATCH_BYTES)
		cut(feed);
}

void store_put_session(struct store_feed *feed, const struct fact_session *f)
{
	struct buf *rows = begin_put(feed);

	row_session(&feed->encoder, rows, f);
	end_put(feed);
}

void store_put_transaction(struct store_feed *feed, const struct fact_transaction *f)
{
	struct buf *rows = begin_put(feed);

	row_transaction(&feed->encoder, rows, f);
	end_put(feed);
}

void store_put_capture(struct store_feed *feed, const struct fact_capture *f)
{
	struct buf *rows = begin_put(feed);

	row_capture(&feed->encoder, rows, f);
	end_put(feed);
}

void store_tick(struct store_feed *feed, uint64_t wall_us)
{
	if (wall_us < feed->cut_us + 1000000)
		return;
	feed->cut_us = wall_us;
	cut(feed);
}

void store_feed_free(struct store_feed *feed)
{
	cut(feed);
	batch_free(feed->open);
	buf_fini(&feed->encoder.text);
	buf_fini(&feed->encoder.clean);
	free(feed);
}

/* ---- the caller that opened it ---- */

/* Waits until all that was cut is committed; then the database is the caller's, until release. */
static void claim(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->first || s->busy)
		pthread_cond_wait(&s->changed, &s->lock);
	s->busy = true;
	pthread_mutex_unlock(&s->lock);
}

static void release(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->busy = false;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

bool store_gave_up(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	bool gave_up = s->gave_up;
	pthread_mutex_unlock(&s->lock);
	return gave_up;
}

/* Tries something on the claimed database for a while. */
static int patiently(struct store *s, int (*work)(struct store *s, const void *arg), const void *arg, int64_t ms)
{
	int64_t until = now_ms() + ms;

	while (tend(s) || work(s, arg)) {
		if (now_ms() >= until || store_gave_up(s)) {
			pthread_mutex_lock(&s->lock);
			s->gave_up = true;
			complain(s);
			pthread_mutex_unlock(&s->lock);
			return -1;
		}
		pause_ms(RETRY_MS);
	}
	return 0;
}

struct source_names {
	const char *fingerprint, *files;
};

static int put_source(struct store *s, const void *arg)
{
	const struct source_names *n = arg;
	char *query;

	if (exec(s, sqlite3_mprintf("INSERT OR IGNORE INTO source (fingerprint, files, state) VALUES (%Q, %Q, 'reading')", n->fingerprint, n->files)))
		return -1;
	query = sqlite3_mprintf("SELECT id FROM source WHERE fingerprint = %Q", n->fingerprint);
	s->source_id = db_int(s->db, query, 0);
	sqlite3_free(query);
	return exec(s, sqlite3_mprintf("UPDATE sensor_run SET source_id = %lld WHERE id = %lld", s->source_id, s->run_id));
}

int store_begin_source(struct store *s, const char *fingerprint, const char *files_text)
{
	struct source_names names = { fingerprint, files_text };
	char query[80];

	s->source_id = 0;
	if (!fingerprint)
		return 1;
	claim(s);
	int result = patiently(s, put_source, &names, GIVE_UP_MS);
	if (result == 0) {
		snprintf(query, sizeof query, "SELECT state = 'reading' FROM source WHERE id = %lld", (long long)s->source_id);
		result = (int)db_int(s->db, query, 1);
	}
	release(s);
	return result;
}

static int put_state(struct store *s, const void *arg)
{
	return exec(s, sqlite3_mprintf("UPDATE source SET state = %Q WHERE id = %lld", arg, s->source_id));
}

int store_end_source(struct store *s, bool damaged)
{
	int result = 0;

	claim(s);
	if (!s->facts_lost && s->source_id)	/* else it has to be read again */
		result = patiently(s, put_state, damaged ? "damaged" : "done", GIVE_UP_MS);
	release(s);
	return result;
}

static int put_end(struct store *s, const void *arg)
{
	return end_run(s, arg);
}

int store_close(struct store *s, const char *end_reason)
{
	int rc = -1;

	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	if (s->waits || !s->gave_up || s->db)
		rc = patiently(s, put_end, end_reason, s->gave_up || is_stopped(s) ? 0 : GIVE_UP_MS);
	if (s->facts_lost)
		fprintf(stderr, "bouncetapd: %llu facts were lost: the store could not be written%s\n", (unsigned long long)s->facts_lost,
			s->source_id ? "; read the files again" : "");
	uint64_t lost = s->facts_lost;
	if (s->db && !s->gave_up)
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	close_database(s);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
	return lost || rc ? -1 : 0;
}
