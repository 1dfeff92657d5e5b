/* take.c - see take.h */
#include "analyzer/take.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/classify.h"
#include "analyzer/correlate.h"
#include "analyzer/idset.h"
#include "analyzer/judge.h"
#include "analyzer/mail.h"
#include "analyzer/marks.h"
#include "analyzer/maybe.h"
#include "analyzer/origin_sender.h"
#include "analyzer/probe.h"
#include "analyzer/sighting.h"
#include "reader/software.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum statement {
	/* of facts.db */
	SESSIONS, TRANSACTIONS, REPORT, REPORTED, RECIPIENTS, WITH_HASH, OF_SENDER, BEGAN_SINCE, OF_SESSION, ENDED_SINCE, FACTS_COUNT,
	/* of verdicts.db */
	SESSION_VERDICT = FACTS_COUNT, TRANSACTION_VERDICT, ANSWER, ANSWER_KEY, AUTHOR, BARE, ASKED_BY_MAIL, UNEXPLAINED_NEAR, CALLOUT_NEAR, WAITING_FOR,
	ANSWERED_LATER, WHO_ASKED, MAIL_THAT_ASKED, BARE_OF, PENDING, SET_PROVENANCE, STATEMENT_COUNT
};

static const char *const sql[STATEMENT_COUNT] = {
	[SESSIONS] = "SELECT id, session_id, src_ip, dest_ip, dest_port, started_us, ended_us, end_reason, outcome, banner_code, banner, helo, ehlo_keywords,"
		" refusal_code, refusal, tls, auth, complete, notes, proxy, xclient, xforward FROM sessions WHERE id > ?1 AND id <= ?2 ORDER BY id",
	[TRANSACTIONS] = "WHERE t.id > ?1 AND t.id <= ?2 ORDER BY t.id",	/* behind mail_select */
	[REPORT] = mail_report_select,
	[REPORTED] = "SELECT transaction_rowid FROM reports WHERE transaction_rowid > ?1 AND transaction_rowid <= ?2"
		" UNION ALL SELECT transaction_rowid FROM returned WHERE transaction_rowid > ?1 AND transaction_rowid <= ?2"
		" UNION ALL SELECT transaction_rowid FROM report_recipients WHERE transaction_rowid > ?1 AND transaction_rowid <= ?2 AND n = 0",
	[RECIPIENTS] = "SELECT n, address_id, address, address_class FROM recipients WHERE transaction_rowid = ?1",
	[WITH_HASH] = "SELECT transaction_rowid FROM messages WHERE message_id_hash = ?1 AND transaction_rowid > ?2 AND transaction_rowid <= ?3 LIMIT ?4",
	[OF_SENDER] = "SELECT count(*) FROM (SELECT 1 FROM transactions WHERE mail_from_id = ?1 AND null_sender = 0 AND id <= ?2 LIMIT ?3)",
	[BEGAN_SINCE] = "SELECT 1 FROM transactions WHERE id = ?1 AND coalesce(mail_us, started_us) >= ?2",
	[OF_SESSION] = "SELECT r.address_id, coalesce(t.mail_us, t.started_us) FROM transactions t JOIN recipients r ON r.transaction_rowid = t.id"
		" WHERE t.session_started_us / 1000000 = ?1 / 1000000 AND t.session_id = ?2 AND t.id <= ?3",
	[ENDED_SINCE] = "SELECT r.address_id, coalesce(t.mail_us, t.started_us) FROM transactions t JOIN recipients r ON r.transaction_rowid = t.id"
		" WHERE t.id = ?1 AND t.ended_us >= ?2",
	[SESSION_VERDICT] = "INSERT OR REPLACE INTO session_verdict VALUES (?1, ?2, ?3)",
	[TRANSACTION_VERDICT] = "INSERT OR REPLACE INTO transaction_verdict VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'clear')",
	[ANSWER] = "INSERT OR IGNORE INTO answer (recipient_id, idle, mail_us, transaction_rowid, recipient_n) VALUES (?1, ?2, ?3, ?4, ?5)",
	[ANSWER_KEY] = "INSERT OR IGNORE INTO answer_key VALUES (?1, ?2)",
	[AUTHOR] = "INSERT OR IGNORE INTO author VALUES (?1, ?2)",
	[BARE] = "INSERT OR IGNORE INTO bare VALUES (?1, ?2)",
	[ASKED_BY_MAIL] = "INSERT OR IGNORE INTO asked_by_mail VALUES (?1, ?2)",
	[UNEXPLAINED_NEAR] = "SELECT recipient_id, first_us FROM finding WHERE first_us BETWEEN ?1 AND ?2 AND cause_rowid IS NULL",
	[CALLOUT_NEAR] = "SELECT recipient_id, first_us FROM finding WHERE last_us BETWEEN ?1 AND ?2 + 60000000 AND first_us <= ?2 AND kind = 'callout'",
	[WAITING_FOR] = "SELECT recipient_id FROM answer_key WHERE message_id_hash = ?1",
	[ANSWERED_LATER] = "SELECT 1 FROM answer WHERE recipient_id = ?1 AND idle = 0 AND mail_us >= ?2 LIMIT 1",
	[WHO_ASKED] = "SELECT recipient_id FROM asked WHERE key = ?1",
	[MAIL_THAT_ASKED] = "SELECT transaction_rowid FROM asked_by_mail WHERE key = ?1",
	[BARE_OF] = "SELECT transaction_rowid FROM bare WHERE sender_id = ?1",
	[PENDING] = "INSERT INTO pending SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM answer WHERE recipient_id = ?1 AND idle = 0)"
		" ON CONFLICT DO UPDATE SET since_us = min(since_us, excluded.since_us)",
	[SET_PROVENANCE] = "UPDATE transaction_verdict SET provenance = ?2 WHERE transaction_rowid = ?1 AND provenance IS NOT ?2",
};

/* No transaction up to this row began later. */
struct taken {
	int64_t rowid, latest_us;
};

enum { TAKEN_KEPT = 64 };	/* slices; following, one a second */

struct take {
	struct take_tools tools;
	sqlite3_stmt *q[STATEMENT_COUNT];
	struct origin_senders *origin_senders;
	struct maybe *answered;		/* who has an answer that is not idle; NULL: not loaded yet, as those below */
	struct maybe *awaited;		/* Message-IDs of answer_key */
	struct maybe *bare;		/* senders of bare */
	int64_t latest_domain_asked_us;	/* no later answer went to a postmaster or to a made-up address */
	struct taken taken[TAKEN_KEPT];	/* the latest one first */
	int taken_count;
	int64_t latest_session_us;	/* no session began later of which a mail was taken */
	struct marks marks;
	struct idset crowded;		/* Message-IDs that too many shared already when they were taken */
	struct idset shared_by_too_many;	/* Message-IDs: who waits for one was told */
	struct idset review;	/* transactions whose provenance may be another one */
	struct idset asked;
	struct idset answerers;	/* senders who answer by their own name, and since when one of them did */
	int64_t answerers_since_us;
	int64_t last_us;
	long long count;
};

/* ---- statements ---- */

static sqlite3_stmt *query(struct take *t, enum statement which, int64_t v)
{
	sqlite3_reset(t->q[which]);
	sqlite3_bind_int64(t->q[which], 1, v);
	return t->q[which];
}

static void run(sqlite3_stmt *s)
{
	sqlite3_step(s);
	sqlite3_reset(s);
}

static void run2(struct take *t, enum statement which, int64_t x, int64_t y)
{
	sqlite3_stmt *s = query(t, which, x);

	sqlite3_bind_int64(s, 2, y);
	run(s);
}

static void collect(struct idset *into, sqlite3_stmt *s)
{
	while (sqlite3_step(s) == SQLITE_ROW)
		idset_add(into, sqlite3_column_int64(s, 0));
	sqlite3_reset(s);
}

static void mark_all(struct take *t, sqlite3_stmt *recipients, int64_t since_us)
{
	while (sqlite3_step(recipients) == SQLITE_ROW)
		marks_since(&t->marks, sqlite3_column_int64(recipients, 0), since_us);
	sqlite3_reset(recipients);
}

/* Each since its own time. */
static void mark_each(struct take *t, sqlite3_stmt *recipients_and_times)
{
	while (sqlite3_step(recipients_and_times) == SQLITE_ROW)
		marks_since(&t->marks, sqlite3_column_int64(recipients_and_times, 0), sqlite3_column_int64(recipients_and_times, 1));
	sqlite3_reset(recipients_and_times);
}

/* ---- sessions ---- */

enum session_column { S_ID, S_SESSION_ID, S_SRC, S_DEST, S_DEST_PORT, S_STARTED, S_ENDED, S_END_REASON, S_OUTCOME, S_BANNER_CODE, S_BANNER, S_HELO, S_KEYWORDS,
	S_REFUSAL_CODE, S_REFUSAL, S_TLS, S_AUTH, S_COMPLETE, S_NOTES, S_PROXY, S_XCLIENT, S_XFORWARD };

struct session {
	struct ip_addr src, dest;
	struct route route;
	bool encrypted;
	const char *software;
};

static struct text first_word(struct text t)
{
	uint32_t n = 0;

	while (n < t.len && t.p[n] != ' ' && t.p[n] != '\n')
		n++;
	return (struct text){ t.p, n };
}

static void read_session_id(sqlite3_stmt *s, uint8_t out[16])
{
	memset(out, 0, 16);
	if (sqlite3_column_bytes(s, S_SESSION_ID) == 16)
		memcpy(out, sqlite3_column_blob(s, S_SESSION_ID), 16);
}

/* Ours that answered is a server; ours that called an outside port 25 is one that sends. */
static void learn_servers(struct take *t, sqlite3_stmt *s, const struct session *x)
{
	struct servers *servers = t->tools.servers;

	if (own_has(t->tools.own, &x->dest) && (sqlite3_column_int(s, S_BANNER_CODE) || x->encrypted)) {
		struct server *server = servers_add(servers, &x->dest);

		servers_note_serves(servers, server);
		servers_note_software(server, x->software, sqlite3_column_int64(s, S_STARTED));
		servers_note_name(servers, &x->dest, first_word(column_text(s, S_BANNER)));
	}
	if (x->route.leaves && sqlite3_column_int(s, S_DEST_PORT) == 25)
		servers_note_sender(servers, &x->src);
	if (own_has(t->tools.own, &x->src))
		servers_note_name(servers, &x->src, column_text(s, S_HELO));
}

static void add_to_sums(struct take *t, sqlite3_stmt *s, const struct session *x)
{
	struct rollup_session r = { .src = x->src, .dest = x->dest, .route = &x->route, .started_us = sqlite3_column_int64(s, S_STARTED),
		.encrypted = x->encrypted, .one_sided = text_find_nocase(column_text(s, S_NOTES), "one-sided") >= 0,
		.incomplete = !sqlite3_column_int(s, S_COMPLETE) };
	struct hygiene_session h = { .rowid = sqlite3_column_int64(s, S_ID), .started_us = r.started_us, .src = x->src, .dest = x->dest,
		.dest_port = sqlite3_column_int(s, S_DEST_PORT), .route = &x->route, .ehlo_keywords = column_text(s, S_KEYWORDS),
		.encrypted = x->encrypted, .authenticated = sqlite3_column_int(s, S_AUTH),
		.has_gap = text_find_nocase(column_text(s, S_NOTES), "gap") >= 0 };

	rollups_add_session(t->tools.rollups, &r);
	read_session_id(s, h.session_id);
	hygiene_of_session(t->tools.hygiene, &h);
}

static void note_refusal(struct take *t, sqlite3_stmt *s, const struct session *x)
{
	struct refusal_session r = { .src = x->src, .dest = x->dest, .code = sqlite3_column_int(s, S_REFUSAL_CODE),
		.reply = column_text(s, S_REFUSAL), .at_us = sqlite3_column_int64(s, S_ENDED) };

	if (!x->route.leaves || r.code < 400)
		return;
	read_session_id(s, r.session_id);
	refusals_of_session(t->tools.refusals, &r);
}

static void read_ip(struct text t, struct ip_addr *out)
{
	if (!t.p || ip_parse(t.p, t.len, out))
		*out = (struct ip_addr){ 0 };
}

/* A session may come after its transactions; its banner tells who took the answers. */
static void mark_answers_of_session(struct take *t, sqlite3_stmt *s, int64_t taken_before)
{
	sqlite3_stmt *q = query(t, OF_SESSION, sqlite3_column_int64(s, S_STARTED));

	sqlite3_bind_blob(q, 2, sqlite3_column_blob(s, S_SESSION_ID), sqlite3_column_bytes(s, S_SESSION_ID), SQLITE_STATIC);
	sqlite3_bind_int64(q, 3, taken_before);
	mark_each(t, q);
}

static void take_session(struct take *t, sqlite3_stmt *s, int64_t taken_before)
{
	struct session x = { .software = software_of(column_text(s, S_BANNER), column_text(s, S_KEYWORDS)) };
	struct text tls = column_text(s, S_TLS);

	read_ip(column_text(s, S_SRC), &x.src);
	read_ip(column_text(s, S_DEST), &x.dest);
	x.route = own_route(t->tools.own, &x.src, &x.dest, column_text(s, S_PROXY), column_text(s, S_XCLIENT), column_text(s, S_XFORWARD));
	x.encrypted = text_equal(column_text(s, S_OUTCOME), TEXT("encrypted")) || text_equal(tls, TEXT("starttls"))
		   || text_equal(tls, TEXT("implicit"));
	sqlite3_stmt *q = query(t, SESSION_VERDICT, sqlite3_column_int64(s, S_ID));
	sqlite3_bind_text(q, 2, direction_name(x.route.direction), -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 3, x.software, -1, SQLITE_STATIC);
	run(q);
	struct provisional_session p = { .rowid = sqlite3_column_int64(s, S_ID), .started_us = sqlite3_column_int64(s, S_STARTED),
		.cut_off = text_equal(column_text(s, S_END_REASON), TEXT("capture-end")) };
	read_session_id(s, p.session_id);
	provisional_session(t->tools.provisional, &p);
	if (x.route.leaves || !probe_is_name(column_text(s, S_HELO))) {
		learn_servers(t, s, &x);
		add_to_sums(t, s, &x);
		note_refusal(t, s, &x);
	}
	provisional_end(t->tools.provisional);
	if (x.route.leaves && taken_before && sqlite3_column_int64(s, S_STARTED) <= t->latest_session_us)
		mark_answers_of_session(t, s, taken_before);
	if (sqlite3_column_int64(s, S_ENDED) > t->last_us)
		t->last_us = sqlite3_column_int64(s, S_ENDED);
}

/* ---- what a transaction may change about others ---- */

/* Inside, an answer to one of ours becomes no finding; only its kind may be open. */
static bool is_idle(const struct take *t, const struct route *r, bool open, struct text recipient)
{
	if (r->leaves || open)
		return false;
	return r->direction != DIRECTION_INTERNAL || own_has_domain(t->tools.own, domain_of_address(recipient));
}

static void await(struct take *t, int64_t message_id_hash, int64_t recipient_id)
{
	run2(t, ANSWER_KEY, message_id_hash, recipient_id);
	maybe_add(t->awaited, message_id_hash);
}

/* Answers of any direction: even where no finding can follow, other mail tells what a refused dialogue was. */
static void note_answer(struct take *t, const struct mail *m, const struct route *r, bool open)
{
	const int64_t keys[] = { m->message_id_hash, m->returned_hash, m->original_message_id_hash, m->in_reply_to_hash };
	sqlite3_stmt *s = query(t, RECIPIENTS, m->rowid);

	if (r->leaves)
		servers_note_sender(t->tools.servers, &m->src);
	else if (r->direction == DIRECTION_INTERNAL && own_has(t->tools.own, &m->dest))
		servers_add(t->tools.servers, &m->dest);
	while (sqlite3_step(s) == SQLITE_ROW) {
		int64_t recipient = sqlite3_column_int64(s, 1);
		bool idle = is_idle(t, r, open, column_text(s, 2));
		sqlite3_stmt *q = query(t, ANSWER, recipient);

		sqlite3_bind_int(q, 2, idle);
		sqlite3_bind_int64(q, 3, m->mail_us);
		sqlite3_bind_int64(q, 4, m->rowid);
		sqlite3_bind_int(q, 5, sqlite3_column_int(s, 0));
		run(q);
		if (sqlite3_column_int(s, 3) & (CLASS_POSTMASTER | CLASS_MADE_UP) && m->mail_us > t->latest_domain_asked_us)
			t->latest_domain_asked_us = m->mail_us;
		if (!idle)
			maybe_add(t->answered, recipient);
		for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
			if (keys[i] && !idle)
				await(t, keys[i], recipient);
		marks_since(&t->marks, recipient, m->mail_us);
	}
	sqlite3_reset(s);
}

/* Mail of somebody changes what is said about answers to him that came not long before, or later. */
static void mark_answered(struct take *t, int64_t address_id, int64_t mail_us)
{
	if (!maybe_has(t->answered, address_id))
		return;
	sqlite3_stmt *s = query(t, ANSWERED_LATER, address_id);

	sqlite3_bind_int64(s, 2, mail_us - JUDGE_SENDER_WINDOW_US);
	if (sqlite3_step(s) == SQLITE_ROW)
		marks_since(&t->marks, address_id, mail_us);
	sqlite3_reset(s);
}

/* Autoreplies go to From or Reply-To, which need not be the MAIL FROM. */
static void note_author(struct take *t, const struct mail *m, int64_t address_id)
{
	if (!address_id || address_id == m->mail_from_id)
		return;
	run2(t, AUTHOR, address_id, m->rowid);
	mark_answered(t, address_id, m->mail_us);
}

/* It tells about answers that name it, and come later; and about all of them when it is the one that too many shared its Message-ID with. */
static void mark_waiting(struct take *t, const struct mail *m)
{
	if (!maybe_has(t->awaited, m->message_id_hash))
		return;
	sqlite3_stmt *s = query(t, WAITING_FOR, m->message_id_hash);
	int64_t since_us = m->mail_us;

	bool any = !idset_has(&t->shared_by_too_many, m->message_id_hash) && sqlite3_step(s) == SQLITE_ROW;

	sqlite3_reset(s);
	if (any && shared_hash_by_too_many(t->tools.shared, m->message_id_hash)) {
		idset_add(&t->shared_by_too_many, m->message_id_hash);
		since_us = MARK_ALL;
	}
	if (any)
		mark_all(t, s, since_us);
}

static void mark_touched(struct take *t, const struct mail *m, const struct route *r)
{
	if (!m->null_sender && m->mail_from_id)
		mark_answered(t, m->mail_from_id, m->mail_us);
	if (r->arrives) {	/* refused mail, too: some servers verify the From of the data before they say no */
		note_author(t, m, m->from_id);
		note_author(t, m, m->reply_to_id);
	}
	note_author(t, m, m->mail_from_inner_id);
	if (r->arrives && m->in_reply_to_hash && m->mail_from_id && !m->null_sender)	/* to mail of ours, which may come late */
		await(t, m->in_reply_to_hash, m->mail_from_id);
	if (r->arrives && !m->null_sender && m->mail_us <= t->latest_domain_asked_us + SIGHTING_SLACK_US) {	/* this may be what waited while its domain was asked */
		sqlite3_stmt *s = query(t, CALLOUT_NEAR, m->mail_us - SIGHTING_SLACK_US);

		sqlite3_bind_int64(s, 2, m->ended_us + SIGHTING_SLACK_US);
		mark_each(t, s);
	}
	if (r->arrives && m->null_sender && m->outcome == MAIL_ACCEPTED) {	/* what we seem to have made may be this, passed on */
		sqlite3_stmt *s = query(t, UNEXPLAINED_NEAR, m->ended_us - SIGHTING_SLACK_US);

		sqlite3_bind_int64(s, 2, m->ended_us + PROVENANCE_PASS_US);
		mark_each(t, s);
	}
	if (m->message_id_hash)
		mark_waiting(t, m);
}

static void note_taken_until(struct take *t, int64_t rowid)
{
	memmove(t->taken + 1, t->taken, (TAKEN_KEPT - 1) * sizeof *t->taken);
	t->taken[0] = (struct taken){ rowid, t->last_us };
	t->taken_count += t->taken_count < TAKEN_KEPT;
}

/* What began at this time or later stands behind that row: many may share a Message-ID, and few of them began just now. */
static int64_t none_began_until(const struct take *t, int64_t since_us)
{
	int i = 0;

	while (i < t->taken_count && t->taken[i].latest_us >= since_us)
		i++;
	return i < t->taken_count ? t->taken[i].rowid : 0;
}

static void review_since(struct take *t, const struct idset *rows, int64_t since_us)
{
	int64_t behind = since_us == MARK_ALL ? 0 : none_began_until(t, since_us);

	for (size_t i = 0; i < rows->cap; i++) {
		if (rows->slot[i] <= behind)
			continue;
		sqlite3_stmt *s = query(t, BEGAN_SINCE, rows->slot[i]);
		sqlite3_bind_int64(s, 2, since_us);
		if (since_us == MARK_ALL || sqlite3_step(s) == SQLITE_ROW)
			idset_add(&t->review, rows->slot[i]);
		sqlite3_reset(s);
	}
}

/*
 * Mail that was taken earlier, with the Message-ID or the sender of one that could not be seen then: what began after that may turn out to have been
 * passed on. What too many shared already tells nothing, and goes on telling nothing; what too many share now tells nothing any more.
 */
static void mark_earlier(struct take *t, const struct mail *m, int64_t taken_before)
{
	int64_t since_us = m->mail_us - SIGHTING_SLACK_US;
	struct idset rows = { 0 };
	sqlite3_stmt *s;

	if (m->message_id_hash && !idset_has(&t->crowded, m->message_id_hash)) {
		bool too_many = shared_hash_by_too_many(t->tools.shared, m->message_id_hash);

		s = query(t, WITH_HASH, m->message_id_hash);
		sqlite3_bind_int64(s, 2, too_many ? 0 : none_began_until(t, since_us));
		sqlite3_bind_int64(s, 3, taken_before);
		sqlite3_bind_int(s, 4, SIGHTING_SHARE_HASH + 1);
		collect(&rows, s);
		if (rows.count > SIGHTING_SHARE_HASH)
			idset_add(&t->crowded, m->message_id_hash);
		else if (rows.count)
			review_since(t, &rows, too_many ? MARK_ALL : since_us);
		idset_fini(&rows);
	}
	if (m->null_sender || !maybe_has(t->bare, m->mail_from_id))
		return;
	collect(&rows, query(t, BARE_OF, m->mail_from_id));
	if (rows.count) {
		s = query(t, OF_SENDER, m->mail_from_id);
		sqlite3_bind_int64(s, 2, taken_before);
		sqlite3_bind_int(s, 3, SIGHTING_SHARE_SENDER + 1);
		if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0) <= SIGHTING_SHARE_SENDER)
			review_since(t, &rows, shared_sender_by_too_many(t->tools.shared, m->mail_from_id) ? MARK_ALL : since_us);
		sqlite3_reset(s);
	}
	idset_fini(&rows);
}

/* Who bare mail is filed under: SRS gives one sender many addresses. */
static int64_t bare_sender(const struct mail *m)
{
	return m->mail_from_class & CLASS_SRS && m->mail_from_inner_id ? m->mail_from_inner_id : m->mail_from_id;
}

/* Who answers by his own name: that tells what his mail without DATA is (correlate.c). */
static void note_answerer(struct take *t, const struct mail *m)
{
	if (!t->answerers.count || m->mail_us < t->answerers_since_us)
		t->answerers_since_us = m->mail_us;
	idset_add(&t->answerers, bare_sender(m));
}

static void mark_answered_without_data(struct take *t)
{
	struct idset bare = { 0 };

	for (size_t i = 0; i < t->answerers.cap; i++)
		if (t->answerers.slot[i])
			collect(&bare, query(t, BARE_OF, t->answerers.slot[i]));
	for (size_t i = 0; i < bare.cap; i++)
		if (bare.slot[i]) {
			sqlite3_stmt *s = query(t, ENDED_SINCE, bare.slot[i]);

			sqlite3_bind_int64(s, 2, t->answerers_since_us - SAME_SENDER_US);
			mark_each(t, s);
		}
	idset_fini(&bare);
	idset_fini(&t->answerers);
}

/* ---- transactions ---- */

/* Where a mail that answers nothing was made, and which servers had to be known to tell that. */
static enum provenance ordinary_provenance(struct take *t, const struct mail *m)
{
	servers_record(t->tools.servers, &t->asked);
	enum provenance p = provenance_of_mail(t->tools.provenances, m);
	servers_record(t->tools.servers, NULL);
	for (size_t i = 0; i < t->asked.cap && t->asked.count; i++)
		if (t->asked.slot[i])
			run2(t, ASKED_BY_MAIL, t->asked.slot[i], m->rowid);
	idset_fini(&t->asked);
	if (!m->has_data && !m->null_sender && m->mail_from_id) {
		run2(t, BARE, bare_sender(m), m->rowid);
		maybe_add(t->bare, bare_sender(m));
	}
	return p;
}

static void write_verdict(struct take *t, const struct mail *m, const struct route *r, const struct classification *c, const struct origin *o)
{
	char ip[IP_TEXT_MAX];
	enum provenance p = !r->leaves ? PROVENANCE_NONE : kind_is_answering(c->kind) ? PROVENANCE_UNKNOWN : ordinary_provenance(t, m);
	sqlite3_stmt *s = query(t, TRANSACTION_VERDICT, m->rowid);

	sqlite3_bind_text(s, 2, direction_name(r->direction), -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, kind_name(c->kind), -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, c->rule, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 5, provenance_name(p), -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 6, o->from ? ip_format(&o->address, ip) : NULL, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 7, o->from, -1, SQLITE_STATIC);
	run(s);
}

static void note_mail(struct take *t, const struct mail *m, const struct route *r, const struct classification *c, const struct origin *o)
{
	const struct take_tools *k = &t->tools;

	if (r->leaves && m->dest_port == 25) {
		servers_note_sender(k->servers, &m->src);
		servers_note_name(k->servers, &m->src, m->helo);
	}
	if (r->direction == DIRECTION_INTERNAL && m->null_sender && m->has_message && kind_is_answering(c->kind))
		servers_add(k->servers, &m->src);	/* it makes reports, or hands them on: where it takes mail is not on the tap */
	if (r->leaves && (m->code >= 400 || m->rcpt_accepted < m->rcpt_count))
		refusals_of_mail(k->refusals, m);
	rollups_add_mail(k->rollups, m, r, kind_is_answering(c->kind));
	hygiene_of_mail(k->hygiene, m, r, c->kind);
	if (r->arrives)
		origin_senders_note(t->origin_senders, m, &o->address, m->auth == 1, &t->marks);
	else if (r->direction == DIRECTION_INTERNAL)
		origin_senders_note(t->origin_senders, m, &m->src, true, &t->marks);
	if (kind_is_answering(c->kind) || (c->open && (r->leaves || !classify_is_suspect(c)))) {
		note_answer(t, m, r, c->open);
		if (r->leaves && m->has_message && !m->null_sender)
			note_answerer(t, m);
	}
	mark_touched(t, m, r);
}

/* "bouncetap check --probe", or whoever talks like it: nothing can follow from it, so nothing is hidden by leaving it out. */
static bool is_own_probe(const struct mail *m, const struct route *r)
{
	return !r->leaves && m->null_sender && !m->has_data && probe_is_name(m->helo);
}

static void take_transaction(struct take *t, const struct mail *m)
{
	static const struct classification own_probe = { KIND_CALL_AHEAD, "own-probe", false, KIND_CALL_AHEAD };
	const struct take_tools *k = &t->tools;
	struct route r = mail_route(m, k->own);
	bool near = r.direction == DIRECTION_INTERNAL || own_is_next_hop(k->own, &m->dest) || own_is_upstream(k->own, &m->src), probe = is_own_probe(m, &r);
	struct classification c = probe ? own_probe : classify(m, near);
	struct origin o = r.arrives || r.origin_from ? origin_of(k->origins, m->rowid, &r) : (struct origin){ 0 };

	provisional_mail(k->provisional, m);
	write_verdict(t, m, &r, &c, &o);
	if (!probe)
		note_mail(t, m, &r, &c, &o);
	provisional_end(k->provisional);
	if (m->ended_us > t->last_us)
		t->last_us = m->ended_us;
	if (m->mail_us > t->last_us)	/* a clock was set back */
		t->last_us = m->mail_us;
	if (m->session_started_us > t->latest_session_us)
		t->latest_session_us = m->session_started_us;
	t->count++;
}

/* ---- what has to be looked at again ---- */

static void write_mark(struct take *t, const struct mark *m)
{
	sqlite3_stmt *s = query(t, PENDING, m->recipient_id);

	sqlite3_bind_int64(s, 2, m->finding_rowid);
	sqlite3_bind_int64(s, 3, m->since_us);
	run(s);
}

static void mark_recipients_pending(struct take *t, int64_t rowid, int64_t mail_us)
{
	sqlite3_stmt *s = query(t, RECIPIENTS, rowid);

	while (sqlite3_step(s) == SQLITE_ROW)
		write_mark(t, &(struct mark){ sqlite3_column_int64(s, 1), 0, mail_us });
	sqlite3_reset(s);
}

static void review_provenance(struct take *t, int64_t rowid)
{
	sqlite3_stmt *s = query(t, TRANSACTIONS, rowid - 1);
	struct mail m;

	sqlite3_bind_int64(s, 2, rowid);
	if (sqlite3_step(s) == SQLITE_ROW) {
		mail_read(s, t->q[REPORT], NULL, &m);
		struct classification c = classify(&m, false);
		if (mail_route(&m, t->tools.own).leaves && !kind_is_answering(c.kind)) {
			enum provenance p = ordinary_provenance(t, &m);
			sqlite3_stmt *set = query(t, SET_PROVENANCE, rowid);

			sqlite3_bind_text(set, 2, provenance_name(p), -1, SQLITE_STATIC);
			run(set);
			if (c.open)	/* an answer for all that: judging says so again */
				mark_recipients_pending(t, rowid, m.mail_us);
		}
	}
	sqlite3_reset(s);
	sqlite3_reset(t->q[REPORT]);
}

static void write_marks(struct take *t)
{
	marks_unite(&t->marks);
	for (size_t i = 0; i < t->marks.count; i++)
		write_mark(t, &t->marks.item[i]);
	marks_fini(&t->marks);
	int64_t *list = idset_sorted(&t->review);
	for (size_t i = 0; i < t->review.count; i++)
		review_provenance(t, list[i]);
	free(list);
	idset_fini(&t->review);
}

void take_news(struct take *t)
{
	struct idset news = servers_news(t->tools.servers);

	for (size_t i = 0; i < news.cap; i++)
		if (news.slot[i]) {
			mark_all(t, query(t, WHO_ASKED, news.slot[i]), MARK_ALL);
			collect(&t->review, query(t, MAIL_THAT_ASKED, news.slot[i]));
		}
	idset_fini(&news);
	write_marks(t);
}

static sqlite3_stmt *between(struct take *t, enum statement which, int64_t after, int64_t until)
{
	sqlite3_stmt *s = query(t, which, after);

	sqlite3_bind_int64(s, 2, until);
	return s;
}

static struct maybe *load(struct take *t, const char *ids)
{
	struct maybe *m = maybe_new();

	maybe_add_rows(m, db_prepare(t->tools.verdicts, ids));
	return m;
}

/* Not before there are facts to take: nothing new costs nothing. */
static void load_what_was_taken(struct take *t, int64_t taken_before)
{
	if (t->answered)
		return;
	t->answered = load(t, "SELECT recipient_id FROM answer WHERE idle = 0");
	t->awaited = load(t, "SELECT message_id_hash FROM answer_key");
	t->bare = load(t, "SELECT sender_id FROM bare");
	note_taken_until(t, taken_before);
	t->latest_domain_asked_us = db_int(t->tools.verdicts, "SELECT max(last_us) FROM finding", INT64_MIN);
	t->latest_session_us = taken_before ? (db_int(t->tools.facts, "SELECT max(session_started_us / 1000000) FROM transactions", 0) + 1) * 1000000 : INT64_MIN;
}

static void take_transactions(struct take *t, const struct take_range *r)
{
	struct idset reported = { 0 };	/* few: spares the others the look-ups */

	collect(&reported, between(t, REPORTED, r->transaction_after, r->transaction_until));
	sqlite3_stmt *s = between(t, TRANSACTIONS, r->transaction_after, r->transaction_until);
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct mail m;

		mail_read(s, idset_has(&reported, sqlite3_column_int64(s, 0)) ? t->q[REPORT] : NULL, NULL, &m);
		take_transaction(t, &m);
		if (m.rowid > r->seen_rowid && r->transaction_after)
			mark_earlier(t, &m, r->transaction_after);
	}
	sqlite3_reset(s);
	sqlite3_reset(t->q[REPORT]);
	idset_fini(&reported);
}

void take_facts(struct take *t, const struct take_range *r)
{
	load_what_was_taken(t, r->transaction_after);
	sqlite3_stmt *s = between(t, SESSIONS, r->session_after, r->session_until);

	while (sqlite3_step(s) == SQLITE_ROW)
		take_session(t, s, r->transaction_after);
	sqlite3_reset(s);
	take_transactions(t, r);
	note_taken_until(t, r->transaction_until);
	mark_answered_without_data(t);
	covered_review(t->tools.covered, rollups_flush(t->tools.rollups), &t->marks);
	take_news(t);
	hygiene_flush(t->tools.hygiene);
	servers_flush(t->tools.servers);
}

struct take *take_new(const struct take_tools *tools)
{
	struct take *t = xcalloc(1, sizeof *t);
	char *transactions = xasprintf("%s%s", mail_select, sql[TRANSACTIONS]);

	t->tools = *tools;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		t->q[i] = db_prepare(i < FACTS_COUNT ? tools->facts : tools->verdicts, i == TRANSACTIONS ? transactions : sql[i]);
	free(transactions);
	t->origin_senders = origin_senders_new(tools->verdicts, tools->own);
	t->last_us = db_int(tools->verdicts, "SELECT last_us FROM meta", 0);
	return t;
}

void take_free(struct take *t)
{
	if (!t)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(t->q[i]);
	origin_senders_free(t->origin_senders);
	maybe_free(t->answered);
	maybe_free(t->awaited);
	maybe_free(t->bare);
	marks_fini(&t->marks);
	idset_fini(&t->review);
	idset_fini(&t->shared_by_too_many);
	idset_fini(&t->crowded);
	free(t);
}

int64_t take_last_us(const struct take *t)
{
	return t->last_us;
}

long long take_count(const struct take *t)
{
	return t->count;
}
