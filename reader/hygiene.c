/* hygiene.c - see hygiene.h */
#include "reader/hygiene.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "schema/db.h"

enum { ARENA_MAX = 4 << 20 };

static const char sql_hygiene[] =
	"SELECT h.server_id, s.name, h.what, h.cases, h.of, h.first_us, h.last_us, CASE WHEN h.what IN ('auth-clear', 'no-starttls')"
	" THEN (SELECT lower(hex(x.session_id)) FROM sessions x WHERE x.id = h.evidence_rowid)"
	" ELSE (SELECT lower(hex(t.session_id)) || '.' || t.ordinal FROM transactions t WHERE t.id = h.evidence_rowid) END"
	" FROM verdicts.hygiene h JOIN verdicts.server s ON s.id = h.server_id WHERE ?1 = 0 OR h.server_id = ?1 ORDER BY s.name, h.what";

static const struct { const char *what, *words; } sentences[] = {
	{ "accepts-unknown", "took mail for unknown users and bounced it" },
	{ "auth-clear", "let users log in without TLS" },
	{ "autoreply-repeated", "sent an autoreply to the same address more than once a day" },
	{ "autoreply-to-list", "answered list or bulk mail automatically" },
	{ "autoreply-to-null", "answered bounces automatically" },
	{ "autoreply-unmarked", "sent autoreplies without Auto-Submitted" },
	{ "no-starttls", "did not offer STARTTLS" },
	{ "open-relay", "passed on mail of outsiders to outsiders without a login: an open relay, unless they are meant to (trusted-senders)" },
	{ "pushed-bounce", "refused what an upstream had taken, which then had to bounce it" },
};

const char *hygiene_words(const char *what)
{
	for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
		if (strcmp(what, sentences[i].what) == 0)
			return sentences[i].words;
	return what;
}

int hygiene_list_read(struct reader *r, int64_t server_id, struct hygiene_list *out)
{
	struct arena *a = &out->arena;
	size_t cap = 0;

	*out = (struct hygiene_list){ 0 };
	arena_init(a, ARENA_MAX);
	reader_begin(r);
	sqlite3_stmt *s = reader_is_judged(r) ? reader_select(r, sql_hygiene, "i", server_id) : NULL;
	while (reader_step(r, s)) {
		if (out->count == cap)
			out->row = xreallocarray(out->row, cap = cap ? cap * 2 : 16, sizeof *out->row);
		out->row[out->count++] = (struct hygiene_row){ .server_id = sqlite3_column_int64(s, 0), .server = reader_word(a, s, 1), .what = reader_word(a, s, 2),
			.cases = (uint64_t)sqlite3_column_int64(s, 3), .of = (uint64_t)sqlite3_column_int64(s, 4), .first_us = sqlite3_column_int64(s, 5),
			.last_us = sqlite3_column_int64(s, 6), .evidence = reader_word(a, s, 7) };
	}
	sqlite3_finalize(s);
	return reader_end(r);
}

void hygiene_list_fini(struct hygiene_list *l)
{
	free(l->row);
	arena_fini(&l->arena);
	*l = (struct hygiene_list){ 0 };
}
