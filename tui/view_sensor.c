/* view_sensor.c - screen 5: what was captured, what was not seen, how far behind. Lines about one thing each. See view.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/siphash.h"
#include "common/timefmt.h"
#include "tui/view.h"

enum sensor_column { SENSOR_ABOUT, SENSOR_WHAT, SENSOR_VALUE, SENSOR_REMARK };

static const struct column columns[] = {
	[SENSOR_ABOUT] = { "about", "About", 15, 24, false, "interface, run of the sensor, server, or the store", NULL },
	[SENSOR_WHAT] = { "what", "What", 17, 18, false, "today, since local midnight, where nothing else is said", NULL },
	[SENSOR_VALUE] = { "value", "Value", 12, 16, true, "a count, a share of sessions, a time or a word", "of" },
	[SENSOR_REMARK] = { "remark", "Remark", 24, 140, false, "what it means", NULL },
};

static uint64_t hash(const char *s)
{
	static const struct siphash_key key = { { 3, 4 } };

	return siphash13(&key, s, strlen(s));
}

static void add(struct sensor_lines *out, const char *about, const char *what, struct value value, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static void add(struct sensor_lines *out, const char *about, const char *what, struct value value, const char *format, ...)
{
	va_list ap;

	if (out->count == SENSOR_LINES_MAX)
		return;
	struct sensor_line *l = &out->line[out->count++];
	*l = (struct sensor_line){ .about = about, .what = what, .value = value, .identity = hash(about) ^ (hash(what) << 1) };
	va_start(ap, format);
	vsnprintf(l->remark, sizeof l->remark, format, ap);
	va_end(ap);
}

static struct value count(uint64_t n, enum style style)
{
	return (struct value){ .type = VALUE_NUMBER, .style = n ? style : STYLE_PLAIN, .number = (int64_t)n };
}

static struct value share(uint64_t part, uint64_t whole, enum style style)
{
	return (struct value){ .type = whole ? VALUE_SHARE : VALUE_NONE, .style = part ? style : STYLE_PLAIN, .number = (int64_t)part, .second = (int64_t)whole };
}

static struct value bytes(uint64_t n, enum style style)
{
	return (struct value){ .type = VALUE_BYTES, .style = n ? style : STYLE_PLAIN, .number = (int64_t)n };
}

static void add_store(const struct model *m, struct sensor_lines *out)
{
	const struct sensor_view *v = &m->sensor;

	add(out, "store", "last packet", rows_time(v->last_packet_us ? v->last_packet_us : m->span.last_us), "of the latest minute counted");
	add(out, "store", "last commit", rows_time(v->last_commit_us), "wall clock of the sensor");
	add(out, "store", "not judged yet", count(v->batches_behind, STYLE_WATCH), "%s",
	    v->batches_behind ? "commits that wait for bouncetap analyze --follow" : "everything that was written is judged");
	add(out, "store", "judged up to", rows_time(m->span.judged_us), "latest end of a fact that has a verdict");
}

static void add_runs(const struct sensor_view *v, struct sensor_lines *out)
{
	for (size_t i = 0; i < v->run_count && i < 5; i++) {	/* older ones say nothing about today */
		const struct sensor_run_row *r = &v->run[i];
		struct value state = r->ended_us ? rows_word(*r->end_reason ? r->end_reason : "ended", STYLE_PLAIN) : rows_word("running", STYLE_GOOD);
		char started[TIME_TEXT_MAX];

		if (strcmp(r->end_reason, "capture-gap") == 0 || strcmp(r->end_reason, "damaged") == 0)
			state.style = STYLE_BAD;
		add(out, r->sensor, i ? "run before" : "latest run", state, "since %s, %s %s, bouncetapd %s%s%s",
		    time_format_local(r->started_us, started), *r->interfaces ? "on" : "of", *r->interfaces ? r->interfaces : r->files, r->version,
		    *r->filter ? ", filter " : "", r->filter);
		out->line[out->count - 1].identity ^= (uint64_t)r->id << 32;
		if (r->facts_lost)
			add(out, r->sensor, "facts lost", count(r->facts_lost, STYLE_BAD), "dropped before they were committed: disk full, or store locked");
	}
}

static void add_interfaces(const struct sensor_view *v, struct sensor_lines *out)
{
	for (size_t i = 0; i < v->interface_count; i++) {
		const struct sensor_interface *f = &v->interface[i];
		const struct sensor_counters *t = &f->total, *n = &f->minute;

		add(out, f->name, "packets by minute",
		    (struct value){ .type = VALUE_SPARK, .style = STYLE_NOTE, .spark = f->packets_by_minute, .spark_count = SENSOR_MINUTES },
		    "%" PRIu64 " packets in its latest minute", n->packets);
		add(out, f->name, "packets", count(t->packets, STYLE_PLAIN), "that passed the filter");
		add(out, f->name, "bytes", bytes(t->bytes, STYLE_PLAIN), "of them");
		add(out, f->name, "kernel drops", count(t->kernel_drops, STYLE_BAD), "%s", t->kernel_drops ? "ring full: more [capture] ring, or a faster machine" : "");
		add(out, f->name, "interface drops", count(t->interface_drops, STYLE_WATCH), "%s", t->interface_drops ? "dropped by the network card, mail or not" : "");
		add(out, f->name, "unseen bytes", bytes(t->unseen_bytes, STYLE_BAD), "%s",
		    t->unseen_bytes ? "acknowledged by a host, never shown by the tap: look at the span port" : "");
		add(out, f->name, "flows", count(t->flows, STYLE_PLAIN), "connections that were followed");
		add(out, f->name, "evicted", count(t->evicted, STYLE_BAD), "%s", t->evicted ? "flows given up for want of memory: more --memory" : "");
		add(out, f->name, "sessions", count(t->sessions, STYLE_PLAIN), "of mail");
		add(out, f->name, "encrypted", share(t->encrypted_sessions, t->sessions, STYLE_WATCH), "%" PRIu64 " sessions hidden by TLS: nothing is known of their mail",
		    t->encrypted_sessions);
		add(out, f->name, "one-sided", share(t->one_sided_sessions, t->sessions, STYLE_BAD), "%" PRIu64 " sessions of which one direction was not seen",
		    t->one_sided_sessions);
	}
}

static void add_coverage(const struct sensor_view *v, struct sensor_lines *out)
{
	for (size_t i = 0; i < v->coverage_count; i++) {
		const struct coverage_row *c = &v->coverage[i];
		uint64_t whole = c->sessions - (c->encrypted + c->incomplete > c->sessions ? c->sessions : c->encrypted + c->incomplete);

		add(out, c->server, c->direction, share(whole, c->sessions, STYLE_PLAIN),
		    "read in full of %" PRIu64 " sessions in %" PRIu32 " h; %" PRIu64 " encrypted, %" PRIu64 " incomplete, %" PRIu64 " one-sided", c->sessions, c->hours,
		    c->encrypted, c->incomplete, c->one_sided);
	}
}

static void add_gaps(const struct sensor_view *v, struct sensor_lines *out)
{
	for (size_t i = 0; i < v->gap_count; i++) {
		const struct sensor_gap *g = &v->gap[i];
		char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX];
		struct value span = { .type = VALUE_NUMBER, .style = STYLE_WATCH, .number = (g->end_us - g->begin_us) / 60000000 };

		add(out, "nobody watched", "minutes", span, "%s to %s", time_format_local(g->begin_us, from), time_format_local(g->end_us, to));
		out->line[out->count - 1].identity ^= (uint64_t)g->begin_us;
	}
}

void view_sensor_make(const struct model *m, struct sensor_lines *out)
{
	out->count = 0;
	if (!m->was_read)
		return;
	add_store(m, out);
	add_runs(&m->sensor, out);
	add_interfaces(&m->sensor, out);
	add_coverage(&m->sensor, out);
	add_gaps(&m->sensor, out);
}

static void value(const struct rows *rows, size_t row, size_t column, struct value *out)
{
	const struct sensor_line *l = &((const struct sensor_lines *)rows->data)->line[row];

	switch ((enum sensor_column)column) {
	case SENSOR_ABOUT: *out = rows_word(l->about, STYLE_STRONG); break;
	case SENSOR_WHAT: *out = rows_word(l->what, STYLE_PLAIN); break;
	case SENSOR_VALUE: *out = l->value; break;
	case SENSOR_REMARK: *out = rows_word(l->remark, STYLE_PLAIN); break;
	}
}

static uint64_t identity(const struct rows *rows, size_t row)
{
	return ((const struct sensor_lines *)rows->data)->line[row].identity;
}

struct rows view_sensor(const struct sensor_lines *lines)
{
	return (struct rows){ columns, sizeof columns / sizeof *columns, lines->count, lines, value, identity, NULL };
}
