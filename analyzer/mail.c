/* mail.c - see mail.h */
#include "analyzer/mail.h"

#include <string.h>

#include "analyzer/domain.h"

const char mail_select[] =
	"SELECT t.id, t.session_id, t.session_started_us, t.ordinal, t.src_ip, t.dest_ip, t.dest_port, t.started_us, t.ended_us, coalesce(t.mail_us, t.started_us),"
	" t.reply_us, t.auth, t.helo, t.proxy, t.xclient, t.xforward, t.mail_from, t.mail_from_id, t.mail_from_inner_id, t.mail_from_class, t.null_sender, t.mail_params,"
	" t.mail_code, t.rcpt_count, t.rcpt_accepted, t.outcome, t.code, t.enhanced, t.reply, t.queue_id, t.steps, t.notes, t.size_bytes,"
	" t.bytes_seen IS NOT NULL, t.complete,"
	" m.transaction_rowid, m.message_id_hash, m.in_reply_to_hash, m.from_id, m.from_class, m.reply_to_id, m.subject, m.auto_submitted,"
	" m.precedence, m.list_id, m.x_auto_response_suppress, m.x_failed_recipients, m.content_type, m.phrases,"
	" m.in_reply_to, m.markers, m.received"
	" FROM transactions t LEFT JOIN messages m ON m.transaction_rowid = t.id ";

const char mail_report_select[] =
	"SELECT p.report_type, p.reporting_mta, p.queue_id, p.disposition, p.feedback_type, p.in_multipart_report, p.original_message_id_hash,"
	" r.transaction_rowid, r.message_id_hash, r.received_spf, r.authserv, r.spf, r.dkim, r.dmarc, r.dkim_domains, r.spam,"
	" r.from_header,"
	" (SELECT group_concat(action, ' ') FROM report_recipients a WHERE a.transaction_rowid = p.transaction_rowid), g.status, g.diagnostic, g.final_id IS NOT NULL"
	" FROM (SELECT ?1 AS id) t LEFT JOIN reports p ON p.transaction_rowid = t.id LEFT JOIN returned r ON r.transaction_rowid = t.id"
	" LEFT JOIN report_recipients g ON g.transaction_rowid = t.id AND g.n = 0";

/* A cursor over the columns, so that reading follows the order of mail_select. */
struct reader {
	sqlite3_stmt *s;
	struct arena *a;
	int i;
};

static struct text next_text(struct reader *r)
{
	struct text t = column_text(r->s, r->i++);

	return t.p && r->a ? arena_copy(r->a, t.p, t.len, t.len, NULL) : t;
}

static int64_t next_int(struct reader *r)
{
	return sqlite3_column_int64(r->s, r->i++);
}

static bool next_bool(struct reader *r)
{
	return next_int(r) != 0;
}

static bool next_is_set(struct reader *r)
{
	return sqlite3_column_type(r->s, r->i++) != SQLITE_NULL;
}

static void next_ip(struct reader *r, struct ip_addr *out)
{
	struct text t = column_text(r->s, r->i++);

	if (!t.p || ip_parse(t.p, t.len, out))
		*out = (struct ip_addr){ 0 };
}

static enum mail_outcome next_outcome(struct reader *r)
{
	struct text t = column_text(r->s, r->i++);

	return text_starts_nocase(t, "acc") ? MAIL_ACCEPTED : text_starts_nocase(t, "rej") ? MAIL_REJECTED
	     : text_starts_nocase(t, "abo") ? MAIL_ABORTED : MAIL_UNKNOWN;
}

static void read_envelope(struct reader *r, struct mail *m)
{
	m->rowid = next_int(r);
	if (sqlite3_column_bytes(r->s, r->i) == sizeof m->session_id)
		memcpy(m->session_id, sqlite3_column_blob(r->s, r->i), sizeof m->session_id);
	r->i++;
	m->session_started_us = next_int(r);
	m->ordinal = (int)next_int(r);
	next_ip(r, &m->src);
	next_ip(r, &m->dest);
	m->dest_port = (int)next_int(r);
	m->started_us = next_int(r);
	m->ended_us = next_int(r);
	m->mail_us = next_int(r);
	m->reply_us = next_int(r);
	m->auth = sqlite3_column_type(r->s, r->i) == SQLITE_NULL ? -1 : sqlite3_column_int(r->s, r->i);
	r->i++;
	m->helo = next_text(r);
	m->proxy = next_text(r);
	m->xclient = next_text(r);
	m->xforward = next_text(r);
	m->mail_from_domain = domain_of_address(next_text(r));
	m->mail_from_id = next_int(r);
	m->mail_from_inner_id = next_int(r);
	m->mail_from_class = (unsigned)next_int(r);
	m->null_sender = next_bool(r);
	m->mail_params = next_text(r);
	m->mail_code = (int)next_int(r);
	m->rcpt_count = (int)next_int(r);
	m->rcpt_accepted = (int)next_int(r);
	m->outcome = next_outcome(r);
	m->code = (int)next_int(r);
	m->enhanced = next_text(r);
	m->reply = next_text(r);
	m->queue_id = next_text(r);
	m->steps = next_text(r);
	m->notes = next_text(r);
	m->size_bytes = sqlite3_column_type(r->s, r->i) == SQLITE_NULL ? -1 : sqlite3_column_int64(r->s, r->i);
	r->i++;
	m->has_data = next_bool(r);
	m->complete = next_bool(r);
}

/* Some programs write words there. */
static bool names_a_message(struct text in_reply_to)
{
	const char *open = in_reply_to.len ? memchr(in_reply_to.p, '<', in_reply_to.len) : NULL;

	return open && memchr(open, '>', in_reply_to.len - (size_t)(open - in_reply_to.p));
}

static void read_message(struct reader *r, struct mail *m)
{
	m->has_message = next_is_set(r);
	m->message_id_hash = next_int(r);
	m->in_reply_to_hash = next_int(r);
	m->from_id = next_int(r);
	m->from_class = (unsigned)next_int(r);
	m->reply_to_id = next_int(r);
	m->subject = next_text(r);
	m->auto_submitted = next_text(r);
	m->precedence = next_text(r);
	m->list_id = next_text(r);
	m->x_auto_response_suppress = next_text(r);
	m->x_failed_recipients = next_text(r);
	m->content_type = next_text(r);
	m->phrases = next_text(r);
	m->has_in_reply_to = names_a_message(column_text(r->s, r->i++));
	m->markers = (uint64_t)next_int(r);
	m->received = next_text(r);
}

/* "Anna <anna@example.net>" */
static struct text domain_of_header(struct text from)
{
	struct text d = domain_of_address(from);

	for (uint32_t i = 0; i < d.len; i++)
		if (strchr("> \t,;\"", d.p[i]))
			d.len = i;
	return d;
}

static void read_report(struct reader *r, struct mail *m)
{
	m->report_type = next_text(r);
	m->has_report = m->report_type.p != NULL;
	m->reporting_mta = next_text(r);
	m->report_queue_id = next_text(r);
	m->disposition = next_text(r);
	m->feedback_type = next_text(r);
	m->in_multipart_report = next_bool(r);
	m->original_message_id_hash = next_int(r);
	m->has_returned = next_is_set(r);
	m->returned_hash = next_int(r);
	m->received_spf = next_text(r);
	m->authserv = next_text(r);
	m->spf = next_text(r);
	m->dkim = next_text(r);
	m->dmarc = next_text(r);
	m->dkim_domains = next_text(r);
	m->spam = next_text(r);
	m->returned_from_domain = domain_of_header(next_text(r));
	m->action = next_text(r);
	m->status = next_text(r);
	m->diagnostic = next_text(r);
	m->names_recipient = next_bool(r);
}

void mail_read(sqlite3_stmt *s, sqlite3_stmt *report, struct arena *a, struct mail *out)
{
	struct reader r = { s, a, 0 };

	*out = (struct mail){ 0 };
	read_envelope(&r, out);
	if (sqlite3_column_type(s, r.i) == SQLITE_NULL)
		return;
	read_message(&r, out);
	if (!report)
		return;
	sqlite3_reset(report);
	sqlite3_bind_int64(report, 1, out->rowid);
	if (sqlite3_step(report) == SQLITE_ROW)
		read_report(&(struct reader){ report, a, 0 }, out);
	if (a)
		sqlite3_reset(report);
}

struct route mail_route(const struct mail *m, const struct own *o)
{
	return own_route(o, &m->src, &m->dest, m->proxy, m->xclient, m->xforward);
}

/* Steps are lines "c|s WORD OFFSET". */
bool mail_has_step(const struct mail *m, char side, const char *word)
{
	size_t n = strlen(word);
	const char *p = m->steps.p, *end = p ? p + m->steps.len : NULL;

	while (p && p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((newline ? newline : end) - p);

		if (len > n + 2 && p[0] == side && memcmp(p + 2, word, n) == 0 && p[2 + n] == ' ')
			return true;
		p = newline ? newline + 1 : NULL;
	}
	return false;
}

int64_t mail_size_param(const struct mail *m)
{
	ptrdiff_t at = text_find_nocase(m->mail_params, "size=");
	int64_t n = 0;

	if (at < 0)
		return -1;
	for (uint32_t i = (uint32_t)at + 5; i < m->mail_params.len && m->mail_params.p[i] >= '0' && m->mail_params.p[i] <= '9' && n < 1000000000000; i++)
		n = n * 10 + (m->mail_params.p[i] - '0');
	return n;
}

bool mail_has_size_of_probe(const struct mail *m)
{
	enum { PROBE_BYTES_MIN = 160, PROBE_BYTES_MAX = 300 };	/* with the shortest and the longest names of hosts */
	int64_t size = mail_size_param(m);

	return size >= PROBE_BYTES_MIN && size <= PROBE_BYTES_MAX;
}

bool mail_is_announced(const struct mail *m)
{
	return !mail_has_size_of_probe(m) && (mail_size_param(m) >= 0 || text_find_nocase(m->mail_params, "body=") >= 0);
}
