/* report_matter.c - findings grouped by what would end them: matters with their advice, who was hit, root causes, evidence. See report.h. */
#include <stdlib.h>
#include <string.h>

#include "analyzer/domain.h"
#include "analyzer/own.h"
#include "analyzer/report_build.h"
#include "common/xmalloc.h"
#include "schema/db.h"
#include "reader/software.h"

#define MATTER_KEY "coalesce(f.originator_server_id, f.server_id), f.kind, f.cause_class, CASE WHEN f.exposure = 'no' THEN 'client' WHEN f.root_rowid IS NULL THEN 'here'" \
	" WHEN (SELECT direction FROM verdicts.transaction_verdict v WHERE v.transaction_rowid = f.root_rowid) = 'internal' THEN 'inner' ELSE 'outside' END"
#define AVOIDABLE "(f.exposure = 'can-backscatter' OR f.misdirected IN ('yes', 'likely'))"

/* The example is the one that shows the matter best, then the first: a number of 2 and one of 20 digits before its id. Rowids tell nothing of order. */
enum { EXAMPLE_KEY = 22 };

static const char sql_matters[] =
	"SELECT " MATTER_KEY ", count(*), sum(f.attempts), sum(f.misdirected IN ('yes', 'likely')), sum(f.misdirected = 'likely'), count(DISTINCT f.recipient_domain),"
	" min(f.first_us), max(f.last_us), min(printf('%02d%020d%s', CASE f.misdirected WHEN 'yes' THEN 0 WHEN 'likely' THEN 4 WHEN 'unknown' THEN 8 ELSE 12 END"
	" + 2 * (f.root_rowid IS NULL) + (f.cause_rowid IS NULL), f.first_us, f.finding_id)), min(f.server_id), count(DISTINCT f.server_id),"
	" sum(f.cause_rowid IS NOT NULL AND f.first_us - coalesce(f.cause_delay_ms, 0) * 1000 >= ?1), min(f.origin_ip), count(DISTINCT f.origin_ip)"
	" FROM verdicts.finding f WHERE f.first_us >= ?1 AND f.first_us < ?2 AND " AVOIDABLE " GROUP BY 1, 2, 3, 4";
static const char sql_example[] =
	"SELECT f.id, f.root_code, f.root_enhanced, f.root_reply, t.dest_ip, (SELECT r.remote_mta FROM verdicts.finding_attempt a"
	" JOIN main.report_recipients r ON r.transaction_rowid = a.transaction_rowid WHERE a.finding_rowid = f.id AND r.remote_mta IS NOT NULL LIMIT 1),"
	/* an attempt whose message was sent: many are refused before */
	" (SELECT m.transaction_rowid FROM verdicts.finding_attempt a JOIN main.messages m ON m.transaction_rowid = a.transaction_rowid WHERE a.finding_rowid = f.id LIMIT 1)"
	" FROM verdicts.finding f LEFT JOIN main.transactions t ON t.id = f.root_rowid"
	" WHERE f.finding_id = ?1";
static const char sql_victims[] =
	"SELECT f.server_id, f.recipient_domain, count(*), sum(f.misdirected IN ('yes', 'likely')), sum(f.attempts) FROM verdicts.finding f"
	" WHERE f.first_us >= ?1 AND f.first_us < ?2 AND " AVOIDABLE " GROUP BY 1, 2";
static const char sql_roots[] =
	"SELECT coalesce(f.originator_server_id, f.server_id), t.dest_ip, f.root_code, f.root_enhanced, min(f.root_reply), f.cause_class, count(*)"
	" FROM verdicts.finding f LEFT JOIN main.transactions t ON t.id = f.root_rowid"
	" WHERE f.first_us >= ?1 AND f.first_us < ?2 AND f.root_code IS NOT NULL GROUP BY 1, 2, 3, 4, 6 ORDER BY 7 DESC, 1, 2, 3, 4";
/* The matters of findings that somebody acknowledged. */
static const char sql_known[] =
	"SELECT " MATTER_KEY ", a.why FROM notes.ack a JOIN verdicts.finding f ON f.finding_id = a.subject OR f.id = (SELECT x.finding_rowid"
	" FROM verdicts.finding_alias x WHERE x.finding_id = a.subject) WHERE a.until_us IS NULL OR a.until_us > ?1 ORDER BY a.at_us";

/* ---- matters ---- */

static const char *word_or_null(struct report *r, sqlite3_stmt *s, int column)
{
	return sqlite3_column_type(s, column) == SQLITE_NULL ? NULL : reader_word(&r->arena, s, column);
}

static const char *where_name(struct text t)
{
	return text_equal(t, TEXT("client")) ? "client" : text_equal(t, TEXT("inner")) ? "inner" : text_equal(t, TEXT("outside")) ? "outside" : "here";
}

/* What several servers emit of one originator's is one matter; the emitter is named where there is one, and it is another. */
static void take_matter(struct report *r, sqlite3_stmt *s)
{
	struct report_server *server = report_find_server(r, sqlite3_column_int64(s, 0)), *emitter = report_find_server(r, sqlite3_column_int64(s, 12));
	enum kind kind = kind_parse((const char *)sqlite3_column_text(s, 1));
	struct report_server *named = server ? server : emitter;
	const char *example = reader_word(&r->arena, s, 11);

	if (strlen(example) <= EXAMPLE_KEY || !named || kind >= KIND_COUNT || r->matter_count >= REPORT_MATTERS_MAX)
		return;
	r->matter[r->matter_count++] = (struct report_matter){ .server_id = named->row->id, .server = named->title, .owner = named->row->owner,
		.emitter = emitter && emitter != named && sqlite3_column_int(s, 13) == 1 ? emitter->title : NULL, .kind = kind, .cause = word_or_null(r, s, 2),
		.where = where_name(column_text(s, 3)), .answers = (uint64_t)sqlite3_column_int64(s, 4), .attempts = (uint64_t)sqlite3_column_int64(s, 5),
		.misdirected = (uint64_t)sqlite3_column_int64(s, 6), .likely_only = (uint64_t)sqlite3_column_int64(s, 7),
		.domains = (uint64_t)sqlite3_column_int64(s, 8), .fresh = (uint64_t)sqlite3_column_int64(s, 14), .first_us = sqlite3_column_int64(s, 9), .last_us = sqlite3_column_int64(s, 10),
		.finding_id = example + EXAMPLE_KEY, .software = named->row->software, .known_why = named->row->acked_why,
		.client = word_or_null(r, s, 15), .clients = (uint64_t)sqlite3_column_int64(s, 16) };
}

static int compare_matters(const void *a, const void *b)
{
	const struct report_matter *x = a, *y = b;

	if (x->misdirected != y->misdirected)
		return x->misdirected > y->misdirected ? -1 : 1;
	if (x->answers != y->answers)
		return x->answers > y->answers ? -1 : 1;
	int c = strcmp(x->server, y->server);
	return c ? c : strcmp(x->finding_id, y->finding_id);
}

/* A mail server's own messages tell it even when its greeting does not; what others write for it is theirs to mend. */
static void recognise(struct reader *reader, struct report_matter *m, int64_t transaction)
{
	const char *writer = transaction ? software_of_transaction(reader, transaction) : NULL;

	if (!writer)
		return;
	if (m->kind == KIND_BOUNCE || m->kind == KIND_DELAY_NOTICE || m->kind == KIND_SUCCESS_NOTICE) {
		if (!m->software)
			m->software = writer;
	} else if (!m->software || strcmp(writer, m->software) != 0)
		m->responder = writer;
}

/* The hop behind may be encrypted: the report itself names the host that refused. Only what is ours for sure is believed. */
static bool is_own_host(struct reader *reader, const struct own *own, struct text host)
{
	static const char sql_name[] = "SELECT 1 FROM verdicts.server_name WHERE name = lower(?1)";
	char name[256];

	if (!host.len || host.len >= sizeof name)
		return false;
	memcpy(name, host.p, host.len);
	name[host.len] = '\0';
	sqlite3_stmt *s = reader_select(reader, sql_name, "t", name);
	bool known = reader_step(reader, s) || own_has_host(own, host);
	sqlite3_finalize(s);
	return known;
}

static void take_example(struct reader *reader, struct report *r, const struct own *own, struct report_matter *m)
{
	sqlite3_stmt *s = reader_select(reader, sql_example, "t", m->finding_id);
	int64_t with_message = 0;

	if (reader_step(reader, s)) {
		m->finding = sqlite3_column_int64(s, 0);
		m->root_code = sqlite3_column_int(s, 1);
		m->root_enhanced = reader_text(&r->arena, s, 2);
		m->root_reply = reader_text(&r->arena, s, 3);
		m->root_server = word_or_null(r, s, 4);
		if (!m->root_code && m->kind == KIND_BOUNCE && strcmp(m->where, "client") != 0 && is_own_host(reader, own, column_text(s, 5)))
			m->where = "inner";
		with_message = sqlite3_column_int64(s, 6);
	}
	sqlite3_finalize(s);
	recognise(reader, m, with_message);
}

static bool is_same_word(const char *a, struct text b)
{
	return a ? b.p && strlen(a) == b.len && memcmp(a, b.p, b.len) == 0 : !b.p;
}

static void mark_known(struct reader *reader, struct report *r)
{
	sqlite3_stmt *s = reader_has_notes(reader) ? reader_select(reader, sql_known, "i", r->options.now_us) : NULL;

	while (reader_step(reader, s))
		for (size_t i = 0; i < r->matter_count; i++) {
			struct report_matter *m = &r->matter[i];

			if (m->server_id == sqlite3_column_int64(s, 0) && is_same_word(kind_name(m->kind), column_text(s, 1))
			    && is_same_word(m->cause, column_text(s, 2)) && strcmp(m->where, where_name(column_text(s, 3))) == 0)
				m->known_why = reader_word(&r->arena, s, 4);
		}
	sqlite3_finalize(s);
}

static void take_first(struct report *r, struct report_matter *m)
{
	for (size_t k = r->todo_count; m->queue && k-- > 0;)
		if (r->todo[k]->server_id == m->server_id && r->todo[k]->queue == m->queue)
			m->queue_said = k + 1;
	r->todo[r->todo_count++] = m;
}

/* What was refused before it said what it is comes last: its advice is to look into the log, and mostly it ends with what stands above it. */
static void choose_first(struct report *r)
{
	for (int unknown = 0; unknown < 2; unknown++)
		for (size_t i = 0; i < r->matter_count; i++) {
			struct report_matter *m = &r->matter[i];

			if ((m->kind == KIND_AUTOMATED_UNKNOWN) != unknown)
				continue;
			if (m->known_why)
				r->known_count++;
			else if (r->todo_count < REPORT_TODO_MAX)
				take_first(r, m);
		}
}

/* What one matter tells of a mail server that hides its name holds for its others. */
static void spread_software(struct report *r)
{
	for (size_t i = 0; i < r->matter_count; i++)
		for (size_t k = 0; !r->matter[i].software && k < r->matter_count; k++)
			if (r->matter[k].server_id == r->matter[i].server_id)
				r->matter[i].software = r->matter[k].software;
}

static void advise(struct report_matter *m)
{
	m->advice = advice_find(&(struct advice_query){ kind_name(m->kind), m->cause, m->software, m->responder, m->where });
	m->queue = advice_has_queue(kind_name(m->kind)) ? advice_queue(m->software) : NULL;
	m->log = advice_log(m->software);
}

static int read_matters(struct reader *reader, struct report *r)
{
	r->matter = report_array(r, REPORT_MATTERS_MAX, sizeof *r->matter);
	if (!r->matter)
		return 0;
	reader_begin(reader);
	sqlite3_stmt *s = reader_select(reader, sql_matters, "ii", r->options.since_us, r->options.until_us);
	while (reader_step(reader, s))
		take_matter(r, s);
	sqlite3_finalize(s);
	qsort(r->matter, r->matter_count, sizeof *r->matter, compare_matters);
	mark_known(reader, r);
	struct own *own = own_new(r->options.config);
	for (size_t i = 0; i < r->matter_count; i++)
		take_example(reader, r, own, &r->matter[i]);
	own_free(own);
	spread_software(r);
	for (size_t i = 0; i < r->matter_count; i++)
		advise(&r->matter[i]);
	choose_first(r);
	return reader_end(reader);
}

/* ---- who is hit ---- */

static int compare_domains(const void *a, const void *b)
{
	return strcmp(((const struct report_victim *)a)->domain, ((const struct report_victim *)b)->domain);
}

static int compare_victims(const void *a, const void *b)
{
	const struct report_victim *x = a, *y = b;

	return x->answers != y->answers ? (x->answers > y->answers ? -1 : 1) : compare_domains(a, b);
}

/* Rows of one domain become one. */
static size_t merge_victims(struct report_victim *v, size_t count)
{
	size_t kept = 0;

	qsort(v, count, sizeof *v, compare_domains);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || strcmp(v[kept - 1].domain, v[i].domain) != 0) {
			v[kept++] = v[i];
			continue;
		}
		v[kept - 1].answers += v[i].answers;
		v[kept - 1].misdirected += v[i].misdirected;
		v[kept - 1].attempts += v[i].attempts;
	}
	return kept;
}

/* Where the server stands that took the latest answer to somebody of the domain. */
static void place_victim(struct reader *reader, const struct report *r, struct report_victim *v)
{
	struct finding_filter filter = { .domain = v->domain, .since_us = r->options.since_us, .until_us = r->options.until_us };
	struct finding_page page;

	if (finding_page_read(reader, &filter, (struct finding_place){ 0 }, 1, &page) == 0 && page.count)
		v->place = page.row[0].dest_place;
	finding_page_fini(&page);
}

static int read_victims(struct reader *reader, struct report *r)
{
	struct report_victim *all = NULL;
	size_t count = 0, room = 0;

	reader_begin(reader);
	sqlite3_stmt *s = reader_select(reader, sql_victims, "ii", r->options.since_us, r->options.until_us);
	while (reader_step(reader, s)) {
		struct text domain = domain_registrable(column_text(s, 1)), kept = arena_copy(&r->arena, domain.p, domain.len, domain.len, NULL);
		char *name = report_printf(r, "%.*s", (int)kept.len, kept.p ? kept.p : "");

		if (!name || !report_find_server(r, sqlite3_column_int64(s, 0)))
			continue;
		if (count == room)
			all = xreallocarray(all, room = room ? 2 * room : 256, sizeof *all);
		all[count++] = (struct report_victim){ name, (uint64_t)sqlite3_column_int64(s, 2), (uint64_t)sqlite3_column_int64(s, 3),
			(uint64_t)sqlite3_column_int64(s, 4), { .asn = 0 } };
	}
	sqlite3_finalize(s);
	if (count) {
		count = merge_victims(all, count);
		qsort(all, count, sizeof *all, compare_victims);
	}
	r->victim_domains = count;
	r->victim_count = count < REPORT_VICTIMS_MAX ? count : REPORT_VICTIMS_MAX;
	r->victim = report_array(r, REPORT_VICTIMS_MAX, sizeof *r->victim);
	if (r->victim && count)
		memcpy(r->victim, all, r->victim_count * sizeof *all);
	free(all);
	int failed = reader_end(reader);
	r->geo_built_us = geo_built_us(reader_geo(reader));
	for (size_t i = 0; r->geo_built_us && i < r->victim_count; i++)
		place_victim(reader, r, &r->victim[i]);
	return failed;
}

/* ---- root causes ---- */

static int read_roots(struct reader *reader, struct report *r)
{
	r->root = report_array(r, REPORT_ROOTS_MAX, sizeof *r->root);
	reader_begin(reader);
	sqlite3_stmt *s = reader_select(reader, sql_roots, "ii", r->options.since_us, r->options.until_us);
	while (r->root && r->root_count < REPORT_ROOTS_MAX && reader_step(reader, s)) {
		const struct report_server *server = report_find_server(r, sqlite3_column_int64(s, 0));

		if (server)
			r->root[r->root_count++] = (struct report_root){ server->title, word_or_null(r, s, 1), sqlite3_column_int(s, 2),
				reader_text(&r->arena, s, 3), reader_text(&r->arena, s, 4), word_or_null(r, s, 5), (uint64_t)sqlite3_column_int64(s, 6) };
	}
	sqlite3_finalize(s);
	return reader_end(reader);
}

/* ---- evidence ---- */

static int read_evidence(struct reader *reader, struct report *r)
{
	int failed = 0;

	for (size_t i = 0; i < r->todo_count && !failed; i++) {
		struct report_evidence *e = &r->evidence[r->evidence_count++];

		e->number = (int)i + 1;
		e->matter = r->todo[i];
		failed = finding_read(reader, e->matter->finding, r->options.now_us, &e->page) || ladder_read(reader, e->matter->finding, &e->ladder);
	}
	return failed ? -1 : 0;
}

int report_read_matters(struct reader *reader, struct report *r)
{
	return read_matters(reader, r) || read_victims(reader, r) || read_roots(reader, r) || read_evidence(reader, r) ? -1 : 0;
}
