/* writer.c - see writer.h */
#include "sensor/writer.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>

#include "common/timefmt.h"
#include "schema/db.h"
#include "sensor/phrase.h"

enum { CHECKPOINT_PAGES = 20000, WAL_KEPT_BYTES = 96 * 1024 * 1024 };
/* milliseconds */
enum { OPEN_MS = 10000, RETRY_MS = 200, MAKE_AFTER_MS = 1000, MOVED_MS = 5000, WAL_TRY_MS = 1000, WAL_STUCK_MS = 60000 };

static int64_t now_ms(void)
{
	return time_monotone_us() / 1000;
}

static void describe(struct writer *w)
{
	char path[4096];

	db_path(w->o.dir, DB_FACTS, 0, path, sizeof path);
	db_describe(w->place.db, path, w->problem, sizeof w->problem);
}

/* A statement outside batches, which it frees. */
static int exec(struct writer *w, char *query)
{
	int rc = db_exec(w->place.db, query, NULL, 0);

	if (rc)
		describe(w);
	sqlite3_free(query);
	return rc;
}

static int ask(struct writer *w, const char *query, int64_t none, int64_t *out)
{
	int rc = db_ask(w->place.db, query, none, out);

	if (rc)
		describe(w);
	return rc;
}

static bool is_stopped(const struct writer *w)
{
	return w->o.stop && *w->o.stop;
}

/* ---- opening ---- */

static const char *const privacy_names[] = { "full", "hash", "domain" };

static int make_meta(struct writer *w)
{
	uint64_t id[2];

	if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
		id[0] = (uint64_t)time_now_us();
	return exec(w, sqlite3_mprintf("INSERT INTO meta (store_id, privacy, created_us, phrases_version) VALUES ('%016llx%016llx', %Q, %lld, %d)",
				       (unsigned long long)id[0], (unsigned long long)id[1], privacy_names[w->o.privacy],
				       (long long)time_now_us(), phrase_version()));
}

static int check_meta(struct writer *w, int *exit_code)
{
	char privacy[16];
	int64_t rows;

	*exit_code = EX_IOERR;
	if (ask(w, "SELECT count(*) FROM meta", 0, &rows))
		return -1;
	if (rows == 0)
		return make_meta(w);
	if (db_text(w->place.db, "SELECT privacy FROM meta", privacy, sizeof privacy)) {
		describe(w);
		return -1;
	}
	if (strcmp(privacy, privacy_names[w->o.privacy]) != 0) {
		snprintf(w->problem, sizeof w->problem, "%s: made with [privacy] addresses = %s, the configuration says %s; a store keeps its mode: "
			 "name another --store", w->o.dir, privacy, privacy_names[w->o.privacy]);
		*exit_code = EX_CONFIG;
		return -1;
	}
	if (db_int(w->place.db, "SELECT phrases_version FROM meta", 0) == phrase_version())
		return 0;
	return exec(w, sqlite3_mprintf("UPDATE meta SET phrases_version = %d", phrase_version()));
}

static int begin_run(struct writer *w)
{
	if (exec(w, sqlite3_mprintf("INSERT INTO sensor_run (sensor, version, started_us, interfaces, filter) VALUES (%Q, %Q, %lld, %Q, %Q)",
				    w->o.sensor, w->o.version, (long long)time_now_us(), w->o.interfaces, w->o.filter)))
		return -1;
	w->insert.run_id = sqlite3_last_insert_rowid(w->place.db);
	w->lost_elsewhere += w->lost_here;
	w->lost_here = 0;
	return 0;
}

/* A store that is opened again goes on with the run that it has. */
static int join_run(struct writer *w)
{
	char query[80];
	int64_t known;

	snprintf(query, sizeof query, "SELECT 1 FROM sensor_run WHERE id = %lld", (long long)w->insert.run_id);
	if (db_text(w->place.db, "SELECT store_id FROM meta", w->found_id, sizeof w->found_id)) {
		describe(w);
		return -1;
	}
	if (ask(w, query, 0, &known))
		return -1;
	bool same = known && strcmp(w->found_id, w->store_id) == 0;
	if (insert_open(&w->insert, w->place.db, same)) {
		describe(w);
		return -1;
	}
	return same ? 0 : begin_run(w);
}

static void close_database(struct writer *w)
{
	insert_close(&w->insert);
	place_close(&w->place);
}

static int note_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct writer *w = arg;

	(void)db;
	(void)name;
	w->wal_pages = pages;
	return SQLITE_OK;
}

/* Everything between the file and the first batch. */
static int set_up(struct writer *w, int *exit_code)
{
	*exit_code = EX_CANTCREAT;
	if (exec(w, sqlite3_mprintf("PRAGMA synchronous = %s; PRAGMA cache_size = -%d; PRAGMA journal_size_limit = %d",
				    w->o.durable ? "FULL" : "NORMAL", (int)(w->o.cache_bytes / 1024), WAL_KEPT_BYTES))
	    || (w->o.temporary && db_be_temporary(w->place.db)) || check_meta(w, exit_code) || join_run(w))
		return -1;
	sqlite3_wal_hook(w->place.db, note_wal, w);	/* in place of automatic checkpoints: check_wal */
	place_mark(&w->place);
	return 0;
}

/* What stands in the place; make: or a new one. -1: closed, with a problem. */
static int open_database(struct writer *w, bool make, enum db_refusal *why, int *exit_code)
{
	if (place_open(&w->place, make, WRITER_BUSY_MS, why, w->problem, sizeof w->problem, exit_code))
		return -1;
	if (set_up(w, exit_code) == 0)
		return 0;
	*why = db_refusal(w->place.db);
	if (*why == DB_LOCKED)
		*exit_code = EX_TEMPFAIL;
	close_database(w);
	return -1;
}

/* A second look at a file that made no sense, then it is set aside: true. */
static bool has_set_aside(struct writer *w)
{
	char name[4096], error[WRITER_PROBLEM_BYTES];

	if (++w->damage < 2)
		return false;
	if (place_set_aside(&w->place, name, sizeof name, error, sizeof error)) {
		memcpy(w->problem, error, sizeof error);
		return false;
	}
	fprintf(stderr, "bouncetapd: %s: set aside as %s, a new store takes its place\n", w->problem, name);
	w->damage = 0;
	w->has_room = true;
	return true;
}

int writer_open(struct writer *w, const struct writer_options *o, int *exit_code)
{
	const struct timespec retry = { 0, RETRY_MS * 1000000 };
	int64_t until = now_ms() + OPEN_MS;
	enum db_refusal why;

	*w = (struct writer){ .o = *o };
	place_init(&w->place, o->dir);
	prune_init(&w->prune, o->dir);
	while (open_database(w, true, &why, exit_code)) {
		if (why == DB_DAMAGED && (has_set_aside(w) || w->damage == 1))
			continue;
		if (why != DB_LOCKED || is_stopped(w) || now_ms() > until)
			return -1;
		nanosleep(&retry, NULL);
	}
	memcpy(w->store_id, w->found_id, sizeof w->store_id);
	w->damage = 0;
	return 0;
}

/* ---- another store in its place ---- */

/*
 * Files are no longer in their places. When only the -wal lost its name, what is in it has to come into facts.db before that is closed, which
 * readers may delay. 0: closed.
 */
static int leave(struct writer *w)
{
	if (!w->moved_ms) {
		w->moved_ms = now_ms();
		fprintf(stderr, "bouncetapd: %s: files of the store were removed or replaced while it was being written\n", w->o.dir);
	}
	if (!place_is_deleted(&w->place)) {
		writer_end_run(w, "stopped", w->lost_here + w->lost_elsewhere);
		int rc = sqlite3_wal_checkpoint_v2(w->place.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

		if (rc == SQLITE_BUSY && now_ms() - w->moved_ms < MOVED_MS && !is_stopped(w)) {
			describe(w);
			return -1;
		}
		if (rc)
			fprintf(stderr, "bouncetapd: %s: not all of the -wal could be taken into facts.db: %s\n", w->o.dir,
				sqlite3_errmsg(w->place.db));
	}
	w->moved_ms = 0;
	close_database(w);
	return 0;
}

/* A commit that failed: is it there all the same? */
static int end_doubt(struct writer *w)
{
	char query[120];
	int64_t there;

	if (!w->doubt.number || w->doubt.found)
		return 0;
	snprintf(query, sizeof query, "SELECT 1 FROM batch WHERE seq = %lld AND committed_us = %lld", (long long)w->doubt.seq,
		 (long long)w->doubt.committed_us);
	if (ask(w, query, 0, &there))
		return -1;
	w->doubt.found = there;
	if (!there)
		w->doubt.number = 0;
	return 0;
}

/* Why it could not be opened may mean that it never can. */
static void judge_refusal(struct writer *w, enum db_refusal why)
{
	if (why == DB_DAMAGED && has_set_aside(w))
		w->hopeless = !w->o.waits;
	if (why != DB_DENIED || w->hopeless || !place_is_elsewhere(&w->place) || now_ms() - w->away_ms < MOVED_MS)
		return;
	fprintf(stderr, "bouncetapd: %s: the directory is another one and may not be opened by this program any more: ending, "
		"so that the next start opens it\n", w->o.dir);
	w->hopeless = true;
}

/*
 * Opens what stands in the place. Whoever moves one store away and another in does not want one of ours in between: a new one is made when nothing was
 * there for a while. A source is not split over two stores: it could be told to be in neither of them.
 */
static int enter(struct writer *w)
{
	enum db_refusal why;
	int exit_code;

	if (!w->away_ms)
		w->away_ms = now_ms();
	bool make = w->o.waits && (w->has_room || now_ms() - w->away_ms >= MAKE_AFTER_MS);
	if (open_database(w, make, &why, &exit_code)) {
		judge_refusal(w, why);
		return -1;
	}
	w->away_ms = 0;
	w->has_room = false;
	if (strcmp(w->found_id, w->store_id) == 0) {
		if (end_doubt(w) == 0)
			return 0;
		close_database(w);
		return -1;
	}
	if (!w->o.waits) {
		snprintf(w->problem, sizeof w->problem, "%s: another store stands there now", w->o.dir);
		writer_end_run(w, "stopped", w->lost_elsewhere);
		close_database(w);
		w->hopeless = true;
		return -1;
	}
	fprintf(stderr, "bouncetapd: %s: %s\n", w->o.dir, db_int(w->place.db, "SELECT count(*) FROM sensor_run", 0) == 1 ?
		"a new store was begun" : "facts go into the other store that stands there now");
	memcpy(w->store_id, w->found_id, sizeof w->store_id);
	w->doubt.number = 0;
	return 0;
}

int writer_tend(struct writer *w)
{
	if (w->place.db && !place_is_moved(&w->place))
		return 0;
	if (w->place.db && leave(w))
		return -1;
	return enter(w);
}

/* ---- batches ---- */

/* The -wal goes into facts.db when it has grown. A reader who stays keeps it from that: nothing is lost, but it grows on. */
static void check_wal(struct writer *w)
{
	int64_t now = now_ms();
	bool stuck = w->wal_since_ms && w->wal_pages >= 2 * CHECKPOINT_PAGES;

	if (w->wal_pages < CHECKPOINT_PAGES) {
		if (w->wal_said)
			fprintf(stderr, "bouncetapd: %s: facts.db-wal is short again\n", w->o.dir);
		w->wal_since_ms = 0;
		w->wal_said = false;
		return;
	}
	if (!w->wal_since_ms)
		w->wal_since_ms = now;
	if (!stuck)
		sqlite3_wal_checkpoint_v2(w->place.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	else if (now - w->wal_tried_ms > WAL_TRY_MS) {	/* waits for readers a moment */
		w->wal_tried_ms = now;
		sqlite3_wal_checkpoint_v2(w->place.db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
	}
	if (w->wal_said || now - w->wal_since_ms < WAL_STUCK_MS)
		return;
	fprintf(stderr, "bouncetapd: %s: facts.db-wal grows and cannot be taken into facts.db for %d s: a program reads the store without a pause\n",
		w->o.dir, WAL_STUCK_MS / 1000);
	w->wal_said = true;
}

/* SQL inside the transaction. *seq: the row of batch. */
static int put_batch(struct writer *w, const struct buf *rows, int64_t now_us, uint64_t lost_here, int64_t *seq)
{
	if (exec(w, sqlite3_mprintf("INSERT INTO batch (committed_us, session_rowid, transaction_rowid) VALUES (%lld, 0, 0)", (long long)now_us)))
		return -1;
	*seq = sqlite3_last_insert_rowid(w->place.db);
	if (insert_rows(&w->insert, rows, *seq))
		return -1;
	if (lost_here != w->lost_here && exec(w, sqlite3_mprintf("UPDATE sensor_run SET facts_lost = %lld WHERE id = %lld", (long long)lost_here,
								 (long long)w->insert.run_id)))
		return -1;
	return exec(w, sqlite3_mprintf("UPDATE batch SET session_rowid = (SELECT coalesce(max(id), 0) FROM sessions), "
				       "transaction_rowid = (SELECT coalesce(max(id), 0) FROM transactions) WHERE seq = %lld", (long long)*seq));
}

/* 0, or what SQLite says; then nothing was written, or there is a doubt. */
static int write_batch(struct writer *w, const struct writer_batch *b, uint64_t lost_here)
{
	int64_t now_us = time_now_us(), seq = 0;
	bool put = db_exec(w->place.db, "BEGIN IMMEDIATE", NULL, 0) == 0 && put_batch(w, b->rows, now_us, lost_here, &seq) == 0;

	if (put && db_exec(w->place.db, "COMMIT", NULL, 0) == 0) {
		w->lost_here = lost_here;
		return 0;
	}
	describe(w);
	int rc = sqlite3_errcode(w->place.db);
	/* With any other error all frames may have been written before something behind them failed. */
	if (put && rc != SQLITE_BUSY && rc != SQLITE_FULL) {
		w->doubt.number = b->number;
		w->doubt.facts = b->facts;
		w->doubt.seq = seq;
		w->doubt.committed_us = now_us;
		w->doubt.found = false;
	}
	db_exec(w->place.db, "ROLLBACK", NULL, 0);
	return rc;
}

/* What SQLite said decides what is done before the next try. */
static enum writer_result mend(struct writer *w, const struct writer_batch *b, int rc)
{
	switch (rc) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_FULL:
	case SQLITE_NOMEM:
		if (!w->doubt.number)
			return WRITER_FAILED;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		close_database(w);
		if (has_set_aside(w))
			w->hopeless = !w->o.waits;
		return WRITER_FAILED;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
		if (w->refused == b->number)
			return WRITER_LOST;
		w->refused = b->number;
		break;
	default:
		break;
	}
	close_database(w);
	return WRITER_FAILED;
}

enum writer_result writer_commit(struct writer *w, const struct writer_batch *b, uint64_t lost)
{
	int rc = write_batch(w, b, lost - w->lost_elsewhere);

	if (rc)
		return mend(w, b, rc);
	w->damage = 0;
	check_wal(w);
	return place_is_moved(&w->place) && place_is_deleted(&w->place) ? WRITER_LOST : WRITER_COMMITTED;
}

bool writer_prune(struct writer *w)
{
	if (!w->place.db || place_is_moved(&w->place))
		return false;
	bool more = prune_slice(&w->prune, w->place.db);

	check_wal(w);
	return more;
}

/* ---- sources, the end ---- */

int writer_begin_source(struct writer *w, const char *fingerprint, const char *files)
{
	char *query;
	int64_t state;

	if (exec(w, sqlite3_mprintf("INSERT OR IGNORE INTO source (fingerprint, files, state) VALUES (%Q, %Q, 'reading')", fingerprint, files)))
		return -1;
	query = sqlite3_mprintf("SELECT id FROM source WHERE fingerprint = %Q", fingerprint);
	int rc = ask(w, query, 0, &w->insert.source_id);
	sqlite3_free(query);
	query = sqlite3_mprintf("SELECT CASE state WHEN 'reading' THEN 1 WHEN 'damaged' THEN 2 ELSE 0 END FROM source WHERE id = %lld", (long long)w->insert.source_id);
	rc = rc || ask(w, query, 0, &state);
	sqlite3_free(query);
	if (rc || exec(w, sqlite3_mprintf("UPDATE sensor_run SET source_id = %lld WHERE id = %lld", (long long)w->insert.source_id,
					  (long long)w->insert.run_id)))
		return -1;
	return (int)state;
}

int writer_end_source(struct writer *w, const char *state)
{
	return exec(w, sqlite3_mprintf("UPDATE source SET state = %Q WHERE id = %lld", state, (long long)w->insert.source_id));
}

int writer_end_run(struct writer *w, const char *end_reason, uint64_t lost)
{
	uint64_t lost_here = lost - w->lost_elsewhere;

	if (exec(w, sqlite3_mprintf("UPDATE sensor_run SET ended_us = %lld, end_reason = %Q, facts_lost = %lld WHERE id = %lld",
				    (long long)time_now_us(), end_reason, (long long)lost_here, (long long)w->insert.run_id)))
		return -1;
	w->lost_here = lost_here;
	return 0;
}

void writer_close(struct writer *w, bool checkpoint)
{
	if (w->place.db && checkpoint)
		sqlite3_wal_checkpoint_v2(w->place.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	close_database(w);
}
