/*
 * analyze.c - see analyze.h. One slice of batches:
 *
 *   sessions -> servers, coverage, refusals
 *   transactions -> direction, kind, origin; what they touch is marked
 *   marked recipients -> correlate, judge, findings
 *   risk; the mark of how far we are
 *
 * What is marked are recipients of answering mail whose verdict a new fact may change, so that the order of facts does not matter.
 */
#include "analyzer/analyze.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "analyzer/classify.h"
#include "analyzer/correlate.h"
#include "analyzer/domain.h"
#include "analyzer/finding.h"
#include "analyzer/hygiene.h"
#include "analyzer/idset.h"
#include "analyzer/judge.h"
#include "analyzer/mail.h"
#include "analyzer/origin.h"
#include "analyzer/policy.h"
#include "analyzer/provenance.h"
#include "analyzer/refusal.h"
#include "analyzer/rollup.h"
#include "analyzer/servers.h"
#include "reader/software.h"
#include "common/buf.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum {
	SLICE_TRANSACTIONS = 200000,	/* about a second of work: readers see progress, a crash loses little */
	SENDERS_KEPT = 8,		/* domains per origin; the rule asks for JUDGE_MANY_SENDERS */
};

enum statement {
	/* of facts.db */
	BATCHES, BATCH, SESSIONS, TRANSACTIONS, RECIPIENTS, EARLIER_WITH_HASH, EARLIER_OF_SENDER, FACTS_COUNT,
	/* of verdicts.db */
	EARLIER_BY_INNER = FACTS_COUNT, SESSION_VERDICT, TRANSACTION_VERDICT, ANSWER, ANSWER_KEY, AUTHOR, ORIGIN_SENDER, ORIGIN_COUNT,
	FINDINGS_OF_ORIGIN, UNEXPLAINED_NEAR, WAITING_FOR, ALL_ANSWERED, SET_PROVENANCE, SETTLE, MARK, STATEMENT_COUNT
};

static const char *const sql[STATEMENT_COUNT] = {
	[BATCHES] = "SELECT seq, session_rowid, transaction_rowid FROM batch WHERE seq > ?1 ORDER BY seq",
	[BATCH] = "SELECT session_rowid, transaction_rowid FROM batch WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1",
	[SESSIONS] = ("SELECT id, session_id, src_ip, dest_ip, dest_port, started_us, ended_us, outcome, banner_code, banner, helo, ehlo_keywords,"
		" refusal_code, refusal, tls, auth, complete, notes, proxy, xclient, xforward FROM sessions WHERE id > ?1 AND id <= ?2 ORDER BY id"),
	[TRANSACTIONS] = "WHERE t.id > ?1 AND t.id <= ?2 ORDER BY t.id",	/* behind mail_select */
	[RECIPIENTS] = "SELECT n, address_id FROM recipients WHERE transaction_rowid = ?1",
	[EARLIER_WITH_HASH] = "SELECT transaction_rowid FROM messages WHERE message_id_hash = ?1 AND transaction_rowid <= ?2 LIMIT 500",
	[EARLIER_OF_SENDER] = "SELECT id FROM transactions WHERE mail_from_id = ?1 AND null_sender = 0 AND bytes_seen IS NULL AND id <= ?2 LIMIT 500",
	[EARLIER_BY_INNER] = "SELECT transaction_rowid FROM author WHERE address_id = ?1 AND transaction_rowid <= ?2 LIMIT 500",
	[SESSION_VERDICT] = "INSERT OR REPLACE INTO session_verdict VALUES (?1, ?2, ?3)",
	[TRANSACTION_VERDICT] = "INSERT OR REPLACE INTO transaction_verdict VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'clear')",
	[ANSWER] = "INSERT OR IGNORE INTO answer VALUES (?1, ?2, ?3)",
	[ANSWER_KEY] = "INSERT OR IGNORE INTO answer_key VALUES (?1, ?2)",
	[AUTHOR] = "INSERT OR IGNORE INTO author VALUES (?1, ?2)",
	[ORIGIN_SENDER] = "INSERT OR IGNORE INTO origin_sender SELECT ?1, ?2 WHERE (SELECT count(*) FROM origin_sender WHERE origin_ip = ?1) < ?3",
	[ORIGIN_COUNT] = "SELECT count(*) FROM origin_sender WHERE origin_ip = ?1",
	[FINDINGS_OF_ORIGIN] = "SELECT recipient_id FROM finding WHERE origin_ip = ?1",
	[UNEXPLAINED_NEAR] = "SELECT recipient_id FROM finding WHERE settled = 0 AND last_us >= ?1 AND first_us <= ?2 AND cause_rowid IS NULL",
	[WAITING_FOR] = "SELECT recipient_id FROM answer_key WHERE message_id_hash = ?1",
	[ALL_ANSWERED] = "SELECT DISTINCT recipient_id FROM answer",
	[SET_PROVENANCE] = "UPDATE transaction_verdict SET provenance = ?2 WHERE transaction_rowid = ?1 AND provenance IS NOT ?2",
	[SETTLE] = "UPDATE finding SET settled = 1 WHERE settled = 0 AND last_us < ?1",
	[MARK] = "UPDATE meta SET analyzed_seq = ?1, now_us = ?2, last_us = ?3",
};

struct analysis {
	struct analysis_options options;
	int lock_fd;
	sqlite3 *facts, *verdicts;
	struct db_files files;	/* of facts, as they were opened */
	struct own *own;
	struct servers *servers;
	struct origins *origins;
	struct judge *judge;
	struct provenances *provenances;
	struct correlate *correlate;
	struct findings *findings;
	struct refusals *refusals;
	struct rollups *rollups;
	struct hygiene *hygiene;
	sqlite3_stmt *q[STATEMENT_COUNT];
	struct idset marked;	/* recipients to judge (again) */
	bool servers_changed;	/* a name or server of ours is new: it may be in any report */
	long long analyzed_seq, last_us, count;
	int64_t fresh_rowid;	/* transactions above it belong to the current slice */
};

/* ---- statements ---- */

static sqlite3_stmt *query(struct analysis *a, enum statement which, int64_t v)
{
	sqlite3_reset(a->q[which]);
	sqlite3_bind_int64(a->q[which], 1, v);
	return a->q[which];
}

static void run(sqlite3_stmt *s)
{
	sqlite3_step(s);
	sqlite3_reset(s);
}

static void run2(struct analysis *a, enum statement which, int64_t x, int64_t y)
{
	sqlite3_stmt *s = query(a, which, x);

	sqlite3_bind_int64(s, 2, y);
	run(s);
}

static void mark_all(struct analysis *a, sqlite3_stmt *s)
{
	while (sqlite3_step(s) == SQLITE_ROW)
		idset_add(&a->marked, sqlite3_column_int64(s, 0));
	sqlite3_reset(s);
}

/* ---- sessions ---- */

enum session_column { S_ID, S_SESSION_ID, S_SRC, S_DEST, S_DEST_PORT, S_STARTED, S_ENDED, S_OUTCOME, S_BANNER_CODE, S_BANNER, S_HELO, S_KEYWORDS,
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

static void learn_name(struct analysis *a, struct server *server, struct text name)
{
	if (server && name.p)
		a->servers_changed |= servers_add_name(a->servers, server, name);
}

static struct server *learn_server(struct analysis *a, const struct ip_addr *address)
{
	a->servers_changed |= !servers_find(a->servers, address);
	return servers_add(a->servers, address);
}

/* Ours that answered is a server; ours that called an outside port 25 is one that sends. */
static void learn_servers(struct analysis *a, sqlite3_stmt *s, const struct session *x)
{
	if (own_has(a->own, &x->dest) && (sqlite3_column_int(s, S_BANNER_CODE) || x->encrypted)) {
		struct server *server = learn_server(a, &x->dest);

		server->dirty |= !server->serves || (x->software && !server->software);
		server->serves = true;
		if (!server->software)
			server->software = x->software;
		learn_name(a, server, first_word(column_text(s, S_BANNER)));
	}
	if (x->route.leaves && sqlite3_column_int(s, S_DEST_PORT) == 25)
		learn_server(a, &x->src);
	if (own_has(a->own, &x->src))
		learn_name(a, servers_find(a->servers, &x->src), column_text(s, S_HELO));
}

static void add_to_sums(struct analysis *a, sqlite3_stmt *s, const struct session *x)
{
	struct rollup_session r = { .src = x->src, .dest = x->dest, .route = &x->route, .started_us = sqlite3_column_int64(s, S_STARTED),
		.encrypted = x->encrypted, .one_sided = text_find_nocase(column_text(s, S_NOTES), "one-sided") >= 0,
		.incomplete = !sqlite3_column_int(s, S_COMPLETE) };
	struct hygiene_session h = { .rowid = sqlite3_column_int64(s, S_ID), .started_us = r.started_us, .src = x->src, .dest = x->dest,
		.dest_port = sqlite3_column_int(s, S_DEST_PORT), .route = &x->route, .ehlo_keywords = column_text(s, S_KEYWORDS),
		.encrypted = x->encrypted, .authenticated = sqlite3_column_int(s, S_AUTH) };

	rollups_add_session(a->rollups, &r);
	read_session_id(s, h.session_id);
	hygiene_of_session(a->hygiene, &h);
}

static void note_refusal(struct analysis *a, sqlite3_stmt *s, const struct session *x)
{
	struct refusal_session r = { .src = x->src, .dest = x->dest, .code = sqlite3_column_int(s, S_REFUSAL_CODE),
		.reply = column_text(s, S_REFUSAL), .at_us = sqlite3_column_int64(s, S_ENDED) };

	if (!x->route.leaves || r.code < 400)
		return;
	read_session_id(s, r.session_id);
	refusals_of_session(a->refusals, &r);
}

static void read_ip(struct text t, struct ip_addr *out)
{
	if (!t.p || ip_parse(t.p, t.len, out))
		*out = (struct ip_addr){ 0 };
}

static void take_session(struct analysis *a, sqlite3_stmt *s)
{
	struct session x = { .software = software_of(column_text(s, S_BANNER), column_text(s, S_KEYWORDS)) };
	struct text tls = column_text(s, S_TLS);

	read_ip(column_text(s, S_SRC), &x.src);
	read_ip(column_text(s, S_DEST), &x.dest);
	x.route = own_route(a->own, &x.src, &x.dest, column_text(s, S_PROXY), column_text(s, S_XCLIENT), column_text(s, S_XFORWARD));
	x.encrypted = text_equal(column_text(s, S_OUTCOME), TEXT("encrypted")) || text_equal(tls, TEXT("starttls"))
		   || text_equal(tls, TEXT("implicit"));
	sqlite3_stmt *q = query(a, SESSION_VERDICT, sqlite3_column_int64(s, S_ID));
	sqlite3_bind_text(q, 2, direction_name(x.route.direction), -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 3, x.software, -1, SQLITE_STATIC);
	run(q);
	learn_servers(a, s, &x);
	add_to_sums(a, s, &x);
	note_refusal(a, s, &x);
	if (sqlite3_column_int64(s, S_ENDED) > a->last_us)
		a->last_us = sqlite3_column_int64(s, S_ENDED);
}

/* ---- transactions ---- */

/* The same origin with a third unrelated sender changes what is said about its earlier mail. */
static void note_origin_sender(struct analysis *a, const struct mail *m, const struct origin *o)
{
	char ip[IP_TEXT_MAX], domain[256];
	struct text d = domain_registrable(m->mail_from_domain);

	if (!o->address.version || m->auth == 1 || m->null_sender || !d.p || d.len == 0 || d.len >= sizeof domain)
		return;
	sqlite3_stmt *s = a->q[ORIGIN_SENDER];
	sqlite3_bind_text(s, 1, ip_format(&o->address, ip), -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, d.p, (int)d.len, SQLITE_STATIC);
	sqlite3_bind_int(s, 3, SENDERS_KEPT);
	run(s);
	if (!sqlite3_changes(a->verdicts))
		return;
	s = a->q[ORIGIN_COUNT];
	sqlite3_bind_text(s, 1, ip, -1, SQLITE_STATIC);
	bool crossed = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0) == JUDGE_MANY_SENDERS;
	sqlite3_reset(s);
	if (crossed) {
		sqlite3_bind_text(a->q[FINDINGS_OF_ORIGIN], 1, ip, -1, SQLITE_STATIC);
		mark_all(a, a->q[FINDINGS_OF_ORIGIN]);
	}
}

/* Answers of any direction: even where no finding can follow, other mail tells what a refused dialogue was. */
static void note_answer(struct analysis *a, const struct mail *m)
{
	const int64_t keys[] = { m->message_id_hash, m->returned_hash, m->original_message_id_hash, m->in_reply_to_hash };
	sqlite3_stmt *s = query(a, RECIPIENTS, m->rowid);

	while (sqlite3_step(s) == SQLITE_ROW) {
		int64_t recipient = sqlite3_column_int64(s, 1);

		sqlite3_bind_int(a->q[ANSWER], 3, sqlite3_column_int(s, 0));
		run2(a, ANSWER, recipient, m->rowid);
		for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
			if (keys[i])
				run2(a, ANSWER_KEY, keys[i], recipient);
		idset_add(&a->marked, recipient);
	}
	sqlite3_reset(s);
}

/* Autoreplies go to From or Reply-To, which need not be the MAIL FROM. */
static void note_author(struct analysis *a, const struct mail *m, int64_t address_id)
{
	if (!address_id || address_id == m->mail_from_id)
		return;
	run2(a, AUTHOR, address_id, m->rowid);
	idset_add(&a->marked, address_id);
}

static void set_provenance(struct analysis *a, int64_t rowid, enum provenance p)
{
	sqlite3_stmt *s = query(a, SET_PROVENANCE, rowid);

	sqlite3_bind_text(s, 2, provenance_name(p), -1, SQLITE_STATIC);
	run(s);
}

/* Mail of an earlier slice with the Message-ID, or the sender, of one that came late: it may turn out to have been passed on. */
static void review_provenance(struct analysis *a, enum statement earlier, int64_t key)
{
	sqlite3_stmt *s = query(a, earlier, key);
	struct idset rows = { 0 };

	sqlite3_bind_int64(s, 2, a->fresh_rowid);
	while (sqlite3_step(s) == SQLITE_ROW)
		idset_add(&rows, sqlite3_column_int64(s, 0));
	sqlite3_reset(s);
	int64_t *list = idset_sorted(&rows);
	for (size_t i = 0; i < rows.count; i++) {
		struct mail m;

		s = a->q[TRANSACTIONS];
		sqlite3_reset(s);
		sqlite3_bind_int64(s, 1, list[i] - 1);
		sqlite3_bind_int64(s, 2, list[i]);
		if (sqlite3_step(s) != SQLITE_ROW)
			continue;
		mail_read(s, NULL, &m);
		if (mail_route(&m, a->own).leaves && !kind_is_answering(classify(&m, false).kind))
			set_provenance(a, m.rowid, provenance_of_mail(a->provenances, &m));
		sqlite3_reset(s);
	}
	free(list);
	idset_fini(&rows);
}

static void review_late(struct analysis *a, enum statement earlier, const struct idset *keys)
{
	int64_t *list = idset_sorted(keys);

	for (size_t i = 0; i < keys->count; i++)
		review_provenance(a, earlier, list[i]);
	free(list);
}

static void write_verdict(struct analysis *a, const struct mail *m, const struct route *r, const struct classification *c, const struct origin *o)
{
	char ip[IP_TEXT_MAX];
	sqlite3_stmt *s = query(a, TRANSACTION_VERDICT, m->rowid);
	enum provenance p = !r->leaves ? PROVENANCE_NONE : kind_is_answering(c->kind) ? PROVENANCE_UNKNOWN : provenance_of_mail(a->provenances, m);

	sqlite3_bind_text(s, 2, direction_name(r->direction), -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, kind_name(c->kind), -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 4, c->rule, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 5, provenance_name(p), -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 6, o->from ? ip_format(&o->address, ip) : NULL, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 7, o->from, -1, SQLITE_STATIC);
	run(s);
}

static void mark_touched(struct analysis *a, const struct mail *m, const struct route *r)
{
	if (!m->null_sender)
		idset_add(&a->marked, m->mail_from_id);
	if (r->arrives && m->outcome == MAIL_ACCEPTED) {
		note_author(a, m, m->from_id);
		note_author(a, m, m->reply_to_id);
	}
	note_author(a, m, m->mail_from_inner_id);
	if (r->arrives && m->null_sender && m->outcome == MAIL_ACCEPTED) {	/* what we seem to have made may be this, passed on */
		sqlite3_stmt *s = query(a, UNEXPLAINED_NEAR, m->mail_us - SIGHTING_SLACK_US);

		sqlite3_bind_int64(s, 2, m->ended_us + PROVENANCE_PASS_US);
		mark_all(a, s);
	}
	if (!m->message_id_hash)
		return;
	mark_all(a, query(a, WAITING_FOR, m->message_id_hash));
}

static void take_transaction(struct analysis *a, const struct mail *m)
{
	struct route r = mail_route(m, a->own);
	bool near = r.direction == DIRECTION_INTERNAL || own_is_next_hop(a->own, &m->dest) || own_is_upstream(a->own, &m->src);
	struct classification c = classify(m, near);
	struct origin o = r.arrives || r.origin_from ? origin_of(a->origins, m->rowid, &r) : (struct origin){ 0 };

	if (r.leaves && m->dest_port == 25)
		learn_name(a, learn_server(a, &m->src), m->helo);
	write_verdict(a, m, &r, &c, &o);
	if (r.leaves && (m->code >= 400 || m->rcpt_accepted < m->rcpt_count))
		refusals_of_mail(a->refusals, m);
	rollups_add_mail(a->rollups, m, &r, kind_is_answering(c.kind));
	hygiene_of_mail(a->hygiene, m, &r, c.kind);
	if (r.arrives)
		note_origin_sender(a, m, &o);
	if (kind_is_answering(c.kind) || c.open)
		note_answer(a, m);
	mark_touched(a, m, &r);
	if (m->ended_us > a->last_us)
		a->last_us = m->ended_us;
	a->count++;
}

/* ---- a slice ---- */

struct range {
	int64_t seq, session_rowid, transaction_rowid;
};

static struct range range_until(struct analysis *a, long long seq)
{
	sqlite3_stmt *s = query(a, BATCH, seq);
	struct range r = { seq, 0, 0 };

	if (sqlite3_step(s) == SQLITE_ROW) {
		r.session_rowid = sqlite3_column_int64(s, 0);
		r.transaction_rowid = sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
	return r;
}

/* False when there is nothing new. */
static bool next_range(struct analysis *a, const struct range *from, struct range *to)
{
	sqlite3_stmt *s = query(a, BATCHES, from->seq);
	bool found = false;

	*to = *from;
	while (sqlite3_step(s) == SQLITE_ROW) {
		*to = (struct range){ sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2) };
		found = true;
		if (to->transaction_rowid - from->transaction_rowid >= SLICE_TRANSACTIONS)
			break;
	}
	sqlite3_reset(s);
	return found;
}

static sqlite3_stmt *between(struct analysis *a, enum statement which, int64_t after, int64_t until)
{
	sqlite3_stmt *s = query(a, which, after);

	sqlite3_bind_int64(s, 2, until);
	return s;
}

static void take_facts(struct analysis *a, const struct range *from, const struct range *to)
{
	sqlite3_stmt *s = between(a, SESSIONS, from->session_rowid, to->session_rowid);
	struct idset late = { 0 }, late_senders = { 0 };

	while (sqlite3_step(s) == SQLITE_ROW)
		take_session(a, s);
	sqlite3_reset(s);
	s = between(a, TRANSACTIONS, from->transaction_rowid, to->transaction_rowid);
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct mail m;

		mail_read(s, NULL, &m);
		take_transaction(a, &m);
		if (from->transaction_rowid && m.message_id_hash)
			idset_add(&late, m.message_id_hash);
		if (from->transaction_rowid && !m.null_sender && mail_route(&m, a->own).arrives)
			idset_add(&late_senders, m.mail_from_id);
	}
	sqlite3_reset(s);
	review_late(a, EARLIER_WITH_HASH, &late);
	review_late(a, EARLIER_OF_SENDER, &late_senders);
	review_late(a, EARLIER_BY_INNER, &late_senders);
	idset_fini(&late);
	idset_fini(&late_senders);
}

static void judge_marked(struct analysis *a)
{
	if (a->servers_changed)
		mark_all(a, a->q[ALL_ANSWERED]);
	int64_t *list = idset_sorted(&a->marked);
	for (size_t i = 0; i < a->marked.count; i++) {
		struct victim v;

		if (correlate_victim(a->correlate, list[i], &v))
			findings_write(a->findings, &v, a->fresh_rowid);
		victim_fini(&v);
	}
	free(list);
	idset_fini(&a->marked);
	a->servers_changed = false;
}

static int64_t now_of(const struct analysis *a)
{
	return a->options.now_us ? a->options.now_us : a->options.now_is_last ? a->last_us : time_now_us();
}

static void finish_slice(struct analysis *a, long long seq)
{
	servers_flush(a->servers);
	rollups_flush(a->rollups);
	hygiene_flush(a->hygiene);
	run(query(a, SETTLE, a->last_us - SIGHTING_WINDOW_US));
	policy_write_risk(a->verdicts, a->options.lists, now_of(a));
	sqlite3_stmt *s = query(a, MARK, seq);
	sqlite3_bind_int64(s, 2, now_of(a));
	sqlite3_bind_int64(s, 3, a->last_us);
	run(s);
	a->analyzed_seq = seq;
}

/* 1: a slice was judged, 0: nothing new, -1: failed. The read transaction on facts.db lasts one slice. */
static int judge_slice(struct analysis *a, char *error, size_t size)
{
	struct range from, to;
	int result = 1;

	if (db_exec(a->facts, "BEGIN", error, size))
		return -1;
	from = range_until(a, a->analyzed_seq);
	if (!next_range(a, &from, &to)) {
		db_exec(a->facts, "COMMIT", NULL, 0);
		return 0;
	}
	if (db_exec(a->verdicts, "BEGIN IMMEDIATE", error, size) == 0) {
		a->fresh_rowid = from.transaction_rowid;
		take_facts(a, &from, &to);
		judge_marked(a);
		finish_slice(a, to.seq);
		if (db_exec(a->verdicts, "COMMIT", error, size)) {
			db_exec(a->verdicts, "ROLLBACK", NULL, 0);
			result = -1;
		}
	} else
		result = -1;
	db_exec(a->facts, "COMMIT", NULL, 0);
	return result;
}

/* Without a new fact, a new time or new lists may still change the risk. */
static int judge_again(struct analysis *a, char *error, size_t size)
{
	if (db_exec(a->verdicts, "BEGIN IMMEDIATE", error, size))
		return -1;
	finish_slice(a, a->analyzed_seq);
	return db_exec(a->verdicts, "COMMIT", error, size);
}

int analysis_run(struct analysis *a, char *error, size_t error_size)
{
	int judged = 0, slice;

	while ((slice = judge_slice(a, error, error_size)) > 0)
		judged++;
	if (slice < 0)
		return -1;
	return judged ? 0 : judge_again(a, error, error_size);
}

int analysis_follow(struct analysis *a, const volatile int *stop, char *error, size_t error_size)
{
	long long version = -1;

	while (!*stop) {
		if (db_files_moved(a->options.store, DB_FACTS, &a->files))
			return 1;
		long long v = db_int(a->facts, "PRAGMA data_version", 0);

		if (v != version) {
			int slice;

			version = v;
			while ((slice = judge_slice(a, error, error_size)) > 0 && !*stop)
				;
			if (slice < 0)
				return -1;
		}
		sleep(1);
	}
	return 0;
}

/* ---- opening ---- */

static int take_lock(const char *store, bool *busy, char *error, size_t size)
{
	char *path = xasprintf("%s/analyze.lock", store);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		snprintf(error, size, "%s: %s", path, strerror(errno));
	else if (flock(fd, LOCK_EX | LOCK_NB)) {
		*busy = errno == EWOULDBLOCK;
		snprintf(error, size, *busy ? "%s: another analyzer is at work on this store" : "%s: cannot be locked", path);
		close(fd);
		fd = -1;
	}
	free(path);
	return fd;
}

/* SHA-256, as hex, of what verdicts depend on beside facts. */
static void hash_inputs(const struct analysis *a, char out[65])
{
	struct buf b = { 0 };
	unsigned char digest[32];
	unsigned n = sizeof digest;

	own_write(a->own, &b);
	buf_printf(&b, "rules %llx %llx\n", (unsigned long long)classify_version(), (unsigned long long)judge_version());
	for (size_t i = 0; i < a->options.lists->count; i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&text, &len);

		if (!f)
			abort();
		list_write(&a->options.lists->item[i], f);
		fclose(f);
		buf_printf(&b, "list %s\n", a->options.lists->item[i].id);
		buf_add(&b, text, len);
		free(text);
	}
	EVP_Digest(b.p, b.len, digest, &n, EVP_sha256(), NULL);
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	buf_fini(&b);
}

static int empty_verdicts(struct analysis *a, const char *store_id, const char *inputs, char *error, size_t size)
{
	static const char *const tables[] = { "meta", "session_verdict", "transaction_verdict", "server", "server_name", "own_coverage", "own_mail_hour", "own_hygiene",
		"relay", "answer", "answer_key", "author", "origin_sender", "change", "finding", "finding_attempt", "finding_alias", "finding_reason", "finding_hour",
		"finding_defect", "risk", "risk_reason", "refusal" };
	struct buf b = { 0 };

	buf_add_str(&b, "BEGIN IMMEDIATE;");
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		buf_printf(&b, "DELETE FROM %s;", tables[i]);
	char *meta = sqlite3_mprintf("INSERT INTO meta VALUES (%Q, 0, %Q, 0, 0);COMMIT", store_id, inputs);
	buf_add_str(&b, meta);
	sqlite3_free(meta);
	int result = db_exec(a->verdicts, buf_cstr(&b), error, size);
	if (result)
		db_exec(a->verdicts, "ROLLBACK", NULL, 0);
	buf_fini(&b);
	return result;
}

static void say(const struct analysis *a, const char *text)
{
	if (a->options.say)
		fprintf(a->options.say, "bouncetap: %s\n", text);
}

/* Verdicts of another store, of other inputs, or unwanted ones are thrown away. */
static int check_inputs(struct analysis *a, char *error, size_t size)
{
	char facts_id[64] = "", verdicts_id[64] = "", inputs[65], old_inputs[65] = "";

	hash_inputs(a, inputs);
	if (db_text(a->facts, "SELECT store_id FROM meta", facts_id, sizeof facts_id)) {
		snprintf(error, size, "%s/facts.db: has no store_id; bouncetapd has not finished making it", a->options.store);
		return -1;
	}
	bool fresh = db_text(a->verdicts, "SELECT store_id FROM meta", verdicts_id, sizeof verdicts_id) != 0;
	db_text(a->verdicts, "SELECT inputs FROM meta", old_inputs, sizeof old_inputs);
	bool other = strcmp(facts_id, verdicts_id) != 0, changed = strcmp(inputs, old_inputs) != 0;
	if (!fresh && other)
		say(a, "facts.db is another store than the verdicts were about: starting anew");
	else if (!fresh && changed && !a->options.rebuild)
		say(a, "own networks, rules or lists changed: judging everything again");
	if ((fresh || other || changed || a->options.rebuild) && empty_verdicts(a, facts_id, inputs, error, size))
		return -1;
	a->analyzed_seq = db_int(a->verdicts, "SELECT analyzed_seq FROM meta", 0);
	a->last_us = db_int(a->verdicts, "SELECT last_us FROM meta", 0);
	return 0;
}

static void prepare_all(struct analysis *a)
{
	char *transactions = xasprintf("%s%s", mail_select, sql[TRANSACTIONS]);

	for (int i = 0; i < STATEMENT_COUNT; i++)
		a->q[i] = db_prepare(i < FACTS_COUNT ? a->facts : a->verdicts, i == TRANSACTIONS ? transactions : sql[i]);
	free(transactions);
	a->servers = servers_new(a->verdicts, a->own);
	a->origins = origins_new(a->facts, a->own);
	a->judge = judge_new(a->facts, a->verdicts, a->own, a->servers, a->origins);
	a->provenances = provenances_new(a->facts, a->own, a->servers);
	a->correlate = correlate_new(a->facts, a->verdicts, a->own, a->provenances);
	a->hygiene = hygiene_new(a->facts, a->verdicts, a->own);
	a->rollups = rollups_new(a->verdicts, a->own);
	a->findings = findings_new(a->verdicts, a->own, a->servers, a->judge, a->hygiene);
	a->refusals = refusals_new(a->facts, a->verdicts, a->own, a->servers, a->options.lists);
}

struct analysis *analysis_open(const struct analysis_options *o, bool *busy, char *error, size_t error_size)
{
	struct analysis *a = xcalloc(1, sizeof *a);
	unsigned present;

	a->options = *o;
	a->own = own_new(o->config);
	a->lock_fd = -1;
	*busy = false;
	a->facts = db_open_read(o->store, &present, error, error_size);
	if (!a->facts)
		goto fail;
	a->lock_fd = take_lock(o->store, busy, error, error_size);
	if (a->lock_fd < 0)
		goto fail;
	a->verdicts = db_open_write(o->store, DB_VERDICTS, DB_BUSY_MS, NULL, error, error_size);
	if (!a->verdicts || check_inputs(a, error, error_size))
		goto fail;
	db_files_look(o->store, DB_FACTS, &a->files);
	db_exec(a->facts, "PRAGMA cache_size = -65536; PRAGMA mmap_size = 1073741824", NULL, 0);
	db_exec(a->verdicts, "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16384", NULL, 0);
	prepare_all(a);
	return a;
fail:
	analysis_close(a);
	return NULL;
}

long long analysis_count(const struct analysis *a)
{
	return a->count;
}

void analysis_close(struct analysis *a)
{
	if (!a)
		return;
	refusals_free(a->refusals);
	rollups_free(a->rollups);
	hygiene_free(a->hygiene);
	findings_free(a->findings);
	correlate_free(a->correlate);
	provenances_free(a->provenances);
	judge_free(a->judge);
	origins_free(a->origins);
	servers_free(a->servers);
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(a->q[i]);
	if (a->verdicts)
		db_exec(a->verdicts, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, 0);
	sqlite3_close(a->verdicts);
	sqlite3_close(a->facts);
	own_free(a->own);
	if (a->lock_fd >= 0)
		close(a->lock_fd);
	free(a);
}
