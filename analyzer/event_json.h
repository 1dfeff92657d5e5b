/* event_json.h - one row of a store as one JSON object of the event stream (schema/events.schema.json). */
#ifndef ANALYZER_EVENT_JSON_H
#define ANALYZER_EVENT_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "common/buf.h"

enum event_type { EVENT_SESSION, EVENT_TRANSACTION, EVENT_FINDING, EVENT_RISK, EVENT_REFUSAL, EVENT_CAPTURE, EVENT_TYPE_COUNT };

const char *event_type_name(enum event_type t);

/* Which row: rowid of sessions, transactions, finding, risk, refusal. A capture row is run_id, its start, and n counts its interfaces. */
struct event_row {
	enum event_type type;
	int64_t rowid, start_us, n;
};

struct event_json;

/* db: from db_open_read; present: its bits. Without verdicts.db only sessions, transactions and captures can be printed. */
struct event_json *event_json_new(sqlite3 *db, unsigned present);
void event_json_free(struct event_json *e);

/* Appends the object and a line break; false when the row is gone. */
bool event_json_print(struct event_json *e, const struct event_row *row, struct buf *out);

#endif
