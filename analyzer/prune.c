/*
 * prune.c - "bouncetap prune": asks the owners of facts.db and verdicts.db to let go of what is old (schema/past.sql), and saves what has to be
 * known of it afterwards.
 *
 * What stays of older mail: the evidence of findings (attempts, cause, root cause, and where no cause could be told all that could have been one), and
 * answering mail that is so young that a later mail may turn out to be the same.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sysexits.h>

#include "analyzer/notes.h"
#include "analyzer/past.h"
#include "analyzer/sighting.h"
#include "common/paragraph.h"
#include "common/timefmt.h"

#define HOUR_US INT64_C(3600000000)
#define DAY_US (24 * HOUR_US)
/* Answers come up to five days after their cause: with less than this, causes would be gone before. */
#define KEEP_LEAST_US (7 * DAY_US)

struct plan {
	struct command_context *c;
	sqlite3 *db;		/* notes.db, with the others attached */
	int64_t now_us, before_us, evidence_before_us, counters_before_us;
	int64_t session_rowid, transaction_rowid;
	int64_t going, staying;	/* transactions */
	bool for_room;		/* free disk is short, so it is more than the days say */
};

/*
 * Beside the files first, so that nobody waits for one of these, and none reads for long. ?1 before, ?2 before of evidence, ?3 the last row that was
 * judged, ?4 the window of correlation.
 */
static const char *const sql_keep[] = {
	"CREATE TEMP TABLE kept (what TEXT NOT NULL, fact_rowid INTEGER NOT NULL, PRIMARY KEY (what, fact_rowid)) WITHOUT ROWID",
	"INSERT OR IGNORE INTO kept SELECT 't', a.transaction_rowid FROM verdicts.finding f JOIN verdicts.finding_attempt a ON a.finding_rowid = f.id"
	" WHERE f.last_us >= ?2 AND a.transaction_rowid <= ?3",
	"INSERT OR IGNORE INTO kept SELECT 't', cause_rowid FROM verdicts.finding WHERE last_us >= ?2 AND cause_rowid IS NOT NULL",
	"INSERT OR IGNORE INTO kept SELECT 't', root_rowid FROM verdicts.finding WHERE last_us >= ?2 AND root_rowid IS NOT NULL",
	"INSERT OR IGNORE INTO kept SELECT 't', d.evidence_rowid FROM verdicts.finding_defect d JOIN verdicts.finding f ON f.id = d.finding_rowid"
	" WHERE f.last_us >= ?2",
	"INSERT OR IGNORE INTO kept SELECT 't', t.id FROM verdicts.finding f JOIN facts.transactions t ON t.mail_from_id = f.recipient_id AND"
	" t.null_sender = 0 AND t.started_us BETWEEN f.first_us - ?4 AND f.last_us WHERE f.last_us >= ?2 AND f.cause_rowid IS NULL",
	"INSERT OR IGNORE INTO kept SELECT 't', t.id FROM facts.transactions t JOIN verdicts.transaction_verdict v ON v.transaction_rowid = t.id"
	" WHERE t.ended_us >= ?1 - ?4 AND t.ended_us < ?1 AND v.kind NOT IN ('ordinary', 'call-ahead', 'feedback-report')",
	"INSERT OR IGNORE INTO kept SELECT 's', s.id FROM kept k JOIN facts.transactions t ON t.id = k.fact_rowid JOIN facts.sessions s"
	" ON s.started_us / 1000000 = t.session_started_us / 1000000 AND s.session_id = t.session_id WHERE k.what = 't'",
};

static int failed(struct plan *p)
{
	return command_fail(EX_IOERR, "%s: %s", p->c->store, sqlite3_errmsg(p->db));
}

static int64_t ask(struct plan *p, const char *sql, int64_t none)
{
	return db_int(p->db, sql, none);
}

static int attach(struct plan *p)
{
	static const enum db_file files[] = { DB_FACTS, DB_VERDICTS };
	static const char *const names[] = { "facts", "verdicts" };
	struct reader *r;
	int code = command_open_reader(p->c, &r);	/* says it when one is missing, or of another store */

	if (code != EX_OK)
		return code;
	p->now_us = command_now(p->c, r);
	reader_close(r);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char path[4096];

		db_path(p->c->store, files[i], 0, path, sizeof path);
		char *sql = sqlite3_mprintf("ATTACH %Q AS %s", path, names[i]);
		int rc = db_exec(p->db, sql, NULL, 0);
		sqlite3_free(sql);
		if (rc)
			return failed(p);
	}
	return EX_OK;
}

/* ---- what goes ---- */

static int64_t whole_hour(int64_t us)
{
	return us / HOUR_US * HOUR_US;
}

/* When less is free than wanted, so much of the oldest mail goes as makes up for it; pages that are free in facts.db are free. */
static void make_room(struct plan *p)
{
	int64_t pages = ask(p, "PRAGMA facts.page_count", 0), unused = ask(p, "PRAGMA facts.freelist_count", 0), page = ask(p, "PRAGMA facts.page_size", 4096);
	struct statvfs fs;

	if (!p->c->config->store.keep_free_bytes || statvfs(p->c->store, &fs) || pages <= unused)
		return;
	double missing = (double)p->c->config->store.keep_free_bytes - (double)fs.f_bavail * (double)fs.f_frsize - (double)unused * (double)page;
	double share = missing / ((double)(pages - unused) * (double)page);
	if (share <= 0)
		return;
	int64_t first = ask(p, "SELECT min(id) FROM facts.transactions", 0), last = ask(p, "SELECT max(id) FROM facts.transactions", 0);
	char sql[120];
	snprintf(sql, sizeof sql, "SELECT ended_us FROM facts.transactions WHERE id >= %" PRId64 " ORDER BY id LIMIT 1",
		 first + (int64_t)((double)(last - first) * (share < 1 ? share : 1)));
	int64_t before = whole_hour(ask(p, sql, INT64_MIN / 2));
	int64_t latest = whole_hour(p->now_us - KEEP_LEAST_US);
	before = before < latest ? before : latest;
	if (before > p->before_us) {
		p->before_us = before;
		p->for_room = true;
	}
}

static int make_plan(struct plan *p)
{
	const struct config *c = p->c->config;

	if (c->store.keep_us < KEEP_LEAST_US || c->store.keep_evidence_us < c->store.keep_us)
		return command_fail(EX_CONFIG, "[store] keep: at least 7d, since answers come days after their cause; keep-evidence: not less than keep");
	p->before_us = whole_hour(p->now_us - c->store.keep_us);
	p->evidence_before_us = whole_hour(p->now_us - c->store.keep_evidence_us);
	p->counters_before_us = whole_hour(p->now_us - c->store.keep_counters_us);
	make_room(p);
	/* What has gone before is closed for good. */
	int64_t former = ask(p, "SELECT max(before_us) FROM prune", INT64_MIN);
	p->before_us = former > p->before_us ? former : p->before_us;
	p->session_rowid = ask(p, "SELECT session_rowid FROM facts.batch WHERE seq <= (SELECT analyzed_seq FROM verdicts.meta) ORDER BY seq DESC LIMIT 1", 0);
	p->transaction_rowid = ask(p, "SELECT transaction_rowid FROM facts.batch WHERE seq <= (SELECT analyzed_seq FROM verdicts.meta) ORDER BY seq DESC LIMIT 1", 0);
	if (ask(p, "SELECT count(*) FROM verdicts.pending", 0))
		return command_fail(EX_TEMPFAIL, "%s: an analysis is at work; try again when it is done", p->c->store);
	return EX_OK;
}

/* ---- asking ---- */

static int run(struct plan *p, const char *sql)
{
	const int64_t values[] = { p->before_us, p->evidence_before_us, p->transaction_rowid, SIGHTING_WINDOW_US };
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(p->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	for (int i = 0; i < sqlite3_bind_parameter_count(s); i++)
		sqlite3_bind_int64(s, i + 1, values[i]);
	int rc = sqlite3_step(s);
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? 0 : -1;
}

static void count(struct plan *p)
{
	char sql[220];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM facts.transactions WHERE ended_us < %" PRId64 " AND id <= %" PRId64, p->before_us, p->transaction_rowid);
	p->going = ask(p, sql, 0);
	snprintf(sql, sizeof sql, "SELECT count(*) FROM kept k JOIN facts.transactions t ON t.id = k.fact_rowid WHERE k.what = 't' AND t.ended_us < %" PRId64
		 " AND t.id <= %" PRId64, p->before_us, p->transaction_rowid);
	p->staying = ask(p, sql, 0);
	p->going -= p->staying;
}

static int put_request(struct plan *p)
{
	char *sql = sqlite3_mprintf("DELETE FROM prune_keep; INSERT INTO prune_keep SELECT what, fact_rowid FROM kept;"
				    "INSERT INTO prune (asked_us, before_us, evidence_before_us, counters_before_us, session_rowid, transaction_rowid)"
				    " VALUES (%lld, %lld, %lld, %lld, %lld, %lld)", (long long)time_now_us(), (long long)p->before_us, (long long)p->evidence_before_us,
				    (long long)p->counters_before_us, (long long)p->session_rowid, (long long)p->transaction_rowid);
	int rc = db_exec(p->db, sql, NULL, 0);

	sqlite3_free(sql);
	return rc;
}

static int request(struct plan *p)
{
	for (size_t i = 0; i < sizeof sql_keep / sizeof *sql_keep; i++)
		if (run(p, sql_keep[i]))
			return failed(p);
	count(p);
	if (p->c->dry_run)
		return EX_OK;
	if (db_exec(p->db, "BEGIN", NULL, 0) || past_save(p->db, p->before_us, p->evidence_before_us) || put_request(p) || db_exec(p->db, "COMMIT", NULL, 0))
		return failed(p);
	return EX_OK;
}

static int say(struct plan *p)
{
	struct buf out = { 0 }, line = { 0 };
	char before[TIME_TEXT_MAX], evidence[TIME_TEXT_MAX];

	buf_printf(&line, "%s%" PRId64 " transaction%s from before %s%s. %" PRId64 " of that time stay as evidence of findings since %s.",
		   p->c->dry_run ? "Would go: " : "To go: ", p->going, p->going == 1 ? "" : "s", time_format_local(p->before_us, before),
		   p->for_room ? ", since free disk is short" : "", p->staying, time_format_local(p->evidence_before_us, evidence));
	paragraph(&out, 0, buf_cstr(&line));
	if (!p->c->dry_run)
		buf_add_str(&out, "bouncetapd takes them out while it runs, or at its next start; analyze follows.\n");
	int code = command_print(&out);
	buf_fini(&line);
	buf_fini(&out);
	return code;
}

static int run_prune(struct command_context *c)
{
	struct plan p = { .c = c };
	int code = notes_open(c, &p.db);

	if (code != EX_OK)
		return code;
	code = attach(&p);
	if (code == EX_OK)
		code = make_plan(&p);
	if (code == EX_OK)
		code = request(&p);
	if (code == EX_OK)
		code = say(&p);
	sqlite3_close(p.db);
	return code;
}

static int set_keep(struct command_context *c, const char *text)
{
	return command_configure(c, "store", "keep", "keep", text);
}

static const struct command_option options[] = {
	{ "keep", "TIME", "so much mail stays, as 30d; in place of [store] keep", .set = set_keep },
	{ "dry-run", NULL, "only say what would go", COMMAND_MEMBER(dry_run) },
	{ 0 }
};

const struct command command_prune = { "prune", "", "let old mail go from a store, but for evidence", run_prune, options };
