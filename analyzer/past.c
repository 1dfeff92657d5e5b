/* past.c - see past.h */
#include "analyzer/past.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "schema/db.h"

static const char sql_restore[] =
	"INSERT INTO server SELECT id, name, address, public_address, sends_only, software, software_us FROM notes.past_server;"
	"INSERT INTO server_address SELECT server_id, address, public_address, sends FROM notes.past_server_address;"
	"INSERT INTO server_name SELECT server_id, name FROM notes.past_server_name;"
	"INSERT INTO own_coverage SELECT server_id, direction, hour_us, sessions, encrypted, one_sided, incomplete FROM notes.past_coverage;"
	"INSERT INTO own_mail_hour SELECT server_id, hour_us, direction, transactions, accepted, rejected, answering FROM notes.past_mail_hour;"
	"INSERT INTO finding_hour SELECT server_id, public_address, hour_us, kind, misdirected, exposure, findings, attempts FROM notes.past_finding_hour;"
	"INSERT INTO origin_sender SELECT origin_ip, domain FROM notes.past_origin_sender;";

/* ?1 before, ?2 before of evidence. Sums of findings that stay are made again from them. */
static const char *const sql_save[] = {
	"DELETE FROM past_server",
	"INSERT INTO past_server SELECT id, name, address, public_address, sends_only, software, software_us FROM verdicts.server",
	"DELETE FROM past_server_address",
	"INSERT INTO past_server_address SELECT server_id, address, public_address, sends FROM verdicts.server_address",
	"DELETE FROM past_server_name",
	"INSERT INTO past_server_name SELECT server_id, name FROM verdicts.server_name",
	"DELETE FROM past_coverage",
	"INSERT INTO past_coverage SELECT server_id, direction, hour_us, sessions, encrypted, one_sided, incomplete FROM verdicts.own_coverage WHERE hour_us < ?1",
	"DELETE FROM past_mail_hour",
	"INSERT INTO past_mail_hour SELECT server_id, hour_us, direction, transactions, accepted, rejected, answering FROM verdicts.own_mail_hour WHERE hour_us < ?1",
	"DELETE FROM past_finding_hour",
	"INSERT INTO past_finding_hour SELECT h.server_id, h.public_address, h.hour_us, h.kind, h.misdirected, h.exposure, h.findings - coalesce(k.n, 0),"
	" h.attempts - coalesce(k.a, 0) FROM verdicts.finding_hour h LEFT JOIN (SELECT server_id, public_address, first_us / 3600000000 * 3600000000 AS hour_us,"
	" kind, misdirected, exposure, count(*) AS n, sum(attempts) AS a FROM verdicts.finding WHERE last_us >= ?2 GROUP BY 1, 2, 3, 4, 5, 6) k"
	" ON k.server_id = h.server_id AND k.public_address = h.public_address AND k.hour_us = h.hour_us AND k.kind = h.kind AND k.misdirected = h.misdirected"
	" AND k.exposure = h.exposure WHERE h.findings > coalesce(k.n, 0)",
	"DELETE FROM past_origin_sender",
	"INSERT INTO past_origin_sender SELECT origin_ip, domain FROM verdicts.origin_sender",
};

static bool notes_path(const char *store, char *path, size_t size)
{
	db_path(store, DB_NOTES, 0, path, size);
	return access(path, R_OK) == 0;
}

int past_attach(sqlite3 *verdicts, const char *store, const char *store_id)
{
	char path[4096];

	if (!notes_path(store, path, sizeof path))
		return 0;
	char *sql = sqlite3_mprintf("ATTACH %Q AS notes", path), *same = sqlite3_mprintf("SELECT 1 FROM notes.meta, notes.prune WHERE store_id = %Q LIMIT 1", store_id);
	int rc = db_exec(verdicts, sql, NULL, 0);
	/* Of another store, or without a prune: nothing to put back. */
	if (rc == 0 && !db_int(verdicts, same, 0))
		past_detach(verdicts);
	sqlite3_free(same);
	sqlite3_free(sql);
	return rc;
}

void past_detach(sqlite3 *verdicts)
{
	if (sqlite3_db_filename(verdicts, "notes"))
		db_exec(verdicts, "DETACH notes", NULL, 0);
}

/* What is no longer ours is no server of ours. */
static void remove_strangers(sqlite3 *verdicts, const struct own *own)
{
	sqlite3_stmt *s = db_prepare(verdicts, "SELECT id, address FROM server"), *d = db_prepare(verdicts, "DELETE FROM server WHERE id = ?1");

	while (sqlite3_step(s) == SQLITE_ROW) {
		struct text t = column_text(s, 1);
		struct ip_addr a;

		if (ip_parse(t.p, t.len, &a) == 0 && own_has(own, &a))
			continue;
		sqlite3_bind_int64(d, 1, sqlite3_column_int64(s, 0));
		sqlite3_step(d);
		sqlite3_reset(d);
	}
	sqlite3_finalize(s);
	sqlite3_finalize(d);
}

int past_restore(sqlite3 *verdicts, const struct own *own)
{
	if (!sqlite3_db_filename(verdicts, "notes"))
		return 0;
	if (db_exec(verdicts, sql_restore, NULL, 0))
		return -1;
	remove_strangers(verdicts, own);
	return 0;
}

int64_t past_before(const char *store, const char *store_id)
{
	char path[4096];
	sqlite3 *notes = NULL;
	int64_t before = INT64_MIN;

	if (notes_path(store, path, sizeof path) && sqlite3_open_v2(path, &notes, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK) {
		char *sql = sqlite3_mprintf("SELECT max(before_us) FROM prune, meta WHERE store_id = %Q", store_id);

		before = db_int(notes, sql, INT64_MIN);
		sqlite3_free(sql);
	}
	sqlite3_close(notes);
	return before;
}

int past_save(sqlite3 *notes, int64_t before_us, int64_t evidence_before_us)
{
	for (size_t i = 0; i < sizeof sql_save / sizeof *sql_save; i++) {
		sqlite3_stmt *s;
		bool done = sqlite3_prepare_v2(notes, sql_save[i], -1, &s, NULL) == SQLITE_OK;

		if (done) {
			sqlite3_bind_int64(s, 1, before_us);
			sqlite3_bind_int64(s, 2, evidence_before_us);
			done = sqlite3_step(s) == SQLITE_DONE;
			sqlite3_finalize(s);
		}
		if (!done)
			return -1;
	}
	return 0;
}
