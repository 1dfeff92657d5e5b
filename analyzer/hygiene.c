/* hygiene.c - see hygiene.h. In doubt a defect is left out: some are told to the owner of a server in front of others. */
#include "analyzer/hygiene.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/domain.h"
#include "analyzer/maybe.h"
#include "analyzer/servers.h"
#include "common/xmalloc.h"
#include "schema/db.h"

/* vacation(1) and RFC 5230 4.2 wait a week by default; within a day nobody wants a second answer. */
#define REPEATED_US (INT64_C(24) * 3600 * 1000000)
enum { REPEATED_LOOK_BACK = 64 };	/* answers to one recipient; an autoresponder that repeats itself shows long before */

enum defect { AUTH_CLEAR, NO_STARTTLS, OPEN_RELAY, PUSHED_BOUNCE, ACCEPTS_UNKNOWN, AUTOREPLY_REPEATED, AUTOREPLY_TO_NULL, AUTOREPLY_TO_LIST,
	AUTOREPLY_UNMARKED, DEFECT_COUNT };

static const char *const words[DEFECT_COUNT] = { "auth-clear", "no-starttls", "open-relay", "pushed-bounce", "accepts-unknown", "autoreply-repeated",
	"autoreply-to-null", "autoreply-to-list", "autoreply-unmarked" };

enum statement { RECIPIENTS, CAUSE, SAME_MAIL, FACTS_COUNT, SAVE = FACTS_COUNT, DEFECT, RELAY, RELAYS, IS_RELAYED, RELAYED, STATEMENT_COUNT };

static const char *const sql[STATEMENT_COUNT] = {
	[RECIPIENTS] = "SELECT address, code, address_id FROM recipients WHERE transaction_rowid = ?1",
	[CAUSE] = "SELECT t.null_sender, m.list_id IS NOT NULL OR lower(m.precedence) IN ('list', 'bulk', 'junk') FROM transactions t"
		" LEFT JOIN messages m ON m.transaction_rowid = t.id WHERE t.id = ?1",
	[SAME_MAIL] = "SELECT t.src_ip, t.dest_ip, t.proxy, t.xclient, t.xforward FROM messages m JOIN transactions t ON t.id = m.transaction_rowid"
		" JOIN recipients r ON r.transaction_rowid = t.id AND r.address_id = ?2 WHERE m.message_id_hash = ?1",
	[SAVE] = "INSERT INTO own_hygiene (server_id, what, cases, of, first_us, last_us, evidence_rowid, evidence_tie)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET cases = cases + ?3, of = of + ?4,"
		" first_us = min(coalesce(first_us, ?5), coalesce(?5, first_us)),"
		" evidence_rowid = iif(last_us IS NULL OR (?6, ?8) >= (last_us, evidence_tie), ?7, evidence_rowid),"
		" evidence_tie = iif(last_us IS NULL OR (?6, ?8) >= (last_us, evidence_tie), ?8, evidence_tie),"
		" last_us = max(coalesce(last_us, ?6), coalesce(?6, last_us))",
	[DEFECT] = "INSERT OR IGNORE INTO finding_defect (server_id, what, at_us, finding_rowid, evidence_rowid) VALUES (?1, ?2, ?3, ?4, ?5)",
	[RELAY] = "INSERT OR IGNORE INTO relay (message_id_hash, recipient_id, transaction_rowid, server_id, mail_us, tie, relayed)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
	[RELAYS] = "SELECT transaction_rowid, server_id, mail_us, tie, recipient_id FROM relay WHERE message_id_hash = ?1 AND relayed = 0",
	[IS_RELAYED] = "SELECT 1 FROM relay WHERE message_id_hash = ?1 AND transaction_rowid = ?2 AND relayed = 1 LIMIT 1",
	[RELAYED] = "UPDATE relay SET relayed = 1 WHERE message_id_hash = ?1 AND transaction_rowid = ?2 AND relayed = 0",
};

/* What a server showed since the last flush. */
struct tally {
	int64_t server_id;
	enum defect what;
	int64_t cases, of;
	int64_t first_us, last_us, evidence_rowid, evidence_tie;
};

struct hygiene {
	const struct own *own;
	struct provisional *provisional;
	struct maybe *taken;	/* Message-IDs of what was taken for others and not seen leaving yet; NULL: not loaded yet */
	sqlite3 *verdicts;
	sqlite3_stmt *q[STATEMENT_COUNT];
	struct tally *tally;
	size_t count;
};

/* Something that is or may be a defect. */
struct sign {
	int64_t server_id;
	enum defect what;
	int64_t at_us, rowid, tie;
};

struct hygiene *hygiene_new(sqlite3 *facts, sqlite3 *verdicts, const struct own *own, struct provisional *provisional)
{
	struct hygiene *h = xcalloc(1, sizeof *h);

	h->own = own;
	h->provisional = provisional;
	h->verdicts = verdicts;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		h->q[i] = db_prepare(i < FACTS_COUNT ? facts : verdicts, sql[i]);
	return h;
}

void hygiene_free(struct hygiene *h)
{
	if (!h)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(h->q[i]);
	maybe_free(h->taken);
	free(h->tally);
	free(h);
}

static struct tally *tally_of(struct hygiene *h, int64_t server_id, enum defect what)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->tally[i].server_id == server_id && h->tally[i].what == what)
			return &h->tally[i];
	h->tally = xreallocarray(h->tally, h->count + 1, sizeof *h->tally);
	h->tally[h->count] = (struct tally){ .server_id = server_id, .what = what };
	return &h->tally[h->count++];
}

/* Mails of one session may begin in the same packet. A longer sighting of one has the tie of the shorter, and takes its place. */
static int64_t tie_of(const uint8_t session_id[16], int ordinal)
{
	uint64_t tie;

	memcpy(&tie, session_id, sizeof tie);
	return (int64_t)((tie + (uint64_t)ordinal) >> 1);
}

static void add_occasion(struct hygiene *h, const struct sign *x)
{
	tally_of(h, x->server_id, x->what)->of++;
	provisional_note(h->provisional, words[x->what], x->server_id, "", x->at_us, (const int64_t[PROVISIONAL_SUMS]){ 1, 0 });
}

static void add_case(struct hygiene *h, const struct sign *x)
{
	struct tally *t = tally_of(h, x->server_id, x->what);

	if (!t->cases || x->at_us < t->first_us)
		t->first_us = x->at_us;
	if (!t->cases || x->at_us > t->last_us || (x->at_us == t->last_us && x->tie > t->evidence_tie)) {
		t->last_us = x->at_us;
		t->evidence_rowid = x->rowid;
		t->evidence_tie = x->tie;
	}
	t->cases++;
}

static void add(struct hygiene *h, const struct sign *x, bool is_case)
{
	add_occasion(h, x);
	if (!is_case)
		return;
	add_case(h, x);
	provisional_note(h->provisional, words[x->what], x->server_id, "", x->at_us, (const int64_t[PROVISIONAL_SUMS]){ 0, 1 });
}

void hygiene_flush(struct hygiene *h)
{
	sqlite3_stmt *s = h->q[SAVE];

	for (size_t i = 0; i < h->count; i++) {
		const struct tally *t = &h->tally[i];

		sqlite3_clear_bindings(s);
		sqlite3_bind_int64(s, 1, t->server_id);
		sqlite3_bind_text(s, 2, words[t->what], -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 3, t->cases);
		sqlite3_bind_int64(s, 4, t->of);
		if (t->cases) {
			sqlite3_bind_int64(s, 5, t->first_us);
			sqlite3_bind_int64(s, 6, t->last_us);
			sqlite3_bind_int64(s, 7, t->evidence_rowid);
			sqlite3_bind_int64(s, 8, t->evidence_tie);
		}
		sqlite3_step(s);
		sqlite3_reset(s);
	}
	h->count = 0;
}

/* ---- sessions ---- */

static bool offers(struct text keywords, const char *keyword)
{
	size_t n = strlen(keyword);

	for (uint32_t i = 0, begin = 0; keywords.p && i <= keywords.len; i++) {
		if (i < keywords.len && keywords.p[i] != '\n')
			continue;
		struct text line = { keywords.p + begin, i - begin };
		if (text_starts_nocase(line, keyword) && (line.len == n || line.p[n] == ' ' || line.p[n] == '='))
			return true;
		begin = i + 1;
	}
	return false;
}

void hygiene_of_session(struct hygiene *h, const struct hygiene_session *s)
{
	if (!own_has(h->own, &s->dest))
		return;
	struct sign x = { servers_id_of(h->own, &s->dest), NO_STARTTLS, s->started_us, s->rowid, tie_of(s->session_id, 0) };
	bool from_outside = s->route->arrives && (s->dest_port == 25 || s->dest_port == 587);

	if ((from_outside || s->dest_port == 587) && ((s->ehlo_keywords.p && !s->has_gap) || s->encrypted))
		add(h, &x, !s->encrypted && !offers(s->ehlo_keywords, "STARTTLS"));
	x.what = AUTH_CLEAR;
	if (s->authenticated || offers(s->ehlo_keywords, "AUTH"))
		add(h, &x, s->authenticated && !s->encrypted);
}

/* ---- mail ---- */

static sqlite3_stmt *query(struct hygiene *h, enum statement which, int64_t v)
{
	sqlite3_reset(h->q[which]);
	sqlite3_bind_int64(h->q[which], 1, v);
	return h->q[which];
}

/* Each transaction that was taken is a case once, whatever comes first, it or what leaves, and for however many of its recipients. */
static void note_relayed(struct hygiene *h, int64_t message_id_hash, const struct sign *taken)
{
	sqlite3_stmt *s = query(h, IS_RELAYED, message_id_hash);

	sqlite3_bind_int64(s, 2, taken->rowid);
	bool counted = sqlite3_step(s) == SQLITE_ROW;
	sqlite3_reset(s);
	s = query(h, RELAYED, message_id_hash);
	sqlite3_bind_int64(s, 2, taken->rowid);
	sqlite3_step(s);
	sqlite3_reset(s);
	if (!counted)
		add_case(h, taken);
}

static bool has_left(struct hygiene *h, int64_t message_id_hash, int64_t recipient_id)
{
	sqlite3_stmt *s = query(h, SAME_MAIL, message_id_hash);
	bool left = false;

	sqlite3_bind_int64(s, 2, recipient_id);
	while (!left && sqlite3_step(s) == SQLITE_ROW) {
		struct text src = column_text(s, 0), dest = column_text(s, 1);
		struct ip_addr from, to;

		if (ip_parse(src.p, src.len, &from) == 0 && ip_parse(dest.p, dest.len, &to) == 0)
			left = own_route(h->own, &from, &to, column_text(s, 2), column_text(s, 3), column_text(s, 4)).leaves;
	}
	sqlite3_reset(s);
	return left;
}

static void note_taken(struct hygiene *h, int64_t message_id_hash, int64_t recipient_id, const struct sign *x)
{
	sqlite3_stmt *s = query(h, RELAY, message_id_hash);

	maybe_add(h->taken, message_id_hash);
	sqlite3_bind_int64(s, 2, recipient_id);
	sqlite3_bind_int64(s, 3, x->rowid);
	sqlite3_bind_int64(s, 4, x->server_id);
	sqlite3_bind_int64(s, 5, x->at_us);
	sqlite3_bind_int64(s, 6, x->tie);
	sqlite3_step(s);
	sqlite3_reset(s);
	if (has_left(h, message_id_hash, recipient_id))
		note_relayed(h, message_id_hash, x);
}

/* A subdomain of ours that the configuration does not name is taken for ours. */
static bool is_foreign(const struct hygiene *h, struct text domain)
{
	return domain.len && !own_has_domain(h->own, domain) && !own_has_host(h->own, domain);
}

/* Taking it proves nothing yet: the domain may be ours and missing in the configuration, or all is taken and dropped. */
static void look_for_taken(struct hygiene *h, const struct mail *m, const struct route *route)
{
	if (!route->arrives || m->auth != 0 || !own_knows_domains(h->own) || own_is_upstream(h->own, &m->src)
	    || own_is_trusted_sender(h->own, &route->origin))
		return;
	struct sign x = { servers_id_of(h->own, &m->dest), OPEN_RELAY, m->mail_us, m->rowid, tie_of(m->session_id, m->ordinal) };
	bool tried = false;
	sqlite3_stmt *s = query(h, RECIPIENTS, m->rowid);
	while (sqlite3_step(s) == SQLITE_ROW) {
		if (!is_foreign(h, domain_of_address(column_text(s, 0))))
			continue;
		tried = true;
		if (m->message_id_hash && m->outcome == MAIL_ACCEPTED && sqlite3_column_int(s, 1) / 100 == 2)
			note_taken(h, m->message_id_hash, sqlite3_column_int64(s, 2), &x);
	}
	sqlite3_reset(s);
	if (tried)
		add_occasion(h, &x);
}

static bool has_recipient(struct hygiene *h, int64_t rowid, int64_t recipient_id)
{
	sqlite3_stmt *s = query(h, RECIPIENTS, rowid);
	bool found = false;

	while (!found && sqlite3_step(s) == SQLITE_ROW)
		found = sqlite3_column_int64(s, 2) == recipient_id;
	sqlite3_reset(s);
	return found;
}

static void look_for_relayed(struct hygiene *h, const struct mail *m)
{
	sqlite3_stmt *s = query(h, RELAYS, m->message_id_hash);

	while (sqlite3_step(s) == SQLITE_ROW) {
		struct sign taken = { sqlite3_column_int64(s, 1), OPEN_RELAY, sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 0),
			sqlite3_column_int64(s, 3) };

		if (has_recipient(h, m->rowid, sqlite3_column_int64(s, 4)))
			note_relayed(h, m->message_id_hash, &taken);
	}
	sqlite3_reset(s);
}

/* A null sender is not bounced to; who only asks about a recipient was refused before he took anything. */
static void look_for_pushed_bounce(struct hygiene *h, const struct mail *m, enum kind kind)
{
	if (!own_is_upstream(h->own, &m->src) || !own_has(h->own, &m->dest) || m->null_sender || kind == KIND_CALL_AHEAD || kind == KIND_CALLOUT)
		return;
	struct sign x = { servers_id_of(h->own, &m->dest), PUSHED_BOUNCE, m->mail_us, m->rowid, tie_of(m->session_id, m->ordinal) };
	add(h, &x, m->code >= 500 && m->outcome == MAIL_REJECTED);
}

void hygiene_of_mail(struct hygiene *h, const struct mail *m, const struct route *route, enum kind kind)
{
	if (!h->taken) {	/* with the first mail: nothing new costs nothing */
		h->taken = maybe_new();
		maybe_add_rows(h->taken, db_prepare(h->verdicts, "SELECT message_id_hash FROM relay WHERE relayed = 0"));
	}
	look_for_taken(h, m, route);
	if (route->leaves && m->message_id_hash && maybe_has(h->taken, m->message_id_hash))
		look_for_relayed(h, m);
	look_for_pushed_bounce(h, m, kind);
}

/* ---- findings ---- */

static bool is_word(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

/* The answer names the mail that it answers, rather than only fitting to it. */
static bool names_its_cause(const struct answer *a)
{
	return a->cause.rowid && (is_word(a->matched_by, "in-reply-to") || is_word(a->matched_by, "message-id"));
}

static void read_cause(struct hygiene *h, const struct answer *a, bool *null_sender, bool *list)
{
	sqlite3_stmt *s = h->q[CAUSE];

	sqlite3_reset(s);
	sqlite3_bind_int64(s, 1, a->cause.rowid);
	bool found = sqlite3_step(s) == SQLITE_ROW;
	*null_sender = found && sqlite3_column_int(s, 0);
	*list = found && sqlite3_column_int(s, 1);
	sqlite3_reset(s);
}

static bool is_autoreply(const struct mail_group *g)
{
	return (g->said->kind == KIND_AUTOREPLY || g->said->kind == KIND_TICKET || g->said->kind == KIND_CHALLENGE) && g->said->mail.has_message;
}

static bool was_taken(const struct answer *a)
{
	return a->mail.outcome == MAIL_ACCEPTED && a->code / 100 == 2;
}

/* The same author, an earlier mail of his to the same address. */
static bool is_repeated(const struct victim *v, const struct mail_group *g)
{
	const struct answer *a = g->said;

	if (a->kind != KIND_AUTOREPLY || !a->mail.from_id || !was_taken(a))
		return false;
	size_t at = (size_t)(g - v->group);

	for (size_t i = at; i-- > 0 && at - i <= REPEATED_LOOK_BACK;) {	/* groups stand by their first attempt */
		const struct answer *x = v->group[i].said;
		int64_t before_us = a->mail.mail_us - x->mail.mail_us;

		if (x->kind == KIND_AUTOREPLY && x->mail.from_id == a->mail.from_id && was_taken(x) && before_us > 0 && before_us < REPEATED_US
		    && ip_equal(&x->mail.src, &a->mail.src))
			return true;
	}
	return false;
}

unsigned hygiene_defects(struct hygiene *h, const struct victim *v, const struct mail_group *g, const struct judgement *j)
{
	const struct answer *a = g->said;
	bool null_sender = false, list = false;
	unsigned shown = 0;

	if (is_autoreply(g)) {
		if (names_its_cause(a))
			read_cause(h, a, &null_sender, &list);
		shown |= (unsigned)null_sender << AUTOREPLY_TO_NULL;
		shown |= (unsigned)(list && a->kind == KIND_AUTOREPLY) << AUTOREPLY_TO_LIST;
		shown |= (unsigned)(!a->mail.auto_submitted.p && a->mail.complete) << AUTOREPLY_UNMARKED;
		shown |= (unsigned)is_repeated(v, g) << AUTOREPLY_REPEATED;
	}
	shown |= (unsigned)(a->kind == KIND_BOUNCE && is_word(j->cause_class, "user-unknown") && is_word(j->exposure, "can-backscatter")) << ACCEPTS_UNKNOWN;
	return shown;
}

void hygiene_of_finding(struct hygiene *h, unsigned defects, const struct mail_group *g, int64_t finding_rowid, int64_t server_id)
{
	for (int i = 0; i < DEFECT_COUNT; i++) {
		sqlite3_stmt *s = h->q[DEFECT];

		if (!(defects >> i & 1))
			continue;
		sqlite3_bind_int64(s, 1, server_id);
		sqlite3_bind_text(s, 2, words[i], -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 3, g->attempt[0]->mail.mail_us);
		sqlite3_bind_int64(s, 4, finding_rowid);
		sqlite3_bind_int64(s, 5, g->attempt[0]->mail.rowid);
		sqlite3_step(s);
		sqlite3_reset(s);
	}
}
