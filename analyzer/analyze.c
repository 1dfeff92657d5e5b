/*
 * analyze.c - see analyze.h. Slices, each a transaction of its own, so that readers see progress and a crash loses little:
 *
 *   take   the next batches: first verdicts; whose answers they concern, goes into pending (take.c)
 *   judge  some of pending: correlate, judge, findings
 *   risk   when nothing is pending any more
 *
 * Batches are taken before anybody is judged, so an address with many answers is judged once. What is pending survives a crash, so it does not matter
 * where one slice ends.
 */
#include "analyzer/analyze.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/correlate.h"
#include "analyzer/finding.h"
#include "analyzer/forget.h"
#include "analyzer/hygiene.h"
#include "analyzer/idset.h"
#include "analyzer/inputs.h"
#include "analyzer/judge.h"
#include "analyzer/origin.h"
#include "analyzer/past.h"
#include "analyzer/policy.h"
#include "analyzer/provenance.h"
#include "analyzer/refusal.h"
#include "analyzer/rollup.h"
#include "analyzer/servers.h"
#include "analyzer/sighting.h"
#include "analyzer/take.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "reader/geo.h"
#include "schema/db.h"

enum {
	/* Read transactions keep the sensor's WAL from being reset, so none lasts: about so many facts are taken in one, and judged so long. */
	SLICE_FACTS = 30000, JUDGE_SLICE_US = 300000,
	COMMIT_US = 2000000,	/* what several slices write goes to disk together; a crash loses that much work */
	RISK_US = 60000000,	/* following: the risk is computed again at least so often, */
	RISK_SHARE = 1000,	/* and takes at most one in so many parts of the time */
};

/* Who takes longer than this to judge gets one in so many parts of the time. */
enum { DEAR_US = 50000, DEAR_SHARE = 100, DEAR_MAX = 32 };

enum statement {
	/* of facts.db */
	BATCHES, BATCH, LAST_ROW, FACTS_COUNT,
	/* of verdicts.db */
	PENDING = FACTS_COUNT, PENDING_OF, NOT_PENDING, ASKED, SETTLE, MARK, JUDGED_AT, STATEMENT_COUNT
};

static const char *const sql[STATEMENT_COUNT] = {
	[BATCHES] = "SELECT seq, session_rowid, transaction_rowid FROM batch WHERE seq > ?1 ORDER BY seq",
	[BATCH] = "SELECT session_rowid, transaction_rowid FROM batch WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1",
	[LAST_ROW] = "SELECT coalesce(max(id), 0) FROM transactions",
	[PENDING] = "SELECT recipient_id FROM pending WHERE recipient_id > ?1 ORDER BY recipient_id LIMIT 1",
	[PENDING_OF] = "SELECT finding_rowid, since_us FROM pending WHERE recipient_id = ?1",
	[NOT_PENDING] = "DELETE FROM pending WHERE recipient_id = ?1",
	[ASKED] = "INSERT OR IGNORE INTO asked VALUES (?1, ?2)",
	[SETTLE] = "UPDATE finding SET settled = 1 WHERE settled = 0 AND last_us < ?1",
	[MARK] = "UPDATE meta SET analyzed_seq = ?1, seen_rowid = ?2, last_us = ?3",
	[JUDGED_AT] = "UPDATE meta SET now_us = ?1",
};

/* A recipient with so many answers that judging him took long: live, he waits until his share of the time is small again. */
struct dear {
	int64_t recipient_id, due_us;
};

struct analysis {
	struct analysis_options options;
	int lock_fd;
	sqlite3 *facts, *verdicts;
	struct db_files files;	/* of facts, as they were opened */
	struct own *own;
	struct geo *geo;	/* NULL: none */
	struct servers *servers;
	struct origins *origins;
	struct judge *judge;
	struct shared *shared;
	struct provenances *provenances;
	struct victims *victims;
	struct correlate *correlate;
	struct findings *findings;
	struct refusals *refusals;
	struct rollups *rollups;
	struct hygiene *hygiene;
	struct provisional *provisional;
	struct covered *covered;
	struct take *take;
	sqlite3_stmt *q[STATEMENT_COUNT];
	struct forget forget;
	int64_t past_before_us;	/* sums of earlier hours are closed */
	long long analyzed_seq;
	int64_t seen_rowid;
	int64_t shown_rowid;	/* transactions up to it were shown to readers */
	bool writing;		/* a transaction of verdicts is open */
	int64_t written_us;	/* since then; times of clock_us */
	bool following;
	struct dear dear[DEAR_MAX];
	int dear_count;
	bool risk_stale;
	int64_t risk_due_us;
};

static sqlite3_stmt *query(struct analysis *a, enum statement which, int64_t v)
{
	sqlite3_reset(a->q[which]);
	sqlite3_bind_int64(a->q[which], 1, v);
	return a->q[which];
}

static void run(sqlite3_stmt *s)
{
	sqlite3_step(s);
	sqlite3_reset(s);
}

static int64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- taking ---- */

struct range {
	int64_t seq, session_rowid, transaction_rowid;
};

static struct range range_until(struct analysis *a, long long seq)
{
	sqlite3_stmt *s = query(a, BATCH, seq);
	struct range r = { seq, 0, 0 };

	if (sqlite3_step(s) == SQLITE_ROW) {
		r.session_rowid = sqlite3_column_int64(s, 0);
		r.transaction_rowid = sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
	return r;
}

/* False when there is nothing new. *last: no batch is left behind it. */
static bool next_range(struct analysis *a, const struct range *from, struct range *to, bool *last)
{
	sqlite3_stmt *s = query(a, BATCHES, from->seq);
	bool found = false;

	*to = *from;
	*last = true;
	while (sqlite3_step(s) == SQLITE_ROW) {
		if (found && to->transaction_rowid - from->transaction_rowid + to->session_rowid - from->session_rowid >= SLICE_FACTS) {
			*last = false;
			break;
		}
		*to = (struct range){ sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2) };
		found = true;
	}
	sqlite3_reset(s);
	return found;
}

static void mark_taken(struct analysis *a, int64_t seq)
{
	sqlite3_stmt *last = a->q[LAST_ROW];

	if (sqlite3_step(last) == SQLITE_ROW)
		a->seen_rowid = sqlite3_column_int64(last, 0);
	sqlite3_reset(last);
	sqlite3_stmt *s = query(a, MARK, seq);
	sqlite3_bind_int64(s, 2, a->seen_rowid);
	sqlite3_bind_int64(s, 3, take_last_us(a->take));
	run(s);
	a->analyzed_seq = seq;
}

/* ---- judging ---- */

/* What pending says of him. The caller frees the list of findings. */
static struct victim_task read_task(struct analysis *a, int64_t recipient_id, int64_t **finding)
{
	struct victim_task task = { .since_us = INT64_MAX };
	sqlite3_stmt *s = query(a, PENDING_OF, recipient_id);
	size_t cap = 0;

	*finding = NULL;
	while (sqlite3_step(s) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(s, 0);

		if (!id) {
			task.since_us = sqlite3_column_int64(s, 1);
			continue;
		}
		if (task.finding_count == cap) {
			cap = cap ? cap * 2 : 8;
			*finding = xreallocarray(*finding, cap, sizeof **finding);
		}
		(*finding)[task.finding_count++] = id;
	}
	sqlite3_reset(s);
	task.finding = *finding;
	return task;
}

static void note_asked(struct analysis *a, const struct idset *asked, int64_t recipient_id)
{
	for (size_t i = 0; i < asked->cap; i++)
		if (asked->slot[i]) {
			sqlite3_bind_int64(query(a, ASKED, asked->slot[i]), 2, recipient_id);
			run(a->q[ASKED]);
		}
}

/* True when it will be as much work the next time: nothing of it is kept. */
static bool judge_recipient(struct analysis *a, int64_t recipient_id)
{
	struct idset asked = { 0 };
	int64_t *finding;
	struct victim_task task = read_task(a, recipient_id, &finding);
	struct victim *v = victims_get(a->victims, recipient_id, &task);

	bool again = false;

	servers_record(a->servers, &asked);
	if (v) {
		correlate_victim(a->correlate, v);
		findings_write(a->findings, v, a->shown_rowid);
		again = !victims_put_back(a->victims, v);
	} else
		findings_remove(a->findings, recipient_id);
	servers_record(a->servers, NULL);
	note_asked(a, &asked, recipient_id);
	run(query(a, NOT_PENDING, recipient_id));
	idset_fini(&asked);
	free(finding);
	return again;
}

/* One in DEAR_SHARE of the time, whatever comes for him: else somebody who gets answers every second is judged all over every second. */
static void note_cost(struct analysis *a, int64_t recipient_id, int64_t cost_us)
{
	int i = 0;

	while (i < a->dear_count && a->dear[i].recipient_id != recipient_id)
		i++;
	if (cost_us < DEAR_US) {
		if (i < a->dear_count)
			a->dear[i] = a->dear[--a->dear_count];
		return;
	}
	if (i == DEAR_MAX)
		i = DEAR_MAX - 1;
	a->dear[i] = (struct dear){ recipient_id, clock_us() + cost_us * DEAR_SHARE };
	if (i == a->dear_count)
		a->dear_count++;
}

static bool must_wait(const struct analysis *a, int64_t recipient_id)
{
	for (int i = 0; i < a->dear_count && a->following; i++)
		if (a->dear[i].recipient_id == recipient_id)
			return clock_us() < a->dear[i].due_us;
	return false;
}

/* The next one to judge behind this, or 0. */
static int64_t next_pending(struct analysis *a, int64_t recipient_id)
{
	for (;;) {
		sqlite3_stmt *s = query(a, PENDING, recipient_id);

		recipient_id = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
		sqlite3_reset(s);
		if (!recipient_id || !must_wait(a, recipient_id))
			return recipient_id;
	}
}

enum pace { PACE_NOTHING, PACE_MORE, PACE_DONE };

/* Until none is pending whose time has come, or the time of a slice is over. */
static enum pace judge_pending(struct analysis *a)
{
	int64_t begin_us = clock_us(), until_us = begin_us + JUDGE_SLICE_US, recipient_id = INT64_MIN;
	enum pace pace = PACE_NOTHING;

	while (begin_us < until_us && (recipient_id = next_pending(a, recipient_id))) {
		bool again = judge_recipient(a, recipient_id);
		int64_t end_us = clock_us();
		note_cost(a, recipient_id, again ? end_us - begin_us : 0);
		begin_us = end_us;
		pace = PACE_DONE;
	}
	take_news(a->take);
	run(query(a, SETTLE, take_last_us(a->take) - SIGHTING_WINDOW_US));
	return next_pending(a, INT64_MIN) ? PACE_MORE : pace;
}

static int64_t now_of(const struct analysis *a)
{
	return a->options.now_us ? a->options.now_us : a->options.now_is_last ? take_last_us(a->take) : time_now_us();
}

static void write_risk(struct analysis *a)
{
	int64_t begun_us = clock_us();

	policy_write_risk(a->verdicts, a->options.lists, now_of(a));
	run(query(a, JUDGED_AT, now_of(a)));
	a->risk_stale = false;
	a->risk_due_us = clock_us() + RISK_SHARE * (clock_us() - begun_us);
}

/* ---- slices ---- */

enum slice { SLICE_FAILED = -1, SLICE_NOTHING, SLICE_MORE, SLICE_DONE };

static enum slice work(struct analysis *a)
{
	static const enum slice after[] = { [PACE_NOTHING] = SLICE_NOTHING, [PACE_MORE] = SLICE_MORE, [PACE_DONE] = SLICE_DONE };
	struct range from = range_until(a, a->analyzed_seq), to;
	bool last;

	if (!next_range(a, &from, &to, &last))
		return after[judge_pending(a)];
	struct take_range r = { from.session_rowid, to.session_rowid, from.transaction_rowid, to.transaction_rowid, a->seen_rowid };
	take_facts(a->take, &r);
	mark_taken(a, to.seq);
	return !last || judge_pending(a) == PACE_MORE ? SLICE_MORE : SLICE_DONE;
}

static int begin_writing(struct analysis *a, char *error, size_t size)
{
	a->written_us = clock_us();
	a->shown_rowid = range_until(a, a->analyzed_seq).transaction_rowid;
	return db_exec(a->verdicts, "BEGIN IMMEDIATE", error, size);
}

static int end_writing(struct analysis *a, char *error, size_t size)
{
	a->writing = false;
	if (db_exec(a->verdicts, "COMMIT", error, size) == 0)
		return 0;
	db_exec(a->verdicts, "ROLLBACK", NULL, 0);
	return -1;
}

/* The read transaction on facts.db lasts one slice, what is written to verdicts.db may be more. */
static enum slice do_slice(struct analysis *a, char *error, size_t size)
{
	enum slice result = SLICE_FAILED;

	if (db_exec(a->facts, "BEGIN", error, size))
		return SLICE_FAILED;
	if (a->writing || begin_writing(a, error, size) == 0) {
		result = work(a);
		a->risk_stale |= result == SLICE_DONE;
		if (a->risk_stale && result != SLICE_MORE && (!a->following || clock_us() >= a->risk_due_us))
			write_risk(a);
		a->writing = result == SLICE_MORE && clock_us() - a->written_us < COMMIT_US;
		if (!a->writing && end_writing(a, error, size))
			result = SLICE_FAILED;
	}
	db_exec(a->facts, "COMMIT", NULL, 0);
	return result;
}

int analysis_run(struct analysis *a, char *error, size_t error_size)
{
	enum slice slice;

	a->risk_stale = true;	/* without a new fact, a new time or new lists may still change it */
	while ((slice = do_slice(a, error, error_size)) > SLICE_NOTHING)
		;
	if (slice == SLICE_FAILED)
		return -1;
	while (forget_slice(&a->forget, a->verdicts))
		;
	return 0;
}

/*
 * Little is read and written at a time. What comes into facts.db empties SQLite's cache of it, but not what is mapped; and once a b-tree of verdicts.db
 * was balanced, each commit walks through all that is cached.
 */
static void cache_for_following(struct analysis *a)
{
	db_exec(a->facts, "PRAGMA cache_size = -8192; PRAGMA mmap_size = 1073741824", NULL, 0);
	db_exec(a->verdicts, "PRAGMA cache_size = -8192; PRAGMA mmap_size = 268435456", NULL, 0);
}

int analysis_follow(struct analysis *a, const volatile int *stop, char *error, size_t error_size)
{
	long long version = -1;

	a->following = true;
	cache_for_following(a);
	victims_keep(a->victims);
	while (!*stop) {
		if (db_files_moved(a->options.store, DB_FACTS, &a->files))
			return 1;
		long long v = db_int(a->facts, "PRAGMA data_version", 0);
		bool due = (a->risk_stale || a->dear_count) && clock_us() >= a->risk_due_us;

		a->risk_stale |= clock_us() >= a->risk_due_us + RISK_US;
		if (v != version || due) {
			enum slice slice;

			version = v;
			while ((slice = do_slice(a, error, error_size)) > SLICE_NOTHING && !*stop)
				;
			if (slice == SLICE_FAILED || (a->writing && end_writing(a, error, error_size)))
				return -1;
		}
		if (forget_slice(&a->forget, a->verdicts))
			victims_drop(a->victims);	/* old mail is no longer judged */
		else
			sleep(1);
	}
	return 0;
}

/* ---- opening ---- */

static int take_lock(const char *store, bool *busy, char *error, size_t size)
{
	char *path = xasprintf("%s/analyze.lock", store);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		snprintf(error, size, "%s: %s", path, strerror(errno));
	else if (flock(fd, LOCK_EX | LOCK_NB)) {
		*busy = errno == EWOULDBLOCK;
		snprintf(error, size, *busy ? "%s: another analyzer is at work on this store" : "%s: cannot be locked", path);
		close(fd);
		fd = -1;
	}
	free(path);
	return fd;
}

/* Verdicts of another store, of other inputs, or unwanted ones are thrown away. */
static int check_inputs(struct analysis *a, char *error, size_t size)
{
	const struct inputs in = { a->own, a->options.lists, a->geo };
	const struct inputs_databases db = { a->options.store, a->facts, a->verdicts };

	if (inputs_agree(&in, &db, a->options.rebuild, a->options.say, error, size))
		return -1;
	char store_id[64] = "";
	db_text(a->facts, "SELECT store_id FROM meta", store_id, sizeof store_id);
	a->past_before_us = past_before(a->options.store, store_id);
	forget_init(&a->forget, a->options.store);
	a->analyzed_seq = db_int(a->verdicts, "SELECT analyzed_seq FROM meta", 0);
	a->seen_rowid = db_int(a->verdicts, "SELECT seen_rowid FROM meta", 0);
	return 0;
}

static void prepare_all(struct analysis *a)
{
	for (int i = 0; i < STATEMENT_COUNT; i++)
		a->q[i] = db_prepare(i < FACTS_COUNT ? a->facts : a->verdicts, sql[i]);
	a->servers = servers_new(a->verdicts, a->own);
	a->origins = origins_new(a->facts, a->own);
	a->shared = shared_new(a->facts, a->own);
	a->covered = covered_new(a->verdicts, a->past_before_us);
	a->judge = judge_new(a->facts, a->verdicts, a->own, a->servers, a->origins, a->shared, a->geo, a->covered);
	a->provenances = provenances_new(a->facts, a->own, a->servers, a->shared);
	a->victims = victims_new(a->facts, a->verdicts, a->own);
	a->correlate = correlate_new(a->facts, a->own, a->provenances, a->shared);
	a->provisional = provisional_new(a->facts, a->verdicts, a->past_before_us);
	a->hygiene = hygiene_new(a->facts, a->verdicts, a->own, a->provisional);
	a->rollups = rollups_new(a->verdicts, a->own, a->provisional, a->past_before_us);
	a->findings = findings_new(a->verdicts, a->own, a->servers, a->judge, a->hygiene);
	a->refusals = refusals_new(a->facts, a->verdicts, a->own, a->servers, a->options.lists);
	a->take = take_new(&(struct take_tools){ a->facts, a->verdicts, a->own, a->servers, a->origins, a->provenances, a->shared, a->refusals, a->rollups,
						 a->hygiene, a->provisional, a->covered });
}

struct analysis *analysis_open(const struct analysis_options *o, bool *busy, char *error, size_t error_size)
{
	struct analysis *a = xcalloc(1, sizeof *a);
	enum db_refusal why;
	unsigned present;

	a->options = *o;
	a->own = own_new(o->config);
	a->geo = geo_open(o->config->report.geoip);
	a->lock_fd = -1;
	*busy = false;
	a->facts = db_open_read(o->store, DB_BUSY_MS, &present, &why, error, error_size);
	if (!a->facts)
		goto refused;
	a->lock_fd = take_lock(o->store, busy, error, error_size);
	if (a->lock_fd < 0)
		goto fail;
	a->verdicts = db_open_write(o->store, DB_VERDICTS, DB_BUSY_MS, &why, error, error_size);
	if (!a->verdicts)
		goto refused;
	if (check_inputs(a, error, error_size))
		goto fail;
	db_files_look(o->store, DB_FACTS, &a->files);
	db_exec(a->facts, "PRAGMA cache_size = -65536; PRAGMA mmap_size = 67108864", NULL, 0);
	db_exec(a->verdicts, "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16384", NULL, 0);
	if (o->temporary)
		db_be_temporary(a->verdicts);
	prepare_all(a);
	return a;
refused:
	*busy = why == DB_LOCKED;
fail:
	analysis_close(a);
	return NULL;
}

long long analysis_count(const struct analysis *a)
{
	return take_count(a->take);
}

void analysis_close(struct analysis *a)
{
	if (!a)
		return;
	take_free(a->take);
	refusals_free(a->refusals);
	rollups_free(a->rollups);
	hygiene_free(a->hygiene);
	provisional_free(a->provisional);
	covered_free(a->covered);
	findings_free(a->findings);
	correlate_free(a->correlate);
	victims_free(a->victims);
	provenances_free(a->provenances);
	shared_free(a->shared);
	judge_free(a->judge);
	origins_free(a->origins);
	servers_free(a->servers);
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(a->q[i]);
	if (a->verdicts)
		db_exec(a->verdicts, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, 0);
	sqlite3_close(a->verdicts);
	sqlite3_close(a->facts);
	own_free(a->own);
	geo_close(a->geo);
	if (a->lock_fd >= 0)
		close(a->lock_fd);
	free(a);
}
