/* risk.c - see risk.h */
#include "reader/risk.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "schema/db.h"

enum { ARENA_MAX = 16 << 20, REASONS_MAX = 16, REFUSALS_MAX = 10000 };

static const char sql_risk[] =
	"SELECT r.server_id, s.name, r.address, r.list, r.status, r.mails, r.attempts, r.domains, r.first_us, r.last_us, r.expires_us, r.margin"
	" FROM verdicts.risk r JOIN verdicts.server s ON s.id = r.server_id WHERE ?1 = 0 OR r.server_id = ?1"
	" ORDER BY CASE r.status WHEN 'listed' THEN 0 WHEN 'would-list' THEN 1 WHEN 'watch' THEN 2 WHEN 'listed-instead' THEN 3 WHEN 'not-covered' THEN 4"
	" ELSE 5 END, s.name, r.address, r.list";
static const char sql_reasons[] = "SELECT text FROM verdicts.risk_reason WHERE server_id = ?1 AND address = ?2 AND list = ?3 ORDER BY n";
static const char sql_answer[] = "SELECT state, raw, at_us FROM notes.list_answer WHERE address = ?1 AND list = ?2 ORDER BY at_us DESC LIMIT 1";
static const char sql_refusals[] =
	"SELECT r.rowid, r.refusal_id, s.name, r.address, r.list, r.remote_ip, r.zone, r.reply, r.code, r.at_us FROM verdicts.refusal r"
	" JOIN verdicts.server s ON s.id = r.server_id WHERE r.at_us >= ?1 ORDER BY r.at_us DESC, r.refusal_id LIMIT ?2";

static void read_reasons(struct reader *r, struct arena *a, struct risk_row *row)
{
	sqlite3_stmt *s = reader_select(r, sql_reasons, "itt", row->server_id, row->address, row->list);
	struct text reason[REASONS_MAX];

	while (row->reason_count < REASONS_MAX && reader_step(r, s))
		reason[row->reason_count++] = reader_text(a, s, 0);
	sqlite3_finalize(s);
	row->reason = arena_alloc(a, row->reason_count * sizeof *reason);
	if (row->reason)
		memcpy(row->reason, reason, row->reason_count * sizeof *reason);
	else
		row->reason_count = 0;
}

static void read_answer(struct reader *r, struct arena *a, struct risk_row *row)
{
	sqlite3_stmt *s = reader_has_notes(r) ? reader_select(r, sql_answer, "tt", row->address, row->list) : NULL;

	if (reader_step(r, s)) {
		row->answer_state = reader_word(a, s, 0);
		row->answer_raw = reader_word(a, s, 1);
		row->answer_us = sqlite3_column_int64(s, 2);
	}
	sqlite3_finalize(s);
}

int risk_list_read(struct reader *r, int64_t server_id, struct risk_list *out)
{
	struct arena *a = &out->arena;
	size_t cap = 0;

	*out = (struct risk_list){ 0 };
	arena_init(a, ARENA_MAX);
	reader_begin(r);
	sqlite3_stmt *s = reader_is_judged(r) ? reader_select(r, sql_risk, "i", server_id) : NULL;
	while (reader_step(r, s)) {
		if (out->count == cap)
			out->row = xreallocarray(out->row, cap = cap ? cap * 2 : 16, sizeof *out->row);
		struct risk_row *row = &out->row[out->count++];
		*row = (struct risk_row){ .server_id = sqlite3_column_int64(s, 0), .server = reader_word(a, s, 1), .address = reader_word(a, s, 2),
			.list = reader_word(a, s, 3), .status = reader_word(a, s, 4), .mails = (uint64_t)sqlite3_column_int64(s, 5),
			.attempts = (uint64_t)sqlite3_column_int64(s, 6), .domains = (uint64_t)sqlite3_column_int64(s, 7),
			.first_us = sqlite3_column_int64(s, 8), .last_us = sqlite3_column_int64(s, 9), .expires_us = sqlite3_column_int64(s, 10),
			.margin = sqlite3_column_int64(s, 11), .has_margin = sqlite3_column_type(s, 11) != SQLITE_NULL };
		read_reasons(r, a, row);
		read_answer(r, a, row);
	}
	sqlite3_finalize(s);
	return reader_end(r);
}

void risk_list_fini(struct risk_list *l)
{
	free(l->row);
	arena_fini(&l->arena);
	*l = (struct risk_list){ 0 };
}

int refusal_list_read(struct reader *r, int64_t since_us, size_t limit, struct refusal_list *out)
{
	struct arena *a = &out->arena;

	limit = limit > REFUSALS_MAX ? REFUSALS_MAX : limit;
	*out = (struct refusal_list){ 0 };
	arena_init(a, ARENA_MAX);
	out->row = xcalloc(limit + 1, sizeof *out->row);
	reader_begin(r);
	sqlite3_stmt *s = reader_is_judged(r) ? reader_select(r, sql_refusals, "ii", since_us, (int64_t)limit) : NULL;
	while (reader_step(r, s))
		out->row[out->count++] = (struct refusal_row){ .rowid = sqlite3_column_int64(s, 0), .refusal_id = reader_word(a, s, 1), .server = reader_word(a, s, 2),
			.address = reader_word(a, s, 3), .list = reader_word(a, s, 4), .remote_ip = reader_word(a, s, 5), .zone = reader_text(a, s, 6),
			.reply = reader_text(a, s, 7), .code = sqlite3_column_int(s, 8), .at_us = sqlite3_column_int64(s, 9) };
	sqlite3_finalize(s);
	return reader_end(r);
}

void refusal_list_fini(struct refusal_list *l)
{
	free(l->row);
	arena_fini(&l->arena);
	*l = (struct refusal_list){ 0 };
}
