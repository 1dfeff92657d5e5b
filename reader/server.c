/* server.c - see server.h */
#include "reader/server.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/xmalloc.h"
#include "schema/db.h"

#define HOUR_US INT64_C(3600000000)
#define DAY_US (24 * HOUR_US)

enum { ARENA_MAX = 16 << 20 };

static const char sql_servers[] = "SELECT id, name, address, public_address, sends_only, software FROM verdicts.server ORDER BY name";
/* The next address behind ?2 that something of this server left from: a step of an index for each. */
static const char sql_next_address[] = "SELECT min(public_address) FROM verdicts.finding_hour WHERE server_id = ?1 AND public_address > ?2";
static const char sql_risk[] = "SELECT address, list, status, domains, last_us FROM verdicts.risk WHERE server_id = ?1";
static const char sql_hours[] =
	"SELECT hour_us, kind, misdirected, exposure = 'can-backscatter', findings, attempts FROM verdicts.finding_hour"
	" WHERE server_id = ?1 AND public_address = ?2 AND hour_us >= ?3";
static const char sql_last[] =
	"SELECT hour_us FROM verdicts.finding_hour WHERE server_id = ?1 AND public_address = ?2 AND misdirected <> 'no' ORDER BY hour_us DESC LIMIT 1";
static const char sql_mail[] = "SELECT hour_us, direction, transactions FROM verdicts.mail_hour WHERE server_id = ?1 AND hour_us >= ?2";
static const char sql_coverage[] =
	"SELECT sum(sessions), sum(encrypted) FROM verdicts.coverage WHERE server_id = ?1 AND direction = ?2 AND hour_us >= ?3 AND hour_us < ?4";
static const char sql_ack[] = "SELECT why FROM notes.ack WHERE subject = ?1 AND (until_us IS NULL OR until_us > ?2) ORDER BY at_us DESC LIMIT 1";

static const char *const statuses[] = { "clean", "not-covered", "listed-instead", "watch", "would-list", "listed" };

/* What one list is read with. */
struct work {
	struct reader *r;
	struct arena *arena;
	int64_t now_us, hour_us, today_us, since_us, until_us;	/* whole hours but for now and until */
};

int server_status_rank(const char *status)
{
	for (int i = 0; status && i < (int)(sizeof statuses / sizeof *statuses); i++)
		if (strcmp(status, statuses[i]) == 0)
			return i;
	return -1;
}

static int64_t hour_of(int64_t us)
{
	return us / HOUR_US * HOUR_US;
}

static int64_t local_midnight(int64_t now_us)
{
	time_t t = (time_t)(now_us / 1000000);
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return now_us - now_us % DAY_US;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) * 1000000;
}

static const char *keep(struct arena *a, const char *s)
{
	size_t size = s ? strlen(s) + 1 : 0;
	char *copy = s ? arena_alloc(a, size) : NULL;

	return copy ? memcpy(copy, s, size) : NULL;
}

/* ---- addresses ---- */

static void add_address(struct work *w, struct server_row *row, const char *address)
{
	for (size_t i = 0; i < row->address_count; i++)
		if (strcmp(row->addresses[i], address) == 0)
			return;
	const char *copy = row->address_count < SERVER_ADDRESSES_MAX ? keep(w->arena, address) : NULL;
	if (copy)
		row->addresses[row->address_count++] = copy;
}

static void read_addresses(struct work *w, struct server_row *row)
{
	char behind[256] = "";
	bool more = true;

	add_address(w, row, row->public_address);
	while (more) {
		sqlite3_stmt *s = reader_select(w->r, sql_next_address, "it", row->id, behind);
		struct text t = reader_step(w->r, s) ? column_text(s, 0) : (struct text){ 0 };

		more = t.p && t.len < sizeof behind && row->address_count < SERVER_ADDRESSES_MAX;
		if (more) {
			memcpy(behind, t.p, t.len + 1);
			add_address(w, row, behind);
		}
		sqlite3_finalize(s);
	}
}

/* ---- counts ---- */

static uint64_t *count_of(struct server_counts *c, const char *misdirected)
{
	return strcmp(misdirected, "yes") == 0 ? &c->yes : strcmp(misdirected, "likely") == 0 ? &c->likely
	     : strcmp(misdirected, "no") == 0 ? &c->no : &c->unknown;
}

static void add_counts(struct server_counts *c, sqlite3_stmt *s)
{
	enum kind kind = kind_parse((const char *)sqlite3_column_text(s, 1));
	uint64_t n = (uint64_t)sqlite3_column_int64(s, 4);

	if (kind < KIND_COUNT)
		c->kind[kind] += n;
	c->findings += n;
	c->attempts += (uint64_t)sqlite3_column_int64(s, 5);
	*count_of(c, (const char *)sqlite3_column_text(s, 2)) += n;
	if (sqlite3_column_int(s, 3))
		c->can_backscatter += n;
}

static void add_hour(struct work *w, struct server_row *row, sqlite3_stmt *s)
{
	int64_t hour = sqlite3_column_int64(s, 0), ago = (w->hour_us - hour) / HOUR_US;
	const char *misdirected = (const char *)sqlite3_column_text(s, 2);
	bool harm = strcmp(misdirected, "yes") == 0 || strcmp(misdirected, "likely") == 0;

	if (hour == w->hour_us)
		add_counts(&row->hour, s);
	if (hour >= w->today_us && hour <= w->hour_us)
		add_counts(&row->today, s);
	if (hour >= w->since_us && hour < w->until_us)
		add_counts(&row->range, s);
	if (harm && ago >= 0 && ago < SERVER_HOURS)
		row->by_hour[SERVER_HOURS - 1 - ago] += (uint32_t)sqlite3_column_int64(s, 4);
}

/* Where the earliest of all counts begins. */
static int64_t begin_of_counts(const struct work *w)
{
	int64_t since = w->hour_us - (SERVER_HOURS - 1) * HOUR_US;

	since = w->today_us < since ? w->today_us : since;
	return w->since_us < since ? w->since_us : since;
}

static void read_hours(struct work *w, struct server_row *row, const char *address)
{
	sqlite3_stmt *s = reader_select(w->r, sql_hours, "iti", row->id, address, begin_of_counts(w));

	while (reader_step(w->r, s))
		add_hour(w, row, s);
	sqlite3_finalize(s);
	s = reader_select(w->r, sql_last, "it", row->id, address);
	if (reader_step(w->r, s) && sqlite3_column_int64(s, 0) > row->last_us)
		row->last_us = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
}

static void add_mails(struct server_counts *c, bool inbound, uint64_t n)
{
	*(inbound ? &c->mails_in : &c->mails_out) += n;
}

static void read_mail(struct work *w, struct server_row *row)
{
	sqlite3_stmt *s = reader_select(w->r, sql_mail, "ii", row->id, begin_of_counts(w));

	while (reader_step(w->r, s)) {
		int64_t hour = sqlite3_column_int64(s, 0);
		bool inbound = strcmp((const char *)sqlite3_column_text(s, 1), "inbound") == 0;
		uint64_t n = (uint64_t)sqlite3_column_int64(s, 2);

		if (strcmp((const char *)sqlite3_column_text(s, 1), "internal") == 0)
			continue;
		if (hour == w->hour_us)
			add_mails(&row->hour, inbound, n);
		if (hour >= w->today_us && hour <= w->hour_us)
			add_mails(&row->today, inbound, n);
		if (hour >= w->since_us && hour < w->until_us)
			add_mails(&row->range, inbound, n);
	}
	sqlite3_finalize(s);
}

static void read_coverage(struct work *w, int64_t id, const char *direction, uint64_t *sessions, uint64_t *encrypted)
{
	sqlite3_stmt *s = reader_select(w->r, sql_coverage, "itii", id, direction, w->since_us, w->until_us);

	if (reader_step(w->r, s)) {
		*sessions = (uint64_t)sqlite3_column_int64(s, 0);
		*encrypted = (uint64_t)sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
}

/* ---- status ---- */

static void read_risk(struct work *w, struct server_row *row)
{
	sqlite3_stmt *s = reader_select(w->r, sql_risk, "i", row->id);

	while (reader_step(w->r, s)) {
		int rank = server_status_rank((const char *)sqlite3_column_text(s, 2));

		add_address(w, row, (const char *)sqlite3_column_text(s, 0));
		if (rank > server_status_rank(row->worst_status)) {
			row->worst_status = statuses[rank];
			row->worst_list = reader_word(w->arena, s, 1);
		}
		if ((uint32_t)sqlite3_column_int(s, 3) > row->domains)
			row->domains = (uint32_t)sqlite3_column_int(s, 3);
		if (sqlite3_column_int64(s, 4) > row->last_us)
			row->last_us = sqlite3_column_int64(s, 4);
	}
	sqlite3_finalize(s);
}

static void read_ack(struct work *w, struct server_row *row)
{
	sqlite3_stmt *s = reader_has_notes(w->r) ? reader_select(w->r, sql_ack, "ti", row->name, w->now_us) : NULL;

	if (reader_step(w->r, s))
		row->acked_why = reader_word(w->arena, s, 0);
	sqlite3_finalize(s);
}

static void apply_config(struct work *w, struct server_row *row, const struct config *config)
{
	for (size_t i = 0; config && i < config->server_count; i++)
		if (strcmp(config->server[i].name, row->name) == 0) {
			row->owner = keep(w->arena, config->server[i].owner);
			row->role = keep(w->arena, config->server[i].role);
		}
}

/* ---- the list ---- */

static void fill(struct work *w, struct server_row *row, const struct config *config)
{
	apply_config(w, row, config);
	read_addresses(w, row);
	read_risk(w, row);
	for (size_t i = 0; i < row->address_count; i++)
		read_hours(w, row, row->addresses[i]);
	read_mail(w, row);
	row->days_clean = row->last_us ? (int)((w->now_us > row->last_us ? w->now_us - row->last_us : 0) / DAY_US) : -1;
	read_coverage(w, row->id, "outbound", &row->sessions_out, &row->encrypted_out);
	read_coverage(w, row->id, "inbound", &row->sessions_in, &row->encrypted_in);
	read_ack(w, row);
}

static void read_servers(struct work *w, struct server_list *out)
{
	sqlite3_stmt *s = reader_select(w->r, sql_servers, "");
	size_t cap = 0;

	while (reader_step(w->r, s)) {
		if (out->count == cap)
			out->row = xreallocarray(out->row, cap = cap ? cap * 2 : 16, sizeof *out->row);
		out->row[out->count++] = (struct server_row){ .id = sqlite3_column_int64(s, 0), .name = reader_word(w->arena, s, 1),
			.address = reader_word(w->arena, s, 2), .public_address = reader_word(w->arena, s, 3), .sends_only = sqlite3_column_int(s, 4) != 0,
			.software = sqlite3_column_type(s, 5) == SQLITE_NULL ? NULL : reader_word(w->arena, s, 5) };
	}
	sqlite3_finalize(s);
}

static int order(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int worst_first(const void *x, const void *y)
{
	const struct server_row *a = x, *b = y;
	int d = server_status_rank(b->worst_status) - server_status_rank(a->worst_status);

	if (!d)
		d = order(a->range.yes + a->range.likely, b->range.yes + b->range.likely);
	if (!d)
		d = order(a->range.can_backscatter, b->range.can_backscatter);
	return d ? d : strcmp(a->name, b->name);
}

int server_list_read(struct reader *r, const struct server_query *query, struct server_list *out)
{
	struct work w = { .r = r, .arena = &out->arena, .now_us = query->now_us, .hour_us = hour_of(query->now_us),
		.today_us = hour_of(local_midnight(query->now_us)), .since_us = hour_of(query->since_us),
		.until_us = query->until_us ? query->until_us : query->now_us + 1 };

	*out = (struct server_list){ 0 };
	arena_init(&out->arena, ARENA_MAX);
	reader_begin(r);
	if (reader_is_judged(r)) {
		read_servers(&w, out);
		for (size_t i = 0; i < out->count; i++)
			fill(&w, &out->row[i], query->config);
	}
	if (out->count)
		qsort(out->row, out->count, sizeof *out->row, worst_first);
	return reader_end(r);
}

void server_list_fini(struct server_list *l)
{
	free(l->row);
	arena_fini(&l->arena);
	*l = (struct server_list){ 0 };
}
