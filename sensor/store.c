/*
 * store.c - see store.h. A feed's thread encodes facts into its open batch (row.h); the writer thread makes a batch one SQL transaction and gives
 * out the row ids, so that they ascend with the commits whatever feed a batch came from. The queue between them is bounded in bytes. What is
 * queued is let go only after its commit.
 */
#include "sensor/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "schema/db.h"
#include "sensor/limits.h"
#include "sensor/phrase.h"
#include "sensor/row.h"

enum { CACHE_KIB = 64 * 1024, CHECKPOINT_PAGES = 20000, RETRY_MS = 200, BUSY_MS = 200, GIVE_UP_MS = 5000, KEY_BYTES = 16 };

struct batch {
	struct batch *next;
	struct buf rows;
	uint32_t facts;
};

/* How far the clocks of two taps may differ for the same connection to be known again, in both directions: seven look-ups by whole seconds. */
#define SECONDS_NEAR(us) "(" us "/1000000-3," us "/1000000-2," us "/1000000-1," us "/1000000," us "/1000000+1," us "/1000000+2," us "/1000000+3)"
enum { NEAR_S = 3 };

/* Statements beside those of row.h. */
enum { S_BATCH, S_BATCH_END, S_OLD_SESSION, S_OLD_TRANSACTION, S_DROP_SESSION, S_DROP_TRANSACTION, S_SIGHTING, S_DROP_CAPTURE, S_COUNT };
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
};
/* What hangs on a transaction that is superseded. */
static const char *const children[] = { "recipients", "messages", "reports", "report_recipients", "returned" };

struct store {
	sqlite3 *db;
	sqlite3_stmt *row[ROW_STATEMENTS], *stmt[S_COUNT], *drop_child[sizeof children / sizeof *children];
	int key_fd;			/* holds the lock of the one writer */
	bool live, once;
	const volatile sig_atomic_t *stop;
	int64_t run_id, source_id;	/* source_id 0: none */
	int64_t first_s, last_s;	/* when the first and the last session began that was there at the start */
	int64_t last_session, last_transaction;	/* row ids given out; the writer's */
	enum config_privacy privacy;
	enum config_subject subject;
	struct siphash_key key;

	pthread_t thread;
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t changed;
	struct batch *first, **last;
	size_t queued_bytes;
	bool writing, closing;
	bool gave_up;			/* a replay could not write: the source is to be read again, what follows is let go */
	uint64_t facts_lost;
	bool complained;
	char problem[256];
};

struct store_feed {
	struct store *store;
	struct row_encoder encoder;
	struct batch *open;
	uint64_t cut_us;		/* wall clock of the last cut */
};

/* ---- opening ---- */

static int fail(char *error, size_t size, int *exit_code, int code, const char *what, const char *path)
{
	snprintf(error, size, "%s: %s: %s", path, what, strerror(errno));
	*exit_code = code;
	return -1;
}

static bool has_facts(const char *dir)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", dir, db_name(DB_FACTS));
	return stat(path, &st) == 0 && st.st_size > 0;
}

/* The key of this store: made once, readable by the sensor alone; its lock keeps a second writer away. */
static int open_key(struct store *s, const char *dir, char *error, size_t size, int *exit_code)
{
	char path[4096];
	uint8_t key[KEY_BYTES];

	snprintf(path, sizeof path, "%s/key", dir);
	s->key_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->key_fd < 0)
		return fail(error, size, exit_code, EX_CANTCREAT, "cannot be opened", path);
	if (flock(s->key_fd, LOCK_EX | LOCK_NB)) {
		snprintf(error, size, "%s: another bouncetapd writes to this store; stop it or name another --store", dir);
		*exit_code = EX_TEMPFAIL;
		return -1;
	}
	if (pread(s->key_fd, key, sizeof key, 0) == (ssize_t)sizeof key)
		;
	else if (has_facts(dir)) {
		snprintf(error, size, "%s: missing or damaged; what is in this store can be told again only with its key: put it back, or name another --store",
			 path);
		*exit_code = EX_DATAERR;
		return -1;
	} else if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key || pwrite(s->key_fd, key, sizeof key, 0) != (ssize_t)sizeof key
		   || fsync(s->key_fd))
		return fail(error, size, exit_code, EX_IOERR, "cannot be written", path);
	memcpy(s->key.k, key, sizeof key);
	return 0;
}

/* A statement outside batches; what went wrong names the store. */
static int exec_named(struct store *s, const char *dir, const char *query, char *error, size_t size)
{
	char why[256];

	if (db_exec(s->db, query, why, sizeof why) == 0)
		return 0;
	bool locked = (sqlite3_errcode(s->db) & 0xff) == SQLITE_BUSY;
	snprintf(error, size, "%s: the store cannot be written: %s%s", dir, why,
		 locked ? "; another program keeps it locked: end that program, or try again later" : "");
	return -1;
}

static const char *const privacy_names[] = { "full", "hash", "domain" };

static int check_meta(struct store *s, const struct store_options *o, char *error, size_t size, int *exit_code)
{
	char privacy[16], make[256];
	uint64_t id[2];

	if (db_text(s->db, "SELECT privacy FROM meta", privacy, sizeof privacy)) {
		if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
			id[0] = (uint64_t)time_now_us();
		snprintf(make, sizeof make, "INSERT INTO meta (store_id, privacy, created_us, phrases_version) VALUES ('%016llx%016llx', '%s', %lld, %d)",
			 (unsigned long long)id[0], (unsigned long long)id[1], privacy_names[o->privacy], (long long)time_now_us(), phrase_version());
		*exit_code = EX_IOERR;
		return exec_named(s, o->dir, make, error, size);
	}
	if (strcmp(privacy, privacy_names[o->privacy]) != 0) {
		snprintf(error, size, "%s: made with [privacy] addresses = %s, the configuration says %s; a store keeps its mode: name another --store",
			 o->dir, privacy, privacy_names[o->privacy]);
		*exit_code = EX_CONFIG;
		return -1;
	}
	snprintf(make, sizeof make, "UPDATE meta SET phrases_version = %d WHERE phrases_version <> %d", phrase_version(), phrase_version());
	*exit_code = EX_IOERR;
	return exec_named(s, o->dir, make, error, size);
}

static void prepare(struct store *s)
{
	char drop[96];

	for (int i = 0; i < ROW_STATEMENTS; i++)
		s->row[i] = db_prepare(s->db, row_sql((enum row_statement)i));
	for (int i = 0; i < S_COUNT; i++)
		s->stmt[i] = db_prepare(s->db, sql[i]);
	for (size_t i = 0; i < sizeof children / sizeof *children; i++) {
		snprintf(drop, sizeof drop, "DELETE FROM %s WHERE transaction_rowid = ?1", children[i]);
		s->drop_child[i] = db_prepare(s->db, drop);
	}
}

static int begin_run(struct store *s, const struct store_options *o, char *error, size_t size)
{
	char *begin = sqlite3_mprintf("INSERT INTO sensor_run (sensor, version, started_us) VALUES (%Q, %Q, %lld)", o->sensor, o->version,
				      (long long)time_now_us());
	int result = exec_named(s, o->dir, begin, error, size);

	sqlite3_free(begin);
	s->run_id = sqlite3_last_insert_rowid(s->db);
	s->first_s = db_int(s->db, "SELECT min(t) FROM (SELECT min(started_us/1000000) t FROM sessions UNION "
			    "SELECT min(session_started_us/1000000) FROM transactions)", INT64_MAX);
	s->last_s = db_int(s->db, "SELECT max(t) FROM (SELECT max(started_us/1000000) t FROM sessions UNION "
			   "SELECT max(session_started_us/1000000) FROM transactions)", INT64_MIN);
	s->last_session = db_int(s->db, "SELECT seq FROM sqlite_sequence WHERE name = 'sessions'", 0);
	s->last_transaction = db_int(s->db, "SELECT seq FROM sqlite_sequence WHERE name = 'transactions'", 0);
	return result;
}

static void *writer(void *arg);

static void store_free(struct store *s)
{
	for (int i = 0; i < ROW_STATEMENTS; i++)
		sqlite3_finalize(s->row[i]);
	for (int i = 0; i < S_COUNT; i++)
		sqlite3_finalize(s->stmt[i]);
	for (size_t i = 0; i < sizeof children / sizeof *children; i++)
		sqlite3_finalize(s->drop_child[i]);
	sqlite3_close(s->db);
	if (s->key_fd >= 0)
		close(s->key_fd);
	free(s);
}

struct store *store_open(const struct store_options *o, char *error, size_t error_size, int *exit_code)
{
	struct store *s = xcalloc(1, sizeof *s);
	char pragmas[160];

	s->key_fd = -1;
	s->live = o->live;
	s->once = o->once;
	s->stop = o->stop;
	s->last = &s->first;
	s->privacy = o->privacy;
	s->subject = o->subject;
	if (mkdir(o->dir, 0750) && errno != EEXIST) {
		fail(error, error_size, exit_code, EX_CANTCREAT, "cannot be made", o->dir);
		goto failed;
	}
	if (open_key(s, o->dir, error, error_size, exit_code))
		goto failed;
	*exit_code = EX_CANTCREAT;
	s->db = db_open_write(o->dir, DB_FACTS, error, error_size);
	if (!s->db)
		goto failed;
	snprintf(pragmas, sizeof pragmas, "PRAGMA synchronous = %s; PRAGMA cache_size = -%d; PRAGMA wal_autocheckpoint = %d", o->live ? "FULL" : "NORMAL",
		 CACHE_KIB, CHECKPOINT_PAGES);
	if (exec_named(s, o->dir, pragmas, error, error_size) || check_meta(s, o, error, error_size, exit_code) || begin_run(s, o, error, error_size))
		goto failed;
	prepare(s);
	sqlite3_busy_timeout(s->db, BUSY_MS);	/* from here on tries are counted here */
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	int rc = pthread_create(&s->thread, NULL, writer, s);
	if (rc) {
		errno = rc;
		fail(error, error_size, exit_code, EX_OSERR, "no thread for the store", o->dir);
		goto failed;
	}
	return s;
failed:
	store_free(s);
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
	sqlite3_reset(q);
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
	sqlite3_reset(q);
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

static int write_batch(struct store *s, const struct batch *b)
{
	if (db_exec(s->db, "BEGIN IMMEDIATE", s->problem, sizeof s->problem))
		return -1;
	sqlite3_bind_int64(s->stmt[S_BATCH], 1, time_now_us());
	if (step_once(s->stmt[S_BATCH]))
		goto failed;
	int64_t seq = sqlite3_last_insert_rowid(s->db);
	if (write_rows(s, b, seq))
		goto failed;
	sqlite3_bind_int64(s->stmt[S_BATCH_END], 1, seq);
	if (step_once(s->stmt[S_BATCH_END]) || db_exec(s->db, "COMMIT", NULL, 0))
		goto failed;
	return 0;
failed:
	snprintf(s->problem, sizeof s->problem, "%s", sqlite3_errmsg(s->db));
	db_exec(s->db, "ROLLBACK", NULL, 0);
	return -1;
}

static bool is_stopped(const struct store *s)
{
	return s->stop && *s->stop;
}

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* After a failed write. True: try again. What cannot be read again waits until the program ends, a replay only some seconds. */
static bool is_worth_another_try(struct store *s, const struct batch *b, int64_t since_us)
{
	pthread_mutex_lock(&s->lock);
	if (!s->complained)
		fprintf(stderr, "bouncetapd: the store cannot be written: %s; trying again\n", s->problem);
	s->complained = true;
	bool again = ((s->live || s->once) && !s->closing && !is_stopped(s)) || time_now_us() - since_us < GIVE_UP_MS * 1000;
	if (!again) {
		s->facts_lost += b->facts;
		s->gave_up = true;
	}
	pthread_mutex_unlock(&s->lock);
	return again;
}

static void write_until_done(struct store *s, struct batch *b)
{
	int64_t since_us = 0;

	while (write_batch(s, b)) {
		if (!since_us)
			since_us = time_now_us();
		if (!is_worth_another_try(s, b, since_us))
			return;
		pause_ms(RETRY_MS);
	}
	pthread_mutex_lock(&s->lock);
	if (s->complained)
		fprintf(stderr, "bouncetapd: the store is written again\n");
	s->complained = false;
	pthread_mutex_unlock(&s->lock);
}

static void batch_free(struct batch *b)
{
	buf_fini(&b->rows);
	free(b);
}

static struct batch *queue_take(struct store *s)
{
	struct batch *b = s->first;

	s->first = b->next;
	if (!s->first)
		s->last = &s->first;
	s->queued_bytes -= b->rows.len;
	return b;
}

static void *writer(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->first && !s->closing)
			pthread_cond_wait(&s->changed, &s->lock);
		if (!s->first)
			break;
		struct batch *b = queue_take(s);
		bool lost = s->gave_up;
		if (lost)
			s->facts_lost += b->facts;
		s->writing = true;
		pthread_mutex_unlock(&s->lock);
		if (!lost)
			write_until_done(s, b);
		batch_free(b);
		pthread_mutex_lock(&s->lock);
		s->writing = false;
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- a feed ---- */

struct store_feed *store_feed_new(struct store *s)
{
	struct store_feed *feed = xcalloc(1, sizeof *feed);

	feed->store = s;
	feed->encoder.privacy = s->privacy;
	feed->encoder.subject = s->subject;
	feed->encoder.key = s->key;
	feed->open = xcalloc(1, sizeof *feed->open);
	return feed;
}

/* For changed, or a while: a signal wakes nobody. */
static void wait_a_while(struct store *s)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += RETRY_MS * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&s->changed, &s->lock, &t);
}

/* The open batch goes to the writer. A full queue: a replay waits, live capture lets go of the oldest. */
static void cut(struct store_feed *feed)
{
	struct store *s = feed->store;
	struct batch *b = feed->open;

	if (b->facts == 0)
		return;
	feed->open = xcalloc(1, sizeof *feed->open);
	pthread_mutex_lock(&s->lock);
	while (s->queued_bytes > LIMIT_QUEUE_BYTES && !s->live && !is_stopped(s))
		wait_a_while(s);
	while (s->queued_bytes > LIMIT_QUEUE_BYTES && s->first) {
		struct batch *oldest = queue_take(s);

		s->facts_lost += oldest->facts;
		batch_free(oldest);
	}
	*s->last = b;
	s->last = &b->next;
	s->queued_bytes += b->rows.len;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void put_done(struct store_feed *feed)
{
	feed->open->facts++;
	if (feed->open->facts >= LIMIT_BATCH_FACTS || feed->open->rows.len >= LIMIT_BATCH_BYTES)
		cut(feed);
}

void store_put_session(struct store_feed *feed, const struct fact_session *f)
{
	row_session(&feed->encoder, &feed->open->rows, f);
	put_done(feed);
}

void store_put_transaction(struct store_feed *feed, const struct fact_transaction *f)
{
	row_transaction(&feed->encoder, &feed->open->rows, f);
	put_done(feed);
}

void store_put_capture(struct store_feed *feed, const struct fact_capture *f)
{
	row_capture(&feed->encoder, &feed->open->rows, f);
	put_done(feed);
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

/* Waits until all that was cut is committed. */
static void settle(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->first || s->writing)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

bool store_gave_up(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	bool gave_up = s->gave_up;
	pthread_mutex_unlock(&s->lock);
	return gave_up;
}

/* A statement of the caller's thread, while the writer has nothing to do; frees it. */
static int exec_direct(struct store *s, char *query)
{
	int rc;

	sqlite3_busy_timeout(s->db, GIVE_UP_MS);
	rc = db_exec(s->db, query, s->problem, sizeof s->problem);
	sqlite3_busy_timeout(s->db, BUSY_MS);
	sqlite3_free(query);
	if (rc && !s->complained)
		fprintf(stderr, "bouncetapd: the store cannot be written: %s\n", s->problem);
	return rc;
}

int store_begin_source(struct store *s, const char *fingerprint, const char *files_text)
{
	char state[16] = "", *query;

	settle(s);
	s->source_id = 0;
	if (!fingerprint)
		return 1;
	if (exec_direct(s, sqlite3_mprintf("INSERT OR IGNORE INTO source (fingerprint, files, state) VALUES (%Q, %Q, 'reading')", fingerprint,
					   files_text)))
		return -1;
	query = sqlite3_mprintf("SELECT id FROM source WHERE fingerprint = %Q", fingerprint);
	s->source_id = db_int(s->db, query, 0);
	sqlite3_free(query);
	query = sqlite3_mprintf("SELECT state FROM source WHERE id = %lld", s->source_id);
	int rc = db_text(s->db, query, state, sizeof state);
	sqlite3_free(query);
	if (rc || exec_direct(s, sqlite3_mprintf("UPDATE sensor_run SET source_id = %lld WHERE id = %lld", s->source_id, s->run_id)))
		return -1;
	return strcmp(state, "done") != 0 && strcmp(state, "damaged") != 0;
}

int store_end_source(struct store *s, bool damaged)
{
	settle(s);
	if (s->facts_lost || !s->source_id)
		return 0;		/* it has to be read again */
	return exec_direct(s, sqlite3_mprintf("UPDATE source SET state = %Q WHERE id = %lld", damaged ? "damaged" : "done", s->source_id));
}

int store_close(struct store *s, const char *end_reason)
{
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	uint64_t lost = s->facts_lost;
	if (lost)
		fprintf(stderr, "bouncetapd: %llu facts were lost: the store could not be written%s\n", (unsigned long long)lost,
			s->source_id ? "; read the files again" : "");
	int rc = exec_direct(s, sqlite3_mprintf("UPDATE sensor_run SET ended_us = %lld, end_reason = %Q, facts_lost = %lld WHERE id = %lld",
						(long long)time_now_us(), end_reason, (long long)lost, (long long)s->run_id));
	sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	store_free(s);
	return lost || rc ? -1 : 0;
}
