/*
 * insert.h - encoded rows (row.h) -> tables of facts.db, inside the SQL transaction that the caller has open. Gives out row ids, so that they ascend
 * with the commits. Ids that are there already: rows stay as they are, but for what an earlier capture cut off at its end.
 */
#ifndef SENSOR_INSERT_H
#define SENSOR_INSERT_H

#include <stdint.h>
#include <sqlite3.h>

#include "common/buf.h"
#include "sensor/row.h"

enum { INSERT_STATEMENTS = 6, INSERT_CHILDREN = 5 };

struct insert {
	sqlite3 *db;
	int64_t run_id, source_id;	/* of what is inserted; source_id 0: none. The caller's */
	int64_t first_s, last_s;	/* when the first and the last session began that was there before this run */
	int64_t last_session, last_transaction;	/* row ids given out */
	sqlite3_stmt *row[ROW_STATEMENTS], *stmt[INSERT_STATEMENTS], *drop_child[INSERT_CHILDREN];
};

/* Prepares statements, learns the ids in use; same_run: first_s and last_s are kept. 0, or -1 and sqlite3_errmsg(db). */
int insert_open(struct insert *i, sqlite3 *db, bool same_run);
/* Finalizes the statements, if there are any. */
void insert_close(struct insert *i);

/* Writes all rows. 0, or -1 and sqlite3_errmsg(db); the caller rolls back. */
int insert_rows(struct insert *i, const struct buf *rows, int64_t batch_seq);

#endif
