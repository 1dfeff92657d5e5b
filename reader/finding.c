/* finding.c - see finding.h */
#include "reader/finding.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum { ARENA_MAX = 64 << 20, PREFIX_MIN = 4 };

#define TRANSACTION_ID "lower(hex(t.session_id)) || '.' || t.ordinal"

#define FINDING_COLUMNS "SELECT f.id, f.finding_id, f.server_id, s.name, f.address, f.public_address, f.kind, f.misdirected, f.exposure, f.tier, f.sender," \
	" f.recipient, f.recipient_domain, (SELECT dest_ip FROM transactions t WHERE t.id = f.id / 100), f.attempts, f.first_us, f.last_us, f.revision," \
	" f.settled, o.name, f.originator_how, f.cause_class, f.cause_rowid, f.cause_matched_by, f.cause_delay_ms, f.origin_ip, f.root_rowid, f.root_code," \
	" f.root_enhanced, f.root_reply, (SELECT v.kind_rule FROM verdicts.finding_attempt a JOIN verdicts.transaction_verdict v" \
	" ON v.transaction_rowid = a.transaction_rowid WHERE a.finding_rowid = f.id AND v.kind = f.kind" \
	" ORDER BY v.kind_rule = 'same-mail', a.transaction_rowid LIMIT 1) FROM "
#define FINDING_NAMES " f JOIN verdicts.server s ON s.id = f.server_id LEFT JOIN verdicts.server o ON o.id = f.originator_server_id"

/* A page's effort: ?1 ?2 place, ?3 since, ?4 until. */
#define LOOKED_AT "(SELECT * FROM verdicts.finding WHERE (last_us, id) < (?1, ?2) AND last_us >= ?3 AND last_us < ?4 ORDER BY last_us DESC, id DESC LIMIT ?5)"
/* ?6 server, ?7 kinds as " word word ", ?8 misdirected likewise, ?9 exposure, ?10 domain, ?11 text in lower case */
#define MATCHES " WHERE (?6 = 0 OR f.server_id = ?6) AND (?7 IS NULL OR instr(?7, ' ' || f.kind || ' ')) AND (?8 IS NULL OR instr(?8, ' ' || f.misdirected || ' '))" \
	" AND (?9 IS NULL OR f.exposure = ?9) AND (?10 IS NULL OR f.recipient_domain = ?10 OR substr(f.recipient_domain, -length(?10) - 1) = '.' || ?10)" \
	" AND (?11 IS NULL OR instr(lower(f.recipient), ?11) OR instr(f.finding_id, ?11) OR instr(f.origin_ip, ?11) OR instr(lower(f.root_reply), ?11)" \
	" OR instr(f.cause_class, ?11))"

static const char sql_page[] = FINDING_COLUMNS LOOKED_AT FINDING_NAMES MATCHES " ORDER BY f.last_us DESC, f.id DESC LIMIT ?12";
static const char sql_count[] = "SELECT count(*) FROM (SELECT 1 FROM " LOOKED_AT " f" MATCHES " LIMIT ?12)";
/* The last row of a page's effort; none when it reached the end. */
static const char sql_effort_end[] =
	"SELECT last_us, id FROM verdicts.finding WHERE (last_us, id) < (?1, ?2) AND last_us >= ?3 AND last_us < ?4 ORDER BY last_us DESC, id DESC LIMIT 1 OFFSET ?5";
static const char sql_one[] = FINDING_COLUMNS "verdicts.finding" FINDING_NAMES " WHERE f.id = ?1";
static const char sql_cause[] =
	"SELECT " TRANSACTION_ID ", t.mail_from, m.message_id, coalesce(t.mail_us, t.started_us), t.rcpt_count, (SELECT address FROM recipients r"
	" WHERE r.transaction_rowid = t.id ORDER BY (coalesce(r.code, 250) < 300) DESC, r.n LIMIT 1)"
	" FROM transactions t LEFT JOIN messages m ON m.transaction_rowid = t.id WHERE t.id = ?1";
static const char sql_transaction_id[] = "SELECT " TRANSACTION_ID " FROM transactions t WHERE t.id = ?1";
static const char sql_reasons[] = "SELECT rule, sign, strength, text FROM verdicts.finding_reason WHERE finding_rowid = ?1 ORDER BY n";
static const char sql_ack[] =
	"SELECT why FROM notes.ack WHERE (subject = ?1 OR subject IN (SELECT finding_id FROM verdicts.finding_alias WHERE finding_rowid = ?3))"
	" AND (until_us IS NULL OR until_us > ?2) ORDER BY at_us DESC LIMIT 1";
/* Ids are of hex digits, dots, colons and digits: all below 'g'. */
static const char sql_resolve[] =
	"SELECT id FROM verdicts.finding WHERE finding_id >= ?1 AND finding_id < ?1 || 'g' UNION"
	" SELECT finding_rowid FROM verdicts.finding_alias WHERE finding_id >= ?1 AND finding_id < ?1 || 'g' LIMIT 2";
static const char sql_exactly[] =
	"SELECT id FROM verdicts.finding WHERE finding_id = ?1 UNION SELECT finding_rowid FROM verdicts.finding_alias WHERE finding_id = ?1";

/* ---- one row ---- */

static void read_columns(struct arena *a, sqlite3_stmt *s, struct finding_row *f)
{
	int i = 0;

	f->id = sqlite3_column_int64(s, i++);
	f->finding_id = reader_word(a, s, i++);
	f->server_id = sqlite3_column_int64(s, i++);
	f->server = reader_word(a, s, i++);
	f->address = reader_word(a, s, i++);
	f->public_address = reader_word(a, s, i++);
	f->kind = kind_parse((const char *)sqlite3_column_text(s, i++));
	f->misdirected = reader_word(a, s, i++);
	f->exposure = reader_word(a, s, i++);
	f->tier = reader_word(a, s, i++);
	f->sender = reader_word(a, s, i++);
	f->recipient = reader_text(a, s, i++);
	f->recipient_domain = reader_text(a, s, i++);
	f->dest_ip = reader_word(a, s, i++);
	f->attempts = (uint32_t)sqlite3_column_int64(s, i++);
	f->first_us = sqlite3_column_int64(s, i++);
	f->last_us = sqlite3_column_int64(s, i++);
	f->revision = sqlite3_column_int(s, i++);
	f->settled = sqlite3_column_int(s, i++) != 0;
	f->originator = reader_word(a, s, i++);
	f->originator_how = reader_word(a, s, i++);
	f->cause_class = reader_word(a, s, i++);
	f->cause_rowid = sqlite3_column_int64(s, i++);
	f->cause_matched_by = reader_word(a, s, i++);
	f->cause_delay_ms = sqlite3_column_int64(s, i++);
	f->origin_ip = reader_word(a, s, i++);
	f->root_rowid = sqlite3_column_int64(s, i++);
	f->root_code = sqlite3_column_int(s, i++);
	f->root_enhanced = reader_text(a, s, i++);
	f->root_reply = reader_text(a, s, i++);
	f->kind_rule = reader_word(a, s, i++);
}

static void read_place(const struct reader *r, const char *ip, struct geo_place *out)
{
	struct ip_addr a = { 0 };

	if (ip && ip_parse(ip, strlen(ip), &a))
		a = (struct ip_addr){ 0 };
	geo_lookup(reader_geo(r), &a, out);
}

static void read_cause(struct reader *r, struct arena *a, struct finding_row *f)
{
	sqlite3_stmt *s = f->cause_rowid ? reader_select(r, sql_cause, "i", f->cause_rowid) : NULL;

	f->cause_transaction_id = "";
	if (reader_step(r, s)) {
		f->cause_transaction_id = reader_word(a, s, 0);
		f->cause_mail_from = reader_text(a, s, 1);
		f->cause_message_id = reader_text(a, s, 2);
		f->cause_us = sqlite3_column_int64(s, 3);
		f->cause_recipients = (uint32_t)sqlite3_column_int64(s, 4);
		f->cause_recipient = reader_text(a, s, 5);
	}
	sqlite3_finalize(s);
	s = f->root_rowid ? reader_select(r, sql_transaction_id, "i", f->root_rowid) : NULL;
	f->root_transaction_id = reader_step(r, s) ? reader_word(a, s, 0) : "";
	sqlite3_finalize(s);
}

static void read_reasons(struct reader *r, struct arena *a, struct finding_row *f)
{
	enum { REASONS_MAX = 32 };
	struct finding_reason reason[REASONS_MAX];
	sqlite3_stmt *s = reader_select(r, sql_reasons, "i", f->id);

	while (f->reason_count < REASONS_MAX && reader_step(r, s))
		reason[f->reason_count++] = (struct finding_reason){ reader_word(a, s, 0), reader_word(a, s, 1), reader_word(a, s, 2), reader_text(a, s, 3) };
	sqlite3_finalize(s);
	f->reason = arena_alloc(a, f->reason_count * sizeof *reason);
	if (f->reason)
		memcpy(f->reason, reason, f->reason_count * sizeof *reason);
	else
		f->reason_count = 0;
}

static void add_row(struct reader *r, struct finding_page *p, sqlite3_stmt *s, int64_t now_us)
{
	struct finding_row *f = &p->row[p->count++];
	sqlite3_stmt *ack;

	*f = (struct finding_row){ 0 };
	read_columns(&p->arena, s, f);
	read_place(r, f->dest_ip, &f->dest_place);
	read_place(r, f->origin_ip, &f->origin_place);
	read_cause(r, &p->arena, f);
	read_reasons(r, &p->arena, f);
	ack = reader_has_notes(r) ? reader_select(r, sql_ack, "tii", f->finding_id, now_us, f->id) : NULL;
	if (reader_step(r, ack))
		f->acked_why = reader_word(&p->arena, ack, 0);
	sqlite3_finalize(ack);
}

/* ---- pages ---- */

/* Words of the bits that are set, with blanks around each; NULL for none, which is all. */
static const char *kind_words(unsigned kinds, struct buf *out)
{
	if (!kinds)
		return NULL;
	buf_add_char(out, ' ');
	for (int k = 0; k < KIND_COUNT; k++)
		if (kinds >> k & 1)
			buf_printf(out, "%s ", kind_name((enum kind)k));
	return buf_cstr(out);
}

static const char *misdirected_words(unsigned bits, struct buf *out)
{
	static const char *const words[] = { "yes", "likely", "unknown", "no" };

	if (!bits)
		return NULL;
	buf_add_char(out, ' ');
	for (int i = 0; i < 4; i++)
		if (bits >> i & 1)
			buf_printf(out, "%s ", words[i]);
	return buf_cstr(out);
}

static const char *lower(const char *text, struct buf *out)
{
	for (; text && *text; text++)
		buf_add_char(out, *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text);
	return text ? buf_cstr(out) : NULL;
}

static sqlite3_stmt *select_matching(struct reader *r, const char *sql, const struct finding_filter *f, struct finding_place place, int64_t looked_at,
				     int64_t limit)
{
	struct buf kinds = { 0 }, misdirected = { 0 }, domain = { 0 }, text = { 0 };
	sqlite3_stmt *s = reader_select(r, sql, "iiiiiittttti", place.last_us, place.id, f->since_us, f->until_us ? f->until_us : INT64_MAX, looked_at,
					f->server_id, kind_words(f->kinds, &kinds), misdirected_words(f->misdirected, &misdirected), f->exposure,
					lower(f->domain, &domain), lower(f->text, &text), limit);

	buf_fini(&kinds);
	buf_fini(&misdirected);
	buf_fini(&domain);
	buf_fini(&text);
	return s;
}

static struct finding_place begin_of(struct finding_place place)
{
	return place.last_us || place.id ? place : (struct finding_place){ INT64_MAX, INT64_MAX };
}

static bool find_effort_end(struct reader *r, const struct finding_filter *f, struct finding_place place, struct finding_place *out)
{
	sqlite3_stmt *s = reader_select(r, sql_effort_end, "iiiii", place.last_us, place.id, f->since_us, f->until_us ? f->until_us : INT64_MAX,
					(int64_t)FINDING_LOOKED_AT_MAX - 1);
	bool found = reader_step(r, s);

	if (found)
		*out = (struct finding_place){ sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1) };
	sqlite3_finalize(s);
	return found;
}

static void page_init(struct finding_page *p, size_t limit)
{
	*p = (struct finding_page){ 0 };
	arena_init(&p->arena, ARENA_MAX);
	p->row = xcalloc(limit ? limit : 1, sizeof *p->row);
}

/* The newest rows are sorted before they are joined: where all of them match, no more of them than are asked for. */
static int64_t effort_for(const struct finding_filter *f, size_t limit)
{
	bool all = !f->server_id && !f->kinds && !f->misdirected && !f->exposure && !f->domain && !f->text;

	return all ? (int64_t)limit : FINDING_LOOKED_AT_MAX;
}

int finding_page_read(struct reader *r, const struct finding_filter *filter, struct finding_place place, size_t limit, struct finding_page *out)
{
	limit = limit > FINDING_PAGE_MAX ? FINDING_PAGE_MAX : limit;
	place = begin_of(place);
	page_init(out, limit);
	reader_begin(r);
	if (reader_is_judged(r)) {
		sqlite3_stmt *s = select_matching(r, sql_page, filter, place, effort_for(filter, limit), (int64_t)limit);

		while (out->count < limit && reader_step(r, s))
			add_row(r, out, s, filter->now_us);
		sqlite3_finalize(s);
		if (out->count == limit && limit) {
			out->more = true;
			out->next = (struct finding_place){ out->row[limit - 1].last_us, out->row[limit - 1].id };
		} else
			out->more = find_effort_end(r, filter, place, &out->next);
	}
	return reader_end(r);
}

int finding_read(struct reader *r, int64_t id, int64_t now_us, struct finding_page *out)
{
	page_init(out, 1);
	reader_begin(r);
	if (reader_is_judged(r)) {
		sqlite3_stmt *s = reader_select(r, sql_one, "i", id);

		if (reader_step(r, s))
			add_row(r, out, s, now_us);
		sqlite3_finalize(s);
	}
	return reader_end(r);
}

void finding_page_fini(struct finding_page *p)
{
	free(p->row);
	arena_fini(&p->arena);
	*p = (struct finding_page){ 0 };
}

int finding_count(struct reader *r, const struct finding_filter *filter, uint64_t max, uint64_t *out)
{
	*out = 0;
	reader_begin(r);
	if (reader_is_judged(r)) {
		sqlite3_stmt *s = select_matching(r, sql_count, filter, begin_of((struct finding_place){ 0 }), INT64_MAX, (int64_t)max);

		if (reader_step(r, s))
			*out = (uint64_t)sqlite3_column_int64(s, 0);
		sqlite3_finalize(s);
	}
	return reader_end(r);
}

/* ---- ids ---- */

static int matches(struct reader *r, const char *sql, const char *text, int64_t *id)
{
	sqlite3_stmt *s = reader_select(r, sql, "t", text);
	int n = 0;

	while (reader_step(r, s))
		if (n++ == 0)
			*id = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

int finding_resolve(struct reader *r, const char *text, int64_t *id)
{
	struct buf b = { 0 };
	int n = 0;

	reader_begin(r);
	if (reader_is_judged(r) && *text) {
		n = matches(r, sql_exactly, lower(text, &b), id);
		if (!n && strlen(text) >= PREFIX_MIN)
			n = matches(r, sql_resolve, buf_cstr(&b), id);
	}
	buf_fini(&b);
	return reader_end(r) ? -1 : n;
}
