/* view_frame.c - what stands around every screen: screens and time, how the sensor does, the filter, the selected row, the keys. See view.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/timefmt.h"
#include "tui/key.h"
#include "tui/view.h"

static const char *const titles[SCREEN_COUNT] = { "Servers", "Events", "Ladder", "Lists", "Sensor" };

/* The screen in front stands in brackets. */
static void draw_tabs(const struct frame *f, struct canvas *c)
{
	int x = 0;

	canvas_fill(c, 0, 0, c->width, STYLE_BAR);
	for (int i = 0; i < SCREEN_COUNT; i++) {
		bool front = i == (int)f->screen;

		x += canvas_printf(c, 0, x, c->width - x, front ? STYLE_SELECTED : STYLE_BAR, front ? "[%d %s]" : " %d %s ", i + 1, titles[i]);
	}
}

static void draw_clock(const struct frame *f, struct canvas *c)
{
	enum { TABS = 50 };
	char now[TIME_TEXT_MAX], text[TIME_TEXT_MAX + 32];
	const char *word = f->paused ? "PAUSED " : f->as_of ? "AS OF " : f->follow && f->screen == SCREEN_EVENTS ? "following " : "";
	int n = snprintf(text, sizeof text, "%s%s ", word, time_format_local(f->model->now_us, now));

	canvas_put_right(c, 0, TABS, c->width - TABS, f->paused || f->as_of ? STYLE_FILTER : STYLE_BAR, (struct text){ text, (uint32_t)n });
}

static void say_lag(const struct model *m, struct buf *out)
{
	int64_t last = m->sensor.last_packet_us > m->span.last_us ? m->sensor.last_packet_us : m->span.last_us;
	const struct sensor_run_row *run = m->sensor.run_count ? &m->sensor.run[0] : NULL;

	if (run && !run->ended_us)
		buf_add_str(out, "sensor running");
	else
		buf_printf(out, "sensor %s", run && *run->end_reason ? run->end_reason : "not running");
	if (last) {
		buf_add_str(out, ", behind by ");
		rows_print_span(m->now_us > last ? m->now_us - last : 0, out);
	}
	if (m->sensor.batches_behind)
		buf_printf(out, ", %" PRIu64 " commits not judged", m->sensor.batches_behind);
}

/* What was lost or hidden makes every count a lower bound; that must stand on each screen. */
static bool say_losses(const struct model *m, struct buf *out)
{
	uint64_t drops = 0, unseen = 0, sessions = 0, encrypted = 0, one_sided = 0;

	for (size_t i = 0; i < m->sensor.interface_count; i++) {
		const struct sensor_counters *t = &m->sensor.interface[i].total;

		drops += t->kernel_drops;
		unseen += t->unseen_bytes;
		sessions += t->sessions;
		encrypted += t->encrypted_sessions;
		one_sided += t->one_sided_sessions;
	}
	buf_printf(out, " | %" PRIu64 " sessions today", sessions);
	if (encrypted) {
		buf_add_str(out, ", ");
		rows_print_share((int64_t)encrypted, (int64_t)sessions, out);
		buf_add_str(out, " encrypted");
	}
	if (one_sided)
		buf_printf(out, ", %" PRIu64 " one-sided", one_sided);
	buf_printf(out, ", %" PRIu64 " drops", drops);
	if (unseen)
		buf_printf(out, ", %" PRIu64 " bytes unseen", unseen);
	return drops || unseen || one_sided;
}

static void draw_health(const struct frame *f, struct canvas *c, int y)
{
	struct buf text = { 0 };
	enum style style = STYLE_NOTE;

	if (*f->model->message) {
		buf_add_str(&text, f->model->message);
		style = STYLE_BAD;
	} else if (!f->model->was_read)
		buf_add_str(&text, "reading the store");
	else {
		say_lag(f->model, &text);
		if (say_losses(f->model, &text))
			style = STYLE_WATCH;
	}
	canvas_put(c, y, 1, c->width - 1, style, (struct text){ buf_cstr(&text), (uint32_t)text.len });
	buf_fini(&text);
}

static void draw_filter(const struct frame *f, struct canvas *c, int y)
{
	canvas_fill(c, y, 0, c->width, STYLE_FILTER);
	canvas_printf(c, y, 1, c->width - 1, STYLE_FILTER, "FILTER  %s   shows %zu of %zu%s   F4 changes it, F5 ends it", f->filter, f->shown, f->of, f->more ? "+" : "");
}

static void draw_key_line(struct canvas *c, int y)
{
	int x = 0;

	for (int i = 0; i < COMMAND_COUNT - 1; i++) {
		const struct key_row *k = &key_table[i];

		if (!*k->label)
			continue;
		x += canvas_put(c, y, x, c->width - x, STYLE_KEY, (struct text){ k->keys, (uint32_t)strcspn(k->keys, " ") });
		x += 1 + canvas_put_string(c, y, x + 1, c->width - x - 1, STYLE_LABEL, k->label);
		x += 2;
	}
}

/* Prompt and input; what of the input does not fit is cut off at its front. */
static int draw_prompt(const struct frame *f, struct canvas *c, int y)
{
	int x = canvas_printf(c, y, 0, c->width / 2, STYLE_PROMPT, "%s ", f->prompt), room = c->width - x - 1;
	const char *input = f->input;

	while (*input && canvas_width_of(c, (struct text){ input, (uint32_t)strlen(input) }) > room)
		do
			input++;
		while ((*input & 0xc0) == 0x80);
	return x + canvas_put_string(c, y, x, room, STYLE_PLAIN, input);
}

int view_frame(const struct frame *f, struct canvas *c, int *foot, int *cursor_x)
{
	int y = 0, last = c->height - 1;

	*cursor_x = -1;
	draw_tabs(f, c);
	draw_clock(f, c);
	draw_health(f, c, ++y);
	if (*f->filter)
		draw_filter(f, c, ++y);
	*foot = c->height > 6 ? 2 : 1;
	if (f->prompt)
		*cursor_x = draw_prompt(f, c, last);
	else
		draw_key_line(c, last);
	if (*foot > 1 && *f->message)
		canvas_put_string(c, last - 1, 1, c->width - 1, f->is_error ? STYLE_BAD : STYLE_NOTE, f->message);
	else if (*foot > 1 && f->tagged)
		canvas_printf(c, last - 1, 1, c->width - 1, STYLE_NOTE, "%zu tagged  %s", f->tagged, f->detail);
	else if (*foot > 1)
		canvas_put_string(c, last - 1, 1, c->width - 1, STYLE_NOTE, f->detail);
	return y + 1;
}
