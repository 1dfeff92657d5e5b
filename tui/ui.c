/* ui.c - see ui.h */
#include "tui/ui.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/escape.h"
#include "common/timefmt.h"
#include "common/utf8.h"
#include "common/xmalloc.h"
#include "tui/key.h"
#include "tui/save.h"

static const char *const names[SCREEN_COUNT] = { "servers", "events", "ladder", "lists", "sensor" };

const char *ui_screen_name(enum screen s)
{
	return names[s];
}

enum screen ui_screen_named(const char *name)
{
	for (int i = 0; i < SCREEN_COUNT; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum screen)i;
	return SCREEN_COUNT;
}

void ui_init(struct ui *u, struct model *m, bool ascii)
{
	*u = (struct ui){ .model = m, .ascii = ascii, .other_query = true };
	for (int i = 0; i < SCREEN_COUNT; i++)
		u->list[i].sort_column = -1;
	u->list[SCREEN_EVENTS].newest_last = u->list[SCREEN_EVENTS].follow = true;
}

void ui_fini(struct ui *u)
{
	for (int i = 0; i < SCREEN_COUNT; i++)
		list_fini(&u->list[i]);
}

static void say(struct ui *u, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct ui *u, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct ui *u, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(u->message, sizeof u->message, format, ap);
	va_end(ap);
	u->is_error = false;
}

static void complain(struct ui *u, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(u->message, sizeof u->message, format, ap);
	va_end(ap);
	u->is_error = true;
}

/* ---- what is shown ---- */

static struct list *front(struct ui *u)
{
	return &u->list[u->screen];
}

static struct rows_clock clock_of(const struct ui *u)
{
	return (struct rows_clock){ u->model->now_us, u->relative };
}

bool ui_rows(const struct ui *u, struct rows *out)
{
	switch (u->screen) {
	case SCREEN_SERVERS: *out = view_servers(u->model); return true;
	case SCREEN_EVENTS: *out = view_events(u->model); return true;
	case SCREEN_LISTS: *out = view_lists(u->model); return true;
	case SCREEN_SENSOR: *out = view_sensor(&u->sensor); return true;
	case SCREEN_LADDER: case SCREEN_COUNT: break;
	}
	*out = view_ladder_rows(u->model);
	return false;
}

/* Columns of events whose texts the reader looks for in the store. */
static const char *stored_text(const struct filter *f, const struct rows *columns)
{
	static const char *const keys[] = { "recipient", "domain", "finding_id", "origin", "reply" };
	const char *text = NULL;

	for (size_t i = 0; i < sizeof keys / sizeof *keys && !text; i++)
		text = filter_text_of(f, columns, keys[i]);
	return text;
}

void ui_query(const struct ui *u, struct model_query *out)
{
	const struct filter *f = &u->list[SCREEN_EVENTS].filter;
	struct rows events = view_events(u->model);

	*out = (struct model_query){ .screen = u->screen, .at_us = u->at_us, .finding = u->finding };
	out->event_server = filter_text_of(f, &events, "server");
	out->event_kind = filter_text_of(f, &events, "kind");
	out->event_verdict = filter_text_of(f, &events, "verdict");
	out->event_text = stored_text(f, &events);
}

void ui_update(struct ui *u)
{
	struct rows rows;
	struct rows_clock clock = clock_of(u);

	if (u->screen == SCREEN_SENSOR)
		view_sensor_make(u->model, &u->sensor);
	if (ui_rows(u, &rows))
		list_update(front(u), &rows, &clock);
}

static void go(struct ui *u, enum screen screen)
{
	u->screen = screen;
	u->scroll = 0;
	u->help = false;
	u->other_query = true;
}

/* ---- save ---- */

static bool ends_with(const char *s, const char *end)
{
	return text_ends_nocase((struct text){ s, (uint32_t)strlen(s) }, end);
}

static enum export_format format_of(const char *path)
{
	if (ends_with(path, ".json") || ends_with(path, ".ndjson"))
		return EXPORT_JSON;
	return ends_with(path, ".csv") ? EXPORT_CSV : EXPORT_TEXT;
}

static void export_ladder(const struct ui *u, struct buf *out)
{
	enum { WIDTH = 132 };	/* of a page in landscape */
	struct canvas c;

	view_ladder(u->model, u->relative, WIDTH, u->ascii, &c);
	canvas_text(&c, out);
	canvas_fini(&c);
}

void ui_export(const struct ui *u, bool only_tagged, enum export_format format, struct buf *out)
{
	const struct list *l = &u->list[u->screen];
	struct rows_clock clock = clock_of(u);
	struct rows rows;
	bool is_list = ui_rows(u, &rows);
	size_t *index = xcalloc((is_list ? l->count : rows.count) + 1, sizeof *index), n = 0;

	for (size_t i = 0; i < (is_list ? l->count : rows.count); i++)
		if (!is_list || !only_tagged || list_is_tagged(l, l->identity[i]))
			index[n++] = is_list ? l->order[i] : i;
	if (!is_list && format == EXPORT_TEXT)
		export_ladder(u, out);
	else
		export_rows(&rows, index, n, &clock, format, out);
	free(index);
}

static void save(struct ui *u, const char *path, bool replace)
{
	struct buf content = { 0 };
	char now[TIME_TEXT_MAX], error[UI_INPUT_MAX + 100];
	enum export_format format = format_of(path);

	if (format == EXPORT_TEXT) {
		buf_printf(&content, "bouncetop %s, %s, %s", names[u->screen], u->model->store, time_format_local(u->model->now_us, now));
		buf_printf(&content, "%s%s\n", *front(u)->filter.text ? ", filter " : "", front(u)->filter.text);
	}
	ui_export(u, u->list[u->screen].tag_count > 0, format, &content);
	switch (save_file(path, &content, replace, error, sizeof error)) {
	case SAVE_DONE: say(u, "saved to %s%s", path, front(u)->tag_count ? " (tagged rows)" : ""); break;
	case SAVE_FAILED: complain(u, "not saved: %s", error); break;
	case SAVE_EXISTS:
		snprintf(u->save_path, sizeof u->save_path, "%s", path);
		u->prompt = PROMPT_REPLACE;
		*u->input = '\0';
		break;
	}
	buf_fini(&content);
}

static void suggest_path(struct ui *u)
{
	char now[TIME_TEXT_MAX], digits[TIME_TEXT_MAX];
	size_t n = 0;

	time_format_local(u->model->now_us, now);
	for (const char *p = now; *p; p++)
		if (isdigit((unsigned char)*p))
			digits[n++] = *p;
	digits[n] = '\0';
	snprintf(u->input, sizeof u->input, "%sbouncetop-%s-%s.txt", access(".", W_OK) == 0 ? "" : "/tmp/", names[u->screen], digits);
}

/* ---- search, filter, time ---- */

static void search_ladder(struct ui *u, int by)
{
	struct canvas c;
	int matches = 0, best = -1;

	view_ladder(u->model, u->relative, u->width ? u->width : 80, u->ascii, &c);
	for (int y = 0; y < c.height; y++) {
		if (!canvas_says(&c, y, u->search))
			continue;
		matches++;
		if (by > 0 ? (y > u->scroll && (best <= u->scroll || y < best)) : (y < u->scroll && (best < 0 || y > best)))
			best = y;
	}
	canvas_fini(&c);
	if (best >= 0)
		u->scroll = best;
	if (matches)
		say(u, "\"%s\": %d lines say it", u->search, matches);
	else
		complain(u, "\"%s\": not found", u->search);
}

static bool search_on(struct ui *u, int by, bool from_here)
{
	struct list *l = front(u);
	struct rows_clock clock = clock_of(u);
	struct rows rows;
	size_t nth;

	if (!ui_rows(u, &rows)) {
		if (*u->search)
			search_ladder(u, by);
		return true;
	}
	if (!*l->search) {
		complain(u, "nothing to search for: / asks");
		return true;
	}
	size_t matches = list_search(l, &rows, &clock, by, from_here, &nth);
	if (matches)
		say(u, "\"%s\": match %zu of %zu", l->search, nth, matches);
	else
		complain(u, "\"%s\": not found", l->search);
	return true;
}

static void start_search(struct ui *u, const char *text)
{
	char *to = u->screen == SCREEN_LADDER ? u->search : front(u)->search;
	size_t n = 0;

	for (; text[n] && n < FILTER_TEXT_MAX - 1; n++)
		to[n] = (char)tolower((unsigned char)text[n]);
	to[n] = '\0';
	if (n)
		search_on(u, 1, true);
}

/* Of the screen in front. 0 or -1, with a message. */
int ui_set_filter(struct ui *u, const char *text)
{
	struct filter fresh;
	struct rows rows;
	char error[UI_INPUT_MAX];

	if (!ui_rows(u, &rows)) {
		complain(u, "a ladder has no filter");
		return -1;
	}
	if (filter_parse(text, &rows, &fresh, error, sizeof error)) {
		complain(u, "%s", error);
		return -1;
	}
	front(u)->filter = fresh;
	u->other_query = true;
	return 0;
}

static int parse_time(const struct ui *u, const char *text, int64_t *out)
{
	char today[TIME_TEXT_MAX], full[TIME_TEXT_MAX + UI_INPUT_MAX];

	if (isdigit((unsigned char)text[0]) && isdigit((unsigned char)text[1]) && text[2] == ':') {
		time_format_local(u->model->now_us, today);
		snprintf(full, sizeof full, "%.10s %s", today, text);
		return time_parse(full, u->model->now_us, out);
	}
	return time_parse(text, u->model->now_us, out);
}

/* Selects the first event of that time or later, when what was read goes back so far. */
static bool go_to_event(struct ui *u, int64_t us)
{
	struct list *l = front(u);
	struct rows rows = view_events(u->model);
	uint64_t best = 0;
	int64_t best_us = INT64_MAX;

	if (u->model->events.more && (!rows.count || view_event(u->model, 0)->last_us > us))
		return false;
	for (size_t i = 0; i < l->count; i++) {
		const struct finding_row *f = view_event(u->model, l->order[i]);

		if (f->last_us >= us && f->last_us < best_us) {
			best_us = f->last_us;
			best = rows.identity(&rows, l->order[i]);
		}
	}
	l->follow = false;
	if (best_us == INT64_MAX)
		list_move(l, (long)l->count);
	else
		list_select(l, best);
	return true;
}

static void go_to_time(struct ui *u, const char *text)
{
	int64_t us;

	if (!*text || strcmp(text, "now") == 0) {
		u->at_us = 0;
		u->other_query = true;
		return;
	}
	if (parse_time(u, text, &us)) {
		complain(u, "%s: not a time; \"14:03\", \"2026-11-20 14:03 CET\", \"-2h\" or \"yesterday\" would be", text);
		return;
	}
	if (u->screen == SCREEN_EVENTS && !u->at_us && go_to_event(u, us))
		return;
	u->at_us = us;
	u->other_query = true;
	u->list[SCREEN_EVENTS].follow = false;
	say(u, "as of that time; g and Enter: back to now%s", u->screen == SCREEN_LISTS ? " (lists stand as of the last analysis)" : "");
}

/* ---- prompts ---- */

static const char *prompt_text(const struct ui *u, char *room, size_t size)
{
	switch (u->prompt) {
	case PROMPT_SEARCH: return "Search:";
	case PROMPT_FILTER: return "Filter:";
	case PROMPT_GOTO: return "Go to time:";
	case PROMPT_SAVE: return "Save to:";
	case PROMPT_REPLACE: snprintf(room, size, "%.*s is there. Replace it? y/n", 200, u->save_path); return room;
	case PROMPT_NONE: break;
	}
	return NULL;
}

static bool ask(struct ui *u, enum ui_prompt prompt, const char *input)
{
	u->prompt = prompt;
	if (input != u->input)
		snprintf(u->input, sizeof u->input, "%s", input);
	return true;
}

static void answer(struct ui *u)
{
	enum ui_prompt prompt = u->prompt;
	char input[UI_INPUT_MAX];

	strcpy(input, u->input);
	u->prompt = PROMPT_NONE;
	if (prompt == PROMPT_SEARCH)
		start_search(u, input);
	else if (prompt == PROMPT_FILTER && ui_set_filter(u, input)) {
		u->prompt = PROMPT_FILTER;	/* what was wrong is said above it */
	} else if (prompt == PROMPT_GOTO)
		go_to_time(u, input);
	else if (prompt == PROMPT_SAVE && *input)
		save(u, input, false);
}

static void erase_last(char *s)
{
	size_t n = strlen(s);

	while (n && (s[--n] & 0xc0) == 0x80)
		;
	s[n] = '\0';
}

static void insert(struct ui *u, int key)
{
	char bytes[5];
	size_t n = utf8_encode((uint32_t)key, bytes), have = strlen(u->input);

	if (have + n < sizeof u->input && (have + n < FILTER_TEXT_MAX || u->prompt == PROMPT_SAVE)) {
		memcpy(u->input + have, bytes, n);
		u->input[have + n] = '\0';
	}
}

static void prompt_key(struct ui *u, int key)
{
	if (u->prompt == PROMPT_REPLACE) {
		u->prompt = PROMPT_NONE;
		if (key == 'y' || key == 'Y')
			save(u, u->save_path, true);
		else
			say(u, "not saved");
	} else if (key == KEYS_ENTER)
		answer(u);
	else if (key == KEYS_ESC)
		u->prompt = PROMPT_NONE;
	else if (key == KEYS_BACKSPACE)
		erase_last(u->input);
	else if (key == KEYS_CTRL_U)
		*u->input = '\0';
	else if (key >= 0x20 && key != 0x7f && key < 0x110000)
		insert(u, key);
}

/* ---- commands: each says whether there was anything to do ---- */

static bool open_events_of(struct ui *u, const char *server)
{
	char text[FILTER_TEXT_MAX];
	struct list *events = &u->list[SCREEN_EVENTS];

	if (u->back_count < UI_BACK_MAX)
		u->back[u->back_count++] = u->screen;
	strcpy(u->before, events->filter.text);
	u->has_before = true;
	snprintf(text, sizeof text, strchr(server, ' ') ? "server:\"%s\"" : "server:%s", server);
	go(u, SCREEN_EVENTS);
	events->follow = true;
	return ui_set_filter(u, text) == 0;
}

static bool open_row(struct ui *u)
{
	size_t row = list_row(front(u));

	if (u->screen == SCREEN_LADDER || u->screen == SCREEN_SENSOR || row == SIZE_MAX)
		return false;
	if (u->screen == SCREEN_SERVERS)
		return open_events_of(u, u->model->servers.row[row].name);
	if (u->screen == SCREEN_LISTS)
		return open_events_of(u, u->model->risks.row[row].server);
	if (u->back_count < UI_BACK_MAX)
		u->back[u->back_count++] = u->screen;
	u->finding = view_event(u->model, row)->id;
	go(u, SCREEN_LADDER);
	return true;
}

static bool go_back(struct ui *u)
{
	if (!u->back_count)
		return false;
	enum screen from = u->screen;
	enum screen to = u->back[--u->back_count];
	if (from == SCREEN_EVENTS && u->has_before) {	/* the filter that Enter set goes with it */
		ui_set_filter(u, u->before);
		u->has_before = false;
	}
	go(u, to);
	return true;
}

static bool show_screen(struct ui *u, enum screen screen)
{
	u->back_count = 0;
	u->has_before = false;
	if (screen == SCREEN_LADDER && u->screen == SCREEN_EVENTS && list_row(front(u)) != SIZE_MAX)
		return open_row(u);
	go(u, screen);
	return true;
}

static bool is_text(const struct ui *u)
{
	return u->help || u->screen == SCREEN_LADDER;
}

static bool move(struct ui *u, long by)
{
	if (is_text(u)) {
		long to = u->scroll + by;

		u->scroll = to < 0 ? 0 : to > u->scroll_max ? u->scroll_max : (int)to;
	} else
		list_move(front(u), by);
	return true;
}

static long page_of(struct ui *u)
{
	long page = is_text(u) ? u->page : (long)front(u)->page;

	return page > 2 ? page - 1 : 1;
}

static bool to_end(struct ui *u, bool last)
{
	move(u, last ? 1L << 30 : -(1L << 30));
	if (last && !is_text(u) && front(u)->newest_last && front(u)->sort_column < 0 && !front(u)->reverse && !u->at_us)
		front(u)->follow = true;
	return true;
}

static bool scroll_columns(struct ui *u, int by)
{
	struct list *l = front(u);
	int before = l->shift;

	if (is_text(u))
		return false;
	list_scroll(l, by);
	return l->shift != before;
}

static bool sort_by(struct ui *u, int by)
{
	struct rows rows;
	struct list *l = front(u);

	if (!ui_rows(u, &rows))
		return false;
	list_sort(l, &rows, by);
	l->follow = l->follow && l->sort_column < 0;
	ui_update(u);
	say(u, "sorted by %s; I turns it round", l->sort_column < 0 ? "what matters most" : rows.column[l->sort_column].title);
	return true;
}

static bool turn_round(struct ui *u)
{
	front(u)->reverse = !front(u)->reverse;
	front(u)->follow = false;
	ui_update(u);
	return !is_text(u);
}

static bool tag_row(struct ui *u)
{
	if (is_text(u))
		return false;
	list_tag(front(u));
	list_move(front(u), 1);
	return true;
}

static bool toggle_follow(struct ui *u)
{
	struct list *l = &u->list[SCREEN_EVENTS];

	l->follow = !l->follow;
	if (l->follow) {
		l->sort_column = -1;
		l->reverse = false;
		u->at_us = 0;
		u->other_query = true;
	}
	say(u, l->follow ? "autoscroll: the events stay with the newest" : "autoscroll is off");
	return true;
}

static bool save_rows(struct ui *u)
{
	suggest_path(u);
	return ask(u, PROMPT_SAVE, u->input);
}

/* The filter there is, ready to be added to. */
static bool ask_filter(struct ui *u)
{
	const char *text = front(u)->filter.text;

	if (is_text(u))
		return false;
	ask(u, PROMPT_FILTER, text);
	if (*text && text[strlen(text) - 1] != ' ')
		insert(u, ' ');
	return true;
}

static bool end_filter(struct ui *u)
{
	return !is_text(u) && ui_set_filter(u, "") == 0;
}

static bool toggle_help(struct ui *u)
{
	u->help = !u->help;
	u->scroll = 0;
	return true;
}

static bool toggle_time(struct ui *u)
{
	u->relative = !u->relative;
	say(u, u->relative ? "times as ago" : "times as of the clock");
	return true;
}

static bool toggle_pause(struct ui *u)
{
	u->paused = !u->paused;
	u->other_query = !u->paused;
	return true;
}

static bool do_command(struct ui *u, enum command command)
{
	switch (command) {
	case COMMAND_SCREEN_1: case COMMAND_SCREEN_2: case COMMAND_SCREEN_3: case COMMAND_SCREEN_4: case COMMAND_SCREEN_5:
		return show_screen(u, (enum screen)(command - COMMAND_SCREEN_1));
	case COMMAND_OPEN: return open_row(u);
	case COMMAND_BACK: return go_back(u);
	case COMMAND_UP: return move(u, -1);
	case COMMAND_DOWN: return move(u, 1);
	case COMMAND_LEFT: return scroll_columns(u, -1);
	case COMMAND_RIGHT: return scroll_columns(u, 1);
	case COMMAND_PAGE_UP: return move(u, -page_of(u));
	case COMMAND_PAGE_DOWN: return move(u, page_of(u));
	case COMMAND_FIRST: return to_end(u, false);
	case COMMAND_LAST: return to_end(u, true);
	case COMMAND_HELP: return toggle_help(u);
	case COMMAND_SAVE: return save_rows(u);
	case COMMAND_SEARCH: return ask(u, PROMPT_SEARCH, "");
	case COMMAND_NEXT: return search_on(u, 1, false);
	case COMMAND_PREVIOUS: return search_on(u, -1, false);
	case COMMAND_FILTER: return ask_filter(u);
	case COMMAND_UNFILTER: return end_filter(u);
	case COMMAND_SORT_NEXT: return sort_by(u, 1);
	case COMMAND_SORT_BEFORE: return sort_by(u, -1);
	case COMMAND_REVERSE: return turn_round(u);
	case COMMAND_TAG: return tag_row(u);
	case COMMAND_UNTAG: list_untag(front(u)); return true;
	case COMMAND_PAUSE: return toggle_pause(u);
	case COMMAND_FOLLOW: return toggle_follow(u);
	case COMMAND_TIME: return toggle_time(u);
	case COMMAND_GOTO: return ask(u, PROMPT_GOTO, "");
	case COMMAND_REDRAW: u->redraw = true; return true;
	case COMMAND_QUIT: u->quit = true; return true;
	case COMMAND_NONE: case COMMAND_COUNT: break;
	}
	return false;
}

/* In the help screen keys move it, choose a screen or end it. */
static bool help_allows(enum command c)
{
	return (c >= COMMAND_UP && c <= COMMAND_LAST && c != COMMAND_LEFT && c != COMMAND_RIGHT) || (c >= COMMAND_SCREEN_1 && c <= COMMAND_SCREEN_5)
	    || c == COMMAND_REDRAW;
}

void ui_key(struct ui *u, int key)
{
	enum command c;

	*u->message = '\0';
	if (u->prompt != PROMPT_NONE) {
		prompt_key(u, key);
		return;
	}
	for (int n = 0; (c = command_of_key(key, n)) != COMMAND_NONE; n++) {
		if (u->help && !help_allows(c)) {
			if (c == COMMAND_HELP || c == COMMAND_BACK || c == COMMAND_QUIT || c == COMMAND_OPEN)
				toggle_help(u);
			continue;
		}
		if (do_command(u, c))
			return;
	}
}

/* ---- drawing ---- */

static void draw_text(struct ui *u, const struct canvas *text, const char *search, struct canvas *c, int y, int height)
{
	u->page = height;
	u->scroll_max = text->height > height ? text->height - height : 0;
	if (u->scroll > u->scroll_max)
		u->scroll = u->scroll_max;
	canvas_copy(c, y, height, text, u->scroll);
	for (int i = 0; i < height; i++)
		canvas_mark(c, y + i, search);
	if (u->scroll < u->scroll_max && height > 1) {
		canvas_fill(c, y + height - 1, 0, c->width, STYLE_PLAIN);
		canvas_printf(c, y + height - 1, 1, c->width - 1, STYLE_NOTE, "%d more lines: Down, PgDn", u->scroll_max - u->scroll + 1);
	}
}

static const char *nothing_to_show(const struct ui *u, const struct list *l)
{
	if (!u->model->was_read)
		return *u->model->message ? "Waiting. This screen fills by itself." : "";
	if (*l->filter.text)
		return "No row matches the filter. F4 changes it, F5 ends it.";
	switch (u->screen) {
	case SCREEN_SERVERS: return "No server of ours was seen yet. Which networks are ours, [own] networks of the configuration says.";
	case SCREEN_EVENTS: return "Nothing left for outsiders so far that answers a mail: no bounce, autoreply or callout.";
	case SCREEN_LISTS: return "Nothing to say about lists yet: no server of ours was judged.";
	default: return "";
	}
}

static void draw_list(struct ui *u, const struct rows *rows, struct canvas *c, int y, int height)
{
	struct rows_clock clock = clock_of(u);

	list_draw(front(u), rows, &clock, c, y, height);
	if (!front(u)->count && height > 2)
		canvas_put_string(c, y + 2, 2, c->width - 2, STYLE_PLAIN, nothing_to_show(u, front(u)));
}

static void describe_row(struct ui *u, const struct rows *rows, struct buf *out)
{
	size_t row = list_row(front(u));

	if (rows->detail && row != SIZE_MAX)
		rows->detail(rows, row, out);
}

void ui_draw(struct ui *u, struct canvas *c, int *cursor_x)
{
	struct rows rows;
	bool is_list = ui_rows(u, &rows);
	struct list *l = front(u);
	struct buf detail = { 0 };
	char room[UI_INPUT_MAX];
	struct canvas text;
	int foot;

	canvas_clear(c);
	if (is_list && !u->help)
		describe_row(u, &rows, &detail);
	struct frame f = {
		.screen = u->screen, .model = u->model, .paused = u->paused, .follow = u->list[SCREEN_EVENTS].follow, .as_of = u->at_us != 0,
		.filter = is_list ? l->filter.text : "", .shown = l->count, .of = rows.count, .tagged = is_list ? l->tag_count : 0,
		.more = u->screen == SCREEN_EVENTS && u->model->events.more, .message = u->message, .is_error = u->is_error,
		.prompt = prompt_text(u, room, sizeof room), .input = u->input, .detail = buf_cstr(&detail),
	};
	int y = view_frame(&f, c, &foot, cursor_x), height = c->height - y - foot;
	if (u->help || !is_list) {
		if (u->help)
			view_help(is_list ? &rows : NULL, c->width, c->ascii, &text);
		else
			view_ladder(u->model, u->relative, c->width, c->ascii, &text);
		u->width = c->width;
		draw_text(u, &text, u->help ? "" : u->search, c, y, height > 0 ? height : 0);
		canvas_fini(&text);
	} else
		draw_list(u, &rows, c, y, height);
	buf_fini(&detail);
}
