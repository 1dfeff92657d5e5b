/* rollup.c - see rollup.h. Captures are nearly in order of time, so few hours are open at once: one growing hash table for each kind of sum. */
#include "analyzer/rollup.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/servers.h"
#include "common/xmalloc.h"
#include "schema/db.h"

enum { SUMS = PROVISIONAL_SUMS };

static const char sql_mail[] = "INSERT INTO own_mail_hour (server_id, direction, hour_us, transactions, accepted, rejected, answering)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET transactions = transactions + ?4, accepted = accepted + ?5,"
	" rejected = rejected + ?6, answering = answering + ?7";
static const char sql_coverage[] = "INSERT INTO own_coverage (server_id, direction, hour_us, sessions, encrypted, one_sided, incomplete)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET sessions = sessions + ?4, encrypted = encrypted + ?5,"
	" one_sided = one_sided + ?6, incomplete = incomplete + ?7";

struct cell {
	struct ip_addr address;
	enum direction direction;
	int64_t hour_us, server_id;
	int64_t sum[SUMS];	/* sum[0] counts: 0 is a free slot */
};

struct table {
	sqlite3_stmt *save;
	struct cell *cell;
	size_t cap, count;
};

struct rollups {
	const struct own *own;
	int64_t closed_before_us;
	struct provisional *provisional;
	struct table mail, coverage;
};

struct rollups *rollups_new(sqlite3 *verdicts, const struct own *own, struct provisional *provisional, int64_t closed_before_us)
{
	struct rollups *r = xcalloc(1, sizeof *r);

	r->own = own;
	r->provisional = provisional;
	r->closed_before_us = closed_before_us;
	r->mail.save = db_prepare(verdicts, sql_mail);
	r->coverage.save = db_prepare(verdicts, sql_coverage);
	return r;
}

static void table_fini(struct table *t)
{
	sqlite3_finalize(t->save);
	free(t->cell);
}

void rollups_free(struct rollups *r)
{
	if (!r)
		return;
	table_fini(&r->mail);
	table_fini(&r->coverage);
	free(r);
}

static struct cell *find_cell(const struct table *t, const struct ip_addr *address, int64_t hour_us, enum direction d)
{
	uint64_t high, low;

	memcpy(&high, address->bytes, sizeof high);
	memcpy(&low, address->bytes + 8, sizeof low);
	uint64_t h = ((high * 31 + low) * 31 + (uint64_t)(hour_us / ROLLUP_HOUR_US << 2 ^ d)) * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(h >> 20) & (t->cap - 1);

	while (t->cell[i].sum[0] && (t->cell[i].hour_us != hour_us || t->cell[i].direction != d || !ip_equal(&t->cell[i].address, address)))
		i = (i + 1) & (t->cap - 1);
	return &t->cell[i];
}

static void grow(struct table *t)
{
	struct table bigger = { t->save, xcalloc(t->cap ? t->cap * 2 : 64, sizeof *t->cell), t->cap ? t->cap * 2 : 64, t->count };

	for (size_t i = 0; i < t->cap; i++)
		if (t->cell[i].sum[0])
			*find_cell(&bigger, &t->cell[i].address, t->cell[i].hour_us, t->cell[i].direction) = t->cell[i];
	free(t->cell);
	*t = bigger;
}

static void add(struct rollups *r, struct table *t, const struct ip_addr *server, int64_t at_us, enum direction d, const int64_t sum[SUMS])
{
	int64_t hour_us = at_us / ROLLUP_HOUR_US * ROLLUP_HOUR_US;

	if (hour_us < r->closed_before_us)
		return;
	if (t->count * 2 >= t->cap)
		grow(t);
	struct cell *c = find_cell(t, server, hour_us, d);
	if (!c->sum[0]) {
		*c = (struct cell){ *server, d, hour_us, servers_id_of(r->own, server), { 0 } };
		t->count++;
	}
	for (int i = 0; i < SUMS; i++)
		c->sum[i] += sum[i];
	provisional_note(r->provisional, t == &r->mail ? "mail" : "coverage", c->server_id, direction_name(d), hour_us, sum);
}

void rollups_add_mail(struct rollups *r, const struct mail *m, const struct route *route, bool answering)
{
	const int64_t sum[SUMS] = { 1, m->outcome == MAIL_ACCEPTED, m->outcome == MAIL_REJECTED, answering };
	bool internal = route->direction == DIRECTION_INTERNAL;

	if (route->leaves || (internal && own_has(r->own, &m->src)))
		add(r, &r->mail, &m->src, m->mail_us, route->leaves ? DIRECTION_OUTBOUND : DIRECTION_INTERNAL, sum);
	if (route->arrives || internal)
		add(r, &r->mail, &m->dest, m->mail_us, route->arrives ? DIRECTION_INBOUND : DIRECTION_INTERNAL, sum);
}

void rollups_add_session(struct rollups *r, const struct rollup_session *s)
{
	const int64_t sum[SUMS] = { 1, s->encrypted, s->one_sided && !s->encrypted, s->incomplete };

	if (s->route->leaves)
		add(r, &r->coverage, &s->src, s->started_us, DIRECTION_OUTBOUND, sum);
	if (s->route->arrives)
		add(r, &r->coverage, &s->dest, s->started_us, DIRECTION_INBOUND, sum);
}

/* Answers the earliest hour that changed; INT64_MAX: none. */
static int64_t flush(struct table *t)
{
	int64_t since_us = INT64_MAX;

	for (size_t i = 0; i < t->cap && t->count; i++) {
		struct cell *c = &t->cell[i];

		if (!c->sum[0])
			continue;
		if (c->hour_us < since_us)
			since_us = c->hour_us;
		sqlite3_bind_int64(t->save, 1, c->server_id);
		sqlite3_bind_text(t->save, 2, direction_name(c->direction), -1, SQLITE_STATIC);
		sqlite3_bind_int64(t->save, 3, c->hour_us);
		for (int k = 0; k < SUMS; k++)
			sqlite3_bind_int64(t->save, 4 + k, c->sum[k]);
		sqlite3_step(t->save);
		sqlite3_reset(t->save);
	}
	if (t->count)
		memset(t->cell, 0, t->cap * sizeof *t->cell);
	t->count = 0;
	return since_us;
}

int64_t rollups_flush(struct rollups *r)
{
	flush(&r->mail);
	return flush(&r->coverage);
}
