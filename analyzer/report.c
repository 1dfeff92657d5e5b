/*
 * report.c - see report.h. Servers with their numbers, what changed, the course of time, the verdict; matters and evidence are report_matter.c's,
 * what --anonymous takes away report_hide.c's. All sums come from the rollups by hour, so a week costs what a day costs.
 */
#include "analyzer/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzer/report_build.h"
#include "common/buf.h"
#include "common/ip.h"
#include "common/timefmt.h"
#include "common/xmalloc.h"
#include "schema/db.h"

#define HOUR_US INT64_C(3600000000)
#define DAY_US (24 * HOUR_US)

enum { ARENA_MAX = 32 << 20, CHANGES_MAX = 200 };
/* A count that doubled is worse from this many more on; below, it is the weather. */
enum { WORSE_AT_LEAST = 3 };
/* Outbound sessions that could not be read, in percent, above which nothing seen proves nothing (as in policy.h). */
enum { BLIND_SHARE = 50 };

static const char sql_store[] = "SELECT store_id FROM main.meta";
/* Of several names the one with a dot that comes first. */
static const char sql_title[] = "SELECT name FROM verdicts.server_name WHERE server_id = ?1 ORDER BY instr(name, '.') = 0, name LIMIT 1";
static const char sql_findings[] =
	"SELECT server_id, hour_us, kind, misdirected, exposure, sum(findings), sum(attempts) FROM verdicts.finding_hour WHERE hour_us >= ?1 AND hour_us < ?2"
	" GROUP BY server_id, hour_us, kind, misdirected, exposure";
static const char sql_mails[] =
	"SELECT server_id, hour_us, direction, transactions FROM verdicts.mail_hour WHERE hour_us >= ?1 AND hour_us < ?2";
static const char sql_coverage[] =
	"SELECT server_id, sum(sessions), sum(encrypted), sum(one_sided), sum(incomplete) FROM verdicts.coverage"
	" WHERE direction = 'outbound' AND hour_us >= ?1 AND hour_us < ?2 GROUP BY server_id";

/* ---- words ---- */

const char *report_state_name(enum report_state s)
{
	static const char *const names[] = { "bad", "watch", "clean", "blind" };

	return names[s];
}

const char *report_trend_name(enum report_trend t)
{
	static const char *const names[] = { "new", "worse", "gone", "better", "silent", "appeared" };

	return names[t];
}

const char *report_list_name(const struct report *r, const char *id)
{
	const struct list *l = lists_find(r->options.lists, id);

	return l ? l->name : id;
}

const char *report_status_words(const char *status)
{
	static const struct { const char *status, *words; } table[] = {
		{ "listed", "IS LISTED by" },
		{ "would-list", "WOULD BE LISTED by" },
		{ "watch", "is to be watched for" },
		{ "not-covered", "cannot be listed (IPv6) by" },
		{ "listed-instead", "sends through a host that could be listed by" },
		{ "clean", "is clean for" },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(status, table[i].status) == 0)
			return table[i].words;
	return status;
}

char *report_printf(struct report *r, const char *format, ...)
{
	va_list ap;
	char *line = NULL;

	va_start(ap, format);
	int n = vasprintf(&line, format, ap);
	va_end(ap);
	if (n < 0)
		abort();
	char *copy = arena_alloc(&r->arena, (size_t)n + 1);
	if (copy)
		memcpy(copy, line, (size_t)n + 1);
	free(line);
	return copy;
}

void *report_array(struct report *r, size_t count, size_t size)
{
	void *p = arena_alloc(&r->arena, count * size);

	if (p)
		memset(p, 0, count * size);
	return p;
}

/* ---- time ---- */

/* The local midnight that begins the day of us, or the one days later. */
static int64_t midnight(int64_t us, int days)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return us - us % DAY_US + days * DAY_US;
	tm.tm_mday += days;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) * 1000000;
}

static int64_t floor_hour(int64_t us)
{
	return us - ((us % HOUR_US) + HOUR_US) % HOUR_US;
}

/* Whole days are compared with as many days before them, whatever the clock did in between. */
static void fill_period(struct report *r)
{
	struct report_options *o = &r->options;

	if (o->whole) {
		o->since_us = r->span.first_us;
		o->until_us = r->span.last_us + 1;
		r->before_us = o->since_us;
		return;
	}
	if (!o->since_us && !o->until_us) {
		o->since_us = midnight(o->now_us, -1);
		o->until_us = midnight(o->now_us, 0);
	} else if (!o->since_us)
		o->since_us = midnight(o->until_us - 1, 0);
	else if (!o->until_us)
		o->until_us = o->now_us;
	/* Sums are kept by hour: a part of one would be told otherwise in each section. */
	o->since_us = floor_hour(o->since_us);
	o->until_us = floor_hour(o->until_us + HOUR_US - 1);
	int days = (int)((o->until_us - o->since_us + DAY_US / 2) / DAY_US);
	bool whole_days = midnight(o->since_us, 0) == o->since_us && midnight(o->since_us, days) == o->until_us;
	r->before_us = whole_days ? midnight(o->since_us, -days) : o->since_us - (o->until_us - o->since_us);
}

/* ---- servers ---- */

static bool is_wanted_name(const char *wanted, const char *name)
{
	return !wanted || (name && strcasecmp(wanted, name) == 0);
}

static bool is_of_tenant(const struct report_options *o, const char *address)
{
	struct ip_addr a;

	if (!o->tenant)
		return true;
	if (ip_parse(address, strlen(address), &a))
		return false;
	for (size_t i = 0; i < o->config->tenant_count; i++)
		if (strcasecmp(o->config->tenant[i].name, o->tenant) == 0)
			for (size_t k = 0; k < o->config->tenant[i].networks.count; k++)
				if (ip_in_prefix(&a, &o->config->tenant[i].networks.item[k]))
					return true;
	return false;
}

static bool is_wanted(const struct report_options *o, const struct server_row *s)
{
	bool named = is_wanted_name(o->server, s->name) || is_wanted_name(o->server, s->address) || is_wanted_name(o->server, s->public_address);

	return named && is_wanted_name(o->owner, s->owner) && is_of_tenant(o, s->address);
}

struct report_server *report_find_server(struct report *r, int64_t id)
{
	for (size_t i = 0; i < r->server_count; i++)
		if (r->server[i].row->id == id)
			return &r->server[i];
	return NULL;
}

static const char *title_of(struct reader *reader, struct report *r, const struct server_row *row)
{
	if (strcmp(row->name, row->address) != 0)
		return row->name;
	sqlite3_stmt *s = reader_select(reader, sql_title, "i", row->id);
	const char *title = reader_step(reader, s) ? reader_word(&r->arena, s, 0) : row->name;
	sqlite3_finalize(s);
	return title;
}

static int read_servers(struct reader *reader, struct report *r)
{
	struct server_query q = { r->options.now_us, r->options.since_us, r->options.until_us, r->options.config };

	if (server_list_read(reader, &q, &r->servers_read))
		return -1;
	r->server = report_array(r, r->servers_read.count + 1, sizeof *r->server);
	reader_begin(reader);
	for (size_t i = 0; r->server && i < r->servers_read.count; i++)
		if (is_wanted(&r->options, &r->servers_read.row[i])) {
			struct report_server *s = &r->server[r->server_count++];

			s->row = &r->servers_read.row[i];
			s->title = title_of(reader, r, s->row);
			s->known = s->row->acked_why != NULL;
		}
	return reader_end(reader);
}

/* ---- sums ---- */

static void tally_add_findings(struct report_tally *t, enum kind kind, bool misdirected, bool avoidable, uint64_t n, uint64_t attempts)
{
	t->answers += n;
	t->attempts += attempts;
	t->misdirected += misdirected ? n : 0;
	t->avoidable += avoidable ? n : 0;
	if (avoidable && kind < KIND_COUNT)
		t->kind[kind] += n;
}

static void tally_add(struct report_tally *to, const struct report_tally *t)
{
	to->answers += t->answers;
	to->attempts += t->attempts;
	to->misdirected += t->misdirected;
	to->avoidable += t->avoidable;
	to->in += t->in;
	to->out += t->out;
	to->seen |= t->seen;
	for (int k = 0; k < KIND_COUNT; k++)
		to->kind[k] += t->kind[k];
}

/* The period, the stretch before it, the base: an hour can lie in the last two. */
static int tallies_of(const struct report *r, struct report_server *s, int64_t hour_us, int64_t base_us, struct report_tally *out[2])
{
	int n = 0;

	if (hour_us >= floor_hour(r->options.since_us)) {
		out[n++] = &s->now;
		return n;
	}
	if (hour_us >= floor_hour(r->before_us))
		out[n++] = &s->before;
	if (hour_us >= base_us)
		out[n++] = &s->base;
	return n;
}

/* Days back from the one that the period ends in. */
struct days {
	int64_t begin[REPORT_BASE_DAYS + 2];	/* of each local day, oldest first; the last is the end */
};

static int day_of(const struct days *d, int64_t us)
{
	for (int i = REPORT_BASE_DAYS; i >= 0; i--)
		if (us >= d->begin[i])
			return us < d->begin[i + 1] ? i : -1;
	return -1;
}

static struct report_bar *bar_of(struct report *r, int64_t us)
{
	for (size_t i = r->bar_count; i-- > 0;)
		if (us >= r->bar[i].at_us)
			return us < r->options.until_us ? &r->bar[i] : NULL;
	return NULL;
}

static void take_findings(struct report *r, sqlite3_stmt *s, const struct days *days, int64_t base_us)
{
	struct report_server *server = report_find_server(r, sqlite3_column_int64(s, 0));
	int64_t hour_us = sqlite3_column_int64(s, 1);
	const char *word = (const char *)sqlite3_column_text(s, 3);
	enum kind kind = kind_parse((const char *)sqlite3_column_text(s, 2));
	bool misdirected = strcmp(word, "yes") == 0 || strcmp(word, "likely") == 0;
	bool avoidable = misdirected || text_equal(column_text(s, 4), TEXT("can-backscatter"));
	uint64_t n = (uint64_t)sqlite3_column_int64(s, 5), attempts = (uint64_t)sqlite3_column_int64(s, 6);
	struct report_tally *tally[2];
	int day;

	if (!server)
		return;
	for (int i = tallies_of(r, server, hour_us, base_us, tally); i-- > 0;)
		tally_add_findings(tally[i], kind, misdirected, avoidable, n, attempts);
	if (avoidable && (day = day_of(days, hour_us)) >= 0)
		server->day[day] += n;
	if (hour_us < floor_hour(r->options.since_us))
		return;
	if (kind < KIND_COUNT) {
		r->kind_now[kind][0] += n;
		r->kind_now[kind][1] += misdirected ? n : 0;
		r->kind_now[kind][2] += avoidable ? n : 0;
		r->kind_attempts[kind] += attempts;
	}
	struct report_bar *bar = bar_of(r, hour_us);
	if (bar) {
		bar->answers += n;
		bar->misdirected += misdirected ? n : 0;
		bar->avoidable += avoidable ? n : 0;
	}
}

static void take_mails(struct report *r, sqlite3_stmt *s, int64_t base_us)
{
	struct report_server *server = report_find_server(r, sqlite3_column_int64(s, 0));
	int64_t hour_us = sqlite3_column_int64(s, 1);
	struct text direction = column_text(s, 2);
	uint64_t n = (uint64_t)sqlite3_column_int64(s, 3);
	struct report_tally *tally[2];

	if (!server)
		return;
	for (int i = tallies_of(r, server, hour_us, base_us, tally); i-- > 0;) {
		tally[i]->seen = true;
		if (text_equal(direction, TEXT("inbound")))
			tally[i]->in += n;
		else if (text_equal(direction, TEXT("outbound")))
			tally[i]->out += n;
	}
	struct report_bar *bar = hour_us >= floor_hour(r->options.since_us) ? bar_of(r, hour_us) : NULL;
	if (bar) {
		bar->seen = true;
		bar->mails += n;
	}
}

static void make_bars(struct report *r)
{
	const struct report_options *o = &r->options;
	int64_t at = floor_hour(o->since_us);

	r->bars_are_days = o->until_us - o->since_us > 50 * HOUR_US;
	if (r->bars_are_days) {
		at = midnight(o->since_us, 0);
		/* of a long period the end */
		while (midnight(at, REPORT_BARS_MAX) < o->until_us)
			at = midnight(at, 1);
	}
	for (; at < o->until_us && r->bar_count < REPORT_BARS_MAX; at = r->bars_are_days ? midnight(at, 1) : at + HOUR_US)
		r->bar[r->bar_count++].at_us = at;
}

static void sum_up(struct report *r)
{
	for (size_t i = 0; i < r->server_count; i++) {
		struct report_server *s = &r->server[i];

		tally_add(&r->now, &s->now);
		tally_add(&r->before, &s->before);
		tally_add(&r->base, &s->base);
		s->clean = !s->now.avoidable && server_status_rank(s->row->worst_status) <= 0;
	}
	r->has_before = r->before.seen;
	r->has_base = r->base.seen;
}

static int read_sums(struct reader *reader, struct report *r)
{
	const struct report_options *o = &r->options;
	int64_t base_us = o->whole ? o->since_us : midnight(o->since_us, -REPORT_BASE_DAYS);
	int64_t from = base_us < r->before_us ? base_us : r->before_us;
	struct days days;

	for (int i = 0; i <= REPORT_BASE_DAYS + 1; i++)
		days.begin[i] = midnight(o->until_us - 1, i - REPORT_BASE_DAYS);
	if (days.begin[0] < from)
		from = days.begin[0];
	make_bars(r);
	reader_begin(reader);
	sqlite3_stmt *s = reader_select(reader, sql_findings, "ii", floor_hour(from), o->until_us);
	while (reader_step(reader, s))
		take_findings(r, s, &days, base_us);
	sqlite3_finalize(s);
	s = reader_select(reader, sql_mails, "ii", floor_hour(from), o->until_us);
	while (reader_step(reader, s))
		take_mails(r, s, base_us);
	sqlite3_finalize(s);
	sum_up(r);
	r->base_scale = (double)(o->until_us - o->since_us) / (double)(REPORT_BASE_DAYS * DAY_US);
	return reader_end(reader);
}

/* ---- what changed ---- */

static void add_change(struct report *r, struct report_change c)
{
	if (r->change && r->change_count < CHANGES_MAX)
		r->change[r->change_count++] = c;
}

static void compare_kind(struct report *r, const struct report_server *s, enum kind k)
{
	uint64_t now = s->now.kind[k], before = s->before.kind[k];
	double base = (double)s->base.kind[k] * r->base_scale;
	double most = (double)before > base ? (double)before : base;
	struct report_change c = { .server = s->title, .kind = k, .now = now, .before = before, .base = base };

	if (now && !before && !s->base.kind[k])
		c.trend = REPORT_NEW;
	else if (now && (double)now >= 2 * most && (double)now - most >= WORSE_AT_LEAST)
		c.trend = REPORT_WORSE;
	else if (!now && before && s->now.seen)
		c.trend = REPORT_GONE;
	else if (now && 2 * (double)now <= (double)before && before - now >= WORSE_AT_LEAST)
		c.trend = REPORT_BETTER;
	else
		return;
	add_change(r, c);
}

static int compare_changes(const void *a, const void *b)
{
	const struct report_change *x = a, *y = b;

	if (x->trend != y->trend)
		return x->trend < y->trend ? -1 : 1;
	if (x->now != y->now)
		return x->now > y->now ? -1 : 1;
	if (x->before != y->before)
		return x->before > y->before ? -1 : 1;
	int c = strcmp(x->server, y->server);
	return c ? c : (int)x->kind - (int)y->kind;
}

static void find_changes(struct report *r)
{
	r->change = report_array(r, CHANGES_MAX, sizeof *r->change);
	if (!r->has_before && !r->has_base)
		return;
	for (size_t i = 0; i < r->server_count; i++) {
		const struct report_server *s = &r->server[i];
		struct report_change c = { .server = s->title, .kind = KIND_COUNT, .now = s->now.in + s->now.out, .before = s->before.in + s->before.out,
			.base = (double)(s->base.in + s->base.out) * r->base_scale };

		for (int k = 0; k < KIND_COUNT; k++)
			compare_kind(r, s, (enum kind)k);
		if (s->now.seen && !s->before.seen && !s->base.seen) {
			c.trend = REPORT_APPEARED;
			add_change(r, c);
		} else if (!s->now.seen && s->before.seen) {
			c.trend = REPORT_SILENT;
			add_change(r, c);
		}
	}
	if (r->change)
		qsort(r->change, r->change_count, sizeof *r->change, compare_changes);
}

/* ---- lists, sight, hygiene ---- */

static int read_risk(struct reader *reader, struct report *r)
{
	size_t kept = 0;

	if (risk_list_read(reader, 0, &r->risk))
		return -1;
	for (size_t i = 0; i < r->risk.count; i++)
		if (report_find_server(r, r->risk.row[i].server_id))
			r->risk.row[kept++] = r->risk.row[i];
	r->risk.count = kept;
	return refusal_list_read(reader, r->options.since_us, REPORT_REFUSALS_MAX, &r->refusals);
}

static void add_counters(struct sensor_counters *to, const struct sensor_counters *c)
{
	to->packets += c->packets;
	to->bytes += c->bytes;
	to->kernel_drops += c->kernel_drops;
	to->interface_drops += c->interface_drops;
	to->unseen_bytes += c->unseen_bytes;
	to->flows += c->flows;
	to->evicted += c->evicted;
	to->sessions += c->sessions;
	to->encrypted_sessions += c->encrypted_sessions;
	to->one_sided_sessions += c->one_sided_sessions;
}

/* Hours are counted from their beginning, gaps within the period alone. */
static void cut_gaps(struct report *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->sensor.gap_count; i++) {
		struct sensor_gap g = r->sensor.gap[i];

		g.begin_us = g.begin_us < r->options.since_us ? r->options.since_us : g.begin_us;
		g.end_us = g.end_us > r->options.until_us ? r->options.until_us : g.end_us;
		if (g.begin_us < g.end_us)
			r->sensor.gap[kept++] = g;
	}
	r->sensor.gap_count = kept;
}

static int read_sight(struct reader *reader, struct report *r)
{
	struct sensor_query q = { r->options.now_us, floor_hour(r->options.since_us), r->options.until_us };

	if (sensor_view_read(reader, &q, &r->sensor))
		return -1;
	cut_gaps(r);
	for (size_t i = 0; i < r->sensor.interface_count; i++)
		add_counters(&r->seen, &r->sensor.interface[i].total);
	reader_begin(reader);
	sqlite3_stmt *s = reader_select(reader, sql_coverage, "ii", floor_hour(r->options.since_us), r->options.until_us);
	while (reader_step(reader, s)) {
		if (!report_find_server(r, sqlite3_column_int64(s, 0)))
			continue;
		r->sessions += (uint64_t)sqlite3_column_int64(s, 1);
		r->encrypted += (uint64_t)sqlite3_column_int64(s, 2);
		r->one_sided += (uint64_t)sqlite3_column_int64(s, 3);
		r->incomplete += (uint64_t)sqlite3_column_int64(s, 4);
	}
	sqlite3_finalize(s);
	return reader_end(reader);
}

static int read_hygiene(struct reader *reader, struct report *r)
{
	if (hygiene_list_read(reader, 0, &r->hygiene_read))
		return -1;
	r->hygiene = report_array(r, r->hygiene_read.count + 1, sizeof *r->hygiene);
	for (size_t i = 0; r->hygiene && i < r->hygiene_read.count; i++) {
		const struct hygiene_row *h = &r->hygiene_read.row[i];
		const struct report_server *server = report_find_server(r, h->server_id);

		if (server && h->last_us >= r->options.since_us && h->first_us < r->options.until_us)
			r->hygiene[r->hygiene_count++] = (struct report_hygiene){ h,
				advice_find(&(struct advice_query){ .matter = h->what, .software = server->row->software }) };
	}
	return 0;
}

/* ---- the verdict ---- */

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static size_t count_status(const struct report *r, int rank)
{
	size_t n = 0;

	for (size_t i = 0; i < r->server_count; i++)
		n += server_status_rank(r->server[i].row->worst_status) == rank;
	return n;
}

static bool is_blind(const struct report *r)
{
	return !r->now.seen || (r->encrypted + r->one_sided) * 100 > r->sessions * BLIND_SHARE;
}

/* What is wrong first; then, where there is one, the number of the stretch before. */
static void judge(struct report *r)
{
	size_t listed = count_status(r, server_status_rank("listed")), would = count_status(r, server_status_rank("would-list"));
	size_t watched = count_status(r, server_status_rank("watch"));
	const struct report_matter *worst = r->todo_count ? r->todo[0] : r->matter_count ? &r->matter[0] : NULL;
	struct buf b = { 0 };

	if (!r->now.seen && !r->sessions) {
		r->state = REPORT_BLIND;
		buf_add_str(&b, "Nothing can be said: no mail of ours was seen.");
	} else if (listed + would || r->now.misdirected) {
		r->state = REPORT_BAD;
		if (listed)
			buf_printf(&b, "%zu server%s listed", listed, listed == 1 ? " is" : "s are");
		if (would)
			buf_printf(&b, "%s%zu server%s would be listed", listed ? ", " : "", would, plural(would));
		if (r->now.misdirected)
			buf_printf(&b, "%s%llu answer%s went to people who %s", listed + would ? "; " : "", (unsigned long long)r->now.misdirected,
				   plural(r->now.misdirected), "did not cause them");
		if (r->has_before)
			buf_printf(&b, " (before: %llu)", (unsigned long long)r->before.misdirected);
		buf_add_char(&b, '.');
		if (worst)
			buf_printf(&b, " First: %s, %s%s%s.", worst->server, kind_name(worst->kind), worst->cause ? ", " : "", worst->cause ? worst->cause : "");
	} else if (is_blind(r)) {
		r->state = REPORT_BLIND;
		buf_printf(&b, "Nothing bad was seen, which proves nothing: %llu of %llu outbound sessions could not be read.",
			   (unsigned long long)(r->encrypted + r->one_sided), (unsigned long long)r->sessions);
	} else if (watched || r->now.avoidable) {
		r->state = REPORT_WATCH;
		buf_printf(&b, "Nothing proved. %zu server%s to be watched", watched, watched == 1 ? " is" : "s are");
		if (r->now.avoidable)
			buf_printf(&b, "; %llu answer%s could have been avoided", (unsigned long long)r->now.avoidable, plural(r->now.avoidable));
		buf_add_char(&b, '.');
	} else {
		r->state = REPORT_CLEAN;
		buf_add_str(&b, "No misdirected mail left our servers in what was seen.");
	}
	r->verdict = report_printf(r, "%s", buf_cstr(&b));
	buf_fini(&b);
}

static int read_store(struct reader *reader, struct report *r)
{
	if (reader_span(reader, &r->span))
		return -1;
	reader_begin(reader);
	sqlite3_stmt *s = reader_select(reader, sql_store, "");
	r->store_id = reader_step(reader, s) ? reader_word(&r->arena, s, 0) : "";
	sqlite3_finalize(s);
	return reader_end(reader);
}

int report_build(struct reader *reader, const struct report_options *o, struct report *r)
{
	*r = (struct report){ .options = *o };
	arena_init(&r->arena, ARENA_MAX);
	if (read_store(reader, r))
		return -1;
	fill_period(r);
	if (read_servers(reader, r) || read_sums(reader, r) || read_risk(reader, r) || read_sight(reader, r) || read_hygiene(reader, r)
	    || report_read_matters(reader, r))
		return -1;
	find_changes(r);
	if (o->anonymous)
		report_hide(r);
	judge(r);
	return 0;
}

void report_fini(struct report *r)
{
	for (size_t i = 0; i < r->evidence_count; i++) {
		ladder_fini(&r->evidence[i].ladder);
		finding_page_fini(&r->evidence[i].page);
	}
	server_list_fini(&r->servers_read);
	risk_list_fini(&r->risk);
	refusal_list_fini(&r->refusals);
	sensor_view_fini(&r->sensor);
	hygiene_list_fini(&r->hygiene_read);
	arena_fini(&r->arena);
}
