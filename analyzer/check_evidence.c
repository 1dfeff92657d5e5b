/* check_evidence.c - see check.h: what the store tells of an address, as of a time. */
#include "analyzer/check.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/cause_class.h"
#include "analyzer/mail.h"
#include "common/xmalloc.h"
#include "schema/db.h"

#define HOUR_US INT64_C(3600000000)
#define DAY_US (24 * HOUR_US)

/* An analyzer that follows is seconds behind; one that runs each night leaves a day in which anything may have left. */
#define UNJUDGED_US (HOUR_US / 4)

enum { REFUSED_COUNTED_MAX = 1000 };

enum statement { SERVERS, ADDRESSES, FINDINGS, LAST_ATTEMPT, ATTEMPT_AT, REFUSAL, SENT, OTHERS_SENT, SESSIONS, CAPTURE, HOURS, SPAN, UNJUDGED, REFUSED_SINCE, EHLO, KEYWORDS, HYGIENE,
	STATEMENT_COUNT };

/* Of the address that is looked at: ids and wire addresses of the servers behind it. */
static const char sql_make_mine[] =
	"CREATE TEMP TABLE IF NOT EXISTS my_server (id INTEGER PRIMARY KEY); CREATE TEMP TABLE IF NOT EXISTS my_wire (ip TEXT PRIMARY KEY) WITHOUT ROWID;"
	"DELETE FROM my_server; DELETE FROM my_wire";
static const char *const sql_fill_mine[] = {
	"INSERT INTO my_server SELECT id FROM verdicts.server WHERE public_address = ?1 UNION SELECT server_id FROM verdicts.finding WHERE public_address = ?1",
	"INSERT INTO my_wire SELECT address FROM verdicts.server WHERE id IN my_server UNION SELECT ?1",
};

static const char *const sql[STATEMENT_COUNT] = {
	[SERVERS] = "SELECT name FROM verdicts.server WHERE id IN my_server ORDER BY name",
	[ADDRESSES] = "SELECT public_address FROM verdicts.server UNION SELECT public_address FROM verdicts.finding ORDER BY 1",
	[FINDINGS] = "SELECT finding.id, kind, sender, misdirected, exposure, cause_class, attempts, first_us, last_us,"
		" (SELECT coalesce(t.mail_us, t.started_us) FROM transactions t WHERE t.id = cause_rowid), s.software, s.name,"
		" CASE WHEN exposure = 'no' THEN 'client' WHEN root_rowid IS NULL THEN 'here' ELSE"
		" (SELECT iif(v.direction = 'internal', 'inner', 'outside') FROM verdicts.transaction_verdict v WHERE v.transaction_rowid = root_rowid) END"
		" FROM verdicts.finding JOIN verdicts.server s ON s.id = coalesce(originator_server_id, server_id)"
		" WHERE server_id IN my_server AND finding.public_address = ?1 AND first_us <= ?2 ORDER BY last_us DESC",
	[LAST_ATTEMPT] = "SELECT max(coalesce(t.mail_us, t.started_us)) FROM verdicts.finding_attempt a JOIN transactions t ON t.id = a.transaction_rowid"
		" WHERE a.finding_rowid = ?1 AND coalesce(t.mail_us, t.started_us) <= ?2",
	[ATTEMPT_AT] = "SELECT count(*) FROM verdicts.finding_attempt a JOIN transactions t ON t.id = a.transaction_rowid"
		" WHERE a.finding_rowid = ?1 AND coalesce(t.mail_us, t.started_us) BETWEEN ?2 AND ?3",
	[REFUSAL] = "SELECT max(at_us) FROM verdicts.refusal WHERE address = ?1 AND at_us <= ?2 AND list = ?3",
	[SENT] = "SELECT max(hour_us) FROM verdicts.coverage WHERE server_id IN my_server AND direction = 'outbound' AND hour_us <= ?2",
	[OTHERS_SENT] = "SELECT max(hour_us) FROM verdicts.coverage WHERE direction = 'outbound' AND hour_us <= ?2",
	[SESSIONS] = "SELECT coalesce(sum(sessions * (direction = 'outbound')), 0), coalesce(sum((encrypted + one_sided) * (direction = 'outbound')), 0),"
		" coalesce(sum(sessions * (direction = 'inbound')), 0) FROM verdicts.coverage WHERE server_id IN my_server"
		" AND hour_us <= ?2 AND hour_us > ?3 - 3600000000",
	[CAPTURE] = "SELECT coalesce(sum(packets), 0), coalesce(sum(kernel_drops), 0) FROM capture WHERE start_us <= ?1 AND end_us >= ?2",
	[HOURS] = "SELECT count(DISTINCT start_us / 3600000000) FROM capture WHERE packets > 0 AND start_us <= ?1 AND start_us >= ?2 / 3600000000 * 3600000000",
	[SPAN] = "SELECT min(start_us), max(end_us) FROM capture WHERE packets > 0 AND start_us <= ?1",
	[UNJUDGED] = "SELECT min(committed_us) FROM batch WHERE seq > coalesce((SELECT analyzed_seq FROM verdicts.meta), 0)",
	[REFUSED_SINCE] = "SELECT r.code, r.enhanced, r.reply, t.helo FROM transactions t JOIN recipients r ON r.transaction_rowid = t.id"
		" WHERE t.ended_us > ?2 AND t.ended_us <= ?3 AND t.dest_ip IN my_wire AND r.code >= 500 ORDER BY t.ended_us DESC LIMIT ?4",
	[EHLO] = "SELECT DISTINCT name FROM verdicts.server_name WHERE server_id IN my_server ORDER BY name",
	[KEYWORDS] = "SELECT ehlo_keywords FROM sessions WHERE dest_ip IN my_wire AND ehlo_keywords IS NOT NULL AND dest_port = 25 AND started_us <= ?2"
		" ORDER BY id DESC LIMIT 1",
	[HYGIENE] = "SELECT what, cases, of, last_us FROM verdicts.hygiene WHERE server_id IN my_server ORDER BY what",
};

static sqlite3_stmt *query(const struct check *c, enum statement which, const char *address, int64_t until_us)
{
	sqlite3_stmt *s = db_prepare(c->db, sql[which]);

	sqlite3_bind_text(s, 1, address, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, until_us);
	return s;
}

/* The first column of the first row, which is also the last; 0 for none and NULL. */
static int64_t take_int(sqlite3_stmt *s)
{
	int64_t v = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;

	sqlite3_finalize(s);
	return v;
}

static char *copy_column(sqlite3_stmt *s, int i)
{
	struct text t = column_text(s, i);

	return t.p ? xstrndup(t.p, t.len) : NULL;
}

/* ---- findings ---- */

enum weight { WEIGHT_NONE, WEIGHT_DOUBT, WEIGHT_COUNTS };

struct row {
	int64_t id, first_us, last_us;
	enum kind kind;
	enum list_sender sender;
	enum weight weight;	/* as far as the verdict tells; what the list makes of the kind comes on top */
	unsigned attempts;
	const char *cause_class;	/* borrowed, as the next two */
	int64_t cause_us;		/* of the mail that it answers; 0: not seen */
	const char *software, *originator;	/* of the server where the fix belongs; its name */
	const char *where;
	bool is_impact;
};

static bool column_is(sqlite3_stmt *s, int i, const char *word)
{
	const char *text = (const char *)sqlite3_column_text(s, i);

	return text && strcmp(text, word) == 0;
}

/* The defect weighs as much as its victim: a genuine bounce after accepting is a backscatter that happened to find its sender. */
static enum weight weight_of(sqlite3_stmt *s)
{
	if (column_is(s, 3, "yes") || column_is(s, 3, "likely") || column_is(s, 4, "can-backscatter"))
		return WEIGHT_COUNTS;
	return column_is(s, 3, "unknown") ? WEIGHT_DOUBT : WEIGHT_NONE;
}

static bool has_attempt_at(const struct check *c, const struct row *r, int64_t us)
{
	int64_t from_us = us - SELFCHECK_IMPACT_SLACK_US, to_us = us + SELFCHECK_IMPACT_SLACK_US;

	if (r->first_us > to_us || r->last_us < from_us)
		return false;
	sqlite3_stmt *s = db_prepare(c->db, sql[ATTEMPT_AT]);
	sqlite3_bind_int64(s, 1, r->id);
	sqlite3_bind_int64(s, 2, from_us);
	sqlite3_bind_int64(s, 3, to_us);
	return take_int(s) > 0;
}

static bool is_impact(const struct check *c, const struct row *r)
{
	return c->impact_us && (has_attempt_at(c, r, c->impact_us) || (c->impact_in_summer && has_attempt_at(c, r, c->impact_us - HOUR_US)));
}

static const char *where_of(struct text t)
{
	static const char *const words[] = { "client", "inner", "outside" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (t.p && t.len == strlen(words[i]) && memcmp(t.p, words[i], t.len) == 0)
			return words[i];
	return "here";
}

static void read_row(const struct check *c, sqlite3_stmt *s, struct row *r)
{
	*r = (struct row){ .id = sqlite3_column_int64(s, 0), .kind = kind_parse((const char *)sqlite3_column_text(s, 1)), .weight = weight_of(s),
		.sender = list_sender_parse((const char *)sqlite3_column_text(s, 2)), .cause_class = (const char *)sqlite3_column_text(s, 5),
		.attempts = (unsigned)sqlite3_column_int(s, 6), .first_us = sqlite3_column_int64(s, 7), .last_us = sqlite3_column_int64(s, 8),
		.cause_us = sqlite3_column_int64(s, 9), .software = (const char *)sqlite3_column_text(s, 10), .originator = (const char *)sqlite3_column_text(s, 11),
		.where = where_of(column_text(s, 12)) };
	if (r->last_us > c->now_us) {
		sqlite3_stmt *attempt = db_prepare(c->db, sql[LAST_ATTEMPT]);

		sqlite3_bind_int64(attempt, 1, r->id);
		sqlite3_bind_int64(attempt, 2, c->now_us);
		r->last_us = take_int(attempt);
	}
	r->is_impact = is_impact(c, r);
}

static enum weight weigh(const struct list *l, const struct row *r)
{
	enum list_count count = r->kind < KIND_COUNT ? list_counts(l, r->kind, r->sender) : LIST_NOT;

	if (count == LIST_NOT)
		return WEIGHT_NONE;
	return count == LIST_UNSURE && r->weight == WEIGHT_COUNTS ? WEIGHT_DOUBT : r->weight;
}

static void later(int64_t *t, int64_t us)
{
	if (us > *t)
		*t = us;
}

static void count_row(const struct check *c, struct check_list *l, const struct row *r)
{
	struct selfcheck_evidence *e = &l->in.seen;
	enum weight w = weigh(l->list, r);

	e->impact_seen |= w != WEIGHT_NONE && r->is_impact;
	if (w == WEIGHT_DOUBT)
		later(&e->doubt_us, r->last_us);
	if (w != WEIGHT_COUNTS)
		return;
	later(&e->last_us, r->last_us);
	e->counted += r->last_us > c->now_us - l->list->window_us;
	if (c->fixed_us && r->last_us > c->fixed_us)
		(*(r->first_us <= c->fixed_us || (r->cause_us && r->cause_us <= c->fixed_us) ? &e->retries : r->cause_us ? &e->since_fix : &e->unclear))++;
}

static char *copy_string(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static bool is_like(const struct check_cause *x, const struct row *r)
{
	return strcmp(x->kind, kind_name(r->kind)) == 0 && (strcmp(x->where, "client") == 0) == (strcmp(r->where, "client") == 0) && (x->cause_class && r->cause_class ? strcmp(x->cause_class, r->cause_class) == 0
								 : !x->cause_class && !r->cause_class);
}

static void add_cause(struct check_address *a, const struct row *r, bool counts)
{
	unsigned i = 0;

	while (i < a->cause_count && !is_like(&a->cause[i], r))
		i++;
	if (i == CHECK_CAUSES_MAX)
		return;
	struct check_cause *x = &a->cause[i];
	if (i == a->cause_count) {
		*x = (struct check_cause){ .kind = xstrdup(kind_name(r->kind)), .cause_class = copy_string(r->cause_class), .first_us = r->first_us,
			.software = copy_string(r->software), .originator = copy_string(r->originator), .where = r->where };
		a->cause_count++;
	}
	x->mails++;
	x->counted += counts;
	x->attempts += r->attempts;
	if (r->first_us < x->first_us)
		x->first_us = r->first_us;
	later(&x->last_us, r->last_us);
}

static void take_row(const struct check *c, struct check_address *a, const struct row *r)
{
	enum weight most = WEIGHT_NONE;

	for (size_t i = 0; i < c->lists->count; i++) {
		enum weight w = weigh(&c->lists->item[i], r);

		most = w > most ? w : most;
		count_row(c, &a->list[i], r);
	}
	if (most == WEIGHT_NONE)
		return;
	add_cause(a, r, most == WEIGHT_COUNTS);
	if (r->attempts > 1 && c->now_us - r->last_us < DAY_US) {
		a->retrying++;
		later(&a->retry_us, r->last_us);
	}
}

static void read_findings(const struct check *c, struct check_address *a)
{
	sqlite3_stmt *s = query(c, FINDINGS, a->text, c->now_us);
	struct row r;

	while (sqlite3_step(s) == SQLITE_ROW) {
		read_row(c, s, &r);
		take_row(c, a, &r);
	}
	sqlite3_finalize(s);
}

/* The user tells the impact of one list: where mail of that minute counts for some, it is not that of the others. */
static void assign_impact(const struct check *c, struct check_address *a)
{
	bool seen = false;

	for (size_t i = 0; i < c->lists->count; i++)
		seen |= a->list[i].in.seen.impact_seen;
	for (size_t i = 0; i < c->lists->count; i++)
		if (seen && !a->list[i].in.seen.impact_seen)
			a->list[i].in.impact_us = 0;
}

/* Doubt only counts behind the start of the clock, which the findings have set. */
static void count_doubt(const struct check *c, struct check_address *a)
{
	sqlite3_stmt *s = query(c, FINDINGS, a->text, c->now_us);
	struct row r;

	while (sqlite3_step(s) == SQLITE_ROW) {
		read_row(c, s, &r);
		for (size_t i = 0; i < c->lists->count; i++) {
			struct check_list *l = &a->list[i];
			enum selfcheck_start what;
			int64_t from_us = selfcheck_start(&l->in, &what);

			if (from_us < c->now_us - l->list->clean_us)
				from_us = c->now_us - l->list->clean_us;
			l->in.seen.doubtful += r.last_us > from_us && weigh(l->list, &r) == WEIGHT_DOUBT;
		}
	}
	sqlite3_finalize(s);
}

/* ---- the rest ---- */

static void find_servers(const struct check *c, const struct check_address *a)
{
	db_exec(c->db, sql_make_mine, NULL, 0);
	for (size_t i = 0; i < sizeof sql_fill_mine / sizeof *sql_fill_mine; i++) {
		sqlite3_stmt *s = db_prepare(c->db, sql_fill_mine[i]);

		sqlite3_bind_text(s, 1, a->text, -1, SQLITE_STATIC);
		sqlite3_step(s);
		sqlite3_finalize(s);
	}
}

/* Verdicts know the first address of a [server]; the dialogues are with all of them. */
static void add_configured(const struct check *c, const struct check_address *a)
{
	sqlite3_stmt *s = db_prepare(c->db, "INSERT OR IGNORE INTO my_wire VALUES (?1)");

	for (size_t i = 0; i < c->config->server_count; i++) {
		const struct config_server *x = &c->config->server[i];

		for (size_t k = 0; ip_equal(&x->public_address, &a->ip) && k < x->addresses.count; k++) {
			char text[IP_TEXT_MAX];

			sqlite3_bind_text(s, 1, ip_format(&x->addresses.item[k].addr, text), -1, SQLITE_STATIC);
			sqlite3_step(s);
			sqlite3_reset(s);
		}
	}
	sqlite3_finalize(s);
}

static void read_servers(const struct check *c, struct check_address *a)
{
	find_servers(c, a);
	add_configured(c, a);
	sqlite3_stmt *s = query(c, SERVERS, a->text, 0);

	while (sqlite3_step(s) == SQLITE_ROW && a->server_count < CHECK_NAMES_MAX)
		a->server[a->server_count++] = copy_column(s, 0);
	sqlite3_finalize(s);
}

static void read_names(const struct check *c, struct check_address *a)
{
	sqlite3_stmt *s = query(c, EHLO, a->text, 0);

	while (sqlite3_step(s) == SQLITE_ROW && a->name_count < CHECK_NAMES_MAX)
		a->name[a->name_count++] = (struct check_host_name){ .name = copy_column(s, 0), .is_ehlo = true };
	sqlite3_finalize(s);
	s = query(c, KEYWORDS, a->text, c->now_us);
	a->starttls = sqlite3_step(s) == SQLITE_ROW ? text_find_nocase(column_text(s, 0), "starttls") >= 0 : -1;
	sqlite3_finalize(s);
}

static unsigned count_refused(const struct check *c, int64_t since_us)
{
	sqlite3_stmt *s = query(c, REFUSED_SINCE, NULL, since_us > c->now_us - 7 * DAY_US ? since_us : c->now_us - 7 * DAY_US);
	unsigned n = 0;

	sqlite3_bind_int64(s, 3, c->now_us);
	sqlite3_bind_int(s, 4, REFUSED_COUNTED_MAX);
	while (sqlite3_step(s) == SQLITE_ROW)
		n += !probe_is_name(column_text(s, 3))
		     && strcmp(cause_class(sqlite3_column_int(s, 0), column_text(s, 1), column_text(s, 2)), "user-unknown") == 0;
	sqlite3_finalize(s);
	return n;
}

/* Open while it goes on; closed where refusals in the dialogue took its place. */
static void judge_cause(const struct check *c, struct check_cause *x)
{
	bool open = c->fixed_us ? x->last_us > c->fixed_us : c->now_us - x->last_us < DAY_US;

	if (x->cause_class && strcmp(x->cause_class, "user-unknown") == 0)
		x->refused_since = count_refused(c, x->last_us);
	x->state = !x->counted ? CHECK_CAUSE_DOUBT : open ? CHECK_CAUSE_OPEN : x->refused_since ? CHECK_CAUSE_CLOSED : CHECK_CAUSE_QUIET;
}

static bool has_hygiene(const struct check *c)
{
	return db_int(c->db, "SELECT count(*) FROM verdicts.sqlite_schema WHERE name = 'hygiene'", 0) > 0;
}

static void read_defects(const struct check *c, struct check_address *a)
{
	if (!has_hygiene(c))
		return;
	sqlite3_stmt *s = query(c, HYGIENE, a->text, 0);
	while (sqlite3_step(s) == SQLITE_ROW && a->defect_count < CHECK_CAUSES_MAX) {
		struct check_defect *d = &a->defect[a->defect_count++];

		*d = (struct check_defect){ copy_column(s, 0), (unsigned)sqlite3_column_int(s, 1), (unsigned)sqlite3_column_int(s, 2), sqlite3_column_int64(s, 3) };
		for (size_t i = 0; strcmp(d->what, "accepts-unknown") == 0 && d->last_us <= c->now_us && i < c->lists->count; i++)
			if (list_counts(a->list[i].list, KIND_BOUNCE, LIST_SENDER_NULL) == LIST_COUNTS)
				later(&a->list[i].in.seen.defect_us, d->last_us);
	}
	sqlite3_finalize(s);
}

static void read_coverage(const struct check *c, const struct check_address *a, struct selfcheck_input *in)
{
	enum selfcheck_start what;
	int64_t from_us = selfcheck_start(in, &what);

	if (from_us < c->now_us - in->list->clean_us)
		from_us = c->now_us - in->list->clean_us;
	in->coverage = (struct selfcheck_coverage){ .hours = (unsigned)(c->now_us / HOUR_US - from_us / HOUR_US + 1) };
	sqlite3_stmt *s = db_prepare(c->db, sql[HOURS]);
	sqlite3_bind_int64(s, 1, c->now_us);
	sqlite3_bind_int64(s, 2, from_us);
	in->coverage.hours_seen = (unsigned)take_int(s);
	s = db_prepare(c->db, sql[CAPTURE]);
	sqlite3_bind_int64(s, 1, c->now_us);
	sqlite3_bind_int64(s, 2, from_us);
	if (sqlite3_step(s) == SQLITE_ROW) {
		in->coverage.packets = (uint64_t)sqlite3_column_int64(s, 0);
		in->coverage.dropped = (uint64_t)sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
	s = query(c, SESSIONS, a->text, c->now_us);
	sqlite3_bind_int64(s, 3, from_us);
	if (sqlite3_step(s) == SQLITE_ROW) {
		in->coverage.sessions = (unsigned)sqlite3_column_int64(s, 0);
		in->coverage.unreadable = (unsigned)sqlite3_column_int64(s, 1);
		in->coverage.received = (unsigned)sqlite3_column_int64(s, 2);
	}
	sqlite3_finalize(s);
}

static void read_span(const struct check *c, struct selfcheck_evidence *e)
{
	sqlite3_stmt *s = db_prepare(c->db, sql[SPAN]);

	sqlite3_bind_int64(s, 1, c->now_us);
	if (sqlite3_step(s) == SQLITE_ROW) {
		e->watched_us = sqlite3_column_int64(s, 0);
		e->seen_us = sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
}

static void read_refusal(const struct check *c, const struct check_address *a, struct check_list *l)
{
	sqlite3_stmt *s = query(c, REFUSAL, a->text, c->now_us);

	sqlite3_bind_text(s, 3, l->list->id, -1, SQLITE_STATIC);
	l->in.seen.refused_us = take_int(s);
}

static struct selfcheck_evidence read_common(const struct check *c, const struct check_address *a)
{
	struct selfcheck_evidence e = { .is_judged = c->present & 1u << DB_VERDICTS, .is_known = a->server_count > 0 };

	read_span(c, &e);
	if (!e.is_judged)
		return e;
	int64_t since_us = take_int(db_prepare(c->db, sql[UNJUDGED]));
	if (since_us && c->wall_us - since_us > UNJUDGED_US)
		e.unjudged_us = c->wall_us - since_us;
	e.sent_us = take_int(query(c, SENT, NULL, c->now_us));
	e.others_sent_us = take_int(query(c, OTHERS_SENT, NULL, c->now_us));
	return e;
}

void check_read_evidence(struct check *c, struct check_address *a)
{
	bool judged = c->present & 1u << DB_VERDICTS;

	if (judged)
		read_servers(c, a);
	struct selfcheck_evidence common = read_common(c, a);
	for (size_t i = 0; i < c->lists->count; i++) {
		a->list[i].in = (struct selfcheck_input){ .list = &c->lists->item[i], .ipv6 = a->ip.version == 6, .now_us = c->now_us, .impact_us = c->impact_us,
			.fixed_us = c->fixed_us, .seen = common };
		if (judged)
			read_refusal(c, a, &a->list[i]);
	}
	if (!judged)
		return;
	read_findings(c, a);
	assign_impact(c, a);
	read_defects(c, a);
	count_doubt(c, a);
	for (unsigned i = 0; i < a->cause_count; i++)
		judge_cause(c, &a->cause[i]);
	for (size_t i = 0; i < c->lists->count; i++)
		read_coverage(c, a, &a->list[i].in);
	read_names(c, a);
}

/* ---- addresses ---- */

struct check_address *check_add(struct check *c, const struct ip_addr *ip)
{
	for (unsigned i = 0; i < c->address_count; i++)
		if (ip_equal(&c->address[i].ip, ip))
			return &c->address[i];
	c->address = xreallocarray(c->address, c->address_count + 1, sizeof *c->address);
	struct check_address *a = &c->address[c->address_count++];
	*a = (struct check_address){ .ip = *ip, .list = xcalloc(c->lists->count + 1, sizeof *a->list), .starttls = -1, .ptr_status = DNS_NOT_ASKED };
	for (size_t i = 0; i < c->lists->count; i++)
		a->list[i].list = &c->lists->item[i];
	ip_format(ip, a->text);
	return a;
}

void check_add_all(struct check *c)
{
	struct ip_addr ip;

	if (c->present & 1u << DB_VERDICTS) {
		sqlite3_stmt *s = db_prepare(c->db, sql[ADDRESSES]);

		while (sqlite3_step(s) == SQLITE_ROW)
			if (ip_parse((const char *)sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0), &ip) == 0)
				check_add(c, &ip);
		sqlite3_finalize(s);
	}
	for (size_t i = 0; i < c->config->server_count; i++)
		if (c->config->server[i].public_address.version)
			check_add(c, &c->config->server[i].public_address);
}
