/*
 * finding.c - see finding.h. One group of attempts becomes one finding, unless it was forwarded or its recipient is ours.
 */
#include "analyzer/finding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/hygiene.h"
#include "common/buf.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum statement { OLD_SINCE, OLD, DELETE_FINDING, DELETE_ATTEMPTS, DELETE_REASONS, INSERT, INSERT_ATTEMPT, INSERT_REASON, ALIAS, REPOINT, CHANGE, SET_KIND,
	SET_PROVENANCE, STATEMENT_COUNT };

static const char *const sql[STATEMENT_COUNT] = {
	[OLD_SINCE] = "SELECT id, finding_id, revision, digest FROM finding WHERE recipient_id = ?1 AND first_us >= ?2",
	[OLD] = "SELECT id, finding_id, revision, digest FROM finding WHERE id = ?1",
	[DELETE_FINDING] = "DELETE FROM finding WHERE id = ?1",
	[DELETE_ATTEMPTS] = "DELETE FROM finding_attempt WHERE finding_rowid = ?1",
	[DELETE_REASONS] = "DELETE FROM finding_reason WHERE finding_rowid = ?1",
	[INSERT] = "INSERT INTO finding (id, finding_id, server_id, address, public_address, kind, misdirected, exposure, tier, sender, recipient,"
		" recipient_domain, recipient_id, attempts, first_us, last_us, revision, settled, originator_server_id, originator_how, cause_rowid,"
		" cause_matched_by, cause_delay_ms, origin_ip, root_rowid, root_code, root_enhanced, root_reply, cause_class, digest, via)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'clear', ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, 0, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24,"
		" ?25, ?26, ?27, ?28, ?29)",
	[INSERT_ATTEMPT] = "INSERT OR IGNORE INTO finding_attempt VALUES (?1, ?2, ?3)",
	[INSERT_REASON] = "INSERT INTO finding_reason VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[ALIAS] = "INSERT OR REPLACE INTO finding_alias VALUES (?1, ?2)",
	[REPOINT] = "UPDATE finding_alias SET finding_rowid = ?2 WHERE finding_rowid = ?1",
	[CHANGE] = "INSERT INTO change (what, id) VALUES (?1, ?2)",
	[SET_KIND] = "UPDATE transaction_verdict SET kind = ?2, kind_rule = ?3 WHERE transaction_rowid = ?1 AND (kind <> ?2 OR kind_rule <> ?3)",
	[SET_PROVENANCE] = "UPDATE transaction_verdict SET provenance = ?2 WHERE transaction_rowid = ?1 AND provenance IS NOT ?2",
};

struct findings {
	sqlite3 *db;
	const struct own *own;
	struct servers *servers;
	struct judge *judge;
	struct hygiene *hygiene;
	sqlite3_stmt *q[STATEMENT_COUNT];
};

struct findings *findings_new(sqlite3 *verdicts, const struct own *own, struct servers *servers, struct judge *judge, struct hygiene *hygiene)
{
	struct findings *f = xcalloc(1, sizeof *f);

	*f = (struct findings){ .db = verdicts, .own = own, .servers = servers, .judge = judge, .hygiene = hygiene };
	for (int i = 0; i < STATEMENT_COUNT; i++)
		f->q[i] = db_prepare(verdicts, sql[i]);
	return f;
}

void findings_free(struct findings *f)
{
	if (!f)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(f->q[i]);
	free(f);
}

const char *transaction_id_format(const uint8_t session_id[16], int ordinal, char out[TRANSACTION_ID_MAX])
{
	for (int i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", session_id[i]);
	snprintf(out + 32, TRANSACTION_ID_MAX - 32, ".%d", ordinal);
	return out;
}

static void run(sqlite3_stmt *s)
{
	sqlite3_step(s);
	sqlite3_reset(s);
}

static void run_id(struct findings *f, enum statement which, int64_t id)
{
	sqlite3_bind_int64(f->q[which], 1, id);
	run(f->q[which]);
}

static void note_change(struct findings *f, const char *what, int64_t id)
{
	sqlite3_bind_text(f->q[CHANGE], 1, what, -1, SQLITE_STATIC);
	sqlite3_bind_int64(f->q[CHANGE], 2, id);
	run(f->q[CHANGE]);
}

/* ---- kinds and provenance of the transactions ---- */

static void write_kind(struct findings *f, const struct answer *a, int64_t fresh_rowid)
{
	sqlite3_bind_int64(f->q[SET_KIND], 1, a->mail.rowid);
	sqlite3_bind_text(f->q[SET_KIND], 2, kind_name(a->kind), -1, SQLITE_STATIC);
	sqlite3_bind_text(f->q[SET_KIND], 3, a->rule, -1, SQLITE_STATIC);
	run(f->q[SET_KIND]);
	if (sqlite3_changes(f->db) && a->mail.rowid <= fresh_rowid)
		note_change(f, "transaction", a->mail.rowid);
}

/* Of what was worked through, and of earlier attempts of mail that was. */
static void write_kinds(struct findings *f, const struct victim *v, int64_t fresh_rowid)
{
	for (size_t i = v->redo; i < v->answer_count; i++)
		write_kind(f, v->answer[i], fresh_rowid);
	for (size_t i = 0; i < v->group_count; i++)
		for (size_t k = 0; v->group[i].touched && k < v->group[i].count && v->group[i].attempt[k]->at < v->redo; k++)
			write_kind(f, v->group[i].attempt[k], fresh_rowid);
}

static void write_provenance(struct findings *f, const struct mail_group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		if (!g->attempt[i]->route.leaves)
			continue;
		sqlite3_bind_int64(f->q[SET_PROVENANCE], 1, g->attempt[i]->mail.rowid);
		sqlite3_bind_text(f->q[SET_PROVENANCE], 2, provenance_name(g->provenance), -1, SQLITE_STATIC);
		run(f->q[SET_PROVENANCE]);
	}
}

/* ---- old findings ---- */

struct old {
	int64_t id, digest;
	char finding_id[TRANSACTION_ID_MAX + 8];
	int revision;
};

struct olds {
	struct old *item;	/* by id */
	size_t count, cap;
};

/* All findings that began before stand as they were, but for those that are touched. */
static int64_t redone_since(const struct victim *v)
{
	return v->redo == 0 ? INT64_MIN : v->redo < v->answer_count ? v->answer[v->redo]->mail.mail_us : INT64_MAX;
}

/* Those of the rows of a bound statement. */
static void add_old(struct olds *o, sqlite3_stmt *s)
{
	while (sqlite3_step(s) == SQLITE_ROW) {
		if (o->count == o->cap) {
			o->cap = o->cap ? o->cap * 2 : 4;
			o->item = xreallocarray(o->item, o->cap, sizeof *o->item);
		}
		struct old *x = &o->item[o->count++];
		x->id = sqlite3_column_int64(s, 0);
		snprintf(x->finding_id, sizeof x->finding_id, "%s", (const char *)sqlite3_column_text(s, 1));
		x->revision = sqlite3_column_int(s, 2);
		x->digest = sqlite3_column_int64(s, 3);
	}
	sqlite3_reset(s);
}

static int compare_old(const void *id, const void *x)
{
	int64_t a = *(const int64_t *)id, b = ((const struct old *)x)->id;

	return a < b ? -1 : a > b;
}

static int compare_olds(const void *x, const void *y)
{
	return compare_old(&((const struct old *)x)->id, y);
}

/* Findings whose mail is worked through, and those that are to be judged again. */
static struct olds read_old(struct findings *f, const struct victim *v)
{
	struct olds o = { 0 };
	int64_t since_us = redone_since(v);

	sqlite3_bind_int64(f->q[OLD_SINCE], 1, v->id);
	sqlite3_bind_int64(f->q[OLD_SINCE], 2, since_us);
	add_old(&o, f->q[OLD_SINCE]);
	for (size_t i = 0; i < v->group_count; i++)
		if (v->group[i].touched && v->group[i].attempt[0]->mail.mail_us < since_us) {
			sqlite3_bind_int64(f->q[OLD], 1, victim_finding_id(&v->group[i]));
			add_old(&o, f->q[OLD]);
		}
	if (o.count)
		qsort(o.item, o.count, sizeof *o.item, compare_olds);
	return o;
}

static const struct old *find_old(const struct olds *o, int64_t id)
{
	return o->count ? bsearch(&id, o->item, o->count, sizeof *o->item, compare_old) : NULL;
}

static void delete_finding(struct findings *f, int64_t id)
{
	run_id(f, DELETE_ATTEMPTS, id);
	run_id(f, DELETE_REASONS, id);
	run_id(f, DELETE_FINDING, id);
}

/* An id that an earlier attempt took over: the old one stays as its alias. */
static void keep_aliases(struct findings *f, const struct olds *o, const struct mail_group *g, int64_t id)
{
	for (size_t i = 1; i < g->count && o->count; i++) {
		const struct old *x = find_old(o, g->attempt[i]->mail.rowid * 100 + g->attempt[i]->n);

		if (!x)
			continue;
		sqlite3_bind_int64(f->q[REPOINT], 1, x->id);
		sqlite3_bind_int64(f->q[REPOINT], 2, id);
		run(f->q[REPOINT]);
		sqlite3_bind_text(f->q[ALIAS], 1, x->finding_id, -1, SQLITE_STATIC);
		sqlite3_bind_int64(f->q[ALIAS], 2, id);
		run(f->q[ALIAS]);
	}
}

/* ---- one finding ---- */

/* The row, as text and numbers ready to bind and to digest. */
struct row {
	int64_t id;
	char finding_id[TRANSACTION_ID_MAX + 8];
	struct server *server;
	char address[IP_TEXT_MAX], public_address[IP_TEXT_MAX], origin_ip[IP_TEXT_MAX], via[IP_TEXT_MAX];
	const char *sender;
	int attempts;
	int64_t first_us, last_us, delay_ms;
	const struct answer *caused;
};

static const char *sender_word(const struct mail *m)
{
	return m->null_sender || m->mail_from_class & CLASS_NULL ? "null"
	     : m->mail_from_class & CLASS_DOUBLE_BOUNCE ? "double-bounce"
	     : m->mail_from_class & CLASS_POSTMASTER ? "postmaster" : m->mail_from_class & CLASS_DAEMON ? "daemon" : "other";
}

/* Without an edge sighting the mail is only known to have reached the last server of ours. */
static struct ip_addr emitter_of(const struct mail_group *g)
{
	return g->edge ? g->edge->mail.src : g->attempt[g->count - 1]->mail.dest;
}

static int64_t delay_ms(const struct answer *first, const struct answer *caused)
{
	const struct sighting *c = &caused->cause;
	int64_t from = caused->kind != KIND_CALLOUT && c->reply_us ? c->reply_us : c->mail_us;

	return (first->mail.mail_us - from) / 1000;
}

static int count_attempts(const struct mail_group *g)
{
	int edge = 0;

	for (size_t i = 0; i < g->count; i++)
		edge += g->attempt[i]->route.leaves;
	return edge ? edge : (int)g->count;
}

static void make_row(struct findings *f, const struct mail_group *g, const struct judgement *j, struct row *r)
{
	const struct answer *first = g->attempt[0], *last = g->attempt[g->count - 1];
	struct ip_addr emitter = emitter_of(g);
	const struct config_server *c = own_server(f->own, &emitter);
	char transaction_id[TRANSACTION_ID_MAX];

	*r = (struct row){ .id = victim_finding_id(g) };
	transaction_id_format(first->mail.session_id, first->mail.ordinal, transaction_id);
	snprintf(r->finding_id, sizeof r->finding_id, "%s:%d", transaction_id, first->n);
	r->server = servers_add(f->servers, &emitter);
	ip_format(&emitter, r->address);
	ip_format(c && c->public_address.version ? &c->public_address : &emitter, r->public_address);
	ip_format(&j->origin.address, r->origin_ip);
	if (g->edge && own_is_smarthost(f->own, &g->edge->mail.dest))
		ip_format(&g->edge->mail.dest, r->via);
	r->sender = sender_word(&g->said->mail);
	r->attempts = count_attempts(g);
	r->first_us = first->mail.mail_us;
	r->last_us = last->mail.ended_us > first->mail.ended_us ? last->mail.ended_us : first->mail.ended_us;
	for (size_t i = 0; i < g->count && !r->caused; i++)
		if (g->attempt[i]->cause.rowid)
			r->caused = g->attempt[i];
	if (g->said->cause.rowid)
		r->caused = g->said;
	r->delay_ms = r->caused ? delay_ms(first, r->caused) : 0;
}

/* Of all that is written about the finding. */
static int64_t digest_of(const struct victim *v, const struct row *r, const struct mail_group *g, const struct judgement *j, unsigned defects)
{
	const struct root *root = r->caused ? &r->caused->root : &g->said->root;
	struct buf b = { 0 };
	uint64_t h = UINT64_C(14695981039346656037);

	buf_printf(&b, "%s %s %s %s %s %s %s %d %lld %lld %s %lld %s %lld %d %s", r->finding_id, r->address, r->public_address,
		   kind_name(g->said->kind), j->misdirected, j->exposure, r->sender, r->attempts, (long long)r->last_us,
		   (long long)(g->originator ? g->originator->id : 0), g->originator_how ? g->originator_how : "",
		   (long long)(r->caused ? r->caused->cause.rowid : 0), r->origin_ip, (long long)root->rowid, root->code,
		   j->cause_class ? j->cause_class : "");
	buf_printf(&b, " %s %lld %u ", r->caused ? r->caused->matched_by : "", (long long)r->delay_ms, defects);
	buf_add(&b, v->address.p, v->address.len);
	buf_add(&b, root->enhanced.p, root->enhanced.len);
	buf_add(&b, root->reply.p, root->reply.len);
	for (size_t i = 0; i < g->count; i++)
		buf_printf(&b, " %lld:%d", (long long)g->attempt[i]->mail.rowid, g->attempt[i]->n);
	for (size_t i = 0; i < j->reason_count; i++)
		buf_printf(&b, " %s %s", j->reason[i].rule, j->reason[i].text);
	for (size_t i = 0; i < b.len; i++)
		h = (h ^ (unsigned char)b.p[i]) * UINT64_C(1099511628211);
	buf_fini(&b);
	return (int64_t)(h >> 1);
}

static void bind_text(sqlite3_stmt *s, int i, struct text t)
{
	if (t.p)
		sqlite3_bind_text(s, i, t.p, (int)t.len, SQLITE_STATIC);
	else
		sqlite3_bind_null(s, i);
}

static void bind_cause(sqlite3_stmt *s, const struct row *r, const struct mail_group *g)
{
	const struct root *root = r->caused ? &r->caused->root : &g->said->root;

	if (r->caused) {
		sqlite3_bind_int64(s, 19, r->caused->cause.rowid);
		sqlite3_bind_text(s, 20, r->caused->matched_by, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 21, r->delay_ms);
	}
	if (r->origin_ip[0])
		sqlite3_bind_text(s, 22, r->origin_ip, -1, SQLITE_STATIC);
	if (root->rowid) {
		sqlite3_bind_int64(s, 23, root->rowid);
		sqlite3_bind_int(s, 24, root->code);
		bind_text(s, 25, root->enhanced);
		bind_text(s, 26, root->reply);
	}
}

static void insert_finding(struct findings *f, const struct victim *v, const struct mail_group *g, const struct judgement *j,
			   const struct row *r, int revision, int64_t digest)
{
	sqlite3_stmt *s = f->q[INSERT];

	sqlite3_clear_bindings(s);
	sqlite3_bind_int64(s, 1, r->id);
	sqlite3_bind_text(s, 2, r->finding_id, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, r->server->id);
	sqlite3_bind_text(s, 4, r->address, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 5, r->public_address, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 6, kind_name(g->said->kind), -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 7, j->misdirected, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 8, j->exposure, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 9, r->sender, -1, SQLITE_STATIC);
	bind_text(s, 10, v->address);
	bind_text(s, 11, v->domain);
	sqlite3_bind_int64(s, 12, v->id);
	sqlite3_bind_int(s, 13, r->attempts);
	sqlite3_bind_int64(s, 14, r->first_us);
	sqlite3_bind_int64(s, 15, r->last_us);
	sqlite3_bind_int(s, 16, revision);
	if (g->originator) {
		sqlite3_bind_int64(s, 17, g->originator->id);
		sqlite3_bind_text(s, 18, g->originator_how, -1, SQLITE_STATIC);
	}
	bind_cause(s, r, g);
	sqlite3_bind_text(s, 27, j->cause_class, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 28, digest);
	sqlite3_bind_text(s, 29, *r->via ? r->via : NULL, -1, SQLITE_STATIC);
	run(s);
}

static void insert_attempts(struct findings *f, const struct mail_group *g, int64_t id)
{
	for (size_t i = 0; i < g->count; i++) {
		sqlite3_bind_int64(f->q[INSERT_ATTEMPT], 1, id);
		sqlite3_bind_int64(f->q[INSERT_ATTEMPT], 2, g->attempt[i]->mail.rowid);
		sqlite3_bind_int(f->q[INSERT_ATTEMPT], 3, g->attempt[i]->n);
		run(f->q[INSERT_ATTEMPT]);
	}
}

static void insert_reasons(struct findings *f, const struct judgement *j, int64_t id)
{
	sqlite3_stmt *s = f->q[INSERT_REASON];

	for (size_t i = 0; i < j->reason_count; i++) {
		sqlite3_bind_int64(s, 1, id);
		sqlite3_bind_int(s, 2, (int)i);
		sqlite3_bind_text(s, 3, j->reason[i].rule, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 4, j->reason[i].sign, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 5, j->reason[i].strength, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 6, j->reason[i].text, -1, SQLITE_STATIC);
		run(s);
	}
}

/* What says the same as before is left as it is. */
static void write_group(struct findings *f, const struct victim *v, struct mail_group *g, const struct olds *old)
{
	struct judgement j;
	struct row r;

	judge_group(f->judge, v, g, &j);
	make_row(f, g, &j, &r);
	unsigned defects = hygiene_defects(f->hygiene, v, g, &j);
	int64_t digest = digest_of(v, &r, g, &j, defects);
	const struct old *x = find_old(old, r.id);
	if (!x || x->digest != digest) {
		if (x)
			delete_finding(f, r.id);
		insert_finding(f, v, g, &j, &r, x ? x->revision + 1 : 1, digest);
		insert_attempts(f, g, r.id);
		insert_reasons(f, &j, r.id);
		hygiene_of_finding(f->hygiene, defects, g, r.id, g->originator ? g->originator->id : r.server->id);
		note_change(f, "finding", r.id);
		keep_aliases(f, old, g, r.id);
	}
	judgement_fini(&j);
}

/*
 * Whether the mail goes to somebody who is not ours; inner sightings alone count only where our domains are known, and then mail to a name below
 * one of them stays here.
 */
static bool goes_outside(const struct findings *f, const struct victim *v, const struct mail_group *g)
{
	if (g->edge && own_has(f->own, &g->edge->mail.dest))
		return true;	/* another tenant */
	return !own_has_domain(f->own, v->domain) && (g->edge || (own_knows_domains(f->own) && !own_has_host(f->own, v->domain)));
}

static bool is_finding(const struct findings *f, const struct victim *v, const struct mail_group *g)
{
	return g->provenance != PROVENANCE_FORWARDED && kind_is_answering(g->said->kind) && goes_outside(f, v, g);
}

static int compare_ids(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return a < b ? -1 : a > b;
}

/* First, since the same mail may come again under another row, and a finding_id is there once. */
static void delete_what_is_gone(struct findings *f, const struct victim *v, const struct olds *old)
{
	int64_t *id = xcalloc(v->group_count + 1, sizeof *id), since_us = redone_since(v);
	size_t n = 0;

	for (size_t i = 0; i < v->group_count; i++) {
		const struct mail_group *g = &v->group[i];

		if ((g->touched || g->attempt[0]->mail.mail_us >= since_us) && is_finding(f, v, g))
			id[n++] = victim_finding_id(g);
	}
	qsort(id, n, sizeof *id, compare_ids);
	for (size_t i = 0; i < old->count; i++)
		if (!bsearch(&old->item[i].id, id, n, sizeof *id, compare_ids))
			delete_finding(f, old->item[i].id);
	free(id);
}

void findings_write(struct findings *f, struct victim *v, int64_t fresh_rowid)
{
	struct olds old = read_old(f, v);

	write_kinds(f, v, fresh_rowid);
	delete_what_is_gone(f, v, &old);
	for (size_t i = 0; i < v->group_count; i++) {
		struct mail_group *g = &v->group[i];

		if (!g->touched)
			continue;
		write_provenance(f, g);
		if (is_finding(f, v, g))
			write_group(f, v, g, &old);
		g->touched = false;
	}
	free(old.item);
}

void findings_remove(struct findings *f, int64_t recipient_id)
{
	struct olds old = { 0 };

	sqlite3_bind_int64(f->q[OLD_SINCE], 1, recipient_id);
	sqlite3_bind_int64(f->q[OLD_SINCE], 2, INT64_MIN);
	add_old(&old, f->q[OLD_SINCE]);
	for (size_t i = 0; i < old.count; i++)
		delete_finding(f, old.item[i].id);
	free(old.item);
}
