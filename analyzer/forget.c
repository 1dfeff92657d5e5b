/* forget.c - see forget.h. First old findings; when the sensor has taken the facts out, each table is walked along its key once. */
#include "analyzer/forget.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "schema/db.h"

enum { ROWS_FIRST = 200, ROWS_MIN = 20, ROWS_MAX = 20000 };

#define NO_TRANSACTION "NOT EXISTS (SELECT 1 FROM facts.transactions t WHERE t.id = x.transaction_rowid)"
#define NO_ANSWER "NOT EXISTS (SELECT 1 FROM answer a WHERE a.recipient_id = x.recipient_id)"

static const struct stage {
	const char *table, *key, *gone;
} stages[] = {
	{ "finding", "last_us", NULL },		/* forget_findings */
	{ "transaction_verdict", "transaction_rowid", NO_TRANSACTION },
	{ "session_verdict", "session_rowid", "NOT EXISTS (SELECT 1 FROM facts.sessions s WHERE s.id = x.session_rowid)" },
	{ "answer", "recipient_id", NO_TRANSACTION },
	{ "author", "address_id", NO_TRANSACTION },
	{ "bare", "sender_id", NO_TRANSACTION },
	{ "relay", "message_id_hash", NO_TRANSACTION },
	{ "asked_by_mail", "key", NO_TRANSACTION },
	{ "answer_key", "message_id_hash", NO_ANSWER },
	{ "asked", "key", NO_ANSWER },
	{ "asked_coverage", "hour_us", NO_ANSWER },
};

enum { STAGE_COUNT = sizeof stages / sizeof *stages };

/* The triggers of finding take it out of the sums; the sums are to stay. */
static const char *const sql_forget_finding[] = {
	("INSERT INTO finding_hour SELECT server_id, public_address, first_us / 3600000000 * 3600000000, kind, misdirected, exposure, 1, attempts FROM finding"
	" WHERE id = ?1 ON CONFLICT DO UPDATE SET findings = findings + 1, attempts = attempts + excluded.attempts"),
	"DELETE FROM finding_attempt WHERE finding_rowid = ?1", "DELETE FROM finding_reason WHERE finding_rowid = ?1",
	"DELETE FROM finding_alias WHERE finding_rowid = ?1", "DELETE FROM finding WHERE id = ?1",
};

void forget_init(struct forget *f, const char *store)
{
	*f = (struct forget){ .store = store, .rows = ROWS_FIRST };
}

static bool attach(sqlite3 *db, const char *store, enum db_file file, const char *name)
{
	char path[4096];

	db_path(store, file, 0, path, sizeof path);
	if (access(path, R_OK))
		return false;
	char *sql = sqlite3_mprintf("ATTACH %Q AS %s", path, name);
	bool attached = db_exec(db, sql, NULL, 0) == 0;
	sqlite3_free(sql);
	return attached;
}

static bool find_request(struct forget *f, sqlite3 *db)
{
	sqlite3_stmt *s;
	bool found = false;

	if (sqlite3_prepare_v2(db, "SELECT p.id, p.evidence_before_us FROM notes.prune p, notes.meta n, main.meta v WHERE n.store_id = v.store_id"
			       " AND p.id NOT IN (SELECT request FROM main.pruned) AND p.id = (SELECT max(id) FROM notes.prune)", -1, &s, NULL) == SQLITE_OK) {
		found = sqlite3_step(s) == SQLITE_ROW;
		if (found && f->request != sqlite3_column_int64(s, 0)) {
			f->request = sqlite3_column_int64(s, 0);
			f->evidence_before_us = sqlite3_column_int64(s, 1);
			f->stage = 0;
			f->place = INT64_MIN;
		}
		sqlite3_finalize(s);
	}
	if (!found)
		f->request = 0;
	return found;
}

/* The sensor has taken the facts out. */
static bool facts_are_gone(const struct forget *f, sqlite3 *db)
{
	char sql[80];

	snprintf(sql, sizeof sql, "SELECT 1 FROM facts.pruned WHERE request = %lld", (long long)f->request);
	return db_int(db, sql, 0);
}

static int run1(sqlite3 *db, const char *sql, int64_t v)
{
	sqlite3_stmt *s = db_prepare(db, sql);

	sqlite3_bind_int64(s, 1, v);
	int rc = sqlite3_step(s);
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* 1: more, 0: no more, -1: failed */
static int forget_findings(struct forget *f, sqlite3 *db)
{
	for (unsigned i = 0; i < f->rows; i++) {
		char sql[96];

		snprintf(sql, sizeof sql, "SELECT id FROM finding WHERE last_us < %lld LIMIT 1", (long long)f->evidence_before_us);
		int64_t id = db_int(db, sql, -1);
		if (id < 0)
			return 0;
		for (size_t k = 0; k < sizeof sql_forget_finding / sizeof *sql_forget_finding; k++)
			if (run1(db, sql_forget_finding[k], id))
				return -1;
	}
	return 1;
}

static int forget_rows(struct forget *f, sqlite3 *db)
{
	const struct stage *x = &stages[f->stage];
	char *until = sqlite3_mprintf("SELECT %s FROM %s WHERE %s > %lld ORDER BY %s LIMIT 1 OFFSET %u", x->key, x->table, x->key, (long long)f->place, x->key, f->rows);
	int64_t end = db_int(db, until, INT64_MAX);
	char *sql = sqlite3_mprintf("DELETE FROM %s AS x WHERE %s > %lld AND %s <= %lld AND %s", x->table, x->key, (long long)f->place, x->key, (long long)end, x->gone);
	int rc = db_exec(db, sql, NULL, 0);

	sqlite3_free(until);
	sqlite3_free(sql);
	f->place = end;
	return rc ? -1 : end < INT64_MAX;
}

static int go_on(struct forget *f, sqlite3 *db)
{
	int more = f->stage == 0 ? forget_findings(f, db) : forget_rows(f, db);

	if (more)
		return more < 0 ? -1 : 0;
	f->place = INT64_MIN;
	if (++f->stage < STAGE_COUNT)
		return 0;
	char *done = sqlite3_mprintf("INSERT INTO pruned VALUES (%lld, %lld)", (long long)f->request, (long long)time_now_us());
	int rc = db_exec(db, done, NULL, 0);
	sqlite3_free(done);
	return rc;
}

static void learn_pace(struct forget *f, int64_t took_us)
{
	if (took_us > FORGET_SLICE_MS * 500 && f->rows > ROWS_MIN)
		f->rows /= 2;
	else if (took_us < FORGET_SLICE_MS * 250 && f->rows < ROWS_MAX)
		f->rows *= 2;
}

static void run_slice(struct forget *f, sqlite3 *db)
{
	struct forget before = *f;
	int64_t begun_us = time_monotone_us();

	/* IMMEDIATE would lock the other files, too. */
	if (db_exec(db, "BEGIN", NULL, 0))
		return;
	if (go_on(f, db) || db_exec(db, "COMMIT", NULL, 0)) {
		db_exec(db, "ROLLBACK", NULL, 0);
		*f = before;
		return;
	}
	learn_pace(f, time_monotone_us() - begun_us);
}

bool forget_slice(struct forget *f, sqlite3 *verdicts)
{
	bool waits = false;

	if (!attach(verdicts, f->store, DB_NOTES, "notes"))
		return false;
	if (attach(verdicts, f->store, DB_FACTS, "facts")) {
		if (find_request(f, verdicts)) {
			waits = f->stage > 0 && !facts_are_gone(f, verdicts);
			if (!waits)
				run_slice(f, verdicts);
		}
		db_exec(verdicts, "DETACH facts", NULL, 0);
	}
	db_exec(verdicts, "DETACH notes", NULL, 0);
	if (f->stage == STAGE_COUNT)
		f->request = 0;
	return f->request && !waits;
}
