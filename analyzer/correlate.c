/*
 * correlate.c - see correlate.h. By MAIL time, never by the connection's: servers reuse connections, so the SYN of one that carries a
 * bounce may be older than the mail that caused it.
 *
 *   close open kinds -> cause of each answer -> root cause -> group attempts -> who takes his mail -> provenance
 */
#include "analyzer/correlate.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/attempts.h"
#include "analyzer/provenance.h"
#include "common/xmalloc.h"
#include "schema/db.h"

/* A callout is made while the inbound client waits for its RCPT; Postfix answers it up to some polls later. */
#define PROBE_US INT64_C(60000000)
/* Programs that answer in a person's name do so at once; some minutes for a queue in between. */
#define ANSWERS_WITHIN_US (INT64_C(10) * 60 * 1000000)

/* Stock servers tell of a delay after hours and give up after two days or more (RFC 5321 4.5.4.1 asks for four). */
#define GIVEN_UP_US (INT64_C(36) * 3600 * 1000000)

#define REPORTED \
	"(SELECT final_id FROM report_recipients WHERE transaction_rowid = ?2 UNION ALL" \
	" SELECT original_id FROM report_recipients WHERE transaction_rowid = ?2)"

/* What a hop said about one recipient: its RCPT, or what decided the whole; a RCPT that was pipelined behind a refused MAIL says nothing. */
#define DECIDING(column) "iif(r.code >= 400 AND coalesce(t.mail_code, 0) < 400, r." column ", t." column ")"

enum statement { OF_SENDER, REPORT, BY_ROWID, RCPT_FITS, RCPT_DOMAIN_FITS, OPEN_OF_DOMAIN, QUEUE_ID_FITS, REFUSED_RCPT, STATEMENT_COUNT };

static const char *const sql[STATEMENT_COUNT] = {
	/* Behind mail_select. ?1 sender, ?2 ?3 from and until: the nearest ones are enough, an autoresponder says the same to everybody */
	[OF_SENDER] = "WHERE t.mail_from_id = ?1 AND m.transaction_rowid IS NOT NULL AND coalesce(t.mail_us, t.started_us) BETWEEN ?2 AND ?3"
		" ORDER BY coalesce(t.mail_us, t.started_us), t.id LIMIT 64",
	[REPORT] = mail_report_select,
	[BY_ROWID] = sighting_sql_by_rowid,
	/* ?1 the candidate, ?2 the answer, ?3 ?4 who wrote the answer */
	[RCPT_FITS] = "SELECT 1 FROM recipients WHERE transaction_rowid = ?1 AND (address_id IN " REPORTED " OR address_id IN (?3, ?4)) LIMIT 1",
	[RCPT_DOMAIN_FITS] = "SELECT 1 FROM recipients WHERE transaction_rowid = ?1 AND substr(address, -length(?2) - 1) = '@' || ?2 LIMIT 1",
	/* ?1 a time, ?2 ?3 about it, ?4 until when to look, ?5 the server that took it, ?6 the sender's domain: of those that had begun the next that ended,
	   else the one that had just ended. Ends are in the order in which facts come, so what comes later is no better. */
	[OPEN_OF_DOMAIN] = "SELECT id FROM (SELECT id, ended_us, coalesce(mail_us, started_us) AS at_us, dest_ip, mail_from FROM transactions"
		" WHERE ended_us BETWEEN ?2 AND ?4 ORDER BY ended_us LIMIT 512)"
		" WHERE at_us <= ?3 AND dest_ip = ?5 AND substr(mail_from, -length(?6) - 1) = '@' || ?6 ORDER BY ended_us < ?1, abs(ended_us - ?1), id LIMIT 1",
	[QUEUE_ID_FITS] = "SELECT 1 FROM received WHERE transaction_rowid = ?1 AND part = 1 AND queue_id = ?2 LIMIT 1",
	/* ?1 the hop that refused, ?2 the answer, ?3 the cause, ?4 whether any recipient will do: first the one that the report names */
	[REFUSED_RCPT] = "SELECT " DECIDING("code") ", " DECIDING("enhanced") ", " DECIDING("reply")
		" FROM recipients r JOIN transactions t ON t.id = r.transaction_rowid"
		" WHERE r.transaction_rowid = ?1 AND (r.code >= 400 OR t.outcome = 'rejected') AND (r.address_id IN " REPORTED
		" OR r.address_id IN (SELECT address_id FROM recipients WHERE transaction_rowid = ?3) OR ?4)"
		" ORDER BY r.address_id IN " REPORTED " DESC, r.n LIMIT 1",
};

struct correlate {
	const struct own *own;
	struct provenances *provenances;
	struct shared *shared;
	sqlite3_stmt *q[STATEMENT_COUNT];
};

struct correlate *correlate_new(sqlite3 *facts, const struct own *own, struct provenances *provenances, struct shared *shared)
{
	struct correlate *c = xcalloc(1, sizeof *c);

	c->own = own;
	c->provenances = provenances;
	c->shared = shared;
	for (int i = 0; i < STATEMENT_COUNT; i++) {
		char *text = xasprintf("%s%s", i == OF_SENDER ? mail_select : "", sql[i]);

		c->q[i] = db_prepare(facts, text);
		free(text);
	}
	return c;
}

void correlate_free(struct correlate *c)
{
	if (!c)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(c->q[i]);
	free(c);
}

/* A statement with its first integer parameters bound, ready to step. */
static sqlite3_stmt *query(struct correlate *c, enum statement which, int n, const int64_t *v)
{
	sqlite3_stmt *s = c->q[which];

	sqlite3_reset(s);
	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(s, i + 1, v[i]);
	return s;
}

#define QUERY(c, which, ...) \
	query(c, which, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (const int64_t[]){ __VA_ARGS__ })

static bool is_true(sqlite3_stmt *s)
{
	bool row = sqlite3_step(s) == SQLITE_ROW;

	sqlite3_reset(s);
	return row;
}

static struct text keep(struct victim *v, struct text t)
{
	return t.p ? arena_copy(&v->arena, t.p, t.len, t.len, NULL) : t;
}

/* ---- causes ---- */

/* From outside, or handed in by a client inside. */
static bool reaches_us(const struct sighting *s)
{
	return s->route.arrives || s->route.direction == DIRECTION_INTERNAL;
}

/* Nobody answers a mail before he has all of it. */
static bool came_before(const struct sighting *s, const struct answer *a)
{
	int64_t taken_us = s->reply_us ? s->reply_us : s->mail_us;

	return reaches_us(s) && taken_us <= a->mail.mail_us + SIGHTING_SLACK_US && s->rowid != a->mail.rowid;
}

static bool could_cause(const struct sighting *s, const struct answer *a)
{
	return s->outcome == MAIL_ACCEPTED && came_before(s, a);
}

static bool recipient_fits(struct correlate *c, const struct sighting *s, const struct answer *a)
{
	return is_true(QUERY(c, RCPT_FITS, s->rowid, a->mail.rowid, a->mail.null_sender ? 0 : a->mail.mail_from_id, a->mail.from_id));
}

/* Of equally good ones from outside the latest; inside, one mail passes several hops, and the first of them is nearest to who sent it. */
static bool is_nearer(const struct sighting *s, const struct sighting *best)
{
	return s->route.arrives ? s->mail_us > best->mail_us : s->mail_us < best->mail_us;
}

static struct sighting with_texts(struct correlate *c, struct victim *v, const struct sighting *s)
{
	struct sightings list = { 0 };

	sightings_collect(QUERY(c, BY_ROWID, s->rowid), c->own, &v->arena, &list);
	struct sighting found = list.count ? list.item[0] : *s;
	free(list.item);
	return found;
}

/*
 * The best of the mails with a Message-ID that the answer names: from outside before inside, his own before others', a recipient that fits. Whoever
 * names it has taken it, so a lost reply to the data is as good as one that was seen, when there is no better one.
 */
static bool cause_by_hash(struct correlate *c, struct victim *v, struct answer *a, int64_t hash, const char *word)
{
	const struct sightings *list = shared_by_hash(c->shared, hash, 1);
	const struct sighting *best = NULL;
	int best_score = -1;

	for (size_t i = 0; i < list->count; i++) {
		const struct sighting *s = &list->item[i];

		if (!could_cause(s, a) && !(s->outcome == MAIL_UNKNOWN && came_before(s, a)))
			continue;
		int score = 8 * s->route.arrives + 4 * (s->outcome == MAIL_ACCEPTED) + 2 * (s->mail_from_id == v->id) + recipient_fits(c, s, a);
		if (score > best_score || (score == best_score && is_nearer(s, best))) {
			best = s;
			best_score = score;
		}
	}
	if (!best)
		return false;
	a->cause = with_texts(c, v, best);
	a->matched_by = word;
	return true;
}

static bool fits_queue_id(struct correlate *c, const struct sighting *s, const struct answer *a)
{
	if (!s->queue_id.p || !s->queue_id.len)
		return false;
	if (text_equal(s->queue_id, a->mail.report_queue_id))
		return true;
	sqlite3_stmt *q = QUERY(c, QUEUE_ID_FITS, a->mail.rowid);
	sqlite3_bind_text(q, 2, s->queue_id.p, (int)s->queue_id.len, SQLITE_STATIC);
	return is_true(q);
}

/* A mail without DATA names nothing: two of them do not answer the same mail while another one is left. */
static bool fits_untaken(struct correlate *c, const struct sighting *s, const struct answer *a)
{
	(void)c;
	return !s->taken_by || a->mail.has_message;
}

/* A server answers what it took itself, more often than what another one handed on to it. */
static bool fits_server(struct correlate *c, const struct sighting *s, const struct answer *a)
{
	return fits_untaken(c, s, a) && ip_equal(&s->dest, &a->mail.src);
}

static bool fits_any(struct correlate *c, const struct sighting *s, const struct answer *a)
{
	(void)c;
	(void)s;
	(void)a;
	return true;
}

static const struct {
	const char *word;
	bool (*fits)(struct correlate *c, const struct sighting *s, const struct answer *a);
	bool needs_message, whatever_it_names;
} envelope_keys[] = {
	{ "queue-id", fits_queue_id, true, true },	/* some hop may have given it another Message-ID */
	{ "recipients", recipient_fits, true, false },
	{ "envelope", fits_server, false, false },
	{ "envelope", fits_untaken, false, false },
	{ "envelope", fits_any, false, false },
};

/* The answer names a Message-ID, and this mail has another one: it answers some mail that was not seen. Tickets refer to earlier tickets, too. */
static bool answers_another(const struct sighting *s, const struct answer *a)
{
	const struct mail *m = &a->mail;
	int64_t named = m->returned_hash ? m->returned_hash : m->original_message_id_hash ? m->original_message_id_hash
		      : a->told_kind == KIND_AUTOREPLY ? m->in_reply_to_hash : 0;

	return named && s->message_id_hash && s->message_id_hash != named;
}

/* From outside first: what came from there passes hops inside, too. */
static bool cause_by_envelope(struct correlate *c, struct victim *v, struct answer *a)
{
	enum { KEYS = sizeof envelope_keys / sizeof *envelope_keys };
	size_t until = victim_mail_until(v, a->mail.mail_us + SIGHTING_SLACK_US);

	for (size_t k = 0; k < 2 * KEYS; k++) {
		bool outside = k < KEYS;

		if (envelope_keys[k % KEYS].needs_message && !a->mail.has_message)
			continue;
		for (size_t i = until; i-- > 0 && until - i <= VICTIM_NEAR_MAX;) {
			struct sighting *s = &v->mail[i];

			if (s->mail_us < a->mail.mail_us - SIGHTING_WINDOW_US)
				break;
			if (s->route.arrives != outside || !could_cause(s, a) || !envelope_keys[k % KEYS].fits(c, s, a)
			    || (!envelope_keys[k % KEYS].whatever_it_names && answers_another(s, a)))
				continue;
			s->taken_by = a->at + 1;
			a->cause = *s;
			a->matched_by = envelope_keys[k % KEYS].word;
			return true;
		}
	}
	return false;
}

/* Mail of his, in its envelope or, open at that very time, in its From: some servers ask about that one behind the data. */
static bool is_verified(const struct victim *v, const struct sighting *s, const struct answer *a, bool in_header)
{
	if (!s->route.arrives || s->rowid == a->mail.rowid || (s->mail_from_id != v->id) != in_header)
		return false;
	return in_header ? s->ended_us >= a->mail.mail_us - SIGHTING_SLACK_US : s->ended_us >= a->mail.mail_us - PROBE_US;
}

/* A sender is verified while his mail waits: the inbound transaction that is open at that time, else one that just was. */
static bool cause_of_probe(struct victim *v, struct answer *a)
{
	size_t until = victim_mail_until(v, a->mail.mail_us + SIGHTING_SLACK_US);

	for (int in_header = 0; in_header < 2; in_header++)
		for (size_t i = until; i-- > 0 && until - i <= VICTIM_NEAR_MAX;) {
			const struct sighting *s = &v->mail[i];

			if (s->mail_us < a->mail.mail_us - SIGHTING_WINDOW_US)
				break;
			if (!is_verified(v, s, a, in_header))
				continue;
			a->cause = *s;
			a->matched_by = "envelope";
			return true;
		}
	return false;
}

/* Exim also asks the sender's server about its postmaster, and about an address that it made up: of the mail that waits it has the domain alone. */
static bool cause_of_probe_of_domain(struct correlate *c, struct victim *v, struct answer *a)
{
	char server[IP_TEXT_MAX];
	struct sightings list = { 0 };

	if (!(v->class & (CLASS_POSTMASTER | CLASS_MADE_UP)) || !v->domain.len)
		return false;
	int64_t at_us = a->mail.mail_us;
	sqlite3_stmt *q = QUERY(c, OPEN_OF_DOMAIN, at_us, at_us - SIGHTING_SLACK_US, at_us + SIGHTING_SLACK_US, at_us + PROBE_US);
	sqlite3_bind_text(q, 5, ip_format(&a->mail.src, server), -1, SQLITE_STATIC);
	sqlite3_bind_text(q, 6, v->domain.p, (int)v->domain.len, SQLITE_STATIC);
	int64_t rowid = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	sqlite3_reset(q);
	if (rowid)
		sightings_collect(QUERY(c, BY_ROWID, rowid), c->own, &v->arena, &list);
	bool found = list.count && list.item[0].route.arrives;
	if (found) {
		a->cause = list.item[0];
		a->matched_by = "envelope";
	}
	free(list.item);
	return found;
}

static void find_cause(struct correlate *c, struct victim *v, struct answer *a)
{
	const struct mail *m = &a->mail;

	if (a->told_kind == KIND_CALLOUT) {
		if (!cause_of_probe(v, a))
			cause_of_probe_of_domain(c, v, a);
		return;
	}
	if (cause_by_hash(c, v, a, m->returned_hash, "message-id") || cause_by_hash(c, v, a, m->original_message_id_hash, "message-id")
	    || cause_by_hash(c, v, a, m->in_reply_to_hash, "in-reply-to"))
		return;
	cause_by_envelope(c, v, a);
}

/* ---- root causes ---- */

static bool could_refuse(const struct correlate *c, const struct sighting *s, const struct answer *a)
{
	return own_has(c->own, &s->src) && s->mail_us >= a->cause.mail_us - SIGHTING_SLACK_US && s->mail_us <= a->mail.mail_us + SIGHTING_SLACK_US
	    && s->rowid != a->mail.rowid;
}

static bool read_root(struct correlate *c, struct victim *v, const struct sighting *s, bool any_rcpt, struct answer *a)
{
	sqlite3_stmt *q = QUERY(c, REFUSED_RCPT, s->rowid, a->mail.rowid, a->cause.rowid, any_rcpt);
	bool found = sqlite3_step(q) == SQLITE_ROW;

	if (found)
		a->root = (struct root){ s->rowid, sqlite3_column_int(q, 0), keep(v, column_text(q, 1)), keep(v, column_text(q, 2)) };
	sqlite3_reset(q);
	return found;
}

/* The last mail of his that this server had taken before it sent one on is the cause. */
static bool was_handed_the_cause(const struct victim *v, size_t i, const struct answer *a)
{
	for (size_t k = i; k-- > 0 && i - k <= VICTIM_NEAR_MAX;) {
		const struct sighting *s = &v->mail[k];

		if (reaches_us(s) && s->outcome == MAIL_ACCEPTED && ip_equal(&s->dest, &v->mail[i].src))
			return s->rowid == a->cause.rowid;
	}
	return false;
}

/*
 * Relaying keeps MAIL FROM, so the hop that refused is among the victim's own mails. Where SRS rewrote that, or forwarding the recipient,
 * the Message-ID tells, or the server that made the answer: Sendmail reports the recipient that it was given.
 */
static void find_root(struct correlate *c, struct victim *v, struct answer *a)
{
	size_t until = victim_mail_until(v, a->mail.mail_us + SIGHTING_SLACK_US);

	if (!a->cause.rowid)
		return;
	for (size_t i = until; i-- > 0 && until - i <= VICTIM_NEAR_MAX && !a->root.rowid;)
		if (could_refuse(c, &v->mail[i], a))
			read_root(c, v, &v->mail[i], false, a);
	const struct sightings *list = shared_by_hash(c->shared, a->root.rowid ? 0 : a->cause.message_id_hash, 2);
	for (size_t i = list->count; i-- > 0 && !a->root.rowid;)
		if (could_refuse(c, &list->item[i], a))
			read_root(c, v, &list->item[i], true, a);
	for (size_t i = until; i-- > 0 && until - i <= VICTIM_NEAR_MAX && !a->root.rowid;)
		if (could_refuse(c, &v->mail[i], a) && ip_equal(&v->mail[i].src, &a->mail.src) && was_handed_the_cause(v, i, a))
			read_root(c, v, &v->mail[i], true, a);
}

/* ---- kinds that only other mail tells ---- */

/* Was mail from the victim accepted by the side that now turns to him; is one open at this moment? */
static void look_back(const struct victim *v, const struct answer *a, bool *accepted, bool *under_way)
{
	size_t until = victim_mail_until(v, a->mail.mail_us + SIGHTING_SLACK_US);

	*accepted = *under_way = false;
	for (size_t i = until; i-- > 0 && until - i <= VICTIM_NEAR_MAX;) {
		const struct sighting *s = &v->mail[i];
		bool opposite = a->route.arrives ? s->route.leaves : reaches_us(s);

		if (s->mail_us < a->mail.mail_us - SIGHTING_WINDOW_US)
			break;
		if (!opposite || s->rowid == a->mail.rowid)
			continue;
		*accepted |= s->outcome == MAIL_ACCEPTED && s->mail_us <= a->mail.mail_us + SIGHTING_SLACK_US;
		*under_way |= s->ended_us >= a->mail.mail_us - SIGHTING_SLACK_US;
	}
}

/* The same mail on its way to this hop, when it had its message: the last one before. NULL when it was not seen. */
static const struct answer *handed_on(const struct victim *v, const struct answer *a)
{
	for (size_t i = a->at; i-- > 0 && a->at - i <= VICTIM_NEAR_MAX;) {
		const struct answer *x = v->answer[i];

		if (x->mail.mail_us < a->mail.mail_us - SIGHTING_WINDOW_US)
			break;
		/* Asked ahead, when all that came before went through. */
		if (a->told_kind == KIND_CALL_AHEAD && x->mail.has_message && ip_equal(&x->mail.src, &a->mail.src))
			break;
		if (x->mail.has_message && x->mail.outcome == MAIL_ACCEPTED && ip_equal(&x->mail.dest, &a->mail.src))
			return x;
	}
	return NULL;
}

/* A mail refused before it said what it is: what does it answer? */
static void close_kind(struct correlate *c, struct victim *v, struct answer *a)
{
	bool accepted, under_way;
	bool is_probe = a->told_kind == KIND_CALLOUT;

	const struct answer *before = handed_on(v, a);

	if (before) {
		a->told_kind = before->told_kind;
		a->told_rule = "handed-on";
		a->passed_on = before->route.arrives || before->passed_on;
		return;
	}
	if (a->told_kind == KIND_CALL_AHEAD)
		return;
	look_back(v, a, &accepted, &under_way);
	if (accepted && a->route.leaves) {
		cause_by_envelope(c, v, a);
		find_root(c, v, a);
		if (a->root.rowid) {
			bool waits = a->root.code < 500 && a->mail.mail_us - a->cause.mail_us < GIVEN_UP_US;

			a->told_kind = waits ? KIND_DELAY_NOTICE : KIND_BOUNCE;
			a->told_rule = waits ? "refused-after-deferral" : "refused-after-refusal";
			return;
		}
	}
	if (is_probe && accepted && !under_way) {
		a->told_kind = KIND_AUTOMATED_UNKNOWN;
		a->told_rule = "refused-after-mail";
	} else if (is_probe && a->cause.rowid) {
		a->cause = (struct sighting){ 0 };
		a->matched_by = NULL;
	}
}

/* What the other mail of a sender is that has a message: the first kind that answers, ordinary when there is none. */
static enum kind kind_of_sender(struct correlate *c, const struct answer *a)
{
	sqlite3_stmt *s = QUERY(c, OF_SENDER, a->mail.mail_from_id, a->mail.mail_us - SAME_SENDER_US, a->mail.mail_us + SAME_SENDER_US);
	enum kind found = KIND_ORDINARY;

	while (found == KIND_ORDINARY && sqlite3_step(s) == SQLITE_ROW) {
		struct mail m;

		mail_read(s, c->q[REPORT], NULL, &m);
		struct classification k = classify(&m, false);
		if (mail_route(&m, c->own).leaves)
			found = classify_is_suspect(&k) ? k.suspected : kind_is_answering(k.kind) ? k.kind : KIND_ORDINARY;
	}
	sqlite3_reset(s);
	sqlite3_reset(c->q[REPORT]);
	return found;
}

/* A person handed this mail in: his program logged in to do so. */
static bool was_submitted(struct correlate *c, const struct answer *a)
{
	const struct sightings *list = shared_by_hash(c->shared, a->mail.message_id_hash, 2);

	for (size_t i = 0; i < list->count; i++) {
		const struct sighting *s = &list->item[i];

		if (s->auth == 1 && s->rowid != a->mail.rowid && own_has(c->own, &s->dest) && s->mail_us <= a->mail.mail_us + SIGHTING_SLACK_US)
			return true;
	}
	return false;
}

/* A dialogue without a mail to announce, while mail from this very address, in its envelope or its From, stands in another one and waits. */
static bool is_concurrent_probe(struct victim *v, const struct answer *a)
{
	size_t until = victim_mail_until(v, a->mail.mail_us + SIGHTING_SLACK_US);

	if (!mail_has_size_of_probe(&a->mail) && (a->mail.has_data || mail_has_step(&a->mail, 'c', "DATA") || mail_has_step(&a->mail, 'c', "BDAT")))
		return false;
	if (a->mail.has_message || mail_is_announced(&a->mail))
		return false;
	for (size_t i = until; i-- > 0 && until - i <= VICTIM_NEAR_MAX;) {
		const struct sighting *s = &v->mail[i];

		if (s->mail_us < a->mail.mail_us - PROBE_US)
			break;
		if (s->route.arrives && s->mail_us <= a->mail.mail_us && s->ended_us >= a->mail.ended_us
		    && (!s->reply_us || s->reply_us >= a->mail.ended_us))
			return true;
	}
	return false;
}

/* A list answers: its confirmations have senders of their own, only the domain is the one that the mail to the list was for. */
static bool list_fits(struct correlate *c, const struct sighting *s, const struct answer *a)
{
	sqlite3_stmt *q = QUERY(c, RCPT_DOMAIN_FITS, s->rowid);
	struct text domain = a->mail.mail_from_domain;

	if (!domain.p || !domain.len)
		return false;
	sqlite3_bind_text(q, 2, domain.p, (int)domain.len, SQLITE_STATIC);
	return is_true(q);
}

/* A person's mail that only seems to answer: it does when mail from the victim to this very person had just been taken. */
static void close_suspect(struct correlate *c, struct victim *v, struct answer *a)
{
	size_t until = victim_mail_until(v, a->mail.mail_us + SIGHTING_SLACK_US);
	const struct sighting *cause = NULL;
	bool robot = a->first.suspected == KIND_LIST_NOTICE;

	if (is_concurrent_probe(v, a)) {
		a->told_kind = KIND_CALLOUT;
		a->told_rule = "probe-concurrent";
		return;
	}
	if (a->first.suspected == KIND_CALLOUT)
		return;
	for (size_t i = until; i-- > 0 && until - i <= VICTIM_NEAR_MAX && !cause;) {
		const struct sighting *s = &v->mail[i];

		if (s->mail_us < a->mail.mail_us - (robot && !a->mail.has_message ? SIGHTING_WINDOW_US : ANSWERS_WITHIN_US))	/* it may be a retry */
			break;
		if (s->route.arrives && could_cause(s, a) && (robot ? list_fits(c, s, a) : recipient_fits(c, s, a)))
			cause = s;
	}
	if (!cause || was_submitted(c, a))
		return;
	enum kind kind = a->first.suspected == KIND_ORDINARY ? kind_of_sender(c, a) : a->first.suspected;
	if (kind == KIND_ORDINARY)
		return;
	a->told_kind = kind;
	a->told_rule = robot ? a->first.rule : a->first.suspected == KIND_ORDINARY ? "same-sender" : "answers-at-once";
	a->cause = *cause;
	a->matched_by = "envelope";
}

/* ---- all of it ---- */

static void correlate_answer(struct correlate *c, struct victim *v, struct answer *a)
{
	a->told_kind = a->first.kind;
	a->told_rule = a->first.rule;
	a->passed_on = false;
	a->cause = (struct sighting){ 0 };
	a->matched_by = NULL;
	a->root = (struct root){ 0 };
	if (attempts_is_open(a))
		close_kind(c, v, a);
	else if (classify_is_suspect(&a->first) && a->route.leaves)
		close_suspect(c, v, a);
	if (!a->route.leaves && a->route.direction != DIRECTION_INTERNAL)
		return;
	if (kind_is_answering(a->told_kind) && !a->cause.rowid)
		find_cause(c, v, a);
	if (kind_is_answering(a->told_kind) && !a->root.rowid && a->told_kind != KIND_CALLOUT)
		find_root(c, v, a);
}

static void note_target(struct correlate *c, struct victim *v, const struct answer *a)
{
	if (!kind_is_answering(a->kind) || !a->route.leaves || v->target_count == VICTIM_TARGETS_MAX || own_is_smarthost(c->own, &a->mail.dest))
		return;
	for (int i = 0; i < v->target_count; i++)
		if (ip_equal(&v->target[i].address, &a->mail.dest))
			return;
	v->target[v->target_count++] = (struct target){ a->mail.dest, a->at };
}

static bool equal_targets(const struct target *a, const struct target *b, int count)
{
	for (int i = 0; i < count; i++)
		if (!ip_equal(&a[i].address, &b[i].address))
			return false;
	return true;
}

/* Who takes his mail says something about all of it. */
static void find_targets(struct correlate *c, struct victim *v)
{
	struct target old[VICTIM_TARGETS_MAX];
	int old_count = v->target_count;

	memcpy(old, v->target, sizeof old);
	while (v->target_count && v->target[v->target_count - 1].at >= v->redo)
		v->target_count--;
	for (size_t i = v->redo; i < v->answer_count; i++)
		note_target(c, v, v->answer[i]);
	if (v->target_count == old_count && equal_targets(v->target, old, old_count))
		return;
	for (size_t i = 0; i < v->group_count; i++)
		v->group[i].touched = true;
}

void correlate_victim(struct correlate *c, struct victim *v)
{
	for (size_t i = v->redo; i < v->answer_count; i++)
		correlate_answer(c, v, v->answer[i]);
	attempts_group(v);
	find_targets(c, v);
	for (size_t i = 0; i < v->group_count; i++) {
		struct mail_group *g = &v->group[i];

		if (g->touched)
			provenance_of_group(c->provenances, g, g->said->cause.rowid && recipient_fits(c, &g->said->cause, g->said));
	}
}
