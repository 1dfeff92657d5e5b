/* origin_sender.c - see origin_sender.h. Most origins send for one domain, and go on with it: neither needs a look into the table. */
#include "analyzer/origin_sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "analyzer/domain.h"
#include "analyzer/judge.h"
#include "analyzer/maybe.h"
#include "common/siphash.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum {
	SENDERS_KEPT = 8,	/* domains per origin, the first of the alphabet; the rules ask for fewer */
	LATELY = 16384		/* origins with a domain, at most one each of a hash */
};

_Static_assert((int)SENDERS_KEPT >= (int)JUDGE_MANY_SENDERS && (int)SENDERS_KEPT >= (int)JUDGE_CLIENT_SENDERS, "as many as the rules count");

enum statement { ADD, COUNT, TRIM, FINDINGS, STATEMENT_COUNT };

static const char *const sql[STATEMENT_COUNT] = {
	[ADD] = "INSERT OR IGNORE INTO origin_sender VALUES (?1, ?2)",
	[COUNT] = "SELECT count(*) FROM origin_sender WHERE origin_ip = ?1",
	[TRIM] = ("DELETE FROM origin_sender WHERE origin_ip = ?1 AND domain IN (SELECT domain FROM origin_sender WHERE origin_ip = ?1"
		" ORDER BY domain LIMIT -1 OFFSET ?2)"),
	[FINDINGS] = "SELECT recipient_id, id FROM finding WHERE origin_ip = ?1",
};

struct origin_senders {
	const struct own *own;
	sqlite3 *verdicts;
	sqlite3_stmt *q[STATEMENT_COUNT];
	struct siphash_key key;
	uint64_t lately[LATELY];	/* what was noted: what was trimmed since would be trimmed again */
	struct maybe *origins;		/* NULL: not loaded yet */
};

struct origin_senders *origin_senders_new(sqlite3 *verdicts, const struct own *own)
{
	struct origin_senders *o = xcalloc(1, sizeof *o);

	o->own = own;
	o->verdicts = verdicts;
	if (getrandom(&o->key, sizeof o->key, 0) != (ssize_t)sizeof o->key)
		abort();
	for (int i = 0; i < STATEMENT_COUNT; i++)
		o->q[i] = db_prepare(verdicts, sql[i]);
	return o;
}

void origin_senders_free(struct origin_senders *o)
{
	if (!o)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(o->q[i]);
	maybe_free(o->origins);
	free(o);
}

static int64_t id_of(const struct origin_senders *o, const char *ip)
{
	return (int64_t)siphash13(&o->key, ip, strlen(ip));
}

static struct maybe *load(const struct origin_senders *o)
{
	sqlite3_stmt *s = db_prepare(o->verdicts, "SELECT DISTINCT origin_ip FROM origin_sender");
	struct maybe *m = maybe_new();

	while (sqlite3_step(s) == SQLITE_ROW)
		maybe_add(m, id_of(o, (const char *)sqlite3_column_text(s, 0)));
	sqlite3_finalize(s);
	return m;
}

static bool was_noted_lately(struct origin_senders *o, const struct ip_addr *origin, struct text domain)
{
	char key[IP_TEXT_MAX + 256];
	size_t n = sizeof *origin;

	if (domain.len > sizeof key - n)
		return false;
	memcpy(key, origin, n);
	memcpy(key + n, domain.p, domain.len);
	uint64_t hash = siphash13(&o->key, key, n + domain.len), *slot = &o->lately[hash % LATELY];
	bool noted = *slot == hash;
	*slot = hash;
	return noted;
}

static sqlite3_stmt *query(struct origin_senders *o, enum statement which, const char *ip)
{
	sqlite3_reset(o->q[which]);
	sqlite3_bind_text(o->q[which], 1, ip, -1, SQLITE_STATIC);
	return o->q[which];
}

static void run(sqlite3_stmt *s)
{
	sqlite3_step(s);
	sqlite3_reset(s);
}

static int count(struct origin_senders *o, const char *ip)
{
	sqlite3_stmt *s = query(o, COUNT, ip);

	int n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
	sqlite3_reset(s);
	return n;
}

static void trim(struct origin_senders *o, const char *ip)
{
	sqlite3_stmt *s = query(o, TRIM, ip);

	sqlite3_bind_int(s, 2, SENDERS_KEPT);
	run(s);
}

static void mark_findings(struct origin_senders *o, const char *ip, struct marks *marks)
{
	sqlite3_stmt *s = query(o, FINDINGS, ip);

	while (sqlite3_step(s) == SQLITE_ROW)
		marks_finding(marks, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1));
	sqlite3_reset(s);
}

static void add(struct origin_senders *o, const char *ip, struct text domain, struct marks *marks)
{
	sqlite3_stmt *s = query(o, ADD, ip);

	sqlite3_bind_text(s, 2, domain.p, (int)domain.len, SQLITE_STATIC);
	run(s);
	if (!sqlite3_changes(o->verdicts))
		return;
	if (!o->origins)
		o->origins = load(o);
	else if (!maybe_has(o->origins, id_of(o, ip))) {	/* its first */
		maybe_add(o->origins, id_of(o, ip));
		return;
	}
	int have = count(o, ip);
	if (have == JUDGE_MANY_SENDERS || have == JUDGE_CLIENT_SENDERS)
		mark_findings(o, ip, marks);
	if (have > SENDERS_KEPT)
		trim(o, ip);
}

void origin_senders_note(struct origin_senders *o, const struct mail *m, const struct ip_addr *origin, bool client, struct marks *marks)
{
	char ip[IP_TEXT_MAX];

	if (!origin->version || m->null_sender || !m->mail_from_domain.len || (client && own_has_domain(o->own, m->mail_from_domain))
	    || was_noted_lately(o, origin, m->mail_from_domain))
		return;
	struct text domain = domain_registrable(m->mail_from_domain);
	if (domain.len && domain.len < 256)
		add(o, ip_format(origin, ip), domain, marks);
}
