/*
 * policy.c - see policy.h. One pass over the findings of a list's window per server; a mail counts, is in doubt, or does not count.
 */
#include "analyzer/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/kind.h"
#include "analyzer/mail.h"
#include "common/buf.h"
#include "common/ip.h"
#include "common/xmalloc.h"
#include "schema/db.h"

/* Public addresses of a server: those it sends by, those its findings left by, and that of one that only serves. */
static const char sql_addresses[] =
	"SELECT server_id, public_address FROM server_address WHERE sends UNION SELECT server_id, public_address FROM finding"
	" UNION SELECT id, public_address FROM server ORDER BY 1, 2";
/* From the index finding_risk alone. Ordered by domain, so that distinct ones are counted in passing. */
static const char sql_findings[] =
	"SELECT recipient_domain, kind, sender, misdirected, attempts, first_us, last_us, via FROM finding"
	" WHERE server_id = ?1 AND public_address = ?2 AND misdirected <> 'no' AND first_us <= ?3 ORDER BY recipient_domain";
static const char sql_refusal[] =
	"SELECT max(at_us), remote_ip FROM refusal WHERE server_id = ?1 AND address = ?2 AND list = ?3 AND at_us > ?4 AND at_us <= ?5";
static const char sql_coverage[] =
	"SELECT coalesce(sum(sessions), 0), coalesce(sum(min(sessions, encrypted + max(one_sided, incomplete))), 0) FROM coverage"
	" WHERE server_id = ?1 AND direction = 'outbound' AND hour_us > ?2 - 3600000000 AND hour_us <= ?3";
static const char sql_insert[] = "INSERT INTO risk VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
static const char sql_reason[] = "INSERT INTO risk_reason VALUES (?1, ?2, ?3, ?4, ?5)";

struct policy {
	sqlite3_stmt *addresses, *findings, *refusal, *coverage, *insert, *reason;
	int64_t now_us;
};

/* Mails of one certainty. */
struct tally {
	int mails, attempts;
	int by_kind[KIND_COUNT];
	int domains;		/* distinct */
	int domain;		/* number of the last one, from 1 */
};

/* A finding as risk sees it. */
struct finding {
	enum kind kind;
	enum list_sender sender;
	bool doubtful;		/* whether misdirected is not known */
	int domain;		/* of the recipient, numbered from 1 */
	int attempts;
	int64_t first_us, last_us;
	struct text via;	/* smarthost outside; NULL: none */
};

struct risk {
	int64_t server_id;
	const char *address, *status;
	struct tally counted, doubtful, all;
	struct tally instead;		/* what another's address answers for */
	char via[IP_TEXT_MAX];		/* that one: a smarthost outside */
	int64_t first_us, last_us;
	char refused_by[IP_TEXT_MAX];
	int64_t refused_us;
	int sessions, unread;
};

static void tally_add(struct tally *t, const struct finding *f)
{
	t->domains += t->domain != f->domain;
	t->domain = f->domain;
	t->mails++;
	t->attempts += f->attempts;
	t->by_kind[f->kind]++;
}

static void add_finding(const struct list *l, const struct finding *f, struct risk *r)
{
	enum list_count count = f->kind < KIND_COUNT ? list_counts(l, f->kind, f->sender) : LIST_NOT;

	if (count == LIST_NOT)
		return;
	tally_add(f->via.p ? &r->instead : count == LIST_COUNTS && !f->doubtful ? &r->counted : &r->doubtful, f);
	if (f->via.p && f->via.len < sizeof r->via && strcmp(f->via.p, r->via) > 0)
		memcpy(r->via, f->via.p, f->via.len + 1);
	tally_add(&r->all, f);
	if (!r->first_us || f->first_us < r->first_us)
		r->first_us = f->first_us;
	if (f->last_us > r->last_us)
		r->last_us = f->last_us;
}

static struct finding read_finding(sqlite3_stmt *s)
{
	return (struct finding){ .kind = kind_parse((const char *)sqlite3_column_text(s, 1)), .sender = list_sender_parse((const char *)sqlite3_column_text(s, 2)),
		.doubtful = text_equal(column_text(s, 3), TEXT("unknown")), .attempts = sqlite3_column_int(s, 4), .first_us = sqlite3_column_int64(s, 5),
		.last_us = sqlite3_column_int64(s, 6), .via = column_text(s, 7) };
}

/* What is found at one address is read once for all lists; r has one for each. */
static void read_findings(struct policy *p, const struct lists *lists, int64_t server_id, const char *address, struct risk *r)
{
	struct buf domain = { 0 };	/* of the row before */
	int domains = 0;

	sqlite3_reset(p->findings);
	sqlite3_bind_int64(p->findings, 1, server_id);
	sqlite3_bind_text(p->findings, 2, address, -1, SQLITE_STATIC);
	sqlite3_bind_int64(p->findings, 3, p->now_us);
	while (sqlite3_step(p->findings) == SQLITE_ROW) {
		const char *d = (const char *)sqlite3_column_text(p->findings, 0);
		struct finding f = read_finding(p->findings);

		if (!domains || strcmp(buf_cstr(&domain), d) != 0) {
			domains++;
			buf_clear(&domain);
			buf_add_str(&domain, d);
		}
		f.domain = domains;
		for (size_t i = 0; i < lists->count; i++)
			if (f.last_us > p->now_us - lists->item[i].window_us)
				add_finding(&lists->item[i], &f, &r[i]);
	}
	sqlite3_reset(p->findings);
	buf_fini(&domain);
}

static void read_refusal(struct policy *p, const struct list *l, struct risk *r)
{
	sqlite3_reset(p->refusal);
	sqlite3_bind_int64(p->refusal, 1, r->server_id);
	sqlite3_bind_text(p->refusal, 2, r->address, -1, SQLITE_STATIC);
	sqlite3_bind_text(p->refusal, 3, l->id, -1, SQLITE_STATIC);
	sqlite3_bind_int64(p->refusal, 4, p->now_us - l->expiry_us);
	sqlite3_bind_int64(p->refusal, 5, p->now_us);
	if (sqlite3_step(p->refusal) == SQLITE_ROW && sqlite3_column_type(p->refusal, 0) != SQLITE_NULL) {
		struct text t = column_text(p->refusal, 1);

		r->refused_us = sqlite3_column_int64(p->refusal, 0);
		memcpy(r->refused_by, t.p, t.len < sizeof r->refused_by ? t.len : sizeof r->refused_by - 1);
	}
	sqlite3_reset(p->refusal);
}

static void read_coverage(struct policy *p, const struct list *l, struct risk *r)
{
	sqlite3_reset(p->coverage);
	sqlite3_bind_int64(p->coverage, 1, r->server_id);
	sqlite3_bind_int64(p->coverage, 2, p->now_us - l->window_us);
	sqlite3_bind_int64(p->coverage, 3, p->now_us);
	if (sqlite3_step(p->coverage) == SQLITE_ROW) {
		r->sessions = sqlite3_column_int(p->coverage, 0);
		r->unread = sqlite3_column_int(p->coverage, 1);
	}
	sqlite3_reset(p->coverage);
}

static bool is_blind(const struct risk *r)
{
	return (int64_t)r->unread * 100 > (int64_t)r->sessions * POLICY_BLIND_SHARE;
}

static const char *status_of(const struct list *l, const struct risk *r)
{
	bool v6 = strchr(r->address, ':') != NULL;

	if (v6 && !l->ipv6)
		return "not-covered";
	if (r->refused_us)
		return "listed";
	if (r->counted.mails && l->threshold_mails && (unsigned)r->counted.mails >= l->threshold_mails
	    && (unsigned)r->counted.domains >= l->threshold_domains)
		return "would-list";
	if (r->counted.mails || r->doubtful.mails || is_blind(r))
		return "watch";
	return r->instead.mails ? "listed-instead" : "clean";
}

static void insert_reason(struct policy *p, const struct list *l, const struct risk *r, int *n, struct buf *text)
{
	sqlite3_bind_int64(p->reason, 1, r->server_id);
	sqlite3_bind_text(p->reason, 2, r->address, -1, SQLITE_STATIC);
	sqlite3_bind_text(p->reason, 3, l->id, -1, SQLITE_STATIC);
	sqlite3_bind_int(p->reason, 4, (*n)++);
	sqlite3_bind_text(p->reason, 5, buf_cstr(text), -1, SQLITE_TRANSIENT);
	sqlite3_step(p->reason);
	sqlite3_reset(p->reason);
	buf_clear(text);
}

static void tally_print(const struct tally *t, struct buf *out)
{
	const char *comma = "";

	for (int k = 0; k < KIND_COUNT; k++)
		if (t->by_kind[k]) {
			buf_printf(out, "%s%d %s", comma, t->by_kind[k], kind_name((enum kind)k));
			comma = ", ";
		}
	buf_printf(out, "; to %d domain%s", t->domains, t->domains == 1 ? "" : "s");
}

static void insert_reasons(struct policy *p, const struct list *l, const struct risk *r)
{
	struct buf text = { 0 };
	int n = 0;

	if (r->refused_us) {
		buf_printf(&text, "%s refused our address and named this list", r->refused_by);
		insert_reason(p, l, r, &n, &text);
	}
	if (r->counted.mails) {
		buf_add_str(&text, "counts: ");
		tally_print(&r->counted, &text);
		insert_reason(p, l, r, &n, &text);
	}
	if (r->doubtful.mails) {
		buf_add_str(&text, "in doubt: ");
		tally_print(&r->doubtful, &text);
		insert_reason(p, l, r, &n, &text);
	}
	if (r->instead.mails) {
		buf_printf(&text, "leaves by %s, which the list sees instead: ", r->via);
		tally_print(&r->instead, &text);
		insert_reason(p, l, r, &n, &text);
	}
	if (is_blind(r)) {
		buf_printf(&text, "%d of %d outbound sessions could not be read, or not in full", r->unread, r->sessions);
		insert_reason(p, l, r, &n, &text);
	}
	buf_fini(&text);
}

static void bind_time(sqlite3_stmt *s, int i, int64_t us)
{
	if (us)
		sqlite3_bind_int64(s, i, us);
	else
		sqlite3_bind_null(s, i);
}

static void insert_risk(struct policy *p, const struct list *l, const struct risk *r)
{
	int64_t last = r->last_us > r->refused_us ? r->last_us : r->refused_us;
	bool covered = strcmp(r->status, "not-covered") != 0;

	sqlite3_bind_int64(p->insert, 1, r->server_id);
	sqlite3_bind_text(p->insert, 2, r->address, -1, SQLITE_STATIC);
	sqlite3_bind_text(p->insert, 3, l->id, -1, SQLITE_STATIC);
	sqlite3_bind_text(p->insert, 4, r->status, -1, SQLITE_STATIC);
	sqlite3_bind_int(p->insert, 5, r->all.mails);
	sqlite3_bind_int(p->insert, 6, r->all.attempts);
	sqlite3_bind_int(p->insert, 7, r->all.domains);
	bind_time(p->insert, 8, r->first_us);
	bind_time(p->insert, 9, r->last_us);
	bind_time(p->insert, 10, covered && last ? last + l->expiry_us : 0);
	if (covered && l->threshold_mails)
		sqlite3_bind_int64(p->insert, 11, (int64_t)l->threshold_mails - r->counted.mails);
	else
		sqlite3_bind_null(p->insert, 11);
	sqlite3_step(p->insert);
	sqlite3_reset(p->insert);
	insert_reasons(p, l, r);
}

static void judge_address(struct policy *p, const struct lists *lists, int64_t server_id, const char *address)
{
	struct risk *r = xcalloc(lists->count + 1, sizeof *r);

	read_findings(p, lists, server_id, address, r);
	for (size_t i = 0; i < lists->count; i++) {
		r[i].server_id = server_id;
		r[i].address = address;
		read_refusal(p, &lists->item[i], &r[i]);
		read_coverage(p, &lists->item[i], &r[i]);
		r[i].status = status_of(&lists->item[i], &r[i]);
		insert_risk(p, &lists->item[i], &r[i]);
	}
	free(r);
}

void policy_write_risk(sqlite3 *verdicts, const struct lists *lists, int64_t now_us)
{
	struct policy p = { db_prepare(verdicts, sql_addresses), db_prepare(verdicts, sql_findings), db_prepare(verdicts, sql_refusal),
		db_prepare(verdicts, sql_coverage), db_prepare(verdicts, sql_insert), db_prepare(verdicts, sql_reason), now_us };
	sqlite3_stmt *const all[] = { p.addresses, p.findings, p.refusal, p.coverage, p.insert, p.reason };

	db_exec(verdicts, "DELETE FROM risk; DELETE FROM risk_reason", NULL, 0);
	while (sqlite3_step(p.addresses) == SQLITE_ROW)
		judge_address(&p, lists, sqlite3_column_int64(p.addresses, 0), (const char *)sqlite3_column_text(p.addresses, 1));
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		sqlite3_finalize(all[i]);
}
