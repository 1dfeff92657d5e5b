/* sensor.c - see sensor.h. When somebody watched is told by the minutes that have counters, of whichever run. */
#include "reader/sensor.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "schema/db.h"

#define MINUTE_US INT64_C(60000000)
#define DAY_US (24 * 60 * MINUTE_US)

enum { ARENA_MAX = 4 << 20, NAME_MAX_BYTES = 64 };

static const char sql_runs[] =
	"SELECT r.id, r.sensor, r.version, r.end_reason, r.interfaces, r.filter, s.files, r.started_us, r.ended_us, r.facts_lost FROM sensor_run r"
	" LEFT JOIN source s ON s.id = r.source_id ORDER BY r.id DESC LIMIT ?1";
static const char sql_run_ids[] = "SELECT id, ended_us IS NULL AND interfaces IS NOT NULL AND id = (SELECT max(id) FROM sensor_run) FROM sensor_run ORDER BY id";
static const char sql_next_interface[] = "SELECT min(interface) FROM capture WHERE run_id = ?1 AND interface > ?2";
static const char sql_minutes[] =
	"SELECT start_us, end_us, packets, bytes, kernel_drops, interface_drops, unseen_bytes, flows, evicted, sessions, encrypted_sessions, one_sided_sessions"
	" FROM capture WHERE run_id = ?1 AND interface = ?2 AND start_us >= ?3 AND start_us < ?4 ORDER BY start_us";
static const char sql_coverage[] =
	"SELECT c.server_id, s.name, c.direction, sum(c.sessions), sum(c.encrypted), sum(c.one_sided), sum(c.incomplete), count(*) FROM verdicts.coverage c"
	" JOIN verdicts.server s ON s.id = c.server_id WHERE c.hour_us >= ?1 AND c.hour_us < ?2 GROUP BY c.server_id, c.direction ORDER BY s.name, c.direction";
static const char sql_batches[] = "SELECT seq, committed_us FROM batch ORDER BY seq DESC LIMIT 1";
static const char sql_analyzed[] = "SELECT analyzed_seq FROM verdicts.meta";

struct stretch {
	int64_t begin_us, end_us;
};

/* Minutes of all runs and interfaces as they are read: counters go to the interface, times to the stretches. */
struct work {
	struct reader *r;
	int64_t now_us, since_us, until_us;
	struct sensor_view *view;	/* NULL: only the stretches are wanted */
	struct stretch *stretch;
	size_t stretch_count, stretch_cap, interface_cap;
};

/* ---- stretches ---- */

/* Minutes of a run come in order of time, so most continue the last stretch. */
static void add_minute(struct work *w, int64_t begin_us, int64_t end_us)
{
	struct stretch *last = w->stretch_count ? &w->stretch[w->stretch_count - 1] : NULL;

	if (last && begin_us >= last->begin_us && begin_us <= last->end_us + SENSOR_SILENCE_US) {
		last->end_us = end_us > last->end_us ? end_us : last->end_us;
		return;
	}
	if (w->stretch_count == w->stretch_cap)
		w->stretch = xreallocarray(w->stretch, w->stretch_cap = w->stretch_cap ? w->stretch_cap * 2 : 16, sizeof *w->stretch);
	w->stretch[w->stretch_count++] = (struct stretch){ begin_us, end_us };
}

static int by_begin(const void *x, const void *y)
{
	const struct stretch *a = x, *b = y;

	return (a->begin_us > b->begin_us) - (a->begin_us < b->begin_us);
}

static void join_stretches(struct work *w)
{
	size_t n = 0;

	if (w->stretch_count)
		qsort(w->stretch, w->stretch_count, sizeof *w->stretch, by_begin);
	for (size_t i = 0; i < w->stretch_count; i++)
		if (n && w->stretch[i].begin_us <= w->stretch[n - 1].end_us + SENSOR_SILENCE_US)
			w->stretch[n - 1].end_us = w->stretch[i].end_us > w->stretch[n - 1].end_us ? w->stretch[i].end_us : w->stretch[n - 1].end_us;
		else
			w->stretch[n++] = w->stretch[i];
	w->stretch_count = n;
}

/* ---- counters ---- */

static void counters_read(sqlite3_stmt *s, struct sensor_counters *c)
{
	uint64_t *const fields[] = { &c->packets, &c->bytes, &c->kernel_drops, &c->interface_drops, &c->unseen_bytes, &c->flows, &c->evicted, &c->sessions,
		&c->encrypted_sessions, &c->one_sided_sessions };

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		*fields[i] += (uint64_t)sqlite3_column_int64(s, 2 + (int)i);
}

static struct sensor_interface *interface_of(struct work *w, const char *name)
{
	struct sensor_view *v = w->view;

	for (size_t i = 0; i < v->interface_count; i++)
		if (strcmp(v->interface[i].name, name) == 0)
			return &v->interface[i];
	char *copy = arena_alloc(&v->arena, strlen(name) + 1);
	if (!copy)
		return NULL;
	if (v->interface_count == w->interface_cap)
		v->interface = xreallocarray(v->interface, w->interface_cap = w->interface_cap ? w->interface_cap * 2 : 4, sizeof *v->interface);
	v->interface[v->interface_count] = (struct sensor_interface){ .name = strcpy(copy, name) };
	return &v->interface[v->interface_count++];
}

static void count_minute(struct work *w, const char *name, sqlite3_stmt *s)
{
	int64_t start = sqlite3_column_int64(s, 0), end = sqlite3_column_int64(s, 1);
	struct sensor_interface *i = w->view ? interface_of(w, name) : NULL;

	if (!i)
		return;
	counters_read(s, &i->total);
	if (end >= i->last_us) {
		i->last_us = end;
		i->minute = (struct sensor_counters){ 0 };
		counters_read(s, &i->minute);
	}
	int64_t ago = w->now_us / MINUTE_US - start / MINUTE_US;
	if (ago >= 0 && ago < SENSOR_MINUTES)
		i->packets_by_minute[SENSOR_MINUTES - 1 - ago] += (uint32_t)sqlite3_column_int64(s, 2);
	if (end > w->view->last_packet_us)
		w->view->last_packet_us = end;
}

static void read_interface(struct work *w, int64_t run, const char *name, bool goes_on)
{
	/* A minute that began before the range reaches into it, and so does a silence around it. */
	sqlite3_stmt *s = reader_select(w->r, sql_minutes, "itii", run, name, w->since_us - SENSOR_SILENCE_US - MINUTE_US, w->until_us + SENSOR_SILENCE_US + MINUTE_US);
	int64_t last = 0;

	while (reader_step(w->r, s)) {
		int64_t start = sqlite3_column_int64(s, 0);

		last = sqlite3_column_int64(s, 1);
		add_minute(w, start, last);
		if (last > w->since_us && start < w->until_us)
			count_minute(w, name, s);
	}
	sqlite3_finalize(s);
	/* The minute that is open has no counters yet. */
	if (goes_on && last && w->now_us > last && w->now_us - last < SENSOR_SILENCE_US)
		add_minute(w, last, w->now_us);
}

static void read_run(struct work *w, int64_t run, bool goes_on)
{
	char name[NAME_MAX_BYTES] = "";
	bool more = true;

	while (more) {
		sqlite3_stmt *s = reader_select(w->r, sql_next_interface, "it", run, name);
		struct text t = reader_step(w->r, s) ? column_text(s, 0) : (struct text){ 0 };

		more = t.p && t.len < sizeof name;
		if (more) {
			memcpy(name, t.p, t.len + 1);
			read_interface(w, run, name, goes_on);
		}
		sqlite3_finalize(s);
	}
}

static void read_minutes(struct work *w)
{
	sqlite3_stmt *s = reader_select(w->r, sql_run_ids, "");

	while (reader_step(w->r, s))
		read_run(w, sqlite3_column_int64(s, 0), sqlite3_column_int(s, 1) != 0);
	sqlite3_finalize(s);
	join_stretches(w);
}

int sensor_watched(struct reader *r, int64_t from_us, int64_t to_us, int64_t now_us, int64_t *watched_us)
{
	struct work w = { .r = r, .now_us = now_us, .since_us = from_us, .until_us = to_us };

	*watched_us = 0;
	reader_begin(r);
	read_minutes(&w);
	for (size_t i = 0; i < w.stretch_count; i++) {
		int64_t begin = w.stretch[i].begin_us > from_us ? w.stretch[i].begin_us : from_us, end = w.stretch[i].end_us < to_us ? w.stretch[i].end_us : to_us;

		*watched_us += end > begin ? end - begin : 0;
	}
	free(w.stretch);
	return reader_end(r);
}

/* ---- the view ---- */

static void read_runs(struct work *w)
{
	struct sensor_view *v = w->view;
	sqlite3_stmt *s = reader_select(w->r, sql_runs, "i", (int64_t)SENSOR_RUNS_MAX);

	v->run = xcalloc(SENSOR_RUNS_MAX, sizeof *v->run);
	while (reader_step(w->r, s))
		v->run[v->run_count++] = (struct sensor_run_row){ .id = sqlite3_column_int64(s, 0), .sensor = reader_word(&v->arena, s, 1),
			.version = reader_word(&v->arena, s, 2), .end_reason = reader_word(&v->arena, s, 3), .interfaces = reader_word(&v->arena, s, 4),
			.filter = reader_word(&v->arena, s, 5), .files = reader_word(&v->arena, s, 6), .started_us = sqlite3_column_int64(s, 7),
			.ended_us = sqlite3_column_int64(s, 8), .facts_lost = (uint64_t)sqlite3_column_int64(s, 9) };
	sqlite3_finalize(s);
}

static void read_coverage(struct work *w)
{
	struct sensor_view *v = w->view;
	sqlite3_stmt *s = reader_is_judged(w->r) ? reader_select(w->r, sql_coverage, "ii", w->since_us, w->until_us) : NULL;
	size_t cap = 0;

	while (reader_step(w->r, s)) {
		if (v->coverage_count == cap)
			v->coverage = xreallocarray(v->coverage, cap = cap ? cap * 2 : 16, sizeof *v->coverage);
		v->coverage[v->coverage_count++] = (struct coverage_row){ .server_id = sqlite3_column_int64(s, 0), .server = reader_word(&v->arena, s, 1),
			.direction = reader_word(&v->arena, s, 2), .sessions = (uint64_t)sqlite3_column_int64(s, 3), .encrypted = (uint64_t)sqlite3_column_int64(s, 4),
			.one_sided = (uint64_t)sqlite3_column_int64(s, 5), .incomplete = (uint64_t)sqlite3_column_int64(s, 6),
			.hours = (uint32_t)sqlite3_column_int64(s, 7) };
	}
	sqlite3_finalize(s);
}

static void read_batches(struct work *w)
{
	sqlite3_stmt *s = reader_select(w->r, sql_batches, ""), *a = reader_is_judged(w->r) ? reader_select(w->r, sql_analyzed, "") : NULL;

	if (reader_step(w->r, s)) {
		int64_t behind = sqlite3_column_int64(s, 0);

		w->view->last_commit_us = sqlite3_column_int64(s, 1);
		if (reader_step(w->r, a))
			behind -= sqlite3_column_int64(a, 0);
		w->view->batches_behind = behind > 0 ? (uint64_t)behind : 0;
	}
	sqlite3_finalize(s);
	sqlite3_finalize(a);
}

static void add_gap(struct sensor_view *v, int64_t begin_us, int64_t end_us)
{
	if (end_us <= begin_us)
		return;
	if (v->gap_count == SENSOR_GAPS_MAX)
		memmove(v->gap, v->gap + 1, --v->gap_count * sizeof *v->gap);
	v->gap[v->gap_count++] = (struct sensor_gap){ begin_us, end_us };
}

/* What the stretches leave of the range. */
static void find_gaps(struct work *w)
{
	int64_t at = w->until_us - w->since_us > SENSOR_GAP_DAYS * DAY_US ? w->until_us - SENSOR_GAP_DAYS * DAY_US : w->since_us;

	w->view->gap = xcalloc(SENSOR_GAPS_MAX, sizeof *w->view->gap);
	for (size_t i = 0; i < w->stretch_count; i++) {
		add_gap(w->view, at, w->stretch[i].begin_us < w->until_us ? w->stretch[i].begin_us : w->until_us);
		at = w->stretch[i].end_us > at ? w->stretch[i].end_us : at;
	}
	add_gap(w->view, at, w->until_us);
}

int sensor_view_read(struct reader *r, const struct sensor_query *query, struct sensor_view *out)
{
	struct work w = { .r = r, .now_us = query->now_us, .since_us = query->since_us, .until_us = query->until_us ? query->until_us : query->now_us, .view = out };

	*out = (struct sensor_view){ 0 };
	arena_init(&out->arena, ARENA_MAX);
	reader_begin(r);
	read_runs(&w);
	read_minutes(&w);
	find_gaps(&w);
	read_coverage(&w);
	read_batches(&w);
	free(w.stretch);
	return reader_end(r);
}

void sensor_view_fini(struct sensor_view *v)
{
	free(v->interface);
	free(v->run);
	free(v->coverage);
	free(v->gap);
	arena_fini(&v->arena);
	*v = (struct sensor_view){ 0 };
}
