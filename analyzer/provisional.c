/* provisional.c - see provisional.h. Nearly all sessions have ended when their mails are taken: two sets of keys in memory spare most look-ups. */
#include "analyzer/provisional.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/finding.h"
#include "analyzer/idset.h"
#include "common/xmalloc.h"
#include "schema/db.h"

/*
 * Sessions, at most one at each place. Those of one moment lie beside each other, and a second has room for 15,000: mails stand near their sessions in
 * time, so what is looked up is in the processor's cache.
 */
enum { LATELY_BITS = 17, MOMENT_BITS = 14 /* of microseconds */, AT_ONCE_BITS = 8 };

enum statement {
	/* of facts.db */
	ENDED, SESSION, TRANSACTION, RECIPIENTS, FACTS_COUNT,
	/* of verdicts.db */
	NOTE = FACTS_COUNT, ROWS_OF, SETTLED, COVERAGE, NO_COVERAGE, MAIL, NO_MAIL, DEFECT, NO_DEFECT, NO_SESSION_VERDICT, NO_VERDICT, PENDING,
	NO_ANSWER, NO_AUTHOR, NO_BARE, NO_REFUSAL, RELAYED, NO_RELAY, STATEMENT_COUNT
};

static const char *const sql[STATEMENT_COUNT] = {
	[ENDED] = "SELECT end_reason <> 'capture-end' FROM sessions WHERE started_us / 1000000 = ?1 / 1000000 AND session_id = ?2",
	[SESSION] = "SELECT 1 FROM sessions WHERE id = ?1",
	[TRANSACTION] = "SELECT 1 FROM transactions WHERE id = ?1",
	[RECIPIENTS] = "SELECT address_id FROM recipients WHERE transaction_rowid = ?1",
	[NOTE] = "INSERT INTO provisional VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[ROWS_OF] = "SELECT rowid, coalesce(transaction_rowid, session_rowid), what, server_id, direction, at_us, a, b, c, d FROM provisional"
		" WHERE session_key = ?1 AND ordinal BETWEEN ?2 AND ?3 ORDER BY rowid",
	[SETTLED] = "DELETE FROM provisional WHERE rowid = ?1",
	[COVERAGE] = "UPDATE own_coverage SET sessions = sessions - ?4, encrypted = encrypted - ?5, one_sided = one_sided - ?6, incomplete = incomplete - ?7"
		" WHERE server_id = ?1 AND direction = ?2 AND hour_us = ?3",
	[NO_COVERAGE] = "DELETE FROM own_coverage WHERE server_id = ?1 AND direction = ?2 AND hour_us = ?3 AND sessions = 0",
	[MAIL] = "UPDATE own_mail_hour SET transactions = transactions - ?4, accepted = accepted - ?5, rejected = rejected - ?6, answering = answering - ?7"
		" WHERE server_id = ?1 AND direction = ?2 AND hour_us = ?3",
	[NO_MAIL] = "DELETE FROM own_mail_hour WHERE server_id = ?1 AND direction = ?2 AND hour_us = ?3 AND transactions = 0",
	[DEFECT] = "UPDATE own_hygiene SET of = of - ?4, cases = cases - ?5, first_us = iif(cases > ?5, first_us, NULL), last_us = iif(cases > ?5, last_us, NULL),"
		" evidence_rowid = iif(cases > ?5, evidence_rowid, NULL), evidence_tie = iif(cases > ?5, evidence_tie, NULL) WHERE server_id = ?1 AND what = ?2",
	[NO_DEFECT] = "DELETE FROM own_hygiene WHERE server_id = ?1 AND what = ?2 AND of = 0 AND cases = 0",
	[NO_SESSION_VERDICT] = "DELETE FROM session_verdict WHERE session_rowid = ?1",
	[NO_VERDICT] = "DELETE FROM transaction_verdict WHERE transaction_rowid = ?1",
	[PENDING] = "INSERT OR REPLACE INTO pending SELECT recipient_id, 0, 0 FROM answer WHERE recipient_id = ?1 AND transaction_rowid = ?2 LIMIT 1",
	[NO_ANSWER] = "DELETE FROM answer WHERE recipient_id = ?1 AND transaction_rowid = ?2",
	[NO_AUTHOR] = "DELETE FROM author WHERE address_id IN (?1, ?3, ?4) AND transaction_rowid = ?2",
	[NO_BARE] = "DELETE FROM bare WHERE sender_id IN (?1, ?3) AND transaction_rowid = ?2",
	[NO_REFUSAL] = "DELETE FROM refusal WHERE refusal_id >= ?1 AND refusal_id < ?2",
	[RELAYED] = "SELECT server_id FROM relay WHERE message_id_hash = ?1 AND transaction_rowid = ?2 AND relayed = 1 LIMIT 1",
	[NO_RELAY] = "DELETE FROM relay WHERE message_id_hash = ?1 AND transaction_rowid = ?2",
};

struct provisional {
	sqlite3_stmt *q[STATEMENT_COUNT];
	int64_t closed_before_us;
	struct idset keys;	/* of all that is in the table; some that was, too */
	int64_t ended[1 << LATELY_BITS];	/* keys of sessions that ended and were taken of late */
	/* The row that is being taken; key 0: its session has ended. */
	int64_t key, rowid;
	int ordinal;		/* 0: the session itself */
};

/* What a row of the table says. */
struct added {
	int64_t id, fact_rowid;
	char what[24], direction[12];
	int64_t server_id, at_us, sum[PROVISIONAL_SUMS];
};

struct provisional *provisional_new(sqlite3 *facts, sqlite3 *verdicts, int64_t closed_before_us)
{
	struct provisional *p = xcalloc(1, sizeof *p);
	sqlite3_stmt *s = db_prepare(verdicts, "SELECT DISTINCT session_key FROM provisional");

	p->closed_before_us = closed_before_us;
	while (sqlite3_step(s) == SQLITE_ROW)
		idset_add(&p->keys, sqlite3_column_int64(s, 0));
	sqlite3_finalize(s);
	for (int i = 0; i < STATEMENT_COUNT; i++)
		p->q[i] = db_prepare(i < FACTS_COUNT ? facts : verdicts, sql[i]);
	return p;
}

void provisional_free(struct provisional *p)
{
	if (!p)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(p->q[i]);
	idset_fini(&p->keys);
	free(p);
}

/* ---- statements ---- */

static sqlite3_stmt *query(struct provisional *p, enum statement which, int64_t x, int64_t y)
{
	sqlite3_stmt *s = p->q[which];

	sqlite3_reset(s);
	sqlite3_bind_int64(s, 1, x);
	if (sqlite3_bind_parameter_count(s) > 1)
		sqlite3_bind_int64(s, 2, y);
	return s;
}

static void run(sqlite3_stmt *s)
{
	sqlite3_step(s);
	sqlite3_reset(s);
}

static bool is_true(sqlite3_stmt *s)
{
	bool yes = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0);

	sqlite3_reset(s);
	return yes;
}

/* 0 is no member of a set. */
static int64_t key_of(const uint8_t session_id[16])
{
	int64_t key;

	memcpy(&key, session_id, sizeof key);
	return key ? key : 1;
}

static void copy_word(sqlite3_stmt *s, int column, char *out, size_t size)
{
	const char *word = (const char *)sqlite3_column_text(s, column);

	snprintf(out, size, "%s", word ? word : "");
}

/* What the session added (ordinal 0), or one of its mails, or all of them. The caller frees it. */
static struct added *read_added(struct provisional *p, int64_t key, int first, int last, size_t *count)
{
	sqlite3_stmt *s = query(p, ROWS_OF, key, first);
	struct added *list = NULL;

	sqlite3_bind_int(s, 3, last);
	for (*count = 0; sqlite3_step(s) == SQLITE_ROW; ++*count) {
		list = xreallocarray(list, *count + 1, sizeof *list);
		struct added *a = &list[*count];

		*a = (struct added){ .id = sqlite3_column_int64(s, 0), .fact_rowid = sqlite3_column_int64(s, 1), .server_id = sqlite3_column_int64(s, 3),
				     .at_us = sqlite3_column_int64(s, 5) };
		copy_word(s, 2, a->what, sizeof a->what);
		copy_word(s, 4, a->direction, sizeof a->direction);
		for (int i = 0; i < PROVISIONAL_SUMS; i++)
			a->sum[i] = sqlite3_column_int64(s, 6 + i);
	}
	sqlite3_reset(s);
	return list;
}

/* ---- taking back ---- */

static void take_from(struct provisional *p, enum statement update, enum statement remove, const struct added *a)
{
	bool hourly = update != DEFECT;

	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *s = query(p, i ? remove : update, a->server_id, 0);

		sqlite3_bind_text(s, 2, hourly ? a->direction : a->what, -1, SQLITE_STATIC);
		if (hourly)
			sqlite3_bind_int64(s, 3, a->at_us);
		for (int k = 0; k < PROVISIONAL_SUMS && i == 0; k++)
			sqlite3_bind_int64(s, 4 + k, a->sum[k]);	/* a defect has two */
		run(s);
	}
}

static void take_back(struct provisional *p, const struct added *a)
{
	if (!*a->what || a->at_us < p->closed_before_us)
		return;
	if (strcmp(a->what, "coverage") == 0)
		take_from(p, COVERAGE, NO_COVERAGE, a);
	else if (strcmp(a->what, "mail") == 0)
		take_from(p, MAIL, NO_MAIL, a);
	else
		take_from(p, DEFECT, NO_DEFECT, a);
}

/* What was seen leaving was counted when it left: not among the rows of the mail that was taken. */
static void take_relay_back(struct provisional *p, const struct mail *m, int64_t old)
{
	struct added relayed = { .what = "open-relay", .at_us = m->mail_us, .sum = { 0, 1 } };
	sqlite3_stmt *s = query(p, RELAYED, m->message_id_hash, old);

	bool found = sqlite3_step(s) == SQLITE_ROW;
	relayed.server_id = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	if (found)
		take_back(p, &relayed);
	run(query(p, NO_RELAY, m->message_id_hash, old));
}

/* The longer sighting has the same recipients, and more, and the same sender and authors, if the old one had any. */
static void forget_mail(struct provisional *p, const struct mail *m, int64_t old)
{
	sqlite3_stmt *s = query(p, RECIPIENTS, m->rowid, 0);

	while (sqlite3_step(s) == SQLITE_ROW) {
		run(query(p, PENDING, sqlite3_column_int64(s, 0), old));
		run(query(p, NO_ANSWER, sqlite3_column_int64(s, 0), old));
	}
	sqlite3_reset(s);
	s = query(p, NO_AUTHOR, m->from_id, old);
	sqlite3_bind_int64(s, 3, m->reply_to_id);
	sqlite3_bind_int64(s, 4, m->mail_from_inner_id);
	run(s);
	s = query(p, NO_BARE, m->mail_from_id, old);
	sqlite3_bind_int64(s, 3, m->mail_from_inner_id);
	run(s);
	take_relay_back(p, m, old);
	run(query(p, NO_VERDICT, old, 0));
}

/* What the longer sighting says comes behind this: all refusals of this id are of the old one. */
static void forget_refusals(struct provisional *p, const uint8_t session_id[16], int ordinal)
{
	char id[TRANSACTION_ID_MAX], first[TRANSACTION_ID_MAX + 1], behind[TRANSACTION_ID_MAX + 1];
	sqlite3_stmt *s = p->q[NO_REFUSAL];

	transaction_id_format(session_id, ordinal, id);
	id[32] = ':';	/* "session_id:n:index", refusal.c */
	snprintf(first, sizeof first, "%s:", id);
	snprintf(behind, sizeof behind, "%s;", id);
	sqlite3_bind_text(s, 1, first, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, behind, -1, SQLITE_STATIC);
	run(s);
}

/* Rows of one fact stand together. m: the longer sighting of a mail; NULL: of the session. */
static void replace(struct provisional *p, const uint8_t session_id[16], int ordinal, const struct mail *m)
{
	int64_t key = key_of(session_id);
	size_t count;
	struct added *list = read_added(p, key, ordinal, ordinal, &count);
	int64_t looked_at = 0;
	bool gone = false;

	for (size_t i = 0; i < count; i++) {
		if (list[i].fact_rowid != looked_at) {
			looked_at = list[i].fact_rowid;
			gone = !is_true(query(p, m ? TRANSACTION : SESSION, looked_at, 0));
			if (gone)
				forget_refusals(p, session_id, ordinal);
			if (gone && m)
				forget_mail(p, m, looked_at);
			else if (gone)
				run(query(p, NO_SESSION_VERDICT, looked_at, 0));
		}
		if (gone) {
			take_back(p, &list[i]);
			run(query(p, SETTLED, list[i].id, 0));
		}
	}
	free(list);
}

/* The session has ended: nothing of it will be replaced any more, but what already is gone. */
static void settle(struct provisional *p, int64_t key)
{
	size_t count;
	struct added *list = read_added(p, key, 1, INT32_MAX, &count);

	for (size_t i = 0; i < count; i++)
		if (is_true(query(p, TRANSACTION, list[i].fact_rowid, 0)))
			run(query(p, SETTLED, list[i].id, 0));
	free(list);
}

/* ---- the row that is being taken ---- */

static void begin(struct provisional *p, int64_t key, int ordinal, int64_t rowid)
{
	static const int64_t nothing[PROVISIONAL_SUMS] = { 0 };

	p->key = key;
	p->ordinal = ordinal;
	p->rowid = rowid;
	idset_add(&p->keys, key);
	provisional_note(p, "", 0, "", 0, nothing);	/* also of what adds nothing verdicts are to go */
}

static int64_t *place_of(struct provisional *p, int64_t key, int64_t started_us)
{
	uint64_t moment = (uint64_t)started_us >> MOMENT_BITS, place = moment << AT_ONCE_BITS | ((uint64_t)key & ((1 << AT_ONCE_BITS) - 1));

	return &p->ended[place & ((1 << LATELY_BITS) - 1)];
}

void provisional_session(struct provisional *p, const struct provisional_session *s)
{
	int64_t key = key_of(s->session_id);

	if (idset_has(&p->keys, key)) {
		replace(p, s->session_id, 0, NULL);
		if (!s->cut_off)
			settle(p, key);
	}
	if (s->cut_off)
		begin(p, key, 0, s->rowid);
	else
		*place_of(p, key, s->started_us) = key;
}

static bool has_ended(struct provisional *p, const struct mail *m, int64_t key)
{
	if (*place_of(p, key, m->session_started_us) == key)
		return true;
	sqlite3_stmt *s = query(p, ENDED, m->session_started_us, 0);

	sqlite3_bind_blob(s, 2, m->session_id, sizeof m->session_id, SQLITE_STATIC);
	return is_true(s);
}

void provisional_mail(struct provisional *p, const struct mail *m)
{
	int64_t key = key_of(m->session_id);

	if (idset_has(&p->keys, key))
		replace(p, m->session_id, m->ordinal, m);
	if (!has_ended(p, m, key))
		begin(p, key, m->ordinal, m->rowid);
}

void provisional_end(struct provisional *p)
{
	p->key = 0;
}

void provisional_note(struct provisional *p, const char *what, int64_t server_id, const char *direction, int64_t at_us, const int64_t sum[PROVISIONAL_SUMS])
{
	if (!p->key)
		return;
	sqlite3_stmt *s = query(p, NOTE, p->key, p->ordinal);

	sqlite3_clear_bindings(s);
	sqlite3_bind_int64(s, 1, p->key);
	sqlite3_bind_int(s, 2, p->ordinal);
	sqlite3_bind_int64(s, p->ordinal ? 4 : 3, p->rowid);
	sqlite3_bind_text(s, 5, what, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 6, server_id);
	sqlite3_bind_text(s, 7, direction, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 8, at_us);
	for (int i = 0; i < PROVISIONAL_SUMS; i++)
		sqlite3_bind_int64(s, 9 + i, sum[i]);
	run(s);
}
