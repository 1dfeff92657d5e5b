/* covered.c - see covered.h */
#include "analyzer/covered.h"

#include <stdlib.h>

#include "analyzer/rollup.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum statement { SUMS, NOTE, HOURS, TOLD, TELL, STATEMENT_COUNT };

static const char *const sql[STATEMENT_COUNT] = {
	[SUMS] = ("SELECT count(*), sum(sessions), sum(encrypted + incomplete) FROM own_coverage WHERE server_id = ?1 AND direction = 'inbound'"
		  " AND hour_us > ?2 - ?3 AND hour_us <= ?2"),
	[NOTE] = "INSERT OR REPLACE INTO asked_coverage VALUES (?1, ?2, ?3, ?4, ?5)",
	[HOURS] = "SELECT DISTINCT hour_us, server_id FROM asked_coverage WHERE hour_us >= ?1",
	[TOLD] = "SELECT recipient_id, finding_rowid FROM asked_coverage WHERE hour_us = ?1 AND server_id = ?2 AND covered <> ?3",
	[TELL] = "UPDATE asked_coverage SET covered = ?3 WHERE hour_us = ?1 AND server_id = ?2 AND covered <> ?3",
};

struct covered {
	sqlite3_stmt *q[STATEMENT_COUNT];
	int64_t closed_before_us;
};

struct covered *covered_new(sqlite3 *verdicts, int64_t closed_before_us)
{
	struct covered *c = xcalloc(1, sizeof *c);

	c->closed_before_us = closed_before_us;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		c->q[i] = db_prepare(verdicts, sql[i]);
	return c;
}

void covered_free(struct covered *c)
{
	if (!c)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(c->q[i]);
	free(c);
}

static sqlite3_stmt *query(struct covered *c, enum statement which, int64_t x, int64_t y, int64_t z)
{
	sqlite3_stmt *s = c->q[which];
	const int64_t v[] = { x, y, z };

	sqlite3_reset(s);
	for (int i = 0; i < 3 && i < sqlite3_bind_parameter_count(s); i++)
		sqlite3_bind_int64(s, i + 1, v[i]);
	return s;
}

static bool is_covered(struct covered *c, int64_t server_id, int64_t hour_us)
{
	sqlite3_stmt *s = query(c, SUMS, server_id, hour_us, COVERED_HOURS * ROLLUP_HOUR_US);
	bool covered = false;

	if (hour_us - (COVERED_HOURS - 1) * ROLLUP_HOUR_US >= c->closed_before_us && sqlite3_step(s) == SQLITE_ROW)
		covered = sqlite3_column_int64(s, 0) * 100 >= COVERED_HOURS * COVERED_HOURS_PERCENT
			&& sqlite3_column_int64(s, 2) * 100 <= sqlite3_column_int64(s, 1) * COVERED_HIDDEN_PERCENT;
	sqlite3_reset(s);
	return covered;
}

bool covered_inbound(struct covered *c, int64_t server_id, int64_t at_us, int64_t recipient_id, int64_t finding_rowid)
{
	int64_t hour_us = at_us / ROLLUP_HOUR_US * ROLLUP_HOUR_US;
	bool covered = is_covered(c, server_id, hour_us);
	sqlite3_stmt *s = query(c, NOTE, hour_us, server_id, recipient_id);

	sqlite3_bind_int64(s, 4, finding_rowid);
	sqlite3_bind_int(s, 5, covered);
	sqlite3_step(s);
	sqlite3_reset(s);
	return covered;
}

/* A session that is replaced may have begun in the hour before. */
void covered_review(struct covered *c, int64_t since_us, struct marks *marks)
{
	sqlite3_stmt *hours = query(c, HOURS, since_us - ROLLUP_HOUR_US, 0, 0);

	while (sqlite3_step(hours) == SQLITE_ROW) {
		int64_t hour_us = sqlite3_column_int64(hours, 0), server_id = sqlite3_column_int64(hours, 1);
		bool covered = is_covered(c, server_id, hour_us);
		sqlite3_stmt *told = query(c, TOLD, hour_us, server_id, covered);

		while (sqlite3_step(told) == SQLITE_ROW)
			marks_finding(marks, sqlite3_column_int64(told, 0), sqlite3_column_int64(told, 1));
		sqlite3_reset(told);
		sqlite3_step(query(c, TELL, hour_us, server_id, covered));
		sqlite3_reset(c->q[TELL]);
	}
	sqlite3_reset(hours);
}
