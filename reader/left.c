/* left.c - see left.h. One pass over the index of ends; what is dear is asked only of mail that a list could hold against its sender. */
#include "reader/left.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "schema/db.h"

enum { ARENA_MAX = 64 << 20, CONTACTS_LOOKED_AT = 500,
	POSTMASTER = 2 };	/* of mail_from_class, schema/facts.sql */

static const char sql_left[] =
	"SELECT t.src_ip, t.id, lower(hex(t.session_id)) || '.' || t.ordinal, t.dest_ip, coalesce(t.mail_us, t.started_us), t.ended_us, v.kind, v.provenance,"
	" t.mail_from, t.null_sender, t.mail_from_class, t.outcome, t.code, t.rcpt_count, t.session_id, t.session_started_us"
	" FROM transactions t JOIN verdicts.transaction_verdict v ON v.transaction_rowid = t.id"
	" WHERE t.ended_us >= ?1 AND t.ended_us <= ?2 AND t.started_us <= ?3 AND v.direction = 'outbound' ORDER BY t.ended_us, t.id";
static const char sql_recipient[] =
	"SELECT address, address_id FROM recipients WHERE transaction_rowid = ?1 ORDER BY (coalesce(code, 250) < 300) DESC, n LIMIT 1";
static const char sql_finding[] =
	"SELECT f.id, f.misdirected FROM recipients r JOIN verdicts.finding f ON f.recipient_id = r.address_id JOIN verdicts.finding_attempt a"
	" ON a.finding_rowid = f.id AND a.transaction_rowid = r.transaction_rowid AND a.recipient_n = r.n WHERE r.transaction_rowid = ?1 ORDER BY r.n LIMIT 1";
static const char sql_banner[] = "SELECT banner FROM sessions WHERE started_us / 1000000 = ?1 / 1000000 AND session_id = ?2";
static const char sql_contact[] = "SELECT src_ip FROM transactions WHERE mail_from_id = ?1 AND null_sender = 0 AND started_us < ?2 LIMIT ?3";
static const char sql_unread[] =
	"SELECT s.src_ip FROM sessions s JOIN verdicts.session_verdict v ON v.session_rowid = s.id WHERE s.started_us / 1000000 BETWEEN ?1 / 1000000 AND"
	" ?2 / 1000000 AND s.ended_us >= ?3 AND s.outcome = 'encrypted' AND v.direction = 'outbound'";

struct work {
	struct reader *r;
	struct left_list *out;
	const struct ip_prefix *from;
	size_t from_count, cap;
};

static bool is_from(const struct work *w, struct text ip)
{
	struct ip_addr a;

	if (ip_parse(ip.p, ip.len, &a))
		return false;
	for (size_t i = 0; i < w->from_count; i++)
		if (ip_in_prefix(&a, &w->from[i]))
			return true;
	return false;
}

static bool wrote_before(struct work *w, const struct left_row *row, int64_t address_id)
{
	sqlite3_stmt *s = reader_select(w->r, sql_contact, "iii", address_id, row->started_us, (int64_t)CONTACTS_LOOKED_AT);
	struct ip_addr taker, writer;
	bool found = false;

	if (ip_parse(row->dest_ip, strlen(row->dest_ip), &taker) == 0)
		while (!found && reader_step(w->r, s)) {
			struct text t = column_text(s, 0);

			found = ip_parse(t.p, t.len, &writer) == 0 && ip_is_near(&writer, &taker);
		}
	sqlite3_finalize(s);
	return found;
}

static struct text domain_in(struct text address)
{
	for (uint32_t i = address.len; i > 0; i--)
		if (address.p[i - 1] == '@')
			return (struct text){ address.p + i, address.len - i };
	return (struct text){ 0 };
}

static void look_closer(struct work *w, struct left_row *row, sqlite3_stmt *found)
{
	struct arena *a = &w->out->arena;
	sqlite3_stmt *s = reader_select(w->r, sql_recipient, "i", row->rowid);

	if (reader_step(w->r, s)) {
		row->recipient = reader_text(a, s, 0);
		row->recipient_domain = domain_in(row->recipient);
		row->had_contact = wrote_before(w, row, sqlite3_column_int64(s, 1));
	}
	sqlite3_finalize(s);
	s = reader_select(w->r, sql_finding, "i", row->rowid);
	if (reader_step(w->r, s)) {
		row->finding_rowid = sqlite3_column_int64(s, 0);
		row->misdirected = reader_word(a, s, 1);
	}
	sqlite3_finalize(s);
	s = reader_select(w->r, sql_banner, "i", sqlite3_column_int64(found, 15));
	if (s)
		sqlite3_bind_blob(s, 2, sqlite3_column_blob(found, 14), sqlite3_column_bytes(found, 14), SQLITE_TRANSIENT);
	if (reader_step(w->r, s))
		row->banner = reader_text(a, s, 0);
	sqlite3_finalize(s);
}

static void add_row(struct work *w, sqlite3_stmt *s)
{
	struct left_list *l = w->out;
	struct arena *a = &l->arena;

	if (l->count == w->cap)
		l->row = xreallocarray(l->row, w->cap = w->cap ? w->cap * 2 : 64, sizeof *l->row);
	struct left_row *row = &l->row[l->count++];
	*row = (struct left_row){ .src_ip = reader_word(a, s, 0), .rowid = sqlite3_column_int64(s, 1), .transaction_id = reader_word(a, s, 2),
		.dest_ip = reader_word(a, s, 3), .started_us = sqlite3_column_int64(s, 4), .ended_us = sqlite3_column_int64(s, 5),
		.kind = kind_parse((const char *)sqlite3_column_text(s, 6)), .provenance = reader_word(a, s, 7), .mail_from = reader_text(a, s, 8),
		.null_sender = sqlite3_column_int(s, 9) != 0, .postmaster = (sqlite3_column_int(s, 10) & POSTMASTER) != 0, .outcome = reader_word(a, s, 11),
		.code = sqlite3_column_int(s, 12), .recipients = (uint32_t)sqlite3_column_int64(s, 13), .misdirected = "" };
	if (row->null_sender || row->postmaster || (row->kind < KIND_COUNT && kind_is_answering(row->kind)))
		look_closer(w, row, s);
}

int left_read(struct reader *r, const struct ip_prefix *from, size_t n, int64_t from_us, int64_t to_us, struct left_list *out)
{
	struct work w = { .r = r, .out = out, .from = from, .from_count = n };

	*out = (struct left_list){ 0 };
	arena_init(&out->arena, ARENA_MAX);
	reader_begin(r);
	if (reader_is_judged(r)) {
		sqlite3_stmt *s = reader_select(r, sql_left, "iii", from_us, to_us + LEFT_LONGEST_US, to_us);

		while (!out->cut && reader_step(r, s))
			if (is_from(&w, column_text(s, 0))) {
				out->cut = out->count == LEFT_MAX;
				if (!out->cut)
					add_row(&w, s);
			}
		sqlite3_finalize(s);
		s = reader_select(r, sql_unread, "iii", from_us - LEFT_LONGEST_US, to_us, from_us);
		while (reader_step(r, s))
			out->unread_sessions += is_from(&w, column_text(s, 0));
		sqlite3_finalize(s);
	}
	return reader_end(r);
}

void left_list_fini(struct left_list *l)
{
	free(l->row);
	arena_fini(&l->arena);
	*l = (struct left_list){ 0 };
}
