/*
 * report_text.c - see report_text.h. First the verdict, then each server with its evidence, then numbers, then what could not be seen.
 *
 * Everything that came from the wire goes through escape_terminal.
 */
#include "analyzer/report_text.h"

#include <stdlib.h>
#include <string.h>

#include "common/kind.h"
#include "analyzer/mail.h"
#include "common/buf.h"
#include "common/escape.h"
#include "common/timefmt.h"
#include "schema/db.h"

/* Examples of a server that would be listed, and of one that is only to be watched. */
enum { WIDTH = 80, EXAMPLES = 3, EXAMPLES_WATCHED = 1 };

enum statement { SPAN, SERVERS, RISKS, RISK_REASONS, EXAMPLE_ROWS, HOP, HOP_RCPT, REASONS, KINDS, FINDINGS, REFUSALS, UNSEEN, CAPTURE, STATEMENT_COUNT };

static const char *const sql[STATEMENT_COUNT] = {
	[SPAN] = "SELECT (SELECT min(started_us) FROM sessions), (SELECT max(ended_us) FROM sessions), (SELECT count(*) FROM sessions),"
		" (SELECT count(*) FROM transactions)",
	/* Worst first. */
	[SERVERS] = "SELECT s.id, s.name, s.address, s.software, coalesce(r.address, s.public_address) AS public, max(CASE r.status WHEN 'listed' THEN 5 WHEN 'would-list' THEN 4"
		" WHEN 'watch' THEN 3 WHEN 'listed-instead' THEN 2 WHEN 'not-covered' THEN 1 ELSE 0 END) AS worst, (SELECT count(*) FROM verdicts.finding f WHERE f.server_id = s.id"
		" AND f.public_address = coalesce(r.address, s.public_address) AND f.exposure = 'can-backscatter' AND f.kind <> 'callout'),"
		" (SELECT count(*) FROM verdicts.finding f WHERE f.server_id = s.id AND f.misdirected IN ('yes', 'likely')),"
		" (SELECT count(*) FROM verdicts.finding f WHERE f.server_id = s.id AND f.public_address = coalesce(r.address, s.public_address)"
		" AND f.exposure = 'can-backscatter' AND f.kind = 'callout')"
		" FROM verdicts.server s LEFT JOIN verdicts.risk r ON r.server_id = s.id GROUP BY s.id, public ORDER BY worst DESC, 8 DESC, 7 DESC, s.name, public",
	[RISKS] = "SELECT list, status, mails, attempts, domains, first_us, last_us, expires_us, margin FROM verdicts.risk"
		" WHERE server_id = ?1 AND address = ?2 ORDER BY list",
	[RISK_REASONS] = "SELECT text FROM verdicts.risk_reason WHERE server_id = ?1 AND address = ?2 AND list = ?3 ORDER BY n",
	/* One of each kind and cause, the best proved one. */
	[EXAMPLE_ROWS] = "SELECT id, kind, misdirected, exposure, recipient, attempts, cause_rowid, root_rowid, root_code, root_enhanced, root_reply,"
		" cause_class, count(*) OVER (PARTITION BY kind, cause_class), row_number() OVER (PARTITION BY kind, cause_class ORDER BY"
		" CASE misdirected WHEN 'yes' THEN 0 WHEN 'likely' THEN 1 WHEN 'unknown' THEN 2 ELSE 3 END, root_rowid IS NULL, cause_rowid IS NULL, first_us) AS place"
		" FROM verdicts.finding WHERE server_id = ?1 AND public_address = ?2 ORDER BY place, CASE misdirected WHEN 'yes' THEN 0 WHEN 'likely' THEN 1"
		" WHEN 'unknown' THEN 2 ELSE 3 END, 13 DESC LIMIT ?3",
	[HOP] = "SELECT t.src_ip, t.dest_ip, coalesce(t.mail_us, t.started_us), t.mail_from, t.code, t.enhanced, t.reply, t.outcome, m.subject"
		" FROM transactions t LEFT JOIN messages m ON m.transaction_rowid = t.id WHERE t.id = ?1",
	[HOP_RCPT] = "SELECT r.address, (SELECT count(*) FROM recipients x WHERE x.transaction_rowid = ?1) FROM recipients r"
		" WHERE r.transaction_rowid = ?1 ORDER BY (r.n = ?2) DESC, (coalesce(r.code, 250) < 300) DESC, r.n LIMIT 1",
	[REASONS] = "SELECT text, sign, strength, rule FROM verdicts.finding_reason WHERE finding_rowid = ?1 ORDER BY n",
	[KINDS] = "SELECT kind, sum(direction = 'inbound'), sum(direction = 'outbound'), sum(direction = 'internal'), sum(direction = 'foreign')"
		" FROM verdicts.transaction_verdict GROUP BY kind ORDER BY count(*) DESC, kind",
	[FINDINGS] = "SELECT kind, count(*), sum(attempts), count(DISTINCT recipient_domain), sum(misdirected = 'yes'), sum(misdirected = 'likely'),"
		" sum(misdirected = 'unknown'), sum(misdirected = 'no'), sum(exposure = 'can-backscatter') FROM verdicts.finding GROUP BY kind ORDER BY 2 DESC, 1",
	[REFUSALS] = "SELECT address, zone, count(*), min(remote_ip), min(reply) FROM verdicts.refusal GROUP BY address, zone ORDER BY 3 DESC LIMIT 10",
	[UNSEEN] = "SELECT count(*), coalesce(sum(outcome = 'encrypted' OR tls IN ('starttls', 'implicit')), 0), coalesce(sum(' ' || notes || ' ' LIKE"
		" '% one-sided %'), 0), coalesce(sum(' ' || notes || ' ' LIKE '% mid-stream %'), 0), coalesce(sum(' ' || notes || ' ' LIKE '% gap %'), 0),"
		" coalesce(sum(end_reason = 'capture-end'), 0), coalesce(sum(unseen_bytes), 0) FROM sessions",
	[CAPTURE] = "SELECT coalesce(sum(packets), 0), coalesce(sum(kernel_drops), 0), coalesce(sum(evicted), 0), coalesce(sum(interface_drops), 0) FROM capture",
};

struct report {
	sqlite3_stmt *q[STATEMENT_COUNT];
	const struct lists *lists;
	FILE *out;
	struct buf line;
};

static sqlite3_stmt *query(struct report *r, enum statement which)
{
	sqlite3_reset(r->q[which]);
	return r->q[which];
}

static sqlite3_stmt *query_id(struct report *r, enum statement which, int64_t id)
{
	sqlite3_stmt *s = query(r, which);

	sqlite3_bind_int64(s, 1, id);
	return s;
}

/* ---- lines ---- */

/* What is in r->line, broken at blanks; continued lines begin with indent blanks. */
static void put_line(struct report *r, unsigned indent)
{
	const char *p = buf_cstr(&r->line);
	size_t left = r->line.len, room = WIDTH, margin = indent;

	while (left > room) {
		size_t cut = room;

		while (cut > margin && p[cut] != ' ')
			cut--;
		if (cut <= margin)	/* a word that is longer than the line */
			for (cut = room; cut < left && p[cut] != ' '; cut++)
				;
		if (cut == left)
			break;
		fprintf(r->out, "%.*s\n%*s", (int)cut, p, (int)indent, "");
		p += cut + 1;
		left -= cut + 1;
		room = WIDTH - indent;
		margin = 0;
	}
	fprintf(r->out, "%.*s\n", (int)left, p);
	buf_clear(&r->line);
}

static void say(struct report *r, unsigned indent, const char *text)
{
	buf_printf(&r->line, "%*s%s", (int)indent, "", text);
	put_line(r, indent);
}

static void heading(struct report *r, const char *text)
{
	fprintf(r->out, "\n%s\n", text);
}

static void add_wire(struct report *r, struct text t, size_t max)
{
	escape_terminal(&r->line, t, max);
}

static void add_time(struct report *r, int64_t us)
{
	char text[TIME_TEXT_MAX];

	buf_add_str(&r->line, time_format_local(us, text));
}

static const char *list_name(const struct report *r, const char *id)
{
	const struct list *l = lists_find(r->lists, id);

	return l ? l->name : id;
}

static const char *plural(long long n)
{
	return n == 1 ? "" : "s";
}

/* ---- head ---- */

static void put_span(struct report *r)
{
	sqlite3_stmt *s = query(r, SPAN);

	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL) {
		long long sessions = sqlite3_column_int64(s, 2), mails = sqlite3_column_int64(s, 3);

		buf_printf(&r->line, "bouncetap: %lld mail transaction%s in %lld session%s, ", mails, plural(mails), sessions, plural(sessions));
		add_time(r, sqlite3_column_int64(s, 0));
		buf_add_str(&r->line, " to ");
		add_time(r, sqlite3_column_int64(s, 1));
	} else
		buf_add_str(&r->line, "bouncetap: no SMTP session was found");
	put_line(r, 0);
	sqlite3_reset(s);
}

static const struct { const char *status, *words; } status_words[] = {
	{ "listed", "IS LISTED by" },
	{ "would-list", "WOULD BE LISTED by" },
	{ "watch", "is to be watched for" },
	{ "not-covered", "cannot be listed (IPv6) by" },
	{ "listed-instead", "sends through a host that could be listed by" },
	{ "clean", "is clean for" },
};

static const char *words_of(const char *status)
{
	for (size_t i = 0; i < sizeof status_words / sizeof *status_words; i++)
		if (strcmp(status, status_words[i].status) == 0)
			return status_words[i].words;
	return status;
}

/* ---- evidence ---- */

/* One hop of a ladder: when, who to whom, for whom, and what was answered. */
static void put_hop(struct report *r, const char *what, int64_t rowid, int n, int64_t *zero_us, struct text reply)
{
	sqlite3_stmt *s = query_id(r, HOP, rowid), *rcpt;
	char text[TIME_TEXT_MAX];

	if (sqlite3_step(s) != SQLITE_ROW)
		return;
	int64_t us = sqlite3_column_int64(s, 2);
	if (!*zero_us) {
		buf_printf(&r->line, "     %s  ", time_format_local(us, text) + 11);
		*zero_us = us;
	} else
		buf_printf(&r->line, "     %+8.3f  ", (double)(us - *zero_us) / 1e6);
	buf_printf(&r->line, "%-9s %s > %s", what, sqlite3_column_text(s, 0), sqlite3_column_text(s, 1));
	put_line(r, 24);
	rcpt = query_id(r, HOP_RCPT, rowid);
	sqlite3_bind_int(rcpt, 2, n);
	buf_printf(&r->line, "%24sfrom ", "");
	add_wire(r, column_text(s, 3), 60);
	if (sqlite3_step(rcpt) == SQLITE_ROW) {
		buf_add_str(&r->line, " to ");
		add_wire(r, column_text(rcpt, 0), 60);
		if (sqlite3_column_int(rcpt, 1) > 1)
			buf_printf(&r->line, " and %d more", sqlite3_column_int(rcpt, 1) - 1);
	}
	put_line(r, 26);
	sqlite3_reset(rcpt);
	if (reply.p || sqlite3_column_int(s, 4)) {
		buf_printf(&r->line, "%24s", "");
		if (reply.p)
			add_wire(r, reply, 240);
		else {
			buf_printf(&r->line, "%d ", sqlite3_column_int(s, 4));
			if (sqlite3_column_type(s, 5) != SQLITE_NULL) {
				add_wire(r, column_text(s, 5), 12);
				buf_add_char(&r->line, ' ');
			}
			add_wire(r, column_text(s, 6), 220);
		}
		put_line(r, 26);
	} else
		say(r, 24, text_equal(column_text(s, 7), TEXT("aborted")) ? "left without sending a message" : "no deciding reply");
	sqlite3_reset(s);
}

enum example_column { X_ID, X_KIND, X_MISDIRECTED, X_EXPOSURE, X_RECIPIENT, X_ATTEMPTS, X_CAUSE, X_ROOT, X_ROOT_CODE, X_ROOT_ENHANCED, X_ROOT_REPLY,
	X_CLASS, X_LIKE_IT };

static const char *misdirected_words(const char *word)
{
	return strcmp(word, "yes") == 0 ? "misdirected" : strcmp(word, "likely") == 0 ? "probably misdirected"
	     : strcmp(word, "no") == 0 ? "not misdirected: it went to who caused it" : "not known whether misdirected";
}

static void put_root_reply(struct report *r, sqlite3_stmt *x, int64_t *zero_us)
{
	struct buf reply = { 0 };
	struct text enhanced = column_text(x, X_ROOT_ENHANCED), text = column_text(x, X_ROOT_REPLY);

	buf_printf(&reply, "%d ", sqlite3_column_int(x, X_ROOT_CODE));
	if (enhanced.p)
		buf_printf(&reply, "%.*s ", (int)enhanced.len, enhanced.p);
	buf_add_text(&reply, text);
	put_hop(r, "refused", sqlite3_column_int64(x, X_ROOT), -1, zero_us, (struct text){ reply.p, (uint32_t)reply.len });
	buf_fini(&reply);
}

static void put_reasons(struct report *r, int64_t finding)
{
	sqlite3_stmt *s = query_id(r, REASONS, finding);

	while (sqlite3_step(s) == SQLITE_ROW) {
		buf_printf(&r->line, "     %s it: %s (%s, %s)", sqlite3_column_text(s, 1), sqlite3_column_text(s, 0), sqlite3_column_text(s, 3),
			   sqlite3_column_text(s, 2));
		put_line(r, 9);
	}
	sqlite3_reset(s);
}

static void put_example(struct report *r, sqlite3_stmt *x, int number)
{
	const char *kind = (const char *)sqlite3_column_text(x, X_KIND);
	int64_t id = sqlite3_column_int64(x, X_ID), zero_us = 0;
	int attempts = sqlite3_column_int(x, X_ATTEMPTS), like = sqlite3_column_int(x, X_LIKE_IT);

	buf_printf(&r->line, "  %d. %s to ", number, kind);
	add_wire(r, column_text(x, X_RECIPIENT), 60);
	buf_printf(&r->line, ", %s", misdirected_words((const char *)sqlite3_column_text(x, X_MISDIRECTED)));
	if (sqlite3_column_type(x, X_CLASS) != SQLITE_NULL)
		buf_printf(&r->line, "; cause: %s", sqlite3_column_text(x, X_CLASS));
	if (attempts > 1)
		buf_printf(&r->line, "; %d attempts", attempts);
	if (like > 1)
		buf_printf(&r->line, "; one of %d such", like);
	put_line(r, 5);
	if (sqlite3_column_type(x, X_CAUSE) != SQLITE_NULL)
		put_hop(r, "cause", sqlite3_column_int64(x, X_CAUSE), -1, &zero_us, (struct text){ 0 });
	else
		say(r, 5, "the mail that it answers was not seen");
	if (sqlite3_column_type(x, X_ROOT) != SQLITE_NULL)
		put_root_reply(r, x, &zero_us);
	put_hop(r, kind, id / 100, (int)(id % 100), &zero_us, (struct text){ 0 });
	put_reasons(r, id);
}

static void put_examples(struct report *r, int64_t server, const char *address, int most)
{
	sqlite3_stmt *x = query_id(r, EXAMPLE_ROWS, server);
	int number = 0;

	sqlite3_bind_text(x, 2, address, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(x, 3, most);
	while (sqlite3_step(x) == SQLITE_ROW)
		put_example(r, x, ++number);
	sqlite3_reset(x);
}

/* ---- servers ---- */

static void put_risk(struct report *r, int64_t server, const char *address, sqlite3_stmt *risk)
{
	const char *list = (const char *)sqlite3_column_text(risk, 0), *status = (const char *)sqlite3_column_text(risk, 1);
	sqlite3_stmt *s = query_id(r, RISK_REASONS, server);

	buf_printf(&r->line, "  %s %s", words_of(status), list_name(r, list));
	if (strcmp(status, "would-list") == 0)
		buf_add_str(&r->line, ", if one of the recipients is a trap");
	put_line(r, 4);
	sqlite3_bind_text(s, 2, address, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(s, 3, list, -1, SQLITE_TRANSIENT);
	while (sqlite3_step(s) == SQLITE_ROW) {
		buf_add_str(&r->line, "    ");
		add_wire(r, column_text(s, 0), 0);
		put_line(r, 6);
	}
	sqlite3_reset(s);
	if (sqlite3_column_type(risk, 7) == SQLITE_NULL)
		return;
	buf_add_str(&r->line, "    ");
	if (sqlite3_column_type(risk, 6) != SQLITE_NULL) {
		buf_add_str(&r->line, "last one ");
		add_time(r, sqlite3_column_int64(risk, 6));
		buf_add_str(&r->line, "; ");
	}
	buf_add_str(&r->line, "a listing would end ");
	add_time(r, sqlite3_column_int64(risk, 7));
	put_line(r, 6);
}

static void put_server(struct report *r, sqlite3_stmt *s)
{
	int64_t id = sqlite3_column_int64(s, 0);
	const char *name = (const char *)sqlite3_column_text(s, 1), *address = (const char *)sqlite3_column_text(s, 4);
	sqlite3_stmt *risk = query_id(r, RISKS, id);

	fputc('\n', r->out);
	add_wire(r, column_text(s, 1), 60);
	if (strcmp(name, address) != 0)
		buf_printf(&r->line, " (%s)", address);
	if (sqlite3_column_type(s, 3) != SQLITE_NULL)
		buf_printf(&r->line, ", %s", sqlite3_column_text(s, 3));
	put_line(r, 2);
	sqlite3_bind_text(risk, 2, address, -1, SQLITE_TRANSIENT);
	while (sqlite3_step(risk) == SQLITE_ROW)
		put_risk(r, id, address, risk);
	sqlite3_reset(risk);
	if (sqlite3_column_int(s, 6)) {
		buf_printf(&r->line, "  answered %d mail%s of outsiders after taking them: the way backscatter is made", sqlite3_column_int(s, 6),
			   plural(sqlite3_column_int(s, 6)));
		put_line(r, 4);
	}
	if (sqlite3_column_int(s, 8)) {
		buf_printf(&r->line, "  asked other servers %d time%s about senders of outsiders' mail: a callout", sqlite3_column_int(s, 8),
			   plural(sqlite3_column_int(s, 8)));
		put_line(r, 4);
	}
	put_examples(r, id, address, sqlite3_column_int(s, 5) >= 4 ? EXAMPLES : EXAMPLES_WATCHED);
}

/* Servers with nothing to say are named in one line. */
static void put_servers(struct report *r)
{
	sqlite3_stmt *s = query(r, SERVERS);
	struct buf clean = { 0 };
	int count = 0;

	while (sqlite3_step(s) == SQLITE_ROW) {
		count++;
		if (sqlite3_column_int(s, 5) > 1 || sqlite3_column_int(s, 6) || sqlite3_column_int(s, 7))
			put_server(r, s);
		else {
			buf_add_str(&clean, clean.len ? ", " : "");
			escape_terminal(&clean, column_text(s, 1), 60);
		}
	}
	if (!r->lists->count)
		say(r, 0, "No description of a blocklist was found (lists.d), so nothing is said about servers.");
	else if (!count)
		say(r, 0, "None of our addresses served or sent mail in what was seen.");
	if (clean.len) {
		fputc('\n', r->out);
		buf_printf(&r->line, "Nothing to hold against: %s", buf_cstr(&clean));
		put_line(r, 2);
	}
	buf_fini(&clean);
}

/* One line that can be read alone. Nothing seen is not the same as nothing wrong. */
static void put_verdict(struct report *r)
{
	sqlite3_stmt *s = query(r, SERVERS);
	int count[6] = { 0 }, misdirected = 0;

	while (sqlite3_step(s) == SQLITE_ROW) {
		count[sqlite3_column_int(s, 5)]++;
		misdirected += sqlite3_column_int(s, 7);
	}
	sqlite3_reset(s);
	int guilty = count[5] + count[4];
	s = query(r, SPAN);
	if (sqlite3_step(s) != SQLITE_ROW || !sqlite3_column_int64(s, 3))
		buf_add_str(&r->line, "Nothing can be said: no mail was seen.");
	else if (guilty)
		buf_printf(&r->line, "%d address%s of ours would be listed or %s so already; %d more to be watched.", guilty, guilty == 1 ? "" : "es",
			   guilty == 1 ? "is" : "are", count[3]);
	else if (misdirected)
		buf_printf(&r->line, "%d answer%s went to people who probably never wrote to us.", misdirected, plural(misdirected));
	else if (count[3])
		buf_printf(&r->line, "Nothing proved, %d address%s of ours to be watched.", count[3], count[3] == 1 ? "" : "es");
	else
		buf_add_str(&r->line, "No misdirected mail left our servers in what was seen.");
	sqlite3_reset(s);
	put_line(r, 0);
}

/* ---- numbers ---- */

static void put_kinds(struct report *r)
{
	sqlite3_stmt *s = query(r, KINDS);

	heading(r, "Kinds of mail             inbound  outbound  internal   foreign");
	while (sqlite3_step(s) == SQLITE_ROW)
		fprintf(r->out, "  %-20s %10lld%10lld%10lld%10lld\n", sqlite3_column_text(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2),
			sqlite3_column_int64(s, 3), sqlite3_column_int64(s, 4));
}

static void put_findings(struct report *r)
{
	sqlite3_stmt *s = query(r, FINDINGS);
	bool any = false;

	while (sqlite3_step(s) == SQLITE_ROW) {
		if (!any)
			heading(r, "Answers to outside         mails attempts domains |  yes likely unknown   no");
		any = true;
		fprintf(r->out, "  %-20s %9lld%9lld%8lld | %4lld%7lld%8lld%5lld\n", sqlite3_column_text(s, 0), sqlite3_column_int64(s, 1),
			sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3), sqlite3_column_int64(s, 4), sqlite3_column_int64(s, 5),
			sqlite3_column_int64(s, 6), sqlite3_column_int64(s, 7));
	}
	if (any)
		say(r, 2, "yes, likely, unknown, no: whether they went to somebody who never wrote to us");
}

static void put_refusals(struct report *r)
{
	sqlite3_stmt *s = query(r, REFUSALS);
	bool any = false;

	while (sqlite3_step(s) == SQLITE_ROW) {
		if (!any)
			heading(r, "Refusals that name a blocklist");
		any = true;
		buf_printf(&r->line, "  %s: ", sqlite3_column_text(s, 0));
		add_wire(r, column_text(s, 1), 60);
		buf_printf(&r->line, ", %lld time%s, by %s: ", sqlite3_column_int64(s, 2), plural(sqlite3_column_int64(s, 2)), sqlite3_column_text(s, 3));
		add_wire(r, column_text(s, 4), 200);
		put_line(r, 4);
	}
}

static void put_count(struct report *r, sqlite3_stmt *s, int column, const char *what)
{
	long long n = sqlite3_column_int64(s, column);

	if (!n)
		return;
	buf_printf(&r->line, "  %lld %s", n, what);
	put_line(r, 4);
}

static void put_unseen(struct report *r)
{
	sqlite3_stmt *s = query(r, UNSEEN), *c = query(r, CAPTURE);

	heading(r, "What was not seen");
	if (sqlite3_step(s) == SQLITE_ROW) {
		long long n = sqlite3_column_int64(s, 0), hidden = sqlite3_column_int64(s, 1);

		buf_printf(&r->line, "  %lld of %lld session%s were encrypted", hidden, n, plural(n));
		put_line(r, 4);
		put_count(r, s, 2, "with one direction only");
		put_count(r, s, 3, "joined after their start");
		put_count(r, s, 4, "with gaps");
		put_count(r, s, 5, "still open when the capture ended");
		put_count(r, s, 6, "bytes acknowledged, but not captured");
	}
	if (sqlite3_step(c) == SQLITE_ROW) {
		put_count(r, c, 1, "packets dropped by the kernel");
		put_count(r, c, 3, "frames dropped by network cards, mail or not");
		put_count(r, c, 2, "connections dropped for want of memory");
	}
}

void report_text(sqlite3 *db, const struct lists *lists, FILE *out)
{
	struct report r = { .lists = lists, .out = out };

	for (int i = 0; i < STATEMENT_COUNT; i++)
		r.q[i] = db_prepare(db, sql[i]);
	put_span(&r);
	put_verdict(&r);
	put_servers(&r);
	put_kinds(&r);
	put_findings(&r);
	put_refusals(&r);
	put_unseen(&r);
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(r.q[i]);
	buf_fini(&r.line);
}
