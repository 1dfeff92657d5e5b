/*
 * view_ladder.c - screen 3: one finding, from the mail that caused it to the answer that left, command by command; below it verdict, rules, and what to
 * change. See view.h.
 *
 *	                      origin    own       inner     outside
 *	14:03:05.123    +3 ms |-------->|         |         | MAIL FROM:<victim@example.net>
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/timefmt.h"
#include "reader/advice.h"
#include "tui/view.h"

enum { TIME_X = 1, DELTA_X = 14, DELTA_WIDTH = 8, LANES_X = 24, LANE_NARROW = 6, LANE_WIDE = 10, WIDE_FROM = 110 };

static const char *const lane_names[LADDER_LANES] = { "origin", "own", "inner", "outside" };
static const char *const short_names[LADDER_LANES] = { "orig.", "own", "inner", "outside" };	/* of lanes LANE_NARROW apart */

struct drawing {
	struct canvas *c;
	const struct model *m;
	bool relative;
	int gap, text_x, y;
};

static void line(struct drawing *d, int x, enum style style, const char *format, ...) __attribute__((format(printf, 4, 5)));

static void line(struct drawing *d, int x, enum style style, const char *format, ...)
{
	struct buf text = { 0 };
	char part[2048];	/* more than a reply that the store keeps */
	va_list ap;

	va_start(ap, format);
	vsnprintf(part, sizeof part, format, ap);
	va_end(ap);
	buf_add_str(&text, part);
	d->y = canvas_put_wrapped(d->c, d->y, x, d->c->width - x - 1, style, (struct text){ buf_cstr(&text), (uint32_t)text.len });
	buf_fini(&text);
}

static int length(struct text t)
{
	return t.p ? (int)t.len : 0;
}

static const char *bytes(struct text t)
{
	return t.p ? t.p : "";
}

/* ---- above ---- */

static void draw_summary(struct drawing *d, const struct finding_row *f)
{
	line(d, 1, STYLE_STRONG, "%s from %s to %.*s", kind_name(f->kind), f->server, length(f->recipient), bytes(f->recipient));
	line(d, 1, view_verdict(f->misdirected).style, "misdirected: %s   exposure: %s   attempts: %" PRIu32 "%s", f->misdirected, f->exposure, f->attempts,
	     f->settled ? "" : "   (later facts may still change this)");
	if (f->root_reply.len || f->root_code)
		line(d, 1, STYLE_BAD, "root cause: %d %.*s %.*s", f->root_code, length(f->root_enhanced), bytes(f->root_enhanced), length(f->root_reply), bytes(f->root_reply));
	else
		line(d, 1, STYLE_PLAIN, "root cause: %s", *f->cause_class ? f->cause_class : "not seen");
	if (f->acked_why)
		line(d, 1, STYLE_NOTE, "acknowledged: %s", f->acked_why);
}

static void draw_lanes_head(struct drawing *d)
{
	const struct ladder *l = &d->m->ladder;
	struct buf who = { 0 };

	for (int i = 0; i < LADDER_LANES; i++)
		if (*l->lane[i])
			buf_printf(&who, "%s%s: %s", who.len ? "   " : "", lane_names[i], l->lane[i]);
	d->y++;
	line(d, 1, STYLE_NOTE, "%s", buf_cstr(&who));
	buf_fini(&who);
	canvas_fill(d->c, d->y, 0, d->c->width, STYLE_HEAD);
	canvas_put_string(d->c, d->y, TIME_X, 12, STYLE_HEAD, d->relative ? "Since start" : "Time");
	canvas_put_string(d->c, d->y, DELTA_X, DELTA_WIDTH, STYLE_HEAD, "   Later");
	for (int i = 0; i < LADDER_LANES; i++)
		canvas_put_string(d->c, d->y, LANES_X + i * d->gap, 7, STYLE_HEAD, d->gap == LANE_NARROW ? short_names[i] : lane_names[i]);
	d->y++;
}

/* ---- steps ---- */

static void format_clock(int64_t us, char out[TIME_TEXT_MAX])
{
	char text[TIME_TEXT_MAX];

	time_format_local(us, text);
	snprintf(out, TIME_TEXT_MAX, "%.8s.%03d", strlen(text) > 11 ? text + 11 : text, (int)((us % 1000000 + 1000000) % 1000000 / 1000));
}

/* "+11 ms", "+2.9 s", "+4 min" */
static void format_delta(int64_t us, char out[TIME_TEXT_MAX])
{
	static const int64_t second_us = 1000000;
	struct buf span = { 0 };
	const char *sign = us < 0 ? "-" : "+";

	us = us < 0 ? -us : us;
	rows_print_span(us, &span);
	if (us < second_us)
		snprintf(out, TIME_TEXT_MAX, "%s%d ms", sign, (int)(us / 1000));
	else if (us < 100 * second_us)
		snprintf(out, TIME_TEXT_MAX, "%s%d.%d s", sign, (int)(us / second_us), (int)(us % second_us / 100000));
	else
		snprintf(out, TIME_TEXT_MAX, "%s%s", sign, buf_cstr(&span));
	buf_fini(&span);
}

static void draw_bars(struct drawing *d, int y)
{
	for (int i = 0; i < LADDER_LANES; i++)
		canvas_glyph(d->c, y, LANES_X + i * d->gap, STYLE_DIM, GLYPH_VERTICAL);
}

static void draw_arrow(struct drawing *d, int y, enum ladder_lane from, enum ladder_lane to, enum style style)
{
	int left = LANES_X + (int)(from < to ? from : to) * d->gap, right = LANES_X + (int)(from < to ? to : from) * d->gap;

	for (int x = left + 1; x < right; x++)
		canvas_glyph(d->c, y, x, style, GLYPH_HORIZONTAL);
	if (from < to)
		canvas_glyph(d->c, y, right - 1, style, GLYPH_RIGHT);
	else if (from > to)
		canvas_glyph(d->c, y, left + 1, style, GLYPH_LEFT);
}

static enum style style_of(const struct ladder_step *s, const struct ladder_hop *h)
{
	if (s->decides && h->part == LADDER_ROOT)
		return STYLE_BAD;
	if (s->decides)
		return STYLE_STRONG;
	return s->is_reply ? STYLE_PLAIN : STYLE_NOTE;
}

static void draw_times(struct drawing *d, size_t i)
{
	const struct ladder *l = &d->m->ladder;
	char text[TIME_TEXT_MAX];

	if (d->relative)
		format_delta(l->step[i].at_us - l->step[0].at_us, text);
	else
		format_clock(l->step[i].at_us, text);
	canvas_put_string(d->c, d->y, TIME_X, 12, STYLE_PLAIN, text);
	if (!i)
		return;
	format_delta(l->step[i].at_us - l->step[i - 1].at_us, text);
	canvas_put_right(d->c, d->y, DELTA_X, DELTA_WIDTH, STYLE_DIM, (struct text){ text, (uint32_t)strlen(text) });
}

static void draw_step(struct drawing *d, size_t i)
{
	const struct ladder_step *s = &d->m->ladder.step[i];
	const struct ladder_hop *h = &d->m->ladder.hop[s->hop];
	enum style style = style_of(s, h);
	struct buf text = { 0 };

	draw_times(d, i);
	buf_add_text(&text, s->text);
	if (s->decides && h->part == LADDER_ROOT)
		buf_add_str(&text, "  <= root cause");
	int end = canvas_put_wrapped(d->c, d->y, d->text_x, d->c->width - d->text_x - 1, style, (struct text){ buf_cstr(&text), (uint32_t)text.len });
	buf_fini(&text);
	if (end == d->y)
		end++;
	for (int y = d->y; y < end; y++)
		draw_bars(d, y);
	draw_arrow(d, d->y, s->from, s->to, style);
	d->y = end;
}

static void draw_hop_head(struct drawing *d, const struct ladder_hop *h)
{
	static const char *const parts[] = {
		[LADDER_CAUSE] = "The mail that it answers", [LADDER_ROOT] = "The hop that could not deliver", [LADDER_ANSWER] = "The answer",
	};
	char date[TIME_TEXT_MAX];

	line(d, 1, STYLE_STRONG, "%s: %s to %s, %s, %.10s%s", parts[h->part], h->client_ip, h->server_ip, h->outcome, time_format_local(h->started_us, date),
	     h->complete ? "" : " (not all of it was seen)");
	if (h->part != LADDER_ANSWER && h->recipients > 1)
		line(d, 3, STYLE_NOTE, "it had %" PRIu32 " recipients", h->recipients);
}

static void draw_steps(struct drawing *d)
{
	const struct ladder *l = &d->m->ladder;
	uint64_t begun = 0;	/* hops that have a heading; the reader gives fewer than 64 */

	if (!l->cause_seen)
		line(d, 1, STYLE_WATCH, "The mail that it answers was not seen.");
	for (size_t i = 0; i < l->step_count; i++) {
		size_t hop = l->step[i].hop;

		if (hop < 64 && !(begun >> hop & 1)) {
			begun |= UINT64_C(1) << hop;
			draw_hop_head(d, &l->hop[hop]);
		}
		draw_step(d, i);
	}
	if (l->attempts_left_out)
		line(d, 1, STYLE_NOTE, "%" PRIu32 " attempts between the first and the last ones are left out", l->attempts_left_out);
}

/* ---- below ---- */

static void draw_reasons(struct drawing *d, const struct finding_row *f)
{
	d->y++;
	line(d, 1, STYLE_STRONG, "Why misdirected is \"%s\"", f->misdirected);
	for (size_t i = 0; i < f->reason_count; i++) {
		const struct finding_reason *r = &f->reason[i];
		bool against = strcmp(r->sign, "against") == 0;

		line(d, 2, against ? STYLE_GOOD : STYLE_PLAIN, "%s %-6s %s: %.*s", against ? "- against" : "+ for    ", r->strength, r->rule, length(r->text), bytes(r->text));
	}
	if (!f->reason_count)
		line(d, 2, STYLE_PLAIN, "no rule had anything to say");
}

/* The software of the server that made it, else of the one that sent it. */
static const char *software_of(const struct model *m, const struct finding_row *f)
{
	const char *sender = NULL;

	for (size_t i = 0; i < m->servers.count; i++) {
		const struct server_row *s = &m->servers.row[i];

		if (*f->originator && strcmp(s->name, f->originator) == 0)
			return s->software;
		if (s->id == f->server_id)
			sender = s->software;
	}
	return *f->originator ? NULL : sender;
}

/* A refusal by one of our own hops behind the server, not one that it met at the outside. */
static bool inner_refused(const struct ladder *l)
{
	for (size_t i = 0; i < l->hop_count; i++)
		if (l->hop[i].part == LADDER_ROOT)
			return true;
	return false;
}

static void draw_setting(struct drawing *d, const char *setting)
{
	for (size_t n; *setting; setting += n + (setting[n] == '\n')) {
		n = strcspn(setting, "\n");
		line(d, 6, STYLE_PLAIN, "%.*s", (int)n, setting);
	}
}

static void draw_advice(struct drawing *d, const struct finding_row *f)
{
	const char *software = software_of(d->m, f);
	bool by_client = strcmp(f->exposure, "no") == 0, misdirected = strcmp(f->misdirected, "yes") == 0 || strcmp(f->misdirected, "likely") == 0;
	struct advice_query q = { .matter = kind_name(f->kind), .cause = *f->cause_class ? f->cause_class : NULL, .software = software,
				  .where = by_client ? "client" : inner_refused(&d->m->ladder) ? "inner" : NULL };
	const struct advice *a = !by_client || misdirected ? advice_find(&q) : NULL;

	if (!a)
		return;
	d->y++;
	line(d, 1, STYLE_STRONG, "What to change%s%s%s%s", *f->originator ? " on " : "", f->originator, software ? ", " : "", software ? software : "");
	line(d, 2, STYLE_PLAIN, "%s", a->what);
	if (a->setting) {
		line(d, 4, STYLE_NOTE, "%s", a->file ? a->file : "setting");
		draw_setting(d, a->setting);
	}
	if (a->trap)
		line(d, 2, STYLE_WATCH, "Mind: %s", a->trap);
	if (advice_has_queue(q.matter) && advice_queue(software)->show)
		line(d, 2, STYLE_PLAIN, "Already queued: %s", advice_queue(software)->show);
}

static void draw(struct drawing *d)
{
	const struct finding_row *f = d->m->finding.count ? &d->m->finding.row[0] : NULL;

	if (!f) {
		d->y = 1;
		line(d, 1, STYLE_PLAIN, "No event is chosen. 2 shows the events, Enter there opens the ladder of one.");
		return;
	}
	draw_summary(d, f);
	draw_lanes_head(d);
	draw_steps(d);
	draw_reasons(d, f);
	draw_advice(d, f);
	d->y++;
	line(d, 1, STYLE_DIM, "finding %s", f->finding_id);
}

void view_ladder(const struct model *m, bool relative, int width, bool ascii, struct canvas *c)
{
	struct drawing d = { .c = c, .m = m, .relative = relative, .gap = width >= WIDE_FROM ? LANE_WIDE : LANE_NARROW };

	d.text_x = LANES_X + (LADDER_LANES - 1) * d.gap + 2;
	canvas_init(c, width, 1, ascii);	/* once to learn the height */
	draw(&d);
	canvas_fini(c);
	canvas_init(c, width, d.y, ascii);
	d.y = 0;
	draw(&d);
}

/* ---- as rows ---- */

enum ladder_column { LADDER_TIME, LADDER_PART, LADDER_FROM, LADDER_TO, LADDER_CODE, LADDER_TEXT, LADDER_DECIDES, LADDER_TRANSACTION };

static const struct column columns[] = {
	[LADDER_TIME] = { "time", "Time", 11, 16, false, "", NULL }, [LADDER_PART] = { "part", "Part", 6, 6, false, "", NULL },
	[LADDER_FROM] = { "from", "From", 7, 7, false, "", NULL }, [LADDER_TO] = { "to", "To", 7, 7, false, "", NULL },
	[LADDER_CODE] = { "code", "Code", 4, 4, true, "", NULL }, [LADDER_TEXT] = { "text", "Text", 20, 200, false, "", NULL },
	[LADDER_DECIDES] = { "decides", "Decides", 7, 7, false, "", NULL }, [LADDER_TRANSACTION] = { "transaction_id", "Transaction", 36, 40, false, "", NULL },
};

static void value(const struct rows *rows, size_t row, size_t column, struct value *out)
{
	static const char *const parts[] = { [LADDER_CAUSE] = "cause", [LADDER_ROOT] = "root", [LADDER_ANSWER] = "answer" };
	const struct ladder *l = &((const struct model *)rows->data)->ladder;
	const struct ladder_step *s = &l->step[row];

	switch ((enum ladder_column)column) {
	case LADDER_TIME: *out = rows_time(s->at_us); break;
	case LADDER_PART: *out = rows_word(parts[l->hop[s->hop].part], STYLE_PLAIN); break;
	case LADDER_FROM: *out = rows_word(lane_names[s->from], STYLE_PLAIN); break;
	case LADDER_TO: *out = rows_word(lane_names[s->to], STYLE_PLAIN); break;
	case LADDER_CODE: *out = s->code ? rows_number(s->code) : (struct value){ .type = VALUE_NONE }; break;
	case LADDER_TEXT: *out = rows_text(s->text); break;
	case LADDER_DECIDES: *out = rows_word(s->decides ? "decides" : "", STYLE_PLAIN); break;
	case LADDER_TRANSACTION: *out = rows_word(l->hop[s->hop].transaction_id, STYLE_PLAIN); break;
	}
}

static uint64_t identity(const struct rows *rows, size_t row)
{
	(void)rows;
	return row;
}

struct rows view_ladder_rows(const struct model *m)
{
	return (struct rows){ columns, sizeof columns / sizeof *columns, m->ladder.step_count, m, value, identity, NULL };
}
